//! Sessions and their terminals: who gets the keyboard's signals, who may read, and what a hangup does.

use abi::syscalls::UAddr;
use abi::types::termios::*;
use abi::types::{devctl, ioctl, o, sig, spawn, wait};
use abi::{Errno, SysResult};

use super::seeds;
use super::tty::{UNIT, attached, flags, leader, set};
use crate::machdep::fake::{Fake, Request, Sys, Vk, sigdisp};

const READ: i32 = 10;

/// Programs for the jobs of a session: their exit status says how it went.
fn jobs(seed: u64) -> Fake {
    let code = |r: SysResult<()>| r.map_or_else(|e| e as i32, |()| 0);
    Fake::seeded(seed)
        .program("reader", |sys| match sys.read(0, 100) {
            Ok(line) if line.is_empty() => 0,
            Ok(_) => READ,
            Err(e) => e as i32,
        })
        .program("writer", move |sys| code(sys.write(0, b"job").map(|_| ())))
        .program("tostop", move |sys| {
            let on = |l| l | TOSTOP;
            code(set(sys, 0, ioctl::TCSETS, on, 0, 0))
        })
        .program("echo-off", move |sys| code(set(sys, 0, ioctl::TCSETS, |l| l & !ECHO, 0, 0)))
        .program("rest", |sys| {
            let _ = sys.nanosleep(u64::MAX / 4);
            0
        })
        .program("orphaner", |sys| {
            // Its child is in a group of its own, and soon without a parent that could care.
            if sys.spawn(&Request::new("/bin/late-reader").pgroup(0)).is_ok() { 0 } else { 1 }
        })
        .program("late-reader", |sys| {
            let _ = sys.nanosleep(1_000_000);
            let got = sys.read(0, 9);
            let _ = sys.write(0, alloc::format!("<{got:?}>").as_bytes());
            0
        })
}

fn job(sys: &Sys, name: &str) -> i32 {
    sys.spawn(&Request::new(&alloc::format!("/bin/{name}")).pgroup(0)).expect("spawn")
}

fn set_group(sys: &Sys, fd: i32, group: i32) -> SysResult<()> {
    let at = sys.alloc(4);
    sys.poke(at, &group.to_le_bytes());
    sys.ioctl(fd, ioctl::TIOCSPGRP, at)
}

fn ask(sys: &Sys, fd: i32, request: u32) -> SysResult<i32> {
    let at = sys.alloc(4);
    sys.ioctl(fd, request, at)?;
    Ok(sys.peek32(at) as i32)
}

fn booted(seed: u64) -> Vk {
    let vk = jobs(seed).boot();
    vk.attach(UNIT, devctl::KIND_SCREEN, b"");
    vk
}

#[test]
fn each_session_has_its_own_terminal() {
    seeds(0..30, |seed| {
        let vk = attached(seed);
        vk.attach(UNIT + 1, devctl::KIND_SCREEN, b"");
        let on = |tty: &str| Request::new("/bin/test").flags(spawn::SETSID).open(0, tty, o::RDWR, 0);
        let first = vk.lwp_as(on("/dev/tty1"), |sys| sys.read(sys.open("/dev/tty", o::RDWR, 0)?, 9));
        let second = vk.lwp_as(on("/dev/tty2"), |sys| sys.read(0, 9));
        vk.run_until_asleep(&first);
        vk.run_until_asleep(&second);
        vk.input(UNIT + 1, b"two\n");
        vk.input(UNIT, b"\x03");
        assert_eq!(vk.end(first), (None, wait::signaled(sig::INT)), "seed {seed}");
        assert_eq!(vk.join(second), Ok(b"two\n".to_vec()), "seed {seed}");
        assert_eq!((vk.output(UNIT), vk.output(UNIT + 1)), (b"^C".to_vec(), b"two\r\n".to_vec()));
    });
}

