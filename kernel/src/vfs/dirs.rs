//! The working directory, and reading directories: chdir, getcwd, getdents.

use alloc::vec::Vec;

use abi::syscalls::UAddr;
use abi::types::limits::{NAME_MAX, PATH_MAX};
use abi::types::{DIRENT_HEADER, access, dt};
use abi::{Errno, SysResult};

use crate::kern::proc::Lwp;
use crate::vfs::lookup::{At, dirs, namei, parent_of};
use crate::vfs::mount::is_mount_root;
use crate::vfs::path::copy_short;
use crate::vfs::vnode::{Dirent, VnodeRef, same};

/// `.` and `..` stand before what a vnode tells; its own cookies come after theirs.
const DOTS: u64 = 2;

pub fn kern_chdir(lp: &Lwp, at: &At<'_>) -> SysResult<()> {
    let vp = namei(lp, at)?;
    set_cwd(lp, vp)
}

pub fn kern_fchdir(lp: &Lwp, fd: i32) -> SysResult<()> {
    set_cwd(lp, lp.file(fd)?.vnode.clone())
}

/// chroot(2), for root: as on Linux the working directory and open descriptors stay where they are.
pub fn kern_chroot(lp: &Lwp, at: &At<'_>) -> SysResult<()> {
    let vp = namei(lp, at)?;
    check_dir(lp, &vp)?;
    lp.proc.cred.check_root()?;
    let old = lp.proc.dirs.lock().as_mut().map(|d| core::mem::replace(&mut d.root, vp));
    drop(old);
    Ok(())
}

fn check_dir(lp: &Lwp, vp: &VnodeRef) -> SysResult<()> {
    if !vp.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    lp.proc.cred.access(&vp.owner(), access::X_OK)
}

fn set_cwd(lp: &Lwp, vp: VnodeRef) -> SysResult<()> {
    check_dir(lp, &vp)?;
    // The old one is let go with no lock held.
    let old = lp.proc.dirs.lock().as_mut().map(|d| core::mem::replace(&mut d.cwd, vp));
    drop(old);
    Ok(())
}

pub fn kern_getcwd(lp: &Lwp) -> SysResult<Vec<u8>> {
    let dirs = dirs(lp)?;
    path_of(lp, &dirs.cwd, &dirs.root)
}

/// The path of a directory below `root`, found by climbing. ENOENT when it was removed or isn't there.
pub fn path_of(lp: &Lwp, dir: &VnodeRef, root: &VnodeRef) -> SysResult<Vec<u8>> {
    let mut path = Vec::new();
    let mut dir = dir.clone();
    while !same(&dir, root) {
        // In the directory above it is known as what the mount covers.
        let mut named = dir.clone();
        while is_mount_root(&*named) {
            named = named.head().mount.covers().ok_or(Errno::ENOENT)?;
        }
        let above = parent_of(lp, &dir)?;
        let ino = named.getattr(lp)?.ino;
        let mut found = false;
        above.readdir(lp, 0, &mut |e| {
            if e.ino == ino {
                path.extend(e.name.iter().rev());
                found = true;
            }
            !found
        })?;
        if !found {
            return Err(Errno::ENOENT);
        }
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        path.push(b'/');
        dir = above;
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path.reverse();
    Ok(path)
}

/// Fills a buffer of the caller's with entries, each a header and a name.
struct Fill<'a> {
    lp: &'a Lwp,
    /// Entries are gathered here, so that user memory is not called for each.
    piece: [u8; PIECE],
    len: usize,
    at: UAddr,
    room: usize,
    done: usize,
    /// The last entry gathered; the last one handed over, where to go on.
    last: u64,
    cookie: u64,
    error: Option<Errno>,
}

const PIECE: usize = 1024;

impl Fill<'_> {
    /// False when the entry has no place.
    fn put(&mut self, e: &Dirent<'_>) -> bool {
        let size = DIRENT_HEADER + e.name.len();
        if size > self.room || e.name.len() > NAME_MAX {
            self.error = Some(Errno::EINVAL);
            return false;
        }
        if self.len + size > PIECE && !self.flush() {
            return false;
        }
        let tail = e.name.len() as u64 | (e.kind as u64) << 16;
        let (header, name) = self.piece[self.len..self.len + size].split_at_mut(DIRENT_HEADER);
        header[..8].copy_from_slice(&e.cookie.to_le_bytes());
        header[8..16].copy_from_slice(&e.ino.to_le_bytes());
        // namlen, type, and five bytes of nothing.
        header[16..].copy_from_slice(&tail.to_le_bytes());
        copy_short(name, e.name);
        self.len += size;
        self.room -= size;
        self.last = e.cookie;
        true
    }
    fn flush(&mut self) -> bool {
        match self.lp.machine().copyout(&self.piece[..self.len], self.at.offset(self.done)) {
            Ok(()) => {
                self.done += self.len;
                self.len = 0;
                self.cookie = self.last;
                true
            }
            Err(e) => {
                self.error = Some(e);
                false
            }
        }
    }
}

/// getdents(2): how many bytes; 0 at the end. EINVAL when not even one entry has room.
pub fn sys_getdents(lp: &Lwp, fd: i32, buf: UAddr, len: u32) -> SysResult<usize> {
    let file = lp.file(fd)?;
    file.check_readable()?;
    if !file.vnode.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    let mut offset = file.offset.lock(lp);
    let mut out = Fill {
        lp,
        piece: [0; PIECE],
        len: 0,
        at: buf,
        room: len as usize,
        done: 0,
        last: 0,
        cookie: *offset,
        error: None,
    };
    fill(lp, &file.vnode, *offset, &mut out)?;
    if out.len > 0 {
        out.flush();
    }
    match out.error {
        Some(e) if out.done == 0 => Err(e),
        _ => {
            *offset = out.cookie;
            Ok(out.done)
        }
    }
}

fn fill(lp: &Lwp, vp: &VnodeRef, cookie: u64, out: &mut Fill<'_>) -> SysResult<()> {
    let dot = |name, ino, cookie| Dirent { ino, kind: dt::DIR, cookie, name };
    if cookie < 1 && !out.put(&dot(b".", vp.getattr(lp)?.ino, 1)) {
        return Ok(());
    }
    if cookie < DOTS && !out.put(&dot(b"..", parent_of(lp, vp)?.getattr(lp)?.ino, DOTS)) {
        return Ok(());
    }
    vp.readdir(lp, cookie.saturating_sub(DOTS), &mut |e| out.put(&Dirent { cookie: e.cookie.wrapping_add(DOTS), ..*e }))
}
