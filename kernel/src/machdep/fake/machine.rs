//! What the fake machine is made of, and [`Machine`] over it.
//!
//! Address spaces are byte vectors, devices are queues, blobs are a map; all of it stands under one
//! mutex that is held for a moment only. Whatever `abi::hypercall` forbids a kernel to do (closing
//! an image twice, destroying an address space somebody is in) is a failure of the test, not an error.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::{Arc, Weak};
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use abi::syscalls::UAddr;
use abi::types::{Winsize, clock, devctl, poll, vmctl};
use abi::{Errno, SysResult};

use super::boot::Body;
use super::disk::Disk;
use super::hostfs::HostDirs;
use super::lwp::{self, Program};
use super::rng::Rng;
use super::sched::{self, Sched, Tid};
use crate::kern::proc::{Lwp, Pid, Proc};
use crate::machdep::{Machine, Parked};

/// What a program's memory is at first.
pub const INITIAL_MEMORY: usize = 64 << 10;
/// CLOCK_REALTIME when CLOCK_MONOTONIC is 0.
const EPOCH_NS: u64 = 1_700_000_000_000_000_000;
/// Where every program was when it last left user code.
pub const FRAMES: [u32; 2] = [7, 300];
/// What a scheduling point costs of CPU time.
const POINT_NS: u64 = 1000;

/// An address space.
pub struct Vmspace {
    pub mem: Vec<u8>,
    pub limit: u64,
    pub peak: u64,
    /// An lwp is in user code, or in a system call from there.
    pub entered: bool,
    /// A copy of another, not entered yet.
    pub forked: bool,
}

/// One of the units 0 to 2, or an attached one.
pub struct Unit {
    pub kind: u32,
    pub input: VecDeque<u8>,
    /// No more input will come.
    pub eof: bool,
    pub output: Vec<u8>,
    /// Bytes it takes before it says EAGAIN.
    pub room: usize,
    pub raw: bool,
    /// The kernel was told EAGAIN or asked by POLL: it gets an interrupt.
    pub armed: bool,
    pub size: Winsize,
    /// What is to run on an attached one, and how that has ended.
    pub command: Vec<u8>,
    pub exited: Option<u32>,
}

impl Unit {
    fn new() -> Unit {
        Unit {
            kind: devctl::KIND_PIPE,
            input: VecDeque::new(),
            eof: false,
            output: Vec::new(),
            room: usize::MAX,
            raw: false,
            armed: false,
            size: Winsize { rows: 25, cols: 80 },
            command: Vec::new(),
            exited: None,
        }
    }
    pub fn attached(kind: u32, command: &[u8]) -> Unit {
        Unit { kind, command: command.to_vec(), ..Unit::new() }
    }
    /// `poll` events that are there.
    fn ready(&self) -> u16 {
        let readable = !self.input.is_empty() || self.eof;
        (if readable { poll::IN } else { 0 }) | (if self.room > 0 { poll::OUT } else { 0 })
    }
}

/// Which host calls fail.
#[derive(Default)]
pub struct Faults {
    /// Calls that could have failed so far.
    pub calls: u64,
    /// This one fails, counted from 1.
    pub nth: Option<u64>,
    /// One in so many fails.
    pub one_in: u64,
    /// The errors given.
    pub given: u64,
    /// Objects that were to be made so far.
    pub admissions: u64,
    /// Those of them that find the kernel's memory short, counted from 1.
    pub short: core::ops::Range<u64>,
}

