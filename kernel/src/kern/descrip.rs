//! Descriptor tables: dup, close, close-on-exec, limits. POSIX 2.14.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::types::limits::PIPE_SIZE;
use abi::types::{fcntl, o};
use abi::{Errno, SysResult};
use ksync::{SpinGuard, SpinLock};

use crate::kern::lockf;
use crate::kern::proc::Lwp;
use crate::locks;
use crate::vfs::file::File;
use crate::vfs::pipe;

/// One descriptor.
#[derive(Clone)]
pub struct Slot {
    pub file: Arc<File>,
    pub cloexec: bool,
    /// WASI's preopened root: `fd_prestat_get` tells of it. Never inherited by exec.
    pub preopen: bool,
}

impl Slot {
    pub fn new(file: Arc<File>, cloexec: bool) -> Slot {
        Slot { file, cloexec, preopen: false }
    }
}

/// The descriptors of a process.
pub struct Filedesc {
    table: SpinLock<Table>,
}

#[derive(Default)]
struct Table {
    slots: Vec<Option<Slot>>,
    /// No slot below it is free.
    low: usize,
}

impl Table {
    /// Makes room for a slot at `at`. ENOMEM: the table of a process may become large.
    fn reach(&mut self, at: usize) -> SysResult<()> {
        if at >= self.slots.len() {
            self.slots.try_reserve(at + 1 - self.slots.len()).map_err(|_| Errno::ENOMEM)?;
            self.slots.resize(at + 1, None);
        }
        Ok(())
    }
    /// The lowest free slot from `from`, below `limit`. EMFILE, ENOMEM.
    fn find_free(&mut self, from: usize, limit: usize) -> SysResult<usize> {
        let mut at = from.max(self.low);
        while self.slots.get(at).is_some_and(Option::is_some) {
            at += 1;
        }
        if at >= limit {
            return Err(Errno::EMFILE);
        }
        self.reach(at)?;
        Ok(at)
    }
    fn put(&mut self, at: usize, slot: Slot) {
        self.slots[at] = Some(slot);
        if at == self.low {
            self.low += 1;
        }
    }
    fn slot(&self, fd: i32) -> SysResult<&Slot> {
        self.slots.get(fd as usize).and_then(Option::as_ref).ok_or(Errno::EBADF)
    }
    fn slot_mut(&mut self, fd: i32) -> SysResult<&mut Slot> {
        self.slots.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::EBADF)
    }
    fn take(&mut self, fd: i32) -> SysResult<Slot> {
        let slot = self.slots.get_mut(fd as usize).and_then(Option::take).ok_or(Errno::EBADF)?;
        self.low = self.low.min(fd as usize);
        Ok(slot)
    }
}

/// A table that is locked, so that no file of it is closed. For who hardly does more with one than count a
/// reference up and down.
pub struct Locked<'a>(SpinGuard<'a, Table>);

impl Locked<'_> {
    #[inline(always)]
    pub fn file(&self, fd: i32) -> Option<&File> {
        self.0.slot(fd).ok().map(|s| &*s.file)
    }
}

impl Default for Filedesc {
    fn default() -> Self {
        Filedesc { table: SpinLock::new(&locks::FILEDESC, Table::default()) }
    }
}

impl Filedesc {
    /// EBADF.
    #[inline]
    pub fn get(&self, fd: i32) -> SysResult<Arc<File>> {
        self.table.lock().slot(fd).map(|s| s.file.clone())
    }
    /// The table itself, for a moment: what its files are used for meanwhile may not sleep.
    #[inline(always)]
    pub fn locked(&self) -> Locked<'_> {
        Locked(self.table.lock())
    }
    pub fn get_slot(&self, fd: i32) -> SysResult<Slot> {
        self.table.lock().slot(fd).cloned()
    }

    /// A new descriptor, the lowest from `from`. EMFILE at `limit`.
    pub fn add(&self, slot: Slot, from: usize, limit: usize) -> SysResult<i32> {
        let mut t = self.table.lock();
        let at = t.find_free(from, limit)?;
        t.put(at, slot);
        Ok(at as i32)
    }

    /// Puts it at `fd`, answering what was there. The caller drops that with no lock held.
    pub fn replace(&self, fd: i32, slot: Slot, limit: usize) -> SysResult<Option<Slot>> {
        let at = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        if at >= limit {
            return Err(Errno::EBADF);
        }
        let mut t = self.table.lock();
        t.reach(at)?;
        let old = t.slots[at].take();
        t.put(at, slot);
        Ok(old)
    }

    /// EBADF.
    pub fn remove(&self, fd: i32) -> SysResult<Slot> {
        self.table.lock().take(fd)
    }

    /// Runs `f` on a descriptor's slot.
    pub fn with_slot<T>(&self, fd: i32, f: impl FnOnce(&mut Slot) -> T) -> SysResult<T> {
        self.table.lock().slot_mut(fd).map(f)
    }

    /// A child's table; exec's rule is not applied yet. ENOMEM.
    pub fn copy(&self) -> SysResult<Filedesc> {
        let t = self.table.lock();
        let mut slots = Vec::new();
        slots.try_reserve_exact(t.slots.len()).map_err(|_| Errno::ENOMEM)?;
        slots.extend_from_slice(&t.slots);
        Ok(Filedesc { table: SpinLock::new(&locks::FILEDESC, Table { slots, low: t.low }) })
    }

    /// Closes what exec closes, telling of each.
    pub fn exec(&self, closed: impl Fn(&File)) {
        // One at a time: there may be many, and no memory for a list of them.
        let mut from = 0;
        loop {
            let slot = {
                let mut t = self.table.lock();
                let goes = |s: &Option<Slot>| s.as_ref().is_some_and(|s| s.cloexec || s.preopen);
                let rest = t.slots.get(from..).unwrap_or(&[]);
                let Some(n) = rest.iter().position(goes) else { return };
                from += n;
                t.take(from as i32)
            };
            if let Ok(slot) = slot {
                closed(&slot.file);
            }
        }
    }

    /// Closes all.
    pub fn clear(&self) {
        let all = core::mem::take(&mut *self.table.lock());
        drop(all);
    }

    /// The numbers in use, each as it is come to.
    pub fn numbers(&self) -> impl Iterator<Item = i32> {
        self.numbers_from(0)
    }
    pub fn numbers_from(&self, from: usize) -> impl Iterator<Item = i32> {
        let mut from = from;
        core::iter::from_fn(move || {
            let t = self.table.lock();
            from += t.slots.get(from..)?.iter().position(Option::is_some)? + 1;
            Some(from as i32 - 1)
        })
    }

    /// True when a preopened descriptor stands above `fd`.
    pub fn preopen_above(&self, fd: i32) -> bool {
        let t = self.table.lock();
        t.slots.iter().skip(fd.max(0) as usize + 1).flatten().any(|s| s.preopen)
    }
}

