//! Sockets between processes: `unix(7)`. Types, flags and the rest are in `abi::types::sock`.

use crate::{SysResult, check, done, raw};
use abi::Errno;
use abi::types::sock;

/// `socketpair(2)`: two sockets that are connected; `kind` may hold `sock::CLOEXEC` and `sock::NONBLOCK`.
pub fn pair(kind: u32) -> SysResult<(i32, i32)> {
    let mut fds = [0i32; 2];
    // SAFETY: the kernel writes two descriptors.
    done(unsafe { raw::socketpair(sock::AF_UNIX, kind, 0, fds.as_mut_ptr().cast()) })?;
    Ok((fds[0], fds[1]))
}

/// `socket(2)`.
pub fn socket(kind: u32) -> SysResult<i32> {
    // SAFETY: no pointers.
    check(unsafe { raw::socket(sock::AF_UNIX, kind, 0) }).map(|fd| fd as i32)
}

/// A path as an address.
fn address(path: &[u8]) -> SysResult<Vec<u8>> {
    if path.len() + 2 > sock::ADDR_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    Ok([&(sock::AF_UNIX as u16).to_le_bytes(), path].concat())
}

/// `bind(2)`; a path that begins with a NUL is an abstract name.
pub fn bind(fd: i32, path: &[u8]) -> SysResult<()> {
    let addr = address(path)?;
    // SAFETY: the kernel reads the address.
    done(unsafe { raw::bind(fd, addr.as_ptr(), addr.len() as u32) })
}

/// `listen(2)`.
pub fn listen(fd: i32, backlog: i32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::listen(fd, backlog) })
}

/// `accept4(2)`.
pub fn accept(fd: i32, flags: u32) -> SysResult<i32> {
    let none = std::ptr::null_mut();
    // SAFETY: it is not asked for an address.
    check(unsafe { raw::accept4(fd, none, none, flags) }).map(|fd| fd as i32)
}

/// `connect(2)`.
pub fn connect(fd: i32, path: &[u8]) -> SysResult<()> {
    let addr = address(path)?;
    // SAFETY: the kernel reads the address.
    done(unsafe { raw::connect(fd, addr.as_ptr(), addr.len() as u32) })
}

/// `shutdown(2)`: `sock::SHUT_RD`, `SHUT_WR` or both.
pub fn shutdown(fd: i32, how: u32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::shutdown(fd, how) })
}

/// `send(2)`.
pub fn send(fd: i32, buf: &[u8], flags: u32) -> SysResult<usize> {
    // SAFETY: the kernel reads within `buf`, and there is no address.
    check(unsafe { raw::sendto(fd, buf.as_ptr(), buf.len() as u32, flags, std::ptr::null(), 0) }).map(|n| n as usize)
}

/// `recv(2)`.
pub fn recv(fd: i32, buf: &mut [u8], flags: u32) -> SysResult<usize> {
    let none = std::ptr::null_mut();
    // SAFETY: the kernel writes within `buf`, and is not asked for an address.
    check(unsafe { raw::recvfrom(fd, buf.as_mut_ptr(), buf.len() as u32, flags, none, none) }).map(|n| n as usize)
}
