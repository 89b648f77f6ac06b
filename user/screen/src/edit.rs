//! `edit`: a small editor with the keys of nano.

mod buffer;
mod file;

use crate::term::{Key, Screen, char_width};
use buffer::Buffer;
use kit::options::{Failure, Options};

const USAGE: &str = "edit [+LINE] [FILE]";
const HELP: &[&str] = &[
    "^S  save                ^O  save under a name      ^X  leave",
    "^W  search              M-W search on              ^\\  replace",
    "^K  cut a line          ^U  put back               M-U undo    M-E redo",
    "^A  begin of the line   ^E  end of the line        ^_  go to a line",
    "^Y  a page up           ^V  a page down            ^C  where am I",
    "M-\\ first line          M-/ last line              ^R  insert a file",
    "",
    "M- is Alt, or Escape before the key. Any key goes on.",
];
const TAB: usize = 8;

struct Editor {
    screen: Screen,
    b: Buffer,
    name: String,
    top: usize,
    left: usize,
    message: String,
    search: String,
    cut: Vec<Vec<char>>,
    /// The last key cut a line: the next one is added to it.
    cutting: bool,
}

pub fn edit(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let line = args.iter().find_map(|a| std::str::from_utf8(a.strip_prefix(b"+")?).ok()?.parse::<usize>().ok());
    let args: Vec<Vec<u8>> = args.iter().filter(|a| !a.starts_with(b"+")).cloned().collect();
    let o = Options::parse(&args, "", USAGE, false)?;
    let name = o.operands.first().map(|n| String::from_utf8_lossy(n).into_owned()).unwrap_or_default();
    let (b, message) = if name.is_empty() { (Buffer::default(), String::new()) } else { file::open(name.as_bytes())? };
    let screen = Screen::take(0)?;
    let mut e =
        Editor { screen, b, name, top: 0, left: 0, message, search: String::new(), cut: Vec::new(), cutting: false };
    e.b.go(line.unwrap_or(1).saturating_sub(1), 0);
    loop {
        e.draw();
        match e.screen.key(-1) {
            Key::Gone => return Ok(1),
            key => {
                if !e.press(key) {
                    return Ok(0);
                }
            }
        }
    }
}

/// The column on the screen of a place in a line.
fn column(line: &[char], at: usize) -> usize {
    line[..at].iter().fold(0, |x, c| if *c == '\t' { x / TAB * TAB + TAB } else { x + shown_width(*c) })
}

fn shown_width(c: char) -> usize {
    if c.is_control() { 2 } else { char_width(c) }
}

impl Editor {
    fn text_rows(&self) -> usize {
        self.screen.rows.saturating_sub(3).max(1)
    }

    fn draw(&mut self) {
        let rows = self.text_rows();
        let row = self.b.row;
        if row < self.top {
            self.top = row;
        }
        if row >= self.top + rows {
            self.top = row + 1 - rows;
        }
        let x = column(&self.b.lines[row], self.b.column);
        if x < self.left || x >= self.left + self.screen.columns {
            self.left = x.saturating_sub(self.screen.columns / 2);
        }
        self.screen.put(b"\x1b[?25l");
        let changed = if self.b.changed() { " (changed)" } else { "" };
        let name = if self.name.is_empty() { "new file" } else { &self.name };
        let title = format!("  edit: {name}{changed}");
        self.screen.bar(0, &title);
        for i in 0..rows {
            let text = self.b.lines.get(self.top + i).map(|l| self.visible(l)).unwrap_or_default();
            self.screen.row(i + 1, &text);
        }
        let last = self.screen.rows - 1;
        let message = std::mem::take(&mut self.message);
        self.screen.row(last - 1, &message);
        self.screen.row(last, "^S save  ^X leave  ^W search  ^K cut  ^U put back  M-U undo  ^G help");
        self.screen.go(row - self.top + 1, x - self.left);
        self.screen.put(b"\x1b[?25h");
    }

    /// The part of a line that is on the screen.
    fn visible(&self, line: &[char]) -> String {
        let (mut out, mut x) = (String::new(), 0);
        let mut add = |c: char, w: usize| {
            if x >= self.left && x + w <= self.left + self.screen.columns {
                out.push(c);
            }
            x += w;
            x
        };
        for &c in line {
            match c {
                '\t' => while add(' ', 1) % TAB != 0 {},
                c if c.is_control() => {
                    add('^', 1);
                    add(char::from_u32(c as u32 ^ 0x40).unwrap_or('?'), 1);
                }
                c => {
                    add(c, char_width(c));
                }
            }
        }
        out
    }

