//! The machine of an engine without JSPI or without multi-memory: an lwp has a worker of its own.
//!
//! The same kernel, images and devices; what differs is how an lwp sleeps. Its worker, a *thread*, runs the kernel and
//! the program on its own stack, and blocks in `Atomics.wait` on the kernel's word. For that the kernel's memory is shared
//! between workers, which only an isolated page may do.
//!
//! | | as stacks | as threads |
//! | --- | --- | --- |
//! | park, unpark | a JSPI stack and our scheduler | `Atomics.wait` and `notify` on the word itself |
//! | CPUs | up to 4 workers, one lwp each at a time | what the system gives to workers |
//! | work of the engine's (fetch, compile, disks) | a promise that the stack waits for | asked of the *service*; the thread waits for its word |
//! | a kernel instance | for an lwp | for a thread, used for one lwp after the other |
//! | uaccess | one module with two memories | two modules, see `loader::hands` |
//! | preemption | `preempt` may suspend | `preempt` may block |
//!
//! The service is one worker that never blocks. It has the image's store, the disks, the page's messages and an interrupt
//! instance of the kernel, in a [`Cpu`](crate::cpu::Cpu) that never runs an lwp; and it makes the threads, some ahead, which then
//! wait for an lwp. A thread is never terminated but with the vkernel; then it is woken first (WebKit loses one that sleeps).
//!
//! Compiled programs reach a thread by `postMessage`, for which it returns to its event loop between `lwp_next` and the
//! program's instantiation.

mod board;
mod calls;
mod choice;
mod link;
mod memory;
mod service;
mod thread;
mod vmspaces;

pub use choice::{Kind, choose};
pub use service::serve;
pub use thread::thread;
