//! Copying wasm with changes in between: what is not changed is moved as bytes.

use wasm_encoder::Encode;
use wasmparser::{ConstExpr, Operator, Result};

/// Moves bytes from one module into another, in order.
pub struct Copy<'a> {
    from: &'a [u8],
    /// What is before was copied, or left out.
    at: usize,
    pub out: Vec<u8>,
}

impl<'a> Copy<'a> {
    pub fn new(from: &'a [u8], at: usize) -> Copy<'a> {
        Copy { from, at, out: Vec::new() }
    }

    pub fn up_to(&mut self, end: usize) {
        self.out.extend_from_slice(&self.from[self.at..end]);
        self.at = end;
    }

    /// Leaves out what is before `end`.
    pub fn skip_to(&mut self, end: usize) {
        self.at = end;
    }

    /// Copies up to the end of a constant expression, renumbering the functions in it.
    pub fn expression(&mut self, expression: &ConstExpr, renumber: &Renumber) -> Result<()> {
        let mut ops = expression.get_operators_reader();
        while !ops.eof() {
            let begin = ops.original_position() as usize;
            let op = ops.read()?;
            renumber.operator(self, &op, begin, ops.original_position() as usize);
        }
        self.up_to(ops.original_position() as usize);
        Ok(())
    }
}

/// One import comes behind those that were, and fork becomes a function of the program.
pub struct Renumber {
    /// By imported function: it is fork.
    pub forks: Vec<bool>,
    /// The number of the function that stands for it.
    pub fork: u32,
}

impl Renumber {
    pub fn function(&self, index: u32) -> u32 {
        match self.forks.get(index as usize) {
            None => index + 1,
            Some(true) => self.fork,
            Some(false) => index,
        }
    }

    /// Renumbers the function in an instruction from `begin` to `end`, if it has one. The
    /// instructions that do have an opcode of one byte.
    pub fn operator(&self, copy: &mut Copy, op: &Operator, begin: usize, end: usize) {
        if let Some(index) = function_in(op) {
            copy.up_to(begin + 1);
            self.function(index).encode(&mut copy.out);
            copy.skip_to(end);
        }
    }
}

/// The function that an instruction names. There are no others in the binary format's index of
/// instructions: <https://webassembly.github.io/spec/core/appendix/index-instructions.html>.
pub fn function_in(op: &Operator) -> Option<u32> {
    match *op {
        Operator::Call { function_index }
        | Operator::ReturnCall { function_index }
        | Operator::RefFunc { function_index } => Some(function_index),
        _ => None,
    }
}
