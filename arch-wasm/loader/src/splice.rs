//! Small edits of a program by moving whole sections: everything else stays as it was, byte by
//! byte, so an edit costs a copy and cannot break a name section or a branch hint.

use std::collections::HashSet;

use wasm_encoder::{ExportKind, ExportSection, Section, SectionId};
use wasmparser::{Export, ExternalKind};

/// Where the sections of a valid module are: id, and where the contents end.
///
/// Sections follow each other without gaps, so that one begins where its predecessor ends, or
/// after the header.
pub type Sections = Vec<(u8, usize)>;

/// Length of the magic number and the version.
const HEADER: usize = 8;

/// What to change.
pub struct Edit<'a> {
    /// All exports the module has.
    pub exports: &'a [Export<'a>],
    /// Exports to add, under names that are not in use.
    pub extra: &'a [Export<'a>],
    /// Leave out the start section.
    pub drop_start: bool,
}

/// The module with the edit done. It must be valid and have an export section.
pub fn splice(bytes: &[u8], sections: &Sections, edit: &Edit) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    out.extend_from_slice(&bytes[..HEADER]);
    let mut begin = HEADER;
    for &(id, end) in sections {
        if id == SectionId::Export as u8 {
            exports(edit).append_to(&mut out);
        } else if id != SectionId::Start as u8 || !edit.drop_start {
            out.extend_from_slice(&bytes[begin..end]);
        }
        begin = end;
    }
    out
}

fn exports(edit: &Edit) -> ExportSection {
    let mut section = ExportSection::new();
    for export in edit.exports.iter().chain(edit.extra) {
        section.export(export.name, kind(export.kind), export.index);
    }
    section
}

pub fn kind(kind: ExternalKind) -> ExportKind {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Tag => ExportKind::Tag,
    }
}

/// A name for an added export: the wish, or with underscores after it until it is free.
pub fn free_name(wish: &str, exports: &[Export]) -> String {
    // A set: a hostile program can have a million exports and many of these names.
    let taken: HashSet<&str> = exports.iter().map(|e| e.name).collect();
    let mut name = wish.to_string();
    while taken.contains(name.as_str()) {
        name.push('_');
    }
    name
}
