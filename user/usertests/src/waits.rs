//! Waiting, signals, groups, stopping, orphans. waitpid(2), kill(2), setpgid(2).

use std::time::{Duration, Instant};

use abi::types::{o, sig, wait};
use vkernel_sys::{Errno, io, proc};

use crate::harness::{output_of, role, wait_for};

crate::tests! { waits:
    killed, kill_errors, nohang, which_child, groups, stop_and_continue, stopped_is_killed, orphans, ignored_children,
    ignored_signals, held_back, held_back_and_let_go, sleep_is_cut_short, sessions, spinners_share,
}
crate::roles! { parent_of_orphan, report_parent, raise, hold_and_let_go, count_up, spin, print_ids }

/// A child that lives until the descriptor answered with it is closed.
fn child() -> (i32, i32) {
    let (r, w) = io::pipe2(o::CLOEXEC).expect("pipe2");
    let pid = role("wait_for_eof", &[]).dup2(r, 0).spawn().expect("spawn");
    io::close(r).expect("close");
    (pid, w)
}
fn pause_ms(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

fn killed() {
    for s in [sig::TERM, sig::KILL, sig::INT, sig::HUP, sig::USR1, sig::ALRM] {
        let (pid, w) = child();
        proc::kill(pid, s).unwrap();
        let status = wait_for(pid);
        assert_eq!(wait::term_signal(status), Some(s));
        assert_eq!(wait::exit_code(status), None);
        io::close(w).unwrap();
    }
    // What a signal does that is not meant to end anybody.
    let (pid, w) = child();
    for s in [0, sig::CHLD, sig::WINCH, sig::URG, sig::CONT] {
        proc::kill(pid, s).unwrap();
    }
    io::close(w).unwrap();
    assert_eq!(wait_for(pid), wait::exited(0));
}

fn raise(args: &[&str]) -> i32 {
    proc::kill(proc::getpid() as i32, args[0].parse().unwrap()).unwrap();
    // A signal to oneself comes before the call is over.
    9
}

fn kill_errors() {
    let (pid, w) = child();
    assert_eq!(proc::kill(pid, 99), Err(Errno::EINVAL));
    io::close(w).unwrap();
    pause_ms(20);
    // A zombie is still somebody.
    assert_eq!(proc::kill(pid, 0), Ok(()));
    wait_for(pid);
    assert_eq!(proc::kill(pid, sig::TERM), Err(Errno::ESRCH));
    assert_eq!(proc::kill(-99_999, sig::TERM), Err(Errno::ESRCH));
    assert_eq!(proc::kill(i32::MIN, sig::TERM), Err(Errno::ESRCH));
    let status = crate::harness::status_of(&role("raise", &[&sig::USR2.to_string()]));
    assert_eq!(wait::term_signal(status), Some(sig::USR2));
}

fn nohang() {
    let (pid, w) = child();
    assert_eq!(proc::waitpid(pid, wait::NOHANG), Ok(None));
    io::close(w).unwrap();
    loop {
        match proc::waitpid(-1, wait::NOHANG).unwrap() {
            Some(got) => break assert_eq!(got, (pid, wait::exited(0))),
            None => pause_ms(1),
        }
    }
    assert_eq!(proc::waitpid(pid, 0), Err(Errno::ECHILD));
}

/// A wait for one child takes no other.
fn which_child() {
    let ((a, wa), (b, wb)) = (child(), child());
    io::close(wb).unwrap();
    pause_ms(20);
    assert_eq!(proc::waitpid(a, wait::NOHANG), Ok(None));
    io::close(wa).unwrap();
    assert_eq!(wait_for(a), wait::exited(0));
    assert_eq!(wait_for(b), wait::exited(0));
}

fn groups() {
    let (r, w) = io::pipe2(o::CLOEXEC).unwrap();
    let new = |group| role("wait_for_eof", &[]).dup2(r, 0).pgroup(group).spawn().unwrap();
    let a = new(0);
    let b = new(a);
    let (c, wc) = child();
    assert_eq!((proc::getpgid(a), proc::getpgid(b)), (Ok(a), Ok(a)));
    assert_eq!(proc::getpgid(c), proc::getpgid(0));
    assert_eq!(proc::waitpid(-a, wait::NOHANG), Ok(None));
    proc::kill(-a, sig::TERM).unwrap();
    let mut gone: Vec<i32> = (0..2).map(|_| proc::waitpid(-a, 0).unwrap().unwrap().0).collect();
    gone.sort_unstable();
    assert_eq!(gone, [a, b]);
    assert_eq!(proc::waitpid(-a, 0), Err(Errno::ECHILD));
    assert_eq!(proc::waitpid(c, wait::NOHANG), Ok(None), "not of that group");
    // EACCES where a child that runs its program may not be moved any more.
    assert!(matches!(proc::setpgid(c, 99_998), Err(Errno::EPERM | Errno::EACCES)));
    assert_eq!(proc::setpgid(c, -1), Err(Errno::EINVAL));
    assert_eq!(proc::setpgid(1, 0), Err(Errno::ESRCH));
    io::close(wc).unwrap();
    io::close(w).unwrap();
    assert_eq!(wait_for(c), wait::exited(0));
}

/// Writes a byte every now and then.
fn count_up(_: &[&str]) -> i32 {
    while io::write(1, b".").is_ok() {
        pause_ms(1);
    }
    0
}

fn stop_and_continue() {
    let (r, w) = io::pipe2(o::CLOEXEC).unwrap();
    let pid = role("count_up", &[]).dup2(w, 1).spawn().unwrap();
    io::close(w).unwrap();
    io::read(r, &mut [0; 1]).unwrap();
    proc::kill(pid, sig::STOP).unwrap();
    assert_eq!(proc::waitpid(pid, wait::UNTRACED), Ok(Some((pid, wait::stopped(sig::STOP)))));
    // Told once.
    assert_eq!(proc::waitpid(pid, wait::UNTRACED | wait::NOHANG), Ok(None));
    pause_ms(20);
    let mut buf = [0; 4096];
    io::fcntl(r, abi::types::fcntl::SETFL, o::NONBLOCK as i32).unwrap();
    while io::read(r, &mut buf).is_ok_and(|n| n > 0) {}
    pause_ms(30);
    assert_eq!(io::read(r, &mut buf), Err(Errno::EAGAIN), "it runs while it is stopped");
    proc::kill(pid, sig::CONT).unwrap();
    assert_eq!(proc::waitpid(pid, wait::CONTINUED), Ok(Some((pid, wait::CONTINUED_STATUS))));
    io::fcntl(r, abi::types::fcntl::SETFL, 0).unwrap();
    assert_eq!(io::read(r, &mut buf[..1]), Ok(1));
    proc::kill(pid, sig::KILL).unwrap();
    assert_eq!(wait_for(pid), wait::signaled(sig::KILL));
}

fn stopped_is_killed() {
    let (pid, _w) = child();
    proc::kill(pid, sig::STOP).unwrap();
    assert!(proc::waitpid(pid, wait::UNTRACED).unwrap().is_some());
    proc::kill(pid, sig::KILL).unwrap();
    assert_eq!(wait_for(pid), wait::signaled(sig::KILL));
}

fn report_parent(args: &[&str]) -> i32 {
    let parent: u32 = args[0].parse().unwrap();
    while proc::getppid() == parent {
        pause_ms(1);
    }
    print!("{}", proc::getppid());
    0
}
fn parent_of_orphan(_: &[&str]) -> i32 {
    role("report_parent", &[&proc::getpid().to_string()]).spawn().unwrap();
    0
}

/// A child whose parent ends is pid 1's.
fn orphans() {
    let out = output_of(role("parent_of_orphan", &[]));
    if cfg!(target_family = "wasm") {
        assert_eq!(out, b"1");
    } else {
        assert!(!out.is_empty());
    }
    assert_eq!(proc::waitpid(-1, 0), Err(Errno::ECHILD));
}

/// Who ignores SIGCHLD has no zombies, and a wait lasts until there is nobody to wait for.
fn ignored_children() {
    proc::sigaction(sig::CHLD, proc::Disposition::Ignore).unwrap();
    let (_, w) = child();
    let (_, w2) = child();
    io::close(w).unwrap();
    io::close(w2).unwrap();
    assert_eq!(proc::waitpid(-1, 0), Err(Errno::ECHILD));
}

fn ignored_signals() {
    proc::sigaction(sig::TERM, proc::Disposition::Ignore).unwrap();
    proc::kill(proc::getpid() as i32, sig::TERM).unwrap();
    // Children begin with that.
    let (pid, w) = child();
    proc::kill(pid, sig::TERM).unwrap();
    pause_ms(10);
    io::close(w).unwrap();
    assert_eq!(wait_for(pid), wait::exited(0));
    assert_eq!(proc::sigaction(sig::KILL, proc::Disposition::Ignore), Err(Errno::EINVAL));
    assert_eq!(proc::sigaction(sig::STOP, proc::Disposition::Ignore), Err(Errno::EINVAL));
    assert_eq!(proc::sigaction(0, proc::Disposition::Ignore), Err(Errno::EINVAL));
    assert_eq!(proc::sigaction(77, proc::Disposition::Ignore), Err(Errno::EINVAL));
}

/// A blocked signal waits; who asks for it takes it, once.
fn held_back() {
    let me = proc::getpid() as i32;
    proc::sigblock(&[sig::TERM, sig::USR1]).unwrap();
    assert_eq!(proc::sigtake(&[sig::TERM, sig::USR1]), None);
    for _ in 0..3 {
        proc::kill(me, sig::USR1).unwrap();
    }
    proc::kill(me, sig::TERM).unwrap();
    assert_eq!(proc::sigtake(&[sig::USR1]), Some(sig::USR1));
    assert_eq!(proc::sigtake(&[sig::USR1]), None, "they do not queue");
    assert_eq!(proc::sigtake(&[sig::TERM]), Some(sig::TERM));
    // One that nobody can hold back.
    proc::sigblock(&[sig::KILL, sig::STOP]).unwrap();
    let (pid, w) = child();
    proc::kill(pid, sig::KILL).unwrap();
    assert_eq!(wait_for(pid), wait::signaled(sig::KILL));
    io::close(w).unwrap();
}

fn hold_and_let_go(_: &[&str]) -> i32 {
    proc::sigblock(&[sig::USR2]).unwrap();
    proc::kill(proc::getpid() as i32, sig::USR2).unwrap();
    io::write_all(1, b"alive").unwrap();
    let none = [0u8; 8];
    let set = abi::types::sig::SETMASK;
    // SAFETY: a set of eight bytes; the old one is not asked for.
    unsafe { vkernel_sys::raw::sigprocmask(set, none.as_ptr(), std::ptr::null_mut()) };
    9
}

fn held_back_and_let_go() {
    let (r, w) = io::pipe2(o::CLOEXEC).unwrap();
    let pid = role("hold_and_let_go", &[]).dup2(w, 1).spawn().unwrap();
    io::close(w).unwrap();
    assert_eq!(io::read_to_end(r).unwrap(), b"alive");
    assert_eq!(wait_for(pid), wait::signaled(sig::USR2));
}

fn sleep_is_cut_short() {
    let start = Instant::now();
    let pid = role("sleep_ms", &["1000000"]).spawn().unwrap();
    pause_ms(20);
    proc::kill(pid, sig::TERM).unwrap();
    assert_eq!(wait_for(pid), wait::signaled(sig::TERM));
    assert!(start.elapsed() < Duration::from_secs(20));
}

fn print_ids(_: &[&str]) -> i32 {
    let (pid, sid, pgid) = (proc::getpid() as i32, proc::getsid(0).unwrap(), proc::getpgid(0).unwrap());
    print!("{}", sid == pid && pgid == pid);
    assert_eq!(proc::setsid(), Err(Errno::EPERM));
    0
}

fn sessions() {
    if cfg!(not(target_family = "wasm")) {
        return;
    }
    assert_eq!(output_of(role("print_ids", &[]).setsid()), b"true");
    // The test leads a group.
    assert_eq!(proc::setsid(), Err(Errno::EPERM));
    assert!(proc::getsid(0).is_ok());
    assert_eq!(proc::getsid(99_997), Err(Errno::ESRCH));
}

fn spin(_: &[&str]) -> i32 {
    let mut n = 0u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

/// Processes that never make a system call let others run, and can be killed.
fn spinners_share() {
    let pids: Vec<i32> = (0..3).map(|_| role("spin", &[]).spawn().unwrap()).collect();
    let start = Instant::now();
    for _ in 0..5 {
        pause_ms(1);
    }
    assert_eq!(output_of(role("print_args", &["alive"])), b"alive");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    for pid in pids {
        let start = Instant::now();
        proc::kill(pid, sig::KILL).unwrap();
        assert_eq!(wait_for(pid), wait::signaled(sig::KILL));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
}
