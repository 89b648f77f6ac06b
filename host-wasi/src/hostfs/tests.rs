//! The server, spoken to in bytes as a kernel does.

use super::*;
use abi::hostfs::{MSG_MAX, op};
use abi::types::dt;
use abi::wire::Reader;
use cap_std::ambient_authority;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// `rw` and `ro` are shared (handles 0 and 1), `outside` is not.
struct World {
    root: PathBuf,
    server: Server,
    buf: Vec<u8>,
}

const RW: u32 = 0;
const RO: u32 = 1;

impl World {
    fn new(name: &str) -> World {
        let root = std::env::temp_dir().join(format!("vk-hostfs-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for d in ["rw", "ro", "outside"] {
            fs::create_dir_all(root.join(d)).unwrap();
        }
        fs::write(root.join("outside/secret"), b"SECRET").unwrap();
        let export = |name, read_only| {
            let dir = Dir::open_ambient_dir(root.join(name), ambient_authority()).unwrap();
            Export { dir, read_only }
        };
        let server = Server::new(vec![export("rw", false), export("ro", true)]);
        World { server, root, buf: vec![0; MSG_MAX] }
    }
    fn path(&self, rel: &str) -> PathBuf {
        self.root.join(rel)
    }
    /// One request; what follows the status.
    fn call(&mut self, request: &[u8]) -> SysResult<Vec<u8>> {
        self.buf[..request.len()].copy_from_slice(request);
        let n = self.server.rpc(&mut self.buf, request.len());
        let mut r = Reader::new(&self.buf[..n]);
        match r.i32().expect("an answer has a status") {
            0 => Ok(r.rest().to_vec()),
            e => Err(Errno::from_raw(e.unsigned_abs()).expect("a known error")),
        }
    }
    fn open(&mut self, dir: u32, oflags: u32, name: &str) -> SysResult<u32> {
        let r = self.call(&msg(op::OPEN).u32(dir).u32(oflags).u32(0o666).str(name).0)?;
        Ok(u32::from_le_bytes(r[..4].try_into().unwrap()))
    }
    fn on_name(&mut self, op: u32, dir: u32, name: &str) -> SysResult<Vec<u8>> {
        self.call(&msg(op).u32(dir).str(name).0)
    }
    fn two_names(&mut self, op: u32, from: u32, to: u32, old: &str, new: &str) -> SysResult<Vec<u8>> {
        self.call(&msg(op).u32(from).u32(to).str(old).str(new).0)
    }
    fn lookup(&mut self, dir: u32, name: &str) -> SysResult<Attr> {
        let r = self.on_name(op::LOOKUP, dir, name)?;
        Attr::read(&mut Reader::new(&r))
    }
    fn read(&mut self, h: u32, off: u64, n: u32) -> SysResult<Vec<u8>> {
        let r = self.call(&msg(op::READ).u32(h).u64(off).u32(n).0)?;
        Ok(Reader::new(&r).string().unwrap().to_vec())
    }
    fn write(&mut self, h: u32, off: u64, data: &[u8]) -> SysResult<u32> {
        let r = self.call(&msg(op::WRITE).u32(h).u64(off).bytes(data).0)?;
        Ok(u32::from_le_bytes(r[..].try_into().unwrap()))
    }
    /// Entries after a cookie: cookie, type, name.
    fn readdir(&mut self, h: u32, cookie: u64) -> SysResult<Vec<(u64, u32, String)>> {
        let r = self.call(&msg(op::READDIR).u32(h).u64(cookie).0)?;
        let mut r = Reader::new(&r);
        let n = r.u32().unwrap();
        let mut out = Vec::new();
        for _ in 0..n {
            let (cookie, _ino, kind) = (r.u64().unwrap(), r.u64().unwrap(), r.u32().unwrap());
            out.push((cookie, kind, String::from_utf8_lossy(r.string().unwrap()).into_owned()));
        }
        assert!(r.rest().is_empty());
        Ok(out)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[derive(Clone)]
struct Msg(Vec<u8>);

fn msg(op: u32) -> Msg {
    Msg(op.to_le_bytes().to_vec())
}

impl Msg {
    fn u32(mut self, v: u32) -> Msg {
        self.0.extend(v.to_le_bytes());
        self
    }
    fn u64(mut self, v: u64) -> Msg {
        self.0.extend(v.to_le_bytes());
        self
    }
    fn bytes(self, b: &[u8]) -> Msg {
        let mut m = self.u32(b.len() as u32);
        m.0.extend(b);
        m
    }
    fn str(self, s: &str) -> Msg {
        self.bytes(s.as_bytes())
    }
}

const CREATE: u32 = o::CREAT | o::EXCL | o::RDWR;

#[test]
fn files_are_written_read_and_described() {
    let mut w = World::new("files");
    let h = w.open(RW, CREATE, "f").unwrap();
    assert_eq!(w.write(h, 3, b"hello"), Ok(5));
    assert_eq!(w.read(h, 0, 100), Ok(b"\0\0\0hello".to_vec()));
    assert_eq!(w.read(h, 100, 100), Ok(vec![]));
    let a = w.lookup(RW, "f").unwrap();
    let meta = fs::metadata(w.path("rw/f")).unwrap();
    assert_eq!((a.mode, a.size, a.nlink, a.ino, a.dev), (meta.mode(), 8, 1, meta.ino(), meta.dev()));
    assert_eq!(a.mtime_ns, meta.mtime() * 1_000_000_000 + meta.mtime_nsec());
    let r = w.call(&msg(op::GETATTR).u32(h).0).unwrap();
    assert_eq!(Attr::read(&mut Reader::new(&r)), Ok(a));
    assert_eq!(w.open(RW, CREATE, "f"), Err(Errno::EEXIST));
    assert!(w.call(&msg(op::FSYNC).u32(h).u32(1).0).is_ok() && w.call(&msg(op::FSYNC).u32(RW).u32(0).0).is_ok());
    assert!(w.call(&msg(op::CLOSE).u32(h).0).is_ok());
    assert_eq!(w.read(h, 0, 1), Err(Errno::EBADF));
    assert_eq!(w.call(&msg(op::CLOSE).u32(h).0), Err(Errno::EBADF));
}

#[test]
fn reads_and_writes_of_the_largest_size() {
    let mut w = World::new("large");
    let data: Vec<u8> = (0..2 * DATA_MAX + 7).map(|i| (i * 7 + i / 256) as u8).collect();
    fs::write(w.path("rw/big"), &data).unwrap();
    let h = w.open(RW, o::RDWR, "big").unwrap();
    assert_eq!(w.read(h, 5, DATA_MAX as u32).unwrap(), &data[5..5 + DATA_MAX]);
    assert_eq!(w.read(h, 0, u32::MAX).unwrap().len(), DATA_MAX, "never more than the largest");
    assert_eq!(w.read(h, 2 * DATA_MAX as u64, 100).unwrap(), &data[2 * DATA_MAX..]);
    assert_eq!(w.write(h, 9, &data[..DATA_MAX]), Ok(DATA_MAX as u32));
    assert_eq!(&fs::read(w.path("rw/big")).unwrap()[9..9 + DATA_MAX], &data[..DATA_MAX]);
    assert_eq!(w.read(h, u64::MAX, 1), Err(Errno::EINVAL));
}

#[test]
fn open_flags_do_what_they_say() {
    let mut w = World::new("flags");
    fs::write(w.path("rw/f"), b"content").unwrap();
    let h = w.open(RW, o::WRONLY | o::APPEND, "f").unwrap();
    w.write(h, 0, b"+").unwrap();
    assert_eq!(fs::read(w.path("rw/f")).unwrap(), b"content+");
    assert_eq!(w.read(h, 0, 1), Err(Errno::EBADF), "opened for writing only");
    w.open(RW, o::RDWR | o::TRUNC, "f").unwrap();
    assert_eq!(fs::metadata(w.path("rw/f")).unwrap().len(), 0);
    let h = w.open(RW, o::RDONLY, "f").unwrap();
    assert_eq!(w.write(h, 0, b"x"), Err(Errno::EBADF), "opened for reading only");
    assert_eq!(w.open(RW, o::DIRECTORY, "f"), Err(Errno::ENOTDIR));
    assert_eq!(w.open(RW, o::RDONLY, "none"), Err(Errno::ENOENT));
    assert!(w.open(RW, o::RDONLY | o::CREAT, "made").is_ok());
    assert!(w.open(RW, o::RDONLY | o::CREAT, "made").is_ok());
    for nonsense in [3, 1 << 30, o::TRUNC, o::CREAT | o::DIRECTORY] {
        assert_eq!(w.open(RW, nonsense, "f"), Err(Errno::EINVAL), "{nonsense:#o}");
    }
    fs::create_dir(w.path("rw/d")).unwrap();
    assert_eq!(w.open(RW, o::RDWR, "d"), Err(Errno::EISDIR));
    let d = w.open(RW, o::PATH | o::DIRECTORY, "d").unwrap();
    assert!(w.open(d, CREATE, "below").is_ok());
    assert_eq!(w.read(d, 0, 1), Err(Errno::EISDIR));
    assert_eq!(w.open(h, o::RDONLY, "f"), Err(Errno::ENOTDIR));
}

#[test]
fn a_new_file_never_has_set_id_bits() {
    let mut w = World::new("setid");
    w.call(&msg(op::OPEN).u32(RW).u32(CREATE).u32(0o7755).str("f").0).unwrap();
    w.call(&msg(op::MKDIR).u32(RW).u32(0o7755).str("d").0).unwrap();
    for name in ["rw/f", "rw/d"] {
        let mode = fs::metadata(w.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7000 & !0o2000, 0, "{mode:o}");
        assert_eq!(mode & 0o700, 0o700);
    }
}

#[test]
fn modes_are_changed_and_links_are_not_followed() {
    let mut w = World::new("chmod");
    let mode = |w: &World, name: &str| fs::metadata(w.path(name)).unwrap().permissions().mode() & 0o7777;
    w.open(RW, CREATE, "f").unwrap();
    // Also of one that can't be opened.
    for want in [0o600, 0, 0o640] {
        w.call(&msg(op::CHMOD).u32(RW).u32(want).str("f").0).unwrap();
        assert_eq!(mode(&w, "rw/f"), want);
    }
    w.call(&msg(op::CHMOD).u32(RW).u32(0o7755).str("f").0).unwrap();
    assert_eq!(mode(&w, "rw/f"), 0o755, "no set-id bits");
    std::os::unix::fs::symlink("f", w.path("rw/l")).unwrap();
    assert_eq!(w.call(&msg(op::CHMOD).u32(RW).u32(0o600).str("l").0), Err(Errno::EPERM));
    assert_eq!(mode(&w, "rw/f"), 0o755);
    assert_eq!(w.call(&msg(op::CHMOD).u32(RW).u32(0o600).str("none").0), Err(Errno::ENOENT));
    assert_eq!(w.call(&msg(op::CHMOD).u32(RW).u32(0o600).str("..").0), Err(Errno::EINVAL));
    assert_eq!(w.call(&msg(op::CHMOD).u32(RO).u32(0o600).str("f").0), Err(Errno::EROFS));
}

#[test]
fn directories_are_made_renamed_and_removed() {
    let mut w = World::new("dirs");
    w.call(&msg(op::MKDIR).u32(RW).u32(0o755).str("d").0).unwrap();
    let d = w.open(RW, o::DIRECTORY, "d").unwrap();
    w.open(d, CREATE, "f").unwrap();
    assert_eq!(w.on_name(op::RMDIR, RW, "d"), Err(Errno::ENOTEMPTY));
    assert_eq!(w.on_name(op::UNLINK, RW, "d"), Err(Errno::EISDIR));
    w.two_names(op::LINK, d, RW, "f", "g").unwrap();
    assert_eq!(w.lookup(RW, "g").unwrap().nlink, 2);
    w.open(RW, CREATE, "victim").unwrap();
    w.two_names(op::RENAME, RW, RW, "g", "victim").unwrap();
    assert_eq!(w.two_names(op::RENAME, RW, RW, "victim", "d"), Err(Errno::EISDIR));
    assert_eq!(w.two_names(op::RENAME, RW, RW, "d", "victim"), Err(Errno::ENOTDIR));
    assert_eq!(w.two_names(op::RENAME, RW, d, "d", "inner"), Err(Errno::EINVAL), "into itself");
    assert_eq!(w.two_names(op::RENAME, RW, RW, "none", "x"), Err(Errno::ENOENT));
    w.on_name(op::UNLINK, d, "f").unwrap();
    w.on_name(op::RMDIR, RW, "d").unwrap();
    assert_eq!(w.lookup(RW, "d"), Err(Errno::ENOENT));
    assert_eq!(w.open(d, CREATE, "f"), Err(Errno::ENOENT), "the open directory is gone");
}

#[test]
fn sizes_and_times_are_set() {
    let mut w = World::new("attr");
    let h = w.open(RW, CREATE, "f").unwrap();
    let set = |which, size, atime: i64, mtime: i64| {
        msg(op::SETATTR).u32(h).u32(which).u64(size).u64(atime as u64).u64(mtime as u64).0
    };
    w.call(&set(which::SIZE | which::MTIME, 5000, 1, -1_500_000_000)).unwrap();
    let before = w.lookup(RW, "f").unwrap();
    assert_eq!((before.size, before.mtime_ns), (5000, -1_500_000_000));
    w.call(&set(which::ATIME, 7, 42, 42)).unwrap();
    let a = w.lookup(RW, "f").unwrap();
    assert_eq!((a.size, a.atime_ns, a.mtime_ns), (5000, 42, -1_500_000_000));
    assert_eq!(w.call(&set(8, 0, 0, 0)), Err(Errno::EINVAL));
    assert_eq!(w.call(&set(which::SIZE, u64::MAX, 0, 0)), Err(Errno::EINVAL));
    symlink(w.path("outside/secret"), w.path("rw/l")).unwrap();
    let secret = fs::metadata(w.path("outside/secret")).unwrap().mtime();
    let at = msg(op::SETATTR_AT).u32(RW).str("l").u32(which::MTIME).u64(0).u64(9_000_000_000).0;
    w.call(&at).unwrap();
    assert_eq!(w.lookup(RW, "l").unwrap().mtime_ns, 9_000_000_000, "the link itself");
    assert_eq!(fs::metadata(w.path("outside/secret")).unwrap().mtime(), secret);
}

#[test]
fn names_are_single_components() {
    let mut w = World::new("names");
    fs::create_dir(w.path("rw/d")).unwrap();
    for name in ["", ".", "..", "/", "../outside", "d/..", "d/", "/etc", "a\0b", "..\0"] {
        assert_eq!(w.lookup(RW, name), Err(Errno::EINVAL), "{name:?}");
        assert_eq!(w.open(RW, CREATE, name), Err(Errno::EINVAL), "{name:?}");
        assert_eq!(w.call(&msg(op::MKDIR).u32(RW).u32(0o755).str(name).0), Err(Errno::EINVAL), "{name:?}");
        for op in [op::UNLINK, op::RMDIR, op::READLINK] {
            assert_eq!(w.on_name(op, RW, name), Err(Errno::EINVAL), "{name:?}");
        }
        for op in [op::RENAME, op::LINK] {
            assert_eq!(w.two_names(op, RW, RW, name, "x"), Err(Errno::EINVAL), "{name:?}");
            assert_eq!(w.two_names(op, RW, RW, "d", name), Err(Errno::EINVAL), "{name:?}");
        }
        assert_eq!(w.call(&msg(op::SYMLINK).u32(RW).str(name).str("t").0), Err(Errno::EINVAL), "{name:?}");
    }
    assert_eq!(w.lookup(RW, &"n".repeat(256)), Err(Errno::ENAMETOOLONG));
    assert_eq!(w.lookup(RW, &"n".repeat(255)), Err(Errno::ENOENT));
    // Any other bytes are a name.
    let latin1 = msg(op::OPEN).u32(RW).u32(CREATE).u32(0o644).bytes(b"caf\xe9\n").0;
    w.call(&latin1).unwrap();
    assert!(w.call(&msg(op::UNLINK).u32(RW).bytes(b"caf\xe9\n").0).is_ok());
}

#[test]
fn links_are_read_and_made_but_never_followed() {
    let mut w = World::new("links");
    symlink("../outside", w.path("rw/up")).unwrap();
    symlink(w.path("outside/secret"), w.path("rw/abs")).unwrap();
    symlink("loop", w.path("rw/loop")).unwrap();
    for name in ["up", "abs", "loop"] {
        assert_eq!(w.lookup(RW, name).unwrap().mode & mode::IFMT, mode::IFLNK);
        for oflags in [o::RDONLY, o::RDWR, o::CREAT | o::RDWR, o::RDWR | o::TRUNC, o::DIRECTORY, o::PATH] {
            assert_eq!(w.open(RW, oflags, name), Err(Errno::ELOOP), "{name} {oflags:#o}");
        }
        assert_eq!(w.open(RW, CREATE, name), Err(Errno::EEXIST));
    }
    w.two_names(op::LINK, RW, RW, "abs", "abs2").unwrap();
    assert_eq!(w.lookup(RW, "abs2").unwrap().mode & mode::IFMT, mode::IFLNK, "a link to the link");
    w.two_names(op::RENAME, RW, RW, "abs2", "up").unwrap();
    w.on_name(op::UNLINK, RW, "abs").unwrap();
    assert_eq!(fs::read(w.path("outside/secret")).unwrap(), b"SECRET");
    let target = "/not/of/the/host/../x";
    w.call(&msg(op::SYMLINK).u32(RW).str("new").str(target).0).unwrap();
    let r = w.on_name(op::READLINK, RW, "new").unwrap();
    assert_eq!(Reader::new(&r).string().unwrap(), target.as_bytes());
    assert_eq!(w.on_name(op::READLINK, RO, "none"), Err(Errno::ENOENT));
    assert_eq!(w.call(&msg(op::SYMLINK).u32(RW).str("e").str("").0), Err(Errno::ENOENT));
    assert_eq!(w.call(&msg(op::SYMLINK).u32(RW).str("e").str(&"x".repeat(4096)).0), Err(Errno::ENAMETOOLONG));
}

#[test]
fn devices_and_fifos_are_seen_but_not_opened() {
    let mut w = World::new("special");
    let fifo = std::ffi::CString::new(w.path("rw/fifo").to_str().unwrap()).unwrap();
    // SAFETY: a path with its NUL.
    assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o666) }, 0);
    let _socket = std::os::unix::net::UnixListener::bind(w.path("rw/sock")).unwrap();
    assert_eq!(w.lookup(RW, "fifo").unwrap().mode & mode::IFMT, mode::IFIFO);
    for name in ["fifo", "sock"] {
        for oflags in [o::RDONLY, o::WRONLY, o::RDWR, o::CREAT | o::WRONLY] {
            assert_eq!(w.open(RW, oflags, name), Err(Errno::EACCES));
        }
    }
    let mut kinds: Vec<_> = w.readdir(RW, 0).unwrap().into_iter().map(|(_, kind, name)| (name, kind as u8)).collect();
    kinds.sort();
    assert_eq!(kinds, [("fifo".to_string(), dt::FIFO), ("sock".to_string(), dt::SOCK)]);
}

