//! Loops that are left when an index comes to its bound, though that is not what their way back asks.
//!
//! ```text
//! again = index > bound        kept in a local, as LLVM does where the index is stepped before it is asked
//! index += step
//! (br_if $out (i32.eqz again))
//! (br $loop)
//! ```
//!
//! There may be other ways out: how many turns there can be is known all the same.

use super::{Counted, MOST_STEP, Step, Test, Value, Watch, What};

/// What is known of that in a loop.
#[derive(Clone, Copy, Default)]
pub struct Guard {
    kept: Option<Kept>,
    /// It is left unless this holds, and the innermost block around the branch that does it.
    found: Option<(Counted, u32)>,
    /// Every turn comes by that.
    turns: bool,
}

/// A comparison of an index with a constant, in a local.
#[derive(Clone, Copy)]
struct Kept {
    local: u32,
    index: u32,
    bound: i32,
    test: Test,
    /// The innermost block around.
    frame: u32,
    /// So many steps came before it.
    steps: usize,
}

impl Guard {
    /// Another loop begins inside, and may set the local.
    pub fn forget(&mut self) {
        self.kept = None;
    }

    /// What must hold for another turn.
    pub fn holds(&self) -> Option<Counted> {
        self.found.filter(|_| self.turns).map(|(counted, _)| counted)
    }
}

impl Watch {
    fn frame(&self) -> u32 {
        self.frames.last().copied().unwrap_or(0)
    }

    /// A local is set: to a comparison?
    pub(super) fn keep(&mut self, local: u32) {
        let frame = self.frame();
        let found = match (self.before(3).what, self.before(2).what, self.before(1).what) {
            (What::Get(index), What::Constant(bound), What::Compare(test)) if index != local => {
                Some((index, bound, test))
            }
            _ => None,
        };
        let Some(open) = self.open.last_mut() else { return };
        let kept = &mut open.guard.kept;
        match found {
            Some((index, bound, test)) => {
                *kept = Some(Kept { local, index, bound, test, frame, steps: open.steps.len() });
            }
            None => *kept = kept.filter(|kept| kept.local != local),
        }
    }

    /// A conditional branch: does it leave the innermost loop unless an index compares as it should?
    pub(super) fn guards(&mut self, depth: u32, at: (usize, usize)) {
        let found = self.guard(depth, at);
        let frame = self.frame();
        if let (Some(found), Some(open)) = (found, self.open.last_mut()) {
            open.guard.found = Some((found, frame));
        }
    }

    fn guard(&self, depth: u32, at: (usize, usize)) -> Option<Counted> {
        let (What::Not, What::Get(local)) = (self.before(1).what, self.before(2).what) else { return None };
        let open = self.open.last()?;
        let kept = open.guard.kept.filter(|kept| kept.local == local)?;
        let target = self.frames.len().checked_sub(1 + depth as usize)?;
        let Step { by: Value::Constant(by), .. } = self.step(kept.index)? else { return None };
        if target >= open.frame || !self.is_open(kept.frame) || by.unsigned_abs() > MOST_STEP {
            return None;
        }
        let bound = if open.steps.iter().rposition(|step| step.local == kept.index) < Some(kept.steps) {
            kept.bound
        } else {
            // What is compared before the step is as far from the bound as what comes after it is from this one.
            match kept.test {
                Test::Differ => kept.bound.wrapping_add(by),
                Test::Less { signed: true } | Test::More { signed: true } => kept.bound.checked_add(by)?,
                _ => (kept.bound as u32).checked_add_signed(by)? as i32,
            }
        };
        let right = match kept.test {
            Test::Differ => by != 0,
            Test::Less { .. } => by > 0,
            Test::More { .. } => by < 0,
        };
        let (index, step, bound, test) = (kept.index, Value::Constant(by), Value::Constant(bound), kept.test);
        right.then_some(Counted { index, step, bound, test, bound_at: at, branch: at, depth })
    }

    /// A branch that is always taken: a way back of the innermost loop?
    pub(super) fn turns(&mut self, depth: u32) {
        let target = self.frames.len().checked_sub(1 + depth as usize);
        let found = self.open.last().filter(|open| Some(open.frame) == target).and_then(|open| open.guard.found);
        let turns = found.is_some_and(|(_, frame)| self.is_open(frame));
        if let (Some(_), Some(open)) = (found, self.open.last_mut()) {
            open.guard.turns = turns;
        }
    }
}
