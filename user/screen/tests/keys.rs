//! A person at a terminal: keys go into a pty, and what comes out has to show the right thing.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

struct Person {
    pty: File,
    pid: i32,
    seen: String,
}

/// An empty directory of the test's own.
fn home(name: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&home);
    std::fs::create_dir_all(&home).unwrap();
    home
}

impl Person {
    /// A command on a pty of 12 rows and 60 columns.
    fn runs(home: &Path, args: &[&str]) -> Person {
        Person::runs_with(home, "LESS=", args)
    }

    fn runs_with(home: &Path, variable: &str, args: &[&str]) -> Person {
        let c = |s: &str| CString::new(s).unwrap();
        let program = c(env!("CARGO_BIN_EXE_screen"));
        let args: Vec<CString> = [&["screen"], args].concat().into_iter().map(c).collect();
        let env = [c("PATH=/usr/bin:/bin"), c("TERM=xterm"), c(variable)];
        let list = |all: &[CString]| all.iter().map(|a| a.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>();
        let (argv, envp, dir) = (list(&args), list(&env), c(home.to_str().unwrap()));
        let size = libc::winsize { ws_row: 12, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 };
        let mut fd = 0;
        // SAFETY: the child of a process with threads only changes directory and becomes another program;
        // all that it uses was made before.
        let pid = unsafe {
            let pid = libc::forkpty(&mut fd, std::ptr::null_mut(), std::ptr::null(), &size);
            if pid == 0 {
                libc::chdir(dir.as_ptr());
                libc::execve(program.as_ptr(), argv.as_ptr(), envp.as_ptr());
                libc::_exit(127);
            }
            libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
            pid
        };
        // SAFETY: the descriptor is the pty's, and nobody else has it.
        Person { pty: unsafe { File::from_raw_fd(fd) }, pid, seen: String::new() }
    }

    fn sees(&mut self, wanted: &str) -> &mut Person {
        let end = Instant::now() + Duration::from_secs(20);
        let mut buf = [0; 4096];
        while !self.seen.contains(wanted) {
            assert!(Instant::now() < end, "{wanted:?} was not seen in {:?}", self.seen);
            match self.pty.read(&mut buf) {
                Ok(n) if n > 0 => self.seen += &String::from_utf8_lossy(&buf[..n]),
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        self
    }

    /// Types, and waits until this is seen behind it.
    fn types(&mut self, keys: &str, wanted: &str) -> &mut Person {
        self.seen.clear();
        self.pty.write_all(keys.as_bytes()).unwrap();
        self.sees(wanted)
    }

    fn resizes(&mut self, rows: u16, columns: u16, wanted: &str) -> &mut Person {
        self.seen.clear();
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the size is read.
        unsafe { libc::ioctl(self.pty.as_raw_fd(), libc::TIOCSWINSZ, &size) };
        self.sees(wanted)
    }

    /// The exit status; the terminal was left as it was.
    fn ends(&mut self, keys: &str) -> i32 {
        self.types(keys, "\x1b[?1049l");
        let mut status = 0;
        // SAFETY: both calls fill what is ours.
        unsafe {
            libc::waitpid(self.pid, &mut status, 0);
            let mut mode = std::mem::zeroed::<libc::termios>();
            libc::tcgetattr(self.pty.as_raw_fd(), &mut mode);
            assert!(mode.c_lflag & libc::ICANON != 0, "the terminal was left raw");
            libc::WEXITSTATUS(status)
        }
    }
}

#[test]
fn a_text_is_typed_undone_searched_and_saved() {
    let home = home("edit");
    let file = home.join("f");
    let mut p = Person::runs(&home, &["edit", "f"]);
    p.sees("new file").types("one\rtwö three\r", "(changed)");
    p.types("\x17one\r", "\x1b[2;1H\x1b[?25h");
    p.types("X", "Xone").types("\x1bu", "\x1b[2;1Hone\x1b[K");
    p.types("\x13", "saved 2 lines");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\ntwö three\n");
    p.types("\x0b\x15\x15", "\x1b[3;1Hone\x1b[K");
    p.resizes(14, 50, "\x1b[14;1H");
    p.types("\x1cone\r", "With: ").types("1\r", "replaced 2");
    p.types("\x18", "Save what was changed?");
    assert_eq!(p.ends("y"), 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "1\n1\ntwö three\n");
    assert_eq!(std::fs::read_dir(&home).unwrap().count(), 1, "something was left beside the file");
}

#[test]
fn an_editor_can_be_left_without_saving() {
    let home = home("leave");
    std::fs::write(home.join("f"), "kept\n").unwrap();
    let mut p = Person::runs(&home, &["edit", "f"]);
    p.sees("1 lines").types("lost", "lostkept").types("\x18", "Save what");
    assert_eq!(p.ends("n"), 0);
    assert_eq!(std::fs::read_to_string(home.join("f")).unwrap(), "kept\n");
}

#[test]
fn a_long_text_is_paged_and_searched() {
    let home = home("less");
    let text: String = (1..=200).map(|n| format!("line {n}\n")).collect();
    std::fs::write(home.join("f"), text).unwrap();
    let mut p = Person::runs(&home, &["less", "f"]);
    p.sees("line 11\x1b[0m").types(" ", "line 12\x1b[0m").types("b", "line 1\x1b[0m");
    p.types("/150\r", "\x1b[7m150\x1b[27m").types("G", "(END)").types("50g", "\x1b[1;1Hline 50\x1b[0m");
    p.types("k", "\x1b[1;1Hline 49\x1b[0m").types("/nowhere\r", "pattern not found");
    p.resizes(20, 60, "line 67\x1b[0m");
    assert_eq!(p.ends("q"), 0);
}

#[test]
fn a_pager_takes_options_from_the_environment() {
    let home = home("environment");
    let text: String = (1..=30).map(|n| format!("\x1b[1mbold {n}\x1b[0m\n")).collect();
    std::fs::write(home.join("f"), text).unwrap();
    for (variable, shown) in
        [("LESS=", "^[[1mbold 11^[[0m"), ("LESS=-R", "\x1b[1mbold 11\x1b[0m"), ("LESS=imR", "\x1b[1mbold 11\x1b[0m")]
    {
        let mut p = Person::runs_with(&home, variable, &["less", "f"]);
        assert_eq!(p.sees(shown).ends("q"), 0, "{variable}");
    }
}

#[test]
fn a_file_that_grows_is_followed() {
    let home = home("follow");
    std::fs::write(home.join("f"), "first\n").unwrap();
    let mut p = Person::runs(&home, &["less", "+F", "f"]);
    p.sees("waiting for more");
    std::fs::OpenOptions::new().append(true).open(home.join("f")).unwrap().write_all(b"second\n").unwrap();
    p.sees("second").types("x", "(END)");
    assert_eq!(p.ends("q"), 0);
}

#[test]
fn processes_and_commands_are_watched() {
    let home = home("watch");
    let mut p = Person::runs(&home, &["top", "-d", "1"]);
    p.sees("MEM COMMAND").types("M", "MEM COMMAND").resizes(12, 100, "PPID USER");
    assert_eq!(p.ends("q"), 0);
    let mut p = Person::runs(&home, &["watch", "-n", "0.2", "echo seen; date +%N"]);
    p.sees("\x1b[3;1Hseen").types(" ", "\x1b[3;1Hseen");
    assert_eq!(p.ends("q"), 0);
}

#[test]
fn a_stopped_program_gives_the_terminal_back_and_draws_again() {
    let home = home("stop");
    std::fs::write(home.join("f"), "kept\n").unwrap();
    let mut p = Person::runs(&home, &["edit", "f"]);
    p.sees("1 lines").types("\x1a", "\x1b[?1049l");
    let mut status = 0;
    // SAFETY: both calls fill what is ours; the child is stopped, not gone.
    unsafe {
        // Its group's parent is in another session: who could not be resumed is not stopped.
        assert_eq!(libc::waitpid(p.pid, &mut status, libc::WNOHANG | libc::WUNTRACED), 0);
    }
    p.sees("\x1b[?1049h").sees("kept");
    // Stopped by another, it finds the terminal as somebody else left it.
    p.seen.clear();
    // SAFETY: no pointers but to what is ours.
    unsafe {
        libc::kill(p.pid, libc::SIGSTOP);
        libc::waitpid(p.pid, &mut status, libc::WUNTRACED);
        assert!(libc::WIFSTOPPED(status));
        let mut mode = std::mem::zeroed::<libc::termios>();
        libc::tcgetattr(p.pty.as_raw_fd(), &mut mode);
        mode.c_lflag |= libc::ICANON | libc::ECHO;
        libc::tcsetattr(p.pty.as_raw_fd(), libc::TCSANOW, &mode);
        libc::kill(p.pid, libc::SIGCONT);
    }
    p.sees("kept").types("x", "xkept").types("\x18", "Save what");
    assert_eq!(p.ends("n"), 0);
}
