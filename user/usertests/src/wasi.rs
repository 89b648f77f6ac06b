//! The calls of WASI where they are not POSIX's: preopens, rights, structures. The sources are the
//! witx files of preview 0 and 1, and what wasi-libc does with the answers.

use std::time::{Duration, Instant};

use abi::Errno;
use abi::syscalls::{WASI_UNSTABLE, by_import};
use abi::types::{o, seek};
use vkernel_sys::{fs, io};

use crate::harness::write_file;
use crate::rawcall::{call, decode, prestat, wasi};

crate::tests! { wasi:
    preopens, fdstat, rights_shrink, rights_at_open, filestat, directory_cookies, directory_buffers, seek_and_tell, renumber,
    times, advise_and_allocate, random, sockets,
    unstable, clocks, arguments,
}

const FD_READ: u64 = 1 << 1;
const FD_SEEK: u64 = 1 << 2;
const FD_TELL: u64 = 1 << 5;
const FD_WRITE: u64 = 1 << 6;
const PATH_OPEN: u64 = 1 << 13;
const PATH_UNLINK_FILE: u64 = 1 << 26;

/// A call that is given `out` bytes to fill besides its other arguments, of which `OUT` stands for them.
pub const OUT: u64 = u64::MAX - 1;
pub fn get<const N: usize>(name: &str, args: &[u64]) -> Result<[u8; N], Errno> {
    let mut out = [0xee; N];
    let args: Vec<u64> = args.iter().map(|&a| if a == OUT { out.as_mut_ptr() as u64 } else { a }).collect();
    // SAFETY: the kernel writes within `out`; the other pointers are to what is read.
    unsafe { wasi(name, &args) }.map(|()| std::hint::black_box(out))
}
fn plain(name: &str, args: &[u64]) -> Result<(), Errno> {
    // SAFETY: no `Out` pointers among these.
    unsafe { wasi(name, args) }
}
pub fn u64_at(b: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(b[at..at + 8].try_into().expect("8 bytes"))
}
pub fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(b[at..at + 4].try_into().expect("4 bytes"))
}
pub fn root() -> u64 {
    (3..).find(|&fd| prestat(fd) == Some(0)).expect("a preopened directory") as u64
}
/// base, inheriting
fn rights(fd: u64) -> (u64, u64) {
    let stat = get::<24>("fd_fdstat_get", &[fd, OUT]).expect("fd_fdstat_get");
    (u64_at(&stat, 8), u64_at(&stat, 16))
}

fn preopens() {
    let root = root();
    assert_eq!(get::<8>("fd_prestat_get", &[root, OUT]), Ok([0, 0, 0, 0, 1, 0, 0, 0]));
    assert_eq!(get::<3>("fd_prestat_dir_name", &[root, OUT, 1]), Ok([b'/', 0xee, 0xee]));
    assert_eq!(get::<3>("fd_prestat_dir_name", &[root, OUT, 0]), Err(Errno::ENAMETOOLONG));
    // Below it: something that libraries skip. Above it: the end.
    (3..root).for_each(|fd| assert_eq!(prestat(fd as i32), Some(255)));
    let above = io::open(b"/", o::RDONLY, 0).unwrap();
    assert_eq!(prestat(above), None);
    assert_eq!(get::<8>("fd_prestat_get", &[999, OUT]), Err(Errno::EBADF));
    // A copy is no preopen.
    let copy = io::dup(root as i32).unwrap();
    assert_eq!(prestat(copy), None);
}

