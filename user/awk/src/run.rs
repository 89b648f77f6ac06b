//! Rules and statements.

use crate::ast::{Expr, Slot, Stmt, To, When, special};
use crate::interp::{Eval, Interp, Stop};
use crate::value::Val;
use std::rc::Rc;

/// What comes behind a statement.
enum Flow {
    Next,
    Break,
    Continue,
    Return(Val),
}

impl Interp {
    /// All of it. Answers the exit status.
    pub fn run(&mut self) -> Result<i32, String> {
        let begun = self.begin_and_rules();
        let failed = match begun {
            Err(Stop::Error(e)) => Err(e),
            _ => match self.end() {
                Err(Stop::Error(e)) => Err(e),
                _ => Ok(()),
            },
        };
        self.outputs.close_all();
        self.inputs.close_all();
        failed?;
        Ok(if self.status == 0 && self.main.failed { 2 } else { self.status })
    }

    fn begin_and_rules(&mut self) -> Eval<()> {
        let program = self.program.clone();
        for (when, body) in &program.rules {
            if let (When::Begin, Some(body)) = (when, body) {
                match self.block(body) {
                    Err(Stop::Next | Stop::NextFile) | Ok(_) => {}
                    Err(Stop::Exit) => {
                        // END rules run all the same.
                        return Ok(());
                    }
                    Err(e) => return Err(e),
                }
            }
        }
        // With nothing but BEGIN no input is read.
        if program.rules.iter().all(|r| matches!(r.0, When::Begin)) {
            return Ok(());
        }
        while let Some(record) = self.next_main_record()?.unwrap_or(None) {
            for at in [special::NR, special::FNR] {
                let n = self.special(at).num() + 1.0;
                self.set_special(at, Val::Num(n));
            }
            self.set_record(record);
            match self.rules() {
                Ok(()) | Err(Stop::Next) => {}
                Err(Stop::NextFile) => self.skip_file(),
                Err(Stop::Exit) => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Eval<()> {
        let program = self.program.clone();
        for (when, body) in &program.rules {
            if let (When::End, Some(body)) = (when, body) {
                self.block(body)?;
            }
        }
        Ok(())
    }

    fn rules(&mut self) -> Eval<()> {
        let program = self.program.clone();
        for (i, (when, body)) in program.rules.iter().enumerate() {
            let selected = match when {
                When::Begin | When::End => false,
                When::Each(None) => true,
                When::Each(Some(e)) => self.truth(e)?,
                When::Range(from, to) => {
                    let inside = self.ranges[i] || self.truth(from)?;
                    if inside {
                        self.ranges[i] = !self.truth(to)?;
                    }
                    inside
                }
            };
            if !selected {
                continue;
            }
            match body {
                Some(body) => {
                    self.block(body)?;
                }
                None => self.print(&[], None)?,
            }
        }
        Ok(())
    }

    /// A function's body; its value.
    pub fn body(&mut self, body: &[Stmt]) -> Eval<Val> {
        Ok(match self.block(body)? {
            Flow::Return(v) => v,
            _ => Val::None,
        })
    }

    fn block(&mut self, body: &[Stmt]) -> Eval<Flow> {
        for s in body {
            match self.exec(s)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn exec(&mut self, s: &Stmt) -> Eval<Flow> {
        match s {
            Stmt::Expr(e) => {
                self.eval(e)?;
            }
            Stmt::Print(args, to) => self.print(args, to.as_ref())?,
            Stmt::Printf(args, to) => {
                let values = args.iter().map(|a| self.eval(a)).collect::<Eval<Vec<_>>>()?;
                let format = self.text(&values[0]);
                let convfmt = self.special_text(special::CONVFMT);
                let text = crate::format::format(&format, &values[1..], &convfmt);
                self.write(to.as_ref(), &text)?;
            }
            Stmt::If(c, yes, no) => {
                if self.truth(c)? {
                    return self.exec(yes);
                } else if let Some(no) = no {
                    return self.exec(no);
                }
            }
            Stmt::While(c, body) => {
                while self.truth(c)? {
                    match self.exec(body)? {
                        Flow::Break => break,
                        r @ Flow::Return(_) => return Ok(r),
                        _ => {}
                    }
                }
            }
            Stmt::Do(body, c) => loop {
                match self.exec(body)? {
                    Flow::Break => break,
                    r @ Flow::Return(_) => return Ok(r),
                    _ => {}
                }
                if !self.truth(c)? {
                    break;
                }
            },
            Stmt::For(first, c, step, body) => {
                return self.for_loop(first.as_deref(), c.as_ref(), step.as_deref(), body);
            }
            Stmt::ForIn(place, slot, body) => {
                let keys = sorted(self.array(*slot)?.borrow().keys().cloned().collect());
                for key in keys {
                    // One that was deleted meanwhile is not visited.
                    if !self.array(*slot)?.borrow().contains_key(&key) {
                        continue;
                    }
                    self.store(place, Val::outside(&key))?;
                    match self.exec(body)? {
                        Flow::Break => break,
                        r @ Flow::Return(_) => return Ok(r),
                        _ => {}
                    }
                }
            }
            Stmt::Block(body) => return self.block(body),
            Stmt::Delete(slot, None) => self.array(*slot)?.borrow_mut().clear(),
            Stmt::Delete(slot, Some(index)) => {
                let key = self.subscript(index)?;
                self.array(*slot)?.borrow_mut().remove(&key);
            }
            Stmt::Next => return Err(Stop::Next),
            Stmt::NextFile => return Err(Stop::NextFile),
            Stmt::Exit(e) => {
                if let Some(e) = e {
                    self.status = self.eval(e)?.num() as i32 & 255;
                }
                return Err(Stop::Exit);
            }
            Stmt::Return(e) => return Ok(Flow::Return(e.as_ref().map_or(Ok(Val::None), |e| self.eval(e))?)),
            Stmt::Break => return Ok(Flow::Break),
            Stmt::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn for_loop(&mut self, first: Option<&Stmt>, c: Option<&Expr>, step: Option<&Stmt>, body: &Stmt) -> Eval<Flow> {
        if let Some(first) = first {
            self.exec(first)?;
        }
        loop {
            if let Some(c) = c
                && !self.truth(c)?
            {
                return Ok(Flow::Next);
            }
            match self.exec(body)? {
                Flow::Break => return Ok(Flow::Next),
                r @ Flow::Return(_) => return Ok(r),
                _ => {}
            }
            if let Some(step) = step {
                self.exec(step)?;
            }
        }
    }

    fn print(&mut self, args: &[Expr], to: Option<&(To, Expr)>) -> Eval<()> {
        let mut line = Vec::new();
        if args.is_empty() {
            line.extend_from_slice(&self.record_text()?);
        }
        let ofs = self.special_text(special::OFS);
        for (i, a) in args.iter().enumerate() {
            if i > 0 {
                line.extend_from_slice(&ofs);
            }
            match self.eval(a)? {
                v @ Val::Num(_) => line.extend_from_slice(&v.text(&self.special_text(special::OFMT))),
                v => line.extend_from_slice(&self.text(&v)),
            }
        }
        line.extend_from_slice(&self.special_text(special::ORS));
        self.write(to, &line)
    }

    fn write(&mut self, to: Option<&(To, Expr)>, bytes: &[u8]) -> Eval<()> {
        let Some((how, e)) = to else {
            return self.outputs.write(None, bytes).map_err(|e| Stop::Error(e.to_string()));
        };
        let v = self.eval(e)?;
        let name: Rc<[u8]> = self.text(&v);
        self.outputs
            .write(Some((*how, &name)), bytes)
            .map_err(|e| Stop::Error(format!("{}: {e}", String::from_utf8_lossy(&name))))
    }

    /// For a function that changes a variable of the interpreter's.
    pub fn set_number(&mut self, at: usize, n: f64) -> Eval<()> {
        self.set(Slot::Global(at), Val::Num(n))
    }
}

/// Numbers by their value and before words: any order would do, but this one can be read.
fn sorted(mut keys: Vec<Rc<[u8]>>) -> Vec<Rc<[u8]>> {
    let number = |k: &[u8]| std::str::from_utf8(k).ok().and_then(|s| s.parse::<i64>().ok());
    keys.sort_by_cached_key(|k| (number(k).is_none(), number(k).unwrap_or(0), k.clone()));
    keys
}
