//! The files of an image while it is being read: a sorted map from paths to what stands there.
//!
//! An archive may say anything in any order, twice, or leave out directories; [`Tree::finish`]
//! makes of it an index in which every directory stands before what it holds and every hard link
//! after its file, or says which entry makes that impossible.

use crate::{ImageError, show};
use abi::image::{BLOB_FIRST, Entry};
use abi::types::{limits, mode};
use std::collections::{BTreeMap, btree_map};

/// Entries that an image may have. An index of that many is about 100 MB of kernel memory.
const MAX_ENTRIES: usize = 1_000_000;

#[derive(Clone, Debug)]
pub struct Node {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime_ns: i64,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Dir,
    /// The number of its content among the tree's blobs and its size; no number: empty.
    File(Option<usize>, u64),
    Symlink(Vec<u8>),
    /// A device's number.
    Device(u32),
    Fifo,
    /// The path of another entry.
    HardLink(Vec<u8>),
}

impl Node {
    /// A directory that nobody described.
    fn missing_dir() -> Node {
        Node { mode: mode::IFDIR | 0o755, uid: 0, gid: 0, mtime_ns: 0, kind: Kind::Dir }
    }
}

/// Files of an image, each with a content of the caller's kind.
pub struct Tree<C> {
    nodes: BTreeMap<Vec<u8>, Node>,
    contents: Vec<C>,
}

/// What a kernel makes its root directory from, and the contents: the first is blob
/// [`BLOB_FIRST`], and so on.
pub struct Finished<C> {
    pub index: Vec<u8>,
    pub contents: Vec<C>,
}

impl<C> Default for Tree<C> {
    fn default() -> Self {
        Tree { nodes: BTreeMap::new(), contents: Vec::new() }
    }
}

impl<C> Tree<C> {
    /// Keeps the content of a file; answers its number for [`Kind::File`].
    pub fn add_content(&mut self, content: C) -> usize {
        self.contents.push(content);
        self.contents.len() - 1
    }

    /// Puts an entry at a clean path. The last one for a path counts, as when unpacking.
    pub fn put(&mut self, path: Vec<u8>, node: Node) -> Result<(), ImageError> {
        if path.is_empty() {
            return Ok(()); // The root is the kernel's.
        }
        self.nodes.insert(path, node);
        if self.nodes.len() > MAX_ENTRIES {
            return Err(ImageError::new(format!("more than {MAX_ENTRIES} entries: share the directory with --dir")));
        }
        Ok(())
    }

    /// The content of the file at a path, hard links followed.
    pub fn content_at(&self, path: &[u8]) -> Option<&C> {
        match self.follow(path)?.kind {
            Kind::File(Some(nr), _) => self.contents.get(nr),
            _ => None,
        }
    }

    /// A content by its number.
    pub fn content(&self, nr: usize) -> Option<&C> {
        self.contents.get(nr)
    }

