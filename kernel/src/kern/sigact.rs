//! What a process does with its signals, which of them have come, and the calls about that. POSIX 2.4.
//!
//! All of it is changed under the lock of [`Signals`]; the sets that others look at stand beside it in `Proc` as
//! words. A process has one lwp, so a signal for the one is a signal for the other.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use abi::syscalls::UAddr;
use abi::types::{Sigaction, Siginfo, clock, sa, si, sig, vmctl};
use abi::{Errno, SysResult};

use crate::kern::proc::{Lwp, Proc, lwpflag};
use crate::kern::ptimer;
use crate::kern::sig::{self as send, UNMASKABLE};
use crate::kern::synch::FOREVER;

/// Signals that wait with what was said about them, at most, in a process.
const QUEUE_MAX: usize = 128;
const STOPS: u64 = sig::bit(sig::STOP) | sig::bit(sig::TSTP) | sig::bit(sig::TTIN) | sig::bit(sig::TTOU);

/// How a process takes its signals, but for the sets in `Proc`.
#[derive(Default)]
pub struct Signals {
    /// Of those in `handled`. None before the first.
    actions: Option<Box<[Sigaction; 64]>>,
    handled: u64,
    /// What is known of the pending ones: each queued signal, at most one of the others. In the order in which they came.
    queue: Vec<Siginfo>,
    /// The mask before a `sigsuspend` that is not over.
    pub suspended: Option<u64>,
    /// Of the signal whose handler was last begun.
    pub info: Siginfo,
    /// The handler of a fault runs, or has run.
    pub faulted: bool,
}

/// What becomes of a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Nothing,
    /// It is blocked, and waits.
    Held,
    /// It waits for `sigtimedwait`, and ends a sleep.
    Caught,
    Handled,
    Default,
}

impl Signals {
    /// What a forked child begins with: handlers, nothing that is pending.
    pub fn forked(&self) -> Signals {
        Signals { actions: self.actions.clone(), handled: self.handled, ..Signals::default() }
    }

    /// exec(2): a handler is part of the program. A timer's signal goes with the timer, as on Linux.
    fn exec(&mut self, proc: &Proc) {
        let mut queue = core::mem::take(&mut self.queue);
        let timed = queue.iter().filter(|i| i.code == si::TIMER).fold(0, |set, i| set | sig::bit(i.signal));
        queue.retain(|i| i.code != si::TIMER);
        let others = queue.iter().fold(0, |set, i| set | sig::bit(i.signal));
        proc.pending.fetch_and(!timed | others, SeqCst);
        *self = Signals { queue, ..Signals::default() };
    }

    fn fate(&self, proc: &Proc, bit: u64) -> Fate {
        if self.handled & bit != 0 {
            Fate::Handled
        } else if proc.ignored.load(Relaxed) & bit != 0 {
            Fate::Nothing
        } else if proc.caught.load(Relaxed) & bit != 0 {
            Fate::Caught
        } else {
            Fate::Default
        }
    }

    pub fn action(&self, signal: u32) -> Sigaction {
        self.actions.as_ref().map_or_else(Sigaction::default, |a| a[signal as usize - 1])
    }

    /// A signal has come. EAGAIN when there is no room for what was said with it.
    pub fn post(&mut self, proc: &Proc, info: &Siginfo) -> SysResult<Fate> {
        let bit = sig::bit(info.signal);
        // POSIX 2.4.1: a stop and a continue that wait cancel each other.
        if info.signal == sig::CONT {
            self.discard(proc, STOPS);
        } else if STOPS & bit != 0 {
            self.discard(proc, sig::bit(sig::CONT));
        }
        let fate = if proc.blocked.load(Relaxed) & bit != 0 { Fate::Held } else { self.fate(proc, bit) };
        if matches!(fate, Fate::Held | Fate::Caught | Fate::Handled) {
            self.remember(proc, info, fate)?;
            proc.pending.fetch_or(bit, SeqCst);
        }
        Ok(fate)
    }

