//! Where in a body checks go, and how much each counts.
//!
//! A loop's head pays for the dearest way from it back to it. What a way costs is found in one pass,
//! since wasm has no jump backwards but to a loop: `now` is the cost of the dearest way from the
//! function's start to the instruction that is looked at, going at most once through each loop, and a
//! label keeps that of the ways that meet there.

use wasmparser::{BlockType, Catch, Operator, OperatorsReader, OperatorsReaderAllocations, Result};

use super::cost::{SMALL_MOVE, cost, is_long};
use super::counted::{Counted, Ended, Watch};
use super::graph::{Costs, LEAF_TURNS, TURNS};
use super::module::Module;
use super::renumber::Behind;
use crate::copy::{Renumber, function_in};

/// A change to a body at a place in the module, in order.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    pub begin: usize,
    /// The instruction that is replaced ends here; it is `begin` where something is put in.
    pub end: usize,
    pub what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// Start of the function.
    Start,
    /// Where the function pays so much for its call.
    Pay(u32),
    /// The instruction that begins a loop, its head, and its end; by its number in `Flow::loops`.
    Before(u32),
    Head(u32),
    End(u32),
    /// The label of a branch out of a loop: its depth, and so many blocks are open.
    Branch {
        depth: u32,
        open: usize,
    },
    /// The labels of a `br_table` in a loop.
    Table {
        open: usize,
    },
    /// What pushes the bound of a counted loop, and its branch back.
    Bound(u32),
    Back(u32),
    /// The last bytes of an instruction, which name a function: its new number.
    Function(u32),
    /// Before an instruction that takes long.
    Long,
    /// An instruction in whose place a function is called.
    Instead(Instead),
}

