//! Vnodes: what every object with a file's face is made of.
//!
//! A vnode is one file, directory, device, pipe... of some file system, for as long as somebody
//! refers to it. File systems implement [`Vnode`]; the layer above (`lookup`, `syscalls`, `file`)
//! knows paths, permissions and descriptors and calls these with names of one component that are
//! neither `.` nor `..`. Permissions have been checked before a vnode is called, and that a change
//! does not go to a read-only mount.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use abi::types::{Stat, Statvfs, mode};
use abi::{Errno, SysResult};
use ksync::SpinLock;

use crate::kern::exec::Image;
use crate::kern::poll::Registrar;
use crate::kern::proc::Lwp;
use crate::locks;
use crate::uio::{Count, Piece, Uio};
use crate::vfs::mount::Mount;

pub type VnodeRef = Arc<dyn Vnode>;

/// What all vnodes have.
pub struct Head {
    /// The file system it belongs to.
    pub mount: Arc<Mount>,
    /// Something is mounted on it: look into `mounted`.
    covered: AtomicBool,
    mounted: SpinLock<Option<Arc<Mount>>>,
    /// There is something in `image`, or there will be: a write must look.
    compiled: AtomicBool,
    /// How often such a write has looked.
    writes: AtomicU32,
    /// The host's image of this file as a program. See `kern::exec`.
    image: SpinLock<Option<Arc<Image>>>,
    /// Open files that may write it: it is no program meanwhile, ETXTBSY of execve(2).
    writers: AtomicU32,
}

impl Head {
    pub fn new(mount: Arc<Mount>) -> Head {
        Head {
            mount,
            covered: AtomicBool::new(false),
            mounted: SpinLock::new(&locks::MOUNTS, None),
            compiled: AtomicBool::new(false),
            writes: AtomicU32::new(0),
            image: SpinLock::new(&locks::MOUNTS, None),
            writers: AtomicU32::new(0),
        }
    }

    /// A file that may write it is opened, or closed.
    pub fn writer(&self, opened: bool) {
        if opened {
            self.writers.fetch_add(1, Ordering::Relaxed);
        } else {
            self.writers.fetch_sub(1, Ordering::Relaxed);
        }
    }
    pub fn being_written(&self) -> bool {
        self.writers.load(Ordering::Relaxed) > 0
    }

    /// The file system mounted here, if any.
    #[inline]
    pub fn mounted_here(&self) -> Option<Arc<Mount>> {
        if !self.covered.load(Ordering::Relaxed) {
            return None;
        }
        self.mounted.lock().clone()
    }

    /// EBUSY when there is one already. None uncovers.
    pub fn cover(&self, with: Option<Arc<Mount>>) -> SysResult<()> {
        let mut mounted = self.mounted.lock();
        if with.is_some() && mounted.is_some() {
            return Err(Errno::EBUSY);
        }
        self.covered.store(with.is_some(), Ordering::Relaxed);
        *mounted = with;
        Ok(())
    }

    /// The cached image of an executable.
    pub fn image(&self) -> Option<Arc<Image>> {
        self.image.lock().clone()
    }
    /// The content is going to be read and compiled: what `set_image` wants to know.
    pub fn compiling(&self) -> u32 {
        self.compiled.store(true, Ordering::SeqCst);
        self.writes.load(Ordering::SeqCst)
    }
    /// Keeps the image of what was read since `compiling`, unless that has changed meanwhile.
    pub fn set_image(&self, image: Arc<Image>, since: u32) {
        let mut kept = self.image.lock();
        if self.writes.load(Ordering::SeqCst) == since {
            let old = kept.replace(image);
            drop(kept);
            drop(old);
        }
    }
    /// Whether [`Head::content_changed`] has more to do than to look.
    #[inline]
    pub fn is_compiled(&self) -> bool {
        self.compiled.load(Ordering::Relaxed)
    }
    /// The content was changed: what was compiled from it is stale. File systems call this on
    /// every write and change of size.
    #[inline]
    pub fn content_changed(&self) {
        if self.compiled.load(Ordering::Relaxed) {
            let old = {
                let mut kept = self.image.lock();
                self.compiled.store(false, Ordering::SeqCst);
                self.writes.fetch_add(1, Ordering::SeqCst);
                kept.take()
            };
            drop(old);
        }
    }
}

