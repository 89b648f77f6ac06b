//! The machine under a kernel of a few lines: what each way to enter and to leave user code comes to.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use host_wasi::bootimage::BootImage;
use host_wasi::config::Program;
use host_wasi::{Builder, Host, HostConfig, KernelImage, Outcome, Status, Stdio, precompile_kernel};

const KERNEL: &str = include_str!("machine/kernel.wat");

/// Imports that programs of these tests use.
const IMPORTS: &str = r#"
    (import "vkernel" "exit" (func $exit_ (param i32) (result i32)))
    (import "vkernel" "getpid" (func $getpid (result i32)))
    (import "vkernel" "exec" (func $exec (param i32 i32) (result i32)))
    (import "vkernel" "kill" (func $kill (param i32 i32) (result i32)))
    (import "vkernel" "seteuid" (func $down (param i32) (result i32)))
    (import "vkernel" "setegid" (func $up (param i32) (result i32)))
    (import "vkernel" "clock_gettime" (func $clock (param i32 i32) (result i32)))
    (import "vkernel" "clock_nanosleep" (func $sleep (param i32 i32 i64) (result i32)))
    (import "vkernel" "read" (func $read (param i32 i32 i32) (result i32)))
    (import "vkernel" "write" (func $write (param i32 i32 i32) (result i32)))
    (import "vkernel" "getrusage" (func $size (param i32 i32) (result i32)))
    (import "vkernel" "reboot" (func $reboot (param i32) (result i32)))
    (import "vkernel" "getppid" (func $ticks (result i32)))
    (import "vkernel" "sched_yield" (func $yield (result i32)))
    (func $exit (param i32) (drop (call $exit_ (local.get 0))))
"#;

fn program(body: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {IMPORTS} {body})")).expect("a program")
}

/// A program that is one function over one page of memory.
fn main_fn(code: &str) -> Vec<u8> {
    program(&format!("(memory (export \"memory\") 1) (func (export \"_start\") (local $i i32) {code})"))
}

fn host() -> Host {
    let kernel = wat::parse_str(KERNEL).expect("a kernel");
    Host::new(HostConfig { kernel: KernelImage::Wasm(&kernel), cache_dir: None }).expect("a host")
}

fn vkernel(host: &Host, programs: Vec<Vec<u8>>) -> Builder {
    let mut image = BootImage::empty();
    for p in programs {
        image.add_blob(p);
    }
    host.vkernel(Program::Blob(2, b"test".to_vec()))
        .image(image)
        .stdin(Stdio::Null)
        .stdout(Stdio::Null)
        .timeout(Duration::from_secs(60))
}

async fn run(programs: Vec<Vec<u8>>) -> Outcome {
    vkernel(&host(), programs).boot().await.expect("boots").wait().await
}

/// The exit code of the first program, and why it was left.
fn code_and_reason(outcome: &Outcome) -> (u32, u32) {
    match outcome.status {
        Status::Exit(status) => (status >> 8, status & 0xff),
        ref other => panic!("ended by {other:?}"),
    }
}

#[tokio::test]
async fn a_program_returns_or_exits() {
    assert_eq!(code_and_reason(&run(vec![main_fn("")]).await), (0, 1));
    let outcome = run(vec![main_fn("(call $exit (i32.add (i32.const 40) (call $getpid)))")]).await;
    assert_eq!(code_and_reason(&outcome), (41, 2));
    assert_eq!(outcome.stats.counters.get("answer"), Some(&42));
    assert_eq!(outcome.stats.process_peak_bytes, 65536);
}

