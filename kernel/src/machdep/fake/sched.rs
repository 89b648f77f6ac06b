//! The baton: threads of which one runs at a time, chosen by a seeded scheduler.
//!
//! Each lwp is a thread of the test's process, but only the one that holds the baton moves. It may
//! lose it at *points*: before each lock, when a system call begins and ends, when it sleeps. Who
//! gets it next is drawn from the seed, so an interleaving is a pure function of the seed. The test
//! itself is the controller: it runs when the others have reached what it asked for.
//!
//! A slot is made by [`Sched::spawn`], is `Ready` or asleep while it lives, and `Done` when its body has
//! returned. A panic in a body is a failure of the whole simulation, told to the controller; the
//! remaining threads are then left where they stand.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::rng::Rng;
use crate::machdep::Parked;

mod control;

/// A thread of the simulation.
pub type Tid = usize;

/// More points than one run of any test needs: who comes here runs in circles.
const POINTS_MAX: u64 = 10_000_000;
/// Turns of a spin lock with nobody making progress that are a deadlock.
const SPINS_MAX: u32 = 20_000;

/// What a thread does when it hasn't the baton.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Could run.
    Ready,
    /// Asleep on a futex word, known by its address.
    Parked {
        word: usize,
        deadline_ns: u64,
    },
    /// In user code, waiting for the test to give it something to do.
    Idle,
    Done,
}

struct Slot {
    name: String,
    status: Status,
    /// How its last sleep ended.
    woken: Parked,
    turn: Arc<Condvar>,
    points: u64,
}

/// When the controller wants the baton back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goal {
    /// Nobody can run.
    Quiet,
    /// This thread is over.
    Done(Tid),
    /// This thread has nothing to do.
    Idle(Tid),
    /// So many points have passed.
    Points(u64),
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ran {
    Reached,
    /// Nobody can run, and what was asked for isn't there.
    Stuck,
}

struct State {
    slots: Vec<Slot>,
    /// Who has the baton; none: the controller.
    running: Option<Tid>,
    goal: Goal,
    rng: Rng,
    /// The baton is drawn anew at one point in so many.
    switch_one_in: u64,
    /// One sleeper is woken for no reason at one point in so many; 0: never.
    spurious_one_in: u64,
    now_ns: u64,
    points: u64,
    points_at_run: u64,
    spins: u32,
    failure: Option<String>,
    /// The machine has halted: the controller gets the baton, for good.
    halted: bool,
    /// The machine is gone: threads unwind where they stand.
    abandoned: bool,
}

/// The scheduler of one simulation.
pub struct Sched {
    seed: u64,
    state: Mutex<State>,
    controller: Condvar,
}

std::thread_local! {
    static CURRENT: RefCell<Option<(Arc<Sched>, Tid)>> = const { RefCell::new(None) };
}

/// Unwinds a thread whose machine is gone.
struct Abandoned;

/// The thread that is running, of which simulation.
pub fn current() -> Option<(Arc<Sched>, Tid)> {
    CURRENT.with(|c| c.borrow().clone())
}

/// ksync's hook.
fn lock_point(contended: bool) {
    if let Some((sched, me)) = current() {
        if contended { sched.spin(me) } else { sched.point(me) }
    }
}

