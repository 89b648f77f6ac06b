//! WASI's calls through `trap`, on the fake machine. What a program can see of them from inside, usertests
//! check on the real one; here stand what depends on who runs first, on the clock, and on failures.

use alloc::vec::Vec;
use std::vec;

use abi::syscalls::UAddr;
use abi::types::{clock, o, sig, wait};
use abi::{Errno, SysResult};

use crate::machdep::fake::{Fake, Request, Sys, Vk};

const MS: u64 = 1_000_000;
const SUBSCRIPTION: usize = 48;
const EVENT: usize = 32;

enum On {
    Clock { id: u32, absolute: bool, ns: u64 },
    Read(i32),
    Write(i32),
}

/// `poll_oneoff`: userdata, error, type, flags of the events; subscriptions are numbered from 0.
fn poll_oneoff(sys: &Sys, subs: &[On]) -> SysResult<Vec<(u64, u16, u8, u16)>> {
    let (from, to, count) = (sys.alloc(subs.len() * SUBSCRIPTION), sys.alloc(subs.len() * EVENT), sys.alloc(4));
    for (i, sub) in subs.iter().enumerate() {
        let mut b = [0; SUBSCRIPTION];
        b[0] = i as u8;
        match *sub {
            On::Clock { id, absolute, ns } => {
                b[16..20].copy_from_slice(&id.to_le_bytes());
                b[24..32].copy_from_slice(&ns.to_le_bytes());
                b[40] = absolute as u8;
            }
            On::Read(fd) | On::Write(fd) => {
                b[8] = if matches!(sub, On::Read(_)) { 1 } else { 2 };
                b[16..20].copy_from_slice(&fd.to_le_bytes());
            }
        }
        sys.poke(from.offset(i * SUBSCRIPTION), &b);
    }
    sys.wasi("poll_oneoff", &[from.0 as u64, to.0 as u64, subs.len() as u64, count.0 as u64])?;
    let n = sys.peek32(count) as usize;
    let event = |i: usize| {
        let b = sys.peek(to.offset(i * EVENT), EVENT);
        (b[0] as u64, u16::from_le_bytes([b[8], b[9]]), b[10], u16::from_le_bytes([b[24], b[25]]))
    };
    Ok((0..n).map(event).collect())
}

fn monotonic(ns: u64) -> On {
    On::Clock { id: clock::MONOTONIC, absolute: false, ns }
}

fn boot(seed: u64) -> Vk {
    Fake::seeded(seed).boot()
}

#[test]
fn the_first_of_several_clocks_ends_a_sleep() {
    let vk = boot(1);
    let slept = vk.lwp(|sys| {
        let start = sys.clock_ns(clock::MONOTONIC)?;
        let got = poll_oneoff(sys, &[monotonic(500 * MS), monotonic(20 * MS), monotonic(300 * MS)])?;
        Ok::<_, Errno>((got, sys.clock_ns(clock::MONOTONIC)? - start))
    });
    let (got, took_ns) = vk.join(slept).expect("poll_oneoff");
    assert_eq!(got, [(1, 0, 0, 0)]);
    assert!((20 * MS..300 * MS).contains(&took_ns), "{took_ns} ns");
}

#[test]
fn a_real_time_is_waited_for_on_the_monotonic_clock() {
    let vk = boot(2);
    let slept = vk.lwp(|sys| {
        let until = sys.clock_ns(clock::REALTIME)? + 30 * MS;
        let absolute = |ns| On::Clock { id: clock::REALTIME, absolute: true, ns };
        let got = poll_oneoff(sys, &[absolute(until)])?;
        assert!(sys.clock_ns(clock::REALTIME)? >= until);
        // A time long past is no sleep.
        Ok::<_, Errno>((got, poll_oneoff(sys, &[absolute(1)])?))
    });
    assert_eq!(vk.join(slept), Ok((vec![(0, 0, 0, 0)], vec![(0, 0, 0, 0)])));
}

#[test]
fn a_writer_wakes_a_reader_that_also_waits_for_a_clock() {
    for seed in 0..200 {
        let vk = boot(seed);
        let (r, w) = vk.init(|sys| sys.pipe2(0)).expect("pipe");
        let poller = vk.lwp(move |sys| poll_oneoff(sys, &[monotonic(3_600_000 * MS), On::Read(r)]));
        if seed % 2 == 0 {
            vk.run_until_asleep(&poller);
        } else {
            vk.run_points(seed);
        }
        vk.init(move |sys| sys.write(w, b"x")).expect("write");
        assert_eq!(vk.join(poller), Ok(vec![(1, 0, 1, 0)]), "seed {seed}");
    }
}

