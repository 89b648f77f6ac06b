//! Runs tests, each in a process of its own with an empty directory to work in, and helps them
//! make more processes: this very program, told to play a role.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use abi::types::{dt, o, poll, sig, wait};
use vkernel_sys::io::{self, PollFd};
use vkernel_sys::{Errno, Spawn, fs, proc};

/// The first argument of a process that runs one test.
pub const RUN: &str = "--run";
/// The first argument of a helper.
pub const ROLE: &str = "--role";

/// Longest time a test may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A test passes if it returns.
#[derive(Clone, Copy)]
pub struct Test {
    pub name: &'static str,
    pub run: fn(),
}

/// What a helper does with its arguments; its status is the result, unless it ends before.
#[derive(Clone, Copy)]
pub struct Role {
    pub name: &'static str,
    pub play: fn(&[&str]) -> i32,
}

/// `tests! { module: a, b }`: a table of functions.
#[macro_export]
macro_rules! tests {
    ($module:ident: $($name:ident),* $(,)?) => {
        pub const TESTS: &[$crate::harness::Test] = &[$($crate::harness::Test {
            name: concat!(stringify!($module), ".", stringify!($name)),
            run: $name,
        }),*];
    };
}

/// `roles! { a, b }`.
#[macro_export]
macro_rules! roles {
    ($($name:ident),* $(,)?) => {
        pub const ROLES: &[$crate::harness::Role] =
            &[$($crate::harness::Role { name: stringify!($name), play: $name }),*];
    };
}

/// This program's path, absolute: tests change their directory.
fn own_path() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let name = std::env::args().next().unwrap_or_default();
        if name.starts_with('/') {
            return name;
        }
        if name.contains('/') {
            let cwd = fs::getcwd().expect("getcwd");
            return format!("{}/{name}", String::from_utf8(cwd).expect("a directory with a plain name"));
        }
        let path = std::env::var("PATH").unwrap_or("/bin:/usr/bin".into());
        let found = path.split(':').map(|d| format!("{d}/{name}")).find(|p| fs::stat(p.as_bytes()).is_ok());
        found.unwrap_or_else(|| {
            eprintln!("usertests: {name}: not found in PATH; call it by its path");
            std::process::exit(127)
        })
    })
}

fn own() -> Spawn {
    let env = std::env::vars().map(|(k, v)| format!("{k}={v}"));
    Spawn::new(own_path().as_bytes()).arg(own_path().as_bytes()).envs(env)
}

/// A helper process, to be spawned.
pub fn role(name: &str, args: &[&str]) -> Spawn {
    own().arg(ROLE.as_bytes()).arg(name.as_bytes()).args(args)
}

/// Waits for one process; its status word.
pub fn wait_for(pid: i32) -> u32 {
    loop {
        match proc::waitpid(pid, 0) {
            Ok(Some((got, status))) => {
                assert_eq!(got, pid, "wait answered another process");
                return status;
            }
            Err(Errno::EINTR) => {}
            other => panic!("waitpid({pid}): {other:?}"),
        }
    }
}

/// Spawns, and waits for its end.
pub fn status_of(cmd: &Spawn) -> u32 {
    wait_for(cmd.spawn().expect("spawn"))
}

/// What a helper writes to its standard output; it must end well.
pub fn output_of(cmd: Spawn) -> Vec<u8> {
    let (r, w) = io::pipe2(o::CLOEXEC).expect("pipe2");
    let pid = cmd.dup2(w, 1).spawn().expect("spawn");
    io::close(w).expect("close");
    let out = io::read_to_end(r).expect("read");
    io::close(r).expect("close");
    assert_eq!(wait_for(pid), wait::exited(0), "helper failed: {}", String::from_utf8_lossy(&out));
    out
}

/// A file with this content, made anew.
pub fn write_file(path: &[u8], content: &[u8]) {
    let fd = io::open(path, o::WRONLY | o::CREAT | o::TRUNC, 0o644).expect("open");
    io::write_all(fd, content).expect("write");
    io::close(fd).expect("close");
}

/// The descriptors below 64 that are open.
pub fn open_fds() -> Vec<i32> {
    (0..64).filter(|&fd| io::fcntl(fd, abi::types::fcntl::GETFD, 0).is_ok()).collect()
}

/// Removes a directory with all that is in it.
pub fn remove_tree(dir: &[u8]) {
    // A test may have taken its permissions away.
    let _ = fs::chmod(dir, 0o700, 0);
    for e in fs::read_dir(dir).unwrap_or_default() {
        let path = [dir, b"/", &e.name].concat();
        let is_dir = e.kind == dt::DIR || fs::lstat(&path).is_ok_and(|s| s.mode >> 12 == dt::DIR as u32);
        if is_dir {
            remove_tree(&path);
        } else {
            fs::unlink(&path).unwrap_or_else(|e| eprintln!("# {}: {e}", String::from_utf8_lossy(&path)));
        }
    }
    fs::rmdir(dir).unwrap_or_else(|e| eprintln!("# {}: {e}", String::from_utf8_lossy(dir)));
}

/// Rust's runtime ignores SIGPIPE on a POSIX host, which children inherit.
fn undo_runtime() {
    #[cfg(not(target_family = "wasm"))]
    proc::sigaction(sig::PIPE, proc::Disposition::Default).expect("sigaction");
}

