//! `grep`, `egrep`, `fgrep` (POSIX grep, and what people expect of GNU's).

use crate::options::{Failure, Options, number};
use crate::show::{flush_now, put};
use kit::input::Reader;
use posix_regex::{Regex, Syntax};
use std::collections::VecDeque;
use vkernel_sys::{Errno, SysResult, fs, io, mode, tty};

const USAGE: &str = "\
grep [-EFGHLabchilnoqrRsvwxz] [-A N] [-B N] [-C N] [-m N] [--color[=WHEN]] [--include=GLOB] [--exclude=GLOB]
       [--exclude-dir=GLOB] [--line-buffered] PATTERN | -e PATTERN | -f FILE [FILE...]";

// Words without a letter.
const INCLUDE: u8 = 1;
const EXCLUDE: u8 = 2;
const EXCLUDE_DIR: u8 = 3;
const COLOR: u8 = 4;
const LINE_BUFFERED: u8 = 5;
const LABEL: u8 = 6;

const WORDS: &[(&str, u8)] = &[
    ("extended-regexp", b'E'),
    ("fixed-strings", b'F'),
    ("basic-regexp", b'G'),
    ("regexp", b'e'),
    ("file", b'f'),
    ("ignore-case", b'i'),
    ("invert-match", b'v'),
    ("word-regexp", b'w'),
    ("line-regexp", b'x'),
    ("count", b'c'),
    ("files-without-match", b'L'),
    ("files-with-matches", b'l'),
    ("max-count", b'm'),
    ("only-matching", b'o'),
    ("quiet", b'q'),
    ("silent", b'q'),
    ("no-messages", b's'),
    ("byte-offset", b'b'),
    ("with-filename", b'H'),
    ("no-filename", b'h'),
    ("line-number", b'n'),
    ("after-context", b'A'),
    ("before-context", b'B'),
    ("context", b'C'),
    ("text", b'a'),
    ("recursive", b'r'),
    ("dereference-recursive", b'R'),
    ("null-data", b'z'),
    ("include", INCLUDE),
    ("exclude", EXCLUDE),
    ("exclude-dir", EXCLUDE_DIR),
    ("color", COLOR),
    ("colour", COLOR),
    ("line-buffered", LINE_BUFFERED),
    ("label", LABEL),
];

pub fn grep(args: &[Vec<u8>]) -> Result<i32, Failure> {
    run(args, b'G')
}
pub fn egrep(args: &[Vec<u8>]) -> Result<i32, Failure> {
    run(args, b'E')
}
pub fn fgrep(args: &[Vec<u8>]) -> Result<i32, Failure> {
    run(args, b'F')
}

struct Grep {
    o: Options,
    patterns: Vec<Regex>,
    /// Of --include and the like, with their letters.
    globs: Vec<(u8, Regex)>,
    end: u8,
    before: usize,
    after: usize,
    most: u64,
    names: bool,
    color: bool,
    /// Whether anything was selected so far.
    found: bool,
    failed: bool,
    /// A group of lines with context was written, and the next one is set apart.
    groups: bool,
}

