//! Line editing at a terminal, with the keys of emacs; those of vi are in `vi.rs`.
//!
//! The terminal is raw only while a line is read. Bytes are taken one at a time, so that what was typed
//! ahead is still the terminal's when a command reads. Life of an [`Editor`]: one line.

use crate::complete;
use crate::keys::Key;
use crate::screen::{Screen, send};
use crate::shell::Shell;
use crate::vi::Vi;
use vkernel_sys::tty::{Termios, When, bits};
use vkernel_sys::{Errno, tty};

/// Ends the marks around pasted text.
const NO_MARKS: &str = "\x1b[?2004l";

/// How a line ended.
pub enum Entered {
    Line(String),
    /// Ctrl-D on an empty line, or the terminal is gone.
    End,
    /// Ctrl-C.
    Nothing,
}

/// Puts the terminal back when dropped.
struct Raw(Termios);

impl Raw {
    fn begin() -> Option<Raw> {
        let cooked = tty::tcgetattr(0).ok()?;
        let mut raw = cooked;
        raw.lflag &= !(bits::ICANON | bits::ECHO | bits::ISIG | bits::IEXTEN);
        raw.iflag &= !bits::IXON;
        raw.oflag &= !bits::OPOST;
        (raw.cc[bits::VMIN], raw.cc[bits::VTIME]) = (1, 0);
        tty::tcsetattr(0, When::Now, &raw).ok()?;
        // Pasted text comes between two marks.
        send("\x1b[?2004h");
        Some(Raw(cooked))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tty::tcsetattr(0, When::Now, &self.0);
    }
}

impl Shell {
    /// True where lines are edited: on a terminal that can, unless `set +o emacs` (or `vi`).
    pub fn edits(&self) -> bool {
        let wanted = self.option('E') || self.option('V');
        self.tty.is_some() && wanted && self.get("TERM").is_some_and(|t| !t.is_empty() && t != "dumb")
    }
}

pub struct Editor<'a> {
    pub sh: &'a mut Shell,
    pub line: String,
    /// The cursor stands before this byte.
    pub at: usize,
    pub screen: Screen,
    pub vi: Vi,
    /// Which entry of the history is shown; their number for the line that is new.
    pub entry: usize,
    fresh_line: String,
    after_tab: bool,
    after_kill: bool,
    /// What is still to be sent.
    closing: String,
}

/// Reads a line. EINTR: a signal came; what was typed is gone. Nothing when the terminal can't be edited on.
pub fn read_line(sh: &mut Shell, prompt: &str) -> Option<Result<Entered, Errno>> {
    let raw = Raw::begin()?;
    let home = sh.get("HOME").map(|h| format!("{h}/.sh_history"));
    let most = sh.get("HISTSIZE").and_then(|n| n.parse().ok()).unwrap_or(1000);
    let file = sh.get("HISTFILE").or(home).filter(|f| !f.is_empty());
    sh.history.load(file, most);
    let entry = sh.history.entries.len();
    let mut e = Editor {
        sh,
        line: String::new(),
        at: 0,
        screen: Screen::new(prompt),
        vi: Vi::default(),
        entry,
        fresh_line: String::new(),
        after_tab: false,
        after_kill: false,
        closing: NO_MARKS.to_string(),
    };
    let result = e.run();
    let closing = std::mem::take(&mut e.closing);
    drop(raw);
    send(&closing);
    Some(result)
}

