//! The content of a tmpfs file: chunks of up to 64 KiB, and under them what is still with the host.
//!
//! A chunk's vector ends where the last byte was written; what lies behind it in the chunk is
//! zero, and so is a chunk that isn't there: a hole. No byte stands in a chunk behind the end of
//! the file. A file of the boot image begins with no chunk at all and a [`Blob`]; a chunk is
//! pulled in when it is read or changed.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use abi::{Errno, SysResult};

use crate::uio::Uio;

/// Bytes in a full chunk.
pub const CHUNK: usize = 64 << 10;
/// Space is counted in pages.
pub const PAGE: usize = 4096;
/// The smallest allocation.
const MIN_CAP: usize = 64;
/// Blobs up to this size are kept once they were read; larger ones are read from the host each time.
const KEEP: u64 = 4 << 20;

static ZEROS: [u8; PAGE] = [0; PAGE];

/// Who gives pages and takes them back: the file system, with its limit.
pub trait Budget {
    /// ENOSPC.
    fn take(&self, pages: u64) -> SysResult<()>;
    fn give(&self, pages: u64);
    /// Reads the boot image. May sleep.
    fn blob_read(&self, blob: u32, offset: u64, buf: &mut [u8]) -> SysResult<usize>;
}

/// Content that is still with the host.
#[derive(Clone, Copy, Debug)]
pub struct Blob {
    pub nr: u32,
    /// How much of it counts: truncation lowers it.
    pub size: u64,
}

#[derive(Default)]
pub struct Data {
    /// Most files have no more than this one.
    first: Option<Vec<u8>>,
    rest: BTreeMap<u64, Vec<u8>>,
    blob: Option<Blob>,
    /// Nothing here but copies of the blob, which are not counted: they could be dropped.
    clean: bool,
    /// Pages in use.
    pages: u64,
}

fn pages(bytes: usize) -> u64 {
    bytes.div_ceil(PAGE) as u64
}

/// Chunk number and place in it.
#[inline]
fn split(offset: u64) -> (u64, usize) {
    (offset / CHUNK as u64, (offset % CHUNK as u64) as usize)
}

impl Data {
    pub fn from_blob(blob: Blob) -> Data {
        Data { blob: Some(blob), clean: true, ..Data::default() }
    }

    #[inline]
    fn chunk(&self, nr: u64) -> Option<&Vec<u8>> {
        if nr == 0 { self.first.as_ref() } else { self.rest.get(&nr) }
    }
    #[inline]
    fn chunk_mut(&mut self, nr: u64) -> Option<&mut Vec<u8>> {
        if nr == 0 { self.first.as_mut() } else { self.rest.get_mut(&nr) }
    }

    /// How much of a chunk is with the host.
    fn in_blob(&self, nr: u64) -> usize {
        match self.blob {
            Some(b) => b.size.saturating_sub(nr * CHUNK as u64).min(CHUNK as u64) as usize,
            None => 0,
        }
    }

    /// Before the first change of a file of the boot image: its pages count from now on. If there
    /// is no room for them they are fetched again when they are needed.
    fn dirty(&mut self, budget: &dyn Budget) {
        if core::mem::take(&mut self.clean) && budget.take(self.pages()).is_err() {
            (self.first, self.rest, self.pages) = (None, BTreeMap::new(), 0);
        }
    }

    /// Makes room for `len` bytes in a chunk: with some to spare, or without. ENOSPC.
    fn reserve(chunk: &mut Vec<u8>, len: usize, clean: bool, budget: &dyn Budget) -> SysResult<()> {
        if len <= chunk.capacity() {
            return Ok(());
        }
        let exact = len.next_multiple_of(PAGE);
        match Self::resize(chunk, len.next_power_of_two().max(MIN_CAP), clean, budget) {
            Err(_) if exact < len.next_power_of_two() => Self::resize(chunk, exact, clean, budget),
            done => done,
        }
    }

    fn resize(chunk: &mut Vec<u8>, cap: usize, clean: bool, budget: &dyn Budget) -> SysResult<()> {
        let more = pages(cap) - pages(chunk.capacity());
        if !clean {
            budget.take(more)?;
        }
        if chunk.try_reserve_exact(cap - chunk.len()).is_err() {
            if !clean {
                budget.give(more);
            }
            return Err(Errno::ENOSPC);
        }
        Ok(())
    }

