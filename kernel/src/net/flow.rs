//! What flows one way between sockets: bytes, or messages. And where connections wait to be accepted.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use abi::types::limits::PIPE_SIZE;
use abi::types::{clock, sock};
use abi::{Errno, SysResult};
use ksync::SpinLock;

use super::inflight::{Flight, Rights};
use super::{Name, Registry};
use crate::kern::proc::Lwp;
use crate::kern::synch::{FOREVER, WaitQueue};
use crate::locks;
use crate::uio::Uio;
use crate::vfs::ring::Ring;

/// Messages that wait in one flow, at most: those of no bytes take room, too.
const HEADS_MAX: usize = 512;
/// Bounds of what SO_SNDBUF and SO_RCVBUF set.
pub const LIMIT_MIN: usize = 4096;
pub const LIMIT_MAX: usize = PIPE_SIZE;

/// Bytes or messages on their way to one receiver.
pub struct Flow {
    state: SpinLock<State>,
    /// Wait for something to receive.
    pub readers: Arc<WaitQueue>,
    /// Wait for room.
    pub writers: Arc<WaitQueue>,
    /// How many heads have descriptors. Changed under the locks of the flight and of the state.
    carried: AtomicU32,
    /// The receiver asks who has sent (SO_PASSCRED), or has not been able to.
    pub wants_sender: AtomicBool,
    registry: Arc<Registry>,
    messages: bool,
}

struct State {
    ring: Ring,
    /// Of each message; of a stream only where descriptors were sent, or another sender begins.
    heads: VecDeque<Head>,
    /// Of a stream: who has put in last, and whose is next, where that was to be noted.
    last_in: Option<Peer>,
    last_out: Option<Peer>,
    /// Bytes that were ever put in, for the places in `heads`.
    written: u64,
    limit: usize,
    /// Nothing more will be put in.
    eof: bool,
    /// Nobody will take anything out.
    broken: bool,
    /// Told to the receiver once.
    error: Option<Errno>,
    /// Of a connected datagram socket: the flow to the only one that may send. An address, only compared.
    only: usize,
}

struct Head {
    /// Where it begins, as `written` counts.
    at: u64,
    len: usize,
    from: Name,
    rights: Rights,
    cred: Option<Peer>,
}

/// How a transfer is to wait.
#[derive(Clone, Copy)]
pub struct Patience {
    pub nonblock: bool,
    /// SO_RCVTIMEO or SO_SNDTIMEO, 0 for none.
    pub timeout_ns: u64,
}

impl Patience {
    /// Waits until `cond` has an answer. EAGAIN, EINTR.
    pub fn wait<T>(self, lp: &Lwp, queue: &WaitQueue, cond: impl FnMut() -> Option<T>) -> SysResult<T> {
        if self.nonblock {
            return Err(Errno::EAGAIN);
        }
        let deadline_ns = match self.timeout_ns {
            0 => FOREVER,
            t => lp.machine().clock(clock::MONOTONIC, 0).saturating_add(t),
        };
        queue.wait(lp, deadline_ns, cond).map_err(|e| match e {
            Errno::ETIMEDOUT => Errno::EAGAIN,
            Errno::EINTR if self.timeout_ns != 0 => {
                // signal(7): one with a time limit does not begin again.
                lp.frame.interrupted.store(0, Relaxed);
                e
            }
            e => e,
        })
    }
}

/// What a receiver got besides the bytes.
#[derive(Default)]
pub struct Got {
    /// `sock::MSG_TRUNC`.
    pub flags: u32,
    pub from: Option<Name>,
    pub rights: Rights,
    /// Who has sent it, where that was noted.
    pub cred: Option<Peer>,
    /// How long the message was, received or not.
    pub len: usize,
}

impl Got {
    fn join(&mut self, more: Got) {
        self.len += more.len;
        self.flags |= more.flags;
        self.from = self.from.take().or(more.from);
        self.cred = self.cred.or(more.cred);
        self.rights.append(more.rights);
    }
}

