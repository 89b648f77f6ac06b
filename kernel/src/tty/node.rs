//! Terminals as files: `/dev/tty1` and `/dev/pts/0`; and the names of what is attached.
//!
//! A [`Node`] is a look at a terminal's name, and what one or more openings of it go through.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::syscalls::UAddr;
use abi::types::devctl::ATTACHED_FIRST;
use abi::types::{Stat, mode, o};
use abi::{Errno, SysResult};

use super::terminal::Tty;
use super::unit::{Kind, Unit, minor};
use super::{pty, session, stream};
use crate::Kernel;
use crate::kern::poll::Registrar;
use crate::kern::proc::Lwp;
use crate::uio::Uio;
use crate::vfs::mount::Mount;
use crate::vfs::vnode::{Head, Owner, SetAttr, Vnode, VnodeRef};

/// The group `tty` of the base image, which may write.
pub const TTY_GROUP: u32 = 5;

fn name(unit: &Unit) -> String {
    format!("{}{}", if unit.tty().is_some() { "tty" } else { "stream" }, minor(unit.number))
}

/// The names of what is attached, with their numbers and file types.
pub fn names(kernel: &Kernel) -> Vec<(u64, String, u32)> {
    let file_type = |u: &Unit| if u.tty().is_some() { mode::IFCHR } else { mode::IFIFO };
    let units: Vec<Arc<Unit>> = kernel.ttys.lock().units().cloned().collect();
    units.iter().filter(|u| !u.is_gone()).map(|u| (minor(u.number), name(u), file_type(u))).collect()
}

/// What stands under a name in `/dev`.
pub fn lookup(lp: &Lwp, mount: &Arc<Mount>, wanted: &[u8], first_ino: u64) -> Option<VnodeRef> {
    let digits = wanted.strip_prefix(b"tty").or_else(|| wanted.strip_prefix(b"stream"))?;
    let number = crate::vfs::devfs::number_of(digits)? as u32;
    let unit = lp.kernel.ttys.get(number.checked_add(ATTACHED_FIRST - 1)?)?;
    if unit.is_gone() || name(&unit).as_bytes() != wanted {
        return None;
    }
    let (mount, ino) = (mount.clone(), first_ino + minor(unit.number));
    Some(match &unit.kind {
        Kind::Screen(tty) => Arc::new(Node::new(mount, ino, tty.clone())),
        Kind::Stream(stream) => stream::Node::of(mount, ino, stream.clone()),
    })
}

/// The terminal with this device number. ENXIO.
pub fn open_number(lp: &Lwp, mount: &Arc<Mount>, rdev: u64) -> SysResult<VnodeRef> {
    let tty = lp.kernel.ttys.find(|t| t.number == rdev && !t.is_gone()).ok_or(Errno::ENXIO)?;
    Ok(Arc::new(Node::new(mount.clone(), rdev & 0xff, tty)))
}

/// `/dev/tty`: opens the terminal of the caller's session.
pub fn open_own(lp: &Lwp, tty: Arc<Tty>) -> VnodeRef {
    if let Some(side) = &tty.pty {
        side.count_in();
    }
    Arc::new(Node::new(lp.kernel.mounts.anonymous(&lp.kernel), tty.number & 0xff, tty))
}

pub struct Node {
    head: Head,
    ino: u64,
    tty: Arc<Tty>,
}

impl Node {
    pub fn new(mount: Arc<Mount>, ino: u64, tty: Arc<Tty>) -> Node {
        Node { head: Head::new(mount), ino, tty }
    }
}

impl Vnode for Node {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        match &self.tty.pty {
            Some(side) => side.owner(),
            None => Owner { mode: mode::IFCHR | 0o620, uid: 0, gid: TTY_GROUP },
        }
    }
    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        let owner = self.owner();
        let made_ns = self.tty.pty.as_ref().map_or(0, |side| side.made_ns);
        Ok(Stat {
            dev: self.head.mount.dev,
            ino: self.ino,
            mode: owner.mode,
            nlink: 1,
            uid: owner.uid,
            gid: owner.gid,
            rdev: self.tty.number,
            blksize: 4096,
            atime_ns: made_ns,
            mtime_ns: made_ns,
            ctime_ns: made_ns,
            birth_ns: made_ns,
            ..Stat::default()
        })
    }
    fn setattr(&self, _lp: &Lwp, set: &SetAttr) -> SysResult<()> {
        match &self.tty.pty {
            Some(side) => side.set(set),
            None if set.mode.is_some() || set.uid.is_some() || set.gid.is_some() => return Err(Errno::EPERM),
            None => {}
        }
        Ok(())
    }
    /// A session's leader that has no terminal gets this one (POSIX 11.1.3).
    fn open(&self, lp: &Lwp, flags: u32) -> SysResult<Option<VnodeRef>> {
        if self.tty.is_gone() || self.tty.pty.as_ref().is_some_and(pty::Side::is_locked) {
            return Err(Errno::EIO);
        }
        if let Some(side) = &self.tty.pty {
            side.count_in();
        }
        if flags & o::NOCTTY == 0 && lp.proc.sid.load(Relaxed) == lp.proc.pid {
            // Where that can't be, it is opened all the same.
            let _ = session::acquire(lp, &self.tty);
        }
        Ok(None)
    }
    fn close(&self, _flags: u32) {
        if let Some(side) = &self.tty.pty {
            side.count_out();
        }
    }
    fn read(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        self.tty.read(uio, flags)
    }
    fn write(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        self.tty.write(uio, flags)
    }
    fn seekable(&self) -> bool {
        false
    }
    fn fsync(&self, _lp: &Lwp, _data_only: bool) -> SysResult<()> {
        Err(Errno::EINVAL)
    }
    fn poll(&self, _lp: &Lwp, events: u16, reg: Option<&mut Registrar>) -> u16 {
        self.tty.poll(events, reg)
    }
    fn ioctl(&self, lp: &Lwp, request: u32, arg: UAddr) -> SysResult<u32> {
        self.tty.ioctl(lp, request, arg).map(|()| 0)
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
