//! Interval timers: setitimer(2), getitimer(2).
//!
//! No interrupt comes when a timer expires. A process that sleeps wakes itself (`Lwp::sleep`); one that
//! computes is looked at with every tick of its CPU, so its timers are as exact as those are: some 10 ms.

use core::sync::atomic::Ordering::Relaxed;

use abi::syscalls::UAddr;
use abi::types::{Siginfo, clock, itimer, si, sig};
use abi::wire::{Reader, Writer};
use abi::{Errno, SysResult};

use crate::Kernel;
use crate::kern::proc::{Lwp, Proc};
use crate::kern::sig::send;
use alloc::sync::Arc;

/// A timer does not expire more often: a process that ignores it would do nothing but wake up.
const SHORTEST_NS: u64 = 100_000;
/// No expiry.
const NEVER: u64 = u64::MAX;

/// Times by the timer's clock: monotonic, or the CPU time of the process.
#[derive(Clone, Copy)]
struct Timer {
    at_ns: u64,
    interval_ns: u64,
}

/// Guarded by `Proc::timers`; `Proc::alarm_ns` is when ITIMER_REAL expires.
pub struct Timers([Timer; itimer::COUNT]);

impl Default for Timers {
    fn default() -> Self {
        Timers([Timer { at_ns: NEVER, interval_ns: 0 }; itimer::COUNT])
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

fn put(lp: &Lwp, times: [u64; 2], out: UAddr) -> SysResult<()> {
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
    let mut bytes = [0; itimer::SIZE];
    lp.machine().copyin(new, &mut bytes)?;
    let mut r = Reader::new(&bytes);
    let (value, interval) = (r.u64()?, r.u64()?);
    // What is further away than half of time does not come; sums stay below the end of it.
    let far = 1 << 62;
    if value > far || interval > far {
        return Err(Errno::EINVAL);
    }
    let now = now(lp, which);
    if old != UAddr::NULL {
        let left = lp.proc.timers.lock().0[which].left(now);
        put(lp, left, old)?;
    }
    let at_ns = if value == 0 { NEVER } else { now.saturating_add(value) };
    let mut timers = lp.proc.timers.lock();
    let interval_ns = if interval == 0 { 0 } else { interval.max(SHORTEST_NS) };
    timers.0[which] = Timer { at_ns, interval_ns };
    lp.proc.alarm_ns.store(timers.0[itimer::REAL as usize].at_ns, Relaxed);
    Ok(())
}

/// getitimer(2).
pub fn sys_getitimer(lp: &Lwp, number: u32, out: UAddr) -> SysResult<()> {
    let which = which(number)?;
    let left = lp.proc.timers.lock().0[which].left(now(lp, which));
    put(lp, left, out)
}

/// Signals what has expired. `cpu_ns` is the CPU time of the process, if it is known.
pub fn expire(kernel: &Kernel, proc: &Arc<Proc>, cpu_ns: Option<u64>) {
    let real = kernel.machine.clock(clock::MONOTONIC, 0);
    let clocks = [Some(real), cpu_ns, cpu_ns];
    let mut due = [false; itimer::COUNT];
    {
        let mut timers = proc.timers.lock();
        for ((timer, due), now) in timers.0.iter_mut().zip(&mut due).zip(clocks) {
            *due = now.is_some_and(|now| timer.expires(now));
        }
        proc.alarm_ns.store(timers.0[itimer::REAL as usize].at_ns, Relaxed);
    }
    for (signal, _) in [sig::ALRM, sig::VTALRM, sig::PROF].into_iter().zip(due).filter(|(_, due)| *due) {
        // Not one that is queued, so there is always room.
        let _ = send(kernel, proc, &Siginfo { signal, code: si::TIMER, ..Siginfo::default() });
    }
}
