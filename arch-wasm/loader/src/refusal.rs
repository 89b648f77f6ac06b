//! Why a program is not run: what is wrong with it and what to do next, in one line.
//!
//! A [`Refusal`] is made by `check` and shown by whoever was asked to run the program, after the
//! program's name and a colon; it is the text behind `ENOEXEC`. Names in it come from the program,
//! so they are escaped and cut: a message never spans lines, nor speaks to the terminal.

use std::fmt;

use crate::program::MEMORIES_MAX;

/// The import modules, as a message lists them.
const OFFER: &str = "programs may import from wasi_snapshot_preview1, wasi_unstable and vkernel";

/// A reason to refuse a program. `Display` is one line without an end.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The bytes do not start as a module does.
    NotWasm { empty: bool, text: bool },
    /// A component-model binary.
    Component,
    /// Truncated, damaged or invalid; the offset is into the file.
    Malformed { offset: u64, reason: String },
    /// Valid, but only with a proposal that is not offered.
    Feature { offset: u64, reason: String },
    /// A function, table, global or tag that nobody offers; `kind` is that word.
    UnknownImport { kind: &'static str, name: String },
    /// An import of that name is offered, with another type.
    ImportType { name: String, expected: String, found: String },
    /// More than one memory is imported.
    TwoMemories { first: String, second: String },
    /// One memory is imported and another one exported as `memory`, so that it is not clear whose
    /// addresses the program's pointers are.
    MemoryAside { imported: String },
    /// A memory of wasm threads.
    SharedMemory { memory: String },
    /// A memory of 64-bit addresses.
    Memory64 { memory: String },
    /// More memories than [`MEMORIES_MAX`](crate::program::MEMORIES_MAX).
    ManyMemories { count: u32 },
    /// `_initialize` and no `_start`.
    Reactor,
    /// Neither.
    NoStart,
    /// `_start` is not a function, or takes or returns something.
    StartType { found: String },
    /// With what is put in it would be past what engines take; `what` is too many in a function or the program.
    TooLarge { what: &'static str },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotWasm { empty: true, .. } => write!(f, "is empty: not a WebAssembly module"),
            Refusal::NotWasm { text: true, .. } => {
                write!(f, "not a WebAssembly module but its text; assemble it first (wat2wasm, wasm-tools parse)")
            }
            Refusal::NotWasm { .. } => write!(f, "not a WebAssembly module"),
            Refusal::Component => {
                write!(f, "is a WebAssembly component; only core modules can be run (build it for wasm32-wasip1)")
            }
            Refusal::Malformed { offset, reason } if reason.starts_with("unexpected end") => {
                write!(f, "truncated or malformed at offset {offset:#x}: {reason}; is the file complete?")
            }
            Refusal::Malformed { offset, reason } => {
                write!(f, "malformed at offset {offset:#x}: {reason}; build or download it again")
            }
            Refusal::Feature { offset, reason } => {
                write!(f, "uses what is not offered at offset {offset:#x}: {reason}; build it without")
            }
            Refusal::UnknownImport { kind: "function", name } => {
                write!(f, "imports \"{name}\", which is not offered; {OFFER}")
            }
            Refusal::UnknownImport { kind, name } => {
                write!(
                    f,
                    "imports the {kind} \"{name}\", which is not offered; programs may import functions and a memory"
                )
            }
            Refusal::ImportType { name, expected, found } => {
                write!(f, "imports \"{name}\" as {found}, but it is {expected}; declare it so")
            }
            Refusal::TwoMemories { first, second } => {
                write!(f, "imports the memories \"{first}\" and \"{second}\"; at most one can be imported")
            }
            Refusal::MemoryAside { imported } => {
                write!(f, "imports the memory \"{imported}\" and exports another as \"memory\"; use one of them only")
            }
            Refusal::SharedMemory { memory } => {
                write!(f, "{memory} is shared, which is not offered yet; build it without threads (wasm32-wasip1)")
            }
            Refusal::ManyMemories { count } => {
                write!(f, "has {count} memories; at most {MEMORIES_MAX} are offered, engines have room for few")
            }
            Refusal::Memory64 { memory } => {
                write!(f, "{memory} has 64-bit addresses, which is not offered yet; build it for wasm32")
            }
            Refusal::Reactor => {
                write!(f, "is a reactor (exports _initialize and no _start); only commands can be run")
            }
            Refusal::NoStart => {
                write!(
                    f,
                    "exports no function \"_start\"; only commands can be run, build it as a program and not as a library"
                )
            }
            Refusal::StartType { found } => {
                write!(f, "exports \"_start\" as {found}; it must be a function that takes and returns nothing")
            }
            Refusal::TooLarge { what } => {
                write!(f, "has too many {what} for a browser; build it with less inlining")
            }
        }
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// From the validator's error. Its message may quote the program.
    pub(crate) fn from_parser(error: &wasmparser::Error) -> Refusal {
        let (offset, reason) = (error.offset(), clean(error.message(), 200));
        match error.missing_wasm_feature() {
            Some(_) => Refusal::Feature { offset, reason },
            None => Refusal::Malformed { offset, reason },
        }
    }
}

/// `module.name` of an import, fit to be shown.
pub(crate) fn import_name(module: &str, name: &str) -> String {
    format!("{}.{}", clean(module, 60), clean(name, 60))
}

/// Text of a program's on one line, without control characters, at most `max` characters and an
/// ellipsis.
pub(crate) fn clean(text: &str, max: usize) -> String {
    let mut out: String = text.chars().take(max).flat_map(char::escape_debug).collect();
    if text.chars().nth(max).is_some() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_program_cannot_break_the_line() {
        assert_eq!(import_name("env", "a\nb\x1b[31m"), "env.a\\nb\\u{1b}[31m");
        let long = "x".repeat(100_000);
        assert_eq!(clean(&long, 60), format!("{}...", "x".repeat(60)));
        assert_eq!(clean("exact", 5), "exact");
    }
}
