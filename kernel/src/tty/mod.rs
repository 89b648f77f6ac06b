//! Terminals.
//!
//! Two kinds: the host's standard streams, where a terminal's lines are edited by the host
//! ([`console`]), and devices that are attached while the kernel runs ([`unit`]): terminals with a
//! line discipline of the kernel's own ([`ldisc`]), and streams of bytes. A session has at most one
//! terminal that controls it ([`session`]). `init` serves what is attached through `/dev/attach`
//! ([`attach`]).
//!
//! Interrupts come in here. They never sleep; they may come on several CPUs at once.

pub mod attach;
mod console;
mod input;
mod ldisc;
mod node;
mod output;
pub mod session;
mod termios;
mod unit;
mod width;

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use abi::syscalls::UAddr;
use abi::types::devctl::{ATTACHED_FIRST, ATTACHED_MAX};
use abi::types::{devctl, sig, termios as bits, wait};
use abi::{Errno, SysResult};
use ksync::SpinLock;

use crate::Kernel;
use crate::kern::proc::{Lwp, Pid, group_in_session};
use crate::kern::synch::WaitQueue;
use crate::locks;
pub use console::{CONSOLE_NUMBER, Console, Terminal, device_ready as console_ready};
pub use node::{lookup, names, open_number};
use termios::Termios;
use unit::Unit;

/// `st_rdev` of `/dev/tty` and `/dev/attach`.
pub const TTY_NUMBER: u64 = 5 << 8;
pub const ATTACH_NUMBER: u64 = 10 << 8;

const SLOTS: usize = ATTACHED_MAX as usize;

/// The devices that are attached.
pub struct Ttys {
    slots: SpinLock<[Option<Arc<Unit>>; SLOTS]>,
    /// Woken when there is something to read from `/dev/attach`.
    events: Arc<WaitQueue>,
}

impl Default for Ttys {
    fn default() -> Self {
        Ttys { slots: SpinLock::new(&locks::TTYS, [const { None }; SLOTS]), events: Arc::new(WaitQueue::new()) }
    }
}

impl Ttys {
    fn slot(unit: u32) -> Option<usize> {
        let slot = unit.checked_sub(ATTACHED_FIRST)? as usize;
        (slot < SLOTS).then_some(slot)
    }

    fn get(&self, unit: u32) -> Option<Arc<Unit>> {
        let slot = Self::slot(unit)?;
        self.slots.lock()[slot].clone()
    }

    /// The first that is so.
    fn find(&self, is: impl Fn(&Unit) -> bool) -> Option<Arc<Unit>> {
        self.slots.lock().iter().flatten().find(|u| is(u)).cloned()
    }
}

/// `irq::DEVICE`: a unit is ready for something.
pub fn device_ready(kernel: &Kernel, unit: u32) {
    if unit < ATTACHED_FIRST {
        return console_ready(kernel, unit);
    }
    if let Some(unit) = kernel.ttys.get(unit) {
        unit.service(kernel);
    }
}

/// `irq::ATTACH`: a unit is there.
pub fn attached(kernel: &Kernel, number: u32) {
    let Some(slot) = Ttys::slot(number) else { return };
    let Ok(unit) = kernel.machine.admit().and_then(|()| Unit::new(kernel, number)) else {
        return refuse(kernel, number);
    };
    let unit = Arc::new(unit);
    {
        let mut slots = kernel.ttys.slots.lock();
        if slots[slot].is_some() {
            return;
        }
        slots[slot] = Some(unit.clone());
    }
    // Reads, and so asks for the interrupt when something is typed.
    unit.service(kernel);
    notify(kernel);
}

/// There is no memory for the unit.
fn refuse(kernel: &Kernel, number: u32) {
    // The host has nothing to answer.
    let _ = kernel.machine.dev_ctl(number, devctl::EXITED, &mut wait::exited(126).to_le_bytes());
}

/// There is something to be read from `/dev/attach`. `init` sleeps in sigtimedwait(2), for its
/// children too; to a process 1 that does not wait for it the signal would be deadly.
fn notify(kernel: &Kernel) {
    kernel.ttys.events.wake_all();
    if let Ok(init) = kernel.proc_find(1)
        && init.blocked.load(Relaxed) & sig::bit(sig::PWR) != 0
    {
        crate::kern::sig::psignal(kernel, &init, sig::PWR);
    }
}

/// `irq::HANGUP`: nobody is at the other end any more.
pub fn hung_up(kernel: &Kernel, number: u32) {
    let Some(unit) = kernel.ttys.get(number) else { return };
    unit.hang_up(kernel);
    // Where nobody has begun to run anything, there is nobody to say that it is over.
    if unit.untold() {
        unit.over(kernel, wait::signaled(sig::HUP));
    } else {
        unit.tell(abi::types::attach::WENT);
        notify(kernel);
    }
}

/// `irq::WINCH`.
pub fn resized(kernel: &Kernel, number: u32) {
    if number < ATTACHED_FIRST {
        return crate::kern::sig::console_signal(kernel, sig::WINCH);
    }
    if let Some(unit) = kernel.ttys.get(number) {
        unit.resized(kernel);
    }
}

/// The terminal that controls a session: its device number, and its foreground group.
pub fn of_session(kernel: &Kernel, sid: Pid) -> (u64, Pid) {
    match kernel.ttys.find(|u| u.session() == Some(sid)) {
        Some(unit) => (node::tty_number(&unit), unit.foreground()),
        None => (console::PTY_NUMBER, kernel.console.foreground()),
    }
}

/// `struct termios` of a program.
fn copy_settings(lp: &Lwp, from: UAddr) -> SysResult<Termios> {
    let mut bytes = [0; bits::SIZE];
    lp.machine().copyin(from, &mut bytes)?;
    Termios::from_bytes(&bytes)
}

/// The argument of `tcsetpgrp(3)`: a group of the caller's session. EINVAL, EPERM.
fn copy_group(lp: &Lwp, from: UAddr) -> SysResult<Pid> {
    let mut b = [0; 4];
    lp.machine().copyin(from, &mut b)?;
    let group = i32::from_le_bytes(b);
    if group <= 0 {
        return Err(Errno::EINVAL);
    }
    let sid = lp.proc.sid.load(Relaxed);
    if group_in_session(&lp.kernel.procs.tree.lock(), group, sid) { Ok(group) } else { Err(Errno::EPERM) }
}
