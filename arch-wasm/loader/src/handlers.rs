//! Whether a program has signal handlers.

use abi::trapframe::HANDLER_EXPORT;
use wasmparser::{ExternalKind, Parser, Payload};

/// True when a program exports the function that calls its signal handlers. False for what is no program.
pub fn has_handlers(bytes: &[u8]) -> bool {
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ExportSection(section)) => {
                let is = |e: wasmparser::Export| e.name == HANDLER_EXPORT && e.kind == ExternalKind::Func;
                return section.into_iter().flatten().any(is);
            }
            // Exports come before code.
            Ok(Payload::CodeSectionStart { .. }) | Err(_) => return false,
            Ok(_) => {}
        }
    }
    false
}
