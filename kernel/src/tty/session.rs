//! Sessions, their terminals, and who may use them: job control, POSIX 11.1.3 and 11.1.4.
//!
//! What relates a session to its terminal stands with the terminal (`Tty`), under the lock of all
//! terminals; a session is known by its number, which is its leader's.

use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::types::sig;
use abi::{Errno, SysResult};

use super::console::{self, Terminal};
use super::node;
use super::terminal::Tty;
use crate::Kernel;
use crate::kern::proc::{Lwp, Node, Pid, Proc, State, Tree, lwpflag};
use crate::kern::sig::{signal_all, signal_group, stopped};
use crate::vfs::vnode::VnodeRef;

/// What a process in the background wants with the terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Read,
    /// That matters only while TOSTOP is set.
    Write,
    /// Settings, or the foreground group.
    Control,
}

/// True when the terminal controls the process, whose group is not the one in the foreground.
pub fn in_background(lp: &Lwp, tty: &Tty) -> bool {
    is_behind(lp, tty.session.load(Relaxed), tty.foreground.load(Relaxed))
}

/// The same of any terminal, by the session that it controls and the group in its foreground.
pub fn is_behind(lp: &Lwp, session: Pid, foreground: Pid) -> bool {
    session == lp.proc.sid.load(Relaxed) && foreground != lp.proc.pgid.load(Relaxed)
}

/// Sits out stops, and a stay in the background. EIO for those that can't be stopped: nobody would
/// let them go on. EINTR for a signal meanwhile.
pub fn wait_turn(lp: &Lwp, tty: &Tty, what: Use) -> SysResult<()> {
    sit_out(lp, what, || in_background(lp, tty) && (what != Use::Write || tty.stops_writers()))
}

/// The same for any terminal, which says whether the process is in its background and that matters.
pub fn sit_out(lp: &Lwp, what: Use, in_background: impl Fn() -> bool) -> SysResult<()> {
    loop {
        if lp.interrupted() {
            return Err(Errno::EINTR);
        }
        if lp.flags.load(Relaxed) & lwpflag::STOPPED != 0 {
            stopped(lp);
        } else if !in_background() {
            return Ok(());
        } else {
            let signal = if what == Use::Read { sig::TTIN } else { sig::TTOU };
            let deaf = (lp.proc.ignored.load(Relaxed) | lp.proc.blocked.load(Relaxed)) & sig::bit(signal) != 0;
            if deaf && what != Use::Read {
                return Ok(());
            }
            let group = lp.proc.pgid.load(Relaxed);
            if deaf || is_orphaned(&lp.kernel.procs.tree.lock(), group) {
                return Err(Errno::EIO);
            }
            signal_group(&lp.kernel, group, signal);
        }
    }
}

/// True when no member of the group has a parent in another group of its session (POSIX 3.266):
/// nobody does job control for it.
fn is_orphaned(tree: &Tree, group: Pid) -> bool {
    let zombie = |n: &Node| matches!(n.state, State::Zombie { .. });
    let cared_for = |p: &Proc| {
        let parent = tree.find(p.ppid.load(Relaxed));
        parent.is_ok_and(|n| n.proc.pgid.load(Relaxed) != group && n.proc.sid.load(Relaxed) == p.sid.load(Relaxed))
    };
    !tree.map.values().any(|n| n.proc.pgid.load(Relaxed) == group && !zombie(n) && cared_for(&n.proc))
}

/// True when the group is orphaned and somebody in it is stopped: nobody would let him go on, so he is
/// told and continued (POSIX exit(), consequences of process termination). Process 1 and its group
/// never depended on anybody.
pub fn is_lost(tree: &Tree, group: Pid) -> bool {
    let of_init = tree.find(1).is_ok_and(|n| n.proc.pgid.load(Relaxed) == group);
    !of_init
        && tree.map.values().any(|n| n.proc.pgid.load(Relaxed) == group && is_stopped(n))
        && is_orphaned(tree, group)
}

fn is_stopped(n: &Node) -> bool {
    matches!(n.state, State::Stopped { .. })
}

/// The groups that are not orphaned perhaps for this process alone: its own for its parent, those of
/// its children for itself. None when nobody at all is stopped, which is nearly always.
pub fn jobs_of(tree: &Tree, proc: &Proc) -> Vec<Pid> {
    if !tree.map.values().any(is_stopped) {
        return Vec::new();
    }
    let (group, sid) = (proc.pgid.load(Relaxed), proc.sid.load(Relaxed));
    let other = |n: &&Node| n.proc.sid.load(Relaxed) == sid && n.proc.pgid.load(Relaxed) != group;
    let parent = tree.find(proc.ppid.load(Relaxed)).ok().filter(other).map(|_| group);
    let children = tree.find(proc.pid).map_or(&[][..], |n| &n.children);
    let children = children.iter().filter_map(|&c| tree.find(c).ok()).filter(other);
    let mut jobs: Vec<Pid> = children.map(|n| n.proc.pgid.load(Relaxed)).chain(parent).collect();
    jobs.sort_unstable();
    jobs.dedup();
    jobs
}

