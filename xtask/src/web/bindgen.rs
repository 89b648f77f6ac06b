//! The browser's host: `host-web` compiled, its JavaScript side made, and the workers' start-up files.

use crate::process::{self, Outcome, cargo, read, root, target, write_if_changed};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use wasm_bindgen_cli_support::Bindgen;

const HOST_TARGET: &str = "wasm32-unknown-unknown";

/// Puts `host_web.js`, `host_web_bg.wasm`, their types and the workers' files into a directory.
pub fn host(out: &Path) -> Outcome {
    let built = module("host-web", "host_web")?;
    bind(&built, out)?;
    workers(&root().join("host-web/js"), out)
}

/// The part of the loader that the host fetches later.
pub fn preparer() -> Outcome<Vec<u8>> {
    module("prepare-web", "prepare_web").and_then(|built| read(&built))
}

/// Builds a crate as the page's wasm.
fn module(package: &str, name: &str) -> Outcome<PathBuf> {
    let mut c = cargo(&["build", "--quiet", "--profile", "web", "--target", HOST_TARGET, "-p", package]);
    c.arg("--target-dir").arg(target());
    process::run(c)?;
    Ok(target().join(HOST_TARGET).join(format!("web/{name}.wasm")))
}

fn bind(built: &Path, out: &Path) -> Outcome {
    // Aside first, and then only what changed: servers and browsers go by it.
    let aside = target().join("web-host");
    let mut b = Bindgen::new();
    b.input_path(built).out_name("host_web").typescript(true).omit_default_module_path(false);
    b.remove_name_section(true).remove_producers_section(true);
    b.web(true).and_then(|b| b.generate(&aside)).map_err(|e| format!("wasm-bindgen: {e:#}"))?;
    let (js, wasm) = (aside.join("host_web.js"), aside.join("host_web_bg.wasm"));
    let script = String::from_utf8(read(&js)?).map_err(|e| format!("{}: {e}", js.display()))?;
    let mut module = read(&wasm)?;
    write_if_changed(&js, squeeze(&script, &mut module).as_bytes())?;
    write_if_changed(&wasm, &module)?;
    super::sync(&aside, out)
}

/// Makes both compress better, by 5 KB of 150: what imports are called ends in a hash, which is a number from here on;
/// and nobody reads the comments, which stand in the types, too.
fn squeeze(script: &str, module: &mut [u8]) -> String {
    let mut numbers = HashMap::new();
    let mut out = String::with_capacity(script.len());
    for line in script.lines().map(str::trim_start) {
        // The first line says where the types are, in a comment of another kind.
        if !line.is_empty() && !["//", "/**", "* ", "*/"].iter().any(|c| line.starts_with(c)) && line != "*" {
            out += &number_imports(line, &mut numbers);
            out.push('\n');
        }
    }
    let mut at = 0;
    while let Some(found) = module[at..].windows(PREFIX.len()).position(|w| w == PREFIX.as_bytes()) {
        at += found;
        let end = at + module[at..].iter().position(|&b| !in_name(b)).unwrap_or(module.len() - at);
        let number = str::from_utf8(&module[at..end]).ok().and_then(|name| numbers.get(name));
        if let Some(number) = number {
            module[at..end].copy_from_slice(number.as_bytes());
        }
        at = end;
    }
    out
}

/// What imports' names begin with.
const PREFIX: &str = "__wbg_";

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A line with the imports' names in it changed, to ones of the same length. `numbers` has those that were met.
fn number_imports(line: &str, numbers: &mut HashMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(PREFIX) {
        let (before, name) = rest.split_at(at);
        let end = name.bytes().position(|b| !in_name(b)).unwrap_or(name.len());
        let (name, after) = name.split_at(end);
        let count = numbers.len();
        let hashed =
            name.rsplit_once('_').filter(|(_, hash)| hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
        let numbered = hashed.map(|(plain, _)| {
            numbers.entry(name.to_string()).or_insert_with(|| format!("{plain}_{count:016x}")).as_str()
        });
        out += before;
        out += numbered.unwrap_or(name);
        rest = after;
    }
    out + rest
}

/// The workers' files get the JavaScript that they import put in: a worker starts with one file, not two in turn.
fn workers(js: &Path, out: &Path) -> Outcome {
    let host = String::from_utf8(read(&out.join("host_web.js"))?).map_err(|e| e.to_string())?;
    for name in ["cpu.js", "disk.js"] {
        let text = String::from_utf8(read(&js.join(name))?).map_err(|e| e.to_string())?;
        write_if_changed(
            &out.join(name),
            joined(&host, &text).ok_or_else(|| format!("{name}: imports differ"))?.as_bytes(),
        )?;
    }
    Ok(())
}

/// A worker's file after the module that it imports, whose exports it uses by their names there.
fn joined(host: &str, worker: &str) -> Option<String> {
    let default =
        |line: &str| Some(line.strip_prefix("export { initSync, ")?.strip_suffix(" as default };")?.to_string());
    let start = host.lines().find_map(default)?;
    let import = worker.lines().find(|line| line.starts_with("import init, {"))?;
    let exported = |line: &'_ str| line.strip_prefix("export ").unwrap_or(line).to_string();
    let host = host.lines().filter(|line| default(line).is_none()).map(exported);
    let worker = worker.lines().filter(|line| *line != import).map(String::from);
    Some(host.chain([format!("const init = {start};")]).chain(worker).map(|line| line + "\n").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_on_both_sides_and_comments_go() {
        let script = "/* @ts-self-types */\n/**\n * What it does.\n */\nfunction f() {\n    // why\n    return {\n        \
            __wbg_new_0123456789abcdef: a, __wbg_new_fedcba9876543210: b, __wbg_free: c,\n    };\n}\n__wbg_new_0123456789abcdef";
        let mut module = b"\x1a__wbg_new_fedcba9876543210\0\x1a__wbg_new_0123456789abcdef\0__wbg_free".to_vec();
        let out = squeeze(script, &mut module);
        assert_eq!(
            out,
            "/* @ts-self-types */\nfunction f() {\nreturn {\n__wbg_new_0000000000000000: a, __wbg_new_0000000000000001: b, \
             __wbg_free: c,\n};\n}\n__wbg_new_0000000000000000\n"
        );
        assert_eq!(module, b"\x1a__wbg_new_0000000000000001\0\x1a__wbg_new_0000000000000000\0__wbg_free");
    }

    #[test]
    fn a_worker_has_the_module_that_it_imports_in_it() {
        let host = "let wasm;\nexport function f() {\n}\nexport class C {\n}\nexport { initSync, start as default };\n";
        let worker = "// What it is.\nimport init, { f } from \"./host_web.js\";\nawait init();\nf();\n";
        let joined = joined(host, worker).unwrap();
        assert_eq!(
            joined,
            "let wasm;\nfunction f() {\n}\nclass C {\n}\nconst init = start;\n// What it is.\nawait init();\nf();\n"
        );
    }
}
