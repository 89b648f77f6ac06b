//! The vkernel's portable kernel.
//!
//! It runs in place: whoever makes a system call calls [`trap`] on its own stack, so several CPUs
//! may be in here at once. What it needs of the machine it asks through [`machdep::Machine`]; it
//! contains no unsafe code and no conditional compilation by target.
//!
//! The life of a kernel: [`Kernel::new`], [`Kernel::boot`] (mounts the image; the result may be kept
//! as a memory image and started many times), [`Kernel::start`] (makes pid 1), then per lwp the
//! machine's loop around [`Kernel::lwp_next`], and interrupts by [`Kernel::intr`]. The lock tree
//! stands in [`locks`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "fake"))]
extern crate std;

pub mod compat;
pub mod kern;
pub mod locks;
pub mod machdep;
pub mod net;
pub mod sysent;
pub mod tty;
pub mod uio;
pub mod vfs;

#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use abi::SysResult;
use abi::trapframe::{ACTION_DELIVER, ACTION_UNWIND, FIRST_VMSPACE, Next, Reason, irq};
use abi::types::wait;
use ksync::SpinLock;

use crate::kern::cred::Ucred;
use crate::kern::descrip::Filedesc;
use crate::kern::proc::{Lwp, NewProc, Proc, Procs, Program, lwpflag};
use crate::machdep::{Machine, MachineRef};
use crate::vfs::mount::Mounts;
use crate::vfs::vnode::VnodeRef;

/// One kernel: all its state hangs here.
pub struct Kernel {
    pub machine: MachineRef,
    pub procs: Procs,
    pub mounts: Mounts,
    /// The root directory, from `boot` on.
    pub root: SpinLock<Option<VnodeRef>>,
    pub namecache: vfs::namecache::NameCache,
    pub writeback: Arc<vfs::writeback::Writeback>,
    pub locks: Arc<kern::lockf::Locks>,
    pub console: tty::Console,
    pub ttys: tty::Ttys,
    pub sockets: Arc<net::Registry>,
    pub trace: kern::ktrace::Trace,
    pub hostname: SpinLock<Vec<u8>>,
    /// CLOCK_MONOTONIC at `start`.
    pub started_ns: AtomicU64,
    /// How many lwps may run at the same time; at least 1.
    pub cpus: AtomicU32,
    /// What pid 1 is to become.
    pub init: SpinLock<kern::exec::InitState>,
    ids: AtomicU64,
}

impl Kernel {
    pub fn new(machine: Arc<dyn Machine>) -> Arc<Kernel> {
        Arc::new(Kernel {
            machine: MachineRef::new(machine),
            procs: Procs::default(),
            mounts: Mounts::new(),
            root: SpinLock::new(&locks::MOUNTS, None),
            namecache: Default::default(),
            writeback: Default::default(),
            locks: Default::default(),
            console: Default::default(),
            ttys: Default::default(),
            sockets: Default::default(),
            trace: Default::default(),
            hostname: SpinLock::new(&locks::PROC, b"vkernel".to_vec()),
            started_ns: AtomicU64::new(0),
            cpus: AtomicU32::new(1),
            init: SpinLock::new(&locks::PROC, Default::default()),
            // 1 is the vmspace of pid 1.
            ids: AtomicU64::new(FIRST_VMSPACE as u64),
        })
    }

    /// A number that no other call on this kernel has answered: device, inode and vmspace numbers.
    pub fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Mounts the boot image and the kernel's own file systems. Once, before anything else.
    pub fn boot(self: &Arc<Kernel>) -> SysResult<()> {
        vfs::boot(&self.lwp0())
    }

    /// An lwp of process 0, which stands for the kernel itself: root, at the root directory, not in
    /// the process tree.
    pub fn lwp0(self: &Arc<Kernel>) -> Arc<Lwp> {
        let root = self.root.lock().clone();
        let new = NewProc {
            parent: None,
            files: Filedesc::default(),
            cred: Ucred::new(0, 0),
            dirs: root.map(|r| kern::proc::Dirs { cwd: r.clone(), root: r }),
            vmspace: 0,
            program: Program::default(),
            frames: None,
        };
        Lwp::new(self, &Arc::new(Proc::new(self, 0, new)))
    }

    /// Makes pid 1, which becomes the configured program when its lwp starts. Once, after `boot`.
    pub fn start(self: &Arc<Kernel>) -> SysResult<()> {
        self.started_ns.store(self.machine.clock(abi::types::clock::MONOTONIC, 0), Ordering::Relaxed);
        let dirs = self.lwp0().proc.dirs.lock().clone();
        self.proc_create(NewProc {
            parent: None,
            files: Filedesc::default(),
            cred: Ucred::new(0, 0),
            dirs,
            vmspace: FIRST_VMSPACE,
            program: Program::default(),
            frames: None,
        })
        .map(|_| ())
    }

