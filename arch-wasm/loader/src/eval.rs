//! A tiny interpreter, for the tests only: enough of wasm to run what this crate generates, so that
//! tests look at what the code does and not at how it is spelled. No loops, no `else`.

use wasmparser::{ExternalKind, FunctionBody, MemArg, MemArgTarget, Operator, Parser, Payload, TypeRef};

/// Why a run ended early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trap {
    Unreachable,
    Bounds,
}

type Call<'a> = Box<dyn FnMut(&[u64]) -> u64 + 'a>;

/// What is around a run.
pub struct World<'a> {
    pub memories: Vec<Vec<u8>>,
    pub globals: Vec<u64>,
    /// Answers the one imported function.
    pub call: Call<'a>,
    pub call_params: usize,
    /// A call of this function is a trap.
    pub leave: Option<u32>,
}

impl World<'_> {
    pub fn with_memories(memories: Vec<Vec<u8>>) -> World<'static> {
        World {
            memories,
            globals: vec![],
            call: Box::new(|_| panic!("no function is imported")),
            call_params: 0,
            leave: None,
        }
    }

    /// Runs an exported function. Values are the bits of an i32, i64 or v128.
    pub fn run(&mut self, wasm: &[u8], export: &str, args: &[u64]) -> Result<Option<u64>, Trap> {
        let body = find(wasm, export);
        let mut locals: Vec<u128> = args.iter().map(|&a| a.into()).collect();
        for group in body.get_locals_reader().unwrap() {
            locals.extend(vec![0; group.unwrap().0 as usize]);
        }
        let ops: Vec<_> = body.get_operators_reader().unwrap().into_iter().map(Result::unwrap).collect();
        let mut frame = Frame { world: self, locals, stack: vec![] };
        let mut at = 0;
        while at < ops.len() {
            match &ops[at] {
                Operator::Return => break,
                Operator::If { .. } if frame.pop32() == 0 => at = skip(&ops, at),
                Operator::If { .. } | Operator::Block { .. } | Operator::End => {}
                Operator::Br { relative_depth } => at = end(&ops, at + 1, relative_depth + 1),
                op => frame.step(op)?,
            }
            at += 1;
        }
        Ok(frame.stack.last().map(|&v| v as u64))
    }
}

/// The body of an export.
fn find<'a>(wasm: &'a [u8], export: &str) -> FunctionBody<'a> {
    let (mut imported, mut index, mut bodies) = (0, None, vec![]);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            Payload::ImportSection(s) => {
                imported = s.into_imports().filter(|i| matches!(i.as_ref().unwrap().ty, TypeRef::Func(_))).count();
            }
            Payload::ExportSection(s) => {
                let mut exports = s.into_iter().map(Result::unwrap);
                index = exports.find(|e| e.name == export && e.kind == ExternalKind::Func).map(|e| e.index as usize);
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            _ => {}
        }
    }
    bodies.swap_remove(index.unwrap_or_else(|| panic!("no export {export}")) - imported)
}

/// The end of the `if` at `at`.
fn skip(ops: &[Operator], at: usize) -> usize {
    end(ops, at + 1, 1)
}

/// The end of the `depth`th `if` or `block` that is open at `at`.
fn end(ops: &[Operator], mut at: usize, mut depth: u32) -> usize {
    loop {
        match ops[at] {
            Operator::If { .. } | Operator::Block { .. } => depth += 1,
            Operator::End if depth == 1 => return at,
            Operator::End => depth -= 1,
            _ => {}
        }
        at += 1;
    }
}

struct Frame<'a, 'b> {
    world: &'a mut World<'b>,
    locals: Vec<u128>,
    stack: Vec<u128>,
}

impl Frame<'_, '_> {
    fn pop(&mut self) -> u128 {
        self.stack.pop().unwrap()
    }
    fn pop32(&mut self) -> u32 {
        self.pop() as u32
    }
    fn two32(&mut self, f: impl Fn(u32, u32) -> u32) {
        let (b, a) = (self.pop32(), self.pop32());
        self.stack.push(f(a, b).into());
    }
    fn two64(&mut self, f: impl Fn(u64, u64) -> u64) {
        let (b, a) = (self.pop() as u64, self.pop() as u64);
        self.stack.push(f(a, b).into());
    }

