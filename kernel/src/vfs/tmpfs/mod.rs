//! tmpfs: files in kernel memory, with all that POSIX says of metadata.
//!
//! A [`Tmpfs`] is one instance: its limit and what it uses. A [`node::Node`] is a file for as long
//! as a directory or an open file refers to it; the last reference gone, its pages go back. The
//! file system holds its root through its mount, and nothing else. Names and attributes are those of
//! [`tree`](super::tree).

pub mod data;
pub mod image;
pub mod node;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::types::mode;
use abi::{Errno, SysResult};
use ksync::SpinLock;

use crate::Kernel;
use crate::locks;
use crate::machdep::MachineRef;
use crate::vfs::mount::Mount;
use crate::vfs::vnode::VnodeRef;
use data::{Budget, PAGE};
use node::Node;

/// Kernel memory that files leave to the rest of the kernel: one part in so many of all.
const RESERVE_PART: u64 = 8;

/// One instance.
pub struct Tmpfs {
    machine: MachineRef,
    /// In pages.
    pub limit: AtomicU64,
    pub used: AtomicU64,
    /// Nodes there are, linked or only open.
    pub nodes: AtomicU64,
    next_ino: AtomicU64,
    /// Of the directories' hash.
    seed: u32,
    /// Taken before the directories by who changes more than one of them.
    tree: SpinLock<()>,
}

impl Tmpfs {
    fn now(&self) -> i64 {
        self.machine.file_time()
    }

    fn ino(&self) -> u64 {
        self.next_ino.fetch_add(1, Relaxed)
    }

    /// ENOSPC when the kernel's memory is so full that nothing more should be kept in it.
    fn check_memory(&self, more: u64) -> SysResult<()> {
        let (used, all) = self.machine.memory();
        if all != 0 && used + more > all - all / RESERVE_PART { Err(Errno::ENOSPC) } else { Ok(()) }
    }
}

impl Budget for Tmpfs {
    fn take(&self, pages: u64) -> SysResult<()> {
        if pages == 0 {
            return Ok(());
        }
        let limit = self.limit.load(Relaxed);
        let fits = |used: u64| used.checked_add(pages).filter(|&n| n <= limit);
        self.check_memory(pages * PAGE as u64)?;
        self.used.fetch_update(Relaxed, Relaxed, fits).map(|_| ()).map_err(|_| Errno::ENOSPC)
    }
    fn give(&self, pages: u64) {
        self.used.fetch_sub(pages, Relaxed);
    }
    fn blob_read(&self, blob: u32, offset: u64, buf: &mut [u8]) -> SysResult<usize> {
        self.machine.blob_read(blob, offset, buf)
    }
}

/// A new, empty instance, ready to be mounted; its root belongs to root.
pub fn make(kernel: &Kernel, flags: u32) -> SysResult<Arc<Mount>> {
    let mount = Mount::new(kernel, "tmpfs", flags, false);
    let mut seed = [0; 4];
    kernel.machine.random(&mut seed);
    let (_, memory) = kernel.machine.memory();
    let fs = Arc::new(Tmpfs {
        machine: kernel.machine.clone(),
        limit: AtomicU64::new(if memory == 0 { u64::MAX } else { memory / PAGE as u64 }),
        used: AtomicU64::new(0),
        nodes: AtomicU64::new(0),
        next_ino: AtomicU64::new(1),
        seed: u32::from_le_bytes(seed),
        tree: SpinLock::new(&locks::TREE, ()),
    });
    let root: VnodeRef = Node::new_root(&mount, &fs, mode::IFDIR | 0o755);
    mount.set_root(root);
    Ok(mount)
}

/// The node behind a vnode, if it is one of tmpfs.
pub fn node_of(vp: &VnodeRef) -> Option<&Node> {
    vp.as_any().downcast_ref()
}
