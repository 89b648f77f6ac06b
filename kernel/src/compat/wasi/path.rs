//! Calls on paths.

use core::sync::atomic::Ordering::Relaxed;

use abi::syscalls::UAddr;
use abi::types::{Stat, o};
use abi::{Errno, SysResult};

use super::place::{Place, change_two};
use super::types::{self, SYMLINK_FOLLOW, oflags};
use super::{fd, rights};
use crate::kern::proc::Lwp;
use crate::vfs::lookup::namei;
use crate::vfs::path::copy_path;
use crate::vfs::syscalls::{
    kern_link, kern_mkdir, kern_open, kern_readlink, kern_rename, kern_stat, kern_symlink, kern_unlink, kern_utimens,
};

/// Permissions of what is made, before the umask.
const FILE_MODE: u32 = 0o666;
const DIR_MODE: u32 = 0o777;

/// `lookupflags`: whether a last symbolic link is followed.
fn follows(flags: u32) -> SysResult<bool> {
    if flags & !SYMLINK_FOLLOW != 0 { Err(Errno::EINVAL) } else { Ok(flags & SYMLINK_FOLLOW != 0) }
}

#[allow(clippy::too_many_arguments)]
pub fn path_open(
    lp: &Lwp,
    dir: i32,
    dirflags: u32,
    path: UAddr,
    len: u32,
    oflags: u32,
    base: u64,
    inheriting: u64,
    fdflags: u32,
    opened: UAddr,
) -> SysResult<()> {
    let follow = follows(dirflags)?;
    let flags = open_flags(follow, oflags, base, fdflags)?;
    let place = Place::new(lp, dir, path, len, rights_to_open(flags))?;
    let may = place.file.rights.inheriting.load(Relaxed);
    if base & rights::ALL & !may != 0 {
        return Err(Errno::ENOTCAPABLE);
    }
    let only_reads = flags & (o::ACCMODE | o::CREAT | o::TRUNC) == o::RDONLY;
    let file = place.find(only_reads, follow, |at| kern_open(lp, at, flags, FILE_MODE))?;
    rights::set(&file, base & may, inheriting & may);
    let fd = lp.add_file(file, false)?;
    lp.machine().put32(opened, fd as u32).inspect_err(|_| {
        // The program will never know of it.
        drop(lp.proc.files.remove(fd));
    })
}

/// What `path_open` says, as flags of open(2).
fn open_flags(follow: bool, oflags: u32, base: u64, fdflags: u32) -> SysResult<u32> {
    let makes = oflags & (oflags::CREAT | oflags::EXCL | oflags::TRUNC) != 0;
    if oflags & !oflags::ALL != 0 || makes && oflags & oflags::DIRECTORY != 0 {
        return Err(Errno::EINVAL);
    }
    let mut flags = types::status_from_fdflags(fdflags)?;
    let bits = [
        (oflags::CREAT, o::CREAT),
        (oflags::DIRECTORY, o::DIRECTORY),
        (oflags::EXCL, o::EXCL),
        (oflags::TRUNC, o::TRUNC),
    ];
    for (theirs, ours) in bits {
        if oflags & theirs != 0 {
            flags |= ours;
        }
    }
    flags |= match rights::access(base) {
        (true, true) => o::RDWR,
        (false, true) => o::WRONLY,
        _ => o::RDONLY,
    };
    Ok(if follow { flags } else { flags | o::NOFOLLOW })
}

/// What the directory's descriptor must still be good for.
fn rights_to_open(flags: u32) -> u64 {
    let bit = |flag, right| if flags & flag != 0 { right } else { 0 };
    rights::PATH_OPEN | bit(o::CREAT, rights::PATH_CREATE_FILE) | bit(o::TRUNC, rights::PATH_FILESTAT_SET_SIZE)
}

pub fn path_filestat_get(lp: &Lwp, dir: i32, flags: u32, path: UAddr, len: u32, out: UAddr) -> SysResult<()> {
    let stat = stat(lp, dir, flags, path, len)?;
    lp.machine().copyout(&types::filestat(&stat), out)
}

pub(super) fn stat(lp: &Lwp, dir: i32, flags: u32, path: UAddr, len: u32) -> SysResult<Stat> {
    let follow = follows(flags)?;
    Place::new(lp, dir, path, len, rights::PATH_FILESTAT_GET)?.look(follow, |at| kern_stat(lp, at))
}

#[allow(clippy::too_many_arguments)]
pub fn path_filestat_set_times(
    lp: &Lwp,
    dir: i32,
    flags: u32,
    path: UAddr,
    len: u32,
    atim: u64,
    mtim: u64,
    fst_flags: u32,
) -> SysResult<()> {
    let follow = follows(flags)?;
    let (atime, mtime) = fd::times(atim, mtim, fst_flags)?;
    let place = Place::new(lp, dir, path, len, rights::PATH_FILESTAT_SET_TIMES)?;
    let vp = place.change(follow, |at| namei(lp, at))?;
    kern_utimens(lp, &vp, atime, mtime)
}

