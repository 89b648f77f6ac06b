//! su, login, passwd: who is let in, what is asked, and that the terminal echoes afterwards.

use std::time::{Duration, Instant};

use abi::types::{mode, o, sig, wait};
use vkernel_sys::tty::{self, bits};
use vkernel_sys::{Spawn, fs, io, proc};

use crate::harness::wait_for;
use crate::ptys::Terminal;

crate::tests! { accounts: su_of_root, passwords, prompts, ended_at_the_question, logins }

const SHADOW: &[u8] = b"/etc/shadow";
/// Of `secret`.
const SECRET: &str = "$5$rounds=1000$salt$CCvcOM6b7TEJDPb37Aec/9UpOg4QhPNAxPpL9ZzjTB7";

/// What makes the password `secret` root's and user's, and back afterwards: the file belongs to the system.
struct Passwords(Vec<u8>);

impl Passwords {
    /// None where the system has no accounts, or is somebody else's.
    fn set() -> Option<Passwords> {
        let su = fs::stat(b"/bin/su").ok().filter(|_| proc::getuid() == 0)?;
        let old = io::read_file(SHADOW).ok()?;
        assert!(su.mode & mode::ISUID != 0 && su.uid == 0, "su can't become anybody");
        write(format!("root:{SECRET}:1::::::\nuser:{SECRET}:1::::::\n").as_bytes());
        Some(Passwords(old))
    }
}

impl Drop for Passwords {
    fn drop(&mut self) {
        write(&self.0);
        // passwd's, if it was needed.
        let _ = fs::unlink(b"/etc/.pwd.lock");
    }
}

fn write(text: &[u8]) {
    let fd = io::open(SHADOW, o::WRONLY | o::TRUNC, 0).expect("shadow");
    io::write_all(fd, text).expect("write");
    io::close(fd).expect("close");
}

/// A shell command on a terminal, run as the user 1000.
fn on_terminal(line: &str, user: bool) -> (i32, Terminal) {
    let (master, name) = tty::openpt().expect("openpt");
    let command = if user { format!("exec su user -c '{line}'") } else { format!("exec {line}") };
    let sh = Spawn::new(b"/bin/sh").arg(b"sh").arg(b"-c").arg(command.as_bytes()).env(b"PATH=/bin").env(b"TERM=dumb");
    let spawn = sh.setsid().open(0, name.as_bytes(), o::RDWR, 0).dup2(0, 1).dup2(0, 2);
    (spawn.spawn().expect("spawn"), Terminal { master, shown: Vec::new() })
}

fn ends(pid: i32, t: Terminal, status: u32) {
    assert_eq!(wait_for(pid), wait::exited(status), "{}", String::from_utf8_lossy(&t.shown));
    io::close(t.master).expect("close");
}

fn su_of_root() {
    let Some(_p) = Passwords::set() else { return };
    let (pid, mut t) = on_terminal("su - user -c \"id -un; pwd; echo \\$USER \\$HOME\"", false);
    t.expect("user\r\n/home/user\r\nuser /home/user\r\n");
    ends(pid, t, 0);
    let (pid, mut t) = on_terminal("su nobody-there", false);
    t.expect("user nobody-there does not exist");
    ends(pid, t, 1);
    let (pid, t) = on_terminal("su user -c \"exit 7\"", false);
    ends(pid, t, 7);
    let (pid, t) = on_terminal("su -s /bin/none user", false);
    ends(pid, t, 127);
}

