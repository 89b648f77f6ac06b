//! Descriptors on their way between sockets (SCM_RIGHTS).
//!
//! An open file in a flow is kept by it. A socket may be sent, too, even through itself, so a flow can keep
//! the very socket that alone could receive from it. Such rings are found when a socket is closed or a process
//! ends while sockets are under way, as Linux does it: a socket that nothing but flows refers to, and that can't be
//! received through any socket that something else refers to, is garbage, and its flow is emptied.
//! There are never more than [`FLIGHT_MAX`] files and [`SOCKETS_MAX`] sockets under way, nor more than [`RIGHTS_MAX`] with one message.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use abi::{Errno, SysResult};
use ksync::{SpinGuard, SpinLock};

use super::flow::Flow;
use super::socket::Socket;
use crate::locks;
use crate::vfs::file::File;

/// Linux's SCM_MAX_FD.
pub const RIGHTS_MAX: usize = 253;
pub const FLIGHT_MAX: usize = 4096;
/// Sockets among them: the search for garbage looks at each of them for each.
pub const SOCKETS_MAX: usize = 256;

/// Files that are sent with one message.
#[derive(Default)]
pub struct Rights(Vec<Arc<File>>);

impl Rights {
    /// ENOMEM, EINVAL past `RIGHTS_MAX`.
    pub fn push(&mut self, file: Arc<File>) -> SysResult<()> {
        if self.0.len() >= RIGHTS_MAX {
            return Err(Errno::EINVAL);
        }
        self.0.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.0.push(file);
        Ok(())
    }
    pub fn append(&mut self, mut other: Rights) {
        if self.0.is_empty() {
            *self = other;
        } else {
            self.0.append(&mut other.0);
        }
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub fn take(self) -> Vec<Arc<File>> {
        self.0
    }
    fn sockets(&self) -> impl Iterator<Item = (&Arc<File>, &Socket)> {
        self.0.iter().filter_map(|f| Some((f, Socket::of(f)?)))
    }
}

/// All that is under way in a kernel.
pub struct Flight {
    /// Held while descriptors enter or leave a flow. The flows that have, or had, sockets in them.
    carriers: SpinLock<Vec<Weak<Flow>>>,
    files: AtomicUsize,
    sockets: AtomicUsize,
    /// Files that nobody received, to be closed. One that is closed may bring more.
    dying: SpinLock<Vec<Arc<File>>>,
    closing: AtomicBool,
}

impl Default for Flight {
    fn default() -> Self {
        Flight {
            carriers: SpinLock::new(&locks::FLIGHT, Vec::new()),
            files: AtomicUsize::new(0),
            sockets: AtomicUsize::new(0),
            dying: SpinLock::new(&locks::DYING, Vec::new()),
            closing: AtomicBool::new(false),
        }
    }
}

impl Flight {
    pub fn lock(&self) -> SpinGuard<'_, Vec<Weak<Flow>>> {
        self.carriers.lock()
    }

    /// These are about to enter a flow. ENOBUFS when too many are under way.
    pub fn depart(&self, rights: &Rights, flow: &Arc<Flow>) -> SysResult<()> {
        let n = rights.len();
        if self.files.fetch_add(n, SeqCst) + n > FLIGHT_MAX {
            self.files.fetch_sub(n, SeqCst);
            return Err(Errno::ENOBUFS);
        }
        let sockets = rights.sockets().count();
        if sockets > 0 {
            if self.sockets.load(SeqCst) + sockets > SOCKETS_MAX {
                self.files.fetch_sub(n, SeqCst);
                return Err(Errno::ENOBUFS);
            }
            let mut carriers = self.carriers.lock();
            carriers.retain(|f| f.strong_count() > 0);
            let known = carriers.iter().any(|f| f.as_ptr() == Arc::as_ptr(flow));
            if !known && carriers.try_reserve(1).is_err() {
                drop(carriers);
                self.files.fetch_sub(n, SeqCst);
                return Err(Errno::ENOMEM);
            }
            if !known {
                carriers.push(Arc::downgrade(flow));
            }
            self.sockets.fetch_add(sockets, SeqCst);
        }
        Ok(())
    }

