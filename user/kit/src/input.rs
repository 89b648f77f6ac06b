//! Input by lines.

use vkernel_sys::{Errno, SysResult, io, o};

/// Reads once, behind what the buffer holds. Answers how much came, nothing at the end.
pub fn read_more(fd: i32, buf: &mut Vec<u8>) -> SysResult<usize> {
    let len = buf.len();
    // As much again as there is, so that long lines don't take long.
    buf.resize(len + len.max(32 << 10), 0);
    let got = loop {
        match io::read(fd, &mut buf[len..]) {
            Err(Errno::EINTR) => {}
            got => break got,
        }
    };
    buf.truncate(len + *got.as_ref().unwrap_or(&0));
    got
}

/// Writes everything from here to the end to standard output, each part as it comes: somebody may be waiting for it.
pub fn copy_out(fd: i32) -> SysResult<()> {
    let mut buf = vec![0; 64 << 10];
    loop {
        match io::read(fd, &mut buf) {
            Ok(0) => return Ok(()),
            Ok(n) => io::write_all(1, &buf[..n])?,
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
}

/// A descriptor that is read through a buffer.
pub struct Reader {
    fd: i32,
    buf: Vec<u8>,
    at: usize,
    end: bool,
}

impl Reader {
    /// A file, or standard input for `-`.
    pub fn open(path: &[u8]) -> SysResult<Reader> {
        let fd = if path == b"-" { 0 } else { io::open(path, o::RDONLY | o::CLOEXEC, 0)? };
        Ok(Reader::new(fd))
    }
    pub fn new(fd: i32) -> Reader {
        Reader { fd, buf: Vec::new(), at: 0, end: false }
    }
    pub fn fd(&self) -> i32 {
        self.fd
    }

    fn fill(&mut self) -> SysResult<bool> {
        if self.at > 0 {
            self.buf.drain(..self.at);
            self.at = 0;
        }
        self.end = read_more(self.fd, &mut self.buf)? == 0;
        Ok(!self.end)
    }

    /// What is there already or comes with one read; empty at the end.
    pub fn peek(&mut self) -> SysResult<&[u8]> {
        if self.at == self.buf.len() && !self.end {
            self.fill()?;
        }
        Ok(&self.buf[self.at..])
    }

    /// Behind the end there may be more by now.
    pub fn again(&mut self) {
        self.end = false;
    }

    /// Passes over bytes that [`peek`](Reader::peek) has shown.
    pub fn skip(&mut self, n: usize) {
        self.at = (self.at + n).min(self.buf.len());
    }

    /// The next line with its `end`, which the last may lack. False when there is none.
    pub fn line(&mut self, end: u8, line: &mut Vec<u8>) -> SysResult<bool> {
        line.clear();
        let mut from = self.at;
        loop {
            if let Some(n) = self.buf[from..].iter().position(|&b| b == end) {
                line.extend_from_slice(&self.buf[self.at..from + n + 1]);
                self.at = from + n + 1;
                return Ok(true);
            }
            let seen = self.buf.len() - self.at;
            if self.end || !self.fill()? {
                line.extend_from_slice(&self.buf[self.at..]);
                self.at = self.buf.len();
                return Ok(!line.is_empty());
            }
            from = seen;
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.fd > 2 {
            // It was only read.
            let _ = io::close(self.fd);
        }
    }
}
