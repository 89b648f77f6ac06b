//! getsockopt(2) and setsockopt(2), at SOL_SOCKET.

use core::sync::atomic::Ordering::Relaxed;

use abi::syscalls::UAddr;
use abi::types::sock;
use abi::wire::{Reader, Writer};
use abi::{Errno, SysResult};

use super::socket::Socket;
use crate::kern::proc::Lwp;

const NS_PER_S: u64 = 1_000_000_000;

/// Writes as much of an option as there is room for, and its length. ENOPROTOOPT.
pub fn sys_getsockopt(lp: &Lwp, fd: i32, level: u32, name: u32, value: UAddr, len: UAddr) -> SysResult<()> {
    let file = lp.file(fd)?;
    let socket = Socket::of(&file).ok_or(Errno::ENOTSOCK)?;
    if level != sock::SOL_SOCKET {
        return Err(Errno::ENOPROTOOPT);
    }
    let mut room = [0; 4];
    lp.machine().copyin(len, &mut room)?;
    let room = usize::try_from(i32::from_le_bytes(room)).map_err(|_| Errno::EINVAL)?;
    let mut raw = [0; 16];
    let mut w = Writer::new(&mut raw);
    put(socket, name, &mut w)?;
    let full = w.len().min(room);
    lp.machine().copyout(&raw[..full], value)?;
    lp.machine().put32(len, full as u32)
}

fn put(socket: &Socket, name: u32, w: &mut Writer<'_>) -> SysResult<()> {
    let time = |ns: u64, w: &mut Writer<'_>| _ = w.u64(ns / NS_PER_S).u64(ns % NS_PER_S / 1000);
    if name == sock::SO_ERROR {
        w.u32(socket.take_error().map_or(0, |e| e as u32));
        return Ok(());
    }
    let st = socket.state.lock();
    match name {
        sock::SO_TYPE => _ = w.u32(socket.kind),
        sock::SO_DOMAIN => _ = w.u32(sock::AF_UNIX),
        sock::SO_PROTOCOL => _ = w.u32(0),
        sock::SO_ACCEPTCONN => _ = w.u32(st.door.as_ref().is_some_and(|d| d.is_open()) as u32),
        sock::SO_SNDBUF => _ = w.u32(st.output.as_ref().map_or(super::flow::LIMIT_MAX, |f| f.limit()) as u32),
        sock::SO_RCVBUF => _ = w.u32(st.input.as_ref().map_or(super::flow::LIMIT_MAX, |f| f.limit()) as u32),
        sock::SO_RCVTIMEO => time(st.receive_timeout_ns, w),
        sock::SO_SNDTIMEO => time(st.send_timeout_ns, w),
        sock::SO_PASSCRED => _ = w.u32(st.pass_cred as u32),
        sock::SO_PEERCRED => _ = w.i32(st.peer.pid).u32(st.peer.uid).u32(st.peer.gid),
        sock::SO_REUSEADDR | sock::SO_BROADCAST | sock::SO_KEEPALIVE => _ = w.u32(0),
        sock::SO_LINGER => _ = w.u64(0),
        _ => return Err(Errno::ENOPROTOOPT),
    }
    Ok(())
}

/// Those of other families are taken and do nothing. EINVAL when it is too short, EDOM, ENOPROTOOPT.
pub fn sys_setsockopt(lp: &Lwp, fd: i32, level: u32, name: u32, value: UAddr, len: u32) -> SysResult<()> {
    let file = lp.file(fd)?;
    let socket = Socket::of(&file).ok_or(Errno::ENOTSOCK)?;
    if level != sock::SOL_SOCKET {
        return Err(Errno::ENOPROTOOPT);
    }
    let mut raw = [0; 16];
    let have = (len as usize).min(raw.len());
    lp.machine().copyin(value, &mut raw[..have])?;
    let mut r = Reader::new(&raw[..have]);
    match name {
        sock::SO_RCVTIMEO | sock::SO_SNDTIMEO => {
            let (s, us) = (r.u64()?, r.u64()?);
            if us >= 1_000_000 {
                return Err(Errno::EDOM);
            }
            // A negative time is none, as Linux has it.
            let ns = if s > i64::MAX as u64 { 0 } else { s.saturating_mul(NS_PER_S).saturating_add(us * 1000) };
            let mut st = socket.state.lock();
            *(if name == sock::SO_RCVTIMEO { &mut st.receive_timeout_ns } else { &mut st.send_timeout_ns }) = ns;
        }
        sock::SO_SNDBUF | sock::SO_RCVBUF => {
            let bytes = r.u32()? as usize;
            let flow = {
                let st = socket.state.lock();
                if name == sock::SO_SNDBUF { st.output.clone() } else { st.input.clone() }
            };
            if let Some(flow) = flow {
                flow.set_limit(bytes);
            }
        }
        sock::SO_PASSCRED => {
            let on = r.u32()? != 0;
            let mut st = socket.state.lock();
            st.pass_cred = on;
            if let Some(flow) = &st.input {
                flow.wants_sender.store(on, Relaxed);
            }
        }
        sock::SO_REUSEADDR | sock::SO_BROADCAST | sock::SO_KEEPALIVE | sock::SO_LINGER => _ = r.u32()?,
        _ => return Err(Errno::ENOPROTOOPT),
    }
    Ok(())
}
