//! A script as commands.

use super::replace::{Part, parts};
use posix_regex::{Regex, Syntax};
use std::rc::Rc;
use vkernel_sys::{io, o};

/// A pattern; none is the one that was used last.
pub type Pattern = Option<Rc<Regex>>;

pub enum Address {
    Line(u64),
    /// `FIRST~STEP`.
    Step(u64, u64),
    Last,
    Match(Pattern),
}

/// Where a range ends.
pub enum Until {
    Address(Address),
    /// `+N`.
    More(u64),
    /// `~N`: the next line that N divides.
    Multiple(u64),
}

pub enum Lines {
    All,
    One(Address),
    Range(Address, Until),
}

pub struct Command {
    pub lines: Lines,
    pub not: bool,
    pub what: What,
}

pub enum What {
    /// `{`: where its `}` is.
    Begin(usize),
    End,
    Append(Vec<u8>),
    Insert(Vec<u8>),
    Change(Vec<u8>),
    /// `b`, `t`, `T`: where to; none is the end.
    Branch(u8, Option<usize>),
    Read(Vec<u8>),
    Write(Sink, bool),
    Substitute(Box<Substitution>),
    Translate(Vec<(Vec<u8>, Vec<u8>)>),
    /// `q`, `Q` with a status.
    Quit(u8, i32),
    /// `l` with a width.
    Show(Option<usize>),
    /// A letter that says it all.
    Plain(u8),
}

pub struct Substitution {
    pub pattern: Pattern,
    pub parts: Vec<Part>,
    pub global: bool,
    pub nth: usize,
    pub print: bool,
    pub write: Option<Sink>,
}

/// Where `w` writes.
#[derive(Clone, Copy)]
pub enum Sink {
    Output,
    Fd(i32),
}

pub struct Parser<'a> {
    script: &'a [u8],
    pub at: usize,
    extended: bool,
    commands: Vec<Command>,
    labels: Vec<(Vec<u8>, usize)>,
    branches: Vec<(usize, Vec<u8>)>,
    open: Vec<usize>,
    sinks: Vec<(Vec<u8>, i32)>,
}

type Parse<T> = Result<T, String>;

