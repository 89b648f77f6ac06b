//! Lines from files, of which one is always read ahead, since `$` is the one behind which none comes; and where they go.

use crate::options::Failure;
use crate::show::{flush_now, put};
use kit::input::Reader;
use vkernel_sys::{Errno, at, fs, io, mode, o};

pub struct Output {
    /// With -i: a file beside the one that is read, and what is to be written to it.
    aside: Option<(i32, Vec<u8>)>,
    end: u8,
    unbuffered: bool,
    /// The last line had no end, and gets it when there is more.
    open: bool,
}

impl Output {
    pub fn new(end: u8, unbuffered: bool) -> Output {
        Output { aside: None, end, unbuffered, open: false }
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        if self.open && !bytes.is_empty() {
            self.open = false;
            let end = [self.end];
            self.bytes(&end);
        }
        self.bytes(bytes);
    }

    pub fn line(&mut self, text: &[u8], ended: bool) {
        self.raw(text);
        if ended {
            let end = [self.end];
            self.bytes(&end);
        } else {
            self.open = true;
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        match &mut self.aside {
            Some((_, buffer)) => buffer.extend_from_slice(bytes),
            None => {
                put(bytes);
                if self.unbuffered {
                    flush_now();
                }
            }
        }
    }
}

pub struct Input {
    files: std::vec::IntoIter<Vec<u8>>,
    now: Option<(Reader, Vec<u8>)>,
    ahead: Option<Vec<u8>>,
    end: u8,
    separate: bool,
    suffix: Option<Vec<u8>>,
    pub number: u64,
    pub failed: bool,
}

impl Input {
    pub fn new(files: Vec<Vec<u8>>, end: u8, separate: bool, suffix: Option<Vec<u8>>) -> Input {
        Input { files: files.into_iter(), now: None, ahead: None, end, separate, suffix, number: 0, failed: false }
    }

    /// The next line and whether it had its end.
    pub fn next(&mut self, out: &mut Output) -> Result<Option<(Vec<u8>, bool)>, Failure> {
        let line = match self.ahead.take() {
            Some(line) => Some(line),
            None => loop {
                if self.now.is_none() && !self.open(out)? {
                    break None;
                }
                if let Some(line) = self.more() {
                    break Some(line);
                }
                self.close(out)?;
            },
        };
        let Some(mut line) = line else { return Ok(None) };
        self.number += 1;
        let ended = line.last() == Some(&self.end);
        if ended {
            line.pop();
        }
        // What -i writes has to be of this file only, so the next one is opened when this one is done.
        if self.ahead.is_none() {
            self.ahead = self.more();
        }
        Ok(Some((line, ended)))
    }

    /// Whether no line comes behind the one in hand; of this file, where each has its own.
    pub fn is_last(&mut self) -> bool {
        while self.ahead.is_none() && !self.separate {
            self.now = None;
            if !self.open_next() {
                return true;
            }
            self.ahead = self.more();
        }
        self.ahead.is_none()
    }

    fn more(&mut self) -> Option<Vec<u8>> {
        let (reader, path) = self.now.as_mut()?;
        let mut line = Vec::new();
        match reader.line(self.end, &mut line) {
            Ok(true) => Some(line),
            Ok(false) => None,
            Err(e) => {
                let path = path.clone();
                self.complain("read error on", &path, e);
                None
            }
        }
    }

    fn complain(&mut self, what: &str, path: &[u8], e: Errno) {
        flush_now();
        eprintln!("sed: {what} {}: {e}", String::from_utf8_lossy(path));
        self.failed = true;
    }

    fn open_next(&mut self) -> bool {
        while let Some(path) = self.files.next() {
            let is_dir = fs::stat(&path).is_ok_and(|s| s.mode & mode::IFMT == mode::IFDIR);
            match if is_dir { Err(Errno::EISDIR) } else { Reader::open(&path) } {
                Ok(reader) => {
                    self.now = Some((reader, path));
                    return true;
                }
                Err(e) => self.complain("can't read", &path, e),
            }
        }
        false
    }

    fn open(&mut self, out: &mut Output) -> Result<bool, Failure> {
        if !self.open_next() {
            return Ok(false);
        }
        if self.separate {
            self.number = 0;
        }
        if let (Some(_), Some((_, path))) = (&self.suffix, &self.now) {
            let aside = [path.as_slice(), b".sed-new"].concat();
            let fd = io::open(&aside, o::WRONLY | o::CREAT | o::EXCL | o::CLOEXEC, 0o600);
            out.aside = Some((fd.map_err(|e| Failure { status: 4, ..Failure::with(&aside, e) })?, Vec::new()));
        }
        Ok(true)
    }

    /// The file at hand is done: with -i, what was written takes its place.
    fn close(&mut self, out: &mut Output) -> Result<(), Failure> {
        let Some((_, path)) = self.now.take() else { return Ok(()) };
        let (Some(suffix), Some((fd, bytes))) = (&self.suffix, out.aside.take()) else { return Ok(()) };
        out.open = false;
        let aside = [path.as_slice(), b".sed-new"].concat();
        let done = (|| {
            io::write_all(fd, &bytes)?;
            io::close(fd)?;
            let old = fs::stat(&path)?;
            fs::chmod(&aside, old.mode & 0o7777, 0)?;
            // Who may not give files away keeps them.
            let _ = fs::chown(&aside, old.uid, old.gid, at::SYMLINK_NOFOLLOW);
            if !suffix.is_empty() {
                let base = path.rsplit(|b| *b == b'/').next().unwrap_or(&path);
                let kept = if suffix.contains(&b'*') {
                    let text = String::from_utf8_lossy(suffix).replace('*', &String::from_utf8_lossy(base));
                    [&path[..path.len() - base.len()], text.as_bytes()].concat()
                } else {
                    [path.as_slice(), suffix].concat()
                };
                fs::rename(&path, &kept, 0)?;
            }
            fs::rename(&aside, &path, 0)
        })();
        done.map_err(|e| Failure { status: 4, ..Failure::with(&path, e) })
    }

    /// `q`: with -i, the rest of the file stays as it is.
    pub fn abandon(&mut self, out: &mut Output) -> Result<(), Failure> {
        if out.aside.is_some() {
            let mut next = self.ahead.take();
            while let Some(line) = next {
                out.raw(&line);
                next = self.more();
            }
            self.close(out)?;
        }
        Ok(())
    }
}
