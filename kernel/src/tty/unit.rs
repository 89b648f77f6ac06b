//! A device that is attached: from `irq::ATTACH` until its session is over.
//!
//! It stands in the table of the kernel's units; open files keep it beyond that, hung up. It is a
//! terminal ([`Tty`]), or a stream of bytes ([`Stream`]).

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU32};

use abi::types::devctl::{self, ATTACHED_FIRST};
use abi::types::{Winsize, attach};
use abi::{Errno, SysResult};

use super::line::Below;
use super::session;
use super::stream::Stream;
use super::terminal::Tty;
use crate::Kernel;

/// Terminals have Linux's numbers for its consoles.
const TTY_MAJOR: u64 = 4 << 8;

pub struct Unit {
    /// As the machine calls it.
    pub number: u32,
    pub kind: Kind,
    /// It has left the table.
    over: AtomicBool,
    /// What `/dev/attach` has yet to tell: bits `1 << attach::CAME` and `1 << attach::WENT`.
    events: AtomicU32,
}

pub enum Kind {
    Screen(Arc<Tty>),
    Stream(Arc<Stream>),
}

/// What a unit is called is its place in the table, from 1 on.
pub fn minor(number: u32) -> u64 {
    (number - ATTACHED_FIRST + 1) as u64
}

fn ask_size(kernel: &Kernel, number: u32) -> Option<Winsize> {
    let mut b = [0; Winsize::SIZE];
    kernel.machine.dev_ctl(number, devctl::GET_WINSIZE, &mut b).ok()?;
    Winsize::from_bytes(&b).ok()
}

impl Unit {
    /// ENOMEM.
    pub fn new(kernel: &Kernel, number: u32) -> SysResult<Unit> {
        let kind = match kernel.machine.dev_ctl(number, devctl::KIND, &mut []) {
            Ok(devctl::KIND_SCREEN) => {
                let size = ask_size(kernel, number).unwrap_or(Winsize { rows: 24, cols: 80 });
                let below = Below::Device { machine: kernel.machine.clone(), unit: number };
                Kind::Screen(Arc::new(Tty::new(TTY_MAJOR | minor(number), below, size, None)?))
            }
            _ => Kind::Stream(Arc::new(Stream::new(number))),
        };
        Ok(Unit { number, kind, over: AtomicBool::new(false), events: AtomicU32::new(1 << attach::CAME) })
    }

    pub fn tty(&self) -> Option<&Arc<Tty>> {
        match &self.kind {
            Kind::Screen(tty) => Some(tty),
            Kind::Stream(_) => None,
        }
    }
    /// Nobody is at the other end: nothing will ever come or go again.
    pub fn is_gone(&self) -> bool {
        match &self.kind {
            Kind::Screen(tty) => tty.is_gone(),
            Kind::Stream(stream) => stream.is_gone(),
        }
    }

    /// The device may be ready: moves what can be moved.
    pub fn service(&self, kernel: &Kernel) {
        match &self.kind {
            Kind::Screen(tty) => tty.service(kernel),
            Kind::Stream(stream) => stream.wake(),
        }
    }

    /// The window has a size of which the machine knows.
    pub fn resized(&self, kernel: &Kernel) {
        if let (Some(tty), Some(size)) = (self.tty(), ask_size(kernel, self.number)) {
            tty.set_size(kernel, size);
        }
    }

    /// Nobody is at the other end any more.
    pub fn hang_up(&self, kernel: &Kernel) {
        match &self.kind {
            Kind::Screen(tty) => {
                tty.hang_up(kernel);
                let ended = tty.line.lock().ended;
                if let Some(status) = ended {
                    self.over(kernel, status);
                }
            }
            Kind::Stream(stream) => stream.hang_up(),
        }
    }

    /// What ran on it has ended with this wait status. The host hears of it when it has been shown
    /// all that was written.
    pub fn end(&self, kernel: &Kernel, status: u32) {
        if let Some(tty) = self.tty() {
            let mut line = tty.line.lock();
            line.disc.out.stopped = false;
            line.flush();
            // Looked at under the lock: a hangup looks for `ended` there.
            if line.disc.out.len() > 0 && !tty.is_gone() {
                line.ended = Some(status);
                return;
            }
        }
        self.over(kernel, status);
    }

    /// The end of the unit: the host forgets it, and may use its number again.
    pub fn over(&self, kernel: &Kernel, status: u32) {
        if self.over.swap(true, Relaxed) {
            return;
        }
        match &self.kind {
            Kind::Screen(tty) => {
                let leader = tty.mark_gone(kernel);
                session::leave(kernel, tty, leader, &session::HUNG_UP);
                tty.wake();
            }
            Kind::Stream(stream) => stream.hang_up(),
        }
        kernel.ttys.remove(self.number);
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
