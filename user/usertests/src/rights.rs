//! Permissions, as somebody who isn't root. POSIX 4.5; open(2), unlink(2), chmod(2), chown(2).

use abi::types::{access, mode, o, sig, wait};
use vkernel_sys::{Errno, fs, io, proc};

use crate::harness::{role, status_of, wait_for, write_file};

crate::tests! { rights: of_files, of_directories, sticky, owners, ids, of_signals }
crate::roles! { files_as_user, directories_as_user, sticky_as_user, owners_as_user, ids_as_user, kill_as_user }

const USER: u32 = 1000;
const OTHER: u32 = 1001;

/// Gives root away for good.
fn become_user(id: u32) {
    proc::setgid(id).expect("setgid");
    proc::setuid(id).expect("setuid");
}
/// Plays a role that may not be root in the end; says whether one can be somebody else here at all.
fn passes(name: &str, args: &[&str]) {
    if proc::geteuid() != 0 {
        eprintln!("not root: nothing to give away");
        return;
    }
    assert_eq!(status_of(&role(name, args)), wait::exited(0), "as user {USER}");
}
fn owned(path: &[u8], uid: u32, perm: u32) {
    fs::chown(path, uid, uid, 0).expect("chown");
    fs::chmod(path, perm, 0).expect("chmod");
}

fn of_files() {
    for (name, uid, perm) in [
        (&b"root-600"[..], 0, 0o600),
        (b"root-644", 0, 0o644),
        (b"mine-200", USER, 0o200),
        (b"mine-077", USER, 0o077),
        (b"group-040", 0, 0o040),
    ] {
        write_file(name, b"content");
        owned(name, uid, perm);
    }
    fs::chown(b"group-040", 0, USER, 0).unwrap();
    fs::chmod(b".", 0o755, 0).unwrap();
    passes("files_as_user", &[]);
}
fn files_as_user(_: &[&str]) -> i32 {
    become_user(USER);
    let open = |p: &[u8], f| io::open(p, f, 0o666).map(|_| ());
    let denied = Err(Errno::EACCES);
    assert_eq!(open(b"root-600", o::RDONLY), denied);
    assert_eq!(open(b"root-644", o::RDONLY), Ok(()));
    assert_eq!(open(b"root-644", o::RDWR), denied);
    assert_eq!(open(b"root-644", o::RDONLY | o::TRUNC), denied);
    assert_eq!(open(b"mine-200", o::RDONLY), denied);
    assert_eq!(open(b"mine-200", o::WRONLY), Ok(()));
    // The owner's bits alone count for the owner.
    assert_eq!(open(b"mine-077", o::RDONLY), denied);
    assert_eq!(open(b"group-040", o::RDONLY), Ok(()));
    assert_eq!(open(b"new", o::WRONLY | o::CREAT), denied);
    assert_eq!(fs::access(b"root-600", access::R_OK), denied);
    assert_eq!(fs::access(b"root-644", access::R_OK), Ok(()));
    assert_eq!(fs::access(b"root-600", access::F_OK), Ok(()));
    assert_eq!(fs::stat(b"root-644").unwrap().size, 7);
    0
}

fn of_directories() {
    for (name, perm) in [(&b"no-search"[..], 0o644), (b"no-read", 0o711), (b"no-write", 0o755)] {
        fs::mkdir(name, 0o777).unwrap();
        write_file(&[name, b"/f"].concat(), b"x");
        fs::chmod(&[name, b"/f"].concat(), 0o666, 0).unwrap();
        fs::chmod(name, perm, 0).unwrap();
    }
    fs::chmod(b".", 0o755, 0).unwrap();
    passes("directories_as_user", &[]);
}
fn directories_as_user(_: &[&str]) -> i32 {
    become_user(USER);
    let denied = Err(Errno::EACCES);
    assert_eq!(fs::stat(b"no-search/f").map(|_| ()), denied);
    assert_eq!(fs::read_dir(b"no-search").map(|d| d.len()), Ok(1));
    assert_eq!(fs::chdir(b"no-search"), denied);
    assert_eq!(fs::read_dir(b"no-read").map(|_| ()), denied);
    assert!(fs::stat(b"no-read/f").is_ok());
    assert_eq!(fs::unlink(b"no-write/f"), denied);
    assert_eq!(fs::rename(b"no-write/f", b"no-write/g", 0), denied);
    assert_eq!(fs::mkdir(b"no-write/d", 0o777), denied);
    assert_eq!(fs::link(b"no-write/f", b"no-write/g", 0), denied);
    assert_eq!(fs::symlink(b"x", b"no-write/s"), denied);
    // The file itself may be written.
    assert!(io::open(b"no-write/f", o::WRONLY, 0).is_ok());
    0
}