    fn place(&mut self, m: &MemArg, bytes: usize) -> Result<(usize, std::ops::Range<usize>), Trap> {
        let MemArgTarget::Memory(memory) = m.target else { panic!("not a memory") };
        let start = self.pop32() as usize + m.offset as usize;
        let range = start..start + bytes;
        if range.end > self.world.memories[memory as usize].len() {
            return Err(Trap::Bounds);
        }
        Ok((memory as usize, range))
    }
    fn load(&mut self, m: &MemArg, bytes: usize) -> Result<(), Trap> {
        let (memory, range) = self.place(m, bytes)?;
        let mut value = [0; 16];
        value[..bytes].copy_from_slice(&self.world.memories[memory][range]);
        self.stack.push(u128::from_le_bytes(value));
        Ok(())
    }
    fn store(&mut self, m: &MemArg, bytes: usize) -> Result<(), Trap> {
        let value = self.pop().to_le_bytes();
        let (memory, range) = self.place(m, bytes)?;
        self.world.memories[memory][range].copy_from_slice(&value[..bytes]);
        Ok(())
    }
    fn copy(&mut self, to: usize, from: usize) -> Result<(), Trap> {
        let (n, src, dst) = (self.pop32() as usize, self.pop32() as usize, self.pop32() as usize);
        let data = self.world.memories[from].get(src..src + n).ok_or(Trap::Bounds)?.to_vec();
        self.world.memories[to].get_mut(dst..dst + n).ok_or(Trap::Bounds)?.copy_from_slice(&data);
        Ok(())
    }

    #[rustfmt::skip]
    fn step(&mut self, op: &Operator) -> Result<(), Trap> {
        use Operator as O;
        match op {
            O::Unreachable => return Err(Trap::Unreachable),
            O::Drop => { self.pop(); }
            O::LocalGet { local_index } => self.stack.push(self.locals[*local_index as usize]),
            O::LocalSet { local_index } => self.locals[*local_index as usize] = self.pop(),
            O::LocalTee { local_index } => self.locals[*local_index as usize] = *self.stack.last().unwrap(),
            O::GlobalGet { global_index } => self.stack.push(self.world.globals[*global_index as usize].into()),
            O::I32Const { value } => self.stack.push((*value as u32).into()),
            O::I64Const { value } => self.stack.push((*value as u64).into()),
            O::V128Const { value } => self.stack.push(value.i128() as u128),
            O::I32WrapI64 => { let v = self.pop32(); self.stack.push(v.into()) }
            O::I64ExtendI32U => { let v = self.pop32(); self.stack.push(v.into()) }
            O::Select => { let (c, b, a) = (self.pop32(), self.pop(), self.pop()); self.stack.push(if c != 0 { a } else { b }) }
            O::Call { function_index } if self.world.leave == Some(*function_index) => return Err(Trap::Unreachable),
            O::Call { .. } => {
                let args = self.stack.split_off(self.stack.len() - self.world.call_params);
                let args: Vec<u64> = args.into_iter().map(|v| v as u64).collect();
                self.stack.push((self.world.call)(&args).into());
            }
            O::MemorySize { mem } => self.stack.push((self.world.memories[*mem as usize].len() >> 16) as u128),
            O::MemoryCopy { dst_mem, src_mem } => self.copy(*dst_mem as usize, *src_mem as usize)?,
            O::I32Add => self.two32(u32::wrapping_add),
            O::I32Sub => self.two32(u32::wrapping_sub),
            O::I32And => self.two32(|a, b| a & b),
            O::I32Or => self.two32(|a, b| a | b),
            O::I32Xor => self.two32(|a, b| a ^ b),
            O::I32Eq => self.two32(|a, b| (a == b).into()),
            O::I32LtU => self.two32(|a, b| (a < b).into()),
            O::I32GeU => self.two32(|a, b| (a >= b).into()),
            O::I64Add => self.two64(u64::wrapping_add),
            O::I64Sub => self.two64(u64::wrapping_sub),
            O::I64And => self.two64(|a, b| a & b),
            O::I64Or => self.two64(|a, b| a | b),
            O::I64Xor => self.two64(|a, b| a ^ b),
            O::I64Shl => self.two64(|a, b| a << b),
            O::I64Eq => self.two64(|a, b| (a == b).into()),
            O::I64GtU => self.two64(|a, b| (a > b).into()),
            O::I64GeS => self.two64(|a, b| ((a as i64) >= b as i64).into()),
            O::I64LtS => self.two64(|a, b| ((a as i64) < b as i64).into()),
            O::I32Load8U { memarg } | O::I64Load8U { memarg } => self.load(memarg, 1)?,
            O::I32Load16U { memarg } | O::I64Load16U { memarg } => self.load(memarg, 2)?,
            O::I32Load { memarg } | O::I64Load32U { memarg } => self.load(memarg, 4)?,
            O::I64Load { memarg } => self.load(memarg, 8)?,
            O::V128Load { memarg } => self.load(memarg, 16)?,
            O::I32Store8 { memarg } | O::I64Store8 { memarg } => self.store(memarg, 1)?,
            O::I32Store16 { memarg } | O::I64Store16 { memarg } => self.store(memarg, 2)?,
            O::I32Store { memarg } | O::I64Store32 { memarg } => self.store(memarg, 4)?,
            O::I64Store { memarg } => self.store(memarg, 8)?,
            O::V128Store { memarg } => self.store(memarg, 16)?,
            other => panic!("the interpreter does not know {other:?}"),
        }
        Ok(())
    }
}
