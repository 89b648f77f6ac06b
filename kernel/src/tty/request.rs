//! `ioctl(2)` on a terminal: ioctl_tty(2), and what termios(3) is made of.

use abi::syscalls::UAddr;
use abi::types::{Winsize, ioctl, termios};
use abi::{Errno, SysResult};
use core::sync::atomic::Ordering::Relaxed;

use super::session::{self, Use, wait_turn};
use super::terminal::Tty;
use super::{copy_group, copy_settings};
use crate::kern::proc::Lwp;

impl Tty {
    pub fn ioctl(&self, lp: &Lwp, request: u32, arg: UAddr) -> SysResult<()> {
        if self.is_gone() {
            return Err(Errno::EIO);
        }
        match request {
            ioctl::TCSETS
            | ioctl::TCSETSW
            | ioctl::TCSETSF
            | ioctl::TCSBRK
            | ioctl::TCFLSH
            | ioctl::TCXONC
            | ioctl::TIOCSPGRP => self.change(lp, request, arg),
            _ => self.request(lp, request, arg),
        }
    }

    /// Requests that change something for others; a process in the background is stopped.
    pub fn change(&self, lp: &Lwp, request: u32, arg: UAddr) -> SysResult<()> {
        wait_turn(lp, self, Use::Control)?;
        match request {
            ioctl::TCSETS | ioctl::TCSETSW | ioctl::TCSETSF => self.set_settings(lp, request, arg),
            ioctl::TCSBRK => self.drain(lp),
            ioctl::TCFLSH => self.flush(lp, arg.0),
            ioctl::TCXONC => self.flow(lp, arg.0),
            _ => {
                self.check_controls(lp)?;
                self.set_foreground(copy_group(lp, arg)?);
                // Who is in the background now finds out.
                self.wake();
                Ok(())
            }
        }
    }

    fn request(&self, lp: &Lwp, request: u32, arg: UAddr) -> SysResult<()> {
        match request {
            ioctl::TIOCGSID | ioctl::TIOCGPGRP => {
                self.check_controls(lp)?;
                self.common(lp, request, arg)
            }
            ioctl::FIONREAD => {
                let n = self.line.lock().available();
                lp.machine().put32(arg, n as u32)
            }
            ioctl::TIOCOUTQ => {
                let n = self.line.lock().unshown();
                lp.machine().put32(arg, n as u32)
            }
            ioctl::TIOCSCTTY => session::acquire(lp, self),
            ioctl::TIOCNOTTY => session::give_up(lp, self),
            // Putting keys into somebody's terminal is how programs broke out of `su`.
            ioctl::TIOCSTI => Err(Errno::EPERM),
            _ => self.common(lp, request, arg),
        }
    }

    /// Requests that a pty's master may make as well.
    pub fn common(&self, lp: &Lwp, request: u32, arg: UAddr) -> SysResult<()> {
        let machine = lp.machine();
        match request {
            ioctl::TCGETS => {
                let settings = self.line.lock().disc.settings().to_bytes();
                machine.copyout(&settings, arg)
            }
            ioctl::TIOCGWINSZ => {
                let size = self.line.lock().size;
                machine.copyout(&size.to_bytes(), arg)
            }
            ioctl::TIOCSWINSZ => {
                let mut b = [0; Winsize::SIZE];
                machine.copyin(arg, &mut b)?;
                self.set_size(&lp.kernel, Winsize::from_bytes(&b)?);
                Ok(())
            }
            ioctl::TIOCGSID => machine.put32(arg, self.session().ok_or(Errno::ENOTTY)? as u32),
            ioctl::TIOCGPGRP => machine.put32(arg, self.foreground.load(Relaxed) as u32),
            _ => Err(Errno::ENOTTY),
        }
    }

    fn set_settings(&self, lp: &Lwp, request: u32, arg: UAddr) -> SysResult<()> {
        let new = copy_settings(lp, arg)?;
        if request != ioctl::TCSETS {
            self.drain(lp)?;
        }
        {
            let mut line = self.line.lock();
            if request == ioctl::TCSETSF {
                line.disc.input.clear();
            }
            line.disc.set(new);
            line.arrivals = line.arrivals.wrapping_add(1);
        }
        // There may be room now, or something to read, or output that goes on.
        self.service(&lp.kernel);
        self.wake();
        Ok(())
    }

    /// `tcflush(3)`.
    fn flush(&self, lp: &Lwp, which: u32) -> SysResult<()> {
        if which > termios::TCIOFLUSH {
            return Err(Errno::EINVAL);
        }
        {
            let mut line = self.line.lock();
            if which != termios::TCOFLUSH {
                line.disc.input.clear();
            }
            if which != termios::TCIFLUSH {
                line.disc.out.clear();
            }
        }
        self.service(&lp.kernel);
        Ok(())
    }

    /// `tcflow(3)`.
    fn flow(&self, lp: &Lwp, action: u32) -> SysResult<()> {
        {
            let mut line = self.line.lock();
            match action {
                termios::TCOOFF | termios::TCOON => line.disc.out.stopped = action == termios::TCOOFF,
                termios::TCIOFF | termios::TCION => line.disc.send_flow(action == termios::TCIOFF),
                _ => return Err(Errno::EINVAL),
            }
        }
        self.service(&lp.kernel);
        Ok(())
    }

    /// Requests that only processes of the terminal's own session may make.
    fn check_controls(&self, lp: &Lwp) -> SysResult<()> {
        if self.session() == Some(lp.proc.sid.load(Relaxed)) { Ok(()) } else { Err(Errno::ENOTTY) }
    }
}
