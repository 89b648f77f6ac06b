//! `tar`: archives in the ustar form, with GNU's for long names.

use crate::Fd;
use crate::options::{Failure, Options, number};
use ::tar::{Archive, Builder, Entry, EntryType, Header};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use kit::show::{Names, permissions, put};
use posix_regex::{Regex, glob};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use vkernel_sys::{Errno, Stat, at, fs, io, mode, o, proc};

const USAGE: &str = "\
tar -c|-t|-x [-Ohkpvz] [-f ARCHIVE] [-C DIR] [-T LIST] [--exclude=GLOB] [--strip-components=N] [FILE...]";
const EXCLUDE: u8 = 1;
const STRIP: u8 = 2;
const WORDS: &[(&str, u8)] = &[
    ("create", b'c'),
    ("list", b't'),
    ("extract", b'x'),
    ("get", b'x'),
    ("file", b'f'),
    ("directory", b'C'),
    ("verbose", b'v'),
    ("gzip", b'z'),
    ("to-stdout", b'O'),
    ("keep-old-files", b'k'),
    ("preserve-permissions", b'p'),
    ("dereference", b'h'),
    ("files-from", b'T'),
    ("exclude", EXCLUDE),
    ("strip-components", STRIP),
];

struct Tar {
    o: Options,
    exclude: Vec<Regex>,
    status: i32,
    /// Files with several names, by where they are: the name that is in the archive already.
    links: HashMap<(u64, u64), Vec<u8>>,
}

type Done = std::io::Result<()>;

pub fn tar(args: &[Vec<u8>]) -> Result<i32, Failure> {
    // `tar xf FILE` has no minus.
    let mut args = args.to_vec();
    if let Some(first) = args.first_mut().filter(|a| !a.starts_with(b"-") && !a.is_empty()) {
        first.insert(0, b'-');
    }
    let o = Options::parse_long(&args, "ctxOhkpvzf:C:T:\x01:\x02:", WORDS, USAGE, false)?;
    let exclude = o.values(EXCLUDE).map(|g| glob(g, false)).collect::<Result<_, _>>().map_err(Failure::usage)?;
    let path = o.value(b'f').unwrap_or(b"-").to_vec();
    let action =
        o.last_of(b"ctx").ok_or_else(|| Failure::usage(format!("one of -c, -t and -x is needed\nusage: {USAGE}")))?;
    let mut t = Tar { o, exclude, status: 0, links: HashMap::new() };
    let two =
        |path: &[u8], e: String| Failure { status: 2, message: format!("{}: {e}", String::from_utf8_lossy(path)) };
    let done = if action == b'c' { t.create(&path) } else { t.read(&path, action == b'x') };
    done.map_err(|e| two(&path, e.to_string()))?;
    Ok(t.status)
}

fn other(e: Errno) -> std::io::Error {
    std::io::Error::other(e.to_string())
}

impl Tar {
    fn complain(&mut self, path: &[u8], e: impl std::fmt::Display) {
        kit::show::flush_now();
        eprintln!("tar: {}: {e}", String::from_utf8_lossy(path));
        self.status = 2;
    }

    fn enter(&self) -> Done {
        let Some(dir) = self.o.value(b'C') else { return Ok(()) };
        fs::chdir(dir).map_err(|e| std::io::Error::other(format!("-C {}: {e}", String::from_utf8_lossy(dir))))
    }

    fn create(&mut self, path: &[u8]) -> Done {
        let mut names = self.o.operands.clone();
        if let Some(list) = self.o.value(b'T') {
            let text = if list == b"-" { io::read_to_end(0) } else { io::read_file(list) }.map_err(other)?;
            names.extend(text.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(<[u8]>::to_vec));
        }
        if names.is_empty() {
            return Err(std::io::Error::other("there is nothing to put into it"));
        }
        let fd = match path {
            b"-" => 1,
            _ => io::open(path, o::WRONLY | o::CREAT | o::TRUNC | o::CLOEXEC, 0o666).map_err(other)?,
        };
        self.enter()?;
        if self.o.has(b'z') {
            let mut out = Builder::new(GzEncoder::new(Fd(fd), Compression::default()));
            names.iter().try_for_each(|n| self.add(&mut out, n))?;
            out.into_inner()?.finish()?;
        } else {
            let mut out = Builder::new(BufWriter::with_capacity(32 << 10, Fd(fd)));
            names.iter().try_for_each(|n| self.add(&mut out, n))?;
            out.into_inner()?.flush()?;
        }
        if fd > 2 { io::close(fd).map_err(other) } else { Ok(()) }
    }

