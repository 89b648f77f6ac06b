//! `printf` (POSIX awk, "Output Statements"; XBD 5).

use crate::value::Val;

struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// `convfmt` is for numbers that are shown as strings.
pub fn format(format: &[u8], args: &[Val], convfmt: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut args = args.iter();
    let mut i = 0;
    while i < format.len() {
        let c = format[i];
        i += 1;
        if c != b'%' {
            out.push(c);
            continue;
        }
        let begin = i - 1;
        let mut spec =
            Spec { left: false, plus: false, space: false, alternate: false, zero: false, width: 0, precision: None };
        while let Some(flag) = format.get(i) {
            match flag {
                b'-' => spec.left = true,
                b'+' => spec.plus = true,
                b' ' => spec.space = true,
                b'#' => spec.alternate = true,
                b'0' => spec.zero = true,
                _ => break,
            }
            i += 1;
        }
        let mut count = |i: &mut usize| -> Option<i64> {
            if format.get(*i) == Some(&b'*') {
                *i += 1;
                return args.next().map(|v| v.num() as i64);
            }
            let mut n = None;
            while let Some(d @ b'0'..=b'9') = format.get(*i) {
                n = Some((n.unwrap_or(0i64) * 10 + (d - b'0') as i64).min(1 << 20));
                *i += 1;
            }
            n
        };
        let width = count(&mut i).unwrap_or(0);
        spec.left |= width < 0;
        spec.width = width.unsigned_abs().min(1 << 20) as usize;
        if format.get(i) == Some(&b'.') {
            i += 1;
            spec.precision = match count(&mut i) {
                Some(n) if n < 0 => None,
                n => Some(n.unwrap_or(0) as usize),
            };
        }
        while format.get(i).is_some_and(|c| b"hlLqjzt".contains(c)) {
            i += 1;
        }
        let Some(&conversion) = format.get(i) else {
            out.extend_from_slice(&format[begin..]);
            break;
        };
        i += 1;
        match conversion {
            b'%' => out.push(b'%'),
            b'c' | b'd' | b'i' | b'o' | b'x' | b'X' | b'u' | b'e' | b'E' | b'f' | b'F' | b'g' | b'G' | b'a' | b's' => {
                let value = args.next().cloned().unwrap_or_default();
                one(&spec, conversion, &value, convfmt, &mut out);
            }
            _ => out.extend_from_slice(&format[begin..i]),
        }
    }
    out
}

fn one(spec: &Spec, conversion: u8, value: &Val, convfmt: &[u8], out: &mut Vec<u8>) {
    match conversion {
        b's' => {
            let text = value.text(convfmt);
            let text = match spec.precision {
                Some(n) => &text[..chars(&text, n)],
                None => &text,
            };
            pad(spec, b"", text, false, out);
        }
        b'c' => {
            let text = match value {
                Val::Num(n) | Val::StrNum(_, n) if matches!(value, Val::Num(_)) => {
                    let n = *n as u32;
                    match char::from_u32(n).filter(|_| n > 255) {
                        Some(c) => c.to_string().into_bytes(),
                        None => vec![n as u8],
                    }
                }
                _ => {
                    let text = value.text(convfmt);
                    text[..chars(&text, 1)].to_vec()
                }
            };
            pad(spec, b"", &text, false, out);
        }
        b'd' | b'i' | b'o' | b'x' | b'X' | b'u' => whole(spec, conversion, value.num(), out),
        _ => {
            let n = value.num();
            let sign: &[u8] = sign(spec, n.is_sign_negative() && !n.is_nan());
            let digits = float(spec, conversion, n.abs());
            pad(spec, sign, &digits, n.is_finite(), out);
        }
    }
}

fn sign(spec: &Spec, negative: bool) -> &'static [u8] {
    match (negative, spec.plus, spec.space) {
        (true, ..) => b"-",
        (_, true, _) => b"+",
        (_, _, true) => b" ",
        _ => b"",
    }
}

