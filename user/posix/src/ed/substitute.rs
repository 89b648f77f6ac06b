//! `s`.

use super::address::{Range, Text};
use super::{Ed, Fault};
use posix_regex::Span;
use std::rc::Rc;

#[derive(Clone)]
enum Part {
    Text(Vec<u8>),
    Group(usize),
}

#[derive(Clone)]
pub struct Substitution {
    parts: Vec<Part>,
    /// Which match of a line; all from there on with `g`.
    nth: usize,
    all: bool,
    suffix: Vec<u8>,
}

impl Ed {
    pub(super) fn substitute(&mut self, range: Range, text: &mut Text) -> Result<(), Fault> {
        if range.from == 0 {
            return Err(Fault::new("Invalid address"));
        }
        let again = text.0.iter().all(|c| matches!(c, b'g' | b'p' | b'r' | b'0'..=b'9'));
        let s = if again { self.again(text)? } else { self.parsed(text)? };
        let dot = self.buffer.dot();
        self.last = Some(s.clone());
        self.begin_change();
        let (mut changed, mut at, mut to) = (None, range.from, range.to);
        while at <= to {
            let line = self.buffer.text(at);
            if let Some(new) = self.replaced(&line, &s) {
                // A line end in what is put in makes lines.
                let mut lines: Vec<Rc<[u8]>> = new.split(|b| *b == b'\n').map(Into::into).collect();
                let first = lines.remove(0);
                self.buffer.replace(at, first.to_vec());
                let more = lines.len();
                self.buffer.insert(at, lines);
                (at, to) = (at + more, to + more);
                changed = Some(at);
            }
            at += 1;
        }
        match changed {
            Some(last) => {
                self.buffer.set_dot(last);
                self.show_dot(s.suffix);
                Ok(())
            }
            // In `g` a line that has nothing to replace is no mistake.
            None => {
                self.buffer.set_dot(dot);
                if self.list.is_some() { Ok(()) } else { Err(Fault::new("No match")) }
            }
        }
    }

    fn again(&mut self, text: &mut Text) -> Result<Substitution, Fault> {
        let mut s = self.last.clone().ok_or_else(|| Fault::new("No previous substitution"))?;
        while let Some(c) = text.peek() {
            match c {
                b'g' => s.all = !s.all,
                b'p' => s.suffix = b"p".to_vec(),
                b'0'..=b'9' => {
                    s.nth = text.number().unwrap_or(1).max(1);
                    continue;
                }
                _ => {}
            }
            text.next();
        }
        Ok(s)
    }

    fn parsed(&mut self, text: &mut Text) -> Result<Substitution, Fault> {
        let delimiter = text.next().filter(|c| !matches!(c, b' ' | b'\n' | b'\\'));
        let delimiter = delimiter.ok_or_else(|| Fault::new("Invalid pattern delimiter"))?;
        let (pattern, more) = text.pattern(delimiter);
        self.set_pattern(&pattern)?;
        if !more {
            return Err(Fault::new("Missing pattern delimiter"));
        }
        let (parts, ended, rest) = self.replacement(text, delimiter)?;
        let text = &mut Text(&rest);
        let mut s = Substitution { parts, nth: 1, all: false, suffix: Vec::new() };
        // Without the last delimiter the line is shown (POSIX).
        if !ended {
            s.suffix = b"p".to_vec();
            return Ok(s);
        }
        while let Some(c) = text.peek() {
            match c {
                b'g' => s.all = true,
                b'0'..=b'9' => {
                    s.nth = text.number().filter(|n| *n > 0).ok_or_else(|| Fault::new("Invalid command suffix"))?;
                    continue;
                }
                _ => break,
            }
            text.next();
        }
        s.suffix = self.suffix(text)?;
        Ok(s)
    }

    /// Up to the delimiter; behind a backslash the next line belongs to it.
    /// Answers whether the delimiter was there, and what is behind it.
    fn replacement(&mut self, text: &mut Text, delimiter: u8) -> Result<(Vec<Part>, bool, Vec<u8>), Fault> {
        if text.0 == b"%" || text.0.starts_with(&[b'%', delimiter]) {
            text.next();
            let ended = text.next().is_some();
            let last = self.last.as_ref().ok_or_else(|| Fault::new("No previous substitution"))?;
            return Ok((last.parts.clone(), ended, text.0.to_vec()));
        }
        let (mut parts, mut plain) = (Vec::new(), Vec::new());
        let mut rest: Vec<u8> = text.0.to_vec();
        let mut at = 0;
        let ended = loop {
            let Some(&c) = rest.get(at) else { break false };
            at += 1;
            let group = match c {
                c if c == delimiter => break true,
                b'&' => 0,
                b'\\' => match rest.get(at) {
                    None => {
                        plain.push(b'\n');
                        rest = self.next_line().ok_or_else(|| Fault::new("Unexpected end-of-file"))?;
                        at = 0;
                        continue;
                    }
                    Some(d @ b'1'..=b'9') => {
                        at += 1;
                        (d - b'0') as usize
                    }
                    Some(c) => {
                        plain.push(*c);
                        at += 1;
                        continue;
                    }
                },
                c => {
                    plain.push(c);
                    continue;
                }
            };
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(Part::Group(group));
        };
        parts.push(Part::Text(plain));
        let groups = self.pattern.as_ref().map_or(0, |p| p.groups());
        if parts.iter().any(|p| matches!(p, Part::Group(n) if *n > groups)) {
            return Err(Fault::new("Invalid back reference"));
        }
        let behind = rest.split_off(at);
        Ok((parts, ended, behind))
    }

    /// A line with its matches replaced; nothing without one.
    fn replaced(&self, line: &[u8], s: &Substitution) -> Option<Vec<u8>> {
        let pattern = self.pattern.as_ref()?;
        let (mut out, mut at, mut copied, mut count, mut last_end) = (Vec::new(), 0, 0, 0, None);
        let step = |at: usize| {
            line[at..].utf8_chunks().next().and_then(|c| c.valid().chars().next()).map_or(1, char::len_utf8)
        };
        while at <= line.len() {
            let Some(groups) = pattern.captures_at(line, at) else { break };
            let Some((from, to)) = groups.first().copied().flatten() else { break };
            // An empty match right behind another is none.
            if from == to && last_end == Some(from) {
                at = from + step(from);
                continue;
            }
            count += 1;
            last_end = Some(to);
            if count >= s.nth {
                out.extend_from_slice(&line[copied..from]);
                fill(&s.parts, line, &groups, &mut out);
                copied = to;
                if !s.all {
                    break;
                }
            }
            at = if to > from { to } else { to + step(to) };
        }
        if count < s.nth {
            return None;
        }
        out.extend_from_slice(&line[copied..]);
        Some(out)
    }
}

fn fill(parts: &[Part], line: &[u8], groups: &[Span], out: &mut Vec<u8>) {
    for part in parts {
        match part {
            Part::Text(text) => out.extend_from_slice(text),
            Part::Group(n) => {
                if let Some((from, to)) = groups.get(*n).copied().flatten() {
                    out.extend_from_slice(&line[from..to]);
                }
            }
        }
    }
}
