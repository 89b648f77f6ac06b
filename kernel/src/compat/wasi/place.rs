//! What a path means: `doc/decisions/0003-wasi-paths.md`.
//!
//! On an ordinary directory descriptor a path is relative to it and never leaves it. On the
//! preopened root it is what a C library has made of an absolute *or* a relative path of the
//! program's, by taking the slash away; which of the two it was must be found out when the
//! process's working directory is not the root. All `path_*` calls go through [`Place`].

use alloc::sync::Arc;

use abi::syscalls::UAddr;
use abi::{Errno, SysResult};

use super::rights;
use crate::kern::proc::Lwp;
use crate::vfs::file::File;
use crate::vfs::lookup::{At, Start};
use crate::vfs::path::{PathBuf, copy_path};
use crate::vfs::vnode::same;

/// The readings of a path, in the order they are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    /// Relative to the descriptor, which it does not leave.
    Beneath,
    /// From the root.
    Root,
    Cwd,
    /// From the root; to look, also from the working directory.
    RootFirst,
    /// From the working directory; to look, also from the root.
    CwdFirst,
    /// From the working directory, else from the root: nothing tells them apart.
    Either,
}

/// A path argument with its descriptor.
pub struct Place {
    pub file: Arc<File>,
    path: PathBuf,
    order: Order,
}

impl Place {
    /// EBADF, ENOTCAPABLE when the descriptor lacks a right, and the errors of `copy_path`.
    #[inline]
    pub fn new(lp: &Lwp, fd: i32, ptr: UAddr, len: u32, wanted: u64) -> SysResult<Place> {
        let slot = lp.proc.files.get_slot(fd)?;
        rights::check(&slot.file, wanted)?;
        let path = copy_path(lp, ptr, len)?;
        let order = match slot.preopen {
            false => Order::Beneath,
            true if at_root(lp) => Order::Root,
            true => order(&path, ptr, before(lp, ptr)),
        };
        Ok(Place { file: slot.file, path, order })
    }

