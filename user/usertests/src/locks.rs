//! Advisory locks, FIFOs, and other things of descriptors that two processes are needed for. POSIX fcntl(),
//! mkfifo(); flock(2), chroot(2).

use abi::types::fcntl::{GETLK, OFD_SETLK, SETLK, SETLKW};
use abi::types::flock::{LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, RDLCK, UNLCK, WRLCK};
use abi::types::{Flock, mode, o, poll, sig, wait};
use vkernel_sys::io::{self, PollFd};
use vkernel_sys::{Errno, SysResult, fs, proc};

use crate::harness::{role, status_of, wait_for, write_file};

crate::tests! { locks:
    ranges, any_close_counts, waits_for_exit, waits_for_unlock, circle, of_open_files, whole_files, limit, fifo,
    fifo_without_reader, ranges_of_descriptors, ppoll_times, chroot_is_for_root,
}
crate::roles! { try_lock, hold_lock, wait_lock, try_flock, write_fifo }

fn lock(fd: i32, cmd: u32, kind: u16, start: i64, len: i64) -> SysResult<Flock> {
    let mut l = Flock { kind, start, len, ..Flock::default() };
    io::fcntl_lock(fd, cmd, &mut l).map(|()| l)
}
fn open(path: &[u8]) -> i32 {
    io::open(path, o::RDWR | o::CREAT | o::CLOEXEC, 0o644).expect("open")
}
fn answer<T>(r: SysResult<T>) -> i32 {
    r.map_or_else(|e| e as i32, |_| 0)
}
fn number(arg: &str) -> i64 {
    arg.parse().expect("a number")
}

/// Whether another process could write-lock a range of `f`: 0, or the errno.
fn others(start: i64, len: i64) -> Result<(), Errno> {
    match status_of(&role("try_lock", &[&start.to_string(), &len.to_string()])) {
        0 => Ok(()),
        status => Err(Errno::from_raw(status >> 8).expect("an errno")),
    }
}
fn try_lock(args: &[&str]) -> i32 {
    answer(lock(open(b"f"), SETLK, WRLCK, number(args[0]), number(args[1])))
}

fn ranges() {
    let fd = open(b"f");
    lock(fd, SETLK, WRLCK, 10, 20).unwrap();
    lock(fd, SETLK, UNLCK, 15, 5).unwrap();
    assert_eq!(others(0, 10), Ok(()));
    assert_eq!(others(14, 1), Err(Errno::EAGAIN));
    assert_eq!(others(15, 5), Ok(()));
    assert_eq!(others(0, 0), Err(Errno::EAGAIN));
    lock(fd, SETLK, RDLCK, 12, 0).unwrap();
    assert_eq!(others(100, 1), Err(Errno::EAGAIN));
    // One's own are not in the way.
    assert_eq!(lock(fd, GETLK, WRLCK, 0, 0).map(|l| l.kind), Ok(UNLCK));
    assert_eq!(lock(fd, SETLK, 9, 0, 0), Err(Errno::EINVAL));
    assert_eq!(lock(fd, SETLK, WRLCK, -1, 0), Err(Errno::EINVAL));
    assert_eq!(lock(fd, SETLK, WRLCK, i64::MAX, 2), Err(Errno::EOVERFLOW));
    assert_eq!(lock(999, SETLK, WRLCK, 0, 0), Err(Errno::EBADF));
}

fn any_close_counts() {
    let (fd, other) = (open(b"f"), open(b"f"));
    lock(fd, SETLK, WRLCK, 0, 0).unwrap();
    assert_eq!(others(0, 1), Err(Errno::EAGAIN));
    io::close(other).unwrap();
    assert_eq!(others(0, 1), Ok(()));
}

/// Locks all, says so, and stays.
fn hold_lock(_: &[&str]) -> i32 {
    if lock(open(b"f"), SETLKW, WRLCK, 0, 0).is_ok() && io::write(1, b"x").is_ok() {
        let _ = io::poll(&mut [], 60_000);
    }
    1
}
/// A process that holds a lock on all of `f`.
fn holder() -> i32 {
    let (r, w) = io::pipe2(o::CLOEXEC).unwrap();
    let pid = role("hold_lock", &[]).dup2(w, 1).spawn().expect("spawn");
    io::close(w).unwrap();
    assert_eq!(io::read(r, &mut [0; 1]), Ok(1));
    pid
}

