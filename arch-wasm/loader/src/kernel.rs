//! `kernel.wasm` itself: is it one, and what it becomes on a host with one CPU.
//!
//! The kernel is built for several CPUs over a shared memory. A host that never runs two lwps of a
//! vkernel at once and never preempts kernel code needs no atomicity: [`uniprocessor`] makes the
//! memory an unshared one and every atomic instruction a plain one, at load time, as Linux patches
//! `lock` prefixes away on a machine with one processor (its "SMP alternatives"). It saves some 20 ns
//! an uncontended lock, which is more than a system call costs. On the way small copies of known
//! length are written out (`moves`).

use std::convert::Infallible;

use abi::hypercall::{HYPERCALLS, Ty};
use wasm_encoder::reencode::{self, Reencode, utils};
use wasm_encoder::{CodeSection, Function};
use wasmparser::types::{EntityType, Types, TypesRef};
use wasmparser::{CodeSectionReader, FunctionBody, Operator, Validator, WasmFeatures};

use crate::atomics::{Scratch, classify};
use crate::moves::Move;
use crate::signature;

/// The functions a kernel exports, as the head of `abi::trapframe` and `abi::hypercall` list them.
const EXPORTS: [(&str, &[Ty], Option<Ty>); 13] = {
    use Ty::{I32, I64};
    [
        ("hypercall_version", &[], Some(I32)),
        ("boot", &[], Some(I32)),
        ("start", &[], Some(I32)),
        ("first_lwp", &[], Some(I32)),
        ("cpu_stack", &[], Some(I32)),
        ("kstack", &[I32], Some(I32)),
        ("lwp_next", &[I32, I32, I32], Some(I64)),
        ("lwp_gone", &[I32], None),
        ("trap", &[I32, I32, I64, I64, I64, I64, I64, I64], Some(I64)),
        ("signal", &[I32, I32, I64, I64], Some(I64)),
        ("intr", &[I32, I32], None),
        ("report", &[], Some(I64)),
        ("uaccess", &[I32], None),
    ]
};

/// The kernel without its atomics, for a host that runs one lwp at a time.
///
/// # Errors
/// Says what is wrong with a kernel that is not valid. What comes out is valid and has neither
/// atomic instructions nor a shared memory.
pub fn uniprocessor(kernel_wasm: &[u8]) -> Result<Vec<u8>, String> {
    let types = validate(kernel_wasm, WasmFeatures::WASM3)?;
    let mut plain = Uniprocessor { types, next_function: 0 };
    let mut module = wasm_encoder::Module::new();
    plain
        .parse_core_module(&mut module, wasmparser::Parser::new(0), kernel_wasm)
        .map_err(|error| format!("kernel: {error}"))?;
    let out = module.finish();
    // Without the proposal the validator knows no atomic instruction: none has been forgotten.
    validate(&out, WasmFeatures::WASM3.difference(WasmFeatures::THREADS))?;
    Ok(out)
}

fn validate(wasm: &[u8], features: WasmFeatures) -> Result<Types, String> {
    Validator::new_with_features(features).validate_all(wasm).map_err(|error| format!("kernel: {error}"))
}

/// The rewriting, while it runs over the module.
struct Uniprocessor {
    types: Types,
    /// The index of the function whose body comes next.
    next_function: u32,
}

impl Uniprocessor {
    fn params(&self, function: u32) -> u32 {
        let id = self.types.as_ref().core_function_at(function);
        self.types[id].unwrap_func().params().len() as u32
    }
}

impl Reencode for Uniprocessor {
    type Error = Infallible;

    fn memory_type(&mut self, ty: wasmparser::MemoryType) -> Result<wasm_encoder::MemoryType, reencode::Error> {
        Ok(wasm_encoder::MemoryType { shared: false, ..utils::memory_type(self, ty) })
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        // Imported functions come first and have no body.
        self.next_function = self.types.as_ref().function_count() - section.count();
        utils::parse_code_section(self, code, section)
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Result<(), reencode::Error> {
        let params = self.params(self.next_function);
        self.next_function += 1;

        let mut locals = Vec::new();
        let mut scratch = Scratch { base: params, ..Scratch::default() };
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            scratch.base += count;
            locals.push((count, self.val_type(ty)?));
        }
        let (mut constants, mut moves) = (Vec::new(), false);
        for op in body.get_operators_reader()? {
            let op = op?;
            if let Some(atomic) = classify(&op) {
                scratch.need(&atomic);
            }
            moves |= Move::of(&constants, &op).is_some();
            match op {
                Operator::I32Const { value } => constants.push(value),
                _ => constants.clear(),
            }
        }
        locals.extend(scratch.declare());
        let for_moves = params + locals.iter().map(|(count, _)| count).sum::<u32>();
        locals.extend(moves.then_some(Move::LOCALS));

        let mut function = Function::new(locals);
        // From here on those not written yet: they may be a move's.
        constants.clear();
        for op in body.get_operators_reader()? {
            let op = op?;
            if let Operator::I32Const { value } = op {
                constants.push(value);
                continue;
            }
            let small = Move::of(&constants, &op);
            constants.truncate(constants.len() - small.map_or(0, Move::constants));
            for value in constants.drain(..) {
                function.instructions().i32_const(value);
            }
            if let Some(small) = small {
                small.write(&mut function.instructions(), for_moves);
                continue;
            }
            match classify(&op) {
                Some(atomic) => {
                    let memarg = atomic.memarg.map(|m| self.mem_arg(m)).transpose()?;
                    atomic.write(&mut function.instructions(), memarg, &scratch);
                }
                None => {
                    function.instruction(&self.instruction(op)?);
                }
            }
        }
        code.function(&function);
        Ok(())
    }
}

