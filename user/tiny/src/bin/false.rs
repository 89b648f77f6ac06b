//! `false`: ends, with failure. See `true`.
#![cfg_attr(target_family = "wasm", no_std, no_main)]

#[cfg(target_family = "wasm")]
mod bare {
    // Without the standard library nobody else asks for what `_start` calls.
    #[link(name = "c")]
    unsafe extern "C" {}

    /// What the C library's `_start` calls; the status of the process. No arguments are fetched.
    #[unsafe(no_mangle)]
    extern "C" fn __main_void() -> i32 {
        1
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }
}

#[cfg(not(target_family = "wasm"))]
fn main() {
    std::process::exit(1)
}
