//! The hypercalls: what stands behind each import of the kernel from `"host"`.
//!
//! [`linker`] makes two flavours. Lwps run on fibers, so what blocks is an async function there. The
//! interrupt instance must not sleep: it gets functions that do not suspend, and parking on it is a
//! kernel's mistake that ends the vkernel.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use abi::Errno;
use abi::types::clock as clk;
use wasmtime::{Caller, Engine, Linker};

use crate::clock;
use crate::disk::Disk;
use crate::images;
use crate::lwp::{Cpu, Stop};
use crate::machine::{Ending, Machine, Times};
use crate::program::ProgramImage;

const BLOB_CONFIG: u32 = abi::image::BLOB_CONFIG;
/// Above this a program is hashed on a thread for blocking work.
const HASH_INLINE: usize = 256 << 10;
/// Messages of the kernel are cut after this.
const MESSAGE_MAX: u32 = 64 << 10;

/// An answer in the form of the table: a value, or minus an error number.
trait Answer {
    fn answer(self) -> i32;
}
impl Answer for Result<u32, Errno> {
    fn answer(self) -> i32 {
        self.map_or_else(|e| -(e as i32), |v| v as i32)
    }
}
impl Answer for Result<(), Errno> {
    fn answer(self) -> i32 {
        self.map(|()| 0u32).answer()
    }
}
impl Answer for Result<usize, Errno> {
    fn answer(self) -> i32 {
        self.map(|n| n as u32).answer()
    }
}

type C<'a> = Caller<'a, Cpu>;

fn machine<'a>(c: &'a C<'_>) -> &'a Machine {
    &c.data().machine
}

/// The hypercalls, as an lwp's instance (`sleeps`) or the interrupt instance gets them.
pub(crate) fn linker(engine: &Engine, sleeps: bool) -> wasmtime::Result<Linker<Cpu>> {
    let mut l = Linker::new(engine);
    console_and_time(&mut l)?;
    lwps(&mut l)?;
    vmspaces(&mut l)?;
    images(&mut l)?;
    devices(&mut l)?;
    if sleeps {
        sleeping(&mut l)?;
    } else {
        wakeful(&mut l)?;
    }
    Ok(l)
}

fn console_and_time(l: &mut Linker<Cpu>) -> wasmtime::Result<()> {
    l.func_wrap("host", "cons_write", |c: C<'_>, ptr: u32, len: u32| {
        let m = machine(&c);
        // A bad pointer of the kernel's own: nothing can be told, and nothing depends on it.
        let _ = m.memory.lend(ptr, len.min(MESSAGE_MAX), |text| m.devices.with(|d| d.console(text)));
    })?;
    l.func_wrap("host", "clock", |c: C<'_>, id: u32, lwp: u32| -> u64 {
        match id {
            clk::MONOTONIC => clock::monotonic_ns(),
            clk::REALTIME => clock::realtime_ns(),
            _ => machine(&c).sched.with(|s| s.cpu_ns(lwp, clock::monotonic_ns())),
        }
    })?;
    l.func_wrap("host", "random", |c: C<'_>, ptr: u32, len: u32| -> wasmtime::Result<()> {
        match machine(&c).memory.lend(ptr, len, crate::random::fill) {
            Ok(()) => Ok(()),
            Err(_) => Err(panicked(&c, "random: bad address".into())),
        }
    })?;
    l.func_wrap("host", "halt", |c: C<'_>, status: u32| -> wasmtime::Result<()> {
        machine(&c).end(Ending::Halted(status));
        Err(Stop::Ended.into())
    })?;
    l.func_wrap("host", "panic", |c: C<'_>, ptr: u32, len: u32| -> wasmtime::Result<()> {
        let text = machine(&c).memory.read_vec(ptr, len.min(MESSAGE_MAX)).unwrap_or_default();
        Err(panicked(&c, String::from_utf8_lossy(&text).into_owned()))
    })?;
    Ok(())
}

