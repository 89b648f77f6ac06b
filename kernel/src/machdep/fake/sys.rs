//! What a test's program calls: system calls with Rust's types.
//!
//! Arguments are put into the process's memory and results taken out of it, so a call goes
//! through `trap` and `copyin` as a real one does. The wrappers use the memory from
//! [`SCRATCH`] on; what [`Sys::alloc`] gives is the test's own.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use abi::syscalls::{Module, SYSCALLS, Syscall, UAddr, registers};
use abi::trapframe::{ACTION_DELIVER, ACTION_RESTART, ACTION_UNWIND, Next, Reason, step};
use abi::types::{Sigaction, Siginfo};
use abi::{Errno, SysResult};

use super::boot::Body;
use super::lwp::{Left, leave};
use super::machine::FakeMachine;
use super::sched::Tid;
use crate::kern::proc::Lwp;

/// Where the wrappers' memory begins. Below it nothing is ever put.
const SCRATCH: usize = 1024;

/// The system as one process's program sees it.
pub struct Sys {
    pub machine: Arc<FakeMachine>,
    pub lp: Arc<Lwp>,
    me: Tid,
    /// The next free byte for a wrapper, and where the test's own memory ends.
    top: Cell<usize>,
    floor: Cell<usize>,
    /// Of signals: the program's table of functions, from index 1 on.
    handlers: RefCell<Vec<Handler>>,
}

/// A signal's handler.
pub type Handler = Arc<dyn Fn(&Sys, u32, Option<Siginfo>)>;

/// What an argument is in a register.
pub trait Reg {
    fn reg(self) -> u64;
}
macro_rules! reg { ($($t:ty as $via:ty)*) => { $(impl Reg for $t { fn reg(self) -> u64 { self as $via as u64 } })* } }
reg!(i32 as u32 u32 as u32 u64 as u64 i64 as u64 usize as u64);
impl Reg for UAddr {
    fn reg(self) -> u64 {
        self.0 as u64
    }
}

/// A call of the table by module and name.
pub fn row(module: Module, name: &str) -> &'static Syscall {
    let found = SYSCALLS.iter().find(|s| s.module == module && s.name == name);
    found.unwrap_or_else(|| panic!("no system call is called {name}"))
}

impl Sys {
    pub fn new(machine: Arc<FakeMachine>, lp: Arc<Lwp>, me: Tid) -> Sys {
        Sys { machine, lp, me, top: Cell::new(SCRATCH), floor: Cell::new(SCRATCH), handlers: RefCell::default() }
    }

    /// A fresh program.
    pub(super) fn reset(&self) {
        self.top.set(SCRATCH);
        self.floor.set(SCRATCH);
        self.handlers.borrow_mut().clear();
    }

    // The machine's side.

    /// A system call by number with its registers, as the stub makes it. Does not come back when
    /// user code must be left.
    pub fn trap(&self, nr: u32, a: [u64; 6]) -> i64 {
        loop {
            self.checkpoint();
            let answer = crate::trap(&self.lp, nr, a[0], a[1], a[2], a[3], a[4], a[5]);
            assert!(ksync::sim::held().is_empty(), "{nr} returned with locks held: {:?}", ksync::sim::held());
            let answer = self.act(answer);
            if answer != ACTION_RESTART {
                self.checkpoint();
                return answer;
            }
        }
    }

    /// Does what an answer of the kernel's wants done, as the stub.
    pub(super) fn act(&self, mut answer: i64) -> i64 {
        loop {
            match answer {
                ACTION_UNWIND => leave(Left::Because(Reason::Unwound, 0)),
                ACTION_DELIVER => answer = self.deliver(),
                _ => return answer,
            }
        }
    }

    /// Runs a handler.
    fn deliver(&self) -> i64 {
        let step = |what, a, b| crate::kern::sigframe::signal(&self.lp, what, a, b);
        let what = step(step::HANDLER, 0, 0);
        let (mask, result) = (step(step::MASK, 0, 0), step(step::RESULT, 0, 0));
        let handler = self.handlers.borrow().get((what as u32 as usize).wrapping_sub(1)).cloned();
        let Some(handler) = handler else { self.fault(Reason::TableBounds) };
        // What the interrupted call has put into memory stays.
        let (top, floor) = (self.top.get(), self.floor.replace(self.top.get()));
        self.checkpoint();
        let info = (what & step::SIGINFO != 0).then(|| {
            let at = self.room(Siginfo::SIZE);
            self.call("siginfo", &[at.reg()]).expect("siginfo");
            Siginfo::from_bytes(&self.peek(at, Siginfo::SIZE)).expect("as long as it is")
        });
        handler(self, (what >> 32) as u32 & 0xff, info);
        self.checkpoint();
        self.floor.set(floor);
        self.top.set(top);
        step(step::RETURN, mask, result)
    }

    /// sigaction(2) with a handler; answers what it was.
    pub fn handle(
        &self,
        signal: u32,
        flags: u32,
        mask: u64,
        handler: impl Fn(&Sys, u32, Option<Siginfo>) + 'static,
    ) -> SysResult<Sigaction> {
        self.handlers.borrow_mut().push(Arc::new(handler));
        let index = self.handlers.borrow().len() as u32;
        let was = self.sigact(signal, &Sigaction { handler: index, flags, mask })?;
        self.machine.world().handling.insert(self.lp.proc.pid);
        Ok(was)
    }

