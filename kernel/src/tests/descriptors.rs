//! Descriptors: lowest first, shared positions, inheritance, close-on-exec. POSIX 2.14.

use alloc::vec::Vec;

use abi::Errno;
use abi::syscalls::UAddr;
use abi::types::{fcntl, o, seek};

use super::{races, seeds};
use crate::machdep::fake::{Fake, Request, Sys};

fn new_file(sys: &Sys, path: &str) -> i32 {
    sys.open(path, o::RDWR | o::CREAT, 0o644).expect("open")
}

#[test]
fn the_lowest_free_number_is_given() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        let fds: Vec<i32> = (0..5).map(|_| new_file(sys, "/tmp/f")).collect();
        let first = fds[0];
        assert_eq!(fds, (first..first + 5).collect::<Vec<_>>());
        sys.close(first + 3).expect("close");
        sys.close(first + 1).expect("close");
        assert_eq!(sys.dup(first), Ok(first + 1));
        assert_eq!(sys.dup(first), Ok(first + 3));
        assert_eq!(sys.dup(first), Ok(first + 5));
        assert_eq!(sys.fcntl(first, fcntl::DUPFD, 40), Ok(40));
        assert_eq!(sys.dup3(first, 50, 0), Ok(50));
        assert_eq!(sys.dup3(first, first, 0), Err(Errno::EINVAL));
        assert_eq!(sys.dup3(first, 50, 1), Err(Errno::EINVAL));
        assert_eq!(sys.dup3(49, 50, 0), Err(Errno::EBADF));
        assert_eq!(sys.dup3(first, -1, 0), Err(Errno::EBADF));
        assert_eq!(sys.dup3(first, 1 << 20, 0), Err(Errno::EBADF));
        for bad in [-1, 49, i32::MAX, i32::MIN] {
            assert_eq!(sys.close(bad), Err(Errno::EBADF));
            assert_eq!(sys.read(bad, 1), Err(Errno::EBADF));
            assert_eq!(sys.fcntl(bad, fcntl::GETFD, 0), Err(Errno::EBADF));
        }
    });
    vk.join(h);
}

#[test]
fn duplicates_share_one_position_and_opens_do_not() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        let a = new_file(sys, "/tmp/f");
        let b = sys.dup(a).expect("dup");
        let c = new_file(sys, "/tmp/f");
        assert_eq!(sys.write(a, b"hello "), Ok(6));
        assert_eq!(sys.write(b, b"world"), Ok(5));
        assert_eq!(sys.read(c, 20), Ok(b"hello world".to_vec()));
        assert_eq!(sys.lseek(a, 0, seek::CUR), Ok(11));
        assert_eq!(sys.lseek(b, -5, seek::END), Ok(6));
        assert_eq!(sys.read(a, 3), Ok(b"wor".to_vec()));
        // Status flags are shared, descriptor flags are not.
        sys.fcntl(a, fcntl::SETFL, o::APPEND as i32).expect("setfl");
        assert_eq!(sys.fcntl(b, fcntl::GETFL, 0).map(|f| f as u32 & o::APPEND), Ok(o::APPEND));
        assert_eq!(sys.fcntl(c, fcntl::GETFL, 0).map(|f| f as u32 & o::APPEND), Ok(0));
        sys.fcntl(a, fcntl::SETFD, fcntl::FD_CLOEXEC as i32).expect("setfd");
        assert_eq!(sys.fcntl(b, fcntl::GETFD, 0), Ok(0));
    });
    vk.join(h);
}

#[test]
fn a_child_shares_the_position_of_what_it_inherits() {
    seeds(0..40, |seed| {
        let vk = Fake::seeded(seed).boot();
        let fd = vk.init(|sys| {
            let fd = new_file(sys, "/tmp/f");
            sys.write(fd, b"abcdef").expect("write");
            sys.lseek(fd, 0, seek::SET).expect("lseek");
            fd
        });
        let a = vk.lwp(move |sys| sys.read(fd, 2));
        let b = vk.lwp(move |sys| sys.read(fd, 2));
        let mut got = [vk.join(a).expect("read"), vk.join(b).expect("read")];
        got.sort();
        assert_eq!(got, [b"ab", b"cd"], "seed {seed}");
        assert_eq!(vk.init(move |sys| sys.read(fd, 9)), Ok(b"ef".to_vec()));
    });
}

