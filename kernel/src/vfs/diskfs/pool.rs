//! The memory that files' contents take, for all files of one file system: how much, and which files
//! have some.

use alloc::collections::VecDeque;
use alloc::sync::Weak;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use ksync::SpinLock;

use super::format::BLOCK;
use super::node::Node;
use crate::kern::proc::Lwp;
use crate::locks;

pub struct Pool {
    /// Bytes of chunks, and how many there should be at most.
    used: AtomicUsize,
    max: usize,
    /// Blocks that wait to be written, each with a claim to a block of the disk.
    dirty: AtomicU64,
    dirty_max: u64,
    /// Bytes of chunks that can't go, as they have such blocks.
    pinned: AtomicUsize,
    /// Files that have chunks; those that were dropped are still in it.
    files: SpinLock<VecDeque<Weak<Node>>>,
}

impl Pool {
    /// `memory` is the kernel's, in bytes.
    pub fn new(memory: u64) -> Pool {
        let max = (memory / 16).clamp(1 << 20, 64 << 20) as usize;
        Pool {
            used: AtomicUsize::new(0),
            max,
            dirty: AtomicU64::new(0),
            dirty_max: (max / 4 / BLOCK) as u64,
            pinned: AtomicUsize::new(0),
            files: SpinLock::new(&locks::TREE_NODE, VecDeque::new()),
        }
    }

    pub fn grew(&self, bytes: usize) {
        if bytes > 0 {
            self.used.fetch_add(bytes, Relaxed);
        }
    }
    pub fn shrank(&self, bytes: usize) {
        if bytes > 0 {
            self.used.fetch_sub(bytes, Relaxed);
        }
    }
    /// Something must go.
    #[inline]
    pub fn full(&self) -> bool {
        self.used.load(Relaxed) > self.max
    }
    /// Enough has gone.
    pub fn slim(&self) -> bool {
        self.used.load(Relaxed) <= self.max - self.max / 8
    }
    pub fn dirty(&self) -> u64 {
        self.dirty.load(Relaxed)
    }
    #[inline]
    pub fn too_dirty(&self) -> bool {
        self.dirty() > self.dirty_max || self.pinned.load(Relaxed) > self.max / 2
    }
    pub fn pin(&self, bytes: usize) {
        self.pinned.fetch_add(bytes, Relaxed);
    }
    pub fn unpin(&self, bytes: usize) {
        self.pinned.fetch_sub(bytes, Relaxed);
    }
    /// `Diskfs::reserve` has found that there is room.
    pub fn reserve(&self, blocks: u64) {
        self.dirty.fetch_add(blocks, Relaxed);
    }
    pub fn unreserve(&self, blocks: u64) {
        if blocks > 0 {
            self.dirty.fetch_sub(blocks, Relaxed);
        }
    }

    /// A file has chunks now. False when there is no memory for the list: it then keeps them until it
    /// is used again.
    pub fn enlist(&self, node: &Weak<Node>) -> bool {
        let mut files = self.files.lock();
        if files.len() == files.capacity() {
            // The dropped ones leave before the list grows.
            files.retain(|w| w.strong_count() > 0);
            let more = files.len().max(64);
            if files.try_reserve(more).is_err() {
                return false;
            }
        }
        files.push_back(node.clone());
        true
    }

    /// Makes memory free, if too much is in use. The caller holds no file's lock.
    pub fn shrink(&self, lp: &Lwp, all: bool) {
        // All of them twice: who was used gets a second chance.
        let mut turns = 2 * self.files.lock().len();
        while turns > 0 && (all || !self.slim()) {
            turns -= 1;
            let Some(weak) = self.files.lock().pop_front() else { break };
            let Some(node) = weak.upgrade() else { continue };
            if node.evict(lp) {
                // Its place in the list is free since a moment ago.
                self.enlist(&weak);
            }
        }
    }
}
