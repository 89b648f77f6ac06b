//! Disks that fail, and disks that are full.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use abi::Errno;
use abi::types::o;

use super::work::{Op, difference, dump};
use super::{HOME, boot, disk, idle, with};
use crate::machdep::fake::Rng;
use crate::machdep::fake::disk::Disk;
use crate::tests::seeds;

/// Works while the disk fails in some way; the next boot finds a state no older than the last sync.
fn round(base: &Disk, seed: u64, name: &str, break_it: impl FnOnce(&Disk)) {
    let disk = Disk::new(base.state().bytes.clone(), 64 << 20);
    let vk = boot(&disk);
    break_it(&disk);
    let moments = vk.init(move |sys| {
        let mut rng = Rng::new(seed);
        let mut moments = vec![(true, dump(sys, HOME, true))];
        for _ in 0..12 {
            let op = Op::random(&mut rng, 200_000);
            let synced = op.run(sys, HOME).is_ok() && op.syncs();
            moments.push((synced, dump(sys, HOME, true)));
        }
        moments
    });
    assert_eq!(vk.shutdown(0), 0);
    disk.state().fail = None;
    let vk = boot(&disk);
    let found = vk.init(|sys| dump(sys, HOME, true));
    let first = moments.iter().rposition(|m| m.0).unwrap_or(0);
    let last = &moments[moments.len() - 1].1;
    assert!(moments[first..].iter().any(|m| m.1 == found), "{name}:\n{}", difference(last, &found));
    // It is of use again.
    vk.init(|sys| sys.put_file("/home/again", b"again", 0o644)).expect("a write");
    idle(&vk, false);
    vk.shutdown(0);
}

/// A disk with some files on it.
fn used(seed: u64) -> Arc<Disk> {
    let disk = disk();
    with(&disk, move |sys| {
        let mut rng = Rng::new(seed);
        for _ in 0..30 {
            let _ = Op::random(&mut rng, 200_000).run(sys, HOME);
        }
    });
    disk
}

#[test]
fn the_nth_call_fails() {
    seeds(0..3, |seed| {
        let base = used(seed);
        for e in [Errno::EIO, Errno::ENOSPC] {
            for n in 1..60 {
                round(&base, seed, &alloc::format!("seed {seed}, {e:?} at {n}"), |disk| {
                    let mut s = disk.state();
                    s.fail = Some((s.calls + n..s.calls + n + 1, e));
                });
            }
        }
    });
}

#[test]
fn no_call_works_for_a_while() {
    seeds(0..3, |seed| {
        let base = used(seed + 10);
        for n in [1, 3, 7, 10, 20, 35] {
            // Reads work, or there would be nothing to see.
            round(&base, seed, &alloc::format!("seed {seed}, no room from {n} on"), |disk| {
                let mut s = disk.state();
                s.quota = s.bytes.len() + n * 4096;
            });
        }
    });
}

/// An error of the disk: told once, nothing more is written, what is there can be read.
#[test]
fn after_an_error_it_is_for_reading_only() {
    let disk = used(1);
    let vk = boot(&disk);
    vk.init(|sys| {
        sys.put_file("/home/kept", b"kept", 0o644).expect("write");
        sys.call("sync", &[]).expect("sync");
        sys.put_file("/home/late", b"late", 0o644).expect("write");
    });
    {
        let mut s = disk.state();
        s.fail = Some((s.calls + 1..s.calls + 2, Errno::EIO));
    }
    vk.init(|sys| {
        let fd = sys.open("/home/late", o::RDWR, 0).expect("open");
        assert_eq!(sys.call("fsync", &[fd as u64]), Err(Errno::EIO));
        assert_eq!(sys.write(fd, b"x"), Err(Errno::EROFS));
        assert_eq!(sys.call("fsync", &[fd as u64]), Err(Errno::EIO));
        assert_eq!(sys.put_file("/home/new", b"", 0o644), Err(Errno::EROFS));
        assert_eq!(sys.unlink("/home/kept"), Err(Errno::EROFS));
        assert_eq!(sys.get_file("/home/late"), Ok(b"late".to_vec()));
        assert!(
            alloc::string::String::from_utf8_lossy(&sys.get_file("/proc/mounts").expect("mounts"))
                .contains("/home diskfs ro")
        );
    });
    let said = vk.console();
    assert_eq!(said.matches("disk 0: I/O error; nothing more is written").count(), 1, "{said}");
    vk.shutdown(0);
    let kept = with(&disk, |sys| (sys.get_file("/home/kept"), sys.get_file("/home/late")));
    assert_eq!(kept, (Ok(b"kept".to_vec()), Err(Errno::ENOENT)));
}

