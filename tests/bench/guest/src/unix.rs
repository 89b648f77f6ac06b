//! What Unix programs do to each other: they fork, and they send signals. A program of its own: one
//! that may fork is rewritten by the loader, and the other measures should not be of such a one.
//!
//! The same arguments and the same output as `microbench`.

// Shared with `main.rs`, which uses more of them.
#[cfg(any(not(target_family = "wasm"), feature = "vkernel"))]
#[allow(dead_code)]
mod harness;
#[cfg(any(not(target_family = "wasm"), feature = "vkernel"))]
#[allow(dead_code)]
mod os;
#[cfg(any(not(target_family = "wasm"), feature = "vkernel"))]
#[allow(dead_code)]
mod sys;
#[cfg(any(not(target_family = "wasm"), feature = "vkernel"))]
mod unixcalls;

#[cfg(all(target_family = "wasm", feature = "vkernel"))]
vkernel_sys::signal_handlers!();

use std::process::ExitCode;

#[cfg(all(target_family = "wasm", not(feature = "vkernel")))]
fn main() -> ExitCode {
    eprintln!("microbench-unix: WASI has no fork and no signals");
    ExitCode::FAILURE
}

#[cfg(any(not(target_family = "wasm"), feature = "vkernel"))]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    match harness::Bench::from_args(&args) {
        Ok(bench) => measures::run(&bench),
        Err(why) => {
            eprintln!("microbench-unix: {why}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

#[cfg(any(not(target_family = "wasm"), feature = "vkernel"))]
mod measures {
    use crate::harness::Bench;
    use crate::sys;
    use crate::unixcalls::{self as calls, Signal};
    use std::io;
    use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

    pub fn run(b: &Bench) {
        b.time("fork.exit_wait", |n| (0..n).try_for_each(|_| ends(calls::fork(|| 0)?)));
        b.time("fork.exec_wait", |n| (0..n).try_for_each(|_| ends(calls::fork(|| calls::exec(&b.nop))?)));
        b.time("sig.self", to_self);
        if b.wants("sig.round_trip")
            && let Err(e) = round_trip(b)
        {
            println!("sig.round_trip\tERR\t{e}");
        }
    }

    fn ends(child: i32) -> io::Result<()> {
        match sys::wait(child)? {
            0 => Ok(()),
            status => Err(io::Error::other(format!("a child ended with status {status:#x}"))),
        }
    }

    static COUNT: AtomicU64 = AtomicU64::new(0);

    extern "C" fn count(_: i32) {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }

    /// The handler has run when `kill` comes back (POSIX, kill(): a signal to oneself).
    fn to_self(n: u64) -> io::Result<()> {
        calls::handle(Signal::Usr1, count)?;
        let (me, before) = (calls::getpid(), COUNT.load(Ordering::Relaxed));
        (0..n).try_for_each(|_| calls::kill(me, Signal::Usr1))?;
        match COUNT.load(Ordering::Relaxed) - before {
            ran if ran == n => Ok(()),
            ran => Err(io::Error::other(format!("{ran} handlers of {n} ran"))),
        }
    }

    /// Whom the child's handler answers.
    static PEER: AtomicI32 = AtomicI32::new(0);

    extern "C" fn answer(_: i32) {
        _ = calls::kill(PEER.load(Ordering::Relaxed), Signal::Usr1);
    }

    /// A signal to another process, whose handler sends one back.
    fn round_trip(b: &Bench) -> io::Result<()> {
        calls::handle(Signal::Usr1, count)?;
        // Held back but for while we sleep, or one could come before the sleep.
        calls::hold(Signal::Usr1)?;
        PEER.store(calls::getpid(), Ordering::Relaxed);
        let child = calls::fork(|| match calls::handle(Signal::Usr1, answer) {
            Err(_) => 1,
            Ok(()) => loop {
                calls::sleep();
            },
        })?;
        b.time("sig.round_trip", |n| {
            (0..n).try_for_each(|_| {
                let before = COUNT.load(Ordering::Relaxed);
                calls::kill(child, Signal::Usr1)?;
                while COUNT.load(Ordering::Relaxed) == before {
                    calls::sleep();
                }
                Ok(())
            })
        });
        calls::kill(child, Signal::Kill)?;
        sys::wait(child).map(drop)
    }
}
