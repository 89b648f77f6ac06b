//! Signals: default actions, kill(2), stop and continue. POSIX 2.4.
//!
//! A process has for each signal its default action, ignores it, or catches it: there are no handlers,
//! but what is caught ends a sleep with EINTR and waits for `sigtimedwait`. A fatal signal marks the process as dying, cuts its sleep short and makes it
//! leave user code; it then finishes in `kern::exit`.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use abi::syscalls::UAddr;
use abi::trapframe::{Reason, kick};
use abi::types::{clock, rlimit, sig, sigdisp, wait};
use abi::{Errno, SysResult};

use crate::Kernel;
use crate::kern::exit;
use crate::kern::proc::{Lwp, Pid, Proc, State, lwpflag};
use crate::kern::synch::FOREVER;

/// What a signal does to a process that doesn't ignore it.
#[derive(PartialEq)]
enum Action {
    Nothing,
    Die,
    Stop,
    Continue,
}

fn default_action(signal: u32) -> Action {
    match signal {
        sig::CHLD | sig::URG | sig::WINCH => Action::Nothing,
        sig::STOP | sig::TSTP | sig::TTIN | sig::TTOU => Action::Stop,
        sig::CONT => Action::Continue,
        _ => Action::Die,
    }
}

/// The signals that can be neither ignored nor caught.
const UNMASKABLE: u32 = 1 << sig::KILL | 1 << sig::STOP;

/// Sends a signal to one process. Never sleeps.
pub fn psignal(kernel: &Kernel, proc: &Arc<Proc>, signal: u32) {
    if hold_back(proc, signal) {
        return;
    }
    deliver(kernel, proc, signal);
}

/// Leaves a blocked signal pending. SIGCONT continues even when it is blocked.
fn hold_back(proc: &Proc, signal: u32) -> bool {
    let bit = 1 << signal;
    let blocked = || proc.blocked.load(SeqCst) & !UNMASKABLE & bit != 0 && signal != sig::CONT;
    if !blocked() {
        return false;
    }
    proc.pending.fetch_or(bit, SeqCst);
    // Unblocked in this moment: whoever takes it back delivers it.
    if !blocked() && proc.pending.fetch_and(!bit, SeqCst) & bit != 0 {
        return false;
    }
    proc.signal_event.wake_all();
    true
}

fn deliver(kernel: &Kernel, proc: &Arc<Proc>, signal: u32) {
    // SIGCONT continues even when it is ignored.
    let ignored = proc.ignored.load(Relaxed) & !UNMASKABLE & 1 << signal != 0;
    let caught = proc.caught.load(Relaxed) & !UNMASKABLE & 1 << signal != 0;
    match default_action(signal) {
        Action::Continue => {
            resume(kernel, proc);
            if caught {
                catch(proc, signal);
            }
        }
        _ if ignored => {}
        _ if caught => catch(proc, signal),
        Action::Nothing => {}
        Action::Die => die(proc, wait::signaled(signal)),
        Action::Stop => stop(kernel, proc, signal),
    }
}

/// Keeps the signal for `sigtimedwait` and cuts a sleep short.
fn catch(proc: &Proc, signal: u32) {
    proc.pending.fetch_or(1 << signal, SeqCst);
    proc.signal_event.wake_all();
    let lp = proc.lwp.lock().clone();
    if let Some(lp) = lp {
        lp.set_flag(lwpflag::CAUGHT);
        lp.waiter.wake();
    }
}

/// The process will end with this wait status, unless it is ending already.
pub fn die(proc: &Proc, status: u32) {
    let _ = proc.dying.compare_exchange(0, 1 + status as u64, SeqCst, SeqCst);
    let lp = proc.lwp.lock().clone();
    if let Some(lp) = lp {
        lp.set_flag(lwpflag::KILLED);
        lp.waiter.wake();
        lp.machine().lwp_kick(&lp, kick::LEAVE);
    }
    proc.resume.wake_all();
}

