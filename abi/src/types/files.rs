//! What the calls on descriptors and paths take: flags, modes, records.

use crate::SysResult;
use crate::wire::{Reader, Writer};

/// `open(2)` flags.
pub mod o {
    pub const RDONLY: u32 = 0;
    pub const WRONLY: u32 = 1;
    pub const RDWR: u32 = 2;
    pub const ACCMODE: u32 = 3;
    pub const CREAT: u32 = 0o100;
    pub const EXCL: u32 = 0o200;
    pub const NOCTTY: u32 = 0o400;
    pub const TRUNC: u32 = 0o1000;
    pub const APPEND: u32 = 0o2000;
    pub const NONBLOCK: u32 = 0o4000;
    pub const DSYNC: u32 = 0o10000;
    pub const DIRECTORY: u32 = 0o200000;
    pub const NOFOLLOW: u32 = 0o400000;
    pub const CLOEXEC: u32 = 0o2000000;
    pub const SYNC: u32 = 0o4010000;
    /// A descriptor that only names a place: no reading or writing.
    pub const PATH: u32 = 0o10000000;
    /// Flags that stay with the open file description and that `F_SETFL` may change.
    pub const STATUS: u32 = APPEND | NONBLOCK | DSYNC | SYNC;
}

/// Flags of the at-calls.
pub mod at {
    /// Relative to the working directory.
    pub const FDCWD: i32 = -100;
    pub const SYMLINK_NOFOLLOW: u32 = 0x100;
    pub const REMOVEDIR: u32 = 0x200;
    pub const SYMLINK_FOLLOW: u32 = 0x400;
    /// `faccessat`: with the effective ids.
    pub const EACCESS: u32 = 0x200;
    pub const EMPTY_PATH: u32 = 0x1000;
}

/// `renameat2` flags.
pub mod rename {
    pub const NOREPLACE: u32 = 1;
    pub const EXCHANGE: u32 = 2;
}

/// `lseek(2)` whence.
pub mod seek {
    pub const SET: u32 = 0;
    pub const CUR: u32 = 1;
    pub const END: u32 = 2;
    pub const DATA: u32 = 3;
    pub const HOLE: u32 = 4;
}

/// File modes: type and permissions.
pub mod mode {
    pub const IFMT: u32 = 0o170000;
    pub const IFSOCK: u32 = 0o140000;
    pub const IFLNK: u32 = 0o120000;
    pub const IFREG: u32 = 0o100000;
    pub const IFBLK: u32 = 0o060000;
    pub const IFDIR: u32 = 0o040000;
    pub const IFCHR: u32 = 0o020000;
    pub const IFIFO: u32 = 0o010000;
    pub const ISUID: u32 = 0o4000;
    pub const ISGID: u32 = 0o2000;
    pub const ISVTX: u32 = 0o1000;
    pub const PERM: u32 = 0o7777;
}

/// `access(2)` modes.
pub mod access {
    pub const F_OK: u32 = 0;
    pub const X_OK: u32 = 1;
    pub const W_OK: u32 = 2;
    pub const R_OK: u32 = 4;
}

/// `fcntl(2)` commands.
pub mod fcntl {
    pub const DUPFD: u32 = 0;
    pub const GETFD: u32 = 1;
    pub const SETFD: u32 = 2;
    pub const GETFL: u32 = 3;
    pub const SETFL: u32 = 4;
    /// These six take a [`Flock`](super::Flock), by a call of their own.
    pub const GETLK: u32 = 5;
    pub const SETLK: u32 = 6;
    pub const SETLKW: u32 = 7;
    pub const OFD_GETLK: u32 = 36;
    pub const OFD_SETLK: u32 = 37;
    pub const OFD_SETLKW: u32 = 38;
    pub const DUPFD_CLOEXEC: u32 = 1030;
    pub const SETPIPE_SZ: u32 = 1031;
    pub const GETPIPE_SZ: u32 = 1032;
    pub const FD_CLOEXEC: u32 = 1;
    /// Of `close_range(2)`: set that flag, don't close.
    pub const CLOSE_RANGE_CLOEXEC: u32 = 4;
}

/// Locks: the kinds of fcntl(2), and what flock(2) is asked for.
pub mod flock {
    pub const RDLCK: u16 = 0;
    pub const WRLCK: u16 = 1;
    pub const UNLCK: u16 = 2;
    pub const LOCK_SH: u32 = 1;
    pub const LOCK_EX: u32 = 2;
    pub const LOCK_NB: u32 = 4;
    pub const LOCK_UN: u32 = 8;
}

