//! Timers of timer_create(2): when they expire, what counts as an overrun, and who has how many.

use core::cell::Cell;
use core::sync::atomic::Ordering::Relaxed;
use std::rc::Rc;

use abi::Errno;
use abi::trapframe::irq;
use abi::types::{Siginfo, clock, rlimit, sa, si, sig, timer};

use super::{races, seeds};
use crate::machdep::fake::{Fake, Request, Sys};

const MS: u64 = 1_000_000;

fn new(sys: &Sys, signal: u32, value: u64) -> i32 {
    sys.timer_create(clock::MONOTONIC, timer::SIGNAL, signal, value).expect("timer_create")
}

/// A handler that counts, and keeps what it was told.
fn on(sys: &Sys, signal: u32) -> Rc<Cell<(u32, Siginfo)>> {
    let seen = Rc::new(Cell::new((0, Siginfo::default())));
    let told = seen.clone();
    sys.handle(signal, sa::SIGINFO, 0, move |_, _, info| told.set((told.get().0 + 1, info.unwrap_or_default())))
        .expect("sigaction");
    seen
}

#[test]
fn it_wakes_who_sleeps_and_says_which_it_is() {
    let vk = Fake::seeded(1).boot();
    vk.init(|sys| {
        let seen = on(sys, sig::USR1);
        let (a, b) = (new(sys, sig::USR1, 7), new(sys, sig::USR1, 8));
        assert_eq!((a, b), (0, 1));
        sys.timer_settime(b, 0, 5 * MS, 0).expect("settime");
        let begin = sys.clock_ns(clock::MONOTONIC).expect("clock");
        assert_eq!(sys.nanosleep(1000 * MS), Err(Errno::EINTR));
        let took = sys.clock_ns(clock::MONOTONIC).expect("clock") - begin;
        assert!((5 * MS..100 * MS).contains(&took), "{took}");
        let (count, info) = seen.get();
        assert_eq!((count, info.code, info.pid, info.uid, info.status, info.value), (1, si::TIMER, b, 0, 0, 8));
        assert_eq!((sys.timer_gettime(b), sys.timer_getoverrun(b)), (Ok((0, 0)), Ok(0)));
        sys.timer_delete(a).expect("delete");
        assert_eq!((sys.timer_delete(a), sys.timer_gettime(a)), (Err(Errno::EINVAL), Err(Errno::EINVAL)));
        assert_eq!(sys.timer_gettime(-1), Err(Errno::EINVAL));
        let numbered = sys.timer_create(clock::REALTIME, timer::NUMBERED, sig::USR1, 99);
        assert_eq!(numbered, Ok(a), "the lowest that is free");
        sys.timer_settime(a, 0, 1, 0).expect("settime");
        assert_eq!((sys.nanosleep(1000 * MS), seen.get().1.value), (Err(Errno::EINTR), a as u64));
    });
}

#[test]
fn one_that_is_held_back_wakes_nobody_and_counts() {
    let vk = Fake::seeded(1).boot();
    vk.init(|sys| {
        let t = new(sys, sig::RTMIN, 3);
        sys.sigprocmask(sig::BLOCK, &[sig::RTMIN]).expect("mask");
        sys.timer_settime(t, 0, 10 * MS, 10 * MS).expect("settime");
        for _ in 0..3 {
            sys.nanosleep(35 * MS).expect("sleep");
            assert_eq!(sys.lp.proc.alarm_ns.load(Relaxed), u64::MAX, "nothing to wake up for");
        }
        let (left, interval) = sys.timer_gettime(t).expect("gettime");
        assert!((1..=10 * MS).contains(&left) && interval == 10 * MS, "{left}");
        let info = sys.sigwaitinfo(&[sig::RTMIN]).expect("sigwaitinfo");
        assert!(info.uid >= 9 && (info.code, info.pid, info.value) == (si::TIMER, t, 3), "{info:?}");
        assert_eq!(sys.timer_getoverrun(t), Ok(info.uid));
        assert_eq!(sys.sigtimedwait(&[sig::RTMIN], 0), Err(Errno::EAGAIN), "one at a time");
        assert_eq!(sys.sigtimedwait(&[sig::RTMIN], 100 * MS), Ok(sig::RTMIN));
        assert_eq!(sys.timer_getoverrun(t), Ok(0));
        // A billion a second, and the queue of one: none is lost.
        sys.timer_settime(t, 0, 1, 1).expect("settime");
        sys.nanosleep(100 * MS).expect("sleep");
        let info = sys.sigwaitinfo(&[sig::RTMIN]).expect("sigwaitinfo");
        assert!(info.uid as u64 > 90 * MS, "{info:?}");
        sys.timer_settime(t, 0, 0, 0).expect("off");
    });
}

