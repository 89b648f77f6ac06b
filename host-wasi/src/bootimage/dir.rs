//! Images from directories.
//!
//! The tree is walked once, without following links; contents stay where they are and are opened
//! below the directory when a kernel asks for them.

use super::{Blob, Content, ImageError, plain, show};
use abi::types::mode;
use cap_std::ambient_authority;
use image::tree::{Kind, Node, Tree, clean, device_number};
use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub fn read(root: &Path) -> Result<Tree<Blob>, ImageError> {
    let dir = cap_std::fs::Dir::open_ambient_dir(root, ambient_authority());
    let dir = Arc::new(dir.map_err(|e| ImageError::new(plain(&e)))?);
    let mut walk = Walk {
        dir,
        tree: Tree::default(),
        links: HashMap::new(),
        owner: rustix::process::geteuid().as_raw(),
        group: rustix::process::getegid().as_raw(),
    };
    let mut todo = vec![PathBuf::new()];
    while let Some(rel) = todo.pop() {
        let at = |e: std::io::Error| ImageError::new(format!("{}: {}", root.join(&rel).display(), plain(&e)));
        let mut all = std::fs::read_dir(root.join(&rel)).map_err(at)?.collect::<Result<Vec<_>, _>>().map_err(at)?;
        // One directory makes one image, whatever order the host has it in.
        all.sort_by_key(|e| e.file_name());
        for found in all {
            let rel = rel.join(found.file_name());
            // DirEntry::metadata doesn't follow links.
            if walk.add(&rel, &found.metadata().map_err(at)?, &found.path())? {
                todo.push(rel);
            }
        }
    }
    Ok(walk.tree)
}

struct Walk {
    dir: Arc<cap_std::fs::Dir>,
    tree: Tree<Blob>,
    /// The first name of each file that has several, by device and inode.
    links: HashMap<(u64, u64), Vec<u8>>,
    owner: u32,
    group: u32,
}

impl Walk {
    /// Adds what stands at a path; true for a directory to be walked.
    fn add(&mut self, rel: &Path, meta: &Metadata, full: &Path) -> Result<bool, ImageError> {
        let path = clean(rel.as_os_str().as_bytes())?;
        let kind = meta.file_type();
        let device = || {
            let rdev = meta.rdev();
            Kind::Device(device_number(libc::major(rdev), libc::minor(rdev)))
        };
        let (ifmt, kind) = if kind.is_dir() {
            (mode::IFDIR, Kind::Dir)
        } else if kind.is_symlink() {
            let target = std::fs::read_link(full);
            let target = target.map_err(|e| ImageError::new(format!("{}: {}", full.display(), plain(&e))))?;
            (mode::IFLNK, Kind::Symlink(target.as_os_str().as_bytes().to_vec()))
        } else if kind.is_file() {
            self.file(rel, &path, meta)
        } else if kind.is_char_device() {
            (mode::IFCHR, device())
        } else if kind.is_block_device() {
            (mode::IFBLK, device())
        } else if kind.is_fifo() {
            (mode::IFIFO, Kind::Fifo)
        } else {
            return Ok(false); // A socket is nothing without the process that bound it.
        };
        let is_dir = matches!(kind, Kind::Dir);
        let mtime_ns = meta.mtime().checked_mul(1_000_000_000).and_then(|s| s.checked_add(meta.mtime_nsec()));
        let mtime_ns = mtime_ns.ok_or_else(|| ImageError::new(format!("`{}`: a time out of range", show(&path))))?;
        // Whoever unpacked an image without being root means root's files all the same.
        let uid = if meta.uid() == self.owner { 0 } else { meta.uid() };
        let gid = if meta.gid() == self.group { 0 } else { meta.gid() };
        self.tree.put(path, Node { mode: ifmt | meta.mode() & mode::PERM, uid, gid, mtime_ns, kind })?;
        Ok(is_dir)
    }

    fn file(&mut self, rel: &Path, path: &[u8], meta: &Metadata) -> (u32, Kind) {
        if meta.nlink() > 1 {
            if let Some(first) = self.links.get(&(meta.dev(), meta.ino())) {
                return (0, Kind::HardLink(first.clone()));
            }
            self.links.insert((meta.dev(), meta.ino()), path.to_vec());
        }
        let len = meta.len();
        let blob =
            (len > 0).then(|| self.tree.add_content(Blob::new(Content::Beneath(self.dir.clone(), rel.into(), len))));
        (mode::IFREG, Kind::File(blob, len))
    }
}
