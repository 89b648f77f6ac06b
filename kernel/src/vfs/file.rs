//! Open file descriptions (POSIX 3.258): what descriptors of one or more processes share.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use abi::types::o;
use abi::{Errno, SysResult};
use ksync::{SleepLock, SpinLock};

use crate::kern::lockf::Locks;
use crate::locks;
use crate::vfs::vnode::{VnodeRef, ioflag};

/// An open file. Dropping the last reference closes it.
pub struct File {
    pub vnode: VnodeRef,
    /// What the vnode answers to `quick`, `seekable` and `positioned`, which never changes.
    quick: bool,
    pub seekable: bool,
    pub positioned: bool,
    /// Access mode and status flags, `types::o`; only the `o::STATUS` bits change.
    flags: AtomicU32,
    /// Held over a whole transfer, so that two writers through one description do not overlap (POSIX 2.9.7).
    pub offset: SleepLock<u64>,
    /// Set once it has had a lock of its own: whom its end is told to.
    pub locks: SpinLock<Option<Arc<Locks>>>,
    /// WASI's rights: base and inheriting. All ones for files that no WASI call has restricted.
    pub rights: Rights,
}

/// WASI rights of a file; they only ever shrink.
pub struct Rights {
    pub base: AtomicU64,
    pub inheriting: AtomicU64,
}

impl File {
    /// `flags` are those of open(2).
    pub fn new(vnode: VnodeRef, flags: u32) -> File {
        let positioned = vnode.positioned();
        if writes(flags) {
            vnode.head().writer(true);
        }
        File {
            quick: vnode.quick(),
            seekable: positioned || vnode.seekable(),
            positioned,
            vnode,
            flags: AtomicU32::new(flags & (o::ACCMODE | o::STATUS | o::PATH)),
            offset: SleepLock::new(&locks::OFFSET, 0),
            locks: SpinLock::new(&locks::ADVISORY, None),
            rights: Rights { base: AtomicU64::new(u64::MAX), inheriting: AtomicU64::new(u64::MAX) },
        }
    }

    #[inline]
    pub fn flags(&self) -> u32 {
        self.flags.load(Ordering::Relaxed)
    }
    /// `F_SETFL`: changes the status flags.
    pub fn set_status(&self, status: u32) {
        let keep = self.flags() & !o::STATUS;
        self.flags.store(keep | status & o::STATUS, Ordering::Relaxed);
    }

    /// EBADF when it wasn't opened for reading.
    #[inline]
    pub fn check_readable(&self) -> SysResult<()> {
        let f = self.flags();
        if f & o::ACCMODE == o::WRONLY || f & o::PATH != 0 { Err(Errno::EBADF) } else { Ok(()) }
    }
    /// EBADF when it wasn't opened for writing.
    #[inline]
    pub fn check_writable(&self) -> SysResult<()> {
        let f = self.flags();
        if f & o::ACCMODE == o::RDONLY || f & o::PATH != 0 { Err(Errno::EBADF) } else { Ok(()) }
    }

    /// It may be read, or written, no flag asks for more than that, and its vnode may have it done quickly.
    #[inline]
    pub fn is_quick(&self, write: bool) -> bool {
        let other = if write { o::RDONLY } else { o::WRONLY };
        let f = self.flags();
        self.quick && f & (o::STATUS | o::PATH) == 0 && f & o::ACCMODE != other
    }

    /// What the vnode must know of the flags for a transfer.
    #[inline]
    pub fn ioflags(&self) -> u32 {
        let f = self.flags();
        (if f & o::APPEND != 0 { ioflag::APPEND } else { 0 })
            | (if f & o::NONBLOCK != 0 { ioflag::NONBLOCK } else { 0 })
            | (if f & o::SYNC != 0 { ioflag::SYNC } else { 0 })
    }
}

/// Neither changes while the file is open.
fn writes(flags: u32) -> bool {
    flags & o::PATH == 0 && flags & o::ACCMODE != o::RDONLY
}

impl Drop for File {
    fn drop(&mut self) {
        if let Some(locks) = self.locks.get_mut().take() {
            locks.file_gone(self.vnode.lock_key(), core::ptr::from_ref(self).addr());
        }
        if writes(self.flags()) {
            self.vnode.head().writer(false);
        }
        // O_PATH never opened it.
        if self.flags() & o::PATH == 0 {
            self.vnode.close(self.flags());
        }
    }
}
