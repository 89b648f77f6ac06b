//! Content and times of tmpfs files.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Deref;

use abi::trapframe::irq;
use abi::types::{clock, o, seek};
use abi::{Errno, SysResult};

use super::{run, with};
use crate::machdep::fake::Fake;

#[test]
fn sparse_files_have_holes() {
    run(|sys| {
        let fd = sys.open("/tmp/f", o::CREAT | o::RDWR, 0o644)?;
        sys.pwrite(fd, b"start", 0)?;
        sys.pwrite(fd, b"end", 10_000_000)?;
        let st = sys.fstat(fd)?;
        assert_eq!(st.size, 10_000_003);
        assert!(st.blocks * 512 < 200_000, "{}", st.blocks);
        assert_eq!(sys.pread(fd, 8, 9_999_999), Ok(b"\0end".to_vec()));
        assert_eq!(sys.pread(fd, 3, 70_000), Ok(vec![0; 3]));
        let hole = sys.lseek(fd, 0, seek::HOLE)?;
        assert!((5..10_000_000).contains(&hole));
        let data = sys.lseek(fd, hole, seek::DATA)?;
        assert!(data > hole && data <= 10_000_000);
        assert_eq!(sys.lseek(fd, 10_000_003, seek::DATA), Err(Errno::ENXIO));
        assert_eq!(sys.lseek(fd, 10_000_000, seek::HOLE), Ok(10_000_003));
        Ok::<(), Errno>(())
    })
    .expect("sparse");
}

#[test]
fn what_was_cut_off_comes_back_as_zeros() {
    run(|sys| {
        let fd = sys.open("/tmp/f", o::CREAT | o::RDWR, 0o644)?;
        sys.pwrite(fd, &[7; 200_000], 0)?;
        sys.ftruncate(fd, 70_000)?;
        sys.ftruncate(fd, 150_000)?;
        assert_eq!(sys.pread(fd, 4, 69_998), Ok(vec![7, 7, 0, 0]));
        assert_eq!(sys.pread(fd, 150_000, 70_000)?, vec![0; 80_000]);
        sys.pwrite(fd, b"x", 140_000)?;
        assert_eq!(sys.pread(fd, 3, 139_999), Ok(vec![0, b'x', 0]));
        Ok::<(), Errno>(())
    })
    .expect("truncate");
}

/// A write that runs into memory that isn't there: what came before it counts, nothing after it shows.
#[test]
fn a_fault_in_the_middle_of_a_write() {
    run(|sys| {
        let fd = sys.open("/tmp/f", o::CREAT | o::RDWR, 0o644)?;
        sys.pwrite(fd, b"old", 0)?;
        let end = sys.memory_size();
        let from = abi::syscalls::UAddr((end - 100) as u32);
        let got = sys.call("pwrite", &[fd as u64, from.0 as u64, 4096, 0]);
        assert_eq!(got, Err(Errno::EFAULT));
        let size = sys.fstat(fd)?.size;
        assert_eq!(size, 3);
        sys.ftruncate(fd, 4096)?;
        assert_eq!(sys.pread(fd, 4096, 3)?, vec![0; 4093]);
        Ok::<(), Errno>(())
    })
    .expect("fault");
}

