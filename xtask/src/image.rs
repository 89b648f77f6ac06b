//! The base image: a tar archive with what the system boots from.
//!
//! The same programs make the same bytes: entries are sorted, times are `SOURCE_DATE_EPOCH` or 0, and
//! nothing of the building machine gets in.

use crate::build::collect;
use crate::packages::{Kind, Package};
use crate::process::{Outcome, read, root};
use std::collections::BTreeMap;
use std::path::Path;

/// Commands of the multi-call programs, each a link to its program.
mod names {
    /// uutils utilities; `user/coreutils` has the same list and `cargo xtask check` compares them.
    pub const COREUTILS: &[&str] = &[
        "b2sum",
        "base32",
        "base64",
        "basename",
        "cksum",
        "comm",
        "cut",
        "date",
        "dirname",
        "echo",
        "expand",
        "expr",
        "factor",
        "fmt",
        "fold",
        "head",
        "join",
        "link",
        "ln",
        "md5sum",
        "mktemp",
        "mv",
        "nl",
        "numfmt",
        "od",
        "paste",
        "pathchk",
        "printenv",
        "printf",
        "pwd",
        "readlink",
        "realpath",
        "rm",
        "rmdir",
        "seq",
        "sha1sum",
        "sha256sum",
        "sha512sum",
        "shuf",
        "sleep",
        "sort",
        "split",
        "sum",
        "tee",
        "tr",
        "truncate",
        "tsort",
        "unexpand",
        "uniq",
        "unlink",
        "wc",
        "yes",
    ];
    /// Our own, with the native calls.
    pub const TOOLS: &[&str] = &[
        "cat", "chgrp", "chmod", "chown", "chroot", "clear", "cp", "dd", "df", "download", "du", "env", "free",
        "groups", "hostname", "id", "install", "kill", "logname", "ls", "mkdir", "mkfifo", "mknod", "mount", "nice",
        "nohup", "ps", "renice", "reset", "script", "stat", "stty", "sync", "time", "timeout", "touch", "tty",
        "umount", "uname", "uptime", "which", "whoami",
    ];
    /// Those that look into texts and through directories, and find processes.
    pub const TEXT: &[&str] = &[
        "cal", "cmp", "diff", "egrep", "fgrep", "find", "grep", "hexdump", "killall", "patch", "pgrep", "pkill",
        "pstree", "rev", "sed", "strings", "tac", "tail", "xargs",
    ];
    /// Those that take the whole terminal.
    pub const SCREEN: &[&str] = &["edit", "less", "more", "nano", "top", "watch"];
    /// Those that become somebody else.
    pub const ACCOUNT: &[&str] = &["login", "newgrp", "passwd", "su"];
    pub const ARCHIVE: &[&str] = &["gunzip", "gzip", "tar", "zcat"];
    /// `man`, and utilities of POSIX that few need daily.
    pub const POSIX: &[&str] = &["apropos", "bc", "ed", "file", "getconf", "logger", "man", "nproc", "whatis"];
    /// The programs by their names in `/bin`, which are those of their packages.
    pub const MULTICALL: &[(&str, &[&str])] = &[
        ("coreutils", COREUTILS),
        ("tools", TOOLS),
        ("text", TEXT),
        ("screen", SCREEN),
        ("archive", ARCHIVE),
        ("account", ACCOUNT),
        ("posix", POSIX),
    ];
}

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
user:x:1000:1000:user:/home/user:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
";
const GROUP: &str = "root:x:0:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n";
/// Nobody has a password, and none is right: who has the console is root, who has not can't become it (passwd(1)).
const SHADOW: &str = "\
root:*:0:0:99999:7:::
user:*:0:0:99999:7:::
nobody:*:0:0:99999:7:::
";
const PROFILE: &str = "\
# For login shells. It runs no program: whoever opens a terminal waits for all of this.
export PATH=/bin:/sbin:/usr/bin
# POSIX has no place for the working directory in a prompt but this.
case ${PS1-} in
'' | *'$PWD'*) ;;
*) PS1='$PWD '$PS1 ;;
esac
if [ -f /etc/motd ]; then
	while IFS= read -r line || [ -n \"$line\" ]; do printf '%s\\n' \"$line\"; done </etc/motd
	unset line
fi
";
const MOTD: &str = "\
vkernel: every command here is a process of its own, in a WebAssembly memory of its own.
`ls /bin` shows what there is; `exit` ends this shell.

";
const OS_RELEASE: &str = concat!(
    "NAME=vkernel\nID=vkernel\nVERSION_ID=",
    env!("CARGO_PKG_VERSION"),
    "\nPRETTY_NAME=\"vkernel ",
    env!("CARGO_PKG_VERSION"),
    "\"\n"
);

/// One file of the image.
enum Node {
    Dir,
    File(Vec<u8>),
    Link(String),
}

#[derive(Default)]
struct Tree(BTreeMap<String, (u32, u64, Node)>);

impl Tree {
    fn dir(&mut self, path: &str, mode: u32) {
        self.0.insert(path.into(), (mode, 0, Node::Dir));
    }
    fn text(&mut self, path: &str, text: &str) {
        self.0.insert(path.into(), (0o644, 0, Node::File(text.into())));
    }
    fn link(&mut self, path: &str, target: &str) {
        self.0.insert(path.into(), (0o777, 0, Node::Link(target.into())));
    }
    fn program(&mut self, path: &str, file: &Path) -> Outcome {
        self.0.insert(path.into(), (0o755, 0, Node::File(read(file)?)));
        Ok(())
    }
}

/// The archive, from the directory with the userland's programs.
pub fn base(programs: &Path) -> Outcome<Vec<u8>> {
    let mut tree = Tree::default();
    for dir in [
        "bin",
        "dev",
        "etc",
        "home",
        "home/user",
        "mnt",
        "proc",
        "root",
        "sbin",
        "tmp",
        "usr",
        "usr/share",
        "usr/share/man",
        "var",
        "var/tmp",
    ] {
        let mode = match dir {
            "tmp" | "var/tmp" => 0o1777,
            "root" => 0o700,
            _ => 0o755,
        };
        tree.dir(dir, mode);
    }
    if let Some(home) = tree.0.get_mut("home/user") {
        home.1 = 1000;
    }
    // One place for programs, whatever a script's first line calls it.
    tree.link("usr/bin", "../bin");
    tree.link("usr/sbin", "../sbin");
    for (path, text) in [
        ("etc/passwd", PASSWD),
        ("etc/group", GROUP),
        ("etc/shadow", SHADOW),
        ("etc/shells", "/bin/sh\n"),
        ("etc/profile", PROFILE),
        ("etc/motd", MOTD),
        ("etc/hostname", "vkernel\n"),
        ("etc/os-release", OS_RELEASE),
    ] {
        tree.text(path, text);
    }
    if let Some(shadow) = tree.0.get_mut("etc/shadow") {
        shadow.0 = 0o600;
    }
    tree.program("sbin/init", &programs.join("init.wasm"))?;
    for name in ["sh", "awk", "true", "false"].into_iter().chain(names::MULTICALL.iter().map(|m| m.0)) {
        tree.program(&format!("bin/{name}"), &programs.join(format!("{name}.wasm")))?;
    }
    if let Some(account) = tree.0.get_mut("bin/account") {
        account.0 = 0o4755;
    }
    for name in ["[", "test"] {
        tree.link(&format!("bin/{name}"), "sh");
    }
    for (program, list) in names::MULTICALL {
        for name in *list {
            tree.link(&format!("bin/{name}"), program);
        }
    }
    let pages = manual().map_err(|e| format!("doc/man: {e}"))?;
    tree.0.insert(PAGES.into(), (0o644, 0, Node::File(pages)));
    write(&tree).map_err(|e| format!("base.tar: {e}"))
}

/// Where `man` finds all pages: one file, for each would be an entry of the list that a browser fetches first.
pub const PAGES: &str = "usr/share/man/pages.tar";

/// `doc/man` in an archive.
fn manual() -> Outcome<Vec<u8>> {
    let dir = root().join("doc/man");
    let mut files = Vec::new();
    collect(&dir, &mut files)?;
    files.sort();
    let mut tar = tar::Builder::new(Vec::new());
    for file in files {
        let path = file.strip_prefix(&dir).map_err(|e| e.to_string())?.to_string_lossy().into_owned();
        append(&mut tar, &path, 0o644, 0, &Node::File(read(&file)?)).map_err(|e| format!("{path}: {e}"))?;
    }
    tar.into_inner().map_err(|e| e.to_string())
}

/// The archive of the base image with packages on top.
pub fn with_packages(base: &[u8], packages: &[Package]) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for entry in tar::Archive::new(base).entries()? {
        let entry = entry?;
        let (mut header, path) = (entry.header().clone(), entry.path()?.into_owned());
        tar.append_data(&mut header, path, entry)?;
    }
    for item in packages.iter().flat_map(|p| &p.items) {
        let node = match &item.kind {
            Kind::File(bytes) => Node::File(bytes.clone()),
            Kind::Link(target) => Node::Link(target.clone()),
        };
        append(&mut tar, &item.path, item.mode, 0, &node)?;
    }
    tar.into_inner()
}

