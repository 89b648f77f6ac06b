//! Carrying statements out.

use super::number::{Number, Result, show_in};
use super::parse::{Arg, Builtin, Expr, Function, Local, Place, Printed, Statement};
use kit::show::put;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;

/// Functions may call each other so deep.
const CALLS_MAX: usize = 400;
/// Digits behind the point.
const SCALE_MAX: i64 = 1_000_000;
/// BC_DIM_MAX is at least 2048.
const INDEX_MAX: i64 = 16_777_215;

type Array = HashMap<u32, Number>;

/// What changes the order of statements.
enum Flow {
    On,
    Break,
    Continue,
    Return(Number),
}

/// Why it doesn't go on.
pub enum Stop {
    /// The next line may still make sense.
    Error(String),
    Halt,
}

impl From<String> for Stop {
    fn from(e: String) -> Stop {
        Stop::Error(e)
    }
}

pub struct Machine {
    scale: u32,
    ibase: u32,
    obase: i64,
    last: Number,
    names: HashMap<String, Number>,
    arrays: HashMap<String, Array>,
    functions: HashMap<String, Rc<Function>>,
    calls: usize,
    /// Where the next character of the output line goes.
    column: usize,
    width: usize,
    /// For `read()`.
    pub read: Box<dyn FnMut() -> Option<String>>,
}

impl Machine {
    pub fn new(width: usize, read: Box<dyn FnMut() -> Option<String>>) -> Machine {
        Machine {
            scale: 0,
            ibase: 10,
            obase: 10,
            last: Number::int(0),
            names: HashMap::new(),
            arrays: HashMap::new(),
            functions: HashMap::new(),
            calls: 0,
            column: 0,
            width,
            read,
        }
    }

    pub fn set_scale(&mut self, scale: u32) {
        self.scale = scale;
    }

    pub fn run(&mut self, statements: &[Statement]) -> std::result::Result<(), Stop> {
        for s in statements {
            self.calls = 0;
            self.statement(s)?;
        }
        Ok(())
    }

