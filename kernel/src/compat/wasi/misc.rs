//! Clocks, processes, random numbers.

use abi::syscalls::UAddr;
use abi::types::wait;
use abi::{Errno, SysResult};

use crate::kern::generic::kern_getrandom;
use crate::kern::proc::Lwp;
use crate::kern::sig::psignal;
use crate::kern::time::{kern_clock_getres, kern_clock_gettime, sys_sched_yield};

/// The clocks' numbers are ours too.
pub fn clock_res_get(lp: &Lwp, clock: u32, out: UAddr) -> SysResult<()> {
    lp.machine().put64(out, kern_clock_getres(clock)?)
}

/// The precision a program is content with is of no use to us. Within `trap`: programs ask often.
#[inline(always)]
pub fn clock_time_get(lp: &Lwp, clock: u32, _precision: u64, out: UAddr) -> SysResult<()> {
    let ns = kern_clock_gettime(lp, clock)?;
    lp.machine().put64(out, ns)
}

pub fn proc_exit(lp: &Lwp, status: i32) -> SysResult<()> {
    crate::kern::exit::exit(lp, wait::exited(status as u32));
    Ok(())
}

pub fn proc_raise(lp: &Lwp, signal: u32) -> SysResult<()> {
    let signal = signal_from_wasi(signal)?;
    if signal != 0 {
        psignal(&lp.kernel, &lp.proc, signal);
    }
    Ok(())
}

/// WASI's `signal` has no SIGSTKFLT, so that all from SIGCHLD on are one lower than Linux's.
fn signal_from_wasi(signal: u32) -> SysResult<u32> {
    match signal {
        0..=15 => Ok(signal),
        16..=30 => Ok(signal + 1),
        _ => Err(Errno::EINVAL),
    }
}

pub fn sched_yield(lp: &Lwp) -> SysResult<()> {
    sys_sched_yield(lp)
}

pub fn random_get(lp: &Lwp, buf: UAddr, len: u32) -> SysResult<()> {
    kern_getrandom(lp, buf, len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::types::sig;

    #[test]
    fn signals_keep_their_meaning() {
        let pairs =
            [(0, 0), (2, sig::INT), (9, sig::KILL), (15, sig::TERM), (16, sig::CHLD), (18, sig::STOP), (30, sig::SYS)];
        for (wasi, ours) in pairs {
            assert_eq!(signal_from_wasi(wasi), Ok(ours));
        }
        assert_eq!(signal_from_wasi(31), Err(Errno::EINVAL));
    }
}