/// `poll(2)` events.
pub mod poll {
    pub const IN: u16 = 0x001;
    pub const PRI: u16 = 0x002;
    pub const OUT: u16 = 0x004;
    pub const ERR: u16 = 0x008;
    pub const HUP: u16 = 0x010;
    pub const NVAL: u16 = 0x020;
}

/// `mount(2)` flags.
pub mod mnt {
    pub const RDONLY: u32 = 1;
    pub const NOSUID: u32 = 2;
    pub const NOEXEC: u32 = 8;
}

/// Types in directory entries: `mode >> 12`.
pub mod dt {
    pub const UNKNOWN: u8 = 0;
    pub const FIFO: u8 = 1;
    pub const CHR: u8 = 2;
    pub const DIR: u8 = 4;
    pub const BLK: u8 = 6;
    pub const REG: u8 = 8;
    pub const LNK: u8 = 10;
    pub const SOCK: u8 = 12;
}

/// `struct stat` of the native calls: 104 bytes, no padding. Times in ns since 1970.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Stat {
    pub dev: u64,
    pub ino: u64,
    pub mode: u32,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u64,
    pub size: u64,
    /// In units of 512 bytes.
    pub blocks: u64,
    pub blksize: u64,
    pub atime_ns: i64,
    pub mtime_ns: i64,
    pub ctime_ns: i64,
    pub birth_ns: i64,
}

impl Stat {
    pub const SIZE: usize = 104;
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        Writer::new(&mut out)
            .u64(self.dev)
            .u64(self.ino)
            .u32(self.mode)
            .u32(self.nlink)
            .u32(self.uid)
            .u32(self.gid)
            .u64(self.rdev)
            .u64(self.size)
            .u64(self.blocks)
            .u64(self.blksize)
            .i64(self.atime_ns)
            .i64(self.mtime_ns)
            .i64(self.ctime_ns)
            .i64(self.birth_ns);
        out
    }
    pub fn from_bytes(b: &[u8]) -> SysResult<Stat> {
        let mut r = Reader::new(b);
        Ok(Stat {
            dev: r.u64()?,
            ino: r.u64()?,
            mode: r.u32()?,
            nlink: r.u32()?,
            uid: r.u32()?,
            gid: r.u32()?,
            rdev: r.u64()?,
            size: r.u64()?,
            blocks: r.u64()?,
            blksize: r.u64()?,
            atime_ns: r.i64()?,
            mtime_ns: r.i64()?,
            ctime_ns: r.i64()?,
            birth_ns: r.i64()?,
        })
    }
}

/// `struct flock` of fcntl(2), 32 bytes: kind and whence as u16, start and len as i64 from byte 8, pid as i32.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Flock {
    /// As in [`flock`].
    pub kind: u16,
    /// A [`seek`]: SET, CUR or END.
    pub whence: u16,
    pub start: i64,
    /// 0 to the end, wherever that comes to be; negative for what is before `start`.
    pub len: i64,
    /// Of who has the lock that is in the way; -1 for an open file description.
    pub pid: i32,
}

impl Flock {
    pub const SIZE: usize = 32;
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        let head = u32::from(self.kind) | u32::from(self.whence) << 16;
        Writer::new(&mut out).u32(head).u32(0).i64(self.start).i64(self.len).u32(self.pid as u32);
        out
    }
    pub fn from_bytes(b: &[u8]) -> SysResult<Flock> {
        let mut r = Reader::new(b);
        let (head, _) = (r.u32()?, r.u32()?);
        let (start, len, pid) = (r.i64()?, r.i64()?, r.i32()?);
        Ok(Flock { kind: head as u16, whence: (head >> 16) as u16, start, len, pid })
    }
}

/// `statvfs`: 40 bytes.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Statvfs {
    pub bsize: u64,
    pub blocks: u64,
    pub bfree: u64,
    pub files: u64,
    pub ffree: u64,
}

impl Statvfs {
    pub const SIZE: usize = 40;
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        Writer::new(&mut out).u64(self.bsize).u64(self.blocks).u64(self.bfree).u64(self.files).u64(self.ffree);
        out
    }
    pub fn from_bytes(b: &[u8]) -> SysResult<Statvfs> {
        let mut r = Reader::new(b);
        Ok(Statvfs { bsize: r.u64()?, blocks: r.u64()?, bfree: r.u64()?, files: r.u64()?, ffree: r.u64()? })
    }
}

/// One entry as `getdents` writes it: this header, then the name; the next entry follows at once.
/// `cookie` (64 bits, where to go on after this entry), `ino` (64), `namlen` (16), `type` (8), 5 bytes 0.
pub const DIRENT_HEADER: usize = 24;
