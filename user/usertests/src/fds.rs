//! Descriptors: their numbers, sharing, limits, inheritance. POSIX 2.14; dup(2), fcntl(2).

use abi::types::{fcntl, o, poll, rlimit, seek, wait};
use vkernel_sys::io::{self, PollFd};
use vkernel_sys::{Errno, fs, proc};

use crate::harness::{open_fds, output_of, role, status_of, write_file};

crate::tests! { fds:
    out_of_range, duplicates, duplicates_share, close_on_exec, shared_with_children, file_actions, bad_file_actions,
    limit, lower_limit, many_cycles, reuse,
}
crate::roles! { list_fds, read_some, exec_list_fds, check_actions }

/// Descriptors that nobody has.
const BAD: [i32; 8] = [-1, -2, i32::MIN, i32::MAX, 1 << 20, 999, 65_536, -100_000];

/// All that take a descriptor refuse these, and none of them is taken for a big index.
fn out_of_range() {
    write_file(b"f", b"");
    let good = io::open(b"f", o::RDWR, 0).unwrap();
    let mut buf = [0; 8];
    proc::setrlimit(rlimit::NOFILE, 100, 100).unwrap();
    for fd in BAD {
        let bad = |what: &str, r: Result<(), Errno>| assert_eq!(r, Err(Errno::EBADF), "{what}({fd})");
        bad("read", io::read(fd, &mut buf).map(|_| ()));
        bad("write", io::write(fd, &buf).map(|_| ()));
        bad("pread", io::pread(fd, &mut buf, 0).map(|_| ()));
        bad("pwrite", io::pwrite(fd, &buf, 0).map(|_| ()));
        bad("lseek", io::lseek(fd, 0, seek::CUR).map(|_| ()));
        bad("close", io::close(fd));
        bad("dup", io::dup(fd).map(|_| ()));
        bad("dup3 from", io::dup3(fd, 10, 0).map(|_| ()));
        bad("dup3 to", io::dup3(good, fd, 0).map(|_| ()));
        bad("fcntl", io::fcntl(fd, fcntl::GETFD, 0).map(|_| ()));
        bad("fcntl", io::fcntl(fd, fcntl::DUPFD, 0).map(|_| ()));
        bad("fsync", io::fsync(fd));
        bad("ftruncate", io::ftruncate(fd, 0));
        bad("fstat", fs::fstat(fd).map(|_| ()));
        if fd != abi::types::at::FDCWD {
            bad("openat", io::openat(fd, b"f", o::RDONLY, 0).map(|_| ()));
            bad("fstatat", fs::fstatat(fd, b"f", 0).map(|_| ()));
        }
        let mut p = [PollFd { fd, events: poll::IN, revents: 0 }];
        let want = if fd < 0 { (Ok(0), 0) } else { (Ok(1), poll::NVAL) };
        assert_eq!((io::poll(&mut p, 0), p[0].revents), want, "poll({fd})");
    }
    assert_eq!(io::fcntl(good, 12345, 0), Err(Errno::EINVAL));
    assert_eq!(io::fcntl(good, fcntl::DUPFD, -1), Err(Errno::EINVAL));
    assert_eq!(io::fcntl(good, fcntl::DUPFD, i32::MAX), Err(Errno::EINVAL));
}

fn duplicates() {
    let fd = io::open(b"/dev/null", o::RDWR, 0).unwrap();
    let copy = io::dup(fd).unwrap();
    assert!(copy > fd);
    assert_eq!(io::fcntl(fd, fcntl::DUPFD, 40).unwrap(), 40);
    assert_eq!(io::fcntl(fd, fcntl::DUPFD, 40).unwrap(), 41);
    assert_eq!(io::dup3(fd, 50, 0), Ok(50));
    assert_eq!(io::dup3(fd, fd, 0), Err(Errno::EINVAL));
    assert_eq!(io::dup3(-1, -1, 0), Err(Errno::EINVAL));
    // The lowest free number is taken.
    io::close(40).unwrap();
    assert_eq!(io::fcntl(fd, fcntl::DUPFD, 40).unwrap(), 40);
    io::close(copy).unwrap();
    assert_eq!(io::dup(fd), Ok(copy));
    assert_eq!(io::fcntl(fd, fcntl::DUPFD_CLOEXEC, 45).unwrap(), 45);
    assert_eq!(io::fcntl(45, fcntl::GETFD, 0), Ok(fcntl::FD_CLOEXEC));
    assert_eq!(io::fcntl(45, fcntl::DUPFD, 46).unwrap(), 46);
    assert_eq!(io::fcntl(46, fcntl::GETFD, 0), Ok(0));
    io::fcntl(46, fcntl::SETFD, fcntl::FD_CLOEXEC as i32).unwrap();
    assert_eq!(io::fcntl(46, fcntl::GETFD, 0), Ok(fcntl::FD_CLOEXEC));
}

