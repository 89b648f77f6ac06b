//! fork(2), as any program calls it: POSIX, so that a POSIX host must pass, too.

use abi::types::{fcntl, o, rlimit, sig, wait};
use vkernel_sys::proc::{Disposition, Forked, fork};
use vkernel_sys::{Errno, fs, io, proc};

use crate::harness::{role, wait_for, write_file};

crate::tests! { forks:
    two_come_back, deep_in_the_stack, offsets_are_shared, memory_is_not, a_pipe_between_them, exec_in_the_child,
    generations, close_on_exec_is_kept, signals_and_masks, memory_grows_on_one_side, many_in_a_row_leave_nothing,
    at_the_limit_and_on, many_at_once,
}

/// Has a child do something; its exit code is 0 when that comes to its end.
fn in_child(f: impl FnOnce()) -> i32 {
    match fork().expect("fork") {
        Forked::Child => {
            f();
            proc::exit(0)
        }
        Forked::Parent(pid) => pid,
    }
}

/// As `in_child`, and waits.
fn child_does(f: impl FnOnce()) {
    assert_eq!(wait_for(in_child(f)), wait::exited(0));
}

fn two_come_back() {
    let own = proc::getpid();
    match fork().unwrap() {
        Forked::Child => {
            assert_eq!(proc::getppid(), own);
            assert_ne!(proc::getpid(), own);
            proc::exit(7)
        }
        Forked::Parent(pid) => {
            assert_eq!(proc::getpid(), own);
            assert_eq!(proc::waitpid(-1, 0), Ok(Some((pid, wait::exited(7)))));
            assert_eq!(proc::waitpid(-1, 0), Err(Errno::ECHILD));
        }
    }
}

/// Adds up on the way back what it has on its stack.
#[inline(never)]
fn descend(depth: u64, sum: &mut dyn FnMut(u64) -> u64) -> u64 {
    if depth == 0 {
        return match fork().unwrap() {
            Forked::Child => 1,
            Forked::Parent(pid) => (wait_for(pid) == wait::exited(42)) as u64 * 1000,
        };
    }
    let (a, b) = (sum(depth), depth as f64 * 0.5);
    let below = descend(depth - 1, sum);
    below + a - (b * 2.0) as u64
}

fn deep_in_the_stack() {
    let mut calls = 0;
    let mut sum = |n| {
        calls += 1;
        n
    };
    let result = descend(300, &mut sum);
    if result == 1 {
        assert_eq!(calls, 300);
        proc::exit(42);
    }
    assert_eq!(result, 1000);
}

fn offsets_are_shared() {
    write_file(b"f", b"0123456789");
    let fd = io::open(b"f", o::RDWR, 0).unwrap();
    let mut two = [0; 2];
    child_does(|| {
        let mut three = [0; 3];
        assert_eq!(io::read(fd, &mut three), Ok(3));
        assert_eq!(io::fcntl(fd, fcntl::SETFL, o::APPEND as i32), Ok(0));
    });
    assert_eq!(io::read(fd, &mut two), Ok(2));
    assert_eq!(&two, b"34");
    assert_ne!(io::fcntl(fd, fcntl::GETFL, 0).unwrap() as u32 & o::APPEND, 0);
}

fn memory_is_not() {
    let mut words = vec![String::from("one"), String::from("two")];
    let local = std::cell::Cell::new(5);
    child_does(|| {
        assert_eq!((words.concat().as_str(), local.get()), ("onetwo", 5));
        words.push("three".repeat(1000));
        local.set(6);
    });
    assert_eq!((words.len(), local.get()), (2, 5));
}

fn a_pipe_between_them() {
    let (r, w) = io::pipe2(0).unwrap();
    let text: Vec<u8> = (0..200_000u32).map(|i| i as u8).collect();
    let pid = in_child(|| {
        io::close(r).unwrap();
        io::write_all(w, &text).unwrap();
    });
    io::close(w).unwrap();
    assert!(io::read_to_end(r).unwrap() == text);
    assert_eq!(wait_for(pid), wait::exited(0));
}

fn exec_in_the_child() {
    let (r, w) = io::pipe2(o::CLOEXEC).unwrap();
    let pid = in_child(|| {
        panic!("exec: {}", {
            io::dup3(w, 1, 0).unwrap();
            role("print_args", &["of", "the", "child"]).exec()
        })
    });
    io::close(w).unwrap();
    assert_eq!(io::read_to_end(r).unwrap(), b"of|the|child");
    assert_eq!(wait_for(pid), wait::exited(0));
}

