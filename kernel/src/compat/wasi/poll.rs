//! `poll_oneoff`: waiting for clocks and descriptors at once.
//!
//! Subscriptions that cannot be waited for (a bad descriptor, a CPU clock) are events with an error,
//! and then nobody sleeps.

use alloc::vec::Vec;

use abi::syscalls::UAddr;
use abi::types::{clock, mode, poll};
use abi::wire::{Reader, Writer};
use abi::{Errno, SysResult};

use super::{rights, types};
use crate::kern::poll::{Registrar, wait_many};
use crate::kern::proc::Lwp;
use crate::kern::synch::FOREVER;
use crate::kern::time::{deadline, kern_sleep};
use crate::vfs::file::File;

/// How a `subscription` is laid out; `wasi_unstable` has an identifier in front of the clock.
pub(super) struct Layout {
    pub size: usize,
    pub identifier: usize,
}

const PREVIEW1: Layout = Layout { size: 48, identifier: 0 };
/// Of the largest layout.
const LARGEST: usize = 56;
/// `event`.
const EVENT: usize = 32;
/// So many without an allocation.
const FEW: usize = 4;

/// `eventtype`.
const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;

/// `eventrwflags`.
const HANGUP: u16 = 1;

/// What a subscription waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Want {
    /// A monotonic time.
    Time(u64),
    Read(i32),
    Write(i32),
    /// Nothing: it is wrong.
    Failed(Errno),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Subscription {
    userdata: u64,
    kind: u8,
    want: Want,
}

impl Subscription {
    const NONE: Subscription = Subscription { userdata: 0, kind: CLOCK, want: Want::Failed(Errno::EINVAL) };

    fn time(&self) -> Option<u64> {
        match self.want {
            Want::Time(t) => Some(t),
            _ => None,
        }
    }
}

pub fn poll_oneoff(lp: &Lwp, subs: UAddr, events: UAddr, count: u32, ready: UAddr) -> SysResult<()> {
    poll_with(lp, &PREVIEW1, subs, events, count, ready)
}

/// EINVAL for no subscriptions, for more than twice the descriptors one may have, and for a type
/// that isn't known.
pub(super) fn poll_with(
    lp: &Lwp,
    layout: &Layout,
    from: UAddr,
    events: UAddr,
    count: u32,
    ready: UAddr,
) -> SysResult<()> {
    let count = count as usize;
    let n = if count <= FEW {
        let mut raw = [0; LARGEST * FEW];
        let mut subs = [Subscription::NONE; FEW];
        let mut out = [0; EVENT * FEW];
        poll_in(lp, layout, from, &mut raw[..count * layout.size], &mut subs[..count], &mut out, events)?
    } else {
        if count > 2 * lp.proc.limits.nofile() + 1 {
            return Err(Errno::EINVAL);
        }
        let mut subs = Vec::new();
        subs.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
        subs.resize(count, Subscription::NONE);
        let (mut raw, mut out) = (types::zeroed(count * layout.size)?, types::zeroed(count * EVENT)?);
        poll_in(lp, layout, from, &mut raw, &mut subs, &mut out, events)?
    };
    lp.machine().put32(ready, n as u32)
}

/// With the buffers it needs; answers the number of events.
fn poll_in(
    lp: &Lwp,
    layout: &Layout,
    from: UAddr,
    raw: &mut [u8],
    subs: &mut [Subscription],
    out: &mut [u8],
    events: UAddr,
) -> SysResult<usize> {
    if subs.is_empty() {
        return Err(Errno::EINVAL);
    }
    lp.machine().copyin(from, raw)?;
    for (sub, raw) in subs.iter_mut().zip(raw.chunks_exact(layout.size)) {
        *sub = decode(raw, layout, |id, absolute, ns| deadline(lp, id, absolute, ns))?;
    }
    let mut out = Events { out, n: 0 };
    wait(lp, subs, &mut out)?;
    lp.machine().copyout(&out.out[..out.n * EVENT], events)?;
    Ok(out.n)
}

/// Waits for at least one event.
fn wait(lp: &Lwp, subs: &[Subscription], out: &mut Events<'_>) -> SysResult<()> {
    let first = subs.iter().filter_map(Subscription::time).min();
    match first {
        Some(at) if subs.iter().all(|s| s.time().is_some()) => {
            kern_sleep(lp, clock::MONOTONIC, true, at)?;
        }
        _ => {
            let now = || lp.machine().clock(clock::MONOTONIC, 0);
            let hopeless = subs.iter().any(|s| matches!(s.want, Want::Failed(_)));
            // 0 only looks.
            let until_ns = if hopeless || first.is_some_and(|at| at <= now()) { 0 } else { first.unwrap_or(FOREVER) };
            wait_many(lp, until_ns, |reg| look(lp, subs, out, reg))?;
        }
    }
    let Some(first) = first else { return Ok(()) };
    // A sleep that ended by its deadline ended then, however the clock is read now.
    let slept_to = if out.n == 0 { first } else { 0 };
    let now = lp.machine().clock(clock::MONOTONIC, 0).max(slept_to);
    for sub in subs.iter().filter(|s| s.time().is_some_and(|at| at <= now)) {
        out.put(sub, 0, 0, 0);
    }
    Ok(())
}

