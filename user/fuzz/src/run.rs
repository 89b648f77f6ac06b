//! The processes: the one that looks after the others, and those that misbehave.

use std::time::Duration;

use abi::syscalls::SYSCALLS;
use abi::types::{o, rlimit, sig, sock, wait};
use abi::{Errno, SysResult};
use vkernel_sys::{Spawn, fs, io, net, proc, signal};

use crate::call::call;
use crate::random::{Arena, Rng};

/// Where it stands.
const OWN: &str = "/bin/fuzz";
/// How many calls one process makes. Most lives are shorter: they exit, wait for what never comes.
const LIFE: u64 = 400;
/// Looks, a millisecond apart, after which whoever still lives is killed.
const PATIENCE: u32 = 12;

pub fn main(args: &[String]) -> i32 {
    let number = |i: usize| args.get(i).and_then(|a| a.parse::<u64>().ok());
    match args.get(1).map(String::as_str) {
        Some("--seven") => 7,
        Some("--wild") => wild(number(2).unwrap_or(0), number(3).unwrap_or(0)),
        _ => match (number(1), number(2), number(3)) {
            (Some(seed), Some(count), Some(procs)) => {
                let starve = args.get(4).is_some_and(|a| a == "starve");
                look_after(seed, count, procs, starve)
            }
            _ => {
                eprintln!("usage: fuzz SEED COUNT PROCS [starve]");
                2
            }
        },
    }
}

fn look_after(seed: u64, count: u64, procs: u64, starve: bool) -> i32 {
    let mut rng = Rng(seed);
    // Who misbehaves is of this session, may join this group, and so have the terminal stop it or hang up on it.
    if let Err(e) = signal::sigprocmask(sig::SETMASK, !0) {
        return failed(&format!("signals can't be blocked: {e}"));
    }
    if let Err(e) = works() {
        return failed(&format!("before anything happened: {e}"));
    }
    // One in four is root, who may do more; never what ends the system.
    let uid = [0, 1000, 1000, 1001][seed as usize % 4];
    let mut hog = Hog::default();
    let mut crowd = Crowd::default();
    for i in 0..count.div_ceil(LIFE) {
        // Memory comes and goes.
        if starve && i % 16 == 0 {
            hog.fill();
            hog.give_back(rng.below(40));
        }
        while crowd.0.len() as u64 >= procs {
            crowd.look();
        }
        let words = ["fuzz", "--wild", &rng.draw().to_string(), &uid.to_string()];
        match crowd.add(&Spawn::new(OWN.as_bytes()).args(words), &mut hog) {
            Ok(()) => {}
            // Root may have renamed, hidden or removed any name there is, this program's, too.
            Err(_) if uid == 0 => break,
            Err(e) => return failed(&format!("spawn: {e}")),
        }
    }
    while !crowd.0.is_empty() {
        crowd.look();
    }
    drop(hog);
    if uid == 0 {
        return pipe().map_or_else(|e| failed(&format!("a pipe: {e}")), |()| 0);
    }
    clear(b"/tmp");
    works().map_or_else(|e| failed(&e), |()| 0)
}

fn failed(why: &str) -> i32 {
    eprintln!("fuzz: the system doesn't work: {why}");
    1
}

/// Those that make wild calls, and how often they were seen alive.
#[derive(Default)]
struct Crowd(Vec<(i32, u32)>);

impl Crowd {
    /// One more. Memory is given back until there is enough for it.
    fn add(&mut self, cmd: &Spawn, hog: &mut Hog) -> SysResult<()> {
        loop {
            match cmd.spawn() {
                Ok(pid) => {
                    self.0.push((pid, 0));
                    return Ok(());
                }
                Err(Errno::ENOMEM | Errno::EAGAIN) if !hog.0.is_empty() => hog.give_back(2),
                // What the others hold comes back when they end.
                Err(Errno::ENOMEM | Errno::EAGAIN) if !self.0.is_empty() => self.look(),
                Err(e) => return Err(e),
            }
        }
    }