/// Transfers through a descriptor with a status flag go the long way, through a `Uio`; others need not.
#[test]
fn the_quick_way_and_the_long_way_have_the_same_effects() {
    let content: Vec<u8> = (0..70_000u32).map(|i| (i / 5) as u8).collect();
    with(Fake::seeded(1).file("a", &content).file("b", &content), |sys| {
        let quick = sys.open("/a", o::RDWR, 0)?;
        let long = sys.open("/b", o::RDWR | o::SYNC, 0)?;
        // The last page of user memory, and what is behind it.
        let end = sys.memory_size() as u64;
        let mut seed = 5u32;
        let mut random = |n: u64| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u64::from(seed >> 7) % n
        };
        for step in 0..3_000 {
            let len = [0, 1, 64, 700, 4096][random(5) as usize];
            let offset = [random(70_000), 65_536 - random(80), random(140_000)][random(3) as usize];
            let buf = if random(4) == 0 { end - random(600) } else { end - 8192 };
            let what = random(9);
            let go = |fd: i32| -> SysResult<(i64, Vec<u8>)> {
                let user = abi::syscalls::UAddr((end - 8192) as u32);
                sys.poke(user, &[step as u8; 8192]);
                let args = [fd as u64, buf, len, offset];
                let done = match what {
                    0 | 1 => sys.call("pread", &args),
                    2 | 3 => sys.call("pwrite", &args),
                    4 => sys.call("read", &args[..3]),
                    5 | 6 => sys.call("write", &args[..3]),
                    7 => sys.lseek(fd, offset as i64, seek::SET),
                    _ => sys.ftruncate(fd, offset as i64).map(|()| 0),
                };
                Ok((done?, sys.peek(user, 8192)))
            };
            assert_eq!(go(quick), go(long), "{step}: {what} of {len} at {offset} from {buf:#x} of {end:#x}");
            let of = |fd| Ok::<_, Errno>((sys.lseek(fd, 0, seek::CUR)?, sys.fstat(fd)?.size, sys.fstat(fd)?.blocks));
            assert_eq!(of(quick), of(long), "{step}");
        }
        assert!(sys.get_file("/a")? == sys.get_file("/b")?);
        assert_eq!(sys.pwrite(quick, b"x", -1), Err(Errno::EINVAL));
        assert_eq!(sys.call("pwrite", &[quick as u64, 0, 1 << 31, 0]), Err(Errno::EINVAL));
        let null = sys.open("/dev/null", o::WRONLY, 0)?;
        assert_eq!(sys.call("write", &[null as u64, 0, 1 << 31]), Err(Errno::EINVAL));
        assert_eq!(sys.call("read", &[null as u64, 0, 1]), Err(Errno::EBADF));
        Ok::<(), Errno>(())
    })
    .expect("both");
}

#[test]
fn files_of_the_image_are_read_changed_and_cut() {
    let content: Vec<u8> = (0..150_000u32).map(|i| (i / 7) as u8).collect();
    let big: Vec<u8> = (0..5_000_000u32).map(|i| (i / 3) as u8).collect();
    let fake = Fake::seeded(1).file("a", &content).file("b", &content).file("big", &big).symlink("l", "a");
    with(fake, move |sys| {
        assert_eq!(sys.get_file("/l")?, content);
        assert_eq!(sys.get_file("/big")?, big);
        let fd = sys.open("/a", o::RDWR, 0)?;
        sys.pwrite(fd, b"changed", 70_000)?;
        let mut want = content.clone();
        want[70_000..70_007].copy_from_slice(b"changed");
        assert_eq!(sys.get_file("/a")?, want);
        sys.ftruncate(fd, 100_000)?;
        sys.ftruncate(fd, 120_000)?;
        want.truncate(100_000);
        want.resize(120_000, 0);
        assert_eq!(sys.get_file("/a")?, want);
        // The other file with the same bytes, and a large one changed without being read.
        assert_eq!(sys.get_file("/b")?, content);
        let fd = sys.open("/big", o::WRONLY | o::APPEND, 0)?;
        sys.write(fd, b"tail")?;
        let got = sys.get_file("/big")?;
        assert_eq!((got.len(), &got[4_999_990..]), (5_000_004, &[&big[4_999_990..], b"tail"].concat()[..]));
        assert_eq!(sys.stat("/b", 0)?.mtime_ns, 1_000_000_000);
        Ok::<(), Errno>(())
    })
    .expect("image");
}

#[test]
fn times_move_as_posix_says() {
    run(|sys| {
        let t = |p: &str| sys.stat(p, 0).map(|s| (s.atime_ns, s.mtime_ns, s.ctime_ns));
        sys.put_file("/tmp/f", b"abc", 0o644)?;
        let (a0, m0, c0) = t("/tmp/f")?;
        let tmp0 = t("/tmp")?;
        sys.nanosleep(1_000_000)?;
        sys.chmod("/tmp/f", 0o600)?;
        let (a1, m1, c1) = t("/tmp/f")?;
        assert!((a1, m1) == (a0, m0) && c1 > c0, "chmod changes ctime only");
        sys.nanosleep(1_000_000)?;
        sys.get_file("/tmp/f")?;
        let (a2, m2, c2) = t("/tmp/f")?;
        assert!(a2 > a1 && (m2, c2) == (m1, c1), "the first read after a write changes atime");
        sys.nanosleep(1_000_000)?;
        let fd = sys.open("/tmp/f", o::WRONLY, 0)?;
        sys.write(fd, b"x")?;
        let (_, m3, c3) = t("/tmp/f")?;
        assert!(m3 > m2 && c3 > c2, "write");
        assert_eq!(t("/tmp")?, tmp0, "the directory knows nothing of it");
        sys.nanosleep(1_000_000)?;
        sys.rename("/tmp/f", "/tmp/g", 0)?;
        let tmp1 = t("/tmp")?;
        assert!(tmp1.1 > tmp0.1 && tmp1.2 > tmp0.2, "rename changes the directory");
        assert!(t("/tmp/g")?.2 > c3, "and the file's ctime");
        Ok::<(), Errno>(())
    })
    .expect("times");
}

