//! `test`: every test of the project, in an order in which the first failure says most.

use crate::build;
use crate::check;
use crate::ports;
use crate::posix;
use crate::process::{self, Outcome, capture, cargo, read, root, target};
use crate::programs;
use crate::report::Report;
use crate::sdk;
use crate::shelltest;
use crate::webtest;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn run(args: &[String]) -> Outcome {
    let all = match args {
        [] => false,
        [a] if a == "--all" => true,
        _ => return Err("usage: cargo xtask test [--all]".into()),
    };
    build::ensure_targets()?;
    let mut report = Report::default();
    report.step("unit tests: abi, locks, kernel", || {
        quiet(cargo(&["test", "--quiet", "-p", "abi", "-p", "ksync", "-p", "sched", "-p", "kernel"]))
    });
    report.step("the kernel's races, each under 10,000 seeds", || {
        let mut c = cargo(&["test", "--quiet", "--profile", "races", "-p", "kernel", "--lib"]);
        c.env("VK_RACES", "10000");
        quiet(c)
    });
    report.step("unit tests: SDK, shell, tools, screen, man", || {
        let mut c = cargo(&["test", "--quiet"]);
        for package in ["vkernel-sys", "kit", "posix-regex", "sh", "tools", "screen", "posix"] {
            c.args(["-p", package]);
        }
        c.arg("--target-dir").arg(target()).current_dir(root().join("user"));
        quiet(c)
    });
    report.step("build: kernel", || build::kernel().map(|_| ()));
    report.step("build: userland", || build::userland().map(|_| ()));
    report.step("build: image, vk", || build::everything().map(|_| ()));
    report.step("unit tests: image, loader, xtask", || {
        quiet(cargo(&["test", "--quiet", "--release", "-p", "image", "-p", "loader", "-p", "xtask"]))
    });
    report.step("programs that the loader has rewritten", rewritten);
    report.step("build: test programs", || build::usertests().map(|_| ()));
    report.step("tests of the host and of vk", || {
        let mut c = cargo(&["test", "--quiet", "--release", "-p", "host-wasi"]);
        // A vk without a kernel would pass by skipping what it can't do.
        c.env("VK_TEST_ALL", "1");
        quiet(c)
    });
    check::run_in(&mut report);
    let vk = target().join("release/vk");
    if !vk.exists() {
        report.step("vk", || Err("it was not built, so nothing can be run under it".into()));
        return report.finish();
    }
    for case in shell_cases()? {
        let name = case.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        report.step(&format!("under vk: the shell's {name}.sh"), || shell_case(&vk, &case));
    }
    match shelltest::steps(&vk, &[]) {
        Ok(steps) => steps.into_iter().for_each(|(name, step)| report.step(name, step)),
        Err(e) => report.step("the shell's cases", || Err(e)),
    }
    report.step("under vk: usertests", || usertests_under(&vk, &[]).and_then(capture).map(|_| ()));
    if all {
        // By its number a process is made anew often enough to go round all numbers ten times.
        report.step("under vk: a million children", || {
            usertests_under(&vk, &["--role", "children", "1000000"].map(String::from)).and_then(capture).map(|_| ())
        });
    }
    report.step("the C library has what its headers declare", || sdk::conformance(&vk));
    report.step("under vk: POSIX tests in C", || posix::check(&vk));
    ports::run_in(&mut report, &vk, all);
    programs::run_in(&mut report, &vk, all);
    webtest::run_in(&mut report, all);
    report.finish()
}

fn quiet(c: Command) -> Outcome {
    capture(c).map(|_| ())
}

/// Random programs and those that make trouble, as the loader's passes leave them, in node's engine.
fn rewritten() -> Outcome {
    quiet(cargo(&["build", "--quiet", "--release", "-p", "loader", "--examples"]))?;
    for script in
        ["prepare/semantics", "prepare/counted", "prepare/recursion", "prepare/machine", "fork/semantics", "fork/cases"]
    {
        let pass = script.split('/').next().unwrap_or(script);
        let mut c = Command::new("node");
        c.arg(root().join("tests").join(script).with_extension("mjs"));
        c.arg(target().join("release/examples").join(pass));
        quiet(c).map_err(|e| format!("tests/{script}.mjs: {e}"))?;
    }
    Ok(())
}

/// The tests inside of the system, with their own output.
pub fn usertests(args: &[String]) -> Outcome {
    let vk = build::everything()?;
    process::run(usertests_under(&vk, args)?)
}

fn usertests_under(vk: &Path, args: &[String]) -> Outcome<Command> {
    let program = build::usertests()?;
    let dir = program.parent().unwrap_or(Path::new("."));
    let mut c = Command::new(vk);
    // As a file of the system's and not as one that the host hands in: it runs itself again for each test.
    c.args(["run", "--timeout", "600", "--dir"]).arg(format!("{}::/usertests:ro", dir.display()));
    c.args(["sh", "-c", "exec /usertests/usertests.wasm \"$@\"", "usertests"]).args(args);
    Ok(c)
}

/// The scripts that the shell's own tests run natively.
fn shell_cases() -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    build::collect(&root().join("user/sh/tests/cases"), &mut files)?;
    files.retain(|f| f.extension().is_some_and(|e| e == "sh"));
    files.sort();
    Ok(files)
}

fn shell_case(vk: &Path, script: &Path) -> Outcome {
    let mut c = Command::new(vk);
    let dir = script.parent().unwrap_or(Path::new("."));
    c.args(["run", "--timeout", "60", "--dir"]).arg(format!("{}::/cases:ro", dir.display()));
    let name = script.file_name().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    c.args(["sh", &format!("/cases/{name}")]);
    let have = capture(c)?;
    let want = String::from_utf8_lossy(&read(&script.with_extension("out"))?).into_owned();
    differ(&want, &have)
}

/// The first line where two texts part.
pub fn differ(want: &str, have: &str) -> Outcome {
    if want == have {
        return Ok(());
    }
    let (mut w, mut h) = (want.lines(), have.lines());
    for n in 1.. {
        match (w.next(), h.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                let show = |l: Option<&str>| l.map_or("(the end)".to_string(), |l| format!("{l:?}"));
                return Err(format!("line {n}: expected {}, got {}", show(a), show(b)));
            }
        }
    }
    Err("the output differs in its last newline".into())
}
