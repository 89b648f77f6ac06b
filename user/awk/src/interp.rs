//! What a program has while it runs: variables, fields, files; and the value of an expression.

use crate::ast::{Compare, Expr, From, Op, Place, Program, Slot, special};
use crate::fields::Record;
use crate::output::Outputs;
use crate::records::{Inputs, Main};
use crate::value::Val;
use posix_regex::Regex;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

pub type Array = Rc<RefCell<BTreeMap<Rc<[u8]>, Val>>>;

#[derive(Clone)]
pub enum Cell {
    Val(Val),
    Array(Array),
}

/// Why an expression has no value.
pub enum Stop {
    Error(String),
    Exit,
    Next,
    NextFile,
}

impl std::convert::From<String> for Stop {
    fn from(e: String) -> Stop {
        Stop::Error(e)
    }
}
impl std::convert::From<&str> for Stop {
    fn from(e: &str) -> Stop {
        Stop::Error(e.into())
    }
}

pub type Eval<T> = Result<T, Stop>;

pub struct Interp {
    pub program: Rc<Program>,
    pub globals: Vec<Cell>,
    /// The frames of functions, the last from `base`.
    pub stack: Vec<Cell>,
    pub base: usize,
    pub depth: usize,
    pub record: Record,
    pub main: Main,
    pub inputs: Inputs,
    pub outputs: Outputs,
    pub status: i32,
    pub ranges: Vec<bool>,
    pub random: u64,
    pub seed: f64,
    regexes: HashMap<Rc<[u8]>, Rc<Regex>>,
}

/// Calls of functions in each other: as many as the stack is sure to hold.
const DEPTH: usize = 1000;

pub fn new_array() -> Array {
    Rc::default()
}

impl Interp {
    pub fn new(program: Program, operands: &[Vec<u8>]) -> Interp {
        let cell = |array: &bool| if *array { Cell::Array(new_array()) } else { Cell::Val(Val::None) };
        let mut globals: Vec<Cell> = program.globals.iter().map(|g| cell(&g.1)).collect();
        for (at, text) in [
            (special::FS, " "),
            (special::OFS, " "),
            (special::ORS, "\n"),
            (special::RS, "\n"),
            (special::SUBSEP, "\x1c"),
            (special::CONVFMT, "%.6g"),
            (special::OFMT, "%.6g"),
        ] {
            globals[at] = Cell::Val(Val::str(text.as_bytes()));
        }
        for (at, n) in [
            (special::NR, 0.0),
            (special::NF, 0.0),
            (special::FNR, 0.0),
            (special::RSTART, 0.0),
            (special::RLENGTH, -1.0),
            (special::ARGC, 1.0 + operands.len() as f64),
        ] {
            globals[at] = Cell::Val(Val::Num(n));
        }
        if let Cell::Array(env) = &globals[special::ENVIRON] {
            for v in kit::process::environment() {
                let at = v.iter().position(|b| *b == b'=').unwrap_or(v.len());
                env.borrow_mut().insert(v[..at].into(), Val::outside(v.get(at + 1..).unwrap_or_default()));
            }
        }
        if let Cell::Array(argv) = &globals[special::ARGV] {
            let mut argv = argv.borrow_mut();
            argv.insert(b"0"[..].into(), Val::str(&b"awk"[..]));
            for (i, o) in operands.iter().enumerate() {
                argv.insert((i + 1).to_string().into_bytes().into(), Val::outside(o));
            }
        }
        let ranges = vec![false; program.rules.len()];
        Interp {
            program: program.into(),
            globals,
            stack: Vec::new(),
            base: 0,
            depth: 0,
            record: Record::default(),
            main: Main::default(),
            inputs: Inputs::default(),
            outputs: Outputs::default(),
            status: 0,
            ranges,
            random: 0x9e37_79b9_7f4a_7c15,
            seed: 0.0,
            regexes: HashMap::new(),
        }
    }

