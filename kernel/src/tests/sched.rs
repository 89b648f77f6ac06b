//! The scheduler by itself: if it lies, no other test means anything.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use ksync::{Class, SpinLock};

use crate::machdep::Parked;
use crate::machdep::fake::sched::{Goal, Ran, Sched, message};

static OUTER: Class = Class::new("outer", 10);
static INNER: Class = Class::new("inner", 20);

/// The order in which three threads pass their points.
fn order(seed: u64) -> Vec<u32> {
    let sched = Sched::new(seed);
    sched.set_switch(2);
    let log = Arc::new(Mutex::new(Vec::new()));
    for id in 0..3 {
        let (s, log) = (sched.clone(), log.clone());
        sched.spawn("counter", move |me| {
            for _ in 0..10 {
                log.lock().unwrap().push(id);
                s.point(me);
            }
        });
    }
    assert_eq!(sched.run(Goal::Quiet, false), Ran::Reached);
    let log = log.lock().unwrap();
    log.clone()
}

#[test]
fn the_same_seed_gives_the_same_interleaving() {
    assert_eq!(order(7), order(7));
    let different = (0..20).map(order).collect::<alloc::collections::BTreeSet<_>>();
    assert!(different.len() > 15, "only {} interleavings of 20", different.len());
}

#[test]
fn parked_threads_wake_by_unpark_by_time_and_not_when_the_word_has_changed() {
    let sched = Sched::new(1);
    let word = Arc::new(AtomicU32::new(0));
    let (s, w) = (sched.clone(), word.clone());
    let t = sched.spawn("sleeper", move |me| {
        assert_eq!(s.park(me, &w, 1, u64::MAX), Parked::Changed);
        assert_eq!(s.park(me, &w, 0, u64::MAX), Parked::Woken);
        assert_eq!(s.park(me, &w, 0, s.now_ns() + 500), Parked::TimedOut);
        assert_eq!(s.park(me, &w, 0, s.now_ns()), Parked::TimedOut);
    });
    assert_eq!(sched.run(Goal::Done(t), true), Ran::Stuck);
    assert_eq!(sched.unpark(&AtomicU32::new(0), 1), 0);
    assert_eq!(sched.unpark(&word, 5), 1);
    assert_eq!(sched.run(Goal::Done(t), false), Ran::Stuck);
    sched.advance(499);
    assert_eq!(sched.run(Goal::Done(t), false), Ran::Stuck);
    let before = sched.now_ns();
    assert_eq!(sched.run(Goal::Done(t), true), Ran::Reached);
    assert_eq!(sched.now_ns(), before + 1);
}

/// What the failure of a simulation says.
fn failure(body: impl FnOnce() -> Arc<Sched>) -> String {
    let sched = body();
    match catch_unwind(AssertUnwindSafe(|| sched.run(Goal::Quiet, true))) {
        Ok(_) => String::from("nothing failed"),
        Err(payload) => message(&*payload),
    }
}

#[test]
fn a_panic_in_a_thread_fails_the_run_and_names_the_seed() {
    let text = failure(|| {
        let sched = Sched::new(42);
        sched.spawn("bad", |_| panic!("the floor is wet"));
        sched
    });
    assert!(text.contains("seed 42") && text.contains("the floor is wet"), "{text}");
}

#[test]
fn a_lock_that_is_never_released_is_reported() {
    let text = failure(|| {
        let sched = Sched::new(1);
        let lock = Arc::new(SpinLock::new(&OUTER, 0));
        for _ in 0..2 {
            let (s, l) = (sched.clone(), lock.clone());
            sched.spawn("holder", move |me| {
                let _held = l.lock();
                s.park(me, &AtomicU32::new(0), 0, u64::MAX);
            });
        }
        sched
    });
    assert!(text.contains("spins on a lock"), "{text}");
}

#[test]
fn the_witness_speaks_through_the_simulation() {
    let text = failure(|| {
        let sched = Sched::new(1);
        sched.spawn("wrong", |_| {
            let (a, b) = (SpinLock::new(&OUTER, 0), SpinLock::new(&INNER, 0));
            let _b = b.lock();
            let _a = a.lock();
        });
        sched
    });
    assert!(text.contains("taking \"outer\""), "{text}");
}

/// Two increments that each read, yield and write: with a lock around them none is lost, and
/// without one some seed loses one. So the seeds do find races, and locks do exclude.
#[test]
fn some_seed_finds_a_lost_update_and_none_with_a_lock() {
    let count = |seed: u64, locked: bool| {
        let sched = Sched::new(seed);
        let lock = Arc::new(SpinLock::new(&OUTER, ()));
        let value = Arc::new(AtomicU32::new(0));
        for _ in 0..2 {
            let (s, l, v) = (sched.clone(), lock.clone(), value.clone());
            sched.spawn("adder", move |me| {
                let _held = locked.then(|| l.lock());
                let old = v.load(SeqCst);
                s.point(me);
                v.store(old + 1, SeqCst);
            });
        }
        sched.run(Goal::Quiet, false);
        value.load(SeqCst)
    };
    assert!((0..50).all(|seed| count(seed, true) == 2));
    assert!((0..50).any(|seed| count(seed, false) == 1));
}

#[test]
fn abandoned_threads_unwind_and_drop_what_they_hold() {
    let sched = Sched::new(3);
    let token = Arc::new(());
    for _ in 0..3 {
        let (s, t) = (sched.clone(), token.clone());
        sched.spawn("sleeper", move |me| {
            let _held = t;
            s.park(me, &AtomicU32::new(0), 0, u64::MAX);
        });
    }
    sched.run(Goal::Points(0), false);
    sched.run(Goal::Quiet, false);
    assert_eq!(Arc::strong_count(&token), 4);
    sched.abandon();
    assert_eq!(Arc::strong_count(&token), 1);
}
