//! Signal handlers: which run, when, with what mask, and what becomes of the calls that they interrupt.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use std::rc::Rc;

use abi::Errno;
use abi::trapframe::{Reason, irq};
use abi::types::{clock, itimer, sa, si, sig, wait};

use super::{races, seeds};
use crate::machdep::fake::{Fake, Handle, Request, Sys, Vk};

/// What handlers have seen, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<u32>>>);

impl Log {
    fn put(&self, n: u32) {
        self.0.borrow_mut().push(n);
    }
    fn all(&self) -> Vec<u32> {
        self.0.borrow().clone()
    }
    fn count(&self) -> usize {
        self.0.borrow().len()
    }
    /// A handler that notes its signal.
    fn on(&self, sys: &Sys, signal: u32, flags: u32) {
        let log = self.clone();
        sys.handle(signal, flags, 0, move |_, s, _| log.put(s)).expect("sigaction");
    }
}

/// Runs until the process has a handler, or is over.
fn until_ready<T>(vk: &Vk, h: &Handle<T>) {
    while !vk.machine.world().handling.contains(&h.pid) && !vk.is_over(h) {
        vk.run_points(1);
    }
}

fn me(sys: &Sys, signal: u32) {
    sys.kill(sys.getpid(), signal).expect("kill");
}

#[test]
fn a_signal_to_oneself_is_handled_before_kill_returns() {
    let vk = Fake::seeded(1).boot();
    vk.init(|sys| {
        let log = Log::default();
        log.on(sys, sig::USR1, 0);
        for n in 1..=3 {
            me(sys, sig::USR1);
            assert_eq!(log.count(), n);
        }
        assert_eq!(sys.sigaction(sig::USR1, 0), Ok(3));
    });
}

#[test]
fn a_handler_holds_its_signal_and_its_mask_back() {
    seeds(0..20, |seed| {
        let vk = Fake::seeded(seed).boot();
        vk.init(|sys| {
            let log = Log::default();
            let inner = log.clone();
            log.on(sys, sig::USR2, 0);
            sys.handle(sig::USR1, 0, sig::bit(sig::USR2), move |sys, _, _| {
                inner.put(100);
                if inner.count() == 1 {
                    me(sys, sig::USR1);
                    me(sys, sig::USR2);
                    let both = sig::bit(sig::USR1) | sig::bit(sig::USR2);
                    assert_eq!(sys.sigpending(), Ok(both));
                    assert_eq!(sys.sigprocmask(sig::BLOCK, &[]), Ok(both));
                }
                inner.put(101);
            })
            .expect("sigaction");
            me(sys, sig::USR1);
            assert_eq!(log.all(), [100, 101, 100, 101, sig::USR2]);
            assert_eq!(sys.sigprocmask(sig::BLOCK, &[]), Ok(0));
        });
    });
}

#[test]
fn nodefer_nests_and_resethand_is_for_once() {
    let vk = Fake::seeded(1).boot();
    vk.init(|sys| {
        let depth = Rc::new(Cell::new(0));
        let d = depth.clone();
        sys.handle(sig::USR1, sa::NODEFER, 0, move |sys, _, _| {
            d.set(d.get() + 1);
            if d.get() < 5 {
                me(sys, sig::USR1);
            }
        })
        .expect("sigaction");
        me(sys, sig::USR1);
        assert_eq!(depth.get(), 5);
        let log = Log::default();
        log.on(sys, sig::USR2, sa::RESETHAND);
        me(sys, sig::USR2);
        assert_eq!((log.all(), sys.sigaction(sig::USR2, 1)), (Vec::from([sig::USR2]), Ok(0)));
    });
    let h = vk.lwp(|sys| {
        Log::default().on(sys, sig::USR2, sa::RESETHAND);
        me(sys, sig::USR2);
        me(sys, sig::USR2);
    });
    assert_eq!(vk.end(h).1, wait::signaled(sig::USR2));
}

#[test]
fn a_sleep_ends_and_a_read_begins_again_if_asked_to() {
    seeds(0..120, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (r, w) = vk.init(|sys| sys.pipe2(0)).expect("pipe");
        let restart = seed % 2 == 0;
        let reader = vk.lwp(move |sys| {
            let log = Log::default();
            log.on(sys, sig::USR1, if restart { sa::RESTART } else { 0 });
            (sys.read(r, 10), log.count())
        });
        vk.run_until_asleep(&reader);
        let pid = reader.pid;
        vk.init(move |sys| sys.kill(pid, sig::USR1)).expect("kill");
        if restart {
            vk.run_until_asleep(&reader);
            vk.init(move |sys| sys.write(w, b"late")).expect("write");
            assert_eq!(vk.join(reader), (Ok(b"late".to_vec()), 1), "seed {seed}");
        } else {
            assert_eq!(vk.join(reader), (Err(Errno::EINTR), 1), "seed {seed}");
        }
    });
}

