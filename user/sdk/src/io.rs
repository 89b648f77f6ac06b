//! Descriptors: open, read, write, duplicate, pipes, poll.

use crate::{SysResult, check, done, raw};
use abi::types::{Flock, at, fcntl};

/// `open(2)`, relative to the working directory.
pub fn open(path: &[u8], flags: u32, mode: u32) -> SysResult<i32> {
    openat(at::FDCWD, path, flags, mode)
}

/// `openat(2)`.
pub fn openat(dir: i32, path: &[u8], flags: u32, mode: u32) -> SysResult<i32> {
    // SAFETY: the kernel reads `path` within its length.
    check(unsafe { raw::openat(dir, path.as_ptr(), path.len() as u32, flags, mode) }).map(|fd| fd as i32)
}

/// `close(2)`.
pub fn close(fd: i32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::close(fd) })
}

/// `read(2)`: 0 at the end of the file.
pub fn read(fd: i32, buf: &mut [u8]) -> SysResult<usize> {
    // SAFETY: the kernel writes within `buf`, which is ours.
    check(unsafe { raw::read(fd, buf.as_mut_ptr(), buf.len() as u32) }).map(|n| n as usize)
}

/// `write(2)`: may be short.
pub fn write(fd: i32, buf: &[u8]) -> SysResult<usize> {
    // SAFETY: the kernel reads within `buf`.
    check(unsafe { raw::write(fd, buf.as_ptr(), buf.len() as u32) }).map(|n| n as usize)
}

/// Writes all of it, over signals and short counts.
pub fn write_all(fd: i32, mut buf: &[u8]) -> SysResult<()> {
    while !buf.is_empty() {
        match write(fd, buf) {
            Ok(0) => return Err(crate::Errno::EIO),
            Ok(n) => buf = &buf[n..],
            Err(crate::Errno::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// The rest of a descriptor, to its end.
pub fn read_to_end(fd: i32) -> SysResult<Vec<u8>> {
    let mut all = Vec::new();
    let mut buf = vec![0; 16 << 10];
    loop {
        match read(fd, &mut buf) {
            Ok(0) => return Ok(all),
            Ok(n) => all.extend_from_slice(&buf[..n]),
            Err(crate::Errno::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
}

/// A whole file by its path.
pub fn read_file(path: &[u8]) -> SysResult<Vec<u8>> {
    let fd = open(path, abi::types::o::RDONLY | abi::types::o::CLOEXEC, 0)?;
    let all = read_to_end(fd);
    // A descriptor that was only read has nothing to report at its closing.
    let _ = close(fd);
    all
}

/// `pread(2)`.
pub fn pread(fd: i32, buf: &mut [u8], offset: i64) -> SysResult<usize> {
    // SAFETY: the kernel writes within `buf`, which is ours.
    check(unsafe { raw::pread(fd, buf.as_mut_ptr(), buf.len() as u32, offset) }).map(|n| n as usize)
}

/// `pwrite(2)`.
pub fn pwrite(fd: i32, buf: &[u8], offset: i64) -> SysResult<usize> {
    // SAFETY: the kernel reads within `buf`.
    check(unsafe { raw::pwrite(fd, buf.as_ptr(), buf.len() as u32, offset) }).map(|n| n as usize)
}

/// `lseek(2)`; `whence` as in `abi::types::seek`.
pub fn lseek(fd: i32, offset: i64, whence: u32) -> SysResult<u64> {
    // SAFETY: no pointers.
    match unsafe { raw::lseek(fd, offset, whence) } {
        pos @ 0.. => Ok(pos as u64),
        e => Err(abi::Errno::from_raw(e.unsigned_abs() as u32).unwrap_or(abi::Errno::EIO)),
    }
}

/// `dup(2)`.
pub fn dup(fd: i32) -> SysResult<i32> {
    // SAFETY: no pointers.
    check(unsafe { raw::dup(fd) }).map(|fd| fd as i32)
}

/// `dup3(2)`; flags: `o::CLOEXEC`.
pub fn dup3(from: i32, to: i32, flags: u32) -> SysResult<i32> {
    // SAFETY: no pointers.
    check(unsafe { raw::dup3(from, to, flags) }).map(|fd| fd as i32)
}

/// A close-on-exec copy of a descriptor, at `least` or above.
pub fn dup_cloexec(fd: i32, least: i32) -> SysResult<i32> {
    fcntl(fd, fcntl::DUPFD_CLOEXEC, least).map(|fd| fd as i32)
}

/// `fcntl(2)`; commands as in `abi::types::fcntl`.
pub fn fcntl(fd: i32, cmd: u32, arg: i32) -> SysResult<u32> {
    // SAFETY: no pointers.
    check(unsafe { raw::fcntl(fd, cmd, arg) })
}

/// `fcntl(2)` with one of the commands about locks; `F_GETLK` and its kin answer in `lock`.
pub fn fcntl_lock(fd: i32, cmd: u32, lock: &mut Flock) -> SysResult<()> {
    let mut buf = lock.to_bytes();
    // SAFETY: the kernel reads and writes `Flock::SIZE` bytes.
    done(unsafe { raw::fcntl_lock(fd, cmd, buf.as_mut_ptr()) })?;
    *lock = Flock::from_bytes(&buf)?;
    Ok(())
}

/// `flock(2)`; `how` as in `abi::types::flock`.
pub fn flock(fd: i32, how: u32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::flock(fd, how) })
}

/// `pipe2(2)`: the reading end, the writing end.
pub fn pipe2(flags: u32) -> SysResult<(i32, i32)> {
    let mut fds = [0i32; 2];
    // SAFETY: the kernel writes two descriptors.
    done(unsafe { raw::pipe2(fds.as_mut_ptr().cast(), flags) })?;
    Ok((fds[0], fds[1]))
}

/// One descriptor to wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PollFd {
    pub fd: i32,
    /// As in `abi::types::poll`.
    pub events: u16,
    pub revents: u16,
}

/// `poll(2)`; a negative time waits for ever. Answers how many are ready.
pub fn poll(fds: &mut [PollFd], timeout_ms: i32) -> SysResult<u32> {
    // SAFETY: `PollFd` is C's layout, and the kernel writes within the slice.
    check(unsafe { raw::poll(fds.as_mut_ptr().cast(), fds.len() as u32, timeout_ms) })
}

/// `ppoll(2)`: waits so many nanoseconds, without a limit for `u64::MAX`, with this mask of signals if there is one.
pub fn ppoll(fds: &mut [PollFd], timeout_ns: u64, mask: Option<u64>) -> SysResult<u32> {
    let set = mask.unwrap_or(0).to_le_bytes();
    let at = if mask.is_some() { set.as_ptr() } else { core::ptr::null() };
    // SAFETY: `PollFd` is C's layout, the kernel writes within the slice and reads eight bytes of the set.
    check(unsafe { raw::ppoll(fds.as_mut_ptr().cast(), fds.len() as u32, timeout_ns, at) })
}

/// `close_range(2)`: closes what there is from `first` to `last`, or with `fcntl::CLOSE_RANGE_CLOEXEC` sets that flag.
pub fn close_range(first: u32, last: u32, flags: u32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::close_range(first, last, flags) })
}

/// `fsync(2)`.
pub fn fsync(fd: i32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::fsync(fd) })
}

/// `ftruncate(2)`.
pub fn ftruncate(fd: i32, size: i64) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::ftruncate(fd, size) })
}
