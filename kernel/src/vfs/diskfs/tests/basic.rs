//! What a mount finds again.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use abi::Errno;
use abi::trapframe::irq;
use abi::types::{at, mnt, mode, o};

use super::{HOME, boot, disk, with};
use crate::machdep::fake::Fake;
use crate::machdep::fake::disk::Disk;

#[test]
fn files_are_there_after_the_next_boot() {
    let disk = disk();
    let content: Vec<u8> = (0..300_000u32).map(|i| (i / 5) as u8).collect();
    let want = content.clone();
    with(&disk, move |sys| {
        assert_eq!(sys.ls("/home"), Ok(vec![]));
        sys.put_file("/home/small", b"hello", 0o640)?;
        sys.put_file("/home/large", &content, 0o600)?;
        sys.mkdir("/home/d", 0o750)?;
        sys.mkdir("/home/d/e", 0o755)?;
        sys.link("/home/small", "/home/d/other")?;
        sys.symlink("../small", "/home/d/link")?;
        sys.chown("/home/d/other", 7, 8)?;
        sys.call("mknodat", &[at::FDCWD as u32 as u64, sys_path(sys, "/home/fifo"), 10, 0o10600, 0])?;
        sys.put_file("/home/gone", b"x", 0o600)?;
        sys.unlink("/home/gone")?;
        sys.rename("/home/large", "/home/d/e/big", 0)
    })
    .expect("the first boot");
    let stat = with(&disk, move |sys| {
        assert_eq!(sys.ls("/home")?, [&b"d"[..], b"fifo", b"small"]);
        assert_eq!(sys.get_file("/home/d/link")?, b"hello");
        assert_eq!(sys.get_file("/home/d/e/big")?, want);
        let s = sys.stat("/home/small", 0)?;
        assert_eq!((s.mode, s.nlink, s.uid, s.gid, s.size), (mode::IFREG | 0o640, 2, 7, 8, 5));
        assert_eq!(s.ino, sys.stat("/home/d/other", 0)?.ino);
        assert_eq!(sys.stat("/home", 0)?.nlink, 3);
        assert_eq!(sys.stat("/home/d", 0)?.nlink, 3);
        assert_eq!(sys.stat("/home/fifo", 0)?.mode, mode::IFIFO | 0o600);
        let mounts = sys.get_file("/proc/mounts")?;
        assert!(String::from_utf8_lossy(&mounts).contains("diskfs /home diskfs rw"));
        Ok::<_, Errno>(s)
    })
    .expect("the second boot");
    with(&disk, move |sys| {
        assert_eq!(
            sys.stat("/home/small", 0).map(|s| (s.mtime_ns, s.ctime_ns, s.birth_ns)),
            Ok((stat.mtime_ns, stat.ctime_ns, stat.birth_ns))
        )
    });
}

fn sys_path(sys: &crate::machdep::fake::Sys, path: &str) -> u64 {
    let p = sys.alloc(path.len());
    sys.poke(p, path.as_bytes());
    p.0 as u64
}

/// Nobody syncs and nothing is shut down: an lwp that sleeps writes back, or the next change does.
#[test]
fn what_nobody_syncs_is_written_all_the_same() {
    let asleep = disk();
    let vk = boot(&asleep);
    let sleeper = vk.lwp(|sys| {
        sys.put_file("/home/f", b"kept", 0o644).expect("write");
        sys.nanosleep(2_000_000_000).expect("sleep");
        let early = sys.machine.world().disks[0].state().bytes.len();
        sys.nanosleep(60_000_000_000).expect("sleep");
        early
    });
    vk.run();
    // The power goes.
    let left = Disk::new(asleep.state().bytes.clone(), 64 << 20);
    vk.join(sleeper);
    assert_eq!(with(&left, |sys| sys.get_file("/home/f")), Ok(b"kept".to_vec()));

    let busy = disk();
    let vk2 = boot(&busy);
    vk2.init(|sys| sys.put_file("/home/f", b"kept", 0o644)).expect("write");
    vk2.advance(4_000_000_000);
    // Meanwhile somebody ran.
    vk2.intr(irq::TICK, 0);
    vk2.init(|sys| sys.put_file("/home/g", b"", 0o644)).expect("write");
    let left = Disk::new(busy.state().bytes.clone(), 64 << 20);
    assert_eq!(with(&left, |sys| sys.get_file("/home/f")), Ok(b"kept".to_vec()));
}

#[test]
fn what_is_written_to_a_synchronous_file_is_durable() {
    let disk = disk();
    let vk = boot(&disk);
    vk.init(|sys| {
        let fd = sys.open("/home/f", o::CREAT | o::WRONLY | o::DSYNC, 0o644).expect("open");
        sys.write(fd, b"kept").expect("write");
    });
    let left = Disk::new(disk.state().bytes.clone(), 64 << 20);
    assert_eq!(with(&left, |sys| sys.get_file("/home/f")), Ok(b"kept".to_vec()));
}

