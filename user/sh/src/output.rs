//! `echo` and `printf`.

use crate::arith;
use crate::builtins::{mistake, write};
use crate::shell::{Run, Shell};

/// `echo [-neE] TEXT...`
pub fn echo(sh: &mut Shell, argv: &[String]) -> Run {
    let (mut newline, mut escapes, mut i) = (true, false, 1);
    while let Some(flags) = argv.get(i).and_then(|a| a.strip_prefix('-')) {
        if flags.is_empty() || !flags.chars().all(|c| "neE".contains(c)) {
            break;
        }
        for c in flags.chars() {
            match c {
                'n' => newline = false,
                c => escapes = c == 'e',
            }
        }
        i += 1;
    }
    let mut text = argv[i..].join(" ");
    if escapes {
        let (t, stop) = unescape(&text, true);
        text = t;
        newline &= !stop;
    }
    if newline {
        text.push('\n');
    }
    write(sh, argv, &text)
}

/// Backslash sequences. True when `\c` says to stop. `zero`: octal numbers have a 0 in front (`%b`).
fn unescape(text: &str, zero: bool) -> (String, bool) {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('a') => out.push('\x07'),
            Some('b') => out.push('\x08'),
            Some('c') => return (out, true),
            Some('e') => out.push('\x1b'),
            Some('f') => out.push('\x0c'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('v') => out.push('\x0b'),
            Some('\\') => out.push('\\'),
            Some('x') => match digits(&mut chars, 16, 2, None) {
                Some(b) => out.push_str(&crate::text::from_bytes(&[b])),
                None => out.push_str("\\x"),
            },
            Some(d @ '0'..='7') => {
                let first = if d == '0' && zero { None } else { d.to_digit(8) };
                let b = digits(&mut chars, 8, if first.is_some() { 2 } else { 3 }, first).unwrap_or(0);
                out.push_str(&crate::text::from_bytes(&[b]));
            }
            Some(c) => out.extend(['\\', c]),
            None => out.push('\\'),
        }
    }
    // Bytes that stand next to each other may be one character.
    (crate::text::from_bytes(&crate::text::to_bytes(&out)), false)
}

/// The text of `$'...'` (POSIX 2.2.4).
pub fn dollar_quotes(raw: &str) -> String {
    let mut out = String::new();
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let mut chars = rest[at + 1..].chars();
        match chars.next() {
            Some('c') => {
                // A control character.
                let c = chars.next().unwrap_or('?');
                out.extend(char::from_u32(c.to_ascii_uppercase() as u32 ^ 0x40).filter(|c| c.is_ascii_control()));
                rest = chars.as_str();
            }
            Some(c @ ('\'' | '"' | '?')) => {
                out.push(c);
                rest = chars.as_str();
            }
            _ => {
                // The others are echo's: one sequence, which ends before the next backslash at the latest.
                let end = 1 + rest[at + 1..].char_indices().nth(4).map_or(rest.len() - at - 1, |c| c.0);
                let piece = &rest[at..at + end];
                let stop = piece[2.min(piece.len())..].find('\\').map_or(piece.len(), |p| p + 2);
                out.push_str(&unescape(&piece[..stop], false).0);
                rest = &rest[at + stop..];
            }
        }
    }
    out.push_str(rest);
    crate::text::from_bytes(&crate::text::to_bytes(&out))
}

fn digits(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    radix: u32,
    max: usize,
    first: Option<u32>,
) -> Option<u8> {
    let mut value = first;
    for _ in 0..max {
        let Some(d) = chars.peek().and_then(|c| c.to_digit(radix)) else { break };
        chars.next();
        value = Some(value.unwrap_or(0) * radix + d);
    }
    value.map(|v| v as u8)
}

/// True for a format with a floating-point conversion.
///
/// These are left to the program of the same name: scripts that count in fractions are few, and the code for
/// it is a twentieth of this shell (POSIX printf need not have them at all).
pub fn has_float(format: &str) -> bool {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        rest = rest[at + 1..].trim_start_matches(|c: char| "-+ #*.".contains(c) || c.is_ascii_digit());
        match rest.chars().next() {
            Some('a' | 'A' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G') => return true,
            Some('%') => rest = &rest[1..],
            _ => {}
        }
    }
    false
}

