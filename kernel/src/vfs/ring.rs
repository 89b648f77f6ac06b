//! A pipe's buffer: a ring that starts with nothing and grows to `PIPE_SIZE` as it is used.

use alloc::vec::Vec;

use abi::types::limits::PIPE_SIZE;

/// The first allocation: most pipes never carry more.
const MIN: usize = 512;

#[derive(Default)]
pub struct Ring {
    buf: Vec<u8>,
    head: usize,
    len: usize,
}

impl Ring {
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// How much may still be put in.
    #[inline]
    pub fn room(&self) -> usize {
        PIPE_SIZE - self.len
    }

    /// What is to be read next, in one piece; the rest may follow after a `consume`.
    #[inline]
    pub fn data(&self) -> &[u8] {
        let end = (self.head + self.len).min(self.buf.len());
        &self.buf[self.head..end]
    }
    /// What is to be read after the first `skip` bytes, in one piece.
    #[inline]
    pub fn data_at(&self, skip: usize) -> &[u8] {
        let first = self.data();
        match first.get(skip..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => &self.buf[skip - first.len()..self.len - first.len()],
        }
    }
    #[inline]
    pub fn consume(&mut self, n: usize) {
        self.len -= n;
        self.head = if self.len == 0 { 0 } else { self.wrap(self.head + n) };
    }

    /// Needs no more memory for so many bytes.
    #[inline]
    pub fn fits(&self, want: usize) -> bool {
        self.len + want.min(self.room()) <= self.buf.len()
    }

    /// Where the next bytes go, in one piece. Empty when there is no room, or no memory.
    #[inline]
    pub fn space(&mut self, want: usize) -> &mut [u8] {
        let want = want.min(self.room());
        if self.len + want > self.buf.len() {
            self.grow(self.len + want);
        }
        let tail = self.wrap(self.head + self.len);
        let end = if tail < self.head || self.len == self.buf.len() { self.head } else { self.buf.len() };
        let end = end.max(tail).min(tail + want);
        &mut self.buf[tail..end]
    }
    #[inline]
    pub fn commit(&mut self, n: usize) {
        self.len += n;
    }

    /// Takes back the last that were put in.
    pub fn uncommit(&mut self, n: usize) {
        self.len -= n;
    }

    #[inline]
    fn wrap(&self, at: usize) -> usize {
        if at >= self.buf.len() { at - self.buf.len() } else { at }
    }

    /// Without memory it stays as it is.
    #[cold]
    fn grow(&mut self, want: usize) {
        let size = want.next_power_of_two().clamp(MIN, PIPE_SIZE);
        let mut new = Vec::new();
        if new.try_reserve_exact(size).is_err() {
            return;
        }
        while !self.is_empty() {
            let piece = self.data();
            let n = piece.len();
            new.extend_from_slice(piece);
            self.consume(n);
        }
        self.len = new.len();
        self.head = 0;
        new.resize(size, 0);
        self.buf = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(r: &mut Ring, bytes: &[u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            let space = r.space(bytes.len() - done);
            let n = space.len();
            if n == 0 {
                break;
            }
            space.copy_from_slice(&bytes[done..done + n]);
            r.commit(n);
            done += n;
        }
        done
    }
    fn get(r: &mut Ring, mut want: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while want > 0 && !r.is_empty() {
            let n = r.data().len().min(want);
            out.extend_from_slice(&r.data()[..n]);
            r.consume(n);
            want -= n;
        }
        out
    }

    #[test]
    fn what_goes_in_comes_out_in_order_whatever_the_sizes() {
        let mut r = Ring::default();
        let (mut wrote, mut read, mut seed) = (0u32, 0u32, 1u32);
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let n = (seed >> 8) as usize % 3000;
            if seed >> 31 == 0 {
                let bytes: Vec<u8> = (0..n as u32).map(|i| (wrote + i) as u8).collect();
                let room = r.room();
                assert_eq!(put(&mut r, &bytes), n.min(room));
                wrote += n.min(room) as u32;
            } else {
                let have = r.len();
                let bytes = get(&mut r, n);
                assert_eq!(bytes.len(), n.min(have));
                for b in bytes {
                    assert_eq!(b, read as u8);
                    read += 1;
                }
            }
        }
        assert_eq!(r.len() as u32, wrote - read);
    }

    #[test]
    fn it_is_full_at_pipe_size() {
        let mut r = Ring::default();
        assert_eq!(put(&mut r, &[7; PIPE_SIZE + 5]), PIPE_SIZE);
        assert!(r.space(1).is_empty());
        assert_eq!(get(&mut r, 10).len(), 10);
        assert_eq!(put(&mut r, &[8; 20]), 10);
    }
}