#[test]
fn a_hang_up_is_an_event_with_its_flag() {
    for seed in 0..100 {
        let vk = boot(seed);
        let (r, w) = vk.init(|sys| sys.pipe2(0)).expect("pipe");
        let poller = vk.lwp(move |sys| {
            sys.close(w)?;
            poll_oneoff(sys, &[On::Read(r)])
        });
        vk.run_points(seed);
        vk.init(move |sys| sys.close(w)).expect("close");
        assert_eq!(vk.join(poller), Ok(vec![(0, 0, 1, 1)]), "seed {seed}");
    }
}

#[test]
fn errors_are_events_and_nobody_sleeps_over_them() {
    let vk = boot(3);
    let polled = vk.lwp(|sys| {
        let cpu = On::Clock { id: clock::PROCESS_CPUTIME, absolute: false, ns: MS };
        poll_oneoff(sys, &[monotonic(u64::MAX), On::Read(77), On::Write(-1), cpu])
    });
    let bad = Errno::EBADF as u16;
    let want = vec![(1, bad, 1, 0), (2, bad, 2, 0), (3, Errno::ENOTSUP as u16, 0, 0)];
    assert_eq!(vk.join(polled), Ok(want));
}

#[test]
fn a_poller_can_be_killed() {
    for seed in 0..50 {
        let vk = boot(seed);
        let (r, _) = vk.init(|sys| sys.pipe2(0)).expect("pipe");
        let poller = vk.lwp(move |sys| poll_oneoff(sys, &[On::Read(r), monotonic(u64::MAX)]));
        if seed % 2 == 0 {
            vk.run_until_asleep(&poller);
        }
        let pid = poller.pid;
        vk.init(move |sys| sys.kill(pid, sig::TERM)).expect("kill");
        assert_eq!(vk.end(poller).1, wait::signaled(sig::TERM), "seed {seed}");
    }
}

#[test]
fn only_a_terminal_looks_like_one() {
    use abi::types::devctl;
    const CHARACTER_DEVICE: u8 = 2;
    for (kind, terminal) in
        [(devctl::KIND_TTY, true), (devctl::KIND_NULL, false), (devctl::KIND_PIPE, false), (devctl::KIND_FILE, false)]
    {
        let vk = Fake::seeded(10).unit(devctl::STDIN, kind).boot();
        let asked = vk.lwp(|sys| {
            let out = sys.alloc(24);
            sys.wasi("fd_fdstat_get", &[0, out.0 as u64])?;
            Ok::<_, Errno>((sys.peek(out, 1)[0], sys.peek64(out.offset(8))))
        });
        let (filetype, rights) = vk.join(asked).expect("fd_fdstat_get");
        // isatty(3) of wasi-libc.
        let positionless = rights & (super::rights::FD_SEEK | super::rights::FD_TELL) == 0;
        assert_eq!(filetype == CHARACTER_DEVICE && positionless, terminal, "kind {kind}");
    }
}

/// The descriptor that is preopened, and those below it that a library must skip.
fn preopens(sys: &Sys) -> (Vec<i32>, Option<i32>) {
    let out = sys.alloc(8);
    let mut skipped = Vec::new();
    for fd in 3.. {
        if sys.wasi("fd_prestat_get", &[fd as u64, out.0 as u64]).is_err() {
            return (skipped, None);
        }
        match sys.peek(out, 1)[0] {
            0 => return (skipped, Some(fd)),
            _ => skipped.push(fd),
        }
    }
    unreachable!("descriptors end")
}

#[test]
fn every_program_has_its_own_preopen_and_inherits_none() {
    let vk = Fake::seeded(4)
        .program("again", |sys| {
            // 3 and 4 were left open by those before, the preopen was not.
            let found = preopens(sys);
            assert_eq!(found, (vec![3, 4], Some(5)));
            if sys.argv().len() > 1 { 7 } else { sys.exec(&Request::new("/bin/again").arg("twice")).map_or(1, |()| 0) }
        })
        .boot();
    let child = vk.lwp(|sys| {
        let (_, own) = preopens(sys);
        assert_eq!(own, Some(3));
        // Closing it is the program's right; what is opened then has its number.
        sys.close(3)?;
        let fds = (sys.open("/tmp", o::DIRECTORY, 0)?, sys.open("/tmp", o::DIRECTORY, 0)?);
        assert_eq!((fds, preopens(sys)), ((3, 4), (vec![], None)));
        let pid = sys.spawn(&Request::new("/bin/again"))?;
        sys.waitpid(pid)
    });
    assert_eq!(vk.join(child), Ok(wait::exited(7)));
}

