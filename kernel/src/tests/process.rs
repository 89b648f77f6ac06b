//! The process tree: spawn, exit, wait, orphans.

use alloc::vec;
use alloc::vec::Vec;

use abi::Errno;
use abi::types::{sig, spawn, wait};

use super::{races, seeds};
use crate::machdep::fake::{Fake, Request, Sys};

/// Spawns a copy of `/bin/NAME` without arguments.
fn start(sys: &Sys, name: &str) -> i32 {
    sys.spawn(&Request::new(&alloc::format!("/bin/{name}"))).expect("spawn")
}

#[test]
fn a_parent_gets_the_exit_code_of_its_child() {
    seeds(0..40, |seed| {
        let vk = Fake::seeded(seed).program("seven", |_| 7).boot();
        let status = vk.init(|sys| {
            let pid = start(sys, "seven");
            sys.wait4(-1, 0).map(|w| (w.pid == pid, w.status))
        });
        assert_eq!(status, Ok((true, wait::exited(7))));
    });
}

#[test]
fn waiting_without_children_is_echild_and_bad_options_are_einval() {
    let vk = Fake::seeded(1).program("seven", |_| 7).boot();
    vk.init(|sys| {
        assert_eq!(sys.wait4(-1, 0), Err(Errno::ECHILD));
        assert_eq!(sys.wait4(-1, 0x8000), Err(Errno::EINVAL));
        assert_eq!(sys.wait4(1, wait::NOHANG), Err(Errno::ECHILD));
        let pid = start(sys, "seven");
        assert_eq!(sys.wait4(pid + 1, 0), Err(Errno::ECHILD));
        assert_eq!(sys.wait4(i32::MIN, 0), Err(Errno::ECHILD));
        assert_eq!(sys.waitpid(pid), Ok(wait::exited(7)));
        assert_eq!(sys.waitpid(pid), Err(Errno::ECHILD));
    });
}

#[test]
fn nohang_answers_nothing_while_the_child_lives() {
    let vk = Fake::seeded(2).program("sleeper", |sys| sys.nanosleep(1_000_000).map_or(1, |()| 0)).boot();
    let early = vk.init(|sys| {
        let pid = start(sys, "sleeper");
        (pid, sys.wait4(pid, wait::NOHANG).map(|w| w.pid))
    });
    assert_eq!(early.1, Ok(0));
    vk.run();
    assert_eq!(vk.init(move |sys| sys.wait4(early.0, wait::NOHANG).map(|w| w.status)), Ok(wait::exited(0)));
}

#[test]
fn wait_chooses_by_pid_and_by_group() {
    seeds(0..40, |seed| {
        let vk = Fake::seeded(seed).program("one", |_| 1).program("two", |_| 2).boot();
        vk.init(|sys| {
            let a = start(sys, "one");
            let b = sys.spawn(&Request::new("/bin/two").pgroup(0)).expect("spawn");
            let own = sys.getpgid(0).expect("pgid");
            assert_eq!(sys.getpgid(b), Ok(b));
            assert_eq!(sys.wait4(-b, 0).map(|w| (w.pid, w.status)), Ok((b, wait::exited(2))));
            assert_eq!(sys.wait4(-b, 0), Err(Errno::ECHILD));
            assert!(sys.wait4(-own, wait::NOHANG).is_ok());
            // Reaped just now, or still there.
            let rest = sys.waitpid(a);
            assert!(rest == Ok(wait::exited(1)) || rest == Err(Errno::ECHILD), "{rest:?}");
        });
    });
}

/// exit and wait may meet at any point: each child is reaped once, by one wait.
#[test]
fn every_exit_is_seen_by_one_wait() {
    races(0..300, |seed| {
        let vk = Fake::seeded(seed).program("code", |sys| sys.argv()[1].parse().unwrap_or(0)).boot();
        let codes = vk.init(|sys| {
            for code in ["11", "12", "13", "14"] {
                sys.spawn(&Request::new("/bin/code").arg(code)).expect("spawn");
            }
            let mut codes: Vec<u32> = (0..4).map(|_| sys.wait4(-1, 0).expect("wait").status >> 8).collect();
            assert_eq!(sys.wait4(-1, 0), Err(Errno::ECHILD));
            codes.sort();
            codes
        });
        assert_eq!(codes, [11, 12, 13, 14]);
    });
}

