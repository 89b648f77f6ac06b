//! WASI: `wasi_snapshot_preview1`, and `wasi_unstable` where it differs.
//!
//! Each function is one row of `abi::syscalls`. It decodes, calls the kernel and encodes; what a
//! file is or may do is decided below. The error numbers are WASI's already. Source of all
//! layouts and numbers: the witx files of WASI preview 0 and 1.
//!
//! WASI has no working directory and no absolute paths: a program is handed open directories
//! ("preopens") and its C library works the rest out. We hand over one, `/`, at exec
//! ([`install_preopen`]); what a path on it means stands in [`place`].

pub mod args;
pub mod fd;
pub mod iov;
pub mod misc;
pub mod path;
mod place;
pub mod poll;
pub mod rights;
pub mod sock;
#[cfg(test)]
mod tests;
pub mod types;
pub mod unstable;

use alloc::sync::Arc;

use abi::types::o;
use abi::{Errno, SysResult};

use crate::kern::descrip::Slot;
use crate::kern::proc::Proc;
use crate::vfs::file::File;

/// C libraries look for preopens from here on, upwards.
const FIRST_PREOPEN: usize = 3;

/// The name of the one preopen.
const PREOPEN_NAME: &[u8] = b"/";

/// Gives a process that has just become another program its preopened root. EMFILE; without it the
/// program runs but opens nothing.
pub fn install_preopen(proc: &Arc<Proc>) -> SysResult<()> {
    let root = proc.dirs.lock().as_ref().map(|d| d.root.clone()).ok_or(Errno::ENOENT)?;
    let file = Arc::new(File::new(root, o::RDONLY));
    let slot = Slot { preopen: true, ..Slot::new(file, false) };
    proc.files.add(slot, FIRST_PREOPEN, proc.limits.nofile())?;
    Ok(())
}
