//! One transfer between an object and whoever asked for it: BSD's `uio`.
//!
//! An object that is read or written sees only this: how much is left to move, at which offset,
//! and [`Uio::copy_out`] or [`Uio::copy_in`] to move it. Whether the other side is user memory in
//! one piece or many, or a buffer of the kernel's, is decided here.

use core::num::NonZeroUsize;

use abi::syscalls::UAddr;
use abi::{Errno, SysResult};

use crate::kern::proc::Lwp;
use crate::machdep::MachineRef;

/// A piece of user memory that somebody claims to own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Iovec {
    pub base: UAddr,
    pub len: usize,
}

impl Iovec {
    /// As programs have it in memory.
    #[inline]
    pub fn decode(raw: &[u8; 8]) -> Iovec {
        Iovec::of(u64::from_le_bytes(*raw))
    }
    /// Of the base and, in the upper half, the length.
    #[inline]
    fn of(raw: u64) -> Iovec {
        Iovec { base: UAddr(raw as u32), len: (raw >> 32) as usize }
    }
}

/// How many bytes were moved, where it matters that none of it is not an answer.
pub type Count = NonZeroUsize;

/// The one piece of most transfers, as the call names it. Two numbers, and likewise [`Count`] one, as these go from function
/// to function in registers then.
#[derive(Clone, Copy)]
pub enum Piece {
    /// The piece itself, the length in the upper half.
    Here(u64),
    /// It stands in a list in user memory, and how much was moved is to be stored at the address in the upper half.
    Listed(u64),
}

impl Piece {
    pub fn here(piece: Iovec) -> Piece {
        Piece::Here(u64::from(piece.base.0) | (piece.len as u64) << 32)
    }
    pub fn listed(list: UAddr, count: UAddr) -> Piece {
        Piece::Listed(u64::from(list.0) | u64::from(count.0) << 32)
    }

    /// Fills the whole of it with the beginning of `src`: how much that was. None where that can't be, and then
    /// nothing has changed but perhaps the piece.
    #[inline(always)]
    pub fn give(self, lp: &Lwp, src: &[u8]) -> Option<Count> {
        match self {
            Piece::Listed(at) => lp.machine().give(src, UAddr(at as u32), UAddr((at >> 32) as u32)),
            Piece::Here(raw) => {
                let piece = Iovec::of(raw);
                lp.machine().copyout(src.get(..piece.len)?, piece.base).ok()?;
                Count::new(piece.len)
            }
        }
    }
    /// Copies the whole of it to the beginning of `dst`, which may have changed where the answer is None.
    #[inline(always)]
    pub fn take(self, lp: &Lwp, dst: &mut [u8]) -> Option<Count> {
        match self {
            Piece::Listed(at) => lp.machine().take(dst, UAddr(at as u32), UAddr((at >> 32) as u32)),
            Piece::Here(raw) => {
                let piece = Iovec::of(raw);
                lp.machine().copyin(piece.base, dst.get_mut(..piece.len)?).ok()?;
                Count::new(piece.len)
            }
        }
    }
    /// Says that all of it was moved, without looking at it.
    #[inline(always)]
    pub fn swallow(self, lp: &Lwp) -> Option<Count> {
        let piece = match self {
            Piece::Here(raw) => Iovec::of(raw),
            Piece::Listed(at) => lp.machine().iovec(UAddr(at as u32)).ok()?,
        };
        let n = Count::new(piece.len).filter(|n| n.get() <= i32::MAX as usize)?;
        if let Piece::Listed(at) = self {
            lp.machine().put32(UAddr((at >> 32) as u32), n.get() as u32).ok()?;
        }
        Some(n)
    }
}

enum Space<'a> {
    User {
        iovs: &'a [Iovec],
        skip: usize,
    },
    /// The kernel's own, to be filled by a read.
    Into(&'a mut [u8]),
    /// The kernel's own, to be taken by a write.
    From(&'a [u8]),
}

/// A transfer in progress.
pub struct Uio<'a> {
    lp: &'a Lwp,
    space: Space<'a>,
    /// Bytes still to move.
    pub resid: usize,
    /// Where in the object; objects with a position move it on themselves through `copy_*`.
    pub offset: u64,
}