/// The descriptors that are ready, as events.
fn look(lp: &Lwp, subs: &[Subscription], out: &mut Events<'_>, mut reg: Option<&mut Registrar>) -> Option<()> {
    out.n = 0;
    for sub in subs {
        let (fd, wanted) = match sub.want {
            Want::Read(fd) => (fd, poll::IN),
            Want::Write(fd) => (fd, poll::OUT),
            Want::Failed(e) => {
                out.put(sub, e as u16, 0, 0);
                continue;
            }
            Want::Time(_) => continue,
        };
        match lp.file(fd).and_then(|f| rights::check(&f, rights::POLL_FD_READWRITE).map(|()| f)) {
            Err(e) => out.put(sub, e as u16, 0, 0),
            Ok(f) => {
                let got = f.vnode.poll(lp, wanted, reg.as_deref_mut()) & (wanted | poll::ERR | poll::HUP);
                if got != 0 {
                    let hangup = if got & (poll::HUP | poll::ERR) != 0 { HANGUP } else { 0 };
                    out.put(sub, 0, available(lp, &f, got), hangup);
                }
            }
        }
    }
    (out.n > 0).then_some(())
}

/// How many bytes can be moved at least: the rest of a file, one byte of anything else.
fn available(lp: &Lwp, file: &File, got: u16) -> u64 {
    if got & (poll::IN | poll::OUT) == 0 {
        return 0;
    }
    if got & poll::IN == 0 || file.vnode.kind() != mode::IFREG {
        return 1;
    }
    let at = *file.offset.lock(lp);
    file.vnode.getattr(lp).map_or(0, |s| s.size.saturating_sub(at))
}

/// The events found so far.
struct Events<'a> {
    out: &'a mut [u8],
    n: usize,
}

impl Events<'_> {
    /// There is room for one of each subscription.
    fn put(&mut self, sub: &Subscription, error: u16, nbytes: u64, flags: u16) {
        if let Some(room) = self.out.get_mut(self.n * EVENT..(self.n + 1) * EVENT) {
            Writer::new(room).u64(sub.userdata).u16(error).u8(sub.kind).pad(5).u64(nbytes).u16(flags).pad(6);
            self.n += 1;
        }
    }
}

/// One subscription; `deadline` turns what a clock is asked for into a monotonic time.
fn decode(
    raw: &[u8],
    layout: &Layout,
    deadline: impl FnOnce(u32, bool, u64) -> SysResult<u64>,
) -> SysResult<Subscription> {
    const ABSTIME: u16 = 1;
    let mut r = Reader::new(raw);
    let userdata = r.u64()?;
    let kind = r.u8()?;
    r.bytes(7)?;
    let want = match kind {
        CLOCK => {
            r.bytes(layout.identifier)?;
            let id = r.u32()?;
            r.bytes(4)?;
            let (timeout_ns, _precision, flags) = (r.u64()?, r.u64()?, r.u16()?);
            match deadline(id, flags & ABSTIME != 0, timeout_ns) {
                Ok(at) => Want::Time(at),
                Err(e) => Want::Failed(e),
            }
        }
        FD_READ => Want::Read(r.i32()?),
        FD_WRITE => Want::Write(r.i32()?),
        _ => return Err(Errno::EINVAL),
    };
    Ok(Subscription { userdata, kind, want })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::wasi::unstable;
    use std::vec;

    fn raw(layout: &Layout, kind: u8, body: &[u8]) -> Vec<u8> {
        let mut raw = vec![0; layout.size];
        Writer::new(&mut raw).u64(77).u8(kind).pad(7).bytes(body);
        raw
    }
    fn clock_body(id: u32, timeout: u64, flags: u16) -> [u8; 26] {
        let mut body = [0; 26];
        Writer::new(&mut body).u32(id).pad(4).u64(timeout).u64(1).u16(flags);
        body
    }

    #[test]
    fn both_layouts_of_a_clock_are_read() {
        let check = |id, absolute, ns| {
            assert_eq!((id, absolute, ns), (1, true, 123));
            Ok(500)
        };
        let body = clock_body(1, 123, 1);
        let sub = Subscription { userdata: 77, kind: CLOCK, want: Want::Time(500) };
        assert_eq!(decode(&raw(&PREVIEW1, CLOCK, &body), &PREVIEW1, check), Ok(sub));

        let with_identifier = [&[9; 8], &body[..]].concat();
        assert_eq!(decode(&raw(&unstable::LAYOUT, CLOCK, &with_identifier), &unstable::LAYOUT, check), Ok(sub));
    }

    #[test]
    fn a_wrong_clock_is_an_event_and_a_wrong_type_an_error() {
        let no = |_, _, _| Err(Errno::ENOTSUP);
        let sub = decode(&raw(&PREVIEW1, CLOCK, &clock_body(2, 1, 0)), &PREVIEW1, no).unwrap();
        assert_eq!(sub.want, Want::Failed(Errno::ENOTSUP));
        assert_eq!(decode(&raw(&PREVIEW1, 3, &[]), &PREVIEW1, no), Err(Errno::EINVAL));
        let fd = decode(&raw(&PREVIEW1, FD_WRITE, &7i32.to_le_bytes()), &PREVIEW1, no).unwrap();
        assert_eq!(fd.want, Want::Write(7));
    }

    #[test]
    fn an_event_has_no_byte_left_over() {
        let mut buf = [0xaa; EVENT];
        let mut out = Events { out: &mut buf, n: 0 };
        let sub = Subscription { userdata: 0x0102, kind: FD_READ, want: Want::Read(0) };
        out.put(&sub, 8, 3, HANGUP);
        // No room: dropped, not written past the end.
        out.put(&sub, 8, 3, HANGUP);
        assert_eq!(out.n, 1);
        let mut want = [0; EVENT];
        (want[0], want[1], want[8], want[10], want[16], want[24]) = (2, 1, 8, FD_READ, 3, 1);
        assert_eq!(buf, want);
    }
}
