//! Core dumps: what a process was when a signal ended it, in a file that a debugger reads. core(5).
//!
//! Who wants one sets RLIMIT_CORE, which is 0 otherwise. The file is `core` in the working directory, a
//! module of WebAssembly as the tool conventions have it (`Coredump.md`): custom sections that name the program
//! (`core`, `coremodules`, `coreinstances`) and the functions it was in (`corestack`), its memory, and as data
//! segments what of that isn't zero. A section of our own, `vkernel.process`, says the rest, a line each.
//!
//! It is always a whole module: what does not fit, because of the limit or on the disk, is memory
//! that is missing at the end. Nothing of the machine is asked, and no memory taken, where there is to be none.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use abi::syscalls::UAddr;
use abi::trapframe::Reason;
use abi::types::{mode, o, rlimit, sig, vmctl, wait};
use abi::{Errno, SysResult};

use crate::kern::proc::{Lwp, lwpflag};
use crate::kern::{sigact, time};
use crate::uio::Uio;
use crate::vfs::file::File;
use crate::vfs::lookup::{At, Start};
use crate::vfs::open::kern_open;
use crate::vfs::vnode::SetAttr;

/// The signals whose default action is a core dump (POSIX `<signal.h>`, action A).
const DUMPS: u64 = sig::bit(sig::QUIT)
    | sig::bit(sig::ILL)
    | sig::bit(sig::TRAP)
    | sig::bit(sig::ABRT)
    | sig::bit(sig::FPE)
    | sig::bit(sig::SEGV)
    | sig::bit(sig::BUS)
    | sig::bit(sig::SYS)
    | sig::bit(sig::XCPU)
    | sig::bit(sig::XFSZ);

const NAME: &[u8] = b"core";
const PAGE: usize = 64 << 10;
/// What is zero is left out of a page's ends in such pieces.
const BLOCK: usize = 4096;
/// Frames that are asked for, and how much is told of the arguments.
const FRAMES: usize = 64;
const ARGS: usize = 1024;
/// Pages between two looks whether somebody else wants to run.
const TURN: u64 = 16;

/// Writes the core dump of the calling process, if one is due at this wait status: says whether there is one. Out of
/// user code, which was left for `reason`; its signals are held back from now on, but for SIGKILL, which ends this.
pub fn write(lp: &Lwp, status: u32, reason: Reason) -> bool {
    let Some(signal) = wait::term_signal(status).filter(|&s| DUMPS & sig::bit(s) != 0) else { return false };
    let limits = &lp.proc.limits;
    let limit = limits.soft(rlimit::CORE);
    if limit == 0 || lp.proc.cred.is_private() {
        return false;
    }
    {
        let _guard = lp.proc.signals.lock();
        sigact::set_mask(&lp.proc, u64::MAX);
    }
    lp.clear_flag(lwpflag::KILLED | lwpflag::CAUGHT | lwpflag::SIGNAL);
    // A section's length has 32 bits.
    let limit = limit.min(limits.soft(rlimit::FSIZE)).min(u32::MAX as u64);
    dump(lp, signal, reason, limit).is_ok()
}

fn dump(lp: &Lwp, signal: u32, reason: Reason, limit: u64) -> SysResult<()> {
    let mut frames = [0; FRAMES * 4];
    let known = lp.machine().lwp_frames(&mut frames)?;
    let size = lp.machine().vmspace_ctl(lp.proc.vmspace, vmctl::SIZE, 0)?;
    let (mut head, mut page) = (Vec::new(), Vec::new());
    head.try_reserve_exact(BLOCK * 2).map_err(|_| Errno::ENOMEM)?;
    page.try_reserve_exact(PAGE).map_err(|_| Errno::ENOMEM)?;
    page.resize(PAGE, 0);
    let pages = size / PAGE as u64;
    describe(lp, signal, reason, &frames[..known.min(frames.len())], pages, &mut head);
    if head.len() as u64 > limit {
        return Err(Errno::EFBIG);
    }
    let mut out = Out { lp, file: open(lp)?, at: 0, limit };
    let done = out.write(&head).and_then(|()| out.segments(pages, &mut page)).and_then(|count| {
        // Both stand at the head's end, with room for any number.
        let mut numbers = [0; 10];
        let from = head.len() as u64 - 5;
        padded((out.at - from) as u32, &mut numbers[..5]);
        padded(count, &mut numbers[5..]);
        out.at = from - 5;
        out.write(&numbers)
    });
    if done.is_err() {
        // No module, so nothing to anybody.
        let _ = out.file.vnode.setattr(lp, &SetAttr { size: Some(0), ..SetAttr::default() });
    }
    done
}

