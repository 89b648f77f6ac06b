//! A recipe: `name=value` lines for us, functions for a shell.

use super::fetch;
use crate::packages::{Item, Kind, Package};
use crate::process::{Outcome, capture, read, root, target, write_if_changed};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Recipe {
    pub name: String,
    pub title: String,
    /// A path in Debian's archive.
    pub source: String,
    pub sha256: String,
    /// What there is to type.
    pub commands: Vec<String>,
}

impl Recipe {
    pub fn read(name: &str) -> Outcome<Recipe> {
        let path = dir(name).join("recipe");
        let text = String::from_utf8_lossy(&read(&path)?).into_owned();
        let value =
            |key: &str| variable(&text, key).ok_or_else(|| format!("{}: it doesn't say `{key}=`", path.display()));
        Ok(Recipe {
            name: name.into(),
            title: value("title")?,
            source: value("source")?,
            sha256: value("sha256")?,
            commands: value("commands")?.split_whitespace().map(str::to_string).collect(),
        })
    }

    /// The scripts that are played on a terminal.
    pub fn sessions(&self) -> Vec<PathBuf> {
        files(&dir(&self.name), "session")
    }

    fn work(&self) -> PathBuf {
        target().join("ports").join(&self.name)
    }

    /// Where `build` puts what is installed.
    fn out(&self) -> PathBuf {
        self.work().join("out")
    }

    /// Builds it if it has to be; false if it was there.
    pub fn build(&self, vk: &Path) -> Outcome<bool> {
        let (stamp, key) = (self.work().join("stamp"), self.key(vk)?);
        if std::fs::read_to_string(&stamp).is_ok_and(|have| have == key) {
            return Ok(false);
        }
        let archive = fetch::source(&self.source, &self.sha256)?;
        let src = self.work().join("src");
        for d in [&src, &self.out()] {
            let _ = std::fs::remove_dir_all(d);
            std::fs::create_dir_all(d).map_err(|e| format!("{}: {e}", d.display()))?;
        }
        let mut c = Command::new("tar");
        c.arg("-xf").arg(&archive).args(["--strip-components=1", "--no-same-owner", "-C"]).arg(&src);
        capture(c)?;
        for patch in files(&dir(&self.name), "patch") {
            let mut c = Command::new("patch");
            c.args(["-p1", "-i"]).arg(&patch).current_dir(&src);
            capture(c)?;
        }
        self.shell("build", vk, &src).and_then(capture).map_err(|e| format!("port {}: {}", self.name, tail(&e)))?;
        write_if_changed(&stamp, key.as_bytes())?;
        Ok(true)
    }

    /// Its own tests, by the recipe's `check`.
    pub fn check(&self, vk: &Path, image: &Path) -> Outcome {
        let mut c = self.shell("check", vk, &self.work().join("src"))?;
        c.env("IMAGE", image);
        capture(c).map(|_| ()).map_err(|e| tail(&e))
    }

    fn shell(&self, function: &str, vk: &Path, src: &Path) -> Outcome<Command> {
        let vk = std::path::absolute(vk).map_err(|e| e.to_string())?;
        let jobs = std::thread::available_parallelism().map_or(1, |n| n.get());
        let mut c = Command::new("sh");
        c.arg("-euc").arg(format!(". \"$PORT/recipe\"; {function}")).current_dir(src);
        c.env("CC", format!("{} cc", vk.display())).env("VK", &vk);
        c.env("PORT", dir(&self.name)).env("OUT", self.out()).env("JOBS", jobs.to_string());
        // What it is built with is the recipe's business, and not the caller's.
        for name in ["CFLAGS", "CPPFLAGS", "LDFLAGS", "LIBS", "MAKEFLAGS", "CONFIG_SITE"] {
            c.env_remove(name);
        }
        Ok(c)
    }

    /// Everything that the programs depend on.
    fn key(&self, vk: &Path) -> Outcome<String> {
        let mut hash = Sha256::new();
        for file in std::iter::once(dir(&self.name).join("recipe")).chain(files(&dir(&self.name), "patch")) {
            hash.update(read(&file)?);
        }
        // It names the SDK's directory, which is named by the SDK and the compiler.
        let mut c = Command::new(vk);
        c.args(["cc", "--print-flags"]);
        hash.update(capture(c)?);
        Ok(hex(&hash.finalize()))
    }

    /// What `build` has left in `out`, to be put into an image.
    pub fn package(&self) -> Outcome<Package> {
        let mut items = Vec::new();
        collect(&self.out(), "", &mut items)?;
        if let Some(c) = self.commands.iter().find(|c| !items.iter().any(|i| i.path == format!("bin/{c}"))) {
            return Err(format!("port {}: there is no bin/{c}", self.name));
        }
        Ok(Package { name: self.name.clone(), title: self.title.clone(), commands: self.commands.clone(), items })
    }
}

fn dir(name: &str) -> PathBuf {
    root().join("ports").join(name)
}

/// The files in a port's directory that end so, in order.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let mut files: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

/// The value of a line `key=value`, with quotes or without.
fn variable(text: &str, key: &str) -> Option<String> {
    let value = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.trim_matches('"').to_string())
}

/// The end of what a build said: that is where the error is.
fn tail(text: &str) -> String {
    const LINES: usize = 60;
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

fn collect(dir: &Path, below: &str, items: &mut Vec<Item>) -> Outcome {
    let failed = |e: std::io::Error| format!("{}: {e}", dir.display());
    let mut entries = std::fs::read_dir(dir).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(|e| e.file_name());
    for entry in entries {
        let path = format!("{below}{}", entry.file_name().to_string_lossy());
        let meta = entry.metadata().map_err(failed)?;
        if meta.is_dir() {
            collect(&entry.path(), &format!("{path}/"), items)?;
            continue;
        }
        let kind = if meta.is_symlink() {
            let target = std::fs::read_link(entry.path()).map_err(failed)?;
            Kind::Link(target.to_string_lossy().into_owned())
        } else {
            Kind::File(read(&entry.path())?)
        };
        let mode = if meta.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 };
        items.push(Item { path, mode, kind, part: None });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_a_recipe() {
        let text = "# title=no\ntitle=\"a b\"\nsource=pool/x.tar.gz\nbuild() {\n    source=y\n}\n";
        assert_eq!(variable(text, "title").as_deref(), Some("a b"));
        assert_eq!(variable(text, "source").as_deref(), Some("pool/x.tar.gz"));
        assert_eq!(variable(text, "sha256"), None);
    }

    #[test]
    fn digests_are_written_as_sha256sum_does() {
        assert_eq!(&hex(&Sha256::digest(b""))[..8], "e3b0c442");
    }
}
