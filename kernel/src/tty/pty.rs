//! Pseudo-terminals: terminals with a process at the other end, pty(4).
//!
//! Opening `/dev/ptmx` makes one and answers its [`Master`]; its terminal, the slave, is
//! `/dev/pts/N` until the master is closed, which hangs it up. A write to the master is typing: the
//! line discipline has it before the call returns. What the slave shows waits in [`Shown`] for the
//! master to read. Both ways are bounded; who finds no room sleeps, and never the kernel.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed, Ordering::SeqCst};

use abi::syscalls::UAddr;
use abi::types::{Stat, Winsize, clock, ioctl, mode, poll, termios};
use abi::{Errno, SysResult};

use super::line::{Below, Line};
use super::node::TTY_GROUP;
use super::terminal::Tty;
use super::{PTMX_NUMBER, Ttys};
use crate::Kernel;
use crate::kern::poll::Registrar;
use crate::kern::proc::Lwp;
use crate::kern::synch::{FOREVER, WaitQueue};
use crate::uio::Uio;
use crate::vfs::ring::Ring;
use crate::vfs::vnode::{Head, Owner, SetAttr, Vnode, VnodeRef, ioflag};

/// Linux's major number of `/dev/pts/N`.
const PTS_MAJOR: u64 = 136 << 8;
/// The most there are at a time: the minor number's bits.
const MAX: usize = 256;
/// Output that waits for the master; there is as much again with the line discipline.
const SHOWN: usize = 8 << 10;
/// Keys taken from the master at once.
const PIECE: usize = 256;

/// What a slave has shown and its master has not read.
pub struct Shown {
    ring: Ring,
}

impl Shown {
    /// ENOMEM. Later it needs no more.
    fn new() -> SysResult<Shown> {
        let mut ring = Ring::default();
        if ring.space(SHOWN).is_empty() { Err(Errno::ENOMEM) } else { Ok(Shown { ring }) }
    }
    /// EAGAIN when it is full.
    pub fn put(&mut self, bytes: &[u8]) -> SysResult<usize> {
        let room = SHOWN.saturating_sub(self.ring.len()).min(bytes.len());
        let space = self.ring.space(room);
        space.copy_from_slice(&bytes[..space.len()]);
        let n = space.len();
        self.ring.commit(n);
        if n == 0 { Err(Errno::EAGAIN) } else { Ok(n) }
    }
}

/// The master's output, of a pty's line.
fn shown(line: &mut Line) -> &mut Ring {
    match &mut line.below {
        Below::Master(shown) => &mut shown.ring,
        Below::Device { .. } => unreachable!("a pty has no device"),
    }
}

/// What a pty has besides a terminal.
pub struct Side {
    pub index: u32,
    /// The master's: those who wait for output, and for room for keys.
    readers: Arc<WaitQueue>,
    writers: Arc<WaitQueue>,
    /// Nobody may open the slave yet (`unlockpt(3)`).
    locked: AtomicBool,
    /// Open files of the slave, and whether there ever was one.
    opens: AtomicU32,
    opened: AtomicBool,
    /// Permissions and owner of the slave.
    mode: AtomicU32,
    uid: AtomicU32,
    gid: AtomicU32,
    pub made_ns: i64,
}

impl Side {
    fn new(lp: &Lwp, index: u32) -> Side {
        Side {
            index,
            readers: Arc::new(WaitQueue::new()),
            writers: Arc::new(WaitQueue::new()),
            locked: AtomicBool::new(true),
            opens: AtomicU32::new(0),
            opened: AtomicBool::new(false),
            mode: AtomicU32::new(0o620),
            uid: AtomicU32::new(lp.proc.cred.uid()),
            gid: AtomicU32::new(TTY_GROUP),
            made_ns: lp.machine().clock(clock::REALTIME, 0) as i64,
        }
    }

    pub fn wake(&self) {
        self.readers.wake_all();
        self.writers.wake_all();
    }
    pub fn is_locked(&self) -> bool {
        self.locked.load(Relaxed)
    }
    pub fn count_in(&self) {
        self.opens.fetch_add(1, SeqCst);
        self.opened.store(true, SeqCst);
    }
    pub fn count_out(&self) {
        if self.opens.fetch_sub(1, SeqCst) == 1 {
            self.wake();
        }
    }
    /// Who had the slave has closed it: the master reads EIO, until it is opened again.
    fn is_left(&self) -> bool {
        self.opened.load(SeqCst) && self.opens.load(SeqCst) == 0
    }

    pub fn owner(&self) -> Owner {
        let mode = mode::IFCHR | self.mode.load(Relaxed);
        Owner { mode, uid: self.uid.load(Relaxed), gid: self.gid.load(Relaxed) }
    }
    pub fn set(&self, set: &SetAttr) {
        for (to, new) in [(&self.mode, set.mode.map(|m| m & mode::PERM)), (&self.uid, set.uid), (&self.gid, set.gid)] {
            if let Some(new) = new {
                to.store(new, Relaxed);
            }
        }
    }
}

