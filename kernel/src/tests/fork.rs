//! fork(2): what the child has of its parent, and the races with signals and ends.

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use abi::Errno;
use abi::types::{fcntl, o, rlimit, sig, wait};

use super::{races, seeds};
use crate::machdep::fake::{Fake, Request, Sys, Vk, sigdisp};

/// Forks a child whose closure must come to its end.
fn fork_and_wait(sys: &Sys, f: impl FnOnce(&Sys) + Send + 'static) {
    let pid = sys.fork(move |sys| {
        f(sys);
        sys.exit(42)
    });
    assert_eq!(pid.and_then(|p| sys.waitpid(p)), Ok(wait::exited(42)));
}

#[test]
fn a_child_has_a_pid_of_its_own_and_its_parent_waits_for_it() {
    seeds(0..40, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(|sys| {
            let parent = sys.getpid();
            assert_eq!(sys.call("frames", &[]), Ok(0));
            let pid = sys.fork(move |sys| {
                assert_eq!(sys.getppid(), parent);
                assert_ne!(sys.getpid(), parent);
                assert_ne!(sys.call("frames", &[]), Ok(0));
                sys.exit(7)
            });
            let w = sys.wait4(-1, 0).expect("wait");
            assert_eq!((Ok(w.pid), w.status), (pid, wait::exited(7)));
            assert_eq!(sys.wait4(-1, 0), Err(Errno::ECHILD));
        });
        vk.join(h);
    });
}

#[test]
fn memory_is_copied_and_then_each_has_its_own() {
    seeds(0..40, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(|sys| {
            let (shared, big) = (sys.alloc(8), sys.alloc(100 << 10));
            sys.poke(shared, b"original");
            sys.poke(big.offset(99 << 10), b"far");
            let (r, w) = sys.pipe2(0).expect("pipe");
            let size = sys.memory_size();
            let pid = sys.fork(move |sys| {
                // The parent has changed its own by now.
                assert_eq!(sys.read(r, 1), Ok(b"x".to_vec()));
                assert_eq!(sys.peek(shared, 8), b"original");
                assert_eq!(sys.peek(big.offset(99 << 10), 3), b"far");
                assert_eq!(sys.memory_size(), size);
                sys.poke(shared, b"child's.");
                assert!(sys.try_grow(1 << 20));
            });
            sys.poke(shared, b"parent's");
            sys.write(w, b"x").expect("write");
            assert_eq!(sys.waitpid(pid.expect("fork")), Ok(wait::exited(0)));
            assert_eq!(sys.peek(shared, 8), b"parent's");
            assert_eq!(sys.memory_size(), size);
        });
        vk.join(h);
    });
}

#[test]
fn descriptors_share_their_files_and_keep_close_on_exec() {
    let vk = Fake::seeded(3).boot();
    let h = vk.lwp(|sys| {
        let fd = sys.open("/tmp/f", o::CREAT | o::RDWR | o::CLOEXEC, 0o600).expect("open");
        sys.write(fd, b"0123456789").expect("write");
        sys.call("lseek", &[fd as u64, 2, 0]).expect("seek");
        fork_and_wait(sys, move |sys| {
            assert_eq!(sys.fcntl(fd, fcntl::GETFD, 0), Ok(fcntl::FD_CLOEXEC as i32));
            assert_eq!(sys.read(fd, 3), Ok(b"234".to_vec()));
            // Of the open file; the other is of the descriptor.
            sys.fcntl(fd, fcntl::SETFL, o::APPEND as i32).expect("SETFL");
            sys.fcntl(fd, fcntl::SETFD, 0).expect("SETFD");
            sys.close(0).expect("close");
        });
        assert_eq!(sys.read(fd, 3), Ok(b"567".to_vec()));
        assert_eq!(sys.fcntl(fd, fcntl::GETFL, 0).map(|f| f as u32 & o::APPEND), Ok(o::APPEND));
        assert_eq!(sys.fcntl(fd, fcntl::GETFD, 0), Ok(fcntl::FD_CLOEXEC as i32));
        assert!(sys.fcntl(0, fcntl::GETFD, 0).is_ok());
    });
    vk.join(h);
}

