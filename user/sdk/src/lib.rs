//! The vkernel's own system calls, for programs written in Rust.
//!
//! A program built for `wasm32-wasip1` has the WASI calls through its standard library. What POSIX
//! has and WASI lacks (processes, descriptors that move, terminals, owners and modes) is imported
//! from module `vkernel`, as `abi::syscalls` lists it, and wrapped here: paths are byte strings,
//! errors are [`Errno`], buffers are slices. Nothing here allocates but [`Spawn`] and the calls
//! that answer a `Vec`.
//!
//! On a POSIX host the same calls go to that system (`posix.rs`), so that programs can be tested natively.

pub mod accounts;
mod cwd;
pub mod fs;
pub mod io;
pub mod net;
#[cfg(not(target_family = "wasm"))]
mod posix;
pub mod proc;
pub mod raw;
pub mod signal;
pub mod sys;
pub mod tty;

pub use abi::types::{
    Flock, Rusage, Sigaction, Siginfo, Stat, Statvfs, Winsize, access, at, attach, clock, devctl, fcntl, flock, itimer,
    mode, o, poll, prio, rlimit, sa, si, sig, timer, wait,
};
pub use abi::{Errno, SysResult};
pub use cwd::adopt_cwd;
pub use proc::Spawn;

/// Reads the answer of a call: a value, or minus an error number.
fn check(r: i32) -> SysResult<u32> {
    abi::errno::decode(r)
}

/// A call whose value says nothing.
fn done(r: i32) -> SysResult<()> {
    check(r).map(|_| ())
}