    /// The lwp of pid 1.
    pub fn first_lwp(&self) -> Option<Arc<Lwp>> {
        self.proc_find(1).ok().and_then(|init| init.lwp.lock().clone())
    }

    /// What an lwp does next, now that it is out of user code for this reason. May sleep. `detail`
    /// is the errno of an `ExecFailed`.
    pub fn lwp_next(self: &Arc<Kernel>, lp: &Arc<Lwp>, reason: Reason, detail: u32) -> Next {
        self.machine.time_passes();
        let next = match reason {
            Reason::Start => kern::exec::first_run(lp),
            Reason::Unwound | Reason::Kicked => kern::exec::after_unwind(lp, reason),
            Reason::Returned => {
                kern::exit::exit(lp, wait::exited(0));
                None
            }
            Reason::ExecFailed => {
                kern::exec::failed_late(lp, detail);
                None
            }
            fault => kern::sig::fault(lp, fault),
        };
        match next {
            Some(next) => next,
            None => {
                kern::exit::finish(lp, reason);
                Next::Gone
            }
        }
    }

    /// The machine has dropped all it had for the lwp.
    pub fn lwp_gone(&self, lp: &Lwp) {
        if lp.proc.vmspace != 0 {
            // ENOENT when it never got one; nothing else can be wrong now.
            let _ = self.machine.vmspace_destroy(lp.proc.vmspace);
        }
    }

    /// An interrupt: on no lwp's account, never sleeps.
    pub fn intr(&self, irq: u32, arg: u32) {
        self.machine.time_passes();
        match irq {
            irq::DEVICE => tty::device_ready(self, arg),
            irq::SIGNAL => kern::sig::console_signal(self, arg),
            irq::WINCH => tty::resized(self, arg),
            irq::ATTACH => tty::attached(self, arg),
            irq::HANGUP => tty::hung_up(self, arg),
            irq::SHUTDOWN => kern::sig::kill_all(self),
            irq::TICK => kern::sig::tick(self, arg),
            _ => {}
        }
    }

    /// Counters as text, a line `name value` each.
    pub fn report(&self) -> String {
        kern::ktrace::report(self)
    }

    /// A line on the console, for what the user must know and no program will tell.
    pub fn log(&self, text: &str) {
        self.machine.cons_write(text.as_bytes());
    }
}

/// A system call: the answer for the stub (`abi::trapframe`).
///
/// The path of a call that doesn't sleep: mark the lwp as in the kernel, dispatch, unmark, and one
/// look at the flags.
#[inline]
#[allow(clippy::too_many_arguments)]
pub fn trap(lp: &Lwp, nr: u32, a0: u64, a1: u64, a2: u64, a3: u64, a4: u64, a5: u64) -> i64 {
    // Exchanges instead of stores: see the drop of `ksync::SpinGuard`.
    lp.nr.swap(nr, Ordering::Relaxed);
    let answer = if lp.kernel.trace.on() {
        kern::ktrace::traced(lp, nr, [a0, a1, a2, a3, a4, a5])
    } else {
        sysent::dispatch(lp, nr, a0, a1, a2, a3, a4, a5)
    };
    lp.nr.swap(0, Ordering::Relaxed);
    if lp.flags.load(Ordering::Relaxed) == 0 { answer } else { ast(lp, nr, answer) }
}

/// What must happen before user code goes on: a stop is sat out, a killed or exiting process leaves, a handler runs.
#[cold]
#[inline(never)]
fn ast(lp: &Lwp, call: u32, answer: i64) -> i64 {
    let nr = lp.frame.interrupted.swap(0, Ordering::Relaxed);
    loop {
        let flags = lp.flags.load(Ordering::SeqCst);
        if flags & (lwpflag::KILLED | lwpflag::UNWIND) != 0 {
            return ACTION_UNWIND;
        }
        // Whoever slept has been told.
        lp.clear_flag(lwpflag::CAUGHT);
        if flags & lwpflag::STOPPED != 0 {
            kern::sig::stopped(lp);
        } else if flags & lwpflag::SIGNAL == 0 || lp.frame.is_taking_over(call) {
            return answer;
        } else if kern::sigframe::begin(lp, nr, answer) {
            return ACTION_DELIVER;
        }
    }
}
