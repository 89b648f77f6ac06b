//! Names: looking them up, making and removing them.

use crate::calls::{Files, path_in};
use crate::harness::Bench;
use crate::os;
use std::io;

pub fn run(b: &Bench, files: &Files) {
    lookups(b, files);
    changes(b);
    if b.wants("fs.readdir100")
        && let Err(e) = readdir(b)
    {
        println!("fs.readdir100\tERR\t{e}");
    }
}

fn lookups(b: &Bench, files: &Files) {
    let path = &files.path;
    b.time("fs.open_close", |n| (0..n).try_for_each(|_| os::open(path, libc::O_RDONLY).map(os::close)));
    b.time("fs.stat", |n| (0..n).try_for_each(|_| os::stat(path)));
    b.time("fs.fstat", |n| (0..n).try_for_each(|_| os::fstat(files.fd)));
    let nope = path_in(&b.dir, "mb_nope");
    b.time("fs.stat_enoent", |n| {
        (0..n).try_for_each(|_| match os::stat(&nope) {
            Ok(()) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => Ok(()),
        })
    });
}

fn changes(b: &Bench) {
    const CREATE: libc::c_int = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR;
    let new = path_in(&b.dir, "mb_new");
    b.time("fs.create_unlink", |n| {
        (0..n).try_for_each(|_| {
            os::close(os::open(&new, CREATE)?);
            os::unlink(&new)
        })
    });
    let data = [b'x'; 1024];
    b.time("fs.create_write1k_unlink", |n| {
        (0..n).try_for_each(|_| {
            let fd = os::open(&new, CREATE)?;
            let written = os::write_whole(fd, &data);
            os::close(fd);
            os::unlink(&new).and(written)
        })
    });
    let dir = path_in(&b.dir, "mb_dir");
    b.time("fs.mkdir_rmdir", |n| (0..n).try_for_each(|_| os::mkdir(&dir).and_then(|()| os::rmdir(&dir))));
    if b.wants("fs.rename_x2") {
        let (one, two) = (path_in(&b.dir, "mb_ren"), path_in(&b.dir, "mb_ren2"));
        if let Ok(fd) = os::open(&one, libc::O_CREAT | libc::O_RDWR) {
            os::close(fd);
        }
        b.time("fs.rename_x2", |n| {
            (0..n).try_for_each(|_| os::rename(&one, &two).and_then(|()| os::rename(&two, &one)))
        });
        // The measure has reported what went wrong, if anything did.
        let _ = os::unlink(&one);
    }
}

fn readdir(b: &Bench) -> io::Result<()> {
    let dir = path_in(&b.dir, "mb_d100");
    let entry = |k| path_in(&b.dir, &format!("mb_d100/{k:03}"));
    os::mkdir(&dir)?;
    for k in 0..100 {
        os::close(os::open(&entry(k), libc::O_CREAT | libc::O_RDWR)?);
    }
    b.time("fs.readdir100", |n| {
        (0..n).try_for_each(|_| match os::count_entries(&dir)? {
            100.. => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        })
    });
    (0..100).try_for_each(|k| os::unlink(&entry(k)))?;
    os::rmdir(&dir)
}
