//! The native calls on a POSIX host, for the tests of programs and for nothing else.
//!
//! Each function has the name and the arguments of the import it stands in for and translates
//! numbers and structures both ways. What only a vkernel has (`reboot`, `mount`, ...) is `ENOSYS`.
//!
//! SAFETY, for the whole file: callers hand in pointers under the rules of `raw.rs` (they own what
//! `Out` pointers point to, for the length the call says), and they are passed on unchanged.
#![allow(clippy::missing_safety_doc, clippy::undocumented_unsafe_blocks)]

use crate::raw::{MutPtr, Ptr};
use abi::types::{Rusage, Stat, at, o, sig, spawn as sp};
use abi::wire::Reader;
use abi::{Errno, SysResult};
use std::ffi::{CString, c_char};

/// The host's error number as ours, by name.
fn errno(host: i32) -> Errno {
    macro_rules! same { ($($e:ident)*) => { match host { $(libc::$e => Errno::$e,)* _ => Errno::EIO } } }
    same!(E2BIG EACCES EAGAIN EBADF EBUSY ECHILD EDEADLK EEXIST EFAULT EFBIG EINTR EINVAL EIO EISDIR ELOOP EMFILE EMLINK
        ENAMETOOLONG ENFILE ENODEV ENOENT ENOEXEC ENOLCK ENOMEM ENOSPC ENOSYS ENOTDIR ENOTEMPTY ENOTTY ENXIO EOVERFLOW EPERM EPIPE
        ERANGE EROFS ESPIPE ESRCH ETXTBSY EXDEV)
}
fn last() -> i32 {
    -(errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)) as i32)
}
fn answer(r: i64) -> i32 {
    if r < 0 { last() } else { r as i32 }
}
unsafe fn cstr(p: Ptr, len: u32) -> CString {
    CString::new(unsafe { bytes(p, len) }).unwrap_or_default()
}
unsafe fn bytes<'a>(p: Ptr, len: u32) -> &'a [u8] {
    unsafe { std::slice::from_raw_parts(p, len as usize) }
}
unsafe fn fill(out: MutPtr, from: &[u8]) -> i32 {
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), out, from.len()) };
    0
}
fn dir(fd: i32) -> i32 {
    if fd == at::FDCWD { libc::AT_FDCWD } else { fd }
}
fn oflags(flags: u32) -> i32 {
    let mut f = (flags & o::ACCMODE) as i32;
    for (ours, theirs) in [
        (o::CREAT, libc::O_CREAT),
        (o::EXCL, libc::O_EXCL),
        (o::TRUNC, libc::O_TRUNC),
        (o::APPEND, libc::O_APPEND),
        (o::NONBLOCK, libc::O_NONBLOCK),
        (o::DIRECTORY, libc::O_DIRECTORY),
        (o::NOFOLLOW, libc::O_NOFOLLOW),
        (o::CLOEXEC, libc::O_CLOEXEC),
    ] {
        if flags & ours != 0 {
            f |= theirs;
        }
    }
    f
}