fn run(args: &[Vec<u8>], language: u8) -> Result<i32, Failure> {
    let args = numbers_as_context(args);
    let spec = "EFGHLabchilnoqrRsvwxyze:f:m:A:B:C:\x01:\x02:\x03:\x04?\x05\x06:";
    let o = Options::parse_long(&args, spec, WORDS, USAGE, false).map_err(two)?;
    let mut operands = o.operands.clone();
    let patterns = patterns(&o, &mut operands, language)?;
    let recursive = o.has(b'r') || o.has(b'R');
    if operands.is_empty() {
        operands.push(if recursive { b".".to_vec() } else { b"-".to_vec() });
    }
    let count = |letter: u8| o.value(letter).map(number).transpose().map_err(two);
    let context: Option<usize> = count(b'C')?.map(|n: u64| n as usize);
    let names = match o.last_of(b"hH") {
        Some(letter) => letter == b'H',
        None => operands.len() > 1 || (recursive && o.operands.first().is_none_or(|_| is_dir(&operands))),
    };
    let color = match o.value(COLOR) {
        Some(b"always") => true,
        Some(b"never") => false,
        Some(_) => tty::isatty(1),
        None => o.has(COLOR) && tty::isatty(1),
    };
    let globs = o.all_values().filter(|v| [INCLUDE, EXCLUDE, EXCLUDE_DIR].contains(&v.0));
    let globs = globs.map(|(letter, text)| Ok((letter, posix_regex::glob(text, false)?)));
    let globs = globs.collect::<Result<_, String>>().map_err(Failure::usage)?;
    let mut g = Grep {
        patterns,
        globs,
        end: if o.has(b'z') { 0 } else { b'\n' },
        before: count(b'B')?.map(|n: u64| n as usize).or(context).unwrap_or(0),
        after: count(b'A')?.map(|n: u64| n as usize).or(context).unwrap_or(0),
        most: count(b'm')?.unwrap_or(u64::MAX),
        names,
        color,
        found: false,
        failed: false,
        groups: false,
        o,
    };
    let bare = recursive && operands == [b"."] && g.o.operands.len() <= 1;
    for path in &operands {
        let done = if recursive && path != b"-" { g.tree(path, bare, true) } else { g.file(path) };
        if let Err(e) = done {
            g.complain(path, e);
        }
        if g.o.has(b'q') && g.found {
            return Ok(0);
        }
    }
    Ok(if g.failed { 2 } else { !g.found as i32 })
}

/// Status 1 means that nothing was found; what is wrong is 2.
fn two(f: Failure) -> Failure {
    Failure { status: if f.status == 0 { 0 } else { 2 }, ..f }
}

fn is_dir(paths: &[Vec<u8>]) -> bool {
    paths.iter().any(|p| fs::stat(p).is_ok_and(|s| s.mode & mode::IFMT == mode::IFDIR))
}

/// `-5` is `-C 5`.
fn numbers_as_context(args: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let number = |a: &Vec<u8>| a.len() > 1 && a[0] == b'-' && a[1..].iter().all(u8::is_ascii_digit);
    let mut plain = false;
    let each = args.iter().map(|a| {
        plain |= a == b"--";
        if number(a) && !plain { [b"-C", &a[1..]].concat() } else { a.clone() }
    });
    each.collect()
}

fn patterns(o: &Options, operands: &mut Vec<Vec<u8>>, language: u8) -> Result<Vec<Regex>, Failure> {
    let mut texts: Vec<Vec<u8>> = Vec::new();
    let mut add = |text: &[u8]| texts.extend(text.split(|b| *b == b'\n').map(|t| t.to_vec()));
    let mut given = false;
    for (letter, value) in o.all_values() {
        match letter {
            b'e' => add(value),
            b'f' => {
                let text = if value == b"-" { io::read_to_end(0) } else { io::read_file(value) };
                let text = text.map_err(|e| two(Failure::with(value, e)))?;
                if !text.is_empty() {
                    add(text.strip_suffix(b"\n").unwrap_or(&text));
                }
            }
            _ => continue,
        }
        given = true;
    }
    if !given {
        if operands.is_empty() {
            return Err(Failure::usage(format!("usage: {USAGE}")));
        }
        add(&operands.remove(0));
    }
    let language = o.last_of(b"EFG").unwrap_or(language);
    let syntax = Syntax {
        extended: language == b'E',
        ignore_case: o.has(b'i') || o.has(b'y'),
        word: o.has(b'w') && !o.has(b'x'),
        whole: o.has(b'x'),
        ..Syntax::default()
    };
    let texts: Vec<&[u8]> = texts.iter().map(|t| t.as_slice()).collect();
    let made = if language == b'F' && !texts.is_empty() {
        Regex::fixed(&texts, syntax).map(|r| vec![r])
    } else {
        Regex::any(&texts, syntax)
    };
    made.map_err(Failure::usage)
}

