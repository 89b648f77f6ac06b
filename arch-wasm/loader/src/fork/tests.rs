//! What is made able to fork is valid and linked to the two calls; what cannot be copied refuses to fork. What it does is
//! tested where there is an engine, in tests/fork.

use wasmparser::{Operator, Validator};

use super::*;
use crate::program::{check, features};

const FORK: &str = "(import \"vkernel\" \"fork\" (func $fork (result i32)))";

fn wasm(fields: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {FORK} {fields})")).unwrap_or_else(|error| panic!("{fields}: {error}"))
}

fn forked(fields: &str) -> Vec<u8> {
    let out = fork(&wasm(fields)).unwrap_or_else(|refusal| panic!("{fields}: {refusal}")).unwrap();
    Validator::new_with_features(features()).validate_all(&out).unwrap_or_else(|error| panic!("{fields}: {error}"));
    out
}

/// How many instructions of a kind there are.
fn count(wasm: &[u8], is: impl Fn(&Operator) -> bool) -> usize {
    let mut found = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CodeSectionEntry(body) = payload.unwrap() {
            let ops = body.get_operators_reader().unwrap().into_iter();
            found += ops.filter(|op| is(op.as_ref().unwrap())).count();
        }
    }
    found
}

/// Calls of `vkernel.fork_at`.
fn calls_the_kernel(wasm: &[u8], fork_at: u32) -> bool {
    count(wasm, |op| matches!(op, Operator::Call { function_index } if *function_index == fork_at)) > 0
}

#[test]
fn what_does_not_fork_stays() {
    let none = wat::parse_str("(module (func (export \"_start\")))").unwrap();
    assert_eq!(fork(&none), Ok(None));
    assert_eq!(fork(b"\0asm"), Ok(None));
    assert_eq!(fork(b""), Ok(None));
    let other = wat::parse_str("(module (import \"env\" \"fork\" (func (result i32))))").unwrap();
    assert_eq!(fork(&other), Ok(None));
}

#[test]
fn what_is_broken_is_refused() {
    let whole = wasm("(memory 1) (func (export \"_start\") (drop (call $fork)))");
    for end in 0..whole.len() {
        // Where a section ends, a shorter module does.
        if let Ok(Some(out)) = fork(&whole[..end]) {
            Validator::new_with_features(features()).validate_all(&out).unwrap();
        }
    }
    let typed = wat::parse_str("(module (import \"vkernel\" \"fork\" (func (param i32))))").unwrap();
    let message = fork(&typed).unwrap_err().to_string();
    assert!(message.starts_with("imports \"vkernel.fork\" as (i32) -> (), but it is () -> i32"), "{message}");
}

