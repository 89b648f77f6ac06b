//! What changes names in tmpfs: create, link, remove, rename.
//!
//! Who changes one directory takes its lock. Who needs more than one at once (rmdir, some renames)
//! takes the file system's `tree` lock first, and then the directories in any order: nobody else
//! ever holds one while waiting for another.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use abi::types::limits::LINK_MAX;
use abi::types::rename as flag;
use abi::{Errno, SysResult};

use super::data::Blob;
use super::dir::Entries;
use super::node::{Body, Directory, Node};
use crate::vfs::vnode::{Create, VnodeRef};

pub fn create(parent: &Node, name: &[u8], new: &Create<'_>, blob: Option<Blob>) -> SysResult<Arc<Node>> {
    let dir = parent.dir()?;
    let node = parent.new_child(new, blob)?;
    let put = dir.entries.lock().insert(name, node.clone());
    put?;
    if node.is_dir() {
        parent.nlink.fetch_add(1, Relaxed);
    }
    parent.touch(parent.fs.now());
    Ok(node)
}

pub fn link(parent: &Node, name: &[u8], file: &VnodeRef) -> SysResult<()> {
    let dir = parent.dir()?;
    let node: &Node = super::node_of(file).ok_or(Errno::EXDEV)?;
    let more = |n: u32| if n == 0 || n >= LINK_MAX { None } else { Some(n + 1) };
    let counted = node.nlink.fetch_update(Relaxed, Relaxed, more);
    counted.map_err(|n| if n == 0 { Errno::ENOENT } else { Errno::EMLINK })?;
    let put = match node.me.upgrade() {
        Some(me) => dir.entries.lock().insert(name, me),
        None => Err(Errno::ENOENT),
    };
    if put.is_err() {
        node.nlink.fetch_sub(1, Relaxed);
        return put;
    }
    let now = parent.fs.now();
    node.changed(now);
    parent.touch(now);
    Ok(())
}

pub fn remove(parent: &Node, name: &[u8], want_dir: bool) -> SysResult<()> {
    let dir = parent.dir()?;
    let gone = if want_dir { remove_dir(parent, dir, name)? } else { remove_file(dir, name)? };
    let now = parent.fs.now();
    gone.changed(now);
    parent.touch(now);
    Ok(())
}

fn remove_file(dir: &Directory, name: &[u8]) -> SysResult<Arc<Node>> {
    let mut entries = dir.entries.lock();
    if entries.get(name).ok_or(Errno::ENOENT)?.is_dir() {
        return Err(Errno::EISDIR);
    }
    let node = entries.remove(name).ok_or(Errno::ENOENT)?;
    node.nlink.fetch_sub(1, Relaxed);
    Ok(node)
}

fn remove_dir(parent: &Node, dir: &Directory, name: &[u8]) -> SysResult<Arc<Node>> {
    let _tree = parent.fs.tree.lock();
    let mut entries = dir.entries.lock();
    let node = entries.get(name).ok_or(Errno::ENOENT)?.clone();
    bury(&node)?;
    entries.remove(name);
    parent.nlink.fetch_sub(1, Relaxed);
    Ok(node)
}

/// Makes sure that a directory is empty and stays so. ENOTDIR, ENOTEMPTY.
fn bury(node: &Node) -> SysResult<()> {
    let mut inside = node.dir()?.entries.lock();
    if !inside.is_empty() {
        return Err(Errno::ENOTEMPTY);
    }
    inside.removed = true;
    node.nlink.store(0, Relaxed);
    Ok(())
}

/// What a rename has found out under its locks.
struct Move<'a> {
    from_dir: &'a Node,
    from: &'a [u8],
    to_dir: &'a Node,
    to: &'a [u8],
    flags: u32,
}

pub fn rename(from_dir: &Node, from: &[u8], to_dir: &Node, to: &[u8], flags: u32) -> SysResult<()> {
    if !Arc::ptr_eq(&from_dir.fs, &to_dir.fs) {
        return Err(Errno::EXDEV);
    }
    let m = Move { from_dir, from, to_dir, to, flags };
    let gone = if core::ptr::eq(from_dir, to_dir) { m.within_one()? } else { m.across()? };
    // With no lock held: it may be the last reference to a large file.
    drop(gone);
    Ok(())
}

