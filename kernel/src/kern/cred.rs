//! Credentials: who a process is. POSIX 4.12, setuid(2).

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use abi::syscalls::UAddr;
use abi::types::access;
use abi::types::mode;
use abi::{Errno, SysResult};
use ksync::SpinLock;

use crate::kern::proc::Lwp;
use crate::locks;
use crate::vfs::vnode::Owner;

/// Most groups a process may be in.
const NGROUPS_MAX: usize = 64;

/// The ids of a process. Changed by its own lwp only, read by all.
pub struct Ucred {
    uid: AtomicU32,
    euid: AtomicU32,
    suid: AtomicU32,
    gid: AtomicU32,
    egid: AtomicU32,
    sgid: AtomicU32,
    groups: SpinLock<Vec<u32>>,
}

impl Ucred {
    pub fn new(uid: u32, gid: u32) -> Ucred {
        let id = AtomicU32::new;
        Ucred {
            uid: id(uid),
            euid: id(uid),
            suid: id(uid),
            gid: id(gid),
            egid: id(gid),
            sgid: id(gid),
            groups: SpinLock::new(&locks::PROC, Vec::new()),
        }
    }

    /// A child's.
    pub fn copy(&self) -> Ucred {
        let id = |a: &AtomicU32| AtomicU32::new(a.load(Relaxed));
        Ucred {
            uid: id(&self.uid),
            euid: id(&self.euid),
            suid: id(&self.suid),
            gid: id(&self.gid),
            egid: id(&self.egid),
            sgid: id(&self.sgid),
            groups: SpinLock::new(&locks::PROC, self.groups.lock().clone()),
        }
    }

    pub fn uid(&self) -> u32 {
        self.uid.load(Relaxed)
    }
    #[inline]
    pub fn euid(&self) -> u32 {
        self.euid.load(Relaxed)
    }
    pub fn gid(&self) -> u32 {
        self.gid.load(Relaxed)
    }
    #[inline]
    pub fn egid(&self) -> u32 {
        self.egid.load(Relaxed)
    }
    pub fn suid(&self) -> u32 {
        self.suid.load(Relaxed)
    }

    /// POSIX_SPAWN_RESETIDS.
    pub fn reset_effective(&self) {
        self.euid.store(self.uid(), Relaxed);
        self.egid.store(self.gid(), Relaxed);
    }

    /// exec of a set-user-ID or set-group-ID file; the saved ids follow in any case.
    pub fn exec(&self, owner: &Owner, honour: bool) {
        if honour && owner.mode & mode::ISUID != 0 && check_id(owner.uid).is_ok() {
            self.euid.store(owner.uid, Relaxed);
        }
        if honour && owner.mode & mode::ISGID != 0 && check_id(owner.gid).is_ok() {
            self.egid.store(owner.gid, Relaxed);
        }
        self.suid.store(self.euid(), Relaxed);
        self.sgid.store(self.egid(), Relaxed);
    }

    /// Sets all ids, for pid 1 at boot.
    pub fn become_user(&self, uid: u32, gid: u32) {
        for (a, v) in [
            (&self.uid, uid),
            (&self.euid, uid),
            (&self.suid, uid),
            (&self.gid, gid),
            (&self.egid, gid),
            (&self.sgid, gid),
        ] {
            a.store(v, Relaxed);
        }
    }

    pub fn in_group(&self, gid: u32) -> bool {
        self.member(self.egid(), gid)
    }

    /// In a group, with this id as the first of one's own.
    fn member(&self, own: u32, gid: u32) -> bool {
        own == gid || self.groups.lock().contains(&gid)
    }

    /// POSIX 4.5, file access permissions: `want` in bits of `types::access`. EACCES.
    #[inline]
    pub fn access(&self, file: &Owner, want: u32) -> SysResult<()> {
        if self.euid() == 0 { root_access(file, want) } else { self.access_as(self.euid(), self.egid(), file, want) }
    }

    /// With the real ids, for access(2).
    pub fn access_real(&self, file: &Owner, want: u32) -> SysResult<()> {
        if self.uid() == 0 { root_access(file, want) } else { self.access_as(self.uid(), self.gid(), file, want) }
    }

