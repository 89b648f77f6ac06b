//! The tests in browsers: `tests/web`, those of the page's own logic and of the host's storage.
//!
//! Chromium and Firefox are programs of the machine: they are installed by its package manager where
//! that is ours to use, else the error says how. Nothing is skipped for want of one.

use crate::process::{self, Outcome, artifacts, capture, root, target};
use crate::report::Report;
use crate::{bench_web, build, npm, posix};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;

const USAGE: &str = "\
usage: cargo xtask webtest [--all] [WORD...]

  words: chromium or firefox, isolated or plain (a server with or without the headers for several CPUs),
  and names of files in tests/web: differential, posix, terminals, threads, ui, faults";

/// An engine: the variable that says where it is, its names in the PATH, and the package that has it.
struct Engine {
    name: &'static str,
    variable: &'static str,
    programs: &'static [&'static str],
    package: &'static str,
}

const ENGINES: [Engine; 2] = [
    Engine {
        name: "chromium",
        variable: "VK_CHROMIUM",
        programs: &["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"],
        package: "chromium",
    },
    Engine { name: "firefox", variable: "VK_FIREFOX", programs: &["firefox-esr", "firefox"], package: "firefox-esr" },
];

/// Files of `tests/web`, with the browsers and servers that they run with each time: what differs between
/// them is the engine's side of the machine, which the differential tests look at most closely.
const FILES: [(&str, &[(&str, &str)]); 6] = [
    ("differential", &[("chromium", "isolated"), ("chromium", "plain"), ("firefox", "isolated"), ("firefox", "plain")]),
    ("posix", &[("chromium", "isolated"), ("chromium", "plain")]),
    ("terminals", &[("chromium", "isolated")]),
    ("threads", &[("chromium", "isolated"), ("chromium", "plain")]),
    ("ui", &[("chromium", "isolated"), ("firefox", "plain")]),
    ("faults", &[("chromium", "isolated"), ("chromium", "plain")]),
];
const EVERY: &[(&str, &str)] = FILES[0].1;

/// `webtest`: the tests in browsers and nothing else.
pub fn run(args: &[String]) -> Outcome {
    let known = |a: &str| EVERY.iter().any(|(e, m)| a == *e || a == *m) || FILES.iter().any(|(f, _)| a == *f);
    if let Some(bad) = args.iter().find(|a| *a != "--all" && !known(a)) {
        return Err(format!("{bad}: no such word\n{USAGE}"));
    }
    let (all, words): (Vec<_>, Vec<_>) = args.iter().map(String::as_str).partition(|a| *a == "--all");
    let vk = build::everything()?;
    build::usertests()?;
    posix::programs(&vk)?;
    let mut report = Report::default();
    if words.is_empty() {
        run_in(&mut report, !all.is_empty());
    } else if prepare(&mut report, !all.is_empty()) {
        files(&mut report, !all.is_empty(), &words);
    }
    report.finish()
}

/// All of them; `vk` and the programs of the tests are built, those of the POSIX tests too.
pub fn run_in(report: &mut Report, all: bool) {
    let ready = prepare(report, all);
    report.step("the page: its logic", || npm::install(&www()).and_then(|()| npm::run(&www(), "test")));
    if all {
        report.step("the host's files and disks, in browsers", storage);
    } else {
        println!(
            "left out, for their time: the host's files and disks in browsers, the measures (cargo xtask test --all)"
        );
    }
    if ready {
        report.step("the page, over a machine that is made up", page_alone);
        files(report, all, &[]);
    }
    if all && ready {
        let quick = ["--quick", "--browser", "chromium", "--isolated", "calls", "unix", "preempt"];
        report.step("the measures, too quick to count", || bench_web::run(&quick.map(str::to_string)));
    }
}

/// Browsers, modules, the site. False when one is missing.
fn prepare(report: &mut Report, all: bool) -> bool {
    let left = Cell::new(3);
    let done = |()| left.set(left.get() - 1);
    report.step("browsers", || browsers().map(done));
    report.step("npm ci: the tests in browsers", || npm::install(&tests()).map(done));
    report.step("build: the page", || site(all).map(done));
    left.get() == 0
}

fn tests() -> PathBuf {
    root().join("tests/web")
}

fn www() -> PathBuf {
    root().join("www")
}