impl<'a> Parser<'a> {
    pub fn new(script: &'a [u8], extended: bool) -> Parser<'a> {
        let (labels, branches, open, sinks) = Default::default();
        Parser { script, at: 0, extended, commands: Vec::new(), labels, branches, open, sinks }
    }

    fn peek(&self) -> Option<u8> {
        self.script.get(self.at).copied()
    }
    fn next(&mut self) -> Option<u8> {
        let c = self.peek();
        self.at += c.is_some() as usize;
        c
    }
    fn skip(&mut self, set: &[u8]) {
        while self.peek().is_some_and(|c| set.contains(&c)) {
            self.at += 1;
        }
    }
    fn number(&mut self) -> Option<u64> {
        let from = self.at;
        self.skip(b"0123456789");
        std::str::from_utf8(&self.script[from..self.at]).ok()?.parse().ok()
    }

    pub fn all(&mut self) -> Parse<Vec<Command>> {
        loop {
            self.skip(b" \t\n;");
            if self.peek().is_none() {
                break;
            }
            self.command()?;
        }
        if !self.open.is_empty() {
            return Err("unmatched `{'".into());
        }
        for (i, label) in std::mem::take(&mut self.branches) {
            let to = self.labels.iter().find(|l| l.0 == label);
            let to = to.ok_or_else(|| format!("can't find label for jump to `{}'", String::from_utf8_lossy(&label)))?.1;
            if let What::Branch(_, target) = &mut self.commands[i].what {
                *target = Some(to);
            }
        }
        Ok(std::mem::take(&mut self.commands))
    }

    fn command(&mut self) -> Parse<()> {
        let lines = self.lines()?;
        self.skip(b" \t");
        let mut not = false;
        while self.peek() == Some(b'!') {
            not = true;
            self.at += 1;
            self.skip(b" \t");
        }
        let Some(c) = self.next() else { return Err("missing command".into()) };
        if matches!(c, b'}' | b':' | b'#') && !matches!(lines, Lines::All) {
            return Err(if c == b'}' {
                "} doesn't want any addresses".into()
            } else {
                format!("{} doesn't want any addresses", c as char)
            });
        }
        let here = self.commands.len();
        let what = match c {
            b'#' => {
                self.rest_of_line();
                return Ok(());
            }
            b':' => {
                self.skip(b" \t");
                let label = self.label();
                if label.is_empty() {
                    return Err("\":\" lacks a label".into());
                }
                self.labels.push((label, here));
                return Ok(());
            }
            b'{' => {
                self.open.push(here);
                What::Begin(0)
            }
            b'}' => {
                let begin = self.open.pop().ok_or("unexpected `}'")?;
                self.commands[begin].what = What::Begin(here);
                What::End
            }
            b'a' | b'i' | b'c' => {
                let text = self.text()?;
                match c {
                    b'a' => What::Append(text),
                    b'i' => What::Insert(text),
                    _ => What::Change(text),
                }
            }
            b'b' | b't' | b'T' => {
                self.skip(b" \t");
                let label = self.label();
                if !label.is_empty() {
                    self.branches.push((here, label));
                }
                What::Branch(c, None)
            }
            b'r' => What::Read(self.file()?),
            b'w' | b'W' => {
                let name = self.file()?;
                What::Write(self.sink(name)?, c == b'W')
            }
            b's' => What::Substitute(Box::new(self.substitution()?)),
            b'y' => What::Translate(self.translation()?),
            b'q' | b'Q' => {
                self.skip(b" \t");
                What::Quit(c, self.number().unwrap_or(0) as i32)
            }
            b'l' => {
                self.skip(b" \t");
                What::Show(self.number().map(|n| n as usize))
            }
            b'=' | b'd' | b'D' | b'g' | b'G' | b'h' | b'H' | b'n' | b'N' | b'p' | b'P' | b'x' | b'z' => What::Plain(c),
            c => return Err(format!("unknown command: `{}'", c as char)),
        };
        let ends_itself = matches!(
            what,
            What::Begin(_) | What::Append(_) | What::Insert(_) | What::Change(_) | What::Read(_) | What::Write(..)
        );
        self.commands.push(Command { lines, not, what });
        if !ends_itself {
            self.ended()?;
        }
        Ok(())
    }

    /// Behind a command: nothing, or what separates it from the next.
    fn ended(&mut self) -> Parse<()> {
        self.skip(b" \t");
        match self.peek() {
            None | Some(b'\n' | b';' | b'}' | b'#') => Ok(()),
            _ => Err("extra characters after command".into()),
        }
    }

    fn rest_of_line(&mut self) -> &'a [u8] {
        let rest = &self.script[self.at..];
        let n = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        self.at += n;
        &rest[..n]
    }

    fn label(&mut self) -> Vec<u8> {
        let rest = &self.script[self.at..];
        let n = rest.iter().position(|b| b"\n;".contains(b)).unwrap_or(rest.len());
        // A brace ends it where one is open, as people write `{...;b}`.
        let n = rest[..n].iter().position(|b| *b == b'}' && !self.open.is_empty()).unwrap_or(n);
        self.at += n;
        rest[..n].trim_ascii_end().to_vec()
    }

    fn file(&mut self) -> Parse<Vec<u8>> {
        self.skip(b" \t");
        let name = self.rest_of_line().to_vec();
        if name.is_empty() { Err("missing filename in r/R/w/W commands".into()) } else { Ok(name) }
    }

    fn sink(&mut self, name: Vec<u8>) -> Parse<Sink> {
        match name.as_slice() {
            b"/dev/stdout" => return Ok(Sink::Output),
            b"/dev/stderr" => return Ok(Sink::Fd(2)),
            _ => {}
        }
        if let Some((_, fd)) = self.sinks.iter().find(|s| s.0 == name) {
            return Ok(Sink::Fd(*fd));
        }
        let fd = io::open(&name, o::WRONLY | o::CREAT | o::TRUNC | o::CLOEXEC, 0o666)
            .map_err(|e| format!("couldn't open file {}: {e}", String::from_utf8_lossy(&name)))?;
        self.sinks.push((name, fd));
        Ok(Sink::Fd(fd))
    }

