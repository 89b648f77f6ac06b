//! Where in a body checks go, and how much each counts.
//!
//! A loop's head pays for the dearest way from it back to it. What a way costs is found in one pass,
//! since wasm has no jump backwards but to a loop: `now` is the cost of the dearest way from the
//! function's start to the instruction that is looked at, going at most once through each loop, and a
//! label keeps that of the ways that meet there.

use wasmparser::{Catch, Operator, OperatorsReader, OperatorsReaderAllocations, Result};

use super::copy::Renumber;
use super::cost::{SMALL_MOVE, is_long};
use super::graph::Costs;
use super::module::Module;

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
    /// Start of the function, which pays so much for the call.
    Entry(u32),
    /// Head of a loop, a turn of which costs so much; 0 when it never turns.
    Head(u32),
    /// The last bytes of an instruction, which name a function: its new number.
    Function(u32),
    /// Before an instruction that takes long.
    Long,
    /// An instruction that moves bytes.
    Move(Move),
}

/// A `memory.copy` or `memory.fill` of unknown length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Move {
    Copy { to: u32, from: u32 },
    Fill { memory: u32 },
}

/// A label that can be branched to.
struct Frame {
    /// The edit of a loop.
    head: Option<usize>,
    /// Cost before it.
    start: u32,
    /// Of the ways that go to its end, if any does.
    join: Option<u32>,
    /// Before an `if` whose `else` has not come.
    skipped: Option<u32>,
    /// Labels of its catch clauses, in `Flow::catches` from here on.
    catches: usize,
}

/// The walk over a body. Kept from one to the next for its allocations.
#[derive(Default)]
pub struct Flow {
    pub edits: Vec<Edit>,
    frames: Vec<Frame>,
    catches: Vec<u32>,
    allocations: OperatorsReaderAllocations,
    now: u32,
    /// The dearest way to anywhere so far.
    most: u32,
    /// Nothing comes here.
    dead: bool,
    constant: Option<i32>,
}

/// What a call of a function with a loop pays beforehand: a part of what it may do before the count
/// of its loops is looked at, which begins anew with each call.
const LOOPS: u32 = 1024;

impl Flow {
    /// Fills `edits` for a body.
    pub fn body(&mut self, module: &Module, index: usize, costs: &Costs) -> Result<()> {
        let renumber = Renumber { imported: module.imported };
        let reader = module.bodies[index].get_binary_reader_for_operators()?;
        let mut ops = OperatorsReader::new_with_allocs(reader, std::mem::take(&mut self.allocations));
        self.reset(ops.original_position() as usize);
        while !ops.eof() {
            let begin = ops.original_position() as usize;
            let op = ops.read()?;
            self.operator(&op, begin, ops.original_position() as usize, &renumber, costs);
        }
        let loops = self.edits.iter().any(|edit| matches!(edit.what, What::Head(1..)));
        let pays = if costs.pays(index) { self.most.max(1) + if loops { LOOPS } else { 0 } } else { 0 };
        self.edits[0].what = What::Entry(pays);
        self.allocations = ops.into_allocations();
        Ok(())
    }

    fn reset(&mut self, begin: usize) {
        self.edits.clear();
        self.edits.push(Edit { begin, end: begin, what: What::Entry(0) });
        self.frames.clear();
        self.catches.clear();
        (self.now, self.most, self.dead, self.constant) = (0, 0, false, None);
        self.open(None);
    }

    fn open(&mut self, head: Option<usize>) {
        let catches = self.catches.len();
        self.frames.push(Frame { head, start: self.now, join: None, skipped: None, catches });
    }

    fn operator(&mut self, op: &Operator, begin: usize, end: usize, renumber: &Renumber, costs: &Costs) {
        self.now = self.now.saturating_add(costs.of_operator(op));
        self.most = self.most.max(self.now);
        self.branches(op);
        self.structure(op, end);
        self.change(op, begin, end, renumber);
        self.constant = match op {
            Operator::I32Const { value } => Some(*value),
            _ => None,
        };
    }

    fn structure(&mut self, op: &Operator, end: usize) {
        match op {
            Operator::Block { .. } => self.open(None),
            Operator::Loop { .. } => {
                self.open(Some(self.edits.len()));
                self.edits.push(Edit { begin: end, end, what: What::Head(0) });
            }
            Operator::If { .. } => {
                self.open(None);
                let now = self.now;
                self.top().skipped = Some(now);
            }
            Operator::TryTable { try_table } => {
                self.open(None);
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
                }
            }
            Operator::End => self.close(),
            _ => {}
        }
    }

    fn top(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("a valid body closes what it opened")
    }

    /// The way falls through to the end of the innermost block.
    fn join_top(&mut self) {
        let now = (!self.dead).then_some(self.now);
        let top = self.top();
        top.join = top.join.max(now);
    }

    fn close(&mut self) {
        self.join_top();
        let frame = self.frames.pop().expect("a valid body closes what it opened");
        // An exception may come from anywhere inside.
        for at in frame.catches..self.catches.len() {
            let label = self.catches[at];
            self.branch(label, self.most);
        }
        self.catches.truncate(frame.catches);
        let reached = frame.join.max(frame.skipped);
        self.dead = reached.is_none();
        self.now = reached.unwrap_or(self.now);
    }

    fn branches(&mut self, op: &Operator) {
        use Operator as O;
        match op {
            O::Br { relative_depth } => self.branch(*relative_depth, self.now),
            O::BrIf { relative_depth }
            | O::BrOnNull { relative_depth }
            | O::BrOnNonNull { relative_depth }
            | O::BrOnCast { relative_depth, .. }
            | O::BrOnCastFail { relative_depth, .. } => self.branch(*relative_depth, self.now),
            O::BrTable { targets } => {
                for target in targets.targets().chain([Ok(targets.default())]).flatten() {
                    self.branch(target, self.now);
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

    fn branch(&mut self, label: u32, cost: u32) {
        let Some(at) = self.frames.len().checked_sub(1 + label as usize) else { return };
        let frame = &mut self.frames[at];
        match frame.head {
            None => frame.join = frame.join.max(Some(cost)),
            Some(edit) => {
                let turn = cost.saturating_sub(frame.start).max(1);
                if let What::Head(most) = &mut self.edits[edit].what {
                    *most = turn.max(*most);
                }
            }
        }
    }

    fn change(&mut self, op: &Operator, begin: usize, end: usize, renumber: &Renumber) {
        let small = self.constant.is_some_and(|length| (0..=SMALL_MOVE).contains(&length));
        let (begin, end, what) = match *op {
            Operator::MemoryCopy { dst_mem, src_mem } if !small => {
                (begin, end, What::Move(Move::Copy { to: dst_mem, from: src_mem }))
            }
            Operator::MemoryFill { mem } if !small => (begin, end, What::Move(Move::Fill { memory: mem })),
            _ if is_long(op) => (begin, begin, What::Long),
            _ => match super::copy::function_in(op) {
                // The opcode is one byte.
                Some(function) if function >= renumber.imported => {
                    (begin + 1, end, What::Function(renumber.function(function)))
                }
                _ => return,
            },
        };
        self.edits.push(Edit { begin, end, what });
    }
}
