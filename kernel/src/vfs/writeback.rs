//! Who writes back what file systems keep in memory: lwps that would only sleep.
//!
//! A file system that has something to write says when that is due ([`Writeback::expect`]). An lwp
//! that goes to sleep sleeps no longer than until then, and writes it back in its own context; so no
//! thread of the kernel's is needed, and no interrupt that would have to sleep. Who never sleeps makes system
//! calls, and file systems look for themselves when they are changed.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

use abi::types::clock;
use abi::{Errno, SysResult};
use ksync::SpinLock;

use crate::kern::proc::Lwp;
use crate::locks;

/// A file system that writes later.
pub trait Delayed: Send + Sync {
    /// The disk it is on.
    fn unit(&self) -> u32;
    /// CLOCK_MONOTONIC; `u64::MAX` when there is nothing to write.
    fn due_ns(&self) -> u64;
    /// Writes what is due. May sleep.
    fn write_back(&self, lp: &Lwp);
}

pub struct Writeback {
    /// When the next write is due. Not later than any file system's own.
    due_ns: AtomicU64,
    list: SpinLock<Vec<Arc<dyn Delayed>>>,
}

impl Default for Writeback {
    fn default() -> Self {
        Writeback { due_ns: AtomicU64::new(u64::MAX), list: SpinLock::new(&locks::MOUNTS, Vec::new()) }
    }
}

impl Writeback {
    /// EBUSY for a disk that is in use, ENOMEM.
    pub fn add(&self, fs: Arc<dyn Delayed>) -> SysResult<()> {
        let mut list = self.list.lock();
        if list.iter().any(|f| f.unit() == fs.unit()) {
            return Err(Errno::EBUSY);
        }
        list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        list.push(fs);
        Ok(())
    }

    pub fn remove(&self, unit: u32) {
        let mut list = self.list.lock();
        let at = list.iter().position(|f| f.unit() == unit);
        let gone = at.map(|at| list.swap_remove(at));
        drop(list);
        drop(gone);
    }

    /// Something is to be written at that time.
    pub fn expect(&self, due_ns: u64) {
        self.due_ns.fetch_min(due_ns, SeqCst);
    }

    /// When an lwp that wants to sleep is needed.
    pub fn due_ns(&self) -> u64 {
        self.due_ns.load(SeqCst)
    }

    /// Writes what is due by now.
    pub fn run(&self, lp: &Lwp) {
        let now = lp.machine().clock(clock::MONOTONIC, 0);
        if now < self.due_ns() {
            return;
        }
        let list = self.list.lock().clone();
        // First forgotten, then asked for: who becomes due in between is not lost.
        self.due_ns.store(u64::MAX, SeqCst);
        for fs in &list {
            if fs.due_ns() <= now {
                fs.write_back(lp);
            }
            self.expect(fs.due_ns());
        }
    }
}
