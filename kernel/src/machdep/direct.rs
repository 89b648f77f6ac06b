//! The kernel's reference to its machine.
//!
//! Nearly every system call moves some bytes of user memory or asks for the time. A call through
//! the trait is an indirect call to a function of the port's, which then calls another indirectly;
//! so a machine may offer the innermost functions themselves, [`Direct`]. A [`MachineRef`] uses
//! them where there are any, and is the machine in everything else.

use alloc::sync::Arc;
use core::ops::Deref;

use abi::SysResult;
use abi::syscalls::UAddr;

use super::Machine;

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
    pub clock: extern "C" fn(u32, u32) -> u64,
}

/// See the module.
#[derive(Clone)]
pub struct MachineRef {
    direct: Option<Direct>,
    machine: Arc<dyn Machine>,
}

impl MachineRef {
    pub fn new(machine: Arc<dyn Machine>) -> MachineRef {
        MachineRef { direct: machine.direct(), machine }
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
    #[inline(always)]
    pub fn clock(&self, id: u32, lwp: u32) -> u64 {
        match &self.direct {
            Some(d) => (d.clock)(id, lwp),
            None => self.machine.clock(id, lwp),
        }
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