    /// Runs `f` on what the path may mean until something is found; for calls that change nothing.
    #[inline]
    pub fn look<T>(&self, follow: bool, f: impl FnMut(&At<'_>) -> SysResult<T>) -> SysResult<T> {
        self.find(true, follow, f)
    }

    /// As `look`, for calls that make, change or remove something: does not try a less likely
    /// reading, so that nobody loses a file he did not name.
    #[inline]
    pub fn change<T>(&self, follow: bool, f: impl FnMut(&At<'_>) -> SysResult<T>) -> SysResult<T> {
        self.find(false, follow, f)
    }

    /// One or the other.
    #[inline]
    pub fn find<T>(&self, look: bool, follow: bool, mut f: impl FnMut(&At<'_>) -> SysResult<T>) -> SysResult<T> {
        let first = f(&self.at(self.start(0, look).unwrap_or(Start::Root), follow));
        match (&first, self.start(1, look)) {
            (Err(Errno::ENOENT | Errno::ENOTDIR), Some(start)) => f(&self.at(start, follow)).or(first),
            _ => first,
        }
    }

    fn at<'a>(&'a self, start: Start<'a>, follow: bool) -> At<'a> {
        At { start, path: &self.path, follow, beneath: self.order == Order::Beneath }
    }

    /// Where the first or the second reading begins.
    #[inline]
    fn start(&self, n: usize, look: bool) -> Option<Start<'_>> {
        // The preopened file is the root directory.
        let root = Start::Dir(&self.file.vnode);
        let readings = match self.order {
            Order::Beneath | Order::Root => [Some(root), None],
            Order::Cwd => [Some(Start::Cwd), None],
            Order::RootFirst => [Some(root), look.then_some(Start::Cwd)],
            Order::CwdFirst => [Some(Start::Cwd), look.then_some(root)],
            Order::Either => [Some(Start::Cwd), Some(root)],
        };
        readings[n]
    }
}

/// Runs `f` on what two paths may mean, for rename and link: both read alike, if that may be.
pub fn change_two<T>(
    a: &Place,
    b: &Place,
    follow: bool,
    mut f: impl FnMut(&At<'_>, &At<'_>) -> SysResult<T>,
) -> SysResult<T> {
    let mut first = None;
    for (i, j) in [(0, 0), (1, 1), (1, 0), (0, 1)] {
        let (Some(from), Some(to)) = (a.start(i, false), b.start(j, false)) else { continue };
        match f(&a.at(from, follow), &b.at(to, false)) {
            Err(e @ (Errno::ENOENT | Errno::ENOTDIR)) => first = first.or(Some(e)),
            done => return done,
        }
    }
    Err(first.unwrap_or(Errno::ENOENT))
}

/// True when the process's working directory is its root: a path can mean one thing only.
#[inline]
fn at_root(lp: &Lwp) -> bool {
    lp.proc.dirs.lock().as_ref().is_none_or(|d| same(&d.cwd, &d.root))
}

/// The four bytes before a path, if there are any.
fn before(lp: &Lwp, ptr: UAddr) -> Option<[u8; 4]> {
    let mut bytes = [0; 4];
    let at = UAddr(ptr.0.checked_sub(4)?);
    lp.machine().copyin(at, &mut bytes).ok().map(|()| bytes)
}

/// How to read a path on the preopened root, from what stands in it and before it.
fn order(path: &[u8], ptr: UAddr, before: Option<[u8; 4]>) -> Order {
    let before = before.unwrap_or_default();
    if path.starts_with(b"/") {
        // Some runtimes hand absolute paths on as they are.
        Order::Root
    } else if before[3] == b'/' {
        // The library has stepped over the slash where the program had put it.
        Order::RootFirst
    } else if path.starts_with(b"./") || path.starts_with(b"..") {
        // Nobody makes these of an absolute path.
        Order::Cwd
    } else if is_heap_block(ptr, u32::from_le_bytes(before), path.len()) {
        // A library that keeps a working directory of its own has put its reading into a buffer.
        Order::Either
    } else {
        Order::CwdFirst
    }
}

/// True when the word before an address looks like dlmalloc's header of a block in use that holds
/// a path of this length: its size, and the bits that it and perhaps its neighbour are in use.
fn is_heap_block(ptr: UAddr, header: u32, len: usize) -> bool {
    const IN_USE: u32 = 2;
    const FLAGS: u32 = 7;
    const FOREIGN: u32 = 4;
    const LARGEST: usize = 64 << 10;
    let size = (header & !FLAGS) as usize;
    ptr.0.is_multiple_of(8) && header & (IN_USE | FOREIGN) == IN_USE && (len + 5..=LARGEST).contains(&size)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: UAddr = UAddr(0xf_fe11);
    const HEAP: UAddr = UAddr(0x11_0040);
    /// A block of 32 bytes, in use, after one in use.
    const HEADER: [u8; 4] = [35, 0, 0, 0];

    #[test]
    fn a_slash_before_the_path_means_the_root() {
        assert_eq!(order(b"etc/passwd", STACK, Some(*b"xyz/")), Order::RootFirst);
        assert_eq!(order(b"/etc/passwd", STACK, None), Order::Root);
        assert_eq!(order(b"../x", STACK, Some(*b"xyz/")), Order::RootFirst);
    }

    #[test]
    fn anything_else_is_relative_to_the_working_directory() {
        assert_eq!(order(b"notes", STACK, Some([0; 4])), Order::CwdFirst);
        assert_eq!(order(b"notes", STACK, None), Order::CwdFirst);
        assert_eq!(order(b"./notes", HEAP, Some(HEADER)), Order::Cwd);
        assert_eq!(order(b"..", HEAP, Some(HEADER)), Order::Cwd);
    }

    #[test]
    fn the_library_s_own_buffer_says_nothing() {
        assert_eq!(order(b"notes", HEAP, Some(HEADER)), Order::Either);
        // Too small a block, a free one, an address no allocator hands out.
        assert_eq!(order(&[b'x'; 28], HEAP, Some(HEADER)), Order::CwdFirst);
        assert_eq!(order(b"notes", HEAP, Some([33, 0, 0, 0])), Order::CwdFirst);
        assert_eq!(order(b"notes", STACK, Some(HEADER)), Order::CwdFirst);
        // A pointer into the heap.
        assert_eq!(order(b"notes", HEAP, Some([0x40, 0x12, 0x11, 0])), Order::CwdFirst);
    }
}