impl Ttys {
    /// The pty with this number.
    pub fn pty(&self, index: u32) -> Option<Arc<Tty>> {
        self.lock().ptys.get(index as usize)?.clone()
    }
    /// The first pty's number from this one on.
    pub fn next_pty(&self, from: u32) -> Option<u32> {
        let table = self.lock();
        (from as usize..table.ptys.len()).find(|&i| table.ptys[i].is_some()).map(|i| i as u32)
    }

    /// A new one, under the lowest number that is free. ENOSPC, ENOMEM.
    fn add_pty(&self, lp: &Lwp) -> SysResult<Arc<Tty>> {
        loop {
            let index = {
                let table = self.lock();
                table.ptys.iter().position(Option::is_none).unwrap_or(table.ptys.len())
            };
            if index >= MAX {
                return Err(Errno::ENOSPC);
            }
            let tty = make(lp, index as u32)?;
            let mut table = self.lock();
            table.ptys.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            if index == table.ptys.len() {
                table.ptys.push(None);
            }
            // Somebody else may have taken the number, or have freed the last ones.
            if let Some(slot @ None) = table.ptys.get_mut(index) {
                *slot = Some(tty.clone());
                return Ok(tty);
            }
        }
    }

    fn remove_pty(&self, index: u32) {
        let gone = {
            let mut table = self.lock();
            let gone = table.ptys.get_mut(index as usize).and_then(Option::take);
            while let Some(None) = table.ptys.last() {
                table.ptys.pop();
            }
            gone
        };
        drop(gone);
    }
}

fn make(lp: &Lwp, index: u32) -> SysResult<Arc<Tty>> {
    let below = Below::Master(Shown::new()?);
    let tty = Tty::new(PTS_MAJOR | index as u64, below, Winsize { rows: 0, cols: 0 }, Some(Side::new(lp, index)))?;
    // As on Linux; a host's terminal says for itself what it wants.
    let mut line = tty.line.lock();
    let mut settings = *line.disc.settings();
    settings.iflag &= !termios::IUTF8;
    line.disc.set(settings);
    drop(line);
    Ok(Arc::new(tty))
}

/// open(2) of `/dev/ptmx`.
pub fn open_master(lp: &Lwp) -> SysResult<VnodeRef> {
    let kernel = lp.kernel.clone();
    let head = Head::new(kernel.mounts.anonymous(&kernel));
    let tty = kernel.ttys.add_pty(lp)?;
    Ok(Arc::new(Master { head, kernel, tty }))
}

/// The open master of a pty.
struct Master {
    head: Head,
    /// To send signals when it is closed.
    kernel: Arc<Kernel>,
    tty: Arc<Tty>,
}

impl Master {
    fn side(&self) -> &Side {
        match &self.tty.pty {
            Some(side) => side,
            None => unreachable!("a master without its pty"),
        }
    }

    /// Output, as much as is there and has room. Answers how much that was.
    fn take(&self, uio: &mut Uio<'_>) -> SysResult<usize> {
        let before = uio.resid;
        let mut line = self.tty.line.lock();
        let mut done = Ok(0);
        while uio.resid > 0 && done.is_ok() {
            if shown(&mut line).is_empty() {
                line.flush();
            }
            let ring = shown(&mut line);
            if ring.is_empty() {
                break;
            }
            let had = uio.resid;
            done = uio.copy_out(ring.data());
            ring.consume(had - uio.resid);
        }
        line.flush();
        let roomy = line.disc.out.roomy();
        drop(line);
        if roomy && uio.resid < before {
            self.tty.writers.wake_all();
        }
        done.map(|_| before - uio.resid)
    }

    fn has_output(&self) -> bool {
        let mut line = self.tty.line.lock();
        line.flush();
        !shown(&mut line).is_empty()
    }

    /// Keys, as many as there is room for just now. Answers how many.
    fn put(&self, uio: &mut Uio<'_>) -> SysResult<usize> {
        let mut buf = [0; PIECE];
        let mut line = self.tty.line.lock();
        let n = line.disc.room().min(PIECE).min(uio.resid);
        if n == 0 {
            line.full = true;
            return Ok(0);
        }
        uio.copy_in(&mut buf[..n])?;
        let signals = line.receive(&self.kernel.machine, &buf[..n]);
        line.disc.control_flow();
        line.flush();
        let readable = line.available() > 0 || line.readable();
        let (echoed, roomy) = (!shown(&mut line).is_empty(), line.disc.out.roomy());
        drop(line);
        // First: who is interrupted while he waits to write must not write on.
        self.tty.signal(&self.kernel, signals);
        if readable {
            self.tty.readers.wake_all();
        }
        if roomy {
            self.tty.writers.wake_all();
        }
        if echoed {
            self.side().readers.wake_all();
        }
        Ok(n)
    }

