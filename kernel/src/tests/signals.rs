//! kill(2), stops, faults: against sleepers, spinners and the dying.

use core::sync::atomic::Ordering::SeqCst;

use abi::Errno;
use abi::trapframe::{Reason, irq};
use abi::types::{poll, sig, wait};

use super::{races, seeds};
use crate::machdep::fake::{Fake, Request, Sys};

fn start(sys: &Sys, name: &str) -> i32 {
    sys.spawn(&Request::new(&alloc::format!("/bin/{name}"))).expect("spawn")
}

/// Programs that rest in each way there is.
fn resters(seed: u64) -> Fake {
    Fake::seeded(seed)
        .program("sleep", |sys| sys.nanosleep(u64::MAX).map_or(1, |()| 0))
        .program("pipe", |sys| {
            let (r, _w) = sys.pipe2(0).expect("pipe");
            sys.read(r, 1).map_or(1, |_| 0)
        })
        .program("poll", |sys| {
            let (r, _w) = sys.pipe2(0).expect("pipe");
            sys.poll(&[(r, poll::IN)], -1).map_or(1, |_| 0)
        })
        .program("wait", |sys| {
            start(sys, "spin");
            sys.wait4(-1, 0).map_or(1, |_| 0)
        })
        .program("full", |sys| {
            let (_r, w) = sys.pipe2(0).expect("pipe");
            loop {
                let _ = sys.write(w, &[0; 4096]);
            }
        })
        .program("spin", |sys| sys.spin())
        .program("calls", |sys| {
            loop {
                sys.getpid();
            }
        })
}

const RESTERS: [&str; 7] = ["sleep", "pipe", "poll", "wait", "full", "spin", "calls"];

#[test]
fn a_kill_ends_whatever_a_process_is_doing() {
    seeds(0..60, |seed| {
        let vk = resters(seed).boot();
        for name in RESTERS {
            let pid = vk.init(move |sys| start(sys, name));
            vk.run_points(seed * 7 % 200);
            let end = vk.init(move |sys| {
                sys.kill(pid, sig::TERM)?;
                sys.waitpid(pid)
            });
            assert_eq!(end, Ok(wait::signaled(sig::TERM)), "{name}");
        }
    });
}

/// The kill goes out at once: it meets the child before, while and after it begins.
#[test]
fn a_kill_meets_a_beginning_process() {
    races(0..300, |seed| {
        let vk = resters(seed).boot();
        let end = vk.init(|sys| {
            let pid = start(sys, "sleep");
            sys.kill(pid, sig::KILL)?;
            sys.waitpid(pid)
        });
        assert_eq!(end, Ok(wait::signaled(sig::KILL)), "seed {seed}");
    });
}

#[test]
fn the_first_end_counts() {
    races(0..300, |seed| {
        let vk = Fake::seeded(seed).program("five", |_| 5).boot();
        let end = vk.init(|sys| {
            let pid = start(sys, "five");
            let _ = sys.kill(pid, sig::TERM);
            let _ = sys.kill(pid, sig::INT);
            sys.waitpid(pid)
        });
        assert!(end == Ok(wait::exited(5)) || end == Ok(wait::signaled(sig::TERM)), "seed {seed}: {end:?}");
    });
}

#[test]
fn ignored_signals_do_nothing_and_kill_cannot_be_ignored() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        assert_eq!(sys.sigaction(sig::TERM, 1), Ok(0));
        assert_eq!(sys.sigaction(sig::TERM, 1), Ok(1));
        assert_eq!(sys.sigaction(sig::KILL, 1), Err(Errno::EINVAL));
        assert_eq!(sys.sigaction(sig::STOP, 1), Err(Errno::EINVAL));
        assert_eq!(sys.sigaction(0, 1), Err(Errno::EINVAL));
        assert_eq!(sys.sigaction(65, 1), Err(Errno::EINVAL));
        sys.kill(sys.getpid(), sig::TERM).expect("kill");
        assert_eq!(sys.sigaction(sig::TERM, 0), Ok(1));
        sys.kill(sys.getpid(), sig::TERM).expect("kill");
        panic!("SIGTERM came back");
    });
    let (result, status) = vk.end(h);
    assert!(result.is_none());
    assert_eq!(status, wait::signaled(sig::TERM));
}

