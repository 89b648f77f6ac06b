//! Descriptors: lowest first, shared positions, inheritance, close-on-exec. POSIX 2.14.

use alloc::vec::Vec;

use abi::Errno;
use abi::types::{fcntl, o, seek};

use super::seeds;
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
