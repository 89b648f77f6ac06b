//! Who runs next: the lwps of one vkernel, those that are ready, those that are parked, and the
//! deadlines.
//!
//! An lwp has a *slot*. It is ready (in the queue), running, parked on a word of kernel memory, or
//! waits for a future of the host. `unpark` moves it from the word's queue straight to the end of
//! the ready queue: no channel and no waker between two lwps. A slot is used again after its lwp has
//! gone; what may come late (deadlines, wake-ups of futures) carries the number of the wait or of
//! the lwp it was meant for.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use abi::trapframe::kick;

/// The index of an lwp's slot.
pub type SlotId = u32;
const NONE: SlotId = SlotId::MAX;

/// Why a parked lwp goes on. The answers of the hypercall.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Woken {
    Unparked = 0,
    TimedOut = 2,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Free,
    Ready,
    Running,
    /// In the queue of this word.
    Parked(u32),
    /// Awaits something of the host's.
    Waiting,
    /// Stopped in user code.
    Held,
}

pub struct Slot {
    pub lwp: u32,
    pub vmspace: u32,
    /// Tells this lwp from earlier and later users of the slot.
    pub tenant: u64,
    state: State,
    /// Why it was made ready, until it has looked.
    woken: Option<Woken>,
    /// Number of its last wait; a deadline with another one is stale.
    wait: u64,
    /// Neighbours in the word's queue.
    next: SlotId,
    prev: SlotId,
    pub cpu_ns: u64,
    /// How much of the CPU it may have, of `WEIGHTS`.
    weight: u32,
    /// While anybody is niced: the time it has had, in ns of one that isn't.
    virtual_ns: u64,
    /// Stopped at an epoch check in user code.
    pub preempted: bool,
    /// Is to leave user code instead of going on there.
    pub kicked: bool,
    /// Stands still in user code until it is told to go on.
    pub held: bool,
    /// Is to look for signals before it goes on in user code.
    pub signaled: bool,
}

