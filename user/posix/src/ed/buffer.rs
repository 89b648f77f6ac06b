//! The text: lines that keep their identity when others come and go.

use std::collections::HashMap;
use std::rc::Rc;

#[derive(Clone)]
pub struct Line {
    /// Marks and `g` mean the line, wherever it is by then.
    pub id: u64,
    pub text: Rc<[u8]>,
}

#[derive(Clone, Default)]
struct State {
    lines: Vec<Line>,
    /// From 1; 0 is before the first line.
    dot: usize,
}

#[derive(Default)]
pub struct Buffer {
    now: State,
    /// As it was before the last command that changed it.
    before: State,
    next: u64,
    marks: HashMap<u8, u64>,
    pub modified: bool,
    /// `before` is the text before a change.
    changed: bool,
    /// What `modified` was then.
    modified_before: bool,
}

impl Buffer {
    pub fn len(&self) -> usize {
        self.now.lines.len()
    }
    pub fn dot(&self) -> usize {
        self.now.dot
    }
    pub fn set_dot(&mut self, line: usize) {
        self.now.dot = line;
    }
    /// A line by its number, from 1.
    pub fn line(&self, n: usize) -> &Line {
        &self.now.lines[n - 1]
    }
    pub fn text(&self, n: usize) -> Rc<[u8]> {
        self.line(n).text.clone()
    }
    pub fn lines(&self, from: usize, to: usize) -> Vec<Rc<[u8]>> {
        (from.max(1)..=to).map(|n| self.text(n)).collect()
    }
    pub fn find(&self, id: u64) -> Option<usize> {
        self.now.lines.iter().position(|l| l.id == id).map(|n| n + 1)
    }

    pub fn mark(&mut self, name: u8, line: usize) {
        let id = self.line(line).id;
        self.marks.insert(name, id);
    }
    pub fn marked(&self, name: u8) -> Option<usize> {
        self.find(*self.marks.get(&name)?)
    }

    /// What comes can be undone as one.
    pub fn begin_change(&mut self) {
        self.before = self.now.clone();
        (self.changed, self.modified_before) = (true, self.modified);
    }
    /// False when there was no change.
    pub fn undo(&mut self) -> bool {
        if !self.changed {
            return false;
        }
        std::mem::swap(&mut self.now, &mut self.before);
        std::mem::swap(&mut self.modified, &mut self.modified_before);
        true
    }

    /// Puts lines behind one; the last of them is the current one.
    pub fn insert(&mut self, behind: usize, texts: impl IntoIterator<Item = Rc<[u8]>>) {
        let first = self.next;
        let lines: Vec<Line> = texts.into_iter().zip(first..).map(|(text, id)| Line { id, text }).collect();
        if lines.is_empty() {
            return;
        }
        self.next += lines.len() as u64;
        self.now.dot = behind + lines.len();
        self.now.lines.splice(behind..behind, lines);
        self.modified = true;
    }

    pub fn delete(&mut self, from: usize, to: usize) {
        self.now.lines.drain(from - 1..to);
        // The line behind them, or the last.
        self.now.dot = from.min(self.len());
        self.modified = true;
    }

    pub fn replace(&mut self, n: usize, text: Vec<u8>) {
        self.now.lines[n - 1].text = text.into();
        self.modified = true;
    }

    /// Moves lines behind another, which is none of them.
    pub fn shift(&mut self, from: usize, to: usize, behind: usize) {
        let lines: Vec<Line> = self.now.lines.drain(from - 1..to).collect();
        let count = lines.len();
        let at = if behind >= to { behind - count } else { behind };
        self.now.lines.splice(at..at, lines);
        self.now.dot = at + count;
        self.modified = true;
    }

    /// It is what the file is.
    pub fn keep(&mut self) {
        (self.modified, self.changed) = (false, false);
    }

    /// Forgets all, for another file.
    pub fn clear(&mut self) {
        *self = Buffer { next: self.next, ..Buffer::default() };
    }
}