#[test]
fn calls_with_a_time_limit_are_not_made_again() {
    for call in 0..3 {
        let vk = Fake::seeded(call).boot();
        let (r, _w) = vk.init(|sys| sys.pipe2(0)).expect("pipe");
        let h = vk.lwp(move |sys| {
            Log::default().on(sys, sig::USR1, sa::RESTART);
            match call {
                0 => sys.nanosleep(u64::MAX / 4),
                1 => sys.poll(&[(r, abi::types::poll::IN)], -1).map(|_| ()),
                _ => sys.sigtimedwait(&[sig::USR2], u64::MAX).map(|_| ()),
            }
        });
        vk.run_until_asleep(&h);
        let pid = h.pid;
        vk.init(move |sys| sys.kill(pid, sig::USR1)).expect("kill");
        assert_eq!(vk.join(h), Err(Errno::EINTR), "{call}");
    }
}

/// The signal may come before the sleep, in it, or at its end: it is never lost, and the handler runs once.
#[test]
fn a_signal_and_a_sleep_at_once() {
    races(0..400, |seed| {
        let vk = Fake::seeded(seed).boot();
        let sleeper = vk.lwp(|sys| {
            let log = Log::default();
            log.on(sys, sig::USR1, 0);
            while log.count() == 0 {
                if let Err(e) = sys.nanosleep(50_000_000) {
                    assert_eq!(e, Errno::EINTR);
                }
            }
            log.count()
        });
        vk.run_points(seed % 40);
        let pid = sleeper.pid;
        until_ready(&vk, &sleeper);
        let sender = vk.lwp(move |sys| sys.kill(pid, sig::USR1));
        assert_eq!(vk.join(sender), Ok(()));
        assert_eq!(vk.join(sleeper), 1, "seed {seed}");
    });
}

#[test]
fn a_signal_and_the_end_of_its_target_at_once() {
    races(0..300, |seed| {
        let vk = Fake::seeded(seed).boot();
        let target = vk.lwp(|sys| {
            Log::default().on(sys, sig::USR1, 0);
            for _ in 0..3 {
                sys.getppid();
            }
            7
        });
        let pid = target.pid;
        until_ready(&vk, &target);
        let senders = [sig::USR1, sig::USR1, sig::CONT].map(|s| vk.lwp(move |sys| sys.kill(pid, s)));
        for h in senders {
            let sent = vk.join(h);
            assert!(matches!(sent, Ok(()) | Err(Errno::ESRCH)), "{sent:?}");
        }
        assert_eq!(vk.join(target), 7, "seed {seed}");
    });
}

/// Each child is told of by SIGCHLD, and a handler that waits for all of them has seen all in the end.
#[test]
fn sigchld_and_wait_at_once() {
    seeds(0..200, |seed| {
        let vk = Fake::seeded(seed).program("brief", |_| 3).boot();
        vk.init(|sys| {
            let seen = Rc::new(RefCell::new(Vec::new()));
            let s = seen.clone();
            sys.handle(sig::CHLD, sa::SIGINFO, 0, move |sys, _, info| {
                let info = info.expect("asked for");
                assert_eq!((info.code, info.status), (si::CLD_EXITED, 3));
                while let Ok(w) = sys.wait4(-1, wait::NOHANG) {
                    if w.pid == 0 {
                        break;
                    }
                    s.borrow_mut().push(w.pid);
                }
            })
            .expect("sigaction");
            sys.sigprocmask(sig::BLOCK, &[sig::CHLD]).expect("mask");
            let mut pids: Vec<i32> = (0..4).map(|_| sys.spawn(&Request::new("/bin/brief")).expect("spawn")).collect();
            while seen.borrow().len() < pids.len() {
                assert_eq!(sys.sigsuspend(&[]), Err(Errno::EINTR));
            }
            seen.borrow_mut().sort_unstable();
            pids.sort_unstable();
            assert_eq!(*seen.borrow(), pids);
            assert_eq!(sys.sigprocmask(sig::BLOCK, &[]), Ok(sig::bit(sig::CHLD)), "sigsuspend gave the mask back");
        });
    });
}

#[test]
fn an_unblocked_signal_is_handled_before_sigprocmask_returns() {
    seeds(0..200, |seed| {
        let vk = Fake::seeded(seed).boot();
        let target = vk.lwp(|sys| {
            let log = Log::default();
            log.on(sys, sig::USR1, 0);
            let mut rounds = 0;
            while log.count() == 0 {
                sys.sigprocmask(sig::BLOCK, &[sig::USR1]).expect("block");
                let before = log.count();
                sys.getppid();
                assert_eq!(log.count(), before, "it came while it was held back");
                sys.sigprocmask(sig::UNBLOCK, &[sig::USR1]).expect("unblock");
                rounds += 1;
                assert!(rounds < 10_000);
            }
            log.count()
        });
        let pid = target.pid;
        until_ready(&vk, &target);
        let sender = vk.lwp(move |sys| sys.kill(pid, sig::USR1));
        assert_eq!(vk.join(sender), Ok(()));
        assert_eq!(vk.join(target), 1, "seed {seed}");
    });
}

