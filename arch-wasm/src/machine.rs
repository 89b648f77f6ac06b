//! The kernel's machine, by hypercalls.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use abi::errno::decode;
use abi::syscalls::UAddr;
use abi::{Errno, SysResult};
use kernel::kern::proc::Lwp;
use kernel::machdep::{Direct, Machine, Parked};

use crate::{heap, host, uaccess};

/// The machine has no state on this side: it is the host.
pub struct Wasm;

/// An lwp as the host names it. The host holds a reference until it calls `lwp_gone`.
pub fn give_to_host(lp: &Arc<Lwp>) -> u32 {
    let lwp = Arc::into_raw(lp.clone()) as u32;
    lp.md.id.store(lwp, Relaxed);
    lwp
}

fn ptr(b: &[u8]) -> u32 {
    b.as_ptr() as u32
}
fn len(b: &[u8]) -> u32 {
    b.len() as u32
}
fn done(r: i32) -> SysResult<()> {
    decode(r).map(|_| ())
}
/// What a move of user memory answers.
fn moved(answer: u32) -> SysResult<()> {
    if answer == 0 { Ok(()) } else { Err(Errno::EFAULT) }
}
/// A count that the host claims to have moved.
fn count(r: i32, max: usize) -> SysResult<usize> {
    decode(r).map(|n| (n as usize).min(max))
}
/// A transfer that is all or nothing.
fn whole(r: i32, len: usize) -> SysResult<()> {
    if decode(r)? as usize == len { Ok(()) } else { Err(Errno::EIO) }
}
/// An answer of 64 bits.
fn long(r: i64) -> SysResult<u64> {
    match r {
        v @ 0.. => Ok(v as u64),
        e => Err(Errno::from_raw(e.unsigned_abs() as u32).unwrap_or(Errno::EIO)),
    }
}

impl Machine for Wasm {
    fn copyin(&self, src: UAddr, dst: &mut [u8]) -> SysResult<()> {
        moved((uaccess::direct().copyin)(dst.as_mut_ptr(), src.0, dst.len()))
    }
    fn copyout(&self, src: &[u8], dst: UAddr) -> SysResult<()> {
        moved((uaccess::direct().copyout)(dst.0, src.as_ptr(), src.len()))
    }
    fn direct(&self) -> Option<Direct> {
        Some(uaccess::direct())
    }

    fn clock(&self, id: u32, lwp: u32) -> u64 {
        host::clock(id, lwp)
    }
    fn random(&self, buf: &mut [u8]) {
        host::random(ptr(buf), len(buf));
    }

    fn park(&self, word: &AtomicU32, expected: u32, deadline_ns: u64) -> Parked {
        match host::park(word.as_ptr() as u32, expected, deadline_ns) {
            0 => Parked::Woken,
            1 => Parked::Changed,
            _ => Parked::TimedOut,
        }
    }
    fn unpark(&self, word: &AtomicU32, n: u32) -> u32 {
        host::unpark(word.as_ptr() as u32, n) as u32
    }

    fn lwp_create(&self, lp: &Arc<Lwp>) -> SysResult<()> {
        if crate::kstack::top(lp) == 0 {
            return Err(Errno::ENOMEM);
        }
        let lwp = give_to_host(lp);
        let made = done(host::lwp_create(lwp, lp.proc.vmspace));
        if made.is_err() {
            // SAFETY: the host has refused it, so the reference is ours again.
            drop(unsafe { Arc::from_raw(lwp as *const Lwp) });
            crate::kstack::free(lp);
        }
        made
    }
    fn lwp_kick(&self, lp: &Lwp, how: u32) {
        host::lwp_kick(lp.md.id.load(Relaxed), how);
    }

    fn lwp_frames(&self, buf: &mut [u8]) -> SysResult<usize> {
        count(host::lwp_frames(ptr(buf), len(buf)), buf.len())
    }

    fn vmspace_create(&self, id: u32, image: u32, limit: u64) -> SysResult<()> {
        done(host::vmspace_create(id, image, limit))
    }
    fn vmspace_fork(&self, id: u32, from: u32) -> SysResult<()> {
        done(host::vmspace_fork(id, from))
    }
    fn vmspace_destroy(&self, id: u32) -> SysResult<()> {
        done(host::vmspace_destroy(id))
    }
    fn vmspace_ctl(&self, id: u32, cmd: u32, arg: u64) -> SysResult<u64> {
        long(host::vmspace_ctl(id, cmd, arg))
    }

    fn image_begin(&self, size: u64) -> SysResult<u32> {
        decode(host::image_begin(size))
    }
    fn image_write(&self, handle: u32, data: &[u8]) -> SysResult<()> {
        done(host::image_write(handle, ptr(data), len(data)))
    }
    fn image_commit(&self, handle: u32) -> SysResult<u32> {
        decode(host::image_commit(handle))
    }
    fn image_blob(&self, blob: u32) -> SysResult<u32> {
        decode(host::image_blob(blob))
    }
    fn image_error(&self, buf: &mut [u8]) -> usize {
        count(host::image_error(ptr(buf), len(buf)), buf.len()).unwrap_or(0)
    }
    fn image_close(&self, image: u32) {
        host::image_close(image);
    }

    fn blob_read(&self, blob: u32, off: u64, buf: &mut [u8]) -> SysResult<usize> {
        count(host::blob_read(blob, off, ptr(buf), len(buf)), buf.len())
    }
    fn hostfs_rpc(&self, buf: &mut [u8], n: usize) -> SysResult<usize> {
        count(host::hostfs_rpc(ptr(buf), n as u32, len(buf)), buf.len())
    }

    fn dev_read(&self, unit: u32, buf: &mut [u8]) -> SysResult<usize> {
        count(host::dev_rw(unit, 0, ptr(buf), len(buf)), buf.len())
    }
    fn dev_write(&self, unit: u32, buf: &[u8]) -> SysResult<usize> {
        count(host::dev_rw(unit, 1, ptr(buf), len(buf)), buf.len())
    }
    fn dev_ctl(&self, unit: u32, cmd: u32, buf: &mut [u8]) -> SysResult<u32> {
        decode(host::dev_ctl(unit, cmd, ptr(buf), len(buf)))
    }

    fn disk_read(&self, unit: u32, offset: u64, buf: &mut [u8]) -> SysResult<()> {
        whole(host::disk_rw(unit, 0, offset, ptr(buf), len(buf)), buf.len())
    }
    fn disk_write(&self, unit: u32, offset: u64, buf: &[u8]) -> SysResult<()> {
        whole(host::disk_rw(unit, 1, offset, ptr(buf), len(buf)), buf.len())
    }
    fn disk_flush(&self, unit: u32) -> SysResult<()> {
        done(host::disk_flush(unit))
    }
    fn disk_ctl(&self, unit: u32, cmd: u32, arg: u64) -> SysResult<u64> {
        long(host::disk_ctl(unit, cmd, arg))
    }

    fn cons_write(&self, text: &[u8]) {
        host::cons_write(ptr(text), len(text));
    }
    fn memory(&self) -> (u64, u64) {
        heap::usage()
    }
    #[inline]
    fn admit(&self) -> SysResult<()> {
        heap::admit()
    }
    fn limit_memory(&self, bytes: u64) {
        heap::set_limit(bytes);
    }
    fn halt(&self, status: u32) {
        host::halt(status);
    }
}
