//! The stub: what stands between a program's imports and the kernel's `trap`.
//!
//! One module serves every program, so it is compiled once and an lwp's instance of it is a few
//! words. Each system call is an exported function: it widens the arguments, packs those of a long
//! call (`abi::syscalls::registers`), calls `trap` and looks at the answer. An answer below
//! [`ACTION`](abi::trapframe::ACTION) is an order. To leave user code the stub executes `unreachable`, which is the one
//! way out that the program's `catch_all` cannot stop, and the host, which finds the
//! lwp marked as unwinding, does the rest. To deliver a signal it asks the kernel what to call (`abi::trapframe::step`)
//! and calls the program's `__vk_signal`, which the host has put into the table `handler`; when that comes back
//! it tells the kernel, and does as that answers: see decision 11.
//!
//! It imports `k.trap (i32 lwp, i32 nr, i64 x 6) -> i64`, `k.signal (i32 lwp, i32 step, i64, i64) -> i64` and the constant
//! `k.lwp: i32`, all from the lwp's kernel instance and its host. Besides the calls it exports `handler`, `deliver` (an entry
//! point, after a fault), and what programs that were prepared import: `check`, which looks at the global `bell` that the host
//! sets, and `limit`, which here says that there is none. The browser's (`webstub`) has more around each call.

use abi::hypercall::Ty;
use abi::syscalls::{self, SYSCALLS, Syscall};
use abi::trapframe::{ACTION, ACTION_DELIVER, ACTION_RESTART, step};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    GlobalType, ImportSection, InstructionSink, Module, RefType, TableSection, TableType, TypeSection, ValType,
};

use crate::signature;

/// The trap's own arguments before the registers, and how many registers there are.
const TRAP_HEAD: [ValType; 2] = [ValType::I32, ValType::I32];
const REGISTERS: usize = 6;
pub(crate) const TRAP: u32 = 0;
const SIGNAL: u32 = 1;
/// Of functions.
pub(crate) const IMPORTED: u32 = 2;
pub(crate) const LWP: u32 = 0;
/// The global that `check` looks at; functions, behind the imported ones.
const BELL: u32 = 1;
const ACT: u32 = IMPORTED;
const CHECK: u32 = IMPORTED + 2;
const LIMIT: u32 = IMPORTED + 3;
const FIRST: u32 = IMPORTED + 4;

/// The stub's export that serves an import.
pub fn export_name(module: &str, name: &str) -> String {
    format!("{module}:{name}")
}

/// The module. The same bytes every time.
pub fn stub_module() -> Vec<u8> {
    let mut parts = Parts::default();
    let imports = parts.imports(false);
    let tables = parts.handlers(IMPORTED, |_, code| _ = code, |code| _ = code.unreachable());
    let plain = parts.type_of(vec![], None);
    let number = parts.type_of(vec![], Some(ValType::I32));
    parts.functions.function(plain).function(number);
    let mut limit = Function::new([]);
    limit.instructions().i32_const(-1).end();
    parts.code.function(&check()).function(&limit);
    parts.exports.export("check", ExportKind::Func, CHECK).export("limit", ExportKind::Func, LIMIT);
    parts.exports.export("bell", ExportKind::Global, BELL);
    parts.calls(FIRST, ACT, |_, code| _ = code);
    let mut globals = GlobalSection::new();
    let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
    globals.global(ty, &ConstExpr::i32_const(0));

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

/// Asks the kernel when the host has rung. Whether user code goes on at all is the host's affair.
fn check() -> Function {
    let mut function = Function::new([(1, ValType::I64)]);
    let mut code = function.instructions();
    code.global_get(BELL).if_(BlockType::Empty).i32_const(0).global_set(BELL);
    poll(ACT, 0, |_, code| _ = code, &mut code);
    code.end().end();
    function
}

/// Asks the kernel whether a handler is to run, and runs it. `answer` is a local.
pub(crate) fn poll(act: u32, answer: u32, around: impl Fn(Place, &mut InstructionSink), code: &mut InstructionSink) {
    around(Place::Entry, code);
    code.global_get(LWP).i32_const(step::POLL as i32).i64_const(0).i64_const(0).call(SIGNAL).local_set(answer);
    around(Place::Answered, code);
    code.local_get(answer).i64_const(ACTION).i64_lt_s().if_(BlockType::Empty);
    code.local_get(answer).call(act).drop().end();
}

/// The sections as they grow.
#[derive(Default)]
pub(crate) struct Parts {
    pub types: TypeSection,
    known_types: Vec<(Vec<ValType>, Option<ValType>)>,
    pub functions: FunctionSection,
    pub exports: ExportSection,
    pub code: CodeSection,
}

/// A place in the function of a call, where a kind of stub has code of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Entry,
    /// Behind `trap`. The answer is in its local.
    Answered,
}