/// `/dev/tty`: the terminal of the caller's session. ENXIO.
pub fn controlling(lp: &Lwp) -> SysResult<VnodeRef> {
    let sid = lp.proc.sid.load(Relaxed);
    match lp.kernel.ttys.find(|t| t.session() == Some(sid)) {
        Some(tty) => Ok(node::open_own(lp, tty)),
        None => Terminal::controlling(lp),
    }
}

/// Makes the terminal the one of the caller's session. EPERM unless the caller leads a session without
/// one, and the terminal has none.
pub fn acquire(lp: &Lwp, tty: &Tty) -> SysResult<()> {
    let sid = lp.proc.sid.load(Relaxed);
    let table = lp.kernel.ttys.lock();
    if tty.session() == Some(sid) {
        return Ok(());
    }
    let taken = table.terminals().any(|t| t.session() == Some(sid));
    if sid != lp.proc.pid || taken || tty.session().is_some() || tty.is_gone() {
        return Err(Errno::EPERM);
    }
    tty.foreground.store(lp.proc.pgid.load(Relaxed), Relaxed);
    tty.session.store(sid, Relaxed);
    Ok(())
}

/// `TIOCNOTTY`, by the session's leader.
pub fn give_up(lp: &Lwp, tty: &Tty) -> SysResult<()> {
    let sid = lp.proc.sid.load(Relaxed);
    match tty.session() {
        Some(s) if s == sid && sid == lp.proc.pid => {
            leave(&lp.kernel, tty, None, &HUNG_UP);
            Ok(())
        }
        Some(s) if s == sid => Err(Errno::EPERM),
        _ => Err(Errno::ENOTTY),
    }
}

/// What a session is told that has lost its terminal.
pub const HUNG_UP: [u32; 2] = [sig::HUP, sig::CONT];

/// The terminal controls no session any more: its foreground group hears of it, and `leader`.
pub fn leave(kernel: &Kernel, tty: &Tty, leader: Option<Pid>, signals: &[u32]) {
    let group = {
        let _table = kernel.ttys.lock();
        tty.session.store(0, Relaxed);
        tty.foreground.swap(0, Relaxed)
    };
    if group != 0 || leader.is_some() {
        for &signal in signals {
            signal_all(kernel, signal, |p| p.pgid.load(Relaxed) == group || leader == Some(p.pid));
        }
    }
    // Whoever sleeps in a read must look again. Not before the signal: on another CPU it might exit because of the
    // end that it finds.
    tty.wake();
}

/// The foreground group for the session of a process that a shell is making.
pub fn set_foreground(child: &Lwp) {
    let (sid, group) = (child.proc.sid.load(Relaxed), child.proc.pgid.load(Relaxed));
    match child.kernel.ttys.find(|t| t.session() == Some(sid)) {
        Some(tty) => tty.set_foreground(group),
        None => child.kernel.console.set_foreground(group, sid),
    }
}

/// The process did not come to be: if its own group was in the foreground, its maker's is again.
pub fn take_back(lp: &Lwp, child: &Proc) {
    let (sid, group) = (lp.proc.sid.load(Relaxed), lp.proc.pgid.load(Relaxed));
    match lp.kernel.ttys.find(|t| t.session() == Some(sid)) {
        Some(tty) if tty.foreground() == child.pid => tty.set_foreground(group),
        None if lp.kernel.console.foreground() == child.pid => lp.kernel.console.set_foreground(group, sid),
        _ => {}
    }
}

/// A process is gone, or never came to be. With its leader a session loses its terminal. That is not a hangup: as on Linux,
/// who has a pty open goes on with it. An attached terminal ends with what ran on it (`Unit::end`).
pub fn proc_exited(kernel: &Kernel, proc: &Proc) {
    console::proc_exited(kernel, proc);
    if proc.sid.load(Relaxed) == proc.pid
        && let Some(tty) = kernel.ttys.find(|t| t.session() == Some(proc.pid))
    {
        let signals = if tty.pty.is_some() { &HUNG_UP[..1] } else { &HUNG_UP[..] };
        leave(kernel, &tty, None, signals);
    }
}