fn stop(kernel: &Kernel, proc: &Arc<Proc>, signal: u32) {
    let parent = {
        let mut tree = kernel.procs.tree.lock();
        match tree.find_mut(proc.pid) {
            Ok(node) if node.state == State::Running => node.state = State::Stopped { signal, reported: false },
            _ => return,
        }
        // With the tree held, so that a stop and a continue at once leave state and flag alike.
        if let Some(lp) = &*proc.lwp.lock() {
            lp.set_flag(lwpflag::STOPPED);
            lp.machine().lwp_kick(lp, kick::STOP);
        }
        parent_of(&tree, proc)
    };
    child_changed(kernel, parent);
}

fn resume(kernel: &Kernel, proc: &Arc<Proc>) {
    let parent = {
        let mut tree = kernel.procs.tree.lock();
        match tree.find_mut(proc.pid) {
            Ok(node) if matches!(node.state, State::Stopped { .. }) => {
                node.state = State::Running;
                node.continued = true;
            }
            _ => return,
        }
        if let Some(lp) = &*proc.lwp.lock() {
            lp.clear_flag(lwpflag::STOPPED);
            lp.machine().lwp_kick(lp, kick::GO);
            // Who sleeps in a read of a terminal looks whether it may still do that.
            lp.waiter.wake();
        }
        parent_of(&tree, proc)
    };
    proc.resume.wake_all();
    child_changed(kernel, parent);
}

fn parent_of(tree: &crate::kern::proc::Tree, proc: &Proc) -> Option<Arc<Proc>> {
    tree.find(proc.ppid.load(Relaxed)).ok().map(|n| n.proc.clone())
}

/// Tells a parent that one of its children changed its state.
pub fn child_changed(kernel: &Kernel, parent: Option<Arc<Proc>>) {
    if let Some(parent) = parent {
        psignal(kernel, &parent, sig::CHLD);
        parent.child_event.wake_all();
    }
}

/// Sits out a stop, at the end of a system call or when a stop has preempted user code.
pub fn stopped(lp: &Lwp) {
    let go = || lp.flags.load(SeqCst) & (lwpflag::STOPPED | lwpflag::KILLED) != lwpflag::STOPPED;
    let mut caught = 0;
    while !go() {
        // A signal that is caught ends no stop; a call that goes on after it hears of it.
        caught |= lp.flags.load(SeqCst) & lwpflag::CAUGHT;
        lp.clear_flag(lwpflag::CAUGHT);
        // EINTR means killed, or caught.
        let _ = lp.proc.resume.wait(lp, FOREVER, || go().then_some(()));
    }
    if caught != 0 {
        lp.set_flag(caught);
    }
}

/// A fault of the program: it dies of the signal that Unix has for it. Faults cannot be ignored.
pub fn fault(lp: &Lwp, reason: Reason) {
    let signal = fault_signal(reason);
    if lp.proc.pid == 1 {
        lp.kernel.trace.init_fault.store(reason as u32, Relaxed);
    }
    exit::exit(lp, wait::signaled(signal));
}

/// A wasm trap as a signal: what the nearest machine fault would raise.
pub fn fault_signal(reason: Reason) -> u32 {
    match reason {
        Reason::MemoryBounds | Reason::TableBounds | Reason::StackOverflow | Reason::NullReference => sig::SEGV,
        Reason::DivideByZero | Reason::IntegerOverflow | Reason::BadConversion => sig::FPE,
        Reason::Unaligned => sig::BUS,
        Reason::Uncaught => sig::ABRT,
        _ => sig::ILL,
    }
}

/// EPERM unless the sender may signal it: root, or its real or effective id is the target's real or saved.
fn may_signal(lp: &Lwp, to: &Proc, signal: u32) -> bool {
    let (me, it) = (&lp.proc.cred, &to.cred);
    let ids = [it.uid(), it.suid()];
    me.euid() == 0
        || ids.contains(&me.uid())
        || ids.contains(&me.euid())
        || signal == sig::CONT && lp.proc.sid.load(Relaxed) == to.sid.load(Relaxed)
}

