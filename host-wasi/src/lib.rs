//! The wasmtime backend of the vkernel: a machine for `kernel.wasm`, and what an embedder needs to
//! build and run vkernels on it.

pub mod bootimage;
mod cache;
mod clock;
pub mod config;
mod engine;
mod external;
pub mod hostfs;
mod kernelmod;
mod mapping;
mod memory;
mod program;
mod sched;
mod taskcell;
mod ticker;

pub use cache::Precompiled;
pub use engine::{KernelImage, precompile_kernel};
