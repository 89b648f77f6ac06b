//! A program, compiled: what is instantiated when an lwp is told to run an image.
//!
//! Immutable and shared by all vkernels of a host. On disk it is what wasmtime writes, with a
//! trailer of ours that keeps what the loader found out about the program, so that neither its
//! bytes nor the loader are needed again.

use crate::engine::plain;
use abi::trapframe::HANDLER_EXPORT;
use anyhow::{Context, Result, bail};
use loader::{Memory, Program};
use wasmtime::{Engine, ExternType, FuncType, MemoryType, Module, ModuleExport};

/// What answers an import.
pub(crate) enum Answer {
    /// An export of the stub.
    Call(ModuleExport),
    /// A memory made for it.
    Memory(MemoryType),
}

pub(crate) struct ProgramImage {
    pub module: Module,
    /// In the order of the imports.
    pub answers: Vec<Answer>,
    pub memory: Place,
    pub start: Option<ModuleExport>,
    pub entry: ModuleExport,
    /// What calls its signal handlers.
    pub handler: Option<ModuleExport>,
    /// A [`loader::Origins`], as it is written.
    pub origins: Vec<u8>,
    /// Size of the main memory at the start.
    pub initial_bytes: u64,
}

/// Where the main memory is.
pub(crate) enum Place {
    None,
    Imported,
    Exported(ModuleExport),
}

/// What the trailer keeps of [`Program`].
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    memory: Memory,
    start: Option<String>,
    origins: Vec<u8>,
}

/// Ends the file: the trailer's length (4 bytes), this.
const MAGIC: &[u8; 8] = b"VKPROG02";

/// Counts what the loader makes of programs: what was compiled from something else is not used again.
pub(crate) const MAKING: u32 = 4;

