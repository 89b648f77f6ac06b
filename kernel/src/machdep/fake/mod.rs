//! The fake machine: one that really works, for the native tests.
//!
//! Address spaces are byte vectors, lwps are threads of which one moves at a time, chosen by a
//! seeded scheduler ([`sched`]), programs are closures, and the clock moves when it is told to or
//! when all sleep. A run is a pure function of its seed, which every failure names.
//!
//! ```ignore
//! let vk = Fake::seeded(7).boot();
//! let (r, w) = vk.init(|sys| sys.pipe2(0)).unwrap();
//! let reader = vk.lwp(move |sys| { sys.close(w)?; sys.read(r, 1) });
//! vk.run_until_asleep(&reader);
//! vk.init(move |sys| sys.close(w)).unwrap();
//! assert_eq!(vk.join(reader), Ok(vec![]));
//! ```
//!
//! pid 1 is a program that does what [`Vk::init`] asks of it; [`Vk::lwp`] has it spawn a child that
//! runs a closure. Other programs are registered by name and stand in `/bin`; any file that says
//! `#image NAME` is that program. A machine that is dropped shuts its kernel down and checks that
//! nothing is left: address spaces, images, processes.

pub mod boot;
pub mod calls;
pub mod disk;
pub mod hostfs;
pub mod lwp;
pub mod machine;
pub mod rng;
pub mod sched;
pub mod sys;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use abi::trapframe::irq;
use abi::types::{Winsize, wait};

use crate::Kernel;
use crate::kern::proc::{Pid, Proc};

/// What a signal does, for [`Sys::sigaction`].
pub mod sigdisp {
    pub const DEFAULT: u32 = 0;
    pub const IGNORE: u32 = 1;
    /// `abi::types::Sigaction::CATCH`.
    pub const CATCH: u32 = 2;
    /// A handler. Only an answer.
    pub const HANDLER: u32 = 3;
}

pub use boot::Fake;
pub use calls::{Dirent, Request, Waited};
pub use machine::FakeMachine;
pub use rng::Rng;
pub use sys::{Reg, Sys};

use sched::{Goal, Ran, Status, Tid};

/// A booted machine under the test's control.
pub struct Vk {
    pub kernel: Arc<Kernel>,
    pub machine: Arc<FakeMachine>,
    /// The thread of pid 1.
    init: Tid,
}

/// A process made by [`Vk::lwp`].
pub struct Handle<T> {
    pub pid: Pid,
    tid: Tid,
    result: Arc<Mutex<Option<T>>>,
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn put<T>(slot: &Mutex<Option<T>>, value: T) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
}

