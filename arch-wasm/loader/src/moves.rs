//! Copies and fills of a known, small length, written out as loads and stores.
//!
//! LLVM makes `memory.copy` and `memory.fill` of every structure that is moved or zeroed, trusting the
//! engine to make a few moves of them again. Engines call into their runtime instead, which costs as
//! much as a small system call. All bytes are loaded before any is stored, so ranges may overlap as
//! they may in `memory.copy`. What differs: a range that is out of bounds may have been written to in
//! part when it traps.

use wasm_encoder::{InstructionSink, MemArg, MemArgTarget, ValType};
use wasmparser::Operator;

/// Above this the call is the cheaper one; the registers for it are eight.
const LARGEST: i32 = 128;

/// A move whose length is known, with how many constants before it say so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Move {
    Copy { len: u32 },
    Fill { byte: u8, len: u32 },
}

impl Move {
    /// The move that an instruction is, if the constants pushed just before it make it one.
    pub fn of(constants: &[i32], op: &Operator) -> Option<Move> {
        let small = |len: i32| u32::try_from(len).ok().filter(|_| len <= LARGEST);
        match (op, constants) {
            (Operator::MemoryCopy { dst_mem: 0, src_mem: 0 }, [.., len]) => Some(Move::Copy { len: small(*len)? }),
            (Operator::MemoryFill { mem: 0 }, [.., byte, len]) => {
                Some(Move::Fill { byte: *byte as u8, len: small(*len)? })
            }
            _ => None,
        }
    }

    /// How many constants it takes off the stack, which need not be pushed for it.
    pub fn constants(self) -> usize {
        match self {
            Move::Copy { .. } => 1,
            Move::Fill { .. } => 2,
        }
    }

    /// The scratch locals that `write` needs.
    pub const LOCALS: (u32, ValType) = (2, ValType::I32);

    /// Takes the addresses, and nothing else, off the stack.
    pub fn write(self, code: &mut InstructionSink, locals: u32) {
        let (dst, src) = (locals, locals + 1);
        match self {
            Move::Copy { len } => {
                code.local_set(src).local_set(dst);
                let units = units(len);
                for &(offset, bytes) in &units {
                    code.local_get(dst).local_get(src);
                    load(code, offset, bytes);
                }
                for &(offset, bytes) in units.iter().rev() {
                    store(code, offset, bytes);
                }
            }
            Move::Fill { byte, len } => {
                code.local_set(dst);
                for (offset, bytes) in units(len) {
                    code.local_get(dst);
                    let word = u64::from_ne_bytes([byte; 8]);
                    match bytes {
                        16 => code.v128_const(i128::from_ne_bytes([byte; 16])),
                        8 => code.i64_const(word as i64),
                        _ => code.i32_const(word as i32),
                    };
                    store(code, offset, bytes);
                }
            }
        }
    }
}

/// Offsets and sizes of the loads and stores of a length: the last one overlaps the one before it
/// where the length is not a multiple.
fn units(len: u32) -> Vec<(u64, u32)> {
    let unit = [16, 8, 4, 2, 1].into_iter().find(|&unit| unit <= len);
    let Some(unit) = unit else { return vec![] };
    let mut units: Vec<_> = (0..len / unit).map(|i| (u64::from(i * unit), unit)).collect();
    if !len.is_multiple_of(unit) {
        units.push((u64::from(len - unit), unit));
    }
    units
}

/// Any alignment will do.
fn access(offset: u64) -> MemArg {
    MemArg { offset, align: 0, target: MemArgTarget::Memory(0), ordering: None }
}

fn load(code: &mut InstructionSink, offset: u64, bytes: u32) {
    let m = access(offset);
    match bytes {
        16 => code.v128_load(m),
        8 => code.i64_load(m),
        4 => code.i32_load(m),
        2 => code.i32_load16_u(m),
        _ => code.i32_load8_u(m),
    };
}

fn store(code: &mut InstructionSink, offset: u64, bytes: u32) {
    let m = access(offset);
    match bytes {
        16 => code.v128_store(m),
        8 => code.i64_store(m),
        4 => code.i32_store(m),
        2 => code.i32_store16(m),
        _ => code.i32_store8(m),
    };
}

#[cfg(test)]
mod tests {
    use crate::eval::World;
    use crate::kernel::uniprocessor;

    const SIZE: usize = 256;

    /// What memory looks like after a move of this text, and whether the instruction is gone.
    fn run(text: &str, args: &[u64]) -> (Vec<u8>, bool) {
        let wasm = format!(
            "(module (import \"env\" \"memory\" (memory 1 1 shared))
              (func (export \"f\") (param i32 i32) (local i64) {text}))"
        );
        let out = uniprocessor(&wat::parse_str(wasm).unwrap()).unwrap();
        let gone = !has_bulk(&out);
        let mut world = World::with_memories(vec![(0..SIZE).map(|i| (i * 7) as u8).collect()]);
        world.run(&out, "f", args).unwrap();
        (world.memories.remove(0), gone)
    }

    /// True when there is a bulk instruction left.
    fn has_bulk(wasm: &[u8]) -> bool {
        wasmparser::Parser::new(0).parse_all(wasm).any(|payload| match payload.unwrap() {
            wasmparser::Payload::CodeSectionEntry(body) => body.get_operators_reader().unwrap().into_iter().any(|op| {
                matches!(op.unwrap(), wasmparser::Operator::MemoryCopy { .. } | wasmparser::Operator::MemoryFill { .. })
            }),
            _ => false,
        })
    }

    #[test]
    fn copies_copy_whether_they_overlap_or_not() {
        for len in 0..=128 {
            for (dst, src) in [(0, 128), (9, 3), (3, 9), (5, 5)] {
                let text = format!("(memory.copy (local.get 0) (local.get 1) (i32.const {len}))");
                let (memory, gone) = run(&text, &[dst, src]);
                let mut expected: Vec<u8> = (0..SIZE).map(|i| (i * 7) as u8).collect();
                expected.copy_within(src as usize..src as usize + len, dst as usize);
                assert_eq!(memory, expected, "{len} from {src} to {dst}");
                assert!(gone);
            }
        }
    }

    #[test]
    fn fills_fill() {
        for len in 0..=128 {
            let text = format!("(memory.fill (local.get 0) (i32.const 0x1a5) (i32.const {len}))");
            let (memory, gone) = run(&text, &[11, 0]);
            let mut expected: Vec<u8> = (0..SIZE).map(|i| (i * 7) as u8).collect();
            expected[11..11 + len].fill(0xa5);
            assert_eq!(memory, expected, "{len}");
            assert!(gone);
        }
    }

    /// Constants that are nobody's length stay where they are.
    #[test]
    fn addresses_may_be_constants() {
        let (memory, gone) = run("(memory.copy (i32.const 40) (i32.const 1) (i32.const 3))", &[0, 0]);
        assert_eq!((&memory[40..44], gone), (&[7, 14, 21, (43 * 7) as u8][..], true));
        let (memory, gone) = run("(memory.fill (i32.const 40) (i32.const 1) (i32.const 2))", &[0, 0]);
        assert_eq!((&memory[40..43], gone), (&[1, 1, (42 * 7) as u8][..], true));
    }

    #[test]
    fn what_is_large_or_not_known_stays_a_call() {
        for length in ["(i32.const 129)", "(local.get 0)", "(i32.const -1)"] {
            let text = format!("(if (i32.const 0) (then (memory.copy (i32.const 0) (i32.const 8) {length})))");
            assert!(!run(&text, &[0, 0]).1, "{length}");
        }
    }
}
