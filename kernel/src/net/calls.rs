//! The calls about sockets that have no bytes to move.

use alloc::sync::Arc;

use abi::syscalls::UAddr;
use abi::types::sock;
use abi::{Errno, SysResult};

use super::connect::{self, copy_name, put_name};
use super::socket::Socket;
use crate::kern::proc::Lwp;
use crate::vfs::file::File;

/// A type with its flags, apart. EAFNOSUPPORT, EPROTONOSUPPORT, EINVAL.
fn decode(domain: u32, kind: u32, protocol: u32) -> SysResult<(u32, u32)> {
    if domain != sock::AF_UNIX {
        return Err(Errno::EAFNOSUPPORT);
    }
    let flags = kind & (sock::NONBLOCK | sock::CLOEXEC);
    let kind = kind & !flags;
    if protocol != 0 && protocol != sock::AF_UNIX || ![sock::STREAM, sock::DGRAM, sock::SEQPACKET].contains(&kind) {
        return Err(Errno::EPROTONOSUPPORT);
    }
    Ok((kind, flags))
}

pub fn sys_socket(lp: &Lwp, domain: u32, kind: u32, protocol: u32) -> SysResult<i32> {
    lp.machine().admit()?;
    let (kind, flags) = decode(domain, kind, protocol)?;
    lp.add_file(Socket::new(lp, kind).file(flags), flags & sock::CLOEXEC != 0)
}

/// socketpair(2): two descriptors.
pub fn sys_socketpair(lp: &Lwp, domain: u32, kind: u32, protocol: u32, fds: UAddr) -> SysResult<()> {
    lp.machine().admit()?;
    let (kind, flags) = decode(domain, kind, protocol)?;
    let cloexec = flags & sock::CLOEXEC != 0;
    let (a, b) = connect::pair(lp, kind, flags);
    let a = lp.add_file(a, cloexec)?;
    let both = lp.add_file(b, cloexec).and_then(|b| {
        let told = lp.machine().put32(fds, a as u32).and_then(|()| lp.machine().put32(fds.offset(4), b as u32));
        told.inspect_err(|_| drop(lp.proc.files.remove(b)))
    });
    both.inspect_err(|_| drop(lp.proc.files.remove(a)))
}

/// Runs `f` on the socket behind a descriptor. EBADF, ENOTSOCK.
fn with<T>(lp: &Lwp, fd: i32, f: impl FnOnce(&Arc<File>, &Socket) -> SysResult<T>) -> SysResult<T> {
    let file = lp.file(fd)?;
    f(&file, Socket::of(&file).ok_or(Errno::ENOTSOCK)?)
}

pub fn sys_bind(lp: &Lwp, fd: i32, addr: UAddr, len: u32) -> SysResult<()> {
    with(lp, fd, |_, s| connect::bind(lp, s, copy_name(lp, addr, len)?.ok_or(Errno::EINVAL)?))
}

pub fn sys_listen(lp: &Lwp, fd: i32, backlog: i32) -> SysResult<()> {
    with(lp, fd, |_, s| connect::listen(lp, s, backlog))
}

pub fn sys_connect(lp: &Lwp, fd: i32, addr: UAddr, len: u32) -> SysResult<()> {
    with(lp, fd, |file, s| connect::connect(lp, file, s, copy_name(lp, addr, len)?))
}

/// accept4(2); `addr` and `len` may be null.
pub fn sys_accept4(lp: &Lwp, fd: i32, addr: UAddr, len: UAddr, flags: u32) -> SysResult<i32> {
    if flags & !(sock::NONBLOCK | sock::CLOEXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    with(lp, fd, |file, s| {
        let (new, name) = connect::accept(lp, file, s, flags)?;
        put_name(lp, &name, addr, len).inspect_err(|_| drop(lp.proc.files.remove(new)))?;
        Ok(new)
    })
}

pub fn sys_getsockname(lp: &Lwp, fd: i32, addr: UAddr, len: UAddr) -> SysResult<()> {
    with(lp, fd, |_, s| {
        let name = s.state.lock().name.clone();
        put_name(lp, &name, addr, len)
    })
}

/// getpeername(2). ENOTCONN.
pub fn sys_getpeername(lp: &Lwp, fd: i32, addr: UAddr, len: UAddr) -> SysResult<()> {
    with(lp, fd, |_, s| {
        let name = {
            let st = s.state.lock();
            st.output.as_ref().map(|_| st.peer_name.clone()).ok_or(Errno::ENOTCONN)?
        };
        put_name(lp, &name, addr, len)
    })
}

/// shutdown(2): `sock::SHUT_RD`, `SHUT_WR` or both.
pub fn sys_shutdown(lp: &Lwp, fd: i32, how: u32) -> SysResult<()> {
    with(lp, fd, |_, s| {
        if how == 0 || how & !(sock::SHUT_RD | sock::SHUT_WR) != 0 {
            return Err(Errno::EINVAL);
        }
        s.shutdown(how)
    })
}
