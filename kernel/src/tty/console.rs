//! The console, and the host's standard streams that may be one: device units 0, 1 and 2.
//!
//! A [`Terminal`] is an open stream's vnode. The host edits lines and echoes while the terminal is
//! cooked; a program that turns ICANON off gets the host's raw mode until it turns it on again or
//! exits. A background group that reads, or sets modes, is stopped as by any terminal; the session that
//! the terminal controls is the one whose group was brought to the foreground last. What all streams share is the [`Console`].

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, Ordering::Relaxed};

use abi::syscalls::UAddr;
use abi::types::{Stat, Termios, Winsize, devctl, ioctl, mode, poll, sig, termios};
use abi::wire::Reader;
use abi::{Errno, SysResult};
use ksync::SpinLock;

use super::session::{self, Use};
use crate::Kernel;
use crate::kern::poll::Registrar;
use crate::kern::proc::{Lwp, Pid, Proc, lwpflag};
use crate::kern::synch::{FOREVER, WaitQueue};
use crate::locks;
use crate::uio::Uio;
use crate::vfs::vnode::{Head, Owner, SetAttr, Vnode, VnodeRef, ioflag};

/// `st_rdev` of `/dev/console`, which the host's terminal is, and of the host's null device.
pub const CONSOLE_NUMBER: u64 = 5 << 8 | 1;
const NULL_NUMBER: u64 = 1 << 8 | 3;

const UNITS: usize = 3;
/// Moved at once, at most.
const PIECE: usize = 32 << 10;
const SMALL: usize = 512;

/// The state of the terminal.
pub struct Console {
    /// Woken by the interrupt of each unit.
    queues: [Arc<WaitQueue>; UNITS],
    /// The group that the keyboard's signals go to: that of pid 1 until somebody chooses another.
    foreground: AtomicI32,
    /// The session of that group.
    session: AtomicI32,
    settings: SpinLock<Termios>,
    /// Of the file that standard input may be: held from a seek to the read after it.
    position: SpinLock<()>,
}

impl Default for Console {
    fn default() -> Self {
        Console {
            queues: core::array::from_fn(|_| Arc::new(WaitQueue::new())),
            foreground: AtomicI32::new(1),
            session: AtomicI32::new(1),
            settings: SpinLock::new(&locks::TTY, Termios::default()),
            position: SpinLock::new(&locks::TTY, ()),
        }
    }
}

/// The interrupt: a unit may be ready. Never sleeps.
pub fn device_ready(kernel: &Kernel, unit: u32) {
    if let Some(q) = kernel.console.queues.get(unit as usize) {
        q.wake_all();
    }
}

impl Console {
    /// The foreground process group.
    pub fn foreground(&self) -> Pid {
        self.foreground.load(Relaxed)
    }
    pub fn set_foreground(&self, group: Pid, session: Pid) {
        self.session.store(session, Relaxed);
        self.foreground.store(group, Relaxed);
        // Who is in the background now finds out.
        self.queues.iter().for_each(|q| q.wake_all());
    }
    fn in_background(&self, lp: &Lwp) -> bool {
        session::is_behind(lp, self.session.load(Relaxed), self.foreground())
    }
}

/// A process is gone: if it had the terminal in raw mode, that is undone.
pub fn proc_exited(kernel: &Kernel, proc: &Proc) {
    if proc.raw_tty.swap(0, Relaxed) == 0 {
        return;
    }
    *kernel.console.settings.lock() = Termios::default();
    if let Some(unit) = terminal_unit(kernel) {
        // Nobody is left to hear of an error.
        let _ = kernel.machine.dev_ctl(unit, devctl::SET_RAW, &mut [0]);
    }
}

/// What the host says a unit is.
fn kind(kernel: &Kernel, unit: u32) -> u32 {
    kernel.machine.dev_ctl(unit, devctl::KIND, &mut []).unwrap_or(devctl::KIND_NULL)
}

/// The first unit that is a terminal.
fn terminal_unit(kernel: &Kernel) -> Option<u32> {
    (0..UNITS as u32).find(|&u| kind(kernel, u) == devctl::KIND_TTY)
}

