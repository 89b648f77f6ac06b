//! Calls behind which a function has nothing more to do than to return what they return. They need no frame:
//! when all is restored, the callee's answer goes to the caller's caller.

use std::collections::HashSet;

use wasmparser::{Operator, OperatorsReader, Result};

use super::graph::Forking;
use super::module::Module;

/// A construct that is open.
struct Open {
    /// Calls at the end of the first arm of an `if`.
    first: Vec<usize>,
    /// An exception that leaves the call would be caught here.
    catches: bool,
}

/// Where those calls of a body are that may fork. In code that is never reached there may be others.
pub fn tails(module: &Module, forking: &Forking, body: usize) -> Result<HashSet<usize>> {
    let function = module.imported + body as u32;
    let Some(results) = &module.signature(function).results else { return Ok(HashSet::new()) };
    let mut found = HashSet::new();
    let mut ops = OperatorsReader::new(module.bodies[body].get_binary_reader_for_operators()?);
    let mut open = vec![Open { first: Vec::new(), catches: false }];
    let mut catches = 0;
    // The calls after which what is looked at comes next.
    let mut last: Vec<usize> = Vec::new();
    while !ops.eof() {
        let begin = ops.original_position() as usize;
        let op = ops.read()?;
        match &op {
            Operator::Nop => continue,
            Operator::Return => found.extend(last.drain(..)),
            Operator::Br { relative_depth } if *relative_depth as usize + 1 == open.len() => {
                found.extend(last.drain(..))
            }
            Operator::Else => {
                if let Some(open) = open.last_mut() {
                    open.first = std::mem::take(&mut last);
                }
            }
            Operator::End => {
                let Some(done) = open.pop() else { break };
                last.extend(done.first);
                catches -= u32::from(done.catches);
                if open.is_empty() {
                    found.extend(last.drain(..));
                }
            }
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::TryTable { .. } => {
                last.clear();
                let is_try = matches!(op, Operator::TryTable { .. });
                catches += u32::from(is_try);
                open.push(Open { first: Vec::new(), catches: is_try });
            }
            _ => last.clear(),
        }
        if catches == 0 && forking.call(&op) && callee_results(module, &op) == Some(results) {
            last.push(begin);
        }
    }
    Ok(found)
}

fn callee_results<'a>(module: &'a Module, op: &Operator) -> Option<&'a Vec<u8>> {
    let ty = match *op {
        Operator::Call { function_index } => module.function_types[function_index as usize],
        Operator::CallIndirect { type_index, .. } | Operator::CallRef { type_index } => type_index,
        _ => return None,
    };
    module.signatures[ty as usize].results.as_ref()
}
