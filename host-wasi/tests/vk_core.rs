//! Core dumps, from the fault to the debugger.

mod vk_support;

use std::os::unix::fs::PermissionsExt;

use vk_support::{Scratch, has_kernel, run, run_in};
use wasmparser::{CoreDumpStackSection, KnownCustom, Parser, Payload};

const PROGRAM: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    IMPORTS
    (memory (export "memory") 20)
    (data (i32.const 70000) "the string in its memory")
    (func $divide (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
    (func $between (param i32) (result i32) (i32.add (call $divide (local.get 0)) (i32.const 1)))
    (func (export "_start") BODY))"#;

fn program(imports: &str, body: &str) -> Vec<u8> {
    wat::parse_str(PROGRAM.replace("IMPORTS", imports).replace("BODY", body)).expect("a program")
}

const CRASH: &str = "(drop (call $between (i32.const 0)))";

/// The functions that a core dump names, and its memory in one piece.
fn parse(bytes: &[u8]) -> (Vec<u32>, Vec<u8>) {
    let (mut functions, mut memory) = (Vec::new(), Vec::new());
    wasmparser::Validator::new().validate_all(bytes).expect("a valid module");
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.expect("a module") {
            Payload::CustomSection(section) => {
                if let KnownCustom::CoreDumpStack(CoreDumpStackSection { frames, .. }) = section.as_known() {
                    functions = frames.iter().map(|f| f.funcidx).collect();
                }
            }
            Payload::DataSection(segments) => {
                segments.into_iter().for_each(|s| memory.extend_from_slice(s.expect("a segment").data))
            }
            _ => {}
        }
    }
    (functions, memory)
}

/// As `prog.wasm`, which may be executed.
fn install(s: &Scratch, bytes: Vec<u8>) {
    let path = s.write("prog.wasm", bytes);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
}

/// Runs it in a directory of the host with a shell's line before it: what was said, and the dump.
fn crash(s: &Scratch, before: &str) -> (vk_support::Done, Option<Vec<u8>>) {
    let _ = std::fs::remove_file(s.0.join("core"));
    let line = format!("cd /mnt; {before}; ./prog.wasm");
    let done = run_in(&s.0, &["run", "--dir", ".::/mnt", "sh", "-c", &line]);
    (done, std::fs::read(s.0.join("core")).ok())
}

#[test]
fn a_dump_names_functions_and_holds_memory() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("core");
    install(&s, program("", CRASH));
    let (done, core) = crash(&s, "ulimit -c unlimited");
    assert_eq!(done.status, 136, "{}", done.err);
    assert!(done.err.contains("(core dumped)"), "{}", done.err);
    let core = core.expect("a core dump");
    let (functions, memory) = parse(&core);
    assert_eq!(functions, [1, 2, 3]);
    assert!(memory.windows(24).any(|w| w == b"the string in its memory"));
    // Of twenty pages almost all are zero.
    assert!(core.len() < 20_000, "{}", core.len());

    let shown = run(&["core", &s.path("core"), &s.path("prog.wasm"), "--memory", "70000,16"]);
    assert_eq!(shown.status, 0, "{}", shown.err);
    for text in [
        "signal: 8 FPE",
        "cause: integer division by zero",
        "#0   divide (function 1)",
        "#1   between",
        "the string in it",
    ] {
        assert!(shown.out.contains(text), "{text}: {}", shown.out);
    }
    assert!(run(&["core", &s.path("core")]).out.contains("#0   ? (function 1)"));
    let refused = run(&["core", &s.path("prog.wasm")]);
    assert_eq!((refused.status, refused.err.contains("no core dump")), (1, true), "{}", refused.err);
    assert_eq!(run(&["core", "/nowhere/core"]).status, 1);
}

/// What the loader puts into such a program isn't in the file that a debugger has.
#[test]
fn programs_that_fork_or_have_handlers_keep_their_numbers() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("core-fork");
    let fork = r#"(import "vkernel" "fork" (func $fork (result i32)))"#;
    // In the child, whose functions are copies that come back from the fork.
    let child = format!(
        "(if (i32.eqz (call $fork)) (then {CRASH})) (loop $for_ever (br_if $for_ever (i32.eqz (i32.load (i32.const 8)))))"
    );
    for (name, bytes, functions) in [
        (
            "parent",
            program(fork, &format!("(if (i32.eqz (call $fork)) (then (call $exit (i32.const 0)))) {CRASH}")),
            [2, 3, 4],
        ),
        ("handlers", program("", &format!("{CRASH}) (func (export \"__vk_signal\") (param i32 i32 i32)")), [1, 2, 3]),
    ] {
        install(&s, bytes);
        let (done, core) = crash(&s, "ulimit -c unlimited");
        assert_eq!(done.status, 136, "{name}: {}", done.err);
        assert_eq!(parse(&core.expect(name)).0, functions, "{name}");
    }
    install(&s, program(fork, &child));
    let (_, core) = crash(&s, "ulimit -c unlimited; (sleep 1; kill $$) & true");
    assert_eq!(parse(&core.expect("the child's")).0, [2, 3, 4]);
}

#[test]
fn no_dump_without_leave_and_a_whole_one_within_the_limit() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("core-limit");
    install(&s, program("", CRASH));
    let (done, core) = crash(&s, "true");
    assert_eq!((done.status, core), (136, None));
    assert!(!done.err.contains("dumped"), "{}", done.err);
    let (done, core) = crash(&s, "ulimit -c 4");
    assert!(done.err.contains("(core dumped)"), "{}", done.err);
    let core = core.expect("a core dump");
    assert_eq!(core.len(), 2048);
    assert_eq!(parse(&core).0, [1, 2, 3]);
}

#[test]
fn a_program_that_computes_is_dumped_when_it_is_told_to_abort() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("core-quit");
    install(&s, program("", "(loop $l (br $l))"));
    // A shell has what runs in the background ignore SIGQUIT.
    let line = "cd /mnt; ulimit -c unlimited; ./prog.wasm & sleep 0.3; kill -ABRT $!; wait $!; echo $?";
    let done = run_in(&s.0, &["run", "--dir", ".::/mnt", "sh", "-c", line]);
    assert_eq!(done.out.trim(), "134", "{}", done.err);
    assert_eq!(parse(&std::fs::read(s.0.join("core")).expect("a core dump")).0, [3]);
}
