//! The image for the browser: an index, and packs of contents that are fetched when they are needed.
//!
//! It is made from the very archive that `vk` carries, and the optional packages on top. What a
//! prompt needs is in packs that are fetched at once; a program is there prepared
//! (`loader::prepare`), and its own bytes, which somebody may want to read, stand apart.
//!
//! A pack's name is the hash of its bytes, so a server and a browser may keep it for ever. The same
//! inputs make the same files.

use super::manifest::{Kernel, Manifest, PackEntry, PackageEntry};
use super::squeeze::{self, Effort, gzip, hex, sha256};
use crate::packages::{self, Package};
use crate::process::{Outcome, write_if_changed};
use abi::types::mode;
use image::pack::{Row, join};
use image::tree::{Kind, Node, Tree};
use std::collections::HashSet;
use std::path::Path;

/// What a login shell runs before its prompt: these programs are fetched with the rest of the base.
const BOOT_PROGRAMS: [&str; 4] = ["init", "sh", "true", "false"];

/// What people will want soon; the others come when they are first run.
const SOON_PROGRAMS: [&str; 3] = ["tools", "coreutils", "text"];

/// The first section of a module, and all core modules, begin with this.
const WASM_MAGIC: &[u8] = b"\0asm\x01\0\0\0";

/// When a pack is fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    Boot,
    /// When boot is over and nobody waits for anything else.
    Soon,
    /// When a blob in it is needed.
    Asked,
}

/// A pack to be.
struct Group {
    title: String,
    when: When,
    raw: Vec<u8>,
}

/// A file's contents and where they shall go.
pub struct Content {
    pub bytes: Vec<u8>,
    /// The group with the contents as they are.
    plain: usize,
    /// The group with the prepared form; none for what is no program.
    prepared: Option<usize>,
    /// The table has a hash of it, and not only of the pack that it is in.
    hashed: bool,
}

/// Everything that `vk/` holds of the image.
pub struct Packed {
    pub manifest: Manifest,
    /// By name.
    pub files: Vec<(String, Vec<u8>)>,
}

/// The image while it is collected.
pub struct Builder {
    tree: Tree<Content>,
    groups: Vec<Group>,
    packages: Vec<(PackageEntry, Vec<usize>)>,
}

const INDEX: usize = 0;
const BOOT: usize = 1;

impl Builder {
    /// Begins with the archive that `vk` boots from.
    pub fn new(base: &[u8]) -> Outcome<Builder> {
        let wrong = |e| format!("base.tar: {e}");
        let at = |off, size| base[off as usize..(off + size) as usize].to_vec();
        let read = image::archive::read(std::io::Cursor::new(base), base.len() as u64, at).map_err(wrong)?;
        let mut b = Builder { tree: Tree::default(), groups: Vec::new(), packages: Vec::new() };
        b.group("Files", When::Boot);
        b.group("Base system", When::Boot);
        for (path, node) in read.nodes() {
            match node.kind {
                Kind::File(Some(nr), _) => {
                    let bytes = read.content(nr).cloned().unwrap_or_default();
                    b.base_file(path, node.clone(), bytes)?;
                }
                _ => b.tree.put(path.to_vec(), node.clone()).map_err(wrong)?,
            }
        }
        Ok(b)
    }

    fn base_file(&mut self, path: &[u8], node: Node, bytes: Vec<u8>) -> Outcome {
        let name = String::from_utf8_lossy(path.rsplit(|b| *b == b'/').next().unwrap_or(path)).into_owned();
        if path == crate::image::PAGES.as_bytes() {
            let group = self.group("Manual pages", When::Asked);
            return self.file(path, node, Content { bytes, plain: group, prepared: None, hashed: false });
        }
        let (plain, prepared) = if !is_program(&node, &bytes) {
            (BOOT, None)
        } else {
            let prepared = match name.as_str() {
                boot if BOOT_PROGRAMS.contains(&boot) => BOOT,
                soon if SOON_PROGRAMS.contains(&soon) => self.group(&name, When::Soon),
                _ => self.group(&name, When::Asked),
            };
            (self.group(&format!("{name}, the program file"), When::Asked), Some(prepared))
        };
        self.file(path, node, Content { bytes, plain, prepared, hashed: true })
    }

