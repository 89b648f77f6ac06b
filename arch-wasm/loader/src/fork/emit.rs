//! Writing a body that may fork: as it is called, and as it is resumed.
//!
//! The *normal* copy asks after each site whether the stack is being unwound. If so it puts the operand
//! stack into its slots (locals of its own) and leaves for its one epilogue, which saves all locals:
//!
//! ```text
//! block $save (result i32)
//!   block (result ...)
//!     ...
//!     call $f
//!     global.get $state
//!     if (param ...) (result ...)     what is on the operand stack
//!       (to the slots) i32.const (number of the site) br $save
//!     end
//!     ...
//!   end
//!   return
//! end
//! (save)
//! ```
//!
//! The *resume* copy has no parameters; it takes its frame from memory, and each arm with points in it has a block
//! around what is before each point, to whose end the way leads past it. When `$again` is set, the arm begins
//! with choosing:
//!
//! ```text
//! block $2 (result ...)
//!   block $1 (result ...)
//!     if $again
//!       if (the site is before the end of point 1)  (from the slots) (resume what was called) br $1  end
//!       if (... of point 2)  (from the slots) br $2  end
//!     end
//!     ... call $f
//!   end
//!   global.get $state if ...
//!   ...
//! end
//! loop  (point 2, with an arm of its own)
//! ```

mod frame;
mod labels;

use wasm_encoder::{BlockType, Encode, InstructionSink, ValType};
use wasmparser::{Operator, OperatorsReader, Result};

use super::module::{Code, EXCEPTION, I32, Module};
use super::renumber::Around;
use super::shape::{KINDS, Nest, Point, Shape, Site};
use super::types::Added;
use super::value::{dummy, load};
use crate::copy::{Copy, Renumber};
use frame::Locals;

pub use frame::frame_size;

/// The numbers of what is added.
#[derive(Clone, Copy)]
pub struct Numbers {
    /// Globals: the stack is being unwound; where the next frame is put; how many callers cannot be unwound.
    pub state: u32,
    pub top: u32,
    pub held: u32,
    /// `(top) -> out of memory`.
    pub saved: u32,
    /// The table of resume copies.
    pub table: u32,
    /// The first resume copy of a body; its number in the table is 1.
    pub resume: u32,
}

/// Where in a body the branches are that are hardly ever taken.
pub type Hints = Vec<u32>;

pub struct Emit<'a> {
    pub module: &'a Module<'a>,
    pub renumber: &'a Around,
    pub numbers: Numbers,
    pub types: &'a mut Added,
}

/// Which copy is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum As {
    Normal,
    Resume,
}

/// A label of the program's.
struct Label {
    /// How many labels are around its construct, with those that were added, and itself.
    at: u32,
    /// Its construct, if it is a nest.
    nest: Option<usize>,
}

/// A body that is being written.
struct Writer<'e, 'a> {
    emit: &'e mut Emit<'a>,
    shape: &'e Shape,
    mode: As,
    /// Its number in the table, from 1 on.
    id: u32,
    locals: Locals,
    copy: Copy<'a>,
    labels: Vec<Label>,
    depth: u32,
    sites: usize,
    nests: usize,
    held: usize,
    hints: Hints,
}

/// The label of the epilogue, and that of the function.
const SAVE: u32 = 1;
const BODY: u32 = 2;

impl<'a> Emit<'a> {
    /// A body that cannot fork, without its length.
    pub fn plain(&self, body: usize) -> Result<Vec<u8>> {
        let body = &self.module.bodies[body];
        let mut copy = Copy::new(self.module.bytes, body.range().start as usize);
        let mut ops = OperatorsReader::new(body.get_binary_reader_for_operators()?);
        while !ops.eof() {
            let begin = ops.original_position() as usize;
            let op = ops.read()?;
            self.renumber.operator(&mut copy, &op, begin, ops.original_position() as usize);
        }
        copy.up_to(body.range().end as usize);
        Ok(copy.out)
    }

