//! The native system calls, one wrapper each.

use alloc::vec;
use alloc::vec::Vec;

use abi::SysResult;
use abi::syscalls::UAddr;
use abi::types::{DIRENT_HEADER, Flock, Rusage, Sigaction, Siginfo, Stat, Statvfs, at, clock, sa, sig, spawn};

use super::sys::{Reg, Sys};

/// A `spawn` or `exec` request under construction.
#[derive(Clone, Default)]
pub struct Request {
    flags: u32,
    pgroup: i32,
    path: Vec<u8>,
    argv: Vec<Vec<u8>>,
    envp: Vec<Vec<u8>>,
    actions: u32,
    wire: Vec<u8>,
}

fn u32s(out: &mut Vec<u8>, words: &[u32]) {
    for w in words {
        out.extend_from_slice(&w.to_le_bytes());
    }
}

fn string(out: &mut Vec<u8>, s: &[u8]) {
    u32s(out, &[s.len() as u32]);
    out.extend_from_slice(s);
}

impl Request {
    /// Of this program, with its path as the only argument.
    pub fn new(path: &str) -> Request {
        Request { path: path.into(), argv: vec![path.into()], ..Request::default() }
    }
    pub fn arg(mut self, arg: &str) -> Request {
        self.argv.push(arg.into());
        self
    }
    pub fn env(mut self, var: &str) -> Request {
        self.envp.push(var.into());
        self
    }
    pub fn flags(mut self, flags: u32) -> Request {
        self.flags |= flags;
        self
    }
    pub fn pgroup(mut self, pgid: i32) -> Request {
        self.pgroup = pgid;
        self.flags(spawn::SETPGROUP)
    }
    fn action(mut self, words: &[u32]) -> Request {
        self.actions += 1;
        u32s(&mut self.wire, words);
        self
    }
    pub fn close(self, fd: i32) -> Request {
        self.action(&[spawn::CLOSE, fd as u32])
    }
    pub fn dup2(self, from: i32, to: i32) -> Request {
        self.action(&[spawn::DUP2, from as u32, to as u32])
    }
    pub fn open(self, fd: i32, path: &str, oflags: u32, mode: u32) -> Request {
        let mut r = self.action(&[spawn::OPEN, fd as u32, oflags, mode]);
        string(&mut r.wire, path.as_bytes());
        r
    }
    pub fn chdir(self, path: &str) -> Request {
        let mut r = self.action(&[spawn::CHDIR]);
        string(&mut r.wire, path.as_bytes());
        r
    }
    pub fn fchdir(self, fd: i32) -> Request {
        self.action(&[spawn::FCHDIR, fd as u32])
    }

    /// As `abi::types::spawn` has it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        u32s(&mut out, &[self.flags, self.pgroup as u32]);
        string(&mut out, &self.path);
        for list in [&self.argv, &self.envp] {
            u32s(&mut out, &[list.len() as u32]);
            list.iter().for_each(|s| string(&mut out, s));
        }
        u32s(&mut out, &[self.actions]);
        out.extend_from_slice(&self.wire);
        out
    }
}

/// What a wait answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    /// 0 with NOHANG when nothing has happened.
    pub pid: i32,
    pub status: u32,
    pub usage: Rusage,
}

/// A name of a directory and its entry's other fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirent {
    pub cookie: u64,
    pub ino: u64,
    pub kind: u8,
    pub name: Vec<u8>,
}

impl Sys {
    /// A call with a path after its first arguments.
    fn path_call(&self, name: &str, dir: i32, path: &[u8], rest: &[u64]) -> SysResult<i64> {
        let at = self.put(path);
        let mut args = vec![dir.reg(), at.reg(), path.len().reg()];
        args.extend_from_slice(rest);
        self.call(name, &args)
    }
    fn unit(r: SysResult<i64>) -> SysResult<()> {
        r.map(|_| ())
    }

    // Processes.

