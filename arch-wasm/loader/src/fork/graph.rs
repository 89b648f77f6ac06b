//! Which functions may fork, found out from who calls whom.
//!
//! A function may fork if it calls one that may, or makes an indirect call of a type that a function
//! has which may fork and to which a reference is made anywhere. What it reaches by a tail call
//! counts, too. It is also seen here whether the program has state that cannot be copied.

use std::collections::HashMap;

use wasmparser::types::CoreTypeId;
use wasmparser::{
    BinaryReader, ConstExpr, ElementItems, ElementSectionReader, GlobalSectionReader, Operator, OperatorsReader,
    OperatorsReaderAllocations, RefType, Result, TableInit, TableSectionReader, ValType,
};

use super::module::{Module, code, is_number};
use crate::copy::function_in;

/// Who may fork.
pub struct Forking {
    /// By function, imported ones too.
    functions: Vec<bool>,
    /// By type: an indirect call of it may.
    types: Vec<bool>,
}

impl Forking {
    pub fn function(&self, index: u32) -> bool {
        self.functions[index as usize]
    }

    /// Whether what an instruction calls may fork, and is not called in place of the caller.
    pub fn call(&self, op: &Operator) -> bool {
        match *op {
            Operator::Call { function_index } => self.functions[function_index as usize],
            Operator::CallIndirect { type_index, .. } | Operator::CallRef { type_index } => {
                self.types[type_index as usize]
            }
            _ => false,
        }
    }
}

/// The walk: nodes are functions, then types of indirect calls.
struct Graph<'a, 'b> {
    module: &'a Module<'b>,
    /// Types that are the same have the same number.
    types: Vec<u32>,
    /// Callee and caller.
    calls: Vec<(u32, u32)>,
    taken: Vec<bool>,
    /// It changes a table.
    changes_tables: bool,
}

/// Finds out who may fork. `None`: nobody, as the program keeps state where no copy of it can be made: in
/// tables that it changes, references in globals, in several memories.
pub fn forking(module: &Module, forks: &[bool]) -> Result<Option<Forking>> {
    let mut graph = Graph {
        module,
        types: same_types(module),
        calls: Vec::new(),
        taken: vec![false; module.function_types.len()],
        changes_tables: false,
    };
    graph.read_bodies()?;
    graph.read_references()?;
    if graph.changes_tables || keeps_references(module) || module.memories.len() > 1 {
        return Ok(None);
    }
    graph.take_types();
    Ok(Some(graph.reach(forks)))
}

/// A number for each type, the same for equal ones.
fn same_types(module: &Module) -> Vec<u32> {
    let types = module.types.as_ref();
    let mut known: HashMap<CoreTypeId, u32> = HashMap::new();
    let number = |index: u32| *known.entry(types.core_type_at_in_module(index)).or_insert(index);
    (0..module.signatures.len() as u32).map(number).collect()
}

/// Tables of other things than functions and globals with references may hold what changes.
fn keeps_references(module: &Module) -> bool {
    let is_function = |ty| ty == ValType::FUNCREF || ty == ValType::Ref(RefType::FUNC);
    let global = module.globals.iter().any(|global| match code(global.content_type) {
        Some(ty) if is_number(ty) => false,
        _ => global.mutable || !is_function(global.content_type),
    });
    global || module.tables.iter().any(|table| !is_function(ValType::Ref(table.element_type)))
}

impl Graph<'_, '_> {
    fn read_bodies(&mut self) -> Result<()> {
        let mut allocations = OperatorsReaderAllocations::default();
        let mut seen = HashMap::new();
        for (body, caller) in self.module.bodies.iter().zip(self.module.imported..) {
            let mut ops = OperatorsReader::new_with_allocs(body.get_binary_reader_for_operators()?, allocations);
            while !ops.eof() {
                self.see(&ops.read()?, caller, &mut seen);
            }
            allocations = ops.into_allocations();
        }
        Ok(())
    }