    /// The chunk, with room for `len` bytes and with what the host has of it.
    fn make(&mut self, nr: u64, len: usize, budget: &dyn Budget) -> SysResult<&mut Vec<u8>> {
        if self.chunk(nr).is_none() {
            let blob = self.in_blob(nr);
            let mut chunk = Vec::new();
            let clean = self.clean;
            Self::reserve(&mut chunk, len.max(blob), clean, budget)?;
            if let (Some(b), true) = (self.blob, blob > 0) {
                chunk.resize(blob, 0);
                if let Err(e) = pull(b.nr, nr * CHUNK as u64, &mut chunk, budget) {
                    if !clean {
                        budget.give(pages(chunk.capacity()));
                    }
                    return Err(e);
                }
            }
            self.pages += pages(chunk.capacity());
            if nr == 0 {
                self.first = Some(chunk);
            } else {
                self.rest.insert(nr, chunk);
            }
        }
        let clean = self.clean;
        let chunk = if nr == 0 { self.first.as_mut() } else { self.rest.get_mut(&nr) }.ok_or(Errno::EIO)?;
        if len > chunk.capacity() {
            let before = pages(chunk.capacity());
            Self::reserve(chunk, len, clean, budget)?;
            self.pages += pages(chunk.capacity()) - before;
        }
        Ok(chunk)
    }

    /// The bytes from `offset` on that stand in one chunk, at most so many.
    #[inline]
    pub fn in_place(&self, offset: u64, most: usize) -> Option<&[u8]> {
        let (nr, at) = split(offset);
        let bytes = self.chunk(nr)?.get(at..)?;
        bytes.get(..most).or(Some(bytes))
    }

    /// The same to be changed, if that takes no page.
    #[inline]
    pub fn in_place_mut(&mut self, offset: u64, most: usize) -> Option<&mut [u8]> {
        let (nr, at) = split(offset);
        if self.clean {
            return None;
        }
        let bytes = self.chunk_mut(nr)?.get_mut(at..)?;
        let n = bytes.len().min(most);
        bytes.get_mut(..n)
    }

    /// Gives the asker what lies before `size`.
    pub fn read(&mut self, uio: &mut Uio<'_>, size: u64, budget: &dyn Budget) -> SysResult<()> {
        while uio.resid > 0 && uio.offset < size {
            let (nr, at) = split(uio.offset);
            let n = (CHUNK - at).min(uio.resid).min((size - uio.offset).min(CHUNK as u64) as usize);
            if self.chunk(nr).is_none() && at < self.in_blob(nr) {
                self.read_blob(uio, nr, at, n, budget)?;
                continue;
            }
            let have = self.chunk(nr).map_or(&[][..], |c| c.get(at..c.len().min(at + n)).unwrap_or(&[]));
            if have.is_empty() {
                uio.copy_out(&ZEROS[..n.min(PAGE)])?;
            } else {
                uio.copy_out(have)?;
            }
        }
        Ok(())
    }

    /// A read of what is still with the host: keeps it if it is small and there is room.
    fn read_blob(&mut self, uio: &mut Uio<'_>, nr: u64, at: usize, n: usize, budget: &dyn Budget) -> SysResult<()> {
        let Some(blob) = self.blob else { return Err(Errno::EIO) };
        if blob.size <= KEEP && self.make(nr, 0, budget).is_ok() {
            return Ok(()); // the caller looks again
        }
        let n = n.min(self.in_blob(nr) - at);
        let mut small = [0; 1024];
        let mut large = Vec::new();
        let buf = if n > small.len() && large.try_reserve_exact(n).is_ok() {
            large.resize(n, 0);
            &mut large[..]
        } else {
            &mut small[..n.min(1024)]
        };
        pull(blob.nr, uio.offset, buf, budget)?;
        uio.copy_out(buf).map(|_| ())
    }

