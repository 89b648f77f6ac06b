//! Who may do what: POSIX 4.4 to 4.6 and the pages of each call.

use abi::types::{mode, o};
use abi::{Errno, SysResult};

use super::run;
use crate::machdep::fake::Sys;

fn call_path(sys: &Sys, name: &str, path: &str, rest: &[u64]) -> SysResult<()> {
    let p = sys.alloc(path.len());
    sys.poke(p, path.as_bytes());
    let mut args = alloc::vec![-100i64 as u64, p.0 as u64, path.len() as u64];
    args.extend_from_slice(rest);
    sys.call(name, &args).map(|_| ())
}

#[test]
fn directories_and_files_are_guarded_by_their_modes() {
    run(|sys| {
        sys.mkdir("/tmp/d", 0o755)?;
        sys.chmod("/tmp/d", 0o711)?;
        sys.put_file("/tmp/d/f", b"x", 0o600)?;
        sys.mkdir("/tmp/closed", 0o700)?;
        sys.put_file("/tmp/closed/f", b"x", 0o644)?;
        sys.setuid(7)?;
        assert_eq!(sys.open("/tmp/d/f", 0, 0), Err(Errno::EACCES));
        assert_eq!(sys.open("/tmp/d", 0, 0), Err(Errno::EACCES));
        assert!(sys.stat("/tmp/d/f", 0).is_ok());
        assert_eq!(sys.stat("/tmp/closed/f", 0).err(), Some(Errno::EACCES));
        assert_eq!(sys.stat("/tmp/closed/missing", 0).err(), Some(Errno::EACCES));
        assert_eq!(sys.put_file("/tmp/d/new", b"", 0o644), Err(Errno::EACCES));
        assert_eq!(sys.unlink("/tmp/d/f"), Err(Errno::EACCES));
        assert_eq!(sys.rename("/tmp/d/f", "/tmp/d/g", 0), Err(Errno::EACCES));
        assert_eq!(sys.chdir("/tmp/closed"), Err(Errno::EACCES));
        assert_eq!(sys.chmod("/tmp/d/f", 0o777), Err(Errno::EPERM));
        assert_eq!(sys.chown("/tmp/d/f", 7, 7), Err(Errno::EPERM));
        assert_eq!(call_path(sys, "faccessat", "/tmp/d/f", &[4, 0]), Err(Errno::EACCES));
        assert_eq!(call_path(sys, "faccessat", "/tmp/d/f", &[0, 0]), Ok(()));
        assert_eq!(call_path(sys, "faccessat", "/tmp/d/f", &[8, 0]), Err(Errno::EINVAL));
        Ok::<(), Errno>(())
    })
    .expect("modes");
}

#[test]
fn in_a_sticky_directory_names_belong_to_their_owners() {
    run(|sys| {
        sys.chmod("/tmp", 0o1777)?;
        sys.put_file("/tmp/roots", b"", 0o666)?;
        sys.mkdir("/tmp/d", 0o777)?;
        sys.setuid(7)?;
        assert_eq!(sys.unlink("/tmp/roots"), Err(Errno::EPERM));
        assert_eq!(sys.rmdir("/tmp/d"), Err(Errno::EPERM));
        assert_eq!(sys.rename("/tmp/roots", "/tmp/mine", 0), Err(Errno::EPERM));
        sys.put_file("/tmp/own", b"", 0o644)?;
        assert_eq!(sys.rename("/tmp/own", "/tmp/roots", 0), Err(Errno::EPERM));
        sys.rename("/tmp/own", "/tmp/other", 0)?;
        sys.unlink("/tmp/other")
    })
    .expect("sticky");
}

#[test]
fn the_umask_and_a_set_group_id_directory_make_the_mode() {
    run(|sys| {
        sys.call("umask", &[0o027])?;
        sys.put_file("/tmp/f", b"", 0o666)?;
        sys.mkdir("/tmp/d", 0o7777)?;
        let bits = |p: &str| sys.stat(p, 0).map(|s| s.mode & mode::PERM);
        assert_eq!((bits("/tmp/f")?, bits("/tmp/d")?), (0o640, 0o1750));
        sys.chown("/tmp/d", u32::MAX, 55)?;
        sys.chmod("/tmp/d", 0o2777)?;
        sys.put_file("/tmp/d/f", b"", 0o644)?;
        sys.mkdir("/tmp/d/sub", 0o755)?;
        assert_eq!(sys.stat("/tmp/d/f", 0)?.gid, 55);
        assert_eq!((sys.stat("/tmp/d/sub", 0)?.gid, bits("/tmp/d/sub")?), (55, 0o2750));
        Ok::<(), Errno>(())
    })
    .expect("umask");
}

