//! The browser's host: `host-web` compiled, its JavaScript side made, and the workers' start-up files.

use crate::process::{self, Outcome, cargo, read, root, target};
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
    super::sync(&aside, out)
}

/// The workers' files are used as they are written.
fn workers(js: &Path, out: &Path) -> Outcome {
    if js.is_dir() { super::sync(js, out) } else { Ok(()) }
}