/// A word's address is as good as random; three operations will do.
#[derive(Default)]
pub struct WordHasher(u64);

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.write_u32(u32::from(b));
        }
    }
    fn write_u32(&mut self, word: u32) {
        let h = (self.0 ^ u64::from(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = h ^ (h >> 32);
    }
}

type WordMap<T> = HashMap<u32, T, BuildHasherDefault<WordHasher>>;

#[derive(Default)]
pub struct Sched {
    slots: Vec<Slot>,
    free: Vec<SlotId>,
    by_lwp: WordMap<SlotId>,
    ready: VecDeque<SlotId>,
    /// First and last lwp parked on each word.
    parked: WordMap<(SlotId, SlotId)>,
    /// Deadline, slot, wait.
    deadlines: BinaryHeap<Reverse<(u64, SlotId, u64)>>,
    /// The earliest of them, `u64::MAX` without; may be stale, never late.
    pub next_deadline: u64,
    tenants: u64,
    waits: u64,
    /// The slot that is being polled and since when.
    running: Option<(SlotId, u64)>,
    /// How many slots have another weight than most.
    niced: u32,
    /// The virtual time of the last that was chosen: who was asleep can't have saved up more.
    floor_ns: u64,
}

/// The weight of each nice value from -20 on: a step is a tenth of the CPU between two that want all of it.
/// Linux's (`sched_prio_to_weight`).
const WEIGHTS: [u32; 40] = [
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501,
    1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
];
const PLAIN: u32 = WEIGHTS[20];

impl Sched {
    pub fn new() -> Self {
        Sched { next_deadline: u64::MAX, ..Sched::default() }
    }

    /// A new lwp, ready to run.
    pub fn create(&mut self, lwp: u32, vmspace: u32) -> SlotId {
        self.tenants += 1;
        let slot = Slot {
            lwp,
            vmspace,
            tenant: self.tenants,
            state: State::Ready,
            woken: None,
            wait: 0,
            next: NONE,
            prev: NONE,
            cpu_ns: 0,
            weight: PLAIN,
            virtual_ns: self.floor_ns,
            preempted: false,
            kicked: false,
            held: false,
            signaled: false,
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.slots[id as usize] = slot;
                id
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as SlotId - 1
            }
        };
        self.by_lwp.insert(lwp, id);
        self.ready.push_back(id);
        id
    }

    /// The lwp in this slot is over; it is the running one.
    pub fn gone(&mut self, id: SlotId) {
        let slot = &mut self.slots[id as usize];
        slot.state = State::Free;
        self.niced -= u32::from(slot.weight != PLAIN);
        self.by_lwp.remove(&slot.lwp);
        self.free.push(id);
    }

    pub fn slot(&mut self, id: SlotId) -> &mut Slot {
        &mut self.slots[id as usize]
    }

    pub fn find(&mut self, lwp: u32) -> Option<&mut Slot> {
        let id = *self.by_lwp.get(&lwp)?;
        self.slots.get_mut(id as usize)
    }

    pub fn lwps(&self) -> usize {
        self.by_lwp.len()
    }

    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether one is ready that was not preempted: it was asleep, and has something to do at last.
    pub fn has_woken(&self) -> bool {
        self.ready.iter().any(|&id| !self.slots[id as usize].preempted)
    }

    /// The next to be polled; its time runs from `now`.
    #[inline]
    pub fn begin(&mut self, now: u64) -> Option<SlotId> {
        let id = if self.niced == 0 { self.ready.pop_front()? } else { self.least()? };
        self.slots[id as usize].state = State::Running;
        self.running = Some((id, now));
        Some(id)
    }

    /// Of those that are ready the one that has had the least of its share, the first of several. Nobody
    /// waits for ever: who runs comes nearer to the others.
    #[cold]
    fn least(&mut self) -> Option<SlotId> {
        let had = |id: &SlotId| self.slots[*id as usize].virtual_ns;
        let (at, _) = self.ready.iter().enumerate().min_by_key(|(_, id)| had(id))?;
        let id = self.ready.remove(at)?;
        self.floor_ns = self.floor_ns.max(self.slots[id as usize].virtual_ns);
        Some(id)
    }

    /// From now on an lwp has this nice value.
    fn set_nice(&mut self, id: SlotId, nice: usize) {
        let Some(&weight) = WEIGHTS.get(nice) else { return };
        let slot = &mut self.slots[id as usize];
        let before = std::mem::replace(&mut slot.weight, weight);
        if self.niced == 0 && weight != PLAIN {
            // Nobody has counted until now.
            self.slots.iter_mut().for_each(|s| s.virtual_ns = self.floor_ns);
        }
        self.niced = self.niced + u32::from(weight != PLAIN) - u32::from(before != PLAIN);
    }

    /// The poll is over. An lwp that has not said what it waits for waits for a future.
    #[inline]
    pub fn end(&mut self, now: u64) {
        if let Some((id, since)) = self.running.take() {
            let slot = &mut self.slots[id as usize];
            let ns = now.saturating_sub(since);
            slot.cpu_ns += ns;
            if self.niced > 0 {
                slot.virtual_ns += ns * u64::from(PLAIN) / u64::from(slot.weight);
            }
            if slot.state == State::Running {
                slot.state = State::Waiting;
            }
        }
    }

    /// CPU time of an lwp, what is running now included.
    pub fn cpu_ns(&mut self, lwp: u32, now: u64) -> u64 {
        let running = self.running;
        let Some(&id) = self.by_lwp.get(&lwp) else { return 0 };
        let current = running.filter(|r| r.0 == id).map_or(0, |r| now.saturating_sub(r.1));
        self.slots[id as usize].cpu_ns + current
    }

    /// Since when the running lwp has run without a sleep.
    pub fn running_since(&self) -> u64 {
        self.running.map_or(0, |r| r.1)
    }

    /// The running lwp goes to the end of the queue.
    pub fn yield_now(&mut self, id: SlotId) {
        self.slots[id as usize].state = State::Ready;
        self.ready.push_back(id);
    }

    /// The running lwp sleeps on `word`.
    pub fn park(&mut self, id: SlotId, word: u32, deadline_ns: u64) {
        self.waits += 1;
        let last = match self.parked.entry(word) {
            std::collections::hash_map::Entry::Occupied(mut queue) => std::mem::replace(&mut queue.get_mut().1, id),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert((id, id));
                NONE
            }
        };
        if last != NONE {
            self.slots[last as usize].next = id;
        }
        let slot = &mut self.slots[id as usize];
        (slot.prev, slot.next) = (last, NONE);
        slot.state = State::Parked(word);
        slot.woken = None;
        slot.wait = self.waits;
        if deadline_ns != u64::MAX {
            self.forget_stale_deadlines();
            self.deadlines.push(Reverse((deadline_ns, id, self.waits)));
            self.next_deadline = self.next_deadline.min(deadline_ns);
        }
    }

    /// Deadlines of waits that ended otherwise stay in the heap; this bounds how many.
    fn forget_stale_deadlines(&mut self) {
        if self.deadlines.len() > 64 + 4 * self.slots.len() {
            let slots = &self.slots;
            self.deadlines.retain(|Reverse((_, id, wait))| {
                let slot = &slots[*id as usize];
                slot.wait == *wait && matches!(slot.state, State::Parked(_))
            });
        }
    }

    /// Why the lwp was woken, once.
    pub fn take_woken(&mut self, id: SlotId) -> Option<Woken> {
        self.slots[id as usize].woken.take()
    }

    /// Wakes up to `n` lwps parked on `word`, the longest sleepers first.
    pub fn unpark(&mut self, word: u32, n: u32) -> u32 {
        let mut woken = 0;
        while woken < n {
            let Some(&(first, _)) = self.parked.get(&word) else { break };
            self.wake(first, word, Woken::Unparked);
            woken += 1;
        }
        woken
    }

    /// Wakes every parked lwp: wake-ups were lost, and each must look for itself.
    pub fn unpark_all(&mut self) {
        let words: Vec<u32> = self.parked.keys().copied().collect();
        for word in words {
            self.unpark(word, u32::MAX);
        }
    }

    fn wake(&mut self, id: SlotId, word: u32, why: Woken) {
        let slot = &mut self.slots[id as usize];
        let (prev, next) = (slot.prev, slot.next);
        slot.state = State::Ready;
        slot.woken = Some(why);
        slot.virtual_ns = slot.virtual_ns.max(self.floor_ns);
        if prev == NONE && next == NONE {
            self.parked.remove(&word);
        } else if let Some(queue) = self.parked.get_mut(&word) {
            if prev == NONE {
                queue.0 = next;
            } else {
                self.slots[prev as usize].next = next;
            }
            if next == NONE {
                queue.1 = prev;
            } else {
                self.slots[next as usize].prev = prev;
            }
        }
        self.ready.push_back(id);
    }

    /// Wakes those whose time has come.
    pub fn expire(&mut self, now: u64) {
        while let Some(&Reverse((at, id, wait))) = self.deadlines.peek() {
            if at > now {
                break;
            }
            self.deadlines.pop();
            let slot = &self.slots[id as usize];
            if let State::Parked(word) = slot.state
                && slot.wait == wait
            {
                self.wake(id, word, Woken::TimedOut);
            }
        }
        self.next_deadline = self.deadlines.peek().map_or(u64::MAX, |d| d.0.0);
    }

    /// The next deadline that somebody still waits for.
    pub fn live_deadline(&mut self) -> u64 {
        while let Some(&Reverse((_, id, wait))) = self.deadlines.peek() {
            let slot = &self.slots[id as usize];
            if slot.wait == wait && matches!(slot.state, State::Parked(_)) {
                break;
            }
            self.deadlines.pop();
        }
        self.next_deadline = self.deadlines.peek().map_or(u64::MAX, |d| d.0.0);
        self.next_deadline
    }

    /// A future of the host's has something for this lwp.
    pub fn ready(&mut self, id: SlotId, tenant: u64) {
        if let Some(slot) = self.slots.get_mut(id as usize)
            && slot.tenant == tenant
            && slot.state == State::Waiting
        {
            slot.state = State::Ready;
            self.ready.push_back(id);
        }
    }

    /// The running lwp, in user code, stands still from now on.
    pub fn hold(&mut self, id: SlotId) {
        self.slots[id as usize].state = State::Held;
    }

    /// Kicks were lost: whoever is in user code is to ask the kernel.
    pub fn kick_all(&mut self) {
        let preempted: Vec<u32> = self.slots.iter().filter(|s| s.preempted).map(|s| s.lwp).collect();
        for lwp in preempted {
            self.kick(lwp, kick::LEAVE);
        }
    }

    /// Acts on an lwp that is in user code, which means preempted: this very call runs another.
    pub fn kick(&mut self, lwp: u32, how: u32) {
        let Some(&id) = self.by_lwp.get(&lwp) else { return };
        if how >= kick::NICE {
            return self.set_nice(id, (how - kick::NICE) as usize);
        }
        let slot = &mut self.slots[id as usize];
        if !slot.preempted {
            return;
        }
        match how {
            kick::LEAVE => slot.kicked = true,
            kick::STOP => slot.held = true,
            kick::SIGNAL => slot.signaled = true,
            _ => slot.held = false,
        }
        if slot.state == State::Held && (slot.kicked || !slot.held) {
            slot.state = State::Ready;
            self.ready.push_back(id);
        }
    }
}

#[cfg(test)]
mod tests;
