//! The expression, and what it says of a file.

use super::walk::{Entry, Walk};
use crate::show::{flush_now, put};
use kit::process;
use kit::show::{permissions, short_time};
use posix_regex::Regex;
use vkernel_sys::{Stat, access, fs, io, mode, sys};

/// A number that may be exact, a minimum or a maximum: `5`, `+5`, `-5`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Is(i64),
    More(i64),
    Less(i64),
}

impl Number {
    pub fn has(self, n: i64) -> bool {
        match self {
            Number::Is(want) => n == want,
            Number::More(want) => n > want,
            Number::Less(want) => n < want,
        }
    }
}

#[derive(Clone, Copy)]
pub enum Time {
    Access,
    Change,
    Modify,
}

impl Time {
    pub fn of(self, s: &Stat) -> i64 {
        match self {
            Time::Access => s.atime_ns,
            Time::Change => s.ctime_ns,
            Time::Modify => s.mtime_ns,
        }
    }
}

pub enum Expr {
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    /// `,`: both, and the second one says.
    Both(Box<Expr>, Box<Expr>),
    Const(bool),
    Name(Regex),
    Path(Regex),
    LinkName(Regex),
    Type(Vec<u8>),
    Size(Number, i64),
    Empty,
    /// All of the bits, any of them, or just these.
    Perm(u8, u32),
    Uid(Number),
    Gid(Number),
    NoUser,
    NoGroup,
    Links(Number),
    Inode(Number),
    Newer(Time, i64),
    /// In units of so many nanoseconds before now.
    Age(Time, Number, i64),
    Same(u64, u64),
    Access(u32),
    Print(u8),
    Printf(Vec<u8>),
    List,
    Delete,
    Prune,
    Quit,
    Exec(Exec),
}

pub struct Exec {
    pub argv: Vec<Vec<u8>>,
    /// `+`: files are collected here, by the number of the collection.
    pub many: Option<usize>,
    pub in_dir: bool,
    pub ask: bool,
}

impl Expr {
    pub fn test(&self, w: &mut Walk, e: &Entry) -> bool {
        match self {
            Expr::Not(a) => !a.test(w, e),
            Expr::And(a, b) => a.test(w, e) && !w.quit && b.test(w, e),
            Expr::Or(a, b) => a.test(w, e) || b.test(w, e),
            Expr::Both(a, b) => {
                a.test(w, e);
                b.test(w, e)
            }
            Expr::Const(value) => *value,
            Expr::Name(r) => r.is_match(e.name()),
            Expr::Path(r) => r.is_match(&e.path),
            Expr::LinkName(r) => fs::readlink(&e.path).is_ok_and(|to| r.is_match(&to)),
            Expr::Type(letters) => letters.contains(&type_letter(e.stat.mode)),
            Expr::Size(n, unit) => n.has((e.stat.size as i64 + unit - 1) / unit),
            Expr::Empty => match e.stat.mode & mode::IFMT {
                mode::IFREG => e.stat.size == 0,
                mode::IFDIR => fs::read_dir(&e.path).is_ok_and(|d| d.is_empty()),
                _ => false,
            },
            Expr::Perm(how, bits) => match (how, e.stat.mode & 0o7777) {
                (b'-', m) => m & bits == *bits,
                (b'/', m) => *bits == 0 || m & bits != 0,
                (_, m) => m == *bits,
            },
            Expr::Uid(n) => n.has(e.stat.uid as i64),
            Expr::Gid(n) => n.has(e.stat.gid as i64),
            Expr::NoUser => w.users.name(e.stat.uid) == e.stat.uid.to_string(),
            Expr::NoGroup => w.groups.name(e.stat.gid) == e.stat.gid.to_string(),
            Expr::Links(n) => n.has(e.stat.nlink as i64),
            Expr::Inode(n) => n.has(e.stat.ino as i64),
            Expr::Newer(time, than) => time.of(&e.stat) > *than,
            Expr::Age(time, n, unit) => n.has((w.now_ns - time.of(&e.stat)).div_euclid(*unit)),
            Expr::Same(dev, ino) => (e.stat.dev, e.stat.ino) == (*dev, *ino),
            Expr::Access(how) => fs::access(&e.path, *how).is_ok(),
            Expr::Print(end) => {
                put(&e.path);
                put(&[*end]);
                true
            }
            Expr::Printf(format) => {
                put(&printf(format, w, e));
                true
            }
            Expr::List => {
                list(w, e);
                true
            }
            Expr::Delete => {
                let dir = e.stat.mode & mode::IFMT == mode::IFDIR;
                // `find . -delete` leaves the place it stands in.
                if e.path == b"." {
                    return true;
                }
                match if dir { fs::rmdir(&e.path) } else { fs::unlink(&e.path) } {
                    Ok(()) => true,
                    Err(error) => {
                        w.complain(b"cannot delete ", &e.path, error);
                        false
                    }
                }
            }
            Expr::Prune => {
                w.prune = true;
                true
            }
            Expr::Quit => {
                w.quit = true;
                true
            }
            Expr::Exec(x) => x.run(w, e),
        }
    }
}

