//! The terminal as a screen: raw, with its other picture kept, and keys. Sequences are those of ECMA-48 and xterm.

use kit::options::Failure;
use vkernel_sys::io::PollFd;
use vkernel_sys::proc::{Disposition, kill, sigaction, sigtake};
use vkernel_sys::tty::{Termios, When, bits, tcgetattr, tcsetattr, winsize};
use vkernel_sys::{Errno, io, sig};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Key {
    Char(char),
    /// With the letter that Ctrl was held for.
    Ctrl(u8),
    Alt(char),
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    Delete,
    Backspace,
    Escape,
    Other,
    /// The window has another size.
    Resize,
    /// No key came in the time that was given.
    Tick,
    /// The terminal is gone.
    Gone,
}

pub struct Screen {
    fd: i32,
    saved: Termios,
    raw: Termios,
    pub rows: usize,
    pub columns: usize,
    out: Vec<u8>,
    pending: Vec<u8>,
}

impl Screen {
    /// Takes the terminal at a descriptor; it is given back when this is dropped.
    pub fn take(fd: i32) -> Result<Screen, Failure> {
        let saved = tcgetattr(fd).map_err(|_| Failure::new("needs a terminal"))?;
        let mut raw = saved;
        raw.lflag &= !(bits::ICANON | bits::ECHO | bits::ISIG | bits::IEXTEN);
        raw.iflag &= !(bits::IXON | bits::ICRNL | bits::INLCR);
        raw.oflag &= !bits::OPOST;
        (raw.cc[bits::VMIN], raw.cc[bits::VTIME]) = (1, 0);
        tcsetattr(fd, When::Drain, &raw).map_err(|e| Failure::new(e.to_string()))?;
        // Not to be told of a new size, or of having been stopped, is no reason not to begin.
        for s in [sig::WINCH, sig::CONT] {
            let _ = sigaction(s, Disposition::Catch);
        }
        let mut s = Screen { fd, saved, raw, rows: 24, columns: 80, out: Vec::new(), pending: Vec::new() };
        s.measure();
        s.put(b"\x1b[?1049h\x1b[2J");
        s.flush();
        Ok(s)
    }

    /// Ctrl-Z: the terminal as it was, and the whole job stops, for whoever is in a pipe with us has nothing to do either.
    /// Where nobody could let us go on, the kernel doesn't stop us.
    fn suspend(&mut self) -> Key {
        self.put(b"\x1b[0m\x1b[?25h\x1b[?1049l");
        self.flush();
        let _ = tcsetattr(self.fd, When::Drain, &self.saved);
        let _ = kill(0, sig::TSTP);
        self.resumed()
    }

    /// A shell has used the terminal meanwhile; all is to be drawn again.
    fn resumed(&mut self) -> Key {
        sigtake(&[sig::CONT]);
        if let Ok(now) = tcgetattr(self.fd)
            && now.lflag & bits::ICANON != 0
        {
            self.saved = now;
        }
        let _ = tcsetattr(self.fd, When::Drain, &self.raw);
        self.put(b"\x1b[?1049h\x1b[2J");
        self.measure();
        Key::Resize
    }

    /// Answers whether the size is another one.
    fn measure(&mut self) -> bool {
        let Ok(size) = winsize(self.fd) else { return false };
        let new = (
            if size.rows == 0 { 24 } else { size.rows as usize },
            if size.cols == 0 { 80 } else { size.cols as usize },
        );
        let changed = new != (self.rows, self.columns);
        (self.rows, self.columns) = new;
        changed
    }