/// Goes to a position of the file that a unit is, if any; answers where it was left then, and its size. ESPIPE.
fn seek(lp: &Lwp, unit: u32, to: Option<u64>) -> SysResult<(u64, u64)> {
    let mut place = [0; 16];
    place[..8].copy_from_slice(&to.unwrap_or(u64::MAX).to_le_bytes());
    lp.machine().dev_ctl(unit, devctl::SEEK, &mut place)?;
    let mut r = Reader::new(&place);
    Ok((r.u64()?, r.u64()?))
}

/// One of the streams, or the terminal that two or three of them are.
pub struct Terminal {
    head: Head,
    /// The units read from and written to.
    input: u32,
    output: u32,
    kind: u32,
    ino: u64,
    rdev: u64,
    /// Standard input that is a file of the host's, read wherever a program wants.
    regular: bool,
}

impl Terminal {
    /// The host's standard input, output or error.
    pub fn of_unit(lp: &Lwp, unit: u32) -> SysResult<Arc<Terminal>> {
        if unit as usize >= UNITS {
            return Err(Errno::ENXIO);
        }
        match kind(&lp.kernel, unit) {
            devctl::KIND_TTY => Ok(Self::of_host(lp, unit)),
            kind => {
                let rdev = if kind == devctl::KIND_NULL { NULL_NUMBER } else { 0 };
                Ok(Self::make(lp, unit, unit, kind, 2 + unit as u64, rdev))
            }
        }
    }

    /// `/dev/tty` of a session that has no other. ENXIO when no stream is a terminal.
    pub fn controlling(lp: &Lwp) -> SysResult<VnodeRef> {
        let unit = terminal_unit(&lp.kernel).ok_or(Errno::ENXIO)?;
        Ok(Self::of_host(lp, unit))
    }

    /// `/dev/console`: standard input and output, whatever they are.
    pub fn console(lp: &Lwp) -> SysResult<VnodeRef> {
        let kind = match kind(&lp.kernel, devctl::STDIN) {
            devctl::KIND_TTY => devctl::KIND_TTY,
            _ => devctl::KIND_NULL,
        };
        Ok(Self::make(lp, devctl::STDIN, devctl::STDOUT, kind, 5, CONSOLE_NUMBER))
    }

    /// A terminal is read through standard input if that is one, and written to through one of the others.
    fn of_host(lp: &Lwp, unit: u32) -> Arc<Terminal> {
        let tty = |&u: &u32| kind(&lp.kernel, u) == devctl::KIND_TTY;
        let input = Some(devctl::STDIN).filter(tty).unwrap_or(unit);
        let output = match unit {
            devctl::STDIN => [devctl::STDOUT, devctl::STDERR].into_iter().find(tty).unwrap_or(unit),
            _ => unit,
        };
        Self::make(lp, input, output, devctl::KIND_TTY, 1, CONSOLE_NUMBER)
    }

    fn make(lp: &Lwp, input: u32, output: u32, kind: u32, ino: u64, rdev: u64) -> Arc<Terminal> {
        let head = Head::new(lp.kernel.mounts.anonymous(&lp.kernel));
        let regular = input == devctl::STDIN && kind == devctl::KIND_FILE && seek(lp, input, None).is_ok();
        Arc::new(Terminal { head, input, output, kind, ino, rdev, regular })
    }

    /// Where a program begins that gets it from the host.
    pub fn start(&self, lp: &Lwp) -> u64 {
        if self.regular { seek(lp, self.input, None).map_or(0, |(at, _)| at) } else { 0 }
    }

    /// As much of the file as is asked for. The host's position follows, for those who share it.
    fn read_file(&self, uio: &mut Uio<'_>, buf: &mut [u8]) -> SysResult<()> {
        let lp = uio.lwp();
        while uio.resid > 0 {
            let want = uio.resid.min(buf.len());
            let n = {
                let _position = lp.kernel.console.position.lock();
                seek(lp, self.input, Some(uio.offset))?;
                lp.machine().dev_read(self.input, &mut buf[..want])?
            };
            if n == 0 {
                break;
            }
            uio.copy_out(&buf[..n])?;
        }
        Ok(())
    }

    fn is_tty(&self) -> SysResult<()> {
        if self.kind == devctl::KIND_TTY { Ok(()) } else { Err(Errno::ENOTTY) }
    }

    /// POSIX 11.1.4, for a terminal.
    fn turn(&self, lp: &Lwp, what: Use) -> SysResult<()> {
        if self.kind != devctl::KIND_TTY {
            return Ok(());
        }
        session::sit_out(lp, what, || lp.kernel.console.in_background(lp))
    }

