//! A CPU with nothing to run.
//!
//! Others wake it by its word in the control block. While no message and no work of the engine's is
//! awaited it blocks on that word for a moment: then the time from a notify to the lwp is that of the
//! engine's futex. After that, or otherwise, it returns to the event loop and has the engine call when
//! the word changes.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use web_sys::{MessageChannel, MessagePort};

use crate::control::cpu as at;
use crate::cpu::{Cpu, current_cpu, forever, now_ns};
use crate::js;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = Atomics, js_name = waitAsync, catch)]
    fn wait_async(words: &js_sys::Int32Array, index: u32, value: i32) -> Result<JsValue, JsValue>;
}

pub struct Idler {
    /// Runs [`block`] once the last lwp's stack is left.
    block: Function,
    /// A message to oneself is the shortest way around the event loop.
    port: MessagePort,
    posted: Cell<bool>,
    alarm: Function,
    /// The timer that is set, and for when.
    timer: Cell<Option<(f64, u64)>>,
    /// The engine calls when this CPU's word changes.
    listening: Cell<bool>,
    /// The last sleep was so short that looking again and again would have been quicker.
    brief: Cell<bool>,
}

/// A sleep that is worth looking for its end instead, and how long to look.
///
/// Longer than a futex takes to wake the partner, or the two would take turns at giving up too soon.
const BRIEF_NS: u64 = 200_000;
const LOOK_NS: u64 = 70_000;
/// After so long the CPU rests in the event loop instead, where a wake-up takes longer: a worker that blocks
/// keeps Firefox from answering fetches of others through a service worker.
const BLOCK_MS: f64 = 10.0;
/// How long to leave a CPU alone that nothing wakes from the event loop.
const LOOK_MS: f64 = 2.0;
/// Looks between two looks at the clock.
const LOOKS: u32 = 16;

impl Idler {
    pub fn new() -> Result<Idler, JsValue> {
        let channel = MessageChannel::new()?;
        let came = forever(|| {
            if let Some(cpu) = current_cpu() {
                cpu.idler().posted.set(false);
                in_a_task(&cpu);
            }
        });
        channel.port1().set_onmessage(Some(&came));
        let alarm = forever(|| {
            if let Some(cpu) = current_cpu() {
                cpu.idler().timer.set(None);
                in_a_task(&cpu);
            }
        });
        let block = forever(|| {
            if let Some(cpu) = current_cpu() {
                block(&cpu);
            }
        });
        Ok(Idler {
            block,
            port: channel.port2(),
            posted: Cell::new(false),
            alarm,
            timer: Cell::new(None),
            listening: Cell::new(false),
            brief: Cell::new(false),
        })
    }

    /// Goes on after the event loop has run what waits in it.
    pub fn after_a_task(&self) {
        if !self.posted.replace(true) {
            // A port to oneself takes any message.
            let _ = self.port.post_message(&JsValue::NULL);
        }
    }

    /// Nothing is ready.
    pub fn rest(&self, cpu: &Cpu) {
        if cpu.shared && cpu.awaited.get() == 0 {
            js::queue_microtask(&self.block);
        } else {
            self.to_event_loop(cpu);
        }
    }

    fn to_event_loop(&self, cpu: &Cpu) {
        if cpu.shared {
            self.listen(cpu);
        }
        let deadline = cpu.sched.borrow_mut().live_deadline();
        self.set_timer(deadline);
    }

    fn set_timer(&self, deadline: u64) {
        if let Some((id, at)) = self.timer.get() {
            if at == deadline {
                return;
            }
            js::clear_timeout(id);
            self.timer.set(None);
        }
        if deadline == u64::MAX {
            return;
        }
        let ms = deadline.saturating_sub(now_ns()).div_ceil(1_000_000).min(i32::MAX as u64);
        let id = js::set_timeout(&self.alarm, ms as f64);
        self.timer.set(Some((id, deadline)));
    }

    /// Has the engine call when somebody wakes this CPU.
    fn listen(&self, cpu: &Cpu) {
        cpu.control.store(cpu.control.cpu(cpu.nr, at::ASLEEP), 1);
        if self.listening.replace(true) {
            return self.look_once_more(cpu);
        }
        let wake = cpu.control.cpu(cpu.nr, at::WAKE);
        let Ok(waiting) = wait_async(cpu.control.words(), wake, cpu.control.load(wake)) else {
            // The engine has none, or no room for one more: we look ourselves.
            self.listening.set(false);
            js::set_timeout(&self.alarm, LOOK_MS);
            return self.look_once_more(cpu);
        };
        let heard = |_: JsValue| {
            if let Some(cpu) = current_cpu() {
                cpu.idler().listening.set(false);
                in_a_task(&cpu);
            }
        };
        match js::get(&waiting, "value").dyn_into::<Promise>() {
            Ok(promise) => {
                let heard = Closure::once_into_js(heard).unchecked_into();
                promise.unchecked_into::<js::Thenable>().then(&heard);
            }
            // It changed in between.
            Err(_) => {
                self.listening.set(false);
                self.after_a_task();
            }
        }
        self.look_once_more(cpu);
    }

    /// For what was asked before others could know that this CPU sleeps.
    fn look_once_more(&self, cpu: &Cpu) {
        cpu.do_requests();
        if cpu.sched.borrow().has_ready() {
            self.after_a_task();
        }
    }
}

/// The event loop runs a task of ours.
pub fn in_a_task(cpu: &Rc<Cpu>) {
    cpu.task_ns.set(now_ns());
    cpu.poke();
}

/// Waits on the word until something is ready or the event loop is needed. No lwp's stack is active.
fn block(cpu: &Rc<Cpu>) {
    let wake = cpu.control.cpu(cpu.nr, at::WAKE);
    while cpu.current.get().is_none() && !cpu.ended() {
        let seen = cpu.control.load(wake);
        cpu.do_requests();
        let now = now_ns();
        let (ready, deadline) = {
            let mut sched = cpu.sched.borrow_mut();
            sched.expire(now);
            (sched.has_ready(), sched.live_deadline())
        };
        if ready {
            return cpu.switch();
        }
        if cpu.awaited.get() > 0 || cpu.mail_waits() {
            return cpu.idler().to_event_loop(cpu);
        }
        let timeout = if deadline == u64::MAX { f64::INFINITY } else { (deadline - now) as f64 / 1e6 };
        sleep(cpu, wake, seen, timeout.min(BLOCK_MS));
        if timeout > BLOCK_MS && cpu.control.load(wake) == seen {
            return cpu.idler().to_event_loop(cpu);
        }
    }
}

/// Until the word is not `seen` any more. The partner of a lively conversation answers sooner than a
/// futex wakes, so after a brief sleep the next begins with a look.
fn sleep(cpu: &Cpu, wake: u32, seen: i32, timeout_ms: f64) {
    let idler = cpu.idler();
    if idler.brief.get() {
        let enough = now_ns() + LOOK_NS;
        while now_ns() < enough {
            if (0..LOOKS).any(|_| cpu.control.load(wake) != seen) {
                return;
            }
        }
    }
    let asleep = cpu.control.cpu(cpu.nr, at::ASLEEP);
    cpu.control.store(asleep, 1);
    let began = now_ns();
    cpu.control.wait(wake, seen, timeout_ms);
    cpu.control.store(asleep, 0);
    idler.brief.set(now_ns() - began < BRIEF_NS);
}