/// kill(2): a process, the caller's group (0), all (-1), a group. Signal 0 only asks.
pub fn kern_kill(lp: &Lwp, pid: Pid, signal: u32) -> SysResult<()> {
    if signal >= sig::COUNT {
        return Err(Errno::EINVAL);
    }
    let group = match pid {
        0 => lp.proc.pgid.load(Relaxed),
        p if p < -1 => p.checked_neg().ok_or(Errno::ESRCH)?,
        _ => 0,
    };
    // One that is just being forked gets what its parent gets.
    let sending = (pid <= 0).then(|| lp.kernel.procs.sending.lock());
    let targets: Vec<Arc<Proc>> = {
        let tree = lp.kernel.procs.tree.lock();
        let chosen = |p: &Proc| match pid {
            p1 if p1 > 0 => p.pid == p1,
            -1 => p.pid != 1 && p.pid != lp.proc.pid,
            _ => p.pgid.load(Relaxed) == group,
        };
        tree.map.values().filter(|n| chosen(&n.proc)).map(|n| n.proc.clone()).collect()
    };
    if targets.is_empty() {
        return Err(Errno::ESRCH);
    }
    let mut sent = false;
    for p in targets.iter().filter(|p| may_signal(lp, p, signal)) {
        sent = true;
        if signal != 0 {
            psignal(&lp.kernel, p, signal);
        }
    }
    drop(sending);
    if sent { Ok(()) } else { Err(Errno::EPERM) }
}

pub fn sys_kill(lp: &Lwp, pid: Pid, signal: u32) -> SysResult<()> {
    kern_kill(lp, pid, signal)
}

/// Catches a signal (2), ignores it (1) or gives it its default action (0). Answers what it was.
/// Handlers: ENOTSUP.
pub fn sys_sigaction(lp: &Lwp, signal: u32, disposition: u32) -> SysResult<u32> {
    if signal == 0 || signal >= sig::COUNT || UNMASKABLE & 1 << signal != 0 {
        return Err(Errno::EINVAL);
    }
    let proc = &lp.proc;
    let set = |word: &AtomicU32, on| {
        let old = if on { word.fetch_or(1 << signal, SeqCst) } else { word.fetch_and(!(1 << signal), SeqCst) };
        old & 1 << signal != 0
    };
    if disposition > sigdisp::CATCH {
        return Err(Errno::ENOTSUP);
    }
    let ignored = set(&proc.ignored, disposition == sigdisp::IGNORE);
    let caught = set(&proc.caught, disposition == sigdisp::CATCH);
    Ok(if caught { sigdisp::CATCH } else { ignored as u32 })
}

/// A set of signals of a program: 64 bits.
fn copy_set(lp: &Lwp, from: UAddr) -> SysResult<u32> {
    let mut b = [0; 8];
    lp.machine().copyin(from, &mut b)?;
    Ok(u64::from_le_bytes(b) as u32)
}

/// sigprocmask(2): `set` and `old` may be null. What is unblocked and pending is delivered at once.
pub fn sys_sigprocmask(lp: &Lwp, how: u32, set: UAddr, old: UAddr) -> SysResult<()> {
    let proc = &lp.proc;
    let before = proc.blocked.load(SeqCst);
    let after = match (set, how) {
        (UAddr::NULL, _) => before,
        (set, sig::BLOCK) => before | copy_set(lp, set)?,
        (set, sig::UNBLOCK) => before & !copy_set(lp, set)?,
        (set, sig::SETMASK) => copy_set(lp, set)?,
        _ => return Err(Errno::EINVAL),
    };
    if old != UAddr::NULL {
        lp.machine().put64(old, before as u64)?;
    }
    proc.blocked.store(after & !UNMASKABLE, SeqCst);
    let mut due = proc.pending.fetch_and(after, SeqCst) & !after;
    while due != 0 {
        let signal = due.trailing_zeros();
        due &= due - 1;
        deliver(&lp.kernel, proc, signal);
    }
    Ok(())
}

