//! The working directory as the C library of WASI understands it.
//!
//! That library keeps a working directory of its own, which begins at `/` whatever the kernel's is, and
//! takes the leading slash off all paths, so that the kernel has to guess which of the two directories
//! a path is meant from. [`adopt_cwd`] ends both: see `doc/decisions/0003-wasi-paths.md`.

use crate::fs;

/// Tells the C library of WASI where the process is.
///
/// A program that asks `std::env::current_dir` or hands relative paths to `std::fs` calls this
/// first thing. Where the directory has no path any more, nothing is changed.
pub fn adopt_cwd() {
    if let Ok(cwd) = fs::getcwd()
        && let Ok(text) = String::from_utf8(cwd)
        && text != "/"
    {
        pin_root();
        // Failing means the directory cannot be entered by name; relative paths then fail by name too.
        let _ = std::env::set_current_dir(text);
    }
}

/// Makes an ordinary descriptor of the preopened root, under the same number: from now on paths on it
/// are from the root and nothing else.
#[cfg(target_family = "wasm")]
fn pin_root() {
    use crate::io;
    use abi::types::o;

    // The library looks for preopened directories once, at its first path; let it find this one.
    let _ = std::fs::metadata("/");
    let Some(root) = preopened_root() else { return };
    // Without a free descriptor the kernel goes on guessing, which is as good as it was.
    if let Ok(copy) = io::dup_cloexec(root, root) {
        let _ = io::dup3(copy, root, o::CLOEXEC);
        let _ = io::close(copy);
    }
}

#[cfg(not(target_family = "wasm"))]
fn pin_root() {}

/// The descriptor of the preopened root, as the library finds it: the kernel marks those below it with a tag of its own.
#[cfg(target_family = "wasm")]
fn preopened_root() -> Option<i32> {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        fn fd_prestat_get(fd: i32, prestat: *mut u8) -> i32;
    }
    const DIRECTORY: u8 = 0;
    let mut prestat = [0u8; 8];
    for fd in 3.. {
        // SAFETY: the kernel writes a `prestat`, 8 bytes.
        if unsafe { fd_prestat_get(fd, prestat.as_mut_ptr()) } != 0 {
            return None;
        }
        if prestat[0] == DIRECTORY {
            return Some(fd);
        }
    }
    None
}
