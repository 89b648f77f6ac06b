//! Reservations of address space, and the pools that spare us making them.
//!
//! A linear memory is a [`Mapping`]: 4 GiB of addresses and a guard behind them, of which the first
//! bytes can be accessed. Compiled code relies on that: it checks no bounds where the guard does it.
//! Making one costs system calls and page tables, so a program's memory goes back to a [`Pool`] when
//! the program is done, emptied. Fiber stacks are pooled likewise ([`Stacks`]).

use std::io;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, PoisonError};

use crate::pagemap;
use rustix::mm::{self, Advice, MapFlags, MprotectFlags, ProtFlags};

/// Addresses that a linear memory's 32-bit index can name.
pub(crate) const RESERVATION: usize = 4 << 30;
/// Inaccessible addresses behind, for the constant offset of an instruction.
pub(crate) const GUARD: usize = 32 << 20;

/// A private mapping, inaccessible but for its first `accessible` bytes, which began as zeros.
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
    accessible: usize,
}

// SAFETY: a `Mapping` is an address range that it owns; it is not tied to a thread, and all changes
// of it take `&mut self`.
unsafe impl Send for Mapping {}
// SAFETY: as above; through `&self` only addresses are told.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub fn reserve(len: usize) -> io::Result<Mapping> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a fresh mapping at an address of the kernel's choice touches nothing that exists.
        let base = unsafe { mm::mmap_anonymous(ptr::null_mut(), len, ProtFlags::empty(), flags) }?;
        let base = NonNull::new(base.cast()).expect("mmap answers no null");
        Ok(Mapping { base, len, accessible: 0 })
    }

    pub fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// How many bytes from the base on can be accessed.
    pub fn accessible(&self) -> usize {
        self.accessible
    }

    /// Makes exactly the first `n` bytes accessible (`n` is a multiple of the page size). What
    /// becomes accessible is zero unless it was accessible before and not discarded.
    pub fn set_accessible(&mut self, n: usize) -> io::Result<()> {
        assert!(n <= self.len);
        let (from, to, flags) = if n >= self.accessible {
            (self.accessible, n, MprotectFlags::READ | MprotectFlags::WRITE)
        } else {
            (n, self.accessible, MprotectFlags::empty())
        };
        if from != to {
            // SAFETY: the range is inside our own mapping; whoever shrinks has `&mut self`, so that
            // no linear memory uses the range any more.
            unsafe { mm::mprotect(self.base().add(from).cast(), to - from, flags) }?;
            self.accessible = n;
        }
        Ok(())
    }

    /// Gives the pages back: what is accessible reads as zeros again.
    pub fn discard(&mut self) -> io::Result<()> {
        // SAFETY: our own mapping, and `&mut self` says that nobody uses its contents.
        unsafe { mm::madvise(self.base().cast(), self.accessible, Advice::LinuxDontNeed) }?;
        Ok(())
    }

    /// Puts a private copy of the first `len` bytes of `file` at the beginning.
    pub fn map_image(&mut self, file: impl std::os::fd::AsFd, len: usize) -> io::Result<()> {
        assert!(len <= self.accessible);
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: replaces pages of our own mapping, of which `&mut self` says that nobody uses them.
        unsafe { mm::mmap(self.base().cast(), len, prot, MapFlags::PRIVATE | MapFlags::FIXED, file, 0) }?;
        Ok(())
    }
}

