//! The vkernel's own system calls, for programs written in Rust.
//!
//! A program built for `wasm32-wasip1` has the WASI calls through its standard library. What POSIX
//! has and WASI lacks (processes, descriptors that move, terminals, owners and modes) is imported
//! from module `vkernel`, as `abi::syscalls` lists it, and wrapped here: paths are byte strings,
//! errors are [`Errno`], buffers are slices. Nothing here allocates but [`Spawn`] and the calls
//! that answer a `Vec`.
//!
//! On a POSIX host the same calls go to that system (`posix.rs`), so that programs can be tested natively.

pub mod fs;
pub mod io;
#[cfg(not(target_family = "wasm"))]
mod posix;
pub mod proc;
pub mod raw;
pub mod sys;
pub mod tty;

pub use abi::types::{Rusage, Stat, Statvfs, Winsize, access, at, mode, o, rlimit, sig, wait};
pub use abi::{Errno, SysResult};
pub use proc::Spawn;

/// Reads the answer of a call: a value, or minus an error number.
fn check(r: i32) -> SysResult<u32> {
    abi::errno::decode(r)
}

/// A call whose value says nothing.
fn done(r: i32) -> SysResult<()> {
    check(r).map(|_| ())
}

/// Tells the C library of WASI where the process is.
///
/// That library keeps a working directory of its own, which begins at `/` whatever the kernel's is.
/// A program that asks `std::env::current_dir` or hands relative paths to `std::fs` calls this
/// first thing. Where the directory has no path any more, nothing is changed.
pub fn adopt_cwd() {
    if let Ok(cwd) = fs::getcwd()
        && let Ok(text) = String::from_utf8(cwd)
        && text != "/"
    {
        // Failing means the directory cannot be entered by name; relative paths then fail by name too.
        let _ = std::env::set_current_dir(text);
    }
}