pub fn printf(sh: &mut Shell, argv: &[String]) -> Run {
    if argv.iter().skip(1).find(|a| *a != "--").is_some_and(|f| has_float(f)) {
        let job = sh.start_program(argv, &[], Default::default(), Some(crate::builtins::DEFAULT_PATH));
        return sh.wait_foreground(job);
    }
    let args = if argv.get(1).is_some_and(|a| a == "--") { &argv[2..] } else { &argv[1..] };
    let Some((format, args)) = args.split_first() else { return mistake(sh, argv, "wants a format") };
    let mut f = Printf { out: String::new(), args: args.iter(), stop: false, errors: Vec::new() };
    loop {
        let before = f.args.len();
        if let Err(e) = f.once(format) {
            return mistake(sh, argv, &e);
        }
        // The format is used again as long as it takes arguments.
        if f.stop || f.args.len() == 0 || f.args.len() == before {
            break;
        }
    }
    let errors = std::mem::take(&mut f.errors);
    let status = write(sh, argv, &f.out)?;
    for e in &errors {
        sh.complain(&format!("printf: {e}"));
    }
    Ok(if errors.is_empty() { status } else { 1 })
}

struct Printf<'a> {
    out: String,
    args: std::slice::Iter<'a, String>,
    stop: bool,
    errors: Vec<String>,
}

#[derive(Default)]
struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

impl Printf<'_> {
    fn once(&mut self, format: &str) -> Result<(), String> {
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            if self.literal(&rest[..at]) {
                return Ok(());
            }
            rest = &rest[at + 1..];
            if let Some(r) = rest.strip_prefix('%') {
                self.out.push('%');
                rest = r;
                continue;
            }
            let (spec, conversion, r) = self.spec(rest)?;
            rest = r;
            self.convert(&spec, conversion)?;
            if self.stop {
                return Ok(());
            }
        }
        self.literal(rest);
        Ok(())
    }

    fn literal(&mut self, text: &str) -> bool {
        let (t, stop) = unescape(text, false);
        self.out.push_str(&t);
        self.stop |= stop;
        stop
    }

    fn spec<'f>(&mut self, format: &'f str) -> Result<(Spec, char, &'f str), String> {
        let mut s = Spec::default();
        let mut chars = format.char_indices().peekable();
        while let Some((_, c)) = chars.next_if(|(_, c)| "-+ #0".contains(*c)) {
            match c {
                '-' => s.left = true,
                '+' => s.plus = true,
                ' ' => s.space = true,
                '#' => s.alternate = true,
                _ => s.zero = true,
            }
        }
        let mut number = |this: &mut Self, s: &mut Spec| {
            if chars.next_if(|(_, c)| *c == '*').is_some() {
                let n = this.integer();
                s.left |= n < 0;
                return n.unsigned_abs() as usize;
            }
            let mut n = 0usize;
            while let Some((_, c)) = chars.next_if(|(_, c)| c.is_ascii_digit()) {
                n = n.saturating_mul(10).saturating_add(c as usize - '0' as usize);
            }
            n
        };
        s.width = number(self, &mut s).min(1 << 20);
        let dot = format[format.len() - format.trim_start_matches(['-', '+', ' ', '#', '0']).len()..]
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == '*')
            .starts_with('.');
        if dot {
            chars.next();
            let mut number = |this: &mut Self| {
                if chars.next_if(|(_, c)| *c == '*').is_some() {
                    return usize::try_from(this.integer()).ok();
                }
                let mut n = 0usize;
                while let Some((_, c)) = chars.next_if(|(_, c)| c.is_ascii_digit()) {
                    n = n.saturating_mul(10).saturating_add(c as usize - '0' as usize);
                }
                Some(n)
            };
            s.precision = number(self).map(|n| n.min(1 << 20));
        }
        match chars.next() {
            Some((i, c)) => Ok((s, c, &format[i + c.len_utf8()..])),
            None => Err(format!("%{format}: not a conversion")),
        }
    }

    fn next_arg(&mut self) -> String {
        self.args.next().cloned().unwrap_or_default()
    }

    fn integer(&mut self) -> i64 {
        let a = self.next_arg();
        let t = a.trim_start();
        // A quote gives the number of the character behind it.
        if let Some(c) = t.strip_prefix(['\'', '"']) {
            return c.chars().next().map_or(0, |c| c as i64);
        }
        if t.is_empty() {
            return 0;
        }
        arith::number(t).unwrap_or_else(|_| {
            self.errors.push(format!("{a}: not a number"));
            let end =
                t.char_indices().find(|(i, c)| !(c.is_ascii_digit() || *i == 0 && *c == '-')).map_or(t.len(), |e| e.0);
            t[..end].parse().unwrap_or(0)
        })
    }

    fn convert(&mut self, s: &Spec, conversion: char) -> Result<(), String> {
        let text = match conversion {
            's' => cut(&self.next_arg(), s.precision),
            'b' => {
                let (t, stop) = unescape(&self.next_arg(), true);
                self.stop |= stop;
                cut(&t, s.precision)
            }
            'c' => self.next_arg().chars().take(1).collect(),
            'd' | 'i' => {
                let n = self.integer();
                let sign = if n < 0 { "-" } else { self::sign(s) };
                return self.number(s, sign, n.unsigned_abs().to_string());
            }
            'u' => {
                let n = self.integer() as u64;
                return self.number(s, "", n.to_string());
            }
            'o' => {
                let n = self.integer() as u64;
                return self.number(s, if s.alternate { "0" } else { "" }, format!("{n:o}"));
            }
            'x' => {
                let n = self.integer() as u64;
                return self.number(s, if s.alternate && n != 0 { "0x" } else { "" }, format!("{n:x}"));
            }
            'X' => {
                let n = self.integer() as u64;
                return self.number(s, if s.alternate && n != 0 { "0X" } else { "" }, format!("{n:X}"));
            }
            c => return Err(format!("%{c}: not a conversion")),
        };
        self.pad(s, &text);
        Ok(())
    }

    fn number(&mut self, s: &Spec, prefix: &str, digits: String) -> Result<(), String> {
        let digits = match s.precision {
            Some(p) => format!("{}{digits}", "0".repeat(p.saturating_sub(digits.len()))),
            None if s.zero && !s.left => {
                format!("{}{digits}", "0".repeat(s.width.saturating_sub(digits.len() + prefix.len())))
            }
            None => digits,
        };
        self.pad(s, &format!("{prefix}{digits}"));
        Ok(())
    }

    fn pad(&mut self, s: &Spec, text: &str) {
        let fill = " ".repeat(s.width.saturating_sub(text.chars().count()));
        if s.left {
            self.out.extend([text, &fill]);
        } else {
            self.out.extend([fill.as_str(), text]);
        }
    }
}