impl Mapping {
    /// Makes the first bytes, which are zero, a copy of `bytes`. What is zero there takes no memory here.
    pub fn copy_from(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.accessible);
        let page = rustix::param::page_size();
        pagemap::each_made(bytes.as_ptr(), bytes.len().div_ceil(page), page, |nr| {
            let unit = &bytes[nr * page..bytes.len().min((nr + 1) * page)];
            if is_zero(unit) {
                return;
            }
            // SAFETY: inside the accessible part of our own mapping, of which `&mut self` says that nobody uses it;
            // `bytes` is not of this mapping for the same reason.
            unsafe { ptr::copy_nonoverlapping(unit.as_ptr(), self.base().add(nr * page), unit.len()) };
        });
    }

    /// Puts what is accessible at `to`, and nothing is left of it here.
    ///
    /// # Safety
    /// `to` is where a mapping of another owner begins, of which as much is accessible, and nobody has a reference
    /// into it.
    pub unsafe fn move_to(&mut self, to: *mut u8) -> io::Result<()> {
        let flags = mm::MremapFlags::MAYMOVE | mm::MremapFlags::DONTUNMAP;
        let (from, len) = (self.base(), self.accessible);
        // SAFETY: our own pages, which `&mut self` says are not in use, take the place of pages that the caller
        // answers for.
        let moved = unsafe { mm::mremap_fixed(from.cast(), len, len, flags, to.cast()) };
        if moved.is_err() {
            // A host that can't move pages.
            // SAFETY: both are accessible for so long, by the caller's word and by our own.
            unsafe { ptr::copy_nonoverlapping(from, to, len) };
            self.discard()?;
        }
        Ok(())
    }
}

/// In steps that a vector register likes, up to the first that is not.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(256).all(|chunk| chunk.iter().fold(0, |any, byte| any | byte) == 0)
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and the owner is gone.
        let _ = unsafe { mm::munmap(self.base().cast(), self.len) };
    }
}

/// Emptied memories of programs, ready for the next.
#[derive(Default)]
pub(crate) struct Pool {
    free: Mutex<Vec<Mapping>>,
}

impl Pool {
    /// More than a machine full of shells spawns at a time; each costs page tables only.
    const KEEP: usize = 128;

    /// A mapping of `RESERVATION + GUARD` whose first `min` bytes are accessible and zero.
    pub fn take(&self, min: usize) -> io::Result<Mapping> {
        let found = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            // One that fits as it is spares an mprotect; the last came in last and is the warmest.
            let at = free.iter().rposition(|m| m.accessible == min);
            match at {
                Some(at) => Some(free.swap_remove(at)),
                None => free.pop(),
            }
        };
        let mut mapping = match found {
            Some(mapping) => mapping,
            None => Mapping::reserve(RESERVATION + GUARD)?,
        };
        mapping.set_accessible(min)?;
        Ok(mapping)
    }

    /// Takes one back.
    pub fn put(&self, mut mapping: Mapping) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() >= Self::KEEP || mapping.len != RESERVATION + GUARD {
            return;
        }
        drop(free);
        if mapping.discard().is_ok() {
            free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            free.push(mapping);
        }
    }
}

/// Fiber stacks: kept when their fiber is done, for the next.
#[derive(Default)]
pub(crate) struct Stacks {
    free: Arc<Mutex<Vec<Mapping>>>,
}

impl Stacks {
    const KEEP: usize = 128;
    /// What stays of a used stack: enough for a program of ordinary depth not to fault again.
    const KEEP_RESIDENT: usize = 16 << 10;
}

/// A stack in use. The guard is the first page.
struct Stack {
    mapping: Option<Mapping>,
    home: Arc<Mutex<Vec<Mapping>>>,
}

const STACK_GUARD: usize = 4096;

// SAFETY: stacks are page-aligned (they are mappings), of the size asked for, with an inaccessible
// page below; they are zero when new. A used one holds leftovers of an earlier fiber, which wasm
// code can't read (wasmtime's `async_stack_zeroing` is off for that reason).
unsafe impl wasmtime::StackCreator for Stacks {
    fn new_stack(&self, size: usize, _zeroed: bool) -> Result<Box<dyn wasmtime::StackMemory>, wasmtime::Error> {
        let size = size.next_multiple_of(4096);
        let kept = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mapping = match kept {
            Some(mapping) if mapping.len == size + STACK_GUARD => mapping,
            _ => new_stack(size)?,
        };
        Ok(Box::new(Stack { mapping: Some(mapping), home: self.free.clone() }))
    }
}

fn new_stack(size: usize) -> io::Result<Mapping> {
    let mut mapping = Mapping::reserve(size + STACK_GUARD)?;
    // Everything but the guard; `accessible` counts from the base, so it is not used for stacks.
    // SAFETY: the range is inside the mapping just made.
    unsafe {
        mm::mprotect(mapping.base().add(STACK_GUARD).cast(), size, MprotectFlags::READ | MprotectFlags::WRITE)?;
    }
    mapping.accessible = 0;
    Ok(mapping)
}

