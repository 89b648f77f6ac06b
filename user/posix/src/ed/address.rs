//! Which lines a command is for (POSIX `ed`, Addresses in ed).

use super::{Ed, Fault};
use posix_regex::{Regex, Syntax};

/// What is left of a command line.
pub struct Text<'a>(pub &'a [u8]);

impl Text<'_> {
    pub fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }
    pub fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }
    pub fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.next();
        }
    }
    pub fn number(&mut self) -> Option<usize> {
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at(digits);
        let n = std::str::from_utf8(number).ok()?.parse().ok()?;
        self.0 = rest;
        Some(n)
    }

    /// Up to a delimiter, which may be missing at the end of the line; in brackets it is a character. Answers
    /// whether it was there.
    pub fn pattern(&mut self, delimiter: u8) -> (Vec<u8>, bool) {
        let (mut out, mut bracket) = (Vec::new(), false);
        while let Some(c) = self.next() {
            match c {
                c if c == delimiter && !bracket => return (out, true),
                b'\\' if !bracket => match self.next() {
                    Some(c) if c == delimiter => out.push(c),
                    Some(c) => out.extend([b'\\', c]),
                    None => out.push(b'\\'),
                },
                b'[' if !bracket => {
                    bracket = true;
                    out.push(c);
                    // `[]...]` and `[^]...]`
                    for first in [b'^', b']'] {
                        if self.peek() == Some(first) {
                            self.next();
                            out.push(first);
                        }
                    }
                }
                b']' if bracket => {
                    bracket = false;
                    out.push(c);
                }
                c => out.push(c),
            }
        }
        (out, false)
    }
}

/// The addresses before a command: how many there were, and the last two.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    pub count: usize,
    pub from: usize,
    pub to: usize,
}

impl Ed {
    pub fn range(&mut self, text: &mut Text) -> Result<Range, Fault> {
        let mut all = Vec::new();
        // What stands behind a separator that has nothing behind it.
        let mut missing = None;
        loop {
            text.blanks();
            let address = self.address(text)?;
            text.blanks();
            let separator = text.peek().filter(|c| matches!(c, b',' | b';') || (*c == b'%' && all.is_empty()));
            match (address, separator) {
                (Some(line), _) => {
                    all.push(line);
                    missing = Some(line);
                }
                (None, Some(separator)) => {
                    all.push(if separator == b';' { self.buffer.dot() } else { 1 });
                    missing = Some(self.buffer.len());
                }
                (None, None) => all.extend(missing),
            }
            let Some(separator) = separator else { break };
            text.next();
            if separator == b';' {
                self.buffer.set_dot(all[all.len() - 1]);
            }
        }
        let dot = self.buffer.dot();
        let (from, to) = match all[..] {
            [] => (dot, dot),
            [one] => (one, one),
            [.., from, to] => (from, to),
        };
        if from > to || (!all.is_empty() && to > self.buffer.len()) {
            return Err(Fault::new("Invalid address"));
        }
        Ok(Range { count: all.len().min(2), from, to })
    }

    /// One address with its offsets.
    fn address(&mut self, text: &mut Text) -> Result<Option<usize>, Fault> {
        let end = self.buffer.len();
        let wrong = || Fault::new("Invalid address");
        let mut line = match text.peek() {
            Some(b'.') => {
                text.next();
                Some(self.buffer.dot())
            }
            Some(b'$') => {
                text.next();
                Some(end)
            }
            Some(b'0'..=b'9') => Some(text.number().ok_or_else(wrong)?),
            Some(b'\'') => {
                text.next();
                let name =
                    text.next().filter(u8::is_ascii_lowercase).ok_or_else(|| Fault::new("Invalid mark character"))?;
                Some(self.buffer.marked(name).ok_or_else(wrong)?)
            }
            Some(c @ (b'/' | b'?')) => {
                text.next();
                let (pattern, _) = text.pattern(c);
                self.set_pattern(&pattern)?;
                Some(self.search(c == b'/')?)
            }
            _ => None,
        };
        loop {
            text.blanks();
            let sign = match text.peek() {
                Some(c @ (b'+' | b'-' | b'^')) => {
                    text.next();
                    Some(c == b'+')
                }
                Some(b'0'..=b'9') if line.is_some() => Some(true),
                _ => None,
            };
            let Some(forward) = sign else { break };
            let by = text.number().unwrap_or(1);
            let from = line.unwrap_or(self.buffer.dot());
            let to = if forward { from.checked_add(by) } else { from.checked_sub(by) };
            line = Some(to.ok_or_else(wrong)?);
        }
        match line {
            Some(n) if n > end => Err(wrong()),
            line => Ok(line),
        }
    }

    /// An empty one is the last one.
    pub fn set_pattern(&mut self, pattern: &[u8]) -> Result<(), Fault> {
        if pattern.is_empty() {
            return if self.pattern.is_some() { Ok(()) } else { Err(Fault::new("No previous pattern")) };
        }
        let regex = Regex::new(pattern, Syntax::default()).map_err(|e| Fault::new(&e))?;
        self.pattern = Some(regex);
        Ok(())
    }

    pub fn matches(&self, line: usize) -> bool {
        self.pattern.as_ref().is_some_and(|p| p.is_match(&self.buffer.text(line)))
    }

    /// The next line that matches, round the end; the current one last.
    fn search(&self, forward: bool) -> Result<usize, Fault> {
        let (dot, end) = (self.buffer.dot(), self.buffer.len());
        let order: Box<dyn Iterator<Item = usize>> = match forward {
            true => Box::new((dot + 1..=end).chain(1..=dot)),
            false => Box::new((1..dot).rev().chain((dot.max(1)..=end).rev())),
        };
        let mut order = order.filter(|n| *n >= 1 && *n <= end);
        order.find(|n| self.matches(*n)).ok_or_else(|| Fault::new("No match"))
    }
}