    /// A new pack; answers its number.
    fn group(&mut self, title: &str, when: When) -> usize {
        self.groups.push(Group { title: title.into(), when, raw: Vec::new() });
        self.groups.len() - 1
    }

    /// Adds an optional package: its programs prepared, each part in a pack of its own. What has been there
    /// before is replaced.
    pub fn package(&mut self, package: Package) -> Outcome {
        let Package { name, title, commands, items } = package;
        let originals = self.group(&format!("{title}, the program file"), When::Asked);
        let mut parts: Vec<(Option<String>, usize)> = Vec::new();
        for item in items {
            let bytes = match item.kind {
                packages::Kind::File(bytes) => bytes,
                packages::Kind::Link(target) => {
                    let node = node(mode::IFLNK | item.mode, Kind::Symlink(target.into_bytes()));
                    self.tree.put(item.path.into_bytes(), node).map_err(|e| e.to_string())?;
                    continue;
                }
            };
            let group = match parts.iter().find(|(part, _)| *part == item.part) {
                Some((_, group)) => *group,
                None => {
                    let title = item.part.iter().fold(title.clone(), |title, part| format!("{title}: {part}"));
                    let group = self.group(&title, When::Asked);
                    parts.push((item.part, group));
                    group
                }
            };
            let node = node(mode::IFREG | item.mode, Kind::File(None, 0));
            let program = is_program(&node, &bytes);
            let (plain, prepared) = if program { (originals, Some(group)) } else { (group, None) };
            // A library's hundreds of files would fill the index with hashes; who caches programs goes by theirs.
            let hashed = program;
            self.file(item.path.as_bytes(), node, Content { bytes, plain, prepared, hashed })?;
        }
        let groups = parts.into_iter().map(|(_, group)| group).collect();
        self.packages.push((PackageEntry { name, title, commands, packs: Vec::new() }, groups));
        Ok(())
    }

    fn file(&mut self, path: &[u8], mut node: Node, content: Content) -> Outcome {
        let size = content.bytes.len() as u64;
        let nr = (size > 0).then(|| self.tree.add_content(content));
        node.kind = Kind::File(nr, size);
        self.tree.put(path.to_vec(), node).map_err(|e| e.to_string())
    }

    /// Makes the packs. `prepare` answers nothing for a program that no browser can run.
    pub fn finish(
        mut self,
        kernel: &[u8],
        preparer: &[u8],
        mut prepare: impl FnMut(&[u8]) -> Outcome<Option<Vec<u8>>>,
    ) -> Outcome<Packed> {
        let done = std::mem::take(&mut self.tree).finish().map_err(|e| e.to_string())?;
        let mut rows = vec![Row::default(); done.contents.len()];
        for (n, content) in done.contents.into_iter().enumerate() {
            rows[n] = place(&mut self.groups, content.plain, &content.bytes)?;
            if !content.hashed {
                rows[n].hash = [0; 32];
            }
            let Some(group) = content.prepared else { continue };
            if let Some(bytes) = prepare(&content.bytes)? {
                rows[n].prepared = abi::image::BLOB_FIRST + rows.len() as u32;
                rows.push(place(&mut self.groups, group, &bytes)?);
            }
        }
        let group = self.group("Program loader", When::Soon);
        let preparer_blob = abi::image::BLOB_FIRST + rows.len() as u32;
        rows.push(place(&mut self.groups, group, preparer)?);
        let order = self.drop_empty();
        for row in &mut rows {
            row.pack = order[row.pack as usize];
        }
        self.groups[INDEX].raw = join(&done.index, &rows);
        self.write(kernel, preparer_blob, &order)
    }

