//! `ls`.

use crate::options::{Failure, Options};
use crate::say;
use crate::show::{Names, human, permissions, printable, put, short_time};
use vkernel_sys::{Stat, fs, mode, sys, tty};

const USAGE: &str = "ls [-1AadFhilnRrSst] [--color] [FILE...]";

/// How it is to look.
struct Look {
    long: bool,
    numeric: bool,
    all: bool,
    dots: bool,
    directory: bool,
    recursive: bool,
    classify: bool,
    inode: bool,
    human: bool,
    blocks: bool,
    columns: Option<usize>,
    color: bool,
    terminal: bool,
    by: u8,
    reverse: bool,
    users: Names,
    groups: Names,
    now_ns: i64,
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
    let o = Options::parse(&rest, "1ACadFghilnoRrSstU", USAGE, false)?;
    let long = o.has(b'l') || o.has(b'n') || o.has(b'g') || o.has(b'o');
    let width = if terminal { tty::winsize(1).map(|w| w.cols as usize).unwrap_or(80).max(20) } else { 80 };
    let one = o.last_of(b"1C").map_or(!terminal, |l| l == b'1');
    let look = Look {
        long,
        numeric: o.has(b'n'),
        all: o.has(b'a') || o.has(b'A'),
        dots: o.has(b'a'),
        directory: o.has(b'd'),
        recursive: o.has(b'R'),
        classify: o.has(b'F'),
        inode: o.has(b'i'),
        human: o.has(b'h'),
        blocks: o.has(b's'),
        columns: (!long && !one).then_some(width),
        color,
        terminal,
        by: o.last_of(b"StU").unwrap_or(b'n'),
        reverse: o.has(b'r'),
        users: Names::users(),
        groups: Names::groups(),
        now_ns: sys::clock_gettime(0).unwrap_or(0) as i64,
    };
    let paths = if o.operands.is_empty() { vec![b".".to_vec()] } else { o.operands };
    Ok(top(&look, paths))
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
        let follow = !look.long && !look.directory && !look.classify;
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
        put(&printable(path, look.terminal));
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
        match fs::lstat(&path) {
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

fn sort(look: &Look, entries: &mut [Entry]) {
    match look.by {
        b'U' => {}
        b't' => entries.sort_by(|a, b| b.stat.mtime_ns.cmp(&a.stat.mtime_ns).then_with(|| a.name.cmp(&b.name))),
        b'S' => entries.sort_by(|a, b| b.stat.size.cmp(&a.stat.size).then_with(|| a.name.cmp(&b.name))),
        _ => entries.sort_by(|a, b| a.name.cmp(&b.name)),
    }
    if look.reverse {
        entries.reverse();
    }
}

/// The name as it is shown, and how wide that is.
fn label(look: &Look, e: &Entry) -> (Vec<u8>, usize) {
    let shown = printable(&e.name, look.terminal);
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
        _ if !look.classify => None,
        mode::IFDIR => Some(b'/'),
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
    let (rows, widths) = columns(&labels.iter().map(|l| l.1).collect::<Vec<_>>(), width);
    for row in 0..rows {
        for (col, w) in widths.iter().enumerate() {
            let Some((text, own)) = labels.get(col * rows + row) else { break };
            put(text);
            if labels.get((col + 1) * rows + row).is_some() {
                put(" ".repeat(w + 2 - own).as_bytes());
            }
        }
        put(b"\n");
    }
}

/// The fewest rows into which names of these widths go, filled column by column.
fn columns(widths: &[usize], screen: usize) -> (usize, Vec<usize>) {
    for rows in 1..=widths.len() {
        let cols: Vec<usize> = widths.chunks(rows).map(|c| c.iter().copied().max().unwrap_or(0)).collect();
        if cols.iter().sum::<usize>() + 2 * (cols.len() - 1) <= screen {
            return (rows, cols);
        }
    }
    (widths.len(), widths.iter().max().copied().into_iter().collect())
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
            let time = short_time(s.mtime_ns, look.now_ns);
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
        put(format!("{perm} {nlink:>links$} {user:<users$} {group:<groups$} {size:>sizes$} {time} ").as_bytes());
        put(&label(look, e).0);
        if e.stat.mode & mode::IFMT == mode::IFLNK {
            put(b" -> ");
            put(&printable(&fs::readlink(&e.path).unwrap_or_else(|_| b"?".to_vec()), look.terminal));
        }
        put(b"\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_laid_out_in_columns_that_fit() {
        assert_eq!(columns(&[3, 3, 3], 20), (1, vec![3, 3, 3]));
        assert_eq!(columns(&[8, 8, 8, 8], 20), (2, vec![8, 8]));
        assert_eq!(columns(&[50], 20), (1, vec![50]));
        assert_eq!(columns(&[], 20), (0, vec![]));
        assert_eq!(join(b"/", b"a"), b"/a");
        assert_eq!(join(b"d", b"a"), b"d/a");
    }
}