#[tokio::test]
async fn each_trap_has_its_reason() {
    let table = "(table 1 funcref) (type $v (func)) (type $i (func (param i32)))";
    for (reason, body) in [
        (16, "(func (export \"_start\") unreachable)".to_string()),
        (17, "(memory 1) (func (export \"_start\") (drop (i32.load (i32.const 65533))))".into()),
        (17, "(memory 1) (func (export \"_start\") (drop (i32.load offset=4294967295 (i32.const -1))))".into()),
        (17, "(memory 1) (func (export \"_start\") (memory.fill (i32.const 9) (i32.const 0) (i32.const -1)))".into()),
        (18, format!("{table} (func (export \"_start\") (call_indirect (type $v) (i32.const 1)))")),
        (19, "(func (export \"_start\") (drop (i32.div_u (i32.const 1) (i32.const 0))))".into()),
        (20, "(func (export \"_start\") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))".into()),
        (21, "(func (export \"_start\") (drop (i32.trunc_f32_s (f32.const nan))))".into()),
        (22, "(func $f (export \"_start\") (call $f) (call $f))".into()),
        (23, format!("{table} (func (export \"_start\") (call_indirect (type $v) (i32.const 0)))")),
        (
            24,
            format!(
                "{table} (elem (i32.const 0) $f) (func $f (export \"_start\")
                 (call_indirect (type $i) (i32.const 0) (i32.const 0)))"
            ),
        ),
        (26, "(tag $t) (func (export \"_start\") (throw $t))".into()),
    ] {
        let outcome = run(vec![program(&body)]).await;
        assert_eq!(code_and_reason(&outcome), (0, reason), "{body}");
    }
}

