//! Which functions have to ask for themselves, found out from who calls whom.
//!
//! Between two checks must lie a bounded amount of work, whatever the program. A function that
//! does not call does so much as its body says, and what its loops may do before they ask for the first time, and its caller
//! takes that into account. Three kinds pay for each call themselves, and cost their callers nothing:
//!
//! * those on which every cycle of calls comes by: the targets of back edges in a depth-first walk.
//!   An indirect call may reach every function that a reference was made to; it is one node of the
//!   walk, and a back edge to it is paid by the caller;
//! * those with a loop and a call, as the count of a loop begins anew in each call of its function;
//! * those that would cost more than [`LIMIT`]: a tree of calls can be huge without any cycle.

use wasmparser::{ElementItems, Operator, OperatorsReader, OperatorsReaderAllocations, Result};

use super::cost::{cost, is_long};
use super::counted::Watch;
use super::inner::Calls;
use super::module::Module;
use crate::copy::function_in;

/// What a call may cost without the function asking for it.
const LIMIT: u32 = 1 << 13;

/// What the loops of a function count for themselves before they go off the fuel: where it calls
/// nobody and its callers pay for it, and where it pays.
pub const LEAF_TURNS: u32 = 1 << 11;
pub const TURNS: u32 = 1 << 15;

/// What a call of each function costs its caller.
pub struct Costs {
    /// By body; 0 for those that pay for themselves.
    bodies: Vec<u32>,
    /// Those that come to their first call or loop whatever happens, and so cannot return before they have paid.
    direct: Vec<bool>,
    /// Those that may have an inner function.
    inner: Vec<bool>,
    imported: u32,
    indirect: u32,
}

/// A call of the kernel: it answers within microseconds, or sleeps.
const IMPORTED: u32 = 500;

impl Costs {
    pub fn function(&self, index: u32) -> u32 {
        match index.checked_sub(self.imported) {
            Some(body) => self.bodies.get(body as usize).copied().unwrap_or(LIMIT),
            None => IMPORTED,
        }
    }

    pub fn of_operator(&self, op: &Operator) -> u32 {
        cost(op)
            + match op {
                Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                    self.function(*function_index)
                }
                _ if is_indirect(op) => self.indirect,
                _ => 0,
            }
    }

    /// Whether it pays for each of its calls.
    pub fn pays(&self, body: usize) -> bool {
        self.bodies[body] == 0
    }

    /// Whether it pays for itself, mostly, and no exception is ever caught.
    pub fn inner(&self, body: usize) -> bool {
        self.inner[body] && self.pays(body)
    }

    /// Whether whoever is called pays, for sure.
    pub fn is_paid(&self, op: &Operator) -> bool {
        let &Operator::Call { function_index } = op else { return false };
        let body = function_index.checked_sub(self.imported).map(|body| body as usize);
        body.is_some_and(|body| self.pays(body) && self.direct[body])
    }
}

pub fn is_indirect(op: &Operator) -> bool {
    use Operator as O;
    matches!(op, O::CallIndirect { .. } | O::ReturnCallIndirect { .. } | O::CallRef { .. } | O::ReturnCallRef { .. })
}

/// What has to be paid for: a call, a loop, or what takes long.
pub fn is_event(op: &Operator) -> bool {
    use Operator as O;
    matches!(op, O::Loop { .. } | O::Call { .. } | O::ReturnCall { .. } | O::MemoryCopy { .. } | O::MemoryFill { .. })
        || is_indirect(op)
        || is_long(op)
}

fn is_branch(op: &Operator) -> bool {
    use Operator as O;
    matches!(
        op,
        O::If { .. }
            | O::Br { .. }
            | O::BrIf { .. }
            | O::BrTable { .. }
            | O::BrOnNull { .. }
            | O::BrOnNonNull { .. }
            | O::BrOnCast { .. }
            | O::BrOnCastFail { .. }
            | O::Return
            | O::Throw { .. }
            | O::ThrowRef
            | O::Unreachable
    )
}

/// What is known of a body from reading it once.
#[derive(Clone, Copy, Default)]
struct Body {
    own: u32,
    indirect_calls: u32,
    loops: bool,
    /// There was a branch, and there was a call or loop without a branch before it.
    branches: bool,
    direct: bool,
    /// It makes system calls.
    imports: bool,
    /// A reference is made to it.
    taken: bool,
    /// Its calls of other bodies, in `Graph::calls`.
    calls: (u32, u32),
    how: Calls,
}

struct Graph {
    bodies: Vec<Body>,
    calls: Vec<u32>,
    taken: Vec<u32>,
    /// Exceptions are caught somewhere.
    catches: bool,
}

/// Finds out who pays. Linear in the size of the code.
pub fn costs(module: &Module) -> Result<Costs> {
    let mut graph = Graph::read(module)?;
    graph.find_taken();
    let (pays, order) = graph.walk();
    Ok(graph.sum(&pays, &order, module.imported))
}

