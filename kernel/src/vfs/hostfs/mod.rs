//! hostfs: directories that the host shares, through `abi::hostfs`.
//!
//! A [`node::Node`] is a file or directory of the host as the guest knows it, one for each (device,
//! inode) that is in use, with the directory and name it was last found under. What needs the
//! object itself goes through a *handle*: a directory's is opened when it is first looked into and
//! kept; each open file is a [`file::Open`] with a handle of its own. What the host told of a file
//! is believed for a moment (`namecache`).
//!
//! All files belong to one user, the one that shared them; permissions are the host's.

mod file;
mod node;
mod rpc;

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use abi::hostfs::{Attr, op};
use abi::types::{mnt, mode};
use abi::{Errno, SysResult};
use hashbrown::HashMap;
use ksync::{SleepLock, SpinLock};

use crate::Kernel;
use crate::kern::proc::Lwp;
use crate::locks;
use crate::machdep::MachineRef;
use crate::vfs::mount::Mount;
use node::Node;

/// One shared directory, mounted.
pub struct Hostfs {
    machine: MachineRef,
    /// The host's device of the root: files of another one get other inode numbers.
    dev: u64,
    uid: AtomicU32,
    gid: AtomicU32,
    /// For messages that don't fit on a kernel stack. Sleeps: the host is slow.
    buffer: SleepLock<Vec<u8>>,
    /// Handles that the host failed to close.
    unclosed: SpinLock<Vec<u32>>,
    /// Files in use, by (device, inode).
    nodes: SpinLock<HashMap<(u64, u64), Weak<Node>>>,
}

impl Hostfs {
    /// The node of a file that was found in a directory under a name.
    fn node(self: &Arc<Self>, dir: &Arc<Node>, name: &[u8], attr: &Attr) -> SysResult<Arc<Node>> {
        let key = (attr.dev, attr.ino);
        let known = self.nodes.lock().get(&key).and_then(Weak::upgrade);
        if let Some(node) = known.filter(|n| n.kind() == attr.mode & mode::IFMT) {
            node.found(dir, name, attr);
            return Ok(node);
        }
        let node = Node::new(self, dir.mount(), Some((dir.clone(), name)), attr, None);
        let mut nodes = self.nodes.lock();
        // Entries of files that are gone leave when the table would grow.
        if nodes.len() == nodes.capacity() {
            nodes.retain(|_, n| n.strong_count() > 0);
        }
        nodes.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        nodes.insert(key, Arc::downgrade(&node));
        Ok(node)
    }

    fn ino(&self, attr: &Attr) -> u64 {
        if attr.dev == self.dev { attr.ino } else { attr.ino ^ attr.dev.rotate_left(40) }
    }
}

/// Shares export number `export`: ready to be mounted. The files belong to the caller, whatever the host says; so a
/// set-user-ID bit of the host's would be about somebody else, and none is honoured.
pub fn make(lp: &Lwp, export: u32, flags: u32) -> SysResult<Arc<Mount>> {
    let machine = lp.kernel.machine.clone();
    let attr = rpc::small(
        &machine,
        |w| {
            w.u32(op::GETATTR).u32(export);
        },
        Attr::read,
    )?;
    if attr.mode & mode::IFMT != mode::IFDIR {
        return Err(Errno::ENOTDIR);
    }
    let mount = Mount::new(&lp.kernel, "hostfs", flags | mnt::NOSUID, true);
    let fs = Arc::new(Hostfs {
        machine,
        dev: attr.dev,
        uid: AtomicU32::new(lp.proc.cred.euid()),
        gid: AtomicU32::new(lp.proc.cred.egid()),
        buffer: SleepLock::new(&locks::HOSTFS, Vec::new()),
        unclosed: SpinLock::new(&locks::NAMECACHE, Vec::new()),
        nodes: SpinLock::new(&locks::NAMECACHE, HashMap::default()),
    });
    let root = Node::new(&fs, &mount, None, &attr, Some(export));
    mount.set_root(root);
    Ok(mount)
}

/// Gives all that is shared to a user: the one that the first program runs as.
pub fn set_owner(kernel: &Kernel, uid: u32, gid: u32) {
    for mount in kernel.mounts.all().into_iter().filter(|m| m.fstype == "hostfs") {
        if let Ok(root) = mount.root()
            && let Some(node) = root.as_any().downcast_ref::<Node>()
        {
            node.fs().uid.store(uid, Relaxed);
            node.fs().gid.store(gid, Relaxed);
        }
    }
}
