//! The uaccess module, which stands in the kernel's function table from a slot on that is the same
//! in every instance (the functions behind it are each lwp's own). The kernel calls it directly.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use kernel::machdep::Direct;

use crate::host;

static SLOTS: AtomicUsize = AtomicUsize::new(0);

/// The slot of the first. The host tells before anything else.
pub fn set_slots(first: u32) {
    SLOTS.store(first as usize, Relaxed);
}

/// The functions, in the order of `abi::trapframe::UACCESS`.
pub fn direct() -> Direct {
    let slot = SLOTS.load(Relaxed);
    // SAFETY: a function pointer is a table slot on wasm, and none is 0: the host gives room behind
    // the linker's own, which begin at 1. It has put functions of these types there, which touch of
    // the kernel's memory only what they are told to, and check where they touch user memory. A
    // call of a slot with a function of another type traps.
    unsafe {
        use core::mem::transmute;
        Direct {
            copyin: transmute::<usize, extern "C" fn(*mut u8, u32, usize) -> u32>(slot),
            copyout: transmute::<usize, extern "C" fn(u32, *const u8, usize) -> u32>(slot + 1),
            put32: transmute::<usize, extern "C" fn(u32, u32) -> u32>(slot + 2),
            put64: transmute::<usize, extern "C" fn(u32, u64) -> u32>(slot + 3),
            give: transmute::<usize, extern "C" fn(u32, *const u8, usize, u32) -> u32>(slot + 5),
            take: transmute::<usize, extern "C" fn(*mut u8, u32, usize, u32) -> u32>(slot + 6),
            clock: host::clock,
        }
    }
}
