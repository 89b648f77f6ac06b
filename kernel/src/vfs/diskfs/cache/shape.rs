//! What changes where a file has data and where it has none: cutting, and filling holes; and finding them.

use abi::SysResult;

use super::{BLOCK, BLOCKS, Chunk, Content, MIN_CAP, ZEROS, mask, runs, split};
use crate::kern::proc::Lwp;
use crate::uio::Uio;
use crate::vfs::diskfs::{Core, Diskfs};

impl Content {
    /// Forgets what lies at and behind `size`; the file had `old` bytes.
    pub fn cut(&mut self, size: u64, old: u64, core: &mut Core, fs: &Diskfs) -> SysResult<()> {
        let (nr, at) = split(size);
        if !at.is_multiple_of(BLOCK) && size < old {
            self.cut_block(nr, at, old, core, fs)?;
        }
        let keep = size.div_ceil(BLOCK as u64);
        self.changes.add(keep, u64::MAX)?;
        self.map.clear(keep, u64::MAX, |disk, n| core.space.release(disk, n))?;
        let beyond = if at == 0 { nr } else { nr + 1 };
        let mut gone = self.rest.split_off(&beyond.max(1));
        if beyond == 0 {
            gone.extend(self.first.take().map(|c| (0, c)));
        }
        let mut dirty = 0;
        for chunk in gone.values_mut() {
            dirty += chunk.forget(fs);
        }
        if at != 0
            && let Some(chunk) = self.chunk_mut(nr)
        {
            let kept = mask(0, at);
            dirty += (chunk.dirty & !kept).count_ones() as u64;
            (chunk.dirty, chunk.valid) = (chunk.dirty & kept, chunk.valid & kept);
            let had = chunk.buf.capacity();
            chunk.buf.truncate(at);
            chunk.buf.shrink_to(at.next_power_of_two().max(MIN_CAP));
            fs.pool.shrank(had - chunk.buf.capacity());
            chunk.pin(fs);
        }
        fs.pool.unreserve(dirty);
        self.dirty -= dirty;
        self.count_unplaced();
        Ok(())
    }

    /// The block in which a file is to end is here, and the disk will get what stays of it.
    fn cut_block(&mut self, nr: u64, at: usize, old: u64, core: &mut Core, fs: &Diskfs) -> SysResult<()> {
        let bit = mask(at, 1);
        let there = self.map.find(nr * BLOCKS + (at / BLOCK) as u64).is_some();
        let (valid, dirty) = self.chunk(nr).map_or((0, 0), |c| (c.valid, c.dirty));
        if dirty & bit != 0 || !there {
            return Ok(());
        }
        fs.reserve(core, 1)?;
        if valid & bit == 0
            && let Err(e) = self.load(nr, bit, old, fs)
        {
            fs.pool.unreserve(1);
            return Err(e);
        }
        if let Some(chunk) = self.chunk_mut(nr) {
            chunk.dirty |= bit;
            chunk.pin(fs);
        }
        self.dirty += 1;
        Ok(())
    }

    fn count_unplaced(&mut self) {
        let map = core::mem::take(&mut self.map);
        let hole = |nr: u64, b: u32| map.find(nr * BLOCKS + b as u64).is_none();
        let of = |(nr, c): (u64, &mut Chunk)| {
            runs(c.dirty).flat_map(|(b, n)| b..b + n).filter(|&b| hole(nr, b)).count() as u64
        };
        self.unplaced = if self.dirty == 0 { 0 } else { self.chunks_mut().map(of).sum() };
        self.map = map;
    }

    /// Fills holes of a range with zeros that have blocks. ENOSPC.
    pub fn allocate(
        &mut self,
        lp: &Lwp,
        (from, to): (u64, u64),
        size: u64,
        core: &mut Core,
        fs: &Diskfs,
    ) -> SysResult<()> {
        let mut at = from;
        while at < to {
            let hole = self.seek(at, true);
            let end = self.seek(hole, false).min(to);
            at = end.max(hole);
            let mut zero = hole;
            while zero < end {
                let n = (end - zero).min((BLOCK as u64) - zero % BLOCK as u64) as usize;
                self.write(&mut Uio::from_kernel(lp, &ZEROS[..n], zero), size, core, fs)?;
                zero += n as u64;
            }
        }
        Ok(())
    }

    /// Where data or a hole begins at or behind `offset`; data that there isn't begins at `u64::MAX`.
    pub fn seek(&self, offset: u64, hole: bool) -> u64 {
        let mut b = offset / BLOCK as u64;
        loop {
            let dirty = |b: u64| self.chunk(b / BLOCKS).is_some_and(|c| c.dirty >> (b % BLOCKS) & 1 != 0);
            let data = self.map.find(b).map(|f| f.1).or(dirty(b).then_some(1));
            match (data, hole) {
                (Some(n), true) => b += n as u64,
                (Some(_), false) | (None, true) => return offset.max(b.saturating_mul(BLOCK as u64)),
                (None, false) => match self.next_data(b) {
                    Some(next) => b = next,
                    None => return u64::MAX,
                },
            }
        }
    }

    /// The first block from `b` on, itself a hole, that isn't one.
    fn next_data(&self, b: u64) -> Option<u64> {
        let of = |(nr, c): (u64, &Chunk)| {
            let low = b.saturating_sub(nr * BLOCKS).min(BLOCKS) as u32;
            let bits = (c.dirty as u32) >> low << low;
            (bits != 0).then(|| nr * BLOCKS + bits.trailing_zeros() as u64)
        };
        let first = self.first.as_ref().and_then(|c| of((0, c)));
        let cached = first.or_else(|| self.rest.range(b / BLOCKS..).find_map(|(&nr, c)| of((nr, c))));
        [cached, self.map.next(b)].into_iter().flatten().min()
    }
}
