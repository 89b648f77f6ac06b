//! The file calls of the table: decoding only. What they do stands in `open`, `names`, `attrs` and
//! `dirs`, as `kern_*`, for all personalities.

use abi::syscalls::UAddr;
use abi::types::{Stat, at, mnt, o};
use abi::wire::Reader;
use abi::{Errno, SysResult};

use crate::kern::proc::Lwp;
use crate::vfs::lookup::{Start, namei};
use crate::vfs::vnode::VnodeRef;
use crate::vfs::{devfs, procfs, tmpfs};

pub use crate::vfs::attrs::{TimeSet, kern_access, kern_chmod, kern_chown, kern_stat, kern_truncate, kern_utimens};
pub use crate::vfs::dirs::{kern_chdir, kern_chroot, kern_fchdir, kern_getcwd, sys_getdents};
pub use crate::vfs::lookup::At;
pub use crate::vfs::names::{kern_link, kern_mkdir, kern_mknod, kern_readlink, kern_rename, kern_symlink, kern_unlink};
pub use crate::vfs::open::kern_open;
pub use crate::vfs::path::copy_path;

/// Runs `f` on where a descriptor and a path point. The descriptor of an absolute path is not looked at.
#[inline]
fn with_at<T>(
    lp: &Lwp,
    dir: i32,
    path: UAddr,
    len: u32,
    follow: bool,
    f: impl FnOnce(&At<'_>) -> SysResult<T>,
) -> SysResult<T> {
    let path = copy_path(lp, path, len)?;
    if dir == at::FDCWD || path[0] == b'/' {
        return f(&At { start: Start::Cwd, path: &path, follow, beneath: false });
    }
    let file = lp.file(dir)?;
    f(&At { start: Start::Dir(&file.vnode), path: &path, follow, beneath: false })
}

/// The object itself; with AT_EMPTY_PATH and no path that of the descriptor.
fn object(lp: &Lwp, dir: i32, path: UAddr, len: u32, flags: u32) -> SysResult<VnodeRef> {
    if len == 0 && flags & at::EMPTY_PATH != 0 {
        return match dir {
            at::FDCWD => crate::vfs::lookup::working_dir(lp),
            fd => lp.file(fd).map(|f| f.vnode.clone()),
        };
    }
    with_at(lp, dir, path, len, flags & at::SYMLINK_NOFOLLOW == 0, |at| namei(lp, at))
}

/// EINVAL for flags that a call does not know.
fn only(flags: u32, known: u32) -> SysResult<()> {
    if flags & !known != 0 { Err(Errno::EINVAL) } else { Ok(()) }
}

pub fn sys_openat(lp: &Lwp, dir: i32, path: UAddr, len: u32, flags: u32, mode: u32) -> SysResult<i32> {
    let file = with_at(lp, dir, path, len, true, |at| kern_open(lp, at, flags, mode))?;
    lp.add_file(file, flags & o::CLOEXEC != 0)
}

fn put_stat(lp: &Lwp, stat: &Stat, out: UAddr) -> SysResult<()> {
    lp.machine().copyout(&stat.to_bytes(), out)
}

pub fn sys_fstatat(lp: &Lwp, dir: i32, path: UAddr, len: u32, out: UAddr, flags: u32) -> SysResult<()> {
    only(flags, at::SYMLINK_NOFOLLOW | at::EMPTY_PATH)?;
    let vp = object(lp, dir, path, len, flags)?;
    put_stat(lp, &vp.getattr(lp)?, out)
}

pub fn sys_fstat(lp: &Lwp, fd: i32, out: UAddr) -> SysResult<()> {
    put_stat(lp, &lp.file(fd)?.vnode.getattr(lp)?, out)
}

pub fn sys_faccessat(lp: &Lwp, dir: i32, path: UAddr, len: u32, mode: u32, flags: u32) -> SysResult<()> {
    only(flags, at::EACCESS | at::SYMLINK_NOFOLLOW)?;
    let follow = flags & at::SYMLINK_NOFOLLOW == 0;
    with_at(lp, dir, path, len, follow, |at| kern_access(lp, at, mode, flags & at::EACCESS != 0))
}

pub fn sys_mkdirat(lp: &Lwp, dir: i32, path: UAddr, len: u32, mode: u32) -> SysResult<()> {
    with_at(lp, dir, path, len, false, |at| kern_mkdir(lp, at, mode))
}

pub fn sys_mknodat(lp: &Lwp, dir: i32, path: UAddr, len: u32, mode: u32, dev: u64) -> SysResult<()> {
    with_at(lp, dir, path, len, false, |at| kern_mknod(lp, at, mode, dev))
}

pub fn sys_unlinkat(lp: &Lwp, dir: i32, path: UAddr, len: u32, flags: u32) -> SysResult<()> {
    only(flags, at::REMOVEDIR)?;
    with_at(lp, dir, path, len, false, |at| kern_unlink(lp, at, flags & at::REMOVEDIR != 0))
}

#[allow(clippy::too_many_arguments)]
pub fn sys_renameat(
    lp: &Lwp,
    from: i32,
    old: UAddr,
    old_len: u32,
    to: i32,
    new: UAddr,
    new_len: u32,
    flags: u32,
) -> SysResult<()> {
    with_at(lp, from, old, old_len, false, |a| with_at(lp, to, new, new_len, false, |b| kern_rename(lp, a, b, flags)))
}

#[allow(clippy::too_many_arguments)]
pub fn sys_linkat(
    lp: &Lwp,
    from: i32,
    old: UAddr,
    old_len: u32,
    to: i32,
    new: UAddr,
    new_len: u32,
    flags: u32,
) -> SysResult<()> {
    only(flags, at::SYMLINK_FOLLOW)?;
    with_at(lp, from, old, old_len, flags & at::SYMLINK_FOLLOW != 0, |a| {
        with_at(lp, to, new, new_len, false, |b| kern_link(lp, a, b))
    })
}

pub fn sys_symlinkat(lp: &Lwp, target: UAddr, target_len: u32, dir: i32, path: UAddr, len: u32) -> SysResult<()> {
    let target = copy_path(lp, target, target_len)?;
    with_at(lp, dir, path, len, false, |at| kern_symlink(lp, &target, at))
}

/// readlinkat(2): cuts the text off at the buffer's size.
pub fn sys_readlinkat(lp: &Lwp, dir: i32, path: UAddr, len: u32, buf: UAddr, size: u32) -> SysResult<usize> {
    if size == 0 {
        return Err(Errno::EINVAL);
    }
    let text = with_at(lp, dir, path, len, false, |at| kern_readlink(lp, at))?;
    let n = text.len().min(size as usize);
    lp.machine().copyout(&text[..n], buf)?;
    Ok(n)
}

pub fn sys_fchmodat(lp: &Lwp, dir: i32, path: UAddr, len: u32, mode: u32, flags: u32) -> SysResult<()> {
    only(flags, at::SYMLINK_NOFOLLOW | at::EMPTY_PATH)?;
    let vp = object(lp, dir, path, len, flags)?;
    kern_chmod(lp, &vp, mode)
}

/// fchownat(2): an id of -1 stays as it is.
pub fn sys_fchownat(lp: &Lwp, dir: i32, path: UAddr, len: u32, uid: u32, gid: u32, flags: u32) -> SysResult<()> {
    only(flags, at::SYMLINK_NOFOLLOW | at::EMPTY_PATH)?;
    let vp = object(lp, dir, path, len, flags)?;
    let id = |id: u32| (id != u32::MAX).then_some(id);
    kern_chown(lp, &vp, id(uid), id(gid))
}

/// The two values of `times` that mean no time: UTIME_NOW and UTIME_OMIT.
const UTIME_NOW: i64 = i64::MIN;
const UTIME_OMIT: i64 = i64::MIN + 1;

/// utimensat(2): `times` points to two i64, nanoseconds since 1970, `i64::MIN` for now and
/// `i64::MIN + 1` to leave one; null for both now.
pub fn sys_utimensat(lp: &Lwp, dir: i32, path: UAddr, len: u32, times: UAddr, flags: u32) -> SysResult<()> {
    only(flags, at::SYMLINK_NOFOLLOW | at::EMPTY_PATH)?;
    let mut set = [Some(TimeSet::Now); 2];
    if times != UAddr::NULL {
        let mut b = [0; 16];
        lp.machine().copyin(times, &mut b)?;
        let mut r = Reader::new(&b);
        for s in &mut set {
            *s = match r.i64()? {
                UTIME_NOW => Some(TimeSet::Now),
                UTIME_OMIT => None,
                ns => Some(TimeSet::Ns(ns)),
            };
        }
    }
    let vp = object(lp, dir, path, len, flags)?;
    kern_utimens(lp, &vp, set[0], set[1])
}

pub fn sys_chdir(lp: &Lwp, path: UAddr, len: u32) -> SysResult<()> {
    with_at(lp, at::FDCWD, path, len, true, |at| kern_chdir(lp, at))
}

pub fn sys_chroot(lp: &Lwp, path: UAddr, len: u32) -> SysResult<()> {
    with_at(lp, at::FDCWD, path, len, true, |at| kern_chroot(lp, at))
}

pub fn sys_fchdir(lp: &Lwp, fd: i32) -> SysResult<()> {
    kern_fchdir(lp, fd)
}

/// getcwd(3): the length, without a terminator. ERANGE when it doesn't fit.
pub fn sys_getcwd(lp: &Lwp, buf: UAddr, size: u32) -> SysResult<usize> {
    let path = kern_getcwd(lp)?;
    if path.len() > size as usize {
        return Err(Errno::ERANGE);
    }
    lp.machine().copyout(&path, buf)?;
    Ok(path.len())
}

pub fn sys_fstatvfs(lp: &Lwp, fd: i32, buf: UAddr) -> SysResult<()> {
    let stat = lp.file(fd)?.vnode.statvfs(lp)?;
    lp.machine().copyout(&stat.to_bytes(), buf)
}

/// mount(2), for root: `tmpfs`, `devfs` or `procfs` on a directory. ENODEV for another kind.
pub fn sys_mount(lp: &Lwp, kind: UAddr, kind_len: u32, path: UAddr, len: u32, flags: u32) -> SysResult<()> {
    lp.machine().admit()?;
    lp.proc.cred.check_root()?;
    only(flags, mnt::RDONLY | mnt::NOSUID | mnt::NOEXEC)?;
    let kind = copy_path(lp, kind, kind_len)?;
    let path = copy_path(lp, path, len)?;
    let dir = namei(lp, &At::cwd(&path))?;
    let mount = match &*kind {
        b"tmpfs" => tmpfs::make(&lp.kernel, flags)?,
        b"devfs" => devfs::make(&lp.kernel, flags),
        b"procfs" => procfs::make(&lp.kernel, flags),
        _ => return Err(Errno::ENODEV),
    };
    crate::vfs::mount_on(lp, mount, &dir, &path)
}

/// umount(2), for root. EINVAL when the path is no mount point, EBUSY for the root and below other
/// mounts. Open files go on working; those of a disk can then be read only.
pub fn sys_unmount(lp: &Lwp, path: UAddr, len: u32, flags: u32) -> SysResult<()> {
    lp.proc.cred.check_root()?;
    only(flags, 0)?;
    let vp = with_at(lp, at::FDCWD, path, len, true, |at| namei(lp, at))?;
    if !crate::vfs::mount::is_mount_root(&*vp) {
        return Err(Errno::EINVAL);
    }
    let mount = vp.head().mount.clone();
    lp.kernel.namecache.clear();
    vp.detach(lp, true)?;
    let removed = lp.kernel.mounts.remove(&mount);
    if removed.is_err() {
        vp.detach(lp, false)?;
    }
    removed
}

/// sync(2): what file systems keep in memory is written.
pub fn sys_sync(lp: &Lwp) -> SysResult<()> {
    crate::vfs::sync_all(lp);
    Ok(())
}
