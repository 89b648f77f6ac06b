//! Pseudo-terminals, and what an interactive shell does on one.

use abi::types::{fcntl, o, poll, sig, wait};
use vkernel_sys::io::{self, PollFd};
use vkernel_sys::tty::{self, bits};
use vkernel_sys::{Errno, Spawn, Winsize, fs, proc};

use crate::harness::wait_for;

crate::tests! { ptys: ends, names, hangup, sessions, shell }

/// Longest time anything takes to be shown.
const PATIENCE_MS: i32 = 60_000;

fn ends() {
    let (master, slave) = tty::openpty().expect("openpty");
    assert!(tty::isatty(master) && tty::isatty(slave));
    io::write_all(master, b"lx\x7fs\r").expect("typing");
    let mut buf = [0; 64];
    let n = io::read(slave, &mut buf).expect("read");
    assert_eq!(&buf[..n], b"ls\n");
    io::write_all(slave, b"a\n").expect("write");
    let n = io::read(master, &mut buf).expect("read");
    assert_eq!(&buf[..n], b"lx\x08 \x08s\r\na\r\n");
    // Bounded both ways.
    for fd in [master, slave] {
        let raw = tty::cfmakeraw(tty::tcgetattr(slave).expect("tcgetattr"));
        tty::tcsetattr(slave, tty::When::Now, &raw).expect("tcsetattr");
        io::fcntl(fd, fcntl::SETFL, o::NONBLOCK as i32).expect("fcntl");
        let floods = (0..1000).map(|_| io::write(fd, &[b'x'; 1000])).find(Result::is_err);
        assert_eq!(floods, Some(Err(Errno::EAGAIN)));
    }
    let drain = tty::tcgetattr(master).expect("tcgetattr");
    assert_eq!(drain.lflag & bits::ICANON, 0);
    io::close(slave).expect("close");
    io::close(master).expect("close");
}

fn names() {
    let (master, name) = tty::openpt().expect("openpt");
    let digits = name.strip_prefix("/dev/pts/").expect("a name");
    let listed = || fs::read_dir(b"/dev/pts").expect("readdir").iter().any(|e| e.name == digits.as_bytes());
    assert!(listed());
    io::close(master).expect("close");
    assert!(!listed());
    assert_eq!(io::open(name.as_bytes(), o::RDWR, 0), Err(Errno::ENOENT));
}

fn hangup() {
    let (master, name) = tty::openpt().expect("openpt");
    let spawn = Spawn::new(b"/bin/cat").arg(b"cat").setsid().open(0, name.as_bytes(), o::RDWR, 0).dup2(0, 1);
    let pid = spawn.spawn().expect("spawn");
    io::write_all(master, b"x\n").expect("typing");
    let mut t = Terminal { master, shown: Vec::new() };
    t.expect("x\r\nx\r\n");
    io::close(master).expect("close");
    assert_eq!(wait_for(pid), wait::signaled(sig::HUP));
}

fn sessions() {
    match tty::forkpty().expect("forkpty") {
        None => {
            let own = proc::getpid() as i32;
            let leads = proc::getsid(0) == Ok(own) && tty::tcgetpgrp(0) == Ok(own);
            let tty = io::open(b"/dev/tty", o::RDWR, 0).and_then(|tty| io::write_all(tty, b"up"));
            proc::exit(if leads && tty.is_ok() { 7 } else { 8 })
        }
        Some((pid, master)) => {
            Terminal { master, shown: Vec::new() }.expect("up");
            assert_eq!(wait_for(pid), wait::exited(7));
            assert_eq!(io::read(master, &mut [0; 9]), Err(Errno::EIO));
            io::close(master).expect("close");
        }
    }
}

/// A program's terminal, and what it has shown and nobody looked at.
pub struct Terminal {
    pub master: i32,
    pub shown: Vec<u8>,
}

impl Terminal {
    pub fn send(&self, keys: &str) {
        io::write_all(self.master, keys.as_bytes()).expect("typing");
    }

    /// Waits until this is shown, and forgets what is there up to it.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        loop {
            if let Some(at) = self.shown.windows(text.len()).position(|w| w == text.as_bytes()) {
                self.shown.drain(..at + text.len());
                return;
            }
            let mut fds = [PollFd { fd: self.master, events: poll::IN, revents: 0 }];
            let ready = io::poll(&mut fds, PATIENCE_MS).expect("poll");
            let shown = String::from_utf8_lossy(&self.shown).into_owned();
            assert_eq!(ready, 1, "{text:?} is not shown but {shown:?}");
            let mut buf = [0; 1024];
            match io::read(self.master, &mut buf) {
                Ok(n) => self.shown.extend_from_slice(&buf[..n]),
                Err(e) => panic!("{e} before {text:?}; there is {shown:?}"),
            }
        }
    }
}

/// Prompts, echo, and the keys that end, stop and go on with jobs.
fn shell() {
    let (master, name) = tty::openpt().expect("openpt");
    tty::set_winsize(master, Winsize { rows: 24, cols: 80 }).expect("TIOCSWINSZ");
    let sh = Spawn::new(b"/bin/sh").arg(b"sh").arg(b"-i").env(b"PATH=/bin:/usr/bin").env(b"PS1=$> ").env(b"TERM=dumb");
    let pid = sh.setsid().open(0, name.as_bytes(), o::RDWR, 0).dup2(0, 1).dup2(0, 2).spawn().expect("spawn");
    let mut t = Terminal { master, shown: Vec::new() };
    t.expect("$> ");
    t.send("tty; stty size\r");
    t.expect(&format!("tty; stty size\r\n{name}\r\n24 80\r\n$> "));
    t.send("sleep 1000\r");
    t.expect("sleep 1000\r\n");
    while tty::tcgetpgrp(master) == Ok(pid) {
        vkernel_sys::sys::sched_yield();
    }
    t.send("\x03");
    t.expect("^C");
    t.expect("$> ");
    assert_eq!(tty::tcgetpgrp(master), Ok(pid));
    t.send("cat\rabc\r");
    t.expect("abc\r\nabc\r\n");
    t.send("\x1a");
    t.expect("^Z");
    t.expect("$> ");
    t.send("jobs\r");
    t.expect("Stopped");
    t.expect("$> ");
    t.send("fg\r");
    t.expect("cat\r\n");
    t.send("def\r");
    t.expect("def\r\ndef\r\n");
    t.send("\x04");
    t.expect("$> ");
    t.send("trap 'echo resized; stty size' WINCH; echo set\r");
    t.expect("set\r\n$> ");
    tty::set_winsize(master, Winsize { rows: 50, cols: 132 }).expect("TIOCSWINSZ");
    // A trap runs when the command is over, at the latest.
    t.send("echo done\r");
    t.expect("resized\r\n50 132\r\n");
    t.send("exit 7\r");
    assert_eq!(wait_for(pid), wait::exited(7));
    let mut rest = [0; 256];
    while io::read(master, &mut rest).is_ok() {}
    assert_eq!(io::read(master, &mut rest), Err(Errno::EIO));
    io::close(master).expect("close");
    assert_eq!(proc::kill(pid, 0), Err(Errno::ESRCH));
}
