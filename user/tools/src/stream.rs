//! `cat`, `dd`: bytes from here to there. uutils' know regular files only on this target.

use crate::options::{Failure, Options};
use kit::input::copy_out;
use vkernel_sys::{Errno, SysResult, io, o};

pub fn cat(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "AbeEnstTuv", "cat [-AbeEnstTuv] [FILE...]", false)?;
    let all = o.has(b'A');
    let mut marks = Marks {
        number: o.has(b'n') && !o.has(b'b'),
        number_full: o.has(b'b'),
        squeeze: o.has(b's'),
        ends: all || o.has(b'e') || o.has(b'E'),
        tabs: all || o.has(b't') || o.has(b'T'),
        visible: all || o.has(b'e') || o.has(b't') || o.has(b'v'),
        line: 0,
        blank: false,
        at_start: true,
    };
    let plain = !(marks.number || marks.number_full || marks.squeeze || marks.ends || marks.tabs || marks.visible);
    let paths = if o.operands.is_empty() { vec![b"-".to_vec()] } else { o.operands };
    let mut status = 0;
    for path in &paths {
        let source = if path == b"-" { Ok(0) } else { io::open(path, o::RDONLY | o::CLOEXEC, 0) };
        let done = source.and_then(|fd| {
            let copied = if plain { copy_out(fd) } else { marks.copy(fd) };
            if fd != 0 {
                // It was only read.
                let _ = io::close(fd);
            }
            copied
        });
        if let Err(e) = done {
            eprintln!("cat: {}: {e}", String::from_utf8_lossy(path));
            status = 1;
        }
    }
    Ok(status)
}

/// What is added to the lines; it goes on from file to file.
struct Marks {
    number: bool,
    number_full: bool,
    squeeze: bool,
    ends: bool,
    tabs: bool,
    visible: bool,
    line: u64,
    blank: bool,
    at_start: bool,
}

impl Marks {
    fn copy(&mut self, fd: i32) -> SysResult<()> {
        let mut buf = vec![0; 64 << 10];
        loop {
            let n = match io::read(fd, &mut buf) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(Errno::EINTR) => continue,
                Err(e) => return Err(e),
            };
            let mut out = Vec::with_capacity(n * 2);
            buf[..n].iter().for_each(|&b| self.byte(b, &mut out));
            io::write_all(1, &out)?;
        }
    }

    fn byte(&mut self, b: u8, out: &mut Vec<u8>) {
        let empty = self.at_start && b == b'\n';
        if empty && self.squeeze && self.blank {
            return;
        }
        if self.at_start {
            self.blank = empty;
            if self.number || self.number_full && !empty {
                self.line += 1;
                out.extend_from_slice(format!("{:6}\t", self.line).as_bytes());
            }
        }
        self.at_start = b == b'\n';
        match b {
            b'\n' if self.ends => out.extend_from_slice(b"$\n"),
            b'\t' if self.tabs => out.extend_from_slice(b"^I"),
            b'\n' | b'\t' => out.push(b),
            b if self.visible => visible(b, out),
            b => out.push(b),
        }
    }
}

/// `^X` for control characters, `M-` before those of the upper half.
fn visible(b: u8, out: &mut Vec<u8>) {
    if b >= 0x80 {
        out.extend_from_slice(b"M-");
    }
    match b & 0x7f {
        0x7f => out.extend_from_slice(b"^?"),
        c @ ..0x20 => out.extend([b'^', c + 0x40]),
        c => out.push(c),
    }
}

/// What `dd` was told.
struct Dd {
    input: Option<Vec<u8>>,
    output: Option<Vec<u8>>,
    ibs: usize,
    obs: usize,
    count: Option<u64>,
    skip: u64,
    seek: u64,
    notrunc: bool,
    sync: bool,
    noerror: bool,
    quiet: bool,
    full_blocks: bool,
}

