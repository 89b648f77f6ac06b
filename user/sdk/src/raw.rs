//! The imports themselves: names, order and widths as in `abi::syscalls`, checked by a test there.
//!
//! Pointers are plain `usize`, 32 bits on the only target where they mean anything. All functions
//! are safe to *call* in the sense that a wrong pointer is `EFAULT`; what makes them unsafe is that
//! the kernel writes through an `Out` pointer, so that each caller must own what it points to.

#[cfg(not(target_family = "wasm"))]
pub use crate::posix::*;

macro_rules! imports {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {
        #[cfg(target_family = "wasm")]
        #[link(wasm_import_module = "vkernel")]
        unsafe extern "C" {
            $(pub fn $name($($arg: $ty),*) -> $ret;)*
        }
        /// What is imported, for the test against the table: name, widths of the arguments, of the result.
        #[cfg(test)]
        const IMPORTS: &[(&str, &[usize], usize)] =
            &[$((stringify!($name), &[$(width::<$ty>()),*], width::<$ret>())),*];
    };
}

#[cfg(test)]
const fn width<T>() -> usize {
    // A pointer is 32 bits on the target.
    if core::mem::size_of::<T>() == core::mem::size_of::<usize>() && core::mem::align_of::<T>() == 8 { 8 } else { 4 }
}

#[cfg(target_family = "wasm")]
#[link(wasm_import_module = "vkernel")]
unsafe extern "C" {
    /// No call of the table: the loader makes `fork_at` and `frames` of it, with the stack saved before.
    pub fn fork() -> i32;
}

/// An address in the program's memory.
pub type Ptr = *const u8;
/// One that the kernel writes to.
pub type MutPtr = *mut u8;

