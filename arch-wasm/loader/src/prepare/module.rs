//! A valid program, taken apart as far as the pass has to know it: where its sections and bodies
//! are, and how many there are of what it adds to. It borrows the bytes; one is alive a `prepare`.

use std::ops::Range;

use wasmparser::{CompositeInnerType, FunctionBody, Parser, Payload, Result, TypeRef, ValType};

/// Section ids from 1 (types) to 13 (tags).
const SECTIONS: usize = 14;

pub struct Module<'a> {
    pub bytes: &'a [u8],
    /// Contents of each section, by id, without id and length.
    pub sections: [Option<Range<usize>>; SECTIONS],
    pub bodies: Vec<FunctionBody<'a>>,
    /// Imported functions: their indices come first.
    pub imported: u32,
    pub globals: u32,
    pub types: u32,
    pub memories: u32,
    /// Parameters and results of each type, and the type of each body.
    signatures: Vec<(Vec<ValType>, Vec<ValType>)>,
    body_types: Vec<u32>,
}

impl<'a> Module<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Module<'a>> {
        let mut parser = Parser::new(0);
        parser.set_features(crate::program::features());
        let mut module = Module {
            bytes,
            sections: [const { None }; SECTIONS],
            bodies: Vec::new(),
            imported: 0,
            globals: 0,
            types: 0,
            memories: 0,
            signatures: Vec::new(),
            body_types: Vec::new(),
        };
        for payload in parser.parse_all(bytes) {
            module.take(payload?)?;
        }
        module.types = module.signatures.len() as u32;
        Ok(module)
    }

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
                        CompositeInnerType::Func(func) => (func.params().to_vec(), func.results().to_vec()),
                        _ => Default::default(),
                    }));
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    match import?.ty {
                        TypeRef::Func(_) | TypeRef::FuncExact(_) => self.imported += 1,
                        TypeRef::Memory(_) => self.memories += 1,
                        TypeRef::Global(_) => self.globals += 1,
                        TypeRef::Table(_) | TypeRef::Tag(_) => {}
                    }
                }
            }
            Payload::FunctionSection(types) => self.body_types = types.into_iter().collect::<Result<_>>()?,
            Payload::MemorySection(memories) => self.memories += memories.count(),
            Payload::GlobalSection(globals) => self.globals += globals.count(),
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            _ => {}
        }
        Ok(())
    }

    /// All functions, imported ones too.
    pub fn functions(&self) -> u32 {
        self.imported + self.bodies.len() as u32
    }

    /// Parameters of the function with this body.
    pub fn params(&self, body: usize) -> &[ValType] {
        self.signature(body).map_or(&[], |(params, _)| params)
    }

    pub fn results(&self, body: usize) -> &[ValType] {
        self.signature(body).map_or(&[], |(_, results)| results)
    }

    fn signature(&self, body: usize) -> Option<&(Vec<ValType>, Vec<ValType>)> {
        let ty = self.body_types.get(body).copied().unwrap_or(0);
        self.signatures.get(ty as usize)
    }

    pub fn section(&self, id: wasm_encoder::SectionId) -> Option<Range<usize>> {
        self.sections[id as usize].clone()
    }
}
