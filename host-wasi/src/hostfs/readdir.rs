//! Reading directories, from any entry on.
//!
//! A cookie is the host's own position after an entry (`d_off`, see `getdents64(2)`): it stays
//! valid while other entries come and go, and for another handle of the same directory too. It is
//! opaque: any number above 0, in no order.

use super::error::from_rustix;
use abi::types::dt;
use abi::wire::Writer;
use abi::{Errno, SysResult};
use cap_std::fs::Dir;
use rustix::fs::{AtFlags, FileType, RawDir, SeekFrom};
use std::mem::MaybeUninit;

/// What is read from the host at a time.
const CHUNK: usize = 32 << 10;

/// The buffer for it, made at the first use.
pub struct Scratch(Vec<MaybeUninit<u8>>);

impl Scratch {
    pub fn new() -> Self {
        Scratch(Vec::new())
    }

    /// Fills the buffer with an answer: as many entries after `cookie` as fit.
    pub fn readdir(&mut self, dir: &Dir, cookie: u64, buf: &mut [u8]) -> SysResult<usize> {
        if cookie > i64::MAX as u64 {
            return Err(Errno::EINVAL);
        }
        if self.0.is_empty() {
            self.0.resize(CHUNK, MaybeUninit::uninit());
        }
        rustix::fs::seek(dir, SeekFrom::Start(cookie)).map_err(from_rustix)?;
        let mut entries = RawDir::new(dir, &mut self.0);
        let (mut n, mut len) = (0u32, 8);
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(from_rustix)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => kind_of(dir, entry.file_name()),
                kind => number(kind),
            };
            let (cookie, ino) = (entry.next_entry_cookie(), entry.ino());
            let size = 24 + name.len();
            let Some(room) = buf.get_mut(len..len + size) else {
                // This one comes again, after its predecessor's cookie; without one it never could.
                if n == 0 {
                    return Err(Errno::EINVAL);
                }
                break;
            };
            Writer::new(room).u64(cookie).u64(ino).u32(kind as u32).string(name);
            len += size;
            n += 1;
        }
        Writer::new(buf).i32(0).u32(n);
        Ok(len)
    }
}

/// Some file systems don't keep the type in the directory.
fn kind_of(dir: &Dir, name: &std::ffi::CStr) -> u8 {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => number(FileType::from_raw_mode(stat.st_mode)),
        Err(_) => dt::UNKNOWN,
    }
}

fn number(kind: FileType) -> u8 {
    match kind {
        FileType::RegularFile => dt::REG,
        FileType::Directory => dt::DIR,
        FileType::Symlink => dt::LNK,
        FileType::Fifo => dt::FIFO,
        FileType::Socket => dt::SOCK,
        FileType::CharacterDevice => dt::CHR,
        FileType::BlockDevice => dt::BLK,
        FileType::Unknown => dt::UNKNOWN,
    }
}