#[test]
fn with_a_plain_signal_of_the_same_number_both_come() {
    let vk = Fake::seeded(1).boot();
    vk.init(|sys| {
        sys.sigprocmask(sig::BLOCK, &[sig::USR1]).expect("mask");
        let t = new(sys, sig::USR1, 0);
        sys.timer_settime(t, 0, MS, 0).expect("settime");
        sys.nanosleep(2 * MS).expect("sleep");
        sys.kill(sys.getpid(), sig::USR1).expect("kill");
        sys.kill(sys.getpid(), sig::USR1).expect("kill");
        let codes = [(); 2].map(|()| sys.sigwaitinfo(&[sig::USR1]).expect("info").code);
        assert_eq!(codes, [si::TIMER, si::USER]);
        assert_eq!(sys.sigtimedwait(&[sig::USR1], 0), Err(Errno::EAGAIN));
    });
}

#[test]
fn one_that_is_ignored_goes_on_however_it_came_to_be() {
    let vk = Fake::seeded(1).boot();
    vk.init(|sys| {
        sys.sigaction(sig::USR1, 1).expect("ignore");
        let t = new(sys, sig::USR1, 0);
        sys.timer_settime(t, 0, 1, 1).expect("settime");
        sys.nanosleep(2 * MS).expect("not interrupted");
        // Held back and in the queue, then ignored: what was queued is dropped, the timer is not.
        let seen = on(sys, sig::USR1);
        sys.sigprocmask(sig::BLOCK, &[sig::USR1]).expect("mask");
        sys.timer_settime(t, 0, MS, MS).expect("settime");
        sys.nanosleep(3 * MS).expect("sleep");
        sys.sigaction(sig::USR1, 1).expect("ignore");
        assert_eq!(sys.sigpending(), Ok(0));
        assert_ne!(sys.lp.proc.alarm_ns.load(Relaxed), u64::MAX);
        sys.sigprocmask(sig::UNBLOCK, &[sig::USR1]).expect("mask");
        sys.nanosleep(2 * MS).expect("sleep");
        assert_eq!(seen.get().0, 0);
        let seen = on(sys, sig::USR1);
        assert_eq!(sys.nanosleep(1000 * MS), Err(Errno::EINTR));
        assert_eq!(seen.get().0, 1);
        sys.timer_delete(t).expect("delete");
    });
}

#[test]
fn times_of_the_clock_and_times_that_have_passed() {
    let vk = Fake::seeded(1).boot();
    vk.init(|sys| {
        let seen = on(sys, sig::USR1);
        for (n, id) in [clock::MONOTONIC, clock::REALTIME, clock::PROCESS_CPUTIME].into_iter().enumerate() {
            let t = sys.timer_create(id, timer::SIGNAL, sig::USR1, 0).expect("create");
            let now = sys.clock_ns(id).expect("clock");
            sys.timer_settime(t, timer::ABSTIME, now.max(1), 0).expect("settime");
            assert_eq!(seen.get().0 as usize, 2 * n + 1, "at once");
            if id == clock::PROCESS_CPUTIME {
                break;
            }
            sys.timer_settime(t, timer::ABSTIME, now + 20 * MS, 0).expect("settime");
            assert!((1..=20 * MS).contains(&sys.timer_gettime(t).expect("gettime").0));
            assert_eq!(sys.nanosleep(1000 * MS), Err(Errno::EINTR));
            assert!(sys.clock_ns(id).expect("clock") >= now + 20 * MS);
        }
        assert_eq!(sys.timer_create(4, timer::SIGNAL, sig::USR1, 0), Err(Errno::EINVAL));
        assert_eq!(sys.timer_create(1, timer::SIGNAL, sig::COUNT, 0), Err(Errno::EINVAL));
        assert_eq!(sys.timer_create(1, timer::SIGNAL, 0, 0), Err(Errno::EINVAL));
        assert_eq!(sys.timer_create(1, 2, sig::USR1, 0), Err(Errno::EINVAL));
        assert_eq!(sys.timer_settime(0, 0, 1 << 63, 0), Err(Errno::EINVAL));
        let none = sys.timer_create(clock::MONOTONIC, timer::NONE, 0, 0).expect("create");
        sys.timer_settime(none, 0, 3 * MS, 2 * MS).expect("settime");
        sys.nanosleep(10 * MS).expect("nobody is told");
        assert!((1..=2 * MS).contains(&sys.timer_gettime(none).expect("gettime").0));
    });
}