/// A disk of 2 MiB: ENOSPC comes with the write, what is there stays, and room that is made is room.
#[test]
fn a_full_disk() {
    let small = Disk::new(Default::default(), 2 << 20);
    let fill = |sys: &crate::machdep::fake::Sys, name: &str| {
        let fd = sys.open(name, o::CREAT | o::WRONLY | o::APPEND, 0o644).expect("open");
        let mut all = 0;
        let full = loop {
            match sys.write(fd, &[7; 10_000]) {
                Ok(n) => all += n,
                Err(e) => break e,
            }
        };
        assert_eq!((full, sys.fstat(fd).map(|s| s.size)), (Errno::ENOSPC, Ok(all as u64)));
        sys.call("fsync", &[fd as u64]).expect("fsync");
        assert!(sys.fstatvfs(fd).expect("statvfs").bfree < 10);
        sys.close(fd).expect("close");
        all
    };
    let sizes = with(&small, move |sys| {
        sys.put_file("/home/old", &[1; 50_000], 0o644).expect("write");
        let first = fill(sys, "/home/a");
        assert!(first > 1 << 20, "{first}");
        assert!(fill(sys, "/home/b") < 100_000);
        // What is there can't be written anew, as the old must stay until the new is durable; but it stays.
        let fd = sys.open("/home/old", o::RDWR, 0).expect("open");
        match sys.pwrite(fd, &[9; 50_000], 0) {
            Err(e) => assert_eq!(e, Errno::ENOSPC),
            Ok(n) => assert!(n < 50_000),
        }
        let old = sys.get_file("/home/old").expect("read");
        assert!(old.len() == 50_000 && old.ends_with(&[1; 5000]));
        for _ in 0..20 {
            sys.unlink("/home/a").expect("unlink");
            let again = fill(sys, "/home/a");
            assert!(again + 100_000 > first, "{again}, but once {first}");
        }
        let fd = sys.open("/home/a", o::RDWR, 0).expect("open");
        sys.ftruncate(fd, 500_000).expect("truncate");
        assert_eq!(sys.pwrite(fd, &[9; 300_000], 100), Ok(300_000));
        sys.get_file("/home/a").expect("read").len()
    });
    assert_eq!(sizes, 500_000);
    with(&small, |sys| {
        let got = sys.get_file("/home/a").expect("read");
        assert!(
            got[..100] == [7; 100]
                && got[100..300_100].iter().all(|&b| b == 9)
                && got[300_100..].iter().all(|&b| b == 7)
        );
        assert!(sys.get_file("/home/old").expect("read").ends_with(&[1; 5000]));
    });
}

/// A host without room says so to the write that needs it, though the disk may be larger.
#[test]
fn a_quota_of_the_host() {
    let disk = disk();
    disk.state().quota = 3 << 20;
    with(&disk, |sys| {
        let fd = sys.open("/home/f", o::CREAT | o::WRONLY, 0o644).expect("open");
        let mut all = 0;
        let full = loop {
            match sys.write(fd, &[7; 50_000]) {
                Ok(n) => all += n,
                Err(e) => break e,
            }
        };
        assert_eq!(full, Errno::ENOSPC);
        assert!(all > 1 << 20 && all < 3 << 20, "{all}");
        sys.call("fsync", &[fd as u64]).expect("fsync");
        sys.unlink("/home/f").expect("unlink");
        sys.close(fd).expect("close");
        let fd = sys.open("/home/g", o::CREAT | o::WRONLY, 0o644).expect("open");
        assert_eq!(sys.write(fd, &vec![8; 1 << 20]), Ok(1 << 20), "there is room again");
    });
    disk.state().quota = u64::MAX;
    let got: Vec<u8> = with(&disk, |sys| sys.get_file("/home/g")).expect("read");
    assert_eq!((got.len(), got.iter().position(|&b| b != 8)), (1 << 20, None));
}
