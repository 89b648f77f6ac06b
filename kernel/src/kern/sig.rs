//! Signals: sending them, and what they do by default. kill(2), stop and continue. POSIX 2.4.
//!
//! A process has for each signal its default action, ignores it, has a handler, or catches it without one (which
//! ends a sleep with EINTR and leaves the signal to `sigtimedwait`): `kern::sigact`. Handlers are run by
//! `kern::sigframe`. A fatal signal marks the process as dying, cuts its sleep short and makes it
//! leave user code; it then finishes in `kern::exit`.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use abi::trapframe::{Next, Reason, kick};
use abi::types::{Siginfo, clock, rlimit, sa, si, sig, wait};
use abi::{Errno, SysResult};

use crate::Kernel;
use crate::kern::proc::{Lwp, Pid, Proc, State, lwpflag};
use crate::kern::sigact::Fate;
use crate::kern::synch::FOREVER;
use crate::kern::{exit, itimer, sigframe};

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

/// By default it does nothing.
pub fn is_harmless(signal: u32) -> bool {
    default_action(signal) == Action::Nothing
}

/// The signals that can be neither ignored nor caught nor blocked.
pub const UNMASKABLE: u64 = sig::bit(sig::KILL) | sig::bit(sig::STOP);

/// Sends a signal of the kernel's own to one process. Never sleeps.
pub fn psignal(kernel: &Kernel, proc: &Arc<Proc>, signal: u32) {
    // Only what is queued can fail, and that doesn't come from here.
    let _ = send(kernel, proc, &Siginfo { signal, code: si::KERNEL, ..Siginfo::default() });
}

/// Sends a signal to one process; answers what became of it. Never sleeps. EAGAIN when too many are queued there.
pub fn send(kernel: &Kernel, proc: &Arc<Proc>, info: &Siginfo) -> SysResult<Fate> {
    let fate = proc.signals.lock().post(proc, info)?;
    // That is so even when it is blocked or ignored.
    if info.signal == sig::CONT {
        resume(kernel, proc);
    }
    act(kernel, proc, info.signal, fate);
    Ok(fate)
}

/// Does with a signal that has come what is to be done with it.
pub fn act(kernel: &Kernel, proc: &Arc<Proc>, signal: u32, fate: Fate) {
    match fate {
        Fate::Nothing => {}
        Fate::Held => proc.signal_event.wake_all(),
        Fate::Caught => {
            proc.signal_event.wake_all();
            tell(proc, lwpflag::CAUGHT);
        }
        Fate::Handled => tell(proc, lwpflag::SIGNAL),
        Fate::Default => match default_action(signal) {
            Action::Nothing | Action::Continue => {}
            Action::Die => die(proc, wait::signaled(signal)),
            Action::Stop => stop(kernel, proc, signal),
        },
    }
}

