//! Which pages of this process have ever been written or read: a page that the system never made is zero, and
//! need not be looked at. Asked of `/proc/self/pagemap` (proc_pid_pagemap(5)), where there is one.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

/// In memory, or in swap.
const MADE: u64 = 3 << 62;
const ENTRY: usize = 8;
/// So many pages are asked for at once.
const BATCH: usize = 256;

/// Calls `made` with the number of each page from `base` on, of `count`, that the system has made, or may have: all, if
/// no page begins at `base`.
pub(crate) fn each_made(base: *const u8, count: usize, page: usize, mut made: impl FnMut(usize)) {
    static FILE: OnceLock<Option<File>> = OnceLock::new();
    let file = FILE.get_or_init(|| File::open("/proc/self/pagemap").ok());
    let mut entries = [0; BATCH * ENTRY];
    for first in (0..count).step_by(BATCH) {
        let entries = &mut entries[..BATCH.min(count - first) * ENTRY];
        let at = ((base as usize / page + first) * ENTRY) as u64;
        let aligned = (base as usize).is_multiple_of(page);
        let known = aligned && file.as_ref().is_some_and(|file| file.read_exact_at(entries, at).is_ok());
        for (i, entry) in entries.as_chunks().0.iter().enumerate() {
            if !known || u64::from_ne_bytes(*entry) & MADE != 0 {
                made(first + i);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Mapping;

    #[test]
    fn pages_are_made_when_they_are_written() {
        let page = rustix::param::page_size();
        let mut mapping = Mapping::reserve(600 * page).unwrap();
        mapping.set_accessible(600 * page).unwrap();
        let touched = [0, 3, 255, 256, 599];
        for at in touched {
            // SAFETY: of this test, accessible for so long.
            unsafe { mapping.base().add(at * page).write_volatile(1) };
        }
        let mut seen = Vec::new();
        each_made(mapping.base(), 600, page, |at| seen.push(at));
        // One that can't know says all.
        assert!(touched.iter().all(|at| seen.contains(at)), "{seen:?}");
        if File::open("/proc/self/pagemap").is_ok() {
            assert_eq!(seen, touched);
        }
    }
}
