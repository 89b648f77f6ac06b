//! Terminals: `ioctl(2)` on one.

use crate::{SysResult, done, io, o, proc, raw};
pub use abi::types::Termios;
pub use abi::types::termios as bits;
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

/// `TIOCSWINSZ`.
pub fn set_winsize(fd: i32, size: Winsize) -> SysResult<()> {
    let mut buf = size.to_bytes();
    // SAFETY: the kernel reads `Winsize::SIZE` bytes.
    done(unsafe { raw::ioctl(fd, ioctl::TIOCSWINSZ, buf.as_mut_ptr()) })
}

/// `cfmakeraw(3)`: bytes as they come and go.
pub fn cfmakeraw(mut t: Termios) -> Termios {
    const CHARACTERS: u32 = 0o60;
    const IGNBRK_BRKINT_PARMRK: u32 = 0o13;
    t.iflag &= !(IGNBRK_BRKINT_PARMRK | bits::ISTRIP | bits::INLCR | bits::IGNCR | bits::ICRNL | bits::IXON);
    t.oflag &= !bits::OPOST;
    t.lflag &= !(bits::ECHO | bits::ECHONL | bits::ICANON | bits::ISIG | bits::IEXTEN);
    t.cflag |= CHARACTERS;
    (t.cc[bits::VMIN], t.cc[bits::VTIME]) = (1, 0);
    t
}

/// `tcgetattr(3)`.
pub fn tcgetattr(fd: i32) -> SysResult<Termios> {
    let mut buf = [0; bits::SIZE];
    // SAFETY: the kernel writes `SIZE` bytes.
    done(unsafe { raw::ioctl(fd, ioctl::TCGETS, buf.as_mut_ptr()) })?;
    Termios::from_bytes(&buf)
}

/// When `tcsetattr(3)` takes effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// TCSANOW.
    Now,
    /// TCSADRAIN: when all that was written is shown.
    Drain,
    /// TCSAFLUSH: then, and what was typed and not read is forgotten.
    Flush,
}

/// `tcsetattr(3)`.
pub fn tcsetattr(fd: i32, when: When, settings: &Termios) -> SysResult<()> {
    let request = match when {
        When::Now => ioctl::TCSETS,
        When::Drain => ioctl::TCSETSW,
        When::Flush => ioctl::TCSETSF,
    };
    let mut buf = settings.to_bytes();
    // SAFETY: the kernel reads `SIZE` bytes.
    done(unsafe { raw::ioctl(fd, request, buf.as_mut_ptr()) })
}

/// A new pty: its open master, which is closed by exec, and the name of its slave, which may be opened.
/// `posix_openpt(3)`, `unlockpt(3)`, `ptsname(3)`.
pub fn openpt() -> SysResult<(i32, String)> {
    let master = io::open(b"/dev/ptmx", o::RDWR | o::NOCTTY | o::CLOEXEC, 0)?;
    let named = || {
        let (mut unlock, mut number) = (0u32, 0u32);
        // SAFETY: the kernel reads one word, and writes one.
        done(unsafe { raw::ioctl(master, ioctl::TIOCSPTLCK, (&raw mut unlock).cast()) })?;
        // SAFETY: as above.
        done(unsafe { raw::ioctl(master, ioctl::TIOCGPTN, (&raw mut number).cast()) })?;
        Ok(format!("/dev/pts/{number}"))
    };
    match named() {
        Ok(name) => Ok((master, name)),
        Err(e) => {
            // Nothing was written to it.
            let _ = io::close(master);
            Err(e)
        }
    }
}

/// `openpty(3)`: a new pty's master and slave.
pub fn openpty() -> SysResult<(i32, i32)> {
    let (master, name) = openpt()?;
    match io::open(name.as_bytes(), o::RDWR | o::NOCTTY | o::CLOEXEC, 0) {
        Ok(slave) => Ok((master, slave)),
        Err(e) => {
            let _ = io::close(master);
            Err(e)
        }
    }
}

/// `login_tty(3)`: a session on the terminal, which becomes standard input, output and error.
pub fn login_tty(fd: i32) -> SysResult<()> {
    // Who leads a session already may have no terminal yet.
    let _ = proc::setsid();
    // SAFETY: the argument is no pointer.
    done(unsafe { raw::ioctl(fd, ioctl::TIOCSCTTY, std::ptr::null_mut()) })?;
    for to in 0..3 {
        if to != fd {
            io::dup3(fd, to, 0)?;
        }
    }
    if fd > 2 { io::close(fd) } else { Ok(()) }
}

/// `forkpty(3)`: in the parent the child's number and the pty's master; none in the child, which leads a
/// session on the slave.
pub fn forkpty() -> SysResult<Option<(i32, i32)>> {
    let (master, slave) = openpty()?;
    match proc::fork() {
        Ok(proc::Forked::Child) => {
            // The parent's alone.
            let _ = io::close(master);
            if login_tty(slave).is_err() {
                proc::exit(1);
            }
            Ok(None)
        }
        Ok(proc::Forked::Parent(child)) => {
            io::close(slave)?;
            Ok(Some((child, master)))
        }
        Err(e) => {
            let _ = (io::close(slave), io::close(master));
            Err(e)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_as_they_were_given() {
        let mut bytes: [u8; bits::SIZE] = core::array::from_fn(|i| i as u8 + 1);
        bytes[49..52].fill(0);
        assert_eq!(Termios::from_bytes(&bytes).map(|t| t.to_bytes()), Ok(bytes));
    }
}