/// Cuts a sleep short. For a handler user code is interrupted, too.
fn tell(proc: &Proc, flag: u32) {
    let lp = proc.lwp.lock().clone();
    if let Some(lp) = lp {
        lp.set_flag(flag);
        lp.waiter.wake();
        // One in a system call looks at its flags at the end, after `nr` is 0 again: see `trap`.
        if flag == lwpflag::SIGNAL && lp.nr.load(SeqCst) == 0 {
            lp.machine().lwp_kick(&lp, kick::SIGNAL);
        }
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
    tell_stopped(kernel, parent, &about(proc, si::CLD_STOPPED, signal as i32));
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
    tell_stopped(kernel, parent, &about(proc, si::CLD_CONTINUED, sig::CONT as i32));
}

fn parent_of(tree: &crate::kern::proc::Tree, proc: &Proc) -> Option<Arc<Proc>> {
    tree.find(proc.ppid.load(Relaxed)).ok().map(|n| n.proc.clone())
}

/// What SIGCHLD says of a child.
fn about(child: &Proc, code: i32, status: i32) -> Siginfo {
    Siginfo { signal: sig::CHLD, code, pid: child.pid, uid: child.cred.uid(), status, value: 0 }
}

/// What SIGCHLD says of a child that has ended with a wait status.
pub fn about_end(child: &Proc, status: u32) -> Siginfo {
    match wait::term_signal(status) {
        Some(signal) if status & wait::CORE != 0 => about(child, si::CLD_DUMPED, signal as i32),
        Some(signal) => about(child, si::CLD_KILLED, signal as i32),
        None => about(child, si::CLD_EXITED, wait::exit_code(status).unwrap_or(0) as i32),
    }
}

/// Tells a parent that one of its children changed its state.
pub fn child_changed(kernel: &Kernel, parent: Option<Arc<Proc>>, info: &Siginfo) {
    if let Some(parent) = parent {
        // SIGCHLD is not queued, so it always finds room.
        let _ = send(kernel, &parent, info);
        parent.child_event.wake_all();
    }
}

/// That it has stopped or goes on not every parent wants a signal for.
fn tell_stopped(kernel: &Kernel, parent: Option<Arc<Proc>>, info: &Siginfo) {
    match parent {
        Some(parent) if parent.child_flags.load(Relaxed) & sa::NOCLDSTOP != 0 => parent.child_event.wake_all(),
        parent => child_changed(kernel, parent, info),
    }
}

/// Sits out a stop, at the end of a system call or when a stop has preempted user code.
pub fn stopped(lp: &Lwp) {
    let go = || lp.flags.load(SeqCst) & (lwpflag::STOPPED | lwpflag::KILLED) != lwpflag::STOPPED;
    const CAUGHT: u32 = lwpflag::CAUGHT | lwpflag::SIGNAL;
    let mut caught = 0;
    while !go() {
        // A signal that is caught ends no stop; a call that goes on after it hears of it.
        caught |= lp.flags.load(SeqCst) & CAUGHT;
        lp.clear_flag(CAUGHT);
        // EINTR means killed, or caught.
        let _ = lp.proc.resume.wait(lp, FOREVER, || go().then_some(()));
    }
    if caught != 0 {
        lp.set_flag(caught);
    }
}

/// A fault of the program: its handler runs, or it dies of the signal that Unix has for it. Faults cannot be ignored.
pub fn fault(lp: &Lwp, reason: Reason) -> Option<Next> {
    if sigframe::begin_fault(lp, reason) {
        return Some(Next::Signal);
    }
    let signal = fault_signal(reason);
    if lp.proc.pid == 1 {
        lp.kernel.trace.init_fault.store(reason as u32, Relaxed);
    }
    exit::exit(lp, wait::signaled(signal));
    None
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
    kern_send(lp, pid, signal, si::USER, 0)
}

/// As kill(2), with something said about the signal.
fn kern_send(lp: &Lwp, pid: Pid, signal: u32, code: i32, value: u64) -> SysResult<()> {
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
    let info = Siginfo { signal, code, pid: lp.proc.pid, uid: lp.proc.cred.uid(), status: 0, value };
    let mut sent = false;
    for p in targets.iter().filter(|p| may_signal(lp, p, signal)) {
        sent = true;
        if signal != 0 {
            send(&lp.kernel, p, &info)?;
        }
    }
    drop(sending);
    if sent { Ok(()) } else { Err(Errno::EPERM) }
}

pub fn sys_kill(lp: &Lwp, pid: Pid, signal: u32) -> SysResult<()> {
    kern_kill(lp, pid, signal)
}

/// sigqueue(3): kill(2) of one process, with a value. EAGAIN when too many are queued there.
pub fn sys_sigqueue(lp: &Lwp, pid: Pid, signal: u32, value: u64) -> SysResult<()> {
    if pid <= 0 {
        return Err(Errno::EINVAL);
    }
    kern_send(lp, pid, signal, si::QUEUE, value)
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

/// The lwp that the machine calls so has run for a while: its timers and its limit on CPU time.
pub fn tick(kernel: &Kernel, id: u32) {
    let found = {
        let tree = kernel.procs.tree.lock();
        let is = |p: &Proc| p.lwp.lock().as_ref().is_some_and(|l| l.md.id.load(Relaxed) == id);
        tree.map.values().find(|n| is(&n.proc)).map(|n| n.proc.clone())
    };
    let Some(proc) = found else { return };
    let used_ns = kernel.machine.clock(clock::THREAD_CPUTIME, id);
    itimer::expire(kernel, &proc, Some(used_ns));
    check_cpu_limits(kernel, &proc, used_ns);
}

/// RLIMIT_CPU, in seconds: SIGXCPU past the soft limit, SIGKILL past the hard one.
fn check_cpu_limits(kernel: &Kernel, proc: &Arc<Proc>, used_ns: u64) {
    let soft = proc.limits.soft(rlimit::CPU);
    if soft == rlimit::INFINITY {
        return;
    }
    let used_s = used_ns / 1_000_000_000;
    if used_s >= proc.limits.hard(rlimit::CPU) {
        psignal(kernel, proc, sig::KILL);
    } else if used_s >= soft {
        // Again after another second, as Linux: a handler has time for something.
        proc.limits.raise_soft(rlimit::CPU, used_s + 1);
        psignal(kernel, proc, sig::XCPU);
    }
}
