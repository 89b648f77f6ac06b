//! npm, for the page and for programs that run inside of the system: by lock file, without scripts.

use crate::process::{Outcome, capture};
use std::path::Path;
use std::process::Command;

/// `npm ci` in a directory, when what is there is not what the lock file says.
pub fn install(dir: &Path) -> Outcome {
    let lock = dir.join("package-lock.json");
    let lock = std::fs::read(&lock).map_err(|e| format!("{}: {e}", lock.display()))?;
    let stamp = dir.join("node_modules/.installed");
    if std::fs::read(&stamp).is_ok_and(|s| s == lock) {
        return Ok(());
    }
    let mut c = Command::new("npm");
    c.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(dir);
    capture(c).map_err(|e| format!("{e}\n{} needs npm and its registry.", dir.display()))?;
    std::fs::write(&stamp, lock).map_err(|e| format!("{}: {e}", stamp.display()))
}

/// `npm run SCRIPT`; its output is shown when it fails.
pub fn run(dir: &Path, script: &str) -> Outcome {
    let mut c = Command::new("npm");
    c.args(["run", "--silent", script]).current_dir(dir);
    capture(c).map(|_| ())
}
