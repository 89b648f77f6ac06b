//! A seat for an lwp: the instances that are the same for all lwps of a CPU, kernel and stub.
//!
//! Making them is most of the work of making an lwp, so a seat whose lwp is gone serves another.
//!
//! A seat's *resident* is an instance of a program that forks: it stays when its process is gone, and serves the next child that
//! is forked of the same program. Making the instance again is spared, and so are the faults of a memory's pages, which are touched
//! already; all of the memory is overwritten. An lwp that goes on to another program leaves the seat with its resident.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::prelude::*;

use crate::cpu::Cpu;
use crate::forked::size;
use crate::frames::Left;
use crate::hypercalls;
use crate::kernel::KernelInstance;
use crate::stub::Stub;

/// Seats that a CPU keeps for later.
const KEPT: usize = 16;
/// Those of them that have a resident: each has one of the hundred memories for which an engine has room.
const RESIDENTS: usize = 2;
/// A larger memory does not stay.
const RESIDENT_MAX: f64 = (32 << 20) as f64;

pub struct Seat {
    pub kernel: KernelInstance,
    pub stub: Stub,
    pub left: Left,
    /// uaccess is bound to its memory.
    resident: RefCell<Option<Rc<Resident>>>,
}

/// A program's instance, made with the stub of a seat.
pub struct Resident {
    pub image: u32,
    pub exports: JsValue,
    pub memory: JsValue,
}

impl Seat {
    /// A seat for an lwp, used or new.
    pub fn take(cpu: &Cpu) -> Result<Rc<Seat>, JsValue> {
        let kept = take_last(cpu, |seat| !seat.has_resident());
        match kept {
            Some(seat) => Ok(seat),
            // Where there is no room, one does without its resident.
            None => Seat::new(cpu).map(Rc::new).or_else(|e| take_last(cpu, Seat::clear).ok_or(e)),
        }
    }

    /// A seat with an instance of that image whose memory is no larger than that.
    pub fn take_resident(cpu: &Cpu, image: u32, largest: f64) -> Option<(Rc<Seat>, Rc<Resident>)> {
        let serves = |resident: &Resident| resident.image == image && size(&resident.memory) <= largest;
        let seat = take_last(cpu, |seat| seat.resident.borrow().as_deref().is_some_and(serves))?;
        let resident = seat.resident.borrow().clone()?;
        Some((seat, resident))
    }

    pub fn has_resident(&self) -> bool {
        self.resident.borrow().is_some()
    }

    /// Is this lwp's, with this kernel stack, from now on.
    pub fn seat(&self, lwp: u32, stack: u32) {
        self.stub.set_lwp(lwp);
        self.kernel.set_stack(stack);
        self.reset();
    }

    /// A program of this image runs here, in this memory.
    pub fn enter(
        &self,
        cpu: &Cpu,
        image: u32,
        exports: &JsValue,
        memory: &JsValue,
        stays: bool,
    ) -> Result<(), JsValue> {
        self.stub.set_handler(exports);
        if self.resident.borrow().as_ref().is_some_and(|resident| resident.memory == *memory) {
            return Ok(());
        }
        self.kernel.bind(cpu, memory)?;
        let resident = Resident { image, exports: exports.clone(), memory: memory.clone() };
        self.resident.replace(stays.then(|| Rc::new(resident)));
        Ok(())
    }

    /// Its lwp has left it as it came, with nothing on any stack.
    pub fn give_back(self: Rc<Seat>, cpu: &Cpu) {
        self.stub.set_handler(&JsValue::UNDEFINED);
        self.left.reach(false);
        // The kernel may have forgotten the image while it ran.
        let serves = |resident: &Rc<Resident>| {
            size(&resident.memory) <= RESIDENT_MAX && cpu.images.get(resident.image).is_some()
        };
        let stays = self.resident.borrow().as_ref().is_some_and(serves);
        if !stays && !self.clear() {
            return;
        }
        let mut seats = cpu.seats.borrow_mut();
        if seats.len() < KEPT {
            seats.push(self);
        }
        let residents = || seats.iter().filter(|seat| seat.has_resident());
        if stays && residents().count() > RESIDENTS {
            let _ = residents().next().is_some_and(|oldest| oldest.clear());
        }
    }

    /// Lets go of the program's memory.
    fn clear(&self) -> bool {
        self.resident.replace(None);
        self.kernel.unbind().is_ok()
    }

    fn new(cpu: &Cpu) -> Result<Seat, JsValue> {
        let kernel = KernelInstance::new(cpu)?;
        let bell = &cpu.bells[cpu.nr as usize];
        let stub = Stub::new(&cpu.modules.stub, &kernel.exports, bell, &hypercalls::preempt()?)?;
        Ok(Seat { kernel, stub, resident: RefCell::default(), left: Left::default() })
    }

    /// User code is about to run: whatever was left behind is gone.
    pub fn reset(&self) {
        self.stub.reset();
        self.kernel.reset_stack();
    }
}

fn take_last(cpu: &Cpu, wanted: impl Fn(&Seat) -> bool) -> Option<Rc<Seat>> {
    let mut seats = cpu.seats.borrow_mut();
    let at = seats.iter().rposition(|seat| wanted(seat))?;
    Some(seats.remove(at))
}

/// Residents of this image, or all where memories are short, go.
pub fn evict(cpu: &Cpu, image: Option<u32>) {
    let goes = |resident: &Rc<Resident>| image.is_none_or(|image| resident.image == image);
    for seat in cpu.seats.borrow().iter().filter(|seat| seat.resident.borrow().as_ref().is_some_and(goes)) {
        seat.clear();
    }
}
