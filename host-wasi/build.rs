//! Finds what the `vk` command carries inside: the compiled kernel, the base image, and the image's
//! programs compiled ahead of time. `cargo xtask build` makes them.
//!
//! They are in `$VK_ARTIFACTS`, else in `target/artifacts` of the workspace:
//!
//!     kernel.cwasm          from `host_wasi::precompile_kernel`
//!     base.tar              the image, not compressed
//!     aot/HASH.cwasm        compiled programs, by the BLAKE3 hash of the program in hexadecimal
//!     manifest              a line `HASH path/in/image` for each program; written last
//!
//! Without them everything builds all the same, and `vk` says what to do. The files' contents are
//! dependencies of the command alone (`include_bytes!`), so a new kernel doesn't rebuild the library; only
//! a new manifest does.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    sdk();
    println!("cargo::rerun-if-env-changed=VK_ARTIFACTS");
    let dir = match std::env::var_os("VK_ARTIFACTS") {
        Some(dir) => PathBuf::from(dir),
        None => Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../target/artifacts"),
    };
    let manifest = dir.join("manifest");
    if !manifest.exists() {
        // cargo takes a file that isn't there for one that changes all the time.
        let _ = std::fs::create_dir_all(&dir).and_then(|()| std::fs::write(&manifest, ""));
    }
    println!("cargo::rerun-if-changed={}", manifest.display());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap()).join("artifacts.rs");
    let text = generate(&dir, &manifest).unwrap_or_else(|| "static ARTIFACTS: Option<Artifacts> = None;\n".into());
    // Unchanged text leaves the file alone, and what includes it.
    if std::fs::read_to_string(&out).ok().as_deref() != Some(&text) {
        std::fs::write(&out, text).expect("the output directory can be written to");
    }
}

/// The SDK that `vk cc` carries: the name and the contents of each file in `user/sdk-c`.
fn sdk() {
    let root = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../user/sdk-c");
    let root = root.canonicalize().expect("the SDK is part of the sources");
    let mut text = String::from("static FILES: &[(&str, &[u8])] = &[\n");
    for dir in ["include", "include/net", "include/sys", "src"] {
        println!("cargo::rerun-if-changed={}", root.join(dir).display());
        let mut names: Vec<_> =
            std::fs::read_dir(root.join(dir)).expect("it is there").flatten().map(|e| e.path()).collect();
        names.sort();
        for path in names.iter().filter(|p| p.is_file()) {
            let name = path.strip_prefix(&root).expect("it is below");
            writeln!(text, "    ({name:?}, include_bytes!({path:?})),").unwrap();
        }
    }
    text.push_str("];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap()).join("sdk.rs");
    if std::fs::read_to_string(&out).ok().as_deref() != Some(&text) {
        std::fs::write(&out, text).expect("the output directory can be written to");
    }
}

/// The Rust source that includes them, if they are all there.
fn generate(dir: &Path, manifest: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let file = |name: &str| Some(dir.join(name)).filter(|p| p.is_file());
    let (kernel, base) = (file("kernel.cwasm")?, file("base.tar")?);
    let manifest = std::fs::read_to_string(manifest).ok()?;
    let programs = manifest.lines().filter_map(|line| line.trim().split_once(char::is_whitespace));
    let programs: Vec<_> = programs.map(|(hash, path)| (hash, path.trim())).filter(|p| !p.0.starts_with('#')).collect();
    let (mut hashes, mut compiled) = (String::new(), String::new());
    let mut seen = std::collections::BTreeSet::new();
    for (hash, path) in &programs {
        let bytes = bytes(hash).unwrap_or_else(|| panic!("{}: `{hash}` isn't a BLAKE3 hash", dir.display()));
        writeln!(hashes, "        ({path:?}, {bytes:?}),").unwrap();
        if let Some(code) = file(&format!("aot/{hash}.cwasm")).filter(|_| seen.insert(*hash)) {
            writeln!(compiled, "        ({bytes:?}, include_bytes!({code:?})),").unwrap();
        }
    }
    Some(format!(
        "static ARTIFACTS: Option<Artifacts> = Some(Artifacts {{\n    kernel: include_bytes!({kernel:?}),\n    \
         base: include_bytes!({base:?}),\n    hashes: &[\n{hashes}    ],\n    programs: &[\n{compiled}    ],\n}});\n"
    ))
}

fn bytes(hex: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(out)
}