/// All that isn't the scheduler's.
pub struct World {
    pub vmspaces: BTreeMap<u32, Vmspace>,
    pub images: BTreeMap<u32, String>,
    pub programs: BTreeMap<String, Program>,
    pub uploads: BTreeMap<u32, (u64, Vec<u8>)>,
    pub blobs: BTreeMap<u32, Vec<u8>>,
    pub units: [Unit; 3],
    pub attached: BTreeMap<u32, Unit>,
    pub console: Vec<u8>,
    pub halted: Option<u32>,
    pub faults: Faults,
    /// Programs can have signal handlers; and the processes that have set one.
    pub handlers: bool,
    pub handling: BTreeSet<i32>,
    pub host: Option<HostDirs>,
    pub disks: Vec<Arc<Disk>>,
    /// Thread of each process, by pid.
    pub threads: BTreeMap<Pid, Tid>,
    /// All there ever were, to see that they go.
    pub procs: Vec<Weak<Proc>>,
    /// What the processes of `Vk::lwp` are to do, by number.
    pub bodies: Vec<Option<Body>>,
    /// What forked children do, by the address that `fork_at` was given.
    pub forked: BTreeMap<u32, Body>,
    /// What the program of pid 1 is to do next.
    pub commands: VecDeque<Body>,
    /// To be seen at the next preemption point.
    pub kicked: BTreeSet<Tid>,
    image_error: String,
    next_id: u32,
    fault_rng: Rng,
}

/// The machine. One for each kernel.
pub struct FakeMachine {
    this: Weak<FakeMachine>,
    pub sched: Arc<Sched>,
    world: Mutex<World>,
}

impl FakeMachine {
    pub fn new(seed: u64) -> Arc<FakeMachine> {
        let world = World {
            vmspaces: BTreeMap::new(),
            images: BTreeMap::new(),
            programs: BTreeMap::new(),
            uploads: BTreeMap::new(),
            blobs: BTreeMap::new(),
            units: [Unit::new(), Unit::new(), Unit::new()],
            attached: BTreeMap::new(),
            console: Vec::new(),
            halted: None,
            faults: Faults::default(),
            handlers: true,
            handling: BTreeSet::new(),
            host: None,
            disks: Vec::new(),
            threads: BTreeMap::new(),
            procs: Vec::new(),
            bodies: Vec::new(),
            forked: BTreeMap::new(),
            commands: VecDeque::new(),
            kicked: BTreeSet::new(),
            image_error: String::new(),
            next_id: 100,
            fault_rng: Rng::new(!seed),
        };
        let world = Mutex::new(world);
        Arc::new_cyclic(|this| FakeMachine { this: this.clone(), sched: Sched::new(seed), world })
    }

    /// The world; never over a scheduling point.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disk(&self, unit: u32) -> SysResult<Arc<Disk>> {
        self.world().disks.get(unit as usize).cloned().ok_or(Errno::ENXIO)
    }

    /// The thread that asks. The controller and interrupts are nobody.
    fn me(&self) -> Option<Tid> {
        sched::current().map(|(_, tid)| tid)
    }
}

impl World {
    /// Counts a call that may fail; answers the error if this one does.
    fn may_fail(&mut self, error: Errno) -> SysResult<()> {
        let f = &mut self.faults;
        f.calls += 1;
        if f.nth == Some(f.calls) || f.one_in != 0 && self.fault_rng.one_in(f.one_in) {
            f.given += 1;
            return Err(error);
        }
        Ok(())
    }

    /// A number for a handle or an image; never used twice.
    pub fn number(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    pub fn unit(&mut self, unit: u32) -> SysResult<&mut Unit> {
        match unit {
            0..3 => Ok(&mut self.units[unit as usize]),
            // One whose session is over is forgotten but for what the test wants to know.
            _ => self.attached.get_mut(&unit).filter(|u| u.exited.is_none()).ok_or(Errno::ENXIO),
        }
    }

    /// `#image NAME`, and the program must be known.
    fn new_image(&mut self, content: &[u8]) -> SysResult<u32> {
        let name = content.strip_prefix(b"#image ").and_then(|n| n.split(|&b| b == b'\n').next());
        let name = name.map(|n| String::from_utf8_lossy(n).to_string());
        match name {
            Some(n) if self.programs.contains_key(&n) => {
                let id = self.number();
                self.images.insert(id, n);
                Ok(id)
            }
            Some(n) => self.no_image(&format!("no program is called {n}")),
            None => self.no_image("not an image"),
        }
    }

    fn no_image(&mut self, why: &str) -> SysResult<u32> {
        self.image_error = why.to_string();
        Err(Errno::ENOEXEC)
    }

    /// The memory of the calling lwp's process.
    fn memory(&mut self) -> SysResult<&mut Vec<u8>> {
        let id = lwp::current_vmspace();
        Ok(&mut self.vmspaces.get_mut(&id).ok_or(Errno::EFAULT)?.mem)
    }
}

/// Where `len` bytes at `at` stand in a memory. EFAULT.
fn range(mem: &[u8], at: UAddr, len: usize) -> SysResult<core::ops::Range<usize>> {
    let start = at.0 as usize;
    let end = start.checked_add(len).filter(|&e| e <= mem.len()).ok_or(Errno::EFAULT)?;
    Ok(start..end)
}

impl Machine for FakeMachine {
    fn copyin(&self, src: UAddr, dst: &mut [u8]) -> SysResult<()> {
        let mut w = self.world();
        let mem = w.memory()?;
        dst.copy_from_slice(&mem[range(mem, src, dst.len())?]);
        Ok(())
    }

