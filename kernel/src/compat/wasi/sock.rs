//! Sockets of WASI: what preview 1 has of them, over `kernel::net`.

use abi::syscalls::UAddr;
use abi::types::sock;
use abi::{Errno, SysResult};

use super::iov;
use super::types::fdflags;
use crate::kern::proc::Lwp;
use crate::net::connect;
use crate::net::socket::Socket;
use crate::net::transfer::{Ancillary, receive_pieces, send_pieces};

/// `riflags` and `roflags`.
const RECV_PEEK: u32 = 1;
const RECV_WAITALL: u32 = 2;
const DATA_TRUNCATED: u32 = 1;

/// `fdflags` may say NONBLOCK. ENOTSOCK, and as accept(2).
pub fn sock_accept(lp: &Lwp, fd: i32, flags: u32, accepted: UAddr) -> SysResult<()> {
    let file = lp.file(fd)?;
    let socket = Socket::of(&file).ok_or(Errno::ENOTSOCK)?;
    let flags = if flags & fdflags::NONBLOCK != 0 { sock::NONBLOCK } else { 0 };
    let (new, _) = connect::accept(lp, &file, socket, flags)?;
    lp.machine().put32(accepted, new as u32).inspect_err(|_| drop(lp.proc.files.remove(new)))
}

pub fn sock_recv(lp: &Lwp, fd: i32, iovs: UAddr, n: u32, flags: u32, nread: UAddr, ro_flags: UAddr) -> SysResult<()> {
    let file = lp.file(fd)?;
    if flags & !(RECV_PEEK | RECV_WAITALL) != 0 {
        return Err(Errno::EINVAL);
    }
    let peek = if flags & RECV_PEEK != 0 { sock::MSG_PEEK } else { 0 };
    let all = if flags & RECV_WAITALL != 0 { sock::MSG_WAITALL } else { 0 };
    let (done, got) = iov::with(lp, iovs, n, |v| receive_pieces(lp, &file, v, peek | all))?;
    lp.kernel.sockets.flight.close(got.rights);
    lp.machine().put32(nread, done as u32)?;
    let cut = if got.flags & sock::MSG_TRUNC != 0 { DATA_TRUNCATED } else { 0 };
    lp.machine().copyout(&(cut as u16).to_le_bytes(), ro_flags)
}

/// There are no flags yet: EINVAL.
pub fn sock_send(lp: &Lwp, fd: i32, iovs: UAddr, n: u32, flags: u32, nwritten: UAddr) -> SysResult<()> {
    let file = lp.file(fd)?;
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let done = iov::with(lp, iovs, n, |v| send_pieces(lp, &file, v, 0, None, Ancillary::default()))?;
    lp.machine().put32(nwritten, done as u32)
}

/// `sdflags` are the bits of `sock::SHUT_RD` and `SHUT_WR`.
pub fn sock_shutdown(lp: &Lwp, fd: i32, how: u32) -> SysResult<()> {
    crate::net::calls::sys_shutdown(lp, fd, how)
}
