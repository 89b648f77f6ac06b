//! The four calls of `wasi_unstable` (preview 0) that differ from preview 1: in how a seek is named,
//! in the width of a link count, in a subscription's layout.

use abi::syscalls::UAddr;
use abi::types::{Stat, seek};
use abi::wire::Writer;
use abi::{Errno, SysResult};

use super::{fd, path, poll, rights, types};
use crate::kern::proc::Lwp;

/// A clock's subscription begins with an identifier that nobody uses.
pub(super) const LAYOUT: poll::Layout = poll::Layout { size: 56, identifier: 8 };

pub fn fd_seek(lp: &Lwp, fd: i32, off: i64, whence: u32, result: UAddr) -> SysResult<()> {
    let whence = [seek::CUR, seek::END, seek::SET].get(whence as usize).ok_or(Errno::EINVAL)?;
    fd::seek_to(lp, fd, off, *whence, result)
}

pub fn fd_filestat_get(lp: &Lwp, fd: i32, out: UAddr) -> SysResult<()> {
    let file = lp.file(fd)?;
    rights::check(&file, rights::FD_FILESTAT_GET)?;
    lp.machine().copyout(&filestat(&file.vnode.getattr(lp)?), out)
}

pub fn path_filestat_get(lp: &Lwp, dir: i32, flags: u32, path: UAddr, len: u32, out: UAddr) -> SysResult<()> {
    let stat = path::stat(lp, dir, flags, path, len)?;
    lp.machine().copyout(&filestat(&stat), out)
}

pub fn poll_oneoff(lp: &Lwp, subs: UAddr, events: UAddr, count: u32, ready: UAddr) -> SysResult<()> {
    poll::poll_with(lp, &LAYOUT, subs, events, count, ready)
}

/// `filestat` with a link count of 32 bits.
fn filestat(s: &Stat) -> [u8; 56] {
    let mut out = [0; 56];
    Writer::new(&mut out)
        .u64(s.dev)
        .u64(s.ino)
        .u8(types::filetype_of(s.mode))
        .pad(3)
        .u32(s.nlink)
        .u64(s.size)
        .u64(types::timestamp(s.atime_ns))
        .u64(types::timestamp(s.mtime_ns))
        .u64(types::timestamp(s.ctime_ns));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::types::mode;

    #[test]
    fn the_link_count_has_32_bits() {
        let s = Stat { dev: 1, ino: 2, mode: mode::IFDIR, nlink: 0x01020304, size: 5, ctime_ns: 8, ..Stat::default() };
        let b = filestat(&s);
        assert_eq!(b[16..24], [types::filetype::DIRECTORY, 0, 0, 0, 4, 3, 2, 1]);
        assert_eq!((b[24], b[48]), (5, 8));
    }
}
