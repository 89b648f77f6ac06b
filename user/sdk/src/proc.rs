//! Processes: who they are, making them, waiting for them.

use crate::{SysResult, check, done, raw};
use abi::types::{Rusage, Sigaction, sig, spawn};

/// Ends the process. Exit handlers and buffers of the standard library are not run.
pub fn exit(status: i32) -> ! {
    // SAFETY: no pointers. It does not come back.
    unsafe { raw::exit(status) };
    std::process::exit(status)
}

/// Which of the two a process is that comes back from [`fork`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forked {
    /// The one that called; the child's pid.
    Parent(i32),
    Child,
}

/// `fork(2)`: two processes come back, with the same memory to begin with, and the same open files.
///
/// What the standard library has in its buffers both have, too. EAGAIN, ENOMEM; ENOSYS on a machine
/// that can't, or when called from where the stack cannot be saved (a start function, or a reference in a local).
pub fn fork() -> SysResult<Forked> {
    // SAFETY: no pointers. There is one thread, so that no lock is held by another that the child hasn't.
    let pid = check(unsafe { raw::fork() })?;
    Ok(if pid == 0 { Forked::Child } else { Forked::Parent(pid as i32) })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        pub fn $name() -> u32 {
            // SAFETY: no pointers.
            check(unsafe { raw::$name() }).unwrap_or(0)
        }
    )* };
}
ids! {
    /// `getpid(2)`; 0 outside of a vkernel.
    getpid;
    /// `getppid(2)`.
    getppid;
    /// `getuid(2)`.
    getuid;
    /// `geteuid(2)`.
    geteuid;
    /// `getgid(2)`.
    getgid;
    /// `getegid(2)`.
    getegid;
}

/// `setuid(2)`.
pub fn setuid(uid: u32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::setuid(uid) })
}

/// `setgid(2)`.
pub fn setgid(gid: u32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::setgid(gid) })
}

/// An argument that leaves an id as it is.
pub const KEEP: u32 = u32::MAX;

/// `seteuid(2)`.
pub fn seteuid(uid: u32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::seteuid(uid) })
}

/// `setegid(2)`.
pub fn setegid(gid: u32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::setegid(gid) })
}

/// `setreuid(2)`.
pub fn setreuid(real: u32, effective: u32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::setreuid(real, effective) })
}

/// `setregid(2)`.
pub fn setregid(real: u32, effective: u32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::setregid(real, effective) })
}

/// `setresuid(2)`.
pub fn setresuid(real: u32, effective: u32, saved: u32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::setresuid(real, effective, saved) })
}

/// `setresgid(2)`.
pub fn setresgid(real: u32, effective: u32, saved: u32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::setresgid(real, effective, saved) })
}

/// `getresuid(2)`: real, effective, saved.
pub fn getresuid() -> SysResult<[u32; 3]> {
    let mut ids = [0u32; 3];
    let [r, e, s] = ids.each_mut().map(|id| std::ptr::from_mut(id).cast());
    // SAFETY: the kernel writes one id to each.
    done(unsafe { raw::getresuid(r, e, s) })?;
    Ok(ids)
}

/// `getresgid(2)`: real, effective, saved.
pub fn getresgid() -> SysResult<[u32; 3]> {
    let mut ids = [0u32; 3];
    let [r, e, s] = ids.each_mut().map(|id| std::ptr::from_mut(id).cast());
    // SAFETY: the kernel writes one id to each.
    done(unsafe { raw::getresgid(r, e, s) })?;
    Ok(ids)
}

/// `setgroups(2)`.
pub fn setgroups(groups: &[u32]) -> SysResult<()> {
    // SAFETY: the kernel reads `groups`.
    done(unsafe { raw::setgroups(groups.len() as u32, groups.as_ptr().cast()) })
}

/// `getgroups(2)`.
pub fn getgroups() -> SysResult<Vec<u32>> {
    // SAFETY: with a count of 0 nothing is written.
    let n = check(unsafe { raw::getgroups(0, std::ptr::null_mut()) })?;
    let mut groups = vec![0u32; n as usize];
    // SAFETY: the kernel writes `n` ids at most.
    let n = check(unsafe { raw::getgroups(n, groups.as_mut_ptr().cast()) })?;
    groups.truncate(n as usize);
    Ok(groups)
}