impl Editor<'_> {
    fn run(&mut self) -> Result<Entered, Errno> {
        loop {
            let done = match self.sh.option('V') {
                true => self.vi_key(),
                false => self.emacs_key(),
            };
            match done {
                Err(Errno::EIO) => return Ok(Entered::End),
                done => {
                    if let Some(done) = done? {
                        return Ok(done);
                    }
                }
            }
        }
    }

    fn emacs_key(&mut self) -> Result<Option<Entered>, Errno> {
        if !self.sh.keys.pending() {
            self.screen.show(&self.line, self.at);
        }
        let key = self.sh.keys.next()?;
        self.key(key)
    }

    /// The line is complete. What ends it on the screen is sent when the terminal is as it was: who waits for
    /// that may type to the command.
    pub fn finish(&mut self, note: &str) {
        self.at = self.line.len();
        self.screen.show(&self.line, self.at);
        let fresh = self.screen.leave(&self.line) && note.is_empty();
        self.closing = format!("{note}{NO_MARKS}{}", if fresh { "" } else { "\n" });
    }

    pub fn key(&mut self, key: Key) -> Result<Option<Entered>, Errno> {
        let (after_tab, after_kill) = (self.after_tab, self.after_kill);
        (self.after_tab, self.after_kill) = (false, false);
        match key {
            Key::Ctrl(b'M' | b'J') => {
                self.finish("");
                return Ok(Some(Entered::Line(std::mem::take(&mut self.line) + "\n")));
            }
            Key::Ctrl(b'C') => {
                self.finish("^C");
                return Ok(Some(Entered::Nothing));
            }
            Key::Ctrl(b'D') if self.line.is_empty() => {
                if !self.sh.option('I') {
                    return Ok(Some(Entered::End));
                }
                self.screen.leave("");
                send("Use \"exit\" to leave the shell.\r\n");
            }
            Key::Ctrl(b'I') => self.complete(after_tab),
            Key::Ctrl(b'R') => return self.search(),
            Key::Text(t) => self.insert(&t),
            Key::Ctrl(b'L') => self.screen.clear(),
            Key::Ctrl(b'P') | Key::Up => self.recall(-1),
            Key::Ctrl(b'N') | Key::Down => self.recall(1),
            Key::Ctrl(b'K' | b'U' | b'W') | Key::Meta('d' | '\x7f') => self.kill(key, after_kill),
            Key::Ctrl(b'Y') => {
                let text = self.sh.killed.clone();
                self.insert(&text);
            }
            Key::Ctrl(b'T') => self.transpose(),
            Key::Ctrl(b'D') | Key::Delete => self.remove(self.at, self.right(self.at)),
            Key::Ctrl(b'H' | b'?') => self.remove(self.left(self.at), self.at),
            Key::Meta('.' | '_') => {
                let last = self.sh.history.entries.last().and_then(|e| e.split_whitespace().last());
                let last = last.unwrap_or_default().to_string();
                self.insert(&last);
            }
            key => self.at = self.moved(key),
        }
        Ok(None)
    }

    fn moved(&self, key: Key) -> usize {
        match key {
            Key::Ctrl(b'A') | Key::Home => self.line[..self.at].rfind('\n').map_or(0, |p| p + 1),
            Key::Ctrl(b'E') | Key::Last => self.line[self.at..].find('\n').map_or(self.line.len(), |p| self.at + p),
            Key::Ctrl(b'B') | Key::Left => self.left(self.at),
            Key::Ctrl(b'F') | Key::Right => self.right(self.at),
            Key::Meta('b') | Key::WordLeft => self.word_left(char::is_alphanumeric),
            Key::Meta('f') | Key::WordRight => self.word_right(),
            _ => self.at,
        }
    }

    /// The character before; combining marks belong to the one that they stand on.
    pub fn left(&self, from: usize) -> usize {
        let mut before = self.line[..from].char_indices().rev();
        before.find(|c| crate::screen::width(c.1) > 0).map_or(0, |c| c.0)
    }
    pub fn right(&self, from: usize) -> usize {
        let mut after = self.line[from..].char_indices().skip(1);
        after.find(|c| crate::screen::width(c.1) > 0).map_or(self.line.len(), |c| from + c.0)
    }
    fn word_left(&self, part: fn(char) -> bool) -> usize {
        let text = self.line[..self.at].trim_end_matches(|c| !part(c));
        text.trim_end_matches(part).len()
    }
    fn word_right(&self) -> usize {
        let rest = self.line[self.at..].trim_start_matches(|c: char| !c.is_alphanumeric());
        self.line.len() - rest.trim_start_matches(char::is_alphanumeric).len()
    }

    pub fn insert(&mut self, text: &str) {
        self.line.insert_str(self.at, text);
        self.at += text.len();
    }
    pub fn remove(&mut self, from: usize, to: usize) {
        self.line.replace_range(from..to, "");
        self.at = from;
    }

    /// Takes text away for Ctrl-Y; what is killed in a row comes back together.
    fn kill(&mut self, key: Key, again: bool) {
        let (from, to) = match key {
            Key::Ctrl(b'K') => (self.at, self.moved(Key::Last).max(self.right(self.at).min(self.at + 1))),
            Key::Ctrl(b'U') => (0, self.at),
            Key::Ctrl(_) => (self.word_left(|c| !c.is_whitespace()), self.at),
            Key::Meta('d') => (self.at, self.word_right()),
            _ => (self.word_left(char::is_alphanumeric), self.at),
        };
        let to = to.min(self.line.len());
        let text = self.line[from..to].to_string();
        let before = if again { std::mem::take(&mut self.sh.killed) } else { String::new() };
        self.sh.killed = if from < self.at { text + &before } else { before + &text };
        self.remove(from, to);
        self.after_kill = true;
    }

    fn transpose(&mut self) {
        let middle = if self.at == self.line.len() { self.left(self.at) } else { self.at };
        let (from, to) = (self.left(middle), self.right(middle));
        if from < middle {
            let swapped = format!("{}{}", &self.line[middle..to], &self.line[from..middle]);
            self.line.replace_range(from..to, &swapped);
            self.at = to;
        }
    }

    /// Up and down: inside of a line of several first, then in the history.
    fn recall(&mut self, by: isize) {
        let next = self.entry.saturating_add_signed(by);
        let count = self.sh.history.entries.len();
        if next > count || next == self.entry {
            return send("\x07");
        }
        self.go_to_entry(next);
    }

    /// Shows an entry of the history; the line that is new is kept meanwhile.
    pub fn go_to_entry(&mut self, next: usize) {
        if self.entry == self.sh.history.entries.len() {
            self.fresh_line = self.line.clone();
        }
        self.entry = next;
        self.line = self.sh.history.entries.get(next).unwrap_or(&self.fresh_line).clone();
        self.at = self.line.len();
    }

    fn complete(&mut self, again: bool) {
        let c = complete::complete(self.sh, &self.line[..self.at]);
        let common = complete::common(&c.words);
        if c.words.is_empty() {
            send("\x07");
        } else if c.words.len() == 1 || common.len() > c.typed.len() {
            let text = c.text(&common, c.words.len() == 1);
            self.line.replace_range(c.start..self.at, &text);
            self.at = c.start + text.len();
        } else if again {
            self.screen.list(&self.line, &c.words);
        } else {
            send("\x07");
            self.after_tab = true;
        }
    }

    /// Ctrl-R: the last entry with what is typed in it; again for the one before. Any other key goes on with
    /// what was found, Ctrl-G and Ctrl-C with what was there.
    fn search(&mut self) -> Result<Option<Entered>, Errno> {
        let (line, at) = (self.line.clone(), self.at);
        let prompt = self.screen.set_prompt("");
        let (mut wanted, mut from) = (String::new(), self.sh.history.entries.len());
        let next = loop {
            let entries = &self.sh.history.entries;
            let hit = entries[..from.min(entries.len())].iter().rposition(|e| e.contains(&wanted));
            if let Some(i) = hit.filter(|_| !wanted.is_empty()) {
                self.entry = i;
                self.line = entries[i].clone();
                self.at = self.line.find(&wanted).unwrap_or(0);
            }
            let failed = if hit.is_none() { "failed " } else { "" };
            self.screen.set_prompt(&format!("({failed}reverse-i-search)`{wanted}': "));
            self.screen.show(&self.line, self.at);
            let vi = self.sh.option('V');
            match if vi { self.sh.keys.next_vi() } else { self.sh.keys.next() }? {
                Key::Ctrl(b'R') => from = hit.unwrap_or(0),
                Key::Ctrl(b'H' | b'?') => {
                    wanted.pop();
                    from = self.sh.history.entries.len();
                }
                Key::Text(t) => {
                    wanted += &t;
                    from = hit.map_or(0, |h| h + 1);
                }
                Key::Ctrl(b'G' | b'C') => {
                    (self.line, self.at) = (line, at);
                    break None;
                }
                key => break Some(key),
            }
        };
        self.screen.set_prompt(&prompt);
        match next {
            Some(key) if self.sh.option('V') => self.typed(key),
            Some(key) => self.key(key),
            None => Ok(None),
        }
    }
}
