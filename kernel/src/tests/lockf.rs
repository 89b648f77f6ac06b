//! Advisory locks against exits, signals, each other and hostile programs.

use abi::Errno;
use abi::types::fcntl::{GETLK, OFD_SETLK, OFD_SETLKW, SETLK, SETLKW};
use abi::types::flock::{LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, RDLCK, UNLCK, WRLCK};
use abi::types::{o, sig};

use super::seeds;
use crate::machdep::fake::{Fake, Sys, Vk};

const PATH: &str = "/tmp/f";

fn booted(seed: u64) -> Vk {
    let vk = Fake::seeded(seed).boot();
    vk.init(|sys| sys.put_file(PATH, b"0123456789", 0o666)).expect("file");
    vk
}

fn open(sys: &Sys) -> i32 {
    sys.open(PATH, o::RDWR, 0).expect("open")
}

/// Nothing is left in the table: no file, no lock, nobody who waits.
fn nothing_left(vk: &Vk) {
    assert_eq!(vk.kernel.locks.size(), (0, 0, 0), "{}", vk.seed());
}

/// Lock versus exit, exit versus wait: each gets it once the one before is gone, killed or not.
#[test]
fn a_lock_goes_with_its_process() {
    seeds(0..300, |seed| {
        let vk = booted(seed);
        let holder = vk.lwp(|sys| {
            let fd = open(sys);
            sys.lock(fd, SETLKW, WRLCK, 0, 0)?;
            sys.idle();
            Ok::<_, Errno>(())
        });
        vk.run_points(seed % 40);
        let waiters = [0, 1, 2].map(|_| {
            vk.lwp(|sys| {
                let fd = open(sys);
                sys.lock(fd, SETLKW, WRLCK, 3, 1).map(|_| ())
            })
        });
        vk.run_points(seed % 90);
        let pid = holder.pid;
        vk.init(move |sys| sys.kill(pid, sig::KILL)).expect("kill");
        vk.end(holder);
        waiters.into_iter().for_each(|w| assert_eq!(vk.join(w), Ok(()), "seed {seed}"));
        nothing_left(&vk);
    });
}

/// Unlock versus signal: the waiter has the lock or EINTR, never neither, and never stays in the table.
#[test]
fn a_signal_or_the_lock() {
    seeds(0..300, |seed| {
        let vk = booted(seed);
        let fd = vk.init(|sys| {
            let fd = open(sys);
            sys.lock(fd, SETLK, WRLCK, 0, 5).map(|_| fd)
        });
        let fd = fd.expect("lock");
        let waiter = vk.lwp(|sys| {
            sys.handle(sig::USR1, 0, 0, |_, _, _| ())?;
            let fd = open(sys);
            sys.lock(fd, SETLKW, RDLCK, 4, 4)?;
            // It is there indeed.
            let shown = sys.fork(|sys| {
                let fd = open(sys);
                let found = sys.lock(fd, GETLK, WRLCK, 7, 1);
                sys.exit(found.is_ok_and(|l| l.kind == RDLCK && (l.start, l.len) == (4, 4)) as i32);
            })?;
            let status = loop {
                match sys.waitpid(shown) {
                    Err(Errno::EINTR) => {}
                    other => break other,
                }
            };
            assert_eq!(status, Ok(abi::types::wait::exited(1)));
            Ok::<_, Errno>(())
        });
        let pid = waiter.pid;
        vk.run_points(20 + seed % 70);
        vk.init(move |sys| {
            let one = |sys: &Sys| sys.kill(pid, sig::USR1).map(|_| ());
            let other = |sys: &Sys| sys.lock(fd, SETLK, UNLCK, 0, 0).map(|_| ());
            if seed % 2 == 0 { one(sys).and_then(|()| other(sys)) } else { other(sys).and_then(|()| one(sys)) }
        })
        .expect("both");
        let (got, _) = vk.end(waiter);
        assert!(matches!(got, None | Some(Ok(()) | Err(Errno::EINTR))), "seed {seed}: {got:?}");
        nothing_left(&vk);
    });
}

