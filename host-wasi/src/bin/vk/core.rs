//! `vk core`: what a core dump holds, for a person. core(5) says what is in the file.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use wasmparser::{CoreDumpStackFrame, DataKind, KnownCustom, Name, NameSectionReader, Operator, Parser, Payload};

use crate::args;
use crate::plan::Failure;

/// A file that can't be read, or isn't a core dump.
const NOT_ONE: u8 = 1;
/// Bytes in a line of memory.
const LINE: usize = 16;

pub fn run(args: &args::Core) -> Result<u8, Failure> {
    let file = read(&args.file)?;
    let core = Core::parse(&file).map_err(|why| Failure::new(NOT_ONE, format!("{}: {why}", args.file.display())))?;
    let program = args.program.as_deref().map(read).transpose()?;
    let names = match (&program, &args.program) {
        (Some(bytes), Some(path)) => {
            names(bytes).map_err(|e| Failure::new(NOT_ONE, format!("{}: {e}", path.display())))?
        }
        _ => HashMap::new(),
    };
    let mut text = core.describe(&names);
    for &(at, len) in &args.memory {
        core.dump(at, len, &mut text);
    }
    print!("{text}");
    Ok(0)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|e| Failure::new(NOT_ONE, format!("{}: {e}", path.display())))
}

/// What is of interest of the module.
#[derive(Default)]
struct Core<'a> {
    program: Option<&'a str>,
    /// The kernel's own words, a line each.
    about: &'a str,
    frames: Vec<CoreDumpStackFrame>,
    pages: u64,
    data: Vec<(u32, &'a [u8])>,
}

impl<'a> Core<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Core<'a>, String> {
        let mut core = Core::default();
        for payload in Parser::new(0).parse_all(bytes) {
            core.take(payload.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
        }
        if core.program.is_some() { Ok(core) } else { Err("a module, but no core dump".into()) }
    }

    fn take(&mut self, payload: Payload<'a>) -> wasmparser::Result<()> {
        match payload {
            Payload::CustomSection(section) => match section.as_known() {
                KnownCustom::CoreDump(section) => self.program = Some(section.name),
                KnownCustom::CoreDumpStack(section) => self.frames = section.frames,
                _ if section.name() == "vkernel.process" => {
                    self.about = std::str::from_utf8(section.data()).unwrap_or_default();
                }
                _ => {}
            },
            Payload::MemorySection(memories) => {
                for memory in memories {
                    self.pages += memory?.initial;
                }
            }
            Payload::DataSection(segments) => {
                for segment in segments {
                    let segment = segment?;
                    if let DataKind::Active { memory_index: 0, offset_expr } = segment.kind
                        && let Operator::I32Const { value } = offset_expr.get_operators_reader().read()?
                    {
                        self.data.push((value as u32, segment.data));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A line of the kernel's.
    fn fact(&self, name: &str) -> Option<&'a str> {
        self.about.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
    }

    fn describe(&self, names: &HashMap<u32, String>) -> String {
        let mut text = format!("program: {}\n", self.program.unwrap_or_default());
        for name in ["arguments", "pid", "uid", "signal", "cause"] {
            if let Some(fact) = self.fact(name) {
                let _ = writeln!(text, "{name}: {}", fact.trim());
            }
        }
        text.push_str(if self.frames.is_empty() { "stack: not known\n" } else { "stack:\n" });
        for (at, frame) in self.frames.iter().enumerate() {
            let name = names.get(&frame.funcidx).map_or("?", String::as_str);
            let _ = writeln!(text, "  #{at:<3} {name} (function {})", frame.funcidx);
        }
        let bytes: usize = self.data.iter().map(|d| d.1.len()).sum();
        let _ = writeln!(text, "memory: {} pages of 64 KiB, {} KiB not zero:", self.pages, bytes / 1024);
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for &(at, data) in &self.data {
            let (at, len) = (u64::from(at), data.len() as u64);
            match ranges.last_mut() {
                Some((_, end)) if *end == at => *end += len,
                _ => ranges.push((at, at + len)),
            }
        }
        for (at, end) in ranges {
            let _ = writeln!(text, "  {at:#010x}-{end:#010x}");
        }
        text
    }

    /// A byte of its memory; what isn't in the file is zero.
    fn byte(&self, at: u32) -> u8 {
        let holds = |d: &&(u32, &'a [u8])| at.checked_sub(d.0).is_some_and(|off| (off as usize) < d.1.len());
        self.data.iter().find(holds).map_or(0, |d| d.1[(at - d.0) as usize])
    }

    fn dump(&self, at: u32, len: u32, text: &mut String) {
        let end = (u64::from(at) + u64::from(len)).min(self.pages << 16);
        for line in (u64::from(at)..end).step_by(LINE) {
            let bytes: Vec<u8> = (line..end.min(line + LINE as u64)).map(|at| self.byte(at as u32)).collect();
            let hex: String = bytes.iter().map(|b| format!("{b:02x} ")).collect();
            let plain: String = bytes.iter().map(|&b| if matches!(b, b' '..=b'~') { b as char } else { '.' }).collect();
            let _ = writeln!(text, "{line:08x}  {hex:48} {plain}");
        }
    }
}

/// The functions' names by number: what the program's name section says, or else its imports and exports.
fn names(bytes: &[u8]) -> wasmparser::Result<HashMap<u32, String>> {
    let (mut names, mut plain) = (HashMap::new(), HashMap::new());
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ImportSection(imports) => {
                let functions = imports
                    .into_imports()
                    .filter(|i| i.as_ref().is_ok_and(|i| matches!(i.ty, wasmparser::TypeRef::Func(_))));
                for (number, import) in (0..).zip(functions) {
                    plain.insert(number, import?.name.to_string());
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.kind == wasmparser::ExternalKind::Func {
                        plain.insert(export.index, export.name.to_string());
                    }
                }
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(section) = section.as_known() {
                    names.extend(of_section(section));
                }
            }
            _ => {}
        }
    }
    for (number, name) in plain {
        names.entry(number).or_insert(name);
    }
    Ok(names)
}

/// As much of a name section as is well-formed.
fn of_section(section: NameSectionReader<'_>) -> HashMap<u32, String> {
    let functions = section.into_iter().filter_map(|name| match name {
        Ok(Name::Function(map)) => Some(map),
        _ => None,
    });
    functions.flat_map(|map| map.into_iter().flatten()).map(|n| (n.index, n.name.to_string())).collect()
}
