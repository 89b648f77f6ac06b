//! Native tests of the kernel on the fake machine. Whatever could depend on who runs first is run
//! under many seeds; a failure names its seed, and `FAKE_SEED=n` runs that one alone.

mod chroot;
mod descriptors;
mod exec;
mod faults;
mod fifos;
mod fork;
mod fsrace;
mod fuzz;
mod handlers;
mod limits;
mod lockf;
mod pipes;
mod polling;
mod process;
mod pty;
mod sched;
mod shortage;
mod signals;
mod sockets;
mod stdio;
mod tty;
mod tty_sessions;

use core::ops::Range;

/// Runs a test under each of these seeds; `FAKE_TIMES=n` takes so many times as many.
pub fn seeds(range: Range<u64>, test: impl Fn(u64)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    let times = number("FAKE_TIMES").unwrap_or(1);
    match number("FAKE_SEED") {
        Some(one) => test(one),
        None => (range.start..range.start + (range.end - range.start) * times).for_each(test),
    }
}
