//! `sed` (POSIX sed, and what people expect of GNU's).

mod exec;
mod input;
mod parse;
mod replace;

use crate::options::{Failure, Options};
use parse::Parser;
use vkernel_sys::io;

const USAGE: &str = "sed [-nErsuz] [-i[SUFFIX]] SCRIPT | -e SCRIPT | -f FILE  [FILE...]";

const WORDS: &[(&str, u8)] = &[
    ("quiet", b'n'),
    ("silent", b'n'),
    ("expression", b'e'),
    ("file", b'f'),
    ("regexp-extended", b'E'),
    ("in-place", b'i'),
    ("separate", b's'),
    ("unbuffered", b'u'),
    ("null-data", b'z'),
];

pub fn sed(args: &[Vec<u8>]) -> Result<i32, Failure> {
    // The suffix of -i is in the same argument, and may be missing.
    let mut suffix = None;
    let mut plain = false;
    let args: Vec<Vec<u8>> = args
        .iter()
        .map(|a| {
            plain |= a == b"--";
            match a.strip_prefix(b"-i") {
                Some(s) if !plain => {
                    suffix = Some(s.to_vec());
                    b"-s".to_vec()
                }
                _ => a.clone(),
            }
        })
        .collect();
    let o = Options::parse_long(&args, "nErsuzi?e:f:", WORDS, USAGE, false)?;
    if let Some(s) = o.value(b'i') {
        suffix = Some(s.to_vec());
    } else if o.has(b'i') {
        suffix = Some(Vec::new());
    }
    let mut files = o.operands.clone();
    let script = script(&o, &mut files)?;
    let extended = o.has(b'E') || o.has(b'r');
    let mut parser = Parser::new(&script, extended);
    let commands = parser.all().map_err(|e| Failure::new(format!("-e expression #1, char {}: {e}", parser.at)))?;
    let quiet = o.has(b'n') || script.starts_with(b"#n\n") || script == b"#n";
    if files.is_empty() {
        files.push(b"-".to_vec());
    }
    let separate = o.has(b's') || suffix.is_some();
    let end = if o.has(b'z') { 0 } else { b'\n' };
    let settings = exec::Settings { quiet, separate, suffix, end, unbuffered: o.has(b'u') };
    exec::run(commands, files, settings)
}

/// All parts of the script, in order, with line ends between.
fn script(o: &Options, files: &mut Vec<Vec<u8>>) -> Result<Vec<u8>, Failure> {
    let mut script: Option<Vec<u8>> = None;
    for (letter, value) in o.all_values() {
        let part = match letter {
            b'e' => value.to_vec(),
            b'f' => {
                let text = if value == b"-" { io::read_to_end(0) } else { io::read_file(value) };
                let mut text = text.map_err(|e| Failure::with(value, e))?;
                if text.ends_with(b"\n") {
                    text.pop();
                }
                text
            }
            _ => continue,
        };
        script = Some(match script {
            Some(before) => [before.as_slice(), b"\n", &part].concat(),
            None => part,
        });
    }
    match script {
        Some(s) => Ok(s),
        None if files.is_empty() => Err(Failure::usage(format!("usage: {USAGE}"))),
        None => Ok(files.remove(0)),
    }
}
