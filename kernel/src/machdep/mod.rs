//! The machine: all that the kernel asks of what it runs on, in one trait.
//!
//! Two machines exist: the wasm port (crate `arch-wasm`, which passes these on to the host as
//! hypercalls and to the uaccess module), and [`fake`], on which the native tests run.

mod direct;
#[cfg(any(test, feature = "fake"))]
pub mod fake;

pub use direct::{Direct, MachineRef};

use alloc::sync::Arc;
use core::sync::atomic::AtomicU32;

use abi::SysResult;
use abi::syscalls::UAddr;

use crate::kern::proc::Lwp;

/// How a `park` ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parked {
    Woken,
    /// The word was not the expected one.
    Changed,
    TimedOut,
}

/// What the kernel needs of a machine. Those that may block the calling lwp say so.
///
/// The host side of each is described in `abi::hypercall`.
pub trait Machine: Send + Sync {
    /// Copies from the memory of the calling lwp's process. EFAULT, with nothing or something copied.
    fn copyin(&self, src: UAddr, dst: &mut [u8]) -> SysResult<()>;
    /// Copies to the memory of the calling lwp's process. EFAULT, with nothing or something copied.
    fn copyout(&self, src: &[u8], dst: UAddr) -> SysResult<()>;
    /// The functions behind these and `clock`, for a machine that has them.
    fn direct(&self) -> Option<Direct> {
        None
    }

    /// Nanoseconds of an `abi::types::clock`; the CPU clocks of the lwp whose `md.id` is given.
    fn clock(&self, id: u32, lwp: u32) -> u64;
    fn random(&self, buf: &mut [u8]);

    /// Blocks while `*word == expected` until an unpark or the absolute monotonic time.
    fn park(&self, word: &AtomicU32, expected: u32, deadline_ns: u64) -> Parked;
    fn unpark(&self, word: &AtomicU32, n: u32) -> u32;

    /// Starts an lwp: the machine calls `Kernel::lwp_next` for it. EAGAIN, ENOMEM.
    fn lwp_create(&self, lp: &Arc<Lwp>) -> SysResult<()>;
    /// Acts on it if it is in user code: one of `abi::trapframe::kick`.
    fn lwp_kick(&self, lp: &Lwp, how: u32);

    /// Where the calling lwp was in its program when it last left that: how much of `buf` says so. ENOENT
    /// when its memory can't be reached.
    fn lwp_frames(&self, buf: &mut [u8]) -> SysResult<usize>;

    fn vmspace_create(&self, id: u32, image: u32, limit: u64) -> SysResult<()>;
    /// A copy of the calling lwp's, which is `from`.
    fn vmspace_fork(&self, id: u32, from: u32) -> SysResult<()>;
    fn vmspace_destroy(&self, id: u32) -> SysResult<()>;
    fn vmspace_ctl(&self, id: u32, cmd: u32, arg: u64) -> SysResult<u64>;

    fn image_begin(&self, size: u64) -> SysResult<u32>;
    fn image_write(&self, handle: u32, data: &[u8]) -> SysResult<()>;
    /// May block. ENOEXEC.
    fn image_commit(&self, handle: u32) -> SysResult<u32>;
    /// May block. ENOEXEC.
    fn image_blob(&self, blob: u32) -> SysResult<u32>;
    /// Why the last one failed, as text: its length.
    fn image_error(&self, buf: &mut [u8]) -> usize;
    fn image_close(&self, image: u32);

    /// May block. Short at the end of the blob.
    fn blob_read(&self, blob: u32, off: u64, buf: &mut [u8]) -> SysResult<usize>;
    /// May block. The length of the answer, which stands in `buf`.
    fn hostfs_rpc(&self, buf: &mut [u8], len: usize) -> SysResult<usize>;

    fn dev_read(&self, unit: u32, buf: &mut [u8]) -> SysResult<usize>;
    fn dev_write(&self, unit: u32, buf: &[u8]) -> SysResult<usize>;
    fn dev_ctl(&self, unit: u32, cmd: u32, buf: &mut [u8]) -> SysResult<u32>;

    /// May block. All of `buf`; zeros where nothing was ever written. ENXIO, EIO.
    fn disk_read(&self, unit: u32, offset: u64, buf: &mut [u8]) -> SysResult<()>;
    /// May block. All of `buf`, to stay after the next flush. ENXIO, EROFS, ENOSPC, EIO.
    fn disk_write(&self, unit: u32, offset: u64, buf: &[u8]) -> SysResult<()>;
    /// May block. ENXIO, EIO.
    fn disk_flush(&self, unit: u32) -> SysResult<()>;
    /// One of `abi::types::diskctl`.
    fn disk_ctl(&self, unit: u32, cmd: u32, arg: u64) -> SysResult<u64>;

    fn cons_write(&self, text: &[u8]);
    /// Bytes of kernel memory in use and in all.
    fn memory(&self) -> (u64, u64);
    /// Asked before something is made that lives on after the call: a process, an open file, an
    /// inode. ENOMEM when memory is so short that only calls that give some back may go on.
    fn admit(&self) -> SysResult<()> {
        Ok(())
    }
    /// From now on the kernel's memory ends here.
    fn limit_memory(&self, _bytes: u64) {}
    fn halt(&self, status: u32);
}