/// POSIX 2.9.7: transfers through one description do not overlap.
#[test]
fn writers_through_one_description_do_not_overlap() {
    seeds(0..200, |seed| {
        let vk = Fake::seeded(seed).boot();
        let fd = vk.init(|sys| new_file(sys, "/tmp/f"));
        let writers = [1u8, 2, 3].map(|id| {
            vk.lwp(move |sys| {
                for _ in 0..4 {
                    assert_eq!(sys.write(fd, &[id; 10]), Ok(10));
                }
            })
        });
        writers.into_iter().for_each(|w| vk.join(w));
        let all = vk.init(|sys| sys.get_file("/tmp/f")).expect("read");
        assert_eq!(all.len(), 120, "seed {seed}");
        assert!(all.chunks(10).all(|c| c.iter().all(|b| *b == c[0])), "seed {seed}");
    });
}

/// WASI's `fd_read` and `fd_write`: with one piece, which is moved while the descriptor is locked, or with two.
fn transfer(sys: &Sys, name: &str, fd: i32, pieces: usize, piece: UAddr, list: UAddr) -> Vec<u8> {
    for i in 0..pieces {
        let at = piece.offset(10 / pieces * i);
        let raw = u64::from(at.0) | ((10 / pieces) as u64) << 32;
        sys.poke(list.offset(8 * i), &raw.to_le_bytes());
    }
    let count = list.offset(16);
    sys.wasi(name, &[fd as u64, list.0.into(), pieces as u64, count.0.into()]).expect(name);
    sys.peek(piece, sys.peek32(count) as usize)
}

/// The quick way of a transfer and the long one respect each other: what one of them reads no other reads, and
/// what they write is whole.
#[test]
fn quick_and_long_transfers_do_not_overlap() {
    races(0..200, |seed| {
        let vk = Fake::seeded(seed).boot();
        let fd = vk.init(|sys| {
            let fd = new_file(sys, "/tmp/f");
            for id in 0..12 {
                sys.write(fd, &[id; 10]).expect("write");
            }
            sys.lseek(fd, 0, seek::SET).expect("lseek");
            fd
        });
        let readers = [1, 2, 1].map(|pieces| {
            vk.lwp(move |sys| {
                let (piece, list) = (sys.alloc(16), sys.alloc(24));
                let read = |_| transfer(sys, "fd_read", fd, pieces, piece, list);
                (0..4).map(read).collect::<Vec<_>>()
            })
        });
        let mut all: Vec<_> = readers.into_iter().flat_map(|r| vk.join(r)).collect();
        all.sort();
        assert_eq!(all, (0..12).map(|id| alloc::vec![id; 10]).collect::<Vec<_>>(), "seed {seed}");

        vk.init(move |sys| sys.lseek(fd, 0, seek::SET)).expect("lseek");
        let writers = [1u8, 2, 3].map(|id| {
            vk.lwp(move |sys| {
                let (piece, list) = (sys.alloc(16), sys.alloc(24));
                sys.poke(piece, &[id; 10]);
                for _ in 0..4 {
                    transfer(sys, "fd_write", fd, usize::from(id % 2) + 1, piece, list);
                }
            })
        });
        writers.into_iter().for_each(|w| vk.join(w));
        let all = vk.init(|sys| sys.get_file("/tmp/f")).expect("read");
        assert_eq!(all.len(), 120, "seed {seed}");
        assert!(all.chunks(10).all(|c| c.iter().all(|b| *b == c[0])), "seed {seed}");
        assert!([1, 2, 3].iter().all(|id| all.iter().filter(|b| *b == id).count() == 40), "seed {seed}");
    });
}

