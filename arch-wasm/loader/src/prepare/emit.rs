//! Writing bodies with their checks, and the few functions that all checks share.
//!
//! There are two counts. `fuel`, a global, goes down; when it is below 0 the machine is asked
//! (`vk.check`) and it begins anew at [`FUEL`]. A loop counts in a local of its function, since a
//! global is memory and a memory's latency is more than a small loop takes; when that comes to
//! `TURNS` it goes off the fuel.

use wasm_encoder::{BlockType, CodeSection, Encode, Function, InstructionSink, ValType};
use wasmparser::{BinaryReader, Result};

use super::chunk::Piece;
use super::flow::{Edit, Flow, Instead, Loop, Move, What};
use super::inner::{self, MOST_INNER, Signature, Writer};
use super::kind::{Kind, LOOP, Labels, Locals, SLOTS, SLOTS_EACH};
use super::module::Module;
use super::renumber::IMPORTS;
use crate::copy::Copy;
use crate::handlers::has_handlers;

/// Units of cost between two checks: some 50 us.
pub const FUEL: i32 = 1 << 18;
/// So that no sum of two overflows.
pub const MOST: u32 = 1 << 28;
/// Limits of the engines, as wasmparser has them: <https://webassembly.github.io/spec/js-api/#limits>.
pub const MAX_LOCALS: u32 = 50_000;
pub const MAX_BODY: usize = 7_654_321;

/// The numbers of what is added.
pub struct Added {
    pub check: u32,
    pub limit: u32,
    pub fuel: u32,
    /// `tick(units)`, `refill()` and then [`More`].
    pub tick: u32,
}

impl Added {
    pub fn refill(&self) -> u32 {
        self.tick + 1
    }
    fn more(&self) -> u32 {
        self.tick + 2
    }
    /// A global to put a value aside.
    fn slot(&self, kind: usize, at: u32) -> u32 {
        self.fuel + 1 + kind as u32 * SLOTS_EACH + at
    }
    /// Locals to put aside, each with its global.
    pub fn aside(&self, used: impl Iterator<Item = u32>, locals: &Locals) -> Vec<(u32, u32)> {
        let mut slots = [0; SLOTS.len()];
        let slot = |local: u32| {
            let kind = locals.kind(local)?;
            slots[kind] += 1;
            Some((local, self.slot(kind, slots[kind] - 1)))
        };
        used.filter_map(slot).collect()
    }
}

/// Where in a body the branches are that nearly always go one way, and whether they are taken then.
pub type Hints = Vec<(u32, bool)>;

pub struct Emit<'a> {
    pub module: &'a Module<'a>,
    pub added: Added,
    pub more: Vec<More>,
}

/// A function that is added because of what a program does.
pub enum More {
    /// It stands for an instruction; one for each that occurs.
    Instead(Instead),
    /// With the index of the body that it has the code of.
    Inner(Signature, Vec<u8>, Hints, usize),
}

