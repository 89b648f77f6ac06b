//! Preparing a program for a machine that cannot interrupt it: it asks by itself, every so often,
//! whether it shall go on.
//!
//! [`prepare`] puts checks at the heads of loops and where functions are entered (`graph` and `flow`
//! say where, `emit` what a check is), so that between two calls of the import `vk.check: () -> ()`
//! lies a bounded amount of work, whatever the program does: some 50 us for ordinary code, some ms for code
//! that was made to be slow. One instruction may take longer than that where it moves much: those on
//! memories are done in pieces, those on tables and arrays are followed by a check at once.
//!
//! It also asks how much memory it may have, as a browser lets no one else have a say: before a memory grows, the
//! import `vk.limit: () -> i32` tells the pages that all its memories together may come to.
//!
//! Everything else stays as it is, but custom sections, which are left out: names and debugging information are
//! about positions that have changed. What the program needs is in the custom section [`SECTION`], for [`described`].
//! It is one of ours, whatever the program had under that name.

mod chunk;
mod cost;
mod counted;
mod describe;
mod emit;
mod flow;
mod graph;
mod inner;
mod kind;
mod module;
mod renumber;
mod sections;

pub use describe::described;

use wasm_encoder::{CodeSection, CustomSection, Encode, EntityType, RawSection, Section, SectionId, ValType};

use crate::copy::{MAX_ITEMS, ORDER};
use crate::origin::Origins;
use crate::program::{Program, check};
use crate::refusal::Refusal;
use emit::{Added, Emit, Hints, More, TooLarge};
use flow::{Flow, Instead};
use module::Module;
use renumber::{Behind, IMPORTS};

/// The name of the custom section that describes a prepared program.
pub const SECTION: &str = "vkernel.program";

/// Checks a program and makes it ask whether it shall go on, and how much memory it may have.
///
/// Linear in the size of the program.
///
/// # Errors
/// What [`check`] refuses, which includes what was prepared already, and what would be too large for an engine.
pub fn prepare(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    let forking = crate::fork::rewrite(bytes)?;
    let (bytes, serves_again) = forking.as_ref().map_or((bytes, false), |(bytes, again)| (bytes, *again));
    // Somebody else may have made it able to fork. One that lies about that does so in its own core dumps.
    let origins = Origins::of_module(bytes);
    let program = Program { serves_again, ..check(bytes)? };
    let bytes = program.rewritten.as_deref().unwrap_or(bytes);
    match rewrite(bytes, &program, origins) {
        Ok(Ok(out)) => Ok(out),
        Ok(Err(TooLarge(what))) => Err(Refusal::TooLarge { what }),
        Err(error) => Err(Refusal::from_parser(&error)),
    }
}

fn rewrite(bytes: &[u8], program: &Program, origins: Origins) -> wasmparser::Result<Result<Vec<u8>, TooLarge>> {
    let module = Module::read(bytes)?;
    let most = module.functions().max(module.types).max(module.globals);
    if most > MAX_ITEMS - 1000 {
        return Ok(Err(TooLarge("functions, types or globals")));
    }
    let renumber = Behind { imported: module.imported };
    let (check, limit) = (module.imported, module.imported + 1);
    let added = Added { check, limit, fuel: module.globals, tick: module.functions() + IMPORTS };
    let mut emit = Emit { module: &module, added, more: Vec::new() };
    let (code, hints) = match bodies(&module, &mut emit)? {
        Ok(done) => done,
        Err(large) => return Ok(Err(large)),
    };

    let origins = origins.behind(module.imported, IMPORTS, module.functions()).with_inners(emit.inners());
    let mut out = wasm_encoder::Module::HEADER.to_vec();
    CustomSection { name: SECTION.into(), data: describe::describe(program).into() }.append_to(&mut out);
    origins.append_to(&mut out);
    for id in ORDER {
        let new = match id {
            SectionId::Type => Some(types(&module, &emit.more)?),
            SectionId::Import => Some(sections::appended(&module, id, IMPORTS, |out| {
                for (name, ty) in [("check", NONE), ("limit", PAGES)] {
                    "vk".encode(out);
                    name.encode(out);
                    EntityType::Function(module.types + ty).encode(out);
                }
            })?),
            SectionId::Function => Some(sections::appended(&module, id, 2 + emit.more.len() as u32, |out| {
                for ty in [TICK, NONE].into_iter().chain(types_of(&emit.more)) {
                    (module.types + ty).encode(out);
                }
            })?),
            SectionId::Table => sections::tables(&module, &renumber)?,
            SectionId::Global => Some(sections::globals(&module, &renumber, emit::FUEL)?),
            SectionId::Export => sections::exports(&module, &renumber)?,
            SectionId::Element => sections::element_segments(&module, &renumber)?,
            SectionId::Code => {
                hints.append_to(&mut out);
                code.append_to(&mut out);
                None
            }
            _ => module.section(id).map(|range| bytes[range].to_vec()),
        };
        if let Some(data) = new {
            RawSection { id: id as u8, data: &data }.append_to(&mut out);
        }
    }
    Ok(Ok(out))
}