    /// A body without its length.
    pub fn body(&mut self, body: usize, shape: &Shape, mode: As, id: u32) -> Result<(Vec<u8>, Hints)> {
        let mut reader = self.module.bodies[body].get_locals_reader()?;
        let groups = reader.get_count();
        let begin = reader.original_position() as usize;
        for _ in 0..groups {
            reader.read()?;
        }
        let end = reader.original_position() as usize;
        let mut writer = Writer {
            copy: Copy::new(self.module.bytes, begin),
            emit: self,
            shape,
            mode,
            id,
            locals: Locals::of(shape),
            labels: Vec::new(),
            depth: 0,
            sites: 0,
            nests: 0,
            held: 0,
            hints: Hints::new(),
        };
        writer.declare(groups, end);
        writer.begin();
        let mut ops = OperatorsReader::new(writer.emit.module.bodies[body].get_binary_reader_for_operators()?);
        while !ops.eof() {
            let at = ops.original_position() as usize;
            let op = ops.read()?;
            writer.operator(&op, at, ops.original_position() as usize)?;
        }
        Ok((writer.copy.out, writer.hints))
    }
}

impl Writer<'_, '_> {
    fn code(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.copy.out)
    }

    fn instruments(&self) -> bool {
        !self.shape.sites.is_empty()
    }

    /// Declares the program's locals and ours.
    fn declare(&mut self, groups: u32, end: usize) {
        let mut before = Vec::new();
        let mut after: Vec<(u32, Code)> = Vec::new();
        if self.mode == As::Resume {
            let params = &self.shape.locals[..self.shape.params];
            before.extend(params.iter().filter_map(|&(count, code)| Some((count, code?))));
        }
        if self.instruments() {
            after.extend(KINDS.iter().zip(self.shape.slots).filter(|(_, n)| *n > 0).map(|(&code, n)| (n, code)));
            after.push((Locals::OWN, I32));
        }
        (groups + before.len() as u32 + after.len() as u32).encode(&mut self.copy.out);
        let declare = |out: &mut Vec<u8>, groups: &[(u32, Code)]| {
            for (count, code) in groups {
                count.encode(out);
                out.push(*code);
            }
        };
        declare(&mut self.copy.out, &before);
        self.copy.up_to(end);
        declare(&mut self.copy.out, &after);
    }

    fn begin(&mut self) {
        if self.instruments() {
            if self.mode == As::Resume {
                self.restore();
            }
            let ty = self.emit.types.block(&[], &self.shape.results);
            self.code().block(BlockType::Result(ValType::I32)).block(ty);
            self.depth = BODY;
        }
        self.labels.push(Label { at: self.depth, nest: None });
        self.arm(&self.shape.points, &[]);
    }

    fn operator(&mut self, op: &Operator, begin: usize, end: usize) -> Result<()> {
        let shape = self.shape;
        match op {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::TryTable { .. } => {
                self.open(op, begin, end);
            }
            Operator::Else => {
                self.copy.up_to(end);
                let nest = self.labels.last().and_then(|label| label.nest);
                if let Some(nest) = nest.map(|nest| &shape.nests[nest]) {
                    self.arm(&nest.arms[1], &nest.params);
                }
            }
            Operator::End => self.close(end),
            _ if shape.sites.get(self.sites).is_some_and(|site| site.begin == begin) => {
                self.sites += 1;
                self.emit.renumber.operator(&mut self.copy, op, begin, end);
                self.copy.up_to(end);
                self.land();
                self.check(self.sites - 1);
            }
            _ if shape.held.get(self.held).is_some_and(|held| held.begin == begin) => {
                self.held += 1;
                self.hold(self.held - 1, op, begin, end);
            }
            _ if self.mode == As::Resume && self.branch(op, begin, end) => {}
            _ => self.emit.renumber.operator(&mut self.copy, op, begin, end),
        }
        Ok(())
    }

    fn open(&mut self, op: &Operator, begin: usize, end: usize) {
        let number = self.nests;
        self.nests += 1;
        let nest = &self.shape.nests[number];
        if nest.has_sites() {
            self.copy.up_to(begin);
            self.spill(nest);
            self.land();
        }
        match op {
            Operator::TryTable { try_table } if self.mode == As::Resume => {
                self.copy.up_to(begin);
                self.catches(&try_table.catches, begin, end);
            }
            _ => self.copy.up_to(end),
        }
        self.depth += 1;
        self.labels.push(Label { at: self.depth, nest: nest.has_sites().then_some(number) });
        if nest.has_sites() {
            self.arm(&nest.arms[0], &nest.params);
        }
    }

    fn close(&mut self, end: usize) {
        self.labels.pop();
        self.copy.up_to(end);
        if self.labels.is_empty() {
            if self.instruments() {
                self.code().return_().end();
                self.save();
                self.code().end();
            }
        } else {
            self.depth -= 1;
        }
    }

    /// Asks whether the stack is being unwound, behind a site.
    fn check(&mut self, number: usize) {
        let site = &self.shape.sites[number];
        let stack = [site.below.as_slice(), &site.results].concat();
        let (ty, state, depth) = (self.emit.types.block(&stack, &stack), self.emit.numbers.state, self.depth);
        self.code().global_get(state);
        self.hints.push(self.copy.out.len() as u32);
        self.code().if_(ty);
        for _ in &site.results {
            self.code().drop();
        }
        let slots = self.locals.slots(site.base, &site.below);
        for slot in slots.into_iter().rev() {
            self.code().local_set(slot);
        }
        // From inside of the `if`.
        self.code().i32_const(number as i32).br(depth + 1 - SAVE).end();
    }

    /// The end of the innermost block around what is before a point.
    fn land(&mut self) {
        if self.mode == As::Resume {
            self.code().end();
            self.depth -= 1;
        }
    }

    /// Begins an arm: opens blocks for its points, and chooses among them.
    fn arm(&mut self, points: &[Point], params: &[Code]) {
        if self.mode == As::Normal || points.is_empty() {
            return;
        }
        let (shape, again, site) = (self.shape, self.locals.again(), self.locals.site());
        for &point in points.iter().rev() {
            let ty = self.emit.types.block(params, &shape.stack(point));
            self.code().block(ty);
        }
        self.depth += points.len() as u32;
        self.code().local_get(again).if_(BlockType::Empty);
        for (&point, label) in points.iter().zip(2..) {
            let end = shape.end(point);
            self.code().local_get(site).i32_const(end as i32).i32_lt_u().if_(BlockType::Empty);
            match point {
                Point::Site(number) => self.resume(&shape.sites[number as usize]),
                Point::Nest(number) => self.enter(&shape.nests[number as usize]),
            }
            self.code().br(label).end();
        }
        self.code().unreachable().end();
    }

    /// Resumes what was called at a site. From then on all is as it was, and what it throws may be caught here.
    fn resume(&mut self, site: &Site) {
        for slot in self.locals.slots(site.base, &site.below) {
            self.code().local_get(slot);
        }
        let again = self.locals.again();
        let (top, table) = (self.emit.numbers.top, self.emit.numbers.table);
        let ty = self.emit.types.function(&[], &site.results);
        self.code().i32_const(0).local_set(again);
        resume_last(&mut self.code(), top, table, ty);
    }

    /// The operand stack with which a nest is entered. It chooses for itself.
    fn enter(&mut self, nest: &Nest) {
        for slot in self.locals.slots(nest.base, &nest.below) {
            self.code().local_get(slot);
        }
        for &code in &nest.params {
            dummy(&mut self.copy.out, code);
        }
        if nest.is_if {
            let site = self.locals.site();
            self.code().local_get(site).i32_const(nest.middle as i32).i32_lt_u();
        }
    }

    /// Writes a call at which fork is refused.
    fn hold(&mut self, number: usize, op: &Operator, begin: usize, end: usize) {
        let held = self.emit.numbers.held;
        let count = |code: &mut InstructionSink, by: i32| {
            code.global_get(held).i32_const(by).i32_add().global_set(held);
        };
        self.copy.up_to(begin);
        count(&mut self.code(), 1);
        let ty = self.shape.held[number].ty.as_ref().filter(|_| self.emit.module.throws());
        if let Some((params, results)) = ty {
            let whole = self.emit.types.block(params, results);
            let caught = self.emit.types.block(params, &[EXCEPTION]);
            self.code().block(whole).block(caught).try_table(whole, [wasm_encoder::Catch::AllRef { label: 0 }]);
            self.emit.renumber.operator(&mut self.copy, op, begin, end);
            self.copy.up_to(end);
            self.code().end().br(1).end();
            count(&mut self.code(), -1);
            self.code().throw_ref().end();
        } else {
            self.emit.renumber.operator(&mut self.copy, op, begin, end);
            self.copy.up_to(end);
        }
        count(&mut self.code(), -1);
    }
}

/// Calls the resume copy of the function whose frame is on top. The frame ends with its number.
pub fn resume_last(code: &mut InstructionSink, top: u32, table: u32, ty: u32) {
    code.global_get(top).i32_const(4).i32_sub();
    load(code, I32, 0);
    code.call_indirect(table, ty);
}
