//! The process's terminal: raw while a program asks for it, and always given back as it was.
//!
//! The first [`Raw`] saves the mode, the last one restores it. A process that ends otherwise calls
//! [`restore`], from its panic hook and before it exits.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use rustix::termios::{LocalModes, OptionalActions, OutputModes, Termios};

struct Saved {
    fd: RawFd,
    mode: libc::termios,
    users: u32,
    /// Keeps `fd` open.
    _fd: OwnedFd,
}

static SAVED: Mutex<Option<Saved>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Saved>> {
    SAVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The terminal is in raw mode while this lives.
pub(crate) struct Raw(());

impl Raw {
    pub fn enter(fd: &OwnedFd) -> rustix::io::Result<Raw> {
        let mut saved = lock();
        if let Some(saved) = &mut *saved {
            saved.users += 1;
            return Ok(Raw(()));
        }
        let mut mode: Termios = rustix::termios::tcgetattr(fd)?;
        let own = rustix::io::fcntl_dupfd_cloexec(fd, 3)?;
        let before = raw_mode(own.as_raw_fd()).ok_or(rustix::io::Errno::NOTTY)?;
        let post = mode.output_modes & OutputModes::OPOST;
        mode.make_raw();
        // New lines stay new lines: what the guest writes in raw mode has come from its own line
        // discipline. Ctrl-C is a byte like any other, the guest makes the signal of it.
        mode.output_modes |= post;
        mode.local_modes &= !LocalModes::ISIG;
        rustix::termios::tcsetattr(fd, OptionalActions::Drain, &mode)?;
        *saved = Some(Saved { fd: own.as_raw_fd(), mode: before, users: 1, _fd: own });
        Ok(Raw(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let mut saved = lock();
        if let Some(mut s) = saved.take() {
            s.users -= 1;
            if s.users == 0 {
                put_back(&s);
            } else {
                *saved = Some(s);
            }
        }
    }
}

/// Puts the terminal back as it was, whoever still wants it raw. Allocates nothing and waits for
/// nobody, so that it can be called from a panic hook or a signal handler.
pub fn restore() {
    let saved = match SAVED.try_lock() {
        Ok(saved) => saved,
        Err(TryLockError::Poisoned(p)) => p.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    if let Some(saved) = &*saved {
        put_back(saved);
    }
}

fn raw_mode(fd: RawFd) -> Option<libc::termios> {
    let mut mode = std::mem::MaybeUninit::uninit();
    // SAFETY: `mode` is room for what is written there; it is read only after success.
    unsafe { (libc::tcgetattr(fd, mode.as_mut_ptr()) == 0).then(|| mode.assume_init()) }
}

fn put_back(saved: &Saved) {
    // SAFETY: the mode is one that tcgetattr(3) gave us; tcsetattr(3) is async-signal-safe.
    unsafe { libc::tcsetattr(saved.fd, libc::TCSANOW, &saved.mode) };
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::os::fd::FromRawFd;

    /// Its far end and its near end.
    pub(crate) fn terminal() -> (OwnedFd, OwnedFd) {
        let (mut master, mut slave) = (-1, -1);
        let null: *mut u8 = std::ptr::null_mut();
        // SAFETY: the two numbers are written, the other pointers may be null.
        let done = unsafe { libc::openpty(&mut master, &mut slave, null.cast(), null.cast(), null.cast()) };
        assert_eq!(done, 0);
        // SAFETY: openpty(3) has just opened them, and nobody else has them.
        unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) }
    }

    fn is_raw(fd: &OwnedFd) -> bool {
        let mode = rustix::termios::tcgetattr(fd).unwrap();
        assert!(mode.output_modes.contains(OutputModes::OPOST));
        !mode.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    #[test]
    fn the_mode_is_given_back_by_the_last_user_and_by_restore() {
        let (_master, slave) = terminal();
        let first = Raw::enter(&slave).unwrap();
        let second = Raw::enter(&slave).unwrap();
        drop(first);
        assert!(is_raw(&slave));
        restore();
        assert!(!is_raw(&slave));
        drop(second);
        assert!(!is_raw(&slave));
        let again = Raw::enter(&slave).unwrap();
        assert!(is_raw(&slave));
        drop(again);
        assert!(!is_raw(&slave));
        assert!(lock().is_none());
    }
}
