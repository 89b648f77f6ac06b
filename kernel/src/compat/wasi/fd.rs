//! Calls on descriptors.

use alloc::sync::Arc;

use abi::syscalls::UAddr;
use abi::types::{mode, seek};
use abi::wire::Writer;
use abi::{Errno, SysResult};

use super::types::{self, fstflags};
use super::{PREOPEN_NAME, iov, rights};
use crate::kern::descrip::kern_close;
use crate::kern::generic::{Rw, kern_rw, lseek, quick};
use crate::kern::lockf;
use crate::kern::proc::Lwp;
use crate::uio::Piece;
use crate::vfs::file::File;
use crate::vfs::lookup::parent_of;
use crate::vfs::path::copy_short;
use crate::vfs::syscalls::{TimeSet, kern_truncate, kern_utimens};
use crate::vfs::vnode::Dirent;

/// The open file behind a descriptor, if it may still be used for this.
#[inline]
fn file(lp: &Lwp, fd: i32, wanted: u64) -> SysResult<Arc<File>> {
    let file = lp.file(fd)?;
    rights::check(&file, wanted)?;
    Ok(file)
}

/// A file offset or size: the kernel's have 63 bits.
fn offset(off: i64) -> SysResult<u64> {
    u64::try_from(off).map_err(|_| Errno::EINVAL)
}

/// What most reads and writes are: one piece, and nothing but the move to be done.
#[inline(always)]
fn quick_one(lp: &Lwp, fd: i32, rw: Rw, (list, n, count): (UAddr, u32, UAddr), at: Option<u64>, rights: u64) -> bool {
    n == 1 && quick(lp, fd, rw, Piece::listed(list, count), at, rights).is_some()
}

#[inline(never)]
fn read(lp: &Lwp, file: &File, (list, n, count): (UAddr, u32, UAddr), at: Option<u64>) -> SysResult<()> {
    file.check_readable()?;
    let done = iov::with(lp, list, n, |v| kern_rw(lp, file, Rw::Read, v, at))?;
    lp.machine().put32(count, done as u32)
}

#[inline(never)]
fn write(lp: &Lwp, file: &File, (list, n, count): (UAddr, u32, UAddr), at: Option<u64>) -> SysResult<()> {
    file.check_writable()?;
    let done = iov::with(lp, list, n, |v| kern_rw(lp, file, Rw::Write, v, at))?;
    lp.machine().put32(count, done as u32)
}

pub fn fd_read(lp: &Lwp, fd: i32, iovs: UAddr, n: u32, nread: UAddr) -> SysResult<()> {
    let (pieces, rights) = ((iovs, n, nread), rights::FD_READ);
    if quick_one(lp, fd, Rw::Read, pieces, None, rights) {
        return Ok(());
    }
    read(lp, &*file(lp, fd, rights)?, pieces, None)
}

pub fn fd_write(lp: &Lwp, fd: i32, iovs: UAddr, n: u32, nwritten: UAddr) -> SysResult<()> {
    let (pieces, rights) = ((iovs, n, nwritten), rights::FD_WRITE);
    if quick_one(lp, fd, Rw::Write, pieces, None, rights) {
        return Ok(());
    }
    write(lp, &*file(lp, fd, rights)?, pieces, None)
}

pub fn fd_pread(lp: &Lwp, fd: i32, iovs: UAddr, n: u32, at: i64, nread: UAddr) -> SysResult<()> {
    let (pieces, rights) = ((iovs, n, nread), rights::FD_READ | rights::FD_SEEK);
    if at >= 0 && quick_one(lp, fd, Rw::Read, pieces, Some(at as u64), rights) {
        return Ok(());
    }
    read(lp, &*file(lp, fd, rights)?, pieces, Some(offset(at)?))
}

