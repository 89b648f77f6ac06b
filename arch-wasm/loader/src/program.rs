//! Accepting a user program, or saying what is wrong with it.
//!
//! [`check`] is a function of the bytes alone. A [`Program`] describes what an instance of it
//! needs: its imports in order, where the memory is that its pointers are about, and the bytes to
//! compile where they are not those that came in. Any number may be alive; it borrows nothing.

use abi::syscalls::{self, Syscall};
use wasmparser::{
    Export, ExternalKind, FuncToValidate, FuncType, FuncValidatorAllocations, FunctionBody, MemoryType, Parser,
    Payload, TypeRef, ValidPayload, Validator, ValidatorResources, WasmFeatures, types::Types,
};

use crate::refusal::{Refusal, clean, import_name};
use crate::signature;
use crate::splice::{Edit, Sections, free_name, splice};

/// What a host needs to know to run a program that was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// All imports, one each, in the order in which an instance wants them.
    pub imports: Vec<Import>,
    /// The memory that the program's pointers are about.
    pub memory: Memory,
    /// Its size at the start and what it may grow to, in pages of 64 KiB. 0 without a memory.
    pub pages: u64,
    pub max_pages: Option<u64>,
    /// What all its memories begin with together.
    pub all_pages: u64,
    /// It calls at least one WASI function: the process is set up for that personality.
    pub uses_wasi: bool,
    /// An export to call before `_start`, if any. It is the module's start function, which would
    /// otherwise run during instantiation, when the kernel cannot reach the memory yet.
    pub start: Option<String>,
    /// It forks by means of the loader, and an instance whose process is gone may be a child that another of this program
    /// forks: with the parent's memory in it it is as a new one. Only [`prepare`](crate::prepare) says so.
    pub serves_again: bool,
    /// The bytes to run instead of those that were checked, where something had to be added.
    pub rewritten: Option<Vec<u8>>,
}

impl Program {
    /// The system calls it imports; one that is imported twice comes twice.
    pub fn calls(&self) -> impl Iterator<Item = &'static Syscall> + '_ {
        self.imports.iter().filter_map(|import| match import {
            Import::Call { call, .. } => Some(*call),
            Import::Memory { .. } => None,
        })
    }
}

/// One import.
#[derive(Clone, Debug)]
pub enum Import {
    /// The stub's export `export_name(module, call.name)`.
    Call { module: &'static str, call: &'static Syscall },
    /// A memory of the host's making, with the limits in [`Program`].
    Memory { module: String, name: String },
}

impl PartialEq for Import {
    fn eq(&self, other: &Import) -> bool {
        match (self, other) {
            (Import::Call { module, call }, Import::Call { module: m, call: c }) => module == m && call.nr == c.nr,
            (Import::Memory { module, name }, Import::Memory { module: m, name: n }) => module == m && name == n,
            _ => false,
        }
    }
}
impl Eq for Import {}

/// Where the user memory is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Memory {
    /// There is none: every pointer is bad. Bind uaccess to a memory of no pages.
    None,
    /// The one [`Import::Memory`].
    Imported,
    /// The instance exports it under this name (after rewriting, if it did not before).
    Exported(String),
}

/// Validates a program and finds out what it needs.
///
/// Linear in the module's size, about a second per 100 MB.
pub fn check(bytes: &[u8]) -> Result<Program, Refusal> {
    examine(bytes, true)
}

/// As [`check`], but without a look at function bodies: for a program that was checked before, or
/// that is about to be compiled by an engine that validates.
pub fn check_declarations(bytes: &[u8]) -> Result<Program, Refusal> {
    examine(bytes, false)
}

/// A program's memories. Engines reserve gigabytes of addresses for each, and browsers have room for a hundred
/// in all: one program with that many would leave none for any other. Tools that merge programs make a few.
pub const MEMORIES_MAX: u32 = 8;

/// What wasmtime 48 has on by default: WebAssembly 3.0, so neither components nor legacy
/// exceptions. Memory64 and shared memories pass the validator and are refused by name below.
pub(crate) fn features() -> WasmFeatures {
    WasmFeatures::WASM3
}

fn examine(bytes: &[u8], bodies: bool) -> Result<Program, Refusal> {
    check_header(bytes)?;
    let scan = Scan::new(bytes, bodies).map_err(|error| Refusal::from_parser(&error))?;
    let imports = scan.imports()?;
    let memory = scan.user_memory()?;
    scan.check_entry()?;
    Ok(scan.finish(bytes, imports, memory))
}

/// Tells what is not a module at all from a broken one.
fn check_header(bytes: &[u8]) -> Result<(), Refusal> {
    const MAGIC: &[u8] = b"\0asm";
    if Parser::is_component(bytes) {
        return Err(Refusal::Component);
    }
    if !bytes.starts_with(MAGIC) {
        let text = bytes.trim_ascii_start().starts_with(b"(module");
        return Err(Refusal::NotWasm { empty: bytes.is_empty(), text });
    }
    Ok(())
}

