//! What is prepared is valid, has its checks, and cannot pretend to be something else.

use wasmparser::{Parser, Payload, Validator};

use super::inner::MOST_INNER;
use super::*;
use crate::program::{Memory, features};

fn wasm(fields: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {fields} (func (export \"_start\")))"))
        .unwrap_or_else(|error| panic!("{fields}: {error}"))
}

fn prepared(fields: &str) -> Vec<u8> {
    let out = prepare(&wasm(fields)).unwrap();
    Validator::new_with_features(features()).validate_all(&out).unwrap_or_else(|error| panic!("{fields}: {error}"));
    out
}

fn custom<'a>(wasm: &'a [u8], name: &str) -> Vec<&'a [u8]> {
    let payloads = Parser::new(0).parse_all(wasm).map(Result::unwrap);
    let found = payloads.filter_map(|payload| match payload {
        Payload::CustomSection(custom) if custom.name() == name => Some(custom.data()),
        _ => None,
    });
    found.collect()
}

#[test]
fn a_description_says_what_check_said() {
    for fields in [
        "",
        "(memory 1) (func $s) (start $s)",
        "(memory 1) (memory 2) (memory 4 9)",
        "(import \"env\" \"mem\" (memory 3 7)) (import \"wasi_unstable\" \"fd_seek\" (func (param i32 i64 i32 i32) (result i32)))",
        "(import \"vkernel\" \"getpid\" (func (result i32))) (import \"wasi_snapshot_preview1\" \"proc_exit\" (func (param i32))) \
         (memory (export \"ram\") 2)",
    ] {
        let program = check(&wasm(fields)).unwrap();
        let out = prepared(fields);
        let [payload] = custom(&out, SECTION)[..] else { panic!("{fields}") };
        let told = described(payload).unwrap();
        assert_eq!(told, Program { rewritten: None, ..program });
        for n in 0..payload.len() {
            assert!(described(&payload[..n]).is_err());
        }
        assert!(described(&[payload, &[0]].concat()).is_err());
    }
}

#[test]
fn instances_serve_again_where_fork_takes_over_all_that_changes() {
    let serves = |fields: &str| {
        let fork = r#"(import "vkernel" "fork" (func $fork (result i32)))"#;
        let out = prepare(&wat::parse_str(format!("(module {fork} {fields})")).unwrap()).unwrap();
        described(custom(&out, SECTION)[0]).unwrap().serves_again
    };
    let start =
        r#"(memory (export "memory") 1) (global (mut i32) (i32.const 1)) (func (export "_start") (drop (call $fork)))"#;
    assert!(serves(start));
    assert!(!serves(r#"(memory (export "memory") 1) (func (export "_start"))"#));
    assert!(!serves(&format!(r#"(import "vkernel" "frames" (func (result i32))) {start}"#)));
    assert!(!serves(&format!(r#"{start} (data $d "x") (func (data.drop $d))"#)));
    assert!(!serves(&format!(r#"{start} (table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))"#)));
    assert!(!serves(&format!("{start} (global (mut funcref) (ref.null func))")));
    assert!(!prepare(&wasm("")).is_ok_and(|out| described(custom(&out, SECTION)[0]).unwrap().serves_again));
}

#[test]
fn a_program_cannot_describe_itself() {
    let mine = describe::describe(&Program { memory: Memory::Exported("x".into()), ..check(&wasm("")).unwrap() });
    let mut bytes = wasm("(memory 1)");
    CustomSection { name: SECTION.into(), data: mine.into() }.append_to(&mut bytes);
    let out = prepare(&bytes).unwrap();
    let [payload] = custom(&out, SECTION)[..] else { panic!("not one") };
    assert_eq!(described(payload).unwrap().memory, Memory::Exported("memory".into()));
}

#[test]
fn what_is_prepared_is_not_prepared_again() {
    let out = prepared("(memory 1)");
    let message = prepare(&out).unwrap_err().to_string();
    assert!(message.starts_with("imports \"vk.check\""), "{message}");
}

#[test]
fn functions_keep_their_meaning_where_they_are_named() {
    let out = prepared(
        "(import \"vkernel\" \"getpid\" (func $i (result i32)))
         (table $t 3 funcref (ref.func $b)) (table 2 (ref null func)) (memory 1)
         (global $g funcref (ref.func $a)) (global $h (mut i32) (i32.const 4)) (tag $e (param i32))
         (func $a (result i32) (call $i)) (func $b (result i32) (return_call $a)) (func $c (drop (ref.func $a)))
         (elem (i32.const 1) $a $i) (elem (table 1) (i32.const 0) (ref null func) (ref.func $b) (ref.null func))
         (elem declare func $a $c) (data (i32.const 0) \"x\") (data \"passive\")
         (func (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 1)))
         (export \"a\" (func $a)) (export \"g\" (global $g)) (@custom \"name\" \"\")",
    );
    let text = wasmparser_names(&out);
    assert_eq!(text, ["a", "g", "_start"]);
    assert!(custom(&out, "name").is_empty());
}

fn wasmparser_names(wasm: &[u8]) -> Vec<String> {
    let types = Validator::new_with_features(features()).validate_all(wasm).unwrap();
    types.as_ref().core_exports().unwrap().map(|(name, _)| name.to_string()).filter(|n| n != "memory").collect()
}

/// How many functions there are more than those that come with each module.
fn functions_added(fields: &str) -> u32 {
    let count = |wasm: &[u8]| {
        let types = Validator::new_with_features(features()).validate_all(wasm).unwrap();
        types.as_ref().function_count()
    };
    count(&prepared(fields)) - count(&wasm(fields)) - IMPORTS - 2
}

#[test]
fn what_calls_itself_keeps_the_fuel() {
    let calls = |function: &str, other: &str| format!("(func $f {function}) (func $other (param i32) {other})");
    for (function, inner) in [
        ("(param i32) (if (local.get 0) (then (call $f (i32.const 1))))", 1),
        ("(param i64 f32) (result f64) (call $f (local.get 0) (local.get 1))", 1),
        ("(result i32 i32) (call $f)", 0),
        ("(param v128) (call $f (local.get 0))", 0),
        ("(param funcref) (call $f (local.get 0))", 0),
        ("(param i32) (call $other (i32.const 1))", 0),
        ("(param i32) (return_call $f (i32.const 1))", 0),
        ("(param i32) (if (local.get 0) (then (return_call $f (i32.const 1)))) (call $f (i32.const 1))", 0),
        // Calls of others: as many, more, and more of which one does not come back.
        ("(param i32) (call $f (i32.const 1)) (call $other (i32.const 1))", 1),
        ("(call $f) (call $other (i32.const 1)) (call $other (i32.const 1))", 0),
        ("(call $f) (call $other (i32.const 1)) (call $other (i32.const 1)) (unreachable)", 1),
        // Loops that count.
        ("(param i32) (call $f (i32.const 1)) (loop (br_if 0 (i32.load (local.get 0))))", 1),
    ] {
        let fields = "(memory 1) ".to_string() + &calls(function, "");
        assert_eq!(functions_added(&fields), inner, "{function}");
        let fields = "(memory 1) ".to_string() + &calls(function, "(try_table)");
        assert_eq!(functions_added(&fields), 0, "{function}, where exceptions are caught");
    }
}

#[test]
fn a_module_has_so_many_functions_that_keep_the_fuel() {
    let functions: String = (0..MOST_INNER + 3)
        .map(|n| format!("(func $f{n} (param i32) (result i32) (call $f{n} (local.get 0)))"))
        .collect();
    assert_eq!(functions_added(&functions), MOST_INNER as u32);
}
