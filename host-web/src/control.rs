//! The control block: what the CPUs of a vkernel, and in an isolated page the main thread, share
//! beside the kernel's memory.
//!
//! A shared buffer of 32-bit words, used through `Atomics`. A page that is not isolated has one CPU
//! and its own block: the same code runs on it, and nobody contends. The map:
//!
//! | words | what |
//! | --- | --- |
//! | 0.. | [`word`]: counters of the whole machine |
//! | [`CPU_BASE`].. | a block for each CPU: see [`cpu`] |
//! | [`LWP_BASE`].. | where each lwp is: lwp, CPU, CPU time in ns (two words), address space, its pages |
//! | bytes from [`UNIT_BASE`] | a block for each attached device: see `units` |
//!
//! Its locks are held for a few instructions by workers only. None is taken while another is held.

use js_sys::{Atomics, Int32Array, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::js;
use crate::units::{UNIT_BYTES, UNITS};

pub const CPUS_MAX: u32 = 4;

/// Words of the whole machine.
pub mod word {
    /// Not 0: the vkernel has ended.
    pub const ENDED: u32 = 0;
    pub const NEXT_IMAGE: u32 = 1;
    /// Address spaces in use; engines have room for so many memories and no more.
    pub const VMSPACES: u32 = 2;
    pub const LWPS_LOCK: u32 = 3;
}

const CPU_BASE: u32 = 64;
const CPU_WORDS: u32 = 5120;
/// Words of a CPU's block.
pub mod cpu {
    /// Counts reasons to wake up; an idle CPU waits on it.
    pub const WAKE: u32 = 0;
    /// Messages that were posted to it by `postMessage`.
    pub const MAIL: u32 = 1;
    /// Its lwps.
    pub const LOAD: u32 = 2;
    /// It takes lwps.
    pub const ONLINE: u32 = 3;
    pub const REQUESTS_LOCK: u32 = 4;
    pub const REQUESTS: u32 = 5;
    /// A request was dropped for lack of room: every sleeper shall look for itself, and every program ask.
    pub const OVERFLOW: u32 = 6;
    /// It waits for its word to change, or has the engine do so: who changes the word must notify.
    pub const ASLEEP: u32 = 7;
    /// How many lwps are parked on words of each hash.
    pub const PARKED: u32 = 64;
    pub const PARKED_SLOTS: u32 = 256;
    /// The requests: kind and three arguments each.
    pub const RING: u32 = 512;
    pub const RING_MAX: u32 = 1024;
    pub const REQUEST_WORDS: u32 = 4;
}
const _: () = assert!(cpu::RING + cpu::RING_MAX * cpu::REQUEST_WORDS <= CPU_WORDS);

const LWP_BASE: u32 = CPU_BASE + CPUS_MAX * CPU_WORDS;
const LWPS_MAX: u32 = 512;
const LWP_WORDS: u32 = 6;

/// In bytes, above all words.
pub const UNIT_BASE: u32 = 128 << 10;
pub const BYTES: u32 = UNIT_BASE + UNITS * UNIT_BYTES;
const _: () = assert!((LWP_BASE + LWPS_MAX * LWP_WORDS) * 4 <= UNIT_BASE);

/// What one CPU asks of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// A new lwp in this vmspace is yours.
    Create {
        lwp: u32,
        vmspace: u32,
        /// In pages.
        limit: u32,
    },
    Unpark {
        word: u32,
        n: u32,
    },
    Kick {
        lwp: u32,
        how: u32,
    },
    /// This attached device has room for input again.
    Refill {
        unit: u32,
    },
    /// The kernel has forgotten this image.
    Close {
        image: u32,
    },
    /// Memories are short: have the engine collect the dead ones of this CPU.
    Collect,
}

