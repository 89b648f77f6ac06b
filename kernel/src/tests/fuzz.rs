//! The system-call fuzzer: random numbers, arguments and pointers from several processes at once.
//! Nothing may panic, and afterwards the kernel must work and hold no more than before.
//!
//! `FUZZ_SEEDS=n` runs so many seeds instead of the few that every test run does.

use alloc::format;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::syscalls::{Arg, COUNT, Module, SYSCALLS, Syscall, UAddr, registers};
use abi::types::{at, ioctl, o, wait};

use crate::machdep::fake::disk::{Bytes, Disk};
use crate::machdep::fake::{Fake, Request, Rng, Sys, Vk};

/// Calls of each process.
const CALLS: usize = 500;
const PROCESSES: u64 = 4;

/// Where the fuzzer keeps strings, structures and a place to be written to.
struct Arena {
    base: UAddr,
    strings: Vec<(UAddr, u32)>,
    size: u32,
}

/// Where in the arena the structures stand.
const STRUCTS: usize = 31_000;

const PATHS: [&str; 32] = [
    "",
    ".",
    "..",
    "/",
    "/tmp",
    "/tmp/",
    "/tmp/a",
    "/tmp/b",
    "/tmp/d/e",
    "/tmp/l",
    "a",
    "b",
    "d",
    "../tmp/a",
    "/tmp/d/..",
    "/dev/null",
    "/dev/zero",
    "/dev/fd/0",
    "/dev/ptmx",
    "/dev/pts/0",
    "/proc/self/fd",
    "/proc/self/status",
    "/bin/seven",
    "/tmp/\0nul",
    "/host/a",
    "/host/d",
    "/host/d/b",
    "/host",
    "/disk/a",
    "/disk/d",
    "/disk/d/b",
    "/disk",
];

fn arena(sys: &Sys, rng: &mut Rng) -> Arena {
    let base = sys.alloc(64 << 10);
    let mut junk = alloc::vec![0; 64 << 10];
    rng.fill(&mut junk);
    sys.poke(base, &junk);
    // Vectors of buffers, and what poll(2) reads: structures at which a random pointer may well point.
    for i in 0..64 {
        let (to, len) = (base.0 + rng.below(30_000) as u32, rng.below(300) as u32);
        sys.poke(base.offset(STRUCTS + i * 8), &[to.to_le_bytes(), len.to_le_bytes()].concat());
        let (fd, events) = (rng.below(14) as u32, rng.below(8) as u32);
        sys.poke(base.offset(STRUCTS + 512 + i * 8), &[fd.to_le_bytes(), events.to_le_bytes()].concat());
    }
    let mut at = base.offset(32 << 10);
    let mut strings = Vec::new();
    let long = "n".repeat(300);
    let deep = "d/".repeat(900);
    for s in PATHS.iter().copied().chain([long.as_str(), deep.as_str()]) {
        sys.poke(at, s.as_bytes());
        strings.push((at, s.len() as u32));
        at = at.offset(s.len() + 1);
    }
    // Requests for spawn and exec: good ones, of which random bytes are then changed.
    for r in [Request::new("/bin/seven"), Request::new("/bin/test").arg("x").dup2(1, 2).close(1)] {
        let mut wire = r.encode();
        if rng.one_in(2) {
            let i = rng.below(wire.len() as u64) as usize;
            wire[i] = rng.draw() as u8;
        }
        sys.poke(at, &wire);
        strings.push((at, wire.len() as u32));
        at = at.offset(wire.len());
    }
    Arena { base, strings, size: sys.memory_size() as u32 }
}

const FLAGS: [u32; 10] = [
    1,
    2,
    o::CREAT,
    o::CREAT | o::RDWR,
    o::CREAT | o::EXCL | o::WRONLY,
    o::DIRECTORY,
    o::NONBLOCK,
    0x100,
    0x200,
    0x400,
];

fn number(rng: &mut Rng) -> u64 {
    const ODD: [u64; 14] =
        [0, 1, 2, 7, 8, 255, 4096, 65536, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 40, 1 << 63, u64::MAX];
    match rng.below(4) {
        0 => *rng.pick(&ODD),
        1 => rng.draw() >> rng.below(64),
        _ => rng.below(6),
    }
}

