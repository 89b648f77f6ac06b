//! The same work on a disk and on tmpfs comes to the same.

use alloc::format;
use alloc::vec::Vec;

use abi::Errno;

use super::work::{Op, difference, dump};
use super::{HOME, boot, disk, idle, with};
use crate::machdep::fake::Rng;
use crate::tests::seeds;

#[test]
fn random_work_is_the_same_as_in_memory() {
    seeds(0..60, |seed| {
        let disk = disk();
        let mut before = None;
        for round in 0..3 {
            let kept = before.take();
            let vk = boot(&disk);
            let after = vk.init(move |sys| {
                if let Some(before) = kept {
                    let now = dump(sys, HOME, true);
                    assert!(before == now, "seed {seed}, round {round}:\n{}", difference(&before, &now));
                    // tmpfs begins anew.
                    for name in ["/a", "/b", "/c", "/d1", "/d2", "/a-much-longer-name-than-the-others"] {
                        remove_all(sys, &format!("{HOME}{name}"));
                    }
                }
                sys.mkdir("/tmp/m", 0o755).expect("mkdir");
                let mut rng = Rng::new(seed * 10 + round);
                for step in 0..60 {
                    let op = Op::random(&mut rng, 600_000);
                    let got = [op.run(sys, "/tmp/m"), op.run(sys, HOME)];
                    assert_eq!(got[0], got[1], "seed {seed}, round {round}, step {step}: {op:?}");
                    if step % 10 == 9 {
                        let (m, d) = (dump(sys, "/tmp/m", false), dump(sys, HOME, false));
                        assert!(m == d, "seed {seed}, round {round}, step {step}: {op:?}\n{}", difference(&m, &d));
                    }
                }
                dump(sys, HOME, true)
            });
            before = Some(after);
            if round == 2 {
                vk.init(|sys| {
                    for name in sys.ls(HOME).expect("ls") {
                        remove_all(sys, &format!("{HOME}/{}", alloc::string::String::from_utf8_lossy(&name)));
                    }
                });
            }
            idle(&vk, round == 2);
            assert_eq!(vk.shutdown(0), 0);
        }
    });
}

pub fn remove_all(sys: &crate::machdep::fake::Sys, path: &str) {
    match sys.unlink(path) {
        Err(Errno::EISDIR) => {
            for name in sys.ls(path).expect("ls") {
                remove_all(sys, &format!("{path}/{}", alloc::string::String::from_utf8_lossy(&name)));
            }
            sys.rmdir(path).expect("rmdir");
        }
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(e) => panic!("{path}: {e}"),
    }
}

/// More than the cache holds, written and read in many orders.
#[test]
fn files_larger_than_the_cache() {
    let disk = disk();
    const SIZE: usize = 9 << 20;
    let pattern = |i: usize, salt: u8| (i >> 12) as u8 ^ (i as u8).wrapping_mul(3) ^ salt;
    let mut want: Vec<u8> = (0..SIZE).map(|i| pattern(i, 1)).collect();
    let first = want.clone();
    with(&disk, move |sys| {
        for f in ["/home/one", "/home/two"] {
            let fd = sys.open(f, abi::types::o::CREAT | abi::types::o::RDWR, 0o644).expect("open");
            for (i, piece) in first.chunks(700_001).enumerate() {
                assert_eq!(sys.pwrite(fd, piece, (i * 700_001) as i64), Ok(piece.len()));
            }
        }
        let fd = sys.open("/home/one", abi::types::o::RDWR, 0).expect("open");
        let mut rng = Rng::new(5);
        for _ in 0..300 {
            let (at, n) = (rng.below(SIZE as u64 - 9000) as usize, rng.below(9000) as usize);
            let data: Vec<u8> = (at..at + n).map(|i| pattern(i, 9)).collect();
            want[at..at + n].copy_from_slice(&data);
            sys.pwrite(fd, &data, at as i64).expect("pwrite");
            let (at, n) = (rng.below(SIZE as u64 - 9000) as usize, rng.below(9000) as usize);
            assert!(sys.pread(fd, n, at as i64).expect("pread") == want[at..at + n]);
        }
        for (file, want) in [("/home/one", &want), ("/home/two", &first)] {
            let fd = sys.open(file, 0, 0).expect("open");
            for (i, piece) in want.chunks(300_000).enumerate() {
                assert!(sys.pread(fd, 300_000, (i * 300_000) as i64).expect("pread") == piece);
            }
        }
        want
    });
}
