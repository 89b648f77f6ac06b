//! Random work on a file system, and what there is to be seen of one.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::types::{at, mode, o, rename};
use abi::{Errno, SysResult};

use crate::machdep::fake::{Rng, Sys};
use crate::vfs::diskfs::format::hash;

/// A file as others see it; access times apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    mode: u32,
    nlink: u32,
    ids: (u32, u32),
    size: u64,
    times: (i64, i64),
    content: u64,
    /// The first path of the same file.
    first: String,
}

pub type Dump = BTreeMap<String, Seen>;

/// Once more when the disk failed once.
fn again<T>(what: &str, mut f: impl FnMut() -> SysResult<T>) -> T {
    match f() {
        Err(Errno::EIO | Errno::ENOSPC) => f(),
        done => done,
    }
    .unwrap_or_else(|e| panic!("{what}: {e}"))
}

/// All below a directory, and that itself. `times`: with times of change.
pub fn dump(sys: &Sys, dir: &str, times: bool) -> Dump {
    let mut out = Dump::new();
    let mut inodes = BTreeMap::new();
    let mut work = alloc::vec![String::new()];
    while let Some(path) = work.pop() {
        let full = format!("{dir}{path}");
        let s = sys.stat(&full, at::SYMLINK_NOFOLLOW).unwrap_or_else(|e| panic!("stat {full}: {e}"));
        let content = match s.mode & mode::IFMT {
            mode::IFREG => {
                let content = again(&full, || sys.get_file(&full));
                assert_eq!(content.len() as u64, s.size, "{full}");
                hash(0, &content)
            }
            mode::IFLNK => hash(1, &sys.readlink(&full).expect("readlink")),
            mode::IFDIR => {
                let names = again(&full, || sys.ls(&full));
                work.extend(names.iter().rev().map(|n| format!("{path}/{}", String::from_utf8_lossy(n))));
                0
            }
            _ => 0,
        };
        let first = inodes.entry(s.ino).or_insert_with(|| path.clone()).clone();
        let when = if times { (s.mtime_ns, s.ctime_ns) } else { (0, 0) };
        let seen =
            Seen { mode: s.mode, nlink: s.nlink, ids: (s.uid, s.gid), size: s.size, times: when, content, first };
        out.insert(path, seen);
    }
    out
}

/// What differs, for a message.
pub fn difference(a: &Dump, b: &Dump) -> String {
    let mut out = String::new();
    for key in a.keys().chain(b.keys().filter(|k| !a.contains_key(*k))) {
        if a.get(key) != b.get(key) {
            out += &format!("{key:?}: {:?}\n      {:?}\n", a.get(key), b.get(key));
        }
    }
    out
}

