//! Locals with references that may be set: with one, a call that may fork is held. Compilers keep an exception in such
//! a local while they clean up, and nowhere else, so what matters is the way on which a call is reached.

use wasmparser::{Catch, Operator, OperatorsReader, Result};

use super::module::{Module, code, is_number};

/// A set of locals, by their order among those with references.
type Set = u64;
const MOST: usize = 64;

/// The walk over a body, beside that of [`shape`](super::shape).
pub struct Refs {
    locals: Vec<u32>,
    /// What is set anywhere in each construct, in the order of the text.
    within: Vec<Set>,
    constructs: usize,
    open: Vec<Open>,
    now: Set,
}

/// A construct that is open.
struct Open {
    is_loop: bool,
    /// What was set where it began, if the way may lead past it: an `if` whose `else` has not come.
    past: Option<Set>,
    /// What is set where its end is branched to.
    join: Set,
}

impl Refs {
    /// `None`: they cannot be followed.
    pub fn new(module: &Module, body: usize) -> Result<Option<Refs>> {
        let params = &module.signature(module.imported + body as u32).params;
        if !params.iter().all(|code| code.is_some_and(is_number)) {
            return Ok(None);
        }
        let mut index = params.len() as u32;
        let mut locals = Vec::new();
        for group in module.bodies[body].get_locals_reader()? {
            let (count, ty) = group?;
            if !code(ty).is_some_and(is_number) {
                if locals.len() + count as usize > MOST || !ty.is_defaultable() {
                    return Ok(None);
                }
                locals.extend(index..index + count);
            }
            index += count;
        }
        let mut refs = Refs { locals, within: Vec::new(), constructs: 0, open: Vec::new(), now: 0 };
        if !refs.locals.is_empty() {
            refs.look_ahead(module, body)?;
        }
        refs.open.push(Open { is_loop: false, past: None, join: 0 });
        Ok(Some(refs))
    }

    /// Whether one may be set here.
    pub fn any(&self) -> bool {
        self.now != 0
    }

    fn set_by(&self, op: &Operator) -> Set {
        let (Operator::LocalSet { local_index } | Operator::LocalTee { local_index }) = op else { return 0 };
        self.locals.iter().position(|local| local == local_index).map_or(0, |at| 1 << at)
    }

    fn look_ahead(&mut self, module: &Module, body: usize) -> Result<()> {
        let mut ops = OperatorsReader::new(module.bodies[body].get_binary_reader_for_operators()?);
        let mut open = Vec::new();
        while !ops.eof() {
            let op = ops.read()?;
            match op {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::TryTable { .. } => {
                    open.push(self.within.len());
                    self.within.push(0);
                }
                Operator::End => {
                    let done = open.pop().map_or(0, |done| self.within[done]);
                    open.last().into_iter().for_each(|&around| self.within[around] |= done);
                }
                _ => {
                    let set = self.set_by(&op);
                    open.last().into_iter().for_each(|&around| self.within[around] |= set);
                }
            }
        }
        Ok(())
    }

    /// Follows an instruction. `unreachable`: nothing comes before it in its construct.
    pub fn operator(&mut self, op: &Operator, unreachable: bool) {
        if self.locals.is_empty() {
            return;
        }
        match op {
            Operator::Block { .. } => self.enter(false, None),
            Operator::Loop { .. } => {
                self.now |= self.within[self.constructs];
                self.enter(true, None);
            }
            Operator::If { .. } => self.enter(false, Some(self.now)),
            Operator::TryTable { try_table } => {
                let thrown = self.now | self.within[self.constructs];
                for catch in &try_table.catches {
                    let (Catch::One { label, .. }
                    | Catch::OneRef { label, .. }
                    | Catch::All { label }
                    | Catch::AllRef { label }) = *catch;
                    self.branch(label, thrown);
                }
                self.enter(false, None);
            }
            Operator::Else | Operator::End => self.end(matches!(op, Operator::End), unreachable),
            Operator::Br { relative_depth }
            | Operator::BrIf { relative_depth }
            | Operator::BrOnNull { relative_depth }
            | Operator::BrOnNonNull { relative_depth }
            | Operator::BrOnCast { relative_depth, .. }
            | Operator::BrOnCastFail { relative_depth, .. } => self.branch(*relative_depth, self.now),
            Operator::BrTable { targets } => {
                for label in targets.targets().flatten().chain([targets.default()]) {
                    self.branch(label, self.now);
                }
            }
            _ => self.now |= self.set_by(op),
        }
    }

    fn enter(&mut self, is_loop: bool, past: Option<Set>) {
        self.constructs += 1;
        self.open.push(Open { is_loop, past, join: 0 });
    }

    fn end(&mut self, last: bool, unreachable: bool) {
        let now = if unreachable { 0 } else { self.now };
        let Some(open) = self.open.last_mut() else { return };
        open.join |= now;
        match (last, open.past.take()) {
            (false, past) => self.now = past.unwrap_or(0),
            (true, past) => {
                self.now = open.join | past.unwrap_or(0);
                self.open.pop();
            }
        }
    }

    fn branch(&mut self, label: u32, set: Set) {
        let at = self.open.len().checked_sub(1 + label as usize);
        // What a turn of a loop sets was there from its beginning.
        if let Some(open) = at.map(|at| &mut self.open[at]).filter(|open| !open.is_loop) {
            open.join |= set;
        }
    }
}
