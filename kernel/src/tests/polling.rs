//! poll(2): what is ready, who wakes it, when it gives up.

use alloc::vec;
use core::cell::Cell;
use std::rc::Rc;

use abi::Errno;
use abi::types::{clock, limits, poll, sig};

use super::seeds;
use crate::machdep::fake::{Fake, Reg};

#[test]
fn a_poll_wakes_for_either_of_two_pipes() {
    seeds(0..300, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (a, b) = vk.init(|sys| (sys.pipe2(0).expect("a"), sys.pipe2(0).expect("b")));
        let poller = vk.lwp(move |sys| sys.poll(&[(a.0, poll::IN), (-1, poll::IN), (b.0, poll::IN)], -1));
        if seed % 2 == 0 {
            vk.run_until_asleep(&poller);
        } else {
            vk.run_points(seed);
        }
        let (w, want) = if seed % 3 == 0 { (a.1, vec![poll::IN, 0, 0]) } else { (b.1, vec![0, 0, poll::IN]) };
        vk.init(move |sys| sys.write(w, b"x")).expect("write");
        assert_eq!(vk.join(poller), Ok((1, want)), "seed {seed}");
    });
}

#[test]
fn hang_ups_and_errors_come_unasked() {
    seeds(0..100, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (r, w) = vk.init(|sys| sys.pipe2(0)).expect("pipe");
        let poller = vk.lwp(move |sys| {
            sys.close(w)?;
            // The other end may be gone by now.
            let (_, got) = sys.poll(&[(r, 0), (777, 0)], 0)?;
            assert_eq!((got[0] & !poll::HUP, got[1]), (0, poll::NVAL));
            sys.poll(&[(r, poll::IN)], -1)
        });
        vk.run_points(seed);
        vk.init(move |sys| sys.close(w)).expect("close");
        let (n, got) = vk.join(poller).expect("poll");
        assert_eq!((n, got[0] & poll::HUP), (1, poll::HUP), "seed {seed}");
        let other = vk.lwp(|sys| {
            let (r, w) = sys.pipe2(0)?;
            assert_eq!(sys.poll(&[(w, poll::OUT)], -1)?, (1, vec![poll::OUT]));
            sys.close(r)?;
            sys.poll(&[(w, poll::OUT)], -1)
        });
        let (_, got) = vk.join(other).expect("poll");
        assert_eq!(got[0] & poll::ERR, poll::ERR);
    });
}

#[test]
fn a_full_pipe_becomes_writable_when_somebody_reads() {
    seeds(0..100, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (r, w) = vk.init(|sys| sys.pipe2(0)).expect("pipe");
        let poller = vk.lwp(move |sys| {
            sys.write(w, &vec![0; limits::PIPE_SIZE])?;
            sys.poll(&[(w, poll::OUT)], -1)
        });
        vk.run_until_asleep(&poller);
        vk.init(move |sys| sys.read(r, limits::PIPE_SIZE)).expect("read");
        assert_eq!(vk.join(poller), Ok((1, vec![poll::OUT])), "seed {seed}");
    });
}

#[test]
fn a_poll_ends_when_its_time_is_over_and_not_before() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (r, _w) = vk.init(|sys| sys.pipe2(0)).expect("pipe");
        let poller = vk.lwp(move |sys| {
            let before = sys.clock_ns(clock::MONOTONIC)?;
            let got = sys.poll(&[(r, poll::IN)], 20)?;
            Ok::<_, Errno>((got, sys.clock_ns(clock::MONOTONIC)? - before))
        });
        vk.run_until_asleep(&poller);
        vk.advance(19_999_999);
        vk.run_until_asleep(&poller);
        vk.advance(1);
        assert_eq!(vk.join(poller), Ok(((0, vec![0]), 20_000_000)), "seed {seed}");
    });
}

#[test]
fn a_poll_of_nothing_sleeps_and_a_poll_of_too_much_is_einval() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        assert_eq!(sys.poll(&[], 5), Ok((0, vec![])));
        assert_eq!(sys.call("poll", &[0, 0x7fff_ffff, 0]), Err(Errno::EINVAL));
        assert_eq!(sys.call("poll", &[sys.wild().reg(), 1, 0]), Err(Errno::EFAULT));
        let (r, _w) = sys.pipe2(0).expect("pipe");
        // More than fit on the kernel's stack.
        let many = vec![(r, poll::IN); 100];
        assert_eq!(sys.poll(&many, 1).map(|g| g.0), Ok(0));
        let f = sys.open("/tmp/f", abi::types::o::CREAT | abi::types::o::RDWR, 0o600).expect("open");
        assert_eq!(sys.poll(&[(f, poll::IN | poll::OUT)], -1), Ok((1, vec![poll::IN | poll::OUT])));
    });
    vk.join(h);
}

