//! What POSIX (and where it leaves a choice, Linux) says of names: `names.txt`, in tmpfs and in a
//! directory of the host's.

use alloc::string::String;
use alloc::vec::Vec;

use abi::types::{at, o, rename};
use abi::{Errno, SysResult};

use super::{run, with};
use crate::machdep::fake::{Fake, Sys};

const TABLE: &str = include_str!("names.txt");

fn flags(text: &str) -> u32 {
    let one = |f: &str| match f {
        "RDONLY" => o::RDONLY,
        "WRONLY" => o::WRONLY,
        "RDWR" => o::RDWR,
        "CREAT" => o::CREAT,
        "EXCL" => o::EXCL,
        "DIRECTORY" => o::DIRECTORY,
        "NOFOLLOW" => o::NOFOLLOW,
        "NOREPLACE" => rename::NOREPLACE,
        "EXCHANGE" => rename::EXCHANGE,
        other => panic!("{other}"),
    };
    text.split('|').map(one).fold(0, |a, b| a | b)
}

fn call(sys: &Sys, words: &[String]) -> SysResult<()> {
    let w = |i: usize| words.get(i).map_or("", String::as_str);
    match w(0) {
        "file" => sys.close(sys.open(w(1), o::CREAT | o::EXCL | o::WRONLY, 0o644)?),
        "open" => sys.close(sys.open(w(1), flags(w(2)), 0o644)?),
        "mkdir" => sys.mkdir(w(1), 0o755),
        "rmdir" => sys.rmdir(w(1)),
        "unlink" => sys.unlink(w(1)),
        "stat" => sys.stat(w(1), 0).map(|_| ()),
        "lstat" => sys.stat(w(1), at::SYMLINK_NOFOLLOW).map(|_| ()),
        "link" => sys.link(w(1), w(2)),
        "symlink" => sys.symlink(w(1), w(2)),
        "readlink" => sys.readlink(w(1)).map(|_| ()),
        "chdir" => sys.chdir(w(1)),
        "rename" => sys.rename(w(1), w(2), if words.len() > 3 { flags(w(3)) } else { 0 }),
        other => panic!("{other}"),
    }
}

/// Calls whose answer is not as the table says.
fn differences(sys: &Sys, skip: impl Fn(&str) -> bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for line in TABLE.lines().filter(|l| !l.is_empty() && !l.starts_with('#') && !skip(l)) {
        let (text, want) = line.rsplit_once(" = ").expect("a result");
        let long = |w: &str| match w {
            "LONG" => "x/".repeat(2048),
            w => w.replace("L255", &"n".repeat(255)).replace("L256", &"n".repeat(256)),
        };
        let words: Vec<String> = text.split(' ').map(long).collect();
        let got = call(sys, &words).map_or_else(Errno::name, |()| "OK");
        if got != want {
            wrong.push(alloc::format!("{line}, not {got}"));
        }
    }
    wrong
}

