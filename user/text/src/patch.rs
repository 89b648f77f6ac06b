//! `patch` (POSIX patch), for unified and normal differences.

mod parse;

use crate::options::{Failure, Options, number};
use crate::say;
use parse::{Hunk, Patch};
use vkernel_sys::{Errno, fs, io, o};

const USAGE: &str = "patch [-bENRs] [-d DIR] [-i PATCH] [-o FILE] [-p NUM] [-F LINES] [--dry-run] [FILE [PATCH]]";
const DRY_RUN: u8 = 1;
const WORDS: &[(&str, u8)] = &[
    ("backup", b'b'),
    ("directory", b'd'),
    ("input", b'i'),
    ("output", b'o'),
    ("strip", b'p'),
    ("reverse", b'R'),
    ("forward", b'N'),
    ("fuzz", b'F'),
    ("remove-empty-files", b'E'),
    ("quiet", b's'),
    ("silent", b's'),
    ("dry-run", DRY_RUN),
    ("force", b'f'),
    ("batch", b't'),
];

pub fn patch(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse_long(args, "bENRsftd:i:o:p:F:\x01", WORDS, USAGE, false)?;
    let two = |path: &[u8], e: Errno| Failure { status: 2, ..Failure::with(path, e) };
    let text = match o.value(b'i').or(o.operands.get(1).map(|p| p.as_slice())) {
        Some(path) if path != b"-" => io::read_file(path).map_err(|e| two(path, e))?,
        _ => io::read_to_end(0).map_err(|e| two(b"-", e))?,
    };
    if let Some(dir) = o.value(b'd') {
        fs::chdir(dir).map_err(|e| two(dir, e))?;
    }
    let patches = parse::parse(&text).map_err(Failure::usage)?;
    if patches.is_empty() {
        return Err(Failure::usage("only garbage was found in the patch input"));
    }
    let mut status = 0;
    for p in patches {
        status = status.max(one(&o, p)?);
    }
    Ok(status)
}

/// The name with so many leading parts off, or without a number the last part.
fn strip(name: &[u8], parts: Option<usize>) -> Vec<u8> {
    let all: Vec<&[u8]> = name.split(|b| *b == b'/').collect();
    match parts {
        None => all.last().map_or(Vec::new(), |l| l.to_vec()),
        Some(n) => all.get(n..).unwrap_or_default().join(&b'/'),
    }
}

fn target(o: &Options, p: &Patch) -> Result<Vec<u8>, Failure> {
    if let Some(file) = o.operands.first() {
        return Ok(file.clone());
    }
    let parts = o.value(b'p').map(number).transpose()?;
    let null = |n: &Vec<u8>| n == b"/dev/null" || n.is_empty();
    let names: Vec<Vec<u8>> = [&p.old, &p.new].into_iter().filter(|n| !null(n)).map(|n| strip(n, parts)).collect();
    // The first that is there; else the one to be made.
    let there = names.iter().find(|n| fs::stat(n).is_ok()).or(names.last());
    there
        .cloned()
        .filter(|n| !n.is_empty())
        .ok_or_else(|| Failure::usage("the patch does not say which file to change"))
}

