//! `bc`: arithmetic with numbers of any length (POSIX `bc`).

mod lex;
mod number;
mod parse;
mod run;

use kit::input::Reader;
use kit::options::{Failure, Options};
use kit::show::{flush_now, put};
use parse::{ParseError, Parser};
use run::{Machine, Stop};
use std::cell::RefCell;
use std::rc::Rc;
use vkernel_sys::tty;

const USAGE: &str = "bc [-lqsw] [file...]";
const MATH: &str = include_str!("bc/math.bc");

pub fn bc(args: &[Vec<u8>]) -> Result<i32, Failure> {
    // Of GNU's: quiet, standard, warn change nothing here, as nothing is said at the start.
    let long = [("mathlib", b'l'), ("quiet", b'q'), ("standard", b's'), ("warn", b'w'), ("interactive", b'i')];
    let o = Options::parse_long(args, "lqswi", &long, USAGE, false)?;
    let input = Rc::new(RefCell::new(Reader::new(0)));
    let lines = input.clone();
    let read = move || {
        let mut line = Vec::new();
        lines.borrow_mut().line(b'\n', &mut line).ok().filter(|l| *l)?;
        Some(String::from_utf8_lossy(&line).into_owned())
    };
    let mut machine = Machine::new(line_length(), Box::new(read));
    if o.has(b'l') {
        let whole = text(&mut machine, MATH);
        debug_assert!(matches!(whole, Ok(Go::On)));
        machine.set_scale(20);
    }
    let interactive = tty::isatty(0);
    for file in &o.operands {
        let mut reader = Reader::open(file).map_err(|e| Failure::with(file, e))?;
        let next = |line: &mut Vec<u8>| reader.line(b'\n', line).map_err(|e| Failure::with(file, e));
        if let Go::End = from(&mut machine, next, false)? {
            return Ok(0);
        }
    }
    let next = |line: &mut Vec<u8>| {
        flush_now();
        input.borrow_mut().line(b'\n', line).map_err(|e| Failure::with(b"-", e))
    };
    from(&mut machine, next, interactive)?;
    Ok(0)
}

/// GNU's variable; 0 is without end.
fn line_length() -> usize {
    let asked = std::env::var("BC_LINE_LENGTH").ok().and_then(|n| n.parse().ok());
    asked.filter(|n| *n == 0 || *n > 2).unwrap_or(70)
}

enum Go {
    On,
    End,
}

/// Runs what comes line by line, each line as soon as all that it has begun has its end.
fn from(
    machine: &mut Machine,
    mut next: impl FnMut(&mut Vec<u8>) -> Result<bool, Failure>,
    interactive: bool,
) -> Result<Go, Failure> {
    let (mut open, mut pending, mut line) = (lex::Open::default(), String::new(), Vec::new());
    loop {
        let more = next(&mut line)?;
        let part = String::from_utf8_lossy(&line).into_owned();
        pending += &part;
        let whole = open.line(&part);
        if more && !whole {
            continue;
        }
        match text(machine, &pending) {
            Ok(Go::On) => {}
            Ok(Go::End) => return Ok(Go::End),
            Err(ParseError::End) if more => continue,
            Err(e) => complain(&match e {
                ParseError::Wrong(e) => e,
                _ => "syntax error: it ends too early".into(),
            }),
        }
        if interactive {
            flush_now();
        }
        (open, pending) = (lex::Open::default(), String::new());
        if !more {
            return Ok(Go::On);
        }
    }
}

fn complain(what: &str) {
    flush_now();
    eprintln!("bc: {what}");
}

/// Runs whole lines. Mistakes in one are told and the next one is tried.
fn text(machine: &mut Machine, text: &str) -> Result<Go, ParseError> {
    let mut parser = Parser::new(lex::tokens(text).map_err(ParseError::Wrong)?);
    loop {
        match parser.item() {
            Ok(None) => return Ok(Go::On),
            Ok(Some(statements)) => match machine.run(&statements) {
                Ok(()) => {}
                Err(Stop::Halt) => return Ok(Go::End),
                Err(Stop::Error(e)) => {
                    put(b"");
                    complain(&e);
                }
            },
            Err(ParseError::Quit) => return Ok(Go::End),
            Err(ParseError::End) => return Err(ParseError::End),
            Err(ParseError::Wrong(e)) => {
                complain(&e);
                parser.skip_line();
            }
        }
    }
}
