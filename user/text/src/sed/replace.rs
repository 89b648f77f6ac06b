//! What `s` puts in: texts, groups, and changes of case.

use posix_regex::Span;

#[derive(Debug, PartialEq)]
pub enum Part {
    Text(Vec<u8>),
    /// `&` is 0.
    Group(usize),
    /// `\L`, `\U`, `\l`, `\u`, `\E`.
    Case(u8),
}

pub fn parts(replacement: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = Vec::new();
    let mut bytes = replacement.iter().copied();
    while let Some(c) = bytes.next() {
        let part = match c {
            b'&' => Part::Group(0),
            b'\\' => match bytes.next() {
                Some(d @ b'0'..=b'9') => Part::Group((d - b'0') as usize),
                Some(l @ (b'L' | b'U' | b'l' | b'u' | b'E')) => Part::Case(l),
                Some(c) => {
                    text.push(match c {
                        b'n' => b'\n',
                        b't' => b'\t',
                        b'r' => b'\r',
                        b'a' => 7,
                        b'f' => 12,
                        b'v' => 11,
                        c => c,
                    });
                    continue;
                }
                None => {
                    text.push(b'\\');
                    continue;
                }
            },
            c => {
                text.push(c);
                continue;
            }
        };
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        parts.push(part);
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    parts
}

/// Puts in one match's replacement.
pub fn fill(parts: &[Part], text: &[u8], groups: &[Span], out: &mut Vec<u8>) {
    let (mut case, mut once) = (b'E', 0);
    for part in parts {
        let piece = match part {
            Part::Text(t) => t.as_slice(),
            Part::Group(n) => groups.get(*n).copied().flatten().map_or(&b""[..], |(from, to)| &text[from..to]),
            Part::Case(l @ (b'l' | b'u')) => {
                once = *l;
                continue;
            }
            Part::Case(l) => {
                case = *l;
                once = 0;
                continue;
            }
        };
        if piece.is_empty() || (case == b'E' && once == 0) {
            out.extend_from_slice(piece);
            continue;
        }
        // Changing case is for text.
        for (i, c) in String::from_utf8_lossy(piece).chars().enumerate() {
            let how = if i == 0 && once != 0 { once.to_ascii_uppercase() } else { case };
            let changed: String = match how {
                b'U' => c.to_uppercase().collect(),
                b'L' => c.to_lowercase().collect(),
                _ => c.to_string(),
            };
            out.extend_from_slice(changed.as_bytes());
        }
        once = 0;
    }
}