#[test]
fn a_read_only_export_is_never_changed() {
    let mut w = World::new("ro");
    fs::write(w.path("ro/f"), b"content").unwrap();
    fs::create_dir(w.path("ro/d")).unwrap();
    fs::write(w.path("rw/f"), b"other").unwrap();
    let before = fs::metadata(w.path("ro/f")).unwrap();
    let f = w.open(RO, o::RDONLY, "f").unwrap();
    let d = w.open(RO, o::DIRECTORY, "d").unwrap();
    assert_eq!(w.read(f, 0, 9), Ok(b"content".to_vec()));
    assert!(w.open(RO, o::RDONLY | o::CREAT, "f").is_ok(), "it is there already");
    let times = |m: Msg| m.u64(0).u64(0).0;
    for dir in [RO, d] {
        for oflags in [o::WRONLY, o::RDWR, CREATE, o::RDWR | o::TRUNC, o::CREAT] {
            let name = if dir == RO && oflags & o::CREAT == 0 { "f" } else { "new" };
            let e = if dir == d && oflags & o::CREAT == 0 { Errno::ENOENT } else { Errno::EROFS };
            assert_eq!(w.open(dir, oflags, name), Err(e), "{oflags:#o}");
        }
        let changes = [
            msg(op::MKDIR).u32(dir).u32(0o755).str("new").0,
            msg(op::UNLINK).u32(dir).str("f").0,
            msg(op::RMDIR).u32(dir).str("d").0,
            msg(op::RENAME).u32(dir).u32(RW).str("f").str("x").0,
            msg(op::RENAME).u32(RW).u32(dir).str("f").str("x").0,
            msg(op::LINK).u32(dir).u32(RW).str("f").str("x").0,
            msg(op::LINK).u32(RW).u32(dir).str("f").str("x").0,
            msg(op::SYMLINK).u32(dir).str("l").str("t").0,
            times(msg(op::SETATTR_AT).u32(dir).str("f").u32(which::MTIME)),
            times(msg(op::SETATTR).u32(dir).u32(which::MTIME).u64(0)),
        ];
        for change in &changes {
            assert_eq!(w.call(change), Err(Errno::EROFS), "{change:?}");
        }
    }
    assert_eq!(w.write(f, 0, b"x"), Err(Errno::EROFS));
    assert_eq!(w.call(&times(msg(op::SETATTR).u32(f).u32(which::SIZE).u64(0))), Err(Errno::EROFS));
    let after = fs::metadata(w.path("ro/f")).unwrap();
    assert_eq!((after.len(), after.mtime(), after.ctime_nsec()), (7, before.mtime(), before.ctime_nsec()));
    assert_eq!(fs::read_dir(w.path("ro")).unwrap().count(), 2);
}

