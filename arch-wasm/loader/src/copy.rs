//! Copying wasm with changes in between: what is not changed is moved as bytes, so that neither its
//! meaning nor the time it takes depends on what it is.

use wasm_encoder::{Encode, SectionId};
use wasmparser::{
    ConstExpr, ElementItems, ElementKind, ElementSectionReader, Operator, Result, TableInit, TableSectionReader,
};

/// All sections but custom ones in the order in which they come.
pub const ORDER: [SectionId; 13] = [
    SectionId::Type,
    SectionId::Import,
    SectionId::Function,
    SectionId::Table,
    SectionId::Memory,
    SectionId::Tag,
    SectionId::Global,
    SectionId::Export,
    SectionId::Start,
    SectionId::Element,
    SectionId::DataCount,
    SectionId::Code,
    SectionId::Data,
];
/// What an engine takes of each: <https://webassembly.github.io/spec/js-api/#limits>.
pub const MAX_ITEMS: u32 = 1_000_000;

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

    /// Copies up to `begin` and puts a number where one ends at `end`.
    pub fn replace(&mut self, begin: usize, end: usize, number: u32) {
        self.up_to(begin);
        number.encode(&mut self.out);
        self.at = end;
    }

    /// Copies up to the end of a constant expression, renumbering the functions in it.
    pub fn expression(&mut self, expression: &ConstExpr, renumber: &impl Renumber) -> Result<()> {
        let mut ops = expression.get_operators_reader();
        while !ops.eof() {
            let begin = ops.original_position() as usize;
            let op = ops.read()?;
            renumber.operator(self, &op, begin, ops.original_position() as usize);
        }
        self.up_to(ops.original_position() as usize);
        Ok(())
    }

    /// Copies the entries of a table section.
    pub fn tables(&mut self, section: TableSectionReader, end: usize, renumber: &impl Renumber) -> Result<()> {
        for table in section {
            if let TableInit::Expr(expression) = table?.init {
                self.expression(&expression, renumber)?;
            }
        }
        self.up_to(end);
        Ok(())
    }

    /// Copies the entries of an element section.
    pub fn elements(&mut self, section: ElementSectionReader, end: usize, renumber: &impl Renumber) -> Result<()> {
        for element in section {
            let element = element?;
            if let ElementKind::Active { offset_expr, .. } = &element.kind {
                self.expression(offset_expr, renumber)?;
            }
            match element.items {
                ElementItems::Functions(functions) => {
                    self.up_to(functions.original_position() as usize);
                    let mut items = functions.into_iter();
                    while let Some(function) = items.next() {
                        // Function numbers follow each other without a gap.
                        renumber.function(function?).encode(&mut self.out);
                        self.skip_to(items.original_position() as usize);
                    }
                }
                ElementItems::Expressions(_, expressions) => {
                    for expression in expressions {
                        self.expression(&expression?, renumber)?;
                    }
                }
            }
        }
        self.up_to(end);
        Ok(())
    }
}

/// The new numbers that a pass gives to functions.
pub trait Renumber {
    fn function(&self, index: u32) -> u32;

    /// Renumbers the function in an instruction from `begin` to `end`, if it has one. The
    /// instructions that do have an opcode of one byte.
    fn operator(&self, copy: &mut Copy, op: &Operator, begin: usize, end: usize) {
        if let Some(index) = function_in(op)
            && self.function(index) != index
        {
            copy.replace(begin + 1, end, self.function(index));
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