    /// Takes what the asker has. On an error `uio.offset` says how far it came; the caller then
    /// [cuts](Data::cut) at the end of the file.
    pub fn write(&mut self, uio: &mut Uio<'_>, budget: &dyn Budget) -> SysResult<()> {
        self.dirty(budget);
        while uio.resid > 0 {
            let (nr, at) = split(uio.offset);
            let mut n = (CHUNK - at).min(uio.resid);
            // The last pages of a file system are filled one by one.
            if self.make(nr, at + n, budget).is_err() {
                n = n.min(PAGE - at % PAGE);
            }
            let chunk = self.make(nr, at + n, budget)?;
            if chunk.len() < at + n {
                chunk.resize(at + n, 0);
            }
            uio.copy_in(&mut chunk[at..at + n])?;
        }
        Ok(())
    }

    /// Fills holes of a range with zeros that have storage. ENOSPC.
    pub fn allocate(&mut self, offset: u64, len: u64, budget: &dyn Budget) -> SysResult<()> {
        self.dirty(budget);
        let (mut at, end) = (offset, offset + len);
        while at < end {
            let (nr, low) = split(at);
            let n = (CHUNK - low).min((end - at).min(CHUNK as u64) as usize);
            let chunk = self.make(nr, low + n, budget)?;
            if chunk.len() < low + n {
                chunk.resize(low + n, 0);
            }
            at += n as u64;
        }
        Ok(())
    }

    /// Forgets what lies at and behind `size`.
    pub fn cut(&mut self, size: u64, budget: &dyn Budget) {
        self.dirty(budget);
        let (nr, at) = split(size);
        let beyond = if at == 0 { nr } else { nr + 1 };
        let mut freed = 0;
        if self.rest.last_key_value().is_some_and(|(&last, _)| last >= beyond) {
            freed += self.rest.split_off(&beyond).values().map(|c| pages(c.capacity())).sum::<u64>();
        }
        if size == 0
            && let Some(chunk) = self.first.take()
        {
            freed += pages(chunk.capacity());
        }
        if let Some(chunk) = self.chunk_mut(nr)
            && chunk.len() > at
        {
            chunk.truncate(at);
            let before = pages(chunk.capacity());
            chunk.shrink_to(at.next_power_of_two().max(MIN_CAP));
            freed += before - pages(chunk.capacity());
        }
        self.pages -= freed;
        budget.give(freed);
        if let Some(b) = &mut self.blob {
            b.size = b.size.min(size);
            if b.size == 0 {
                self.blob = None;
            }
        }
    }

    /// Gives all pages back, at the end of the file.
    pub fn release(&mut self, budget: &dyn Budget) {
        if !self.clean {
            budget.give(self.pages());
        }
    }

    /// Pages in use.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Where data (or a hole) begins at or after `offset`, for a file of `size` bytes.
    pub fn seek(&self, offset: u64, size: u64, hole: bool) -> SysResult<u64> {
        if offset >= size {
            return Err(Errno::ENXIO);
        }
        let mut at = offset;
        while at < size {
            let (nr, low) = split(at);
            let filled = self.chunk(nr).map_or(self.in_blob(nr), Vec::len);
            let in_hole = low >= filled;
            if in_hole == hole {
                return Ok(at);
            }
            at = if !in_hole {
                nr * CHUNK as u64 + filled as u64
            } else if self.blob.is_some_and(|b| (nr + 1) * (CHUNK as u64) < b.size) {
                (nr + 1) * CHUNK as u64
            } else {
                // Far over the hole of a sparse file in one step.
                self.rest.range(nr + 1..).next().map_or(size, |(&next, _)| next * CHUNK as u64)
            };
        }
        if hole { Ok(size) } else { Err(Errno::ENXIO) }
    }
}

