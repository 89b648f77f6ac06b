//! `tac` and `rev`: lines, and what is in them, the other way round.

use crate::options::{Failure, Options};
use kit::input::Reader;
use kit::show::put;
use vkernel_sys::io;

fn files(operands: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if operands.is_empty() { vec![b"-".to_vec()] } else { operands }
}

/// Does something with each file. What can't be read is said, and the others come all the same.
fn each(name: &str, files: &[Vec<u8>], mut f: impl FnMut(&[u8]) -> vkernel_sys::SysResult<()>) -> i32 {
    let mut status = 0;
    for file in files {
        if let Err(e) = f(file) {
            eprintln!("{name}: {}: {e}", String::from_utf8_lossy(file));
            status = 1;
        }
    }
    status
}

pub fn tac(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let words = [("before", b'b'), ("separator", b's')];
    let o = Options::parse_long(args, "bs:", &words, "tac [-b] [-s SEPARATOR] [FILE...]", false)?;
    let separator = o.value(b's').unwrap_or(b"\n").to_vec();
    if separator.is_empty() {
        return Err(Failure::usage("a separator has to be something"));
    }
    let before = o.has(b'b');
    Ok(each("tac", &files(o.operands), |file| {
        let text = if file == b"-" { io::read_to_end(0)? } else { io::read_file(file)? };
        pieces(&text, &separator, before).iter().rev().for_each(|p| put(p));
        Ok(())
    }))
}

/// A text in pieces that end in the separator, or begin with it.
fn pieces<'a>(text: &'a [u8], separator: &[u8], before: bool) -> Vec<&'a [u8]> {
    let (mut all, mut from, mut at) = (Vec::new(), 0, 0);
    while at + separator.len() <= text.len() {
        if &text[at..at + separator.len()] != separator {
            at += 1;
            continue;
        }
        let cut = if before { at } else { at + separator.len() };
        at += separator.len();
        if cut > from {
            all.push(&text[from..cut]);
        }
        from = cut;
    }
    if from < text.len() {
        all.push(&text[from..]);
    }
    all
}

pub fn rev(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "", "rev [FILE...]", false)?;
    Ok(each("rev", &files(o.operands), |file| {
        let (mut input, mut line) = (Reader::open(file)?, Vec::new());
        while input.line(b'\n', &mut line)? {
            let end = if line.ends_with(b"\n") { line.pop() } else { None };
            // By characters; what is none, by bytes.
            let mut out = Vec::with_capacity(line.len() + 1);
            for c in line.utf8_chunks().collect::<Vec<_>>().iter().rev() {
                out.extend(c.invalid().iter().rev());
                c.valid().chars().rev().for_each(|c| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()));
            }
            out.extend(end);
            put(&out);
        }
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_keep_their_separators() {
        assert_eq!(pieces(b"a\nb\nc", b"\n", false), [&b"a\n"[..], b"b\n", b"c"]);
        assert_eq!(pieces(b"a\n\nb\n", b"\n", false), [&b"a\n"[..], b"\n", b"b\n"]);
        assert_eq!(pieces(b"a--b--c", b"--", true), [&b"a"[..], b"--b", b"--c"]);
        assert!(pieces(b"", b"\n", false).is_empty());
    }
}
