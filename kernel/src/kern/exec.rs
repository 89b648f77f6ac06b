//! From a path to a running program: exec(2), and the start of pid 1.
//!
//! A program is handed to the host, which validates and compiles it and answers an *image*; the
//! vnode remembers the image until its content changes, so that a second exec costs a lookup.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::syscalls::UAddr;
use abi::trapframe::{Next, Reason};
use abi::types::{access, limits, mnt, mode, o, rlimit, spawn as sp, vmctl, wait};
use abi::wire::Reader;
use abi::{Errno, SysResult};
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::kern::proc::{Lwp, Program, Strings, lwpflag};
use crate::kern::{exit, lockf};
use crate::machdep::MachineRef;
use crate::uio::Uio;
use crate::vfs::lookup::{At, Start, namei};
use crate::vfs::vnode::VnodeRef;

/// A compiled program at the host. Closed when nobody refers to it any more.
pub struct Image {
    pub id: u32,
    machine: MachineRef,
}

impl Drop for Image {
    fn drop(&mut self) {
        self.machine.image_close(self.id);
    }
}

/// Scripts may name scripts as their interpreters, this deep (as Linux).
const SCRIPT_DEPTH: usize = 4;
/// How much of the first line of a script counts.
const SCRIPT_LINE: usize = 256;

/// A program that is ready to run, and what its file says about ids. Of a script that is its interpreter's file:
/// between the look at the script and its reading its name could have become another file's.
pub struct Loaded {
    pub program: Program,
    /// None where set-id bits count for nothing.
    pub owner: Option<crate::vfs::vnode::Owner>,
    /// Whoever runs it may read it, too.
    pub readable: bool,
}

/// Finds and prepares a program. EACCES, ENOENT, ENOEXEC, ELOOP...
pub fn load(lp: &Lwp, path: &[u8], args: Arc<Strings>, env: Arc<Strings>) -> SysResult<Loaded> {
    if path.len() >= limits::PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let mut args = args;
    let mut path = path.to_vec();
    for _ in 0..SCRIPT_DEPTH {
        let vp = find(lp, &path)?;
        match image_of(lp, &vp, &path)? {
            Content::Image(image) => {
                let comm = path.rsplit(|&b| b == b'/').next().unwrap_or(&path).to_vec();
                let program = Program { image: Some(image), comm, args, env };
                let nosuid = vp.head().mount.flags & mnt::NOSUID != 0;
                let readable = lp.proc.cred.access(&vp.owner(), access::R_OK).is_ok();
                return Ok(Loaded { program, owner: (!nosuid).then(|| vp.owner()), readable });
            }
            Content::Script(line) => {
                let (interpreter, argument) = hashbang(&line).ok_or(Errno::ENOEXEC)?;
                let mut new = Strings::default();
                new.push(interpreter)?;
                if let Some(a) = argument {
                    new.push(a)?;
                }
                new.push(&path)?;
                for a in args.iter().skip(1) {
                    new.push(a)?;
                }
                args = Arc::new(new);
                path = interpreter.to_vec();
            }
        }
    }
    Err(Errno::ELOOP)
}

/// The regular file at `path` that the caller may execute. EACCES, or ETXTBSY while somebody has it open to write.
fn find(lp: &Lwp, path: &[u8]) -> SysResult<VnodeRef> {
    let vp = namei(lp, &At { start: Start::Cwd, path, follow: true, beneath: false })?;
    if vp.kind() != mode::IFREG || vp.head().mount.flags & mnt::NOEXEC != 0 {
        return Err(Errno::EACCES);
    }
    lp.proc.cred.access(&vp.owner(), access::X_OK)?;
    if vp.head().being_written() { Err(Errno::ETXTBSY) } else { Ok(vp) }
}

enum Content {
    Image(Arc<Image>),
    /// The first line of a `#!` file.
    Script(Vec<u8>),
}

fn image_of(lp: &Lwp, vp: &VnodeRef, path: &[u8]) -> SysResult<Content> {
    if let Some(image) = vp.head().image() {
        return Ok(Content::Image(image));
    }
    // A host's file isn't open yet: an instance of its own for the reads below.
    let opened = vp.open(lp, o::RDONLY)?;
    let file = opened.as_ref().unwrap_or(vp);
    let since = vp.head().compiling();
    let result = read_program(lp, file);
    // Text, which shells run themselves, is nothing to speak of; as the first program of all it is.
    let speak = matches!(result, Err(Errno::ENOEXEC))
        && (is_module(lp, file) || lp.proc.pid == 1 && lp.proc.program.lock().image.is_none());
    file.close(o::RDONLY);
    match result {
        Ok(Content::Image(image)) => {
            vp.head().set_image(image.clone(), since);
            Ok(Content::Image(image))
        }
        Err(Errno::ENOEXEC) => {
            if speak {
                explain(lp, path);
            }
            Err(Errno::ENOEXEC)
        }
        other => other,
    }
}

