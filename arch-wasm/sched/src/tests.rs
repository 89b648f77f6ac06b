//! Who runs when.

use super::*;

fn three() -> Sched {
    let mut s = Sched::new();
    for lwp in 1..=3 {
        s.create(lwp, 0);
    }
    for id in 0..3 {
        assert_eq!(s.begin(0), Some(id));
        s.park(id, 64, if id == 1 { 50 } else { u64::MAX });
        s.end(10);
    }
    s
}

fn order(s: &mut Sched) -> Vec<SlotId> {
    let mut out = Vec::new();
    while let Some(id) = s.begin(0) {
        out.push(id);
        s.end(0);
    }
    out
}

#[test]
fn sleepers_are_woken_in_order_and_once() {
    let mut s = three();
    assert_eq!(s.unpark(64, 2), 2);
    assert_eq!(s.unpark(68, 9), 0);
    assert_eq!(order(&mut s), [0, 1]);
    assert_eq!(s.take_woken(0), Some(Woken::Unparked));
    assert_eq!(s.take_woken(0), None);
    s.expire(60);
    assert!(!s.has_ready(), "a deadline outlived its wait");
    assert_eq!(s.unpark(64, u32::MAX), 1);
    assert_eq!(s.unpark(64, u32::MAX), 0);
    assert!(s.parked.is_empty());
}

#[test]
fn a_deadline_takes_its_sleeper_out_of_the_middle() {
    let mut s = three();
    assert_eq!(s.next_deadline, 50);
    s.expire(49);
    assert!(!s.has_ready());
    s.expire(50);
    assert_eq!(s.take_woken(1), Some(Woken::TimedOut));
    assert_eq!(order(&mut s), [1]);
    assert_eq!(s.unpark(64, 9), 2);
    assert_eq!(order(&mut s), [0, 2]);
    assert_eq!(s.live_deadline(), u64::MAX);
}

#[test]
fn all_can_be_woken() {
    let mut s = three();
    s.create(4, 0);
    assert_eq!(s.begin(0), Some(3));
    s.park(3, 128, u64::MAX);
    s.end(10);
    s.unpark_all();
    assert_eq!(order(&mut s).len(), 4);
}

#[test]
fn late_wake_ups_miss_the_next_tenant() {
    let mut s = Sched::new();
    let id = s.create(7, 0);
    let tenant = s.slot(id).tenant;
    s.begin(0);
    s.end(5);
    s.ready(id, tenant);
    assert_eq!(s.begin(10), Some(id));
    assert_eq!(s.cpu_ns(7, 12), 7);
    s.gone(id);
    s.end(20);
    assert_eq!(s.lwps(), 0);
    assert_eq!(s.create(8, 0), id);
    s.begin(20);
    s.end(20);
    s.ready(id, tenant);
    assert!(!s.has_ready());
    assert_eq!(s.cpu_ns(7, 30), 0);
}

#[test]
fn deadlines_of_past_waits_do_not_pile_up() {
    let mut s = Sched::new();
    s.create(1, 0);
    for _ in 0..10_000 {
        s.begin(0);
        s.park(0, 64, 1 << 60);
        s.end(0);
        s.unpark(64, 1);
    }
    assert!(s.deadlines.len() < 100);
}

#[test]
fn who_was_asleep_is_told_from_who_was_preempted() {
    let mut s = Sched::new();
    for lwp in 1..=2 {
        s.create(lwp, 0);
    }
    assert_eq!(s.begin(0), Some(0));
    s.park(0, 64, u64::MAX);
    s.end(1);
    assert_eq!(s.begin(1), Some(1));
    s.slot(1).preempted = true;
    s.yield_now(1);
    s.end(2);
    assert!(s.has_ready() && !s.has_woken());
    s.unpark(64, 1);
    assert!(s.has_woken());
}

