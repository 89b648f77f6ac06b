//! All there is of something, used up; and that it comes back.

use abi::types::{o, rlimit, sig, wait};
use vkernel_sys::{Errno, Spawn, fs, io, proc};

use crate::harness::{output_of, role, status_of, wait_for};
use crate::module::{I32, Module, i32_const, op};

crate::tests! { limits: memory, memory_limit, file_system, file_size, processes, processes_of_a_user, kernel_memory }
crate::roles! { grow, spawn_until_refused }

/// Grows page by page or more until it can't; what is there keeps working.
fn grow(args: &[&str]) -> i32 {
    let step: usize = args[0].parse().unwrap();
    let mut pages = core::arch::wasm32::memory_size(0);
    loop {
        match core::arch::wasm32::memory_grow(0, step) {
            usize::MAX => break,
            old => assert_eq!(old, pages),
        }
        pages += step;
    }
    assert_eq!(core::arch::wasm32::memory_size(0), pages);
    // What remains is for the kernel to copy from and to.
    print!("{}", pages * 64 / 1024);
    0
}

fn memory() {
    for step in ["16", "1024"] {
        let mb: usize = String::from_utf8(output_of(role("grow", &[step]))).unwrap().parse().unwrap();
        assert!((1..=4096).contains(&mb), "{mb} MiB");
    }
    assert_eq!(status_of(&role("exit_with", &["5"])), wait::exited(5));
}

fn memory_limit() {
    proc::setrlimit(rlimit::AS, 32 << 20, 32 << 20).unwrap();
    let mb: usize = String::from_utf8(output_of(role("grow", &["1"]))).unwrap().parse().unwrap();
    assert!((24..=32).contains(&mb), "{mb} MiB of 32");
    // Ours is as limited, from now on.
    assert_eq!(core::arch::wasm32::memory_grow(0, 1024), usize::MAX);
    assert_eq!(std::hint::black_box(vec![1u8; 1 << 20]).len(), 1 << 20);
}

/// Writes until there is no more room, tidies up, and can write as much again.
fn file_system() {
    let fill = || {
        let fd = io::open(b"big", o::WRONLY | o::CREAT | o::TRUNC, 0o666).unwrap();
        let block = vec![0x5a; 1 << 20];
        let mut all = 0u64;
        let error = loop {
            match io::write(fd, &block) {
                Ok(n) => all += n as u64,
                Err(e) => break e,
            }
            assert!(all < 8 << 30, "no end");
        };
        assert_eq!(error, Errno::ENOSPC);
        assert_eq!(fs::fstat(fd).unwrap().size, all);
        // Nothing can be made, but what is there can be read, and removed.
        let small = (0..100_000).map(|i| format!("n{i}")).find_map(|n| {
            let fd = match io::open(n.as_bytes(), o::WRONLY | o::CREAT, 0o666) {
                Ok(fd) => fd,
                // Not even a name fits.
                Err(e) => {
                    assert!(e == Errno::ENOSPC || e == Errno::ENOMEM, "{e}");
                    return Some(());
                }
            };
            let full = io::write(fd, &[1; 4096]).is_err();
            io::close(fd).unwrap();
            full.then_some(())
        });
        assert_eq!(small, Some(()));
        assert_eq!(io::pread(io::open(b"big", o::RDONLY, 0).unwrap(), &mut [0; 1], 5), Ok(1));
        io::close(fd).unwrap();
        for e in fs::read_dir(b".").unwrap() {
            fs::unlink(&e.name).unwrap();
        }
        // Open descriptors keep a file: the one used to read goes with this process.
        all
    };
    let (first, second) = (fill(), {
        close_from_3(64);
        fill()
    });
    assert!(second + (2 << 20) >= first, "{first} bytes, then {second}");
}

fn close_from_3(end: i32) {
    for fd in 3..end {
        // EBADF: it isn't open.
        let _ = io::close(fd);
    }
}

fn file_size() {
    proc::setrlimit(rlimit::FSIZE, 10_000, 10_000).unwrap();
    proc::sigaction(sig::XFSZ, proc::Disposition::Ignore).unwrap();
    let fd = io::open(b"f", o::RDWR | o::CREAT, 0o666).unwrap();
    assert_eq!(io::write(fd, &[1; 9_000]), Ok(9_000));
    assert_eq!(io::write(fd, &[1; 9_000]), Ok(1_000));
    assert_eq!(io::write(fd, &[1]), Err(Errno::EFBIG));
    assert_eq!(io::ftruncate(fd, 10_001), Err(Errno::EFBIG));
    assert_eq!(io::pwrite(fd, &[1], 10), Ok(1));
    assert_eq!(fs::fstat(fd).unwrap().size, 10_000);
}

/// A program of one page that sleeps until its standard input ends.
fn install_sleeper() {
    let code = [&i32_const(0)[..], &i32_const(0), &i32_const(1), &[op::CALL, 0, op::DROP]].concat();
    Module::new(&code).import("vkernel", "read", &[I32; 3], &[I32]).install(b"sleeper");
}

/// Spawns sleepers until one is refused; all end when their input does.
fn bomb() -> (usize, Errno) {
    let (r, w) = io::pipe2(o::CLOEXEC).unwrap();
    let cmd = Spawn::new(b"./sleeper").arg(b"s").dup2(r, 0);
    let mut pids = Vec::new();
    let error = loop {
        match cmd.spawn() {
            Ok(pid) => pids.push(pid),
            Err(e) => break e,
        }
        assert!(pids.len() <= 100_000, "no end");
    };
    io::close(w).unwrap();
    io::close(r).unwrap();
    let n = pids.len();
    pids.into_iter().for_each(|p| assert_eq!(wait_for(p), wait::exited(0)));
    (n, error)
}

fn processes() {
    install_sleeper();
    let (first, error) = bomb();
    assert!(matches!(error, Errno::EAGAIN | Errno::ENOMEM), "{error}");
    assert!(first >= 10, "{first} processes");
    // All of them come back, though a host may take a moment to let go of the last.
    let mut again = Vec::new();
    let back = (0..40).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        again.push(bomb().0);
        again.last() >= Some(&first)
    });
    assert!(back, "{first} processes, then {again:?}");
    assert_eq!(status_of(&role("exit_with", &["5"])), wait::exited(5));
}

fn spawn_until_refused(_: &[&str]) -> i32 {
    proc::setgid(1000).unwrap();
    proc::setuid(1000).unwrap();
    proc::setrlimit(rlimit::NPROC, 7, 7).unwrap();
    let (n, error) = bomb();
    assert_eq!(error, Errno::EAGAIN);
    // This process is one of the seven.
    print!("{n}");
    0
}

fn processes_of_a_user() {
    install_sleeper();
    fs::chmod(b".", 0o755, 0).unwrap();
    assert_eq!(output_of(role("spawn_until_refused", &[])), b"6");
}

/// Objects of the kernel's own, until it has no memory for more.
fn kernel_memory() {
    proc::setrlimit(rlimit::NOFILE, 60_000, 60_000).unwrap();
    let mut made = 0;
    let error = loop {
        match io::pipe2(o::NONBLOCK) {
            Ok((_, w)) => drop(io::write(w, &[1; 65_536])),
            Err(e) => break e,
        }
        made += 1;
        assert!(made <= 60_000);
    };
    assert!(matches!(error, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM), "{error} after {made} pipes");
    close_from_3(60_000);
    let (r, w) = io::pipe2(0).unwrap();
    io::write_all(w, b"well").unwrap();
    assert_eq!(io::read(r, &mut [0; 8]), Ok(4));
}