/// A number with `k`, `M`, `G`, `b` (512) or `x` between factors.
fn size(text: &str) -> Option<u64> {
    if let Some((a, b)) = text.split_once('x') {
        return size(a)?.checked_mul(size(b)?);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "c" => 1,
        "w" => 2,
        "b" => 512,
        "k" | "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn parse(args: &[Vec<u8>]) -> Result<Dd, Failure> {
    const USAGE: &str = "dd [if=FILE] [of=FILE] [bs=N] [ibs=N] [obs=N] [count=N] [skip=N] [seek=N] [conv=notrunc,sync,noerror] [iflag=fullblock] [status=none]";
    let mut d = Dd {
        input: None,
        output: None,
        ibs: 512,
        obs: 512,
        count: None,
        skip: 0,
        seek: 0,
        notrunc: false,
        sync: false,
        noerror: false,
        quiet: false,
        full_blocks: false,
    };
    for arg in args {
        let shown = String::from_utf8_lossy(arg).into_owned();
        let wrong = || Failure::usage(format!("{shown}: not understood\nusage: {USAGE}"));
        let at = arg.iter().position(|&b| b == b'=').ok_or_else(wrong)?;
        let (name, raw) = (&shown[..at.min(shown.len())], &arg[at + 1..]);
        let value = String::from_utf8_lossy(raw);
        let number = || size(&value).ok_or_else(wrong);
        let block = || size(&value).filter(|n| (1..=1 << 28).contains(n)).map(|n| n as usize).ok_or_else(wrong);
        match name {
            "if" => d.input = Some(raw.to_vec()),
            "of" => d.output = Some(raw.to_vec()),
            "bs" => (d.ibs, d.obs) = (block()?, block()?),
            "ibs" => d.ibs = block()?,
            "obs" => d.obs = block()?,
            "count" => d.count = Some(number()?),
            "skip" | "iseek" => d.skip = number()?,
            "seek" | "oseek" => d.seek = number()?,
            "iflag" if value == "fullblock" => d.full_blocks = true,
            "status" => d.quiet = value == "none" || value == "noxfer",
            "conv" => {
                for c in value.split(',') {
                    match c {
                        "notrunc" => d.notrunc = true,
                        "sync" => d.sync = true,
                        "noerror" => d.noerror = true,
                        "fsync" | "fdatasync" => {}
                        _ => return Err(wrong()),
                    }
                }
            }
            _ => return Err(wrong()),
        }
    }
    Ok(d)
}

pub fn dd(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let d = parse(args)?;
    let named = |path: &Option<Vec<u8>>, e: Errno| Failure::with(path.as_deref().unwrap_or(b"standard stream"), e);
    let input = match &d.input {
        Some(p) => io::open(p, o::RDONLY | o::CLOEXEC, 0).map_err(|e| Failure::with(p, e))?,
        None => 0,
    };
    let trunc = if d.notrunc || d.seek > 0 { 0 } else { o::TRUNC };
    let output = match &d.output {
        Some(p) => io::open(p, o::WRONLY | o::CREAT | o::CLOEXEC | trunc, 0o666).map_err(|e| Failure::with(p, e))?,
        None => 1,
    };
    place(&d, input, output).map_err(|(e, out)| named(if out { &d.output } else { &d.input }, e))?;
    let (mut full_in, mut part_in, mut full_out, mut part_out, mut bytes) = (0u64, 0u64, 0u64, 0u64, 0u64);
    let mut pending: Vec<u8> = Vec::with_capacity(d.obs);
    let mut buf = vec![0; d.ibs];
    let mut status = 0;
    let mut flush = |pending: &mut Vec<u8>, least: usize| -> SysResult<()> {
        while pending.len() >= least && !pending.is_empty() {
            let n = pending.len().min(d.obs);
            io::write_all(output, &pending[..n])?;
            pending.drain(..n);
            bytes += n as u64;
            if n == d.obs { full_out += 1 } else { part_out += 1 }
        }
        Ok(())
    };
    while d.count.is_none_or(|c| full_in + part_in < c) {
        let n = match read_block(input, &mut buf, d.full_blocks) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) => {
                eprintln!("dd: {}: {e}", String::from_utf8_lossy(d.input.as_deref().unwrap_or(b"standard input")));
                status = 1;
                if !d.noerror {
                    break;
                }
                continue;
            }
        };
        if n == d.ibs {
            full_in += 1
        } else {
            part_in += 1
        }
        pending.extend_from_slice(&buf[..n]);
        if d.sync {
            pending.resize(pending.len() + d.ibs - n, 0);
        }
        flush(&mut pending, if d.ibs == d.obs { 1 } else { d.obs }).map_err(|e| named(&d.output, e))?;
    }
    flush(&mut pending, 1).map_err(|e| named(&d.output, e))?;
    if d.output.is_some() {
        io::close(output).map_err(|e| named(&d.output, e))?;
    }
    if !d.quiet {
        eprintln!("{full_in}+{part_in} records in\n{full_out}+{part_out} records out\n{bytes} bytes copied");
    }
    Ok(status)
}

/// `skip=` and `seek=`. The error says whether it was the output's.
fn place(d: &Dd, input: i32, output: i32) -> Result<(), (Errno, bool)> {
    let (skip, seek) = (d.skip * d.ibs as u64, d.seek * d.obs as u64);
    if skip > 0 && io::lseek(input, skip as i64, 1).is_err() {
        // What cannot be sought in is read away.
        let mut left = skip;
        let mut buf = vec![0; 64 << 10];
        while left > 0 {
            let room = (left as usize).min(buf.len());
            match io::read(input, &mut buf[..room]) {
                Ok(0) => break,
                Ok(n) => left -= n as u64,
                Err(e) => return Err((e, false)),
            }
        }
    }
    if seek > 0 {
        io::lseek(output, seek as i64, 0).map_err(|e| (e, true))?;
        if !d.notrunc && d.output.is_some() {
            io::ftruncate(output, seek as i64).map_err(|e| (e, true))?;
        }
    }
    Ok(())
}

/// One read, or as many as fill the block.
fn read_block(fd: i32, buf: &mut [u8], full: bool) -> SysResult<usize> {
    let mut have = 0;
    loop {
        match io::read(fd, &mut buf[have..]) {
            Ok(0) => return Ok(have),
            Ok(n) => have += n,
            Err(Errno::EINTR) => continue,
            Err(e) => return Err(e),
        }
        if !full || have == buf.len() {
            return Ok(have);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_factors() {
        assert_eq!(
            (size("4k"), size("2x512"), size("1M"), size("3b"), size("7")),
            (Some(4096), Some(1024), Some(1 << 20), Some(1536), Some(7))
        );
        assert_eq!((size("k"), size("1z"), size("")), (None, None, None));
    }

    #[test]
    fn lines_are_marked_as_asked() {
        let mut m = Marks {
            number: true,
            number_full: false,
            squeeze: true,
            ends: true,
            tabs: true,
            visible: true,
            line: 0,
            blank: false,
            at_start: true,
        };
        let mut out = Vec::new();
        b"a\t\x01\n\n\n\xff".iter().for_each(|&b| m.byte(b, &mut out));
        assert_eq!(out, b"     1\ta^I^A$\n     2\t$\n     3\tM-^?");
    }
}
