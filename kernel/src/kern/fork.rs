//! fork(2).
//!
//! A wasm stack can't be copied from outside. A program that forks has, by the time it calls
//! `fork_at`, put its stacks and globals into its own memory, at an address that it names (the loader
//! makes such programs of those that import `fork`). What is left to do here is what any kernel does:
//! a process like the caller, and a copy of its memory, which the host makes. The child's lwp
//! begins at the program's entry point, asks for `frames` and goes on from there.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use abi::syscalls::UAddr;
use abi::{Errno, SysResult};

use crate::kern::proc::{Lwp, NewProc, lwpflag};
use crate::kern::{sig, sigframe, spawn};

/// Makes a copy of the calling process; answers its pid. The child starts at the program's entry
/// point, where `frames` answers this address. EAGAIN, EFAULT, ENOMEM, ENOSYS.
pub fn sys_fork_at(lp: &Lwp, frames: UAddr) -> SysResult<i32> {
    lp.machine().admit()?;
    // What stands there is the program's affair.
    lp.machine().copyin(frames, &mut [0; 4])?;
    let child = new_child(lp, frames)?;
    let copied = lp.machine().vmspace_fork(child.proc.vmspace, lp.proc.vmspace);
    match copied.and_then(|()| spawn::start(&child)) {
        Ok(()) => Ok(child.proc.pid),
        Err(e) => {
            lp.kernel.proc_undo(&child.proc);
            spawn::dismantle(&child.proc);
            Err(e)
        }
    }
}

/// Where a forked child finds what its parent has put there; 0 in a process that began with a program.
pub fn sys_frames(lp: &Lwp) -> SysResult<u32> {
    lp.frame.asked();
    Ok(lp.proc.frames.load(Relaxed))
}

/// The child in the tree, with all that POSIX has it inherit but its memory.
fn new_child(lp: &Lwp, frames: UAddr) -> SysResult<Arc<Lwp>> {
    let p = &lp.proc;
    let dirs = p.dirs.lock().clone();
    let program = p.program.lock().clone();
    let new = NewProc {
        parent: Some(p),
        files: p.files.copy()?,
        cred: p.cred.copy(),
        dirs,
        vmspace: lp.kernel.next_id() as u32,
        program,
        frames: Some(frames),
    };
    loop {
        {
            // What is sent to a group has come to the caller, or will come to the child, too: one that
            // forks all the time can't get away from a kill of its group.
            let _sending = lp.kernel.procs.sending.lock();
            let flags = lp.flags.load(SeqCst);
            if flags & lwpflag::KILLED != 0 {
                // Nobody will see it.
                return Err(Errno::EINTR);
            }
            if flags & lwpflag::STOPPED == 0 {
                let child = lp.kernel.proc_create(new)?;
                child.frame.unread.store(sigframe::BEGINS, Relaxed);
                return Ok(child);
            }
        }
        // The stop came first: the child begins after it.
        sig::stopped(lp);
    }
}
