//! THE system-call table: number, module, name, arguments, body.
//!
//! Programs import a call by its module and name; the stub that serves the import widens the
//! arguments and calls `trap(lwp, nr, a0..a5)`. Dispatch, trace names and stubs are made from this
//! table. A new call is a line here and a function in the kernel.
//!
//! * `vkernel` calls answer the result, or minus an errno, as an i32 (i64 where the name is in
//!   [`LONG_RESULT`]). Paths are a pointer and a length, no terminator.
//! * WASI calls answer an errno. Two modules share one body where the calls are the same.
//!
//! A call of more than six arguments has neighbouring 32-bit arguments packed in pairs, low half
//! first: see [`slots`].

/// A pointer into user memory: an allegation until `copyin` or `copyout` has looked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct UAddr(pub u32);

impl UAddr {
    pub const NULL: UAddr = UAddr(0);
    /// The address `n` bytes on; past the end it wraps to a place that will be refused, as the
    /// length is checked against the memory's size with it.
    #[must_use]
    pub const fn offset(self, n: usize) -> UAddr {
        UAddr(self.0.wrapping_add(n as u32))
    }
}

/// Kinds of arguments: their register width, their Rust type and how a trace shows them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arg {
    Fd,
    Pid,
    Int,
    Uint,
    /// Permissions, shown in octal.
    Mode,
    /// Bits, shown in hexadecimal.
    Flags,
    Sig,
    Clock,
    /// A length or a count.
    Len,
    /// A pointer the kernel reads.
    In,
    /// A pointer the kernel writes.
    Out,
    /// A string the kernel reads; its length is the next argument.
    Str,
    Off,
    U64,
}

impl Arg {
    /// True for those that are an i64 in the program's import.
    pub const fn is_long(self) -> bool {
        matches!(self, Arg::Off | Arg::U64)
    }
}

/// The Rust types of the kinds, by the same names.
pub mod arg_types {
    pub type Fd = i32;
    pub type Pid = i32;
    pub type Int = i32;
    pub type Uint = u32;
    pub type Mode = u32;
    pub type Flags = u32;
    pub type Sig = u32;
    pub type Clock = u32;
    pub type Len = u32;
    pub type In = super::UAddr;
    pub type Out = super::UAddr;
    pub type Str = super::UAddr;
    pub type Off = i64;
    pub type U64 = u64;
}

