//! `awk` (POSIX awk).

mod ast;
mod builtins;
mod fields;
mod format;
mod interp;
mod lexer;
mod output;
mod parser;
mod records;
mod regex;
mod run;
mod substitute;
mod value;

use kit::options::{Failure, Options};
use vkernel_sys::io;

const USAGE: &str = "awk [-F SEPARATOR] [-v NAME=VALUE]... PROGRAM | -f FILE  [NAME=VALUE | FILE]...";
const WORDS: &[(&str, u8)] = &[("field-separator", b'F'), ("assign", b'v'), ("file", b'f'), ("version", 1)];

fn awk(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse_long(args, "F:v:f:\x01", WORDS, USAGE, true)?;
    if o.has(1) {
        kit::show::put(b"awk of vkernel\n");
        return Ok(0);
    }
    let mut operands = o.operands.as_slice();
    let mut text = Vec::new();
    for file in o.values(b'f') {
        let part = if file == b"-" { io::read_to_end(0) } else { io::read_file(file) };
        text.extend(part.map_err(|e| Failure { status: 2, ..Failure::with(file, e) })?);
        text.push(b'\n');
    }
    if o.value(b'f').is_none() {
        let [first, rest @ ..] = operands else { return Err(Failure::usage(format!("usage: {USAGE}"))) };
        text = first.clone();
        operands = rest;
    }
    let program = parser::parse(&text).map_err(Failure::usage)?;
    let mut interp = interp::Interp::new(program, operands);
    let mut run = || -> Result<i32, String> {
        if let Some(fs) = o.value(b'F') {
            interp.assign_from_outside(b"FS", if fs == b"t" { b"\t" } else { fs })?;
        }
        for v in o.values(b'v') {
            let at = v.iter().position(|b| *b == b'=').ok_or("-v needs NAME=VALUE")?;
            interp.assign_from_outside(&v[..at], &v[at + 1..])?;
        }
        interp.run()
    };
    run().map_err(Failure::usage)
}

const COMMANDS: kit::Commands = &[("awk", awk)];

fn main() {
    kit::main("awk", COMMANDS)
}
