//! The system as a whole: clocks, random numbers, its name, its end.

use crate::{SysResult, check, done, raw};

/// `clock_gettime(2)` in nanoseconds; clocks as in `abi::types::clock`.
pub fn clock_gettime(clock: u32) -> SysResult<u64> {
    let mut ns = 0u64;
    // SAFETY: the kernel writes one 64-bit number.
    done(unsafe { raw::clock_gettime(clock, (&raw mut ns).cast()) })?;
    Ok(ns)
}

/// `clock_nanosleep(2)`; flags: `abi::types::clock::ABSTIME`.
pub fn clock_nanosleep(clock: u32, flags: u32, ns: u64) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::clock_nanosleep(clock, flags, ns) })
}

/// `sched_yield(2)`.
pub fn sched_yield() {
    // SAFETY: no pointers. It cannot fail.
    unsafe { raw::sched_yield() };
}

/// `getrandom(2)`.
pub fn getrandom(buf: &mut [u8]) -> SysResult<()> {
    // SAFETY: the kernel writes within `buf`.
    done(unsafe { raw::getrandom(buf.as_mut_ptr(), buf.len() as u32) })
}

/// `uname(2)`: system, node, release, version and machine, each with a NUL behind it.
pub fn uname() -> SysResult<Vec<String>> {
    let mut buf = [0; 512];
    // SAFETY: the kernel writes within `buf`.
    let n = check(unsafe { raw::uname(buf.as_mut_ptr(), buf.len() as u32) })? as usize;
    let text = buf.get(..n).unwrap_or(&buf);
    Ok(text.split(|&b| b == 0).map(|s| String::from_utf8_lossy(s).into_owned()).collect())
}

/// Ends the whole system with a wait status for its host.
pub fn reboot(status: i32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::reboot(status) })
}
