//! A socket as a file: what it is connected to, reading and writing, poll, the end.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::syscalls::UAddr;
use abi::types::{Stat, ioctl, mode, o, poll, sock};
use abi::{Errno, SysResult};
use ksync::SpinLock;

use super::door::Door;
use super::flow::{Flow, Patience, Peer, Sender};
use super::{Key, Name, Registry};
use crate::kern::poll::Registrar;
use crate::kern::proc::Lwp;
use crate::locks;
use crate::uio::Uio;
use crate::vfs::file::File;
use crate::vfs::vnode::{Head, Owner, Vnode, VnodeRef, ioflag};

pub struct Socket {
    head: Head,
    pub registry: Arc<Registry>,
    /// `sock::STREAM`, `DGRAM`, `SEQPACKET`.
    pub kind: u32,
    ino: u64,
    uid: u32,
    gid: u32,
    made_ns: i64,
    pub state: SpinLock<State>,
}

/// What a socket is at the moment.
#[derive(Default)]
pub struct State {
    pub name: Name,
    /// What the name is registered under, and the file that keeps the number.
    pub bound: Option<(Key, Option<VnodeRef>)>,
    /// Of a stream or a seqpacket socket that has a name.
    pub door: Option<Arc<Door>>,
    /// What it receives from. A datagram socket always has one.
    pub input: Option<Arc<Flow>>,
    /// What it sends into, once it is connected.
    pub output: Option<Arc<Flow>>,
    pub peer_name: Name,
    pub peer: Peer,
    /// A `connect` is under way.
    pub connecting: bool,
    /// `shutdown` of a datagram socket, whose output is its receiver's.
    shut: bool,
    pub receive_timeout_ns: u64,
    pub send_timeout_ns: u64,
    /// SO_PASSCRED.
    pub pass_cred: bool,
    error: Option<Errno>,
}

impl Socket {
    pub fn new(lp: &Lwp, kind: u32) -> Arc<Socket> {
        let registry = lp.kernel.sockets.clone();
        let cred = &lp.proc.cred;
        let input = (kind == sock::DGRAM).then(|| Flow::new(&registry, true));
        Arc::new(Socket {
            head: Head::new(lp.kernel.mounts.anonymous(&lp.kernel)),
            registry,
            kind,
            ino: lp.kernel.next_id(),
            uid: cred.euid(),
            gid: cred.egid(),
            made_ns: lp.machine().file_time(),
            state: SpinLock::new(&locks::SOCKET, State { input, ..State::default() }),
        })
    }

    /// The open file of a new socket; `flags` are SOCK_NONBLOCK or nothing.
    pub fn file(self: Arc<Socket>, flags: u32) -> Arc<File> {
        let nonblock = if flags & sock::NONBLOCK != 0 { o::NONBLOCK } else { 0 };
        Arc::new(File::new(self, o::RDWR | nonblock))
    }

    /// The socket that a file is.
    pub fn of(file: &File) -> Option<&Socket> {
        file.vnode.as_any().downcast_ref()
    }

    pub fn messages(&self) -> bool {
        self.kind != sock::STREAM
    }

    /// What it receives from. ENOTCONN, EINVAL.
    fn input(&self) -> SysResult<(Arc<Flow>, u64)> {
        let st = self.state.lock();
        match &st.input {
            Some(flow) => Ok((flow.clone(), st.receive_timeout_ns)),
            // As Linux has it.
            None if self.kind == sock::STREAM => Err(Errno::EINVAL),
            None => Err(Errno::ENOTCONN),
        }
    }

    /// Receives; see [`Flow::receive`].
    pub fn receive(&self, uio: &mut Uio<'_>, nonblock: bool, flags: u32) -> SysResult<super::flow::Got> {
        let (flow, timeout_ns) = self.input()?;
        if uio.resid == 0 && !self.messages() {
            return Ok(Default::default());
        }
        flow.receive(uio, Patience { nonblock, timeout_ns }, flags)
    }

    /// Where it sends to, as whom. ENOTCONN.
    pub fn sending(&self) -> SysResult<(Arc<Flow>, Sender, u64)> {
        let st = self.state.lock();
        if st.shut {
            return Err(Errno::EPIPE);
        }
        let flow = st.output.clone().ok_or(Errno::ENOTCONN)?;
        Ok((flow, st.sender(), st.send_timeout_ns))
    }

    /// Tells of an error once.
    pub fn take_error(&self) -> Option<Errno> {
        let (own, input) = {
            let mut st = self.state.lock();
            (st.error.take(), st.input.clone())
        };
        own.or_else(|| input.and_then(|f| f.take_error()))
    }

    /// The flows that only this socket can receive from, or what it will accept.
    pub fn inputs(&self, out: &mut Vec<Arc<Flow>>) {
        let (input, door) = {
            let st = self.state.lock();
            (st.input.clone(), st.door.clone())
        };
        if out.try_reserve(1).is_ok() {
            out.extend(input);
        }
        if let Some(door) = door {
            door.inputs(out);
        }
    }

