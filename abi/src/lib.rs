//! What the kernel, its hosts and its user programs agree on.
//!
//! Two tables stand here: [`syscalls`], what a program may ask of the kernel, and [`hypercall`],
//! what the kernel may ask of its host. Everything that can be derived from them (dispatch,
//! names, stubs, type lists) is. The crate has no dependencies and no unsafe code.
#![no_std]
#![forbid(unsafe_code)]

pub mod errno;
pub mod hostfs;
pub mod hypercall;
pub mod image;
pub mod syscalls;
pub mod trapframe;
pub mod types;
pub mod wire;

pub use errno::{Errno, SysResult};