/// A valid module, read once.
struct Scan<'a> {
    types: Types,
    imports: Vec<wasmparser::Import<'a>>,
    exports: Vec<Export<'a>>,
    start: Option<u32>,
    sections: Sections,
}

type Body<'a> = (FuncToValidate<ValidatorResources>, FunctionBody<'a>);

impl<'a> Scan<'a> {
    fn new(bytes: &'a [u8], check_bodies: bool) -> wasmparser::Result<Scan<'a>> {
        let (mut imports, mut exports, mut start, mut sections) = (Vec::new(), Vec::new(), None, Vec::new());
        let (mut types, mut bodies): (_, Vec<Body>) = (None, Vec::new());
        let mut validator = Validator::new_with_features(features());
        let mut parser = Parser::new(0);
        parser.set_features(features());

        for payload in parser.parse_all(bytes) {
            let payload = payload?;
            match validator.payload(&payload)? {
                ValidPayload::Func(func, body) if check_bodies => bodies.push((func, body)),
                ValidPayload::End(all) => types = Some(all),
                _ => {}
            }
            if let Some((id, range)) = payload.as_section() {
                sections.push((id, range.end as usize));
            }
            match payload {
                Payload::ImportSection(s) => imports = s.into_imports().collect::<Result<_, _>>()?,
                Payload::ExportSection(s) => exports = s.into_iter().collect::<Result<_, _>>()?,
                Payload::StartSection { func, .. } => start = Some(func),
                _ => {}
            }
        }
        validate_bodies(bodies)?;
        // A parser that came to its end without an error has seen the end of the module.
        let types = types.expect("a module ends");
        Ok(Scan { types, imports, exports, start, sections })
    }

    /// Finds who serves each import.
    fn imports(&self) -> Result<Vec<Import>, Refusal> {
        let mut functions = 0;
        let mut memory: Option<String> = None;
        let mut out = Vec::with_capacity(self.imports.len());
        for import in &self.imports {
            let shown = || import_name(import.module, import.name);
            let unknown = |kind| Err(Refusal::UnknownImport { kind, name: shown() });
            out.push(match import.ty {
                TypeRef::Func(_) | TypeRef::FuncExact(_) => {
                    functions += 1;
                    self.call(import, functions - 1)?
                }
                TypeRef::Memory(_) => {
                    if let Some(first) = memory.replace(shown()) {
                        return Err(Refusal::TwoMemories { first, second: shown() });
                    }
                    Import::Memory { module: import.module.into(), name: import.name.into() }
                }
                TypeRef::Table(_) => return unknown("table"),
                TypeRef::Global(_) => return unknown("global"),
                TypeRef::Tag(_) => return unknown("tag"),
            });
        }
        Ok(out)
    }

    /// The system call that serves an imported function.
    fn call(&self, import: &wasmparser::Import, function: u32) -> Result<Import, Refusal> {
        let name = || import_name(import.module, import.name);
        let Some(call) = syscalls::by_import(import.module, import.name) else {
            return Err(Refusal::UnknownImport { kind: "function", name: name() });
        };
        let expected = signature::func_type(signature::params(call), signature::result(call));
        let (found, plain) = self.function_type(function);
        if *found != expected {
            let (expected, found) = (signature::show(&expected), signature::show(found));
            return Err(Refusal::ImportType { name: name(), expected, found });
        }
        if !plain {
            let expected = format!("the plain {}", signature::show(&expected));
            return Err(Refusal::ImportType { name: name(), expected, found: "a subtype or member of a group".into() });
        }
        let modules = [syscalls::VKERNEL, syscalls::WASI_PREVIEW1, syscalls::WASI_UNSTABLE];
        let module = modules.into_iter().find(|m| *m == import.module).expect("by_import knows no other module");
        Ok(Import::Call { module, call })
    }

    /// A function's type, and whether a function of another module can have the same one: a type
    /// is also told apart by its supertypes and by the group in which it was declared.
    fn function_type(&self, function: u32) -> (&FuncType, bool) {
        let types = self.types.as_ref();
        let id = types.core_function_at(function);
        let sub = &self.types[id];
        let alone = types.rec_group_elements(types.rec_group_id_of(id)).len() == 1;
        (sub.unwrap_func(), alone && sub.is_final && sub.supertype_idxs.is_empty())
    }

    /// The index of the memory that pointers are about: the one exported as `memory`, as WASI has
    /// it, or else the first.
    fn user_memory(&self) -> Result<Option<u32>, Refusal> {
        let count = self.types.as_ref().memory_count();
        if count > MEMORIES_MAX {
            return Err(Refusal::ManyMemories { count });
        }
        for index in 0..count {
            let MemoryType { shared, memory64, .. } = self.types.as_ref().memory_at(index);
            if shared {
                return Err(Refusal::SharedMemory { memory: self.memory_name(index) });
            }
            if memory64 {
                return Err(Refusal::Memory64 { memory: self.memory_name(index) });
            }
        }
        let named = self.export("memory").filter(|e| e.kind == ExternalKind::Memory).map(|e| e.index);
        match (self.imported_memory(), named) {
            (Some(import), Some(1..)) => {
                Err(Refusal::MemoryAside { imported: import_name(import.module, import.name) })
            }
            (_, Some(index)) => Ok(Some(index)),
            (_, None) => Ok((count > 0).then_some(0)),
        }
    }

    /// How a message calls a memory.
    fn memory_name(&self, index: u32) -> String {
        let export = self.exports.iter().find(|e| e.kind == ExternalKind::Memory && e.index == index);
        match (self.imported_memory(), export) {
            (Some(import), _) if index == 0 => {
                format!("its imported memory \"{}\"", import_name(import.module, import.name))
            }
            (_, Some(export)) => format!("its memory \"{}\"", clean(export.name, 60)),
            _ => format!("its memory number {index}"),
        }
    }

    fn imported_memory(&self) -> Option<&wasmparser::Import<'a>> {
        self.imports.iter().find(|import| matches!(import.ty, TypeRef::Memory(_)))
    }

