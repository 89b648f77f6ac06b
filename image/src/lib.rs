//! Boot images, for whoever makes one: `vk` from an archive or a directory, `xtask` for the browser.
//!
//! A [`tree::Tree`] collects files in any order; its `finish` makes the index that a kernel reads
//! ([`abi::image::Entry`]) and hands back the contents as numbered blobs. What a content is, is the
//! caller's matter: bytes, a stretch of a file, a path.

pub mod archive;
pub mod pack;
pub mod tree;

use std::fmt;

/// Why something is not a boot image. The text says what was expected.
#[derive(Debug)]
pub struct ImageError(String);

impl ImageError {
    pub fn new(text: impl Into<String>) -> Self {
        ImageError(text.into())
    }
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ImageError {}

/// An I/O error in words, without the number that Rust puts behind them.
pub fn plain(e: &std::io::Error) -> String {
    let text = e.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_string(),
        None => text,
    }
}

/// A name for a person to read.
pub fn show(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