#[test]
fn a_program_that_computes_is_interrupted() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(|sys| {
            let log = Log::default();
            log.on(sys, sig::USR1, 0);
            while log.count() == 0 {
                sys.checkpoint();
            }
            log.count()
        });
        let pid = h.pid;
        until_ready(&vk, &h);
        vk.init(move |sys| sys.kill(pid, sig::USR1)).expect("kill");
        assert_eq!(vk.join(h), 1, "seed {seed}");
    });
}

#[test]
fn siginfo_says_who_and_real_time_signals_are_queued() {
    let vk = Fake::seeded(1).boot();
    vk.init(|sys| {
        let values = Rc::new(RefCell::new(Vec::new()));
        let v = values.clone();
        let rt = sig::RTMIN + 1;
        sys.handle(rt, sa::SIGINFO, 0, move |_, s, info| v.borrow_mut().push((s, info.expect("asked for").value)))
            .expect("sigaction");
        sys.sigprocmask(sig::BLOCK, &[rt]).expect("mask");
        for n in 1..=4 {
            sys.sigqueue(sys.getpid(), rt, n).expect("sigqueue");
        }
        let info = sys.sigwaitinfo(&[rt]).expect("sigwaitinfo");
        assert_eq!((info.signal, info.code, info.pid, info.value), (rt, si::QUEUE, sys.getpid(), 1));
        sys.sigprocmask(sig::UNBLOCK, &[rt]).expect("mask");
        assert_eq!(*values.borrow(), [(rt, 2), (rt, 3), (rt, 4)]);
        sys.sigprocmask(sig::BLOCK, &[rt]).expect("mask");
        let queued = (0..1000).take_while(|&n| sys.sigqueue(sys.getpid(), rt, n).is_ok()).count();
        assert!((32..1000).contains(&queued), "{queued}");
        assert_eq!(sys.sigqueue(sys.getpid(), rt, 0), Err(Errno::EAGAIN));
    });
}

#[test]
fn timers_expire_for_those_that_sleep_and_those_that_compute() {
    let vk = Fake::seeded(3).boot();
    vk.init(|sys| {
        let log = Log::default();
        log.on(sys, sig::ALRM, 0);
        sys.setitimer(itimer::REAL, 5_000_000, 2_000_000).expect("setitimer");
        let begin = sys.clock_ns(clock::MONOTONIC).expect("clock");
        for n in 1..=3 {
            assert_eq!(sys.nanosleep(1_000_000_000), Err(Errno::EINTR));
            assert_eq!(log.count(), n);
        }
        let took = sys.clock_ns(clock::MONOTONIC).expect("clock") - begin;
        assert!((9_000_000..500_000_000).contains(&took), "{took}");
        let (left, interval) = sys.setitimer(itimer::REAL, 0, 0).expect("setitimer");
        assert!((1..=2_000_000).contains(&left) && interval == 2_000_000, "{left} {interval}");
    });
    let h = vk.lwp(|sys| {
        let log = Log::default();
        log.on(sys, sig::ALRM, 0);
        sys.setitimer(itimer::REAL, 1_000, 0).expect("setitimer");
        while log.count() == 0 {
            sys.checkpoint();
        }
    });
    let pid = h.pid;
    until_ready(&vk, &h);
    vk.run_points(200);
    vk.advance(2_000_000);
    let id = vk
        .kernel
        .proc_find(pid)
        .expect("alive")
        .lwp
        .lock()
        .as_ref()
        .map(|l| l.md.id.load(core::sync::atomic::Ordering::Relaxed));
    vk.intr(irq::TICK, id.expect("an lwp"));
    vk.join(h);
}

