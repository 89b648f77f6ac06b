//! Keys, from the bytes that a terminal sends.
//!
//! Not all of them are keys: a terminal answers questions that a program asked, maybe one that has ended since. Such
//! sequences and strings (ECMA-48 5.4, 5.6) are taken away.

use crate::text::from_bytes;
use std::collections::VecDeque;
use vkernel_sys::io::PollFd;
use vkernel_sys::{Errno, SysResult, io};

#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// A character, or what was pasted.
    Text(String),
    /// With the letter that Ctrl was held for; `?` is the delete key.
    Ctrl(u8),
    Meta(char),
    Up,
    Down,
    Left,
    Right,
    /// With Ctrl or Alt.
    WordLeft,
    WordRight,
    Home,
    Last,
    Delete,
}

const ESC: u8 = 0x1b;
/// So long a line may take between the bytes of a key.
const TOGETHER_MS: i32 = 50;
/// And so long between those of what has begun like an answer.
const ANSWER_MS: i32 = 250;
/// More than any answer has. What is longer is text.
const LONGEST: usize = 4096;

fn comes_within(ms: i32) -> bool {
    /// POLLIN of `poll(2)`.
    const IN: u16 = 1;
    let mut fds = [PollFd { fd: 0, events: IN, revents: 0 }];
    io::poll(&mut fds, ms) == Ok(1) && fds[0].revents & IN != 0
}

/// The terminal as it is typed on. Bytes are read one at a time, so that others find what follows a line.
#[derive(Default)]
pub struct Keys {
    /// Read while it might have been an answer.
    ahead: VecDeque<u8>,
}

impl Keys {
    /// True when a byte is there already: then nobody sees what is shown in between.
    pub fn pending(&self) -> bool {
        self.come_within(0)
    }

    fn come_within(&self, ms: i32) -> bool {
        !self.ahead.is_empty() || comes_within(ms)
    }

    fn byte(&mut self) -> SysResult<u8> {
        let mut b = [0];
        match self.ahead.pop_front() {
            Some(b) => Ok(b),
            None => match io::read(0, &mut b)? {
                0 => Err(Errno::EIO),
                _ => Ok(b[0]),
            },
        }
    }

    /// Inside of a key, which no signal takes apart: the rest of a paste would be commands.
    fn more(&mut self) -> SysResult<u8> {
        loop {
            match self.byte() {
                Err(Errno::EINTR) => {}
                b => return b,
            }
        }
    }

    /// Waits for a key. EINTR when a signal came instead; EIO at the end.
    pub fn next(&mut self) -> SysResult<Key> {
        Ok(match self.one(false)? {
            Key::Meta(c) => Key::Meta(c.to_ascii_lowercase()),
            key => key,
        })
    }

    /// The same where Escape is a key of its own, `Ctrl(b'[')`: what a key of the terminal's sends comes at once.
    pub fn next_vi(&mut self) -> SysResult<Key> {
        self.one(true)
    }

    fn one(&mut self, alone: bool) -> SysResult<Key> {
        loop {
            let key = match self.byte()? {
                ESC if alone && !self.come_within(TOGETHER_MS) => Some(Key::Ctrl(b'[')),
                ESC => self.escape()?,
                c @ 0..0x20 => Some(Key::Ctrl(c | 0x40)),
                0x7f => Some(Key::Ctrl(b'?')),
                c => Some(Key::Text(self.character(c)?)),
            };
            if let Some(key) = key {
                return Ok(key);
            }
        }
    }

    fn character(&mut self, first: u8) -> SysResult<String> {
        let more = match first {
            0xc2..0xe0 => 1,
            0xe0..0xf0 => 2,
            0xf0..0xf5 => 3,
            _ => 0,
        };
        let mut bytes = vec![first];
        for _ in 0..more {
            bytes.push(self.more()?);
        }
        Ok(from_bytes(&bytes))
    }

    /// What follows ESC: a key with Alt, a sequence, or a string; nothing when it was an answer.
    fn escape(&mut self) -> SysResult<Option<Key>> {
        match self.more()? {
            b'[' if self.come_within(TOGETHER_MS) => self.sequence(),
            b'O' if self.come_within(TOGETHER_MS) => self.sequence(),
            // OSC, DCS, SOS, PM, APC.
            b']' | b'P' | b'X' | b'^' | b'_' if self.string()? => Ok(None),
            c => Ok(self.character(c)?.chars().next().map(Key::Meta)),
        }
    }

    /// The rest of a control sequence (ECMA-48 5.4; xterm's control sequences).
    fn sequence(&mut self) -> SysResult<Option<Key>> {
        let mut parameters = Vec::new();
        let last = loop {
            match self.more()? {
                // The console of Linux has `ESC [ [ A` for a function key.
                b'[' if parameters.is_empty() => parameters.push(b'['),
                c @ 0x40..0x7f => break c,
                c @ 0x20..0x40 if parameters.len() < LONGEST => parameters.push(c),
                c => {
                    self.ahead.push_front(c);
                    return Ok(None);
                }
            }
        };
        // With Ctrl or Alt (`1;5`, `1;3`) the arrows go by words.
        let by_word = parameters.contains(&b';');
        Ok(Some(match (last, &parameters[..]) {
            (_, [b'[', ..]) => return Ok(None),
            (b'A', _) => Key::Up,
            (b'B', _) => Key::Down,
            (b'C', _) if by_word => Key::WordRight,
            (b'D', _) if by_word => Key::WordLeft,
            (b'C', _) => Key::Right,
            (b'D', _) => Key::Left,
            (b'H', _) | (b'~', b"1" | b"7") => Key::Home,
            (b'F', _) | (b'~', b"4" | b"8") => Key::Last,
            (b'~', b"3") => Key::Delete,
            (b'~', b"200") => self.pasted()?,
            _ => return Ok(None),
        }))
    }

    /// Takes a string away, up to BEL or ST, as terminals end it. False when what comes is none, and then it is
    /// still to be read: somebody holds Alt, and types.
    fn string(&mut self) -> SysResult<bool> {
        let mut taken = Vec::new();
        let mut patience = TOGETHER_MS;
        while taken.len() < LONGEST && self.come_within(patience) {
            let c = self.more()?;
            let after_escape = taken.last() == Some(&ESC);
            taken.push(c);
            match c {
                0x07 => return Ok(true),
                b'\\' if after_escape => return Ok(true),
                // No answer has a line end, which would make the rest a command's, nor Ctrl-C.
                _ if after_escape => break,
                0..0x20 if c != ESC => break,
                _ => patience = ANSWER_MS,
            }
        }
        taken.into_iter().rev().for_each(|c| self.ahead.push_front(c));
        Ok(false)
    }

    /// Text up to the mark that ends a paste.
    fn pasted(&mut self) -> SysResult<Key> {
        const END: &[u8] = b"\x1b[201~";
        let mut bytes = Vec::new();
        while !bytes.ends_with(END) {
            bytes.push(self.more()?);
        }
        bytes.truncate(bytes.len() - END.len());
        // The last line end is left for the person to type.
        let text = from_bytes(&bytes).replace("\r\n", "\n").replace('\r', "\n");
        Ok(Key::Text(text.trim_end_matches('\n').to_string()))
    }
}
