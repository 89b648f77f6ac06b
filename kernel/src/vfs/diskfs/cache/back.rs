//! Dirty blocks on their way to the disk.

use abi::SysResult;

use super::{BLOCK, BLOCKS, Content, runs};
use crate::vfs::diskfs::extent::{Changes, Map};
use crate::vfs::diskfs::format::Extent;
use crate::vfs::diskfs::{Core, Diskfs};

impl Content {
    /// Gives every dirty block a place that no committed state refers to, and puts it there. It stays
    /// dirty until [`Content::cleaned`].
    pub fn write_back(&mut self, core: &mut Core, fs: &Diskfs) -> SysResult<()> {
        if self.dirty == 0 {
            return Ok(());
        }
        let Content { first, rest, map, changes, unplaced, .. } = self;
        let chunks = first.iter().map(|c| (0, c)).chain(rest.iter().map(|(&nr, c)| (nr, c)));
        for (nr, chunk) in chunks.filter(|(_, c)| c.dirty != 0) {
            for (from, len) in runs(chunk.dirty) {
                let (mut at, end) = (nr * BLOCKS + from as u64, nr * BLOCKS + (from + len) as u64);
                while at < end {
                    let want = (end - at) as u32;
                    let (disk, n) = match map.find(at) {
                        Some((disk, n)) if core.space.is_fresh(disk) => {
                            let n = n.min(want);
                            (disk, (1..n).find(|i| !core.space.is_fresh(disk + i)).unwrap_or(n))
                        }
                        _ => place(map, changes, at, want, core)?,
                    };
                    let low = (at - nr * BLOCKS) as usize * BLOCK;
                    let high = (low + n as usize * BLOCK).min(chunk.buf.len());
                    core.out.put(&fs.dev, disk, n, chunk.buf.get(low..high).unwrap_or(&[]))?;
                    at += n as u64;
                }
            }
        }
        *unplaced = 0;
        Ok(())
    }

    /// What was dirty is with the disk now.
    pub fn cleaned(&mut self, fs: &Diskfs) {
        if self.dirty > 0 {
            for (_, chunk) in self.chunks_mut().filter(|(_, c)| c.dirty != 0) {
                chunk.dirty = 0;
                chunk.pin(fs);
            }
            fs.pool.unreserve(core::mem::take(&mut self.dirty));
        }
    }

    /// Writes this file's dirty blocks, so that their memory can be used.
    pub(super) fn clean(&mut self, core: &mut Core, fs: &Diskfs) -> SysResult<()> {
        let done = self.write_back(core, fs).and_then(|()| core.out.finish(&fs.dev));
        done.map_err(|e| fs.failed(core, e))?;
        self.cleaned(fs);
        Ok(())
    }
}

/// A fresh place for blocks from `at` on, for as many as it takes at once.
fn place(map: &mut Map, changes: &mut Changes, at: u64, want: u32, core: &mut Core) -> SysResult<(u32, u32)> {
    // Up to the next one that has a fresh place already.
    let stop =
        map.range(at, at + want as u64).find(|e| core.space.is_fresh(e.disk)).map_or(want, |e| (e.at - at) as u32);
    let (disk, n) = core.space.take(stop.max(1))?;
    let set = changes
        .add(at, at + n as u64)
        .and_then(|()| map.clear(at, at + n as u64, |disk, n| core.space.release(disk, n)))
        .and_then(|()| map.set(Extent { at, disk, len: n }));
    if let Err(e) = set {
        core.space.release(disk, n);
        return Err(e);
    }
    Ok((disk, n))
}
