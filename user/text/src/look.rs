//! `strings` and `hexdump`: what is in a file that is no text.

use crate::options::{Failure, Options, number};
use kit::input::Reader;
use kit::show::put;
use vkernel_sys::SysResult;

/// Does something with all bytes of each file in turn.
fn each(name: &str, operands: Vec<Vec<u8>>, mut f: impl FnMut(&[u8], &mut Reader) -> SysResult<()>) -> i32 {
    let mut status = 0;
    for file in if operands.is_empty() { vec![b"-".to_vec()] } else { operands } {
        if let Err(e) = Reader::open(&file).and_then(|mut input| f(&file, &mut input)) {
            eprintln!("{name}: {}: {e}", String::from_utf8_lossy(&file));
            status = 1;
        }
    }
    status
}

/// POSIX strings: runs of printable characters.
pub fn strings(args: &[Vec<u8>]) -> Result<i32, Failure> {
    // `-8` of old is `-n 8`.
    let old = |a: &Vec<u8>| a.len() > 1 && a[0] == b'-' && a[1..].iter().all(u8::is_ascii_digit);
    let args: Vec<Vec<u8>> = args.iter().map(|a| if old(a) { [b"-n", &a[1..]].concat() } else { a.clone() }).collect();
    let o = Options::parse(&args, "afon:t:", "strings [-a] [-f] [-n LEAST] [-t d|o|x] [FILE...]", false)?;
    let least = o.value(b'n').map_or(Ok(4), number::<usize>)?.max(1);
    let radix = o.value(b't').or(o.has(b'o').then_some(b"o"));
    if radix.is_some_and(|r| !matches!(r, b"d" | b"o" | b"x")) {
        return Err(Failure::usage("-t wants d, o or x"));
    }
    Ok(each("strings", o.operands.clone(), |file, input| {
        let (mut run, mut at) = (Vec::new(), 0);
        let show = |run: &mut Vec<u8>, end: usize| {
            if run.len() >= least {
                let from = end - run.len();
                if o.has(b'f') {
                    put(&[file, b": "].concat());
                }
                put(match radix {
                    Some(b"d") => format!("{from:7} "),
                    Some(b"o") => format!("{from:7o} "),
                    Some(_) => format!("{from:7x} "),
                    None => String::new(),
                }
                .as_bytes());
                run.push(b'\n');
                put(run);
            }
            run.clear();
        };
        loop {
            let bytes = input.peek()?;
            if bytes.is_empty() {
                break;
            }
            for &b in bytes {
                if matches!(b, b' '..=b'~' | b'\t') {
                    run.push(b)
                } else {
                    show(&mut run, at)
                }
                at += 1;
            }
            let n = bytes.len();
            input.skip(n);
        }
        show(&mut run, at);
        Ok(())
    }))
}

/// Sixteen bytes a line, as numbers and as characters. Lines that are the same are shown once.
pub fn hexdump(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "Cvn:s:", "hexdump [-Cv] [-n LENGTH] [-s SKIP] [FILE...]", false)?;
    let mut left = o.value(b'n').map_or(Ok(usize::MAX), number::<usize>)?;
    let mut skip = o.value(b's').map_or(Ok(0), number::<usize>)?;
    let (mut at, mut line, mut last, mut starred) = (skip, Vec::new(), Vec::new(), false);
    let mut show = |line: &mut Vec<u8>, at: usize| {
        if *line == last && line.len() == 16 && !o.has(b'v') {
            if !std::mem::replace(&mut starred, true) {
                put(b"*\n");
            }
        } else {
            starred = false;
            put(row(line, at, o.has(b'C')).as_bytes());
        }
        last = std::mem::take(line);
    };
    // All files are one stream.
    let status = each("hexdump", o.operands.clone(), |_, input| {
        while left > 0 {
            let bytes = input.peek()?;
            if bytes.is_empty() {
                break;
            }
            let passed = skip.min(bytes.len());
            let used = (bytes.len() - passed).min(left);
            for &b in &bytes[passed..passed + used] {
                line.push(b);
                if line.len() == 16 {
                    show(&mut line, at);
                    at += 16;
                }
            }
            (skip, left) = (skip - passed, left - used);
            input.skip(passed + used);
        }
        Ok(())
    });
    let end = at + line.len();
    if !line.is_empty() {
        show(&mut line, at);
    }
    if end > 0 {
        put(if o.has(b'C') { format!("{end:08x}\n") } else { format!("{end:07x}\n") }.as_bytes());
    }
    Ok(status)
}

fn row(bytes: &[u8], at: usize, characters: bool) -> String {
    if !characters {
        // Words as this machine has them.
        let words = bytes.chunks(2).map(|w| format!(" {:04x}", w[0] as u32 | (*w.get(1).unwrap_or(&0) as u32) << 8));
        return format!("{:<46}\n", format!("{at:07x}{}", words.collect::<String>())).trim_end().to_string() + "\n";
    }
    let mut out = format!("{at:08x} ");
    for i in 0..16 {
        if i == 8 {
            out.push(' ');
        }
        out += &bytes.get(i).map_or("   ".to_string(), |b| format!(" {b:02x}"));
    }
    let shown = bytes.iter().map(|&b| if (b' '..=b'~').contains(&b) { b as char } else { '.' });
    format!("{out}  |{}|\n", shown.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_bsd() {
        assert_eq!(row(b"hi\n", 0, true), "00000000  68 69 0a                                          |hi.|\n");
        assert_eq!(row(b"hi\n", 16, false), "0000010 6968 000a\n");
    }
}