impl Parts {
    pub fn type_of(&mut self, params: Vec<ValType>, result: Option<ValType>) -> u32 {
        let wanted = (params, result);
        if let Some(at) = self.known_types.iter().position(|known| *known == wanted) {
            return at as u32;
        }
        self.types.ty().function(wanted.0.iter().copied(), wanted.1);
        self.known_types.push(wanted);
        self.known_types.len() as u32 - 1
    }

    /// `k.trap`, `k.signal` and `k.lwp`: functions 0 and 1, global number 0.
    pub fn imports(&mut self, lwp_changes: bool) -> ImportSection {
        let mut trap = TRAP_HEAD.to_vec();
        trap.resize(TRAP_HEAD.len() + REGISTERS, ValType::I64);
        let trap = self.type_of(trap, Some(ValType::I64));
        let mut imports = ImportSection::new();
        imports.import("k", "trap", EntityType::Function(trap));
        let signal = vec![ValType::I32, ValType::I32, ValType::I64, ValType::I64];
        let signal = self.type_of(signal, Some(ValType::I64));
        imports.import("k", "signal", EntityType::Function(signal));
        let lwp = GlobalType { val_type: ValType::I32, mutable: lwp_changes, shared: false };
        imports.import("k", "lwp", lwp);
        imports
    }

    /// The table that the program's `__vk_signal` is put into, and two functions: what an action does, and `deliver`.
    /// `leave` writes how user code is left. There are `imported` functions before all.
    pub fn handlers(
        &mut self,
        imported: u32,
        around: impl Fn(Place, &mut InstructionSink),
        leave: impl Fn(&mut InstructionSink),
    ) -> TableSection {
        let handler = self.type_of(vec![ValType::I32; 3], None);
        let act_type = self.type_of(vec![ValType::I64], Some(ValType::I64));
        let plain = self.type_of(vec![], None);
        let act_at = self.functions.len() + imported;
        self.functions.function(act_type).function(plain);
        let mut deliver = Function::new([]);
        deliver.instructions().i64_const(ACTION_DELIVER).call(act_at).drop().end();
        self.code.function(&act(handler, around, leave)).function(&deliver);
        self.exports.export("handler", ExportKind::Table, 0).export("deliver", ExportKind::Func, act_at + 1);
        let mut tables = TableSection::new();
        let (element_type, minimum) = (RefType::FUNCREF, 1);
        tables.table(TableType { element_type, minimum, maximum: Some(minimum), table64: false, shared: false });
        tables
    }

    /// A function for each call, from number `first` on, and its exports. `around` writes what
    /// comes before and after the trap; `act` is the function for actions.
    pub fn calls(&mut self, first: u32, act: u32, around: impl Fn(Place, &mut InstructionSink)) {
        for call in SYSCALLS {
            let params = signature::params(call).map(signature::to_encoder).collect();
            let ty = self.type_of(params, signature::result(call).map(signature::to_encoder));
            self.functions.function(ty);
            self.code.function(&body(call, act, &around));
        }
        self.export_all(first);
    }

    /// Every name a program may import, in the table's order; one function may have two.
    fn export_all(&mut self, first: u32) {
        for module in [syscalls::VKERNEL, syscalls::WASI_PREVIEW1, syscalls::WASI_UNSTABLE] {
            for (row, call) in SYSCALLS.iter().enumerate() {
                // The row is asked for by its name, so that a module's own row hides a shared one.
                let serves = syscalls::by_import(module, call.name).is_some_and(|found| found.nr == call.nr);
                if serves {
                    self.exports.export(&export_name(module, call.name), ExportKind::Func, first + row as u32);
                }
            }
        }
    }
}

