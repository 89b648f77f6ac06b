//! Mounts: a file system's instance and its place in the tree.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use abi::{Errno, SysResult};
use ksync::{SleepLock, SpinLock};

use crate::Kernel;
use crate::locks;
use crate::vfs::vnode::{Vnode, VnodeRef};

/// One mounted file system.
pub struct Mount {
    /// `st_dev` of its files; unique in a kernel.
    pub dev: u64,
    /// `tmpfs`, `devfs`...
    pub fstype: &'static str,
    /// `types::mnt`.
    pub flags: u32,
    /// Renames that change the shape of the tree, one at a time.
    pub rename: SleepLock<()>,
    /// Names found here may be kept in the name cache.
    pub cached: bool,
    /// After an error nothing is written to it any more.
    failed: AtomicBool,
    /// Guarded by the lock: set once when the file system is ready, taken at unmount.
    place: SpinLock<Place>,
}

#[derive(Default)]
struct Place {
    root: Option<VnodeRef>,
    /// The directory it is mounted on; none for the root file system.
    covers: Option<VnodeRef>,
    /// As `mount` was told, for /proc/mounts.
    path: Vec<u8>,
}

impl Mount {
    pub fn new(kernel: &Kernel, fstype: &'static str, flags: u32, cached: bool) -> Arc<Mount> {
        Arc::new(Mount {
            dev: kernel.next_id(),
            fstype,
            flags,
            rename: SleepLock::new(&locks::RENAME, ()),
            cached,
            failed: AtomicBool::new(false),
            place: SpinLock::new(&locks::MOUNTS, Place::default()),
        })
    }

    /// The file system tells its root, once.
    pub fn set_root(&self, root: VnodeRef) {
        self.place.lock().root = Some(root);
    }
    /// ENOENT after an unmount.
    pub fn root(&self) -> SysResult<VnodeRef> {
        self.place.lock().root.clone().ok_or(Errno::ENOENT)
    }
    pub fn covers(&self) -> Option<VnodeRef> {
        self.place.lock().covers.clone()
    }
    pub fn path(&self) -> Vec<u8> {
        self.place.lock().path.clone()
    }
    pub fn readonly(&self) -> bool {
        self.flags & abi::types::mnt::RDONLY != 0 || self.has_failed()
    }
    /// From now on it is for reading only.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
    /// Lets go of its root: it was unmounted, or never mounted.
    pub fn forget(&self) {
        let gone = core::mem::take(&mut *self.place.lock());
        drop(gone);
    }
}

/// All mounts of a kernel, in the order they were made; the first is the root.
pub struct Mounts {
    list: SpinLock<Vec<Arc<Mount>>>,
    /// The home of what has no name: see `anonymous`.
    nowhere: SpinLock<Option<Arc<Mount>>>,
}

impl Default for Mounts {
    fn default() -> Self {
        Self::new()
    }
}

impl Mounts {
    pub const fn new() -> Mounts {
        Mounts { list: SpinLock::new(&locks::MOUNTS, Vec::new()), nowhere: SpinLock::new(&locks::MOUNTS, None) }
    }

    /// The mount that pipes and terminals belong to. It stands nowhere in the tree.
    pub fn anonymous(&self, kernel: &Kernel) -> Arc<Mount> {
        self.nowhere.lock().get_or_insert_with(|| Mount::new(kernel, "pipefs", 0, false)).clone()
    }

    pub fn all(&self) -> Vec<Arc<Mount>> {
        self.list.lock().clone()
    }

    /// Mounts on a directory, or as the root when there is none. EBUSY when something is mounted there.
    pub fn add(&self, mount: Arc<Mount>, on: Option<VnodeRef>, path: &[u8]) -> SysResult<()> {
        if let Some(dir) = &on {
            dir.head().cover(Some(mount.clone()))?;
        }
        {
            let mut place = mount.place.lock();
            place.covers = on;
            place.path = path.to_vec();
        }
        self.list.lock().push(mount);
        Ok(())
    }

    /// Undoes `add`. EBUSY for the root and for what has mounts on it.
    pub fn remove(&self, mount: &Arc<Mount>) -> SysResult<()> {
        let covers = mount.covers().ok_or(Errno::EBUSY)?;
        let under = self.all().iter().any(|m| m.covers().is_some_and(|c| Arc::ptr_eq(&c.head().mount, mount)));
        if under {
            return Err(Errno::EBUSY);
        }
        self.list.lock().retain(|m| !Arc::ptr_eq(m, mount));
        covers.head().cover(None)?;
        mount.forget();
        Ok(())
    }
}

/// The root of what is mounted on a vnode, and so on upwards; the vnode itself when nothing is.
pub fn cross(mut vp: VnodeRef) -> SysResult<VnodeRef> {
    while let Some(m) = vp.head().mounted_here() {
        vp = m.root()?;
    }
    Ok(vp)
}

/// True for the root directory of a mount.
pub fn is_mount_root(vp: &dyn Vnode) -> bool {
    vp.head().mount.root().is_ok_and(|r| core::ptr::addr_eq(Arc::as_ptr(&r), vp))
}