/// Ends the vkernel; the answer gets the caller off its stack.
fn panicked(c: &C<'_>, why: String) -> wasmtime::Error {
    machine(c).end(Ending::Panicked(why));
    Stop::Ended.into()
}

fn lwps(l: &mut Linker<Cpu>) -> wasmtime::Result<()> {
    l.func_wrap("host", "unpark", |c: C<'_>, word: u32, n: u32| -> u32 {
        machine(&c).sched.with(|s| s.unpark(word, n))
    })?;
    l.func_wrap("host", "lwp_create", |c: C<'_>, lwp: u32, vmspace: u32| -> i32 {
        let m = machine(&c);
        if m.sched.with(|s| s.find(lwp).is_some()) {
            return Err::<(), _>(Errno::EEXIST).answer();
        }
        m.count_lwp(vmspace, 1);
        m.sched.with(|s| s.create(lwp, vmspace));
        0
    })?;
    l.func_wrap("host", "lwp_kick", |c: C<'_>, lwp: u32, how: u32| {
        machine(&c).sched.with(|s| s.kick(lwp, how));
    })?;
    l.func_wrap("host", "lwp_frames", |c: C<'_>, ptr: u32, len: u32| -> i32 {
        let Some(frames) = c.data().frames() else { return Err::<(), _>(Errno::ENOENT).answer() };
        let fill = |to: &mut [u8]| {
            let pairs = to.chunks_exact_mut(4).zip(&frames);
            pairs.map(|(to, frame)| to.copy_from_slice(&frame.to_le_bytes())).count() * 4
        };
        machine(&c).memory.lend(ptr, len, fill).answer()
    })?;
    Ok(())
}

fn vmspaces(l: &mut Linker<Cpu>) -> wasmtime::Result<()> {
    l.func_wrap("host", "vmspace_create", |c: C<'_>, id: u32, image: u32, limit: u64| -> i32 {
        machine(&c).vmspace_create(id, image, limit).answer()
    })?;
    l.func_wrap("host", "vmspace_fork", |c: C<'_>, id: u32, from: u32| -> i32 {
        match c.data().memory {
            Some(memory) => machine(&c).vmspace_fork(id, from, memory.data(&c)).answer(),
            // Of an lwp that has run no program yet.
            None => Err::<(), _>(Errno::ENOENT).answer(),
        }
    })?;
    l.func_wrap("host", "vmspace_destroy", |c: C<'_>, id: u32| -> i32 { machine(&c).vmspace_destroy(id).answer() })?;
    l.func_wrap("host", "vmspace_ctl", |c: C<'_>, id: u32, cmd: u32, arg: u64| -> i64 {
        machine(&c).vmspace_ctl(id, cmd, arg).map_or_else(|e| -(e as i64), |v| v as i64)
    })?;
    Ok(())
}

fn images(l: &mut Linker<Cpu>) -> wasmtime::Result<()> {
    l.func_wrap("host", "image_begin", |c: C<'_>, size: u64| -> i32 {
        machine(&c).images.with(|i| i.begin(size)).answer()
    })?;
    l.func_wrap("host", "image_write", |c: C<'_>, handle: u32, ptr: u32, len: u32| -> i32 {
        let m = machine(&c);
        m.memory.lend(ptr, len, |bytes| m.images.with(|i| i.write(handle, bytes))).and_then(|done| done).answer()
    })?;
    l.func_wrap("host", "image_error", |c: C<'_>, ptr: u32, len: u32| -> i32 {
        let m = machine(&c);
        let copy = |to: &mut [u8]| {
            m.images.with(|i| {
                let n = i.error.floor_char_boundary(to.len());
                to[..n].copy_from_slice(&i.error.as_bytes()[..n]);
                n
            })
        };
        m.memory.lend(ptr, len, copy).answer()
    })?;
    l.func_wrap("host", "image_close", |c: C<'_>, image: u32| -> i32 {
        machine(&c).images.with(|i| i.close(image)).answer()
    })?;
    l.func_wrap("host", "blob_read", |c: C<'_>, blob: u32, off: u64, ptr: u32, len: u32| -> i32 {
        let m = machine(&c);
        m.memory.lend(ptr, len, |to| m.blob_read(blob, off, to)).and_then(|done| done).answer()
    })?;
    Ok(())
}

