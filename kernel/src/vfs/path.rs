//! Paths and names on their way through the kernel, in small buffers: the path of a plain `stat`
//! or `open` allocates nothing.

use alloc::vec::Vec;
use core::ops::Deref;

use abi::syscalls::UAddr;
use abi::types::limits::PATH_MAX;
use abi::{Errno, SysResult};

use crate::kern::proc::Lwp;

/// Paths up to this length stand in the buffer itself. What holds a path is moved, and moves of up to
/// 128 bytes cost nothing, longer ones a call into the engine.
const SMALL: usize = 96;

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
    if find_byte(buf, 0).is_some() {
        return Err(Errno::EINVAL);
    }
    Ok(path)
}

/// Where a byte is first, eight at a time: a loop under wasm asks at each turn whether it should stop.
#[inline]
pub fn find_byte(text: &[u8], byte: u8) -> Option<usize> {
    let mut at = 0;
    while let Some(w) = text.get(at..at + 8) {
        let hit = zeros(u64::from_le_bytes(word::<8>(w, 0)) ^ (u64::from(byte) * ONES));
        if hit != 0 {
            return Some(at + hit.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    if let Some(w) = text.get(at..at + 4) {
        // The upper half is not what is looked for.
        let w = u64::from(u32::from_le_bytes(word::<4>(w, 0)) ^ (u32::from(byte) * ONES as u32));
        let hit = zeros(w | 0xffff_ffff << 32);
        if hit != 0 {
            return Some(at + hit.trailing_zeros() as usize / 8);
        }
        at += 4;
    }
    let rest = &text[at..];
    let is = |i: usize| rest.get(i) == Some(&byte);
    if is(0) {
        Some(at)
    } else if is(1) {
        Some(at + 1)
    } else if is(2) {
        Some(at + 2)
    } else {
        None
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// The top bit of the lowest byte that is zero, and perhaps of bytes above it; 0 if none is.
#[inline(always)]
fn zeros(w: u64) -> u64 {
    w.wrapping_sub(ONES) & !w & (ONES << 7)
}

/// Copies a short run of bytes without the call that a copy of unknown length costs under wasm.
#[inline]
pub fn copy_short(dst: &mut [u8], src: &[u8]) {
    let n = src.len();
    let dst = &mut dst[..n];
    match n {
        8..=16 => {
            let (a, b) = (word::<8>(src, 0), word::<8>(src, n - 8));
            dst[..8].copy_from_slice(&a);
            dst[n - 8..].copy_from_slice(&b);
        }
        4..=7 => {
            let (a, b) = (word::<4>(src, 0), word::<4>(src, n - 4));
            dst[..4].copy_from_slice(&a);
            dst[n - 4..].copy_from_slice(&b);
        }
        2..=3 => {
            (dst[0], dst[1]) = (src[0], src[1]);
            dst[n - 1] = src[n - 1];
        }
        1 => dst[0] = src[0],
        _ => dst.copy_from_slice(src),
    }
}

/// Compares short runs of bytes, likewise.
#[inline]
pub fn same_short(a: &[u8], b: &[u8]) -> bool {
    let n = a.len();
    if n != b.len() {
        return false;
    }
    match n {
        8..=16 => word::<8>(a, 0) == word::<8>(b, 0) && word::<8>(a, n - 8) == word::<8>(b, n - 8),
        4..=7 => word::<4>(a, 0) == word::<4>(b, 0) && word::<4>(a, n - 4) == word::<4>(b, n - 4),
        1..=3 => a[0] == b[0] && a[n - 1] == b[n - 1] && a[n / 2] == b[n / 2],
        _ => a == b,
    }
}

#[inline]
fn word<const N: usize>(src: &[u8], at: usize) -> [u8; N] {
    let mut w = [0; N];
    w.copy_from_slice(&src[at..at + N]);
    w
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
    let end = find_byte(&path[start..], b'/').map_or(path.len(), |n| start + n);
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
    fn a_byte_is_found_where_it_is_first() {
        for len in 0..40 {
            let mut text = alloc::vec![b'/' + 1; len];
            assert_eq!(find_byte(&text, b'/'), None, "{len}");
            for at in (0..len).rev() {
                text[at] = b'/';
                assert_eq!(find_byte(&text, b'/'), Some(at), "{len}");
                assert_eq!(find_byte(&text, 0), None);
            }
        }
    }

    #[test]
    fn short_copies_copy() {
        let src: [u8; 40] = core::array::from_fn(|i| i as u8 + 1);
        for n in 0..40 {
            let mut dst = [0; 41];
            copy_short(&mut dst, &src[..n]);
            assert_eq!((&dst[..n], dst[n]), (&src[..n], 0));
            assert!(same_short(&dst[..n], &src[..n]));
            for i in 0..n {
                dst[i] ^= 1;
                assert!(!same_short(&dst[..n], &src[..n]), "{n} {i}");
                dst[i] ^= 1;
            }
        }
    }
}
