//! The linear memories of a vkernel: the kernel's, which all its lwps share, and the programs'.
//!
//! wasmtime asks a `MemoryCreator` for every memory; [`Creator`] answers according to what is being
//! instantiated, which [`making`] tells it:
//!
//! - For the kernel it is the one mapping of the vkernel, the same for every store: [`Alias`].
//! - For a program it is a mapping of its own, counted against its address space ([`Space`]) and
//!   the vkernel ([`Total`]).
//!
//! Host code reaches the kernel's memory through [`KernelMemory`], with bounds checks, and a program's
//! not at all.

use std::cell::RefCell;
use std::future::Future;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, pin};

use abi::Errno;
use wasmtime::{AsContextMut, LinearMemory, Memory, MemoryCreator, MemoryType};

use crate::mapping::{GUARD, Mapping, Pool, RESERVATION};
use crate::taskcell::TaskCell;

/// The memory of a kernel: of fixed size, under all instances of one vkernel.
pub(crate) struct KernelMemory {
    mapping: Mapping,
    size: usize,
    /// Held while host code has a slice of it.
    lent: TaskCell<()>,
}

impl KernelMemory {
    pub fn new(size: usize) -> io::Result<Arc<KernelMemory>> {
        let mut mapping = Mapping::reserve(RESERVATION + GUARD)?;
        mapping.set_accessible(size)?;
        Ok(Self::over(mapping, size))
    }

    /// One that begins as the first `len` bytes of `file`.
    pub fn from_image(size: usize, file: impl std::os::fd::AsFd, len: usize) -> io::Result<Arc<KernelMemory>> {
        let mut mapping = Mapping::reserve(RESERVATION + GUARD)?;
        mapping.set_accessible(size)?;
        mapping.map_image(file, len)?;
        Ok(Self::over(mapping, size))
    }

    fn over(mapping: Mapping, size: usize) -> Arc<KernelMemory> {
        Arc::new(KernelMemory { mapping, size, lent: TaskCell::new(()) })
    }

    pub fn size(&self) -> usize {
        self.size
    }

    pub fn base(&self) -> *mut u8 {
        self.mapping.base()
    }

    /// The word at `addr`, as an atomic.
    pub fn word(&self, addr: u32) -> Result<&AtomicU32, Errno> {
        let at = addr as usize;
        if !at.is_multiple_of(4) || at + 4 > self.size {
            return Err(Errno::EFAULT);
        }
        // SAFETY: aligned and inside the accessible part of a mapping that lives as long as `self`.
        // Wasm code may change it between our looks, which is what an atomic allows.
        Ok(unsafe { AtomicU32::from_ptr(self.base().add(at).cast()) })
    }

    /// Lends `len` bytes at `addr` to `f`, for the time of the call only. `f` must not run wasm code
    /// (it can't: it gets no store) nor borrow again (that panics).
    pub fn lend<R>(&self, addr: u32, len: u32, f: impl FnOnce(&mut [u8]) -> R) -> Result<R, Errno> {
        let (at, len) = (addr as usize, len as usize);
        if at.checked_add(len).is_none_or(|end| end > self.size) {
            return Err(Errno::EFAULT);
        }
        Ok(self.lent.with(|()| {
            // SAFETY: inside the accessible part of the mapping. Host code of a vkernel runs only on
            // the vkernel's task (see `TaskCell`), no wasm code runs during this call, and `lent`
            // makes sure that no other slice of it is alive.
            f(unsafe { std::slice::from_raw_parts_mut(self.base().add(at), len) })
        }))
    }

    pub fn read_vec(&self, addr: u32, len: u32) -> Result<Vec<u8>, Errno> {
        self.lend(addr, len, |b| b.to_vec())
    }
}

/// The kernel's memory as one store sees it.
struct Alias(Arc<KernelMemory>);

