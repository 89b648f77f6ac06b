//! Pseudo-terminals: the two ends, and what happens when one of them goes meanwhile.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use abi::syscalls::UAddr;
use abi::types::termios::TOSTOP;
use abi::types::{Winsize, ioctl, mode, o, poll, sig, wait};
use abi::{Errno, SysResult};

use super::seeds;
use super::tty::{raw, set};
use crate::machdep::fake::{Fake, Sys, sigdisp};

fn ask(sys: &Sys, fd: i32, request: u32) -> SysResult<u32> {
    let at = sys.alloc(4);
    sys.ioctl(fd, request, at)?;
    Ok(sys.peek32(at))
}

fn unlock(sys: &Sys, master: i32) -> SysResult<()> {
    let at = sys.alloc(4);
    sys.poke(at, &[0; 4]);
    sys.ioctl(master, ioctl::TIOCSPTLCK, at)
}

/// `posix_openpt`, `unlockpt`, `ptsname`.
pub fn master(sys: &Sys) -> SysResult<(i32, String)> {
    let master = sys.open("/dev/ptmx", o::RDWR | o::NOCTTY, 0)?;
    unlock(sys, master)?;
    Ok((master, format!("/dev/pts/{}", ask(sys, master, ioctl::TIOCGPTN)?)))
}

/// `openpty`.
fn pair(sys: &Sys) -> SysResult<(i32, i32)> {
    let (master, name) = master(sys)?;
    Ok((master, sys.open(name, o::RDWR | o::NOCTTY, 0)?))
}

fn nonblocking(sys: &Sys, fd: i32, on: bool) -> SysResult<()> {
    sys.fcntl(fd, abi::types::fcntl::SETFL, if on { o::NONBLOCK as i32 } else { 0 }).map(|_| ())
}

/// `forkpty`: the child leads a session on the slave.
fn forkpty(sys: &Sys, f: impl FnOnce(&Sys) + Send + 'static) -> SysResult<(i32, i32)> {
    let (master, slave) = pair(sys)?;
    let pid = sys.fork(move |sys| {
        let login = || {
            sys.close(master)?;
            sys.setsid()?;
            sys.ioctl(slave, ioctl::TIOCSCTTY, UAddr(0))?;
            sys.dup3(slave, 0, 0)?;
            if slave != 0 { sys.close(slave) } else { Ok(()) }
        };
        match login() {
            Ok(()) => f(sys),
            Err(e) => sys.exit(e as i32),
        }
    })?;
    sys.close(slave)?;
    Ok((pid, master))
}

#[test]
fn keys_go_through_the_line_discipline_and_output_comes_back() {
    seeds(0..30, |seed| {
        let vk = Fake::seeded(seed).boot();
        let got = vk.init(|sys| {
            let (master, slave) = pair(sys)?;
            sys.write(master, b"lx\x7fs\r")?;
            let line = sys.read(slave, 100)?;
            sys.write(slave, b"a\nb")?;
            Ok::<_, Errno>((line, sys.read(master, 100)?, ask(sys, master, ioctl::FIONREAD)?))
        });
        assert_eq!(got, Ok((b"ls\n".to_vec(), b"lx\x08 \x08s\r\na\r\nb".to_vec(), 0)), "seed {seed}");
    });
}

#[test]
fn slaves_have_names_while_their_masters_are_open() {
    let vk = Fake::seeded(1).boot();
    vk.init(|sys| {
        let first = sys.open("/dev/ptmx", o::RDWR, 0)?;
        let locked = (sys.open("/dev/pts/0", o::RDWR, 0), ask(sys, first, ioctl::TIOCGPTLCK)?);
        assert_eq!(locked, (Err(Errno::EIO), 1));
        unlock(sys, first)?;
        let (second, name) = master(sys)?;
        assert_eq!((name.as_str(), sys.ls("/dev/pts")?), ("/dev/pts/1", vec![b"0".to_vec(), b"1".to_vec()]));
        let stat = sys.stat("/dev/pts/1", 0)?;
        assert_eq!((stat.rdev, stat.mode, stat.gid), (136 << 8 | 1, mode::IFCHR | 0o620, 5));
        sys.chmod("/dev/pts/1", 0o600)?;
        assert_eq!(sys.stat("/dev/pts/1", 0)?.mode, mode::IFCHR | 0o600);
        let slave = sys.open("/dev/pts/0", o::RDWR | o::NOCTTY, 0)?;
        sys.close(first)?;
        assert_eq!((sys.ls("/dev/pts")?, sys.stat("/dev/pts/0", 0)), (vec![b"1".to_vec()], Err(Errno::ENOENT)));
        assert_eq!((sys.read(slave, 9)?, sys.write(slave, b"x")), (vec![], Err(Errno::EIO)));
        assert_eq!(ask(sys, slave, ioctl::FIONREAD), Err(Errno::EIO));
        // The lowest number is free again, and another terminal than the one that was hung up.
        assert_eq!(master(sys)?.1, "/dev/pts/0");
        assert_eq!(sys.read(slave, 9)?, b"");
        for name in ["2", "00", "x", "4294967296"] {
            assert_eq!(sys.stat(format!("/dev/pts/{name}"), 0), Err(Errno::ENOENT), "{name}");
        }
        sys.close(second)
    })
    .expect("ptys");
}

