//! How sockets find each other: names, bind, listen, connect, accept.

use alloc::sync::Arc;

use core::sync::atomic::Ordering::Relaxed;

use abi::syscalls::UAddr;
use abi::types::{access, mode, o, sock};
use abi::{Errno, SysResult};

use super::door::{Door, Pending};
use super::flow::{Flow, Patience, Peer};
use super::socket::Socket;
use super::{Bound, Key, Name};
use crate::kern::descrip::Slot;
use crate::kern::proc::Lwp;
use crate::vfs::file::File;
use crate::vfs::lookup::{At, Start, namei};
use crate::vfs::names::make_node;
use crate::vfs::vnode::VnodeRef;

/// An address of a program's: the family, then the path. None for AF_UNSPEC. EINVAL, EAFNOSUPPORT.
pub fn copy_name(lp: &Lwp, addr: UAddr, len: u32) -> SysResult<Option<Name>> {
    lp.machine().admit()?;
    let len = len as usize;
    if !(2..=sock::ADDR_MAX).contains(&len) {
        return Err(Errno::EINVAL);
    }
    let mut raw = [0; sock::ADDR_MAX];
    lp.machine().copyin(addr, &mut raw[..len])?;
    match u16::from_le_bytes([raw[0], raw[1]]) {
        0 => return Ok(None),
        family if family as u32 == sock::AF_UNIX => {}
        _ => return Err(Errno::EAFNOSUPPORT),
    }
    let path = &raw[2..len];
    let end = match path.first() {
        // An abstract name is as long as it is said to be.
        Some(0) => path.len(),
        _ => path.iter().position(|&b| b == 0).unwrap_or(path.len()),
    };
    Ok(Some(Name::from(&path[..end])))
}

/// Tells an address: as much as there is room for, and how long it is. Both pointers may be null.
pub fn put_name(lp: &Lwp, name: &Name, addr: UAddr, len: UAddr) -> SysResult<()> {
    if addr == UAddr::NULL || len == UAddr::NULL {
        return Ok(());
    }
    let mut room = [0; 4];
    lp.machine().copyin(len, &mut room)?;
    let room = i32::from_le_bytes(room);
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    let (raw, full) = encode(name);
    lp.machine().copyout(&raw[..full.min(room)], addr)?;
    lp.machine().put32(len, full as u32)
}

/// An address as programs have it, and its length: a path has its NUL with it.
pub fn encode(name: &Name) -> ([u8; sock::ADDR_MAX + 1], usize) {
    let mut raw = [0; sock::ADDR_MAX + 1];
    raw[..2].copy_from_slice(&(sock::AF_UNIX as u16).to_le_bytes());
    raw[2..2 + name.len()].copy_from_slice(name);
    let nul = name.first().is_some_and(|&b| b != 0) as usize;
    (raw, 2 + name.len() + nul)
}

fn key_of(lp: &Lwp, vp: &VnodeRef) -> SysResult<Key> {
    Ok(Key::Inode(vp.head().mount.dev, vp.getattr(lp)?.ino))
}

fn here(path: &[u8]) -> At<'_> {
    At { start: Start::Cwd, path, follow: true, beneath: false }
}

/// Who listens or sends at a name. ECONNREFUSED when nobody does; errors of paths.
pub fn find(lp: &Lwp, name: &Name) -> SysResult<Bound> {
    let key = match name.first() {
        None => return Err(Errno::EINVAL),
        Some(0) => Key::Abstract(name.clone()),
        Some(_) => {
            let vp = namei(lp, &here(name))?;
            if vp.kind() != mode::IFSOCK {
                return Err(Errno::ECONNREFUSED);
            }
            lp.proc.cred.access(&vp.owner(), access::W_OK)?;
            key_of(lp, &vp)?
        }
    };
    lp.kernel.sockets.find(&key).ok_or(Errno::ECONNREFUSED)
}

/// bind(2). EINVAL for one that has a name, EADDRINUSE, errors of paths.
pub fn bind(lp: &Lwp, socket: &Socket, name: Name) -> SysResult<()> {
    if socket.state.lock().bound.is_some() || name.is_empty() {
        return Err(Errno::EINVAL);
    }
    let (key, node) = if name[0] == 0 {
        (Key::Abstract(name.clone()), None)
    } else {
        let made = make_node(lp, &here(&name), mode::IFSOCK | 0o777, 0);
        let vp = made.map_err(|e| if e == Errno::EEXIST { Errno::EADDRINUSE } else { e })?;
        (key_of(lp, &vp)?, Some(vp))
    };
    let mut st = socket.state.lock();
    if st.bound.is_some() {
        return Err(Errno::EINVAL);
    }
    let (door, bound) = match &st.input {
        Some(inbox) if socket.kind == sock::DGRAM => (None, Bound::Inbox(inbox.clone())),
        _ => {
            let door = Door::new(socket.kind, name.clone());
            (Some(door.clone()), Bound::Door(door))
        }
    };
    socket.registry.bind(key.clone(), bound)?;
    (st.name, st.bound, st.door) = (name, Some((key, node)), door);
    Ok(())
}

fn me(lp: &Lwp) -> Peer {
    let cred = &lp.proc.cred;
    Peer { pid: lp.proc.pid, uid: cred.euid(), gid: cred.egid() }
}

