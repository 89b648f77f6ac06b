//! A file or directory of the host.
//!
//! It knows the directory it was found in and its name there; that directory keeps its handle open
//! at least as long, so that everything is reached by one handle and one name.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use abi::hostfs::{Attr, DATA_MAX, op, which};
use abi::types::limits::PATH_MAX;
use abi::types::{Stat, clock, mode, o, rename};
use abi::wire::{Reader, Writer};
use abi::{Errno, SysResult};
use ksync::{SleepLock, SpinLock};

use super::Hostfs;
use super::file::Open;
use crate::kern::proc::Lwp;
use crate::locks;
use crate::uio::Uio;
use crate::vfs::mount::Mount;
use crate::vfs::namecache::TRUST_NS;
use crate::vfs::vnode::{Create, Dirent, Head, Owner, SetAttr, Vnode, VnodeRef};

/// No handle. The host's numbers start at the exports and stay small.
const NONE: u32 = u32::MAX;
/// How much of a directory is asked for at once.
const DIR_PIECE: usize = 32 << 10;

pub struct Node {
    head: Head,
    me: Weak<Node>,
    fs: Arc<Hostfs>,
    /// Type and permissions, for the checks on the way of a lookup.
    mode: AtomicU32,
    /// Held while the handle is opened, and while an O_APPEND write finds the end: the host is asked.
    pub(super) busy: SleepLock<()>,
    /// To look into a directory, or to read a file that isn't open (exec).
    handle: AtomicU32,
    /// The export itself: its handle is never closed.
    is_root: bool,
    /// As `create` left it, for the open that follows.
    fresh: AtomicU32,
    known: SpinLock<Known>,
}

/// A directory and a name in it.
type Place = (Arc<Node>, Arc<[u8]>);

/// What the host told last, and where the file was found.
struct Known {
    attr: Attr,
    /// CLOCK_MONOTONIC until which it is believed.
    until: u64,
    /// None for the root.
    place: Option<Place>,
}

impl Node {
    pub(super) fn new(
        fs: &Arc<Hostfs>,
        mount: &Arc<Mount>,
        place: Option<(Arc<Node>, &[u8])>,
        attr: &Attr,
        export: Option<u32>,
    ) -> Arc<Node> {
        let place = place.map(|(dir, name)| (dir, name.into()));
        let until = fs.machine.clock(clock::MONOTONIC, 0).saturating_add(TRUST_NS);
        Arc::new_cyclic(|me| Node {
            head: Head::new(mount.clone()),
            me: me.clone(),
            fs: fs.clone(),
            mode: AtomicU32::new(attr.mode),
            busy: SleepLock::new(&locks::VNODE_DATA, ()),
            handle: AtomicU32::new(export.unwrap_or(NONE)),
            is_root: export.is_some(),
            fresh: AtomicU32::new(NONE),
            known: SpinLock::new(&locks::NAMECACHE, Known { attr: *attr, until, place }),
        })
    }

    pub(super) fn fs(&self) -> &Arc<Hostfs> {
        &self.fs
    }
    pub(super) fn mount(&self) -> &Arc<Mount> {
        &self.head.mount
    }
    pub(super) fn kind(&self) -> u32 {
        self.mode.load(Relaxed) & mode::IFMT
    }

    /// The host told of the file again.
    pub(super) fn learn(&self, attr: &Attr) {
        let now = self.fs.machine.clock(clock::MONOTONIC, 0);
        let mut known = self.known.lock();
        let changed = (known.attr.size, known.attr.mtime_ns) != (attr.size, attr.mtime_ns);
        known.attr = *attr;
        known.until = now.saturating_add(TRUST_NS);
        drop(known);
        self.mode.store(attr.mode, Relaxed);
        if changed {
            self.head.content_changed();
        }
    }

    /// Found in a directory, perhaps under another name than before.
    pub(super) fn found(&self, dir: &Arc<Node>, name: &[u8], attr: &Attr) {
        self.moved(dir, name);
        self.learn(attr);
    }

    fn moved(&self, dir: &Arc<Node>, name: &[u8]) {
        if !self.is_root {
            let place: Option<Place> = Some((dir.clone(), name.into()));
            let old = core::mem::replace(&mut self.known.lock().place, place);
            drop(old);
        }
    }

    /// What is known of it is out of date: the guest changed it.
    pub(super) fn stale(&self) {
        self.known.lock().until = 0;
    }

    fn place(&self) -> SysResult<Place> {
        self.known.lock().place.clone().ok_or(Errno::EBUSY)
    }

    /// Opens something in this directory.
    fn open_child(&self, name: &[u8], flags: u32, perm: u32) -> SysResult<(u32, Attr)> {
        let dir = self.handle.load(Relaxed);
        self.fs.small(
            |w| {
                w.u32(op::OPEN).u32(dir).u32(flags).u32(perm).string(name);
            },
            |r| Ok((r.u32()?, Attr::read(r)?)),
        )
    }

