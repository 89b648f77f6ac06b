//! The SDK on disk: headers, `libvk.a` and `libtermcap.a`, made of the sources that `vk` carries inside.
//!
//! They are in a directory of the cache named by everything they depend on: the sources, the compiler,
//! the C library. Whoever needs them first makes them, aside, and renames the directory when it is complete.

use super::find::{Clang, Sysroot};
use crate::console;
use crate::plan::{CANNOT_RUN, Failure};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

pub struct Sdk {
    /// `libvk.a` is here, and `include`.
    pub dir: PathBuf,
}

/// A place in the cache directory, which need not be there.
pub fn cached(name: &str) -> Option<PathBuf> {
    host_wasi::cache_dir().map(|dir| dir.join(name))
}

fn failed(what: impl std::fmt::Display) -> Failure {
    Failure::new(CANNOT_RUN, format!("cc: {what}"))
}

impl Sdk {
    pub fn include(&self) -> PathBuf {
        self.dir.join("include")
    }

    /// Finds it or makes it. `flags` are those to compile with, where the headers are in `include`.
    pub fn install(clang: &Clang, sysroot: &Sysroot, flags: &[OsString]) -> Result<Sdk, Failure> {
        let dir =
            cached(&format!("sdk-{}", key(clang, sysroot))).ok_or_else(|| failed("no cache directory: set HOME"))?;
        let sdk = Sdk { dir };
        if sdk.dir.join("libvk.a").is_file() {
            return Ok(sdk);
        }
        let aside = sdk.dir.with_extension(format!("{}.new", std::process::id()));
        let made = write_sources(&aside)
            .map_err(|e| failed(format!("{}: {e}", aside.display())))
            .and_then(|()| compile(clang, flags, &aside))
            .and_then(|()| finish(&aside, &sdk.dir));
        if made.is_err() {
            // It is in the way of nobody.
            let _ = fs::remove_dir_all(&aside);
        }
        made.map(|()| sdk)
    }
}

/// What `libvk.a` depends on.
fn key(clang: &Clang, sysroot: &Sysroot) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, bytes) in FILES {
        hasher.update(name.as_bytes()).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }
    hasher.update(clang.version.as_bytes()).update(sysroot.dir.as_os_str().as_encoded_bytes());
    hasher.finalize().to_hex()[..24].to_string()
}

fn write_sources(dir: &Path) -> io::Result<()> {
    for (name, bytes) in FILES {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap_or(dir))?;
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// What is in a library of its own, `libtermcap.a`: programs that bring theirs define the same names.
const TERMCAP: [&str; 2] = ["termcap.o", "tgoto.o"];

/// Compiles all sources in `dir` into `dir/libvk.a` and `dir/libtermcap.a`.
fn compile(clang: &Clang, flags: &[OsString], dir: &Path) -> Result<(), Failure> {
    let sources: Vec<&str> = FILES.iter().map(|f| f.0).filter(|n| n.ends_with(".c")).collect();
    let mut c = Command::new(&clang.path);
    // Objects are written to the current directory.
    c.current_dir(dir).args(flags).args(["-D_GNU_SOURCE", "-std=gnu11", "-O2", "-c"]).args(&sources);
    let out = c.output().map_err(|e| failed(format!("{}: {e}", clang.path.display())))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        return Err(failed(format!("the C library can't be compiled with {}:\n{said}", clang.path.display())));
    }
    let object = |s: &&str| Path::new(s).with_extension("o").file_name().map(PathBuf::from).unwrap_or_default();
    let of_termcap = |o: &PathBuf| TERMCAP.iter().any(|t| o.as_os_str() == *t);
    let (termcap, rest): (Vec<_>, Vec<_>) = sources.iter().map(object).partition(of_termcap);
    // libvk.a comes last: its presence says that all is there.
    let put = |name: &str, objects: &[PathBuf]| archive(dir, &dir.join(name), objects);
    put("libtermcap.a", &termcap)
        .and_then(|()| put("libvk.a", &rest))
        .map_err(|e| failed(format!("{}: {e}", dir.display())))
}