    /// Waits for a moment; forgets those that have ended and kills the old.
    fn look(&mut self) {
        let before = self.0.len();
        self.0.retain_mut(|(pid, age)| {
            *age += 1;
            if *age > PATIENCE {
                let _ = proc::kill(*pid, sig::KILL);
            }
            proc::waitpid(*pid, wait::NOHANG) == Ok(None)
        });
        if self.0.len() == before {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Full pipes: kernel memory that can be given back piece by piece.
#[derive(Default)]
struct Hog(Vec<(i32, i32)>);

impl Hog {
    /// Takes all there is.
    fn fill(&mut self) {
        let _ = proc::setrlimit(rlimit::NOFILE, 60_000, 60_000);
        let block = vec![1; 65_536];
        while let Ok((r, w)) = io::pipe2(o::CLOEXEC | o::NONBLOCK) {
            self.0.push((r, w));
            if io::write(w, &block) == Err(Errno::ENOMEM) {
                break;
            }
        }
    }
    fn give_back(&mut self, pipes: u64) {
        for _ in 0..pipes {
            let Some((r, w)) = self.0.pop() else { return };
            let _ = (io::close(r), io::close(w));
        }
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        self.give_back(u64::MAX);
    }
}

/// Removes all below a directory, mounts included.
fn clear(dir: &[u8]) {
    for e in fs::read_dir(dir).unwrap_or_default() {
        let path = [dir, b"/", &e.name].concat();
        // SAFETY: the kernel reads the path.
        while unsafe { vkernel_sys::raw::unmount(path.as_ptr(), path.len() as u32, 0) } == 0 {}
        if fs::unlink(&path).is_err() {
            let _ = fs::chmod(&path, 0o700, 0);
            clear(&path);
            let _ = fs::rmdir(&path);
        }
    }
}

/// The system is of use: a program runs, a file keeps what is written, a pipe passes it on.
fn works() -> Result<(), String> {
    let at = |what: &'static str| move |e: Errno| format!("{what}: {e}");
    let pid = Spawn::new(OWN.as_bytes()).arg(b"fuzz").arg(b"--seven").spawn().map_err(at("spawn"))?;
    let ended = proc::waitpid(pid, 0).map_err(at("wait"))?;
    if ended != Some((pid, wait::exited(7))) {
        return Err(format!("a program that exits with 7 ended as {ended:?}"));
    }
    file().map_err(at("a file"))?;
    pipe().map_err(at("a pipe"))
}

fn file() -> SysResult<()> {
    let name = b"/tmp/works";
    let fd = io::open(name, o::RDWR | o::CREAT | o::EXCL, 0o600)?;
    io::write_all(fd, &[7; 10_000])?;
    let mut back = [0; 10_000];
    let n = io::pread(fd, &mut back, 0)?;
    io::close(fd)?;
    fs::unlink(name)?;
    if n == 10_000 && back == [7; 10_000] { Ok(()) } else { Err(Errno::EIO) }
}

fn pipe() -> SysResult<()> {
    let (r, w) = io::pipe2(0)?;
    io::write_all(w, b"through")?;
    let mut back = [0; 8];
    let n = io::read(r, &mut back)?;
    io::close(r)?;
    io::close(w)?;
    if &back[..n] == b"through" { Ok(()) } else { Err(Errno::EIO) }
}

/// Descriptors of each kind, from the lowest free on.
fn open_all() {
    for path in ["/tmp/a", "/tmp/b", "/dev/null", "/tmp/fifo"] {
        let _ = io::open(path.as_bytes(), o::RDWR | o::CREAT, 0o666);
    }
    let _ = fs::mkdir(b"/tmp/d", 0o777);
    for path in ["/tmp", "/tmp/d", "/proc/self"] {
        let _ = io::open(path.as_bytes(), o::DIRECTORY, 0);
    }
    let _ = (io::pipe2(o::NONBLOCK), io::pipe2(0));
    let _ = (net::pair(sock::STREAM | sock::NONBLOCK), net::pair(sock::DGRAM | sock::NONBLOCK));
    // WASI's directory stands at 3.
    let _ = fs::symlink(b"d/e", b"/tmp/l");
}

/// Calls that end much are made now and then: who sleeps, is killed or has closed all learns little.
const RARE: [&str; 17] = [
    "fork_at",
    "wait4",
    "kill",
    "setrlimit",
    "close",
    "fd_close",
    "fd_renumber",
    "dup3",
    "setsid",
    "fd_fdstat_set_rights",
    "clock_nanosleep",
    "poll_oneoff",
    "poll",
    "ppoll",
    "close_range",
    "chroot",
    "fcntl_lock",
];
const ENDS: [&str; 8] =
    ["exit", "reboot", "proc_exit", "proc_raise", "exec", "sigsuspend", "setitimer", "timer_settime"];

fn wild(seed: u64, uid: u64) -> i32 {
    // A forked child begins anew, and would do the same again.
    // SAFETY: no pointers.
    if unsafe { vkernel_sys::raw::frames() } != 0 {
        return 0;
    }
    if signal::sigprocmask(sig::SETMASK, 0).is_err() {
        return 1;
    }
    let mut rng = Rng(seed);
    if uid != 0 && (proc::setgid(uid as u32).is_err() || proc::setuid(uid as u32).is_err()) {
        return 1;
    }
    let mut arena = Arena::new(&mut rng, OWN);
    open_all();
    for _ in 0..LIFE {
        let s = &SYSCALLS[rng.below(SYSCALLS.len() as u64) as usize];
        // Root's word ends the system, or pid 1.
        let mighty = uid == 0 && ["kill", "sigqueue", "reboot"].contains(&s.name);
        if mighty || ENDS.contains(&s.name) && !rng.one_in(100) || RARE.contains(&s.name) && !rng.one_in(8) {
            continue;
        }
        if rng.one_in(16) {
            arena.stir(&mut rng);
        }
        let args = arena.arguments(&mut rng, s);
        // SAFETY: what the kernel is told to write to is the arena, or nowhere; where a wild structure in it
        // points to a place of ours all the same, the worst is the end of this process, which nobody minds.
        unsafe { call(s, &args) };
    }
    0
}
