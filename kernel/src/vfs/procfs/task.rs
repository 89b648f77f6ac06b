//! Texts and links about one process.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::Ordering::Relaxed;

use abi::types::{rlimit, vmctl};
use abi::{Errno, SysResult};

use crate::kern::proc::{Lwp, Proc, State};
use crate::vfs::dirs::path_of;
use crate::vfs::lookup::root_dir;
use crate::vfs::vnode::VnodeRef;

pub struct File {
    pub name: &'static [u8],
    pub perm: u32,
    pub text: fn(&Lwp, &Arc<Proc>) -> SysResult<Vec<u8>>,
}

const fn file(name: &'static [u8], perm: u32, text: fn(&Lwp, &Arc<Proc>) -> SysResult<Vec<u8>>) -> File {
    File { name, perm, text }
}

pub static FILES: [File; 8] = [
    file(b"stat", 0o444, stat),
    file(b"status", 0o444, status),
    file(b"statm", 0o444, statm),
    file(b"cmdline", 0o444, cmdline),
    file(b"comm", 0o444, comm),
    file(b"environ", 0o400, environ),
    file(b"maps", 0o444, maps),
    file(b"limits", 0o444, limits),
];

pub static LINKS: [&[u8]; 2] = [b"cwd", b"root"];

/// Clock ticks a second, as `sysconf(_SC_CLK_TCK)` has it everywhere.
const TICK_NS: u64 = 10_000_000;
const PAGE: u64 = 4096;

/// A process's directories; a zombie has none.
pub fn link_target(p: &Proc, which: usize) -> SysResult<Option<VnodeRef>> {
    let dirs = p.dirs.lock().clone().ok_or(Errno::ENOENT)?;
    Ok(Some(if which == 0 { dirs.cwd } else { dirs.root }))
}

pub fn link_text(lp: &Lwp, p: &Proc, which: usize) -> SysResult<Vec<u8>> {
    let dir = link_target(p, which)?.ok_or(Errno::ENOENT)?;
    path_of(lp, &dir, &root_dir(lp)?)
}

/// Its letter in ps(1).
fn letter(lp: &Lwp, p: &Arc<Proc>) -> (char, &'static str) {
    let state = lp.kernel.procs.tree.lock().find(p.pid).map(|n| n.state);
    match state {
        Ok(State::Stopped { .. }) => ('T', "stopped"),
        Ok(State::Zombie { .. }) | Err(_) => ('Z', "zombie"),
        Ok(State::Running) if core::ptr::eq(&**p, &*lp.proc) => ('R', "running"),
        Ok(State::Running) => match p.lwp.lock().as_ref().map(|l| l.nr.load(Relaxed)) {
            Some(0) => ('R', "running"),
            _ => ('S', "sleeping"),
        },
    }
}

fn name(p: &Proc) -> String {
    let program = p.program.lock();
    String::from_utf8_lossy(&program.comm[..program.comm.len().min(15)]).into_owned()
}

/// Bytes of its memory, and the most it had.
fn memory(lp: &Lwp, p: &Proc) -> (u64, u64) {
    let ask = |cmd| lp.machine().vmspace_ctl(p.vmspace, cmd, 0).unwrap_or(0);
    (ask(vmctl::SIZE), ask(vmctl::PEAK))
}

/// proc_pid_stat(5): 52 fields in one line.
fn stat(lp: &Lwp, p: &Arc<Proc>) -> SysResult<Vec<u8>> {
    let (size, _) = memory(lp, p);
    let started = p.started_ns.saturating_sub(lp.kernel.started_ns.load(Relaxed)) / TICK_NS;
    let mut out = format!("{} ({}) {} ", p.pid, name(p), letter(lp, p).0);
    let (ppid, pgid, sid) = (p.ppid.load(Relaxed), p.pgid.load(Relaxed), p.sid.load(Relaxed));
    let (tty, group) = crate::tty::of_session(&lp.kernel, sid);
    let (own, children) = (p.cpu_ns() / TICK_NS, p.child_utime_ns.load(Relaxed) / TICK_NS);
    // tty_nr tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime priority nice
    // num_threads itrealvalue starttime vsize rss
    let (nice, priority) = (p.nice.load(Relaxed), 20 + p.nice.load(Relaxed));
    let _ = write!(out, "{ppid} {pgid} {sid} {tty} {group} 0 0 0 0 0 {own} 0 {children} 0 {priority} {nice} ");
    let _ = write!(out, "1 0 {started} ");
    let _ = write!(out, "{size} {}", size / PAGE);
    for _ in 25..=52 {
        out.push_str(" 0");
    }
    out.push('\n');
    Ok(out.into_bytes())
}

