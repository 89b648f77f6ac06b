//! Files and links: making, changing, renaming, removing. open(2), rename(2), unlink(2), lseek(2).

use abi::types::{mode, o, rename, seek};
use vkernel_sys::{Errno, fs, io, proc};

use crate::harness::write_file;

crate::tests! { files:
    create_exclusively, create_through_a_link, truncate_on_open, access_modes, kinds_of_files, removed_while_open,
    hard_links, rename_over, rename_directories, rename_flags, remove_directories, in_a_removed_directory, sparse,
    truncate, append, offsets, holes, times, symlinks,
}

const NOTHING: Result<(), Errno> = Ok(());

fn open(path: &[u8], flags: u32) -> Result<i32, Errno> {
    io::open(path, flags, 0o666)
}
fn content(path: &[u8]) -> Vec<u8> {
    io::read_file(path).expect("read_file")
}

fn create_exclusively() {
    let fd = open(b"f", o::RDWR | o::CREAT | o::EXCL).unwrap();
    assert_eq!(open(b"f", o::RDWR | o::CREAT | o::EXCL), Err(Errno::EEXIST));
    assert!(open(b"f", o::RDWR | o::CREAT).is_ok());
    io::close(fd).unwrap();
    assert_eq!(open(b"none/f", o::RDWR | o::CREAT), Err(Errno::ENOENT));
    assert_eq!(open(b"none", o::RDWR), Err(Errno::ENOENT));
}

fn create_through_a_link() {
    fs::symlink(b"target", b"l").unwrap();
    assert_eq!(open(b"l", o::WRONLY | o::CREAT | o::EXCL), Err(Errno::EEXIST));
    assert_eq!(open(b"l", o::RDONLY), Err(Errno::ENOENT));
    let fd = open(b"l", o::WRONLY | o::CREAT).unwrap();
    io::write_all(fd, b"through").unwrap();
    assert_eq!(content(b"target"), b"through");
    assert_eq!(open(b"l", o::RDONLY | o::NOFOLLOW), Err(Errno::ELOOP));
}

fn truncate_on_open() {
    write_file(b"f", b"something");
    io::close(open(b"f", o::WRONLY | o::TRUNC).unwrap()).unwrap();
    assert_eq!(fs::stat(b"f").unwrap().size, 0);
    fs::mkdir(b"d", 0o777).unwrap();
    assert_eq!(open(b"d", o::RDONLY | o::TRUNC), Err(Errno::EISDIR));
}

fn access_modes() {
    write_file(b"f", b"abc");
    let (r, w) = (open(b"f", o::RDONLY).unwrap(), open(b"f", o::WRONLY).unwrap());
    let mut buf = [0; 8];
    assert_eq!(io::write(r, b"x"), Err(Errno::EBADF));
    assert_eq!(io::pwrite(r, b"x", 0), Err(Errno::EBADF));
    assert_eq!(io::read(w, &mut buf), Err(Errno::EBADF));
    assert_eq!(io::pread(w, &mut buf, 0), Err(Errno::EBADF));
    assert_eq!(io::ftruncate(r, 0), Err(Errno::EINVAL));
    assert_eq!(io::ftruncate(w, -1), Err(Errno::EINVAL));
    assert_eq!(io::pread(r, &mut buf, -1), Err(Errno::EINVAL));
    assert_eq!(content(b"f"), b"abc");
}

fn kinds_of_files() {
    write_file(b"f", b"");
    fs::mkdir(b"d", 0o777).unwrap();
    let fd = open(b"d", o::RDONLY).unwrap();
    assert_eq!(io::read(fd, &mut [0; 8]), Err(Errno::EISDIR));
    assert_eq!(open(b"d", o::WRONLY), Err(Errno::EISDIR));
    assert_eq!(open(b"d", o::RDWR | o::CREAT), Err(Errno::EISDIR));
    assert_eq!(open(b"f", o::RDONLY | o::DIRECTORY), Err(Errno::ENOTDIR));
    assert_eq!(fs::fstat(fd).unwrap().mode & mode::IFMT, mode::IFDIR);
    let null = fs::stat(b"/dev/null").unwrap();
    assert_eq!(null.mode & mode::IFMT, mode::IFCHR);
    let (r, _w) = io::pipe2(0).unwrap();
    assert_eq!(fs::fstat(r).unwrap().mode & mode::IFMT, mode::IFIFO);
}

