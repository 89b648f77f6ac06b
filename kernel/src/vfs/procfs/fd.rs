//! What `/proc/PID/fd/N` and `/dev/fd/N` say of an open file.

use alloc::format;
use alloc::vec::Vec;

use abi::SysResult;
use abi::types::mode;

use crate::kern::proc::Lwp;
use crate::vfs::dirs::path_of;
use crate::vfs::file::File;
use crate::vfs::lookup::root_dir;

/// The path of a directory; else what kind of thing it is and its inode, as Linux writes pipes.
pub fn text(lp: &Lwp, file: &File) -> SysResult<Vec<u8>> {
    let vp = &file.vnode;
    let kind = match vp.kind() {
        mode::IFDIR => return path_of(lp, vp, &root_dir(lp)?),
        mode::IFIFO => "pipe",
        mode::IFSOCK => "socket",
        mode::IFCHR => "device",
        _ => "file",
    };
    Ok(format!("{kind}:[{}]", vp.getattr(lp)?.ino).into_bytes())
}
