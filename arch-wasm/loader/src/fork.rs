//! Fork: a program that imports `vkernel.fork` is made able to have its stack saved.
//!
//! A wasm stack cannot be copied from outside, so all of it is put into the program's own memory when it forks:
//! each function that may be in the middle of a fork saves its locals and returns, until the program's entry makes
//! the call of the kernel with nothing else on the stack. The kernel copies the memory for the child. Then both come
//! back to where they were: each function has a second copy that begins by taking its frame from memory.
//!
//! Instead of `fork`, the program imports
//!
//! * `vkernel.fork_at: (frames: i32) -> i32`: makes the child, and answers its process id, or an error below 0;
//! * `vkernel.frames: () -> i32`: 0 in a program that was started; in a child of fork, what the parent gave `fork_at`.
//!
//! The child is a new instance of the same module with a copy of the parent's memory; `_start` is called and the start
//! function is not. The host need not look at the frames: a program that overwrites them has only itself to hurt.
//!
//! Fork answers `ENOMEM` if there is no room for the stack, and `ENOSYS`
//!
//! * where a caller holds a reference (`funcref`, `externref`, `exnref`, ...) in a local or on the operand stack;
//! * where a caller was called from outside, but for `_start` and `__vk_signal`: by a start function or an export. A host that
//!   calls a function of the table directly adds 1 to the exported global `vkernel:held` meanwhile;
//! * always, in a program that has several memories, changes a table, or keeps references in globals.
//!
//! A signal handler's frames are saved up to `__vk_signal`, which the stub calls. What it has interrupted cannot be: those frames are
//! below the stub's, which stays where it is in the parent. So the parent goes on as ever, and the child in the handler; it
//! has nothing to go back to and traps where the handler would return.
//!
//! Custom sections are left out: names and debugging information are about positions that have changed.

mod emit;
mod graph;
mod module;
mod refs;
mod renumber;
mod runtime;
mod sections;
mod shape;
mod tail;
mod types;
mod value;

use std::collections::HashMap;

use abi::hypercall::Ty;
use abi::syscalls::VKERNEL;
use abi::trapframe::HANDLER_EXPORT;
use wasm_encoder::{BranchHint, BranchHints, Encode, Function, RawSection, Section, SectionId};
use wasmparser::{ExternalKind, Import, Parser, Payload, TypeRef};

use crate::copy::{MAX_ITEMS, ORDER, Renumber};
use crate::origin::Origins;
use crate::refusal::{Refusal, import_name};
use crate::signature;
use crate::splice::free_name;
use emit::{As, Emit, Hints, Numbers};
use graph::Forking;
use module::{EXCEPTION, I32, Module};
use renumber::Around;
use runtime::{Buffer, Passed, Runtime};
use types::Added;

/// Makes a program able to fork. `None`: it does not import fork.
///
/// Linear in the size of the program.
///
/// # Errors
/// What is not valid; what would be too large for an engine.
pub fn fork(bytes: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
    Ok(rewrite(bytes)?.map(|(bytes, _)| bytes))
}

/// As [`fork`]; says besides whether an instance may serve as a child again ([`Program::serves_again`](crate::Program)).
pub(crate) fn rewrite(bytes: &[u8]) -> Result<Option<(Vec<u8>, bool)>, Refusal> {
    if !may_import(bytes) {
        return Ok(None);
    }
    let module = Module::read(bytes).map_err(|error| Refusal::from_parser(&error))?;
    let forks = forks(&module)?;
    if !forks.contains(&true) {
        return Ok(None);
    }
    let rewrite = Rewrite::new(&module, forks)?;
    let again = rewrite.serves_again();
    Ok(Some((rewrite.write()?, again)))
}

/// A look at the imports alone, as most programs do not fork. What is broken is for others to say.
fn may_import(bytes: &[u8]) -> bool {
    let mut parser = Parser::new(0);
    parser.set_features(crate::program::features());
    for payload in parser.parse_all(bytes) {
        match payload {
            Ok(Payload::ImportSection(imports)) => {
                return imports.into_imports().any(|import| import.is_ok_and(|import| is_fork(&import)));
            }
            Ok(Payload::CodeSectionStart { .. }) | Err(_) => return false,
            Ok(_) => {}
        }
    }
    false
}

