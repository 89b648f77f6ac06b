//! Programs of every kind, and what becomes of them.

use wasmparser::{Validator, types::EntityType};

use super::*;

const START: &str = "(func (export \"_start\"))";

fn wasm(fields: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {fields})")).unwrap_or_else(|error| panic!("{fields}: {error}"))
}

fn program(fields: &str) -> Program {
    check(&wasm(&format!("{fields} {START}"))).unwrap_or_else(|error| panic!("{fields}: {error}"))
}

/// The message for a program that has a good `_start` beside what is given.
fn why(fields: &str) -> String {
    refused(&wasm(&format!("{fields} {START}")))
}

fn refused(bytes: &[u8]) -> String {
    let message = check(bytes).expect_err("it was accepted").to_string();
    assert!(!message.contains('\n') && !message.is_empty(), "{message}");
    message
}

/// The exports of what was rewritten, which must be valid.
fn exports(bytes: &[u8]) -> Vec<String> {
    let types = Validator::new_with_features(features()).validate_all(bytes).unwrap();
    types.as_ref().core_exports().unwrap().map(|(name, _)| name.to_string()).collect()
}

#[test]
fn a_command_as_the_c_library_makes_it() {
    let p = program(
        "(import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32 i32 i32 i32) (result i32)))
         (import \"wasi_snapshot_preview1\" \"proc_exit\" (func (param i32)))
         (memory (export \"memory\") 2 16)",
    );
    assert_eq!(p.calls().map(|call| call.name).collect::<Vec<_>>(), ["fd_write", "proc_exit"]);
    assert!(matches!(p.imports[1], Import::Call { module: "wasi_snapshot_preview1", .. }));
    assert_eq!(p.memory, Memory::Exported("memory".into()));
    assert_eq!((p.pages, p.max_pages), (2, Some(16)));
    assert!(p.uses_wasi);
    assert_eq!((p.start, p.rewritten), (None, None));
}

#[test]
fn a_program_may_have_a_few_memories_and_not_all() {
    assert_eq!(program(&"(memory 1)".repeat(8)).all_pages, 8);
    assert!(why(&"(memory 1)".repeat(9)).contains("9 memories; at most 8"));
}

#[test]
fn the_three_modules_can_be_mixed_and_keep_their_order() {
    let p = program(
        "(import \"wasi_unstable\" \"fd_seek\" (func (param i32 i64 i32 i32) (result i32)))
         (import \"env\" \"memory\" (memory 3))
         (import \"vkernel\" \"lseek\" (func (param i32 i64 i32) (result i64)))
         (import \"vkernel\" \"lseek\" (func (param i32 i64 i32) (result i64)))",
    );
    assert_eq!(p.calls().map(|call| call.nr).collect::<Vec<_>>(), [176, 44, 44]);
    assert_eq!(p.imports[1], Import::Memory { module: "env".into(), name: "memory".into() });
    assert_eq!((p.memory, p.pages, p.max_pages), (Memory::Imported, 3, None));
    assert!(p.uses_wasi);

    let p = program("(import \"vkernel\" \"getpid\" (func (result i32)))");
    assert!(!p.uses_wasi);
    assert_eq!((p.memory, p.pages), (Memory::None, 0));
}

#[test]
fn the_memory_is_the_one_called_so_or_the_first() {
    assert_eq!(program("(memory 1) (memory (export \"memory\") 5)").pages, 5);
    assert_eq!(
        program("(memory (export \"ram\") 4) (memory (export \"rom\") 5)").memory,
        Memory::Exported("ram".into())
    );
    let twice = "(memory (export \"ram\") (export \"memory\") 4)";
    assert_eq!(program(twice).memory, Memory::Exported("memory".into()));
    // Imported and handed on.
    let on = program("(import \"a\" \"b\" (memory 1)) (export \"memory\" (memory 0)) (memory 7)");
    assert_eq!((on.memory, on.pages), (Memory::Imported, 1));
}

#[test]
fn a_hidden_memory_is_exported() {
    let fields = "(memory 1 9) (data (i32.const 0) \"x\") (@custom \"last\" \"abc\")";
    let p = program(fields);
    assert_eq!((p.memory, p.pages, p.max_pages), (Memory::Exported("memory".into()), 1, Some(9)));
    let bytes = p.rewritten.unwrap();
    assert_eq!(exports(&bytes), ["_start", "memory"]);
    // Nothing else has changed: one export more, and no more to do.
    assert_eq!(bytes.len(), wasm(&format!("{fields} {START}")).len() + "memory".len() + 3);
    assert_eq!(check(&bytes).unwrap().rewritten, None);

    let p = program("(memory 1) (func (export \"memory\")) (func (export \"memory_\"))");
    assert_eq!(p.memory, Memory::Exported("memory__".into()));
    assert_eq!(exports(&p.rewritten.unwrap()), ["memory", "memory_", "_start", "memory__"]);
}

#[test]
fn a_start_function_is_left_to_the_host() {
    let p = program("(memory (export \"memory\") 1) (func $s (i32.store (i32.const 0) (i32.const 1))) (start $s)");
    assert_eq!(p.start.as_deref(), Some("vkernel:start"));
    let bytes = p.rewritten.unwrap();
    assert_eq!(exports(&bytes), ["memory", "_start", "vkernel:start"]);
    let again = check(&bytes).unwrap();
    assert_eq!((again.start, again.rewritten), (None, None));

    // Exported already, and a hidden memory besides.
    let p = program("(memory 1) (func $s (export \"init\")) (start $s)");
    assert_eq!(p.start.as_deref(), Some("init"));
    assert_eq!(exports(&p.rewritten.unwrap()), ["init", "_start", "memory"]);
}

#[test]
fn what_the_engine_has_is_accepted() {
    for fields in [
        "(memory 1) (func (param i32) (drop (i32.atomic.rmw.add (local.get 0) (i32.const 1))))",
        "(func (result i32) return_call 0)",
        "(tag $t) (func block $b try_table (catch_all $b) throw $t end end)",
        "(type (struct (field i32))) (func (drop (struct.new 0 (i32.const 1))))",
        "(func (param v128 v128) (result v128) (i32x4.relaxed_trunc_f32x4_s (local.get 0)))",
        "(memory 1) (memory 1) (func (memory.copy 0 1 (i32.const 0) (i32.const 0) (i32.const 0)))",
        "(table 1 externref) (func (drop (table.get (i32.const 0))))",
    ] {
        program(fields);
    }
}

#[test]
fn imports_that_nobody_offers_are_named() {
    assert_eq!(
        why("(import \"env\" \"foo\" (func))"),
        "imports \"env.foo\", which is not offered; programs may import from wasi_snapshot_preview1, wasi_unstable and vkernel"
    );
    assert!(why("(import \"vkernel\" \"fork\" (func))").starts_with("imports \"vkernel.fork\", which is not offered"));
    assert!(why("(import \"wasi_unstable\" \"sock_accept\" (func))").contains("wasi_unstable.sock_accept"));
    assert!(why("(import \"k\" \"trap\" (func))").contains("\"k.trap\""));
    assert!(why("(import \"env\" \"t\" (table 1 funcref))").starts_with("imports the table \"env.t\""));
    assert!(why("(import \"k\" \"lwp\" (global i32))").starts_with("imports the global \"k.lwp\""));
    assert!(why("(import \"env\" \"e\" (tag))").starts_with("imports the tag \"env.e\""));
    assert!(why("(import \"a\\n\\1b[2J\" \"b\" (func))").contains("a\\n\\u{1b}[2J.b"));
    let two = why("(import \"a\" \"m\" (memory 1)) (import \"b\" \"m\" (memory 1))");
    assert!(two.starts_with("imports the memories \"a.m\" and \"b.m\""), "{two}");
    let aside = why("(import \"a\" \"m\" (memory 1)) (memory (export \"memory\") 1)");
    assert!(aside.starts_with("imports the memory \"a.m\" and exports another"), "{aside}");
}

#[test]
fn imports_of_another_type_say_both() {
    assert_eq!(
        why("(import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32 i64) (result i32 i32)))"),
        "imports \"wasi_snapshot_preview1.fd_write\" as (i32, i64) -> (i32, i32), \
         but it is (i32, i32, i32, i32) -> i32; declare it so"
    );
    // The parameters are right, but no function of another module can have such a type.
    for types in ["(type $t (sub (func (result i32))))", "(rec (type $t (func (result i32))) (type (func)))"] {
        let message = why(&format!("{types} (import \"vkernel\" \"getpid\" (func (type $t)))"));
        assert!(message.contains("but it is the plain () -> i32"), "{message}");
    }
}

#[test]
fn memories_that_are_not_offered_are_named() {
    assert!(why("(memory (export \"memory\") 1 2 shared)").starts_with("its memory \"memory\" is shared"));
    assert!(
        why("(import \"env\" \"mem\" (memory 1 2 shared))").starts_with("its imported memory \"env.mem\" is shared")
    );
    assert!(why("(memory 1) (memory 1 2 shared)").starts_with("its memory number 1 is shared"));
    assert!(why("(memory i64 1)").starts_with("its memory number 0 has 64-bit addresses"));
}

#[test]
fn only_commands_are_run() {
    assert_eq!(
        refused(&wasm("(func (export \"_initialize\"))")),
        "is a reactor (exports _initialize and no _start); only commands can be run"
    );
    assert!(refused(&wasm("(func (export \"main\"))")).starts_with("exports no function \"_start\""));
    assert!(refused(&wasm("(func (export \"_start\") (param i32))")).contains("as (i32) -> ()"));
    assert!(refused(&wasm("(memory (export \"_start\") 1)")).contains("as a memory"));
    assert!(check(&wasm("(func (export \"_initialize\")) (func (export \"_start\"))")).is_ok());
}

#[test]
fn what_is_no_module_is_told_apart() {
    assert_eq!(refused(b""), "is empty: not a WebAssembly module");
    assert_eq!(refused(b"#!/bin/sh\n"), "not a WebAssembly module");
    assert_eq!(refused(b"\x7fELF\x02\x01\x01"), "not a WebAssembly module");
    assert_eq!(refused(b"\0as"), "not a WebAssembly module");
    assert!(refused(b"  (module)").contains("its text"));
    assert!(refused(b"\0asm\x0d\0\x01\0").starts_with("is a WebAssembly component"));
    assert!(refused(b"\0asm\x02\0\0\0").contains("at offset 0x4: unknown binary version"));
    let mixed = "(func (result i32) i64.const 1)";
    assert!(why(mixed).contains("type mismatch"), "{}", why(mixed));
    assert!(why("(tag $t) (func try throw $t catch_all end)").starts_with("uses what is not offered"));
    assert!(
        why("(global (mut i64) (i64.const 0)) (func (drop (i64.const 0))) (memory 1 (pagesize 1))")
            .contains("page size")
    );
}

#[test]
fn bodies_can_be_left_to_the_compiler() {
    let bytes = wasm(&format!("(func (result i32) i64.const 1) (memory 1) {START}"));
    assert!(check(&bytes).is_err());
    let p = check_declarations(&bytes).unwrap();
    assert_eq!(p.memory, Memory::Exported("memory".into()));
    assert!(check_declarations(&wasm("(import \"env\" \"f\" (func))")).is_err());
}

/// Modules with something of everything, for the two tests below.
fn samples() -> Vec<Vec<u8>> {
    [
        "(import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32 i32 i32 i32) (result i32)))
         (import \"env\" \"memory\" (memory 1 4)) (global (mut i32) (i32.const 5)) (table 2 funcref)
         (elem (i32.const 0) 0 1) (data (i32.const 8) \"hello\") (@custom \"x\" \"abc\")
         (func (export \"_start\") (drop (call 0 (i32.const 0) (i32.const 1) (i32.const 2) (i32.const 3))))",
        "(type (struct (field i32))) (rec (type (func)) (type (array i8))) (tag) (memory 2) (func $s) (start $s)
         (func (export \"_start\") (local i64 v128) block loop br 1 end end)
         (func (param i32) (result i32) (i32.atomic.load (local.get 0)))",
    ]
    .map(wasm)
    .to_vec()
}

/// Whatever comes out must be valid, and final. True for a program.
fn must_hold(bytes: &[u8]) -> bool {
    let Ok(program) = check(bytes) else { return false };
    let run = program.rewritten.as_deref().unwrap_or(bytes);
    let types = Validator::new_with_features(features()).validate_all(run).expect("what is run is valid");
    let export = |name: &str| types.as_ref().core_exports().unwrap().find(|(n, _)| *n == name).map(|(_, ty)| ty);
    if let Memory::Exported(name) = &program.memory {
        assert!(matches!(export(name), Some(EntityType::Memory(ty)) if ty.initial == program.pages));
    }
    if let Some(name) = &program.start {
        assert!(matches!(export(name), Some(EntityType::Func(_))));
    }
    assert_eq!(types.as_ref().core_imports().unwrap().count(), program.imports.len());
    assert_eq!(check(run).expect("what is run is accepted").rewritten, None);
    true
}

#[test]
fn no_prefix_is_a_program() {
    for bytes in samples() {
        assert!(must_hold(&bytes));
        for n in 0..bytes.len() {
            must_hold(&bytes[..n]);
            if let Err(refusal) = check(&bytes[..n]) {
                assert!(!refusal.to_string().contains('\n'));
            }
        }
        assert!(refused(&bytes[..bytes.len() - 1]).contains("is the file complete?"));
    }
}

#[test]
fn no_mutation_gets_past_or_panics() {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for sample in samples() {
        let mut accepted = 0;
        for _ in 0..15_000 {
            let mut bytes = sample.clone();
            for _ in 0..=random(4) {
                let at = 8 + random(bytes.len() - 8);
                match random(4) {
                    0 => bytes[at] = random(256) as u8,
                    1 => bytes[at] ^= 1 << random(8),
                    2 => bytes.insert(at, random(256) as u8),
                    _ => _ = bytes.remove(at),
                }
            }
            accepted += u32::from(must_hold(&bytes));
        }
        // It looks at programs too, and not at refusals alone.
        assert!((100..14_000).contains(&accepted), "{accepted}");
    }
}
