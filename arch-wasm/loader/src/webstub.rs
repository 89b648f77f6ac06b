//! The stub in a browser: what stands between a prepared program and the kernel, and between it and
//! the host that would like to have the CPU back.
//!
//! As the `stub`, one module for all programs. An instance of an lwp imports, besides `k.trap` and
//! `k.lwp`, the CPU's bell page `vk.bell` and the host's `vk.preempt: () -> i32`, which may suspend.
//! It exports the calls, `check` (what a prepared program imports as `vk.check`) and `state`: the host cannot tell
//! one trap from another, so it looks there why user code was left ([`state`]).
//!
//! Kernel code runs on the stack of the program that called it. A program that recurses to the end of its
//! stack, with system calls on the way, would run out of it *in the kernel*, and the exception would
//! unwind frames that hold locks. So each call first enters a function with a frame as large as the
//! kernel may need. Engines check at a function's entry that the whole frame fits, whatever of it is used,
//! and the function returns at once; if it does not fit, the stack has overflown in user code.

use wasm_encoder::{
    BlockType, ConstExpr, EntityType, ExportKind, Function, GlobalSection, GlobalType, InstructionSink, MemArg,
    MemArgTarget, MemoryType, Module, ValType,
};

use crate::stub::{LWP, Parts, Place};

/// Values of the stub's global `state`.
mod state {
    /// User code runs. A trap is the program's.
    pub const USER: i32 = 0;
    /// In the kernel. A trap is the kernel's.
    pub const KERNEL: i32 = 1;
    /// User code is left because `trap` answered an action.
    pub const ACTION: i32 = 2;
    /// User code is left because `preempt` answered that it shall be.
    pub const PREEMPTED: i32 = 3;
}

const STATE: u32 = 1;
/// Imported functions, behind `trap`; then ours.
const PREEMPT: u32 = 1;
const CHECK: u32 = 2;
const FRAME: u32 = 3;
const RESULTS: u32 = 4;
const FIRST: u32 = 5;

/// Words of the bell page: is there something, and how many checks until the host is asked anyway.
const BELL: u64 = 0;
const BUDGET: u64 = 4;

/// So many results of 16 bytes make the frame.
const SLOTS: usize = 1000;

/// The module. The same bytes every time.
pub fn web_stub_module() -> Vec<u8> {
    let mut parts = Parts::default();
    let mut imports = parts.imports();
    let page = MemoryType { minimum: 1, maximum: Some(1), memory64: false, shared: true, page_size_log2: None };
    imports.import("vk", "bell", page);
    let preempt = parts.type_of(vec![], Some(ValType::I32));
    imports.import("vk", "preempt", EntityType::Function(preempt));

    let mut globals = GlobalSection::new();
    let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
    globals.global(ty, &ConstExpr::i32_const(state::USER));

    let check_type = parts.type_of(vec![], None);
    let frame_type = parts.type_of(vec![ValType::I32], None);
    let results_type = parts.many_results(SLOTS);
    parts.functions.function(check_type).function(frame_type).function(results_type);
    parts.code.function(&check()).function(&frame()).function(&results());
    parts.exports.export("check", ExportKind::Func, CHECK).export("state", ExportKind::Global, STATE);
    parts.calls(FIRST, around, |code| _ = code.i32_const(state::ACTION).global_set(STATE).unreachable());

    let mut module = Module::new();
    module
        .section(&parts.types)
        .section(&imports)
        .section(&parts.functions)
        .section(&globals)
        .section(&parts.exports)
        .section(&parts.code);
    module.finish()
}

fn around(place: Place, code: &mut InstructionSink) {
    match place {
        Place::Entry => code.global_get(LWP).call(FRAME).i32_const(state::KERNEL).global_set(STATE),
        Place::Answered => code.i32_const(state::USER).global_set(STATE),
    };
}

/// Asks the host when the bell rings or the budget is used up. The host sets both again.
fn check() -> Function {
    let word = |offset| MemArg { offset, align: 2, target: MemArgTarget::Memory(0), ordering: None };
    let mut function = Function::new([(1, ValType::I32)]);
    let mut code = function.instructions();
    code.block(BlockType::Empty).block(BlockType::Empty);
    code.i32_const(0).i32_load(word(BELL)).br_if(0);
    code.i32_const(0).i32_const(0).i32_load(word(BUDGET)).i32_const(1).i32_sub().local_tee(0).i32_store(word(BUDGET));
    code.local_get(0).i32_const(0).i32_ge_s().br_if(1).end();
    code.call(PREEMPT).if_(BlockType::Empty);
    code.i32_const(state::PREEMPTED).global_set(STATE).unreachable().end().end().end();
    function
}

/// A function with a large frame. The argument is the number of the lwp; there is no lwp 0, but the
/// compiler does not know. The call that is never made has its results on the stack.
fn frame() -> Function {
    let mut function = Function::new([]);
    let mut code = function.instructions();
    code.local_get(0).i32_eqz().if_(BlockType::Empty).call(RESULTS).unreachable().end().end();
    function
}

fn results() -> Function {
    let mut function = Function::new([]);
    function.instructions().unreachable().end();
    function
}
