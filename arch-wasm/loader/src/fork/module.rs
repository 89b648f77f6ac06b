//! A program that forks, validated and taken apart: where its sections and bodies are, and the types of
//! what is in it. It borrows the bytes; one is alive a [`fork`](super::fork).

use std::ops::Range;

use wasm_encoder::SectionId;
use wasmparser::types::Types;
use wasmparser::{
    AbstractHeapType, CompositeInnerType, Export, FuncToValidate, FuncValidatorAllocations, FunctionBody, GlobalType,
    HeapType, Import, MemoryType, Parser, Payload, RefType, Result, TableType, TypeRef, ValType, ValidPayload,
    Validator, ValidatorResources,
};

/// Section ids from 1 (types) to 13 (tags).
const SECTIONS: usize = 14;

/// A type as one byte of the binary format: numbers, vectors, and nullable references to an abstract type.
pub type Code = u8;
pub const I32: Code = 0x7f;
pub const I64: Code = 0x7e;
pub const F32: Code = 0x7d;
pub const F64: Code = 0x7c;
pub const V128: Code = 0x7b;
/// Of a reference to an exception (`exnref`).
pub const EXCEPTION: Code = 0x69;

/// The code of a type, if it has one.
pub fn code(ty: ValType) -> Option<Code> {
    Some(match ty {
        ValType::I32 => I32,
        ValType::I64 => I64,
        ValType::F32 => F32,
        ValType::F64 => F64,
        ValType::V128 => V128,
        ValType::Ref(reference) => return reference_code(reference),
    })
}

fn reference_code(ty: RefType) -> Option<Code> {
    let HeapType::Abstract { shared: false, ty: heap } = ty.heap_type() else { return None };
    if !ty.is_nullable() {
        return None;
    }
    Some(match heap {
        AbstractHeapType::Func => 0x70,
        AbstractHeapType::Extern => 0x6f,
        AbstractHeapType::Any => 0x6e,
        AbstractHeapType::Eq => 0x6d,
        AbstractHeapType::I31 => 0x6c,
        AbstractHeapType::Struct => 0x6b,
        AbstractHeapType::Array => 0x6a,
        AbstractHeapType::Exn => 0x69,
        AbstractHeapType::NoExn => 0x74,
        AbstractHeapType::NoFunc => 0x73,
        AbstractHeapType::NoExtern => 0x72,
        AbstractHeapType::None => 0x71,
        _ => return None,
    })
}

/// Whether a value of it can be in linear memory.
pub fn is_number(code: Code) -> bool {
    (V128..=I32).contains(&code)
}

/// A function type. A type without a code is `None`.
#[derive(Clone, Default)]
pub struct Signature {
    pub params: Vec<Option<Code>>,
    pub results: Option<Vec<Code>>,
}

pub struct Module<'a> {
    pub bytes: &'a [u8],
    /// Contents of each section, by id, without id and length.
    sections: [Option<Range<usize>>; SECTIONS],
    pub bodies: Vec<FunctionBody<'a>>,
    pub imports: Vec<Import<'a>>,
    pub exports: Vec<Export<'a>>,
    pub start: Option<u32>,
    /// Of each type; those that are none of functions are empty.
    pub signatures: Vec<Signature>,
    /// The type of each function, imported ones too.
    pub function_types: Vec<u32>,
    /// Imported functions: their indices come first.
    pub imported: u32,
    pub globals: Vec<GlobalType>,
    pub memories: Vec<MemoryType>,
    pub tables: Vec<TableType>,
    pub types: Types,
    resources: ValidatorResources,
}