macro_rules! plain {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) = $e:expr;)*) => {
        $(pub unsafe fn $name($($arg: $ty),*) -> i32 { answer(unsafe { $e } as i64) })*
    };
}
plain! {
    fn fork() = libc::fork();
    fn getpid() = libc::getpid();
    fn getppid() = libc::getppid();
    fn getpgid(pid: i32) = libc::getpgid(pid);
    fn setpgid(pid: i32, pgid: i32) = libc::setpgid(pid, pgid);
    fn getsid(pid: i32) = libc::getsid(pid);
    fn setsid() = libc::setsid();
    fn kill(pid: i32, signal: u32) = libc::kill(pid, signal as i32);
    fn sched_yield() = libc::sched_yield();
    fn setpriority(which: u32, who: i32, nice: i32) = libc::setpriority(which as _, who as _, nice);
    fn getpriority(which: u32, who: i32) = libc::syscall(libc::SYS_getpriority, which, who);
    fn getuid() = libc::getuid();
    fn geteuid() = libc::geteuid();
    fn getgid() = libc::getgid();
    fn getegid() = libc::getegid();
    fn setuid(uid: u32) = libc::setuid(uid);
    fn setgid(gid: u32) = libc::setgid(gid);
    fn seteuid(uid: u32) = libc::seteuid(uid);
    fn setegid(gid: u32) = libc::setegid(gid);
    fn setreuid(real: u32, effective: u32) = libc::setreuid(real, effective);
    fn setregid(real: u32, effective: u32) = libc::setregid(real, effective);
    fn setresuid(real: u32, effective: u32, saved: u32) = libc::setresuid(real, effective, saved);
    fn setresgid(real: u32, effective: u32, saved: u32) = libc::setresgid(real, effective, saved);
    fn getresuid(real: MutPtr, effective: MutPtr, saved: MutPtr)
        = libc::getresuid(real.cast(), effective.cast(), saved.cast());
    fn getresgid(real: MutPtr, effective: MutPtr, saved: MutPtr)
        = libc::getresgid(real.cast(), effective.cast(), saved.cast());
    fn umask(mask: u32) = libc::umask(mask as libc::mode_t);
    fn getgroups(count: u32, groups: MutPtr) = libc::getgroups(count as i32, groups.cast());
    fn setgroups(count: u32, groups: Ptr) = libc::setgroups(count as _, groups.cast());
    fn read(fd: i32, buf: MutPtr, len: u32) = libc::read(fd, buf.cast(), len as usize);
    fn write(fd: i32, buf: Ptr, len: u32) = libc::write(fd, buf.cast(), len as usize);
    fn pread(fd: i32, buf: MutPtr, len: u32, offset: i64) = libc::pread(fd, buf.cast(), len as usize, offset);
    fn pwrite(fd: i32, buf: Ptr, len: u32, offset: i64) = libc::pwrite(fd, buf.cast(), len as usize, offset);
    fn close(fd: i32) = libc::close(fd);
    fn close_range(first: u32, last: u32, flags: u32) = libc::syscall(libc::SYS_close_range, first, last, flags);
    fn dup(fd: i32) = libc::dup(fd);
    fn dup3(from: i32, to: i32, flags: u32) = libc::dup3(from, to, oflags(flags));
    fn fcntl(fd: i32, cmd: u32, arg: i32) = libc::fcntl(fd, cmd as i32, arg);
    fn fcntl_lock(fd: i32, cmd: u32, lock: MutPtr) = libc::fcntl(fd, cmd as i32, lock);
    fn flock(fd: i32, how: u32) = libc::flock(fd, how as i32);
    fn pipe2(fds: MutPtr, flags: u32) = libc::pipe2(fds.cast(), oflags(flags));
    fn poll(fds: MutPtr, count: u32, timeout_ms: i32) = libc::poll(fds.cast(), count as _, timeout_ms);
    fn ioctl(fd: i32, request: u32, arg: MutPtr) = libc::ioctl(fd, request as _, arg);
    fn fsync(fd: i32) = libc::fsync(fd);
    fn ftruncate(fd: i32, size: i64) = libc::ftruncate(fd, size);
    fn getrlimit(resource: u32, limits: MutPtr) = libc::getrlimit(resource as _, limits.cast());
    fn setrlimit(resource: u32, limits: Ptr) = libc::setrlimit(resource as _, limits.cast());
    fn fchdir(fd: i32) = libc::fchdir(fd);
    fn openat(d: i32, path: Ptr, len: u32, flags: u32, mode: u32)
        = libc::openat(dir(d), cstr(path, len).as_ptr(), oflags(flags), mode);
    fn faccessat(d: i32, path: Ptr, len: u32, mode: u32, flags: u32)
        = libc::faccessat(dir(d), cstr(path, len).as_ptr(), mode as i32, flags as i32);
    fn mkdirat(d: i32, path: Ptr, len: u32, mode: u32) = libc::mkdirat(dir(d), cstr(path, len).as_ptr(), mode);
    fn mknodat(d: i32, path: Ptr, len: u32, mode: u32, dev: u64)
        = libc::mknodat(dir(d), cstr(path, len).as_ptr(), mode, dev);
    fn unlinkat(d: i32, path: Ptr, len: u32, flags: u32)
        = libc::unlinkat(dir(d), cstr(path, len).as_ptr(), flags as i32);
    fn renameat(f: i32, old: Ptr, old_len: u32, t: i32, new: Ptr, new_len: u32, flags: u32)
        = libc::renameat2(dir(f), cstr(old, old_len).as_ptr(), dir(t), cstr(new, new_len).as_ptr(), flags);
    fn linkat(f: i32, old: Ptr, old_len: u32, t: i32, new: Ptr, new_len: u32, flags: u32)
        = libc::linkat(dir(f), cstr(old, old_len).as_ptr(), dir(t), cstr(new, new_len).as_ptr(), flags as i32);
    fn symlinkat(target: Ptr, target_len: u32, d: i32, path: Ptr, len: u32)
        = libc::symlinkat(cstr(target, target_len).as_ptr(), dir(d), cstr(path, len).as_ptr());
    fn readlinkat(d: i32, path: Ptr, len: u32, buf: MutPtr, size: u32)
        = libc::readlinkat(dir(d), cstr(path, len).as_ptr(), buf.cast(), size as usize);
    fn fchmodat(d: i32, path: Ptr, len: u32, mode: u32, _flags: u32)
        = libc::fchmodat(dir(d), cstr(path, len).as_ptr(), mode, 0);
    fn fchownat(d: i32, path: Ptr, len: u32, uid: u32, gid: u32, flags: u32)
        = libc::fchownat(dir(d), cstr(path, len).as_ptr(), uid, gid, flags as i32);
    fn chroot(path: Ptr, len: u32) = libc::chroot(cstr(path, len).as_ptr());
    fn chdir(path: Ptr, len: u32) = libc::chdir(cstr(path, len).as_ptr());
}

