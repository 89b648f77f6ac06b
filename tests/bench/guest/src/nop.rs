//! The smallest program: what the measure of spawning spawns. No runtime, no arguments.
#![cfg_attr(target_family = "wasm", no_std)]
#![no_main]

#[cfg(target_family = "wasm")]
mod wasm {
    // Without the standard library nobody else asks for what `_start` calls.
    #[link(name = "c")]
    unsafe extern "C" {}

    /// What the C library's `_start` calls if `main` asks for no arguments.
    #[unsafe(no_mangle)]
    extern "C" fn __main_void() -> i32 {
        0
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }
}

#[cfg(not(target_family = "wasm"))]
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    0
}
