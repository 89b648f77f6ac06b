//! Constants and structures of the native system calls.
//!
//! Names are POSIX's, numbers Linux's generic ones where programs or people know them by heart
//! (modes, signals), our own elsewhere.

use crate::SysResult;
use crate::wire::{Reader, Writer};

/// `open(2)` flags.
pub mod o {
    pub const RDONLY: u32 = 0;
    pub const WRONLY: u32 = 1;
    pub const RDWR: u32 = 2;
    pub const ACCMODE: u32 = 3;
    pub const CREAT: u32 = 0o100;
    pub const EXCL: u32 = 0o200;
    pub const NOCTTY: u32 = 0o400;
    pub const TRUNC: u32 = 0o1000;
    pub const APPEND: u32 = 0o2000;
    pub const NONBLOCK: u32 = 0o4000;
    pub const DSYNC: u32 = 0o10000;
    pub const DIRECTORY: u32 = 0o200000;
    pub const NOFOLLOW: u32 = 0o400000;
    pub const CLOEXEC: u32 = 0o2000000;
    pub const SYNC: u32 = 0o4010000;
    /// A descriptor that only names a place: no reading or writing.
    pub const PATH: u32 = 0o10000000;
    /// Flags that stay with the open file description and that `F_SETFL` may change.
    pub const STATUS: u32 = APPEND | NONBLOCK | DSYNC | SYNC;
}

/// Flags of the at-calls.
pub mod at {
    /// Relative to the working directory.
    pub const FDCWD: i32 = -100;
    pub const SYMLINK_NOFOLLOW: u32 = 0x100;
    pub const REMOVEDIR: u32 = 0x200;
    pub const SYMLINK_FOLLOW: u32 = 0x400;
    /// `faccessat`: with the effective ids.
    pub const EACCESS: u32 = 0x200;
    pub const EMPTY_PATH: u32 = 0x1000;
}

/// `renameat2` flags.
pub mod rename {
    pub const NOREPLACE: u32 = 1;
    pub const EXCHANGE: u32 = 2;
}

/// `lseek(2)` whence.
pub mod seek {
    pub const SET: u32 = 0;
    pub const CUR: u32 = 1;
    pub const END: u32 = 2;
    pub const DATA: u32 = 3;
    pub const HOLE: u32 = 4;
}

/// File modes: type and permissions.
pub mod mode {
    pub const IFMT: u32 = 0o170000;
    pub const IFSOCK: u32 = 0o140000;
    pub const IFLNK: u32 = 0o120000;
    pub const IFREG: u32 = 0o100000;
    pub const IFBLK: u32 = 0o060000;
    pub const IFDIR: u32 = 0o040000;
    pub const IFCHR: u32 = 0o020000;
    pub const IFIFO: u32 = 0o010000;
    pub const ISUID: u32 = 0o4000;
    pub const ISGID: u32 = 0o2000;
    pub const ISVTX: u32 = 0o1000;
    pub const PERM: u32 = 0o7777;
}

/// `access(2)` modes.
pub mod access {
    pub const F_OK: u32 = 0;
    pub const X_OK: u32 = 1;
    pub const W_OK: u32 = 2;
    pub const R_OK: u32 = 4;
}

/// `fcntl(2)` commands.
pub mod fcntl {
    pub const DUPFD: u32 = 0;
    pub const GETFD: u32 = 1;
    pub const SETFD: u32 = 2;
    pub const GETFL: u32 = 3;
    pub const SETFL: u32 = 4;
    /// These six take a [`Flock`](super::Flock), by a call of their own.
    pub const GETLK: u32 = 5;
    pub const SETLK: u32 = 6;
    pub const SETLKW: u32 = 7;
    pub const OFD_GETLK: u32 = 36;
    pub const OFD_SETLK: u32 = 37;
    pub const OFD_SETLKW: u32 = 38;
    pub const DUPFD_CLOEXEC: u32 = 1030;
    pub const SETPIPE_SZ: u32 = 1031;
    pub const GETPIPE_SZ: u32 = 1032;
    pub const FD_CLOEXEC: u32 = 1;
    /// Of `close_range(2)`: set that flag, don't close.
    pub const CLOSE_RANGE_CLOEXEC: u32 = 4;
}