#[test]
fn what_else_is_inherited_and_what_is_not() {
    let vk = Fake::seeded(4).boot();
    let h = vk.lwp(|sys| {
        sys.mkdir("/tmp/d", 0o777).expect("mkdir");
        sys.chdir("/tmp/d").expect("chdir");
        sys.call("umask", &[0o27]).expect("umask");
        sys.setrlimit(rlimit::NOFILE, 100, 200).expect("setrlimit");
        sys.setpgid(0, 0).expect("setpgid");
        sys.sigaction(sig::USR1, sigdisp::IGNORE).expect("sigaction");
        sys.sigaction(sig::USR2, sigdisp::CATCH).expect("sigaction");
        sys.sigprocmask(sig::BLOCK, &[sig::TERM]).expect("sigprocmask");
        sys.kill(sys.getpid(), sig::TERM).expect("kill");
        let (pgid, sid) = (sys.getpgid(0), sys.call("getsid", &[0]));
        let child = move |sys: &Sys| {
            assert_eq!((sys.getpgid(0), sys.call("getsid", &[0])), (pgid, sid));
            assert_eq!(sys.call("umask", &[0o27]), Ok(0o27));
            assert!(sys.stat("../d", 0).is_ok(), "the directory");
            assert_eq!(sys.lp.proc.limits.hard(rlimit::NOFILE), 200);
            assert_eq!(sys.sigaction(sig::USR1, sigdisp::IGNORE), Ok(sigdisp::IGNORE));
            assert_eq!(sys.sigaction(sig::USR2, sigdisp::CATCH), Ok(sigdisp::CATCH));
            assert_eq!(sys.lp.proc.blocked.load(SeqCst), sig::bit(sig::TERM));
            assert_eq!(sys.lp.proc.pending.load(SeqCst), 0, "pending signals are the parent's");
            assert_eq!(sys.argv().first().map(|a| a.to_string()), Some("/bin/test".to_string()));
        };
        fork_and_wait(sys, child);
        assert_eq!(sys.lp.proc.pending.load(SeqCst) & sig::bit(sig::TERM), sig::bit(sig::TERM));
        sys.setuid(1000).expect("setuid");
        fork_and_wait(sys, |sys| assert_eq!(sys.call("geteuid", &[]), Ok(1000)));
    });
    vk.join(h);
}

#[test]
fn exec_in_the_child_leaves_the_parent_alone_and_forgets_the_fork() {
    let vk = Fake::seeded(5).program("seven", |sys| if sys.call("frames", &[]) == Ok(0) { 7 } else { 8 }).boot();
    let h = vk.lwp(|sys| {
        let here = sys.alloc(4);
        sys.poke(here, b"here");
        let pid = sys.fork(|sys| panic!("exec: {:?}", sys.exec(&Request::new("/bin/seven"))));
        assert_eq!(sys.waitpid(pid.expect("fork")), Ok(wait::exited(7)));
        assert_eq!(sys.peek(here, 4), b"here");
    });
    vk.join(h);
}

#[test]
fn generations_and_orphans() {
    seeds(0..40, |seed| {
        let vk = Fake::seeded(seed).init_waits().boot();
        let h = vk.lwp(|sys| {
            let (r, w) = sys.pipe2(0).expect("pipe");
            let pid = sys.fork(move |sys| {
                let parent = sys.getpid();
                let made = sys.fork(move |sys| {
                    assert!([parent, 1].contains(&sys.getppid()));
                    sys.close(w).expect("close");
                    // The end of the grandparent's pipe comes when all are gone.
                    assert_eq!(sys.read(r, 1), Ok(vec![]));
                    assert_eq!(sys.getppid(), 1);
                    sys.exit(9)
                });
                assert!(made.is_ok());
            });
            assert_eq!(sys.waitpid(pid.expect("fork")), Ok(wait::exited(0)));
            assert_eq!(sys.wait4(-1, 0), Err(Errno::ECHILD), "a grandchild is no child");
            sys.close(w).expect("close");
        });
        vk.join(h);
        vk.run();
        assert_eq!(vk.init(|sys| sys.wait4(-1, 0).map(|w| w.status)), Ok(wait::exited(9)));
    });
}

#[test]
fn at_a_limit_it_is_eagain_and_afterwards_it_works() {
    let vk = Fake::seeded(6).max_procs(5).boot();
    let h = vk.lwp(|sys| {
        let sleeper = |sys: &Sys| _ = sys.nanosleep(u64::MAX);
        let pids = [sys.fork(sleeper), sys.fork(sleeper), sys.fork(sleeper)].map(|p| p.expect("fork"));
        assert_eq!(sys.fork(|_| ()), Err(Errno::EAGAIN), "the machine's");
        for pid in pids {
            sys.kill(pid, sig::KILL).expect("kill");
            assert_eq!(sys.waitpid(pid), Ok(sig::KILL));
        }
        sys.setrlimit(rlimit::NPROC, 2, 2).expect("setrlimit");
        sys.setuid(1000).expect("setuid");
        fork_and_wait(sys, |sys| assert_eq!(sys.fork(|_| ()), Err(Errno::EAGAIN), "the user's"));
    });
    vk.join(h);
}

/// Each step may fail: nothing is left of the child, and the next fork succeeds.
#[test]
fn a_fork_that_fails_leaves_nothing() {
    for n in 1.. {
        let vk = Fake::seeded(n).boot();
        let h = vk.lwp(move |sys| {
            let fd = sys.open("/tmp/f", o::CREAT | o::RDWR, 0o600).expect("open");
            {
                let mut w = sys.machine.world();
                w.faults.nth = Some(w.faults.calls + n);
            }
            let forked = sys.fork(|_| ());
            sys.machine.world().faults.nth = None;
            match forked {
                Ok(pid) => assert_eq!(sys.waitpid(pid), Ok(wait::exited(0))),
                Err(e) => {
                    assert!([Errno::EAGAIN, Errno::ENOMEM].contains(&e), "{e}");
                    assert_eq!(sys.wait4(-1, 0), Err(Errno::ECHILD));
                }
            }
            sys.close(fd).expect("close");
            fork_and_wait(sys, |_| ());
            forked.is_ok()
        });
        let through = vk.join(h);
        vk.check_idle();
        if through {
            assert_eq!(n, 3, "two calls of the host's can fail");
            return;
        }
    }
}

