//! The controller's side: the test's own thread, which runs while the others stand still.

use alloc::string::String;
use std::sync::PoisonError;

use super::{Goal, Ran, Sched, Status, Tid, expire, jump_clock, reached, ready, table};

impl Sched {
    /// Lets the others run until the goal is reached. With `jump` the clock goes to the next
    /// deadline whenever all sleep. Panics when the simulation has failed.
    pub fn run(&self, goal: Goal, jump: bool) -> Ran {
        let mut st = self.lock();
        let goal = if let Goal::Points(n) = goal { Goal::Points(st.points + n) } else { goal };
        st.goal = goal;
        st.points_at_run = st.points;
        loop {
            if let Some(text) = &st.failure {
                let text = text.clone();
                drop(st);
                panic!("{text}");
            }
            if reached(&st) {
                return Ran::Reached;
            }
            let among = ready(&st);
            if among.is_empty() {
                if goal == Goal::Quiet {
                    return Ran::Reached;
                }
                if !(jump && jump_clock(&mut st)) {
                    return Ran::Stuck;
                }
                continue;
            }
            self.give(&mut st, &among);
            while st.running.is_some() {
                st = self.controller.wait(st).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Moves the clock on; who sleeps until then can run.
    pub fn advance(&self, ns: u64) {
        let mut st = self.lock();
        st.now_ns = st.now_ns.saturating_add(ns);
        expire(&mut st);
    }

    /// Goes to the next deadline. False when there is none.
    pub fn jump(&self) -> bool {
        jump_clock(&mut self.lock())
    }

    /// Ends all threads where they stand: the machine has halted. Their destructors run.
    pub fn abandon(&self) {
        let mut st = self.lock();
        st.abandoned = true;
        st.halted = false;
        for slot in &mut st.slots {
            if slot.status != Status::Done {
                slot.status = Status::Ready;
            }
        }
        drop(st);
        self.run(Goal::Quiet, false);
    }

    /// Stops everything at its next point.
    pub fn halt(&self) {
        self.lock().halted = true;
    }

    pub fn set_spurious(&self, one_in: u64) {
        self.lock().spurious_one_in = one_in;
    }
    pub fn set_switch(&self, one_in: u64) {
        self.lock().switch_one_in = one_in;
    }
    pub fn now_ns(&self) -> u64 {
        self.lock().now_ns
    }
    pub fn status(&self, tid: Tid) -> Status {
        self.lock().slots[tid].status
    }
    pub fn seed(&self) -> u64 {
        self.seed
    }
    /// Points a thread has passed: its CPU time.
    pub fn points_of(&self, tid: Tid) -> u64 {
        self.lock().slots.get(tid).map_or(0, |s| s.points)
    }
    /// The state of all threads, for a message.
    pub fn table(&self) -> String {
        table(&self.lock())
    }
    /// Random bytes from the seed.
    pub fn fill(&self, buf: &mut [u8]) {
        self.lock().rng.fill(buf);
    }
}
