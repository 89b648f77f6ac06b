//! A person at a terminal: keys go into a pty, and what comes out is waited for.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub struct Person {
    pty: File,
    pid: i32,
    pub seen: String,
    /// All that came, for a failure's message.
    all: String,
    #[allow(dead_code, reason = "not every test looks there")]
    pub home: PathBuf,
}

impl Person {
    /// A shell on a pty of 40 columns; `home` is emptied first.
    pub fn new(name: &str, term: &str) -> Person {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&home);
        std::fs::create_dir_all(home.join("directory")).unwrap();
        std::fs::write(home.join("a file"), "contents\n").unwrap();
        let c = |s: String| CString::new(s).unwrap();
        let sh = c(env!("CARGO_BIN_EXE_sh").into());
        let home_text = home.display().to_string();
        let env = [format!("TERM={term}"), format!("HOME={home_text}"), "PS1=% ".into(), "PATH=/usr/bin:/bin".into()];
        let env: Vec<CString> = env.into_iter().map(c).collect();
        let size = libc::winsize { ws_row: 10, ws_col: 40, ws_xpixel: 0, ws_ypixel: 0 };
        let dir = c(home_text);
        let mut envp: Vec<*const i8> = env.iter().map(|e| e.as_ptr()).collect();
        envp.push(std::ptr::null());
        let argv = [sh.as_ptr(), std::ptr::null()];
        let mut fd = 0;
        // SAFETY: the child of a process with threads only changes directory and becomes another program;
        // all that it uses was made before.
        let pid = unsafe {
            let pid = libc::forkpty(&mut fd, std::ptr::null_mut(), std::ptr::null(), &size);
            if pid == 0 {
                libc::chdir(dir.as_ptr());
                libc::execve(sh.as_ptr(), argv.as_ptr(), envp.as_ptr());
                libc::_exit(127);
            }
            libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
            pid
        };
        // SAFETY: the descriptor is the pty's, and nobody else has it.
        let pty = unsafe { File::from_raw_fd(fd) };
        let mut p = Person { pty, pid, seen: String::new(), all: String::new(), home };
        p.until("% ");
        p
    }

    /// Types, and waits until this is seen behind it.
    pub fn types(&mut self, keys: &str, wanted: &str) -> &mut Person {
        self.seen.clear();
        self.pty.write_all(keys.as_bytes()).unwrap();
        self.until(wanted);
        self
    }

    /// Types a command, and waits for this and the prompt behind it. Keys that come before the prompt are the
    /// kernel's to edit.
    pub fn runs(&mut self, keys: &str, wanted: &str) -> &mut Person {
        self.types(keys, wanted);
        let (_, behind) = self.seen.split_once(wanted).unwrap();
        self.seen = behind.to_string();
        self.until("% ");
        self
    }

    fn until(&mut self, wanted: &str) {
        let end = Instant::now() + Duration::from_secs(10);
        let mut buf = [0; 4096];
        while !self.seen.contains(wanted) {
            assert!(Instant::now() < end, "{wanted:?} was not seen in {:?}, the end of {:?}", self.seen, self.all);
            match self.pty.read(&mut buf) {
                Ok(n) if n > 0 => {
                    let text = String::from_utf8_lossy(&buf[..n]);
                    self.seen += &text;
                    self.all += &text;
                }
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// The exit status, and how the terminal was left.
    pub fn ends(mut self, keys: &str) -> (i32, bool) {
        self.pty.write_all(keys.as_bytes()).unwrap();
        let mut status = 0;
        // SAFETY: both calls fill what is ours.
        unsafe {
            libc::waitpid(self.pid, &mut status, 0);
            let mut mode = std::mem::zeroed::<libc::termios>();
            use std::os::fd::AsRawFd;
            libc::tcgetattr(self.pty.as_raw_fd(), &mut mode);
            (libc::WEXITSTATUS(status), mode.c_lflag & libc::ICANON != 0)
        }
    }
}

/// What ends a line that was edited: from here on keys are for the command.
pub const LINE_DONE: &str = "\x1b[?2004l\r\n";
