//! Text of unknown encoding in a `String`, without loss.
//!
//! Scripts, arguments and file names are bytes; nearly always they are UTF-8. Bytes that are not
//! stand as characters of the last private block, `U+10FF00 + byte`, and are turned back on the way out.
//! A genuine character of that block is taken apart into its bytes, so that every sequence of
//! bytes has one form and comes back as it was.

const BLOCK: u32 = 0x10ff00;

/// From bytes to text.
pub fn from_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if (c as u32) < BLOCK {
                out.push(c);
            } else {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| push_byte(&mut out, b));
            }
        }
        chunk.invalid().iter().for_each(|&b| push_byte(&mut out, b));
    }
    out
}

fn push_byte(out: &mut String, b: u8) {
    out.extend(char::from_u32(BLOCK + b as u32));
}

/// From text to the bytes it came from.
pub fn to_bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match (c as u32).checked_sub(BLOCK) {
            Some(b) => out.push(b as u8),
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

/// In single quotes, for text that a shell reads again.
pub fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,+@%=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_string();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// True for a name that a variable can have.
pub fn is_name(s: &str) -> bool {
    let mut chars = s.chars();
    chars.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && chars.all(|c| c == '_' || c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back() {
        for bytes in [&b"plain"[..], "æ漢".as_bytes(), b"\xff\xfe mixed \xc3", "\u{10ff41}".as_bytes(), b""] {
            assert_eq!(to_bytes(&from_bytes(bytes)), bytes);
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(to_bytes(&from_bytes(&all)), all);
    }

    #[test]
    fn quoting_survives_quotes() {
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("plain-1.txt"), "plain-1.txt");
        assert_eq!(quote(""), "''");
    }
}
