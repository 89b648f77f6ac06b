//! The kernel's locks: the only unsafe code under `kernel`, so that the kernel itself has none.
//!
//! * [`SpinLock`]: held for a few instructions, never across a sleep.
//! * [`SleepLock`]: may be held over a sleep; a contender parks.
//!
//! Every lock belongs to a [`Class`] with a rank. Ranks rise from the root of the lock tree to its
//! leaves: who holds a lock may only take locks of higher rank. With the feature `sim` (native
//! tests) a witness checks this at each acquisition and panics with both names, and each
//! acquisition is a scheduling point of the simulator.
#![no_std]

#[cfg(feature = "sim")]
extern crate std;

#[cfg(feature = "sim")]
pub mod sim;
mod sleep;
mod spin;

pub use sleep::{Park, SleepGuard, SleepLock};
pub use spin::{SpinGuard, SpinLock};

/// A kind of lock: its name and its place in the lock tree.
#[derive(Debug)]
pub struct Class {
    pub name: &'static str,
    /// Locks are taken in rising rank. Two locks of one class may be held only when the class says so.
    pub rank: u32,
    /// Several of the class may be held at once; their order is the holder's business (by address).
    pub nests: bool,
}

impl Class {
    pub const fn new(name: &'static str, rank: u32) -> Class {
        Class { name, rank, nests: false }
    }
    pub const fn nesting(name: &'static str, rank: u32) -> Class {
        Class { name, rank, nests: true }
    }
}

/// What the locks tell the simulator; nothing at all without it.
mod hooks {
    #[cfg(feature = "sim")]
    pub(crate) use crate::sim::{acquired, acquiring, contended, released, trying};

    #[cfg(not(feature = "sim"))]
    #[inline(always)]
    pub fn acquiring(_: &'static crate::Class) {}
    #[cfg(not(feature = "sim"))]
    #[inline(always)]
    pub fn acquired(_: &'static crate::Class, _sleeps: bool) {}
    #[cfg(not(feature = "sim"))]
    #[inline(always)]
    pub fn trying() {}
    #[cfg(not(feature = "sim"))]
    #[inline(always)]
    pub fn released(_: &'static crate::Class) {}
    #[cfg(not(feature = "sim"))]
    #[inline(always)]
    pub fn contended() {
        core::hint::spin_loop();
    }
}
