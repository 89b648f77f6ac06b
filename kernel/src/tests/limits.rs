//! Limits: the errors at them, and that life goes on below them.

use alloc::vec;
use alloc::vec::Vec;

use abi::Errno;
use abi::types::{o, rlimit, sig};

use crate::machdep::fake::{Fake, Request};

#[test]
fn emfile_at_the_limit_on_descriptors() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        sys.setrlimit(rlimit::NOFILE, 10, 20).expect("setrlimit");
        let mut fds = Vec::new();
        let error = loop {
            match sys.open("/tmp", o::DIRECTORY, 0) {
                Ok(fd) => fds.push(fd),
                Err(e) => break e,
            }
        };
        assert_eq!(error, Errno::EMFILE);
        assert_eq!(fds.last(), Some(&9));
        assert_eq!(sys.dup(0), Err(Errno::EMFILE));
        assert_eq!(sys.dup3(0, 10, 0), Err(Errno::EBADF));
        // A pipe needs two: the one it got first goes back.
        sys.close(9).expect("close");
        assert_eq!(sys.pipe2(0), Err(Errno::EMFILE));
        assert_eq!(sys.dup(0), Ok(9));
        assert_eq!(sys.open("/tmp/never", o::CREAT | o::WRONLY, 0o600), Err(Errno::EMFILE));
        sys.setrlimit(rlimit::NOFILE, 11, 20).expect("setrlimit");
        assert_eq!(sys.dup(0), Ok(10));
        assert_eq!(sys.setrlimit(rlimit::NOFILE, 21, 20), Err(Errno::EINVAL));
        sys.setuid(500).expect("setuid");
        assert_eq!(sys.setrlimit(rlimit::NOFILE, 11, 21), Err(Errno::EPERM));
        assert_eq!(sys.setrlimit(99, 1, 1), Err(Errno::EINVAL));
    });
    vk.join(h);
}

#[test]
fn eagain_at_the_limit_on_processes() {
    let vk = Fake::seeded(1).max_procs(6).program("sleep", |sys| sys.nanosleep(1000).map_or(1, |()| 0)).boot();
    vk.init(|sys| {
        for round in 0..3 {
            let mut n = 0;
            let error = loop {
                match sys.spawn(&Request::new("/bin/sleep")) {
                    Ok(_) => n += 1,
                    Err(e) => break e,
                }
            };
            assert_eq!((n, error), (5, Errno::EAGAIN), "round {round}");
            while sys.wait4(-1, 0).is_ok() {}
        }
    });
}

#[test]
fn eagain_at_a_users_limit_on_processes() {
    let vk = Fake::seeded(1).program("sleep", |sys| sys.nanosleep(1000).map_or(1, |()| 0)).boot();
    let h = vk.lwp(|sys| {
        sys.setrlimit(rlimit::NPROC, 3, 3).expect("setrlimit");
        sys.setuid(500).expect("setuid");
        assert!(sys.spawn(&Request::new("/bin/sleep")).is_ok());
        assert!(sys.spawn(&Request::new("/bin/sleep")).is_ok());
        assert_eq!(sys.spawn(&Request::new("/bin/sleep")), Err(Errno::EAGAIN));
        while sys.wait4(-1, 0).is_ok() {}
        assert!(sys.spawn(&Request::new("/bin/sleep")).is_ok());
    });
    vk.join(h);
}

#[test]
fn efbig_and_sigxfsz_at_the_limit_on_file_sizes() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        sys.sigaction(sig::XFSZ, 1).expect("sigaction");
        sys.setrlimit(rlimit::FSIZE, 100, 100).expect("setrlimit");
        let fd = sys.open("/tmp/f", o::CREAT | o::RDWR, 0o600).expect("open");
        assert_eq!(sys.write(fd, &[1; 60]), Ok(60));
        assert_eq!(sys.write(fd, &[2; 60]), Ok(40), "as much as fits");
        assert_eq!(sys.write(fd, &[3; 1]), Err(Errno::EFBIG));
        assert_eq!(sys.pwrite(fd, &[3; 10], 95), Ok(5));
        assert_eq!(sys.pwrite(fd, &[3; 10], 1 << 40), Err(Errno::EFBIG));
        assert_eq!(sys.ftruncate(fd, 101), Err(Errno::EFBIG));
        assert_eq!(sys.ftruncate(fd, 100), Ok(()));
        // Not a regular file: no limit.
        let (r, w) = sys.pipe2(0).expect("pipe");
        assert_eq!(sys.write(w, &[0; 200]), Ok(200));
        assert_eq!(sys.read(r, 300).map(|b| b.len()), Ok(200));
    });
    vk.join(h);
    let h = vk.lwp(|sys| {
        sys.setrlimit(rlimit::FSIZE, 0, 0)?;
        let fd = sys.open("/tmp/g", o::CREAT | o::RDWR, 0o600)?;
        sys.write(fd, b"x")
    });
    let (result, status) = vk.end(h);
    assert_eq!((result, status), (None, abi::types::wait::signaled(sig::XFSZ)));
}

