//! What each atomic instruction is where nothing runs beside it: a plain load, a plain store, or
//! the one after the other.
//!
//! [`classify`] tells what an instruction does, [`Atomic::write`] writes it out without atomicity.
//! Two things get lost, and must not matter to the code: an unaligned atomic access traps and a
//! plain one does not, and `memory.atomic.wait` has nobody to wait for and becomes `unreachable`.
//! Source: the threads proposal, <https://github.com/WebAssembly/threads>.

use wasm_encoder::{BlockType, InstructionSink, MemArg, MemArgTarget, ValType};
use wasmparser::Operator;

/// What an atomic instruction does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    Load,
    Store,
    Add,
    Sub,
    And,
    Or,
    Xor,
    Xchg,
    Cmpxchg,
    Notify,
    Wait,
    Fence,
}

/// An atomic instruction: what it does, to how many bytes, in which type on the stack.
#[derive(Clone, Copy, Debug)]
pub struct Atomic {
    pub action: Action,
    pub wide: bool,
    pub bytes: u8,
    pub memarg: Option<wasmparser::MemArg>,
}

/// Matches the instructions of an action in all seven widths, in the order of the table below.
macro_rules! classify {
    ($op:expr; $($action:ident: $i32:ident $i32x8:ident $i32x16:ident $i64:ident $i64x8:ident $i64x16:ident $i64x32:ident;)*) => {
        match $op {
            $(
                Operator::$i32 { memarg } => (Action::$action, false, 4, Some(*memarg)),
                Operator::$i32x8 { memarg } => (Action::$action, false, 1, Some(*memarg)),
                Operator::$i32x16 { memarg } => (Action::$action, false, 2, Some(*memarg)),
                Operator::$i64 { memarg } => (Action::$action, true, 8, Some(*memarg)),
                Operator::$i64x8 { memarg } => (Action::$action, true, 1, Some(*memarg)),
                Operator::$i64x16 { memarg } => (Action::$action, true, 2, Some(*memarg)),
                Operator::$i64x32 { memarg } => (Action::$action, true, 4, Some(*memarg)),
            )*
            Operator::MemoryAtomicNotify { .. } => (Action::Notify, false, 4, None),
            Operator::MemoryAtomicWait32 { .. } => (Action::Wait, false, 4, None),
            Operator::MemoryAtomicWait64 { .. } => (Action::Wait, true, 8, None),
            Operator::AtomicFence { .. } => (Action::Fence, false, 0, None),
            _ => return None,
        }
    };
}

/// The atomic instruction that this is, if it is one.
#[rustfmt::skip]
pub fn classify(op: &Operator) -> Option<Atomic> {
    let (action, wide, bytes, memarg) = classify!(op;
        Load: I32AtomicLoad I32AtomicLoad8U I32AtomicLoad16U I64AtomicLoad I64AtomicLoad8U I64AtomicLoad16U I64AtomicLoad32U;
        Store: I32AtomicStore I32AtomicStore8 I32AtomicStore16 I64AtomicStore I64AtomicStore8 I64AtomicStore16 I64AtomicStore32;
        Add: I32AtomicRmwAdd I32AtomicRmw8AddU I32AtomicRmw16AddU I64AtomicRmwAdd I64AtomicRmw8AddU I64AtomicRmw16AddU I64AtomicRmw32AddU;
        Sub: I32AtomicRmwSub I32AtomicRmw8SubU I32AtomicRmw16SubU I64AtomicRmwSub I64AtomicRmw8SubU I64AtomicRmw16SubU I64AtomicRmw32SubU;
        And: I32AtomicRmwAnd I32AtomicRmw8AndU I32AtomicRmw16AndU I64AtomicRmwAnd I64AtomicRmw8AndU I64AtomicRmw16AndU I64AtomicRmw32AndU;
        Or: I32AtomicRmwOr I32AtomicRmw8OrU I32AtomicRmw16OrU I64AtomicRmwOr I64AtomicRmw8OrU I64AtomicRmw16OrU I64AtomicRmw32OrU;
        Xor: I32AtomicRmwXor I32AtomicRmw8XorU I32AtomicRmw16XorU I64AtomicRmwXor I64AtomicRmw8XorU I64AtomicRmw16XorU I64AtomicRmw32XorU;
        Xchg: I32AtomicRmwXchg I32AtomicRmw8XchgU I32AtomicRmw16XchgU I64AtomicRmwXchg I64AtomicRmw8XchgU I64AtomicRmw16XchgU I64AtomicRmw32XchgU;
        Cmpxchg: I32AtomicRmwCmpxchg I32AtomicRmw8CmpxchgU I32AtomicRmw16CmpxchgU I64AtomicRmwCmpxchg I64AtomicRmw8CmpxchgU I64AtomicRmw16CmpxchgU I64AtomicRmw32CmpxchgU;
    );
    Some(Atomic { action, wide, bytes, memarg })
}

