//! The snapshot: all metadata, written anew into what is free, from which the next journal goes on.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::types::mode;
use abi::{Errno, SysResult};
use hashbrown::HashSet;

use super::dev::Chain;
use super::format::{BLOCK, Length, RUN_HEADER, Record, Sink, Super};
use super::journal::{inode, say_range};
use super::node::{Body, Node};
use super::{BATCH_HEADER, Core, Diskfs};
use crate::kern::proc::Lwp;
use crate::vfs::tree::names::Inode;

/// Blocks of the journal, when there is room for it: at least this, and as many as the snapshot has, so
/// that writing snapshots never costs more than writing batches.
const JOURNAL: u32 = 256;
/// Names taken from a directory at once.
const PIECE: usize = 64;

/// A name and what it names.
type Named = (Vec<u8>, Arc<Node>);

impl Diskfs {
    /// A commit by a new snapshot and an empty journal. All dirty blocks are with the disk.
    pub(super) fn snapshot(&self, lp: &Lwp, core: &mut Core) -> SysResult<()> {
        let mut length = Length(0);
        self.walk(lp, &mut length, (0, 0))?;
        let runs = self.take_runs(core, length.0)?;
        let journal = self.take_journal(core, length.0);
        let new = self.write_snapshot(lp, core, &runs, journal, length.0);
        let new = match new {
            Ok(new) => new,
            Err(e) => {
                runs.iter().chain([&journal]).for_each(|r| core.space.release(r.0, r.1));
                return Err(e);
            }
        };
        // From here on either state may be the durable one.
        core.space.settle();
        let slot = (new.generation & 1) * BLOCK as u64;
        self.dev.machine.disk_write(self.dev.unit, slot, &new.encode()).map_err(worse)?;
        self.dev.flush().map_err(worse)?;
        let old = core::mem::replace(&mut core.runs, runs);
        old.iter().chain([&core.journal]).for_each(|r| core.space.release(r.0, r.1));
        core.space.committed();
        (core.generation, core.journal, core.journal_used, core.seq) = (new.generation, journal, 0, 0);
        (core.snapshot_bytes, core.journaled) = (new.bytes, 0);
        core.pending.truncate(BATCH_HEADER);
        core.pending.shrink_to(super::PENDING_MAX);
        self.trim(core);
        Ok(())
    }

    fn write_snapshot(
        &self,
        lp: &Lwp,
        core: &mut Core,
        runs: &[(u32, u32)],
        journal: (u32, u32),
        bytes: u64,
    ) -> SysResult<Super> {
        let (generation, id) = (core.generation + 1, self.id.load(Relaxed));
        let mut chain = Chain::new(&self.dev, &mut core.out, runs, generation ^ id);
        self.walk(lp, &mut chain, journal)?;
        let hash = chain.finish()?;
        core.out.unflushed = true;
        core.out.flush(&self.dev)?;
        let (start, len) = *runs.first().ok_or(Errno::EIO)?;
        Ok(Super { generation, id, bytes, hash, start, len })
    }

    /// Blocks for so many bytes, together if that can be. ENOSPC.
    fn take_runs(&self, core: &mut Core, bytes: u64) -> SysResult<Vec<(u32, u32)>> {
        let blocks = u32::try_from((bytes + RUN_HEADER as u64).div_ceil(BLOCK as u64)).map_err(|_| Errno::ENOSPC)?;
        self.have(core, blocks as u64 + super::SLACK / 2)?;
        let mut runs = Vec::new();
        if let Some(run) = core.space.take_run(blocks)? {
            runs.push(run);
            return Ok(runs);
        }
        while Chain::capacity(&runs) < bytes {
            let missing = (bytes - Chain::capacity(&runs)).div_ceil((BLOCK - RUN_HEADER) as u64) as u32;
            let taken = core.space.take(missing).and_then(|run| {
                runs.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                runs.push(run);
                Ok(())
            });
            if let Err(e) = taken {
                runs.iter().for_each(|r| core.space.release(r.0, r.1));
                return Err(e);
            }
        }
        Ok(runs)
    }