#[tokio::test]
async fn a_stack_that_ends_in_a_system_call_is_the_program_s_fault() {
    for call in
        ["(drop (call $getpid))", "(drop (call $clock (i32.const 1) (i32.const 8)))", "(drop (call $up (i32.const 0)))"]
    {
        let deep = format!(
            "(memory (export \"memory\") 1)
             (func $f (param i32) {call} (call $f (i32.add (local.get 0) (i32.const 1))) {call})
             (func (export \"_start\") (call $f (i32.const 0)))"
        );
        assert_eq!(code_and_reason(&run(vec![program(&deep)]).await), (0, 22), "{call}");
    }
}

#[tokio::test]
async fn start_functions_run_with_their_memory_in_place() {
    let body = "(memory (export \"memory\") 1) (global $g (mut i32) (i32.const 0)) (data (i32.const 0) \"\\07\")
        (func $init (drop (call $clock (i32.const 1) (i32.const 8))) (global.set $g (i32.load8_u (i32.const 0))))
        (start $init)
        (func (export \"_start\")
            (call $exit (i32.add (global.get $g) (i64.gt_u (i64.load (i32.const 8)) (i64.const 0)))))";
    assert_eq!(code_and_reason(&run(vec![program(body)]).await), (8, 2));
    let imported = wat::parse_str(
        r#"(module (import "vkernel" "exit" (func $exit (param i32) (result i32))) (import "env" "memory" (memory 2))
            (data (i32.const 65536) "\05")
            (func (export "_start") (drop (call $exit (i32.load8_u (i32.const 65536))))))"#,
    );
    assert_eq!(code_and_reason(&run(vec![imported.unwrap()]).await), (5, 2));
}

#[tokio::test]
async fn a_bad_pointer_is_an_error_and_no_trap() {
    let code = "(call $exit (i32.sub (i32.const 0) (call $clock (i32.const 1) (i32.const 65530))))";
    assert_eq!(code_and_reason(&run(vec![main_fn(code)]).await), (21, 2));
    let none =
        "(func (export \"_start\") (call $exit (i32.sub (i32.const 0) (call $clock (i32.const 1) (i32.const 0)))))";
    assert_eq!(code_and_reason(&run(vec![program(none)]).await), (21, 2));
}

#[tokio::test]
async fn two_lwps_hand_over_to_each_other() {
    let ping = main_fn(
        "(loop $l (drop (call $up (i32.const 0))) (drop (call $down (i32.const 1)))
         (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
         (call $exit (i32.and (local.get $i) (i32.const 255)))",
    );
    let pong = main_fn(
        "(loop $l (drop (call $down (i32.const 0))) (drop (call $up (i32.const 1)))
         (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))",
    );
    assert_eq!(code_and_reason(&run(vec![ping, pong]).await), (1000 & 255, 2));
}

#[tokio::test]
async fn sleepers_wake_in_time() {
    let begin = Instant::now();
    let code = "(call $exit (call $sleep (i32.const 1) (i32.const 0) (i64.const 30000000)))";
    assert_eq!(code_and_reason(&run(vec![main_fn(code)]).await), (2, 2));
    assert!(begin.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn a_spinning_program_is_stopped_by_another_and_both_run() {
    let spin = main_fn("(loop $l (br $l))");
    let killer = main_fn(
        "(drop (call $sleep (i32.const 1) (i32.const 0) (i64.const 50000000))) (drop (call $kill (i32.const 1) (i32.const 9)))",
    );
    let begin = Instant::now();
    assert_eq!(code_and_reason(&run(vec![spin, killer]).await), (0, 3));
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_program_that_spins_through_the_kernel_is_stopped_too() {
    let spin = main_fn("(loop $l (drop (call $getpid)) (br $l))");
    let killer = main_fn(
        "(drop (call $sleep (i32.const 1) (i32.const 0) (i64.const 20000000))) (drop (call $kill (i32.const 1) (i32.const 9)))",
    );
    assert_eq!(code_and_reason(&run(vec![spin, killer]).await), (0, 3));
}

#[tokio::test]
async fn ticks_are_counted_while_a_program_computes() {
    let code = "(loop $l (br_if $l (i32.lt_u (call $ticks) (i32.const 3)))) (call $exit (i32.const 9))";
    // Without a call the program would never look; the ticks come while it is in user code.
    assert_eq!(code_and_reason(&run(vec![main_fn(code)]).await), (9, 2));
}

#[tokio::test]
async fn memory_grows_to_the_limit_and_is_counted() {
    // The kernel gives each process 32 pages.
    let code = "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (call $exit (i32.add (memory.size) (i32.shr_u (call $size (i32.const 3) (i32.const 0)) (i32.const 16))))";
    let outcome = run(vec![main_fn(code)]).await;
    assert_eq!(code_and_reason(&outcome), (64, 2));
    assert_eq!(outcome.stats.total_peak_bytes, 32 << 16);
    let two = "(memory (export \"memory\") 1) (memory $aside 1)
        (func (export \"_start\") (drop (memory.grow $aside (i32.const 20)))
            (call $exit (i32.shr_u (call $size (i32.const 1) (i32.const 0)) (i32.const 16))))";
    assert_eq!(code_and_reason(&run(vec![program(two)]).await), (22, 2));
    let table = "(memory (export \"memory\") 1) (table $t 1 funcref)
        (func (export \"_start\") (call $exit (i32.eq (i32.const -1) (table.grow $t (ref.null func) (i32.const 300000)))))";
    assert_eq!(code_and_reason(&run(vec![program(table)]).await), (1, 2));
}

#[tokio::test]
async fn the_memory_of_all_is_limited() {
    let grow = "(call $exit (memory.grow (i32.const 9)))";
    let outcome =
        vkernel(&host(), vec![main_fn(grow), main_fn("")]).total_memory(10 << 16).boot().await.unwrap().wait().await;
    assert_eq!(code_and_reason(&outcome).0, 0xff_ffff, "2 + 9 pages are more than 10");
    let refused = vkernel(&host(), vec![main_fn(""), main_fn("")]).total_memory(1 << 16).boot().await;
    assert!(refused.err().unwrap().to_string().contains("ENOMEM"));
}

#[tokio::test]
async fn exec_replaces_the_program() {
    let first = main_fn(
        "(i32.store (i32.const 0) (i32.const 7)) (drop (call $exec (i32.const 3) (i32.const 0))) (call $exit (i32.const 1))",
    );
    let second = main_fn(
        "(if (i32.eq (call $getpid) (i32.const 1)) (then (call $exit (i32.add (i32.const 50) (i32.load (i32.const 0))))))",
    );
    let outcome = run(vec![first, second]).await;
    assert_eq!(code_and_reason(&outcome), (50, 2));
}

#[tokio::test]
async fn standard_streams() {
    let out = Arc::new(Mutex::new(Vec::new()));
    let cat = main_fn(
        "(loop $l
          (local.set $i (call $read (i32.const 0) (i32.const 100) (i32.const 1000)))
          (if (i32.gt_s (local.get $i) (i32.const 0))
            (then (drop (call $write (i32.const 1) (i32.const 100) (local.get $i))) (br $l))))
         (call $exit (local.get $i))",
    );
    let (r, mut w) = std::io::pipe().unwrap();
    let writer = std::thread::spawn(move || {
        for text in [&b"one "[..], b"two ", b"three"] {
            std::thread::sleep(Duration::from_millis(20));
            w.write_all(text).unwrap();
        }
    });
    let vk = vkernel(&host(), vec![cat]).stdin(Stdio::Fd(r.into())).stdout(Stdio::Capture(out.clone()));
    assert_eq!(code_and_reason(&vk.boot().await.unwrap().wait().await), (0, 2));
    assert_eq!(*out.lock().unwrap(), b"one two three");
    writer.join().unwrap();
}

#[tokio::test]
async fn the_kernel_s_faults_are_not_the_program_s() {
    let bug = run(vec![main_fn("(drop (call $reboot (i32.const 0)))")]).await;
    assert!(matches!(&bug.status, Status::Panicked(why) if why.contains("unreachable")), "{bug:?}");
    let panic = run(vec![main_fn("(drop (call $reboot (i32.const 1)))"), main_fn("(loop $l (br $l))")]).await;
    assert_eq!(panic.status, Status::Panicked("all is lost".into()));
}

#[tokio::test]
async fn what_is_no_program_is_refused_with_a_reason() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let vk = vkernel(&host(), vec![b"\x7fELF".to_vec()]).console(Stdio::Capture(said.clone()));
    assert!(vk.boot().await.err().unwrap().to_string().contains("ENOEXEC"));
    assert!(String::from_utf8_lossy(&said.lock().unwrap()).contains("not a WebAssembly module"));
}

#[tokio::test]
async fn time_is_limited() {
    let begin = Instant::now();
    let vk = vkernel(&host(), vec![main_fn("(loop $l (br $l))")]).timeout(Duration::from_millis(50));
    assert_eq!(vk.boot().await.unwrap().wait().await.status, Status::TimedOut);
    let asleep = main_fn("(drop (call $down (i32.const 5)))");
    let vk = vkernel(&host(), vec![asleep]).timeout(Duration::from_millis(50));
    assert_eq!(vk.boot().await.unwrap().wait().await.status, Status::TimedOut);
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupts_and_the_end_from_outside() {
    let host = host();
    let spin = || vec![main_fn("(loop $l (br $l))")];
    let vk = vkernel(&host, spin()).boot().await.unwrap();
    vk.interrupt(2);
    assert_eq!(code_and_reason(&vk.wait().await), (0, 3));
    let vk = vkernel(&host, spin()).boot().await.unwrap();
    vk.kill();
    assert_eq!(vk.wait().await.status, Status::Killed);
    let asleep = vkernel(&host, vec![main_fn("(drop (call $down (i32.const 5)))")]).boot().await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    asleep.handle().kill();
    assert_eq!(asleep.wait().await.status, Status::Killed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_vkernels_at_a_time_from_one_image() {
    let host = host();
    let mut image = BootImage::empty();
    image.add_blob(main_fn(
        "(drop (call $sleep (i32.const 0) (i32.const 0) (i64.const 3000000))) (call $exit (i32.const 3))",
    ));
    host.prepare(&image).unwrap();
    let mut running = Vec::new();
    for _ in 0..200 {
        let vk = host.vkernel(Program::Blob(2, b"x".to_vec())).image(image.clone()).stdin(Stdio::Null);
        running.push(vk.boot().await.unwrap());
    }
    for vk in running {
        assert_eq!(code_and_reason(&vk.wait().await), (3, 2));
    }
}

#[tokio::test]
async fn a_precompiled_kernel_and_a_cache_on_disk() {
    let kernel = wat::parse_str(KERNEL).unwrap();
    let compiled = precompile_kernel(&kernel).unwrap();
    let dir = std::env::temp_dir().join(format!("vkernel-test-{}", std::process::id()));
    let new = || {
        let kernel = KernelImage::Precompiled(&compiled);
        Host::new(HostConfig { kernel, cache_dir: Some(dir.clone()) }).unwrap()
    };
    let code = "(call $exit (i32.const 6))";
    for _ in 0..2 {
        let outcome = vkernel(&new(), vec![main_fn(code)]).boot().await.unwrap().wait().await;
        assert_eq!(code_and_reason(&outcome), (6, 2));
    }
    let file = std::fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let outcome = vkernel(&new(), vec![main_fn(code)]).boot().await.unwrap().wait().await;
    assert_eq!(code_and_reason(&outcome), (6, 2));
    assert_eq!(std::fs::read(&file).unwrap().len(), whole.len(), "a cut file was made again");
    std::fs::remove_dir_all(&dir).unwrap();
    assert!(KernelImage::Precompiled(&compiled[..100]).refused_cleanly());
}

trait Refused {
    fn refused_cleanly(self) -> bool;
}
impl Refused for KernelImage<'_> {
    fn refused_cleanly(self) -> bool {
        Host::new(HostConfig { kernel: self, cache_dir: None }).is_err()
    }
}
