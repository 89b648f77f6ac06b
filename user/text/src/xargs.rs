//! `xargs` (POSIX xargs, with -0, -d, -a, -P and -r as GNU's).

use crate::options::{Failure, Options, number};
use crate::show::flush_now;
use kit::{input::Reader, process};
use vkernel_sys::{o, proc, wait};

const USAGE: &str = "\
xargs [-0prtx] [-a FILE] [-d CHAR] [-E EOF] [-I REPLACE | -L LINES | -n ARGS] [-P PROCESSES] [-s BYTES]
       [COMMAND [ARGUMENT...]]";
const WORDS: &[(&str, u8)] = &[
    ("null", b'0'),
    ("arg-file", b'a'),
    ("delimiter", b'd'),
    ("replace", b'I'),
    ("max-lines", b'L'),
    ("max-args", b'n'),
    ("max-procs", b'P'),
    ("max-chars", b's'),
    ("interactive", b'p'),
    ("no-run-if-empty", b'r'),
    ("verbose", b't'),
    ("exit", b'x'),
];

struct Xargs {
    command: Vec<Vec<u8>>,
    replace: Option<Vec<u8>>,
    trace: bool,
    ask: bool,
    stdin: &'static [u8],
    processes: usize,
    running: usize,
    status: i32,
}

/// One argument that was read, and whether its line ended behind it.
struct Word {
    text: Vec<u8>,
    line_end: bool,
}

pub fn xargs(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse_long(args, "0prtxa:d:E:I:L:n:P:s:", WORDS, USAGE, true).map_err(one)?;
    let count = |l: u8| o.value(l).map(number::<usize>).transpose().map_err(one);
    let replace = o.value(b'I').map(<[u8]>::to_vec);
    let lines = count(b'L')?;
    let most = if replace.is_some() { Some(1) } else { count(b'n')? };
    let bytes = count(b's')?.unwrap_or(96 << 10);
    let command = if o.operands.is_empty() { vec![b"echo".to_vec()] } else { o.operands.clone() };
    let delimiter = if o.has(b'0') { Some(0) } else { o.value(b'd').map(delimiter).transpose()? };
    let mut input =
        Reader::open(o.value(b'a').unwrap_or(b"-")).map_err(|e| Failure::with(o.value(b'a').unwrap_or(b"-"), e))?;
    let stdin: &[u8] = if o.value(b'a').is_some() { b"" } else { b"/dev/null" };
    let processes = count(b'P')?.unwrap_or(1);
    let mut x = Xargs {
        command,
        replace,
        trace: o.has(b't') || o.has(b'p'),
        ask: o.has(b'p'),
        stdin,
        processes: if processes == 0 { usize::MAX } else { processes },
        running: 0,
        status: 0,
    };
    let fixed: usize = x.command.iter().map(|a| a.len() + 1).sum();
    let mut batch: Vec<Vec<u8>> = Vec::new();
    let (mut size, mut line_count, mut ran) = (fixed, 0, false);
    while let Some(word) = next(&mut input, delimiter, x.replace.is_some())? {
        if delimiter.is_none() && o.value(b'E').is_some_and(|e| e == word.text) {
            break;
        }
        let len = word.text.len() + 1;
        if fixed + len > bytes {
            x.wait_all();
            return Err(Failure::new("argument line too long"));
        }
        if size + len > bytes {
            if o.has(b'x') {
                return Err(Failure::new("argument list too long"));
            }
            x.run(&std::mem::take(&mut batch))?;
            (ran, size, line_count) = (true, fixed, 0);
        }
        batch.push(word.text);
        size += len;
        line_count += word.line_end as usize;
        if most.is_some_and(|m| batch.len() >= m) || lines.is_some_and(|l| line_count >= l) {
            x.run(&std::mem::take(&mut batch))?;
            (ran, size, line_count) = (true, fixed, 0);
        }
    }
    // POSIX: once with no arguments when there was no input; not with -r, nor where each argument has its place.
    if !batch.is_empty() || (!ran && !o.has(b'r') && x.replace.is_none()) {
        x.run(&batch)?;
    }
    x.wait_all();
    Ok(x.status)
}

fn one(f: Failure) -> Failure {
    Failure { status: f.status.min(1), ..f }
}

fn delimiter(text: &[u8]) -> Result<u8, Failure> {
    match text {
        [c] => Ok(*c),
        b"\\n" => Ok(b'\n'),
        b"\\t" => Ok(b'\t'),
        b"\\0" => Ok(0),
        _ => Err(Failure::new(format!("invalid delimiter {}", String::from_utf8_lossy(text)))),
    }
}

