//! Counted loops: what a compiler makes of `for`.
//!
//! A loop is counted when its only way back is a branch that compares a local, the index, with a bound; when the index
//! changes in one place, by the same step, which every turn comes by before that branch; and when nothing in the loop
//! changes bound and step. So much is seen in one walk, from the last few instructions at each branch and each change of a local.
//!
//! Where index, step and bound are constants the number of turns is known, and such a loop costs what so many
//! copies of its body would. Others can be run in pieces (`chunk`).

mod guard;

use wasmparser::{Operator, TryTable};

use super::graph::is_indirect;
use guard::Guard;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    Constant(i32),
    Local(u32),
}

/// What must hold between index and bound for another turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Test {
    Differ,
    Less { signed: bool },
    More { signed: bool },
}

#[derive(Clone, Copy, Debug)]
pub struct Counted {
    pub index: u32,
    pub step: Value,
    pub bound: Value,
    pub test: Test,
    /// The instruction that pushes the bound, as bytes of the module; empty, before the branch, where that asks for an index other than 0.
    pub bound_at: (usize, usize),
    /// The branch, and its label's depth.
    pub branch: (usize, usize),
    pub depth: u32,
}

/// What is known at the end of a loop.
#[derive(Clone, Copy)]
pub struct Ended {
    pub counted: Option<Counted>,
    /// The most turns that there can be, where a constant says so. Where nothing is called they cost little, too, and the loop
    /// need not be checked.
    pub turns: Option<u32>,
    pub calls: bool,
    /// Its end is the only way out.
    pub straight: bool,
}

/// So much may a loop of a known number of turns cost, to be taken for instructions in a row.
const KNOWN: u32 = 4096;
/// A loop that sets locals more often is not looked at, nor an index stepped after so many others.
const MOST_SETS: usize = 4096;
const MOST_STEPS: usize = 16;
/// Steps by more might overflow where a piece of a loop is multiplied by them.
const MOST_STEP: u32 = 1 << 16;
const MOST_KNOWN: usize = 8;
/// Nor is the number of turns of a loop in so many blocks: its cost is taken to all of them.
const DEEP: usize = 100;

/// One of the last instructions, and where it is.
#[derive(Clone, Copy)]
struct Seen {
    what: What,
    begin: usize,
    end: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Get(u32),
    Tee(u32),
    Constant(i32),
    Add,
    Compare(Test),
    Not,
    Other,
}

/// A place where a local changes by a step.
#[derive(Clone, Copy)]
struct Step {
    local: u32,
    by: Value,
    /// The innermost block around.
    frame: u32,
}

struct Open {
    /// Index in `frames`.
    frame: usize,
    steps: Vec<Step>,
    /// Ways back.
    backs: u32,
    counted: Option<Counted>,
    guard: Guard,
    calls: bool,
    /// The outermost block that is branched to.
    out: usize,
    /// Where its part of `sets` begins, and the cost up to it.
    sets: usize,
    cost: u32,
    /// Constants in locals when it is entered.
    known: [Option<(u32, i32)>; MOST_KNOWN],
}

/// The walk over a body.
pub struct Watch {
    window: [Seen; 6],
    /// A number for each block that is open; the halves of an `if` have different ones.
    frames: Vec<u32>,
    last_frame: u32,
    open: Vec<Open>,
    /// Locals in the order in which they are set.
    sets: Vec<u32>,
    /// Where the part begins of the loop that ended last.
    ended_sets: usize,
    known: [Option<(u32, i32)>; MOST_KNOWN],
    cost: u32,
}

impl Default for Watch {
    fn default() -> Watch {
        let nothing = Seen { what: What::Other, begin: 0, end: 0 };
        Watch {
            window: [nothing; 6],
            frames: vec![0],
            last_frame: 0,
            open: Vec::new(),
            sets: Vec::new(),
            ended_sets: 0,
            known: [None; MOST_KNOWN],
            cost: 0,
        }
    }
}

