//! posix_spawn(3) as one system call, and the making of pid 1 from the boot configuration.
//!
//! The child is made first, without an lwp of the host's; its descriptors, directories and program
//! are prepared in its name on the caller's stack; then it starts. Until then nothing but the tree
//! knows it, and a failure takes it out again.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::image::{BLOB_CONFIG, BootConfig, Config};
use abi::syscalls::UAddr;
use abi::types::{devctl, limits, mode, o, sig, spawn as sp};
use abi::wire::Reader;
use abi::{Errno, SysResult};

use crate::kern::descrip::{Slot, kern_dup2};
use crate::kern::exec::{self, Loaded};
use crate::kern::prio;
use crate::kern::proc::{Lwp, NewProc, Proc, Program, Strings, group_in_session};
use crate::kern::sig::UNMASKABLE;
use crate::vfs;
use crate::vfs::lookup::{At, Start};
use crate::vfs::syscalls::{kern_chdir, kern_fchdir, kern_open};
use crate::vfs::vnode::VnodeRef;

/// The largest request: arguments, environment and the rest.
const REQUEST_MAX: u32 = limits::ARG_MAX as u32 + (64 << 10);

/// A request as the kernel's own. E2BIG, EFAULT.
pub fn copy_request(lp: &Lwp, from: UAddr, len: u32) -> SysResult<Vec<u8>> {
    if len > REQUEST_MAX {
        return Err(Errno::E2BIG);
    }
    let mut buf = Vec::new();
    buf.try_reserve_exact(len as usize).map_err(|_| Errno::ENOMEM)?;
    buf.resize(len as usize, 0);
    lp.machine().copyin(from, &mut buf)?;
    Ok(buf)
}

/// A counted list of strings.
pub fn strings(r: &mut Reader<'_>) -> SysResult<Arc<Strings>> {
    let mut s = Strings::default();
    for _ in 0..r.u32()? {
        s.push(r.string()?)?;
    }
    Ok(Arc::new(s))
}

/// Starts a program in a new process; answers its pid.
pub fn sys_spawn(lp: &Lwp, request: UAddr, len: u32) -> SysResult<i32> {
    lp.machine().admit()?;
    let buf = copy_request(lp, request, len)?;
    let child_lp = new_child(lp)?;
    let child = &child_lp.proc;
    match prepare(lp, &child_lp, &mut Reader::new(&buf)).and_then(|()| start(&child_lp)) {
        Ok(()) => Ok(child.pid),
        Err(e) => {
            lp.kernel.proc_undo(child);
            // A group that never came to be must not keep the keyboard.
            crate::tty::session::take_back(lp, child);
            // It may have opened a terminal for a session of its own.
            crate::tty::session::proc_exited(&lp.kernel, child);
            dismantle(child);
            Err(e)
        }
    }
}

fn new_child(lp: &Lwp) -> SysResult<Arc<Lwp>> {
    let p = &lp.proc;
    let dirs = p.dirs.lock().clone();
    lp.kernel.proc_create(NewProc {
        parent: Some(p),
        files: p.files.copy()?,
        cred: p.cred.copy(),
        dirs,
        vmspace: lp.kernel.next_id() as u32,
        program: Program::default(),
        frames: None,
    })
}

/// What a child that never ran holds.
pub(super) fn dismantle(child: &Proc) {
    child.files.clear();
    let dirs = child.dirs.lock().take();
    let program = core::mem::take(&mut *child.program.lock());
    let lwp = child.lwp.lock().take();
    drop((dirs, program, lwp));
}

/// Everything between the request and a child that can start.
fn prepare(lp: &Lwp, child: &Lwp, r: &mut Reader<'_>) -> SysResult<()> {
    let flags = r.u32()?;
    let pgroup = r.i32()?;
    let (mask, defaults) = signal_sets(r, flags)?;
    let path = r.string()?;
    let (args, env) = (strings(r)?, strings(r)?);
    set_groups(lp, child, flags, pgroup)?;
    child.proc.ignored.fetch_and(!defaults, Relaxed);
    if flags & sp::FOREGROUND != 0 {
        // Before the program is loaded, which may take a while: it is this one that the keys are for.
        crate::tty::session::set_foreground(child);
    }
    if flags & sp::RESETIDS != 0 {
        child.proc.cred.reset_effective();
    }
    for _ in 0..r.u32()? {
        file_action(child, r)?;
    }
    if let Some(mask) = mask {
        child.proc.blocked.store(mask & !UNMASKABLE, Relaxed);
    }
    let loaded = if flags & sp::SEARCH_PATH != 0 {
        exec::search(child, path, args, env)?
    } else {
        exec::load(child, path, args, env)?
    };
    become_program(child, loaded)
}

/// The sets that the flags say are there: what is held back, what has its default action.
pub fn signal_sets(r: &mut Reader<'_>, flags: u32) -> SysResult<(Option<u64>, u64)> {
    let mask = if flags & sp::SETMASK != 0 { Some(r.u64()?) } else { None };
    Ok((mask, if flags & sp::SETDEF != 0 { r.u64()? } else { 0 }))
}

