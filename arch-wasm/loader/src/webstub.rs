//! The stub in a browser: what stands between a prepared program and the kernel, and between it and
//! the host that would like to have the CPU back.
//!
//! As the `stub`, one module for all programs. An instance imports, besides `k.trap` and `k.lwp` (which
//! changes: an instance serves one lwp after another), the CPU's bell page `vk.bell` and the host's `vk.preempt: () -> i32`, which may suspend.
//! It exports the calls, `handler` and `deliver` as the `stub` does, `check` and `limit` (what a prepared program imports as `vk.check` and `vk.limit`), `pages` (what
//! `limit` answers; nothing until the host has written it) and `state`: the host cannot tell
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

use crate::stub::{self, IMPORTED, LWP, Parts, Place};

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
const PAGES: u32 = 2;
/// Imported functions, behind `trap`; then ours.
const PREEMPT: u32 = IMPORTED;
const CHECK: u32 = PREEMPT + 1;
const FRAME: u32 = PREEMPT + 2;
const LIMIT: u32 = PREEMPT + 3;
const ACT: u32 = PREEMPT + 4;
const FIRST: u32 = PREEMPT + 6;

/// What `preempt` answers when a signal is to be delivered. 0: go on; others: leave.
const SIGNAL: i32 = 2;

/// Words of the bell page: is there something, and how many checks until the host is asked anyway.
const BELL: u64 = 0;
const BUDGET: u64 = 4;

/// So many values of 16 bytes make the frame: 16 KB. Code that is not optimised yet has larger frames
/// than what was measured under wasmtime, where the kernel was content with 4 KB.
const SLOTS: u64 = 1024;

/// The module. The same bytes every time.
pub fn web_stub_module() -> Vec<u8> {
    web_stub_module_at(0)
}

/// The module with its two words this far into the bell page, for a machine in which many share one.
pub fn web_stub_module_at(bell: u32) -> Vec<u8> {
    let mut parts = Parts::default();
    let mut imports = parts.imports(true);
    let page = MemoryType { minimum: 1, maximum: Some(1), memory64: false, shared: true, page_size_log2: None };
    imports.import("vk", "bell", page);
    let preempt = parts.type_of(vec![], Some(ValType::I32));
    imports.import("vk", "preempt", EntityType::Function(preempt));

    let mut globals = GlobalSection::new();
    let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
    globals.global(ty, &ConstExpr::i32_const(state::USER)).global(ty, &ConstExpr::i32_const(0));

    let check_type = parts.type_of(vec![], None);
    let frame_type = parts.type_of(vec![ValType::I32], None);
    parts.functions.function(check_type).function(frame_type).function(preempt);
    parts.code.function(&check(u64::from(bell))).function(&frame()).function(&limit());
    parts.exports.export("check", ExportKind::Func, CHECK).export("state", ExportKind::Global, STATE);
    parts.exports.export("limit", ExportKind::Func, LIMIT).export("pages", ExportKind::Global, PAGES);
    let leave = |code: &mut InstructionSink| _ = code.i32_const(state::ACTION).global_set(STATE).unreachable();
    let tables = parts.handlers(CHECK, around, leave);
    parts.calls(FIRST, ACT, around);

    let mut module = Module::new();
    module
        .section(&parts.types)
        .section(&imports)
        .section(&parts.functions)
        .section(&tables)
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
fn check(bell: u64) -> Function {
    let word = |offset| MemArg { offset: bell + offset, align: 2, target: MemArgTarget::Memory(0), ordering: None };
    let mut function = Function::new([(1, ValType::I32), (1, ValType::I64)]);
    let mut code = function.instructions();
    code.block(BlockType::Empty).block(BlockType::Empty);
    code.i32_const(0).i32_load(word(BELL)).br_if(0);
    code.i32_const(0).i32_const(0).i32_load(word(BUDGET)).i32_const(1).i32_sub().local_tee(0).i32_store(word(BUDGET));
    code.local_get(0).i32_const(0).i32_ge_s().br_if(1).end();
    code.call(PREEMPT).local_tee(0).if_(BlockType::Empty);
    code.local_get(0).i32_const(SIGNAL).i32_eq().if_(BlockType::Empty);
    stub::poll(ACT, 1, around, &mut code);
    code.else_().i32_const(state::PREEMPTED).global_set(STATE).unreachable().end().end().end().end();
    function
}

fn limit() -> Function {
    let mut function = Function::new([]);
    function.instructions().global_get(PAGES).end();
    function
}

/// A function with a large frame. The argument is the number of the lwp; there is no lwp 0, but the
/// compiler does not know. What makes the frame large is a call in it, never made, across which many
/// values have to be kept. Many results of a call do it under wasmtime, but not in V8. It is too long to be put in line,
/// which would have the kernel run beneath the frame instead of in its place.
fn frame() -> Function {
    let value = |slot: u64| MemArg { offset: slot * 16, align: 4, target: MemArgTarget::Memory(0), ordering: None };
    let mut function = Function::new([]);
    let mut code = function.instructions();
    code.local_get(0).i32_eqz().if_(BlockType::Empty);
    code.i32_const(0);
    for slot in 0..SLOTS {
        code.i32_const(0).v128_load(value(slot));
    }
    code.call(PREEMPT).drop();
    for _ in 1..SLOTS {
        code.v128_xor();
    }
    code.v128_store(value(SLOTS)).end().end();
    function
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub::stub_module;
    use std::collections::BTreeMap;
    use wasmparser::{Validator, types::EntityType};

    /// Name and type of each export.
    fn exports(wasm: &[u8]) -> Vec<(String, String)> {
        let types = Validator::new().validate_all(wasm).unwrap();
        let exports = types.as_ref().core_exports().unwrap().map(|(name, ty)| {
            let ty = match ty {
                EntityType::Func(id) => format!("{:?}", types[id]),
                other => format!("{other:?}"),
            };
            (name.to_string(), ty)
        });
        exports.collect()
    }

    #[test]
    fn it_offers_what_the_stub_does_and_what_is_between_program_and_host() {
        let (web, plain) = (exports(&web_stub_module()), exports(&stub_module()));
        assert_eq!(
            web.iter().take(4).map(|(name, _)| &name[..]).collect::<Vec<_>>(),
            ["check", "state", "limit", "pages"]
        );
        let of = |all: &[(String, String)]| {
            all.iter()
                .filter(|(n, _)| !["state", "pages", "bell"].contains(&&n[..]))
                .cloned()
                .collect::<BTreeMap<_, _>>()
        };
        assert_eq!(of(&web), of(&plain));
    }
}
