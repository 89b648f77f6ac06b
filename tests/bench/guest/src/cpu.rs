//! The processor and the compiler alone: says how comparable two runs are.

use crate::harness::Bench;
use std::hint::black_box;

pub fn run(b: &Bench) {
    if !b.wants_any("cpu.") {
        return;
    }
    let add_one: fn(u32) -> u32 = black_box(|x| x.wrapping_add(1));
    b.time("cpu.indirect_call", |n| {
        let mut x = 0;
        for _ in 0..n {
            x = black_box(add_one)(x);
        }
        black_box(x);
        Ok(())
    });
    let mut flags = vec![0; 8192];
    b.time("cpu.sieve8192", |n| {
        for _ in 0..n {
            black_box(sieve(&mut flags));
        }
        Ok(())
    });
    const TOTAL: usize = 256 << 20;
    let from = vec![b'x'; 1 << 20];
    let mut to = vec![0; 1 << 20];
    for (name, size) in [("4k", 4 << 10), ("64k", 64 << 10), ("1m", 1 << 20)] {
        b.throughput(&format!("cpu.memcpy_{name}"), TOTAL, || {
            for _ in 0..TOTAL / size {
                to[..size].copy_from_slice(black_box(&from[..size]));
                black_box(&mut to);
            }
            Ok(())
        });
    }
}

/// Primes below the length.
fn sieve(composite: &mut [u8]) -> u32 {
    composite.fill(0);
    let mut primes = 0;
    for i in 2..composite.len() {
        if composite[i] == 0 {
            primes += 1;
            let mut j = i + i;
            while j < composite.len() {
                composite[j] = 1;
                j += i;
            }
        }
    }
    primes
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_sieve_finds_the_primes() {
        assert_eq!(super::sieve(&mut vec![7; 8192]), 1028);
        assert_eq!(super::sieve(&mut [0; 3]), 1);
    }
}