/// `umask(2)`: answers the one before.
pub fn umask(mask: u32) -> u32 {
    // SAFETY: no pointers.
    check(unsafe { raw::umask(mask) }).unwrap_or(0)
}

/// `kill(2)`; signal 0 only asks.
pub fn kill(pid: i32, signal: u32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::kill(pid, signal) })
}

/// `getpgid(2)`.
pub fn getpgid(pid: i32) -> SysResult<i32> {
    // SAFETY: no pointers.
    check(unsafe { raw::getpgid(pid) }).map(|p| p as i32)
}

/// `setpgid(2)`.
pub fn setpgid(pid: i32, pgid: i32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::setpgid(pid, pgid) })
}

/// `getsid(2)`.
pub fn getsid(pid: i32) -> SysResult<i32> {
    // SAFETY: no pointers.
    check(unsafe { raw::getsid(pid) }).map(|p| p as i32)
}

/// `setsid(2)`.
pub fn setsid() -> SysResult<i32> {
    // SAFETY: no pointers.
    check(unsafe { raw::setsid() }).map(|p| p as i32)
}

/// What a signal does to this process; for handlers see [`signal`](crate::signal).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Disposition {
    Default = 0,
    Ignore = 1,
    /// Ends a sleeping call with `EINTR`; [`sigtake`] tells which it was.
    Catch = 2,
}

/// `sigaction(2)`, as far as it goes.
pub fn sigaction(signal: u32, disposition: Disposition) -> SysResult<()> {
    let new = match disposition {
        Disposition::Default => Sigaction::default(),
        Disposition::Ignore => Sigaction { handler: Sigaction::IGNORE, ..Sigaction::default() },
        Disposition::Catch => Sigaction::CATCH,
    };
    // SAFETY: a `Sigaction` to be read, and no place for the old one.
    done(unsafe { raw::sigaction(signal, new.to_bytes().as_ptr(), std::ptr::null_mut()) })
}

/// Holds these signals back (`sigprocmask(2)` with SIG_BLOCK); [`sigtake`] asks for them.
pub fn sigblock(signals: &[u32]) -> SysResult<()> {
    let set = sigset(signals);
    // SAFETY: a set of eight bytes, and no place for the old one.
    done(unsafe { raw::sigprocmask(abi::types::sig::BLOCK, set.as_ptr().cast(), std::ptr::null_mut()) })
}

/// Takes one of these blocked or caught signals if it has come; does not wait.
pub fn sigtake(signals: &[u32]) -> Option<u32> {
    let set = sigset(signals);
    // SAFETY: a set of eight bytes.
    let signal = unsafe { raw::sigtimedwait(set.as_ptr().cast(), std::ptr::null_mut(), 0) };
    u32::try_from(signal).ok().filter(|&s| s != 0)
}

/// Sleeps until one of these blocked signals has come, and takes it.
pub fn sigwait(signals: &[u32]) -> SysResult<u32> {
    let set = sigset(signals);
    // SAFETY: a set of eight bytes.
    check(unsafe { raw::sigtimedwait(set.as_ptr().cast(), std::ptr::null_mut(), u64::MAX) })
}

fn sigset(signals: &[u32]) -> [u8; 8] {
    signals.iter().fold(0, |set, s| set | abi::types::sig::bit(*s)).to_le_bytes()
}

/// `waitpid(2)`: the process and its status word (`abi::types::wait`), or nothing with `NOHANG`.
pub fn waitpid(pid: i32, options: u32) -> SysResult<Option<(i32, u32)>> {
    let mut status = 0u32;
    let out = (&raw mut status).cast();
    // SAFETY: the kernel writes one word; it is not asked for usage.
    let pid = check(unsafe { raw::wait4(pid, out, options, std::ptr::null_mut()) })?;
    Ok(if pid == 0 { None } else { Some((pid as i32, status)) })
}

