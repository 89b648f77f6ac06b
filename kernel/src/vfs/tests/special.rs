//! Devices, FIFOs, the directory of descriptors, the terminal's settings.

use alloc::vec;

use abi::Errno;
use abi::types::{at, ioctl, mode, o, poll};

use super::{run, with};
use crate::machdep::fake::{Fake, Sys};

#[test]
fn devices_do_what_they_are_called() {
    run(|sys| {
        let read = |p: &str| -> Result<vec::Vec<u8>, Errno> {
            let fd = sys.open(p, o::RDWR, 0)?;
            let got = sys.read(fd, 10_000);
            sys.close(fd)?;
            got
        };
        assert_eq!(read("/dev/null")?, vec![]);
        assert_eq!(read("/dev/zero")?, vec![0; 10_000]);
        assert_eq!(read("/dev/full")?, vec![0; 10_000]);
        let random = read("/dev/urandom")?;
        assert!(random.len() == 10_000 && random.iter().any(|&b| b != random[0]));
        // Not more at once than Linux gives: nobody else runs meanwhile.
        let mut large = vec![0; 33 << 20];
        let mut uio = crate::uio::Uio::into_kernel(&sys.lp, &mut large, 0);
        crate::vfs::lookup::namei(&sys.lp, &crate::vfs::lookup::At::cwd(b"/dev/random"))?.read(&mut uio, 0)?;
        assert_eq!(uio.resid, (1 << 20) + 1);
        let (room, len) = (sys.alloc(3 << 20), (2 << 20) + 9);
        sys.call("getrandom", &[room.0 as u64, len])?;
        let end = sys.peek(room.offset(len as usize - 8), 16);
        assert!(end[..8] != [0; 8] && end[8..] == [0; 8]);
        assert_eq!(sys.put_file("/dev/null", b"gone", 0o600), Ok(()));
        assert_eq!(sys.put_file("/dev/full", b"x", 0o600), Err(Errno::ENOSPC));
        assert_eq!(sys.stat("/dev/null", 0)?.rdev, 0x103);
        assert_eq!(sys.put_file("/dev/new", b"x", 0o600), Err(Errno::EPERM));
        assert_eq!(sys.unlink("/dev/null"), Err(Errno::EPERM));
        let names = sys.ls("/dev")?;
        assert!([&b"null"[..], b"tty", b"fd", b"stdin"].iter().all(|n| names.iter().any(|m| m == n)), "{names:?}");
        Ok::<(), Errno>(())
    })
    .expect("devices");
}

#[test]
fn dev_fd_opens_what_the_descriptor_is() {
    run(|sys| {
        sys.put_file("/tmp/f", b"content", 0o644)?;
        let fd = sys.open("/tmp/f", 0, 0)?;
        sys.unlink("/tmp/f")?;
        let again = sys.open(alloc::format!("/dev/fd/{fd}"), 0, 0)?;
        assert_eq!(sys.read(fd, 3)?, b"con");
        assert_eq!(sys.read(again, 100)?, b"content");
        assert_eq!(sys.stat(alloc::format!("/proc/self/fd/{fd}"), 0)?, sys.fstat(fd)?);
        let (r, w) = sys.pipe2(0)?;
        let w2 = sys.open(alloc::format!("/dev/fd/{w}"), o::WRONLY, 0)?;
        assert_eq!(sys.open(alloc::format!("/dev/fd/{w}"), o::RDONLY, 0), Err(Errno::EACCES));
        sys.close(w)?;
        sys.write(w2, b"through")?;
        sys.close(w2)?;
        assert_eq!(sys.read_all(r)?, b"through");
        assert_eq!(sys.open("/dev/fd/99", 0, 0), Err(Errno::ENOENT));
        assert_eq!(sys.open("/dev/fd/x", 0, 0), Err(Errno::ENOENT));
        assert!(sys.ls("/dev/fd")?.contains(&b"0".to_vec()));
        Ok::<(), Errno>(())
    })
    .expect("fd");
}