// SAFETY: The contract of `LinearMemory` is that the base and the accessible size are as told for
// as long as the object lives, behind guards. The mapping is fixed at birth, never moves, grows or
// shrinks, has `GUARD` inaccessible bytes behind the 4 GiB that an index can name, and is kept alive
// by the `Arc`.
//
// What is unusual is that several stores get the same bytes. wasmtime takes a memory for its
// store's own, so this is sound only if no two of them are used at once and nobody holds a Rust
// reference into it across such a use:
// 1. All stores with an alias of one `KernelMemory` belong to one vkernel. They are owned by the
//    lwp futures of its `Task` (and the interrupt instance by the task itself), which polls them one
//    after the other under `&mut self`. No store is handed out.
// 2. Between two uses of different stores lies a suspension of the first, at a host call or an
//    epoch check: compiled code keeps no value of a memory over a call that could change it, because
//    the same memory may be changed by a host call in plain wasmtime (`Memory::data_mut`) too.
// 3. Host code touches it only through `KernelMemory::lend` and `word`, never through
//    `wasmtime::Memory`, and for the time of a call.
// 4. Its size is the same for all and fixed, so that no store's cached size is wrong.
unsafe impl LinearMemory for Alias {
    fn byte_size(&self) -> usize {
        self.0.size
    }
    fn byte_capacity(&self) -> usize {
        self.0.size
    }
    fn grow_to(&mut self, _new_size: usize) -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg("the kernel's memory is of fixed size"))
    }
    fn as_ptr(&self) -> *mut u8 {
        self.0.base()
    }
}

/// What the programs of one vkernel use together.
#[derive(Default)]
pub(crate) struct Total {
    pub limit: u64,
    used: AtomicU64,
    pub peak: AtomicU64,
    /// The most that one address space has used.
    pub space_peak: AtomicU64,
}

impl Total {
    pub fn new(limit: u64) -> Arc<Total> {
        Arc::new(Total { limit, ..Total::default() })
    }

    fn charge(&self, n: u64) -> bool {
        let used = self.used.load(Relaxed) + n;
        if used > self.limit {
            return false;
        }
        self.used.store(used, Relaxed);
        self.peak.fetch_max(used, Relaxed);
        true
    }

    fn release(&self, n: u64) {
        self.used.fetch_sub(n, Relaxed);
    }
}

/// An address space: the accounts of a process's memories, and where they are.
///
/// Made by `vmspace_create` with its mapping and its initial size paid for, so that what follows
/// can't fail for want of memory; filled when a program is instantiated in it. All changes are made
/// by the vkernel's task; atomics and mutexes only because wasmtime wants its memories `Sync`.
pub(crate) struct Space {
    total: Arc<Total>,
    pool: Arc<Pool>,
    limit: AtomicU64,
    used: AtomicU64,
    peak: AtomicU64,
    /// Charged at creation and not yet used by a memory.
    prepaid: AtomicU64,
    spare: Mutex<Option<Mapping>>,
    /// Of a forked process that has not begun: what its memory will hold.
    copy: Mutex<Option<Mapping>>,
}

impl Space {
    /// `initial` bytes are paid for. ENOMEM when that is above a limit or no addresses are left.
    pub fn new(total: &Arc<Total>, pool: &Arc<Pool>, initial: u64, limit: u64) -> Result<Arc<Space>, Errno> {
        let space = Self::empty(total, pool, initial, limit)?;
        let mapping = pool.take(initial as usize).map_err(|_| Errno::ENOMEM)?;
        *space.spare.lock().unwrap_or_else(PoisonError::into_inner) = Some(mapping);
        Ok(Arc::new(space))
    }

    /// One that will hold a copy of `memory`, which may be above the limit already.
    pub fn copy(total: &Arc<Total>, pool: &Arc<Pool>, memory: &[u8], limit: u64) -> Result<Arc<Space>, Errno> {
        let space = Self::empty(total, pool, memory.len() as u64, u64::MAX)?;
        space.set_limit(limit);
        let mut mapping = pool.take(memory.len()).map_err(|_| Errno::ENOMEM)?;
        mapping.copy_from(memory);
        *space.copy.lock().unwrap_or_else(PoisonError::into_inner) = Some(mapping);
        Ok(Arc::new(space))
    }

    /// `initial` bytes are charged, and given back by its `Drop`.
    fn empty(total: &Arc<Total>, pool: &Arc<Pool>, initial: u64, limit: u64) -> Result<Space, Errno> {
        let first = usize::try_from(initial).map_err(|_| Errno::ENOMEM)?;
        if initial > limit || first > RESERVATION || !total.charge(initial) {
            return Err(Errno::ENOMEM);
        }
        let space = Space {
            total: total.clone(),
            pool: pool.clone(),
            limit: AtomicU64::new(limit),
            used: AtomicU64::new(initial),
            peak: AtomicU64::new(initial),
            prepaid: AtomicU64::new(initial),
            spare: Mutex::new(None),
            copy: Mutex::new(None),
        };
        space.total.space_peak.fetch_max(initial, Relaxed);
        Ok(space)
    }

