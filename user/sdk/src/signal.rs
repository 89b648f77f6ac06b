//! Signal handlers, masks and timers.
//!
//! A program that has handlers says [`signal_handlers!`](crate::signal_handlers) once, at its root: that exports the
//! function by which the kernel calls them. A handler may do what sigaction(2) allows it anywhere: it may
//! have come in the middle of an allocation.

use abi::types::{Sigaction, Siginfo, itimer, sa, timer};

use crate::{SysResult, check, done, raw};

/// What a signal does.
#[derive(Clone, Copy)]
pub enum Action {
    Default,
    Ignore,
    /// No handler: it ends a sleeping call, and `sigtake` tells which it was.
    Catch,
    Handler(extern "C" fn(i32)),
    /// One that is told more.
    Info(fn(&Siginfo)),
}

/// Exports what the kernel calls to run a handler of this program.
#[macro_export]
macro_rules! signal_handlers {
    () => {
        #[cfg(target_family = "wasm")]
        #[unsafe(export_name = "__vk_signal")]
        extern "C" fn __vk_signal(handler: usize, signal: i32, info: i32) {
            $crate::signal::call(handler, signal, info);
        }
    };
}

/// Code that makes no calls may use so many bytes below the stack pointer, as compilers see it. It makes calls all the same, by
/// the checks that the loader has put in.
const RED_ZONE: usize = 128;

/// Calls a handler. For [`signal_handlers!`](crate::signal_handlers) alone: `handler` is what the kernel says.
#[doc(hidden)]
#[inline(never)]
pub fn call(handler: usize, signal: i32, info: i32) {
    // The only thing in this frame, so that all other frames are below the zone. Only its lower part is written to.
    let mut below = std::mem::MaybeUninit::<[u8; Siginfo::SIZE + RED_ZONE]>::uninit();
    call_with(handler, signal, info, below.as_mut_ptr().cast());
}

#[inline(never)]
fn call_with(handler: usize, signal: i32, info: i32, buf: *mut u8) {
    if info == 0 {
        // SAFETY: `sigaction` was given a function of this type.
        let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(i32)>(handler) };
        return handler(signal);
    }
    // SAFETY: there is room for as many bytes, and they are written, or zero.
    let bytes = unsafe {
        buf.write_bytes(0, Siginfo::SIZE);
        raw::siginfo(buf);
        std::slice::from_raw_parts(buf, Siginfo::SIZE)
    };
    // SAFETY: `sigaction` was given a function of this type.
    let handler = unsafe { std::mem::transmute::<usize, fn(&Siginfo)>(handler) };
    handler(&Siginfo::from_bytes(bytes).unwrap_or_default());
}

/// `sigaction(2)`: flags are of [`sa`], the mask is signals that are held back while the handler runs. Answers what it was.
pub fn sigaction(signal: u32, action: Action, flags: u32, mask: u64) -> SysResult<Sigaction> {
    let (handler, flag) = match action {
        Action::Default => (Sigaction::DEFAULT, 0),
        Action::Ignore => (Sigaction::IGNORE, 0),
        Action::Catch => (0, sa::CATCH),
        Action::Handler(f) => (f as usize as u32, 0),
        Action::Info(f) => (f as usize as u32, sa::SIGINFO),
    };
    let new = Sigaction { handler, flags: flags | flag, mask }.to_bytes();
    let mut old = [0; Sigaction::SIZE];
    // SAFETY: the kernel reads one and writes the other.
    done(unsafe { raw::sigaction(signal, new.as_ptr(), old.as_mut_ptr()) })?;
    Sigaction::from_bytes(&old)
}

/// `sigprocmask(2)`: how is one of `sig`'s. Answers the old mask.
pub fn sigprocmask(how: u32, set: u64) -> SysResult<u64> {
    let mut old = 0u64;
    // SAFETY: the kernel reads and writes a set of eight bytes.
    done(unsafe { raw::sigprocmask(how, (&raw const set).cast(), (&raw mut old).cast()) })?;
    Ok(old)
}