pub fn fd_pwrite(lp: &Lwp, fd: i32, iovs: UAddr, n: u32, at: i64, nwritten: UAddr) -> SysResult<()> {
    let (pieces, rights) = ((iovs, n, nwritten), rights::FD_WRITE | rights::FD_SEEK);
    if at >= 0 && quick_one(lp, fd, Rw::Write, pieces, Some(at as u64), rights) {
        return Ok(());
    }
    write(lp, &*file(lp, fd, rights)?, pieces, Some(offset(at)?))
}

pub fn fd_seek(lp: &Lwp, fd: i32, off: i64, whence: u32, result: UAddr) -> SysResult<()> {
    let whence = [seek::SET, seek::CUR, seek::END].get(whence as usize).ok_or(Errno::EINVAL)?;
    seek_to(lp, fd, off, *whence, result)
}

pub fn fd_tell(lp: &Lwp, fd: i32, result: UAddr) -> SysResult<()> {
    seek_to(lp, fd, 0, seek::CUR, result)
}

/// Asking for the position needs less than changing it.
#[inline]
pub(super) fn seek_to(lp: &Lwp, fd: i32, off: i64, whence: u32, result: UAddr) -> SysResult<()> {
    let asks = whence == seek::CUR && off == 0;
    let file = file(lp, fd, if asks { rights::FD_TELL } else { rights::FD_SEEK })?;
    let at = lseek(lp, &file, off, whence)?;
    lp.machine().put64(result, at)
}

pub fn fd_advise(lp: &Lwp, fd: i32, off: i64, len: i64, advice: u32) -> SysResult<()> {
    const NOREUSE: u32 = 5;
    let file = file(lp, fd, rights::FD_ADVISE)?;
    if off < 0 || len < 0 || advice > NOREUSE {
        return Err(Errno::EINVAL);
    }
    // posix_fadvise(2); the content is in memory as it is, so there is nothing to be done.
    if file.vnode.seekable() { Ok(()) } else { Err(Errno::ESPIPE) }
}

/// `posix_fallocate(3)`.
pub fn fd_allocate(lp: &Lwp, fd: i32, off: i64, len: i64) -> SysResult<()> {
    let file = file(lp, fd, rights::FD_ALLOCATE)?;
    file.check_writable()?;
    let (off, len) = (offset(off)?, offset(len)?);
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    if off + len > i64::MAX as u64 {
        return Err(Errno::EFBIG);
    }
    if !file.vnode.seekable() {
        return Err(Errno::ESPIPE);
    }
    file.vnode.allocate(lp, off, len)
}

pub fn fd_close(lp: &Lwp, fd: i32) -> SysResult<()> {
    kern_close(lp, fd)
}

pub fn fd_datasync(lp: &Lwp, fd: i32) -> SysResult<()> {
    file(lp, fd, rights::FD_DATASYNC)?.vnode.fsync(lp, true)
}

pub fn fd_sync(lp: &Lwp, fd: i32) -> SysResult<()> {
    file(lp, fd, rights::FD_SYNC)?.vnode.fsync(lp, false)
}

pub fn fd_fdstat_get(lp: &Lwp, fd: i32, out: UAddr) -> SysResult<()> {
    let file = lp.file(fd)?;
    let (base, inheriting) = rights::report(&file);
    let flags = types::fdflags_from_status(file.flags());
    let stat = types::fdstat(types::filetype_of(file.vnode.kind()), flags, base, inheriting);
    lp.machine().copyout(&stat, out)
}

pub fn fd_fdstat_set_flags(lp: &Lwp, fd: i32, flags: u32) -> SysResult<()> {
    let file = file(lp, fd, rights::FD_FDSTAT_SET_FLAGS)?;
    file.set_status(types::status_from_fdflags(flags)?);
    Ok(())
}

pub fn fd_fdstat_set_rights(lp: &Lwp, fd: i32, base: u64, inheriting: u64) -> SysResult<()> {
    rights::shrink(&*lp.file(fd)?, base, inheriting)
}

