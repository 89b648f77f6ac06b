//! The module that only has a memory.
//!
//! A host that gives all lwps of a vkernel one mapping as the kernel's memory cannot hand one
//! memory object to stores of different lwps. So it instantiates this module in every store, with
//! a memory creator that answers with the same mapping each time.

use wasm_encoder::{ExportKind, ExportSection, MemorySection, MemoryType, Module};

/// Defines and exports an unshared `memory` of `min_pages` pages that can grow to `max_pages`.
pub fn alias_memory_module(min_pages: u64, max_pages: u64) -> Vec<u8> {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: min_pages,
        maximum: Some(max_pages),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);

    let mut module = Module::new();
    module.section(&memories).section(&exports);
    module.finish()
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_has_the_limits_asked_for() {
        let wasm = super::alias_memory_module(18, 4096);
        let types = wasmparser::Validator::new().validate_all(&wasm).unwrap();
        let memory = types.as_ref().memory_at(0);
        assert_eq!((memory.initial, memory.maximum, memory.shared), (18, Some(4096), false));
        assert_eq!(types.as_ref().core_exports().unwrap().map(|(name, _)| name).collect::<Vec<_>>(), ["memory"]);
    }
}