#[test]
fn for_reading_only() {
    let base = disk();
    with(&base, |sys| sys.put_file("/home/f", b"kept", 0o644)).expect("write");
    let look = |flags: u32, locked: bool| {
        let disk = Disk::new(base.state().bytes.clone(), 64 << 20);
        disk.state().read_only = locked;
        disk.record();
        let vk = Fake::seeded(1).disk(&disk, flags, HOME).boot();
        vk.init(|sys| {
            assert_eq!(sys.get_file("/home/f"), Ok(b"kept".to_vec()));
            assert_eq!(sys.put_file("/home/f", b"x", 0o644), Err(Errno::EROFS));
            assert_eq!(sys.put_file("/home/g", b"x", 0o644), Err(Errno::EROFS));
            assert_eq!(sys.mkdir("/home/d", 0o755), Err(Errno::EROFS));
            assert_eq!(sys.unlink("/home/f"), Err(Errno::EROFS));
            assert_eq!(sys.rename("/home/f", "/home/g", 0), Err(Errno::EROFS));
            assert_eq!(sys.chmod("/home/f", 0o600), Err(Errno::EROFS));
            assert_eq!(sys.call("sync", &[]), Ok(0));
        });
        vk.run();
        assert_eq!(vk.shutdown(0), 0);
        assert!(disk.state().log.is_empty(), "it was written to");
    };
    look(mnt::RDONLY, false);
    look(0, true);
    // One that was never used shows what the image has, and stays unused.
    let fresh = disk();
    fresh.state().read_only = true;
    let vk = Fake::seeded(1).dir("home").file("home/image", b"image").disk(&fresh, 0, HOME).boot();
    assert_eq!(vk.init(|sys| sys.get_file("/home/image")), Ok(b"image".to_vec()));
    assert!(vk.console().contains("disk 0: was never used, and can't be now"), "{}", vk.console());
}

#[test]
fn an_unmount_writes_and_lets_go() {
    let disk = disk();
    let vk = boot(&disk);
    vk.init(|sys| {
        let fd = sys.open("/home/f", o::CREAT | o::RDWR, 0o644).expect("open");
        sys.write(fd, b"kept").expect("write");
        let p = sys.alloc(5);
        sys.poke(p, b"/home");
        sys.call("unmount", &[p.0 as u64, 5, 0]).expect("unmount");
        assert_eq!(sys.ls("/home"), Ok(vec![]));
        assert_eq!(sys.pread(fd, 10, 0), Ok(b"kept".to_vec()));
        assert_eq!(sys.write(fd, b"x"), Err(Errno::EROFS));
        sys.close(fd).expect("close");
    });
    assert_eq!(with(&disk, |sys| sys.get_file("/home/f")), Ok(b"kept".to_vec()));
}

#[test]
fn a_large_directory() {
    const N: usize = 3000;
    let disk = disk();
    with(&disk, |sys| {
        for i in 0..N {
            sys.put_file(format!("/home/file-number-{i:07}"), b"", 0o644).expect("make");
        }
        for i in (0..N).step_by(3) {
            sys.unlink(format!("/home/file-number-{i:07}")).expect("unlink");
        }
    });
    with(&disk, |sys| {
        let names = sys.ls("/home").expect("ls");
        assert_eq!(names.len(), N - N / 3);
        assert!(names.iter().all(|n| !n.is_empty()) && names.contains(&b"file-number-0002999".to_vec()));
    });
}

/// What stays cached is read in place: the disk is asked once, and not for what was just written.
#[test]
fn cached_content_is_not_read_again() {
    let disk = disk();
    with(&disk, |sys| sys.put_file("/home/f", &[5; 200_000], 0o644)).expect("write");
    let vk = boot(&disk);
    let reads = |f: fn(&crate::machdep::fake::Sys)| {
        let before = disk.state().reads;
        vk.init(f);
        disk.state().reads - before
    };
    // 200,000 bytes are four chunks.
    assert_eq!(reads(|sys| assert_eq!(sys.get_file("/home/f").map(|f| f.len()), Ok(200_000))), 4);
    assert_eq!(reads(|sys| assert_eq!(sys.get_file("/home/f").map(|f| f.len()), Ok(200_000))), 0);
    assert_eq!(reads(|sys| sys.put_file("/home/g", &[6; 100_000], 0o644).expect("write")), 0);
    assert_eq!(reads(|sys| assert_eq!(sys.get_file("/home/g").map(|f| f.len()), Ok(100_000))), 0);
    vk.shutdown(0);
}
