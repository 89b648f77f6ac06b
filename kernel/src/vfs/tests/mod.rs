//! The file calls on the fake machine.
// What `disk` has is loaded twice: in memory, and on a disk.
#![allow(clippy::duplicate_mod)]

mod content;
#[path = "on_disk.rs"]
mod disk;
mod hostfs;
mod names;
mod permissions;
mod procfs;
mod special;

use crate::machdep::fake::{Fake, Sys};

/// Runs a closure as a process of root's.
fn with<T: Send + 'static>(fake: Fake, f: impl FnOnce(&Sys) -> T + Send + 'static) -> T {
    let vk = fake.boot();
    let h = vk.lwp(f);
    vk.join(h)
}

fn run<T: Send + 'static>(f: impl FnOnce(&Sys) -> T + Send + 'static) -> T {
    with(Fake::seeded(1), f)
}
