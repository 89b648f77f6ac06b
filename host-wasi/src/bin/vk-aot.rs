//! `vk-aot DIR STAMP`: compiles ahead of time what the `vk` command carries inside. A tool of the build.
//!
//! In DIR it reads `kernel.wasm` and the programs in `base.tar`, and writes what `build.rs` describes:
//! `kernel.cwasm`, `aot/HASH.cwasm`, and last of all `manifest`. What is there already is kept, as long
//! as STAMP, which stands for the compiler and its settings, is the one it was made with.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, stamp] = args.as_slice() else { bail!("usage: vk-aot DIR STAMP") };
    let dir = Path::new(dir);
    let aot = dir.join("aot");
    fs::create_dir_all(&aot).with_context(|| format!("{}", aot.display()))?;
    if read(&dir.join("stamp")).unwrap_or_default() != stamp.as_bytes() {
        // The old stamp goes first: an interrupted build is not taken for a finished one.
        clear(dir, &aot)?;
        write(&dir.join("stamp"), stamp.as_bytes())?;
    }
    kernel(dir)?;
    let programs = programs(&dir.join("base.tar"))?;
    let mut manifest = String::new();
    for (path, bytes) in &programs {
        let hash = blake3::hash(bytes).to_hex();
        let out = aot.join(format!("{hash}.cwasm"));
        if !out.exists() {
            let start = std::time::Instant::now();
            let code = host_wasi::precompile_program(bytes).with_context(|| format!("/{path}"))?;
            write(&out, &code)?;
            report(path, bytes, &code, start);
        }
        manifest += &format!("{hash} {path}\n");
    }
    forget_others(&aot, &manifest)?;
    if read(&dir.join("manifest")).unwrap_or_default() != manifest.as_bytes() {
        write(&dir.join("manifest"), manifest.as_bytes())?;
    }
    Ok(())
}

/// `kernel.cwasm`, when `kernel.wasm` is not the one it was made from.
fn kernel(dir: &Path) -> Result<()> {
    let wasm = read(&dir.join("kernel.wasm"))?;
    let hash = blake3::hash(&wasm).to_hex();
    let (out, source) = (dir.join("kernel.cwasm"), dir.join("kernel.hash"));
    if out.exists() && read(&source).unwrap_or_default() == hash.as_bytes() {
        return Ok(());
    }
    let start = std::time::Instant::now();
    let code = host_wasi::precompile_kernel(&wasm).context("kernel.wasm")?;
    write(&out, &code)?;
    write(&source, hash.as_bytes())?;
    report("kernel", &wasm, &code, start);
    Ok(())
}

/// The WebAssembly modules of the image, by path.
fn programs(tar: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let archive = read(tar)?;
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(archive.as_slice()).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().trim_end_matches('/').to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        if bytes.starts_with(b"\0asm") {
            found.insert(path, bytes);
        }
    }
    Ok(found)
}

fn report(name: &str, wasm: &[u8], code: &[u8], start: std::time::Instant) {
    let seconds = start.elapsed().as_secs_f64();
    eprintln!("    compiled {name}: {} -> {} KiB, {seconds:.1} s", wasm.len() >> 10, code.len() >> 10);
}

fn clear(dir: &Path, aot: &Path) -> Result<()> {
    for name in ["stamp", "kernel.hash"] {
        let _ = fs::remove_file(dir.join(name));
    }
    forget_others(aot, "")
}

/// Removes compiled programs that the manifest doesn't name.
fn forget_others(aot: &Path, manifest: &str) -> Result<()> {
    for entry in fs::read_dir(aot)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let known = name.strip_suffix(".cwasm").is_some_and(|hash| manifest.contains(hash));
        if !known {
            fs::remove_file(entry.path()).with_context(|| name)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{}", path.display()))
}

/// Written aside and renamed, so that a file is complete or not there.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let aside = path.with_extension("new");
    fs::write(&aside, bytes).and_then(|()| fs::rename(&aside, path)).with_context(|| format!("{}", path.display()))
}