/// Else `find /` would go on for ever: it has the root open while it reads `/dev/fd`.
#[test]
fn who_follows_no_links_does_not_enter_dev_fd() {
    run(|sys| {
        let root = sys.open("/", o::DIRECTORY, 0)?;
        let path = alloc::format!("/dev/fd/{root}");
        assert_eq!(sys.stat(&path, at::SYMLINK_NOFOLLOW)?.mode & mode::IFMT, mode::IFLNK);
        assert_eq!(sys.readlink(&path)?, b"/");
        assert_eq!(sys.open(&path, o::NOFOLLOW, 0), Err(Errno::ELOOP));
        assert_eq!(sys.unlink(&path), Err(Errno::EPERM));
        // Followed it is the directory, and what is below it.
        assert_eq!(sys.stat(&path, 0)?, sys.fstat(root)?);
        assert_eq!(sys.stat(alloc::format!("{path}/dev/null"), 0)?.rdev, 0x103);
        let again = sys.open(&path, o::DIRECTORY, 0)?;
        sys.close(root)?;
        assert_eq!(sys.stat(&path, at::SYMLINK_NOFOLLOW), Err(Errno::ENOENT));
        sys.close(again)
    })
    .expect("links");
}

fn mknod(sys: &Sys, path: &str, bits: u32, dev: u64) -> Result<(), Errno> {
    let p = sys.alloc(path.len());
    sys.poke(p, path.as_bytes());
    sys.call("mknodat", &[-100i64 as u64, p.0 as u64, path.len() as u64, bits as u64, dev]).map(|_| ())
}

#[test]
fn nodes_of_all_kinds() {
    run(|sys| {
        mknod(sys, "/tmp/null", mode::IFCHR | 0o666, 0x103)?;
        sys.put_file("/tmp/null", b"x", 0)?;
        assert_eq!(sys.get_file("/tmp/null")?, b"");
        mknod(sys, "/tmp/none", mode::IFCHR | 0o666, 0x7777)?;
        assert_eq!(sys.open("/tmp/none", 0, 0), Err(Errno::ENXIO));
        mknod(sys, "/tmp/disk", mode::IFBLK | 0o666, 1)?;
        assert_eq!(sys.open("/tmp/disk", 0, 0), Err(Errno::ENXIO));
        mknod(sys, "/tmp/sock", mode::IFSOCK | 0o666, 1)?;
        assert_eq!(sys.open("/tmp/sock", 0, 0), Err(Errno::ENXIO));
        mknod(sys, "/tmp/reg", 0o600, 0)?;
        assert_eq!(sys.stat("/tmp/reg", 0)?.mode, mode::IFREG | 0o600);
        assert_eq!(mknod(sys, "/tmp/dir", mode::IFDIR | 0o600, 0), Err(Errno::EPERM));
        assert_eq!(mknod(sys, "/tmp/link", mode::IFLNK | 0o600, 0), Err(Errno::EINVAL));
        assert_eq!(mknod(sys, "/tmp/reg", mode::IFIFO | 0o600, 0), Err(Errno::EEXIST));
        sys.chmod("/tmp", 0o777)?;
        sys.setuid(7)?;
        assert_eq!(mknod(sys, "/tmp/c", mode::IFCHR | 0o600, 0), Err(Errno::EPERM));
        mknod(sys, "/tmp/p", mode::IFIFO | 0o600, 0)
    })
    .expect("nodes");
}

