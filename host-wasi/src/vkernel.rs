//! A vkernel's task: one future that polls the vkernel's lwps one at a time.
//!
//! It owns everything that runs: the lwps' futures with their stores, and the interrupt instance.
//! It is polled by the executor, on any thread but never on two; its own executor inside is
//! [`Sched`](sched::Sched). Between two lwps, while none runs, it handles what came from
//! outside, devices and deadlines, and calls the kernel's interrupt entry.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use abi::trapframe::irq;
use wasmtime::TypedFunc;

use crate::clock::monotonic_ns;
use crate::external::{Event, LwpWaker};
use crate::lwp::{Kernel, Stop, life};
use crate::machine::{Ending, Machine};
use crate::ticker::TICK_NS;
use sched::SlotId;

/// What is left to a vkernel to end its processes when its time is over.
const GRACE_NS: u64 = 100_000_000;

type Life = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An lwp as the task holds it.
struct Lwp {
    life: Life,
    waker: Waker,
}

pub(crate) struct Task {
    /// By slot. Before `interrupts`, so that it is dropped first.
    lwps: Vec<Option<Lwp>>,
    interrupts: Interrupts,
    machine: Arc<Machine>,
    /// The ticker will wake us then.
    alarm_ns: u64,
    /// When the time is over, and whether the kernel has been told.
    limit_ns: u64,
    shutting_down: bool,
}

/// The interrupt instance and what is called on it. Never while an lwp runs; never sleeps.
pub(crate) struct Interrupts {
    kernel: Kernel,
    intr: TypedFunc<(u32, u32), ()>,
    kstack: TypedFunc<u32, u32>,
    lwp_gone: TypedFunc<u32, ()>,
}

impl Interrupts {
    pub fn new(machine: &Arc<Machine>) -> wasmtime::Result<Interrupts> {
        let mut kernel = Kernel::for_interrupts(machine)?;
        let (instance, store) = (kernel.instance, &mut kernel.store);
        Ok(Interrupts {
            intr: instance.get_typed_func(&mut *store, "intr")?,
            kstack: instance.get_typed_func(&mut *store, "kstack")?,
            lwp_gone: instance.get_typed_func(&mut *store, "lwp_gone")?,
            kernel,
        })
    }

    /// `boot`: on fresh memory only.
    pub fn boot(&mut self) -> wasmtime::Result<()> {
        self.kernel.check_version()?;
        let slot = self.kernel.store.data().machine.host.uaccess_slot as u32;
        let (instance, store) = (self.kernel.instance, &mut self.kernel.store);
        instance.get_typed_func::<u32, ()>(&mut *store, "uaccess")?.call(&mut *store, slot)?;
        self.errno("boot")
    }

    /// Makes pid 1; answers its lwp.
    pub fn start(&mut self) -> wasmtime::Result<u32> {
        self.errno("start")?;
        let first = self.kernel.instance.get_typed_func::<(), u32>(&mut self.kernel.store, "first_lwp")?;
        first.call(&mut self.kernel.store, ())
    }

    /// Calls something that answers 0 or minus an error number.
    fn errno(&mut self, name: &str) -> wasmtime::Result<()> {
        let call = self.kernel.instance.get_typed_func::<(), i32>(&mut self.kernel.store, name)?;
        match call.call(&mut self.kernel.store, ())? {
            0 => Ok(()),
            e => {
                let errno = abi::Errno::from_raw(e.unsigned_abs());
                let text = errno.map_or_else(|| format!("error {e}"), |e| format!("{} ({e})", e.name()));
                Err(wasmtime::Error::msg(format!("kernel: {name} failed: {text}")))
            }
        }
    }

    /// The kernel's counters, as it tells them.
    pub fn report(&mut self) -> wasmtime::Result<String> {
        let report = self.kernel.instance.get_typed_func::<(), i64>(&mut self.kernel.store, "report")?;
        let text = report.call(&mut self.kernel.store, ())?;
        let memory = &self.kernel.store.data().machine.memory;
        let text = memory.read_vec(text as u32, (text >> 32) as u32);
        Ok(String::from_utf8_lossy(&text.unwrap_or_default()).into_owned())
    }
}

impl Task {
    /// A booted kernel's task. pid 1 is `first`.
    pub fn new(machine: Arc<Machine>, interrupts: Interrupts, limit: Option<Duration>) -> Task {
        let limit_ns = limit.map_or(u64::MAX, |l| monotonic_ns().saturating_add(l.as_nanos() as u64));
        Task { lwps: Vec::new(), interrupts, machine, alarm_ns: u64::MAX, limit_ns, shutting_down: false }
    }

    fn handle_events(&mut self) {
        for event in self.machine.external.take_events() {
            match event {
                Event::Interrupt(irq, arg) => self.interrupt(irq, arg),
                Event::Ready(slot, tenant) => self.machine.sched.with(|s| s.ready(slot, tenant)),
                Event::Kill => self.machine.end(Ending::Killed),
            }
        }
    }

    fn interrupt(&mut self, irq: u32, arg: u32) {
        let call = self.interrupts.intr.call(&mut self.interrupts.kernel.store, (irq, arg));
        self.check(call);
    }

    /// A trap of the kernel's on the interrupt instance is its end.
    fn check<T>(&self, call: wasmtime::Result<T>) -> Option<T> {
        call.map_err(|e| {
            if !e.is::<Stop>() {
                self.machine.end(Ending::Panicked(crate::lwp::describe(&e)));
            }
        })
        .ok()
    }