    pub fn exit(&self, status: i32) -> ! {
        let answer = self.call("exit", &[status.reg()]);
        panic!("exit came back with {answer:?}");
    }
    pub fn getpid(&self) -> i32 {
        self.call("getpid", &[]).unwrap_or(0) as i32
    }
    pub fn getppid(&self) -> i32 {
        self.call("getppid", &[]).unwrap_or(0) as i32
    }
    pub fn spawn(&self, request: &Request) -> SysResult<i32> {
        self.fresh();
        let wire = request.encode();
        let at = self.put(&wire);
        self.call("spawn", &[at.reg(), wire.len().reg()]).map(|p| p as i32)
    }
    /// Comes back only when it fails.
    pub fn exec(&self, request: &Request) -> SysResult<()> {
        self.fresh();
        let wire = request.encode();
        let at = self.put(&wire);
        Self::unit(self.call("exec", &[at.reg(), wire.len().reg()]))
    }
    pub fn wait4(&self, pid: i32, options: u32) -> SysResult<Waited> {
        self.fresh();
        let (status, usage) = (self.room(4), self.room(Rusage::SIZE));
        let pid = self.call("wait4", &[pid.reg(), status.reg(), options.reg(), usage.reg()])? as i32;
        let usage = Rusage::from_bytes(&self.peek(usage, Rusage::SIZE))?;
        Ok(Waited { pid, status: self.peek32(status), usage })
    }
    /// The wait status of one child.
    pub fn waitpid(&self, pid: i32) -> SysResult<u32> {
        self.wait4(pid, 0).map(|w| w.status)
    }
    /// The wait status of a child that ended or was stopped.
    pub fn waitpid_stopped(&self, pid: i32) -> SysResult<u32> {
        self.wait4(pid, abi::types::wait::UNTRACED).map(|w| w.status)
    }
    pub fn kill(&self, pid: i32, signal: u32) -> SysResult<()> {
        Self::unit(self.call("kill", &[pid.reg(), signal.reg()]))
    }
    /// With one of [`sigdisp`](super::sigdisp); answers what it was.
    pub fn sigaction(&self, signal: u32, disposition: u32) -> SysResult<u32> {
        use super::sigdisp::{CATCH, DEFAULT, HANDLER, IGNORE};
        let new = match disposition {
            DEFAULT => Sigaction::default(),
            IGNORE => Sigaction { handler: Sigaction::IGNORE, ..Sigaction::default() },
            _ => Sigaction::CATCH,
        };
        Ok(match self.sigact(signal, &new)? {
            old if old.flags & sa::CATCH != 0 => CATCH,
            Sigaction { handler: Sigaction::DEFAULT, .. } => DEFAULT,
            Sigaction { handler: Sigaction::IGNORE, .. } => IGNORE,
            _ => HANDLER,
        })
    }
    /// sigaction(2); answers what it was.
    pub fn sigact(&self, signal: u32, new: &Sigaction) -> SysResult<Sigaction> {
        self.fresh();
        let (new, old) = (self.put(&new.to_bytes()), self.room(Sigaction::SIZE));
        self.call("sigaction", &[signal.reg(), new.reg(), old.reg()])?;
        Sigaction::from_bytes(&self.peek(old, Sigaction::SIZE))
    }
    fn sigset(&self, signals: &[u32]) -> UAddr {
        self.fresh();
        self.put(&signals.iter().fold(0, |set, s| set | sig::bit(*s)).to_le_bytes())
    }
    /// sigprocmask(2); answers the old mask.
    pub fn sigprocmask(&self, how: u32, signals: &[u32]) -> SysResult<u64> {
        let (set, old) = (self.sigset(signals), self.room(8));
        self.call("sigprocmask", &[how.reg(), set.reg(), old.reg()])?;
        Ok(self.peek64(old))
    }
    /// sigtimedwait(2): the signal.
    pub fn sigtimedwait(&self, signals: &[u32], timeout_ns: u64) -> SysResult<u32> {
        let set = self.sigset(signals);
        self.call("sigtimedwait", &[set.reg(), 0, timeout_ns]).map(|s| s as u32)
    }
    pub fn sigwaitinfo(&self, signals: &[u32]) -> SysResult<Siginfo> {
        let (set, info) = (self.sigset(signals), self.room(Siginfo::SIZE));
        self.call("sigtimedwait", &[set.reg(), info.reg(), u64::MAX])?;
        Siginfo::from_bytes(&self.peek(info, Siginfo::SIZE))
    }
    pub fn sigsuspend(&self, signals: &[u32]) -> SysResult<()> {
        let set = self.sigset(signals);
        Self::unit(self.call("sigsuspend", &[set.reg()]))
    }
    pub fn sigpending(&self) -> SysResult<u64> {
        self.fresh();
        let out = self.room(8);
        self.call("sigpending", &[out.reg()])?;
        Ok(self.peek64(out))
    }
    pub fn sigqueue(&self, pid: i32, signal: u32, value: u64) -> SysResult<()> {
        Self::unit(self.call("sigqueue", &[pid.reg(), signal.reg(), value]))
    }
    /// setitimer(2): the value and the interval that were left.
    pub fn setitimer(&self, which: u32, value_ns: u64, interval_ns: u64) -> SysResult<(u64, u64)> {
        self.fresh();
        let new = self.put(&[value_ns.to_le_bytes(), interval_ns.to_le_bytes()].concat());
        let old = self.room(16);
        self.call("setitimer", &[which.reg(), new.reg(), old.reg()])?;
        Ok((self.peek64(old), self.peek64(old.offset(8))))
    }
    pub fn timer_create(&self, clock: u32, notify: u32, signal: u32, value: u64) -> SysResult<i32> {
        self.call("timer_create", &[clock.reg(), notify.reg(), signal.reg(), value]).map(|n| n as i32)
    }
    /// timer_settime(2): the value and the interval that were left.
    pub fn timer_settime(&self, timer: i32, flags: u32, value_ns: u64, interval_ns: u64) -> SysResult<(u64, u64)> {
        self.fresh();
        let new = self.put(&[value_ns.to_le_bytes(), interval_ns.to_le_bytes()].concat());
        let old = self.room(16);
        self.call("timer_settime", &[timer.reg(), flags.reg(), new.reg(), old.reg()])?;
        Ok((self.peek64(old), self.peek64(old.offset(8))))
    }
    pub fn timer_gettime(&self, timer: i32) -> SysResult<(u64, u64)> {
        self.fresh();
        let out = self.room(16);
        self.call("timer_gettime", &[timer.reg(), out.reg()])?;
        Ok((self.peek64(out), self.peek64(out.offset(8))))
    }
    pub fn timer_getoverrun(&self, timer: i32) -> SysResult<u32> {
        self.call("timer_getoverrun", &[timer.reg()]).map(|n| n as u32)
    }
    pub fn timer_delete(&self, timer: i32) -> SysResult<()> {
        Self::unit(self.call("timer_delete", &[timer.reg()]))
    }
    pub fn getpgid(&self, pid: i32) -> SysResult<i32> {
        self.call("getpgid", &[pid.reg()]).map(|p| p as i32)
    }
    pub fn setpgid(&self, pid: i32, pgid: i32) -> SysResult<()> {
        Self::unit(self.call("setpgid", &[pid.reg(), pgid.reg()]))
    }
    pub fn setsid(&self) -> SysResult<i32> {
        self.call("setsid", &[]).map(|p| p as i32)
    }
    pub fn sched_yield(&self) -> SysResult<()> {
        Self::unit(self.call("sched_yield", &[]))
    }
    pub fn setuid(&self, uid: u32) -> SysResult<()> {
        Self::unit(self.call("setuid", &[uid.reg()]))
    }

