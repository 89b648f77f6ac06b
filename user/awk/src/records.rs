//! Input: records from files and from commands.

use crate::ast::{Slot, special};
use crate::interp::{Cell, Eval, Interp, Stop};
use crate::regex::compile;
use crate::value::Val;
use kit::process;
use posix_regex::Regex;
use std::collections::HashMap;
use std::rc::Rc;
use vkernel_sys::{Errno, SysResult, io, o};

/// A descriptor that is read by records.
pub struct Records {
    fd: i32,
    buf: Vec<u8>,
    at: usize,
    end: bool,
    /// What writes to it.
    pid: Option<i32>,
    /// The last RS that was an expression.
    regex: Option<(Rc<[u8]>, Regex)>,
}

impl Records {
    pub fn new(fd: i32, pid: Option<i32>) -> Records {
        Records { fd, buf: Vec::new(), at: 0, end: false, pid, regex: None }
    }

    fn fill(&mut self) -> SysResult<()> {
        self.buf.drain(..self.at);
        self.at = 0;
        self.end = kit::input::read_more(self.fd, &mut self.buf)? == 0;
        Ok(())
    }

    /// The next record as RS has it: a character, an expression, or nothing for paragraphs.
    pub fn next(&mut self, rs: &Rc<[u8]>) -> SysResult<Option<Vec<u8>>> {
        let mut seen = 0;
        loop {
            if rs.is_empty() && seen == 0 {
                // Empty lines before a paragraph are nothing.
                while self.buf.get(self.at) == Some(&b'\n') {
                    self.at += 1;
                }
            }
            if let Some((from, to)) = self.separator(rs, seen)? {
                let record = self.buf[self.at..self.at + from].to_vec();
                self.at += to;
                return Ok(Some(record));
            }
            if self.end {
                let rest = &self.buf[self.at..];
                // A newline at the end is no part of the last paragraph, nor of a record between other marks.
                let rest = if rs.is_empty() { rest.strip_suffix(b"\n").unwrap_or(rest) } else { rest };
                let record = rest.to_vec();
                let none = self.at == self.buf.len();
                self.at = self.buf.len();
                return Ok((!none).then_some(record));
            }
            seen = self.buf.len() - self.at;
            self.fill()?;
        }
    }

    /// Where the record at hand ends and the next one begins, if both are in the buffer.
    fn separator(&mut self, rs: &Rc<[u8]>, seen: usize) -> SysResult<Option<(usize, usize)>> {
        let rest = &self.buf[self.at..];
        match &rs[..] {
            [c] => Ok(rest[seen..].iter().position(|b| b == c).map(|n| (seen + n, seen + n + 1))),
            b"" => {
                let Some(n) = rest.windows(2).position(|w| w == b"\n\n") else { return Ok(None) };
                let more = rest[n..].iter().take_while(|b| **b == b'\n').count();
                // More of them may come.
                if n + more == rest.len() && !self.end {
                    return Ok(None);
                }
                Ok(Some((n, n + more)))
            }
            _ => {
                if self.regex.as_ref().is_none_or(|r| r.0 != *rs) {
                    let made = compile(rs).map_err(|_| Errno::EINVAL)?;
                    self.regex = Some((rs.clone(), made));
                }
                let Some((_, regex)) = &self.regex else { return Ok(None) };
                let mut at = 0;
                while let Some((from, to)) = regex.find_at(rest, at) {
                    if to > from {
                        // One that reaches the end of what is there could be longer.
                        return Ok((to < rest.len() || self.end).then_some((from, to)));
                    }
                    at = from + 1;
                    if at > rest.len() {
                        break;
                    }
                }
                Ok(None)
            }
        }
    }

    /// Answers the status of the command, if it was one.
    fn close(self) -> i32 {
        if self.fd > 2 {
            // It was only read.
            let _ = io::close(self.fd);
        }
        self.pid.map_or(0, |pid| process::wait_for(pid).unwrap_or(-1))
    }
}

/// Files and commands that `getline` reads, by name.
#[derive(Default)]
pub struct Inputs {
    files: HashMap<Rc<[u8]>, Records>,
    commands: HashMap<Rc<[u8]>, Records>,
}