#[test]
fn a_fault_has_its_handler_called_and_dies_of_it() {
    let vk = Fake::seeded(1).boot();
    let (r, w) = vk.init(|sys| sys.pipe2(0)).expect("pipe");
    let h = vk.lwp(move |sys| -> () {
        sys.handle(sig::FPE, sa::SIGINFO, 0, move |sys, s, info| {
            assert_eq!((s, info.map(|i| i.code)), (sig::FPE, Some(si::FPE_INTDIV)));
            sys.write(w, b"handled").expect("write");
        })
        .expect("sigaction");
        sys.fault(Reason::DivideByZero)
    });
    assert_eq!(vk.end(h).1, wait::signaled(sig::FPE));
    assert_eq!(vk.init(move |sys| sys.read(r, 20)), Ok(b"handled".to_vec()));
    // A second one, and one that is held back, are deadly.
    for blocked in [false, true] {
        let h = vk.lwp(move |sys| -> () {
            sys.handle(sig::SEGV, sa::NODEFER, 0, |sys, _, _| sys.fault(Reason::MemoryBounds)).expect("sigaction");
            if blocked {
                sys.sigprocmask(sig::BLOCK, &[sig::SEGV]).expect("mask");
            }
            sys.fault(Reason::MemoryBounds)
        });
        assert_eq!(vk.end(h).1, wait::signaled(sig::SEGV));
    }
    let h = vk.lwp(|sys| {
        sys.handle(sig::ILL, 0, 0, |sys, _, _| sys.exit(3)).expect("sigaction");
        sys.fault(Reason::Unreachable)
    });
    assert_eq!(vk.end::<()>(h).1, wait::exited(3));
}

#[test]
fn exec_forgets_handlers_and_keeps_what_is_ignored_and_held_back() {
    let vk = Fake::seeded(1)
        .program("after", |sys| {
            assert_eq!(sys.sigaction(sig::USR1, 0), Ok(0));
            assert_eq!(sys.sigaction(sig::USR2, 0), Ok(1));
            assert_eq!(sys.sigpending(), Ok(sig::bit(sig::TERM)));
            5
        })
        .boot();
    let h = vk.lwp(|sys| -> () {
        Log::default().on(sys, sig::USR1, 0);
        Log::default().on(sys, sig::TERM, 0);
        sys.sigaction(sig::USR2, 1).expect("sigaction");
        sys.sigprocmask(sig::BLOCK, &[sig::TERM]).expect("mask");
        me(sys, sig::TERM);
        sys.exec(&Request::new("/bin/after")).expect("exec");
    });
    assert_eq!(vk.end(h).1, wait::exited(5));
}

#[test]
fn a_program_without_the_function_that_calls_handlers_has_none() {
    let vk = Fake::seeded(1).boot();
    vk.machine.world().handlers = false;
    vk.init(|sys| {
        let tried = sys.handle(sig::USR1, 0, 0, |_, _, _| {});
        assert_eq!(tried.map(|_| String::new()), Err(Errno::ENOSYS));
        assert_eq!(sys.sigaction(sig::USR1, 2), Ok(0));
    });
}

#[test]
fn children_that_stop_are_told_of_unless_not_wanted() {
    for (flags, stops) in [(0, 2), (sa::NOCLDSTOP, 0)] {
        let vk = Fake::seeded(4).program("spin", |sys| sys.spin()).boot();
        vk.init(move |sys| {
            let codes = Rc::new(RefCell::new(Vec::new()));
            let c = codes.clone();
            sys.handle(sig::CHLD, flags | sa::SIGINFO, 0, move |_, _, i| c.borrow_mut().push(i.expect("asked").code))
                .expect("sigaction");
            let pid = sys.spawn(&Request::new("/bin/spin")).expect("spawn");
            sys.kill(pid, sig::STOP).expect("kill");
            sys.kill(pid, sig::CONT).expect("kill");
            assert_eq!(codes.borrow().len(), stops);
            sys.kill(pid, sig::KILL).expect("kill");
            while sys.waitpid(pid) == Err(Errno::EINTR) {}
            assert_eq!(codes.borrow().last(), Some(&si::CLD_KILLED));
        });
    }
}

#[test]
fn a_storm_is_weathered() {
    let vk = Fake::seeded(9).boot();
    let count = Arc::new(core::sync::atomic::AtomicU32::new(0));
    let c = count.clone();
    let target = vk.lwp(move |sys| {
        let c = c.clone();
        sys.handle(sig::USR1, 0, 0, move |_, _, _| _ = c.fetch_add(1, core::sync::atomic::Ordering::Relaxed))
            .expect("sigaction");
        Log::default().on(sys, sig::USR2, 0);
        sys.sigsuspend(&[sig::USR1]).expect_err("EINTR");
        sys.sigpending()
    });
    let pid = target.pid;
    vk.run_until_asleep(&target);
    let senders: Vec<_> =
        (0..3).map(|_| vk.lwp(move |sys| (0..500).for_each(|_| sys.kill(pid, sig::USR1).expect("kill")))).collect();
    senders.into_iter().for_each(|h| vk.join(h));
    vk.init(move |sys| sys.kill(pid, sig::USR2)).expect("kill");
    assert_eq!(vk.join(target), Ok(0));
    assert_eq!(count.load(core::sync::atomic::Ordering::Relaxed), 1, "they do not queue");
}
