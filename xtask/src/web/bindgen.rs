//! The browser's host: `host-web` compiled, its JavaScript side made, and the workers' start-up files.

use super::names;
use crate::npm;
use crate::process::{self, Outcome, capture, cargo, read, root, target, write_if_changed};
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_bindgen_cli_support::Bindgen;

const HOST_TARGET: &str = "wasm32-unknown-unknown";

/// The page's module, and the workers' files.
const SCRIPTS: [&str; 3] = ["host_web.js", "cpu.js", "disk.js"];

/// Puts `host_web.js`, `host_web_bg.wasm`, their types and the workers' files into a directory.
pub fn host(out: &Path) -> Outcome {
    let built = module("host-web", "host_web")?;
    // Aside first, and then only what changed: servers and browsers go by it.
    let aside = target().join("web-host");
    bind(&built, &aside)?;
    workers(&root().join("host-web/js"), &aside)?;
    minify(&aside)?;
    super::sync(&aside, out)
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

/// The names that wasm-bindgen gives to imports and exports are for nobody, and so are the types of its module.
fn bind(built: &Path, out: &Path) -> Outcome {
    let mut b = Bindgen::new();
    b.input_path(built).out_name("host_web").typescript(true).omit_default_module_path(false);
    b.remove_name_section(true).remove_producers_section(true);
    b.web(true).and_then(|b| b.generate(out)).map_err(|e| format!("wasm-bindgen: {e:#}"))?;
    let (js, wasm) = (out.join("host_web.js"), out.join("host_web_bg.wasm"));
    let script = String::from_utf8(read(&js)?).map_err(|e| format!("{}: {e}", js.display()))?;
    let (script, module) = names::shorten(&script, &read(&wasm)?)?;
    write_if_changed(&js, script.as_bytes())?;
    write_if_changed(&wasm, &module)?;
    let _ = std::fs::remove_file(out.join("host_web_bg.wasm.d.ts"));
    Ok(())
}

/// What all three places load before anything, a third smaller: by the page's own tools.
fn minify(dir: &Path) -> Outcome {
    let www = root().join("www");
    npm::install(&www)?;
    let mut c = Command::new("node");
    c.arg(www.join("tools/minify.mjs")).args(SCRIPTS.map(|name| dir.join(name)));
    capture(c).map(|_| ())
}

/// The workers' files get the JavaScript that they import put in: a worker starts with one file, not two in turn.
fn workers(js: &Path, out: &Path) -> Outcome {
    let host = String::from_utf8(read(&out.join("host_web.js"))?).map_err(|e| e.to_string())?;
    for name in &SCRIPTS[1..] {
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
