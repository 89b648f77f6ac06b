//! Native tests of the kernel on the fake machine. Whatever could depend on who runs first is run
//! under many seeds; a failure names its seed, and `VK_SEED=n` runs that one alone.

mod chroot;
mod coredumps;
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
mod races;
mod sched;
mod shortage;
mod signals;
mod sockets;
mod stdio;
mod timers;
mod tty;
mod tty_sessions;

use core::ops::Range;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|s| s.parse().ok())
}

/// Runs a test under each of these seeds; `VK_SEED=n` under that one alone. With `VK_RACES` it has nothing to say.
pub fn seeds(range: Range<u64>, test: impl Fn(u64)) {
    if number("VK_RACES").is_none() {
        under(range, test);
    }
}

/// As `seeds`, for a test of two that meet anywhere: `VK_RACES=n` takes n seeds, in the time of a step of
/// `cargo xtask test`.
pub fn races(range: Range<u64>, test: impl Fn(u64)) {
    let end = number("VK_RACES").map_or(range.end, |n| range.start + n);
    under(range.start..end, test);
}

fn under(range: Range<u64>, test: impl Fn(u64)) {
    let range = number("VK_SEED").map_or(range, |one| one..one + 1);
    for seed in range {
        let _told = Told(seed);
        test(seed);
    }
}

/// Says, when a test fails, how to see that again.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let thread = std::thread::current();
            std::eprintln!("again: VK_SEED={} cargo test -p kernel {}", self.0, thread.name().unwrap_or_default());
        }
    }
}