macro_rules! nowhere {
    ($(fn $name:ident($($ty:ty),*);)*) => { $(pub unsafe fn $name($(_: $ty),*) -> i32 { -(Errno::ENOSYS as i32) })* };
}
nowhere! {
    fn reboot(i32);
    fn sigsuspend(Ptr);
    fn sigpending(MutPtr);
    fn siginfo(MutPtr);
    fn sigqueue(i32, u32, u64);
    fn setitimer(u32, Ptr, MutPtr);
    fn getitimer(u32, MutPtr);
    fn timer_create(u32, u32, u32, u64);
    fn timer_settime(i32, u32, Ptr, MutPtr);
    fn timer_gettime(i32, MutPtr);
    fn timer_getoverrun(i32);
    fn timer_delete(i32);
    fn waitid(u32, i32, MutPtr, u32, MutPtr);
    fn socket(u32, u32, u32);
    fn socketpair(u32, u32, u32, MutPtr);
    fn bind(i32, Ptr, u32);
    fn listen(i32, i32);
    fn accept4(i32, MutPtr, MutPtr, u32);
    fn connect(i32, Ptr, u32);
    fn getsockname(i32, MutPtr, MutPtr);
    fn getpeername(i32, MutPtr, MutPtr);
    fn sendmsg(i32, Ptr, u32);
    fn recvmsg(i32, MutPtr, u32);
    fn shutdown(i32, u32);
    fn getsockopt(i32, u32, u32, MutPtr, MutPtr);
    fn setsockopt(i32, u32, u32, Ptr, u32);
    fn sendto(i32, Ptr, u32, u32, Ptr, u32);
    fn recvfrom(i32, MutPtr, u32, u32, MutPtr, MutPtr);
    fn fork_at(Ptr);
    fn frames();
    fn mount(Ptr, u32, Ptr, u32, u32);
    fn unmount(Ptr, u32, u32);
    fn uname(MutPtr, u32);
    fn clock_getres(u32, MutPtr);
    fn clock_nanosleep(u32, u32, u64);
    fn getrandom(MutPtr, u32);
    fn fstatvfs(i32, MutPtr);
}

