//! Looking at system calls: counts by name, and a line for each, as strace(1).

use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use abi::Errno;
use abi::syscalls::{Arg, COUNT, Module, SYSCALLS, Syscall, UAddr, by_number, slots};
use abi::types::{clock, devctl};

use crate::Kernel;
use crate::kern::proc::Lwp;

/// What is looked at.
pub struct Trace {
    /// Anything at all: the one word that the path of a system call looks at.
    on: AtomicBool,
    calls: [AtomicU64; COUNT],
    /// A bit for each call that gets a line.
    traced: [AtomicU64; COUNT / 64],
    /// The `Reason` that pid 1 died of a fault for; 0 if it didn't. A wait status only has the signal.
    pub init_fault: AtomicU32,
}

impl Default for Trace {
    fn default() -> Self {
        Trace {
            on: AtomicBool::new(false),
            calls: [const { AtomicU64::new(0) }; COUNT],
            traced: [const { AtomicU64::new(0) }; COUNT / 64],
            init_fault: AtomicU32::new(0),
        }
    }
}

impl Trace {
    #[inline]
    pub fn on(&self) -> bool {
        self.on.load(Relaxed)
    }
    /// Counts calls from now on.
    pub fn count(&self) {
        self.on.store(true, Relaxed);
    }
    /// Prints a line for these calls (a comma-separated list of names), or for all.
    pub fn trace(&self, names: &[u8]) {
        for s in SYSCALLS {
            if names.is_empty() || names.split(|&b| b == b',').any(|n| n == s.name.as_bytes()) {
                self.traced[s.nr as usize / 64].fetch_or(1 << (s.nr % 64), Relaxed);
            }
        }
        self.on.store(true, Relaxed);
    }
    fn wants(&self, nr: u32) -> bool {
        self.traced.get(nr as usize / 64).is_some_and(|w| w.load(Relaxed) & 1 << (nr % 64) != 0)
    }
}

/// A system call with somebody looking.
#[cold]
#[inline(never)]
pub fn traced(lp: &Lwp, nr: u32, regs: [u64; 6]) -> i64 {
    let trace = &lp.kernel.trace;
    if let Some(n) = trace.calls.get(nr as usize) {
        n.fetch_add(1, Relaxed);
    }
    if !trace.wants(nr) {
        return crate::sysent::dispatch_traced(lp, nr, regs);
    }
    // Arguments are shown as they were at the call: the kernel may overwrite what they point at.
    let call = describe(lp, nr, &regs);
    let began = lp.machine().clock(clock::MONOTONIC, 0);
    let answer = crate::sysent::dispatch_traced(lp, nr, regs);
    let took = lp.machine().clock(clock::MONOTONIC, 0) - began;
    let line = format!("{} {call} = {} <{}.{:03} us>\n", lp.proc.pid, result(nr, answer), took / 1000, took % 1000);
    let mut rest = line.as_bytes();
    // A sink that isn't ready loses the line: the traced program must not wait for who looks at it.
    while let Ok(n @ 1..) = lp.machine().dev_write(devctl::TRACE, rest) {
        rest = &rest[n.min(rest.len())..];
        if rest.is_empty() {
            break;
        }
    }
    answer
}

fn describe(lp: &Lwp, nr: u32, regs: &[u64; 6]) -> String {
    let Some(call) = by_number(nr) else { return format!("syscall_{nr}()") };
    let mut out = format!("{}(", call.name);
    for (i, &(name, kind)) in call.args.iter().enumerate() {
        let value = register(call, i, regs);
        let next = if i + 1 < call.args.len() { register(call, i + 1, regs) } else { 0 };
        // Writing to a String cannot fail.
        let _ = write!(out, "{}{name}=", if i == 0 { "" } else { ", " });
        let _ = show(lp, &mut out, kind, value, next);
    }
    out.push(')');
    out
}

/// The value of a call's i-th argument.
fn register(call: &Syscall, i: usize, regs: &[u64; 6]) -> u64 {
    let mut kinds = [Arg::Off; 9];
    for (k, a) in kinds.iter_mut().zip(call.args) {
        *k = a.1;
    }
    let (reg, shift) = match call.args.len() {
        7 => slots::<7>(&core::array::from_fn(|n| kinds[n]))[i],
        8 => slots::<8>(&core::array::from_fn(|n| kinds[n]))[i],
        9 => slots::<9>(&kinds)[i],
        _ => (i, 0),
    };
    regs[reg] >> shift
}

/// How much of a string is shown.
const SHOWN: usize = 64;

fn show(lp: &Lwp, out: &mut String, kind: Arg, value: u64, next: u64) -> core::fmt::Result {
    match kind {
        Arg::Fd | Arg::Pid | Arg::Int => write!(out, "{}", value as i32),
        Arg::Uint | Arg::Len | Arg::Sig | Arg::Clock => write!(out, "{}", value as u32),
        Arg::Mode => write!(out, "0{:o}", value as u32),
        Arg::Flags => write!(out, "0x{:x}", value as u32),
        Arg::In | Arg::Out => write!(out, "0x{:x}", value as u32),
        Arg::Off => write!(out, "{}", value as i64),
        Arg::U64 => write!(out, "0x{value:x}"),
        Arg::Str => {
            let mut text = [0; SHOWN];
            let n = (next as u32 as usize).min(SHOWN);
            match lp.machine().copyin(UAddr(value as u32), &mut text[..n]) {
                Ok(()) => {
                    write!(out, "\"{}\"{}", text[..n].escape_ascii(), if next as u32 as usize > n { "..." } else { "" })
                }
                Err(_) => write!(out, "0x{:x}", value as u32),
            }
        }
    }
}

fn result(nr: u32, answer: i64) -> String {
    let wasi = by_number(nr).is_some_and(|s| s.module != Module::vkernel);
    let error = if wasi { answer } else { -answer };
    match u32::try_from(error).ok().and_then(Errno::from_raw) {
        Some(e) => format!("{} ({})", e.name(), e.text()),
        None => format!("{answer}"),
    }
}

/// What the host prints as statistics.
pub fn report(kernel: &Kernel) -> String {
    let mut out = String::new();
    let count = |s: &Syscall| kernel.trace.calls[s.nr as usize].load(Relaxed);
    for s in SYSCALLS.iter().filter(|s| count(s) > 0) {
        // Two modules may have a call of the same name: they are one line, at the first of them.
        let alike = SYSCALLS.iter().filter(|o| o.name == s.name && count(o) > 0);
        if alike.clone().next().is_some_and(|first| first.nr == s.nr) {
            let n: u64 = alike.map(count).sum();
            let _ = writeln!(out, "syscall.{} {n}", s.name);
        }
    }
    let fault = kernel.trace.init_fault.load(Relaxed);
    if fault != 0 {
        let _ = writeln!(out, "init.fault {fault}");
    }
    let (used, size) = kernel.machine.memory();
    let peak = kernel.procs.tree.lock().peak;
    let _ = write!(out, "kernel.heap_bytes {used}\nkernel.memory_bytes {size}\nprocs.peak {peak}\n");
    out
}
