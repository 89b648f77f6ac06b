//! Terminals.
//!
//! A terminal ([`terminal`]) is a line discipline ([`ldisc`]) with a device below it ([`line`]): one
//! that was attached while the kernel runs ([`unit`]), or the master side of a pseudo-terminal
//! ([`pty`]). Programs read and write it ([`io`]), change it ([`request`]), and find it by its name
//! ([`node`], [`pts`]). What is attached may also be a stream of bytes ([`stream`]); `init` serves it
//! through `/dev/attach` ([`attach`]). The host's standard streams are apart: the lines of a terminal
//! are edited by the host ([`console`]). A session has at most one terminal that controls it
//! ([`session`]).
//!
//! Interrupts come in here. They never sleep; they may come on several CPUs at once.

pub mod attach;
mod console;
mod input;
mod io;
mod ldisc;
mod line;
mod node;
mod output;
mod pts;
mod pty;
mod request;
pub mod session;
mod stream;
mod terminal;
mod unit;
mod width;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::syscalls::UAddr;
use abi::types::devctl::{ATTACHED_FIRST, ATTACHED_MAX};
use abi::types::{Termios, devctl, sig, termios as bits, wait};
use abi::{Errno, SysResult};
use ksync::{SpinGuard, SpinLock};

use crate::Kernel;
use crate::kern::proc::{Lwp, Pid, group_in_session};
use crate::kern::synch::WaitQueue;
use crate::locks;
pub use console::{CONSOLE_NUMBER, Console, Terminal, device_ready as console_ready};
pub use node::{lookup, names, open_number};
pub use pts::Pts;
pub use pty::open_master;
use terminal::Tty;
use unit::Unit;

/// `st_rdev` of `/dev/tty`, `/dev/ptmx` and `/dev/attach`.
pub const TTY_NUMBER: u64 = 5 << 8;
pub const PTMX_NUMBER: u64 = 5 << 8 | 2;
pub const ATTACH_NUMBER: u64 = 10 << 8;

const SLOTS: usize = ATTACHED_MAX as usize;

/// The devices that are attached, and the ptys.
pub struct Ttys {
    table: SpinLock<Table>,
    /// Woken when there is something to read from `/dev/attach`.
    events: Arc<WaitQueue>,
}

/// Its lock guards also which session each of the terminals controls.
pub struct Table {
    slots: [Option<Arc<Unit>>; SLOTS],
    /// By their numbers.
    ptys: Vec<Option<Arc<Tty>>>,
}

impl Table {
    fn units(&self) -> impl Iterator<Item = &Arc<Unit>> {
        self.slots.iter().flatten()
    }
    fn terminals(&self) -> impl Iterator<Item = &Arc<Tty>> {
        self.units().filter_map(|u| u.tty()).chain(self.ptys.iter().flatten())
    }
}

impl Default for Ttys {
    fn default() -> Self {
        let table = Table { slots: [const { None }; SLOTS], ptys: Vec::new() };
        Ttys { table: SpinLock::new(&locks::TTYS, table), events: Arc::new(WaitQueue::new()) }
    }
}

impl Ttys {
    fn lock(&self) -> SpinGuard<'_, Table> {
        self.table.lock()
    }

    fn slot(unit: u32) -> Option<usize> {
        let slot = unit.checked_sub(ATTACHED_FIRST)? as usize;
        (slot < SLOTS).then_some(slot)
    }

    fn get(&self, unit: u32) -> Option<Arc<Unit>> {
        let slot = Self::slot(unit)?;
        self.lock().slots[slot].clone()
    }

    /// The number is free again.
    fn remove(&self, unit: u32) {
        let gone = Self::slot(unit).and_then(|slot| self.lock().slots[slot].take());
        drop(gone);
    }

    /// The first terminal that is so.
    fn find(&self, is: impl Fn(&Tty) -> bool) -> Option<Arc<Tty>> {
        self.lock().terminals().find(|t| is(t)).cloned()
    }

    /// The device of a terminal.
    fn unit_of(&self, tty: &Tty) -> Option<Arc<Unit>> {
        self.lock().units().find(|u| u.tty().is_some_and(|t| core::ptr::eq(&**t, tty))).cloned()
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
        let mut table = kernel.ttys.lock();
        if table.slots[slot].is_some() {
            return;
        }
        table.slots[slot] = Some(unit.clone());
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
    match kernel.ttys.find(|t| t.session() == Some(sid)) {
        Some(tty) => (tty.number, tty.foreground()),
        None => (CONSOLE_NUMBER, kernel.console.foreground()),
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
