//! Credentials: who a process is. POSIX 4.12, setuid(2).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

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

/// An argument that leaves an id as it is: (uid_t)-1.
const KEEP: u32 = u32::MAX;

/// Real, effective and saved, of users or of groups. Changed by the process's own lwp only, read by all.
struct Ids {
    real: AtomicU32,
    effective: AtomicU32,
    saved: AtomicU32,
}

impl Ids {
    fn new(all: [u32; 3]) -> Ids {
        let [real, effective, saved] = all.map(AtomicU32::new);
        Ids { real, effective, saved }
    }
    fn get(&self) -> [u32; 3] {
        [self.real.load(Relaxed), self.effective.load(Relaxed), self.saved.load(Relaxed)]
    }
    fn set(&self, [real, effective, saved]: [u32; 3]) {
        self.real.store(real, Relaxed);
        self.effective.store(effective, Relaxed);
        self.saved.store(saved, Relaxed);
    }
}

/// What `setuid`, `setreuid` or `setresuid` makes of three ids. EINVAL, EPERM.
enum Change {
    One(u32),
    Two([u32; 2]),
    Three([u32; 3]),
}

impl Change {
    /// `mighty` may have any; others may choose among those that they have.
    fn of(self, ids: [u32; 3], mighty: bool) -> SysResult<[u32; 3]> {
        let [real, effective, saved] = ids;
        let pick = |id: u32, old: u32, among: &[u32]| match id {
            KEEP => Ok(old),
            id if mighty || among.contains(&id) => check_id(id).map(|()| id),
            id => check_id(id).and(Err(Errno::EPERM)),
        };
        match self {
            Change::One(id) => {
                check_id(id)?;
                let id = pick(id, effective, &[real, saved])?;
                Ok(if mighty { [id; 3] } else { [real, id, saved] })
            }
            Change::Two([r, e]) => {
                let new = [pick(r, real, &[real, effective])?, pick(e, effective, &ids)?];
                // POSIX leaves the saved one open; so all systems have it.
                let follow = r != KEEP || e != KEEP && new[1] != real;
                Ok([new[0], new[1], if follow { new[1] } else { saved }])
            }
            Change::Three([r, e, s]) => Ok([pick(r, real, &ids)?, pick(e, effective, &ids)?, pick(s, saved, &ids)?]),
        }
    }
}

/// Who a process is.
pub struct Ucred {
    user: Ids,
    group: Ids,
    groups: SpinLock<Arc<Vec<u32>>>,
    /// Its effective ids have changed since it became its program: it may know what its user may not.
    private: AtomicBool,
}

impl Ucred {
    pub fn new(uid: u32, gid: u32) -> Ucred {
        Ucred {
            user: Ids::new([uid; 3]),
            group: Ids::new([gid; 3]),
            groups: SpinLock::new(&locks::PROC, Arc::default()),
            private: AtomicBool::new(false),
        }
    }

    /// A child's.
    pub fn copy(&self) -> Ucred {
        let groups = self.groups.lock().clone();
        Ucred {
            user: Ids::new(self.user.get()),
            group: Ids::new(self.group.get()),
            groups: SpinLock::new(&locks::PROC, groups),
            private: AtomicBool::new(self.private.load(Relaxed)),
        }
    }

    /// Its program may be run by its user and not read: nor may its memory.
    pub fn hide(&self) {
        self.private.store(true, Relaxed);
    }

    /// It may know what its user may not: there are no core dumps of it.
    pub fn is_private(&self) -> bool {
        self.private.load(Relaxed) || self.euid() != self.uid() || self.egid() != self.gid()
    }

