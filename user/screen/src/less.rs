//! `less` and `more`: a text, a screen at a time.

mod source;

use crate::term::{Key, Screen};
use kit::options::{Failure, Options};
use kit::show::put;
use posix_regex::{Regex, Syntax};
use source::{Source, rows_of};
use vkernel_sys::{io, o, tty};

const USAGE: &str = "less [-eFiNRSX] [+G | +LINE | +/PATTERN] [FILE...]";
const FLAGS: &str = "eEFiINRrSX";
const HELP: &[&str] = &[
    "q               leave",
    "space f PgDn    a screen on           b PgUp   a screen back",
    "Enter j Down    a line on             k Up     a line back",
    "d               half a screen on      u        half a screen back",
    "g Home          the first line        G End    the last line (N G: line N)",
    "N%              so far into the text     ^Z       stop, for fg",
    "/PATTERN        search on             ?PATTERN search back",
    "n               the next match        N        the one before",
    "F               follow a file that grows; ^C ends it",
    "-S -N           cut long lines, number lines",
    ":n :p           the next file, the one before",
    "",
    "Any key goes on.",
];

struct Pager {
    screen: Screen,
    files: Vec<Vec<u8>>,
    file: usize,
    source: Source,
    o: Look,
    /// The first row on the screen: its line, and which of that line's rows it is.
    top: (usize, usize),
    pattern: Option<Regex>,
    backwards: bool,
    message: String,
    count: String,
    /// `more` leaves at the end.
    leave_at_end: bool,
}

/// How lines are shown.
#[derive(Clone, Copy)]
pub struct Look {
    pub chop: bool,
    pub numbers: bool,
    pub raw: bool,
    pub ignore_case: bool,
}

pub fn less(args: &[Vec<u8>]) -> Result<i32, Failure> {
    page(args, false)
}
pub fn more(args: &[Vec<u8>]) -> Result<i32, Failure> {
    page(args, true)
}

/// The options of `$LESS` or `$MORE`, with or without a `-`. Letters that only other programs of the name know are
/// passed over.
fn environment(more: bool) -> Option<Vec<u8>> {
    let letters = std::env::var(if more { "MORE" } else { "LESS" }).ok()?;
    let known = letters.bytes().filter(|&b| FLAGS.bytes().any(|f| f == b));
    let options: Vec<u8> = std::iter::once(b'-').chain(known).collect();
    (options.len() > 1).then_some(options)
}

fn page(args: &[Vec<u8>], more: bool) -> Result<i32, Failure> {
    let (first, args): (Vec<&Vec<u8>>, Vec<&Vec<u8>>) = args.iter().partition(|a| a.starts_with(b"+") && a.len() > 1);
    let args: Vec<Vec<u8>> = environment(more).into_iter().chain(args.into_iter().cloned()).collect();
    let o = Options::parse(&args, &format!("{FLAGS}n:"), USAGE, false)?;
    let files = if o.operands.is_empty() { vec![b"-".to_vec()] } else { o.operands.clone() };
    if o.operands.is_empty() && tty::isatty(0) {
        return Err(Failure::usage(format!("wants a file, or something in a pipe\nusage: {USAGE}")));
    }
    if !tty::isatty(1) {
        return plain(&files);
    }
    let look = Look {
        chop: o.has(b'S'),
        numbers: o.has(b'N'),
        raw: o.has(b'R') || o.has(b'r'),
        ignore_case: o.has(b'i') || o.has(b'I'),
    };
    let mut source = Source::open(&files[0])?;
    // Keys come from the terminal, whatever standard input is.
    let keys = if tty::isatty(0) {
        0
    } else {
        io::open(b"/dev/tty", o::RDWR | o::CLOEXEC, 0).map_err(|e| Failure::with(b"/dev/tty", e))?
    };
    let size = tty::winsize(1).unwrap_or_default();
    if o.has(b'F') && source.fits(size.rows.max(2) as usize - 1, size.cols.max(1) as usize, look) {
        source.lines.iter().for_each(|l| put(&[l.as_slice(), b"\n"].concat()));
        return Ok(0);
    }
    let mut p = Pager {
        screen: Screen::take(keys)?,
        files,
        file: 0,
        source,
        o: look,
        top: (0, 0),
        pattern: None,
        backwards: false,
        message: String::new(),
        count: String::new(),
        leave_at_end: more || o.has(b'e') || o.has(b'E'),
    };
    for command in first {
        p.first(&command[1..]);
    }
    p.run();
    Ok(0)
}