    /// Leaves out groups that nothing was put in; answers the new numbers by the old.
    fn drop_empty(&mut self) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.groups.len());
        let mut next = 0;
        for (n, group) in self.groups.iter().enumerate() {
            order.push(next);
            next += (n == INDEX || !group.raw.is_empty()) as u32;
        }
        let mut n = 0;
        self.groups.retain(|g| {
            n += 1;
            n - 1 == INDEX || !g.raw.is_empty()
        });
        order
    }

    fn write(self, kernel: &[u8], preparer: u32, order: &[u32]) -> Outcome<Packed> {
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        let mut seen = HashSet::new();
        let mut add = |raw: &[u8], effort| -> Outcome<(String, u64)> {
            let bytes = gzip(raw, effort)?;
            let name = hex(&sha256(&bytes)[..16]);
            let len = bytes.len() as u64;
            if seen.insert(name.clone()) {
                files.push((name.clone(), bytes));
            }
            Ok((name, len))
        };
        let mut packs = Vec::new();
        let (mut boot, mut soon) = (Vec::new(), Vec::new());
        for (n, group) in self.groups.into_iter().enumerate() {
            let effort = if group.when == When::Boot { Effort::Boot } else { Effort::Later };
            let (name, bytes) = add(&group.raw, effort)?;
            match group.when {
                When::Boot if n != INDEX => boot.push(name.clone()),
                When::Soon => soon.push(name.clone()),
                _ => {}
            }
            packs.push(PackEntry { name, title: group.title, bytes, raw: group.raw.len() as u64 });
        }
        let index = packs[INDEX].name.clone();
        let (pack, bytes) = add(kernel, Effort::Boot)?;
        let raw = kernel.len() as u64;
        let kernel = Kernel { file: format!("packs/{pack}"), pack: pack.clone(), sha256: hex(&sha256(kernel)) };
        packs.push(PackEntry { name: pack, title: "Kernel".into(), bytes, raw });
        let mut packages = Vec::new();
        for (mut package, groups) in self.packages {
            package.packs = groups.iter().map(|g| packs[order[*g] as usize].name.clone()).collect();
            packages.push(package);
        }
        Ok(Packed { manifest: Manifest { version: 1, kernel, preparer, index, boot, soon, packs, packages }, files })
    }
}

/// Puts a blob's contents at a group's end.
fn place(groups: &mut [Group], nr: usize, bytes: &[u8]) -> Outcome<Row> {
    let group = &mut groups[nr];
    let offset = group.raw.len();
    if u32::try_from(offset + bytes.len()).is_err() {
        return Err(format!("the pack \"{}\" is too large", group.title));
    }
    group.raw.extend_from_slice(bytes);
    Ok(Row { pack: nr as u32, offset: offset as u32, length: bytes.len() as u32, prepared: 0, hash: sha256(bytes) })
}

/// Root's, without a time.
fn node(mode: u32, kind: Kind) -> Node {
    Node { mode, uid: 0, gid: 0, mtime_ns: 0, kind }
}

/// Object files of a compiler's library are modules, too, but nobody may run them.
fn is_program(node: &Node, bytes: &[u8]) -> bool {
    node.mode & 0o111 != 0 && bytes.starts_with(WASM_MAGIC)
}

/// Writes `manifest.json`, `kernel.wasm` and `packs/` into a directory, and removes packs of before.
pub fn write(packed: &Packed, kernel: &[u8], dir: &Path) -> Outcome {
    let packs = dir.join("packs");
    for (name, bytes) in &packed.files {
        write_if_changed(&packs.join(name), bytes)?;
    }
    // For those who want to look at it; the page fetches the pack.
    write_if_changed(&dir.join("kernel.wasm"), kernel)?;
    write_if_changed(&dir.join("manifest.json"), packed.manifest.to_json()?.as_bytes())?;
    let current: HashSet<&str> = packed.files.iter().map(|(name, _)| name.as_str()).collect();
    for entry in std::fs::read_dir(&packs).map_err(|e| format!("{}: {e}", packs.display()))?.flatten() {
        if !entry.file_name().to_str().is_some_and(|n| current.contains(n)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// A program as a browser's host wants it; nothing for what it refuses, after a word about it. `stamp`
/// stands for the loader.
pub fn prepare(program: &[u8], stamp: &str) -> Outcome<Option<Vec<u8>>> {
    let prepared = squeeze::kept(&format!("prepared-{stamp}"), program, || {
        Ok(loader::prepare(program).unwrap_or_else(|refusal| {
            println!("a program of {} bytes can't be run in a browser: {refusal}", program.len());
            Vec::new()
        }))
    })?;
    Ok((!prepared.is_empty()).then_some(prepared))
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
