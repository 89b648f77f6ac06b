//! diskfs: files on a disk of the machine, safe against a crash at any moment.
//!
//! All metadata is in memory, in the same directories as tmpfs's ([`tree`](super::tree)); contents are
//! cached ([`cache`]) and written to blocks that no committed state refers to. A *commit* ([`journal`])
//! writes all dirty blocks, flushes, writes one batch of records of what was changed, and flushes: after
//! a crash a mount ([`load`]) finds the state of exactly one commit, and not an earlier one than the last that
//! fsync(2) or sync(2) waited for. `format` says what stands on the disk, decision 8 why.
//!
//! Who changes something holds the file system's one lock, [`Core`], for the whole of the change; who
//! reads holds at most the lock of the file's content. Commits are made by fsync and sync, by whoever
//! changes something when the last commit is some seconds old or much has gathered, by an lwp that
//! is about to sleep when nobody does that ([`writeback`](super::writeback)), and at the end.

mod alloc;
mod cache;
mod dev;
mod extent;
mod fill;
mod format;
mod journal;
mod load;
mod node;
mod pool;
mod snapshot;
#[cfg(test)]
mod tests;

use ::alloc::sync::{Arc, Weak};
use ::alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};

use abi::types::clock;
use abi::{Errno, SysResult};
use ksync::{SleepGuard, SleepLock, SpinLock};

use crate::kern::proc::Lwp;
use crate::vfs::mount::Mount;
use crate::vfs::writeback::{Delayed, Writeback};
use alloc::Space;
use dev::{Dev, Out};
use format::{BATCH_HEADER, BLOCK, EXTENT_SIZE, Extent, RECORD_MAX, Record};
use node::Node;
use pool::Pool;

pub use load::mount;

/// What was changed is committed after so long, if not before.
const DELAY_NS: u64 = 3_000_000_000;
/// A host that had no room is asked again after so long.
const WALL_NS: i64 = 10_000_000_000;
/// Records that may gather, in bytes, and changed files.
const PENDING_MAX: usize = 256 << 10;
const QUEUE_MAX: usize = 4096;
/// Places in the queue that are kept for who changes something.
const QUEUE_SPARE: usize = 16;
/// Blocks that only metadata may take, besides those of the next snapshot.
const SLACK: u64 = 16;
/// Kernel memory that is left to the rest of the kernel: one part in so many of all.
const RESERVE_PART: u64 = 8;

/// One mounted disk.
pub struct Diskfs {
    dev: Dev,
    pool: Pool,
    /// Of the directories' hash, and what names this file system on its disk.
    seed: u32,
    id: AtomicU64,
    mount: Weak<Mount>,
    /// Taken before the directories by who changes more than one of them.
    tree: SpinLock<()>,
    next_ino: AtomicU64,
    /// Nodes there are, linked or only open.
    nodes: AtomicU64,
    /// Guards all changes. Sleeps: a commit takes a while.
    core: SleepLock<Core>,
    /// Nodes that the next commit has to look at.
    queue: SpinLock<Vec<Weak<Node>>>,
    /// How many, and how many have room: to be looked at without the lock.
    queued: AtomicUsize,
    queue_room: AtomicUsize,
    /// Blocks of files that are no more, and whether there are any.
    dropped: SpinLock<Vec<Vec<Extent>>>,
    any_dropped: AtomicBool,
    /// Being read from the disk: nothing is a change.
    loading: AtomicBool,
    /// When a commit is due, CLOCK_MONOTONIC and CLOCK_REALTIME; never, when nothing was changed.
    due_ns: AtomicU64,
    due_real_ns: AtomicI64,
    writeback: Arc<Writeback>,
}

/// What changes go through.
pub struct Core {
    space: Space,
    out: Out,
    /// Room for a batch's header, and the records since the last commit.
    pending: Vec<u8>,
    generation: u64,
    /// The journal: a run of blocks, those used, batches in it.
    journal: (u32, u32),
    journal_used: u32,
    seq: u64,
    /// The last snapshot: its runs and its length, and bytes that were journaled since.
    runs: Vec<(u32, u32)>,
    snapshot_bytes: u64,
    journaled: u64,
    /// The host had no room for more than so many blocks, and isn't asked again before that time.
    wall: (u64, i64),
    /// Nothing can be changed: after an error, or of a disk that is for reading.
    read_only: bool,
    /// It is being filled for the first time: no commits.
    filling: bool,
}

