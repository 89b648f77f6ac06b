//! Waiting for many things at once: poll(2), and the mechanism under WASI's poll_oneoff.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::syscalls::UAddr;
use abi::types::{clock, poll};
use abi::{Errno, SysResult};

use crate::kern::proc::Lwp;
use crate::kern::sigact;
use crate::kern::synch::{FOREVER, WaitQueue, Waiter};

/// Remembers in which queues a waiter stands, and takes it out when dropped.
pub struct Registrar {
    waiter: Arc<Waiter>,
    queues: Vec<Arc<WaitQueue>>,
    /// There was no memory to stand in one more.
    short: bool,
}

impl Registrar {
    pub fn new(lp: &Lwp) -> Registrar {
        lp.waiter.reset();
        Registrar { waiter: lp.waiter.clone(), queues: Vec::new(), short: false }
    }
    /// For `Vnode::poll`: this queue will be woken when the events may have come.
    pub fn add(&mut self, queue: &Arc<WaitQueue>) {
        // Tens of thousands, if somebody wants it so; but of one and the same queue only one.
        if self.queues.try_reserve(1).is_err() {
            self.short = true;
            return;
        }
        match queue.try_enter(&self.waiter) {
            Ok(true) => self.queues.push(queue.clone()),
            Ok(false) => {}
            Err(_) => self.short = true,
        }
    }
}

impl Drop for Registrar {
    fn drop(&mut self) {
        for q in &self.queues {
            q.leave(&self.waiter);
        }
    }
}

/// Sleeps until `look` finds something or the deadline passes. `look` is called with a registrar
/// when the caller is going to sleep: it must pass it to every object it looks at.
pub fn wait_many<T>(
    lp: &Lwp,
    deadline_ns: u64,
    mut look: impl FnMut(Option<&mut Registrar>) -> Option<T>,
) -> SysResult<Option<T>> {
    if let Some(v) = look(None) {
        return Ok(Some(v));
    }
    if deadline_ns == 0 {
        return Ok(None);
    }
    loop {
        let mut reg = Registrar::new(lp);
        if let Some(v) = look(Some(&mut reg)) {
            return Ok(Some(v));
        }
        if reg.short {
            return Err(Errno::ENOMEM);
        }
        let slept = lp.sleep(deadline_ns);
        drop(reg);
        if let Some(v) = look(None) {
            return Ok(Some(v));
        }
        match slept {
            Err(Errno::ETIMEDOUT) => return Ok(None),
            other => other?,
        }
    }
}

/// `struct pollfd`: i32 fd, u16 events, u16 revents.
const POLLFD: usize = 8;

/// What one descriptor of a poll answers; 0 for a negative one, which is left out.
fn poll_one(lp: &Lwp, fd: i32, events: u16, reg: Option<&mut Registrar>) -> u16 {
    if fd < 0 {
        return 0;
    }
    match lp.file(fd) {
        Ok(f) => f.vnode.poll(lp, events, reg) & (events | poll::ERR | poll::HUP),
        Err(_) => poll::NVAL,
    }
}

/// poll(2): how many descriptors have something. A negative timeout is for ever.
pub fn sys_poll(lp: &Lwp, fds: UAddr, count: u32, timeout_ms: i32) -> SysResult<u32> {
    let deadline_ns = match timeout_ms {
        0 => 0,
        t if t < 0 => FOREVER,
        t => lp.machine().clock(clock::MONOTONIC, 0).saturating_add(t as u64 * 1_000_000),
    };
    kern_poll(lp, fds, count, deadline_ns)
}

/// ppoll(2), which waits with another mask of signals: one of them that has come, or comes, ends it with EINTR,
/// and the mask is the old one again once its handler has run. A time of 2^64 - 1 is for ever; `mask` may be null.
pub fn sys_ppoll(lp: &Lwp, fds: UAddr, count: u32, timeout_ns: u64, mask: UAddr) -> SysResult<u32> {
    let deadline_ns = match timeout_ns {
        0 => 0,
        u64::MAX => FOREVER,
        // A time that long is for ever, too.
        t => lp.machine().clock(clock::MONOTONIC, 0).saturating_add(t),
    };
    if mask == UAddr::NULL {
        return kern_poll(lp, fds, count, deadline_ns);
    }
    sigact::with_mask(lp, sigact::copy_set(lp, mask)?, || match kern_poll(lp, fds, count, deadline_ns) {
        // As on Linux: a signal that was there is not left waiting because time was short.
        Ok(0) if sigact::awaited(&lp.proc) => Err(Errno::EINTR),
        done => done,
    })
}

/// Past the times.
fn kern_poll(lp: &Lwp, fds: UAddr, count: u32, deadline_ns: u64) -> SysResult<u32> {
    let count = count as usize;
    if count > lp.proc.limits.nofile() {
        return Err(Errno::EINVAL);
    }
    let mut small = [0u8; POLLFD * 16];
    let mut large = Vec::new();
    let table = match small.get_mut(..count * POLLFD) {
        Some(t) => t,
        None => {
            large.try_reserve_exact(count * POLLFD).map_err(|_| Errno::ENOMEM)?;
            large.resize(count * POLLFD, 0);
            &mut large[..]
        }
    };
    lp.machine().copyin(fds, table)?;
    let ready = wait_many(lp, deadline_ns, |mut reg| {
        let mut ready = 0;
        for p in table.chunks_exact_mut(POLLFD) {
            let fd = i32::from_le_bytes([p[0], p[1], p[2], p[3]]);
            let events = u16::from_le_bytes([p[4], p[5]]);
            let got = poll_one(lp, fd, events, reg.as_deref_mut());
            p[6..8].copy_from_slice(&got.to_le_bytes());
            ready += (got != 0) as u32;
        }
        (ready > 0).then_some(ready)
    })?;
    lp.machine().copyout(table, fds)?;
    Ok(ready.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machdep::fake::Fake;

    #[test]
    fn who_comes_to_a_queue_twice_stands_in_it_once() {
        let vk = Fake::seeded(1).boot();
        vk.init(|sys| {
            let (a, b) = (Arc::new(WaitQueue::new()), Arc::new(WaitQueue::new()));
            let mut reg = Registrar::new(&sys.lp);
            for queue in [&a, &a, &b, &b, &a] {
                reg.add(queue);
            }
            assert_eq!((reg.queues.len(), reg.short), (2, false));
            drop(reg);
            assert_eq!((a.waiting(), b.waiting()), (0, 0));
        });
    }
}
