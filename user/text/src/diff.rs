//! `diff` (POSIX diff). Which lines are the same is found by the crate similar (E. Myers, "An O(ND) Difference
//! Algorithm").

mod show;

use crate::options::{Failure, Options, number};
use crate::say;
use crate::show::put;
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::BTreeSet;
use vkernel_sys::{Errno, SysResult, fs, io, mode};

const USAGE: &str = "diff [-abiqrNsw] [-c | -e | -u | -C LINES | -U LINES] [--label TEXT] FILE1 FILE2";
const LABEL: u8 = 1;
/// The words may have a number, where -U and -C want one.
const UNIFIED: u8 = 2;
const CONTEXT: u8 = 3;
const WORDS: &[(&str, u8)] = &[
    ("text", b'a'),
    ("ignore-space-change", b'b'),
    ("ignore-case", b'i'),
    ("ignore-all-space", b'w'),
    ("brief", b'q'),
    ("recursive", b'r'),
    ("new-file", b'N'),
    ("report-identical-files", b's'),
    ("unified", UNIFIED),
    ("context", CONTEXT),
    ("ed", b'e'),
    ("label", LABEL),
];

/// A file's lines, each with its end, which the last may lack.
pub struct Lines {
    pub all: Vec<Vec<u8>>,
    pub name: Vec<u8>,
    pub label: Option<Vec<u8>>,
    pub mtime_ns: i64,
}

struct Diff {
    o: Options,
    style: show::Style,
    /// What is said above each pair in a directory.
    command: String,
}

pub fn diff(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse_long(args, "abiqrNswcueU:C:\x01:\x02?\x03?", WORDS, USAGE, false)?;
    let lines = |l: u8, w: u8| o.value(l).or(o.value(w)).map(number::<usize>).transpose();
    let style = match (lines(b'U', UNIFIED)?, lines(b'C', CONTEXT)?) {
        (Some(n), _) => show::Style::Unified(n),
        (_, Some(n)) => show::Style::Context(n),
        _ if o.has(b'u') || o.has(UNIFIED) => show::Style::Unified(3),
        _ if o.has(b'c') || o.has(CONTEXT) => show::Style::Context(3),
        _ if o.has(b'e') => show::Style::Ed,
        _ => show::Style::Normal,
    };
    let [a, b] = o.operands.as_slice() else { return Err(Failure::usage(format!("wants two files\nusage: {USAGE}"))) };
    let (mut a, mut b) = (a.clone(), b.clone());
    // A file and a directory: the file of its name there.
    match (is_dir(&a), is_dir(&b)) {
        (true, false) if b != b"-" => a = below(&a, base(&b)),
        (false, true) if a != b"-" => b = below(&b, base(&a)),
        _ => {}
    }
    let options: Vec<String> =
        args.iter().filter(|a| a.starts_with(b"-")).map(|a| String::from_utf8_lossy(a).into()).collect();
    let d = Diff { o, style, command: format!("diff {}", options.join(" ")).trim_end().to_string() };
    d.pair(&a, &b, true)
}