impl Core {
    fn new(space: Space) -> SysResult<Core> {
        let mut pending = Vec::new();
        pending.try_reserve(BLOCK).map_err(|_| Errno::ENOMEM)?;
        pending.resize(BATCH_HEADER, 0);
        Ok(Core {
            space,
            out: Out::default(),
            pending,
            generation: 0,
            journal: (0, 0),
            journal_used: 0,
            seq: 0,
            runs: Vec::new(),
            snapshot_bytes: 0,
            journaled: 0,
            wall: (u64::MAX, 0),
            read_only: false,
            filling: false,
        })
    }

    /// For the next commit. `begin` has made room.
    fn say(&mut self, record: &Record<'_>) -> SysResult<()> {
        record.encode(&mut self.pending)
    }

    /// Blocks that the next snapshot will take at most, with `dirty` blocks still to be placed.
    fn metadata(&self, dirty: u64) -> u64 {
        let bytes = self.snapshot_bytes + self.journaled + self.pending.len() as u64 + dirty * EXTENT_SIZE as u64;
        bytes / (BLOCK as u64 - 64) + SLACK
    }

    /// Blocks that are left for contents.
    fn room(&self, dirty: u64) -> u64 {
        let beyond = (self.space.limit as u64).saturating_sub(self.wall.0);
        self.space.free().saturating_sub(beyond + dirty + self.metadata(dirty))
    }
}

impl Diskfs {
    fn now(&self) -> i64 {
        self.dev.machine.file_time()
    }

    /// ENOSPC when the kernel's memory is so full that nothing more should be kept in it.
    fn check_memory(&self) -> SysResult<()> {
        let (used, all) = self.dev.machine.memory();
        if all != 0 && used > all - all / RESERVE_PART { Err(Errno::ENOSPC) } else { Ok(()) }
    }

    /// Claims a block of the disk for each of `blocks` blocks that become dirty. ENOSPC.
    fn reserve(&self, core: &mut Core, blocks: u64) -> SysResult<()> {
        if blocks == 0 {
            return Ok(());
        }
        let dirty = self.pool.dirty();
        if core.room(dirty) < blocks {
            return Err(Errno::ENOSPC);
        }
        self.have(core, dirty + blocks + core.metadata(dirty + blocks))?;
        self.pool.reserve(blocks);
        Ok(())
    }

    /// Makes sure that the disk has so many free blocks. It is written to where it is to end, so that a
    /// host that has no room for it says so now. ENOSPC.
    fn have(&self, core: &mut Core, blocks: u64) -> SysResult<()> {
        let missing = blocks.saturating_sub(core.space.at_hand());
        if missing == 0 {
            return Ok(());
        }
        let (there, limit) = (core.space.there as u64, core.space.limit as u64);
        let least = there + missing;
        let limit = limit.min(core.wall.0);
        if least > limit {
            return Err(Errno::ENOSPC);
        }
        let ample = (least + (there / 16).clamp(64, 4096)).min(limit);
        let grow = |to: u64| self.dev.write(to as u32 - 1, &[0; BLOCK]).map(|()| to as u32);
        let to = match grow(ample) {
            Err(Errno::ENOSPC) if ample > least => grow(least),
            done => done,
        };
        core.out.unflushed = true;
        if to == Err(Errno::ENOSPC) {
            core.wall = (there, self.now().saturating_add(WALL_NS));
        }
        let to = to.map_err(|e| self.failed(core, e))?;
        core.space.extend(to)
    }

    /// Blocks there may be, and those that are left.
    fn room(&self, lp: &Lwp) -> (u64, u64) {
        let core = self.core.lock(lp);
        (core.space.limit as u64, core.room(self.pool.dirty()))
    }

