//! `bench --web`: builds the site and the measured programs, then measures in browsers.

use crate::process::{self, Outcome, cargo, read, root, target, write_if_changed};
use crate::{bench, build, npm, web};
use std::path::Path;
use std::process::Command;

/// What is not ours goes to `tests/web/bench/bench.mjs`.
pub fn run(args: &[String]) -> Outcome {
    web::run(&["--build-only".to_string()])?;
    let tools = target().join("bench");
    bench::programs(&tools)?;
    kernels(&tools)?;
    let tests = root().join("tests/web");
    npm::install(&tests)?;
    npm::install(&tests.join("bench"))?;
    let mut node = Command::new("node");
    node.arg(tests.join("bench/bench.mjs")).args(args).env("CARGO_TARGET_DIR", target());
    process::run(node)
}

/// The compute kernels with and without the checks of prepared programs, and the stub that has the checks.
fn kernels(tools: &Path) -> Outcome {
    let mut c = cargo(&["build", "--quiet", "--release", "--locked", "--target", build::USER_TARGET, "--target-dir"]);
    c.arg(target().join("preempt-kernels")).current_dir(root().join("tests/bench/preempt/kernels"));
    process::run(c)?;
    let built = target().join("preempt-kernels").join(build::USER_TARGET).join("release/preempt-kernels.wasm");
    let plain = read(&built)?;
    let prepared = loader::prepare(&plain).map_err(|refusal| format!("{}: {refusal}", built.display()))?;
    write_if_changed(&tools.join("kernels.wasm"), &plain)?;
    write_if_changed(&tools.join("kernels-prepared.wasm"), &prepared)?;
    write_if_changed(&tools.join("web-stub.wasm"), &loader::web_stub_module())?;
    Ok(())
}
