//! hostfs
use alloc::sync::Arc;
use abi::{Errno, SysResult};
use crate::kern::proc::Lwp;
use crate::vfs::mount::Mount;
pub fn make(_lp: &Lwp, _export: u32, _flags: u32) -> SysResult<Arc<Mount>> {
    Err(Errno::ENOTSUP)
}
