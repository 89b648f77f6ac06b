//! The clock in a browser: from the milliseconds of `performance.now()` to the nanoseconds of the
//! hypercall `clock`, in wasm, as an i64 that came from JavaScript would be made through a BigInt.
//!
//! It imports `host.now: () -> f64`, milliseconds since the time origin; `host.origin: f64`, when that was in
//! milliseconds since 1970; and `host.cpu: (i32 lwp) -> f64`, nanoseconds, for clocks that are neither MONOTONIC nor
//! REALTIME. It exports `clock: (i32 id, i32 lwp) -> i64` and `shift`, a global of milliseconds that MONOTONIC is ahead of
//! `host.now`: each worker has a time origin of its own, and the host sets it so that all CPUs agree.
//! One instance a CPU; it remembers the last answer, as MONOTONIC must not go back whatever the browser does
//! to its clock's resolution.

use abi::types::clock;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    GlobalType, ImportSection, Module, TypeSection, ValType,
};

const NOW: u32 = 0;
const CPU: u32 = 1;
const CLOCK: u32 = 2;
const ORIGIN: u32 = 0;
const SHIFT: u32 = 1;
const LAST: u32 = 2;
const NS_PER_MS: f64 = 1e6;

/// The module. The same bytes every time.
pub fn clock_module() -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::F64]);
    types.ty().function([ValType::I32], [ValType::F64]);
    types.ty().function([ValType::I32, ValType::I32], [ValType::I64]);
    let mut imports = ImportSection::new();
    imports.import("host", "now", EntityType::Function(0)).import("host", "cpu", EntityType::Function(1));
    imports.import("host", "origin", GlobalType { val_type: ValType::F64, mutable: false, shared: false });
    let mut functions = FunctionSection::new();
    functions.function(2);
    let mut globals = GlobalSection::new();
    let variable = |val_type| GlobalType { val_type, mutable: true, shared: false };
    globals.global(variable(ValType::F64), &ConstExpr::f64_const(0.0.into()));
    globals.global(variable(ValType::I64), &ConstExpr::i64_const(0));
    let mut exports = ExportSection::new();
    exports.export("clock", ExportKind::Func, CLOCK).export("shift", ExportKind::Global, SHIFT);
    let mut code = CodeSection::new();
    code.function(&body());

    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&globals).section(&exports).section(&code);
    module.finish()
}

fn body() -> Function {
    let (id, lwp, ns) = (0, 1, 2);
    let mut function = Function::new([(1, ValType::I64)]);
    let mut code = function.instructions();
    code.local_get(id).i32_const(clock::MONOTONIC as i32).i32_eq().if_(BlockType::Empty);
    code.call(NOW)
        .global_get(SHIFT)
        .f64_add()
        .f64_const(NS_PER_MS.into())
        .f64_mul()
        .i64_trunc_sat_f64_s()
        .local_tee(ns);
    code.global_get(LAST).i64_gt_s().if_(BlockType::Empty).local_get(ns).global_set(LAST).end();
    code.global_get(LAST).return_().end();
    code.local_get(id).i32_const(clock::REALTIME as i32).i32_eq().if_(BlockType::Empty);
    // In three parts: the sum in nanoseconds has more digits than an f64.
    code.global_get(ORIGIN).i64_trunc_sat_f64_s().i64_const(NS_PER_MS as i64).i64_mul();
    code.global_get(ORIGIN).global_get(ORIGIN).f64_floor().f64_sub();
    code.f64_const(NS_PER_MS.into()).f64_mul().i64_trunc_sat_f64_s().i64_add();
    code.call(NOW).f64_const(NS_PER_MS.into()).f64_mul().i64_trunc_sat_f64_s().i64_add().return_().end();
    code.local_get(lwp).call(CPU).i64_trunc_sat_f64_s().end();
    function
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_valid() {
        let types = wasmparser::Validator::new().validate_all(&super::clock_module()).unwrap();
        let names: Vec<_> = types.as_ref().core_exports().unwrap().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, ["clock", "shift"]);
    }
}