impl Request {
    fn encode(self) -> [i32; cpu::REQUEST_WORDS as usize] {
        match self {
            Request::Create { lwp, vmspace, limit } => [1, lwp as i32, vmspace as i32, limit as i32],
            Request::Unpark { word, n } => [2, word as i32, n as i32, 0],
            Request::Kick { lwp, how } => [3, lwp as i32, how as i32, 0],
            Request::Refill { unit } => [4, unit as i32, 0, 0],
            Request::Close { image } => [5, image as i32, 0, 0],
            Request::Collect => [6, 0, 0, 0],
        }
    }
    fn decode([kind, a, b, c]: [i32; cpu::REQUEST_WORDS as usize]) -> Request {
        let (a, b, c) = (a as u32, b as u32, c as u32);
        match kind {
            1 => Request::Create { lwp: a, vmspace: b, limit: c },
            2 => Request::Unpark { word: a, n: b },
            3 => Request::Kick { lwp: a, how: b },
            4 => Request::Refill { unit: a },
            5 => Request::Close { image: a },
            _ => Request::Collect,
        }
    }
}

#[derive(Clone)]
pub struct Control {
    /// The buffer, to be posted to other workers.
    pub buffer: JsValue,
    words: Int32Array,
    bytes: Uint8Array,
}

impl Control {
    pub fn over(buffer: JsValue) -> Control {
        Control { words: Int32Array::new(&buffer), bytes: Uint8Array::new(&buffer), buffer }
    }

    pub fn bytes(&self) -> &Uint8Array {
        &self.bytes
    }
    pub fn load(&self, at: u32) -> i32 {
        js::atomic_load(&self.words, at)
    }
    pub fn store(&self, at: u32, value: i32) {
        js::atomic_store(&self.words, at, value);
    }
    /// Answers the value before.
    pub fn add(&self, at: u32, value: i32) -> i32 {
        js::atomic_add(&self.words, at, value)
    }
    pub fn exchange(&self, at: u32, value: i32) -> i32 {
        js::atomic_exchange(&self.words, at, value)
    }
    pub fn notify(&self, at: u32) {
        let _ = Atomics::notify(&self.words, at);
    }
    /// Blocks this worker while the word has this value, at most so many milliseconds.
    pub fn wait(&self, at: u32, value: i32, timeout_ms: f64) {
        let _ = Atomics::wait_with_timeout(&self.words, at, value, timeout_ms);
    }
    pub fn words(&self) -> &Int32Array {
        &self.words
    }

    /// Runs `f` with the lock at this word held.
    pub fn locked<R>(&self, lock: u32, f: impl FnOnce() -> R) -> R {
        while Atomics::compare_exchange(&self.words, lock, 0, 1).unwrap_or(0) != 0 {}
        let r = f();
        self.store(lock, 0);
        r
    }

    pub fn cpu(&self, nr: u32, at: u32) -> u32 {
        CPU_BASE + nr * CPU_WORDS + at
    }

    /// Hands a CPU a request. Wake-ups and kicks may be dropped when it is far behind; it then wakes all, and
    /// kicks all. (Who kicks may hold a lock that the other CPU waits for, so there is no waiting for room.)
    pub fn request(&self, to: u32, request: Request) {
        let at = |w| self.cpu(to, w);
        loop {
            let done = self.locked(at(cpu::REQUESTS_LOCK), || {
                let n = self.load(at(cpu::REQUESTS)) as u32;
                if n == cpu::RING_MAX {
                    if let Request::Unpark { .. } | Request::Kick { .. } = request {
                        self.store(at(cpu::OVERFLOW), 1);
                        return true;
                    }
                    return false;
                }
                for (i, value) in (0..).zip(request.encode()) {
                    self.words.set_index(at(cpu::RING) + n * cpu::REQUEST_WORDS + i, value);
                }
                self.store(at(cpu::REQUESTS), n as i32 + 1);
                true
            });
            if done {
                return self.wake(to);
            }
        }
    }

    /// Takes all requests to this CPU, in order; and whether any were dropped.
    pub fn requests(&self, nr: u32) -> (Vec<Request>, bool) {
        let at = |w| self.cpu(nr, w);
        if self.load(at(cpu::REQUESTS)) == 0 && self.load(at(cpu::OVERFLOW)) == 0 {
            return (Vec::new(), false);
        }
        self.locked(at(cpu::REQUESTS_LOCK), || {
            let n = self.exchange(at(cpu::REQUESTS), 0) as u32;
            let entry = |i| {
                let word = |k| self.words.get_index(at(cpu::RING) + i * cpu::REQUEST_WORDS + k);
                Request::decode([word(0), word(1), word(2), word(3)])
            };
            ((0..n).map(entry).collect(), self.exchange(at(cpu::OVERFLOW), 0) != 0)
        })
    }

