//! Images from tar archives: ustar, GNU and pax.
//!
//! Only headers are read here. Where the contents are is told to the caller's function, which says
//! how they will be reached later.

use crate::tree::{Kind, Node, Tree, clean, device_number};
use crate::{ImageError, plain, show};
use abi::types::mode;
use std::io::{Read, Seek};
use tar::{Entry, EntryType};

const EXPECTED: &str = "vk boots from a directory, a .tar file or a .tar.zst file";

/// Refuses what isn't a tar archive, with a word on what it is.
pub fn recognise(head: &[u8]) -> Result<(), ImageError> {
    let what = match head {
        [] => "an empty file",
        [0x1f, 0x8b, ..] => return Err(other_compression("gzip", "gunzip")),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => return Err(other_compression("xz", "unxz")),
        [b'B', b'Z', b'h', ..] => return Err(other_compression("bzip2", "bunzip2")),
        [0, b'a', b's', b'm', ..] => {
            return Err(ImageError::new(format!(
                "a WebAssembly module, not an image ({EXPECTED}); to run it: vk run FILE.wasm"
            )));
        }
        _ if head.len() < 512 => "too short for a tar archive",
        // An archive without entries is blocks of zeros.
        _ if head[..512].iter().all(|&b| b == 0) || checksum_holds(&head[..512]) => return Ok(()),
        _ => "not a tar archive",
    };
    Err(ImageError::new(format!("{what}; {EXPECTED}")))
}

fn other_compression(name: &str, tool: &str) -> ImageError {
    ImageError::new(format!("compressed with {name}; {EXPECTED} (unpack it with {tool})"))
}

fn checksum_holds(block: &[u8]) -> bool {
    let mut header = tar::Header::new_old();
    header.as_mut_bytes().copy_from_slice(block);
    let sum: u32 = block.iter().enumerate().map(|(i, &b)| if (148..156).contains(&i) { 32 } else { b as u32 }).sum();
    header.cksum().is_ok_and(|c| c == sum)
}

/// Reads the headers of an archive of `len` bytes. `content(offset, size)` answers how a stretch
/// of the archive can be read later.
pub fn read<C>(from: impl Read + Seek, len: u64, content: impl Fn(u64, u64) -> C) -> Result<Tree<C>, ImageError> {
    let mut tree = Tree::default();
    let mut archive = tar::Archive::new(from);
    let mut last = "the beginning".to_string();
    let entries = archive.entries_with_seek().map_err(|e| ImageError::new(plain(&e)))?;
    for entry in entries {
        let mut entry =
            entry.map_err(|e| ImageError::new(format!("damaged tar archive, after {last}: {}", plain(&e))))?;
        let name = entry.path_bytes().into_owned();
        last = format!("`{}`", show(&name));
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue;
        }
        let (off, size) = (entry.raw_file_position(), entry.size());
        if off.checked_add(size).is_none_or(|end| end > len) {
            return Err(ImageError::new(format!("damaged tar archive: it ends within {last}")));
        }
        let path = clean(&name)?;
        let mut node = node(&mut entry, &name)?;
        if let (Kind::File(blob, size), 1..) = (&mut node.kind, size) {
            *blob = Some(tree.add_content(content(off, *size)));
        }
        tree.put(path, node)?;
    }
    Ok(tree)
}

fn node<R: Read>(entry: &mut Entry<'_, R>, name: &[u8]) -> Result<Node, ImageError> {
    let wrong = |why: &str| ImageError::new(format!("entry `{}`: {why}", show(name)));
    let mtime_ns = mtime(entry).ok_or_else(|| wrong("a time that makes no sense"))?;
    if is_sparse(entry) {
        return Err(wrong("a sparse file; make the archive without --sparse"));
    }
    let header = entry.header();
    // An archive may leave owners out: then they are root.
    let number = |n: std::io::Result<u64>| u32::try_from(n.unwrap_or(0)).ok();
    let target = || entry.link_name_bytes().filter(|t| !t.is_empty()).ok_or_else(|| wrong("a link without a target"));
    let device = || -> Option<Kind> {
        let (major, minor) = (header.device_major().ok()??, header.device_minor().ok()??);
        Some(Kind::Device(device_number(major, minor)))
    };
    let (ifmt, kind) = match header.entry_type() {
        // Before POSIX, a directory was a file with a slash at the end.
        EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => (mode::IFDIR, Kind::Dir),
        EntryType::Regular | EntryType::Continuous => (mode::IFREG, Kind::File(None, entry.size())),
        EntryType::Directory => (mode::IFDIR, Kind::Dir),
        EntryType::Symlink => (mode::IFLNK, Kind::Symlink(target()?.into_owned())),
        EntryType::Link => (0, Kind::HardLink(clean(&target()?)?)),
        EntryType::Char => (mode::IFCHR, device().ok_or_else(|| wrong("a device without a number"))?),
        EntryType::Block => (mode::IFBLK, device().ok_or_else(|| wrong("a device without a number"))?),
        EntryType::Fifo => (mode::IFIFO, Kind::Fifo),
        other => return Err(wrong(&format!("a type that vk doesn't know ({:?})", other.as_byte() as char))),
    };
    let perm = header.mode().map_err(|_| wrong("a mode that makes no sense"))? & mode::PERM;
    let uid = number(header.uid()).ok_or_else(|| wrong("an owner that makes no sense"))?;
    let gid = number(header.gid()).ok_or_else(|| wrong("a group that makes no sense"))?;
    Ok(Node { mode: ifmt | perm, uid, gid, mtime_ns, kind })
}

/// The time of the last change: pax writes it with a fraction, in an extension.
fn mtime<R: Read>(entry: &mut Entry<'_, R>) -> Option<i64> {
    if let Ok(Some(extensions)) = entry.pax_extensions() {
        for ext in extensions.flatten() {
            if ext.key_bytes() == b"mtime" {
                return decimal_ns(ext.value().ok()?);
            }
        }
    }
    i64::try_from(entry.header().mtime().ok()?).ok()?.checked_mul(1_000_000_000)
}

/// `-12.345` seconds in nanoseconds.
fn decimal_ns(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let negative = whole.starts_with('-');
    let mut ns = 0;
    for i in 0..9 {
        let digit = match fraction.as_bytes().get(i) {
            Some(d) => (*d as char).to_digit(10)?,
            None => 0,
        };
        ns = ns * 10 + digit as i64;
    }
    let whole = whole.parse::<i64>().ok()?.checked_mul(1_000_000_000)?;
    whole.checked_add(if negative { -ns } else { ns })
}

/// Files with holes are stored in pieces, in two ways.
fn is_sparse<R: Read>(entry: &mut Entry<'_, R>) -> bool {
    if entry.header().entry_type().is_gnu_sparse() {
        return true;
    }
    match entry.pax_extensions() {
        Ok(Some(extensions)) => extensions.flatten().any(|e| e.key_bytes().starts_with(b"GNU.sparse")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::decimal_ns;

    #[test]
    fn times_with_a_fraction() {
        assert_eq!(decimal_ns("12"), Some(12_000_000_000));
        assert_eq!(decimal_ns("12.5"), Some(12_500_000_000));
        assert_eq!(decimal_ns("12.0000000019"), Some(12_000_000_001));
        assert_eq!(decimal_ns("-0.25"), Some(-250_000_000));
        assert_eq!(decimal_ns("99999999999999"), None);
        assert_eq!(decimal_ns("1.x"), None);
        assert_eq!(decimal_ns(""), None);
    }
}
