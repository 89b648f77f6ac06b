//! Timers that a process makes: timer_create(2) and its like. POSIX.1-2017, timer_settime.
//!
//! As those of `kern::itimer` they are looked at when the process sleeps and with every tick of its CPU. One that has
//! expired rests until its signal is taken: how often it would have expired meanwhile is the overrun, and it goes on from
//! there. So it has one signal in the queue at most, and one whose signal is held back wakes nobody.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::syscalls::UAddr;
use abi::types::{Siginfo, clock, rlimit, si, sig, timer};
use abi::{Errno, SysResult};

use crate::Kernel;
use crate::kern::itimer::{self, NEVER, SHORTEST_NS};
use crate::kern::proc::{Lwp, Proc};
use crate::kern::sig::send;
use crate::kern::sigact::Fate;
use crate::kern::time;

/// Overruns that can be told, DELAYTIMER_MAX.
const OVERRUN_MAX: u64 = i32::MAX as u64;

struct Timer {
    /// Of no other setting of any timer of the process: its signal says by which it was sent.
    setting: i32,
    /// One of `types::clock`. Times are counted by the monotonic one instead of CLOCK_REALTIME.
    clock: u32,
    signal: Option<u32>,
    value: u64,
    /// The first expiry whose signal has not been taken.
    at_ns: u64,
    interval_ns: u64,
    /// Its signal is in the queue.
    queued: bool,
    /// Of the signal that was taken last.
    overrun: i32,
}

/// The timers of a process, by their numbers.
#[derive(Default)]
pub struct Table {
    slots: Vec<Option<Timer>>,
    settings: i32,
}

impl Timer {
    fn is_cpu(&self) -> bool {
        self.clock >= clock::PROCESS_CPUTIME
    }

    fn now(&self, lp: &Lwp) -> u64 {
        match self.is_cpu() {
            true => lp.machine().clock(clock::THREAD_CPUTIME, lp.md.id.load(Relaxed)),
            false => lp.machine().clock(clock::MONOTONIC, 0),
        }
    }

    /// Sets it to its first expiry after `now`. Answers how many more than one have passed.
    fn forward(&mut self, now: u64) -> u64 {
        let passed = now.saturating_sub(self.at_ns).checked_div(self.interval_ns).unwrap_or(0);
        self.at_ns = match self.interval_ns {
            0 => NEVER,
            interval => self.at_ns.saturating_add(interval.saturating_mul(passed + 1)),
        };
        passed
    }

    fn left(&self, now: u64) -> [u64; 2] {
        let left = match (self.at_ns, self.interval_ns) {
            (NEVER, _) => 0,
            (at, _) if at > now => at - now,
            (_, 0) if self.queued || self.signal.is_none() => 0,
            // One that is due has not expired yet: 0 would mean that it is off.
            (_, 0) => 1,
            (at, interval) => interval - (now - at) % interval,
        };
        [left, self.interval_ns]
    }
}

impl Table {
    /// When the process has to look.
    pub fn next_ns(&self) -> u64 {
        let awaited = |t: &&Timer| !t.is_cpu() && !t.queued && t.signal.is_some();
        self.slots.iter().flatten().filter(awaited).map(|t| t.at_ns).min().unwrap_or(NEVER)
    }

