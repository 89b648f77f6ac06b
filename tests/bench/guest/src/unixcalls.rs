//! Fork and signals on both systems, as thin as can be.

pub use on::*;

/// The signals that the measures send.
#[derive(Clone, Copy)]
pub enum Signal {
    Usr1,
    Kill,
}

#[cfg(target_family = "wasm")]
mod on {
    use super::Signal;
    use std::io;
    use vkernel_sys::proc::{self, Forked};
    use vkernel_sys::signal::{self, Action};
    use vkernel_sys::{Errno, Spawn, sig};

    fn error(e: Errno) -> io::Error {
        io::Error::from_raw_os_error(e as i32)
    }

    const fn number(signal: Signal) -> u32 {
        match signal {
            Signal::Usr1 => sig::USR1,
            Signal::Kill => sig::KILL,
        }
    }

    /// Answers the child's number; the child ends with what `child` answers.
    pub fn fork(child: impl FnOnce() -> i32) -> io::Result<i32> {
        match proc::fork().map_err(error)? {
            Forked::Child => proc::exit(child()),
            Forked::Parent(pid) => Ok(pid),
        }
    }

    /// Becomes this program, or answers a status to end with.
    pub fn exec(path: &str) -> i32 {
        Spawn::new(path.as_bytes()).arg(path.as_bytes()).exec();
        127
    }

    #[inline(always)]
    pub fn getpid() -> i32 {
        proc::getpid() as i32
    }

    #[inline(always)]
    pub fn kill(pid: i32, signal: Signal) -> io::Result<()> {
        proc::kill(pid, number(signal)).map_err(error)
    }

    pub fn handle(signal: Signal, handler: extern "C" fn(i32)) -> io::Result<()> {
        signal::sigaction(number(signal), Action::Handler(handler), 0, 0).map(drop).map_err(error)
    }

    pub fn hold(signal: Signal) -> io::Result<()> {
        signal::sigprocmask(sig::BLOCK, sig::bit(number(signal))).map(drop).map_err(error)
    }

    /// Until a handler has run; nothing is held back meanwhile.
    #[inline(always)]
    pub fn sleep() {
        _ = signal::sigsuspend(0);
    }
}

#[cfg(not(target_family = "wasm"))]
mod on {
    use super::Signal;
    use std::ffi::CString;
    use std::io;
    use std::mem::zeroed;
    use std::ptr;

    fn check(r: i32) -> io::Result<i32> {
        if r < 0 { Err(io::Error::last_os_error()) } else { Ok(r) }
    }

    const fn number(signal: Signal) -> i32 {
        match signal {
            Signal::Usr1 => libc::SIGUSR1,
            Signal::Kill => libc::SIGKILL,
        }
    }

    /// Answers the child's number; the child ends with what `child` answers.
    pub fn fork(child: impl FnOnce() -> i32) -> io::Result<i32> {
        // SAFETY: this program has one thread.
        match check(unsafe { libc::fork() })? {
            // SAFETY: it does not come back.
            0 => unsafe { libc::_exit(child()) },
            pid => Ok(pid),
        }
    }

    /// Becomes this program, or answers a status to end with.
    pub fn exec(path: &str) -> i32 {
        if let Ok(path) = CString::new(path) {
            // SAFETY: the lists end in a null pointer and outlive the call.
            unsafe { libc::execve(path.as_ptr(), [path.as_ptr(), ptr::null()].as_ptr(), [ptr::null()].as_ptr()) };
        }
        127
    }

    #[inline(always)]
    pub fn getpid() -> i32 {
        // SAFETY: no pointers.
        unsafe { libc::getpid() }
    }

    #[inline(always)]
    pub fn kill(pid: i32, signal: Signal) -> io::Result<()> {
        // SAFETY: no pointers.
        check(unsafe { libc::kill(pid, number(signal)) }).map(drop)
    }

    pub fn handle(signal: Signal, handler: extern "C" fn(i32)) -> io::Result<()> {
        // SAFETY: all zeroes is an action without flags and with an empty mask; the handlers here
        // only count and send signals.
        unsafe {
            let mut action = zeroed::<libc::sigaction>();
            action.sa_sigaction = handler as libc::sighandler_t;
            check(libc::sigaction(number(signal), &action, ptr::null_mut())).map(drop)
        }
    }

    pub fn hold(signal: Signal) -> io::Result<()> {
        // SAFETY: a set of our own.
        unsafe {
            let mut set = zeroed();
            libc::sigemptyset(&mut set);
            libc::sigaddset(&mut set, number(signal));
            check(libc::sigprocmask(libc::SIG_BLOCK, &set, ptr::null_mut())).map(drop)
        }
    }

    /// Until a handler has run; nothing is held back meanwhile.
    #[inline(always)]
    pub fn sleep() {
        // SAFETY: a set of our own.
        unsafe {
            let mut none = zeroed();
            libc::sigemptyset(&mut none);
            libc::sigsuspend(&none);
        }
    }
}
