//! Signal handlers: what only a process of its own with a real stack can show.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use vkernel_sys::signal::{self, Action};
use vkernel_sys::{Errno, Sigaction, Siginfo, clock, io, itimer, o, proc, sa, si, sig, wait};

use crate::harness::role;
use crate::module::{I32, Module, i32_const, op};
use crate::{roles, tests};

tests! { signals:
    to_oneself, mask_and_nesting, flags, info, restart, spinning, spinning_keeps_its_values, timers, children, suspend,
    faults, no_export, bad_handler, storm,
}

roles! { signal_echo, signal_spin, signal_fault, signal_read, signal_storm, signal_bad }

static COUNT: AtomicU32 = AtomicU32::new(0);
static LAST: AtomicI32 = AtomicI32::new(0);

extern "C" fn count(signal: i32) {
    COUNT.fetch_add(1, Relaxed);
    LAST.store(signal, Relaxed);
}

fn on(signal: u32, flags: u32) {
    COUNT.store(0, Relaxed);
    signal::sigaction(signal, Action::Handler(count), flags, 0).expect("sigaction");
}

fn seen() -> u32 {
    COUNT.load(Relaxed)
}

fn me() -> i32 {
    proc::getpid() as i32
}

fn wait_for(pid: i32) -> u32 {
    loop {
        match proc::waitpid(pid, 0) {
            Err(Errno::EINTR) => {}
            other => return other.expect("waitpid").expect("waits").1,
        }
    }
}

fn to_oneself() {
    for signal in [sig::USR1, sig::TERM, sig::CHLD, sig::RTMIN, sig::RTMAX] {
        on(signal, 0);
        for n in 1..=100 {
            signal::raise(signal).expect("raise");
            assert_eq!((seen(), LAST.load(Relaxed)), (n, signal as i32));
        }
    }
}

static ORDER: AtomicU64 = AtomicU64::new(0);
fn note(n: u64) {
    ORDER.store(ORDER.load(Relaxed) * 10 + n, Relaxed);
}
extern "C" fn outer(_: i32) {
    note(1);
    if ORDER.load(Relaxed) == 1 {
        signal::raise(sig::USR1).expect("raise");
        signal::raise(sig::USR2).expect("raise");
        signal::raise(sig::ALRM).expect("raise");
        assert_eq!(signal::sigpending(), Ok(sig::bit(sig::USR1) | sig::bit(sig::USR2)));
    }
    note(2);
}
extern "C" fn inner(_: i32) {
    note(3);
}

fn mask_and_nesting() {
    signal::sigaction(sig::USR1, Action::Handler(outer), 0, sig::bit(sig::USR2)).expect("sigaction");
    signal::sigaction(sig::USR2, Action::Handler(inner), 0, 0).expect("sigaction");
    signal::sigaction(sig::ALRM, Action::Handler(inner), 0, 0).expect("sigaction");
    signal::raise(sig::USR1).expect("raise");
    // SIGALRM is not held back; SIGUSR1 comes again when the first is over, SIGUSR2 after it.
    assert_eq!(ORDER.load(Relaxed), 1_3_2_1_2_3);
    assert_eq!(signal::sigprocmask(sig::BLOCK, 0), Ok(0));
    // Held back by the mask, and let through by it.
    on(sig::USR1, 0);
    signal::sigprocmask(sig::BLOCK, sig::bit(sig::USR1)).expect("mask");
    signal::raise(sig::USR1).expect("raise");
    assert_eq!(seen(), 0);
    signal::sigprocmask(sig::UNBLOCK, sig::bit(sig::USR1)).expect("mask");
    assert_eq!(seen(), 1);
}

extern "C" fn nest(_: i32) {
    if COUNT.fetch_add(1, Relaxed) < 9 {
        signal::raise(sig::USR1).expect("raise");
    }
}

