//! `web`: the page with everything beneath it, in `target/site`, and a server for it.
//!
//!     target/site/            the page (www/dist)
//!     target/site/vk/         what any page needs to boot: the host, the kernel, the image's packs

mod bindgen;
mod files;
mod manifest;
mod names;
mod pack;
mod serve;
mod site;
mod squeeze;

use crate::process::{self, Outcome, read, root, target, write_if_changed};
use crate::{build, packages};
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

const USAGE: &str = "\
usage: cargo xtask web [OPTION...]

  --port N          serve on this port instead of 8080; 0: on a free one
  --host ADDR       serve on this address of the machine instead of 127.0.0.1
  --no-isolation    without the headers that let the page use several CPUs
  --packages LIST   optional packages that the page offers: none, or names with commas; else all
  --build-only      don't serve
";

#[derive(Default)]
struct Options {
    serve: serve::Options,
    /// None: all.
    packages: Option<Vec<String>>,
    build_only: bool,
}

pub fn run(args: &[String]) -> Outcome {
    let options = options(args)?;
    build(&dir(), options.packages.as_deref())?;
    if options.build_only { Ok(()) } else { serve::run(&dir(), &options.serve) }
}

fn options(args: &[String]) -> Outcome<Options> {
    let mut o = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
        let wrong = |v: &str| format!("{arg} {v}: makes no sense\n{USAGE}");
        match arg.as_str() {
            "--port" => o.serve.port = value().and_then(|v| v.parse().map_err(|_| wrong(v)))?,
            "--host" => o.serve.host = value().and_then(|v| v.parse().map_err(|_| wrong(v)))?,
            "--packages" => o.packages = Some(list(value()?)),
            "--no-isolation" => o.serve.isolation = false,
            "--build-only" => o.build_only = true,
            _ => return Err(format!("{arg}: no such option\n{USAGE}")),
        }
    }
    Ok(o)
}

fn list(names: &str) -> Vec<String> {
    match names {
        "none" => Vec::new(),
        _ => names.split(',').map(String::from).collect(),
    }
}

/// Where the site is built. (`target/web` is cargo's, for the profile of that name.)
pub fn dir() -> PathBuf {
    target().join("site")
}

fn build(dir: &Path, packages: Option<&[String]>) -> Outcome {
    build::ensure_targets()?;
    let packages = packages::load(packages)?;
    let vk = dir.join("vk");
    bindgen::host(&vk)?;
    let kernel = read(&build::kernel()?)?;
    let base = crate::image::base(&build::userland()?)?;
    write_if_changed(&process::artifacts().join("base.tar"), &base)?;
    let stamp = loader_stamp()?;
    let mut builder = pack::Builder::new(&base)?;
    for package in packages {
        builder.package(package)?;
    }
    let packed = builder.finish(&kernel, &bindgen::preparer()?, |program| pack::prepare(program, &stamp))?;
    pack::write(&packed, &kernel, &vk)?;
    site::site(dir)?;
    sizes(&packed.manifest, &vk)
}

/// Prints what the page fetches.
fn sizes(manifest: &manifest::Manifest, vk: &Path) -> Outcome {
    let mut host = 0;
    for name in ["host_web.js", "host_web_bg.wasm", "cpu.js", "disk.js"] {
        if let Ok(bytes) = std::fs::read(vk.join(name)) {
            host += squeeze::fast_gzip(&bytes, 6).map_err(|e| e.to_string())?.len() as u64;
        }
    }
    let kb = |n: u64| format!("{:>9.1} KB", n as f64 / 1000.0);
    println!("{} kernel", kb(manifest.kernel_bytes()));
    println!("{} host: JavaScript and wasm, as servers compress them", kb(host));
    println!("{} image before the prompt", kb(manifest.boot_bytes()));
    println!("{} bytes to prompt, without the page's own", kb(manifest.kernel_bytes() + host + manifest.boot_bytes()));
    for p in &manifest.packs {
        println!("{} {} {}", kb(p.bytes), kb(p.raw), p.title);
    }
    Ok(())
}

/// A number that changes when prepared programs may have to.
fn loader_stamp() -> Outcome<String> {
    let mut files = vec![root().join("abi/src/syscalls.rs")];
    build::collect(&root().join("arch-wasm/loader/src"), &mut files)?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    for f in files {
        hasher.write(&read(&f)?);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Makes files below one directory the same as those below another.
fn sync(from: &Path, to: &Path) -> Outcome {
    let mut files = Vec::new();
    build::collect(from, &mut files)?;
    for file in files {
        let rel = file.strip_prefix(from).map_err(|e| e.to_string())?;
        write_if_changed(&to.join(rel), &read(&file)?)?;
    }
    Ok(())
}
