//! sendmsg(2) and recvmsg(2), and what is made of them.

use alloc::vec::Vec;

use abi::syscalls::UAddr;
use abi::types::{o, sig, sock};
use abi::wire::Reader;
use abi::{Errno, SysResult};

use super::connect::{self, copy_name, put_name};
use super::flow::{Got, Patience, Peer};
use super::inflight::Rights;
use super::socket::Socket;
use super::{Bound, Name};
use crate::compat::wasi::iov;
use crate::kern::descrip::Slot;
use crate::kern::proc::Lwp;
use crate::kern::sig::psignal;
use crate::uio::{Iovec, Uio};
use crate::vfs::file::File;

/// `struct msghdr` and `struct cmsghdr` of the C library.
const MSGHDR: usize = 28;
const CMSGHDR: usize = 12;
/// Control data that a message may have, at most.
const CONTROL_MAX: usize = 4096;

/// What goes with the bytes of a message.
#[derive(Default)]
pub struct Ancillary {
    rights: Rights,
    /// Who the sender says that it is, as it may.
    cred: Option<Peer>,
}

/// Sends all of `uio`, to a name or to whom the socket is connected to.
pub fn send(socket: &Socket, uio: &mut Uio<'_>, nonblock: bool, to: Option<&Name>, with: Ancillary) -> SysResult<()> {
    let (flow, mut sender, timeout_ns) = match to {
        None => socket.sending()?,
        Some(_) if socket.kind != sock::DGRAM => {
            let connected = socket.state.lock().output.is_some();
            return Err(if connected { Errno::EISCONN } else { Errno::ENOTSUP });
        }
        Some(name) => {
            let Bound::Inbox(flow) = connect::find(uio.lwp(), name)? else { return Err(Errno::EPROTOTYPE) };
            let st = socket.state.lock();
            (flow, st.sender(), st.send_timeout_ns)
        }
    };
    let cred = &uio.lwp().proc.cred;
    sender.explicit = with.cred.is_some();
    sender.cred = with.cred.unwrap_or(Peer { pid: uio.lwp().proc.pid, uid: cred.uid(), gid: cred.gid() });
    let mut rights = with.rights;
    if !rights.is_empty() {
        flow.flight().depart(&rights, &flow)?;
    }
    let sent = flow.send(uio, Patience { nonblock, timeout_ns }, &mut rights, &sender);
    flow.flight().close(rights);
    match sent {
        // A receiver of datagrams that has gone is nobody's broken pipe.
        Err(Errno::EPIPE) if socket.kind == sock::DGRAM => Err(Errno::ECONNREFUSED),
        sent => sent,
    }
}

/// How a `send` of so many bytes ended, and SIGPIPE.
fn sent(lp: &Lwp, uio: &Uio<'_>, asked: usize, flags: u32, done: SysResult<()>) -> SysResult<usize> {
    match done {
        Err(e) if uio.resid == asked => {
            if e == Errno::EPIPE && flags & sock::MSG_NOSIGNAL == 0 {
                psignal(&lp.kernel, &lp.proc, sig::PIPE);
            }
            Err(e)
        }
        _ => Ok(asked - uio.resid),
    }
}

fn nonblock(file: &File, flags: u32) -> bool {
    flags & sock::MSG_DONTWAIT != 0 || file.flags() & o::NONBLOCK != 0
}

/// send(2) of pieces of user memory.
pub fn send_pieces(
    lp: &Lwp,
    file: &File,
    iovs: &[Iovec],
    flags: u32,
    to: Option<&Name>,
    with: Ancillary,
) -> SysResult<usize> {
    const KNOWN: u32 = sock::MSG_DONTWAIT | sock::MSG_NOSIGNAL | sock::MSG_EOR | sock::MSG_MORE;
    if flags & !KNOWN != 0 {
        return Err(Errno::ENOTSUP);
    }
    let socket = Socket::of(file).ok_or(Errno::ENOTSOCK)?;
    let mut uio = Uio::user(lp, iovs, 0)?;
    let asked = uio.resid;
    let done = send(socket, &mut uio, nonblock(file, flags), to, with);
    sent(lp, &uio, asked, flags, done)
}

/// recv(2) into pieces of user memory: how many bytes, and what came with them. With MSG_TRUNC a message's
/// true length.
pub fn receive_pieces(lp: &Lwp, file: &File, iovs: &[Iovec], flags: u32) -> SysResult<(usize, Got)> {
    let socket = Socket::of(file).ok_or(Errno::ENOTSOCK)?;
    let mut uio = Uio::user(lp, iovs, 0)?;
    let asked = uio.resid;
    let got = socket.receive(&mut uio, nonblock(file, flags), flags)?;
    let moved = asked - uio.resid;
    Ok((if flags & sock::MSG_TRUNC != 0 && socket.messages() { got.len } else { moved }, got))
}