/// The types of what is added, behind the program's: how many numbers they take and answer.
const TYPES: [(usize, usize); 5] = [(0, 0), (1, 0), (3, 0), (0, 1), (1, 1)];
/// Those of `check` and `refill`, `tick`, moves, `limit`, and of what grows a memory.
const NONE: u32 = 0;
const TICK: u32 = 1;
const MOVE: u32 = 2;
const PAGES: u32 = 3;
const GROW: u32 = 4;

fn types_of(more: &[More]) -> impl Iterator<Item = u32> {
    let mut inner = TYPES.len() as u32..;
    more.iter().filter_map(move |more| match more {
        More::Instead(Instead::Move(_)) => Some(MOVE),
        More::Instead(Instead::Grow(_)) => Some(GROW),
        More::Inner(..) => inner.next(),
    })
}

fn types(module: &Module, more: &[More]) -> wasmparser::Result<Vec<u8>> {
    let inner = more.iter().filter_map(|more| match more {
        More::Inner(signature, ..) => Some(signature),
        More::Instead(_) => None,
    });
    let count = TYPES.len() + inner.clone().count();
    sections::appended(module, SectionId::Type, count as u32, |out| {
        let mut add = |params: &[ValType], results: &[ValType]| {
            out.push(0x60);
            params.encode(out);
            results.encode(out);
        };
        for (params, results) in TYPES {
            add(&vec![ValType::I32; params], &vec![ValType::I32; results]);
        }
        inner.for_each(|signature| add(&signature.params, &signature.results));
    })
}

type Bodies = Result<(CodeSection, wasm_encoder::BranchHints), TooLarge>;

fn bodies(module: &Module, emit: &mut Emit) -> wasmparser::Result<Bodies> {
    let costs = graph::costs(module)?;
    let (mut flow, mut here) = (Flow::default(), Vec::new());
    let (mut code, mut hints) = (CodeSection::new(), wasm_encoder::BranchHints::new());
    let mut hint = |function: u32, here: &Hints| {
        let unlikely = here.iter().map(|&(branch_func_offset, taken)| wasm_encoder::BranchHint {
            branch_func_offset,
            branch_hint_value: taken.into(),
        });
        hints.function_hints(function, unlikely);
    };
    for index in 0..module.bodies.len() {
        flow.body(module, index, &costs)?;
        if costs.inner(index)
            && let Some(outer) = emit.inner(index, &flow)?
        {
            code.raw(&outer);
            continue;
        }
        match emit.body(index, &flow, &mut here)? {
            Ok(body) => code.raw(&body),
            Err(large) => return Ok(Err(large)),
        };
        if !here.is_empty() {
            hint(module.imported + IMPORTS + index as u32, &here);
        }
    }
    emit.functions(&mut code);
    emit.hints().for_each(|(function, here)| hint(function, here));
    Ok(Ok((code, hints)))
}

#[cfg(test)]
mod tests;