/// `getrusage(2)`: 0 for the process, -1 for the children it has waited for.
pub fn getrusage(who: i32) -> SysResult<Rusage> {
    let mut buf = [0; Rusage::SIZE];
    // SAFETY: the kernel writes `Rusage::SIZE` bytes.
    done(unsafe { raw::getrusage(who, buf.as_mut_ptr()) })?;
    Rusage::from_bytes(&buf)
}

/// `getpriority(2)`: the nice value; `which` and `who` as in `abi::types::prio`.
pub fn getpriority(which: u32, who: i32) -> SysResult<i32> {
    // SAFETY: no pointers.
    check(unsafe { raw::getpriority(which, who) }).map(|p| 20 - p as i32)
}

/// `setpriority(2)`.
pub fn setpriority(which: u32, who: i32, nice: i32) -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::setpriority(which, who, nice) })
}

/// `getrlimit(2)`: the soft limit and the hard one; resources as in `abi::types::rlimit`.
pub fn getrlimit(resource: u32) -> SysResult<(u64, u64)> {
    let mut limits = [0u64; 2];
    // SAFETY: the kernel writes two 64-bit numbers.
    done(unsafe { raw::getrlimit(resource, limits.as_mut_ptr().cast()) })?;
    Ok((limits[0], limits[1]))
}

/// `setrlimit(2)`.
pub fn setrlimit(resource: u32, soft: u64, hard: u64) -> SysResult<()> {
    let limits = [soft, hard];
    // SAFETY: the kernel reads two 64-bit numbers.
    done(unsafe { raw::setrlimit(resource, limits.as_ptr().cast()) })
}

/// A program to be run: `posix_spawn(3)` and its file actions, in the order they were given.
#[derive(Clone, Debug, Default)]
pub struct Spawn {
    path: Vec<u8>,
    flags: u32,
    pgroup: i32,
    /// A bit for each signal that has its default action.
    defaults: u64,
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    actions: Vec<u8>,
    action_count: u32,
}

fn put_string(out: &mut Vec<u8>, s: &[u8]) {
    out.extend_from_slice(&(s.len() as u32).to_le_bytes());
    out.extend_from_slice(s);
}