impl Move<'_> {
    /// In one directory. Only replacing a directory needs a second lock.
    fn within_one(&self) -> SysResult<Option<Arc<Node>>> {
        let dir = self.from_dir.dir()?;
        let mut entries = dir.entries.lock();
        let (source, target) = self.look(&entries, None)?;
        let Some(target) = target else {
            entries.insert(self.to, source.clone())?;
            let gone = entries.remove(self.from);
            drop(entries);
            self.done(&source, None);
            return Ok(gone);
        };
        if Arc::ptr_eq(&source, &target) {
            return Ok(None);
        }
        if self.flags & flag::EXCHANGE == 0 && target.is_dir() {
            drop(entries);
            return self.across();
        }
        self.check_types(&source, &target)?;
        entries.replace(self.to, source.clone());
        let gone = if self.flags & flag::EXCHANGE != 0 {
            entries.replace(self.from, target.clone())
        } else {
            target.nlink.fetch_sub(1, Relaxed);
            entries.remove(self.from)
        };
        drop(entries);
        self.done(&source, Some(&target));
        Ok(gone)
    }

    /// Any rename, with the tree locked.
    fn across(&self) -> SysResult<Option<Arc<Node>>> {
        let tree = self.from_dir.fs.tree.lock();
        let one = core::ptr::eq(self.from_dir, self.to_dir);
        let mut from = self.from_dir.dir()?.entries.lock();
        let mut to = if one { None } else { Some(self.to_dir.dir()?.entries.lock()) };
        let (source, target) = self.look(&from, to.as_deref())?;
        if let Some(target) = &target {
            if Arc::ptr_eq(&source, target) {
                return Ok(None);
            }
            // Neither may stand above the other's directory; the caller has looked further up.
            if core::ptr::eq(&**target, self.from_dir) {
                return Err(if self.flags & flag::EXCHANGE != 0 { Errno::EINVAL } else { Errno::ENOTEMPTY });
            }
        }
        if core::ptr::eq(&*source, self.to_dir) {
            return Err(Errno::EINVAL);
        }
        let gone = match &target {
            Some(target) if self.flags & flag::EXCHANGE != 0 => {
                let to = to.as_deref_mut().unwrap_or(&mut from);
                to.replace(self.to, source.clone());
                self.adopt(&source, self.to_dir, self.from_dir);
                self.adopt(target, self.from_dir, self.to_dir);
                from.replace(self.from, target.clone())
            }
            Some(target) => {
                self.check_types(&source, target)?;
                if target.is_dir() {
                    bury(target)?;
                    self.to_dir.nlink.fetch_sub(1, Relaxed);
                } else {
                    target.nlink.fetch_sub(1, Relaxed);
                }
                let to = to.as_deref_mut().unwrap_or(&mut from);
                to.replace(self.to, source.clone());
                self.adopt(&source, self.to_dir, self.from_dir);
                from.remove(self.from)
            }
            None => {
                let to = to.as_deref_mut().unwrap_or(&mut from);
                to.insert(self.to, source.clone())?;
                self.adopt(&source, self.to_dir, self.from_dir);
                from.remove(self.from)
            }
        };
        drop((to, from, tree));
        self.done(&source, target.as_ref());
        // `target` and `gone` are let go here, with no lock held.
        Ok(gone)
    }

    /// What is at both ends; `to` is None when both are in one directory.
    fn look(&self, from: &Entries<Node>, to: Option<&Entries<Node>>) -> SysResult<(Arc<Node>, Option<Arc<Node>>)> {
        let to = to.unwrap_or(from);
        let source = from.get(self.from).ok_or(Errno::ENOENT)?.clone();
        if to.removed {
            return Err(Errno::ENOENT);
        }
        let target = to.get(self.to).cloned();
        match &target {
            Some(_) if self.flags & flag::NOREPLACE != 0 => Err(Errno::EEXIST),
            None if self.flags & flag::EXCHANGE != 0 => Err(Errno::ENOENT),
            _ => Ok((source, target)),
        }
    }

    fn check_types(&self, source: &Node, target: &Node) -> SysResult<()> {
        match (source.is_dir(), target.is_dir()) {
            _ if self.flags & flag::EXCHANGE != 0 => Ok(()),
            (true, false) => Err(Errno::ENOTDIR),
            (false, true) => Err(Errno::EISDIR),
            _ => Ok(()),
        }
    }

    /// A directory that moved has another `..`.
    fn adopt(&self, node: &Node, to: &Node, from: &Node) {
        let Body::Dir(d) = &node.body else { return };
        if core::ptr::eq(to, from) {
            return;
        }
        d.entries.lock().parent = to.me.clone();
        from.nlink.fetch_sub(1, Relaxed);
        to.nlink.fetch_add(1, Relaxed);
    }

    fn done(&self, source: &Node, target: Option<&Arc<Node>>) {
        let now = self.from_dir.fs.now();
        source.changed(now);
        if let Some(t) = target {
            t.changed(now);
        }
        self.from_dir.touch(now);
        if !core::ptr::eq(self.from_dir, self.to_dir) {
            self.to_dir.touch(now);
        }
    }
}