/// Scratch locals of a function: an address, and three values of each type that is needed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Scratch {
    /// Index of the first.
    pub base: u32,
    pub narrow: bool,
    pub wide: bool,
}

/// Values of one type, and the address, among them.
struct Locals {
    address: u32,
    old: u32,
    value: u32,
    expected: u32,
}

impl Scratch {
    /// Makes room for an instruction's.
    pub fn need(&mut self, atomic: &Atomic) {
        if !matches!(atomic.action, Action::Load | Action::Store | Action::Notify | Action::Wait | Action::Fence) {
            self.wide |= atomic.wide;
            self.narrow |= !atomic.wide;
        }
    }

    /// The declarations to append to the function's own.
    pub fn declare(&self) -> Vec<(u32, ValType)> {
        match (self.narrow, self.wide) {
            (false, false) => vec![],
            (true, false) => vec![(4, ValType::I32)],
            (false, true) => vec![(1, ValType::I32), (3, ValType::I64)],
            (true, true) => vec![(4, ValType::I32), (3, ValType::I64)],
        }
    }

    fn locals(&self, wide: bool) -> Locals {
        let first = self.base + if wide && self.narrow { 4 } else { 1 };
        Locals { address: self.base, old: first, value: first + 1, expected: first + 2 }
    }
}

impl Atomic {
    /// Writes the plain equivalent; `memarg` is the instruction's own.
    pub fn write(&self, code: &mut InstructionSink, memarg: Option<MemArg>, scratch: &Scratch) {
        // Those without have no plain access either.
        let none = MemArg { offset: 0, align: 0, target: MemArgTarget::Memory(0), ordering: None };
        let memarg = MemArg { ordering: None, ..memarg.unwrap_or(none) };
        match self.action {
            Action::Load => self.load(code, memarg),
            Action::Store => self.store(code, memarg),
            Action::Cmpxchg => self.cmpxchg(code, memarg, &scratch.locals(self.wide)),
            // Nobody is asleep, so nobody is woken.
            Action::Notify => {
                code.drop().drop().i32_const(0);
            }
            // With one CPU this is a deadlock.
            Action::Wait => {
                code.unreachable();
            }
            Action::Fence => {}
            _ => self.rmw(code, memarg, &scratch.locals(self.wide)),
        }
    }

    /// [address, value] -> [old]
    fn rmw(&self, code: &mut InstructionSink, memarg: MemArg, l: &Locals) {
        code.local_set(l.value).local_tee(l.address);
        self.load(code, memarg);
        code.local_tee(l.old).local_get(l.address);
        if self.action != Action::Xchg {
            code.local_get(l.old);
        }
        code.local_get(l.value);
        match (self.action, self.wide) {
            (Action::Add, false) => code.i32_add(),
            (Action::Add, true) => code.i64_add(),
            (Action::Sub, false) => code.i32_sub(),
            (Action::Sub, true) => code.i64_sub(),
            (Action::And, false) => code.i32_and(),
            (Action::And, true) => code.i64_and(),
            (Action::Or, false) => code.i32_or(),
            (Action::Or, true) => code.i64_or(),
            (Action::Xor, false) => code.i32_xor(),
            (Action::Xor, true) => code.i64_xor(),
            _ => code,
        };
        self.store(code, memarg);
    }

    /// [address, expected, replacement] -> [old]
    fn cmpxchg(&self, code: &mut InstructionSink, memarg: MemArg, l: &Locals) {
        code.local_set(l.value);
        self.wrap(code);
        code.local_set(l.expected).local_tee(l.address);
        self.load(code, memarg);
        code.local_tee(l.old).local_get(l.old).local_get(l.expected);
        if self.wide {
            code.i64_eq()
        } else {
            code.i32_eq()
        };
        // A branch, not a select: taking a free lock is the case that counts, and it is predicted.
        code.if_(BlockType::Empty).local_get(l.address).local_get(l.value);
        self.store(code, memarg);
        code.end();
    }

