//! Signals, and the clocks and timers that send them.

use crate::SysResult;
use crate::wire::{Reader, Writer};

/// Clocks, as in WASI and in the `clock` hypercall.
pub mod clock {
    pub const REALTIME: u32 = 0;
    pub const MONOTONIC: u32 = 1;
    /// CPU time of the caller's process; the hypercall answers that of an lwp.
    pub const PROCESS_CPUTIME: u32 = 2;
    pub const THREAD_CPUTIME: u32 = 3;
    /// `clock_nanosleep`: the time is absolute.
    pub const ABSTIME: u32 = 1;
}

/// Signals, Linux's numbers.
pub mod sig {
    pub const HUP: u32 = 1;
    pub const INT: u32 = 2;
    pub const QUIT: u32 = 3;
    pub const ILL: u32 = 4;
    pub const TRAP: u32 = 5;
    pub const ABRT: u32 = 6;
    pub const BUS: u32 = 7;
    pub const FPE: u32 = 8;
    pub const KILL: u32 = 9;
    pub const USR1: u32 = 10;
    pub const SEGV: u32 = 11;
    pub const USR2: u32 = 12;
    pub const PIPE: u32 = 13;
    pub const ALRM: u32 = 14;
    pub const TERM: u32 = 15;
    pub const CHLD: u32 = 17;
    pub const CONT: u32 = 18;
    pub const STOP: u32 = 19;
    pub const TSTP: u32 = 20;
    pub const TTIN: u32 = 21;
    pub const TTOU: u32 = 22;
    pub const URG: u32 = 23;
    pub const XCPU: u32 = 24;
    pub const XFSZ: u32 = 25;
    pub const VTALRM: u32 = 26;
    pub const PROF: u32 = 27;
    pub const WINCH: u32 = 28;
    pub const POLL: u32 = 29;
    pub const PWR: u32 = 30;
    pub const SYS: u32 = 31;
    /// Signals from here to `RTMAX` are queued, each with its value (POSIX 2.4.2).
    pub const RTMIN: u32 = 34;
    pub const RTMAX: u32 = 64;
    /// One more than the last.
    pub const COUNT: u32 = 65;

    /// A signal's bit in a set, which is 64 bits.
    pub const fn bit(signal: u32) -> u64 {
        1 << (signal - 1)
    }
    /// Takes the lowest signal out of a set; 0 from an empty one.
    pub const fn pop(set: &mut u64) -> u32 {
        if *set == 0 {
            return 0;
        }
        let signal = set.trailing_zeros() + 1;
        *set &= *set - 1;
        signal
    }

    /// `sigprocmask(2)`: how.
    pub const BLOCK: u32 = 0;
    pub const UNBLOCK: u32 = 1;
    pub const SETMASK: u32 = 2;

    /// Those without a name are shown as numbers, those that are queued as other systems name them.
    static NAMES: [&str; COUNT as usize] = [
        "0", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "16", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH",
        "POLL", "PWR", "SYS", "32", "33", "RTMIN", "RTMIN+1", "RTMIN+2", "RTMIN+3", "RTMIN+4", "RTMIN+5", "RTMIN+6",
        "RTMIN+7", "RTMIN+8", "RTMIN+9", "RTMIN+10", "RTMIN+11", "RTMIN+12", "RTMIN+13", "RTMIN+14", "RTMIN+15",
        "RTMAX-14", "RTMAX-13", "RTMAX-12", "RTMAX-11", "RTMAX-10", "RTMAX-9", "RTMAX-8", "RTMAX-7", "RTMAX-6",
        "RTMAX-5", "RTMAX-4", "RTMAX-3", "RTMAX-2", "RTMAX-1", "RTMAX",
    ];

    /// The name without `SIG`.
    pub fn name(nr: u32) -> &'static str {
        NAMES.get(nr as usize).copied().unwrap_or("?")
    }
    /// The number of a name with or without `SIG`, upper case.
    pub fn from_name(name: &str) -> Option<u32> {
        let name = name.strip_prefix("SIG").unwrap_or(name);
        (1..COUNT).find(|&n| NAMES[n as usize] == name)
    }
}

/// `struct sigaction`: the handler, flags, and the signals that are held back while it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sigaction {
    /// [`Sigaction::DEFAULT`], [`Sigaction::IGNORE`], or an index in the program's table of functions.
    pub handler: u32,
    pub flags: u32,
    /// [`sig::bit`] each.
    pub mask: u64,
}