impl State {
    fn room(&self) -> usize {
        self.limit.saturating_sub(self.ring.len())
    }
    /// So much room is worth waking a writer for.
    fn enough(&self) -> usize {
        self.limit / 4
    }
    /// Where the next byte comes out.
    fn position(&self) -> u64 {
        self.written - self.ring.len() as u64
    }
    /// Who has sent the next byte of a stream.
    fn next_cred(&self) -> Option<Peer> {
        let here = self.position();
        self.heads.front().filter(|h| h.at <= here).map_or(self.last_out, |h| h.cred)
    }
    /// From the sender into the ring, up to `most`. ENOMEM.
    fn fill(&mut self, uio: &mut Uio<'_>, most: usize) -> SysResult<()> {
        let mut left = most.min(uio.resid);
        while left > 0 {
            let before = uio.resid;
            // Memory that is short is left to those who cannot do without.
            let fits = self.ring.fits(left) || uio.machine().admit().is_ok();
            let space = if fits { self.ring.space(left) } else { &mut [] };
            if space.is_empty() {
                return Err(Errno::ENOMEM);
            }
            let done = uio.copy_in(space);
            let moved = before - uio.resid;
            self.ring.commit(moved);
            self.written += moved as u64;
            left -= moved;
            done?;
        }
        Ok(())
    }
    /// Out of the ring to the receiver, up to `most`. With `peek` it stays.
    fn drain(&mut self, uio: &mut Uio<'_>, most: usize, peek: bool) -> SysResult<()> {
        let mut done = 0;
        while done < most && uio.resid > 0 {
            let piece = self.ring.data_at(if peek { done } else { 0 });
            let before = uio.resid;
            let result = uio.copy_out(&piece[..piece.len().min(most - done)]);
            let moved = before - uio.resid;
            if !peek {
                self.ring.consume(moved);
            }
            done += moved;
            result?;
        }
        Ok(())
    }
}

impl Flow {
    pub fn new(registry: &Arc<Registry>, messages: bool) -> Arc<Flow> {
        let state = State {
            ring: Ring::default(),
            heads: VecDeque::new(),
            last_in: None,
            last_out: None,
            written: 0,
            limit: LIMIT_MAX,
            eof: false,
            broken: false,
            error: None,
            only: 0,
        };
        Arc::new(Flow {
            state: SpinLock::new(&locks::FLOW, state),
            readers: Arc::new(WaitQueue::new()),
            writers: Arc::new(WaitQueue::new()),
            carried: AtomicU32::new(0),
            wants_sender: AtomicBool::new(false),
            registry: registry.clone(),
            messages,
        })
    }

    /// Sends all of `uio`: a stream piece by piece, a message as one. EPIPE when nobody will receive, EMSGSIZE,
    /// EPERM, EAGAIN, ENOBUFS. Rights are gone when it is over.
    pub fn send(
        self: &Arc<Flow>,
        uio: &mut Uio<'_>,
        wait: Patience,
        rights: &mut Rights,
        from: &Sender,
    ) -> SysResult<()> {
        loop {
            if let Some(done) = self.try_send(uio, wait, rights, from) {
                return done;
            }
            let need = if self.messages { uio.resid } else { 1 };
            wait.wait(uio.lwp(), &self.writers, || {
                let st = self.state.lock();
                let room = if self.messages { st.room() >= need } else { st.room() >= st.enough() };
                (st.eof || st.broken || need > st.limit || room && st.heads.len() < HEADS_MAX).then_some(())
            })?;
        }
    }

    /// None when there is no room.
    fn try_send(&self, uio: &mut Uio<'_>, wait: Patience, rights: &mut Rights, from: &Sender) -> Option<SysResult<()>> {
        let flight = (!rights.is_empty()).then(|| self.registry.flight.lock());
        let mut st = self.state.lock();
        if st.eof || st.broken {
            return Some(Err(Errno::EPIPE));
        }
        let (asked, room) = (uio.resid, st.room());
        let result = if self.messages {
            if asked > st.limit {
                return Some(Err(Errno::EMSGSIZE));
            }
            if st.only != 0 && st.only != from.inbox {
                return Some(Err(Errno::EPERM));
            }
            if room < asked || st.heads.len() >= HEADS_MAX {
                return None;
            }
            if st.heads.try_reserve(1).is_err() {
                return Some(Err(Errno::ENOMEM));
            }
            let at = st.written;
            if let Err(e) = st.fill(uio, asked) {
                // All of it or nothing.
                let half = (st.written - at) as usize;
                st.ring.uncommit(half);
                st.written = at;
                return Some(Err(e));
            }
            let (from, cred) = (from.name.clone(), Some(from.cred));
            self.note(&mut st, Head { at, len: asked, from, rights: core::mem::take(rights), cred });
            Some(Ok(()))
        } else {
            // Less than is worth a wake-up is no room, unless one is content with it.
            if asked > 0 && (room == 0 || room < asked.min(st.enough()) && !wait.nonblock) {
                return None;
            }
            if st.heads.len() >= HEADS_MAX && self.notes(&st, asked, rights, from).is_some() {
                return None;
            }
            match self.put_bytes(&mut st, uio, rights, from) {
                Ok(()) if uio.resid > 0 => None,
                done => Some(done),
            }
        };
        drop(st);
        drop(flight);
        self.readers.wake_all();
        result
    }