fn read_program(lp: &Lwp, vp: &VnodeRef) -> SysResult<Content> {
    let machine = &lp.kernel.machine;
    let image = |id| Ok(Content::Image(Arc::new(Image { id, machine: machine.clone() })));
    // The machine may know a program of the boot image by its number alone, and its contents be far away.
    let known = vp.blob().map(|blob| machine.image_blob(blob));
    match known {
        Some(Err(Errno::ENOEXEC)) | None => {}
        Some(id) => return image(id?),
    }
    let mut first = [0; SCRIPT_LINE];
    let n = read_at(lp, vp, 0, &mut first)?;
    if first[..n].starts_with(b"#!") {
        return Ok(Content::Script(first[2..n].to_vec()));
    }
    if known.is_some() {
        return Err(Errno::ENOEXEC);
    }
    let size = vp.getattr(lp)?.size;
    image(send(lp, vp, size)?)
}

/// Does it at least begin like a program?
fn is_module(lp: &Lwp, vp: &VnodeRef) -> bool {
    let mut magic = [0; 4];
    matches!(read_at(lp, vp, 0, &mut magic), Ok(4)) && magic == *b"\0asm"
}

/// Hands a file's content over, piece by piece.
fn send(lp: &Lwp, vp: &VnodeRef, size: u64) -> SysResult<u32> {
    let mut buf = Vec::new();
    buf.try_reserve_exact(64 << 10).map_err(|_| Errno::ENOMEM)?;
    buf.resize(64 << 10, 0);
    let handle = lp.machine().image_begin(size)?;
    let sent = send_all(lp, vp, handle, size, &mut buf);
    // A commit is the only way to give a handle back.
    let image = lp.machine().image_commit(handle);
    if let (Err(_), Ok(half)) = (&sent, &image) {
        lp.machine().image_close(*half);
    }
    sent.and(image)
}

fn send_all(lp: &Lwp, vp: &VnodeRef, handle: u32, size: u64, buf: &mut [u8]) -> SysResult<()> {
    let mut at = 0;
    while at < size {
        let n = read_at(lp, vp, at, buf)?.min((size - at) as usize);
        if n == 0 {
            break;
        }
        lp.machine().image_write(handle, &buf[..n])?;
        at += n as u64;
    }
    Ok(())
}

fn read_at(lp: &Lwp, vp: &VnodeRef, at: u64, buf: &mut [u8]) -> SysResult<usize> {
    let len = buf.len();
    let mut uio = Uio::into_kernel(lp, buf, at);
    vp.read(&mut uio, 0)?;
    Ok(len - uio.resid)
}

/// Says on the console why a file is no program: the caller only learns ENOEXEC.
fn explain(lp: &Lwp, path: &[u8]) {
    let mut text = [0; 512];
    let n = lp.machine().image_error(&mut text).min(text.len());
    if n > 0 {
        let (path, why) =
            (alloc::string::String::from_utf8_lossy(path), alloc::string::String::from_utf8_lossy(&text[..n]));
        lp.kernel.log(&alloc::format!("{path}: {why}\n"));
    }
}

/// Interpreter and optional argument of a script's first line, as Linux takes it: the rest after
/// the interpreter is one argument.
fn hashbang(line: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let end = line.iter().position(|&b| b == b'\n').unwrap_or(line.len());
    let line = line[..end].trim_ascii();
    let cut = line.iter().position(|b| b.is_ascii_whitespace()).unwrap_or(line.len());
    let (interpreter, rest) = line.split_at(cut);
    let rest = rest.trim_ascii();
    if interpreter.is_empty() { None } else { Some((interpreter, (!rest.is_empty()).then_some(rest))) }
}

/// exec(2), given a spawn request without file actions.
pub fn sys_exec(lp: &Lwp, request: UAddr, len: u32) -> SysResult<()> {
    lp.machine().admit()?;
    let buf = crate::kern::spawn::copy_request(lp, request, len)?;
    let mut r = Reader::new(&buf);
    let flags = r.u32()?;
    let _pgroup = r.i32()?;
    crate::kern::spawn::signal_sets(&mut r, flags)?;
    let path = r.string()?;
    let (args, env) = (crate::kern::spawn::strings(&mut r)?, crate::kern::spawn::strings(&mut r)?);
    let loaded = if flags & sp::SEARCH_PATH != 0 { search(lp, path, args, env)? } else { load(lp, path, args, env)? };
    let image = loaded.program.image.as_ref().map_or(0, |i| i.id);
    lp.machine().vmspace_ctl(lp.proc.vmspace, vmctl::EXEC, image as u64)?;
    // The point of no return.
    commit(lp, loaded);
    lp.set_flag(lwpflag::UNWIND);
    Ok(())
}

/// The process becomes the program, but for its memory.
pub fn commit(lp: &Lwp, loaded: Loaded) {
    let proc = &lp.proc;
    proc.files.exec(|file| lockf::closed(lp, file));
    crate::kern::sigact::exec(proc);
    proc.frames.store(0, Relaxed);
    lp.frame.unread.store(0, Relaxed);
    proc.cred.exec(loaded.owner.as_ref());
    if !loaded.readable {
        proc.cred.hide();
    }
    let old = core::mem::replace(&mut *proc.program.lock(), loaded.program);
    drop(old);
    // No descriptor left for it: the program will find no files, which is better than none at all.
    let _ = crate::compat::wasi::install_preopen(proc);
}