fn is_fork(import: &Import) -> bool {
    import.module == VKERNEL && import.name == "fork"
}

/// Which of the imported functions are fork.
fn forks(module: &Module) -> Result<Vec<bool>, Refusal> {
    let functions =
        module.imports.iter().filter(|import| matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
    let expected = signature::func_type([], Some(Ty::I32));
    functions
        .zip(0..)
        .map(|(import, index)| {
            let found = module.types[module.types.as_ref().core_function_at(index)].unwrap_func();
            match is_fork(import) {
                true if *found != expected => Err(Refusal::ImportType {
                    name: import_name(import.module, import.name),
                    expected: signature::show(&expected),
                    found: signature::show(found),
                }),
                is_fork => Ok(is_fork),
            }
        })
        .collect()
}

const MAX_BODY: usize = 7_654_321;
const MAX_LOCALS: u32 = 50_000;
/// What is written may be so many times what there was, and a bit. Ordinary code is at most 4.
const MAX_GROWTH: usize = 16;

/// A program that is being written.
struct Rewrite<'a> {
    module: &'a Module<'a>,
    forking: Option<Forking>,
    renumber: Around,
    types: Added,
    numbers: Numbers,
    /// Functions that may fork and can be called from outside. Others are called in their place.
    outside: Vec<(u32, Caller)>,
    /// By export: the new number. The start function's comes behind.
    instead: Vec<Option<u32>>,
    code: Code,
    /// Resume copies, and their types.
    resumes: Code,
    resume_types: Vec<u32>,
    /// The functions that they are copies of.
    resumed: Vec<u32>,
    largest_frame: u32,
}

/// Who calls a function from outside.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Caller {
    /// The host, with an empty stack.
    Entry,
    /// The stub, when a signal has come.
    Signal,
    Other,
}

/// Bodies with their lengths, and in each the branches that are hardly ever taken.
#[derive(Default)]
struct Code {
    bytes: Vec<u8>,
    hints: Vec<Hints>,
}

impl Code {
    fn add(&mut self, body: &[u8], hints: Hints) -> Result<(), Refusal> {
        body.encode(&mut self.bytes);
        self.hints.push(hints);
        if body.len() > MAX_BODY { Err(TOO_LARGE) } else { Ok(()) }
    }

    fn function(&mut self, function: &Function) {
        function.encode(&mut self.bytes);
        self.hints.push(Hints::new());
    }
}

const TOO_LARGE: Refusal = Refusal::TooLarge { what: "calls that may fork, or locals around them," };
const ENTRY: &str = "_start";