    /// Does what a key says. False when it was the last.
    fn press(&mut self, key: Key) -> bool {
        let cutting = std::mem::take(&mut self.cutting);
        let page = self.text_rows().saturating_sub(1).max(1);
        match key {
            Key::Char('\n') => self.b.split(),
            Key::Char(c) => self.b.insert(c),
            Key::Backspace => self.b.backspace(),
            Key::Delete | Key::Ctrl(b'D') => self.b.delete(),
            Key::Up | Key::Ctrl(b'P') => self.b.up(1),
            Key::Down | Key::Ctrl(b'N') => self.b.down(1),
            Key::Left | Key::Ctrl(b'B') => self.b.left(),
            Key::Right | Key::Ctrl(b'F') => self.b.right(),
            Key::Home | Key::Ctrl(b'A') => self.b.go(self.b.row, 0),
            Key::End | Key::Ctrl(b'E') => self.b.go(self.b.row, usize::MAX),
            Key::PageUp | Key::Ctrl(b'Y') => self.b.up(page),
            Key::PageDown | Key::Ctrl(b'V') => self.b.down(page),
            Key::Alt('\\') => self.b.go(0, 0),
            Key::Alt('/') => self.b.go(usize::MAX, usize::MAX),
            Key::Alt('u') | Key::Ctrl(b'Z') => self.note(|b| b.undo(), "nothing to undo"),
            Key::Alt('e') => self.note(|b| b.redo(), "nothing to redo"),
            Key::Ctrl(b'K') => {
                let line = self.b.cut_line();
                if !cutting {
                    self.cut.clear();
                }
                self.cut.extend(line);
                self.cutting = true;
            }
            Key::Ctrl(b'U') => self.b.put_lines(&self.cut),
            Key::Ctrl(b'S') => {
                self.save(false);
            }
            Key::Ctrl(b'O') => {
                self.save(true);
            }
            Key::Ctrl(b'X') => return !self.leave(),
            Key::Ctrl(b'W') => self.find(true),
            Key::Alt('w') => self.find(false),
            Key::Ctrl(b'\\') => self.replace(),
            Key::Ctrl(b'_') => {
                let line = self.screen.ask("Line: ", "").and_then(|l| l.trim().parse::<usize>().ok());
                if let Some(n) = line {
                    self.b.go(n.saturating_sub(1), 0);
                }
            }
            Key::Ctrl(b'R') => self.insert_file(),
            Key::Ctrl(b'C') => {
                self.message =
                    format!("line {} of {}, column {}", self.b.row + 1, self.b.lines.len(), self.b.column + 1);
            }
            Key::Ctrl(b'G') => self.help(),
            Key::Ctrl(b'L') | Key::Resize => self.screen.put(b"\x1b[2J"),
            _ => {}
        }
        true
    }

    fn note(&mut self, act: impl FnOnce(&mut Buffer) -> bool, nothing: &str) {
        if !act(&mut self.b) {
            self.message = nothing.into();
        }
    }

    fn help(&mut self) {
        self.screen.put(b"\x1b[2J");
        for (i, line) in HELP.iter().enumerate() {
            self.screen.row(i + 1, line);
        }
        self.screen.key(-1);
        self.screen.put(b"\x1b[2J");
    }

    /// Answers whether it was saved.
    fn save(&mut self, ask: bool) -> bool {
        if ask || self.name.is_empty() {
            match self.screen.ask("Save as: ", &self.name) {
                Some(name) if !name.is_empty() => self.name = name,
                _ => return false,
            }
        }
        match file::save(self.name.as_bytes(), &self.b) {
            Ok(()) => {
                self.b.saved();
                self.message = format!("saved {} lines", self.b.line_count());
                true
            }
            Err(e) => {
                self.message = format!("not saved: {e}");
                false
            }
        }
    }

    fn leave(&mut self) -> bool {
        if !self.b.changed() {
            return true;
        }
        let row = self.screen.rows - 1;
        self.screen.row(row, "Save what was changed? (y, n, or ^C to stay) ");
        loop {
            match self.screen.key(-1) {
                Key::Char('y' | 'Y') => return self.save(false),
                Key::Char('n' | 'N') | Key::Gone => return true,
                Key::Ctrl(b'C') | Key::Escape => return false,
                _ => {}
            }
        }
    }

    fn find(&mut self, ask: bool) {
        if ask || self.search.is_empty() {
            let question =
                if self.search.is_empty() { "Search: ".into() } else { format!("Search [{}]: ", self.search) };
            match self.screen.ask(&question, "") {
                Some(text) if !text.is_empty() => self.search = text,
                Some(_) => {}
                None => return,
            }
        }
        let text: Vec<char> = self.search.chars().collect();
        if !text.is_empty() && !self.b.find(&text) {
            self.message = format!("not found: {}", self.search);
        }
    }

    fn replace(&mut self) {
        let Some(what) = self.screen.ask("Replace: ", "").filter(|w| !w.is_empty()) else { return };
        let Some(with) = self.screen.ask("With: ", "") else { return };
        let (what, with): (Vec<char>, Vec<char>) = (what.chars().collect(), with.chars().collect());
        let n = self.b.replace_all(&what, &with);
        self.message = format!("replaced {n}");
    }

    fn insert_file(&mut self) {
        let Some(name) = self.screen.ask("Insert file: ", "").filter(|n| !n.is_empty()) else { return };
        match file::open(name.as_bytes()) {
            Ok((other, _)) => self.b.put_lines(&other.lines[..other.line_count()]),
            Err(e) => self.message = e.message,
        }
    }
}
