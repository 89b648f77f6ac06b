//! The end of a process: exit(2), and what is left of it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use abi::SysResult;
use abi::trapframe::Reason;
use abi::types::{Rusage, sa, sig, wait};

use crate::kern::proc::{Lwp, Proc, Program, State, Strings, Tree, lwpflag};
use crate::kern::sig::{about_end, child_changed, signal_group};
use crate::kern::{coredump, lockf};
use crate::tty::session;

/// exit(2): user code will not go on. What there is to do is done in [`finish`].
pub fn sys_exit(lp: &Lwp, status: i32) -> SysResult<()> {
    exit(lp, wait::exited(status as u32));
    Ok(())
}

/// Ends the calling process with a wait status.
pub fn exit(lp: &Lwp, status: u32) {
    let _ = lp.proc.dying.compare_exchange(0, 1 + status as u64, SeqCst, SeqCst);
    lp.set_flag(lwpflag::UNWIND);
}

/// Releases what a process had and makes it a zombie. On its own lwp, out of user code, which was last left for
/// `reason`; may sleep.
pub fn finish(lp: &Arc<Lwp>, reason: Reason) {
    let (kernel, proc) = (&lp.kernel, &lp.proc);
    // A process that is out of user code without having exited was killed by its host.
    let mut status = proc.dying.load(SeqCst).checked_sub(1).map_or(wait::signaled(sig::KILL), |s| s as u32);
    if coredump::write(lp, status, reason) {
        status |= wait::CORE;
    }
    session::proc_exited(kernel, proc);
    lockf::exit(lp);
    proc.files.clear();
    // What it has sent, and nobody else can receive.
    kernel.sockets.flight.collect();
    let dirs = proc.dirs.lock().take();
    drop(dirs);
    // Of its program a zombie has the name: arguments and environment may be large.
    let none = Arc::<Strings>::default();
    let old = {
        let mut program = proc.program.lock();
        let comm = core::mem::take(&mut program.comm);
        core::mem::replace(&mut *program, Program { image: None, comm, args: none.clone(), env: none })
    };
    drop(old);
    let usage = proc.usage(lp);
    let own = proc.lwp.lock().take();
    drop(own);

    if proc.pid == 1 {
        crate::vfs::sync_all(lp);
        kernel.machine.halt(status);
        return;
    }
    let (parent, adopter, orphans) = {
        let mut tree = kernel.procs.tree.lock();
        let mut jobs = session::jobs_of(&tree, proc);
        let adopter = reparent_children(&mut tree, proc, kernel.init.lock().waits);
        let parent = become_zombie(&mut tree, proc, status, &usage);
        jobs.retain(|&group| session::is_lost(&tree, group));
        (parent, adopter, jobs)
    };
    for group in orphans {
        signal_group(kernel, group, sig::HUP);
        signal_group(kernel, group, sig::CONT);
    }
    let info = about_end(proc, status);
    child_changed(kernel, adopter, &info);
    child_changed(kernel, parent, &info);
}

/// Children of the dying become children of pid 1. Zombies among them are freed when nobody there
/// will wait. Answers pid 1 when it got zombies to wait for.
fn reparent_children(tree: &mut Tree, proc: &Proc, init_waits: bool) -> Option<Arc<Proc>> {
    let children = core::mem::take(&mut tree.find_mut(proc.pid).ok()?.children);
    let mut zombies = false;
    let mut adopted = Vec::new();
    for pid in children {
        let Ok(child) = tree.find_mut(pid) else { continue };
        let zombie = matches!(child.state, State::Zombie { .. });
        child.proc.ppid.store(1, Relaxed);
        child.autoreap |= !init_waits;
        if zombie && !init_waits {
            tree.map.remove(&pid);
        } else {
            zombies |= zombie;
            adopted.push(pid);
        }
    }
    let init = tree.find_mut(1).ok()?;
    init.children.append(&mut adopted);
    zombies.then(|| init.proc.clone())
}

/// Answers the parent that is to be told.
fn become_zombie(tree: &mut Tree, proc: &Proc, status: u32, usage: &Rusage) -> Option<Arc<Proc>> {
    let parent = tree.find(proc.ppid.load(Relaxed)).ok().map(|n| n.proc.clone());
    // POSIX exit(): a parent that ignores SIGCHLD, or has said so with it, has no zombies.
    let ignores = |p: &Proc| {
        p.ignored.load(Relaxed) & sig::bit(sig::CHLD) != 0 || p.child_flags.load(Relaxed) & sa::NOCLDWAIT != 0
    };
    let unwanted = parent.as_ref().is_none_or(|p| ignores(p));
    let node = tree.find_mut(proc.pid).ok()?;
    proc.child_utime_ns.fetch_add(usage.utime_ns, Relaxed);
    proc.child_peak.fetch_max(usage.maxrss_bytes, Relaxed);
    node.state = State::Zombie { status };
    if node.autoreap || unwanted {
        reap(tree, proc.pid);
    }
    parent
}

/// Frees a zombie; what it has used goes to its parent.
pub fn reap(tree: &mut Tree, pid: i32) {
    let Some(node) = tree.map.remove(&pid) else { return };
    if let Ok(parent) = tree.find_mut(node.proc.ppid.load(Relaxed)) {
        parent.children.retain(|&c| c != pid);
        parent.proc.child_utime_ns.fetch_add(node.proc.child_utime_ns.load(Relaxed), Relaxed);
        parent.proc.child_peak.fetch_max(node.proc.child_peak.load(Relaxed), Relaxed);
    }
}
