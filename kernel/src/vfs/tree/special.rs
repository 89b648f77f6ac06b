//! Files without content of their own: symbolic links, FIFOs, devices and sockets.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::types::mode;
use abi::{Errno, SysResult};
use ksync::SpinLock;

use crate::kern::proc::Lwp;
use crate::locks;
use crate::vfs::devfs;
use crate::vfs::pipe::Pipe;
use crate::vfs::vnode::{Create, VnodeRef};

pub enum Special {
    Link(Box<[u8]>),
    /// The pipe is made when it is first opened.
    Fifo(SpinLock<Option<Arc<Pipe>>>),
    /// A device or a socket: its `st_rdev`.
    Device(u64),
}

impl Special {
    /// EINVAL for a type of file that is none of these; ENOSPC when there is no memory.
    pub fn new(new: &Create<'_>) -> SysResult<Special> {
        Ok(match new.mode & mode::IFMT {
            mode::IFLNK => Special::Link(boxed(new.target)?),
            mode::IFIFO => Special::Fifo(SpinLock::new(&locks::TREE_NODE, None)),
            mode::IFCHR | mode::IFBLK | mode::IFSOCK => Special::Device(new.rdev),
            _ => return Err(Errno::EINVAL),
        })
    }

    pub fn size(&self) -> u64 {
        if let Special::Link(text) = self { text.len() as u64 } else { 0 }
    }
    pub fn rdev(&self) -> u64 {
        if let Special::Device(rdev) = self { *rdev } else { 0 }
    }
    /// A symbolic link's text, nothing for the others.
    pub fn target(&self) -> &[u8] {
        if let Special::Link(text) = self { text } else { &[] }
    }

    pub fn readlink(&self) -> SysResult<Vec<u8>> {
        match self {
            Special::Link(text) => Ok(text.to_vec()),
            _ => Err(Errno::EINVAL),
        }
    }

    /// What is opened in place of the file `me` of this mode. ENXIO.
    pub fn open(&self, lp: &Lwp, bits: u32, flags: u32, me: Option<VnodeRef>) -> SysResult<Option<VnodeRef>> {
        match self {
            Special::Fifo(slot) => {
                let pipe = slot.lock().get_or_insert_with(Pipe::new).clone();
                Pipe::open_fifo(&pipe, lp, flags, me.ok_or(Errno::EIO)?).map(Some)
            }
            Special::Device(rdev) if bits & mode::IFMT == mode::IFCHR => devfs::open_device(lp, *rdev, flags).map(Some),
            _ => Err(Errno::ENXIO),
        }
    }
}

/// A copy, ENOSPC when there is no memory.
fn boxed(text: &[u8]) -> SysResult<Box<[u8]>> {
    let mut v = Vec::new();
    v.try_reserve_exact(text.len()).map_err(|_| Errno::ENOSPC)?;
    v.extend_from_slice(text);
    Ok(v.into_boxed_slice())
}