fn removed_while_open() {
    write_file(b"f", b"still here");
    let fd = open(b"f", o::RDWR).unwrap();
    let ino = fs::fstat(fd).unwrap().ino;
    fs::unlink(b"f").unwrap();
    assert_eq!(fs::stat(b"f").map(|_| ()), Err(Errno::ENOENT));
    write_file(b"f", b"another");
    assert_eq!(fs::fstat(fd).unwrap().nlink, 0);
    assert_ne!(fs::stat(b"f").unwrap().ino, ino);
    let mut buf = [0; 16];
    assert_eq!(io::read(fd, &mut buf), Ok(10));
    io::pwrite(fd, b"S", 0).unwrap();
    assert_eq!(io::pread(fd, &mut buf[..5], 0), Ok(5));
    assert_eq!(&buf[..5], b"Still");
    assert_eq!(content(b"f"), b"another");
}

fn hard_links() {
    write_file(b"a", b"1");
    fs::mkdir(b"d", 0o777).unwrap();
    fs::link(b"a", b"d/b", 0).unwrap();
    assert_eq!(fs::stat(b"a").unwrap().nlink, 2);
    assert_eq!(fs::stat(b"a").unwrap().ino, fs::stat(b"d/b").unwrap().ino);
    assert_eq!(fs::link(b"a", b"d/b", 0), Err(Errno::EEXIST));
    assert_eq!(fs::link(b"none", b"c", 0), Err(Errno::ENOENT));
    assert_eq!(fs::link(b"d", b"e", 0), Err(Errno::EPERM));
    fs::unlink(b"a").unwrap();
    assert_eq!(fs::stat(b"d/b").unwrap().nlink, 1);
    assert_eq!(content(b"d/b"), b"1");
    // A link to a symbolic link is to the link itself.
    fs::symlink(b"none", b"s").unwrap();
    fs::link(b"s", b"t", 0).unwrap();
    assert_eq!(fs::readlink(b"t").unwrap(), b"none");
}

fn rename_over() {
    write_file(b"a", b"A");
    write_file(b"b", b"B");
    let old_b = open(b"b", o::RDONLY).unwrap();
    fs::rename(b"a", b"b", 0).unwrap();
    assert_eq!(content(b"b"), b"A");
    assert_eq!(fs::stat(b"a").map(|_| ()), Err(Errno::ENOENT));
    let mut buf = [0; 4];
    assert_eq!(io::read(old_b, &mut buf), Ok(1));
    assert_eq!(buf[0], b'B');
    // Two names of one file: nothing happens.
    fs::link(b"b", b"c", 0).unwrap();
    assert_eq!(fs::rename(b"b", b"c", 0), Ok(()));
    assert!(fs::stat(b"b").is_ok() && fs::stat(b"c").is_ok());
    assert_eq!(fs::rename(b"b", b"b", 0), Ok(()));
    assert_eq!(fs::rename(b"none", b"c", 0), Err(Errno::ENOENT));
    assert_eq!(fs::rename(b"b", b"none/c", 0), Err(Errno::ENOENT));
}

fn rename_directories() {
    for d in [&b"d"[..], b"d/sub", b"empty", b"full"] {
        fs::mkdir(d, 0o777).unwrap();
    }
    write_file(b"full/f", b"");
    write_file(b"f", b"");
    assert_eq!(fs::rename(b"d", b"d/sub/x", 0), Err(Errno::EINVAL));
    assert_eq!(fs::rename(b"d", b"d/sub", 0), Err(Errno::EINVAL));
    assert_eq!(fs::rename(b"d", b"full", 0), Err(Errno::ENOTEMPTY));
    assert_eq!(fs::rename(b"d", b"f", 0), Err(Errno::ENOTDIR));
    assert_eq!(fs::rename(b"f", b"d", 0), Err(Errno::EISDIR));
    fs::rename(b"d", b"empty", 0).unwrap();
    assert_eq!(fs::stat(b"empty/sub/..").unwrap().ino, fs::stat(b"empty").unwrap().ino);
    // A directory that moves has another parent.
    fs::rename(b"empty/sub", b"full/sub", 0).unwrap();
    assert_eq!(fs::stat(b"full/sub/..").unwrap().ino, fs::stat(b"full").unwrap().ino);
    let links = |p: &[u8]| fs::stat(p).unwrap().nlink;
    assert_eq!((links(b"empty"), links(b"full")), (2, 3));
}