/// Puts a path into memory with this in front; its address and length.
fn path(sys: &Sys, before: &[u8], path: &str) -> (u64, u64) {
    let at = sys.alloc(8 + path.len());
    sys.poke(at.offset(8 - before.len()), before);
    sys.poke(at.offset(8), path.as_bytes());
    (at.0 as u64 + 8, path.len() as u64)
}

fn unlink(sys: &Sys, fd: i32, (at, len): (u64, u64)) -> SysResult<()> {
    sys.wasi("path_unlink_file", &[fd as u64, at, len])
}

#[test]
fn the_working_directory_decides_what_a_path_on_the_preopen_means() {
    let vk = Fake::seeded(5).file("name", b"root").file("tmp/name", b"here").boot();
    let done = vk.lwp_as(Request::new("/bin/test").chdir("/tmp"), |sys| {
        let root = preopens(sys).1.expect("a preopen");
        // The library took the slash away, where it stood.
        unlink(sys, root, path(sys, b"/", "name"))?;
        assert!(sys.stat("/name", 0).is_err() && sys.stat("/tmp/name", 0).is_ok());
        // Not there: and the other is not taken for it.
        assert_eq!(unlink(sys, root, path(sys, b"/", "name")), Err(Errno::ENOENT));
        unlink(sys, root, path(sys, b"x", "name"))?;
        assert!(sys.stat("/tmp/name", 0).is_err());
        Ok::<_, Errno>(())
    });
    assert_eq!(vk.join(done), Ok(()));
}

#[test]
fn in_the_root_directory_nothing_is_guessed() {
    let vk = Fake::seeded(6).file("name", b"root").boot();
    let done = vk.lwp(|sys| {
        let root = preopens(sys).1.expect("a preopen");
        unlink(sys, root, path(sys, b"x", "tmp/../name"))
    });
    assert_eq!(vk.join(done), Ok(()));
}

#[test]
fn a_directory_is_not_left_through_its_descriptor() {
    let vk = Fake::seeded(7).dir("tmp/d").file("tmp/d/in", b"").file("tmp/out", b"").symlink("tmp/d/up", "..").boot();
    let done = vk.lwp(|sys| {
        let d = sys.open("/tmp/d", o::DIRECTORY, 0)?;
        for out in ["../out", "/tmp/out", "../d/in", "up/out"] {
            assert_eq!(unlink(sys, d, path(sys, b"", out)), Err(Errno::ENOTCAPABLE), "{out}");
        }
        unlink(sys, d, path(sys, b"", "in"))
    });
    assert_eq!(vk.join(done), Ok(()));
}

#[test]
fn a_descriptor_that_cannot_be_told_is_not_kept() {
    let vk = Fake::seeded(8).file("tmp/f", b"").boot();
    let done = vk.lwp(|sys| {
        let d = sys.open("/tmp", o::DIRECTORY, 0)?;
        let next = sys.dup(d)?;
        sys.close(next)?;
        let (at, len) = path(sys, b"", "f");
        let nowhere = UAddr(u32::MAX - 1).0 as u64;
        let open = |out| sys.wasi("path_open", &[d as u64, 0, at, len, 0, super::rights::FD_READ, 0, 0, out]);
        assert_eq!(open(nowhere), Err(Errno::EFAULT));
        let out = sys.alloc(4);
        open(out.0 as u64)?;
        assert_eq!(sys.peek32(out) as i32, next);
        Ok::<_, Errno>(())
    });
    assert_eq!(vk.join(done), Ok(()));
}

#[test]
fn a_raised_signal_is_the_one_of_that_name() {
    const WASI_STOP: u64 = 18;
    let vk = boot(9);
    let raiser = vk.lwp(|sys| sys.wasi("proc_raise", &[12]));
    assert_eq!(vk.end(raiser).1, wait::signaled(sig::USR2));
    let raiser = vk.lwp(|sys| sys.wasi("proc_raise", &[WASI_STOP]));
    let pid = raiser.pid;
    assert_eq!(vk.init(move |sys| sys.waitpid_stopped(pid)), Ok(wait::stopped(sig::STOP)));
    vk.init(move |sys| sys.kill(pid, sig::CONT)).expect("kill");
    assert_eq!(vk.join(raiser), Ok(()));
}
