//! Advisory locks: fcntl(2)'s, of ranges, and flock(2)'s, of whole files. POSIX fcntl; Linux fcntl_locking(2).
//!
//! A process's locks of a file go when it closes any descriptor of it, and at its end; exec keeps them, a
//! forked child has none. Those of an open file description (F_OFD_*, flock) go with its last descriptor.
//! A lock is known by the address of the file's vnode, which is open as long as the lock is there. Locks on
//! a directory of the host's hold between programs of this kernel.

pub mod table;

use core::sync::atomic::Ordering::Relaxed;

use abi::syscalls::UAddr;
use abi::types::{Flock, fcntl, flock, o, seek};
use abi::{Errno, SysResult};
use ksync::SpinLock;

use crate::kern::proc::{Lwp, Proc};
use crate::kern::synch::FOREVER;
use crate::locks;
use crate::vfs::file::File;
use table::{Key, Kind, LAST, Lock, Owner, Range, Table};

/// All locks of a kernel.
pub struct Locks(SpinLock<Table>);

impl Default for Locks {
    fn default() -> Locks {
        Locks(SpinLock::new(&locks::ADVISORY, Table::default()))
    }
}

impl Locks {
    /// Somebody's locks of a file go.
    fn release(&self, key: Key, owner: Owner, count: &mut usize) {
        let wake = self.0.lock().release(key, owner, count);
        wake.now();
    }

    /// An open file description is gone.
    pub fn file_gone(&self, vnode: usize, file: usize) {
        for whole in [false, true] {
            self.release(Key { vnode, whole }, Owner::File(file), &mut 0);
        }
    }

    #[cfg(test)]
    pub fn size(&self) -> (usize, usize, usize) {
        self.0.lock().size()
    }
}

/// A process has closed a descriptor of this file (POSIX fcntl: all its locks of the file go, whatever other
/// descriptors it has of it).
#[inline]
pub fn closed(lp: &Lwp, file: &File) {
    if lp.proc.locks_held.load(Relaxed) != 0 {
        let key = Key { vnode: file.vnode.lock_key(), whole: false };
        counted(&lp.proc, |count| lp.kernel.locks.release(key, Owner::Proc(lp.proc.pid), count));
    }
}

/// The end of a process.
pub fn exit(lp: &Lwp) {
    let owner = Owner::Proc(lp.proc.pid);
    while lp.proc.locks_held.load(Relaxed) != 0 {
        let Some(key) = lp.kernel.locks.0.lock().any_of(owner) else { return };
        counted(&lp.proc, |count| lp.kernel.locks.release(key, owner, count));
    }
}

/// With the number of a process's locks, which only its one lwp changes.
fn counted<T>(proc: &Proc, f: impl FnOnce(&mut usize) -> T) -> T {
    let mut count = proc.locks_held.load(Relaxed) as usize;
    let answer = f(&mut count);
    proc.locks_held.store(count as u32, Relaxed);
    answer
}

/// A lock that a call works on.
struct Request<'a> {
    lp: &'a Lwp,
    file: &'a File,
    key: Key,
    owner: Owner,
    range: Range,
}

impl<'a> Request<'a> {
    fn new(lp: &'a Lwp, file: &'a File, whole: bool, own: bool, range: Range) -> Request<'a> {
        let owner = if own { Owner::File(core::ptr::from_ref(file).addr()) } else { Owner::Proc(lp.proc.pid) };
        Request { lp, file, key: Key { vnode: file.vnode.lock_key(), whole }, owner, range }
    }

    fn lock(&self, kind: Kind) -> Lock {
        Lock { owner: self.owner, kind, range: self.range }
    }

    /// With the number of the owner's locks. Nobody counts those of an open file description.
    fn count<T>(&self, f: impl FnOnce(&mut usize) -> T) -> T {
        match self.owner {
            Owner::Proc(_) => counted(&self.lp.proc, f),
            Owner::File(_) => f(&mut 0),
        }
    }

    fn try_set(&self, kind: Kind) -> SysResult<()> {
        let wake = self.count(|count| self.lp.kernel.locks.0.lock().set(self.key, self.lock(kind), count))?;
        wake.now();
        Ok(())
    }

    fn clear(&self) -> SysResult<()> {
        let wake = self.count(|count| self.lp.kernel.locks.0.lock().clear(self.key, self.owner, self.range, count))?;
        wake.now();
        Ok(())
    }

    /// EAGAIN, or with `wait` EINTR and EDEADLK; ENOLCK.
    fn set(&self, kind: Kind, wait: bool) -> SysResult<()> {
        self.lp.machine().admit().map_err(|_| Errno::ENOLCK)?;
        if let Owner::File(_) = self.owner {
            // Before there is a lock, so that the file's end finds it.
            self.file.locks.lock().get_or_insert_with(|| self.lp.kernel.locks.clone());
        }
        match self.try_set(kind) {
            Err(Errno::EAGAIN) if wait => self.wait(kind),
            done => done,
        }
    }

    fn wait(&self, kind: Kind) -> SysResult<()> {
        let (lp, table, pid) = (self.lp, &self.lp.kernel.locks.0, self.lp.proc.pid);
        let queue = table.lock().enter(self.key, pid, self.lock(kind))?;
        let deadlocks = || matches!(self.owner, Owner::Proc(_)) && table.lock().deadlock(pid);
        let done = queue.wait(lp, FOREVER, || match self.try_set(kind) {
            Err(Errno::EAGAIN) if deadlocks() => Some(Err(Errno::EDEADLK)),
            Err(Errno::EAGAIN) => None,
            done => Some(done),
        });
        table.lock().leave(self.key, pid);
        done?
    }
}