impl Lwp {
    /// A descriptor for a new open file.
    pub fn add_file(&self, file: Arc<File>, cloexec: bool) -> SysResult<i32> {
        self.proc.files.add(Slot::new(file, cloexec), 0, self.proc.limits.nofile())
    }
}

/// close(2). The file goes when its last descriptor and the last call that uses it are gone.
pub fn kern_close(lp: &Lwp, fd: i32) -> SysResult<()> {
    let slot = lp.proc.files.remove(fd)?;
    lockf::closed(lp, &slot.file);
    Ok(())
}

pub fn sys_close(lp: &Lwp, fd: i32) -> SysResult<()> {
    kern_close(lp, fd)
}

pub fn sys_dup(lp: &Lwp, fd: i32) -> SysResult<i32> {
    // Here as below: the table may grow, and stays as large.
    lp.machine().admit()?;
    lp.add_file(lp.file(fd)?, false)
}

/// dup3(2); with equal descriptors it is EINVAL, as there (dup2 is the library's business).
pub fn sys_dup3(lp: &Lwp, from: i32, to: i32, flags: u32) -> SysResult<i32> {
    if from == to || flags & !o::CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    lp.machine().admit()?;
    kern_dup2(lp, from, to, flags & o::CLOEXEC != 0)
}

/// Makes `to` a descriptor of the file of `from`, closing what it was.
pub fn kern_dup2(lp: &Lwp, from: i32, to: i32, cloexec: bool) -> SysResult<i32> {
    let file = lp.file(from)?;
    let old = lp.proc.files.replace(to, Slot::new(file, cloexec), lp.proc.limits.nofile())?;
    if let Some(old) = old {
        lockf::closed(lp, &old.file);
    }
    Ok(to)
}

pub fn sys_fcntl(lp: &Lwp, fd: i32, cmd: u32, arg: i32) -> SysResult<i32> {
    let files = &lp.proc.files;
    match cmd {
        fcntl::DUPFD | fcntl::DUPFD_CLOEXEC => {
            lp.machine().admit()?;
            let file = files.get(fd)?;
            let limit = lp.proc.limits.nofile();
            let from = usize::try_from(arg).ok().filter(|&a| a < limit).ok_or(Errno::EINVAL)?;
            files.add(Slot::new(file, cmd == fcntl::DUPFD_CLOEXEC), from, limit)
        }
        fcntl::GETFD => Ok(if files.get_slot(fd)?.cloexec { fcntl::FD_CLOEXEC as i32 } else { 0 }),
        fcntl::SETFD => files.with_slot(fd, |s| s.cloexec = arg as u32 & fcntl::FD_CLOEXEC != 0).map(|()| 0),
        fcntl::GETFL => Ok(files.get(fd)?.flags() as i32),
        fcntl::SETFL => {
            files.get(fd)?.set_status(arg as u32);
            Ok(0)
        }
        fcntl::GETPIPE_SZ | fcntl::SETPIPE_SZ => {
            if !pipe::is_pipe(&files.get(fd)?.vnode) {
                return Err(Errno::EBADF);
            }
            match arg {
                _ if cmd == fcntl::GETPIPE_SZ => Ok(PIPE_SIZE as i32),
                ..0 => Err(Errno::EINVAL),
                // It may be larger than what was asked for (fcntl(2)), and here is never smaller.
                n if n as usize <= PIPE_SIZE => Ok(PIPE_SIZE as i32),
                _ => Err(Errno::EPERM),
            }
        }
        _ => {
            files.get(fd)?;
            Err(Errno::EINVAL)
        }
    }
}

/// close_range(2): the descriptors from `first` to `last`, those that there are; or sets FD_CLOEXEC of them.
pub fn sys_close_range(lp: &Lwp, first: u32, last: u32, flags: u32) -> SysResult<()> {
    if first > last || flags & !fcntl::CLOSE_RANGE_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    let files = &lp.proc.files;
    for fd in files.numbers_from(first as usize).take_while(|&fd| fd as u32 <= last) {
        if flags != 0 {
            files.with_slot(fd, |s| s.cloexec = true)?;
        } else {
            kern_close(lp, fd)?;
        }
    }
    Ok(())
}

/// umask(2): answers the old one.
pub fn sys_umask(lp: &Lwp, mask: u32) -> SysResult<u32> {
    let old = lp.proc.umask.load(Relaxed);
    lp.proc.umask.store(mask & 0o777, Relaxed);
    Ok(old)
}