#[test]
fn kill_checks_its_arguments_and_who_asks() {
    let vk = resters(1).boot();
    let victim = vk.init(|sys| start(sys, "sleep"));
    let h = vk.lwp(move |sys| {
        assert_eq!(sys.kill(victim, 65), Err(Errno::EINVAL));
        assert_eq!(sys.kill(4000, 0), Err(Errno::ESRCH));
        assert_eq!(sys.kill(i32::MIN, sig::TERM), Err(Errno::ESRCH));
        sys.setuid(1000).expect("setuid");
        assert_eq!(sys.kill(victim, sig::TERM), Err(Errno::EPERM));
        assert_eq!(sys.kill(1, sig::TERM), Err(Errno::EPERM));
    });
    vk.join(h);
}

#[test]
fn stop_and_continue_are_told_to_a_parent_that_asks() {
    seeds(0..60, |seed| {
        let vk = resters(seed).boot();
        for name in RESTERS {
            vk.init(move |sys| {
                let pid = start(sys, name);
                sys.kill(pid, sig::STOP).expect("stop");
                assert_eq!(sys.wait4(pid, wait::UNTRACED).map(|w| w.status), Ok(wait::stopped(sig::STOP)), "{name}");
                assert_eq!(sys.wait4(pid, wait::UNTRACED | wait::NOHANG).map(|w| w.pid), Ok(0), "{name}: told twice");
                sys.kill(pid, sig::CONT).expect("cont");
                assert_eq!(sys.wait4(pid, wait::CONTINUED).map(|w| w.status), Ok(wait::CONTINUED_STATUS), "{name}");
                sys.kill(pid, sig::KILL).expect("kill");
                assert_eq!(sys.waitpid(pid), Ok(wait::signaled(sig::KILL)), "{name}");
            });
        }
    });
}

#[test]
fn a_stopped_process_does_not_run() {
    seeds(0..60, |seed| {
        for name in ["spin", "calls"] {
            let vk = resters(seed).boot();
            let pid = vk.init(move |sys| start(sys, name));
            vk.run_points(40);
            vk.init(move |sys| sys.kill(pid, sig::STOP)).expect("stop");
            // It would never be quiet if it went on.
            vk.run_until_quiet();
            vk.init(move |sys| sys.kill(pid, sig::CONT)).expect("cont");
            vk.run_points(40);
            vk.init(move |sys| {
                sys.kill(pid, sig::STOP).expect("stop");
                sys.kill(pid, sig::KILL).expect("kill");
                assert_eq!(sys.waitpid(pid), Ok(wait::signaled(sig::KILL)));
            });
        }
    });
}

/// A stop and a continue at once: whichever is last, one more continue sets the process going.
#[test]
fn a_stop_and_a_continue_at_once_leave_nothing_behind() {
    races(0..300, |seed| {
        let vk = resters(seed).boot();
        let pid = vk.init(|sys| start(sys, "spin"));
        let senders = [sig::STOP, sig::CONT].map(|s| vk.lwp(move |sys| sys.kill(pid, s)));
        senders.into_iter().for_each(|h| assert_eq!(vk.join(h), Ok(())));
        vk.init(move |sys| sys.kill(pid, sig::CONT)).expect("cont");
        let flags = vk.kernel.proc_find(pid).expect("alive").lwp.lock().as_ref().map(|l| l.flags.load(SeqCst));
        assert_eq!(flags, Some(0), "seed {seed}");
    });
}

#[test]
fn a_sleep_goes_on_after_a_stop() {
    seeds(0..40, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (r, w) = vk.init(|sys| sys.pipe2(0)).expect("pipe");
        let reader = vk.lwp(move |sys| sys.read(r, 10));
        vk.run_until_asleep(&reader);
        let pid = reader.pid;
        vk.init(move |sys| {
            sys.kill(pid, sig::STOP).expect("stop");
            assert_eq!(sys.waitpid_stopped(pid), Ok(wait::stopped(sig::STOP)));
            sys.write(w, b"late").expect("write");
            sys.kill(pid, sig::CONT).expect("cont");
        });
        assert_eq!(vk.join(reader), Ok(b"late".to_vec()), "seed {seed}");
    });
}

