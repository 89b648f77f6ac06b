//! Processes and lwps, and the tree they stand in.
//!
//! A [`Proc`] lives from `spawn` until its parent (or the kernel, for orphans without an init) has
//! waited for it; its one [`Lwp`] lives until the machine says `lwp_gone`. What a process has of
//! its own stands in `Proc`; what relates processes to each other (parent, children, group,
//! session, state) stands in the [`Tree`], under one lock, BSD's `proctree`.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use abi::syscalls::UAddr;
use abi::types::limits;
use abi::{Errno, SysResult};
use ksync::SpinLock;

use crate::Kernel;
use crate::kern::cred::Ucred;
use crate::kern::descrip::Filedesc;
use crate::kern::exec::Image;
use crate::kern::itimer::Timers;
use crate::kern::resource::Limits;
use crate::kern::sigact::Signals;
use crate::kern::sigframe::Frame;
use crate::kern::synch::{WaitQueue, Waiter};
use crate::locks;
use crate::machdep::MachineRef;
use crate::vfs::file::File;
use crate::vfs::vnode::VnodeRef;

pub type Pid = i32;

/// Bits of `Lwp::flags`: why `trap` must not just return.
pub mod lwpflag {
    /// The process is to die; its exit status is set.
    pub const KILLED: u32 = 1;
    /// The process is stopped: it waits at the end of its system call.
    pub const STOPPED: u32 = 2;
    /// User code is left for good: exit or exec.
    pub const UNWIND: u32 = 4;
    /// A caught signal has come: the system call that sleeps, or the next, ends with EINTR.
    pub const CAUGHT: u32 = 8;
    /// A signal with a handler has come: the sleep ends, and the handler runs before user code goes on. May be set without one.
    pub const SIGNAL: u32 = 16;
}

/// A thread of control. Made with its process, pinned to its kernel stack.
pub struct Lwp {
    pub proc: Arc<Proc>,
    pub kernel: Arc<Kernel>,
    /// `lwpflag`s.
    pub flags: AtomicU32,
    /// The system call in progress, 0 in user code. For the tracer and the epitaph.
    pub nr: AtomicU32,
    /// What it sleeps on.
    pub waiter: Arc<Waiter>,
    /// The handler that the stub is about to call.
    pub frame: Frame,
    /// The machine's own: its name for the lwp, its stack.
    pub md: MdLwp,
}

/// What a machine keeps with an lwp.
#[derive(Default)]
pub struct MdLwp {
    /// How the `clock` hypercall names it.
    pub id: AtomicU32,
    /// Base of the kernel stack, 0 before the machine made one.
    pub kstack: AtomicU32,
}

impl Lwp {
    pub fn new(kernel: &Arc<Kernel>, proc: &Arc<Proc>) -> Arc<Lwp> {
        Arc::new(Lwp {
            proc: proc.clone(),
            kernel: kernel.clone(),
            flags: AtomicU32::new(0),
            nr: AtomicU32::new(0),
            waiter: Waiter::new(kernel.machine.clone()),
            frame: Frame::default(),
            md: MdLwp::default(),
        })
    }

    #[inline]
    pub fn machine(&self) -> &MachineRef {
        &self.kernel.machine
    }