/// The site as `web` builds it. What it prints is of no interest here.
fn site(all: bool) -> Outcome {
    let mut c = Command::new(std::env::current_exe().map_err(|e| e.to_string())?);
    c.args(["web", "--build-only"]);
    if !all {
        c.args(["--packages", "python3,sqlite3"]);
    }
    capture(c).map(|_| ())
}

/// The tests of the host's parts for files and disks, which build what they need.
fn storage() -> Outcome {
    let dir = root().join("host-web/tests/webio");
    npm::install(&dir)?;
    let mut c = Command::new("npm");
    c.args(["test", "--silent"]).current_dir(dir).env("CARGO_TARGET_DIR", root().join(target()).join("webio"));
    capture(c).map(|_| ())
}

/// The page's own tests in a browser, with its fake host.
fn page_alone() -> Outcome {
    let mut c = Command::new("npm");
    c.args(["run", "--silent", "test:page"]).current_dir(www());
    c.env("SHOTS", root().join(target()).join("screenshots/page"));
    if let Some(chromium) = found(&ENGINES[0]) {
        c.env("CHROMIUM", chromium);
    }
    capture(c).map(|_| ())
}

fn files(report: &mut Report, all: bool, words: &[&str]) {
    let wanted = |kind: &[&str], word: &str| {
        let asked: Vec<&&str> = words.iter().filter(|w| kind.contains(w)).collect();
        asked.is_empty() || asked.iter().any(|w| **w == word)
    };
    let names: Vec<&str> = FILES.iter().map(|(f, _)| *f).collect();
    for (file, usual) in FILES {
        // Asked for by name a combination runs though it is not among the usual.
        let modes = if all || !words.is_empty() { EVERY } else { usual };
        for (engine, mode) in modes {
            if wanted(&names, file) && wanted(&["chromium", "firefox"], engine) && wanted(&["isolated", "plain"], mode)
            {
                report.step(&format!("in {engine}, {mode}: {file}"), || node(file, engine, mode, all));
            }
        }
    }
}

/// Runs one file with node's test runner; what it prints is shown when a test fails.
fn node(file: &str, engine: &str, mode: &str, all: bool) -> Outcome {
    let mut c = Command::new("node");
    c.args(["--test-reporter=spec", &format!("{file}.mjs"), engine, mode]).args(all.then_some("--all"));
    c.current_dir(tests()).env("CARGO_TARGET_DIR", root().join(target())).env("VK_ARTIFACTS", root().join(artifacts()));
    for e in &ENGINES {
        if let Some(program) = found(e) {
            c.env(e.variable, program);
        }
    }
    capture(c).map(|_| ())
}

/// Where an engine is, if it is.
fn found(engine: &Engine) -> Option<PathBuf> {
    if let Some(given) = std::env::var_os(engine.variable) {
        return Some(given.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    engine.programs.iter().flat_map(|p| dirs.iter().map(move |d| d.join(p))).find(|p| p.is_file())
}

/// Both engines, installed if need be.
fn browsers() -> Outcome {
    let missing: Vec<&Engine> = ENGINES.iter().filter(|e| found(e).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|e| e.package).collect();
    let install = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    let tried = if is_root() && Path::new("/usr/bin/apt-get").exists() { apt(&packages) } else { Ok(()) };
    let missing: Vec<&Engine> = missing.into_iter().filter(|e| found(e).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|e| e.name).collect();
    let variables: Vec<&str> = missing.iter().map(|e| e.variable).collect();
    Err(format!(
        "{}the tests need {}: install them (on Debian, as root: `{install}`),\nor say where they are in {}",
        tried.err().map_or(String::new(), |e| e + "\n"),
        names.join(" and "),
        variables.join(" and ")
    ))
}

pub fn apt(packages: &[&str]) -> Outcome {
    println!("installing {}", packages.join(", "));
    let apt = |args: &[&str]| {
        let mut c = Command::new("apt-get");
        c.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        capture(c).map(|_| ())
    };
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    // The lists of packages may be older than what is in the archive.
    apt(&install).or_else(|_| apt(&["update"]).and_then(|()| apt(&install)))
}

pub fn is_root() -> bool {
    let mut c = Command::new("id");
    c.arg("-u");
    process::capture(c).is_ok_and(|id| id.trim() == "0")
}
