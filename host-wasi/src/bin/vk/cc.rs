//! `vk cc`: the C compiler of the machine with the SDK of this system.
//!
//! The work is clang's; this command finds it ([`find`]), puts the SDK where it can read it ([`sdk`])
//! and becomes it, with the flags that make a program of ours in front of and behind the user's own.

mod find;
mod sdk;

use crate::plan::{CANNOT_RUN, Failure, USAGE};
use find::{Clang, Sysroot};
use sdk::Sdk;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Stops the argument from being complained about where it isn't needed.
const QUIET: [&str; 2] = ["--start-no-unused-arguments", "--end-no-unused-arguments"];

/// The stack of a C program. Below it lies nothing, so that one that is too deep traps.
const STACK: u32 = 1 << 20;

pub fn run(args: &[OsString]) -> Result<u8, Failure> {
    match args.first().and_then(|a| a.to_str()) {
        None => Err(Failure::new(USAGE, "cc: no input files; `vk cc prog.c -o prog.wasm`")),
        Some("--get-sysroot") => sdk::get_sysroot().map(|()| 0),
        Some(what @ ("--print-flags" | "--print-libs")) => {
            let tools = Tools::find()?;
            let flags = if what == "--print-flags" { tools.compiling() } else { tools.linking() };
            println!("{}", shown(&flags));
            Ok(0)
        }
        Some(_) => Err(become_clang(&Tools::find()?, args)),
    }
}

/// Everything that a compilation needs.
struct Tools {
    clang: Clang,
    sysroot: Sysroot,
    sdk: Sdk,
}

impl Tools {
    fn find() -> Result<Tools, Failure> {
        let clang = Clang::find()?;
        let sysroot = Sysroot::find()?;
        let flags = compiling(&clang, &sysroot, Path::new("include"));
        let sdk = Sdk::install(&clang, &sysroot, &flags)?;
        Ok(Tools { clang, sysroot, sdk })
    }
    fn compiling(&self) -> Vec<OsString> {
        compiling(&self.clang, &self.sysroot, &self.sdk.include())
    }
    /// What stands behind the user's own arguments when a program is linked.
    fn linking(&self) -> Vec<OsString> {
        let lib = self.sysroot.libraries();
        let mut flags: Vec<OsString> = ["-nostdlib", "-Wl,-u,__vk_start", "-Wl,--stack-first"].map(Into::into).to_vec();
        flags.push(format!("-Wl,-z,stack-size={STACK}").into());
        flags.push(lib.join("crt1-command.o").into());
        flags.push(joined("-L", &self.sdk.dir));
        flags.push(joined("-L", &lib));
        // WASI's printf and scanf end a program that says %Lf, but for this library in front (17 KB of those that print).
        flags.extend(["-lvk", "-lsetjmp", "-lc-printscan-long-double", "-lc"].map(Into::into));
        flags.push(self.sysroot.builtins().into());
        flags
    }
}

/// setjmp is made of wasm exceptions, in their final form, which engines have by default.
fn compiling(clang: &Clang, sysroot: &Sysroot, include: &Path) -> Vec<OsString> {
    let mut flags: Vec<OsString> = vec!["--target=wasm32-wasip1".into(), joined("--sysroot=", &sysroot.dir)];
    flags.push("-isystem".into());
    flags.push(include.into());
    flags.extend(["-mexception-handling", "-mllvm", "-wasm-enable-sjlj"].map(Into::into));
    flags.extend(["-mllvm", "-wasm-use-legacy-eh=false"].map(Into::into));
    if clang.runs_wasm_opt() {
        // Whatever wasm-opt is in PATH; an old one breaks what this clang makes.
        flags.push("--no-wasm-opt".into());
    }
    flags
}

fn joined(flag: &str, path: &Path) -> OsString {
    let mut all = OsString::from(flag);
    all.push(path);
    all
}

/// True when the arguments ask for a program, and not for an object or text.
fn links(args: &[OsString]) -> bool {
    const NOT: [&str; 12] = [
        "-c",
        "-S",
        "-E",
        "-M",
        "-MM",
        "-r",
        "-shared",
        "-fsyntax-only",
        "--version",
        "-nostdlib",
        "-###",
        "--preprocess",
    ];
    !args
        .iter()
        .any(|a| NOT.contains(&a.to_str().unwrap_or_default()) || a.to_str().is_some_and(|a| a.starts_with("-print-")))
}

fn become_clang(tools: &Tools, args: &[OsString]) -> Failure {
    let mut c = Command::new(&tools.clang.path);
    c.arg(QUIET[0]).args(tools.compiling()).arg(QUIET[1]).args(args);
    if links(args) {
        c.arg(QUIET[0]).args(tools.linking()).arg(QUIET[1]);
    }
    let e = c.exec();
    Failure::new(CANNOT_RUN, format!("{}: {e}", tools.clang.path.display()))
}

/// As a shell takes them.
fn shown(flags: &[OsString]) -> String {
    flags.iter().map(|f| quoted(f)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:+@%".contains(c);
    if text.chars().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_not_linked() {
        let args = |list: &[&str]| list.iter().map(Into::into).collect::<Vec<OsString>>();
        assert!(links(&args(&["a.c", "-o", "a.wasm"])) && links(&args(&["-O2", "a.o"])));
        for not in ["-c", "-E", "-print-resource-dir"] {
            assert!(!links(&args(&["a.c", not])), "{not}");
        }
    }

    #[test]
    fn flags_are_printed_for_a_shell() {
        let flags = ["-isystem", "/a b/include", "-D'x'"].map(OsString::from);
        assert_eq!(shown(&flags), r"-isystem '/a b/include' '-D'\''x'\'''");
    }
}