    /// True when a sleep must end with EINTR, which is noted for SA_RESTART.
    #[inline]
    pub fn interrupted(&self) -> bool {
        let flags = self.flags.load(Ordering::SeqCst);
        let yes =
            flags & (lwpflag::KILLED | lwpflag::CAUGHT) != 0 || flags & lwpflag::SIGNAL != 0 && self.has_handler_due();
        if yes {
            self.frame.interrupted.store(self.nr.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        yes
    }

    pub fn set_flag(&self, flag: u32) {
        self.flags.fetch_or(flag, Ordering::SeqCst);
    }
    pub fn clear_flag(&self, flag: u32) {
        self.flags.fetch_and(!flag, Ordering::SeqCst);
    }

    /// Whoever sends a signal sets the flag when the signal is pending, and its handler may have run by then: what
    /// such a flag would interrupt has nothing to do with it.
    fn has_handler_due(&self) -> bool {
        let s = self.proc.signals.lock();
        let due = s.deliverable(&self.proc) != 0;
        if !due {
            // With the lock held: who makes one pending after this sets the flag after this.
            self.clear_flag(lwpflag::SIGNAL);
        }
        due
    }

    /// The open file behind a descriptor, as a reference of its own: `close` may run while we sleep.
    #[inline]
    pub fn file(&self, fd: i32) -> SysResult<Arc<File>> {
        self.proc.files.get(fd)
    }
}

/// Arguments or environment of a program: strings with a NUL after each, as they will stand in
/// its memory.
#[derive(Default, Clone)]
pub struct Strings {
    pub buf: Vec<u8>,
    pub count: usize,
}

impl Strings {
    /// EINVAL for a NUL inside, E2BIG past ARG_MAX, ENOMEM.
    pub fn push(&mut self, s: &[u8]) -> SysResult<()> {
        if s.contains(&0) {
            return Err(Errno::EINVAL);
        }
        if self.buf.len() + s.len() + 1 > limits::ARG_MAX {
            return Err(Errno::E2BIG);
        }
        self.buf.try_reserve(s.len() + 1).map_err(|_| Errno::ENOMEM)?;
        self.buf.extend_from_slice(s);
        self.buf.push(0);
        self.count += 1;
        Ok(())
    }
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.buf.split_inclusive(|&b| b == 0).map(|s| &s[..s.len() - 1])
    }
}

/// The program a process runs.
#[derive(Default, Clone)]
pub struct Program {
    pub image: Option<Arc<Image>>,
    /// Last component of the path, for `ps`.
    pub comm: Vec<u8>,
    pub args: Arc<Strings>,
    pub env: Arc<Strings>,
}

/// Where a process stands in the file tree.
#[derive(Clone)]
pub struct Dirs {
    pub cwd: VnodeRef,
    pub root: VnodeRef,
}

/// A process.
pub struct Proc {
    pub pid: Pid,
    /// Written under the proctree lock; read by anyone at any time.
    pub ppid: AtomicI32,
    pub pgid: AtomicI32,
    pub sid: AtomicI32,
    pub files: Filedesc,
    pub cred: Ucred,
    pub umask: AtomicU32,
    pub limits: Limits,
    /// -20 to 19; see `kern::prio`.
    pub nice: AtomicI32,
    /// Its locks of fcntl(2). Only its own lwp changes it.
    pub locks_held: AtomicU32,
    /// The host's address space; 0 when it has none (kernel processes).
    pub vmspace: u32,
    pub started_ns: u64,
    /// Where a forked child's program finds how it is to go on; 0 in others.
    pub frames: AtomicU32,
    /// Signals that are ignored, a bit each (`sig::bit`). These four words are changed under the lock of `signals`.
    pub ignored: AtomicU64,
    /// Signals that are caught without a handler: they end a sleep and wait for `sigtimedwait`.
    pub caught: AtomicU64,
    /// Signals that are held back, and those that have come and wait.
    pub blocked: AtomicU64,
    pub pending: AtomicU64,
    /// Flags of the action for SIGCHLD (`sa`).
    pub child_flags: AtomicU32,
    /// When the next of its timers expires that doesn't count CPU time; `u64::MAX` without one.
    pub alarm_ns: AtomicU64,
    /// For `sigtimedwait`: a blocked or caught signal has come.
    pub signal_event: WaitQueue,
    /// 0, or 1 + the wait status it dies with. The first to set it wins.
    pub dying: AtomicU64,
    /// CPU time of its waited-for children, user and system, ns. Of a zombie its own is in it.
    pub child_utime_ns: AtomicU64,
    /// The most memory that one of them has had, bytes. As above.
    pub child_peak: AtomicU64,
    /// Set when it has asked for the terminal's raw mode; undone at exit.
    pub raw_tty: AtomicU32,
    /// For `wait`: a child changed its state.
    pub child_event: WaitQueue,
    /// For a stopped process: it may go on.
    pub resume: WaitQueue,
    pub signals: SpinLock<Signals>,
    pub timers: SpinLock<Timers>,
    // Under the proc lock.
    pub dirs: SpinLock<Option<Dirs>>,
    pub program: SpinLock<Program>,
    pub lwp: SpinLock<Option<Arc<Lwp>>>,
}

/// What a new process starts with besides its program.
pub struct NewProc<'a> {
    pub parent: Option<&'a Proc>,
    pub files: Filedesc,
    pub cred: Ucred,
    pub dirs: Option<Dirs>,
    pub vmspace: u32,
    pub program: Program,
    /// Of a forked child: what it finds its stack by. One that isn't becomes another program.
    pub frames: Option<UAddr>,
}

/// Whether a process runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Running,
    /// By this signal; `reported` once a `wait` with WUNTRACED has told.
    Stopped {
        signal: u32,
        reported: bool,
    },
    /// Over, with this wait status; nobody has waited yet.
    Zombie {
        status: u32,
    },
}

/// A process's place in the tree.
pub struct Node {
    pub proc: Arc<Proc>,
    pub state: State,
    pub children: Vec<Pid>,
    /// Continued since the last `wait` with WCONTINUED.
    pub continued: bool,
    /// Nobody will wait for it: it is freed as it exits.
    pub autoreap: bool,
}