#[test]
fn the_imports_are_those_of_the_kernel() {
    let out = forked(
        "(import \"env\" \"memory\" (memory 1)) (import \"vkernel\" \"getpid\" (func (result i32)))
         (func (export \"_start\") (drop (call $fork)))",
    );
    let program = check(&out).unwrap();
    let names: Vec<_> = program.calls().map(|call| call.name).collect();
    assert_eq!(names, ["frames", "getpid", "fork_at"]);
    assert_eq!(fork(&out), Ok(None));
}

#[test]
fn a_program_without_a_memory_gets_one() {
    let out = forked("(func (export \"_start\") (drop (call $fork)))");
    assert!(calls_the_kernel(&out, 1));
}

#[test]
fn operands_of_all_types_are_kept() {
    let out = forked(
        "(memory 1) (table 1 funcref) (elem (i32.const 0) $f) (type $t (func (param i32) (result i32 f64)))
         (func $f (type $t) (local $v v128) (local $d f64)
            (i64.const 1) (local.get $v) (f32.const 2)
            (loop $l (param f32) (result f32) (call_indirect (type $t) (call $fork) (i32.const 0)) drop drop
                (br_if $l (call $fork)))
            drop drop drop (block (result i32 f64) (call $fork) (f64.const 1)))
         (func (export \"_start\") (call $f (i32.const 1)) drop drop)",
    );
    assert!(calls_the_kernel(&out, 1));
}

#[test]
fn what_returns_what_it_calls_has_no_frame() {
    let tests = |op: &Operator| matches!(op, Operator::If { .. });
    let own = count(&forked("(memory 1) (func (export \"_start\"))"), tests);
    let tail = "(memory 1) (func $a (result i32) (if (result i32) (i32.const 1) (then (call $fork)) (else (return (call $fork)))))";
    let out = forked(&format!("{tail} (func (export \"x\") (result i32) (call $a))"));
    assert_eq!(count(&out, tests), own + 1);
}

#[test]
fn state_that_cannot_be_copied_refuses() {
    for fields in [
        "(memory 1) (memory 1)",
        "(memory 1) (global (mut externref) (ref.null extern))",
        "(memory 1) (table 1 externref)",
        "(memory 1) (table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))",
        "(memory i64 1)",
    ] {
        let out = forked(&format!("{fields} (func $f (drop (call $fork))) (export \"_start\" (func $f))"));
        assert!(!calls_the_kernel(&out, 1), "{fields}");
    }
}

#[test]
fn references_hold() {
    let frames = |out: &[u8]| count(out, |op| matches!(op, Operator::CallIndirect { .. }));
    // The entry's two, and one for each site.
    let sites =
        |fields: &str| frames(&forked(&format!("(memory 1) (tag $e) {fields} (export \"_start\" (func $f))"))) - 2;
    assert_eq!(sites("(func $f (drop (call $fork)))"), 1);
    assert_eq!(sites("(func $f (local externref) (drop (call $fork)))"), 1);
    assert_eq!(sites("(func $f (ref.null func) (drop (call $fork)) (drop))"), 0);
    assert_eq!(sites("(func $f (local $r externref) (local.set $r (ref.null extern)) (drop (call $fork)))"), 0);
    // As it is while an exception is kept to be thrown again, but not after that was passed by.
    assert_eq!(
        sites(
            "(func $f (local $r exnref)
                (block $done
                    (block $caught (result exnref)
                        (try_table (catch_all_ref $caught) (drop (call $fork)))
                        (br $done))
                    (local.set $r) (drop (call $fork)) (throw_ref (local.get $r)))
                (drop (call $fork)))"
        ),
        2
    );
    assert_eq!(
        sites("(func $f (local $r anyref) (loop $l (drop (call $fork)) (local.set $r (ref.null any)) (br $l)))"),
        0
    );
}

#[test]
fn calls_from_outside_hold() {
    let out = forked(
        "(memory 1) (func $f (param i32) (drop (call $fork))) (func $s (call $f (i32.const 1)))
         (start $s) (export \"handler\" (func $f)) (func (export \"_start\"))",
    );
    assert!(check(&out).is_ok());
    assert!(!calls_the_kernel(&out, 1));
}

#[test]
fn labels_of_casts_and_tables_are_kept() {
    forked(
        "(memory 1) (tag $e (param i32))
         (func $f (param i32) (result i32)
            (block $a (result i32) (block $b (block $c (drop (call $fork))
                (block $d (result anyref)
                    (br_on_cast $d anyref i31ref (ref.i31 (call $fork))) (drop) (ref.null any)) (drop)
                (drop (call $fork))
                (br_table $b $c $b (local.get 0))) (drop (call $fork)))
                (try_table (catch $e $a) (drop (call $fork)) (throw $e (i32.const 4))) (i32.const 1)))
         (func (export \"_start\") (drop (call $f (i32.const 0))))",
    );
}

#[test]
fn what_grows_too_much_is_refused() {
    // One operand more for each call, of which each is saved at all that follow.
    let calls = "(call $fork) ".repeat(100);
    let drops = "drop ".repeat(100);
    forked(&format!("(memory 1) (func (export \"_start\") {calls} {drops})"));
    let many = "(call $f)".repeat(100_000);
    let operands = "(i64.const 0) ".repeat(90);
    let body = format!("(func $g {operands} {many} {})", "drop ".repeat(90));
    let fields = format!("(memory 1) (func $f (drop (call $fork))) {body} (export \"_start\" (func $g))");
    assert_eq!(fork(&wasm(&fields)), Err(TOO_LARGE));
}

#[test]
fn an_exception_that_leaves_an_export_ends_the_hold() {
    let handler = "(memory 1) (tag $e) (func (export \"_start\") (drop (call $fork)))
        (func (export \"handler\") (param i32 i32 i32) (drop (call $fork)) (throw $e))";
    let passed_on = |wasm: &[u8]| count(wasm, |op| matches!(op, Operator::ThrowRef));
    assert_eq!(passed_on(&forked(handler)), 1);
    let without = "(memory 1) (func (export \"_start\") (drop (call $fork)))
        (func (export \"handler\") (param i32 i32 i32) (drop (call $fork)))";
    assert_eq!(passed_on(&forked(without)), 0);
}
