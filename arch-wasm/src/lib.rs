//! The port: what makes `kernel.wasm` of the kernel.
//!
//! One instance of the module runs per lwp, all over one kernel memory; nothing here may count on
//! being initialised per instance but `__stack_pointer`, which the host sets to the lwp's kernel
//! stack. The exports are described in `abi::trapframe`. All the unsafe code of the kernel's side
//! is in this crate and in `ksync`.
#![no_std]

extern crate alloc;

mod heap;
mod host;
mod kstack;
mod machine;
mod mem;
mod panic;
mod uaccess;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicPtr, Ordering};

use abi::errno::encode;
use abi::trapframe::Reason;
use kernel::Kernel;
use kernel::kern::proc::Lwp;

use crate::machine::Wasm;

/// The root of everything: the one kernel of this memory.
static KERNEL: AtomicPtr<Kernel> = AtomicPtr::new(core::ptr::null_mut());

/// The kernel, as a reference of the caller's own. Hosts call `boot` first; one that didn't has a
/// kernel that panics.
fn kernel() -> Arc<Kernel> {
    let ptr = KERNEL.load(Ordering::Acquire);
    assert!(!ptr.is_null(), "the host called before boot");
    // SAFETY: `boot` stored a pointer from Arc::into_raw whose count it never gives back.
    unsafe {
        Arc::increment_strong_count(ptr);
        Arc::from_raw(ptr)
    }
}

/// The lwp a host means.
///
/// # Safety
/// `lwp` came from `first_lwp` or `lwp_create`, and `lwp_gone` was not called for it.
#[inline(always)]
unsafe fn lwp_ref<'a>(lwp: u32) -> &'a Lwp {
    // SAFETY: then it is a pointer from Arc::into_raw, and the count it holds is still there.
    unsafe { &*(lwp as *const Lwp) }
}

#[unsafe(no_mangle)]
extern "C" fn hypercall_version() -> u32 {
    abi::hypercall::VERSION
}

#[unsafe(no_mangle)]
extern "C" fn boot() -> i32 {
    let kernel = Kernel::new(Arc::new(Wasm));
    KERNEL.store(Arc::into_raw(kernel.clone()).cast_mut(), Ordering::Release);
    encode(kernel.boot().map(|()| 0)) as i32
}

#[unsafe(no_mangle)]
extern "C" fn start() -> i32 {
    encode(kernel().start().map(|()| 0)) as i32
}

#[unsafe(no_mangle)]
extern "C" fn first_lwp() -> u32 {
    kernel().first_lwp().map_or(0, |lp| machine::give_to_host(&lp))
}

#[unsafe(no_mangle)]
extern "C" fn cpu_stack() -> u32 {
    kstack::of_cpu()
}

#[unsafe(no_mangle)]
extern "C" fn kstack(lwp: u32) -> u32 {
    // SAFETY: the host passes an lwp it was given.
    kstack::top(unsafe { lwp_ref(lwp) })
}

#[unsafe(no_mangle)]
extern "C" fn lwp_next(lwp: u32, reason: u32, detail: u32) -> i64 {
    let ptr = lwp as *const Lwp;
    // SAFETY: the host passes an lwp it was given, so the pointer is one from Arc::into_raw whose
    // count is held; this takes another.
    let lp = unsafe {
        Arc::increment_strong_count(ptr);
        Arc::from_raw(ptr)
    };
    let next = lp.kernel.lwp_next(&lp, Reason::from_raw(reason), detail);
    kstack::check(&lp);
    next.encode()
}

#[unsafe(no_mangle)]
extern "C" fn lwp_gone(lwp: u32) {
    // SAFETY: the host passes an lwp it was given, for the last time: the count comes back to us.
    let lp = unsafe { Arc::from_raw(lwp as *const Lwp) };
    lp.kernel.lwp_gone(&lp);
    kstack::free(&lp);
}

#[unsafe(no_mangle)]
extern "C" fn trap(lwp: u32, nr: u32, a0: u64, a1: u64, a2: u64, a3: u64, a4: u64, a5: u64) -> i64 {
    // SAFETY: the stub passes the lwp of its instance, which runs this very call.
    let lp = unsafe { lwp_ref(lwp) };
    let answer = kernel::trap(lp, nr, a0, a1, a2, a3, a4, a5);
    kstack::check(lp);
    answer
}

#[unsafe(no_mangle)]
extern "C" fn signal(lwp: u32, step: u32, a: i64, b: i64) -> i64 {
    // SAFETY: the stub passes the lwp of its instance, which runs this very call.
    let lp = unsafe { lwp_ref(lwp) };
    let answer = kernel::kern::sigframe::signal(lp, step, a, b);
    kstack::check(lp);
    answer
}

#[unsafe(no_mangle)]
extern "C" fn intr(irq: u32, arg: u32) {
    kernel().intr(irq, arg);
}

#[unsafe(no_mangle)]
extern "C" fn uaccess(slot: u32) {
    uaccess::set_slots(slot);
}

#[unsafe(no_mangle)]
extern "C" fn report() -> i64 {
    let text = kernel().report().into_bytes().leak();
    text.as_ptr() as i64 | (text.len() as i64) << 32
}
