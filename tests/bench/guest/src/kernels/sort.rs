//! Heapsort of numbers: compares, branches and loads that hang on each other.
//!
//! Written out, so that it is the same loop in every build and not what a library picks for the size.

use super::Random;

const COUNT: usize = 1 << 14;

pub struct Numbers {
    shuffled: Vec<u32>,
    sum: u64,
    work: Vec<u32>,
}

impl Numbers {
    pub fn new() -> Numbers {
        let shuffled: Vec<u32> = Random(3).take(COUNT).collect();
        let sum = total(&shuffled);
        Numbers { work: shuffled.clone(), shuffled, sum }
    }

    /// Sorts them; whether they are in order and all there.
    pub fn sort(&mut self) -> bool {
        self.work.copy_from_slice(&self.shuffled);
        heapsort(&mut self.work);
        self.work.is_sorted() && total(&self.work) == self.sum
    }
}

fn total(numbers: &[u32]) -> u64 {
    numbers.iter().map(|&n| u64::from(n)).sum()
}

fn heapsort(v: &mut [u32]) {
    for root in (0..v.len() / 2).rev() {
        sift_down(v, root);
    }
    for end in (1..v.len()).rev() {
        v.swap(0, end);
        sift_down(&mut v[..end], 0);
    }
}

fn sift_down(v: &mut [u32], mut root: usize) {
    loop {
        let mut child = 2 * root + 1;
        if child >= v.len() {
            return;
        }
        if child + 1 < v.len() && v[child] < v[child + 1] {
            child += 1;
        }
        if v[root] >= v[child] {
            return;
        }
        v.swap(root, child);
        root = child;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sorted() {
        assert!(Numbers::new().sort());
        for len in 0..20 {
            let mut v: Vec<u32> = Random(9).take(len).collect();
            heapsort(&mut v);
            assert!(v.is_sorted());
        }
    }

    #[test]
    fn a_lost_number_is_noticed() {
        let mut n = Numbers::new();
        n.sum += 1;
        assert!(!n.sort());
    }
}