fn flags() {
    COUNT.store(0, Relaxed);
    signal::sigaction(sig::USR1, Action::Handler(nest), sa::NODEFER | sa::ONSTACK, 0).expect("sigaction");
    signal::raise(sig::USR1).expect("raise");
    assert_eq!(seen(), 10);
    on(sig::USR2, sa::RESETHAND);
    signal::raise(sig::USR2).expect("raise");
    let now = signal::sigaction(sig::USR2, Action::Ignore, 0, 0).expect("sigaction");
    assert_eq!((seen(), now.handler), (1, 0));
    assert_eq!(signal::sigaction(sig::KILL, Action::Handler(count), 0, 0), Err(Errno::EINVAL));
    assert_eq!(signal::sigaction(65, Action::Handler(count), 0, 0), Err(Errno::EINVAL));
}

thread_local! {
    static INFO: Cell<Siginfo> = const { Cell::new(Siginfo { signal: 0, code: 0, pid: 0, uid: 0, status: 0, value: 0 }) };
}
fn keep(info: &Siginfo) {
    INFO.set(*info);
    COUNT.fetch_add(1, Relaxed);
}

fn info() {
    signal::sigaction(sig::USR1, Action::Info(keep), 0, 0).expect("sigaction");
    signal::raise(sig::USR1).expect("raise");
    let i = INFO.get();
    assert_eq!((i.signal, i.code, i.pid), (sig::USR1, si::USER, me()));
    let rt = sig::RTMIN + 3;
    signal::sigaction(rt, Action::Info(keep), 0, 0).expect("sigaction");
    signal::sigqueue(me(), rt, 0x1234_5678_9abc).expect("sigqueue");
    let i = INFO.get();
    assert_eq!((i.signal, i.code, i.value), (rt, si::QUEUE, 0x1234_5678_9abc));
    // They are queued, in order.
    signal::sigprocmask(sig::BLOCK, sig::bit(rt)).expect("mask");
    (0..5).for_each(|n| signal::sigqueue(me(), rt, n).expect("sigqueue"));
    for n in 0..5 {
        assert_eq!(signal::sigtimedwait(sig::bit(rt), 0).map(|i| i.value), Ok(n));
    }
    assert_eq!(signal::sigtimedwait(sig::bit(rt), 1_000_000), Err(Errno::EAGAIN));
}

/// Answers each SIGUSR1 with SIGUSR2 to its parent.
fn signal_echo(args: &[&str]) -> i32 {
    extern "C" fn answer(_: i32) {
        COUNT.fetch_add(1, Relaxed);
        let _ = proc::kill(proc::getppid() as i32, sig::USR2);
    }
    let times: u32 = args[0].parse().expect("a number");
    let wanted = sig::bit(sig::USR1);
    signal::sigprocmask(sig::BLOCK, wanted).expect("mask");
    signal::sigaction(sig::USR1, Action::Handler(answer), 0, 0).expect("sigaction");
    io::write_all(1, b"r").expect("ready");
    while seen() < times {
        let _ = signal::sigsuspend(0);
    }
    0
}

/// A role with its standard output, from which one byte has come.
fn ready(name: &str, args: &[&str]) -> (i32, i32) {
    let (r, w) = io::pipe2(o::CLOEXEC).expect("pipe");
    let pid = role(name, args).dup2(w, 1).spawn().expect("spawn");
    io::close(w).expect("close");
    assert_eq!(io::read(r, &mut [0; 1]), Ok(1));
    (pid, r)
}

/// Waits with sigsuspend for a handler, and back and forth between two processes.
fn suspend() {
    const TIMES: u32 = 200;
    signal::sigprocmask(sig::BLOCK, sig::bit(sig::USR2)).expect("mask");
    on(sig::USR2, 0);
    let (pid, r) = ready("signal_echo", &[&TIMES.to_string()]);
    for n in 1..=TIMES {
        proc::kill(pid, sig::USR1).expect("kill");
        while seen() < n {
            assert_eq!(signal::sigsuspend(0), Err(Errno::EINTR));
        }
    }
    assert_eq!(wait_for(pid), wait::exited(0));
    assert_eq!(signal::sigprocmask(sig::BLOCK, 0), Ok(sig::bit(sig::USR2)));
    io::close(r).expect("close");
}