/// sendto(2); `addr` may be null.
pub fn sys_sendto(lp: &Lwp, fd: i32, buf: UAddr, len: u32, flags: u32, addr: UAddr, addr_len: u32) -> SysResult<usize> {
    let file = lp.file(fd)?;
    Socket::of(&file).ok_or(Errno::ENOTSOCK)?;
    let to = match addr {
        UAddr::NULL => None,
        _ => Some(copy_name(lp, addr, addr_len)?.ok_or(Errno::EINVAL)?),
    };
    let one = [Iovec { base: buf, len: len as usize }];
    send_pieces(lp, &file, &one, flags, to.as_ref(), Ancillary::default())
}

/// recvfrom(2); `addr` and `addr_len` may be null.
pub fn sys_recvfrom(
    lp: &Lwp,
    fd: i32,
    buf: UAddr,
    len: u32,
    flags: u32,
    addr: UAddr,
    addr_len: UAddr,
) -> SysResult<usize> {
    let file = lp.file(fd)?;
    let (n, got) = receive_pieces(lp, &file, &[Iovec { base: buf, len: len as usize }], flags)?;
    lp.kernel.sockets.flight.close(got.rights);
    match got.from {
        Some(from) if !from.is_empty() => put_name(lp, &from, addr, addr_len)?,
        // Nobody that could be answered.
        _ if addr != UAddr::NULL && addr_len != UAddr::NULL => lp.machine().put32(addr_len, 0)?,
        _ => {}
    }
    Ok(n)
}

/// What of a `struct msghdr` is used.
struct Message {
    name: UAddr,
    name_len: u32,
    iovs: UAddr,
    iov_count: u32,
    control: UAddr,
    control_len: u32,
}

fn copy_message(lp: &Lwp, at: UAddr) -> SysResult<Message> {
    let mut raw = [0; MSGHDR];
    lp.machine().copyin(at, &mut raw)?;
    let mut r = Reader::new(&raw);
    let mut word = || r.u32();
    let m = Message {
        name: UAddr(word()?),
        name_len: word()?,
        iovs: UAddr(word()?),
        iov_count: word()?,
        control: UAddr(word()?),
        control_len: word()?,
    };
    // EMSGSIZE is what sendmsg(2) has for too many pieces.
    if m.iov_count as usize > abi::types::limits::IOV_MAX { Err(Errno::EMSGSIZE) } else { Ok(m) }
}

/// Credentials are three numbers: process, user, group.
const UCRED: usize = 12;

/// Who the caller may say that it is: itself, with any of its ids. EPERM; EINVAL when they are cut short.
fn check_cred(lp: &Lwp, raw: &[u8]) -> SysResult<Peer> {
    if raw.len() != UCRED {
        return Err(Errno::EINVAL);
    }
    let mut r = Reader::new(raw);
    let peer = Peer { pid: r.i32()?, uid: r.u32()?, gid: r.u32()? };
    let cred = &lp.proc.cred;
    let own = peer.pid == lp.proc.pid && cred.uids().contains(&peer.uid) && cred.gids().contains(&peer.gid);
    if own || cred.euid() == 0 { Ok(peer) } else { Err(Errno::EPERM) }
}

