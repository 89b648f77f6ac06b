//! `stat`, `du`, `df`: what files are and take.

use crate::list::join;
use crate::options::{Failure, Options, number};
use crate::say;
use crate::show::{Names, full_time, human, kind, permissions};
use std::collections::HashSet;
use vkernel_sys::{Stat, fs, io, mode, o};

pub fn stat(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "Lc:", "stat [-L] [-c FORMAT] FILE...", false)?;
    if o.operands.is_empty() {
        return Err(Failure::usage("wants files"));
    }
    let (users, groups) = (Names::users(), Names::groups());
    let mut status = 0;
    for path in &o.operands {
        let s = match if o.has(b'L') { fs::stat(path) } else { fs::lstat(path) } {
            Ok(s) => s,
            Err(e) => {
                eprintln!("stat: {}: {e}", String::from_utf8_lossy(path));
                status = 1;
                continue;
            }
        };
        let name = String::from_utf8_lossy(path).into_owned();
        if let Some(format) = o.value(b'c') {
            say!("{}", formatted(&String::from_utf8_lossy(format), &name, &s, &users, &groups));
            continue;
        }
        let link = fs::readlink(path).ok().filter(|_| s.mode & mode::IFMT == mode::IFLNK);
        let arrow = link.map(|l| format!(" -> {}", String::from_utf8_lossy(&l))).unwrap_or_default();
        say!("  File: {name}{arrow}");
        say!("  Size: {:<15} Blocks: {:<10} IO Block: {:<6} {}", s.size, s.blocks, s.blksize, kind(s.mode, s.size));
        say!("Device: {:<15} Inode: {:<11} Links: {}", format!("{},{}", s.dev >> 8, s.dev & 0xff), s.ino, s.nlink);
        let (user, group) = (users.name(s.uid), groups.name(s.gid));
        let bits = s.mode & mode::PERM;
        say!(
            "Access: ({bits:04o}/{})  Uid: ({:5}/{user:>8})   Gid: ({:5}/{group:>8})",
            permissions(s.mode),
            s.uid,
            s.gid
        );
        for (what, ns) in [("Access", s.atime_ns), ("Modify", s.mtime_ns), ("Change", s.ctime_ns)] {
            say!("{what}: {}", full_time(ns));
        }
        say!(" Birth: {}", if s.birth_ns == 0 { "-".into() } else { full_time(s.birth_ns) });
    }
    Ok(status)
}

/// The sequences of GNU's `stat -c` that make sense here.
fn formatted(format: &str, name: &str, s: &Stat, users: &Names, groups: &Names) -> String {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        out += &match chars.next() {
            Some('n') => name.to_string(),
            Some('s') => s.size.to_string(),
            Some('a') => format!("{:o}", s.mode & mode::PERM),
            Some('A') => permissions(s.mode),
            Some('f') => format!("{:x}", s.mode),
            Some('F') => kind(s.mode, s.size).to_string(),
            Some('u') => s.uid.to_string(),
            Some('U') => users.name(s.uid),
            Some('g') => s.gid.to_string(),
            Some('G') => groups.name(s.gid),
            Some('h') => s.nlink.to_string(),
            Some('i') => s.ino.to_string(),
            Some('d') => s.dev.to_string(),
            Some('b') => s.blocks.to_string(),
            Some('B') => "512".into(),
            Some('o') => s.blksize.to_string(),
            Some('x') => full_time(s.atime_ns),
            Some('y') => full_time(s.mtime_ns),
            Some('z') => full_time(s.ctime_ns),
            Some('X') => s.atime_ns.div_euclid(1_000_000_000).to_string(),
            Some('Y') => s.mtime_ns.div_euclid(1_000_000_000).to_string(),
            Some('Z') => s.ctime_ns.div_euclid(1_000_000_000).to_string(),
            Some('%') => "%".into(),
            Some(other) => format!("%{other}"),
            None => "%".into(),
        };
    }
    out
}

pub fn du(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "abchkmsxd:", "du [-abchkmsx] [-d DEPTH] [FILE...]", false)?;
    let depth = match o.value(b'd') {
        Some(d) => number(d)?,
        None if o.has(b's') => 0,
        None => usize::MAX,
    };
    let paths = if o.operands.is_empty() { vec![b".".to_vec()] } else { o.operands.clone() };
    let mut walk = Du { o: &o, depth, seen: HashSet::new(), status: 0 };
    let mut total = 0;
    for p in &paths {
        let dev = fs::lstat(p).map(|s| s.dev).unwrap_or(0);
        total += walk.visit(p, 0, dev);
    }
    if o.has(b'c') {
        walk.line(total, b"total");
    }
    Ok(walk.status)
}

struct Du<'a> {
    o: &'a Options,
    depth: usize,
    /// Files with several links count once.
    seen: HashSet<(u64, u64)>,
    status: i32,
}

