//! A text that is read as far as it is looked at, and its lines as rows of a screen.

use super::Look;
use crate::term::char_width;
use kit::input::Reader;
use kit::options::Failure;
use posix_regex::Regex;
use vkernel_sys::{Errno, fs, mode};

pub struct Source {
    reader: Reader,
    pub lines: Vec<Vec<u8>>,
    end: bool,
    /// The last line has no end yet.
    open: bool,
}

impl Source {
    pub fn open(path: &[u8]) -> Result<Source, Failure> {
        if path != b"-" && fs::stat(path).is_ok_and(|s| s.mode & mode::IFMT == mode::IFDIR) {
            return Err(Failure::with(path, Errno::EISDIR));
        }
        let reader = Reader::open(path).map_err(|e| Failure::with(path, e))?;
        Ok(Source { reader, lines: Vec::new(), end: false, open: false })
    }

    /// Reads until there are so many lines, or the end.
    pub fn need(&mut self, lines: usize) {
        let mut line = Vec::new();
        while self.lines.len() < lines && !self.end {
            // What can't be read is the end.
            if !self.reader.line(b'\n', &mut line).unwrap_or(false) {
                self.end = true;
                break;
            }
            let whole = line.ends_with(b"\n");
            if whole {
                line.pop();
            }
            match self.lines.last_mut() {
                Some(last) if self.open => last.append(&mut line),
                _ => self.lines.push(std::mem::take(&mut line)),
            }
            self.open = !whole;
        }
    }

    /// Looks whether the file has grown.
    pub fn again(&mut self) {
        self.reader.again();
        self.end = false;
        self.need(usize::MAX);
    }

    /// Whether all of it goes on a screen.
    pub fn fits(&mut self, rows: usize, columns: usize, look: Look) -> bool {
        self.need(rows + 1);
        let all: usize = self.lines.iter().map(|l| rows_of(l, 0, columns, look, None).len()).sum();
        all <= rows
    }
}

/// A line as rows: tabs as blanks, control characters as `^X`, matches and what else stands out in reverse.
pub fn rows_of(line: &[u8], number: usize, columns: usize, look: Look, pattern: Option<&Regex>) -> Vec<String> {
    let mut rows = Rows { all: Vec::new(), now: String::new(), x: 0, columns, style: String::new() };
    if look.numbers {
        format!("{:>7} ", number + 1).chars().for_each(|c| rows.put(c, 1));
    }
    let (mut at, mut marked) = (0, None);
    let next = |from: usize| pattern.and_then(|p| p.find_at(line, from)).filter(|m| m.1 > m.0);
    let mut mark = next(0);
    while at < line.len() {
        if mark.is_some_and(|m| m.0 == at) {
            rows.style("\x1b[7m");
            marked = mark;
        }
        at += rows.character(&line[at..], look.raw);
        if let Some(m) = marked.filter(|m| at >= m.1) {
            rows.style("\x1b[27m");
            marked = None;
            mark = next(m.1);
        }
    }
    let mut all = rows.end();
    if look.chop {
        all.truncate(1);
    }
    all
}

struct Rows {
    all: Vec<String>,
    now: String,
    x: usize,
    columns: usize,
    /// What was said about colours, which goes on in the next row.
    style: String,
}

impl Rows {
    fn style(&mut self, sequence: &str) {
        self.now.push_str(sequence);
        if sequence == "\x1b[m" || sequence == "\x1b[0m" || sequence == "\x1b[27m" {
            self.style.clear();
        } else {
            self.style.push_str(sequence);
        }
    }

    fn put(&mut self, c: char, width: usize) {
        if self.x + width > self.columns {
            self.all.push(std::mem::take(&mut self.now));
            self.x = 0;
            self.now.push_str(&self.style);
        }
        self.now.push(c);
        self.x += width;
    }

    /// One character, or a colour; answers how long it was.
    fn character(&mut self, rest: &[u8], raw: bool) -> usize {
        let head = &rest[..rest.len().min(4)];
        let Some(c) = head.utf8_chunks().next().and_then(|c| c.valid().chars().next()) else {
            format!("<{:02X}>", rest[0]).chars().for_each(|c| self.put(c, 1));
            return 1;
        };
        match c {
            '\t' => {
                for _ in 0..8 - self.x % 8 {
                    self.put(' ', 1);
                }
            }
            '\x1b' if raw && rest.get(1) == Some(&b'[') => {
                let n = rest.iter().skip(2).take_while(|b| b.is_ascii_digit() || b";:".contains(b)).count();
                if rest.get(n + 2) == Some(&b'm') {
                    let sequence = String::from_utf8_lossy(&rest[..n + 3]).into_owned();
                    self.style(&sequence);
                    return n + 3;
                }
                self.put('^', 1);
                self.put('[', 1);
            }
            '\r' if rest.len() == 1 => {}
            c if c.is_control() => {
                self.put('^', 1);
                self.put(char::from_u32(c as u32 ^ 0x40).filter(|c| !c.is_control()).unwrap_or('?'), 1);
            }
            // Written over itself it was meant to be bold; the second one says it.
            c => self.put(c, char_width(c)),
        }
        c.len_utf8()
    }

    fn end(mut self) -> Vec<String> {
        self.all.push(self.now);
        self.all
    }
}
