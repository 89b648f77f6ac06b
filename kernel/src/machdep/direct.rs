//! The kernel's reference to its machine.
//!
//! Nearly every system call moves some bytes of user memory or asks for the time. A call through
//! the trait is an indirect call to a function of the port's, which then calls another indirectly;
//! so a machine may offer the innermost functions themselves, [`Direct`]. A [`MachineRef`] uses
//! them where there are any, and is the machine in everything else.
//!
//! It also has the time of files. Reading a clock is dearer than writing some bytes to a file, so files
//! get the time that was read last, as they do under Linux: [`MachineRef::file_time`].

use alloc::sync::Arc;
use core::ops::Deref;
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed};

use abi::SysResult;
use abi::syscalls::UAddr;
use abi::types::clock;

use super::{Machine, Parked};
use crate::uio::{Count, Iovec};

/// What a machine can do by plain functions. Moves answer 0 or an error number.
///
/// Kernel pointers come from slices of this length; the functions touch nothing else there.
#[derive(Clone, Copy)]
pub struct Direct {
    /// To the kernel, from the user.
    pub copyin: extern "C" fn(*mut u8, u32, usize) -> u32,
    /// To the user, from the kernel.
    pub copyout: extern "C" fn(u32, *const u8, usize) -> u32,
    pub put32: extern "C" fn(u32, u32) -> u32,
    pub put64: extern "C" fn(u32, u64) -> u32,
    /// To the user: list, source, most, count. A length, or 0 where nothing was moved.
    pub give: extern "C" fn(u32, *const u8, usize, u32) -> u32,
    /// To the kernel: destination, list, most, count.
    pub take: extern "C" fn(*mut u8, u32, usize, u32) -> u32,
    pub clock: extern "C" fn(u32, u32) -> u64,
}

/// See the module.
#[derive(Clone)]
pub struct MachineRef {
    direct: Option<Direct>,
    machine: Arc<dyn Machine>,
    time: Arc<Time>,
}

/// So many files get a time until the clock is read again, even if nothing tells of its passing.
const LOOK_AFTER: i32 = 256;
/// A clock that goes back further than that was set.
const SET_BACK_NS: u64 = 1_000_000_000;

/// The time that was read last.
#[derive(Default)]
struct Time {
    /// CLOCK_REALTIME. Nobody was told a later one.
    real_ns: AtomicU64,
    /// How often it may still be used. None, or fewer: it is old.
    uses: AtomicI32,
}

impl MachineRef {
    pub fn new(machine: Arc<dyn Machine>) -> MachineRef {
        MachineRef { direct: machine.direct(), machine, time: Arc::default() }
    }

    /// CLOCK_REALTIME for the times of files: never before a time that anybody has read, and no older than
    /// the last tick, or the last sleep in a call.
    #[inline]
    pub fn file_time(&self) -> i64 {
        if self.time.uses.load(Relaxed) <= 0 {
            return self.look();
        }
        self.time.uses.fetch_sub(1, Relaxed);
        self.time.real_ns.load(Relaxed) as i64
    }

    #[cold]
    #[inline(never)]
    fn look(&self) -> i64 {
        let now = self.clock(clock::REALTIME, 0);
        let mut known = self.time.real_ns.load(Relaxed);
        if known > now.saturating_add(SET_BACK_NS) {
            self.time.real_ns.store(now, Relaxed);
            known = now;
        }
        self.time.uses.swap(LOOK_AFTER, Relaxed);
        known as i64
    }

    /// Time may have passed: a tick, or somebody has slept.
    pub fn time_passes(&self) {
        self.time.uses.swap(0, Relaxed);
    }

    /// After a call that may block.
    fn after<T>(&self, answer: T) -> T {
        self.time_passes();
        answer
    }

    /// As [`Machine::park`], and so on.
    #[inline]
    pub fn park(&self, word: &AtomicU32, expected: u32, deadline_ns: u64) -> Parked {
        self.after(self.machine.park(word, expected, deadline_ns))
    }
    pub fn image_commit(&self, handle: u32) -> SysResult<u32> {
        self.after(self.machine.image_commit(handle))
    }
    pub fn image_blob(&self, blob: u32) -> SysResult<u32> {
        self.after(self.machine.image_blob(blob))
    }
    pub fn blob_read(&self, blob: u32, off: u64, buf: &mut [u8]) -> SysResult<usize> {
        self.after(self.machine.blob_read(blob, off, buf))
    }
    pub fn hostfs_rpc(&self, buf: &mut [u8], len: usize) -> SysResult<usize> {
        self.after(self.machine.hostfs_rpc(buf, len))
    }
    pub fn disk_read(&self, unit: u32, offset: u64, buf: &mut [u8]) -> SysResult<()> {
        self.after(self.machine.disk_read(unit, offset, buf))
    }
    pub fn disk_write(&self, unit: u32, offset: u64, buf: &[u8]) -> SysResult<()> {
        self.after(self.machine.disk_write(unit, offset, buf))
    }
    pub fn disk_flush(&self, unit: u32) -> SysResult<()> {
        self.after(self.machine.disk_flush(unit))
    }