#[test]
fn there_are_as_many_as_fit_and_no_more() {
    let vk = Fake::seeded(1).boot();
    vk.init(|sys| {
        let mut masters = Vec::new();
        let last = loop {
            match sys.open("/dev/ptmx", o::RDWR, 0) {
                Ok(fd) => masters.push(fd),
                Err(e) => break e,
            }
        };
        assert_eq!((masters.len(), last), (256, Errno::ENOSPC));
        sys.close(masters[100])?;
        let again = sys.open("/dev/ptmx", o::RDWR, 0)?;
        assert_eq!(ask(sys, again, ioctl::TIOCGPTN), Ok(100));
        Ok::<_, Errno>(())
    })
    .expect("ptys");
}

#[test]
fn who_opens_and_closes_at_once_gets_numbers_of_his_own() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed).boot();
        let user = || {
            vk.lwp(|sys| {
                let mut own = Vec::new();
                for _ in 0..3 {
                    let (fd, name) = master(sys)?;
                    own.push(fd);
                    let slave = sys.open(name, o::RDWR | o::NOCTTY, 0)?;
                    sys.write(fd, b"x\n")?;
                    assert_eq!(sys.read(slave, 9)?, b"x\n");
                    sys.close(slave)?;
                    if own.len() == 2 {
                        sys.close(own[0])?;
                    }
                }
                Ok::<_, Errno>(())
            })
        };
        let both = [user(), user(), user()];
        for h in both {
            assert_eq!(vk.join(h), Ok(()), "seed {seed}");
        }
        assert_eq!(vk.init(|sys| sys.ls("/dev/pts")), Ok(vec![]));
    });
}

#[test]
fn a_master_reads_eio_while_nobody_has_the_slave() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed).boot();
        let reader = vk.lwp(|sys| {
            let (fd, name) = master(sys)?;
            // Nobody has had it yet: that may still be.
            nonblocking(sys, fd, true)?;
            assert_eq!(sys.read(fd, 9), Err(Errno::EAGAIN));
            nonblocking(sys, fd, false)?;
            let child = sys.fork(move |sys| {
                let slave = sys.open(name, o::RDWR | o::NOCTTY, 0).expect("open");
                sys.write(slave, b"bye").expect("write");
            })?;
            let mut all = Vec::new();
            let last = loop {
                match sys.read(fd, 9) {
                    Ok(got) => all.extend(got),
                    Err(e) => break e,
                }
            };
            assert_eq!((all, last), (b"bye".to_vec(), Errno::EIO));
            assert_eq!(sys.poll(&[(fd, poll::IN)], -1)?.1[0], poll::HUP);
            sys.waitpid(child)?;
            // What is typed meanwhile waits for who comes next.
            sys.write(fd, b"x\n")?;
            let slave = sys.open(format!("/dev/pts/{}", ask(sys, fd, ioctl::TIOCGPTN)?), o::RDWR | o::NOCTTY, 0)?;
            assert_eq!(sys.poll(&[(fd, poll::IN)], -1)?.1[0], poll::IN);
            Ok::<_, Errno>((sys.read(slave, 9)?, sys.read(fd, 9)?))
        });
        assert_eq!(vk.join(reader), Ok((b"x\n".to_vec(), b"x\r\n".to_vec())), "seed {seed}");
    });
}

