//! Calls that do next to nothing, and reads and writes of a small file.

use crate::harness::Bench;
use crate::os::{self, Fd};
use std::ffi::CString;
use std::hint::black_box;
use std::io;

/// The file that most measures use, gone at the end.
pub struct Files {
    pub fd: Fd,
    pub path: CString,
}

/// A name in the directory of the run, which came from an argument and so has no NUL.
pub fn path_in(dir: &str, name: &str) -> CString {
    CString::new(format!("{dir}/{name}")).expect("no NUL in an argument")
}

impl Files {
    pub fn create(dir: &str) -> io::Result<Files> {
        let path = path_in(dir, "mb_file");
        let fd = os::open(&path, libc::O_CREAT | libc::O_RDWR | libc::O_TRUNC)?;
        os::write_whole(fd, &[b'x'; 64 << 10])?;
        Ok(Files { fd, path })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        os::close(self.fd);
        // A run that leaves its file behind has said so in every measure already.
        let _ = os::unlink(&self.path);
    }
}

pub fn run(b: &Bench, files: &Files) {
    b.time("sys.clock_gettime", |n| {
        for _ in 0..n {
            black_box(os::clock());
        }
        Ok(())
    });
    devices(b);
    let fd = files.fd;
    let mut byte = [b'x'];
    let mut page = vec![0; 4096];
    b.time("rw.pread1_file", |n| (0..n).try_for_each(|_| os::pread_whole(fd, &mut byte)));
    b.time("rw.pwrite1_file", |n| (0..n).try_for_each(|_| os::pwrite_whole(fd, &byte)));
    b.time("rw.pread4k_file", |n| (0..n).try_for_each(|_| os::pread_whole(fd, &mut page)));
    stream(b, fd);
    b.time("rw.lseek", |n| (0..n).try_for_each(|_| os::rewind(fd)));
    b.time("rw.poll10", |n| os::poll10(fd, n));
}

/// The calls that every program makes, `read` and `write`, over a file of 64 KiB from its begin to its end.
fn stream(b: &Bench, fd: Fd) {
    const CALLS: u64 = 1024;
    let mut piece = [b'x'; 64];
    let mut pass = |n: u64, call: &mut dyn FnMut(&mut [u8]) -> io::Result<()>| {
        for at in 0..n {
            if at % CALLS == 0 {
                os::rewind(fd)?;
            }
            call(&mut piece)?;
        }
        Ok(())
    };
    b.time("rw.write64_file", |n| pass(n, &mut |piece| os::write_whole(fd, piece)));
    b.time("rw.read64_file", |n| pass(n, &mut |piece| os::read_whole(fd, piece)));
}

fn devices(b: &Bench) {
    let mut byte = [b'x'];
    if b.wants("rw.read1_devzero") {
        match os::open(c"/dev/zero", libc::O_RDONLY) {
            Ok(fd) => {
                b.time("rw.read1_devzero", |n| (0..n).try_for_each(|_| os::read_whole(fd, &mut byte)));
                os::close(fd);
            }
            Err(e) => println!("rw.read1_devzero\tERR\t{e}"),
        }
    }
    if b.wants("rw.write1_devnull") {
        match os::open(c"/dev/null", libc::O_WRONLY) {
            Ok(fd) => {
                b.time("rw.write1_devnull", |n| (0..n).try_for_each(|_| os::write_whole(fd, &byte)));
                os::close(fd);
            }
            Err(e) => println!("rw.write1_devnull\tERR\t{e}"),
        }
    }
}