impl Inputs {
    pub fn file(&mut self, name: &Rc<[u8]>, rs: &Rc<[u8]>) -> SysResult<Option<Vec<u8>>> {
        if !self.files.contains_key(name) {
            let fd =
                if matches!(&name[..], b"-" | b"/dev/stdin") { 0 } else { io::open(name, o::RDONLY | o::CLOEXEC, 0)? };
            self.files.insert(name.clone(), Records::new(fd, None));
        }
        self.files.get_mut(name).map_or(Ok(None), |r| r.next(rs))
    }

    pub fn command(&mut self, command: &Rc<[u8]>, rs: &Rc<[u8]>) -> SysResult<Option<Vec<u8>>> {
        if !self.commands.contains_key(command) {
            let (read, write) = io::pipe2(o::CLOEXEC)?;
            let pid = process::shell(command).dup2(write, 1).spawn();
            io::close(write)?;
            self.commands.insert(command.clone(), Records::new(read, Some(pid?)));
        }
        self.commands.get_mut(command).map_or(Ok(None), |r| r.next(rs))
    }

    pub fn close(&mut self, name: &[u8]) -> Option<i32> {
        let file = self.files.remove(name).map(Records::close);
        let command = self.commands.remove(name).map(Records::close);
        command.or(file)
    }

    pub fn close_all(&mut self) {
        for (_, r) in self.commands.drain() {
            r.close();
        }
    }
}

/// The files of the command line, one after the other.
#[derive(Default)]
pub struct Main {
    now: Option<Records>,
    next: usize,
    /// A file was named, or standard input is being read instead.
    begun: bool,
    pub failed: bool,
}

impl Interp {
    pub fn skip_file(&mut self) {
        self.main.now = None;
    }

    /// A record of the files that the command line names; assignments there are made on the way.
    pub fn next_main_record(&mut self) -> Eval<SysResult<Option<Vec<u8>>>> {
        loop {
            if self.main.now.is_none() && !self.open_next()? {
                return Ok(Ok(None));
            }
            let rs = self.special_text(special::RS);
            let Some(records) = &mut self.main.now else { continue };
            match records.next(&rs) {
                Ok(Some(record)) => return Ok(Ok(Some(record))),
                Ok(None) => {
                    if let Some(r) = self.main.now.take() {
                        r.close();
                    }
                }
                Err(e) => {
                    self.main.now = None;
                    self.complain_about(e);
                }
            }
        }
    }

    fn complain_about(&mut self, e: Errno) {
        self.outputs.flush();
        let name = self.special_text(special::FILENAME);
        eprintln!("awk: {}: {e}", String::from_utf8_lossy(&name));
        self.main.failed = true;
    }

    fn open_next(&mut self) -> Eval<bool> {
        loop {
            self.main.next += 1;
            let at = self.main.next;
            if at as f64 >= self.special(special::ARGC).num() {
                if self.main.begun {
                    return Ok(false);
                }
                self.main.begun = true;
                self.main.now = Some(Records::new(0, None));
                return Ok(true);
            }
            let Cell::Array(argv) = &self.globals[special::ARGV] else { return Ok(false) };
            let Some(value) = argv.borrow().get(at.to_string().as_bytes()).cloned() else { continue };
            let name = self.text(&value);
            if name.is_empty() {
                continue;
            }
            let assignment = name.iter().position(|b| *b == b'=').filter(|n| {
                let name = &name[..*n];
                name.first().is_some_and(|b| *b == b'_' || b.is_ascii_alphabetic())
                    && name.iter().all(|b| *b == b'_' || b.is_ascii_alphanumeric())
            });
            if let Some(n) = assignment {
                self.assign_from_outside(&name[..n], &name[n + 1..]).map_err(Stop::Error)?;
                continue;
            }
            self.main.begun = true;
            self.set(Slot::Global(special::FILENAME), Val::Str(name.clone()))?;
            self.set_special(special::FNR, Val::Num(0.0));
            match if &name[..] == b"-" { Ok(0) } else { io::open(&name, o::RDONLY | o::CLOEXEC, 0) } {
                Ok(fd) => {
                    self.main.now = Some(Records::new(fd, None));
                    return Ok(true);
                }
                Err(e) => self.complain_about(e),
            }
        }
    }
}