/// `(an action) -> an answer`, or [`ACTION_RESTART`]: runs handlers until the kernel has another answer, or
/// leaves user code. `handler` is the type of `__vk_signal`.
fn act(handler: u32, around: impl Fn(Place, &mut InstructionSink), leave: impl Fn(&mut InstructionSink)) -> Function {
    const ANSWER: u32 = 0;
    const WHAT: u32 = 1;
    const MASK: u32 = 2;
    const RESULT: u32 = 3;
    let mut function = Function::new([(3, ValType::I64)]);
    let mut code = function.instructions();
    code.loop_(BlockType::Empty);
    code.local_get(ANSWER).i64_const(ACTION_DELIVER).i64_eq().if_(BlockType::Empty);
    around(Place::Entry, &mut code);
    for (step, local) in [(step::HANDLER, WHAT), (step::MASK, MASK), (step::RESULT, RESULT)] {
        code.global_get(LWP).i32_const(step as i32).i64_const(0).i64_const(0).call(SIGNAL).local_set(local);
    }
    around(Place::Answered, &mut code);
    code.local_get(WHAT).i32_wrap_i64();
    code.local_get(WHAT).i64_const(32).i64_shr_u().i32_wrap_i64().i32_const(0xff).i32_and();
    code.local_get(WHAT).i64_const(step::SIGINFO).i64_and().i64_eqz().i32_eqz();
    code.i32_const(0).call_indirect(0, handler);
    around(Place::Entry, &mut code);
    code.global_get(LWP)
        .i32_const(step::RETURN as i32)
        .local_get(MASK)
        .local_get(RESULT)
        .call(SIGNAL)
        .local_set(ANSWER);
    around(Place::Answered, &mut code);
    code.br(1).end();
    code.local_get(ANSWER).i64_const(ACTION).i64_ge_s();
    code.local_get(ANSWER).i64_const(ACTION_RESTART).i64_eq().i32_or();
    code.if_(BlockType::Empty).local_get(ANSWER).return_().end();
    leave(&mut code);
    code.end().unreachable().end();
    function
}

/// The function of a call. What is seldom stands at its end: in the middle it cost a nanosecond.
fn body(call: &Syscall, act: u32, around: impl Fn(Place, &mut InstructionSink)) -> Function {
    let answer = call.args.len() as u32;
    let mut function = Function::new([(1, ValType::I64)]);
    let mut code = function.instructions();
    let trap = |code: &mut InstructionSink| {
        around(Place::Entry, code);
        code.global_get(LWP).i32_const(call.nr as i32);
        arguments(call, code);
        code.call(TRAP).local_set(answer);
        around(Place::Answered, code);
    };
    let result = |code: &mut InstructionSink| {
        match signature::result(call) {
            None => code,
            Some(Ty::I64) => code.local_get(answer),
            Some(Ty::I32) => code.local_get(answer).i32_wrap_i64(),
        };
    };
    trap(&mut code);
    code.local_get(answer).i64_const(ACTION).i64_ge_s().if_(BlockType::Empty);
    result(&mut code);
    code.return_().end();
    if call.restarted() {
        code.loop_(BlockType::Empty);
        code.local_get(answer).call(act).local_tee(answer).i64_const(ACTION_RESTART).i64_eq().if_(BlockType::Empty);
        trap(&mut code);
        code.local_get(answer).i64_const(ACTION).i64_lt_s().br_if(1).end().end();
    } else {
        code.local_get(answer).call(act).local_set(answer);
    }
    result(&mut code);
    code.end();
    function
}

