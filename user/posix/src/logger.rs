//! `logger`: a message for the system's log, `/var/log/messages`, where syslog(3) of the C library ends, too.
//!
//! There is no daemon: who may write to the file does, a line at once. What others have to say goes to standard
//! error, as that of syslog(3) does.

use kit::input::Reader;
use kit::options::{Failure, Options};
use kit::show::civil;
use vkernel_sys::{Errno, clock, fs, io, o, proc, sys};

const USAGE: &str = "logger [-is] [-f file] [-p priority] [-t tag] [string...]";
const LOG: &[u8] = b"/var/log/messages";

pub fn logger(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "isf:p:t:", USAGE, true)?;
    if let Some(p) = o.value(b'p') {
        priority(&String::from_utf8_lossy(p))?;
    }
    let tag = match o.value(b't') {
        Some(tag) => tag.to_vec(),
        None => user().into_bytes(),
    };
    let pid = if o.has(b'i') { format!("[{}]", proc::getpid()) } else { String::new() };
    let mut log = Log { tag: [&tag[..], pid.as_bytes()].concat(), echo: o.has(b's'), said: false };
    if !o.operands.is_empty() {
        return log.line(&o.operands.join(&b' '));
    }
    let file = o.value(b'f').unwrap_or(b"-");
    let mut reader = Reader::open(file).map_err(|e| Failure::with(file, e))?;
    let mut line = Vec::new();
    let mut status = 0;
    while reader.line(b'\n', &mut line).map_err(|e| Failure::with(file, e))? {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if !text.is_empty() {
            status |= log.line(text)?;
        }
    }
    Ok(status)
}

/// `user.notice`, or a level alone. It is looked at, and not written.
fn priority(text: &str) -> Result<(), Failure> {
    const FACILITIES: [&str; 21] = [
        "auth", "authpriv", "cron", "daemon", "ftp", "kern", "local0", "local1", "local2", "local3", "local4",
        "local5", "local6", "local7", "lpr", "mail", "news", "security", "syslog", "user", "uucp",
    ];
    const LEVELS: [&str; 11] =
        ["alert", "crit", "debug", "emerg", "err", "error", "info", "notice", "panic", "warn", "warning"];
    let (facility, level) = text.split_once('.').unwrap_or(("user", text));
    let known =
        |names: &[&str], name: &str, most: u8| names.contains(&name) || name.parse::<u8>().is_ok_and(|n| n < most);
    match known(&FACILITIES, facility, 24) && known(&LEVELS, level, 8) {
        true => Ok(()),
        false => Err(Failure::new(format!("{text}: no such priority"))),
    }
}

fn user() -> String {
    std::env::var("LOGNAME")
        .ok()
        .filter(|n| !n.is_empty())
        .unwrap_or_else(|| kit::show::Names::users().name(proc::getuid()))
}

struct Log {
    tag: Vec<u8>,
    echo: bool,
    /// That the log can't be written to has been said.
    said: bool,
}

impl Log {
    fn line(&mut self, text: &[u8]) -> Result<i32, Failure> {
        let message = [&self.tag[..], b": ", text, b"\n"].concat();
        if self.echo {
            let _ = io::write_all(2, &message);
        }
        match append(&[stamp().as_bytes(), &message[..]].concat()) {
            Ok(()) => Ok(0),
            Err(e) => {
                if !self.echo {
                    let _ = io::write_all(2, &message);
                }
                if !std::mem::replace(&mut self.said, true) {
                    eprintln!("logger: {}: {e}", String::from_utf8_lossy(LOG));
                }
                Ok(1)
            }
        }
    }
}

/// One write with O_APPEND: lines of others don't get into it.
fn append(line: &[u8]) -> Result<(), Errno> {
    let open = || io::open(LOG, o::WRONLY | o::APPEND | o::CREAT | o::CLOEXEC | o::NOCTTY, 0o640);
    let fd = match open() {
        Err(Errno::ENOENT) => {
            let _ = fs::mkdir(b"/var/log", 0o755);
            open()
        }
        fd => fd,
    }?;
    let written = io::write_all(fd, line);
    let _ = io::close(fd);
    written
}

/// `Nov 23 08:15:00 vkernel ` (RFC 3164, 4.1.2).
fn stamp() -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, month, day, h, m, s) = civil(sys::clock_gettime(clock::REALTIME).unwrap_or(0) as i64);
    let host = sys::uname().ok().and_then(|u| u.get(1).cloned()).unwrap_or_default();
    format!("{} {day:2} {h:02}:{m:02}:{s:02} {host} ", MONTHS[(month as usize + 11) % 12])
}
