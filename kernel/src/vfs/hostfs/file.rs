//! An open file of the host, with a handle of its own until the last descriptor is gone.

use alloc::sync::Arc;

use abi::hostfs::{DATA_MAX, op, which};
use abi::types::Stat;
use abi::wire::Writer;
use abi::{Errno, SysResult};

use super::node::{Node, times};
use crate::kern::proc::Lwp;
use crate::uio::Uio;
use crate::vfs::attrs::{FILE_MAX, limit_write, within_fsize};
use crate::vfs::vnode::{Head, Owner, SetAttr, Vnode, VnodeRef, ioflag};

pub struct Open {
    head: Head,
    pub node: Arc<Node>,
    handle: u32,
}

/// Bytes of a WRITE before its data: operation, handle, offset, length.
const WRITE_HEADER: usize = 4 + 4 + 8 + 4;

impl Open {
    pub fn new(node: Arc<Node>, handle: u32) -> Open {
        Open { head: Head::new(node.mount().clone()), node, handle }
    }

    /// The guest has changed the content.
    fn wrote(&self) {
        self.node.stale();
        self.node.head().content_changed();
    }

    /// One message: what the asker has, up to its size. Answers how much of it the host took.
    fn write_piece(&self, uio: &mut Uio<'_>) -> SysResult<()> {
        let (lp, offset) = (uio.lwp(), uio.offset);
        let mut asked = 0;
        let want = uio.resid.min(DATA_MAX);
        let build = |buf: &mut [u8]| {
            let room = buf.get_mut(WRITE_HEADER..WRITE_HEADER + want).ok_or(Errno::ENOMEM)?;
            asked = uio.copy_in(room)?;
            let mut w = Writer::new(buf);
            w.u32(op::WRITE).u32(self.handle).u64(offset).u32(asked as u32);
            Ok(WRITE_HEADER + asked)
        };
        let took = self.node.fs().large(lp, want, build, |r| Ok(r.u32()? as usize));
        // What the host did not take was not written, whatever has been copied.
        let done = took.unwrap_or(0).min(asked);
        uio.resid += asked - done;
        uio.offset -= (asked - done) as u64;
        match took {
            Err(e) => Err(e),
            Ok(n) if n < asked => Err(Errno::ENOSPC),
            Ok(_) => Ok(()),
        }
    }

    fn write_all(&self, uio: &mut Uio<'_>) -> SysResult<()> {
        let beyond = limit_write(uio.lwp(), uio)?;
        uio.resid -= beyond;
        let mut done = Ok(());
        while uio.resid > 0 && done.is_ok() {
            done = self.write_piece(uio);
        }
        uio.resid += beyond;
        self.wrote();
        done
    }

    fn set_size(&self, lp: &Lwp, size: u64) -> SysResult<()> {
        let old = self.node.fs().getattr(self.handle)?.size;
        within_fsize(lp, old, size)?;
        self.node.fs().setattr(self.handle, which::SIZE, size, 0, 0)?;
        self.wrote();
        Ok(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.node.fs().close(self.handle);
    }
}

impl Vnode for Open {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        self.node.owner()
    }
    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        let attr = self.node.fs().getattr(self.handle)?;
        Ok(self.node.stat(&attr))
    }
    fn setattr(&self, lp: &Lwp, set: &SetAttr) -> SysResult<()> {
        self.node.set_owner_and_mode(lp, set)?;
        if let Some(size) = set.size {
            self.set_size(lp, size)?;
        }
        let (bits, atime, mtime) = times(set);
        if bits != 0 {
            self.node.fs().setattr(self.handle, bits, 0, atime, mtime)?;
            self.node.stale();
        }
        Ok(())
    }
    /// Opened anew, through `/dev/fd`.
    fn open(&self, lp: &Lwp, flags: u32) -> SysResult<Option<VnodeRef>> {
        self.node.open(lp, flags)
    }
    fn read(&self, uio: &mut Uio<'_>, _flags: u32) -> SysResult<()> {
        self.node.fs().read(self.handle, uio)
    }
    fn write(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        if uio.resid == 0 {
            return Ok(());
        }
        if flags & ioflag::APPEND == 0 {
            return self.write_all(uio);
        }
        // No other append of the guest's may come between finding the end and writing there.
        let _busy = self.node.busy.lock(uio.lwp());
        uio.offset = self.node.fs().getattr(self.handle)?.size;
        self.write_all(uio)
    }
    /// The host has no such request: the size at least is made right.
    fn allocate(&self, lp: &Lwp, offset: u64, len: u64) -> SysResult<()> {
        let end = offset.checked_add(len).filter(|&e| e <= FILE_MAX).ok_or(Errno::EFBIG)?;
        if self.node.fs().getattr(self.handle)?.size < end {
            self.set_size(lp, end)?;
        }
        Ok(())
    }
    fn fsync(&self, _lp: &Lwp, data_only: bool) -> SysResult<()> {
        self.node.fs().small(
            |w| {
                w.u32(op::FSYNC).u32(self.handle).u32(data_only as u32);
            },
            |_| Ok(()),
        )
    }
    fn lock_key(&self) -> usize {
        self.node.lock_key()
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
