//! Pipes and FIFOs: pipe(2), POSIX write(2) on pipes.
//!
//! A [`Pipe`] is the ring and who holds its ends. An [`End`] is the vnode of an open end: of a pipe
//! one for reading and one for writing, each counted by its open files; of a FIFO one for each
//! open. Nothing sleeps with the pipe's lock held, and user memory is copied under it, as that
//! never sleeps.

use alloc::sync::Arc;

use abi::syscalls::UAddr;
use abi::types::limits::PIPE_BUF;
use abi::types::{Stat, clock, ioctl, mode, o, poll};
use abi::{Errno, SysResult};
use ksync::SpinLock;

use crate::kern::poll::Registrar;
use crate::kern::proc::Lwp;
use crate::kern::synch::{FOREVER, WaitQueue};
use crate::locks;
use crate::uio::Uio;
use crate::vfs::file::File;
use crate::vfs::ring::Ring;
use crate::vfs::vnode::{Head, Owner, SetAttr, Vnode, VnodeRef, ioflag};

pub struct Pipe {
    state: SpinLock<State>,
    /// Wait for data, or for a writer to come.
    readers: Arc<WaitQueue>,
    /// Wait for room, or for a reader to come.
    writers: Arc<WaitQueue>,
}

struct State {
    ring: Ring,
    /// Open ends.
    readers: u32,
    writers: u32,
    /// How often each was opened: who waits in open(2) for the other side sees that it was there
    /// even if it has gone again.
    reader_opens: u32,
    writer_opens: u32,
    /// The least room that a sleeping writer waits for.
    wanted: usize,
}

impl Pipe {
    pub fn new() -> Arc<Pipe> {
        let state = State {
            ring: Ring::default(),
            readers: 0,
            writers: 0,
            reader_opens: 0,
            writer_opens: 0,
            wanted: usize::MAX,
        };
        Arc::new(Pipe {
            state: SpinLock::new(&locks::PIPE, state),
            readers: Arc::new(WaitQueue::new()),
            writers: Arc::new(WaitQueue::new()),
        })
    }

    fn count_in(&self, access: Access) {
        let mut st = self.state.lock();
        if access.reads() {
            st.readers += 1;
            st.reader_opens = st.reader_opens.wrapping_add(1);
        }
        if access.writes() {
            st.writers += 1;
            st.writer_opens = st.writer_opens.wrapping_add(1);
        }
        drop(st);
        self.readers.wake_all();
        self.writers.wake_all();
    }

    fn count_out(&self, access: Access) {
        let mut st = self.state.lock();
        st.readers -= access.reads() as u32;
        st.writers -= access.writes() as u32;
        let (readers, writers) = (st.readers, st.writers);
        // What nobody can read any more is gone (POSIX close(2)).
        let rest = if readers + writers == 0 { core::mem::take(&mut st.ring) } else { Ring::default() };
        drop(st);
        drop(rest);
        if writers == 0 {
            self.readers.wake_all();
        }
        if readers == 0 {
            self.writers.wake_all();
        }
    }

    /// open(2) of a FIFO: waits for the other side, unless O_NONBLOCK or O_RDWR.
    pub fn open_fifo(pipe: &Arc<Pipe>, lp: &Lwp, flags: u32, named: VnodeRef) -> SysResult<VnodeRef> {
        let access = Access::of(flags);
        let (readers, writers, opens) = {
            let st = pipe.state.lock();
            (st.readers, st.writers, (st.reader_opens, st.writer_opens))
        };
        let waits = flags & o::NONBLOCK == 0;
        if access == Access::Write && readers == 0 && !waits {
            return Err(Errno::ENXIO);
        }
        pipe.count_in(access);
        let came = match access {
            Access::Read if waits && writers == 0 => pipe.readers.wait(lp, FOREVER, || {
                let st = pipe.state.lock();
                (st.writers > 0 || st.writer_opens != opens.1).then_some(())
            }),
            Access::Write if readers == 0 => pipe.writers.wait(lp, FOREVER, || {
                let st = pipe.state.lock();
                (st.readers > 0 || st.reader_opens != opens.0).then_some(())
            }),
            _ => Ok(()),
        };
        if let Err(e) = came {
            pipe.count_out(access);
            return Err(e);
        }
        let head = Head::new(named.head().mount.clone());
        let since = if writers > 0 { opens.1.wrapping_sub(1) } else { opens.1 };
        Ok(Arc::new(End { head, pipe: pipe.clone(), access, since, face: Face::Named(named) }))
    }

