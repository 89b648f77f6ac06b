//! A device that is attached: from `irq::ATTACH` until its session is over.
//!
//! It stands in the table of the kernel's units; open files keep it beyond that, hung up. The
//! interrupt reads what was typed at once and runs the line discipline, so that signals come
//! even where nobody reads. When nobody reads for long, the device is left unread: that is the
//! back-pressure, and the next reader goes on with it.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32};

use abi::types::{Winsize, attach, clock, devctl, sig, termios as bits};
use abi::{Errno, SysResult};
use ksync::SpinLock;

use super::ldisc::Ldisc;
use super::session;
use crate::Kernel;
use crate::kern::proc::Pid;
use crate::kern::sig::signal_group;
use crate::kern::synch::{FOREVER, WaitQueue};
use crate::locks;
use crate::machdep::MachineRef;

/// Taken from the device at once.
const PIECE: usize = 256;
/// Where the device was left unread, it is read on with so much room.
const LOW: usize = 2048;
/// VTIME counts tenths of a second.
const TENTH_NS: u64 = 100_000_000;

pub struct Unit {
    /// As the machine calls it.
    pub number: u32,
    /// Those who wait for input, and for room for output.
    pub readers: Arc<WaitQueue>,
    pub writers: Arc<WaitQueue>,
    /// Nobody is at the other end: nothing will ever come or go again.
    pub gone: AtomicBool,
    /// What `/dev/attach` has yet to tell: bits `1 << attach::CAME` and `1 << attach::WENT`.
    events: AtomicU32,
    /// A terminal has this; what has not is a stream.
    pub screen: Option<Screen>,
}

/// What makes a unit a terminal.
pub struct Screen {
    /// Written under the lock of the table of units. 0: none.
    pub session: AtomicI32,
    pub foreground: AtomicI32,
    pub line: SpinLock<Line>,
}

/// Under the lock of one terminal.
pub struct Line {
    pub disc: Ldisc,
    pub size: Winsize,
    /// Changes with whatever readers may wait for.
    pub arrivals: u32,
    /// When the last key was taken; for VTIME.
    last_ns: u64,
    /// The device was left unread.
    full: bool,
    /// The session is over with this status, which is told when all is shown.
    ended: Option<u32>,
}

/// What a reader may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ready {
    Now,
    /// At this time there will be no more to wait for.
    At(u64),
}

impl Line {
    fn new() -> SysResult<Line> {
        let size = Winsize { rows: 24, cols: 80 };
        Ok(Line { disc: Ldisc::new()?, size, arrivals: 0, last_ns: 0, full: false, ended: None })
    }

    /// Takes what was typed. Answers signals to be sent, a bit each.
    fn pull(&mut self, machine: &MachineRef, unit: u32) -> u32 {
        let mut buf = [0; PIECE];
        let mut signals = 0;
        loop {
            let room = self.disc.room().min(PIECE);
            self.full = room == 0;
            if self.full {
                break;
            }
            // At EAGAIN the interrupt will come. At the end of all, the hangup.
            let n = match machine.dev_read(unit, &mut buf[..room]) {
                Ok(n @ 1..) => n,
                _ => break,
            };
            for &b in buf.get(..n).unwrap_or(&buf) {
                if self.disc.interrupts(b) {
                    // What was typed before it, if the device takes it.
                    self.flush(machine, unit);
                }
                signals |= self.disc.receive(b);
            }
            self.arrivals = self.arrivals.wrapping_add(1);
            if self.disc.settings().raw() && self.disc.settings().cc(bits::VTIME) != 0 {
                self.last_ns = machine.clock(clock::MONOTONIC, 0);
            }
        }
        self.disc.control_flow();
        signals
    }

    /// Shows what there is to be shown.
    pub fn flush(&mut self, machine: &MachineRef, unit: u32) {
        self.disc.out.flush(|b| machine.dev_write(unit, b));
    }