/// fcntl(2) with F_GETLK, F_SETLK, F_SETLKW and their F_OFD_ kin: `lock` points to a [`Flock`].
pub fn sys_fcntl_lock(lp: &Lwp, fd: i32, cmd: u32, lock: UAddr) -> SysResult<()> {
    let file = lp.file(fd)?;
    if file.flags() & o::PATH != 0 {
        return Err(Errno::EBADF);
    }
    let own = matches!(cmd, fcntl::OFD_GETLK | fcntl::OFD_SETLK | fcntl::OFD_SETLKW);
    let mut bytes = [0; Flock::SIZE];
    lp.machine().copyin(lock, &mut bytes)?;
    let asked = Flock::from_bytes(&bytes)?;
    if own && asked.pid != 0 {
        return Err(Errno::EINVAL);
    }
    let kind = match asked.kind {
        flock::RDLCK => Some(Kind::Read),
        flock::WRLCK => Some(Kind::Write),
        flock::UNLCK => None,
        _ => return Err(Errno::EINVAL),
    };
    let request = Request::new(lp, &file, false, own, range_of(lp, &file, &asked)?);
    match (cmd, kind) {
        (fcntl::GETLK | fcntl::OFD_GETLK, Some(kind)) => {
            let found = lp.kernel.locks.0.lock().conflict(request.key, &request.lock(kind));
            lp.machine().copyout(&shown(&asked, found).to_bytes(), lock)
        }
        (fcntl::SETLK | fcntl::SETLKW | fcntl::OFD_SETLK | fcntl::OFD_SETLKW, kind) => match kind {
            None => request.clear(),
            Some(kind) => {
                match kind {
                    Kind::Read => file.check_readable()?,
                    Kind::Write => file.check_writable()?,
                }
                request.set(kind, matches!(cmd, fcntl::SETLKW | fcntl::OFD_SETLKW))
            }
        },
        _ => Err(Errno::EINVAL),
    }
}

/// The bytes that are meant. EINVAL before the first, EOVERFLOW past the last.
fn range_of(lp: &Lwp, file: &File, asked: &Flock) -> SysResult<Range> {
    let base = match u32::from(asked.whence) {
        seek::SET => 0,
        seek::CUR if file.seekable => *file.offset.lock(lp) as i64,
        seek::CUR => 0,
        seek::END => file.vnode.getattr(lp)?.size as i64,
        _ => return Err(Errno::EINVAL),
    };
    let start = base.checked_add(asked.start).ok_or(Errno::EOVERFLOW)?;
    let (first, last) = match asked.len {
        0 => (start, LAST as i64),
        n if n > 0 => (start, start.checked_add(n - 1).ok_or(Errno::EOVERFLOW)?),
        n => (start.checked_add(n).ok_or(Errno::EINVAL)?, start.wrapping_sub(1)),
    };
    if first < 0 || start < 0 {
        return Err(Errno::EINVAL);
    }
    Ok(Range { first: first as u64, last: last as u64 })
}

/// What F_GETLK answers.
fn shown(asked: &Flock, found: Option<Lock>) -> Flock {
    let Some(Lock { owner, kind, range: Range { first, last } }) = found else {
        return Flock { kind: flock::UNLCK, ..*asked };
    };
    Flock {
        kind: if kind == Kind::Read { flock::RDLCK } else { flock::WRLCK },
        whence: seek::SET as u16,
        start: first as i64,
        len: if last == LAST { 0 } else { (last - first + 1) as i64 },
        pid: if let Owner::Proc(pid) = owner { pid } else { -1 },
    }
}

/// flock(2). EAGAIN with LOCK_NB. To change the kind of a lock it is first given up, as on Linux.
pub fn sys_flock(lp: &Lwp, fd: i32, how: u32) -> SysResult<()> {
    let file = lp.file(fd)?;
    if file.flags() & o::PATH != 0 {
        return Err(Errno::EBADF);
    }
    let kind = match how & !flock::LOCK_NB {
        flock::LOCK_SH => Kind::Read,
        flock::LOCK_EX => Kind::Write,
        flock::LOCK_UN => return Request::new(lp, &file, true, true, Range::ALL).clear(),
        _ => return Err(Errno::EINVAL),
    };
    let request = Request::new(lp, &file, true, true, Range::ALL);
    let held = lp.kernel.locks.0.lock().held(request.key, request.owner, 0);
    if held == Some(kind) {
        return Ok(());
    }
    if held.is_some() {
        request.clear()?;
    }
    request.set(kind, how & flock::LOCK_NB == 0)
}