#[test]
fn spurious_wake_ups_change_nothing() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed).spurious().program("nap", |sys| sys.nanosleep(5000).map_or(1, |()| 3)).boot();
        vk.init(|sys| {
            let before = sys.clock_ns(1).expect("clock");
            let pid = start(sys, "nap");
            assert_eq!(sys.waitpid(pid), Ok(wait::exited(3)));
            assert!(sys.clock_ns(1).expect("clock") >= before + 5000, "slept too short");
        });
    });
}

/// A parent that starts two children and leaves.
fn leaver(sys: &Sys) -> i32 {
    start(sys, "late");
    start(sys, "early");
    0
}

fn family(seed: u64) -> Fake {
    Fake::seeded(seed).program("leaver", leaver).program("early", |_| 21).program("late", |sys| {
        let _ = sys.nanosleep(1_000_000);
        // By then the parent is gone.
        if sys.getppid() == 1 { 22 } else { 23 }
    })
}

#[test]
fn orphans_go_to_an_init_that_waits() {
    races(0..300, |seed| {
        let vk = family(seed).init_waits().boot();
        vk.init(|sys| {
            let pid = start(sys, "leaver");
            let mut got: Vec<(bool, u32)> =
                (0..3).map(|_| sys.wait4(-1, 0).expect("wait")).map(|w| (w.pid == pid, w.status >> 8)).collect();
            got.sort();
            assert_eq!(got, [(false, 21), (false, 22), (true, 0)]);
            assert_eq!(sys.wait4(-1, 0), Err(Errno::ECHILD));
        });
    });
}

#[test]
fn orphans_reap_themselves_under_an_init_that_does_not_wait() {
    seeds(0..300, |seed| {
        let vk = family(seed).boot();
        let pid = vk.init(|sys| {
            let pid = start(sys, "leaver");
            assert_eq!(sys.waitpid(pid), Ok(wait::exited(0)));
            pid
        });
        vk.run();
        let left: Vec<i32> = vk.kernel.procs.tree.lock().map.keys().copied().collect();
        assert_eq!(left, [1], "seed {seed}");
        vk.init(move |sys| {
            assert_eq!(sys.wait4(-1, 0), Err(Errno::ECHILD));
            assert_eq!(sys.kill(pid, 0), Err(Errno::ESRCH));
        });
    });
}

#[test]
fn a_zombie_is_there_until_it_is_waited_for() {
    let vk = Fake::seeded(3).program("seven", |_| 7).boot();
    let pid = vk.init(|sys| start(sys, "seven"));
    vk.run();
    vk.init(move |sys| {
        assert_eq!(sys.kill(pid, 0), Ok(()));
        assert_eq!(sys.kill(pid, sig::KILL), Ok(()));
        assert_eq!(sys.getpgid(pid), sys.getpgid(0));
        assert_eq!(sys.waitpid(pid), Ok(wait::exited(7)));
        assert_eq!(sys.kill(pid, 0), Err(Errno::ESRCH));
    });
}

#[test]
fn children_of_a_parent_that_ignores_sigchld_leave_no_zombies() {
    seeds(0..100, |seed| {
        let vk = Fake::seeded(seed).program("seven", |_| 7).boot();
        let parent = vk.lwp(|sys| {
            sys.sigaction(sig::CHLD, 1).expect("sigaction");
            start(sys, "seven");
            start(sys, "seven");
            sys.wait4(-1, 0).map(|w| w.pid)
        });
        assert_eq!(vk.join(parent), Err(Errno::ECHILD), "seed {seed}");
    });
}

#[test]
fn the_end_of_pid_1_halts_the_machine_with_its_status() {
    seeds(0..40, |seed| {
        let vk = Fake::seeded(seed).program("spinner", |sys| sys.spin()).boot();
        vk.init(|sys| start(sys, "spinner"));
        vk.run_points(50);
        assert_eq!(vk.shutdown(3), 3);
    });
}