/// Without a terminal to show it on: all of it.
fn plain(files: &[Vec<u8>]) -> Result<i32, Failure> {
    let mut status = 0;
    for f in files {
        match if f == b"-" { io::read_to_end(0) } else { io::read_file(f) } {
            Ok(bytes) => put(&bytes),
            Err(e) => {
                eprintln!("less: {}: {e}", String::from_utf8_lossy(f));
                status = 1;
            }
        }
    }
    Ok(status)
}

impl Pager {
    fn rows(&self) -> usize {
        self.screen.rows.saturating_sub(1).max(1)
    }

    fn first(&mut self, command: &[u8]) {
        match command {
            b"G" => self.go_to_end(),
            b"F" => self.follow(),
            [b'/', pattern @ ..] => self.search(&String::from_utf8_lossy(pattern), false),
            n => {
                let n = std::str::from_utf8(n).ok().and_then(|n| n.parse::<usize>().ok());
                self.top = (n.unwrap_or(1).saturating_sub(1), 0);
            }
        }
    }

    fn run(&mut self) {
        loop {
            self.draw();
            let key = self.screen.key(-1);
            if !self.press(key) {
                return;
            }
        }
    }

    /// The rows of a line, as the screen is.
    fn line_rows(&mut self, line: usize) -> Option<Vec<String>> {
        self.source.need(line + 1);
        let text = self.source.lines.get(line)?;
        Some(rows_of(text, line, self.screen.columns, self.o, self.pattern.as_ref()))
    }

    fn draw(&mut self) {
        let mut at = self.top;
        for row in 0..self.rows() {
            match self.line_rows(at.0) {
                Some(rows) => {
                    let text = rows.get(at.1).cloned().unwrap_or_default();
                    self.screen.go(row, 0);
                    self.screen.text(&format!("{text}\x1b[0m\x1b[K"));
                    at = if at.1 + 1 < rows.len() { (at.0, at.1 + 1) } else { (at.0 + 1, 0) };
                }
                None => self.screen.row(row, "~"),
            }
        }
        let end = self.at_end();
        let name = String::from_utf8_lossy(&self.files[self.file]).into_owned();
        let status = match std::mem::take(&mut self.message) {
            m if !m.is_empty() => m,
            _ if end && self.file + 1 < self.files.len() => "(END) - :n for the next file".into(),
            _ if end => "(END)".into(),
            _ if !self.count.is_empty() => self.count.clone(),
            _ if self.top == (0, 0) && name != "-" => name,
            _ => ":".into(),
        };
        let last = self.screen.rows - 1;
        self.screen.row(last, "");
        self.screen.go(last, 0);
        let shown = crate::term::cut(&status, self.screen.columns.saturating_sub(1));
        let reverse = status != ":" && self.count.is_empty();
        self.screen.text(&if reverse { format!("\x1b[7m{shown}\x1b[0m") } else { shown });
    }

    /// Whether the last row of the text is on the screen.
    fn at_end(&mut self) -> bool {
        let mut at = self.top;
        for _ in 0..self.rows() {
            let Some(rows) = self.line_rows(at.0) else { return true };
            at = if at.1 + 1 < rows.len() { (at.0, at.1 + 1) } else { (at.0 + 1, 0) };
        }
        self.line_rows(at.0).is_none()
    }

    fn down(&mut self, n: usize) {
        for _ in 0..n {
            if self.at_end() {
                return;
            }
            let Some(rows) = self.line_rows(self.top.0) else { return };
            self.top = if self.top.1 + 1 < rows.len() { (self.top.0, self.top.1 + 1) } else { (self.top.0 + 1, 0) };
        }
    }

    fn up(&mut self, n: usize) {
        for _ in 0..n {
            if self.top.1 > 0 {
                self.top.1 -= 1;
            } else if self.top.0 > 0 {
                let rows = self.line_rows(self.top.0 - 1).map_or(1, |r| r.len());
                self.top = (self.top.0 - 1, rows - 1);
            }
        }
    }

    fn go_to_end(&mut self) {
        self.source.need(usize::MAX);
        self.top = (self.source.lines.len(), 0);
        let rows = self.rows();
        self.up(rows);
    }

