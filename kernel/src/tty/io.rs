//! Reading, writing and polling a terminal, through its line discipline and under its lock.

use abi::types::{clock, poll, termios};
use abi::{Errno, SysResult};
use core::sync::atomic::Ordering::Relaxed;
use ksync::SpinGuard;

use super::line::{Line, Ready};
use super::session::{self, Use, wait_turn};
use super::terminal::Tty;
use crate::kern::poll::Registrar;
use crate::kern::proc::{Lwp, lwpflag};
use crate::kern::synch::FOREVER;
use crate::uio::Uio;
use crate::vfs::vnode::ioflag;

/// Taken from a program at once.
const PIECE: usize = 512;

impl Tty {
    /// TOSTOP: those in the background, that is.
    pub fn stops_writers(&self) -> bool {
        self.line.lock().disc.settings().local(termios::TOSTOP)
    }

    /// True when a sleeper has to look at more than what it waits for.
    fn disturbed(&self, lp: &Lwp) -> bool {
        self.is_gone() || lp.flags.load(Relaxed) & lwpflag::STOPPED != 0 || session::in_background(lp, self)
    }

    pub fn read(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        let lp = uio.lwp();
        let now_ns = || lp.machine().clock(clock::MONOTONIC, 0);
        let mut began_ns = None;
        while uio.resid > 0 && !self.is_gone() {
            wait_turn(lp, self, Use::Read)?;
            let (deadline_ns, seen) = {
                let line = self.line.lock();
                let timed = line.disc.settings().raw() && line.disc.settings().cc(termios::VTIME) != 0;
                let began = if timed { *began_ns.get_or_insert_with(now_ns) } else { 0 };
                match line.ready(uio.resid, began) {
                    Ready::Now => return self.take(uio, line),
                    Ready::At(at) if timed && at <= now_ns() => return self.take(uio, line),
                    Ready::At(_) if flags & ioflag::NONBLOCK != 0 => {
                        let some = line.disc.settings().raw() && line.disc.input.len() > 0;
                        return if some { self.take(uio, line) } else { Err(Errno::EAGAIN) };
                    }
                    Ready::At(at) => (at, line.arrivals),
                }
            };
            let look = || {
                let more = self.line.lock().arrivals != seen;
                (more || self.disturbed(lp)).then_some(())
            };
            match self.readers.wait(lp, deadline_ns, look) {
                Ok(()) | Err(Errno::ETIMEDOUT) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// To the reader, under the lock: what one read takes, two do not share.
    fn take(&self, uio: &mut Uio<'_>, mut line: SpinGuard<'_, Line>) -> SysResult<()> {
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
        // Others may have slept for what is left.
        let more = line.readable();
        drop(line);
        if unread {
            self.service(&uio.lwp().kernel);
        }
        if more {
            self.readers.wake_all();
        }
        done
    }

    pub fn write(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        let lp = uio.lwp();
        let mut buf = [0; PIECE];
        while uio.resid > 0 {
            if lp.flags.load(Relaxed) & lwpflag::STOPPED != 0 || self.stops_writers() {
                wait_turn(lp, self, Use::Write)?;
            }
            if self.is_gone() {
                return Err(Errno::EIO);
            }
            let mut line = self.line.lock();
            let settings = *line.disc.settings();
            let mut copied = Ok(0);
            while copied.is_ok() {
                let n = line.disc.out.room(&settings).min(uio.resid).min(PIECE);
                if n == 0 {
                    break;
                }
                copied = uio.copy_in(&mut buf[..n]);
                if copied.is_ok() {
                    line.disc.out.write(&settings, &buf[..n]);
                }
            }
            line.flush();
            let room = line.disc.out.room(&settings) > 0;
            drop(line);
            self.wake_master();
            copied?;
            if !room && uio.resid > 0 {
                self.wait_room(lp, flags)?;
            }
        }
        Ok(())
    }

    fn wait_room(&self, lp: &Lwp, flags: u32) -> SysResult<()> {
        if flags & ioflag::NONBLOCK != 0 {
            return Err(Errno::EAGAIN);
        }
        let waited = self.writers.wait(lp, FOREVER, || {
            let stopped = lp.flags.load(Relaxed) & lwpflag::STOPPED != 0;
            (stopped || self.is_gone() || self.line.lock().disc.out.roomy()).then_some(())
        });
        // What made room may be the key that ends this.
        if lp.interrupted() { Err(Errno::EINTR) } else { waited }
    }

    /// Sleeps until all that was written is shown.
    pub fn drain(&self, lp: &Lwp) -> SysResult<()> {
        self.writers.wait(lp, FOREVER, || {
            let mut line = self.line.lock();
            line.flush();
            (line.unshown() == 0 || self.is_gone()).then_some(())
        })
    }

    pub fn poll(&self, events: u16, reg: Option<&mut Registrar>) -> u16 {
        if let Some(reg) = reg {
            reg.add(&self.readers);
            reg.add(&self.writers);
        }
        if self.is_gone() {
            return events & (poll::IN | poll::OUT) | poll::HUP;
        }
        let line = self.line.lock();
        let readable = if line.readable() { poll::IN } else { 0 };
        let writable = if line.disc.out.roomy() { poll::OUT } else { 0 };
        events & (readable | writable)
    }
}
