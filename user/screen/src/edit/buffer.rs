//! The text, the place in it, and what was done to it. Each change puts some lines where others were, and so does its
//! undoing.

use std::ops::Range;

type Line = Vec<char>;

struct Change {
    /// From this line on, so many lines are the new ones.
    row: usize,
    new: usize,
    old: Vec<Line>,
    before: (usize, usize),
    /// Typing goes on in one change.
    typed: bool,
}

pub struct Buffer {
    /// One at least. The last is empty when the text ends with a line end.
    pub lines: Vec<Line>,
    pub row: usize,
    pub column: usize,
    /// Where the column was before short lines were passed.
    goal: usize,
    undo: Vec<Change>,
    redo: Vec<Change>,
    /// How many changes there were when it was saved.
    saved: Option<usize>,
}

impl Default for Buffer {
    fn default() -> Buffer {
        Buffer::of("")
    }
}

impl Buffer {
    pub fn of(text: &str) -> Buffer {
        let lines = text.split('\n').map(|l| l.chars().collect()).collect();
        let (undo, redo) = Default::default();
        Buffer { lines, row: 0, column: 0, goal: 0, undo, redo, saved: Some(0) }
    }

    /// The text; a last line gets its end.
    pub fn text(&self) -> String {
        let mut out: String = self.lines.iter().map(|l| l.iter().collect::<String>()).collect::<Vec<_>>().join("\n");
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out
    }

    /// Without the empty one behind the last line end.
    pub fn line_count(&self) -> usize {
        self.lines.len() - self.lines.last().is_some_and(|l| l.is_empty()) as usize
    }

    pub fn changed(&self) -> bool {
        self.saved != Some(self.undo.len())
    }
    pub fn saved(&mut self) {
        self.saved = Some(self.undo.len());
        if let Some(last) = self.undo.last_mut() {
            last.typed = false;
        }
    }

    /// Puts lines where others are, and goes to a place.
    fn change(&mut self, rows: Range<usize>, new: Vec<Line>, to: (usize, usize), typed: bool) {
        let before = (self.row, self.column);
        let count = new.len();
        let row = rows.start;
        let old: Vec<Line> = self.lines.splice(rows, new).collect();
        let goes_on =
            typed && self.undo.last().is_some_and(|c| c.typed && c.row == row && c.new == 1) && old.len() == 1;
        if self.saved.is_some_and(|s| s > self.undo.len()) {
            // What was saved can't be come back to.
            self.saved = None;
        }
        self.redo.clear();
        if !(goes_on && count == 1) {
            self.undo.push(Change { row, new: count, old, before, typed });
        }
        self.go(to.0, to.1);
    }

    fn swap(&mut self, c: Change) -> Change {
        let here = (self.row, self.column);
        let rows = c.row..c.row + c.new;
        let new = c.old.len();
        let old: Vec<Line> = self.lines.splice(rows, c.old).collect();
        self.go(c.before.0, c.before.1);
        Change { row: c.row, new, old, before: here, typed: false }
    }
    pub fn undo(&mut self) -> bool {
        let Some(c) = self.undo.pop() else { return false };
        let back = self.swap(c);
        self.redo.push(back);
        true
    }
    pub fn redo(&mut self) -> bool {
        let Some(c) = self.redo.pop() else { return false };
        let back = self.swap(c);
        self.undo.push(back);
        true
    }

    /// As near to a place as there is one.
    pub fn go(&mut self, row: usize, column: usize) {
        self.row = row.min(self.lines.len() - 1);
        self.column = column.min(self.lines[self.row].len());
        self.goal = self.column;
    }
    pub fn up(&mut self, n: usize) {
        let goal = self.goal;
        self.go(self.row.saturating_sub(n), goal);
        self.goal = goal;
    }
    pub fn down(&mut self, n: usize) {
        let goal = self.goal;
        self.go(self.row + n, goal);
        self.goal = goal;
    }
    pub fn left(&mut self) {
        if self.column > 0 {
            self.go(self.row, self.column - 1);
        } else if self.row > 0 {
            self.go(self.row - 1, usize::MAX);
        }
    }
    pub fn right(&mut self) {
        if self.column < self.lines[self.row].len() {
            self.go(self.row, self.column + 1);
        } else if self.row + 1 < self.lines.len() {
            self.go(self.row + 1, 0);
        }
    }

