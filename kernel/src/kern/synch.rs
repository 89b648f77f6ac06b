//! Sleeping and waking: wait queues, as BSD's `tsleep` and `wakeup`.
//!
//! An lwp has one [`Waiter`]. To wait for something it stands in the queues of all that may bring
//! it, looks once more, and parks; who brings it wakes the queue. `poll` stands in many at once.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use abi::{Errno, SysResult};
use ksync::SpinLock;

use crate::kern::proc::Lwp;
use crate::locks;
use crate::machdep::{MachineRef, Parked};

/// No deadline.
pub const FOREVER: u64 = u64::MAX;

/// What an lwp sleeps on: 0 asleep or about to be, 1 woken.
pub struct Waiter {
    word: AtomicU32,
    machine: MachineRef,
}

impl Waiter {
    pub fn new(machine: MachineRef) -> Arc<Waiter> {
        Arc::new(Waiter { word: AtomicU32::new(0), machine })
    }

    /// Forgets earlier wake-ups. Before standing in any queue.
    pub fn reset(&self) {
        // An exchange instead of a store, here and below: see the drop of `ksync::SpinGuard`.
        self.word.swap(0, Ordering::SeqCst);
    }

    /// Wakes the lwp, now or when it is about to sleep.
    pub fn wake(&self) {
        if self.word.swap(1, Ordering::SeqCst) == 0 {
            self.machine.unpark(&self.word, 1);
        }
    }
}

impl Lwp {
    /// Sleeps until its waiter is woken. EINTR when a signal is there, ETIMEDOUT at the deadline
    /// (absolute, monotonic). Writes back meanwhile what is due: no lock that file systems take may be held.
    pub fn sleep(&self, deadline_ns: u64) -> SysResult<()> {
        loop {
            if self.waiter.word.load(Ordering::SeqCst) != 0 {
                return Ok(());
            }
            if self.interrupted() {
                return Err(Errno::EINTR);
            }
            #[cfg(any(test, feature = "fake"))]
            ksync::sim::assert_may_sleep();
            let alarm_ns = self.proc.alarm_ns.load(Ordering::Relaxed);
            let due_ns = self.kernel.writeback.due_ns().min(alarm_ns);
            let timed_out = self.machine().park(&self.waiter.word, 0, deadline_ns.min(due_ns)) == Parked::TimedOut;
            if timed_out && deadline_ns <= due_ns {
                return Err(Errno::ETIMEDOUT);
            }
            if timed_out && due_ns == alarm_ns {
                crate::kern::itimer::expire(&self.kernel, &self.proc, None);
            } else if timed_out {
                self.kernel.writeback.run(self);
            }
        }
    }
}

impl ksync::Park for Lwp {
    fn park(&self, word: &AtomicU32, expected: u32) {
        self.machine().park(word, expected, FOREVER);
    }
    fn unpark(&self, word: &AtomicU32) {
        self.machine().unpark(word, 1);
    }
}

/// Lwps that wait for the same thing.
pub struct WaitQueue {
    /// How many stand in `list`, so that waking nobody costs one load.
    count: AtomicU32,
    list: SpinLock<Vec<Arc<Waiter>>>,
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl WaitQueue {
    pub const fn new() -> WaitQueue {
        WaitQueue { count: AtomicU32::new(0), list: SpinLock::new(&locks::WAITQ, Vec::new()) }
    }

    /// Puts a waiter at the end. It must look at what it waits for once more after this.
    pub fn enter(&self, w: &Arc<Waiter>) {
        self.push(&mut self.list.lock(), w);
    }

    /// As `enter`, for one who may come to the same queue any number of times. False when it
    /// was the last to enter: it stands there already. ENOMEM.
    pub fn try_enter(&self, w: &Arc<Waiter>) -> SysResult<bool> {
        let mut list = self.list.lock();
        if list.last().is_some_and(|last| Arc::ptr_eq(last, w)) {
            return Ok(false);
        }
        list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.push(&mut list, w);
        Ok(true)
    }

    fn push(&self, list: &mut Vec<Arc<Waiter>>, w: &Arc<Waiter>) {
        list.push(w.clone());
        self.count.swap(list.len() as u32, Ordering::SeqCst);
    }

    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.list.lock().len()
    }

    /// Takes a waiter out, if it is still there.
    pub fn leave(&self, w: &Arc<Waiter>) {
        // Who was woken is out already. A waiter comes out by its own hand or while the lock is held, so
        // a count of 0 is the truth about it.
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut list = self.list.lock();
        if let Some(at) = list.iter().position(|x| Arc::ptr_eq(x, w)) {
            list.remove(at);
        }
        self.count.swap(list.len() as u32, Ordering::SeqCst);
    }

    /// Sleeps until `cond` has an answer. EINTR and ETIMEDOUT as [`Lwp::sleep`], but an answer
    /// that is there by then wins.
    pub fn wait<T>(&self, lp: &Lwp, deadline_ns: u64, mut cond: impl FnMut() -> Option<T>) -> SysResult<T> {
        if let Some(v) = cond() {
            return Ok(v);
        }
        loop {
            lp.waiter.reset();
            self.enter(&lp.waiter);
            if let Some(v) = cond() {
                self.leave(&lp.waiter);
                return Ok(v);
            }
            let slept = lp.sleep(deadline_ns);
            self.leave(&lp.waiter);
            if let Some(v) = cond() {
                return Ok(v);
            }
            slept?;
        }
    }

    /// Wakes all. Each looks for itself whether what it waited for is there.
    pub fn wake_all(&self) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        // Not under the lock: waking is a system call of the host's where the sleeper is on another
        // CPU, and the first thing that a sleeper does is to take the lock.
        let mut woken = {
            let mut list = self.list.lock();
            self.count.swap(0, Ordering::SeqCst);
            core::mem::take(&mut *list)
        };
        for w in woken.drain(..) {
            w.wake();
        }
        // The storage goes back: no allocation on this path.
        let mut list = self.list.lock();
        if list.capacity() == 0 {
            *list = woken;
        }
    }
}