    fn copyout(&self, src: &[u8], dst: UAddr) -> SysResult<()> {
        let mut w = self.world();
        let mem = w.memory()?;
        let at = range(mem, dst, src.len())?;
        mem[at].copy_from_slice(src);
        Ok(())
    }

    fn clock(&self, id: u32, lwp: u32) -> u64 {
        match id {
            clock::REALTIME => EPOCH_NS.saturating_add(self.sched.now_ns()),
            clock::MONOTONIC => self.sched.now_ns(),
            // Named by the thread's number + 1; 0 is nobody.
            _ => lwp.checked_sub(1).map_or(0, |t| self.sched.points_of(t as Tid) * POINT_NS),
        }
    }

    fn random(&self, buf: &mut [u8]) {
        self.sched.fill(buf);
    }

    fn park(&self, word: &AtomicU32, expected: u32, deadline_ns: u64) -> Parked {
        match self.me() {
            Some(me) => self.sched.park(me, word, expected, deadline_ns),
            None => panic!("park, but the caller is no lwp"),
        }
    }

    fn unpark(&self, word: &AtomicU32, n: u32) -> u32 {
        self.sched.unpark(word, n)
    }

    fn lwp_create(&self, lp: &Arc<Lwp>) -> SysResult<()> {
        self.world().may_fail(Errno::EAGAIN)?;
        lwp::start(&self.this.upgrade().ok_or(Errno::EAGAIN)?, lp);
        Ok(())
    }

    fn lwp_kick(&self, lp: &Lwp, how: u32) {
        // A stop is sat out in the kernel, so there is nothing to let go.
        if how == abi::trapframe::kick::GO || how >= abi::trapframe::kick::NICE {
            return;
        }
        let tid = lp.md.id.load(Ordering::Relaxed);
        if let Some(tid) = tid.checked_sub(1) {
            self.world().kicked.insert(tid as Tid);
            self.sched.ready(tid as Tid);
        }
    }

    fn lwp_frames(&self, buf: &mut [u8]) -> SysResult<usize> {
        if !lwp::has_run() {
            return Err(Errno::ENOENT);
        }
        let frames: Vec<u8> = FRAMES.iter().flat_map(|f| f.to_le_bytes()).collect();
        buf[..frames.len()].copy_from_slice(&frames);
        Ok(frames.len())
    }

    fn vmspace_create(&self, id: u32, image: u32, limit: u64) -> SysResult<()> {
        let mut w = self.world();
        w.may_fail(Errno::ENOMEM)?;
        assert!(!w.vmspaces.contains_key(&id), "vmspace_create: EEXIST for {id}");
        if !w.images.contains_key(&image) {
            return Err(Errno::ENOENT);
        }
        if (INITIAL_MEMORY as u64) > limit {
            return Err(Errno::ENOMEM);
        }
        let mem = vec![0; INITIAL_MEMORY];
        w.vmspaces.insert(id, Vmspace { peak: mem.len() as u64, mem, limit, entered: false, forked: false });
        Ok(())
    }

    fn vmspace_fork(&self, id: u32, from: u32) -> SysResult<()> {
        let mut w = self.world();
        w.may_fail(Errno::ENOMEM)?;
        assert!(!w.vmspaces.contains_key(&id), "vmspace_fork: EEXIST for {id}");
        assert_eq!(from, lwp::current_vmspace(), "vmspace_fork: of another lwp's");
        let space = w.vmspaces.get(&from).ok_or(Errno::ENOENT)?;
        let (mem, limit) = (space.mem.clone(), space.limit);
        w.vmspaces.insert(id, Vmspace { peak: mem.len() as u64, mem, limit, entered: false, forked: true });
        Ok(())
    }