impl Vk {
    /// Has pid 1 do something, and runs until it is done.
    pub fn init<T: Send + 'static>(&self, f: impl FnOnce(&Sys) -> T + Send + 'static) -> T {
        match self.try_init(f) {
            Some(v) => v,
            None => panic!("{}: pid 1 is gone; the console says: {}", self.seed(), self.console()),
        }
    }

    /// None when pid 1 ended before it was done.
    pub fn try_init<T: Send + 'static>(&self, f: impl FnOnce(&Sys) -> T + Send + 'static) -> Option<T> {
        let result = Arc::new(Mutex::new(None));
        let slot = result.clone();
        self.machine.world().commands.push_back(Box::new(move |sys| put(&slot, f(sys))));
        self.machine.sched.ready(self.init);
        self.run_to(Goal::Idle(self.init), "pid 1");
        take(&result)
    }

    /// A child of pid 1 that runs `f` and exits. It has pid 1's descriptors; it may have run a bit.
    pub fn lwp<T: Send + 'static>(&self, f: impl FnOnce(&Sys) -> T + Send + 'static) -> Handle<T> {
        self.lwp_as(Request::new("/bin/test"), f)
    }

    /// As `lwp`, with a spawn request of one's own for `/bin/test`.
    pub fn lwp_as<T: Send + 'static>(&self, request: Request, f: impl FnOnce(&Sys) -> T + Send + 'static) -> Handle<T> {
        let result = Arc::new(Mutex::new(None));
        let slot = result.clone();
        let key = {
            let mut w = self.machine.world();
            let key = w.bodies.len().to_string();
            w.bodies.push(Some(Box::new(move |sys: &Sys| put(&slot, f(sys)))));
            key
        };
        let pid = self.init(move |sys| sys.spawn(&request.arg(&key)));
        let pid = pid.unwrap_or_else(|e| panic!("{}: no test process: {e}", self.seed()));
        Handle { pid, tid: self.thread_of(pid), result }
    }

    fn thread_of(&self, pid: Pid) -> Tid {
        let found = self.machine.world().threads.get(&pid).copied();
        found.unwrap_or_else(|| panic!("{}: pid {pid} has no thread", self.seed()))
    }

    /// Runs until the process is over, reaps it, and answers what its closure did.
    pub fn join<T>(&self, h: Handle<T>) -> T {
        match self.end(h) {
            (Some(v), _) => v,
            (None, status) => panic!("{}: the process ended early, wait status {status:#x}", self.seed()),
        }
    }

    /// As `join`, with the wait status; no result when the process ended before it had one.
    pub fn end<T>(&self, h: Handle<T>) -> (Option<T>, u32) {
        let pid = h.pid;
        self.run_to(Goal::Done(h.tid), "a process");
        let status = self.init(move |sys| sys.waitpid(pid));
        let status = status.unwrap_or_else(|e| panic!("{}: waiting for pid {pid}: {e}", self.seed()));
        (take(&h.result), status)
    }

    /// As `end`, under faults: the process may have failed to start, or its end may be lost.
    pub fn end_quietly<T>(&self, h: Handle<T>) -> Option<T> {
        self.run_to(Goal::Done(h.tid), "a process");
        take(&h.result)
    }

    fn run_to(&self, goal: Goal, whom: &str) {
        if self.machine.sched.run(goal, true) == Ran::Stuck {
            panic!("{}: deadlock: {whom} never ends\n{}", self.seed(), self.describe());
        }
    }

    /// Threads and processes, for a message.
    pub fn describe(&self) -> String {
        let mut out = self.machine.sched.table();
        for p in self.live_procs() {
            let lp = p.lwp.lock().clone();
            let (nr, flags) = lp.map_or((0, 0), |l| (l.nr.load(Relaxed), l.flags.load(Relaxed)));
            let name = abi::syscalls::by_number(nr).map_or("user code", |s| s.name);
            out += &format!("  pid {} in {name}, lwp flags {flags:#x}, dying {:#x}\n", p.pid, p.dying.load(Relaxed));
        }
        out
    }

    /// Lets everybody run until all sleep; the clock stands still.
    pub fn run_until_quiet(&self) {
        self.machine.sched.run(Goal::Quiet, false);
    }

    /// As `run_until_quiet`, and this process must be asleep in the kernel then.
    pub fn run_until_asleep<T>(&self, h: &Handle<T>) {
        self.run_until_quiet();
        let status = self.machine.sched.status(h.tid);
        assert!(matches!(status, Status::Parked { .. }), "{}: pid {} is {status:?}", self.seed(), h.pid);
    }

    /// So many scheduling points.
    pub fn run_points(&self, n: u64) {
        self.machine.sched.run(Goal::Points(n), false);
    }

    /// True when its thread has ended.
    pub fn is_over<T>(&self, h: &Handle<T>) -> bool {
        self.machine.sched.status(h.tid) == Status::Done
    }

    /// Runs until nobody is left but pid 1, or nobody will ever wake; the clock jumps.
    pub fn run(&self) {
        loop {
            self.run_until_quiet();
            if !self.machine.sched.jump() {
                return;
            }
        }
    }

    /// Moves the clock on.
    pub fn advance(&self, ns: u64) {
        self.machine.sched.advance(ns);
    }

    /// An interrupt, on a thread of its own as if on another CPU; answers when it is over.
    pub fn intr(&self, irq: u32, arg: u32) {
        let kernel = self.kernel.clone();
        let tid = self.machine.sched.spawn("interrupt", move |_| {
            kernel.intr(irq, arg);
            assert!(ksync::sim::held().is_empty(), "an interrupt returned with locks held");
        });
        self.run_to(Goal::Done(tid), "an interrupt");
    }

    /// Input on a unit, and the interrupt if the kernel waits for it.
    pub fn input(&self, unit: u32, bytes: &[u8]) {
        self.change_unit(unit, |u| u.input.extend(bytes));
    }

    /// No more input will come.
    pub fn input_ends(&self, unit: u32) {
        self.change_unit(unit, |u| u.eof = true);
    }

    /// How many bytes a unit takes from now on before it says EAGAIN.
    pub fn set_room(&self, unit: u32, room: usize) {
        self.change_unit(unit, |u| u.room = room);
    }

    fn change_unit(&self, unit: u32, f: impl FnOnce(&mut machine::Unit)) {
        let armed = {
            let mut w = self.machine.world();
            let u = w.unit(unit).unwrap_or_else(|e| panic!("unit {unit}: {e}"));
            f(u);
            core::mem::take(&mut u.armed)
        };
        if armed {
            self.intr(irq::DEVICE, unit);
        }
    }

    /// What was written to a unit so far.
    pub fn output(&self, unit: u32) -> Vec<u8> {
        let mut w = self.machine.world();
        match unit {
            0..3 => w.units[unit as usize].output.clone(),
            _ => w.attached.get_mut(&unit).map(|u| u.output.clone()).unwrap_or_default(),
        }
    }

    /// As `output`, and forgets it.
    pub fn take_output(&self, unit: u32) -> Vec<u8> {
        self.machine.world().unit(unit).map(|u| core::mem::take(&mut u.output)).unwrap_or_default()
    }

    /// Attaches a device, of a `types::devctl::KIND_` and with a command as `types::attach` has it.
    pub fn attach(&self, unit: u32, kind: u32, command: &[u8]) {
        self.machine.world().attached.insert(unit, machine::Unit::attached(kind, command));
        self.intr(irq::ATTACH, unit);
    }

    /// The one at the other end goes.
    pub fn hang_up(&self, unit: u32) {
        self.intr(irq::HANGUP, unit);
    }

    /// The window of a terminal gets another size.
    pub fn resize(&self, unit: u32, rows: u16, cols: u16) {
        self.change_unit(unit, |u| u.size = Winsize { rows, cols });
        self.intr(irq::WINCH, unit);
    }

    /// How what ran on an attached device ended, if it has.
    pub fn exited(&self, unit: u32) -> Option<u32> {
        self.machine.world().attached.get(&unit)?.exited
    }

    /// What the kernel said.
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&self.machine.world().console).into_owned()
    }

    /// The wait status of the vkernel, once it has halted.
    pub fn exit_status(&self) -> Option<u32> {
        self.machine.world().halted
    }

    /// Processes of which anything is left in memory.
    pub fn live_procs(&self) -> Vec<Arc<Proc>> {
        self.machine.world().procs.iter().filter_map(alloc::sync::Weak::upgrade).collect()
    }

    /// The n-th host call from now on that can fail does.
    pub fn fail_nth_hypercall(&self, n: u64) {
        let mut w = self.machine.world();
        w.faults.nth = Some(w.faults.calls + n);
    }

    /// The n-th object to be made from now on finds the kernel's memory short, and so do `more` after it.
    pub fn fail_nth_admission(&self, n: u64, more: u64) {
        let mut w = self.machine.world();
        let at = w.faults.admissions + n;
        w.faults.short = at..at.saturating_add(more).saturating_add(1);
    }

    /// Objects that were to be made so far.
    pub fn admissions(&self) -> u64 {
        self.machine.world().faults.admissions
    }

    /// One in `n` of the host calls that can fail does.
    pub fn fail_hypercalls(&self, n: u64) {
        self.machine.world().faults.one_in = n;
    }

    /// Host calls that could have failed so far.
    pub fn hypercalls(&self) -> u64 {
        self.machine.world().faults.calls
    }

    /// No more faults.
    pub fn heal(&self) {
        let mut w = self.machine.world();
        w.faults.nth = None;
        w.faults.one_in = 0;
        w.faults.short = 0..0;
    }

    /// For messages.
    pub fn seed(&self) -> String {
        format!("seed {}", self.machine.sched.seed())
    }

    /// All children of pid 1 are killed and reaped; then nothing may be left of them.
    pub fn check_idle(&self) {
        self.heal();
        self.init(|sys| {
            let _ = sys.kill(-1, abi::types::sig::KILL);
            while sys.wait4(-1, 0).is_ok() {}
        });
        self.run();
        let left: Vec<Pid> = self.kernel.procs.tree.lock().map.keys().copied().collect();
        assert_eq!(left, [1], "{}: processes are left", self.seed());
        let live: Vec<Pid> = self.live_procs().iter().map(|p| p.pid).collect();
        assert_eq!(live, [1], "{}: the memory of processes is left", self.seed());
        let spaces = self.machine.world().vmspaces.len();
        assert_eq!(spaces, 1, "{}: address spaces are left", self.seed());
        assert!(self.machine.world().uploads.is_empty(), "{}: unfinished images are left", self.seed());
    }

    /// Ends pid 1, and so the kernel, with an exit code; answers the machine's status.
    pub fn shutdown(&self, code: i32) -> u32 {
        self.try_init(move |sys| sys.exit(code));
        match self.exit_status() {
            Some(status) => wait::shell_status(status),
            None => panic!("{}: pid 1 has ended, but the machine has not halted", self.seed()),
        }
    }
}

impl Drop for Vk {
    fn drop(&mut self) {
        // After a failure the threads stay where they are: locks may be held.
        if !std::thread::panicking() {
            if self.exit_status().is_none() {
                self.check_idle();
            }
            self.machine.sched.abandon();
        }
    }
}