/// Reads a piece of a blob; one that is shorter than its index said is an I/O error.
fn pull(blob: u32, offset: u64, buf: &mut [u8], budget: &dyn Budget) -> SysResult<()> {
    let mut done = 0;
    while done < buf.len() {
        match budget.blob_read(blob, offset + done as u64, &mut buf[done..])? {
            0 => return Err(Errno::EIO),
            n => done += n,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    /// A budget of so many pages; its only blob holds the low byte of each offset.
    struct Pages(Cell<u64>);
    impl Budget for Pages {
        fn take(&self, n: u64) -> SysResult<()> {
            let left = self.0.get().checked_sub(n).ok_or(Errno::ENOSPC)?;
            self.0.set(left);
            Ok(())
        }
        fn give(&self, n: u64) {
            self.0.set(self.0.get() + n);
        }
        fn blob_read(&self, _: u32, offset: u64, buf: &mut [u8]) -> SysResult<usize> {
            for (i, b) in buf.iter_mut().enumerate() {
                *b = (offset + i as u64) as u8;
            }
            Ok(buf.len())
        }
    }

    fn budget() -> Pages {
        Pages(Cell::new(1000))
    }

    /// Fills without a `Uio`, as a write would.
    fn fill(d: &mut Data, offset: u64, len: usize, v: u8, b: &Pages) {
        for i in 0..len as u64 {
            let (nr, at) = split(offset + i);
            let c = d.make(nr, at + 1, b).unwrap();
            if c.len() <= at {
                c.resize(at + 1, 0);
            }
            c[at] = v;
        }
    }

    #[test]
    fn holes_cost_nothing_and_are_found() {
        let (mut d, b) = (Data::default(), budget());
        fill(&mut d, 1 << 40, 10, 7, &b);
        assert_eq!(d.pages(), 1);
        let size = (1 << 40) + 10;
        assert_eq!(d.seek(0, size, true), Ok(0));
        assert_eq!(d.seek(0, size, false), Ok(1 << 40));
        assert_eq!(d.seek(1 << 40, size, true), Ok(size));
        assert_eq!(d.seek(size, size, false), Err(Errno::ENXIO));
        d.cut(0, &b);
        assert_eq!(b.0.get(), 1000);
    }

    #[test]
    fn far_behind_a_blob_there_is_one_hole() {
        let (mut d, b) = (Data::from_blob(Blob { nr: 2, size: 100_000 }), budget());
        let size = 1 << 62;
        assert_eq!(d.seek(0, size, true), Ok(100_000));
        // A step for each chunk would take years.
        assert_eq!(d.seek(100_000, size, false), Err(Errno::ENXIO));
        fill(&mut d, 1 << 61, 1, 7, &b);
        assert_eq!(d.seek(100_000, size, false), Ok(1 << 61));
    }

    #[test]
    fn a_cut_leaves_nothing_behind_the_end() {
        let (mut d, b) = (Data::default(), budget());
        fill(&mut d, 0, 3 * CHUNK, 9, &b);
        d.cut(CHUNK as u64 + 5, &b);
        assert!(d.chunk(2).is_none());
        assert_eq!(d.chunk(1).unwrap().len(), 5);
        assert_eq!(b.0.get() + d.pages(), 1000);
        d.cut(CHUNK as u64, &b);
        assert!(d.chunk(1).is_none());
        assert_eq!(d.chunk(0).unwrap().len(), CHUNK);
        d.cut(1, &b);
        assert_eq!(d.chunk(0).unwrap().len(), 1);
        d.cut(0, &b);
        assert_eq!(b.0.get(), 1000);
    }

    #[test]
    fn a_full_budget_says_so_and_recovers() {
        let (mut d, b) = (Data::default(), Pages(Cell::new(2)));
        assert!(d.make(0, 2 * PAGE, &b).is_ok());
        assert_eq!(d.make(1, 1, &b).err(), Some(Errno::ENOSPC));
        d.cut(0, &b);
        assert_eq!(b.0.get(), 2);
    }

    #[test]
    fn a_blob_shows_through_until_it_is_cut() {
        let b = budget();
        let mut d = Data::from_blob(Blob { nr: 2, size: 100_000 });
        assert_eq!(d.seek(0, 100_000, true), Ok(100_000));
        assert_eq!(d.make(1, 1, &b).unwrap()[3], (CHUNK + 3) as u8);
        assert_eq!(b.0.get(), 1000);
        d.cut(10, &b);
        assert_eq!(b.0.get() + d.pages(), 1000);
        assert_eq!(d.make(0, 20, &b).unwrap().len(), 10);
        assert_eq!(d.in_blob(1), 0);
    }
}
