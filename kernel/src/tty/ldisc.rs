//! The line discipline: what a terminal makes of keys. POSIX 11.1, and Linux where POSIX is silent.
//!
//! Pure: bytes go in by [`Ldisc::receive`], lines and bytes for readers stand in `input`, the echo
//! in `out`, and signals are answered. It runs at interrupt time, so it never waits and allocates
//! nothing. What has a lock is the `Tty` around it.

use abi::SysResult;
use abi::types::Termios;
use abi::types::sig;
use abi::types::termios::*;

use super::input::Input;
use super::output::Output;
use super::width::{Decoder, is_continuation, is_control};

const BEL: u8 = 7;
const BACKSPACE: u8 = 8;

/// A terminal's state between the device and its readers and writers.
pub struct Ldisc {
    settings: Termios,
    /// A bit for each byte that may not be just another one.
    special: [u32; 8],
    pub input: Input,
    pub out: Output,
    /// Where the line that is being edited began.
    start_column: u32,
    /// The next byte is one like any other (VLNEXT).
    literal: bool,
    /// The other side was told to stop sending (IXOFF).
    held: bool,
}

/// What is taken off the line at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Erase {
    Char,
    Word,
    Line,
}

impl Ldisc {
    /// ENOMEM.
    pub fn new() -> SysResult<Ldisc> {
        let mut l = Ldisc {
            settings: Termios::default(),
            special: [0; 8],
            input: Input::new()?,
            out: Output::new()?,
            start_column: 0,
            literal: false,
            held: false,
        };
        l.note_special();
        Ok(l)
    }

    pub fn settings(&self) -> &Termios {
        &self.settings
    }

    /// `tcsetattr(3)`.
    pub fn set(&mut self, new: Termios) {
        match (self.settings.raw(), new.raw()) {
            (false, true) => self.input.become_raw(),
            (true, false) => self.input.become_lines(),
            _ => {}
        }
        self.settings = new;
        self.literal = false;
        self.out.stopped &= new.input(IXON);
        self.note_special();
    }

    fn note_special(&mut self) {
        const PLACES: [usize; 13] =
            [VINTR, VQUIT, VERASE, VKILL, VEOF, VSTART, VSTOP, VSUSP, VEOL, VREPRINT, VWERASE, VLNEXT, VEOL2];
        self.special = [0; 8];
        let keys = PLACES.map(|p| self.settings.cc(p));
        for b in keys.into_iter().filter(|&b| b != 0).chain([b'\r', b'\n']) {
            self.special[b as usize / 32] |= 1 << (b % 32);
        }
    }

    /// How many bytes of the device's there is a place for. A line that is too long is read on, byte
    /// by byte, for the key that ends or erases it.
    pub fn room(&self) -> usize {
        let free = self.input.free();
        match self.settings.raw() {
            true => free,
            false if self.input.has_line() => free.saturating_sub(1),
            false => free.saturating_sub(1).max(1),
        }
    }

    /// Tells the other side to stop or to go on sending, if that is how it wants it.
    pub fn control_flow(&mut self) {
        let wanted = self.settings.input(IXOFF) && self.input.free() < if self.held { 2048 } else { 512 };
        if wanted != self.held {
            self.held = wanted;
            self.send_flow(wanted);
        }
    }
    /// `tcflow(3)` with TCIOFF and TCION.
    pub fn send_flow(&mut self, stop: bool) {
        let key = self.settings.cc(if stop { VSTOP } else { VSTART });
        if key != 0 {
            self.out.send(key);
        }
    }

    /// A key. Answers the signal to be sent, as a bit, or 0.
    pub fn receive(&mut self, byte: u8) -> u32 {
        let byte = if self.settings.input(ISTRIP) { byte & 0x7f } else { byte };
        if core::mem::take(&mut self.literal) {
            self.plain(byte, true);
        } else if self.special[byte as usize / 32] & 1 << (byte % 32) != 0 {
            return self.key(byte);
        } else {
            self.restart_by_any();
            self.plain(byte, false);
        }
        0
    }

