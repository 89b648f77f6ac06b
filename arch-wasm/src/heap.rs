//! The kernel's heap: dlmalloc under a spin lock, in a memory of fixed size.
//!
//! The memory never grows: an instance would not see what another one grew. On stable Rust the
//! `atomics` feature cannot be seen by crates, so dlmalloc's own global allocator would believe
//! itself single-threaded; hence the lock here.
//!
//! When memory runs out, large requests fail; their askers expect it (`try_reserve`). Small ones,
//! which the kernel cannot do without halfway through a system call, are met from a *reserve* that
//! was laid by at the start. While the reserve is broken into, [`admit`] refuses calls that
//! would make new objects, until enough was freed to lay it by again.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use abi::{Errno, SysResult};

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
/// Bytes of memory that may be used; all of it to begin with.
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// More than the small allocations of any one system call, and a table or two.
const RESERVE: usize = 1 << 20;
/// Requests from this size on may fail. Paths on their way are smaller, and lists of all processes.
const LARGE: usize = 64 << 10;

fn heap_base() -> usize {
    // Only its address means anything.
    let base = &raw const __heap_base;
    (base as usize).next_multiple_of(PAGE)
}

fn memory_size() -> usize {
    let pages = core::arch::wasm32::memory_size(0).min(usize::MAX / PAGE);
    (pages * PAGE).min(LIMIT.load(Ordering::Relaxed))
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
    reserve: Reserve,
}

enum Reserve {
    /// Nobody has asked for anything yet.
    Unmade,
    Kept(usize),
    /// Broken into.
    Spent,
}

impl Heap {
    fn alloc(&mut self, l: Layout, zeroed: bool) -> *mut u8 {
        if let Reserve::Unmade = self.reserve {
            self.lay_by();
        }
        let mut p = self.request(l, zeroed);
        if p.is_null() && l.size() < LARGE && self.spend() {
            p = self.request(l, zeroed);
        }
        if !p.is_null() {
            self.used += l.size();
        }
        p
    }

    fn request(&mut self, l: Layout, zeroed: bool) -> *mut u8 {
        // SAFETY: GlobalAlloc's callers pass layouts whose size isn't zero.
        unsafe { if zeroed { self.dl.calloc(l.size(), l.align()) } else { self.dl.malloc(l.size(), l.align()) } }
    }

    /// Puts the reserve aside, if there is room for it.
    fn lay_by(&mut self) {
        // SAFETY: the size isn't zero.
        let p = unsafe { self.dl.malloc(RESERVE, 16) };
        self.reserve = if p.is_null() { Reserve::Spent } else { Reserve::Kept(p as usize) };
        SHORT.store(p.is_null(), Ordering::Relaxed);
    }

    /// Breaks into the reserve. False when there is none left.
    fn spend(&mut self) -> bool {
        let Reserve::Kept(p) = self.reserve else { return false };
        // SAFETY: laid by in `lay_by` with this size and alignment.
        unsafe { self.dl.free(p as *mut u8, RESERVE, 16) };
        self.reserve = Reserve::Spent;
        SHORT.store(true, Ordering::Relaxed);
        true
    }
}

/// The reserve is broken into.
static SHORT: AtomicBool = AtomicBool::new(false);

struct Global(SpinLock<Heap>);

#[global_allocator]
static GLOBAL: Global = Global(SpinLock::new(
    &HEAP_CLASS,
    Heap { dl: Dlmalloc::new_with_allocator(Rest), used: 0, reserve: Reserve::Unmade },
));

/// Bytes allocated, and bytes there are.
pub fn usage() -> (u64, u64) {
    let used = GLOBAL.0.lock().used;
    (used as u64, memory_size().saturating_sub(heap_base()) as u64)
}

/// May a new object be made? ENOMEM while the reserve is broken into.
pub fn admit() -> SysResult<()> {
    if !SHORT.load(Ordering::Relaxed) {
        return Ok(());
    }
    GLOBAL.0.lock().lay_by();
    if SHORT.load(Ordering::Relaxed) { Err(Errno::ENOMEM) } else { Ok(()) }
}

/// From now on the kernel's memory ends here. What is in use above stays in use.
pub fn set_limit(bytes: u64) {
    LIMIT.store(usize::try_from(bytes).unwrap_or(usize::MAX), Ordering::Relaxed);
}

// SAFETY: dlmalloc's contract is the same as GlobalAlloc's, and the lock makes it one call at a time.
unsafe impl GlobalAlloc for Global {
    unsafe fn alloc(&self, l: Layout) -> *mut u8 {
        self.0.lock().alloc(l, false)
    }
    unsafe fn alloc_zeroed(&self, l: Layout) -> *mut u8 {
        self.0.lock().alloc(l, true)
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
        let mut q = unsafe { h.dl.realloc(p, l.size(), l.align(), new) };
        if q.is_null() && new < LARGE && h.spend() {
            // SAFETY: as above; the first try has changed nothing.
            q = unsafe { h.dl.realloc(p, l.size(), l.align(), new) };
        }
        if !q.is_null() {
            h.used = h.used - l.size() + new;
        }
        q
    }
}