/// sigtimedwait(2): takes a pending signal of the set, which the caller has blocked or catches, waiting so long
/// for one. EAGAIN.
pub fn sys_sigtimedwait(lp: &Lwp, set: UAddr, timeout_ns: u64) -> SysResult<u32> {
    let set = copy_set(lp, set)?;
    let take = || {
        let ready = lp.proc.pending.load(SeqCst) & set;
        let bit = ready & ready.wrapping_neg();
        (bit != 0 && lp.proc.pending.fetch_and(!bit, SeqCst) & bit != 0).then(|| bit.trailing_zeros())
    };
    if timeout_ns == 0 {
        return take().ok_or(Errno::EAGAIN);
    }
    let now = lp.machine().clock(clock::MONOTONIC, 0);
    match lp.proc.signal_event.wait(lp, now.saturating_add(timeout_ns), take) {
        Err(Errno::ETIMEDOUT) => Err(Errno::EAGAIN),
        // A caught one that came in this moment, perhaps one of the set.
        Err(Errno::EINTR) => take().ok_or(Errno::EINTR),
        other => other,
    }
}

/// A signal from the console's user: to the foreground group.
pub fn console_signal(kernel: &Kernel, signal: u32) {
    if signal != 0 && signal < sig::COUNT {
        signal_group(kernel, kernel.console.foreground(), signal);
    }
}

/// Sends a signal to the members of a group, whoever asks. Never sleeps.
pub fn signal_group(kernel: &Kernel, group: Pid, signal: u32) {
    signal_all(kernel, signal, |p| p.pgid.load(Relaxed) == group);
}

/// Sends a signal to all processes that are so. Never sleeps.
pub fn signal_all(kernel: &Kernel, signal: u32, is: impl Fn(&Proc) -> bool) {
    to_all(kernel, is, |p| psignal(kernel, p, signal));
}

/// Does something to all processes that are so, and to the children that they fork meanwhile.
fn to_all(kernel: &Kernel, is: impl Fn(&Proc) -> bool, act: impl Fn(&Arc<Proc>)) {
    let sending = kernel.procs.sending.lock();
    let members: Vec<Arc<Proc>> = {
        let tree = kernel.procs.tree.lock();
        tree.map.values().filter(|n| is(&n.proc)).map(|n| n.proc.clone()).collect()
    };
    members.iter().for_each(act);
    drop(sending);
}

/// The end of the time given to this vkernel.
pub fn kill_all(kernel: &Kernel) {
    to_all(kernel, |_| true, |p| die(p, wait::signaled(sig::KILL)));
}

/// RLIMIT_CPU, in seconds: SIGXCPU past the soft limit, SIGKILL past the hard one. `id` is what the
/// machine calls the lwp that ran.
pub fn check_cpu_limits(kernel: &Kernel, id: u32) {
    let found = {
        let tree = kernel.procs.tree.lock();
        let is = |p: &Proc| p.lwp.lock().as_ref().is_some_and(|l| l.md.id.load(Relaxed) == id);
        tree.map.values().find(|n| is(&n.proc)).map(|n| n.proc.clone())
    };
    let Some(proc) = found else { return };
    let soft = proc.limits.soft(rlimit::CPU);
    if soft == rlimit::INFINITY {
        return;
    }
    let used_s = kernel.machine.clock(clock::THREAD_CPUTIME, id) / 1_000_000_000;
    if used_s >= proc.limits.hard(rlimit::CPU) {
        psignal(kernel, &proc, sig::KILL);
    } else if used_s >= soft {
        psignal(kernel, &proc, sig::XCPU);
    }
}