    /// Opens it where it was found.
    pub(super) fn open_self(&self, flags: u32) -> SysResult<u32> {
        let (dir, name) = self.place()?;
        let (handle, attr) = dir.open_child(&name, flags, 0)?;
        self.learn(&attr);
        Ok(handle)
    }

    /// The handle it keeps, opened now if it has none.
    fn handle(&self, lp: &Lwp) -> SysResult<u32> {
        let handle = self.handle.load(Relaxed);
        if handle != NONE {
            return Ok(handle);
        }
        let _busy = self.busy.lock(lp);
        if self.handle.load(Relaxed) == NONE {
            let dir = if self.kind() == mode::IFDIR { o::DIRECTORY } else { 0 };
            let handle = self.open_self(o::RDONLY | o::NOFOLLOW | dir)?;
            self.handle.store(handle, Relaxed);
        }
        Ok(self.handle.load(Relaxed))
    }

    /// Has the host change this directory.
    fn tell(&self, lp: &Lwp, build: impl FnOnce(u32, &mut Writer<'_>)) -> SysResult<()> {
        let dir = self.handle(lp)?;
        let done = self.fs.small(|w| build(dir, w), |_| Ok(()));
        self.stale();
        done
    }

    fn ask(&self, lp: &Lwp, name: &[u8]) -> SysResult<Attr> {
        if self.kind() != mode::IFDIR {
            return Err(Errno::ENOTDIR);
        }
        let dir = self.handle(lp)?;
        self.fs.small(
            |w| {
                w.u32(op::LOOKUP).u32(dir).string(name);
            },
            Attr::read,
        )
    }

    fn find(&self, lp: &Lwp, name: &[u8]) -> SysResult<Arc<Node>> {
        let attr = self.ask(lp, name)?;
        self.fs.node(&self.shared()?, name, &attr)
    }

    fn shared(&self) -> SysResult<Arc<Node>> {
        self.me.upgrade().ok_or(Errno::ESTALE)
    }

    /// Its attributes, from the host unless they were told a moment ago.
    fn attr(&self, lp: &Lwp) -> SysResult<Attr> {
        let now = self.fs.machine.clock(clock::MONOTONIC, 0);
        let place = {
            let known = self.known.lock();
            if now < known.until {
                return Ok(known.attr);
            }
            known.place.clone()
        };
        let attr = match place {
            Some((dir, name)) => dir.ask(lp, &name)?,
            None => self.fs.getattr(self.handle.load(Relaxed))?,
        };
        let known = {
            let known = self.known.lock();
            (known.attr.dev, known.attr.ino)
        };
        if known != (attr.dev, attr.ino) {
            // Another file stands there now.
            return Err(Errno::ESTALE);
        }
        self.learn(&attr);
        Ok(attr)
    }

    pub(super) fn stat(&self, attr: &Attr) -> Stat {
        Stat {
            dev: self.head.mount.dev,
            ino: self.fs.ino(attr),
            mode: attr.mode,
            nlink: attr.nlink,
            uid: self.fs.uid.load(Relaxed),
            gid: self.fs.gid.load(Relaxed),
            rdev: 0,
            size: attr.size,
            blocks: attr.size.div_ceil(512),
            blksize: 4096,
            atime_ns: attr.atime_ns,
            mtime_ns: attr.mtime_ns,
            ctime_ns: attr.ctime_ns,
            birth_ns: attr.ctime_ns,
        }
    }

    /// Owners are the host's: only what changes nothing is no error. Modes are changed there, but of what was shared itself.
    pub(super) fn set_owner_and_mode(&self, lp: &Lwp, set: &SetAttr) -> SysResult<()> {
        let owner = self.owner();
        let other = |want: Option<u32>, have: u32| want.is_some_and(|w| w != have);
        if other(set.uid, owner.uid) || other(set.gid, owner.gid) {
            return Err(Errno::EPERM);
        }
        let Some(mode) = set.mode.filter(|&mode| mode != owner.mode & mode::PERM) else { return Ok(()) };
        if self.is_root {
            return Err(Errno::EPERM);
        }
        let (dir, name) = self.place()?;
        dir.tell(lp, |dir, w| {
            w.u32(op::CHMOD).u32(dir).u32(mode).string(&name);
        })?;
        self.stale();
        // The host may have left bits out.
        self.attr(lp).map(|_| ())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for handle in [self.handle.load(Relaxed), self.fresh.load(Relaxed)] {
            if handle != NONE && !(self.is_root && handle == self.handle.load(Relaxed)) {
                self.fs.close(handle);
            }
        }
        // Directories may be nested deeper than a kernel stack: no recursion up the tree.
        let mut above = self.known.get_mut().place.take();
        while let Some((dir, _)) = above {
            above = Arc::into_inner(dir).and_then(|mut dir| dir.known.get_mut().place.take());
        }
    }
}

fn node_of(vp: &VnodeRef) -> SysResult<&Node> {
    match vp.as_any().downcast_ref::<Node>() {
        Some(node) => Ok(node),
        None => vp.as_any().downcast_ref::<Open>().map(|open| &*open.node).ok_or(Errno::EXDEV),
    }
}

/// One entry of a READDIR answer: cookie, inode, type, name.
fn entry<'a>(r: &mut Reader<'a>) -> SysResult<Dirent<'a>> {
    let (cookie, ino, kind, name) = (r.u64()?, r.u64()?, r.u32()?, r.string()?);
    Ok(Dirent { ino, kind: kind as u8, cookie, name })
}