fn sticky() {
    fs::mkdir(b"tmp", 0o777).unwrap();
    fs::chmod(b"tmp", 0o1777, 0).unwrap();
    write_file(b"tmp/roots", b"");
    write_file(b"tmp/others", b"");
    write_file(b"tmp/mine", b"");
    if proc::geteuid() == 0 {
        owned(b"tmp/others", OTHER, 0o666);
        owned(b"tmp/mine", USER, 0o666);
    }
    fs::chmod(b".", 0o755, 0).unwrap();
    passes("sticky_as_user", &[]);
}
fn sticky_as_user(_: &[&str]) -> i32 {
    become_user(USER);
    for theirs in [&b"tmp/roots"[..], b"tmp/others"] {
        assert_eq!(fs::unlink(theirs), Err(Errno::EPERM));
        assert_eq!(fs::rename(theirs, b"tmp/x", 0), Err(Errno::EPERM));
    }
    assert_eq!(fs::rename(b"tmp/mine", b"tmp/others", 0), Err(Errno::EPERM));
    assert_eq!(fs::unlink(b"tmp/mine"), Ok(()));
    0
}

fn owners() {
    write_file(b"roots", b"");
    write_file(b"mine", b"");
    if proc::geteuid() == 0 {
        owned(b"mine", USER, 0o6755);
        assert_eq!(fs::stat(b"mine").unwrap().uid, USER);
    }
    fs::chmod(b".", 0o777, 0).unwrap();
    passes("owners_as_user", &[]);
}
fn owners_as_user(_: &[&str]) -> i32 {
    become_user(USER);
    assert_eq!(fs::chmod(b"roots", 0o777, 0), Err(Errno::EPERM));
    assert_eq!(fs::chown(b"roots", USER, USER, 0), Err(Errno::EPERM));
    assert_eq!(fs::chown(b"mine", 0, u32::MAX, 0), Err(Errno::EPERM));
    assert_eq!(fs::chown(b"mine", u32::MAX, OTHER, 0), Err(Errno::EPERM));
    assert_eq!(fs::utimens(b"roots", 1, 1, 0), Err(Errno::EPERM));
    assert_eq!(fs::chmod(b"mine", 0o600, 0), Ok(()));
    write_file(b"made", b"");
    let s = fs::stat(b"made").unwrap();
    assert_eq!((s.uid, s.gid, s.mode & mode::PERM), (USER, USER, 0o644));
    0
}

fn ids() {
    // An id that reads as an error number, or as none at all.
    assert_eq!(proc::setuid(u32::MAX), Err(Errno::EINVAL));
    #[cfg(target_family = "wasm")]
    assert_eq!(proc::setgid(0x8000_0000), Err(Errno::EINVAL));
    passes("ids_as_user", &[]);
}
fn ids_as_user(_: &[&str]) -> i32 {
    become_user(USER);
    assert_eq!((proc::getuid(), proc::geteuid(), proc::getgid(), proc::getegid()), (USER, USER, USER, USER));
    assert_eq!(proc::setuid(0), Err(Errno::EPERM));
    assert_eq!(proc::setgid(0), Err(Errno::EPERM));
    assert_eq!(proc::setuid(USER), Ok(()));
    // A hard limit once lowered stays so.
    let (_, hard) = proc::getrlimit(abi::types::rlimit::NOFILE).unwrap();
    assert_eq!(proc::setrlimit(abi::types::rlimit::NOFILE, 10, 20), Ok(()));
    assert_eq!(proc::setrlimit(abi::types::rlimit::NOFILE, 10, hard), Err(Errno::EPERM));
    assert_eq!(proc::setrlimit(abi::types::rlimit::NOFILE, 30, 20), Err(Errno::EINVAL));
    0
}

fn of_signals() {
    let (r, _w) = io::pipe2(0).unwrap();
    let pid = crate::harness::role("wait_for_eof", &[]).dup2(r, 0).spawn().unwrap();
    passes("kill_as_user", &[&pid.to_string()]);
    assert_eq!(proc::kill(pid, sig::KILL), Ok(()));
    assert_eq!(wait_for(pid), wait::signaled(sig::KILL));
}
fn kill_as_user(args: &[&str]) -> i32 {
    become_user(USER);
    let pid: i32 = args[0].parse().unwrap();
    assert_eq!(proc::kill(pid, sig::TERM), Err(Errno::EPERM));
    assert_eq!(proc::kill(pid, 0), Err(Errno::EPERM));
    0
}