#[test]
fn a_leader_without_a_terminal_gets_the_one_it_opens() {
    let vk = attached(1);
    vk.attach(UNIT + 1, devctl::KIND_SCREEN, b"");
    // Not one that leads no session: pid 1's.
    let h = vk.lwp(|sys| {
        let fd = sys.open("/dev/tty1", o::RDWR, 0)?;
        assert_eq!(ask(sys, fd, ioctl::TIOCGSID), Err(Errno::ENOTTY));
        assert_eq!(sys.ioctl(fd, ioctl::TIOCSCTTY, UAddr(0)), Err(Errno::EPERM));
        sys.open("/dev/tty", o::RDWR, 0)
    });
    assert_eq!(vk.join(h), Err(Errno::ENXIO));
    let h = vk.lwp_as(Request::new("/bin/test").flags(spawn::SETSID), |sys| {
        let none = sys.open("/dev/tty1", o::RDWR | o::NOCTTY, 0)?;
        assert_eq!(sys.open("/dev/tty", o::RDWR, 0), Err(Errno::ENXIO));
        assert_eq!(ask(sys, none, ioctl::TIOCGPGRP), Err(Errno::ENOTTY));
        sys.ioctl(none, ioctl::TIOCSCTTY, UAddr(0))?;
        let tty = sys.open("/dev/tty", o::RDWR, 0)?;
        assert_eq!(sys.fstat(tty)?.rdev, sys.fstat(none)?.rdev);
        assert_eq!(
            (ask(sys, tty, ioctl::TIOCGSID), ask(sys, tty, ioctl::TIOCGPGRP)),
            (Ok(sys.getpid()), Ok(sys.getpid()))
        );
        // One is enough.
        let other = sys.open("/dev/tty2", o::RDWR, 0)?;
        assert_eq!(ask(sys, other, ioctl::TIOCGSID), Err(Errno::ENOTTY));
        assert_eq!(sys.ioctl(other, ioctl::TIOCSCTTY, UAddr(0)), Err(Errno::EPERM));
        sys.sigaction(sig::HUP, sigdisp::IGNORE)?;
        sys.ioctl(none, ioctl::TIOCNOTTY, UAddr(0))?;
        sys.ioctl(other, ioctl::TIOCSCTTY, UAddr(0))?;
        ask(sys, other, ioctl::TIOCGPGRP)
    });
    let pid = h.pid;
    assert_eq!(vk.join(h), Ok(pid));
}

#[test]
fn a_job_in_the_background_that_reads_is_stopped_until_it_has_the_terminal() {
    seeds(0..40, |seed| {
        let vk = booted(seed);
        let shell = leader(&vk, |sys, fd| {
            sys.sigaction(sig::TTOU, sigdisp::IGNORE)?;
            let pid = job(sys, "reader");
            assert_eq!(sys.waitpid_stopped(pid)?, wait::stopped(sig::TTIN));
            assert_eq!(sys.read(fd, 9)?, b"mine\n");
            set_group(sys, fd, pid)?;
            sys.kill(-pid, sig::CONT)?;
            let status = sys.waitpid(pid)?;
            set_group(sys, fd, sys.getpid())?;
            Ok::<_, Errno>((status, ask(sys, fd, ioctl::TIOCGPGRP)? == sys.getpid()))
        });
        vk.input(UNIT, b"mine\n");
        vk.run_until_quiet();
        vk.input(UNIT, b"yours\n");
        assert_eq!(vk.join(shell), Ok((wait::exited(READ as u32), true)), "seed {seed}");
    });
}

#[test]
fn the_hosts_own_terminal_is_for_the_foreground_too() {
    seeds(0..40, |seed| {
        let vk = jobs(seed).unit(0, devctl::KIND_TTY).boot();
        let shell = vk.lwp(|sys| {
            let shells = ask(sys, 0, ioctl::TIOCGPGRP)?;
            let pid = job(sys, "reader");
            assert_eq!(sys.waitpid_stopped(pid)?, wait::stopped(sig::TTIN));
            let modes = job(sys, "echo-off");
            assert_eq!(sys.waitpid_stopped(modes)?, wait::stopped(sig::TTOU));
            sys.kill(-modes, sig::KILL)?;
            assert_eq!(sys.waitpid(modes)?, wait::signaled(sig::KILL));
            assert_eq!(sys.read(0, 9)?, b"mine\n");
            set_group(sys, 0, pid)?;
            sys.kill(-pid, sig::CONT)?;
            let status = sys.waitpid(pid)?;
            set_group(sys, 0, shells)?;
            // Who leads a session of its own has another terminal, or none: this one does not control it.
            let other = sys.spawn(&Request::new("/bin/reader").flags(spawn::SETSID))?;
            Ok::<_, Errno>((status, sys.waitpid(other)?))
        });
        vk.input(0, b"mine\n");
        vk.run_until_quiet();
        vk.input(0, b"yours\n");
        vk.run_until_quiet();
        vk.input(0, b"its\n");
        let read = wait::exited(READ as u32);
        assert_eq!(vk.join(shell), Ok((read, read)), "seed {seed}");
    });
}

