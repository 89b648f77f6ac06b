//! Where connections wait to be accepted.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::{Errno, SysResult};
use ksync::SpinLock;

use super::Name;
use super::flow::{Flow, Patience, Peer};
use crate::kern::proc::Lwp;
use crate::kern::synch::WaitQueue;
use crate::locks;

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
