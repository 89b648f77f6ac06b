//! How many columns a terminal takes for a character: just enough Unicode to erase the right number.

/// First and last of the ranges that take two columns: East Asian wide and full width, and emoji.
const WIDE: [(u32, u32); 14] = [
    (0x1100, 0x115f),
    (0x231a, 0x231b),
    (0x23e9, 0x23ec),
    (0x2614, 0x2615),
    (0x26a1, 0x26a1),
    (0x2705, 0x2705),
    (0x2728, 0x2728),
    (0x2e80, 0x303e),
    (0x3041, 0xa4cf),
    (0xac00, 0xd7a3),
    (0xf900, 0xfaff),
    (0xfe30, 0xfe6f),
    (0xff00, 0xff60),
    (0x1f300, 0x3fffd),
];
/// And of those that take none: what combines with the character before.
const NONE: [(u32, u32); 8] = [
    (0x300, 0x36f),
    (0x483, 0x489),
    (0x591, 0x5bd),
    (0x1ab0, 0x1aff),
    (0x1dc0, 0x1dff),
    (0x200b, 0x200f),
    (0x20d0, 0x20ff),
    (0xfe00, 0xfe0f),
];

/// Of a character that is no control character.
fn columns(c: u32) -> i32 {
    let within = |ranges: &[(u32, u32)]| ranges.iter().any(|r| (r.0..=r.1).contains(&c));
    match c {
        ..0x300 => 1,
        _ if within(&NONE) => 0,
        _ if within(&WIDE) => 2,
        _ => 1,
    }
}

/// The bytes that `^X` stands for.
pub fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

/// The second to last byte of a character of UTF-8.
pub fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// UTF-8, byte by byte.
#[derive(Default)]
pub struct Decoder {
    char: u32,
    /// Bytes that are to come.
    missing: u8,
}

impl Decoder {
    /// What this byte adds: a column with the first byte of a character, as if it had one, and what is
    /// to be put right with its last.
    #[inline]
    pub fn columns_of(&mut self, byte: u8) -> i32 {
        if is_continuation(byte) {
            if self.missing == 0 {
                return 0;
            }
            self.char = self.char << 6 | (byte & 0x3f) as u32;
            self.missing -= 1;
            return if self.missing == 0 { columns(self.char) - 1 } else { 0 };
        }
        (self.char, self.missing) = match byte {
            0xc2..=0xdf => ((byte & 0x1f) as u32, 1),
            0xe0..=0xef => ((byte & 0x0f) as u32, 2),
            0xf0..=0xf4 => ((byte & 0x07) as u32, 3),
            _ => (0, 0),
        };
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_take_the_columns_that_terminals_give_them() {
        for (text, want) in [("abc", 3), ("äß", 2), ("日本", 4), ("한글", 4), ("e\u{301}", 1), ("🦀", 2), ("→", 1)]
        {
            let mut d = Decoder::default();
            assert_eq!(text.bytes().map(|b| d.columns_of(b)).sum::<i32>(), want, "{text}");
        }
        let mut d = Decoder::default();
        assert_eq!([0xff, 0xe6, b'x', 0x80].map(|b| d.columns_of(b)), [1, 1, 1, 0]);
    }
}
