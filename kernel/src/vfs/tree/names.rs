//! What changes names in a tree of directories in memory: create, link, remove, rename.
//!
//! Who changes one directory takes its lock. Who needs more than one at once (rmdir, some renames)
//! takes the file system's `tree` lock first, and then the directories in any order: nobody else
//! ever holds one while waiting for another.

use alloc::sync::{Arc, Weak};
use core::sync::atomic::Ordering::Relaxed;

use abi::types::limits::LINK_MAX;
use abi::types::rename as flag;
use abi::{Errno, SysResult};
use ksync::SpinLock;

use super::attr::Attrs;
use super::dir::Entries;

/// A file of such a tree: what its names need to know of it.
pub trait Inode: Sized {
    fn attrs(&self) -> &Attrs;
    /// Its entries. ENOTDIR.
    fn entries(&self) -> SysResult<&SpinLock<Entries<Self>>>;
    /// Itself, for a directory's entry of it.
    fn me(&self) -> &Weak<Self>;
    /// Of its file system: taken before the directories by who changes more than one of them.
    fn tree(&self) -> &SpinLock<()>;
    fn now(&self) -> i64;
    /// Its names, its content or its attributes are other ones now.
    fn mark(&self) {}

    fn is_dir(&self) -> bool {
        self.entries().is_ok()
    }
    /// Names under it or its content changed.
    fn touch(&self, now: i64) {
        self.attrs().touch(now);
        self.mark();
    }
    /// Its attributes or links changed.
    fn changed(&self, now: i64) {
        self.attrs().changed(now);
        self.mark();
    }
}

/// Puts a file that stands nowhere yet into a directory.
pub fn enter<N: Inode>(parent: &N, name: &[u8], node: &Arc<N>) -> SysResult<()> {
    let put = parent.entries()?.lock().insert(name, node.clone());
    put?;
    if node.is_dir() {
        parent.attrs().nlink.fetch_add(1, Relaxed);
    }
    parent.touch(parent.now());
    Ok(())
}

pub fn link<N: Inode>(parent: &N, name: &[u8], node: &N) -> SysResult<()> {
    let dir = parent.entries()?;
    let nlink = &node.attrs().nlink;
    let more = |n: u32| if n == 0 || n >= LINK_MAX { None } else { Some(n + 1) };
    let counted = nlink.fetch_update(Relaxed, Relaxed, more);
    counted.map_err(|n| if n == 0 { Errno::ENOENT } else { Errno::EMLINK })?;
    let put = match node.me().upgrade() {
        Some(me) => dir.lock().insert(name, me),
        None => Err(Errno::ENOENT),
    };
    if put.is_err() {
        nlink.fetch_sub(1, Relaxed);
        return put;
    }
    let now = parent.now();
    node.changed(now);
    parent.touch(now);
    Ok(())
}

pub fn remove<N: Inode>(parent: &N, name: &[u8], want_dir: bool) -> SysResult<()> {
    let gone = if want_dir { remove_dir(parent, name)? } else { remove_file(parent, name)? };
    let now = parent.now();
    gone.changed(now);
    parent.touch(now);
    Ok(())
}

fn remove_file<N: Inode>(parent: &N, name: &[u8]) -> SysResult<Arc<N>> {
    let mut entries = parent.entries()?.lock();
    if entries.get(name).ok_or(Errno::ENOENT)?.is_dir() {
        return Err(Errno::EISDIR);
    }
    let node = entries.remove(name).ok_or(Errno::ENOENT)?;
    node.attrs().nlink.fetch_sub(1, Relaxed);
    Ok(node)
}

fn remove_dir<N: Inode>(parent: &N, name: &[u8]) -> SysResult<Arc<N>> {
    let _tree = parent.tree().lock();
    let mut entries = parent.entries()?.lock();
    let node = entries.get(name).ok_or(Errno::ENOENT)?.clone();
    bury(&*node)?;
    entries.remove(name);
    parent.attrs().nlink.fetch_sub(1, Relaxed);
    Ok(node)
}

/// Makes sure that a directory is empty and stays so. ENOTDIR, ENOTEMPTY.
fn bury<N: Inode>(node: &N) -> SysResult<()> {
    let mut inside = node.entries()?.lock();
    if !inside.is_empty() {
        return Err(Errno::ENOTEMPTY);
    }
    inside.removed = true;
    node.attrs().nlink.store(0, Relaxed);
    Ok(())
}

/// What a rename has found out under its locks.
struct Move<'a, N> {
    from_dir: &'a N,
    from: &'a [u8],
    to_dir: &'a N,
    to: &'a [u8],
    flags: u32,
}

/// In one file system.
pub fn rename<N: Inode>(from_dir: &N, from: &[u8], to_dir: &N, to: &[u8], flags: u32) -> SysResult<()> {
    let m = Move { from_dir, from, to_dir, to, flags };
    let gone = if core::ptr::eq(from_dir, to_dir) { m.within_one()? } else { m.across()? };
    // With no lock held: it may be the last reference to a large file.
    drop(gone);
    Ok(())
}

impl<N: Inode> Move<'_, N> {
    /// In one directory. Only replacing a directory needs a second lock.
    fn within_one(&self) -> SysResult<Option<Arc<N>>> {
        let mut entries = self.from_dir.entries()?.lock();
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
            target.attrs().nlink.fetch_sub(1, Relaxed);
            entries.remove(self.from)
        };
        drop(entries);
        self.done(&source, Some(&target));
        Ok(gone)
    }

    /// Any rename, with the tree locked.
    fn across(&self) -> SysResult<Option<Arc<N>>> {
        let tree = self.from_dir.tree().lock();
        let one = core::ptr::eq(self.from_dir, self.to_dir);
        let mut from = self.from_dir.entries()?.lock();
        let mut to = if one { None } else { Some(self.to_dir.entries()?.lock()) };
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
                    bury(&**target)?;
                    self.to_dir.attrs().nlink.fetch_sub(1, Relaxed);
                } else {
                    target.attrs().nlink.fetch_sub(1, Relaxed);
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
    fn look(&self, from: &Entries<N>, to: Option<&Entries<N>>) -> SysResult<(Arc<N>, Option<Arc<N>>)> {
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

    fn check_types(&self, source: &N, target: &N) -> SysResult<()> {
        match (source.is_dir(), target.is_dir()) {
            _ if self.flags & flag::EXCHANGE != 0 => Ok(()),
            (true, false) => Err(Errno::ENOTDIR),
            (false, true) => Err(Errno::EISDIR),
            _ => Ok(()),
        }
    }

    /// A directory that moved has another `..`.
    fn adopt(&self, node: &N, to: &N, from: &N) {
        let Ok(entries) = node.entries() else { return };
        if core::ptr::eq(to, from) {
            return;
        }
        entries.lock().parent = to.me().clone();
        from.attrs().nlink.fetch_sub(1, Relaxed);
        to.attrs().nlink.fetch_add(1, Relaxed);
    }

    fn done(&self, source: &N, target: Option<&Arc<N>>) {
        let now = self.from_dir.now();
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
