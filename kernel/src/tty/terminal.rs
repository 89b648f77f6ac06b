//! A terminal: a line discipline with a device below it, and the session that it controls.
//!
//! What is typed goes through the discipline at once, at interrupt time or in the call of a pty's
//! master, so that signals come even where nobody reads. When nobody reads for long, the device is
//! left unread: that is the back-pressure, and the next reader goes on with it. Programs come by
//! [`super::io`] and [`super::request`].

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicI32};

use abi::SysResult;
use abi::types::{Winsize, sig};
use ksync::SpinLock;

use super::line::{Below, Line};
use super::pty::Side;
use super::session;
use crate::Kernel;
use crate::kern::proc::Pid;
use crate::kern::sig::signal_group;
use crate::kern::synch::WaitQueue;
use crate::locks;

pub struct Tty {
    /// `st_rdev`.
    pub number: u64,
    /// Those who wait for input, and for room for output.
    pub readers: Arc<WaitQueue>,
    pub writers: Arc<WaitQueue>,
    /// Nobody is at the other end: nothing will ever come or go again.
    gone: AtomicBool,
    /// Written under the lock of all terminals. 0: none.
    pub session: AtomicI32,
    pub foreground: AtomicI32,
    pub line: SpinLock<Line>,
    /// What a pty has besides.
    pub pty: Option<Side>,
}

impl Tty {
    /// ENOMEM.
    pub fn new(number: u64, below: Below, size: Winsize, pty: Option<Side>) -> SysResult<Tty> {
        Ok(Tty {
            number,
            readers: Arc::new(WaitQueue::new()),
            writers: Arc::new(WaitQueue::new()),
            gone: AtomicBool::new(false),
            session: AtomicI32::new(0),
            foreground: AtomicI32::new(0),
            line: SpinLock::new(&locks::TTY, Line::new(below, size)?),
            pty,
        })
    }

    pub fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }
    /// The session that it controls.
    pub fn session(&self) -> Option<Pid> {
        Some(self.session.load(Relaxed)).filter(|&s| s != 0)
    }
    pub fn foreground(&self) -> Pid {
        self.foreground.load(Relaxed)
    }
    pub fn set_foreground(&self, group: Pid) {
        self.foreground.store(group, Relaxed);
    }

    /// Everybody looks again.
    pub fn wake(&self) {
        self.readers.wake_all();
        self.writers.wake_all();
        self.wake_master();
    }
    /// A pty's master: there may be output, or room for keys.
    pub fn wake_master(&self) {
        if let Some(side) = &self.pty {
            side.wake();
        }
    }

    /// The device may be ready, or a reader has made room: moves what can be moved.
    pub fn service(&self, kernel: &Kernel) {
        if self.is_gone() {
            return;
        }
        let (signals, readable, roomy, over) = {
            let mut line = self.line.lock();
            let signals = line.pull(&kernel.machine);
            line.flush();
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
        self.wake_master();
        if let Some(status) = over
            && let Some(unit) = kernel.ttys.unit_of(self)
        {
            unit.over(kernel, status);
        }
    }

    /// Signals, a bit each, to the foreground group.
    pub fn signal(&self, kernel: &Kernel, mut signals: u32) {
        let group = self.foreground();
        while signals != 0 && group != 0 {
            signal_group(kernel, group, signals.trailing_zeros());
            signals &= signals - 1;
        }
    }

    /// The window's size, and its signal where that changes anything.
    pub fn set_size(&self, kernel: &Kernel, size: Winsize) {
        let old = core::mem::replace(&mut self.line.lock().size, size);
        if old != size {
            self.signal(kernel, 1 << sig::WINCH);
        }
    }

    /// From now on it is hung up, and nobody gets it as his own any more. Answers its session.
    pub fn mark_gone(&self, kernel: &Kernel) -> Option<Pid> {
        let _table = kernel.ttys.lock();
        self.gone.store(true, Relaxed);
        self.session()
    }

    /// Nobody is at the other end any more. What processes do with it ends, and the session hears of
    /// it (POSIX 11.1.10).
    pub fn hang_up(&self, kernel: &Kernel) {
        let leader = self.mark_gone(kernel);
        session::leave(kernel, self, leader, &session::HUNG_UP);
    }
}