    pub fn uid(&self) -> u32 {
        self.user.real.load(Relaxed)
    }
    #[inline]
    pub fn euid(&self) -> u32 {
        self.user.effective.load(Relaxed)
    }
    pub fn gid(&self) -> u32 {
        self.group.real.load(Relaxed)
    }
    #[inline]
    pub fn egid(&self) -> u32 {
        self.group.effective.load(Relaxed)
    }
    pub fn suid(&self) -> u32 {
        self.user.saved.load(Relaxed)
    }
    /// Real, effective, saved.
    pub fn uids(&self) -> [u32; 3] {
        self.user.get()
    }
    pub fn gids(&self) -> [u32; 3] {
        self.group.get()
    }
    pub fn groups(&self) -> Arc<Vec<u32>> {
        self.groups.lock().clone()
    }

    fn set_users(&self, change: Change) -> SysResult<()> {
        self.set(&self.user, change)
    }
    fn set_groups(&self, change: Change) -> SysResult<()> {
        self.set(&self.group, change)
    }
    fn set(&self, ids: &Ids, change: Change) -> SysResult<()> {
        let old = ids.get();
        let new = change.of(old, self.euid() == 0)?;
        if new[1] != old[1] {
            self.private.store(true, Relaxed);
        }
        ids.set(new);
        Ok(())
    }

    /// POSIX_SPAWN_RESETIDS.
    pub fn reset_effective(&self) {
        self.user.effective.store(self.uid(), Relaxed);
        self.group.effective.store(self.gid(), Relaxed);
    }

    /// exec: of a set-user-ID or set-group-ID file where that is honoured; the saved ids follow in any case.
    pub fn exec(&self, file: Option<&Owner>) {
        let old = (self.euid(), self.egid());
        if let Some(file) = file {
            if file.mode & mode::ISUID != 0 && check_id(file.uid).is_ok() {
                self.user.effective.store(file.uid, Relaxed);
            }
            // Without the group's right to execute the bit means something else (chmod(2)).
            let both = mode::ISGID | 0o010;
            if file.mode & both == both && check_id(file.gid).is_ok() {
                self.group.effective.store(file.gid, Relaxed);
            }
        }
        self.user.saved.store(self.euid(), Relaxed);
        self.group.saved.store(self.egid(), Relaxed);
        self.private.store(old != (self.euid(), self.egid()), Relaxed);
    }

    /// Sets all ids, for pid 1 at boot.
    pub fn become_user(&self, uid: u32, gid: u32) {
        self.user.set([uid; 3]);
        self.group.set([gid; 3]);
    }

