//! Compute kernels of different shapes: tight and wide loops, recursion, calls through tables, branchy
//! parsing. Each export `k_<name>(n)` works in proportion to `n` and answers a checksum.

mod bytes;
mod memory;
mod numeric;
mod recursion;

fn main() {}

/// Marsaglia's xorshift.
pub(crate) struct Random(u32);

impl Random {
    pub(crate) fn new(seed: u32) -> Random {
        Random(seed)
    }
    pub(crate) fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
    pub(crate) fn bytes(&mut self, n: usize, letters: u32) -> Vec<u8> {
        (0..n).map(|_| b'a' + (self.next() % letters) as u8).collect()
    }
}