fn fdstat() {
    write_file(b"f", b"");
    let kind_flags = |fd: i32| {
        let s = get::<24>("fd_fdstat_get", &[fd as u64, OUT]).unwrap();
        assert_eq!((s[1], &s[4..8]), (0, &[0u8; 4][..]), "padding");
        (s[0], u16::from_le_bytes([s[2], s[3]]))
    };
    let f = io::open(b"f", o::RDWR | o::APPEND, 0).unwrap();
    assert_eq!(kind_flags(f), (4, 1));
    plain("fd_fdstat_set_flags", &[f as u64, 4]).unwrap();
    assert_eq!(kind_flags(f), (4, 4));
    assert_eq!(io::fcntl(f, abi::types::fcntl::GETFL, 0).unwrap() & (o::NONBLOCK | o::APPEND), o::NONBLOCK);
    plain("fd_fdstat_set_flags", &[f as u64, 0]).unwrap();
    assert_eq!(plain("fd_fdstat_set_flags", &[f as u64, 1 << 9]), Err(Errno::EINVAL));
    let null = io::open(b"/dev/null", o::RDWR, 0).unwrap();
    assert_eq!(kind_flags(null).0, 2);
    assert_eq!(kind_flags(root() as i32).0, 3);
    let (r, w) = io::pipe2(o::NONBLOCK).unwrap();
    assert_eq!(kind_flags(r), (0, 4));
    // What libraries make F_GETFL of.
    assert_eq!(rights(r as u64).0 & (FD_READ | FD_WRITE), FD_READ);
    assert_eq!(rights(w as u64).0 & (FD_READ | FD_WRITE), FD_WRITE);
    assert_eq!(rights(r as u64).0 & (FD_SEEK | FD_TELL), 0);
    assert_eq!(rights(f as u64).0 & (FD_READ | FD_WRITE | FD_SEEK), FD_READ | FD_WRITE | FD_SEEK);
    let (base, inheriting) = rights(root());
    assert_eq!(base & (PATH_OPEN | PATH_UNLINK_FILE), PATH_OPEN | PATH_UNLINK_FILE);
    assert_eq!(inheriting & (base | FD_READ | FD_WRITE), base | FD_READ | FD_WRITE);
}

fn rights_shrink() {
    write_file(b"f", b"content");
    let fd = io::open(b"f", o::RDWR, 0).unwrap();
    let copy = io::dup(fd).unwrap() as u64;
    let (base, _) = rights(fd as u64);
    plain("fd_fdstat_set_rights", &[fd as u64, base & !FD_WRITE, 0]).unwrap();
    assert_eq!(rights(fd as u64), (base & !FD_WRITE, 0));
    assert_eq!(plain("fd_fdstat_set_rights", &[fd as u64, base, 0]), Err(Errno::ENOTCAPABLE));
    let iov = [b"x".as_ptr() as u32, 1];
    // The file is shared, and so are its rights.
    for fd in [fd as u64, copy] {
        assert_eq!(get::<4>("fd_write", &[fd, iov.as_ptr() as u64, 1, OUT]), Err(Errno::ENOTCAPABLE));
        assert_eq!(get::<8>("fd_tell", &[fd, OUT]), Ok([0; 8]));
    }
    plain("fd_fdstat_set_rights", &[fd as u64, FD_TELL, 0]).unwrap();
    let iov = [[0u8; 4].as_mut_ptr() as u32, 4];
    assert_eq!(get::<4>("fd_read", &[copy, iov.as_ptr() as u64, 1, OUT]), Err(Errno::ENOTCAPABLE));
    assert_eq!(get::<8>("fd_seek", &[copy, 1, 0, OUT]), Err(Errno::ENOTCAPABLE));
    assert_eq!(get::<8>("fd_seek", &[copy, 0, 1, OUT]), Ok([0; 8]));
    assert_eq!(get::<64>("fd_filestat_get", &[copy, OUT]), Err(Errno::ENOTCAPABLE));
}

/// `path_open` on a descriptor of our directory, read-only lookups; the new descriptor.
pub fn path_open(dir: u64, path: &str, oflags: u64, base: u64, inheriting: u64) -> Result<u64, Errno> {
    let args = [dir, 1, path.as_ptr() as u64, path.len() as u64, oflags, base, inheriting, 0, OUT];
    get::<4>("path_open", &args).map(|b| u32_at(&b, 0) as u64)
}
pub fn here() -> u64 {
    io::open(b".", o::RDONLY | o::DIRECTORY, 0).expect("open") as u64
}

