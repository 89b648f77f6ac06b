//! What is asked and changed about a file without touching its name: stat, access, chmod, chown,
//! utimens, truncate. Who may is decided here, once for all file systems.

use abi::types::{Stat, access, mode, rlimit, sig};
use abi::{Errno, SysResult};

use crate::kern::proc::Lwp;
use crate::kern::sig::psignal;
use crate::uio::Uio;
use crate::vfs::lookup::{At, namei};
use crate::vfs::vnode::{SetAttr, Vnode, VnodeRef};

/// The size of the largest file: the largest offset that there is.
pub const FILE_MAX: u64 = i64::MAX as u64;

/// One of the two times that utimensat(2) sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeSet {
    Now,
    /// Since 1970.
    Ns(i64),
}

#[inline]
pub fn kern_stat(lp: &Lwp, at: &At<'_>) -> SysResult<Stat> {
    namei(lp, at)?.getattr(lp)
}

/// EROFS when the file is on a mount that nothing may be written to; devices and FIFOs there are
/// only named by it (POSIX: access(2), open(2)).
pub fn check_writable_mount(vp: &dyn Vnode) -> SysResult<()> {
    if !vp.head().mount.readonly() {
        return Ok(());
    }
    match vp.owner().mode & mode::IFMT {
        mode::IFREG | mode::IFDIR | mode::IFLNK => Err(Errno::EROFS),
        _ => Ok(()),
    }
}

/// EROFS for a change of attributes, whatever the file is.
fn check_rw(vp: &dyn Vnode) -> SysResult<()> {
    if vp.head().mount.readonly() { Err(Errno::EROFS) } else { Ok(()) }
}

/// access(2): `bits` of `types::access`, with the real ids or the effective ones.
pub fn kern_access(lp: &Lwp, at: &At<'_>, bits: u32, effective: bool) -> SysResult<()> {
    if bits & !(access::R_OK | access::W_OK | access::X_OK) != 0 {
        return Err(Errno::EINVAL);
    }
    let vp = namei(lp, at)?;
    if bits & access::W_OK != 0 {
        check_writable_mount(&*vp)?;
    }
    let cred = &lp.proc.cred;
    if effective { cred.access(&vp.owner(), bits) } else { cred.access_real(&vp.owner(), bits) }
}

/// chmod(2). A set-group-ID bit for a group the caller isn't in is dropped.
pub fn kern_chmod(lp: &Lwp, vp: &VnodeRef, bits: u32) -> SysResult<()> {
    check_rw(&**vp)?;
    let owner = vp.owner();
    let cred = &lp.proc.cred;
    cred.check_owner(&owner)?;
    if owner.mode & mode::IFMT == mode::IFLNK {
        return Err(Errno::ENOTSUP);
    }
    let mut bits = bits & mode::PERM;
    if cred.euid() != 0 && !cred.in_group(owner.gid) {
        bits &= !mode::ISGID;
    }
    vp.setattr(lp, &SetAttr { mode: Some(bits), ..SetAttr::default() })
}

/// chown(2), with _POSIX_CHOWN_RESTRICTED: only root gives files away, an owner may choose among
/// the groups it is in. Set-id bits of a program do not survive it.
pub fn kern_chown(lp: &Lwp, vp: &VnodeRef, uid: Option<u32>, gid: Option<u32>) -> SysResult<()> {
    check_rw(&**vp)?;
    if uid.is_none() && gid.is_none() {
        // Anyone may ask for nothing, and nothing is what happens: set-id bits stay as well.
        return Ok(());
    }
    let owner = vp.owner();
    let cred = &lp.proc.cred;
    if cred.euid() != 0 {
        let same_user = uid.is_none_or(|u| u == owner.uid);
        let own_group = gid.is_none_or(|g| g == owner.gid || cred.in_group(g));
        if cred.euid() != owner.uid || !same_user || !own_group {
            return Err(Errno::EPERM);
        }
    }
    let mut set = SetAttr { uid, gid, ..SetAttr::default() };
    if owner.mode & mode::IFMT != mode::IFDIR {
        let kept = without_set_ids(owner.mode);
        set.mode = (kept != owner.mode).then_some(kept & mode::PERM);
    }
    vp.setattr(lp, &set)
}

