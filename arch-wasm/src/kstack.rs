//! Kernel stacks: one per lwp, with a canary at its end, as linear memory has no guard pages.

use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::sync::atomic::Ordering::Relaxed;

use kernel::kern::proc::Lwp;

/// The deepest path measured (exec of a script from tmpfs, unoptimised) takes about a quarter.
const SIZE: usize = 64 << 10;
const CANARY: u32 = 0x6b73_7463;

fn layout() -> Layout {
    // Constant and valid: a power of two that is no larger than an isize.
    match Layout::from_size_align(SIZE, 16) {
        Ok(l) => l,
        Err(_) => unreachable!(),
    }
}

/// The initial stack pointer of an lwp; allocates its stack the first time. 0 when there is no memory.
pub fn top(lp: &Lwp) -> u32 {
    let mut base = lp.md.kstack.load(Relaxed);
    if base == 0 {
        base = make();
        if base == 0 {
            return 0;
        }
        lp.md.kstack.store(base, Relaxed);
    }
    base + SIZE as u32
}

/// The initial stack pointer of a CPU's interrupt instance, for as long as the kernel lives. 0 when
/// there is no memory.
pub fn of_cpu() -> u32 {
    match make() {
        0 => 0,
        base => base + SIZE as u32,
    }
}

/// A stack's lowest address, with the canary there; 0 when there is no memory.
fn make() -> u32 {
    // SAFETY: the layout's size isn't zero.
    let p = unsafe { alloc(layout()) };
    if !p.is_null() {
        // SAFETY: freshly allocated, aligned to 16, at least 4 bytes.
        unsafe { p.cast::<u32>().write(CANARY) };
    }
    p as u32
}

/// On the way out of the kernel: panics when the stack ran over.
#[inline(always)]
pub fn check(lp: &Lwp) {
    let base = lp.md.kstack.load(Relaxed) as *const u32;
    // SAFETY: an lwp that is in the kernel runs on the stack that `top` made for it.
    if unsafe { base.read_volatile() } != CANARY {
        panic!("kernel stack overflow");
    }
}

/// After `lwp_gone`: nothing runs on it any more.
pub fn free(lp: &Lwp) {
    let base = lp.md.kstack.swap(0, Relaxed);
    if base != 0 {
        // SAFETY: allocated in `top` with this layout, and the host has dropped the lwp's instance.
        unsafe { dealloc(base as *mut u8, layout()) };
    }
}
