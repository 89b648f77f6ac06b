//! `ed`: the editor of lines (POSIX `ed`).

mod address;
mod buffer;
mod files;
mod substitute;

use address::{Range, Text};
use buffer::Buffer;
use kit::input::Reader;
use kit::options::{Failure, Options};
use kit::show::{flush_now, put};
use posix_regex::Regex;
use std::collections::VecDeque;
use std::rc::Rc;
use substitute::Substitution;
use vkernel_sys::proc::{Disposition, sigaction};
use vkernel_sys::{fs, mode, sig, tty};

const USAGE: &str = "ed [-s] [-p string] [file]";

/// Why a command did nothing: what `h` tells.
pub struct Fault(String);

impl Fault {
    pub fn new(what: &str) -> Fault {
        Fault(what.into())
    }
}

/// What a command line asks of the loop.
enum Next {
    Go,
    Quit,
}

pub struct Ed {
    buffer: Buffer,
    file: Vec<u8>,
    input: Reader,
    /// Lines of a `g` that are still to come.
    list: Option<VecDeque<Vec<u8>>>,
    pattern: Option<Regex>,
    last: Option<Substitution>,
    shell: Vec<u8>,
    prompt: Vec<u8>,
    prompting: bool,
    quiet: bool,
    /// `H`.
    explain: bool,
    fault: String,
    /// The last command was one that would have lost changes.
    warned: bool,
    /// The status to end with: 1 after a mistake, 2 after a warning.
    failed: i32,
}

pub fn ed(args: &[Vec<u8>]) -> Result<i32, Failure> {
    // `-` is the old name of -s.
    let args: Vec<Vec<u8>> = args.iter().map(|a| if a == b"-" { b"-s".to_vec() } else { a.clone() }).collect();
    let o = Options::parse_long(&args, "sp:", &[("prompt", b'p'), ("quiet", b's'), ("silent", b's')], USAGE, false)?;
    // Whoever presses ^C means what is being typed, or goes on.
    let _ = sigaction(sig::INT, Disposition::Catch);
    let _ = sigaction(sig::QUIT, Disposition::Ignore);
    let mut ed = Ed {
        buffer: Buffer::default(),
        file: Vec::new(),
        input: Reader::new(0),
        list: None,
        pattern: None,
        last: None,
        shell: Vec::new(),
        prompt: o.value(b'p').unwrap_or(b"*").to_vec(),
        prompting: o.value(b'p').is_some(),
        quiet: o.has(b's'),
        explain: false,
        fault: String::new(),
        warned: false,
        failed: 0,
    };
    if let Some(file) = o.operands.first() {
        if !file.starts_with(b"!") {
            ed.file = file.clone();
        }
        if let Err(fault) = ed.edit(file) {
            // There may be no such file yet.
            put(format!("{}\n", fault.0).as_bytes());
            ed.fault = fault.0;
        }
    }
    ed.run();
    Ok(ed.failed)
}

impl Ed {
    fn run(&mut self) {
        let script = fs::fstat(0).is_ok_and(|s| s.mode & mode::IFMT == mode::IFREG);
        let terminal = tty::isatty(0);
        loop {
            if self.prompting {
                put(&self.prompt.clone());
            }
            flush_now();
            let line = self.next_line();
            // The end is a `q`.
            let line = line.as_deref().unwrap_or(b"q");
            let before = self.warned;
            let result = self.command(line);
            if before {
                self.warned = false;
            }
            match result {
                Ok(Next::Go) => {}
                Ok(Next::Quit) => return,
                Err(fault) => {
                    self.list = None;
                    self.fault = fault.0;
                    let status = if self.fault.starts_with("Warning") { 2 } else { 1 };
                    self.failed = if terminal { 0 } else { self.failed.max(status) };
                    put(b"?\n");
                    if self.explain {
                        put(format!("{}\n", self.fault).as_bytes());
                    }
                    if script {
                        return;
                    }
                }
            }
        }
    }

