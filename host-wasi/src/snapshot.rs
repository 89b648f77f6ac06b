//! A booted kernel, kept as the image of its memory, from which others begin.
//!
//! What `boot` leaves behind is in the kernel's memory alone: an instance's globals are back at their
//! beginning between two calls, and a kernel doesn't look at its configuration before `start`. So a
//! file with the pages that `boot` has touched is a booted kernel; mapped privately it costs a new
//! vkernel the pages that it changes. One for each host and boot image.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::bootimage::BootImage;
use crate::memory::KernelMemory;

const PAGE: usize = 4096;

pub(crate) struct Template {
    file: OwnedFd,
    /// How much of it there is; the rest of the memory is zeros.
    len: usize,
    size: usize,
    /// Kept so that `is_of` can go by the address of its index.
    boot_image: BootImage,
}

impl Template {
    /// Of a kernel between `boot` and `start`.
    pub fn take(memory: &KernelMemory, boot_image: BootImage) -> io::Result<Template> {
        let file = File::from(memfd_create("vkernel", MemfdFlags::CLOEXEC)?);
        let pages = touched(memory)?;
        let len = pages.last().map_or(0, |last| (last + 1) * PAGE);
        file.set_len(len as u64)?;
        for page in pages {
            let write = |bytes: &mut [u8]| file.write_all_at(bytes, (page * PAGE) as u64);
            memory.lend((page * PAGE) as u32, PAGE as u32, write).map_err(|_| io::ErrorKind::InvalidInput)??;
        }
        Ok(Template { file: file.into(), len, size: memory.size(), boot_image })
    }

    pub fn is_of(&self, boot_image: &BootImage) -> bool {
        std::ptr::eq(self.boot_image.index(), boot_image.index())
    }

    pub fn memory(&self) -> io::Result<Arc<KernelMemory>> {
        KernelMemory::from_image(self.size, &self.file, self.len)
    }
}

/// How much of a memory is there, in bytes.
pub(crate) fn resident(memory: &KernelMemory) -> u64 {
    touched(memory).map_or(0, |pages| (pages.len() * PAGE) as u64)
}

/// The pages of a memory that are there: bit 63 (present) and 62 (swapped) of
/// `/proc/self/pagemap`, see proc_pid_pagemap(5).
fn touched(memory: &KernelMemory) -> io::Result<Vec<usize>> {
    let pagemap = File::open("/proc/self/pagemap")?;
    let mut entries = vec![0; memory.size() / PAGE * 8];
    pagemap.read_exact_at(&mut entries, (memory.base() as usize / PAGE * 8) as u64)?;
    let there = |entry: &[u8]| entry[7] & 0xc0 != 0;
    Ok(entries.chunks_exact(8).enumerate().filter(|(_, e)| there(e)).map(|(page, _)| page).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_bytes_and_changes_of_its_own() {
        let memory = KernelMemory::new(64 << 16).unwrap();
        memory.lend(70_000, 3, |b| b.copy_from_slice(b"abc")).unwrap();
        memory.lend(3_000_000, 1, |b| b[0] = 9).unwrap();
        let template = Template::take(&memory, BootImage::empty()).unwrap();
        assert!(template.len < 3_100_000);
        for _ in 0..2 {
            let copy = template.memory().unwrap();
            assert_eq!(copy.read_vec(70_000, 3).as_deref(), Ok(&b"abc"[..]));
            assert_eq!(copy.read_vec(3_000_000, 2).as_deref(), Ok(&[9, 0][..]));
            assert_eq!(copy.read_vec((64 << 16) - 1, 1).as_deref(), Ok(&[0][..]));
            copy.lend(70_000, 1, |b| b[0] = b'X').unwrap();
        }
    }
}