/// Waits until a process sleeps: a signal before that would find it elsewhere.
fn until_asleep(pid: i32) {
    let path = format!("/proc/{pid}/stat");
    let begun = Instant::now();
    // `PID (NAME) STATE`
    while !String::from_utf8_lossy(&io::read_file(path.as_bytes()).unwrap()).contains(") S ") {
        assert!(begun.elapsed() < Duration::from_secs(20), "{pid} does not sleep");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Reads one byte, with a handler that does not end the read or does.
fn signal_read(args: &[&str]) -> i32 {
    let restart = args[0] == "restart";
    on(sig::USR1, if restart { sa::RESTART } else { 0 });
    io::write_all(1, b"r").expect("ready");
    let got = io::read(0, &mut [0; 8]);
    if restart { (got == Ok(3) && seen() > 0) as i32 } else { (got == Err(Errno::EINTR) && seen() == 1) as i32 }
}

fn restart() {
    for how in ["restart", "interrupt"] {
        let (r, w) = io::pipe2(o::CLOEXEC).expect("pipe");
        let (out, to) = io::pipe2(o::CLOEXEC).expect("pipe");
        let pid = role("signal_read", &[how]).dup2(r, 0).dup2(to, 1).spawn().expect("spawn");
        io::read(out, &mut [0; 1]).expect("ready");
        until_asleep(pid);
        proc::kill(pid, sig::USR1).expect("kill");
        if how == "restart" {
            std::thread::sleep(Duration::from_millis(30));
            io::write_all(w, b"abc").expect("write");
        }
        assert_eq!(wait_for(pid), wait::exited(1), "{how}");
        [r, w, out, to].into_iter().for_each(|fd| io::close(fd).expect("close"));
    }
    // A wait for a child begins again; a sleep does not.
    on(sig::ALRM, sa::RESTART);
    signal::setitimer(itimer::REAL, 20_000_000, 0).expect("setitimer");
    let begin = Instant::now();
    assert_eq!(vkernel_sys::sys::clock_nanosleep(1, 0, 60_000_000_000), Err(Errno::EINTR));
    assert!(begin.elapsed() >= Duration::from_millis(20) && seen() == 1);
    let pid = role("signal_spin", &["300"]).spawn().expect("spawn");
    signal::setitimer(itimer::REAL, 20_000_000, 20_000_000).expect("setitimer");
    assert_eq!(proc::waitpid(pid, 0).expect("not EINTR").map(|w| w.1), Some(wait::exited(0)));
    signal::setitimer(itimer::REAL, 0, 0).expect("setitimer");
    assert!(seen() > 2, "{}", seen());
}

/// Computes for so many milliseconds, with a look at the clock now and then.
fn signal_spin(args: &[&str]) -> i32 {
    let ms: u64 = args[0].parse().expect("a number");
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(ms) {
        (0..10_000u32).for_each(|n| _ = black_box(n));
    }
    0
}

/// A handler runs in a program that makes no system call.
fn spinning() {
    on(sig::ALRM, 0);
    let begin = Instant::now();
    signal::setitimer(itimer::REAL, 5_000_000, 0).expect("setitimer");
    let mut turns = 0u64;
    while black_box(&COUNT).load(Relaxed) == 0 {
        turns += 1;
    }
    assert!(turns > 100 && begin.elapsed() < Duration::from_secs(10), "{turns} {:?}", begin.elapsed());
}

/// A handler that has loops of its own, in all kinds of values, while a loop counts in all of them.
extern "C" fn busy(signal: i32) {
    count(signal);
    let mut sums = (0u32, 0u64, 0f32, 0f64);
    for n in 0..black_box(300_000u32) {
        sums = (sums.0 ^ n, sums.1.wrapping_mul(31).wrapping_add(n as u64), sums.2 + 1.0, sums.3 * 0.5 + n as f64);
    }
    black_box(sums);
}

fn work(turns: u32) -> (u32, u64, f32, f64) {
    let mut v = (1u32, 1u64, 1f32, 1f64);
    for n in 0..turns {
        v.0 = v.0.rotate_left(3) ^ n;
        v.1 = v.1.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(v.0 as u64);
        v.2 = v.2 * 0.999 + (n & 7) as f32;
        v.3 = v.3 * 0.9999 + (v.1 >> 40) as f64;
    }
    v
}

fn spinning_keeps_its_values() {
    let turns = black_box(5_000_000);
    let right = work(turns);
    signal::sigaction(sig::ALRM, Action::Handler(busy), 0, 0).expect("sigaction");
    COUNT.store(0, Relaxed);
    signal::setitimer(itimer::REAL, 1_000_000, 3_000_000).expect("setitimer");
    let begin = Instant::now();
    while seen() < 8 && begin.elapsed() < Duration::from_secs(60) {
        assert_eq!(work(black_box(turns)), right);
    }
    signal::setitimer(itimer::REAL, 0, 0).expect("setitimer");
    assert!(seen() >= 8, "{}", seen());
}

fn timers() {
    on(sig::VTALRM, 0);
    signal::setitimer(itimer::VIRTUAL, 10_000_000, 0).expect("setitimer");
    let begin = Instant::now();
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(seen(), 0, "sleeping is not CPU time");
    while seen() == 0 && begin.elapsed() < Duration::from_secs(10) {
        black_box(work(1000));
    }
    assert_eq!(seen(), 1);
    signal::setitimer(itimer::REAL, 3_000_000_000, 7_000_000).expect("setitimer");
    let (left, interval) = signal::getitimer(itimer::REAL).expect("getitimer");
    assert!((2_000_000_000..=3_000_000_000).contains(&left) && interval == 7_000_000);
    assert_eq!(signal::setitimer(itimer::REAL, 0, 0).map(|t| t.1), Ok(7_000_000));
    assert_eq!(signal::getitimer(itimer::REAL), Ok((0, 0)));
    assert_eq!(signal::setitimer(3, 0, 0), Err(Errno::EINVAL));
    made();
}

/// Timers of timer_create.
fn made() {
    signal::sigaction(sig::USR1, Action::Info(keep), 0, 0).expect("sigaction");
    let t = signal::Timer::new(clock::MONOTONIC, sig::USR1, 42).expect("timer_create");
    t.set(0, 10_000_000, 10_000_000).expect("timer_settime");
    assert_eq!(vkernel_sys::sys::clock_nanosleep(1, 0, 60_000_000_000), Err(Errno::EINTR));
    let i = INFO.get();
    assert_eq!((i.signal, i.code, i.value), (sig::USR1, si::TIMER, 42));
    let (left, interval) = t.set(0, 0, 0).expect("timer_settime");
    assert!(left <= 10_000_000 && interval == 10_000_000);
    assert_eq!((t.left(), t.overrun().is_ok()), (Ok((0, 0)), true));
    // One that is there while a loop makes no call.
    on(sig::USR1, 0);
    let begin = Instant::now();
    t.set(0, 5_000_000, 0).expect("timer_settime");
    while black_box(&COUNT).load(Relaxed) == 0 {}
    assert!(begin.elapsed() < Duration::from_secs(10));
}

fn children() {
    signal::sigaction(sig::CHLD, Action::Info(keep), sa::NOCLDSTOP, 0).expect("sigaction");
    let pid = role("signal_spin", &["5"]).spawn().expect("spawn");
    assert_eq!(wait_for(pid), wait::exited(0));
    let i = INFO.get();
    assert_eq!((i.signal, i.code, i.pid, i.status), (sig::CHLD, si::CLD_EXITED, pid, 0));
    signal::sigaction(sig::CHLD, Action::Default, sa::NOCLDWAIT, 0).expect("sigaction");
    role("signal_spin", &["1"]).spawn().expect("spawn");
    assert_eq!(proc::waitpid(-1, 0), Err(Errno::ECHILD));
}

/// Faults, with a handler that returns, exits, or faults, too.
fn signal_fault(args: &[&str]) -> i32 {
    extern "C" fn returns(_: i32) {
        let _ = io::write_all(1, b"handled");
    }
    extern "C" fn exits(_: i32) {
        proc::exit(42);
    }
    extern "C" fn faults(_: i32) {
        core::arch::wasm32::unreachable();
    }
    let handler = match args[0] {
        "returns" => returns,
        "exits" => exits,
        _ => faults as extern "C" fn(i32),
    };
    signal::sigaction(sig::ILL, Action::Handler(handler), sa::NODEFER, 0).expect("sigaction");
    core::arch::wasm32::unreachable();
}

fn faults() {
    for (how, status, output) in [
        ("returns", wait::signaled(sig::ILL), &b"handled"[..]),
        ("exits", wait::exited(42), b""),
        ("faults", wait::signaled(sig::ILL), b""),
    ] {
        let (r, w) = io::pipe2(o::CLOEXEC).expect("pipe");
        let pid = role("signal_fault", &[how]).dup2(w, 1).spawn().expect("spawn");
        io::close(w).expect("close");
        assert_eq!(io::read_to_end(r).expect("read"), output, "{how}");
        assert_eq!(wait_for(pid), status, "{how}");
        io::close(r).expect("close");
    }
}

/// A module that gives SIGUSR1 the handler 77 and sends it to itself; its exit status is what sigaction answered.
fn with_handler() -> Module {
    // At 16: the handler, flags, mask.
    let mut data = vec![0; 32];
    data[16] = 77;
    let start = [
        i32_const(sig::USR1 as i32),
        i32_const(16),
        i32_const(0),
        vec![op::CALL, 0],
        i32_const(-1),
        vec![op::I32_MUL],
        vec![op::CALL, 1],
        vec![op::DROP],
    ];
    let mut m = Module::new(&start.concat()).import("vkernel", "sigaction", &[I32; 3], &[I32]).import(
        "vkernel",
        "exit",
        &[I32],
        &[I32],
    );
    m.data = data;
    m
}

fn run(m: &Module) -> u32 {
    m.install(b"m.wasm");
    let pid = proc::Spawn::new(b"./m.wasm").arg(b"m").spawn().expect("spawn");
    wait_for(pid)
}

fn no_export() {
    assert_eq!(run(&with_handler()), wait::exited(Errno::ENOSYS as u32));
}

/// Sends itself a signal whose handler is none: out of the table, empty, or of another type.
fn signal_bad(args: &[&str]) -> i32 {
    let handler = match args[0] {
        "type" => signal_bad as fn(&[&str]) -> i32 as usize as u32,
        number => number.parse().expect("a number"),
    };
    let act = Sigaction { handler, flags: 0, mask: 0 }.to_bytes();
    for signal in [sig::USR1, sig::SEGV, sig::ILL] {
        // SAFETY: a `Sigaction` to be read, and no place for the old one.
        assert_eq!(unsafe { vkernel_sys::raw::sigaction(signal, act.as_ptr(), std::ptr::null_mut()) }, 0);
    }
    signal::raise(sig::USR1).expect("raise");
    0
}

fn bad_handler() {
    for (handler, signal) in [("2147483647", sig::SEGV), ("4294967295", sig::SEGV), ("type", sig::ILL)] {
        let pid = role("signal_bad", &[handler]).spawn().expect("spawn");
        assert_eq!(wait_for(pid), wait::signaled(signal), "{handler}");
    }
}

/// Counts what comes, until it has been told to end.
fn signal_storm(_: &[&str]) -> i32 {
    on(sig::USR1, 0);
    signal::sigaction(sig::USR2, Action::Handler(count), 0, 0).expect("sigaction");
    io::write_all(1, b"r").expect("ready");
    while LAST.load(Relaxed) != sig::USR2 as i32 {
        black_box(work(100));
    }
    (seen() > 10) as i32
}

fn storm() {
    let (pid, r) = ready("signal_storm", &[]);
    for n in 0..100_000 {
        proc::kill(pid, sig::USR1).expect("kill");
        if n % 1000 == 0 {
            vkernel_sys::sys::sched_yield();
        }
    }
    // The last one that it sees must be this.
    std::thread::sleep(Duration::from_millis(20));
    proc::kill(pid, sig::USR2).expect("kill");
    assert_eq!(wait_for(pid), wait::exited(1));
    io::close(r).expect("close");
}
