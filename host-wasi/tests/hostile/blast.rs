//! Vkernels that come to a bad end among others: their neighbours and the host go on, and nothing of
//! them is left.

use super::{alone, host, main_of, status};
use host_wasi::bootimage::BootImage;
use host_wasi::config::Program;
use host_wasi::{Host, HostConfig, KernelImage, Status, Stdio};
use std::time::Duration;

/// The kernel of a few lines that `tests/machine.rs` has, in which `reboot(1)` is a panic and `reboot(0)`
/// a trap.
const FRAGILE: &str = include_str!("../machine/kernel.wat");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kernel_panic_ends_one_vkernel() {
    let _memory = super::MEMORY.read().await;
    let kernel = wat::parse_str(FRAGILE).expect("a kernel");
    let host = Host::new(HostConfig { kernel: KernelImage::Wasm(&kernel), cache_dir: None }).expect("a host");
    let program = |code: &str| {
        let text = format!(
            r#"(module (import "vkernel" "reboot" (func $reboot (param i32) (result i32)))
            (import "vkernel" "sched_yield" (func $yield (result i32)))
            (import "vkernel" "exit" (func $exit (param i32) (result i32)))
            (func (export "_start") (local $i i32) {code}))"#
        );
        wat::parse_str(text).expect("a program")
    };
    let works = program(
        "(loop $l (drop (call $yield))
           (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20000))))
         (drop (call $exit (i32.const 3)))",
    );
    let ends = [program("(drop (call $reboot (i32.const 0)))"), program("(drop (call $reboot (i32.const 1)))")];
    for round in 0..10 {
        let mut all = Vec::new();
        for i in 0..20 {
            let bad = i % 2 == 1;
            let mut image = BootImage::empty();
            image.add_blob(if bad { ends[i / 2 % 2].clone() } else { works.clone() });
            // Others of the same vkernel go down with it, wherever they are.
            image.add_blob(if bad { program("(loop $l (br $l))") } else { works.clone() });
            let vk = host.vkernel(Program::Blob(2, b"x".to_vec())).image(image).stdin(Stdio::Null);
            all.push((bad, vk.console(Stdio::Null).timeout(Duration::from_secs(60)).boot().await.expect("boots")));
        }
        for (i, (bad, vk)) in all.into_iter().enumerate() {
            match vk.wait().await.status {
                Status::Panicked(why) => assert!(bad && !why.is_empty(), "round {round}, vkernel {i}: {why}"),
                Status::Exit(s) => assert!(!bad && s >> 8 == 3, "round {round}, vkernel {i}: {s:#x}"),
                other => panic!("round {round}, vkernel {i}: {other:?}"),
            }
        }
    }
}

/// A process in each state that one can be killed in.
fn states() -> Vec<(&'static str, Vec<u8>)> {
    let pipe = "(drop (call $pipe2 (i32.const 64) (i32.const 0)))";
    vec![
        ("computing", main_of("(loop $l (br $l))")),
        ("in calls", main_of("(loop $l (drop (call $getpid)) (br $l))")),
        ("asleep", main_of("(drop (call $sleep (i32.const 1) (i32.const 0) (i64.const 3600000000000)))")),
        (
            "at a pipe",
            main_of(&format!("{pipe} (drop (call $read (i32.load (i32.const 64)) (i32.const 0) (i32.const 1)))")),
        ),
        (
            "at a full pipe",
            main_of(&format!(
                "{pipe} (loop $l (drop (call $write (i32.load (i32.const 68)) (i32.const 0) (i32.const 65536))) (br $l))"
            )),
        ),
        ("stopped", main_of("(drop (call $kill (call $getpid) (i32.const 19))) (loop $l (br $l))")),
        (
            "at a device",
            main_of("(loop $l (drop (call $write (i32.const 1) (i32.const 0) (i32.const 65536))) (br $l))"),
        ),
        (
            "at its memory",
            main_of(
                "(loop $l (drop (memory.grow (i32.const 1))) (memory.fill (i32.const 0) (i32.const 1) (i32.const 131072)) (br $l))",
            ),
        ),
        ("overflowing", super::wasm("(func $f (export \"_start\") (call $f) (call $f))")),
        (
            "making files",
            main_of(
                "(loop $l (drop (call $close (call $openat (i32.const -100) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0)))) (br $l))",
            ),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vkernel_can_be_killed_whatever_its_processes_do() {
    let _memory = super::MEMORY.read().await;
    let Some(host) = host() else { return };
    for (what, program) in states() {
        for wait_ms in [0, 1, 10] {
            let vk = alone(&host, program.clone()).boot().await.expect("boots");
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            vk.kill();
            let end = tokio::time::timeout(Duration::from_secs(30), vk.wait()).await;
            let end = end.unwrap_or_else(|_| panic!("{what}: it doesn't end")).status;
            let over = what == "overflowing" && matches!(end, Status::Exit(_));
            assert!(end == Status::Killed || over, "{what}, after {wait_ms} ms: {end:?}");
        }
        // Asked to end and out of time: all processes are killed by the kernel.
        let vk = alone(&host, program.clone()).timeout(Duration::from_millis(20)).boot().await.expect("boots");
        let end = vk.wait().await.status;
        assert!(end == Status::TimedOut || what == "overflowing", "{what}: {end:?}");
        // Dropped without a word, in the midst of things.
        drop(alone(&host, program).boot().await.expect("boots"));
    }
    assert_eq!(status(alone(&host, main_of("(call $exit (i32.const 9))"))).await, Ok(9));
}

/// Bytes that this process has in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("a Linux host");
    let pages: usize = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("pages");
    pages * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_of_ended_vkernels_comes_back() {
    let Some(host) = host() else { return };
    let _memory = super::MEMORY.write().await;
    // Each touches 8 MiB of its own and has the kernel keep something.
    let code = "(drop (memory.grow (i32.const 128))) (memory.fill (i32.const 0) (i32.const 1) (i32.const 8388608))
        (drop (call $pipe2 (i32.const 64) (i32.const 0)))
        (drop (call $write (i32.load (i32.const 68)) (i32.const 0) (i32.const 65536)))
        (loop $l (br_if $l (i32.eqz (call $sleep (i32.const 1) (i32.const 0) (i64.const 2000000)))) (br $l))";
    let program = main_of(code);
    let batch = async |n: usize| {
        let mut all = Vec::new();
        for _ in 0..n {
            all.push(alone(&host, program.clone()).boot().await.expect("boots"));
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        for vk in &all {
            vk.kill();
        }
        for vk in all {
            assert_eq!(vk.wait().await.status, Status::Killed);
        }
    };
    // What the first ones leave is kept for later ones.
    batch(20).await;
    batch(20).await;
    let before = resident();
    for _ in 0..10 {
        batch(20).await;
    }
    let more = resident().saturating_sub(before);
    assert!(more < 10 << 20, "{} KiB more after 200 vkernels", more >> 10);
}