#[test]
fn a_closed_master_hangs_up_wherever_it_finds_the_slaves_users() {
    seeds(0..120, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(move |sys| {
            let (fd, name) = master(sys)?;
            let mut children = Vec::new();
            for what in 0..4 {
                let name = name.clone();
                children.push(sys.fork(move |sys| {
                    sys.close(fd).expect("close");
                    let Ok(slave) = sys.open(name, o::RDWR | o::NOCTTY, 0) else { sys.exit(1) };
                    let good = match what {
                        0 => sys.read(slave, 9) == Ok(vec![]),
                        1 => matches!(sys.write(slave, &[b'x'; 40_000]), Ok(0..40_000) | Err(Errno::EIO)),
                        2 => matches!(sys.ioctl(slave, ioctl::TCSBRK, UAddr(1)), Ok(()) | Err(Errno::EIO)),
                        _ => sys.poll(&[(slave, poll::IN)], -1).is_ok_and(|p| p.1[0] & poll::HUP != 0),
                    };
                    sys.exit(if good { 0 } else { 2 });
                })?);
            }
            for _ in 0..seed % 40 {
                sys.sched_yield()?;
            }
            sys.close(fd)?;
            children.into_iter().map(|c| sys.waitpid(c)).collect::<SysResult<Vec<_>>>()
        });
        // Who came too late could not open it.
        let ends = vk.join(h).expect("children");
        assert!(ends.iter().all(|&s| s == 0 || s == wait::exited(1)), "seed {seed}: {ends:?}");
        vk.check_idle();
    });
}

#[test]
fn the_session_hears_of_the_hangup() {
    seeds(0..80, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(move |sys| {
            let (r, w) = sys.pipe2(0)?;
            let (pid, fd) = forkpty(sys, move |sys| {
                let _ = sys.sigprocmask(0, &[sig::HUP]);
                let _ = sys.write(w, b"!");
                let end = sys.read(0, 9);
                let signal = sys.sigtimedwait(&[sig::HUP], u64::MAX / 4);
                let own = sys.open("/dev/tty", o::RDWR, 0);
                sys.exit(if (end, signal, own) == (Ok(vec![]), Ok(sig::HUP), Err(Errno::ENXIO)) { 7 } else { 8 });
            })?;
            sys.read(r, 1)?;
            for _ in 0..seed % 30 {
                sys.sched_yield()?;
            }
            sys.close(fd)?;
            sys.waitpid(pid)
        });
        assert_eq!(vk.join(h), Ok(wait::exited(7)), "seed {seed}");
    });
}

#[test]
fn who_acquires_it_while_it_is_hung_up_does_not_keep_it() {
    seeds(0..120, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(move |sys| {
            let (fd, name) = master(sys)?;
            let (r, w) = sys.pipe2(0)?;
            let pid = sys.fork(move |sys| {
                sys.close(fd).and(sys.close(w)).expect("close");
                let _ = sys.sigprocmask(0, &[sig::HUP]);
                sys.setsid().expect("setsid");
                let opened = sys.open(name, o::RDWR, 0);
                // Until the master is closed.
                assert_eq!(sys.read(r, 1), Ok(vec![]));
                let own = sys.open("/dev/tty", o::RDWR, 0);
                let told = sys.sigtimedwait(&[sig::HUP], 0);
                let good = own == Err(Errno::ENXIO) && (opened.is_ok() || told == Err(Errno::EAGAIN));
                sys.exit(if good { 7 } else { 8 });
            })?;
            for _ in 0..seed % 20 {
                sys.sched_yield()?;
            }
            sys.close(fd)?;
            sys.close(w)?;
            sys.waitpid(pid)
        });
        assert_eq!(vk.join(h), Ok(wait::exited(7)), "seed {seed}");
    });
}

#[test]
fn keys_send_signals_to_who_has_the_slave() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(move |sys| {
            let (pid, fd) = forkpty(sys, |sys| {
                let _ = sys.write(0, b"$ ");
                sys.spin()
            })?;
            assert_eq!(sys.read(fd, 2)?, b"$ ");
            sys.write(fd, b"ab\x03")?;
            Ok::<_, Errno>((sys.waitpid(pid)?, sys.read(fd, 9)?, sys.read(fd, 9)))
        });
        assert_eq!(vk.join(h), Ok((wait::signaled(sig::INT), b"ab^C".to_vec(), Err(Errno::EIO))), "seed {seed}");
    });
}