    /// `NAME=VALUE` of the command line: with a string's escapes, and a number if it looks like one.
    pub fn assign_from_outside(&mut self, name: &[u8], value: &[u8]) -> Result<(), String> {
        let ok = name.first().is_some_and(|b| !b.is_ascii_digit())
            && name.iter().all(|b| *b == b'_' || b.is_ascii_alphanumeric());
        if !ok {
            return Err(format!("{}: not a name", String::from_utf8_lossy(name)));
        }
        let value = Val::outside(&crate::lexer::unescape(value));
        // A name that the program does not have is nothing to it.
        match self.program.globals.iter().position(|g| g.0 == name) {
            Some(at) if self.program.globals[at].1 => Err(format!("{}: an array", String::from_utf8_lossy(name))),
            Some(at) => self.set(Slot::Global(at), value).map_err(|s| match s {
                Stop::Error(e) => e,
                _ => String::new(),
            }),
            None => Ok(()),
        }
    }

    pub fn special(&self, at: usize) -> &Val {
        match &self.globals[at] {
            Cell::Val(v) => v,
            Cell::Array(_) => &Val::None,
        }
    }
    pub fn special_text(&self, at: usize) -> Rc<[u8]> {
        self.special(at).text(b"%.6g")
    }
    pub fn set_special(&mut self, at: usize, value: Val) {
        self.globals[at] = Cell::Val(value);
    }

    /// A value as a string, by CONVFMT.
    pub fn text(&self, v: &Val) -> Rc<[u8]> {
        match v {
            Val::Num(n) if *n == n.trunc() => v.text(b""),
            Val::Num(_) => v.text(&self.special_text(special::CONVFMT)),
            _ => v.text(b""),
        }
    }

    fn cell(&self, slot: Slot) -> &Cell {
        match slot {
            Slot::Global(at) => &self.globals[at],
            Slot::Local(at) => &self.stack[self.base + at],
        }
    }

    pub fn array(&self, slot: Slot) -> Eval<Array> {
        match self.cell(slot) {
            Cell::Array(a) => Ok(a.clone()),
            Cell::Val(_) => Err("a variable is used as an array".into()),
        }
    }

    pub fn get(&mut self, slot: Slot) -> Eval<Val> {
        if slot == Slot::Global(special::NF) {
            self.split_record()?;
        }
        match self.cell(slot) {
            Cell::Val(v) => Ok(v.clone()),
            Cell::Array(_) => Err("an array is used as a value".into()),
        }
    }

    pub fn set(&mut self, slot: Slot, value: Val) -> Eval<()> {
        match slot {
            Slot::Global(special::NF) => {
                self.split_record()?;
                self.set_field_count(value.num())?;
            }
            Slot::Global(at) => {
                if matches!(self.globals[at], Cell::Array(_)) {
                    return Err("an array is used as a variable".into());
                }
                // The fields of the record at hand are those of the FS that it was read with.
                if at == special::FS {
                    self.split_record()?;
                }
                self.globals[at] = Cell::Val(value);
            }
            Slot::Local(at) => self.stack[self.base + at] = Cell::Val(value),
        }
        Ok(())
    }

    pub fn subscript(&mut self, index: &[Expr]) -> Eval<Rc<[u8]>> {
        if let [one] = index {
            let v = self.eval(one)?;
            return Ok(self.text(&v));
        }
        let mut key = Vec::new();
        for (i, e) in index.iter().enumerate() {
            if i > 0 {
                key.extend_from_slice(&self.special_text(special::SUBSEP));
            }
            let v = self.eval(e)?;
            key.extend_from_slice(&self.text(&v));
        }
        Ok(key.into())
    }

    pub fn load(&mut self, place: &Place) -> Eval<Val> {
        match place {
            Place::Var(slot) => self.get(*slot),
            Place::Field(e) => {
                let n = self.field_number(e)?;
                self.field(n)
            }
            Place::Element(slot, index) => {
                let key = self.subscript(index)?;
                let array = self.array(*slot)?;
                // To ask for an element makes it (POSIX awk, "Variables and Special Variables").
                let value = array.borrow_mut().entry(key).or_default().clone();
                Ok(value)
            }
        }
    }

