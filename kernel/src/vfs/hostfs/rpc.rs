//! Talking to the host's file server: one message there, one back.

use alloc::vec::Vec;

use abi::hostfs::DATA_MAX;
use abi::wire::{Reader, Writer};
use abi::{Errno, SysResult, hostfs::op};

use super::Hostfs;
use crate::kern::proc::Lwp;
use crate::machdep::MachineRef;

/// Room for a message with two names and for an answer with attributes.
const SMALL: usize = 640;
/// What a long answer may take besides data.
const HEADER: usize = 64;

/// The host answers 0 and fields, or an error. What can't be read is EIO.
fn answer<'a>(buf: &'a [u8]) -> SysResult<Reader<'a>> {
    let mut r = Reader::new(buf);
    match r.i32().map_err(|_| Errno::EIO)? {
        0 => Ok(r),
        e => Err(Errno::from_raw(e.unsigned_abs()).unwrap_or(Errno::EIO)),
    }
}

/// A request and an answer that both fit on the stack.
pub fn small<T>(
    machine: &MachineRef,
    build: impl FnOnce(&mut Writer<'_>),
    parse: impl FnOnce(&mut Reader<'_>) -> SysResult<T>,
) -> SysResult<T> {
    let mut buf = [0; SMALL];
    let mut w = Writer::new(&mut buf);
    build(&mut w);
    if w.overflowed {
        return Err(Errno::ENAMETOOLONG);
    }
    let len = w.len();
    let n = machine.hostfs_rpc(&mut buf, len)?;
    let mut r = answer(buf.get(..n).ok_or(Errno::EIO)?)?;
    parse(&mut r).map_err(|e| if e == Errno::EINVAL { Errno::EIO } else { e })
}

fn close(machine: &MachineRef, handle: u32) -> SysResult<()> {
    small(
        machine,
        |w| {
            w.u32(op::CLOSE).u32(handle);
        },
        |_| Ok(()),
    )
}

impl Hostfs {
    /// A handle is not needed any more. Should the host fail now it is told again at the next chance.
    pub fn close(&self, handle: u32) {
        if close(&self.machine, handle).is_err() {
            self.unclosed.lock().push(handle);
        }
    }

    /// A request that names a directory and what is in it.
    pub fn small<T>(
        &self,
        build: impl FnOnce(&mut Writer<'_>),
        parse: impl FnOnce(&mut Reader<'_>) -> SysResult<T>,
    ) -> SysResult<T> {
        let left = core::mem::take(&mut *self.unclosed.lock());
        for handle in left {
            self.close(handle);
        }
        small(&self.machine, build, parse)
    }

    /// A request whose data, or whose answer's data, may be up to `data` bytes. `build` writes the
    /// request and answers its length.
    pub fn large<T>(
        &self,
        lp: &Lwp,
        data: usize,
        build: impl FnOnce(&mut [u8]) -> SysResult<usize>,
        parse: impl FnOnce(&mut Reader<'_>) -> SysResult<T>,
    ) -> SysResult<T> {
        let mut buf = self.buffer.lock(lp);
        room(&mut buf, data.min(DATA_MAX) + HEADER)?;
        let len = build(&mut buf)?;
        let n = self.machine.hostfs_rpc(&mut buf, len)?;
        let mut r = answer(buf.get(..n).ok_or(Errno::EIO)?)?;
        parse(&mut r)
    }
}

/// The buffer grows to the largest message so far.
fn room(buf: &mut Vec<u8>, len: usize) -> SysResult<()> {
    if buf.len() < len {
        let more = len - buf.len();
        buf.try_reserve_exact(more).map_err(|_| Errno::ENOMEM)?;
        buf.resize(len, 0);
    }
    Ok(())
}