impl Du<'_> {
    /// Bytes of a tree.
    fn visit(&mut self, path: &[u8], level: usize, dev: u64) -> u64 {
        let s = match fs::lstat(path) {
            Ok(s) => s,
            Err(e) => return self.complain(path, e),
        };
        if self.o.has(b'x') && s.dev != dev || s.nlink > 1 && !self.seen.insert((s.dev, s.ino)) {
            return 0;
        }
        let mut bytes = if self.o.has(b'b') { s.size } else { s.blocks * 512 };
        let dir = s.mode & mode::IFMT == mode::IFDIR;
        if dir {
            match fs::read_dir(path) {
                Ok(names) => {
                    for n in names {
                        bytes += self.visit(&join(path, &n.name), level + 1, dev);
                    }
                }
                Err(e) => drop(self.complain(path, e)),
            }
        }
        if level == 0 || level <= self.depth && (dir || self.o.has(b'a')) {
            self.line(bytes, path);
        }
        bytes
    }

    fn line(&self, bytes: u64, path: &[u8]) {
        let size = match (self.o.has(b'h'), self.o.has(b'b'), self.o.has(b'm')) {
            (true, ..) => human(bytes),
            (_, true, _) => bytes.to_string(),
            (.., true) => bytes.div_ceil(1 << 20).to_string(),
            _ => bytes.div_ceil(1024).to_string(),
        };
        say!("{size}\t{}", String::from_utf8_lossy(path));
    }

    fn complain(&mut self, path: &[u8], e: vkernel_sys::Errno) -> u64 {
        eprintln!("du: {}: {e}", String::from_utf8_lossy(path));
        self.status = 1;
        0
    }
}

/// One line of `/proc/mounts`: kind, place, options.
pub struct Mount {
    pub kind: String,
    pub place: String,
    pub options: String,
}

pub fn mounts() -> Result<Vec<Mount>, Failure> {
    let text = io::read_file(b"/proc/mounts").map_err(|e| Failure::with(b"/proc/mounts", e))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let parse = |line: &str| {
        let f: Vec<&str> = line.split(' ').collect();
        let [_, place, kind, options, ..] = f.as_slice() else { return None };
        Some(Mount { kind: kind.to_string(), place: unescaped(place), options: options.to_string() })
    };
    Ok(text.lines().filter_map(parse).collect())
}

/// Blanks in paths are octal there.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out += &rest[..at];
        match rest.get(at + 1..at + 4).and_then(|d| u8::from_str_radix(d, 8).ok()) {
            Some(b) => {
                out.push(b as char);
                rest = &rest[at + 4..];
            }
            None => {
                out.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    out + rest
}

pub fn df(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "ahikP", "df [-ahik] [FILE...]", false)?;
    let mut all = mounts()?;
    let mut status = 0;
    if !o.operands.is_empty() {
        let mut wanted = Vec::new();
        for path in &o.operands {
            let dev = match fs::stat(path) {
                Ok(s) => s.dev,
                Err(e) => {
                    eprintln!("df: {}: {e}", String::from_utf8_lossy(path));
                    status = 1;
                    continue;
                }
            };
            wanted.extend(all.iter().rposition(|m| fs::stat(m.place.as_bytes()).is_ok_and(|s| s.dev == dev)));
        }
        let mut i = 0;
        all.retain(|_| (wanted.contains(&i), i += 1).0);
    }
    let head = if o.has(b'i') { ["Inodes", "IUsed", "IFree"] } else { ["1K-blocks", "Used", "Available"] };
    let head = if o.has(b'h') && !o.has(b'i') { ["Size", "Used", "Avail"] } else { head };
    say!("{:<12} {:>12} {:>12} {:>12} Use% Mounted on", "Filesystem", head[0], head[1], head[2]);
    for m in &all {
        let space = io::open(m.place.as_bytes(), o::RDONLY | o::CLOEXEC, 0).and_then(|fd| {
            let v = fs::fstatvfs(fd);
            let _ = io::close(fd);
            v
        });
        let Ok(v) = space else { continue };
        let (total, free) = if o.has(b'i') { (v.files, v.ffree) } else { (v.blocks * v.bsize, v.bfree * v.bsize) };
        if total == 0 && !o.has(b'a') && o.operands.is_empty() {
            continue;
        }
        let used = total.saturating_sub(free);
        let show = |n: u64| match (o.has(b'i'), o.has(b'h')) {
            (false, false) => (n / 1024).to_string(),
            (_, true) => human(n),
            _ => n.to_string(),
        };
        let percent = if total == 0 { "-".into() } else { format!("{}%", (used as f64 * 100.0 / total as f64).ceil()) };
        say!("{:<12} {:>12} {:>12} {:>12} {percent:>4} {}", m.kind, show(total), show(used), show(free), m.place);
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    #[test]
    fn octal_blanks_come_back() {
        assert_eq!(super::unescaped("/a\\040b\\134"), "/a b\\");
        assert_eq!(super::unescaped("/x\\9"), "/x\\9");
    }
}
