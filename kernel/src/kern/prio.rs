//! Nice values: getpriority(2), setpriority(2). The scheduler is the machine's, which is told of them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::trapframe::kick;
use abi::types::prio;
use abi::{Errno, SysResult};

use crate::kern::proc::{Lwp, Pid, Proc};

/// The processes that a `which` and a `who` mean, 0 for the caller's own. EINVAL, ESRCH.
fn targets(lp: &Lwp, which: u32, who: Pid) -> SysResult<Vec<Arc<Proc>>> {
    let me = &lp.proc;
    let who = match (which, who) {
        (prio::PROCESS, 0) => me.pid,
        (prio::PGRP, 0) => me.pgid.load(Relaxed),
        (prio::USER, 0) => me.cred.uid() as i32,
        (prio::PROCESS | prio::PGRP | prio::USER, who) => who,
        _ => return Err(Errno::EINVAL),
    };
    let meant = |p: &Proc| match which {
        prio::PROCESS => p.pid == who,
        prio::PGRP => p.pgid.load(Relaxed) == who,
        _ => p.cred.uid() as i32 == who,
    };
    let tree = lp.kernel.procs.tree.lock();
    let all: Vec<_> = tree.map.values().filter(|n| meant(&n.proc)).map(|n| n.proc.clone()).collect();
    if all.is_empty() { Err(Errno::ESRCH) } else { Ok(all) }
}

/// getpriority(2): 20 less the lowest nice value of those that are meant, so that it is no error.
pub fn sys_getpriority(lp: &Lwp, which: u32, who: Pid) -> SysResult<i32> {
    let lowest = targets(lp, which, who)?.iter().map(|p| p.nice.load(Relaxed)).min();
    Ok(20 - lowest.unwrap_or(0))
}

/// setpriority(2): EPERM for another user's process, EACCES for a lower value than it has, both not for root.
pub fn sys_setpriority(lp: &Lwp, which: u32, who: Pid, nice: i32) -> SysResult<()> {
    let nice = nice.clamp(prio::MIN, prio::MAX);
    let me = &lp.proc.cred;
    let mut wrong = None;
    for p in targets(lp, which, who)? {
        let theirs = [p.cred.uid(), p.cred.euid()].contains(&me.euid());
        if me.euid() != 0 && !theirs {
            wrong = Some(Errno::EPERM);
        } else if me.euid() != 0 && nice < p.nice.load(Relaxed) {
            wrong = Some(Errno::EACCES);
        } else {
            p.nice.store(nice, Relaxed);
            tell(&p);
        }
    }
    // Those that could be changed are.
    wrong.map_or(Ok(()), Err)
}

/// The machine learns of a process's nice value: it was changed, or is inherited.
pub fn tell(proc: &Proc) {
    let lp = proc.lwp.lock().clone();
    if let Some(lp) = lp {
        lp.machine().lwp_kick(&lp, kick::nice(proc.nice.load(Relaxed)));
    }
}