#[test]
fn a_job_that_is_stopped_by_its_key_leaves_the_lines_to_the_shell() {
    seeds(0..40, |seed| {
        let vk = booted(seed);
        let shell = leader(&vk, |sys, fd| {
            sys.sigaction(sig::TTOU, sigdisp::IGNORE)?;
            let pid = sys.spawn(&Request::new("/bin/reader").pgroup(0).flags(spawn::FOREGROUND))?;
            let stopped = sys.waitpid_stopped(pid)?;
            set_group(sys, fd, sys.getpid())?;
            let line = sys.read(fd, 9)?;
            sys.kill(-pid, sig::CONT)?;
            // In the background now, and it wants to read.
            let again = sys.waitpid_stopped(pid)?;
            set_group(sys, fd, pid)?;
            sys.kill(-pid, sig::CONT)?;
            Ok::<_, Errno>([stopped, again, sys.waitpid(pid)?, line.len() as u32])
        });
        vk.run_until_asleep(&shell);
        vk.input(UNIT, b"\x1a");
        vk.run_until_asleep(&shell);
        vk.input(UNIT, b"line\n");
        vk.run_until_asleep(&shell);
        vk.input(UNIT, b"job\n");
        let want = [wait::stopped(sig::TSTP), wait::stopped(sig::TTIN), wait::exited(READ as u32), 5];
        assert_eq!(vk.join(shell), Ok(want), "seed {seed}");
    });
}

#[test]
fn who_cannot_be_stopped_gets_an_error() {
    seeds(0..30, |seed| {
        let vk = booted(seed);
        let shell = leader(&vk, |sys, _| {
            // Ignored, and so by the child.
            sys.sigaction(sig::TTIN, sigdisp::IGNORE)?;
            let deaf = sys.waitpid(job(sys, "reader"))?;
            sys.sigaction(sig::TTIN, sigdisp::DEFAULT)?;
            sys.waitpid(job(sys, "orphaner"))?;
            sys.nanosleep(1_000_000_000)?;
            Ok::<_, Errno>(deaf)
        });
        assert_eq!(vk.join(shell), Ok(wait::exited(Errno::EIO as u32)), "seed {seed}");
        assert_eq!(vk.output(UNIT), b"<Err(EIO)>", "seed {seed}");
    });
}

#[test]
fn the_background_may_write_unless_tostop_and_change_nothing() {
    seeds(0..30, |seed| {
        let vk = booted(seed);
        let shell = leader(&vk, |sys, fd| {
            let free = sys.waitpid(job(sys, "writer"))?;
            set(sys, fd, ioctl::TCSETS, |l| l | TOSTOP, 0, 0)?;
            let mut stopped = [0; 2];
            for (at, name) in ["writer", "echo-off"].into_iter().enumerate() {
                let pid = job(sys, name);
                stopped[at] = sys.waitpid_stopped(pid)?;
                sys.kill(pid, sig::KILL)?;
                sys.waitpid(pid)?;
            }
            sys.sigaction(sig::TTOU, sigdisp::IGNORE)?;
            let deaf = [sys.waitpid(job(sys, "writer"))?, sys.waitpid(job(sys, "echo-off"))?];
            Ok::<_, Errno>((free, stopped, deaf, flags(sys, fd)?[3] & ECHO))
        });
        let stopped = wait::stopped(sig::TTOU);
        assert_eq!(vk.join(shell), Ok((0, [stopped; 2], [0; 2], 0)), "seed {seed}");
        assert_eq!(vk.output(UNIT), b"jobjob");
    });
}