#[test]
fn a_file_cannot_be_larger_than_any_offset() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        let fd = sys.open("/tmp/f", o::CREAT | o::RDWR, 0o600).expect("open");
        assert_eq!(sys.pwrite(fd, b"x", -1), Err(Errno::EINVAL));
        assert_eq!(sys.pread(fd, 1, i64::MIN), Err(Errno::EINVAL));
        assert_eq!(sys.lseek(fd, -1, 0), Err(Errno::EINVAL));
        assert_eq!(sys.ftruncate(fd, -1), Err(Errno::EINVAL));
        assert_eq!(sys.pwrite(fd, b"xyz", i64::MAX), Err(Errno::EFBIG));
        // What fits below the largest offset is written, as in write(2).
        assert_eq!(sys.pwrite(fd, b"xyz", i64::MAX - 1), Ok(1));
        assert_eq!(sys.pread(fd, 9, i64::MAX - 1), Ok(vec![b'x']));
        assert_eq!(sys.pread(fd, 9, i64::MAX), Ok(vec![]));
        assert_eq!(sys.lseek(fd, 0, 2), Ok(i64::MAX));
        assert_eq!(sys.ftruncate(fd, 0), Ok(()));
        assert_eq!(sys.lseek(fd, i64::MAX, 0), Ok(i64::MAX));
        assert_eq!(sys.lseek(fd, 1, 1), Err(Errno::EOVERFLOW));
        assert_eq!(sys.read(fd, 10), Ok(vec![]));
    });
    vk.join(h);
}

#[test]
fn a_full_file_system_says_so_and_takes_again_what_is_freed() {
    let vk = Fake::seeded(1).tmpfs_size(1 << 20).boot();
    let h = vk.lwp(|sys| {
        let fd = sys.open("/tmp/fill", o::CREAT | o::WRONLY, 0o600).expect("open");
        let mut wrote = 0;
        let error = loop {
            match sys.write(fd, &[1; 10_000]) {
                Ok(n) => wrote += n,
                Err(e) => break e,
            }
        };
        assert_eq!(error, Errno::ENOSPC);
        assert!(wrote > 900_000 && wrote <= 1 << 20, "{wrote}");
        assert_eq!(sys.fstat(fd).map(|s| s.size), Ok(wrote as u64));
        // What was too little for that write may do for smaller ones, but not for long.
        let more = sys.open("/tmp/more", o::CREAT | o::WRONLY, 0o600).expect("open");
        let full = (0..1000).find_map(|_| sys.write(more, &[1; 100]).err());
        assert_eq!(full, Some(Errno::ENOSPC));
        assert_eq!(sys.put_file("/tmp/third", &[1; 10_000], 0o600), Err(Errno::ENOSPC));
        sys.ftruncate(fd, 0).expect("truncate");
        sys.put_file("/tmp/more", &[1; 10_000], 0o600).expect("write");
        // Overwriting what is there needs nothing new.
        assert_eq!(sys.write(fd, b"x"), Ok(1));
    });
    vk.join(h);
}

#[test]
fn a_program_grows_to_its_limit_and_not_beyond() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        sys.setrlimit(rlimit::AS, 1 << 20, 1 << 20).expect("setrlimit");
        assert!(sys.try_grow(1 << 20));
        assert!(!sys.try_grow((1 << 20) + 1));
        assert!(sys.spawn(&Request::new("/bin/test")).is_ok());
        sys.setrlimit(rlimit::AS, 1000, 1 << 20).expect("setrlimit");
        assert_eq!(sys.spawn(&Request::new("/bin/test")), Err(Errno::ENOMEM));
        assert_eq!(sys.exec(&Request::new("/bin/test")), Err(Errno::ENOMEM));
        while sys.wait4(-1, 0).is_ok() {}
    });
    vk.join(h);
}

#[test]
fn too_many_arguments_are_e2big() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        let long = "x".repeat(100_000);
        let r = (0..25).fold(Request::new("/bin/test"), |r, _| r.arg(&long));
        assert_eq!(sys.spawn(&r), Err(Errno::E2BIG));
        assert_eq!(sys.exec(&r), Err(Errno::E2BIG));
        assert_eq!(sys.exec(&Request::new("/bin/test").arg("nul\0inside")), Err(Errno::EINVAL));
    });
    vk.join(h);
}

#[test]
fn a_hundred_thousand_opens_leave_nothing() {
    let vk = Fake::seeded(1).switch_one_in(1 << 40).boot();
    let h = vk.lwp(|sys| {
        let root = sys.open("/", o::DIRECTORY, 0).expect("open");
        let before = sys.fstatvfs(root);
        for _ in 0..100_000 {
            let fd = sys.open("/tmp", o::DIRECTORY, 0).expect("open");
            sys.close(fd).expect("close");
        }
        for _ in 0..5_000 {
            let fd = sys.open("/tmp/f", o::CREAT | o::RDWR, 0o600).expect("open");
            sys.close(fd).expect("close");
            sys.unlink("/tmp/f").expect("unlink");
        }
        assert_eq!(sys.fstatvfs(root), before);
    });
    vk.join(h);
}

/// RLIMIT_AS and RLIMIT_DATA share the host's one limit: raising one must not lift the other.
#[test]
fn a_limit_on_memory_cannot_be_lifted_by_the_other_one() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        let (low, high) = (1 << 20, 2 << 20);
        sys.setrlimit(rlimit::AS, low, low).expect("setrlimit");
        sys.setrlimit(rlimit::DATA, rlimit::INFINITY, rlimit::INFINITY).expect("setrlimit");
        assert!(!sys.try_grow(high as usize));
        assert_eq!(sys.setrlimit(rlimit::AS, high, high), Err(Errno::EPERM), "not even root");
        assert!(!sys.try_grow(high as usize));
        assert!(sys.try_grow(low as usize));
    });
    vk.join(h);
}
