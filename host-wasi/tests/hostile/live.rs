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