    pub fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }
    pub fn text(&mut self, text: &str) {
        self.put(text.as_bytes());
    }
    /// To a row and a column, from 0.
    pub fn go(&mut self, row: usize, column: usize) {
        self.text(&format!("\x1b[{};{}H", row + 1, column + 1));
    }
    /// A whole row, cut to the width.
    pub fn row(&mut self, row: usize, text: &str) {
        self.go(row, 0);
        let cut = cut(text, self.columns);
        self.text(&cut);
        self.put(b"\x1b[K");
    }
    /// One in reverse, as wide as the screen.
    pub fn bar(&mut self, row: usize, text: &str) {
        self.go(row, 0);
        let cut = cut(text, self.columns);
        let fill = self.columns - width(&cut);
        self.text(&format!("\x1b[7m{cut}{}\x1b[0m", " ".repeat(fill)));
    }
    pub fn flush(&mut self) {
        // Of a terminal that is gone the next read will tell.
        let _ = io::write_all(1, &self.out);
        self.out.clear();
    }

    /// The next key; a negative time waits for ever.
    pub fn key(&mut self, timeout_ms: i32) -> Key {
        self.flush();
        if self.measure() {
            return Key::Resize;
        }
        if self.pending.is_empty() {
            match self.more(timeout_ms) {
                Ok(true) => {}
                Ok(false) => return Key::Tick,
                Err(Errno::EINTR) if sigtake(&[sig::CONT]).is_some() => return self.resumed(),
                Err(Errno::EINTR) => return if self.measure() { Key::Resize } else { Key::Tick },
                Err(_) => return Key::Gone,
            }
        }
        match self.decode() {
            Key::Ctrl(b'Z') => self.suspend(),
            key => key,
        }
    }

    fn more(&mut self, timeout_ms: i32) -> Result<bool, Errno> {
        const IN: u16 = 1;
        let mut fds = [PollFd { fd: self.fd, events: IN, revents: 0 }];
        if io::poll(&mut fds, timeout_ms)? == 0 {
            return Ok(false);
        }
        let mut buf = [0; 1024];
        match io::read(self.fd, &mut buf)? {
            0 => Err(Errno::EIO),
            n => {
                self.pending.extend_from_slice(&buf[..n]);
                Ok(true)
            }
        }
    }

    fn take_bytes(&mut self, n: usize) -> Vec<u8> {
        self.pending.drain(..n.min(self.pending.len())).collect()
    }

    fn decode(&mut self) -> Key {
        let first = self.pending[0];
        if first == 0x1b {
            // A key's sequence comes at once; alone it is the escape key.
            if self.pending.len() == 1 && !matches!(self.more(50), Ok(true)) {
                self.take_bytes(1);
                return Key::Escape;
            }
            return self.sequence();
        }
        let len = match first {
            0..0x80 => 1,
            0xc2..0xe0 => 2,
            0xe0..0xf0 => 3,
            0xf0..0xf5 => 4,
            _ => 1,
        };
        while self.pending.len() < len && matches!(self.more(100), Ok(true)) {}
        let bytes = self.take_bytes(len);
        match bytes[0] {
            0x7f | 8 => Key::Backspace,
            b'\t' => Key::Char('\t'),
            b'\r' | b'\n' => Key::Char('\n'),
            c @ 0..0x20 => Key::Ctrl(c | 0x40),
            _ => String::from_utf8(bytes).ok().and_then(|s| s.chars().next()).map_or(Key::Other, Key::Char),
        }
    }

    fn sequence(&mut self) -> Key {
        if !matches!(self.pending[1], b'[' | b'O') {
            let bytes = self.take_bytes(2);
            return Key::Alt((bytes[1] as char).to_ascii_lowercase());
        }
        let mut end = 2;
        loop {
            match self.pending.get(end).copied() {
                Some(0x40..0x7f) => break,
                Some(_) if end < 24 => end += 1,
                None if matches!(self.more(50), Ok(true)) => {}
                _ => {
                    self.pending.clear();
                    return Key::Other;
                }
            }
        }
        let bytes = self.take_bytes(end + 1);
        let parameters = &bytes[2..end];
        match (bytes[end], parameters) {
            (b'A', _) => Key::Up,
            (b'B', _) => Key::Down,
            (b'C', _) => Key::Right,
            (b'D', _) => Key::Left,
            (b'H', _) | (b'~', b"1" | b"7") => Key::Home,
            (b'F', _) | (b'~', b"4" | b"8") => Key::End,
            (b'~', b"3") => Key::Delete,
            (b'~', b"5") => Key::PageUp,
            (b'~', b"6") => Key::PageDown,
            _ => Key::Other,
        }
    }

    /// Asks for a line at the bottom. Nothing when it was given up.
    pub fn ask(&mut self, question: &str, first: &str) -> Option<String> {
        let mut answer: String = first.into();
        loop {
            let row = self.rows - 1;
            self.row(row, &format!("{question}{answer}"));
            match self.key(-1) {
                Key::Char('\n') => return Some(answer),
                Key::Char(c) => answer.push(c),
                Key::Backspace => {
                    answer.pop()?;
                }
                Key::Ctrl(b'U') => answer.clear(),
                Key::Ctrl(b'C' | b'G') | Key::Escape | Key::Gone => return None,
                _ => {}
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.put(b"\x1b[0m\x1b[?1049l");
        self.flush();
        let _ = tcsetattr(self.fd, When::Drain, &self.saved);
    }
}

/// Columns that a character takes. Ranges: Unicode 16, EastAsianWidth `W` and `F`, and the larger blocks of
/// combining marks.
pub fn char_width(c: char) -> usize {
    match c as u32 {
        0x0300..=0x036f
        | 0x0483..=0x0489
        | 0x0591..=0x05bd
        | 0x064b..=0x065f
        | 0x1ab0..=0x1aff
        | 0x1dc0..=0x1dff
        | 0x200b..=0x200f
        | 0x20d0..=0x20ff
        | 0xfe00..=0xfe0f
        | 0xfe20..=0xfe2f => 0,
        0x1100..=0x115f
        | 0x231a..=0x231b
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// As much as fits; control characters would do things to the terminal.
pub fn cut(text: &str, columns: usize) -> String {
    let mut at = 0;
    let shown = text.chars().map(|c| if c.is_control() { '?' } else { c });
    shown
        .take_while(|c| {
            at += char_width(*c);
            at <= columns
        })
        .collect()
}