/// Reads a 64-bit register as an argument.
pub trait FromReg {
    fn from_reg(reg: u64) -> Self;
}
macro_rules! from_reg { ($($t:ty)*) => { $(impl FromReg for $t { #[inline(always)] fn from_reg(reg: u64) -> $t { reg as $t } })* } }
from_reg!(i32 u32 i64 u64);
impl FromReg for UAddr {
    #[inline(always)]
    fn from_reg(reg: u64) -> UAddr {
        UAddr(reg as u32)
    }
}

/// Where each argument of a call stands: the register, and how far to shift it right.
///
/// A call of more than six arguments has neighbouring 32-bit arguments packed in pairs.
pub const fn slots<const N: usize>(args: &[Arg; N]) -> [(usize, u32); N] {
    let mut out = [(0, 0); N];
    let (mut i, mut reg, mut half) = (0, 0, false);
    while i < N {
        out[i] = (reg, if half { 32 } else { 0 });
        let pairs = N > 6 && !half && !args[i].is_long() && i + 1 < N && !args[i + 1].is_long();
        if !pairs {
            reg += 1;
        }
        half = pairs;
        i += 1;
    }
    out
}

/// For stub makers: the register of each argument, and whether it is its upper half.
pub fn registers(args: &[Arg], mut place: impl FnMut(usize, usize, bool)) {
    let packed = args.len() > 6;
    let (mut reg, mut half) = (0, false);
    for (i, a) in args.iter().enumerate() {
        place(i, reg, half);
        let pairs = packed && !a.is_long() && !half && args.get(i + 1).is_some_and(|n| !n.is_long());
        if pairs {
            half = true;
        } else {
            half = false;
            reg += 1;
        }
    }
}

/// Calls `$cb!` with the table.
#[macro_export]
macro_rules! syscalls {
    ($cb:ident) => {
        $cb! {
            // Processes.
            1 vkernel exit(status: Int) = kern::exit::sys_exit;
            2 vkernel getpid() = kern::proc::sys_getpid;
            3 vkernel getppid() = kern::proc::sys_getppid;
            4 vkernel spawn(request: In, len: Len) = kern::spawn::sys_spawn;
            5 vkernel exec(request: In, len: Len) = kern::exec::sys_exec;
            6 vkernel wait4(pid: Pid, status: Out, options: Flags, usage: Out) = kern::wait::sys_wait4;
            7 vkernel kill(pid: Pid, signal: Sig) = kern::sig::sys_kill;
            8 vkernel getpgid(pid: Pid) = kern::proc::sys_getpgid;
            9 vkernel setpgid(pid: Pid, pgid: Pid) = kern::proc::sys_setpgid;
            10 vkernel getsid(pid: Pid) = kern::proc::sys_getsid;
            11 vkernel setsid() = kern::proc::sys_setsid;
            12 vkernel sched_yield() = kern::time::sys_sched_yield;
            13 vkernel sigaction(signal: Sig, act: In, old: Out) = kern::sigact::sys_sigaction;
            14 vkernel sigprocmask(how: Uint, set: In, old: Out) = kern::sigact::sys_sigprocmask;
            15 vkernel sigtimedwait(set: In, info: Out, timeout_ns: U64) = kern::sigact::sys_sigtimedwait;
            82 vkernel sigsuspend(mask: In) = kern::sigact::sys_sigsuspend;
            83 vkernel sigpending(set: Out) = kern::sigact::sys_sigpending;
            84 vkernel siginfo(info: Out) = kern::sigact::sys_siginfo;
            85 vkernel sigqueue(pid: Pid, signal: Sig, value: U64) = kern::sig::sys_sigqueue;
            86 vkernel setitimer(which: Uint, new: In, old: Out) = kern::itimer::sys_setitimer;
            87 vkernel getitimer(which: Uint, out: Out) = kern::itimer::sys_getitimer;
            104 vkernel waitid(kind: Uint, id: Pid, info: Out, options: Flags, usage: Out) = kern::wait::sys_waitid;
            105 vkernel getpriority(which: Uint, who: Pid) = kern::prio::sys_getpriority;
            106 vkernel setpriority(which: Uint, who: Pid, nice: Int) = kern::prio::sys_setpriority;

            // fork(2), for programs that carry their own stack; the loader makes these of `fork`.
            37 vkernel fork_at(frames: In) = kern::fork::sys_fork_at;
            38 vkernel frames() = kern::fork::sys_frames;

            // Credentials.
            16 vkernel getuid() = kern::cred::sys_getuid;
            17 vkernel geteuid() = kern::cred::sys_geteuid;
            18 vkernel getgid() = kern::cred::sys_getgid;
            19 vkernel getegid() = kern::cred::sys_getegid;
            20 vkernel setuid(uid: Uint) = kern::cred::sys_setuid;
            21 vkernel setgid(gid: Uint) = kern::cred::sys_setgid;
            22 vkernel seteuid(uid: Uint) = kern::cred::sys_seteuid;
            23 vkernel setegid(gid: Uint) = kern::cred::sys_setegid;
            24 vkernel getgroups(count: Len, groups: Out) = kern::cred::sys_getgroups;
            25 vkernel setgroups(count: Len, groups: In) = kern::cred::sys_setgroups;
            122 vkernel setreuid(real: Uint, effective: Uint) = kern::cred::sys_setreuid;
            123 vkernel setregid(real: Uint, effective: Uint) = kern::cred::sys_setregid;
            124 vkernel setresuid(real: Uint, effective: Uint, saved: Uint) = kern::cred::sys_setresuid;
            125 vkernel setresgid(real: Uint, effective: Uint, saved: Uint) = kern::cred::sys_setresgid;
            126 vkernel getresuid(real: Out, effective: Out, saved: Out) = kern::cred::sys_getresuid;
            127 vkernel getresgid(real: Out, effective: Out, saved: Out) = kern::cred::sys_getresgid;
            26 vkernel umask(mask: Mode) = kern::descrip::sys_umask;

            // Resources, time, the system.
            28 vkernel getrlimit(resource: Uint, limits: Out) = kern::resource::sys_getrlimit;
            29 vkernel setrlimit(resource: Uint, limits: In) = kern::resource::sys_setrlimit;
            30 vkernel getrusage(who: Int, usage: Out) = kern::resource::sys_getrusage;
            31 vkernel clock_gettime(clock: Clock, time: Out) = kern::time::sys_clock_gettime;
            32 vkernel clock_getres(clock: Clock, time: Out) = kern::time::sys_clock_getres;
            33 vkernel clock_nanosleep(clock: Clock, flags: Flags, ns: U64) = kern::time::sys_clock_nanosleep;
            34 vkernel getrandom(buf: Out, len: Len) = kern::generic::sys_getrandom;
            35 vkernel uname(buf: Out, len: Len) = kern::generic::sys_uname;
            36 vkernel reboot(status: Int) = kern::generic::sys_reboot;

            // Descriptors.
            40 vkernel read(fd: Fd, buf: Out, len: Len) = kern::generic::sys_read;
            41 vkernel write(fd: Fd, buf: In, len: Len) = kern::generic::sys_write;
            42 vkernel pread(fd: Fd, buf: Out, len: Len, offset: Off) = kern::generic::sys_pread;
            43 vkernel pwrite(fd: Fd, buf: In, len: Len, offset: Off) = kern::generic::sys_pwrite;
            44 vkernel lseek(fd: Fd, offset: Off, whence: Uint) = kern::generic::sys_lseek;
            45 vkernel close(fd: Fd) = kern::descrip::sys_close;
            46 vkernel dup(fd: Fd) = kern::descrip::sys_dup;
            47 vkernel dup3(from: Fd, to: Fd, flags: Flags) = kern::descrip::sys_dup3;
            48 vkernel fcntl(fd: Fd, cmd: Uint, arg: Int) = kern::descrip::sys_fcntl;
            49 vkernel pipe2(fds: Out, flags: Flags) = vfs::pipe::sys_pipe2;
            50 vkernel poll(fds: In, count: Len, timeout_ms: Int) = kern::poll::sys_poll;
            51 vkernel ioctl(fd: Fd, request: Uint, arg: In) = kern::generic::sys_ioctl;
            52 vkernel fsync(fd: Fd) = kern::generic::sys_fsync;
            53 vkernel ftruncate(fd: Fd, size: Off) = kern::generic::sys_ftruncate;

            // Files.
            60 vkernel openat(dir: Fd, path: Str, len: Len, flags: Flags, mode: Mode) = vfs::syscalls::sys_openat;
            61 vkernel fstatat(dir: Fd, path: Str, len: Len, stat: Out, flags: Flags) = vfs::syscalls::sys_fstatat;
            62 vkernel faccessat(dir: Fd, path: Str, len: Len, mode: Uint, flags: Flags) = vfs::syscalls::sys_faccessat;
            63 vkernel mkdirat(dir: Fd, path: Str, len: Len, mode: Mode) = vfs::syscalls::sys_mkdirat;
            64 vkernel mknodat(dir: Fd, path: Str, len: Len, mode: Mode, dev: U64) = vfs::syscalls::sys_mknodat;
            65 vkernel unlinkat(dir: Fd, path: Str, len: Len, flags: Flags) = vfs::syscalls::sys_unlinkat;
            66 vkernel renameat(from: Fd, old: Str, old_len: Len, to: Fd, new: Str, new_len: Len, flags: Flags) = vfs::syscalls::sys_renameat;
            67 vkernel linkat(from: Fd, old: Str, old_len: Len, to: Fd, new: Str, new_len: Len, flags: Flags) = vfs::syscalls::sys_linkat;
            68 vkernel symlinkat(target: Str, target_len: Len, dir: Fd, path: Str, len: Len) = vfs::syscalls::sys_symlinkat;
            69 vkernel readlinkat(dir: Fd, path: Str, len: Len, buf: Out, size: Len) = vfs::syscalls::sys_readlinkat;
            70 vkernel fchmodat(dir: Fd, path: Str, len: Len, mode: Mode, flags: Flags) = vfs::syscalls::sys_fchmodat;
            71 vkernel fchownat(dir: Fd, path: Str, len: Len, uid: Uint, gid: Uint, flags: Flags) = vfs::syscalls::sys_fchownat;
            72 vkernel utimensat(dir: Fd, path: Str, len: Len, times: In, flags: Flags) = vfs::syscalls::sys_utimensat;
            73 vkernel getdents(fd: Fd, buf: Out, len: Len) = vfs::syscalls::sys_getdents;
            74 vkernel chdir(path: Str, len: Len) = vfs::syscalls::sys_chdir;
            75 vkernel fchdir(fd: Fd) = vfs::syscalls::sys_fchdir;
            76 vkernel getcwd(buf: Out, size: Len) = vfs::syscalls::sys_getcwd;
            77 vkernel fstat(fd: Fd, stat: Out) = vfs::syscalls::sys_fstat;
            78 vkernel fstatvfs(fd: Fd, buf: Out) = vfs::syscalls::sys_fstatvfs;
            79 vkernel mount(kind: Str, kind_len: Len, path: Str, len: Len, flags: Flags) = vfs::syscalls::sys_mount;
            80 vkernel unmount(path: Str, len: Len, flags: Flags) = vfs::syscalls::sys_unmount;
            81 vkernel sync() = vfs::syscalls::sys_sync;
            96 vkernel chroot(path: Str, len: Len) = vfs::syscalls::sys_chroot;

            // Locks.
            94 vkernel fcntl_lock(fd: Fd, cmd: Uint, lock: In) = kern::lockf::sys_fcntl_lock;
            95 vkernel flock(fd: Fd, how: Flags) = kern::lockf::sys_flock;
            // Beside those above.
            97 vkernel ppoll(fds: In, count: Len, timeout_ns: U64, mask: In) = kern::poll::sys_ppoll;
            98 vkernel close_range(first: Uint, last: Uint, flags: Flags) = kern::descrip::sys_close_range;

            // Sockets.
            107 vkernel socket(domain: Uint, kind: Flags, protocol: Uint) = net::calls::sys_socket;
            108 vkernel socketpair(domain: Uint, kind: Flags, protocol: Uint, fds: Out) = net::calls::sys_socketpair;
            109 vkernel bind(fd: Fd, addr: In, len: Len) = net::calls::sys_bind;
            110 vkernel listen(fd: Fd, backlog: Int) = net::calls::sys_listen;
            111 vkernel accept4(fd: Fd, addr: Out, len: Out, flags: Flags) = net::calls::sys_accept4;
            112 vkernel connect(fd: Fd, addr: In, len: Len) = net::calls::sys_connect;
            113 vkernel getsockname(fd: Fd, addr: Out, len: Out) = net::calls::sys_getsockname;
            114 vkernel getpeername(fd: Fd, addr: Out, len: Out) = net::calls::sys_getpeername;
            115 vkernel sendmsg(fd: Fd, message: In, flags: Flags) = net::transfer::sys_sendmsg;
            116 vkernel recvmsg(fd: Fd, message: Out, flags: Flags) = net::transfer::sys_recvmsg;
            117 vkernel shutdown(fd: Fd, how: Uint) = net::calls::sys_shutdown;
            118 vkernel getsockopt(fd: Fd, level: Uint, name: Uint, value: Out, len: Out) = net::options::sys_getsockopt;
            119 vkernel setsockopt(fd: Fd, level: Uint, name: Uint, value: In, len: Len) = net::options::sys_setsockopt;
            120 vkernel sendto(fd: Fd, buf: In, len: Len, flags: Flags, addr: In, addr_len: Len) = net::transfer::sys_sendto;
            121 vkernel recvfrom(fd: Fd, buf: Out, len: Len, flags: Flags, addr: Out, addr_len: Out) = net::transfer::sys_recvfrom;

            // WASI preview 1.
            128 wasi args_get(argv: Out, buf: Out) = compat::wasi::args::args_get;
            129 wasi args_sizes_get(count: Out, size: Out) = compat::wasi::args::args_sizes_get;
            130 wasi environ_get(env: Out, buf: Out) = compat::wasi::args::environ_get;
            131 wasi environ_sizes_get(count: Out, size: Out) = compat::wasi::args::environ_sizes_get;
            132 wasi clock_res_get(clock: Clock, resolution: Out) = compat::wasi::misc::clock_res_get;
            133 wasi clock_time_get(clock: Clock, precision: U64, time: Out) = compat::wasi::misc::clock_time_get;
            134 wasi fd_advise(fd: Fd, offset: Off, len: Off, advice: Uint) = compat::wasi::fd::fd_advise;
            135 wasi fd_allocate(fd: Fd, offset: Off, len: Off) = compat::wasi::fd::fd_allocate;
            136 wasi fd_close(fd: Fd) = compat::wasi::fd::fd_close;
            137 wasi fd_datasync(fd: Fd) = compat::wasi::fd::fd_datasync;
            138 wasi fd_fdstat_get(fd: Fd, stat: Out) = compat::wasi::fd::fd_fdstat_get;
            139 wasi fd_fdstat_set_flags(fd: Fd, flags: Flags) = compat::wasi::fd::fd_fdstat_set_flags;
            140 wasi fd_fdstat_set_rights(fd: Fd, base: U64, inheriting: U64) = compat::wasi::fd::fd_fdstat_set_rights;
            141 wasi fd_filestat_get(fd: Fd, stat: Out) = compat::wasi::fd::fd_filestat_get;
            142 wasi fd_filestat_set_size(fd: Fd, size: Off) = compat::wasi::fd::fd_filestat_set_size;
            143 wasi fd_filestat_set_times(fd: Fd, atim: U64, mtim: U64, flags: Flags) = compat::wasi::fd::fd_filestat_set_times;
            144 wasi fd_pread(fd: Fd, iovs: In, iovs_len: Len, offset: Off, nread: Out) = compat::wasi::fd::fd_pread;
            145 wasi fd_prestat_get(fd: Fd, prestat: Out) = compat::wasi::fd::fd_prestat_get;
            146 wasi fd_prestat_dir_name(fd: Fd, path: Out, len: Len) = compat::wasi::fd::fd_prestat_dir_name;
            147 wasi fd_pwrite(fd: Fd, iovs: In, iovs_len: Len, offset: Off, nwritten: Out) = compat::wasi::fd::fd_pwrite;
            148 wasi fd_read(fd: Fd, iovs: In, iovs_len: Len, nread: Out) = compat::wasi::fd::fd_read;
            149 wasi fd_readdir(fd: Fd, buf: Out, len: Len, cookie: U64, used: Out) = compat::wasi::fd::fd_readdir;
            150 wasi fd_renumber(from: Fd, to: Fd) = compat::wasi::fd::fd_renumber;
            151 wasi fd_seek(fd: Fd, offset: Off, whence: Uint, result: Out) = compat::wasi::fd::fd_seek;
            152 wasi fd_sync(fd: Fd) = compat::wasi::fd::fd_sync;
            153 wasi fd_tell(fd: Fd, result: Out) = compat::wasi::fd::fd_tell;
            154 wasi fd_write(fd: Fd, iovs: In, iovs_len: Len, nwritten: Out) = compat::wasi::fd::fd_write;
            155 wasi path_create_directory(dir: Fd, path: Str, len: Len) = compat::wasi::path::path_create_directory;
            156 wasi path_filestat_get(dir: Fd, flags: Flags, path: Str, len: Len, stat: Out) = compat::wasi::path::path_filestat_get;
            157 wasi path_filestat_set_times(dir: Fd, flags: Flags, path: Str, len: Len, atim: U64, mtim: U64, fst_flags: Flags) = compat::wasi::path::path_filestat_set_times;
            158 wasi path_link(from: Fd, flags: Flags, old: Str, old_len: Len, to: Fd, new: Str, new_len: Len) = compat::wasi::path::path_link;
            159 wasi path_open(dir: Fd, dirflags: Flags, path: Str, len: Len, oflags: Flags, base: U64, inheriting: U64, fdflags: Flags, opened: Out) = compat::wasi::path::path_open;
            160 wasi path_readlink(dir: Fd, path: Str, len: Len, buf: Out, size: Len, used: Out) = compat::wasi::path::path_readlink;
            161 wasi path_remove_directory(dir: Fd, path: Str, len: Len) = compat::wasi::path::path_remove_directory;
            162 wasi path_rename(from: Fd, old: Str, old_len: Len, to: Fd, new: Str, new_len: Len) = compat::wasi::path::path_rename;
            163 wasi path_symlink(target: Str, target_len: Len, dir: Fd, path: Str, len: Len) = compat::wasi::path::path_symlink;
            164 wasi path_unlink_file(dir: Fd, path: Str, len: Len) = compat::wasi::path::path_unlink_file;
            165 wasi poll_oneoff(subscriptions: In, events: Out, count: Len, ready: Out) = compat::wasi::poll::poll_oneoff;
            166 wasi proc_exit(status: Int) = compat::wasi::misc::proc_exit;
            167 wasi proc_raise(signal: Sig) = compat::wasi::misc::proc_raise;
            168 wasi sched_yield() = compat::wasi::misc::sched_yield;
            169 wasi random_get(buf: Out, len: Len) = compat::wasi::misc::random_get;
            170 wasi sock_accept(fd: Fd, flags: Flags, accepted: Out) = compat::wasi::sock::sock_accept;
            171 wasi sock_recv(fd: Fd, iovs: In, iovs_len: Len, ri_flags: Flags, nread: Out, ro_flags: Out) = compat::wasi::sock::sock_recv;
            172 wasi sock_send(fd: Fd, iovs: In, iovs_len: Len, si_flags: Flags, nwritten: Out) = compat::wasi::sock::sock_send;
            173 wasi sock_shutdown(fd: Fd, how: Flags) = compat::wasi::sock::sock_shutdown;

            // Timers.
            180 vkernel timer_create(clock: Clock, notify: Flags, signal: Sig, value: U64) = kern::ptimer::sys_timer_create;
            181 vkernel timer_settime(timer: Int, flags: Flags, new: In, old: Out) = kern::ptimer::sys_timer_settime;
            182 vkernel timer_gettime(timer: Int, out: Out) = kern::ptimer::sys_timer_gettime;
            183 vkernel timer_getoverrun(timer: Int) = kern::ptimer::sys_timer_getoverrun;
            184 vkernel timer_delete(timer: Int) = kern::ptimer::sys_timer_delete;

            // The four of wasi_unstable that differ; it takes the rest from above, without sock_accept.
            176 wasi_unstable fd_seek(fd: Fd, offset: Off, whence: Uint, result: Out) = compat::wasi::unstable::fd_seek;
            177 wasi_unstable fd_filestat_get(fd: Fd, stat: Out) = compat::wasi::unstable::fd_filestat_get;
            178 wasi_unstable path_filestat_get(dir: Fd, flags: Flags, path: Str, len: Len, stat: Out) = compat::wasi::unstable::path_filestat_get;
            179 wasi_unstable poll_oneoff(subscriptions: In, events: Out, count: Len, ready: Out) = compat::wasi::unstable::poll_oneoff;
        }
    };
}

/// One more than the highest number.
pub const COUNT: usize = 192;

/// Which import modules a row serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(non_camel_case_types)]
pub enum Module {
    vkernel,
    wasi,
    wasi_unstable,
}

/// The import modules that programs may name.
pub const VKERNEL: &str = "vkernel";
pub const WASI_PREVIEW1: &str = "wasi_snapshot_preview1";
pub const WASI_UNSTABLE: &str = "wasi_unstable";

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Syscall {
    pub nr: u32,
    pub module: Module,
    pub name: &'static str,
    pub args: &'static [(&'static str, Arg)],
}

impl Syscall {
    /// True when it is one of [`RESTARTED`].
    pub fn restarted(&self) -> bool {
        RESTARTED.contains(&self.name)
    }
    /// True when the stub answers an i64: an offset does not fit in less.
    pub fn long_result(&self) -> bool {
        self.module == Module::vkernel && LONG_RESULT.contains(&self.name)
    }
    /// `proc_exit` alone has no result in its type.
    pub fn no_result(&self) -> bool {
        self.module == Module::wasi && self.name == "proc_exit"
    }
}

/// Calls that are made again after a handler with SA_RESTART has interrupted them: those of signal(7)'s list that we have.
/// None has a time limit, but sockets that were given one: those take themselves out.
pub const RESTARTED: [&str; 27] = [
    "read",
    "write",
    "pread",
    "pwrite",
    "openat",
    "wait4",
    "waitid",
    "accept4",
    "connect",
    "sendmsg",
    "recvmsg",
    "sendto",
    "recvfrom",
    "ioctl",
    "fcntl",
    "fcntl_lock",
    "flock",
    "getrandom",
    "fd_read",
    "fd_write",
    "fd_pread",
    "fd_pwrite",
    "path_open",
    "random_get",
    "sock_accept",
    "sock_recv",
    "sock_send",
];

/// `vkernel` calls that answer an i64.
pub const LONG_RESULT: [&str; 1] = ["lseek"];

macro_rules! rows {
    ($($nr:literal $module:ident $name:ident($($arg:ident: $ty:ident),*) = $($body:ident)::+;)*) => {
        &[$(Syscall { nr: $nr, module: Module::$module, name: stringify!($name), args: &[$((stringify!($arg), Arg::$ty)),*] }),*]
    };
}

/// The table as data.
pub static SYSCALLS: &[Syscall] = syscalls!(rows);

/// The row of a number.
pub fn by_number(nr: u32) -> Option<&'static Syscall> {
    SYSCALLS.iter().find(|s| s.nr == nr)
}

/// The row that serves an import, if the module offers the name.
pub fn by_import(module: &str, name: &str) -> Option<&'static Syscall> {
    let find = |m: Module| SYSCALLS.iter().find(|s| s.module == m && s.name == name);
    match module {
        VKERNEL => find(Module::vkernel),
        WASI_PREVIEW1 => find(Module::wasi),
        WASI_UNSTABLE if name == "sock_accept" => None,
        WASI_UNSTABLE => find(Module::wasi_unstable).or_else(|| find(Module::wasi)),
        _ => None,
    }
}
