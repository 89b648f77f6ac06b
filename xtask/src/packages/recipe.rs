//! `recipe.json`, and carrying it out.

use super::{Item, Kind, Package, glob, source};
use crate::process::{Outcome, read};
use serde::Deserialize;
use std::io::Read;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    title: String,
    /// For those who redistribute what is built: the terms of the files, and where they come from.
    #[serde(rename = "license")]
    _license: String,
    #[serde(rename = "homepage")]
    _homepage: String,
    commands: Vec<String>,
    files: Vec<Rule>,
}

/// One of `from`, `link` and `unpack` says what comes to `to`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    to: String,
    from: Option<String>,
    link: Option<String>,
    unpack: Option<String>,
    /// Octal.
    mode: Option<String>,
    #[serde(default)]
    only: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    part: Option<String>,
}

impl Recipe {
    pub fn read(dir: &Path) -> Outcome<Recipe> {
        let file = dir.join("recipe.json");
        serde_json::from_slice(&read(&file)?).map_err(|e| format!("{}: {e}", file.display()))
    }

    pub fn package(&self, name: &str, here: &Path, modules: &Path) -> Outcome<Package> {
        let mut items = Vec::new();
        for rule in &self.files {
            rule.carry_out(here, modules, &mut items).map_err(|e| format!("package {name}, `{}`: {e}", rule.to))?;
        }
        for command in &self.commands {
            if !items.iter().any(|i| i.path == format!("bin/{command}")) {
                return Err(format!("package {name}: there is no bin/{command}"));
            }
        }
        Ok(Package { name: name.into(), title: self.title.clone(), commands: self.commands.clone(), items })
    }
}

impl Rule {
    fn carry_out(&self, here: &Path, modules: &Path, items: &mut Vec<Item>) -> Outcome {
        let mode = match &self.mode {
            Some(octal) => u32::from_str_radix(octal, 8).map_err(|e| format!("mode {octal}: {e}"))?,
            None => 0o644,
        };
        let mut add = |path: String, mode, kind| items.push(Item { path, mode, kind, part: self.part.clone() });
        match (&self.from, &self.link, &self.unpack) {
            (Some(from), None, None) => add(self.to.clone(), mode, Kind::File(source(from, here, modules)?)),
            (None, Some(link), None) => add(self.to.clone(), 0o777, Kind::Link(link.clone())),
            (None, None, Some(archive)) => {
                let files = self.unpacked(source(archive, here, modules)?).map_err(|e| format!("{archive}: {e}"))?;
                if files.is_empty() {
                    return Err(format!("{archive}: nothing in it is asked for"));
                }
                for (path, bytes) in files {
                    add(path, mode, Kind::File(bytes));
                }
            }
            _ => return Err("one of `from`, `link` and `unpack` is needed".into()),
        }
        Ok(())
    }

    /// The regular files of an archive that are asked for, by their new paths.
    fn unpacked(&self, archive: Vec<u8>) -> std::io::Result<Vec<(String, Vec<u8>)>> {
        let mut tar = archive;
        if tar.starts_with(&[0x1f, 0x8b]) {
            let mut out = Vec::new();
            flate2::read::MultiGzDecoder::new(&tar[..]).read_to_end(&mut out)?;
            tar = out;
        }
        let mut files = Vec::new();
        for entry in tar::Archive::new(&tar[..]).entries()? {
            let mut entry = entry?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_string();
            if entry.header().entry_type() != tar::EntryType::Regular || !self.wants(&path) {
                continue;
            }
            let mut bytes = Vec::with_capacity(entry.size() as usize);
            entry.read_to_end(&mut bytes)?;
            files.push(([self.to.as_str(), &path].join("/").trim_start_matches('/').to_string(), bytes));
        }
        files.sort();
        Ok(files)
    }

    fn wants(&self, path: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|p| glob::matches(p, path));
        (self.only.is_empty() || any(&self.only)) && !any(&self.except)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(files: &str) -> Result<Recipe, serde_json::Error> {
        let text =
            format!(r#"{{"title": "T", "license": "MIT", "homepage": "h", "commands": ["x"], "files": [{files}]}}"#);
        serde_json::from_str(&text)
    }

    fn scratch(name: &str) -> std::path::PathBuf {
        let dir = std::env::temp_dir().join(format!("xtask-recipe-{}-{name}", std::process::id()));
        std::fs::create_dir_all(dir.join("npm")).unwrap();
        dir
    }

    #[test]
    fn files_links_and_archives_come_to_their_places() {
        let dir = scratch("places");
        let mut tar = tar::Builder::new(Vec::new());
        for path in ["lib/b.h", "lib/a.h", "lib/old/a.h", "doc/a.h"] {
            let mut h = tar::Header::new_gnu();
            h.set_size(1);
            h.set_mode(0o600);
            tar.append_data(&mut h, path, &b"x"[..]).unwrap();
        }
        std::fs::write(dir.join("npm/a.tar"), tar.into_inner().unwrap()).unwrap();
        std::fs::write(dir.join("x.sh"), "script").unwrap();
        let r = recipe(
            r#"{"to": "bin/x", "from": "./x.sh", "mode": "755"}, {"to": "bin/y", "link": "x"},
               {"to": "usr", "unpack": "a.tar", "only": ["lib/**"], "except": ["lib/old/*"], "part": "P"}"#,
        );
        let p = r.unwrap().package("x", &dir, &dir.join("npm")).unwrap();
        let shown = |i: &Item| format!("{} {:o} {:?}", i.path, i.mode, i.part);
        assert_eq!(
            p.items.iter().map(shown).collect::<Vec<_>>(),
            ["bin/x 755 None", "bin/y 777 None", "usr/lib/a.h 644 Some(\"P\")", "usr/lib/b.h 644 Some(\"P\")"]
        );
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn mistakes_are_named() {
        let dir = scratch("mistakes");
        let says = |files: &str| recipe(files).unwrap().package("p", &dir, &dir).err().expect("an error");
        assert!(says(r#"{"to": "bin/x", "from": "none"}"#).contains("none: No such file"));
        assert!(says(r#"{"to": "bin/x"}"#).contains("one of `from`"));
        assert!(says(r#"{"to": "bin/x", "from": "./a", "mode": "9"}"#).contains("mode 9"));
        assert!(says(r#"{"to": "bin/y", "link": "x"}"#).contains("there is no bin/x"));
        assert!(recipe(r#"{"to": "bin/y", "lnik": "x"}"#).is_err());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
