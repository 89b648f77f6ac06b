//! Several processes in one directory tree at once: link counts, names and space come out right, and
//! locks are taken in order (the witness looks at each).

use alloc::format;
use alloc::vec::Vec;

use abi::Errno;
use abi::types::{Statvfs, mode, o, rename};

use super::seeds;
use crate::machdep::fake::disk::{Bytes, Disk};
use crate::machdep::fake::{Fake, Rng, Sys, Vk};

/// File systems under test, by the directory where each stands.
const ROOMS: [&str; 3] = ["/tmp", "/host", "/disk"];

fn machine(seed: u64) -> Vk {
    let disk = Disk::new(Bytes::default(), 16 << 20);
    Fake::seeded(seed).dir("host").host_dir("/host").disk(&disk, 0, "/disk").boot()
}

fn space(sys: &Sys, room: &str) -> Statvfs {
    let fd = sys.open(room, o::DIRECTORY, 0).expect("open");
    let s = sys.fstatvfs(fd).expect("statvfs");
    sys.close(fd).expect("close");
    s
}

/// What may go wrong when others change the tree at the same time; anything else is a bug.
fn fine(e: Errno) -> bool {
    use Errno::*;
    matches!(e, ENOENT | EEXIST | ENOTEMPTY | ENOTDIR | EISDIR | EINVAL | EBUSY)
}

/// One random change among few names, so that processes meet.
fn change(sys: &Sys, rng: &mut Rng, room: &str) {
    let mut name = || {
        let parts = ["a", "b", "d1", "d2", "d1/a", "d1/b", "d2/a", "d1/d3", "d2/d3", "d1/d3/a"];
        format!("{room}/{}", rng.pick(&parts))
    };
    let (x, y) = (name(), name());
    let done = match rng.below(9) {
        0 => sys.mkdir(&x, 0o755),
        1 => sys.put_file(&x, b"content", 0o644),
        2 => sys.unlink(&x),
        3 => sys.rmdir(&x),
        4 => sys.link(&x, &y),
        5 => sys.symlink("a", &x),
        6 => sys.stat(&x, 0).map(|s| assert!(s.nlink > 0, "{x}: found, but without a link")),
        7 => sys.ls(&x).map(|_| ()),
        _ => sys.rename(&x, &y, if rng.one_in(4) { rename::NOREPLACE } else { 0 }),
    };
    if let Err(e) = done {
        // Directories have no hard links; a host's file may be another one by now.
        assert!(
            fine(e)
                || e == Errno::ESTALE && room == "/host"
                || e == Errno::EPERM
                || e == Errno::ELOOP
                || e == Errno::EXDEV,
            "{x} {y}: {e:?}"
        );
    }
}

/// Walks a tree: each directory's link count is 2 and one for each directory in it, each file's the
/// number of names it has. Answers the names by inode.
fn walk(sys: &Sys, dir: &str, files: &mut Vec<(u64, u32)>, dirs_count: bool) {
    let mut below = 0;
    for name in sys.ls(dir).expect("ls") {
        let path = format!("{dir}/{}", alloc::string::String::from_utf8_lossy(&name));
        let s = sys.stat(&path, abi::types::at::SYMLINK_NOFOLLOW).expect("stat of what ls named");
        if s.mode & mode::IFMT == mode::IFDIR {
            below += 1;
            walk(sys, &path, files, dirs_count);
        } else {
            files.push((s.ino, s.nlink));
        }
    }
    if dirs_count {
        let own = sys.stat(dir, 0).expect("stat").nlink;
        assert_eq!(own, 2 + below, "links of {dir}");
    }
}

fn remove_all(sys: &Sys, dir: &str) {
    for name in sys.ls(dir).expect("ls") {
        let path = format!("{dir}/{}", alloc::string::String::from_utf8_lossy(&name));
        if sys.unlink(&path).is_err() {
            remove_all(sys, &path);
            sys.rmdir(&path).expect("rmdir");
        }
    }
}

#[test]
fn random_changes_by_three_processes_leave_a_sound_tree() {
    seeds(0..200, |seed| {
        let vk = machine(seed);
        let room = ROOMS[[0, 0, 2, 0, 1, 2][seed as usize % 6]];
        let before = vk.init(move |sys| space(sys, room));
        let workers = [1, 2, 3].map(|i| {
            vk.lwp(move |sys| {
                let mut rng = Rng::new(seed * 3 + i);
                for _ in 0..40 {
                    change(sys, &mut rng, room);
                }
            })
        });
        workers.into_iter().for_each(|w| vk.join(w));
        // What is known of a host's files may be a moment old.
        vk.advance(60_000_000_000);
        vk.init(move |sys| {
            let mut files = Vec::new();
            walk(sys, room, &mut files, room != "/host");
            for (ino, nlink) in &files {
                let names = files.iter().filter(|f| f.0 == *ino).count();
                assert_eq!(*nlink as usize, names, "seed {seed}: links of inode {ino}");
            }
            remove_all(sys, room);
            assert_eq!(sys.ls(room), Ok(Vec::new()));
            let after = space(sys, room);
            // A disk keeps count of what its next snapshot may take.
            let lost = if room == "/disk" {
                (before.files - before.ffree, 0)
            } else {
                (before.files - before.ffree, before.bfree)
            };
            let found = (after.files - after.ffree, if room == "/disk" { 0 } else { after.bfree });
            assert_eq!(found, lost, "seed {seed}: space is lost");
        });
    });
}