#[test]
fn the_ends_of_a_fifo_wait_for_each_other() {
    for seed in 0..60 {
        let vk = Fake::seeded(seed).boot();
        vk.init(|sys| mknod(sys, "/tmp/p", mode::IFIFO | 0o600, 0)).expect("mknod");
        let reader = vk.lwp(|sys| {
            let fd = sys.open("/tmp/p", o::RDONLY, 0)?;
            let all = sys.read_all(fd);
            sys.close(fd)?;
            all
        });
        if seed % 2 == 0 {
            vk.run_until_asleep(&reader);
        }
        let writer = vk.lwp(|sys| {
            let fd = sys.open("/tmp/p", o::WRONLY, 0)?;
            sys.write(fd, b"through the fifo")?;
            sys.close(fd)
        });
        assert_eq!(vk.join(writer), Ok(()), "seed {seed}");
        assert_eq!(vk.join(reader), Ok(b"through the fifo".to_vec()), "seed {seed}");
    }
}

#[test]
fn a_fifo_that_does_not_wait() {
    run(|sys| {
        mknod(sys, "/tmp/p", mode::IFIFO | 0o600, 0)?;
        assert_eq!(sys.open("/tmp/p", o::WRONLY | o::NONBLOCK, 0), Err(Errno::ENXIO));
        let r = sys.open("/tmp/p", o::RDONLY | o::NONBLOCK, 0)?;
        assert_eq!(sys.read(r, 1), Ok(vec![]));
        let w = sys.open("/tmp/p", o::WRONLY | o::NONBLOCK, 0)?;
        assert_eq!(sys.read(r, 1), Err(Errno::EAGAIN));
        sys.write(w, b"x")?;
        assert_eq!(sys.poll(&[(r, poll::IN)], 0)?, (1, vec![poll::IN]));
        sys.close(w)?;
        assert_eq!(sys.poll(&[(r, poll::IN)], 0)?.1, vec![poll::IN | poll::HUP]);
        sys.close(r)?;
        // What nobody read is gone.
        let both = sys.open("/tmp/p", o::RDWR | o::NONBLOCK, 0)?;
        assert_eq!(sys.read(both, 1), Err(Errno::EAGAIN));
        Ok::<(), Errno>(())
    })
    .expect("fifo");
}

#[test]
fn raw_mode_is_undone_when_its_program_ends() {
    let fake = Fake::seeded(1).unit(0, abi::types::devctl::KIND_TTY).unit(1, abi::types::devctl::KIND_TTY);
    let vk = fake.boot();
    let h = vk.lwp(|sys| {
        assert_eq!(sys.fstat(0)?.mode & mode::IFMT, mode::IFCHR);
        let t = sys.alloc(60);
        sys.call("ioctl", &[0, ioctl::TCGETS as u64, t.0 as u64])?;
        let lflag = sys.peek32(t.offset(12));
        sys.poke(t.offset(12), &(lflag & !0o12).to_le_bytes());
        sys.call("ioctl", &[0, ioctl::TCSETS as u64, t.0 as u64])?;
        let raw = sys.machine.world().units[0].raw;
        let size = sys.alloc(8);
        sys.call("ioctl", &[1, ioctl::TIOCGWINSZ as u64, size.0 as u64])?;
        Ok::<bool, Errno>(raw)
    });
    assert_eq!(vk.join(h), Ok(true));
    assert!(!vk.machine.world().units[0].raw);
}

#[test]
fn what_is_no_terminal_says_so() {
    use abi::types::devctl::KIND_PIPE;
    let fake = (0..3).fold(Fake::seeded(1), |f, u| f.unit(u, KIND_PIPE));
    with(fake, |sys| {
        let t = sys.alloc(60);
        assert_eq!(sys.call("ioctl", &[0, ioctl::TCGETS as u64, t.0 as u64]), Err(Errno::ENOTTY));
        assert_eq!(sys.fstat(0)?.mode & mode::IFMT, mode::IFIFO);
        assert_eq!(sys.open("/dev/tty", o::RDWR, 0), Err(Errno::ENXIO));
        assert_eq!(sys.lseek(1, 0, 1), Err(Errno::ESPIPE));
        Ok::<(), Errno>(())
    })
    .expect("pipe");
}
