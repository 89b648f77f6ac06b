//! Building: the wasm targets, the kernel, the userland, the artifacts, the command.

use crate::process::{self, Outcome, capture, cargo, read, root, target, write_if_changed};
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Userland programs (and the two kernels of stable Rust's choice) are built for these.
const TARGETS: [&str; 3] = ["wasm32-wasip1", "wasm32-unknown-unknown", "wasm32-wasip1-threads"];
const KERNEL_TARGET: &str = "wasm32-wasip1-threads";
pub const USER_TARGET: &str = "wasm32-wasip1";

/// Adds the targets that this machine's toolchain lacks.
pub fn ensure_targets() -> Outcome {
    let sysroot = capture({
        let mut c = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        c.args(["--print", "sysroot"]).current_dir(root());
        c
    })?;
    let lib = Path::new(sysroot.trim()).join("lib/rustlib");
    let missing: Vec<&str> = TARGETS.into_iter().filter(|t| !lib.join(t).join("lib").is_dir()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("adding the targets {}", missing.join(", "));
    let mut c = Command::new("rustup");
    c.args(["target", "add"]).args(&missing).current_dir(root());
    process::run(c).map_err(|e| {
        format!(
            "{e}\nThe toolchain lacks the targets {}. With rustup: `rustup target add {}`;\n\
             a toolchain of another source needs their standard libraries in {}.",
            missing.join(", "),
            missing.join(" "),
            lib.display()
        )
    })
}

/// `kernel.wasm`: the port with the kernel, its memory imported and shared. See ARCHITECTURE.md.
pub fn kernel() -> Outcome<PathBuf> {
    let mut c = cargo(&["build", "--quiet", "--profile", "kernel", "--target", KERNEL_TARGET, "-p", "arch-wasm"]);
    let flags = [
        "--export=__stack_pointer",
        // Each host chooses a size in between, once: an instance would not see what another one grew. Untouched
        // memory costs nothing; files in memory live in it, too.
        "--initial-memory=16777216",
        "--max-memory=1073741824",
        // The host puts the uaccess functions into the kernel's table.
        "--export-table",
        "--growable-table",
    ];
    let flags: Vec<String> = flags.iter().map(|f| format!("-Clink-arg={f}")).collect();
    c.env("RUSTFLAGS", flags.join(" "));
    process::run(c)?;
    let built = target().join(KERNEL_TARGET).join("kernel/kernel_wasm.wasm");
    let kernel = process::artifacts().join("kernel.wasm");
    write_if_changed(&kernel, &read(&built)?)?;
    Ok(kernel)
}

/// The packages whose programs are in the image.
const IMAGE_PACKAGES: [&str; 11] =
    ["init", "sh", "coreutils", "tools", "text", "awk", "screen", "archive", "account", "posix", "tiny"];

/// The programs of the image, in `target/wasm32-wasip1/wasm`.
pub fn userland() -> Outcome<PathBuf> {
    user_packages(&IMAGE_PACKAGES)
}

/// The tests that run inside, and the fuzzer.
pub fn usertests() -> Outcome<PathBuf> {
    user_packages(&["usertests", "fuzz"]).map(|dir| dir.join("usertests.wasm"))
}

fn user_packages(packages: &[&str]) -> Outcome<PathBuf> {
    let mut c = cargo(&["build", "--quiet", "--locked", "--profile", "wasm", "--target", USER_TARGET, "--target-dir"]);
    c.arg(target()).current_dir(root().join("user"));
    for p in packages {
        c.args(["-p", p]);
    }
    // Messages are embedded for the locale of the builder, too; the image is to be the same everywhere.
    c.env_remove("LANG");
    process::run(c)?;
    Ok(target().join(USER_TARGET).join("wasm"))
}

/// Everything that `vk` carries inside, in `target/artifacts`.
pub fn artifacts_from(programs: &Path) -> Outcome {
    let out = process::artifacts();
    write_if_changed(&out.join("base.tar"), &crate::image::base(programs)?)?;
    let mut c = cargo(&["run", "--quiet", "--release", "-p", "host-wasi", "--bin", "vk-aot", "--"]);
    c.arg(&out).arg(compiler_stamp()?);
    process::run(c)
}

/// Kernel, userland, image and their compiled forms.
pub fn artifacts() -> Outcome {
    ensure_targets()?;
    kernel()?;
    artifacts_from(&userland()?)
}

/// All of it, and the command. Answers its path.
pub fn everything() -> Outcome<PathBuf> {
    self::artifacts()?;
    process::run(cargo(&["build", "--quiet", "--release", "-p", "host-wasi", "--bin", "vk"]))?;
    Ok(target().join("release/vk"))
}

/// A number that changes when compiled code may have to: what makes it is in these files.
fn compiler_stamp() -> Outcome<String> {
    let mut files = vec![root().join("Cargo.lock"), root().join("abi/src/syscalls.rs")];
    for dir in ["arch-wasm/loader/src", "host-wasi/src"] {
        collect(&root().join(dir), &mut files)?;
    }
    files.retain(|f| {
        let host = f.starts_with(root().join("host-wasi"));
        let name = f.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        !host || ["engine.rs", "program.rs", "kernelmod.rs"].contains(&name.as_str())
    });
    files.sort();
    let mut hasher = DefaultHasher::new();
    for f in files {
        hasher.write(&read(&f)?);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// All files below a directory.
pub fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Outcome {
    let entries = std::fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