    /// Begins a change that will say a record with `bytes` of strings; with any, one that needs room. EROFS,
    /// ENOMEM, ENOSPC.
    fn begin<'a>(&'a self, lp: &'a Lwp, bytes: usize) -> SysResult<SleepGuard<'a, Core, Lwp>> {
        let mut core = self.core.lock(lp);
        if core.read_only {
            return Err(Errno::EROFS);
        }
        self.reap(&mut core);
        core.pending.try_reserve(RECORD_MAX + bytes).map_err(|_| Errno::ENOMEM)?;
        if self.queued.load(Relaxed) + QUEUE_SPARE > self.queue_room.load(Relaxed) {
            self.queue_more()?;
        }
        if bytes > 0 {
            let room = |core: &mut Core| {
                let dirty = self.pool.dirty();
                if core.room(dirty) == 0 {
                    return Err(Errno::ENOSPC);
                }
                self.have(core, dirty + core.metadata(dirty) + 1)
            };
            self.with_room(lp, &mut core, room)?;
        }
        Ok(core)
    }

    /// Before so many blocks become dirty: commits if that makes room for them which there isn't.
    fn make_room(&self, lp: &Lwp, core: &mut Core, blocks: u64) {
        if core.room(self.pool.dirty()) < blocks && core.space.reclaimable() && !core.filling {
            // Who finds no room nevertheless says so.
            let _ = self.commit(lp, core);
        }
    }

    /// Does something that may find no room; then once more, after a commit has made free what can be.
    fn with_room<T>(&self, lp: &Lwp, core: &mut Core, mut f: impl FnMut(&mut Core) -> SysResult<T>) -> SysResult<T> {
        match f(core) {
            Err(Errno::ENOSPC) if core.space.reclaimable() && !core.filling => {
                self.commit(lp, core)?;
                f(core)
            }
            done => done,
        }
    }

    /// Ends a change: looks whether it is time for a commit, and whether memory must be made free.
    fn end(&self, lp: &Lwp, core: &mut Core, now: i64) {
        self.expect();
        let much = core.pending.len() > PENDING_MAX || self.pool.too_dirty();
        let many = self.queued.load(Relaxed) > QUEUE_MAX;
        if (much || many || now >= self.due_real_ns.load(Relaxed)) && !core.filling {
            // The change is made; who wants to know that it is durable asks.
            let _ = self.commit(lp, core);
        }
        if self.pool.full() {
            self.pool.shrink(lp, false);
        }
    }

    /// A change, under the lock. See `begin`.
    fn change<T>(&self, lp: &Lwp, bytes: usize, f: impl FnOnce(&mut Core) -> SysResult<T>) -> SysResult<T> {
        let mut core = self.begin(lp, bytes)?;
        let done = f(&mut core);
        if done.is_ok() {
            self.end(lp, &mut core, self.now());
        }
        done
    }

    /// A change that makes room, and so is possible without.
    fn shrink<T>(&self, lp: &Lwp, bytes: usize, f: impl FnOnce(&mut Core) -> SysResult<T>) -> SysResult<T> {
        self.change(lp, 0, |core| {
            core.pending.try_reserve(RECORD_MAX + bytes).map_err(|_| Errno::ENOMEM)?;
            f(core)
        })
    }

    /// Something was changed: there will be a commit.
    fn expect(&self) {
        if self.due_ns.load(Relaxed) == u64::MAX {
            self.due_in(DELAY_NS);
        }
    }

    fn due_in(&self, ns: u64) {
        let due = self.dev.machine.clock(clock::MONOTONIC, 0).saturating_add(ns);
        self.due_real_ns.store(self.now().saturating_add(ns as i64), Relaxed);
        self.due_ns.store(due, SeqCst);
        self.writeback.expect(due);
    }

    /// A node that the next commit must look at. By who has begun a change.
    fn note(&self, node: &Node) {
        if self.loading.load(Relaxed) || node.queued.swap(true, SeqCst) {
            return;
        }
        let mut queue = self.queue.lock();
        // `begin` has made room; without it a crash may lose times of access.
        if queue.len() < queue.capacity() {
            queue.push(node.weak().clone());
            self.queued.store(queue.len(), Relaxed);
        } else {
            node.queued.store(false, SeqCst);
        }
    }