/// A loop of a body.
#[derive(Clone, Copy, Debug)]
pub struct Loop {
    /// What a turn costs; 0 when it never turns, or calls in each turn a function that pays.
    pub turn: u32,
    /// There is a turn in which nobody pays.
    unpaid: bool,
    /// Its turns go off the fuel at once, and with them the call of the function.
    pub pays: bool,
    /// It has no loop and no call in it, and no branch out of it that is hard to rewrite, so that what there is to do
    /// now and then can be done outside of it.
    pub split: bool,
    /// The locals to put aside when it settles, in `Flow::used`: of those that it reads before it sets them all, where
    /// it is split, else those that it sets at all.
    pub used: (usize, usize),
    /// It has no parameters.
    plain: bool,
    /// It can be run in pieces.
    pub counted: Option<Counted>,
    /// Index of its block in the walk's stack, as in [`What::Branch`].
    pub frame: usize,
    /// Its block type and its body, as bytes of the module.
    pub ty: (usize, usize),
    pub body: (usize, usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Instead {
    Move(Move),
    /// `memory.grow` of this memory.
    Grow(u32),
}

/// A `memory.copy` or `memory.fill` of unknown length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Move {
    Copy { to: u32, from: u32 },
    Fill { memory: u32 },
}

/// So many locals of a loop can be put aside while it is left.
pub const MOST_USED: usize = 16;
/// The use of a local is noted in so many loops around it.
const MOST_AROUND: usize = 8;
/// So many changes of locals are looked at in a loop that is not split.
const MOST_SETS: usize = 256;

/// A label that can be branched to.
struct Frame {
    /// The number of a loop.
    head: Option<u32>,
    /// Cost before it.
    start: u32,
    /// Whether somebody paid on all ways to it since the loop around it began.
    paid: bool,
    /// And on all ways to its end.
    all_paid: bool,
    /// Of the ways that go to its end, if any does.
    join: Option<u32>,
    /// Before an `if` whose `else` has not come.
    skipped: Option<u32>,
    /// Labels of its catch clauses, in `Flow::catches` from here on.
    catches: usize,
    /// An ordinary block.
    plain: bool,
    /// It was branched out of before the function's first call or loop.
    left: bool,
}

/// A loop that is open.
struct Around {
    number: u32,
    /// Index in `frames`.
    frame: usize,
    /// The number of uses of locals before it, and the first of the locals that are read in it before they are set. That is taken
    /// from the order of instructions: the way may be another.
    uses: u32,
    reads: [u32; MOST_USED],
    count: usize,
}

/// The walk over a body. Kept from one to the next for its allocations.
#[derive(Default)]
pub struct Flow {
    pub edits: Vec<Edit>,
    pub loops: Vec<Loop>,
    pub used: Vec<u32>,
    /// So much may its loops do before it goes off the fuel.
    pub limit: u32,
    /// It pays so much for what they do before.
    pub loops_paid: u32,
    /// Loops around the instruction that is looked at.
    around: Vec<Around>,
    /// When each local was last used, as the number of uses before.
    last_use: Vec<u32>,
    uses: u32,
    frames: Vec<Frame>,
    catches: Vec<u32>,
    allocations: OperatorsReaderAllocations,
    watch: Watch,
    /// So many of the loops that are open stay as they are, as it is hard to rewrite what branches out of them.
    rigid: usize,
    now: u32,
    /// The dearest way to anywhere so far.
    most: u32,
    /// Nothing comes here.
    dead: bool,
    /// Somebody paid since the head of the innermost loop.
    paid: bool,
    first: First,
    constant: Option<i32>,
}

/// What a call of a function with a loop pays beforehand: a part of what it may do before the count
/// of its loops is looked at, which begins anew with each call.
const LOOPS: u32 = 4096;
/// No call is cheaper, and no turn of a loop in which one is paid for is dearer.
const CALL: u32 = 16;
const PAID_TURN: u32 = 256;
/// A loop whose turns cost more, or that has other ways out, is not run in pieces: what is to be done before a piece
/// is more than to count the few turns of most of them.
const DEAR_TURN: u32 = 32;
/// What all turns may cost of loops that call, to be paid for at once, and what may be paid at once with them.
const KNOWN_CALLS: u32 = 1 << 16;
/// What a function may do before it pays, if it then need not.
const EARLY: u32 = 64;

/// Where a function first calls or loops: it may pay there, if all calls and loops come after it, so that a call
/// that has nothing to do is not burdened.
#[derive(Default)]
struct First {
    /// Index in `Flow::edits`, and whether that is a place to pay: every block around is one that was only entered.
    at: Option<(usize, bool)>,
    /// A way around it has joined.
    passed: bool,
    /// There was a call or a loop after that.
    spoilt: bool,
}

impl Flow {
    /// Fills `edits` for a body.
    pub fn body(&mut self, module: &Module, index: usize, costs: &Costs) -> Result<()> {
        self.walk(module, index, costs)?;
        self.limit = LEAF_TURNS;
        if costs.pays(index) {
            self.limit = TURNS;
            self.pay();
        }
        Ok(())
    }

    fn walk(&mut self, module: &Module, index: usize, costs: &Costs) -> Result<()> {
        let renumber = Behind { imported: module.imported };
        let reader = module.bodies[index].get_binary_reader_for_operators()?;
        let mut ops = OperatorsReader::new_with_allocs(reader, std::mem::take(&mut self.allocations));
        self.reset(ops.original_position() as usize);
        while !ops.eof() {
            let begin = ops.original_position() as usize;
            let op = ops.read()?;
            self.operator(&op, begin, ops.original_position() as usize, &renumber, costs);
        }
        // Those of counted loops were found when they ended.
        self.edits.sort_by_key(|edit| edit.begin);
        for l in &mut self.loops {
            if !l.unpaid && l.turn <= PAID_TURN {
                l.turn = 0;
            }
        }
        self.allocations = ops.into_allocations();
        Ok(())
    }

    /// Chooses the place where the function pays for its call.
    fn pay(&mut self) {
        let at = match self.first {
            First { at: Some((at, true)), spoilt: false, .. } => at,
            _ => 0,
        };
        let counted: Vec<usize> = (0..self.loops.len()).filter(|&l| self.loops[l].turn > 0).collect();
        // One loop that everything is in, with calls: its head pays for both. That is what recursion becomes where
        // a compiler makes a loop of the last call.
        if let [only] = counted[..]
            && at > 0
            && !self.loops[only].split
            && matches!(self.edits.get(at + 1), Some(Edit { what: What::Before(l), .. }) if *l as usize == only)
        {
            self.loops[only].pays = true;
            self.loops[only].turn = self.loops[only].turn.max(self.most).max(CALL);
            return;
        }
        self.loops_paid = if counted.is_empty() { 0 } else { LOOPS };
        self.edits[at].what = What::Pay(self.most.max(CALL).saturating_add(self.loops_paid));
    }