/// Children that fork children: a process and its group.
fn breed(sys: &Sys, generation: u32) {
    for _ in 0..3 {
        if generation > 0 {
            let _ = sys.fork(move |sys| breed(sys, generation - 1));
        }
    }
    let _ = sys.nanosleep(u64::MAX);
}

/// Runs a family that forks all the time, and does `act` to its group at some point of it.
fn amid(seed: u64, act: fn(&Sys, i32)) -> Vk {
    let vk = Fake::seeded(seed).init_waits().max_procs(30).boot();
    let h = vk.lwp_as(Request::new("/bin/test").pgroup(0), |sys| breed(sys, 3));
    vk.run_points(seed * 7 % 900);
    let group = h.pid;
    vk.init(move |sys| act(sys, group));
    vk
}

fn alive(vk: &Vk, group: i32) -> usize {
    let tree = vk.kernel.procs.tree.lock();
    let is = |n: &&crate::kern::proc::Node| n.proc.pgid.load(Relaxed) == group;
    tree.map.values().filter(is).filter(|n| !matches!(n.state, crate::kern::proc::State::Zombie { .. })).count()
}

/// However fast it forks, one kill of its group ends it: nobody is born past the signal.
#[test]
fn a_group_that_forks_dies_of_one_kill() {
    static GROUP: AtomicU32 = AtomicU32::new(0);
    seeds(0..400, |seed| {
        let vk = amid(seed, |sys, group| {
            GROUP.store(group as u32, Relaxed);
            sys.kill(-group, sig::KILL).expect("kill");
        });
        vk.run();
        assert_eq!(alive(&vk, GROUP.load(Relaxed) as i32), 0, "{}: somebody escaped\n{}", vk.seed(), vk.describe());
    });
}

/// A stop of the group stops every member, those that are born meanwhile too; and all go on after it.
#[test]
fn a_group_that_forks_stops_and_goes_on() {
    static GROUP: AtomicU32 = AtomicU32::new(0);
    seeds(1000..1400, |seed| {
        let vk = amid(seed, |sys, group| {
            GROUP.store(group as u32, Relaxed);
            sys.kill(-group, sig::STOP).expect("stop");
        });
        let group = GROUP.load(Relaxed) as i32;
        vk.run_until_quiet();
        let stopped = alive(&vk, group);
        for node in vk.kernel.procs.tree.lock().map.values() {
            let member = node.proc.pgid.load(Relaxed) == group;
            let runs = node.state == crate::kern::proc::State::Running;
            assert!(!(member && runs), "{}: pid {} runs", vk.seed(), node.proc.pid);
        }
        vk.init(move |sys| sys.kill(-group, sig::CONT)).expect("continue");
        vk.run_until_quiet();
        assert!(alive(&vk, group) >= stopped, "{}", vk.seed());
        assert!(alive(&vk, group) >= 15, "{}: only {} were born", vk.seed(), alive(&vk, group));
    });
}

/// The parent may be killed at any point of its fork: what child there is becomes an orphan.
#[test]
fn a_parent_that_is_killed_while_it_forks() {
    races(0..400, |seed| {
        let vk = Fake::seeded(seed).init_waits().switch_one_in(1 + seed % 3).boot();
        let h = vk.lwp(|sys| {
            for _ in 0..3 {
                let _ = sys.fork(|sys| sys.exit(3));
            }
        });
        vk.run_points(seed % 60);
        let pid = h.pid;
        vk.init(move |sys| {
            let _ = sys.kill(pid, sig::KILL);
            let mut ends = 0;
            while let Ok(w) = sys.wait4(-1, 0) {
                let own = w.pid == pid && [sig::KILL, 0].contains(&w.status);
                assert!(own || w.status == wait::exited(3), "status {:#x}", w.status);
                ends += 1;
            }
            assert!((1..=4).contains(&ends), "{ends} children");
        });
        vk.check_idle();
    });
}

/// Before it has its frames a child has no stack pointer for a handler.
#[test]
fn a_childs_handlers_wait_until_it_has_its_frames() {
    seeds(0..40, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(|sys| {
            fork_and_wait(sys, |sys| {
                let count = Arc::new(AtomicU32::new(0));
                let counts = count.clone();
                sys.handle(sig::USR1, 0, 0, move |_, _, _| _ = counts.fetch_add(1, SeqCst)).expect("handle");
                crate::kern::sig::psignal(&sys.lp.kernel, &sys.lp.proc, sig::USR1);
                sys.checkpoint();
                for wanted in [0, 1] {
                    assert_eq!(count.load(SeqCst), 0);
                    sys.call("frames", &[]).expect("frames");
                    assert_eq!(count.load(SeqCst), wanted);
                }
            });
        });
        vk.join(h);
    });
}
