//! `bench`: builds the measured programs for every host, then runs `vk-bench`. `bench --web` is in
//! `bench_web`.

use crate::process::{self, Outcome, cargo, read, root, target, write_if_changed};
use crate::{bench_web, build};
use std::path::Path;

pub fn run(args: &[String]) -> Outcome {
    if let Some((first, rest)) = args.split_first()
        && first == "--web"
    {
        return bench_web::run(rest);
    }
    build::everything()?;
    let tools = target().join("bench");
    programs(&tools)?;
    process::run(cargo(&["build", "--release", "-p", "vk-bench"]))?;
    let mut peer = cargo(&["build", "--release", "--locked", "--target-dir"]);
    peer.arg(target()).current_dir(root().join("tests/bench/peer"));
    process::run(peer)?;
    let mut all = vec!["--tools".to_string(), tools.to_string_lossy().into_owned()];
    all.extend(["--artifacts".to_string(), process::artifacts().to_string_lossy().into_owned()]);
    all.extend_from_slice(args);
    process::replace(&target().join("release/vk-bench"), &all)
}

/// The same source for this machine, for WASI, and for WASI with the native calls.
pub fn programs(tools: &Path) -> Outcome {
    let package = ["build", "--profile", "wasm", "-p", "microbench"];
    let host = host_triple()?;
    let mut native = cargo(&package);
    // Linked statically, so that starting it costs no dynamic linker.
    native.args(["--target", &host]).env("RUSTFLAGS", "-Ctarget-feature=+crt-static");
    process::run(native)?;
    let out = target().join(&host).join("wasm");
    for name in ["microbench", "microbench-nop", "microbench-unix"] {
        keep(&out.join(name), &tools.join(name))?;
    }
    guests(tools)
}

/// Those for WASI.
fn guests(tools: &Path) -> Outcome {
    let package = ["build", "--profile", "wasm", "-p", "microbench"];
    let out = target().join(build::USER_TARGET).join("wasm");
    let mut wasi = cargo(&package);
    wasi.args(["--target", build::USER_TARGET]);
    process::run(wasi)?;
    keep(&out.join("microbench.wasm"), &tools.join("microbench-wasi.wasm"))?;
    let mut own = cargo(&package);
    own.args(["--target", build::USER_TARGET, "--features", "vkernel"]);
    process::run(own)?;
    for name in ["microbench.wasm", "microbench-nop.wasm", "microbench-unix.wasm"] {
        keep(&out.join(name), &tools.join(name))?;
    }
    Ok(())
}

fn keep(from: &Path, to: &Path) -> Outcome {
    if write_if_changed(to, &read(from)?)? && to.extension().is_none() {
        std::fs::copy(from, to).map_err(|e| format!("{}: {e}", to.display()))?;
    }
    Ok(())
}

fn host_triple() -> Outcome<String> {
    let mut c = std::process::Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    c.arg("-vV").current_dir(root());
    let text = process::capture(c)?;
    let line = text.lines().find_map(|l| l.strip_prefix("host: "));
    line.map(String::from).ok_or_else(|| "rustc does not say what it runs on".to_string())
}
