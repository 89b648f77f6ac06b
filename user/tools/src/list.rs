//! `ls`.

mod layout;

use crate::options::{Failure, Options};
use crate::say;
use crate::show::{Names, human, permissions, printable, put, short_time};
use layout::Layout;
use vkernel_sys::{Stat, fs, mode, sys, tty};

const USAGE: &str = "ls [-1AaCdFfgHhikLlmnopqRrSstUuxbc] [--color] [FILE...]";

/// How it is to look.
struct Look {
    long: bool,
    numeric: bool,
    /// Who owns it is left out of a long line, and which group.
    ownerless: bool,
    groupless: bool,
    all: bool,
    dots: bool,
    directory: bool,
    recursive: bool,
    classify: bool,
    slash: bool,
    /// Links are looked behind everywhere (`-L`), or on the command line (`-H`).
    behind: bool,
    behind_operands: bool,
    inode: bool,
    human: bool,
    blocks: bool,
    columns: Option<usize>,
    layout: Layout,
    color: bool,
    spelling: Spelling,
    by: u8,
    /// Which time is shown and sorted by: of the data, the status (`-c`) or the last use (`-u`).
    time: u8,
    reverse: bool,
    users: Names,
    groups: Names,
    now_ns: i64,
}

/// How bytes of a name are shown that are no characters to print.
#[derive(Clone, Copy, PartialEq)]
enum Spelling {
    Raw,
    Question,
    Escaped,
}

impl Spelling {
    fn of(self, name: &[u8]) -> Vec<u8> {
        if self != Spelling::Escaped {
            return printable(name, self == Spelling::Question);
        }
        let mut out = Vec::new();
        for &b in name {
            match b {
                b'\n' => out.extend(b"\\n"),
                b'\t' => out.extend(b"\\t"),
                b'\r' => out.extend(b"\\r"),
                b' ' | b'\\' => out.extend([b'\\', b]),
                0..b' ' | 0x7f => out.extend(format!("\\{b:03o}").bytes()),
                _ => out.push(b),
            }
        }
        out
    }
}

struct Entry {
    name: Vec<u8>,
    path: Vec<u8>,
    stat: Stat,
}

pub fn ls(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let terminal = tty::isatty(1);
    let mut color = terminal;
    let mut rest = Vec::new();
    for a in args {
        match a.as_slice() {
            b"--color" | b"--color=always" => color = true,
            b"--color=never" => color = false,
            b"--color=auto" => color = terminal,
            _ => rest.push(a.clone()),
        }
    }
    let o = Options::parse(&rest, "1ACabcdFfgHhikLlmnopqRrSstUux", USAGE, false)?;
    let look = look(&o, color, terminal);
    let paths = if o.operands.is_empty() { vec![b".".to_vec()] } else { o.operands };
    Ok(top(&look, paths))
}

/// What the options ask for (POSIX `ls`, and `-b`, `-h` and `-U` of others).
fn look(o: &Options, color: bool, terminal: bool) -> Look {
    let long = o.has(b'l') || o.has(b'n') || o.has(b'g') || o.has(b'o');
    let width = if terminal { tty::winsize(1).map(|w| w.cols as usize).unwrap_or(80).max(20) } else { 80 };
    let form = o.last_of(b"1Cmx").unwrap_or(if terminal { b'C' } else { b'1' });
    let time = o.last_of(b"cu").unwrap_or(b'm');
    // Without a long line that would show it, a time that is chosen is there to be sorted by.
    let by = if time != b'm' && !long { b't' } else { b'n' };
    Look {
        long,
        numeric: o.has(b'n'),
        ownerless: o.has(b'g'),
        groupless: o.has(b'o'),
        all: o.has(b'a') || o.has(b'A') || o.has(b'f'),
        dots: o.has(b'a') || o.has(b'f'),
        directory: o.has(b'd'),
        recursive: o.has(b'R'),
        classify: o.has(b'F'),
        slash: o.has(b'p'),
        behind: o.last_of(b"HL") == Some(b'L'),
        behind_operands: o.has(b'H'),
        inode: o.has(b'i'),
        human: o.has(b'h'),
        blocks: o.has(b's'),
        columns: (!long && form != b'1').then_some(width),
        layout: match form {
            b'm' => Layout::Commas,
            b'x' => Layout::Across,
            _ => Layout::Down,
        },
        color,
        spelling: match o.last_of(b"bq") {
            Some(b'b') => Spelling::Escaped,
            None if !terminal => Spelling::Raw,
            _ => Spelling::Question,
        },
        by: if o.has(b'f') { b'U' } else { o.last_of(b"StU").unwrap_or(by) },
        time,
        reverse: o.has(b'r'),
        users: Names::users(),
        groups: Names::groups(),
        now_ns: sys::clock_gettime(0).unwrap_or(0) as i64,
    }
}

