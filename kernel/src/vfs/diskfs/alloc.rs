//! Which blocks of the disk are free.
//!
//! A block that the committed state refers to is never written again: when it is given back it is
//! *released*, and is free once a commit has made a state durable that doesn't need it. A block that
//! was taken since the last commit is *fresh*: it may be written any number of times, and be free at
//! once. Under the lock of the file system.

use alloc::vec::Vec;

use abi::{Errno, SysResult};

use super::format::FIRST;

#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn get(&self, b: u32) -> bool {
        self.0.get(b as usize / 64).is_some_and(|w| w >> (b % 64) & 1 != 0)
    }
    fn set(&mut self, b: u32, on: bool) {
        let (w, bit) = (&mut self.0[b as usize / 64], 1 << (b % 64));
        *w = if on { *w | bit } else { *w & !bit };
    }
    /// The first block of that kind from `from` on, below `end`.
    fn find(&self, from: u32, end: u32, set: bool) -> Option<u32> {
        let mut b = from;
        while b < end {
            let w = self.0[b as usize / 64];
            let w = (if set { w } else { !w }) >> (b % 64);
            if w != 0 {
                return Some(b + w.trailing_zeros()).filter(|&b| b < end);
            }
            b = (b / 64 + 1).checked_mul(64)?;
        }
        None
    }
}

pub struct Space {
    /// Of no use for something new.
    used: Bits,
    /// Those of them that were taken since the last commit.
    fresh: Bits,
    /// Where the fresh ones are, and more.
    fresh_runs: Vec<(u32, u32)>,
    released: Vec<(u32, u32)>,
    used_blocks: u64,
    /// Blocks that the disk may have, and those it is known to have.
    pub limit: u32,
    pub there: u32,
    /// No free block is below this one.
    lowest: u32,
    /// Where the last ones were taken: the next come behind.
    cursor: u32,
}

impl Space {
    /// A disk on which nothing is. ENOMEM.
    pub fn new(limit: u32) -> SysResult<Space> {
        let mut s = Space {
            used: Bits::default(),
            fresh: Bits::default(),
            fresh_runs: Vec::new(),
            released: Vec::new(),
            used_blocks: FIRST as u64,
            limit,
            there: 0,
            lowest: FIRST,
            cursor: FIRST,
        };
        s.extend(FIRST)?;
        (0..FIRST).for_each(|b| s.used.set(b, true));
        Ok(s)
    }

    /// The disk has so many blocks. ENOMEM.
    pub fn extend(&mut self, there: u32) -> SysResult<()> {
        let words = (there as usize).div_ceil(64);
        for bits in [&mut self.used, &mut self.fresh] {
            let more = words.saturating_sub(bits.0.len());
            bits.0.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
        }
        for bits in [&mut self.used, &mut self.fresh] {
            bits.0.resize(words.max(bits.0.len()), 0);
        }
        self.there = self.there.max(there);
        Ok(())
    }

    /// The disk was cut there; nothing behind was used.
    pub fn cut(&mut self, there: u32) {
        self.there = there.min(self.there);
        self.cursor = FIRST;
    }

    /// One behind the last block in use.
    pub fn end(&self) -> u32 {
        let last = self.used.0.iter().rposition(|&w| w != 0).unwrap_or(0);
        last as u32 * 64 + 64 - self.used.0[last].leading_zeros()
    }

    /// Blocks that are free, those that the disk would have to grow for among them.
    pub fn free(&self) -> u64 {
        (self.limit as u64).saturating_sub(self.used_blocks)
    }
    /// Free ones that the disk has.
    pub fn at_hand(&self) -> u64 {
        (self.there as u64).saturating_sub(self.used_blocks)
    }

    /// At mount: something refers to these blocks. EIO when something else does, too, or they can't be.
    pub fn claim(&mut self, start: u32, len: u32) -> SysResult<()> {
        let end = start.checked_add(len).filter(|&e| e <= self.limit && start >= FIRST).ok_or(Errno::EIO)?;
        self.extend(end)?;
        if self.used.find(start, end, true).is_some() {
            return Err(Errno::EIO);
        }
        (start..end).for_each(|b| self.used.set(b, true));
        self.used_blocks += len as u64;
        Ok(())
    }

    /// Takes up to `want` blocks that stand together. ENOSPC when the disk must grow first.
    pub fn take(&mut self, want: u32) -> SysResult<(u32, u32)> {
        let behind = self.used.find(self.cursor.max(self.lowest), self.there, false);
        let start = match behind {
            Some(b) => b,
            None => self.used.find(self.lowest, self.there, false).ok_or(Errno::ENOSPC)?,
        };
        let limit = start.saturating_add(want).min(self.there);
        let end = self.used.find(start, limit, true).unwrap_or(limit);
        self.took(start, end)?;
        Ok((start, end - start))
    }

