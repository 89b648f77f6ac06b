//! What a terminal has yet to show, and output processing (`OPOST`).
//!
//! Programs and the echo write into one buffer, so that what was typed and what was written keep
//! their order. It is bounded: a program waits for room, the echo has some that programs leave to
//! it and beyond that is lost, as nobody could wait for it.

use alloc::vec::Vec;
use core::mem::take;

use abi::types::Termios;
use abi::types::termios::*;
use abi::{Errno, SysResult};

use super::width::{self, Decoder};

/// Bytes kept.
const SIZE: usize = 8 << 10;
/// Of these, for the echo alone.
const FOR_ECHO: usize = 1 << 10;
/// The most that one byte becomes: a tab.
const LARGEST: usize = 8;

/// Bytes on their way to the device, and where they leave the cursor.
pub struct Output {
    buf: Vec<u8>,
    /// Those before it are with the device.
    head: usize,
    /// The cursor's, from 0, as far as output processing knows.
    pub column: u32,
    decoder: Decoder,
    /// By the stop character or `tcflow(3)`.
    pub stopped: bool,
}

impl Output {
    /// ENOMEM.
    pub fn new() -> SysResult<Output> {
        let mut buf = Vec::new();
        buf.try_reserve_exact(SIZE).map_err(|_| Errno::ENOMEM)?;
        Ok(Output { buf, head: 0, column: 0, decoder: Decoder::default(), stopped: false })
    }

    pub fn len(&self) -> usize {
        self.buf.len() - self.head
    }
    pub fn clear(&mut self) {
        self.buf.clear();
        self.head = 0;
    }

    /// How many bytes of a program's there is room for, whatever they become.
    pub fn room(&self, t: &Termios) -> usize {
        let each = match t.output(OPOST) {
            true if tabs(t) => LARGEST,
            true => 2,
            false => 1,
        };
        (SIZE - FOR_ECHO).saturating_sub(self.len()) / each
    }
    /// So much that a sleeping writer should be woken.
    pub fn roomy(&self) -> bool {
        self.len() <= SIZE / 2
    }

    /// Moves bytes to the device until it takes no more. `write` may answer EAGAIN.
    pub fn flush(&mut self, mut write: impl FnMut(&[u8]) -> SysResult<usize>) {
        while !self.stopped && self.head < self.buf.len() {
            match write(&self.buf[self.head..]) {
                Ok(n @ 1..) => self.head += n.min(self.len()),
                // It will be ready again, or it is gone and its hangup follows.
                _ => return,
            }
        }
        if self.head == self.buf.len() {
            self.clear();
        }
    }

    /// A program's bytes; no more than there is `room` for.
    pub fn write(&mut self, t: &Termios, mut bytes: &[u8]) {
        self.compact(bytes.len() * LARGEST);
        if !t.output(OPOST) {
            return self.buf.extend_from_slice(bytes);
        }
        while !bytes.is_empty() {
            // Runs of plain text need no look at each byte.
            let plain = bytes.iter().position(|b| !(0x20..0x7f).contains(b)).unwrap_or(bytes.len());
            let (run, rest) = bytes.split_at(plain);
            self.buf.extend_from_slice(run);
            self.column = self.column.wrapping_add(plain as u32);
            let Some((&special, rest)) = rest.split_first() else { break };
            self.put(t, special);
            bytes = rest;
        }
    }

    /// One byte of the echo.
    pub fn echo(&mut self, t: &Termios, byte: u8) {
        self.compact(LARGEST);
        if self.len() + LARGEST > SIZE {
            return;
        }
        if t.output(OPOST) { self.put(t, byte) } else { self.buf.push(byte) }
    }

    /// Past output processing and ahead of nothing: the start and stop characters of `IXOFF`.
    pub fn send(&mut self, byte: u8) {
        self.compact(1);
        if self.len() < SIZE {
            self.buf.push(byte);
        }
    }