fn pointer(rng: &mut Rng, a: &Arena) -> u64 {
    let p = match rng.below(24) {
        0 => 0,
        1 => a.size - rng.below(16) as u32,
        2 => 0xffff_ffff - rng.below(16) as u32,
        3 => rng.draw() as u32,
        4 => rng.pick(&a.strings).0.0,
        5..12 => a.base.0 + STRUCTS as u32 + rng.below(128) as u32 * 8,
        _ => a.base.0 + rng.below(30 << 10) as u32,
    };
    p as u64
}

/// The argument at `i`. Neighbours matter: a descriptor by a path is a directory's, a length after a
/// pointer to structures is small.
fn argument(rng: &mut Rng, a: &Arena, row: &Syscall, i: usize) -> u64 {
    if rng.one_in(30) {
        return number(rng);
    }
    let before = i.checked_sub(1).map(|i| row.args[i].1);
    let paths = row.args.iter().any(|a| a.1 == Arg::Str);
    match row.args[i].1 {
        Arg::Fd if paths && row.module == Module::vkernel && rng.one_in(2) => at::FDCWD as u32 as u64,
        Arg::Fd if paths && !rng.one_in(8) => *rng.pick(&DIRS),
        Arg::Fd => rng.below(18),
        Arg::Pid => *rng.pick(&[0, u32::MAX as u64, 2, 3, 4, 5, 6, 99]),
        Arg::Sig => rng.below(33),
        Arg::Clock => rng.below(5),
        Arg::Mode => *rng.pick(&[0o644, 0o755, 0o777, 0, 0o100644, 0o10600, 0o20600, 0o40755, 0o177777]),
        Arg::Flags if paths && !rng.one_in(4) || rng.one_in(2) => 0,
        Arg::Flags => *rng.pick(&FLAGS) as u64,
        Arg::Len if before == Some(Arg::In) && !rng.one_in(4) => 1 + rng.below(4),
        Arg::Len => *rng.pick(&[0, 1, 8, 24, 64, 300, 4096, 20_000, u32::MAX as u64]),
        Arg::In | Arg::Out | Arg::Str => pointer(rng, a),
        Arg::Off => *rng.pick(&[0, 0, 1, 100, 5000, 70_000, u64::MAX, 1 << 35, i64::MAX as u64]),
        Arg::U64 if rng.one_in(2) => *rng.pick(&[0, u64::MAX, 0x1fff_ffff]),
        Arg::Uint if row.name == "ioctl" && !rng.one_in(6) => *rng.pick(&REQUESTS) as u64,
        Arg::U64 | Arg::Int | Arg::Uint => number(rng),
    }
}

const REQUESTS: [u32; 20] = [
    ioctl::TCGETS,
    ioctl::TCSETS,
    ioctl::TCSETSW,
    ioctl::TCSETSF,
    ioctl::TCSBRK,
    ioctl::TCXONC,
    ioctl::TCFLSH,
    ioctl::TIOCSCTTY,
    ioctl::TIOCGPGRP,
    ioctl::TIOCSPGRP,
    ioctl::TIOCOUTQ,
    ioctl::TIOCSTI,
    ioctl::TIOCGWINSZ,
    ioctl::TIOCSWINSZ,
    ioctl::FIONREAD,
    ioctl::TIOCNOTTY,
    ioctl::TIOCGSID,
    ioctl::TIOCGPTN,
    ioctl::TIOCSPTLCK,
    ioctl::TIOCGPTLCK,
];

/// Calls that end much are made now and then: who sleeps, is killed or has closed all learns little.
fn spoils(name: &str) -> bool {
    const RARE: [&str; 15] = [
        "sigsuspend",
        "sigqueue",
        "fork_at",
        "clock_nanosleep",
        "poll_oneoff",
        "wait4",
        "kill",
        "setrlimit",
        "close",
        "fd_close",
        "fd_renumber",
        "dup3",
        "poll",
        "setsid",
        "fd_fdstat_set_rights",
    ];
    RARE.contains(&name)
}

/// Where the directories come to stand: WASI's preopened root, and those of `open_all`.
const DIRS: [u64; 3] = [3, 8, 9];