/// Locks: the kinds of fcntl(2), and what flock(2) is asked for.
pub mod flock {
    pub const RDLCK: u16 = 0;
    pub const WRLCK: u16 = 1;
    pub const UNLCK: u16 = 2;
    pub const LOCK_SH: u32 = 1;
    pub const LOCK_EX: u32 = 2;
    pub const LOCK_NB: u32 = 4;
    pub const LOCK_UN: u32 = 8;
}

/// `poll(2)` events.
pub mod poll {
    pub const IN: u16 = 0x001;
    pub const PRI: u16 = 0x002;
    pub const OUT: u16 = 0x004;
    pub const ERR: u16 = 0x008;
    pub const HUP: u16 = 0x010;
    pub const NVAL: u16 = 0x020;
}

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

    /// Those that have names. Others are shown as numbers.
    pub const NAMED: u32 = 32;
    static NAMES: [&str; NAMED as usize] = [
        "0", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "16", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH",
        "POLL", "PWR", "SYS",
    ];

    /// The name without `SIG`.
    pub fn name(nr: u32) -> &'static str {
        NAMES.get(nr as usize).copied().unwrap_or("?")
    }
    /// The number of a name with or without `SIG`, upper case.
    pub fn from_name(name: &str) -> Option<u32> {
        let name = name.strip_prefix("SIG").unwrap_or(name);
        (1..NAMED).find(|&n| NAMES[n as usize] == name)
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
    /// Who has sent it, or which child it is about.
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

/// Sockets: the C library's numbers, which are WASI's for families and types, and Linux's for the rest. An
/// address is a u16 family and the path, a message `struct msghdr` of the C library.
pub mod sock {
    pub const AF_UNIX: u32 = 3;
    /// The longest address: the family, and a path of 108 bytes.
    pub const ADDR_MAX: usize = 110;
    pub const DGRAM: u32 = 5;
    pub const STREAM: u32 = 6;
    pub const SEQPACKET: u32 = 7;
    /// With the type.
    pub const CLOEXEC: u32 = 0x2000;
    pub const NONBLOCK: u32 = 0x4000;
    pub const SHUT_RD: u32 = 1;
    pub const SHUT_WR: u32 = 2;
    pub const SOMAXCONN: usize = 128;

    pub const MSG_PEEK: u32 = 2;
    pub const MSG_CTRUNC: u32 = 8;
    pub const MSG_TRUNC: u32 = 0x20;
    pub const MSG_DONTWAIT: u32 = 0x40;
    pub const MSG_EOR: u32 = 0x80;
    pub const MSG_WAITALL: u32 = 0x100;
    pub const MSG_NOSIGNAL: u32 = 0x4000;
    pub const MSG_MORE: u32 = 0x8000;
    pub const MSG_CMSG_CLOEXEC: u32 = 0x4000_0000;

    pub const SOL_SOCKET: u32 = 0x7fff_ffff;
    pub const SCM_RIGHTS: u32 = 1;
    pub const SCM_CREDENTIALS: u32 = 2;
    pub const SO_REUSEADDR: u32 = 2;
    pub const SO_TYPE: u32 = 3;
    pub const SO_ERROR: u32 = 4;
    pub const SO_BROADCAST: u32 = 6;
    pub const SO_SNDBUF: u32 = 7;
    pub const SO_RCVBUF: u32 = 8;
    pub const SO_KEEPALIVE: u32 = 9;
    pub const SO_LINGER: u32 = 13;
    pub const SO_PASSCRED: u32 = 16;
    pub const SO_PEERCRED: u32 = 17;
    pub const SO_RCVTIMEO: u32 = 20;
    pub const SO_SNDTIMEO: u32 = 21;
    pub const SO_ACCEPTCONN: u32 = 30;
    pub const SO_PROTOCOL: u32 = 38;
    pub const SO_DOMAIN: u32 = 39;
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
    pub const COUNT: usize = 10;
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

/// `ioctl(2)` requests.
pub mod ioctl {
    pub const TCGETS: u32 = 0x5401;
    pub const TCSETS: u32 = 0x5402;
    pub const TCSETSW: u32 = 0x5403;
    pub const TCSETSF: u32 = 0x5404;
    /// `tcdrain(3)`, and breaks that nobody sees.
    pub const TCSBRK: u32 = 0x5409;
    /// `tcflow(3)`: the action as the argument itself, `termios::TCOOFF` and so on.
    pub const TCXONC: u32 = 0x540a;
    /// `tcflush(3)`: which queue as the argument itself, `termios::TCIFLUSH` and so on.
    pub const TCFLSH: u32 = 0x540b;
    pub const TIOCSCTTY: u32 = 0x540e;
    pub const TIOCGPGRP: u32 = 0x540f;
    pub const TIOCSPGRP: u32 = 0x5410;
    pub const TIOCOUTQ: u32 = 0x5411;
    pub const TIOCSTI: u32 = 0x5412;
    pub const TIOCGWINSZ: u32 = 0x5413;
    pub const TIOCSWINSZ: u32 = 0x5414;
    pub const FIONREAD: u32 = 0x541b;
    pub const TIOCNOTTY: u32 = 0x5422;
    pub const TIOCGSID: u32 = 0x5429;
    /// Of a pty's master: the number in its slave's name.
    pub const TIOCGPTN: u32 = 0x8004_5430;
    /// Of a pty's master: 0 lets others open the slave.
    pub const TIOCSPTLCK: u32 = 0x4004_5431;
    pub const TIOCGPTLCK: u32 = 0x8004_5439;
}

/// `struct termios`: Linux's bits, and its 60 bytes as the C library has it.
pub mod termios {
    pub const SIZE: usize = 60;

    // c_iflag.
    pub const ISTRIP: u32 = 0o40;
    pub const INLCR: u32 = 0o100;
    pub const IGNCR: u32 = 0o200;
    pub const ICRNL: u32 = 0o400;
    pub const IXON: u32 = 0o2000;
    pub const IXANY: u32 = 0o4000;
    pub const IXOFF: u32 = 0o10000;
    pub const IUTF8: u32 = 0o40000;

    // c_oflag.
    pub const OPOST: u32 = 0o1;
    pub const ONLCR: u32 = 0o4;
    pub const OCRNL: u32 = 0o10;
    pub const ONOCR: u32 = 0o20;
    pub const ONLRET: u32 = 0o40;
    /// Tabs become spaces; other delays of TABDLY do nothing.
    pub const TAB3: u32 = 0o14000;

    // c_lflag.
    pub const ISIG: u32 = 0o1;
    pub const ICANON: u32 = 0o2;
    pub const ECHO: u32 = 0o10;
    pub const ECHOE: u32 = 0o20;
    pub const ECHOK: u32 = 0o40;
    pub const ECHONL: u32 = 0o100;
    pub const NOFLSH: u32 = 0o200;
    pub const TOSTOP: u32 = 0o400;
    pub const ECHOCTL: u32 = 0o1000;
    pub const ECHOKE: u32 = 0o4000;
    pub const IEXTEN: u32 = 0o100000;

    // Places in c_cc.
    pub const VINTR: usize = 0;
    pub const VQUIT: usize = 1;
    pub const VERASE: usize = 2;
    pub const VKILL: usize = 3;
    pub const VEOF: usize = 4;
    pub const VTIME: usize = 5;
    pub const VMIN: usize = 6;
    pub const VSTART: usize = 8;
    pub const VSTOP: usize = 9;
    pub const VSUSP: usize = 10;
    pub const VEOL: usize = 11;
    pub const VREPRINT: usize = 12;
    pub const VWERASE: usize = 14;
    pub const VLNEXT: usize = 15;
    pub const VEOL2: usize = 16;

    // tcflow(3).
    pub const TCOOFF: u32 = 0;
    pub const TCOON: u32 = 1;
    pub const TCIOFF: u32 = 2;
    pub const TCION: u32 = 3;
    // tcflush(3).
    pub const TCIFLUSH: u32 = 0;
    pub const TCOFLUSH: u32 = 1;
    pub const TCIOFLUSH: u32 = 2;
}

/// `dev_ctl` hypercall commands and the kinds of units.
pub mod devctl {
    /// Fills [`super::Winsize`] (8 bytes). ENOTTY.
    pub const GET_WINSIZE: u32 = 1;
    /// One byte: 0 cooked, 1 raw. ENOTTY.
    pub const SET_RAW: u32 = 2;
    /// Answers one of the `KIND_`s.
    pub const KIND: u32 = 3;
    /// Answers the `poll` events that would not block now, and asks for `intr(DEVICE)` for the rest
    /// of the events given in one little-endian u16.
    pub const POLL: u32 = 4;
    pub const KIND_TTY: u32 = 1;
    pub const KIND_PIPE: u32 = 2;
    pub const KIND_FILE: u32 = 3;
    pub const KIND_NULL: u32 = 4;
    /// Units 0, 1 and 2 are the host's standard input, output and error.
    pub const STDIN: u32 = 0;
    pub const STDOUT: u32 = 1;
    pub const STDERR: u32 = 2;
    /// Where the lines of the system-call trace go; write only.
    pub const TRACE: u32 = 3;

    /// A terminal that moves plain keys and plain output: the kernel edits lines, echoes and finds
    /// the keys that send signals.
    pub const KIND_SCREEN: u32 = 5;
    /// Devices that come and go: `irq::ATTACH` and `irq::HANGUP`.
    pub const ATTACHED_FIRST: u32 = 16;
    pub const ATTACHED_MAX: u32 = 64;
    /// What is to run on an attached device, as `types::attach` says; answers its length. ERANGE when
    /// the buffer is too small.
    pub const COMMAND: u32 = 5;
    /// The session on an attached device is over: a u32 wait status. The host then forgets the unit.
    pub const EXITED: u32 = 6;
}

/// What is to run on an attached device: a sequence of records `u32 kind, u32 length, payload` like the
/// boot configuration's. Without `ARG` it is a login shell.
pub mod attach {
    /// One more argument; the first is the program, a path or a name to look for in PATH.
    pub const ARG: u32 = 1;
    /// `NAME=VALUE`.
    pub const ENV: u32 = 2;
    /// The working directory.
    pub const WORKDIR: u32 = 3;

    /// What a `read(2)` of `/dev/attach` answers: `u32 unit, u32 kind` (a `devctl::KIND_`), `u32 event`,
    /// then for `CAME` the records above. One event at a time; EAGAIN when there is none and nobody wants
    /// to wait. A `write(2)` of `u32 unit, u32 wait status` says that the session on a unit is over.
    pub const EVENT_SIZE: usize = 12;
    /// A unit came: something is to be run on it.
    pub const CAME: u32 = 1;
    /// The one at the other end of a unit has gone.
    pub const WENT: u32 = 2;
}

/// `disk_ctl` hypercall commands.
pub mod diskctl {
    /// Answers how large the disk may become, in bytes.
    pub const SIZE: u32 = 1;
    /// Answers the bits below.
    pub const FLAGS: u32 = 2;
    /// The argument is a byte offset: what lies behind it is no longer needed and reads as zeros.
    pub const TRUNCATE: u32 = 3;
    pub const READ_ONLY: u32 = 1;
}

/// `vmspace_ctl` hypercall commands.
pub mod vmctl {
    /// Answers the current size in bytes.
    pub const SIZE: u32 = 1;
    /// Sets the limit in bytes; what is already there stays.
    pub const SET_LIMIT: u32 = 2;
    /// Answers the largest size it has had, in bytes.
    pub const PEAK: u32 = 3;
    /// Prepares a fresh memory for the image given as argument under the same id: exec. The lwp in
    /// it enters the fresh one at its next `Next::Run`; until then nothing changes for it. ENOMEM,
    /// ENOENT.
    pub const EXEC: u32 = 4;
    /// Answers 1 when the image given as argument has a `__vk_signal`, 0 when it hasn't.
    pub const HANDLERS: u32 = 5;
}

/// `mount(2)` flags.
pub mod mnt {
    pub const RDONLY: u32 = 1;
    pub const NOSUID: u32 = 2;
    pub const NOEXEC: u32 = 8;
}

/// Types in directory entries: `mode >> 12`.
pub mod dt {
    pub const UNKNOWN: u8 = 0;
    pub const FIFO: u8 = 1;
    pub const CHR: u8 = 2;
    pub const DIR: u8 = 4;
    pub const BLK: u8 = 6;
    pub const REG: u8 = 8;
    pub const LNK: u8 = 10;
    pub const SOCK: u8 = 12;
}

/// `struct stat` of the native calls: 104 bytes, no padding. Times in ns since 1970.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Stat {
    pub dev: u64,
    pub ino: u64,
    pub mode: u32,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u64,
    pub size: u64,
    /// In units of 512 bytes.
    pub blocks: u64,
    pub blksize: u64,
    pub atime_ns: i64,
    pub mtime_ns: i64,
    pub ctime_ns: i64,
    pub birth_ns: i64,
}

impl Stat {
    pub const SIZE: usize = 104;
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        Writer::new(&mut out)
            .u64(self.dev)
            .u64(self.ino)
            .u32(self.mode)
            .u32(self.nlink)
            .u32(self.uid)
            .u32(self.gid)
            .u64(self.rdev)
            .u64(self.size)
            .u64(self.blocks)
            .u64(self.blksize)
            .i64(self.atime_ns)
            .i64(self.mtime_ns)
            .i64(self.ctime_ns)
            .i64(self.birth_ns);
        out
    }
    pub fn from_bytes(b: &[u8]) -> SysResult<Stat> {
        let mut r = Reader::new(b);
        Ok(Stat {
            dev: r.u64()?,
            ino: r.u64()?,
            mode: r.u32()?,
            nlink: r.u32()?,
            uid: r.u32()?,
            gid: r.u32()?,
            rdev: r.u64()?,
            size: r.u64()?,
            blocks: r.u64()?,
            blksize: r.u64()?,
            atime_ns: r.i64()?,
            mtime_ns: r.i64()?,
            ctime_ns: r.i64()?,
            birth_ns: r.i64()?,
        })
    }
}