fn devices(l: &mut Linker<Cpu>) -> wasmtime::Result<()> {
    l.func_wrap("host", "hostfs_rpc", |c: C<'_>, ptr: u32, len: u32, cap: u32| -> i32 {
        let m = machine(&c);
        // Inline: the files are local, and most requests are answered from the host's caches.
        m.memory.lend(ptr, cap, |buf| m.files.with(|f| f.rpc(buf, len as usize))).answer()
    })?;
    l.func_wrap("host", "disk_rw", |c: C<'_>, unit: u32, write: u32, off: u64, ptr: u32, len: u32| -> i32 {
        let m = machine(&c);
        // Inline: the host's caches take writes and have most of what is read.
        let transfer = |buf: &mut [u8]| {
            let disk = m.disk(unit)?;
            if write != 0 {
                disk.write(off, buf)?
            } else {
                disk.read(off, buf)?
            }
            Ok(buf.len())
        };
        m.memory.lend(ptr, len, transfer).and_then(|done| done).answer()
    })?;
    l.func_wrap("host", "disk_ctl", |c: C<'_>, unit: u32, cmd: u32, arg: u64| -> i64 {
        machine(&c).disk(unit).and_then(|d| d.control(cmd, arg)).map_or_else(|e| -(e as i64), |v| v as i64)
    })?;
    l.func_wrap("host", "dev_rw", |c: C<'_>, unit: u32, write: u32, ptr: u32, len: u32| -> i32 {
        let m = machine(&c);
        let transfer =
            |buf: &mut [u8]| m.devices.with(|d| if write != 0 { d.write(unit, buf) } else { d.read(unit, buf) });
        m.memory.lend(ptr, len, transfer).and_then(|done| done).answer()
    })?;
    l.func_wrap("host", "dev_ctl", |c: C<'_>, unit: u32, cmd: u32, ptr: u32, len: u32| -> i32 {
        let m = machine(&c);
        let control = |arg: &mut [u8]| m.devices.with(|d| d.control(unit, cmd, arg));
        match m.memory.lend(ptr, len, control).and_then(|done| done) {
            Ok(v) => v,
            Err(e) => -(e as i32),
        }
    })?;
    Ok(())
}

/// What blocks, on a fiber.
fn sleeping(l: &mut Linker<Cpu>) -> wasmtime::Result<()> {
    l.func_wrap_async("host", "disk_flush", |c: C<'_>, (unit,): (u32,)| {
        Box::new(async move {
            let disk = match c.data().machine.disk(unit) {
                Ok(disk) => disk.clone(),
                Err(e) => return Err::<(), _>(e).answer(),
            };
            let flushed = tokio::task::spawn_blocking(move || disk.flush()).await;
            flushed.unwrap_or(Err(Errno::EIO)).answer()
        })
    })?;
    l.func_wrap_async("host", "park", |c: C<'_>, (word, expected, deadline): (u32, u32, u64)| {
        Box::new(park(c, word, expected, deadline))
    })?;
    l.func_wrap_async("host", "image_commit", |c: C<'_>, (handle,): (u32,)| {
        Box::new(async move {
            let m = &c.data().machine;
            let begin = clock::monotonic_ns();
            let bytes = match m.images.with(|i| i.take(handle)) {
                Ok(bytes) => bytes,
                Err(e) => return Err::<u32, _>(e).answer(),
            };
            let image = commit(m, bytes).await;
            Times::add(&m.times.compile, begin);
            m.images.with(|i| i.add(image)).answer()
        })
    })?;
    l.func_wrap_async("host", "image_blob", |c: C<'_>, (blob,): (u32,)| {
        Box::new(async move {
            let m = &c.data().machine;
            let begin = clock::monotonic_ns();
            let hash = match program_hash(m, blob) {
                Ok(hash) => hash,
                Err(e) => return Err::<u32, _>(e).answer(),
            };
            let from = m.boot_image.clone();
            let image = m.host.cache.get(hash, m.compiling.clone(), move || from.bytes(blob)).await;
            Times::add(&m.times.compile, begin);
            m.images.with(|i| i.add(image)).answer()
        })
    })?;
    Ok(())
}

