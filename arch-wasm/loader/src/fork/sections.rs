//! The sections beside the code: what is added to them, and functions by their new numbers.

use wasm_encoder::{ConstExpr as Constant, Encode, EntityType, ExportKind, GlobalType, MemoryType, SectionId, ValType};
use wasmparser::{
    BinaryReader, ElementSectionReader, GlobalSectionReader, Result, SectionLimited, TableSectionReader, TypeRef,
};

use super::module::Module;
use super::renumber::Around;
use super::runtime::GLOBALS_ADDED;
use crate::copy::Copy;
use crate::refusal::{Refusal, import_name};
use crate::splice;

fn reader<'a>(module: &Module<'a>, id: SectionId) -> Option<BinaryReader<'a>> {
    let range = module.section(id)?;
    let (begin, bytes) = (range.start as u64, &module.bytes[range]);
    Some(BinaryReader::new_features(bytes, begin, crate::program::features()))
}

/// A copy that begins with a section's first entry, of which there are `more`.
fn items<'a, T>(module: &Module<'a>, section: &SectionLimited<'_, T>, count: u32, more: u32) -> Copy<'a> {
    let mut copy = Copy::new(module.bytes, section.original_position() as usize);
    (count + more).encode(&mut copy.out);
    copy
}

/// A section of `count` more entries. Made if there is none.
pub fn appended(module: &Module, id: SectionId, count: u32, add: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    match module.section(id) {
        None => count.encode(&mut out),
        Some(range) => {
            let bytes = &module.bytes[range];
            let mut old = BinaryReader::new(bytes, 0);
            (old.read_var_u32()? + count).encode(&mut out);
            out.extend_from_slice(&bytes[old.current_position()..]);
        }
    }
    out.extend_from_slice(add);
    Ok(out)
}

/// Imports, with `vkernel.frames` where fork was and `vkernel.fork_at` (of type `ty`) behind all.
pub fn imports(module: &Module, renumber: &Around, ty: u32) -> std::result::Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    (module.imports.len() as u32 + 1).encode(&mut out);
    let mut functions = 0;
    for import in &module.imports {
        let unknown = |kind| Refusal::UnknownImport { kind, name: import_name(import.module, import.name) };
        let mut name = import.name;
        let entity = match import.ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                if renumber.forks[functions] {
                    name = "frames";
                }
                functions += 1;
                EntityType::Function(ty)
            }
            TypeRef::Memory(ty) => EntityType::Memory(MemoryType {
                minimum: ty.initial,
                maximum: ty.maximum,
                memory64: ty.memory64,
                shared: ty.shared,
                page_size_log2: ty.page_size_log2,
            }),
            TypeRef::Table(_) => return Err(unknown("table")),
            TypeRef::Global(_) => return Err(unknown("global")),
            TypeRef::Tag(_) => return Err(unknown("tag")),
        };
        import.module.encode(&mut out);
        name.encode(&mut out);
        entity.encode(&mut out);
    }
    "vkernel".encode(&mut out);
    "fork_at".encode(&mut out);
    EntityType::Function(ty).encode(&mut out);
    Ok(out)
}

/// Tables, and one of `resumes` functions.
pub fn tables(module: &Module, renumber: &Around, resumes: u32) -> Result<Vec<u8>> {
    let mut table = vec![0x70, 0x01];
    resumes.encode(&mut table);
    resumes.encode(&mut table);
    let Some(reader) = reader(module, SectionId::Table) else {
        return appended(module, SectionId::Table, 1, &table);
    };
    let end = reader.range().end as usize;
    let section = TableSectionReader::new(reader)?;
    let mut copy = items(module, &section, section.count(), 1);
    copy.tables(section, end, renumber)?;
    copy.out.extend_from_slice(&table);
    Ok(copy.out)
}

/// A memory where there was none.
pub fn memories(module: &Module) -> Option<Vec<u8>> {
    match module.section(SectionId::Memory) {
        Some(range) => Some(module.bytes[range].to_vec()),
        None if module.memories.is_empty() => Some(vec![1, 0, 0]),
        None => None,
    }
}

pub fn globals(module: &Module, renumber: &Around) -> Result<Vec<u8>> {
    let mut added = Vec::new();
    for _ in 0..GLOBALS_ADDED {
        GlobalType { val_type: ValType::I32, mutable: true, shared: false }.encode(&mut added);
        Constant::i32_const(0).encode(&mut added);
    }
    let Some(reader) = reader(module, SectionId::Global) else {
        return appended(module, SectionId::Global, GLOBALS_ADDED, &added);
    };
    let section = GlobalSectionReader::new(reader)?;
    let mut copy = items(module, &section, section.count(), GLOBALS_ADDED);
    for global in section {
        copy.expression(&global?.init_expr, renumber)?;
    }
    copy.out.extend_from_slice(&added);
    Ok(copy.out)
}

/// Exports; `instead` tells the function of each. `held` is a global's name and number.
pub fn exports(module: &Module, instead: &[Option<u32>], held: Option<(String, u32)>) -> Vec<u8> {
    let mut out = Vec::new();
    (module.exports.len() as u32 + u32::from(held.is_some())).encode(&mut out);
    for (export, instead) in module.exports.iter().zip(instead) {
        export.name.encode(&mut out);
        splice::kind(export.kind).encode(&mut out);
        instead.unwrap_or(export.index).encode(&mut out);
    }
    if let Some((name, number)) = held {
        name.as_str().encode(&mut out);
        ExportKind::Global.encode(&mut out);
        number.encode(&mut out);
    }
    out
}

/// Elements, and those of the table of resume copies: functions from `first` on, after `fork`.
pub fn elements(module: &Module, renumber: &Around, table: u32, resumes: &[u32]) -> Result<Vec<u8>> {
    const ACTIVE_OF_TABLE: u32 = 2;
    const FUNCTIONS: u8 = 0;
    let mut added = Vec::new();
    ACTIVE_OF_TABLE.encode(&mut added);
    table.encode(&mut added);
    Constant::i32_const(0).encode(&mut added);
    added.push(FUNCTIONS);
    resumes.encode(&mut added);
    let Some(reader) = reader(module, SectionId::Element) else {
        return appended(module, SectionId::Element, 1, &added);
    };
    let end = reader.range().end as usize;
    let section = ElementSectionReader::new(reader)?;
    let mut copy = items(module, &section, section.count(), 1);
    copy.elements(section, end, renumber)?;
    copy.out.extend_from_slice(&added);
    Ok(copy.out)
}
