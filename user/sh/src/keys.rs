//! Keys, from the bytes that a terminal sends.

use crate::text::from_bytes;
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
    Other,
}

/// True when a byte is there already: then nobody sees what is shown in between.
pub fn pending() -> bool {
    comes_within(0)
}

fn comes_within(ms: i32) -> bool {
    /// POLLIN of `poll(2)`.
    const IN: u16 = 1;
    let mut fds = [PollFd { fd: 0, events: IN, revents: 0 }];
    io::poll(&mut fds, ms) == Ok(1) && fds[0].revents & IN != 0
}

fn byte() -> SysResult<u8> {
    let mut b = [0];
    match io::read(0, &mut b)? {
        0 => Err(Errno::EIO),
        _ => Ok(b[0]),
    }
}

/// Waits for a key. EINTR when a signal came instead; EIO at the end.
pub fn next_key() -> SysResult<Key> {
    Ok(match one(false)? {
        Key::Meta(c) => Key::Meta(c.to_ascii_lowercase()),
        key => key,
    })
}

/// The same where Escape is a key of its own, `Ctrl(b'[')`: what a key of the terminal's sends comes at once.
pub fn next_vi_key() -> SysResult<Key> {
    one(true)
}

fn one(alone: bool) -> SysResult<Key> {
    /// So long a line may take between the bytes of a key.
    const TOGETHER_MS: i32 = 50;
    match byte()? {
        0x1b if alone && !comes_within(TOGETHER_MS) => Ok(Key::Ctrl(b'[')),
        0x1b => escape(),
        c @ 0..0x20 => Ok(Key::Ctrl(c | 0x40)),
        0x7f => Ok(Key::Ctrl(b'?')),
        c => {
            let more = match c {
                0xc2..0xe0 => 1,
                0xe0..0xf0 => 2,
                0xf0..0xf5 => 3,
                _ => 0,
            };
            let mut bytes = vec![c];
            for _ in 0..more {
                bytes.push(byte()?);
            }
            Ok(Key::Text(from_bytes(&bytes)))
        }
    }
}

/// What follows ESC: a key with Alt, or a sequence (ECMA-48 5.4; xterm's control sequences).
fn escape() -> SysResult<Key> {
    let introducer = byte()?;
    if introducer != b'[' && introducer != b'O' {
        return Ok(Key::Meta(introducer as char));
    }
    let mut parameters = String::new();
    let last = loop {
        match byte()? {
            c @ 0x40..0x7f => break c,
            c => parameters.push(c as char),
        }
        if parameters.len() > 16 {
            return Ok(Key::Other);
        }
    };
    // With Ctrl or Alt (`1;5`, `1;3`) the arrows go by words.
    let by_word = parameters.contains(';');
    Ok(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' if by_word => Key::WordRight,
        b'D' if by_word => Key::WordLeft,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::Last,
        b'~' => match parameters.as_str() {
            "1" | "7" => Key::Home,
            "4" | "8" => Key::Last,
            "3" => Key::Delete,
            "200" => pasted()?,
            _ => Key::Other,
        },
        _ => Key::Other,
    })
}

/// Text up to the mark that ends a paste.
fn pasted() -> SysResult<Key> {
    const END: &[u8] = b"\x1b[201~";
    let mut bytes = Vec::new();
    while !bytes.ends_with(END) {
        bytes.push(byte()?);
    }
    bytes.truncate(bytes.len() - END.len());
    // The last line end is left for the person to type.
    let text = from_bytes(&bytes).replace("\r\n", "\n").replace('\r', "\n");
    Ok(Key::Text(text.trim_end_matches('\n').to_string()))
}
