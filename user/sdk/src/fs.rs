//! Paths: what stands under a name, and changing it.

use crate::{SysResult, check, done, raw};
use abi::types::{DIRENT_HEADER, Stat, Statvfs, at, limits};
use abi::wire::Reader;

/// `stat(2)`.
pub fn stat(path: &[u8]) -> SysResult<Stat> {
    fstatat(at::FDCWD, path, 0)
}

/// `lstat(2)`.
pub fn lstat(path: &[u8]) -> SysResult<Stat> {
    fstatat(at::FDCWD, path, at::SYMLINK_NOFOLLOW)
}

/// `fstatat(2)`.
pub fn fstatat(dir: i32, path: &[u8], flags: u32) -> SysResult<Stat> {
    let mut buf = [0; Stat::SIZE];
    // SAFETY: the kernel reads `path` and writes `Stat::SIZE` bytes.
    done(unsafe { raw::fstatat(dir, path.as_ptr(), path.len() as u32, buf.as_mut_ptr(), flags) })?;
    Stat::from_bytes(&buf)
}

/// `fstat(2)`.
pub fn fstat(fd: i32) -> SysResult<Stat> {
    let mut buf = [0; Stat::SIZE];
    // SAFETY: the kernel writes `Stat::SIZE` bytes.
    done(unsafe { raw::fstat(fd, buf.as_mut_ptr()) })?;
    Stat::from_bytes(&buf)
}

/// `fstatvfs(3)`.
pub fn fstatvfs(fd: i32) -> SysResult<Statvfs> {
    let mut buf = [0; Statvfs::SIZE];
    // SAFETY: the kernel writes `Statvfs::SIZE` bytes.
    done(unsafe { raw::fstatvfs(fd, buf.as_mut_ptr()) })?;
    Statvfs::from_bytes(&buf)
}

/// `faccessat(2)` with the effective ids.
pub fn access(path: &[u8], mode: u32) -> SysResult<()> {
    // SAFETY: the kernel reads `path`.
    done(unsafe { raw::faccessat(at::FDCWD, path.as_ptr(), path.len() as u32, mode, at::EACCESS) })
}

/// `mkdir(2)`.
pub fn mkdir(path: &[u8], mode: u32) -> SysResult<()> {
    // SAFETY: the kernel reads `path`.
    done(unsafe { raw::mkdirat(at::FDCWD, path.as_ptr(), path.len() as u32, mode) })
}

/// `mknod(2)`.
pub fn mknod(path: &[u8], mode: u32, dev: u64) -> SysResult<()> {
    // SAFETY: the kernel reads `path`.
    done(unsafe { raw::mknodat(at::FDCWD, path.as_ptr(), path.len() as u32, mode, dev) })
}

/// `unlink(2)`.
pub fn unlink(path: &[u8]) -> SysResult<()> {
    // SAFETY: the kernel reads `path`.
    done(unsafe { raw::unlinkat(at::FDCWD, path.as_ptr(), path.len() as u32, 0) })
}

/// `rmdir(2)`.
pub fn rmdir(path: &[u8]) -> SysResult<()> {
    // SAFETY: the kernel reads `path`.
    done(unsafe { raw::unlinkat(at::FDCWD, path.as_ptr(), path.len() as u32, at::REMOVEDIR) })
}

/// `renameat2(2)`; flags as in `abi::types::rename`.
pub fn rename(old: &[u8], new: &[u8], flags: u32) -> SysResult<()> {
    let (from, to) = (at::FDCWD, at::FDCWD);
    // SAFETY: the kernel reads both paths.
    done(unsafe { raw::renameat(from, old.as_ptr(), old.len() as u32, to, new.as_ptr(), new.len() as u32, flags) })
}

/// `linkat(2)`.
pub fn link(old: &[u8], new: &[u8], flags: u32) -> SysResult<()> {
    let (from, to) = (at::FDCWD, at::FDCWD);
    // SAFETY: the kernel reads both paths.
    done(unsafe { raw::linkat(from, old.as_ptr(), old.len() as u32, to, new.as_ptr(), new.len() as u32, flags) })
}

/// `symlink(2)`.
pub fn symlink(target: &[u8], path: &[u8]) -> SysResult<()> {
    let (t, p) = (target.as_ptr(), path.as_ptr());
    // SAFETY: the kernel reads both strings.
    done(unsafe { raw::symlinkat(t, target.len() as u32, at::FDCWD, p, path.len() as u32) })
}

/// `readlink(2)`.
pub fn readlink(path: &[u8]) -> SysResult<Vec<u8>> {
    let mut buf = vec![0; limits::PATH_MAX];
    let (p, b) = (path.as_ptr(), buf.as_mut_ptr());
    // SAFETY: the kernel reads `path` and writes within `buf`.
    let n = check(unsafe { raw::readlinkat(at::FDCWD, p, path.len() as u32, b, buf.len() as u32) })?;
    buf.truncate(n as usize);
    Ok(buf)
}

/// `fchmodat(2)`.
pub fn chmod(path: &[u8], mode: u32, flags: u32) -> SysResult<()> {
    // SAFETY: the kernel reads `path`.
    done(unsafe { raw::fchmodat(at::FDCWD, path.as_ptr(), path.len() as u32, mode, flags) })
}

