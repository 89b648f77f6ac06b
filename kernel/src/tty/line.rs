//! A terminal's state under its lock: the line discipline, and the device below it.
//!
//! The discipline is the same for all terminals. What differs is where keys come from and where
//! output goes: an attached device of the machine's, or the master side of a pty (`Below`).

use abi::types::{Winsize, clock, termios as bits};
use abi::{Errno, SysResult};

use super::ldisc::Ldisc;
use super::pty::Shown;
use crate::kern::synch::FOREVER;
use crate::machdep::MachineRef;

/// Taken from the device at once.
const PIECE: usize = 256;
/// Where the device was left unread, it is read on with so much room.
const LOW: usize = 2048;
/// VTIME counts tenths of a second.
const TENTH_NS: u64 = 100_000_000;

/// The device below a terminal.
pub enum Below {
    /// One of the machine's, by the number that it has there.
    Device { machine: MachineRef, unit: u32 },
    /// A pty's master, who reads what is shown and puts in keys by himself.
    Master(Shown),
}

impl Below {
    /// Keys. EAGAIN: there will be an interrupt, or a write to the master.
    fn take(&mut self, buf: &mut [u8]) -> SysResult<usize> {
        match self {
            Below::Device { machine, unit } => machine.dev_read(*unit, buf),
            Below::Master(_) => Err(Errno::EAGAIN),
        }
    }
    /// Output; how much of it was taken. EAGAIN: there will be an interrupt, or a read of the master.
    fn give(&mut self, bytes: &[u8]) -> SysResult<usize> {
        match self {
            Below::Device { machine, unit } => machine.dev_write(*unit, bytes),
            Below::Master(shown) => shown.put(bytes),
        }
    }
}

/// Under the lock of one terminal.
pub struct Line {
    pub disc: Ldisc,
    pub below: Below,
    pub size: Winsize,
    /// Changes with whatever readers may wait for.
    pub arrivals: u32,
    /// When the last key was taken; for VTIME.
    last_ns: u64,
    /// The device was left unread, or a master's write was.
    pub full: bool,
    /// The session on a device is over with this status, which is told when all is shown.
    pub ended: Option<u32>,
}

/// What a reader may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ready {
    Now,
    /// At this time there will be no more to wait for.
    At(u64),
}

impl Line {
    /// ENOMEM.
    pub fn new(below: Below, size: Winsize) -> SysResult<Line> {
        Ok(Line { disc: Ldisc::new()?, below, size, arrivals: 0, last_ns: 0, full: false, ended: None })
    }

    /// Takes what was typed. Answers signals to be sent, a bit each.
    pub fn pull(&mut self, machine: &MachineRef) -> u32 {
        let mut buf = [0; PIECE];
        let mut signals = 0;
        loop {
            let room = self.disc.room().min(PIECE);
            self.full = room == 0;
            if self.full {
                break;
            }
            // At EAGAIN the interrupt will come. At the end of all, the hangup.
            let n = match self.below.take(&mut buf[..room]) {
                Ok(n @ 1..) => n,
                _ => break,
            };
            signals |= self.receive(machine, buf.get(..n).unwrap_or(&buf));
        }
        self.disc.control_flow();
        signals
    }

    /// Keys, no more than there is room for. Answers signals to be sent, a bit each.
    pub fn receive(&mut self, machine: &MachineRef, keys: &[u8]) -> u32 {
        let mut signals = 0;
        for &b in keys {
            if self.disc.interrupts(b) {
                // What was typed before it, if the device takes it.
                self.flush();
            }
            signals |= self.disc.receive(b);
        }
        self.arrivals = self.arrivals.wrapping_add(1);
        if self.disc.settings().raw() && self.disc.settings().cc(bits::VTIME) != 0 {
            self.last_ns = machine.clock(clock::MONOTONIC, 0);
        }
        signals
    }

    /// Shows what there is to be shown.
    pub fn flush(&mut self) {
        let below = &mut self.below;
        self.disc.out.flush(|b| below.give(b));
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

    /// TIOCOUTQ: what the device has not. A master has all there is, as on Linux: who waited for him
    /// in the same process would wait for ever.
    pub fn unshown(&self) -> usize {
        if matches!(self.below, Below::Master(_)) { 0 } else { self.disc.out.len() }
    }

    /// True when readers have made enough room and the device was left unread.
    pub fn unread(&self) -> bool {
        self.full && (self.disc.room() >= LOW || !self.readable())
    }
}