    fn block(&mut self, all: &[Statement]) -> std::result::Result<Flow, Stop> {
        for s in all {
            match self.statement(s)? {
                Flow::On => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::On)
    }

    fn statement(&mut self, s: &Statement) -> std::result::Result<Flow, Stop> {
        match s {
            Statement::Expr(e) => {
                let value = self.value(e)?;
                if !matches!(e, Expr::Assign(..)) {
                    self.show(&value);
                    self.write("\n");
                    self.last = value;
                }
            }
            Statement::String(s) => self.write(s),
            Statement::Print(all) => self.print(all)?,
            Statement::Block(all) => return self.block(all),
            Statement::If(condition, then, otherwise) => {
                if !self.value(condition)?.is_zero() {
                    return self.statement(then);
                } else if let Some(s) = otherwise {
                    return self.statement(s);
                }
            }
            Statement::While(condition, body) => return self.repeat(Some(condition), None, body),
            Statement::For(first, condition, step, body) => {
                if let Some(e) = first {
                    self.value(e)?;
                }
                return self.repeat(condition.as_ref(), step.as_ref(), body);
            }
            Statement::Return(e) => {
                let value = e.as_ref().map_or(Ok(Number::int(0)), |e| self.value(e))?;
                return Ok(Flow::Return(value));
            }
            Statement::Break => return Ok(Flow::Break),
            Statement::Continue => return Ok(Flow::Continue),
            Statement::Halt => return Err(Stop::Halt),
            Statement::Define(f) => {
                self.functions.insert(f.name.clone(), f.clone());
            }
        }
        Ok(Flow::On)
    }

    fn repeat(
        &mut self,
        condition: Option<&Expr>,
        step: Option<&Expr>,
        body: &Statement,
    ) -> std::result::Result<Flow, Stop> {
        loop {
            if let Some(e) = condition
                && self.value(e)?.is_zero()
            {
                return Ok(Flow::On);
            }
            match self.statement(body)? {
                Flow::Break => return Ok(Flow::On),
                Flow::Return(value) => return Ok(Flow::Return(value)),
                Flow::On | Flow::Continue => {}
            }
            if let Some(e) = step {
                self.value(e)?;
            }
        }
    }

    fn print(&mut self, all: &[Printed]) -> std::result::Result<(), Stop> {
        for p in all {
            match p {
                Printed::Text(text) => self.write(&unescaped(text)),
                Printed::Value(e) => {
                    let value = self.value(e)?;
                    self.show(&value);
                    self.last = value;
                }
            }
        }
        Ok(())
    }

    /// A number, broken where a line would be too long (POSIX: 70 characters with the end).
    fn show(&mut self, value: &Number) {
        for c in show_in(value, self.obase).chars() {
            if self.width > 0 && self.column + 2 >= self.width {
                put(b"\\\n");
                self.column = 0;
            }
            put(&[c as u8]);
            self.column += 1;
        }
    }

    fn write(&mut self, text: &str) {
        put(text.as_bytes());
        self.column = match text.rsplit_once('\n') {
            Some((_, line)) => line.len(),
            None => self.column + text.len(),
        };
    }

    fn value(&mut self, e: &Expr) -> std::result::Result<Number, Stop> {
        Ok(match e {
            Expr::Number(text) => Number::parse(text, self.ibase),
            Expr::Var(place) => {
                let index = self.index(place)?;
                self.get(place, index)
            }
            Expr::Call(name, args) => self.call(name, args)?,
            Expr::Builtin(which, e) => {
                let value = self.value(e)?;
                match which {
                    Builtin::Length => Number::int(value.length() as i64),
                    Builtin::Scale => Number::int(value.scale as i64),
                    Builtin::Sqrt => value.sqrt(self.scale)?,
                }
            }
            Expr::Read => {
                let line = (self.read)().ok_or_else(|| "read() has nothing to read".to_string())?;
                let text = line.trim();
                let (sign, digits) = text.strip_prefix('-').map_or((false, text), |d| (true, d));
                let good = digits.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase() || c == '.');
                if !good || digits.matches('.').count() > 1 {
                    return Err(Stop::Error(format!("read(): {text}: not a number")));
                }
                let number = Number::parse(digits, self.ibase);
                if sign { number.negated() } else { number }
            }
            Expr::Unary("-", e) => self.value(e)?.negated(),
            Expr::Unary(_, e) => truth(self.value(e)?.is_zero()),
            Expr::Group(e) => self.value(e)?,
            Expr::Binary("&&", a, b) => truth(!self.value(a)?.is_zero() && !self.value(b)?.is_zero()),
            Expr::Binary("||", a, b) => truth(!self.value(a)?.is_zero() || !self.value(b)?.is_zero()),
            Expr::Binary(op, a, b) => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                self.binary(op, &a, &b)?
            }
            Expr::Assign(op, place, e) => {
                let index = self.index(place)?;
                let mut value = self.value(e)?;
                if let Some(op) = op.strip_suffix('=').filter(|o| !o.is_empty()) {
                    value = self.binary(op, &self.get(place, index), &value)?;
                }
                self.set(place, index, value.clone())?;
                value
            }
            Expr::Step(place, by, old) => {
                let index = self.index(place)?;
                let before = self.get(place, index);
                let after = before.add(&Number::int(*by));
                self.set(place, index, after.clone())?;
                if *old { before } else { after }
            }
        })
    }

    fn binary(&self, op: &str, a: &Number, b: &Number) -> Result<Number> {
        let order = || a.compare(b);
        Ok(match op {
            "+" => a.add(b),
            "-" => a.sub(b),
            "*" => a.mul(b, self.scale),
            "/" => a.div(b, self.scale)?,
            "%" => a.rem(b, self.scale)?,
            "^" => a.pow(b, self.scale)?,
            "<" => truth(order() == Ordering::Less),
            "<=" => truth(order() != Ordering::Greater),
            ">" => truth(order() == Ordering::Greater),
            ">=" => truth(order() != Ordering::Less),
            "==" => truth(order() == Ordering::Equal),
            _ => truth(order() != Ordering::Equal),
        })
    }

    fn index(&mut self, place: &Place) -> std::result::Result<u32, Stop> {
        let Place::Element(name, e) = place else { return Ok(0) };
        let index = self.value(e)?.to_int().filter(|n| (0..=INDEX_MAX).contains(n));
        index.map(|n| n as u32).ok_or_else(|| Stop::Error(format!("Array {name} subscript out of bounds.")))
    }

    fn get(&self, place: &Place, index: u32) -> Number {
        match place {
            Place::Scale => Number::int(self.scale as i64),
            Place::Ibase => Number::int(self.ibase as i64),
            Place::Obase => Number::int(self.obase),
            Place::Last => self.last.clone(),
            Place::Name(n) => self.names.get(n).cloned().unwrap_or(Number::int(0)),
            Place::Element(n, _) => self.arrays.get(n).and_then(|a| a.get(&index)).cloned().unwrap_or(Number::int(0)),
        }
    }

    fn set(&mut self, place: &Place, index: u32, value: Number) -> Result<()> {
        let int = || value.to_int().unwrap_or(i64::MAX);
        match place {
            Place::Scale => {
                if !(0..=SCALE_MAX).contains(&int()) {
                    return Err("scale out of its range".into());
                }
                self.scale = int() as u32;
            }
            Place::Ibase => self.ibase = int().clamp(2, 36) as u32,
            Place::Obase => self.obase = int().clamp(2, i32::MAX as i64),
            Place::Last => self.last = value,
            Place::Name(n) => {
                self.names.insert(n.clone(), value);
            }
            Place::Element(n, _) => {
                self.arrays.entry(n.clone()).or_default().insert(index, value);
            }
        }
        Ok(())
    }

    fn call(&mut self, name: &str, args: &[Arg]) -> std::result::Result<Number, Stop> {
        let f = self.functions.get(name).cloned().ok_or_else(|| format!("Function {name} not defined."))?;
        if args.len() != f.parameters.len() {
            return Err(Stop::Error(format!("Parameter number mismatch in {name}")));
        }
        if self.calls >= CALLS_MAX {
            return Err(Stop::Error("functions call each other too deeply".into()));
        }
        let mut scalars = Vec::new();
        let mut arrays = Vec::new();
        for (arg, (array, parameter)) in args.iter().zip(&f.parameters) {
            match (arg, array) {
                (Arg::Value(e), false) => scalars.push((parameter, self.value(e)?)),
                (Arg::Array(a), true) => arrays.push((parameter, self.arrays.get(a).cloned().unwrap_or_default())),
                _ => return Err(Stop::Error(format!("Parameter type mismatch in {name}"))),
            }
        }
        let saved: Vec<_> = f.parameters.iter().chain(&f.autos).map(|l| (l, self.take(l))).collect();
        scalars.into_iter().for_each(|(n, v)| {
            self.names.insert(n.clone(), v);
        });
        arrays.into_iter().for_each(|(n, v)| {
            self.arrays.insert(n.clone(), v);
        });
        self.calls += 1;
        let result = self.block(&f.body);
        self.calls = self.calls.saturating_sub(1);
        for (local, (number, array)) in saved.into_iter().rev() {
            self.take(local);
            if let Some(n) = number {
                self.names.insert(local.1.clone(), n);
            }
            if let Some(a) = array {
                self.arrays.insert(local.1.clone(), a);
            }
        }
        match result? {
            Flow::Return(value) => Ok(value),
            _ => Ok(Number::int(0)),
        }
    }

    /// Takes what a name stands for, for as long as a function has it.
    fn take(&mut self, (array, name): &Local) -> (Option<Number>, Option<Array>) {
        match array {
            true => (None, self.arrays.remove(name)),
            false => (self.names.remove(name), None),
        }
    }
}

fn truth(b: bool) -> Number {
    Number::int(b as i64)
}

/// Escapes of `print`.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let escape = if c == '\\' { rest.next() } else { None };
        match escape {
            None => out.push(c),
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('a') => out.push('\x07'),
            Some('b') => out.push('\x08'),
            Some('f') => out.push('\x0c'),
            Some('q') => out.push('"'),
            Some('e' | '\\') => out.push('\\'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
        }
    }
    out
}
