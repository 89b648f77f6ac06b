//! Interval timers: setitimer(2), getitimer(2).
//!
//! No interrupt comes when a timer expires. A process that sleeps wakes itself (`Lwp::sleep`); one that
//! computes is looked at with every tick of its CPU, so its timers are as exact as those are: some 10 ms.

use core::sync::atomic::Ordering::Relaxed;

use abi::syscalls::UAddr;
use abi::types::{clock, itimer, sig};
use abi::wire::{Reader, Writer};
use abi::{Errno, SysResult};

use crate::Kernel;
use crate::kern::proc::{Lwp, Proc};
use crate::kern::ptimer;
use crate::kern::sig::psignal;
use alloc::sync::Arc;

/// A timer does not expire more often: a process that ignores it would do nothing but wake up.
pub(super) const SHORTEST_NS: u64 = 100_000;
/// What is further away than half of time does not come; sums stay below the end of it.
const FAR_NS: u64 = 1 << 62;
/// No expiry.
pub(super) const NEVER: u64 = u64::MAX;

/// Times by the timer's clock: monotonic, or the CPU time of the process.
#[derive(Clone, Copy)]
struct Timer {
    at_ns: u64,
    interval_ns: u64,
}

/// All timers of a process. Guarded by `Proc::timers`.
pub struct Timers {
    interval: [Timer; itimer::COUNT],
    pub(super) posix: ptimer::Table,
}

impl Default for Timers {
    fn default() -> Self {
        Timers { interval: [Timer { at_ns: NEVER, interval_ns: 0 }; itimer::COUNT], posix: Default::default() }
    }
}

impl Timers {
    /// After a change: says when to look again.
    pub(super) fn set_alarm(&self, proc: &Proc) {
        let at_ns = self.interval[itimer::REAL as usize].at_ns.min(self.posix.next_ns());
        proc.alarm_ns.store(at_ns, Relaxed);
    }
}

impl Timer {
    /// True when it expires; it is set for the next time then. Times that were missed are one.
    fn expires(&mut self, now: u64) -> bool {
        if self.at_ns > now {
            return false;
        }
        self.at_ns = match self.interval_ns {
            0 => NEVER,
            interval => self.at_ns + interval * ((now - self.at_ns) / interval + 1),
        };
        true
    }

    fn left(&self, now: u64) -> [u64; 2] {
        // One that is due has not expired yet: 0 would mean that it is off.
        let left = if self.at_ns == NEVER { 0 } else { self.at_ns.saturating_sub(now).max(1) };
        [left, self.interval_ns]
    }
}

fn now(lp: &Lwp, which: usize) -> u64 {
    match which as u32 {
        itimer::REAL => lp.machine().clock(clock::MONOTONIC, 0),
        _ => lp.machine().clock(clock::THREAD_CPUTIME, lp.md.id.load(Relaxed)),
    }
}

/// The value and the interval of a program.
pub(super) fn get(lp: &Lwp, from: UAddr) -> SysResult<[u64; 2]> {
    let mut bytes = [0; itimer::SIZE];
    lp.machine().copyin(from, &mut bytes)?;
    let mut r = Reader::new(&bytes);
    let times = [r.u64()?, r.u64()?];
    if times.iter().any(|&ns| ns > FAR_NS) { Err(Errno::EINVAL) } else { Ok(times) }
}

pub(super) fn put(lp: &Lwp, times: [u64; 2], out: UAddr) -> SysResult<()> {
    let mut bytes = [0; itimer::SIZE];
    Writer::new(&mut bytes).u64(times[0]).u64(times[1]);
    lp.machine().copyout(&bytes, out)
}

fn which(number: u32) -> SysResult<usize> {
    if (number as usize) < itimer::COUNT { Ok(number as usize) } else { Err(Errno::EINVAL) }
}

/// setitimer(2); `old` may be null.
pub fn sys_setitimer(lp: &Lwp, number: u32, new: UAddr, old: UAddr) -> SysResult<()> {
    let which = which(number)?;
    let [value, interval] = get(lp, new)?;
    let now = now(lp, which);
    if old != UAddr::NULL {
        let left = lp.proc.timers.lock().interval[which].left(now);
        put(lp, left, old)?;
    }
    let at_ns = if value == 0 { NEVER } else { now.saturating_add(value) };
    let mut timers = lp.proc.timers.lock();
    let interval_ns = if interval == 0 { 0 } else { interval.max(SHORTEST_NS) };
    timers.interval[which] = Timer { at_ns, interval_ns };
    timers.set_alarm(&lp.proc);
    Ok(())
}

/// getitimer(2).
pub fn sys_getitimer(lp: &Lwp, number: u32, out: UAddr) -> SysResult<()> {
    let which = which(number)?;
    let left = lp.proc.timers.lock().interval[which].left(now(lp, which));
    put(lp, left, out)
}

/// Signals what has expired. `cpu_ns` is the CPU time of the process, if it is known.
pub fn expire(kernel: &Kernel, proc: &Arc<Proc>, cpu_ns: Option<u64>) {
    let real = kernel.machine.clock(clock::MONOTONIC, 0);
    let clocks = [Some(real), cpu_ns, cpu_ns];
    let mut due = [false; itimer::COUNT];
    for ((timer, due), now) in proc.timers.lock().interval.iter_mut().zip(&mut due).zip(clocks) {
        *due = now.is_some_and(|now| timer.expires(now));
    }
    for (signal, _) in [sig::ALRM, sig::VTALRM, sig::PROF].into_iter().zip(due).filter(|(_, due)| *due) {
        psignal(kernel, proc, signal);
    }
    ptimer::expire(kernel, proc, real, cpu_ns);
    proc.timers.lock().set_alarm(proc);
}
