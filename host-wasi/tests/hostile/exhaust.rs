//! All there is of something, used up by a program: it is told so, and nobody else minds.

use super::vk_support::{has_kernel, run};
use super::{alone, host, status, wasm};
use abi::Errno;
use abi::types::rlimit;
use host_wasi::Builder;

/// Makes objects of one kind until that fails, takes them all away, and does it again. Its status is the
/// error, or 200 and more when the second time it came less far by half.
///
/// `make` answers something negative when it fails, and `$i` is the object's number, `$fd` what is open;
/// `take` undoes it. The path `/tmp/XXXXXXXX` stands at 0, its length is 13.
fn bomb(make: &str, take: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(data (i32.const 0) "/tmp/")
        (func $name (param $i i32) (local $k i32)
          (loop $l
            (i32.store8 (i32.sub (i32.const 12) (local.get $k)) (i32.add (i32.const 97) (i32.and (local.get $i) (i32.const 15))))
            (local.set $i (i32.shr_u (local.get $i) (i32.const 4)))
            (br_if $l (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 8)))))
        (func $make (param $i i32) (result i32) {make})
        (func $take (param $i i32) {take})
        (global $error (mut i32) (i32.const 0))
        (func $fill (result i32) (local $i i32) (local $r i32)
          (block $full (loop $l
            (call $name (local.get $i))
            (br_if $full (i32.lt_s (local.tee $r (call $make (local.get $i))) (i32.const 0)))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 2000000)))))
          (global.set $error (i32.sub (i32.const 0) (local.get $r)))
          (local.get $i))
        (func $empty (param $n i32) (local $i i32)
          (loop $l
            (if (i32.lt_u (local.get $i) (local.get $n)) (then
              (call $name (local.get $i)) (call $take (local.get $i))
              (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $l)))))
        (func (export "_start") (local $first i32) (local $second i32)
          (call $empty (local.tee $first (call $fill)))
          (call $empty (local.tee $second (call $fill)))
          (if (i32.lt_u (local.get $second) (i32.shr_u (local.get $first) (i32.const 1))) (then (call $exit (i32.const 200))))
          (if (i32.lt_u (local.get $first) (i32.const 100)) (then (call $exit (i32.const 201))))
          (call $exit (global.get $error)))"#
    ))
}

const OPEN: &str = "(call $openat (i32.const -100) (i32.const 0) (i32.const 13) (i32.const 66) (i32.const 384))";
const UNLINK: &str = "(drop (call $unlinkat (i32.const -100) (i32.const 0) (i32.const 13) (i32.const 0)))";

