//! The board: what the service and the threads share beside the kernel's memory.
//!
//! A page of shared memory of 32-bit words, used through `Atomics`: a block of [`WORDS`] words for each thread. A
//! second page has the bells, as the stub wants them: 64 bytes a thread, the bell and the budget. Both are memories
//! because all engines share those between workers.
//!
//! A thread's state goes from none to coming (its worker is being made), idle, busy with an lwp, idle again. Whoever
//! exchanges idle for busy has the thread for its lwp; the thread itself makes it idle. When memories are short the service
//! has idle threads leave, with the garbage of their programs.

use js_sys::{Atomics, Int32Array};
use wasm_bindgen::prelude::*;

use crate::js;
use crate::kmem::shared_memory;

/// Lwps at once.
pub const THREADS_MAX: u32 = 64;
const WORDS: u32 = 16;
/// Between two threads' bells, in words: a cache line.
const BELL_WORDS: u32 = 16;
/// No lwp.
pub const NOBODY: u32 = 0;

pub mod state {
    pub const NONE: i32 = 0;
    pub const COMING: i32 = 1;
    pub const IDLE: i32 = 2;
    pub const BUSY: i32 = 3;
    /// Its worker is to end, and then there is none.
    pub const LEAVING: i32 = 4;
}

/// Words of a thread.
pub mod at {
    pub const STATE: u32 = 0;
    /// Counts the lwps it was given; an idle thread waits on it.
    pub const JOBS: u32 = 1;
    pub const LWP: u32 = 2;
    pub const VMSPACE: u32 = 3;
    /// The most pages that its address space may have.
    pub const LIMIT: u32 = 4;
    /// Counts the service's answers; one that has asked waits on it.
    pub const ANSWERS: u32 = 5;
    pub const ANSWER: u32 = 6;
    pub const ANSWER_HIGH: u32 = 7;
    /// The kernel word it sleeps on, or 0.
    pub const PARKED: u32 = 8;
    /// CPU time of its lwp when it last slept, in microseconds.
    pub const CPU_US: u32 = 9;
    /// Not 0: it is idle in its event loop, where only a message wakes it.
    pub const LOOPING: u32 = 10;
    /// Not 0: the lwp it was given is forked; what its memory will be is posted.
    pub const FORKED: u32 = 11;
    /// Pages of its memory when its lwp last slept.
    pub const PAGES: u32 = 12;
}

#[wasm_bindgen]
extern "C" {
    /// Answers "ok", "not-equal" or "timed-out".
    #[wasm_bindgen(js_namespace = Atomics, js_name = wait)]
    fn atomics_wait(words: &Int32Array, index: u32, value: i32, timeout_ms: f64) -> JsValue;
}

thread_local! {
    static TIMED_OUT: JsValue = JsValue::from_str("timed-out");
    static NOT_EQUAL: JsValue = JsValue::from_str("not-equal");
}

/// How an `Atomics.wait` ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waited {
    Notified,
    Changed,
    TimedOut,
}

/// Blocks this worker while the word has this value.
pub fn wait(words: &Int32Array, index: u32, value: i32, timeout_ms: f64) -> Waited {
    let how = atomics_wait(words, index, value, timeout_ms);
    if TIMED_OUT.with(|text| *text == how) {
        return Waited::TimedOut;
    }
    if NOT_EQUAL.with(|text| *text == how) { Waited::Changed } else { Waited::Notified }
}

#[derive(Clone)]
pub struct Board {
    /// The memories, to be posted to other workers.
    pub memory: JsValue,
    pub bells: JsValue,
    words: Int32Array,
    bell_words: Int32Array,
}

impl Board {
    pub fn make() -> Result<Board, JsValue> {
        Ok(Board::over(shared_memory(1, 1)?, shared_memory(1, 1)?))
    }

    pub fn over(memory: JsValue, bells: JsValue) -> Board {
        let words = |memory| Int32Array::new(&js::get(memory, "buffer"));
        Board { words: words(&memory), bell_words: words(&bells), memory, bells }
    }

