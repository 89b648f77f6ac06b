//! The optional packages: what `packages/NAME/recipe.json` makes of files that npm has installed.
//!
//! A recipe is data: which file of which npm package (pinned by the lock file of `tests/programs`), or of the
//! recipe's own directory, goes where. The page fetches packages when they are used; `vk` can boot from an
//! archive that has them.

mod glob;
mod recipe;

use crate::process::{self, Outcome, root, target, write_if_changed};
use crate::{build, image, npm, programs};
use recipe::Recipe;
use std::path::{Path, PathBuf};

/// A package, read.
pub struct Package {
    pub name: String,
    pub title: String,
    pub commands: Vec<String>,
    pub items: Vec<Item>,
}

/// A file of a package.
pub struct Item {
    /// Relative to the root.
    pub path: String,
    pub mode: u32,
    pub kind: Kind,
    /// A part of the package that is fetched apart from the rest.
    pub part: Option<String>,
}

pub enum Kind {
    File(Vec<u8>),
    Link(String),
}

/// The packages that are called `names`, or all. Installs what they are made of.
pub fn load(names: Option<&[String]>) -> Outcome<Vec<Package>> {
    let dir = root().join("packages");
    let known = known(&dir)?;
    let names = names.unwrap_or(&known);
    if let Some(wrong) = names.iter().find(|n| !known.contains(n)) {
        return Err(format!("{wrong}: no such package; there are {}", known.join(", ")));
    }
    if !names.is_empty() {
        npm::install(&programs::programs())?;
    }
    let modules = programs::programs().join("node_modules");
    names.iter().map(|name| Recipe::read(&dir.join(name))?.package(name, &dir.join(name), &modules)).collect()
}

fn known(dir: &Path) -> Outcome<Vec<String>> {
    let entries = std::fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let recipes = entries.flatten().filter(|e| e.path().join("recipe.json").exists());
    let mut names: Vec<String> = recipes.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// `packages`: an archive that `vk` boots from, with the base image and these packages.
pub fn run(args: &[String]) -> Outcome {
    build::ensure_targets()?;
    let all = known(&root().join("packages"))?;
    let file = image(if args.is_empty() { &all } else { args }, "packages")?;
    println!("target/release/vk --image {}", file.strip_prefix(root()).unwrap_or(&file).display());
    Ok(())
}

/// Makes the archive; answers its path, `NAME.tar` among what is built.
pub fn image(packages: &[String], name: &str) -> Outcome<PathBuf> {
    let packages = load(Some(packages))?;
    let base = image::base(&build::userland()?)?;
    let tar = image::with_packages(&base, &packages).map_err(|e| format!("{name}.tar: {e}"))?;
    let file = target().join(name).with_extension("tar");
    write_if_changed(&file, &tar)?;
    Ok(file)
}

/// `./FILE` is the recipe's own, any other name is below npm's directory.
fn source(from: &str, here: &Path, modules: &Path) -> Outcome<Vec<u8>> {
    match from.strip_prefix("./") {
        Some(local) => process::read(&here.join(local)),
        None => process::read(&modules.join(from)),
    }
}