    /// May who has these look into a process that has `other`? As Linux's ptrace(2): all its ids must be
    /// the looker's, and it must never have had others.
    pub fn may_look(&self, other: &Ucred) -> bool {
        let same = other.uids() == [self.euid(); 3] && other.gids() == [self.egid(); 3];
        self.euid() == 0 || same && !other.private.load(Relaxed)
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
    lp.proc.cred.set_users(Change::One(id))
}
pub fn sys_setgid(lp: &Lwp, id: u32) -> SysResult<()> {
    lp.proc.cred.set_groups(Change::One(id))
}

/// seteuid(2).
pub fn sys_seteuid(lp: &Lwp, id: u32) -> SysResult<()> {
    check_id(id)?;
    lp.proc.cred.set_users(Change::Three([KEEP, id, KEEP]))
}
pub fn sys_setegid(lp: &Lwp, id: u32) -> SysResult<()> {
    check_id(id)?;
    lp.proc.cred.set_groups(Change::Three([KEEP, id, KEEP]))
}

/// setreuid(2); -1 leaves an id as it is.
pub fn sys_setreuid(lp: &Lwp, real: u32, effective: u32) -> SysResult<()> {
    lp.proc.cred.set_users(Change::Two([real, effective]))
}
pub fn sys_setregid(lp: &Lwp, real: u32, effective: u32) -> SysResult<()> {
    lp.proc.cred.set_groups(Change::Two([real, effective]))
}

/// setresuid(2); -1 leaves an id as it is.
pub fn sys_setresuid(lp: &Lwp, real: u32, effective: u32, saved: u32) -> SysResult<()> {
    lp.proc.cred.set_users(Change::Three([real, effective, saved]))
}
pub fn sys_setresgid(lp: &Lwp, real: u32, effective: u32, saved: u32) -> SysResult<()> {
    lp.proc.cred.set_groups(Change::Three([real, effective, saved]))
}

/// getresuid(2).
pub fn sys_getresuid(lp: &Lwp, real: UAddr, effective: UAddr, saved: UAddr) -> SysResult<()> {
    put_ids(lp, [real, effective, saved], lp.proc.cred.uids())
}
pub fn sys_getresgid(lp: &Lwp, real: UAddr, effective: UAddr, saved: UAddr) -> SysResult<()> {
    put_ids(lp, [real, effective, saved], lp.proc.cred.gids())
}
fn put_ids(lp: &Lwp, to: [UAddr; 3], ids: [u32; 3]) -> SysResult<()> {
    to.iter().zip(ids).try_for_each(|(to, id)| lp.machine().put32(*to, id))
}

/// getgroups(2): with a count of 0 only how many there are. EINVAL when they don't fit.
pub fn sys_getgroups(lp: &Lwp, count: u32, out: UAddr) -> SysResult<usize> {
    let groups = lp.proc.cred.groups();
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

/// setgroups(2), for root.
pub fn sys_setgroups(lp: &Lwp, count: u32, from: UAddr) -> SysResult<()> {
    lp.proc.cred.check_root()?;
    if count as usize > NGROUPS_MAX {
        return Err(Errno::EINVAL);
    }
    lp.machine().admit()?;
    let mut groups = Vec::new();
    groups.try_reserve_exact(count as usize).map_err(|_| Errno::ENOMEM)?;
    for i in 0..count as usize {
        let mut b = [0; 4];
        lp.machine().copyin(from.offset(i * 4), &mut b)?;
        let group = u32::from_le_bytes(b);
        check_id(group)?;
        groups.push(group);
    }
    let old = core::mem::replace(&mut *lp.proc.cred.groups.lock(), Arc::new(groups));
    drop(old);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_may_have_any_id_and_others_those_they_have() {
        let ids = [1, 2, 3];
        let of = |c: Change, mighty| c.of(ids, mighty);
        assert_eq!(of(Change::One(7), true), Ok([7; 3]));
        assert_eq!(of(Change::One(3), false), Ok([1, 3, 3]));
        // Linux: not the effective one, which it has already.
        assert_eq!(of(Change::One(2), false), Err(Errno::EPERM));
        assert_eq!(of(Change::One(KEEP), true), Err(Errno::EINVAL));
        assert_eq!(of(Change::Two([KEEP, KEEP]), false), Ok(ids));
        assert_eq!(of(Change::Two([2, 1]), false), Ok([2, 1, 1]));
        assert_eq!(of(Change::Two([3, KEEP]), false), Err(Errno::EPERM));
        assert_eq!(of(Change::Two([KEEP, 1]), false), Ok([1, 1, 3]));
        assert_eq!(of(Change::Three([3, 1, 2]), false), Ok([3, 1, 2]));
        assert_eq!(of(Change::Three([3, 1, 4]), false), Err(Errno::EPERM));
        assert_eq!(of(Change::Three([1 << 31, KEEP, KEEP]), true), Err(Errno::EINVAL));
    }

    #[test]
    fn who_had_other_ids_is_not_looked_into() {
        let (me, it) = (Ucred::new(5, 5), Ucred::new(0, 0));
        assert!(!me.may_look(&it));
        it.set_groups(Change::One(5)).expect("setgid");
        it.set_users(Change::One(5)).expect("setuid");
        assert!(!me.may_look(&it) && !me.may_look(&it.copy()) && Ucred::new(0, 0).may_look(&it));
        it.exec(None);
        assert!(me.may_look(&it));
        it.exec(Some(&Owner { mode: 0o4755, uid: 9, gid: 0 }));
        assert!(it.uids() == [5, 9, 9] && !me.may_look(&it));
    }
}