impl Sigaction {
    pub const SIZE: usize = 16;
    pub const DEFAULT: u32 = 0;
    /// Not 1 as elsewhere: that is a function's index.
    pub const IGNORE: u32 = u32::MAX - 1;
    /// No handler: it ends a sleeping call with EINTR and is kept for `sigtimedwait`.
    pub const CATCH: Sigaction = Sigaction { handler: 0, flags: sa::CATCH, mask: 0 };

    /// True with a handler of the program's.
    pub fn has_handler(&self) -> bool {
        self.flags & sa::CATCH == 0 && self.handler != Self::DEFAULT && self.handler != Self::IGNORE
    }
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        Writer::new(&mut out).u32(self.handler).u32(self.flags).u64(self.mask);
        out
    }
    pub fn from_bytes(bytes: &[u8]) -> SysResult<Sigaction> {
        let mut r = Reader::new(bytes);
        Ok(Sigaction { handler: r.u32()?, flags: r.u32()?, mask: r.u64()? })
    }
}

/// Flags of `sigaction(2)`, Linux's numbers.
pub mod sa {
    pub const NOCLDSTOP: u32 = 1;
    pub const NOCLDWAIT: u32 = 2;
    pub const SIGINFO: u32 = 4;
    /// Taken, and without effect: there is one stack.
    pub const ONSTACK: u32 = 0x0800_0000;
    pub const RESTART: u32 = 0x1000_0000;
    pub const NODEFER: u32 = 0x4000_0000;
    pub const RESETHAND: u32 = 0x8000_0000;
    /// Ours, with no handler: see [`Sigaction::CATCH`](super::Sigaction::CATCH).
    pub const CATCH: u32 = 0x0100_0000;
    pub const ALL: u32 = NOCLDSTOP | NOCLDWAIT | SIGINFO | ONSTACK | RESTART | NODEFER | RESETHAND | CATCH;
}

/// `siginfo_t`: why a signal has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Siginfo {
    pub signal: u32,
    /// One of [`si`].
    pub code: i32,
    /// Who has sent it, or which child it is about. Of [`si::TIMER`] the timer's number and its overrun.
    pub pid: i32,
    pub uid: u32,
    /// A child's exit status or signal.
    pub status: i32,
    /// What the sender of `sigqueue` gave, or the address of a fault.
    pub value: u64,
}

impl Siginfo {
    pub const SIZE: usize = 32;

    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        let mut w = Writer::new(&mut out);
        w.u32(self.signal).i32(self.code).i32(self.pid).u32(self.uid).i32(self.status).pad(4).u64(self.value);
        out
    }
    pub fn from_bytes(bytes: &[u8]) -> SysResult<Siginfo> {
        let mut r = Reader::new(bytes);
        let (signal, code, pid, uid, status) = (r.u32()?, r.i32()?, r.i32()?, r.u32()?, r.i32()?);
        r.u32()?;
        Ok(Siginfo { signal, code, pid, uid, status, value: r.u64()? })
    }
}

/// Codes of `siginfo_t`, Linux's numbers.
pub mod si {
    pub const USER: i32 = 0;
    pub const KERNEL: i32 = 0x80;
    pub const QUEUE: i32 = -1;
    pub const TIMER: i32 = -2;
    pub const ILL_ILLOPC: i32 = 1;
    pub const FPE_INTDIV: i32 = 1;
    pub const FPE_INTOVF: i32 = 2;
    pub const FPE_FLTINV: i32 = 7;
    pub const SEGV_MAPERR: i32 = 1;
    pub const BUS_ADRALN: i32 = 1;
    pub const CLD_EXITED: i32 = 1;
    pub const CLD_KILLED: i32 = 2;
    pub const CLD_DUMPED: i32 = 3;
    pub const CLD_STOPPED: i32 = 5;
    pub const CLD_CONTINUED: i32 = 6;
}

/// Timers of `setitimer(2)`. A timer is two u64, nanoseconds: the time until it expires (0: it doesn't),
/// and from one expiry to the next (0: once).
pub mod itimer {
    pub const REAL: u32 = 0;
    /// CPU time; we know no time that isn't the program's.
    pub const VIRTUAL: u32 = 1;
    pub const PROF: u32 = 2;
    pub const COUNT: usize = 3;
    pub const SIZE: usize = 16;
}

/// `timer_create(2)`: how a timer tells of its expiry. Its times are those of an [`itimer`].
pub mod timer {
    pub const SIGNAL: u32 = 0;
    pub const NONE: u32 = 1;
    /// With `SIGNAL`: the value that comes with it is the timer's number.
    pub const NUMBERED: u32 = 0x100;
    /// `timer_settime(2)`: the first expiry is at a time of the clock.
    pub const ABSTIME: u32 = 1;
}
