//! A file of tmpfs: its attributes and its content. What is done with names is in `names`.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use abi::types::{Stat, Statvfs, mode, rlimit};
use abi::{Errno, SysResult};
use ksync::{SleepLock, SpinLock};

use super::Tmpfs;
use super::data::{Blob, Data, PAGE};
use crate::kern::proc::Lwp;
use crate::locks;
use crate::uio::{Count, Piece, Uio};
use crate::vfs::attrs::{FILE_MAX, drop_set_ids, limit_write, within_fsize};
use crate::vfs::mount::Mount;
use crate::vfs::tree::attr::Attrs;
use crate::vfs::tree::dir::Entries;
use crate::vfs::tree::names::{self, Inode};
use crate::vfs::tree::special::Special;
use crate::vfs::vnode::{Create, Dirent, Head, Owner, QUICK, SetAttr, Vnode, VnodeRef, ioflag};

/// One file of any type.
pub struct Node {
    head: Head,
    /// Itself: for a directory's entry of it, for its children's `parent`.
    pub(super) me: Weak<Node>,
    pub(super) fs: Arc<Tmpfs>,
    pub(super) ino: u64,
    pub(super) attr: Attrs,
    pub(super) body: Body,
}

pub(super) enum Body {
    Dir(SpinLock<Entries<Node>>),
    File(Regular),
    Special(Special),
}

pub(super) struct Regular {
    /// Written under the lock of `data`.
    size: AtomicU64,
    /// Pages in use, likewise.
    pages: AtomicU64,
    /// The boot image's blob with this very content, or 0.
    blob: AtomicU32,
    /// Sleeps: content may have to be fetched from the host.
    data: SleepLock<Data>,
}

impl Node {
    fn build(mount: &Arc<Mount>, fs: &Arc<Tmpfs>, new: &Create<'_>, body: Body) -> Arc<Node> {
        let now = fs.now();
        fs.nodes.fetch_add(1, Relaxed);
        Arc::new_cyclic(|me| Node {
            head: Head::new(mount.clone()),
            me: me.clone(),
            fs: fs.clone(),
            ino: fs.ino(),
            attr: Attrs::new(new, now),
            body,
        })
    }

    fn directory(fs: &Tmpfs, parent: Weak<Node>) -> Body {
        Body::Dir(SpinLock::new(&locks::TREE_DIR, Entries::new(parent, fs.seed)))
    }

    pub(super) fn new_root(mount: &Arc<Mount>, fs: &Arc<Tmpfs>, mode: u32) -> Arc<Node> {
        let new = Create { mode, uid: 0, gid: 0, rdev: 0, target: &[] };
        Self::build(mount, fs, &new, Self::directory(fs, Weak::new()))
    }

    /// A file that stands nowhere yet, to be put into this directory.
    pub(super) fn new_child(&self, new: &Create<'_>, blob: Option<Blob>) -> SysResult<Arc<Node>> {
        let (mount, fs) = (&self.head.mount, &self.fs);
        fs.check_memory(1024)?;
        let body = match new.mode & mode::IFMT {
            mode::IFDIR => Self::directory(fs, self.me.clone()),
            mode::IFREG => Body::File(Regular {
                size: AtomicU64::new(blob.map_or(0, |b| b.size)),
                pages: AtomicU64::new(0),
                blob: AtomicU32::new(blob.map_or(0, |b| b.nr)),
                data: SleepLock::new(&locks::VNODE_DATA, blob.map_or_else(Data::default, Data::from_blob)),
            }),
            _ => Body::Special(Special::new(new)?),
        };
        Ok(Node::build(mount, fs, new, body))
    }

