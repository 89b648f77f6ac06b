//! A lock whose contenders sleep: a futex with three states.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering};

use crate::{Class, hooks};

/// How a thread of control sleeps; the kernel's lwps do.
pub trait Park {
    /// Sleeps while `*word == expected`, until an `unpark` of the word. May wake for no reason.
    fn park(&self, word: &AtomicU32, expected: u32);
    /// Wakes one sleeper on the word.
    fn unpark(&self, word: &AtomicU32);
}

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody may sleep.
const CONTENDED: u32 = 2;

/// Mutual exclusion that may last over a sleep. Not interruptible by signals.
pub struct SleepLock<T> {
    word: AtomicU32,
    class: &'static Class,
    data: UnsafeCell<T>,
}

// SAFETY: the data is reached only through a guard, and `word` admits one guard at a time.
unsafe impl<T: Send> Sync for SleepLock<T> {}
// SAFETY: as above; moving the lock moves the data.
unsafe impl<T: Send> Send for SleepLock<T> {}

impl<T> SleepLock<T> {
    pub const fn new(class: &'static Class, data: T) -> Self {
        SleepLock { word: AtomicU32::new(FREE), class, data: UnsafeCell::new(data) }
    }

    #[inline]
    pub fn lock<'a, P: Park + ?Sized>(&'a self, lp: &'a P) -> SleepGuard<'a, T, P> {
        hooks::acquiring(self.class);
        if self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.lock_slow(lp);
        }
        hooks::acquired(self.class, true);
        SleepGuard { lock: self, lp }
    }

    /// None where somebody has it. For who must not sleep; as nobody waits here, any lock may be held.
    #[inline]
    pub fn try_lock<'a, P: Park + ?Sized>(&'a self, lp: &'a P) -> Option<SleepGuard<'a, T, P>> {
        hooks::trying();
        self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).ok()?;
        hooks::acquired(self.class, true);
        Some(SleepGuard { lock: self, lp })
    }

    #[cold]
    fn lock_slow<P: Park + ?Sized>(&self, lp: &P) {
        while self.word.swap(CONTENDED, Ordering::Acquire) != FREE {
            lp.park(&self.word, CONTENDED);
        }
    }

    /// The data, by the only reference to the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }
}

/// The data of a held [`SleepLock`].
pub struct SleepGuard<'a, T, P: Park + ?Sized> {
    lock: &'a SleepLock<T>,
    lp: &'a P,
}

impl<T, P: Park + ?Sized> Deref for SleepGuard<'_, T, P> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock, so no other reference to the data exists.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T, P: Park + ?Sized> DerefMut for SleepGuard<'_, T, P> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock, and is borrowed mutably itself.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T, P: Park + ?Sized> Drop for SleepGuard<'_, T, P> {
    #[inline]
    fn drop(&mut self) {
        if self.lock.word.swap(FREE, Ordering::SeqCst) == CONTENDED {
            self.lp.unpark(&self.lock.word);
        }
        hooks::released(self.lock.class);
    }
}