impl Exec {
    fn run(&self, w: &mut Walk, e: &Entry) -> bool {
        let (dir, shown) = match e.path.iter().rposition(|b| *b == b'/') {
            Some(n) => (&e.path[..n.max(1)], [b"./", &e.path[n + 1..]].concat()),
            None => (&b"."[..], [b"./", e.path.as_slice()].concat()),
        };
        let shown = if self.in_dir { shown } else { e.path.clone() };
        if let (Some(n), false) = (self.many, self.in_dir) {
            w.collect(n, &self.argv, shown);
            return true;
        }
        let argv: Vec<Vec<u8>> = self.argv.iter().map(|a| replace(a, &shown)).collect();
        if self.ask {
            flush_now();
            let question =
                format!("< {} ... {} > ? ", String::from_utf8_lossy(&argv[0]), String::from_utf8_lossy(&shown));
            let _ = io::write_all(2, question.as_bytes());
            if !answer() {
                return false;
            }
        }
        w.command(&argv, self.in_dir.then_some(dir)) == 0
    }
}

/// Whether a line from standard input begins with a y.
fn answer() -> bool {
    let mut line = Vec::new();
    let mut b = [0];
    while io::read(0, &mut b) == Ok(1) && b[0] != b'\n' {
        line.push(b[0]);
    }
    matches!(line.first(), Some(b'y' | b'Y'))
}

fn replace(arg: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = arg;
    while let Some(n) = rest.windows(2).position(|w| w == b"{}") {
        out.extend([&rest[..n], with].concat());
        rest = &rest[n + 2..];
    }
    out.extend_from_slice(rest);
    out
}

pub fn type_letter(m: u32) -> u8 {
    match permissions(m).as_bytes()[0] {
        b'-' => b'f',
        other => other,
    }
}

fn list(w: &mut Walk, e: &Entry) {
    let s = &e.stat;
    let (user, group) = (w.users.name(s.uid), w.groups.name(s.gid));
    let time = short_time(s.mtime_ns, w.now_ns);
    let mode = permissions(s.mode);
    let line = format!(
        "{:>9} {:>6} {mode} {:>3} {user:<8} {group:<8} {:>8} {time} ",
        s.ino,
        s.blocks.div_ceil(2),
        s.nlink,
        s.size
    );
    put(line.as_bytes());
    put(&e.path);
    if let Ok(to) = fs::readlink(&e.path) {
        put(&[b" -> ", to.as_slice()].concat());
    }
    put(b"\n");
}

/// What `-printf` writes: the directives that people use.
fn printf(format: &[u8], w: &Walk, e: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = format.iter().copied().peekable();
    while let Some(c) = bytes.next() {
        if c == b'\\' {
            out.push(match bytes.next() {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'0') => 0,
                Some(b'a') => 7,
                Some(b'r') => b'\r',
                Some(other) => other,
                None => b'\\',
            });
            continue;
        }
        if c != b'%' {
            out.push(c);
            continue;
        }
        let mut width = Vec::new();
        while bytes.peek().is_some_and(|b| b.is_ascii_digit() || *b == b'-') {
            width.extend(bytes.next());
        }
        let Some(d) = bytes.next() else { break };
        // `%T@`, `%Ty`: a time and how.
        let how = if matches!(d, b'T' | b'A' | b'C') { bytes.next() } else { None };
        let text = directive(d, how, w, e);
        let width: i64 = String::from_utf8_lossy(&width).parse().unwrap_or(0);
        let fill = vec![b' '; (width.unsigned_abs() as usize).saturating_sub(text.len())];
        out.extend(if width < 0 { [text, fill].concat() } else { [fill, text].concat() });
    }
    out
}

