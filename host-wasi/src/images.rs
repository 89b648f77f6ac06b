//! The programs that one kernel has handed over: being written, and compiled.

use std::collections::HashMap;
use std::sync::Arc;

use abi::Errno;

use crate::program::ProgramImage;

/// The largest program. CPython is 25 MB, clang 60.
pub(crate) const MAX_BYTES: u64 = 512 << 20;
/// Programs being handed over at a time, and all their bytes.
const MAX_UPLOADS: usize = 64;

#[derive(Default)]
pub(crate) struct Images {
    uploads: HashMap<u32, Upload>,
    images: HashMap<u32, Arc<ProgramImage>>,
    last_id: u32,
    /// Why the last commit failed.
    pub error: String,
}

struct Upload {
    bytes: Vec<u8>,
    size: usize,
}

impl Images {
    fn next_id(&mut self) -> u32 {
        // Positive as an i32, and never 0.
        self.last_id = self.last_id % (i32::MAX as u32) + 1;
        self.last_id
    }

    pub fn begin(&mut self, size: u64) -> Result<u32, Errno> {
        if size > MAX_BYTES {
            return Err(Errno::EFBIG);
        }
        let size = size as usize;
        let waiting: usize = self.uploads.values().map(|u| u.size).sum();
        if self.uploads.len() >= MAX_UPLOADS || (waiting + size) as u64 > 2 * MAX_BYTES {
            return Err(Errno::ENOMEM);
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
        let id = self.next_id();
        self.uploads.insert(id, Upload { bytes, size });
        Ok(id)
    }

    pub fn write(&mut self, handle: u32, bytes: &[u8]) -> Result<(), Errno> {
        let upload = self.uploads.get_mut(&handle).ok_or(Errno::EBADF)?;
        if bytes.len() > upload.size - upload.bytes.len() {
            return Err(Errno::EINVAL);
        }
        upload.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The bytes handed over; the handle is gone.
    pub fn take(&mut self, handle: u32) -> Result<Vec<u8>, Errno> {
        self.uploads.remove(&handle).map(|u| u.bytes).ok_or(Errno::EBADF)
    }

    /// Gives a program a number, or keeps the reason why it isn't one.
    pub fn add(&mut self, image: Result<Arc<ProgramImage>, String>) -> Result<u32, Errno> {
        match image {
            Ok(image) => {
                let id = self.next_id();
                self.images.insert(id, image);
                Ok(id)
            }
            Err(why) => {
                self.error = why;
                Err(Errno::ENOEXEC)
            }
        }
    }

    pub fn get(&self, image: u32) -> Option<Arc<ProgramImage>> {
        self.images.get(&image).cloned()
    }

    pub fn close(&mut self, image: u32) -> Result<(), Errno> {
        self.images.remove(&image).map(drop).ok_or(Errno::ENOENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_handed_over_in_pieces_and_never_more_than_announced() {
        let mut images = Images::default();
        assert_eq!(images.begin(1 << 40), Err(Errno::EFBIG));
        let h = images.begin(5).unwrap();
        images.write(h, b"abc").unwrap();
        assert_eq!(images.write(h, b"def"), Err(Errno::EINVAL));
        images.write(h, b"de").unwrap();
        assert_eq!(images.take(h).as_deref(), Ok(&b"abcde"[..]));
        assert_eq!((images.take(h), images.write(h, b"")), (Err(Errno::EBADF), Err(Errno::EBADF)));
        assert_eq!(images.close(h), Err(Errno::ENOENT));
        assert_eq!(images.add(Err("no".into())), Err(Errno::ENOEXEC));
        assert_eq!(images.error, "no");
    }
}