/// Two renames in opposite directions must not make a loop that hangs from nothing, nor a deadlock.
#[test]
fn directories_are_not_moved_into_each_other() {
    seeds(0..300, |seed| {
        let vk = machine(seed);
        let room = ROOMS[seed as usize % 3];
        vk.init(move |sys| {
            for d in ["a", "a/x", "b", "b/y"] {
                sys.mkdir(format!("{room}/{d}"), 0o755).expect("mkdir");
            }
        });
        let one = vk.lwp(move |sys| sys.rename(format!("{room}/a"), format!("{room}/b/y/a"), 0));
        let two = vk.lwp(move |sys| sys.rename(format!("{room}/b"), format!("{room}/a/x/b"), 0));
        let got = [vk.join(one), vk.join(two)];
        let moved = got.iter().filter(|r| r.is_ok()).count();
        assert_eq!(moved, 1, "seed {seed}: {got:?}");
        assert!(got.iter().all(|r| r.is_ok() || *r == Err(Errno::EINVAL) || *r == Err(Errno::ENOENT)), "{got:?}");
        vk.init(move |sys| {
            assert_eq!(sys.ls(room).map(|l| l.len()), Ok(1));
            remove_all(sys, room);
        });
    });
}

#[test]
fn one_of_two_exclusive_creators_wins() {
    seeds(0..200, |seed| {
        let vk = machine(seed);
        let room = ROOMS[seed as usize % 3];
        let path = format!("{room}/lock");
        let creators = [1, 2, 3].map(|_| {
            let path = path.clone();
            vk.lwp(move |sys| sys.open(&path, o::CREAT | o::EXCL | o::WRONLY, 0o600).map(|_| ()))
        });
        let got: Vec<_> = creators.into_iter().map(|c| vk.join(c)).collect();
        assert_eq!(got.iter().filter(|r| r.is_ok()).count(), 1, "seed {seed}: {got:?}");
        assert_eq!(got.iter().filter(|r| **r == Err(Errno::EEXIST)).count(), 2, "seed {seed}: {got:?}");
    });
}

/// rename(2) replaces at once: who opens the name finds the old file or the new one, never none.
#[test]
fn a_name_that_is_replaced_is_always_there() {
    seeds(0..200, |seed| {
        let vk = machine(seed);
        let room = ROOMS[seed as usize % 3];
        let path = format!("{room}/conf");
        let p = path.clone();
        vk.init(move |sys| sys.put_file(&p, b"v0", 0o644)).expect("write");
        let p = path.clone();
        let writer = vk.lwp(move |sys| {
            for i in 1..6 {
                sys.put_file(format!("{room}/new"), format!("v{i}").as_bytes(), 0o644)?;
                sys.rename(format!("{room}/new"), &p, 0)?;
            }
            Ok::<_, Errno>(())
        });
        let reader = vk.lwp(move |sys| {
            for _ in 0..6 {
                let got = sys.get_file(&path)?;
                assert_eq!((got.len(), got[0]), (2, b'v'), "a torn file");
            }
            Ok::<_, Errno>(())
        });
        assert_eq!(vk.join(reader), Ok(()), "seed {seed}");
        assert_eq!(vk.join(writer), Ok(()), "seed {seed}");
    });
}

/// getdents while others change the directory: what stays is named once, whatever happens around it.
#[test]
fn a_listing_names_what_stays_exactly_once() {
    seeds(0..150, |seed| {
        let vk = machine(seed);
        let room = ROOMS[seed as usize % 3];
        vk.init(move |sys| {
            for i in 0..30 {
                sys.put_file(format!("{room}/stay{i:02}"), b"", 0o644).expect("write");
            }
        });
        let churn = vk.lwp(move |sys| {
            for i in 0..20 {
                sys.put_file(format!("{room}/go{i}"), b"", 0o644).expect("write");
                if i >= 3 {
                    sys.unlink(format!("{room}/go{}", i - 3)).expect("unlink");
                }
            }
        });
        let lister = vk.lwp(move |sys| {
            let fd = sys.open(room, o::DIRECTORY, 0)?;
            let mut names = Vec::new();
            loop {
                let piece = sys.getdents(fd, 100)?;
                if piece.is_empty() {
                    return Ok::<_, Errno>(names);
                }
                names.extend(piece.into_iter().map(|e| e.name));
            }
        });
        let mut names = vk.join(lister).expect("getdents");
        vk.join(churn);
        names.retain(|n| n.starts_with(b"stay"));
        names.sort();
        let want: Vec<Vec<u8>> = (0..30).map(|i| format!("stay{i:02}").into_bytes()).collect();
        // A host's cookies are positions, and its directory may shift under them.
        if room != "/host" {
            assert_eq!(names, want, "seed {seed}");
        }
        vk.init(move |sys| remove_all(sys, room));
    });
}
