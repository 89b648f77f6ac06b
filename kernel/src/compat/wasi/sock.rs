//! Sockets: there are none yet, which is ENOTSUP for any descriptor that is open.

use abi::syscalls::UAddr;
use abi::{Errno, SysResult};

use crate::kern::proc::Lwp;

fn none(lp: &Lwp, fd: i32) -> SysResult<()> {
    lp.file(fd)?;
    Err(Errno::ENOTSUP)
}

pub fn sock_accept(lp: &Lwp, fd: i32, _flags: u32, _accepted: UAddr) -> SysResult<()> {
    none(lp, fd)
}

pub fn sock_recv(
    lp: &Lwp,
    fd: i32,
    _iovs: UAddr,
    _n: u32,
    _flags: u32,
    _nread: UAddr,
    _ro_flags: UAddr,
) -> SysResult<()> {
    none(lp, fd)
}

pub fn sock_send(lp: &Lwp, fd: i32, _iovs: UAddr, _n: u32, _flags: u32, _nwritten: UAddr) -> SysResult<()> {
    none(lp, fd)
}

pub fn sock_shutdown(lp: &Lwp, fd: i32, _how: u32) -> SysResult<()> {
    none(lp, fd)
}
