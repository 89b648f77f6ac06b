//! Calls on any descriptor: read, write, seek and the rest. POSIX 2.9.7.

use core::sync::atomic::Ordering::Relaxed;

use abi::syscalls::UAddr;
use abi::types::{mode, seek, sig};
use abi::{Errno, SysResult};

use crate::kern::proc::Lwp;
use crate::kern::sig::psignal;
use crate::kern::time::sys_sched_yield;
use crate::uio::{Count, Iovec, Piece, Uio};
use crate::vfs::file::File;
use crate::vfs::vnode::ioflag;

/// Which way a transfer goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rw {
    Read,
    Write,
}

/// [`kern_rw`] of the whole of one piece, as most are, where nothing but the move is to be done; `rights` are WASI's. The
/// descriptor stays locked meanwhile, which takes less than a reference of one's own. None where the long way must be
/// gone, for whatever reason: that one finds it.
#[inline(always)]
pub fn quick(lp: &Lwp, fd: i32, rw: Rw, piece: Piece, offset: Option<u64>, rights: u64) -> Option<Count> {
    let table = lp.proc.files.locked();
    let file = table.file(fd)?;
    if !file.is_quick(rw == Rw::Write) || file.rights.base.load(Relaxed) & rights != rights {
        return None;
    }
    match offset {
        Some(_) if !file.seekable => None,
        Some(at) => move_piece(lp, file, rw, piece, at),
        None if !file.positioned => move_piece(lp, file, rw, piece, 0),
        None => {
            let mut at = file.offset.try_lock(lp)?;
            let n = move_piece(lp, file, rw, piece, *at)?;
            *at += n.get() as u64;
            Some(n)
        }
    }
}

#[inline(always)]
fn move_piece(lp: &Lwp, file: &File, rw: Rw, piece: Piece, at: u64) -> Option<Count> {
    match rw {
        Rw::Read => file.vnode.read_piece(lp, piece, at),
        Rw::Write => file.vnode.write_piece(lp, piece, at),
    }
}

/// Past the decoding.
///
/// Once any byte has moved the result is a count, even if the rest fails: the error will come
/// again on the next call, the count would not.
pub fn kern_rw(lp: &Lwp, file: &File, rw: Rw, iovs: &[Iovec], offset: Option<u64>) -> SysResult<usize> {
    match offset {
        Some(_) if !file.seekable => Err(Errno::ESPIPE),
        // pwrite(2) on a file opened with O_APPEND writes where it says, as POSIX has it.
        Some(at) if at > i64::MAX as u64 => Err(Errno::EINVAL),
        Some(at) => transfer(lp, file, rw, &mut Uio::user(lp, iovs, at)?, file.ioflags() & !ioflag::APPEND),
        None if !file.positioned => transfer(lp, file, rw, &mut Uio::user(lp, iovs, 0)?, file.ioflags()),
        None => {
            let mut at = file.offset.lock(lp);
            let mut uio = Uio::user(lp, iovs, *at)?;
            let done = transfer(lp, file, rw, &mut uio, file.ioflags());
            *at = uio.offset;
            done
        }
    }
}

#[inline]
fn transfer(lp: &Lwp, file: &File, rw: Rw, uio: &mut Uio<'_>, flags: u32) -> SysResult<usize> {
    let asked = uio.resid;
    let done = match rw {
        Rw::Read => file.vnode.read(uio, flags),
        Rw::Write => file.vnode.write(uio, flags),
    };
    if flags & ioflag::SYNC != 0 && rw == Rw::Write && uio.resid < asked {
        file.vnode.fsync(lp, true)?;
    }
    if done == Err(Errno::EPIPE) && rw == Rw::Write {
        psignal(&lp.kernel, &lp.proc, sig::PIPE);
    }
    match done {
        Err(e) if uio.resid == asked => Err(e),
        _ => Ok(asked - uio.resid),
    }
}

/// One piece from the file to the program.
#[inline(always)]
fn read(lp: &Lwp, fd: i32, base: UAddr, len: u32, offset: Option<u64>) -> SysResult<usize> {
    let piece = Iovec { base, len: len as usize };
    if let Some(n) = quick(lp, fd, Rw::Read, Piece::here(piece), offset, 0) {
        return Ok(n.get());
    }
    let file = lp.file(fd)?;
    file.check_readable()?;
    kern_rw(lp, &file, Rw::Read, &[piece], offset)
}

/// And back.
#[inline(always)]
fn write(lp: &Lwp, fd: i32, base: UAddr, len: u32, offset: Option<u64>) -> SysResult<usize> {
    let piece = Iovec { base, len: len as usize };
    if let Some(n) = quick(lp, fd, Rw::Write, Piece::here(piece), offset, 0) {
        return Ok(n.get());
    }
    let file = lp.file(fd)?;
    file.check_writable()?;
    kern_rw(lp, &file, Rw::Write, &[piece], offset)
}

/// A file offset argument: not negative.
fn at(offset: i64) -> SysResult<Option<u64>> {
    u64::try_from(offset).map(Some).map_err(|_| Errno::EINVAL)
}

