//! Disks: files of the host that a vkernel keeps its own file systems on.
//!
//! A file begins empty and grows as the kernel writes; what it never wrote is a hole, and zeros. Reads
//! and writes are done inline, as the host's caches answer them; a flush waits for the device and is done
//! on a thread for blocking work. Whoever opens a file for a disk locks it: two kernels would
//! destroy each other's work.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use abi::Errno;
use abi::types::diskctl;
use rustix::fs::{FlockOperation, flock};

/// One disk. Cheap to clone.
#[derive(Clone)]
pub struct Disk {
    file: Arc<File>,
    read_only: bool,
    /// How large it may become.
    size: u64,
}

impl Disk {
    /// Opens a file and locks it; makes it if it isn't there, unless it is for reading only.
    ///
    /// # Errors
    /// `WouldBlock` when somebody else uses it; what open(2) says.
    pub fn open(path: &Path, read_only: bool, size: u64) -> io::Result<Disk> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK);
        if !read_only {
            options.write(true).create(true).truncate(false).mode(0o600);
        }
        let file = options.open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let lock =
            if read_only { FlockOperation::NonBlockingLockShared } else { FlockOperation::NonBlockingLockExclusive };
        flock(&file, lock)?;
        Ok(Disk { file: Arc::new(file), read_only, size })
    }

    pub(crate) fn read(&self, mut offset: u64, buf: &mut [u8]) -> Result<(), Errno> {
        let mut done = 0;
        while done < buf.len() {
            match self.file.read_at(&mut buf[done..], offset) {
                Ok(0) => {
                    buf[done..].fill(0);
                    break;
                }
                Ok(n) => (done, offset) = (done + n, offset + n as u64),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(errno(&e)),
            }
        }
        Ok(())
    }

    pub(crate) fn write(&self, offset: u64, buf: &[u8]) -> Result<(), Errno> {
        if self.read_only {
            return Err(Errno::EROFS);
        }
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.size) {
            return Err(Errno::ENOSPC);
        }
        self.file.write_all_at(buf, offset).map_err(|e| errno(&e))
    }

    pub(crate) fn flush(&self) -> Result<(), Errno> {
        if self.read_only { Ok(()) } else { self.file.sync_data().map_err(|e| errno(&e)) }
    }

    pub(crate) fn control(&self, cmd: u32, arg: u64) -> Result<u64, Errno> {
        match cmd {
            diskctl::SIZE => Ok(self.size.min(i64::MAX as u64)),
            diskctl::FLAGS => Ok(if self.read_only { diskctl::READ_ONLY.into() } else { 0 }),
            diskctl::TRUNCATE if self.read_only => Err(Errno::EROFS),
            diskctl::TRUNCATE => {
                let len = self.file.metadata().map_err(|e| errno(&e))?.len();
                if arg < len {
                    self.file.set_len(arg).map_err(|e| errno(&e))?;
                }
                Ok(0)
            }
            _ => Err(Errno::ENOTTY),
        }
    }
}

/// What the kernel can tell apart.
fn errno(e: &io::Error) -> Errno {
    match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Errno::ENOSPC,
        _ => Errno::EIO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("vkernel-disk-{}-{name}", std::process::id()))
    }

    #[test]
    fn what_was_never_written_is_zeros_and_the_size_is_a_limit() {
        let path = path("holes");
        let disk = Disk::open(&path, false, 10_000).unwrap();
        let mut buf = [1; 8];
        disk.read(5000, &mut buf).unwrap();
        assert_eq!(buf, [0; 8]);
        disk.write(4998, b"abcd").unwrap();
        disk.read(4996, &mut buf).unwrap();
        assert_eq!(&buf, b"\0\0abcd\0\0");
        assert_eq!(disk.write(9999, b"ab"), Err(Errno::ENOSPC));
        assert_eq!(disk.write(u64::MAX, b"ab"), Err(Errno::ENOSPC));
        assert_eq!((disk.control(diskctl::SIZE, 0), disk.flush()), (Ok(10_000), Ok(())));
        disk.control(diskctl::TRUNCATE, 5000).unwrap();
        disk.read(4998, &mut buf).unwrap();
        assert_eq!(&buf, b"ab\0\0\0\0\0\0");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_disk_has_one_user_or_many_readers() {
        let path = path("locks");
        assert_eq!(Disk::open(&path, true, 1).err().map(|e| e.kind()), Some(io::ErrorKind::NotFound));
        let writer = Disk::open(&path, false, 1 << 20).unwrap();
        for read_only in [false, true] {
            let other = Disk::open(&path, read_only, 1);
            assert_eq!(other.err().map(|e| e.kind()), Some(io::ErrorKind::WouldBlock));
        }
        drop(writer);
        let readers = [Disk::open(&path, true, 1).unwrap(), Disk::open(&path, true, 1).unwrap()];
        assert_eq!(readers[0].write(0, b"x"), Err(Errno::EROFS));
        assert_eq!(readers[1].control(diskctl::FLAGS, 0), Ok(1));
        std::fs::remove_file(path).unwrap();
        assert!(Disk::open(Path::new("/dev/null"), false, 1).is_err());
    }
}