fn waits_for_exit() {
    let fd = open(b"f");
    let pid = holder();
    assert_eq!(lock(fd, SETLK, RDLCK, 7, 1), Err(Errno::EAGAIN));
    let shown = lock(fd, GETLK, RDLCK, 7, 1).unwrap();
    assert_eq!((shown.kind, shown.start, shown.len, shown.pid), (WRLCK, 0, 0, pid));
    proc::kill(pid, sig::KILL).unwrap();
    assert_eq!(lock(fd, SETLKW, WRLCK, 7, 1).map(|_| ()), Ok(()));
    assert_eq!(wait_for(pid), wait::signaled(sig::KILL));
}

fn wait_lock(args: &[&str]) -> i32 {
    let fd = open(b"f");
    if let Some(own) = args.get(1) {
        lock(fd, SETLK, WRLCK, number(own), 1).expect("its own");
    }
    let _ = io::write(1, b"x");
    answer(lock(fd, SETLKW, WRLCK, number(args[0]), 1))
}

fn waits_for_unlock() {
    let fd = open(b"f");
    lock(fd, SETLK, WRLCK, 0, 10).unwrap();
    let waiters = [3, 3, 4].map(|at: i64| role("wait_lock", &[&at.to_string()]).spawn().expect("spawn"));
    io::poll(&mut [], 20).unwrap();
    assert_eq!(proc::waitpid(-1, wait::NOHANG), Ok(None));
    lock(fd, SETLK, UNLCK, 0, 0).unwrap();
    waiters.into_iter().for_each(|pid| assert_eq!(wait_for(pid), 0));
}

/// It has 1 and waits for 0; who has 0 can't wait for 1.
fn circle() {
    let fd = open(b"f");
    lock(fd, SETLK, WRLCK, 0, 1).unwrap();
    let (r, w) = io::pipe2(o::CLOEXEC).unwrap();
    let pid = role("wait_lock", &["0", "1"]).dup2(w, 1).spawn().expect("spawn");
    assert_eq!(io::read(r, &mut [0; 1]), Ok(1));
    // It may not have come to wait yet; then it is the one to be refused.
    let mine = lock(fd, SETLKW, WRLCK, 1, 1).map(|_| ());
    lock(fd, SETLK, UNLCK, 0, 0).unwrap();
    let got = (mine, wait_for(pid) >> 8);
    assert!(got == (Err(Errno::EDEADLK), 0) || got == (Ok(()), Errno::EDEADLK as u32), "{got:?}");
}

fn of_open_files() {
    let (a, b) = (open(b"f"), open(b"f"));
    lock(a, OFD_SETLK, WRLCK, 0, 4).unwrap();
    assert_eq!(lock(b, OFD_SETLK, RDLCK, 3, 1), Err(Errno::EAGAIN));
    let copy = io::dup(a).unwrap();
    io::close(a).unwrap();
    assert_eq!(lock(b, OFD_SETLK, RDLCK, 3, 1), Err(Errno::EAGAIN));
    io::close(copy).unwrap();
    assert_eq!(lock(b, OFD_SETLK, RDLCK, 3, 1).map(|_| ()), Ok(()));
}

fn try_flock(args: &[&str]) -> i32 {
    answer(io::flock(if args.is_empty() { open(b"f") } else { 0 }, LOCK_EX | LOCK_NB))
}

fn whole_files() {
    let fd = open(b"f");
    io::flock(fd, LOCK_EX).unwrap();
    let refused = wait::exited(Errno::EAGAIN as u32);
    assert_eq!(status_of(&role("try_flock", &[])), refused);
    // A child with the same open file has the lock, too.
    assert_eq!(status_of(&role("try_flock", &["shared"]).dup2(fd, 0)), 0);
    assert_eq!(status_of(&role("try_flock", &[])), refused);
    io::flock(fd, LOCK_SH).unwrap();
    let other = open(b"f");
    io::flock(other, LOCK_SH | LOCK_NB).unwrap();
    io::flock(fd, LOCK_UN).unwrap();
    assert_eq!(status_of(&role("try_flock", &[])), refused);
    io::close(other).unwrap();
    assert_eq!(status_of(&role("try_flock", &[])), 0);
    assert_eq!(io::flock(fd, 0), Err(Errno::EINVAL));
}

