//! Attached devices as files: `/dev/tty1` and so on.
//!
//! A [`Node`] is one opening of a unit (or a look at its name). A terminal goes through its line
//! discipline under its lock; a stream goes straight to the device.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::syscalls::UAddr;
use abi::types::devctl::ATTACHED_FIRST;
use abi::types::{Stat, Winsize, ioctl, mode, o, poll, termios};
use abi::{Errno, SysResult};
use core::sync::atomic::Ordering::Relaxed;

use super::session::{self, Use, wait_turn};
use super::unit::{Ready, Screen, Unit};
use super::{copy_group, copy_settings};
use crate::Kernel;
use crate::kern::poll::Registrar;
use crate::kern::proc::{Lwp, lwpflag};
use crate::kern::synch::FOREVER;
use crate::uio::Uio;
use crate::vfs::mount::Mount;
use crate::vfs::vnode::{Head, Owner, SetAttr, Vnode, VnodeRef, ioflag};

/// Terminals have Linux's numbers for its consoles. A stream shows itself as a pipe: to WASI's
/// libraries a character device without a position would be a terminal.
const TTY_MAJOR: u64 = 4 << 8;
/// The group `tty` of the base image, which may write.
const TTY_GROUP: u32 = 5;
/// Moved between a stream and a program at once.
const PIECE: usize = 512;

/// What a unit is called is its place in the table, from 1 on.
fn minor(unit: &Unit) -> u64 {
    (unit.number - ATTACHED_FIRST + 1) as u64
}

pub fn tty_number(unit: &Unit) -> u64 {
    if unit.screen.is_some() { TTY_MAJOR | minor(unit) } else { 0 }
}

fn file_type(unit: &Unit) -> u32 {
    if unit.screen.is_some() { mode::IFCHR } else { mode::IFIFO }
}

fn name(unit: &Unit) -> String {
    format!("{}{}", if unit.screen.is_some() { "tty" } else { "stream" }, minor(unit))
}

/// The names of what is attached, with their numbers and file types.
pub fn names(kernel: &Kernel) -> Vec<(u64, String, u32)> {
    let units: Vec<Arc<Unit>> = kernel.ttys.slots.lock().iter().flatten().cloned().collect();
    units.iter().filter(|u| !u.is_gone()).map(|u| (minor(u), name(u), file_type(u))).collect()
}

/// What stands under a name in `/dev`.
pub fn lookup(lp: &Lwp, mount: &Arc<Mount>, wanted: &[u8], first_ino: u64) -> Option<VnodeRef> {
    let digits = wanted.strip_prefix(b"tty").or_else(|| wanted.strip_prefix(b"stream"))?;
    let number = crate::vfs::devfs::number_of(digits)? as u32;
    let unit = lp.kernel.ttys.get(number.checked_add(ATTACHED_FIRST - 1)?)?;
    if unit.is_gone() || name(&unit).as_bytes() != wanted {
        return None;
    }
    let ino = first_ino + minor(&unit);
    Some(Arc::new(Node { head: Head::new(mount.clone()), ino, unit }))
}

/// The device with this number. ENXIO.
pub fn open_number(lp: &Lwp, mount: &Arc<Mount>, rdev: u64) -> SysResult<VnodeRef> {
    let unit =
        lp.kernel.ttys.find(|u| u.screen.is_some() && tty_number(u) == rdev && !u.is_gone()).ok_or(Errno::ENXIO)?;
    Ok(Node::of(mount.clone(), unit))
}

pub struct Node {
    head: Head,
    ino: u64,
    unit: Arc<Unit>,
}

impl Node {
    pub fn of(mount: Arc<Mount>, unit: Arc<Unit>) -> VnodeRef {
        Arc::new(Node { head: Head::new(mount), ino: minor(&unit), unit })
    }

    fn screen(&self) -> SysResult<&Screen> {
        self.unit.screen.as_ref().ok_or(Errno::ENOTTY)
    }

    /// True when a sleeper has to look at more than what it waits for.
    fn disturbed(&self, lp: &Lwp, screen: &Screen) -> bool {
        self.unit.is_gone() || lp.flags.load(Relaxed) & lwpflag::STOPPED != 0 || session::in_background(lp, screen)
    }