    fn vmspace_destroy(&self, id: u32) -> SysResult<()> {
        let mut w = self.world();
        let space = w.vmspaces.get(&id).ok_or(Errno::ENOENT)?;
        assert!(!space.entered, "vmspace_destroy: EBUSY, an lwp is in {id}");
        w.vmspaces.remove(&id);
        Ok(())
    }

    fn vmspace_ctl(&self, id: u32, cmd: u32, arg: u64) -> SysResult<u64> {
        let mut w = self.world();
        w.may_fail(Errno::ENOMEM)?;
        let no_image = !w.images.contains_key(&(arg as u32));
        let space = w.vmspaces.get_mut(&id).ok_or(Errno::ENOENT)?;
        match cmd {
            vmctl::SIZE => Ok(space.mem.len() as u64),
            vmctl::SET_LIMIT => {
                space.limit = arg;
                Ok(0)
            }
            vmctl::PEAK => Ok(space.peak),
            vmctl::EXEC if no_image => Err(Errno::ENOENT),
            vmctl::EXEC if (INITIAL_MEMORY as u64) > space.limit => Err(Errno::ENOMEM),
            // The fresh memory is made at Run.
            vmctl::EXEC => Ok(0),
            vmctl::HANDLERS => Ok(w.handlers as u64),
            _ => Err(Errno::ENOTSUP),
        }
    }

    fn image_begin(&self, size: u64) -> SysResult<u32> {
        let mut w = self.world();
        w.may_fail(Errno::ENOMEM)?;
        let handle = w.number();
        w.uploads.insert(handle, (size, Vec::new()));
        Ok(handle)
    }

    fn image_write(&self, handle: u32, data: &[u8]) -> SysResult<()> {
        let mut w = self.world();
        w.may_fail(Errno::ENOMEM)?;
        let (size, got) = w.uploads.get_mut(&handle).ok_or(Errno::ENOENT)?;
        if got.len() + data.len() > *size as usize {
            return Err(Errno::EINVAL);
        }
        got.extend_from_slice(data);
        Ok(())
    }

    fn image_commit(&self, handle: u32) -> SysResult<u32> {
        let mut w = self.world();
        let (_, content) = w.uploads.remove(&handle).ok_or(Errno::ENOENT)?;
        w.may_fail(Errno::ENOMEM)?;
        w.new_image(&content)
    }

    fn image_blob(&self, blob: u32) -> SysResult<u32> {
        let mut w = self.world();
        w.may_fail(Errno::EIO)?;
        let content = w.blobs.get(&blob).ok_or(Errno::ENOENT)?.clone();
        w.new_image(&content)
    }

    fn image_error(&self, buf: &mut [u8]) -> usize {
        let w = self.world();
        let n = w.image_error.len().min(buf.len());
        buf[..n].copy_from_slice(&w.image_error.as_bytes()[..n]);
        n
    }

    fn image_close(&self, image: u32) {
        let known = self.world().images.remove(&image);
        assert!(known.is_some(), "image_close: ENOENT for {image}");
    }