impl<'a> Rewrite<'a> {
    fn new(module: &'a Module<'a>, forks: Vec<bool>) -> Result<Rewrite<'a>, Refusal> {
        let odd = module.memories.iter().any(|memory| memory.memory64 || memory.shared);
        // Such a memory is refused when the program is checked.
        let forking = if odd { None } else { graph::forking(module, &forks).map_err(refusal)? };
        let fork = module.function_types.len() as u32 + 1;
        let global = module.globals.len() as u32;
        let table = module.tables.len() as u32;
        let numbers = Numbers { state: global, top: global + 1, held: global + 2, saved: fork + 2, table, resume: 0 };
        let mut rewrite = Rewrite {
            module,
            forking,
            renumber: Around { forks, fork },
            types: Added::new(module.signatures.len() as u32),
            numbers,
            outside: Vec::new(),
            instead: Vec::new(),
            code: Code::default(),
            resumes: Code::default(),
            resume_types: Vec::new(),
            resumed: Vec::new(),
            largest_frame: 0,
        };
        rewrite.find_outside();
        rewrite.numbers.resume = rewrite.first_outside() + rewrite.outside.len() as u32;
        Ok(rewrite)
    }

    /// Behind fork, its resume copy, and `saved`.
    fn first_outside(&self) -> u32 {
        self.renumber.fork + 3
    }

    fn find_outside(&mut self) {
        let first = self.first_outside();
        let mut known = HashMap::new();
        let exports = self.module.exports.iter().map(|export| {
            let is_function = matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact);
            is_function.then(|| (export.index, self.caller(export.name, export.index)))
        });
        let calls: Vec<_> = exports.chain([self.module.start.map(|start| (start, Caller::Other))]).collect();
        for call in calls {
            let Some((function, _)) = call else {
                self.instead.push(None);
                continue;
            };
            let forks = self.forking.as_ref().is_some_and(|forking| forking.function(function));
            let number = if forks {
                *known.entry(call).or_insert_with(|| {
                    self.outside.extend(call);
                    first + self.outside.len() as u32 - 1
                })
            } else {
                self.renumber.function(function)
            };
            self.instead.push(Some(number));
        }
    }

    /// Whether what a child begins with is in its memory, whatever the instance did before: its entry is ours, which takes all
    /// globals from there and sets its own, and there is nothing else that changes: tables don't in a program that may fork,
    /// and data segments are dropped only where there is a data count.
    fn serves_again(&self) -> bool {
        let by_itself = |import: &Import| import.module == VKERNEL && ["fork_at", "frames"].contains(&import.name);
        self.outside.iter().any(|&(_, caller)| caller == Caller::Entry)
            && self.module.section(SectionId::DataCount).is_none()
            && !self.module.imports.iter().any(by_itself)
    }

    fn caller(&self, name: &str, function: u32) -> Caller {
        let signature = self.module.signature(function);
        let params =
            |n| signature.params == vec![Some(I32); n] && signature.results.as_ref().is_some_and(|r| r.is_empty());
        match name {
            ENTRY if params(0) => Caller::Entry,
            HANDLER_EXPORT if params(3) => Caller::Signal,
            _ => Caller::Other,
        }
    }

    fn write(mut self) -> Result<Vec<u8>, Refusal> {
        for body in 0..self.module.bodies.len() {
            self.body(body)?;
            if self.code.bytes.len() + self.resumes.bytes.len() > self.module.bytes.len() * MAX_GROWTH + (1 << 20) {
                return Err(TOO_LARGE);
            }
        }
        let added = self.functions();
        let functions = self.module.function_types.len() + added.len();
        if functions.max(self.module.signatures.len() + self.types.count() as usize) > MAX_ITEMS as usize {
            return Err(TOO_LARGE);
        }
        self.module(&added)
    }

    /// Writes a body, and if it has sites, its resume copy.
    fn body(&mut self, body: usize) -> Result<(), Refusal> {
        let module = self.module;
        let mut emit = Emit { module, renumber: &self.renumber, numbers: self.numbers, types: &mut self.types };
        let forking = self.forking.as_ref().filter(|forking| forking.function(module.imported + body as u32));
        let Some(forking) = forking else {
            return self.code.add(&emit.plain(body).map_err(refusal)?, Hints::new());
        };
        let shape = shape::shape(module, forking, body).map_err(refusal)?;
        if shape.count_locals() > MAX_LOCALS {
            return Err(TOO_LARGE);
        }
        let id = self.resume_types.len() as u32 + 1;
        let (normal, hints) = emit.body(body, &shape, As::Normal, id).map_err(refusal)?;
        self.code.add(&normal, hints)?;
        if !shape.sites.is_empty() {
            let (resume, hints) = emit.body(body, &shape, As::Resume, id).map_err(refusal)?;
            self.resumes.add(&resume, hints)?;
            self.resumed.push(module.imported + body as u32);
            self.resume_types.push(self.types.function(&[], &shape.results));
            self.largest_frame = self.largest_frame.max(emit::frame_size(&shape));
        }
        Ok(())
    }

    /// Writes the functions behind the program's, and answers their types.
    fn functions(&mut self) -> Vec<u32> {
        let answers = self.types.function(&[], &[I32]);
        if self.forking.is_none() {
            self.code.function(&runtime::refusing());
            return vec![answers];
        }
        let layout = Buffer::new(self.module, self.largest_frame);
        let last = self.numbers.held;
        let runtime = Runtime {
            numbers: self.numbers,
            buffer: last + 1,
            limit: last + 2,
            answer: last + 3,
            busy: last + 4,
            lost: last + 5,
            spare: last + 6,
            spare_limit: last + 7,
            fork_at: self.module.imported,
            frames: self.renumber.forks.iter().position(|&fork| fork).unwrap_or(0) as u32,
            layout: &layout,
        };
        let mut types = vec![answers, answers, self.types.function(&[I32], &[I32])];
        for function in [runtime.fork(), runtime.resumed(), runtime.saved()] {
            self.code.function(&function);
        }
        let nothing = self.types.function(&[], &[]);
        for &(function, caller) in &self.outside {
            let number = self.renumber.function(function);
            let signature = self.module.signature(function);
            let params = signature.params.len();
            let passed = signature.results.as_ref().filter(|_| self.module.throws()).map(|results| Passed {
                results: self.types.block(&[], results),
                exception: self.types.block(&[], &[EXCEPTION]),
            });
            self.code.function(&match caller {
                Caller::Entry => runtime.entry(number, nothing),
                Caller::Signal => runtime.handler(number, nothing),
                Caller::Other => runtime.held(number, params, passed),
            });
            types.push(self.module.function_types[function as usize]);
        }
        types.extend(&self.resume_types);
        self.code.bytes.append(&mut self.resumes.bytes);
        self.code.hints.append(&mut self.resumes.hints);
        types
    }

    fn module(&mut self, added: &[u32]) -> Result<Vec<u8>, Refusal> {
        let mut out = wasm_encoder::Module::HEADER.to_vec();
        self.origins().append_to(&mut out);
        let fork_at = self.types.function(&[I32], &[I32]);
        for id in ORDER {
            if let Some(data) = self.section(id, fork_at, added)? {
                if id == SectionId::Code {
                    self.hints().append_to(&mut out);
                }
                RawSection { id: id as u8, data: &data }.append_to(&mut out);
            }
        }
        Ok(out)
    }

    fn origins(&self) -> Origins {
        let functions = self.module.function_types.len() as u32;
        Origins::new(self.module.imported, 1, functions, self.numbers.resume, self.resumed.clone())
    }

    fn section(&self, id: SectionId, fork_at: u32, added: &[u32]) -> Result<Option<Vec<u8>>, Refusal> {
        let (module, renumber) = (self.module, &self.renumber);
        let append = |count: usize, bytes: &[u8]| sections::appended(module, id, count as u32, bytes);
        let data = match id {
            SectionId::Type => append(self.types.count() as usize, self.types.bytes()),
            SectionId::Import => return sections::imports(module, renumber, fork_at).map(Some),
            SectionId::Function => {
                let mut bytes = Vec::new();
                added.iter().for_each(|ty| ty.encode(&mut bytes));
                append(added.len(), &bytes)
            }
            SectionId::Table => sections::tables(module, renumber, self.resume_types.len() as u32 + 1),
            SectionId::Memory => return Ok(sections::memories(module)),
            SectionId::Global => sections::globals(module, renumber),
            SectionId::Export => {
                let held = self.forking.is_some().then(|| (free_name(HELD, &module.exports), self.numbers.held));
                Ok(sections::exports(module, &self.instead, held))
            }
            SectionId::Start => {
                let start = self.instead.last().copied().flatten();
                return Ok(start.map(|start| {
                    let mut bytes = Vec::new();
                    start.encode(&mut bytes);
                    bytes
                }));
            }
            SectionId::Element => {
                let resumes = (0..self.resume_types.len() as u32).map(|at| self.numbers.resume + at);
                // Fork's own comes first.
                let first = if self.forking.is_some() { renumber.fork + 1 } else { renumber.fork };
                let resumes: Vec<u32> = [first].into_iter().chain(resumes).collect();
                sections::elements(module, renumber, self.numbers.table, &resumes)
            }
            SectionId::Code => {
                let mut bytes = Vec::with_capacity(self.code.bytes.len() + 5);
                (self.code.hints.len() as u32).encode(&mut bytes);
                bytes.extend_from_slice(&self.code.bytes);
                Ok(bytes)
            }
            _ => return Ok(module.section(id).map(|range| module.bytes[range].to_vec())),
        };
        data.map(Some).map_err(refusal)
    }

    fn hints(&self) -> BranchHints {
        let mut all = BranchHints::new();
        for (hints, function) in self.code.hints.iter().zip(self.module.imported + 1..) {
            if !hints.is_empty() {
                let unlikely = |&branch_func_offset| BranchHint { branch_func_offset, branch_hint_value: 0 };
                all.function_hints(function, hints.iter().map(unlikely));
            }
        }
        all
    }
}

/// The name of the exported count of callers that cannot be unwound.
const HELD: &str = "vkernel:held";

fn refusal(error: wasmparser::Error) -> Refusal {
    Refusal::from_parser(&error)
}

#[cfg(test)]
mod tests;
