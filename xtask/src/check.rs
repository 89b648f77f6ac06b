//! `check`: what can be said about the source without running it. `fmt`.

use crate::build::{self, collect};
use crate::process;
use crate::process::{Outcome, capture, cargo, read, root};
use crate::report::Report;
use crate::{image, wasm};

/// The workspaces: the project's, the userland's.
const WORKSPACES: [&str; 2] = [".", "user"];

/// Formats everything, or only says what isn't.
pub fn format(check: bool) -> Outcome {
    for dir in WORKSPACES {
        let mut c = cargo(&["fmt", "--all"]);
        if check {
            c.arg("--check");
        }
        c.current_dir(root().join(dir));
        if check { capture(c).map(|_| ())? } else { process::run(c)? }
    }
    Ok(())
}

pub fn run_in(report: &mut Report) {
    report.step("formatting", || format(true));
    report.step("clippy: the kernel", || clippy("-p abi -p ksync -p kernel", "."));
    report.step("clippy: the host", || {
        clippy("--release -p image -p loader -p host-wasi -p vk-bench -p xtask --all-targets", ".")
    });
    report.step("clippy: the page's host", || {
        clippy("--profile web --target wasm32-unknown-unknown -p sched -p host-web", ".")
    });
    report.step("clippy: the userland", || {
        clippy(&format!("--profile wasm --target {} --workspace", build::USER_TARGET), "user")
    });
    report.step("clippy: the measured programs", || {
        clippy(&format!("--profile wasm --target {} -p microbench --features vkernel", build::USER_TARGET), ".")?;
        clippy("--profile wasm -p microbench", ".")
    });
    report.step("the kernel is the same for every machine", no_cfg_target);
    report.step("the kernel imports hypercalls and its memory", kernel_imports);
    report.step("the tables are those of the golden files", crate::golden::check);
    report.step("the C SDK imports what the kernel has, and says what it lacks", crate::sdk::check);
    report.step("every call has a page and a test", crate::coverage::check);
    report.step("every command has a page", crate::coverage::commands);
    report.step("the image links what its programs have", links);
}

pub fn run() -> Outcome {
    build::ensure_targets()?;
    let mut report = Report::default();
    run_in(&mut report);
    report.finish()
}

fn clippy(args: &str, dir: &str) -> Outcome {
    let mut c = cargo(&["clippy", "--quiet"]);
    c.args(args.split(' ')).args(["--", "-D", "warnings"]).current_dir(root().join(dir));
    capture(c).map(|_| ())
}

/// No `cfg(target...)` above the port: the native tests would be tests of something else.
fn no_cfg_target() -> Outcome {
    let mut files = Vec::new();
    collect(&root().join("kernel"), &mut files)?;
    let mut found = String::new();
    for f in files.iter().filter(|f| f.extension().is_some_and(|e| e == "rs")) {
        let text = String::from_utf8_lossy(&read(f)?).into_owned();
        for (n, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if code.contains("cfg") && code.contains("target_") {
                found += &format!("{}:{}: {}\n", f.display(), n + 1, line.trim());
            }
        }
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// Nothing but the table of `abi::hypercall`, and the memory.
fn kernel_imports() -> Outcome {
    let kernel = build::kernel()?;
    let mut wrong = String::new();
    for (module, name) in wasm::imports(&read(&kernel)?)? {
        let known = module == "host" && abi::hypercall::HYPERCALLS.iter().any(|h| h.name == name);
        if !known && (module.as_str(), name.as_str()) != ("env", "memory") {
            wrong += &format!("{module}.{name} is not in the table\n");
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// The link names of the image against the programs' own lists.
fn links() -> Outcome {
    let mut wrong = String::new();
    for (program, names) in image::links() {
        let source = root().join(format!("user/{program}/src/main.rs"));
        let text = String::from_utf8_lossy(&read(&source)?).into_owned();
        let listed: Vec<&str> = text
            .lines()
            .filter_map(|l| l.trim().strip_prefix('"')?.split_once("\" => ").map(|(name, _)| name))
            .collect();
        for name in names.iter().filter(|n| !listed.contains(n)) {
            wrong += &format!("{program} has no {name}, but the image links it\n");
        }
        for name in listed.iter().filter(|n| !names.contains(n)) {
            wrong += &format!("{program} has {name}, but the image has no link for it\n");
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}
