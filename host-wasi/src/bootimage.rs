//! The boot image: the files that a vkernel starts with.
//!
//! An image is an *index*, the records of [`abi::image::Entry`] that the kernel makes its root
//! directory from, and numbered *blobs*, the contents of the files. It is made once, from a
//! directory or a tar archive, and never changes: all vkernels that boot from it share it, and
//! cloning one copies no contents. Contents are read when a kernel asks for them.
//!
//! Blob 0 (the configuration) differs from vkernel to vkernel and is not kept here; blob 1 is the index.

mod dir;
mod zstd;

use abi::image::{BLOB_FIRST, BLOB_INDEX};
pub use image::ImageError;
use image::tree::{Finished, Tree};
use image::{archive, plain, show};
use std::fs::File;
use std::io::{self, Read};
use std::ops::{Deref, Range};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// An index and its blobs.
#[derive(Clone)]
pub struct BootImage {
    base: Arc<Finished<Blob>>,
    /// Blobs of this copy only, numbered after those of the base.
    added: Vec<Arc<Blob>>,
}

struct Blob {
    content: Content,
    hash: OnceLock<[u8; 32]>,
}

/// Where the bytes of a blob are.
enum Content {
    Static(&'static [u8]),
    Shared(Arc<Vec<u8>>, Range<usize>),
    /// A stretch of an open archive.
    Region(Arc<File>, u64, u64),
    /// A file of an image directory, opened for each read: an image may hold more files than a
    /// process may have open.
    Beneath(Arc<cap_std::fs::Dir>, std::path::PathBuf, u64),
}

/// The bytes of a blob, without a copy where that is possible.
pub enum BlobBytes {
    Static(&'static [u8]),
    Shared(Arc<Vec<u8>>, Range<usize>),
    Owned(Vec<u8>),
}

impl Deref for BlobBytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            BlobBytes::Static(b) => b,
            BlobBytes::Shared(b, range) => &b[range.clone()],
            BlobBytes::Owned(b) => b,
        }
    }
}

impl BootImage {
    /// The image at a path: a directory, a `.tar` or a `.tar.zst`, told apart by what is in it.
    pub fn open(path: &Path) -> Result<BootImage, ImageError> {
        let meta = std::fs::metadata(path).map_err(|e| ImageError::new(plain(&e)))?;
        if meta.is_dir() { Self::from_dir(path) } else { Self::from_tar(path) }
    }

    /// The files below a directory. What belongs to the caller of vk belongs to root in the image.
    pub fn from_dir(path: &Path) -> Result<BootImage, ImageError> {
        Self::from_tree(dir::read(path)?)
    }

    /// A tar archive, plain or compressed with zstd.
    pub fn from_tar(path: &Path) -> Result<BootImage, ImageError> {
        let file = File::open(path).map_err(|e| ImageError::new(plain(&e)))?;
        let mut magic = [0; 512];
        let n = read_some(&file, &mut magic).map_err(|e| ImageError::new(plain(&e)))?;
        if zstd::is_zstd(&magic[..n]) {
            let tar = zstd::unzstd(&file)?;
            return Self::from_tar_vec(tar);
        }
        archive::recognise(&magic[..n])?;
        let len = file.metadata().map_err(|e| ImageError::new(plain(&e)))?.len();
        let file = Arc::new(file);
        let region = |off, size| Blob::new(Content::Region(file.clone(), off, size));
        Self::from_tree(archive::read(&*file, len, region)?)
    }

    /// A tar archive in memory, plain or compressed with zstd.
    pub fn from_tar_vec(tar: Vec<u8>) -> Result<BootImage, ImageError> {
        if zstd::is_zstd(&tar) {
            return Self::from_tar_vec(zstd::unzstd(&tar[..])?);
        }
        archive::recognise(&tar)?;
        let tar = Arc::new(tar);
        let shared = |off, size| Blob::new(Content::Shared(tar.clone(), off as usize..(off + size) as usize));
        Self::from_tree(archive::read(io::Cursor::new(&tar[..]), tar.len() as u64, shared)?)
    }

    /// An uncompressed tar archive that is part of the program. `hashes` are those of some of its
    /// files, by path, known beforehand so that nobody computes them at start.
    pub fn from_tar_bytes(tar: &'static [u8], hashes: &[(&str, [u8; 32])]) -> Result<BootImage, ImageError> {
        archive::recognise(tar)?;
        let stat = |off, size| Blob::new(Content::Static(&tar[off as usize..(off + size) as usize]));
        let tree = archive::read(io::Cursor::new(tar), tar.len() as u64, stat)?;
        for (path, hash) in hashes {
            if let Some(blob) = tree.content_at(path.as_bytes()) {
                // Said twice for one content, it is the same hash.
                let _ = blob.hash.set(*hash);
            }
        }
        Self::from_tree(tree)
    }

    /// An image without files, for one that shares a directory as its root.
    pub fn empty() -> BootImage {
        Self::from_base(Finished { index: Vec::new(), contents: Vec::new() })
    }

    fn from_tree(tree: Tree<Blob>) -> Result<BootImage, ImageError> {
        tree.finish().map(Self::from_base)
    }

    fn from_base(base: Finished<Blob>) -> BootImage {
        BootImage { base: Arc::new(base), added: Vec::new() }
    }

