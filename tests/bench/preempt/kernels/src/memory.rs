//! Kernels that move through arrays.

use crate::Random;

#[unsafe(no_mangle)]
extern "C" fn k_sieve(n: u32) -> u32 {
    const SIZE: usize = 65536;
    let mut count = 0;
    for _ in 0..n {
        let mut composite = vec![false; SIZE];
        for i in 2..SIZE {
            if !composite[i] {
                count += 1;
                let mut at = i * 2;
                while at < SIZE {
                    composite[at] = true;
                    at += i;
                }
            }
        }
    }
    count
}

fn partition(v: &mut [u32]) -> usize {
    let pivot = v[(v.len() - 1) / 2];
    let (mut i, mut j) = (0, v.len() - 1);
    loop {
        while v[i] < pivot {
            i += 1;
        }
        while v[j] > pivot {
            j -= 1;
        }
        if i >= j {
            return j;
        }
        v.swap(i, j);
        i += 1;
        j -= 1;
    }
}

#[inline(never)]
fn quicksort(v: &mut [u32]) {
    if v.len() < 2 {
        return;
    }
    let at = partition(v);
    let (left, right) = v.split_at_mut(at + 1);
    quicksort(left);
    quicksort(right);
}

#[unsafe(no_mangle)]
extern "C" fn k_quicksort(n: u32) -> u32 {
    let mut random = Random::new(6);
    let mut sum = 0u32;
    for _ in 0..n {
        let mut v: Vec<u32> = (0..10_000).map(|_| random.next()).collect();
        quicksort(&mut v);
        sum = sum.wrapping_add(v[5000]);
    }
    sum
}

/// Open addressing with linear probes.
#[unsafe(no_mangle)]
extern "C" fn k_hashtable(n: u32) -> u32 {
    const SLOTS: usize = 1 << 14;
    let mut random = Random::new(7);
    let mut sum = 0u32;
    for _ in 0..n {
        let mut table = vec![(0u32, 0u32); SLOTS];
        for i in 0..20_000u32 {
            let key = (random.next() % 9000) + 1;
            let mut at = key.wrapping_mul(0x9e37_79b1) as usize % SLOTS;
            while table[at].0 != 0 && table[at].0 != key {
                at = (at + 1) % SLOTS;
            }
            table[at].0 = key;
            table[at].1 = table[at].1.wrapping_add(i);
            sum = sum.wrapping_add(table[at].1);
        }
    }
    sum
}
