//! The sections beside the code: imports, types and globals of the checks are added, and the
//! functions behind the new imports have other numbers.

use wasm_encoder::{ConstExpr as Constant, Encode, GlobalType, SectionId, ValType};
use wasmparser::{
    BinaryReader, ConstExpr, Element, ElementItems, ElementSectionReader, ExportSectionReader, ExternalKind,
    GlobalSectionReader, Result, SectionLimited, TableInit, TableSectionReader,
};

use super::kind::{SLOTS, SLOTS_EACH};
use super::module::Module;
use super::renumber::Behind;
use crate::copy::{Copy, Renumber};
use crate::splice;

fn reader<'a>(module: &Module<'a>, id: SectionId) -> Option<BinaryReader<'a>> {
    let range = module.section(id)?;
    let (begin, bytes) = (range.start as u64, &module.bytes[range]);
    Some(BinaryReader::new_features(bytes, begin, crate::program::features()))
}

/// The constant expressions that can have references to functions in them.
pub fn expressions<'a>(module: &Module<'a>) -> Result<Vec<ConstExpr<'a>>> {
    let mut found = Vec::new();
    if let Some(reader) = reader(module, SectionId::Global) {
        for global in GlobalSectionReader::new(reader)? {
            found.push(global?.init_expr);
        }
    }
    if let Some(reader) = reader(module, SectionId::Table) {
        for table in TableSectionReader::new(reader)? {
            if let TableInit::Expr(expression) = table?.init {
                found.push(expression);
            }
        }
    }
    for element in elements(module)? {
        if let ElementItems::Expressions(_, items) = element?.items {
            for item in items {
                found.push(item?);
            }
        }
    }
    Ok(found)
}

pub fn elements<'a>(module: &Module<'a>) -> Result<impl Iterator<Item = Result<Element<'a>>> + use<'a>> {
    let section = reader(module, SectionId::Element).map(ElementSectionReader::new).transpose()?;
    Ok(section.into_iter().flatten())
}

/// A section of `count` more entries, which `add` writes. Made if there is none.
pub fn appended(module: &Module, id: SectionId, count: u32, add: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>> {
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
    add(&mut out);
    Ok(out)
}

/// Globals, and those that are added: the fuel, which begins with `value`, and places to put values aside.
pub fn globals(module: &Module, renumber: &Behind, value: i32) -> Result<Vec<u8>> {
    const MORE: u32 = 1 + SLOTS.len() as u32 * SLOTS_EACH;
    let add = |out: &mut Vec<u8>| {
        let mut add = |val_type, value: Constant| {
            GlobalType { val_type, mutable: true, shared: false }.encode(out);
            value.encode(out);
        };
        add(ValType::I32, Constant::i32_const(value));
        for ty in SLOTS {
            for _ in 0..SLOTS_EACH {
                add(
                    ty,
                    match ty {
                        ValType::I64 => Constant::i64_const(0),
                        ValType::F32 => Constant::f32_const(0.0.into()),
                        ValType::F64 => Constant::f64_const(0.0.into()),
                        ValType::V128 => Constant::v128_const(0),
                        _ => Constant::i32_const(0),
                    },
                );
            }
        }
    };
    let Some(reader) = reader(module, SectionId::Global) else {
        return appended(module, SectionId::Global, MORE, add);
    };
    let section = GlobalSectionReader::new(reader)?;
    let mut copy = items(module, &section);
    (section.count() + MORE).encode(&mut copy.out);
    for global in section {
        copy.expression(&global?.init_expr, renumber)?;
    }
    add(&mut copy.out);
    Ok(copy.out)
}

/// A copy that begins with a section's first entry.
fn items<'a, T>(module: &Module<'a>, section: &SectionLimited<'_, T>) -> Copy<'a> {
    Copy::new(module.bytes, section.original_position() as usize)
}

pub fn tables(module: &Module, renumber: &Behind) -> Result<Option<Vec<u8>>> {
    let Some(reader) = reader(module, SectionId::Table) else { return Ok(None) };
    let end = reader.range().end as usize;
    let section = TableSectionReader::new(reader)?;
    let mut copy = items(module, &section);
    section.count().encode(&mut copy.out);
    copy.tables(section, end, renumber)?;
    Ok(Some(copy.out))
}

pub fn exports(module: &Module, renumber: &Behind) -> Result<Option<Vec<u8>>> {
    let Some(reader) = reader(module, SectionId::Export) else { return Ok(None) };
    let section = ExportSectionReader::new(reader)?;
    let mut out = Vec::new();
    section.count().encode(&mut out);
    for export in section {
        let export = export?;
        export.name.encode(&mut out);
        let function = matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact);
        let index = if function { renumber.function(export.index) } else { export.index };
        splice::kind(export.kind).encode(&mut out);
        index.encode(&mut out);
    }
    Ok(Some(out))
}

pub fn element_segments(module: &Module, renumber: &Behind) -> Result<Option<Vec<u8>>> {
    let Some(reader) = reader(module, SectionId::Element) else { return Ok(None) };
    let end = reader.range().end as usize;
    let section = ElementSectionReader::new(reader)?;
    let mut copy = items(module, &section);
    section.count().encode(&mut copy.out);
    copy.elements(section, end, renumber)?;
    Ok(Some(copy.out))
}
