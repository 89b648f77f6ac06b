//! The index pack: names of the image's files for the kernel, and where the contents are for us.
//!
//! `u32` length, the index (`abi::image::Entry` records), then for each blob from `BLOB_FIRST` on:
//! `u32` pack, `u32` offset, `u32` length, `u32` prepared, `[u8; 32]` SHA-256 or
//! zeros, which is for who caches programs by it: we go by what the pack is called. Read where it lies.

use abi::image::{BLOB_FIRST, Index};
use abi::wire::Reader;

const RECORD: usize = 48;

pub struct Table {
    bytes: Vec<u8>,
    /// Where the records begin.
    records: usize,
}

/// Where a blob is.
#[derive(Clone, Copy)]
pub struct Slot {
    pub pack: u32,
    pub offset: u32,
    pub length: u32,
    /// The blob with the prepared form of this program, 0 for none.
    pub prepared: u32,
}

impl Table {
    /// `None` when it is none.
    pub fn new(bytes: Vec<u8>) -> Option<Table> {
        let mut r = Reader::new(&bytes);
        r.string().ok()?;
        if !r.rest().len().is_multiple_of(RECORD) {
            return None;
        }
        let records = bytes.len() - r.rest().len();
        Some(Table { bytes, records })
    }

    /// The kernel's blob 1.
    pub fn index(&self) -> &[u8] {
        &self.bytes[4..self.records]
    }

    /// How many blob numbers there are, the first two included.
    pub fn blobs(&self) -> u32 {
        ((self.bytes.len() - self.records) / RECORD) as u32 + BLOB_FIRST
    }

    pub fn slot(&self, blob: u32) -> Option<Slot> {
        let at = self.records + blob.checked_sub(BLOB_FIRST)? as usize * RECORD;
        let mut r = Reader::new(self.bytes.get(at..at + RECORD)?);
        let mut word = || r.u32().ok();
        let (pack, offset, length, prepared) = (word()?, word()?, word()?, word()?);
        Some(Slot { pack, offset, length, prepared })
    }

    /// The blob of a file.
    pub fn find(&self, path: &str) -> Option<u32> {
        let mut index = Index(Reader::new(self.index()));
        while let Ok(Some(entry)) = index.next_entry() {
            if entry.path == path.as_bytes() {
                return Some(entry.blob);
            }
        }
        None
    }

    /// What a person calls a blob: the path of the file, or of the program it is the prepared form of.
    pub fn path(&self, blob: u32) -> String {
        let original = (BLOB_FIRST..self.blobs()).find(|&b| self.slot(b).is_some_and(|s| s.prepared == blob));
        let mut index = Index(Reader::new(self.index()));
        while let Ok(Some(entry)) = index.next_entry() {
            // A device node's number stands where a file's blob does.
            let file = entry.mode & abi::types::mode::IFMT == abi::types::mode::IFREG;
            if file && (entry.blob == blob || Some(entry.blob) == original) {
                return ["/", &String::from_utf8_lossy(entry.path)].concat();
            }
        }
        ["blob ", &blob.to_string()].concat()
    }
}
