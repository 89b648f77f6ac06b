//! Random system calls with arguments that are often good and sometimes wild, from several processes at
//! once. What becomes of those processes doesn't matter; the system must live and lose nothing.

use std::time::{Duration, Instant};

use abi::syscalls::{Arg, SYSCALLS, Syscall};
use abi::types::{at, fcntl, flock, o, sig, wait};
use vkernel_sys::{Errno, io, proc};

use crate::harness::{output_of, role, write_file};
use crate::rawcall::{call, decode};

crate::tests! { fuzz: two_processes, several_processes, as_a_user }
crate::roles! { wild_calls }

/// Calls that would end the process, the system or the test.
const LEFT_OUT: [&str; 14] = [
    "exit",
    "fork_at",
    "proc_exit",
    "proc_raise",
    "kill",
    "reboot",
    "spawn",
    "exec",
    "clock_nanosleep",
    "mount",
    "sigsuspend",
    "sigqueue",
    "setitimer",
    "timer_settime",
];
const CALLS: usize = 4_000;

/// SplitMix64: a test that fails can be run again.
struct Rng(u64);
impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

const NAMES: [&str; 10] = ["f", "d", "l", "d/x", "../f", ".", "..", "/proc/self/status", "/proc/self/fd", "none"];
const NUMBERS: [u64; 12] = [0, 1, 2, 3, 7, 64, 4096, 65_536, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, u64::MAX];

/// A place to read from and write to that nobody minds: the kernel may write here, and only here.
struct Room(Vec<u8>);
const ROOM: usize = 256 << 10;

impl Room {
    fn argument(&mut self, rng: &mut Rng, kind: Arg) -> u64 {
        let wild = rng.below(16) == 0;
        match kind {
            _ if wild && !matches!(kind, Arg::Out | Arg::Len) => rng.pick(&NUMBERS),
            Arg::Fd if rng.below(4) == 0 => at::FDCWD as u32 as u64,
            Arg::Fd => rng.below(20),
            Arg::Str => rng.pick(&NAMES).as_ptr() as u64,
            Arg::In | Arg::Out if wild => rng.pick(&[0xffff_ffff, 0x8000_0000, 0xffff_f000]),
            Arg::In | Arg::Out => self.0.as_ptr() as u64 + rng.below((ROOM / 2) as u64),
            Arg::Len => rng.pick(&[0, 1, 2, 3, 8, 100, 4096, 60_000]),
            Arg::Pid => rng.pick(&[0, 1, u64::MAX, 99_999]),
            Arg::Clock => rng.below(5),
            Arg::Sig => rng.below(34),
            Arg::Mode => rng.below(0o10000),
            Arg::Flags if rng.below(2) == 0 => 1 << rng.below(22),
            Arg::Int => rng.below(3),
            _ => rng.pick(&NUMBERS),
        }
    }

    fn arguments(&mut self, rng: &mut Rng, s: &Syscall) -> Vec<u64> {
        let mut args: Vec<u64> = s.args.iter().map(|a| self.argument(rng, a.1)).collect();
        for i in 1..args.len() {
            // A name's length is the name's, as a rule.
            if s.args[i - 1].1 == Arg::Str && rng.below(16) != 0 {
                args[i] = NAMES.iter().find(|n| n.as_ptr() as u64 == args[i - 1]).map_or(3, |n| n.len() as u64);
            }
        }
        args
    }

    /// What would sleep for long sleeps for a moment, and what would close all closes some.
    fn hurry(&mut self, s: &Syscall, args: &mut [u64]) {
        let base = self.0.as_ptr() as u64;
        match s.name {
            "poll" => args[2] = args[2].min(1),
            "ppoll" => args[2] = args[2].min(1_000_000),
            "flock" => args[1] |= u64::from(flock::LOCK_NB),
            "fcntl_lock" if args[1] as u32 == fcntl::SETLKW => args[1] = fcntl::SETLK.into(),
            "close_range" => args[0] |= 16,
            "sigtimedwait" => args[2] = args[2].min(1_000_000),
            // A clock with no time to wait.
            "poll_oneoff" => {
                if let Some(first) =
                    args[0].checked_sub(base).and_then(|at| self.0.get_mut(at as usize..at as usize + 56))
                {
                    first.fill(0);
                }
            }
            _ => {}
        }
    }

