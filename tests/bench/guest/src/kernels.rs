//! User code: four programs in small that make no system call. Each checks its result every time,
//! so that a wrong one is never counted as a fast one.

mod coremark;
mod deflate;
mod sha256;
mod sort;

use crate::harness::Bench;
use std::hint::black_box;
use std::io;

pub fn run(b: &Bench) {
    if !b.wants_any("user.") {
        return;
    }
    let noise = noise(sha256::LEN);
    b.time("user.sha256", |n| {
        (0..n).try_for_each(|_| check(sha256::digest(black_box(&noise)) == sha256::DIGEST_OF_NOISE))
    });
    let text = deflate::text();
    b.time("user.deflate", |n| (0..n).try_for_each(|_| check(deflate::there_and_back(black_box(&text)))));
    let mut numbers = sort::Numbers::new();
    b.time("user.sort", |n| (0..n).try_for_each(|_| check(numbers.sort())));
    let mut work = coremark::Work::new();
    b.time("user.coremark", |n| (0..n).try_for_each(|_| check(work.turn() == coremark::CHECK)));
}

fn check(right: bool) -> io::Result<()> {
    if right { Ok(()) } else { Err(io::Error::other("the result is wrong")) }
}

/// A small generator of numbers (xorshift32), the same everywhere.
pub struct Random(pub u32);

impl Iterator for Random {
    type Item = u32;
    fn next(&mut self) -> Option<u32> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        Some(self.0)
    }
}

/// Bytes that look random.
fn noise(len: usize) -> Vec<u8> {
    Random(1).take(len / 4).flat_map(u32::to_le_bytes).collect()
}
