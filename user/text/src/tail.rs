//! `tail` (POSIX tail, for several files, and -F, -q, -s, -v and -z as GNU's).
//!
//! A file that grows is looked at again and again: nobody tells of growth.

mod follow;

use crate::options::{Failure, Options};
use follow::Followed;
use kit::input::{copy_out, read_more};
use vkernel_sys::{Errno, SysResult, fs, io, mode, o};

const USAGE: &str = "tail [-fFqrvz] [-c BYTES | -n LINES] [-s SECONDS] [--pid=PID] [FILE...]";
const FOLLOW: u8 = 1;
const PID: u8 = 2;
const RETRY: u8 = 3;
const WORDS: &[(&str, u8)] = &[
    ("bytes", b'c'),
    ("lines", b'n'),
    ("follow", FOLLOW),
    ("quiet", b'q'),
    ("silent", b'q'),
    ("verbose", b'v'),
    ("zero-terminated", b'z'),
    ("sleep-interval", b's'),
    ("pid", PID),
    ("retry", RETRY),
];

/// Where what is shown begins.
#[derive(Clone, Copy, Debug, PartialEq)]
enum From {
    /// Behind so many lines or bytes.
    Start(u64),
    /// So many before the end.
    End(u64),
}

struct Tail {
    from: From,
    bytes: bool,
    reverse: bool,
    end: u8,
}

pub fn tail(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse_long(&spelled_out(args), "fFqrvzc:n:s:\x01?\x02:\x03", WORDS, USAGE, false).map_err(one)?;
    let mut t =
        Tail { from: From::End(10), bytes: false, reverse: o.has(b'r'), end: if o.has(b'z') { 0 } else { b'\n' } };
    if t.reverse {
        t.from = From::End(u64::MAX);
    }
    for (letter, value) in o.all_values().filter(|v| matches!(v.0, b'c' | b'n')) {
        let wrong = || one(Failure::usage(format!("{}: not a number\nusage: {USAGE}", String::from_utf8_lossy(value))));
        (t.from, t.bytes) = (place(value).ok_or_else(wrong)?, letter == b'c');
    }
    let files = if o.operands.is_empty() { vec![b"-".to_vec()] } else { o.operands.clone() };
    let titled = o.last_of(b"qv").map_or(files.len() > 1, |l| l == b'v');
    let following = follow::How::of(&o).map_err(one)?;
    let mut followed: Vec<Followed> = Vec::new();
    let (mut status, mut first) = (0, true);
    for file in &files {
        let opened = if file == b"-" { Ok(0) } else { io::open(file, o::RDONLY | o::CLOEXEC, 0) };
        let shown = opened.and_then(|fd| {
            if titled {
                title(file, std::mem::take(&mut first))?;
            }
            t.show(fd).map(|()| fd)
        });
        match shown {
            Ok(fd) if following.is_some() && !(file == b"-" && is_pipe(fd)) => followed.push(Followed::new(file, fd)),
            Ok(0) => {}
            // It was only read.
            Ok(fd) => _ = io::close(fd),
            Err(e) => {
                complain(file, e);
                status = 1;
                if following.as_ref().is_some_and(|f| f.retry) {
                    followed.push(Followed::new(file, -1));
                }
            }
        }
    }
    if let Some(how) = following.filter(|_| !followed.is_empty()) {
        follow::follow(&how, followed, titled)?;
    }
    Ok(status)
}

fn one(f: Failure) -> Failure {
    Failure { status: f.status.min(1), ..f }
}

fn complain(file: &[u8], what: impl std::fmt::Display) {
    eprintln!("tail: {}: {what}", String::from_utf8_lossy(file));
}

fn title(file: &[u8], first: bool) -> SysResult<()> {
    let name = if file == b"-" { b"standard input" } else { file };
    io::write_all(1, &[if first { &b""[..] } else { b"\n" }, b"==> ", name, b" <==\n"].concat())
}