    /// The text of `a`, `i` and `c`, with a line end behind it.
    fn text(&mut self) -> Parse<Vec<u8>> {
        self.skip(b" \t");
        if self.peek() == Some(b'\\') {
            self.at += 1;
            let from = self.at;
            self.skip(b" \t");
            if self.peek() == Some(b'\n') {
                self.at += 1;
            } else {
                // `a\text`: GNU's, where blanks before the text are kept.
                self.at = from;
            }
        }
        if self.peek().is_none() {
            return Err("expected \\ after `a', `c' or `i'".into());
        }
        let mut text = Vec::new();
        loop {
            match self.next() {
                None | Some(b'\n') => break,
                Some(b'\\') => text.extend(self.next()),
                Some(c) => text.push(c),
            }
        }
        text.push(b'\n');
        Ok(text)
    }

    fn lines(&mut self) -> Parse<Lines> {
        let zero = self.script[self.at..].starts_with(b"0,/") || self.script[self.at..].starts_with(b"0,\\");
        let Some(first) = self.address()? else { return Ok(Lines::All) };
        if matches!(first, Address::Line(0)) && !zero {
            return Err("invalid usage of line address 0".into());
        }
        self.skip(b" \t");
        if self.peek() != Some(b',') {
            return Ok(Lines::One(first));
        }
        self.at += 1;
        self.skip(b" \t");
        let until = match self.peek() {
            Some(c @ (b'+' | b'~')) => {
                self.at += 1;
                let n = self.number().ok_or("unexpected `,'")?;
                if c == b'+' { Until::More(n) } else { Until::Multiple(n) }
            }
            _ => Until::Address(self.address()?.ok_or("unexpected `,'")?),
        };
        Ok(Lines::Range(first, until))
    }

    fn address(&mut self) -> Parse<Option<Address>> {
        let delimiter = match self.peek() {
            Some(b'0'..=b'9') => {
                let n = self.number().ok_or("number too large")?;
                if self.peek() == Some(b'~') {
                    self.at += 1;
                    return Ok(Some(Address::Step(n, self.number().unwrap_or(0))));
                }
                return Ok(Some(Address::Line(n)));
            }
            Some(b'$') => {
                self.at += 1;
                return Ok(Some(Address::Last));
            }
            Some(b'/') => b'/',
            Some(b'\\') => {
                self.at += 1;
                self.peek().ok_or("unexpected end")?
            }
            _ => return Ok(None),
        };
        self.at += 1;
        let text = self.until(delimiter, true).ok_or("unterminated address regex")?;
        let (mut ignore_case, mut lines) = (false, false);
        while let Some(c @ (b'I' | b'M')) = self.peek() {
            self.at += 1;
            ignore_case |= c == b'I';
            lines |= c == b'M';
        }
        self.pattern(&text, ignore_case, lines).map(|p| Some(Address::Match(p)))
    }

    fn pattern(&self, text: &[u8], ignore_case: bool, lines: bool) -> Parse<Pattern> {
        if text.is_empty() {
            return Ok(None);
        }
        let syntax = Syntax { extended: self.extended, ignore_case, lines, ..Syntax::default() };
        Ok(Some(Rc::new(Regex::new(text, syntax)?)))
    }