/// What is too large to have checks put in.
pub struct TooLarge(pub &'static str);

impl Emit<'_> {
    /// Writes a function that calls an inner one, if this body can be that.
    pub fn inner(&mut self, index: usize, flow: &Flow) -> Result<Option<Vec<u8>>> {
        let inners = self.more.iter().filter(|more| matches!(more, More::Inner(..))).count();
        if inners == MOST_INNER || !inner::only_counts(flow) {
            return Ok(None);
        }
        let Some(signature) = Signature::of(self.module, index) else { return Ok(None) };
        let (number, mut hints) = (self.added.more() + self.more.len() as u32, Hints::new());
        let writer = Writer { module: self.module, added: &self.added, signature: &signature, number, index };
        let Some(body) = writer.write(flow, &mut hints)? else { return Ok(None) };
        let outer = inner::outer(&self.added, &signature, number);
        self.more.push(More::Inner(signature, body, hints, index));
        Ok(Some(outer))
    }

    /// Writes a body without its length.
    pub fn body(&mut self, index: usize, flow: &Flow, hints: &mut Hints) -> Result<Result<Vec<u8>, TooLarge>> {
        let body = &self.module.bodies[index];
        let range = body.range();
        let mut copy = Copy::new(self.module.bytes, range.start as usize);
        let mut locals = Locals::of(flow);
        self.declare(index, &mut locals, &mut copy)?;
        if locals.first + locals.count() > MAX_LOCALS {
            return Ok(Err(TooLarge("locals")));
        }
        hints.clear();
        let mut labels = Labels::default();
        let mut at = 0;
        while let Some(edit) = flow.edits.get(at) {
            copy.up_to(edit.begin);
            at += 1;
            match edit.what {
                What::Head(number) if Kind::of(&flow.loops[number as usize]).is_split() => {
                    let l = &flow.loops[number as usize];
                    let used = &flow.used[l.used.0..l.used.1];
                    at += self.split(l, (&flow.edits[at..], used), &locals, &mut labels, &mut copy, hints)?;
                }
                What::Branch { .. } | What::Table { .. } => {
                    labels_of(edit, self.module.bytes, &labels, &mut copy.out)?;
                    copy.skip_to(edit.end);
                }
                _ if self.edit(edit, flow, &locals, &mut labels, &mut copy.out, hints) => copy.skip_to(edit.end),
                _ => {}
            }
        }
        copy.up_to(range.end as usize);
        Ok(if copy.out.len() > MAX_BODY { Err(TooLarge("instructions")) } else { Ok(copy.out) })
    }

    /// Copies the declarations and adds ours. Finds out the number of our first local and the types of the others.
    fn declare(&self, index: usize, locals: &mut Locals, copy: &mut Copy) -> Result<()> {
        let mut reader = self.module.bodies[index].get_locals_reader()?;
        let groups = reader.get_count();
        let begin = reader.original_position() as usize;
        for ty in self.module.params(index) {
            locals.more(1, *ty);
        }
        for _ in 0..groups {
            let (count, ty) = reader.read()?;
            locals.more(count, ty);
        }
        let ours = locals.count();
        (groups + u32::from(ours > 0)).encode(&mut copy.out);
        copy.skip_to(begin);
        copy.up_to(reader.original_position() as usize);
        if ours > 0 {
            ours.encode(&mut copy.out);
            ValType::I32.encode(&mut copy.out);
        }
        Ok(())
    }

    /// Writes an edit, but in a loop that was split; false when what is there stays.
    fn edit(
        &mut self,
        edit: &Edit,
        flow: &Flow,
        locals: &Locals,
        labels: &mut Labels,
        out: &mut Vec<u8>,
        hints: &mut Hints,
    ) -> bool {
        let the = |number: u32| &flow.loops[number as usize];
        match edit.what {
            What::Start => {}
            What::Pay(units) => self.pay(units, locals.scratch(), out, hints),
            What::Before(number) => {
                let l = the(number);
                labels.push(l);
                let ty = &self.module.bytes[l.ty.0..l.ty.1];
                match Kind::of(l) {
                    kind if kind.is_split() => kind.begin(ty, out),
                    Kind::Chunk => {
                        out.push(LOOP);
                        out.extend_from_slice(ty);
                        self.piece(l, flow, locals, labels, out, hints);
                        out.push(LOOP);
                        out.extend_from_slice(ty);
                    }
                    _ => return false,
                }
            }
            What::End(_) => {
                if labels.pop() != Some(Kind::Chunk) {
                    return false;
                }
                InstructionSink::new(out).end().end();
            }
            What::Bound(number) | What::Back(number) => {
                let Some(counted) = the(number).counted.filter(|_| Kind::of(the(number)) == Kind::Chunk) else {
                    return false;
                };
                if matches!(edit.what, What::Bound(_)) {
                    counted.compare(locals.end(labels), out);
                } else {
                    out.extend_from_slice(&self.module.bytes[edit.begin..edit.end]);
                    let at = counted.again(out);
                    hints.push((at, false));
                }
            }
            What::Head(number) => match (Kind::of(the(number)), the(number).turn) {
                (Kind::Dear, turn) => self.pay(turn, locals.scratch(), out, hints),
                (Kind::Whole, turn) => {
                    locals.count_turns(turn, out);
                    InstructionSink::new(out).i32_eqz();
                    hints.push((out.len() as u32, false));
                    InstructionSink::new(out).if_(BlockType::Empty);
                    let used = the(number).used;
                    self.settle_aside(flow.used[used.0..used.1].iter().copied(), locals, out);
                    InstructionSink::new(out).end();
                }
                _ => {}
            },
            What::Function(number) => number.encode(out),
            What::Long => _ = InstructionSink::new(out).call(self.added.refill()),
            What::Instead(instead) => {
                let known = |more: &More| matches!(more, More::Instead(known) if *known == instead);
                let at = self.more.iter().position(known).unwrap_or_else(|| {
                    self.more.push(More::Instead(instead));
                    self.more.len() - 1
                });
                InstructionSink::new(out).call(self.added.more() + at as u32);
            }
            What::Branch { .. } | What::Table { .. } => return false,
        }
        true
    }

    /// Writes what comes before a piece of a loop.
    fn piece(&self, l: &Loop, flow: &Flow, locals: &Locals, labels: &Labels, out: &mut Vec<u8>, hints: &mut Hints) {
        let Some(counted) = &l.counted else { return };
        let piece = Piece { end: locals.end(labels), turns: locals.turns(), cost: l.turn };
        counted.begin(piece, out);
        piece.settle(locals.limit, out, hints, |out| {
            let used = flow.used[l.used.0..l.used.1].iter().copied();
            self.settle_aside(used.chain([piece.end]), locals, out);
        });
    }

    /// Writes a loop that is split, from its head on: [`Kind::Split`] and [`Kind::Settles`] show how. Answers the number of its edits,
    /// of which `edits` are those behind the head; it changes the locals `used`.
    fn split(
        &mut self,
        l: &Loop,
        (edits, used): (&[Edit], &[u32]),
        locals: &Locals,
        labels: &mut Labels,
        copy: &mut Copy,
        hints: &mut Hints,
    ) -> Result<usize> {
        let (begin, end) = l.body;
        let inside = edits.iter().take_while(|edit| edit.begin < end).count();
        copy.skip_to(begin);
        InstructionSink::new(&mut copy.out).block(BlockType::Empty);
        for edit in edits[..inside].iter().filter(|edit| !matches!(edit.what, What::Bound(_) | What::Back(_))) {
            copy.up_to(edit.begin);
            labels_of(edit, self.module.bytes, labels, &mut copy.out)?;
            copy.skip_to(edit.end);
        }
        copy.up_to(end);
        let kind = Kind::of(l);
        kind.turn(&mut copy.out);
        locals.count_turns(l.turn, &mut copy.out);
        kind.settle(&mut copy.out, hints);
        self.settle_aside(used.iter().copied(), locals, &mut copy.out);
        kind.end(&mut copy.out);
        copy.skip_to(edits[inside].end);
        labels.pop();
        Ok(inside + 1)
    }

    /// Takes off the fuel.
    fn pay(&self, units: u32, scratch: u32, out: &mut Vec<u8>, hints: &mut Hints) {
        let (fuel, units) = (self.added.fuel, units.min(MOST) as i32);
        let mut code = InstructionSink::new(out);
        code.global_get(fuel).i32_const(units).i32_sub().local_tee(scratch).global_set(fuel);
        code.local_get(scratch).i32_const(0).i32_lt_s();
        hints.push((out.len() as u32, false));
        InstructionSink::new(out).if_(BlockType::Empty).call(self.added.refill()).end();
    }

    /// Takes the count of a loop that was split off the fuel. What the locals hold is in globals meanwhile, and no local is
    /// kept across the call: an engine without registers that survive calls would keep them in memory
    /// in the loop, too.
    fn settle_aside(&self, used: impl Iterator<Item = u32>, locals: &Locals, out: &mut Vec<u8>) {
        put_aside(&self.added.aside(used, locals), out, |out| self.settle(locals.turns(), out));
    }

    /// Takes a loop's count off the fuel.
    fn settle(&self, turns: u32, out: &mut Vec<u8>) {
        InstructionSink::new(out).local_get(turns).call(self.added.tick).i32_const(0).local_set(turns);
    }

    /// The functions that are added, in the order of their numbers.
    pub fn functions(&self, code: &mut CodeSection) {
        code.function(&self.tick()).function(&self.refill());
        for more in &self.more {
            match *more {
                More::Instead(Instead::Move(moved)) => code.function(&self.moved(moved)),
                More::Instead(Instead::Grow(memory)) => code.function(&self.grown(memory)),
                More::Inner(_, ref body, ..) => code.raw(body),
            };
        }
    }

    /// The inner functions, each with the one that calls it.
    pub fn inners(&self) -> Vec<(u32, u32)> {
        let inner = |(number, more): (u32, &More)| match more {
            More::Inner(.., index) => Some((number, self.module.imported + IMPORTS + *index as u32)),
            More::Instead(_) => None,
        };
        (self.added.more()..).zip(&self.more).filter_map(inner).collect()
    }

    /// The hints of the functions that are added.
    pub fn hints(&self) -> impl Iterator<Item = (u32, &Hints)> {
        (self.added.more()..).zip(&self.more).filter_map(|(number, more)| match more {
            More::Inner(_, _, hints, _) if !hints.is_empty() => Some((number, hints)),
            _ => None,
        })
    }

    fn tick(&self) -> Function {
        let fuel = self.added.fuel;
        let mut function = Function::new([]);
        let mut code = function.instructions();
        code.global_get(fuel).local_get(0).i32_sub().local_tee(0).global_set(fuel);
        code.local_get(0).i32_const(0).i32_lt_s().if_(BlockType::Empty).call(self.added.refill()).end().end();
        function
    }

    /// A signal's handler may run in the check, with loops of its own that put values aside: what is aside already is kept
    /// here meanwhile.
    fn refill(&self) -> Function {
        let handlers = has_handlers(self.module.bytes);
        let each = if handlers { SLOTS_EACH } else { 0 };
        let slots = SLOTS.len() as u32 * each;
        let mut function = Function::new(SLOTS.map(|ty| (each, ty)));
        let mut code = function.instructions();
        for slot in 0..slots {
            code.global_get(self.added.slot(0, slot)).local_set(slot);
        }
        code.i32_const(FUEL).global_set(self.added.fuel).call(self.added.check);
        for slot in 0..slots {
            code.local_get(slot).global_set(self.added.slot(0, slot));
        }
        code.end();
        function
    }

    /// `(to, from or byte, length)`: the instruction, in pieces with checks between them where it is
    /// long. One that is out of bounds must trap before anything is written, so it is not taken to
    /// pieces. Pieces of a copy go upwards or downwards as `memmove(3)` does.
    fn moved(&self, moved: Move) -> Function {
        const TO: u32 = 0;
        const FROM: u32 = 1;
        const LENGTH: u32 = 2;
        /// A first touch of so much memory takes 100 us or so.
        const PIECE: i32 = 1 << 20;
        /// 16 bytes a unit.
        const UNITS: i32 = 4;
        let mut function = Function::new([]);
        let mut code = function.instructions();
        code.local_get(LENGTH).i32_const(super::cost::SMALL_MOVE).i32_gt_u().if_(BlockType::Empty);
        code.local_get(LENGTH).i32_const(UNITS).i32_shr_u().call(self.added.tick);
        code.local_get(LENGTH).i32_const(PIECE).i32_gt_u();
        inside(&mut code, moved);
        code.i32_and().if_(BlockType::Empty);
        if matches!(moved, Move::Copy { .. }) {
            code.local_get(TO).local_get(FROM).i32_gt_u().if_(BlockType::Empty);
            code.loop_(BlockType::Empty);
            code.local_get(LENGTH).i32_const(PIECE).i32_sub().local_set(LENGTH);
            for base in [TO, FROM] {
                code.local_get(base).local_get(LENGTH).i32_add();
            }
            code.i32_const(PIECE);
            instruction(&mut code, moved);
            code.i32_const(FUEL).call(self.added.tick);
            code.local_get(LENGTH).i32_const(PIECE).i32_gt_u().br_if(0).end().else_();
        }
        code.loop_(BlockType::Empty);
        code.local_get(TO).local_get(FROM).i32_const(PIECE);
        instruction(&mut code, moved);
        code.i32_const(FUEL).call(self.added.tick);
        code.local_get(TO).i32_const(PIECE).i32_add().local_set(TO);
        if matches!(moved, Move::Copy { .. }) {
            code.local_get(FROM).i32_const(PIECE).i32_add().local_set(FROM);
        }
        code.local_get(LENGTH).i32_const(PIECE).i32_sub().local_tee(LENGTH);
        code.i32_const(PIECE).i32_gt_u().br_if(0).end();
        if matches!(moved, Move::Copy { .. }) {
            code.end();
        }
        code.end().end();
        code.local_get(TO).local_get(FROM).local_get(LENGTH);
        instruction(&mut code, moved);
        code.end();
        function
    }

    /// `(pages) -> pages before`: -1 where the program's memories would be larger than `vk.limit` says, all together. A
    /// limit may have become less than there is, and `memory.grow` of 0 is how some ask for the size.
    fn grown(&self, memory: u32) -> Function {
        let mut function = Function::new([]);
        let mut code = function.instructions();
        code.local_get(0).if_(BlockType::Empty);
        code.local_get(0).i64_extend_i32_u();
        for memory in 0..self.module.memories {
            code.memory_size(memory).i64_extend_i32_u().i64_add();
        }
        code.call(self.added.limit).i64_extend_i32_u().i64_gt_u();
        code.if_(BlockType::Empty).i32_const(-1).return_().end().end();
        code.local_get(0).memory_grow(memory).end();
        function
    }
}