/// Descriptors of each kind, from the lowest free on.
fn open_all(sys: &Sys) {
    for path in ["/tmp/a", "/tmp/b", "/dev/null", "/tmp/fifo"] {
        let _ = sys.open(path, o::RDWR | o::CREAT, 0o666);
    }
    let _ = sys.mkdir("/tmp/d", 0o777);
    for path in ["/tmp", "/tmp/d", "/proc/self"] {
        let _ = sys.open(path, o::DIRECTORY, 0);
    }
    let _ = sys.pipe2(o::NONBLOCK);
    let _ = sys.pipe2(0);
    if let Ok((_, name)) = super::pty::master(sys) {
        let _ = sys.open(name, o::RDWR | o::NONBLOCK, 0);
    }
    let _ = sys.chdir("/tmp");
}

/// One random call.
fn one(sys: &Sys, rng: &mut Rng, a: &Arena) {
    if rng.one_in(50) {
        let regs = [(); 6].map(|()| number(rng));
        // Also numbers that are no call; but not one that ends the machine or the process.
        let nr = rng.below(COUNT as u64 + 20) as u32;
        if !["exit", "reboot", "proc_exit", "proc_raise", "kill", "sigqueue", "setitimer", "timer_settime", "fork_at"]
            .iter()
            .any(|n| SYSCALLS.iter().any(|s| s.nr == nr && s.name == *n))
        {
            sys.trap(nr, regs);
        }
        return;
    }
    let row = rng.pick(SYSCALLS);
    let ends = ["exit", "reboot", "proc_exit", "proc_raise", "exec"].contains(&row.name);
    // With a timer that goes on for ever a round would never be over.
    let never = ["reboot", "setitimer", "timer_settime"].contains(&row.name);
    // Root would kill pid 1, or stop it.
    let cred = &sys.lp.proc.cred;
    let mighty = ["kill", "sigqueue"].contains(&row.name) && [cred.uid(), cred.euid(), cred.suid()].contains(&0);
    if mighty || never || ends && !rng.one_in(40) || spoils(row.name) && !rng.one_in(8) {
        return;
    }
    let mut args: Vec<u64> = (0..row.args.len()).map(|i| argument(rng, a, row, i)).collect();
    for i in 0..row.args.len() {
        // A string with its length, mostly.
        if row.args[i].1 == Arg::Str && !rng.one_in(6) {
            let (p, len) = *rng.pick(&a.strings[..PATHS.len() + 2]);
            (args[i], args[i + 1]) = (p.0 as u64, len as u64);
        }
    }
    if (row.name == "spawn" || row.name == "exec") && !rng.one_in(6) {
        let (p, len) = a.strings[PATHS.len() + 2 + rng.below(2) as usize];
        args = alloc::vec![p.0 as u64, len as u64];
    }
    if row.name == "fork_at" {
        args[0] |= 1;
    }
    let kinds: Vec<Arg> = row.args.iter().map(|a| a.1).collect();
    let mut regs = [0; 6];
    registers(&kinds, |i, reg, upper| {
        regs[reg] = if upper { regs[reg] & 0xffff_ffff | args[i] << 32 } else { args[i] };
    });
    sys.trap(row.nr, regs);
}

/// The program of a fuzzing process: `fuzz SEED USER`.
fn fuzz(sys: &Sys) -> i32 {
    let args = sys.argv();
    let arg = |i: usize| args.get(i).and_then(|a| a.parse::<u64>().ok()).unwrap_or(0);
    // A forked child begins anew; it must not do the same again.
    let forked = sys.lp.proc.frames.load(Relaxed) != 0;
    let mut rng = Rng::new(if forked { arg(1) ^ (sys.getpid() as u64) << 32 } else { arg(1) });
    if sys.setuid(arg(2) as u32).is_err() {
        return 1;
    }
    let a = arena(sys, &mut rng);
    open_all(sys);
    for _ in 0..CALLS {
        one(sys, &mut rng, &a);
    }
    0
}

fn machine(seed: u64) -> Vk {
    Fake::seeded(seed)
        .switch_one_in(6)
        .tmpfs_size(4 << 20)
        .max_procs(40)
        .dir("host")
        .host_dir("/host")
        .disk(&Disk::new(Bytes::default(), 4 << 20), 0, "/disk")
        .program("fuzz", fuzz)
        .program("seven", |_| 7)
        .boot()
}