fn rename_flags() {
    write_file(b"a", b"A");
    write_file(b"b", b"B");
    assert_eq!(fs::rename(b"a", b"b", rename::NOREPLACE), Err(Errno::EEXIST));
    assert_eq!(fs::rename(b"a", b"c", rename::NOREPLACE), NOTHING);
    assert_eq!(fs::rename(b"b", b"c", rename::EXCHANGE), NOTHING);
    assert_eq!((content(b"b"), content(b"c")), (b"A".to_vec(), b"B".to_vec()));
    assert_eq!(fs::rename(b"b", b"none", rename::EXCHANGE), Err(Errno::ENOENT));
}

fn remove_directories() {
    fs::mkdir(b"d", 0o777).unwrap();
    write_file(b"d/f", b"");
    assert_eq!(fs::rmdir(b"d"), Err(Errno::ENOTEMPTY));
    assert_eq!(fs::rmdir(b"d/f"), Err(Errno::ENOTDIR));
    assert_eq!(fs::unlink(b"d"), Err(Errno::EISDIR));
    fs::symlink(b"d", b"l").unwrap();
    assert_eq!(fs::rmdir(b"l"), Err(Errno::ENOTDIR));
    fs::unlink(b"d/f").unwrap();
    assert_eq!(fs::rmdir(b"d"), NOTHING);
    assert_eq!(fs::rmdir(b"d"), Err(Errno::ENOENT));
}

fn in_a_removed_directory() {
    fs::mkdir(b"d", 0o777).unwrap();
    fs::chdir(b"d").unwrap();
    fs::rmdir(b"../d").unwrap();
    assert_eq!(io::open(b"f", o::WRONLY | o::CREAT, 0o666), Err(Errno::ENOENT));
    assert_eq!(fs::mkdir(b"x", 0o777), Err(Errno::ENOENT));
    assert_eq!(fs::getcwd(), Err(Errno::ENOENT));
    assert!(fs::stat(b".").is_ok());
    let names = fs::read_dir(b".");
    assert!(names == Ok(vec![]) || names == Err(Errno::ENOENT), "{names:?}");
}

fn sparse() {
    const FAR: i64 = 1 << 30;
    let fd = open(b"f", o::RDWR | o::CREAT).unwrap();
    io::pwrite(fd, b"end", FAR).unwrap();
    let s = fs::fstat(fd).unwrap();
    assert_eq!(s.size, FAR as u64 + 3);
    assert!(s.blocks * 512 < 1 << 20, "{} blocks for 3 bytes", s.blocks);
    let mut buf = [1; 4096];
    assert_eq!(io::pread(fd, &mut buf, FAR / 2), Ok(4096));
    assert!(buf.iter().all(|&b| b == 0));
    assert_eq!(io::pread(fd, &mut buf, FAR), Ok(3));
    assert_eq!(io::pread(fd, &mut buf, FAR + 3), Ok(0));
    assert_eq!(io::pread(fd, &mut buf, i64::MAX - 5000), Ok(0));
}

fn truncate() {
    write_file(b"f", &[b'x'; 10_000]);
    let fd = open(b"f", o::RDWR).unwrap();
    io::ftruncate(fd, 5000).unwrap();
    io::ftruncate(fd, 9000).unwrap();
    let all = content(b"f");
    assert_eq!(all.len(), 9000);
    assert!(all[..5000].iter().all(|&b| b == b'x'));
    assert!(all[5000..].iter().all(|&b| b == 0), "what was cut off came back");
    io::ftruncate(fd, 0).unwrap();
    assert_eq!(fs::fstat(fd).unwrap().blocks, 0);
}

