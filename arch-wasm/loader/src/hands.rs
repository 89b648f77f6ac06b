//! The kernel's hand in user memory on an engine without multi-memory: two modules that hold hands.
//!
//! What `uaccess` does in one module with two memories is divided. The *user's hand* imports the program's
//! memory and exports a load and a store of each width, besides those functions of
//! [`UACCESS`](abi::trapframe::UACCESS) that need no other memory. The *kernel's hand* imports the kernel's
//! memory and the user's hand, and copies piece by piece: a call from one instance to another is a few
//! nanoseconds, where a call of JavaScript that makes two views would be a microsecond. From [`LONG`] bytes on
//! that microsecond is less than the pieces are, and the kernel's hand asks the host for the whole.
//!
//! Addresses are checked as in `uaccess`, before anything moves. A program's memory does not shrink and its lwp
//! is in the kernel meanwhile, so what has fitted still fits.

use abi::Errno;
use abi::trapframe::UACCESS;
use wasm_encoder::{
    BlockType, CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    InstructionSink, MemArg, MemArgTarget, MemoryType, Module, TypeSection, ValType,
};

/// So many bytes are the host's to copy.
const LONG: i32 = 1024;
/// Widths of a load and a store, in bytes, and the value that they move.
const WIDTHS: [(u64, ValType); 3] = [(1, ValType::I32), (8, ValType::I64), (16, ValType::V128)];
const I32: ValType = ValType::I32;

fn memory(minimum: u64, maximum: Option<u64>, shared: bool) -> EntityType {
    EntityType::Memory(MemoryType { minimum, maximum, memory64: false, shared, page_size_log2: None })
}

/// Any alignment will do.
const ANY: MemArg = MemArg { offset: 0, align: 0, target: MemArgTarget::Memory(0), ordering: None };

#[derive(Default)]
struct Parts {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    exports: ExportSection,
    code: CodeSection,
    count: u32,
}

impl Parts {
    fn import(&mut self, module: &str, name: &str, params: &[ValType], result: Option<ValType>) {
        self.types.ty().function(params.iter().copied(), result);
        self.imports.import(module, name, EntityType::Function(self.types.len() - 1));
        self.count += 1;
    }

    fn export(&mut self, name: &str, params: &[ValType], result: Option<ValType>, body: impl Fn(&mut InstructionSink)) {
        self.types.ty().function(params.iter().copied(), result);
        self.functions.function(self.types.len() - 1);
        self.exports.export(name, ExportKind::Func, self.count);
        self.count += 1;
        // Every function may have one local, an i32 behind its arguments.
        let mut function = Function::new([(1, I32)]);
        let mut code = function.instructions();
        body(&mut code);
        code.end();
        self.code.function(&function);
    }

    fn finish(self) -> Vec<u8> {
        let mut module = Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.functions)
            .section(&self.exports)
            .section(&self.code);
        module.finish()
    }
}

/// The module over the program's memory, `u.memory`. It exports `load1` to `store16`, which check nothing but what the engine
/// does, and `put32`, `put64` and `usize` of [`UACCESS`].
pub fn user_hand_module() -> Vec<u8> {
    let mut parts = Parts::default();
    parts.imports.import("u", "memory", memory(0, None, false));
    for (width, ty) in WIDTHS {
        parts.export(&format!("load{width}"), &[I32], Some(ty), |code| {
            code.local_get(0);
            load(code, width);
        });
        parts.export(&format!("store{width}"), &[I32, ty], None, |code| {
            code.local_get(0).local_get(1);
            store(code, width);
        });
    }
    parts.export(UACCESS[2], &[I32, I32], Some(I32), |code| put(code, 4));
    parts.export(UACCESS[3], &[I32, ValType::I64], Some(I32), |code| put(code, 8));
    parts.export(UACCESS[4], &[], Some(I32), |code| _ = code.memory_size(0));
    // A program's memory alone is not enough for these, so they refuse, and the kernel goes the long way.
    for name in &UACCESS[5..] {
        parts.export(name, &[I32; 4], Some(I32), |code| _ = code.i32_const(0));
    }
    parts.finish()
}

fn load(code: &mut InstructionSink, width: u64) {
    match width {
        1 => code.i32_load8_u(ANY),
        8 => code.i64_load(ANY),
        _ => code.v128_load(ANY),
    };
}

fn store(code: &mut InstructionSink, width: u64) {
    match width {
        1 => code.i32_store8(ANY),
        8 => code.i64_store(ANY),
        _ => code.v128_store(ANY),
    };
}

fn put(code: &mut InstructionSink, width: i64) {
    code.local_get(0).i64_extend_i32_u().i64_const(width).i64_add();
    code.memory_size(0).i64_extend_i32_u().i64_const(16).i64_shl().i64_gt_u();
    code.if_(BlockType::Empty).i32_const(Errno::EFAULT as i32).return_().end();
    code.local_get(0).local_get(1);
    match width {
        4 => code.i32_store(ANY),
        _ => code.i64_store(ANY),
    };
    code.i32_const(0);
}

