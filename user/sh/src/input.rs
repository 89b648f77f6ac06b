//! `read` and `getopts`.

use crate::builtins::{mistake, store};
use crate::shell::{Run, Shell, Unwind};
use crate::text::{from_bytes, to_bytes};
use vkernel_sys::{Errno, io};

/// `read [-r] [-d DELIMITER] [-p PROMPT] NAME...`: one line, byte by byte, as the rest belongs to who reads next.
pub fn read(sh: &mut Shell, argv: &[String]) -> Run {
    let mut end = b'\n';
    let (mut raw, mut args) = (false, argv[1..].iter().peekable());
    while let Some(a) = args.peek().filter(|a| a.len() > 1 && a.starts_with('-')) {
        match a.as_str() {
            "-r" => raw = true,
            "-p" => {
                args.next();
                let prompt = args.peek().map(|p| to_bytes(p)).unwrap_or_default();
                let _ = io::write_all(2, &prompt);
            }
            "-d" => {
                args.next();
                end = args.peek().and_then(|d| to_bytes(d).first().copied()).unwrap_or(0);
            }
            "--" => {
                args.next();
                break;
            }
            a => return mistake(sh, argv, &format!("{a}: no such option")),
        }
        args.next();
    }
    let names: Vec<String> = args.cloned().collect();
    let names = if names.is_empty() { vec!["REPLY".to_string()] } else { names };
    let (line, ended) = match read_line(sh, raw, end)? {
        Ok(l) => l,
        Err(e) => return mistake(sh, argv, &e.to_string()),
    };
    let ifs = sh.get("IFS").unwrap_or_else(|| " \t\n".into());
    for (name, value) in names.iter().zip(split(&line, &ifs, names.len())) {
        let status = store(sh, argv, name, &value)?;
        if status != 0 {
            return Ok(status);
        }
    }
    Ok(!ended as i32)
}

/// Characters with a mark for those behind a backslash; whether a newline ended them.
type Line = (Vec<(char, bool)>, bool);

/// A line. The interrupt key ends the command that reads.
fn read_line(sh: &mut Shell, raw: bool, end: u8) -> Result<Result<Line, Errno>, Unwind> {
    let mut line = Vec::new();
    let mut bytes = Vec::new();
    let mut escaped = false;
    let flush = |bytes: &mut Vec<u8>, line: &mut Vec<(char, bool)>| {
        line.extend(from_bytes(bytes).chars().map(|c| (c, false)));
        bytes.clear();
    };
    let mut b = [0];
    loop {
        match io::read(0, &mut b) {
            Ok(0) => {
                flush(&mut bytes, &mut line);
                return Ok(Ok((line, false)));
            }
            Ok(_) => {}
            Err(Errno::EINTR) => {
                sh.interrupted()?;
                continue;
            }
            Err(e) => return Ok(Err(e)),
        }
        match b[0] {
            _ if std::mem::take(&mut escaped) => {
                // A continued line; any other character only loses its meaning.
                if b[0] != b'\n' {
                    flush(&mut bytes, &mut line);
                    line.push((b[0] as char, true));
                }
            }
            b'\\' if !raw => escaped = true,
            c if c == end => {
                flush(&mut bytes, &mut line);
                return Ok(Ok((line, true)));
            }
            0 => {}
            b => bytes.push(b),
        }
    }
}

/// Fields for `n` variables; the last one takes the rest (POSIX `read`).
fn split(line: &[(char, bool)], ifs: &str, n: usize) -> Vec<String> {
    let white = |c: (char, bool)| !c.1 && ifs.contains(c.0) && c.0.is_whitespace();
    let separator = |c: (char, bool)| !c.1 && ifs.contains(c.0);
    let mut out = Vec::new();
    let mut i = line.iter().take_while(|c| white(**c)).count();
    while out.len() + 1 < n {
        let start = i;
        while i < line.len() && !separator(line[i]) {
            i += 1;
        }
        out.push(line[start..i].iter().map(|c| c.0).collect());
        while i < line.len() && white(line[i]) {
            i += 1;
        }
        if i < line.len() && separator(line[i]) {
            i += 1;
            while i < line.len() && white(line[i]) {
                i += 1;
            }
        }
    }
    let mut rest = &line[i.min(line.len())..];
    while rest.last().is_some_and(|c| white(*c)) {
        rest = &rest[..rest.len() - 1];
    }
    // One separator at the very end belongs to the last field's end, not to its text.
    if let Some((last, head)) = rest.split_last()
        && separator(*last)
        && !head.iter().any(|c| separator(*c))
    {
        rest = head;
    }
    out.push(rest.iter().map(|c| c.0).collect());
    out
}