/// What the files' lines are counted and kept by.
#[derive(Default)]
struct Progress {
    number: u64,
    offset: u64,
    selected: u64,
    /// Lines before, that may become context, with number and offset.
    before: VecDeque<(u64, u64, Vec<u8>)>,
    /// Lines of context that are still to come.
    after: usize,
    last_shown: u64,
}

impl Grep {
    fn complain(&mut self, path: &[u8], e: Errno) {
        self.failed = true;
        if !self.o.has(b's') {
            flush_now();
            eprintln!("grep: {}: {e}", String::from_utf8_lossy(path));
        }
    }

    fn wanted(&self, letter: u8, name: &[u8]) -> bool {
        self.globs.iter().any(|g| g.0 == letter && g.1.is_match(name))
    }

    /// A directory and what is below it.
    fn tree(&mut self, path: &[u8], bare: bool, named: bool) -> SysResult<()> {
        let follow = named || self.o.has(b'R');
        let status = if follow { fs::stat(path)? } else { fs::lstat(path)? };
        let base = path.rsplit(|b| *b == b'/').next().unwrap_or(path);
        match status.mode & mode::IFMT {
            mode::IFDIR => {
                if !named && self.wanted(EXCLUDE_DIR, base) {
                    return Ok(());
                }
                for entry in fs::read_dir(path)? {
                    let below = match (bare, path.ends_with(b"/")) {
                        (true, _) => entry.name.clone(),
                        (_, true) => [path, &entry.name].concat(),
                        _ => [path, b"/", &entry.name].concat(),
                    };
                    if let Err(e) = self.tree(&below, false, false) {
                        self.complain(&below, e);
                    }
                }
                Ok(())
            }
            mode::IFREG => {
                let only = self.globs.iter().any(|g| g.0 == INCLUDE);
                if (only && !self.wanted(INCLUDE, base)) || self.wanted(EXCLUDE, base) {
                    return Ok(());
                }
                self.file(path)
            }
            _ if named => self.file(path),
            _ => Ok(()),
        }
    }

    fn file(&mut self, path: &[u8]) -> SysResult<()> {
        let mut input = Reader::open(path)?;
        let label = self.o.value(LABEL).unwrap_or(b"(standard input)").to_vec();
        let name = if path == b"-" { label.as_slice() } else { path };
        let binary = !self.o.has(b'a') && self.end != 0 && input.peek()?.contains(&0);
        let listing = ["l", "L", "q", "c"].iter().any(|l| self.o.has(l.as_bytes()[0]));
        let mut p = Progress::default();
        let mut line = Vec::new();
        while p.selected < self.most && input.line(self.end, &mut line)? {
            p.number += 1;
            let text = line.strip_suffix(&[self.end]).unwrap_or(&line);
            if self.selects(text) {
                p.selected += 1;
                if self.o.has(b'l') || self.o.has(b'L') || self.o.has(b'q') {
                    break;
                }
                if binary && !listing {
                    put(&[b"Binary file ", name, b" matches\n"].concat());
                    break;
                }
                if !listing {
                    self.show(name, &mut p, text);
                }
            } else if !listing && !binary {
                self.context(name, &mut p, text);
            }
            p.offset += line.len() as u64;
        }
        if p.after > 0 && !listing {
            // Behind the last that was allowed: its context.
            while p.after > 0 && input.line(self.end, &mut line)? {
                p.number += 1;
                let text = line.strip_suffix(&[self.end]).unwrap_or(&line);
                self.context(name, &mut p, text);
                p.offset += line.len() as u64;
            }
        }
        self.found |= if self.o.has(b'L') { p.selected == 0 } else { p.selected > 0 };
        self.summary(name, p.selected);
        Ok(())
    }

