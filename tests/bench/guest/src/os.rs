//! The C library's calls on both systems, as thin as can be, so that what is measured is the call.
//! Answers as in C, with `errno` as an [`io::Error`].

use std::ffi::CStr;
use std::io;
use std::mem::{MaybeUninit, zeroed};

pub type Fd = libc::c_int;

macro_rules! check {
    ($call:expr) => {{
        let r = $call;
        if r < 0 { Err(io::Error::last_os_error()) } else { Ok(r) }
    }};
}

/// A transfer that must be whole.
#[inline(always)]
fn whole(done: libc::ssize_t, len: usize) -> io::Result<()> {
    if done == len as libc::ssize_t {
        return Ok(());
    }
    Err(if done < 0 { io::Error::last_os_error() } else { io::ErrorKind::UnexpectedEof.into() })
}

#[inline(always)]
pub fn clock() -> libc::timespec {
    // SAFETY: all zeroes is a time.
    let mut t = unsafe { zeroed() };
    // SAFETY: `t` is ours to be written.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    t
}

pub fn now_ns() -> u64 {
    let t = clock();
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

#[inline(always)]
pub fn open(path: &CStr, flags: libc::c_int) -> io::Result<Fd> {
    // SAFETY: a terminated path.
    check!(unsafe { libc::open(path.as_ptr(), flags, 0o644 as libc::c_uint) })
}

#[inline(always)]
pub fn close(fd: Fd) {
    // SAFETY: no pointers; callers close only what they opened.
    unsafe { libc::close(fd) };
}

#[cfg(any(not(target_family = "wasm"), feature = "vkernel"))]
#[inline(always)]
pub fn read(fd: Fd, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: within `buf`.
    check!(unsafe { libc::read(fd, buf.as_mut_ptr().cast(), buf.len()) }).map(|n| n as usize)
}

#[inline(always)]
pub fn read_whole(fd: Fd, buf: &mut [u8]) -> io::Result<()> {
    // SAFETY: within `buf`.
    whole(unsafe { libc::read(fd, buf.as_mut_ptr().cast(), buf.len()) }, buf.len())
}

#[inline(always)]
pub fn write_whole(fd: Fd, buf: &[u8]) -> io::Result<()> {
    // SAFETY: within `buf`.
    whole(unsafe { libc::write(fd, buf.as_ptr().cast(), buf.len()) }, buf.len())
}

#[inline(always)]
pub fn pread_whole(fd: Fd, buf: &mut [u8]) -> io::Result<()> {
    // SAFETY: within `buf`.
    whole(unsafe { libc::pread(fd, buf.as_mut_ptr().cast(), buf.len(), 0) }, buf.len())
}

#[inline(always)]
pub fn pwrite_whole(fd: Fd, buf: &[u8]) -> io::Result<()> {
    // SAFETY: within `buf`.
    whole(unsafe { libc::pwrite(fd, buf.as_ptr().cast(), buf.len(), 0) }, buf.len())
}

#[inline(always)]
pub fn rewind(fd: Fd) -> io::Result<()> {
    // SAFETY: no pointers.
    check!(unsafe { libc::lseek(fd, 0, libc::SEEK_SET) }).map(drop)
}

pub fn truncate(fd: Fd) -> io::Result<()> {
    // SAFETY: no pointers.
    check!(unsafe { libc::ftruncate(fd, 0) }).map(drop)
}

#[inline(always)]
pub fn stat(path: &CStr) -> io::Result<()> {
    let mut st = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: a terminated path; `st` is ours to be written.
    check!(unsafe { libc::stat(path.as_ptr(), st.as_mut_ptr()) }).map(drop)
}

#[inline(always)]
pub fn fstat(fd: Fd) -> io::Result<()> {
    let mut st = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `st` is ours to be written.
    check!(unsafe { libc::fstat(fd, st.as_mut_ptr()) }).map(drop)
}

#[inline(always)]
pub fn unlink(path: &CStr) -> io::Result<()> {
    // SAFETY: a terminated path.
    check!(unsafe { libc::unlink(path.as_ptr()) }).map(drop)
}

#[inline(always)]
pub fn mkdir(path: &CStr) -> io::Result<()> {
    // SAFETY: a terminated path.
    check!(unsafe { libc::mkdir(path.as_ptr(), 0o755) }).map(drop)
}

#[inline(always)]
pub fn rmdir(path: &CStr) -> io::Result<()> {
    // SAFETY: a terminated path.
    check!(unsafe { libc::rmdir(path.as_ptr()) }).map(drop)
}

#[inline(always)]
pub fn rename(from: &CStr, to: &CStr) -> io::Result<()> {
    // SAFETY: two terminated paths.
    check!(unsafe { libc::rename(from.as_ptr(), to.as_ptr()) }).map(drop)
}

/// How many entries a directory has, `.` and `..` among them.
pub fn count_entries(path: &CStr) -> io::Result<usize> {
    // SAFETY: a terminated path.
    let dir = unsafe { libc::opendir(path.as_ptr()) };
    if dir.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut n = 0;
    // SAFETY: an open directory, closed once below.
    while !unsafe { libc::readdir(dir) }.is_null() {
        n += 1;
    }
    // SAFETY: as above.
    unsafe { libc::closedir(dir) };
    Ok(n)
}

/// Asks for ten times the same descriptor whether it can be read, without waiting.
pub fn poll10(fd: Fd, n: u64) -> io::Result<()> {
    let one = || libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut fds: [libc::pollfd; 10] = std::array::from_fn(|_| one());
    for _ in 0..n {
        // SAFETY: ten entries, ours to be written.
        check!(unsafe { libc::poll(fds.as_mut_ptr(), 10, 0) })?;
    }
    Ok(())
}

/// Whether there is something to read.
#[cfg(any(not(target_family = "wasm"), feature = "vkernel"))]
pub fn readable(fd: Fd) -> io::Result<bool> {
    let mut one = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, ours to be written.
    check!(unsafe { libc::poll(&mut one, 1, 0) })?;
    Ok(one.revents != 0)
}
