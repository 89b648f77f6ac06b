//! Clocks and sleeping: clock_gettime(2), clock_nanosleep(2).

use abi::syscalls::UAddr;
use abi::types::clock;
use abi::{Errno, SysResult};
use core::sync::atomic::Ordering::Relaxed;

use crate::kern::proc::Lwp;

/// Nanoseconds of a clock. EINVAL for one we don't have.
#[inline(always)]
pub fn kern_clock_gettime(lp: &Lwp, id: u32) -> SysResult<u64> {
    match id {
        clock::REALTIME | clock::MONOTONIC => Ok(lp.machine().clock(id, 0)),
        clock::PROCESS_CPUTIME | clock::THREAD_CPUTIME => Ok(lp.machine().clock(id, lp.md.id.load(Relaxed))),
        _ => Err(Errno::EINVAL),
    }
}

/// What a clock counts in, ns.
pub fn kern_clock_getres(id: u32) -> SysResult<u64> {
    if id <= clock::THREAD_CPUTIME { Ok(1) } else { Err(Errno::EINVAL) }
}

pub fn sys_clock_gettime(lp: &Lwp, id: u32, out: UAddr) -> SysResult<()> {
    let ns = kern_clock_gettime(lp, id)?;
    lp.machine().put64(out, ns)
}

pub fn sys_clock_getres(lp: &Lwp, id: u32, out: UAddr) -> SysResult<()> {
    lp.machine().put64(out, kern_clock_getres(id)?)
}

/// Sleeps until a time of a clock. EINTR.
pub fn kern_sleep(lp: &Lwp, id: u32, absolute: bool, ns: u64) -> SysResult<()> {
    let deadline_ns = deadline(lp, id, absolute, ns)?;
    loop {
        lp.waiter.reset();
        match lp.sleep(deadline_ns) {
            Err(Errno::ETIMEDOUT) => return Ok(()),
            // Woken by SIGCONT: the time goes on.
            Ok(()) => {}
            Err(e) => return Err(e),
        }
    }
}

/// The monotonic time that is meant. CPU clocks can't be slept on.
pub fn deadline(lp: &Lwp, id: u32, absolute: bool, ns: u64) -> SysResult<u64> {
    let mono = lp.machine().clock(clock::MONOTONIC, 0);
    match (id, absolute) {
        (clock::REALTIME | clock::MONOTONIC, false) => Ok(mono.saturating_add(ns)),
        (clock::MONOTONIC, true) => Ok(ns),
        (clock::REALTIME, true) => {
            let real = lp.machine().clock(clock::REALTIME, 0);
            Ok(mono.saturating_add(ns.saturating_sub(real)))
        }
        (clock::PROCESS_CPUTIME | clock::THREAD_CPUTIME, _) => Err(Errno::ENOTSUP),
        _ => Err(Errno::EINVAL),
    }
}

pub fn sys_clock_nanosleep(lp: &Lwp, id: u32, flags: u32, ns: u64) -> SysResult<()> {
    kern_sleep(lp, id, flags & clock::ABSTIME != 0, ns)
}

/// sched_yield(2): lets the others of this CPU run.
pub fn sys_sched_yield(lp: &Lwp) -> SysResult<()> {
    lp.waiter.reset();
    match lp.sleep(0) {
        Err(Errno::ETIMEDOUT) => Ok(()),
        other => other,
    }
}
