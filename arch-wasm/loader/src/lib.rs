//! What has to happen to WebAssembly before the machine can run it, the same for both hosts.
//!
//! Everything here is a function from bytes to bytes or to a description: no engine, no files, no
//! threads, so that it runs natively beside wasmtime and as wasm in a browser's worker.
//!
//! | to | call | life |
//! | --- | --- | --- |
//! | accept a user program or say why not | [`check`] | once an image |
//! | make it able to fork, if it does | [`fork`] | before that |
//! | know its functions again in a backtrace | [`Origins`] | when it has crashed |
//! | accept it for a machine that cannot interrupt it | [`prepare`], [`described`] | once an image |
//! | answer a program's imports | [`stub_module`], [`web_stub_module`] | one module for all programs, one instance an lwp |
//! | let the kernel reach user memory | [`uaccess_module`] | one module, one instance an lwp and exec |
//! | the same without multi-memory | [`user_hand_module`], [`kernel_hand_module`] | the same |
//! | tell the time in a browser | [`clock_module`] | one module, one instance a CPU |
//! | fit `kernel.wasm` to a host with one CPU | [`uniprocessor`] | once a build of the host |
//! | make sure that it is a kernel | [`check_kernel`] | once a build of the host |
//!
//! A program is hostile until [`check`] has passed it: bytes that are not wasm, names of a
//! megabyte and modules with a million imports end in a [`Refusal`], never in a panic. A kernel is
//! ours, and its errors are plain strings for whoever builds it.
#![forbid(unsafe_code)]

mod atomics;
mod clock;
mod copy;
#[cfg(test)]
mod eval;
mod fork;
mod handlers;
mod hands;
mod kernel;
mod moves;
mod origin;
mod prepare;
mod program;
mod refusal;
mod signature;
mod splice;
mod stub;
mod uaccess;
mod webstub;

pub use clock::clock_module;
pub use fork::fork;
pub use handlers::has_handlers;
pub use hands::{kernel_hand_module, user_hand_module};
pub use kernel::{check_kernel, uniprocessor};
pub use origin::{Origins, SECTION as ORIGINS};
pub use prepare::{SECTION, described, prepare};
pub use program::{Import, Memory, Program, check, check_declarations};
pub use refusal::Refusal;
pub use stub::{export_name, stub_module};
pub use uaccess::uaccess_module;
pub use webstub::{web_stub_module, web_stub_module_at};