async fn commit(m: &Machine, bytes: Vec<u8>) -> Result<Arc<ProgramImage>, String> {
    let (bytes, hash) = if bytes.len() <= HASH_INLINE {
        let hash = *blake3::hash(&bytes).as_bytes();
        (bytes, hash)
    } else {
        let work = move || {
            let hash = *blake3::hash(&bytes).as_bytes();
            (bytes, hash)
        };
        tokio::task::spawn_blocking(work).await.map_err(|e| e.to_string())?
    };
    m.host.cache.get(hash, m.compiling.clone(), move || Ok(bytes)).await
}

async fn park(c: C<'_>, word: u32, expected: u32, deadline: u64) -> i32 {
    let (m, slot) = (&c.data().machine, c.data().slot);
    // The check and the parking are one step: nothing else of this vkernel runs in between.
    match m.memory.word(word) {
        Ok(w) if w.load(Relaxed) == expected => m.sched.with(|s| s.park(slot, word, deadline)),
        _ => return 1,
    }
    poll_fn(|_| match m.sched.with(|s| s.take_woken(slot)) {
        Some(why) => Poll::Ready(why as i32),
        None => Poll::Pending,
    })
    .await
}

/// The same where nobody may sleep.
fn wakeful(l: &mut Linker<Cpu>) -> wasmtime::Result<()> {
    l.func_wrap("host", "disk_flush", |c: C<'_>, unit: u32| -> i32 {
        machine(&c).disk(unit).and_then(Disk::flush).answer()
    })?;
    l.func_wrap("host", "park", |c: C<'_>, _: u32, _: u32, _: u64| -> wasmtime::Result<i32> {
        Err(panicked(&c, "park in an interrupt".into()))
    })?;
    l.func_wrap("host", "image_commit", |c: C<'_>, handle: u32| -> i32 {
        let m = machine(&c);
        let image = m.images.with(|i| i.take(handle)).map(|bytes| {
            let hash = *blake3::hash(&bytes).as_bytes();
            m.host.cache.get_now(hash, || Ok(bytes))
        });
        image.and_then(|image| m.images.with(|i| i.add(image))).answer()
    })?;
    l.func_wrap("host", "image_blob", |c: C<'_>, blob: u32| -> i32 {
        let m = machine(&c);
        let image = program_hash(m, blob);
        let image = image.map(|hash| m.host.cache.get_now(hash, || m.boot_image.bytes(blob)));
        image.and_then(|image| m.images.with(|i| i.add(image))).answer()
    })?;
    Ok(())
}

/// The hash of a blob that is to be run. Its size was said by an image that isn't ours.
fn program_hash(m: &Machine, blob: u32) -> Result<[u8; 32], Errno> {
    if m.boot_image.len(blob).map_err(|e| blob_errno(&e))? > images::MAX_BYTES {
        return Err(Errno::EFBIG);
    }
    m.boot_image.hash(blob).map_err(|e| blob_errno(&e))
}

fn blob_errno(e: &std::io::Error) -> Errno {
    if e.kind() == std::io::ErrorKind::NotFound { Errno::ENOENT } else { Errno::EIO }
}

impl Machine {
    fn disk(&self, unit: u32) -> Result<&Disk, Errno> {
        self.disks.get(unit as usize).ok_or(Errno::ENXIO)
    }

    fn blob_read(&self, blob: u32, off: u64, to: &mut [u8]) -> Result<usize, Errno> {
        if blob != BLOB_CONFIG {
            return self.boot_image.read(blob, off, to).map_err(|e| blob_errno(&e));
        }
        let from = usize::try_from(off).ok().and_then(|off| self.config.get(off..)).unwrap_or_default();
        let n = from.len().min(to.len());
        to[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }
}