    /// All entries, sorted by path.
    pub fn nodes(&self) -> impl Iterator<Item = (&[u8], &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_slice(), node))
    }

    /// What stands at a path, hard links followed.
    fn follow(&self, path: &[u8]) -> Option<&Node> {
        self.follow_path(path).map(|p| &self.nodes[p])
    }

    fn follow_path<'a>(&'a self, mut path: &'a [u8]) -> Option<&'a [u8]> {
        // A chain longer than this is a ring.
        for _ in 0..limits::SYMLOOP_MAX {
            match &self.nodes.get(path)?.kind {
                Kind::HardLink(target) => path = target,
                _ => return Some(path),
            }
        }
        None
    }

    /// The index and the blobs. Directories that nobody described are made.
    pub fn finish(mut self) -> Result<Finished<C>, ImageError> {
        self.add_missing_dirs()?;
        let mut index = Vec::with_capacity(self.nodes.len() * 80);
        for (path, node) in &self.nodes {
            let (size, blob, target): (u64, u32, &[u8]) = match &node.kind {
                Kind::Dir | Kind::Fifo => (0, 0, b""),
                Kind::File(None, size) => (*size, 0, b""),
                Kind::File(Some(nr), size) => (*size, BLOB_FIRST + *nr as u32, b""),
                Kind::Symlink(target) => (target.len() as u64, 0, target),
                Kind::Device(number) => (0, *number, b""),
                Kind::HardLink(_) => continue,
            };
            let Node { mode, uid, gid, mtime_ns, .. } = *node;
            push(&mut index, &Entry { mode, uid, gid, mtime_ns, size, blob, path, target });
        }
        for (path, node) in &self.nodes {
            let Kind::HardLink(target) = &node.kind else { continue };
            let target = self.link_target(path, target)?;
            push(&mut index, &Entry { mode: 0, uid: 0, gid: 0, mtime_ns: 0, size: 0, blob: 0, path, target });
        }
        Ok(Finished { index, contents: self.contents })
    }

    fn link_target<'a>(&'a self, path: &[u8], target: &'a [u8]) -> Result<&'a [u8], ImageError> {
        let wrong = |why| ImageError::new(format!("entry `{}`: hard link to `{}`, {why}", show(path), show(target)));
        let end = self.follow_path(target).ok_or_else(|| wrong("which isn't in the image"))?;
        if matches!(self.nodes[end].kind, Kind::Dir) {
            return Err(wrong("which is a directory"));
        }
        Ok(end)
    }

    fn add_missing_dirs(&mut self) -> Result<(), ImageError> {
        let mut missing = BTreeMap::new();
        for path in self.nodes.keys() {
            // Upwards until a directory is found: what is above that was looked at with it.
            let mut above = parent(path);
            while let Some(dir) = above {
                match self.nodes.get(dir) {
                    Some(node) if matches!(node.kind, Kind::Dir) => break,
                    Some(_) => {
                        let (path, dir) = (show(path), show(dir));
                        return Err(ImageError::new(format!(
                            "entry `{path}` stands below `{dir}`, which isn't a directory in the image"
                        )));
                    }
                    None => match missing.entry(dir.to_vec()) {
                        btree_map::Entry::Occupied(_) => break,
                        btree_map::Entry::Vacant(v) => v.insert(Node::missing_dir()),
                    },
                };
                above = parent(dir);
            }
        }
        self.nodes.append(&mut missing);
        Ok(())
    }
}

fn parent(path: &[u8]) -> Option<&[u8]> {
    path.iter().rposition(|&b| b == b'/').map(|at| &path[..at])
}

/// Appends an entry in the wire form of [`Entry`].
fn push(out: &mut Vec<u8>, e: &Entry<'_>) {
    out.extend_from_slice(&e.mode.to_le_bytes());
    out.extend_from_slice(&e.uid.to_le_bytes());
    out.extend_from_slice(&e.gid.to_le_bytes());
    out.extend_from_slice(&e.mtime_ns.to_le_bytes());
    out.extend_from_slice(&e.size.to_le_bytes());
    out.extend_from_slice(&e.blob.to_le_bytes());
    for s in [e.path, e.target] {
        out.extend_from_slice(&(s.len() as u32).to_le_bytes());
        out.extend_from_slice(s);
    }
}

/// The path of an entry, relative to the root and without `.`, or why it can't be one.
pub fn clean(name: &[u8]) -> Result<Vec<u8>, ImageError> {
    let wrong = |why: &str| Err(ImageError::new(format!("entry `{}`: {why}", show(name))));
    if name.first() == Some(&b'/') {
        return wrong("an absolute path; names in an image are relative to its root");
    }
    if name.contains(&0) {
        return wrong("a name with a NUL byte");
    }
    let mut out = Vec::with_capacity(name.len());
    for part in name.split(|&b| b == b'/').filter(|p| !p.is_empty() && *p != b".") {
        if part == b".." {
            return wrong("a path with `..`; names in an image may not leave it");
        }
        if part.len() > limits::NAME_MAX {
            return wrong("a name of more than 255 bytes");
        }
        if !out.is_empty() {
            out.push(b'/');
        }
        out.extend_from_slice(part);
    }
    if out.len() + 1 >= limits::PATH_MAX {
        return wrong("a path of more than 4,095 bytes");
    }
    Ok(out)
}

/// The number of a device as programs see it in `st_rdev`: Linux's packing into 32 bits.
pub fn device_number(major: u32, minor: u32) -> u32 {
    minor & 0xff | (major & 0xfff) << 8 | (minor & 0xfff00) << 12
}
