//! The line editor's keys as vi has them: POSIX sh, "Command Line Editing (vi-mode)".
//!
//! A line begins in insert mode, where the keys of the other mode serve, too; Escape ends it. A command
//! of command mode reads the keys it needs. What changed the line can be repeated: the keys are kept, and come again.

use crate::complete;
use crate::edit::{Editor, Entered};
use crate::keys::Key;
use crate::motion::{Find, next_word, word_before, word_end};
use crate::pattern;
use crate::screen::send;
use std::collections::VecDeque;
use vkernel_sys::Errno;

/// What lasts longer than a line.
#[derive(Default)]
pub struct Memory {
    find: Option<Find>,
    /// The keys of the last change.
    change: Vec<Key>,
    /// What `/` or `?` was told, and whether it was `/`.
    search: Option<(String, bool)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Insert,
    /// `R`: since this place.
    Replace(usize),
    Command,
}

/// The state of one line.
pub struct Vi {
    mode: Mode,
    /// What the line was before each change, for `u`; the first for `U`.
    before: Vec<(String, usize)>,
    recorded: Vec<Key>,
    /// A command is being kept for `.`, until its insertion ends.
    recording: bool,
    replay: VecDeque<Key>,
}

impl Default for Vi {
    fn default() -> Vi {
        // What is typed first is undone as a whole.
        let before = vec![Default::default()];
        Vi { mode: Mode::Insert, before, recorded: Vec::new(), recording: false, replay: VecDeque::new() }
    }
}

/// A place for a motion to go, and whether the character there belongs to it.
type Target = Option<(usize, bool)>;