    /// A narrow compare looks at the low bits of what is expected only.
    fn wrap(&self, code: &mut InstructionSink) {
        match (self.wide, self.bytes) {
            (false, 1) => code.i32_const(0xff).i32_and(),
            (false, 2) => code.i32_const(0xffff).i32_and(),
            (true, 1) => code.i64_const(0xff).i64_and(),
            (true, 2) => code.i64_const(0xffff).i64_and(),
            (true, 4) => code.i64_const(0xffff_ffff).i64_and(),
            _ => code,
        };
    }

    fn load(&self, code: &mut InstructionSink, m: MemArg) {
        match (self.wide, self.bytes) {
            (false, 1) => code.i32_load8_u(m),
            (false, 2) => code.i32_load16_u(m),
            (false, _) => code.i32_load(m),
            (true, 1) => code.i64_load8_u(m),
            (true, 2) => code.i64_load16_u(m),
            (true, 4) => code.i64_load32_u(m),
            (true, _) => code.i64_load(m),
        };
    }

    fn store(&self, code: &mut InstructionSink, m: MemArg) {
        match (self.wide, self.bytes) {
            (false, 1) => code.i32_store8(m),
            (false, 2) => code.i32_store16(m),
            (false, _) => code.i32_store(m),
            (true, 1) => code.i64_store8(m),
            (true, 2) => code.i64_store16(m),
            (true, 4) => code.i64_store32(m),
            (true, _) => code.i64_store(m),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{Trap, World};
    use crate::kernel::uniprocessor;

    const OLD: u64 = 0x8877_6655_4433_2211;
    const OFFSET: usize = 16;

    /// Every width: type, text in front of the operation, text behind it, bytes.
    const WIDTHS: [(&str, &str, &str, usize); 7] = [
        ("i32", "", "", 4),
        ("i32", "8", "_u", 1),
        ("i32", "16", "_u", 2),
        ("i64", "", "", 8),
        ("i64", "8", "_u", 1),
        ("i64", "16", "_u", 2),
        ("i64", "32", "_u", 4),
    ];

    /// A module with a function `f` of one atomic instruction, as it is on one processor. The
    /// function has locals of its own.
    fn plain(op: &str, operands: &[&str], result: &str) -> Vec<u8> {
        let params: String = operands.iter().map(|t| format!("(param {t})")).collect();
        let gets: String = (0..operands.len()).map(|i| format!("(local.get {i})")).collect();
        let text = format!(
            "(module (memory (import \"env\" \"memory\") 1 1 shared) \
             (func (export \"other\")) \
             (func (export \"f\") {params} {result} (local i64 i32 f32) {gets} {op}))"
        );
        uniprocessor(&wat::parse_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"))).unwrap()
    }

    fn memory() -> Vec<u8> {
        let mut memory = vec![0xee; 65536];
        memory[OFFSET..OFFSET + 8].copy_from_slice(&OLD.to_le_bytes());
        memory
    }

    fn low(value: u64, bytes: usize) -> u64 {
        if bytes == 8 { value } else { value & ((1 << (8 * bytes)) - 1) }
    }

    /// The eight bytes at the place, with the low ones replaced.
    fn with(value: u64, bytes: usize) -> u64 {
        OLD - low(OLD, bytes) + low(value, bytes)
    }

    /// Runs it on address 8 with offset 8; answers the result and the eight bytes at 16.
    fn run(op: &str, operands: &[&str], result: &str, values: &[u64]) -> (Option<u64>, u64) {
        let wasm = plain(op, operands, result);
        let mut world = World::with_memories(vec![memory()]);
        let answer = world.run(&wasm, "f", values).unwrap();
        let memory = &world.memories[0];
        assert!(memory[..OFFSET].iter().chain(&memory[OFFSET + 8..]).all(|&b| b == 0xee), "{op} wrote elsewhere");
        (answer, u64::from_le_bytes(memory[OFFSET..OFFSET + 8].try_into().unwrap()))
    }

    #[test]
    fn loads_and_stores_of_every_width() {
        for (ty, width, zero_extended, bytes) in WIDTHS {
            let load = format!("({ty}.atomic.load{width}{zero_extended} offset=8)");
            let got = run(&load, &["i32"], &format!("(result {ty})"), &[8]);
            assert_eq!(got, (Some(low(OLD, bytes)), OLD), "{load}");

            let store = format!("({ty}.atomic.store{width} offset=8)");
            let value = 0xa1a2_a3a4_a5a6_a7a8;
            assert_eq!(run(&store, &["i32", ty], "", &[8, value]), (None, with(value, bytes)), "{store}");
        }
    }

    #[test]
    fn read_modify_write_of_every_width() {
        type Operation = fn(u64, u64) -> u64;
        let operations: [(&str, Operation); 6] = [
            ("add", u64::wrapping_add),
            ("sub", u64::wrapping_sub),
            ("and", |a, b| a & b),
            ("or", |a, b| a | b),
            ("xor", |a, b| a ^ b),
            ("xchg", |_, b| b),
        ];
        for (ty, width, zero_extended, bytes) in WIDTHS {
            for (name, operation) in operations {
                let op = format!("({ty}.atomic.rmw{width}.{name}{zero_extended} offset=8)");
                for value in [0, 1, 0xff, 0xa1a2_a3a4_a5a6_a7a8, u64::MAX] {
                    let got = run(&op, &["i32", ty], &format!("(result {ty})"), &[8, value]);
                    assert_eq!(got, (Some(low(OLD, bytes)), with(operation(OLD, value), bytes)), "{op} {value:#x}");
                }
            }
        }
    }

    #[test]
    fn compare_and_exchange_of_every_width() {
        for (ty, width, zero_extended, bytes) in WIDTHS {
            let op = format!("({ty}.atomic.rmw{width}.cmpxchg{zero_extended} offset=8)");
            let result = format!("(result {ty})");
            let try_it = |expected| run(&op, &["i32", ty, ty], &result, &[8, expected, 0xa1a2_a3a4_a5a6_a7a8]);
            let old = Some(low(OLD, bytes));
            let exchanged = with(0xa1a2_a3a4_a5a6_a7a8, bytes);
            assert_eq!(try_it(low(OLD, bytes)), (old, exchanged), "{op}");
            // The engines compare the low bits only.
            assert_eq!(try_it(OLD), (old, exchanged), "{op} with high bits");
            assert_eq!(try_it(OLD ^ 1), (old, OLD), "{op} that fails");
        }
    }

    #[test]
    fn nobody_waits_and_nobody_is_woken() {
        let got = run("(memory.atomic.notify offset=8)", &["i32", "i32"], "(result i32)", &[8, 1]);
        assert_eq!(got, (Some(0), OLD));
        assert_eq!(run("(atomic.fence)", &[], "", &[]), (None, OLD));
        for (op, ty) in [("(memory.atomic.wait32)", "i32"), ("(memory.atomic.wait64)", "i64")] {
            let wasm = plain(op, &["i32", ty, "i64"], "(result i32)");
            let mut world = World::with_memories(vec![memory()]);
            assert_eq!(world.run(&wasm, "f", &[8, 0, 0]), Err(Trap::Unreachable));
        }
    }

    /// The proposal has 67 instructions; all of them are known, and nothing else is.
    #[test]
    fn the_table_is_whole() {
        let known = (0..0x80).filter(|&second| {
            // Opcode (one LEB byte), alignment, offset, and an end that the fence leaves over.
            let bytes = [0xfe, second, 0, 0, 0x0b];
            let mut reader = wasmparser::OperatorsReader::new(wasmparser::BinaryReader::new(&bytes, 0));
            reader.read().is_ok_and(|op| classify(&op).is_some())
        });
        assert_eq!(known.count(), 67);
        assert!(classify(&Operator::Nop).is_none());
    }

    #[test]
    fn scratch_of_both_types_in_one_function() {
        let text = "(module (memory (import \"env\" \"memory\") 1 1 shared) \
            (func (export \"f\") (param i32) (result i64) (local f64) \
              (drop (i32.atomic.rmw.add (local.get 0) (i32.const 5))) \
              (i64.add (i64.const 1000) (i64.atomic.rmw.cmpxchg (local.get 0) (i64.const 5) (i64.const 7)))))";
        let wasm = uniprocessor(&wat::parse_str(text).unwrap()).unwrap();
        let mut world = World::with_memories(vec![vec![0; 65536]]);
        assert_eq!(world.run(&wasm, "f", &[32]), Ok(Some(1005)));
        assert_eq!(world.memories[0][32..40], 7u64.to_le_bytes());
    }
}