    /// `seen` has for each callee the last caller, so that an edge is noted once.
    fn see(&mut self, op: &Operator, caller: u32, seen: &mut HashMap<u32, u32>) {
        use Operator as O;
        let callee = match *op {
            O::Call { function_index } | O::ReturnCall { function_index } => function_index,
            O::CallIndirect { type_index, .. }
            | O::ReturnCallIndirect { type_index, .. }
            | O::CallRef { type_index }
            | O::ReturnCallRef { type_index } => self.type_node(type_index),
            O::RefFunc { function_index } => return self.taken[function_index as usize] = true,
            O::TableSet { .. }
            | O::TableGrow { .. }
            | O::TableFill { .. }
            | O::TableCopy { .. }
            | O::TableInit { .. } => return self.changes_tables = true,
            _ => return,
        };
        if seen.insert(callee, caller) != Some(caller) {
            self.calls.push((callee, caller));
        }
    }

    fn type_node(&self, ty: u32) -> u32 {
        self.taken.len() as u32 + self.types[ty as usize]
    }

    fn take(&mut self, expression: &ConstExpr) -> Result<()> {
        let mut ops = expression.get_operators_reader();
        while !ops.eof() {
            if let Some(function) = function_in(&ops.read()?) {
                self.taken[function as usize] = true;
            }
        }
        Ok(())
    }

    /// References outside of the code.
    fn read_references(&mut self) -> Result<()> {
        use wasm_encoder::SectionId as Id;
        let module = self.module;
        let features = crate::program::features();
        let reader = |id| Some(BinaryReader::new_features(&module.bytes[module.section(id)?], 0, features));
        if let Some(reader) = reader(Id::Global) {
            for global in GlobalSectionReader::new(reader)? {
                self.take(&global?.init_expr)?;
            }
        }
        if let Some(reader) = reader(Id::Table) {
            for table in TableSectionReader::new(reader)? {
                if let TableInit::Expr(expression) = table?.init {
                    self.take(&expression)?;
                }
            }
        }
        let Some(reader) = reader(Id::Element) else { return Ok(()) };
        for element in ElementSectionReader::new(reader)? {
            match element?.items {
                ElementItems::Functions(functions) => {
                    for function in functions {
                        self.taken[function? as usize] = true;
                    }
                }
                ElementItems::Expressions(_, items) => {
                    for item in items {
                        self.take(&item?)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// An indirect call of a type reaches the functions of that type and of its subtypes.
    fn take_types(&mut self) {
        let types = self.module.types.as_ref();
        let index: HashMap<CoreTypeId, u32> = (0..self.module.signatures.len() as u32)
            .map(|index| (types.core_type_at_in_module(index), self.type_node(index)))
            .collect();
        for function in (0..self.taken.len() as u32).filter(|&function| self.taken[function as usize]) {
            // Types have at most 63 supertypes, <https://webassembly.github.io/spec/js-api/#limits>.
            let mut ty = Some(types.core_function_at(function));
            while let Some(id) = ty {
                self.calls.extend(index.get(&id).map(|&node| (function, node)));
                ty = types.supertype_of(id);
            }
        }
    }

    /// Goes from fork to its callers.
    fn reach(mut self, forks: &[bool]) -> Forking {
        self.calls.sort_unstable();
        let functions = self.taken.len();
        let mut reached = vec![false; functions + self.types.len()];
        let mut new: Vec<u32> = (0..forks.len() as u32).filter(|&index| forks[index as usize]).collect();
        new.iter().for_each(|&index| reached[index as usize] = true);
        while let Some(callee) = new.pop() {
            let begin = self.calls.partition_point(|&(other, _)| other < callee);
            let callers = self.calls[begin..].iter().take_while(|(other, _)| *other == callee);
            for &(_, caller) in callers {
                if !std::mem::replace(&mut reached[caller as usize], true) {
                    new.push(caller);
                }
            }
        }
        let types = self.types.iter().map(|&ty| reached[functions + ty as usize]).collect();
        reached.truncate(functions);
        Forking { functions: reached, types }
    }
}