/// Linux has none.
fn limit() {
    let fd = open(b"f");
    let refused = (0..3000).find_map(|n| lock(fd, SETLK, WRLCK, n * 2, 1).err());
    assert!(refused == Some(Errno::ENOLCK) || cfg!(not(target_family = "wasm")), "{refused:?}");
    lock(fd, SETLK, UNLCK, 0, 0).unwrap();
    lock(fd, SETLK, WRLCK, 0, 1).unwrap();
}

fn write_fifo(_: &[&str]) -> i32 {
    let done = io::open(b"p", o::WRONLY, 0).and_then(|fd| io::write_all(fd, b"through"));
    answer(done)
}

fn fifo() {
    fs::mknod(b"p", mode::IFIFO | 0o600, 0).unwrap();
    assert_eq!(fs::stat(b"p").unwrap().mode, mode::IFIFO | 0o600);
    let pid = role("write_fifo", &[]).spawn().expect("spawn");
    let fd = io::open(b"p", o::RDONLY, 0).unwrap();
    assert_eq!(io::read_to_end(fd), Ok(b"through".to_vec()));
    assert_eq!(wait_for(pid), 0);
}

fn fifo_without_reader() {
    fs::mknod(b"p", mode::IFIFO | 0o600, 0).unwrap();
    assert_eq!(io::open(b"p", o::WRONLY | o::NONBLOCK, 0), Err(Errno::ENXIO));
    let r = io::open(b"p", o::RDONLY | o::NONBLOCK, 0).unwrap();
    let mut p = [PollFd { fd: r, events: poll::IN, revents: 0 }];
    assert_eq!(io::poll(&mut p, 0), Ok(0));
    let w = io::open(b"p", o::WRONLY, 0).unwrap();
    assert_eq!(io::read(r, &mut [0; 1]), Err(Errno::EAGAIN));
    io::close(w).unwrap();
    assert_eq!((io::poll(&mut p, 0), p[0].revents), (Ok(1), poll::HUP));
    assert_eq!(io::read(r, &mut [0; 1]), Ok(0));
}

fn ranges_of_descriptors() {
    let fd = open(b"f");
    [70, 72, 75].into_iter().for_each(|to| assert_eq!(io::dup3(fd, to, 0), Ok(to)));
    io::close_range(71, 74, 0).unwrap();
    let there = |fd| io::fcntl(fd, abi::types::fcntl::GETFD, 0);
    assert_eq!((there(70), there(72), there(75)), (Ok(0), Err(Errno::EBADF), Ok(0)));
    io::close_range(71, u32::MAX, abi::types::fcntl::CLOSE_RANGE_CLOEXEC).unwrap();
    assert_eq!((there(70), there(75)), (Ok(0), Ok(1)));
    assert_eq!(io::close_range(9, 8, 0), Err(Errno::EINVAL));
}

fn ppoll_times() {
    let start = std::time::Instant::now();
    assert_eq!(io::ppoll(&mut [], 20_000_000, None), Ok(0));
    assert_eq!(io::ppoll(&mut [], 1, Some(0)), Ok(0));
    assert!(start.elapsed().as_millis() >= 19);
}

fn chroot_is_for_root() {
    fs::mkdir(b"d", 0o755).unwrap();
    assert_eq!(fs::chroot(b"nowhere"), Err(Errno::ENOENT));
    write_file(b"f", b"");
    assert_eq!(fs::chroot(b"f"), Err(Errno::ENOTDIR));
    if proc::geteuid() != 0 {
        assert_eq!(fs::chroot(b"d"), Err(Errno::EPERM));
        return;
    }
    write_file(b"d/inside", b"");
    fs::chroot(b"d").unwrap();
    assert!(fs::stat(b"/inside").is_ok() && fs::stat(b"/../../inside").is_ok());
    assert_eq!(fs::stat(b"/tmp"), Err(Errno::ENOENT));
}