    fn reset(&mut self, begin: usize) {
        self.edits.clear();
        self.loops.clear();
        self.used.clear();
        self.around.clear();
        self.edits.push(Edit { begin, end: begin, what: What::Start });
        self.frames.clear();
        self.catches.clear();
        (self.now, self.most, self.dead, self.paid, self.constant) = (0, 0, false, false, None);
        self.first = First::default();
        self.watch.reset();
        (self.rigid, self.loops_paid) = (0, 0);
        self.open(None);
    }

    fn open(&mut self, head: Option<u32>) {
        let catches = self.catches.len();
        self.frames.push(Frame {
            head,
            start: self.now,
            paid: self.paid,
            all_paid: true,
            join: None,
            skipped: None,
            catches,
            plain: head.is_none(),
            left: false,
        });
    }

    fn operator(&mut self, op: &Operator, begin: usize, end: usize, renumber: &Behind, costs: &Costs) {
        self.first(op, begin);
        self.now = self.now.saturating_add(costs.of_operator(op));
        self.paid |= costs.is_paid(op);
        self.most = self.most.max(self.now);
        self.branches(op);
        self.leave_loops(op, begin, end);
        self.notes_use(op);
        let ended = self.watch.see(op, begin, end, cost(op));
        self.structure(op, begin, end);
        if let Some(ended) = ended {
            self.count(ended);
        }
        self.change(op, begin, end, renumber);
        self.constant = match op {
            Operator::I32Const { value } => Some(*value),
            _ => None,
        };
    }

    /// Looks for the first call or loop.
    fn first(&mut self, op: &Operator, begin: usize) {
        if !super::graph::is_event(op) {
            return;
        }
        if self.first.at.is_some() {
            self.first.spoilt |= self.first.passed;
            return;
        }
        let plain = self.frames.iter().all(|frame| frame.plain);
        self.first.at = Some((self.edits.len(), plain && self.most <= EARLY));
        self.edits.push(Edit { begin, end: begin, what: What::Start });
    }

    fn structure(&mut self, op: &Operator, begin: usize, end: usize) {
        match op {
            Operator::Block { .. } => self.open(None),
            Operator::Loop { blockty } => {
                let number = self.loops.len() as u32;
                self.whole();
                let (frame, uses) = (self.frames.len(), self.uses);
                self.around.push(Around { number, frame, uses, reads: [0; MOST_USED], count: 0 });
                // Parameters would have to come along.
                let split = !matches!(blockty, BlockType::FuncType(_));
                self.loops.push(Loop {
                    counted: None,
                    frame: self.frames.len(),
                    turn: 0,
                    unpaid: false,
                    pays: false,
                    split,
                    plain: split,
                    ty: (begin + 1, end),
                    body: (end, end),
                    used: (self.used.len(), self.used.len()),
                });
                self.open(Some(number));
                self.paid = false;
                self.edits.push(Edit { begin, end, what: What::Before(number) });
                self.edits.push(Edit { begin: end, end, what: What::Head(number) });
            }
            Operator::If { .. } => {
                self.open(None);
                let now = self.now;
                let top = self.top();
                (top.skipped, top.plain) = (Some(now), false);
            }
            Operator::TryTable { try_table } => {
                self.open(None);
                self.top().plain = false;
                self.catches.extend(try_table.catches.iter().map(|catch| match *catch {
                    Catch::One { label, .. }
                    | Catch::OneRef { label, .. }
                    | Catch::All { label }
                    | Catch::AllRef { label } => label,
                }));
            }
            Operator::Else => {
                self.join_top();
                if let Some(skipped) = self.top().skipped.take() {
                    (self.now, self.dead) = (skipped, false);
                    self.paid = self.top().paid;
                }
            }
            Operator::End => self.close(begin, end),
            _ => {}
        }
    }