    /// True when the key will send a signal, which drops what is not shown yet.
    pub fn interrupts(&self, byte: u8) -> bool {
        let t = &self.settings;
        t.local(ISIG) && !self.literal && (t.is(byte, VINTR) || t.is(byte, VQUIT) || t.is(byte, VSUSP))
    }

    fn restart_by_any(&mut self) {
        if self.out.stopped && self.settings.input(IXON) && self.settings.input(IXANY) {
            self.out.stopped = false;
        }
    }

    fn key(&mut self, byte: u8) -> u32 {
        let t = self.settings;
        if t.input(IXON) && (t.is(byte, VSTART) || t.is(byte, VSTOP)) {
            // One key for both toggles.
            self.out.stopped = t.is(byte, VSTOP) && !(t.is(byte, VSTART) && self.out.stopped);
            return 0;
        }
        if t.local(ISIG) {
            let keys = [(VINTR, sig::INT), (VQUIT, sig::QUIT), (VSUSP, sig::TSTP)];
            if let Some(k) = keys.iter().find(|k| t.is(byte, k.0)) {
                self.signal_key(byte);
                return 1 << k.1;
            }
        }
        self.restart_by_any();
        let key = byte;
        let byte = match byte {
            b'\r' if t.input(IGNCR) => return 0,
            b'\r' if t.input(ICRNL) => b'\n',
            b'\n' if t.input(INLCR) => b'\r',
            b => b,
        };
        if t.raw() || !self.edit(byte) {
            // A newline of its own is echoed as ^J in raw mode; so does Linux.
            self.plain(byte, key == byte);
        }
        0
    }

    fn signal_key(&mut self, byte: u8) {
        if !self.settings.local(NOFLSH) {
            self.input.clear();
            self.out.clear();
        }
        self.out.stopped &= !self.settings.input(IXON);
        if self.settings.local(ECHO) {
            self.echo_char(byte);
        }
    }

    /// The keys of canonical mode. False for one that is none.
    fn edit(&mut self, byte: u8) -> bool {
        let t = self.settings;
        let extended = |which| t.local(IEXTEN) && t.is(byte, which);
        if t.is(byte, VERASE) {
            self.erase(Erase::Char, byte);
        } else if t.is(byte, VKILL) {
            self.kill(byte);
        } else if extended(VWERASE) {
            self.erase(Erase::Word, byte);
        } else if extended(VLNEXT) {
            self.literal = true;
            if t.local(ECHO) && t.local(ECHOCTL) {
                self.echo_all(&[b'^', BACKSPACE]);
            }
        } else if extended(VREPRINT) && t.local(ECHO) {
            self.reprint(byte);
        } else if byte == b'\n' {
            let echo = t.local(ECHO) || t.local(ECHONL);
            self.end_line(byte, echo);
        } else if t.is(byte, VEOF) {
            // There is room: see `Input::push`.
            self.input.end_of_file();
        } else if t.is(byte, VEOL) || extended(VEOL2) {
            self.end_line(byte, t.local(ECHO));
        } else {
            return false;
        }
        true
    }

    fn end_line(&mut self, byte: u8, echo: bool) {
        if !self.input.end_line(byte) {
            self.out.echo(&self.settings, BEL);
        } else if echo {
            self.echo_key(byte);
        }
    }

    /// A byte for the reader.
    fn plain(&mut self, byte: u8, literal: bool) {
        let first = self.input.line_len() == 0;
        let stored = if self.settings.raw() { self.input.push_raw(byte) } else { self.input.push(byte) };
        if !stored {
            // POSIX has IMAXBEL for this; here as on Linux it is always so.
            self.out.echo(&self.settings, BEL);
        } else if self.settings.local(ECHO) {
            if first {
                self.start_column = self.out.column;
            }
            if literal { self.echo_char(byte) } else { self.echo_key(byte) }
        }
    }

    /// A newline is one, but for one that was asked for literally.
    fn echo_key(&mut self, byte: u8) {
        if byte == b'\n' { self.out.echo(&self.settings, byte) } else { self.echo_char(byte) }
    }

