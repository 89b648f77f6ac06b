//! Archives compressed with zstd.

use super::ImageError;
use std::io::{BufRead, BufReader, Read};

/// What a compressed archive may unpack to: it is kept in memory.
const MAX_UNPACKED: u64 = 2 << 30;

pub fn is_zstd(head: &[u8]) -> bool {
    head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}

/// Unpacks zstd, one frame after the other.
pub fn unzstd(from: impl Read) -> Result<Vec<u8>, ImageError> {
    let damaged = |e: &dyn std::fmt::Display| ImageError::new(format!("damaged zstd data: {e}"));
    let mut from = BufReader::with_capacity(128 << 10, from);
    let mut out = Vec::new();
    while !from.fill_buf().map_err(|e| damaged(&e))?.is_empty() {
        let frame = ruzstd::decoding::StreamingDecoder::new(&mut from).map_err(|e| damaged(&e))?;
        let room = MAX_UNPACKED + 1 - out.len() as u64;
        frame.take(room).read_to_end(&mut out).map_err(|e| damaged(&e))?;
        if out.len() as u64 > MAX_UNPACKED {
            return Err(ImageError::new("unpacks to more than 2 GiB; unpack it and give the directory or the .tar"));
        }
    }
    Ok(out)
}