    fn count(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// EINVAL.
    fn get(&mut self, number: i32) -> SysResult<&mut Timer> {
        self.slots.get_mut(number as usize).and_then(Option::as_mut).ok_or(Errno::EINVAL)
    }

    /// The timer that has sent a signal, if it has not been set again since.
    fn sender(&mut self, info: &Siginfo) -> Option<&mut Timer> {
        let found = if info.code == si::TIMER { self.get(info.pid).ok() } else { None };
        found.filter(|t| t.setting == info.status)
    }

    /// What is to be sent for a timer that has expired.
    fn due(&mut self, number: usize, real: u64, cpu: Option<u64>) -> Option<Siginfo> {
        let t = self.slots[number].as_mut()?;
        let now = if t.is_cpu() { cpu? } else { real };
        if t.queued || t.at_ns > now {
            return None;
        }
        let signal = t.signal?;
        t.queued = true;
        Some(Siginfo { signal, code: si::TIMER, pid: number as i32, uid: 0, status: t.setting, value: t.value })
    }
}

/// Sends the signals of those that have expired.
pub fn expire(kernel: &Kernel, proc: &Arc<Proc>, real: u64, cpu: Option<u64>) {
    for number in 0.. {
        let info = {
            let table = &mut proc.timers.lock().posix;
            if number >= table.slots.len() {
                return;
            }
            table.due(number, real, cpu)
        };
        let Some(info) = info else { continue };
        if matches!(send(kernel, proc, &info), Ok(Fate::Held | Fate::Caught | Fate::Handled)) {
            continue;
        }
        // Nobody will take it.
        if let Some(t) = proc.timers.lock().posix.sender(&info) {
            t.queued = false;
            t.forward(if t.is_cpu() { cpu.unwrap_or(0) } else { real } + SHORTEST_NS);
        }
    }
}

/// A signal was taken out of the queue of the caller: if it is a timer's it has its overrun now, and the timer goes on.
pub fn taken(lp: &Lwp, info: &mut Siginfo) {
    if info.code != si::TIMER {
        return;
    }
    let mut timers = lp.proc.timers.lock();
    if let Some(t) = timers.posix.sender(info) {
        let now = t.now(lp);
        t.overrun = t.forward(now).min(OVERRUN_MAX) as i32;
        t.queued = false;
        info.uid = t.overrun as u32;
    }
    info.status = 0;
    timers.set_alarm(&lp.proc);
}

/// A signal was dropped out of the queue.
pub fn dropped(proc: &Proc, info: &Siginfo) {
    let mut timers = proc.timers.lock();
    if let Some(t) = timers.posix.sender(info) {
        t.queued = false;
        timers.set_alarm(proc);
    }
}

/// exec(2): the program's timers go with it.
pub fn exec(proc: &Proc) {
    let mut timers = proc.timers.lock();
    let old = core::mem::take(&mut timers.posix);
    timers.set_alarm(proc);
    drop(timers);
    drop(old);
}

/// How many the user has, against RLIMIT_SIGPENDING. EAGAIN.
fn check_limit(lp: &Lwp) -> SysResult<()> {
    let (uid, most) = (lp.proc.cred.uid(), lp.proc.limits.soft(rlimit::SIGPENDING));
    let tree = lp.kernel.procs.tree.lock();
    let of_user = tree.map.values().filter(|n| n.proc.cred.uid() == uid);
    let count: usize = of_user.map(|n| n.proc.timers.lock().posix.count()).sum();
    if count as u64 >= most { Err(Errno::EAGAIN) } else { Ok(()) }
}

/// timer_create(2): the number of a new timer. EINVAL for a clock, a signal or a way to tell that we don't have; EAGAIN.
pub fn sys_timer_create(lp: &Lwp, id: u32, notify: u32, signal: u32, value: u64) -> SysResult<u32> {
    if id > clock::THREAD_CPUTIME {
        return Err(Errno::EINVAL);
    }
    let signal = match notify & !timer::NUMBERED {
        timer::SIGNAL if (1..sig::COUNT).contains(&signal) => Some(signal),
        timer::NONE => None,
        _ => return Err(Errno::EINVAL),
    };
    lp.machine().admit()?;
    check_limit(lp)?;
    let table = &mut lp.proc.timers.lock().posix;
    let number = table.slots.iter().position(Option::is_none).unwrap_or(table.slots.len());
    if number == table.slots.len() {
        table.slots.try_reserve(1).map_err(|_| Errno::EAGAIN)?;
        table.slots.push(None);
    }
    let value = if notify & timer::NUMBERED != 0 { number as u64 } else { value };
    let setting = next_setting(table);
    let new = Timer { setting, clock: id, signal, value, at_ns: NEVER, interval_ns: 0, queued: false, overrun: 0 };
    table.slots[number] = Some(new);
    Ok(number as u32)
}

fn next_setting(table: &mut Table) -> i32 {
    table.settings = table.settings.wrapping_add(1);
    table.settings
}

/// timer_settime(2); `old` may be null. A time that has passed expires at once.
pub fn sys_timer_settime(lp: &Lwp, number: i32, flags: u32, new: UAddr, old: UAddr) -> SysResult<()> {
    let [value, interval_ns] = itimer::get(lp, new)?;
    let (id, cpu, now, left) = {
        let mut timers = lp.proc.timers.lock();
        let t = timers.posix.get(number)?;
        let now = t.now(lp);
        (t.clock, t.is_cpu(), now, t.left(now))
    };
    if old != UAddr::NULL {
        itimer::put(lp, left, old)?;
    }
    let absolute = flags & timer::ABSTIME != 0;
    let at_ns = match value {
        0 => NEVER,
        _ if cpu && absolute => value,
        _ if absolute => time::deadline(lp, id, true, value)?,
        _ => now + value,
    };
    let mut timers = lp.proc.timers.lock();
    let setting = next_setting(&mut timers.posix);
    let t = timers.posix.get(number)?;
    (t.setting, t.at_ns, t.interval_ns, t.queued, t.overrun) = (setting, at_ns, interval_ns, false, 0);
    timers.set_alarm(&lp.proc);
    drop(timers);
    if at_ns <= now {
        itimer::expire(&lp.kernel, &lp.proc, cpu.then_some(now));
    }
    Ok(())
}

/// timer_gettime(2).
pub fn sys_timer_gettime(lp: &Lwp, number: i32, out: UAddr) -> SysResult<()> {
    let left = {
        let mut timers = lp.proc.timers.lock();
        let t = timers.posix.get(number)?;
        t.left(t.now(lp))
    };
    itimer::put(lp, left, out)
}

/// timer_getoverrun(2): of the signal that was taken last.
pub fn sys_timer_getoverrun(lp: &Lwp, number: i32) -> SysResult<i32> {
    lp.proc.timers.lock().posix.get(number).map(|t| t.overrun)
}

/// timer_delete(2). A signal that it has sent stays.
pub fn sys_timer_delete(lp: &Lwp, number: i32) -> SysResult<()> {
    let mut timers = lp.proc.timers.lock();
    timers.posix.get(number)?;
    timers.posix.slots[number as usize] = None;
    timers.set_alarm(&lp.proc);
    Ok(())
}