    /// Whether a read of so many bytes, begun at this time, has what it wants (POSIX 11.1.7).
    pub fn ready(&self, want: usize, began_ns: u64) -> Ready {
        let now_if = |yes, else_ns| if yes { Ready::Now } else { Ready::At(else_ns) };
        let t = self.disc.settings();
        if !t.raw() {
            return now_if(self.disc.input.has_line(), FOREVER);
        }
        let (min, time) = (t.cc(bits::VMIN) as usize, t.cc(bits::VTIME) as u64 * TENTH_NS);
        let have = self.disc.input.len();
        if have >= min.min(want).max(1) || min == 0 && time == 0 {
            return Ready::Now;
        }
        match (min, have) {
            _ if time == 0 => Ready::At(FOREVER),
            (0, _) => Ready::At(began_ns.saturating_add(time)),
            (_, 0) => Ready::At(FOREVER),
            _ => Ready::At(began_ns.max(self.last_ns).saturating_add(time)),
        }
    }

    /// `poll(2)`: as Linux, a timed read is ready with the first byte.
    pub fn readable(&self) -> bool {
        let t = self.disc.settings();
        let min = if t.cc(bits::VTIME) == 0 { t.cc(bits::VMIN).max(1) } else { 1 };
        if t.raw() { self.disc.input.len() >= min as usize } else { self.disc.input.has_line() }
    }

    /// FIONREAD.
    pub fn available(&self) -> usize {
        if self.disc.settings().raw() { self.disc.input.len() } else { self.disc.input.line_bytes() }
    }

    /// True when readers have made enough room and the device was left unread.
    pub fn unread(&self) -> bool {
        self.full && (self.disc.room() >= LOW || !self.readable())
    }
}

impl Unit {
    /// ENOMEM.
    pub fn new(kernel: &Kernel, number: u32) -> SysResult<Unit> {
        let screen = match kernel.machine.dev_ctl(number, devctl::KIND, &mut []) {
            Ok(devctl::KIND_SCREEN) => Some(Screen {
                session: AtomicI32::new(0),
                foreground: AtomicI32::new(0),
                line: SpinLock::new(&locks::TTY, Line::new()?),
            }),
            _ => None,
        };
        let unit = Unit {
            number,
            readers: Arc::new(WaitQueue::new()),
            writers: Arc::new(WaitQueue::new()),
            gone: AtomicBool::new(false),
            events: AtomicU32::new(1 << attach::CAME),
            screen,
        };
        if let Some(size) = unit.ask_size(kernel)
            && let Some(screen) = &unit.screen
        {
            screen.line.lock().size = size;
        }
        Ok(unit)
    }

    fn ask_size(&self, kernel: &Kernel) -> Option<Winsize> {
        let mut b = [0; Winsize::SIZE];
        kernel.machine.dev_ctl(self.number, devctl::GET_WINSIZE, &mut b).ok()?;
        Winsize::from_bytes(&b).ok()
    }

