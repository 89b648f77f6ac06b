//! The last change to `kernel.wasm` before it is compiled: it defines the memory that it imported.
//!
//! Which bytes that memory is made of is decided by the memory creator (`memory.rs`), not by an
//! import; so an instance of the kernel needs nothing of its store but host functions, and can be
//! linked once for all. The memory is exported as `memory`, for the modules around the kernel, and
//! it has its full size from the start: one instance's growth would be unseen by the others.

use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{ExportKind, ExportSection, ImportSection, MemorySection, MemoryType, Module, SectionId};
use wasmparser::{ExportSectionReader, ImportSectionReader, Parser, TypeRef};

/// Size of the kernel's memory, tmpfs included: 1 GiB, or what the kernel was linked for if that is
/// more. What isn't touched costs address space only.
const PAGES: u64 = 16384;

/// The kernel with a memory of its own.
///
/// # Errors
/// What is wrong with it; it has been through `loader::check_kernel` and `loader::uniprocessor`.
pub(crate) fn own_memory(kernel_wasm: &[u8]) -> Result<Vec<u8>, String> {
    let mut rewriter = OwnMemory::default();
    let mut module = Module::new();
    rewriter.parse_core_module(&mut module, Parser::new(0), kernel_wasm).map_err(|e| format!("kernel: {e}"))?;
    if !rewriter.written {
        return Err("kernel: has neither globals nor exports".into());
    }
    Ok(module.finish())
}

#[derive(Default)]
struct OwnMemory {
    memory: Option<MemoryType>,
    written: bool,
}

impl Reencode for OwnMemory {
    type Error = Infallible;

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: ImportSectionReader<'_>,
    ) -> Result<(), Error> {
        for import in section.into_imports() {
            let import = import?;
            match import.ty {
                TypeRef::Memory(ty) => {
                    let ty = self.memory_type(ty)?;
                    let pages = ty.maximum.unwrap_or(ty.minimum).max(PAGES);
                    self.memory = Some(MemoryType { minimum: pages, maximum: Some(pages), ..ty });
                }
                _ => self.parse_import(imports, import)?,
            }
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), Error> {
        for export in section {
            let export = export?;
            if export.name != "memory" {
                self.parse_export(exports, export)?;
            }
        }
        exports.export("memory", ExportKind::Memory, 0);
        Ok(())
    }

    /// Puts the memory section in its place, before the sections that come after it.
    fn intersperse_section_hook(
        &mut self,
        module: &mut Module,
        after: Option<SectionId>,
        before: Option<SectionId>,
    ) -> Result<(), Error> {
        use SectionId::{Custom, Function, Import, Table, Type};
        let early = matches!(before, None | Some(Custom | Type | Import | Function | Table));
        if let Some(ty) = self.memory.filter(|_| !early && !self.written) {
            let mut memories = MemorySection::new();
            memories.memory(ty);
            module.section(&memories);
            self.written = true;
        }
        utils::intersperse_section_hook(self, module, after, before)
    }
}

#[cfg(test)]
mod tests {
    use super::own_memory;
    use wasmparser::Validator;

    #[test]
    fn the_import_becomes_a_definition_of_full_size() {
        let kernel = wat::parse_str(
            r#"(module (import "host" "f" (func $f)) (import "env" "memory" (memory 1 3)) (import "host" "g" (func))
                (table 1 funcref) (global (mut i32) (i32.const 0))
                (func (export "boot") (result i32) (call $f) (i32.load (i32.const 8)))
                (elem (i32.const 0) $f) (data "x"))"#,
        );
        let out = own_memory(&kernel.unwrap()).unwrap();
        let types = Validator::new().validate_all(&out).unwrap();
        let memory = types.as_ref().memory_at(0);
        assert_eq!((memory.initial, memory.maximum), (16384, Some(16384)));
        let imports: Vec<_> = types.as_ref().core_imports().unwrap().map(|(m, n, _)| format!("{m}.{n}")).collect();
        assert_eq!(imports, ["host.f", "host.g"]);
        assert!(types.as_ref().core_exports().unwrap().any(|(name, _)| name == "memory"));
    }
}
