//! open(2).

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use abi::types::{access, mode, o};
use abi::{Errno, SysResult};

use crate::kern::proc::Lwp;
use crate::vfs::attrs::check_writable_mount;
use crate::vfs::file::File;
use crate::vfs::lookup::{At, Found, Kind, namei, namei_create};
use crate::vfs::names::{check_enter, new_file};
use crate::vfs::vnode::{Owner, SetAttr, VnodeRef};

/// Opens a file, making it if that is asked for. `flags` are `types::o`; the umask is applied to `mode`.
pub fn kern_open(lp: &Lwp, at: &At<'_>, flags: u32, mode: u32) -> SysResult<Arc<File>> {
    lp.machine().admit()?;
    if flags & o::ACCMODE == o::ACCMODE {
        return Err(Errno::EINVAL);
    }
    if flags & o::PATH != 0 {
        return open_path(lp, at, flags & (o::PATH | o::DIRECTORY | o::NOFOLLOW));
    }
    let at = at.following(at.follow && flags & o::NOFOLLOW == 0);
    if flags & o::CREAT != 0 {
        return open_create(lp, &at, flags, mode);
    }
    let vp = namei(lp, &at)?;
    open_vnode(lp, vp, flags, false)
}

/// O_PATH: a place, no file. A last symbolic link that isn't followed is opened itself.
fn open_path(lp: &Lwp, at: &At<'_>, flags: u32) -> SysResult<Arc<File>> {
    let vp = namei(lp, &at.following(at.follow && flags & o::NOFOLLOW == 0))?;
    if flags & o::DIRECTORY != 0 && !vp.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    Ok(Arc::new(File::new(vp, o::PATH)))
}

fn open_create(lp: &Lwp, at: &At<'_>, flags: u32, mode: u32) -> SysResult<Arc<File>> {
    if flags & o::DIRECTORY != 0 {
        return Err(Errno::EINVAL);
    }
    // POSIX: with O_EXCL a symbolic link is in the way, wherever it points.
    let at = at.following(at.follow && flags & o::EXCL == 0);
    loop {
        let Found { parent, vp } = namei_create(lp, &at)?;
        if parent.trailing_slash || parent.kind != Kind::Normal {
            return Err(if flags & o::EXCL != 0 && vp.is_some() { Errno::EEXIST } else { Errno::EISDIR });
        }
        if let Some(vp) = vp {
            if flags & o::EXCL != 0 {
                return Err(Errno::EEXIST);
            }
            return open_vnode(lp, vp, flags, false);
        }
        check_enter(lp, &parent.dir)?;
        let perm = mode & mode::PERM & !lp.proc.umask.load(Relaxed);
        match new_file(lp, &parent, mode::IFREG | perm, 0, &[]) {
            Ok(vp) => return open_vnode(lp, vp, flags, true),
            // Somebody else was faster: then it is an open of what he made.
            Err(Errno::EEXIST) if flags & o::EXCL == 0 => continue,
            Err(e) => return Err(e),
        }
    }
}

/// What the flags ask for may be done with the file. `made` by this very call: no permission is asked.
fn open_vnode(lp: &Lwp, vp: VnodeRef, flags: u32, made: bool) -> SysResult<Arc<File>> {
    let owner = vp.owner();
    let kind = owner.mode & mode::IFMT;
    let writes = flags & o::ACCMODE != o::RDONLY;
    if flags & o::DIRECTORY != 0 && kind != mode::IFDIR {
        return Err(Errno::ENOTDIR);
    }
    match kind {
        mode::IFLNK => return Err(Errno::ELOOP),
        mode::IFDIR if writes || flags & (o::TRUNC | o::CREAT) != 0 => return Err(Errno::EISDIR),
        mode::IFSOCK => return Err(Errno::ENXIO),
        _ => {}
    }
    let truncates = flags & o::TRUNC != 0 && kind == mode::IFREG && !made;
    if !made {
        check_open(lp, &vp, &owner, flags, truncates)?;
    }
    let vp = match vp.open(lp, flags)? {
        Some(other) => other,
        None => vp,
    };
    // From here on dropping the file closes it.
    let file = Arc::new(File::new(vp, flags));
    if truncates {
        file.vnode.setattr(lp, &SetAttr { size: Some(0), ..SetAttr::default() })?;
    }
    Ok(file)
}

#[inline]
fn check_open(lp: &Lwp, vp: &VnodeRef, owner: &Owner, flags: u32, truncates: bool) -> SysResult<()> {
    let mut want = match flags & o::ACCMODE {
        o::RDONLY => access::R_OK,
        o::WRONLY => access::W_OK,
        _ => access::R_OK | access::W_OK,
    };
    if truncates {
        want |= access::W_OK;
    }
    if want & access::W_OK != 0 {
        check_writable_mount(&**vp)?;
    }
    lp.proc.cred.access(owner, want)
}