/// The names that have to be in each multi-call program, for the check.
pub fn links() -> &'static [(&'static str, &'static [&'static str])] {
    names::MULTICALL
}

fn write(tree: &Tree) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, (mode, id, node)) in &tree.0 {
        append(&mut tar, path, *mode, *id, node)?;
    }
    tar.into_inner()
}

fn append(tar: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32, id: u64, node: &Node) -> std::io::Result<()> {
    let mtime = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|t| t.parse().ok()).unwrap_or(0);
    let mut h = tar::Header::new_ustar();
    h.set_mode(mode);
    h.set_uid(id);
    h.set_gid(id);
    h.set_mtime(mtime);
    let (name, data): (String, &[u8]) = match node {
        Node::Dir => {
            h.set_entry_type(tar::EntryType::Directory);
            (format!("{path}/"), &[])
        }
        Node::File(data) => {
            h.set_entry_type(tar::EntryType::Regular);
            (path.into(), data)
        }
        Node::Link(target) => {
            h.set_entry_type(tar::EntryType::Symlink);
            h.set_link_name(target)?;
            (path.into(), &[])
        }
    };
    h.set_size(data.len() as u64);
    tar.append_data(&mut h, name, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_programs_make_the_same_archive() {
        let dir = std::env::temp_dir().join(format!("xtask-image-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for name in ["init", "sh", "awk", "true", "false"].into_iter().chain(names::MULTICALL.iter().map(|m| m.0)) {
            std::fs::write(dir.join(format!("{name}.wasm")), name).unwrap();
        }
        let (a, b) = (base(&dir).unwrap(), base(&dir).unwrap());
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(a, b);
        let mut paths = Vec::new();
        for e in tar::Archive::new(a.as_slice()).entries().unwrap() {
            let e = e.unwrap();
            paths.push(e.path().unwrap().to_string_lossy().into_owned());
            assert_eq!(e.header().mtime().unwrap(), 0);
        }
        assert!(paths.contains(&"bin/sh".to_string()) && paths.contains(&"tmp/".to_string()), "{paths:?}");
        // A directory stands before what it holds.
        assert!(paths.iter().position(|p| p == "etc/") < paths.iter().position(|p| p == "etc/passwd"));
    }
}
