//! A text compressed and unpacked again, with miniz_oxide.

use super::Random;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec;

/// Bytes for one operation.
const LEN: usize = 64 << 10;
/// zlib's default.
const LEVEL: u8 = 6;

/// Words in a random order: compresses to about a third, as prose does.
pub fn text() -> Vec<u8> {
    const WORDS: [&str; 32] = [
        "the",
        "kernel",
        "of",
        "a",
        "process",
        "waits",
        "for",
        "descriptor",
        "and",
        "then",
        "memory",
        "is",
        "mapped",
        "between",
        "two",
        "programs",
        "signal",
        "lost",
        "in",
        "every",
        "file",
        "system",
        "call",
        "returns",
        "an",
        "error",
        "when",
        "nobody",
        "reads",
        "from",
        "pipe",
        "again",
    ];
    let mut text = Vec::with_capacity(LEN + 16);
    let mut random = Random(7);
    while text.len() < LEN {
        let r = random.next().unwrap_or_default();
        text.extend_from_slice(WORDS[(r >> 8) as usize % WORDS.len()].as_bytes());
        text.extend_from_slice(if r.is_multiple_of(11) { b".\n" } else { b" " });
    }
    text.truncate(LEN);
    text
}

/// Compresses and unpacks; whether it became smaller and came back whole.
pub fn there_and_back(text: &[u8]) -> bool {
    let packed = compress_to_vec(text, LEVEL);
    packed.len() < text.len() / 2 && decompress_to_vec(&packed).is_ok_and(|back| back == text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_text_comes_back() {
        assert!(super::there_and_back(&super::text()));
    }
}