impl<'a> Uio<'a> {
    /// From or to user memory. The lengths may not add up to more than an i32 holds: EINVAL, as
    /// `readv(2)` has it for SSIZE_MAX.
    pub fn user(lp: &'a Lwp, iovs: &'a [Iovec], offset: u64) -> SysResult<Uio<'a>> {
        let mut resid = 0usize;
        for v in iovs {
            resid = resid.checked_add(v.len).filter(|&n| n <= i32::MAX as usize).ok_or(Errno::EINVAL)?;
        }
        Ok(Uio { lp, space: Space::User { iovs, skip: 0 }, resid, offset })
    }

    /// The machine that the asker runs on.
    #[inline]
    pub fn machine(&self) -> &MachineRef {
        self.lp.machine()
    }

    /// A read into a buffer of the kernel's.
    pub fn into_kernel(lp: &'a Lwp, buf: &'a mut [u8], offset: u64) -> Uio<'a> {
        Uio { lp, resid: buf.len(), space: Space::Into(buf), offset }
    }

    /// A write from a buffer of the kernel's.
    pub fn from_kernel(lp: &'a Lwp, buf: &'a [u8], offset: u64) -> Uio<'a> {
        Uio { lp, resid: buf.len(), space: Space::From(buf), offset }
    }

    pub fn lwp(&self) -> &'a Lwp {
        self.lp
    }

    /// Gives the asker up to `src.len()` bytes; answers how many it wanted.
    pub fn copy_out(&mut self, src: &[u8]) -> SysResult<usize> {
        let n = src.len().min(self.resid);
        let mut done = 0;
        while done < n {
            done += self.out_piece(&src[done..n])?;
        }
        Ok(n)
    }

    /// Takes up to `dst.len()` bytes from the asker; answers how many there were.
    pub fn copy_in(&mut self, dst: &mut [u8]) -> SysResult<usize> {
        let n = dst.len().min(self.resid);
        let mut done = 0;
        while done < n {
            done += self.in_piece(&mut dst[done..n])?;
        }
        Ok(n)
    }

    fn out_piece(&mut self, src: &[u8]) -> SysResult<usize> {
        let n = match &mut self.space {
            Space::User { iovs, skip } => {
                let (at, room) = front(iovs, skip);
                let n = room.min(src.len());
                self.lp.machine().copyout(&src[..n], at)?;
                n
            }
            Space::Into(buf) => {
                let n = src.len();
                let (head, tail) = core::mem::take(buf).split_at_mut(n);
                head.copy_from_slice(src);
                *buf = tail;
                n
            }
            Space::From(_) => return Err(Errno::EFAULT),
        };
        self.advance(n);
        Ok(n)
    }

    fn in_piece(&mut self, dst: &mut [u8]) -> SysResult<usize> {
        let n = match &mut self.space {
            Space::User { iovs, skip } => {
                let (at, room) = front(iovs, skip);
                let n = room.min(dst.len());
                self.lp.machine().copyin(at, &mut dst[..n])?;
                n
            }
            Space::From(buf) => {
                let n = dst.len();
                let (head, tail) = buf.split_at(n);
                dst.copy_from_slice(head);
                *buf = tail;
                n
            }
            Space::Into(_) => return Err(Errno::EFAULT),
        };
        self.advance(n);
        Ok(n)
    }

    fn advance(&mut self, n: usize) {
        if let Space::User { skip, .. } = &mut self.space {
            *skip += n;
        }
        self.resid -= n;
        self.offset += n as u64;
    }
}

/// The first piece that isn't used up. Callers know that bytes are left.
fn front(iovs: &mut &[Iovec], skip: &mut usize) -> (UAddr, usize) {
    while let Some((v, rest)) = iovs.split_first() {
        if *skip < v.len {
            return (v.base.offset(*skip), v.len - *skip);
        }
        *skip -= v.len;
        *iovs = rest;
    }
    (UAddr::NULL, 0)
}
