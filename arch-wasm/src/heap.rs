//! The kernel's heap: dlmalloc under a spin lock, in a memory of fixed size.
//!
//! The memory never grows: an instance would not see what another one grew. On stable Rust the
//! `atomics` feature cannot be seen by crates, so dlmalloc's own global allocator would believe
//! itself single-threaded; hence the lock here.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering};

use dlmalloc::{Allocator, Dlmalloc};
use ksync::{Class, SpinLock};

static HEAP_CLASS: Class = Class::new("heap", 1000);

unsafe extern "C" {
    /// Where the linker's data ends.
    static __heap_base: u8;
}

const PAGE: usize = 64 << 10;

/// The rest of the memory, handed out from the bottom up and never taken back: what is never asked
/// for is never touched, and costs the host nothing.
struct Rest;

/// First address not handed out; 0 before the first request.
static BREAK: AtomicUsize = AtomicUsize::new(0);

fn heap_base() -> usize {
    // Only its address means anything.
    let base = &raw const __heap_base;
    (base as usize).next_multiple_of(PAGE)
}

fn memory_size() -> usize {
    core::arch::wasm32::memory_size(0) * PAGE
}

// SAFETY: every range is handed out once, lies within the memory, above the linker's data, and is
// zero, as nothing has written there.
unsafe impl Allocator for Rest {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let start = BREAK.load(Ordering::Relaxed).max(heap_base());
        let size = size.next_multiple_of(PAGE);
        match start.checked_add(size) {
            Some(end) if end <= memory_size() => {
                BREAK.store(end, Ordering::Relaxed);
                (start as *mut u8, size, 0)
            }
            _ => (core::ptr::null_mut(), 0, 0),
        }
    }
    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        core::ptr::null_mut()
    }
    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }
    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }
    fn can_release_part(&self, _: u32) -> bool {
        false
    }
    fn allocates_zeros(&self) -> bool {
        true
    }
    fn page_size(&self) -> usize {
        PAGE
    }
}

struct Heap {
    dl: Dlmalloc<Rest>,
    used: usize,
}

struct Global(SpinLock<Heap>);

#[global_allocator]
static GLOBAL: Global =
    Global(SpinLock::new(&HEAP_CLASS, Heap { dl: Dlmalloc::new_with_allocator(Rest), used: 0 }));

/// Bytes allocated, and bytes there are.
pub fn usage() -> (u64, u64) {
    let used = GLOBAL.0.lock().used;
    (used as u64, (memory_size() - heap_base()) as u64)
}

// SAFETY: dlmalloc's contract is the same as GlobalAlloc's, and the lock makes it one call at a time.
unsafe impl GlobalAlloc for Global {
    unsafe fn alloc(&self, l: Layout) -> *mut u8 {
        let mut h = self.0.lock();
        // SAFETY: the caller's layout has a size that isn't zero.
        let p = unsafe { h.dl.malloc(l.size(), l.align()) };
        if !p.is_null() {
            h.used += l.size();
        }
        p
    }
    unsafe fn alloc_zeroed(&self, l: Layout) -> *mut u8 {
        let mut h = self.0.lock();
        // SAFETY: as in alloc.
        let p = unsafe { h.dl.calloc(l.size(), l.align()) };
        if !p.is_null() {
            h.used += l.size();
        }
        p
    }
    unsafe fn dealloc(&self, p: *mut u8, l: Layout) {
        let mut h = self.0.lock();
        h.used -= l.size();
        // SAFETY: the caller got `p` from here with this layout.
        unsafe { h.dl.free(p, l.size(), l.align()) }
    }
    unsafe fn realloc(&self, p: *mut u8, l: Layout, new: usize) -> *mut u8 {
        let mut h = self.0.lock();
        // SAFETY: the caller got `p` from here with this layout, and `new` isn't zero.
        let q = unsafe { h.dl.realloc(p, l.size(), l.align(), new) };
        if !q.is_null() {
            h.used = h.used - l.size() + new;
        }
        q
    }
}