impl Stack {
    fn mapping(&self) -> &Mapping {
        self.mapping.as_ref().expect("a stack in use")
    }
}

// SAFETY: see `Stacks`; the mapping lives as long as the `Stack`.
unsafe impl wasmtime::StackMemory for Stack {
    fn top(&self) -> *mut u8 {
        self.mapping().base().wrapping_add(self.mapping().len)
    }

    fn range(&self) -> Range<usize> {
        let base = self.mapping().base() as usize;
        base + STACK_GUARD..base + self.mapping().len
    }

    fn guard_range(&self) -> Range<*mut u8> {
        let base = self.mapping().base();
        base..base.wrapping_add(STACK_GUARD)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mapping = self.mapping.take().expect("a stack in use");
        let deep = mapping.len - STACK_GUARD - Stacks::KEEP_RESIDENT.min(mapping.len - STACK_GUARD);
        // SAFETY: our own mapping; the fiber is done with it.
        let emptied = unsafe { mm::madvise(mapping.base().add(STACK_GUARD).cast(), deep, Advice::LinuxDontNeed) };
        let mut free = self.home.lock().unwrap_or_else(PoisonError::into_inner);
        if emptied.is_ok() && free.len() < Stacks::KEEP {
            free.push(mapping);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::StackCreator;

    fn get(m: &Mapping, at: usize) -> u8 {
        assert!(at < m.accessible);
        // SAFETY: accessible, and only this thread uses it.
        unsafe { m.base().add(at).read() }
    }
    fn set(m: &Mapping, at: usize, byte: u8) {
        assert!(at < m.accessible);
        // SAFETY: as for `get`.
        unsafe { m.base().add(at).write(byte) }
    }

    #[test]
    fn a_memory_comes_back_empty_and_of_the_size_asked_for() {
        let pool = Pool::default();
        let mut m = pool.take(1 << 16).unwrap();
        m.set_accessible(3 << 16).unwrap();
        set(&m, 5, 1);
        set(&m, (3 << 16) - 1, 2);
        let base = m.base();
        pool.put(m);
        let m = pool.take(1 << 16).unwrap();
        assert_eq!((m.base(), m.accessible), (base, 1 << 16));
        assert_eq!(get(&m, 5), 0);
        pool.put(m);
        let m = pool.take(3 << 16).unwrap();
        assert_eq!(get(&m, (3 << 16) - 1), 0);
    }

    #[test]
    fn an_image_is_copied_on_write() {
        let fd = rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        rustix::io::write(&fd, &[7; 8192]).unwrap();
        let mut m = Mapping::reserve(1 << 16).unwrap();
        m.set_accessible(1 << 16).unwrap();
        m.map_image(&fd, 8192).unwrap();
        set(&m, 0, 9);
        assert_eq!((get(&m, 0), get(&m, 8191), get(&m, 8192)), (9, 7, 0));
        let mut first = [0; 1];
        rustix::io::pread(&fd, &mut first, 0).unwrap();
        assert_eq!(first, [7]);
    }

    #[test]
    fn a_copy_is_moved_to_its_place_and_leaves_nothing_behind() {
        let bytes: Vec<u8> = (0..3 << 16).map(|i| if i / 8192 % 2 == 0 { 0 } else { i as u8 }).collect();
        let (pool, mut to) = (Pool::default(), Mapping::reserve(1 << 20).unwrap());
        to.set_accessible(bytes.len()).unwrap();
        set(&to, 0, 99);
        let mut copy = pool.take(bytes.len()).unwrap();
        copy.copy_from(&bytes);
        // SAFETY: of this test, accessible for so long.
        unsafe { copy.move_to(to.base()) }.unwrap();
        assert!((0..bytes.len()).all(|at| get(&to, at) == bytes[at] && get(&copy, at) == 0));
    }

    #[test]
    fn stacks_are_used_again() {
        let stacks = Stacks::default();
        let first = stacks.new_stack(1 << 20, false).unwrap();
        let range = first.range();
        assert_eq!((range.len(), first.top() as usize), (1 << 20, range.end));
        drop(first);
        assert_eq!(stacks.new_stack(1 << 20, false).unwrap().range(), range);
    }
}
