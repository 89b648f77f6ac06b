//! What makes, removes and moves names: mkdir, mknod, unlink, rmdir, rename, link, symlink, readlink.
//!
//! The checks that POSIX asks for stand here; the file systems only change their directories, and
//! look once more under their own locks whether the names are still as they were seen here.

use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::types::limits::PATH_MAX;
use abi::types::{access, mode, rename};
use abi::{Errno, SysResult};

use crate::kern::proc::Lwp;
use crate::vfs::lookup::{At, Kind, Parent, child, namei, namei_create, namei_parent};
use crate::vfs::mount::is_mount_root;
use crate::vfs::vnode::{Create, VnodeRef, same};

/// That names may be put into a directory or taken out of it: EROFS, EACCES.
pub fn check_enter(lp: &Lwp, dir: &VnodeRef) -> SysResult<()> {
    if dir.head().mount.readonly() {
        return Err(Errno::EROFS);
    }
    lp.proc.cred.access(&dir.owner(), access::W_OK | access::X_OK)
}

/// POSIX 4.3: in a directory with the sticky bit only the owner of the file, of the directory, or
/// root takes a name away.
fn check_sticky(lp: &Lwp, dir: &VnodeRef, vp: &VnodeRef) -> SysResult<()> {
    let above = dir.owner();
    if above.mode & mode::ISVTX == 0 {
        return Ok(());
    }
    let cred = &lp.proc.cred;
    cred.check_owner(&above).or_else(|_| cred.check_owner(&vp.owner()))
}

/// True when something is mounted on the name or it is where something is mounted.
fn is_mount_point(vp: &VnodeRef) -> bool {
    vp.is_dir() && is_mount_root(&**vp)
}

/// Makes a file in a directory for the caller. A directory with set-group-ID passes its group on.
pub fn new_file(lp: &Lwp, parent: &Parent<'_>, bits: u32, rdev: u64, target: &[u8]) -> SysResult<VnodeRef> {
    lp.machine().admit()?;
    let above = parent.dir.owner();
    let cred = &lp.proc.cred;
    let mut new = Create { mode: bits, uid: cred.euid(), gid: cred.egid(), rdev, target };
    if above.mode & mode::ISGID != 0 {
        new.gid = above.gid;
        if bits & mode::IFMT == mode::IFDIR {
            new.mode |= mode::ISGID;
        }
    }
    let vp = parent.dir.create(lp, &parent.name, &new)?;
    purge(lp, &parent.dir, &parent.name);
    Ok(vp)
}

/// The name cache forgets a name that changed.
fn purge(lp: &Lwp, dir: &VnodeRef, name: &[u8]) {
    if dir.head().mount.cached {
        lp.kernel.namecache.purge(dir, name);
    }
}

/// Where a new name will stand. EEXIST when it is there; ENOENT for a slash behind the name of what
/// is no directory.
fn place<'n>(lp: &Lwp, at: &At<'n>, directory: bool) -> SysResult<Parent<'n>> {
    let found = namei_create(lp, &at.following(false))?;
    let parent = found.parent;
    if found.vp.is_some() || parent.kind != Kind::Normal {
        return Err(Errno::EEXIST);
    }
    if parent.trailing_slash && !directory {
        return Err(Errno::ENOENT);
    }
    check_enter(lp, &parent.dir)?;
    Ok(parent)
}

fn masked(lp: &Lwp, bits: u32) -> u32 {
    bits & !lp.proc.umask.load(Relaxed)
}

pub fn kern_mkdir(lp: &Lwp, at: &At<'_>, bits: u32) -> SysResult<()> {
    let parent = place(lp, at, true)?;
    // Linux and the BSDs: of the special bits only the sticky one.
    let bits = masked(lp, bits & (0o777 | mode::ISVTX));
    new_file(lp, &parent, mode::IFDIR | bits, 0, &[]).map(|_| ())
}

/// mknod(2): regular files, FIFOs and sockets for all, devices for root.
pub fn kern_mknod(lp: &Lwp, at: &At<'_>, bits: u32, rdev: u64) -> SysResult<()> {
    make_node(lp, at, bits, rdev).map(|_| ())
}

