//! Patterns for names (POSIX XCU 2.14.1), as expressions.

use crate::{Regex, Syntax};

/// A pattern that has to match all of a name. A slash and a leading dot are nothing special.
pub fn glob(pattern: &[u8], ignore_case: bool) -> Result<Regex, String> {
    let mut out = Vec::with_capacity(pattern.len() * 2);
    let literal = |out: &mut Vec<u8>, b: u8| {
        if b"\\[](){}.*+?^$|".contains(&b) {
            out.push(b'\\');
        }
        out.push(b);
    };
    let mut i = 0;
    while let Some(&b) = pattern.get(i) {
        i += 1;
        match b {
            b'*' => out.extend_from_slice(b".*"),
            b'?' => out.push(b'.'),
            b'\\' if i < pattern.len() => {
                literal(&mut out, pattern[i]);
                i += 1;
            }
            b'[' => match bracket(&pattern[i..]) {
                Some(len) => {
                    let inner = &pattern[i..i + len];
                    out.push(b'[');
                    match inner.strip_prefix(b"!") {
                        Some(rest) => out.extend([b"^", rest].concat()),
                        None => out.extend_from_slice(inner),
                    }
                    out.push(b']');
                    i += len + 1;
                }
                None => out.extend_from_slice(b"\\["),
            },
            b => literal(&mut out, b),
        }
    }
    Regex::new(&out, Syntax { extended: true, ignore_case, whole: true, ..Syntax::default() })
}

/// How long a bracket expression is, behind its `[` and before its `]`.
fn bracket(rest: &[u8]) -> Option<usize> {
    let mut i = rest.first().is_some_and(|b| b"!^".contains(b)) as usize;
    let first = i;
    loop {
        match rest.get(i)? {
            b']' if i > first => return Some(i),
            b'[' if rest.get(i + 1).is_some_and(|b| b":.=".contains(b)) => {
                let end = [rest[i + 1], b']'];
                match rest[i + 2..].windows(2).position(|w| w == end) {
                    Some(n) => i += n + 4,
                    None => i += 1,
                }
            }
            _ => i += 1,
        }
    }
}