pub fn fd_filestat_get(lp: &Lwp, fd: i32, out: UAddr) -> SysResult<()> {
    let stat = file(lp, fd, rights::FD_FILESTAT_GET)?.vnode.getattr(lp)?;
    lp.machine().copyout(&types::filestat(&stat), out)
}

/// ftruncate(2).
pub fn fd_filestat_set_size(lp: &Lwp, fd: i32, size: i64) -> SysResult<()> {
    let file = file(lp, fd, rights::FD_FILESTAT_SET_SIZE)?;
    if file.check_writable().is_err() || file.vnode.kind() != mode::IFREG {
        return Err(Errno::EINVAL);
    }
    kern_truncate(lp, &file.vnode, offset(size)?)
}

pub fn fd_filestat_set_times(lp: &Lwp, fd: i32, atim: u64, mtim: u64, flags: u32) -> SysResult<()> {
    let file = file(lp, fd, rights::FD_FILESTAT_SET_TIMES)?;
    let (atime, mtime) = times(atim, mtim, flags)?;
    kern_utimens(lp, &file.vnode, atime, mtime)
}

/// What `fstflags` ask for. EINVAL for a time that is to be both given and now.
pub(super) fn times(atim: u64, mtim: u64, flags: u32) -> SysResult<(Option<TimeSet>, Option<TimeSet>)> {
    let one = |given: u32, now: u32, ns: u64| match (flags & given != 0, flags & now != 0) {
        (false, false) => Ok(None),
        (true, false) => i64::try_from(ns).map(|ns| Some(TimeSet::Ns(ns))).map_err(|_| Errno::EINVAL),
        (false, true) => Ok(Some(TimeSet::Now)),
        (true, true) => Err(Errno::EINVAL),
    };
    if flags & !fstflags::ALL != 0 {
        return Err(Errno::EINVAL);
    }
    Ok((one(fstflags::ATIM, fstflags::ATIM_NOW, atim)?, one(fstflags::MTIM, fstflags::MTIM_NOW, mtim)?))
}

/// `prestat`: tag, and the length of the name of a preopened directory.
///
/// A library asks for 3, 4, ... and stops at the first EBADF. An open descriptor below the preopen
/// must not stop it, so it gets a tag that no library knows and that all skip.
pub fn fd_prestat_get(lp: &Lwp, fd: i32, out: UAddr) -> SysResult<()> {
    const DIRECTORY: u8 = 0;
    const SKIP: u8 = 255;
    let mut prestat = [0; 8];
    if lp.proc.files.get_slot(fd)?.preopen {
        Writer::new(&mut prestat).u8(DIRECTORY).pad(3).u32(PREOPEN_NAME.len() as u32);
    } else if lp.proc.files.preopen_above(fd) {
        Writer::new(&mut prestat).u8(SKIP);
    } else {
        return Err(Errno::EBADF);
    }
    lp.machine().copyout(&prestat, out)
}

pub fn fd_prestat_dir_name(lp: &Lwp, fd: i32, path: UAddr, len: u32) -> SysResult<()> {
    if !lp.proc.files.get_slot(fd)?.preopen {
        return Err(Errno::EBADF);
    }
    if (len as usize) < PREOPEN_NAME.len() {
        return Err(Errno::ENAMETOOLONG);
    }
    lp.machine().copyout(PREOPEN_NAME, path)
}

/// Moves a descriptor to another open one's number, which is closed.
pub fn fd_renumber(lp: &Lwp, from: i32, to: i32) -> SysResult<()> {
    let files = &lp.proc.files;
    files.get(from)?;
    files.get(to)?;
    if from == to {
        return Ok(());
    }
    let moved = files.remove(from)?;
    lockf::closed(lp, &moved.file);
    if let Some(old) = files.replace(to, moved, lp.proc.limits.nofile().max(to as usize + 1))? {
        lockf::closed(lp, &old.file);
    }
    Ok(())
}

