//! Terminals: `ioctl(2)` on one.

use crate::{SysResult, done, raw};
use abi::types::{Winsize, ioctl};

/// The size of the terminal's window. `ENOTTY` when it isn't a terminal.
pub fn winsize(fd: i32) -> SysResult<Winsize> {
    let mut buf = [0; Winsize::SIZE];
    // SAFETY: the kernel writes `Winsize::SIZE` bytes.
    done(unsafe { raw::ioctl(fd, ioctl::TIOCGWINSZ, buf.as_mut_ptr()) })?;
    Winsize::from_bytes(&buf)
}

/// `isatty(3)`.
pub fn isatty(fd: i32) -> bool {
    winsize(fd).is_ok()
}

/// `tcgetpgrp(3)`.
pub fn tcgetpgrp(fd: i32) -> SysResult<i32> {
    let mut pgid = 0i32;
    // SAFETY: the kernel writes one word.
    done(unsafe { raw::ioctl(fd, ioctl::TIOCGPGRP, (&raw mut pgid).cast()) })?;
    Ok(pgid)
}

/// `tcsetpgrp(3)`.
pub fn tcsetpgrp(fd: i32, pgid: i32) -> SysResult<()> {
    let mut pgid = pgid;
    // SAFETY: the kernel reads one word.
    done(unsafe { raw::ioctl(fd, ioctl::TIOCSPGRP, (&raw mut pgid).cast()) })
}