impl Watch {
    /// Begins with another body.
    pub fn reset(&mut self) {
        self.window.fill(Seen { what: What::Other, begin: 0, end: 0 });
        self.frames.clear();
        self.frames.push(0);
        (self.last_frame, self.cost) = (0, 0);
        self.open.clear();
        self.sets.clear();
        self.ended_sets = 0;
        self.known.fill(None);
    }

    /// The cost of all instructions so far, those of loops with a known number of turns so many times.
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// The locals that the loop sets which ended last, in the order of its instructions.
    pub fn sets(&self) -> &[u32] {
        &self.sets[self.ended_sets..]
    }

    /// Takes the next instruction, from `begin` to `end`, and what it costs by itself. Answers at the end of a loop.
    pub fn see(&mut self, op: &Operator, begin: usize, end: usize, cost: u32) -> Option<Ended> {
        use Operator as O;
        self.cost = self.cost.saturating_add(cost);
        let mut ended = None;
        match op {
            O::Loop { .. } => self.enter_loop(),
            O::Block { .. } | O::If { .. } => self.enter(),
            O::TryTable { try_table } => self.enter_try(try_table),
            O::Else => {
                self.frames.pop();
                self.enter();
                self.known.fill(None);
            }
            O::End => ended = self.leave(),
            O::BrIf { relative_depth } => self.branch_if(*relative_depth, begin, end),
            O::LocalSet { local_index } | O::LocalTee { local_index } => self.set(*local_index),
            O::Call { .. } => self.calls(),
            _ if is_indirect(op) => self.calls(),
            _ => self.branches(op),
        }
        self.window.rotate_left(1);
        self.window[5] = Seen { what: what(op), begin, end };
        ended
    }

    /// The `n`-th instruction before the one that is looked at.
    fn before(&self, n: usize) -> Seen {
        self.window[6 - n]
    }

    fn enter(&mut self) {
        self.last_frame += 1;
        self.frames.push(self.last_frame);
    }

    fn enter_loop(&mut self) {
        if let Some(around) = self.open.last_mut() {
            around.guard.forget();
        }
        self.enter();
        self.open.push(Open {
            frame: self.frames.len() - 1,
            steps: Vec::new(),
            backs: 0,
            counted: None,
            guard: Guard::default(),
            calls: false,
            out: usize::MAX,
            sets: self.sets.len(),
            cost: self.cost,
            known: self.known,
        });
        self.known.fill(None);
    }

    fn enter_try(&mut self, try_table: &TryTable) {
        use wasmparser::Catch as C;
        for catch in &try_table.catches {
            let (C::One { label, .. } | C::OneRef { label, .. } | C::All { label } | C::AllRef { label }) = *catch;
            self.back(label);
        }
        self.enter();
    }