fn sign(s: &Spec) -> &'static str {
    match (s.plus, s.space) {
        (true, _) => "+",
        (_, true) => " ",
        _ => "",
    }
}
fn cut(text: &str, precision: Option<usize>) -> String {
    precision.map_or_else(|| text.to_string(), |p| text.chars().take(p).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pf(args: &[&str]) -> String {
        let args: Vec<String> = args.iter().map(|s| s.to_string()).collect();
        let mut f = Printf { out: String::new(), args: args[1..].iter(), stop: false, errors: Vec::new() };
        loop {
            let before = f.args.len();
            f.once(&args[0]).unwrap();
            if f.stop || f.args.len() == 0 || f.args.len() == before {
                return f.out;
            }
        }
    }

    #[test]
    fn conversions_are_cs() {
        assert_eq!(pf(&["%5d|%-5d|%05d|%+d", "42", "42", "42", "42"]), "   42|42   |00042|+42");
        assert_eq!(pf(&["%x %X %o %#x", "255", "255", "8", "255"]), "ff FF 10 0xff");
        assert_eq!(pf(&["%.2s|%5s|%-5s|%c", "abc", "x", "y", "zz"]), "ab|    x|y    |z");
        assert_eq!(pf(&["%.3d %u", "7", "-1"]), "007 18446744073709551615");
        assert!(has_float("a%5.*fb") && has_float("%%%G") && !has_float("%%f %d%%e"));
        assert_eq!(pf(&["%*d|%.*s", "4", "7", "2", "xyz"]), "   7|xy");
        assert_eq!(pf(&["%%\\t\\101\\x42\\n"]), "%\tAB\n");
        assert_eq!(pf(&["%b|", "a\\nb\\0101"]), "a\nbA|");
        assert_eq!(pf(&["%d", "'A"]), "65");
    }

    #[test]
    fn the_format_is_used_until_the_arguments_are_used_up() {
        assert_eq!(pf(&["%s-%s;", "a", "b", "c"]), "a-b;c-;");
        assert_eq!(pf(&["x"]), "x");
        assert_eq!(pf(&["a\\cb", "1", "2"]), "a\\cb".replace("\\cb", ""));
    }
}