/// Others look into a table of descriptors, and open what they find, while its owner transfers and closes.
#[test]
fn a_transfer_a_close_and_a_look_at_the_descriptors() {
    races(0..200, |seed| {
        let vk = Fake::seeded(seed).boot();
        vk.init(|sys| sys.put_file("/tmp/f", &[7; 40], 0o644)).expect("create");
        let owner = vk.lwp(|sys| {
            let fds = [(); 3].map(|()| sys.open("/tmp/f", o::RDWR, 0).expect("open"));
            for fd in fds {
                assert_eq!(sys.read(fd, 20), Ok(alloc::vec![7; 20]));
                assert_eq!(sys.write(fd, &[7; 20]), Ok(20));
                sys.close(fd).expect("close");
                assert_eq!(sys.read(fd, 20), Err(Errno::EBADF));
                assert_eq!(sys.write(fd, &[9; 20]), Err(Errno::EBADF));
            }
        });
        let pid = owner.pid;
        let looker = vk.lwp(move |sys| {
            for fd in 3..8 {
                let name = alloc::format!("/proc/{pid}/fd/{fd}");
                if let Ok(found) = sys.open(&name, o::RDONLY, 0) {
                    // What it began with are no files.
                    let all = sys.read(found, 50).unwrap_or_default();
                    assert!(all.iter().all(|b| *b == 7));
                    sys.close(found).expect("close");
                }
            }
        });
        vk.join(owner);
        vk.join(looker);
        assert_eq!(vk.init(|sys| sys.get_file("/tmp/f")), Ok(alloc::vec![7; 40]), "seed {seed}");
    });
}

/// What is refused or out of the ordinary goes the long way, which says why: nothing is moved or counted twice.
#[test]
fn what_can_not_be_moved_quickly_is_moved_all_the_same() {
    let vk = Fake::seeded(1).boot();
    vk.init(|sys| {
        let fd = new_file(sys, "/tmp/f");
        sys.write(fd, &[7; 15]).expect("write");
        sys.lseek(fd, 0, seek::SET).expect("lseek");
        let (piece, list) = (sys.alloc(16), sys.alloc(24));
        let count = list.offset(16);
        let call = |name, at: UAddr, len: usize, list: UAddr, count: UAddr| {
            sys.poke(UAddr(list.0.min(60_000)), &(u64::from(at.0) | (len as u64) << 32).to_le_bytes());
            sys.wasi(name, &[fd as u64, list.0.into(), 1, count.0.into()])
        };
        let nowhere = UAddr(u32::MAX - 2);
        assert_eq!(call("fd_read", nowhere, 10, list, count), Err(Errno::EFAULT));
        assert_eq!(call("fd_read", piece, 10, nowhere, count), Err(Errno::EFAULT));
        assert_eq!(call("fd_write", nowhere, 10, list, count), Err(Errno::EFAULT));
        assert_eq!(sys.lseek(fd, 0, seek::CUR), Ok(0));
        // Up to the end, at the end, and nothing.
        assert_eq!(transfer(sys, "fd_read", fd, 1, piece, list), [7; 10]);
        assert_eq!(transfer(sys, "fd_read", fd, 1, piece, list), [7; 5]);
        assert_eq!(transfer(sys, "fd_read", fd, 1, piece, list), []);
        assert_eq!(call("fd_write", piece, 0, list, count), Ok(()));
        assert_eq!((sys.peek32(count), sys.lseek(fd, 0, seek::CUR)), (0, Ok(15)));
        // Over the end: the file grows.
        sys.lseek(fd, 10, seek::SET).expect("lseek");
        assert_eq!(transfer(sys, "fd_write", fd, 1, piece, list).len(), 10);
        assert_eq!(sys.get_file("/tmp/f").map(|f| f.len()), Ok(20));
        // Not what it was opened for.
        let other = sys.open("/tmp/f", o::WRONLY, 0).expect("open");
        assert_eq!(sys.read(other, 5), Err(Errno::EBADF));
        let other = sys.open("/tmp/f", o::RDONLY, 0).expect("open");
        assert_eq!(sys.write(other, b"x"), Err(Errno::EBADF));
        let path = sys.open("/tmp/f", o::PATH, 0).expect("open");
        assert_eq!(sys.read(path, 5), Err(Errno::EBADF));
        let all = sys.open("/dev/full", o::RDWR, 0).expect("open");
        assert_eq!(sys.write(all, b"x"), Err(Errno::ENOSPC));
        assert_eq!(sys.read(all, 5), Ok(alloc::vec![0; 5]));
        let null = sys.open("/dev/null", o::RDWR, 0).expect("open");
        assert_eq!((sys.write(null, b"xyz"), sys.read(null, 5)), (Ok(3), Ok(Vec::new())));
    });
}