/// The compiled form of a program, with its trailer.
pub(crate) fn compile(engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>, String> {
    let forking = loader::fork(wasm).map_err(|refusal| refusal.to_string())?;
    let wasm = forking.as_deref().unwrap_or(wasm);
    let program = loader::check(wasm).map_err(|refusal| refusal.to_string())?;
    // A handler can't be run from an epoch check, so a program that has some asks by itself: decision 11.
    let prepared =
        if loader::has_handlers(wasm) { Some(loader::prepare(wasm).map_err(|r| r.to_string())?) } else { None };
    let origins = match (&prepared, &forking) {
        (Some(prepared), _) => loader::Origins::of_module(prepared),
        (None, Some(forking)) => loader::Origins::of_module(forking),
        (None, None) => loader::Origins::default(),
    };
    let bytes = prepared.as_deref().or(program.rewritten.as_deref()).unwrap_or(wasm);
    let mut code = engine.precompile_module(bytes).map_err(|e| format!("can't be compiled: {e:#}"))?;
    Facts::of(&program, &origins).append(&mut code);
    Ok(code)
}

/// Takes the trailer off; `None` if there is none, as in a file that was cut.
fn split(bytes: &[u8]) -> Option<(&[u8], Facts)> {
    let rest = bytes.strip_suffix(MAGIC)?;
    let (rest, len) = rest.split_last_chunk::<4>()?;
    let at = rest.len().checked_sub(u32::from_le_bytes(*len) as usize)?;
    let (code, trailer) = rest.split_at(at);
    Some((code, Facts::read(trailer)?))
}

impl Facts {
    fn of(program: &Program, origins: &loader::Origins) -> Facts {
        Facts { memory: program.memory.clone(), start: program.start.clone(), origins: origins.to_bytes() }
    }

    /// Two strings and the origins, each after a byte that says what it is.
    fn append(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        let mut bytes = |kind: u8, bytes: &[u8]| {
            out.push(kind);
            out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            out.extend_from_slice(bytes);
        };
        let mut string = |kind: u8, text: &str| bytes(kind, text.as_bytes());
        match &self.memory {
            Memory::None => string(0, ""),
            Memory::Imported => string(1, ""),
            Memory::Exported(name) => string(2, name),
        }
        match &self.start {
            None => string(0, ""),
            Some(name) => string(1, name),
        }
        bytes(0, &self.origins);
        let len = (out.len() - begin) as u32;
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(MAGIC);
    }

    fn read(mut bytes: &[u8]) -> Option<Facts> {
        let mut field = || {
            let (&kind, rest) = bytes.split_first()?;
            let (len, rest) = rest.split_first_chunk::<4>()?;
            let text = rest.get(..u32::from_le_bytes(*len) as usize)?;
            bytes = &rest[text.len()..];
            Some((kind, text))
        };
        let text = |(kind, text)| Some((kind, std::str::from_utf8(text).ok()?.to_string()));
        let memory = match text(field()?)? {
            (0, _) => Memory::None,
            (1, _) => Memory::Imported,
            (2, name) => Memory::Exported(name),
            _ => return None,
        };
        let start = match text(field()?)? {
            (0, _) => None,
            (_, name) => Some(name),
        };
        Some(Facts { memory, start, origins: field()?.1.to_vec() })
    }
}

impl ProgramImage {
    /// From memory.
    ///
    /// # Safety
    /// `bytes` came out of [`compile`] (on a host that we trust as much as this one).
    pub unsafe fn from_bytes(engine: &Engine, stub: &Module, bytes: &[u8]) -> Result<ProgramImage> {
        let (code, facts) = split(bytes).context("cut or damaged")?;
        // SAFETY: the caller's.
        let module = unsafe { Module::deserialize(engine, code) }.map_err(plain)?;
        Self::new(stub, module, &facts)
    }

    /// From a file, which is mapped and must not be changed (being replaced is fine).
    ///
    /// # Safety
    /// As [`Self::from_bytes`].
    pub unsafe fn from_file(engine: &Engine, stub: &Module, path: &std::path::Path) -> Result<ProgramImage> {
        let facts = read_trailer(path)?;
        // SAFETY: the caller's.
        let module = unsafe { Module::deserialize_file(engine, path) }.map_err(plain)?;
        Self::new(stub, module, &facts)
    }

    fn new(stub: &Module, module: Module, facts: &Facts) -> Result<ProgramImage> {
        let mut answers = Vec::new();
        let mut initial_bytes = 0;
        for import in module.imports() {
            answers.push(match import.ty() {
                ExternType::Func(_) => {
                    let name = match import.module() {
                        // What a prepared program asks.
                        "vk" => import.name().to_string(),
                        module => loader::export_name(module, import.name()),
                    };
                    Answer::Call(stub.get_export_index(&name).with_context(|| format!("nobody offers {name}"))?)
                }
                ExternType::Memory(ty) => {
                    initial_bytes = ty.minimum() << 16;
                    Answer::Memory(ty)
                }
                _ => bail!("imports {}.{}", import.module(), import.name()),
            });
        }
        let export = |name: &str| module.get_export_index(name).with_context(|| format!("exports no {name}"));
        let memory = match &facts.memory {
            Memory::None => Place::None,
            Memory::Imported => Place::Imported,
            Memory::Exported(name) => {
                let Some(ExternType::Memory(ty)) = module.get_export(name) else { bail!("exports no memory {name}") };
                initial_bytes = ty.minimum() << 16;
                Place::Exported(export(name)?)
            }
        };
        let start = facts.start.as_deref().map(export).transpose()?;
        let entry = export("_start")?;
        let handler = module.get_export(HANDLER_EXPORT).and_then(|ty| ty.func().cloned()).filter(calls_handlers);
        let handler = handler.and_then(|_| module.get_export_index(HANDLER_EXPORT));
        let origins = facts.origins.clone();
        Ok(ProgramImage { module, answers, memory, start, entry, handler, origins, initial_bytes })
    }
}

/// True for the type of a `__vk_signal`.
fn calls_handlers(ty: &FuncType) -> bool {
    ty.params().len() == 3 && ty.params().all(|p| p.is_i32()) && ty.results().len() == 0
}

/// How long the trailer is, by a file's last bytes.
fn trailer_len(end: &[u8]) -> Option<u64> {
    let (_, len) = end.strip_suffix(MAGIC)?.split_last_chunk::<4>()?;
    Some(u64::from(u32::from_le_bytes(*len)) + (4 + MAGIC.len()) as u64)
}

/// The trailer of a file, without reading the rest.
fn read_trailer(path: &std::path::Path) -> Result<Facts> {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::open(path)?;
    let len = file.metadata()?.len();
    let last = |n: u64| {
        let mut end = vec![0; n as usize];
        file.read_exact_at(&mut end, len - n).map(|()| end)
    };
    let mut end = last(len.min(4096))?;
    // Where it is, most often, whole.
    if let Some(needs) = trailer_len(&end).filter(|&needs| needs > end.len() as u64 && needs <= len) {
        end = last(needs)?;
    }
    Ok(split(&end).context("cut or damaged")?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_is_read_back_and_a_cut_one_is_noticed() {
        for facts in [
            Facts { memory: Memory::Exported("memory_".into()), start: Some("vkernel:start".into()), origins: vec![] },
            Facts { memory: Memory::None, start: None, origins: vec![1, 2, 255] },
            Facts { memory: Memory::Imported, start: Some(String::new()), origins: vec![0; 300] },
        ] {
            let mut bytes = b"code".to_vec();
            facts.append(&mut bytes);
            let (code, read) = split(&bytes).unwrap();
            assert_eq!((code, &read), (&b"code"[..], &facts));
            for n in 0..bytes.len() {
                assert!(split(&bytes[..n]).is_none());
            }
        }
    }
}