    /// As [`Machine::copyin`], and so on.
    #[inline(always)]
    pub fn copyin(&self, src: UAddr, dst: &mut [u8]) -> SysResult<()> {
        match &self.direct {
            Some(d) => moved((d.copyin)(dst.as_mut_ptr(), src.0, dst.len())),
            None => self.machine.copyin(src, dst),
        }
    }
    #[inline(always)]
    pub fn copyout(&self, src: &[u8], dst: UAddr) -> SysResult<()> {
        match &self.direct {
            Some(d) => moved((d.copyout)(dst.0, src.as_ptr(), src.len())),
            None => self.machine.copyout(src, dst),
        }
    }
    /// Stores one little-endian word.
    #[inline(always)]
    pub fn put32(&self, dst: UAddr, v: u32) -> SysResult<()> {
        match &self.direct {
            Some(d) => moved((d.put32)(dst.0, v)),
            None => self.machine.copyout(&v.to_le_bytes(), dst),
        }
    }
    #[inline(always)]
    pub fn put64(&self, dst: UAddr, v: u64) -> SysResult<()> {
        match &self.direct {
            Some(d) => moved((d.put64)(dst.0, v)),
            None => self.machine.copyout(&v.to_le_bytes(), dst),
        }
    }
    /// Fills the one piece of user memory that `list` names from the beginning of `src`, and stores its length at `count`. None
    /// where that isn't all of it: the piece is empty, or longer than `src`, or one of the three is no memory of the
    /// program's. Then nothing has changed but perhaps the piece.
    #[inline(always)]
    pub fn give(&self, src: &[u8], list: UAddr, count: UAddr) -> Option<Count> {
        match &self.direct {
            Some(d) => Count::new((d.give)(list.0, src.as_ptr(), src.len(), count.0) as usize),
            None => self.listed(list, src.len(), count, |at, n| self.copyout(&src[..n], at)),
        }
    }
    /// The same the other way: to the beginning of `dst`, which may have changed where the answer is None.
    #[inline(always)]
    pub fn take(&self, dst: &mut [u8], list: UAddr, count: UAddr) -> Option<Count> {
        match &self.direct {
            Some(d) => Count::new((d.take)(dst.as_mut_ptr(), list.0, dst.len(), count.0) as usize),
            None => self.listed(list, dst.len(), count, |at, n| self.copyin(at, &mut dst[..n])),
        }
    }
    /// [`MachineRef::give`] and [`MachineRef::take`] of simpler parts.
    fn listed(
        &self,
        list: UAddr,
        most: usize,
        count: UAddr,
        copy: impl FnOnce(UAddr, usize) -> SysResult<()>,
    ) -> Option<Count> {
        let piece = self.iovec(list).ok().filter(|piece| piece.len <= most)?;
        let n = Count::new(piece.len)?;
        copy(piece.base, piece.len).ok()?;
        self.put32(count, piece.len as u32).ok()?;
        Some(n)
    }
    /// The first piece of a list: a pointer and a length.
    #[inline(always)]
    pub fn iovec(&self, list: UAddr) -> SysResult<Iovec> {
        let mut raw = [0; 8];
        self.copyin(list, &mut raw)?;
        Ok(Iovec::decode(&raw))
    }
    #[inline(always)]
    pub fn clock(&self, id: u32, lwp: u32) -> u64 {
        let ns = match &self.direct {
            Some(d) => (d.clock)(id, lwp),
            None => self.machine.clock(id, lwp),
        };
        if id == clock::REALTIME {
            self.time.real_ns.fetch_max(ns, Relaxed);
        }
        ns
    }
}

/// Of an answer; a move can fail in one way only.
#[inline(always)]
fn moved(answer: u32) -> SysResult<()> {
    if answer == 0 { Ok(()) } else { Err(abi::Errno::EFAULT) }
}

impl Deref for MachineRef {
    type Target = dyn Machine;
    #[inline]
    fn deref(&self) -> &(dyn Machine + 'static) {
        &*self.machine
    }
}
