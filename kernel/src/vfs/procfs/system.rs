//! Texts about the kernel as a whole.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::Ordering::Relaxed;

use abi::types::{clock, mnt};

use crate::kern::proc::{Lwp, State};

pub struct File {
    pub name: &'static [u8],
    pub text: fn(&Lwp) -> Vec<u8>,
}

const fn file(name: &'static [u8], text: fn(&Lwp) -> Vec<u8>) -> File {
    File { name, text }
}

pub static FILES: [File; 9] = [
    file(b"mounts", mounts),
    file(b"uptime", uptime),
    file(b"meminfo", meminfo),
    file(b"loadavg", loadavg),
    file(b"stat", stat),
    file(b"version", version),
    file(b"filesystems", filesystems),
    file(b"cpuinfo", cpuinfo),
    file(b"kernel", objects),
];

const SECOND: u64 = 1_000_000_000;

/// As in fstab(5): blanks in a path are octal.
fn escaped(path: &[u8]) -> String {
    let mut out = String::new();
    for piece in path.utf8_chunks() {
        for c in piece.valid().chars() {
            match c {
                ' ' | '\t' | '\n' | '\\' => {
                    let _ = write!(out, "\\{:03o}", c as u32);
                }
                c => out.push(c),
            }
        }
        for b in piece.invalid() {
            let _ = write!(out, "\\{b:03o}");
        }
    }
    out
}

fn mounts(lp: &Lwp) -> Vec<u8> {
    let mut out = String::new();
    for m in lp.kernel.mounts.all() {
        let access = if m.readonly() { "ro" } else { "rw" };
        let nosuid = if m.flags & mnt::NOSUID != 0 { ",nosuid" } else { "" };
        let noexec = if m.flags & mnt::NOEXEC != 0 { ",noexec" } else { "" };
        let path = escaped(&m.path());
        let _ = writeln!(out, "{0} {path} {0} {access}{nosuid}{noexec} 0 0", m.fstype);
    }
    out.into_bytes()
}

fn running_ns(lp: &Lwp) -> u64 {
    lp.machine().clock(clock::MONOTONIC, 0).saturating_sub(lp.kernel.started_ns.load(Relaxed))
}

/// Seconds since boot, and seconds in which nobody ran.
fn uptime(lp: &Lwp) -> Vec<u8> {
    let up = running_ns(lp);
    let idle = up.saturating_sub(super::all(lp).iter().map(|p| p.cpu_ns()).sum());
    let hundredths = |ns: u64| format!("{}.{:02}", ns / SECOND, ns % SECOND / 10_000_000);
    format!("{} {}\n", hundredths(up), hundredths(idle)).into_bytes()
}

fn meminfo(lp: &Lwp) -> Vec<u8> {
    let (used, all) = lp.machine().memory();
    let free = all.saturating_sub(used);
    let mut out = String::new();
    for (name, bytes) in [
        ("MemTotal:", all),
        ("MemFree:", free),
        ("MemAvailable:", free),
        ("Buffers:", 0),
        ("Cached:", 0),
        ("SwapTotal:", 0),
        ("SwapFree:", 0),
    ] {
        let _ = writeln!(out, "{name:<15}{:>9} kB", bytes / 1024);
    }
    out.into_bytes()
}

/// What the kernel has in use, a line `name number` each: for tests that look for leaks.
fn objects(lp: &Lwp) -> Vec<u8> {
    let kernel = &lp.kernel;
    let (procs, descriptors) = {
        let tree = kernel.procs.tree.lock();
        (tree.map.len(), tree.map.values().map(|n| n.proc.files.numbers().count()).sum::<usize>())
    };
    // Each vnode holds its mount, each lwp the kernel.
    let nowhere = kernel.mounts.anonymous(kernel);
    let vnodes = kernel.mounts.all().iter().chain([&nowhere]).map(Arc::strong_count).sum::<usize>();
    let lwps = Arc::strong_count(kernel);
    let (heap_bytes, _) = lp.machine().memory();
    format!("procs {procs}\nlwps {lwps}\nvnodes {vnodes}\ndescriptors {descriptors}\nheap_bytes {heap_bytes}\n")
        .into_bytes()
}

/// How many of all run; the averages are not kept.
fn loadavg(lp: &Lwp) -> Vec<u8> {
    let (running, all, last) = {
        let tree = lp.kernel.procs.tree.lock();
        let running = tree.map.values().filter(|n| is_running(n.state, &n.proc)).count();
        (running, tree.map.len(), tree.map.last_key_value().map_or(0, |(&pid, _)| pid))
    };
    format!("0.00 0.00 0.00 {running}/{all} {last}\n").into_bytes()
}

/// In user code or in a system call; a sleeper can't be told from one that runs without asking it.
fn is_running(state: State, proc: &crate::kern::proc::Proc) -> bool {
    state == State::Running && proc.lwp.lock().as_ref().is_some_and(|lp| lp.nr.load(Relaxed) == 0)
}

fn stat(lp: &Lwp) -> Vec<u8> {
    let user = super::all(lp).iter().map(|p| p.cpu_ns()).sum::<u64>() / (SECOND / 100);
    let idle = (running_ns(lp) / (SECOND / 100)).saturating_sub(user);
    let booted = lp.machine().clock(clock::REALTIME, 0).saturating_sub(running_ns(lp)) / SECOND;
    let procs = lp.kernel.procs.tree.lock().map.len();
    let mut out = String::new();
    for cpu in ["cpu ", "cpu0"] {
        let _ = writeln!(out, "{cpu} {user} 0 0 {idle} 0 0 0 0 0 0");
    }
    let _ = writeln!(out, "intr 0\nctxt 0\nbtime {booted}\nprocesses {procs}\nprocs_running 1\nprocs_blocked 0");
    out.into_bytes()
}

fn version(_lp: &Lwp) -> Vec<u8> {
    concat!("vkernel version ", env!("CARGO_PKG_VERSION"), " (wasm32)\n").into()
}

fn filesystems(_lp: &Lwp) -> Vec<u8> {
    b"nodev\ttmpfs\nnodev\tdevfs\nnodev\tprocfs\nnodev\thostfs\n\tdiskfs\n".to_vec()
}

fn cpuinfo(lp: &Lwp) -> Vec<u8> {
    let mut out = String::new();
    for cpu in 0..lp.kernel.cpus.load(Relaxed) {
        let _ = writeln!(out, "processor\t: {cpu}\nmodel name\t: WebAssembly\n");
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    #[test]
    fn blanks_in_paths_are_octal() {
        assert_eq!(super::escaped(b"/a b\\\xff"), "/a\\040b\\134\\377");
    }
}
