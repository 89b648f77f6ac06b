//! Races that are of no one subject. Others stand with theirs: whatever is run by `races`.

use alloc::vec;
use core::sync::atomic::Ordering::SeqCst;

use abi::Errno;
use abi::types::{sa, sig, wait};

use super::races;
use crate::machdep::fake::{Fake, Request};

/// A signal to the group finds each member, one that is being born too: nobody is left to sleep for ever.
#[test]
fn a_fork_and_a_signal_to_the_group() {
    races(0..200, |seed| {
        let vk = Fake::seeded(seed).init_waits().boot();
        let h = vk.lwp_as(Request::new("/bin/test").pgroup(0), |sys| {
            let _ = sys.fork(|sys| _ = sys.nanosleep(u64::MAX));
            let _ = sys.nanosleep(u64::MAX);
        });
        let group = h.pid;
        vk.run_points(seed % 40);
        vk.init(move |sys| {
            sys.kill(-group, sig::TERM).expect("kill");
            while let Ok(w) = sys.wait4(-1, 0) {
                assert_eq!(w.status, wait::signaled(sig::TERM));
            }
        });
        vk.check_idle();
    });
}

/// The signal is blocked but in `sigsuspend`, so it can't come too early: each is one return.
#[test]
fn a_signal_and_sigsuspend() {
    races(0..200, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (r, w) = vk.init(|sys| sys.pipe2(0)).expect("pipe");
        let sleeper = vk.lwp(move |sys| {
            sys.handle(sig::USR1, 0, 0, |_, _, _| ()).expect("sigaction");
            sys.sigprocmask(sig::BLOCK, &[sig::USR1]).expect("mask");
            sys.write(w, b"r").expect("write");
            let ends = [sys.sigsuspend(&[]), sys.sigsuspend(&[])];
            (ends, sys.lp.proc.pending.load(SeqCst))
        });
        let pid = sleeper.pid;
        let sender = vk.lwp(move |sys| {
            assert_eq!(sys.read(r, 1), Ok(b"r".to_vec()));
            sys.kill(pid, sig::USR1).expect("kill");
            // Two of a kind are one while the first is pending.
            while sys.lp.kernel.proc_find(pid).is_ok_and(|p| p.pending.load(SeqCst) != 0) {
                sys.sched_yield().expect("yield");
            }
            let _ = sys.kill(pid, sig::USR1);
        });
        vk.join(sender);
        assert_eq!(vk.join(sleeper), ([Err(Errno::EINTR); 2], 0), "seed {seed}");
    });
}

/// A handler is gone with the program that had it: the signal is caught before exec, or ends the process.
#[test]
fn a_signal_and_exec() {
    races(0..200, |seed| {
        let vk = Fake::seeded(seed).program("sleeps", |sys| sys.nanosleep(u64::MAX).map_or(1, |()| 0)).boot();
        let h = vk.lwp(|sys| {
            sys.handle(sig::USR1, sa::RESTART, 0, |_, _, _| ()).expect("sigaction");
            panic!("exec: {:?}", sys.exec(&Request::new("/bin/sleeps")));
        });
        let pid = h.pid;
        vk.run_points(seed % 50);
        vk.init(move |sys| sys.kill(pid, sig::USR1)).expect("kill");
        vk.init(move |sys| sys.kill(pid, sig::TERM)).expect("kill");
        let (_, status) = vk.end::<()>(h);
        let ends = [sig::USR1, sig::TERM].map(wait::signaled);
        assert!(ends.contains(&status), "seed {seed}: {status:#x}");
    });
}

/// A parent that waits for a stop, or for an end, is woken by either, wherever it is on its way to sleep.
#[test]
fn a_stop_and_a_wait() {
    races(0..200, |seed| {
        let vk = Fake::seeded(seed).program("stops", |sys| sys.kill(sys.getpid(), sig::STOP).map_or(1, |()| 4)).boot();
        let ends = vk.init(|sys| {
            let pid = sys.spawn(&Request::new("/bin/stops")).expect("spawn");
            let first = sys.waitpid_stopped(pid).expect("wait");
            sys.kill(pid, sig::CONT).expect("cont");
            vec![first, sys.waitpid(pid).expect("wait")]
        });
        assert_eq!(ends, [wait::stopped(sig::STOP), wait::exited(4)], "seed {seed}");
    });
}
