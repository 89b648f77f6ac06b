//! Programs that never end by themselves, among others that work.

use super::vk_support::{finish, has_kernel, vk};
use std::io::Read;
use std::time::{Duration, Instant};

/// Far above what it takes, for a machine that is busy with other tests. The benchmarks know the figures.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn the_keyboard_s_interrupt_ends_a_spinning_program_while_another_works() {
    if !has_kernel() {
        return;
    }
    // Of a job in the background the keyboard is none of its business: POSIX 2.11.
    let script = "(while true; do echo tick; sleep 0.01; done) & while true; do :; done";
    let mut child = vk().args(["run", "sh", "-c", script]).spawn().expect("vk starts");
    let mut out = child.stdout.take().expect("a pipe");
    // Ticks come although the shell spins.
    let mut ticks = [0; 5 * 20];
    out.read_exact(&mut ticks).expect("20 ticks");
    let begin = Instant::now();
    // SAFETY: a process of ours that we have not waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
    let reader = std::thread::spawn(move || _ = out.read_to_end(&mut Vec::new()));
    let d = finish(child);
    assert_eq!(d.status, 130, "{}", d.err);
    assert!(begin.elapsed() < PATIENCE);
    reader.join().expect("the reader ends");
}

#[test]
fn a_signal_does_not_wait_for_many_slices_of_a_spinning_program() {
    if !has_kernel() {
        return;
    }
    let s = super::vk_support::Scratch::new("latency");
    let spin = s.program("spin.wasm", "(loop $l (br $l))");
    let once = || {
        let child = vk().args(["run", &spin]).spawn().expect("vk starts");
        std::thread::sleep(Duration::from_millis(300));
        let begin = Instant::now();
        // SAFETY: a process of ours that we have not waited for.
        assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
        assert_eq!(finish(child).status, 130);
        begin.elapsed()
    };
    // A busy machine may delay one or another, not the best of five.
    let best = (0..5).map(|_| once()).min();
    assert!(best < Some(Duration::from_millis(150)), "{best:?}");
}

#[test]
fn output_that_nobody_takes_is_waited_for_and_one_that_is_closed_ends_the_writer() {
    if !has_kernel() {
        return;
    }
    let mut child = vk().args(["run", "yes"]).spawn().expect("vk starts");
    let mut out = child.stdout.take().expect("a pipe");
    let mut piece = vec![1; 1 << 20];
    for _ in 0..4 {
        out.read_exact(&mut piece).expect("a MiB");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(out);
    let begin = Instant::now();
    let d = finish(child);
    assert!(d.status == 141 || d.status == 1, "{}: {}", d.status, d.err);
    assert!(begin.elapsed() < PATIENCE);
}

#[test]
fn time_that_is_over_is_over_for_all() {
    if !has_kernel() {
        return;
    }
    for script in ["while true; do :; done & while true; do :; done", "sleep 100 | sleep 100", "yes | cat > /dev/null"]
    {
        let begin = Instant::now();
        let d = finish(vk().args(["run", "--timeout", "0.5", "sh", "-c", script]).spawn().expect("vk starts"));
        let took = begin.elapsed();
        assert_eq!(d.status, 124, "{script}: {}", d.err);
        assert!(took >= Duration::from_millis(500) && took < PATIENCE, "{script}: {took:?}");
    }
}

/// A program that takes Cranelift far longer than anybody waits.
fn compile_bomb() -> Vec<u8> {
    let leb = |mut n: usize| {
        let mut out = Vec::new();
        while n >= 0x80 {
            out.push(n as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
        out
    };
    let sized = |bytes: &[u8]| [leb(bytes.len()), bytes.to_vec()].concat();
    let section = |id: u8, bytes: &[u8]| [vec![id], sized(bytes)].concat();
    // 39 locals, and in each step a branch and two of them changed.
    let step =
        |i: u8| [0x20, 0, 0x41, i % 60 + 1, 0x6a, 0x21, i % 40, 0x20, i % 39, 0x04, 0x40, 0x20, 0, 0x21, i % 37, 0x0b];
    let steps: Vec<u8> = (0..1500u32).flat_map(|i| step(i as u8)).collect();
    let body = sized(&[&[1, 39, 0x7f][..], &steps, &[0x20, 0, 0x0b]].concat());
    const FUNCTIONS: usize = 600;
    let types = [2, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f];
    let functions = [leb(FUNCTIONS + 1), vec![0], vec![1; FUNCTIONS]].concat();
    let code = [leb(FUNCTIONS + 1), vec![2, 0, 0x0b], body.repeat(FUNCTIONS)].concat();
    let export = [&[1, 6][..], b"_start", &[0, 0]].concat();
    [&b"\0asm\x01\0\0\0"[..], &section(1, &types), &section(3, &functions), &section(7, &export), &section(10, &code)]
        .concat()
}

#[test]
fn a_program_that_takes_long_to_compile_keeps_nobody_waiting() {
    if !has_kernel() {
        return;
    }
    let s = super::vk_support::Scratch::new("bomb");
    let bomb = s.write("bomb.wasm", compile_bomb());
    let cache = s.path("cache");
    let begin = Instant::now();
    let run = |args: &[&str]| finish(vk().args(args).env("VKERNEL_CACHE_DIR", &cache).spawn().expect("vk starts"));
    let d = run(&["run", "--timeout", "0.5", &bomb]);
    assert_eq!(d.status, 124, "{}", d.err);
    // Others of its vkernel go on meanwhile.
    let share = format!("{}::/h:ro", s.0.display());
    let script =
        "(while true; do echo tick; sleep 0.02; done) & cp /h/bomb.wasm /tmp/b; chmod 755 /tmp/b; echo begin; /tmp/b";
    let d = run(&["run", "--timeout", "1.5", "--dir", &share, "sh", "-c", script]);
    assert_eq!(d.status, 124, "{}", d.err);
    let ticks = d.out.split("begin\n").nth(1).map_or(0, |rest| rest.lines().count());
    assert!(ticks >= 10, "{ticks} ticks: {}", d.out);
    assert!(begin.elapsed() < 2 * PATIENCE);
}
