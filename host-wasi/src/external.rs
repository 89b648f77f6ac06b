//! What other threads may do to a vkernel: wake it, and leave it events.
//!
//! One per vkernel, held by its task, by the embedder's handle and by whatever will wake it. It
//! holds nothing of the machine, so that it may outlive it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// Something for the task to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// `intr(irq, arg)`.
    Interrupt(u32, u32),
    /// A future that the lwp in this slot awaits has something. `u64` tells slots' users apart.
    Ready(u32, u64),
    /// The end, at once.
    Kill,
}

#[derive(Default)]
struct Inner {
    events: Vec<Event>,
    waker: Option<Waker>,
}

#[derive(Default)]
pub(crate) struct External {
    /// There are events or there was a wake-up: a look without the lock.
    pending: AtomicBool,
    inner: Mutex<Inner>,
}

impl External {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom to wake from now on.
    pub fn register(&self, waker: &Waker) {
        let mut inner = self.lock();
        match &mut inner.waker {
            Some(known) if known.will_wake(waker) => {}
            other => *other = Some(waker.clone()),
        }
    }

    /// Wakes the task for a look around.
    pub fn wake(&self) {
        self.pending.store(true, Ordering::Release);
        let waker = self.lock().waker.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub fn post(&self, event: Event) {
        self.lock().events.push(event);
        self.wake();
    }

    /// True once after wake-ups.
    pub fn take_wake(&self) -> bool {
        self.pending.load(Ordering::Relaxed) && self.pending.swap(false, Ordering::Acquire)
    }

    pub fn pending(&self) -> bool {
        self.pending.load(Ordering::Relaxed)
    }

    pub fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.lock().events)
    }
}

/// The waker that the futures of one lwp see.
pub(crate) struct LwpWaker {
    pub external: Arc<External>,
    pub slot: u32,
    pub tenant: u64,
}

impl Wake for LwpWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.external.post(Event::Ready(self.slot, self.tenant));
    }
}
