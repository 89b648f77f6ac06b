//! A shared directory of the host's.

use alloc::vec;

use abi::Errno;
use abi::types::{o, seek};

use super::with;
use crate::machdep::fake::{Fake, Vk};

fn fake() -> Fake {
    Fake::seeded(1).dir("mnt").host_dir("/mnt")
}

fn handles(vk: &Vk) -> usize {
    vk.machine.world().host.as_ref().map_or(0, |h| h.handles())
}

#[test]
fn files_are_written_read_moved_and_removed() {
    with(fake(), |sys| {
        let big: vec::Vec<u8> = (0..700_000u32).map(|i| (i / 5) as u8).collect();
        sys.mkdir("/mnt/d", 0o755)?;
        sys.put_file("/mnt/d/f", &big, 0o600)?;
        assert_eq!(sys.get_file("/mnt/d/f")?, big);
        let st = sys.stat("/mnt/d/f", 0)?;
        assert_eq!((st.size, st.mode & 0o777, st.nlink), (700_000, 0o600, 1));
        sys.chmod("/mnt/d/f", 0o4640)?;
        assert_eq!(sys.stat("/mnt/d/f", 0)?.mode & 0o7777, 0o640, "the host leaves set-id bits out");
        sys.chmod("/mnt/d/f", 0o600)?;
        sys.link("/mnt/d/f", "/mnt/h")?;
        assert_eq!(sys.stat("/mnt/h", 0)?.ino, st.ino);
        assert_eq!(sys.stat("/mnt/d/f", 0)?.nlink, 2);
        let fd = sys.open("/mnt/h", o::RDWR | o::APPEND, 0)?;
        sys.write(fd, b"tail")?;
        assert_eq!(sys.fstat(fd)?.size, 700_004);
        assert_eq!(sys.stat("/mnt/d/f", 0)?.size, 700_004);
        sys.rename("/mnt/d", "/mnt/e", 0)?;
        assert_eq!(sys.stat("/mnt/d/f", 0).err(), Some(Errno::ENOENT));
        sys.unlink("/mnt/e/f")?;
        sys.unlink("/mnt/h")?;
        assert_eq!(sys.pread(fd, 10, 700_000)?, b"tail");
        sys.ftruncate(fd, 3)?;
        assert_eq!(sys.lseek(fd, 0, seek::END)?, 3);
        sys.close(fd)?;
        sys.symlink("target", "/mnt/s")?;
        assert_eq!(sys.readlink("/mnt/s")?, b"target");
        assert_eq!(sys.ls("/mnt")?, vec![b"e".to_vec(), b"s".to_vec()]);
        sys.rmdir("/mnt/e")?;
        sys.unlink("/mnt/s")?;
        assert_eq!(sys.chmod("/mnt", 0o700), Err(Errno::EPERM));
        sys.chmod("/mnt", 0o755)
    })
    .expect("files");
}

#[test]
fn handles_are_closed_when_their_files_are() {
    let vk = fake().boot();
    let before = handles(&vk);
    vk.init(|sys| {
        for i in 0..50 {
            let path = alloc::format!("/mnt/f{i}");
            sys.put_file(&path, b"x", 0o644).expect("write");
            sys.get_file(&path).expect("read");
        }
    });
    assert_eq!(handles(&vk), before);
    vk.init(|sys| {
        let mut dir = alloc::string::String::from("/mnt");
        for _ in 0..600 {
            dir.push_str("/dd");
            sys.mkdir(&dir, 0o755).expect("mkdir");
        }
        // The names kept are few, and so are the directories held open.
        assert!(sys.stat(&dir, 0).is_ok());
    });
    vk.kernel.namecache.clear();
    assert_eq!(handles(&vk), before);
}

#[test]
fn it_may_be_the_root() {
    let fake = Fake::seeded(1).host_dir("/");
    // An empty directory has no program to start: the machine says so and ends.
    let vk = fake.power_on();
    vk.run();
    assert_eq!(vk.exit_status(), Some(abi::types::wait::exited(127)));
}

/// Two mounts of one directory: what is moved through the second, the first one has not seen.
#[test]
fn directories_that_seem_to_stand_in_each_other_are_climbed_for_a_while_only() {
    let again = [&[0; 8], &b"/again"[..]].concat();
    let vk = fake().dir("again").config(abi::image::kind::HOST_DIR, &again).boot();
    vk.init(|sys| {
        for dir in ["/mnt/x", "/mnt/x/y", "/mnt/z"] {
            sys.mkdir(dir, 0o755).expect("mkdir");
        }
        let y = sys.open("/mnt/x/y", o::DIRECTORY, 0).expect("open");
        sys.rename("/again/x/y", "/again/y", 0).expect("rename");
        sys.rename("/again/x", "/again/y/x", 0).expect("rename");
        let x = sys.openat(y, "x", o::DIRECTORY, 0).expect("open");
        let (old, new) = (sys.alloc(6), sys.alloc(1));
        sys.poke(old, b"/mnt/z");
        sys.poke(new, b"z");
        let cwd = abi::types::at::FDCWD as u32 as u64;
        let moved = sys.call("renameat", &[cwd, old.0 as u64, 6, x as u64, new.0 as u64, 1, 0]);
        assert_eq!(moved, Err(Errno::ELOOP));
        assert!(sys.stat("/mnt/y/x", 0).is_ok());
        assert_eq!(sys.rename("/mnt/z", "/mnt/y/x/z", 0), Ok(()));
    });
}