/// `getopts OPTSTRING NAME [ARG...]`.
pub fn getopts(sh: &mut Shell, argv: &[String]) -> Run {
    let [_, spec, name, given @ ..] = argv else { return mistake(sh, argv, "wants OPTSTRING NAME [ARG...]") };
    let args = if given.is_empty() { sh.positional.clone() } else { given.to_vec() };
    let silent = spec.starts_with(':');
    let mut index = sh.get("OPTIND").and_then(|n| n.parse::<usize>().ok()).unwrap_or(1).max(1);
    let mut offset = sh.opt_offset.max(1);
    let done = |sh: &mut Shell, index: usize| {
        store(sh, argv, "OPTIND", &index.to_string())?;
        store(sh, argv, name, "?")?;
        Ok(1)
    };
    let Some(arg) = args.get(index - 1).map(|a| a.chars().collect::<Vec<_>>()) else { return done(sh, index) };
    if arg.len() < 2 || arg[0] != '-' {
        return done(sh, index);
    }
    if arg == ['-', '-'] {
        return done(sh, index + 1);
    }
    let letter = arg.get(offset).copied().unwrap_or('?');
    offset += 1;
    let spec: Vec<char> = spec.trim_start_matches(':').chars().collect();
    let at = spec.iter().position(|c| *c == letter && letter != ':');
    let (mut found, mut value) = (letter.to_string(), None);
    if at.is_none() {
        found = "?".into();
        value = silent.then(|| letter.to_string());
        if !silent {
            sh.complain(&format!("-{letter}: no such option"));
        }
    } else if at.is_some_and(|i| spec.get(i + 1) == Some(&':')) {
        let rest: String = arg[offset.min(arg.len())..].iter().collect();
        offset = arg.len();
        if !rest.is_empty() {
            value = Some(rest);
        } else if let Some(next) = args.get(index) {
            value = Some(next.clone());
            index += 1;
        } else {
            found = if silent { ":" } else { "?" }.into();
            value = silent.then(|| letter.to_string());
            if !silent {
                sh.complain(&format!("-{letter}: wants an argument"));
            }
        }
    }
    if offset >= arg.len() {
        index += 1;
        offset = 0;
    }
    match value {
        Some(v) => drop(store(sh, argv, "OPTARG", &v)?),
        None => drop(sh.vars.remove("OPTARG")),
    }
    store(sh, argv, "OPTIND", &index.to_string())?;
    sh.opt_offset = offset;
    store(sh, argv, name, &found)
}

#[cfg(test)]
mod tests {
    use super::split;

    fn s(line: &str, ifs: &str, n: usize) -> Vec<String> {
        split(&line.chars().map(|c| (c, false)).collect::<Vec<_>>(), ifs, n)
    }

    #[test]
    fn the_last_variable_takes_the_rest() {
        let blank = " \t\n";
        assert_eq!(s("  a b  c d ", blank, 2), ["a", "b  c d"]);
        assert_eq!(s("a", blank, 3), ["a", "", ""]);
        assert_eq!(s("a:b::d", ":", 4), ["a", "b", "", "d"]);
        assert_eq!(s("a:b:", ":", 2), ["a", "b"]);
        assert_eq!(s("a : b", ": ", 2), ["a", "b"]);
        assert_eq!(s(" x y ", "", 1), [" x y "]);
    }
}
