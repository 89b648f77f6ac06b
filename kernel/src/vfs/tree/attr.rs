//! The attributes of a file that is held in memory.
//!
//! Each is atomic, so that no reader takes a lock. Access times are kept as Linux's `relatime` does: a
//! read moves them only when the file was changed since the last time.

use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::Relaxed};

use abi::types::{Stat, mode};

use crate::vfs::vnode::{Create, Owner, SetAttr};

/// A store in effect. Atomic stores are dear under wasm, exchanges less so and loads not at all; and many changes have
/// one time.
#[inline]
fn put(to: &AtomicI64, ns: i64) {
    if to.load(Relaxed) != ns {
        to.swap(ns, Relaxed);
    }
}

pub struct Attrs {
    /// Type and permissions.
    pub mode: AtomicU32,
    pub uid: AtomicU32,
    pub gid: AtomicU32,
    pub nlink: AtomicU32,
    pub atime_ns: AtomicI64,
    pub mtime_ns: AtomicI64,
    pub ctime_ns: AtomicI64,
    pub birth_ns: i64,
    /// Changed since `atime` was last set: the next read sets it.
    atime_due: AtomicBool,
}

impl Attrs {
    /// Of a file that has its first name, or will have it.
    pub fn new(new: &Create<'_>, now: i64) -> Attrs {
        Attrs {
            mode: AtomicU32::new(new.mode),
            uid: AtomicU32::new(new.uid),
            gid: AtomicU32::new(new.gid),
            nlink: AtomicU32::new(if new.mode & mode::IFMT == mode::IFDIR { 2 } else { 1 }),
            atime_ns: AtomicI64::new(now),
            mtime_ns: AtomicI64::new(now),
            ctime_ns: AtomicI64::new(now),
            birth_ns: now,
            atime_due: AtomicBool::new(false),
        }
    }

    #[inline]
    pub fn owner(&self) -> Owner {
        Owner { mode: self.mode.load(Relaxed), uid: self.uid.load(Relaxed), gid: self.gid.load(Relaxed) }
    }

    /// Names under it or its content changed.
    #[inline]
    pub fn touch(&self, now: i64) {
        put(&self.mtime_ns, now);
        self.changed(now);
        if !self.atime_due.load(Relaxed) {
            self.atime_due.store(true, Relaxed);
        }
    }

    /// Its attributes or links changed.
    #[inline]
    pub fn changed(&self, now: i64) {
        put(&self.ctime_ns, now);
    }

    /// All of them, from elsewhere.
    pub fn set_times(&self, atime: i64, mtime: i64, ctime: i64) {
        for (to, ns) in [(&self.atime_ns, atime), (&self.mtime_ns, mtime), (&self.ctime_ns, ctime)] {
            to.store(ns, Relaxed);
        }
        self.atime_due.store(mtime > atime, Relaxed);
    }

    /// It was read. True when that has to be written down, with the time that `now` tells.
    #[inline]
    pub fn accessed(&self, now: impl FnOnce() -> i64) -> bool {
        if !self.atime_due.load(Relaxed) {
            return false;
        }
        self.atime_due.store(false, Relaxed);
        self.atime_ns.store(now(), Relaxed);
        true
    }

    /// What setattr(2)'s relatives change, but for the size.
    pub fn set(&self, set: &SetAttr, now: i64) {
        if let Some(bits) = set.mode {
            let kind = self.mode.load(Relaxed) & mode::IFMT;
            self.mode.store(kind | bits & mode::PERM, Relaxed);
        }
        for (to, from) in [(&self.uid, set.uid), (&self.gid, set.gid)] {
            if let Some(id) = from {
                to.store(id, Relaxed);
            }
        }
        if let Some(t) = set.atime_ns {
            self.atime_ns.store(t, Relaxed);
            self.atime_due.store(false, Relaxed);
        }
        if let Some(t) = set.mtime_ns {
            self.mtime_ns.store(t, Relaxed);
        }
        self.changed(now);
    }

    /// These, and nothing else.
    pub fn stat(&self) -> Stat {
        Stat {
            mode: self.mode.load(Relaxed),
            nlink: self.nlink.load(Relaxed),
            uid: self.uid.load(Relaxed),
            gid: self.gid.load(Relaxed),
            atime_ns: self.atime_ns.load(Relaxed),
            mtime_ns: self.mtime_ns.load(Relaxed),
            ctime_ns: self.ctime_ns.load(Relaxed),
            birth_ns: self.birth_ns,
            ..Stat::default()
        }
    }
}