    /// A preemption point, as at a loop's head.
    pub fn checkpoint(&self) {
        self.machine.sched.point(self.me);
        let kicked = self.machine.world().kicked.remove(&self.me);
        if kicked {
            match self.lp.kernel.lwp_next(&self.lp, Reason::Kicked, 0) {
                Next::Resume => {}
                Next::Signal => {
                    let answer = crate::kern::sigframe::signal(&self.lp, step::POLL, 0, 0);
                    self.act(answer);
                }
                next => leave(Left::Already(next)),
            }
        }
    }

    /// Computes without a system call, for ever.
    pub fn spin(&self) -> ! {
        loop {
            self.checkpoint();
        }
    }

    /// Rests in user code until the test or a kick has something for it.
    pub fn idle(&self) {
        self.machine.sched.idle(self.me);
        self.checkpoint();
    }

    /// A fault of the program.
    pub fn fault(&self, reason: Reason) -> ! {
        leave(Left::Because(reason, 0))
    }

    /// fork(2): the child does `f` and exits; it has the caller's memory. Answers the child's pid.
    pub fn fork(&self, f: impl FnOnce(&Sys) + Send + 'static) -> SysResult<i32> {
        let floor = self.floor.get();
        let body: Body = Box::new(move |sys| {
            // What the caller has allocated is the child's, too.
            sys.floor.set(floor);
            sys.fresh();
            f(sys);
        });
        let frames = {
            let mut w = self.machine.world();
            let frames = w.number();
            w.forked.insert(frames, body);
            frames
        };
        let pid = self.call("fork_at", &[frames.reg()]);
        if pid.is_err() {
            self.machine.world().forked.remove(&frames);
        }
        pid.map(|p| p as i32)
    }

    /// The arguments of the program.
    pub fn argv(&self) -> Vec<String> {
        let args = self.lp.proc.program.lock().args.clone();
        args.iter().map(|a| String::from_utf8_lossy(a).into_owned()).collect()
    }

    // Calls by name.

    /// Makes a call of the table; arguments of long calls are packed as stubs do.
    pub fn call_row(&self, row: &Syscall, args: &[u64]) -> i64 {
        assert_eq!(row.args.len(), args.len(), "arguments of {}", row.name);
        let kinds: Vec<_> = row.args.iter().map(|a| a.1).collect();
        let mut regs = [0u64; 6];
        registers(&kinds, |i, reg, upper| {
            if upper {
                regs[reg] = regs[reg] & 0xffff_ffff | args[i] << 32;
            } else {
                regs[reg] |= args[i];
            }
        });
        self.trap(row.nr, regs)
    }

    /// A native call.
    pub fn call(&self, name: &str, args: &[u64]) -> SysResult<i64> {
        let answer = self.call_row(row(Module::vkernel, name), args);
        if answer >= 0 {
            return Ok(answer);
        }
        Err(Errno::from_raw(-answer as u32).unwrap_or_else(|| panic!("{name} answered {answer}")))
    }

    /// A WASI call.
    pub fn wasi(&self, name: &str, args: &[u64]) -> SysResult<()> {
        match self.call_row(row(Module::wasi, name), args) {
            0 => Ok(()),
            e => Err(Errno::from_raw(e as u32).unwrap_or_else(|| panic!("{name} answered {e}"))),
        }
    }

    // Memory.

    /// Memory of the test's own.
    pub fn alloc(&self, len: usize) -> UAddr {
        let at = self.floor.get();
        self.floor.set(at + len.next_multiple_of(8));
        self.fresh();
        self.grow(self.floor.get());
        UAddr(at as u32)
    }

    /// Forgets what earlier wrappers put.
    pub(super) fn fresh(&self) {
        self.top.set(self.floor.get());
    }

    /// Space for one call.
    pub(super) fn room(&self, len: usize) -> UAddr {
        let at = self.top.get();
        self.top.set(at + len.next_multiple_of(8));
        self.grow(self.top.get());
        UAddr(at as u32)
    }

    /// Bytes for one call.
    pub(super) fn put(&self, bytes: &[u8]) -> UAddr {
        let at = self.room(bytes.len());
        self.poke(at, bytes);
        at
    }

    /// `memory.grow` until there are `len` bytes. False at the limit.
    pub fn try_grow(&self, len: usize) -> bool {
        let mut w = self.machine.world();
        let Some(space) = w.vmspaces.get_mut(&self.lp.proc.vmspace) else { return false };
        let size = len.next_multiple_of(64 << 10).max(space.mem.len());
        if size > space.mem.len() && size as u64 > space.limit {
            return false;
        }
        space.mem.resize(size, 0);
        space.peak = space.peak.max(size as u64);
        true
    }

    fn grow(&self, len: usize) {
        assert!(self.try_grow(len), "the program is out of memory at {len} bytes");
    }

    pub fn memory_size(&self) -> usize {
        self.with_memory(|m| m.len())
    }

    fn with_memory<T>(&self, f: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut w = self.machine.world();
        match w.vmspaces.get_mut(&self.lp.proc.vmspace) {
            Some(space) => f(&mut space.mem),
            None => panic!("a program without memory"),
        }
    }

    pub fn peek(&self, at: UAddr, len: usize) -> Vec<u8> {
        self.with_memory(|m| m[at.0 as usize..][..len].to_vec())
    }
    pub fn poke(&self, at: UAddr, bytes: &[u8]) {
        self.with_memory(|m| m[at.0 as usize..][..bytes.len()].copy_from_slice(bytes));
    }
    pub fn peek32(&self, at: UAddr) -> u32 {
        let b = self.peek(at, 4);
        u32::from_le_bytes([b[0], b[1], b[2], b[3]])
    }
    pub fn peek64(&self, at: UAddr) -> u64 {
        self.peek32(at) as u64 | (self.peek32(at.offset(4)) as u64) << 32
    }
}
