//! The boot image as a tmpfs: its index makes the tree, contents stay with the host.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::image::{BLOB_INDEX, Entry, Index};
use abi::types::mode;
use abi::wire::Reader;
use abi::{Errno, SysResult};

use super::data::Blob;
use super::node::Node;
use crate::machdep::MachineRef;
use crate::vfs::tree::names::{self, Inode};
use crate::vfs::vnode::{Create, SetAttr, Vnode, VnodeRef};

/// How much of the index is asked for at once.
const PIECE: usize = 64 << 10;

/// Reads the whole index. An image that has none is empty.
pub fn read_index(machine: &MachineRef) -> SysResult<Vec<u8>> {
    let mut index = Vec::new();
    loop {
        let at = index.len();
        index.try_reserve(PIECE).map_err(|_| Errno::ENOMEM)?;
        index.resize(at + PIECE, 0);
        let n = match machine.blob_read(BLOB_INDEX, at as u64, &mut index[at..]) {
            Err(Errno::ENOENT) if at == 0 => 0,
            other => other?,
        };
        index.truncate(at + n);
        if n == 0 {
            return Ok(index);
        }
    }
}

/// Fills an empty tmpfs. EINVAL for an index that makes no sense.
pub fn fill(lp: &crate::kern::proc::Lwp, root: &VnodeRef, index: &[u8]) -> SysResult<()> {
    let root = super::node_of(root).and_then(|n| n.me.upgrade()).ok_or(Errno::EINVAL)?;
    let mut entries = Index(Reader::new(index));
    // Entries of one directory mostly stand together.
    let mut last: (&[u8], Arc<Node>) = (b"", root.clone());
    while let Some(e) = entries.next_entry()? {
        let (above, name) = split(e.path);
        if name.is_empty() {
            adorn(lp, &root, &e)?;
            continue;
        }
        if above != last.0 {
            last = (above, find(&root, above)?);
        }
        if e.mode == 0 {
            names::link(&*last.1, name, &*find(&root, e.target)?)?;
            continue;
        }
        let node = add(&last.1, name, &e)?;
        node.attr.set_times(e.mtime_ns, e.mtime_ns, e.mtime_ns);
    }
    Ok(())
}

fn add(dir: &Node, name: &[u8], e: &Entry<'_>) -> SysResult<Arc<Node>> {
    let device = matches!(e.mode & mode::IFMT, mode::IFCHR | mode::IFBLK);
    let new =
        Create { mode: e.mode, uid: e.uid, gid: e.gid, rdev: if device { e.blob as u64 } else { 0 }, target: e.target };
    let regular = e.mode & mode::IFMT == mode::IFREG;
    let blob = (regular && e.blob != 0 && e.size != 0).then_some(Blob { nr: e.blob, size: e.size });
    dir.make(name, &new, blob)
}

/// The root directory's own entry.
fn adorn(lp: &crate::kern::proc::Lwp, root: &Node, e: &Entry<'_>) -> SysResult<()> {
    let set = SetAttr { mode: Some(e.mode & mode::PERM), uid: Some(e.uid), gid: Some(e.gid), ..SetAttr::default() };
    root.setattr(lp, &set)?;
    root.attr.set_times(e.mtime_ns, e.mtime_ns, e.mtime_ns);
    Ok(())
}

/// A path without its last component, and that.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&b| b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None if path == b"." => (b"", b""),
        None => (b"", path),
    }
}

fn find(root: &Arc<Node>, path: &[u8]) -> SysResult<Arc<Node>> {
    let mut node = root.clone();
    for name in path.split(|&b| b == b'/').filter(|n| !n.is_empty()) {
        let next = node.entries()?.lock().get(name).cloned();
        node = next.ok_or(Errno::EINVAL)?;
    }
    Ok(node)
}
