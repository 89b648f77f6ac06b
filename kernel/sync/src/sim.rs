//! What native tests plug in: the lock-order witness, and scheduling points.

use std::cell::RefCell;
use std::vec::Vec;

use crate::Class;

std::thread_local! {
    static HELD: RefCell<Vec<(&'static Class, bool)>> = const { RefCell::new(Vec::new()) };
    static YIELD: RefCell<Option<fn(bool)>> = const { RefCell::new(None) };
}

/// Sets what this thread calls at each scheduling point: before a lock is taken (with false), and
/// again and again while somebody else has it (with true). The simulator's baton passing; nothing
/// on a thread that set none.
pub fn set_yield(f: Option<fn(bool)>) {
    YIELD.with(|y| *y.borrow_mut() = f);
}

fn yield_now(contended: bool) {
    if let Some(f) = YIELD.with(|y| *y.borrow()) {
        f(contended);
    }
}

/// The names of the locks this thread holds, outermost first.
pub fn held() -> Vec<&'static str> {
    HELD.with(|h| h.borrow().iter().map(|(c, _)| c.name).collect())
}

/// Panics when this thread holds a spin lock: called where it is about to sleep.
pub fn assert_may_sleep() {
    HELD.with(|h| {
        if let Some((c, _)) = h.borrow().iter().find(|(_, sleeps)| !sleeps) {
            panic!("witness: sleeping while the spin lock \"{}\" is held", c.name);
        }
    });
}

pub(crate) fn acquiring(class: &'static Class) {
    let wrong = HELD.with(|h| {
        let top = h.borrow().iter().map(|(c, _)| *c).max_by_key(|c| c.rank);
        top.filter(|t| t.rank > class.rank || t.rank == class.rank && !(class.nests && core::ptr::eq(*t, class)))
    });
    if let Some(t) = wrong {
        panic!(
            "witness: taking \"{}\" (rank {}) while \"{}\" (rank {}) is held",
            class.name, class.rank, t.name, t.rank
        );
    }
    yield_now(false);
}

/// A lock is tried, which may be done in any order.
pub(crate) fn trying() {
    yield_now(false);
}

pub(crate) fn acquired(class: &'static Class, sleeps: bool) {
    HELD.with(|h| h.borrow_mut().push((class, sleeps)));
}

pub(crate) fn released(class: &'static Class) {
    HELD.with(|h| {
        let mut held = h.borrow_mut();
        if let Some(at) = held.iter().rposition(|(c, _)| core::ptr::eq(*c, class)) {
            held.remove(at);
        }
    });
}

pub(crate) fn contended() {
    yield_now(true);
    std::thread::yield_now();
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicU32;

    use crate::{Class, Park, SleepLock, SpinLock};

    static OUTER: Class = Class::new("outer", 10);
    static INNER: Class = Class::new("inner", 20);

    #[test]
    fn locks_in_rising_rank_are_fine() {
        let (a, b) = (SpinLock::new(&OUTER, 1), SpinLock::new(&INNER, 2));
        let ga = a.lock();
        let gb = b.lock();
        assert_eq!(*ga + *gb, 3);
        assert_eq!(super::held(), ["outer", "inner"]);
        drop(ga);
        drop(gb);
        assert!(super::held().is_empty());
    }

    #[test]
    #[should_panic(expected = "taking \"outer\" (rank 10) while \"inner\"")]
    fn the_wrong_order_panics() {
        let (a, b) = (SpinLock::new(&OUTER, 1), SpinLock::new(&INNER, 2));
        let _gb = b.lock();
        let _ga = a.lock();
    }

    struct Nobody;
    impl Park for Nobody {
        fn park(&self, _: &AtomicU32, _: u32) {
            panic!("slept");
        }
        fn unpark(&self, _: &AtomicU32) {}
    }

    #[test]
    fn a_lock_is_tried_in_any_order_and_never_waited_for() {
        let (a, b) = (SleepLock::new(&OUTER, 1), SpinLock::new(&INNER, 2));
        let gb = b.lock();
        let ga = a.try_lock(&Nobody).expect("it is free");
        assert_eq!(super::held(), ["inner", "outer"]);
        assert!(a.try_lock(&Nobody).is_none());
        drop(ga);
        assert!(a.try_lock(&Nobody).is_some());
        drop(gb);
        assert!(super::held().is_empty());
    }

    #[test]
    #[should_panic(expected = "sleeping while the spin lock")]
    fn sleeping_with_a_spin_lock_panics() {
        let a = SpinLock::new(&OUTER, 1);
        let _g = a.lock();
        super::assert_may_sleep();
    }
}
