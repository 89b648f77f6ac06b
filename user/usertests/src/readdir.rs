//! Reading directories, also while they change. getdents(2), POSIX readdir().

use std::collections::BTreeSet;

use abi::types::{DIRENT_HEADER, dt, o, seek};
use vkernel_sys::{Errno, fs, io, raw};

use crate::harness::write_file;

crate::tests! { readdir: all_names_once, removed_while_reading, added_while_reading, small_buffers, no_directory }

fn name(i: usize) -> Vec<u8> {
    format!("file-{i:04}").into_bytes()
}
fn fill(n: usize) {
    (0..n).for_each(|i| write_file(&name(i), b""));
}
fn open_here() -> i32 {
    io::open(b".", o::RDONLY | o::DIRECTORY, 0).expect("open")
}

/// The names of one getdents call with a buffer of this size, dots left out; none at the end.
fn some_names(fd: i32, room: usize) -> Result<Option<Vec<Vec<u8>>>, Errno> {
    let mut buf = vec![0u8; room];
    // SAFETY: the kernel writes within `buf`.
    let n = unsafe { raw::getdents(fd, buf.as_mut_ptr(), room as u32) };
    let n = abi::errno::decode(n)? as usize;
    if n == 0 {
        return Ok(None);
    }
    let (mut names, mut rest) = (Vec::new(), &buf[..n]);
    while rest.len() >= DIRENT_HEADER {
        let len = u16::from_le_bytes([rest[16], rest[17]]) as usize;
        names.push(rest[DIRENT_HEADER..DIRENT_HEADER + len].to_vec());
        rest = &rest[DIRENT_HEADER + len..];
    }
    assert!(rest.is_empty(), "half an entry");
    names.retain(|n| n != b"." && n != b"..");
    Ok(Some(names))
}

fn all_names_once() {
    const N: usize = 500;
    fill(N);
    fs::mkdir(b"sub", 0o777).unwrap();
    fs::symlink(b"x", b"link").unwrap();
    let all = fs::read_dir(b".").unwrap();
    let names: BTreeSet<_> = all.iter().map(|e| e.name.clone()).collect();
    assert_eq!((all.len(), names.len()), (N + 2, N + 2));
    for e in &all {
        let want = match &e.name[..] {
            b"sub" => dt::DIR,
            b"link" => dt::LNK,
            _ => dt::REG,
        };
        assert_eq!(e.kind, want);
        assert_eq!(e.ino, fs::lstat(&e.name).unwrap().ino);
    }
}

/// What `rm -r` does: read some, remove those, read on. Each is seen.
fn removed_while_reading() {
    const N: usize = 300;
    fill(N);
    let fd = open_here();
    let mut seen = 0;
    while let Some(names) = some_names(fd, 512).unwrap() {
        for n in names {
            fs::unlink(&n).unwrap();
            seen += 1;
        }
    }
    assert_eq!(seen, N);
    assert!(fs::read_dir(b".").unwrap().is_empty());
}

/// What was there all the time is seen exactly once, whatever comes.
fn added_while_reading() {
    const N: usize = 200;
    fill(N);
    let fd = open_here();
    let (mut seen, mut made) = (Vec::new(), 0);
    while let Some(names) = some_names(fd, 700).unwrap() {
        seen.extend(names);
        if made < 100 {
            write_file(format!("late-{made}").as_bytes(), b"");
            made += 1;
        }
    }
    let old: Vec<_> = seen.iter().filter(|n| n.starts_with(b"file-")).collect();
    let distinct: BTreeSet<_> = seen.iter().collect();
    assert_eq!(old.len(), N);
    assert_eq!(distinct.len(), seen.len(), "a name came twice");
    io::lseek(fd, 0, seek::SET).unwrap();
    assert!(some_names(fd, 700).unwrap().is_some_and(|n| !n.is_empty()), "rewinding starts again");
}

fn small_buffers() {
    let long = vec![b'q'; 200];
    write_file(&long, b"");
    let fd = open_here();
    let mut found = false;
    loop {
        match some_names(fd, 64) {
            Err(Errno::EINVAL) => break,
            Ok(Some(names)) => found |= !names.is_empty(),
            other => panic!("{other:?}"),
        }
    }
    assert!(!found);
    assert_eq!(some_names(fd, 400), Ok(Some(vec![long])));
    assert_eq!(some_names(fd, 400), Ok(None));
}

fn no_directory() {
    write_file(b"f", b"");
    let fd = io::open(b"f", o::RDONLY, 0).unwrap();
    assert_eq!(some_names(fd, 512), Err(Errno::ENOTDIR));
    fs::mkdir(b"d", 0o777).unwrap();
    let fd = io::open(b"d", o::RDONLY, 0).unwrap();
    fs::rmdir(b"d").unwrap();
    let names = some_names(fd, 512);
    assert!(names.as_ref().map_or_else(|&e| e == Errno::ENOENT, |n| n.iter().flatten().count() == 0), "{names:?}");
}