    fn remember(&mut self, proc: &Proc, info: &Siginfo, fate: Fate) -> SysResult<()> {
        // A timer has at most one signal here (`kern::ptimer`), and learns of its being taken.
        let timed = |i: &Siginfo| i.code == si::TIMER;
        let queued = info.signal >= sig::RTMIN || timed(info);
        let asked = fate != Fate::Handled || self.action(info.signal).flags & sa::SIGINFO != 0;
        let first = || {
            proc.pending.load(Relaxed) & sig::bit(info.signal) == 0
                || self.queue.iter().all(|i| i.signal != info.signal || timed(i))
        };
        if !(queued || asked && first()) {
            return Ok(());
        }
        if (self.queue.len() < QUEUE_MAX || timed(info)) && self.queue.try_reserve(1).is_ok() {
            self.queue.push(*info);
        } else if queued && info.code != si::USER {
            return Err(Errno::EAGAIN);
        }
        Ok(())
    }

    fn discard(&mut self, proc: &Proc, set: u64) {
        if proc.pending.load(Relaxed) & set != 0 {
            proc.pending.fetch_and(!set, SeqCst);
            let goes = |i: &Siginfo| set & sig::bit(i.signal) != 0;
            self.queue.iter().filter(|i| goes(i)).for_each(|i| ptimer::dropped(proc, i));
            self.queue.retain(|i| !goes(i));
        }
    }

    /// Takes the lowest pending signal of a set.
    pub fn take(&mut self, proc: &Proc, set: u64) -> Option<Siginfo> {
        let signal = match sig::pop(&mut (proc.pending.load(Relaxed) & set)) {
            0 => return None,
            signal => signal,
        };
        let at = self.queue.iter().position(|i| i.signal == signal);
        let info = at.map_or(Siginfo { signal, ..Siginfo::default() }, |at| self.queue.remove(at));
        if !self.queue.iter().any(|i| i.signal == signal) {
            proc.pending.fetch_and(!sig::bit(signal), SeqCst);
        }
        Some(info)
    }

    /// The pending signals whose handlers are to run now.
    pub fn deliverable(&self, proc: &Proc) -> u64 {
        proc.pending.load(Relaxed) & !proc.blocked.load(Relaxed) & self.handled
    }

    /// True when a handler is there and would not be held back.
    pub fn handles(&self, proc: &Proc, signal: u32) -> bool {
        self.handled & !proc.blocked.load(Relaxed) & sig::bit(signal) != 0
    }

    /// Sets what a signal does. ENOMEM.
    pub fn set(&mut self, proc: &Proc, signal: u32, new: &Sigaction) -> SysResult<()> {
        let bit = sig::bit(signal);
        let catch = new.flags & sa::CATCH != 0;
        let handler = new.has_handler();
        if handler {
            let table = match &mut self.actions {
                Some(table) => table,
                none => none.insert(new_table()?),
            };
            table[signal as usize - 1] = *new;
        }
        let put = |word: &core::sync::atomic::AtomicU64, on| match on {
            true => word.fetch_or(bit, SeqCst),
            false => word.fetch_and(!bit, SeqCst),
        };
        let ignore = !catch && new.handler == Sigaction::IGNORE;
        put(&proc.ignored, ignore);
        put(&proc.caught, catch);
        self.handled = if handler { self.handled | bit } else { self.handled & !bit };
        if signal == sig::CHLD {
            proc.child_flags.store(new.flags, Relaxed);
        }
        // POSIX 2.4.3: what is ignored from now on waits no longer, blocked or not.
        if ignore || !handler && !catch && send::is_harmless(signal) {
            self.discard(proc, bit);
        }
        Ok(())
    }

    /// As `sigaction` tells it.
    fn shown(&self, proc: &Proc, signal: u32) -> Sigaction {
        let bit = sig::bit(signal);
        let child = if signal == sig::CHLD { proc.child_flags.load(Relaxed) } else { 0 };
        match self.fate(proc, bit) {
            Fate::Handled => self.action(signal),
            Fate::Nothing => Sigaction { handler: Sigaction::IGNORE, flags: child, mask: 0 },
            Fate::Caught => Sigaction { flags: sa::CATCH | child, ..Sigaction::CATCH },
            _ => Sigaction { flags: child, ..Sigaction::default() },
        }
    }

