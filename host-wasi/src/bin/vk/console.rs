//! What is said on standard error: vk's messages, and the kernel's on their way there.
//!
//! The kernel's come through a pipe, line by line, and leave with `vk: ` in front, as vk's messages do; the
//! one about a program that isn't there also gets a word on what to do.

use crate::plan::Plan;
use host_wasi::Stdio;
use std::future::Future;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use tokio::net::unix::pipe;

pub struct Console {
    from: pipe::Receiver,
    /// The name of the program, when it is looked for in the image.
    wanted: Option<String>,
    line: Vec<u8>,
    /// The message before this one.
    last: Vec<u8>,
}

/// A line longer than this is passed on in pieces.
const LONGEST: usize = 64 << 10;

impl Console {
    /// The console, and the stream that the kernel writes to.
    pub fn new(plan: &Plan) -> io::Result<(Console, Stdio)> {
        let (read, write) = io::pipe()?;
        let (read, write): (OwnedFd, OwnedFd) = (read.into(), write.into());
        let wanted = plan.host_program.is_none().then(|| plan.name.clone());
        Ok((
            Console { from: pipe::Receiver::from_owned_fd(read)?, wanted, line: Vec::new(), last: Vec::new() },
            Stdio::Fd(write),
        ))
    }

    /// Passes messages on until the future is ready, and then what is left of them.
    pub async fn while_waiting<T>(mut self, f: impl Future<Output = T>) -> T {
        tokio::pin!(f);
        loop {
            tokio::select! {
                biased;
                done = &mut f => {
                    self.pass_on();
                    return done;
                }
                ready = self.from.readable() => {
                    if ready.is_err() || !self.pass_on() {
                        return f.await;
                    }
                }
            }
        }
    }

    /// Reads what is there; false at the end of the pipe.
    fn pass_on(&mut self) -> bool {
        let mut buf = [0; 4096];
        loop {
            match self.from.try_read(&mut buf) {
                Ok(0) => {
                    self.flush();
                    return false;
                }
                Ok(n) => self.add(&buf[..n]),
                Err(e) => return e.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() > LONGEST {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() && !told(&self.last, &line) {
            // Standard error may be closed; there is nobody to tell.
            let _ = io::stderr().write_all(&dressed(&line, self.wanted.as_deref()));
        }
        self.last = line;
    }
}

/// Is this only the error number of what the message before it told in words?
fn told(last: &[u8], line: &[u8]) -> bool {
    line.strip_suffix(b"Exec format error\n").is_some_and(|subject| subject.len() > 2 && last.starts_with(subject))
}

/// The line as vk says it.
fn dressed(line: &[u8], wanted: Option<&str>) -> Vec<u8> {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    // The text may quote what a program says of itself: it must not steer the terminal.
    let plain: Vec<u8> = text.iter().map(|&b| if b.is_ascii_control() && b != b'\t' { b'?' } else { b }).collect();
    let text = &plain[..];
    let missing = wanted.is_some_and(|name| text == format!("{name}: No such file or directory").as_bytes());
    let text: &[u8] = if missing { &text[..text.len() - b"No such file or directory".len()] } else { text };
    let hint: &[u8] = if text.ends_with(b": Out of memory") {
        b" (give it more with --memory or --total-memory)"
    } else if missing {
        b"no such program in the image (vk run ls /bin lists them; a program of yours is given by its path)"
    } else {
        b""
    };
    [b"vk: ", text, hint, b"\n"].concat()
}

/// A message of vk's.
pub fn say(text: &str) {
    print(&format!("vk: {text}"));
}

/// A line on standard error. It may be closed: there is nobody to tell.
pub fn print(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// A size for a person.
pub fn megabytes(bytes: usize) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_vks() {
        let says = |line: &[u8], wanted| String::from_utf8(dressed(line, wanted)).unwrap();
        assert_eq!(says(b"out of memory\n", None), "vk: out of memory\n");
        assert_eq!(says(b"ls: No such file or directory\n", None), "vk: ls: No such file or directory\n");
        let hint = says(b"lss: No such file or directory\n", Some("lss"));
        assert!(hint.starts_with("vk: lss: no such program in the image (vk run ls /bin"), "{hint}");
        assert_eq!(says(b"x\x1b[31m\r: no\n", None), "vk: x?[31m?: no\n");
        assert!(says(b"x: Out of memory\n", None).ends_with("--total-memory)\n"));
        assert!(told(b"x.wasm: not a WebAssembly module\n", b"x.wasm: Exec format error\n"));
        assert!(!told(b"y.wasm: damaged\n", b"x.wasm: Exec format error\n"));
        assert_eq!(says(b"other: No such file or directory", Some("lss")), "vk: other: No such file or directory\n");
    }
}