impl Editor<'_> {
    fn next_vi(&mut self) -> Result<Key, Errno> {
        let key = match self.vi.replay.pop_front() {
            Some(key) => key,
            None => {
                if !self.sh.keys.pending() {
                    self.screen.show(&self.line, self.at);
                }
                self.sh.keys.next_vi()?
            }
        };
        if self.vi.recording {
            self.vi.recorded.push(key.clone());
        }
        Ok(key)
    }

    /// A key, in whichever mode. Alt is Escape before a key.
    pub fn vi_key(&mut self) -> Result<Option<Entered>, Errno> {
        let key = self.next_vi()?;
        if let Key::Meta(c) = key {
            if self.vi.recording {
                self.vi.recorded.pop();
                self.vi.recorded.push(Key::Ctrl(b'['));
            }
            let done = self.typed(Key::Ctrl(b'['));
            self.vi.replay.push_front(if c < ' ' { Key::Ctrl(c as u8 | 0x40) } else { Key::Text(c.into()) });
            return done;
        }
        self.typed(key)
    }

    pub fn typed(&mut self, key: Key) -> Result<Option<Entered>, Errno> {
        match (self.vi.mode, key) {
            (Mode::Command, key) => self.command(key),
            (_, Key::Ctrl(b'[')) => {
                self.insertion_ends();
                Ok(None)
            }
            (_, Key::Ctrl(b'V')) => {
                match self.next_vi()? {
                    Key::Text(t) => self.insert(&t),
                    Key::Ctrl(c) => self.insert(char::from(c ^ 0x40).encode_utf8(&mut [0; 4])),
                    _ => {}
                }
                Ok(None)
            }
            (Mode::Replace(from), key) => self.replace(key, from),
            (_, key) => self.key(key),
        }
    }

    fn insertion_ends(&mut self) {
        self.vi.mode = Mode::Command;
        self.at = self.left(self.at).max(self.line[..self.at].rfind('\n').map_or(0, |n| n + 1));
        self.kept();
    }

    /// A change is complete: `.` is it from now on.
    fn kept(&mut self) {
        if std::mem::take(&mut self.vi.recording) {
            self.sh.vi.change = std::mem::take(&mut self.vi.recorded);
        }
    }

    fn replace(&mut self, key: Key, from: usize) -> Result<Option<Entered>, Errno> {
        match key {
            Key::Text(t) => {
                for c in t.chars() {
                    self.remove(self.at, self.right(self.at));
                    self.insert(c.encode_utf8(&mut [0; 4]));
                }
            }
            Key::Ctrl(b'H' | b'?') if self.at > from => {
                // What stood there comes back.
                let to = self.left(self.at);
                let nth = self.line[from..to].chars().count();
                let old = self.vi.before.last().and_then(|(line, _)| line[from..].chars().nth(nth));
                self.remove(to, self.at);
                if let Some(c) = old {
                    self.line.insert(to, c);
                }
            }
            Key::Ctrl(b'H' | b'?') => send("\x07"),
            key => return self.key(key),
        }
        Ok(None)
    }

    /// Remembers the line, before it changes.
    fn changes(&mut self) {
        self.vi.before.push((self.line.clone(), self.at));
    }

    fn command(&mut self, key: Key) -> Result<Option<Entered>, Errno> {
        let mut key = key;
        let mut count = None;
        while let Some(n) = digit(&key, count) {
            count = Some(n);
            key = self.next_vi()?;
        }
        let Some(c) = letter(&key) else {
            return match key {
                Key::Text(_) => self.refuse(),
                Key::Ctrl(b'M' | b'J' | b'C' | b'D' | b'L' | b'P' | b'N' | b'R') => self.key(key),
                _ => self.refuse(),
            };
        };
        if !self.vi.recording {
            let digits = count.map(|n: usize| n.to_string()).unwrap_or_default();
            self.vi.recorded = digits.chars().map(|d| Key::Text(d.into())).chain([key]).collect();
            self.vi.recording = true;
        }
        let done = self.perform(c, count);
        if self.vi.mode == Mode::Command {
            // Only what changed the line is to be repeated, and was kept by then.
            self.vi.recording = false;
            self.at = self.at.min(self.last());
        }
        done
    }

    fn refuse(&mut self) -> Result<Option<Entered>, Errno> {
        self.vi.replay.clear();
        send("\x07");
        Ok(None)
    }

    /// Where the last character of the line begins.
    fn last(&self) -> usize {
        if self.line.is_empty() { 0 } else { self.left(self.line.len()) }
    }

    fn perform(&mut self, c: char, count: Option<usize>) -> Result<Option<Entered>, Errno> {
        let n = count.unwrap_or(1);
        match c {
            'i' | 'a' | 'I' | 'A' | 'C' | 'S' | 's' | 'R' | '_' => return self.begin_insertion(c, count),
            'd' | 'c' | 'y' => return self.operator(c, n),
            'D' => self.cut(self.at, self.line.len()),
            'Y' => self.sh.killed = self.line[self.at..].into(),
            'x' | 'X' => {
                let step = |at| if c == 'x' { self.right(at) } else { self.left(at) };
                let to = (0..n).fold(self.at, |at, _| if at == self.line.len() { at } else { step(at) });
                if to == self.at {
                    return self.refuse();
                }
                self.cut(to.min(self.at), to.max(self.at));
            }
            'r' => {
                let key = self.next_vi()?;
                let (Some(with), true) = (letter(&key), self.at < self.line.len()) else { return self.refuse() };
                self.each(n, |_| with);
            }
            '~' => {
                self.each(n, |c| {
                    // Unicode's tables would be a tenth of all that this shell has to say.
                    if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
                });
                self.at = self.right(self.at);
            }
            'p' | 'P' if !self.sh.killed.is_empty() => {
                self.changes();
                if c == 'p' && self.at < self.line.len() {
                    self.at = self.right(self.at);
                }
                let text = self.sh.killed.repeat(n.min(1000));
                self.insert(&text);
                self.at = self.left(self.at);
                self.kept();
            }
            'u' | 'U' => {
                let first = if c == 'U' { self.vi.before.drain(..).next() } else { self.vi.before.pop() };
                let Some((line, at)) = first else { return self.refuse() };
                (self.line, self.at) = (line, at);
            }
            '.' => {
                let change = self.sh.vi.change.clone();
                // Another count takes the place of the first one.
                let own = change.iter().take_while(|k| matches!(letter(k), Some('0'..='9'))).count();
                let digits = count.map(|n| n.to_string().chars().map(|c| Key::Text(c.into())).collect::<Vec<_>>());
                let keys = match digits {
                    Some(digits) => digits.into_iter().chain(change[own..].iter().cloned()).collect(),
                    None => change,
                };
                (self.vi.recording, self.vi.replay) = (false, keys.into());
            }
            'k' | '-' | 'j' | '+' => self.walk(c, n),
            'G' => {
                let number = count.map_or(Some(0), |n| n.checked_sub(1 + self.sh.history.forgotten));
                let Some(at) = number.filter(|at| *at < self.sh.history.entries.len()) else { return self.refuse() };
                self.show_entry(at);
            }
            '/' | '?' => return self.ask(c),
            'n' | 'N' => {
                let Some((text, back)) = self.sh.vi.search.clone() else { return self.refuse() };
                self.look_for(&text, back == (c == 'n'));
            }
            'v' => return self.in_editor(count),
            '#' => {
                self.line.insert(0, '#');
                return self.key(Key::Ctrl(b'M'));
            }
            '@' => {
                let key = self.next_vi()?;
                let text = letter(&key).and_then(|c| self.sh.aliases.borrow().get(&format!("_{c}")).cloned());
                let Some(text) = text else { return self.refuse() };
                self.vi.recording = false;
                text.chars().rev().for_each(|c| self.vi.replay.push_front(Key::Text(c.into())));
            }
            '=' | '\\' | '*' => self.expand_word(c),
            _ => match self.motion(c, n, false)? {
                Some((to, _)) => self.at = to,
                None => return self.refuse(),
            },
        }
        Ok(None)
    }

    /// Changes so many characters from the cursor on, which goes to the last of them.
    fn each(&mut self, n: usize, f: impl Fn(char) -> char) {
        self.changes();
        for k in 0..n {
            let Some(c) = self.line[self.at..].chars().next() else { break };
            let new = f(c);
            self.line.replace_range(self.at..self.at + c.len_utf8(), new.encode_utf8(&mut [0; 4]));
            if k + 1 < n && self.right(self.at) < self.line.len() {
                self.at = self.right(self.at);
            } else {
                break;
            }
        }
        self.kept();
    }

    /// Takes text away, for `p`.
    fn cut(&mut self, from: usize, to: usize) {
        self.changes();
        self.sh.killed = self.line[from..to].into();
        self.remove(from, to);
        self.kept();
    }

    fn begin_insertion(&mut self, c: char, count: Option<usize>) -> Result<Option<Entered>, Errno> {
        self.changes();
        match c {
            'a' if self.at < self.line.len() => self.at = self.right(self.at),
            'A' => self.at = self.line.len(),
            'I' => self.at = self.line.len() - self.line.trim_start().len(),
            'C' | 'S' => {
                let from = if c == 'S' { 0 } else { self.at };
                self.sh.killed = self.line[from..].into();
                self.remove(from, self.line.len());
            }
            's' => {
                let to = (0..count.unwrap_or(1)).fold(self.at, |at, _| self.right(at));
                self.sh.killed = self.line[self.at..to].into();
                self.remove(self.at, to);
            }
            '_' => {
                // The last word of the line before, or the one with this number.
                let words = self.sh.history.entries.last().map(|l| l.split_whitespace().collect::<Vec<_>>());
                let words = words.unwrap_or_default();
                let word = count.map_or(words.last(), |n| words.get(n.wrapping_sub(1))).map(|w| format!(" {w}"));
                let Some(word) = word else {
                    self.vi.before.pop();
                    return self.refuse();
                };
                if self.at < self.line.len() {
                    self.at = self.right(self.at);
                }
                self.insert(&word);
            }
            _ => {}
        }
        self.vi.mode = if c == 'R' { Mode::Replace(self.at) } else { Mode::Insert };
        Ok(None)
    }

    /// `d`, `c` and `y` with a motion, or with themselves for the whole line.
    fn operator(&mut self, c: char, n: usize) -> Result<Option<Entered>, Errno> {
        let (mut key, mut more) = (self.next_vi()?, None);
        while let Some(d) = digit(&key, more) {
            more = Some(d);
            key = self.next_vi()?;
        }
        let Some(m) = letter(&key) else { return self.refuse() };
        let n = n.saturating_mul(more.unwrap_or(1));
        // On a word, `cw` leaves the blanks behind it.
        let on_word = self.line[self.at..].starts_with(|c: char| !c.is_whitespace());
        let (from, to) = if m == c {
            (0, self.line.len())
        } else {
            let Some((to, inclusive)) = (match m {
                'w' | 'W' if c == 'c' && on_word => {
                    let first = self.right(self.at);
                    let big = m == 'W';
                    // The end of this word is where its last character is, be it the only one.
                    let end =
                        if next_word(&self.line, self.at, big) == first { self.at } else { self.end(self.at, big) };
                    Some(((1..n).fold(end, |at, _| word_end(&self.line, at, big)), true))
                }
                m => self.motion(m, n, true)?,
            }) else {
                return self.refuse();
            };
            let (from, to) = (self.at.min(to), self.at.max(to));
            (from, if inclusive { self.right(to) } else { to })
        };
        if c == 'y' {
            self.sh.killed = self.line[from..to].into();
            return Ok(None);
        }
        self.changes();
        self.sh.killed = self.line[from..to].into();
        self.remove(from, to);
        if c == 'c' {
            self.vi.mode = Mode::Insert;
        } else {
            self.kept();
        }
        Ok(None)
    }

    /// The last character of the word that this one is in.
    fn end(&self, at: usize, big: bool) -> usize {
        let after = next_word(&self.line, at, big);
        self.left(at + self.line[at..after].trim_end().len())
    }

    /// Where a motion leads. For an operator, `l` and `w` may go behind the last character.
    fn motion(&mut self, c: char, n: usize, operator: bool) -> Result<Target, Errno> {
        let (at, line) = (self.at, &self.line);
        let end = if operator { line.len() } else { self.last() };
        let repeat = |f: &dyn Fn(usize) -> usize| (0..n).fold(at, |at, _| f(at));
        let big = c.is_ascii_uppercase();
        Ok(match c {
            'h' => (at > 0).then(|| (repeat(&|at| self.left(at)), false)),
            'l' | ' ' => (at < end).then(|| (repeat(&|at| self.right(at)).min(end), false)),
            'w' | 'W' => (at < end).then(|| (repeat(&|at| next_word(line, at, big)).min(end), false)),
            'b' | 'B' => (at > 0).then(|| (repeat(&|at| word_before(line, at, big)), false)),
            'e' | 'E' => (at < self.last()).then(|| (repeat(&|at| word_end(line, at, big)), true)),
            '0' => Some((0, false)),
            '^' => Some((line.len() - line.trim_start().len(), false)),
            '$' => Some((self.last(), true)),
            '|' => Some(((1..n).fold(0, |at, _| self.right(at)).min(end), false)),
            'f' | 'F' | 't' | 'T' => {
                let key = self.next_vi()?;
                let Some(wanted) = letter(&key) else { return Ok(None) };
                let find = Find { command: c, wanted };
                self.sh.vi.find = Some(find);
                self.found(find, n, false)
            }
            ';' | ',' => match self.sh.vi.find {
                Some(find) => self.found(if c == ';' { find } else { find.reversed() }, n, true),
                None => None,
            },
            _ => None,
        })
    }

    fn found(&self, find: Find, n: usize, again: bool) -> Target {
        let forwards = find.command.is_ascii_lowercase();
        find.place(&self.line, self.at, n, again).map(|to| (to, forwards))
    }

    fn walk(&mut self, c: char, n: usize) {
        let n = isize::try_from(n).unwrap_or(isize::MAX);
        let count = self.sh.history.entries.len();
        let by = if matches!(c, 'k' | '-') { -n } else { n };
        match self.entry.checked_add_signed(by).filter(|to| *to <= count) {
            Some(to) => self.show_entry(to),
            None => send("\x07"),
        }
    }

    fn show_entry(&mut self, entry: usize) {
        self.go_to_entry(entry);
        self.at = 0;
        self.vi.before.clear();
    }

    /// `/` or `?`, and the pattern.
    fn ask(&mut self, c: char) -> Result<Option<Entered>, Errno> {
        let (line, at) = (std::mem::take(&mut self.line), self.at);
        let prompt = self.screen.set_prompt(&c.to_string());
        self.at = 0;
        let given = loop {
            match self.next_vi()? {
                Key::Text(t) => self.insert(&t),
                Key::Ctrl(b'M' | b'J') => break Some(std::mem::take(&mut self.line)),
                Key::Ctrl(b'H' | b'?') if self.at > 0 => self.remove(self.left(self.at), self.at),
                Key::Ctrl(b'U') => self.remove(0, self.at),
                _ => break None,
            }
        };
        (self.line, self.at) = (line, at);
        self.screen.set_prompt(&prompt);
        let last = self.sh.vi.search.as_ref().map(|s| s.0.clone());
        // Nothing: what was looked for last.
        match given.and_then(|g| if g.is_empty() { last } else { Some(g) }) {
            Some(text) => {
                self.sh.vi.search = Some((text.clone(), c == '/'));
                self.look_for(&text, c == '/');
                Ok(None)
            }
            None => self.refuse(),
        }
    }

    /// The nearest entry with this pattern in it (POSIX 2.13), or at its beginning with `^`.
    fn look_for(&mut self, text: &str, back: bool) {
        let (anchored, text) = text.strip_prefix('^').map_or((false, text), |t| (true, t));
        let any = ('*', false);
        let body = text.chars().map(|c| (c, false));
        let p: Vec<_> = (!anchored).then_some(any).into_iter().chain(body).chain([any]).collect();
        let entries = &self.sh.history.entries;
        let fits = |i: &usize| pattern::matches(&p, &entries[*i].chars().collect::<Vec<_>>());
        let hit = match back {
            true => (0..self.entry.min(entries.len())).rev().find(fits),
            false => (self.entry + 1..entries.len()).find(fits),
        };
        match hit {
            Some(at) => self.show_entry(at),
            None => send("\x07"),
        }
    }

    /// `v`: an editor changes the line, or the one with this number, and it is run.
    fn in_editor(&mut self, count: Option<usize>) -> Result<Option<Entered>, Errno> {
        let editor = self.sh.get("VISUAL").filter(|e| !e.is_empty()).map_or(String::new(), |e| format!("-e '{e}' "));
        let number = count.map(|n| n.to_string()).unwrap_or_default();
        if count.is_none() {
            if self.line.trim().is_empty() {
                return self.refuse();
            }
            let line = self.line.clone();
            self.sh.history.add(&line);
        }
        self.finish("");
        Ok(Some(Entered::Line(format!("fc {editor}{number}\n"))))
    }

    /// The file names that the bigword under the cursor may become: `=` lists them, `*` puts them all there, `\` what
    /// they have in common.
    fn expand_word(&mut self, c: char) {
        let end = self.line[self.at..].find(char::is_whitespace).map_or(self.line.len(), |n| self.at + n);
        let found = complete::complete(self.sh, &self.line[..end]);
        if found.words.is_empty() {
            return send("\x07");
        }
        if c == '=' {
            return self.screen.list(&self.line, &found.words);
        }
        self.changes();
        // Those behind the first have their directory, too.
        let before = self.line[found.word..found.start].to_string();
        let text = match (c, found.words.as_slice()) {
            ('*', words) => {
                let all: Vec<String> = words.iter().map(|w| found.text(w, true)).collect();
                let all: Vec<&str> = all.iter().map(|w| w.trim_end_matches(' ')).collect();
                all.join(&format!(" {before}")) + " "
            }
            (_, [one]) => found.text(one, true),
            (_, words) => found.text(&complete::common(words), false),
        };
        self.line.replace_range(found.start..end, &text);
        self.at = found.start + text.len();
        self.vi.mode = Mode::Insert;
    }
}

/// The one character that a key is.
fn letter(key: &Key) -> Option<char> {
    let arrow = match key {
        Key::Text(t) => {
            let mut chars = t.chars();
            return chars.next().filter(|_| chars.next().is_none());
        }
        Key::Left | Key::Ctrl(b'H' | b'?') => 'h',
        Key::Right => 'l',
        Key::Up => 'k',
        Key::Down => 'j',
        Key::Home => '0',
        Key::Last => '$',
        Key::Delete => 'x',
        Key::WordLeft => 'b',
        Key::WordRight => 'w',
        _ => return None,
    };
    Some(arrow)
}

/// A count with one more digit; a 0 at its beginning is a motion.
fn digit(key: &Key, count: Option<usize>) -> Option<usize> {
    let d = match key {
        Key::Text(_) => letter(key)?.to_digit(10)? as usize,
        _ => return None,
    };
    // More than any line is long.
    (d > 0 || count.is_some()).then(|| (count.unwrap_or(0) * 10 + d).min(1 << 20))
}