impl Vnode for Node {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        Owner { mode: self.mode.load(Relaxed), uid: self.fs.uid.load(Relaxed), gid: self.fs.gid.load(Relaxed) }
    }
    fn getattr(&self, lp: &Lwp) -> SysResult<Stat> {
        self.attr(lp).map(|a| self.stat(&a))
    }
    fn setattr(&self, lp: &Lwp, set: &SetAttr) -> SysResult<()> {
        self.set_owner_and_mode(lp, set)?;
        if let Some(size) = set.size {
            let open = Open::new(self.shared()?, self.open_self(o::WRONLY | o::NOFOLLOW)?);
            open.setattr(lp, &SetAttr { size: Some(size), ..SetAttr::default() })?;
        }
        let (times, atime, mtime) = times(set);
        if times == 0 {
            return Ok(());
        }
        self.stale();
        if self.is_root {
            return self.fs.setattr(self.handle.load(Relaxed), times, 0, atime, mtime);
        }
        let (dir, name) = self.place()?;
        dir.tell(lp, |dir, w| {
            w.u32(op::SETATTR_AT).u32(dir).string(&name).u32(times).i64(atime).i64(mtime);
        })
    }

    fn lookup(&self, lp: &Lwp, name: &[u8]) -> SysResult<VnodeRef> {
        self.find(lp, name).map(|node| node as VnodeRef)
    }
    fn parent(&self, _lp: &Lwp) -> SysResult<VnodeRef> {
        match self.place() {
            Ok((dir, _)) => Ok(dir),
            Err(_) => self.head.mount.root(),
        }
    }

    fn create(&self, lp: &Lwp, name: &[u8], new: &Create<'_>) -> SysResult<VnodeRef> {
        let perm = new.mode & 0o777;
        match new.mode & mode::IFMT {
            mode::IFREG => {
                self.handle(lp)?;
                let (handle, attr) = self.open_child(name, o::RDWR | o::CREAT | o::EXCL | o::NOFOLLOW, perm)?;
                self.stale();
                let node = self.fs.node(&self.shared()?, name, &attr);
                let Ok(node) = node else {
                    self.fs.close(handle);
                    return node.map(|n| n as VnodeRef);
                };
                let unused = node.fresh.swap(handle, Relaxed);
                if unused != NONE {
                    self.fs.close(unused);
                }
                return Ok(node);
            }
            mode::IFDIR => self.tell(lp, |dir, w| {
                w.u32(op::MKDIR).u32(dir).u32(perm).string(name);
            })?,
            mode::IFLNK => {
                let dir = self.handle(lp)?;
                let build = |buf: &mut [u8]| {
                    let mut w = Writer::new(buf);
                    w.u32(op::SYMLINK).u32(dir).string(name).string(new.target);
                    if w.overflowed { Err(Errno::ENAMETOOLONG) } else { Ok(w.len()) }
                };
                self.fs.large(lp, 2 * PATH_MAX, build, |_| Ok(()))?;
                self.stale();
            }
            // mknod(2): a type that this file system doesn't have.
            _ => return Err(Errno::EPERM),
        }
        self.lookup(lp, name)
    }

    fn link(&self, lp: &Lwp, name: &[u8], file: &VnodeRef) -> SysResult<()> {
        let node = node_of(file)?;
        let (above, old) = node.place()?;
        let from = above.handle(lp)?;
        lp.kernel.namecache.purge(&(above as VnodeRef), &old);
        let dir = self.handle(lp)?;
        node.stale();
        self.tell(lp, |_, w| {
            w.u32(op::LINK).u32(from).u32(dir).string(&old).string(name);
        })
    }

    fn remove(&self, lp: &Lwp, name: &[u8], dir: bool) -> SysResult<()> {
        let op = if dir { op::RMDIR } else { op::UNLINK };
        self.tell(lp, |dir, w| {
            w.u32(op).u32(dir).string(name);
        })
    }

    fn rename(&self, lp: &Lwp, from: &[u8], to_dir: &VnodeRef, to: &[u8], flags: u32) -> SysResult<()> {
        if flags & rename::EXCHANGE != 0 {
            return Err(Errno::EINVAL);
        }
        let to_dir = node_of(to_dir)?;
        let target = to_dir.handle(lp)?;
        let moved = self.find(lp, from)?;
        self.tell(lp, |dir, w| {
            w.u32(op::RENAME).u32(dir).u32(target).string(from).string(to);
        })?;
        to_dir.stale();
        moved.moved(&to_dir.shared()?, to);
        moved.stale();
        Ok(())
    }

    fn readdir(&self, lp: &Lwp, cookie: u64, f: &mut dyn FnMut(&Dirent<'_>) -> bool) -> SysResult<()> {
        let dir = self.handle(lp)?;
        let mut at = Some(cookie);
        while let Some(cookie) = at {
            let build = |buf: &mut [u8]| {
                let mut w = Writer::new(buf);
                w.u32(op::READDIR).u32(dir).u64(cookie);
                Ok(w.len())
            };
            at = self.fs.large(lp, DIR_PIECE, build, |r| {
                let mut last = None;
                for _ in 0..r.u32()? {
                    let e = entry(r)?;
                    last = Some(e.cookie);
                    if !matches!(e.name, b"." | b"..") && !f(&e) {
                        return Ok(None);
                    }
                }
                Ok(last)
            })?;
        }
        Ok(())
    }

    fn readlink(&self, lp: &Lwp) -> SysResult<Vec<u8>> {
        if self.kind() != mode::IFLNK {
            return Err(Errno::EINVAL);
        }
        let (dir, name) = self.place()?;
        let dir = dir.handle(lp)?;
        let build = |buf: &mut [u8]| {
            let mut w = Writer::new(buf);
            w.u32(op::READLINK).u32(dir).string(&name);
            Ok(w.len())
        };
        self.fs.large(lp, PATH_MAX, build, |r| Ok(r.string()?.to_vec()))
    }

    fn open(&self, lp: &Lwp, flags: u32) -> SysResult<Option<VnodeRef>> {
        if self.kind() == mode::IFDIR {
            self.handle(lp)?;
            return Ok(None);
        }
        let fresh = self.fresh.swap(NONE, Relaxed);
        let handle = if fresh != NONE { fresh } else { self.open_self(flags & o::ACCMODE | o::NOFOLLOW)? };
        Ok(Some(Arc::new(Open::new(self.shared()?, handle))))
    }

    /// Without being opened: for exec.
    fn read(&self, uio: &mut Uio<'_>, _flags: u32) -> SysResult<()> {
        if self.kind() == mode::IFDIR {
            return Err(Errno::EISDIR);
        }
        let handle = self.handle(uio.lwp())?;
        self.fs.read(handle, uio)
    }

    /// A file of several names is reached by the one it was looked up by last: it must be looked up.
    fn cachable(&self) -> bool {
        self.kind() == mode::IFDIR || self.known.lock().attr.nlink <= 1
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// What a SETATTR says of times.
pub fn times(set: &SetAttr) -> (u32, i64, i64) {
    let bits = set.atime_ns.map_or(0, |_| which::ATIME) | set.mtime_ns.map_or(0, |_| which::MTIME);
    (bits, set.atime_ns.unwrap_or(0), set.mtime_ns.unwrap_or(0))
}

impl Hostfs {
    pub(super) fn getattr(&self, handle: u32) -> SysResult<Attr> {
        self.small(
            |w| {
                w.u32(op::GETATTR).u32(handle);
            },
            Attr::read,
        )
    }

    pub(super) fn setattr(&self, handle: u32, bits: u32, size: u64, atime: i64, mtime: i64) -> SysResult<()> {
        self.small(
            |w| {
                w.u32(op::SETATTR).u32(handle).u32(bits).u64(size).i64(atime).i64(mtime);
            },
            |_| Ok(()),
        )
    }

    /// Reads until the asker has enough or the file ends.
    pub(super) fn read(&self, handle: u32, uio: &mut Uio<'_>) -> SysResult<()> {
        while uio.resid > 0 {
            let (want, offset) = (uio.resid.min(DATA_MAX), uio.offset);
            let build = |buf: &mut [u8]| {
                let mut w = Writer::new(buf);
                w.u32(op::READ).u32(handle).u64(offset).u32(want as u32);
                Ok(w.len())
            };
            let got = self.large(uio.lwp(), want, build, |r| {
                let data = r.string()?;
                uio.copy_out(data)
            })?;
            if got < want {
                break;
            }
        }
        Ok(())
    }
}
