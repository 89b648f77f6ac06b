//! A frame: where in it each local is, and the code that saves it and takes it back.

use wasm_encoder::BlockType;

use super::{Numbers, Writer};
use crate::fork::module::{Code, I32, is_number};
use crate::fork::shape::{KINDS, Nest, Shape, Slots, kind};
use crate::fork::value::{dummy, load, size, store};

impl Writer<'_, '_> {
    /// Puts what is beneath a nest into slots.
    pub(super) fn spill(&mut self, nest: &Nest) {
        if nest.below.is_empty() {
            return;
        }
        let mut stack = nest.stack();
        if let [_] = stack[..] {
            let slot = self.locals.slots(nest.base, &stack)[0];
            self.code().local_tee(slot);
            return;
        }
        let slots = self.locals.slots(nest.base, &stack);
        let first = stack.len() - 1;
        while stack.pop().is_some() {
            let slot = slots[stack.len()];
            match stack[..] {
                [] => _ = self.code().local_tee(slot),
                _ => _ = self.code().local_set(slot),
            }
        }
        slots[slots.len() - first..].iter().for_each(|&slot| _ = self.code().local_get(slot));
    }

    /// The epilogue. The number of the site is on the operand stack.
    pub(super) fn save(&mut self) {
        let Numbers { top, saved, resume, .. } = self.emit.numbers;
        let (site, frame, id) = (self.locals.site(), self.locals.frame(), self.id);
        self.code().local_set(site).global_get(top).local_set(frame);
        let mut offset = 0;
        for (local, ty) in self.locals.all() {
            let mut code = self.code();
            code.local_get(frame).local_get(local);
            store(&mut code, ty, offset);
            offset += size(ty);
        }
        let mut code = self.code();
        code.local_get(frame).local_get(site);
        store(&mut code, I32, offset);
        code.local_get(frame).i32_const(id as i32);
        store(&mut code, I32, offset + 4);
        code.local_get(frame).i32_const(offset as i32 + 8).i32_add().call(saved);
        // There is no room for the caller's frame: fork's answer is an error, from here.
        code.if_(BlockType::Empty).call(resume + id - 1).return_().end();
        self.shape.results.iter().for_each(|&ty| dummy(&mut self.copy.out, ty));
    }

    /// Takes the frame from memory.
    pub(super) fn restore(&mut self) {
        let top = self.emit.numbers.top;
        let (site, frame, again) = (self.locals.site(), self.locals.frame(), self.locals.again());
        let size_ = frame_size(self.shape);
        self.code().global_get(top).i32_const(size_ as i32).i32_sub().local_tee(frame).global_set(top);
        let mut offset = 0;
        for (local, ty) in self.locals.all() {
            let mut code = self.code();
            code.local_get(frame);
            load(&mut code, ty, offset);
            code.local_set(local);
            offset += size(ty);
        }
        let mut code = self.code();
        code.local_get(frame);
        load(&mut code, I32, offset);
        code.local_set(site).i32_const(1).local_set(again);
    }
}

/// Bytes of a frame: locals, slots, the number of the site, that of the function.
pub fn frame_size(shape: &Shape) -> u32 {
    Locals::of(shape).all().map(|(_, ty)| size(ty)).sum::<u32>() + 8
}

/// The numbers of a body's locals: the program's, a slot for each value that is spilled, and three of our own.
pub struct Locals {
    /// Of references what stands for them; they are in no frame.
    groups: Vec<(u32, Option<Code>)>,
    first: u32,
    slots: Slots,
}

impl Locals {
    pub const OWN: u32 = 3;

    pub fn of(shape: &Shape) -> Locals {
        let first = shape.locals.iter().map(|(count, _)| count).sum();
        Locals { groups: shape.locals.clone(), first, slots: shape.slots }
    }

    /// The slots of values, of which those before use `base`.
    pub fn slots(&self, base: Slots, values: &[Code]) -> Vec<u32> {
        let mut used = base;
        let slot = |&code: &Code| {
            let kind = kind(code);
            used[kind] += 1;
            self.first + self.slots[..kind].iter().sum::<u32>() + used[kind] - 1
        };
        values.iter().map(slot).collect()
    }

    /// All that is in a frame.
    pub fn all(&self) -> impl Iterator<Item = (u32, Code)> + use<> {
        let slots = self.slots.into_iter().zip(KINDS.map(Some));
        let groups: Vec<_> = self.groups.iter().copied().chain(slots).collect();
        let each = groups.into_iter().flat_map(|(count, code)| std::iter::repeat_n(code, count as usize));
        (0..).zip(each).filter_map(|(local, code)| Some((local, code.filter(|&code| is_number(code))?)))
    }

    fn own(&self) -> u32 {
        self.first + self.slots.iter().sum::<u32>()
    }
    pub fn frame(&self) -> u32 {
        self.own()
    }
    pub fn site(&self) -> u32 {
        self.own() + 1
    }
    pub fn again(&self) -> u32 {
        self.own() + 2
    }
}