    fn add<W: Write>(&mut self, out: &mut Builder<W>, path: &[u8]) -> Done {
        let stat = if self.o.has(b'h') { fs::stat(path) } else { fs::lstat(path) };
        let stat = match stat {
            Ok(stat) => stat,
            Err(e) => {
                self.complain(path, e);
                return Ok(());
            }
        };
        let base = path.rsplit(|b| *b == b'/').next().unwrap_or(path);
        if self.exclude.iter().any(|g| g.is_match(base) || g.is_match(path)) {
            return Ok(());
        }
        let dir = stat.mode & mode::IFMT == mode::IFDIR;
        let mut name = path.to_vec();
        while name.starts_with(b"/") {
            name.remove(0);
        }
        if dir && !name.ends_with(b"/") {
            name.push(b'/');
        }
        if self.o.has(b'v') {
            let line = [name.as_slice(), b"\n"].concat();
            // Where the archive goes to standard output, what is said goes elsewhere.
            if self.o.value(b'f').is_none_or(|f| f == b"-") {
                io::write_all(2, &line).map_err(other)?
            } else {
                put(&line)
            }
        }
        if let Err(e) = self.entry(out, path, &name, &stat) {
            self.complain(path, e);
        }
        if dir {
            match fs::read_dir(path) {
                Ok(names) => {
                    for n in names {
                        let slash: &[u8] = if path.ends_with(b"/") { b"" } else { b"/" };
                        self.add(out, &[path, slash, &n.name].concat())?;
                    }
                }
                Err(e) => self.complain(path, e),
            }
        }
        Ok(())
    }

    fn entry<W: Write>(&mut self, out: &mut Builder<W>, path: &[u8], name: &[u8], stat: &Stat) -> Done {
        let mut h = Header::new_gnu();
        h.set_mode(stat.mode & 0o7777);
        h.set_uid(stat.uid as u64);
        h.set_gid(stat.gid as u64);
        h.set_mtime(stat.mtime_ns.div_euclid(1_000_000_000).max(0) as u64);
        h.set_username(&Names::users().name(stat.uid))?;
        h.set_groupname(&Names::groups().name(stat.gid))?;
        h.set_size(0);
        let text = |b: &[u8]| String::from_utf8(b.to_vec()).map_err(std::io::Error::other);
        let shown = text(name)?;
        let kind = stat.mode & mode::IFMT;
        if kind == mode::IFREG && stat.nlink > 1 {
            if let Some(first) = self.links.get(&(stat.dev, stat.ino)) {
                h.set_entry_type(EntryType::Link);
                return out.append_link(&mut h, shown, text(first)?);
            }
            self.links.insert((stat.dev, stat.ino), name.to_vec());
        }
        match kind {
            mode::IFREG => {
                let fd = io::open(path, o::RDONLY | o::CLOEXEC, 0).map_err(other)?;
                h.set_size(stat.size);
                // As long as its header says, whatever happens to it meanwhile.
                let data = Fd(fd).take(stat.size).chain(std::io::repeat(0)).take(stat.size);
                let done = out.append_data(&mut h, shown, data);
                let _ = io::close(fd);
                done
            }
            mode::IFLNK => {
                h.set_entry_type(EntryType::Symlink);
                out.append_link(&mut h, shown, text(&fs::readlink(path).map_err(other)?)?)
            }
            mode::IFDIR => {
                h.set_entry_type(EntryType::Directory);
                out.append_data(&mut h, shown, std::io::empty())
            }
            mode::IFIFO => {
                h.set_entry_type(EntryType::Fifo);
                out.append_data(&mut h, shown, std::io::empty())
            }
            _ => Err(std::io::Error::other("neither file nor directory nor link: left out")),
        }
    }

