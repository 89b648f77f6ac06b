//! Resource limits and usage: getrlimit(2), getrusage(2).

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::syscalls::UAddr;
use abi::types::{Rusage, clock, rlimit, vmctl};
use abi::{Errno, SysResult};

use crate::kern::proc::{Lwp, Proc};

/// Descriptors a process may have when nobody says otherwise, and at most.
const NOFILE: u64 = 1024;
const NOFILE_MAX: u64 = 65_536;
/// Timers of a user.
const SIGPENDING: u64 = 1024;

/// The limits of a process, soft and hard.
pub struct Limits {
    soft: [AtomicU64; rlimit::COUNT],
    hard: [AtomicU64; rlimit::COUNT],
}

impl Default for Limits {
    fn default() -> Self {
        let l = Limits {
            soft: [const { AtomicU64::new(rlimit::INFINITY) }; rlimit::COUNT],
            hard: [const { AtomicU64::new(rlimit::INFINITY) }; rlimit::COUNT],
        };
        l.soft[rlimit::NOFILE as usize].store(NOFILE, Relaxed);
        l.hard[rlimit::NOFILE as usize].store(NOFILE_MAX, Relaxed);
        l.set(rlimit::SIGPENDING, SIGPENDING);
        // No core dumps, but where somebody asks.
        l.soft[rlimit::CORE as usize].store(0, Relaxed);
        l
    }
}

impl Limits {
    pub fn copy(&self) -> Limits {
        let copy = |from: &[AtomicU64; rlimit::COUNT]| core::array::from_fn(|i| AtomicU64::new(from[i].load(Relaxed)));
        Limits { soft: copy(&self.soft), hard: copy(&self.hard) }
    }
    #[inline]
    pub fn soft(&self, which: u32) -> u64 {
        self.soft.get(which as usize).map_or(rlimit::INFINITY, |l| l.load(Relaxed))
    }
    pub fn hard(&self, which: u32) -> u64 {
        self.hard.get(which as usize).map_or(rlimit::INFINITY, |l| l.load(Relaxed))
    }
    /// Sets both, for limits given at boot.
    pub fn set(&self, which: u32, value: u64) {
        if let (Some(s), Some(h)) = (self.soft.get(which as usize), self.hard.get(which as usize)) {
            s.store(value, Relaxed);
            h.store(value, Relaxed);
        }
    }
    pub fn raise_soft(&self, which: u32, value: u64) {
        if let Some(s) = self.soft.get(which as usize) {
            s.store(value.min(self.hard(which)), Relaxed);
        }
    }
    #[inline]
    pub fn nofile(&self) -> usize {
        self.soft[rlimit::NOFILE as usize].load(Relaxed) as usize
    }
    pub fn nproc(&self) -> u64 {
        self.soft(rlimit::NPROC)
    }
}

/// getrlimit(2): two u64, soft and hard.
pub fn sys_getrlimit(lp: &Lwp, which: u32, out: UAddr) -> SysResult<()> {
    let l = &lp.proc.limits;
    let (s, h) = (l.soft.get(which as usize).ok_or(Errno::EINVAL)?, &l.hard[which as usize]);
    lp.machine().put64(out, s.load(Relaxed))?;
    lp.machine().put64(out.offset(8), h.load(Relaxed))
}

/// setrlimit(2). EINVAL when the soft limit is above the hard one, EPERM to raise a hard limit.
pub fn sys_setrlimit(lp: &Lwp, which: u32, from: UAddr) -> SysResult<()> {
    let mut b = [0; 16];
    lp.machine().copyin(from, &mut b)?;
    let mut r = abi::wire::Reader::new(&b);
    let (soft, hard) = (r.u64()?, r.u64()?);
    let l = &lp.proc.limits;
    let (s, h) = (l.soft.get(which as usize).ok_or(Errno::EINVAL)?, &l.hard[which as usize]);
    if soft > hard || which == rlimit::NOFILE && hard > NOFILE_MAX {
        return Err(if soft > hard { Errno::EINVAL } else { Errno::EPERM });
    }
    let memory = which == rlimit::AS || which == rlimit::DATA;
    if hard > h.load(Relaxed) {
        // How much memory a process may have was said from outside: not even root here has more.
        if memory {
            return Err(Errno::EPERM);
        }
        lp.proc.cred.check_root()?;
    }
    if memory {
        // One limit serves both: the lower, as `exec::memory_limit` has it.
        let other = if which == rlimit::AS { rlimit::DATA } else { rlimit::AS };
        lp.machine().vmspace_ctl(lp.proc.vmspace, vmctl::SET_LIMIT, soft.min(l.soft(other)))?;
    }
    s.store(soft, Relaxed);
    h.store(hard, Relaxed);
    Ok(())
}

impl Proc {
    /// CPU time so far, ns. The machine does not tell user from system time: a system call is a call.
    pub fn cpu_ns(&self) -> u64 {
        let lp = self.lwp.lock().clone();
        lp.map_or(0, |lp| lp.machine().clock(clock::THREAD_CPUTIME, lp.md.id.load(Relaxed)))
    }
    /// What its children have used that were waited for; of a zombie all that it is charged with.
    pub fn children_usage(&self) -> Rusage {
        Rusage { utime_ns: self.child_utime_ns.load(Relaxed), stime_ns: 0, maxrss_bytes: self.child_peak.load(Relaxed) }
    }
    /// What the process has used.
    pub fn usage(&self, lp: &Lwp) -> Rusage {
        let peak = lp.machine().vmspace_ctl(self.vmspace, vmctl::PEAK, 0).unwrap_or(0);
        Rusage { utime_ns: self.cpu_ns(), stime_ns: 0, maxrss_bytes: peak }
    }
}

/// getrusage(2): who is 0 for the caller, -1 for its children that were waited for.
pub fn sys_getrusage(lp: &Lwp, who: i32, out: UAddr) -> SysResult<()> {
    let usage = match who {
        0 => lp.proc.usage(lp),
        -1 => lp.proc.children_usage(),
        _ => return Err(Errno::EINVAL),
    };
    lp.machine().copyout(&usage.to_bytes(), out)
}