/// Makes sure that this is a kernel of this version of the contract, before or after
/// [`uniprocessor`].
///
/// # Errors
/// The first import or export that is not as `abi` has it.
pub fn check_kernel(bytes: &[u8]) -> Result<(), String> {
    let types = validate(bytes, WasmFeatures::WASM3)?;
    let types = types.as_ref();
    let not_core = || "kernel: not a core module".to_string();
    let mut memory = false;
    for (module, name, ty) in types.core_imports().ok_or_else(not_core)? {
        memory |= check_import(&types, module, name, ty)?;
    }
    if !memory {
        return Err("kernel: does not import env.memory; link it with --import-memory".into());
    }

    let exports: Vec<_> = types.core_exports().ok_or_else(not_core)?.collect();
    let export = |name| exports.iter().find(|(n, _)| *n == name).map(|(_, ty)| *ty);
    for (name, params, result) in EXPORTS {
        let expected = signature::func_type(params.iter().copied(), result);
        check_function("exports", name, &expected, &types, export(name))?;
    }
    match export("__stack_pointer") {
        Some(EntityType::Global(g)) if g.mutable && g.content_type == wasmparser::ValType::I32 => {}
        _ => return Err("kernel: exports no mutable i32 __stack_pointer; link it with --export=__stack_pointer".into()),
    }
    match export("__indirect_function_table") {
        Some(EntityType::Table(t)) if t.element_type == wasmparser::RefType::FUNCREF => Ok(()),
        _ => Err("kernel: exports no __indirect_function_table; link it with --export-table".into()),
    }
}

/// True for the memory.
fn check_import(types: &TypesRef, module: &str, name: &str, ty: EntityType) -> Result<bool, String> {
    match (module, ty) {
        ("env", EntityType::Memory(memory)) if name == "memory" => {
            if memory.memory64 || memory.maximum.is_none() {
                return Err("kernel: env.memory must have 32-bit addresses and a maximum".into());
            }
            Ok(true)
        }
        ("host", _) => {
            let call = HYPERCALLS.iter().find(|call| call.name == name);
            let call = call.ok_or_else(|| format!("kernel: imports host.{name}, which is no hypercall"))?;
            let expected = signature::func_type(call.args.iter().map(|(_, ty)| *ty), call.result);
            check_function("imports", name, &expected, types, Some(ty))?;
            Ok(false)
        }
        _ => Err(format!("kernel: imports {module}.{name}; it may import env.memory and hypercalls only")),
    }
}

