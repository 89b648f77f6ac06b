//! Calls to the uaccess module, which stands in the kernel's function table from a slot on that
//! is the same in every instance (the functions behind it are each lwp's own).

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use abi::syscalls::UAddr;
use abi::{Errno, SysResult};

static SLOTS: AtomicU32 = AtomicU32::new(0);

pub fn set_slots(first: u32) {
    SLOTS.store(first, Relaxed);
}

type Copy = extern "C" fn(u32, u32, u32) -> u32;
type Put32 = extern "C" fn(u32, u32) -> u32;
type Put64 = extern "C" fn(u32, u64) -> u32;

/// The table slot of a function of `abi::trapframe::UACCESS`.
#[inline(always)]
fn slot(n: u32) -> usize {
    (SLOTS.load(Relaxed) + n) as usize
}

#[inline(always)]
fn result(r: u32) -> SysResult<()> {
    if r == 0 { Ok(()) } else { Err(Errno::EFAULT) }
}

#[inline(always)]
pub fn copyin(src: UAddr, dst: &mut [u8]) -> SysResult<()> {
    // SAFETY: a function pointer is a table slot on wasm; the host has put `copyin` there, with
    // this type, which writes only to the `dst.len()` bytes of `dst`.
    let f = unsafe { core::mem::transmute::<usize, Copy>(slot(0)) };
    result(f(dst.as_mut_ptr() as u32, src.0, dst.len() as u32))
}

#[inline(always)]
pub fn copyout(src: &[u8], dst: UAddr) -> SysResult<()> {
    // SAFETY: as for `copyin`; it only reads `src`.
    let f = unsafe { core::mem::transmute::<usize, Copy>(slot(1)) };
    result(f(dst.0, src.as_ptr() as u32, src.len() as u32))
}

#[inline(always)]
pub fn put32(dst: UAddr, v: u32) -> SysResult<()> {
    // SAFETY: as for `copyin`; it touches user memory only.
    let f = unsafe { core::mem::transmute::<usize, Put32>(slot(2)) };
    result(f(dst.0, v))
}

#[inline(always)]
pub fn put64(dst: UAddr, v: u64) -> SysResult<()> {
    // SAFETY: as for `put32`.
    let f = unsafe { core::mem::transmute::<usize, Put64>(slot(3)) };
    result(f(dst.0, v))
}