    /// Makes room behind by moving what is left to the front; the buffer never grows.
    fn compact(&mut self, want: usize) {
        if self.head > 0 && self.buf.len() + want > SIZE {
            self.buf.drain(..take(&mut self.head));
        }
    }

    /// Output processing of one byte.
    fn put(&mut self, t: &Termios, byte: u8) {
        match byte {
            b'\n' => {
                if t.output(ONLCR) {
                    self.buf.push(b'\r');
                }
                if t.output(ONLCR | ONLRET) {
                    self.column = 0;
                }
                self.buf.push(b'\n');
            }
            b'\r' if t.output(ONOCR) && self.column == 0 => {}
            b'\r' => {
                let newline = t.output(OCRNL);
                if !newline || t.output(ONLRET) {
                    self.column = 0;
                }
                self.buf.push(if newline { b'\n' } else { b'\r' });
            }
            b'\t' => {
                let spaces = 8 - self.column % 8;
                self.column = self.column.wrapping_add(spaces);
                if tabs(t) {
                    self.buf.extend_from_slice(&[b' '; LARGEST][..spaces as usize]);
                } else {
                    self.buf.push(b'\t');
                }
            }
            b'\x08' => {
                self.column = self.column.saturating_sub(1);
                self.buf.push(byte);
            }
            _ => {
                if !width::is_control(byte) {
                    let columns = if t.input(IUTF8) { self.decoder.columns_of(byte) } else { 1 };
                    self.column = self.column.saturating_add_signed(columns);
                }
                self.buf.push(byte);
            }
        }
    }
}

fn tabs(t: &Termios) -> bool {
    t.oflag & TAB3 == TAB3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(t: &Termios, bytes: &[u8]) -> Vec<u8> {
        let mut out = Output::new().expect("memory");
        out.write(t, bytes);
        out.buf
    }

    #[test]
    fn newlines_returns_and_tabs_as_the_flags_say() {
        let t = |oflag| Termios { oflag, ..Termios::default() };
        for (oflag, given, want) in [
            (OPOST | ONLCR, &b"a\nb"[..], &b"a\r\nb"[..]),
            (ONLCR, b"a\n\tb", b"a\n\tb"),
            (OPOST | OCRNL, b"a\rb", b"a\nb"),
            (OPOST | ONOCR, b"\ra\r\rb", b"a\rb"),
            (OPOST | TAB3, b"ab\tc\td", b"ab      c       d"),
            (OPOST | TAB3 | ONLCR, b"abc\n\tc", b"abc\r\n        c"),
            // Without ONLRET a newline leaves the column where it was.
            (OPOST | TAB3, b"abc\n\tc", b"abc\n     c"),
            (OPOST | TAB3 | ONLRET, b"abc\n\tc", b"abc\n        c"),
            (OPOST | TAB3, b"abc\x08\tc", b"abc\x08      c"),
            (OPOST | TAB3, "äé\tc".as_bytes(), "äé      c".as_bytes()),
        ] {
            assert_eq!(shown(&t(oflag), given), want, "{oflag:o} {given:?}");
        }
    }

    #[test]
    fn the_buffer_stays_within_its_size_and_keeps_room_for_the_echo() {
        let t = Termios { oflag: OPOST | TAB3, ..Termios::default() };
        let mut out = Output::new().expect("memory");
        let room = out.room(&t);
        out.write(&t, &b"\t".repeat(room));
        assert_eq!(out.room(&t), 0);
        out.echo(&t, b'x');
        let before = out.len();
        // A device that takes a little, then no more.
        let mut left = 100;
        out.flush(|b| {
            let n = b.len().min(left);
            left -= n;
            if n == 0 { Err(Errno::EAGAIN) } else { Ok(n) }
        });
        assert_eq!(out.len(), before - 100);
        for _ in 0..2 * SIZE {
            out.echo(&t, b'y');
        }
        assert!(out.len() <= SIZE && out.buf.capacity() == SIZE);
    }
}