#[test]
fn appenders_through_two_descriptions_lose_nothing() {
    seeds(0..200, |seed| {
        let vk = Fake::seeded(seed).boot();
        vk.init(|sys| sys.put_file("/tmp/f", b"", 0o644)).expect("create");
        let writers = [1u8, 2].map(|id| {
            vk.lwp(move |sys| {
                let fd = sys.open("/tmp/f", o::WRONLY | o::APPEND, 0).expect("open");
                for _ in 0..5 {
                    assert_eq!(sys.write(fd, &[id; 10]), Ok(10));
                }
            })
        });
        writers.into_iter().for_each(|w| vk.join(w));
        let all = vk.init(|sys| sys.get_file("/tmp/f")).expect("read");
        assert_eq!(all.len(), 100, "seed {seed}");
        assert!(all.chunks(10).all(|c| c.iter().all(|b| *b == c[0])), "seed {seed}");
    });
}

/// Answers which of the descriptors named as arguments are open, as a bit set.
fn open_set(sys: &Sys) -> i32 {
    let fds = sys.argv().iter().skip(1).filter_map(|a| a.parse().ok()).collect::<Vec<i32>>();
    fds.iter().enumerate().map(|(i, fd)| i32::from(sys.fcntl(*fd, fcntl::GETFD, 0).is_ok()) << i).sum()
}

#[test]
fn close_on_exec_closes_on_spawn_and_exec_only() {
    let vk = Fake::seeded(1).program("which", open_set).boot();
    vk.init(|sys| {
        let (r, w) = sys.pipe2(o::CLOEXEC).expect("pipe");
        let f = new_file(sys, "/tmp/f");
        let d = sys.fcntl(f, fcntl::DUPFD_CLOEXEC, 0).expect("dup");
        assert_eq!(sys.fcntl(d, fcntl::GETFD, 0), Ok(fcntl::FD_CLOEXEC as i32));
        let mut request = Request::new("/bin/which");
        for fd in [r, w, f, d] {
            request = request.arg(&alloc::format!("{fd}"));
        }
        let pid = sys.spawn(&request).expect("spawn");
        assert_eq!(sys.waitpid(pid), Ok(0b0100 << 8));
        assert!([r, w, f, d].iter().all(|fd| sys.fcntl(*fd, fcntl::GETFD, 0).is_ok()));
    });
    let h = vk.lwp(|sys| {
        let f = sys.open("/tmp/f", o::CLOEXEC, 0).expect("open");
        let g = sys.open("/tmp/f", 0, 0).expect("open");
        let request = Request::new("/bin/which").arg(&alloc::format!("{f}")).arg(&alloc::format!("{g}"));
        sys.exec(&request)
    });
    assert_eq!(vk.end(h).1, 0b10 << 8);
}

#[test]
fn dup2_over_an_open_descriptor_closes_it() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(|sys| {
            let (r, w) = sys.pipe2(0)?;
            let f = new_file(sys, "/tmp/f");
            sys.dup3(f, w, 0)?;
            // That was the pipe's last writer.
            sys.read(r, 1)
        });
        assert_eq!(vk.join(h), Ok(Vec::new()), "seed {seed}");
    });
}

#[test]
fn a_file_lives_until_its_last_descriptor_goes() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        let root = sys.open("/", o::DIRECTORY, 0).expect("open");
        let before = sys.fstatvfs(root).expect("statvfs");
        let fd = new_file(sys, "/tmp/f");
        sys.write(fd, &[7; 50_000]).expect("write");
        sys.unlink("/tmp/f").expect("unlink");
        assert_eq!(sys.open("/tmp/f", 0, 0), Err(Errno::ENOENT));
        assert_eq!(sys.fstat(fd).map(|s| (s.nlink, s.size)), Ok((0, 50_000)));
        assert_eq!(sys.pread(fd, 3, 49_998), Ok(alloc::vec![7, 7]));
        let held = sys.fstatvfs(root).expect("statvfs");
        assert!(held.bfree < before.bfree && held.ffree < before.ffree);
        sys.close(fd).expect("close");
        assert_eq!(sys.fstatvfs(root), Ok(before));
    });
    vk.join(h);
}
