//! Attached streams as files: `/dev/stream1` and so on. Bytes go straight to the device.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use abi::types::{Stat, devctl, mode, poll};
use abi::{Errno, SysResult};

use super::node::TTY_GROUP;
use crate::kern::poll::Registrar;
use crate::kern::proc::Lwp;
use crate::kern::synch::{FOREVER, WaitQueue};
use crate::uio::Uio;
use crate::vfs::mount::Mount;
use crate::vfs::vnode::{Head, Owner, SetAttr, Vnode, VnodeRef, ioflag};

/// Moved between a stream and a program at once.
const PIECE: usize = 512;

pub struct Stream {
    number: u32,
    readers: Arc<WaitQueue>,
    writers: Arc<WaitQueue>,
    gone: AtomicBool,
}

impl Stream {
    pub fn new(number: u32) -> Stream {
        let queue = || Arc::new(WaitQueue::new());
        Stream { number, readers: queue(), writers: queue(), gone: AtomicBool::new(false) }
    }
    pub fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }
    pub fn wake(&self) {
        self.readers.wake_all();
        self.writers.wake_all();
    }
    pub fn hang_up(&self) {
        self.gone.store(true, Relaxed);
        self.wake();
    }
}

/// An opening of a stream, or a look at its name.
pub struct Node {
    head: Head,
    ino: u64,
    stream: Arc<Stream>,
}

impl Node {
    pub fn of(mount: Arc<Mount>, ino: u64, stream: Arc<Stream>) -> VnodeRef {
        Arc::new(Node { head: Head::new(mount), ino, stream })
    }

    /// What the device answers; sleeps for it unless told not to.
    fn ask<T>(
        &self,
        lp: &Lwp,
        queue: &WaitQueue,
        flags: u32,
        mut ask: impl FnMut() -> SysResult<T>,
    ) -> SysResult<Option<T>> {
        let mut look = || match ask() {
            _ if self.stream.is_gone() => Some(Ok(None)),
            Err(Errno::EAGAIN) => None,
            other => Some(other.map(Some)),
        };
        match flags & ioflag::NONBLOCK != 0 {
            true => look().unwrap_or(Err(Errno::EAGAIN)),
            false => queue.wait(lp, FOREVER, look)?,
        }
    }
}

impl Vnode for Node {
    fn head(&self) -> &Head {
        &self.head
    }
    /// A pipe: to WASI's libraries a character device without a position would be a terminal.
    fn owner(&self) -> Owner {
        Owner { mode: mode::IFIFO | 0o620, uid: 0, gid: TTY_GROUP }
    }
    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        let (dev, mode) = (self.head.mount.dev, self.owner().mode);
        Ok(Stat { dev, ino: self.ino, mode, nlink: 1, gid: TTY_GROUP, blksize: 4096, ..Stat::default() })
    }
    fn setattr(&self, _lp: &Lwp, set: &SetAttr) -> SysResult<()> {
        if set.mode.is_some() || set.uid.is_some() || set.gid.is_some() { Err(Errno::EPERM) } else { Ok(()) }
    }
    fn open(&self, _lp: &Lwp, _flags: u32) -> SysResult<Option<VnodeRef>> {
        if self.stream.is_gone() { Err(Errno::EIO) } else { Ok(None) }
    }
    fn read(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        let lp = uio.lwp();
        let mut buf = [0; PIECE];
        let want = uio.resid.min(PIECE);
        if want == 0 {
            return Ok(());
        }
        let number = self.stream.number;
        let got = self.ask(lp, &self.stream.readers, flags, || lp.machine().dev_read(number, &mut buf[..want]))?;
        uio.copy_out(&buf[..got.unwrap_or(0)]).map(|_| ())
    }
    fn write(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        let lp = uio.lwp();
        let number = self.stream.number;
        let mut buf = [0; PIECE];
        while uio.resid > 0 {
            let n = uio.copy_in(&mut buf[..PIECE.min(uio.resid)])?;
            let mut done = 0;
            while done < n {
                let given = self.ask(lp, &self.stream.writers, flags, || lp.machine().dev_write(number, &buf[done..n]));
                if let Ok(Some(more @ 1..)) = given {
                    done += more;
                    continue;
                }
                // What was not taken was not written.
                uio.resid += n - done;
                return given.and(Err(Errno::EPIPE));
            }
        }
        Ok(())
    }
    fn seekable(&self) -> bool {
        false
    }
    fn fsync(&self, _lp: &Lwp, _data_only: bool) -> SysResult<()> {
        Err(Errno::EINVAL)
    }
    fn poll(&self, lp: &Lwp, events: u16, reg: Option<&mut Registrar>) -> u16 {
        if let Some(reg) = reg {
            reg.add(&self.stream.readers);
            reg.add(&self.stream.writers);
        }
        let wanted = events & (poll::IN | poll::OUT);
        if self.stream.is_gone() {
            return wanted | poll::HUP;
        }
        let ask = lp.machine().dev_ctl(self.stream.number, devctl::POLL, &mut wanted.to_le_bytes());
        ask.unwrap_or(poll::ERR as u32) as u16
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