impl Sched {
    pub fn new(seed: u64) -> Arc<Sched> {
        let mut rng = Rng::new(seed);
        let switch_one_in = *rng.pick(&[1, 2, 4, 16]);
        let state = State {
            slots: Vec::new(),
            running: None,
            goal: Goal::Quiet,
            rng,
            switch_one_in,
            spurious_one_in: 0,
            now_ns: 1_000_000_000,
            points: 0,
            points_at_run: 0,
            spins: 0,
            failure: None,
            halted: false,
            abandoned: false,
        };
        Arc::new(Sched { seed, state: Mutex::new(state), controller: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a thread, which runs when the baton comes to it.
    pub fn spawn(self: &Arc<Sched>, name: &str, body: impl FnOnce(Tid) + Send + 'static) -> Tid {
        let mut st = self.lock();
        let me = st.slots.len();
        let name = format!("seed {} thread {me} ({name})", self.seed);
        let turn = Arc::new(Condvar::new());
        st.slots.push(Slot { name: name.clone(), status: Status::Ready, woken: Parked::Woken, turn, points: 0 });
        drop(st);
        let sched = self.clone();
        let made = std::thread::Builder::new().name(name).stack_size(2 << 20).spawn(move || sched.thread(me, body));
        made.unwrap_or_else(|e| panic!("seed {}: no thread: {e}", self.seed));
        me
    }

    fn thread(self: Arc<Sched>, me: Tid, body: impl FnOnce(Tid)) {
        CURRENT.with(|c| *c.borrow_mut() = Some((self.clone(), me)));
        ksync::sim::set_yield(Some(lock_point));
        let begun = catch_unwind(AssertUnwindSafe(|| {
            let st = self.lock();
            drop(self.wait_turn(st, me));
            body(me);
        }));
        ksync::sim::set_yield(None);
        let mut st = self.lock();
        if let Err(payload) = begun
            && !payload.is::<Abandoned>()
        {
            self.fail(&mut st, me, &message(&*payload));
        }
        st.slots[me].status = Status::Done;
        self.pass(&mut st);
    }

    fn fail(&self, st: &mut State, me: Tid, text: &str) {
        let full = format!("{}: {text}\n{}", st.slots[me].name, table(st));
        st.failure.get_or_insert(full);
    }

    // What the thread with the baton may do.

    /// A scheduling point.
    pub fn point(&self, me: Tid) {
        let mut st = self.lock();
        if std::thread::panicking() && !st.abandoned {
            return; // let it get out and tell
        }
        st.points += 1;
        st.spins = 0;
        st.slots[me].points += 1;
        if st.points > st.points_at_run + POINTS_MAX {
            self.fail(&mut st, me, "still running after very many scheduling points");
        }
        if st.spurious_one_in != 0 {
            let n = st.spurious_one_in;
            if st.rng.one_in(n) {
                wake_any(&mut st);
            }
        }
        let n = st.switch_one_in;
        let switch = st.failure.is_some() || reached(&st) || st.rng.one_in(n);
        if switch {
            self.switch(st, me);
        }
    }

    /// A lock is held by somebody who doesn't run: lets another go on.
    fn spin(&self, me: Tid) {
        let mut st = self.lock();
        st.spins += 1;
        self.check_panicking(&mut st, me);
        if st.spins > SPINS_MAX {
            self.fail(&mut st, me, "spins on a lock that nobody lets go");
        }
        let dead = st.failure.is_some();
        self.pass_but(&mut st, me);
        if dead {
            self.stop_here(st);
        }
        drop(self.wait_turn(st, me));
    }

    /// Sleeps as `Machine::park` says.
    pub fn park(&self, me: Tid, word: &AtomicU32, expected: u32, deadline_ns: u64) -> Parked {
        let mut st = self.lock();
        if word.load(Ordering::SeqCst) != expected {
            return Parked::Changed;
        }
        st.spins = 0;
        self.check_panicking(&mut st, me);
        if deadline_ns <= st.now_ns {
            self.switch(st, me);
            return Parked::TimedOut;
        }
        if st.abandoned {
            // On the way out: nobody will wake us, who waits must look again.
            self.switch(st, me);
            return Parked::Woken;
        }
        st.slots[me].status = Status::Parked { word: address(word), deadline_ns };
        self.switch(st, me).woken
    }

    /// A panic that must wait for others on its way out will not get out.
    fn check_panicking(&self, st: &mut State, me: Tid) {
        if std::thread::panicking() && !st.abandoned {
            self.fail(st, me, "panicked with locks held (its message was printed above)");
        }
    }

    /// Wakes up to `n` of those who sleep on the word, any of them.
    pub fn unpark(&self, word: &AtomicU32, n: u32) -> u32 {
        let at = address(word);
        let mut st = self.lock();
        let mut asleep: Vec<Tid> = (0..st.slots.len())
            .filter(|&t| matches!(st.slots[t].status, Status::Parked { word, .. } if word == at))
            .collect();
        let mut woken = 0;
        while woken < n && !asleep.is_empty() {
            let i = st.rng.below(asleep.len() as u64) as usize;
            wake(&mut st, asleep.swap_remove(i), Parked::Woken);
            woken += 1;
        }
        woken
    }

    /// Waits in user code for `ready`.
    pub fn idle(&self, me: Tid) {
        let mut st = self.lock();
        st.slots[me].status = Status::Idle;
        self.switch(st, me);
    }

    /// Ends an `idle`, if there is one.
    pub fn ready(&self, tid: Tid) {
        let mut st = self.lock();
        if st.slots[tid].status == Status::Idle {
            st.slots[tid].status = Status::Ready;
        }
    }

    /// Gives the baton to whom the seed wants, and waits for it to come back.
    fn switch<'a>(&'a self, mut st: MutexGuard<'a, State>, me: Tid) -> Woken {
        self.pass(&mut st);
        if st.failure.is_some() && st.running != Some(me) {
            self.stop_here(st);
        }
        let st = self.wait_turn(st, me);
        Woken { woken: st.slots[me].woken }
    }

    /// After a failure nothing runs any more: locks may be held, and the test is over.
    fn stop_here(&self, st: MutexGuard<'_, State>) -> ! {
        drop(st);
        loop {
            std::thread::park();
        }
    }

    fn wait_turn<'a>(&'a self, mut st: MutexGuard<'a, State>, me: Tid) -> MutexGuard<'a, State> {
        let turn = st.slots[me].turn.clone();
        while st.running != Some(me) {
            st = turn.wait(st).unwrap_or_else(PoisonError::into_inner);
        }
        if st.abandoned && !std::thread::panicking() {
            drop(st);
            resume_unwind(Box::new(Abandoned));
        }
        st
    }

    fn pass(&self, st: &mut State) {
        let ready = ready(st);
        self.give(st, &ready);
    }

    fn pass_but(&self, st: &mut State, me: Tid) {
        let others: Vec<Tid> = ready(st).into_iter().filter(|&t| t != me).collect();
        if others.is_empty() && st.failure.is_none() {
            self.fail(st, me, "spins on a lock, and nobody else can run");
        }
        self.give(st, &others);
    }

    fn give(&self, st: &mut State, among: &[Tid]) {
        let back = st.failure.is_some() || reached(st) || among.is_empty();
        st.running = if back { None } else { Some(*st.rng.pick(among)) };
        match st.running {
            Some(t) => st.slots[t].turn.notify_one(),
            None => self.controller.notify_one(),
        }
    }
}

struct Woken {
    woken: Parked,
}

fn address(word: &AtomicU32) -> usize {
    core::ptr::from_ref(word).addr()
}

fn ready(st: &State) -> Vec<Tid> {
    (0..st.slots.len()).filter(|&t| st.slots[t].status == Status::Ready).collect()
}

fn reached(st: &State) -> bool {
    match st.goal {
        _ if st.halted => true,
        Goal::Quiet => false,
        Goal::Done(t) => st.slots[t].status == Status::Done,
        Goal::Idle(t) => matches!(st.slots[t].status, Status::Done | Status::Idle),
        Goal::Points(n) => st.points >= n,
    }
}

fn wake(st: &mut State, tid: Tid, how: Parked) {
    st.slots[tid].status = Status::Ready;
    st.slots[tid].woken = how;
}

fn wake_any(st: &mut State) {
    let asleep: Vec<Tid> =
        (0..st.slots.len()).filter(|&t| matches!(st.slots[t].status, Status::Parked { .. })).collect();
    if !asleep.is_empty() {
        let tid = *st.rng.pick(&asleep);
        wake(st, tid, Parked::Woken);
    }
}

fn expire(st: &mut State) {
    for t in 0..st.slots.len() {
        if matches!(st.slots[t].status, Status::Parked { deadline_ns, .. } if deadline_ns <= st.now_ns) {
            wake(st, t, Parked::TimedOut);
        }
    }
}

fn jump_clock(st: &mut State) -> bool {
    let next = st.slots.iter().filter_map(|s| match s.status {
        Status::Parked { deadline_ns, .. } if deadline_ns != u64::MAX => Some(deadline_ns),
        _ => None,
    });
    let Some(next) = next.min() else { return false };
    st.now_ns = st.now_ns.max(next);
    expire(st);
    true
}

fn table(st: &State) -> String {
    let lines = st.slots.iter().filter(|s| s.status != Status::Done);
    lines.map(|s| format!("  {}: {:x?}\n", s.name, s.status)).collect()
}

/// What a panic said.
pub fn message(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(s), _) => s.to_string(),
        (_, Some(s)) => s.clone(),
        _ => "panicked".to_string(),
    }
}