/// A directory's entries: `.` and `..` before those of the file system. A cookie is 1 after `.`, 2
/// after `..` and the file system's own plus 2 after that.
pub fn fd_readdir(lp: &Lwp, fd: i32, buf: UAddr, len: u32, cookie: u64, used: UAddr) -> SysResult<()> {
    const DOTS: u64 = 2;
    let file = file(lp, fd, rights::FD_READDIR)?;
    file.check_readable()?;
    if !file.vnode.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    let mut out = Entries::new(lp, buf, len as usize);
    let dot = |name, ino, cookie| Dirent { ino, kind: (mode::IFDIR >> 12) as u8, cookie, name };
    let mut go_on = true;
    if cookie < 1 {
        go_on = out.put(&dot(b".", file.vnode.getattr(lp)?.ino, 1));
    }
    if cookie < DOTS && go_on {
        let parent = parent_of(lp, &file.vnode)?;
        go_on = out.put(&dot(b"..", parent.getattr(lp)?.ino, DOTS));
    }
    if go_on {
        file.vnode.readdir(lp, cookie.saturating_sub(DOTS), &mut |e| {
            out.put(&Dirent { cookie: e.cookie.wrapping_add(DOTS), ..*e })
        })?;
    }
    out.flush();
    match out.failed {
        Some(e) => Err(e),
        None => lp.machine().put32(used, out.used as u32),
    }
}

/// The program's buffer as it fills up. Entries are gathered, so that user memory is not called for each.
struct Entries<'a> {
    lp: &'a Lwp,
    buf: UAddr,
    /// Of the buffer, and how much of it is used; the piece is the end of that.
    room: usize,
    used: usize,
    piece: [u8; PIECE],
    gathered: usize,
    failed: Option<Errno>,
}

const PIECE: usize = 1024;
/// `dirent`.
const HEADER: usize = 24;

impl<'a> Entries<'a> {
    fn new(lp: &'a Lwp, buf: UAddr, room: usize) -> Entries<'a> {
        Entries { lp, buf, room, used: 0, piece: [0; PIECE], gathered: 0, failed: None }
    }

    /// Adds an entry, cut off where the buffer ends: a full buffer tells the program to come again.
    /// False when no more go in.
    fn put(&mut self, e: &Dirent<'_>) -> bool {
        let len = HEADER + e.name.len();
        if len > PIECE {
            // No name is that long; a file system that says so is not believed.
            self.failed = Some(Errno::EIO);
            return false;
        }
        if self.gathered + len > PIECE {
            self.flush();
        }
        let tail = e.name.len() as u64 | u64::from(types::dirent_type(e.kind)) << 32;
        let (header, name) = self.piece[self.gathered..self.gathered + len].split_at_mut(HEADER);
        header[..8].copy_from_slice(&e.cookie.to_le_bytes());
        header[8..16].copy_from_slice(&e.ino.to_le_bytes());
        // namlen, type, and three bytes of nothing.
        header[16..].copy_from_slice(&tail.to_le_bytes());
        copy_short(name, e.name);
        let n = len.min(self.room - self.used);
        self.gathered += n;
        self.used += n;
        self.failed.is_none() && self.used < self.room
    }

    fn flush(&mut self) {
        let at = self.buf.offset(self.used - self.gathered);
        if let Err(e) = self.lp.machine().copyout(&self.piece[..self.gathered], at) {
            self.failed = Some(e);
        }
        self.gathered = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_given_or_now_or_left() {
        assert!(matches!(
            times(5, 6, fstflags::ATIM | fstflags::MTIM_NOW),
            Ok((Some(TimeSet::Ns(5)), Some(TimeSet::Now)))
        ));
        assert!(matches!(times(5, 6, 0), Ok((None, None))));
        assert!(matches!(times(5, 6, fstflags::MTIM | fstflags::MTIM_NOW), Err(Errno::EINVAL)));
        assert!(matches!(times(u64::MAX, 0, fstflags::ATIM), Err(Errno::EINVAL)));
        assert!(matches!(times(0, 0, 16), Err(Errno::EINVAL)));
    }
}
