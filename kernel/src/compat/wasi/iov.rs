//! Scatter/gather lists of a program: copied in once, without an allocation for up to 16 pieces,
//! and without an array for the one piece that nearly all calls have.

use alloc::vec::Vec;

use abi::syscalls::UAddr;
use abi::types::limits;
use abi::{Errno, SysResult};

use crate::kern::proc::Lwp;
use crate::uio::Iovec;

/// `iovec` and `ciovec`: pointer, length.
const SIZE: usize = 8;

/// Runs `f` on the `n` pieces that stand at `at`. EINVAL for more than IOV_MAX.
#[inline]
pub fn with<T>(lp: &Lwp, at: UAddr, n: u32, f: impl FnOnce(&[Iovec]) -> SysResult<T>) -> SysResult<T> {
    match n as usize {
        1 => f(&[one(lp, at)?]),
        n if n <= FEW => few(lp, at, n, f),
        n if n <= limits::IOV_MAX => many(lp, at, n, f),
        _ => Err(Errno::EINVAL),
    }
}

/// The one piece that stands at `at`.
#[inline(always)]
pub fn one(lp: &Lwp, at: UAddr) -> SysResult<Iovec> {
    lp.machine().iovec(at)
}

const FEW: usize = 16;

#[inline(never)]
fn few<T>(lp: &Lwp, at: UAddr, n: usize, f: impl FnOnce(&[Iovec]) -> SysResult<T>) -> SysResult<T> {
    let mut raw = [[0; SIZE]; FEW];
    let mut iovs = [Iovec::default(); FEW];
    let n = n.min(FEW);
    lp.machine().copyin(at, raw[..n].as_flattened_mut())?;
    for (iov, raw) in iovs.iter_mut().zip(&raw[..n]) {
        *iov = Iovec::decode(raw);
    }
    f(&iovs[..n])
}

#[cold]
#[inline(never)]
fn many<T>(lp: &Lwp, at: UAddr, n: usize, f: impl FnOnce(&[Iovec]) -> SysResult<T>) -> SysResult<T> {
    let mut raw = super::types::zeroed(n * SIZE)?;
    lp.machine().copyin(at, &mut raw)?;
    let mut iovs = Vec::new();
    iovs.try_reserve_exact(n).map_err(|_| Errno::ENOMEM)?;
    iovs.extend(raw.as_chunks().0.iter().map(Iovec::decode));
    f(&iovs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_a_pointer_and_a_length() {
        let iov = Iovec::decode(&[0x10, 0x20, 0, 0x80, 0xff, 0, 0, 0]);
        assert_eq!(iov, Iovec { base: UAddr(0x8000_2010), len: 0xff });
    }
}