/// Gives the child its address space and its program.
fn become_program(child: &Lwp, loaded: Loaded) -> SysResult<()> {
    let image = loaded.program.image.as_ref().map_or(0, |i| i.id);
    child.machine().vmspace_create(child.proc.vmspace, image, exec::memory_limit(child))?;
    exec::commit(child, loaded);
    Ok(())
}

fn set_groups(lp: &Lwp, child: &Lwp, flags: u32, pgroup: i32) -> SysResult<()> {
    let p = &child.proc;
    if flags & sp::SETSID != 0 {
        p.sid.store(p.pid, Relaxed);
        p.pgid.store(p.pid, Relaxed);
    }
    if flags & sp::SETPGROUP != 0 {
        let group = if pgroup == 0 { p.pid } else { pgroup };
        let sid = p.sid.load(Relaxed);
        if group != p.pid && !group_in_session(&lp.kernel.procs.tree.lock(), group, sid) {
            return Err(Errno::EPERM);
        }
        p.pgid.store(group, Relaxed);
    }
    if flags & sp::SIGDEF != 0 {
        p.ignored.store(0, Relaxed);
        p.blocked.store(0, Relaxed);
    }
    if flags & sp::FOREGROUND != 0 && flags & sp::SETDEF == 0 {
        // A shell ignores the keyboard's signals; its foreground job must not. Who says more, means it.
        let keys = [sig::INT, sig::QUIT, sig::TSTP, sig::TTIN, sig::TTOU];
        let keys = keys.iter().fold(0, |m, s| m | sig::bit(*s));
        p.ignored.fetch_and(!keys, Relaxed);
        p.blocked.fetch_and(!keys, Relaxed);
    }
    Ok(())
}

fn file_action(child: &Lwp, r: &mut Reader<'_>) -> SysResult<()> {
    match r.u32()? {
        sp::OPEN => {
            let (fd, flags, mode, path) = (r.i32()?, r.u32()?, r.u32()?, r.string()?);
            let at = At { start: Start::Cwd, path, follow: flags & o::NOFOLLOW == 0, beneath: false };
            let file = kern_open(child, &at, flags, mode)?;
            let slot = Slot::new(file, flags & o::CLOEXEC != 0);
            drop(child.proc.files.replace(fd, slot, child.proc.limits.nofile())?);
            Ok(())
        }
        // posix_spawn_file_actions_addclose: one that isn't open is no error.
        sp::CLOSE => {
            drop(child.proc.files.remove(r.i32()?));
            Ok(())
        }
        sp::DUP2 => {
            let (from, to) = (r.i32()?, r.i32()?);
            if from == to {
                // Only clears close-on-exec.
                return child.proc.files.with_slot(from, |s| s.cloexec = false);
            }
            kern_dup2(child, from, to, false).map(|_| ())
        }
        sp::CHDIR => {
            let path = r.string()?;
            kern_chdir(child, &At { start: Start::Cwd, path, follow: true, beneath: false })
        }
        sp::FCHDIR => kern_fchdir(child, r.i32()?),
        sp::TCSETPGRP => set_foreground(child, r.i32()?),
        _ => Err(Errno::EINVAL),
    }
}

/// posix_spawn_file_actions_addtcsetpgrp_np. EBADF, ENOTTY.
fn set_foreground(child: &Lwp, fd: i32) -> SysResult<()> {
    let device = |vp: &VnodeRef| vp.getattr(child).map(|st| st.rdev);
    let file = child.file(fd)?;
    let tty = crate::tty::session::controlling(child).map_err(|_| Errno::ENOTTY)?;
    if file.vnode.kind() != mode::IFCHR || device(&file.vnode)? != device(&tty)? {
        return Err(Errno::ENOTTY);
    }
    crate::tty::session::set_foreground(child);
    Ok(())
}

/// The machine takes the child over.
pub(super) fn start(child: &Arc<Lwp>) -> SysResult<()> {
    let started = child.machine().lwp_create(child);
    if started.is_err() {
        // It was made a moment ago and nobody is in it.
        let _ = child.machine().vmspace_destroy(child.proc.vmspace);
    } else if child.proc.nice.load(Relaxed) != 0 {
        prio::tell(&child.proc);
    }
    started
}

/// What the boot configuration wants of pid 1.
struct Wanted<'a> {
    program: &'a [u8],
    blob: Option<u32>,
    args: Strings,
    env: Strings,
    workdir: &'a [u8],
    ids: Option<(u32, u32)>,
}