    pub fn handled(&self) -> u64 {
        self.handled
    }
}

fn new_table() -> SysResult<Box<[Sigaction; 64]>> {
    let mut table = Vec::new();
    table.try_reserve_exact(64).map_err(|_| Errno::ENOMEM)?;
    table.resize(64, Sigaction::default());
    table.into_boxed_slice().try_into().map_err(|_| Errno::ENOMEM)
}

/// exec(2): what was caught has its default action; what was ignored stays so.
pub fn exec(proc: &Proc) {
    proc.caught.store(0, SeqCst);
    proc.child_flags.store(0, Relaxed);
    proc.signals.lock().exec(proc);
    ptimer::exec(proc);
}

/// Gives a process another mask. The caller [`recheck`]s.
pub fn set_mask(proc: &Proc, mask: u64) {
    proc.blocked.store(mask & !UNMASKABLE, SeqCst);
}

/// Looks at the pending signals again: some may not be blocked any more, or have another action.
pub fn recheck(lp: &Lwp) {
    let proc = &lp.proc;
    loop {
        let (signal, fate) = {
            let mut s = proc.signals.lock();
            if s.deliverable(proc) != 0 {
                lp.set_flag(lwpflag::SIGNAL);
            }
            // The others: those with a handler run it at the end of this call, those that are caught wait.
            let kept = proc.blocked.load(Relaxed) | proc.caught.load(Relaxed) | s.handled;
            match s.take(proc, !kept) {
                None => return,
                Some(mut info) => {
                    ptimer::taken(lp, &mut info);
                    (info.signal, s.fate(proc, sig::bit(info.signal)))
                }
            }
        };
        send::act(&lp.kernel, proc, signal, fate);
    }
}

/// sigaction(2): `act` and `old` may be null. ENOSYS for a handler in a program that has no function to
/// call it by.
pub fn sys_sigaction(lp: &Lwp, signal: u32, act: UAddr, old: UAddr) -> SysResult<()> {
    let changes = act != UAddr::NULL;
    if signal == 0 || signal >= sig::COUNT || changes && UNMASKABLE & sig::bit(signal) != 0 {
        return Err(Errno::EINVAL);
    }
    let mut bytes = [0; Sigaction::SIZE];
    if changes {
        lp.machine().copyin(act, &mut bytes)?;
    }
    let mut new = Sigaction::from_bytes(&bytes)?;
    // As Linux: a flag that we don't know is off, which the caller can see.
    new.flags &= sa::ALL;
    new.mask &= !UNMASKABLE;
    if new.has_handler() && !has_handlers(lp) {
        return Err(Errno::ENOSYS);
    }
    let proc = &lp.proc;
    if old != UAddr::NULL {
        let was = proc.signals.lock().shown(proc, signal);
        lp.machine().copyout(&was.to_bytes(), old)?;
    }
    if changes {
        proc.signals.lock().set(proc, signal, &new)?;
        recheck(lp);
    }
    Ok(())
}

/// Whether the program has the function that calls handlers.
fn has_handlers(lp: &Lwp) -> bool {
    if lp.proc.signals.lock().actions.is_some() {
        return true;
    }
    let image = lp.proc.program.lock().image.as_ref().map_or(0, |i| i.id);
    lp.machine().vmspace_ctl(lp.proc.vmspace, vmctl::HANDLERS, image as u64) == Ok(1)
}

/// A set of signals of a program.
pub fn copy_set(lp: &Lwp, from: UAddr) -> SysResult<u64> {
    let mut b = [0; 8];
    lp.machine().copyin(from, &mut b)?;
    Ok(u64::from_le_bytes(b))
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
        lp.machine().put64(old, before)?;
    }
    if after != before {
        {
            let _guard = proc.signals.lock();
            set_mask(proc, after);
        }
        recheck(lp);
    }
    Ok(())
}