#[test]
fn a_flood_is_bounded_both_ways_and_nothing_of_it_is_lost() {
    const ALL: usize = 60_000;
    seeds(0..12, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(move |sys| {
            let (fd, slave) = pair(sys)?;
            raw(sys, slave, 1, 0)?;
            for (from, least) in [(fd, 4000), (slave, 8000)] {
                nonblocking(sys, from, true)?;
                let mut put = 0;
                while let Ok(n) = sys.write(from, &[b'x'; 1000]) {
                    put += n;
                }
                assert!((least..=20_000).contains(&put), "{put}");
                assert_eq!(sys.poll(&[(from, poll::OUT)], 0)?.0, 0);
                nonblocking(sys, from, false)?;
            }
            sys.ioctl(slave, ioctl::TCFLSH, UAddr(2))?;
            sys.ioctl(fd, ioctl::TCFLSH, UAddr(2))?;
            assert_eq!(sys.poll(&[(fd, poll::OUT | poll::IN), (slave, poll::OUT | poll::IN)], 0)?.1, [poll::OUT; 2]);
            // Without input and output flags what is written is what comes.
            let at = sys.alloc(abi::types::termios::SIZE);
            sys.ioctl(slave, ioctl::TCGETS, at)?;
            sys.poke(at, &[0; 8]);
            sys.ioctl(slave, ioctl::TCSETS, at)?;
            let text = |from: usize| (0..997usize).map(|i| ((from + i) % 251) as u8).collect::<Vec<u8>>();
            let pump = move |sys: &Sys, to: i32| {
                let mut done = 0;
                while done < ALL {
                    done += sys.write(to, &text(done)).expect("write");
                }
            };
            let down = sys.fork(move |sys| pump(sys, fd))?;
            let up = sys.fork(move |sys| pump(sys, slave))?;
            let (mut got, mut ends) = ([0usize; 2], [slave, fd].map(|fd| (fd, poll::IN)));
            while got.iter().any(|&n| n < ALL) {
                let ready = sys.poll(&ends, -1)?.1;
                for i in 0..2 {
                    if ready[i] & poll::IN != 0 {
                        for b in sys.read(ends[i].0, 700)? {
                            assert_eq!(b, (got[i] % 251) as u8, "seed {seed}: {i} at {}", got[i]);
                            got[i] += 1;
                        }
                    }
                }
                ends.reverse();
                got.reverse();
            }
            Ok::<_, Errno>((sys.waitpid(down)?, sys.waitpid(up)?))
        });
        assert_eq!(vk.join(h), Ok((0, 0)), "seed {seed}");
    });
}

#[test]
fn a_change_of_size_is_told_to_the_foreground_while_it_writes() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(move |sys| {
            let (pid, fd) = forkpty(sys, |sys| {
                let _ = sys.sigprocmask(0, &[sig::WINCH]);
                let _ = sys.sigaction(sig::WINCH, sigdisp::CATCH);
                let _ = sys.write(0, b"!");
                let _ = sys.write(0, &[b'x'; 30_000]);
                let got = sys.sigtimedwait(&[sig::WINCH], u64::MAX / 4);
                let at = sys.alloc(Winsize::SIZE);
                let _ = sys.ioctl(0, ioctl::TIOCGWINSZ, at);
                sys.exit(if got == Ok(sig::WINCH) { sys.peek(at, 1)[0] as i32 } else { 1 });
            })?;
            sys.read(fd, 1)?;
            let at = sys.alloc(Winsize::SIZE);
            sys.poke(at, &Winsize { rows: 50, cols: 100 }.to_bytes());
            sys.ioctl(fd, ioctl::TIOCSWINSZ, at)?;
            while sys.read(fd, 1000).is_ok() {}
            sys.waitpid(pid)
        });
        assert_eq!(vk.join(h), Ok(wait::exited(50)), "seed {seed}");
    });
}

#[test]
fn a_writer_in_the_background_goes_on_when_tostop_is_off_again() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(move |sys| {
            let (pid, fd) = forkpty(sys, |sys| {
                let tostop = |on: bool| set(sys, 0, ioctl::TCSETS, |l| if on { l | TOSTOP } else { l & !TOSTOP }, 0, 0);
                let run = || {
                    tostop(true)?;
                    let job = sys.fork(|sys| {
                        sys.setpgid(0, 0).expect("setpgid");
                        sys.write(0, b"job").expect("write");
                    })?;
                    let stopped = sys.waitpid_stopped(job)?;
                    tostop(false)?;
                    sys.kill(job, sig::CONT)?;
                    Ok::<_, Errno>((stopped, sys.waitpid(job)?))
                };
                sys.exit(if run() == Ok((wait::stopped(sig::TTOU), 0)) { 7 } else { 8 });
            })?;
            Ok::<_, Errno>((sys.read(fd, 9)?, sys.waitpid(pid)?))
        });
        assert_eq!(vk.join(h), Ok((b"job".to_vec(), wait::exited(7))), "seed {seed}");
    });
}

#[test]
fn without_memory_there_is_no_pty_and_nothing_is_left_of_it() {
    let vk = Fake::seeded(1).boot();
    vk.fail_nth_admission(1, 0);
    assert_eq!(vk.init(|sys| sys.open("/dev/ptmx", o::RDWR, 0)), Err(Errno::ENOMEM));
    vk.heal();
    assert_eq!(vk.init(|sys| sys.ls("/dev/pts")), Ok(vec![]));
}