/// Two that lock two bytes in either order: one is refused, both end.
#[test]
fn a_circle_is_found_by_whoever_closes_it() {
    seeds(0..300, |seed| {
        let vk = booted(seed);
        let [a, b] = [(0, 9), (9, 0)].map(|(first, second)| {
            vk.lwp(move |sys| {
                let fd = open(sys);
                sys.lock(fd, SETLKW, WRLCK, first, 1)?;
                let second = sys.lock(fd, SETLKW, WRLCK, second, 1);
                sys.close(fd)?;
                second.map(|_| ())
            })
        });
        let got = [vk.join(a), vk.join(b)];
        let refused = got.iter().filter(|g| **g == Err(Errno::EDEADLK)).count();
        assert!(refused <= 1 && got.iter().all(|g| matches!(g, Ok(()) | Err(Errno::EDEADLK))), "seed {seed}: {got:?}");
        nothing_left(&vk);
    });
}

/// Two readers that both want to write.
#[test]
fn two_upgrades_are_a_circle() {
    seeds(0..150, |seed| {
        let vk = booted(seed);
        let [a, b] = [(), ()].map(|()| {
            vk.lwp(|sys| {
                let fd = open(sys);
                sys.lock(fd, SETLKW, RDLCK, 0, 0)?;
                sys.sched_yield()?;
                sys.lock(fd, SETLKW, WRLCK, 0, 0).map(|_| ())
            })
        });
        let got = [vk.join(a), vk.join(b)];
        assert!(got.contains(&Ok(())), "seed {seed}: {got:?}");
        nothing_left(&vk);
    });
}

/// A counter in a file that five add to, each under a lock of another kind in turn.
#[test]
fn a_lock_keeps_others_out() {
    seeds(0..60, |seed| {
        let vk = booted(seed);
        vk.init(|sys| sys.put_file("/tmp/n", &[0], 0o666)).expect("file");
        let adders = [0, 1, 2, 3, 4].map(|_| {
            vk.lwp(move |sys| {
                let fd = sys.open("/tmp/n", o::RDWR, 0)?;
                for _ in 0..4 {
                    match seed % 3 {
                        0 => sys.lock(fd, SETLKW, WRLCK, 0, 1).map(|_| ())?,
                        1 => sys.lock(fd, OFD_SETLKW, WRLCK, 0, 1).map(|_| ())?,
                        _ => sys.flock(fd, LOCK_EX)?,
                    }
                    let n = sys.pread(fd, 1, 0)?[0];
                    sys.sched_yield()?;
                    sys.pwrite(fd, &[n + 1], 0)?;
                    match seed % 3 {
                        0 => sys.lock(fd, SETLK, UNLCK, 0, 0).map(|_| ())?,
                        1 => sys.lock(fd, OFD_SETLK, UNLCK, 0, 0).map(|_| ())?,
                        _ => sys.flock(fd, LOCK_UN)?,
                    }
                }
                Ok::<_, Errno>(())
            })
        });
        adders.into_iter().for_each(|a| assert_eq!(vk.join(a), Ok(()), "seed {seed}"));
        assert_eq!(vk.init(|sys| sys.get_file("/tmp/n")), Ok(alloc::vec![20]), "seed {seed}");
        nothing_left(&vk);
    });
}

/// The last descriptor of an open file goes while another waits for its lock.
#[test]
fn a_flock_goes_with_the_open_file() {
    seeds(0..200, |seed| {
        let vk = booted(seed);
        let fd = vk.init(|sys| {
            let fd = open(sys);
            sys.flock(fd, LOCK_EX).map(|()| fd)
        });
        let fd = fd.expect("flock");
        // It has the descriptor, too.
        let waiter = vk.lwp(move |sys| {
            let own = open(sys);
            sys.close(fd)?;
            sys.flock(own, LOCK_SH)
        });
        vk.run_points(seed % 80);
        vk.init(move |sys| sys.close(fd)).expect("close");
        assert_eq!(vk.join(waiter), Ok(()), "seed {seed}");
        nothing_left(&vk);
    });
}

