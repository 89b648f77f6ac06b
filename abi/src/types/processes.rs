//! Making processes, waiting for them, and what bounds them.

use crate::SysResult;
use crate::wire::{Reader, Writer};

/// `waitpid(2)`: options and the status word.
pub mod wait {
    pub const NOHANG: u32 = 1;
    pub const UNTRACED: u32 = 2;
    pub const CONTINUED: u32 = 8;
    /// `waitid(2)`: those that have ended; `wait4` always means them.
    pub const EXITED: u32 = 4;
    pub const STOPPED: u32 = UNTRACED;
    /// `waitid(2)`: another wait is to find the same.
    pub const NOWAIT: u32 = 0x0100_0000;
    /// Whom `waitid` means.
    pub const P_ALL: u32 = 0;
    pub const P_PID: u32 = 1;
    pub const P_PGID: u32 = 2;

    /// `WCOREDUMP`: it died of a signal and its memory was written to a file.
    pub const CORE: u32 = 0x80;

    pub const fn exited(code: u32) -> u32 {
        (code & 0xff) << 8
    }
    pub const fn signaled(sig: u32) -> u32 {
        sig & 0x7f
    }
    pub const fn stopped(sig: u32) -> u32 {
        (sig & 0xff) << 8 | 0x7f
    }
    pub const CONTINUED_STATUS: u32 = 0xffff;
    /// `WEXITSTATUS`, if it exited.
    pub const fn exit_code(status: u32) -> Option<u32> {
        if status & 0x7f == 0 { Some(status >> 8 & 0xff) } else { None }
    }
    /// `WTERMSIG`, if it died of a signal.
    pub const fn term_signal(status: u32) -> Option<u32> {
        let s = status & 0x7f;
        if s != 0 && s != 0x7f { Some(s) } else { None }
    }
    /// What a shell calls `$?`: the code, or 128 + signal.
    pub const fn shell_status(status: u32) -> u32 {
        match exit_code(status) {
            Some(c) => c,
            None => 128 + (status & 0x7f),
        }
    }
}

/// `getpriority(2)`: whose, and the range of nice values.
pub mod prio {
    pub const PROCESS: u32 = 0;
    pub const PGRP: u32 = 1;
    pub const USER: u32 = 2;
    pub const MIN: i32 = -20;
    pub const MAX: i32 = 19;
}

/// `getrlimit(2)` resources.
pub mod rlimit {
    pub const CPU: u32 = 0;
    pub const FSIZE: u32 = 1;
    pub const DATA: u32 = 2;
    pub const STACK: u32 = 3;
    pub const CORE: u32 = 4;
    pub const NPROC: u32 = 6;
    pub const NOFILE: u32 = 7;
    pub const AS: u32 = 9;
    /// Timers of `timer_create(2)` that a user has.
    pub const SIGPENDING: u32 = 11;
    pub const COUNT: usize = 12;
    pub const INFINITY: u64 = u64::MAX;
}

/// Limits a program may rely on.
pub mod limits {
    /// Longest path with its terminator, as POSIX counts.
    pub const PATH_MAX: usize = 4096;
    pub const NAME_MAX: usize = 255;
    /// Writes of up to this many bytes to a pipe are atomic.
    pub const PIPE_BUF: usize = 4096;
    pub const PIPE_SIZE: usize = 65536;
    pub const SYMLOOP_MAX: usize = 40;
    /// Arguments and environment of exec together.
    pub const ARG_MAX: usize = 2 << 20;
    pub const IOV_MAX: usize = 1024;
    pub const LINK_MAX: u32 = 65000;
}

/// `struct rusage`: the times, the peak memory. 24 bytes.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Rusage {
    pub utime_ns: u64,
    pub stime_ns: u64,
    pub maxrss_bytes: u64,
}

impl Rusage {
    pub const SIZE: usize = 24;
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        Writer::new(&mut out).u64(self.utime_ns).u64(self.stime_ns).u64(self.maxrss_bytes);
        out
    }
    pub fn from_bytes(b: &[u8]) -> SysResult<Rusage> {
        let mut r = Reader::new(b);
        Ok(Rusage { utime_ns: r.u64()?, stime_ns: r.u64()?, maxrss_bytes: r.u64()? })
    }
}

/// The request that `spawn` and `exec` read, all little-endian, strings with a u32 length in front:
///
/// `u32 flags` (`spawn::`), `i32 pgroup`, with `SETMASK` `u64 mask`, with `SETDEF` `u64 set`, `string path`, `u32 argc`, `argc` strings, `u32 envc`, `envc` strings,
/// `u32 actions`, and so many file actions: `u32 kind` and then
/// `OPEN: i32 fd, u32 oflags, u32 mode, string path`, `CLOSE: i32 fd`, `DUP2: i32 from, i32 to`,
/// `CHDIR: string path`, `FCHDIR: i32 fd`, `TCSETPGRP: i32 fd`. `exec` looks at SEARCH_PATH alone.
pub mod spawn {
    /// Find the program in the PATH of the new environment, as `posix_spawnp`.
    pub const SEARCH_PATH: u32 = 1;
    /// Put the child into `pgroup`, 0 for a group of its own.
    pub const SETPGROUP: u32 = 2;
    /// A new session.
    pub const SETSID: u32 = 4;
    /// Effective ids become the real ones.
    pub const RESETIDS: u32 = 8;
    /// Make the child's group the terminal's foreground one.
    pub const FOREGROUND: u32 = 16;
    /// All signals have their default action, and none is held back.
    pub const SIGDEF: u32 = 32;
    /// The signals of `mask` are held back (`sig::bit`), and no others.
    pub const SETMASK: u32 = 64;
    /// Those of `set` have their default action.
    pub const SETDEF: u32 = 128;

    pub const OPEN: u32 = 1;
    pub const CLOSE: u32 = 2;
    pub const DUP2: u32 = 3;
    pub const CHDIR: u32 = 4;
    pub const FCHDIR: u32 = 5;
    /// The child's group becomes the foreground one of the terminal, which must be its session's.
    pub const TCSETPGRP: u32 = 6;
}