pub fn sys_read(lp: &Lwp, fd: i32, buf: UAddr, len: u32) -> SysResult<usize> {
    read(lp, fd, buf, len, None)
}
pub fn sys_write(lp: &Lwp, fd: i32, buf: UAddr, len: u32) -> SysResult<usize> {
    write(lp, fd, buf, len, None)
}
pub fn sys_pread(lp: &Lwp, fd: i32, buf: UAddr, len: u32, offset: i64) -> SysResult<usize> {
    read(lp, fd, buf, len, at(offset)?)
}
pub fn sys_pwrite(lp: &Lwp, fd: i32, buf: UAddr, len: u32, offset: i64) -> SysResult<usize> {
    write(lp, fd, buf, len, at(offset)?)
}

/// lseek(2): the new offset. EINVAL below 0, EOVERFLOW past what an off_t holds, ESPIPE.
pub fn kern_lseek(lp: &Lwp, fd: i32, offset: i64, whence: u32) -> SysResult<u64> {
    lseek(lp, &*lp.file(fd)?, offset, whence)
}

/// Past the decoding.
#[inline(always)]
pub fn lseek(lp: &Lwp, file: &File, offset: i64, whence: u32) -> SysResult<u64> {
    if !file.seekable {
        return Err(Errno::ESPIPE);
    }
    let mut at = file.offset.lock(lp);
    *at = match whence {
        seek::SET => moved(0, offset)?,
        seek::CUR => moved(*at, offset)?,
        _ => seek_in(lp, file, offset, whence)?,
    };
    Ok(*at)
}

#[inline(always)]
fn moved(base: u64, offset: i64) -> SysResult<u64> {
    let new = (base as i64).checked_add(offset).ok_or(Errno::EOVERFLOW)?;
    u64::try_from(new).map_err(|_| Errno::EINVAL)
}

/// Where one has to ask the file for it. Out of the way, as it needs much stack.
#[inline(never)]
fn seek_in(lp: &Lwp, file: &File, offset: i64, whence: u32) -> SysResult<u64> {
    match whence {
        seek::END => moved(file.vnode.getattr(lp)?.size, offset),
        seek::DATA | seek::HOLE => {
            let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
            file.vnode.seek_hole(lp, from, whence == seek::HOLE)
        }
        _ => Err(Errno::EINVAL),
    }
}

pub fn sys_lseek(lp: &Lwp, fd: i32, offset: i64, whence: u32) -> SysResult<u64> {
    kern_lseek(lp, fd, offset, whence)
}

pub fn sys_ioctl(lp: &Lwp, fd: i32, request: u32, arg: UAddr) -> SysResult<u32> {
    lp.file(fd)?.vnode.ioctl(lp, request, arg)
}

pub fn sys_fsync(lp: &Lwp, fd: i32) -> SysResult<()> {
    lp.file(fd)?.vnode.fsync(lp, false)
}

/// ftruncate(2). EINVAL for what isn't a regular file or isn't open for writing.
pub fn kern_ftruncate(lp: &Lwp, fd: i32, size: i64) -> SysResult<()> {
    let size = u64::try_from(size).map_err(|_| Errno::EINVAL)?;
    let file = lp.file(fd)?;
    if file.check_writable().is_err() || file.vnode.kind() != mode::IFREG {
        return Err(Errno::EINVAL);
    }
    crate::vfs::syscalls::kern_truncate(lp, &file.vnode, size)
}

pub fn sys_ftruncate(lp: &Lwp, fd: i32, size: i64) -> SysResult<()> {
    kern_ftruncate(lp, fd, size)
}

/// How many random bytes are made before others get their turn.
const RANDOM_TURN: usize = 1 << 20;

/// Fills user memory with random bytes, piece by piece. EINTR.
pub fn kern_getrandom(lp: &Lwp, buf: UAddr, len: u32) -> SysResult<()> {
    let mut piece = [0; 256];
    let mut done = 0;
    while done < len as usize {
        if done % RANDOM_TURN == 0 && done > 0 {
            sys_sched_yield(lp)?;
        }
        let n = piece.len().min(len as usize - done);
        lp.machine().random(&mut piece[..n]);
        lp.machine().copyout(&piece[..n], buf.offset(done))?;
        done += n;
    }
    Ok(())
}

pub fn sys_getrandom(lp: &Lwp, buf: UAddr, len: u32) -> SysResult<()> {
    kern_getrandom(lp, buf, len)
}

/// uname(2): sysname, nodename, release, version, machine, each with a NUL. ERANGE when they don't fit.
pub fn sys_uname(lp: &Lwp, buf: UAddr, len: u32) -> SysResult<usize> {
    let mut out = alloc::vec::Vec::new();
    let node = lp.kernel.hostname.lock().clone();
    for field in [&b"vkernel"[..], &node, env!("CARGO_PKG_VERSION").as_bytes(), b"#1", b"wasm32"] {
        out.extend_from_slice(field);
        out.push(0);
    }
    if out.len() > len as usize {
        return Err(Errno::ERANGE);
    }
    lp.machine().copyout(&out, buf)?;
    Ok(out.len())
}

/// Ends the vkernel with an exit status. Root only.
pub fn sys_reboot(lp: &Lwp, status: i32) -> SysResult<()> {
    lp.proc.cred.check_root()?;
    crate::vfs::sync_all(lp);
    lp.kernel.machine.halt(abi::types::wait::exited(status as u32));
    Ok(())
}