    fn calls(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.calls = true;
        }
    }

    /// Counts a branch, if it goes to a loop, and answers whether it does.
    fn back(&mut self, label: u32) -> Option<&mut Open> {
        let frame = self.frames.len().checked_sub(1 + label as usize)?;
        if let Some(open) = self.open.last_mut() {
            open.out = open.out.min(frame);
        }
        let at = self.open.binary_search_by_key(&frame, |open| open.frame).ok()?;
        self.open[at].backs += 1;
        Some(&mut self.open[at])
    }

    fn branches(&mut self, op: &Operator) {
        use Operator as O;
        match op {
            O::Br { relative_depth } => {
                self.back(*relative_depth);
                self.turns(*relative_depth);
            }
            O::BrOnNull { relative_depth }
            | O::BrOnNonNull { relative_depth }
            | O::BrOnCast { relative_depth, .. }
            | O::BrOnCastFail { relative_depth, .. } => _ = self.back(*relative_depth),
            O::Return => _ = self.back(self.frames.len() as u32 - 1),
            O::BrTable { targets } => {
                for target in targets.targets().chain([Ok(targets.default())]).flatten() {
                    self.back(target);
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, local: u32) {
        self.sets.push(local);
        self.keep(local);
        let by = match (self.before(3).what, self.before(2).what, self.before(1).what) {
            (What::Get(a), What::Constant(step), What::Add) | (What::Constant(step), What::Get(a), What::Add)
                if a == local =>
            {
                Some(Value::Constant(step))
            }
            (What::Get(a), What::Get(b), What::Add) if a == local && b != local => Some(Value::Local(b)),
            (What::Get(a), What::Get(b), What::Add) if b == local && a != local => Some(Value::Local(a)),
            _ => None,
        };
        let frame = self.frames.last().copied().unwrap_or(0);
        if let Some(by) = by
            && let Some(open) = self.open.last_mut()
            && open.steps.len() < MOST_STEPS
        {
            open.steps.push(Step { local, by, frame });
        }
        let constant = match self.before(1).what {
            What::Constant(value) => Some((local, value)),
            _ => None,
        };
        let same = |known: &&mut Option<(u32, i32)>| known.is_some_and(|(known, _)| known == local);
        if let Some(known) = self.known.iter_mut().find(same) {
            *known = constant;
        } else if constant.is_some() {
            self.known.rotate_right(1);
            self.known[0] = constant;
        }
    }

    fn branch_if(&mut self, depth: u32, begin: usize, end: usize) {
        self.guards(depth, (begin, end));
        let found = self.test(depth, begin, end);
        let innermost = self.open.last().map(|open| open.frame);
        if let Some(open) = self.back(depth)
            && Some(open.frame) == innermost
        {
            open.counted = found;
        }
    }

    /// What a conditional branch from `begin` to `end` tests, if that is an index.
    fn test(&self, depth: u32, begin: usize, end: usize) -> Option<Counted> {
        let last = self.before(1);
        let (index, bound, test, bound_at) = match last.what {
            What::Tee(index) | What::Get(index) => (index, Value::Constant(0), Test::Differ, (begin, begin)),
            What::Compare(test) => {
                let (left, right) = (self.before(3), self.before(2));
                let at = |seen: Seen| (seen.begin, seen.end);
                match (left.what, right.what) {
                    (What::Tee(i) | What::Get(i), What::Constant(c)) => (i, Value::Constant(c), test, at(right)),
                    (What::Tee(i), What::Get(n)) => (i, Value::Local(n), test, at(right)),
                    (What::Get(i), What::Get(n)) if self.step(i).is_some() => (i, Value::Local(n), test, at(right)),
                    (What::Get(n), What::Get(i)) => (i, Value::Local(n), mirrored(test), at(left)),
                    // The index is stepped between.
                    (_, What::Tee(i)) => match self.before(6).what {
                        What::Get(n) => (i, Value::Local(n), mirrored(test), at(self.before(6))),
                        _ => return None,
                    },
                    _ => return None,
                }
            }
            _ => return None,
        };
        let step = self.step(index)?.by;
        let right = match (test, step) {
            (_, Value::Constant(0)) => false,
            (_, Value::Constant(by)) if by.unsigned_abs() > MOST_STEP => false,
            (Test::Differ, Value::Constant(_)) => true,
            (Test::Less { .. }, Value::Constant(by)) => by > 0,
            (Test::More { .. }, Value::Constant(by)) => by < 0,
            (Test::Less { signed: false }, Value::Local(_)) => true,
            _ => false,
        };
        right.then_some(Counted { index, step, bound, test, bound_at, branch: (begin, end), depth })
    }

    /// Where the innermost loop steps a local, on all ways from its head to here: the block in which it does is still open.
    fn step(&self, local: u32) -> Option<Step> {
        let open = self.open.last()?;
        let step = open.steps.iter().rev().find(|step| step.local == local)?;
        self.is_open(step.frame).then_some(*step)
    }

    /// Whether a block is still open in the innermost loop, and not in too many others.
    fn is_open(&self, frame: u32) -> bool {
        let innermost = self.open.last().map_or(0, |open| open.frame);
        self.frames[innermost..].iter().take(DEEP).any(|&open| open == frame)
    }

    fn leave(&mut self) -> Option<Ended> {
        self.known.fill(None);
        let frame = self.frames.len() - 1;
        self.frames.pop();
        let open = self.open.pop_if(|open| open.frame == frame)?;
        if let Some(around) = self.open.last_mut() {
            around.calls |= open.calls;
            around.out = around.out.min(open.out);
        }
        self.ended_sets = open.sets;
        let cost = self.cost - open.cost;
        let sets = &self.sets[open.sets..];
        let times = |value: Value| match value {
            Value::Local(local) => sets.iter().filter(|&&set| set == local).count(),
            Value::Constant(_) => 0,
        };
        let fits = |counted: &Counted| {
            open.backs == 1
                && sets.len() <= MOST_SETS
                && times(Value::Local(counted.index)) == 1
                && times(counted.step) == 0
                && times(counted.bound) == 0
        };
        let counted = open.counted.filter(fits);
        let limited = counted.or_else(|| open.guard.holds().filter(fits));
        let first = limited.and_then(|c| open.known.iter().flatten().find(|(local, _)| *local == c.index));
        let turns = first.and_then(|&(_, first)| limited?.turns(first));
        let turns = turns.filter(|turns| frame < DEEP && turns.saturating_mul(cost) <= KNOWN);
        if let Some(turns) = turns.filter(|_| !open.calls) {
            self.cost = self.cost.saturating_add((turns - 1) * cost);
        }
        Some(Ended { counted, turns, calls: open.calls, straight: open.out >= open.frame })
    }
}

impl Counted {
    /// The number of turns of a loop whose index begins with a constant.
    fn turns(&self, first: i32) -> Option<u32> {
        let (Value::Constant(step), Value::Constant(bound)) = (self.step, self.bound) else { return None };
        let by = i64::from(step.unsigned_abs());
        let signed = matches!(self.test, Test::Less { signed: true } | Test::More { signed: true });
        let wide = |value: i32| if signed { i64::from(value) } else { i64::from(value as u32) };
        let (least, most) = if signed { (i32::MIN.into(), i32::MAX.into()) } else { (0, i64::from(u32::MAX)) };
        let turns = match self.test {
            Test::Differ => {
                let way = if step > 0 { bound.wrapping_sub(first) } else { first.wrapping_sub(bound) };
                let way = i64::from(way as u32);
                if way == 0 || way % by != 0 {
                    return None;
                }
                way / by
            }
            Test::Less { .. } if wide(first) < wide(bound) && wide(bound) + by - 1 <= most => {
                (wide(bound) - wide(first) + by - 1) / by
            }
            Test::More { .. } if wide(first) > wide(bound) && wide(bound) - by + 1 >= least => {
                (wide(first) - wide(bound) + by - 1) / by
            }
            _ => return None,
        };
        u32::try_from(turns).ok()
    }
}

fn what(op: &Operator) -> What {
    use Operator as O;
    match *op {
        O::LocalGet { local_index } => What::Get(local_index),
        O::LocalTee { local_index } => What::Tee(local_index),
        O::I32Const { value } => What::Constant(value),
        O::I32Add => What::Add,
        O::I32Eqz => What::Not,
        O::I32Ne => What::Compare(Test::Differ),
        O::I32LtU => What::Compare(Test::Less { signed: false }),
        O::I32LtS => What::Compare(Test::Less { signed: true }),
        O::I32GtU => What::Compare(Test::More { signed: false }),
        O::I32GtS => What::Compare(Test::More { signed: true }),
        _ => What::Other,
    }
}

/// The test with its operands the other way round.
fn mirrored(test: Test) -> Test {
    match test {
        Test::Differ => Test::Differ,
        Test::Less { signed } => Test::More { signed },
        Test::More { signed } => Test::Less { signed },
    }
}