/// ar(5), without an index: wasm-ld looks into the members itself. It spares us a search for llvm-ar.
fn archive(dir: &Path, to: &Path, objects: &[PathBuf]) -> io::Result<()> {
    let mut out = b"!<arch>\n".to_vec();
    for name in objects {
        let bytes = fs::read(dir.join(name))?;
        let short = format!("{}/", name.display());
        writeln!(out, "{short:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, 644, bytes.len())?;
        out.extend_from_slice(&bytes);
        if bytes.len() % 2 == 1 {
            out.push(b'\n');
        }
        fs::remove_file(dir.join(name))?;
    }
    fs::write(to, out)
}

/// Gives the directory its name. Another may have been faster, with the same contents.
fn finish(aside: &Path, dir: &Path) -> Result<(), Failure> {
    match fs::rename(aside, dir) {
        Err(_) if dir.join("libvk.a").is_file() => {
            let _ = fs::remove_dir_all(aside);
            Ok(())
        }
        done => done.map_err(|e| failed(format!("{}: {e}", dir.display()))),
    }
}

/// The package that has a C library of WASI of our time, and the BLAKE3 hash of the archive in it.
const PACKAGE: &str = "@yowasp/clang@22.0.0-git20542-10";
const RESOURCES: &str = "package/gen/llvm-resources.tar";
const RESOURCES_HASH: &str = "8561ff48289efba74da6d7b592c30cd791f6f140f91f3efa917b45b6ca41e418";

/// Brings the C library of WASI from npm into the cache directory.
pub fn get_sysroot() -> Result<(), Failure> {
    let to = cached("sysroot").ok_or_else(|| failed("no cache directory: set HOME"))?;
    let aside = to.with_extension(format!("{}.new", std::process::id()));
    fs::create_dir_all(&aside).map_err(|e| failed(format!("{}: {e}", aside.display())))?;
    let done = fetch(&aside).and_then(|tar| unpack(&tar, &aside.join("sysroot"))).and_then(|()| {
        // An older one; rename won't replace it.
        let _ = fs::remove_dir_all(&to);
        fs::rename(aside.join("sysroot"), &to).map_err(|e| failed(format!("{}: {e}", to.display())))
    });
    let _ = fs::remove_dir_all(&aside);
    done.map(|()| console::say(&format!("cc: the C library is in {}", to.display())))
}

/// The archive of the package, checked.
fn fetch(dir: &Path) -> Result<Vec<u8>, Failure> {
    let run = |c: &mut Command| {
        let out = c.current_dir(dir).output().map_err(|e| failed(format!("{}: {e}", c.get_program().display())))?;
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        if out.status.success() {
            Ok(out.stdout)
        } else {
            Err(failed(format!("{}: {said}", c.get_program().display())))
        }
    };
    let name = run(Command::new("npm").args(["pack", "--silent", PACKAGE]))?;
    let name = String::from_utf8_lossy(&name).trim().to_string();
    let tar = run(Command::new("tar").args(["-xzOf", &name, RESOURCES]))?;
    if blake3::hash(&tar).to_hex().as_str() != RESOURCES_HASH {
        return Err(failed(format!("{PACKAGE} isn't what it was when this vk was made")));
    }
    Ok(tar)
}

/// The parts of the archive that belong to the C library.
fn unpack(tar: &[u8], to: &Path) -> Result<(), Failure> {
    const PARTS: [&str; 3] = ["include/wasm32-wasip1", "lib/wasm32-wasip1", "lib/wasm32-unknown-wasip1"];
    let work = || -> io::Result<()> {
        for entry in tar::Archive::new(tar).entries()? {
            let mut entry = entry?;
            let path = entry.path()?.into_owned();
            if PARTS.iter().any(|part| path.strip_prefix("./").unwrap_or(&path).starts_with(part)) {
                entry.unpack_in(to)?;
            }
        }
        Ok(())
    };
    fs::create_dir_all(to).and_then(|()| work()).map_err(|e| failed(format!("{}: {e}", to.display())))
}
