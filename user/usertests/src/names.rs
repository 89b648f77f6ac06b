//! Names and paths: what may be said, and what it means. POSIX 4.13, path resolution.

use abi::types::limits::{NAME_MAX, PATH_MAX, SYMLOOP_MAX};
use abi::types::{at, mode, o};
use vkernel_sys::{Errno, fs, io};

use crate::harness::write_file;

crate::tests! { names:
    empty, nul_inside, longest_name, longest_path, dots, trailing_slashes, many_slashes, symlink_loops, longest_chain,
    above_the_root, through_a_file, deep_directories,
}

fn open(path: &[u8]) -> Result<i32, Errno> {
    io::open(path, o::RDONLY, 0)
}

fn empty() {
    assert_eq!(open(b""), Err(Errno::ENOENT));
    assert_eq!(fs::mkdir(b"", 0o777), Err(Errno::ENOENT));
    assert_eq!(fs::unlink(b""), Err(Errno::ENOENT));
    assert_eq!(fs::stat(b"").map(|_| ()), Err(Errno::ENOENT));
    assert_eq!(fs::rename(b"", b"a", 0), Err(Errno::ENOENT));
    assert_eq!(fs::symlink(b"x", b""), Err(Errno::ENOENT));
    assert_eq!(fs::chdir(b""), Err(Errno::ENOENT));
}

/// No file can have such a name. (A C program cannot even say it: then it is an empty one.)
fn nul_inside() {
    let refused = |r: Result<(), Errno>| assert!(matches!(r, Err(Errno::EINVAL | Errno::ENOENT)), "{r:?}");
    for name in [&b"a\0b"[..], b"\0", b"a\0", b"/tmp\0/x"] {
        refused(open(name).map(|_| ()));
        refused(io::open(name, o::WRONLY | o::CREAT, 0o666).map(|_| ()));
        refused(fs::mkdir(name, 0o777));
        refused(fs::symlink(b"target", name));
        refused(fs::chdir(name));
    }
    assert!(fs::read_dir(b".").unwrap().is_empty());
}

fn longest_name() {
    let longest = vec![b'n'; NAME_MAX];
    let longer = vec![b'n'; NAME_MAX + 1];
    write_file(&longest, b"x");
    assert_eq!(fs::stat(&longest).unwrap().size, 1);
    assert_eq!(fs::read_dir(b".").unwrap()[0].name, longest);
    let too_long = Err(Errno::ENAMETOOLONG);
    assert_eq!(open(&longer).map(|_| ()), too_long);
    assert_eq!(io::open(&longer, o::WRONLY | o::CREAT, 0o666).map(|_| ()), too_long);
    assert_eq!(fs::mkdir(&longer, 0o777), too_long);
    assert_eq!(fs::rename(&longest, &longer, 0), too_long);
    assert_eq!(fs::link(&longest, &longer, 0), too_long);
    assert_eq!(fs::symlink(b"x", &longer), too_long);
    assert_eq!(fs::stat(&[&longer[..], b"/x"].concat()).map(|_| ()), too_long);
    assert_eq!(fs::unlink(&longest), Ok(()));
}

fn longest_path() {
    write_file(b"f", b"");
    let mut path = b"./".repeat(PATH_MAX / 2 - 1);
    path.push(b'f');
    assert_eq!(path.len(), PATH_MAX - 1);
    assert!(fs::stat(&path).is_ok(), "a path of PATH_MAX - 1 bytes");
    path.insert(0, b'.');
    path.insert(1, b'/');
    assert_eq!(fs::stat(&path).map(|_| ()), Err(Errno::ENAMETOOLONG));
    let huge = vec![b'/'; 100_000];
    assert_eq!(fs::stat(&huge).map(|_| ()), Err(Errno::ENAMETOOLONG));
}

fn dots() {
    fs::mkdir(b"d", 0o777).unwrap();
    assert_eq!(fs::mkdir(b".", 0o777), Err(Errno::EEXIST));
    assert_eq!(fs::mkdir(b"d/..", 0o777), Err(Errno::EEXIST));
    assert_eq!(fs::rmdir(b"."), Err(Errno::EINVAL));
    assert_eq!(fs::rmdir(b"d/."), Err(Errno::EINVAL));
    assert_eq!(fs::rmdir(b"d/.."), Err(Errno::ENOTEMPTY));
    assert!(fs::unlink(b"d/.").is_err());
    assert_eq!(fs::rename(b"d/.", b"e", 0), Err(Errno::EBUSY));
    assert_eq!(fs::rename(b"d", b"..", 0), Err(Errno::EBUSY));
    let ino = |p: &[u8]| fs::stat(p).unwrap().ino;
    assert_eq!(ino(b"d/.."), ino(b"."));
    assert_eq!(ino(b"d/../d/."), ino(b"d"));
    // ".." is asked of the directory that is there, which must be one that is.
    assert_eq!(fs::stat(b"none/..").map(|_| ()), Err(Errno::ENOENT));
    fs::rmdir(b"d").unwrap();
}