/// The clock jumps over sleeps in order, whoever began first.
#[test]
fn sleepers_wake_in_the_order_of_their_times() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed).boot();
        let start = vk.machine.sched.now_ns();
        let handles = [30u64, 10, 20].map(|ns| {
            vk.lwp(move |sys| {
                sys.nanosleep(ns * 1000)?;
                sys.clock_ns(clock::MONOTONIC)
            })
        });
        for (h, ns) in handles.into_iter().zip([30u64, 10, 20]) {
            let woke = vk.join(h).expect("sleep");
            assert!(woke >= start + ns * 1000, "seed {seed}");
        }
    });
}

/// ppoll(2)'s reason to be: a signal that comes between the program's look and the sleep ends the sleep.
#[test]
fn no_signal_slips_past_ppoll() {
    seeds(0..400, |seed| {
        let vk = Fake::seeded(seed).boot();
        let waiter = vk.lwp(|sys| {
            let came = Rc::new(Cell::new(0));
            let (r, _w) = sys.pipe2(0)?;
            sys.sigprocmask(sig::BLOCK, &[sig::USR1])?;
            let note = came.clone();
            sys.handle(sig::USR1, 0, 0, move |_, _, _| note.set(note.get() + 1))?;
            while came.get() == 0 {
                assert_eq!(sys.ppoll(r, poll::IN, u64::MAX, &[]), Err(Errno::EINTR));
            }
            // The mask is back, and the second waits until it is asked for.
            assert_eq!(sys.sigprocmask(sig::BLOCK, &[])? & sig::bit(sig::USR1), sig::bit(sig::USR1));
            sys.kill(sys.getpid(), sig::USR1)?;
            assert_eq!(came.get(), 1);
            assert_eq!(sys.ppoll(r, poll::IN, 0, &[]), Err(Errno::EINTR));
            Ok::<_, Errno>(came.get())
        });
        let pid = waiter.pid;
        vk.run_points(seed % 80);
        vk.init(move |sys| sys.kill(pid, sig::USR1)).expect("kill");
        // None: it came before there was a mask.
        assert!(matches!(vk.end(waiter).0, None | Some(Ok(2))), "seed {seed}");
    });
}

/// What is ready and a signal at once: whatever ppoll answers, the signal is not lost and the mask is the old one.
#[test]
fn ppoll_between_data_and_a_signal() {
    seeds(0..400, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (r, w) = vk.init(|sys| sys.pipe2(0)).expect("pipe");
        let waiter = vk.lwp(move |sys| {
            let came = Rc::new(Cell::new(0));
            sys.sigprocmask(sig::BLOCK, &[sig::USR1])?;
            let note = came.clone();
            sys.handle(sig::USR1, 0, 0, move |_, _, _| note.set(note.get() + 1))?;
            sys.write(w, b"x")?;
            let got = sys.ppoll(r, poll::IN | poll::OUT, 50, &[]);
            let (then, blocked) = (came.get(), sys.sigprocmask(sig::BLOCK, &[])?);
            assert_eq!(blocked & sig::bit(sig::USR1), sig::bit(sig::USR1));
            match got {
                Ok(events) => assert_eq!((events & poll::IN, then), (poll::IN, 0)),
                Err(e) => assert_eq!((e, then), (Errno::EINTR, 1)),
            }
            sys.sigsuspend(&[]).unwrap_err();
            Ok::<_, Errno>(came.get())
        });
        let pid = waiter.pid;
        vk.run_points(seed % 60);
        vk.init(move |sys| sys.kill(pid, sig::USR1)).expect("kill");
        vk.run_points(100);
        vk.init(move |sys| sys.kill(pid, sig::USR1)).expect("kill");
        assert!(matches!(vk.end(waiter).0, None | Some(Ok(1 | 2))), "seed {seed}");
    });
}