    /// Adds a blob that stands in no directory, such as a program given by its path on the host.
    /// Answers its number.
    pub fn add_blob(&mut self, bytes: Vec<u8>) -> u32 {
        let range = 0..bytes.len();
        self.added.push(Arc::new(Blob::new(Content::Shared(Arc::new(bytes), range))));
        BLOB_FIRST + (self.base.contents.len() + self.added.len() - 1) as u32
    }

    /// The index: blob 1.
    pub fn index(&self) -> &[u8] {
        &self.base.index
    }

    /// `pread(2)` of a blob: short only at its end. `NotFound` for a blob that isn't there.
    pub fn read(&self, blob: u32, off: u64, buf: &mut [u8]) -> io::Result<usize> {
        if blob == BLOB_INDEX {
            return Ok(copy_at(&self.base.index, off, buf));
        }
        match &self.blob(blob)?.content {
            Content::Static(b) => Ok(copy_at(b, off, buf)),
            Content::Shared(b, range) => Ok(copy_at(&b[range.clone()], off, buf)),
            Content::Region(file, start, len) => {
                let n = (buf.len() as u64).min(len.saturating_sub(off)) as usize;
                read_full_at(file, start + off.min(*len), &mut buf[..n])
            }
            Content::Beneath(dir, path, _) => read_full_at(&open_beneath(dir, path)?, off, buf),
        }
    }

    /// The length of a blob, as it was when the image was made.
    pub fn len(&self, blob: u32) -> io::Result<u64> {
        if blob == BLOB_INDEX {
            return Ok(self.base.index.len() as u64);
        }
        Ok(self.blob(blob)?.content.len())
    }

    /// All bytes of a blob. Once [`hash`](Self::hash) has been asked for, what has other bytes by now
    /// (somebody wrote to a file of an image directory) is an error: a cache that goes by the hash
    /// must never be given them.
    pub fn bytes(&self, blob: u32) -> io::Result<BlobBytes> {
        if blob == BLOB_INDEX {
            return Ok(BlobBytes::Owned(self.base.index.clone()));
        }
        let blob = self.blob(blob)?;
        let bytes = blob.load()?;
        match (&bytes, blob.hash.get()) {
            (BlobBytes::Owned(b), Some(hash)) if blake3::hash(b).as_bytes() != hash => {
                Err(io::Error::other("the file was changed while it was in use"))
            }
            _ => Ok(bytes),
        }
    }

    /// The BLAKE3 hash of a blob, computed at the first call.
    pub fn hash(&self, blob: u32) -> io::Result<[u8; 32]> {
        let blob = self.blob(blob)?;
        if let Some(hash) = blob.hash.get() {
            return Ok(*hash);
        }
        let hash = *blake3::hash(&blob.load()?).as_bytes();
        Ok(*blob.hash.get_or_init(|| hash))
    }

    fn blob(&self, blob: u32) -> io::Result<&Blob> {
        let nr = blob.checked_sub(BLOB_FIRST).ok_or(io::ErrorKind::NotFound)? as usize;
        let base = &self.base.contents;
        match base.get(nr) {
            Some(b) => Ok(b),
            None => Ok(self.added.get(nr - base.len()).ok_or(io::ErrorKind::NotFound)?),
        }
    }
}

impl Blob {
    fn new(content: Content) -> Self {
        Blob { content, hash: OnceLock::new() }
    }

    fn load(&self) -> io::Result<BlobBytes> {
        Ok(match &self.content {
            Content::Static(b) => BlobBytes::Static(b),
            Content::Shared(b, range) => BlobBytes::Shared(b.clone(), range.clone()),
            Content::Region(file, start, len) => {
                let mut out = vec![0; *len as usize];
                if read_full_at(file, *start, &mut out)? < out.len() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                BlobBytes::Owned(out)
            }
            Content::Beneath(dir, path, len) => {
                let mut out = Vec::with_capacity(*len as usize);
                open_beneath(dir, path)?.read_to_end(&mut out)?;
                BlobBytes::Owned(out)
            }
        })
    }
}

impl Content {
    fn len(&self) -> u64 {
        match self {
            Content::Static(b) => b.len() as u64,
            Content::Shared(_, range) => range.len() as u64,
            Content::Region(_, _, len) | Content::Beneath(_, _, len) => *len,
        }
    }
}

/// Opens a file of an image directory. It was a regular file when the image was made; what stands
/// there now must be one still (a FIFO would block).
fn open_beneath(dir: &cap_std::fs::Dir, path: &Path) -> io::Result<File> {
    use cap_std::fs::OpenOptionsExt;
    let mut options = cap_std::fs::OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW);
    let file = dir.open_with(path, &options)?.into_std();
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("no longer a regular file"));
    }
    Ok(file)
}

fn copy_at(from: &[u8], off: u64, to: &mut [u8]) -> usize {
    let rest = usize::try_from(off).ok().and_then(|off| from.get(off..)).unwrap_or(&[]);
    let n = rest.len().min(to.len());
    to[..n].copy_from_slice(&rest[..n]);
    n
}

fn read_full_at(file: &File, mut off: u64, mut buf: &mut [u8]) -> io::Result<usize> {
    let want = buf.len();
    while !buf.is_empty() {
        match file.read_at(buf, off) {
            Ok(0) => break,
            Ok(n) => {
                off += n as u64;
                buf = &mut buf[n..];
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(want - buf.len())
}

fn read_some(file: &File, buf: &mut [u8]) -> io::Result<usize> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not an image: vk boots from a directory, a .tar file or a .tar.zst file"));
    }
    read_full_at(file, 0, buf)
}

#[cfg(test)]
mod tests;