#[test]
fn a_tick_looks_at_one_that_computes() {
    let vk = Fake::seeded(3).boot();
    for id in [clock::MONOTONIC, clock::PROCESS_CPUTIME] {
        let h = vk.lwp(move |sys| {
            let seen = on(sys, sig::USR1);
            let t = sys.timer_create(id, timer::SIGNAL, sig::USR1, 0).expect("create");
            sys.timer_settime(t, 0, 1, 0).expect("settime");
            while seen.get().0 == 0 {
                sys.checkpoint();
            }
        });
        vk.run_points(200);
        vk.advance(2 * MS);
        if !vk.is_over(&h) {
            let lp = vk.kernel.proc_find(h.pid).expect("alive").lwp.lock().clone().expect("an lwp");
            vk.intr(irq::TICK, lp.md.id.load(Relaxed));
        }
        vk.join(h);
    }
}

#[test]
fn a_child_has_none_and_a_user_so_many() {
    let vk = Fake::seeded(1).init_waits().boot();
    vk.init(|sys| {
        sys.setrlimit(rlimit::SIGPENDING, 3, 3).expect("setrlimit");
        let timers = [(); 3].map(|()| new(sys, sig::USR1, 0));
        assert_eq!(sys.timer_create(1, timer::SIGNAL, sig::USR1, 0), Err(Errno::EAGAIN));
        let child = sys
            .fork(|sys| {
                assert_eq!(sys.timer_gettime(0), Err(Errno::EINVAL));
                assert_eq!(sys.timer_create(1, timer::SIGNAL, sig::USR1, 0), Err(Errno::EAGAIN), "they count together");
                sys.setuid(5).expect("setuid");
                assert_eq!(sys.timer_create(1, timer::SIGNAL, sig::USR1, 0), Ok(0));
            })
            .expect("fork");
        assert_eq!(sys.wait4(child, 0).map(|w| w.status), Ok(0));
        sys.timer_delete(timers[1]).expect("delete");
        assert_eq!(new(sys, sig::USR1, 0), timers[1]);
    });
}

/// However ticks, sleeps and settings fall together: a timer has one signal in the queue at most for each setting, and the
/// last setting's comes.
#[test]
fn ticks_against_settings() {
    races(0..200, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp_as(Request::new("/bin/test"), |sys| {
            let seen = on(sys, sig::USR1);
            let t = new(sys, sig::USR1, 0);
            for n in 1..20u64 {
                sys.timer_settime(t, 0, n * 1000, n % 2 * 500).expect("settime");
                sys.checkpoint();
            }
            let before = seen.get().0;
            sys.timer_settime(t, 0, MS, 0).expect("settime");
            // It may come before we sleep.
            while seen.get().0 == before || sys.timer_gettime(t) != Ok((0, 0)) {
                let _ = sys.nanosleep(10 * MS);
            }
            assert_eq!(sys.nanosleep(5 * MS), Ok(()));
        });
        let pid = h.pid;
        // Ticks of another CPU, of which some find it in a call.
        let ticks = vk.lwp(move |sys| {
            for _ in 0..40 {
                let id = sys
                    .lp
                    .kernel
                    .proc_find(pid)
                    .ok()
                    .and_then(|p| p.lwp.lock().as_ref().map(|l| l.md.id.load(Relaxed)));
                if let Some(id) = id {
                    sys.lp.kernel.intr(irq::TICK, id);
                }
                sys.nanosleep(700).expect("sleep");
            }
        });
        vk.join(ticks);
        vk.join(h);
        vk.check_idle();
    });
}

/// exec takes the timers along with their signals, and leaves the signals of others.
#[test]
fn exec_leaves_none() {
    seeds(0..10, |seed| {
        let vk = Fake::seeded(seed).boot();
        vk.init(|sys| {
            sys.sigprocmask(sig::BLOCK, &[sig::USR1, sig::USR2]).expect("mask");
            for signal in [sig::USR1, sig::USR2] {
                sys.timer_settime(new(sys, signal, 0), 0, MS, MS).expect("settime");
            }
            sys.nanosleep(5 * MS).expect("sleep");
            sys.kill(sys.getpid(), sig::USR2).expect("kill");
            crate::kern::sigact::exec(&sys.lp.proc);
            assert_eq!(sys.sigpending(), Ok(sig::bit(sig::USR2)));
            assert_eq!(sys.timer_gettime(0), Err(Errno::EINVAL));
            assert_eq!(sys.lp.proc.alarm_ns.load(Relaxed), u64::MAX);
            assert_eq!(sys.sigwaitinfo(&[sig::USR2]).map(|i| i.code), Ok(si::USER));
        });
    });
}
