//! The page: `www` built by Vite, and put beside what it boots.

use super::sync;
use crate::process::{Outcome, capture, read, root, target, write_if_changed};
use crate::{build, npm};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the page if its sources changed, and makes a directory show it. What is there under `vk` stays.
pub fn site(out: &Path) -> Outcome {
    let www = root().join("www");
    npm::install(&www)?;
    let stamp = target().join("web-cache/site");
    let now = sources_stamp(&www)?;
    let dist = www.join("dist");
    if !dist.join("index.html").exists() || std::fs::read_to_string(&stamp).ok().as_ref() != Some(&now) {
        npm::run(&www, "build")?;
        write_if_changed(&stamp, now.as_bytes())?;
    }
    sync(&dist, out)?;
    remove_others(&dist, out)?;
    stamp_release(&www, out)
}

/// Writes what a version of the page consists of, with what it boots: the service worker takes all of it or nothing, so that
/// a visit without a network has it all, and no visit a mixture.
fn stamp_release(www: &Path, out: &Path) -> Outcome {
    let mut c = Command::new("node");
    c.arg(www.join("tools/stamp.mjs")).arg(out);
    capture(c).map(|_| ())
}

/// A number that changes with the page's sources.
fn sources_stamp(www: &Path) -> Outcome<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(www).map_err(|e| format!("{}: {e}", www.display()))?.flatten() {
        match entry.file_name().to_str() {
            Some("node_modules" | "dist" | "test" | "tests") | None => {}
            _ if entry.path().is_dir() => build::collect(&entry.path(), &mut files)?,
            _ => files.push(entry.path()),
        }
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for f in files {
        hasher.write(f.as_os_str().as_encoded_bytes());
        hasher.write(&read(&f)?);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Removes files of earlier builds: their names have hashes, and so they would only pile up.
fn remove_others(dist: &Path, out: &Path) -> Outcome {
    let below = |dir: &Path| -> Outcome<Vec<PathBuf>> {
        let mut files = Vec::new();
        build::collect(dir, &mut files)?;
        Ok(files.iter().filter_map(|f| f.strip_prefix(dir).ok()).map(PathBuf::from).collect())
    };
    let current: HashSet<PathBuf> = below(dist)?.into_iter().collect();
    for file in below(out)? {
        if !file.starts_with("vk") && !current.contains(&file) {
            let _ = std::fs::remove_file(out.join(file));
        }
    }
    Ok(())
}
