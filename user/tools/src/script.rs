//! `script`: runs a command on a terminal of its own, a pty, and keeps what it shows in a file.

use crate::options::{Failure, Options};
use crate::show::full_time;
use vkernel_sys::io::{self, PollFd};
use vkernel_sys::proc::{self, Disposition, Spawn};
use vkernel_sys::tty::{self, Termios, When};
use vkernel_sys::{Errno, SysResult, clock, fcntl, o, poll, sig, sys, wait};

const USAGE: &str = "script [-aeq] [-c COMMAND] [FILE]";
/// Typed and not taken yet: no more is read meanwhile.
const TYPED: usize = 4096;
/// The end of file, as a new terminal has it.
const EOF_KEY: u8 = 4;

pub fn script(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "aeqc:", USAGE, false)?;
    if o.operands.len() > 1 {
        return Err(Failure::usage(format!("one file at most\nusage: {USAGE}")));
    }
    let path = o.operands.first().map_or(&b"typescript"[..], |p| p);
    let how = if o.has(b'a') { o::APPEND } else { o::TRUNC };
    let flags = o::WRONLY | o::CREAT | o::CLOEXEC | how;
    let log = io::open(path, flags, 0o666).map_err(|e| Failure::with(path, e))?;
    let (master, name) = tty::openpt().map_err(|e| Failure::new(format!("no terminal: {e}")))?;
    let mut session = Session { master, log, typed: Vec::new(), line_begun: false, input: true };
    let note = |text: String| {
        let kept = io::write_all(log, text.as_bytes());
        kept.map_err(|e| Failure::with(path, e))
    };
    if !o.has(b'q') {
        crate::say!("Script started, output log file is '{}'.", String::from_utf8_lossy(path));
        crate::show::flush_now();
    }
    note(format!("Script started on {}\n", now()))?;
    // As our own is, if we have one; another does as well.
    let _ = tty::tcgetattr(0).and_then(|settings| tty::tcsetattr(master, When::Now, &settings));
    let _ = tty::winsize(0).and_then(|size| tty::set_winsize(master, size));
    let pid = start(o.value(b'c'), name.as_bytes()).map_err(|e| Failure::new(format!("the shell: {e}")))?;
    let own = Own::take();
    let ran = session.run();
    drop(own);
    let status = ran.and_then(|()| proc::waitpid(pid, 0)).map_err(|e| Failure::new(format!("{e}")))?;
    let code = status.map_or(0, |(_, s)| wait::shell_status(s) as i32);
    note(format!("\nScript done on {} [COMMAND_EXIT_CODE=\"{code}\"]\n", now()))?;
    if !o.has(b'q') {
        crate::say!("Script done.");
    }
    Ok(if o.has(b'e') { code } else { 0 })
}

fn now() -> String {
    full_time(sys::clock_gettime(clock::REALTIME).unwrap_or(0) as i64)
}

/// The leader of a session: by opening it the terminal becomes its own.
fn start(command: Option<&[u8]>, tty: &[u8]) -> SysResult<i32> {
    let shell = std::env::var_os("SHELL").map_or(b"/bin/sh".to_vec(), |s| s.as_encoded_bytes().to_vec());
    let mut spawn = Spawn::new(&shell).setsid().default_signals().arg(&shell);
    spawn = match command {
        Some(command) => spawn.arg(b"-c").arg(command),
        None => spawn.arg(b"-i"),
    };
    for (name, value) in std::env::vars_os() {
        spawn = spawn.env(&[name.as_encoded_bytes(), b"=", value.as_encoded_bytes()].concat());
    }
    spawn.open(0, tty, o::RDWR, 0).dup2(0, 1).dup2(0, 2).spawn()
}

/// Our own terminal, if that is what we read from: its keys go on as they are typed.
struct Own(Option<Termios>);

impl Own {
    fn take() -> Own {
        let Ok(old) = tty::tcgetattr(0) else { return Own(None) };
        // Where that can't be, lines are passed on.
        let _ = proc::sigaction(sig::WINCH, Disposition::Catch);
        Own(tty::tcsetattr(0, When::Drain, &tty::cfmakeraw(old)).ok().map(|()| old))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(old) = &self.0 {
            let _ = tty::tcsetattr(0, When::Drain, old);
        }
    }
}

struct Session {
    master: i32,
    log: i32,
    /// On its way to the terminal.
    typed: Vec<u8>,
    line_begun: bool,
    /// There may be more to read.
    input: bool,
}

impl Session {
    /// Until nobody has the terminal any more.
    fn run(&mut self) -> SysResult<()> {
        io::fcntl(self.master, fcntl::SETFL, o::NONBLOCK as i32)?;
        loop {
            let reads = self.input && self.typed.len() < TYPED;
            let wants = if self.typed.is_empty() { poll::IN } else { poll::IN | poll::OUT };
            let mut fds = [
                PollFd { fd: self.master, events: wants, revents: 0 },
                PollFd { fd: if reads { 0 } else { -1 }, events: poll::IN, revents: 0 },
            ];
            match io::poll(&mut fds, -1) {
                Err(Errno::EINTR) => self.resized(),
                other => drop(other?),
            }
            if fds[0].revents & (poll::IN | poll::HUP) != 0 && !self.show()? {
                return Ok(());
            }
            if fds[1].revents != 0 {
                self.read();
            }
            self.pass_on()?;
        }
    }

    fn resized(&self) {
        if proc::sigtake(&[sig::WINCH]).is_some()
            && let Ok(size) = tty::winsize(0)
        {
            let _ = tty::set_winsize(self.master, size);
        }
    }

    /// What is shown, to our output and the file. False at the end.
    fn show(&self) -> SysResult<bool> {
        let mut buf = [0; 4096];
        match io::read(self.master, &mut buf) {
            Ok(0) | Err(Errno::EIO) => Ok(false),
            Ok(n) => {
                io::write_all(self.log, &buf[..n])?;
                io::write_all(1, &buf[..n])?;
                Ok(true)
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(true),
            Err(e) => Err(e),
        }
    }

    /// What is typed. Its end is the key for that: twice where a line has begun.
    fn read(&mut self) {
        let mut buf = [0; 1024];
        match io::read(0, &mut buf) {
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Ok(n @ 1..) => {
                self.typed.extend_from_slice(&buf[..n]);
                self.line_begun = !matches!(buf[n - 1], b'\n' | b'\r');
            }
            _ => {
                self.input = false;
                self.typed.extend_from_slice(&[EOF_KEY; 2][..1 + self.line_begun as usize]);
            }
        }
    }

    fn pass_on(&mut self) -> SysResult<()> {
        if self.typed.is_empty() {
            return Ok(());
        }
        match io::write(self.master, &self.typed) {
            Ok(n) => drop(self.typed.drain(..n)),
            Err(Errno::EAGAIN | Errno::EINTR | Errno::EIO) => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }
}
