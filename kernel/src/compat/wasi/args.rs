//! Arguments and environment: what exec left with the process, laid out for C.

use alloc::sync::Arc;

use abi::SysResult;
use abi::syscalls::UAddr;

use crate::kern::proc::{Lwp, Strings};

pub fn args_get(lp: &Lwp, argv: UAddr, buf: UAddr) -> SysResult<()> {
    get(lp, &args(lp), argv, buf)
}

pub fn args_sizes_get(lp: &Lwp, count: UAddr, size: UAddr) -> SysResult<()> {
    sizes_get(lp, &args(lp), count, size)
}

pub fn environ_get(lp: &Lwp, env: UAddr, buf: UAddr) -> SysResult<()> {
    get(lp, &environ(lp), env, buf)
}

pub fn environ_sizes_get(lp: &Lwp, count: UAddr, size: UAddr) -> SysResult<()> {
    sizes_get(lp, &environ(lp), count, size)
}

fn args(lp: &Lwp) -> Arc<Strings> {
    lp.proc.program.lock().args.clone()
}

fn environ(lp: &Lwp) -> Arc<Strings> {
    lp.proc.program.lock().env.clone()
}

fn sizes_get(lp: &Lwp, s: &Strings, count: UAddr, size: UAddr) -> SysResult<()> {
    lp.machine().put32(count, s.count as u32)?;
    lp.machine().put32(size, s.buf.len() as u32)
}

/// The strings at `buf`, and a pointer to each at `ptrs`.
fn get(lp: &Lwp, s: &Strings, ptrs: UAddr, buf: UAddr) -> SysResult<()> {
    lp.machine().copyout(&s.buf, buf)?;
    let mut batch = [0; 64 * 4];
    let (mut at, mut filled, mut out) = (0, 0, ptrs);
    for one in s.iter() {
        batch[filled..filled + 4].copy_from_slice(&buf.offset(at).0.to_le_bytes());
        at += one.len() + 1;
        filled += 4;
        if filled == batch.len() {
            lp.machine().copyout(&batch, out)?;
            out = out.offset(filled);
            filled = 0;
        }
    }
    lp.machine().copyout(&batch[..filled], out)
}