    pub fn store(&mut self, place: &Place, value: Val) -> Eval<()> {
        match place {
            Place::Var(slot) => self.set(*slot, value),
            Place::Field(e) => {
                let n = self.field_number(e)?;
                self.set_field(n, value)
            }
            Place::Element(slot, index) => {
                let key = self.subscript(index)?;
                self.array(*slot)?.borrow_mut().insert(key, value);
                Ok(())
            }
        }
    }

    fn field_number(&mut self, e: &Expr) -> Eval<usize> {
        let n = self.eval(e)?.num();
        if !(0.0..=1e7).contains(&n) {
            return Err(Stop::Error(format!("there is no field ${n}")));
        }
        Ok(n as usize)
    }

    pub fn regex(&mut self, text: &Rc<[u8]>) -> Eval<Rc<Regex>> {
        if let Some(r) = self.regexes.get(text) {
            return Ok(r.clone());
        }
        if self.regexes.len() > 500 {
            self.regexes.clear();
        }
        let made = Rc::new(crate::regex::compile(text)?);
        self.regexes.insert(text.clone(), made.clone());
        Ok(made)
    }

    /// An expression where a pattern is wanted: between slashes, or a string.
    pub fn pattern(&mut self, e: &Expr) -> Eval<Rc<Regex>> {
        if let Expr::Regex(p) = e {
            return Ok(p.0.clone());
        }
        let v = self.eval(e)?;
        let text = self.text(&v);
        self.regex(&text)
    }

    pub fn truth(&mut self, e: &Expr) -> Eval<bool> {
        Ok(self.eval(e)?.truth())
    }

    pub fn eval(&mut self, e: &Expr) -> Eval<Val> {
        let truth = |b: bool| Val::Num(b as i32 as f64);
        Ok(match e {
            Expr::Num(n) => Val::Num(*n),
            Expr::Str(s) => Val::Str(s.clone()),
            Expr::Get(place) => self.load(place)?,
            Expr::Regex(p) => {
                let text = self.record_text()?;
                truth(p.0.is_match(&text))
            }
            Expr::Assign(place, e) => {
                let value = match self.eval(e)? {
                    // A copy of nothing is nothing, not a place that has not been used.
                    Val::None => Val::StrNum(Rc::from(&b""[..]), 0.0),
                    v => v,
                };
                self.store(place, value.clone())?;
                value
            }
            Expr::Change(op, place, e) => {
                let by = self.eval(e)?.num();
                let value = Val::Num(math(*op, self.load(place)?.num(), by)?);
                self.store(place, value.clone())?;
                value
            }
            Expr::Step(place, by, before) => {
                let old = self.load(place)?.num();
                self.store(place, Val::Num(old + by))?;
                Val::Num(if *before { old } else { old + by })
            }
            Expr::Cond(c, yes, no) => {
                let way = if self.truth(c)? { yes } else { no };
                self.eval(way)?
            }
            Expr::And(a, b) => truth(self.truth(a)? && self.truth(b)?),
            Expr::Or(a, b) => truth(self.truth(a)? || self.truth(b)?),
            Expr::Not(a) => truth(!self.truth(a)?),
            Expr::Neg(a) => Val::Num(-self.eval(a)?.num()),
            Expr::Plus(a) => Val::Num(self.eval(a)?.num()),
            Expr::Math(op, a, b) => {
                let a = self.eval(a)?.num();
                Val::Num(math(*op, a, self.eval(b)?.num())?)
            }
            Expr::Compare(op, a, b) => {
                let a = self.eval(a)?;
                let b = self.eval(b)?;
                truth(self.compare(*op, &a, &b))
            }
            Expr::Concat(a, b) => {
                let a = self.eval(a)?;
                let b = self.eval(b)?;
                Val::Str([&*self.text(&a), &*self.text(&b)].concat().into())
            }
            Expr::Match(positive, a, pattern) => {
                let v = self.eval(a)?;
                let text = self.text(&v);
                truth(self.pattern(pattern)?.is_match(&text) == *positive)
            }
            Expr::In(index, slot) => {
                let key = self.subscript(index)?;
                truth(self.array(*slot)?.borrow().contains_key(&key))
            }
            Expr::Group(_) => return Err("a list in parentheses is no value".into()),
            Expr::Array(_) => return Err("an array is used as a value".into()),
            Expr::Call(f, args) => self.call(*f, args)?,
            Expr::Builtin(b, args) => self.builtin(*b, args)?,
            Expr::Getline(from, place) => self.getline(from, place.as_deref())?,
        })
    }