    /// Gets an idle CPU to look. One that runs a program looks at its bell.
    pub fn wake(&self, nr: u32) {
        let wake = self.cpu(nr, cpu::WAKE);
        self.add(wake, 1);
        // It says that it sleeps before it compares the word, so one of us sees the other. Notifying
        // costs a system call.
        if self.load(self.cpu(nr, cpu::ASLEEP)) != 0 {
            self.notify(wake);
        }
    }

    /// The word that counts sleepers on kernel words of one hash.
    pub fn parked(&self, nr: u32, kernel_word: u32) -> u32 {
        let hash = (kernel_word >> 2).wrapping_mul(0x9e37_79b9) >> 24;
        self.cpu(nr, cpu::PARKED + hash % cpu::PARKED_SLOTS)
    }

    fn lwp_entry(&self, lwp: u32) -> Option<u32> {
        (0..LWPS_MAX).map(|i| LWP_BASE + i * LWP_WORDS).find(|&at| self.words.get_index(at) as u32 == lwp)
    }

    /// Writes down where a new lwp is. False when the table is full.
    pub fn lwp_add(&self, lwp: u32, cpu: u32) -> bool {
        self.locked(word::LWPS_LOCK, || {
            let Some(at) = self.lwp_entry(0) else { return false };
            self.words.set_index(at + 1, cpu as i32);
            (2..LWP_WORDS).for_each(|word| self.words.set_index(at + word, 0));
            self.words.set_index(at, lwp as i32);
            true
        })
    }

    pub fn lwp_remove(&self, lwp: u32) {
        self.locked(word::LWPS_LOCK, || {
            if let Some(at) = self.lwp_entry(lwp) {
                self.words.set_index(at, 0);
            }
        });
    }

    /// The CPU of an lwp.
    pub fn lwp_cpu(&self, lwp: u32) -> Option<u32> {
        self.locked(word::LWPS_LOCK, || self.lwp_entry(lwp).map(|at| self.words.get_index(at + 1) as u32))
    }

    /// The CPU time that an lwp had when it was last switched from, for other CPUs.
    pub fn lwp_time_ns(&self, lwp: u32) -> u64 {
        self.locked(word::LWPS_LOCK, || {
            let word = |at| u64::from(self.words.get_index(at) as u32);
            self.lwp_entry(lwp).map_or(0, |at| word(at + 2) | word(at + 3) << 32)
        })
    }

    /// How many pages the address space of an lwp had when the lwp was last switched from, for other CPUs.
    pub fn vmspace_pages(&self, vmspace: u32) -> u32 {
        self.locked(word::LWPS_LOCK, || {
            let word = |at| self.words.get_index(at) as u32;
            let mut entries = (0..LWPS_MAX).map(|i| LWP_BASE + i * LWP_WORDS);
            entries.find(|&at| word(at) != 0 && word(at + 4) == vmspace).map_or(0, |at| word(at + 5))
        })
    }

    /// Where CPU time and size of an lwp are written down, as long as there is the lwp.
    pub fn lwp_place(&self, lwp: u32) -> Option<u32> {
        self.locked(word::LWPS_LOCK, || self.lwp_entry(lwp))
    }

    pub fn lwp_set_pages(&self, at: u32, vmspace: u32, pages: u32) {
        self.store(at + 5, pages as i32);
        self.store(at + 4, vmspace as i32);
    }

    /// `before` is what was written last. Who reads has the lock, so one word alone needs none.
    pub fn lwp_set_time(&self, at: u32, before: u64, ns: u64) {
        if before >> 32 == ns >> 32 {
            return self.store(at + 2, ns as i32);
        }
        self.locked(word::LWPS_LOCK, || {
            self.store(at + 2, ns as i32);
            self.store(at + 3, (ns >> 32) as i32);
        });
    }
}
