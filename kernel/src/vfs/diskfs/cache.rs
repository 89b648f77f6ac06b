//! The content of a file: what of it is in memory, in chunks of up to 64 KiB, and where the rest is.
//!
//! A chunk's vector ends where its last byte that isn't zero may be. Of each of its blocks it knows
//! whether it is here (*valid*), and whether the disk has it so (or else it is *dirty*). The bytes of a block
//! that isn't valid are zero, and so are all behind the end of the file, here and on the disk; a block that is
//! neither here nor on the disk is a hole. Under the file's lock; what takes or gives blocks has the
//! file system's besides.

mod back;
mod shape;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use abi::{Errno, SysResult};

use super::extent::{Changes, Map};
use super::format::BLOCK;
use super::{Core, Diskfs};
use crate::uio::Uio;

/// Bytes and blocks of a full chunk.
pub const CHUNK: usize = 64 << 10;
const BLOCKS: u64 = (CHUNK / BLOCK) as u64;
/// The smallest allocation.
const MIN_CAP: usize = 64;

static ZEROS: [u8; BLOCK] = [0; BLOCK];

#[derive(Default)]
pub struct Chunk {
    buf: Vec<u8>,
    valid: u16,
    dirty: u16,
    /// Used since somebody last looked for what can go.
    hot: bool,
    /// What the pool counts of it as being unable to go.
    pinned: usize,
}

impl Chunk {
    /// After `dirty` or the vector changed.
    fn pin(&mut self, fs: &Diskfs) {
        let now = if self.dirty == 0 { 0 } else { self.buf.capacity() };
        if now > self.pinned {
            fs.pool.pin(now - self.pinned);
        } else if now < self.pinned {
            fs.pool.unpin(self.pinned - now);
        }
        self.pinned = now;
    }
    /// It goes, with all that is counted of it but its dirty blocks: their number.
    fn forget(&mut self, fs: &Diskfs) -> u64 {
        fs.pool.shrank(self.buf.capacity());
        fs.pool.unpin(core::mem::take(&mut self.pinned));
        core::mem::take(&mut self.dirty).count_ones() as u64
    }
}

#[derive(Default)]
pub struct Content {
    /// Most files have no more than this one.
    first: Option<Chunk>,
    rest: BTreeMap<u64, Chunk>,
    pub map: Map,
    /// What the journal doesn't know of `map`.
    pub changes: Changes,
    /// Dirty blocks, and those of them that stand in a hole of `map`.
    dirty: u64,
    unplaced: u64,
    /// Where a reader would go on that reads one piece after the other.
    next_read: u64,
    /// On the list of files that have chunks.
    pub listed: bool,
}

/// Chunk number and place in it.
#[inline]
fn split(offset: u64) -> (u64, usize) {
    (offset / CHUNK as u64, (offset % CHUNK as u64) as usize)
}

/// The blocks that a piece of a chunk touches.
#[inline]
fn mask(at: usize, n: usize) -> u16 {
    let (from, to) = (at / BLOCK, (at + n).div_ceil(BLOCK));
    (((1u32 << to) - 1) & !((1u32 << from) - 1)) as u16
}

/// Runs of bits, from the lowest on: first bit and length.
fn runs(mut bits: u16) -> impl Iterator<Item = (u32, u32)> {
    core::iter::from_fn(move || {
        let from = bits.trailing_zeros();
        if bits == 0 {
            return None;
        }
        let len = (bits >> from).trailing_ones();
        bits &= !((((1u32 << len) - 1) << from) as u16);
        Some((from, len))
    })
}

impl Content {
    #[inline]
    fn chunk(&self, nr: u64) -> Option<&Chunk> {
        if nr == 0 { self.first.as_ref() } else { self.rest.get(&nr) }
    }
    #[inline]
    fn chunk_mut(&mut self, nr: u64) -> Option<&mut Chunk> {
        if nr == 0 { self.first.as_mut() } else { self.rest.get_mut(&nr) }
    }
    fn chunks_mut(&mut self) -> impl Iterator<Item = (u64, &mut Chunk)> {
        self.first.iter_mut().map(|c| (0, c)).chain(self.rest.iter_mut().map(|(&nr, c)| (nr, c)))
    }

    /// Blocks that it takes or will take.
    pub fn blocks(&self) -> u64 {
        self.map.blocks() + self.unplaced
    }

    /// The chunk, there with room for `len` bytes. ENOMEM.
    fn make(&mut self, nr: u64, len: usize, fs: &Diskfs) -> SysResult<&mut Chunk> {
        if self.chunk(nr).is_none() {
            if nr == 0 {
                self.first = Some(Chunk::default());
            } else {
                self.rest.insert(nr, Chunk::default());
            }
        }
        let chunk = if nr == 0 { self.first.as_mut() } else { self.rest.get_mut(&nr) }.ok_or(Errno::EIO)?;
        let had = chunk.buf.capacity();
        if len > had {
            let want = len.next_power_of_two().max(MIN_CAP);
            chunk.buf.try_reserve_exact(want - chunk.buf.len()).map_err(|_| Errno::ENOMEM)?;
            fs.pool.grew(chunk.buf.capacity() - had);
        }
        Ok(chunk)
    }

