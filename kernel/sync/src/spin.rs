//! A spin lock. Kernel code is never preempted, so the holder is running on another CPU and will
//! be done in a few instructions.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering};

use crate::{Class, hooks};

/// Mutual exclusion by spinning.
pub struct SpinLock<T> {
    word: AtomicU32,
    class: &'static Class,
    data: UnsafeCell<T>,
}

// SAFETY: the data is reached only through a guard, and `word` admits one guard at a time; so the
// lock may be shared and sent wherever its data may be sent.
unsafe impl<T: Send> Sync for SpinLock<T> {}
// SAFETY: as above; moving the lock moves the data.
unsafe impl<T: Send> Send for SpinLock<T> {}

impl<T> SpinLock<T> {
    pub const fn new(class: &'static Class, data: T) -> Self {
        SpinLock { word: AtomicU32::new(0), class, data: UnsafeCell::new(data) }
    }

    #[inline]
    pub fn lock(&self) -> SpinGuard<'_, T> {
        hooks::acquiring(self.class);
        while self.word.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            while self.word.load(Ordering::Relaxed) != 0 {
                hooks::contended();
            }
        }
        hooks::acquired(self.class, false);
        SpinGuard { lock: self }
    }

    /// The data, by the only reference to the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

/// The data of a held [`SpinLock`].
pub struct SpinGuard<'a, T> {
    lock: &'a SpinLock<T>,
}

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock, so no other reference to the data exists.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock, and is borrowed mutably itself.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T> Drop for SpinGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Sequentially consistent: who wakes sleepers looks for them after it let go of the state
        // they wait for, and must not look too early.
        // A store in effect. Wasm's atomics are all sequentially consistent, and for such a store some
        // engines emit a fence that costs seven exchanges.
        self.lock.word.swap(0, Ordering::SeqCst);
        hooks::released(self.lock.class);
    }
}