    /// The loop that ended last is a counted one, perhaps.
    fn count(&mut self, ended: Ended) {
        // `structure` has closed it.
        let Some(&Edit { what: What::End(number), .. }) = self.edits.last() else { return };
        let rigid = self.rigid > self.around.len();
        self.rigid = self.rigid.min(self.around.len());
        let l = &mut self.loops[number as usize];
        let all = |turns: &u32| turns.saturating_mul(l.turn).saturating_add(self.most);
        let turns = ended.turns.filter(|turns| !ended.calls || all(turns) <= KNOWN_CALLS);
        let Some(turns) = turns else {
            l.counted = ended.counted.filter(|_| l.plain && !rigid && ended.straight && l.turn <= DEAR_TURN);
            if let Some(counted) = l.counted {
                let ((begin, end), branch) = (counted.bound_at, counted.branch);
                self.edits.push(Edit { begin, end, what: What::Bound(number) });
                self.edits.push(Edit { begin: branch.0, end: branch.1, what: What::Back(number) });
            }
            return;
        };
        // As if its body were there so many times; on all ways that have come by here, or have not.
        let more = (turns - 1).saturating_mul(l.turn);
        l.turn = 0;
        let dearer = |cost: u32| cost.saturating_add(more);
        self.now = dearer(self.now);
        self.most = dearer(self.most);
        for frame in &mut self.frames {
            (frame.join, frame.skipped) = (frame.join.map(dearer), frame.skipped.map(dearer));
        }
        for &Around { number, .. } in &self.around {
            let l = &mut self.loops[number as usize];
            if l.turn > 0 {
                l.turn = dearer(l.turn);
            }
        }
    }

    fn top(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("a valid body closes what it opened")
    }

    /// The way falls through to the end of the innermost block.
    fn join_top(&mut self) {
        let (now, paid) = ((!self.dead).then_some(self.now), self.dead || self.paid);
        let top = self.top();
        top.join = top.join.max(now);
        top.all_paid &= paid;
    }

    fn close(&mut self, begin: usize, end: usize) {
        self.join_top();
        let frame = self.frames.pop().expect("a valid body closes what it opened");
        // An exception may come from anywhere inside.
        for at in frame.catches..self.catches.len() {
            let label = self.catches[at];
            self.branch(label, self.most, false);
        }
        self.catches.truncate(frame.catches);
        if let Some(number) = frame.head {
            self.put_aside(number);
            self.loops[number as usize].body.1 = begin;
            self.edits.push(Edit { begin, end, what: What::End(number) });
        }
        let reached = frame.join.max(frame.skipped);
        // What was paid before a loop counts again behind it.
        self.paid = frame.all_paid && (frame.skipped.is_none() || frame.paid) || frame.head.is_some() && frame.paid;
        self.first.passed |= frame.left && self.first.at.is_some();
        self.dead = reached.is_none();
        self.now = reached.unwrap_or(self.now);
    }

    fn branches(&mut self, op: &Operator) {
        use Operator as O;
        match op {
            O::Br { relative_depth } => self.branch(*relative_depth, self.now, self.paid),
            O::BrIf { relative_depth }
            | O::BrOnNull { relative_depth }
            | O::BrOnNonNull { relative_depth }
            | O::BrOnCast { relative_depth, .. }
            | O::BrOnCastFail { relative_depth, .. } => self.branch(*relative_depth, self.now, self.paid),
            O::BrTable { targets } => {
                for target in targets.targets().chain([Ok(targets.default())]).flatten() {
                    self.branch(target, self.now, self.paid);
                }
            }
            _ => {}
        }
        self.dead |= matches!(
            op,
            O::Br { .. }
                | O::BrTable { .. }
                | O::Return
                | O::ReturnCall { .. }
                | O::ReturnCallIndirect { .. }
                | O::ReturnCallRef { .. }
                | O::Unreachable
                | O::Throw { .. }
                | O::ThrowRef
        );
    }

    fn branch(&mut self, label: u32, cost: u32, paid: bool) {
        let Some(at) = self.frames.len().checked_sub(1 + label as usize) else { return };
        let early = self.first.at.is_none();
        let frame = &mut self.frames[at];
        match frame.head {
            None => {
                frame.join = frame.join.max(Some(cost));
                frame.all_paid &= paid;
                frame.left |= early;
            }
            Some(number) => {
                let turn = cost.saturating_sub(frame.start).max(1);
                let l = &mut self.loops[number as usize];
                l.turn = turn.max(l.turn);
                l.unpaid |= !paid;
            }
        }
    }

