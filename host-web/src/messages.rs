//! What CPUs and the page tell each other.
//!
//! Small records, as JavaScript objects; the bytes of terminals are arrays beside them. Programs'
//! output goes out when a CPU turns to something else, so that many small writes are one message.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use abi::trapframe::irq;
use abi::types::devctl;
use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::MessagePort;

use crate::control::{Request, cpu as at};
use crate::cpu::{Cpu, New};
use crate::js;
use crate::numbered::Numbered;
use crate::record::messages;
use crate::units::Attach;

messages! {
    /// To the page.
    #[derive(Clone, Debug)]
    pub enum ToPage {
        /// The kernel is up and takes terminals.
        Booted,
        Console(text: String),
        /// Something that a person should know.
        Notice(text: String),
        Progress { what: String, title: String, done: f64, total: f64 },
        /// Output of a device; its bytes are beside, or (isolated) in its ring.
        Output(unit: u32),
        /// The session on a device is over, with this wait status.
        Exited { unit: u32, status: u32 },
        Report(text: String),
        Ended { status: Option<u32>, panic: Option<String> },
    }
}

impl ToPage {
    pub fn panicked(e: &JsValue) -> ToPage {
        ToPage::Ended { status: None, panic: Some(crate::kernel::epitaph(e)) }
    }
}

messages! {
    /// To the first CPU.
    #[derive(Clone, Debug)]
    pub enum ToCpu {
        Attach { unit: u32, kind: u32, rows: u32, cols: u32, command: Vec<u8> },
        /// Its bytes are beside.
        Input(unit: u32),
        End(unit: u32),
        Resize { unit: u32, rows: u32, cols: u32 },
        Shown { unit: u32, n: u32 },
        Close(unit: u32),
        Report,
        Shutdown,
        /// The page has done with it. Only the machine of threads, which has sleepers to wake, is told.
        Terminate,
    }
}

const BYTES: &str = "bytes";
const RECORD: &str = "record";

/// A record as a message, with bytes beside.
pub fn message(record: JsValue, bytes: Option<&Uint8Array>) -> JsValue {
    let message = js::object(&[(RECORD, &record)]);
    if let Some(bytes) = bytes {
        let _ = Reflect::set(&message, &BYTES.into(), bytes);
    }
    message.into()
}

/// The record of a message and the bytes beside it.
pub fn parts(message: &JsValue) -> (JsValue, Option<Uint8Array>) {
    (js::get(message, RECORD), js::get(message, BYTES).dyn_into().ok())
}

pub fn post(to: &MessagePort, record: &ToPage) {
    // What is posted can be cloned: it is plain data.
    let _ = to.post_message(&message(record.to_js(), None));
}

/// Input that waits for room, by device, and whether its end comes after it; devices with output
/// that the page has not been told of.
#[derive(Default)]
pub struct Backlog {
    input: Numbered<VecDeque<Uint8Array>>,
    ended: Vec<u32>,
    written: Cell<u64>,
}

fn bit(unit: u32) -> u64 {
    1u64.checked_shl(unit.wrapping_sub(devctl::ATTACHED_FIRST)).unwrap_or(0)
}

/// A device has output.
pub fn written(cpu: &Cpu, unit: u32) {
    let backlog = cpu.backlog.borrow();
    backlog.written.set(backlog.written.get() | bit(unit));
}

/// Lets the page have what was written by programs of this CPU.
pub fn flush(cpu: &Cpu) {
    let mut written = cpu.backlog.borrow().written.take();
    while written != 0 {
        let unit = devctl::ATTACHED_FIRST + written.trailing_zeros();
        written &= written - 1;
        if cpu.shared {
            if cpu.units.tell(unit) {
                post(&cpu.page, &ToPage::Output(unit));
            }
        } else if let Some(bytes) = cpu.units.take_output(unit) {
            let _ = cpu.page.post_message(&message(ToPage::Output(unit).to_js(), Some(&bytes)));
        }
    }
}

/// A device has room for input again: the first CPU, which has it, is told.
pub fn has_room(cpu: &Cpu, unit: u32) {
    if cpu.nr == 0 {
        refill(cpu, unit);
    } else {
        cpu.request(0, Request::Refill { unit });
    }
}

/// Hands over input that waited. The kernel is told in a moment, when no lwp runs.
pub fn refill(cpu: &Cpu, unit: u32) {
    give_input(cpu, unit);
    cpu.raise(irq::DEVICE, unit);
}

fn give_input(cpu: &Cpu, unit: u32) {
    let mut backlog = cpu.backlog.borrow_mut();
    let Some(queue) = backlog.input.get_mut(unit) else { return };
    while let Some(bytes) = queue.front_mut() {
        let n = cpu.units.input(unit, bytes);
        if n < bytes.length() {
            *bytes = bytes.subarray(n, bytes.length());
            return;
        }
        queue.pop_front();
    }
    backlog.input.remove(unit);
    if let Some(at) = backlog.ended.iter().position(|&u| u == unit) {
        backlog.ended.swap_remove(at);
        cpu.units.end_input(unit);
    }
}