fn whole(spec: &Spec, conversion: u8, n: f64, out: &mut Vec<u8>) {
    if !n.is_finite() {
        return pad(spec, sign(spec, n < 0.0), if n.is_nan() { b"nan" } else { b"inf" }, false, out);
    }
    let n = n.trunc();
    let signed = matches!(conversion, b'd' | b'i');
    let value =
        if signed { n.abs() as u128 } else { (n as i128 as u128) & if n < 0.0 { u64::MAX as u128 } else { u128::MAX } };
    let mut digits = match conversion {
        b'o' => format!("{value:o}"),
        b'x' => format!("{value:x}"),
        b'X' => format!("{value:X}"),
        _ => value.to_string(),
    };
    if let Some(p) = spec.precision {
        if p == 0 && value == 0 {
            digits.clear();
        }
        digits = format!("{}{digits}", "0".repeat(p.saturating_sub(digits.len())));
    }
    let prefix: &[u8] = match conversion {
        _ if signed => sign(spec, n < 0.0),
        b'x' if spec.alternate && value != 0 => b"0x",
        b'X' if spec.alternate && value != 0 => b"0X",
        b'o' if spec.alternate && !digits.starts_with('0') => b"0",
        _ => b"",
    };
    pad(spec, prefix, digits.as_bytes(), spec.precision.is_none(), out);
}

/// The digits of a number that is not negative.
fn float(spec: &Spec, conversion: u8, n: f64) -> Vec<u8> {
    let upper = conversion.is_ascii_uppercase();
    let text = if n.is_nan() {
        "nan".into()
    } else if n.is_infinite() {
        "inf".into()
    } else {
        let precision = spec.precision.unwrap_or(6);
        match conversion.to_ascii_lowercase() {
            b'f' => format!("{n:.precision$}") + if spec.alternate && precision == 0 { "." } else { "" },
            b'e' => exponent(n, precision, spec.alternate),
            _ => general(n, precision.max(1), spec.alternate),
        }
    };
    if upper { text.to_ascii_uppercase().into_bytes() } else { text.into_bytes() }
}

/// `1.5e+02`.
fn exponent(n: f64, precision: usize, alternate: bool) -> String {
    let text = format!("{n:.precision$e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let point = if alternate && precision == 0 { "." } else { "" };
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}{point}e{sign}{:02}", power.abs())
}

/// `%g`: as many significant digits, and the shorter form.
fn general(n: f64, precision: usize, alternate: bool) -> String {
    let rounded = format!("{n:.*e}", precision - 1);
    let power: i32 = rounded.split_once('e').and_then(|p| p.1.parse().ok()).unwrap_or(0);
    let short = |text: String| {
        if alternate || !text.contains('.') {
            text
        } else {
            text.trim_end_matches('0').trim_end_matches('.').to_string()
        }
    };
    if power < -4 || power >= precision as i32 {
        let text = exponent(n, precision - 1, alternate);
        let (digits, power) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{power}", short(digits.into()));
    }
    short(format!("{n:.*}", (precision as i32 - 1 - power).max(0) as usize))
}

fn pad(spec: &Spec, prefix: &[u8], text: &[u8], zeros: bool, out: &mut Vec<u8>) {
    let len = prefix.len() + if text.is_ascii() { text.len() } else { String::from_utf8_lossy(text).chars().count() };
    let fill = spec.width.saturating_sub(len);
    let zeros = zeros && spec.zero && !spec.left;
    if !spec.left && !zeros {
        out.resize(out.len() + fill, b' ');
    }
    out.extend_from_slice(prefix);
    if zeros {
        out.resize(out.len() + fill, b'0');
    }
    out.extend_from_slice(text);
    if spec.left {
        out.resize(out.len() + fill, b' ');
    }
}

/// How many bytes so many characters are.
pub fn chars(text: &[u8], n: usize) -> usize {
    if text.len() <= n || text.is_ascii() {
        return n.min(text.len());
    }
    let mut at = 0;
    for _ in 0..n {
        let Some(rest) = text.get(at..).filter(|r| !r.is_empty()) else { break };
        at += char_len(rest);
    }
    at
}

/// The length of the character that bytes begin with; a byte that is part of none counts as one.
pub fn char_len(bytes: &[u8]) -> usize {
    let head = &bytes[..bytes.len().min(4)];
    let first = head.utf8_chunks().next().and_then(|c| c.valid().chars().next());
    first.map_or(1, char::len_utf8)
}
