//! Programs that do what no program should, and files that are none: a signal or an error, and the
//! system goes on.

use std::time::{Duration, Instant};

use abi::types::{sig, wait};
use vkernel_sys::{Errno, Spawn, fs, proc};

use crate::harness::{status_of, wait_for, write_file};
use crate::module::{I32, I64, Module, i32_const, install, op};

crate::tests! { programs:
    returns, unreachable, divisions, conversions, memory_bounds, bad_tables, endless_recursion, endless_loop,
    no_programs, cut_off, wrong_imports, wrong_exports, too_much_memory, changed_while_running, rewritten,
}

/// The status of a process that executes this.
fn status(m: &Module) -> u32 {
    m.install(b"prog");
    status_of(&Spawn::new(b"./prog").arg(b"prog"))
}
fn dies_of(signal: u32, parts: &[&[u8]]) {
    let code = parts.concat();
    assert_eq!(status(&Module::new(&code)), wait::signaled(signal), "{code:02x?}");
}

fn returns() {
    assert_eq!(status(&Module::new(&[])), wait::exited(0));
    let exit = Module::new(&[&i32_const(300)[..], &[op::CALL, 0]].concat());
    assert_eq!(status(&exit.import("wasi_snapshot_preview1", "proc_exit", &[I32], &[])), wait::exited(300 & 0xff));
}

fn unreachable() {
    dies_of(sig::ILL, &[&[op::UNREACHABLE]]);
}

fn divisions() {
    let (one, zero, min, minus) = (i32_const(1), i32_const(0), i32_const(i32::MIN), i32_const(-1));
    for div in [op::I32_DIV_S, op::I32_DIV_U, op::I32_REM_S] {
        dies_of(sig::FPE, &[&one, &zero, &[div, op::DROP]]);
    }
    dies_of(sig::FPE, &[&min, &minus, &[op::I32_DIV_S, op::DROP]]);
    dies_of(sig::FPE, &[&[op::I64_CONST, 1, op::I64_CONST, 0, op::I64_DIV_S, op::DROP]]);
    // No overflow: the remainder is 0.
    assert_eq!(status(&Module::new(&[&min[..], &minus, &[op::I32_REM_S, op::DROP]].concat())), wait::exited(0));
}

fn conversions() {
    for v in [f64::NAN, f64::INFINITY, 1e20] {
        dies_of(sig::FPE, &[&[op::F64_CONST], &v.to_le_bytes(), &[op::I32_TRUNC_F64_S, op::DROP]]);
    }
}

fn memory_bounds() {
    for at in [65_536, 65_533, -1, i32::MIN] {
        dies_of(sig::SEGV, &[&i32_const(at), &[op::I32_LOAD, 2, 0, op::DROP]]);
        dies_of(sig::SEGV, &[&i32_const(at), &i32_const(1), &[op::I32_STORE, 2, 0]]);
    }
    // A constant offset past 4 GiB.
    dies_of(sig::SEGV, &[&i32_const(-4), &[op::I32_LOAD, 2, 0xff, 0xff, 0xff, 0xff, 0x0f, op::DROP]]);
    let last = Module::new(&[&i32_const(65_532)[..], &[op::I32_LOAD, 2, 0, op::DROP]].concat());
    assert_eq!(status(&last), wait::exited(0));
}

fn bad_tables() {
    let call = |slot: i32| {
        let m = Module::new(&[&i32_const(slot)[..], &[op::CALL_INDIRECT, 0, 0]].concat()).table();
        status(&m)
    };
    let (empty, wrong_type, outside) = (call(0), call(1), call(4));
    assert_eq!(empty, wait::signaled(sig::SEGV), "a null reference");
    assert_eq!(wrong_type, wait::signaled(sig::ILL), "a function of another type");
    assert_eq!(outside, wait::signaled(sig::SEGV), "past the table");
    assert_eq!(call(-1), wait::signaled(sig::SEGV));
}

fn endless_recursion() {
    dies_of(sig::SEGV, &[&[op::CALL, 0]]);
    // In the kernel's eyes a deep stack is no better: the call is made at the very end of it.
    let code = [&[op::CALL, 0, op::DROP][..], &[op::CALL, 1]].concat();
    let m = Module::new(&code).import("vkernel", "getpid", &[], &[I32]);
    assert_eq!(status(&m), wait::signaled(sig::SEGV));
}