    /// As many bytes of a stream as there is room for; descriptors, and who sends, come with the first.
    fn put_bytes(&self, st: &mut State, uio: &mut Uio<'_>, rights: &mut Rights, from: &Sender) -> SysResult<()> {
        let (asked, at, room) = (uio.resid, st.written, st.room());
        let noted = self.notes(st, asked, rights, from);
        if noted.is_some() && st.heads.try_reserve(1).is_err() {
            return Err(Errno::ENOMEM);
        }
        let done = st.fill(uio, room);
        if let Some(cred) = noted
            && uio.resid < asked
        {
            st.last_in = cred;
            self.note(st, Head { at, len: 0, from: from.name.clone(), rights: core::mem::take(rights), cred });
        }
        done
    }

    /// Of a stream: a head is needed, and who has sent it is to stand there so.
    fn notes(&self, st: &State, asked: usize, rights: &Rights, from: &Sender) -> Option<Option<Peer>> {
        let cred = (from.explicit || self.wants_sender.load(Relaxed)).then_some(from.cred);
        (asked > 0 && (!rights.is_empty() || cred != st.last_in)).then_some(cred)
    }

    /// There is room for it.
    fn note(&self, st: &mut State, head: Head) {
        if !head.rights.is_empty() {
            self.carried.fetch_add(1, Relaxed);
        }
        st.heads.push_back(head);
    }

    /// Receives what is there, or waits for it. Nothing at the end. EAGAIN, EINTR, and what `error` says.
    pub fn receive(&self, uio: &mut Uio<'_>, wait: Patience, flags: u32) -> SysResult<Got> {
        let mut all = Got::default();
        let whole = flags & sock::MSG_WAITALL != 0 && flags & sock::MSG_PEEK == 0 && !self.messages;
        loop {
            match self.try_receive(uio, flags, &all) {
                Some(Ok((got, end))) => {
                    let stop = end || !whole || uio.resid == 0 || !got.rights.is_empty();
                    all.join(got);
                    if stop {
                        return Ok(all);
                    }
                }
                Some(Err(e)) => return if all.len > 0 { Ok(all) } else { Err(e) },
                None => {
                    let came = || self.ready(&self.state.lock()).then_some(());
                    if let Err(e) = wait.wait(uio.lwp(), &self.readers, came) {
                        return if all.len > 0 { Ok(all) } else { Err(e) };
                    }
                }
            }
        }
    }

    fn is_empty(&self, st: &State) -> bool {
        if self.messages { st.heads.is_empty() } else { st.ring.is_empty() }
    }
    fn ready(&self, st: &State) -> bool {
        !self.is_empty(st) || st.eof || st.error.is_some()
    }

    /// What there is now, and whether it is the end; None when one must wait. `before` has been received by the same call.
    fn try_receive(&self, uio: &mut Uio<'_>, flags: u32, before: &Got) -> Option<SysResult<(Got, bool)>> {
        let peek = flags & sock::MSG_PEEK != 0;
        // Descriptors are taken out of their flow only with the flight's lock held.
        let flight = (self.carried.load(Relaxed) > 0).then(|| self.registry.flight.lock());
        let mut st = self.state.lock();
        if flight.is_none() && self.carried.load(Relaxed) > 0 {
            drop(st);
            return self.try_receive(uio, flags, before);
        }
        if self.is_empty(&st) {
            return match st.error.take() {
                Some(e) => Some(Err(e)),
                None => st.eof.then(|| Ok((Got::default(), true))),
            };
        }
        if before.len > 0 && self.wants_sender.load(Relaxed) && st.next_cred() != before.cred {
            return Some(Ok((Got::default(), true)));
        }
        let got =
            if self.messages { self.take_message(&mut st, uio, peek) } else { self.take_bytes(&mut st, uio, peek) };
        let wake = !peek && (self.messages || st.room() >= st.enough());
        drop(st);
        drop(flight);
        if wake {
            self.writers.wake_all();
        }
        Some(got.map(|g| (g, false)))
    }

