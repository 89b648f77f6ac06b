//! A file written and read from end to end, in blocks of three sizes.

use crate::calls::path_in;
use crate::harness::Bench;
use crate::os::{self, Fd};
use std::io;

pub fn run(b: &Bench) {
    if !b.wants_any("file.") {
        return;
    }
    let path = path_in(&b.dir, "mb_big");
    match os::open(&path, libc::O_CREAT | libc::O_RDWR | libc::O_TRUNC) {
        Ok(fd) => {
            for (size, block) in [("4k", 4 << 10), ("64k", 64 << 10), ("1m", 1 << 20)] {
                measure(b, fd, size, block);
            }
            os::close(fd);
            // Made by us a moment ago; if it can't be removed the directory is the runner's to clean.
            let _ = os::unlink(&path);
        }
        Err(e) => println!("file\tERR\t{e}"),
    }
}

fn measure(b: &Bench, fd: Fd, size: &str, block: usize) {
    let total = b.mib << 20;
    let mut buf = vec![b'x'; block];
    b.throughput(&format!("file.write_new_{size}"), total, || {
        os::truncate(fd)?;
        write_all(fd, &buf, total)
    });
    let (rewrite, read) = (format!("file.rewrite_{size}"), format!("file.read_{size}"));
    // The whole file is there, whichever measures were asked for.
    if (b.wants(&rewrite) || b.wants(&read))
        && let Err(e) = write_all(fd, &buf, total)
    {
        println!("{rewrite}\tERR\t{e}");
        return;
    }
    b.throughput(&rewrite, total, || write_all(fd, &buf, total));
    b.throughput(&read, total, || {
        os::rewind(fd)?;
        (0..total / block).try_for_each(|_| os::read_whole(fd, &mut buf))
    });
}

fn write_all(fd: Fd, buf: &[u8], total: usize) -> io::Result<()> {
    os::rewind(fd)?;
    (0..total / buf.len()).try_for_each(|_| os::write_whole(fd, buf))
}