fn passwords() {
    let Some(_p) = Passwords::set() else { return };
    let (pid, mut t) = on_terminal("su -c \"id -u\"", true);
    t.expect("Password: ");
    t.send("secret\r");
    t.expect("\r\n0\r\n");
    ends(pid, t, 0);
    for wrong in ["Secret\r", "\r", "\x04"] {
        let (pid, mut t) = on_terminal("su -c \"id -u\"", true);
        t.expect("Password: ");
        t.send(wrong);
        t.expect("Authentication failure");
        ends(pid, t, 1);
    }
    // A new one: the old is asked for, and the two must be the same.
    let (pid, mut t) = on_terminal("passwd", true);
    for (question, answer) in [("Current password: ", "secret\r"), ("New password: ", "other\r"), ("Retype", "othr\r")]
    {
        t.expect(question);
        t.send(answer);
    }
    t.expect("not the same");
    ends(pid, t, 10);
    let (pid, mut t) = on_terminal("passwd", true);
    for (question, answer) in [("Current", "secret\r"), ("New", "othrr\x7f\x7fer\r"), ("Retype", "x\x15other\r")] {
        t.expect(question);
        t.expect("password: ");
        t.send(answer);
    }
    t.expect("password updated");
    ends(pid, t, 0);
    let st = fs::stat(SHADOW).expect("stat");
    assert_eq!((st.mode & 0o7777, st.uid), (0o600, 0));
    let (pid, mut t) = on_terminal("su user -c \"id -u\"", true);
    t.expect("Password: ");
    t.send("other\r");
    t.expect("1000\r\n");
    ends(pid, t, 0);
    // Others' are root's business.
    let (pid, mut t) = on_terminal("passwd root", true);
    t.expect("Permission denied");
    ends(pid, t, 1);
    let (pid, mut t) = on_terminal("passwd -l root", false);
    t.expect("updated");
    ends(pid, t, 0);
    let (pid, mut t) = on_terminal("su", true);
    t.expect("Password: ");
    t.send("secret\r");
    t.expect("Authentication failure");
    ends(pid, t, 1);
}

/// Nothing is shown of what is typed, and whatever ends the question, afterwards it is shown again.
fn prompts() {
    let Some(_p) = Passwords::set() else { return };
    for answer in ["\x03", "wrong\r", "\x04"] {
        let (pid, mut t) = on_terminal("su; stty -a; cat", true);
        t.expect("Password: ");
        let quiet = tty::tcgetattr(t.master).expect("tcgetattr");
        assert_eq!(quiet.lflag & bits::ECHO, 0);
        t.send(answer);
        t.expect("Authentication failure");
        let after = tty::tcgetattr(t.master).expect("tcgetattr");
        let all = bits::ECHO | bits::ICANON | bits::ISIG;
        assert_eq!(after.lflag & all, all);
        assert!(!t.shown.windows(5).any(|w| w == b"wrong"));
        t.expect(" echo ");
        t.send("\x04");
        ends(pid, t, 0);
    }
}

/// Who is ended there by a signal is ended, and the terminal shows again what is typed.
fn ended_at_the_question() {
    let Some(_p) = Passwords::set() else { return };
    for signal in [sig::TERM, sig::HUP, sig::QUIT] {
        let (pid, mut t) = on_terminal("su", true);
        t.expect("Password: ");
        let shows = || tty::tcgetattr(t.master).is_ok_and(|now| now.lflag & bits::ECHO != 0);
        assert!(!shows());
        proc::kill(-pid, signal).expect("kill");
        assert_eq!(wait::term_signal(wait_for(pid)), Some(signal));
        let begin = Instant::now();
        while !shows() && begin.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(shows(), "{}", sig::name(signal));
        io::close(t.master).expect("close");
    }
}

fn logins() {
    let Some(_p) = Passwords::set() else { return };
    let (pid, mut t) = on_terminal("login", false);
    t.expect("login: ");
    t.send("user\r");
    t.expect("Password: ");
    t.send("wrong\r");
    t.expect("Login incorrect");
    t.expect("login: ");
    t.send("user\r");
    t.expect("Password: ");
    t.send("secret\r");
    t.expect("$ ");
    t.send("echo $0 $HOME $(id -un); ls -l $(tty) | cut -c1-10; exit 3\r");
    t.expect("-sh /home/user user\r\ncrw--w----\r\n");
    ends(pid, t, 3);
    let (pid, mut t) = on_terminal("login", true);
    t.expect("only root may");
    ends(pid, t, 1);
}
