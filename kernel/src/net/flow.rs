//! What flows one way between sockets: bytes, or messages.

mod receive;
mod send;

pub use receive::Got;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use abi::types::clock;
use abi::types::limits::PIPE_SIZE;
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

    fn is_empty(&self, st: &State) -> bool {
        if self.messages { st.heads.is_empty() } else { st.ring.is_empty() }
    }
    fn ready(&self, st: &State) -> bool {
        !self.is_empty(st) || st.eof || st.error.is_some()
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