/// A message's control data. EINVAL, EBADF, EPERM.
fn copy_control(lp: &Lwp, m: &Message) -> SysResult<Ancillary> {
    let mut found = Ancillary::default();
    let len = m.control_len as usize;
    if m.control == UAddr::NULL || len < CMSGHDR {
        return Ok(found);
    }
    if len > CONTROL_MAX {
        return Err(Errno::EINVAL);
    }
    let mut raw = Vec::new();
    raw.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    raw.resize(len, 0);
    lp.machine().copyin(m.control, &mut raw)?;
    let mut rest = &raw[..];
    while rest.len() >= CMSGHDR {
        let mut r = Reader::new(rest);
        let (size, level, kind) = (r.u32()? as usize, r.u32()?, r.u32()?);
        if size < CMSGHDR || size > rest.len() || level != sock::SOL_SOCKET {
            return Err(Errno::EINVAL);
        }
        match kind {
            sock::SCM_RIGHTS => {
                for fd in rest[CMSGHDR..size].as_chunks::<4>().0 {
                    found.rights.push(lp.file(i32::from_le_bytes(*fd))?)?;
                }
            }
            sock::SCM_CREDENTIALS => found.cred = Some(check_cred(lp, &rest[CMSGHDR..size])?),
            _ => return Err(Errno::EINVAL),
        }
        rest = rest.get(size.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(found)
}

/// sendmsg(2).
pub fn sys_sendmsg(lp: &Lwp, fd: i32, message: UAddr, flags: u32) -> SysResult<usize> {
    let file = lp.file(fd)?;
    Socket::of(&file).ok_or(Errno::ENOTSOCK)?;
    let m = copy_message(lp, message)?;
    let to = match m.name {
        UAddr::NULL => None,
        _ if m.name_len == 0 => None,
        addr => Some(copy_name(lp, addr, m.name_len)?.ok_or(Errno::EINVAL)?),
    };
    let with = copy_control(lp, &m)?;
    if !with.rights.is_empty() {
        lp.machine().admit()?;
    }
    pieces(lp, m.iovs, m.iov_count, |iovs| send_pieces(lp, &file, iovs, flags, to.as_ref(), with))
}

/// A list of pieces that may be empty.
fn pieces<T>(lp: &Lwp, iovs: UAddr, n: u32, f: impl FnOnce(&[Iovec]) -> SysResult<T>) -> SysResult<T> {
    if n == 0 { f(&[]) } else { iov::with(lp, iovs, n, f) }
}

/// recvmsg(2). Descriptors that there is no room for are closed, which MSG_CTRUNC tells.
pub fn sys_recvmsg(lp: &Lwp, fd: i32, message: UAddr, flags: u32) -> SysResult<usize> {
    let file = lp.file(fd)?;
    let m = copy_message(lp, message)?;
    let (n, mut got) = pieces(lp, m.iovs, m.iov_count, |iovs| receive_pieces(lp, &file, iovs, flags))?;
    let rights = core::mem::take(&mut got.rights);
    let asked = Socket::of(&file).is_some_and(|s| s.state.lock().pass_cred);
    let (first, short) = if asked { put_cred(lp, &m, got.cred) } else { (0, false) };
    let rest = Message { control: m.control.offset(first as usize), control_len: m.control_len - first, ..m };
    let (more, cut) = install(lp, &rest, rights, flags & sock::MSG_CMSG_CLOEXEC != 0);
    let (control_len, cut) = (first + more, cut || short);
    if m.name != UAddr::NULL {
        let from = got.from.unwrap_or_default();
        let (raw, len) = connect::encode(&from);
        let len = if from.is_empty() { 0 } else { len };
        lp.machine().copyout(&raw[..len.min(m.name_len as usize)], m.name)?;
        lp.machine().put32(message.offset(4), len as u32)?;
    }
    lp.machine().put32(message.offset(20), control_len)?;
    lp.machine().put32(message.offset(24), got.flags | if cut { sock::MSG_CTRUNC } else { 0 })?;
    Ok(n)
}

/// Tells the caller who has sent; answers how long that is, or that there was no room. Of what was sent before
/// anybody asked, nobody (unix(7)).
fn put_cred(lp: &Lwp, m: &Message, cred: Option<Peer>) -> (u32, bool) {
    const NOBODY: Peer = Peer { pid: 0, uid: 65534, gid: 65534 };
    const LEN: usize = CMSGHDR + UCRED;
    if m.control == UAddr::NULL || (m.control_len as usize) < LEN {
        return (0, true);
    }
    let Peer { pid, uid, gid } = cred.unwrap_or(NOBODY);
    let mut raw = [0; LEN];
    let mut w = abi::wire::Writer::new(&mut raw);
    w.u32(LEN as u32).u32(sock::SOL_SOCKET).u32(sock::SCM_CREDENTIALS).i32(pid).u32(uid).u32(gid);
    if lp.machine().copyout(&raw, m.control).is_ok() { (LEN as u32, false) } else { (0, true) }
}

/// Gives the caller descriptors of what it has received, as many as its control buffer, its table and its
/// limit take. How long the control data is, and whether some were closed.
fn install(lp: &Lwp, m: &Message, rights: Rights, cloexec: bool) -> (u32, bool) {
    if rights.is_empty() {
        return (0, false);
    }
    let flight = &lp.kernel.sockets.flight;
    flight.arrive(&rights);
    let room = if m.control == UAddr::NULL { 0 } else { (m.control_len as usize).saturating_sub(CMSGHDR) / 4 };
    let mut given = 0;
    let mut rest = rights.take().into_iter();
    while given < room {
        let Some(file) = rest.next() else { break };
        let slot = Slot::new(file, cloexec);
        let Ok(fd) = lp.proc.files.add(slot, 0, lp.proc.limits.nofile()) else {
            return (header(lp, m, given), true);
        };
        if lp.machine().put32(m.control.offset(CMSGHDR + given * 4), fd as u32).is_err() {
            drop(lp.proc.files.remove(fd));
            return (header(lp, m, given), true);
        }
        given += 1;
    }
    (header(lp, m, given), rest.len() > 0)
}

/// Writes the header of so many descriptors; answers the length of all.
fn header(lp: &Lwp, m: &Message, given: usize) -> u32 {
    if given == 0 {
        return 0;
    }
    let len = (CMSGHDR + given * 4) as u32;
    let mut raw = [0; CMSGHDR];
    abi::wire::Writer::new(&mut raw).u32(len).u32(sock::SOL_SOCKET).u32(sock::SCM_RIGHTS);
    // It was writable behind it.
    let _ = lp.machine().copyout(&raw, m.control);
    len
}