    fn echo_all(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.out.echo(&self.settings, b));
    }

    fn echo_char(&mut self, byte: u8) {
        show(&mut self.out, &self.settings, byte);
    }

    fn reprint(&mut self, byte: u8) {
        self.echo_char(byte);
        self.out.echo(&self.settings, b'\n');
        self.start_column = self.out.column;
        self.input.line().for_each(|b| show(&mut self.out, &self.settings, b));
    }

    fn kill(&mut self, byte: u8) {
        let t = self.settings;
        if !t.local(ECHO) || self.input.line_len() == 0 {
            self.input.erase(usize::MAX);
        } else if t.local(ECHOK) && t.local(ECHOKE) && t.local(ECHOE) {
            self.erase(Erase::Line, byte);
        } else {
            self.input.erase(usize::MAX);
            self.echo_char(byte);
            if t.local(ECHOK) {
                self.out.echo(&self.settings, b'\n');
            }
        }
    }

    /// Takes characters off the end of the line, and off the screen.
    fn erase(&mut self, what: Erase, key: u8) {
        let mut in_word = false;
        while let Some((first, len)) = self.last_char() {
            if what == Erase::Word {
                // Linux's words: what is behind them goes along.
                let part = first.is_ascii_alphanumeric() || first == b'_' || first >= 0xc0;
                if !part && in_word {
                    return;
                }
                in_word |= part;
            }
            self.unshow(first, len, what, key);
            self.input.erase(len);
            if what == Erase::Char {
                return;
            }
        }
    }

    /// The last character of the line: its first byte, and how many bytes it has.
    fn last_char(&self) -> Option<(u8, usize)> {
        let mut len = 0;
        for b in self.input.line().rev() {
            len += 1;
            if !(self.settings.input(IUTF8) && is_continuation(b)) {
                return Some((b, len));
            }
        }
        // A line of nothing but middles of characters.
        self.input.line().next().map(|b| (b, len))
    }

    fn unshow(&mut self, first: u8, len: usize, what: Erase, key: u8) {
        let t = self.settings;
        if !t.local(ECHO) {
            return;
        }
        if what == Erase::Char && !t.local(ECHOE) {
            return self.echo_char(key);
        }
        if first == b'\t' {
            let column = self.column_at(self.input.line_len() - len);
            return (0..8 - column % 8).for_each(|_| self.out.echo(&t, BACKSPACE));
        }
        for _ in 0..self.columns(self.input.line_len() - len) {
            self.echo_all(&[BACKSPACE, b' ', BACKSPACE]);
        }
    }

    /// The columns of what stands on the line from this byte on, without tabs.
    fn columns(&self, from: usize) -> i32 {
        let mut decoder = Decoder::default();
        self.input.line().skip(from).map(|b| self.columns_of(b, &mut decoder)).sum()
    }

    fn columns_of(&self, byte: u8, decoder: &mut Decoder) -> i32 {
        match byte {
            b if is_control(b) => 2 * self.settings.local(ECHOCTL) as i32,
            b if self.settings.input(IUTF8) => decoder.columns_of(b),
            _ => 1,
        }
    }

    /// Where the cursor stood before this byte of the line was typed.
    fn column_at(&self, at: usize) -> u32 {
        let mut decoder = Decoder::default();
        self.input.line().take(at).fold(self.start_column, |column, b| match b {
            b'\t' => (column / 8 + 1) * 8,
            b => column.saturating_add_signed(self.columns_of(b, &mut decoder)),
        })
    }
}

/// The echo of a byte. As ECHOCTL has it: control characters as `^X`, but not tabs.
fn show(out: &mut Output, t: &Termios, byte: u8) {
    if t.local(ECHOCTL) && is_control(byte) && byte != b'\t' {
        out.echo(t, b'^');
        out.echo(t, byte ^ 0x40);
    } else {
        out.echo(t, byte);
    }
}

#[cfg(test)]
#[path = "ldisc_tests.rs"]
mod tests;
