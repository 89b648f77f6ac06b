//! chroot(2): what is above the new root is out of reach, for paths of any kind.

use abi::types::{at, mode, o, wait};
use abi::{Errno, SysResult};

use crate::machdep::fake::{Fake, Reg, Sys};

fn chroot(sys: &Sys, path: &str) -> SysResult<()> {
    let at = sys.alloc(path.len());
    sys.poke(at, path.as_bytes());
    sys.call("chroot", &[at.reg(), path.len().reg()]).map(|_| ())
}

fn jail(f: impl FnOnce(&Sys) -> SysResult<()> + Send + 'static) {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        sys.mkdir("/tmp/jail", 0o755)?;
        sys.mkdir("/tmp/jail/in", 0o755)?;
        sys.put_file("/tmp/secret", b"out", 0o644)?;
        sys.put_file("/tmp/jail/secret", b"in", 0o644)?;
        sys.symlink("/secret", "/tmp/jail/in/absolute")?;
        sys.symlink("../../../../../../secret", "/tmp/jail/in/climbs")?;
        f(sys)
    });
    assert_eq!(vk.join(h), Ok(()));
}

#[test]
fn paths_end_at_the_new_root() {
    jail(|sys| {
        chroot(sys, "/tmp/jail")?;
        sys.chdir("/in")?;
        assert_eq!(sys.getcwd()?, b"/in");
        for path in
            ["/secret", "/../secret", "../../../secret", "/in/../../secret", "absolute", "climbs", "/./../secret"]
        {
            assert_eq!(sys.get_file(path), Ok(b"in".to_vec()), "{path}");
        }
        assert_eq!(sys.stat("/..", 0)?.ino, sys.stat("/", 0)?.ino);
        assert_eq!(sys.open("/tmp", 0, 0), Err(Errno::ENOENT));
        // A child has the same root, and may have another below it.
        let child = sys.fork(|sys| {
            let deeper = chroot(sys, "/in").and_then(|()| sys.chdir("/..")).and_then(|()| sys.getcwd());
            sys.exit((deeper == Ok(b"/".to_vec()) && sys.get_file("secret") == Err(Errno::ENOENT)) as i32);
        })?;
        assert_eq!(sys.waitpid(child)?, wait::exited(1));
        assert_eq!(sys.get_file("/secret"), Ok(b"in".to_vec()));
        Ok(())
    });
}

/// chroot(2): a working directory and descriptors that are outside stay usable, as on Linux.
#[test]
fn what_is_open_stays_open() {
    jail(|sys| {
        sys.chdir("/tmp")?;
        let dir = sys.open("/tmp", o::DIRECTORY, 0)?;
        chroot(sys, "jail")?;
        assert_eq!(sys.get_file("secret"), Ok(b"out".to_vec()));
        assert_eq!(sys.getcwd(), Err(Errno::ENOENT));
        assert!(sys.openat(dir, "secret", 0, 0).is_ok());
        assert_eq!(sys.get_file("/secret"), Ok(b"in".to_vec()));
        Ok(())
    });
}

#[test]
fn who_may_and_where_to() {
    jail(|sys| {
        assert_eq!(chroot(sys, "/nowhere"), Err(Errno::ENOENT));
        assert_eq!(chroot(sys, "/tmp/secret"), Err(Errno::ENOTDIR));
        assert_eq!(chroot(sys, ""), Err(Errno::ENOENT));
        sys.mkdir("/tmp/closed", 0o700)?;
        sys.setuid(500)?;
        assert_eq!(chroot(sys, "/tmp/jail"), Err(Errno::EPERM));
        assert_eq!(chroot(sys, "/tmp/closed"), Err(Errno::EACCES));
        Ok(())
    });
}

/// WASI's descriptor of the root is that of the new one after exec.
#[test]
fn a_program_begins_at_the_new_root() {
    let vk = Fake::seeded(1)
        .program("looks", |sys| {
            let (path, stat) = (sys.alloc(6), sys.alloc(64));
            sys.poke(path, b"secret");
            let found = sys.wasi("path_filestat_get", &[3, 0, path.reg(), 6, stat.reg()]);
            (found.is_ok() && sys.fstat(3).is_ok_and(|s| s.mode & mode::IFMT == mode::IFDIR)) as i32
        })
        .boot();
    let h = vk.lwp(|sys| {
        sys.mkdir("/tmp/bin", 0o755)?;
        sys.link("/bin/looks", "/tmp/bin/looks").or_else(|_| {
            let program = sys.get_file("/bin/looks")?;
            sys.put_file("/tmp/bin/looks", &program, 0o755)
        })?;
        sys.put_file("/tmp/secret", b"", 0o644)?;
        chroot(sys, "/tmp")?;
        sys.chdir("/")?;
        let _ = sys.close(3);
        sys.exec(&crate::machdep::fake::Request::new("/bin/looks"))
    });
    let (_, status) = vk.end(h);
    assert_eq!(status, wait::exited(1));
    let _ = at::FDCWD;
}