    pub fn insert(&mut self, c: char) {
        let mut line = self.lines[self.row].clone();
        line.insert(self.column, c);
        self.change(self.row..self.row + 1, vec![line], (self.row, self.column + 1), true);
    }
    pub fn split(&mut self) {
        let (head, tail) = self.lines[self.row].split_at(self.column);
        let new = vec![head.to_vec(), tail.to_vec()];
        self.change(self.row..self.row + 1, new, (self.row + 1, 0), false);
    }
    pub fn backspace(&mut self) {
        if (self.row, self.column) != (0, 0) {
            self.left();
            self.delete();
        }
    }
    pub fn delete(&mut self) {
        let mut line = self.lines[self.row].clone();
        let here = (self.row, self.column);
        if self.column < line.len() {
            line.remove(self.column);
            self.change(self.row..self.row + 1, vec![line], here, true);
        } else if let Some(next) = self.lines.get(self.row + 1) {
            line.extend(next);
            self.change(self.row..self.row + 2, vec![line], here, false);
        }
    }

    /// The line at hand, which goes. The last one leaves an empty one.
    pub fn cut_line(&mut self) -> Option<Line> {
        let line = self.lines[self.row].clone();
        let last = self.row + 1 == self.lines.len();
        if last && line.is_empty() {
            return None;
        }
        self.change(self.row..self.row + 1, if last { vec![Vec::new()] } else { Vec::new() }, (self.row, 0), false);
        Some(line)
    }

    /// Before the line at hand.
    pub fn put_lines(&mut self, lines: &[Line]) {
        if !lines.is_empty() {
            self.change(self.row..self.row, lines.to_vec(), (self.row + lines.len(), 0), false);
        }
    }

    /// To the next place of a text, from the beginning again behind the end.
    pub fn find(&mut self, text: &[char]) -> bool {
        let n = self.lines.len();
        for i in 0..=n {
            let row = (self.row + i) % n;
            let from = if i == 0 { self.column + 1 } else { 0 };
            if let Some(column) = position(&self.lines[row], text, from) {
                self.go(row, column);
                return true;
            }
        }
        false
    }

    /// Everywhere; answers how often.
    pub fn replace_all(&mut self, what: &[char], with: &[char]) -> usize {
        let mut count = 0;
        let mut new = self.lines.clone();
        for line in &mut new {
            let mut from = 0;
            while let Some(at) = position(line, what, from) {
                line.splice(at..at + what.len(), with.iter().copied());
                from = at + with.len();
                count += 1;
            }
        }
        if count > 0 {
            let here = (self.row, self.column);
            self.change(0..self.lines.len(), new, here, false);
        }
        count
    }
}

fn position(line: &[char], text: &[char], from: usize) -> Option<usize> {
    line.get(from..)?.windows(text.len()).position(|w| w == text).map(|n| n + from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_undone_and_redone() {
        let mut b = Buffer::of("one\ntwo\n");
        b.go(0, 3);
        "!é".chars().for_each(|c| b.insert(c));
        b.split();
        b.insert('x');
        assert_eq!(b.text(), "one!é\nx\ntwo\n");
        assert!(b.undo() && b.undo() && b.undo() && !b.undo());
        assert_eq!((b.text().as_str(), b.changed()), ("one\ntwo\n", false));
        assert!(b.redo());
        assert_eq!(b.text(), "one!é\ntwo\n");
        b.saved();
        assert!(!b.changed());
        b.undo();
        assert!(b.changed());
    }

    #[test]
    fn lines_are_cut_joined_found_and_replaced() {
        let mut b = Buffer::of("a\nb\nc");
        let cut: Vec<Line> = [b.cut_line(), b.cut_line()].into_iter().flatten().collect();
        assert_eq!(b.text(), "c\n");
        b.go(5, 5);
        b.put_lines(&cut);
        assert_eq!(b.text(), "a\nb\nc\n");
        b.go(1, 0);
        b.backspace();
        assert_eq!(b.text(), "ab\nc\n");
        assert!(b.find(&['c']) && (b.row, b.column) == (1, 0));
        assert!(b.find(&['a']) && b.row == 0 && !b.find(&['z']));
        assert_eq!(b.replace_all(&['b'], &['b', 'b']), 1);
        assert_eq!(b.text(), "abb\nc\n");
    }
}