    fn file(&self) -> SysResult<&Regular> {
        match &self.body {
            Body::File(f) => Ok(f),
            Body::Dir(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }
    /// Makes a file in this directory.
    pub(super) fn make(&self, name: &[u8], new: &Create<'_>, blob: Option<Blob>) -> SysResult<Arc<Node>> {
        self.entries()?;
        let node = self.new_child(new, blob)?;
        names::enter(self, name, &node)?;
        Ok(node)
    }

    #[inline]
    fn accessed(&self) {
        self.attr.accessed(|| self.fs.now());
    }

    /// The most bytes that the files of its file system may take.
    pub fn set_limit(&self, bytes: u64) {
        self.fs.limit.store(bytes / PAGE as u64, Relaxed);
    }

    /// After the content changed, its lock held.
    #[inline]
    fn wrote(&self, lp: &Lwp, file: &Regular, data: &Data) {
        if file.pages.load(Relaxed) != data.pages() {
            file.pages.store(data.pages(), Relaxed);
        }
        if file.blob.load(Relaxed) != 0 {
            file.blob.store(0, Relaxed);
        }
        self.head.content_changed();
        self.touch(self.fs.now());
        let bits = self.attr.mode.load(Relaxed);
        let kept = drop_set_ids(lp, bits);
        if kept != bits {
            self.attr.mode.store(kept, Relaxed);
        }
    }

    fn set_size(&self, lp: &Lwp, size: u64) -> SysResult<()> {
        let file = self.file()?;
        within_fsize(lp, file.size.load(Relaxed), size)?;
        let mut data = file.data.lock(lp);
        if size < file.size.load(Relaxed) {
            data.cut(size, &*self.fs);
        }
        file.size.store(size, Relaxed);
        self.wrote(lp, file, &data);
        Ok(())
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
}

impl Drop for Node {
    fn drop(&mut self) {
        self.fs.nodes.fetch_sub(1, Relaxed);
        match &mut self.body {
            Body::File(f) => f.data.get_mut().release(&*self.fs),
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
            _ => {}
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
        let (size, pages, rdev) = match &self.body {
            // What is with the host still counts as if it were here.
            Body::File(f) if f.blob.load(Relaxed) != 0 => {
                let size = f.size.load(Relaxed);
                (size, size.div_ceil(PAGE as u64), 0)
            }
            Body::File(f) => (f.size.load(Relaxed), f.pages.load(Relaxed), 0),
            Body::Dir(_) => (PAGE as u64, 0, 0),
            Body::Special(s) => (s.size(), 0, s.rdev()),
        };
        Ok(Stat {
            dev: self.head.mount.dev,
            ino: self.ino,
            rdev,
            size,
            blocks: pages * (PAGE as u64 / 512),
            blksize: PAGE as u64,
            ..self.attr.stat()
        })
    }

    fn setattr(&self, lp: &Lwp, set: &SetAttr) -> SysResult<()> {
        if let Some(size) = set.size {
            self.set_size(lp, size)?;
        }
        self.attr.set(set, self.fs.now());
        Ok(())
    }

    #[inline]
    fn lookup(&self, _lp: &Lwp, name: &[u8]) -> SysResult<VnodeRef> {
        let entries = self.entries()?.lock();
        match entries.get(name) {
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

    fn create(&self, _lp: &Lwp, name: &[u8], new: &Create<'_>) -> SysResult<VnodeRef> {
        self.make(name, new, None).map(|node| node as VnodeRef)
    }
    fn link(&self, _lp: &Lwp, name: &[u8], file: &VnodeRef) -> SysResult<()> {
        names::link(self, name, super::node_of(file).ok_or(Errno::EXDEV)?)
    }
    fn remove(&self, _lp: &Lwp, name: &[u8], dir: bool) -> SysResult<()> {
        names::remove(self, name, dir)
    }
    fn rename(&self, _lp: &Lwp, from: &[u8], to_dir: &VnodeRef, to: &[u8], flags: u32) -> SysResult<()> {
        let to_dir = super::node_of(to_dir).filter(|to| Arc::ptr_eq(&self.fs, &to.fs)).ok_or(Errno::EXDEV)?;
        names::rename(self, from, to_dir, to, flags)
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
        let file = self.file()?;
        let mut data = file.data.lock(uio.lwp());
        self.accessed();
        data.read(uio, file.size.load(Relaxed), &*self.fs)
    }

    fn write(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        let lp = uio.lwp();
        let file = self.file()?;
        let mut data = file.data.lock(lp);
        let size = file.size.load(Relaxed);
        if flags & ioflag::APPEND != 0 {
            uio.offset = size;
        }
        if uio.resid == 0 {
            return Ok(());
        }
        let beyond = limit_write(lp, uio)?;
        uio.resid -= beyond;
        let done = data.write(uio, &*self.fs);
        uio.resid += beyond;
        let end = size.max(uio.offset);
        if done.is_err() {
            data.cut(end, &*self.fs);
        }
        if end != size {
            file.size.store(end, Relaxed);
        }
        self.wrote(lp, file, &data);
        done
    }

    fn quick(&self) -> bool {
        matches!(self.body, Body::File(_))
    }

    fn read_piece(&self, lp: &Lwp, piece: Piece, offset: u64) -> Option<Count> {
        let Body::File(file) = &self.body else { return None };
        let data = file.data.try_lock(lp)?;
        let n = piece.give(lp, data.in_place(offset, QUICK)?)?;
        self.accessed();
        Some(n)
    }

    /// Over what was there before: neither the size nor what it takes changes.
    fn write_piece(&self, lp: &Lwp, piece: Piece, offset: u64) -> Option<Count> {
        let Body::File(file) = &self.body else { return None };
        let allowed = lp.proc.limits.soft(rlimit::FSIZE).checked_sub(offset)?;
        let most = if allowed < QUICK as u64 { allowed as usize } else { QUICK };
        let mut data = file.data.try_lock(lp)?;
        // What was compiled from it must be released: not here.
        if self.head.is_compiled() {
            return None;
        }
        let n = piece.take(lp, data.in_place_mut(offset, most)?)?;
        self.wrote(lp, file, &data);
        Some(n)
    }

    fn seek_hole(&self, lp: &Lwp, offset: u64, hole: bool) -> SysResult<u64> {
        let Body::File(file) = &self.body else {
            return Err(Errno::ENXIO);
        };
        let data = file.data.lock(lp);
        data.seek(offset, file.size.load(Relaxed), hole)
    }

    fn allocate(&self, lp: &Lwp, offset: u64, len: u64) -> SysResult<()> {
        let file = self.file()?;
        let end = offset.checked_add(len).filter(|&e| e <= FILE_MAX).ok_or(Errno::EFBIG)?;
        within_fsize(lp, file.size.load(Relaxed), end)?;
        let mut data = file.data.lock(lp);
        let size = file.size.load(Relaxed);
        let done = data.allocate(offset, len, &*self.fs);
        if done.is_err() {
            data.cut(size, &*self.fs);
        } else {
            file.size.store(size.max(end), Relaxed);
        }
        self.wrote(lp, file, &data);
        done
    }

    fn statvfs(&self, _lp: &Lwp) -> SysResult<Statvfs> {
        let (limit, used) = (self.fs.limit.load(Relaxed), self.fs.used.load(Relaxed));
        let files = self.fs.nodes.load(Relaxed);
        let bfree = limit.saturating_sub(used);
        Ok(Statvfs { bsize: PAGE as u64, blocks: limit, bfree, files: files.saturating_add(bfree), ffree: bfree })
    }

    fn blob(&self) -> Option<u32> {
        match &self.body {
            Body::File(f) => Some(f.blob.load(Relaxed)).filter(|&b| b != 0),
            _ => None,
        }
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