#[test]
fn directory_cookies_stay_good_while_entries_come_and_go() {
    let mut w = World::new("cookies");
    let all: BTreeSet<String> = (0..5000).map(|i| format!("file-with-a-longish-name-{i:05}")).collect();
    for name in &all {
        fs::write(w.path("rw").join(name), b"").unwrap();
    }
    // Half of it, in small answers.
    w.buf = vec![0; 600];
    let (mut cookie, mut seen) = (0, Vec::new());
    while seen.len() < 2500 {
        for (c, kind, name) in w.readdir(RW, cookie).unwrap() {
            assert_eq!(kind as u8, dt::REG);
            cookie = c;
            seen.push(name);
        }
    }
    // What was seen goes away, other things come; what wasn't seen yet still does, once.
    for name in &seen {
        fs::remove_file(w.path("rw").join(name)).unwrap();
    }
    fs::write(w.path("rw/late"), b"").unwrap();
    w.buf = vec![0; MSG_MAX];
    loop {
        let some = w.readdir(RW, cookie).unwrap();
        let Some(last) = some.last() else { break };
        cookie = last.0;
        seen.extend(some.into_iter().map(|e| e.2).filter(|n| n != "late"));
    }
    assert_eq!(seen.len(), all.len(), "each once");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), all);
    assert_eq!(w.readdir(RW, u64::MAX), Err(Errno::EINVAL));
}