/// The next argument. Without a delimiter, blanks separate and quotes and backslashes protect; with -I lines do.
fn next(input: &mut Reader, delimiter: Option<u8>, whole_lines: bool) -> Result<Option<Word>, Failure> {
    let failed = |e: vkernel_sys::Errno| Failure::new(e.to_string());
    if let Some(end) = delimiter {
        let mut text = Vec::new();
        if !input.line(end, &mut text).map_err(failed)? {
            return Ok(None);
        }
        if text.last() == Some(&end) {
            text.pop();
        }
        return Ok(Some(Word { text, line_end: true }));
    }
    let mut text = Vec::new();
    let (mut quote, mut begun) = (0, false);
    while let Some(b) = byte(input).map_err(failed)? {
        match b {
            b'\n' if quote != 0 => {
                return Err(unmatched(quote));
            }
            q if quote != 0 && q == quote => quote = 0,
            b if quote != 0 => text.push(b),
            b'\'' | b'"' => {
                quote = b;
                begun = true;
            }
            b'\\' => {
                begun = true;
                text.extend(byte(input).map_err(failed)?);
            }
            b'\n' if begun => return Ok(Some(Word { text, line_end: true })),
            b'\n' => {}
            b' ' | b'\t' if !begun => {}
            b' ' | b'\t' if !whole_lines => {
                // A blank at the end of a line continues it (POSIX, -L).
                return Ok(Some(Word { text, line_end: false }));
            }
            b => {
                begun = true;
                text.push(b);
            }
        }
    }
    if quote != 0 {
        return Err(unmatched(quote));
    }
    Ok(begun.then_some(Word { text, line_end: true }))
}

fn unmatched(quote: u8) -> Failure {
    let which = if quote == b'"' { "double" } else { "single" };
    Failure::new(format!("unmatched {which} quote; without -0 quotes are special"))
}

fn byte(input: &mut Reader) -> vkernel_sys::SysResult<Option<u8>> {
    let b = input.peek()?.first().copied();
    input.skip(b.is_some() as usize);
    Ok(b)
}

impl Xargs {
    fn run(&mut self, words: &[Vec<u8>]) -> Result<(), Failure> {
        let argv: Vec<Vec<u8>> = match &self.replace {
            Some(mark) => self.command.iter().map(|a| replaced(a, mark, &words.concat())).collect(),
            None => self.command.iter().chain(words).cloned().collect(),
        };
        if self.trace {
            let line = argv.iter().map(|a| String::from_utf8_lossy(a).into_owned()).collect::<Vec<_>>().join(" ");
            if self.ask {
                eprint!("{line}?...");
                let yes =
                    Reader::open(b"/dev/tty").ok().and_then(|mut t| t.peek().ok().and_then(|a| a.first().copied()));
                if !matches!(yes, Some(b'y' | b'Y')) {
                    return Ok(());
                }
            } else {
                eprintln!("{line}");
            }
        }
        while self.running >= self.processes {
            self.wait_one()?;
        }
        flush_now();
        let mut spawn = process::command(&argv);
        if !self.stdin.is_empty() {
            spawn = spawn.open(0, self.stdin, o::RDONLY, 0);
        }
        match spawn.spawn() {
            Ok(_) => self.running += 1,
            Err(e) => {
                self.wait_all();
                return Err(process::not_found(&argv[0], e));
            }
        }
        if self.processes == 1 {
            self.wait_one()?;
        }
        Ok(())
    }

    /// Waits for whichever ends first. A status of 255, or a signal, ends all.
    fn wait_one(&mut self) -> Result<(), Failure> {
        let word = match proc::waitpid(-1, 0) {
            Ok(Some((_, word))) => word,
            Ok(None) | Err(vkernel_sys::Errno::EINTR) => return Ok(()),
            Err(_) => {
                self.running = 0;
                return Ok(());
            }
        };
        self.running -= 1;
        let name = String::from_utf8_lossy(&self.command[0]).into_owned();
        match wait::shell_status(word) as i32 {
            0 => {}
            255 => return Err(Failure { status: 124, message: format!("{name}: exited with status 255; aborting") }),
            n if n > 128 => {
                return Err(Failure { status: 125, message: format!("{name}: terminated by signal {}", n - 128) });
            }
            _ => self.status = 123,
        }
        Ok(())
    }

    fn wait_all(&mut self) {
        while self.running > 0 {
            if let Err(f) = self.wait_one() {
                self.status = f.status;
            }
        }
    }
}

fn replaced(arg: &[u8], mark: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = arg;
    while let Some(n) = rest.windows(mark.len().max(1)).position(|w| w == mark) {
        out.extend([&rest[..n], with].concat());
        rest = &rest[n + mark.len()..];
    }
    out.extend_from_slice(rest);
    out
}
