//! The packed form of an image, as a web server has it.
//!
//! A *pack* holds the contents of several blobs one after another, compressed. The pack that is
//! called the index says what files there are and which pack has what: `u32` length, the records of
//! [`abi::image::Entry`], then a [`Row`] for each blob from [`abi::image::BLOB_FIRST`] on. All
//! numbers are little-endian.

use abi::wire::Reader;
use abi::{Errno, SysResult};

/// Bytes of a [`Row`].
pub const ROW_LEN: usize = 4 * 4 + 32;

/// Where the contents of a blob are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The pack's position in the manifest.
    pub pack: u32,
    /// Where it begins in the unpacked pack.
    pub offset: u32,
    pub length: u32,
    /// The blob with this program prepared for a browser, which stands in no directory; 0: there is none.
    pub prepared: u32,
    /// SHA-256 of the contents; zeros where the name of the pack says enough (a host compares it anyway).
    pub hash: [u8; 32],
}

impl Row {
    fn put(&self, out: &mut Vec<u8>) {
        for n in [self.pack, self.offset, self.length, self.prepared] {
            out.extend_from_slice(&n.to_le_bytes());
        }
        out.extend_from_slice(&self.hash);
    }

    fn get(bytes: &[u8]) -> Option<Row> {
        let (numbers, hash) = bytes.split_at_checked(16)?;
        let mut n = numbers.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]));
        Some(Row {
            pack: n.next()?,
            offset: n.next()?,
            length: n.next()?,
            prepared: n.next()?,
            hash: hash.try_into().ok()?,
        })
    }
}

/// The contents of the index pack.
pub fn join(index: &[u8], rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + index.len() + rows.len() * ROW_LEN);
    out.extend_from_slice(&(index.len() as u32).to_le_bytes());
    out.extend_from_slice(index);
    for row in rows {
        row.put(&mut out);
    }
    out
}

/// The index and the table out of an index pack; `EINVAL` when it isn't one.
pub fn split(pack: &[u8]) -> SysResult<(&[u8], Vec<Row>)> {
    let mut r = Reader::new(pack);
    let index = r.string()?;
    let rows = r.rest().chunks(ROW_LEN).map(Row::get).collect::<Option<_>>();
    Ok((index, rows.ok_or(Errno::EINVAL)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_splits_again() {
        let rows = [
            Row { pack: 1, offset: 2, length: 3, prepared: 4, hash: [5; 32] },
            Row { pack: u32::MAX, hash: [0xff; 32], ..Row::default() },
        ];
        let pack = join(b"index", &rows);
        assert_eq!(pack.len(), 4 + 5 + 2 * ROW_LEN);
        assert_eq!(split(&pack).unwrap(), (&b"index"[..], rows.to_vec()));
        assert_eq!(split(&join(b"", &[])).unwrap(), (&b""[..], Vec::new()));
    }

    #[test]
    fn a_damaged_index_pack_is_refused() {
        let pack = join(b"index", &[Row::default()]);
        for n in (0..pack.len()).filter(|n| *n != 4 + 5) {
            assert!(split(&pack[..n]).is_err(), "{n} bytes");
        }
        assert!(split(&[0xff; 40]).is_err());
    }
}