/// As mknod(2); answers the node.
pub fn make_node(lp: &Lwp, at: &At<'_>, bits: u32, rdev: u64) -> SysResult<VnodeRef> {
    let kind = match bits & mode::IFMT {
        0 => mode::IFREG,
        kind @ (mode::IFREG | mode::IFIFO | mode::IFSOCK) => kind,
        kind @ (mode::IFCHR | mode::IFBLK) => {
            lp.proc.cred.check_root()?;
            kind
        }
        mode::IFDIR => return Err(Errno::EPERM),
        _ => return Err(Errno::EINVAL),
    };
    let parent = place(lp, at, false)?;
    let device = matches!(kind, mode::IFCHR | mode::IFBLK);
    let bits = masked(lp, bits & mode::PERM);
    new_file(lp, &parent, kind | bits, if device { rdev } else { 0 }, &[])
}

pub fn kern_symlink(lp: &Lwp, target: &[u8], at: &At<'_>) -> SysResult<()> {
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    if target.len() >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let parent = place(lp, at, false)?;
    new_file(lp, &parent, mode::IFLNK | 0o777, 0, target).map(|_| ())
}

/// readlink(2). EINVAL for what is no symbolic link.
pub fn kern_readlink(lp: &Lwp, at: &At<'_>) -> SysResult<Vec<u8>> {
    namei(lp, &at.following(false))?.readlink(lp)
}

/// link(2): `old.follow` says whether a symbolic link is linked to or what it points to.
pub fn kern_link(lp: &Lwp, old: &At<'_>, new: &At<'_>) -> SysResult<()> {
    lp.machine().admit()?;
    let file = namei(lp, old)?;
    if file.is_dir() {
        return Err(Errno::EPERM);
    }
    let parent = place(lp, new, false)?;
    if !alloc::sync::Arc::ptr_eq(&file.head().mount, &parent.dir.head().mount) {
        return Err(Errno::EXDEV);
    }
    parent.dir.link(lp, &parent.name, &file)?;
    purge(lp, &parent.dir, &parent.name);
    Ok(())
}

/// unlink(2), or rmdir(2) when `dir`.
pub fn kern_unlink(lp: &Lwp, at: &At<'_>, dir: bool) -> SysResult<()> {
    let parent = namei_parent(lp, &at.following(false))?;
    match parent.kind {
        Kind::Normal => {}
        _ if !dir => return Err(Errno::EISDIR),
        Kind::Dot => return Err(Errno::EINVAL),
        Kind::DotDot => return Err(Errno::ENOTEMPTY),
        Kind::Root => return Err(Errno::EBUSY),
    }
    let vp = child(lp, &parent.dir, &parent.name)?;
    match (dir, vp.is_dir()) {
        (false, true) => return Err(Errno::EISDIR),
        (true, false) => return Err(Errno::ENOTDIR),
        (false, false) if parent.trailing_slash => return Err(Errno::ENOTDIR),
        _ => {}
    }
    check_enter(lp, &parent.dir)?;
    check_sticky(lp, &parent.dir, &vp)?;
    if is_mount_point(&vp) {
        return Err(Errno::EBUSY);
    }
    parent.dir.remove(lp, &parent.name, dir)?;
    purge(lp, &parent.dir, &parent.name);
    Ok(())
}

