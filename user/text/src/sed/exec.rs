//! Running a script over the lines of files.

use super::input::{Input, Output};
use super::parse::{Address, Command, Lines, Pattern, Sink, Substitution, Until, What};
use super::replace::fill;
use crate::options::Failure;
use posix_regex::Regex;
use std::rc::Rc;
use vkernel_sys::io;

pub struct Settings {
    pub quiet: bool,
    /// Each file has lines of its own numbers.
    pub separate: bool,
    /// Files are changed in place, and kept with this at their names.
    pub suffix: Option<Vec<u8>>,
    pub end: u8,
    pub unbuffered: bool,
}

struct Sed {
    commands: Rc<[Command]>,
    quiet: bool,
    end: u8,
    input: Input,
    out: Output,
    /// For each command: where in its range it is.
    ranges: Vec<Range>,
    pattern: Vec<u8>,
    hold: Vec<u8>,
    /// The line in hand had its end.
    ended: bool,
    substituted: bool,
    /// What comes out behind the line: a text, or a file's contents.
    append: Vec<(bool, Vec<u8>)>,
    last_regex: Option<Rc<Regex>>,
}

#[derive(Clone, Copy)]
enum Range {
    Outside,
    /// Up to this line.
    To(u64),
    /// Up to an address.
    Inside,
}

/// How a cycle ends.
enum End {
    /// With the line printed, unless -n was given.
    Print,
    Silent,
    /// `D`: another begins with what is left.
    Again,
    Quit(i32, bool),
}

type Run<T> = Result<T, Failure>;

pub fn run(commands: Vec<Command>, files: Vec<Vec<u8>>, s: Settings) -> Run<i32> {
    // `0,/x/` is in its range before the first line.
    let begin = |c: &Command| match c.lines {
        Lines::Range(Address::Line(0), _) => Range::Inside,
        _ => Range::Outside,
    };
    let ranges = commands.iter().map(begin).collect();
    let mut sed = Sed {
        commands: commands.into(),
        quiet: s.quiet,
        end: s.end,
        out: Output::new(s.end, s.unbuffered),
        input: Input::new(files, s.end, s.separate, s.suffix),
        ranges,
        pattern: Vec::new(),
        hold: Vec::new(),
        ended: true,
        substituted: false,
        append: Vec::new(),
        last_regex: None,
    };
    let status = sed.cycles()?;
    Ok(if status == 0 && sed.input.failed { 2 } else { status })
}

impl Sed {
    fn cycles(&mut self) -> Run<i32> {
        let mut again = false;
        while again || self.read()? {
            let end = self.script()?;
            if !self.quiet && matches!(end, End::Print | End::Quit(_, true)) {
                self.print_all();
            }
            self.flush_append();
            if let End::Quit(status, _) = end {
                self.input.abandon(&mut self.out)?;
                return Ok(status);
            }
            again = matches!(end, End::Again);
        }
        Ok(0)
    }

