//! Small WebAssembly programs, assembled here: what no compiler would let us say.

/// Instructions that tests use.
pub mod op {
    pub const UNREACHABLE: u8 = 0x00;
    pub const LOOP: u8 = 0x03;
    pub const END: u8 = 0x0b;
    pub const BR: u8 = 0x0c;
    pub const CALL: u8 = 0x10;
    pub const CALL_INDIRECT: u8 = 0x11;
    pub const DROP: u8 = 0x1a;
    pub const I32_LOAD: u8 = 0x28;
    pub const I32_STORE: u8 = 0x36;
    pub const I32_CONST: u8 = 0x41;
    pub const I64_CONST: u8 = 0x42;
    pub const F64_CONST: u8 = 0x44;
    pub const I32_MUL: u8 = 0x6c;
    pub const I32_DIV_S: u8 = 0x6d;
    pub const I32_DIV_U: u8 = 0x6e;
    pub const I32_REM_S: u8 = 0x6f;
    pub const I64_DIV_S: u8 = 0x7f;
    pub const I32_TRUNC_F64_S: u8 = 0xaa;
    pub const EMPTY_BLOCK: u8 = 0x40;
}

pub const I32: u8 = 0x7f;
pub const I64: u8 = 0x7e;

/// LEB128.
pub fn signed(mut v: i64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (v & 0x7f) as u8;
        v >>= 7;
        let done = v == 0 && byte & 0x40 == 0 || v == -1 && byte & 0x40 != 0;
        out.push(if done { byte } else { byte | 0x80 });
        if done {
            return out;
        }
    }
}
pub fn unsigned(mut v: u32) -> Vec<u8> {
    let mut out = Vec::new();
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
    out
}

/// `i32.const`.
pub fn i32_const(v: i32) -> Vec<u8> {
    [vec![op::I32_CONST], signed(v as i64)].concat()
}

/// A program to be.
#[derive(Clone)]
pub struct Module {
    /// Module, name, parameters, results of the functions it imports.
    pub imports: Vec<(&'static str, &'static str, Vec<u8>, Vec<u8>)>,
    /// The instructions of its `_start`, which follows the imports as a function.
    pub start: Vec<u8>,
    /// The instructions of its start function, if it has one.
    pub initialiser: Vec<u8>,
    /// The name its one function is exported by.
    pub export: &'static str,
    pub pages: u32,
    /// Put into the memory at 0.
    pub data: Vec<u8>,
    /// A table of 4 with a function of type i32 -> i32 in its slot 1.
    pub table: bool,
}

impl Module {
    pub fn new(start: &[u8]) -> Module {
        Module {
            imports: Vec::new(),
            start: start.to_vec(),
            initialiser: Vec::new(),
            export: "_start",
            pages: 1,
            data: Vec::new(),
            table: false,
        }
    }
    pub fn table(mut self) -> Module {
        self.table = true;
        self
    }
    pub fn import(mut self, module: &'static str, name: &'static str, params: &[u8], results: &[u8]) -> Module {
        self.imports.push((module, name, params.to_vec(), results.to_vec()));
        self
    }

    /// The binary form, WebAssembly 1.0, 5.5.
    pub fn encode(&self) -> Vec<u8> {
        // Type 0 is () -> (), type 1 is i32 -> i32; the imports' follow.
        let mut types = vec![func_type(&[], &[]), func_type(&[I32], &[I32])];
        types.extend(self.imports.iter().map(|i| func_type(&i.2, &i.3)));
        let imports: Vec<Vec<u8>> = self
            .imports
            .iter()
            .enumerate()
            .map(|(i, (module, name, ..))| [string(module), string(name), vec![0], unsigned(i as u32 + 2)].concat())
            .collect();
        let start = self.imports.len() as u32;
        let mut functions = vec![unsigned(0)];
        let mut code = vec![body(&self.start)];
        if self.table {
            functions.push(unsigned(1));
            code.push(body(&[0x20, 0]));
        }
        if !self.initialiser.is_empty() {
            functions.push(unsigned(0));
            code.push(body(&self.initialiser));
        }
        let exports =
            [[string(self.export), vec![0], unsigned(start)].concat(), [string("memory"), vec![2, 0]].concat()];
        let mut out = b"\0asm\x01\0\0\0".to_vec();
        out.extend(section(1, &types));
        out.extend(section(2, &imports));
        out.extend(section(3, &functions));
        if self.table {
            out.extend(section(4, &[vec![0x70, 0, 4]]));
        }
        out.extend(section(5, &[[vec![0], unsigned(self.pages)].concat()]));
        out.extend(section(7, &exports));
        if !self.initialiser.is_empty() {
            let last = unsigned(start + code.len() as u32 - 1);
            out.extend([vec![8], unsigned(last.len() as u32), last].concat());
        }
        if self.table {
            let offset = [i32_const(1), vec![op::END]].concat();
            out.extend(section(9, &[[vec![0], offset, vec![1], unsigned(start + 1)].concat()]));
        }
        out.extend(section(10, &code));
        if !self.data.is_empty() {
            let offset = [i32_const(0), vec![op::END]].concat();
            out.extend(section(11, &[[vec![0], offset, unsigned(self.data.len() as u32), self.data.clone()].concat()]));
        }
        out
    }

    /// Writes it where it can be executed.
    pub fn install(&self, path: &[u8]) {
        install(path, &self.encode());
    }
}

/// A file that may be executed.
pub fn install(path: &[u8], content: &[u8]) {
    crate::harness::write_file(path, content);
    vkernel_sys::fs::chmod(path, 0o755, 0).expect("chmod");
}

fn func_type(params: &[u8], results: &[u8]) -> Vec<u8> {
    [vec![0x60], unsigned(params.len() as u32), params.to_vec(), unsigned(results.len() as u32), results.to_vec()]
        .concat()
}
fn string(s: &str) -> Vec<u8> {
    [unsigned(s.len() as u32), s.as_bytes().to_vec()].concat()
}
fn body(instructions: &[u8]) -> Vec<u8> {
    let inner = [&[0], instructions, &[op::END]].concat();
    [unsigned(inner.len() as u32), inner].concat()
}
fn section(id: u8, entries: &[Vec<u8>]) -> Vec<u8> {
    if entries.is_empty() {
        return Vec::new();
    }
    let inner = [unsigned(entries.len() as u32), entries.concat()].concat();
    [vec![id], unsigned(inner.len() as u32), inner].concat()
}