/// All processes.
#[derive(Default)]
pub struct Tree {
    pub map: BTreeMap<Pid, Node>,
    last_pid: Pid,
    /// The most there were at once.
    pub peak: usize,
}

/// Highest process number; then they start again, leaving out what is in use.
const PID_MAX: Pid = 99_999;

impl Tree {
    pub fn find(&self, pid: Pid) -> SysResult<&Node> {
        self.map.get(&pid).ok_or(Errno::ESRCH)
    }
    pub fn find_mut(&mut self, pid: Pid) -> SysResult<&mut Node> {
        self.map.get_mut(&pid).ok_or(Errno::ESRCH)
    }
    fn free_pid(&mut self) -> Pid {
        loop {
            self.last_pid = if self.last_pid >= PID_MAX { 2 } else { self.last_pid + 1 };
            // Neither a process nor a group that outlived its leader.
            let pid = self.last_pid;
            let used = self.map.contains_key(&pid)
                || self
                    .map
                    .values()
                    .any(|n| n.proc.pgid.load(Ordering::Relaxed) == pid || n.proc.sid.load(Ordering::Relaxed) == pid);
            if !used {
                return pid;
            }
        }
    }
}

/// The process tree of a kernel.
pub struct Procs {
    /// Held while a signal is sent to more than one process, and while a forked child comes into the tree.
    pub sending: SpinLock<()>,
    pub tree: SpinLock<Tree>,
    pub max: AtomicU32,
}

impl Default for Procs {
    fn default() -> Self {
        Procs {
            sending: SpinLock::new(&locks::SENDING, ()),
            tree: SpinLock::new(&locks::PROCTREE, Tree::default()),
            max: AtomicU32::new(1024),
        }
    }
}

impl Proc {
    /// A process that stands in no tree yet.
    pub fn new(kernel: &Kernel, pid: Pid, new: NewProc<'_>) -> Proc {
        let inherit =
            |f: fn(&Proc) -> &AtomicI32| AtomicI32::new(new.parent.map_or(pid, |p| f(p).load(Ordering::Relaxed)));
        let forked_from = new.parent.filter(|_| new.frames.is_some());
        Proc {
            pid,
            ppid: AtomicI32::new(new.parent.map_or(0, |p| p.pid)),
            pgid: inherit(|p| &p.pgid),
            sid: inherit(|p| &p.sid),
            files: new.files,
            cred: new.cred,
            umask: AtomicU32::new(new.parent.map_or(0o022, |p| p.umask.load(Ordering::Relaxed))),
            limits: new.parent.map_or_else(Limits::default, |p| p.limits.copy()),
            nice: AtomicI32::new(new.parent.map_or(0, |p| p.nice.load(Ordering::Relaxed))),
            locks_held: AtomicU32::new(0),
            vmspace: new.vmspace,
            started_ns: kernel.machine.clock(abi::types::clock::MONOTONIC, 0),
            frames: AtomicU32::new(new.frames.map_or(0, |f| f.0)),
            ignored: AtomicU64::new(new.parent.map_or(0, |p| p.ignored.load(Ordering::Relaxed))),
            caught: AtomicU64::new(forked_from.map_or(0, |p| p.caught.load(Ordering::Relaxed))),
            blocked: AtomicU64::new(new.parent.map_or(0, |p| p.blocked.load(Ordering::Relaxed))),
            pending: AtomicU64::new(0),
            child_flags: AtomicU32::new(forked_from.map_or(0, |p| p.child_flags.load(Ordering::Relaxed))),
            alarm_ns: AtomicU64::new(u64::MAX),
            signals: SpinLock::new(
                &locks::SIGNALS,
                forked_from.map_or_else(Signals::default, |p| p.signals.lock().forked()),
            ),
            timers: SpinLock::new(&locks::TIMERS, Timers::default()),
            signal_event: WaitQueue::new(),
            dying: AtomicU64::new(0),
            child_utime_ns: AtomicU64::new(0),
            child_peak: AtomicU64::new(0),
            raw_tty: AtomicU32::new(0),
            child_event: WaitQueue::new(),
            resume: WaitQueue::new(),
            dirs: SpinLock::new(&locks::PROC, new.dirs),
            program: SpinLock::new(&locks::PROC, new.program),
            lwp: SpinLock::new(&locks::PROC, None),
        }
    }
}