    fn compare(&self, op: Compare, a: &Val, b: &Val) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let order = if a.is_numeric() && b.is_numeric() {
            a.num().partial_cmp(&b.num())
        } else {
            Some(self.text(a).cmp(&self.text(b)))
        };
        match op {
            Compare::Less => order == Some(Less),
            Compare::LessEqual => matches!(order, Some(Less | Equal)),
            Compare::Equal => order == Some(Equal),
            Compare::NotEqual => order != Some(Equal),
            Compare::Greater => order == Some(Greater),
            Compare::GreaterEqual => matches!(order, Some(Greater | Equal)),
        }
    }

    fn call(&mut self, f: usize, args: &[Expr]) -> Eval<Val> {
        let program = self.program.clone();
        let function = &program.functions[f];
        let name = || String::from_utf8_lossy(&function.name).into_owned();
        if args.len() > function.params.len() {
            return Err(Stop::Error(format!("function {} is called with too many arguments", name())));
        }
        if self.depth >= DEPTH {
            return Err(Stop::Error(format!("function {}: calls are nested too deep", name())));
        }
        let mut frame = Vec::with_capacity(function.params.len());
        for (i, array) in function.params.iter().enumerate() {
            frame.push(match (args.get(i), array) {
                (Some(Expr::Get(Place::Var(slot))), true) => Cell::Array(self.array(*slot)?),
                (Some(_), true) => return Err(Stop::Error(format!("function {} needs an array", name()))),
                (None, true) => Cell::Array(new_array()),
                (Some(e), false) => Cell::Val(self.eval(e)?),
                (None, false) => Cell::Val(Val::None),
            });
        }
        let (base, top) = (self.base, self.stack.len());
        self.stack.extend(frame);
        self.base = top;
        self.depth += 1;
        let result = self.body(&function.body);
        self.depth -= 1;
        self.base = base;
        self.stack.truncate(top);
        result
    }

    fn getline(&mut self, from: &From, place: Option<&Place>) -> Eval<Val> {
        let rs = self.special_text(special::RS);
        let (got, counts) = match from {
            From::Input => (self.next_main_record()?, true),
            From::File(e) => {
                let v = self.eval(e)?;
                let name = self.text(&v);
                self.outputs.flush();
                (self.inputs.file(&name, &rs), false)
            }
            From::Command(e) => {
                let v = self.eval(e)?;
                let command = self.text(&v);
                self.outputs.flush();
                (self.inputs.command(&command, &rs), true)
            }
        };
        let line = match got {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(Val::Num(0.0)),
            Err(_) => return Ok(Val::Num(-1.0)),
        };
        if counts {
            let one_more = |v: &Val| Val::Num(v.num() + 1.0);
            let nr = one_more(self.special(special::NR));
            self.set_special(special::NR, nr);
            if matches!(from, From::Input) {
                let fnr = one_more(self.special(special::FNR));
                self.set_special(special::FNR, fnr);
            }
        }
        match place {
            Some(place) => self.store(place, Val::outside(&line))?,
            None => self.set_record(line),
        }
        Ok(Val::Num(1.0))
    }
}

fn math(op: Op, a: f64, b: f64) -> Eval<f64> {
    Ok(match op {
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a * b,
        Op::Div if b == 0.0 => return Err("division by zero".into()),
        Op::Div => a / b,
        Op::Mod if b == 0.0 => return Err("division by zero in %".into()),
        Op::Mod => a % b,
        Op::Pow => a.powf(b),
    })
}