fn rights_at_open() {
    const CREAT: u64 = 1;
    const DIRECTORY: u64 = 2;
    const EXCL: u64 = 4;
    const TRUNC: u64 = 8;
    let dir = here();
    write_file(b"f", b"content");
    let r = path_open(dir, "f", 0, FD_READ, 0).unwrap();
    assert_eq!(rights(r), (FD_READ, 0));
    assert_eq!(io::fcntl(r as i32, abi::types::fcntl::GETFL, 0).unwrap() & o::ACCMODE, o::RDONLY);
    // What it was not opened for is EBADF, what was given up ENOTCAPABLE.
    let iov = [b"x".as_ptr() as u32, 1];
    assert_eq!(get::<4>("fd_write", &[r, iov.as_ptr() as u64, 1, OUT]), Err(Errno::EBADF));
    assert_eq!(get::<8>("fd_seek", &[r, 1, 0, OUT]), Err(Errno::ENOTCAPABLE));
    let w = path_open(dir, "new", CREAT | EXCL, FD_WRITE, 0).unwrap();
    assert_eq!(io::fcntl(w as i32, abi::types::fcntl::GETFL, 0).unwrap() & o::ACCMODE, o::WRONLY);
    assert_eq!(path_open(dir, "new", CREAT | EXCL, FD_WRITE, 0), Err(Errno::EEXIST));
    assert_eq!(path_open(dir, ".", DIRECTORY, FD_WRITE, 0), Err(Errno::EISDIR));
    assert_eq!(path_open(dir, "f", DIRECTORY, FD_READ, 0), Err(Errno::ENOTDIR));
    assert_eq!(path_open(dir, "d", CREAT | DIRECTORY, FD_READ, 0), Err(Errno::EINVAL));
    assert_eq!(path_open(dir, "f", 16, FD_READ, 0), Err(Errno::EINVAL));
    path_open(dir, "f", TRUNC, FD_WRITE, 0).unwrap();
    assert_eq!(fs::stat(b"f").unwrap().size, 0);
    // A directory passes on no more than it has.
    let sub = path_open(dir, ".", DIRECTORY, PATH_OPEN, FD_READ).unwrap();
    assert!(path_open(sub, "f", 0, FD_READ, 0).is_ok());
    assert_eq!(path_open(sub, "f", 0, FD_READ | FD_WRITE, 0), Err(Errno::ENOTCAPABLE));
    assert_eq!(path_open(sub, "made", CREAT, FD_READ, 0), Err(Errno::ENOTCAPABLE));
    assert_eq!(plain("path_unlink_file", &[sub, b"f".as_ptr() as u64, 1]), Err(Errno::ENOTCAPABLE));
}

