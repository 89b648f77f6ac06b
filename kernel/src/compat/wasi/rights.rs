//! WASI's rights: what may be done through a descriptor.
//!
//! A file starts with all of them and they only shrink: by what `path_open` asks for, and by
//! `fd_fdstat_set_rights`. A call whose right was given up answers ENOTCAPABLE. What the file's type
//! or its access mode forbid is the kernel's to refuse, with POSIX's error; `fd_fdstat_get` leaves
//! those rights out, as C libraries derive `isatty` and `F_GETFL` from them.

use core::sync::atomic::Ordering::Relaxed;

use abi::types::mode;
use abi::{Errno, SysResult};

use crate::vfs::file::File;

pub const FD_DATASYNC: u64 = 1 << 0;
pub const FD_READ: u64 = 1 << 1;
pub const FD_SEEK: u64 = 1 << 2;
pub const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
pub const FD_SYNC: u64 = 1 << 4;
pub const FD_TELL: u64 = 1 << 5;
pub const FD_WRITE: u64 = 1 << 6;
pub const FD_ADVISE: u64 = 1 << 7;
pub const FD_ALLOCATE: u64 = 1 << 8;
pub const PATH_CREATE_DIRECTORY: u64 = 1 << 9;
pub const PATH_CREATE_FILE: u64 = 1 << 10;
pub const PATH_LINK_SOURCE: u64 = 1 << 11;
pub const PATH_LINK_TARGET: u64 = 1 << 12;
pub const PATH_OPEN: u64 = 1 << 13;
pub const FD_READDIR: u64 = 1 << 14;
pub const PATH_READLINK: u64 = 1 << 15;
pub const PATH_RENAME_SOURCE: u64 = 1 << 16;
pub const PATH_RENAME_TARGET: u64 = 1 << 17;
pub const PATH_FILESTAT_GET: u64 = 1 << 18;
pub const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
pub const PATH_FILESTAT_SET_TIMES: u64 = 1 << 20;
pub const FD_FILESTAT_GET: u64 = 1 << 21;
pub const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
pub const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
pub const PATH_SYMLINK: u64 = 1 << 24;
pub const PATH_REMOVE_DIRECTORY: u64 = 1 << 25;
pub const PATH_UNLINK_FILE: u64 = 1 << 26;
pub const POLL_FD_READWRITE: u64 = 1 << 27;
pub const SOCK_SHUTDOWN: u64 = 1 << 28;
pub const SOCK_ACCEPT: u64 = 1 << 29;

/// All there are.
pub const ALL: u64 = (1 << 30) - 1;

/// What makes sense on any descriptor.
const ANY: u64 = FD_FDSTAT_SET_FLAGS | FD_SYNC | FD_FILESTAT_GET | FD_FILESTAT_SET_TIMES | POLL_FD_READWRITE;
/// What makes sense on a directory.
const DIRECTORY: u64 = ANY
    | FD_ADVISE
    | FD_READDIR
    | PATH_CREATE_DIRECTORY
    | PATH_CREATE_FILE
    | PATH_LINK_SOURCE
    | PATH_LINK_TARGET
    | PATH_OPEN
    | PATH_READLINK
    | PATH_RENAME_SOURCE
    | PATH_RENAME_TARGET
    | PATH_FILESTAT_GET
    | PATH_FILESTAT_SET_SIZE
    | PATH_FILESTAT_SET_TIMES
    | PATH_SYMLINK
    | PATH_REMOVE_DIRECTORY
    | PATH_UNLINK_FILE;
/// What needs a file open for reading, and for writing.
const READING: u64 = FD_READ | FD_READDIR;
const WRITING: u64 = FD_WRITE | FD_DATASYNC | FD_ALLOCATE | FD_FILESTAT_SET_SIZE;
/// What makes sense on a file with a position.
const SEEKABLE: u64 = FD_SEEK | FD_TELL | FD_ADVISE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE;
const STREAM: u64 = ANY | FD_READ | FD_WRITE | FD_DATASYNC;
const SOCKET: u64 = STREAM | SOCK_SHUTDOWN | SOCK_ACCEPT;

/// ENOTCAPABLE unless the file still has all of these rights; EBADF where they lack because it was
/// not opened for that, as POSIX has it.
#[inline]
pub fn check(file: &File, wanted: u64) -> SysResult<()> {
    if file.rights.base.load(Relaxed) & wanted == wanted { Ok(()) } else { Err(denied(file, wanted)) }
}

#[cold]
fn denied(file: &File, wanted: u64) -> Errno {
    let unopened = wanted & READING != 0 && file.check_readable().is_err()
        || wanted & WRITING != 0 && file.check_writable().is_err();
    if unopened { Errno::EBADF } else { Errno::ENOTCAPABLE }
}

/// Base and inheriting rights as `fd_fdstat_get` tells them.
pub fn report(file: &File) -> (u64, u64) {
    let (base, inheriting) = by_type(file.vnode.kind(), file.vnode.seekable());
    let mut base = base & file.rights.base.load(Relaxed);
    if file.check_readable().is_err() {
        base &= !READING;
    }
    if file.check_writable().is_err() {
        base &= !WRITING;
    }
    (base, inheriting & file.rights.inheriting.load(Relaxed))
}

fn by_type(kind: u32, seekable: bool) -> (u64, u64) {
    match kind {
        mode::IFDIR => (DIRECTORY, DIRECTORY | STREAM | SEEKABLE),
        mode::IFSOCK => (SOCKET, SOCKET),
        // A terminal is told from other devices by having no position.
        _ if seekable => (STREAM | SEEKABLE, 0),
        _ => (STREAM, 0),
    }
}

/// Gives up all rights but these. ENOTCAPABLE for one that the file doesn't have.
pub fn shrink(file: &File, base: u64, inheriting: u64) -> SysResult<()> {
    let (have_base, have_inheriting) = report(file);
    if base & !have_base != 0 || inheriting & !have_inheriting != 0 {
        return Err(Errno::ENOTCAPABLE);
    }
    set(file, base, inheriting);
    Ok(())
}

/// The rights of a file that was just opened.
pub fn set(file: &File, base: u64, inheriting: u64) {
    file.rights.base.store(base, Relaxed);
    file.rights.inheriting.store(inheriting, Relaxed);
}

/// True when what `path_open` asks for needs reading, writing.
pub fn access(base: u64) -> (bool, bool) {
    (base & READING != 0, base & (FD_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_has_no_position_and_a_file_has() {
        assert_eq!(by_type(mode::IFCHR, false).0 & (FD_SEEK | FD_TELL), 0);
        assert_eq!(by_type(mode::IFREG, true).0 & (FD_SEEK | FD_TELL), FD_SEEK | FD_TELL);
    }

    #[test]
    fn a_directory_passes_on_what_its_files_need() {
        let (base, inheriting) = by_type(mode::IFDIR, true);
        assert_eq!(base & (FD_READ | FD_WRITE | FD_SEEK), 0);
        assert_eq!(inheriting & !ALL, 0);
        assert_eq!(inheriting & base, base);
        assert_eq!(inheriting & by_type(mode::IFREG, true).0, by_type(mode::IFREG, true).0);
    }

    #[test]
    fn the_c_library_s_access_modes_are_understood() {
        // wasi-libc: everything but what the missing half of the access mode would allow.
        let neither = ALL & !(READING | WRITING);
        assert_eq!(access(neither), (false, false));
        assert_eq!(access(neither | READING), (true, false));
        assert_eq!(access(neither | WRITING), (false, true));
        assert_eq!(access(ALL), (true, true));
    }
}