#[test]
fn set_id_bits_do_not_survive_a_change() {
    run(|sys| {
        sys.put_file("/tmp/f", b"", 0o777)?;
        sys.chmod("/tmp/f", 0o6777)?;
        sys.chown("/tmp/f", 7, u32::MAX)?;
        assert_eq!(sys.stat("/tmp/f", 0)?.mode & mode::PERM, 0o777);
        sys.chmod("/tmp/f", 0o6777)?;
        sys.setuid(7)?;
        let fd = sys.open("/tmp/f", o::WRONLY, 0)?;
        sys.write(fd, b"x")?;
        assert_eq!(sys.stat("/tmp/f", 0)?.mode & mode::PERM, 0o777);
        // Not in the file's group (0) any more? The effective group is still root's: the bit stays.
        sys.chmod("/tmp/f", 0o2777)?;
        assert_eq!(sys.stat("/tmp/f", 0)?.mode & mode::PERM, 0o2777);
        assert_eq!(sys.chown("/tmp/f", 8, u32::MAX), Err(Errno::EPERM));
        assert_eq!(sys.chown("/tmp/f", u32::MAX, 99), Err(Errno::EPERM));
        sys.chown("/tmp/f", 7, 0)
    })
    .expect("set-id");
}

#[test]
fn a_file_without_permissions_can_still_be_made_and_written() {
    run(|sys| {
        sys.chmod("/tmp", 0o777)?;
        sys.setuid(7)?;
        let fd = sys.open("/tmp/f", o::CREAT | o::EXCL | o::RDWR, 0)?;
        sys.write(fd, b"x")?;
        assert_eq!(sys.open("/tmp/f", o::RDONLY, 0), Err(Errno::EACCES));
        assert_eq!(sys.open("/tmp/f", o::RDONLY | o::TRUNC, 0), Err(Errno::EACCES));
        sys.chmod("/tmp/f", 0o400)?;
        assert_eq!(sys.open("/tmp/f", o::RDONLY | o::TRUNC, 0), Err(Errno::EACCES));
        Ok::<(), Errno>(())
    })
    .expect("mode 0");
}

#[test]
fn nothing_is_written_to_a_read_only_mount() {
    run(|sys| {
        sys.mkdir("/tmp/m", 0o755)?;
        let kind = sys.alloc(8);
        sys.poke(kind, b"tmpfs");
        let path = sys.alloc(8);
        sys.poke(path, b"/tmp/m");
        sys.call("mount", &[kind.0 as u64, 5, path.0 as u64, 6, abi::types::mnt::RDONLY as u64])?;
        assert_eq!(sys.put_file("/tmp/m/f", b"", 0o644), Err(Errno::EROFS));
        assert_eq!(sys.mkdir("/tmp/m/d", 0o755), Err(Errno::EROFS));
        assert_eq!(sys.symlink("x", "/tmp/m/l"), Err(Errno::EROFS));
        assert_eq!(sys.chmod("/tmp/m", 0o700), Err(Errno::EROFS));
        assert_eq!(sys.chown("/tmp/m", 1, 1), Err(Errno::EROFS));
        assert_eq!(call_path(sys, "faccessat", "/tmp/m", &[2, 0]), Err(Errno::EROFS));
        let fd = sys.open("/tmp/m", o::DIRECTORY, 0)?;
        assert_eq!(sys.call("unmount", &[path.0 as u64, 6, 0]), Ok(0));
        // Who has it open still sees it; the name is the covered directory again.
        assert!(sys.fstat(fd).is_ok());
        assert_eq!(sys.call("unmount", &[path.0 as u64, 6, 0]), Err(Errno::EINVAL));
        sys.put_file("/tmp/m/f", b"", 0o644)
    })
    .expect("read-only");
}

/// Else anybody could take the set-user-ID bit off a program of root's.
#[test]
fn who_gives_a_file_to_nobody_changes_nothing() {
    run(|sys| {
        sys.put_file("/tmp/su", b"x", 0o644)?;
        sys.chmod("/tmp/su", 0o4755)?;
        sys.setuid(7)?;
        sys.chown("/tmp/su", u32::MAX, u32::MAX)?;
        assert_eq!(sys.stat("/tmp/su", 0)?.mode & mode::PERM, 0o4755);
        Ok::<(), Errno>(())
    })
    .expect("chown");
}

#[test]
fn access_asks_with_the_real_group() {
    run(|sys| {
        sys.put_file("/tmp/f", b"x", 0o640)?;
        sys.chown("/tmp/f", 0, 30)?;
        sys.call("setegid", &[30])?;
        sys.call("seteuid", &[7])?;
        // As of a set-group-ID program: it may read, who started it may not.
        assert!(sys.open("/tmp/f", 0, 0).is_ok());
        sys.call("seteuid", &[0])?;
        sys.call("setegid", &[5])?;
        sys.call("setgid", &[5])?;
        sys.call("setegid", &[30])?;
        sys.setuid(7)?;
        assert!(sys.open("/tmp/f", 0, 0).is_ok());
        assert_eq!(call_path(sys, "faccessat", "/tmp/f", &[4, 0]), Err(Errno::EACCES));
        assert_eq!(call_path(sys, "faccessat", "/tmp/f", &[4, 0x200]), Ok(()));
        Ok::<(), Errno>(())
    })
    .expect("access");
}