    /// Something to be read as a structure: small numbers, pointers into here.
    fn stir(&mut self, rng: &mut Rng) {
        let base = self.0.as_ptr() as u64;
        for _ in 0..64 {
            let word = match rng.below(3) {
                0 => rng.below(16),
                1 => base + rng.below((ROOM / 2) as u64),
                _ => rng.pick(&NUMBERS),
            };
            let at = rng.below(ROOM as u64 / 2) as usize & !3;
            self.0[at..at + 4].copy_from_slice(&(word as u32).to_le_bytes());
        }
    }
}

fn wild_calls(args: &[&str]) -> i32 {
    let mut rng = Rng(args[0].parse().unwrap());
    let mut room = Room(vec![0; ROOM]);
    let table: Vec<&Syscall> = SYSCALLS.iter().filter(|s| !LEFT_OUT.contains(&s.name)).collect();
    let mut good = 0;
    for _ in 0..CALLS {
        room.stir(&mut rng);
        let s = rng.pick(&table);
        let mut args = room.arguments(&mut rng, s);
        room.hurry(s, &mut args);
        // SAFETY: what the kernel may write to is `room`, or nothing: `Out` pointers are into its first half, and
        // lengths of buffers shorter than the other. Structures in `room` may point anywhere in it.
        let answer = decode(s, unsafe { call(s.nr, &args) });
        good += answer.is_ok() as u32;
    }
    // That far and no further when the calls are all refused: then nothing is tested.
    if good < CALLS as u32 / 20 { 3 } else { 0 }
}

/// Runs wild processes and waits for each, for a time: some wait for what never comes.
fn run(seeds: &[u64]) {
    write_file(b"f", &[b'f'; 5000]);
    vkernel_sys::fs::mkdir(b"d", 0o777).unwrap();
    vkernel_sys::fs::symlink(b"d/x", b"l").unwrap();
    let (r, w) = io::pipe2(o::CLOEXEC | o::NONBLOCK).unwrap();
    let pids: Vec<i32> = seeds
        .iter()
        .map(|s| {
            let cmd = role("wild_calls", &[&s.to_string()]).open(0, b"/dev/null", o::RDONLY, 0);
            let cmd = cmd.open(1, b"/dev/null", o::WRONLY, 0).open(2, b"/dev/null", o::WRONLY, 0);
            cmd.dup2(r, 5).dup2(w, 6).spawn().unwrap()
        })
        .collect();
    let begun = Instant::now();
    let mut left = pids;
    let mut ends = Vec::new();
    // A slow machine has the time that one of them needs.
    while !left.is_empty()
        && begun.elapsed() < Duration::from_secs(if ends.contains(&wait::exited(0)) { 2 } else { 20 })
    {
        left.retain(|&pid| match proc::waitpid(pid, wait::NOHANG) {
            Ok(Some((_, status))) => {
                assert_ne!(wait::exit_code(status), Some(3), "no call succeeded");
                ends.push(status);
                false
            }
            Ok(None) => true,
            Err(e) => panic!("wait: {e}"),
        });
        std::thread::sleep(Duration::from_millis(5));
    }
    for pid in left {
        proc::kill(pid, sig::KILL).unwrap();
        assert_ne!(proc::waitpid(pid, 0), Err(Errno::ECHILD));
    }
    assert!(ends.contains(&wait::exited(0)), "not one came to its end: {ends:#x?}");
    assert_eq!(output_of(role("print_args", &["alive"])), b"alive");
}

fn two_processes() {
    run(&[3, 4]);
}
fn several_processes() {
    run(&[3, 4, 5, 6, 7, 8, 9, 10]);
}
fn as_a_user() {
    vkernel_sys::fs::chmod(b".", 0o777, 0).unwrap();
    proc::setgid(1000).unwrap();
    proc::setuid(1000).unwrap();
    run(&[11, 12, 13, 14]);
}