impl Graph {
    fn read(module: &Module) -> Result<Graph> {
        let bodies = vec![Body::default(); module.bodies.len()];
        let mut graph = Graph { bodies, calls: Vec::new(), taken: Vec::new(), catches: false };
        let mut allocations = OperatorsReaderAllocations::default();
        let mut watch = Watch::default();
        for (index, body) in module.bodies.iter().enumerate() {
            let mut ops = OperatorsReader::new_with_allocs(body.get_binary_reader_for_operators()?, allocations);
            let mut seen = Body { calls: (graph.calls.len() as u32, 0), ..Body::default() };
            watch.reset();
            while !ops.eof() {
                let begin = ops.original_position() as usize;
                let op = ops.read()?;
                graph.see(&op, &mut seen, module.imported);
                seen.how.see(&op, module.imported + index as u32);
                let ended = watch.see(&op, begin, ops.original_position() as usize, cost(&op));
                seen.loops |= ended.is_some_and(|ended| ended.turns.is_none() || ended.calls);
            }
            seen.own = seen.own.saturating_add(watch.cost());
            seen.calls.1 = graph.calls.len() as u32;
            let taken = graph.bodies[index].taken;
            graph.bodies[index] = Body { taken, ..seen };
            allocations = ops.into_allocations();
        }
        graph.read_references(module)?;
        Ok(graph)
    }

    fn see(&mut self, op: &Operator, seen: &mut Body, imported: u32) {
        seen.direct |= !seen.branches && is_event(op);
        seen.branches |= is_branch(op);
        self.catches |= matches!(op, Operator::TryTable { .. });
        match op {
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                match function_index.checked_sub(imported) {
                    Some(body) => self.calls.push(body),
                    None => {
                        seen.imports = true;
                        seen.own = seen.own.saturating_add(IMPORTED);
                    }
                }
            }
            Operator::RefFunc { function_index } => self.take(*function_index, imported),
            _ if is_indirect(op) => seen.indirect_calls += 1,
            _ => {}
        }
    }

    fn take(&mut self, function: u32, imported: u32) {
        let body = function.checked_sub(imported).and_then(|body| self.bodies.get_mut(body as usize));
        if let Some(body) = body {
            body.taken = true;
        }
    }

    /// References outside of the code: from tables, globals and segments.
    fn read_references(&mut self, module: &Module) -> Result<()> {
        for expression in super::sections::expressions(module)? {
            let mut ops = expression.get_operators_reader();
            while !ops.eof() {
                if let Some(function) = function_in(&ops.read()?) {
                    self.take(function, module.imported);
                }
            }
        }
        for element in super::sections::elements(module)? {
            if let ElementItems::Functions(functions) = element?.items {
                for function in functions {
                    self.take(function?, module.imported);
                }
            }
        }
        Ok(())
    }

    fn find_taken(&mut self) {
        let bodies = self.bodies.iter().enumerate();
        self.taken = bodies.filter(|(_, body)| body.taken).map(|(index, _)| index as u32).collect();
    }

    /// The node that stands for an indirect call.
    fn indirect(&self) -> u32 {
        self.bodies.len() as u32
    }

    /// The `n`-th node that a node calls.
    fn callee(&self, node: u32, n: u32) -> Option<u32> {
        let Some(body) = self.bodies.get(node as usize) else { return self.taken.get(n as usize).copied() };
        let (begin, end) = body.calls;
        match begin + n {
            call if call < end => Some(self.calls[call as usize]),
            call if call == end && body.indirect_calls > 0 => Some(self.indirect()),
            _ => None,
        }
    }

    /// Who is called in a cycle, and all nodes, callees before callers where there is no cycle.
    fn walk(&self) -> (Vec<bool>, Vec<u32>) {
        const NEW: u8 = 0;
        const OPEN: u8 = 1;
        const DONE: u8 = 2;
        let nodes = self.bodies.len() + 1;
        let (mut state, mut pays, mut order) = (vec![NEW; nodes], vec![false; nodes], Vec::with_capacity(nodes));
        // A stack of our own: a chain of calls may be as long as there are functions.
        let mut stack: Vec<(u32, u32)> = Vec::new();
        for root in 0..nodes as u32 {
            if state[root as usize] != NEW {
                continue;
            }
            state[root as usize] = OPEN;
            stack.push((root, 0));
            while let Some((node, next)) = stack.last_mut() {
                let node = *node;
                let Some(callee) = self.callee(node, *next) else {
                    state[node as usize] = DONE;
                    order.push(node);
                    stack.pop();
                    continue;
                };
                *next += 1;
                match state[callee as usize] {
                    NEW => {
                        state[callee as usize] = OPEN;
                        stack.push((callee, 0));
                    }
                    OPEN => pays[if callee == self.indirect() { node } else { callee } as usize] = true,
                    _ => {}
                }
            }
        }
        (pays, order)
    }

    /// Adds up, callees first.
    fn sum(&self, pays: &[bool], order: &[u32], imported: u32) -> Costs {
        let direct = self.bodies.iter().map(|body| body.direct).collect();
        let inner = self.bodies.iter().map(|body| !self.catches && body.how.mostly_itself()).collect();
        let mut costs = Costs { bodies: vec![0; self.bodies.len()], direct, inner, imported, indirect: 0 };
        for &node in order {
            let Some(body) = self.bodies.get(node as usize) else {
                costs.indirect = self.taken.iter().map(|&taken| costs.bodies[taken as usize]).max().unwrap_or(0);
                continue;
            };
            let (begin, end) = body.calls;
            if pays[node as usize] || body.loops && (end > begin || body.indirect_calls > 0 || body.imports) {
                continue;
            }
            let called = self.calls[begin as usize..end as usize].iter();
            let sum = called.fold(body.own, |sum, &callee| sum.saturating_add(costs.bodies[callee as usize]));
            let sum = sum.saturating_add(costs.indirect.saturating_mul(body.indirect_calls));
            let sum = sum.saturating_add(if body.loops { LEAF_TURNS } else { 0 });
            // At least 1, as 0 says that it pays.
            costs.bodies[node as usize] = if sum > LIMIT { 0 } else { sum.max(1) };
        }
        costs
    }
}