    /// A line of the list, or of the input, without its end.
    fn next_line(&mut self) -> Option<Vec<u8>> {
        if let Some(list) = &mut self.list {
            return list.pop_front();
        }
        flush_now();
        let mut line = Vec::new();
        if !self.input.line(b'\n', &mut line).unwrap_or(false) {
            return None;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Some(line)
    }

    /// One command line.
    fn command(&mut self, line: &[u8]) -> Result<Next, Fault> {
        let mut text = Text(line);
        let range = self.range(&mut text)?;
        text.blanks();
        let command = text.next();
        let one = |n: usize| if n == 0 { Err(Fault::new("Invalid address")) } else { Ok(n) };
        let lines = |r: Range| if r.from == 0 { Err(Fault::new("Invalid address")) } else { Ok((r.from, r.to)) };
        match command {
            None => {
                let n = if range.count > 0 { range.to } else { self.buffer.dot() + 1 };
                if n > self.buffer.len() {
                    return Err(Fault::new("Invalid address"));
                }
                self.show(one(n)?, n, b'p');
            }
            Some(b'a' | b'i' | b'c') => self.enter(command, range, &mut text)?,
            Some(b'd') => {
                let (from, to) = lines(range)?;
                let suffix = self.suffix(&mut text)?;
                self.begin_change();
                self.buffer.delete(from, to);
                self.show_dot(suffix);
            }
            Some(b'j') => self.join(range, &mut text)?,
            Some(b'm' | b't') => self.shift(command == Some(b'm'), range, &mut text)?,
            Some(b's') => self.substitute(range, &mut text)?,
            Some(c @ (b'p' | b'n' | b'l')) => {
                let (from, to) = lines(range)?;
                let suffix = self.suffix(&mut text)?;
                self.show_as(from, to, &[&[c], &suffix[..]].concat());
            }
            Some(b'=') => {
                let n = if range.count > 0 { range.to } else { self.buffer.len() };
                let suffix = self.suffix(&mut text)?;
                put(format!("{n}\n").as_bytes());
                self.show_dot(suffix);
            }
            Some(b'k') => {
                let name = text.next().filter(u8::is_ascii_lowercase);
                let name = name.ok_or_else(|| Fault::new("Invalid mark character"))?;
                let suffix = self.suffix(&mut text)?;
                self.buffer.mark(name, one(range.to)?);
                self.show_dot(suffix);
            }
            Some(b'u') => {
                self.no_address(range)?;
                let suffix = self.suffix(&mut text)?;
                if !self.buffer.undo() {
                    return Err(Fault::new("Nothing to undo"));
                }
                self.show_dot(suffix);
            }
            Some(c @ (b'g' | b'v' | b'G' | b'V')) => return self.global(c, range, &mut text),
            Some(b'z') => {
                let size = text.number().unwrap_or(22);
                let suffix = self.suffix(&mut text)?;
                let from = one(if range.count > 0 { range.to } else { self.buffer.dot() + 1 })?;
                if from > self.buffer.len() {
                    return Err(Fault::new("Invalid address"));
                }
                self.show_as(from, (from + size.max(1) - 1).min(self.buffer.len()), &[b"p", &suffix[..]].concat());
            }
            Some(c) => return self.other(c, range, &mut text),
        }
        Ok(Next::Go)
    }

    /// What is about files, the shell, and `ed` itself.
    fn other(&mut self, command: u8, range: Range, text: &mut Text) -> Result<Next, Fault> {
        match command {
            b'q' | b'Q' => {
                self.no_address(range)?;
                self.end(text)?;
                if command == b'q' {
                    self.warn()?;
                }
                return Ok(Next::Quit);
            }
            b'e' | b'E' => {
                self.no_address(range)?;
                let name = self.name(text)?;
                if command == b'e' {
                    self.warn()?;
                }
                let name = name.unwrap_or_else(|| self.file.clone());
                self.buffer.clear();
                self.edit(&name)?;
                if !name.starts_with(b"!") {
                    self.file = name;
                }
            }
            b'f' => {
                self.no_address(range)?;
                if let Some(name) = self.name(text)? {
                    self.file = name;
                }
                put(&[&self.file[..], b"\n"].concat());
            }
            b'r' => {
                let behind = if range.count > 0 { range.to } else { self.buffer.len() };
                let name = self.name(text)?;
                self.read(behind, name)?;
            }
            b'w' | b'W' => {
                let quit = text.peek() == Some(b'q');
                if quit {
                    text.next();
                }
                let name = self.name(text)?;
                self.write(range, name, command == b'W')?;
                if quit {
                    return Ok(Next::Quit);
                }
            }
            b'h' | b'H' | b'P' => {
                self.no_address(range)?;
                self.end(text)?;
                match command {
                    b'P' => self.prompting = !self.prompting,
                    b'H' => self.explain = !self.explain,
                    _ => {}
                }
                if !self.fault.is_empty() && (command == b'h' || (command == b'H' && self.explain)) {
                    put(format!("{}\n", self.fault).as_bytes());
                }
            }
            b'!' => self.shell(range, text)?,
            b'#' => {}
            _ => return Err(Fault::new("Unknown command")),
        }
        Ok(Next::Go)
    }

    /// Says once that there is something to lose.
    fn warn(&mut self) -> Result<(), Fault> {
        if self.buffer.modified && !self.warned {
            self.warned = true;
            return Err(Fault::new("Warning: buffer modified"));
        }
        Ok(())
    }

    fn no_address(&self, range: Range) -> Result<(), Fault> {
        if range.count > 0 { Err(Fault::new("Unexpected address")) } else { Ok(()) }
    }

    fn end(&self, text: &mut Text) -> Result<(), Fault> {
        text.blanks();
        if text.0.is_empty() { Ok(()) } else { Err(Fault::new("Invalid command suffix")) }
    }

    /// `l`, `n`, `p` behind a command.
    fn suffix(&self, text: &mut Text) -> Result<Vec<u8>, Fault> {
        let mut all = Vec::new();
        while let Some(c @ (b'p' | b'n' | b'l')) = text.peek() {
            all.push(c);
            text.next();
        }
        self.end(text)?;
        Ok(all)
    }

    /// A change of its own, or a part of what `g` does.
    fn begin_change(&mut self) {
        if self.list.is_none() {
            self.buffer.begin_change();
        }
    }

    /// Lines up to a lone point.
    fn entered(&mut self) -> Vec<Rc<[u8]>> {
        let mut lines: Vec<Rc<[u8]>> = Vec::new();
        while let Some(line) = self.next_line() {
            if line == b"." {
                break;
            }
            lines.push(line.into());
        }
        lines
    }

    fn enter(&mut self, command: Option<u8>, range: Range, text: &mut Text) -> Result<(), Fault> {
        let suffix = self.suffix(text)?;
        if command == Some(b'c') && range.from == 0 && range.to > 0 {
            return Err(Fault::new("Invalid address"));
        }
        self.begin_change();
        let lines = self.entered();
        let behind = match command {
            Some(b'a') => range.to,
            Some(b'i') => range.to.saturating_sub(1),
            _ if range.from > 0 => {
                self.buffer.delete(range.from, range.to);
                if lines.is_empty() {
                    self.show_dot(suffix);
                    return Ok(());
                }
                range.from - 1
            }
            _ => 0,
        };
        if lines.is_empty() {
            self.buffer.set_dot(range.to);
        }
        self.buffer.insert(behind, lines);
        self.show_dot(suffix);
        Ok(())
    }

    fn join(&mut self, range: Range, text: &mut Text) -> Result<(), Fault> {
        let (from, to) = match range.count {
            0 => (range.from, range.from + 1),
            _ => (range.from, range.to),
        };
        if from == 0 || to > self.buffer.len() {
            return Err(Fault::new("Invalid address"));
        }
        let suffix = self.suffix(text)?;
        if from < to {
            self.begin_change();
            let whole = self.buffer.lines(from, to).concat();
            self.buffer.delete(from + 1, to);
            self.buffer.replace(from, whole);
        }
        self.buffer.set_dot(from);
        self.show_dot(suffix);
        Ok(())
    }

    fn shift(&mut self, away: bool, range: Range, text: &mut Text) -> Result<(), Fault> {
        let wrong = || Fault::new("Invalid destination");
        if range.from == 0 {
            return Err(Fault::new("Invalid address"));
        }
        let dot = self.buffer.dot();
        let target = self.range(text)?;
        self.buffer.set_dot(dot);
        let suffix = self.suffix(text)?;
        if away && (range.from..range.to).contains(&target.to) {
            return Err(wrong());
        }
        self.begin_change();
        match away {
            true if target.to == range.to => self.buffer.set_dot(range.to),
            true => self.buffer.shift(range.from, range.to, target.to),
            false => {
                let lines = self.buffer.lines(range.from, range.to);
                self.buffer.insert(target.to, lines);
            }
        }
        self.show_dot(suffix);
        Ok(())
    }

    /// `g`, `v` with their commands; `G`, `V` ask for each line.
    fn global(&mut self, command: u8, range: Range, text: &mut Text) -> Result<Next, Fault> {
        if self.list.is_some() {
            return Err(Fault::new("Cannot nest global commands"));
        }
        let delimiter = text.next().filter(|c| !matches!(c, b' ' | b'\\'));
        let delimiter = delimiter.ok_or_else(|| Fault::new("Invalid pattern delimiter"))?;
        let (pattern, _) = text.pattern(delimiter);
        self.set_pattern(&pattern)?;
        let (from, to) = if range.count > 0 { (range.from, range.to) } else { (1, self.buffer.len()) };
        let want = command.eq_ignore_ascii_case(&b'g');
        let fits = |n: &usize| self.matches(*n) == want;
        let ids: Vec<u64> = (from.max(1)..=to).filter(fits).map(|n| self.buffer.line(n).id).collect();
        let commands = if command.is_ascii_lowercase() { self.commands(text.0) } else { Vec::new() };
        if ids.is_empty() {
            return Ok(Next::Go);
        }
        self.buffer.begin_change();
        let mut last: Vec<Vec<u8>> = Vec::new();
        for id in ids {
            // What an earlier command has taken away is left out.
            let Some(n) = self.buffer.find(id) else { continue };
            self.buffer.set_dot(n);
            let mut list = commands.clone();
            if command.is_ascii_uppercase() {
                self.show(n, n, b'p');
                let Some(first) = self.next_line() else { return Ok(Next::Go) };
                list = match &first[..] {
                    b"" => continue,
                    b"&" => last.clone(),
                    _ => self.commands(&first),
                };
                last = list.clone();
            }
            self.list = Some(list.into());
            let done = self.list_done();
            self.list = None;
            done?;
        }
        Ok(Next::Go)
    }

    /// Runs the list for one line.
    fn list_done(&mut self) -> Result<(), Fault> {
        while let Some(line) = self.list.as_mut().and_then(VecDeque::pop_front) {
            self.command(&line)?;
        }
        Ok(())
    }

    /// A command list: lines go on behind a backslash. Without one the line is shown.
    fn commands(&mut self, first: &[u8]) -> Vec<Vec<u8>> {
        let mut list = Vec::new();
        let mut line = first.to_vec();
        while line.ends_with(b"\\") {
            line.pop();
            list.push(std::mem::take(&mut line));
            line = self.next_line().unwrap_or_default();
        }
        list.push(line);
        if list == [b""] { vec![b"p".to_vec()] } else { list }
    }

    fn show_dot(&mut self, suffix: Vec<u8>) {
        let dot = self.buffer.dot();
        if !suffix.is_empty() && dot > 0 {
            self.show_as(dot, dot, &suffix);
        }
    }

    fn show_as(&mut self, from: usize, to: usize, suffixes: &[u8]) {
        let kind = match (suffixes.contains(&b'n'), suffixes.contains(&b'l')) {
            (true, true) => b'N',
            (true, false) => b'n',
            (false, true) => b'l',
            _ => b'p',
        };
        self.show(from, to, kind);
    }

    /// As `p`, `n`, `l`, or `N` for both of the latter.
    fn show(&mut self, from: usize, to: usize, kind: u8) {
        for n in from..=to {
            let text = self.buffer.text(n);
            if matches!(kind, b'n' | b'N') {
                put(format!("{n}\t").as_bytes());
            }
            match kind {
                b'l' | b'N' => put(&listed(&text)),
                _ => put(&[&text[..], b"\n"].concat()),
            }
        }
        self.buffer.set_dot(to);
    }
}

/// So that all can be seen (POSIX `ed`, l): escapes, `$` at the end, folded.
fn listed(text: &[u8]) -> Vec<u8> {
    const WIDTH: usize = 71;
    let mut out = Vec::new();
    let mut column = 0;
    for &b in text {
        let piece: Vec<u8> = match b {
            b'\\' => b"\\\\".to_vec(),
            b'$' => b"\\$".to_vec(),
            7 => b"\\a".to_vec(),
            8 => b"\\b".to_vec(),
            12 => b"\\f".to_vec(),
            b'\r' => b"\\r".to_vec(),
            b'\t' => b"\\t".to_vec(),
            11 => b"\\v".to_vec(),
            32..=126 => vec![b],
            _ => format!("\\{b:03o}").into_bytes(),
        };
        if column + piece.len() > WIDTH {
            out.extend(b"\\\n");
            column = 0;
        }
        column += piece.len();
        out.extend(piece);
    }
    out.extend(b"$\n");
    out
}
