//! diskfs on the fake machine's disks.

mod basic;
mod crash;
mod damage;
mod differential;
mod faults;
mod work;

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use crate::machdep::fake::disk::{Bytes, Disk};
use crate::machdep::fake::{Fake, Sys, Vk};
use crate::vfs::diskfs::format::FIRST;

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
    assert_eq!(vk.console(), "");
    answer
}

/// After what was changed is committed, every block in use has an owner, and there is none without.
/// `empty`: there are no files.
fn idle(vk: &Vk, empty: bool) {
    let kernel = vk.kernel.clone();
    vk.init(move |sys| {
        sys.call("sync", &[]).expect("sync");
        let mount = kernel.mounts.all().into_iter().find(|m| m.fstype == "diskfs").expect("a disk");
        let root = crate::vfs::diskfs::load::root(&mount).expect("a root");
        let mut core = root.fs.core.lock(&*sys.lp);
        root.fs.reap(&mut core);
        core.space.committed();
        let own = FIRST as u64 + core.journal.1 as u64 + core.runs.iter().map(|r| r.1 as u64).sum::<u64>();
        let used = core.space.limit as u64 - core.space.free();
        let files = root.fs.mapped(&sys.lp).expect("files");
        assert_eq!(used, own + files, "blocks without an owner");
        assert_eq!(root.fs.pool.dirty(), 0, "claims that nobody has");
        assert!(!empty || files == 0 && root.fs.nodes.load(Relaxed) == 1, "files are left");
    });
}
