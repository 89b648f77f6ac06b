//! Bytes that are to be run: cut, mutated, confused, oversized. They are refused with a reason, or run
//! to some end.

use super::{Rng, alone, host, status, text};
use host_wasi::{Host, Status, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A module with a bit of everything.
fn specimen() -> Vec<u8> {
    super::wasm(
        r#"(global $g (mut i32) (i32.const 7)) (global $c i64 (i64.const -1))
        (table $t 4 8 funcref) (elem (i32.const 1) $f $s) (elem declare func $f)
        (type $v (func)) (type $u (func (param i32) (result i32)))
        (data (i32.const 16) "some bytes of data") (data $p "passive")
        (func $f (type $u) (i32.add (local.get 0) (global.get $g)))
        (func $s (type $v) (global.set $g (i32.const 3)) (memory.init $p (i32.const 100) (i32.const 0) (i32.const 7)))
        (start $s)
        (func (export "_start") (local $i i32) (local $x f64)
          (block $out (loop $l
            (local.set $i (call_indirect (type $u) (local.get $i) (i32.const 1)))
            (local.set $x (f64.add (local.get $x) (f64.convert_i32_s (local.get $i))))
            (br_table $out $l (i32.lt_u (local.get $i) (i32.const 300)))))
          (drop (call $write (i32.const 1) (i32.const 16) (i32.const 18)))
          (drop (memory.grow (i32.const 1)))
          (i64.store (i32.const 8) (i64.rotl (global.get $c) (i64.const 3)))
          (if (ref.is_null (table.get $t (i32.const 0))) (then (call $exit (i32.const 5)))))"#,
    )
}

/// Runs it; what the kernel said of it, if it was no program.
async fn judge(host: &Host, bytes: Vec<u8>) -> (Result<u32, Status>, String) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let builder = alone(host, bytes).console(Stdio::Capture(said.clone())).timeout(Duration::from_millis(100));
    let status = status(builder).await;
    (status, text(&said))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_module_that_is_cut_is_refused() {
    let _memory = super::MEMORY.read().await;
    let Some(host) = host() else { return };
    let whole = specimen();
    assert_eq!(judge(&host, whole.clone()).await, (Ok(5), String::new()));
    let mut whole_enough = 0;
    for n in 0..whole.len() {
        let (status, why) = judge(&host, whole[..n].to_vec()).await;
        if status == Ok(5) {
            whole_enough += 1;
            continue;
        }
        assert_eq!(status, Ok(126), "{n} bytes: {why}");
        assert!(why.starts_with("program: ") && why.len() > 30, "{n} bytes: {why}");
    }
    // Only the names of its functions can be done without.
    assert_eq!(whole_enough, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_module_that_was_changed_at_random_is_refused_or_runs() {
    let _memory = super::MEMORY.read().await;
    let Some(host) = host() else { return };
    let whole = specimen();
    let times = std::env::var("MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(2000);
    let mut ran = 0;
    for seed in 0..times {
        let mut rng = Rng(seed);
        let mut bytes = whole.clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len());
            match rng.below(5) {
                0 => bytes[at] ^= 1 << rng.below(8),
                1 => bytes[at] = rng.draw() as u8,
                2 => bytes.insert(at, rng.draw() as u8),
                3 => _ = bytes.remove(at),
                _ => {
                    let (from, n) = (rng.below(whole.len()), 1 + rng.below(16));
                    let piece = whole[from..(from + n).min(whole.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        let (status, why) = judge(&host, bytes).await;
        match status {
            Ok(126) => assert!(why.starts_with("program: "), "seed {seed}: refused, but not told why: {why}"),
            Ok(_) | Err(Status::TimedOut) => ran += 1,
            Err(other) => panic!("seed {seed}: {other:?}"),
        }
    }
    // Else nothing but the header is tested.
    assert!(ran > times / 50, "{ran} of {times} were run");
}

const START: &str = "(func (export \"_start\"))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_for_programs_is_denied_by_name() {
    let _memory = super::MEMORY.read().await;
    let Some(host) = host() else { return };
    for (fields, says) in [
        // The kernel's own door, the host's, the stub's and uaccess'.
        (r#"(import "k" "trap" (func (param i32 i32 i64 i64 i64 i64 i64 i64) (result i64)))"#, "\"k.trap\""),
        (r#"(import "kernel" "trap" (func (param i32 i32 i64 i64 i64 i64 i64 i64) (result i64)))"#, "\"kernel.trap\""),
        (r#"(import "kernel" "memory" (memory 1)) (import "env" "memory" (memory 1))"#, "\"kernel.memory\""),
        (r#"(import "host" "halt" (func (param i32)))"#, "\"host.halt\""),
        (r#"(import "host" "disk_flush" (func (param i32) (result i32)))"#, "\"host.disk_flush\""),
        (r#"(import "env" "__stack_pointer" (global (mut i32)))"#, "the global \"env.__stack_pointer\""),
        (
            r#"(import "env" "__indirect_function_table" (table 0 funcref))"#,
            "the table \"env.__indirect_function_table\"",
        ),
        (r#"(import "k" "__indirect_function_table" (table 1 funcref))"#, "the table"),
        (r#"(import "u" "copyout" (func (param i32 i32 i32) (result i32)))"#, "\"u.copyout\""),
        (r#"(import "vkernel" "boot" (func))"#, "\"vkernel.boot\""),
        (r#"(import "vkernel" "trap" (func (param i64) (result i64)))"#, "\"vkernel.trap\""),
        (r#"(import "" "" (func))"#, "\".\""),
        (r#"(import "vkernel" "getpid" (func (param i64) (result i32)))"#, "\"vkernel.getpid\""),
        (r#"(import "wasi_snapshot_preview2" "fd_write" (func))"#, "\"wasi_snapshot_preview2.fd_write\""),
        (r#"(import "wasi_snapshot_preview1" "sock_open" (func))"#, "\"wasi_snapshot_preview1.sock_open\""),
        (r#"(import "e\1b[31m\0a" "\00\ff\c3\28" (func))"#, "malformed"),
        (r#"(import "e\1b[31m\0a" "\00" (func))"#, "e\\u{1b}[31m\\n.\\0"),
        (r#"(import "a" "m" (memory 1)) (import "b" "m" (memory 1))"#, "\"a.m\" and \"b.m\""),
        (r#"(import "env" "memory" (memory 1 2 shared))"#, "shared"),
        (r#"(memory i64 1)"#, "64-bit"),
        (r#"(tag (import "env" "tag"))"#, "the tag \"env.tag\""),
    ] {
        let bytes = wat::parse_str(format!("(module {fields} {START})"));
        let bytes = bytes.unwrap_or_else(|_| bad_name(fields));
        let (status, why) = judge(&host, bytes).await;
        assert_eq!(status, Ok(126), "{fields}: {why}");
        assert!(why.starts_with("program: ") && why.contains(says), "{fields}: {why}");
        assert_eq!(why.lines().count(), 2, "the reason and the error are a line each: {why:?}");
    }
}

/// An import whose name is no UTF-8, which the assembler refuses.
fn bad_name(_: &str) -> Vec<u8> {
    let mut m = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02".to_vec();
    let import = [&[1, 1, b'e', 4][..], &[0, 0xff, 0xc3, 0x28], &[0, 0]].concat();
    m.push(import.len() as u8);
    m.extend(import);
    m
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_kinds_of_modules_are_refused_by_name() {
    let _memory = super::MEMORY.read().await;
    let Some(host) = host() else { return };
    let module = |fields: &str| wat::parse_str(format!("(module {fields})")).expect("a module");
    for (bytes, says) in [
        (wat::parse_str("(component)").expect("a component"), "component"),
        (module("(func (export \"_initialize\"))"), "reactor"),
        (module("(func (export \"main\"))"), "\"_start\""),
        (module("(memory (export \"_start\") 1)"), "a memory"),
        (module("(func (export \"_start\") (param i32))"), "\"_start\""),
        (b"(module)".to_vec(), "text"),
        (b"\x7fELF\x02\x01\x01".to_vec(), "not a WebAssembly module"),
        (Vec::new(), "empty"),
        (b"\0asm\x02\0\0\0".to_vec(), ""),
        (vec![0; 1 << 20], "not a WebAssembly module"),
    ] {
        let (status, why) = judge(&host, bytes).await;
        assert_eq!(status, Ok(126), "{says}: {why}");
        assert!(why.starts_with("program: ") && why.contains(says), "{says}: {why}");
    }
}

/// What is allowed by the format and much of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversized_modules_run_or_are_refused() {
    let _memory = super::MEMORY.read().await;
    let Some(host) = host() else { return };
    let start = |code: &str| format!("(func (export \"_start\") {code})");
    let many = |n: usize, f: &dyn Fn(usize) -> String| (0..n).map(f).collect::<String>();
    let nested = |n: usize| start(&format!("{}{}", "(block ".repeat(n), ")".repeat(n)));
    let locals = |n: usize| format!("(func (export \"_start\") {})", "(local i64) ".repeat(n));
    for (what, text, allowed) in [
        // Memory that isn't there is a reason not to run, not a crash.
        ("a memory of 4 GiB", format!("(memory (export \"memory\") 65536) {START}"), &[126][..]),
        ("three memories", format!("(memory 1000) (memory 2000) (memory 3000) {START}"), &[0, 126, 137]),
        ("a table of 10 million", format!("(table 10000000 funcref) {START}"), &[0, 126, 137]),
        ("a table of 4 thousand million", format!("(table 4294967295 funcref) {START}"), &[126, 137]),
        ("100 tables", format!("{} {START}", "(table 1000000 funcref) ".repeat(100)), &[0, 126, 137]),
        ("10,000 functions", format!("{} {START}", many(10_000, &|i| format!("(func $f{i})"))), &[0]),
        (
            "10,000 exports",
            format!("(func $f) {} {START}", many(10_000, &|i| format!("(export \"e{i}\" (func $f))"))),
            &[0],
        ),
        ("10,000 imports", format!("{} {START}", many(10_000, &|_| GETPID.into())), &[0, 126]),
        ("5,000 globals", format!("{} {START}", many(5_000, &|_| "(global i64 (i64.const 1))".into())), &[0]),
        ("nested blocks", nested(500), &[0]),
        ("many nested blocks", nested(20_000), &[0, 126]),
        ("40,000 locals", locals(40_000), &[0, 126, 139]),
        ("data out of bounds", format!("(memory 1) (data (i32.const 65530) \"0123456789\") {START}"), &[126, 137, 139]),
        (
            "elements out of bounds",
            "(table 1 funcref) (elem (i32.const 1) $s) (func $s (export \"_start\"))".to_string(),
            &[126, 137, 139],
        ),
        ("a start function that traps", format!("(func $s unreachable) (start $s) {START}"), &[132]),
        ("a start function without end", format!("(func $s (loop $l (br $l))) (start $s) {START}"), &[]),
    ] {
        // The assembler is recursive.
        let Ok(bytes) = deep_stack(move || wat::parse_str(format!("(module {text})"))) else { continue };
        let said = Arc::new(Mutex::new(Vec::new()));
        let builder = alone(&host, bytes).console(Stdio::Capture(said.clone()));
        let limit = if allowed.is_empty() { 100 } else { 20_000 };
        let status = status(builder.timeout(Duration::from_millis(limit))).await;
        match status {
            Ok(s) => assert!(allowed.contains(&s), "{what}: status {s}: {}", text_of(&said)),
            Err(other) => assert!(allowed.is_empty() && other == Status::TimedOut, "{what}: {other:?}"),
        }
    }
}

const GETPID: &str = "(import \"vkernel\" \"getpid\" (func (result i32)))";

fn text_of(said: &super::Said) -> String {
    text(said)
}

fn deep_stack<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(f).expect("a thread");
    thread.join().expect("it ends")
}
