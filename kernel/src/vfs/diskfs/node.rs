//! A file of diskfs: its attributes, its content, its names.
//!
//! A node lives as long as a directory or an open file refers to it. When the last reference goes and
//! no name is left, its blocks are given back; a node that a crash leaves without a name isn't found by
//! the next mount, and its blocks are free.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use abi::types::{Stat, Statvfs, mode};
use abi::{Errno, SysResult};
use ksync::{SleepLock, SpinLock};

use super::cache::Content;
use super::format::{BLOCK, Record};
use super::{Core, Diskfs};
use crate::kern::proc::Lwp;
use crate::locks;
use crate::uio::Uio;
use crate::vfs::attrs::{FILE_MAX, drop_set_ids, limit_write, within_fsize};
use crate::vfs::mount::Mount;
use crate::vfs::tree::attr::Attrs;
use crate::vfs::tree::dir::Entries;
use crate::vfs::tree::names::{self, Inode};
use crate::vfs::tree::special::Special;
use crate::vfs::vnode::{Create, Dirent, Head, Owner, SetAttr, Vnode, VnodeRef, ioflag};

/// One file of any type.
pub struct Node {
    head: Head,
    me: Weak<Node>,
    pub fs: Arc<Diskfs>,
    pub ino: u64,
    pub attr: Attrs,
    /// On the list of what the next commit has to look at.
    pub queued: AtomicBool,
    pub body: Body,
}

pub enum Body {
    Dir(SpinLock<Entries<Node>>),
    File(Regular),
    Special(Special),
}

pub struct Regular {
    /// Both written under the locks of the file system and of `data`.
    pub size: AtomicU64,
    blocks: AtomicU64,
    /// Sleeps: content may have to be fetched from the disk.
    pub data: SleepLock<Content>,
}

impl Node {
    /// A file that stands nowhere yet. ENOSPC when there is no memory, EINVAL for a type that isn't one.
    pub fn build(
        mount: &Arc<Mount>,
        fs: &Arc<Diskfs>,
        parent: Weak<Node>,
        ino: u64,
        new: &Create<'_>,
        birth_ns: i64,
    ) -> SysResult<Arc<Node>> {
        let body = match new.mode & mode::IFMT {
            mode::IFDIR => Body::Dir(SpinLock::new(&locks::TREE_DIR, Entries::new(parent, fs.seed))),
            mode::IFREG => Body::File(Regular {
                size: AtomicU64::new(0),
                blocks: AtomicU64::new(0),
                data: SleepLock::new(&locks::VNODE_DATA, Content::default()),
            }),
            _ => Body::Special(Special::new(new)?),
        };
        fs.nodes.fetch_add(1, Relaxed);
        Ok(Arc::new_cyclic(|me| Node {
            head: Head::new(mount.clone()),
            me: me.clone(),
            fs: fs.clone(),
            ino,
            attr: Attrs::new(new, birth_ns),
            queued: AtomicBool::new(false),
            body,
        }))
    }

    /// Makes a file in this directory, under the file system's lock.
    pub fn make(&self, name: &[u8], new: &Create<'_>) -> SysResult<Arc<Node>> {
        self.entries()?;
        self.fs.check_memory()?;
        let ino = self.fs.next_ino.fetch_add(1, Relaxed);
        let node = Self::build(&self.head.mount, &self.fs, self.me.clone(), ino, new, self.fs.now())?;
        names::enter(self, name, &node)?;
        node.mark();
        Ok(node)
    }

