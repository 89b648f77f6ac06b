//! Any system call by its number, with any arguments: an import for each, made from the table.

use abi::syscalls::Syscall;
use abi::types::at;

/// How an argument is passed. Pointers are numbers here, as most of ours point to nothing.
mod passed {
    pub use abi::syscalls::arg_types::{Clock, Fd, Flags, Int, Len, Mode, Off, Pid, Sig, U64, Uint};
    pub type In = u32;
    pub type Out = u32;
    pub type Str = u32;
}

/// Declares one import and calls it.
macro_rules! import {
    (vkernel lseek($($args:tt)*)) => { import!("vkernel", lseek($($args)*) -> i64) };
    (wasi proc_exit($($args:tt)*)) => {{
        import!("wasi_snapshot_preview1", proc_exit($($args)*) -> ());
        0
    }};
    (vkernel $name:ident($($args:tt)*)) => { import!("vkernel", $name($($args)*) -> i32) as i64 };
    (wasi $name:ident($($args:tt)*)) => { import!("wasi_snapshot_preview1", $name($($args)*) -> i32) as i64 };
    (wasi_unstable $name:ident($($args:tt)*)) => { import!("wasi_unstable", $name($($args)*) -> i32) as i64 };
    ($module:literal, $name:ident($($arg:ident: $ty:ident),*) -> $ret:ty) => {{
        #[link(wasm_import_module = $module)]
        unsafe extern "C" {
            fn $name($($arg: passed::$ty),*) -> $ret;
        }
        // SAFETY: whoever calls `call` answers for what its pointers point to.
        unsafe { $name($($arg as passed::$ty),*) }
    }};
}

macro_rules! calls {
    ($($nr:literal $module:ident $name:ident($($arg:ident: $ty:ident),*) = $($body:ident)::+;)*) => {
        /// Makes a call; answers what a program sees of it.
        ///
        /// # Safety
        /// The kernel writes wherever `Out` arguments point in this program's memory.
        pub unsafe fn call(s: &Syscall, args: &[u64]) -> i64 {
            match s.nr {
                $($nr => {
                    #[allow(unused)]
                    let mut args = args.iter().copied();
                    $(let $arg = args.next().unwrap_or(0);)*
                    import!($module $name($($arg: $ty),*))
                })*
                nr => panic!("no system call {nr}"),
            }
        }
    };
}
abi::syscalls!(calls);

/// `AT_FDCWD` as an argument.
pub const CWD: u64 = at::FDCWD as u32 as u64;
