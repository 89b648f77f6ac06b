//! The line being edited, on the terminal: where each character stands, and how little has to be sent
//! for it to be seen.
//!
//! Sequences are those of ECMA-48 that every terminal since the VT100 has.

use crate::text::to_bytes;
use vkernel_sys::{io, tty};

/// Columns that a character takes. Ranges: Unicode 16, EastAsianWidth `W` and `F`, and the larger blocks of
/// combining marks.
pub fn width(c: char) -> usize {
    const WIDE: [(u32, u32); 14] = [
        (0x1100, 0x115f),
        (0x231a, 0x231b),
        (0x23e9, 0x23ec),
        (0x2614, 0x2615),
        (0x2e80, 0x303e),
        (0x3041, 0xa4cf),
        (0xa960, 0xa97c),
        (0xac00, 0xd7a3),
        (0xf900, 0xfaff),
        (0xfe30, 0xfe6f),
        (0xff00, 0xff60),
        (0xffe0, 0xffe6),
        (0x1f300, 0x1faff),
        (0x20000, 0x3fffd),
    ];
    const NONE: [(u32, u32); 10] = [
        (0x0300, 0x036f),
        (0x0483, 0x0489),
        (0x0591, 0x05bd),
        (0x064b, 0x065f),
        (0x1ab0, 0x1aff),
        (0x1dc0, 0x1dff),
        (0x200b, 0x200f),
        (0x20d0, 0x20ff),
        (0xfe00, 0xfe0f),
        (0xfe20, 0xfe2f),
    ];
    let n = c as u32;
    let among = |ranges: &[(u32, u32)]| ranges.iter().any(|r| r.0 <= n && n <= r.1);
    match n {
        // `^A`: shown as two.
        0..0x20 | 0x7f => 2,
        0x20..0x300 => 1,
        _ if among(&NONE) => 0,
        _ if among(&WIDE) => 2,
        _ => 1,
    }
}

/// A place on the screen, counted from where the prompt began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    pub row: usize,
    pub column: usize,
}

impl Place {
    fn step(&mut self, columns: usize, w: usize) {
        if self.column + w > columns {
            self.row += 1;
            self.column = 0;
        }
        self.column += w;
        if self.column == columns {
            self.row += 1;
            self.column = 0;
        }
    }
    /// Past a text with line ends in it. What is between ESC and its end takes no room.
    pub fn after(mut self, text: &str, columns: usize) -> Place {
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\n' => self = Place { row: self.row + 1, column: 0 },
                '\r' => self.column = 0,
                '\x1b' => match chars.next() {
                    Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                    Some(']') => while chars.next().is_some_and(|c| c != '\x07' && c != '\\') {},
                    _ => {}
                },
                '\x07' => {}
                c => self.step(columns, width(c)),
            }
        }
        self
    }
}

/// What is seen of the line.
pub struct Screen {
    /// The last line of the prompt; those above it are written once.
    prompt: String,
    columns: usize,
    cursor: Place,
    /// What was shown, if all of it is as it was left.
    shown: Option<String>,
}

impl Screen {
    pub fn new(prompt: &str) -> Screen {
        let (above, last) = prompt.rsplit_once('\n').map_or(("", prompt), |(a, l)| (&prompt[..a.len() + 1], l));
        send(&above.replace('\n', "\r\n"));
        Screen { prompt: last.to_string(), columns: 80, cursor: Place::default(), shown: None }
    }

    /// Another prompt for the same line: what a search says.
    pub fn set_prompt(&mut self, prompt: &str) -> String {
        self.shown = None;
        std::mem::replace(&mut self.prompt, prompt.to_string())
    }

    /// Shows the text with the cursor before the character at `at`, a byte.
    pub fn show(&mut self, text: &str, at: usize) {
        let columns = tty::winsize(2).map_or(80, |w| w.cols as usize);
        // A terminal that does not know its width, and one too narrow for any text.
        let columns = if columns < 4 { 80 } else { columns };
        if columns != self.columns {
            (self.columns, self.shown) = (columns, None);
        }
        let origin = Place::default().after(&self.prompt, columns);
        let cursor = origin.after(&visible(&text[..at]), columns);
        let end = origin.after(&visible(text), columns);
        let added = self.shown.as_deref().filter(|_| at == text.len()).and_then(|s| text.strip_prefix(s));
        let out = match added {
            // Typed at the end: that and no more. At the edge, how a terminal wraps is left alone.
            Some(more) if self.cursor.row == end.row && !more.contains('\n') && self.at_end() => visible(more),
            _ => self.redraw(text, cursor, end),
        };
        self.cursor = cursor;
        self.shown = Some(text.to_string());
        send(&out);
    }

