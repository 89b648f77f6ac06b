//! Short names for what a module and its JavaScript call each other's functions, on both sides: nobody reads them,
//! they stand in each worker's file and in the module, and what tells them apart is a hash.

use crate::process::Outcome;
use std::collections::HashMap;

/// Exports that the module asks for by their names itself, for the kernel's imports (`host-web/src/hypercalls.rs`).
const OWN: [&str; 2] = ["park", "unpark"];

/// Both with other names for the module's imports and exports. In the script, an import is the key of an object and an
/// export a property of `wasm`, as wasm-bindgen writes them.
pub fn shorten(script: &str, module: &[u8]) -> Outcome<(String, Vec<u8>)> {
    let (mut imports, mut exports) = (Names::default(), Names::default());
    let module = renamed(module, &mut imports, &mut exports).ok_or("wasm-bindgen's module can't be read")?;
    let mut out = String::with_capacity(script.len());
    let mut rest = script;
    while let Some(start) = rest.find(|c: char| in_name(c)) {
        let (before, name) = rest.split_at(start);
        let (name, after) = name.split_at(name.find(|c: char| !in_name(c)).unwrap_or(name.len()));
        out += before;
        let met = match () {
            () if after.starts_with(": function(") => imports.0.get_mut(name),
            () if out.ends_with("wasm.") => exports.0.get_mut(name),
            () => None,
        };
        match met {
            Some((short, used)) => {
                *used = true;
                out += short;
            }
            None => out += name,
        }
        rest = after;
    }
    // An export may be for the host's own use: `__wbindgen_start`, a memory. An import must be there.
    match imports.0.iter().find(|(_, (_, used))| !used) {
        Some((name, _)) => Err(format!("wasm-bindgen's script lacks {name}")),
        None => Ok((out + rest, module)),
    }
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

/// The short name of each, and whether the script has it.
#[derive(Default)]
struct Names(HashMap<String, (String, bool)>);

impl Names {
    fn short(&mut self, name: &str) -> String {
        let mut number = self.0.len();
        let (short, _) = self.0.entry(name.to_string()).or_insert_with(|| {
            let mut short = String::new();
            loop {
                short.push(char::from(b"abcdefghijklmnopqrstuvwxyz"[number % 26]));
                number /= 26;
                if number == 0 {
                    return (short, false);
                }
            }
        });
        short.clone()
    }
}

/// Sections 2 and 7 made anew, the others as they are: WebAssembly 2.0, 5.5.
fn renamed(module: &[u8], imports: &mut Names, exports: &mut Names) -> Option<Vec<u8>> {
    let mut out = module.get(..8)?.to_vec();
    let mut r = Reader(&module[8..]);
    while !r.0.is_empty() {
        let id = r.byte()?;
        let len = r.number()?;
        let mut section = Reader(r.bytes(len)?);
        let made = match id {
            2 => section.imports(imports)?,
            7 => section.exports(exports)?,
            _ => section.0.to_vec(),
        };
        out.push(id);
        put_number(&mut out, made.len());
        out.extend(made);
    }
    Some(out)
}

fn put_number(out: &mut Vec<u8>, mut n: usize) {
    while n > 0x7f {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    put_number(out, name.len());
    out.extend(name.bytes());
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }
    fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|b| b[0])
    }
    fn number(&mut self) -> Option<usize> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let b = self.byte()?;
            value |= usize::from(b & 0x7f).checked_shl(shift)?;
            if b & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
        }
    }
    fn name(&mut self) -> Option<&'a str> {
        let n = self.number()?;
        str::from_utf8(self.bytes(n)?).ok()
    }
    fn imports(&mut self, names: &mut Names) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let count = self.number()?;
        put_number(&mut out, count);
        for _ in 0..count {
            put_name(&mut out, self.name()?);
            let name = names.short(self.name()?);
            put_name(&mut out, &name);
            // wasm-bindgen's module imports functions and nothing else.
            let 0 = self.byte()? else { return None };
            out.push(0);
            put_number(&mut out, self.number()?);
        }
        Some(out)
    }
    fn exports(&mut self, names: &mut Names) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let count = self.number()?;
        put_number(&mut out, count);
        for _ in 0..count {
            match self.name()? {
                name if OWN.contains(&name) => put_name(&mut out, name),
                name => put_name(&mut out, &names.short(name)),
            }
            out.push(self.byte()?);
            put_number(&mut out, self.number()?);
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with two imports of one type and an export.
    fn module(names: [&str; 3]) -> Vec<u8> {
        let mut imports = vec![2];
        for name in &names[..2] {
            put_name(&mut imports, "./m.js");
            put_name(&mut imports, name);
            imports.extend([0, 0]);
        }
        let mut exports = vec![1];
        put_name(&mut exports, names[2]);
        exports.extend([0, 1]);
        let mut out = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0".to_vec();
        for (id, section) in [(2, imports), (7, exports)] {
            out.push(id);
            put_number(&mut out, section.len());
            out.extend(section);
        }
        out
    }

    #[test]
    fn names_change_on_both_sides_and_nowhere_else() {
        let script = "const a = {\n__wbg_new_0123: function(arg0) {\nwasm.run_it(0);\n},\n__wbg_get_4567: function() {},\n};\n\
            export function run_it(x) {\nwasm.run_it(x);\n}\nlet __wbg_new_0123;";
        let (out, made) = shorten(script, &module(["__wbg_new_0123", "__wbg_get_4567", "run_it"])).unwrap();
        assert_eq!(
            out,
            "const a = {\na: function(arg0) {\nwasm.a(0);\n},\nb: function() {},\n};\n\
            export function run_it(x) {\nwasm.a(x);\n}\nlet __wbg_new_0123;"
        );
        assert_eq!(made, module(["a", "b", "a"]));
    }

    #[test]
    fn what_the_module_asks_for_keeps_its_name() {
        let script = "const a = { f: function() {}, g: function() {} }; wasm.park(0)";
        let (out, made) = shorten(script, &module(["f", "g", "park"])).unwrap();
        assert!(out.ends_with("wasm.park(0)"), "{out}");
        assert_eq!(made, module(["a", "b", "park"]));
    }

    #[test]
    fn an_import_that_the_script_lacks_is_an_error() {
        let error = shorten("const a = { f: function() {} };", &module(["f", "g", "h"])).unwrap_err();
        assert!(error.contains("lacks g"), "{error}");
        assert!(shorten("", b"\0asm\x01\0\0\0\x02\x7f").is_err());
    }

    #[test]
    fn short_names_differ() {
        let mut names = Names::default();
        let made: std::collections::HashSet<String> = (0..2000).map(|n| names.short(&n.to_string())).collect();
        assert_eq!(made.len(), 2000);
    }
}
