//! wait4(2) and waitid(2).

use core::sync::atomic::Ordering::Relaxed;

use abi::syscalls::UAddr;
use abi::types::{Rusage, Siginfo, si, sig, wait};
use abi::{Errno, SysResult};

use crate::kern::exit::reap;
use crate::kern::proc::{Lwp, Node, Pid, State};
use crate::kern::synch::FOREVER;

/// What a wait has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    pub pid: Pid,
    pub status: u32,
    pub usage: Rusage,
    /// The real user of the child.
    pub uid: u32,
}

/// Which children are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Any,
    Pid(Pid),
    Group(Pid),
}

/// Waits for a child: `options` of [`wait`], at least one of EXITED, STOPPED and CONTINUED. None with NOHANG
/// when nothing has happened. ECHILD when there is no such child, EINTR.
pub fn kern_wait(lp: &Lwp, which: Which, options: u32) -> SysResult<Option<Waited>> {
    let look = || match look(lp, which, options) {
        Ok(Some(w)) => Some(Ok(Some(w))),
        Ok(None) if options & wait::NOHANG != 0 => Some(Ok(None)),
        Ok(None) => None,
        Err(e) => Some(Err(e)),
    };
    lp.proc.child_event.wait(lp, FOREVER, look)?
}

fn look(lp: &Lwp, which: Which, options: u32) -> SysResult<Option<Waited>> {
    let mut tree = lp.kernel.procs.tree.lock();
    let chosen = |n: &Node| match which {
        Which::Any => true,
        Which::Pid(p) => n.proc.pid == p,
        Which::Group(g) => n.proc.pgid.load(Relaxed) == g,
    };
    let mut any = false;
    let mut found = None;
    let children = core::mem::take(&mut tree.find_mut(lp.proc.pid)?.children);
    for &child in &children {
        let Ok(node) = tree.find_mut(child) else { continue };
        if !chosen(node) {
            continue;
        }
        let over = matches!(node.state, State::Zombie { .. });
        // One that has ended is of no use to who doesn't want those (POSIX waitid(): it must still be able to change its state).
        any |= !over || options & wait::EXITED != 0;
        if let Some(status) = event(node, options) {
            let usage = if over { node.proc.children_usage() } else { node.proc.usage(lp) };
            let w = Waited { pid: child, status, usage, uid: node.proc.cred.uid() };
            found = Some((w, over && options & wait::NOWAIT == 0));
            break;
        }
    }
    tree.find_mut(lp.proc.pid)?.children = children;
    match found {
        Some((w, over)) => {
            if over {
                reap(&mut tree, w.pid);
            }
            Ok(Some(w))
        }
        None if any => Ok(None),
        None => Err(Errno::ECHILD),
    }
}

/// The wait status of what has happened to a child and was not told yet.
fn event(node: &mut Node, options: u32) -> Option<u32> {
    let take = options & wait::NOWAIT == 0;
    match &mut node.state {
        State::Zombie { status } if options & wait::EXITED != 0 => Some(*status),
        State::Stopped { signal, reported } if options & wait::STOPPED != 0 && !*reported => {
            *reported = take;
            Some(wait::stopped(*signal))
        }
        State::Running if options & wait::CONTINUED != 0 && node.continued => {
            node.continued = !take;
            Some(wait::CONTINUED_STATUS)
        }
        _ => None,
    }
}

/// wait4(2): the child's pid, 0 with NOHANG when there is nothing. A pid, any (-1), the caller's group (0), a
/// group (`-pgid`). `status` and `usage` may be null.
pub fn sys_wait4(lp: &Lwp, pid: Pid, status: UAddr, options: u32, usage: UAddr) -> SysResult<i32> {
    if options & !(wait::NOHANG | wait::UNTRACED | wait::CONTINUED) != 0 {
        return Err(Errno::EINVAL);
    }
    let which = match pid {
        -1 => Which::Any,
        0 => Which::Group(lp.proc.pgid.load(Relaxed)),
        p if p > 0 => Which::Pid(p),
        // Nobody is in the group that the lowest number would mean.
        p => Which::Group(p.checked_neg().unwrap_or(0)),
    };
    try_outputs(lp, &[(status, 4), (usage, Rusage::SIZE)])?;
    let Some(w) = kern_wait(lp, which, options | wait::EXITED)? else { return Ok(0) };
    if status != UAddr::NULL {
        lp.machine().put32(status, w.status)?;
    }
    if usage != UAddr::NULL {
        lp.machine().copyout(&w.usage.to_bytes(), usage)?;
    }
    Ok(w.pid)
}

/// Pointers are tried first: a child that was reaped can't be told of again.
fn try_outputs(lp: &Lwp, outputs: &[(UAddr, usize)]) -> SysResult<()> {
    for &(out, len) in outputs {
        if out != UAddr::NULL {
            lp.machine().copyout(&[0; Siginfo::SIZE][..len], out)?;
        }
    }
    Ok(())
}

/// waitid(2): fills a `Siginfo`, with zeros under NOHANG when there is nothing. `info` and `usage` may be null.
pub fn sys_waitid(lp: &Lwp, kind: u32, id: Pid, info: UAddr, options: u32, usage: UAddr) -> SysResult<()> {
    const EVENTS: u32 = wait::EXITED | wait::STOPPED | wait::CONTINUED;
    if options & !(EVENTS | wait::NOHANG | wait::NOWAIT) != 0 || options & EVENTS == 0 {
        return Err(Errno::EINVAL);
    }
    let which = match kind {
        wait::P_ALL => Which::Any,
        wait::P_PID if id > 0 => Which::Pid(id),
        wait::P_PGID if id > 0 => Which::Group(id),
        wait::P_PGID if id == 0 => Which::Group(lp.proc.pgid.load(Relaxed)),
        _ => return Err(Errno::EINVAL),
    };
    try_outputs(lp, &[(info, Siginfo::SIZE), (usage, Rusage::SIZE)])?;
    let Some(w) = kern_wait(lp, which, options)? else { return Ok(()) };
    if info != UAddr::NULL {
        lp.machine().copyout(&told(&w).to_bytes(), info)?;
    }
    if usage != UAddr::NULL {
        lp.machine().copyout(&w.usage.to_bytes(), usage)?;
    }
    Ok(())
}

/// A wait status as `siginfo_t` has it.
fn told(w: &Waited) -> Siginfo {
    let (code, status) = match (w.status, wait::term_signal(w.status), wait::exit_code(w.status)) {
        (wait::CONTINUED_STATUS, ..) => (si::CLD_CONTINUED, sig::CONT),
        (dumped, Some(signal), _) if dumped & wait::CORE != 0 => (si::CLD_DUMPED, signal),
        (_, Some(signal), _) => (si::CLD_KILLED, signal),
        (_, _, Some(code)) => (si::CLD_EXITED, code),
        (stopped, ..) => (si::CLD_STOPPED, stopped >> 8 & 0xff),
    };
    Siginfo { signal: sig::CHLD, code, pid: w.pid, uid: w.uid, status: status as i32, value: 0 }
}