/// The file, empty: a new one, or one that nobody else can read and that has no other name.
fn open(lp: &Lwp) -> SysResult<Arc<File>> {
    let at = At { start: Start::Cwd, path: NAME, follow: false, beneath: false };
    let flags = o::WRONLY | o::NOFOLLOW | o::NONBLOCK;
    match kern_open(lp, &at, flags | o::CREAT | o::EXCL, 0o600) {
        Err(Errno::EEXIST) => {}
        made => return made,
    }
    let file = kern_open(lp, &at, flags, 0)?;
    let stat = file.vnode.getattr(lp)?;
    let ours = stat.uid == lp.proc.cred.euid() && stat.nlink == 1;
    if !ours || stat.mode & mode::IFMT != mode::IFREG || stat.mode & 0o77 != 0 {
        return Err(Errno::EEXIST);
    }
    file.vnode.setattr(lp, &SetAttr { size: Some(0), ..SetAttr::default() })?;
    Ok(file)
}

/// Everything up to the first data segment, in `out`, which has room for it.
fn describe(lp: &Lwp, signal: u32, reason: Reason, frames: &[u8], pages: u64, out: &mut Vec<u8>) {
    let comm = {
        let program = lp.proc.program.lock();
        let mut comm = Text::<64>::default();
        comm.bytes(&program.comm);
        comm
    };
    out.extend_from_slice(b"\0asm\x01\0\0\0");
    custom(out, "core", |out| {
        out.push(0);
        name(out, comm.get());
    });
    custom(out, "coremodules", |out| {
        out.extend_from_slice(&[1, 0]);
        name(out, comm.get());
    });
    // One instance: of module 0, with memory 0 and no globals.
    custom(out, "coreinstances", |out| out.extend_from_slice(&[1, 0, 0, 1, 0, 0]));
    custom(out, "corestack", |out| {
        out.push(0);
        name(out, b"main");
        number(out, frames.len() as u64 / 4);
        for frame in frames.chunks_exact(4) {
            // Of instance 0. The machine knows no offsets, no locals and no operands.
            out.extend_from_slice(&[0, 0]);
            number(out, frame.iter().rev().fold(0, |all, &b| all << 8 | b as u64));
            out.extend_from_slice(&[0, 0, 0]);
        }
    });
    custom(out, "vkernel.process", |out| out.extend_from_slice(about(lp, signal, reason, comm).get()));
    // One memory without a maximum; the data, whose length and number are still to be known.
    let mut minimum = [0; 5];
    padded(pages as u32, &mut minimum);
    out.extend_from_slice(&[5, 7, 1, 0]);
    out.extend_from_slice(&minimum);
    out.push(11);
    out.extend_from_slice(&[0; 10]);
}

type About = Text<{ ARGS + 512 }>;

fn about(lp: &Lwp, signal: u32, reason: Reason, comm: Text<64>) -> About {
    let (proc, mut text) = (&lp.proc, About::default());
    let name = core::str::from_utf8(comm.get()).unwrap_or_default();
    let (pid, ppid, uid) = (proc.pid, proc.ppid.load(Relaxed), proc.cred.uid());
    let _ = write!(text, "command {name}\npid {pid}\nppid {ppid}\nuid {uid}\nsignal {signal} {}\n", sig::name(signal));
    if reason as u32 >= Reason::Unreachable as u32 {
        let _ = writeln!(text, "cause {}", reason.text());
    }
    let args = proc.program.lock().args.clone();
    let _ = write!(text, "arguments");
    for arg in args.iter() {
        let _ = write!(text, " ");
        text.bytes(&arg[..arg.len().min(ARGS)]);
    }
    let _ = writeln!(text);
    text
}

/// A custom section of fewer than 16,384 bytes.
fn custom(out: &mut Vec<u8>, title: &str, fill: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[0, 0, 0]);
    let begin = out.len();
    name(out, title.as_bytes());
    fill(out);
    let len = out.len() - begin;
    out[begin - 2..begin].copy_from_slice(&[len as u8 | 0x80, (len >> 7) as u8]);
}