fn check_function(
    verb: &str,
    name: &str,
    expected: &wasmparser::FuncType,
    types: &TypesRef,
    found: Option<EntityType>,
) -> Result<(), String> {
    let shown = signature::show(expected);
    match found {
        Some(EntityType::Func(id) | EntityType::FuncExact(id)) => {
            let found = types[id].unwrap_func();
            if found == expected {
                return Ok(());
            }
            Err(format!("kernel: {verb} {name} as {}; it must be {shown}", signature::show(found)))
        }
        Some(_) => Err(format!("kernel: {verb} {name}, but not as a function; it must be {shown}")),
        None => Err(format!("kernel: {verb} no function {name}; it must be {shown}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::World;

    /// A kernel that does nothing, with lines put in or left out.
    fn kernel(imports: &str, leave_out: &str, put_in: &str) -> Vec<u8> {
        let lines = [
            "(func (export \"hypercall_version\") (result i32) i32.const 1)",
            "(func (export \"boot\") (result i32) i32.const 0)",
            "(func (export \"start\") (result i32) i32.const 0)",
            "(func (export \"first_lwp\") (result i32) i32.const 0)",
            "(func (export \"kstack\") (param i32) (result i32) i32.const 0)",
            "(func (export \"cpu_stack\") (result i32) i32.const 0)",
            "(func (export \"lwp_next\") (param i32 i32 i32) (result i64) i64.const 0)",
            "(func (export \"lwp_gone\") (param i32))",
            "(func (export \"trap\") (param i32 i32 i64 i64 i64 i64 i64 i64) (result i64) \
               i32.const 64 i32.const 1 i32.atomic.rmw.add i64.extend_i32_u)",
            "(func (export \"signal\") (param i32 i32 i64 i64) (result i64) i64.const 0)",
            "(func (export \"intr\") (param i32 i32))",
            "(func (export \"report\") (result i64) i64.const 0)",
            "(func (export \"uaccess\") (param i32))",
            "(global (export \"__stack_pointer\") (mut i32) i32.const 4096)",
            "(table (export \"__indirect_function_table\") 8 funcref)",
        ];
        let body = lines.into_iter().filter(|l| leave_out.is_empty() || !l.contains(leave_out)).collect::<String>();
        wat::parse_str(format!("(module {imports} {body} {put_in})")).unwrap()
    }

    const MEMORY: &str = "(import \"env\" \"memory\" (memory 1 16 shared))";

    #[test]
    fn a_kernel_is_accepted_before_and_after() {
        let imports = format!(
            "(import \"host\" \"park\" (func (param i32 i32 i64) (result i32))) {MEMORY} \
             (import \"host\" \"halt\" (func (param i32)))"
        );
        let smp = kernel(&imports, "", "");
        assert_eq!(check_kernel(&smp), Ok(()));

        let up = uniprocessor(&smp).unwrap();
        assert_eq!(check_kernel(&up), Ok(()));
        let types = Validator::new().validate_all(&up).unwrap();
        let memory = types.as_ref().memory_at(0);
        assert_eq!((memory.shared, memory.initial, memory.maximum), (false, 1, Some(16)));

        // The function after two imported ones got its own locals, behind its eight parameters.
        let mut world = World::with_memories(vec![vec![0; 65536]]);
        assert_eq!(world.run(&up, "trap", &[0; 8]), Ok(Some(0)));
        assert_eq!(world.run(&up, "trap", &[0; 8]), Ok(Some(1)));
        assert_eq!(world.memories[0][64], 2);
    }

    #[test]
    fn what_has_no_atomics_stays_as_it_was() {
        let text = "(module (memory (import \"env\" \"memory\") 1 1) (table 1 funcref) (elem (i32.const 0) $f) \
            (data (i32.const 8) \"abc\") (global $g (mut i64) (i64.const 7)) \
            (func $f (export \"f\") (param i32) (result i64) (local $x f64) \
              block loop local.get 0 br_table 0 1 end end \
              v128.const i64x2 1 2 i64x2.extract_lane 0 global.get $g i64.add))";
        let wasm = wat::parse_str(text).unwrap();
        let sections = |wasm: &[u8]| -> Vec<Vec<u8>> {
            let payloads = wasmparser::Parser::new(0).parse_all(wasm).filter_map(|p| p.unwrap().as_section());
            let sections = payloads.map(|(_, range)| wasm[range.start as usize..range.end as usize].to_vec());
            sections.collect()
        };
        assert_eq!(sections(&uniprocessor(&wasm).unwrap()), sections(&wasm));
    }

    #[test]
    fn what_is_no_kernel_is_told_why() {
        fn why(imports: &str, leave_out: &str, put_in: &str) -> String {
            check_kernel(&kernel(imports, leave_out, put_in)).unwrap_err()
        }
        assert!(why("", "trap", "").contains("does not import env.memory"));
        assert!(why("(import \"env\" \"memory\" (memory 1))", "", "").contains("maximum"));
        let with = |more: &str| format!("{MEMORY} (import {more})");
        assert_eq!(
            why(&with("\"wasi_snapshot_preview1\" \"fd_write\" (func)"), "", ""),
            "kernel: imports wasi_snapshot_preview1.fd_write; it may import env.memory and hypercalls only"
        );
        assert!(why(&with("\"host\" \"fork\" (func)"), "", "").contains("host.fork, which is no hypercall"));
        assert_eq!(
            why(&with("\"host\" \"unpark\" (func (param i32) (result i32))"), "", ""),
            "kernel: imports unpark as (i32) -> i32; it must be (i32, i32) -> i32"
        );
        assert!(why(&with("\"host\" \"halt\" (global i32)"), "", "").contains("not as a function"));
        for (name, ..) in EXPORTS {
            let quoted = format!("\"{name}\"");
            assert!(why(MEMORY, &quoted, "").contains(&format!("exports no function {name}")), "{name}");
        }
        let wrong = "(func (export \"boot\") (param i32))";
        assert_eq!(why(MEMORY, "\"boot\"", wrong), "kernel: exports boot as (i32) -> (); it must be () -> i32");
        assert!(why(MEMORY, "__stack_pointer", "").contains("__stack_pointer"));
        assert!(why(MEMORY, "__indirect_function_table", "").contains("__indirect_function_table"));
        assert!(check_kernel(b"").is_err());
        assert!(uniprocessor(b"\0asm\x01\0\0\0\x0a").is_err());
    }
}
