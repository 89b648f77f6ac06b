//! What has to be known of a body that may fork: the calls at which its frame may be saved, the
//! constructs around them, and where on the operand stack is what.
//!
//! A *site* is a call that may fork. It is none where nothing is alive behind it (the function returns what
//! was called returns: without a frame of its own the callee's stands for it), and a *held* one where something
//! is alive that cannot be in linear memory. A *nest* is a construct with sites in it. An *arm* is a sequence of
//! instructions: a body, that of a construct, or one of the two of an `if`; its *points* are the sites and nests in it.

use std::collections::HashSet;

use wasmparser::{
    BlockType, FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody, Operator, OperatorsReader,
    Result, ValidatorResources,
};

use super::graph::Forking;
use super::module::{Code, F32, F64, I32, I64, Module, V128, code, is_number};
use super::refs::Refs;
use super::tail::tails;

/// Kinds of values that are spilled.
pub const KINDS: [Code; 5] = [I32, I64, F32, F64, V128];
/// So many values on the operand stack are saved; with more the call is held, so that what is written
/// for a call is bounded.
const MOST: usize = 100;

/// How many slots of each kind are in use.
pub type Slots = [u32; 5];

pub fn kind(code: Code) -> usize {
    (I32 - code) as usize
}

/// A call that may fork.
pub struct Site {
    pub begin: usize,
    /// The operand stack of its construct beneath what the call takes.
    pub below: Vec<Code>,
    pub results: Vec<Code>,
    /// Slots that are in use around it; those of `below` are behind them.
    pub base: Slots,
}