/// One thing to do; places are below whatever directory it is done in.
#[derive(Clone, Debug)]
pub enum Op {
    Write {
        path: &'static str,
        offset: i64,
        len: usize,
        byte: u8,
        flags: u32,
    },
    Truncate {
        path: &'static str,
        size: i64,
    },
    Allocate {
        path: &'static str,
        offset: i64,
        len: i64,
    },
    Mkdir(&'static str),
    Rmdir(&'static str),
    Unlink(&'static str),
    Link(&'static str, &'static str),
    Symlink(&'static str),
    Fifo(&'static str),
    Rename(&'static str, &'static str, u32),
    Chmod(&'static str, u32),
    Chown(&'static str, u32, u32),
    Read(&'static str),
    /// Opens a file, takes its names away, writes to it, and closes it.
    Hidden(&'static str, usize),
    Fsync(&'static str),
    Sync,
    Sleep(u64),
}

const NAMES: [&str; 12] = [
    "/a",
    "/b",
    "/c",
    "/a-much-longer-name-than-the-others",
    "/d1",
    "/d2",
    "/d1/a",
    "/d1/b",
    "/d2/a",
    "/d1/d3",
    "/d2/d3",
    "/d1/d3/a",
];

impl Op {
    pub fn random(rng: &mut Rng, large: usize) -> Op {
        let path = *rng.pick(&NAMES);
        let other = *rng.pick(&NAMES);
        let len = match rng.below(4) {
            0 => rng.below(200) as usize,
            1 => rng.below(10_000) as usize,
            2 => 4096 * rng.below(20) as usize,
            _ => rng.below(large as u64) as usize,
        };
        let offset = match rng.below(4) {
            0 => 0,
            1 => 4096 * rng.below(40) as i64,
            _ => rng.below(300_000) as i64,
        };
        match rng.below(24) {
            0..=7 => {
                let flags = *rng.pick(&[0, 0, o::TRUNC, o::APPEND]);
                Op::Write { path, offset, len, byte: rng.draw() as u8, flags }
            }
            8 => Op::Truncate { path, size: rng.below(200_000) as i64 },
            9 => Op::Mkdir(path),
            10 => Op::Rmdir(path),
            11 | 12 => Op::Unlink(path),
            13 => Op::Link(path, other),
            14 => Op::Symlink(path),
            15 => Op::Fifo(path),
            16 | 17 => Op::Rename(path, other, *rng.pick(&[0, 0, 0, rename::EXCHANGE, rename::NOREPLACE])),
            18 => Op::Chmod(path, rng.below(0o10000) as u32 | 0o600),
            19 => Op::Chown(path, rng.below(3) as u32, rng.below(3) as u32),
            20 => Op::Read(path),
            21 => Op::Hidden(path, len),
            22 if rng.one_in(3) => Op::Sync,
            22 if rng.one_in(2) => Op::Allocate { path, offset, len: len as i64 },
            22 => Op::Fsync(path),
            _ => Op::Sleep(rng.below(5_000_000_000)),
        }
    }

    /// Everything before is durable if it succeeds.
    pub fn syncs(&self) -> bool {
        matches!(self, Op::Fsync(_) | Op::Sync)
    }

    /// Does it; answers what can be compared.
    pub fn run(&self, sys: &Sys, dir: &str) -> SysResult<u64> {
        let at = |path: &str| format!("{dir}{path}");
        match *self {
            Op::Write { path, offset, len, byte, flags } => {
                let fd = sys.open(at(path), o::CREAT | o::RDWR | o::NONBLOCK | flags, 0o644)?;
                let data: Vec<u8> = (0..len).map(|i| byte.wrapping_add((i / 100) as u8)).collect();
                let n = if flags & o::APPEND != 0 { sys.write(fd, &data) } else { sys.pwrite(fd, &data, offset) };
                sys.close(fd)?;
                n.map(|n| n as u64)
            }
            Op::Truncate { path, size } => {
                let fd = sys.open(at(path), o::WRONLY | o::NONBLOCK, 0)?;
                let done = sys.ftruncate(fd, size);
                sys.close(fd)?;
                done.map(|()| 0)
            }
            Op::Allocate { path, offset, len } => {
                let fd = sys.open(at(path), o::WRONLY | o::NONBLOCK, 0)?;
                let done = sys.wasi("fd_allocate", &[fd as u64, offset as u64, len as u64]);
                sys.close(fd)?;
                done.map(|()| 0)
            }
            Op::Mkdir(path) => sys.mkdir(at(path), 0o755).map(|()| 0),
            Op::Rmdir(path) => sys.rmdir(at(path)).map(|()| 0),
            Op::Unlink(path) => sys.unlink(at(path)).map(|()| 0),
            Op::Link(from, to) => sys.link(at(from), at(to)).map(|()| 0),
            Op::Symlink(path) => sys.symlink("some/where", at(path)).map(|()| 0),
            Op::Fifo(path) => mknod(sys, &at(path), mode::IFIFO | 0o600),
            Op::Rename(from, to, flags) => sys.rename(at(from), at(to), flags).map(|()| 0),
            Op::Chmod(path, bits) => sys.chmod(at(path), bits).map(|()| 0),
            Op::Chown(path, uid, gid) => sys.chown(at(path), uid, gid).map(|()| 0),
            Op::Read(path) => {
                let fd = sys.open(at(path), o::NONBLOCK, 0)?;
                let got = sys.pread(fd, 50_000, 3000);
                sys.close(fd)?;
                got.map(|g| hash(0, &g))
            }
            Op::Hidden(path, len) => hidden(sys, &at(path), len),
            Op::Fsync(path) => {
                let fd = sys.open(at(path), o::NONBLOCK, 0)?;
                let done = sys.call("fsync", &[fd as u64]);
                sys.close(fd)?;
                done.map(|_| 0)
            }
            Op::Sync => sys.call("sync", &[]).map(|_| 0),
            Op::Sleep(ns) => sys.nanosleep(ns).map(|()| 0),
        }
    }
}

pub fn mknod(sys: &Sys, path: &str, bits: u32) -> SysResult<u64> {
    let p = sys.alloc(path.len());
    sys.poke(p, path.as_bytes());
    let args = [at::FDCWD as u32 as u64, p.0 as u64, path.len() as u64, bits as u64, 0];
    sys.call("mknodat", &args).map(|_| 0)
}

fn hidden(sys: &Sys, path: &str, len: usize) -> SysResult<u64> {
    let s = sys.stat(path, at::SYMLINK_NOFOLLOW)?;
    if s.mode & mode::IFMT != mode::IFREG {
        return Err(Errno::EINVAL);
    }
    let fd = sys.open(path, o::RDWR, 0)?;
    sys.unlink(path)?;
    let wrote = sys.pwrite(fd, &alloc::vec![0x5a; len], 100_000);
    let got = sys.pread(fd, 70_000, 90_000);
    sys.close(fd)?;
    wrote?;
    got.map(|g| hash(0, &g))
}
