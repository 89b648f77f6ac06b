//! WASI's structures and flags, to and from the kernel's. All padding is zero.

use alloc::vec::Vec;

use abi::types::{Stat, dt, o};
use abi::wire::Writer;
use abi::{Errno, SysResult};

/// `filetype`.
pub mod filetype {
    pub const UNKNOWN: u8 = 0;
    pub const BLOCK_DEVICE: u8 = 1;
    pub const CHARACTER_DEVICE: u8 = 2;
    pub const DIRECTORY: u8 = 3;
    pub const REGULAR_FILE: u8 = 4;
    pub const SOCKET_STREAM: u8 = 6;
    pub const SYMBOLIC_LINK: u8 = 7;
}

/// `fdflags`.
pub mod fdflags {
    pub const APPEND: u32 = 1;
    pub const DSYNC: u32 = 2;
    pub const NONBLOCK: u32 = 4;
    pub const RSYNC: u32 = 8;
    pub const SYNC: u32 = 16;
    pub const ALL: u32 = 31;
}

/// `oflags`.
pub mod oflags {
    pub const CREAT: u32 = 1;
    pub const DIRECTORY: u32 = 2;
    pub const EXCL: u32 = 4;
    pub const TRUNC: u32 = 8;
    pub const ALL: u32 = 15;
}

/// `fstflags`.
pub mod fstflags {
    pub const ATIM: u32 = 1;
    pub const ATIM_NOW: u32 = 2;
    pub const MTIM: u32 = 4;
    pub const MTIM_NOW: u32 = 8;
    pub const ALL: u32 = 15;
}

/// `lookupflags`.
pub const SYMLINK_FOLLOW: u32 = 1;

/// The type bits of a mode as a `filetype`. WASI knows no pipes.
pub fn filetype_of(mode: u32) -> u8 {
    dirent_type((mode >> 12) as u8)
}

/// A `types::dt` as a `filetype`.
pub fn dirent_type(kind: u8) -> u8 {
    match kind {
        dt::BLK => filetype::BLOCK_DEVICE,
        dt::CHR => filetype::CHARACTER_DEVICE,
        dt::DIR => filetype::DIRECTORY,
        dt::REG => filetype::REGULAR_FILE,
        dt::SOCK => filetype::SOCKET_STREAM,
        dt::LNK => filetype::SYMBOLIC_LINK,
        _ => filetype::UNKNOWN,
    }
}

/// `fdflags` as status flags of open(2). EINVAL for unknown ones.
pub fn status_from_fdflags(flags: u32) -> SysResult<u32> {
    if flags & !fdflags::ALL != 0 {
        return Err(Errno::EINVAL);
    }
    let map = |bit, to| if flags & bit != 0 { to } else { 0 };
    // O_RSYNC is the strongest O_SYNC, as Linux has it.
    Ok(map(fdflags::APPEND, o::APPEND)
        | map(fdflags::NONBLOCK, o::NONBLOCK)
        | map(fdflags::DSYNC, o::DSYNC)
        | map(fdflags::SYNC | fdflags::RSYNC, o::SYNC))
}

/// Status flags as `fdflags`.
pub fn fdflags_from_status(status: u32) -> u16 {
    let map = |bit, to| if status & bit == bit { to } else { 0 };
    let sync = map(o::SYNC, fdflags::SYNC | fdflags::RSYNC | fdflags::DSYNC);
    (map(o::APPEND, fdflags::APPEND) | map(o::NONBLOCK, fdflags::NONBLOCK) | map(o::DSYNC, fdflags::DSYNC) | sync)
        as u16
}

/// `fdstat`.
pub fn fdstat(filetype: u8, flags: u16, base: u64, inheriting: u64) -> [u8; 24] {
    let mut out = [0; 24];
    Writer::new(&mut out).u8(filetype).pad(1).u16(flags).pad(4).u64(base).u64(inheriting);
    out
}

/// `filestat`.
pub fn filestat(s: &Stat) -> [u8; 64] {
    let mut out = [0; 64];
    Writer::new(&mut out)
        .u64(s.dev)
        .u64(s.ino)
        .u8(filetype_of(s.mode))
        .pad(7)
        .u64(s.nlink as u64)
        .u64(s.size)
        .u64(timestamp(s.atime_ns))
        .u64(timestamp(s.mtime_ns))
        .u64(timestamp(s.ctime_ns));
    out
}

/// A time of the kernel's; WASI's begins in 1970.
pub fn timestamp(ns: i64) -> u64 {
    ns.max(0) as u64
}

/// A zeroed buffer whose size a program chose. ENOMEM.
pub fn zeroed(len: usize) -> SysResult<Vec<u8>> {
    let mut v = Vec::new();
    v.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    v.resize(len, 0);
    Ok(v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::types::mode;

    #[test]
    fn structures_have_the_layout_of_the_witx() {
        let s = Stat {
            dev: 1,
            ino: 2,
            mode: mode::IFREG | 0o644,
            nlink: 3,
            size: 4,
            atime_ns: -5,
            mtime_ns: 6,
            ctime_ns: 7,
            ..Stat::default()
        };
        let b = filestat(&s);
        let at = |i: usize| u64::from_le_bytes(b[i..i + 8].try_into().unwrap());
        assert_eq!([at(0), at(8), at(24), at(32), at(40), at(48), at(56)], [1, 2, 3, 4, 0, 6, 7]);
        assert_eq!(b[16..24], [filetype::REGULAR_FILE, 0, 0, 0, 0, 0, 0, 0]);

        let f = fdstat(2, 0x0405, 9, 10);
        assert_eq!(f[..8], [2, 0, 5, 4, 0, 0, 0, 0]);
        assert_eq!((f[8], f[16]), (9, 10));
    }

    #[test]
    fn status_flags_survive_the_way_there_and_back() {
        for flags in [0, fdflags::APPEND, fdflags::NONBLOCK, fdflags::DSYNC, fdflags::APPEND | fdflags::NONBLOCK] {
            assert_eq!(fdflags_from_status(status_from_fdflags(flags).unwrap()) as u32, flags);
        }
        assert_eq!(status_from_fdflags(fdflags::RSYNC), Ok(o::SYNC));
        assert_eq!(status_from_fdflags(32), Err(Errno::EINVAL));
    }

    #[test]
    fn every_kind_of_file_has_a_type() {
        assert_eq!(filetype_of(mode::IFDIR | 0o755), filetype::DIRECTORY);
        assert_eq!(filetype_of(mode::IFIFO), filetype::UNKNOWN);
        assert_eq!(filetype_of(mode::IFCHR), filetype::CHARACTER_DEVICE);
        assert_eq!(filetype_of(mode::IFLNK), filetype::SYMBOLIC_LINK);
    }
}