    /// Devices that have become ready. True if there was one.
    fn poll_devices(&mut self, cx: &mut Context<'_>) -> bool {
        let mut ready = 0u32;
        self.machine.devices.with(|d| d.poll_watched(cx, |unit| ready |= 1 << unit));
        for unit in (0..u32::BITS).filter(|unit| ready & 1 << unit != 0) {
            self.interrupt(irq::DEVICE, unit);
        }
        ready != 0
    }

    /// Runs one lwp until it sleeps, is stopped or ends. Answers the time.
    fn run(&mut self, slot: SlotId, begin: u64) -> u64 {
        let Some(lwp) = self.enter(slot) else { return monotonic_ns() };
        let done = lwp.life.as_mut().poll(&mut Context::from_waker(&lwp.waker)).is_ready();
        let now = monotonic_ns();
        let machine = self.machine.clone();
        machine.sched.with(|s| s.end(now));
        machine.times.run.fetch_add(now.saturating_sub(begin), Relaxed);
        if done {
            self.gone(slot);
        } else if let Some(lwp) = machine.sched.with(|s| s.slot(slot).preempted.then_some(s.slot(slot).lwp)) {
            self.interrupt(irq::TICK, lwp);
        }
        now
    }

    /// The future of the lwp in this slot; it begins to live when it runs first.
    fn enter(&mut self, slot: SlotId) -> Option<&mut Lwp> {
        let at = slot as usize;
        if at >= self.lwps.len() {
            self.lwps.resize_with(at + 1, || None);
        }
        if self.lwps[at].is_none() {
            let (lwp, tenant) = self.machine.sched.with(|s| (s.slot(slot).lwp, s.slot(slot).tenant));
            let call = self.interrupts.kstack.call(&mut self.interrupts.kernel.store, lwp);
            let stack = self.check(call)?;
            let external = self.machine.external.clone();
            let waker = Waker::from(Arc::new(LwpWaker { external, slot, tenant }));
            self.lwps[at] = Some(Lwp { life: Box::pin(life(self.machine.clone(), slot, stack)), waker });
        }
        self.lwps[at].as_mut()
    }

    fn gone(&mut self, slot: SlotId) {
        self.lwps[slot as usize] = None;
        let (lwp, vmspace) = self.machine.sched.with(|s| {
            s.gone(slot);
            (s.slot(slot).lwp, s.slot(slot).vmspace)
        });
        self.machine.count_lwp(vmspace, -1);
        if !self.machine.has_ended() {
            let call = self.interrupts.lwp_gone.call(&mut self.interrupts.kernel.store, lwp);
            self.check(call);
        }
    }

    fn out_of_time(&mut self, now: u64) {
        if self.shutting_down {
            self.machine.end(Ending::TimedOut);
        } else {
            self.shutting_down = true;
            self.limit_ns = now.saturating_add(GRACE_NS);
            self.interrupt(irq::SHUTDOWN, 0);
        }
    }

    /// Nobody is ready. True when there is something to do all the same.
    fn idle(&mut self, cx: &mut Context<'_>, now: u64) -> bool {
        if self.poll_devices(cx) || self.machine.external.pending() {
            return true;
        }
        let (deadline, lwps) = self.machine.sched.with(|s| (s.live_deadline(), s.lwps()));
        if lwps == 0 {
            self.machine.end(Ending::Panicked("kernel: no lwp is left, and it didn't halt".into()));
            return true;
        }
        let deadline = deadline.min(self.limit_ns);
        if deadline <= now {
            return true;
        }
        if self.alarm_ns <= now {
            self.alarm_ns = u64::MAX;
        }
        if deadline < self.alarm_ns {
            self.alarm_ns = deadline;
            self.machine.host.ticker.alarm(deadline, &self.machine.external);
        }
        false
    }

    fn finish(&mut self) -> (Ending, String) {
        let ending = match self.machine.ending() {
            Some(Ending::Halted(_)) | None if self.shutting_down => Ending::TimedOut,
            Some(ending) => ending,
            None => Ending::Killed,
        };
        let tell = matches!(ending, Ending::Halted(_) | Ending::TimedOut);
        let report = if tell { self.interrupts.report().unwrap_or_default() } else { String::new() };
        (ending, report)
    }
}

impl Future for Task {
    /// How it ended, and the kernel's report.
    type Output = (Ending, String);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = &mut *self;
        let host = me.machine.host.clone();
        let _running = host.ticker.run();
        me.machine.external.register(cx.waker());
        let mut now = monotonic_ns();
        let slice_end = now.saturating_add(TICK_NS);
        me.poll_devices(cx);
        loop {
            if me.machine.external.take_wake() {
                me.handle_events();
            }
            if now >= me.limit_ns {
                me.out_of_time(now);
            }
            if me.machine.has_ended() {
                return Poll::Ready(me.finish());
            }
            let next = me.machine.sched.with(|s| {
                if s.next_deadline <= now {
                    s.expire(now);
                }
                s.begin(now)
            });
            match next {
                Some(slot) => now = me.run(slot, now),
                None if me.idle(cx, now) => now = monotonic_ns(),
                None if me.machine.has_ended() => {}
                None => return Poll::Pending,
            }
            if now >= slice_end {
                // Others have their turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}
