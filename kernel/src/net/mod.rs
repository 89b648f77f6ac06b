//! Sockets: AF_UNIX, as unix(7) has them.
//!
//! A [`socket::Socket`] is the vnode of one. What is sent goes into a [`flow::Flow`], which belongs to the
//! receiver: a pair of connected sockets shares two of them, a datagram socket has one that anybody who
//! finds it by name may send to. Who listens has a [`door::Door`] with the connections that nobody has
//! accepted yet. Names are in [`Registry`], by the inode they stand for or, for abstract ones, by themselves.
//!
//! Descriptors that are sent are in nobody's table: [`inflight`] counts them, and finds those that can't
//! be received any more.

pub mod calls;
pub mod connect;
pub mod door;
pub mod flow;
pub mod inflight;
pub mod options;
pub mod socket;
pub mod transfer;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use abi::{Errno, SysResult};
use ksync::SpinLock;

use crate::locks;
use door::Door;
use flow::Flow;

/// `sun_path` as it was given: nothing for a socket without a name, a NUL first for an abstract one.
pub type Name = Arc<[u8]>;

/// Where a name leads.
#[derive(Clone)]
pub enum Bound {
    Door(Arc<Door>),
    /// Of a datagram socket.
    Inbox(Arc<Flow>),
}

/// What a name stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Device and inode. The socket holds the vnode, so the number isn't used again.
    Inode(u64, u64),
    Abstract(Name),
}

/// The sockets of a kernel that can be found.
pub struct Registry {
    names: SpinLock<BTreeMap<Key, Bound>>,
    pub flight: inflight::Flight,
}

impl Default for Registry {
    fn default() -> Self {
        Registry { names: SpinLock::new(&locks::SOCKETS, BTreeMap::new()), flight: Default::default() }
    }
}

impl Registry {
    /// EADDRINUSE.
    pub fn bind(&self, key: Key, bound: Bound) -> SysResult<()> {
        let mut names = self.names.lock();
        if names.contains_key(&key) {
            return Err(Errno::EADDRINUSE);
        }
        names.insert(key, bound);
        Ok(())
    }
    pub fn find(&self, key: &Key) -> Option<Bound> {
        self.names.lock().get(key).cloned()
    }
    pub fn unbind(&self, key: &Key) {
        let gone = self.names.lock().remove(key);
        drop(gone);
    }
}
