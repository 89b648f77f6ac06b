//! `gzip`, `gunzip`, `zcat` (RFC 1952).

use crate::Fd;
use crate::options::{Failure, Options};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read, Write};
use vkernel_sys::{fs, io, o, tty};

const USAGE: &str = "gzip [-cdfkqtv] [-1 to -9] [FILE...]";
const WORDS: &[(&str, u8)] = &[
    ("stdout", b'c'),
    ("to-stdout", b'c'),
    ("decompress", b'd'),
    ("uncompress", b'd'),
    ("force", b'f'),
    ("keep", b'k'),
    ("no-name", b'n'),
    ("quiet", b'q'),
    ("test", b't'),
    ("verbose", b'v'),
    ("fast", b'1'),
    ("best", b'9'),
];

pub fn gzip(args: &[Vec<u8>]) -> Result<i32, Failure> {
    run(args, false, false)
}
pub fn gunzip(args: &[Vec<u8>]) -> Result<i32, Failure> {
    run(args, true, false)
}
pub fn zcat(args: &[Vec<u8>]) -> Result<i32, Failure> {
    run(args, true, true)
}

fn run(args: &[Vec<u8>], unpack: bool, show: bool) -> Result<i32, Failure> {
    let o = Options::parse_long(args, "cdfknqtv123456789", WORDS, USAGE, false)?;
    let unpack = unpack || o.has(b'd') || o.has(b't');
    let show = show || o.has(b'c');
    let files = if o.operands.is_empty() { vec![b"-".to_vec()] } else { o.operands.clone() };
    let mut status = 0;
    for f in &files {
        if let Err(e) = one(&o, f, unpack, show) {
            eprintln!("gzip: {}: {}", String::from_utf8_lossy(f), e.message);
            status = if e.status == 1 || status == 1 { 1 } else { 2 };
        }
    }
    Ok(status)
}

/// A file that is left as it is makes the status 2, what goes wrong 1.
type Done = Result<(), Failure>;

fn left(why: impl Into<String>) -> Done {
    Err(Failure::usage(why))
}

fn one(o: &Options, path: &[u8], unpack: bool, show: bool) -> Done {
    let text = |e: vkernel_sys::Errno| Failure::new(e.to_string());
    let level = Compression::new(o.last_of(b"123456789").map_or(6, |l| (l - b'0') as u32));
    if path == b"-" || show || o.has(b't') {
        let from = if path == b"-" { 0 } else { io::open(path, o::RDONLY | o::CLOEXEC, 0).map_err(text)? };
        if !unpack && tty::isatty(1) && !o.has(b'f') {
            return Err(Failure::new("compressed data is not written to a terminal"));
        }
        let done = pass(from, if o.has(b't') { None } else { Some(1) }, unpack, level);
        if from > 0 {
            // It was only read.
            let _ = io::close(from);
        }
        return done;
    }
    let to = match (unpack, path.strip_suffix(b".gz"), path.strip_suffix(b".tgz")) {
        (true, Some(base), _) => base.to_vec(),
        (true, _, Some(base)) => [base, b".tar"].concat(),
        (true, ..) => return left("unknown suffix -- ignored"),
        (false, Some(_), _) if !o.has(b'f') => return left("already has .gz suffix -- unchanged"),
        _ => [path, b".gz"].concat(),
    };
    let stat = fs::stat(path).map_err(text)?;
    if stat.mode & vkernel_sys::mode::IFMT != vkernel_sys::mode::IFREG {
        return left("is not a regular file -- ignored");
    }
    if fs::lstat(&to).is_ok() && !o.has(b'f') {
        return left(format!("{} already exists", String::from_utf8_lossy(&to)));
    }
    let from = io::open(path, o::RDONLY | o::CLOEXEC, 0).map_err(text)?;
    let out = io::open(&to, o::WRONLY | o::CREAT | o::TRUNC | o::CLOEXEC, 0o600).map_err(text)?;
    let done = pass(from, Some(out), unpack, level);
    let closed = io::close(out).map_err(text);
    let _ = io::close(from);
    if let Err(e) = done.and(closed) {
        let _ = fs::unlink(&to);
        return Err(e);
    }
    fs::chmod(&to, stat.mode & 0o7777, 0).map_err(text)?;
    fs::utimens(&to, stat.atime_ns, stat.mtime_ns, 0).map_err(text)?;
    if o.has(b'k') { Ok(()) } else { fs::unlink(path).map_err(text) }
}

/// From one descriptor to another, or to nowhere.
fn pass(from: i32, to: Option<i32>, unpack: bool, level: Compression) -> Done {
    let failed = |e: std::io::Error| Failure::new(e.to_string());
    let mut buf = vec![0; 64 << 10];
    if unpack {
        let mut input = MultiGzDecoder::new(Fd(from));
        loop {
            match input.read(&mut buf).map_err(failed)? {
                0 => return Ok(()),
                n => to.map_or(Ok(()), |to| Fd(to).write_all(&buf[..n])).map_err(failed)?,
            }
        }
    }
    let mut output = GzEncoder::new(Fd(to.unwrap_or(1)), level);
    loop {
        match Fd(from).read(&mut buf).map_err(failed)? {
            0 => break,
            n => output.write_all(&buf[..n]).map_err(failed)?,
        }
    }
    output.finish().map(|_| ()).map_err(failed)
}
