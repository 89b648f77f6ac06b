//! What instructions cost, in units of about the cheapest one: a third of a nanosecond. The figures
//! need not be right, but nothing may cost ten times what stands here.

use wasmparser::Operator;

/// Copies and fills up to this many bytes are taken for one dear instruction.
pub const SMALL_MOVE: i32 = 4096;

/// The cost of an instruction, but for what it calls.
pub fn cost(op: &Operator) -> u32 {
    use Operator as O;
    match op {
        // These leave nothing in machine code.
        O::Nop | O::Block { .. } | O::Loop { .. } | O::End | O::Else | O::Drop | O::Unreachable => 0,
        O::LocalGet { .. } | O::I32Const { .. } | O::I64Const { .. } | O::F32Const { .. } | O::F64Const { .. } => 0,
        O::Call { .. } | O::ReturnCall { .. } => 8,
        O::CallIndirect { .. } | O::ReturnCallIndirect { .. } | O::CallRef { .. } | O::ReturnCallRef { .. } => 12,
        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU | O::F32Div | O::F64Div | O::F32Sqrt | O::F64Sqrt => 10,
        O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => 20,
        O::MemoryCopy { .. } | O::MemoryFill { .. } => 100,
        // Engines unwind in microseconds, and grow by a call of the system.
        O::Throw { .. } | O::ThrowRef | O::MemoryGrow { .. } | O::TableGrow { .. } => 10_000,
        // The collector's share.
        O::StructNew { .. } | O::StructNewDefault { .. } | O::ArrayNewFixed { .. } | O::RefI31 => 100,
        _ => 1,
    }
}

/// Instructions whose time grows with an operand and that no compiler of ours makes much of: each
/// asks for itself.
pub fn is_long(op: &Operator) -> bool {
    use Operator as O;
    matches!(
        op,
        O::MemoryInit { .. }
            | O::TableInit { .. }
            | O::TableCopy { .. }
            | O::TableFill { .. }
            | O::TableGrow { .. }
            | O::ArrayNew { .. }
            | O::ArrayNewDefault { .. }
            | O::ArrayNewData { .. }
            | O::ArrayNewElem { .. }
            | O::ArrayFill { .. }
            | O::ArrayCopy { .. }
            | O::ArrayInitData { .. }
            | O::ArrayInitElem { .. }
    )
}