#[test]
fn the_foreground_group_is_one_of_the_session() {
    let vk = booted(1);
    let other = vk.lwp_as(Request::new("/bin/test").pgroup(0), |sys| sys.nanosleep(u64::MAX / 4));
    let group = other.pid;
    let h = leader(&vk, move |sys, fd| {
        assert_eq!(set_group(sys, fd, group), Err(Errno::EPERM));
        assert_eq!(set_group(sys, fd, 12345), Err(Errno::EPERM));
        assert_eq!(set_group(sys, fd, 0), Err(Errno::EINVAL));
        assert_eq!(set_group(sys, fd, -1), Err(Errno::EINVAL));
        sys.ioctl(fd, ioctl::TIOCSPGRP, UAddr(u32::MAX))
    });
    assert_eq!(vk.join(h), Err(Errno::EFAULT));
    vk.init(move |sys| sys.kill(group, sig::KILL)).expect("kill");
    assert_eq!(vk.end(other).0, None);
}

#[test]
fn a_hangup_ends_reads_and_writes_and_is_a_signal() {
    seeds(0..80, |seed| {
        let vk = booted(seed);
        let shell = leader(&vk, |sys, fd| {
            sys.sigaction(sig::HUP, sigdisp::CATCH)?;
            let pid = sys.spawn(&Request::new("/bin/rest").pgroup(0).flags(spawn::FOREGROUND))?;
            let job = loop {
                match sys.waitpid(pid) {
                    Err(Errno::EINTR) => {}
                    other => break other?,
                }
            };
            let read = sys.read(fd, 9);
            let write = sys.write(fd, b"x");
            let open = [sys.open("/dev/tty", o::RDWR, 0), sys.open("/dev/tty1", o::RDWR, 0)];
            let poll = sys.poll(&[(fd, abi::types::poll::IN)], -1)?;
            let signal = sys.sigtimedwait(&[sig::HUP], 0);
            Ok::<_, Errno>((job, read, write, open, poll.1[0], signal))
        });
        if seed % 2 == 0 {
            vk.run_until_asleep(&shell);
        } else {
            vk.run_points(seed);
        }
        vk.hang_up(UNIT);
        let gone = (
            wait::signaled(sig::HUP),
            Ok(alloc::vec![]),
            Err(Errno::EIO),
            [Err(Errno::ENXIO), Err(Errno::ENOENT)],
            abi::types::poll::IN | abi::types::poll::HUP,
            Ok(sig::HUP),
        );
        match vk.end(shell) {
            // A job that was made after the hangup has heard nothing of it.
            (Some(Ok(got)), _) if seed % 2 == 1 && got.0 == 0 => assert_eq!(got.1, gone.1),
            (Some(Ok(got)), _) => assert_eq!(got, gone, "seed {seed}"),
            // So early that it could not even catch the signal, or open the terminal.
            (got, status) => assert!(seed % 2 == 1, "seed {seed}: {got:?} {status:#x}"),
        }
    });
}

#[test]
fn sleepers_are_woken_by_a_hangup_wherever_it_finds_them() {
    seeds(0..80, |seed| {
        let vk = attached(seed);
        vk.set_room(UNIT, 5);
        let open = || Request::new("/bin/test").open(0, "/dev/tty1", o::RDWR, 0);
        let reader = vk.lwp_as(open(), |sys| sys.read(0, 9));
        let writer = vk.lwp_as(open(), |sys| sys.write(0, &[b'x'; 30_000]));
        let drainer = vk.lwp_as(open(), |sys| {
            sys.write(0, b"abcdefgh")?;
            sys.ioctl(0, ioctl::TCSBRK, UAddr(1))
        });
        vk.run_points(seed);
        vk.hang_up(UNIT);
        assert_eq!(vk.join(reader), Ok(alloc::vec![]), "seed {seed}");
        assert!(matches!(vk.join(writer), Ok(0..30_000) | Err(Errno::EIO)), "seed {seed}");
        assert!(matches!(vk.join(drainer), Ok(()) | Err(Errno::EIO)), "seed {seed}");
        assert_eq!(vk.exited(UNIT), Some(wait::signaled(sig::HUP)));
    });
}

#[test]
fn with_its_leader_a_session_loses_the_terminal() {
    seeds(0..30, |seed| {
        let vk = booted(seed);
        let shell = leader(&vk, |sys, _| sys.spawn(&Request::new("/bin/rest").pgroup(0).flags(spawn::FOREGROUND)));
        let job = vk.join(shell).expect("spawn");
        vk.run();
        let gone = vk.init(move |sys| sys.kill(job, 0));
        assert_eq!(gone, Err(Errno::ESRCH), "seed {seed}");
        let next = leader(&vk, |sys, fd| ask(sys, fd, ioctl::TIOCGSID));
        let pid = next.pid;
        assert_eq!(vk.join(next), Ok(pid), "seed {seed}");
    });
}