/// Writes what puts locals aside, does something, and takes them back.
pub fn put_aside(kept: &[(u32, u32)], out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    for &(local, global) in kept {
        InstructionSink::new(out).local_get(local).global_set(global);
    }
    write(out);
    for &(local, global) in kept {
        InstructionSink::new(out).global_get(global).local_set(local);
    }
}

/// Writes the labels of a branch that crosses more of them, or a call's function.
pub fn labels_of(edit: &Edit, bytes: &[u8], around: &Labels, out: &mut Vec<u8>) -> Result<()> {
    match edit.what {
        What::Branch { depth, open } => around.now(depth, open).encode(out),
        What::Table { open } => {
            let mut labels = BinaryReader::new(&bytes[edit.begin..edit.end], 0);
            labels.read_var_u32()?.encode(out);
            while !labels.eof() {
                around.now(labels.read_var_u32()?, open).encode(out);
            }
        }
        What::Function(number) => number.encode(out),
        what => unreachable!("{what:?} in a loop that is split"),
    }
    Ok(())
}

fn instruction(code: &mut InstructionSink, moved: Move) {
    match moved {
        Move::Copy { to, from } => code.memory_copy(to, from),
        Move::Fill { memory } => code.memory_fill(memory),
    };
}

/// Pushes whether both ranges of a move are inside their memories.
fn inside(code: &mut InstructionSink, moved: Move) {
    let mut range = |address: u32, memory: u32| {
        code.local_get(address).i64_extend_i32_u().local_get(2).i64_extend_i32_u().i64_add();
        code.memory_size(memory).i64_extend_i32_u().i64_const(16).i64_shl().i64_le_u();
    };
    match moved {
        Move::Fill { memory } => range(0, memory),
        Move::Copy { to, from } => {
            range(0, to);
            range(1, from);
            code.i32_and();
        }
    }
}