/// The mode without set-user-ID, and without set-group-ID where that means running as the group.
fn without_set_ids(bits: u32) -> u32 {
    let group_runs = bits & 0o010 != 0;
    bits & !(mode::ISUID | if group_runs { mode::ISGID } else { 0 })
}

/// The mode after somebody wrote to the file: a program that changed is not trusted any more.
#[inline]
pub fn drop_set_ids(lp: &Lwp, bits: u32) -> u32 {
    if bits & (mode::ISUID | mode::ISGID) == 0 || lp.proc.cred.euid() == 0 { bits } else { without_set_ids(bits) }
}

/// utimensat(2): None leaves a time as it is. "Now" may be set by who may write, any other time
/// only by the owner.
pub fn kern_utimens(lp: &Lwp, vp: &VnodeRef, atime: Option<TimeSet>, mtime: Option<TimeSet>) -> SysResult<()> {
    if atime.is_none() && mtime.is_none() {
        return Ok(());
    }
    check_rw(&**vp)?;
    let owner = vp.owner();
    let cred = &lp.proc.cred;
    let both_now = atime == Some(TimeSet::Now) && mtime == Some(TimeSet::Now);
    if cred.check_owner(&owner).is_err() {
        if !both_now {
            return Err(Errno::EPERM);
        }
        cred.access(&owner, access::W_OK)?;
    }
    let now = lp.machine().clock(abi::types::clock::REALTIME, 0) as i64;
    let ns = |t: TimeSet| match t {
        TimeSet::Now => now,
        TimeSet::Ns(ns) => ns,
    };
    vp.setattr(lp, &SetAttr { atime_ns: atime.map(ns), mtime_ns: mtime.map(ns), ..SetAttr::default() })
}

/// ftruncate(2); that the file is open for writing has been checked.
pub fn kern_truncate(lp: &Lwp, vp: &VnodeRef, size: u64) -> SysResult<()> {
    match vp.kind() {
        mode::IFREG => {}
        mode::IFDIR => return Err(Errno::EISDIR),
        _ => return Err(Errno::EINVAL),
    }
    if size > FILE_MAX {
        return Err(Errno::EFBIG);
    }
    check_rw(&**vp)?;
    vp.setattr(lp, &SetAttr { size: Some(size), ..SetAttr::default() })
}

/// For file systems: how many of the bytes that a write brings lie behind what the process may
/// write. EFBIG and SIGXFSZ when that is all of them (POSIX write(2)).
#[inline]
pub fn limit_write(lp: &Lwp, uio: &Uio<'_>) -> SysResult<usize> {
    let limit = lp.proc.limits.soft(rlimit::FSIZE).min(FILE_MAX);
    let end = uio.offset.saturating_add(uio.resid as u64);
    if end <= limit { Ok(0) } else { beyond_limit(lp, uio, limit) }
}

#[cold]
fn beyond_limit(lp: &Lwp, uio: &Uio<'_>, limit: u64) -> SysResult<usize> {
    if uio.offset < limit {
        let room = (limit - uio.offset) as usize;
        return Ok(uio.resid - room);
    }
    if limit != FILE_MAX {
        psignal(&lp.kernel, &lp.proc, sig::XFSZ);
    }
    Err(Errno::EFBIG)
}

/// For file systems: EFBIG and SIGXFSZ when a file grows to more than the process may write.
pub fn within_fsize(lp: &Lwp, old: u64, new: u64) -> SysResult<()> {
    if new > old && new > lp.proc.limits.soft(rlimit::FSIZE) {
        psignal(&lp.kernel, &lp.proc, sig::XFSZ);
        return Err(Errno::EFBIG);
    }
    Ok(())
}