/// The session on a device is over: the page gets its last output, then its status.
pub fn session_over(cpu: &Cpu, unit: u32, status: u32) {
    if let Some(bytes) = cpu.units.take_output(unit) {
        let _ = cpu.page.post_message(&message(ToPage::Output(unit).to_js(), Some(&bytes)));
    }
    cpu.units.free(unit);
    forget_input(cpu, unit);
    post(&cpu.page, &ToPage::Exited { unit, status });
}

fn forget_input(cpu: &Cpu, unit: u32) {
    let mut backlog = cpu.backlog.borrow_mut();
    backlog.input.remove(unit);
    backlog.ended.retain(|&u| u != unit);
}

/// A message of the page's has come to the first CPU; no lwp runs.
pub fn from_page(cpu: &Rc<Cpu>, message: &JsValue) {
    let (record, bytes) = parts(message);
    let Some(record) = ToCpu::of_js(&record) else { return };
    match record {
        ToCpu::Attach { unit, kind, rows, cols, command } => {
            // Of the session before, if another CPU has told of its end.
            forget_input(cpu, unit);
            let attached = cpu.units.attach(unit, &Attach { kind, rows, cols, command });
            if attached {
                cpu.raise(irq::ATTACH, unit);
            } else {
                post(&cpu.page, &ToPage::Exited { unit, status: 126 << 8 });
            }
        }
        ToCpu::Input(unit) => {
            if let Some(bytes) = bytes {
                cpu.backlog.borrow_mut().input.or_default(unit).push_back(bytes);
            }
            refill(cpu, unit);
        }
        ToCpu::End(unit) => {
            cpu.backlog.borrow_mut().ended.push(unit);
            cpu.backlog.borrow_mut().input.or_default(unit);
            refill(cpu, unit);
        }
        ToCpu::Resize { unit, rows, cols } => {
            cpu.units.resize(unit, rows, cols);
            cpu.raise(irq::WINCH, unit);
        }
        ToCpu::Shown { unit, n } => {
            if cpu.units.shown(unit, n) {
                cpu.raise(irq::DEVICE, unit);
            }
        }
        ToCpu::Close(unit) => {
            cpu.units.hang_up(unit);
            cpu.raise(irq::HANGUP, unit);
        }
        ToCpu::Report => {
            let report = cpu.interrupts.get().map(|i| i.report(&cpu.kmem));
            let text = report.map_or_else(String::new, |r| r.unwrap_or_else(|e| js::message(&e)));
            post(&cpu.page, &ToPage::Report(text));
        }
        ToCpu::Shutdown => cpu.raise(irq::SHUTDOWN, 0),
        ToCpu::Terminate => {}
    }
}

/// A program was compiled here: the other CPUs get it too.
pub fn post_image(cpu: &Cpu, number: u32, module: &JsValue) {
    for (nr, port) in cpu.peers.borrow().iter() {
        let posted = js::object(&[("image", &number.into()), ("module", module)]);
        if port.post_message(&posted).is_ok() {
            mailed(cpu, *nr);
        }
    }
}

/// Hands another CPU a forked lwp, and what its memory will be. False when it can't be sent.
pub fn post_fork(cpu: &Cpu, nr: u32, new: &New, image: u32, copy: &JsValue) -> bool {
    let numbers =
        [("lwp", new.lwp), ("vmspace", new.vmspace), ("limit", new.limit), ("image", image), ("from", cpu.nr)];
    let posted = js::object(&[("copy", copy)]);
    for (name, number) in numbers {
        let _ = Reflect::set(&posted, &name.into(), &number.into());
    }
    post_peer(cpu, nr, &posted, &Array::of1(copy))
}

/// Tells the CPU that has forked an lwp of this one how that went.
pub fn post_forked(cpu: &Cpu, nr: u32, lwp: u32, errno: i32) {
    let posted = js::object(&[("forked", &lwp.into()), ("errno", &errno.into())]);
    // What is plain data can be cloned.
    post_peer(cpu, nr, &posted, &Array::new());
}

fn post_peer(cpu: &Cpu, nr: u32, posted: &JsValue, transferred: &Array) -> bool {
    let peers = cpu.peers.borrow();
    let Some((_, port)) = peers.iter().find(|(peer, _)| *peer == nr) else { return false };
    let sent = port.post_message_with_transferable(posted, transferred).is_ok();
    if sent {
        mailed(cpu, nr);
    }
    sent
}

/// Another CPU has a message.
fn mailed(cpu: &Cpu, nr: u32) {
    cpu.control.add(cpu.control.cpu(nr, at::MAIL), 1);
    cpu.ring(nr);
    cpu.control.wake(nr);
}