fn complain(path: &[u8], e: vkernel_sys::Errno) {
    eprintln!("ls: {}: {e}", String::from_utf8_lossy(path));
}

/// Files first, then directories, each under its name when there are several.
fn top(look: &Look, paths: Vec<Vec<u8>>) -> i32 {
    let (mut files, mut dirs, mut status) = (Vec::new(), Vec::new(), 0);
    let several = paths.len() > 1 || look.recursive;
    for path in paths {
        // A link on the command line is followed unless it is shown itself (POSIX `ls`).
        let plain = !look.long && !look.directory && !look.classify;
        let follow = plain || look.behind || look.behind_operands;
        let stat = match if follow { fs::stat(&path).or_else(|_| fs::lstat(&path)) } else { fs::lstat(&path) } {
            Ok(s) => s,
            Err(e) => {
                complain(&path, e);
                status = 2;
                continue;
            }
        };
        let entry = Entry { name: path.clone(), path, stat };
        let dir = entry.stat.mode & mode::IFMT == mode::IFDIR;
        if dir && !look.directory { dirs.push(entry) } else { files.push(entry) }
    }
    sort(look, &mut files);
    sort(look, &mut dirs);
    let mut first = files.is_empty();
    show(look, &files);
    for d in dirs {
        status = status.max(directory(look, &d.path, several, &mut first));
    }
    status
}

fn directory(look: &Look, path: &[u8], titled: bool, first: &mut bool) -> i32 {
    let names = match fs::read_dir(path) {
        Ok(n) => n,
        Err(e) => {
            complain(path, e);
            return 1;
        }
    };
    if titled {
        if !std::mem::take(first) {
            put(b"\n");
        }
        put(&look.spelling.of(path));
        put(b":\n");
    }
    let mut names: Vec<Vec<u8>> =
        names.into_iter().map(|e| e.name).filter(|n| look.all || !n.starts_with(b".")).collect();
    if look.dots {
        names.extend([b".".to_vec(), b"..".to_vec()]);
    }
    let mut status = 0;
    let mut entries = Vec::with_capacity(names.len());
    for name in names {
        let path = join(path, &name);
        match if look.behind { fs::stat(&path).or_else(|_| fs::lstat(&path)) } else { fs::lstat(&path) } {
            Ok(stat) => entries.push(Entry { name, path, stat }),
            // It may have been removed since; a name that can't be looked at is worth a word.
            Err(vkernel_sys::Errno::ENOENT) => {}
            Err(e) => {
                complain(&path, e);
                status = 1;
            }
        }
    }
    sort(look, &mut entries);
    if look.long || look.blocks {
        let blocks: u64 = entries.iter().map(|e| e.stat.blocks).sum();
        say!("total {}", if look.human { human(blocks * 512) } else { blocks.div_ceil(2).to_string() });
    }
    show(look, &entries);
    if look.recursive {
        for e in entries.iter().filter(|e| e.stat.mode & mode::IFMT == mode::IFDIR) {
            if e.name != b"." && e.name != b".." {
                status = status.max(directory(look, &e.path, true, first));
            }
        }
    }
    status
}

pub fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = dir.to_vec();
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

fn time(look: &Look, s: &Stat) -> i64 {
    match look.time {
        b'c' => s.ctime_ns,
        b'u' => s.atime_ns,
        _ => s.mtime_ns,
    }
}

fn sort(look: &Look, entries: &mut [Entry]) {
    match look.by {
        b'U' => {}
        b't' => entries.sort_by(|a, b| time(look, &b.stat).cmp(&time(look, &a.stat)).then_with(|| a.name.cmp(&b.name))),
        b'S' => entries.sort_by(|a, b| b.stat.size.cmp(&a.stat.size).then_with(|| a.name.cmp(&b.name))),
        _ => entries.sort_by(|a, b| a.name.cmp(&b.name)),
    }
    if look.reverse && look.by != b'U' {
        entries.reverse();
    }
}

