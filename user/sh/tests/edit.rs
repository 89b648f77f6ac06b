//! A person at a terminal: keys go into a pty, and what comes out has to show the right thing.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

struct Person {
    pty: File,
    pid: i32,
    seen: String,
    /// All that came, for a failure's message.
    all: String,
    home: PathBuf,
}

impl Person {
    /// A shell on a pty of 40 columns; `home` is emptied first.
    fn new(name: &str, term: &str) -> Person {
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
    fn types(&mut self, keys: &str, wanted: &str) -> &mut Person {
        self.seen.clear();
        self.pty.write_all(keys.as_bytes()).unwrap();
        self.until(wanted);
        self
    }

    /// Types a command, and waits for this and the prompt behind it. Keys that come before the prompt are the
    /// kernel's to edit.
    fn runs(&mut self, keys: &str, wanted: &str) -> &mut Person {
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
    fn ends(mut self, keys: &str) -> (i32, bool) {
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

const LEFT: &str = "\x1b[D";
/// What ends a line that was edited: from here on keys are for the command.
const LINE_DONE: &str = "\x1b[?2004l\r\n";
const UP: &str = "\x1b[A";

#[test]
fn keys_move_and_change_the_line() {
    let mut p = Person::new("keys", "xterm");
    p.runs("echo plain\r", "\r\nplain\r\n");
    p.runs("\x15ech one\x01\x1b[C\x1b[C\x1b[Co\x05 two\r", "\none two\r\n");
    p.runs(&format!("echo ac{LEFT}b\r"), "\nabc\r\n");
    p.runs(&format!("echo 漢é字{LEFT}{LEFT}\x7f-\r"), "\n-é字\r\n");
    p.runs("echo one two three\x17\x17\x19!\r", "\none two three!\r\n");
    p.runs("echo gone\x15echo kept\r", "\nkept\r\n");
    p.runs("rest\x01echo \x0b\x19 back\r", "\n");
    assert_eq!(p.ends("exit 3\r"), (3, true));
}

#[test]
fn long_lines_wrap_and_stay_whole() {
    let mut p = Person::new("long", "xterm");
    let text = "0123456789".repeat(12);
    p.runs(&format!("echo {text}\x01\x05!\r"), &format!("\n{text}!\r\n"));
    p.runs(&format!("echo {text}{}X\r", LEFT.repeat(115)), &format!("\n{}X{}\r\n", &text[..5], &text[5..]));
    assert_eq!(p.ends("\x04"), (0, true));
}

#[test]
fn the_history_is_walked_searched_and_kept() {
    let mut p = Person::new("history", "xterm");
    p.runs("echo first\r", "\nfirst\r\n").runs("echo second\r", "\nsecond\r\n");
    p.runs(&format!("{UP}{UP}\r"), "\nfirst\r\n");
    p.runs("\x12sec\r", "\nsecond\r\n");
    p.runs("\x12nowhere\x07echo after\r", "\nafter\r\n");
    let home = p.home.clone();
    assert_eq!(p.ends("exit\r"), (0, true));
    let kept = std::fs::read_to_string(home.join(".sh_history")).unwrap();
    assert!(kept.starts_with("echo first\necho second\necho first\n"), "{kept}");
}

#[test]
fn fc_lists_edits_and_runs_again() {
    let mut p = Person::new("fc", "xterm");
    p.runs("echo one\r", "\none\r\n").runs("echo two\r", "\ntwo\r\n");
    p.runs("fc -l\r", "\n1\techo one\r\n2\techo two\r\n");
    p.runs("fc -nlr 1 2\r", "\n\techo two\r\n\techo one\r\n");
    p.runs("fc -s one=three 1\r", "\necho three\r\nthree\r\n");
    p.runs("fc -s\r", "\necho three\r\nthree\r\n");
    p.runs("fc -s nothing\r", "no such command");
    p.runs("fc -e 'sed -i s/two/four/' 'echo two'\r", "\necho four\r\nfour\r\n");
    p.runs("fc -e false -2\r", LINE_DONE).runs("echo $?\r", "\n1\r\n");
    p.runs("history\r", "1\techo one\r\n2\techo two\r\n3\tfc -l\r\n");
    assert_eq!(p.ends("exit\r"), (0, true));
}

#[test]
fn tab_completes_commands_files_and_variables() {
    let mut p = Person::new("tab", "xterm");
    p.runs("unali\t-a; echo done\r", "\ndone\r\n");
    p.runs("cat a\t\r", "\ncontents\r\n");
    p.runs("cd d\t\recho ${PWD##*/}\r", "\ndirectory\r\n").runs("cd ..\r", LINE_DONE);
    p.runs("export LONGNAME=value; echo\r", "\n\r\n").runs("echo $LONGN\t\r", "\nvalue\r\n");
    p.runs("touch b1 b2; echo\r", "\n\r\n").types("echo b\t\t", "b1  b2").runs("2\r", "\nb2\r\n");
    assert_eq!(p.ends("exit\r"), (0, true));
}

#[test]
fn control_keys_end_lines_and_pastes_wait() {
    let mut p = Person::new("control", "xterm");
    p.runs("echo not this\x03", "^C").runs("echo $?\r", "\n130\r\n");
    p.types("\x1b[200~echo p1\necho p2\n\x1b[201~", "echo p2");
    assert!(!p.seen.contains("\np1\r\n"), "a paste ran by itself");
    p.runs("\r", "p1\r\np2\r\n");
    p.runs("for i in 1 2\rdo echo $i\rdone\r", "\n1\r\n2\r\n");
    p.types("for i in 1 2\r", "> ").types("do echo $i\r", "> ").runs("\x03", "^C");
    p.types("sh -c 'echo on; exec sleep 20'\r", "\non\r\n").runs("\x03", "^C").runs("echo back\r", "\nback\r\n");
    p.types("cat\r", LINE_DONE).types("typed\r", "typed\r\ntyped\r\n").types("\x04", "% ").runs("echo $-\r", "\nim");
    p.runs("kill $$; echo alive\r", "\nalive\r\n");
    assert_eq!(p.ends("\x04"), (0, true));
}

#[test]
fn without_a_terminal_that_can_the_kernel_edits() {
    for (term, first) in [("dumb", "echo a\r"), ("xterm", "set +o emacs\r")] {
        let mut p = Person::new(&format!("plain-{term}"), term);
        p.runs(first, "\n").runs("echo c\r", "\nc\r\n").runs("echo b\r", "echo b\r\nb\r\n");
        assert!(!p.seen.contains('\x1b'), "{:?}", p.seen);
        assert_eq!(p.ends("\x04"), (0, true));
    }
}