/// Removes all below a directory.
fn clear(sys: &Sys, dir: &[u8]) {
    for name in sys.ls(dir).unwrap_or_default() {
        let path = [dir, b"/", &name].concat();
        if sys.unlink(&path).is_err() {
            let _ = sys.chmod(&path, 0o700);
            clear(sys, &path);
            let _ = sys.rmdir(&path);
        }
    }
}

/// The kernel is of use: a program runs, a file keeps what is written, a pipe passes it on.
fn works(sys: &Sys) {
    let pid = sys.spawn(&Request::new("/bin/seven")).expect("spawn");
    assert_eq!(sys.waitpid(pid), Ok(wait::exited(7)));
    sys.put_file("/tmp/works", b"it does", 0o600).expect("write");
    assert_eq!(sys.get_file("/tmp/works"), Ok(b"it does".to_vec()));
    sys.unlink("/tmp/works").expect("unlink");
    let (r, w) = sys.pipe2(0).expect("pipe");
    sys.write(w, b"through").expect("write");
    assert_eq!(sys.read(r, 100), Ok(b"through".to_vec()));
    sys.close(r).expect("close");
    sys.close(w).expect("close");
}

/// `faults`: one in so many host calls fails meanwhile, 0 for none.
fn round(seed: u64, user: u64, faults: u64) {
    let vk = machine(seed);
    let before = vk.init(|sys| {
        sys.chmod("/tmp", 0o777).expect("chmod");
        let _ = sys.chmod("/host", 0o777);
        let _ = sys.chmod("/disk", 0o777);
        works(sys);
        // What is read of the boot image counts from then on.
        for name in sys.ls("/bin").expect("ls") {
            sys.get_file([b"/bin/", &name[..]].concat()).expect("read");
        }
        let fd = sys.open("/", o::DIRECTORY, 0).expect("open");
        (fd, sys.fstatvfs(fd).expect("statvfs"))
    });
    vk.init(move |sys| {
        for i in 0..PROCESSES {
            let r = Request::new("/bin/fuzz").arg(&format!("{}", seed * PROCESSES + i)).arg(&format!("{user}"));
            sys.spawn(&r.close(before.0)).expect("spawn");
        }
    });
    vk.fail_hypercalls(faults);
    vk.input(0, b"some input for whoever reads");
    vk.run();
    vk.input_ends(0);
    vk.check_idle();
    vk.init(move |sys| {
        if user != 0 {
            clear(sys, b"/tmp");
            clear(sys, b"/host");
            clear(sys, b"/disk");
            assert_eq!(sys.ls("/disk"), Ok(Vec::new()));
            assert_eq!(sys.ls("/tmp"), Ok(Vec::new()));
            assert_eq!(sys.fstatvfs(before.0), Ok(before.1), "seed {seed}: files are left");
            works(sys);
        }
        // Root may have mounted something over all of it.
        assert_eq!(sys.getpid(), 1);
    });
    let w = vk.machine.world();
    // The programs of /bin, and the shared directory itself.
    assert!(w.images.len() <= 4 || user == 0, "seed {seed}: images are left: {:?}", w.images);
    let handles = w.host.as_ref().map(|h| h.handles());
    assert!(handles == Some(1) || user == 0, "seed {seed}: handles of the host are left: {handles:?}");
}

fn rounds(default: u64) -> u64 {
    std::env::var("FUZZ_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

#[test]
fn random_calls_of_a_user() {
    super::seeds(0..rounds(300), |seed| round(seed, 1000, 0));
}

#[test]
fn random_calls_of_a_crowd_of_users() {
    super::seeds(10_000..10_000 + rounds(200), |seed| round(seed, 1 + seed % 3, 0));
}

#[test]
fn random_calls_of_root() {
    super::seeds(20_000..20_000 + rounds(200), |seed| round(seed, 0, 0));
}

#[test]
fn random_calls_over_a_failing_host() {
    super::seeds(30_000..30_000 + rounds(200), |seed| round(seed, 1000, 3 + seed % 30));
}