#[test]
fn a_child_that_never_came_to_be_leaves_no_session() {
    let vk = booted(1);
    let failed = vk.init(|sys| {
        let on = |path| Request::new(path).flags(spawn::SETSID).open(0, "/dev/tty1", o::RDWR, 0);
        sys.spawn(&on("/bin/missing"))
    });
    assert_eq!(failed, Err(Errno::ENOENT));
    let next = leader(&vk, |sys, fd| ask(sys, fd, ioctl::TIOCGSID));
    let pid = next.pid;
    assert_eq!(vk.join(next), Ok(pid));
}

#[test]
fn a_caught_signal_ends_one_call_and_waits_to_be_asked_for() {
    seeds(0..40, |seed| {
        let vk = attached(seed);
        let shell = leader(&vk, |sys, fd| {
            sys.sigaction(sig::INT, sigdisp::CATCH)?;
            let take = |wait_ns| sys.sigtimedwait(&[sig::INT], wait_ns);
            let first = sys.read(fd, 9);
            let signal = take(0);
            assert_eq!((sys.read(fd, 9)?, take(0)), (b"next\n".to_vec(), Err(Errno::EAGAIN)));
            assert_eq!(sys.sigaction(sig::INT, sigdisp::DEFAULT), Ok(sigdisp::CATCH));
            Ok::<_, Errno>((first, signal))
        });
        vk.run_until_asleep(&shell);
        vk.input(UNIT, b"half a line\x03");
        vk.run_until_asleep(&shell);
        vk.input(UNIT, b"next\n");
        assert_eq!(vk.join(shell), Ok((Err(Errno::EINTR), Ok(sig::INT))), "seed {seed}");
    });
}

#[test]
fn a_stop_and_a_caught_signal_at_once_leave_nobody_spinning() {
    seeds(0..40, |seed| {
        let vk = attached(seed);
        let h = leader(&vk, |sys, fd| {
            sys.sigaction(sig::INT, sigdisp::CATCH)?;
            sys.read(fd, 9)
        });
        vk.run_until_asleep(&h);
        let pid = h.pid;
        vk.init(move |sys| {
            sys.kill(pid, sig::STOP)?;
            sys.kill(pid, sig::INT)?;
            sys.kill(pid, sig::CONT)
        })
        .expect("kill");
        assert_eq!(vk.join(h), Err(Errno::EINTR), "seed {seed}");
    });
}

#[test]
fn a_sleep_lasts_as_long_after_a_stop() {
    seeds(0..40, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(|sys| {
            let before = sys.clock_ns(1)?;
            sys.nanosleep(1_000_000)?;
            Ok::<_, Errno>(sys.clock_ns(1)? - before)
        });
        vk.run_until_asleep(&h);
        let pid = h.pid;
        vk.init(move |sys| sys.kill(pid, sig::STOP)).expect("stop");
        vk.init(move |sys| sys.kill(pid, sig::CONT)).expect("cont");
        assert_eq!(vk.join(h), Ok(1_000_000), "seed {seed}");
    });
}

#[test]
fn a_stopped_job_without_its_shell_is_told_and_continued() {
    seeds(0..40, |seed| {
        let vk = booted(seed);
        // In the foreground of no terminal: only the rule about orphans reaches it.
        let shell = leader(&vk, |sys, _| {
            let pid = job(sys, "rest");
            sys.kill(pid, sig::STOP)?;
            sys.waitpid_stopped(pid)?;
            Ok::<_, Errno>(pid)
        });
        let pid = vk.join(shell).expect("job");
        vk.run_until_quiet();
        assert_eq!(vk.init(move |sys| sys.kill(pid, 0)), Err(Errno::ESRCH), "seed {seed}");
        // One that runs is left alone.
        let shell = leader(&vk, |sys, _| job(sys, "rest"));
        let pid = vk.join(shell);
        vk.run_until_quiet();
        assert_eq!(vk.init(move |sys| sys.kill(pid, 0)), Ok(()), "seed {seed}");
        vk.init(move |sys| sys.kill(pid, sig::KILL)).expect("kill");
    });
}