    fn read(&mut self, path: &[u8], extract: bool) -> Done {
        let fd = match path {
            b"-" => 0,
            _ => io::open(path, o::RDONLY | o::CLOEXEC, 0).map_err(other)?,
        };
        self.enter()?;
        let mut input = BufReader::with_capacity(32 << 10, Fd(fd));
        // Whether it is compressed is seen at its beginning.
        let packed = self.o.has(b'z') || input.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        if packed { self.entries(MultiGzDecoder::new(input), extract) } else { self.entries(input, extract) }
    }

    fn entries(&mut self, input: impl Read, extract: bool) -> Done {
        let mut archive = Archive::new(input);
        let wanted: Vec<Vec<u8>> = self.o.operands.iter().map(|n| n.strip_suffix(b"/").unwrap_or(n).to_vec()).collect();
        let mut found = vec![false; wanted.len()];
        let strip = self.o.value(STRIP).map_or(Ok(0), number::<usize>).map_err(|f| std::io::Error::other(f.message))?;
        // Directories get their modes and times last: what is put into them would change both.
        let mut directories = Vec::new();
        for entry in archive.entries()? {
            let mut entry = entry?;
            let name = entry.path_bytes().into_owned();
            let plain = name.strip_suffix(b"/").unwrap_or(&name);
            let which = wanted
                .iter()
                .position(|w| plain == w.as_slice() || (plain.starts_with(w) && plain.get(w.len()) == Some(&b'/')));
            if let Some(n) = which {
                found[n] = true;
            }
            let base = plain.rsplit(|b| *b == b'/').next().unwrap_or(plain);
            let left_out = self.exclude.iter().any(|g| g.is_match(base) || g.is_match(plain));
            if (which.is_none() && !wanted.is_empty()) || left_out {
                continue;
            }
            if !extract {
                self.list(&entry.header().clone(), &name, &entry.link_name_bytes().unwrap_or_default());
                continue;
            }
            if self.o.has(b'v') {
                put(&[&name, b"\n".as_slice()].concat());
            }
            let to: Vec<&[u8]> =
                plain.split(|b| *b == b'/').filter(|p| !p.is_empty() && *p != b".").skip(strip).collect();
            // Nothing outside of the place it is unpacked at.
            if to.contains(&&b".."[..]) {
                self.complain(&name, "leads out of the directory: left out");
                continue;
            }
            if to.is_empty() {
                continue;
            }
            if let Err(e) = self.extract(&mut entry, &to.join(&b'/'), &mut directories) {
                self.complain(&name, e);
            }
        }
        for (path, mode, mtime) in directories.iter().rev() {
            let done = fs::chmod(path, *mode, 0).and_then(|()| fs::utimens(path, fs::UTIME_OMIT, *mtime, 0));
            if let Err(e) = done {
                self.complain(path, e);
            }
        }
        for (w, _) in wanted.iter().zip(&found).filter(|(_, f)| !**f) {
            self.complain(w, "not found in archive");
        }
        Ok(())
    }