    fn access_as(&self, uid: u32, gid: u32, file: &Owner, want: u32) -> SysResult<()> {
        let granted = if uid == file.uid {
            file.mode >> 6
        } else if self.member(gid, file.gid) {
            file.mode >> 3
        } else {
            file.mode
        };
        if granted & want == want { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// EPERM unless the caller owns the file or is root.
    pub fn check_owner(&self, file: &Owner) -> SysResult<()> {
        if self.euid() == 0 || self.euid() == file.uid { Ok(()) } else { Err(Errno::EPERM) }
    }

    pub fn check_root(&self) -> SysResult<()> {
        if self.euid() == 0 { Ok(()) } else { Err(Errno::EPERM) }
    }
}

/// Root may do all, but executes only what somebody may execute.
fn root_access(file: &Owner, want: u32) -> SysResult<()> {
    let executable = file.mode & 0o111 != 0 || file.mode & mode::IFMT == mode::IFDIR;
    if want & access::X_OK != 0 && !executable { Err(Errno::EACCES) } else { Ok(()) }
}

pub fn sys_getuid(lp: &Lwp) -> SysResult<u32> {
    Ok(lp.proc.cred.uid())
}
pub fn sys_geteuid(lp: &Lwp) -> SysResult<u32> {
    Ok(lp.proc.cred.euid())
}
pub fn sys_getgid(lp: &Lwp) -> SysResult<u32> {
    Ok(lp.proc.cred.gid())
}
pub fn sys_getegid(lp: &Lwp) -> SysResult<u32> {
    Ok(lp.proc.cred.egid())
}

/// Ids have 31 bits: an answer of getuid(2) must not look like an error.
fn check_id(id: u32) -> SysResult<()> {
    if id > i32::MAX as u32 { Err(Errno::EINVAL) } else { Ok(()) }
}

/// setuid(2): root sets all three ids, others the effective one to the real or the saved.
pub fn sys_setuid(lp: &Lwp, id: u32) -> SysResult<()> {
    check_id(id)?;
    let c = &lp.proc.cred;
    if c.euid() == 0 {
        c.uid.store(id, Relaxed);
        c.suid.store(id, Relaxed);
    } else if id != c.uid() && id != c.suid() {
        return Err(Errno::EPERM);
    }
    c.euid.store(id, Relaxed);
    Ok(())
}

pub fn sys_setgid(lp: &Lwp, id: u32) -> SysResult<()> {
    check_id(id)?;
    let c = &lp.proc.cred;
    if c.euid() == 0 {
        c.gid.store(id, Relaxed);
        c.sgid.store(id, Relaxed);
    } else if id != c.gid() && id != c.sgid.load(Relaxed) {
        return Err(Errno::EPERM);
    }
    c.egid.store(id, Relaxed);
    Ok(())
}

pub fn sys_seteuid(lp: &Lwp, id: u32) -> SysResult<()> {
    check_id(id)?;
    let c = &lp.proc.cred;
    if c.euid() != 0 && id != c.uid() && id != c.suid() {
        return Err(Errno::EPERM);
    }
    c.euid.store(id, Relaxed);
    Ok(())
}

pub fn sys_setegid(lp: &Lwp, id: u32) -> SysResult<()> {
    check_id(id)?;
    let c = &lp.proc.cred;
    if c.euid() != 0 && id != c.gid() && id != c.sgid.load(Relaxed) {
        return Err(Errno::EPERM);
    }
    c.egid.store(id, Relaxed);
    Ok(())
}

/// getgroups(2): with a count of 0 only how many there are. EINVAL when they don't fit.
pub fn sys_getgroups(lp: &Lwp, count: u32, out: UAddr) -> SysResult<usize> {
    let groups = lp.proc.cred.groups.lock().clone();
    if count == 0 {
        return Ok(groups.len());
    }
    if groups.len() > count as usize {
        return Err(Errno::EINVAL);
    }
    for (i, g) in groups.iter().enumerate() {
        lp.machine().put32(out.offset(i * 4), *g)?;
    }
    Ok(groups.len())
}

pub fn sys_setgroups(lp: &Lwp, count: u32, from: UAddr) -> SysResult<()> {
    lp.proc.cred.check_root()?;
    if count as usize > NGROUPS_MAX {
        return Err(Errno::EINVAL);
    }
    let mut groups = Vec::with_capacity(count as usize);
    for i in 0..count as usize {
        let mut b = [0; 4];
        lp.machine().copyin(from.offset(i * 4), &mut b)?;
        groups.push(u32::from_le_bytes(b));
    }
    *lp.proc.cred.groups.lock() = groups;
    Ok(())
}