    /// shutdown(2). ENOTCONN.
    pub fn shutdown(&self, how: u32) -> SysResult<()> {
        let (input, output) = {
            let st = self.state.lock();
            if st.output.is_none() {
                return Err(Errno::ENOTCONN);
            }
            (st.input.clone(), st.output.clone())
        };
        if how & sock::SHUT_RD != 0
            && let Some(flow) = input
        {
            flow.refuse();
        }
        if how & sock::SHUT_WR != 0
            && let Some(flow) = output
        {
            if self.kind == sock::DGRAM {
                self.state.lock().shut = true;
            } else {
                flow.end(false);
            }
        }
        Ok(())
    }
}

impl State {
    pub fn sender(&self) -> Sender {
        let inbox = self.input.as_ref().map_or(0, |f| Arc::as_ptr(f) as usize);
        Sender { name: self.name.clone(), inbox, cred: Peer::default(), explicit: false }
    }
    /// EISCONN, EALREADY, EINVAL when it listens.
    pub fn check_fresh(&self) -> SysResult<()> {
        if self.connecting {
            return Err(Errno::EALREADY);
        }
        if self.output.is_some() {
            return Err(Errno::EISCONN);
        }
        if self.door.as_ref().is_some_and(|d| d.is_open()) { Err(Errno::EINVAL) } else { Ok(()) }
    }
}

impl Vnode for Socket {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        Owner { mode: mode::IFSOCK | 0o777, uid: self.uid, gid: self.gid }
    }
    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        Ok(Stat {
            dev: self.head.mount.dev,
            ino: self.ino,
            mode: mode::IFSOCK | 0o777,
            nlink: 1,
            uid: self.uid,
            gid: self.gid,
            blksize: 4096,
            atime_ns: self.made_ns,
            mtime_ns: self.made_ns,
            ctime_ns: self.made_ns,
            birth_ns: self.made_ns,
            ..Stat::default()
        })
    }
    /// Not through `/dev/fd`: unix(7).
    fn open(&self, _lp: &Lwp, _flags: u32) -> SysResult<Option<VnodeRef>> {
        Err(Errno::ENXIO)
    }
    fn close(&self, _flags: u32) {
        let st = core::mem::take(&mut *self.state.lock());
        if let Some((key, _)) = &st.bound {
            self.registry.unbind(key);
        }
        if let Some(door) = &st.door {
            door.close();
        }
        // POSIX says nothing of what was not read; Linux tells the other end that it was lost.
        let lost = st.input.as_ref().is_some_and(|f| f.discard());
        if let Some(output) = &st.output
            && self.kind != sock::DGRAM
        {
            output.end(lost);
        }
        drop(st);
        self.registry.flight.collect();
    }
    fn read(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        let got = self.receive(uio, flags & ioflag::NONBLOCK != 0, 0)?;
        // read(2) has no place for descriptors.
        self.registry.flight.close(got.rights);
        Ok(())
    }
    fn write(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        super::transfer::send(self, uio, flags & ioflag::NONBLOCK != 0, None, Default::default())
    }
    fn seekable(&self) -> bool {
        false
    }
    fn fsync(&self, _lp: &Lwp, _data_only: bool) -> SysResult<()> {
        Err(Errno::EINVAL)
    }
    fn poll(&self, _lp: &Lwp, events: u16, mut reg: Option<&mut Registrar>) -> u16 {
        let (input, output, door, error) = {
            let st = self.state.lock();
            (st.input.clone(), st.output.clone(), st.door.clone(), st.error.is_some())
        };
        let mut ready = if error { poll::ERR } else { 0 };
        if let Some(door) = door.filter(|d| d.is_open()) {
            if let Some(reg) = reg.as_deref_mut() {
                reg.add(&door.came);
            }
            return (ready | if door.waits() == Ok(true) { poll::IN } else { 0 }) & (events | poll::ERR);
        }
        let (mut ended, mut refused) = (false, output.is_none());
        if let Some(flow) = &input {
            if let Some(reg) = reg.as_deref_mut() {
                reg.add(&flow.readers);
            }
            let look = flow.look();
            ready |= if look.readable { poll::IN } else { 0 };
            ready |= if look.error { poll::ERR } else { 0 };
            ended = look.ended;
        }
        if let Some(flow) = &output {
            if let Some(reg) = reg {
                reg.add(&flow.writers);
            }
            let look = flow.look();
            ready |= if look.writable { poll::OUT } else { 0 };
            refused = look.ended;
        } else {
            ready |= poll::OUT;
        }
        // Of a stream that was never connected as Linux has it.
        if self.kind != sock::DGRAM && refused && (ended || input.is_none()) {
            ready |= poll::HUP;
        }
        ready & (events | poll::ERR | poll::HUP)
    }
    fn ioctl(&self, lp: &Lwp, request: u32, arg: UAddr) -> SysResult<u32> {
        if request != ioctl::FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let (flow, _) = self.input()?;
        lp.machine().put32(arg, flow.available() as u32)?;
        Ok(0)
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