fn filestat() {
    write_file(b"f", b"12345");
    fs::link(b"f", b"g", 0).unwrap();
    fs::symlink(b"f", b"l").unwrap();
    let (dir, s) = (here(), fs::stat(b"f").unwrap());
    let stat = |flags: u64, name: &str| {
        get::<64>("path_filestat_get", &[dir, flags, name.as_ptr() as u64, name.len() as u64, OUT]).unwrap()
    };
    let b = stat(1, "l");
    let fields = [u64_at(&b, 0), u64_at(&b, 8), u64_at(&b, 24), u64_at(&b, 32)];
    assert_eq!(fields, [s.dev, s.ino, 2, 5]);
    assert_eq!(
        [u64_at(&b, 40), u64_at(&b, 48), u64_at(&b, 56)],
        [s.atime_ns, s.mtime_ns, s.ctime_ns].map(|t| t as u64)
    );
    assert_eq!(b[16..24], [4, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(stat(0, "l")[16], 7);
    let fd = io::open(b"f", o::RDONLY, 0).unwrap() as u64;
    assert_eq!(get::<64>("fd_filestat_get", &[fd, OUT]).unwrap(), stat(0, "f"));
}

/// Entries of one `fd_readdir`: cookie after it, inode, type, name; and how much of the buffer was used.
#[allow(clippy::type_complexity)]
fn read_dir(fd: u64, cookie: u64, room: usize) -> (Vec<(u64, u64, u8, Vec<u8>)>, usize) {
    let mut buf = vec![0xeeu8; room];
    let used = get::<4>("fd_readdir", &[fd, buf.as_mut_ptr() as u64, room as u64, cookie, OUT]).expect("fd_readdir");
    let used = u32_at(&used, 0) as usize;
    assert!(buf[used..].iter().all(|&b| b == 0xee), "written past what was used");
    let (mut all, mut rest) = (Vec::new(), &buf[..used]);
    while rest.len() >= 24 {
        let len = u32_at(rest, 16) as usize;
        assert_eq!(rest[21..24], [0; 3], "padding");
        if rest.len() < 24 + len {
            break;
        }
        all.push((u64_at(rest, 0), u64_at(rest, 8), rest[20], rest[24..24 + len].to_vec()));
        rest = &rest[24 + len..];
    }
    (all, used)
}

fn directory_cookies() {
    for i in 0..50 {
        write_file(format!("file{i}").as_bytes(), b"");
    }
    fs::mkdir(b"sub", 0o777).unwrap();
    let fd = here();
    let (all, used) = read_dir(fd, 0, 1 << 16);
    assert!(used < 1 << 16);
    assert_eq!(all.len(), 53);
    assert_eq!((&all[0].3[..], &all[1].3[..]), (&b"."[..], &b".."[..]));
    assert_eq!((all[0].1, all[1].1), (fs::stat(b".").unwrap().ino, fs::stat(b"..").unwrap().ino));
    for e in &all {
        assert_eq!(e.1, fs::stat(&e.3).unwrap().ino);
        assert_eq!(e.2 == 3, !e.3.starts_with(b"file"));
    }
    // From each cookie on come those that follow, also after others are gone.
    for at in [0, 1, 2, 30, 51] {
        assert_eq!(read_dir(fd, all[at].0, 1 << 16).0, all[at + 1..]);
    }
    assert_eq!(read_dir(fd, all[52].0, 1 << 16).1, 0);
    for e in all.iter().take(20).filter(|e| e.2 != 3) {
        fs::unlink(&e.3).unwrap();
    }
    assert_eq!(read_dir(fd, all[30].0, 1 << 16).0, all[31..]);
    assert_eq!(read_dir(fd, all[10].0, 1 << 16).0, all[20..]);
}

/// A buffer that is full says that there may be more; what was cut off comes whole the next time.
fn directory_buffers() {
    for i in 0..10 {
        write_file(format!("{}{i}", "long".repeat(10)).as_bytes(), b"");
    }
    let fd = here();
    let whole = read_dir(fd, 0, 1 << 16).0;
    for room in [24, 25, 70, 100, 131] {
        let (mut all, mut cookie) = (Vec::new(), 0);
        let mut room_now = room;
        loop {
            let (some, used) = read_dir(fd, cookie, room_now);
            if let Some(last) = some.last() {
                cookie = last.0;
                room_now = room;
            } else if used == room_now {
                // Not even one: libraries come again with more.
                room_now *= 2;
                continue;
            }
            all.extend(some);
            if used < room_now {
                break;
            }
        }
        assert_eq!(all, whole, "with {room} bytes");
    }
    write_file(b"f", b"");
    let f = io::open(b"f", o::RDONLY, 0).unwrap() as u64;
    let mut buf = [0u8; 64];
    let got = get::<4>("fd_readdir", &[f, buf.as_mut_ptr() as u64, 64, 0, OUT]);
    assert_eq!(got.map(|_| ()), Err(Errno::ENOTDIR));
}

fn seek_and_tell() {
    write_file(b"f", b"0123456789");
    let fd = io::open(b"f", o::RDONLY, 0).unwrap() as u64;
    let seek = |off: i64, whence: u64| get::<8>("fd_seek", &[fd, off as u64, whence, OUT]).map(u64::from_le_bytes);
    assert_eq!(seek(4, 0), Ok(4));
    assert_eq!(seek(2, 1), Ok(6));
    assert_eq!(seek(-3, 2), Ok(7));
    assert_eq!(get::<8>("fd_tell", &[fd, OUT]).map(u64::from_le_bytes), Ok(7));
    assert_eq!(seek(0, 3), Err(Errno::EINVAL));
    assert_eq!(seek(-8, 1), Err(Errno::EINVAL));
    assert_eq!(io::lseek(fd as i32, 0, seek::CUR), Ok(7));
}

fn renumber() {
    write_file(b"a", b"A");
    let (a, b) = (io::open(b"a", o::RDONLY, 0).unwrap(), io::open(b"/dev/null", o::RDONLY, 0).unwrap());
    let renumber = |from: i32, to: i32| plain("fd_renumber", &[from as u32 as u64, to as u32 as u64]);
    assert_eq!(renumber(a, 900), Err(Errno::EBADF));
    assert_eq!(renumber(900, a), Err(Errno::EBADF));
    assert_eq!(renumber(a, -1), Err(Errno::EBADF));
    assert_eq!(renumber(a, a), Ok(()));
    assert_eq!(renumber(a, b), Ok(()));
    assert_eq!(fs::fstat(a).map(|_| ()), Err(Errno::EBADF));
    assert_eq!(io::read(b, &mut [0; 4]), Ok(1));
}

fn times() {
    const ATIM: u64 = 1;
    const ATIM_NOW: u64 = 2;
    const MTIM: u64 = 4;
    const MTIM_NOW: u64 = 8;
    write_file(b"f", b"");
    fs::symlink(b"f", b"l").unwrap();
    let (dir, fd) = (here(), io::open(b"f", o::RDWR, 0).unwrap() as u64);
    let by_fd = |a: u64, m: u64, flags: u64| plain("fd_filestat_set_times", &[fd, a, m, flags]);
    let by_path = |follow: u64, name: &str, m: u64| {
        plain("path_filestat_set_times", &[dir, follow, name.as_ptr() as u64, name.len() as u64, 0, m, MTIM])
    };
    by_fd(5, 6, ATIM | MTIM).unwrap();
    let s = fs::stat(b"f").unwrap();
    assert_eq!((s.atime_ns, s.mtime_ns), (5, 6));
    by_fd(0, 7, MTIM).unwrap();
    by_fd(0, 0, 0).unwrap();
    let s = fs::stat(b"f").unwrap();
    assert_eq!((s.atime_ns, s.mtime_ns), (5, 7));
    by_fd(1, 2, ATIM_NOW | MTIM_NOW).unwrap();
    let s = fs::stat(b"f").unwrap();
    assert!(s.atime_ns > 1 << 60 && s.mtime_ns > 1 << 60);
    assert_eq!(by_fd(1, 2, ATIM | ATIM_NOW), Err(Errno::EINVAL));
    assert_eq!(by_fd(1, 2, MTIM | MTIM_NOW), Err(Errno::EINVAL));
    assert_eq!(by_fd(1, 2, 16), Err(Errno::EINVAL));
    by_path(1, "l", 11).unwrap();
    assert_eq!(fs::stat(b"f").unwrap().mtime_ns, 11);
    by_path(0, "l", 12).unwrap();
    assert_eq!((fs::stat(b"f").unwrap().mtime_ns, fs::lstat(b"l").unwrap().mtime_ns), (11, 12));
}

fn advise_and_allocate() {
    let fd = io::open(b"f", o::RDWR | o::CREAT, 0o666).unwrap() as u64;
    let advise = |off: i64, len: i64, advice: u64| plain("fd_advise", &[fd, off as u64, len as u64, advice]);
    assert_eq!(advise(0, 100, 3), Ok(()));
    assert_eq!(advise(0, 100, 6), Err(Errno::EINVAL));
    assert_eq!(advise(-1, 100, 0), Err(Errno::EINVAL));
    let allocate = |off: i64, len: i64| plain("fd_allocate", &[fd, off as u64, len as u64]);
    assert_eq!(allocate(100, 1000), Ok(()));
    assert_eq!(fs::stat(b"f").unwrap().size, 1100);
    assert_eq!(allocate(0, 10), Ok(()));
    assert_eq!(fs::stat(b"f").unwrap().size, 1100);
    assert_eq!(allocate(0, 0), Err(Errno::EINVAL));
    assert_eq!(allocate(-1, 5), Err(Errno::EINVAL));
    assert_eq!(allocate(i64::MAX, 5), Err(Errno::EFBIG));
    let (_, w) = io::pipe2(0).unwrap();
    assert_eq!(plain("fd_allocate", &[w as u64, 0, 10]), Err(Errno::ESPIPE));
    assert_eq!(plain("fd_advise", &[w as u64, 0, 10, 0]), Err(Errno::ESPIPE));
    assert_eq!(plain("fd_advise", &[999, 0, 10, 0]), Err(Errno::EBADF));
}

fn random() {
    let mut buf = vec![0u8; 300_000];
    for len in [0usize, 1, 255, 256, 257, 300_000] {
        buf.fill(0);
        // SAFETY: the kernel writes `len` bytes into `buf`.
        unsafe { wasi("random_get", &[buf.as_mut_ptr() as u64, len as u64]) }.unwrap();
        assert!(std::hint::black_box(&buf)[len..].iter().all(|&b| b == 0), "written past the end");
        if len > 1000 {
            let counts = buf[..len].iter().fold([0u32; 256], |mut c, &b| {
                c[b as usize] += 1;
                c
            });
            assert!(counts.iter().all(|&c| c > 800 && c < 1600), "not random: {counts:?}");
        }
    }
    assert_ne!(crate::rawcall::random(), crate::rawcall::random());
}

fn sockets() {
    let null = io::open(b"/dev/null", o::RDWR, 0).unwrap() as u64;
    let mut buf = [0u32; 4];
    let p = buf.as_mut_ptr() as u64;
    for (fd, want) in [(null, Errno::ENOTSOCK), (999, Errno::EBADF)] {
        assert_eq!(plain("sock_shutdown", &[fd, 3]), Err(want));
        assert_eq!(plain("sock_recv", &[fd, p, 1, 0, p, p]), Err(want));
        assert_eq!(plain("sock_send", &[fd, p, 1, 0, p]), Err(want));
        assert_eq!(plain("sock_accept", &[fd, 0, p]), Err(want));
    }
    assert_eq!(std::hint::black_box(buf), [0; 4]);
}

/// Where preview 0 differs.
fn unstable() {
    let call0 = |name: &str, args: &[u64]| {
        let s = by_import(WASI_UNSTABLE, name).expect("a call of preview 0");
        // SAFETY: the pointers among the arguments are to buffers of this function.
        decode(s, unsafe { call(s.nr, args) }).map(|_| ())
    };
    write_file(b"f", b"0123456789");
    let fd = io::open(b"f", o::RDONLY, 0).unwrap() as u64;
    let mut at = 0u64;
    let p = (&raw mut at) as u64;
    for (off, whence, want) in [(4i64, 2u64, 4u64), (2, 0, 6), (-1, 1, 9)] {
        call0("fd_seek", &[fd, off as u64, whence, p]).unwrap();
        assert_eq!(std::hint::black_box(at), want);
    }
    let mut stat = [0xeeu8; 64];
    call0("fd_filestat_get", &[fd, stat.as_mut_ptr() as u64]).unwrap();
    let stat = std::hint::black_box(stat);
    assert_eq!((stat[16], u32_at(&stat, 20), u64_at(&stat, 24), stat[56]), (4, 1, 10, 0xee));
    let mut by_path = [0xeeu8; 64];
    call0("path_filestat_get", &[here(), 1, b"f".as_ptr() as u64, 1, by_path.as_mut_ptr() as u64]).unwrap();
    assert_eq!(std::hint::black_box(by_path), stat);
    // Its clocks have an identifier in front.
    let mut sub = [0u8; 56];
    sub[0] = 42;
    sub[16..24].fill(0xff);
    sub[24] = 1;
    sub[32..40].copy_from_slice(&5_000_000u64.to_le_bytes());
    let (mut event, mut n) = ([0xeeu8; 32], 0u32);
    let start = Instant::now();
    call0("poll_oneoff", &[sub.as_ptr() as u64, event.as_mut_ptr() as u64, 1, (&raw mut n) as u64]).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(5));
    assert_eq!((std::hint::black_box(n), std::hint::black_box(event)[0]), (1, 42));
}

fn clocks() {
    let time = |id: u64| get::<8>("clock_time_get", &[id, 0, OUT]).map(u64::from_le_bytes);
    assert!(time(0).unwrap() > 1_600_000_000_000_000_000);
    let (a, b) = (time(1).unwrap(), time(1).unwrap());
    assert!(b >= a);
    assert!(time(2).is_ok() && time(3).is_ok());
    assert_eq!(time(4), Err(Errno::EINVAL));
    assert_eq!(get::<8>("clock_res_get", &[9, OUT]), Err(Errno::EINVAL));
    assert!(get::<8>("clock_res_get", &[1, OUT]).is_ok_and(|r| u64::from_le_bytes(r) < 1_000_000));
}

fn arguments() {
    let sizes = |name: &str| {
        let mut size = 0u32;
        let count = get::<4>(name, &[OUT, (&raw mut size) as u64]).unwrap();
        (u32_at(&count, 0) as usize, std::hint::black_box(size) as usize)
    };
    let (count, size) = sizes("args_sizes_get");
    let args: Vec<String> = std::env::args().collect();
    assert_eq!((count, size), (args.len(), args.iter().map(|a| a.len() + 1).sum()));
    let (mut ptrs, mut buf) = (vec![0u32; count + 1], vec![0xeeu8; size + 1]);
    // SAFETY: both have the room that was asked for.
    unsafe { wasi("args_get", &[ptrs.as_mut_ptr() as u64, buf.as_mut_ptr() as u64]) }.unwrap();
    assert_eq!((ptrs[count], buf[size]), (0, 0xee));
    let mut at = buf.as_ptr() as u32;
    for (p, a) in ptrs.iter().zip(&args) {
        assert_eq!(*p, at);
        at += a.len() as u32 + 1;
    }
    assert_eq!(buf[..size], *args.iter().flat_map(|a| [a.as_bytes(), b"\0"].concat()).collect::<Vec<u8>>());
    let (vars, _) = sizes("environ_sizes_get");
    assert_eq!(vars, std::env::vars_os().count());
}
