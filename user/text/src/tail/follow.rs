//! Files that grow.

use super::{complain, title};
use crate::options::{Failure, Options, number};
use vkernel_sys::{Errno, SysResult, fs, io, mode, o, proc, sys};

/// Between two looks at the files.
const PAUSE_S: f64 = 0.25;

pub struct How {
    /// What has the name is followed, not what was opened (`-F`).
    by_name: bool,
    /// A file may be missing, and come.
    pub retry: bool,
    pause_ns: u64,
    /// When this process is gone, it is over.
    pid: Option<i32>,
}

impl How {
    pub fn of(o: &Options) -> Result<Option<How>, Failure> {
        let kind = o.value(super::FOLLOW);
        if !o.has(b'f') && !o.has(b'F') && !o.has(super::FOLLOW) && kind.is_none() || o.has(b'r') {
            return Ok(None);
        }
        let by_name = match kind {
            Some(b"name") => true,
            Some(b"descriptor") | None => o.has(b'F'),
            Some(_) => return Err(Failure::usage("--follow wants name or descriptor")),
        };
        let pause = o.value(b's').map_or(Ok(PAUSE_S), number::<f64>)?.clamp(0.01, 3600.0);
        let pid = o.value(super::PID).map(number).transpose()?;
        let retry = o.has(b'F') || o.has(super::RETRY);
        Ok(Some(How { by_name, retry, pause_ns: (pause * 1e9) as u64, pid }))
    }
}

pub struct Followed {
    name: Vec<u8>,
    /// -1: it is missing.
    fd: i32,
    /// How far it was shown, in a file that has places.
    at: u64,
}

impl Followed {
    pub fn new(name: &[u8], fd: i32) -> Followed {
        let at = if fd < 0 { 0 } else { io::lseek(fd, 0, 1).unwrap_or(0) as u64 };
        Followed { name: name.to_vec(), fd, at }
    }

    /// Another file may have the name by now.
    fn look(&mut self, how: &How) {
        if self.name == b"-" || !how.by_name && self.fd >= 0 {
            return;
        }
        let there = match fs::stat(&self.name) {
            Ok(s) => s,
            Err(e) => {
                if self.fd >= 0 {
                    complain(&self.name, format!("has gone: {e}"));
                    let _ = io::close(self.fd);
                    self.fd = -1;
                }
                return;
            }
        };
        if self.fd >= 0 && fs::fstat(self.fd).is_ok_and(|s| (s.dev, s.ino) == (there.dev, there.ino)) {
            return;
        }
        let Ok(fd) = io::open(&self.name, o::RDONLY | o::CLOEXEC, 0) else { return };
        complain(&self.name, if self.fd < 0 { "has come" } else { "is another file now" });
        if self.fd >= 0 {
            let _ = io::close(self.fd);
        }
        (self.fd, self.at) = (fd, 0);
    }

    /// What has come since.
    fn more(&mut self) -> SysResult<Vec<u8>> {
        let stat = fs::fstat(self.fd)?;
        if stat.mode & mode::IFMT == mode::IFREG {
            if stat.size < self.at {
                complain(&self.name, "file truncated");
                self.at = io::lseek(self.fd, 0, 0)? as u64;
            }
            if stat.size == self.at {
                return Ok(Vec::new());
            }
        }
        let mut buf = vec![0; 64 << 10];
        let n = match io::read(self.fd, &mut buf) {
            Err(Errno::EINTR | Errno::EAGAIN) => 0,
            got => got?,
        };
        self.at += n as u64;
        buf.truncate(n);
        Ok(buf)
    }
}

/// Also of a process that nobody has waited for yet.
fn ended(pid: i32) -> bool {
    match io::read_file(format!("/proc/{pid}/stat").as_bytes()) {
        Ok(stat) => stat.rsplit(|&b| b == b')').next().is_some_and(|rest| rest.starts_with(b" Z")),
        Err(_) => proc::kill(pid, 0) == Err(Errno::ESRCH),
    }
}

/// Until a signal, or until nothing is left to follow.
pub fn follow(how: &How, mut files: Vec<Followed>, titled: bool) -> Result<(), Failure> {
    let failed = |e: Errno| Failure::new(e.to_string());
    let mut last = files.len() - 1;
    loop {
        // Before the look: what the process wrote at its end is shown.
        let gone = how.pid.is_some_and(ended);
        let mut came = false;
        for (i, file) in files.iter_mut().enumerate() {
            file.look(how);
            if file.fd < 0 {
                continue;
            }
            match file.more() {
                Ok(text) if text.is_empty() => {}
                Ok(text) => {
                    if titled && std::mem::replace(&mut last, i) != i {
                        title(&file.name, false).map_err(failed)?;
                    }
                    io::write_all(1, &text).map_err(failed)?;
                    came = true;
                }
                Err(e) => {
                    complain(&file.name, e);
                    let _ = io::close(file.fd);
                    file.fd = -1;
                }
            }
        }
        if !how.retry && files.iter().all(|f| f.fd < 0) {
            return Err(Failure::new("no files remaining"));
        }
        match (came, gone) {
            (true, _) => {}
            (false, true) => return Ok(()),
            (false, false) => _ = sys::clock_nanosleep(1, 0, how.pause_ns),
        }
    }
}
