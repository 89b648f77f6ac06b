//! Functions that call themselves, and hand the fuel on in a register.
//!
//! `fuel` is memory, and memory's latency is more than a small function takes that does little but call
//! itself. Such a function becomes two:
//!
//! ```text
//! f(arguments) -> result:                 the one that all others, and references, know
//!   (fuel, result) = inner(arguments, fuel)
//! inner(arguments, fuel) -> fuel, result: the body, which calls itself as inner
//! ```
//!
//! V8 returns both in registers, SpiderMonkey only the last: so that is what is used at once.
//!
//! Its loops count in that register, too, and do not settle: they ask where the fuel comes to its end.
//!
//! Whoever else is called finds the fuel in its global and leaves it there. An exception would pass by
//! the place where it is put back, so there is no inner function in a module that catches any: what
//! nobody catches ends the program.

use wasm_encoder::{BlockType, Encode, Function, InstructionSink, ValType};
use wasmparser::{Operator, OperatorsReader, Result};

use super::emit::{Added, FUEL, Hints, MAX_BODY, MAX_LOCALS, MOST, labels_of, put_aside};
use super::flow::{Edit, Flow, Loop, What};
use super::graph::is_indirect;
use super::kind::{Kind, Labels, Locals};
use super::module::Module;
use super::renumber::Behind;
use crate::copy::{Copy, Renumber};

/// So many of them in a module: there is room for a thousand more functions and types.
pub const MOST_INNER: usize = 500;
/// An engine takes 1000: <https://webassembly.github.io/spec/js-api/#limits>.
const MOST_PARAMS: usize = 999;

/// The type of an inner function: the other's, with the fuel behind the parameters and before the result.
pub struct Signature {
    pub params: Vec<ValType>,
    pub results: Vec<ValType>,
}

impl Signature {
    /// Of the inner function for this body, if it can have one: engines return two numbers in registers.
    pub fn of(module: &Module, index: usize) -> Option<Signature> {
        const FUEL: Option<ValType> = Some(ValType::I32);
        let (params, results) = (module.params(index), module.results(index));
        if params.len() >= MOST_PARAMS || results.len() > 1 {
            return None;
        }
        Some(Signature {
            params: params.iter().map(number).chain([FUEL]).collect::<Option<_>>()?,
            results: [FUEL].into_iter().chain(results.iter().map(number)).collect::<Option<_>>()?,
        })
    }

    fn result(&self) -> Option<ValType> {
        self.results.get(1).copied()
    }

    /// The local that holds the fuel.
    fn fuel(&self) -> u32 {
        self.params.len() as u32 - 1
    }
}

fn number(ty: &wasmparser::ValType) -> Option<ValType> {
    match ty {
        wasmparser::ValType::I32 => Some(ValType::I32),
        wasmparser::ValType::I64 => Some(ValType::I64),
        wasmparser::ValType::F32 => Some(ValType::F32),
        wasmparser::ValType::F64 => Some(ValType::F64),
        _ => None,
    }
}

/// Whether all that a body does for its checks is to take from the fuel and to count.
pub fn only_counts(flow: &Flow) -> bool {
    flow.edits.iter().all(|edit| !matches!(edit.what, What::Instead(_) | What::Long))
        && flow.loops.iter().all(|l| Kind::of(l) != Kind::Chunk)
}

/// What remains of the function itself.
pub fn outer(added: &Added, signature: &Signature, inner: u32) -> Vec<u8> {
    let mut function = Function::new(signature.result().map(|ty| (1, ty)));
    let mut code = function.instructions();
    for param in 0..signature.fuel() {
        code.local_get(param);
    }
    code.global_get(added.fuel).call(inner);
    if signature.result().is_some() {
        code.local_set(signature.fuel()).global_set(added.fuel).local_get(signature.fuel());
    } else {
        code.global_set(added.fuel);
    }
    code.end();
    function.into_raw_body()
}

/// Writes an inner function.
pub struct Writer<'a> {
    pub module: &'a Module<'a>,
    pub added: &'a Added,
    pub signature: &'a Signature,
    /// Its number, and the body's among those of the module.
    pub number: u32,
    pub index: usize,
}