    /// Blocks for the next journal; fewer or none when there is little room. Without a journal every commit
    /// is a snapshot.
    fn take_journal(&self, core: &mut Core, bytes: u64) -> (u32, u32) {
        let snapshot = (bytes / BLOCK as u64) as u32;
        let room = core.room(self.pool.dirty()) / 4;
        let mut want = JOURNAL.max(snapshot).min(core.space.limit / 16).min(room as u32);
        // The next snapshot must find its blocks as well.
        let _ = self.have(core, want as u64 + core.metadata(self.pool.dirty()));
        while want > 1 {
            if let Ok(Some(run)) = core.space.take_run(want) {
                return run;
            }
            want /= 2;
        }
        (0, 0)
    }

    /// Gives the end of the disk back to the host when much of it is free.
    fn trim(&self, core: &mut Core) {
        let (end, there) = (core.space.end(), core.space.there);
        let free = there - end.min(there);
        if free > there / 2 && free > 4 * JOURNAL {
            let to = end + (there - end) / 4;
            if self.dev.truncate(to).is_ok() {
                core.space.cut(to);
            }
        }
    }

    /// Tells all that is to be known: twice the same, as nobody changes anything meanwhile.
    fn walk(&self, lp: &Lwp, to: &mut dyn Sink, (start, len): (u32, u32)) -> SysResult<()> {
        Record::Head { start, len }.encode(to)?;
        let root = self.mount.upgrade().ok_or(Errno::EIO)?.root()?;
        let root = super::node::node_of(&root).and_then(|n| n.weak().upgrade()).ok_or(Errno::EIO)?;
        let mut dirs = Vec::new();
        dirs.push(root);
        let mut linked = HashSet::new();
        while let Some(dir) = dirs.pop() {
            let mut cookie = 0;
            loop {
                let names = names(&dir, &mut cookie)?;
                if names.is_empty() {
                    break;
                }
                for (name, node) in names {
                    tell(lp, to, &dir, &name, &node, &mut linked)?;
                    if node.is_dir() {
                        dirs.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                        dirs.push(node);
                    }
                }
            }
            // Behind its names, which change its times when they are made again.
            inode(&dir).encode(to)?;
        }
        Ok(())
    }
}

#[cfg(test)]
impl Diskfs {
    /// Blocks that files with names have.
    pub(super) fn mapped(&self, lp: &Lwp) -> SysResult<u64> {
        struct Count(u64);
        impl Sink for Count {
            fn put(&mut self, _: &[u8]) -> SysResult<()> {
                Ok(())
            }
            fn blocks(&mut self, n: u64) {
                self.0 += n;
            }
        }
        let mut count = Count(0);
        self.walk(lp, &mut count, (0, 0))?;
        Ok(count.0)
    }
}

/// A superblock's fate is unknown after any error.
fn worse(_: Errno) -> Errno {
    Errno::EIO
}

/// The next names of a directory, and what they name. ENOMEM.
fn names(dir: &Node, cookie: &mut u64) -> SysResult<Vec<Named>> {
    let mut out = Vec::new();
    out.try_reserve(PIECE).map_err(|_| Errno::ENOMEM)?;
    let entries = dir.entries()?.lock();
    for e in entries.after(*cookie).take(PIECE) {
        *cookie = e.cookie;
        out.extend(e.node.clone().map(|node| (e.name().to_vec(), node)));
    }
    Ok(out)
}

fn tell(lp: &Lwp, to: &mut dyn Sink, dir: &Node, name: &[u8], node: &Node, linked: &mut HashSet<u64>) -> SysResult<()> {
    let a = &node.attr;
    let (dir, ino, bits) = (dir.ino, node.ino, a.mode.load(Relaxed));
    if bits & mode::IFMT != mode::IFDIR && a.nlink.load(Relaxed) > 1 {
        linked.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        if !linked.insert(ino) {
            return Record::Link { dir, ino, name }.encode(to);
        }
    }
    let (rdev, target) = match &node.body {
        Body::Special(s) => (s.rdev(), s.target()),
        _ => (0, &[][..]),
    };
    let (uid, gid) = (a.uid.load(Relaxed), a.gid.load(Relaxed));
    Record::Make { dir, ino, mode: bits, uid, gid, rdev, birth_ns: a.birth_ns, name, target }.encode(to)?;
    match &node.body {
        Body::Dir(_) => return Ok(()),
        Body::File(file) => {
            let data = file.data.lock(lp);
            #[cfg(test)]
            to.blocks(data.map.blocks());
            if data.map.blocks() > 0 {
                say_range(to, ino, &data, 0, u64::MAX)?;
            }
        }
        Body::Special(_) => {}
    }
    inode(node).encode(to)
}