/// `struct winsize`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Winsize {
    pub rows: u16,
    pub cols: u16,
}

impl Winsize {
    /// With the two pixel fields that nobody fills.
    pub const SIZE: usize = 8;
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        Writer::new(&mut out).u16(self.rows).u16(self.cols);
        out
    }
    pub fn from_bytes(b: &[u8]) -> SysResult<Winsize> {
        let mut r = Reader::new(b);
        Ok(Winsize { rows: r.u16()?, cols: r.u16()? })
    }
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

/// `struct flock` of fcntl(2), 32 bytes: kind and whence as u16, start and len as i64 from byte 8, pid as i32.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Flock {
    /// As in [`flock`].
    pub kind: u16,
    /// A [`seek`]: SET, CUR or END.
    pub whence: u16,
    pub start: i64,
    /// 0 to the end, wherever that comes to be; negative for what is before `start`.
    pub len: i64,
    /// Of who has the lock that is in the way; -1 for an open file description.
    pub pid: i32,
}

impl Flock {
    pub const SIZE: usize = 32;
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        let head = u32::from(self.kind) | u32::from(self.whence) << 16;
        Writer::new(&mut out).u32(head).u32(0).i64(self.start).i64(self.len).u32(self.pid as u32);
        out
    }
    pub fn from_bytes(b: &[u8]) -> SysResult<Flock> {
        let mut r = Reader::new(b);
        let (head, _) = (r.u32()?, r.u32()?);
        let (start, len, pid) = (r.i64()?, r.i64()?, r.i32()?);
        Ok(Flock { kind: head as u16, whence: (head >> 16) as u16, start, len, pid })
    }
}

/// `statvfs`: 40 bytes.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Statvfs {
    pub bsize: u64,
    pub blocks: u64,
    pub bfree: u64,
    pub files: u64,
    pub ffree: u64,
}

impl Statvfs {
    pub const SIZE: usize = 40;
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        Writer::new(&mut out).u64(self.bsize).u64(self.blocks).u64(self.bfree).u64(self.files).u64(self.ffree);
        out
    }
    pub fn from_bytes(b: &[u8]) -> SysResult<Statvfs> {
        let mut r = Reader::new(b);
        Ok(Statvfs { bsize: r.u64()?, blocks: r.u64()?, bfree: r.u64()?, files: r.u64()?, ffree: r.u64()? })
    }
}

/// One entry as `getdents` writes it: this header, then the name; the next entry follows at once.
/// `cookie` (64 bits, where to go on after this entry), `ino` (64), `namlen` (16), `type` (8), 5 bytes 0.
pub const DIRENT_HEADER: usize = 24;

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