/// `fchownat(2)`; `u32::MAX` leaves an id as it is.
pub fn chown(path: &[u8], uid: u32, gid: u32, flags: u32) -> SysResult<()> {
    // SAFETY: the kernel reads `path`.
    done(unsafe { raw::fchownat(at::FDCWD, path.as_ptr(), path.len() as u32, uid, gid, flags) })
}

/// For [`utimens`]: the time it is.
pub const UTIME_NOW: i64 = i64::MIN;
/// For [`utimens`]: as it was.
pub const UTIME_OMIT: i64 = i64::MIN + 1;

/// `utimensat(2)`: access and modification time in ns since 1970.
pub fn utimens(path: &[u8], atime_ns: i64, mtime_ns: i64, flags: u32) -> SysResult<()> {
    let times = [atime_ns, mtime_ns];
    // SAFETY: the kernel reads `path` and two times.
    done(unsafe { raw::utimensat(at::FDCWD, path.as_ptr(), path.len() as u32, times.as_ptr().cast(), flags) })
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirent {
    pub ino: u64,
    /// As in `abi::types::dt`.
    pub kind: u8,
    pub name: Vec<u8>,
}

/// All names of a directory but `.` and `..`, in the order the kernel has them.
pub fn read_dir(path: &[u8]) -> SysResult<Vec<Dirent>> {
    use abi::types::o;
    let fd = crate::io::open(path, o::RDONLY | o::DIRECTORY | o::CLOEXEC, 0)?;
    let all = read_dir_fd(fd);
    // It was only read.
    let _ = crate::io::close(fd);
    all
}

fn read_dir_fd(fd: i32) -> SysResult<Vec<Dirent>> {
    let mut all = Vec::new();
    let mut buf = vec![0u8; 8 << 10];
    loop {
        // SAFETY: the kernel writes within `buf`, which is ours.
        let n = check(unsafe { raw::getdents(fd, buf.as_mut_ptr(), buf.len() as u32) })? as usize;
        if n == 0 {
            return Ok(all);
        }
        parse_dirents(&buf[..n], &mut all)?;
    }
}

/// `getdents` as `abi::types::DIRENT_HEADER` describes it.
fn parse_dirents(buf: &[u8], all: &mut Vec<Dirent>) -> SysResult<()> {
    let mut r = Reader::new(buf);
    while r.rest().len() >= DIRENT_HEADER {
        let _cookie = r.u64()?;
        let ino = r.u64()?;
        let namlen = r.u16()? as usize;
        let kind = r.u8()?;
        r.bytes(5)?;
        let name = r.bytes(namlen)?;
        if name != b"." && name != b".." {
            all.push(Dirent { ino, kind, name: name.to_vec() });
        }
    }
    Ok(())
}

/// `chdir(2)`. The C library's idea of it is not changed: see [`crate::adopt_cwd`].
pub fn chdir(path: &[u8]) -> SysResult<()> {
    // SAFETY: the kernel reads `path`.
    done(unsafe { raw::chdir(path.as_ptr(), path.len() as u32) })
}

/// `chroot(2)`: the working directory stays where it is.
pub fn chroot(path: &[u8]) -> SysResult<()> {
    // SAFETY: the kernel reads `path`.
    done(unsafe { raw::chroot(path.as_ptr(), path.len() as u32) })
}

/// `getcwd(2)`, without a terminator.
pub fn getcwd() -> SysResult<Vec<u8>> {
    let mut buf = vec![0; limits::PATH_MAX];
    // SAFETY: the kernel writes within `buf`.
    let n = check(unsafe { raw::getcwd(buf.as_mut_ptr(), buf.len() as u32) })?;
    buf.truncate(n as usize);
    Ok(buf)
}

/// `mount(2)`: kind `tmpfs`, `devfs`, `procfs`, ...; flags as in `abi::types::mnt`.
pub fn mount(kind: &[u8], path: &[u8], flags: u32) -> SysResult<()> {
    let (k, p) = (kind.as_ptr(), path.as_ptr());
    // SAFETY: the kernel reads both strings.
    done(unsafe { raw::mount(k, kind.len() as u32, p, path.len() as u32, flags) })
}

/// `unmount(2)`.
pub fn unmount(path: &[u8], flags: u32) -> SysResult<()> {
    // SAFETY: the kernel reads `path`.
    done(unsafe { raw::unmount(path.as_ptr(), path.len() as u32, flags) })
}

/// `sync(2)`.
pub fn sync() -> SysResult<()> {
    // SAFETY: no pointers.
    done(unsafe { raw::sync() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_entries_follow_each_other_without_padding() {
        let mut buf = Vec::new();
        for (ino, kind, name) in [(7u64, 4u8, "."), (8, 8, "file"), (9, 4, "d")] {
            buf.extend_from_slice(&1u64.to_le_bytes());
            buf.extend_from_slice(&ino.to_le_bytes());
            buf.extend_from_slice(&(name.len() as u16).to_le_bytes());
            buf.push(kind);
            buf.extend_from_slice(&[0; 5]);
            buf.extend_from_slice(name.as_bytes());
        }
        let mut all = Vec::new();
        parse_dirents(&buf, &mut all).unwrap();
        let got: Vec<_> = all.iter().map(|d| (d.ino, d.kind, d.name.as_slice())).collect();
        assert_eq!(got, [(8, 8, b"file".as_slice()), (9, 4, b"d")]);
    }
}
