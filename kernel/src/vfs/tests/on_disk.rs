//! The same tests where `/tmp` is on a disk.

#[path = "content.rs"]
mod content;
#[path = "names.rs"]
mod names;
#[path = "permissions.rs"]
mod permissions;
#[path = "special.rs"]
mod special;

use crate::machdep::fake::disk::{Bytes, Disk};
use crate::machdep::fake::{Fake, Sys};

fn with<T: Send + 'static>(fake: Fake, f: impl FnOnce(&Sys) -> T + Send + 'static) -> T {
    super::with(fake.disk(&Disk::new(Bytes::default(), 64 << 20), 0, "/tmp"), f)
}

fn run<T: Send + 'static>(f: impl FnOnce(&Sys) -> T + Send + 'static) -> T {
    with(Fake::seeded(1), f)
}