    fn at_end(&self) -> bool {
        let shown = self.shown.as_deref().unwrap_or_default();
        let origin = Place::default().after(&self.prompt, self.columns);
        self.cursor == origin.after(&visible(shown), self.columns)
    }

    fn redraw(&self, text: &str, cursor: Place, end: Place) -> String {
        // Where nothing was shown, what stands there is somebody else's.
        let fresh = self.shown.is_none() && self.cursor == Place::default();
        let mut out = if fresh { String::new() } else { up(self.cursor.row) + "\r\x1b[J" };
        out += &self.prompt;
        out += &visible(text).replace('\n', "\r\n");
        if end.column == 0 && end.row > 0 && !text.ends_with('\n') {
            // The edge was reached exactly: some terminals wait for one more before they wrap.
            out += " \r";
        }
        if cursor != end {
            out += &up(end.row - cursor.row);
            out += "\r";
            if cursor.column > 0 {
                out += &format!("\x1b[{}C", cursor.column);
            }
        }
        out
    }

    /// Goes behind the text. True when that is the beginning of a line already.
    pub fn leave(&mut self, text: &str) -> bool {
        let end = Place::default().after(&self.prompt, self.columns).after(&visible(text), self.columns);
        let down = end.row - self.cursor.row;
        let mut out = if down > 0 { format!("\x1b[{down}B") } else { String::new() };
        if self.cursor != end {
            out += "\r";
            if end.column > 0 {
                out += &format!("\x1b[{}C", end.column);
            }
        }
        send(&out);
        self.fresh();
        end.column == 0 && end.row > 0
    }

    /// The next `show` begins where the cursor is now.
    pub fn fresh(&mut self) {
        (self.cursor, self.shown) = (Place::default(), None);
    }

    /// An empty screen.
    pub fn clear(&mut self) {
        send("\x1b[H\x1b[2J");
        self.fresh();
    }

    /// Words in columns, below the line.
    pub fn list(&mut self, text: &str, words: &[String]) {
        let mut out = if self.leave(text) { "" } else { "\r\n" }.to_string();
        let words: Vec<String> = words.iter().map(|w| visible(w).replace('\n', "^J")).collect();
        let widest = words.iter().map(|w| w.chars().map(width).sum::<usize>()).max().unwrap_or(0) + 2;
        let across = (self.columns / widest).max(1);
        let rows = words.len().div_ceil(across);
        for row in 0..rows {
            for word in words.iter().skip(row).step_by(rows) {
                out += word;
                let pad = widest - word.chars().map(width).sum::<usize>();
                out.extend(std::iter::repeat_n(' ', pad));
            }
            out.truncate(out.trim_end_matches(' ').len());
            out += "\r\n";
        }
        send(&out);
    }
}

fn up(rows: usize) -> String {
    if rows == 0 { String::new() } else { format!("\x1b[{rows}A") }
}

/// Control characters as `^A`.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push(c),
            '\0'..='\x1f' | '\x7f' => out.extend(['^', (c as u8 ^ 0x40) as char]),
            c => out.push(c),
        }
    }
    out
}

/// To the terminal; one that is gone is noticed when it is read.
pub fn send(text: &str) {
    if !text.is_empty() {
        let _ = io::write_all(2, &to_bytes(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_widths_and_edges() {
        let after = |t: &str| Place::default().after(t, 10);
        assert_eq!(after("abc"), Place { row: 0, column: 3 });
        assert_eq!(after("0123456789"), Place { row: 1, column: 0 });
        assert_eq!(after("漢字"), Place { row: 0, column: 4 });
        assert_eq!(after("012345678漢"), Place { row: 1, column: 2 });
        assert_eq!(after("e\u{301}"), Place { row: 0, column: 1 });
        assert_eq!(after("\x1b[1;32m$\x1b[0m "), Place { row: 0, column: 2 });
        assert_eq!(after("a\nbc"), Place { row: 1, column: 2 });
    }
}
