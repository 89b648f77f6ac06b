//! What WASI lacks, on both systems: parents, pipes, copies of descriptors, children.
//!
//! Children get no environment. Pipes are close-on-exec; a child has what is moved into place for it.

#[cfg(target_family = "wasm")]
pub use vkernel::*;

#[cfg(target_family = "wasm")]
mod vkernel {
    use crate::os::Fd;
    use std::io;
    use vkernel_sys::{Errno, Spawn, io as vio, o, proc, tty};

    fn error(e: Errno) -> io::Error {
        io::Error::from_raw_os_error(e as i32)
    }

    #[inline(always)]
    pub fn getppid() -> i32 {
        proc::getppid() as i32
    }

    #[inline(always)]
    pub fn dup(fd: Fd) -> io::Result<Fd> {
        vio::dup(fd).map_err(error)
    }

    pub fn pipe() -> io::Result<(Fd, Fd)> {
        vio::pipe2(o::CLOEXEC).map_err(error)
    }

    /// The master and the slave of a pty in raw mode.
    pub fn pty() -> io::Result<(Fd, Fd)> {
        let (master, slave) = tty::openpty().map_err(error)?;
        let raw = tty::tcgetattr(slave).and_then(|t| tty::tcsetattr(slave, tty::When::Now, &tty::cfmakeraw(t)));
        raw.map(|()| (master, slave)).map_err(error)
    }

    /// Runs a program with descriptors moved: `(from, to)`.
    pub fn spawn(path: &str, args: &[&str], moves: &[(Fd, Fd)]) -> io::Result<i32> {
        let child = Spawn::new(path.as_bytes()).arg(path.as_bytes()).args(args);
        moves.iter().fold(child, |c, &(from, to)| c.dup2(from, to)).spawn().map_err(error)
    }

    /// The status word of a child that has ended.
    pub fn wait(pid: i32) -> io::Result<u32> {
        match proc::waitpid(pid, 0) {
            Ok(Some((_, status))) => Ok(status),
            Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
            Err(e) => Err(error(e)),
        }
    }
}

#[cfg(not(target_family = "wasm"))]
pub use posix::*;

#[cfg(not(target_family = "wasm"))]
mod posix {
    use crate::os::Fd;
    use std::ffi::CString;
    use std::io;
    use std::mem::MaybeUninit;
    use std::ptr;

    #[inline(always)]
    pub fn getppid() -> i32 {
        // SAFETY: no pointers.
        unsafe { libc::getppid() }
    }

    #[inline(always)]
    pub fn dup(fd: Fd) -> io::Result<Fd> {
        // SAFETY: no pointers.
        check(unsafe { libc::dup(fd) })
    }

    pub fn pipe() -> io::Result<(Fd, Fd)> {
        let mut fds = [0; 2];
        // SAFETY: two descriptors are written.
        check(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) })?;
        Ok((fds[0], fds[1]))
    }

    /// The master and the slave of a pty in raw mode.
    pub fn pty() -> io::Result<(Fd, Fd)> {
        let (mut master, mut slave) = (-1, -1);
        let mut settings = MaybeUninit::<libc::termios>::uninit();
        // SAFETY: two descriptors are written, and settings that are read after that; the other pointers may
        // be null.
        unsafe {
            check(libc::openpty(&mut master, &mut slave, ptr::null_mut(), ptr::null_mut(), ptr::null_mut()))?;
            for fd in [master, slave] {
                check(libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC))?;
            }
            check(libc::tcgetattr(slave, settings.as_mut_ptr()))?;
            libc::cfmakeraw(settings.as_mut_ptr());
            check(libc::tcsetattr(slave, libc::TCSANOW, settings.as_ptr()))?;
        }
        Ok((master, slave))
    }

    fn check(r: i32) -> io::Result<i32> {
        if r < 0 { Err(io::Error::last_os_error()) } else { Ok(r) }
    }

    /// Runs a program with descriptors moved: `(from, to)`.
    pub fn spawn(path: &str, args: &[&str], moves: &[(Fd, Fd)]) -> io::Result<i32> {
        let words: Vec<CString> =
            [&path].into_iter().chain(args).map(|&w| CString::new(w)).collect::<Result<_, _>>()?;
        let mut argv: Vec<*mut libc::c_char> = words.iter().map(|w| w.as_ptr().cast_mut()).collect();
        argv.push(ptr::null_mut());
        let envp = [ptr::null_mut()];
        let mut actions = MaybeUninit::<libc::posix_spawn_file_actions_t>::uninit();
        let mut pid = 0;
        // SAFETY: the actions are initialised before they are used and destroyed once; the lists
        // end in a null pointer and outlive the call.
        let error = unsafe {
            libc::posix_spawn_file_actions_init(actions.as_mut_ptr());
            for &(from, to) in moves {
                libc::posix_spawn_file_actions_adddup2(actions.as_mut_ptr(), from, to);
            }
            let error =
                libc::posix_spawn(&mut pid, argv[0], actions.as_ptr(), ptr::null(), argv.as_ptr(), envp.as_ptr());
            libc::posix_spawn_file_actions_destroy(actions.as_mut_ptr());
            error
        };
        if error == 0 { Ok(pid) } else { Err(io::Error::from_raw_os_error(error)) }
    }

    /// The status word of a child that has ended.
    pub fn wait(pid: i32) -> io::Result<u32> {
        let mut status = 0;
        // SAFETY: `status` is ours to be written.
        check(unsafe { libc::waitpid(pid, &mut status, 0) })?;
        Ok(status as u32)
    }
}
