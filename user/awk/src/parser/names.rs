//! Names: which are variables, arrays and functions, and where they are. An array as an argument looks like a variable,
//! so what a parameter is gets known only when the whole program has been seen.

use super::expr::bare;
use crate::ast::{Expr, Function, Program, SPECIAL, Slot, Stmt, When, special};
use std::collections::HashMap;

pub struct Names {
    globals: Vec<(Vec<u8>, bool)>,
    by_name: HashMap<Vec<u8>, usize>,
    functions: Vec<Function>,
    /// Functions by name; some may be called before they are defined.
    function_names: HashMap<Vec<u8>, usize>,
    defined: Vec<bool>,
    /// The parameters of the function that is being read, and its number.
    params: Vec<Vec<u8>>,
    inside: Option<usize>,
    /// In function, its slot, handed to a function as an argument.
    handed: Vec<(Option<usize>, Slot, usize, usize)>,
}

impl Names {
    pub fn new() -> Names {
        let arrays = [special::ENVIRON, special::ARGV];
        let globals: Vec<(Vec<u8>, bool)> =
            SPECIAL.iter().enumerate().map(|(i, n)| (n.as_bytes().to_vec(), arrays.contains(&i))).collect();
        let by_name = globals.iter().enumerate().map(|(i, g)| (g.0.clone(), i)).collect();
        let (functions, function_names, defined, params, handed) = Default::default();
        Names { globals, by_name, functions, function_names, defined, params, inside: None, handed }
    }

    pub fn variable(&mut self, name: Vec<u8>) -> Slot {
        if let Some(i) = self.params.iter().position(|p| *p == name) {
            return Slot::Local(i);
        }
        let next = self.globals.len();
        let at = *self.by_name.entry(name.clone()).or_insert(next);
        if at == next {
            self.globals.push((name, false));
        }
        Slot::Global(at)
    }

    pub fn array(&mut self, name: Vec<u8>) -> Result<Slot, String> {
        let slot = self.variable(name);
        self.used_as_array(slot)
    }

    pub fn used_as_array(&mut self, slot: Slot) -> Result<Slot, String> {
        self.set_array(self.inside, slot);
        if matches!(slot, Slot::Global(n) if n < special::ENVIRON || n == special::ARGC) {
            return Err("a variable is used as an array".into());
        }
        Ok(slot)
    }

    fn set_array(&mut self, function: Option<usize>, slot: Slot) -> bool {
        let flag = match (slot, function) {
            (Slot::Global(n), _) => &mut self.globals[n].1,
            (Slot::Local(n), Some(f)) => &mut self.functions[f].params[n],
            (Slot::Local(_), None) => return false,
        };
        !std::mem::replace(flag, true)
    }

    fn is_array(&self, function: Option<usize>, slot: Slot) -> bool {
        match (slot, function) {
            (Slot::Global(n), _) => self.globals[n].1,
            (Slot::Local(n), Some(f)) => self.functions[f].params[n],
            (Slot::Local(_), None) => false,
        }
    }

    /// `length(x)`: of an array, if it is known to be one by the time it runs.
    pub fn maybe_array(&mut self, slot: Slot) -> Expr {
        Expr::Array(slot)
    }

    fn function_index(&mut self, name: &[u8]) -> usize {
        if let Some(i) = self.function_names.get(name) {
            return *i;
        }
        self.functions.push(Function { name: name.to_vec(), ..Function::default() });
        self.defined.push(false);
        self.function_names.insert(name.to_vec(), self.functions.len() - 1);
        self.functions.len() - 1
    }

    pub fn begin_function(&mut self, name: Vec<u8>, params: Vec<Vec<u8>>) -> Result<usize, String> {
        let i = self.function_index(&name);
        if std::mem::replace(&mut self.defined[i], true) {
            return Err(format!("function {} is defined twice", String::from_utf8_lossy(&name)));
        }
        self.functions[i].params = vec![false; params.len()];
        self.params = params;
        self.inside = Some(i);
        Ok(i)
    }

    pub fn end_function(&mut self, index: usize, body: Vec<Stmt>) {
        self.functions[index].body = body;
        self.params.clear();
        self.inside = None;
    }

    pub fn call(&mut self, name: Vec<u8>, args: Vec<Expr>) -> Expr {
        let f = self.function_index(&name);
        for (i, slot) in args.iter().enumerate().filter_map(|(i, a)| Some((i, bare(a)?))) {
            self.handed.push((self.inside, slot, f, i));
        }
        Expr::Call(f, args)
    }

    pub fn finish(&mut self, rules: Vec<(When, Option<Vec<Stmt>>)>) -> Result<Program, String> {
        if let Some(i) = self.defined.iter().position(|d| !d) {
            return Err(format!("function {} is not defined", String::from_utf8_lossy(&self.functions[i].name)));
        }
        // What is handed to an array is one, and what an array is handed to; until nothing changes.
        loop {
            let mut changed = false;
            for (inside, slot, f, i) in self.handed.clone() {
                if i >= self.functions[f].params.len() {
                    continue;
                }
                if self.is_array(Some(f), Slot::Local(i)) {
                    changed |= self.set_array(inside, slot);
                } else if self.is_array(inside, slot) {
                    changed |= self.set_array(Some(f), Slot::Local(i));
                }
            }
            if !changed {
                break;
            }
        }
        let (functions, globals) = (std::mem::take(&mut self.functions), std::mem::take(&mut self.globals));
        Ok(Program { rules, functions, globals })
    }
}
