//! The host's side of an lwp: its thread, and the loop around `Kernel::lwp_next`.
//!
//! A program is a closure. User code is left by unwinding it with a private marker, as the wasm
//! stub does with a trap; what the closure had on its stack is dropped then. A panic that is no
//! marker (a failed assertion) is a failure of the test.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use core::cell::Cell;
use core::sync::atomic::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use abi::Errno;
use abi::trapframe::{ACTION_DELIVER, Next, Reason};

use super::machine::{FakeMachine, INITIAL_MEMORY};
use super::sched::Tid;
use super::sys::Sys;
use crate::kern::proc::Lwp;

/// What an image runs: its answer is the exit code.
pub type Program = Arc<dyn Fn(&Sys) -> i32 + Send + Sync>;

std::thread_local! {
    static VMSPACE: Cell<u32> = const { Cell::new(0) };
    static RUN: Cell<bool> = const { Cell::new(false) };
}

/// The address space of the calling lwp's process, 0 for none.
pub fn current_vmspace() -> u32 {
    VMSPACE.with(Cell::get)
}

/// Whether it has run a program.
pub fn has_run() -> bool {
    RUN.with(Cell::get)
}

/// How user code was left; also what unwinds it.
#[derive(Clone, Copy)]
pub enum Left {
    Because(Reason, u32),
    /// The kernel has already been asked.
    Already(Next),
}

/// Leaves user code.
pub fn leave(how: Left) -> ! {
    resume_unwind(Box::new(how))
}

/// Makes the lwp's thread.
pub fn start(machine: &Arc<FakeMachine>, lp: &Arc<Lwp>) -> Tid {
    let (m, l) = (machine.clone(), lp.clone());
    let tid = machine.sched.spawn(&format!("pid {}", lp.proc.pid), move |me| main(m, l, me));
    lp.md.id.store(tid as u32 + 1, Ordering::Relaxed);
    let mut w = machine.world();
    w.threads.insert(lp.proc.pid, tid);
    w.procs.push(Arc::downgrade(&lp.proc));
    tid
}

/// The one loop around user code.
fn main(machine: Arc<FakeMachine>, lp: Arc<Lwp>, me: Tid) {
    VMSPACE.with(|v| v.set(lp.proc.vmspace));
    let kernel = lp.kernel.clone();
    let sys = Sys::new(machine.clone(), lp.clone(), me);
    let mut next = kernel.lwp_next(&lp, Reason::Start, 0);
    loop {
        next = match next {
            Next::Gone => break,
            Next::Resume => panic!("lwp_next answers Resume, but user code wasn't preempted"),
            Next::Signal => {
                // After a fault, so it ends in leaving user code.
                let left = catch_unwind(AssertUnwindSafe(|| sys.act(ACTION_DELIVER)));
                match left.map_err(marker) {
                    Err(Left::Because(reason, detail)) => kernel.lwp_next(&lp, reason, detail),
                    Err(Left::Already(next)) => next,
                    Ok(answer) => panic!("a fault's handler has returned, and the kernel answers {answer}"),
                }
            }
            Next::Run { image } => match enter(&machine, &sys, image) {
                Left::Because(reason, detail) => kernel.lwp_next(&lp, reason, detail),
                Left::Already(next) => next,
            },
        }
    }
    VMSPACE.with(|v| v.set(0));
    if machine.world().halted.is_none() {
        kernel.lwp_gone(&lp);
    }
}

/// Instantiates an image in the lwp's address space and runs it until user code is left.
fn enter(machine: &FakeMachine, sys: &Sys, image: u32) -> Left {
    let id = current_vmspace();
    let (program, body) = {
        let mut w = machine.world();
        let program = w.images.get(&image).and_then(|name| w.programs.get(name)).cloned();
        let Some(program) = program else { return Left::Because(Reason::ExecFailed, Errno::ENOENT as u32) };
        let Some(space) = w.vmspaces.get_mut(&id) else { panic!("Run, but vmspace {id} was never made") };
        space.entered = true;
        let forked = core::mem::take(&mut space.forked);
        if !forked {
            space.mem = vec![0; INITIAL_MEMORY];
        }
        let frames = sys.lp.proc.frames.load(Ordering::Relaxed);
        let body = if forked { w.forked.remove(&frames) } else { None };
        (program, body)
    };
    sys.reset();
    RUN.with(|r| r.set(true));
    let ended = catch_unwind(AssertUnwindSafe(|| match body {
        Some(body) => {
            body(sys);
            0
        }
        None => program(sys),
    }));
    if let Some(space) = machine.world().vmspaces.get_mut(&id) {
        space.entered = false;
    }
    match ended {
        Ok(0) => Left::Because(Reason::Returned, 0),
        // As the C library does with main's answer.
        Ok(code) => match catch_unwind(AssertUnwindSafe(|| sys.exit(code))) {
            Err(payload) => marker(payload),
        },
        Err(payload) => marker(payload),
    }
}

fn marker(payload: Box<dyn core::any::Any + Send>) -> Left {
    match payload.downcast::<Left>() {
        Ok(left) => *left,
        Err(other) => resume_unwind(other),
    }
}
