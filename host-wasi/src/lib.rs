//! The wasmtime backend of the vkernel: a machine for `kernel.wasm`, and what an embedder needs to
//! build and run vkernels on it.
//!
//! ```no_run
//! # use host_wasi::{Host, HostConfig, KernelImage, bootimage::BootImage, config::Program};
//! # async fn example(kernel: &[u8]) -> anyhow::Result<()> {
//! let host = Host::new(HostConfig::new(KernelImage::Wasm(kernel)))?;
//! let vkernel = host.vkernel(Program::Path(b"sh".to_vec())).image(BootImage::open("base.tar".as_ref())?).boot().await?;
//! println!("{:?}", vkernel.wait().await.status);
//! # Ok(())
//! # }
//! ```
//!
//! Layers, from the bottom: `mapping`, `memory` (address spaces), `clock`, `ticker`, `sched`; then
//! `machine` (all state of a vkernel) with `images`, `devices`, `disk`, `hostfs` behind the `hypercalls`; then
//! `lwp` (the loop around user code), `vkernel` (the task that runs the lwps), `builder` (the API).

pub mod bootimage;
mod builder;
mod cache;
mod clock;
pub mod config;
mod devices;
pub mod disk;
mod engine;
mod external;
pub mod hostfs;
mod hypercalls;
mod images;
mod kernelmod;
mod lwp;
mod machine;
mod mapping;
mod memory;
mod pagemap;
mod program;
mod random;

mod snapshot;
mod stubmod;
mod taskcell;
pub mod terminal;
mod ticker;
mod vkernel;

pub use builder::{Builder, Handle, Host, HostConfig, Outcome, Stats, Status, Vkernel, precompile_program};
pub use cache::{Precompiled, default_dir as cache_dir};
pub use devices::Stdio;
pub use engine::{KernelImage, precompile_kernel};