pub unsafe fn exit(status: i32) -> i32 {
    std::process::exit(status)
}
pub unsafe fn sync() -> i32 {
    unsafe { libc::sync() };
    0
}
pub unsafe fn lseek(fd: i32, offset: i64, whence: u32) -> i64 {
    let r = unsafe { libc::lseek(fd, offset, whence as i32) };
    if r < 0 { last() as i64 } else { r }
}
pub unsafe fn sigaction(signal: u32, act: Ptr, _old: MutPtr) -> i32 {
    use abi::types::{Sigaction, sa};
    let handler: extern "C" fn(i32) = keep;
    let mut action = unsafe { std::mem::zeroed::<libc::sigaction>() };
    let Ok(new) = Sigaction::from_bytes(unsafe { std::slice::from_raw_parts(act, Sigaction::SIZE) }) else {
        return -(Errno::EINVAL as i32);
    };
    // Without SA_RESTART: a sleeping call ends with EINTR. Addresses of functions are too long for handlers.
    action.sa_sigaction = match new.handler {
        _ if new.flags & sa::CATCH != 0 => handler as libc::sighandler_t,
        Sigaction::DEFAULT => libc::SIG_DFL,
        Sigaction::IGNORE => libc::SIG_IGN,
        _ => return -(Errno::ENOSYS as i32),
    };
    answer(unsafe { libc::sigaction(signal as i32, &action, std::ptr::null_mut()) } as i64)
}
/// What was caught and not asked about: a bit for each signal.
static CAUGHT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
extern "C" fn keep(signal: i32) {
    CAUGHT.fetch_or(abi::types::sig::bit(signal as u32), std::sync::atomic::Ordering::Relaxed);
}
/// The lowest of the set that was caught.
fn take_caught(set: u64) -> Option<i32> {
    let hit = CAUGHT.load(std::sync::atomic::Ordering::Relaxed) & set;
    if hit == 0 {
        return None;
    }
    let signal = abi::types::sig::pop(&mut { hit });
    CAUGHT.fetch_and(!abi::types::sig::bit(signal), std::sync::atomic::Ordering::Relaxed);
    Some(signal as i32)
}
/// A set of the kernel's as one of the C library's.
unsafe fn sigset(set: Ptr) -> libc::sigset_t {
    let bits = unsafe { set.cast::<u64>().read_unaligned() };
    let mut out = unsafe { std::mem::zeroed() };
    unsafe { libc::sigemptyset(&mut out) };
    for s in (1..32).filter(|s| bits & abi::types::sig::bit(*s as u32) != 0) {
        unsafe { libc::sigaddset(&mut out, s) };
    }
    out
}
pub unsafe fn sigprocmask(how: u32, set: Ptr, _old: MutPtr) -> i32 {
    let how = [libc::SIG_BLOCK, libc::SIG_UNBLOCK, libc::SIG_SETMASK][how as usize];
    answer(unsafe { libc::sigprocmask(how, &sigset(set), std::ptr::null_mut()) } as i64)
}
pub unsafe fn sigtimedwait(set: Ptr, _info: MutPtr, timeout_ns: u64) -> i32 {
    if let Some(signal) = take_caught(unsafe { set.cast::<u64>().read_unaligned() }) {
        return signal;
    }
    let t =
        libc::timespec { tv_sec: (timeout_ns / 1_000_000_000) as i64, tv_nsec: (timeout_ns % 1_000_000_000) as i64 };
    answer(unsafe { libc::sigtimedwait(&sigset(set), std::ptr::null_mut(), &t) } as i64)
}
pub unsafe fn ppoll(fds: MutPtr, count: u32, timeout_ns: u64, mask: Ptr) -> i32 {
    let t =
        libc::timespec { tv_sec: (timeout_ns / 1_000_000_000) as i64, tv_nsec: (timeout_ns % 1_000_000_000) as i64 };
    let t = if timeout_ns == u64::MAX { std::ptr::null() } else { &raw const t };
    let set = if mask.is_null() { None } else { Some(unsafe { sigset(mask) }) };
    let set = set.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    answer(unsafe { libc::ppoll(fds.cast(), count.into(), t, set) } as i64)
}
pub unsafe fn clock_gettime(clock: u32, time: MutPtr) -> i32 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let r = unsafe { libc::clock_gettime(clock as i32, &mut t) };
    if r < 0 { last() } else { unsafe { fill(time, &(t.tv_sec * 1_000_000_000 + t.tv_nsec).to_le_bytes()) } }
}
pub unsafe fn wait4(pid: i32, status: MutPtr, options: u32, _usage: MutPtr) -> i32 {
    answer(unsafe { libc::waitpid(pid, status.cast(), options as i32) } as i64)
}
pub unsafe fn getrusage(who: i32, usage: MutPtr) -> i32 {
    let mut u = unsafe { std::mem::zeroed::<libc::rusage>() };
    if unsafe { libc::getrusage(who, &mut u) } < 0 {
        return last();
    }
    let ns = |t: libc::timeval| t.tv_sec as u64 * 1_000_000_000 + t.tv_usec as u64 * 1000;
    let ours = Rusage { utime_ns: ns(u.ru_utime), stime_ns: ns(u.ru_stime), maxrss_bytes: u.ru_maxrss as u64 * 1024 };
    unsafe { fill(usage, &ours.to_bytes()) }
}
pub unsafe fn getcwd(buf: MutPtr, size: u32) -> i32 {
    if unsafe { libc::getcwd(buf.cast(), size as usize) }.is_null() {
        return last();
    }
    unsafe { libc::strlen(buf.cast()) as i32 }
}
fn stat_of(s: &libc::stat) -> Stat {
    let ns = |sec: i64, nsec: i64| sec * 1_000_000_000 + nsec;
    Stat {
        dev: s.st_dev,
        ino: s.st_ino,
        mode: s.st_mode,
        nlink: s.st_nlink as u32,
        uid: s.st_uid,
        gid: s.st_gid,
        rdev: s.st_rdev,
        size: s.st_size as u64,
        blocks: s.st_blocks as u64,
        blksize: s.st_blksize as u64,
        atime_ns: ns(s.st_atime, s.st_atime_nsec),
        mtime_ns: ns(s.st_mtime, s.st_mtime_nsec),
        ctime_ns: ns(s.st_ctime, s.st_ctime_nsec),
        birth_ns: 0,
    }
}
pub unsafe fn fstatat(d: i32, path: Ptr, len: u32, out: MutPtr, flags: u32) -> i32 {
    let mut s = unsafe { std::mem::zeroed::<libc::stat>() };
    match unsafe { libc::fstatat(dir(d), cstr(path, len).as_ptr(), &mut s, flags as i32) } {
        0 => unsafe { fill(out, &stat_of(&s).to_bytes()) },
        _ => last(),
    }
}
pub unsafe fn fstat(fd: i32, out: MutPtr) -> i32 {
    let mut s = unsafe { std::mem::zeroed::<libc::stat>() };
    match unsafe { libc::fstat(fd, &mut s) } {
        0 => unsafe { fill(out, &stat_of(&s).to_bytes()) },
        _ => last(),
    }
}
pub unsafe fn utimensat(d: i32, path: Ptr, len: u32, times: Ptr, flags: u32) -> i32 {
    let ns = unsafe { std::ptr::read_unaligned(times.cast::<[i64; 2]>()) };
    let t = ns.map(|n| match n {
        crate::fs::UTIME_NOW => libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_NOW },
        crate::fs::UTIME_OMIT => libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_OMIT },
        n => libc::timespec { tv_sec: n.div_euclid(1_000_000_000), tv_nsec: n.rem_euclid(1_000_000_000) },
    });
    answer(unsafe { libc::utimensat(dir(d), cstr(path, len).as_ptr(), t.as_ptr(), flags as i32) } as i64)
}
/// Less is asked of the host than there is room for, since our entries are up to a sixth larger.
pub unsafe fn getdents(fd: i32, buf: MutPtr, len: u32) -> i32 {
    let mut host = [0u8; 1024];
    let room = host.len().min(len as usize * 3 / 4);
    let n = unsafe { libc::syscall(libc::SYS_getdents64, fd, host.as_mut_ptr(), room) };
    if n < 0 {
        return last();
    }
    let (mut from, mut to) = (0, 0);
    while from < n as usize {
        let u64_at = |i: usize| u64::from_le_bytes(host[i..i + 8].try_into().unwrap_or_default());
        let reclen = u16::from_le_bytes([host[from + 16], host[from + 17]]) as usize;
        let name = &host[from + 19..from + reclen];
        let name = &name[..name.iter().position(|&b| b == 0).unwrap_or(name.len())];
        let mut e = Vec::with_capacity(280);
        e.extend_from_slice(&u64_at(from + 8).to_le_bytes());
        e.extend_from_slice(&u64_at(from).to_le_bytes());
        e.extend_from_slice(&(name.len() as u16).to_le_bytes());
        e.extend_from_slice(&[host[from + 18], 0, 0, 0, 0, 0]);
        e.extend_from_slice(name);
        if to + e.len() > len as usize {
            break;
        }
        unsafe { fill(buf.add(to), &e) };
        to += e.len();
        from += reclen;
    }
    to as i32
}

