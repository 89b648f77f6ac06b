//! fork(2), from below: modules that keep what they need in their memory, as the loader has programs
//! do it for them. The child begins at `_start` with `frames` as its parent gave them.

use abi::types::wait;
use vkernel_sys::{Errno, Spawn, proc, raw};

use crate::harness::status_of;
use crate::module::{I32, Module, i32_const, op};

crate::tests! { fork:
    memory_is_copied, memory_grows_apart, frames_are_forgotten_by_exec, many_in_a_row, start_functions_run_once,
    at_the_limit,
}

const FORK_AT: u8 = 0;
const FRAMES: u8 = 1;
const WAIT4: u8 = 2;
const EXIT: u8 = 3;
const GROW: [u8; 2] = [0x40, 0];
const SIZE: [u8; 2] = [0x3f, 0];
const IF: [u8; 2] = [0x04, op::EMPTY_BLOCK];
const I32_SHR_U: u8 = 0x76;
const I32_EQZ: u8 = 0x45;
const I32_ADD: u8 = 0x6a;
const I32_SUB: u8 = 0x6b;
const I32_LT_S: u8 = 0x48;
/// Where a status or a counter is kept.
const WORD: i32 = 512;

fn call(f: u8) -> Vec<u8> {
    vec![op::CALL, f]
}
fn load(at: i32) -> Vec<u8> {
    [i32_const(at), vec![op::I32_LOAD, 2, 0]].concat()
}
fn store(at: i32, value: Vec<u8>) -> Vec<u8> {
    [i32_const(at), value, vec![op::I32_STORE, 2, 0]].concat()
}
fn exit(value: Vec<u8>) -> Vec<u8> {
    [value, call(EXIT), vec![op::DROP]].concat()
}
/// The child's exit code, once it is over.
fn reap() -> Vec<u8> {
    let wait = [i32_const(-1), i32_const(WORD), i32_const(0), i32_const(0), call(WAIT4), vec![op::DROP]].concat();
    [wait, load(WORD), i32_const(8), vec![I32_SHR_U]].concat()
}
/// Forks; exits with minus the error if that fails.
fn fork() -> Vec<u8> {
    let failed = [load(WORD), i32_const(0), vec![I32_LT_S]].concat();
    let status = exit([i32_const(0), load(WORD), vec![I32_SUB]].concat());
    let made = store(WORD, [i32_const(4096), call(FORK_AT)].concat());
    [made, failed, IF.to_vec(), status, vec![op::END]].concat()
}

/// A program that does the one in a child, and the other in what was started.
fn program(child: &[Vec<u8>], parent: &[Vec<u8>]) -> Module {
    let start =
        [[call(FRAMES), IF.to_vec()].concat(), child.concat(), vec![op::END], parent.concat(), exit(i32_const(99))]
            .concat();
    Module::new(&start)
        .import("vkernel", "fork_at", &[I32], &[I32])
        .import("vkernel", "frames", &[], &[I32])
        .import("vkernel", "wait4", &[I32, I32, I32, I32], &[I32])
        .import("vkernel", "exit", &[I32], &[I32])
}

fn run(m: &Module) -> u32 {
    m.install(b"prog");
    status_of(&Spawn::new(b"./prog").arg(b"prog"))
}

/// The child sees what was written before, data segments or not, and nothing that is written after.
fn memory_is_copied() {
    let child = [exit([load(0), load(1024), vec![I32_ADD]].concat())];
    let parent = [store(0, i32_const(30)), store(1024, i32_const(12)), fork(), store(0, i32_const(7)), exit(reap())];
    let mut m = program(&child, &parent);
    m.data = b"data".to_vec();
    assert_eq!(run(&m), wait::exited(42));
    // And the other way round.
    let child = [store(0, i32_const(5)), exit(i32_const(0))];
    let parent = [store(0, i32_const(8)), fork(), [reap(), vec![op::DROP]].concat(), exit(load(0))];
    assert_eq!(run(&program(&child, &parent)), wait::exited(8));
}

fn memory_grows_apart() {
    let grow = |n| [i32_const(n), GROW.to_vec(), vec![op::DROP]].concat();
    let far = (3 << 16) - 8;
    // The child has the parent's three pages, and makes them five.
    let child = [grow(2), exit([SIZE.to_vec(), load(far), vec![I32_ADD]].concat())];
    let parent = [
        grow(2),
        store(far, i32_const(20)),
        fork(),
        store(8, reap()),
        exit([load(8), SIZE.to_vec(), vec![I32_ADD]].concat()),
    ];
    assert_eq!(run(&program(&child, &parent)), wait::exited(5 + 20 + 3));
}

/// What has executed a program did not fork it.
fn frames_are_forgotten_by_exec() {
    // SAFETY: no pointers.
    assert_eq!(unsafe { raw::frames() }, 0);
    let child = [exit([call(FRAMES), i32_const(4090), vec![I32_SUB]].concat())];
    assert_eq!(run(&program(&child, &[fork(), exit(reap())])), wait::exited(6));
}

/// As many as there is no room for at a time.
fn many_in_a_row() {
    let count = 1024;
    let again = [
        vec![op::LOOP, op::EMPTY_BLOCK],
        fork(),
        store(count, [load(count), reap(), vec![I32_ADD]].concat()),
        [load(count), i32_const(200), vec![I32_LT_S]].concat(),
        // To the loop's head.
        vec![0x0d, 0, op::END],
    ]
    .concat();
    let parent = [again, exit(load(count))];
    assert_eq!(run(&program(&[exit(i32_const(1))], &parent)), wait::exited(200));
}

fn start_functions_run_once() {
    let mut m = program(&[exit(load(2048))], &[fork(), exit(reap())]);
    m.initialiser = [store(2048, [load(2048), i32_const(11), vec![I32_ADD]].concat())].concat();
    assert_eq!(run(&m), wait::exited(11));
}

fn at_the_limit() {
    let sleeping = [vec![op::LOOP, op::EMPTY_BLOCK], vec![0x0c, 0, op::END]].concat();
    let m = program(&[sleeping], &[fork(), exit([reap(), vec![I32_EQZ]].concat())]);
    vkernel_sys::fs::chmod(b".", 0o777, 0).unwrap();
    m.install(b"prog");
    proc::setrlimit(abi::types::rlimit::NPROC, 2, 2).unwrap();
    proc::setuid(1000).unwrap();
    // This process and the one that it starts are two.
    let status = status_of(&Spawn::new(b"./prog").arg(b"prog"));
    assert_eq!(status, wait::exited(Errno::EAGAIN as u32));
}
