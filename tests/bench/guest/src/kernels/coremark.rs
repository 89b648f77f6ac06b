//! The mix that CoreMark made usual, in our own words: a linked list searched, reversed and sorted,
//! a matrix multiplied, a state machine over text, and a checksum over everything that came out.
//! Its figures are not CoreMark scores.

use super::Random;

/// What [`Work::turn`] answers.
pub const CHECK: u16 = 39947;

const NODES: usize = 256;
const SIDE: usize = 24;
const NIL: u16 = u16::MAX;

#[derive(Clone, Copy)]
struct Node {
    next: u16,
    key: i16,
}

pub struct Work {
    nodes: Vec<Node>,
    keys: Vec<i16>,
    a: Vec<i16>,
    b: Vec<i16>,
    c: Vec<i32>,
    text: Vec<u8>,
}

impl Work {
    pub fn new() -> Work {
        let mut random = Random(11);
        let mut small = |n: usize| -> Vec<i16> { random.by_ref().take(n).map(|r| (r >> 20) as i16).collect() };
        let (keys, a, b) = (small(NODES), small(SIDE * SIDE), small(SIDE * SIDE));
        Work { nodes: vec![Node { next: NIL, key: 0 }; NODES], keys, a, b, c: vec![0; SIDE * SIDE], text: numbers() }
    }

    /// One turn of everything; a checksum of the results.
    pub fn turn(&mut self) -> u16 {
        let mut crc = 0;
        for seed in 0..4 {
            crc = self.list(seed, crc);
            crc = self.matrix(seed, crc);
            crc = states(&self.text, crc);
        }
        crc
    }

    fn list(&mut self, seed: i16, mut crc: u16) -> u16 {
        for (i, key) in self.keys.iter().enumerate() {
            self.nodes[i] = Node { next: if i + 1 < NODES { i as u16 + 1 } else { NIL }, key: key ^ seed };
        }
        let mut head = 0;
        for wanted in (0..NODES).step_by(16) {
            let key = self.nodes[wanted].key;
            let steps = self.find(head, key);
            crc = crc16(steps, crc);
            head = self.reverse(head);
        }
        head = self.sort(head, NODES);
        while head != NIL {
            let node = self.nodes[usize::from(head)];
            crc = crc16(node.key as u16, crc);
            head = node.next;
        }
        crc
    }

    /// Steps from `at` to the first node with this key.
    fn find(&self, mut at: u16, key: i16) -> u16 {
        let mut steps = 0;
        while at != NIL && self.nodes[usize::from(at)].key != key {
            at = self.nodes[usize::from(at)].next;
            steps += 1;
        }
        steps
    }

    fn reverse(&mut self, mut at: u16) -> u16 {
        let mut head = NIL;
        while at != NIL {
            let next = std::mem::replace(&mut self.nodes[usize::from(at)].next, head);
            head = at;
            at = next;
        }
        head
    }

    /// Merge sort of the first `len` nodes from `head`; the list is cut after them.
    fn sort(&mut self, head: u16, len: usize) -> u16 {
        if len == 1 {
            self.nodes[usize::from(head)].next = NIL;
            return head;
        }
        let mut middle = head;
        for _ in 0..len / 2 {
            middle = self.nodes[usize::from(middle)].next;
        }
        let (mut left, mut right) = (self.sort(head, len / 2), self.sort(middle, len - len / 2));
        let (mut first, mut last) = (NIL, NIL);
        while left != NIL || right != NIL {
            let take_left = right == NIL
                || (left != NIL && self.nodes[usize::from(left)].key <= self.nodes[usize::from(right)].key);
            let side = if take_left { &mut left } else { &mut right };
            let taken = std::mem::replace(side, self.nodes[usize::from(*side)].next);
            match last {
                NIL => first = taken,
                _ => self.nodes[usize::from(last)].next = taken,
            }
            last = taken;
        }
        first
    }

    fn matrix(&mut self, seed: i16, mut crc: u16) -> u16 {
        for row in 0..SIDE {
            for column in 0..SIDE {
                let mut sum = 0i32;
                for k in 0..SIDE {
                    let (x, y) = (self.a[row * SIDE + k] ^ seed, self.b[k * SIDE + column]);
                    sum = sum.wrapping_add(i32::from(x) * i32::from(y));
                }
                self.c[row * SIDE + column] = sum;
            }
        }
        for sum in &self.c {
            crc = crc16((*sum >> 4) as u16, crc);
        }
        crc
    }
}

/// Numbers of all forms, good and bad, with commas between.
fn numbers() -> Vec<u8> {
    const FORMS: [&str; 8] = ["5012", "-874", "+122", "35.54", ".1234500", "5.500e+3", "-.7e-1", "T0.3e-1F"];
    Random(5).take(64).flat_map(|r| FORMS[r as usize % 8].bytes().chain(*b",")).collect()
}

#[derive(Clone, Copy)]
enum State {
    Start,
    Sign,
    Integer,
    Fraction,
    Exponent,
    Power,
    Invalid,
}

/// Reads numbers, counts the states they end in.
fn states(text: &[u8], mut crc: u16) -> u16 {
    let mut ended = [0u16; 7];
    let mut state = State::Start;
    for &byte in text {
        state = match (state, byte) {
            (_, b',') => {
                ended[state as usize] += 1;
                State::Start
            }
            (State::Start, b'+' | b'-') => State::Sign,
            (State::Start | State::Sign | State::Integer, b'0'..=b'9') => State::Integer,
            (State::Start | State::Sign | State::Integer, b'.') => State::Fraction,
            (State::Fraction, b'0'..=b'9') => State::Fraction,
            (State::Integer | State::Fraction, b'e' | b'E') => State::Exponent,
            (State::Exponent, b'+' | b'-') | (State::Exponent | State::Power, b'0'..=b'9') => State::Power,
            _ => State::Invalid,
        };
    }
    for n in ended {
        crc = crc16(n, crc);
    }
    crc
}

/// CRC-16/ARC, bit by bit.
fn crc16(word: u16, mut crc: u16) -> u16 {
    for byte in word.to_le_bytes() {
        crc ^= u16::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xa001 } else { crc >> 1 };
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_sorted_and_nothing_is_lost() {
        let mut w = Work::new();
        w.list(0, 0);
        let mut keys: Vec<i16> = w.nodes.iter().map(|n| n.key).collect();
        keys.sort_unstable();
        let first = (0..NODES as u16).find(|i| w.nodes.iter().all(|n| n.next != *i)).unwrap();
        let mut listed = Vec::new();
        let mut at = first;
        while at != NIL {
            listed.push(w.nodes[usize::from(at)].key);
            at = w.nodes[usize::from(at)].next;
        }
        assert_eq!(listed, keys);
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        let crc = b"12345678".chunks(2).fold(0, |crc, b| crc16(u16::from_le_bytes([b[0], b[1]]), crc));
        // CRC-16/ARC of "12345678", one byte short of the catalogue's check value.
        let last = (0..8).fold(crc ^ u16::from(b'9'), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xa001 } else { c >> 1 });
        assert_eq!(last, 0xbb3d);
    }

    #[test]
    fn turns_are_alike() {
        let mut w = Work::new();
        assert_eq!((w.turn(), w.turn()), (CHECK, CHECK));
    }
}