    fn take_message(&self, st: &mut State, uio: &mut Uio<'_>, peek: bool) -> SysResult<Got> {
        let Some(head) = st.heads.front() else { return Ok(Got::default()) };
        let (len, from, asked, cred) = (head.len, head.from.clone(), uio.resid, head.cred);
        // The message stays if it can't be copied.
        st.drain(uio, len, true)?;
        let mut got = Got { len, from: Some(from), cred, ..Got::default() };
        if len > asked {
            got.flags |= sock::MSG_TRUNC;
        }
        if peek {
            return Ok(got);
        }
        st.ring.consume(len);
        got.rights = self.take_head(st);
        Ok(got)
    }

    fn take_bytes(&self, st: &mut State, uio: &mut Uio<'_>, peek: bool) -> SysResult<Got> {
        let (asked, here) = (uio.resid, st.position());
        // One call receives the descriptors of one, and of one sender if it wants to know that.
        let apart = self.wants_sender.load(Relaxed);
        let begins = |h: &&Head| h.at > here && (apart || !h.rights.is_empty());
        let until = st.heads.iter().find(begins).map_or(u64::MAX, |h| h.at);
        let most = (until - here).min(st.ring.len() as u64) as usize;
        let cred = st.next_cred();
        st.drain(uio, most, peek)?;
        let mut got = Got { len: asked - uio.resid, cred, ..Got::default() };
        while !peek && st.heads.front().is_some_and(|h| h.at < here.saturating_add(got.len as u64)) {
            got.rights.append(self.take_head(st));
        }
        Ok(got)
    }

    fn take_head(&self, st: &mut State) -> Rights {
        let Some(head) = st.heads.pop_front() else { return Rights::default() };
        if !head.rights.is_empty() {
            self.carried.fetch_sub(1, Relaxed);
        }
        st.last_out = head.cred;
        head.rights
    }

    /// No more will be sent; with `reset` the receiver is told that it was lost.
    pub fn end(&self, reset: bool) {
        {
            let mut st = self.state.lock();
            st.eof = true;
            if reset {
                st.error = Some(Errno::ECONNRESET);
            }
        }
        self.wake();
    }

    /// Nothing more will be received (`shutdown`).
    pub fn refuse(&self) {
        {
            let mut st = self.state.lock();
            (st.eof, st.broken) = (true, true);
        }
        self.wake();
    }

    /// The receiver is gone: what is there is dropped. True when there was something.
    pub fn discard(&self) -> bool {
        let flight = self.registry.flight.lock();
        let mut st = self.state.lock();
        (st.eof, st.broken) = (true, true);
        let ring = core::mem::take(&mut st.ring);
        let heads = core::mem::take(&mut st.heads);
        st.written = 0;
        self.carried.store(0, Relaxed);
        drop(st);
        drop(flight);
        self.wake();
        let any = !ring.is_empty() || !heads.is_empty();
        for head in heads {
            self.registry.flight.close(head.rights);
        }
        any
    }

    fn wake(&self) {
        self.readers.wake_all();
        self.writers.wake_all();
    }

    /// Readable, writable, ended for the receiver, refused for the sender, with an error.
    pub fn look(&self) -> Look {
        let st = self.state.lock();
        Look {
            readable: self.ready(&st),
            writable: st.room() >= st.enough() && st.heads.len() < HEADS_MAX || st.broken || st.eof,
            ended: st.eof,
            error: st.error.is_some(),
        }
    }

    /// What FIONREAD answers: of messages the length of the first.
    pub fn available(&self) -> usize {
        let st = self.state.lock();
        if self.messages { st.heads.front().map_or(0, |h| h.len) } else { st.ring.len() }
    }

    pub fn take_error(&self) -> Option<Errno> {
        self.state.lock().error.take()
    }
    pub fn limit(&self) -> usize {
        self.state.lock().limit
    }
    pub fn set_limit(&self, bytes: usize) {
        self.state.lock().limit = bytes.clamp(LIMIT_MIN, LIMIT_MAX);
        self.writers.wake_all();
    }
    /// From now on only the owner of this inbox may send.
    pub fn set_only(&self, inbox: usize) {
        self.state.lock().only = inbox;
    }