    /// Takes the `want` blocks that stand together first. None when there are no such.
    pub fn take_run(&mut self, want: u32) -> SysResult<Option<(u32, u32)>> {
        let mut from = self.lowest;
        while let Some(start) = self.used.find(from, self.there, false) {
            let Some(end) = start.checked_add(want).filter(|&e| e <= self.there) else { break };
            match self.used.find(start, end, true) {
                Some(taken) => from = taken,
                None => {
                    self.took(start, end)?;
                    return Ok(Some((start, want)));
                }
            }
        }
        Ok(None)
    }

    fn took(&mut self, start: u32, end: u32) -> SysResult<()> {
        match self.fresh_runs.last_mut() {
            Some(last) if last.0 + last.1 == start => last.1 += end - start,
            _ => {
                self.fresh_runs.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                self.fresh_runs.push((start, end - start));
            }
        }
        for b in start..end {
            self.used.set(b, true);
            self.fresh.set(b, true);
        }
        self.used_blocks += (end - start) as u64;
        if start == self.lowest {
            self.lowest = end;
        }
        self.cursor = end;
        Ok(())
    }

    /// A commit makes some free.
    pub fn reclaimable(&self) -> bool {
        !self.released.is_empty()
    }

    pub fn is_fresh(&self, block: u32) -> bool {
        self.fresh.get(block)
    }

    /// Nothing will refer to these blocks any more.
    pub fn release(&mut self, start: u32, len: u32) {
        let end = start + len;
        let mut b = start;
        while b < end {
            let fresh = self.fresh.get(b);
            let to = self.fresh.find(b, end, !fresh).unwrap_or(end);
            // Without memory for the list they are lost until the next mount.
            if fresh {
                self.free_run(b, to - b);
            } else if self.released.try_reserve(1).is_ok() {
                self.released.push((b, to - b));
            }
            b = to;
        }
    }

    fn free_run(&mut self, start: u32, len: u32) {
        for b in start..start + len {
            self.used.set(b, false);
            self.fresh.set(b, false);
        }
        self.used_blocks -= len as u64;
        self.lowest = self.lowest.min(start);
    }

    /// A state may be durable that refers to the fresh blocks: they are fresh no longer.
    pub fn settle(&mut self) {
        for (start, len) in core::mem::take(&mut self.fresh_runs) {
            (start..start + len).for_each(|b| self.fresh.set(b, false));
        }
    }

    /// A state is durable that doesn't refer to the released ones.
    pub fn committed(&mut self) {
        self.settle();
        for (start, len) in core::mem::take(&mut self.released) {
            self.free_run(start, len);
        }
        // Compact: what was freed low is used first.
        if self.lowest < self.cursor / 2 {
            self.cursor = self.lowest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_is_free_only_after_the_next_commit() {
        let mut s = Space::new(100).unwrap();
        assert_eq!(s.take(1), Err(Errno::ENOSPC));
        s.extend(40).unwrap();
        assert_eq!((s.free(), s.at_hand()), (84, 24));
        assert_eq!(s.take(10), Ok((16, 10)));
        assert_eq!(s.take(100), Ok((26, 14)));
        s.release(20, 4);
        assert_eq!(s.take(100), Ok((20, 4)), "fresh ones are free at once");
        s.committed();
        s.release(20, 4);
        assert_eq!((s.take(1), s.at_hand()), (Err(Errno::ENOSPC), 0));
        s.committed();
        assert_eq!((s.take(100), s.end()), (Ok((20, 4)), 40));
    }

    #[test]
    fn runs_are_found_between_others() {
        let mut s = Space::new(1000).unwrap();
        s.extend(200).unwrap();
        s.claim(20, 5).unwrap();
        s.claim(30, 100).unwrap();
        assert_eq!(s.claim(129, 1), Err(Errno::EIO));
        assert_eq!(s.claim(0, 1), Err(Errno::EIO));
        assert_eq!(s.claim(999, 2), Err(Errno::EIO));
        assert_eq!(s.take_run(5), Ok(Some((25, 5))));
        assert_eq!(s.take_run(5), Ok(Some((130, 5))));
        assert_eq!(s.take_run(66), Ok(None));
        assert_eq!(s.take_run(65), Ok(Some((135, 65))));
    }
}