    /// Brings blocks of a chunk in. EIO, ENOMEM.
    fn load(&mut self, nr: u64, want: u16, size: u64, fs: &Diskfs) -> SysResult<()> {
        let begin = nr * BLOCKS;
        let end = size.saturating_sub(nr * CHUNK as u64).min(CHUNK as u64) as usize;
        let missing = want & !self.chunk(nr).map_or(0, |c| c.valid);
        if missing == 0 {
            return Ok(());
        }
        for (from, len) in runs(missing) {
            let (mut at, to) = (begin + from as u64, begin + (from + len) as u64);
            while let Some(there) = self.map.next(at).filter(|&b| b < to) {
                let (disk, n) = self.map.find(there).ok_or(Errno::EIO)?;
                let n = (n as u64).min(to - there);
                let (low, high) = ((there - begin) as usize * BLOCK, (there + n - begin) as usize * BLOCK);
                let chunk = self.make(nr, high, fs)?;
                if chunk.buf.len() < high {
                    chunk.buf.resize(high, 0);
                }
                if let Err(e) = fs.dev.read(disk, &mut chunk.buf[low..high]) {
                    chunk.buf[low..high].fill(0);
                    return Err(e);
                }
                at = there + n;
            }
        }
        let chunk = self.make(nr, 0, fs)?;
        chunk.valid |= missing;
        chunk.hot = true;
        if chunk.buf.len() > end {
            // Zeros. Small files need not take a page.
            chunk.buf.truncate(end);
            let had = chunk.buf.capacity();
            if end <= BLOCK / 2 {
                chunk.buf.shrink_to(end.next_power_of_two().max(MIN_CAP));
            }
            fs.pool.shrank(had - chunk.buf.capacity());
        }
        Ok(())
    }

    /// Gives the asker what lies before `size`. False when it isn't done, and memory must be made free
    /// first; with `force`, once not before one more chunk was brought in.
    pub fn read(&mut self, uio: &mut Uio<'_>, size: u64, force: &mut bool, fs: &Diskfs) -> SysResult<bool> {
        let sequential = uio.offset == self.next_read;
        while uio.resid > 0 && uio.offset < size {
            let (nr, at) = split(uio.offset);
            let n = (CHUNK - at).min(uio.resid).min((size - uio.offset).min(CHUNK as u64) as usize);
            let want = mask(at, n);
            let valid = match self.chunk_mut(nr) {
                Some(c) => {
                    if !c.hot {
                        c.hot = true;
                    }
                    c.valid
                }
                None => 0,
            };
            if want & !valid == 0 {
                let have = self.chunk(nr).map_or(&[][..], |c| c.buf.get(at..c.buf.len().min(at + n)).unwrap_or(&[]));
                uio.copy_out(if have.is_empty() { &ZEROS[..n.min(BLOCK)] } else { have })?;
            } else if valid == 0 && self.map.next(nr * BLOCKS).is_none_or(|b| b >= (nr + 1) * BLOCKS) {
                // Nothing but a hole: not worth a chunk.
                uio.copy_out(&ZEROS[..n.min(BLOCK)])?;
            } else if fs.pool.full() && !core::mem::take(force) {
                return Ok(false);
            } else {
                // Who reads on gets the rest of the chunk along.
                let ahead = if sequential || at == 0 && n == CHUNK { mask(at, CHUNK - at) } else { want };
                self.load(nr, ahead, size, fs)?;
            }
        }
        if self.next_read != uio.offset {
            self.next_read = uio.offset;
        }
        Ok(true)
    }

    /// Takes what the asker has. On an error `uio.offset` says how far it came.
    pub fn write(&mut self, uio: &mut Uio<'_>, size: u64, core: &mut Core, fs: &Diskfs) -> SysResult<()> {
        while uio.resid > 0 {
            let (nr, at) = split(uio.offset);
            let n = (CHUNK - at).min(uio.resid);
            match self.write_chunk(uio, (nr, at, n), size, core, fs) {
                // The last blocks are filled one by one.
                Err(Errno::ENOSPC) if mask(at, n).count_ones() > 1 => {
                    let n = n.min(BLOCK - at % BLOCK);
                    self.write_chunk(uio, (nr, at, n), size, core, fs)?;
                }
                done => done?,
            }
            if fs.pool.too_dirty() {
                self.clean(core, fs)?;
            }
            if fs.pool.full() {
                self.evict(Some(nr), fs);
            }
        }
        Ok(())
    }