/// In the process of a test: runs it.
pub fn run_here(tests: &[Test], name: &str, dir: &str) {
    undo_runtime();
    fs::chdir(dir.as_bytes()).expect("chdir");
    match tests.iter().find(|t| t.name == name) {
        Some(t) => (t.run)(),
        None => panic!("there is no test {name}"),
    }
}

/// In the process of a helper.
pub fn play(roles: &[Role], name: &str, args: &[&str]) {
    undo_runtime();
    match roles.iter().find(|r| r.name == name) {
        Some(r) => std::process::exit((r.play)(args)),
        None => panic!("there is no role {name}"),
    }
}

/// How one test ended, and what it said.
enum Outcome {
    Passed,
    Failed(String),
}

/// All tests whose names begin with one of `names`, or all. Answers the exit status.
pub fn run_all(tests: &[Test], names: &[&str]) -> i32 {
    undo_runtime();
    let base = format!("/tmp/usertests.{}", proc::getpid());
    fs::mkdir(base.as_bytes(), 0o777).expect("a directory in /tmp");
    let chosen: Vec<&Test> =
        tests.iter().filter(|t| names.is_empty() || names.iter().any(|n| t.name.starts_with(n))).collect();
    println!("1..{}", chosen.len() + 1);

    // The first process fills caches that are there to stay.
    let _ = run_one(&Test { name: "names.empty", run: || () }, &format!("{base}/0"));
    let before = crate::leaks::Counts::read();
    let mut failed = Vec::new();
    for (i, t) in chosen.iter().enumerate() {
        let started = Instant::now();
        let outcome = run_one(t, &format!("{base}/{}", i + 1));
        report(i + 1, t.name, &outcome, started.elapsed());
        if let Outcome::Failed(_) = outcome {
            failed.push(t.name);
        }
    }
    remove_tree(base.as_bytes());
    let leaked = match before.compare() {
        Ok(()) => Outcome::Passed,
        Err(what) => Outcome::Failed(what),
    };
    report(chosen.len() + 1, "leaks", &leaked, Duration::ZERO);
    if let Outcome::Failed(_) = leaked {
        failed.push("leaks");
    }
    println!("{} passed, {} failed", chosen.len() + 1 - failed.len(), failed.len());
    if failed.is_empty() {
        return 0;
    }
    println!("# failed: {}", failed.join(" "));
    1
}

fn report(nr: usize, name: &str, outcome: &Outcome, took: Duration) {
    match outcome {
        Outcome::Passed => println!("ok {nr} - {name} # {} ms", took.as_millis()),
        Outcome::Failed(text) => {
            println!("not ok {nr} - {name}");
            text.lines().for_each(|l| println!("#   {l}"));
        }
    }
}

/// One test in a process of its own, leader of a group of its own.
fn run_one(t: &Test, dir: &str) -> Outcome {
    fs::mkdir(dir.as_bytes(), 0o777).expect("mkdir");
    let (r, w) = io::pipe2(o::CLOEXEC).expect("pipe2");
    let cmd = own().arg(RUN.as_bytes()).arg(t.name.as_bytes()).arg(dir.as_bytes());
    let cmd = cmd.open(0, b"/dev/null", o::RDONLY, 0).dup2(w, 1).dup2(w, 2).pgroup(0);
    let pid = match cmd.spawn() {
        Ok(pid) => pid,
        Err(e) => return Outcome::Failed(format!("spawn: {e}")),
    };
    io::close(w).expect("close");
    let (mut said, in_time) = listen(r, Instant::now() + PATIENCE);
    io::close(r).expect("close");
    if !in_time {
        said += "took too long\n";
    }
    // What the test left running must not disturb the next. ESRCH: nothing.
    let _ = proc::kill(-pid, if in_time { 0 } else { sig::KILL });
    let status = wait_for(pid);
    let _ = proc::kill(-pid, sig::KILL);
    // Orphans come to pid 1, which may be us.
    while let Ok(Some(_)) = proc::waitpid(-1, wait::NOHANG) {}
    remove_tree(dir.as_bytes());
    match wait::exit_code(status) {
        Some(0) if in_time => Outcome::Passed,
        Some(code) => Outcome::Failed(format!("{said}exit status {code}")),
        None => Outcome::Failed(format!("{said}killed by SIG{}", sig::name(status & 0x7f))),
    }
}

/// What comes out of a pipe until its end, and whether that came in time.
fn listen(fd: i32, deadline: Instant) -> (String, bool) {
    let (mut all, mut buf) = (Vec::new(), [0; 4096]);
    let in_time = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut p = [PollFd { fd, events: poll::IN, revents: 0 }];
        match io::poll(&mut p, left.as_millis() as i32) {
            Ok(0) => break false,
            Err(Errno::EINTR) => continue,
            Err(e) => panic!("poll: {e}"),
            Ok(_) => {}
        }
        match io::read(fd, &mut buf) {
            Ok(0) => break true,
            Ok(n) => all.extend_from_slice(&buf[..n]),
            Err(Errno::EINTR) => {}
            Err(e) => panic!("read: {e}"),
        }
    };
    (String::from_utf8_lossy(&all).into_owned(), in_time)
}