    fn read_screen(&self, uio: &mut Uio<'_>, screen: &Screen, flags: u32) -> SysResult<()> {
        let lp = uio.lwp();
        let now_ns = || lp.machine().clock(abi::types::clock::MONOTONIC, 0);
        let mut began_ns = None;
        while !self.unit.is_gone() {
            wait_turn(lp, screen, Use::Read)?;
            let (deadline_ns, seen) = {
                let line = screen.line.lock();
                let timed = line.disc.settings().raw() && line.disc.settings().cc(termios::VTIME) != 0;
                let began = if timed { *began_ns.get_or_insert_with(now_ns) } else { 0 };
                match line.ready(uio.resid, began) {
                    Ready::Now => return self.take(uio, screen, line),
                    Ready::At(at) if timed && at <= now_ns() => return self.take(uio, screen, line),
                    Ready::At(_) if flags & ioflag::NONBLOCK != 0 => {
                        let some = line.disc.settings().raw() && line.disc.input.len() > 0;
                        return if some { self.take(uio, screen, line) } else { Err(Errno::EAGAIN) };
                    }
                    Ready::At(at) => (at, line.arrivals),
                }
            };
            let look = || {
                let more = screen.line.lock().arrivals != seen;
                (more || self.disturbed(lp, screen)).then_some(())
            };
            match self.unit.readers.wait(lp, deadline_ns, look) {
                Ok(()) | Err(Errno::ETIMEDOUT) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// To the reader, under the lock: what one read takes, two do not share.
    fn take(
        &self,
        uio: &mut Uio<'_>,
        screen: &Screen,
        mut line: ksync::SpinGuard<'_, super::unit::Line>,
    ) -> SysResult<()> {
        let mut buf = [0; 256];
        let mut done = Ok(());
        while uio.resid > 0 && done.is_ok() {
            let want = uio.resid.min(buf.len());
            let raw = line.disc.settings().raw();
            let input = &mut line.disc.input;
            let (n, last) = if raw {
                let n = input.take(&mut buf[..want]);
                (n, n < want)
            } else {
                let taken = input.take_line(&mut buf[..want]);
                (taken.bytes, taken.line)
            };
            done = uio.copy_out(&buf[..n]).map(|_| ());
            if last || n == 0 {
                break;
            }
        }
        line.disc.control_flow();
        let unread = line.unread() || line.disc.out.len() > 0;
        drop(line);
        if unread {
            self.unit.service(&uio.lwp().kernel);
        }
        // Others may have slept for what is left.
        if screen.line.lock().readable() {
            self.unit.readers.wake_all();
        }
        done
    }

    fn write_screen(&self, uio: &mut Uio<'_>, screen: &Screen, flags: u32) -> SysResult<()> {
        let lp = uio.lwp();
        let machine = lp.machine();
        let mut buf = [0; PIECE];
        while uio.resid > 0 {
            let sits = lp.flags.load(Relaxed) & lwpflag::STOPPED != 0;
            if sits || screen.line.lock().disc.settings().local(termios::TOSTOP) {
                wait_turn(lp, screen, if sits { Use::Control } else { Use::Write })?;
            }
            if self.unit.is_gone() {
                return Err(Errno::EIO);
            }
            let mut line = screen.line.lock();
            let settings = *line.disc.settings();
            loop {
                let n = line.disc.out.room(&settings).min(uio.resid).min(PIECE);
                if n == 0 {
                    break;
                }
                uio.copy_in(&mut buf[..n])?;
                line.disc.out.write(&settings, &buf[..n]);
            }
            line.flush(machine, self.unit.number);
            if line.disc.out.room(&settings) > 0 {
                continue;
            }
            drop(line);
            if uio.resid > 0 {
                self.wait_room(lp, screen, flags)?;
            }
        }
        Ok(())
    }

    fn wait_room(&self, lp: &Lwp, screen: &Screen, flags: u32) -> SysResult<()> {
        if flags & ioflag::NONBLOCK != 0 {
            return Err(Errno::EAGAIN);
        }
        let waited = self.unit.writers.wait(lp, FOREVER, || {
            let stopped = lp.flags.load(Relaxed) & lwpflag::STOPPED != 0;
            (stopped || self.unit.is_gone() || screen.line.lock().disc.out.roomy()).then_some(())
        });
        // What made room may be the key that ends this.
        if lp.interrupted() { Err(Errno::EINTR) } else { waited }
    }

    /// Sleeps until all that was written is shown.
    fn drain(&self, lp: &Lwp, screen: &Screen) -> SysResult<()> {
        self.unit.writers.wait(lp, FOREVER, || {
            let mut line = screen.line.lock();
            line.flush(lp.machine(), self.unit.number);
            (line.disc.out.len() == 0 || self.unit.is_gone()).then_some(())
        })
    }

    /// What a stream answers; sleeps for it unless told not to.
    fn stream<T>(
        &self,
        lp: &Lwp,
        queue: &crate::kern::synch::WaitQueue,
        flags: u32,
        mut ask: impl FnMut() -> SysResult<T>,
    ) -> SysResult<Option<T>> {
        let mut look = || match ask() {
            _ if self.unit.is_gone() => Some(Ok(None)),
            Err(Errno::EAGAIN) => None,
            other => Some(other.map(Some)),
        };
        match flags & ioflag::NONBLOCK != 0 {
            true => look().unwrap_or(Err(Errno::EAGAIN)),
            false => queue.wait(lp, FOREVER, look)?,
        }
    }

    fn read_stream(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        let lp = uio.lwp();
        let mut buf = [0; PIECE];
        let want = uio.resid.min(PIECE);
        let got =
            self.stream(lp, &self.unit.readers, flags, || lp.machine().dev_read(self.unit.number, &mut buf[..want]))?;
        uio.copy_out(&buf[..got.unwrap_or(0)]).map(|_| ())
    }

    fn write_stream(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        let lp = uio.lwp();
        let mut buf = [0; PIECE];
        while uio.resid > 0 {
            let n = uio.copy_in(&mut buf[..PIECE.min(uio.resid)])?;
            let mut done = 0;
            while done < n {
                let given = self
                    .stream(lp, &self.unit.writers, flags, || lp.machine().dev_write(self.unit.number, &buf[done..n]));
                match given {
                    Ok(Some(more @ 1..)) => done += more,
                    // What was not taken was not written.
                    Ok(_) => {
                        uio.resid += n - done;
                        return Err(Errno::EPIPE);
                    }
                    Err(e) => {
                        uio.resid += n - done;
                        return Err(e);
                    }
                }
            }
        }
        Ok(())
    }

    fn set_settings(&self, lp: &Lwp, screen: &Screen, request: u32, arg: UAddr) -> SysResult<()> {
        let new = copy_settings(lp, arg)?;
        if request != ioctl::TCSETS {
            self.drain(lp, screen)?;
        }
        {
            let mut line = screen.line.lock();
            if request == ioctl::TCSETSF {
                line.disc.input.clear();
            }
            line.disc.set(new);
            line.arrivals = line.arrivals.wrapping_add(1);
        }
        // There may be room now, or something to read, or output that goes on.
        self.unit.service(&lp.kernel);
        self.unit.wake();
        Ok(())
    }

    /// `tcflush(3)`.
    fn flush(&self, lp: &Lwp, screen: &Screen, which: u32) -> SysResult<()> {
        if which > termios::TCIOFLUSH {
            return Err(Errno::EINVAL);
        }
        {
            let mut line = screen.line.lock();
            if which != termios::TCOFLUSH {
                line.disc.input.clear();
            }
            if which != termios::TCIFLUSH {
                line.disc.out.clear();
            }
        }
        self.unit.service(&lp.kernel);
        Ok(())
    }

    /// `tcflow(3)`.
    fn flow(&self, lp: &Lwp, screen: &Screen, action: u32) -> SysResult<()> {
        {
            let mut line = screen.line.lock();
            match action {
                termios::TCOOFF | termios::TCOON => line.disc.out.stopped = action == termios::TCOOFF,
                termios::TCIOFF | termios::TCION => line.disc.send_flow(action == termios::TCIOFF),
                _ => return Err(Errno::EINVAL),
            }
        }
        self.unit.service(&lp.kernel);
        Ok(())
    }

    /// Requests that only processes of the terminal's own session may make.
    fn check_controls(&self, lp: &Lwp) -> SysResult<()> {
        if self.unit.session() == Some(lp.proc.sid.load(Relaxed)) { Ok(()) } else { Err(Errno::ENOTTY) }
    }

    /// Requests that change something for others; a process in the background is stopped.
    fn change(&self, lp: &Lwp, screen: &Screen, request: u32, arg: UAddr) -> SysResult<()> {
        wait_turn(lp, screen, Use::Control)?;
        match request {
            ioctl::TCSETS | ioctl::TCSETSW | ioctl::TCSETSF => self.set_settings(lp, screen, request, arg),
            ioctl::TCSBRK => self.drain(lp, screen),
            ioctl::TCFLSH => self.flush(lp, screen, arg.0),
            ioctl::TCXONC => self.flow(lp, screen, arg.0),
            _ => {
                self.check_controls(lp)?;
                self.unit.set_foreground(copy_group(lp, arg)?);
                // Who is in the background now finds out.
                self.unit.wake();
                Ok(())
            }
        }
    }

    fn request(&self, lp: &Lwp, screen: &Screen, request: u32, arg: UAddr) -> SysResult<()> {
        let machine = lp.machine();
        match request {
            ioctl::TCGETS => {
                let settings = screen.line.lock().disc.settings().to_bytes();
                machine.copyout(&settings, arg)
            }
            ioctl::TIOCGWINSZ => {
                let size = screen.line.lock().size;
                machine.copyout(&size.to_bytes(), arg)
            }
            ioctl::TIOCSWINSZ => {
                let mut b = [0; Winsize::SIZE];
                machine.copyin(arg, &mut b)?;
                self.unit.set_size(&lp.kernel, Winsize::from_bytes(&b)?);
                Ok(())
            }
            ioctl::FIONREAD => {
                let n = screen.line.lock().available();
                machine.put32(arg, n as u32)
            }
            ioctl::TIOCOUTQ => {
                let n = screen.line.lock().disc.out.len();
                machine.put32(arg, n as u32)
            }
            ioctl::TIOCSCTTY => session::acquire(lp, &self.unit),
            ioctl::TIOCNOTTY => session::give_up(lp, &self.unit),
            ioctl::TIOCGSID => {
                self.check_controls(lp)?;
                machine.put32(arg, screen.session.load(Relaxed) as u32)
            }
            ioctl::TIOCGPGRP => {
                self.check_controls(lp)?;
                machine.put32(arg, screen.foreground.load(Relaxed) as u32)
            }
            // Putting keys into somebody's terminal is how programs broke out of `su`.
            ioctl::TIOCSTI => Err(Errno::EPERM),
            _ => Err(Errno::ENOTTY),
        }
    }
}

impl Vnode for Node {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        Owner { mode: file_type(&self.unit) | 0o620, uid: 0, gid: TTY_GROUP }
    }
    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        Ok(Stat {
            dev: self.head.mount.dev,
            ino: self.ino,
            mode: self.owner().mode,
            nlink: 1,
            gid: TTY_GROUP,
            rdev: tty_number(&self.unit),
            blksize: 4096,
            ..Stat::default()
        })
    }
    fn setattr(&self, _lp: &Lwp, set: &SetAttr) -> SysResult<()> {
        if set.mode.is_some() || set.uid.is_some() || set.gid.is_some() { Err(Errno::EPERM) } else { Ok(()) }
    }
    /// A session's leader that has no terminal gets this one (POSIX 11.1.3).
    fn open(&self, lp: &Lwp, flags: u32) -> SysResult<Option<VnodeRef>> {
        if self.unit.is_gone() {
            return Err(Errno::EIO);
        }
        if flags & o::NOCTTY == 0 && self.unit.screen.is_some() && lp.proc.sid.load(Relaxed) == lp.proc.pid {
            // Where that can't be, it is opened all the same.
            let _ = session::acquire(lp, &self.unit);
        }
        Ok(None)
    }
    fn read(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        match &self.unit.screen {
            _ if uio.resid == 0 => Ok(()),
            Some(screen) => self.read_screen(uio, screen, flags),
            None => self.read_stream(uio, flags),
        }
    }
    fn write(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        match &self.unit.screen {
            Some(screen) => self.write_screen(uio, screen, flags),
            None => self.write_stream(uio, flags),
        }
    }
    fn seekable(&self) -> bool {
        false
    }
    fn fsync(&self, _lp: &Lwp, _data_only: bool) -> SysResult<()> {
        Err(Errno::EINVAL)
    }
    fn poll(&self, lp: &Lwp, events: u16, reg: Option<&mut Registrar>) -> u16 {
        if let Some(reg) = reg {
            reg.add(&self.unit.readers);
            reg.add(&self.unit.writers);
        }
        if self.unit.is_gone() {
            return events & (poll::IN | poll::OUT) | poll::HUP;
        }
        let Some(screen) = &self.unit.screen else {
            let wanted = events & (poll::IN | poll::OUT);
            let ask = lp.machine().dev_ctl(self.unit.number, abi::types::devctl::POLL, &mut wanted.to_le_bytes());
            return ask.unwrap_or(poll::ERR as u32) as u16;
        };
        let line = screen.line.lock();
        let readable = if line.readable() { poll::IN } else { 0 };
        let writable = if line.disc.out.roomy() { poll::OUT } else { 0 };
        events & (readable | writable)
    }
    fn ioctl(&self, lp: &Lwp, request: u32, arg: UAddr) -> SysResult<u32> {
        let screen = self.screen()?;
        if self.unit.is_gone() {
            return Err(Errno::EIO);
        }
        match request {
            ioctl::TCSETS
            | ioctl::TCSETSW
            | ioctl::TCSETSF
            | ioctl::TCSBRK
            | ioctl::TCFLSH
            | ioctl::TCXONC
            | ioctl::TIOCSPGRP => self.change(lp, screen, request, arg)?,
            _ => self.request(lp, screen, request, arg)?,
        }
        Ok(0)
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