/// One offset and one set of status flags for all duplicates; a second open has its own.
fn duplicates_share() {
    write_file(b"f", b"0123456789");
    let fd = io::open(b"f", o::RDWR, 0).unwrap();
    let (copy, other) = (io::dup(fd).unwrap(), io::open(b"f", o::RDWR, 0).unwrap());
    let mut buf = [0; 3];
    io::read(fd, &mut buf).unwrap();
    io::read(copy, &mut buf).unwrap();
    assert_eq!(&buf, b"345");
    io::read(other, &mut buf).unwrap();
    assert_eq!(&buf, b"012");
    io::fcntl(copy, fcntl::SETFL, (o::APPEND | o::NONBLOCK) as i32).unwrap();
    let flags = |fd| io::fcntl(fd, fcntl::GETFL, 0).unwrap();
    assert_eq!(flags(fd) & o::APPEND, o::APPEND);
    assert_eq!(flags(other) & o::APPEND, 0);
    assert_eq!(flags(fd) & o::ACCMODE, o::RDWR);
    io::close(fd).unwrap();
    assert_eq!(io::lseek(copy, 0, seek::CUR), Ok(6));
}

fn list_fds(_: &[&str]) -> i32 {
    let list: Vec<String> = open_fds().iter().map(i32::to_string).collect();
    // The program's own preopened directory is not inherited: it doesn't count.
    let list: Vec<String> =
        list.into_iter().filter(|fd| fd.parse().is_ok_and(|n: i32| !(3..20).contains(&n))).collect();
    print!("{}", list.join(" "));
    0
}
fn exec_list_fds(_: &[&str]) -> i32 {
    let null = io::open(b"/dev/null", o::RDWR, 0).unwrap();
    io::dup3(null, 24, o::CLOEXEC).unwrap();
    io::dup3(null, 25, 0).unwrap();
    panic!("exec: {}", role("list_fds", &[]).exec());
}

fn close_on_exec() {
    let null = io::open(b"/dev/null", o::RDWR, 0).unwrap();
    io::dup3(null, 20, 0).unwrap();
    io::dup3(null, 21, o::CLOEXEC).unwrap();
    io::dup3(null, 22, o::CLOEXEC).unwrap();
    io::fcntl(22, fcntl::SETFD, 0).unwrap();
    io::dup3(null, 23, 0).unwrap();
    io::fcntl(23, fcntl::SETFD, fcntl::FD_CLOEXEC as i32).unwrap();
    assert_eq!(output_of(role("list_fds", &[])), b"0 1 2 20 22");
    assert_eq!(output_of(role("exec_list_fds", &[])), b"0 1 2 20 22 25");
    // Ours are as they were.
    assert!([20, 21, 22, 23].iter().all(|&fd| fs::fstat(fd).is_ok()));
}

fn read_some(args: &[&str]) -> i32 {
    let mut buf = vec![0; args[0].parse().unwrap()];
    let n = io::read(0, &mut buf).unwrap();
    io::write_all(1, &buf[..n]).unwrap();
    0
}

fn shared_with_children() {
    write_file(b"f", b"abcdefghij");
    let fd = io::open(b"f", o::RDONLY, 0).unwrap();
    let mut buf = [0; 2];
    io::read(fd, &mut buf).unwrap();
    assert_eq!(output_of(role("read_some", &["3"]).dup2(fd, 0)), b"cde");
    io::read(fd, &mut buf).unwrap();
    assert_eq!(&buf, b"fg");
}

