//! `shtest`: the cases of `tests/sh`, each run by dash on this machine, by our shell on this machine, and by our
//! shell inside of the system. What they write and their exit status have to be the same.
//!
//! A file `*.cases` holds cases of one subject, each behind a line `### NAME`. What is expected is asked of dash
//! each time, not stored; what POSIX leaves open has no place in a case.

use crate::process::{Outcome, capture, read, root, target};
use crate::{build, webtest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const DASH: &str = "/usr/bin/dash";

/// Name to what was written, with the status in front.
type Results = BTreeMap<String, String>;

/// `shtest [WORD...]`: only cases with one of the words in their names.
pub fn run(words: &[String]) -> Outcome {
    let vk = build::everything()?;
    for (_, step) in steps(&vk, words)? {
        step()?;
    }
    println!("all cases agree");
    Ok(())
}

pub type Step = (&'static str, Box<dyn Fn() -> Outcome>);

/// The comparisons, for a report.
pub fn steps(vk: &Path, words: &[String]) -> Outcome<Vec<Step>> {
    dash()?;
    let work = target().join("shtest");
    let cases = work.join("cases");
    write_cases(&cases, words)?;
    let driver = root().join("tests/sh/driver");
    let native = native_shell()?;
    let (c, d, w) = (cases.clone(), driver.clone(), work.clone());
    let here = move || {
        let want = under(Path::new(DASH), &d, &c, &w.join("dash"))?;
        compare(&want, &under(&native, &d, &c, &w.join("native"))?)
    };
    let vk = vk.to_path_buf();
    let inside = move || {
        let want = under(Path::new(DASH), &driver, &cases, &work.join("dash"))?;
        compare(&want, &inside(&vk, &driver, &cases)?)
    };
    Ok(vec![
        ("the shell's cases, against dash", Box::new(here) as Box<dyn Fn() -> Outcome>),
        ("under vk: the shell's cases, against dash", Box::new(inside)),
    ])
}

/// dash and the other commands that ours are compared with, installed if need be.
fn dash() -> Outcome {
    const OTHERS: [(&str, &str); 12] = [
        ("dash", DASH),
        ("grep", "/usr/bin/grep"),
        ("sed", "/usr/bin/sed"),
        ("findutils", "/usr/bin/find"),
        ("mawk", "/usr/bin/awk"),
        ("diffutils", "/usr/bin/diff"),
        ("patch", "/usr/bin/patch"),
        ("tar", "/usr/bin/tar"),
        ("gzip", "/usr/bin/gzip"),
        ("bc", "/usr/bin/bc"),
        ("ed", "/usr/bin/ed"),
        ("file", "/usr/bin/file"),
    ];
    let missing = || -> Vec<&str> { OTHERS.iter().filter(|o| !Path::new(o.1).is_file()).map(|o| o.0).collect() };
    if !missing().is_empty() && webtest::is_root() && Path::new("/usr/bin/apt-get").exists() {
        webtest::apt(&missing())?;
    }
    match missing() {
        left if left.is_empty() => Ok(()),
        left => Err(format!("the tests of the shell need {0} (on Debian: apt-get install {0})", left.join(" "))),
    }
}

/// A file for each case.
fn write_cases(to: &Path, words: &[String]) -> Outcome {
    let _ = std::fs::remove_dir_all(to);
    let error = |e: std::io::Error| format!("{}: {e}", to.display());
    std::fs::create_dir_all(to).map_err(error)?;
    let mut files = Vec::new();
    build::collect(&root().join("tests/sh"), &mut files)?;
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "cases")) {
        let subject = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = String::from_utf8_lossy(&read(file)?).into_owned();
        for case in format!("\n{text}").split("\n### ").skip(1) {
            let (name, script) = case.split_once('\n').unwrap_or((case, ""));
            let name = format!("{subject}.{name}");
            if words.is_empty() || words.iter().any(|w| name.contains(w.as_str())) {
                std::fs::write(to.join(name), format!("{}\n", script.trim_end_matches('\n'))).map_err(error)?;
            }
        }
    }
    Ok(())
}

/// Our shell for this machine.
fn native_shell() -> Outcome<PathBuf> {
    let mut c = crate::process::cargo(&["build", "--quiet", "--release", "-p", "sh", "--target-dir"]);
    c.arg(target()).current_dir(root().join("user"));
    capture(c)?;
    Ok(target().join("release/sh"))
}

/// The driver on this machine, with `sh` meaning this shell.
fn under(shell: &Path, driver: &Path, cases: &Path, work: &Path) -> Outcome<Results> {
    let bin = work.join("bin");
    std::fs::create_dir_all(&bin).map_err(|e| format!("{}: {e}", bin.display()))?;
    let link = bin.join("sh");
    let _ = std::fs::remove_file(&link);
    let shell = std::fs::canonicalize(shell).map_err(|e| format!("{}: {e}", shell.display()))?;
    std::os::unix::fs::symlink(shell, &link).map_err(|e| format!("{}: {e}", link.display()))?;
    let full = |p: &Path| std::fs::canonicalize(p).unwrap_or(p.to_path_buf());
    let mut c = Command::new(full(&bin).join("sh"));
    c.arg(full(driver)).arg(full(cases)).arg(full(work).join("scratch")).env_clear();
    c.env("PATH", format!("{}:/usr/bin:/bin", full(&bin).display())).env("HOME", "/root");
    capture(c).map(|out| results(&out))
}

/// The driver inside of the system.
fn inside(vk: &Path, driver: &Path, cases: &Path) -> Outcome<Results> {
    let mut c = Command::new(vk);
    c.args(["run", "--timeout", "120"]);
    c.arg("--dir").arg(format!("{}::/cases:ro", cases.display()));
    c.arg("--dir").arg(format!("{}::/driver:ro", driver.parent().unwrap_or(Path::new(".")).display()));
    c.args(["sh", "/driver/driver", "/cases", "/tmp/scratch"]);
    capture(c).map(|out| results(&out))
}

fn results(out: &str) -> Results {
    let parts = out.split("\n=== ").filter_map(|p| p.split_once(' '));
    parts.map(|(name, rest)| (name.to_string(), rest.to_string())).collect()
}

fn compare(want: &Results, have: &Results) -> Outcome {
    let mut wrong = String::new();
    for (name, w) in want {
        let h = have.get(name).map_or("(it was not run)", |h| h.as_str());
        if w != h {
            wrong += &format!("tests/sh: {name}: dash wrote, behind its status:\n{w}\nours:\n{h}\n");
        }
    }
    if wrong.is_empty() && !want.is_empty() { Ok(()) } else { Err(wrong) }
}