/// rename(2) and renameat2(2), with `types::rename` flags.
pub fn kern_rename(lp: &Lwp, from: &At<'_>, to: &At<'_>, flags: u32) -> SysResult<()> {
    let both = rename::NOREPLACE | rename::EXCHANGE;
    if flags & !both != 0 || flags & both == both {
        return Err(Errno::EINVAL);
    }
    let from = namei_parent(lp, &from.following(false))?;
    let to = namei_parent(lp, &to.following(false))?;
    if !alloc::sync::Arc::ptr_eq(&from.dir.head().mount, &to.dir.head().mount) {
        return Err(Errno::EXDEV);
    }
    if from.kind != Kind::Normal || to.kind != Kind::Normal {
        let exists = flags & rename::NOREPLACE != 0 && from.kind == Kind::Normal;
        return Err(if exists { Errno::EEXIST } else { Errno::EBUSY });
    }
    if !same(&from.dir, &to.dir) || to.name.len() > from.name.len() {
        // What it takes stays: room in another directory, a longer name.
        lp.machine().admit()?;
    }
    let source = child(lp, &from.dir, &from.name)?;
    if source.is_dir() && !same(&from.dir, &to.dir) {
        // The tree changes its shape: one at a time, so that what was found about ancestors holds.
        let mount = from.dir.head().mount.clone();
        let _shape = mount.rename.lock(lp);
        rename_checked(lp, &from, &source, &to, flags)
    } else {
        rename_checked(lp, &from, &source, &to, flags)
    }
}

fn rename_checked(lp: &Lwp, from: &Parent<'_>, source: &VnodeRef, to: &Parent<'_>, flags: u32) -> SysResult<()> {
    let target = match child(lp, &to.dir, &to.name) {
        Ok(vp) => Some(vp),
        Err(Errno::ENOENT) => None,
        Err(e) => return Err(e),
    };
    if target.is_some() && flags & rename::NOREPLACE != 0 {
        return Err(Errno::EEXIST);
    }
    if target.is_none() && flags & rename::EXCHANGE != 0 {
        return Err(Errno::ENOENT);
    }
    check_rename(lp, from, source, to, target.as_ref(), flags)?;
    if target.as_ref().is_some_and(|t| same(t, source)) {
        return Ok(()); // two links to one file: nothing is done (POSIX)
    }
    from.dir.rename(lp, &from.name, &to.dir, &to.name, flags)?;
    purge(lp, &from.dir, &from.name);
    purge(lp, &to.dir, &to.name);
    Ok(())
}

fn check_rename(
    lp: &Lwp,
    from: &Parent<'_>,
    source: &VnodeRef,
    to: &Parent<'_>,
    target: Option<&VnodeRef>,
    flags: u32,
) -> SysResult<()> {
    let exchange = flags & rename::EXCHANGE != 0;
    let one = same(&from.dir, &to.dir);
    check_enter(lp, &from.dir)?;
    check_enter(lp, &to.dir)?;
    check_sticky(lp, &from.dir, source)?;
    let slash = from.trailing_slash || to.trailing_slash && !exchange;
    if slash && !source.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    if is_mount_point(source) {
        return Err(Errno::EBUSY);
    }
    if source.is_dir() && !one {
        // Its `..` changes, so it must be writable; and it can't move below itself.
        lp.proc.cred.access(&source.owner(), access::W_OK)?;
        if is_above(lp, source, &to.dir)? {
            return Err(Errno::EINVAL);
        }
    }
    let Some(target) = target else { return Ok(()) };
    if same(source, target) {
        return Ok(());
    }
    check_sticky(lp, &to.dir, target)?;
    if is_mount_point(target) {
        return Err(Errno::EBUSY);
    }
    if target.is_dir() && !one && is_above(lp, target, &from.dir)? {
        return Err(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
    }
    match (source.is_dir(), target.is_dir()) {
        _ if exchange => Ok(()),
        (true, false) => Err(Errno::ENOTDIR),
        (false, true) => Err(Errno::EISDIR),
        _ => Ok(()),
    }
}

/// Directories above one another, at most: the climb of `is_above` must end.
const DEPTH_MAX: usize = 1 << 16;

/// True when `dir` is `above` or stands somewhere below it, in one mount. ELOOP: who moves a host's
/// directories from outside, or through a second mount, can have each of two stand in the other.
fn is_above(lp: &Lwp, above: &VnodeRef, dir: &VnodeRef) -> SysResult<bool> {
    let mut dir = dir.clone();
    for _ in 0..DEPTH_MAX {
        if same(above, &dir) {
            return Ok(true);
        }
        if is_mount_root(&*dir) {
            return Ok(false);
        }
        dir = dir.parent(lp)?;
    }
    Err(Errno::ELOOP)
}