fn directive(d: u8, how: Option<u8>, w: &Walk, e: &Entry) -> Vec<u8> {
    let s = &e.stat;
    let below = e.path.get(e.top..).unwrap_or_default();
    match d {
        b'p' => e.path.clone(),
        b'f' => e.name().to_vec(),
        b'h' => match e.path.iter().rposition(|b| *b == b'/') {
            Some(n) => e.path[..n].to_vec(),
            None => b".".to_vec(),
        },
        b'P' => below.strip_prefix(b"/").unwrap_or(below).to_vec(),
        b'H' => e.path[..e.top].to_vec(),
        b's' => s.size.to_string().into(),
        b'k' => s.blocks.div_ceil(2).to_string().into(),
        b'b' => s.blocks.to_string().into(),
        b'm' => format!("{:o}", s.mode & 0o7777).into(),
        b'M' => permissions(s.mode).into(),
        b'u' => w.users.name(s.uid).into(),
        b'g' => w.groups.name(s.gid).into(),
        b'U' => s.uid.to_string().into(),
        b'G' => s.gid.to_string().into(),
        b'n' => s.nlink.to_string().into(),
        b'i' => s.ino.to_string().into(),
        b'd' => e.depth.to_string().into(),
        b'D' => s.dev.to_string().into(),
        b'y' => vec![type_letter(s.mode)],
        b'l' => fs::readlink(&e.path).unwrap_or_default(),
        b't' => kit::show::full_time(s.mtime_ns).into(),
        b'T' | b'A' | b'C' => {
            let time = [(b'T', Time::Modify), (b'A', Time::Access), (b'C', Time::Change)];
            let ns = time.iter().find(|t| t.0 == d).map_or(0, |t| t.1.of(s));
            let (year, month, day, hour, minute, second) = kit::show::civil(ns);
            let fraction = format!("{:010}", ns.rem_euclid(1_000_000_000) * 10);
            match how {
                Some(b'@') => format!("{}.{fraction}", ns.div_euclid(1_000_000_000)).into(),
                Some(b'Y') => year.to_string().into(),
                Some(b'm') => format!("{month:02}").into(),
                Some(b'd') => format!("{day:02}").into(),
                Some(b'H') => format!("{hour:02}").into(),
                Some(b'M') => format!("{minute:02}").into(),
                Some(b'S') => format!("{second:02}.{fraction}").into(),
                Some(b'F') => format!("{year:04}-{month:02}-{day:02}").into(),
                Some(b'T') => format!("{hour:02}:{minute:02}:{second:02}.{fraction}").into(),
                _ => Vec::new(),
            }
        }
        b'%' => b"%".to_vec(),
        other => vec![b'%', other],
    }
}

/// The time it is.
pub fn now() -> i64 {
    sys::clock_gettime(0).unwrap_or(0) as i64
}

/// The bits for [`Expr::Access`].
pub const ACCESS: [(&[u8], u32); 3] =
    [(b"-readable", access::R_OK), (b"-writable", access::W_OK), (b"-executable", access::X_OK)];

/// Runs a command and waits for it. Nothing of ours is left unwritten before it.
pub fn run(argv: &[Vec<u8>], dir: Option<&[u8]>) -> i32 {
    flush_now();
    let mut command = process::command(argv);
    if let Some(dir) = dir {
        command = command.chdir(dir);
    }
    match command.spawn() {
        Ok(pid) => process::wait_for(pid).unwrap_or(127),
        Err(e) => {
            let failure = process::not_found(&argv[0], e);
            eprintln!("find: {}", failure.message);
            failure.status
        }
    }
}
