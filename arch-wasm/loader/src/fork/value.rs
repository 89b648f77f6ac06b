//! Values in linear memory, and those that stand for values that nobody looks at.

use wasm_encoder::{InstructionSink, MemArg, MemArgTarget};

use super::module::{Code, F32, F64, I32, I64, V128};

pub fn size(code: Code) -> u32 {
    match code {
        V128 => 16,
        I64 | F64 => 8,
        _ => 4,
    }
}

fn at(offset: u32) -> MemArg {
    MemArg { offset: offset.into(), align: 0, target: MemArgTarget::Memory(0), ordering: None }
}

/// Pops a value and an address.
pub fn store(code: &mut InstructionSink, ty: Code, offset: u32) {
    match ty {
        I32 => code.i32_store(at(offset)),
        I64 => code.i64_store(at(offset)),
        F32 => code.f32_store(at(offset)),
        F64 => code.f64_store(at(offset)),
        _ => code.v128_store(at(offset)),
    };
}

/// Pops an address.
pub fn load(code: &mut InstructionSink, ty: Code, offset: u32) {
    match ty {
        I32 => code.i32_load(at(offset)),
        I64 => code.i64_load(at(offset)),
        F32 => code.f32_load(at(offset)),
        F64 => code.f64_load(at(offset)),
        _ => code.v128_load(at(offset)),
    };
}

/// Any value.
pub fn dummy(out: &mut Vec<u8>, ty: Code) {
    const REF_NULL: u8 = 0xd0;
    let mut code = InstructionSink::new(out);
    match ty {
        I32 => _ = code.i32_const(0),
        I64 => _ = code.i64_const(0),
        F32 => _ = code.f32_const(0.0.into()),
        F64 => _ = code.f64_const(0.0.into()),
        V128 => _ = code.v128_const(0),
        // The heap type of such a reference has the same code.
        _ => out.extend([REF_NULL, ty]),
    }
}