    pub fn file(&self) -> SysResult<&Regular> {
        match &self.body {
            Body::File(f) => Ok(f),
            Body::Dir(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Makes the file's memory free as far as it can go. True when some of it can't yet.
    pub fn evict(&self, lp: &Lwp) -> bool {
        let Body::File(file) = &self.body else { return false };
        let mut data = file.data.lock(lp);
        data.listed = data.evict(None, &self.fs);
        data.listed
    }

    /// After the content was used, its lock held.
    #[inline]
    fn used(&self, data: &mut Content) {
        if !data.listed && data.has_chunks() {
            data.listed = self.fs.pool.enlist(&self.me);
        }
    }

    /// After the content changed, its lock held.
    fn wrote(&self, lp: &Lwp, file: &Regular, data: &mut Content, now: i64) {
        self.used(data);
        if file.blocks.load(Relaxed) != data.blocks() {
            file.blocks.store(data.blocks(), Relaxed);
        }
        self.head.content_changed();
        self.touch(now);
        let bits = self.attr.mode.load(Relaxed);
        let kept = drop_set_ids(lp, bits);
        if kept != bits {
            self.attr.mode.store(kept, Relaxed);
        }
    }

    /// After the blocks were read from the disk's metadata.
    pub fn count_blocks(&self, data: &Content) {
        if let Body::File(file) = &self.body {
            file.blocks.store(data.blocks(), Relaxed);
        }
    }

    fn write_some(&self, uio: &mut Uio<'_>, flags: u32, core: &mut Core, now: i64) -> SysResult<()> {
        let (lp, file) = (uio.lwp(), self.file()?);
        let mut data = file.data.lock(lp);
        let size = file.size.load(Relaxed);
        if flags & ioflag::APPEND != 0 {
            uio.offset = size;
        }
        let beyond = limit_write(lp, uio)?;
        uio.resid -= beyond;
        let from = uio.offset;
        let done = data.write(uio, size, core, &self.fs);
        uio.resid += beyond;
        if uio.offset > from {
            file.size.store(size.max(uio.offset), Relaxed);
            self.wrote(lp, file, &mut data, now);
        } else {
            self.used(&mut data);
        }
        done
    }

    fn set_size(&self, lp: &Lwp, size: u64, core: &mut Core) -> SysResult<()> {
        let file = self.file()?;
        let mut data = file.data.lock(lp);
        let old = file.size.load(Relaxed);
        within_fsize(lp, old, size)?;
        if size < old {
            data.cut(size, old, core, &self.fs)?;
        }
        file.size.store(size, Relaxed);
        self.wrote(lp, file, &mut data, self.fs.now());
        Ok(())
    }

    #[inline]
    fn accessed(&self) {
        if self.attr.accessed(|| self.fs.now()) && !self.head.mount.readonly() {
            self.fs.note_read(self);
        }
    }

    pub fn weak(&self) -> &Weak<Node> {
        &self.me
    }
}

impl Inode for Node {
    fn attrs(&self) -> &Attrs {
        &self.attr
    }
    #[inline]
    fn entries(&self) -> SysResult<&SpinLock<Entries<Node>>> {
        match &self.body {
            Body::Dir(d) => Ok(d),
            _ => Err(Errno::ENOTDIR),
        }
    }
    fn me(&self) -> &Weak<Node> {
        &self.me
    }
    fn tree(&self) -> &SpinLock<()> {
        &self.fs.tree
    }
    fn now(&self) -> i64 {
        self.fs.now()
    }
    #[inline]
    fn mark(&self) {
        if !self.queued.load(Relaxed) {
            self.fs.note(self);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.fs.nodes.fetch_sub(1, Relaxed);
        match &mut self.body {
            Body::File(f) => {
                let data = f.data.get_mut();
                data.forget(&self.fs);
                if *self.attr.nlink.get_mut() == 0 {
                    self.fs.dropped(data.map.take());
                }
            }
            // Directories can be nested deeper than a kernel stack: no recursion.
            Body::Dir(d) => {
                let mut work = d.get_mut().take_all();
                while let Some(node) = work.pop() {
                    if let (1, Body::Dir(d)) = (Arc::strong_count(&node), &node.body) {
                        let below = d.lock().take_all();
                        work.extend(below);
                    }
                }
            }
            Body::Special(_) => {}
        }
    }
}

impl Vnode for Node {
    #[inline]
    fn head(&self) -> &Head {
        &self.head
    }
    #[inline]
    fn owner(&self) -> Owner {
        self.attr.owner()
    }

    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        let (size, blocks, rdev) = match &self.body {
            Body::File(f) => (f.size.load(Relaxed), f.blocks.load(Relaxed), 0),
            Body::Dir(_) => (BLOCK as u64, 0, 0),
            Body::Special(s) => (s.size(), 0, s.rdev()),
        };
        Ok(Stat {
            dev: self.head.mount.dev,
            ino: self.ino,
            rdev,
            size,
            blocks: blocks * (BLOCK as u64 / 512),
            blksize: BLOCK as u64,
            ..self.attr.stat()
        })
    }

    fn setattr(&self, lp: &Lwp, set: &SetAttr) -> SysResult<()> {
        self.fs.change(lp, 0, |core| {
            if let Some(size) = set.size {
                self.fs.with_room(lp, core, |core| self.set_size(lp, size, core))?;
            }
            self.attr.set(set, self.fs.now());
            self.mark();
            Ok(())
        })
    }

    #[inline]
    fn lookup(&self, _lp: &Lwp, name: &[u8]) -> SysResult<VnodeRef> {
        match self.entries()?.lock().get(name) {
            Some(node) => Ok(node.clone()),
            None => Err(Errno::ENOENT),
        }
    }

    fn parent(&self, _lp: &Lwp) -> SysResult<VnodeRef> {
        let above = self.entries()?.lock().parent.upgrade();
        match above {
            Some(dir) => Ok(dir),
            None => self.head.mount.root(),
        }
    }

    fn create(&self, lp: &Lwp, name: &[u8], new: &Create<'_>) -> SysResult<VnodeRef> {
        self.fs.change(lp, name.len() + new.target.len(), |core| {
            let node = self.make(name, new)?;
            let &Create { mode, uid, gid, rdev, target } = new;
            let (dir, ino, birth_ns) = (self.ino, node.ino, node.attr.birth_ns);
            core.say(&Record::Make { dir, ino, mode, uid, gid, rdev, birth_ns, name, target })?;
            Ok(node as VnodeRef)
        })
    }

    fn link(&self, lp: &Lwp, name: &[u8], file: &VnodeRef) -> SysResult<()> {
        let node = node_of(file).ok_or(Errno::EXDEV)?;
        self.fs.change(lp, name.len(), |core| {
            names::link(self, name, node)?;
            core.say(&Record::Link { dir: self.ino, ino: node.ino, name })
        })
    }

    fn remove(&self, lp: &Lwp, name: &[u8], dir: bool) -> SysResult<()> {
        self.fs.shrink(lp, name.len(), |core| {
            names::remove(self, name, dir)?;
            core.say(&Record::Unlink { dir: self.ino, name })
        })
    }

    fn rename(&self, lp: &Lwp, from: &[u8], to_dir: &VnodeRef, to: &[u8], flags: u32) -> SysResult<()> {
        let to_dir = node_of(to_dir).filter(|to| Arc::ptr_eq(&self.fs, &to.fs)).ok_or(Errno::EXDEV)?;
        self.fs.change(lp, from.len() + to.len(), |core| {
            names::rename(self, from, to_dir, to, flags)?;
            core.say(&Record::Rename { from: self.ino, to: to_dir.ino, flags, old: from, new: to })
        })
    }

    fn readdir(&self, _lp: &Lwp, cookie: u64, f: &mut dyn FnMut(&Dirent<'_>) -> bool) -> SysResult<()> {
        let entries = self.entries()?.lock();
        for e in entries.after(cookie) {
            let Some(node) = &e.node else { continue };
            let kind = (node.attr.mode.load(Relaxed) >> 12) as u8;
            if !f(&Dirent { ino: node.ino, kind, cookie: e.cookie, name: e.name() }) {
                break;
            }
        }
        drop(entries);
        self.accessed();
        Ok(())
    }

    fn readlink(&self, _lp: &Lwp) -> SysResult<Vec<u8>> {
        match &self.body {
            Body::Special(s) => s.readlink(),
            _ => Err(Errno::EINVAL),
        }
    }

    fn open(&self, lp: &Lwp, flags: u32) -> SysResult<Option<VnodeRef>> {
        match &self.body {
            Body::File(_) | Body::Dir(_) => Ok(None),
            Body::Special(s) => {
                s.open(lp, self.attr.mode.load(Relaxed), flags, self.me.upgrade().map(|me| me as VnodeRef))
            }
        }
    }

    fn read(&self, uio: &mut Uio<'_>, _flags: u32) -> SysResult<()> {
        let (lp, file) = (uio.lwp(), self.file()?);
        let (mut short, mut force) = (false, false);
        self.accessed();
        loop {
            let mut data = file.data.lock(lp);
            let done = data.read(uio, file.size.load(Relaxed), &mut force, &self.fs);
            self.used(&mut data);
            drop(data);
            match done {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    self.fs.pool.shrink(lp, false);
                    force = self.fs.pool.full();
                }
                // The kernel's memory is short: all that can go goes, once.
                Err(Errno::ENOMEM) if !short => {
                    short = true;
                    self.fs.pool.shrink(lp, true);
                }
                Err(e) => return Err(e),
            }
        }
    }

    fn write(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        self.file()?;
        if uio.resid == 0 {
            return Ok(());
        }
        let (lp, now) = (uio.lwp(), self.fs.now());
        let mut core = self.fs.begin(lp, 0)?;
        // Not in the middle: a commit is to find all of a write, if it is not too large, or nothing.
        self.fs.make_room(lp, &mut core, (uio.resid / BLOCK) as u64 + 2);
        let done = self.write_some(uio, flags, &mut core, now);
        self.fs.end(lp, &mut core, now);
        done
    }

    fn seek_hole(&self, lp: &Lwp, offset: u64, hole: bool) -> SysResult<u64> {
        let Body::File(file) = &self.body else { return Err(Errno::ENXIO) };
        let data = file.data.lock(lp);
        let size = file.size.load(Relaxed);
        if offset >= size {
            return Err(Errno::ENXIO);
        }
        match data.seek(offset, hole) {
            at if at < size => Ok(at),
            _ if hole => Ok(size),
            _ => Err(Errno::ENXIO),
        }
    }

    fn allocate(&self, lp: &Lwp, offset: u64, len: u64) -> SysResult<()> {
        let file = self.file()?;
        let end = offset.checked_add(len).filter(|&e| e <= FILE_MAX).ok_or(Errno::EFBIG)?;
        self.fs.change(lp, 0, |core| {
            self.fs.with_room(lp, core, |core| {
                let mut data = file.data.lock(lp);
                let size = file.size.load(Relaxed);
                within_fsize(lp, size, end)?;
                let done = data.allocate(lp, (offset, end), size, core, &self.fs);
                if done.is_ok() {
                    file.size.store(size.max(end), Relaxed);
                } else if size < end {
                    data.cut(size, size, core, &self.fs)?;
                }
                self.wrote(lp, file, &mut data, self.fs.now());
                done
            })
        })
    }

    fn fsync(&self, lp: &Lwp, _data_only: bool) -> SysResult<()> {
        self.fs.sync(lp)
    }

    fn detach(&self, lp: &Lwp, going: bool) -> SysResult<()> {
        if going { self.fs.detach(lp) } else { self.fs.attach(lp) }
    }

    fn statvfs(&self, lp: &Lwp) -> SysResult<Statvfs> {
        let (blocks, bfree) = self.fs.room(lp);
        let files = self.fs.nodes.load(Relaxed);
        Ok(Statvfs { bsize: BLOCK as u64, blocks, bfree, files: files.saturating_add(bfree), ffree: bfree })
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// The node behind a vnode, if it is one of diskfs.
pub fn node_of(vp: &VnodeRef) -> Option<&Node> {
    vp.as_any().downcast_ref()
}
