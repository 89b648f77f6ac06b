//! What a thread and the service both have, and what a thread tells and asks the service.
//!
//! A message to the service is an array `[op, extra, numbers...]`. Those up to [`op::ASKS`] are questions: the service
//! answers on the board. Bytes do not travel with answers: the kernel's memory is the service's, too.

use abi::Errno;
use abi::types::devctl;
use js_sys::{Array, Int32Array};
use wasm_bindgen::prelude::*;

use super::board::{Board, at};
use crate::control::{Control, word};
use crate::hypercalls::answer;
use crate::js;
use crate::kmem::KernelMemory;
use crate::units::Units;

pub mod op {
    /// `blob, offset, ptr, len`: as the hypercall.
    pub const BLOB_READ: u32 = 1;
    /// Extra: the program's bytes. Answers the image and its pages.
    pub const IMAGE_COMMIT: u32 = 2;
    /// `blob`. Answers the image and its pages.
    pub const IMAGE_BLOB: u32 = 3;
    /// `image`. Answers its pages.
    pub const IMAGE_PAGES: u32 = 4;
    /// `ptr, len`: as the hypercall, of this thread's last failure.
    pub const IMAGE_ERROR: u32 = 5;
    /// `unit, write, offset, ptr, len`.
    pub const DISK_RW: u32 = 6;
    /// `unit`.
    pub const DISK_FLUSH: u32 = 7;
    /// `unit, cmd, arg`. Answers 64 bits.
    pub const DISK_CTL: u32 = 8;
    /// `unit, status`: a session is over.
    pub const EXITED: u32 = 9;
    /// One more idle thread. EAGAIN when there can be none.
    pub const THREAD: u32 = 10;
    /// Room for one more memory. EAGAIN when there can be none.
    pub const MEMORY: u32 = 11;
    /// Extra: what the memory of a forked lwp will be, which travels. `thread, image`: the thread has been given the lwp and
    /// shall run the image. Answers when its memory is made.
    pub const FORK: u32 = 12;
    pub const ASKS: u32 = 12;

    /// `image`. The service posts `[image, module]` to the thread, without a module when there is none.
    pub const WANT: u32 = 20;
    /// `image`: the kernel has forgotten it.
    pub const CLOSE: u32 = 21;
    /// `unit`: it has output.
    pub const OUTPUT: u32 = 23;
    /// `unit`: it has room for input.
    pub const ROOM: u32 = 13;
    /// Extra: text.
    pub const CONSOLE: u32 = 14;
    /// This thread is idle for the first time.
    pub const UP: u32 = 15;
    /// This thread, which was to leave, does nothing any more.
    pub const LEFT: u32 = 22;
    /// `errno`: the memory of the forked lwp that this thread was given is made, or not; then it does without the lwp.
    pub const FORKED: u32 = 24;
    /// `thread`: it was given an lwp.
    pub const TAKEN: u32 = 16;
    /// The kernel is up.
    pub const BOOTED: u32 = 17;
    /// `status`: `halt`.
    pub const HALTED: u32 = 18;
    /// Extra: the reason.
    pub const PANICKED: u32 = 19;
}

/// Sends a message, and what travels with it.
type Send = dyn Fn(&Array, &Array);

pub struct Link {
    pub control: Control,
    pub units: Units,
    pub kmem: KernelMemory,
    pub board: Board,
    /// `clock_module`, compiled.
    pub clock: JsValue,
    /// By how much CLOCK_MONOTONIC, which is the service's, is ahead of this worker's.
    pub shift_ms: f64,
    send: Box<Send>,
}

impl Link {
    pub fn new(
        control: JsValue,
        kmem: KernelMemory,
        board: Board,
        clock: JsValue,
        origin_ms: f64,
        send: impl Fn(&Array, &Array) + 'static,
    ) -> Link {
        let control = Control::over(control);
        let shift_ms = js::TIME_ORIGIN.with(|&own| own) - origin_ms;
        Link { units: Units::new(&control), control, kmem, board, clock, shift_ms, send: Box::new(send) }
    }

    pub fn tell(&self, op: u32, numbers: &[f64], extra: &JsValue) {
        self.send(op, numbers, extra, &Array::new());
    }

    /// As `tell`; what is `transferred` is no longer here.
    fn send(&self, op: u32, numbers: &[f64], extra: &JsValue, transferred: &Array) {
        let message = Array::of2(&op.into(), extra);
        for &number in numbers {
            message.push(&number.into());
        }
        (self.send)(&message, transferred);
    }

    /// As `tell`; the extra is a buffer, which travels.
    pub fn hand_over(&self, op: u32, numbers: &[f64], buffer: &JsValue) {
        self.send(op, numbers, buffer, &Array::of1(buffer));
    }

    pub fn ended(&self) -> bool {
        self.control.load(word::ENDED) != 0
    }

    /// Nanoseconds of CLOCK_MONOTONIC.
    pub fn now_ns(&self) -> u64 {
        ((js::now_ms() + self.shift_ms) * 1e6) as u64
    }

    pub fn kernel_words(&self) -> &Int32Array {
        self.kmem.words()
    }

    /// `lwp_kick`. A stop and a kill are the same here: the thread asks the kernel, and sleeps there if it is to stand still.
    pub fn kick(&self, lwp: u32) {
        if let Some(nr) = self.board.find(lwp) {
            self.board.set_bell(nr, 1);
        }
    }

    /// CPU time of an lwp of another thread, when it last slept.
    pub fn cpu_ns(&self, lwp: u32) -> u64 {
        self.board.find(lwp).map_or(0, |nr| u64::from(self.board.load(nr, at::CPU_US) as u32) * 1000)
    }

    // ---- devices

    /// `dev_rw` of an attached device.
    pub fn dev_rw(&self, unit: u32, write: bool, ptr: u32, len: u32) -> Result<u32, Errno> {
        let range = self.kmem.range(ptr, len)?;
        if write {
            let n = self.units.write(unit, &range)?;
            if self.units.tell(unit) {
                self.tell(op::OUTPUT, &[unit.into()], &JsValue::UNDEFINED);
            }
            return Ok(n);
        }
        let (n, room) = self.units.read(unit, &range)?;
        if room {
            self.tell(op::ROOM, &[unit.into()], &JsValue::UNDEFINED);
        }
        Ok(n)
    }

    /// `dev_rw` of the machine's own: `init`'s descriptors and the trace.
    pub fn standard_stream(&self, unit: u32, write: bool, ptr: u32, len: u32) -> Result<u32, Errno> {
        match (unit, write) {
            (devctl::STDIN, false) => Ok(0),
            (devctl::STDOUT | devctl::STDERR | devctl::TRACE, true) => {
                self.console(ptr, len);
                Ok(len)
            }
            _ => Err(Errno::ENXIO),
        }
    }

    pub fn console(&self, ptr: u32, len: u32) {
        // A bad pointer of the kernel's own: nothing can be told, and nothing depends on it.
        if let Ok(text) = self.kmem.read(ptr, len) {
            self.tell(op::CONSOLE, &[], &String::from_utf8_lossy(&text).as_ref().into());
        }
    }

    /// Ends the vkernel.
    pub fn panicked(&self, why: &str) {
        self.tell(op::PANICKED, &[], &why.into());
    }
}

/// The two words of an answer on the board, from one of 32 bits.
pub fn words(r: Result<u32, Errno>) -> (i32, i32) {
    (answer(r), 0)
}
