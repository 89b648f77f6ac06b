//! `cmp` (POSIX cmp).

use crate::options::{Failure, Options, number};
use crate::say;
use kit::input::Reader;

const USAGE: &str = "cmp [-l | -s] [-n LIMIT] FILE1 [FILE2 [SKIP1 [SKIP2]]]";

pub fn cmp(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let words = [("verbose", b'l'), ("silent", b's'), ("quiet", b's'), ("bytes", b'n')];
    let o = Options::parse_long(args, "lsn:", &words, USAGE, false)?;
    let two = |f: Failure| Failure { status: 2, ..f };
    let (first, rest) = o.operands.split_first().ok_or_else(|| Failure::usage(format!("usage: {USAGE}")))?;
    let second = rest.first().map_or(&b"-"[..], |s| s);
    let skips = [rest.get(1), rest.get(2)].map(|s| s.map_or(Ok(0), |s| number::<u64>(s)));
    let limit = o.value(b'n').map_or(Ok(u64::MAX), number::<u64>)?;
    let open = |path: &[u8]| Reader::open(path).map_err(|e| two(Failure::with(path, e)));
    let (mut a, mut b) = (open(first)?, open(second)?);
    for ((input, skip), path) in [&mut a, &mut b].into_iter().zip(skips).zip([first.as_slice(), second]) {
        let mut left = skip?;
        while left > 0 {
            let n = input.peek().map_err(|e| two(Failure::with(path, e)))?.len().min(left as usize);
            if n == 0 {
                break;
            }
            input.skip(n);
            left -= n as u64;
        }
    }
    let (mut at, mut line, mut differ, mut line_end) = (0u64, 1u64, false, false);
    let shown = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    while at < limit {
        let (x, y) =
            (a.peek().map_err(|e| two(Failure::with(first, e)))?, b.peek().map_err(|e| two(Failure::with(second, e)))?);
        if x.is_empty() || y.is_empty() {
            if x.is_empty() && y.is_empty() {
                break;
            }
            if !o.has(b's') {
                let which = if x.is_empty() { first } else { second };
                crate::show::flush_now();
                let place = if at == 0 {
                    " which is empty".into()
                } else if o.has(b'l') {
                    format!(" after byte {at}")
                } else {
                    format!(" after byte {at}, line {}", line - line_end as u64)
                };
                eprintln!("cmp: EOF on {}{place}", shown(which));
            }
            return Ok(1);
        }
        let n = x.len().min(y.len()).min((limit - at).min(1 << 20) as usize);
        for (i, (p, q)) in x[..n].iter().zip(&y[..n]).enumerate() {
            if p != q {
                differ = true;
                if o.has(b's') {
                    return Ok(1);
                }
                if !o.has(b'l') {
                    say!("{} {} differ: char {}, line {line}", shown(first), shown(second), at + i as u64 + 1);
                    return Ok(1);
                }
                say!("{} {p:3o} {q:3o}", at + i as u64 + 1);
            }
            line += (*p == b'\n') as u64;
        }
        line_end = x[n - 1] == b'\n';
        at += n as u64;
        a.skip(n);
        b.skip(n);
    }
    Ok(differ as i32)
}