fn status(lp: &Lwp, p: &Arc<Proc>) -> SysResult<Vec<u8>> {
    let (size, peak) = memory(lp, p);
    let (letter, word) = letter(lp, p);
    let mut out = format!("Name:\t{}\nUmask:\t{:04o}\nState:\t{letter} ({word})\n", name(p), p.umask.load(Relaxed));
    let _ = writeln!(out, "Tgid:\t{0}\nNgid:\t0\nPid:\t{0}\nPPid:\t{1}\nTracerPid:\t0", p.pid, p.ppid.load(Relaxed));
    // The last is for the file system's checks, here always the effective one.
    for (name, [real, effective, saved]) in [("Uid", p.cred.uids()), ("Gid", p.cred.gids())] {
        let _ = writeln!(out, "{name}:\t{real}\t{effective}\t{saved}\t{effective}");
    }
    out.push_str("Groups:\t");
    p.cred.groups().iter().for_each(|g| _ = write!(out, "{g} "));
    let _ = writeln!(out, "\nFDSize:\t{}", p.files.numbers().count());
    for (name, bytes) in [("VmPeak", peak), ("VmSize", size), ("VmHWM", peak), ("VmRSS", size)] {
        let _ = writeln!(out, "{name}:\t{:8} kB", bytes / 1024);
    }
    let _ = writeln!(out, "Threads:\t1");
    let handled = p.signals.lock().handled();
    let (pending, blocked) = (p.pending.load(Relaxed), p.blocked.load(Relaxed));
    let (ignored, caught) = (p.ignored.load(Relaxed), handled | p.caught.load(Relaxed));
    for (name, set) in [("SigPnd", pending), ("SigBlk", blocked), ("SigIgn", ignored), ("SigCgt", caught)] {
        let _ = writeln!(out, "{name}:\t{set:016x}");
    }
    Ok(out.into_bytes())
}

/// In pages: size resident shared text lib data dirty.
fn statm(lp: &Lwp, p: &Arc<Proc>) -> SysResult<Vec<u8>> {
    let n = memory(lp, p).0 / PAGE;
    Ok(format!("{n} {n} 0 0 0 {n} 0\n").into_bytes())
}

/// The arguments, each with a NUL. A zombie has none.
fn cmdline(_lp: &Lwp, p: &Arc<Proc>) -> SysResult<Vec<u8>> {
    let args = p.program.lock().args.clone();
    copy(&args.buf)
}

fn environ(_lp: &Lwp, p: &Arc<Proc>) -> SysResult<Vec<u8>> {
    let env = p.program.lock().env.clone();
    copy(&env.buf)
}

/// It may be large: ENOMEM.
fn copy(bytes: &[u8]) -> SysResult<Vec<u8>> {
    let mut out = Vec::new();
    out.try_reserve_exact(bytes.len()).map_err(|_| Errno::ENOMEM)?;
    out.extend_from_slice(bytes);
    Ok(out)
}

fn comm(_lp: &Lwp, p: &Arc<Proc>) -> SysResult<Vec<u8>> {
    Ok((name(p) + "\n").into_bytes())
}

/// One mapping: a linear memory is readable and writable from end to end.
fn maps(lp: &Lwp, p: &Arc<Proc>) -> SysResult<Vec<u8>> {
    match memory(lp, p).0 {
        0 => Ok(Vec::new()),
        size => Ok(format!("00000000-{size:08x} rw-p 00000000 00:00 0 {:>24}\n", "[memory]").into_bytes()),
    }
}

fn limits(_lp: &Lwp, p: &Arc<Proc>) -> SysResult<Vec<u8>> {
    let mut out = format!("{:<26}{:<21}{:<21}{:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (which, name, unit) in [
        (rlimit::CPU, "Max cpu time", "seconds"),
        (rlimit::FSIZE, "Max file size", "bytes"),
        (rlimit::DATA, "Max data size", "bytes"),
        (rlimit::STACK, "Max stack size", "bytes"),
        (rlimit::CORE, "Max core file size", "bytes"),
        (rlimit::NPROC, "Max processes", "processes"),
        (rlimit::NOFILE, "Max open files", "files"),
        (rlimit::AS, "Max address space", "bytes"),
    ] {
        let value = |v: u64| if v == rlimit::INFINITY { String::from("unlimited") } else { format!("{v}") };
        let (soft, hard) = (value(p.limits.soft(which)), value(p.limits.hard(which)));
        let _ = writeln!(out, "{name:<26}{soft:<21}{hard:<21}{unit:<10}");
    }
    Ok(out.into_bytes())
}
