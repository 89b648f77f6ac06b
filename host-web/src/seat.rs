//! A seat for an lwp: the instances that are the same for all lwps of a CPU, kernel and stub.
//!
//! Making them is most of the work of making an lwp, so a seat whose lwp is gone serves another.

use std::rc::Rc;

use wasm_bindgen::prelude::*;

use crate::cpu::Cpu;
use crate::hypercalls;
use crate::kernel::KernelInstance;
use crate::stub::Stub;

/// Seats that a CPU keeps for later.
const KEPT: usize = 16;

pub struct Seat {
    pub kernel: KernelInstance,
    pub stub: Stub,
}

impl Seat {
    /// A seat for this lwp, used or new.
    pub fn take(cpu: &Cpu, lwp: u32, stack: u32) -> Result<Rc<Seat>, JsValue> {
        let kept = cpu.seats.borrow_mut().pop();
        let seat = match kept {
            Some(seat) => seat,
            None => Rc::new(Seat::new(cpu)?),
        };
        seat.stub.set_lwp(lwp);
        seat.kernel.set_stack(stack);
        seat.reset();
        Ok(seat)
    }

    /// Its lwp has left it as it came, with nothing on any stack.
    pub fn give_back(self: Rc<Seat>, cpu: &Cpu) {
        self.stub.set_handler(&JsValue::UNDEFINED);
        let mut seats = cpu.seats.borrow_mut();
        if seats.len() < KEPT && self.kernel.unbind().is_ok() {
            seats.push(self);
        }
    }

    fn new(cpu: &Cpu) -> Result<Seat, JsValue> {
        let kernel = KernelInstance::new(cpu)?;
        let bell = &cpu.bells[cpu.nr as usize];
        let stub = Stub::new(&cpu.modules.stub, &kernel.exports, bell, &hypercalls::preempt()?)?;
        Ok(Seat { kernel, stub })
    }

    /// User code is about to run: whatever was left behind is gone.
    pub fn reset(&self) {
        self.stub.reset();
        self.kernel.reset_stack();
    }
}
