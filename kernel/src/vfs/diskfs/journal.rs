//! The commit: all that was changed becomes durable, as one step.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use abi::{Errno, SysResult};

use super::cache::Content;
use super::format::{BATCH_HEADER, Batch, Record, Sink};
use super::node::{Body, Node};
use super::{Core, DELAY_NS, Diskfs, QUEUE_SPARE};
use crate::kern::proc::Lwp;

impl Diskfs {
    /// Makes durable what was changed until now. On ENOSPC and ENOMEM it is as if it had not been tried;
    /// after another error the file system is for reading only.
    pub(super) fn commit(&self, lp: &Lwp, core: &mut Core) -> SysResult<()> {
        self.reap(core);
        if self.now() >= core.wall.1 {
            core.wall.0 = u64::MAX;
        }
        // The change that this may be a part of goes on to need its places in the queue.
        let mut empty = Vec::new();
        empty.try_reserve(2 * QUEUE_SPARE).map_err(|_| Errno::ENOMEM)?;
        // From here on changes are due again; there are none but of access times.
        self.due_ns.store(u64::MAX, SeqCst);
        self.due_real_ns.store(i64::MAX, Relaxed);
        let queue = {
            let mut queue = self.queue.lock();
            self.queued.store(0, Relaxed);
            self.queue_room.store(empty.capacity(), Relaxed);
            core::mem::replace(&mut *queue, empty)
        };
        // What was dropped meanwhile has nothing to say.
        let nodes: Vec<Arc<Node>> = queue.iter().filter_map(|w| w.upgrade()).collect();
        if nodes.is_empty() && core.pending.len() == BATCH_HEADER && !core.out.unflushed && core.generation != 0 {
            return Ok(());
        }
        let done = self.commit_nodes(lp, core, &nodes);
        done.map_err(|e| {
            for node in &nodes {
                if !node.queued.swap(true, SeqCst) {
                    self.requeue(node);
                }
            }
            self.due_in(DELAY_NS);
            self.failed(core, e)
        })
    }

    fn requeue(&self, node: &Node) {
        let mut queue = self.queue.lock();
        if queue.try_reserve(2 * QUEUE_SPARE).is_ok() {
            queue.push(node.weak().clone());
            self.queued.store(queue.len(), Relaxed);
            self.queue_room.store(queue.capacity(), Relaxed);
        } else {
            node.queued.store(false, SeqCst);
        }
    }

    fn commit_nodes(&self, lp: &Lwp, core: &mut Core, nodes: &[Arc<Node>]) -> SysResult<()> {
        for node in nodes {
            node.queued.store(false, SeqCst);
            self.tell(lp, core, node)?;
        }
        core.out.finish(&self.dev)?;
        for node in nodes {
            if let Body::File(file) = &node.body {
                file.data.lock(lp).cleaned(self);
            }
        }
        let blocks = Batch::blocks(core.pending.len() - BATCH_HEADER);
        if core.generation == 0 || blocks > core.journal.1 - core.journal_used {
            return self.snapshot(lp, core);
        }
        core.out.flush(&self.dev)?;
        self.write_batch(core, blocks)
    }

    /// Writes a node's blocks, and says what is to be known of it.
    fn tell(&self, lp: &Lwp, core: &mut Core, node: &Node) -> SysResult<()> {
        let nameless = node.attr.nlink.load(Relaxed) == 0;
        let Body::File(file) = &node.body else {
            return if nameless { Ok(()) } else { core.say(&inode(node)) };
        };
        let mut data = file.data.lock(lp);
        data.write_back(core, self)?;
        if nameless {
            return Ok(());
        }
        core.say(&inode(node))?;
        say_map(&mut core.pending, node.ino, &data)?;
        data.changes.clear();
        Ok(())
    }

    fn write_batch(&self, core: &mut Core, blocks: u32) -> SysResult<()> {
        let bytes = core.pending.len() - BATCH_HEADER;
        let bytes = u32::try_from(bytes).map_err(|_| Errno::ENOMEM)?;
        let id = self.id.load(Relaxed);
        let batch = Batch { generation: core.generation, id, seq: core.seq, bytes };
        let (head, payload) = core.pending.split_at_mut(BATCH_HEADER);
        head.copy_from_slice(&batch.encode(payload));
        // It may be durable from the first byte on, whatever the disk answers.
        core.space.settle();
        let at = core.journal.0 + core.journal_used;
        core.out.put(&self.dev, at, blocks, &core.pending)?;
        core.out.finish(&self.dev)?;
        core.out.flush(&self.dev)?;
        core.space.committed();
        core.journal_used += blocks;
        core.seq += 1;
        core.journaled += bytes as u64;
        core.pending.truncate(BATCH_HEADER);
        core.pending.shrink_to(super::PENDING_MAX);
        Ok(())
    }
}

/// A node's attributes.
pub(super) fn inode(node: &Node) -> Record<'static> {
    let a = &node.attr;
    let size = if let Body::File(file) = &node.body { file.size.load(Relaxed) } else { 0 };
    Record::Inode {
        ino: node.ino,
        mode: a.mode.load(Relaxed),
        uid: a.uid.load(Relaxed),
        gid: a.gid.load(Relaxed),
        size,
        atime_ns: a.atime_ns.load(Relaxed),
        mtime_ns: a.mtime_ns.load(Relaxed),
        ctime_ns: a.ctime_ns.load(Relaxed),
    }
}

/// Where the parts of a file are whose places changed.
fn say_map(to: &mut dyn Sink, ino: u64, data: &Content) -> SysResult<()> {
    data.changes.iter().try_for_each(|(from, end)| say_range(to, ino, data, from, end))
}

/// Extents that are said at once.
const PIECE: usize = 64;

/// Where the blocks from `from` on up to `end` are, in as many records as it takes.
pub(super) fn say_range(to: &mut dyn Sink, ino: u64, data: &Content, from: u64, end: u64) -> SysResult<()> {
    let mut from = from;
    let mut bytes = [0; PIECE * super::EXTENT_SIZE];
    let mut n = 0;
    for e in data.map.range(from, end) {
        bytes[n..n + super::EXTENT_SIZE].copy_from_slice(&e.encode());
        n += super::EXTENT_SIZE;
        if n == bytes.len() {
            let upto = e.at + e.len as u64;
            Record::Map { ino, from, to: upto, extents: &bytes }.encode(to)?;
            (from, n) = (upto, 0);
        }
    }
    if from < end {
        Record::Map { ino, from, to: end, extents: &bytes[..n] }.encode(to)?;
    }
    Ok(())
}