    fn set_lock(&self, lp: &Lwp, arg: UAddr) -> SysResult<()> {
        let mut b = [0; 4];
        lp.machine().copyin(arg, &mut b)?;
        self.side().locked.store(b != [0; 4], Relaxed);
        Ok(())
    }

    /// `tcflush(3)`, as this side sees it: its input is what the slave has shown.
    fn flush(&self, which: u32) -> SysResult<()> {
        if which > termios::TCIOFLUSH {
            return Err(Errno::EINVAL);
        }
        let mut line = self.tty.line.lock();
        if which != termios::TCOFLUSH {
            let ring = shown(&mut line);
            ring.consume(ring.len());
        }
        if which != termios::TCIFLUSH {
            line.disc.input.clear();
        }
        drop(line);
        self.tty.service(&self.kernel);
        Ok(())
    }
}

impl Vnode for Master {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        Owner { mode: mode::IFCHR | 0o666, uid: 0, gid: TTY_GROUP }
    }
    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        let (dev, owner, made) = (self.head.mount.dev, self.owner(), self.side().made_ns);
        let (ino, rdev, gid) = (self.side().index as u64, PTMX_NUMBER, owner.gid);
        let times = Stat { atime_ns: made, mtime_ns: made, ctime_ns: made, birth_ns: made, ..Stat::default() };
        Ok(Stat { dev, ino, mode: owner.mode, nlink: 1, gid, rdev, blksize: 4096, ..times })
    }
    fn setattr(&self, _lp: &Lwp, set: &SetAttr) -> SysResult<()> {
        if set.mode.is_some() || set.uid.is_some() || set.gid.is_some() { Err(Errno::EPERM) } else { Ok(()) }
    }
    /// Once more by `/dev/fd`: that is another pty, as each opening of `/dev/ptmx` is.
    fn open(&self, lp: &Lwp, _flags: u32) -> SysResult<Option<VnodeRef>> {
        open_master(lp).map(Some)
    }
    fn close(&self, _flags: u32) {
        self.kernel.ttys.remove_pty(self.side().index);
        self.tty.hang_up(&self.kernel);
    }
    fn read(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        if uio.resid == 0 {
            return Ok(());
        }
        let side = self.side();
        loop {
            // Before it is looked at what there is: what was written before the close is read.
            let left = side.is_left();
            if self.take(uio)? > 0 {
                return Ok(());
            }
            if left {
                return Err(Errno::EIO);
            }
            if flags & ioflag::NONBLOCK != 0 {
                return Err(Errno::EAGAIN);
            }
            side.readers.wait(uio.lwp(), FOREVER, || (self.has_output() || side.is_left()).then_some(()))?;
        }
    }
    fn write(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        while uio.resid > 0 {
            if self.put(uio)? > 0 {
                continue;
            }
            if flags & ioflag::NONBLOCK != 0 {
                return Err(Errno::EAGAIN);
            }
            self.side().writers.wait(uio.lwp(), FOREVER, || {
                let mut line = self.tty.line.lock();
                line.full = line.disc.room() == 0;
                (!line.full).then_some(())
            })?;
        }
        Ok(())
    }
    fn seekable(&self) -> bool {
        false
    }
    fn fsync(&self, _lp: &Lwp, _data_only: bool) -> SysResult<()> {
        Err(Errno::EINVAL)
    }
    fn poll(&self, _lp: &Lwp, events: u16, reg: Option<&mut Registrar>) -> u16 {
        let side = self.side();
        if let Some(reg) = reg {
            reg.add(&side.readers);
            reg.add(&side.writers);
        }
        let hung = if side.is_left() { poll::HUP } else { 0 };
        let mut line = self.tty.line.lock();
        line.flush();
        line.full |= line.disc.room() == 0;
        let readable = if shown(&mut line).is_empty() { 0 } else { poll::IN };
        let writable = if line.disc.room() > 0 { poll::OUT } else { 0 };
        events & (readable | writable) | hung
    }
    fn ioctl(&self, lp: &Lwp, request: u32, arg: UAddr) -> SysResult<u32> {
        let machine = lp.machine();
        match request {
            ioctl::TIOCGPTN => machine.put32(arg, self.side().index)?,
            ioctl::TIOCSPTLCK => self.set_lock(lp, arg)?,
            ioctl::TIOCGPTLCK => machine.put32(arg, self.side().is_locked() as u32)?,
            ioctl::FIONREAD => {
                let n = shown(&mut self.tty.line.lock()).len();
                machine.put32(arg, n as u32)?;
            }
            // The slave has all there is.
            ioctl::TIOCOUTQ => machine.put32(arg, 0)?,
            ioctl::TCSBRK => {}
            ioctl::TCFLSH => self.flush(arg.0)?,
            ioctl::TCSETS | ioctl::TCSETSW | ioctl::TCSETSF | ioctl::TIOCSPGRP => self.tty.change(lp, request, arg)?,
            _ => self.tty.common(lp, request, arg)?,
        }
        Ok(0)
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