fn endless_loop() {
    Module::new(&[op::LOOP, op::EMPTY_BLOCK, op::BR, 0, op::END]).install(b"spin");
    for signal in [sig::KILL, sig::TERM] {
        let pid = Spawn::new(b"./spin").arg(b"spin").spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let start = Instant::now();
        proc::kill(pid, signal).unwrap();
        assert_eq!(wait_for(pid), wait::signaled(signal));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
    // Stopped, it doesn't run; continued and killed, it ends.
    let pid = Spawn::new(b"./spin").arg(b"spin").spawn().unwrap();
    proc::kill(pid, sig::STOP).unwrap();
    assert_eq!(proc::waitpid(pid, wait::UNTRACED), Ok(Some((pid, wait::stopped(sig::STOP)))));
    proc::kill(pid, sig::CONT).unwrap();
    proc::kill(pid, sig::KILL).unwrap();
    assert_eq!(wait_for(pid), wait::signaled(sig::KILL));
}

fn refused(content: &[u8]) {
    install(b"bad", content);
    let got = Spawn::new(b"./bad").arg(b"bad").spawn();
    assert_eq!(got, Err(Errno::ENOEXEC), "{:02x?}...", &content[..content.len().min(40)]);
}

fn no_programs() {
    for content in
        [&b""[..], b"\0", b"\0asm", b"\0asm\x01\0\0", b"\0asm\x02\0\0\0", b"\x7fELF", b"hello\n", &[0xff; 4096]]
    {
        refused(content);
    }
    // The start of a component, not of a module.
    refused(b"\0asm\x0d\0\x01\0");
    // Half a section, a section too many.
    refused(b"\0asm\x01\0\0\0\x01");
    refused(&[&Module::new(&[]).encode()[..], &[1, 1, 0]].concat());
    // Nothing to start.
    refused(b"\0asm\x01\0\0\0");
    // Code that isn't valid: a value is missing.
    refused(&Module::new(&[op::DROP]).encode());
    refused(&Module::new(&[op::CALL, 77]).encode());
}

fn cut_off() {
    let whole = Module::new(&[op::UNREACHABLE]).table().encode();
    for n in 0..whole.len() {
        // Some prefixes are modules; none of them has code for its function.
        refused(&whole[..n]);
    }
    for at in 8..whole.len() {
        let mut wild = whole.clone();
        wild[at] ^= 0xff;
        install(b"wild", &wild);
        if let Ok(pid) = Spawn::new(b"./wild").arg(b"wild").spawn() {
            wait_for(pid);
        }
    }
}

fn wrong_imports() {
    let with =
        |module, name, params: &[u8], results: &[u8]| Module::new(&[]).import(module, name, params, results).encode();
    refused(&with("env", "foo", &[], &[]));
    refused(&with("vkernel", "no_such_call", &[], &[I32]));
    refused(&with("wasi_snapshot_preview2", "fd_write", &[I32; 4], &[I32]));
    refused(&with("host", "panic", &[I32, I32], &[]));
    refused(&with("", "", &[], &[]));
    // The right name with another type.
    refused(&with("wasi_snapshot_preview1", "fd_write", &[I32; 3], &[I32]));
    refused(&with("wasi_snapshot_preview1", "fd_write", &[I32, I32, I32, I64], &[I32]));
    refused(&with("vkernel", "getpid", &[], &[I64]));
    refused(&with("wasi_unstable", "sock_accept", &[I32; 3], &[I32]));
    install(b"good", &with("wasi_unstable", "sched_yield", &[], &[I32]));
    assert_eq!(status_of(&Spawn::new(b"./good").arg(b"good")), wait::exited(0));
}

fn wrong_exports() {
    let export = |name| Module { export: name, ..Module::new(&[]) }.encode();
    refused(&export("_initialize"));
    refused(&export("main"));
    refused(&export(""));
}

/// A memory beyond the limit is refused when it is asked for, not when it is used.
fn too_much_memory() {
    let m = Module { pages: 65_536, ..Module::new(&[]) };
    m.install(b"big");
    proc::setrlimit(abi::types::rlimit::AS, 64 << 20, 64 << 20).unwrap();
    let got = Spawn::new(b"./big").arg(b"big").spawn();
    assert!(matches!(got, Err(Errno::ENOMEM | Errno::EAGAIN)), "{got:?}");
    refused(&Module { pages: 65_537, ..Module::new(&[]) }.encode());
}

/// What is compiled stays with those who run it.
fn changed_while_running() {
    Module::new(&[op::LOOP, op::EMPTY_BLOCK, op::BR, 0, op::END]).install(b"p");
    let pid = Spawn::new(b"./p").arg(b"p").spawn().unwrap();
    fs::unlink(b"p").unwrap();
    write_file(b"p", b"no program any more");
    assert_eq!(proc::waitpid(pid, wait::NOHANG), Ok(None));
    proc::kill(pid, sig::KILL).unwrap();
    assert_eq!(wait_for(pid), wait::signaled(sig::KILL));
}

/// And the next to execute the file gets what is in it now.
fn rewritten() {
    let exit = |code: i32| {
        let m = Module::new(&[&i32_const(code)[..], &[op::CALL, 0]].concat());
        m.import("wasi_snapshot_preview1", "proc_exit", &[I32], &[])
    };
    for code in [1, 2, 3, 2, 1] {
        assert_eq!(status(&exit(code)), wait::exited(code as u32));
    }
    // Another name of it, too.
    fs::link(b"prog", b"other", 0).unwrap();
    exit(9).install(b"prog");
    assert_eq!(status_of(&Spawn::new(b"./other").arg(b"o")), wait::exited(9));
}
