//! What a mount finds again.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use abi::Errno;
use abi::types::{at, mode};

use super::{disk, with};

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
