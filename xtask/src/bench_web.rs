//! `bench --web`: builds the site and the measured programs, then measures in browsers.

use crate::process::{self, Outcome, root, target};
use crate::{bench, npm, web};
use std::process::Command;

/// What is not ours goes to `tests/web/bench/bench.mjs`.
pub fn run(args: &[String]) -> Outcome {
    web::run(&["--build-only".to_string()])?;
    bench::guests(&target().join("bench"))?;
    let tests = root().join("tests/web");
    npm::install(&tests)?;
    npm::install(&tests.join("bench"))?;
    let mut node = Command::new("node");
    node.arg(tests.join("bench/bench.mjs")).args(args).env("CARGO_TARGET_DIR", target());
    process::run(node)
}