    /// Up to a delimiter, which is passed. In a pattern it is nothing special between brackets, and `\n` and
    /// the like mean what they say.
    fn until(&mut self, delimiter: u8, pattern: bool) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut bracket: Option<usize> = None;
        loop {
            let c = self.next()?;
            let inside = bracket.is_some();
            match c {
                b'\\' => {
                    let e = self.next()?;
                    match e {
                        b'n' if pattern => out.push(b'\n'),
                        b't' if pattern => out.push(b'\t'),
                        e if e == delimiter && !inside => out.push(e),
                        b'\n' if pattern => out.push(b'\n'),
                        b']' if inside => {
                            out.push(b'\\');
                            self.at -= 1;
                        }
                        e => out.extend([b'\\', e]),
                    }
                }
                c if c == delimiter && !inside => return Some(out),
                b'\n' if pattern && !inside => return None,
                b'[' if pattern && !inside => {
                    out.push(c);
                    if self.peek() == Some(b'^') {
                        out.extend(self.next());
                    }
                    bracket = Some(out.len());
                }
                b'[' if inside && self.peek().is_some_and(|n| b":.=".contains(&n)) => {
                    let kind = self.next()?;
                    out.extend([b'[', kind]);
                    loop {
                        let n = self.next()?;
                        out.push(n);
                        if n == b']' && out[..out.len() - 1].ends_with(&[kind]) {
                            break;
                        }
                    }
                }
                b']' if bracket.is_some_and(|b| out.len() > b) => {
                    out.push(c);
                    bracket = None;
                }
                c => out.push(c),
            }
        }
    }

    fn substitution(&mut self) -> Parse<Substitution> {
        let open = "unterminated `s' command";
        let delimiter = self.next().filter(|c| !b"\n\\".contains(c)).ok_or(open)?;
        let text = self.until(delimiter, true).ok_or(open)?;
        let replacement = self.until(delimiter, false).ok_or(open)?;
        let (mut global, mut nth, mut print, mut write) = (false, 0, false, None);
        let (mut ignore_case, mut lines) = (false, false);
        loop {
            match self.peek() {
                Some(b'g') => global = true,
                Some(b'p') => print = true,
                Some(b'i' | b'I') => ignore_case = true,
                Some(b'm' | b'M') => lines = true,
                Some(b'0'..=b'9') => {
                    nth = self.number().filter(|n| *n > 0).ok_or("number option to `s' command may not be zero")?
                        as usize;
                    continue;
                }
                Some(b'w') => {
                    self.at += 1;
                    let name = self.file()?;
                    write = Some(self.sink(name)?);
                    break;
                }
                None | Some(b'\n' | b';' | b'}' | b'#' | b' ' | b'\t') => break,
                Some(_) => return Err("unknown option to `s'".into()),
            }
            self.at += 1;
        }
        let pattern = self.pattern(&text, ignore_case, lines)?;
        let parts = parts(&replacement);
        let most = parts.iter().filter_map(|p| if let Part::Group(n) = p { Some(*n) } else { None }).max().unwrap_or(0);
        if pattern.as_ref().is_some_and(|p| most > p.groups()) {
            return Err(format!("invalid reference \\{most} on `s' command's RHS"));
        }
        Ok(Substitution { pattern, parts, global, nth: nth.max(1), print, write })
    }

    fn translation(&mut self) -> Parse<Vec<(Vec<u8>, Vec<u8>)>> {
        let open = "unterminated `y' command";
        let delimiter = self.next().ok_or(open)?;
        let mut sides = Vec::new();
        for _ in 0..2 {
            let text = self.until(delimiter, false).ok_or(open)?;
            sides.push(characters(&text));
        }
        let (to, from) = (sides.pop().unwrap_or_default(), sides.pop().unwrap_or_default());
        if from.len() != to.len() {
            return Err("strings for `y' command are different lengths".into());
        }
        Ok(from.into_iter().zip(to).collect())
    }
}

/// A text's characters, with what a backslash stands for.
fn characters(text: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut i = 0;
    while i < text.len() {
        let n = super::exec::char_len(&text[i..]);
        if text[i] == b'\\' && i + 1 < text.len() {
            match text[i + 1] {
                b'n' => out.push(vec![b'\n']),
                b't' => out.push(vec![b'\t']),
                b'\\' => out.push(vec![b'\\']),
                c => out.extend([vec![b'\\'], vec![c]]),
            }
            i += 2;
            continue;
        }
        out.push(text[i..i + n].to_vec());
        i += n;
    }
    out
}