imports! {
    fn exit(status: i32) -> i32;
    fn getpid() -> i32;
    fn getppid() -> i32;
    fn spawn(request: Ptr, len: u32) -> i32;
    fn exec(request: Ptr, len: u32) -> i32;
    fn wait4(pid: i32, status: MutPtr, options: u32, usage: MutPtr) -> i32;
    fn kill(pid: i32, signal: u32) -> i32;
    fn getpgid(pid: i32) -> i32;
    fn setpgid(pid: i32, pgid: i32) -> i32;
    fn getsid(pid: i32) -> i32;
    fn setsid() -> i32;
    fn sched_yield() -> i32;
    fn sigaction(signal: u32, act: Ptr, old: MutPtr) -> i32;
    fn sigprocmask(how: u32, set: Ptr, old: MutPtr) -> i32;
    fn sigtimedwait(set: Ptr, info: MutPtr, timeout_ns: u64) -> i32;
    fn sigsuspend(mask: Ptr) -> i32;
    fn sigpending(set: MutPtr) -> i32;
    fn siginfo(info: MutPtr) -> i32;
    fn sigqueue(pid: i32, signal: u32, value: u64) -> i32;
    fn setitimer(which: u32, new: Ptr, old: MutPtr) -> i32;
    fn getitimer(which: u32, out: MutPtr) -> i32;
    fn timer_create(clock: u32, notify: u32, signal: u32, value: u64) -> i32;
    fn timer_settime(timer: i32, flags: u32, new: Ptr, old: MutPtr) -> i32;
    fn timer_gettime(timer: i32, out: MutPtr) -> i32;
    fn timer_getoverrun(timer: i32) -> i32;
    fn timer_delete(timer: i32) -> i32;
    fn waitid(kind: u32, id: i32, info: MutPtr, options: u32, usage: MutPtr) -> i32;
    fn getpriority(which: u32, who: i32) -> i32;
    fn setpriority(which: u32, who: i32, nice: i32) -> i32;
    fn socket(domain: u32, kind: u32, protocol: u32) -> i32;
    fn socketpair(domain: u32, kind: u32, protocol: u32, fds: MutPtr) -> i32;
    fn bind(fd: i32, addr: Ptr, len: u32) -> i32;
    fn listen(fd: i32, backlog: i32) -> i32;
    fn accept4(fd: i32, addr: MutPtr, len: MutPtr, flags: u32) -> i32;
    fn connect(fd: i32, addr: Ptr, len: u32) -> i32;
    fn getsockname(fd: i32, addr: MutPtr, len: MutPtr) -> i32;
    fn getpeername(fd: i32, addr: MutPtr, len: MutPtr) -> i32;
    fn sendmsg(fd: i32, message: Ptr, flags: u32) -> i32;
    fn recvmsg(fd: i32, message: MutPtr, flags: u32) -> i32;
    fn shutdown(fd: i32, how: u32) -> i32;
    fn getsockopt(fd: i32, level: u32, name: u32, value: MutPtr, len: MutPtr) -> i32;
    fn setsockopt(fd: i32, level: u32, name: u32, value: Ptr, len: u32) -> i32;
    fn sendto(fd: i32, buf: Ptr, len: u32, flags: u32, addr: Ptr, addr_len: u32) -> i32;
    fn recvfrom(fd: i32, buf: MutPtr, len: u32, flags: u32, addr: MutPtr, addr_len: MutPtr) -> i32;
    fn fork_at(frames: Ptr) -> i32;
    fn frames() -> i32;
    fn getuid() -> i32;
    fn geteuid() -> i32;
    fn getgid() -> i32;
    fn getegid() -> i32;
    fn setuid(uid: u32) -> i32;
    fn setgid(gid: u32) -> i32;
    fn seteuid(uid: u32) -> i32;
    fn setegid(gid: u32) -> i32;
    fn getgroups(count: u32, groups: MutPtr) -> i32;
    fn setgroups(count: u32, groups: Ptr) -> i32;
    fn setreuid(real: u32, effective: u32) -> i32;
    fn setregid(real: u32, effective: u32) -> i32;
    fn setresuid(real: u32, effective: u32, saved: u32) -> i32;
    fn setresgid(real: u32, effective: u32, saved: u32) -> i32;
    fn getresuid(real: MutPtr, effective: MutPtr, saved: MutPtr) -> i32;
    fn getresgid(real: MutPtr, effective: MutPtr, saved: MutPtr) -> i32;
    fn umask(mask: u32) -> i32;
    fn getrlimit(resource: u32, limits: MutPtr) -> i32;
    fn setrlimit(resource: u32, limits: Ptr) -> i32;
    fn getrusage(who: i32, usage: MutPtr) -> i32;
    fn clock_gettime(clock: u32, time: MutPtr) -> i32;
    fn clock_getres(clock: u32, time: MutPtr) -> i32;
    fn clock_nanosleep(clock: u32, flags: u32, ns: u64) -> i32;
    fn getrandom(buf: MutPtr, len: u32) -> i32;
    fn uname(buf: MutPtr, len: u32) -> i32;
    fn reboot(status: i32) -> i32;
    fn read(fd: i32, buf: MutPtr, len: u32) -> i32;
    fn write(fd: i32, buf: Ptr, len: u32) -> i32;
    fn pread(fd: i32, buf: MutPtr, len: u32, offset: i64) -> i32;
    fn pwrite(fd: i32, buf: Ptr, len: u32, offset: i64) -> i32;
    fn lseek(fd: i32, offset: i64, whence: u32) -> i64;
    fn close(fd: i32) -> i32;
    fn dup(fd: i32) -> i32;
    fn dup3(from: i32, to: i32, flags: u32) -> i32;
    fn fcntl(fd: i32, cmd: u32, arg: i32) -> i32;
    fn pipe2(fds: MutPtr, flags: u32) -> i32;
    fn poll(fds: MutPtr, count: u32, timeout_ms: i32) -> i32;
    fn ppoll(fds: MutPtr, count: u32, timeout_ns: u64, mask: Ptr) -> i32;
    fn close_range(first: u32, last: u32, flags: u32) -> i32;
    fn ioctl(fd: i32, request: u32, arg: MutPtr) -> i32;
    fn fsync(fd: i32) -> i32;
    fn ftruncate(fd: i32, size: i64) -> i32;
    fn fcntl_lock(fd: i32, cmd: u32, lock: MutPtr) -> i32;
    fn flock(fd: i32, how: u32) -> i32;
    fn openat(dir: i32, path: Ptr, len: u32, flags: u32, mode: u32) -> i32;
    fn fstatat(dir: i32, path: Ptr, len: u32, stat: MutPtr, flags: u32) -> i32;
    fn faccessat(dir: i32, path: Ptr, len: u32, mode: u32, flags: u32) -> i32;
    fn mkdirat(dir: i32, path: Ptr, len: u32, mode: u32) -> i32;
    fn mknodat(dir: i32, path: Ptr, len: u32, mode: u32, dev: u64) -> i32;
    fn unlinkat(dir: i32, path: Ptr, len: u32, flags: u32) -> i32;
    fn renameat(from: i32, old: Ptr, old_len: u32, to: i32, new: Ptr, new_len: u32, flags: u32) -> i32;
    fn linkat(from: i32, old: Ptr, old_len: u32, to: i32, new: Ptr, new_len: u32, flags: u32) -> i32;
    fn symlinkat(target: Ptr, target_len: u32, dir: i32, path: Ptr, len: u32) -> i32;
    fn readlinkat(dir: i32, path: Ptr, len: u32, buf: MutPtr, size: u32) -> i32;
    fn fchmodat(dir: i32, path: Ptr, len: u32, mode: u32, flags: u32) -> i32;
    fn fchownat(dir: i32, path: Ptr, len: u32, uid: u32, gid: u32, flags: u32) -> i32;
    fn utimensat(dir: i32, path: Ptr, len: u32, times: Ptr, flags: u32) -> i32;
    fn getdents(fd: i32, buf: MutPtr, len: u32) -> i32;
    fn chdir(path: Ptr, len: u32) -> i32;
    fn chroot(path: Ptr, len: u32) -> i32;
    fn fchdir(fd: i32) -> i32;
    fn getcwd(buf: MutPtr, size: u32) -> i32;
    fn fstat(fd: i32, stat: MutPtr) -> i32;
    fn fstatvfs(fd: i32, buf: MutPtr) -> i32;
    fn mount(kind: Ptr, kind_len: u32, path: Ptr, len: u32, flags: u32) -> i32;
    fn unmount(path: Ptr, len: u32, flags: u32) -> i32;
    fn sync() -> i32;
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::syscalls::{Arg, Module, SYSCALLS, VKERNEL, by_import};

    #[test]
    fn every_native_call_is_imported_as_the_table_has_it() {
        for s in SYSCALLS.iter().filter(|s| s.module == Module::vkernel) {
            let (_, args, result) =
                IMPORTS.iter().find(|i| i.0 == s.name).unwrap_or_else(|| panic!("{} is not imported", s.name));
            assert_eq!(args.len(), s.args.len(), "{}", s.name);
            for (have, (name, want)) in args.iter().zip(s.args) {
                // On a 64-bit host a pointer is as wide as an i64: the table says which is which.
                let pointer = matches!(want, Arg::In | Arg::Out | Arg::Str);
                assert_eq!(*have == 8, want.is_long() || pointer, "{} {name}", s.name);
            }
            assert_eq!(*result == 8, s.long_result(), "{}", s.name);
        }
        for (name, ..) in IMPORTS {
            assert!(by_import(VKERNEL, name).is_some(), "{name} is not a call");
        }
    }
}
