//! The messages of `hostfs_rpc`: a small file protocol in the manner of 9P2000.L.
//!
//! A *handle* names an open host directory or file; `0..exports` are the shared directories.
//! Names are single components: the kernel walks paths itself, so that `..` and symbolic links
//! are resolved in the guest's name space and never by the host. The host serves regular files,
//! directories and symbolic links, and never follows a link.
//!
//! A request is `u32 op` and its fields, an answer `i32` (0 or -errno) and its fields, all
//! little-endian; `name` and `data` are strings with a u32 length in front.
//!
//! | op | request | answer |
//! | --- | --- | --- |
//! | `LOOKUP` | handle, name | [`Attr`] |
//! | `OPEN` | handle, u32 oflags (`types::o`), u32 mode, name | u32 handle, [`Attr`] |
//! | `CLOSE` | handle | |
//! | `GETATTR` | handle | [`Attr`] |
//! | `SETATTR` | handle, u32 which, u64 size, i64 atime_ns, i64 mtime_ns | |
//! | `SETATTR_AT` | handle, name, u32 which, i64 atime_ns, i64 mtime_ns | |
//! | `READ` | handle, u64 offset, u32 count | data |
//! | `WRITE` | handle, u64 offset, data | u32 count |
//! | `FSYNC` | handle, u32 data_only | |
//! | `READDIR` | handle, u64 cookie | u32 n, n times (u64 cookie, u64 ino, u32 type, name); none: end |
//! | `MKDIR` | handle, u32 mode, name | |
//! | `UNLINK` `RMDIR` | handle, name | |
//! | `RENAME` | handle, handle, name, name | |
//! | `LINK` | handle, handle, name, name | |
//! | `SYMLINK` | handle, name, target | |
//! | `READLINK` | handle, name | data |
//! | `CHMOD` | handle, u32 mode, name | |

use crate::SysResult;
use crate::wire::{Reader, Writer};

/// Operation numbers.
pub mod op {
    pub const LOOKUP: u32 = 1;
    pub const OPEN: u32 = 2;
    pub const CLOSE: u32 = 3;
    pub const GETATTR: u32 = 4;
    pub const SETATTR: u32 = 5;
    pub const SETATTR_AT: u32 = 6;
    pub const READ: u32 = 7;
    pub const WRITE: u32 = 8;
    pub const FSYNC: u32 = 9;
    pub const READDIR: u32 = 10;
    pub const MKDIR: u32 = 11;
    pub const UNLINK: u32 = 12;
    pub const RMDIR: u32 = 13;
    pub const RENAME: u32 = 14;
    pub const LINK: u32 = 15;
    pub const SYMLINK: u32 = 16;
    pub const READLINK: u32 = 17;
    pub const CHMOD: u32 = 18;
}

/// Bits of `which` in the SETATTRs.
pub mod which {
    pub const SIZE: u32 = 1;
    pub const ATIME: u32 = 2;
    pub const MTIME: u32 = 4;
}

/// The largest buffer of a request or an answer, and of the data in one.
pub const MSG_MAX: usize = DATA_MAX + 256;
pub const DATA_MAX: usize = 256 << 10;

/// What the host says of a file. `mode` holds type and permissions as in `types::mode`; owners
/// are the guest's own business (everything belongs to the user that mounted it).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attr {
    pub dev: u64,
    pub ino: u64,
    pub mode: u32,
    pub nlink: u32,
    pub size: u64,
    pub atime_ns: i64,
    pub mtime_ns: i64,
    pub ctime_ns: i64,
}

impl Attr {
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u64(self.dev).u64(self.ino).u32(self.mode).u32(self.nlink).u64(self.size);
        w.i64(self.atime_ns).i64(self.mtime_ns).i64(self.ctime_ns);
    }
    pub fn read(r: &mut Reader<'_>) -> SysResult<Attr> {
        Ok(Attr {
            dev: r.u64()?,
            ino: r.u64()?,
            mode: r.u32()?,
            nlink: r.u32()?,
            size: r.u64()?,
            atime_ns: r.i64()?,
            mtime_ns: r.i64()?,
            ctime_ns: r.i64()?,
        })
    }
}
