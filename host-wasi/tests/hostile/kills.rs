//! Processes that are killed at any moment of their lives: each is reaped.

use super::{boot_of, host, main_of, status, tar_of, wasm};
use host_wasi::bootimage::BootImage;
use host_wasi::config::Program;
use std::time::Duration;

/// A spawn request for `path`, as `abi::types::spawn` has it, in the text format.
fn request(path: &str) -> (String, usize) {
    let string = |s: &str| [&(s.len() as u32).to_le_bytes()[..], s.as_bytes()].concat();
    let none = 0u32.to_le_bytes();
    let one = 1u32.to_le_bytes();
    // Flags, process group, the path, one argument, no variables, no file actions.
    let bytes = [&none[..], &none, &string(path), &one, &string(path), &none, &none].concat();
    (bytes.iter().map(|b| format!("\\{b:02x}")).collect(), bytes.len())
}

/// Makes 24 children, computes for a while, kills them all and waits for each; does it `times` times.
fn killer(times: u32) -> Vec<u8> {
    let (data, len) = request("/bin/child");
    wasm(&format!(
        r#"(data (i32.const 0) "{data}")
        (func $each (param $what i32) (local $i i32) (local $at i32)
          (loop $l
            (local.set $at (i32.add (i32.const 1024) (i32.shl (local.get $i) (i32.const 2))))
            (if (i32.eqz (local.get $what)) (then
              (i32.store (local.get $at) (call $spawn (i32.const 0) (i32.const {len})))
              (if (i32.lt_s (i32.load (local.get $at)) (i32.const 0)) (then (call $exit (i32.const 1))))))
            (if (i32.eq (local.get $what) (i32.const 1)) (then
              (drop (call $kill (i32.load (local.get $at)) (i32.const 9)))))
            (if (i32.eq (local.get $what) (i32.const 2)) (then
              (if (i32.ne (call $wait4 (i32.load (local.get $at)) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.load (local.get $at)))
                (then (call $exit (i32.const 2))))))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 24)))))
        (func (export "_start") (local $i i32) (local $n i32)
          (loop $l
            (call $each (i32.const 0))
            (drop (call $sleep (i32.const 1) (i32.const 0) (i64.extend_i32_u (i32.mul (local.get $i) (i32.const 20000)))))
            (call $each (i32.const 1))
            (call $each (i32.const 2))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {times}))))
          (call $exit (i32.const 0)))"#
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_is_reaped_wherever_it_was() {
    let _memory = super::MEMORY.read().await;
    let Some(host) = host() else { return };
    // How often: those that compute have a slice each before they can be killed.
    let spin = |n: u32| {
        format!("(loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {n}))))")
    };
    for (what, times, code) in [
        ("ends soon", 100, spin(1000)),
        ("computes", 4, "(loop $l (br $l))".to_string()),
        ("calls", 4, "(loop $l (drop (call $getpid)) (br $l))".to_string()),
        ("sleeps", 100, "(drop (call $sleep (i32.const 1) (i32.const 0) (i64.const 3600000000000)))".to_string()),
    ] {
        let (child, parent) = (main_of(&code), killer(times));
        let tar = tar_of(&[("child", &child), ("parent", &parent)]);
        let image = BootImage::from_tar_vec(tar).expect("an image");
        let builder = boot_of(&host, Program::Path(b"/bin/parent".to_vec()), image);
        assert_eq!(status(builder.timeout(Duration::from_secs(30))).await, Ok(0), "a child that {what}");
    }
}
