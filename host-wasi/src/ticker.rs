//! The one thread beside the executor's: it advances the engine's epoch while some vkernel runs,
//! and wakes vkernels whose sleepers are due.
//!
//! An own thread because an epoch must go on when all of the executor's threads spin in programs,
//! and because the executor's timers round to a millisecond where `nanosleep(2)` should not. It
//! sleeps when nothing is to be done. One per [`crate::Host`]; it ends with it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use wasmtime::Engine;

use crate::clock::monotonic_ns;
use crate::external::External;

/// The length of an epoch: how long a program may go on before the machine looks.
pub(crate) const TICK_NS: u64 = 10_000_000;
/// Ticks after the last vkernel went idle. Vkernels that run now and then would otherwise wake the
/// thread each time.
const LINGER: u32 = 10;

struct Alarm {
    at_ns: u64,
    /// It may have ended by then.
    whom: Weak<External>,
}

/// Earlier alarms are greater, for the heap.
impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        Reverse(self.at_ns).cmp(&Reverse(other.at_ns))
    }
}
impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at_ns == other.at_ns
    }
}
impl Eq for Alarm {}

#[derive(Default)]
struct State {
    alarms: BinaryHeap<Alarm>,
    /// The thread waits without a tick.
    asleep: bool,
    /// When the thread means to look again.
    next_look_ns: u64,
    /// So many alarms are worth a look for those that nobody waits for.
    next_cleaning: usize,
    ending: bool,
}

impl State {
    /// Alarms of vkernels that have ended, when there may be many.
    fn forget_the_dead(&mut self) {
        if self.alarms.len() >= self.next_cleaning.max(64) {
            self.alarms.retain(|a| a.whom.strong_count() > 0);
            self.next_cleaning = 2 * self.alarms.len();
        }
    }
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Vkernels that are being polled.
    running: AtomicU32,
    /// The thread ticks; a cheap look for `run`.
    ticking: AtomicU32,
}

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// A vkernel is being polled, as long as this lives.
pub(crate) struct Running<'a>(&'a Shared);

impl Ticker {
    pub fn start(engine: &Engine) -> std::io::Result<Ticker> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            running: AtomicU32::new(0),
            ticking: AtomicU32::new(0),
        });
        let (engine, its) = (engine.clone(), shared.clone());
        let thread = std::thread::Builder::new().name("vkernel-clock".into()).spawn(move || its.work(&engine))?;
        Ok(Ticker { shared, thread: Some(thread) })
    }

    pub fn run(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.ticking.load(Ordering::SeqCst) == 0 {
            let state = self.shared.lock();
            if state.asleep {
                self.shared.changed.notify_one();
            }
        }
        Running(&self.shared)
    }

    /// Wakes `whom` at that time. Once; an alarm can't be taken back, but one too many does no harm.
    pub fn alarm(&self, at_ns: u64, whom: &Arc<External>) {
        let mut state = self.shared.lock();
        state.forget_the_dead();
        state.alarms.push(Alarm { at_ns, whom: Arc::downgrade(whom) });
        if at_ns < state.next_look_ns {
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.lock().ending = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It panics never; and if it did there is nobody to tell.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, engine: &Engine) {
        let mut idle = LINGER;
        let mut next_tick = monotonic_ns() + TICK_NS;
        let mut state = self.lock();
        while !state.ending {
            let now = monotonic_ns();
            let due = take_due(&mut state, now);
            if !due.is_empty() {
                drop(state);
                due.iter().for_each(|whom| whom.wake());
                state = self.lock();
                continue;
            }
            if now >= next_tick {
                engine.increment_epoch();
                idle = if self.running.load(Ordering::SeqCst) > 0 { 0 } else { idle.saturating_add(1) };
                next_tick = now + TICK_NS;
            }
            let tick = self.decide(&mut idle);
            let until = state.alarms.peek().map_or(u64::MAX, |a| a.at_ns).min(if tick { next_tick } else { u64::MAX });
            state.asleep = !tick;
            state.next_look_ns = until;
            state = self.wait(state, until.saturating_sub(now));
            if state.asleep {
                state.asleep = false;
                next_tick = next_tick.max(monotonic_ns() + TICK_NS);
            }
        }
    }

    /// Whether to tick. Says so in `ticking` before it looks at `running` for the last time, so that
    /// a vkernel that begins to run sees one or is seen.
    fn decide(&self, idle: &mut u32) -> bool {
        if *idle < LINGER {
            self.ticking.store(1, Ordering::SeqCst);
            return true;
        }
        self.ticking.store(0, Ordering::SeqCst);
        if self.running.load(Ordering::SeqCst) > 0 {
            *idle = 0;
            self.ticking.store(1, Ordering::SeqCst);
            return true;
        }
        false
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, ns: u64) -> MutexGuard<'a, State> {
        // The longest wait that every libc takes; who wakes early looks and waits again.
        let timeout = Duration::from_nanos(ns.min(1 << 50));
        self.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
    }
}

fn take_due(state: &mut State, now: u64) -> Vec<Arc<External>> {
    let mut due = Vec::new();
    while state.alarms.peek().is_some_and(|a| a.at_ns <= now) {
        due.extend(state.alarms.pop().and_then(|a| a.whom.upgrade()));
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_ring_in_time_and_idle_hosts_do_not_tick() {
        let engine = crate::engine::engine().unwrap();
        let ticker = Ticker::start(&engine).unwrap();
        let (waker, woken) = (Arc::new(External::default()), monotonic_ns());
        waker.register(&std::task::Waker::noop().clone());
        ticker.alarm(woken + 2_000_000, &waker);
        while !waker.take_wake() {
            assert!(monotonic_ns() < woken + 5_000_000_000, "no alarm");
            std::thread::sleep(Duration::from_micros(200));
        }
        assert!(monotonic_ns() >= woken + 2_000_000);
        for _ in 0..1000 {
            ticker.alarm(u64::MAX, &Arc::default());
        }
        assert!(ticker.shared.lock().alarms.len() <= 64);

        let running = ticker.run();
        std::thread::sleep(Duration::from_millis(100));
        assert!(!ticker.shared.lock().asleep);
        drop(running);
        std::thread::sleep(Duration::from_millis(300));
        assert!(ticker.shared.lock().asleep);
    }
}