    fn list(&self, h: &Header, name: &[u8], link: &[u8]) {
        let mut line = Vec::new();
        if self.o.has(b'v') {
            let kind = match h.entry_type() {
                EntryType::Directory => mode::IFDIR,
                EntryType::Symlink => mode::IFLNK,
                EntryType::Fifo => mode::IFIFO,
                _ => mode::IFREG,
            };
            let who = |n: Option<&str>, id: std::io::Result<u64>| {
                n.filter(|n| !n.is_empty()).map_or_else(|| id.unwrap_or(0).to_string(), String::from)
            };
            let owner = who(h.username().ok().flatten(), h.uid()) + "/" + &who(h.groupname().ok().flatten(), h.gid());
            let (y, mo, d, hour, minute, _) = kit::show::civil(h.mtime().unwrap_or(0) as i64 * 1_000_000_000);
            let size = h.size().unwrap_or(0);
            let fill = 18usize.saturating_sub(owner.len());
            let mut mode = permissions(kind | (h.mode().unwrap_or(0) & 0o7777));
            if h.entry_type() == EntryType::Link {
                mode.replace_range(..1, "h");
            }
            line = format!("{mode} {owner} {size:>fill$} {y:04}-{mo:02}-{d:02} {hour:02}:{minute:02} ").into_bytes();
        }
        line.extend_from_slice(name);
        if self.o.has(b'v') && !link.is_empty() {
            let arrow: &[u8] = if h.entry_type() == EntryType::Symlink { b" -> " } else { b" link to " };
            line.extend([arrow, link].concat());
        }
        line.push(b'\n');
        put(&line);
    }

    fn extract<R: Read>(&self, entry: &mut Entry<R>, path: &[u8], directories: &mut Vec<(Vec<u8>, u32, i64)>) -> Done {
        let h = entry.header().clone();
        let mask = if self.o.has(b'p') || proc::geteuid() == 0 { 0o7777 } else { 0o777 & !umask() };
        let bits = h.mode()? & mask;
        let mtime = h.mtime()? as i64 * 1_000_000_000;
        if self.o.has(b'O') {
            std::io::copy(entry, &mut Out).map(|_| ())?;
            return Ok(());
        }
        make_parents(path)?;
        let kind = h.entry_type();
        if kind != EntryType::Directory && fs::lstat(path).is_ok() {
            if self.o.has(b'k') {
                return Err(other(Errno::EEXIST));
            }
            fs::unlink(path).map_err(other)?;
        }
        let link = entry.link_name_bytes().map(|l| l.into_owned()).unwrap_or_default();
        match kind {
            EntryType::Directory => {
                match fs::mkdir(path, 0o700) {
                    Err(Errno::EEXIST) | Ok(()) => {}
                    Err(e) => return Err(other(e)),
                }
                directories.push((path.to_vec(), bits, mtime));
                return Ok(());
            }
            EntryType::Symlink => return fs::symlink(&link, path).map_err(other),
            EntryType::Link => return fs::link(&link, path, 0).map_err(other),
            EntryType::Fifo => fs::mknod(path, mode::IFIFO | bits, 0).map_err(other)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let flags = o::WRONLY | o::CREAT | o::EXCL | o::CLOEXEC;
                let fd = io::open(path, flags, 0o600).map_err(other)?;
                let done = std::io::copy(entry, &mut Fd(fd));
                io::close(fd).map_err(other)?;
                done?;
            }
            _ => return Err(std::io::Error::other("of a kind that is not made here: left out")),
        }
        if proc::geteuid() == 0 {
            fs::chown(path, h.uid()? as u32, h.gid()? as u32, at::SYMLINK_NOFOLLOW).map_err(other)?;
        }
        fs::chmod(path, bits, 0).and_then(|()| fs::utimens(path, fs::UTIME_OMIT, mtime, 0)).map_err(other)
    }
}

fn umask() -> u32 {
    let mask = proc::umask(0);
    proc::umask(mask);
    mask
}

/// Standard output, in its order with what is put there.
struct Out;

impl Write for Out {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        put(buf);
        Ok(buf.len())
    }
    fn flush(&mut self) -> Done {
        Ok(())
    }
}

/// Directories on the way. A link among them could lead anywhere, and is not followed.
fn make_parents(path: &[u8]) -> Done {
    for (i, _) in path.iter().enumerate().filter(|(_, b)| **b == b'/') {
        match fs::lstat(&path[..i]) {
            Ok(s) if s.mode & mode::IFMT == mode::IFLNK => return Err(other(Errno::ELOOP)),
            Ok(_) => {}
            Err(_) => fs::mkdir(&path[..i], 0o777).map_err(other)?,
        }
    }
    Ok(())
}