fn trailing_slashes() {
    write_file(b"f", b"");
    fs::mkdir(b"d", 0o777).unwrap();
    fs::symlink(b"d", b"l").unwrap();
    assert_eq!(fs::stat(b"f/").map(|_| ()), Err(Errno::ENOTDIR));
    assert_eq!(open(b"f/").map(|_| ()), Err(Errno::ENOTDIR));
    assert_eq!(fs::unlink(b"f/"), Err(Errno::ENOTDIR));
    assert!(fs::stat(b"d/").is_ok());
    // With a slash behind it a link is followed even by lstat.
    assert_eq!(fs::lstat(b"l/").unwrap().mode & mode::IFMT, mode::IFDIR);
    assert_eq!(fs::lstat(b"l").unwrap().mode & mode::IFMT, mode::IFLNK);
    assert_eq!(fs::mkdir(b"new//", 0o777), Ok(()));
    assert!(io::open(b"made/", o::WRONLY | o::CREAT, 0o666).is_err());
    assert_eq!(fs::lstat(b"made").map(|_| ()), Err(Errno::ENOENT));
    assert_eq!(fs::rename(b"f", b"g/", 0), Err(Errno::ENOTDIR));
    assert_eq!(fs::rename(b"d/", b"e/", 0), Ok(()));
}

fn many_slashes() {
    fs::mkdir(b"a", 0o777).unwrap();
    write_file(b"a////f", b"1");
    assert_eq!(fs::stat(b"a/f").unwrap().ino, fs::stat(b".///a//.//f").unwrap().ino);
    assert_eq!(fs::stat(b"/").unwrap().ino, fs::stat(b"////").unwrap().ino);
}

fn symlink_loops() {
    fs::symlink(b"b", b"a").unwrap();
    fs::symlink(b"a", b"b").unwrap();
    fs::symlink(b"self", b"self").unwrap();
    fs::symlink(b"sub/../in", b"in").unwrap();
    fs::mkdir(b"sub", 0o777).unwrap();
    for l in [&b"a"[..], b"self", b"in", b"a/x", b"self/"] {
        assert_eq!(fs::stat(l).map(|_| ()), Err(Errno::ELOOP), "{}", String::from_utf8_lossy(l));
        assert_eq!(open(l).map(|_| ()), Err(Errno::ELOOP));
    }
    assert_eq!(io::open(b"a", o::WRONLY | o::CREAT, 0o666).map(|_| ()), Err(Errno::ELOOP));
    assert_eq!(fs::lstat(b"a").unwrap().mode & mode::IFMT, mode::IFLNK);
    assert_eq!(fs::readlink(b"self").unwrap(), b"self");
    assert_eq!(fs::unlink(b"self"), Ok(()));
}

fn longest_chain() {
    write_file(b"end", b"");
    let name = |i: usize| format!("l{i}").into_bytes();
    fs::symlink(b"end", &name(1)).unwrap();
    for i in 2..=SYMLOOP_MAX + 1 {
        fs::symlink(&name(i - 1), &name(i)).unwrap();
    }
    assert!(fs::stat(&name(SYMLOOP_MAX)).is_ok());
    assert_eq!(fs::stat(&name(SYMLOOP_MAX + 1)).map(|_| ()), Err(Errno::ELOOP));
}

fn above_the_root() {
    let ino = |p: &[u8]| fs::stat(p).unwrap().ino;
    assert_eq!(ino(b"/.."), ino(b"/"));
    assert_eq!(ino(b"/../../tmp/.."), ino(b"/"));
}

fn through_a_file() {
    write_file(b"f", b"");
    assert_eq!(fs::stat(b"f/x").map(|_| ()), Err(Errno::ENOTDIR));
    assert_eq!(fs::stat(b"f/..").map(|_| ()), Err(Errno::ENOTDIR));
    assert_eq!(fs::mkdir(b"f/x", 0o777), Err(Errno::ENOTDIR));
    let fd = open(b"f").unwrap();
    assert_eq!(io::openat(fd, b"x", o::RDONLY, 0), Err(Errno::ENOTDIR));
    // An absolute path asks nothing of the descriptor.
    assert!(io::openat(fd, b"/", o::RDONLY, 0).is_ok());
    assert!(io::openat(-1, b"/", o::RDONLY, 0).is_ok());
    assert_eq!(fs::fstatat(12345, b"x", 0).map(|_| ()), Err(Errno::EBADF));
    assert!(fs::fstatat(at::FDCWD, b"f", 0).is_ok());
}

fn deep_directories() {
    const DEPTH: usize = 200;
    let top = fs::getcwd().unwrap();
    for _ in 0..DEPTH {
        fs::mkdir(b"deeper", 0o777).unwrap();
        fs::chdir(b"deeper").unwrap();
    }
    let want = [&top[..], &b"/deeper".repeat(DEPTH)].concat();
    assert_eq!(fs::getcwd().unwrap(), want);
    assert!(fs::stat(&want).is_ok());
    for _ in 0..DEPTH {
        fs::chdir(b"..").unwrap();
        fs::rmdir(b"deeper").unwrap();
    }
    assert_eq!(fs::getcwd().unwrap(), top);
}
