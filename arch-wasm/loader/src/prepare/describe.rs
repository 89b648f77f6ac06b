//! The custom section in which a prepared program carries its [`Program`], so that a host need not
//! look at the module again.
//!
//! Numbers are u32 in little-endian, strings a number and so many bytes of UTF-8. A version; a number
//! of imports, each a kind (0 a call: module and number; 1 a memory: module and name); the memory (0
//! none, 1 imported, 2 exported: name); pages; 0 or 1 and the maximum; pages of all memories; 0 or 1
//! for WASI; 0 or 1 and the start function; 0 or 1 where instances serve again. It may be read from a file, so nothing in it is taken for granted.

use abi::syscalls::{self, SYSCALLS};

use crate::program::{Import, Memory, Program};

const VERSION: u32 = 3;
const MODULES: [&str; 3] = [syscalls::VKERNEL, syscalls::WASI_PREVIEW1, syscalls::WASI_UNSTABLE];

pub fn describe(program: &Program) -> Vec<u8> {
    let mut out = Writer(Vec::new());
    out.number(VERSION);
    out.number(program.imports.len() as u32);
    for import in &program.imports {
        match import {
            Import::Call { module, call } => {
                out.number(0);
                let module = MODULES.iter().position(|known| known == module);
                out.number(module.expect("imports are from these") as u32);
                out.number(call.nr);
            }
            Import::Memory { module, name } => {
                out.number(1);
                out.text(module);
                out.text(name);
            }
        }
    }
    match &program.memory {
        Memory::None => out.number(0),
        Memory::Imported => out.number(1),
        Memory::Exported(name) => {
            out.number(2);
            out.text(name);
        }
    }
    // A memory of 32-bit addresses has at most 65,536.
    out.number(program.pages as u32);
    out.number(program.max_pages.is_some().into());
    if let Some(pages) = program.max_pages {
        out.number(pages as u32);
    }
    // Of a hundred memories at most: <https://webassembly.github.io/spec/js-api/#limits>.
    out.number(program.all_pages as u32);
    out.number(program.uses_wasi.into());
    out.number(program.start.is_some().into());
    if let Some(start) = &program.start {
        out.text(start);
    }
    out.number(program.serves_again.into());
    out.0
}

/// Reads the payload of the custom section [`SECTION`](super::SECTION) of a prepared program.
///
/// `imports` are those the program had; in the prepared module two follow them, the functions `vk.check`
/// and `vk.limit`.
///
/// # Errors
/// A payload that this version of `prepare` has not made.
pub fn described(payload: &[u8]) -> Result<Program, String> {
    read(&mut Reader(payload)).ok_or_else(|| "not a description of a prepared program of this version".into())
}

fn read(from: &mut Reader) -> Option<Program> {
    if from.number()? != VERSION {
        return None;
    }
    let count = from.number()?;
    let imports = (0..count).map(|_| import(from)).collect::<Option<_>>()?;
    let memory = match from.number()? {
        0 => Memory::None,
        1 => Memory::Imported,
        2 => Memory::Exported(from.text()?),
        _ => return None,
    };
    let pages = from.number()?.into();
    let max_pages = if from.flag()? { Some(from.number()?.into()) } else { None };
    let all_pages = from.number()?.into();
    let uses_wasi = from.flag()?;
    let start = if from.flag()? { Some(from.text()?) } else { None };
    let serves_again = from.flag()?;
    let rewritten = None;
    let program = Program { imports, memory, pages, max_pages, all_pages, uses_wasi, start, serves_again, rewritten };
    from.0.is_empty().then_some(program)
}

fn import(from: &mut Reader) -> Option<Import> {
    match from.number()? {
        0 => {
            let module = *MODULES.get(from.number()? as usize)?;
            let nr = from.number()?;
            let call = SYSCALLS.iter().find(|call| call.nr == nr)?;
            Some(Import::Call { module, call })
        }
        1 => Some(Import::Memory { module: from.text()?, name: from.text()? }),
        _ => None,
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, n: u32) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }
    fn text(&mut self, text: &str) {
        self.number(text.len() as u32);
        self.0.extend_from_slice(text.as_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<u32> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*head))
    }
    fn flag(&mut self) -> Option<bool> {
        match self.number()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
    fn text(&mut self) -> Option<String> {
        let length = self.number()? as usize;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(head.to_vec()).ok()
    }
}