/// In their order, seen by the child alone.
fn file_actions() {
    write_file(b"in", b"the input");
    let a = role("check_actions", &[]);
    let a = a.open(30, b"in", o::RDONLY | o::CLOEXEC, 0).dup2(30, 0).close(30).open(
        31,
        b"out",
        o::WRONLY | o::CREAT,
        0o640,
    );
    assert_eq!(status_of(&a.dup2(31, 1).dup2(31, 31)), wait::exited(0));
    assert_eq!(io::read_file(b"out").unwrap(), b"the input");
    assert_eq!(fs::stat(b"out").unwrap().mode & 0o777, 0o640);
    assert!(fs::fstat(30).is_err() && fs::fstat(31).is_err());
}
fn check_actions(_: &[&str]) -> i32 {
    assert!(fs::fstat(30).is_err());
    let all = io::read_to_end(0).unwrap();
    io::write_all(31, &all).unwrap();
    0
}

/// Who can't do what it was told doesn't run.
fn bad_file_actions() {
    let cmd = || role("list_fds", &[]);
    let failed = |cmd: vkernel_sys::Spawn, e| assert_eq!(cmd.spawn(), Err(e));
    failed(cmd().dup2(1234, 0), Errno::EBADF);
    failed(cmd().open(5, b"none", o::RDONLY, 0), Errno::ENOENT);
    #[cfg(target_family = "wasm")]
    failed(cmd().open(-1, b"/dev/null", o::RDONLY, 0), Errno::EBADF);
    assert_eq!(proc::waitpid(-1, 0), Err(Errno::ECHILD));
}

fn limit() {
    let (soft, _) = proc::getrlimit(rlimit::NOFILE).unwrap();
    let mut opened = Vec::new();
    let error = loop {
        match io::open(b"/dev/null", o::RDONLY, 0) {
            Ok(fd) => opened.push(fd),
            Err(e) => break e,
        }
        assert!(opened.len() as u64 <= soft);
    };
    assert_eq!(error, Errno::EMFILE);
    assert_eq!(*opened.last().unwrap() as u64, soft - 1);
    assert_eq!(io::dup(0), Err(Errno::EMFILE));
    assert_eq!(io::pipe2(0), Err(Errno::EMFILE));
    // One free is not enough for a pipe, and stays free.
    io::close(opened[3]).unwrap();
    assert_eq!(io::pipe2(0), Err(Errno::EMFILE));
    assert_eq!(io::dup(0), Ok(opened[3]));
    for fd in opened {
        io::close(fd).unwrap();
    }
    assert!(io::pipe2(0).is_ok());
}

fn lower_limit() {
    let high = io::fcntl(0, fcntl::DUPFD, 40).unwrap() as i32;
    proc::setrlimit(rlimit::NOFILE, 12, 100).unwrap();
    // What is open stays open.
    assert!(fs::fstat(high).is_ok());
    assert_eq!(io::dup3(0, 12, 0), Err(Errno::EBADF));
    assert_eq!(io::fcntl(0, fcntl::DUPFD, 12), Err(Errno::EINVAL));
    while let Ok(fd) = io::dup(0) {
        assert!(fd < 12);
    }
    proc::setrlimit(rlimit::NOFILE, 100, 100).unwrap();
    assert_eq!(io::dup(0), Ok(12));
}

fn many_cycles() {
    write_file(b"f", b"x");
    let before = open_fds();
    for i in 0..100_000 {
        let fd = io::open(b"f", o::RDONLY, 0).unwrap_or_else(|e| panic!("open after {i}: {e}"));
        io::close(fd).unwrap();
    }
    for _ in 0..10_000 {
        let (r, w) = io::pipe2(0).unwrap();
        io::close(r).unwrap();
        io::close(w).unwrap();
    }
    assert_eq!(open_fds(), before);
}

/// A closed number is nobody's, at once, and then somebody else's.
fn reuse() {
    write_file(b"a", b"A");
    write_file(b"b", b"B");
    let fd = io::open(b"a", o::RDONLY, 0).unwrap();
    io::close(fd).unwrap();
    assert_eq!(io::close(fd), Err(Errno::EBADF));
    assert_eq!(io::open(b"b", o::RDONLY, 0), Ok(fd));
    let mut buf = [0; 1];
    io::read(fd, &mut buf).unwrap();
    assert_eq!(&buf, b"B");
}