/// A little memory for the kernel, and any number of descriptors.
fn small(builder: Builder) -> Builder {
    builder.options(|o| {
        o.kernel_memory = Some(12 << 20);
        o.limits = vec![(rlimit::NOFILE, 1 << 20)];
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kernel_runs_out_of_memory_and_gets_over_it() {
    let _memory = super::MEMORY.read().await;
    let Some(host) = host() else { return };
    let full = [Errno::ENOMEM, Errno::ENOSPC, Errno::EMFILE, Errno::ENFILE].map(|e| e as u32);
    let write = |fd: &str, n: u32| format!("(call $write {fd} (i32.const 0) (i32.const {n}))");
    for (what, make, take) in [
        ("empty files", format!("(local $fd i32) (local.set $fd {OPEN})
                 (if (result i32) (i32.lt_s (local.get $fd) (i32.const 0)) (then (local.get $fd)) (else (call $close (local.get $fd))))"), UNLINK.to_string()),
        ("open files", OPEN.into(), format!("{UNLINK} (drop (call $close (i32.add (local.get $i) (i32.const 4))))")),
        (
            "directories",
            "(call $mkdirat (i32.const -100) (i32.const 0) (i32.const 13) (i32.const 448))".into(),
            "(drop (call $unlinkat (i32.const -100) (i32.const 0) (i32.const 13) (i32.const 512)))".into(),
        ),
        (
            "symbolic links",
            "(call $symlinkat (i32.const 5) (i32.const 8) (i32.const -100) (i32.const 0) (i32.const 13))".into(),
            UNLINK.into(),
        ),
        (
            "pipes",
            "(call $pipe2 (i32.const 64) (i32.const 2048))".into(),
            "(drop (call $close (i32.add (i32.shl (local.get $i) (i32.const 1)) (i32.const 4))))
             (drop (call $close (i32.add (i32.shl (local.get $i) (i32.const 1)) (i32.const 5))))"
                .into(),
        ),
        (
            "full pipes",
            format!(
                "(local $r i32) (local.set $r (call $pipe2 (i32.const 64) (i32.const 2048)))
                 (if (i32.ge_s (local.get $r) (i32.const 0)) (then (local.set $r {})
                   ;; What couldn't be filled goes at once.
                   (if (i32.lt_s (local.get $r) (i32.const 0)) (then
                     (drop (call $close (i32.load (i32.const 64)))) (drop (call $close (i32.load (i32.const 68))))))))
                 (local.get $r)",
                write("(i32.load (i32.const 68))", 65536)
            ),
            "(drop (call $close (i32.add (i32.shl (local.get $i) (i32.const 1)) (i32.const 4))))
             (drop (call $close (i32.add (i32.shl (local.get $i) (i32.const 1)) (i32.const 5))))"
                .into(),
        ),
        (
            "small files",
            format!(
                "(local $fd i32) (local $r i32) (local.set $fd {OPEN})
                 (if (i32.lt_s (local.get $fd) (i32.const 0)) (then (return (local.get $fd))))
                 (local.set $r {}) (drop (call $close (local.get $fd)))
                 (if (i32.lt_s (local.get $r) (i32.const 0)) (then {UNLINK})) (local.get $r)",
                write("(local.get $fd)", 300)
            ),
            UNLINK.into(),
        ),
    ] {
        let end = status(small(alone(&host, bomb(&make, &take)))).await;
        assert!(end.as_ref().is_ok_and(|e| full.contains(e)), "{what}: {end:?}");
    }
}

/// Many files, opened while there was memory, are then written to: growing them needs no admission.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_files_that_grow_leave_the_kernel_its_reserve() {
    let _memory = super::MEMORY.read().await;
    let Some(host) = host() else { return };
    let fill_pipes = "(block $full (loop $l
        (br_if $full (call $pipe2 (i32.const 64) (i32.const 2048)))
        (br_if $full (i32.lt_s (call $write (i32.load (i32.const 68)) (i32.const 0) (i32.const 65536)) (i32.const 0)))
        (br $l)))";
    for bytes in [1, 600, 3000, 5000] {
        let program = wasm(&format!(
            r#"(data (i32.const 0) "/tmp/aaaaaaaa")
            (func (export "_start") (local $i i32)
              (loop $open
                (i32.store (i32.const 8) (i32.or (i32.const 0x61616161) (i32.add (local.get $i) (i32.const 0x01010101))))
                (i32.store (i32.const 5) (i32.add (i32.const 0x41414141) (local.get $i)))
                (i32.store8 (i32.const 9) (i32.const 97))
                (drop (call $openat (i32.const -100) (i32.const 0) (i32.const 9) (i32.const 66) (i32.const 384)))
                (br_if $open (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4000))))
              {fill_pipes}
              (local.set $i (i32.const 4))
              (loop $write
                (drop (call $write (local.get $i) (i32.const 0) (i32.const {bytes})))
                (br_if $write (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4004))))
              ;; Whatever is asked of it now.
              (drop (call $pipe2 (i32.const 64) (i32.const 0)))
              (drop (call $mkdirat (i32.const -100) (i32.const 0) (i32.const 9) (i32.const 448)))
              (drop (call $spawn (i32.const 0) (i32.const 64)))
              (call $exit (i32.const 7)))"#
        ));
        assert_eq!(status(small(alone(&host, program))).await, Ok(7), "{bytes} bytes each");
    }
}

#[test]
fn a_fork_bomb_is_told_to_stop() {
    if !has_kernel() {
        return;
    }
    let script = "i=0; p=; while [ $i -lt 300 ]; do sleep 100 & p=\"$p $!\"; i=$((i+1)); done 2>/dev/null
        kill $p 2>/dev/null; wait; true && echo well; echo piped | cat";
    let d = run(&["run", "--procs", "64", "--timeout", "60", "sh", "-c", script]);
    assert!(d.out.ends_with("well\npiped\n"), "{}: {} {}", d.status, d.out, d.err);
    // It breeds where it can.
    let script = "f() { f & f & wait; }; f";
    let d = run(&["run", "--procs", "64", "--timeout", "2", "sh", "-c", script]);
    assert!(!d.err.contains("panic"), "{}: {}", d.status, d.err);
}

#[test]
fn a_full_file_system_is_one_that_can_be_emptied() {
    if !has_kernel() {
        return;
    }
    let script = "yes > /tmp/big; echo $?; echo x > /tmp/small || echo full
        rm -f /tmp/big /tmp/small; echo content > /tmp/f && cat /tmp/f";
    for size in ["16m", "64m"] {
        let d = run(&["run", "--total-memory", size, "--timeout", "60", "sh", "-c", script]);
        assert!(d.out.starts_with("1\n") && d.out.ends_with("content\n"), "{size}: {} {}", d.out, d.err);
        assert!(d.err.contains("No space left"), "{size}: {}", d.err);
    }
}

#[test]
fn the_kernel_s_memory_counts_in_the_total() {
    if !has_kernel() {
        return;
    }
    // Pipes are the kernel's: 16 MiB of them are less than 300.
    let script = "i=0; while [ $i -lt 40 ]; do yes | sleep 2 & i=$((i+1)); done; wait; echo over";
    let d = run(&["run", "--total-memory", "24m", "--timeout", "60", "sh", "-c", script]);
    assert!(!d.err.contains("panic"), "{}: {}", d.status, d.err);
}
