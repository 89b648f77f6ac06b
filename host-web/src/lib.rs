//! The browser machine: the host of `kernel.wasm` in a page.
//!
//! One library for three places: the page's main thread ([`page`]), the workers that are CPUs
//! ([`worker`], [`cpu`]) and the worker that has the disks. An lwp is a JSPI stack; a system call is
//! wasm from end to end and none of this code is on its way until it sleeps or asks for a device.
//!
//! | to follow | read |
//! | --- | --- |
//! | the start | `page::boot`, `ahead.rs`, `worker::cpu_main` |
//! | an lwp's life | `lwp.rs`; of a forked one's first moment `forked.rs` |
//! | a switch between lwps, preemption | `cpu.rs`; with nothing to run `idle.rs` |
//! | a hypercall | `hypercalls.rs` |
//! | what CPUs share | `control.rs`, `units.rs` |
//! | the machine of an engine without JSPI | `threads/mod.rs` |

mod ahead;
mod blobs;
mod config;
mod control;
mod cpu;
mod disk;
mod forked;
mod frames;
mod hypercalls;
mod idle;
mod images;
mod js;
mod kernel;
mod kmem;
mod lwp;
mod messages;
mod numbered;
mod page;
mod record;
mod seat;
mod storage;
mod stub;
mod threads;
mod units;
mod worker;
