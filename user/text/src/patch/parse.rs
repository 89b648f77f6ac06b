//! Differences as `diff` writes them.

/// What a line of a hunk is: in both files, in the old one, in the new one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Both,
    Old,
    New,
}

pub struct Hunk {
    pub old_start: usize,
    pub new_start: usize,
    pub lines: Vec<(Kind, Vec<u8>)>,
}

impl Hunk {
    pub fn before(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.lines.iter().filter(|l| l.0 != Kind::New).map(|l| &l.1)
    }
    pub fn after(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.lines.iter().filter(|l| l.0 != Kind::Old).map(|l| &l.1)
    }
    /// How many lines at its beginning and its end are only context.
    pub fn context(&self) -> (usize, usize) {
        let both = |l: &&(Kind, Vec<u8>)| l.0 == Kind::Both;
        (self.lines.iter().take_while(both).count(), self.lines.iter().rev().take_while(both).count())
    }
}

#[derive(Default)]
pub struct Patch {
    pub old: Vec<u8>,
    pub new: Vec<u8>,
    pub hunks: Vec<Hunk>,
}

impl Patch {
    pub fn reverse(&mut self) {
        std::mem::swap(&mut self.old, &mut self.new);
        for h in &mut self.hunks {
            std::mem::swap(&mut h.old_start, &mut h.new_start);
            for l in &mut h.lines {
                l.0 = match l.0 {
                    Kind::Both => Kind::Both,
                    Kind::Old => Kind::New,
                    Kind::New => Kind::Old,
                };
            }
            // What goes stands before what comes.
            h.lines = ordered(std::mem::take(&mut h.lines));
        }
    }
}

fn ordered(lines: Vec<(Kind, Vec<u8>)>) -> Vec<(Kind, Vec<u8>)> {
    let mut out = Vec::with_capacity(lines.len());
    let mut new = Vec::new();
    for l in lines {
        match l.0 {
            Kind::Both => {
                out.append(&mut new);
                out.push(l);
            }
            Kind::Old => out.push(l),
            Kind::New => new.push(l),
        }
    }
    out.append(&mut new);
    out
}

/// All files' differences. Other text between them is passed over.
pub fn parse(text: &[u8]) -> Result<Vec<Patch>, String> {
    let lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
    let mut patches: Vec<Patch> = Vec::new();
    let mut i = 0;
    while i < lines.len() {
        let line = lines[i];
        if line.starts_with(b"--- ") && lines.get(i + 1).is_some_and(|l| l.starts_with(b"+++ ")) {
            patches.push(Patch { old: name(&line[4..]), new: name(&lines[i + 1][4..]), hunks: Vec::new() });
            i += 2;
        } else if line.starts_with(b"@@ -") {
            let hunk = unified_hunk(&lines, &mut i)?;
            patches.last_mut().ok_or("a hunk stands before the names of its files")?.hunks.push(hunk);
        } else if let Some(hunk) = normal_hunk(&lines, &mut i)? {
            if patches.last().is_none_or(|p| !p.old.is_empty()) {
                patches.push(Patch::default());
            }
            if let Some(p) = patches.last_mut() {
                p.hunks.push(hunk);
            }
        } else {
            i += 1;
        }
    }
    patches.retain(|p| !p.hunks.is_empty());
    Ok(patches)
}

/// A name, before the time or the end of the line.
fn name(rest: &[u8]) -> Vec<u8> {
    rest.split(|b| b"\t\n\r".contains(b)).next().unwrap_or_default().to_vec()
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `3` or `3,5`: the first and another number.
fn pair(text: &[u8]) -> Option<(usize, Option<usize>)> {
    let mut parts = text.splitn(2, |b| *b == b',');
    let first = number(parts.next()?)?;
    match parts.next() {
        Some(second) => Some((first, Some(number(second)?))),
        None => Some((first, None)),
    }
}

/// The line before lost its end.
fn cut(lines: &mut [(Kind, Vec<u8>)]) {
    if let Some((_, last)) = lines.last_mut()
        && last.ends_with(b"\n")
    {
        last.pop();
    }
}

fn unified_hunk(all: &[&[u8]], i: &mut usize) -> Result<Hunk, String> {
    let malformed = |i: usize| format!("malformed patch at line {}", i + 1);
    let head = all[*i].trim_ascii();
    let mut words = head.split(|b| *b == b' ').skip(1);
    let mut range = |sign: u8| words.next().and_then(|w| w.strip_prefix(&[sign])).and_then(pair);
    let (Some(old), Some(new)) = (range(b'-'), range(b'+')) else { return Err(malformed(*i)) };
    let (mut left, mut right) = (old.1.unwrap_or(1), new.1.unwrap_or(1));
    let mut lines = Vec::new();
    *i += 1;
    while left + right > 0 || all.get(*i).is_some_and(|l| l.starts_with(b"\\")) {
        let Some(line) = all.get(*i) else { return Err(malformed(*i)) };
        let kind = match line.first() {
            Some(b' ' | b'\n') => Kind::Both,
            Some(b'-') => Kind::Old,
            Some(b'+') => Kind::New,
            Some(b'\\') => {
                cut(&mut lines);
                *i += 1;
                continue;
            }
            _ => return Err(malformed(*i)),
        };
        let short = (kind != Kind::New && left == 0) || (kind != Kind::Old && right == 0);
        if short {
            return Err(malformed(*i));
        }
        left -= (kind != Kind::New) as usize;
        right -= (kind != Kind::Old) as usize;
        // An empty line of context may have lost its blank on the way.
        lines.push((kind, if *line == b"\n" { line.to_vec() } else { line[1..].to_vec() }));
        *i += 1;
    }
    Ok(Hunk { old_start: old.0, new_start: new.0, lines })
}

/// `3,5c3`, with lines behind `<` and `>`.
fn normal_hunk(all: &[&[u8]], i: &mut usize) -> Result<Option<Hunk>, String> {
    let head = all[*i].trim_ascii_end();
    let Some(at) = head.iter().position(|b| b"acd".contains(b)) else { return Ok(None) };
    let (Some(old), Some(new)) = (pair(&head[..at]), pair(&head[at + 1..])) else { return Ok(None) };
    let mut lines = Vec::new();
    *i += 1;
    while let Some(line) = all.get(*i) {
        match line.get(..2) {
            Some(b"< ") => lines.push((Kind::Old, line[2..].to_vec())),
            Some(b"> ") => lines.push((Kind::New, line[2..].to_vec())),
            Some(b"--") => {}
            Some(b"\\ ") => cut(&mut lines),
            _ => break,
        }
        *i += 1;
    }
    // What is added stands behind the line that is named, what is deleted at it.
    Ok(Some(Hunk { old_start: old.0, new_start: new.0, lines }))
}

/// Hunks in the unified form, for those that did not fit.
pub fn unified(p: &Patch, hunks: &[&Hunk]) -> Vec<u8> {
    let mut out = [b"--- ", p.old.as_slice(), b"\n+++ ", &p.new, b"\n"].concat();
    for h in hunks {
        let head = format!("@@ -{},{} +{},{} @@\n", h.old_start, h.before().count(), h.new_start, h.after().count());
        out.extend_from_slice(head.as_bytes());
        for (kind, text) in &h.lines {
            out.push(match kind {
                Kind::Both => b' ',
                Kind::Old => b'-',
                Kind::New => b'+',
            });
            out.extend_from_slice(text);
            if !text.ends_with(b"\n") {
                out.extend_from_slice(b"\n\\ No newline at end of file\n");
            }
        }
    }
    out
}