    pub fn words(&self) -> &Int32Array {
        &self.words
    }
    pub fn index(nr: u32, at: u32) -> u32 {
        nr * WORDS + at
    }
    // The index is in bounds and the array is one of integers, so these cannot throw.
    pub fn load(&self, nr: u32, at: u32) -> i32 {
        Atomics::load(&self.words, Self::index(nr, at)).unwrap_or(0)
    }
    pub fn store(&self, nr: u32, at: u32, value: i32) {
        let _ = Atomics::store(&self.words, Self::index(nr, at), value);
    }
    /// Answers the value before.
    pub fn exchange(&self, nr: u32, at: u32, value: i32) -> i32 {
        Atomics::exchange(&self.words, Self::index(nr, at), value).unwrap_or(0)
    }
    fn count(&self, nr: u32, at: u32) {
        let _ = Atomics::add(&self.words, Self::index(nr, at), 1);
        let _ = Atomics::notify(&self.words, Self::index(nr, at));
    }
    /// Whether the thread's state was `from` and is `to` now.
    pub fn turn(&self, nr: u32, from: i32, to: i32) -> bool {
        Atomics::compare_exchange(&self.words, Self::index(nr, at::STATE), from, to) == Ok(from)
    }
    pub fn threads(&self) -> std::ops::Range<u32> {
        0..THREADS_MAX
    }
    pub fn is(&self, nr: u32, state: i32) -> bool {
        self.load(nr, at::STATE) == state
    }

    // ---- lwps

    /// A thread for a new lwp. The first that is idle, so that few have the garbage of programs.
    pub fn take(&self) -> Option<u32> {
        self.threads().find(|&nr| self.turn(nr, state::IDLE, state::BUSY))
    }

    /// Has a thread that was taken run an lwp.
    pub fn give(&self, nr: u32, lwp: u32, vmspace: u32, limit_pages: u32, forked: bool) {
        self.store(nr, at::CPU_US, 0);
        self.store(nr, at::PAGES, 0);
        self.store(nr, at::VMSPACE, vmspace as i32);
        self.store(nr, at::LIMIT, limit_pages as i32);
        self.store(nr, at::FORKED, forked.into());
        self.set_bell(nr, 0);
        self.store(nr, at::LWP, lwp as i32);
        self.count(nr, at::JOBS);
    }

    pub fn find(&self, lwp: u32) -> Option<u32> {
        self.threads().find(|&nr| self.load(nr, at::LWP) as u32 == lwp)
    }

    /// Pages of an address space, when its lwp last slept.
    pub fn pages(&self, vmspace: u32) -> u32 {
        let nr = self.threads().find(|&nr| self.is(nr, state::BUSY) && self.load(nr, at::VMSPACE) as u32 == vmspace);
        nr.map_or(0, |nr| self.load(nr, at::PAGES) as u32)
    }

    /// Has an idle thread's worker end. False when it is not idle.
    pub fn dismiss(&self, nr: u32) -> bool {
        let idle = self.turn(nr, state::IDLE, state::LEAVING);
        if idle {
            let _ = Atomics::notify(&self.words, Self::index(nr, at::JOBS));
        }
        idle
    }

    // ---- answers

    pub fn answer(&self, nr: u32, low: i32, high: i32) {
        self.store(nr, at::ANSWER, low);
        self.store(nr, at::ANSWER_HIGH, high);
        self.count(nr, at::ANSWERS);
    }

    // ---- bells

    /// Answers what it was.
    pub fn set_bell(&self, nr: u32, value: i32) -> i32 {
        Atomics::exchange(&self.bell_words, nr * BELL_WORDS, value).unwrap_or(0)
    }
    pub fn set_budget(&self, nr: u32, checks: i32) {
        self.bell_words.set_index(nr * BELL_WORDS + 1, checks);
    }
    /// Where a thread's bell is in its memory, in bytes.
    pub fn bell_offset(nr: u32) -> u32 {
        nr * BELL_WORDS * 4
    }

    /// Gets a thread to look around, whatever it is at. To be repeated: it may be about to sleep.
    pub fn rouse(&self, nr: u32, kernel_words: &Int32Array) {
        self.set_bell(nr, 1);
        for word in [at::JOBS, at::ANSWERS] {
            let _ = Atomics::notify(&self.words, Self::index(nr, word));
        }
        match self.load(nr, at::PARKED) as u32 {
            0 => {}
            word => _ = Atomics::notify(kernel_words, word >> 2),
        }
    }
}