/// A call at which fork is refused.
pub struct Held {
    pub begin: usize,
    /// What it takes and returns, where both can be the type of a block.
    pub ty: Option<(Vec<Code>, Vec<Code>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Point {
    Site(u32),
    Nest(u32),
}

/// A construct. Without a site it is here only to be counted.
#[derive(Default)]
pub struct Nest {
    pub is_if: bool,
    /// The operand stack beneath its parameters, and these.
    pub below: Vec<Code>,
    pub params: Vec<Code>,
    pub base: Slots,
    /// Its sites; from `middle` on they are in the `else`.
    pub first: u32,
    pub middle: u32,
    pub end: u32,
    pub arms: [Vec<Point>; 2],
}

impl Nest {
    pub fn has_sites(&self) -> bool {
        self.end > self.first
    }

    /// The operand stack where it begins, in the construct around it.
    pub fn stack(&self) -> Vec<Code> {
        let condition = if self.is_if { &[I32][..] } else { &[] };
        [&self.below, &self.params, condition].concat()
    }
}

pub struct Shape {
    pub sites: Vec<Site>,
    /// In the order of the text, as are sites and held calls.
    pub nests: Vec<Nest>,
    pub held: Vec<Held>,
    /// The function's own arm.
    pub points: Vec<Point>,
    pub slots: Slots,
    pub results: Vec<Code>,
    /// Parameters and locals, run-length coded; of references what stands for them.
    pub locals: Vec<(u32, Option<Code>)>,
    /// How many of these groups are parameters.
    pub params: usize,
}

impl Shape {
    /// The operand stack at which the way leads past a point: behind the call of a site, before a nest.
    pub fn stack(&self, point: Point) -> Vec<Code> {
        match point {
            Point::Site(number) => {
                let site = &self.sites[number as usize];
                [site.below.as_slice(), &site.results].concat()
            }
            Point::Nest(number) => self.nests[number as usize].stack(),
        }
    }

    /// With those that are added.
    pub fn count_locals(&self) -> u32 {
        self.locals.iter().map(|(count, _)| count).sum::<u32>() + self.slots.iter().sum::<u32>() + 3
    }

    /// The number of the first site behind a point.
    pub fn end(&self, point: Point) -> u32 {
        match point {
            Point::Site(number) => number + 1,
            Point::Nest(number) => self.nests[number as usize].end,
        }
    }
}

/// Goes over a body. The module is valid.
pub fn shape(module: &Module, forking: &Forking, body: usize) -> Result<Shape> {
    let index = module.imported + body as u32;
    let signature = module.signature(index);
    let mut locals: Vec<(u32, Option<Code>)> = signature.params.iter().map(|&code| (1, code)).collect();
    let params = locals.len();
    for group in module.bodies[body].get_locals_reader()? {
        let (count, ty) = group?;
        locals.push((count, code(ty)));
    }
    let refs = Refs::new(module, body)?.filter(|_| signature.results.is_some());
    let shape = Shape {
        sites: Vec::new(),
        nests: Vec::new(),
        held: Vec::new(),
        points: Vec::new(),
        slots: Slots::default(),
        results: signature.results.clone().unwrap_or_default(),
        locals,
        params,
    };
    let tails = tails(module, forking, body)?;
    let open =
        vec![Open { nest: None, saved: Slots::default(), points: Vec::new(), held: refs.is_none(), turned: false }];
    let mut walk = Walk { module, forking, tails, refs, shape, open, used: Slots::default(), dead: None };
    walk.body(module.to_validate(body), &module.bodies[body])?;
    let Walk { mut shape, .. } = walk;
    merge(&mut shape);
    Ok(shape)
}

/// Groups of locals that follow each other and are of one type.
fn merge(shape: &mut Shape) {
    let params = shape.params;
    let mut groups: Vec<(u32, Option<Code>)> = Vec::new();
    for (at, &(count, code)) in shape.locals.iter().enumerate() {
        match groups.last_mut() {
            Some((sum, last)) if *last == code && at != params => *sum += count,
            _ => groups.push((count, code)),
        }
        if at < params {
            shape.params = groups.len();
        }
    }
    shape.locals = groups;
}

/// A construct that is open.
struct Open {
    nest: Option<u32>,
    /// The slots in use outside.
    saved: Slots,
    /// The points of the arm that is open.
    points: Vec<Point>,
    /// All calls in it are.
    held: bool,
    /// It is in its `else`.
    turned: bool,
}

struct Walk<'a, 'b> {
    module: &'a Module<'b>,
    forking: &'a Forking,
    tails: HashSet<usize>,
    /// `None` where all calls are held.
    refs: Option<Refs>,
    shape: Shape,
    open: Vec<Open>,
    used: Slots,
    /// Nothing comes here until the construct at this height ends.
    dead: Option<u32>,
}

type Operands = FuncValidator<ValidatorResources>;

impl Walk<'_, '_> {
    fn body(&mut self, to_validate: FuncToValidate<ValidatorResources>, body: &FunctionBody) -> Result<()> {
        let mut operands = to_validate.into_validator(FuncValidatorAllocations::default());
        let mut reader = body.get_binary_reader();
        operands.read_locals(&mut reader)?;
        let mut ops = OperatorsReader::new(reader);
        while !ops.eof() {
            let begin = ops.original_position() as usize;
            let op = ops.read()?;
            self.operator(&op, begin, &operands);
            operands.op(begin as u64, &op)?;
        }
        Ok(())
    }

    fn operator(&mut self, op: &Operator, begin: usize, operands: &Operands) {
        let height = operands.control_stack_height();
        match op {
            Operator::Else | Operator::End => self.dead = self.dead.filter(|&dead| dead != height),
            _ if self.dead.is_none() && operands.get_control_frame(0).is_some_and(|frame| frame.unreachable) => {
                self.dead = Some(height);
            }
            _ => {}
        }
        if let Some(refs) = &mut self.refs {
            refs.operator(op, operands.get_control_frame(0).is_some_and(|frame| frame.unreachable));
        }
        match op {
            Operator::Block { blockty } | Operator::Loop { blockty } => self.enter(*blockty, false, operands),
            Operator::If { blockty } => self.enter(*blockty, true, operands),
            Operator::TryTable { try_table } => self.enter(try_table.ty, false, operands),
            Operator::Else => self.turn(),
            Operator::End => self.leave(),
            _ if self.dead.is_none() && self.forking.call(op) && !self.tails.contains(&begin) => {
                self.call(op, begin, operands);
            }
            _ => {}
        }
    }

    /// The operand stack of the innermost construct but for `taken` values on it: `None` where it is too
    /// much or cannot be in memory.
    fn below(&self, taken: usize, operands: &Operands) -> Option<Vec<Code>> {
        let frame = operands.get_control_frame(0)?;
        let count = (operands.operand_stack_height() as usize).checked_sub(frame.height + taken)?;
        if count > MOST {
            return None;
        }
        let value = |depth| code(operands.get_operand_type(taken + depth)??).filter(|&code| is_number(code));
        (0..count).rev().map(value).collect()
    }

    fn params(&self, ty: BlockType) -> Option<Vec<Code>> {
        let BlockType::FuncType(index) = ty else { return Some(Vec::new()) };
        let params = &self.module.signatures[index as usize].params;
        params.iter().map(|code| code.filter(|&code| is_number(code))).collect()
    }

    fn enter(&mut self, ty: BlockType, is_if: bool, operands: &Operands) {
        let first = self.shape.sites.len() as u32;
        let mut nest = Nest { is_if, base: self.used, first, middle: first, end: first, ..Nest::default() };
        let mut held = self.dead.is_some() || self.open.last().is_some_and(|open| open.held);
        let saved = self.used;
        if !held {
            let params = self.params(ty).filter(|params| params.len() <= MOST);
            let below = params.as_ref().and_then(|params| self.below(params.len() + usize::from(is_if), operands));
            held = below.is_none();
            (nest.params, nest.below) = (params.unwrap_or_default(), below.unwrap_or_default());
            nest.below.iter().for_each(|&code| self.used[kind(code)] += 1);
        }
        self.shape.nests.push(nest);
        let nest = Some(self.shape.nests.len() as u32 - 1);
        self.open.push(Open { nest, saved, points: Vec::new(), held, turned: false });
    }

    /// At an `else`.
    fn turn(&mut self) {
        let sites = self.shape.sites.len() as u32;
        let Some(open) = self.open.last_mut() else { return };
        open.turned = true;
        if let Some(nest) = open.nest {
            let nest = &mut self.shape.nests[nest as usize];
            (nest.middle, nest.arms[0]) = (sites, std::mem::take(&mut open.points));
        }
    }

    fn leave(&mut self) {
        let Some(open) = self.open.pop() else { return };
        let Some(number) = open.nest else {
            self.shape.points = open.points;
            return;
        };
        let within = self.used;
        self.used = open.saved;
        let sites = self.shape.sites.len() as u32;
        let nest = &mut self.shape.nests[number as usize];
        nest.end = sites;
        if !nest.has_sites() {
            return;
        }
        if open.turned {
            nest.arms[1] = open.points;
        } else {
            (nest.middle, nest.arms[0]) = (sites, open.points);
        }
        let mut peak = within;
        if !nest.below.is_empty() {
            nest.params.iter().for_each(|&code| peak[kind(code)] += 1);
            peak[kind(I32)] += u32::from(nest.is_if);
        }
        self.reserve(peak);
        if let Some(around) = self.open.last_mut() {
            around.points.push(Point::Nest(number));
        }
    }

    fn call(&mut self, op: &Operator, begin: usize, operands: &Operands) {
        let (ty, on_table) = match *op {
            Operator::Call { function_index } => (self.module.function_types[function_index as usize], 0),
            Operator::CallIndirect { type_index, .. } | Operator::CallRef { type_index } => (type_index, 1),
            _ => return,
        };
        let signature = &self.module.signatures[ty as usize];
        let refers = self.refs.as_ref().is_none_or(Refs::any);
        let below = if refers || self.open.last().is_some_and(|open| open.held) {
            None
        } else {
            self.below(signature.params.len() + on_table, operands)
        };
        let (Some(below), Some(results)) = (below, signature.results.clone()) else {
            let mut params: Option<Vec<Code>> = signature.params.iter().copied().collect();
            if let (Some(params), 1, Operator::CallIndirect { .. }) = (&mut params, on_table, op) {
                params.push(I32);
            }
            if matches!(op, Operator::CallRef { .. }) {
                params = None;
            }
            let ty = params.zip(signature.results.clone());
            return self.shape.held.push(Held { begin, ty });
        };
        let mut peak = self.used;
        below.iter().for_each(|&code| peak[kind(code)] += 1);
        self.reserve(peak);
        let number = self.shape.sites.len() as u32;
        self.shape.sites.push(Site { begin, below, results, base: self.used });
        if let Some(open) = self.open.last_mut() {
            open.points.push(Point::Site(number));
        }
    }

    fn reserve(&mut self, peak: Slots) {
        for (most, peak) in self.shape.slots.iter_mut().zip(peak) {
            *most = (*most).max(peak);
        }
    }
}