/// Looks for a name without a slash in the PATH of the new environment, as execvp(3).
pub fn search(lp: &Lwp, name: &[u8], args: Arc<Strings>, env: Arc<Strings>) -> SysResult<Loaded> {
    if name.contains(&b'/') || name.is_empty() {
        return load(lp, name, args, env);
    }
    let vars = env.clone();
    let dirs = vars.iter().find_map(|e| e.strip_prefix(b"PATH=")).unwrap_or(b"/bin:/usr/bin");
    let mut denied = false;
    for dir in dirs.split(|&b| b == b':') {
        if dir.len() + name.len() >= limits::PATH_MAX {
            continue;
        }
        let mut path = Vec::with_capacity(dir.len() + name.len() + 1);
        path.extend_from_slice(if dir.is_empty() { b"." } else { dir });
        path.push(b'/');
        path.extend_from_slice(name);
        match load(lp, &path, args.clone(), env.clone()) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(Errno::EACCES) => denied = true,
            other => return other,
        }
    }
    Err(if denied { Errno::EACCES } else { Errno::ENOENT })
}

/// The image of a program that the host offers as a blob.
pub fn image_from_blob(lp: &Lwp, blob: u32, name: &[u8]) -> SysResult<Arc<Image>> {
    match lp.machine().image_blob(blob) {
        Ok(id) => Ok(Arc::new(Image { id, machine: lp.kernel.machine.clone() })),
        Err(e) => {
            explain(lp, name);
            Err(e)
        }
    }
}

/// What pid 1 is and does.
#[derive(Default)]
pub struct InitState {
    /// It waits for orphans; else the kernel reaps them.
    pub waits: bool,
}

/// The first entry into user code.
pub fn first_run(lp: &Arc<Lwp>) -> Option<Next> {
    if lp.proc.pid == 1
        && let Err((e, name)) = crate::kern::spawn::become_init(lp)
    {
        let status = if e == Errno::ENOENT || e == Errno::ENOTDIR { 127 } else { 126 };
        lp.kernel.log(&alloc::format!("{}: {}\n", alloc::string::String::from_utf8_lossy(&name), e.text()));
        exit::exit(lp, wait::exited(status));
        return None;
    }
    // The keys of the terminal reach it from the moment it has a group.
    crate::kern::sig::stopped(lp);
    if lp.proc.dying.load(SeqCst) != 0 {
        return None;
    }
    run(lp)
}

fn run(lp: &Lwp) -> Option<Next> {
    let image = lp.proc.program.lock().image.as_ref().map(|i| i.id);
    image.map(|image| Next::Run { image })
}

/// User code was left because the kernel wanted it: exit, a kill, or exec.
pub fn after_unwind(lp: &Arc<Lwp>, reason: Reason) -> Option<Next> {
    let flags = lp.flags.load(SeqCst);
    if lp.proc.dying.load(SeqCst) != 0 {
        return None;
    }
    if flags & lwpflag::UNWIND != 0 {
        lp.clear_flag(lwpflag::UNWIND);
        // What had a handler and waited has its default action now.
        crate::kern::sigact::recheck(lp);
        return if lp.proc.dying.load(SeqCst) == 0 { run(lp) } else { None };
    }
    if reason == Reason::Kicked {
        crate::kern::sig::stopped(lp);
        let signal = lp.flags.load(SeqCst) & lwpflag::SIGNAL != 0;
        return (lp.proc.dying.load(SeqCst) == 0).then_some(if signal { Next::Signal } else { Next::Resume });
    }
    // A stub that unwinds on its own account: a host gone wrong. The process pays.
    None
}

/// The host could not set the image up, after exec's point of no return: POSIX has the process die.
pub fn failed_late(lp: &Lwp, detail: u32) {
    let why = Errno::from_raw(detail).unwrap_or(Errno::EIO);
    let comm = alloc::string::String::from_utf8_lossy(&lp.proc.program.lock().comm).into_owned();
    lp.kernel.log(&alloc::format!("{comm}: cannot be started: {}\n", why.text()));
    exit::exit(lp, wait::signaled(abi::types::sig::KILL));
}

/// The memory limit of a process: the lower of RLIMIT_AS and RLIMIT_DATA.
pub fn memory_limit(lp: &Lwp) -> u64 {
    lp.proc.limits.soft(rlimit::AS).min(lp.proc.limits.soft(rlimit::DATA))
}

#[cfg(test)]
mod tests {
    use super::hashbang;

    #[test]
    fn a_script_line_is_an_interpreter_and_one_argument() {
        assert_eq!(hashbang(b"/bin/sh\necho"), Some((&b"/bin/sh"[..], None)));
        assert_eq!(hashbang(b" /bin/awk  -f x \n"), Some((&b"/bin/awk"[..], Some(&b"-f x"[..]))));
        assert_eq!(hashbang(b"/bin/env\tpython3"), Some((&b"/bin/env"[..], Some(&b"python3"[..]))));
        assert_eq!(hashbang(b"  \n/bin/sh"), None);
    }
}