#[test]
fn handles_are_bounded_and_used_again() {
    let mut w = World::new("handles");
    let h = w.open(RW, CREATE, "f").unwrap();
    w.call(&msg(op::CLOSE).u32(h).0).unwrap();
    for _ in 0..100_000 {
        assert_eq!(w.open(RW, o::RDONLY, "f"), Ok(h));
        w.call(&msg(op::CLOSE).u32(h).0).unwrap();
    }
    assert_eq!(w.call(&msg(op::CLOSE).u32(RW).0), Err(Errno::EBADF), "an export stays");
    let dir = Dir::open_ambient_dir(w.path("rw"), ambient_authority()).unwrap();
    w.server = Server::with_limit(vec![Export { dir, read_only: false }], 20);
    let handles: Vec<u32> = (1..20).map(|_| w.open(RW, o::RDONLY, "f").unwrap()).collect();
    assert_eq!(w.open(RW, CREATE, "new"), Err(Errno::ENFILE));
    assert_eq!(w.lookup(RW, "new"), Err(Errno::ENOENT), "nothing was made");
    w.call(&msg(op::CLOSE).u32(handles[7]).0).unwrap();
    assert_eq!(w.open(RW, CREATE, "new"), Ok(handles[7]));
}

#[test]
fn malformed_requests_are_einval() {
    let mut w = World::new("malformed");
    let whole = msg(op::OPEN).u32(RW).u32(CREATE).u32(0o644).str("f").0;
    for n in 0..whole.len() {
        assert_eq!(w.call(&whole[..n]), Err(Errno::EINVAL), "{n}");
    }
    let mut longer = whole.clone();
    longer.push(0);
    assert_eq!(w.call(&longer), Err(Errno::EINVAL));
    assert_eq!(w.call(&msg(0).0), Err(Errno::EINVAL));
    assert_eq!(w.call(&msg(99).u32(RW).0), Err(Errno::EINVAL));
    assert_eq!(fs::read_dir(w.path("rw")).unwrap().count(), 0);
    // A buffer with no room for an answer: nothing is done.
    assert_eq!(w.server.rpc(&mut [], 0), 0);
    let mut small = whole;
    let n = small.len();
    assert_eq!(w.server.rpc(&mut small, n), 4);
    assert_eq!(fs::read_dir(w.path("rw")).unwrap().count(), 0);
}