    fn write_chunk(
        &mut self,
        uio: &mut Uio<'_>,
        (nr, at, n): (u64, usize, usize),
        size: u64,
        core: &mut Core,
        fs: &Diskfs,
    ) -> SysResult<()> {
        let touched = mask(at, n);
        let begin = nr * CHUNK as u64;
        // What this very write has brought so far counts.
        let size = size.max(uio.offset);
        // Blocks of which something stays must be here.
        let head = if at.is_multiple_of(BLOCK) { 0 } else { mask(at, 1) };
        let stays = !(at + n).is_multiple_of(BLOCK) && begin + ((at + n) as u64) < size;
        let tail = if stays { mask(at + n - 1, 1) } else { 0 };
        self.load(nr, head | tail, size, fs)?;
        let (valid, dirty) = self.chunk(nr).map_or((0, 0), |c| (c.valid, c.dirty));
        let new = touched & !dirty;
        fs.reserve(core, new.count_ones() as u64)?;
        let from = uio.offset;
        let copied = self.make(nr, at + n, fs).and_then(|chunk| {
            if chunk.buf.len() < at + n {
                chunk.buf.resize(at + n, 0);
            }
            chunk.hot = true;
            uio.copy_in(&mut chunk.buf[at..at + n]).map(|_| ())
        });
        let done = (uio.offset - from) as usize;
        let mut wrote = if done == 0 { 0 } else { mask(at, done) };
        if copied.is_err() {
            wrote &= self.mend(nr, at + done, touched & !valid, wrote, size, fs);
        }
        let unplaced = runs(new & wrote).flat_map(|(b, n)| b..b + n);
        let unplaced = unplaced.filter(|&b| self.map.find(nr * BLOCKS + b as u64).is_none()).count();
        self.unplaced += unplaced as u64;
        self.dirty += (new & wrote).count_ones() as u64;
        fs.pool.unreserve((new & !wrote).count_ones() as u64);
        if let Some(chunk) = self.chunk_mut(nr) {
            chunk.valid |= wrote;
            chunk.dirty |= wrote;
            chunk.pin(fs);
        }
        copied
    }

    /// After a copy that ended early, at `end` of the chunk: of the blocks that were `missing` those that
    /// were not `wrote` are missing still, and one that was begun gets the rest of what the disk has. Answers
    /// the blocks that can stay.
    fn mend(&mut self, nr: u64, end: usize, missing: u16, wrote: u16, size: u64, fs: &Diskfs) -> u16 {
        let begun = if end.is_multiple_of(BLOCK) { 0 } else { mask(end, 1) & missing & wrote };
        let mut keep = !0;
        let mut old = Content { map: core::mem::take(&mut self.map), ..Content::default() };
        let loaded = if begun == 0 { Ok(()) } else { old.load(nr, begun, size, fs) };
        if let Some(chunk) = self.chunk_mut(nr) {
            for (b, n) in runs(missing & !wrote) {
                let (low, high) = (b as usize * BLOCK, (b + n) as usize * BLOCK);
                let high = high.min(chunk.buf.len());
                chunk.buf[low.min(high)..high].fill(0);
            }
            let stop = end.next_multiple_of(BLOCK).min(chunk.buf.len());
            if begun != 0 {
                let low = if loaded.is_ok() { end } else { end / BLOCK * BLOCK };
                chunk.buf[low.min(stop)..stop].fill(0);
                keep = if loaded.is_ok() { !0 } else { !begun };
                let rest = old.chunk(nr).and_then(|c| c.buf.get(end..stop.min(c.buf.len())));
                if let (true, Some(rest)) = (loaded.is_ok(), rest) {
                    chunk.buf[end..end + rest.len()].copy_from_slice(rest);
                }
            }
        }
        self.map = core::mem::take(&mut old.map);
        old.forget(fs);
        keep
    }

    /// Gives memory back, but for one chunk, until there is enough. True when chunks are left.
    pub fn evict(&mut self, keep: Option<u64>, fs: &Diskfs) -> bool {
        let can_go = |nr: u64, c: &mut Chunk| {
            if c.dirty != 0 || Some(nr) == keep || fs.pool.slim() {
                return false;
            }
            // A second chance for what is in use.
            let cold = keep.is_some() || !c.hot;
            c.hot = false;
            if cold {
                fs.pool.shrank(c.buf.capacity());
            }
            cold
        };
        self.rest.retain(|&nr, c| !can_go(nr, c));
        if self.first.as_mut().is_some_and(|c| can_go(0, c)) {
            self.first = None;
        }
        self.first.is_some() || !self.rest.is_empty()
    }

    pub fn has_chunks(&self) -> bool {
        self.first.is_some() || !self.rest.is_empty()
    }

    /// It ends: memory and room for it are given back, but not its blocks on the disk.
    pub fn forget(&mut self, fs: &Diskfs) {
        let dirty = self.chunks_mut().map(|(_, c)| c.forget(fs)).sum();
        fs.pool.unreserve(dirty);
        self.dirty = 0;
        (self.first, self.rest) = (None, BTreeMap::new());
    }
}