    /// What a key says. False when it was the last.
    fn press(&mut self, key: Key) -> bool {
        if let Key::Char(d @ '0'..='9') = key {
            self.count.push(d);
            return true;
        }
        let count = std::mem::take(&mut self.count).parse::<usize>().ok();
        let page = self.rows();
        match key {
            Key::Char('q' | 'Q') | Key::Gone => return false,
            Key::Char(' ' | 'f') | Key::PageDown | Key::Ctrl(b'F' | b'V') => {
                if self.leave_at_end && self.at_end() {
                    return self.other_file(1);
                }
                self.down(count.unwrap_or(page));
            }
            Key::Char('\n' | 'j' | 'e') | Key::Down | Key::Ctrl(b'N' | b'E') => {
                if self.leave_at_end && self.at_end() {
                    return self.other_file(1);
                }
                self.down(count.unwrap_or(1));
            }
            Key::Char('b') | Key::PageUp | Key::Ctrl(b'B') | Key::Alt('v') => self.up(count.unwrap_or(page)),
            Key::Char('k' | 'y') | Key::Up | Key::Ctrl(b'P' | b'Y') => self.up(count.unwrap_or(1)),
            Key::Char('d') | Key::Ctrl(b'D') => self.down(count.unwrap_or(page / 2)),
            Key::Char('u') | Key::Ctrl(b'U') => self.up(count.unwrap_or(page / 2)),
            Key::Char('g' | '<') | Key::Home => self.top = (count.unwrap_or(1).saturating_sub(1), 0),
            Key::Char('G' | '>') | Key::End => match count {
                Some(n) => self.top = (n.saturating_sub(1), 0),
                None => self.go_to_end(),
            },
            Key::Char('%' | 'p') => {
                self.source.need(usize::MAX);
                let line = self.source.lines.len().saturating_mul(count.unwrap_or(0).min(100)) / 100;
                self.top = (line.min(self.source.lines.len().saturating_sub(1)), 0);
            }
            Key::Char(c @ ('/' | '?')) => {
                let Some(text) = self.screen.ask(&c.to_string(), "") else { return true };
                self.search(&text, c == '?');
            }
            Key::Char('n') => self.next_match(self.backwards),
            Key::Char('N') => self.next_match(!self.backwards),
            Key::Char('F') => self.follow(),
            Key::Char('-') => match self.screen.ask("-", "").as_deref() {
                Some("S") => self.o.chop = !self.o.chop,
                Some("N") => self.o.numbers = !self.o.numbers,
                Some("R") => self.o.raw = !self.o.raw,
                Some("i") => self.o.ignore_case = !self.o.ignore_case,
                _ => self.message = "no such option".into(),
            },
            Key::Char(':') => match self.screen.ask(":", "").as_deref() {
                Some(way @ ("n" | "p")) => {
                    self.other_file(if way == "n" { 1 } else { -1 });
                }
                Some("q" | "q!") => return false,
                _ => {}
            },
            Key::Char('=') | Key::Ctrl(b'G') => {
                self.source.need(usize::MAX);
                self.message = format!("line {} of {}", self.top.0 + 1, self.source.lines.len());
            }
            Key::Char('h' | 'H') => {
                self.screen.put(b"\x1b[2J");
                HELP.iter().enumerate().for_each(|(i, l)| self.screen.row(i + 1, l));
                self.screen.key(-1);
            }
            Key::Resize => self.top.1 = 0,
            _ => {}
        }
        if self.top.0 >= self.source.lines.len() {
            self.source.need(self.top.0 + 1);
            self.top = (self.top.0.min(self.source.lines.len().saturating_sub(1)), 0);
        }
        true
    }

    /// False when there is none.
    fn other_file(&mut self, by: isize) -> bool {
        let Some(next) = self.file.checked_add_signed(by).filter(|n| *n < self.files.len()) else {
            self.message = "no other file".into();
            return false;
        };
        match Source::open(&self.files[next]) {
            Ok(source) => (self.source, self.file, self.top) = (source, next, (0, 0)),
            Err(e) => self.message = e.message,
        }
        true
    }

    fn search(&mut self, text: &str, backwards: bool) {
        self.backwards = backwards;
        if !text.is_empty() {
            let syntax = Syntax { extended: true, ignore_case: self.o.ignore_case, ..Syntax::default() };
            match Regex::new(text.as_bytes(), syntax) {
                Ok(r) => self.pattern = Some(r),
                Err(e) => return self.message = e,
            }
        }
        self.next_match(backwards);
    }

    fn next_match(&mut self, backwards: bool) {
        let Some(pattern) = self.pattern.take() else { return self.message = "no pattern yet".into() };
        let mut line = self.top.0;
        let found = loop {
            match backwards {
                true if line == 0 => break None,
                true => line -= 1,
                false => line += 1,
            }
            self.source.need(line + 1);
            match self.source.lines.get(line) {
                None => break None,
                Some(l) if pattern.is_match(l) => break Some(line),
                _ => {}
            }
        };
        match found {
            Some(line) => self.top = (line, 0),
            None => self.message = "pattern not found".into(),
        }
        self.pattern = Some(pattern);
    }

    /// Waits for more, until a key.
    fn follow(&mut self) {
        loop {
            self.source.again();
            self.go_to_end();
            self.message = "waiting for more (any key ends it)".into();
            self.draw();
            if !matches!(self.screen.key(300), Key::Tick | Key::Resize) {
                return;
            }
        }
    }
}
