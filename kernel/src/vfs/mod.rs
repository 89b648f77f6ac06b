//! Files: vnodes and mounts, path lookup, the file systems, pipes.

pub mod attrs;
pub mod devfs;
pub mod dirs;
pub mod diskfs;
pub mod file;
pub mod hostfs;
pub mod lookup;
pub mod mount;
pub mod namecache;
pub mod names;
pub mod open;
pub mod path;
pub mod pipe;
pub mod procfs;
pub mod ring;
pub mod syscalls;
#[cfg(test)]
mod tests;
pub mod tmpfs;
mod tree;
pub mod vnode;
pub mod writeback;

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::types::mode;
use abi::{Errno, SysResult};

use crate::kern::proc::{Dirs, Lwp};
use lookup::{At, namei};
use mount::Mount;
use names::kern_mkdir;
use vnode::VnodeRef;

/// What every root has mounted on it.
type Make = fn(&crate::Kernel, u32) -> Arc<Mount>;
const SYSTEM: [(&[u8], Make); 2] = [(b"/dev", devfs::make), (b"/proc", procfs::make)];

/// Mounts the root tmpfs, fills it from the boot image, and mounts `/dev` and `/proc`, making their
/// directories. The lwp gets the new root as its own.
pub fn boot(lp: &Lwp) -> SysResult<()> {
    let mount = tmpfs::make(&lp.kernel, 0)?;
    let root = mount.root()?;
    let index = tmpfs::image::read_index(lp.machine())?;
    tmpfs::image::fill(lp, &root, &index)?;
    new_root(lp, mount)?;
    for (path, make) in SYSTEM {
        make_dirs(lp, path)?;
        let dir = namei(lp, &At::cwd(path))?;
        mount_on(lp, make(&lp.kernel, 0), &dir, path)?;
    }
    Ok(())
}

/// Makes a mount the root of the name space, and of the calling lwp.
fn new_root(lp: &Lwp, mount: Arc<Mount>) -> SysResult<()> {
    let root = mount.root()?;
    lp.kernel.mounts.add(mount, None, b"/")?;
    let old = lp.kernel.root.lock().replace(root.clone());
    let dirs = lp.proc.dirs.lock().replace(Dirs { cwd: root.clone(), root });
    drop((old, dirs));
    Ok(())
}

/// Mounts on a directory. ENOTDIR, EBUSY.
pub fn mount_on(lp: &Lwp, mount: Arc<Mount>, dir: &VnodeRef, path: &[u8]) -> SysResult<()> {
    if !dir.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    if mount::is_mount_root(&**dir) && dir.head().mount.covers().is_none() {
        return Err(Errno::EBUSY);
    }
    lp.kernel.mounts.add(mount, Some(dir.clone()), path)
}

/// Makes the directories of a path that aren't there.
fn make_dirs(lp: &Lwp, path: &[u8]) -> SysResult<()> {
    let mut pos = 0;
    while let Some(c) = path::component(path, pos) {
        match kern_mkdir(lp, &At::cwd(&path[..c.end]), 0o755) {
            Ok(()) | Err(Errno::EEXIST) => {}
            // A host's directory may be shared for reading only, and have it already.
            Err(Errno::EROFS | Errno::EACCES) if namei(lp, &At::cwd(&path[..c.end])).is_ok() => {}
            Err(e) => return Err(e),
        }
        pos = c.end;
    }
    Ok(())
}

/// Mounts a directory that the host shares. Missing directories are made; on `/` it becomes the root,
/// with `/dev` and `/proc` mounted on it if it has such directories.
pub fn mount_hostdir(lp: &Lwp, export: u32, flags: u32, path: &[u8]) -> SysResult<()> {
    let mut full = Vec::new();
    if path.first() != Some(&b'/') {
        full.push(b'/');
    }
    full.extend_from_slice(path);
    let mount = hostfs::make(lp, export, flags)?;
    if path::component(&full, 0).is_some() {
        make_dirs(lp, &full)?;
        let dir = namei(lp, &At::cwd(&full))?;
        return mount_on(lp, mount, &dir, &full);
    }
    new_root(lp, mount)?;
    for (path, make) in SYSTEM {
        match namei(lp, &At::cwd(path)) {
            Ok(dir) if dir.kind() == mode::IFDIR => mount_on(lp, make(&lp.kernel, 0), &dir, path)?,
            _ => {}
        }
    }
    Ok(())
}

/// Mounts a disk; missing directories are made. One that was never used begins with what is there now.
pub fn mount_disk(lp: &Lwp, unit: u32, flags: u32, path: &[u8]) -> SysResult<()> {
    make_dirs(lp, path)?;
    let dir = namei(lp, &At::cwd(path))?;
    if !dir.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    match diskfs::mount(lp, unit, flags, &dir, path)? {
        Some(mount) => mount_on(lp, mount, &dir, path),
        None => Ok(()),
    }
}

/// All that was changed is durable: sync(2), and before the machine halts. What couldn't be written is told
/// on the console, as nobody else will know.
pub fn sync_all(lp: &Lwp) {
    for mount in lp.kernel.mounts.all() {
        let synced = mount.root().and_then(|root| root.fsync(lp, false));
        if let Err(e) = synced
            && !mount.has_failed()
        {
            let path = mount.path();
            lp.kernel.log(&alloc::format!("{}: not synced: {}\n", path.escape_ascii(), e.text()));
        }
    }
}

/// The most bytes that files of the root may take, if it is a tmpfs.
pub fn set_root_limit(lp: &Lwp, bytes: u64) {
    let root = lp.kernel.root.lock().clone();
    if let Some(root) = root
        && let Some(node) = tmpfs::node_of(&root)
    {
        node.set_limit(bytes);
    }
}