#[test]
fn names_in_tmpfs_answer_as_posix_says() {
    let wrong = run(|sys| {
        sys.mkdir("/tmp/here", 0o755).expect("mkdir");
        sys.chdir("/tmp/here").expect("chdir");
        differences(sys, |_| false)
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn names_in_a_shared_directory_answer_the_same() {
    let wrong = with(Fake::seeded(1).dir("mnt").host_dir("/mnt"), |sys| {
        sys.mkdir("/mnt/here", 0o755).expect("mkdir");
        sys.chdir("/mnt/here").expect("chdir");
        // The host has no exchange, and what it does with a removed directory is its own business.
        differences(sys, |l| l.contains("EXCHANGE"))
            .into_iter()
            .filter(|l| !l.starts_with("stat .") && !l.starts_with("stat f/g"))
            .collect::<Vec<_>>()
    });
    let gone = TABLE.lines().skip_while(|l| !l.starts_with("# A directory that was removed")).collect::<Vec<_>>();
    let wrong: Vec<_> = wrong.into_iter().filter(|w| !gone.iter().any(|l| w.starts_with(*l))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn links_may_be_forty_deep_and_no_more() {
    run(|sys| {
        sys.put_file("/tmp/l0", b"end", 0o644)?;
        for i in 1..=41 {
            sys.symlink(alloc::format!("l{}", i - 1), alloc::format!("/tmp/l{i}"))?;
        }
        assert_eq!(sys.get_file("/tmp/l40"), Ok(b"end".to_vec()));
        assert_eq!(sys.stat("/tmp/l41", 0).err(), Some(Errno::ELOOP));
        Ok::<(), Errno>(())
    })
    .expect("links");
}

#[test]
fn a_root_directory_keeps_its_mounts_and_its_dot_dot() {
    run(|sys| {
        assert_eq!(sys.rename("/", "/x", 0), Err(Errno::EBUSY));
        assert_eq!(sys.rmdir("/dev"), Err(Errno::EBUSY));
        assert_eq!(sys.rename("/dev", "/x", 0), Err(Errno::EBUSY));
        assert_eq!(sys.rename("/tmp", "/dev/tmp", 0), Err(Errno::EXDEV));
        assert_eq!(sys.link("/dev/null", "/tmp/null"), Err(Errno::EXDEV));
        let root = sys.stat("/", 0)?;
        assert_eq!(sys.stat("/dev/..", 0), Ok(root));
        assert_ne!(sys.stat("/dev", 0)?.dev, root.dev);
        assert_eq!(sys.stat("/dev/fd/..", 0)?.ino, sys.stat("/dev", 0)?.ino);
        Ok::<(), Errno>(())
    })
    .expect("root");
}

#[test]
fn getcwd_follows_renames_and_mounts() {
    run(|sys| {
        sys.mkdir("/tmp/a", 0o755)?;
        sys.mkdir("/tmp/a/b", 0o755)?;
        sys.chdir("/tmp/a/b")?;
        assert_eq!(sys.getcwd(), Ok(b"/tmp/a/b".to_vec()));
        sys.rename("/tmp/a", "/tmp/c", 0)?;
        assert_eq!(sys.getcwd(), Ok(b"/tmp/c/b".to_vec()));
        sys.rmdir("/tmp/c/b")?;
        assert_eq!(sys.getcwd(), Err(Errno::ENOENT));
        sys.chdir("/dev/fd")?;
        assert_eq!(sys.getcwd(), Ok(b"/dev/fd".to_vec()));
        sys.chdir("/")?;
        assert_eq!(sys.getcwd(), Ok(b"/".to_vec()));
        Ok::<(), Errno>(())
    })
    .expect("getcwd");
}

#[test]
fn link_counts_are_kept() {
    run(|sys| {
        let n = |p: &str| sys.stat(p, 0).map(|s| s.nlink);
        let before = n("/tmp")?;
        sys.mkdir("/tmp/a", 0o755)?;
        sys.mkdir("/tmp/b", 0o755)?;
        assert_eq!((n("/tmp")?, n("/tmp/a")?), (before + 2, 2));
        sys.mkdir("/tmp/a/x", 0o755)?;
        assert_eq!(n("/tmp/a"), Ok(3));
        sys.rename("/tmp/a/x", "/tmp/b/x", 0)?;
        assert_eq!((n("/tmp/a")?, n("/tmp/b")?), (2, 3));
        sys.rename("/tmp/b/x", "/tmp/a", 0)?;
        assert_eq!((n("/tmp")?, n("/tmp/a")?, n("/tmp/b")?), (before + 2, 2, 2));
        sys.put_file("/tmp/f", b"", 0o644)?;
        sys.link("/tmp/f", "/tmp/g")?;
        assert_eq!(n("/tmp/f"), Ok(2));
        let fd = sys.open("/tmp/f", 0, 0)?;
        sys.unlink("/tmp/f")?;
        sys.unlink("/tmp/g")?;
        assert_eq!(sys.fstat(fd)?.nlink, 0);
        Ok::<(), Errno>(())
    })
    .expect("counts");
}

/// Opposite renames, removals and lookups at once: no deadlock, no loss, and the tree stays one.
#[test]
fn renames_that_cross_each_other() {
    for seed in 0..40 {
        let vk = Fake::seeded(seed).switch_one_in(3).boot();
        vk.init(|sys| {
            for d in ["/tmp/a", "/tmp/b", "/tmp/a/x", "/tmp/b/y"] {
                sys.mkdir(d, 0o755).expect("mkdir");
            }
        });
        let moves = [
            ("/tmp/a/x", "/tmp/b/y/x"),
            ("/tmp/b/y", "/tmp/a/x/y"),
            ("/tmp/a", "/tmp/b/y/a"),
            ("/tmp/b", "/tmp/a/x/b"),
        ];
        let all: Vec<_> = moves
            .into_iter()
            .map(|(from, to)| {
                vk.lwp(move |sys| {
                    let done = sys.rename(from, to, 0);
                    let _ = sys.rmdir("/tmp/b/y");
                    let _ = sys.mkdir("/tmp/b/y", 0o755);
                    done.is_ok()
                })
            })
            .collect();
        let moved = all.into_iter().map(|h| vk.join(h)).filter(|ok| *ok).count();
        assert!(moved >= 1, "seed {seed}");
        // Everything is still reachable from the top, and goes away.
        vk.init(|sys| {
            fn clear(sys: &Sys, dir: &str, depth: usize) {
                assert!(depth < 10, "a loop in the tree");
                for name in sys.ls(dir).expect("ls") {
                    let path = alloc::format!("{dir}/{}", String::from_utf8_lossy(&name));
                    clear(sys, &path, depth + 1);
                    sys.rmdir(&path).expect("rmdir");
                }
            }
            clear(sys, "/tmp", 0);
            assert_eq!(sys.stat("/tmp", 0).map(|s| s.nlink), Ok(2));
        });
    }
}