fn name(out: &mut Vec<u8>, text: &[u8]) {
    number(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// Unsigned LEB128.
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The same in five bytes, whatever it is.
fn padded(value: u32, out: &mut [u8]) {
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = (value >> (7 * at)) as u8 & 0x7f | if at < 4 { 0x80 } else { 0 };
    }
}

/// Printable text that ends where there is no more room for it.
#[derive(Clone, Copy)]
struct Text<const N: usize> {
    buf: [u8; N],
    len: usize,
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Text { buf: [0; N], len: 0 }
    }
}

impl<const N: usize> Text<N> {
    fn get(&self) -> &[u8] {
        &self.buf[..self.len]
    }
    /// What a program calls itself is no text before it was looked at.
    fn bytes(&mut self, from: &[u8]) {
        for &b in from {
            self.push(if matches!(b, b' '..=b'~') { b } else { b'?' });
        }
    }
    fn push(&mut self, b: u8) {
        // The last byte is for a line's end.
        if self.len + 1 < N || b == b'\n' && self.len < N {
            self.buf[self.len] = b;
            self.len += 1;
        }
    }
}

impl<const N: usize> Write for Text<N> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        text.bytes().for_each(|b| self.push(b));
        Ok(())
    }
}

/// The file that is being written.
struct Out<'a> {
    lp: &'a Lwp,
    file: Arc<File>,
    at: u64,
    limit: u64,
}

impl Out<'_> {
    /// All of it, or an error.
    fn write(&mut self, bytes: &[u8]) -> SysResult<()> {
        let mut done = 0;
        while done < bytes.len() {
            if self.lp.flags.load(SeqCst) & lwpflag::KILLED != 0 {
                return Err(Errno::EINTR);
            }
            let mut uio = Uio::from_kernel(self.lp, &bytes[done..], self.at);
            self.file.vnode.write(&mut uio, 0)?;
            let n = bytes.len() - done - uio.resid;
            if n == 0 {
                return Err(Errno::ENOSPC);
            }
            self.at += n as u64;
            done += n;
        }
        Ok(())
    }

    /// The memory, a segment for a page at most; answers how many. What can't be written is left out,
    /// with all behind it; only who was killed has no dump at all.
    fn segments(&mut self, pages: u64, page: &mut [u8]) -> SysResult<u32> {
        let mut count = 0;
        for at in 0..pages {
            if at % TURN == TURN - 1 {
                time::sys_sched_yield(self.lp)?;
            }
            let address = at * PAGE as u64;
            if self.lp.machine().copyin(UAddr(address as u32), page).is_err() {
                break;
            }
            let used = |block: &[u8]| block.iter().any(|&b| b != 0);
            let Some(first) = page.chunks_exact(BLOCK).position(used) else { continue };
            let last = page.chunks_exact(BLOCK).rposition(used).unwrap_or(first);
            let begin = self.at;
            match self.segment(address + (first * BLOCK) as u64, &page[first * BLOCK..(last + 1) * BLOCK]) {
                Ok(whole) => {
                    count += 1;
                    if !whole {
                        break;
                    }
                }
                Err(Errno::EINTR) => return Err(Errno::EINTR),
                Err(_) => {
                    // Half a segment is none.
                    let size = Some(begin);
                    self.file.vnode.setattr(self.lp, &SetAttr { size, ..SetAttr::default() })?;
                    self.at = begin;
                    break;
                }
            }
        }
        Ok(count)
    }

    /// False: only its first bytes were within the limit.
    fn segment(&mut self, address: u64, bytes: &[u8]) -> SysResult<bool> {
        // Active, of memory 0, at an i32.const (signed LEB128, in five bytes), with a length of five bytes.
        let mut head = [0; 13];
        head[1] = 0x41;
        padded(address as u32, &mut head[2..7]);
        // The fifth byte has bits 28 to 31, and the sign above them.
        if address as u32 >> 31 != 0 {
            head[6] |= 0x70;
        }
        head[7] = 0x0b;
        let room = (self.limit - self.at).checked_sub(head.len() as u64).filter(|&room| room > 0);
        let len = bytes.len().min(room.ok_or(Errno::EFBIG)? as usize);
        padded(len as u32, &mut head[8..]);
        self.write(&head)?;
        self.write(&bytes[..len])?;
        Ok(len == bytes.len())
    }
}