    /// What the memory of a forked process is to hold, once.
    pub fn take_copy(&self) -> Option<Copied> {
        let mapping = self.copy.lock().unwrap_or_else(PoisonError::into_inner).take();
        mapping.map(|mapping| Copied { mapping: Some(mapping), pool: self.pool.clone() })
    }

    pub fn size(&self) -> u64 {
        self.used.load(Relaxed)
    }
    pub fn peak(&self) -> u64 {
        self.peak.load(Relaxed)
    }
    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Relaxed);
    }

    /// Counts `n` bytes more, or says no.
    pub fn charge(&self, n: u64) -> bool {
        let prepaid = self.prepaid.load(Relaxed).min(n);
        let more = n - prepaid;
        let used = self.used.load(Relaxed) + more;
        if more > 0 && (used > self.limit.load(Relaxed) || !self.total.charge(more)) {
            return false;
        }
        self.prepaid.fetch_sub(prepaid, Relaxed);
        self.used.store(used, Relaxed);
        self.peak.fetch_max(used, Relaxed);
        self.total.space_peak.fetch_max(used, Relaxed);
        true
    }

    fn release(&self, n: u64) {
        self.used.fetch_sub(n, Relaxed);
        self.total.release(n);
    }

    fn new_memory(
        self: &Arc<Self>,
        min: usize,
        reserved: usize,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        if !self.charge(min as u64) {
            return Err("the address space's limit is below the program's initial memory".into());
        }
        // From here on the memory's `Drop` gives it back.
        let mut memory = UserMemory { mapping: None, size: min, capacity: reserved, space: self.clone() };
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).take();
        let made = match spare {
            Some(mut m) if (reserved, guard) == (RESERVATION, GUARD) => m.set_accessible(min).map(|()| m),
            _ if (reserved, guard) == (RESERVATION, GUARD) => self.pool.take(min),
            _ => Mapping::reserve(reserved + guard).and_then(|mut m| m.set_accessible(min).map(|()| m)),
        };
        let mapping = made.map_err(|e| format!("no address space left for a memory: {e}"))?;
        memory.mapping = Some(mapping);
        Ok(Box::new(memory))
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        for kept in [&mut self.spare, &mut self.copy] {
            if let Some(mapping) = kept.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
                self.pool.put(mapping);
            }
        }
        self.total.release(self.used.load(Relaxed));
    }
}

/// The memory of a process that forked, as it was then.
pub(crate) struct Copied {
    /// Is there until the drop.
    mapping: Option<Mapping>,
    pool: Arc<Pool>,
}

impl Copied {
    /// Makes `memory`, which was just made for the child's program, this copy.
    pub fn restore(mut self, mut store: impl AsContextMut<Data: 'static>, memory: Memory) -> wasmtime::Result<()> {
        let mapping = self.mapping.as_mut().expect("a copy is restored once");
        let more = mapping.accessible().saturating_sub(memory.data_size(&store)) as u64;
        memory.grow(&mut store, more >> 16)?;
        let to = memory.data_mut(&mut store);
        if to.len() == mapping.accessible() && !to.is_empty() {
            // SAFETY: a program's memory is a mapping of its own (`UserMemory`), accessible from its base on for its
            // size; the slice, which is the only reference into it, is used for nothing else.
            unsafe { mapping.move_to(to.as_mut_ptr()) }?;
        }
        Ok(())
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        if let Some(mapping) = self.mapping.take() {
            self.pool.put(mapping);
        }
    }
}

/// One memory of a program.
struct UserMemory {
    /// Is there, but while one is being made or dropped.
    mapping: Option<Mapping>,
    size: usize,
    capacity: usize,
    space: Arc<Space>,
}

// SAFETY: exactly `size` bytes from the mapping's base are accessible, `capacity` plus the guard
// that wasmtime asked for are reserved, the base never moves, and all of it lives until the drop.
unsafe impl LinearMemory for UserMemory {
    fn byte_size(&self) -> usize {
        self.size
    }
    fn byte_capacity(&self) -> usize {
        self.capacity
    }
    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        let more = (new_size - self.size) as u64;
        if new_size > self.capacity || !self.space.charge(more) {
            return Err(wasmtime::Error::msg("over the limit"));
        }
        let mapping = self.mapping.as_mut().expect("a memory in use");
        if let Err(e) = mapping.set_accessible(new_size) {
            self.space.release(more);
            return Err(e.into());
        }
        self.size = new_size;
        Ok(())
    }
    fn as_ptr(&self) -> *mut u8 {
        self.mapping.as_ref().expect("a memory in use").base()
    }
}