impl Writer<'_> {
    /// The body without its length, and its hints; nothing if it is too large.
    pub fn write(&self, flow: &Flow, hints: &mut Hints) -> Result<Option<Vec<u8>>> {
        let body = &self.module.bodies[self.index];
        let mut ops = OperatorsReader::new(body.get_binary_reader_for_operators()?);
        let mut copy = Copy::new(self.module.bytes, body.range().start as usize);
        let (count, locals) = self.declare(flow, &mut copy)?;
        copy.up_to(ops.original_position() as usize);
        let (fuel, result) = (self.signature.fuel(), self.signature.result().map(|_| count - 1));
        // Where the body's label was: a return goes there.
        InstructionSink::new(&mut copy.out).block(self.signature.result().map_or(BlockType::Empty, BlockType::Result));
        let (mut edits, mut depth, mut labels) = (flow.edits.iter().peekable(), 0, Labels::default());
        while !ops.eof() {
            let (begin, mut replaced) = (ops.original_position() as usize, false);
            while let Some(edit) = edits.next_if(|edit| edit.begin <= begin) {
                replaced |= self.edit((edit, begin), flow, &locals, &mut labels, &mut copy, hints);
            }
            let op = ops.read()?;
            let end = ops.original_position() as usize;
            let branch =
                |edit: &&Edit| edit.begin < end && matches!(edit.what, What::Branch { .. } | What::Table { .. });
            if replaced {
                copy.skip_to(end);
            } else if let Some(edit) = edits.next_if(branch) {
                copy.up_to(edit.begin);
                labels_of(edit, self.module.bytes, &labels, &mut copy.out)?;
                copy.skip_to(edit.end);
            } else {
                self.operator(&op, (begin, end), (depth + labels.added(), result), &mut copy);
            }
            match op {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => depth += 1,
                Operator::End if depth > 0 => depth -= 1,
                _ => {}
            }
        }
        copy.up_to(body.range().end as usize);
        let mut code = InstructionSink::new(&mut copy.out);
        match result {
            Some(result) => code.local_set(result).local_get(fuel).local_get(result).end(),
            None => code.local_get(fuel).end(),
        };
        Ok(Some(copy.out).filter(|out| out.len() <= MAX_BODY && count <= MAX_LOCALS))
    }

    /// Copies the declarations, adds a local for a result, and answers the number of all and what the body knows of them.
    fn declare(&self, flow: &Flow, copy: &mut Copy) -> Result<(u32, Locals)> {
        let mut reader = self.module.bodies[self.index].get_locals_reader()?;
        let (groups, begin) = (reader.get_count(), reader.original_position() as usize);
        let (mut count, mut locals) = (self.signature.fuel() + 1, Locals::of(flow));
        for ty in self.module.params(self.index) {
            locals.more(1, *ty);
        }
        for _ in 0..groups {
            let (more, ty) = reader.read()?;
            locals.more(more, ty);
            count += more;
        }
        let result = self.signature.result();
        (groups + u32::from(result.is_some())).encode(&mut copy.out);
        copy.skip_to(begin);
        copy.up_to(reader.original_position() as usize);
        if let Some(ty) = result {
            1u32.encode(&mut copy.out);
            ty.encode(&mut copy.out);
            count += 1;
        }
        Ok((count, locals))
    }

    /// Writes an edit before the instruction that begins `at` a place, or in its stead: then it answers true.
    fn edit(
        &self,
        (edit, at): (&Edit, usize),
        flow: &Flow,
        locals: &Locals,
        labels: &mut Labels,
        copy: &mut Copy,
        hints: &mut Hints,
    ) -> bool {
        let the = |number: u32| (&flow.loops[number as usize], Kind::of(&flow.loops[number as usize]));
        copy.up_to(at);
        let out = &mut copy.out;
        match edit.what {
            // What its loops may do before they settle: here they take it from the fuel at once.
            What::Pay(units) => self.pay(units - flow.loops_paid, out, hints),
            What::Before(number) => {
                let (l, kind) = the(number);
                labels.push(l);
                kind.begin(&self.module.bytes[l.ty.0..l.ty.1], out);
                return kind.is_split();
            }
            What::Head(number) => match the(number) {
                (l, Kind::Dear) => self.pay(l.turn, out, hints),
                (l, Kind::Whole) => {
                    self.take(l.turn, out);
                    InstructionSink::new(out).i32_lt_s();
                    hints.push((out.len() as u32, false));
                    InstructionSink::new(out).if_(BlockType::Empty);
                    self.ask(l, flow, locals, out);
                    InstructionSink::new(out).end();
                }
                (_, kind) if kind.is_split() => _ = InstructionSink::new(out).block(BlockType::Empty),
                _ => {}
            },
            What::End(number) => {
                let (l, kind) = the(number);
                labels.pop();
                if kind.is_split() {
                    kind.turn(out);
                    self.take(l.turn, out);
                    InstructionSink::new(out).i32_ge_s();
                    kind.settle(out, hints);
                    self.ask(l, flow, locals, out);
                    kind.end(out);
                }
                return kind.is_split();
            }
            _ => {}
        }
        false
    }

    /// Takes from the fuel, and pushes what is left of it and 0.
    fn take(&self, units: u32, out: &mut Vec<u8>) {
        let (fuel, units) = (self.signature.fuel(), units.min(MOST) as i32);
        InstructionSink::new(out).local_get(fuel).i32_const(units).i32_sub().local_tee(fuel).i32_const(0);
    }

    fn pay(&self, units: u32, out: &mut Vec<u8>, hints: &mut Hints) {
        self.take(units, out);
        InstructionSink::new(out).i32_lt_s();
        hints.push((out.len() as u32, false));
        InstructionSink::new(out).if_(BlockType::Empty);
        self.refill(out);
        InstructionSink::new(out).end();
    }

    fn refill(&self, out: &mut Vec<u8>) {
        InstructionSink::new(out).call(self.added.refill()).i32_const(FUEL).local_set(self.signature.fuel());
    }

    /// Asks for more, with a loop's locals put aside.
    fn ask(&self, l: &Loop, flow: &Flow, locals: &Locals, out: &mut Vec<u8>) {
        let used = flow.used[l.used.0..l.used.1].iter().copied();
        // The fuel is before them.
        let here = |local: u32| local + u32::from(local >= self.signature.fuel());
        let kept = self.added.aside(used, locals).into_iter().map(|(local, global)| (here(local), global));
        let kept: Vec<(u32, u32)> = kept.collect();
        put_aside(&kept, out, |out| self.refill(out));
    }

    /// Writes an instruction in `depth` blocks. A call's `result` is moved over the fuel.
    fn operator(&self, op: &Operator, at: (usize, usize), (depth, result): (u32, Option<u32>), copy: &mut Copy) {
        let (begin, end) = at;
        let fuel = self.signature.fuel();
        let renumber = Behind { imported: self.module.imported };
        match *op {
            Operator::LocalGet { local_index }
            | Operator::LocalSet { local_index }
            | Operator::LocalTee { local_index }
                if local_index >= fuel =>
            {
                copy.replace(begin + 1, end, local_index + 1);
            }
            Operator::Return => {
                copy.up_to(begin);
                InstructionSink::new(&mut copy.out).br(depth);
                copy.skip_to(end);
            }
            Operator::Call { function_index } if function_index == self.module.imported + self.index as u32 => {
                copy.up_to(begin);
                let mut code = InstructionSink::new(&mut copy.out);
                code.local_get(fuel).call(self.number);
                match result {
                    Some(result) => code.local_set(result).local_set(fuel).local_get(result),
                    None => code.local_set(fuel),
                };
                copy.skip_to(end);
            }
            Operator::Call { .. } | Operator::CallIndirect { .. } | Operator::CallRef { .. } => {
                copy.up_to(begin);
                InstructionSink::new(&mut copy.out).local_get(fuel).global_set(self.added.fuel);
                renumber.operator(copy, op, begin, end);
                copy.up_to(end);
                InstructionSink::new(&mut copy.out).global_get(self.added.fuel).local_set(fuel);
            }
            _ => renumber.operator(copy, op, begin, end),
        }
    }
}

/// How a body calls, found out while it is read.
#[derive(Clone, Copy, Default)]
pub struct Calls {
    own: u32,
    others: u32,
    /// It has a call in place of a return.
    tail: bool,
    after: bool,
}

impl Calls {
    /// Takes the next instruction; `own` is the function that it is in.
    pub fn see(&mut self, op: &Operator, own: u32) {
        use Operator as O;
        let after = std::mem::take(&mut self.after);
        match *op {
            O::Call { function_index } if function_index == own => self.own += 1,
            O::ReturnCall { .. } | O::ReturnCallIndirect { .. } | O::ReturnCallRef { .. } => self.tail = true,
            // One that does not come back is for failures.
            O::Unreachable if after => self.others -= 1,
            _ if matches!(op, O::Call { .. }) || is_indirect(op) => {
                self.others += 1;
                self.after = true;
            }
            _ => {}
        }
    }

    /// It is worth while to keep the fuel from one call to the next.
    pub fn mostly_itself(&self) -> bool {
        self.own > 0 && self.others <= self.own && !self.tail
    }
}
