//! wait4(2).

use core::sync::atomic::Ordering::Relaxed;

use abi::syscalls::UAddr;
use abi::types::{Rusage, wait};
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
}

/// Waits for a child: a pid, any (-1), the caller's group (0), a group (`-pgid`). None with NOHANG
/// when nothing has happened. ECHILD when there is no such child, EINTR.
pub fn kern_wait(lp: &Lwp, pid: Pid, options: u32) -> SysResult<Option<Waited>> {
    if options & !(wait::NOHANG | wait::UNTRACED | wait::CONTINUED) != 0 {
        return Err(Errno::EINVAL);
    }
    let look = || match look(lp, pid, options) {
        Ok(Some(w)) => Some(Ok(Some(w))),
        Ok(None) if options & wait::NOHANG != 0 => Some(Ok(None)),
        Ok(None) => None,
        Err(e) => Some(Err(e)),
    };
    lp.proc.child_event.wait(lp, FOREVER, look)?
}

fn look(lp: &Lwp, pid: Pid, options: u32) -> SysResult<Option<Waited>> {
    let mut tree = lp.kernel.procs.tree.lock();
    let group = if pid == 0 { lp.proc.pgid.load(Relaxed) } else { pid.checked_neg().unwrap_or(0) };
    let chosen = |n: &Node| match pid {
        -1 => true,
        p if p > 0 => n.proc.pid == p,
        _ => n.proc.pgid.load(Relaxed) == group,
    };
    let mut any = false;
    let mut found = None;
    let children = core::mem::take(&mut tree.find_mut(lp.proc.pid)?.children);
    for &child in &children {
        let Ok(node) = tree.find_mut(child) else { continue };
        if !chosen(node) {
            continue;
        }
        any = true;
        if let Some(status) = event(node, options) {
            let usage = Rusage { utime_ns: node.proc.child_utime_ns.load(Relaxed), ..Rusage::default() };
            found = Some((Waited { pid: child, status, usage }, matches!(node.state, State::Zombie { .. })));
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
    match &mut node.state {
        State::Zombie { status } => Some(*status),
        State::Stopped { signal, reported } if options & wait::UNTRACED != 0 && !*reported => {
            *reported = true;
            Some(wait::stopped(*signal))
        }
        State::Running if options & wait::CONTINUED != 0 && node.continued => {
            node.continued = false;
            Some(wait::CONTINUED_STATUS)
        }
        _ => None,
    }
}

/// wait4(2): the child's pid, 0 with NOHANG when there is nothing. `status` and `usage` may be null.
pub fn sys_wait4(lp: &Lwp, pid: Pid, status: UAddr, options: u32, usage: UAddr) -> SysResult<i32> {
    // Pointers are tried first: a child that was reaped can't be told of again.
    for (out, len) in [(status, 4), (usage, Rusage::SIZE)] {
        if out != UAddr::NULL {
            lp.machine().copyout(&[0; Rusage::SIZE][..len], out)?;
        }
    }
    let Some(w) = kern_wait(lp, pid, options)? else { return Ok(0) };
    if status != UAddr::NULL {
        lp.machine().put32(status, w.status)?;
    }
    if usage != UAddr::NULL {
        lp.machine().copyout(&w.usage.to_bytes(), usage)?;
    }
    Ok(w.pid)
}
