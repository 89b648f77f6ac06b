//! Kernel memory that is short: whatever would make a new object is refused with ENOMEM, nothing is
//! left half made, and what gives memory back goes on.

use abi::types::{at, fcntl, o, wait};
use abi::{Errno, SysResult};

use super::faults::{machine, run_with, script};
use crate::machdep::fake::{Request, Sys};

#[test]
fn every_admission_of_a_script_may_be_refused() {
    let vk = machine(1).boot();
    let mut all = 0;
    run_with(&vk, |vk| {
        let from = vk.admissions();
        let h = vk.lwp(script);
        vk.join(h);
        all = vk.admissions() - from;
    });
    assert!(all > 30, "only {all} objects are made");
    for n in 1..=all {
        let vk = machine(n).boot();
        run_with(&vk, |vk| vk.fail_nth_admission(n, 0));
        // And when it stays so.
        run_with(&vk, |vk| vk.fail_nth_admission(n, u64::MAX));
    }
}

/// A call that makes something.
type Call = (&'static str, fn(&Sys) -> SysResult<i64>);

const MAKES: [Call; 17] = [
    ("open", |sys| sys.open("/tmp/f", 0, 0).map(i64::from)),
    ("creat", |sys| sys.open("/tmp/new", o::CREAT | o::WRONLY, 0o600).map(i64::from)),
    ("mkdir", |sys| sys.mkdir("/tmp/new", 0o700).map(|()| 0)),
    ("mknod", |sys| sys.call("mknodat", &path(sys, "/tmp/new", &[0o10600, 0]))),
    ("symlink", |sys| sys.symlink("f", "/tmp/new").map(|()| 0)),
    ("link", |sys| sys.link("/tmp/f", "/tmp/new").map(|()| 0)),
    ("pipe2", |sys| sys.pipe2(0).map(|(r, _)| i64::from(r))),
    ("dup", |sys| sys.dup(0).map(i64::from)),
    ("dup3", |sys| sys.dup3(0, 900, 0).map(i64::from)),
    ("fcntl", |sys| sys.fcntl(0, fcntl::DUPFD, 900).map(i64::from)),
    ("rename to a longer name", |sys| sys.rename("/tmp/f", "/tmp/longer", 0).map(|()| 0)),
    ("rename to elsewhere", |sys| sys.rename("/tmp/f", "/f", 0).map(|()| 0)),
    ("spawn", |sys| sys.spawn(&Request::new("/bin/seven")).map(i64::from)),
    ("wasi mkdir", |sys| sys.wasi("path_create_directory", &wasi_path(sys, "tmp/new", &[])).map(|()| 0)),
    ("wasi open", |sys| {
        let (at, opened) = (wasi_path(sys, "tmp/f", &[]), sys.alloc(4));
        // Of a file, to read: `rights::FD_READ`.
        sys.wasi("path_open", &[at[0], 0, at[1], at[2], 0, 2, 2, 0, opened.0 as u64])
            .map(|()| sys.peek32(opened) as i64)
    }),
    ("open on the host", |sys| sys.open("/host/f", 0, 0).map(i64::from)),
    ("mkdir on the host", |sys| sys.mkdir("/host/new", 0o700).map(|()| 0)),
];

fn put(sys: &Sys, path: &str) -> [u64; 2] {
    let p = sys.alloc(path.len());
    sys.poke(p, path.as_bytes());
    [p.0 as u64, path.len() as u64]
}
fn path(sys: &Sys, path: &str, rest: &[u64]) -> alloc::vec::Vec<u64> {
    [&[at::FDCWD as u32 as u64], &put(sys, path)[..], rest].concat()
}
/// Below the preopened root.
fn wasi_path(sys: &Sys, path: &str, rest: &[u64]) -> alloc::vec::Vec<u64> {
    [&[3], &put(sys, path)[..], rest].concat()
}

#[test]
fn the_caller_is_told_enomem_and_nothing_has_happened() {
    for (name, make) in MAKES {
        let vk = machine(3).boot();
        vk.init(|sys| {
            sys.put_file("/tmp/f", b"f", 0o600).expect("write");
            sys.put_file("/host/f", b"f", 0o600).expect("write");
        });
        vk.fail_nth_admission(2, u64::MAX);
        let h = vk.lwp(move |sys| {
            let before = sys.ls("/tmp");
            (make(sys), before)
        });
        // The process itself was admitted; `ls` opens a directory, or doesn't.
        let (made, before) = vk.join(h);
        assert_eq!((made, before), (Err(Errno::ENOMEM), Err(Errno::ENOMEM)), "{name}");
        vk.heal();
        let h = vk.lwp(move |sys| {
            let (tmp, host) = (sys.ls("/tmp"), sys.ls("/host"));
            (tmp.map(|l| l.len()), host.map(|l| l.len()), make(sys).is_ok())
        });
        assert_eq!(vk.join(h), (Ok(1), Ok(1), true), "{name}");
    }
}

#[test]
fn what_gives_memory_back_goes_on() {
    let vk = machine(4).boot();
    let h = vk.lwp(|sys| {
        sys.mkdir("/tmp/d", 0o700).expect("mkdir");
        let fd = sys.open("/tmp/f", o::CREAT | o::RDWR, 0o600).expect("open");
        let (r, w) = sys.pipe2(0).expect("pipe");
        let (r2, w2) = sys.pipe2(0).expect("pipe");
        let child = sys.spawn(&Request::new("/bin/seven")).expect("spawn");
        sys.write(w, b"there").expect("write");
        {
            let mut world = sys.machine.world();
            let next = world.faults.admissions + 1;
            world.faults.short = next..u64::MAX;
        }
        assert_eq!(sys.pipe2(0), Err(Errno::ENOMEM));
        // A ring that is there carries on, a new one waits for better times.
        assert_eq!(sys.write(w, b" still"), Ok(6));
        assert_eq!(sys.read(r, 100), Ok(b"there still".to_vec()));
        assert_eq!(sys.write(w2, b"new"), Err(Errno::ENOMEM));
        // One that would have to grow keeps nobody waiting for what does not come.
        assert_eq!(sys.write(w, b"last"), Ok(4));
        assert_eq!(sys.write(w, &[0; 4096]), Err(Errno::ENOMEM));
        assert_eq!(sys.read(r, 100), Ok(b"last".to_vec()));
        assert_eq!(sys.waitpid(child), Ok(wait::exited(7)));
        assert_eq!(sys.rename("/tmp/f", "/tmp/g", 0), Ok(()));
        assert_eq!(sys.unlink("/tmp/g"), Ok(()));
        assert_eq!(sys.rmdir("/tmp/d"), Ok(()));
        for fd in [fd, r, w, r2, w2] {
            assert_eq!(sys.close(fd), Ok(()));
        }
    });
    vk.join(h);
}