    /// The innermost loop stays in one piece.
    fn whole(&mut self) {
        if let Some(around) = self.around.last() {
            self.loops[around.number as usize].split = false;
        }
    }

    /// All loops that are open stay as they are.
    fn rigid(&mut self) {
        self.whole();
        self.rigid = self.around.len();
    }

    /// Notes the use of a local in the loops around.
    fn notes_use(&mut self, op: &Operator) {
        let (Operator::LocalGet { local_index: local }
        | Operator::LocalSet { local_index: local }
        | Operator::LocalTee { local_index: local }) = *op
        else {
            return;
        };
        self.uses += 1;
        if self.last_use.len() <= local as usize {
            self.last_use.resize(local as usize + 1, 0);
        }
        let before = std::mem::replace(&mut self.last_use[local as usize], self.uses);
        if !matches!(op, Operator::LocalGet { .. }) {
            return;
        }
        for around in self.around.iter_mut().rev().take(MOST_AROUND).take_while(|around| around.uses >= before) {
            if let Some(read) = around.reads.get_mut(around.count) {
                *read = local;
                around.count += 1;
            }
        }
    }

    /// The innermost loop ends: what is to be put aside when it settles?
    fn put_aside(&mut self, number: u32) {
        let Some(around) = self.around.pop() else { return };
        let (begin, l) = (self.used.len(), &mut self.loops[number as usize]);
        let reads = &around.reads[..around.count];
        if l.split {
            self.used.extend(reads);
        } else {
            let sets = self.watch.sets();
            let sets = &sets[..sets.len().min(MOST_SETS)];
            self.used.extend(reads.iter().filter(|read| sets.contains(read)));
        }
        l.used = (begin, self.used.len());
    }

    /// Notes branches out of the innermost loop, which have more labels to cross if it is split.
    fn leave_loops(&mut self, op: &Operator, begin: usize, end: usize) {
        use Operator as O;
        let Some(&Around { frame, .. }) = self.around.last() else { return };
        let own = (self.frames.len() - 1 - frame) as u32;
        match op {
            O::Br { relative_depth } | O::BrIf { relative_depth } if *relative_depth > own => {
                let what = What::Branch { depth: *relative_depth, open: self.frames.len() };
                self.edits.push(Edit { begin: begin + 1, end, what });
            }
            O::BrTable { .. } => {
                self.edits.push(Edit { begin: begin + 1, end, what: What::Table { open: self.frames.len() } });
            }
            O::BrOnNull { .. } | O::BrOnNonNull { .. } | O::BrOnCast { .. } | O::BrOnCastFail { .. } => self.rigid(),
            O::TryTable { .. } => self.rigid(),
            O::Call { .. } => self.whole(),
            _ if super::graph::is_indirect(op) => self.whole(),
            _ => {}
        }
    }

    fn change(&mut self, op: &Operator, begin: usize, end: usize, renumber: &Behind) {
        let small = self.constant.is_some_and(|length| (0..=SMALL_MOVE).contains(&length));
        let (begin, end, what) = match *op {
            Operator::MemoryCopy { dst_mem, src_mem } if !small => {
                (begin, end, What::Instead(Instead::Move(Move::Copy { to: dst_mem, from: src_mem })))
            }
            Operator::MemoryFill { mem } if !small => {
                (begin, end, What::Instead(Instead::Move(Move::Fill { memory: mem })))
            }
            Operator::MemoryGrow { mem } => (begin, end, What::Instead(Instead::Grow(mem))),
            _ if is_long(op) => (begin, begin, What::Long),
            _ => match function_in(op) {
                // The opcode is one byte.
                Some(function) if function >= renumber.imported => {
                    (begin + 1, end, What::Function(renumber.function(function)))
                }
                _ => return,
            },
        };
        if matches!(what, What::Instead(_) | What::Long) {
            self.whole();
        }
        self.edits.push(Edit { begin, end, what });
    }
}