    pub fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }
    /// The session that it controls.
    pub fn session(&self) -> Option<Pid> {
        self.screen.as_ref().map(|s| s.session.load(Relaxed)).filter(|&s| s != 0)
    }
    pub fn foreground(&self) -> Pid {
        self.screen.as_ref().map_or(0, |s| s.foreground.load(Relaxed))
    }
    pub fn set_foreground(&self, group: Pid) {
        if let Some(s) = &self.screen {
            s.foreground.store(group, Relaxed);
        }
    }

    /// Everybody looks again.
    pub fn wake(&self) {
        self.readers.wake_all();
        self.writers.wake_all();
    }

    /// The device may be ready, or a reader has made room: moves what can be moved.
    pub fn service(&self, kernel: &Kernel) {
        let Some(screen) = &self.screen else { return self.wake() };
        if self.is_gone() {
            return;
        }
        let (signals, readable, roomy, over) = {
            let mut line = screen.line.lock();
            let signals = line.pull(&kernel.machine, self.number);
            line.flush(&kernel.machine, self.number);
            let over = line.ended.filter(|_| line.disc.out.len() == 0);
            (signals, line.available() > 0 || line.readable(), line.disc.out.roomy(), over)
        };
        // First: who is interrupted while he waits to write must not write on.
        self.signal(kernel, signals);
        if readable {
            self.readers.wake_all();
        }
        if roomy {
            self.writers.wake_all();
        }
        if let Some(status) = over {
            self.over(kernel, status);
        }
    }

    /// Signals, a bit each, to the foreground group.
    fn signal(&self, kernel: &Kernel, mut signals: u32) {
        let group = self.foreground();
        while signals != 0 && group != 0 {
            signal_group(kernel, group, signals.trailing_zeros());
            signals &= signals - 1;
        }
    }

    /// The window has a size of which the machine knows.
    pub fn resized(&self, kernel: &Kernel) {
        if let Some(size) = self.ask_size(kernel) {
            self.set_size(kernel, size);
        }
    }

    /// `TIOCSWINSZ`, and its signal where that changes anything.
    pub fn set_size(&self, kernel: &Kernel, size: Winsize) {
        let Some(screen) = &self.screen else { return };
        let old = core::mem::replace(&mut screen.line.lock().size, size);
        if old != size {
            self.signal(kernel, 1 << sig::WINCH);
        }
    }

    /// Nobody is at the other end any more. What processes do with it ends, and the session hears of
    /// it (POSIX 11.1.10).
    pub fn hang_up(&self, kernel: &Kernel) {
        let leader = {
            let _slots = kernel.ttys.slots.lock();
            self.gone.store(true, Relaxed);
            self.session()
        };
        self.wake();
        session::leave(kernel, self, leader);
        let ended = self.screen.as_ref().and_then(|s| s.line.lock().ended);
        if let Some(status) = ended {
            self.over(kernel, status);
        }
    }

    /// What ran on it has ended with this wait status. The host hears of it when it has been shown
    /// all that was written.
    pub fn end(&self, kernel: &Kernel, status: u32) {
        if let Some(screen) = &self.screen {
            let mut line = screen.line.lock();
            line.disc.out.stopped = false;
            line.flush(&kernel.machine, self.number);
            // Looked at under the lock: a hangup looks for `ended` there.
            if line.disc.out.len() > 0 && !self.is_gone() {
                line.ended = Some(status);
                return;
            }
        }
        self.over(kernel, status);
    }

    /// The end of the unit: the host forgets it, and may use its number again.
    pub fn over(&self, kernel: &Kernel, status: u32) {
        let Some(slot) = super::Ttys::slot(self.number) else { return };
        let own = {
            let mut slots = kernel.ttys.slots.lock();
            match &slots[slot] {
                Some(u) if core::ptr::eq(&**u, self) => {
                    self.gone.store(true, Relaxed);
                    slots[slot].take()
                }
                _ => None,
            }
        };
        if own.is_none() {
            return;
        }
        session::leave(kernel, self, self.session());
        self.wake();
        // It may be gone on that side, too.
        let _ = kernel.machine.dev_ctl(self.number, devctl::EXITED, &mut status.to_le_bytes());
    }

    // What `/dev/attach` has to tell.

    pub fn tell(&self, event: u32) {
        self.events.fetch_or(1 << event, Relaxed);
    }
    /// True when nobody has heard of the unit. From then on nobody will.
    pub fn untold(&self) -> bool {
        self.told(attach::CAME)
    }
    /// True when that was still to be told, and is not any more.
    pub fn told(&self, event: u32) -> bool {
        self.events.fetch_and(!(1 << event), Relaxed) & 1 << event != 0
    }
    /// The first thing that is to be told.
    pub fn event(&self) -> Option<u32> {
        let events = self.events.load(Relaxed);
        [attach::CAME, attach::WENT].into_iter().find(|e| events & 1 << e != 0)
    }
    /// What is to run on it. ERANGE when there is no room for it.
    pub fn command(&self, kernel: &Kernel, room: &mut [u8]) -> SysResult<usize> {
        let n = kernel.machine.dev_ctl(self.number, devctl::COMMAND, room)? as usize;
        if n > room.len() { Err(Errno::ERANGE) } else { Ok(n) }
    }
}
