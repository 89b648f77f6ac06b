//! Lines that were entered: in memory, and in a file for the next time.
//!
//! The file has an entry per line; the line ends inside of an entry stand as carriage returns.

use crate::text::{from_bytes, to_bytes};
use vkernel_sys::{io, o};

#[derive(Default)]
pub struct History {
    pub entries: Vec<String>,
    /// So many before those are no longer here.
    pub forgotten: usize,
    file: Option<String>,
    loaded: bool,
    most: usize,
}

impl History {
    /// Reads the file, the first time. `file`: HISTFILE or ~/.sh_history; `most`: HISTSIZE.
    pub fn load(&mut self, file: Option<String>, most: usize) {
        self.most = most;
        if std::mem::replace(&mut self.loaded, true) {
            return;
        }
        let bytes = file.as_ref().and_then(|f| io::read_file(&to_bytes(f)).ok()).unwrap_or_default();
        self.entries = from_bytes(&bytes).lines().map(|l| l.replace('\r', "\n")).collect();
        self.file = file;
        if self.entries.len() > most.saturating_mul(2) {
            self.cut();
            let all: String = self.entries.iter().map(|e| stored(e)).collect();
            self.write(&all, o::TRUNC);
        }
        self.cut();
    }

    fn cut(&mut self) {
        let over = self.entries.len().saturating_sub(self.most);
        self.entries.drain(..over);
        self.forgotten += over;
    }

    /// Remembers a line, unless it is empty or what was entered last.
    pub fn add(&mut self, line: &str) {
        let line = line.trim_end_matches('\n');
        if line.trim().is_empty() || self.most == 0 || self.entries.last().is_some_and(|l| l == line) {
            return;
        }
        self.entries.push(line.to_string());
        self.cut();
        // Appended at once: several shells share the file, and one may be killed.
        self.write(&stored(line), o::APPEND);
    }

    fn write(&self, text: &str, how: u32) {
        let Some(file) = &self.file else { return };
        // A home that can't be written to is no reason to complain at each line.
        if let Ok(fd) = io::open(&to_bytes(file), o::WRONLY | o::CREAT | o::CLOEXEC | how, 0o600) {
            let _ = io::write_all(fd, &to_bytes(text));
            let _ = io::close(fd);
        }
    }
}

fn stored(entry: &str) -> String {
    entry.replace('\n', "\r") + "\n"
}