    fn blob_read(&self, blob: u32, off: u64, buf: &mut [u8]) -> SysResult<usize> {
        let mut w = self.world();
        w.may_fail(Errno::EIO)?;
        let content = w.blobs.get(&blob).ok_or(Errno::ENOENT)?;
        let rest = content.get(off as usize..).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn hostfs_rpc(&self, buf: &mut [u8], len: usize) -> SysResult<usize> {
        let now_ns = EPOCH_NS.saturating_add(self.sched.now_ns());
        let mut w = self.world();
        // As close(2) does, a CLOSE that fails has closed.
        let close = buf.get(..4) == Some(&abi::hostfs::op::CLOSE.to_le_bytes()[..]);
        let fails = w.may_fail(Errno::EIO);
        if fails.is_ok() || close {
            let served = w.host.as_mut().ok_or(Errno::ENOSYS)?.serve(buf, len, now_ns as i64);
            return fails.and(served);
        }
        Err(Errno::EIO)
    }

    fn dev_read(&self, unit: u32, buf: &mut [u8]) -> SysResult<usize> {
        let mut w = self.world();
        w.may_fail(Errno::EIO)?;
        let u = w.unit(unit)?;
        if u.input.is_empty() && !u.eof {
            u.armed = true;
            return Err(Errno::EAGAIN);
        }
        let n = u.input.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(u.input.drain(..n)) {
            *to = from;
        }
        Ok(n)
    }

    fn dev_write(&self, unit: u32, buf: &[u8]) -> SysResult<usize> {
        let mut w = self.world();
        w.may_fail(Errno::EIO)?;
        let u = w.unit(unit)?;
        let n = u.room.min(buf.len());
        if n == 0 && !buf.is_empty() {
            u.armed = true;
            return Err(Errno::EAGAIN);
        }
        u.output.extend_from_slice(&buf[..n]);
        u.room = if u.room == usize::MAX { usize::MAX } else { u.room - n };
        Ok(n)
    }

    fn dev_ctl(&self, unit: u32, cmd: u32, buf: &mut [u8]) -> SysResult<u32> {
        let mut w = self.world();
        let u = w.unit(unit)?;
        match cmd {
            devctl::KIND => Ok(u.kind),
            devctl::GET_WINSIZE if u.kind == devctl::KIND_TTY || u.kind == devctl::KIND_SCREEN => {
                let at = buf.get_mut(..Winsize::SIZE).ok_or(Errno::EINVAL)?;
                at.copy_from_slice(&u.size.to_bytes());
                Ok(0)
            }
            devctl::SET_RAW if u.kind == devctl::KIND_TTY => {
                u.raw = *buf.first().ok_or(Errno::EINVAL)? != 0;
                Ok(0)
            }
            devctl::COMMAND if unit >= devctl::ATTACHED_FIRST => {
                let n = u.command.len();
                buf.get_mut(..n).ok_or(Errno::ERANGE)?.copy_from_slice(&u.command);
                Ok(n as u32)
            }
            devctl::EXITED if unit >= devctl::ATTACHED_FIRST => {
                u.exited = Some(u32::from_le_bytes(buf.try_into().map_err(|_| Errno::EINVAL)?));
                Ok(0)
            }
            devctl::POLL => {
                let wanted = u16::from_le_bytes(buf.get(..2).and_then(|b| b.try_into().ok()).ok_or(Errno::EINVAL)?);
                let ready = u.ready() & wanted;
                u.armed |= ready != wanted;
                Ok(ready as u32)
            }
            _ => Err(Errno::ENOTTY),
        }
    }

    fn disk_read(&self, unit: u32, offset: u64, buf: &mut [u8]) -> SysResult<()> {
        self.disk(unit)?.state().read(offset, buf)
    }

    fn disk_write(&self, unit: u32, offset: u64, buf: &[u8]) -> SysResult<()> {
        self.disk(unit)?.state().write(offset, buf)
    }

    fn disk_flush(&self, unit: u32) -> SysResult<()> {
        let disk = self.disk(unit)?;
        // Others run meanwhile.
        if let Some(me) = self.me() {
            ksync::sim::assert_may_sleep();
            self.sched.point(me);
        }
        disk.state().flush()
    }

    fn disk_ctl(&self, unit: u32, cmd: u32, arg: u64) -> SysResult<u64> {
        self.disk(unit)?.state().ctl(cmd, arg)
    }

    fn cons_write(&self, text: &[u8]) {
        self.world().console.extend_from_slice(text);
    }

    fn memory(&self) -> (u64, u64) {
        (1 << 20, 64 << 20)
    }

    fn admit(&self) -> SysResult<()> {
        let f = &mut self.world().faults;
        f.admissions += 1;
        if f.short.contains(&f.admissions) { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    fn halt(&self, status: u32) {
        let mut w = self.world();
        assert!(w.halted.is_none(), "halted twice");
        w.halted = Some(status);
        drop(w);
        self.sched.halt();
    }
}