/// Turns pid 1 into the configured program. An error comes with the name of what it is about.
pub fn become_init(lp: &Arc<Lwp>) -> Result<(), (Errno, Vec<u8>)> {
    let config = read_blob(lp, BLOB_CONFIG).map_err(|e| (e, b"boot configuration".to_vec()))?;
    let wanted = configure(lp, &config)?;
    let name = wanted.program;
    let named = |e| (e, name.to_vec());
    open_stdio(lp).map_err(|e| (e, b"/dev/console".to_vec()))?;
    if !wanted.workdir.is_empty() {
        let at = At { start: Start::Cwd, path: wanted.workdir, follow: true, beneath: false };
        kern_chdir(lp, &at).map_err(|e| (e, wanted.workdir.to_vec()))?;
    }
    if let Some((uid, gid)) = wanted.ids {
        lp.proc.cred.become_user(uid, gid);
        vfs::hostfs::set_owner(&lp.kernel, uid, gid);
    }
    let Wanted { args, env, program, blob, .. } = wanted;
    let loaded = match blob {
        Some(blob) => load_blob(lp, blob, program, Arc::new(args), Arc::new(env)),
        None => exec::search(lp, program, Arc::new(args), Arc::new(env)),
    };
    loaded.and_then(|l| become_program(lp, l)).map_err(named)
}

/// No host has more, and a list of them is made in memory.
const CPUS_SHOWN: u32 = 64;

/// Applies what concerns the kernel, and collects what concerns the program.
fn configure<'a>(lp: &Lwp, config: &'a [u8]) -> Result<Wanted<'a>, (Errno, Vec<u8>)> {
    let mut w =
        Wanted { program: b"", blob: None, args: Strings::default(), env: Strings::default(), workdir: b"", ids: None };
    let mut records = BootConfig(Reader::new(config));
    let bad = |e| (e, b"boot configuration".to_vec());
    while let Some(record) = records.next_record().map_err(bad)? {
        match record {
            Config::Program(p) => w.program = p,
            Config::ProgramBlob(blob, name) => (w.blob, w.program) = (Some(blob), name),
            Config::Arg(a) => w.args.push(a).map_err(|e| (e, a.to_vec()))?,
            Config::Env(e) => w.env.push(e).map_err(|err| (err, e.to_vec()))?,
            Config::Workdir(d) => w.workdir = d,
            Config::HostDir(export, flags, path) => {
                vfs::mount_hostdir(lp, export, flags, path).map_err(|e| (e, path.to_vec()))?
            }
            Config::Limit(which, value) => lp.proc.limits.set(which, value),
            Config::TmpfsSize(bytes) => vfs::set_root_limit(lp, bytes),
            Config::MaxProcs(n) => lp.kernel.procs.max.store(n, Relaxed),
            Config::Cpus(n) => lp.kernel.cpus.store(n.clamp(1, CPUS_SHOWN), Relaxed),
            Config::Init => lp.kernel.init.lock().waits = true,
            Config::Stats => lp.kernel.trace.count(),
            Config::Trace(names) => lp.kernel.trace.trace(names),
            Config::Ids(uid, gid) => w.ids = Some((uid, gid)),
            Config::KernelMemory(bytes) => lp.machine().limit_memory(bytes),
            Config::Disk(unit, flags, path) => {
                vfs::mount_disk(lp, unit, flags, path).map_err(|e| (e, path.to_vec()))?
            }
            Config::Hostname(h) => *lp.kernel.hostname.lock() = h.to_vec(),
        }
    }
    // The root of the name space may be another one now.
    let root = lp.kernel.root.lock().clone();
    if let Some(root) = root {
        *lp.proc.dirs.lock() = Some(crate::kern::proc::Dirs { cwd: root.clone(), root });
    }
    Ok(w)
}

/// Descriptors 0, 1 and 2 on the host's standard input, output and error.
fn open_stdio(lp: &Lwp) -> SysResult<()> {
    for unit in [devctl::STDIN, devctl::STDOUT, devctl::STDERR] {
        let file = vfs::devfs::open_stdio(lp, unit, o::RDWR)?;
        lp.add_file(file, false)?;
    }
    Ok(())
}

/// A program that the host gave by itself, not as a file of the image.
fn load_blob(lp: &Lwp, blob: u32, name: &[u8], args: Arc<Strings>, env: Arc<Strings>) -> SysResult<Loaded> {
    let image = exec::image_from_blob(lp, blob, name)?;
    let comm = name.rsplit(|&b| b == b'/').next().unwrap_or(name).to_vec();
    Ok(Loaded { program: Program { image: Some(image), comm, args, env }, owner: None, readable: true })
}

/// All of a blob.
pub fn read_blob(lp: &Lwp, blob: u32) -> SysResult<Vec<u8>> {
    let mut out = Vec::new();
    let mut buf = [0; 4096];
    loop {
        let n = lp.machine().blob_read(blob, out.len() as u64, &mut buf)?;
        if n == 0 {
            return Ok(out);
        }
        out.try_reserve(n).map_err(|_| Errno::ENOMEM)?;
        out.extend_from_slice(&buf[..n]);
    }
}