    fn export(&self, name: &str) -> Option<&Export<'a>> {
        self.exports.iter().find(|e| e.name == name)
    }

    fn check_entry(&self) -> Result<(), Refusal> {
        let Some(start) = self.export("_start") else {
            let reactor = self.export("_initialize").is_some();
            return Err(if reactor { Refusal::Reactor } else { Refusal::NoStart });
        };
        let found = match start.kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                let (ty, _) = self.function_type(start.index);
                if ty.params().is_empty() && ty.results().is_empty() {
                    return Ok(());
                }
                signature::show(ty)
            }
            ExternalKind::Table => "a table".into(),
            ExternalKind::Memory => "a memory".into(),
            ExternalKind::Global => "a global".into(),
            ExternalKind::Tag => "a tag".into(),
        };
        Err(Refusal::StartType { found })
    }

    /// Puts the answer together, and exports what the host must get at and the program hides.
    fn finish(self, bytes: &[u8], imports: Vec<Import>, memory: Option<u32>) -> Program {
        let mut extra: Vec<(String, ExternalKind, u32)> = Vec::new();
        let (place, pages, max_pages) = match memory {
            None => (Memory::None, 0, None),
            Some(index) => {
                let ty = self.types.as_ref().memory_at(index);
                let place = if index == 0 && self.imported_memory().is_some() {
                    Memory::Imported
                } else {
                    Memory::Exported(self.exported(ExternalKind::Memory, index, "memory", &mut extra))
                };
                (place, ty.initial, ty.maximum)
            }
        };
        let memories = self.types.as_ref();
        let all_pages = (0..memories.memory_count()).map(|index| memories.memory_at(index).initial).sum();
        let start = self.start.map(|f| self.exported(ExternalKind::Func, f, "vkernel:start", &mut extra));
        let rewritten = (!extra.is_empty() || start.is_some()).then(|| {
            let extra: Vec<Export> =
                extra.iter().map(|(name, kind, index)| Export { name, kind: *kind, index: *index }).collect();
            splice(bytes, &self.sections, &Edit { exports: &self.exports, extra: &extra, drop_start: true })
        });
        let uses_wasi =
            imports.iter().any(|i| matches!(i, Import::Call { module, .. } if *module != syscalls::VKERNEL));
        Program {
            imports,
            memory: place,
            pages,
            max_pages,
            all_pages,
            uses_wasi,
            start,
            serves_again: false,
            rewritten,
        }
    }

    /// The name of an item's export; one is added where there is none.
    fn exported(
        &self,
        kind: ExternalKind,
        index: u32,
        wish: &str,
        extra: &mut Vec<(String, ExternalKind, u32)>,
    ) -> String {
        // The wish first: a memory exported twice is "memory" to everybody.
        let found = self.export(wish).filter(|e| e.kind == kind && e.index == index);
        if let Some(export) = found.or_else(|| self.exports.iter().find(|e| e.kind == kind && e.index == index)) {
            return export.name.into();
        }
        let name = free_name(wish, &self.exports);
        extra.push((name.clone(), kind, index));
        name
    }
}

fn validate_bodies(bodies: Vec<Body>) -> wasmparser::Result<()> {
    let mut allocations = FuncValidatorAllocations::default();
    for (func, body) in bodies {
        let mut validator = func.into_validator(allocations);
        validator.validate(&body)?;
        allocations = validator.into_allocations();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
