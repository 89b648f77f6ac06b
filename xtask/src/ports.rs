//! The ports tree: programs of others, in C, built from Debian's sources with `vk cc`.
//!
//! `ports/NAME/recipe` says where the source is and how it is built and tested (ports/README.md). Sources
//! are fetched, checked and unpacked below `target/ports` and never committed; nothing on the machine is
//! changed. A port is built anew when its recipe, its patches, the SDK or the compiler has changed.

mod fetch;
mod recipe;
mod session;
mod terminal;

use crate::packages::Package;
use crate::process::{self, Outcome, root, target, write_if_changed};
use crate::report::Report;
use crate::{build, image, posix, sdk};
use recipe::Recipe;
use std::path::{Path, PathBuf};

/// The ports that every `cargo xtask test` builds and tests; the others take longer.
const QUICK: &[&str] = &["dash", "lua"];

/// What ports are built with and run under.
struct Bench {
    vk: PathBuf,
    ports: Vec<Recipe>,
}

/// `ports [--test] [NAME...]`.
pub fn run(args: &[String]) -> Outcome {
    let test = args.iter().any(|a| a == "--test");
    let names: Vec<String> = args.iter().filter(|a| *a != "--test").cloned().collect();
    build::ensure_targets()?;
    let vk = posix::vk()?;
    sdk::tools(&vk)?;
    let bench = Bench { vk, ports: chosen(&names)? };
    for port in &bench.ports {
        let fresh = port.build(&bench.vk)?;
        println!("{:<8} {} ({})", port.name, port.title, if fresh { "built" } else { "as it was" });
    }
    let image = bench.image("ports")?;
    println!("target/release/vk --image {}", image.strip_prefix(root()).unwrap_or(&image).display());
    if !test {
        return Ok(());
    }
    let mut report = Report::default();
    bench.test(&mut report, &image);
    report.finish()
}

/// For `test`: a few ports that take little time, or all.
pub fn run_in(report: &mut Report, vk: &Path, all: bool) {
    let names: Vec<String> = if all { Vec::new() } else { QUICK.iter().map(|n| n.to_string()).collect() };
    let mut bench = Bench { vk: vk.into(), ports: Vec::new() };
    let mut image = None;
    report.step("ports: sources, and vk cc compiles them", || {
        lacking()?;
        sdk::tools(vk)?;
        bench.ports = chosen(&names)?;
        bench.ports.iter().try_for_each(|p| p.build(vk).map(|_| ()))?;
        image = Some(bench.image("ports-test")?);
        Ok(())
    });
    if let Some(image) = image {
        bench.test(report, &image);
    }
    if !all {
        println!("left out, for their time: the other ports (cargo xtask test --all)");
    }
}

impl Bench {
    fn test(&self, report: &mut Report, image: &Path) {
        for port in &self.ports {
            report.step(&format!("port {}: its tests", port.name), || port.check(&self.vk, image));
            for session in port.sessions() {
                let name = session.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                report.step(&format!("port {}, on a terminal: {name}", port.name), || {
                    session::play(&self.vk, image, &session)
                });
            }
        }
    }

    /// An image with the base system and these ports.
    fn image(&self, name: &str) -> Outcome<PathBuf> {
        let packages = self.ports.iter().map(Recipe::package).collect::<Outcome<Vec<Package>>>()?;
        let base = image::base(&build::userland()?)?;
        let tar = image::with_packages(&base, &packages).map_err(|e| format!("{name}.tar: {e}"))?;
        let file = target().join(name).with_extension("tar");
        write_if_changed(&file, &tar)?;
        Ok(file)
    }
}

/// The ports with these names, or all.
fn chosen(names: &[String]) -> Outcome<Vec<Recipe>> {
    let known = known()?;
    if let Some(wrong) = names.iter().find(|n| !known.contains(n)) {
        return Err(format!("{wrong}: no such port; there are {}", known.join(", ")));
    }
    let names = if names.is_empty() { &known } else { names };
    names.iter().map(|n| Recipe::read(n)).collect()
}

fn known() -> Outcome<Vec<String>> {
    let dir = root().join("ports");
    let entries = std::fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let ports = entries.flatten().filter(|e| e.path().join("recipe").exists());
    let mut names: Vec<String> = ports.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// What builds need of the machine, told at once and by the names of Debian's packages.
fn lacking() -> Outcome {
    let there = |program: &str| {
        let mut c = std::process::Command::new("sh");
        c.args(["-c", &format!("command -v {program}")]);
        process::capture(c).is_ok()
    };
    let needed =
        [("make", "make"), ("cc", "gcc libc6-dev"), ("perl", "perl"), ("patch", "patch"), ("setsid", "util-linux")];
    let packages: Vec<&str> = needed.iter().filter(|(program, _)| !there(program)).map(|n| n.1).collect();
    if packages.is_empty() {
        return Ok(());
    }
    Err(format!("ports need programs that aren't here: apt-get install {}", packages.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_complete() {
        let ports = chosen(&[]).unwrap();
        assert!(!ports.is_empty());
        for port in ports {
            assert!(!port.commands.is_empty() && port.sha256.len() == 64, "{}", port.name);
            assert!(root().join("ports").join(&port.name).join("README.md").exists(), "{}", port.name);
            for session in port.sessions() {
                session::parse(&std::fs::read_to_string(session).unwrap()).unwrap();
            }
        }
        assert!(QUICK.iter().all(|n| known().unwrap().iter().any(|k| k == n)));
    }
}