    /// Bytes from the host; 0 at its end, nothing when it is another's turn. Sleeps for them unless told not to.
    fn take(&self, lp: &Lwp, buf: &mut [u8], flags: u32) -> SysResult<Option<usize>> {
        let machine = lp.machine();
        let tty = self.kind == devctl::KIND_TTY;
        let disturbed =
            || tty && (lp.flags.load(Relaxed) & lwpflag::STOPPED != 0 || lp.kernel.console.in_background(lp));
        let mut look = || match disturbed() {
            true => Some(Ok(None)),
            false => match machine.dev_read(self.input, buf) {
                Err(Errno::EAGAIN) => None,
                other => Some(other.map(Some)),
            },
        };
        if flags & ioflag::NONBLOCK != 0 {
            return look().unwrap_or(Err(Errno::EAGAIN));
        }
        lp.kernel.console.queues[self.input as usize].wait(lp, FOREVER, look)?
    }

    /// All of the bytes to the host; `done` says how many it has taken.
    fn give(&self, lp: &Lwp, buf: &[u8], done: &mut usize, flags: u32) -> SysResult<()> {
        let machine = lp.machine();
        while *done < buf.len() {
            let look = || match machine.dev_write(self.output, &buf[*done..]) {
                Err(Errno::EAGAIN) => None,
                other => Some(other),
            };
            let n = if flags & ioflag::NONBLOCK != 0 {
                look().unwrap_or(Err(Errno::EAGAIN))?
            } else {
                lp.kernel.console.queues[self.output as usize].wait(lp, FOREVER, look)??
            };
            if n == 0 {
                return Err(Errno::EIO);
            }
            *done += n;
        }
        Ok(())
    }

    /// What the host's raw mode leaves to us: the keys that send signals, and which of return and newline is
    /// meant. A return that is read later, from lines, was typed ahead in raw mode. Answers how many bytes are
    /// left.
    fn keys(&self, lp: &Lwp, buf: &mut [u8]) -> usize {
        let t = *lp.kernel.console.settings.lock();
        if !t.raw() && !buf.contains(&b'\r') {
            return buf.len();
        }
        let signals = [(termios::VINTR, sig::INT), (termios::VQUIT, sig::QUIT), (termios::VSUSP, sig::TSTP)];
        let sends = |b| signals.iter().find(|k| t.raw() && t.local(termios::ISIG) && t.is(b, k.0));
        let mut kept = 0;
        for i in 0..buf.len() {
            let b = buf[i];
            if let Some(key) = sends(b) {
                crate::kern::sig::console_signal(&lp.kernel, key.1);
                continue;
            }
            buf[kept] = match b {
                b'\r' if t.input(termios::IGNCR) => continue,
                b'\r' if t.input(termios::ICRNL) => b'\n',
                b'\n' if t.raw() && t.input(termios::INLCR) => b'\r',
                b => b,
            };
            kept += 1;
        }
        kept
    }

    fn set(&self, lp: &Lwp, arg: UAddr) -> SysResult<()> {
        let new = super::copy_settings(lp, arg)?;
        self.turn(lp, Use::Control)?;
        let old = core::mem::replace(&mut *lp.kernel.console.settings.lock(), new);
        if old.raw() != new.raw() {
            lp.machine().dev_ctl(self.input, devctl::SET_RAW, &mut [new.raw() as u8])?;
        }
        lp.proc.raw_tty.store(new.raw() as u32, Relaxed);
        Ok(())
    }

    fn set_group(&self, lp: &Lwp, arg: UAddr) -> SysResult<()> {
        lp.kernel.console.set_foreground(super::copy_group(lp, arg)?, lp.proc.sid.load(Relaxed));
        Ok(())
    }
}

/// A buffer of up to PIECE bytes for a transfer of `n`: the small one if that will do.
fn buffer<'a>(n: usize, small: &'a mut [u8; SMALL], large: &'a mut Vec<u8>) -> &'a mut [u8] {
    let n = n.min(PIECE);
    if n > SMALL && large.try_reserve_exact(n).is_ok() {
        large.resize(n, 0);
        large
    } else {
        &mut small[..n.min(SMALL)]
    }
}