    /// Likewise, when only its time of access changed: by anybody.
    fn note_read(&self, node: &Node) {
        if node.queued.load(Relaxed) {
            return;
        }
        if self.queue_more().is_ok() {
            self.note(node);
            self.expect();
        }
    }

    /// Room for some more nodes. ENOMEM.
    fn queue_more(&self) -> SysResult<()> {
        let mut queue = self.queue.lock();
        queue.try_reserve(2 * QUEUE_SPARE).map_err(|_| Errno::ENOMEM)?;
        self.queue_room.store(queue.capacity(), Relaxed);
        Ok(())
    }

    /// A file is no more, and was without names: its blocks.
    fn dropped(&self, extents: Vec<Extent>) {
        if extents.is_empty() || self.loading.load(Relaxed) {
            return;
        }
        let mut dropped = self.dropped.lock();
        // Without memory for the list they are lost until the next mount.
        if dropped.try_reserve(1).is_ok() {
            dropped.push(extents);
            self.any_dropped.store(true, SeqCst);
        }
    }

    /// Gives back the blocks of files that are no more.
    fn reap(&self, core: &mut Core) {
        if !self.any_dropped.load(Relaxed) {
            return;
        }
        self.any_dropped.store(false, SeqCst);
        loop {
            let Some(extents) = self.dropped.lock().pop() else { return };
            extents.iter().for_each(|e| core.space.release(e.disk, e.len));
        }
    }

    /// An error of the disk: but for want of room nothing more is changed. Answers the error.
    fn failed(&self, core: &mut Core, e: Errno) -> Errno {
        if !matches!(e, Errno::ENOSPC | Errno::ENOMEM) && !core.read_only {
            core.read_only = true;
            let path = self.mount.upgrade().map(|m| {
                m.fail();
                m.path()
            });
            let path = path.unwrap_or_default();
            let text = ::alloc::format!(
                "{}: disk {}: {}; nothing more is written, and what was not synced is lost\n",
                ::alloc::string::String::from_utf8_lossy(&path),
                self.dev.unit,
                e.text()
            );
            self.dev.machine.cons_write(text.as_bytes());
        }
        e
    }

    /// fsync(2), sync(2): all that was changed is durable.
    fn sync(&self, lp: &Lwp) -> SysResult<()> {
        let mut core = self.core.lock(lp);
        if core.read_only {
            let failed = self.mount.upgrade().is_none_or(|m| m.has_failed());
            return if failed { Err(Errno::EIO) } else { Ok(()) };
        }
        self.commit(lp, &mut core)
    }

    /// Before an unmount: files that are open can be read from then on, not written.
    fn detach(&self, lp: &Lwp) -> SysResult<()> {
        let mut core = self.core.lock(lp);
        if !core.read_only {
            self.commit(lp, &mut core)?;
            core.read_only = true;
            self.writeback.remove(self.dev.unit);
        }
        Ok(())
    }

    /// It wasn't unmounted after all.
    fn attach(self: &Arc<Self>, lp: &Lwp) -> SysResult<()> {
        let mount = self.mount.upgrade().ok_or(Errno::EIO)?;
        if !mount.readonly() {
            self.core.lock(lp).read_only = false;
            self.writeback.add(self.clone())?;
        }
        Ok(())
    }
}

impl Delayed for Diskfs {
    fn unit(&self) -> u32 {
        self.dev.unit
    }
    fn due_ns(&self) -> u64 {
        self.due_ns.load(SeqCst)
    }
    fn write_back(&self, lp: &Lwp) {
        let mut core = self.core.lock(lp);
        let now = self.dev.machine.clock(clock::MONOTONIC, 0);
        if self.due_ns.load(SeqCst) > now {
            return;
        }
        if core.read_only {
            self.due_ns.store(u64::MAX, SeqCst);
        } else if core.filling {
            self.due_in(DELAY_NS);
        } else {
            let _ = self.commit(lp, &mut core);
        }
    }
}
