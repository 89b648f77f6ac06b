//! A seat for an lwp: the instances that are the same for all lwps of a CPU, kernel and stub.
//!
//! Making them is most of the work of making an lwp, so a seat whose lwp is gone serves another.

use std::rc::Rc;

use wasm_bindgen::prelude::*;

use crate::cpu::Cpu;
use crate::frames::Left;
use crate::hypercalls;
use crate::kernel::KernelInstance;
use crate::stub::Stub;

/// Seats that a CPU keeps for later.
const KEPT: usize = 16;

pub struct Seat {
    pub kernel: KernelInstance,
    pub stub: Stub,
    pub left: Left,
}

impl Seat {
    /// A seat for an lwp, used or new.
    pub fn take(cpu: &Cpu) -> Result<Rc<Seat>, JsValue> {
        let kept = cpu.seats.borrow_mut().pop();
        match kept {
            Some(seat) => Ok(seat),
            None => Seat::new(cpu).map(Rc::new),
        }
    }

    /// Is this lwp's, with this kernel stack, from now on.
    pub fn seat(&self, lwp: u32, stack: u32) {
        self.stub.set_lwp(lwp);
        self.kernel.set_stack(stack);
        self.reset();
    }

    /// Its lwp has left it as it came, with nothing on any stack.
    pub fn give_back(self: Rc<Seat>, cpu: &Cpu) {
        self.stub.set_handler(&JsValue::UNDEFINED);
        self.left.reach(false);
        let mut seats = cpu.seats.borrow_mut();
        if seats.len() < KEPT && self.kernel.unbind().is_ok() {
            seats.push(self);
        }
    }

    fn new(cpu: &Cpu) -> Result<Seat, JsValue> {
        let kernel = KernelInstance::new(cpu)?;
        let bell = &cpu.bells[cpu.nr as usize];
        let stub = Stub::new(&cpu.modules.stub, &kernel.exports, bell, &hypercalls::preempt()?)?;
        Ok(Seat { kernel, stub, left: Left::default() })
    }

    /// User code is about to run: whatever was left behind is gone.
    pub fn reset(&self) {
        self.stub.reset();
        self.kernel.reset_stack();
    }
}