    /// These have left it, or never got in.
    pub fn arrive(&self, rights: &Rights) {
        self.files.fetch_sub(rights.len(), SeqCst);
        self.sockets.fetch_sub(rights.sockets().count(), SeqCst);
    }

    /// Nobody will receive these. No lock may be held.
    ///
    /// One after the other and never one inside of another: a chain of sockets, each in the next one's
    /// flow, may be longer than a stack is deep.
    pub fn close(&self, rights: Rights) {
        if rights.is_empty() {
            return;
        }
        self.arrive(&rights);
        let mut files = rights.take();
        {
            let mut dying = self.dying.lock();
            if dying.try_reserve(files.len()).is_ok() {
                dying.append(&mut files);
            }
        }
        drop(files);
        while !self.closing.swap(true, SeqCst) {
            loop {
                let next = self.dying.lock().pop();
                match next {
                    Some(file) => drop(file),
                    None => break,
                }
            }
            self.closing.store(false, SeqCst);
            // What came between the last look and this is ours, too.
            if self.dying.lock().is_empty() {
                break;
            }
        }
    }

    /// How many files are under way, and how many of them are sockets.
    #[cfg(test)]
    pub fn counts(&self) -> (usize, usize) {
        (self.files.load(SeqCst), self.sockets.load(SeqCst))
    }

    /// A socket was closed, or a process has ended: empties the flows that nobody can receive from any more.
    pub fn collect(&self) {
        if self.sockets.load(SeqCst) == 0 {
            return;
        }
        let garbage = {
            let carriers = self.carriers.lock();
            find(&carriers)
        };
        for flow in garbage {
            flow.discard();
        }
    }
}

/// A socket that is under way.
struct Found {
    file: Arc<File>,
    /// References that flows have.
    kept: usize,
    inputs: Vec<Arc<Flow>>,
    live: bool,
}

/// The flows that are garbage. Without memory none: they will be found another time.
fn find(carriers: &[Weak<Flow>]) -> Vec<Arc<Flow>> {
    let mut all: Vec<Found> = Vec::new();
    let mut short = false;
    let flows: Vec<Arc<Flow>> = {
        let mut flows = Vec::new();
        short |= flows.try_reserve(carriers.len()).is_err();
        if !short {
            flows.extend(carriers.iter().filter_map(Weak::upgrade));
        }
        flows
    };
    for flow in &flows {
        flow.carries(&mut |rights| {
            for (file, _) in rights.sockets() {
                match all.iter().position(|f| Arc::ptr_eq(&f.file, file)) {
                    Some(at) => all[at].kept += 1,
                    None if all.try_reserve(1).is_err() => short = true,
                    None => all.push(Found { file: file.clone(), kept: 1, inputs: Vec::new(), live: false }),
                }
            }
        });
    }
    for f in &mut all {
        // One reference is ours.
        f.live = Arc::strong_count(&f.file) > f.kept + 1;
        if let Some(socket) = Socket::of(&f.file) {
            socket.inputs(&mut f.inputs);
            // Only those with sockets in them matter.
            f.inputs.retain(|i| flows.iter().any(|flow| Arc::ptr_eq(i, flow)));
        }
    }
    if short {
        return Vec::new();
    }
    // What can be received through a live one, or through a flow of one that is not under way, lives.
    loop {
        let mut more = false;
        for flow in &flows {
            let dead = |f: &Found| !f.live && f.inputs.iter().any(|i| Arc::ptr_eq(i, flow));
            if all.iter().any(dead) {
                continue;
            }
            flow.carries(&mut |rights| {
                for (file, _) in rights.sockets() {
                    if let Some(f) = all.iter_mut().find(|f| !f.live && Arc::ptr_eq(&f.file, file)) {
                        f.live = true;
                        more = true;
                    }
                }
            });
        }
        if !more {
            break;
        }
    }
    all.into_iter().filter(|f| !f.live).flat_map(|f| f.inputs).collect()
}