/// Pushes the six registers.
fn arguments(call: &Syscall, code: &mut InstructionSink) {
    let kinds: Vec<_> = call.args.iter().map(|(_, kind)| *kind).collect();
    let mut registers = 0;
    syscalls::registers(&kinds, |arg, _, upper| {
        code.local_get(arg as u32);
        if !kinds[arg].is_long() {
            code.i64_extend_i32_u();
        }
        if upper {
            code.i64_const(32).i64_shl().i64_or();
        } else {
            registers += 1;
        }
    });
    assert!(registers <= REGISTERS, "{} does not fit in {REGISTERS} registers", call.name);
    for _ in registers..REGISTERS {
        code.i64_const(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{Trap, World};
    use abi::trapframe::ACTION_UNWIND;
    use wasmparser::types::EntityType;

    const LWP_NR: u64 = 0x8000_0010;

    /// Calls an export; answers what `trap` got and what came back.
    fn run(wasm: &[u8], export: &str, args: &[u64], answer: i64) -> (Vec<u64>, Result<Option<u64>, Trap>) {
        let mut seen = Vec::new();
        let mut world = World::with_memories(vec![]);
        world.globals = vec![LWP_NR];
        world.call_params = 8;
        world.leave = Some(ACT);
        world.call = Box::new(|args| {
            seen = args.to_vec();
            answer as u64
        });
        let result = world.run(wasm, export, args);
        drop(world);
        (seen, result)
    }

    #[test]
    fn every_import_that_is_offered_has_a_function_of_its_type() {
        let wasm = stub_module();
        let types =
            wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::WASM1).validate_all(&wasm).unwrap();
        let exports: Vec<_> = types.as_ref().core_exports().unwrap().collect();
        let mut offered = 0;
        for module in [syscalls::VKERNEL, syscalls::WASI_PREVIEW1, syscalls::WASI_UNSTABLE] {
            let mut names: Vec<_> = SYSCALLS.iter().map(|call| call.name).collect();
            names.sort_unstable();
            names.dedup();
            for call in names.iter().filter_map(|name| syscalls::by_import(module, name)) {
                let name = export_name(module, call.name);
                let found = exports.iter().find(|(n, _)| *n == name);
                let Some((_, EntityType::Func(id))) = found else { panic!("{name} is missing") };
                let expected = signature::func_type(signature::params(call), signature::result(call));
                assert_eq!(*types[*id].unwrap_func(), expected, "{name}");
                offered += 1;
            }
        }
        assert_eq!(exports.iter().filter(|(name, _)| name.contains(':')).count(), offered);
        assert!(!exports.iter().any(|(name, _)| *name == "wasi_unstable:sock_accept"));
    }

    /// What the stub packs, the kernel must take apart again.
    #[test]
    fn arguments_arrive_as_they_were_given() {
        let wasm = stub_module();
        for call in SYSCALLS {
            let module = match call.module {
                syscalls::Module::vkernel => syscalls::VKERNEL,
                syscalls::Module::wasi => syscalls::WASI_PREVIEW1,
                syscalls::Module::wasi_unstable => syscalls::WASI_UNSTABLE,
            };
            let args: Vec<u64> = (0..call.args.len() as u64)
                .map(|i| {
                    let bits = 0xf1e2_d3c4_b5a6_9788u64.wrapping_mul(2 * i + 1);
                    if call.args[i as usize].1.is_long() { bits } else { bits & 0xffff_ffff }
                })
                .collect();
            let (seen, result) = run(&wasm, &export_name(module, call.name), &args, 0);
            assert_eq!(seen[..2], [LWP_NR, call.nr.into()], "{}", call.name);
            assert_eq!(result, Ok((!call.no_result()).then_some(0)), "{}", call.name);
            assert_eq!(unpack(call, &seen[2..]), args, "{}", call.name);
        }
    }

    /// As the kernel's dispatch does it.
    fn unpack(call: &Syscall, registers: &[u64]) -> Vec<u64> {
        let kinds: Vec<_> = call.args.iter().map(|(_, kind)| *kind).collect();
        macro_rules! slots {
            ($($n:literal)*) => {
                match kinds.len() {
                    $($n => syscalls::slots::<$n>(kinds[..].try_into().unwrap()).to_vec(),)*
                    n => panic!("{n} arguments"),
                }
            };
        }
        let slots = slots!(0 1 2 3 4 5 6 7 8 9 10 11 12);
        let value = |(kind, (register, shift)): (&syscalls::Arg, (usize, u32))| {
            let bits = registers[register] >> shift;
            if kind.is_long() { bits } else { (bits as u32).into() }
        };
        kinds.iter().zip(slots).map(value).collect()
    }

    #[test]
    fn answers_are_results_down_to_the_actions() {
        let wasm = stub_module();
        let getpid = |answer| run(&wasm, "vkernel:getpid", &[], answer).1;
        assert_eq!(getpid(42), Ok(Some(42)));
        assert_eq!(getpid(-44), Ok(Some((-44i32 as u32).into())));
        assert_eq!(getpid(ACTION), Ok(Some(0)));
        assert_eq!(getpid(ACTION - 1), Err(Trap::Unreachable));
        assert_eq!(getpid(ACTION_UNWIND), Err(Trap::Unreachable));

        let lseek = |answer| run(&wasm, "vkernel:lseek", &[3, 0, 0], answer).1;
        assert_eq!(lseek(1 << 40), Ok(Some(1 << 40)));
        assert_eq!(lseek(-8), Ok(Some(-8i64 as u64)));
        assert_eq!(lseek(ACTION_UNWIND), Err(Trap::Unreachable));

        let exit = |answer| run(&wasm, "wasi_unstable:proc_exit", &[3], answer).1;
        assert_eq!(exit(ACTION_UNWIND), Err(Trap::Unreachable));
        assert_eq!(exit(0), Ok(None));
    }

    #[test]
    fn the_unstable_module_has_its_own_rows_where_they_differ() {
        let wasm = stub_module();
        assert_eq!(run(&wasm, "wasi_unstable:fd_seek", &[0; 4], 0).0[1], 176);
        assert_eq!(run(&wasm, "wasi_snapshot_preview1:fd_seek", &[0; 4], 0).0[1], 151);
        assert_eq!(run(&wasm, "wasi_unstable:fd_read", &[0; 4], 0).0[1], 148);
    }
}