    fn read(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        if uio.resid == 0 {
            return Ok(());
        }
        loop {
            let mut st = self.state.lock();
            if !st.ring.is_empty() {
                let done = drain(&mut st.ring, uio);
                let wake = st.ring.room() >= st.wanted;
                if wake {
                    st.wanted = usize::MAX;
                }
                drop(st);
                if wake {
                    self.writers.wake_all();
                }
                return done;
            }
            if st.writers == 0 {
                return Ok(());
            }
            drop(st);
            if flags & ioflag::NONBLOCK != 0 {
                return Err(Errno::EAGAIN);
            }
            self.readers.wait(uio.lwp(), FOREVER, || {
                let st = self.state.lock();
                (!st.ring.is_empty() || st.writers == 0).then_some(())
            })?;
        }
    }

    /// Up to PIPE_BUF bytes go in at once or not at all; of more, whatever has room.
    fn write(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        let nonblock = flags & ioflag::NONBLOCK != 0;
        let atomic = uio.resid <= PIPE_BUF;
        while uio.resid > 0 {
            let least = if atomic || !nonblock { uio.resid.min(PIPE_BUF) } else { 1 };
            let mut st = self.state.lock();
            if st.readers == 0 {
                return Err(Errno::EPIPE);
            }
            if st.ring.room() >= least {
                let done = fill(&mut st.ring, uio);
                drop(st);
                self.readers.wake_all();
                done?;
                continue;
            }
            drop(st);
            if nonblock {
                return Err(Errno::EAGAIN);
            }
            self.writers.wait(uio.lwp(), FOREVER, || {
                let mut st = self.state.lock();
                if st.ring.room() >= least || st.readers == 0 {
                    return Some(());
                }
                st.wanted = st.wanted.min(least);
                None
            })?;
        }
        Ok(())
    }
}

/// Out of the ring, as much as is there.
#[inline]
fn drain(ring: &mut Ring, uio: &mut Uio<'_>) -> SysResult<()> {
    while uio.resid > 0 && !ring.is_empty() {
        let before = uio.resid;
        let done = uio.copy_out(ring.data());
        ring.consume(before - uio.resid);
        done?;
    }
    Ok(())
}

