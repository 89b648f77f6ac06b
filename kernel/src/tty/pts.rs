//! `/dev/pts`: the slaves of the ptys that there are, each under its number.

use alloc::format;
use alloc::sync::Arc;

use abi::types::{Stat, mode};
use abi::{Errno, SysResult};

use super::node::Node;
use crate::kern::proc::Lwp;
use crate::vfs::devfs::number_of;
use crate::vfs::mount::Mount;
use crate::vfs::vnode::{Create, Dirent, Head, Owner, Vnode, VnodeRef};

/// As in `devfs`.
const INO_SELF: u64 = 3;
const INO_FIRST: u64 = 1024;

pub struct Pts {
    head: Head,
    made_ns: i64,
}

impl Pts {
    pub fn new(mount: Arc<Mount>, made_ns: i64) -> Pts {
        Pts { head: Head::new(mount), made_ns }
    }
}

impl Vnode for Pts {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        Owner { mode: mode::IFDIR | 0o755, uid: 0, gid: 0 }
    }
    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        Ok(crate::vfs::devfs::directory(&self.head, INO_SELF, 2, 0o755, self.made_ns))
    }
    fn lookup(&self, lp: &Lwp, name: &[u8]) -> SysResult<VnodeRef> {
        let index = number_of(name).ok_or(Errno::ENOENT)? as u32;
        let tty = lp.kernel.ttys.pty(index).ok_or(Errno::ENOENT)?;
        Ok(Arc::new(Node::new(self.head.mount.clone(), INO_FIRST + index as u64, tty)))
    }
    fn parent(&self, _lp: &Lwp) -> SysResult<VnodeRef> {
        self.head.mount.root()
    }
    fn readdir(&self, lp: &Lwp, cookie: u64, f: &mut dyn FnMut(&Dirent<'_>) -> bool) -> SysResult<()> {
        let mut from = cookie.min(u32::MAX as u64) as u32;
        while let Some(index) = lp.kernel.ttys.next_pty(from) {
            from = index + 1;
            let (ino, kind, name) = (INO_FIRST + index as u64, (mode::IFCHR >> 12) as u8, format!("{index}"));
            if !f(&Dirent { ino, kind, cookie: from as u64, name: name.as_bytes() }) {
                break;
            }
        }
        Ok(())
    }
    fn create(&self, _lp: &Lwp, _name: &[u8], _new: &Create<'_>) -> SysResult<VnodeRef> {
        Err(Errno::EPERM)
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