impl<'a> Module<'a> {
    /// Reads and validates.
    pub fn read(bytes: &'a [u8]) -> Result<Module<'a>> {
        let features = crate::program::features();
        let mut parser = Parser::new(0);
        parser.set_features(features);
        let mut validator = Validator::new_with_features(features);
        let mut parts = Parts::default();
        let (mut allocations, mut resources, mut types) = (FuncValidatorAllocations::default(), None, None);
        let mut functions = Vec::new();
        for payload in parser.parse_all(bytes) {
            let payload = payload?;
            match validator.payload(&payload)? {
                ValidPayload::Func(function, body) => functions.push((function, body)),
                ValidPayload::End(all) => types = Some(all),
                _ => {}
            }
            parts.take(payload)?;
        }
        let mut bodies = Vec::with_capacity(functions.len());
        for (function, body) in functions {
            resources.get_or_insert_with(|| function.resources.clone());
            let mut validator = function.into_validator(allocations);
            validator.validate(&body)?;
            allocations = validator.into_allocations();
            bodies.push(body);
        }
        // A parser that came to its end without an error has seen the end of the module.
        let types = types.expect("a module ends");
        Ok(Module {
            bytes,
            sections: parts.sections,
            bodies,
            imports: parts.imports,
            exports: parts.exports,
            start: parts.start,
            signatures: parts.signatures,
            function_types: parts.function_types,
            imported: parts.imported,
            globals: parts.globals,
            memories: parts.memories,
            tables: parts.tables,
            types,
            // Without a body nobody asks for a validator.
            resources: resources.unwrap_or_else(empty_resources),
        })
    }

    /// What is needed to go over a body once more with the types of its operands.
    pub fn to_validate(&self, body: usize) -> FuncToValidate<ValidatorResources> {
        let index = self.imported + body as u32;
        FuncToValidate {
            resources: self.resources.clone(),
            index,
            ty: self.function_types[index as usize],
            features: crate::program::features(),
        }
    }

    pub fn section(&self, id: SectionId) -> Option<Range<usize>> {
        self.sections[id as usize].clone()
    }

    pub fn signature(&self, function: u32) -> &Signature {
        &self.signatures[self.function_types[function as usize] as usize]
    }

    /// Exceptions may come out of a call.
    pub fn throws(&self) -> bool {
        self.section(SectionId::Tag).is_some()
    }
}

fn empty_resources() -> ValidatorResources {
    // The smallest module with a body.
    const ONE: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";
    let mut validator = Validator::new();
    for payload in Parser::new(0).parse_all(ONE) {
        if let Ok(ValidPayload::Func(function, _)) = payload.and_then(|payload| validator.payload(&payload)) {
            return function.resources;
        }
    }
    unreachable!("there is one")
}

#[derive(Default)]
struct Parts<'a> {
    sections: [Option<Range<usize>>; SECTIONS],
    imports: Vec<Import<'a>>,
    exports: Vec<Export<'a>>,
    start: Option<u32>,
    signatures: Vec<Signature>,
    function_types: Vec<u32>,
    imported: u32,
    globals: Vec<GlobalType>,
    memories: Vec<MemoryType>,
    tables: Vec<TableType>,
}

impl<'a> Parts<'a> {
    fn take(&mut self, payload: Payload<'a>) -> Result<()> {
        if let Some((id, range)) = payload.as_section()
            && let Some(section) = self.sections.get_mut(usize::from(id)).filter(|_| id != 0)
        {
            *section = Some(range.start as usize..range.end as usize);
        }
        match payload {
            Payload::TypeSection(groups) => {
                for group in groups {
                    self.signatures.extend(group?.types().map(|ty| match &ty.composite_type.inner {
                        CompositeInnerType::Func(ty) => Signature {
                            params: ty.params().iter().map(|&ty| code(ty)).collect(),
                            results: ty.results().iter().map(|&ty| code(ty)).collect(),
                        },
                        _ => Signature::default(),
                    }));
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    match import.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                            self.imported += 1;
                            self.function_types.push(ty);
                        }
                        TypeRef::Memory(ty) => self.memories.push(ty),
                        TypeRef::Global(ty) => self.globals.push(ty),
                        TypeRef::Table(ty) => self.tables.push(ty),
                        TypeRef::Tag(_) => {}
                    }
                    self.imports.push(import);
                }
            }
            Payload::FunctionSection(types) => {
                for ty in types {
                    self.function_types.push(ty?);
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    self.tables.push(table?.ty);
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    self.memories.push(memory?);
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    self.globals.push(global?.ty);
                }
            }
            Payload::ExportSection(exports) => self.exports = exports.into_iter().collect::<Result<_>>()?,
            Payload::StartSection { func, .. } => self.start = Some(func),
            _ => {}
        }
        Ok(())
    }
}