/// The name as it is shown, and how wide that is.
fn label(look: &Look, e: &Entry) -> (Vec<u8>, usize) {
    let shown = look.spelling.of(&e.name);
    let mut width = String::from_utf8_lossy(&shown).chars().count();
    let kind = e.stat.mode & mode::IFMT;
    let executable = kind == mode::IFREG && e.stat.mode & 0o111 != 0;
    let mut out = Vec::new();
    if look.inode {
        let ino = format!("{} ", e.stat.ino);
        width += ino.len();
        out.extend_from_slice(ino.as_bytes());
    }
    if look.blocks {
        let blocks = format!("{} ", e.stat.blocks.div_ceil(2));
        width += blocks.len();
        out.extend_from_slice(blocks.as_bytes());
    }
    let color = match kind {
        _ if !look.color => None,
        mode::IFDIR => Some("1;34"),
        mode::IFLNK => Some("1;36"),
        mode::IFCHR | mode::IFBLK => Some("1;33"),
        mode::IFIFO => Some("33"),
        _ if executable => Some("1;32"),
        _ => None,
    };
    if let Some(c) = color {
        out.extend_from_slice(format!("\x1b[{c}m").as_bytes());
    }
    out.extend_from_slice(&shown);
    if color.is_some() {
        out.extend_from_slice(b"\x1b[0m");
    }
    let mark = match kind {
        mode::IFDIR if look.classify || look.slash => Some(b'/'),
        _ if !look.classify => None,
        mode::IFLNK if !look.long => Some(b'@'),
        mode::IFIFO => Some(b'|'),
        _ if executable => Some(b'*'),
        _ => None,
    };
    width += mark.is_some() as usize;
    out.extend(mark);
    (out, width)
}

fn show(look: &Look, entries: &[Entry]) {
    if look.long {
        return long(look, entries);
    }
    let labels: Vec<_> = entries.iter().map(|e| label(look, e)).collect();
    let Some(width) = look.columns else {
        for (l, _) in &labels {
            put(l);
            put(b"\n");
        }
        return;
    };
    match look.layout {
        Layout::Down => layout::down(&labels, width),
        Layout::Across => layout::across(&labels, width),
        Layout::Commas => layout::commas(&labels, width),
    }
}

fn long(look: &Look, entries: &[Entry]) {
    let owner = |id: u32, names: &Names| if look.numeric { id.to_string() } else { names.name(id) };
    let rows: Vec<[String; 6]> = entries
        .iter()
        .map(|e| {
            let s = &e.stat;
            let device = matches!(s.mode & mode::IFMT, mode::IFCHR | mode::IFBLK);
            let size = match (device, look.human) {
                (true, _) => format!("{}, {}", s.rdev >> 8, s.rdev & 0xff),
                (_, true) => human(s.size),
                _ => s.size.to_string(),
            };
            let time = short_time(time(look, s), look.now_ns);
            [
                permissions(s.mode),
                s.nlink.to_string(),
                owner(s.uid, &look.users),
                owner(s.gid, &look.groups),
                size,
                time,
            ]
        })
        .collect();
    let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0);
    let (links, users, groups, sizes) = (width(1), width(2), width(3), width(4));
    for (r, e) in rows.iter().zip(entries) {
        let [perm, nlink, user, group, size, time] = r;
        let user = if look.ownerless { String::new() } else { format!("{user:<users$} ") };
        let group = if look.groupless { String::new() } else { format!("{group:<groups$} ") };
        put(format!("{perm} {nlink:>links$} {user}{group}{size:>sizes$} {time} ").as_bytes());
        put(&label(look, e).0);
        if e.stat.mode & mode::IFMT == mode::IFLNK {
            put(b" -> ");
            put(&look.spelling.of(&fs::readlink(&e.path).unwrap_or_else(|_| b"?".to_vec())));
        }
        put(b"\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_joined_to_its_directory() {
        assert_eq!(join(b"/", b"a"), b"/a");
        assert_eq!(join(b"d", b"a"), b"d/a");
    }
}
