//! Values: numbers, strings, and strings from outside that look like numbers.

use std::rc::Rc;

#[derive(Clone, Debug, Default)]
pub enum Val {
    /// Of a variable that nothing was put into: both 0 and empty.
    #[default]
    None,
    Num(f64),
    Str(Rc<[u8]>),
    /// From outside, and it looks like this number.
    StrNum(Rc<[u8]>, f64),
}

impl Val {
    pub fn str(bytes: impl Into<Rc<[u8]>>) -> Val {
        Val::Str(bytes.into())
    }

    /// A string from outside (POSIX: a "numeric string", if it looks like one).
    pub fn outside(bytes: &[u8]) -> Val {
        let text: Rc<[u8]> = bytes.into();
        let blank = |b: &u8| b.is_ascii_whitespace();
        let skipped = bytes.iter().take_while(|b| blank(b)).count();
        let (value, len) = number_prefix(&bytes[skipped..]);
        if len > 0 && bytes[skipped + len..].iter().all(blank) {
            return Val::StrNum(text, value);
        }
        Val::Str(text)
    }

    pub fn num(&self) -> f64 {
        match self {
            Val::None => 0.0,
            Val::Num(n) | Val::StrNum(_, n) => *n,
            Val::Str(s) => to_number(s),
        }
    }

    pub fn truth(&self) -> bool {
        match self {
            Val::None => false,
            Val::Num(n) | Val::StrNum(_, n) => *n != 0.0,
            Val::Str(s) => !s.is_empty(),
        }
    }

    /// As a string; numbers that are not whole by `format` (CONVFMT or OFMT).
    pub fn text(&self, format: &[u8]) -> Rc<[u8]> {
        match self {
            Val::None => Rc::from(&b""[..]),
            Val::Str(s) | Val::StrNum(s, _) => s.clone(),
            Val::Num(n) => number_text(*n, format).into(),
        }
    }

    /// Whether it is compared as a number, when the other one is.
    pub fn is_numeric(&self) -> bool {
        !matches!(self, Val::Str(_))
    }
}

pub fn number_text(n: f64, format: &[u8]) -> Vec<u8> {
    if n.is_nan() {
        return if n.is_sign_negative() { b"-nan".to_vec() } else { b"nan".to_vec() };
    }
    if n.is_infinite() {
        return if n < 0.0 { b"-inf".to_vec() } else { b"inf".to_vec() };
    }
    if n == n.trunc() && n.abs() < 1e18 {
        return (n as i64).to_string().into_bytes();
    }
    crate::format::format(format, &[Val::Num(n)], b"%.6g")
}

/// A decimal number at the beginning, and how long it is (0: there is none).
pub fn number_prefix(bytes: &[u8]) -> (f64, usize) {
    let mut i = bytes.first().is_some_and(|b| b"+-".contains(b)) as usize;
    let digits = |from: usize| bytes[from.min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(i);
    i += whole;
    let mut part = 0;
    if bytes.get(i) == Some(&b'.') {
        part = digits(i + 1);
        if whole + part > 0 {
            i += 1 + part;
        }
    }
    if whole + part == 0 {
        let rest = &bytes[i..];
        let sign = if bytes.starts_with(b"-") { -1.0 } else { 1.0 };
        // Only with a sign, since these are words, too.
        if i == 1 && rest.len() >= 3 && rest.get(3).is_none_or(|b| !b.is_ascii_alphanumeric()) {
            match &rest[..3].to_ascii_lowercase()[..] {
                b"inf" => return (sign * f64::INFINITY, 4),
                b"nan" => return (f64::NAN.copysign(sign), 4),
                _ => {}
            }
        }
        return (0.0, 0);
    }
    if bytes.get(i).is_some_and(|b| b"eE".contains(b)) {
        let sign = bytes.get(i + 1).is_some_and(|b| b"+-".contains(b)) as usize;
        let n = digits(i + 1 + sign);
        if n > 0 {
            i += 1 + sign + n;
        }
    }
    let text = std::str::from_utf8(&bytes[..i]).unwrap_or("0");
    (text.parse().unwrap_or(0.0), i)
}

pub fn to_number(s: &[u8]) -> f64 {
    let skipped = s.iter().take_while(|b| b.is_ascii_whitespace()).count();
    number_prefix(&s[skipped..]).0
}
