//! Paths and names on their way through the kernel, in small buffers: the path of a plain `stat`
//! or `open` allocates nothing.

use alloc::vec::Vec;
use core::ops::Deref;

use abi::syscalls::UAddr;
use abi::types::limits::{NAME_MAX, PATH_MAX};
use abi::{Errno, SysResult};

use crate::kern::proc::Lwp;

/// Paths up to this length stand in the buffer itself.
const SMALL: usize = 256;

/// A path that was copied in.
pub struct PathBuf {
    len: usize,
    small: [u8; SMALL],
    big: Vec<u8>,
}

impl Deref for PathBuf {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        if self.len <= SMALL { &self.small[..self.len] } else { &self.big }
    }
}

/// Takes a path from user memory. ENOENT for an empty one, ENAMETOOLONG, EINVAL for a NUL inside:
/// no file could ever have that name.
#[inline]
pub fn copy_path(lp: &Lwp, ptr: UAddr, len: u32) -> SysResult<PathBuf> {
    let len = len as usize;
    if len == 0 {
        return Err(Errno::ENOENT);
    }
    if len >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let mut path = PathBuf { len, small: [0; SMALL], big: Vec::new() };
    let buf = if len <= SMALL {
        &mut path.small[..len]
    } else {
        path.big.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
        path.big.resize(len, 0);
        &mut path.big[..]
    };
    lp.machine().copyin(ptr, buf)?;
    if buf.contains(&0) {
        return Err(Errno::EINVAL);
    }
    Ok(path)
}

/// One component, owned.
#[derive(Clone, Copy)]
pub struct Name {
    len: u8,
    buf: [u8; NAME_MAX],
}

impl Name {
    /// ENAMETOOLONG.
    pub fn new(name: &[u8]) -> SysResult<Name> {
        let mut n = Name { len: u8::try_from(name.len()).map_err(|_| Errno::ENAMETOOLONG)?, buf: [0; NAME_MAX] };
        n.buf[..name.len()].copy_from_slice(name);
        Ok(n)
    }
}

impl Deref for Name {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        &self.buf[..self.len as usize]
    }
}

/// One component of a path and what stands around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    pub start: usize,
    pub end: usize,
    /// Nothing but slashes follows.
    pub last: bool,
    /// A slash follows.
    pub slash: bool,
}

/// The next component at or after `pos`; none when only slashes are left.
#[inline]
pub fn component(path: &[u8], pos: usize) -> Option<Component> {
    let mut start = pos;
    while path.get(start) == Some(&b'/') {
        start += 1;
    }
    if start >= path.len() {
        return None;
    }
    let mut end = start;
    while end < path.len() && path[end] != b'/' {
        end += 1;
    }
    let mut rest = end;
    while path.get(rest) == Some(&b'/') {
        rest += 1;
    }
    Some(Component { start, end, last: rest >= path.len(), slash: rest > end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(path: &[u8]) -> alloc::vec::Vec<(&[u8], bool, bool)> {
        let mut out = alloc::vec::Vec::new();
        let mut pos = 0;
        while let Some(c) = component(path, pos) {
            out.push((&path[c.start..c.end], c.last, c.slash));
            pos = c.end;
        }
        out
    }

    #[test]
    fn paths_fall_into_components() {
        assert_eq!(split(b"a"), [(&b"a"[..], true, false)]);
        assert_eq!(split(b"//a//b/"), [(&b"a"[..], false, true), (&b"b"[..], true, true)]);
        assert!(split(b"").is_empty());
        assert!(split(b"///").is_empty());
    }

    #[test]
    fn names_have_a_longest() {
        assert_eq!(&*Name::new(&[b'x'; 255]).unwrap(), &[b'x'; 255]);
        assert!(Name::new(&[b'x'; 256]).is_err());
    }
}
