//! procfs
use alloc::sync::Arc;
use crate::Kernel;
use crate::vfs::mount::Mount;
use crate::vfs::tmpfs;
pub fn make(kernel: &Kernel, flags: u32) -> Arc<Mount> {
    tmpfs::make(kernel, flags).unwrap()
}