/// A pipe as standard input ends when it ends (POSIX `tail`, -f).
fn is_pipe(fd: i32) -> bool {
    fs::fstat(fd).is_ok_and(|s| s.mode & mode::IFMT == mode::IFIFO)
}

/// `-5`, `+5`, `-5c`, `-5f` of old, before at most one file, as options of today.
fn spelled_out(args: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let Some((first, rest)) = args.split_first() else { return Vec::new() };
    let [sign @ (b'-' | b'+'), old @ ..] = first.as_slice() else { return args.to_vec() };
    let digits = old.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, letters) = old.split_at(digits);
    let known = matches!(letters, b"" | b"c" | b"l" | b"f" | b"cf" | b"lf");
    if digits == 0 || !known || (*sign == b'+' && rest.len() > 1) {
        return args.to_vec();
    }
    let unit = if letters.starts_with(b"c") { b"-c" } else { b"-n" };
    let mut out = vec![unit.to_vec(), [&[*sign], number].concat()];
    if letters.ends_with(b"f") {
        out.push(b"-f".to_vec());
    }
    out.extend_from_slice(rest);
    out
}

/// A number with its sign, and perhaps a unit.
fn place(text: &[u8]) -> Option<From> {
    let (plus, digits) = match text {
        [b'+', rest @ ..] => (true, rest),
        [b'-', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (digits, unit) = match digits {
        [n @ .., b'b'] => (n, 512),
        [n @ .., b'k' | b'K'] => (n, 1 << 10),
        [n @ .., b'M'] => (n, 1 << 20),
        n => (n, 1),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let n = std::str::from_utf8(digits).ok()?.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(unit);
    // The first line is number 1.
    Some(if plus { From::Start(n.saturating_sub(1)) } else { From::End(n) })
}

impl Tail {
    fn show(&self, fd: i32) -> SysResult<()> {
        if self.reverse {
            let all = self.last(fd)?;
            return all.split_inclusive(|&b| b == self.end).rev().try_for_each(|line| io::write_all(1, line));
        }
        match self.from {
            From::Start(n) => self.behind(fd, n),
            From::End(n) => match self.sought(fd, n)? {
                Some(at) => io::lseek(fd, at as i64, 0).and_then(|_| copy_out(fd)),
                None => io::write_all(1, &self.last(fd)?),
            },
        }
    }

    /// Passes over so many lines or bytes.
    fn behind(&self, fd: i32, mut left: u64) -> SysResult<()> {
        let mut buf = Vec::new();
        while left > 0 {
            buf.clear();
            if read_more(fd, &mut buf)? == 0 {
                return Ok(());
            }
            let mut at = 0;
            if self.bytes {
                at = buf.len().min(left.try_into().unwrap_or(usize::MAX));
                left -= at as u64;
            } else {
                while left > 0 && at < buf.len() {
                    let end = buf[at..].iter().position(|&b| b == self.end);
                    at = end.map_or(buf.len(), |n| at + n + 1);
                    left -= end.is_some() as u64;
                }
            }
            io::write_all(1, &buf[at..])?;
        }
        copy_out(fd)
    }

    /// Where the last `n` begin, in a file in which one can look there. Files that say they are empty may not be.
    fn sought(&self, fd: i32, n: u64) -> SysResult<Option<u64>> {
        let stat = fs::fstat(fd)?;
        let start = io::lseek(fd, 0, 1).unwrap_or(0) as u64;
        if stat.mode & mode::IFMT != mode::IFREG || stat.size <= start {
            return Ok(None);
        }
        if self.bytes || n == 0 {
            return Ok(Some(stat.size.saturating_sub(n).max(start)));
        }
        const BLOCK: u64 = 64 << 10;
        let (mut at, mut left) = (stat.size, n);
        let mut block = vec![0; BLOCK as usize];
        while at > start {
            let from = at.saturating_sub(BLOCK).max(start);
            io::lseek(fd, from as i64, 0)?;
            let room = (at - from) as usize;
            let got = fill(fd, &mut block[..room])?;
            for i in (0..got).rev().filter(|&i| block[i] == self.end) {
                // The end of the last line is no line before another.
                if from + i as u64 + 1 == stat.size {
                    continue;
                }
                left = left.saturating_sub(1);
                if left == 0 {
                    return Ok(Some(from + i as u64 + 1));
                }
            }
            at = from;
        }
        Ok(Some(start))
    }

    /// The last of what can only be read once; everything if there are no more.
    fn last(&self, fd: i32) -> SysResult<Vec<u8>> {
        const SPARE: usize = 1 << 20;
        let n = match self.from {
            From::End(n) => n,
            From::Start(n) => {
                let all = io::read_to_end(fd)?;
                return Ok(all[self.first_from(&all, n)..].to_vec());
            }
        };
        let (mut buf, mut limit) = (Vec::new(), SPARE);
        while read_more(fd, &mut buf)? != 0 {
            if buf.len() > limit {
                buf.drain(..self.last_from(&buf, n));
                limit = buf.len() * 2 + SPARE;
            }
        }
        buf.drain(..self.last_from(&buf, n));
        Ok(buf)
    }

    fn first_from(&self, text: &[u8], n: u64) -> usize {
        let n = n.try_into().unwrap_or(usize::MAX);
        if self.bytes || n == 0 {
            return n.min(text.len());
        }
        let mut ends = text.iter().enumerate().filter(|(_, b)| **b == self.end);
        ends.nth(n - 1).map_or(text.len(), |(i, _)| i + 1)
    }

    fn last_from(&self, text: &[u8], n: u64) -> usize {
        let n = n.try_into().unwrap_or(usize::MAX);
        if self.bytes {
            return text.len().saturating_sub(n);
        }
        if n == 0 {
            return text.len();
        }
        let body = text.len() - text.ends_with(&[self.end]) as usize;
        let mut ends = text[..body].iter().enumerate().rev().filter(|(_, b)| **b == self.end);
        ends.nth(n - 1).map_or(0, |(i, _)| i + 1)
    }
}

fn fill(fd: i32, buf: &mut [u8]) -> SysResult<usize> {
    let mut have = 0;
    while have < buf.len() {
        match io::read(fd, &mut buf[have..]) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(have)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_say_where_to_begin() {
        assert_eq!(
            (place(b"5"), place(b"-5"), place(b"+5")),
            (Some(From::End(5)), Some(From::End(5)), Some(From::Start(4)))
        );
        assert_eq!(
            (place(b"+0"), place(b"2b"), place(b"1k")),
            (Some(From::Start(0)), Some(From::End(1024)), Some(From::End(1024)))
        );
        assert_eq!((place(b""), place(b"x"), place(b"--5"), place(b"k")), (None, None, None, None));
    }

    #[test]
    fn options_of_old_are_understood() {
        let words = |s: &str| -> Vec<Vec<u8>> { s.split(' ').map(|w| w.as_bytes().to_vec()).collect() };
        for (old, new) in [
            ("-5 f", "-n -5 f"),
            ("+5 f", "-n +5 f"),
            ("-3cf f", "-c -3 -f f"),
            ("-n 5 f", "-n 5 f"),
            ("+5 f g", "+5 f g"),
            ("-5x f", "-5x f"),
        ] {
            assert_eq!(spelled_out(&words(old)), words(new));
        }
    }

    #[test]
    fn the_last_lines_are_found() {
        let t = |bytes| Tail { from: From::End(0), bytes, reverse: false, end: b'\n' };
        let text = b"a\nbb\nccc";
        assert_eq!((0..5).map(|n| t(false).last_from(text, n)).collect::<Vec<_>>(), [8, 5, 2, 0, 0]);
        assert_eq!(
            (t(false).last_from(b"a\nb\n", 1), t(true).last_from(text, 3), t(true).last_from(text, 99)),
            (2, 5, 0)
        );
        assert_eq!((0..5).map(|n| t(false).first_from(text, n)).collect::<Vec<_>>(), [0, 2, 5, 8, 8]);
    }
}
