//! Processes that are dead: what is left of them in a file, and what is left of many in the kernel.

use std::time::Duration;

use abi::types::{mode, rlimit, sig, wait};
use vkernel_sys::{Errno, Spawn, fs, io, proc};

use crate::harness::{status_of, wait_for};
use crate::module::{I32, Module, i32_const, op};

crate::tests! { dead: core_dump, no_core_dump, core_dump_of_one_that_computes, zombies_up_to_the_limit }
crate::roles! { children }

const TEXT: &[u8] = b"the string in its memory";

/// Dies of a division by zero in function 1: an import comes before it.
fn install_crash() {
    let code = [&i32_const(1)[..], &i32_const(0), &[op::I32_DIV_U, op::DROP]].concat();
    let mut m = Module::new(&code).import("wasi_snapshot_preview1", "proc_exit", &[I32], &[]);
    m.data = TEXT.to_vec();
    m.pages = 3;
    m.install(b"crash");
}

fn may_dump(bytes: u64) {
    proc::setrlimit(rlimit::CORE, bytes, rlimit::INFINITY).unwrap();
}

fn holds(file: &[u8], text: &[u8]) -> bool {
    file.windows(text.len()).any(|w| w == text)
}

fn core_dump() {
    install_crash();
    may_dump(rlimit::INFINITY);
    let crash = Spawn::new(b"./crash").arg(b"crash");
    assert_eq!(status_of(&crash), wait::signaled(sig::FPE) | wait::CORE);
    let stat = fs::stat(b"core").unwrap();
    assert_eq!((stat.mode & mode::PERM, stat.uid), (0o600, proc::geteuid()));
    let file = io::read_file(b"core").unwrap();
    assert!(file.starts_with(b"\0asm\x01\0\0\0"));
    // A stack of one frame: instance 0, function 1, offset 0, no locals, no operands. Or none, where the machine can't tell.
    let frame = holds(&file, b"corestack\0\x04main\x01\0\0\x01\0\0\0");
    assert!(frame || holds(&file, b"corestack\0\x04main\0"));
    assert!(holds(&file, b"signal 8 FPE\ncause integer division by zero\n"));
    assert!(holds(&file, TEXT));
    // Not through a link, whatever it leads to.
    fs::unlink(b"core").unwrap();
    fs::symlink(b"other", b"core").unwrap();
    assert_eq!(status_of(&crash), wait::signaled(sig::FPE));
    assert_eq!(fs::stat(b"other").err(), Some(Errno::ENOENT));
}

fn no_core_dump() {
    install_crash();
    let crash = Spawn::new(b"./crash").arg(b"crash");
    assert_eq!(status_of(&crash), wait::signaled(sig::FPE));
    may_dump(100);
    assert_eq!(status_of(&crash), wait::signaled(sig::FPE));
    assert_eq!(fs::stat(b"core").err(), Some(Errno::ENOENT));
    may_dump(1000);
    assert_eq!(status_of(&crash), wait::signaled(sig::FPE) | wait::CORE);
    assert_eq!(fs::stat(b"core").unwrap().size, 1000);
}

fn core_dump_of_one_that_computes() {
    Module::new(&[op::LOOP, op::EMPTY_BLOCK, op::BR, 0, op::END]).install(b"spin");
    may_dump(rlimit::INFINITY);
    let pid = Spawn::new(b"./spin").arg(b"spin").spawn().unwrap();
    std::thread::sleep(Duration::from_millis(30));
    proc::kill(pid, sig::QUIT).unwrap();
    assert_eq!(wait_for(pid), wait::signaled(sig::QUIT) | wait::CORE);
    assert!(holds(&io::read_file(b"core").unwrap(), b"signal 3 QUIT\n"));
}

/// A line of `/proc/kernel`.
fn kernel_has(name: &str) -> u64 {
    let text = String::from_utf8(io::read_file(b"/proc/kernel").unwrap()).unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix(name)?.trim().parse().ok());
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// The dead that nobody has waited for count: in the end there is room for no other process.
fn zombies_up_to_the_limit() {
    Module::new(&[]).install(b"brief");
    let brief = Spawn::new(b"./brief").arg(b"b");
    let mut pids = Vec::new();
    let mut refused = 0;
    while refused < 20 {
        match brief.spawn() {
            Ok(pid) => {
                pids.push(pid);
                refused = 0;
            }
            // A host may have no room for more that live. They end soon.
            Err(e) => {
                assert_eq!(e, Errno::EAGAIN);
                refused += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        assert!(pids.len() < 100_000, "no end");
    }
    assert!(kernel_has("procs") as usize > pids.len());
    // A page has room for 200 processes.
    assert!(pids.len() > 100, "{} zombies", pids.len());
    // Newest first: each takes itself out of its parent's list.
    pids.into_iter().rev().for_each(|pid| assert_eq!(wait_for(pid), wait::exited(0)));
    assert_eq!(status_of(&brief), wait::exited(0));
}

/// So many children, one after another. What the kernel has in use stays what it was after the first few.
fn children(args: &[&str]) -> i32 {
    let many: u64 = args[0].parse().unwrap();
    Module::new(&[]).install(b"/tmp/brief");
    let brief = Spawn::new(b"/tmp/brief").arg(b"b");
    let mut before = (0, 0);
    for n in 0..many {
        if n == many / 100 {
            before = (kernel_has("heap_bytes"), kernel_has("procs"));
        }
        assert_eq!(status_of(&brief), wait::exited(0), "child {n}");
    }
    let after = (kernel_has("heap_bytes"), kernel_has("procs"));
    println!("{many} children: heap_bytes {} -> {}, procs {} -> {}", before.0, after.0, before.1, after.1);
    (after.1 != before.1 || after.0 > before.0 + (16 << 10)) as i32
}