fn generations() {
    let (r, w) = io::pipe2(0).unwrap();
    let (child, own) = (proc::getpid(), proc::getpid());
    child_does(|| {
        let parent = proc::getpid();
        assert_ne!(parent, child);
        let grandchild = in_child(|| {
            // Until its parent is gone.
            while proc::getppid() == parent {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            assert_ne!(proc::getppid(), own, "an orphan is not its grandparent's");
            io::write_all(w, b"orphan").unwrap();
        });
        assert!(grandchild > 0);
    });
    io::close(w).unwrap();
    assert_eq!(io::read_to_end(r).unwrap(), b"orphan");
    assert_eq!(proc::waitpid(-1, 0), Err(Errno::ECHILD));
}

fn close_on_exec_is_kept() {
    let (r, w) = io::pipe2(o::CLOEXEC).unwrap();
    child_does(|| {
        for fd in [r, w] {
            assert_eq!(io::fcntl(fd, fcntl::GETFD, 0), Ok(fcntl::FD_CLOEXEC));
        }
        io::write_all(w, b"x").unwrap();
    });
    assert_eq!(io::read(r, &mut [0; 4]), Ok(1));
}

fn signals_and_masks() {
    proc::sigaction(sig::USR1, Disposition::Ignore).unwrap();
    proc::sigblock(&[sig::USR2]).unwrap();
    proc::kill(proc::getpid() as i32, sig::USR2).unwrap();
    child_does(|| {
        let own = proc::getpid() as i32;
        assert_eq!(proc::sigtake(&[sig::USR2]), None, "what is pending is the parent's");
        proc::kill(own, sig::USR1).unwrap();
        proc::kill(own, sig::USR2).unwrap();
        assert_eq!(proc::sigtake(&[sig::USR2]), Some(sig::USR2));
    });
    assert_eq!(proc::sigtake(&[sig::USR2]), Some(sig::USR2));
    let pid = in_child(|| {
        loop {
            std::hint::black_box(0);
        }
    });
    proc::kill(pid, sig::TERM).unwrap();
    assert_eq!(wait_for(pid), sig::TERM);
}

fn memory_grows_on_one_side() {
    let kept = vec![3u8; 2 << 20];
    child_does(|| {
        let more = vec![7u8; 8 << 20];
        assert_eq!((kept[(2 << 20) - 1], more[(8 << 20) - 1]), (3, 7));
    });
    let more = vec![9u8; 1 << 20];
    assert_eq!((kept[100], more[100]), (3, 9));
}

fn many_in_a_row_leave_nothing() {
    for i in 0..200 {
        let pid = in_child(|| proc::exit(i % 7));
        assert_eq!(wait_for(pid), wait::exited(i as u32 % 7));
    }
}

fn at_the_limit_and_on() {
    // Root has no limit, and a POSIX host's user may have other processes.
    if cfg!(not(target_family = "wasm")) {
        return;
    }
    proc::setrlimit(rlimit::NPROC, 3, 3).unwrap();
    proc::setuid(4321).unwrap();
    for _ in 0..3 {
        let (r, w) = io::pipe2(0).unwrap();
        let wait_for_end = || {
            io::close(w).unwrap();
            assert_eq!(io::read(r, &mut [0; 1]), Ok(0));
        };
        let pids = [in_child(wait_for_end), in_child(wait_for_end)];
        assert_eq!(fork(), Err(Errno::EAGAIN));
        io::close(w).unwrap();
        pids.iter().for_each(|&pid| assert_eq!(wait_for(pid), wait::exited(0)));
        io::close(r).unwrap();
    }
}

fn many_at_once() {
    let here = fs::getcwd().unwrap();
    let (r, w) = io::pipe2(0).unwrap();
    let pids: Vec<i32> = (0..30)
        .map(|i| {
            in_child(|| {
                assert_eq!(fs::getcwd().unwrap(), here);
                io::write_all(w, &[i]).unwrap();
            })
        })
        .collect();
    io::close(w).unwrap();
    let mut said = io::read_to_end(r).unwrap();
    said.sort_unstable();
    assert_eq!(said, (0..30).collect::<Vec<u8>>());
    pids.into_iter().for_each(|pid| assert_eq!(wait_for(pid), wait::exited(0)));
}