    // Time and limits.

    pub fn clock_ns(&self, id: u32) -> SysResult<u64> {
        self.fresh();
        let out = self.room(8);
        self.call("clock_gettime", &[id.reg(), out.reg()])?;
        Ok(self.peek64(out))
    }
    /// For `ns` from now on.
    pub fn nanosleep(&self, ns: u64) -> SysResult<()> {
        Self::unit(self.call("clock_nanosleep", &[clock::MONOTONIC.reg(), 0, ns]))
    }
    pub fn setrlimit(&self, which: u32, soft: u64, hard: u64) -> SysResult<()> {
        self.fresh();
        let at = self.put(&[soft.to_le_bytes(), hard.to_le_bytes()].concat());
        Self::unit(self.call("setrlimit", &[which.reg(), at.reg()]))
    }

    // Descriptors.

    pub fn read(&self, fd: i32, len: usize) -> SysResult<Vec<u8>> {
        self.fresh();
        let buf = self.room(len);
        let n = self.call("read", &[fd.reg(), buf.reg(), len.reg()])?;
        Ok(self.peek(buf, n as usize))
    }
    /// Until the end of the file.
    pub fn read_all(&self, fd: i32) -> SysResult<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let piece = self.read(fd, 4096)?;
            if piece.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(&piece);
        }
    }
    pub fn write(&self, fd: i32, bytes: &[u8]) -> SysResult<usize> {
        self.fresh();
        let buf = self.put(bytes);
        self.call("write", &[fd.reg(), buf.reg(), bytes.len().reg()]).map(|n| n as usize)
    }
    pub fn pread(&self, fd: i32, len: usize, offset: i64) -> SysResult<Vec<u8>> {
        self.fresh();
        let buf = self.room(len);
        let n = self.call("pread", &[fd.reg(), buf.reg(), len.reg(), offset.reg()])?;
        Ok(self.peek(buf, n as usize))
    }
    pub fn pwrite(&self, fd: i32, bytes: &[u8], offset: i64) -> SysResult<usize> {
        self.fresh();
        let buf = self.put(bytes);
        self.call("pwrite", &[fd.reg(), buf.reg(), bytes.len().reg(), offset.reg()]).map(|n| n as usize)
    }
    pub fn lseek(&self, fd: i32, offset: i64, whence: u32) -> SysResult<i64> {
        self.call("lseek", &[fd.reg(), offset.reg(), whence.reg()])
    }
    pub fn close(&self, fd: i32) -> SysResult<()> {
        Self::unit(self.call("close", &[fd.reg()]))
    }
    pub fn dup(&self, fd: i32) -> SysResult<i32> {
        self.call("dup", &[fd.reg()]).map(|f| f as i32)
    }
    pub fn dup3(&self, from: i32, to: i32, flags: u32) -> SysResult<i32> {
        self.call("dup3", &[from.reg(), to.reg(), flags.reg()]).map(|f| f as i32)
    }
    pub fn fcntl(&self, fd: i32, cmd: u32, arg: i32) -> SysResult<i32> {
        self.call("fcntl", &[fd.reg(), cmd.reg(), arg.reg()]).map(|f| f as i32)
    }
    /// The reading and the writing end.
    /// fcntl(2) about a lock: what stands in the structure afterwards.
    pub fn lock(&self, fd: i32, cmd: u32, kind: u16, start: i64, len: i64) -> SysResult<Flock> {
        self.fresh();
        let at = self.put(&Flock { kind, start, len, ..Flock::default() }.to_bytes());
        self.call("fcntl_lock", &[fd.reg(), cmd.reg(), at.reg()])?;
        Flock::from_bytes(&self.peek(at, Flock::SIZE))
    }
    pub fn flock(&self, fd: i32, how: u32) -> SysResult<()> {
        Self::unit(self.call("flock", &[fd.reg(), how.reg()]))
    }
    pub fn pipe2(&self, flags: u32) -> SysResult<(i32, i32)> {
        self.fresh();
        let fds = self.room(8);
        self.call("pipe2", &[fds.reg(), flags.reg()])?;
        Ok((self.peek32(fds) as i32, self.peek32(fds.offset(4)) as i32))
    }
    /// How many are ready, and the events of each.
    pub fn poll(&self, fds: &[(i32, u16)], timeout_ms: i32) -> SysResult<(usize, Vec<u16>)> {
        self.fresh();
        let mut wire = Vec::new();
        for (fd, events) in fds {
            u32s(&mut wire, &[*fd as u32, *events as u32]);
        }
        let at = self.put(&wire);
        let n = self.call("poll", &[at.reg(), fds.len().reg(), timeout_ms.reg()])?;
        let got = (0..fds.len()).map(|i| (self.peek32(at.offset(i * 8 + 4)) >> 16) as u16).collect();
        Ok((n as usize, got))
    }
    /// ppoll(2) of one descriptor: what has come.
    pub fn ppoll(&self, fd: i32, events: u16, timeout_ns: u64, unmask: &[u32]) -> SysResult<u16> {
        let set = self.sigset(unmask);
        let table = self.put(&[&fd.to_le_bytes()[..], &events.to_le_bytes(), &[0; 2]].concat());
        self.call("ppoll", &[table.reg(), 1, timeout_ns, set.reg()])?;
        Ok((self.peek32(table.offset(4)) >> 16) as u16)
    }
    pub fn ioctl(&self, fd: i32, request: u32, arg: UAddr) -> SysResult<()> {
        Self::unit(self.call("ioctl", &[fd.reg(), request.reg(), arg.reg()]))
    }
    pub fn ftruncate(&self, fd: i32, size: i64) -> SysResult<()> {
        Self::unit(self.call("ftruncate", &[fd.reg(), size.reg()]))
    }

    // Files.

    pub fn open(&self, path: impl AsRef<[u8]>, flags: u32, mode: u32) -> SysResult<i32> {
        self.openat(at::FDCWD, path, flags, mode)
    }
    pub fn openat(&self, dir: i32, path: impl AsRef<[u8]>, flags: u32, mode: u32) -> SysResult<i32> {
        self.fresh();
        self.path_call("openat", dir, path.as_ref(), &[flags.reg(), mode.reg()]).map(|f| f as i32)
    }
    pub fn stat(&self, path: impl AsRef<[u8]>, flags: u32) -> SysResult<Stat> {
        self.fresh();
        let out = self.room(Stat::SIZE);
        self.path_call("fstatat", at::FDCWD, path.as_ref(), &[out.reg(), flags.reg()])?;
        Stat::from_bytes(&self.peek(out, Stat::SIZE))
    }
    pub fn fstat(&self, fd: i32) -> SysResult<Stat> {
        self.fresh();
        let out = self.room(Stat::SIZE);
        self.call("fstat", &[fd.reg(), out.reg()])?;
        Stat::from_bytes(&self.peek(out, Stat::SIZE))
    }
    pub fn fstatvfs(&self, fd: i32) -> SysResult<Statvfs> {
        self.fresh();
        let out = self.room(Statvfs::SIZE);
        self.call("fstatvfs", &[fd.reg(), out.reg()])?;
        Statvfs::from_bytes(&self.peek(out, Statvfs::SIZE))
    }
    pub fn mkdir(&self, path: impl AsRef<[u8]>, mode: u32) -> SysResult<()> {
        self.fresh();
        Self::unit(self.path_call("mkdirat", at::FDCWD, path.as_ref(), &[mode.reg()]))
    }
    pub fn unlink(&self, path: impl AsRef<[u8]>) -> SysResult<()> {
        self.fresh();
        Self::unit(self.path_call("unlinkat", at::FDCWD, path.as_ref(), &[0]))
    }
    pub fn rmdir(&self, path: impl AsRef<[u8]>) -> SysResult<()> {
        self.fresh();
        Self::unit(self.path_call("unlinkat", at::FDCWD, path.as_ref(), &[at::REMOVEDIR.reg()]))
    }
    fn two_paths(&self, name: &str, old: impl AsRef<[u8]>, new: impl AsRef<[u8]>, flags: u32) -> SysResult<()> {
        self.fresh();
        let (old, new) = (old.as_ref(), new.as_ref());
        let (o, n) = (self.put(old), self.put(new));
        let cwd = at::FDCWD.reg();
        Self::unit(self.call(name, &[cwd, o.reg(), old.len().reg(), cwd, n.reg(), new.len().reg(), flags.reg()]))
    }
    pub fn rename(&self, old: impl AsRef<[u8]>, new: impl AsRef<[u8]>, flags: u32) -> SysResult<()> {
        self.two_paths("renameat", old, new, flags)
    }
    pub fn link(&self, old: impl AsRef<[u8]>, new: impl AsRef<[u8]>) -> SysResult<()> {
        self.two_paths("linkat", old, new, 0)
    }
    pub fn symlink(&self, target: impl AsRef<[u8]>, path: impl AsRef<[u8]>) -> SysResult<()> {
        self.fresh();
        let (target, path) = (target.as_ref(), path.as_ref());
        let (t, p) = (self.put(target), self.put(path));
        let args = [t.reg(), target.len().reg(), at::FDCWD.reg(), p.reg(), path.len().reg()];
        Self::unit(self.call("symlinkat", &args))
    }
    pub fn readlink(&self, path: impl AsRef<[u8]>) -> SysResult<Vec<u8>> {
        self.fresh();
        let buf = self.room(4096);
        let n = self.path_call("readlinkat", at::FDCWD, path.as_ref(), &[buf.reg(), 4096])?;
        Ok(self.peek(buf, n as usize))
    }
    pub fn chmod(&self, path: impl AsRef<[u8]>, mode: u32) -> SysResult<()> {
        self.fresh();
        Self::unit(self.path_call("fchmodat", at::FDCWD, path.as_ref(), &[mode.reg(), 0]))
    }
    pub fn chown(&self, path: impl AsRef<[u8]>, uid: u32, gid: u32) -> SysResult<()> {
        self.fresh();
        Self::unit(self.path_call("fchownat", at::FDCWD, path.as_ref(), &[uid.reg(), gid.reg(), 0]))
    }
    pub fn chdir(&self, path: impl AsRef<[u8]>) -> SysResult<()> {
        self.fresh();
        let path = path.as_ref();
        let p = self.put(path);
        Self::unit(self.call("chdir", &[p.reg(), path.len().reg()]))
    }
    pub fn getcwd(&self) -> SysResult<Vec<u8>> {
        self.fresh();
        let buf = self.room(4096);
        let n = self.call("getcwd", &[buf.reg(), 4096])?;
        Ok(self.peek(buf, n as usize))
    }

    /// One getdents(2).
    pub fn getdents(&self, fd: i32, len: usize) -> SysResult<Vec<Dirent>> {
        self.fresh();
        let buf = self.room(len);
        let n = self.call("getdents", &[fd.reg(), buf.reg(), len.reg()])? as usize;
        let (mut entries, mut at) = (Vec::new(), 0);
        while at < n {
            let e = buf.offset(at);
            let (lengths, ino) = (self.peek64(e.offset(16)), self.peek64(e.offset(8)));
            let namlen = (lengths & 0xffff) as usize;
            let name = self.peek(e.offset(DIRENT_HEADER), namlen);
            entries.push(Dirent { cookie: self.peek64(e), ino, kind: (lengths >> 16) as u8, name });
            at += DIRENT_HEADER + namlen;
        }
        Ok(entries)
    }
    /// The names in a directory, sorted, without `.` and `..`.
    pub fn ls(&self, path: impl AsRef<[u8]>) -> SysResult<Vec<Vec<u8>>> {
        let fd = self.open(path, abi::types::o::DIRECTORY, 0)?;
        let mut names = Vec::new();
        loop {
            let piece = self.getdents(fd, 2048)?;
            if piece.is_empty() {
                break;
            }
            names.extend(piece.into_iter().map(|e| e.name).filter(|n| n != b"." && n != b".."));
        }
        self.close(fd)?;
        names.sort();
        Ok(names)
    }
    /// Makes a file with this content.
    pub fn put_file(&self, path: impl AsRef<[u8]>, content: &[u8], mode: u32) -> SysResult<()> {
        use abi::types::o;
        let fd = self.open(path, o::WRONLY | o::CREAT | o::TRUNC, mode)?;
        let wrote = self.write(fd, content);
        self.close(fd)?;
        wrote.map(|_| ())
    }
    /// The content of a file.
    pub fn get_file(&self, path: impl AsRef<[u8]>) -> SysResult<Vec<u8>> {
        let fd = self.open(path, 0, 0)?;
        let content = self.read_all(fd);
        self.close(fd)?;
        content
    }
    /// An address no program has.
    pub fn wild(&self) -> UAddr {
        UAddr(0xffff_ff00)
    }
}