impl Vnode for Terminal {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        let kind = match self.kind {
            _ if self.regular => mode::IFREG,
            // Another file of the host's is a stream like a pipe: programs take S_IFREG for leave to read ahead
            // and to lseek back.
            devctl::KIND_PIPE | devctl::KIND_FILE => mode::IFIFO,
            _ => mode::IFCHR,
        };
        Owner { mode: kind | 0o666, uid: 0, gid: 0 }
    }
    fn getattr(&self, lp: &Lwp) -> SysResult<Stat> {
        let size = if self.regular { seek(lp, self.input, None)?.1 } else { 0 };
        Ok(Stat {
            size,
            blocks: size.div_ceil(512),
            dev: self.head.mount.dev,
            ino: self.ino,
            mode: self.owner().mode,
            nlink: 1,
            rdev: self.rdev,
            blksize: 4096,
            ..Stat::default()
        })
    }
    fn setattr(&self, _lp: &Lwp, set: &SetAttr) -> SysResult<()> {
        // `> /dev/stdout` truncates, `touch` sets times: no errors, and no effect.
        if set.mode.is_some() || set.uid.is_some() || set.gid.is_some() { Err(Errno::EPERM) } else { Ok(()) }
    }
    fn read(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        let lp = uio.lwp();
        if uio.resid == 0 {
            return Ok(());
        }
        let (mut small, mut large) = ([0; SMALL], Vec::new());
        let buf = buffer(uio.resid, &mut small, &mut large);
        if self.regular {
            return self.read_file(uio, buf);
        }
        loop {
            self.turn(lp, Use::Read)?;
            let Some(n) = self.take(lp, buf, flags)? else { continue };
            let left = if self.kind == devctl::KIND_TTY { self.keys(lp, &mut buf[..n]) } else { n };
            if left > 0 || n == 0 {
                return uio.copy_out(&buf[..left]).map(|_| ());
            }
        }
    }
    fn write(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        let lp = uio.lwp();
        let (mut small, mut large) = ([0; SMALL], Vec::new());
        let buf = buffer(uio.resid, &mut small, &mut large);
        while uio.resid > 0 {
            let n = uio.copy_in(buf)?;
            let mut done = 0;
            let given = self.give(lp, &buf[..n], &mut done, flags);
            // What the host didn't take was not written.
            uio.resid += n - done;
            given?;
        }
        Ok(())
    }
    /// A character device without a position is a terminal to WASI's libraries; nothing else may seem one.
    fn seekable(&self) -> bool {
        self.kind == devctl::KIND_NULL || self.regular
    }
    fn positioned(&self) -> bool {
        self.regular
    }
    fn fsync(&self, _lp: &Lwp, _data_only: bool) -> SysResult<()> {
        Err(Errno::EINVAL)
    }
    fn poll(&self, lp: &Lwp, events: u16, reg: Option<&mut Registrar>) -> u16 {
        if let Some(reg) = reg {
            reg.add(&lp.kernel.console.queues[self.input as usize]);
            if self.output != self.input {
                reg.add(&lp.kernel.console.queues[self.output as usize]);
            }
        }
        let ask = |unit, events: u16| match events {
            0 => 0,
            e => lp.machine().dev_ctl(unit, devctl::POLL, &mut e.to_le_bytes()).unwrap_or(poll::ERR as u32) as u16,
        };
        if self.input == self.output {
            return ask(self.input, events & (poll::IN | poll::OUT));
        }
        ask(self.input, events & poll::IN) | ask(self.output, events & poll::OUT)
    }
    fn ioctl(&self, lp: &Lwp, request: u32, arg: UAddr) -> SysResult<u32> {
        self.is_tty()?;
        match request {
            ioctl::TIOCGWINSZ => {
                let mut size = [0; Winsize::SIZE];
                lp.machine().dev_ctl(self.output, devctl::GET_WINSIZE, &mut size)?;
                lp.machine().copyout(&size, arg)?;
            }
            ioctl::TIOCGPGRP => lp.machine().put32(arg, lp.kernel.console.foreground() as u32)?,
            ioctl::TIOCSPGRP => self.set_group(lp, arg)?,
            ioctl::TCGETS => {
                let settings = *lp.kernel.console.settings.lock();
                lp.machine().copyout(&settings.to_bytes(), arg)?;
            }
            ioctl::TCSETS | ioctl::TCSETSW | ioctl::TCSETSF => self.set(lp, arg)?,
            _ => return Err(Errno::ENOTTY),
        }
        Ok(0)
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