/// Into the ring, as much as has room. ENOMEM when it can't grow: a writer that waited for room would
/// find some at once, again and again.
#[inline]
fn fill(ring: &mut Ring, uio: &mut Uio<'_>) -> SysResult<()> {
    while uio.resid > 0 && ring.room() > 0 {
        let before = uio.resid;
        // Memory that is short is left to those who cannot do without.
        let space = if ring.fits(before) || uio.machine().admit().is_ok() { ring.space(before) } else { &mut [] };
        if space.is_empty() {
            return Err(Errno::ENOMEM);
        }
        let done = uio.copy_in(space);
        ring.commit(before - uio.resid);
        done?;
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
    Both,
}

impl Access {
    fn of(flags: u32) -> Access {
        match flags & o::ACCMODE {
            o::RDONLY => Access::Read,
            o::WRONLY => Access::Write,
            _ => Access::Both,
        }
    }
    fn reads(self) -> bool {
        self != Access::Write
    }
    fn writes(self) -> bool {
        self != Access::Read
    }
}

/// What `fstat` shows of an end.
enum Face {
    Pipe {
        ino: u64,
        uid: u32,
        gid: u32,
        made_ns: i64,
    },
    /// A FIFO's name in a file system.
    Named(VnodeRef),
}

/// An open end.
struct End {
    head: Head,
    pipe: Arc<Pipe>,
    access: Access,
    /// `writer_opens` when it was opened, as if nobody had written before: as on Linux, a FIFO that had no
    /// writer since then is not hung up.
    since: u32,
    face: Face,
}

impl Vnode for End {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        match &self.face {
            Face::Pipe { uid, gid, .. } => Owner { mode: mode::IFIFO | 0o600, uid: *uid, gid: *gid },
            Face::Named(vp) => vp.owner(),
        }
    }
    fn getattr(&self, lp: &Lwp) -> SysResult<Stat> {
        match &self.face {
            Face::Named(vp) => vp.getattr(lp),
            Face::Pipe { ino, uid, gid, made_ns } => Ok(Stat {
                dev: self.head.mount.dev,
                ino: *ino,
                mode: mode::IFIFO | 0o600,
                nlink: 1,
                uid: *uid,
                gid: *gid,
                blksize: PIPE_BUF as u64,
                atime_ns: *made_ns,
                mtime_ns: *made_ns,
                ctime_ns: *made_ns,
                birth_ns: *made_ns,
                ..Stat::default()
            }),
        }
    }
    fn setattr(&self, lp: &Lwp, set: &SetAttr) -> SysResult<()> {
        match &self.face {
            Face::Named(vp) => vp.setattr(lp, set),
            Face::Pipe { .. } => Err(Errno::EPERM),
        }
    }
    /// Another open of the same end, through `/dev/fd`.
    fn open(&self, lp: &Lwp, flags: u32) -> SysResult<Option<VnodeRef>> {
        if let Face::Named(vp) = &self.face {
            return vp.open(lp, flags);
        }
        if Access::of(flags) != self.access {
            return Err(Errno::EACCES);
        }
        self.pipe.count_in(self.access);
        Ok(None)
    }
    fn close(&self, _flags: u32) {
        self.pipe.count_out(self.access);
    }
    fn read(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        self.pipe.read(uio, flags)
    }
    fn write(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        self.pipe.write(uio, flags)
    }
    fn seekable(&self) -> bool {
        false
    }
    fn fsync(&self, _lp: &Lwp, _data_only: bool) -> SysResult<()> {
        Err(Errno::EINVAL)
    }
    fn poll(&self, _lp: &Lwp, events: u16, reg: Option<&mut Registrar>) -> u16 {
        let sleeps = reg.is_some();
        if let Some(reg) = reg {
            if self.access.reads() {
                reg.add(&self.pipe.readers);
            }
            if self.access.writes() {
                reg.add(&self.pipe.writers);
            }
        }
        let mut st = self.pipe.state.lock();
        let mut ready = 0;
        if self.access.reads() {
            ready |= if st.ring.is_empty() { 0 } else { poll::IN };
            ready |= if st.writers == 0 && st.writer_opens != self.since { poll::HUP } else { 0 };
        }
        if self.access.writes() {
            if st.readers == 0 {
                ready |= poll::ERR;
            }
            if st.ring.room() >= PIPE_BUF || st.readers == 0 {
                ready |= poll::OUT;
            } else if sleeps {
                st.wanted = st.wanted.min(PIPE_BUF);
            }
        }
        ready & (events | poll::ERR | poll::HUP)
    }
    fn ioctl(&self, lp: &Lwp, request: u32, arg: UAddr) -> SysResult<u32> {
        if request != ioctl::FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let n = self.pipe.state.lock().ring.len() as u32;
        lp.machine().put32(arg, n)?;
        Ok(0)
    }
    fn lock_key(&self) -> usize {
        Arc::as_ptr(&self.pipe).addr()
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// True for an open end of a pipe or FIFO.
pub fn is_pipe(vp: &VnodeRef) -> bool {
    vp.as_any().is::<End>()
}

/// A new pipe: its end for reading and its end for writing, open.
pub fn kern_pipe(lp: &Lwp, flags: u32) -> (Arc<File>, Arc<File>) {
    let pipe = Pipe::new();
    let ino = lp.kernel.next_id();
    let made_ns = lp.machine().clock(clock::REALTIME, 0) as i64;
    let cred = &lp.proc.cred;
    let mount = lp.kernel.mounts.anonymous(&lp.kernel);
    let end = |access, accmode| {
        pipe.count_in(access);
        let face = Face::Pipe { ino, uid: cred.euid(), gid: cred.egid(), made_ns };
        let vp = Arc::new(End { head: Head::new(mount.clone()), pipe: pipe.clone(), access, since: 0, face });
        Arc::new(File::new(vp, accmode | flags & o::NONBLOCK))
    };
    (end(Access::Read, o::RDONLY), end(Access::Write, o::WRONLY))
}

/// pipe2(2): two descriptors, to read and to write.
pub fn sys_pipe2(lp: &Lwp, fds: UAddr, flags: u32) -> SysResult<()> {
    lp.machine().admit()?;
    if flags & !(o::CLOEXEC | o::NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let cloexec = flags & o::CLOEXEC != 0;
    let (read, write) = kern_pipe(lp, flags);
    let r = lp.add_file(read, cloexec)?;
    let both = lp.add_file(write, cloexec).and_then(|w| {
        let told = lp.machine().put32(fds, r as u32).and_then(|()| lp.machine().put32(fds.offset(4), w as u32));
        told.inspect_err(|_| drop(lp.proc.files.remove(w)))
    });
    both.inspect_err(|_| drop(lp.proc.files.remove(r)))
}