/// `sigsuspend(2)`: sleeps until a handler has run, with this mask meanwhile. Always an error, `EINTR` that is.
pub fn sigsuspend(mask: u64) -> SysResult<()> {
    // SAFETY: a set of eight bytes.
    done(unsafe { raw::sigsuspend((&raw const mask).cast()) })
}

/// `pause(2)`.
pub fn pause() -> SysResult<()> {
    sigsuspend(sigprocmask(abi::types::sig::BLOCK, 0)?)
}

/// `sigpending(2)`.
pub fn sigpending() -> SysResult<u64> {
    let mut set = 0u64;
    // SAFETY: the kernel writes a set of eight bytes.
    done(unsafe { raw::sigpending((&raw mut set).cast()) })?;
    Ok(set)
}

/// `sigtimedwait(2)`.
pub fn sigtimedwait(set: u64, timeout_ns: u64) -> SysResult<Siginfo> {
    let mut info = [0; Siginfo::SIZE];
    // SAFETY: a set of eight bytes is read, an info written.
    check(unsafe { raw::sigtimedwait((&raw const set).cast(), info.as_mut_ptr(), timeout_ns) })?;
    Siginfo::from_bytes(&info)
}

/// `sigqueue(3)`.
pub fn sigqueue(pid: i32, signal: u32, value: u64) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::sigqueue(pid, signal, value) })
}

/// `raise(3)`.
pub fn raise(signal: u32) -> SysResult<()> {
    crate::proc::kill(crate::proc::getpid() as i32, signal)
}

/// `setitimer(2)`, in nanoseconds: the time to the next expiry, and from one to the next. Answers what was left.
pub fn setitimer(which: u32, value_ns: u64, interval_ns: u64) -> SysResult<(u64, u64)> {
    let (new, mut old) = ([value_ns, interval_ns], [0u64; 2]);
    const _: () = assert!(size_of::<[u64; 2]>() == itimer::SIZE);
    // SAFETY: the kernel reads two numbers and writes two.
    done(unsafe { raw::setitimer(which, new.as_ptr().cast(), old.as_mut_ptr().cast()) })?;
    Ok((old[0], old[1]))
}

/// `getitimer(2)`.
pub fn getitimer(which: u32) -> SysResult<(u64, u64)> {
    let mut now = [0u64; 2];
    // SAFETY: the kernel writes two numbers.
    done(unsafe { raw::getitimer(which, now.as_mut_ptr().cast()) })?;
    Ok((now[0], now[1]))
}

/// A timer of `timer_create(2)`; it goes with its value. Times are nanoseconds.
pub struct Timer(i32);

impl Timer {
    /// One of this clock that sends a signal with this value. EAGAIN, EINVAL.
    pub fn new(clock: u32, signal: u32, value: u64) -> SysResult<Timer> {
        // SAFETY: no pointers.
        abi::errno::decode(unsafe { raw::timer_create(clock, timer::SIGNAL, signal, value) }).map(|n| Timer(n as i32))
    }
    /// `timer_settime(2)`: the first expiry, 0 for none, at a time of the clock with `timer::ABSTIME`; and from one to the
    /// next. Answers what was left.
    pub fn set(&self, flags: u32, value_ns: u64, interval_ns: u64) -> SysResult<(u64, u64)> {
        let (new, mut old) = ([value_ns, interval_ns], [0u64; 2]);
        // SAFETY: the kernel reads two numbers and writes two.
        done(unsafe { raw::timer_settime(self.0, flags, new.as_ptr().cast(), old.as_mut_ptr().cast()) })?;
        Ok((old[0], old[1]))
    }
    /// `timer_gettime(2)`.
    pub fn left(&self) -> SysResult<(u64, u64)> {
        let mut now = [0u64; 2];
        // SAFETY: the kernel writes two numbers.
        done(unsafe { raw::timer_gettime(self.0, now.as_mut_ptr().cast()) })?;
        Ok((now[0], now[1]))
    }
    /// `timer_getoverrun(2)`.
    pub fn overrun(&self) -> SysResult<u32> {
        // SAFETY: no pointers.
        abi::errno::decode(unsafe { raw::timer_getoverrun(self.0) })
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: no pointers. In a child of fork it is nobody's.
        unsafe { raw::timer_delete(self.0) };
    }
}