#[test]
fn only_a_preempted_lwp_is_kicked() {
    let mut s = Sched::new();
    let id = s.create(7, 0);
    s.kick(7, kick::LEAVE);
    s.kick(8, kick::LEAVE);
    assert!(!s.slot(id).kicked);
    s.slot(id).preempted = true;
    s.kick(7, kick::LEAVE);
    assert!(s.slot(id).kicked);
}

#[test]
fn all_in_user_code_can_be_kicked() {
    let mut s = Sched::new();
    for lwp in 7..=8 {
        s.create(lwp, 0);
    }
    s.slot(0).preempted = true;
    s.kick_all();
    assert!(s.slot(0).kicked && !s.slot(1).kicked);
}

/// Lwps with these nice values run in turns of 10 ms; answers how many each had of `turns`.
fn shares(s: &mut Sched, nice: &[i32], turns: u64) -> Vec<u64> {
    for (lwp, &n) in (1..).zip(nice) {
        s.create(lwp, 0);
        s.kick(lwp, kick::nice(n));
    }
    let mut had = vec![0; nice.len()];
    for turn in 0..turns {
        let id = s.begin(turn * 10_000_000).expect("all are ready");
        had[id as usize] += 1;
        s.yield_now(id);
        s.end((turn + 1) * 10_000_000);
    }
    had
}

#[test]
fn the_cpu_is_shared_out_by_nice_values() {
    assert_eq!(shares(&mut Sched::new(), &[0, 0], 100), [50, 50]);
    let had = shares(&mut Sched::new(), &[0, 10], 10_000);
    // 110 of 1134.
    assert!((900..1050).contains(&had[1]), "{had:?}");
    let had = shares(&mut Sched::new(), &[-20, 19, 0, 0], 100_000);
    assert!(had[1] > 5, "the nicest starves: {had:?}");
    assert!(had[2].abs_diff(had[3]) < 3 && had[0] > 95_000, "{had:?}");
}

#[test]
fn who_has_slept_is_next_and_has_saved_nothing_up() {
    let mut s = Sched::new();
    assert_eq!(shares(&mut s, &[0, 5], 30).len(), 2);
    let sleeper = s.create(9, 0);
    while s.begin(0) != Some(sleeper) {
        let (id, _) = s.running.expect("one runs");
        s.yield_now(id);
        s.end(10_000_000);
    }
    s.park(sleeper, 64, u64::MAX);
    s.end(1);
    for turn in 0..1000 {
        let id = s.begin(turn).expect("two are ready");
        s.yield_now(id);
        s.end(turn + 10_000_000);
    }
    s.unpark(64, 1);
    let mut runs = 0;
    for turn in 0..10 {
        let id = s.begin(turn).expect("three are ready");
        runs += u32::from(id == sleeper);
        s.yield_now(id);
        s.end(turn + 10_000_000);
        assert!(turn > 0 || id == sleeper);
    }
    assert!(runs < 7, "{runs}");
}

#[test]
fn with_the_last_nice_one_gone_turns_go_round_again() {
    let mut s = Sched::new();
    shares(&mut s, &[0, 10, 0], 50);
    s.kick(2, kick::nice(0));
    assert_eq!(s.niced, 0);
    let mut had = [0; 3];
    for turn in 0..30 {
        let id = s.begin(turn).expect("all are ready");
        had[id as usize] += 1;
        s.yield_now(id);
        s.end(turn + 1);
    }
    assert_eq!(had, [10; 3]);
    s.kick(1, kick::nice(-5));
    let id = s.begin(0).expect("all are ready");
    s.gone(id);
    s.end(1);
    assert_eq!(s.niced, u32::from(id != 0));
}

#[test]
fn a_held_lwp_runs_again_when_it_may_go_on_or_must_leave() {
    for how in [kick::GO, kick::LEAVE] {
        let mut s = Sched::new();
        let id = s.create(7, 0);
        s.begin(0);
        s.slot(id).preempted = true;
        s.kick(7, kick::STOP);
        s.hold(id);
        s.end(1);
        assert!(s.slot(id).held && !s.has_ready());
        s.kick(7, how);
        assert_eq!(s.begin(2), Some(id));
    }
}
