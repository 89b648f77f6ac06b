//! Opening one name, and what is done to what was opened.

use super::Reply;
use super::error::{from_rustix, from_wasi};
use super::handles::Object;
use super::request::Name;
use abi::hostfs::Attr;
use abi::types::{mode, o};
use abi::{Errno, SysResult};
use cap_std::fs::Dir;
use rustix::fs::{Mode, OFlags, Stat};
use std::future::Future;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wasi_common::WasiFile;
use wasi_common::sync::file::File;

/// Permissions that a guest may give to a file: the set-id bits would be the host user's.
pub const NEW_MODE: u32 = 0o777;

const KNOWN_FLAGS: u32 = o::ACCMODE
    | o::CREAT
    | o::EXCL
    | o::NOCTTY
    | o::TRUNC
    | o::APPEND
    | o::NONBLOCK
    | o::DIRECTORY
    | o::NOFOLLOW
    | o::CLOEXEC
    | o::DSYNC
    | o::SYNC
    | o::PATH;

/// `open(2)` flags that make sense together.
pub fn check_flags(oflags: u32) -> SysResult<u32> {
    let create = oflags & o::CREAT != 0;
    let nonsense = oflags & !KNOWN_FLAGS != 0
        || oflags & o::ACCMODE == o::ACCMODE
        || create && oflags & (o::DIRECTORY | o::PATH) != 0
        // POSIX leaves it open; a file opened for reading alone is not cut here.
        || oflags & o::TRUNC != 0 && oflags & o::ACCMODE == o::RDONLY;
    if nonsense { Err(Errno::EINVAL) } else { Ok(oflags) }
}

fn host_flags(oflags: u32) -> OFlags {
    // Never a link; never wait for the other end of a FIFO; never a terminal of ours.
    let mut flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    flags |= match oflags & o::ACCMODE {
        o::WRONLY => OFlags::WRONLY,
        o::RDWR => OFlags::RDWR,
        _ => OFlags::RDONLY,
    };
    for (ours, host) in [
        (o::CREAT, OFlags::CREATE),
        (o::EXCL, OFlags::EXCL),
        (o::TRUNC, OFlags::TRUNC),
        (o::APPEND, OFlags::APPEND),
        (o::DIRECTORY, OFlags::DIRECTORY),
        (o::DSYNC, OFlags::DSYNC),
        (o::SYNC, OFlags::SYNC),
        (o::PATH, OFlags::PATH),
    ] {
        if oflags & ours == ours {
            flags |= host;
        }
    }
    flags
}

/// Opens what stands under a name, if it is a regular file or a directory.
pub fn open(dir: &Dir, name: Name<'_>, oflags: u32, mode: u32) -> SysResult<Object> {
    let mode = Mode::from_bits_truncate(mode & NEW_MODE);
    let fd = rustix::fs::openat(dir, name.0, host_flags(oflags), mode).map_err(from_rustix)?;
    let stat = rustix::fs::fstat(&fd).map_err(from_rustix)?;
    let file = std::fs::File::from(fd);
    match stat.st_mode & mode::IFMT {
        mode::IFREG => Ok(Object::File(File::from_cap_std(cap_std::fs::File::from_std(file)))),
        mode::IFDIR => Ok(Object::Dir(Dir::from_std_file(file))),
        // With PATH the link itself was opened.
        mode::IFLNK => Err(Errno::ELOOP),
        _ => Err(Errno::EACCES),
    }
}

/// `chmod(2)` of a regular file or a directory. Not by opening it, for which one needs a permission, but by its name
/// in `/proc`: Linux before 6.6 has no call that takes a name and follows no link.
pub fn chmod(dir: &Dir, name: Name<'_>, mode: u32) -> SysResult<Reply> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(dir, name.0, flags, Mode::empty()).map_err(from_rustix)?;
    let stat = rustix::fs::fstat(&fd).map_err(from_rustix)?;
    if !matches!(stat.st_mode & mode::IFMT, mode::IFREG | mode::IFDIR) {
        return Err(Errno::EPERM);
    }
    let of_fd = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::chmod(of_fd, Mode::from_bits_truncate(mode & NEW_MODE)).map_err(from_rustix)?;
    Ok(Reply::Done)
}

pub fn attr(stat: &Stat) -> Attr {
    let ns = |s: i64, ns| s.saturating_mul(1_000_000_000).saturating_add(ns as i64);
    Attr {
        dev: stat.st_dev,
        ino: stat.st_ino,
        mode: stat.st_mode,
        nlink: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
        size: stat.st_size as u64,
        atime_ns: ns(stat.st_atime, stat.st_atime_nsec),
        mtime_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
        ctime_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
    }
}

/// `pread(2)`.
pub fn read(file: &File, offset: u64, buf: &mut [u8]) -> SysResult<usize> {
    Ok(now(file.read_vectored_at(&mut [IoSliceMut::new(buf)], offset))? as usize)
}

/// A file of an export that isn't read-only.
pub struct Writable<'a>(pub &'a File);

impl Writable<'_> {
    /// `pwrite(2)`; to the end, wherever that is, if it was opened with `O_APPEND`.
    pub fn write(&self, offset: u64, data: &[u8]) -> SysResult<Reply> {
        Ok(Reply::Count(now(self.0.write_vectored_at(&[IoSlice::new(data)], offset))? as u32))
    }
}

impl Object {
    pub fn fd(&self) -> SysResult<BorrowedFd<'_>> {
        match self {
            Object::Dir(dir) => Ok(dir.as_fd()),
            Object::File(file) => file.pollable().ok_or(Errno::EBADF),
        }
    }

    pub fn attr(&self) -> SysResult<Attr> {
        Ok(attr(&rustix::fs::fstat(self.fd()?).map_err(from_rustix)?))
    }

    pub fn set_size(&self, size: u64) -> SysResult<()> {
        match self {
            Object::Dir(_) => Err(Errno::EISDIR),
            Object::File(file) => now(file.set_filestat_size(size)),
        }
    }

    pub fn fsync(&self, data_only: bool) -> SysResult<Reply> {
        match self {
            Object::Dir(dir) => rustix::fs::fsync(dir).map_err(from_rustix)?,
            Object::File(file) if data_only => now(file.datasync())?,
            Object::File(file) => now(file.sync())?,
        }
        Ok(Reply::Done)
    }
}

/// The result of an async function that never waits, as all of wasi-common's `sync` are.
fn now<T>(f: impl Future<Output = Result<T, wasi_common::Error>>) -> SysResult<T> {
    match pin!(f).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(r) => r.map_err(from_wasi),
        Poll::Pending => Err(Errno::EIO),
    }
}
