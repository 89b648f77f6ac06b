//! Running a program's handler, and going back to where it came from.
//!
//! A handler is called by the stub, with the kernel's own frames gone. What must outlive it (the mask to go back
//! to, what the interrupted call is to answer) is asked for before, step by step, and kept in the
//! stub's frame on the program's own stack: the kernel has no stack of handlers, and one that never returns, because
//! it throws to a frame further up (longjmp(3)), leaves nothing behind. See decision 11.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use abi::Errno;
use abi::syscalls::{Module, by_number};
use abi::trapframe::{ACTION_RESTART, RESULT_FAULT, Reason, step};
use abi::types::{Siginfo, sa, si, sig, wait};

use crate::kern::exit;
use crate::kern::proc::{Lwp, lwpflag};
use crate::kern::ptimer;
use crate::kern::sig::fault_signal;
use crate::kern::sigact::{self, Signals};

/// What the stub is about to ask for: of the handler that [`begin`] has chosen. Only its own lwp looks.
#[derive(Default)]
pub struct Frame {
    handler: AtomicU64,
    mask: AtomicU64,
    result: AtomicU64,
    /// The call in which a sleep was last cut short; 0 when it has answered.
    pub interrupted: AtomicU32,
    /// The handler's `siginfo` is still to be asked for: no other is begun by a check before that.
    pub unread: AtomicU32,
}

/// Values of `unread` beside 0 and 1: a child of fork must not be interrupted before it has its globals, the stack pointer among
/// them. It has not asked for its frames yet; it has, and will ask once more when it has taken over what is there.
pub const BEGINS: u32 = 2;
const TAKES_OVER: u32 = 3;

impl Frame {
    /// Whether this call is the one with which a child of fork asks for its frames.
    pub fn is_taking_over(&self, call: u32) -> bool {
        self.unread.load(Relaxed) == TAKES_OVER && by_number(call).is_some_and(|call| call.name == "frames")
    }

    /// The program asks for its frames.
    pub fn asked(&self) {
        match self.unread.load(Relaxed) {
            BEGINS => self.unread.store(TAKES_OVER, Relaxed),
            TAKES_OVER => self.unread.store(0, Relaxed),
            _ => {}
        }
    }
}

/// Chooses the handler that is to run before user code goes on, and what the call in progress is to answer
/// afterwards: `nr` is that call, if it was interrupted. False when there is none.
pub fn begin(lp: &Lwp, nr: u32, answer: i64) -> bool {
    let proc = &lp.proc;
    let mut s = proc.signals.lock();
    let set = s.deliverable(proc);
    if let Some(mut info) = s.take(proc, set) {
        ptimer::taken(lp, &mut info);
        let restart = s.action(info.signal).flags & sa::RESTART != 0 && was_interrupted(nr, answer);
        call(lp, &mut s, info, if restart { ACTION_RESTART } else { answer });
        return true;
    }
    lp.clear_flag(lwpflag::SIGNAL);
    let suspended = s.suspended.take();
    drop(s);
    if let Some(mask) = suspended {
        {
            let _guard = proc.signals.lock();
            sigact::set_mask(proc, mask);
        }
        sigact::recheck(lp);
    }
    false
}

/// Fills the frame, and gives the process the mask that holds while the handler runs.
fn call(lp: &Lwp, s: &mut Signals, info: Siginfo, result: i64) {
    let (proc, signal) = (&lp.proc, info.signal);
    let action = s.action(signal);
    let mask = proc.blocked.load(Relaxed);
    let wants_info = action.flags & sa::SIGINFO != 0;
    let handler = action.handler as i64 | (signal as i64) << 32 | if wants_info { step::SIGINFO } else { 0 };
    let frame = &lp.frame;
    frame.handler.store(handler as u64, Relaxed);
    frame.mask.store(s.suspended.take().unwrap_or(mask), Relaxed);
    frame.result.store(result as u64, Relaxed);
    frame.unread.store(wants_info as u32, Relaxed);
    s.info = info;
    if action.flags & sa::RESETHAND != 0 {
        // It takes no memory to have no handler.
        let _ = s.set(proc, signal, &Default::default());
    }
    let own = if action.flags & sa::NODEFER != 0 { 0 } else { sig::bit(signal) };
    sigact::set_mask(proc, mask | action.mask | own);
}

/// True for the answer of a call that was interrupted and that SA_RESTART makes again.
fn was_interrupted(nr: u32, answer: i64) -> bool {
    const EINTR: i64 = Errno::EINTR as i64;
    let Some(call) = by_number(nr).filter(|_| answer == EINTR || answer == -EINTR) else { return false };
    let answered = if call.module == Module::vkernel { -answer } else { answer };
    answered == EINTR && call.restarted()
}

/// The kernel's export `signal`: see [`step`].
pub fn signal(lp: &Lwp, what: u32, a: i64, b: i64) -> i64 {
    let frame = &lp.frame;
    match what {
        step::HANDLER => frame.handler.load(Relaxed) as i64,
        step::MASK => frame.mask.load(Relaxed) as i64,
        step::RESULT => frame.result.load(Relaxed) as i64,
        step::RETURN => returned(lp, a as u64, b),
        step::POLL if matches!(frame.unread.load(Relaxed), 1 | BEGINS) => 0,
        step::POLL => crate::ast(lp, 0, 0),
        _ => 0,
    }
}

/// sigreturn(2).
fn returned(lp: &Lwp, mask: u64, result: i64) -> i64 {
    let proc = &lp.proc;
    lp.frame.unread.store(0, Relaxed);
    {
        let _guard = proc.signals.lock();
        sigact::set_mask(proc, mask);
    }
    // What the handler was called for cannot go on.
    if let Ok(signal @ 1..sig::COUNT) = u32::try_from(result.wrapping_sub(RESULT_FAULT)) {
        exit::exit(lp, wait::signaled(signal));
    }
    sigact::recheck(lp);
    if lp.flags.load(SeqCst) == 0 { result } else { crate::ast(lp, 0, result) }
}

/// Has the program's handler called for a fault, on a fresh stack. Once in the life of a program: what faults while
/// it runs, or is held back, dies.
pub fn begin_fault(lp: &Lwp, reason: Reason) -> bool {
    let proc = &lp.proc;
    let signal = fault_signal(reason);
    let mut s = proc.signals.lock();
    if s.faulted || !s.handles(proc, signal) {
        return false;
    }
    s.faulted = true;
    let info = Siginfo { signal, code: fault_code(reason), ..Siginfo::default() };
    call(lp, &mut s, info, RESULT_FAULT + signal as i64);
    true
}

fn fault_code(reason: Reason) -> i32 {
    match reason {
        Reason::DivideByZero => si::FPE_INTDIV,
        Reason::IntegerOverflow => si::FPE_INTOVF,
        Reason::BadConversion => si::FPE_FLTINV,
        Reason::MemoryBounds | Reason::TableBounds | Reason::StackOverflow | Reason::NullReference => si::SEGV_MAPERR,
        Reason::Unaligned => si::BUS_ADRALN,
        _ => si::ILL_ILLOPC,
    }
}
