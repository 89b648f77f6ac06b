//! Compressing and keeping: what takes long is kept in `target/web-cache` under the hash of what it
//! was made from, so that a build after a small change takes no longer than the change is worth.

use crate::process::{Outcome, target, write_if_changed};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// How hard to try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effort {
    /// Everybody waits for it before the prompt comes: 6 % smaller, at about 1 s a megabyte.
    Boot,
    /// Fetched by those who use it.
    Later,
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What was made of these bytes before, or is made now. `how` names the way it is made.
pub fn kept(how: &str, from: &[u8], make: impl FnOnce() -> Outcome<Vec<u8>>) -> Outcome<Vec<u8>> {
    let file = cache().join(format!("{}-{how}", hex(&sha256(from)[..16])));
    if let Ok(bytes) = std::fs::read(&file) {
        return Ok(bytes);
    }
    let bytes = make()?;
    // Whole or not at all: who finds it believes it.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let nr = NEXT.fetch_add(1, Ordering::Relaxed);
    let aside = file.with_extension(format!("{}.{nr}.new", std::process::id()));
    write_if_changed(&aside, &bytes)?;
    std::fs::rename(&aside, &file).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(bytes)
}

/// A gzip file of one member, without name or time: the same bytes each time.
pub fn gzip(raw: &[u8], effort: Effort) -> Outcome<Vec<u8>> {
    match effort {
        Effort::Boot => kept("zopfli", raw, || zopfli_gzip(raw).map_err(|e| format!("zopfli: {e}"))),
        Effort::Later => kept("gzip", raw, || fast_gzip(raw, 9).map_err(|e| format!("gzip: {e}"))),
    }
}

/// For what is not kept.
pub fn fast_gzip(raw: &[u8], level: u32) -> std::io::Result<Vec<u8>> {
    let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    e.write_all(raw)?;
    e.finish()
}

fn zopfli_gzip(raw: &[u8]) -> std::io::Result<Vec<u8>> {
    // More than five rounds win some hundred bytes in a megabyte.
    let options = zopfli::Options { iteration_count: NonZeroU64::new(5).unwrap(), ..Default::default() };
    let mut out = Vec::new();
    zopfli::compress(options, zopfli::Format::Gzip, raw, &mut out)?;
    Ok(out)
}

fn cache() -> PathBuf {
    target().join("web-cache")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn both_ways_unpack_to_the_same() {
        let raw: Vec<u8> = (0..100_000u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for packed in [zopfli_gzip(&raw).unwrap(), fast_gzip(&raw, 9).unwrap()] {
            let mut out = Vec::new();
            flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut out).unwrap();
            assert!(out == raw && packed.len() < raw.len() / 4);
            // No name (FNAME) and no time in the header: RFC 1952, 2.3.
            assert_eq!(packed[3..8], [0; 5]);
        }
    }
}