impl Spawn {
    /// The program at `path`, with no arguments and an empty environment so far.
    pub fn new(path: &[u8]) -> Spawn {
        Spawn { path: path.to_vec(), ..Spawn::default() }
    }
    /// Looks for the program in the PATH of the new environment.
    pub fn search_path(mut self) -> Spawn {
        self.flags |= spawn::SEARCH_PATH;
        self
    }
    /// Into the process group `pgid`, 0 for one of its own.
    pub fn pgroup(mut self, pgid: i32) -> Spawn {
        self.flags |= spawn::SETPGROUP;
        self.pgroup = pgid;
        self
    }
    /// Makes the child's group the foreground one of the terminal.
    pub fn foreground(mut self) -> Spawn {
        self.flags |= spawn::FOREGROUND;
        self
    }
    /// Into a session of its own.
    pub fn setsid(mut self) -> Spawn {
        self.flags |= spawn::SETSID;
        self
    }
    /// With the default action for these signals, though we ignore them (`POSIX_SPAWN_SETSIGDEF`).
    pub fn defaults(mut self, signals: &[u32]) -> Spawn {
        self.flags |= spawn::SETDEF;
        self.defaults |= signals.iter().fold(0, |set, s| set | sig::bit(*s));
        self
    }
    /// With the default action for each signal, and none held back.
    pub fn default_signals(mut self) -> Spawn {
        self.flags |= spawn::SIGDEF;
        self
    }
    /// One more argument; the first is `argv[0]`.
    pub fn arg(mut self, arg: &[u8]) -> Spawn {
        self.args.push(arg.to_vec());
        self
    }
    /// More arguments.
    pub fn args<A: AsRef<[u8]>>(mut self, args: impl IntoIterator<Item = A>) -> Spawn {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_vec()));
        self
    }
    /// One more `NAME=VALUE`.
    pub fn env(mut self, assignment: &[u8]) -> Spawn {
        self.env.push(assignment.to_vec());
        self
    }
    /// More of them.
    pub fn envs<A: AsRef<[u8]>>(mut self, all: impl IntoIterator<Item = A>) -> Spawn {
        self.env.extend(all.into_iter().map(|a| a.as_ref().to_vec()));
        self
    }
    fn action(&mut self, words: &[u32]) {
        words.iter().for_each(|w| self.actions.extend_from_slice(&w.to_le_bytes()));
        self.action_count += 1;
    }
    /// `posix_spawn_file_actions_addopen`.
    pub fn open(mut self, fd: i32, path: &[u8], flags: u32, mode: u32) -> Spawn {
        self.action(&[spawn::OPEN, fd as u32, flags, mode]);
        put_string(&mut self.actions, path);
        self
    }
    /// `posix_spawn_file_actions_addclose`.
    pub fn close(mut self, fd: i32) -> Spawn {
        self.action(&[spawn::CLOSE, fd as u32]);
        self
    }
    /// `posix_spawn_file_actions_adddup2`. Equal numbers clear close-on-exec.
    pub fn dup2(mut self, from: i32, to: i32) -> Spawn {
        self.action(&[spawn::DUP2, from as u32, to as u32]);
        self
    }
    /// `posix_spawn_file_actions_addchdir`.
    pub fn chdir(mut self, path: &[u8]) -> Spawn {
        self.action(&[spawn::CHDIR]);
        put_string(&mut self.actions, path);
        self
    }

    /// The request as `abi::types::spawn` describes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(&self.flags.to_le_bytes());
        out.extend_from_slice(&self.pgroup.to_le_bytes());
        if self.flags & spawn::SETDEF != 0 {
            out.extend_from_slice(&self.defaults.to_le_bytes());
        }
        put_string(&mut out, &self.path);
        for list in [&self.args, &self.env] {
            out.extend_from_slice(&(list.len() as u32).to_le_bytes());
            list.iter().for_each(|s| put_string(&mut out, s));
        }
        out.extend_from_slice(&self.action_count.to_le_bytes());
        out.extend_from_slice(&self.actions);
        out
    }

    /// Makes the child; answers its pid.
    pub fn spawn(&self) -> SysResult<i32> {
        let request = self.encode();
        // SAFETY: the kernel reads the request.
        check(unsafe { raw::spawn(request.as_ptr(), request.len() as u32) }).map(|pid| pid as i32)
    }

    /// Becomes the program instead. Comes back only with an error.
    pub fn exec(&self) -> abi::Errno {
        let request = self.encode();
        // SAFETY: the kernel reads the request.
        match check(unsafe { raw::exec(request.as_ptr(), request.len() as u32) }) {
            Ok(_) => abi::Errno::EIO,
            Err(e) => e,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::wire::Reader;

    #[test]
    fn a_spawn_request_has_the_agreed_form() {
        let bytes = Spawn::new(b"/bin/ls").arg(b"ls").arg(b"-l").env(b"A=b").pgroup(0).dup2(5, 1).close(5).encode();
        let mut r = Reader::new(&bytes);
        assert_eq!(r.u32(), Ok(spawn::SETPGROUP));
        assert_eq!(r.i32(), Ok(0));
        assert_eq!(r.string(), Ok(b"/bin/ls".as_slice()));
        assert_eq!(r.u32(), Ok(2));
        assert_eq!((r.string(), r.string()), (Ok(b"ls".as_slice()), Ok(b"-l".as_slice())));
        assert_eq!(r.u32(), Ok(1));
        assert_eq!(r.string(), Ok(b"A=b".as_slice()));
        assert_eq!(r.u32(), Ok(2));
        assert_eq!((r.u32(), r.i32(), r.i32()), (Ok(spawn::DUP2), Ok(5), Ok(1)));
        assert_eq!((r.u32(), r.i32()), (Ok(spawn::CLOSE), Ok(5)));
        assert!(r.rest().is_empty());
    }
}