fn append() {
    let (a, b) = (open(b"f", o::WRONLY | o::CREAT | o::APPEND), open(b"f", o::WRONLY | o::APPEND));
    let (a, b) = (a.unwrap(), b.unwrap());
    for _ in 0..10 {
        io::write_all(a, b"aa").unwrap();
        io::write_all(b, b"b").unwrap();
    }
    assert_eq!(content(b"f"), b"aab".repeat(10));
    assert_eq!(io::lseek(a, 0, seek::CUR), Ok(29));
    io::lseek(a, 0, seek::SET).unwrap();
    io::write_all(a, b"!").unwrap();
    assert_eq!(content(b"f").len(), 31);
}

fn offsets() {
    write_file(b"f", b"0123456789");
    let fd = open(b"f", o::RDWR).unwrap();
    assert_eq!(io::lseek(fd, 4, seek::SET), Ok(4));
    assert_eq!(io::lseek(fd, -1, seek::CUR), Ok(3));
    assert_eq!(io::lseek(fd, -2, seek::END), Ok(8));
    assert_eq!(io::lseek(fd, -1, seek::SET), Err(Errno::EINVAL));
    assert_eq!(io::lseek(fd, -11, seek::END), Err(Errno::EINVAL));
    assert_eq!(io::lseek(fd, 0, 99), Err(Errno::EINVAL));
    assert_eq!(io::lseek(fd, 0, seek::CUR), Ok(8));
    let mut buf = [0; 4];
    assert_eq!(io::read(fd, &mut buf), Ok(2));
    assert_eq!(io::read(fd, &mut buf), Ok(0));
    assert_eq!(io::lseek(fd, 5, seek::END), Ok(15));
    io::write_all(fd, b"x").unwrap();
    assert_eq!(content(b"f"), b"0123456789\0\0\0\0\0x");
    assert_eq!(io::pread(fd, &mut buf, 2), Ok(4));
    assert_eq!(io::lseek(fd, 0, seek::CUR), Ok(16));
}

fn holes() {
    let fd = open(b"f", o::RDWR | o::CREAT).unwrap();
    io::pwrite(fd, &[1; 4096], 1 << 20).unwrap();
    let data = io::lseek(fd, 0, seek::DATA).unwrap();
    assert!(data <= 1 << 20, "data at {data}");
    let hole = io::lseek(fd, 1 << 20, seek::HOLE).unwrap();
    assert!(hole >= (1 << 20) + 4096, "a hole at {hole}");
    assert_eq!(io::lseek(fd, 2 << 20, seek::DATA), Err(Errno::ENXIO));
}

fn times() {
    write_file(b"f", b"");
    fs::utimens(b"f", 1_000_000_007, 2_000_000_009, 0).unwrap();
    let s = fs::stat(b"f").unwrap();
    assert_eq!((s.atime_ns, s.mtime_ns), (1_000_000_007, 2_000_000_009));
    assert!(s.ctime_ns > 1_600_000_000 * 1_000_000_000, "ctime is in 2020 or later");
    let fd = open(b"f", o::WRONLY).unwrap();
    io::write_all(fd, b"x").unwrap();
    assert!(fs::stat(b"f").unwrap().mtime_ns > s.mtime_ns);
    let old = proc::umask(0o027);
    io::close(io::open(b"m", o::WRONLY | o::CREAT, 0o666).unwrap()).unwrap();
    assert_eq!(fs::stat(b"m").unwrap().mode & mode::PERM, 0o640);
    assert_eq!(proc::umask(old), 0o027);
}

fn symlinks() {
    fs::mkdir(b"d", 0o777).unwrap();
    write_file(b"d/f", b"found");
    fs::symlink(b"f", b"d/l").unwrap();
    assert_eq!(content(b"d/l"), b"found");
    fs::symlink(b"d/l", b"k").unwrap();
    assert_eq!(content(b"k"), b"found");
    let s = fs::lstat(b"k").unwrap();
    assert_eq!((s.mode & mode::IFMT, s.size), (mode::IFLNK, 3));
    assert_eq!(fs::readlink(b"d/f"), Err(Errno::EINVAL));
    assert_eq!(fs::symlink(b"x", b"k"), Err(Errno::EEXIST));
    // The text may be anything: nobody looks at it before it is followed.
    let long = vec![b'y'; 3000];
    fs::symlink(&long, b"long").unwrap();
    assert_eq!(fs::readlink(b"long").unwrap(), long);
    assert_eq!(fs::stat(b"long").map(|_| ()), Err(Errno::ENAMETOOLONG));
}
