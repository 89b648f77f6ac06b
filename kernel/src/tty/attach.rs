//! `/dev/attach`: how `init` hears of devices that come and go, and tells how what ran on them ended.
//!
//! `read(2)` answers one event, `write(2)` takes an end: `abi::types::attach`. Process 1 gets SIGPWR
//! for each event if it holds that back, so that it can sleep for its children and for this at once.
//! A device that goes before it was told of is never told of.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::types::attach::{CAME, EVENT_SIZE};
use abi::types::{Stat, devctl, limits, mode, poll};
use abi::{Errno, SysResult};

use super::ATTACH_NUMBER;
use super::unit::Unit;
use crate::Kernel;
use crate::kern::poll::Registrar;
use crate::kern::proc::Lwp;
use crate::kern::synch::FOREVER;
use crate::uio::Uio;
use crate::vfs::vnode::{Head, Owner, Vnode, VnodeRef, ioflag};

/// The longest event.
const LONGEST: usize = EVENT_SIZE + limits::ARG_MAX + (64 << 10);

pub struct Attach {
    head: Head,
}

impl Attach {
    pub fn open(lp: &Lwp) -> VnodeRef {
        Arc::new(Attach { head: Head::new(lp.kernel.mounts.anonymous(&lp.kernel)) })
    }
}

/// A unit with something to tell.
fn next(kernel: &Kernel) -> Option<Arc<Unit>> {
    kernel.ttys.lock().units().find(|u| u.event().is_some()).cloned()
}

/// Writes a unit's event; 0 when there is none after all. ERANGE leaves it there.
fn record(kernel: &Kernel, unit: &Unit, buf: &mut [u8]) -> SysResult<usize> {
    let (header, room) = buf.split_at_mut_checked(EVENT_SIZE).ok_or(Errno::ERANGE)?;
    let Some(event) = unit.event().filter(|&e| unit.told(e)) else { return Ok(0) };
    let kind = if unit.tty().is_some() { devctl::KIND_SCREEN } else { devctl::KIND_PIPE };
    for (to, word) in header.chunks_exact_mut(4).zip([unit.number, kind, event]) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    if event != CAME {
        return Ok(EVENT_SIZE);
    }
    match unit.command(kernel, room) {
        Ok(n) => Ok(EVENT_SIZE + n),
        Err(Errno::ERANGE) => {
            unit.tell(event);
            Err(Errno::ERANGE)
        }
        // The host can't say what it wants: then that is over.
        Err(_) => {
            unit.over(kernel, abi::types::wait::exited(126));
            Ok(0)
        }
    }
}

impl Vnode for Attach {
    fn head(&self) -> &Head {
        &self.head
    }
    fn owner(&self) -> Owner {
        Owner { mode: mode::IFCHR | 0o600, uid: 0, gid: 0 }
    }
    fn getattr(&self, _lp: &Lwp) -> SysResult<Stat> {
        let (dev, mode) = (self.head.mount.dev, self.owner().mode);
        Ok(Stat { dev, ino: 6, mode, nlink: 1, rdev: ATTACH_NUMBER, blksize: 4096, ..Stat::default() })
    }
    fn read(&self, uio: &mut Uio<'_>, flags: u32) -> SysResult<()> {
        let lp = uio.lwp();
        let mut buf = Vec::new();
        let len = uio.resid.min(LONGEST);
        buf.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
        buf.resize(len, 0);
        loop {
            let unit = match next(&lp.kernel) {
                Some(unit) => unit,
                None if flags & ioflag::NONBLOCK != 0 => return Err(Errno::EAGAIN),
                None => lp.kernel.ttys.events.wait(lp, FOREVER, || next(&lp.kernel))?,
            };
            match record(&lp.kernel, &unit, &mut buf)? {
                0 => {}
                n => return uio.copy_out(&buf[..n]).map(|_| ()),
            }
        }
    }
    fn write(&self, uio: &mut Uio<'_>, _flags: u32) -> SysResult<()> {
        let mut b = [0; 8];
        if uio.resid != b.len() {
            return Err(Errno::EINVAL);
        }
        uio.copy_in(&mut b)?;
        let [unit, status] = [0, 4].map(|i| u32::from_le_bytes([b[i], b[i + 1], b[i + 2], b[i + 3]]));
        let kernel = &uio.lwp().kernel;
        let Some(unit) = kernel.ttys.get(unit) else {
            // Nothing was written: the error would be lost otherwise.
            uio.resid = b.len();
            return Err(Errno::ENXIO);
        };
        unit.end(kernel, status);
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
            reg.add(&lp.kernel.ttys.events);
        }
        let there = if next(&lp.kernel).is_some() { poll::IN | poll::OUT } else { poll::OUT };
        events & there
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