fn one(o: &Options, mut p: Patch) -> Result<i32, Failure> {
    let path = target(o, &p)?;
    if o.has(b'R') {
        p.reverse();
    }
    let shown = String::from_utf8_lossy(&path).into_owned();
    let two = |path: &[u8], e: Errno| Failure { status: 2, ..Failure::with(path, e) };
    let (before, made) = match io::read_file(&path) {
        Ok(bytes) => (bytes, false),
        Err(Errno::ENOENT) if p.hunks.iter().all(|h| h.before().next().is_none()) => (Vec::new(), true),
        Err(e) => return Err(two(&path, e)),
    };
    if !o.has(b's') {
        say!("{} file {shown}", if o.has(DRY_RUN) { "checking" } else { "patching" });
    }
    let fuzz = o.value(b'F').map_or(Ok(2), number)?;
    let mut lines: Vec<Vec<u8>> = before.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    let (mut shift, mut failed) = (0i64, Vec::new());
    for (n, hunk) in p.hunks.iter().enumerate() {
        match place(&lines, hunk, shift, fuzz) {
            Some((at, cut_head, cut_tail)) => {
                let old: Vec<&Vec<u8>> = hunk.before().collect();
                let new: Vec<Vec<u8>> = hunk.after().cloned().collect();
                let moved = at as i64 - (hunk.old_start as i64 - 1).max(0) - cut_head as i64;
                let by = moved - shift;
                if moved != shift && !old.is_empty() && !o.has(b's') {
                    say!(
                        "Hunk #{} succeeded at {} (offset {by} line{}).",
                        n + 1,
                        at + 1 - cut_head,
                        if by == 1 { "" } else { "s" }
                    );
                }
                let new = new[cut_head..new.len() - cut_tail].to_vec();
                lines.splice(at..at + old.len() - cut_head - cut_tail, new);
                shift = moved + hunk.after().count() as i64 - old.len() as i64;
            }
            None => {
                say!("Hunk #{} FAILED at {}.", n + 1, hunk.old_start);
                failed.push(hunk);
            }
        }
    }
    let after = lines.concat();
    if !o.has(DRY_RUN) {
        let out = o.value(b'o').unwrap_or(&path);
        write(o, &path, out, &before, &after, made, &p)?;
        if !failed.is_empty() {
            let reject = [path.as_slice(), b".rej"].concat();
            put_file(&reject, &parse::unified(&p, &failed), 0o666).map_err(|e| two(&reject, e))?;
        }
    }
    if failed.is_empty() {
        return Ok(0);
    }
    let saved = if o.has(DRY_RUN) { String::new() } else { format!(" -- saving rejects to file {shown}.rej") };
    say!("{} out of {} hunk{} FAILED{saved}", failed.len(), p.hunks.len(), if p.hunks.len() == 1 { "" } else { "s" });
    Ok(1)
}

fn write(
    o: &Options,
    path: &[u8],
    out: &[u8],
    before: &[u8],
    after: &[u8],
    made: bool,
    p: &Patch,
) -> Result<(), Failure> {
    let failed = |path: &[u8], e: Errno| Failure { status: 2, ..Failure::with(path, e) };
    let mode = fs::stat(path).map_or(0o666, |s| s.mode & 0o7777);
    if o.has(b'b') {
        let kept = [path, b".orig"].concat();
        put_file(&kept, before, mode).map_err(|e| failed(&kept, e))?;
    }
    if after.is_empty() && (o.has(b'E') || p.new == b"/dev/null") && out == path {
        return fs::unlink(path).map_err(|e| failed(path, e));
    }
    if made {
        // Directories on the way to a new file are made, too.
        for (i, _) in path.iter().enumerate().filter(|(_, b)| **b == b'/').skip_while(|(i, _)| *i == 0) {
            let _ = fs::mkdir(&path[..i], 0o777);
        }
    }
    put_file(out, after, mode).map_err(|e| failed(out, e))
}

/// Whole or not at all: beside it, and then in its place.
fn put_file(path: &[u8], bytes: &[u8], mode: u32) -> Result<(), Errno> {
    let aside = [path, b".patch-new"].concat();
    let fd = io::open(&aside, o::WRONLY | o::CREAT | o::TRUNC | o::CLOEXEC, mode)?;
    let done = io::write_all(fd, bytes);
    io::close(fd)?;
    done.and_then(|()| fs::rename(&aside, path, 0))
}

/// Where a hunk fits: at its place, or the nearest; then without some of its context. Answers how much of that
/// was left out at both ends.
fn place(lines: &[Vec<u8>], hunk: &Hunk, shift: i64, fuzz: usize) -> Option<(usize, usize, usize)> {
    let old: Vec<&Vec<u8>> = hunk.before().collect();
    let (head, tail) = hunk.context();
    for fuzz in 0..=fuzz.min(head.max(tail)) {
        let (cut_head, cut_tail) = (fuzz.min(head), fuzz.min(tail));
        let want = &old[cut_head..old.len() - cut_tail];
        // A hunk that takes nothing away goes behind its line.
        let start = if old.is_empty() { hunk.old_start as i64 } else { hunk.old_start as i64 - 1 };
        let wanted = (start + shift).max(0) + cut_head as i64;
        let last = lines.len() as i64 - want.len() as i64;
        let fits = |at: i64| {
            (0..=last).contains(&at)
                && lines[at as usize..at as usize + want.len()].iter().zip(want).all(|(l, w)| l == *w)
        };
        if want.is_empty() {
            return Some((wanted.min(lines.len() as i64) as usize, cut_head, cut_tail));
        }
        for distance in 0..=lines.len() as i64 {
            for at in [wanted + distance, wanted - distance] {
                if fits(at) {
                    return Some((at as usize, cut_head, cut_tail));
                }
            }
        }
    }
    None
}
