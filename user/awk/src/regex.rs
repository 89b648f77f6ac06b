//! Regular expressions of awk: extended ones with the backslashes of its strings.

use posix_regex::{Regex, Syntax};

/// From the text between slashes, or from a string.
pub fn compile(text: &[u8]) -> Result<Regex, String> {
    let syntax = Syntax { extended: true, awk: true, ..Syntax::default() };
    Regex::new(&plain(text), syntax).map_err(|e| format!("regular expression: {e}"))
}

/// With characters for the escapes that name one.
fn plain(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut i = 0;
    while i < text.len() {
        let c = text[i];
        i += 1;
        if c != b'\\' || i >= text.len() {
            out.push(c);
            continue;
        }
        let e = text[i];
        i += 1;
        let special = |out: &mut Vec<u8>, b: u8| {
            if b.is_ascii_punctuation() {
                out.push(b'\\');
            }
            out.push(b);
        };
        match e {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'f' => out.push(12),
            b'v' => out.push(11),
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'"' | b'/' | b'&' => out.push(e),
            b'0'..=b'7' => {
                let mut n = (e - b'0') as u32;
                for _ in 0..2 {
                    match text.get(i) {
                        Some(d @ b'0'..=b'7') => n = n * 8 + (d - b'0') as u32,
                        _ => break,
                    }
                    i += 1;
                }
                special(&mut out, n as u8);
            }
            other => out.extend([b'\\', other]),
        }
    }
    out
}