#[test]
fn faults_are_signals() {
    let vk = Fake::seeded(1).boot();
    for (reason, signal) in [
        (Reason::Unreachable, sig::ILL),
        (Reason::MemoryBounds, sig::SEGV),
        (Reason::StackOverflow, sig::SEGV),
        (Reason::NullReference, sig::SEGV),
        (Reason::DivideByZero, sig::FPE),
        (Reason::IntegerOverflow, sig::FPE),
        (Reason::Uncaught, sig::ABRT),
        (Reason::Unaligned, sig::BUS),
        (Reason::Other, sig::ILL),
    ] {
        let h = vk.lwp(move |sys| sys.fault(reason));
        assert_eq!(vk.end::<()>(h).1, wait::signaled(signal), "{reason:?}");
    }
}

#[test]
fn writing_to_a_pipe_nobody_reads_is_sigpipe_or_epipe() {
    seeds(0..40, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(|sys| {
            let (r, w) = sys.pipe2(0)?;
            sys.close(r)?;
            sys.sigaction(sig::PIPE, 1)?;
            assert_eq!(sys.write(w, b"x"), Err(Errno::EPIPE));
            sys.sigaction(sig::PIPE, 0)?;
            sys.write(w, b"x")
        });
        let (result, status) = vk.end(h);
        assert_eq!((result, status), (None, wait::signaled(sig::PIPE)), "seed {seed}");
    });
}

#[test]
fn a_shutdown_kills_everything() {
    seeds(0..100, |seed| {
        let vk = resters(seed).boot();
        vk.init(|sys| RESTERS.map(|name| start(sys, name)));
        vk.run_points(seed * 5);
        vk.intr(irq::SHUTDOWN, 0);
        vk.run();
        assert_eq!(vk.exit_status(), Some(wait::signaled(sig::KILL)), "seed {seed}");
    });
}

/// Three processes kill each other's group at once.
#[test]
fn a_group_that_kills_itself_is_gone() {
    seeds(0..200, |seed| {
        let vk = Fake::seeded(seed).program("assassin", |sys| {
            let _ = sys.kill(0, sig::KILL);
            9
        });
        let vk = vk.boot();
        vk.init(|sys| {
            let first = sys.spawn(&Request::new("/bin/assassin").pgroup(0)).expect("spawn");
            // The group may be gone already, with its leader a zombie or not.
            let others = [0, 1].map(|_| sys.spawn(&Request::new("/bin/assassin").pgroup(first)));
            assert_eq!(sys.waitpid(first), Ok(wait::signaled(sig::KILL)));
            for o in others {
                match o {
                    Ok(pid) => assert_eq!(sys.waitpid(pid), Ok(wait::signaled(sig::KILL))),
                    Err(e) => assert_eq!(e, Errno::EPERM),
                }
            }
        });
    });
}

fn mask(sys: &Sys, how: u32, signal: u32) -> Result<u64, Errno> {
    sys.sigprocmask(how, &[signal])
}

fn take(sys: &Sys, signal: u32, timeout_ns: u64) -> Result<u32, Errno> {
    sys.sigtimedwait(&[signal], timeout_ns)
}

#[test]
fn a_blocked_signal_waits_until_it_is_taken_or_let_through() {
    seeds(0..60, |seed| {
        let vk = resters(seed)
            .program("holder", |sys| {
                assert_eq!(take(sys, sig::USR1, 0), Err(Errno::EAGAIN));
                // Once from the parent, taken; then to itself, let through.
                assert_eq!(take(sys, sig::TERM, u64::MAX / 2), Ok(sig::TERM));
                sys.kill(sys.getpid(), sig::TERM).expect("kill");
                assert_eq!(mask(sys, sig::UNBLOCK, sig::TERM), Ok(sig::bit(sig::TERM)));
                0
            })
            .boot();
        let end = vk.init(|sys| {
            // The child inherits the mask, so the signal can't come too early for it.
            mask(sys, sig::BLOCK, sig::TERM)?;
            let pid = start(sys, "holder");
            sys.kill(pid, sig::TERM)?;
            sys.waitpid(pid)
        });
        assert_eq!(end, Ok(wait::signaled(sig::TERM)));
    });
}

#[test]
fn kill_and_stop_cannot_be_blocked() {
    let vk = resters(1).boot();
    let end = vk.init(|sys| {
        mask(sys, sig::BLOCK, sig::KILL)?;
        let pid = start(sys, "sleep");
        sys.kill(pid, sig::KILL)?;
        sys.waitpid(pid)
    });
    assert_eq!(end, Ok(wait::signaled(sig::KILL)));
}