/// listen(2). ENOTSUP for datagrams, EINVAL without a name or when it is connected.
pub fn listen(lp: &Lwp, socket: &Socket, backlog: i32) -> SysResult<()> {
    if socket.kind == sock::DGRAM {
        return Err(Errno::ENOTSUP);
    }
    let door = {
        let st = socket.state.lock();
        if st.output.is_some() || st.connecting {
            return Err(Errno::EINVAL);
        }
        st.door.clone().ok_or(Errno::EINVAL)?
    };
    // A negative one is a mistake that Linux takes for many.
    let backlog = usize::try_from(backlog).unwrap_or(sock::SOMAXCONN).min(sock::SOMAXCONN);
    door.open(backlog, me(lp));
    Ok(())
}

/// connect(2) to a name, None to undo that of a datagram socket.
pub fn connect(lp: &Lwp, file: &File, socket: &Socket, name: Option<Name>) -> SysResult<()> {
    if socket.kind == sock::DGRAM {
        return connect_datagrams(lp, socket, name);
    }
    let name = name.ok_or(Errno::EINVAL)?;
    let (own, timeout_ns) = {
        let mut st = socket.state.lock();
        st.check_fresh()?;
        st.connecting = true;
        (st.name.clone(), st.send_timeout_ns)
    };
    let wait = Patience { nonblock: file.flags() & o::NONBLOCK != 0, timeout_ns };
    let made = knock(lp, socket, &name, own, wait);
    let mut st = socket.state.lock();
    st.connecting = false;
    let (input, output, peer, name) = made?;
    (st.input, st.output, st.peer, st.peer_name) = (Some(input), Some(output), peer, name);
    Ok(())
}

/// A connection to a name: what is received from, what is sent into, who is there, and its name.
fn knock(
    lp: &Lwp,
    socket: &Socket,
    name: &Name,
    own: Name,
    wait: Patience,
) -> SysResult<(Arc<Flow>, Arc<Flow>, Peer, Name)> {
    let Bound::Door(door) = find(lp, name)? else { return Err(Errno::EPROTOTYPE) };
    if door.kind != socket.kind {
        return Err(Errno::EPROTOTYPE);
    }
    let flow = || Flow::new(&socket.registry, socket.messages());
    let (there, back) = (flow(), flow());
    // Who accepts it has not been able to ask.
    there.wants_sender.store(true, Relaxed);
    back.wants_sender.store(socket.state.lock().pass_cred, Relaxed);
    let pending = Pending { input: there.clone(), output: back.clone(), name: own, peer: me(lp) };
    let peer = door.knock(lp, wait, pending)?;
    Ok((back, there, peer, door.name.clone()))
}

fn connect_datagrams(lp: &Lwp, socket: &Socket, name: Option<Name>) -> SysResult<()> {
    let inbox = match &name {
        Some(name) => match find(lp, name)? {
            Bound::Inbox(inbox) => Some(inbox),
            Bound::Door(_) => return Err(Errno::EPROTOTYPE),
        },
        None => None,
    };
    let own = {
        let mut st = socket.state.lock();
        st.peer_name = name.unwrap_or_default();
        st.output = inbox.clone();
        st.input.clone()
    };
    if let Some(own) = own {
        own.set_only(inbox.map_or(0, |f| Arc::as_ptr(&f) as usize));
    }
    Ok(())
}

/// Two sockets that are connected to each other.
pub fn pair(lp: &Lwp, kind: u32, flags: u32) -> (Arc<File>, Arc<File>) {
    let (a, b) = (Socket::new(lp, kind), Socket::new(lp, kind));
    let flow = |s: &Socket| s.state.lock().input.clone().unwrap_or_else(|| Flow::new(&s.registry, s.messages()));
    let (to_a, to_b) = (flow(&a), flow(&b));
    for (s, input, output) in [(&a, &to_a, &to_b), (&b, &to_b, &to_a)] {
        let mut st = s.state.lock();
        (st.input, st.output, st.peer) = (Some(input.clone()), Some(output.clone()), me(lp));
        if kind == sock::DGRAM {
            input.set_only(Arc::as_ptr(output) as usize);
        }
    }
    (a.file(flags), b.file(flags))
}

/// accept(2): the descriptor, and who has connected.
pub fn accept(lp: &Lwp, listener: &Arc<File>, socket: &Socket, flags: u32) -> SysResult<(i32, Name)> {
    if socket.kind == sock::DGRAM {
        return Err(Errno::ENOTSUP);
    }
    let (door, timeout_ns) = {
        let st = socket.state.lock();
        (st.door.clone().ok_or(Errno::EINVAL)?, st.receive_timeout_ns)
    };
    let wait = Patience { nonblock: listener.flags() & o::NONBLOCK != 0, timeout_ns };
    loop {
        if !door.waits()? {
            wait.wait(lp, &door.came, || door.waits().unwrap_or(true).then_some(()))?;
            continue;
        }
        lp.machine().admit()?;
        // The descriptor first: without one the connection must not be lost.
        let cloexec = flags & sock::CLOEXEC != 0;
        let fd = lp.add_file(listener.clone(), cloexec)?;
        let Some(Pending { input, output, name, peer }) = door.take() else {
            drop(lp.proc.files.remove(fd));
            continue;
        };
        let new = Socket::new(lp, socket.kind);
        // As on Linux, who asked at the door asks inside.
        let asks = socket.state.lock().pass_cred;
        input.wants_sender.store(asks, Relaxed);
        {
            let mut st = new.state.lock();
            st.pass_cred = asks;
            (st.input, st.output, st.peer) = (Some(input), Some(output), peer);
            (st.peer_name, st.name) = (name.clone(), door.name.clone());
        }
        let old = lp.proc.files.replace(fd, Slot::new(new.file(flags), cloexec), usize::MAX)?;
        drop(old);
        return Ok((fd, name));
    }
}