pub fn path_create_directory(lp: &Lwp, dir: i32, path: UAddr, len: u32) -> SysResult<()> {
    let place = Place::new(lp, dir, path, len, rights::PATH_CREATE_DIRECTORY)?;
    place.change(false, |at| kern_mkdir(lp, at, DIR_MODE))
}

pub fn path_remove_directory(lp: &Lwp, dir: i32, path: UAddr, len: u32) -> SysResult<()> {
    let place = Place::new(lp, dir, path, len, rights::PATH_REMOVE_DIRECTORY)?;
    place.change(false, |at| kern_unlink(lp, at, true))
}

pub fn path_unlink_file(lp: &Lwp, dir: i32, path: UAddr, len: u32) -> SysResult<()> {
    let place = Place::new(lp, dir, path, len, rights::PATH_UNLINK_FILE)?;
    place.change(false, |at| kern_unlink(lp, at, false))
}

#[allow(clippy::too_many_arguments)]
pub fn path_link(
    lp: &Lwp,
    from: i32,
    flags: u32,
    old: UAddr,
    old_len: u32,
    to: i32,
    new: UAddr,
    new_len: u32,
) -> SysResult<()> {
    let follow = follows(flags)?;
    let old = Place::new(lp, from, old, old_len, rights::PATH_LINK_SOURCE)?;
    let new = Place::new(lp, to, new, new_len, rights::PATH_LINK_TARGET)?;
    change_two(&old, &new, follow, |old, new| kern_link(lp, old, new))
}

pub fn path_rename(lp: &Lwp, from: i32, old: UAddr, old_len: u32, to: i32, new: UAddr, new_len: u32) -> SysResult<()> {
    let old = Place::new(lp, from, old, old_len, rights::PATH_RENAME_SOURCE)?;
    let new = Place::new(lp, to, new, new_len, rights::PATH_RENAME_TARGET)?;
    change_two(&old, &new, false, |old, new| kern_rename(lp, old, new, 0))
}

/// The text of the link is the program's own business: no library rewrites it.
pub fn path_symlink(lp: &Lwp, target: UAddr, target_len: u32, dir: i32, path: UAddr, len: u32) -> SysResult<()> {
    let target = copy_path(lp, target, target_len)?;
    let place = Place::new(lp, dir, path, len, rights::PATH_SYMLINK)?;
    place.change(false, |at| kern_symlink(lp, &target, at))
}

/// As much of the text as there is room for.
pub fn path_readlink(lp: &Lwp, dir: i32, path: UAddr, len: u32, buf: UAddr, size: u32, used: UAddr) -> SysResult<()> {
    let place = Place::new(lp, dir, path, len, rights::PATH_READLINK)?;
    let text = place.look(false, |at| kern_readlink(lp, at))?;
    let n = text.len().min(size as usize);
    lp.machine().copyout(&text[..n], buf)?;
    lp.machine().put32(used, n as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::wasi::types::fdflags;

    #[test]
    fn rights_decide_the_access_mode() {
        let flags = |base| open_flags(true, 0, base, 0).unwrap();
        assert_eq!(flags(rights::FD_READ), o::RDONLY);
        assert_eq!(flags(rights::FD_WRITE), o::WRONLY);
        assert_eq!(flags(rights::FD_READ | rights::FD_WRITE), o::RDWR);
        assert_eq!(flags(0), o::RDONLY);
    }

    #[test]
    fn flags_of_all_three_kinds_come_together() {
        let f = open_flags(false, oflags::CREAT | oflags::TRUNC, rights::FD_WRITE, fdflags::APPEND).unwrap();
        assert_eq!(f, o::WRONLY | o::CREAT | o::TRUNC | o::APPEND | o::NOFOLLOW);
        assert_eq!(open_flags(true, 16, 0, 0), Err(Errno::EINVAL));
        assert_eq!(open_flags(true, 0, 0, 32), Err(Errno::EINVAL));
        assert_eq!(open_flags(true, oflags::DIRECTORY | oflags::CREAT, 0, 0), Err(Errno::EINVAL));
        assert_eq!(follows(2), Err(Errno::EINVAL));
    }

    #[test]
    fn making_and_cutting_need_rights_of_their_own() {
        assert_eq!(rights_to_open(o::RDWR), rights::PATH_OPEN);
        assert_eq!(rights_to_open(o::CREAT), rights::PATH_OPEN | rights::PATH_CREATE_FILE);
        assert_eq!(rights_to_open(o::TRUNC), rights::PATH_OPEN | rights::PATH_FILESTAT_SET_SIZE);
    }
}