impl Kernel {
    /// Makes a process, a child of `new.parent`, with an lwp that the machine doesn't know yet. EAGAIN at
    /// the limit on processes.
    pub fn proc_create(self: &Arc<Kernel>, new: NewProc<'_>) -> SysResult<Arc<Lwp>> {
        let mut tree = self.procs.tree.lock();
        let live = tree.map.len();
        let cap = self.procs.max.load(Ordering::Relaxed) as usize;
        let over = |p: &Proc| p.cred.euid() != 0 && count_of(&tree, p.cred.uid()) as u64 >= p.limits.nproc();
        if live >= cap || new.parent.is_some_and(over) {
            return Err(Errno::EAGAIN);
        }
        let parent = new.parent.map(|p| p.pid);
        let pid = tree.free_pid();
        let proc = Arc::new(Proc::new(self, pid, new));
        // Before anybody can find it: a signal is told to the lwp.
        let lp = Lwp::new(self, &proc);
        *proc.lwp.lock() = Some(lp.clone());
        let node = Node { proc, state: State::Running, children: Vec::new(), continued: false, autoreap: false };
        tree.map.insert(pid, node);
        tree.peak = tree.peak.max(live + 1);
        if let Some(parent) = parent
            && let Ok(parent) = tree.find_mut(parent)
        {
            parent.children.push(pid);
        }
        Ok(lp)
    }

    /// Takes a process that never ran out of the tree again.
    pub fn proc_undo(&self, proc: &Proc) {
        let mut tree = self.procs.tree.lock();
        tree.map.remove(&proc.pid);
        if let Ok(parent) = tree.find_mut(proc.ppid.load(Ordering::Relaxed)) {
            parent.children.retain(|&c| c != proc.pid);
        }
    }

    /// The process with this number, zombies too. ESRCH.
    pub fn proc_find(&self, pid: Pid) -> SysResult<Arc<Proc>> {
        self.procs.tree.lock().find(pid).map(|n| n.proc.clone())
    }
}

/// Processes of a real user.
fn count_of(tree: &Tree, uid: u32) -> usize {
    tree.map.values().filter(|n| n.proc.cred.uid() == uid).count()
}

pub fn sys_getpid(lp: &Lwp) -> SysResult<i32> {
    Ok(lp.proc.pid)
}

pub fn sys_getppid(lp: &Lwp) -> SysResult<i32> {
    Ok(lp.proc.ppid.load(Ordering::Relaxed))
}

/// The process meant by a pid argument, 0 for the caller.
fn target(lp: &Lwp, pid: Pid) -> SysResult<Arc<Proc>> {
    if pid == 0 { Ok(lp.proc.clone()) } else { lp.kernel.proc_find(pid) }
}

pub fn sys_getpgid(lp: &Lwp, pid: Pid) -> SysResult<i32> {
    Ok(target(lp, pid)?.pgid.load(Ordering::Relaxed))
}

pub fn sys_getsid(lp: &Lwp, pid: Pid) -> SysResult<i32> {
    Ok(target(lp, pid)?.sid.load(Ordering::Relaxed))
}

/// setpgid(2): the caller or a child of its session that has not executed a program yet; we know no
/// such moment (spawn does both), so any child in the session.
pub fn sys_setpgid(lp: &Lwp, pid: Pid, pgid: Pid) -> SysResult<()> {
    if pgid < 0 {
        return Err(Errno::EINVAL);
    }
    let proc = target(lp, pid)?;
    let pgid = if pgid == 0 { proc.pid } else { pgid };
    let sid = lp.proc.sid.load(Ordering::Relaxed);
    let tree = lp.kernel.procs.tree.lock();
    if proc.pid != lp.proc.pid && proc.ppid.load(Ordering::Relaxed) != lp.proc.pid {
        return Err(Errno::ESRCH);
    }
    // A session leader stays where it is.
    if proc.sid.load(Ordering::Relaxed) != sid || proc.sid.load(Ordering::Relaxed) == proc.pid {
        return Err(Errno::EPERM);
    }
    if pgid != proc.pid && !group_in_session(&tree, pgid, sid) {
        return Err(Errno::EPERM);
    }
    proc.pgid.store(pgid, Ordering::Relaxed);
    Ok(())
}

/// True when the group has a member in the session.
pub fn group_in_session(tree: &Tree, pgid: Pid, sid: Pid) -> bool {
    tree.map.values().any(|n| n.proc.pgid.load(Ordering::Relaxed) == pgid && n.proc.sid.load(Ordering::Relaxed) == sid)
}

/// setsid(2). EPERM for a group leader.
pub fn sys_setsid(lp: &Lwp) -> SysResult<i32> {
    let pid = lp.proc.pid;
    let tree = lp.kernel.procs.tree.lock();
    if tree.map.values().any(|n| n.proc.pgid.load(Ordering::Relaxed) == pid) {
        return Err(Errno::EPERM);
    }
    lp.proc.sid.store(pid, Ordering::Relaxed);
    lp.proc.pgid.store(pid, Ordering::Relaxed);
    Ok(pid)
}