#[test]
fn random_requests_never_panic_and_never_leave() {
    let mut w = World::new("fuzz");
    symlink("../outside", w.path("rw/l")).unwrap();
    fs::create_dir(w.path("rw/d")).unwrap();
    let names: [&[u8]; 8] = [b"l", b"d", b"f", b"..", b"../outside/secret", b"g", b"", b"l/secret"];
    let mut seed = 7u64;
    let mut next = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as u32
    };
    for _ in 0..30_000 {
        let mut m = msg(next() % 19);
        for _ in 0..next() % 6 {
            m = match next() % 4 {
                0 => m.bytes(names[next() as usize % names.len()]),
                1 => m.u32(next() % 8),
                2 => m.u32(1 << (next() % 32)),
                _ => m.u64((next() % 3) as u64),
            };
        }
        let _ = w.call(&m.0);
    }
    assert_eq!(fs::read(w.path("outside/secret")).unwrap(), b"SECRET");
    assert_eq!(fs::read_dir(w.path("outside")).unwrap().count(), 1);
}

/// Exchanges a directory and a link to one outside, over and over, while the server works below
/// that name: it may fail, it must never get there.
#[test]
fn a_directory_swapped_for_a_link_is_never_left() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let mut w = World::new("race");
    fs::create_dir(w.path("rw/d")).unwrap();
    fs::write(w.path("rw/d/secret"), b"inside").unwrap();
    symlink("../outside", w.path("rw/l")).unwrap();
    let (d, l) = (w.path("rw/d"), w.path("rw/l"));
    let over = AtomicBool::new(false);
    let (mut tries, mut inside, mut refused) = (0u32, 0u32, 0u32);
    std::thread::scope(|s| {
        s.spawn(|| {
            for i in 0u32.. {
                renameat_with(CWD, &d, CWD, &l, RenameFlags::EXCHANGE).unwrap();
                if i.is_multiple_of(64) {
                    std::thread::yield_now();
                }
                if i >= 10_000 && over.load(Relaxed) {
                    break;
                }
            }
        });
        // Until both were met, however the two are scheduled; a minute without is a failure.
        let begin = std::time::Instant::now();
        while (tries < 3000 || inside == 0 || refused == 0) && begin.elapsed().as_secs() < 60 {
            tries += 1;
            match w.open(RW, o::DIRECTORY, "d") {
                Ok(dir) => {
                    inside += 1;
                    let f = w.open(dir, o::RDWR, "secret").unwrap();
                    assert_eq!(w.read(f, 0, 16), Ok(b"inside".to_vec()));
                    w.write(f, 0, b"inside").unwrap();
                    let f2 = w.open(dir, o::CREAT | o::WRONLY, "made").unwrap();
                    w.on_name(op::UNLINK, dir, "made").unwrap();
                    for h in [f, f2, dir] {
                        w.call(&msg(op::CLOSE).u32(h).0).unwrap();
                    }
                }
                Err(Errno::ELOOP | Errno::ENOTDIR) => refused += 1,
                Err(e) => panic!("{e:?}"),
            }
            let _ = w.two_names(op::LINK, RW, RW, "d", "hard");
            let _ = w.on_name(op::UNLINK, RW, "hard");
        }
        over.store(true, Relaxed);
    });
    assert!(inside > 0 && refused > 0, "both were met: {inside} {refused}");
    assert_only_the_secret(&w.path("outside"));
}

fn assert_only_the_secret(outside: &Path) {
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"SECRET");
    assert_eq!(fs::read_dir(outside).unwrap().count(), 1);
}