    /// For the collector, under the flight's lock: the descriptors that are carried.
    pub fn carries(&self, f: &mut dyn FnMut(&Rights)) {
        if self.carried.load(Relaxed) > 0 {
            self.state.lock().heads.iter().for_each(|h| f(&h.rights));
        }
    }
    pub fn flight(&self) -> &Flight {
        &self.registry.flight
    }
}

/// What `poll` wants to know of a flow.
pub struct Look {
    pub readable: bool,
    pub writable: bool,
    pub ended: bool,
    pub error: bool,
}

/// Who sends.
pub struct Sender {
    pub name: Name,
    /// The address of its own inbox.
    pub inbox: usize,
    pub cred: Peer,
    /// It has said itself who it is (SCM_CREDENTIALS).
    pub explicit: bool,
}

/// Process and user at the other end.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Peer {
    pub pid: i32,
    pub uid: u32,
    pub gid: u32,
}

/// A connection that nobody has accepted.
pub struct Pending {
    pub input: Arc<Flow>,
    pub output: Arc<Flow>,
    pub name: Name,
    pub peer: Peer,
}

impl Pending {
    /// It never will be.
    fn refuse(self) {
        self.input.discard();
        self.output.end(true);
    }
}

/// Where connections come in. Made when a socket gets a name; until `listen` it is shut.
pub struct Door {
    state: SpinLock<DoorState>,
    /// Accepts wait.
    pub came: Arc<WaitQueue>,
    /// Connects wait.
    room: WaitQueue,
    pub kind: u32,
    pub name: Name,
}

#[derive(Default)]
struct DoorState {
    queue: VecDeque<Pending>,
    backlog: usize,
    open: bool,
    peer: Peer,
}

impl Door {
    pub fn new(kind: u32, name: Name) -> Arc<Door> {
        Arc::new(Door {
            state: SpinLock::new(&locks::DOOR, DoorState::default()),
            came: Arc::new(WaitQueue::new()),
            room: WaitQueue::new(),
            kind,
            name,
        })
    }

    pub fn open(&self, backlog: usize, peer: Peer) {
        {
            let mut d = self.state.lock();
            (d.open, d.backlog, d.peer) = (true, backlog, peer);
        }
        self.room.wake_all();
    }
    pub fn is_open(&self) -> bool {
        self.state.lock().open
    }

    /// The listener is gone.
    pub fn close(&self) {
        let left = {
            let mut d = self.state.lock();
            d.open = false;
            core::mem::take(&mut d.queue)
        };
        self.room.wake_all();
        self.came.wake_all();
        left.into_iter().for_each(Pending::refuse);
    }

    /// Puts a connection into the queue; answers who listens. ECONNREFUSED, EAGAIN, EINTR.
    pub fn knock(&self, lp: &Lwp, wait: Patience, pending: Pending) -> SysResult<Peer> {
        let mut pending = Some(pending);
        let mut attempt = || {
            let mut d = self.state.lock();
            if !d.open {
                return Some(Err(Errno::ECONNREFUSED));
            }
            // As Linux: one more than it says.
            if d.queue.len() > d.backlog {
                return None;
            }
            if d.queue.try_reserve(1).is_err() {
                return Some(Err(Errno::ENOMEM));
            }
            d.queue.extend(pending.take());
            Some(Ok(d.peer))
        };
        let answer = match attempt() {
            Some(answer) => answer,
            None => wait.wait(lp, &self.room, attempt)?,
        };
        self.came.wake_all();
        answer
    }

    /// True when there is a connection; EINVAL when nobody listens.
    pub fn waits(&self) -> SysResult<bool> {
        let d = self.state.lock();
        if d.open { Ok(!d.queue.is_empty()) } else { Err(Errno::EINVAL) }
    }
    pub fn take(&self) -> Option<Pending> {
        let first = self.state.lock().queue.pop_front();
        self.room.wake_all();
        first
    }
    /// For the collector: what would be received through it.
    pub fn inputs(&self, f: &mut Vec<Arc<Flow>>) {
        let d = self.state.lock();
        if f.try_reserve(d.queue.len()).is_ok() {
            f.extend(d.queue.iter().map(|p| p.input.clone()));
        }
    }
}