/// A spawn request taken apart.
struct Request {
    flags: u32,
    pgroup: i32,
    defaults: u64,
    path: CString,
    lists: [Vec<CString>; 2],
    actions: Vec<(u32, [i32; 3], CString)>,
}
fn parse(request: &[u8]) -> SysResult<Request> {
    let c = |s: &[u8]| CString::new(s).map_err(|_| Errno::EINVAL);
    let mut r = Reader::new(request);
    let (flags, pgroup) = (r.u32()?, r.i32()?);
    if flags & sp::SETMASK != 0 {
        return Err(Errno::ENOSYS);
    }
    let keys = [sig::INT, sig::QUIT, sig::TSTP, sig::TTIN, sig::TTOU].iter().fold(0, |m, s| m | sig::bit(*s));
    let defaults = match flags {
        f if f & sp::SETDEF != 0 => r.u64()?,
        // As the kernel does: the keyboard's signals are for the job, though its shell ignores them.
        f if f & sp::FOREGROUND != 0 => keys,
        _ => 0,
    };
    let path = c(r.string()?)?;
    let mut lists = [Vec::new(), Vec::new()];
    for list in &mut lists {
        for _ in 0..r.u32()? {
            list.push(c(r.string()?)?);
        }
    }
    let mut actions = Vec::new();
    for _ in 0..r.u32()? {
        let kind = r.u32()?;
        actions.push(match kind {
            sp::OPEN => (kind, [r.i32()?, r.i32()?, r.i32()?], c(r.string()?)?),
            sp::CLOSE | sp::FCHDIR => (kind, [r.i32()?, 0, 0], CString::default()),
            sp::DUP2 => (kind, [r.i32()?, r.i32()?, 0], CString::default()),
            sp::CHDIR => (kind, [0; 3], c(r.string()?)?),
            _ => return Err(Errno::EINVAL),
        });
    }
    Ok(Request { flags, pgroup, defaults, path, lists, actions })
}
fn pointers(list: &[CString]) -> Vec<*mut c_char> {
    list.iter().map(|s| s.as_ptr().cast_mut()).chain([std::ptr::null_mut()]).collect()
}