/// Who may do what with a file: all that a permission check looks at.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// Type and permissions.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

/// What `setattr` changes: the fields that are set. `ctime` follows by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetAttr {
    /// Permissions only.
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    pub atime_ns: Option<i64>,
    pub mtime_ns: Option<i64>,
}

/// What `create` makes.
pub struct Create<'a> {
    /// Type and permissions, umask already applied.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u64,
    /// A symbolic link's text.
    pub target: &'a [u8],
}

/// One entry of a directory.
pub struct Dirent<'a> {
    pub ino: u64,
    /// A `types::dt`.
    pub kind: u8,
    /// Where to go on after this entry. Stable while the directory is open; never 0.
    pub cookie: u64,
    pub name: &'a [u8],
}

/// Flags of a transfer.
pub mod ioflag {
    /// Write at the end, wherever that is by then.
    pub const APPEND: u32 = 1;
    /// EAGAIN instead of sleeping.
    pub const NONBLOCK: u32 = 2;
    /// What was written is durable when the call is over: O_SYNC, O_DSYNC. Not the vnode's business.
    pub const SYNC: u32 = 4;
}

/// The most that `read_piece` and `write_piece` move.
pub const QUICK: usize = 4096;

/// The operations of a file. The defaults are what a directory or a plain file answers to what it cannot do.
pub trait Vnode: Send + Sync {
    fn head(&self) -> &Head;

    /// For the permission check on the path of every lookup: cheap, takes no lock.
    fn owner(&self) -> Owner;
    fn getattr(&self, lp: &Lwp) -> SysResult<Stat>;
    fn setattr(&self, _lp: &Lwp, _set: &SetAttr) -> SysResult<()> {
        Err(Errno::EPERM)
    }

