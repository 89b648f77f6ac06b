//! Debian's sources: from the mirror that this machine's apt uses, else from Debian's own servers.
//!
//! A file of Debian's archive is named by its path below `pool/` and by its SHA-256, so no lists of
//! packages are needed and none are touched. `apt-helper` downloads where there is one, with the
//! proxies that apt is told to use; `curl` does elsewhere.

use super::recipe::hex;
use crate::process::{Outcome, capture, read, target};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

const HELPER: &str = "/usr/lib/apt/apt-helper";
/// The second has what the first no longer has.
const SERVERS: [&str; 2] =
    ["https://deb.debian.org/debian/", "https://snapshot.debian.org/archive/debian/20250601T000000Z/"];

/// The archive at this path, in the cache below `target/ports`.
pub fn source(path: &str, sha256: &str) -> Outcome<PathBuf> {
    let dir = target().join("ports/sources");
    let file = dir.join(path.rsplit('/').next().unwrap_or(path));
    if file.exists() && digest(&file)? == sha256 {
        return Ok(file);
    }
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let aside = file.with_extension("new");
    let mut said = String::new();
    for server in servers() {
        let url = format!("{}/{path}", server.trim_end_matches('/'));
        match download(&url, &aside).and_then(|()| digest(&aside)) {
            Ok(have) if have == sha256 => {
                std::fs::rename(&aside, &file).map_err(|e| format!("{}: {e}", file.display()))?;
                return Ok(file);
            }
            Ok(have) => said += &format!("{url}: its SHA-256 is {have} and not {sha256}\n"),
            Err(e) => said += &format!("{url}: {e}\n"),
        }
    }
    let _ = std::fs::remove_file(&aside);
    Err(format!("{said}put the file at {} if this machine has no way to it", file.display()))
}

fn download(url: &str, to: &Path) -> Outcome {
    let _ = std::fs::remove_file(to);
    let mut c = if Path::new(HELPER).exists() {
        let mut c = Command::new(HELPER);
        // As whoever we are: apt's own user can't write below target.
        c.args(["-o", "APT::Sandbox::User=root", "download-file", url]).arg(to);
        c
    } else {
        let mut c = Command::new("curl");
        c.args(["-fsSL", "--retry", "2", "-o"]).arg(to).arg(url);
        c
    };
    c.stdin(std::process::Stdio::null());
    capture(c).map(|_| ())
}

/// Where to look, the nearest first.
fn servers() -> Vec<String> {
    let mut c = Command::new("apt-get");
    c.args(["indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian", "Created-By: Packages"]);
    let mut servers: Vec<String> = capture(c).unwrap_or_default().lines().map(str::to_string).collect();
    servers.extend(SERVERS.map(str::to_string));
    let mut seen = std::collections::BTreeSet::new();
    servers.retain(|s| s.starts_with("http") && seen.insert(s.clone()));
    servers
}

fn digest(file: &Path) -> Outcome<String> {
    Ok(hex(&Sha256::digest(read(file)?)))
}
