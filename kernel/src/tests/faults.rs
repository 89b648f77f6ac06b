//! Errors of the host: each host call of a script fails once. Nothing panics, nothing leaks, and the
//! kernel works on afterwards.

use alloc::vec::Vec;

use abi::types::{Statvfs, o, poll, sig};
use abi::{Errno, SysResult};

use crate::machdep::fake::{Fake, Request, Sys, Vk};

/// Errors are this script's business: each step goes on whatever the one before answered.
pub(super) fn script(sys: &Sys) {
    files(sys, "/tmp/a");
    files(sys, "/host/a");
    let _ = children(sys);
    for fd in [1, 2] {
        let _ = sys.write(fd, b"words");
        let _ = sys.poll(&[(0, poll::IN), (fd, poll::OUT)], 1);
        let _ = sys.fstat(fd);
    }
    let _ = sys.read(0, 3);
    let _ = sys.setrlimit(abi::types::rlimit::AS, 1 << 24, 1 << 24);
    let _ = sys.get_file("/etc/motd");
    for path in ["/proc/self/status", "/proc/mounts", "/proc/self/stat", "/dev/zero"] {
        if let Ok(fd) = sys.open(path, 0, 0) {
            let _ = sys.read(fd, 100);
            let _ = sys.close(fd);
        }
    }
}

fn files(sys: &Sys, dir: &str) {
    let at = |name: &str| alloc::format!("{dir}/{name}");
    let _ = sys.mkdir(dir, 0o755);
    let _ = sys.put_file(at("f"), &[5; 9000], 0o644);
    let _ = sys.get_file(at("f"));
    if let Ok(fd) = sys.open(at("f"), o::RDWR, 0) {
        let _ = sys.pwrite(fd, b"in the middle", 4000);
        let _ = sys.ftruncate(fd, 8000);
        let _ = sys.call("fsync", &[fd as u64]);
        let _ = sys.fstat(fd);
        let _ = sys.unlink(at("f"));
        let _ = sys.pread(fd, 50, 3990);
        let _ = sys.close(fd);
    }
    let _ = sys.put_file(at("g"), b"g", 0o644);
    let _ = sys.rename(at("g"), at("h"), 0);
    let _ = sys.link(at("h"), at("i"));
    let _ = sys.symlink("h", at("s"));
    let _ = sys.readlink(at("s"));
    let _ = sys.stat(at("s"), 0);
    let _ = sys.ls(dir);
}

fn children(sys: &Sys) -> SysResult<()> {
    let pids: Vec<SysResult<i32>> = [
        Request::new("/bin/seven"),
        Request::new("/bin/again"),
        Request::new("/bin/seven").open(1, "/host/out", o::WRONLY | o::CREAT, 0o644).chdir("/tmp"),
        Request::new("/tmp/made"),
        Request::new("/bin/sleep"),
    ]
    .iter()
    .map(|r| {
        let _ = sys.put_file("/tmp/made", b"#image seven\n", 0o755);
        sys.spawn(r)
    })
    .collect();
    if let Ok(sleeper) = &pids[4] {
        sys.kill(*sleeper, sig::TERM)?;
    }
    let forked = sys.fork(|sys| {
        let _ = sys.write(1, b"a child's");
        sys.exit(7)
    });
    let started = forked.is_ok() as usize + pids.iter().filter(|p| p.is_ok()).count();
    for _ in 0..started {
        let w = sys.wait4(-1, 0)?;
        assert!([7 << 8, sig::TERM, sig::KILL, 5 << 8].contains(&w.status), "status {:#x}", w.status);
    }
    assert_eq!(sys.wait4(-1, 0), Err(Errno::ECHILD));
    Ok(())
}

/// Leaves nothing of what the script made.
fn clean(sys: &Sys) {
    for dir in ["/tmp/a", "/host/a"] {
        for name in sys.ls(dir).unwrap_or_default() {
            sys.unlink([dir.as_bytes(), b"/", &name].concat()).expect("unlink");
        }
        let _ = sys.rmdir(dir);
    }
    for file in ["/tmp/made", "/host/out"] {
        let _ = sys.unlink(file);
    }
}

pub(super) fn machine(seed: u64) -> Fake {
    Fake::seeded(seed)
        .switch_one_in(8)
        .dir("host")
        .dir("etc")
        .file("etc/motd", &[b'm'; 10_000])
        .host_dir("/host")
        .program("seven", |_| 7)
        .program("sleep", |sys| sys.nanosleep(u64::MAX).map_or(1, |()| 0))
        // 5 when exec fails, which it may.
        .program("again", |sys| sys.exec(&Request::new("/bin/seven")).map_or(5, |()| 0))
}

/// What there is when nothing goes on: of the root's tmpfs, of images, of handles at the host.
fn stock(vk: &Vk) -> (Statvfs, usize, usize) {
    let root = vk.init(|sys| {
        let fd = sys.open("/", o::DIRECTORY, 0)?;
        let stat = sys.fstatvfs(fd);
        sys.close(fd)?;
        stat
    });
    let w = vk.machine.world();
    (root.expect("statvfs"), w.images.len(), w.host.as_ref().map_or(0, |h| h.handles()))
}

/// Runs the script once without faults, so that the images of `/bin` are there, and once with.
pub(super) fn run_with(vk: &Vk, arm: impl FnOnce(&Vk)) {
    vk.input(0, b"input of many words for all");
    let quiet = vk.lwp(script);
    vk.join(quiet);
    vk.init(clean);
    let before = stock(vk);
    let h = vk.lwp(script);
    arm(vk);
    let _ = vk.end_quietly(h);
    vk.heal();
    vk.init(clean);
    vk.check_idle();
    assert_eq!(stock(vk), before, "{}: something leaks", vk.seed());
    let again = vk.lwp(script);
    vk.join(again);
    vk.init(clean);
    assert_eq!(stock(vk), before, "{}: it doesn't work as before", vk.seed());
}

#[test]
fn every_host_call_of_a_script_may_fail() {
    // How many there are.
    let vk = machine(1).boot();
    let mut calls = 0;
    run_with(&vk, |vk| {
        let from = vk.hypercalls();
        let h = vk.lwp(script);
        vk.join(h);
        calls = vk.hypercalls() - from;
    });
    assert!(calls > 100, "only {calls} host calls");
    let step = (calls / 400).max(1);
    for n in (1..=calls).step_by(step as usize) {
        let vk = machine(n).boot();
        run_with(&vk, |vk| vk.fail_nth_hypercall(n));
    }
}

#[test]
fn a_host_that_fails_at_random() {
    super::seeds(0..40, |seed| {
        let vk = machine(seed).boot();
        run_with(&vk, |vk| vk.fail_hypercalls(2 + seed % 20));
    });
}

/// The boot itself: an error or a status, never a panic.
#[test]
fn a_boot_that_fails_says_so() {
    for n in 1..60 {
        let fake = machine(n);
        fake.machine.world().faults.nth = Some(n);
        let Ok(vk) = fake.try_power_on() else { continue };
        vk.run();
        match vk.exit_status() {
            Some(status) => {
                assert!([126 << 8, 127 << 8, sig::KILL].contains(&status), "call {n}: status {status:#x}");
                assert!(!vk.console().is_empty(), "call {n}: no word why");
            }
            None => vk.check_idle(),
        }
    }
}