/// sigpending(2).
pub fn sys_sigpending(lp: &Lwp, out: UAddr) -> SysResult<()> {
    let p = &lp.proc;
    lp.machine().put64(out, p.pending.load(SeqCst) & p.blocked.load(SeqCst))
}

/// Gives the process a mask for a call, keeping the one it had.
fn suspend(lp: &Lwp, mask: u64) {
    let proc = &lp.proc;
    {
        let mut s = proc.signals.lock();
        s.suspended = Some(proc.blocked.load(Relaxed));
        set_mask(proc, mask);
    }
    recheck(lp);
}

/// True when a signal has come that is not blocked, and that ends a sleep.
pub fn awaited(proc: &Proc) -> bool {
    let s = proc.signals.lock();
    let ends = s.handled | proc.caught.load(Relaxed);
    proc.pending.load(SeqCst) & !proc.blocked.load(SeqCst) & ends != 0
}

/// Sleeps in `f` with another mask. If that was cut short a handler is run with this mask; the old one comes back
/// after that, where handlers are begun. Otherwise it comes back at once, and a signal that it blocks waits.
pub fn with_mask<T>(lp: &Lwp, mask: u64, f: impl FnOnce() -> SysResult<T>) -> SysResult<T> {
    suspend(lp, mask);
    let done = f();
    if let Err(Errno::EINTR) = done {
        lp.set_flag(lwpflag::SIGNAL);
        return done;
    }
    let before = {
        let mut s = lp.proc.signals.lock();
        let before = s.suspended.take();
        if let Some(mask) = before {
            set_mask(&lp.proc, mask);
        }
        before
    };
    if before.is_some() {
        recheck(lp);
    }
    done
}

/// sigsuspend(2): EINTR, after a handler has run with the mask given. The old mask comes back after that.
pub fn sys_sigsuspend(lp: &Lwp, mask: UAddr) -> SysResult<()> {
    let mask = copy_set(lp, mask)?;
    let proc = &lp.proc;
    suspend(lp, mask);
    let caught = || proc.pending.load(SeqCst) & !proc.blocked.load(SeqCst) & proc.caught.load(SeqCst) != 0;
    while !caught() {
        lp.waiter.reset();
        if lp.sleep(FOREVER).is_err() {
            break;
        }
    }
    // Whatever has come, the mask is looked after where handlers are begun.
    lp.set_flag(lwpflag::SIGNAL);
    Err(Errno::EINTR)
}

/// sigtimedwait(2): takes a pending signal of the set, which the caller has blocked or catches, waiting so long
/// for one. `info` may be null. EAGAIN, EINTR.
pub fn sys_sigtimedwait(lp: &Lwp, set: UAddr, info: UAddr, timeout_ns: u64) -> SysResult<u32> {
    let set = copy_set(lp, set)?;
    let take = || {
        let mut s = lp.proc.signals.lock();
        let mut info = s.take(&lp.proc, set)?;
        ptimer::taken(lp, &mut info);
        Some(info)
    };
    let taken = if timeout_ns == 0 {
        take().ok_or(Errno::EAGAIN)
    } else {
        let now = lp.machine().clock(clock::MONOTONIC, 0);
        match lp.proc.signal_event.wait(lp, now.saturating_add(timeout_ns), take) {
            Err(Errno::ETIMEDOUT) => Err(Errno::EAGAIN),
            // A caught one that came in this moment, perhaps one of the set.
            Err(Errno::EINTR) => take().ok_or(Errno::EINTR),
            other => other,
        }
    }?;
    if info != UAddr::NULL {
        lp.machine().copyout(&taken.to_bytes(), info)?;
    }
    Ok(taken.signal)
}

/// What is known of the signal whose handler was last begun. For the program's `__vk_signal`.
pub fn sys_siginfo(lp: &Lwp, out: UAddr) -> SysResult<()> {
    let info = lp.proc.signals.lock().info;
    lp.frame.unread.store(0, Relaxed);
    lp.machine().copyout(&info.to_bytes(), out)
}