impl Drop for UserMemory {
    fn drop(&mut self) {
        self.space.release(self.size as u64);
        if let Some(mapping) = self.mapping.take() {
            self.space.pool.put(mapping);
        }
    }
}

/// Whose memories the next ones are.
#[derive(Clone)]
pub(crate) enum Making {
    Kernel(Arc<KernelMemory>),
    Program(Arc<Space>),
}

thread_local! {
    static MAKING: RefCell<Option<Making>> = const { RefCell::new(None) };
}

/// Runs `f`, in which the memories that wasmtime wants are those of `what`.
pub(crate) fn making_now<R>(what: Making, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Making>);
    impl Drop for Restore {
        fn drop(&mut self) {
            MAKING.with(|m| *m.borrow_mut() = self.0.take());
        }
    }
    let _restore = Restore(MAKING.with(|m| m.borrow_mut().replace(what)));
    f()
}

/// The same for a future, in all of its polls.
pub(crate) async fn making<F: Future>(what: Making, f: F) -> F::Output {
    let mut f = pin::pin!(f);
    std::future::poll_fn(|cx| making_now(what.clone(), || f.as_mut().poll(cx))).await
}

/// Makes all memories of an engine.
pub(crate) struct Creator;

// SAFETY: every answer is a `LinearMemory` whose `unsafe impl` says why it is one, with the
// reservation and guard asked for, zero-filled where it is new. The kernel's is not: its contents
// are the vkernel's, and the only module that gets it is the kernel's, whose start code is made to
// initialise it once under all instances.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let making = MAKING.with(|m| m.borrow().clone());
        let reserved = reserved_size_in_bytes.unwrap_or(RESERVATION);
        match making {
            Some(Making::Kernel(memory)) => {
                let fits = minimum == memory.size() && (reserved, guard_size_in_bytes) == (RESERVATION, GUARD);
                if fits { Ok(Box::new(Alias(memory))) } else { Err("not the kernel's memory".into()) }
            }
            Some(Making::Program(space)) => space.new_memory(minimum, reserved, guard_size_in_bytes),
            None => Err("a memory outside of any address space".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(initial: u64, limit: u64, total: u64) -> (Arc<Total>, Result<Arc<Space>, Errno>) {
        let total = Total::new(total);
        let space = Space::new(&total, &Arc::default(), initial, limit);
        (total, space)
    }

    #[test]
    fn memory_is_charged_once_and_given_back() {
        let (total, space) = space(1 << 16, 3 << 16, 10 << 16);
        let space = space.unwrap();
        assert_eq!(total.used.load(Relaxed), 1 << 16);
        let mut m = space.new_memory(1 << 16, RESERVATION, GUARD).unwrap();
        assert_eq!(space.size(), 1 << 16, "the initial size was paid for at creation");
        m.grow_to(3 << 16).unwrap();
        assert!(m.grow_to(4 << 16).is_err(), "above the space's limit");
        space.set_limit(1 << 30);
        m.grow_to(10 << 16).unwrap();
        assert!(m.grow_to(11 << 16).is_err(), "above the vkernel's limit");
        assert_eq!((m.byte_size(), space.peak()), (10 << 16, 10 << 16));
        drop(m);
        assert_eq!((space.size(), total.used.load(Relaxed)), (0, 0));
        drop(space);
        assert_eq!((total.used.load(Relaxed), total.peak.load(Relaxed)), (0, 10 << 16));
    }

    #[test]
    fn a_space_above_the_limits_is_refused_and_costs_nothing() {
        assert_eq!(space(2, 1, 10).1.err(), Some(Errno::ENOMEM));
        let (total, refused) = space(20, 30, 10);
        assert_eq!(refused.err(), Some(Errno::ENOMEM));
        assert_eq!(total.used.load(Relaxed), 0);
    }

    #[test]
    fn the_kernels_memory_is_lent_within_bounds() {
        let memory = KernelMemory::new(1 << 16).unwrap();
        memory.lend(65532, 4, |b| b.copy_from_slice(&7u32.to_le_bytes())).unwrap();
        assert_eq!(memory.word(65532).unwrap().load(Relaxed), 7);
        assert_eq!(memory.lend(65533, 4, |_| ()).err(), Some(Errno::EFAULT));
        assert_eq!(memory.lend(u32::MAX, u32::MAX, |_| ()).err(), Some(Errno::EFAULT));
        assert_eq!(memory.word(2).err(), Some(Errno::EFAULT));
    }
}