#[test]
fn file_times_are_the_time_that_was_read_last() {
    let vk = Fake::seeded(1).boot();
    let machine = vk.kernel.machine.clone();
    let real = || vk.kernel.machine.deref().clock(clock::REALTIME, 0) as i64;
    machine.time_passes();
    let first = machine.file_time();
    assert_eq!(first, real());
    vk.advance(5_000_000);
    assert_eq!(machine.file_time(), first, "nothing has told of the passing of time");
    let told = machine.clock(clock::REALTIME, 0) as i64;
    assert_eq!((told, machine.file_time()), (first + 5_000_000, told), "never before what a program has read");
    vk.advance(10_000_000);
    vk.intr(irq::TICK, 0);
    let ticked = machine.file_time();
    assert_eq!(ticked, real());
    vk.advance(1_000);
    assert!((0..512).any(|_| machine.file_time() > ticked), "without a tick, too, the clock is read at times");
}

#[test]
fn a_sleep_moves_file_times() {
    run(|sys| {
        let fd = sys.open("/tmp/f", o::CREAT | o::RDWR, 0o644)?;
        let written = || sys.write(fd, b"x").and_then(|_| Ok(sys.stat("/tmp/f", 0)?.mtime_ns));
        let before = written()?;
        sys.nanosleep(1_000)?;
        assert!(written()? >= before + 1_000);
        Ok::<(), Errno>(())
    })
    .expect("times");
}

#[test]
fn utimensat_sets_what_is_asked() {
    run(|sys| {
        sys.put_file("/tmp/f", b"", 0o644)?;
        let set = |a: i64, m: i64| -> SysResult<()> {
            let times = sys.alloc(16);
            sys.poke(times, &[a.to_le_bytes(), m.to_le_bytes()].concat());
            let path = sys.alloc(8);
            sys.poke(path, b"/tmp/f");
            sys.call("utimensat", &[-100i64 as u64, path.0 as u64, 6, times.0 as u64, 0]).map(|_| ())
        };
        set(5, -7)?;
        let st = sys.stat("/tmp/f", 0)?;
        assert_eq!((st.atime_ns, st.mtime_ns), (5, -7));
        set(i64::MIN + 1, 9)?;
        let st = sys.stat("/tmp/f", 0)?;
        assert_eq!((st.atime_ns, st.mtime_ns), (5, 9));
        set(i64::MIN, i64::MIN + 1)?;
        let st = sys.stat("/tmp/f", 0)?;
        assert!(st.atime_ns > 1_000_000 && st.mtime_ns == 9);
        Ok::<(), Errno>(())
    })
    .expect("utimens");
}

#[test]
fn a_directory_is_read_once_through_whatever_happens_to_it() {
    run(|sys| {
        sys.mkdir("/tmp/d", 0o755)?;
        for i in 0..300 {
            sys.put_file(alloc::format!("/tmp/d/f{i}"), b"", 0o644)?;
        }
        let fd = sys.open("/tmp/d", o::DIRECTORY, 0)?;
        let mut seen = Vec::new();
        loop {
            let piece = sys.getdents(fd, 600)?;
            if piece.is_empty() {
                break;
            }
            for e in piece {
                // What was read goes away at once: rm -r.
                if e.name != b"." && e.name != b".." {
                    sys.unlink([b"/tmp/d/", &e.name[..]].concat())?;
                }
                seen.push(e.name);
            }
        }
        assert_eq!((seen.len(), &seen[0][..], &seen[1][..]), (302, &b"."[..], &b".."[..]));
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 302);
        sys.rmdir("/tmp/d")?;
        assert_eq!(sys.getdents(fd, 10), Ok(vec![]));
        let fd = sys.open("/tmp", o::DIRECTORY, 0)?;
        assert_eq!(sys.getdents(fd, 10), Err(Errno::EINVAL));
        Ok::<(), Errno>(())
    })
    .expect("getdents");
}