#[test]
fn a_program_that_is_not_there_ends_the_machine_with_127() {
    let vk = Fake::seeded(1).pid1("/bin/nonesuch").power_on();
    vk.run();
    assert_eq!(vk.exit_status(), Some(wait::exited(127)));
    assert!(vk.console().contains("/bin/nonesuch: No such file or directory"), "{}", vk.console());
}

#[test]
fn a_program_that_is_none_ends_the_machine_with_126() {
    let vk = Fake::seeded(1).file_mode("bin/text", b"hello", 0o755).pid1("/bin/text").power_on();
    vk.run();
    assert_eq!(vk.exit_status(), Some(wait::exited(126)));
    assert!(vk.console().contains("not an image"), "{}", vk.console());
}

#[test]
fn groups_and_sessions() {
    let vk = Fake::seeded(5).program("idler", |sys| sys.spin()).boot();
    let lead = vk.lwp(|sys| {
        let me = sys.getpid();
        assert_eq!(sys.setsid(), Ok(me));
        assert_eq!(sys.setsid(), Err(Errno::EPERM), "a group leader");
        assert_eq!(sys.setpgid(0, 0), Err(Errno::EPERM), "a session leader");
        let a = start(sys, "idler");
        let b = start(sys, "idler");
        assert_eq!(sys.setpgid(a, a), Ok(()));
        assert_eq!(sys.setpgid(b, a), Ok(()));
        assert_eq!(sys.setpgid(b, 4000), Err(Errno::EPERM), "no such group");
        assert_eq!(sys.setpgid(b, -1), Err(Errno::EINVAL));
        assert_eq!(sys.setpgid(1, 0), Err(Errno::ESRCH), "not a child");
        assert_eq!(sys.kill(-a, sig::TERM), Ok(()));
        let mut ends: Vec<u32> = vec![sys.waitpid(a).expect("a"), sys.waitpid(b).expect("b")];
        ends.dedup();
        assert_eq!(ends, [wait::signaled(sig::TERM)]);
        assert_eq!(sys.kill(-a, sig::TERM), Err(Errno::ESRCH));
    });
    vk.join(lead);
}

#[test]
fn pids_are_not_reused_while_a_group_bears_the_number() {
    let vk = Fake::seeded(6).program("seven", |_| 7).boot();
    vk.init(|sys| {
        let mut seen = alloc::collections::BTreeSet::new();
        for _ in 0..50 {
            let pid = start(sys, "seven");
            assert!(seen.insert(pid), "{pid} twice in a row of 50");
            sys.waitpid(pid).expect("wait");
        }
    });
}

#[test]
fn a_zombie_keeps_its_name_only() {
    let vk = Fake::seeded(1).program("seven", |_| 7).boot();
    let h = vk.lwp(|sys| {
        let child = sys.spawn(&Request::new("/bin/seven").arg("long").env("A=long")).expect("spawn");
        sys.nanosleep(1_000_000).expect("sleep");
        let about = |file| sys.get_file(alloc::format!("/proc/{child}/{file}")).expect("read");
        assert_eq!((about("comm"), about("cmdline"), about("environ")), (b"seven\n".to_vec(), vec![], vec![]));
        assert_eq!(sys.waitpid(child), Ok(wait::exited(7)));
    });
    vk.join(h);
}

#[test]
fn a_spawn_that_fails_leaves_the_terminal_to_whom_it_was() {
    let vk = Fake::seeded(1).program("seven", |_| 7).boot();
    let h = vk.lwp(|sys| {
        let group = || sys.lp.kernel.console.foreground();
        let (before, flags) = (group(), spawn::FOREGROUND | spawn::SETPGROUP);
        assert_eq!(sys.spawn(&Request::new("/bin/none").flags(flags)), Err(Errno::ENOENT));
        assert_eq!(group(), before);
        let child = sys.spawn(&Request::new("/bin/seven").flags(flags)).expect("spawn");
        assert_eq!(group(), child);
    });
    vk.join(h);
}