    fn read(&mut self) -> Run<bool> {
        match self.input.next(&mut self.out)? {
            Some((line, ended)) => {
                (self.pattern, self.ended) = (line, ended);
                self.substituted = false;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn print_all(&mut self) {
        self.out.line(&self.pattern, self.ended);
    }

    fn flush_append(&mut self) {
        for (file, text) in std::mem::take(&mut self.append) {
            if !file {
                self.out.raw(&text);
            } else if let Ok(contents) = io::read_file(&text) {
                // One that can't be read is nothing (POSIX sed, r).
                self.out.raw(&contents);
            }
        }
    }

    fn script(&mut self) -> Run<End> {
        let commands = self.commands.clone();
        let mut at = 0;
        while let Some(c) = commands.get(at) {
            at += 1;
            if self.selected(at - 1, c)? == c.not {
                if let What::Begin(end) = c.what {
                    at = end;
                }
                continue;
            }
            match &c.what {
                What::Begin(_) | What::End => {}
                What::Append(text) => self.append.push((false, text.clone())),
                What::Read(file) => self.append.push((true, file.clone())),
                What::Insert(text) => self.out.raw(text),
                What::Change(text) => {
                    let goes_on = matches!(self.ranges[at - 1], Range::Inside)
                        || matches!(self.ranges[at - 1], Range::To(n) if n > self.input.number);
                    if c.not || !matches!(c.lines, Lines::Range(..)) || !goes_on {
                        self.out.raw(text);
                    }
                    return Ok(End::Silent);
                }
                What::Branch(how, to) => {
                    let go = match how {
                        b't' => std::mem::take(&mut self.substituted),
                        b'T' => !std::mem::take(&mut self.substituted),
                        _ => true,
                    };
                    if go {
                        at = to.unwrap_or(commands.len());
                    }
                }
                What::Write(sink, first) => {
                    let text = if *first { self.first_line().to_vec() } else { self.pattern.clone() };
                    self.write(*sink, &text)?;
                }
                What::Substitute(s) => self.substitute(s)?,
                What::Translate(table) => self.translate(table),
                What::Quit(c, status) => return Ok(End::Quit(*status, *c == b'q')),
                What::Show(width) => self.show(width.unwrap_or(70)),
                What::Plain(c) => {
                    if let Some(end) = self.plain(*c)? {
                        return Ok(end);
                    }
                }
            }
        }
        Ok(End::Print)
    }

    fn first_line(&self) -> &[u8] {
        self.pattern.split(|b| *b == b'\n').next().unwrap_or_default()
    }

    /// A command that is only its letter. Answers how the cycle ends, if it does.
    fn plain(&mut self, c: u8) -> Run<Option<End>> {
        match c {
            b'=' => {
                let line = format!("{}\n", self.input.number);
                self.out.raw(line.as_bytes());
            }
            b'd' => return Ok(Some(End::Silent)),
            b'D' => match self.pattern.iter().position(|b| *b == b'\n') {
                None => return Ok(Some(End::Silent)),
                Some(n) => {
                    self.pattern.drain(..=n);
                    return Ok(Some(End::Again));
                }
            },
            b'g' => self.pattern.clone_from(&self.hold),
            b'G' => {
                self.pattern.push(b'\n');
                self.pattern.extend_from_slice(&self.hold);
            }
            b'h' => self.hold.clone_from(&self.pattern),
            b'H' => {
                self.hold.push(b'\n');
                self.hold.extend_from_slice(&self.pattern);
            }
            b'n' => {
                if self.input.is_last() {
                    // Without a next line it is the end, and what is in hand is printed (GNU's; POSIX leaves it open).
                    return Ok(Some(End::Quit(0, true)));
                }
                if !self.quiet {
                    self.print_all();
                }
                self.flush_append();
                let substituted = self.substituted;
                self.read()?;
                self.substituted = substituted;
            }
            b'N' => {
                if self.input.is_last() {
                    return Ok(Some(End::Quit(0, true)));
                }
                self.flush_append();
                let before = std::mem::take(&mut self.pattern);
                let substituted = self.substituted;
                self.read()?;
                self.substituted = substituted;
                self.pattern = [before.as_slice(), &[self.end], &self.pattern].concat();
            }
            b'p' => self.print_all(),
            b'P' => {
                let line = self.first_line().to_vec();
                self.out.line(&line, true);
            }
            b'x' => std::mem::swap(&mut self.pattern, &mut self.hold),
            _ => self.pattern.clear(),
        }
        Ok(None)
    }

    fn regex(&mut self, pattern: &Pattern) -> Run<Rc<Regex>> {
        if let Some(p) = pattern {
            self.last_regex = Some(p.clone());
        }
        self.last_regex.clone().ok_or_else(|| Failure::new("no previous regular expression"))
    }

    fn selected(&mut self, i: usize, c: &Command) -> Run<bool> {
        let (first, until) = match &c.lines {
            Lines::All => return Ok(true),
            Lines::One(address) => return self.at(address),
            Lines::Range(first, until) => (first, until),
        };
        let number = self.input.number;
        match self.ranges[i] {
            Range::To(n) => {
                if number >= n {
                    self.ranges[i] = Range::Outside;
                }
                // A branch may have led past the end.
                if number <= n {
                    return Ok(true);
                }
            }
            Range::Inside => {
                let Until::Address(end) = until else { return Ok(true) };
                if self.at(end)? {
                    self.ranges[i] = Range::Outside;
                }
                return Ok(true);
            }
            Range::Outside => {}
        }
        if !self.at(first)? {
            return Ok(false);
        }
        let to = match until {
            Until::Address(Address::Line(n)) => *n,
            Until::Address(_) => {
                self.ranges[i] = Range::Inside;
                return Ok(true);
            }
            Until::More(n) => number + n,
            Until::Multiple(0) => number,
            Until::Multiple(n) => (number / n + 1) * n,
        };
        if to > number {
            self.ranges[i] = Range::To(to);
        }
        Ok(true)
    }

    fn at(&mut self, address: &Address) -> Run<bool> {
        let number = self.input.number;
        Ok(match address {
            Address::Line(n) => number == *n,
            Address::Step(first, 0) => number == *first,
            Address::Step(first, step) => number >= *first && (number - first).is_multiple_of(*step),
            Address::Last => self.input.is_last(),
            Address::Match(pattern) => self.regex(pattern)?.is_match(&self.pattern),
        })
    }

    fn substitute(&mut self, s: &Substitution) -> Run<()> {
        let regex = self.regex(&s.pattern)?;
        let text = &self.pattern;
        let (mut out, mut copied, mut at, mut count) = (Vec::new(), 0, 0, 0);
        let mut last_end = None;
        while at <= text.len() {
            let Some(groups) = regex.captures_at(text, at) else { break };
            let Some((from, to)) = groups[0] else { break };
            // An empty match right behind another is none.
            if from == to && last_end == Some(from) {
                at = from + char_len(&text[from..]).max(1);
                continue;
            }
            count += 1;
            last_end = Some(to);
            if count >= s.nth {
                out.extend_from_slice(&text[copied..from]);
                fill(&s.parts, text, &groups, &mut out);
                copied = to;
                if !s.global {
                    break;
                }
            }
            at = if to > from { to } else { to + char_len(&text[to..]).max(1) };
        }
        if count < s.nth {
            return Ok(());
        }
        out.extend_from_slice(&text[copied..]);
        self.pattern = out;
        self.substituted = true;
        if s.print {
            self.print_all();
        }
        if let Some(sink) = s.write {
            let text = self.pattern.clone();
            self.write(sink, &text)?;
        }
        Ok(())
    }

    fn translate(&mut self, table: &[(Vec<u8>, Vec<u8>)]) {
        let mut out = Vec::with_capacity(self.pattern.len());
        let mut at = 0;
        while at < self.pattern.len() {
            let c = &self.pattern[at..at + char_len(&self.pattern[at..])];
            out.extend_from_slice(table.iter().find(|t| t.0 == c).map_or(c, |t| &t.1));
            at += c.len();
        }
        self.pattern = out;
    }

    fn write(&mut self, sink: Sink, text: &[u8]) -> Run<()> {
        match sink {
            Sink::Output => self.out.line(text, true),
            Sink::Fd(fd) => {
                io::write_all(fd, &[text, &[self.end]].concat()).map_err(|e| Failure::new(e.to_string()))?
            }
        }
        Ok(())
    }

    /// `l`: in a form that shows everything (POSIX sed).
    fn show(&mut self, width: usize) {
        let mut out = Vec::new();
        let mut column = 0;
        let mut at = 0;
        while at < self.pattern.len() {
            let n = char_len(&self.pattern[at..]);
            let c = &self.pattern[at..at + n];
            at += n;
            let shown = match c {
                b"\\" => b"\\\\".to_vec(),
                [7] => b"\\a".to_vec(),
                [8] => b"\\b".to_vec(),
                [12] => b"\\f".to_vec(),
                b"\n" => b"\\n".to_vec(),
                b"\r" => b"\\r".to_vec(),
                b"\t" => b"\\t".to_vec(),
                [11] => b"\\v".to_vec(),
                [b' '..=b'~'] => c.to_vec(),
                _ => c.iter().flat_map(|b| format!("\\{b:03o}").into_bytes()).collect(),
            };
            if width > 1 && column + shown.len() > width - 1 {
                out.extend_from_slice(b"\\\n");
                column = 0;
            }
            column += shown.len();
            out.extend(shown);
        }
        out.extend_from_slice(b"$\n");
        self.out.raw(&out);
    }
}

/// The length of the character that bytes begin with; of none, 1.
pub fn char_len(bytes: &[u8]) -> usize {
    let head = &bytes[..bytes.len().min(4)];
    let first = head.utf8_chunks().next().and_then(|c| c.valid().chars().next());
    first.map_or(bytes.len().min(1), char::len_utf8)
}