pub unsafe fn spawn(request: Ptr, len: u32) -> i32 {
    match parse(unsafe { bytes(request, len) }) {
        Ok(r) => unsafe { spawn_parsed(&r) },
        Err(e) => -(e as i32),
    }
}
unsafe fn spawn_parsed(r: &Request) -> i32 {
    let mut pid = 0;
    let err = unsafe {
        let mut acts = std::mem::zeroed();
        libc::posix_spawn_file_actions_init(&mut acts);
        let mut tty = -1;
        if r.flags & sp::FOREGROUND != 0 {
            // By the child, and first: it must not read before the terminal is its group's.
            tty = libc::open(c"/dev/tty".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
            libc::posix_spawn_file_actions_addtcsetpgrp_np(&mut acts, tty);
        }
        for (kind, [a, b, c], path) in &r.actions {
            match *kind {
                sp::OPEN => libc::posix_spawn_file_actions_addopen(
                    &mut acts,
                    *a,
                    path.as_ptr(),
                    oflags(*b as u32),
                    *c as libc::mode_t,
                ),
                sp::CLOSE => libc::posix_spawn_file_actions_addclose(&mut acts, *a),
                sp::DUP2 => libc::posix_spawn_file_actions_adddup2(&mut acts, *a, *b),
                sp::CHDIR => libc::posix_spawn_file_actions_addchdir_np(&mut acts, path.as_ptr()),
                _ => libc::EINVAL,
            };
        }
        let mut attr = std::mem::zeroed();
        libc::posix_spawnattr_init(&mut attr);
        let mut flags = 0;
        if r.flags & sp::SETPGROUP != 0 {
            flags |= libc::POSIX_SPAWN_SETPGROUP;
            libc::posix_spawnattr_setpgroup(&mut attr, r.pgroup);
        }
        if r.defaults != 0 {
            flags |= libc::POSIX_SPAWN_SETSIGDEF;
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            for s in (1..sig::COUNT).filter(|s| r.defaults & sig::bit(*s) != 0) {
                libc::sigaddset(&mut set, s as i32);
            }
            libc::posix_spawnattr_setsigdefault(&mut attr, &set);
        }
        libc::posix_spawnattr_setflags(&mut attr, flags as _);
        let (argv, envp) = (pointers(&r.lists[0]), pointers(&r.lists[1]));
        let run = if r.flags & sp::SEARCH_PATH != 0 { libc::posix_spawnp } else { libc::posix_spawn };
        let err = run(&mut pid, r.path.as_ptr(), &acts, &attr, argv.as_ptr(), envp.as_ptr());
        libc::posix_spawn_file_actions_destroy(&mut acts);
        libc::posix_spawnattr_destroy(&mut attr);
        if tty >= 0 {
            libc::close(tty);
        }
        err
    };
    if err != 0 { -(errno(err) as i32) } else { pid }
}
pub unsafe fn exec(request: Ptr, len: u32) -> i32 {
    let r = match parse(unsafe { bytes(request, len) }) {
        Ok(r) => r,
        Err(e) => return -(e as i32),
    };
    let (argv, envp) = (pointers(&r.lists[0]), pointers(&r.lists[1]));
    let run = if r.flags & sp::SEARCH_PATH != 0 { libc::execvpe } else { libc::execve };
    unsafe { run(r.path.as_ptr(), argv.as_ptr().cast(), envp.as_ptr().cast()) };
    last()
}
