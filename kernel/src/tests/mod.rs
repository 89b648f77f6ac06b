//! Native tests of the kernel on the fake machine. Whatever could depend on who runs first is run
//! under many seeds; a failure names its seed, and `FAKE_SEED=n` runs that one alone.

mod descriptors;
mod exec;
mod faults;
mod fuzz;
mod limits;
mod pipes;
mod polling;
mod process;
mod sched;
mod signals;
mod stdio;

use core::ops::Range;

/// Runs a test under each of these seeds.
fn seeds(range: Range<u64>, test: impl Fn(u64)) {
    match std::env::var("FAKE_SEED").ok().and_then(|s| s.parse().ok()) {
        Some(one) => test(one),
        None => range.for_each(test),
    }
}
