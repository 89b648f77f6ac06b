//! Interior mutability for what belongs to one vkernel's task.
//!
//! A vkernel is one task: its lwps are polled one at a time by [`crate::vkernel`], and only code
//! below that poll (the run loop, hypercalls, epoch callbacks) holds references to the vkernel's
//! machine state. So nothing there needs a lock; what is needed is a way to say so, and a check.
//! Anything that other threads may touch (events from outside, foreign wakers, counters of memory)
//! is not in a `TaskCell` but in a mutex or an atomic.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// A value that only its vkernel's task touches, one borrow at a time.
pub(crate) struct TaskCell<T> {
    value: UnsafeCell<T>,
    /// A borrow is alive. Its use is to catch a nested borrow; it is not a lock.
    busy: AtomicBool,
}

// SAFETY: a `TaskCell` is reached through the `Machine` of a vkernel, which is held by the task's
// future and by the stores of its lwps, which the future owns. All of these are used from within
// `<Task as Future>::poll` (or while the task is set up or dropped, by its one owner), which takes
// `&mut self`, so that two threads never are in it at once; handing the task to another thread
// synchronises (the executor's business). Nothing else keeps a `Machine`: the handle given to the
// embedder holds an `External`, which has none. Nested borrows panic by `busy`.
unsafe impl<T: Send> Sync for TaskCell<T> {}

impl<T> TaskCell<T> {
    pub fn new(value: T) -> Self {
        TaskCell { value: UnsafeCell::new(value), busy: AtomicBool::new(false) }
    }

    /// Gives the value to `f`. Panics when called from within another `with` of the same cell.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        assert!(!self.busy.load(Ordering::Relaxed), "machine state borrowed twice");
        self.busy.store(true, Ordering::Relaxed);
        let _release = Release(&self.busy);
        // SAFETY: by the argument at `Sync` only one thread is here, and `busy` says that no
        // earlier borrow is alive on it.
        f(unsafe { &mut *self.value.get() })
    }
}

struct Release<'a>(&'a AtomicBool);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::TaskCell;

    #[test]
    fn a_nested_borrow_is_caught_and_a_panic_releases() {
        let cell = TaskCell::new(1);
        let nested = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cell.with(|_| cell.with(|v| *v += 1))));
        assert!(nested.is_err());
        assert_eq!(cell.with(|v| *v), 1);
    }
}