/// Every way to close a descriptor gives the locks up; exec keeps those of what stays open.
#[test]
fn every_close_counts() {
    let vk = Fake::seeded(3)
        .program("holds", |sys| {
            let other = sys.fork(|sys| {
                let fd = open(sys);
                sys.exit((sys.lock(fd, SETLK, WRLCK, 0, 0) == Err(Errno::EAGAIN)) as i32);
            });
            let kept = sys.waitpid(other.expect("fork")) == Ok(abi::types::wait::exited(1));
            // It had two with close-on-exec: one of the other file.
            let fd = sys.open("/tmp/g", o::RDWR, 0).expect("open");
            let free = sys.fork(move |sys| sys.exit(sys.lock(fd, SETLK, WRLCK, 0, 0).is_ok() as i32));
            (kept && sys.waitpid(free.expect("fork")) == Ok(abi::types::wait::exited(1))) as i32
        })
        .boot();
    vk.init(|sys| sys.put_file(PATH, b"", 0o666).and_then(|()| sys.put_file("/tmp/g", b"", 0o666))).expect("files");
    let h = vk.lwp(|sys| {
        for way in 0..3 {
            let (fd, other) = (open(sys), open(sys));
            sys.lock(fd, SETLK, WRLCK, 0, 0)?;
            match way {
                0 => sys.close(other)?,
                1 => drop(sys.dup3(0, other, 0)?),
                _ => {
                    let target = sys.dup(0)?;
                    sys.wasi("fd_renumber", &[other as u64, target as u64])?;
                    let _ = sys.close(target);
                }
            }
            let free = sys.fork(|sys| {
                let fd = open(sys);
                sys.exit(sys.lock(fd, SETLK, WRLCK, 0, 0).is_ok() as i32);
            })?;
            assert_eq!(sys.waitpid(free)?, abi::types::wait::exited(1), "way {way}");
        }
        let (fd, gone) = (open(sys), sys.open("/tmp/g", o::RDWR | o::CLOEXEC, 0)?);
        sys.lock(fd, SETLK, WRLCK, 0, 0)?;
        sys.lock(gone, SETLK, WRLCK, 0, 0)?;
        sys.exec(&crate::machdep::fake::Request::new("/bin/holds"))
    });
    assert_eq!(vk.end(h).1, abi::types::wait::exited(1));
    nothing_left(&vk);
}

#[test]
fn what_a_hostile_program_can_take_has_a_limit() {
    let vk = booted(1);
    let h = vk.lwp(|sys| {
        let fd = open(sys);
        for cmd in [SETLK, OFD_SETLK] {
            let refused = (0..1 << 20).find_map(|n| sys.lock(fd, cmd, RDLCK, n * 2, 1).err());
            assert_eq!(refused, Some(Errno::ENOLCK));
            // Nor by cutting the ones there are.
            assert_eq!(sys.lock(fd, cmd, UNLCK, 0, 1).map(|_| ()), Ok(()));
            sys.lock(fd, cmd, RDLCK, 1 << 40, 10)?;
            assert_eq!(sys.lock(fd, cmd, UNLCK, (1 << 40) + 4, 1).err(), Some(Errno::ENOLCK));
            assert_eq!(sys.lock(fd, cmd, UNLCK, 0, 0).map(|_| ()), Ok(()));
        }
        assert_eq!(sys.flock(fd, LOCK_SH | LOCK_NB), Ok(()));
        sys.lock(fd, SETLK, WRLCK, 0, 1).map(|_| ())
    });
    assert_eq!(vk.join(h), Ok(()));
    nothing_left(&vk);
}

#[test]
fn a_shortage_of_memory_is_enolck() {
    let vk = booted(1);
    let fd = vk.init(open);
    vk.fail_nth_admission(1, u64::MAX);
    assert_eq!(vk.init(move |sys| sys.lock(fd, SETLK, WRLCK, 0, 9).map(|_| ())), Err(Errno::ENOLCK));
    assert_eq!(vk.init(move |sys| sys.flock(fd, LOCK_EX)), Err(Errno::ENOLCK));
    // To let go of something takes none.
    assert_eq!(vk.init(move |sys| sys.lock(fd, SETLK, UNLCK, 0, 9).map(|_| ())), Ok(()));
    vk.heal();
    nothing_left(&vk);
}
