//! `posix`: the POSIX tests of tests/posix, natively first and then in the system.
//!
//! The same sources are compiled with the machine's own compiler and with `vk cc`. What fails natively
//! is a mistake of the test. Each program says a line for each of its tests (tests/posix/test.h).

use crate::build;
use crate::process::{Outcome, capture, root, target};
use crate::sdk;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What programs said: `subject.name test` and how it went.
type Results = BTreeMap<(String, String), Result<bool, String>>;

/// The vk to test: the one that `VK` names, or a fresh one.
pub fn vk() -> Outcome<PathBuf> {
    std::env::var_os("VK").map_or_else(build::everything, |vk| Ok(vk.into()))
}

pub fn run(vk: &Path, args: &[String]) -> Outcome {
    let (native, ours) = both(vk, args)?;
    table(&native, &ours);
    verdict(&native, &ours)
}

/// For `test`: silent unless something fails.
pub fn check(vk: &Path) -> Outcome {
    let (native, ours) = both(vk, &[])?;
    verdict(&native, &ours)
}

/// Compiles all of them for the system, into a directory that `run.sh` takes. The tests in browsers run them there.
pub fn programs(vk: &Path) -> Outcome<PathBuf> {
    sdk::tools(vk)?;
    let dir = directory("vk")?;
    for source in sources(&[])? {
        compile(ours(vk), &source, &dir)?;
    }
    Ok(dir)
}

fn ours(vk: &Path) -> Command {
    let mut c = Command::new(vk);
    c.arg("cc");
    c
}

/// An empty directory for programs: there may be some of sources that are gone.
fn directory(name: &str) -> Outcome<PathBuf> {
    let dir = target().join("posix").join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    Ok(dir)
}

fn both(vk: &Path, only: &[String]) -> Outcome<(Results, Results)> {
    sdk::tools(vk)?;
    let sources = sources(only)?;
    if sources.is_empty() {
        return Err("no test has such a name".into());
    }
    let (native, here) = (directory("native")?, directory("vk")?);
    for source in &sources {
        let cc = std::env::var_os("HOSTCC").unwrap_or_else(|| "cc".into());
        compile(Command::new(cc), source, &native)?;
        compile(ours(vk), source, &here)?;
    }
    let script = root().join("tests/posix/run.sh");
    // A session of their own: the one of whoever runs us has no number inside a container.
    let mut c = Command::new("setsid");
    c.args(["--wait", "sh"]).arg(&script).arg(&native);
    let native = results(&output(c)?);
    let copy = here.join("run.sh");
    std::fs::copy(&script, &copy).map_err(|e| format!("{}: {e}", copy.display()))?;
    let mut c = Command::new(vk);
    c.args(["run", "--timeout", "120", "--dir"]).arg(format!("{}::/posix:ro", here.display()));
    c.args(["sh", "/posix/run.sh", "/posix"]);
    Ok((native, results(&output(c)?)))
}

/// All test programs, or those with one of these words in their path.
fn sources(only: &[String]) -> Outcome<Vec<PathBuf>> {
    let dir = root().join("tests/posix");
    let mut files = Vec::new();
    build::collect(&dir, &mut files)?;
    files.retain(|f| f.extension().is_some_and(|e| e == "c"));
    let name = |f: &PathBuf| f.strip_prefix(&dir).unwrap_or(f).to_string_lossy().into_owned();
    files.retain(|f| only.is_empty() || only.iter().any(|w| name(f).contains(w.as_str())));
    files.sort();
    Ok(files)
}

fn compile(mut c: Command, source: &Path, to: &Path) -> Outcome {
    let word = |p: Option<&std::ffi::OsStr>| p.unwrap_or_default().to_string_lossy().into_owned();
    let name = format!("{}.{}.test", word(source.parent().and_then(Path::file_name)), word(source.file_stem()));
    c.args(["-Wall", "-Wextra", "-Werror", "-O1", "-o"]).arg(to.join(name)).arg(source).arg("-lutil");
    capture(c).map(|_| ())
}

/// Standard output, however it ended.
fn output(mut c: Command) -> Outcome<String> {
    let out = c.output().map_err(|e| format!("{}: {e}", c.get_program().display()))?;
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    if said.is_empty() { Err(String::from_utf8_lossy(&out.stderr).into_owned()) } else { Ok(said) }
}

fn results(text: &str) -> Results {
    let mut all = Results::new();
    let mut program = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("# ") {
            program = name.to_string();
        } else if let Some(name) = line.strip_prefix("ok ") {
            all.insert((program.clone(), name.to_string()), Ok(true));
        } else if let Some((name, _)) = line.strip_prefix("skip ").and_then(|l| l.split_once(": ")) {
            all.insert((program.clone(), name.to_string()), Ok(false));
        } else if let Some((name, why)) = line.strip_prefix("not ok ").and_then(|l| l.split_once(": ")) {
            all.insert((program.clone(), name.to_string()), Err(why.to_string()));
        }
    }
    all
}

/// Passed, skipped and failed of each subject.
fn table(native: &Results, ours: &Results) {
    let subject = |key: &(String, String)| key.0.split('.').next().unwrap_or_default().to_string();
    let mut subjects: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    for (key, result) in native {
        let row = subjects.entry(subject(key)).or_default();
        row[0] += usize::from(*result == Ok(true));
        match ours.get(key) {
            Some(Ok(true)) => row[1] += 1,
            Some(Ok(false)) => row[2] += 1,
            _ => row[3] += 1,
        }
    }
    println!("{:<16}{:>8}{:>8}{:>9}{:>8}", "subject", "native", "here", "skipped", "failed");
    for (name, [n, ok, skipped, failed]) in &subjects {
        println!("{name:<16}{n:>8}{ok:>8}{skipped:>9}{failed:>8}");
    }
}

/// Everything passes natively, and here all but what is known to fail.
fn verdict(native: &Results, ours: &Results) -> Outcome {
    let known = known();
    let mut wrong = String::new();
    for ((program, name), result) in native {
        if let Err(e) = result {
            wrong += &format!("natively: {program} {name}: {e}\n");
        }
        let id = format!("{program} {name}");
        let here = ours.get(&(program.clone(), name.clone()));
        match here {
            Some(Ok(_)) if known.contains(&id) => wrong += &format!("{id}: passes, and is in known-failures\n"),
            Some(Ok(_)) => {}
            _ if known.contains(&id) => {}
            Some(Err(e)) => wrong += &format!("{id}: {e}\n"),
            None => wrong += &format!("{id}: it said nothing\n"),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// `tests/posix/known-failures`: a line each, `#` begins a comment. Those of pages, `page:`, are no names here.
fn known() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("tests/posix/known-failures")).unwrap_or_default();
    let lines = text.lines().map(|l| l.split('#').next().unwrap_or_default().trim().to_string());
    lines.filter(|l| !l.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_programs() {
        let r = results("# a.b\nok one\nskip two: why\nnot ok three: x.c:1: wrong\nnoise\n");
        let get = |n: &str| r.get(&("a.b".to_string(), n.to_string())).cloned();
        assert_eq!(get("one"), Some(Ok(true)));
        assert_eq!(get("two"), Some(Ok(false)));
        assert_eq!(get("three"), Some(Err("x.c:1: wrong".into())));
        assert_eq!(r.len(), 3);
    }
}