/// Imported functions of the kernel's hand: `usize`, a load and a store of each width, then the host's two.
const USIZE: u32 = 0;
const LOAD: u32 = 1;
const STORE: u32 = 2;
const LONG_COPYIN: u32 = 7;
const LONG_COPYOUT: u32 = 8;

/// Locals of both copies, and the one of ours.
const DST: u32 = 0;
const SRC: u32 = 1;
const N: u32 = 2;
const AT: u32 = 3;

/// The module over the kernel's memory, `k.memory`, a shared one of this range of pages. It imports `usize`, loads and
/// stores from `u`, an instance of the [`user_hand_module`], and from `host` its own two functions for long copies, which
/// need not check anything.
pub fn kernel_hand_module((minimum, maximum): (u64, u64)) -> Vec<u8> {
    let mut parts = Parts::default();
    parts.imports.import("k", "memory", memory(minimum, Some(maximum), true));
    parts.import("u", UACCESS[4], &[], Some(I32));
    for (width, ty) in WIDTHS {
        parts.import("u", &format!("load{width}"), &[I32], Some(ty));
        parts.import("u", &format!("store{width}"), &[I32, ty], None);
    }
    let three = [I32; 3];
    parts.import("host", UACCESS[0], &three, Some(I32));
    parts.import("host", UACCESS[1], &three, Some(I32));
    parts.export(UACCESS[0], &three, Some(I32), |code| copy(code, false));
    parts.export(UACCESS[1], &three, Some(I32), |code| copy(code, true));
    parts.finish()
}

/// `copyin(dst, src, n)`, or `copyout` of the same arguments.
fn copy(code: &mut InstructionSink, out: bool) {
    let user = if out { DST } else { SRC };
    code.local_get(user).i64_extend_i32_u().local_get(N).i64_extend_i32_u().i64_add();
    code.call(USIZE).i64_extend_i32_u().i64_const(16).i64_shl().i64_gt_u().if_(BlockType::Empty);
    code.i32_const(Errno::EFAULT as i32).i32_const(0).local_get(N).select().return_().end();

    code.local_get(N).i32_const(LONG).i32_ge_u().if_(BlockType::Empty);
    code.local_get(DST).local_get(SRC).local_get(N).call(if out { LONG_COPYOUT } else { LONG_COPYIN }).return_().end();

    // Less than 8: byte by byte, from the end.
    code.local_get(N).i32_const(8).i32_lt_u().if_(BlockType::Empty).loop_(BlockType::Empty);
    code.local_get(N).i32_eqz().if_(BlockType::Empty).i32_const(0).return_().end();
    code.local_get(N).i32_const(1).i32_sub().local_tee(AT).local_set(N);
    piece(code, out, 0);
    code.br(0).end().end();

    // Up to 16: the first 8 and the last 8.
    code.local_get(N).i32_const(16).i32_le_u().if_(BlockType::Empty);
    piece(code, out, 1);
    back_from_end(code, 8);
    piece(code, out, 1);
    code.i32_const(0).return_().end();

    // Pieces of 16 while there is a whole one, and the last 16.
    code.loop_(BlockType::Empty);
    piece(code, out, 2);
    code.local_get(AT).i32_const(16).i32_add().local_tee(AT);
    code.local_get(N).i32_const(16).i32_sub().i32_le_u().br_if(0).end();
    back_from_end(code, 16);
    piece(code, out, 2);
    code.i32_const(0);
}

fn back_from_end(code: &mut InstructionSink, back: i32) {
    code.local_get(N).i32_const(back).i32_sub().local_set(AT);
}

/// Moves a piece of one of [`WIDTHS`] at offset `AT`.
fn piece(code: &mut InstructionSink, out: bool, nr: u32) {
    let width = WIDTHS[nr as usize].0;
    code.local_get(DST).local_get(AT).i32_add().local_get(SRC).local_get(AT).i32_add();
    if out {
        load(code, width);
        code.call(STORE + 2 * nr);
    } else {
        code.call(LOAD + 2 * nr);
        store(code, width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exports(wasm: &[u8]) -> Vec<String> {
        let types = wasmparser::Validator::new().validate_all(wasm).unwrap();
        types.as_ref().core_exports().unwrap().map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn both_hands_are_valid_and_have_every_function_between_them() {
        let (user, kernel) = (exports(&user_hand_module()), exports(&kernel_hand_module((18, 4096))));
        for name in UACCESS {
            assert!(user.iter().chain(&kernel).filter(|n| *n == name).count() == 1, "{name}");
        }
        assert_eq!(kernel, ["copyin", "copyout"]);
    }

    #[test]
    fn no_hand_needs_two_memories() {
        let features = wasmparser::WasmFeatures::default() - wasmparser::WasmFeatures::MULTI_MEMORY;
        for wasm in [user_hand_module(), kernel_hand_module((18, 4096))] {
            wasmparser::Validator::new_with_features(features).validate_all(&wasm).unwrap();
        }
    }
}