    // Directories.
    fn lookup(&self, _lp: &Lwp, _name: &[u8]) -> SysResult<VnodeRef> {
        Err(Errno::ENOTDIR)
    }
    /// The directory this directory stands in; itself at the root of a file system.
    fn parent(&self, _lp: &Lwp) -> SysResult<VnodeRef> {
        Err(Errno::ENOTDIR)
    }
    /// Makes a file, a directory, a symbolic link or a node. EEXIST. A directory that was removed
    /// answers ENOENT.
    fn create(&self, _lp: &Lwp, _name: &[u8], _new: &Create<'_>) -> SysResult<VnodeRef> {
        Err(Errno::ENOTDIR)
    }
    /// A hard link to a file of the same mount that is no directory.
    fn link(&self, _lp: &Lwp, _name: &[u8], _file: &VnodeRef) -> SysResult<()> {
        Err(Errno::EPERM)
    }
    /// `dir` says what the caller wants to remove: ENOTDIR, EISDIR when it is the other; ENOTEMPTY.
    fn remove(&self, _lp: &Lwp, _name: &[u8], _dir: bool) -> SysResult<()> {
        Err(Errno::EPERM)
    }
    /// Within one mount; `flags` are `types::rename`. Replaces what is at `to`, as rename(2) says. The
    /// caller has refused to move a directory below itself.
    fn rename(&self, _lp: &Lwp, _from: &[u8], _to_dir: &VnodeRef, _to: &[u8], _flags: u32) -> SysResult<()> {
        Err(Errno::EPERM)
    }
    /// Calls `f` for the entries after `cookie` (0: from the first), without `.` and `..`, until it
    /// answers false.
    fn readdir(&self, _lp: &Lwp, _cookie: u64, _f: &mut dyn FnMut(&Dirent<'_>) -> bool) -> SysResult<()> {
        Err(Errno::ENOTDIR)
    }
    fn readlink(&self, _lp: &Lwp) -> SysResult<Vec<u8>> {
        Err(Errno::EINVAL)
    }
    /// A symbolic link that leads straight to an object, whatever its text says (`/proc/self/cwd`).
    fn jump(&self, _lp: &Lwp) -> SysResult<Option<VnodeRef>> {
        Ok(None)
    }

    // Content.
    /// Called for each open file description. May answer another vnode to open in its place
    /// (`/dev/fd/3`, `/dev/tty`, the instance of a host's file).
    fn open(&self, _lp: &Lwp, _flags: u32) -> SysResult<Option<VnodeRef>> {
        Ok(None)
    }
    /// The last descriptor of an open file description is gone.
    fn close(&self, _flags: u32) {}
    /// Moves up to `uio.resid` bytes; nothing at end of file.
    fn read(&self, _uio: &mut Uio<'_>, _flags: u32) -> SysResult<()> {
        Err(Errno::EINVAL)
    }
    fn write(&self, _uio: &mut Uio<'_>, _flags: u32) -> SysResult<()> {
        Err(Errno::EINVAL)
    }
    /// As `read` to the whole of one piece of user memory, where that takes no more than the move of up to
    /// [`QUICK`] bytes: how many those were. None, and nothing has happened, where there is more to it: then `read` is
    /// called. Comes with the descriptor locked, so it may not sleep, nor release a file.
    fn read_piece(&self, _lp: &Lwp, _piece: Piece, _offset: u64) -> Option<Count> {
        None
    }
    /// Likewise. Neither comes with flags of the file's.
    fn write_piece(&self, _lp: &Lwp, _piece: Piece, _offset: u64) -> Option<Count> {
        None
    }
    /// Whether [`Vnode::read_piece`] and [`Vnode::write_piece`] are worth asking. Always the same for a vnode.
    fn quick(&self) -> bool {
        false
    }
    /// False for what has no position: pipes, terminals (ESPIPE). Always the same for a vnode.
    fn seekable(&self) -> bool {
        true
    }
    /// False when a transfer doesn't look at the offset, so that nobody need hold it meanwhile. Always
    /// the same for a vnode.
    fn positioned(&self) -> bool {
        self.seekable()
    }
    /// For SEEK_DATA and SEEK_HOLE: the next offset of that kind from `offset`. ENXIO past the end.
    fn seek_hole(&self, lp: &Lwp, offset: u64, hole: bool) -> SysResult<u64> {
        let size = self.getattr(lp)?.size;
        if offset >= size {
            return Err(Errno::ENXIO);
        }
        Ok(if hole { size } else { offset })
    }
    /// `posix_fallocate(3)`: the range will hold data, the size grows if need be.
    fn allocate(&self, _lp: &Lwp, _offset: u64, _len: u64) -> SysResult<()> {
        Err(Errno::ENOTSUP)
    }
    fn fsync(&self, _lp: &Lwp, _data_only: bool) -> SysResult<()> {
        Ok(())
    }
    /// Which of the `types::poll` events are there; `reg`, if given, is told of the queues that will
    /// bring the others. Files and directories are always ready.
    fn poll(&self, _lp: &Lwp, events: u16, _reg: Option<&mut Registrar>) -> u16 {
        events & (abi::types::poll::IN | abi::types::poll::OUT)
    }
    fn ioctl(&self, _lp: &Lwp, _request: u32, _arg: abi::syscalls::UAddr) -> SysResult<u32> {
        Err(Errno::ENOTTY)
    }
    /// Of the root: the file system is about to go (or isn't after all). May sleep.
    fn detach(&self, _lp: &Lwp, _going: bool) -> SysResult<()> {
        Ok(())
    }
    fn statvfs(&self, _lp: &Lwp) -> SysResult<Statvfs> {
        Ok(Statvfs { bsize: 4096, ..Statvfs::default() })
    }

    /// For exec: the boot image's blob that holds this content unchanged.
    fn blob(&self) -> Option<u32> {
        None
    }
    /// By what advisory locks know the file: all vnodes of one file answer the same, while any of them is open.
    fn lock_key(&self) -> usize {
        core::ptr::from_ref(self).cast::<()>().addr()
    }
    /// False for a file that the name cache may not keep under one of its names.
    fn cachable(&self) -> bool {
        true
    }
    /// For a file system to know its own.
    fn as_any(&self) -> &dyn core::any::Any;
}

impl dyn Vnode {
    /// The type bits of the mode.
    pub fn kind(&self) -> u32 {
        self.owner().mode & mode::IFMT
    }
    pub fn is_dir(&self) -> bool {
        self.kind() == mode::IFDIR
    }
}

/// True when both are the same vnode.
pub fn same(a: &VnodeRef, b: &VnodeRef) -> bool {
    core::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}