    fn summary(&self, name: &[u8], selected: u64) {
        if self.o.has(b'q') {
            return;
        }
        let (with, without) = (self.o.has(b'l'), self.o.has(b'L'));
        if (with && selected > 0) || (without && selected == 0) {
            put(&[name, b"\n"].concat());
        } else if self.o.has(b'c') && !with && !without {
            if self.names {
                put(&[name, b":"].concat());
            }
            put(format!("{selected}\n").as_bytes());
        }
    }

    fn selects(&self, text: &[u8]) -> bool {
        self.patterns.iter().any(|p| p.is_match(text)) != self.o.has(b'v')
    }

    /// The first match at `at` or behind it, of whichever pattern, the longest of those.
    fn find(&self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        let all = self.patterns.iter().filter_map(|p| p.find_at(text, at));
        all.min_by_key(|m| (m.0, usize::MAX - m.1))
    }

    /// A selected line.
    fn show(&mut self, name: &[u8], p: &mut Progress, text: &[u8]) {
        if self.o.has(b'o') {
            if !self.o.has(b'v') {
                self.only_matches(name, p, text);
            }
            p.last_shown = p.number;
            return;
        }
        let first = p.before.front().map_or(p.number, |l| l.0);
        if self.before + self.after > 0 && self.groups && (p.last_shown == 0 || first > p.last_shown + 1) {
            put(b"--\n");
        }
        for (number, offset, line) in std::mem::take(&mut p.before) {
            self.prefix(name, number, offset, b"-");
            put(&[&line, [self.end].as_slice()].concat());
        }
        self.prefix(name, p.number, p.offset, b":");
        if self.color && !self.o.has(b'v') {
            self.colored(text);
        } else {
            put(text);
        }
        self.line_end();
        self.groups = true;
        p.last_shown = p.number;
        p.after = self.after;
    }

    fn line_end(&self) {
        put(&[self.end]);
        if self.o.has(LINE_BUFFERED) {
            flush_now();
        }
    }

    /// A line that is not selected.
    fn context(&mut self, name: &[u8], p: &mut Progress, text: &[u8]) {
        if self.o.has(b'o') {
            return;
        }
        if p.after > 0 {
            p.after -= 1;
            self.prefix(name, p.number, p.offset, b"-");
            put(text);
            self.line_end();
            p.last_shown = p.number;
        } else if self.before > 0 {
            if p.before.len() == self.before {
                p.before.pop_front();
            }
            p.before.push_back((p.number, p.offset, text.to_vec()));
        }
    }

    fn only_matches(&self, name: &[u8], p: &Progress, text: &[u8]) {
        let mut at = 0;
        while let Some((from, to)) = self.find(text, at) {
            if to > from {
                self.prefix(name, p.number, p.offset + from as u64, b":");
                self.paint(b"01;31", &text[from..to]);
                self.line_end();
            }
            at = if to > from { to } else { to + 1 };
            if at > text.len() {
                break;
            }
        }
    }

    fn colored(&self, text: &[u8]) {
        let (mut at, mut shown) = (0, 0);
        while let Some((from, to)) = self.find(text, at) {
            put(&text[shown..from]);
            if to > from {
                self.paint(b"01;31", &text[from..to]);
            }
            shown = to;
            at = if to > from { to } else { to + 1 };
            if at > text.len() {
                break;
            }
        }
        put(&text[shown..]);
    }

    fn paint(&self, color: &[u8], text: &[u8]) {
        if self.color {
            put(&[b"\x1b[", color, b"m\x1b[K", text, b"\x1b[m\x1b[K"].concat());
        } else {
            put(text);
        }
    }

    fn prefix(&self, name: &[u8], number: u64, offset: u64, mark: &[u8]) {
        let part = |color: &[u8], text: &[u8]| {
            self.paint(color, text);
            self.paint(b"36", mark);
        };
        if self.names {
            part(b"35", name);
        }
        if self.o.has(b'n') {
            part(b"32", number.to_string().as_bytes());
        }
        if self.o.has(b'b') {
            part(b"32", offset.to_string().as_bytes());
        }
    }
}