fn is_dir(path: &[u8]) -> bool {
    fs::stat(path).is_ok_and(|s| s.mode & mode::IFMT == mode::IFDIR)
}
/// What a file is, behind links, and whether it is one to read.
fn kind(path: &[u8]) -> Option<(bool, &'static str)> {
    let stat = fs::stat(path).ok()?;
    Some(match stat.mode & mode::IFMT {
        mode::IFDIR => (false, "directory"),
        mode::IFCHR => (false, "character special file"),
        mode::IFBLK => (false, "block special file"),
        mode::IFIFO => (false, "fifo"),
        mode::IFSOCK => (false, "socket"),
        _ if stat.size == 0 => (true, "regular empty file"),
        _ => (true, "regular file"),
    })
}
fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or(path)
}
fn below(dir: &[u8], name: &[u8]) -> Vec<u8> {
    [dir, if dir.ends_with(b"/") { b"" } else { b"/" }, name].concat()
}
fn text(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

impl Diff {
    fn pair(&self, a: &[u8], b: &[u8], named: bool) -> Result<i32, Failure> {
        if is_dir(a) && is_dir(b) {
            return self.directories(a, b);
        }
        // In a directory nothing is opened that would wait for somebody else, or never end.
        if !named
            && let (Some((left, x)), Some((right, y))) = (kind(a), kind(b))
            && !(left && right)
        {
            say!("File {} is a {x} while file {} is a {y}", text(a), text(b));
            return Ok(1);
        }
        let labels: Vec<Vec<u8>> = self.o.values(LABEL).map(<[u8]>::to_vec).collect();
        let read = |p: &[u8]| self.read(p).map_err(|e| Failure { status: 2, ..Failure::with(p, e) });
        let (mut x, mut y) = (read(a)?, read(b)?);
        (x.label, y.label) = (labels.first().cloned(), labels.get(1).cloned());
        if x.all == y.all {
            if self.o.has(b's') {
                say!("Files {} and {} are identical", text(a), text(b));
            }
            return Ok(0);
        }
        let binary = |l: &Lines| l.all.iter().take(100).any(|l| l.contains(&0));
        if !self.o.has(b'a') && (binary(&x) || binary(&y)) {
            say!("Binary files {} and {} differ", text(a), text(b));
            return Ok(1);
        }
        let ops = self.compare(&x, &y);
        if ops.iter().all(|op| matches!(op, DiffOp::Equal { .. })) {
            return Ok(0);
        }
        if self.o.has(b'q') {
            say!("Files {} and {} differ", text(a), text(b));
            return Ok(1);
        }
        if !named {
            say!("{} {} {}", self.command, text(a), text(b));
        }
        put(&show::show(&self.style, &x, &y, &ops));
        Ok(1)
    }

    fn read(&self, path: &[u8]) -> SysResult<Lines> {
        let bytes = match if path == b"-" { io::read_to_end(0) } else { io::read_file(path) } {
            Err(Errno::ENOENT) if self.o.has(b'N') => Vec::new(),
            other => other?,
        };
        let mtime_ns = if path == b"-" { fs::fstat(0) } else { fs::stat(path) }.map_or(0, |s| s.mtime_ns);
        let all = bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        Ok(Lines { all, name: path.to_vec(), label: None, mtime_ns })
    }

    /// What has to be done to the one to get the other, as the options want lines compared.
    fn compare(&self, a: &Lines, b: &Lines) -> Vec<DiffOp> {
        let (blanks, space, case) = (self.o.has(b'w'), self.o.has(b'b'), self.o.has(b'i'));
        if !blanks && !space && !case {
            return capture_diff_slices(Algorithm::Myers, &a.all, &b.all);
        }
        let plain = |line: &Vec<u8>| -> Vec<u8> {
            let mut line = if case { line.to_ascii_lowercase() } else { line.clone() };
            if blanks {
                line.retain(|b| !b.is_ascii_whitespace());
            } else if space {
                let words: Vec<&[u8]> = line.trim_ascii_end().split(u8::is_ascii_whitespace).collect();
                let lead = words.first().is_some_and(|w| w.is_empty());
                let words: Vec<&[u8]> = words.into_iter().filter(|w| !w.is_empty()).collect();
                line = [if lead { &b" "[..] } else { b"" }, &words.join(&b' ')].concat();
            }
            line
        };
        let (x, y): (Vec<_>, Vec<_>) = (a.all.iter().map(plain).collect(), b.all.iter().map(plain).collect());
        capture_diff_slices(Algorithm::Myers, &x, &y)
    }

    fn directories(&self, a: &[u8], b: &[u8]) -> Result<i32, Failure> {
        let names = |dir: &[u8]| -> Result<BTreeSet<Vec<u8>>, Failure> {
            let all = fs::read_dir(dir).map_err(|e| Failure { status: 2, ..Failure::with(dir, e) })?;
            Ok(all.into_iter().map(|e| e.name).collect())
        };
        let (left, right) = (names(a)?, names(b)?);
        let mut status = 0;
        for name in left.union(&right) {
            let (x, y) = (below(a, name), below(b, name));
            match (left.contains(name), right.contains(name)) {
                (true, true) if is_dir(&x) && is_dir(&y) && !self.o.has(b'r') => {
                    say!("Common subdirectories: {} and {}", text(&x), text(&y));
                }
                (true, true) => status = status.max(self.pair(&x, &y, false)?),
                (l, _) if self.o.has(b'N') && kind(if l { &x } else { &y }).is_some_and(|k| k.0) => {
                    status = status.max(self.pair(&x, &y, false)?);
                }
                (l, _) => {
                    say!("Only in {}: {}", text(if l { a } else { b }), text(name));
                    status = status.max(1);
                }
            }
        }
        Ok(status)
    }
}
