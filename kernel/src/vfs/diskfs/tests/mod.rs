//! diskfs on the fake machine's disks.

mod basic;

use alloc::sync::Arc;

use crate::machdep::fake::disk::{Bytes, Disk};
use crate::machdep::fake::{Fake, Sys, Vk};

/// Where the disks of these tests are mounted.
const HOME: &str = "/home";

fn disk() -> Arc<Disk> {
    Disk::new(Bytes::default(), 64 << 20)
}

fn boot(disk: &Arc<Disk>) -> Vk {
    Fake::seeded(1).disk(disk, 0, HOME).boot()
}

/// Boots with the disk, runs a closure as a process of root's, and shuts down.
fn with<T: Send + 'static>(disk: &Arc<Disk>, f: impl FnOnce(&Sys) -> T + Send + 'static) -> T {
    let vk = boot(disk);
    let h = vk.lwp(f);
    let answer = vk.join(h);
    assert_eq!(vk.shutdown(0), 0, "{}", vk.console());
    answer
}
