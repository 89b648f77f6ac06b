//! The grammar (POSIX awk, "Grammar"), for statements; `expr.rs` has the expressions.

mod expr;
mod names;

use crate::ast::{Expr, From, Place, Program, Slot, Stmt, To, When};
use crate::lexer::{Lexer, Token, Word};
use names::Names;
use posix_regex::Regex;
use std::collections::HashMap;
use std::rc::Rc;

pub struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    names: Names,
    /// In what `print` writes a `>` sends it somewhere.
    no_greater: bool,
    /// In the head of a `for` an `in` is the loop's.
    no_in: bool,
    regexes: HashMap<Vec<u8>, Rc<Regex>>,
    depth: usize,
}

type Parse<T> = Result<T, String>;

pub fn parse(text: &[u8]) -> Parse<Program> {
    let (lexer, names) = (Lexer::new(text), Names::new());
    let regexes = HashMap::new();
    let mut p = Parser { lexer, token: Token::Newline, names, no_greater: false, no_in: false, regexes, depth: 0 };
    p.program().map_err(|e| format!("line {}: {e}", p.lexer.line))
}

impl Parser<'_> {
    fn advance(&mut self) -> Parse<Token> {
        let operand = match &self.token {
            Token::Num(_) | Token::Str(_) | Token::Regex(_) | Token::Name(_) | Token::Builtin(_) => true,
            Token::Sign(s) => matches!(*s, ")" | "]" | "$" | "++" | "--"),
            _ => false,
        };
        let next = self.lexer.next(operand)?;
        Ok(std::mem::replace(&mut self.token, next))
    }
    fn is(&self, sign: &str) -> bool {
        matches!(self.token, Token::Sign(s) if s == sign)
    }
    fn is_word(&self, word: Word) -> bool {
        self.token == Token::Word(word)
    }
    fn eat(&mut self, sign: &str) -> Parse<bool> {
        let there = self.is(sign);
        if there {
            self.advance()?;
        }
        Ok(there)
    }
    fn expect(&mut self, sign: &str) -> Parse<()> {
        if self.eat(sign)? { Ok(()) } else { Err(format!("syntax error: expected {sign}, found {}", self.found())) }
    }
    fn found(&self) -> String {
        match &self.token {
            Token::End => "the end".into(),
            Token::Newline => "the end of the line".into(),
            Token::Name(n) | Token::FuncName(n) => String::from_utf8_lossy(n).into_owned(),
            Token::Sign(s) => (*s).into(),
            Token::Str(_) => "a string".into(),
            Token::Num(n) => n.to_string(),
            Token::Word(w) => format!("{w:?}").to_lowercase(),
            Token::Builtin(b) => format!("{b:?}").to_lowercase(),
            Token::Regex(_) => "a regular expression".into(),
            Token::Change(_) => "an assignment".into(),
        }
    }
    fn newlines(&mut self) -> Parse<()> {
        while self.token == Token::Newline {
            self.advance()?;
        }
        Ok(())
    }
    /// What may stand between items and statements.
    fn separators(&mut self) -> Parse<()> {
        while self.token == Token::Newline || self.is(";") {
            self.advance()?;
        }
        Ok(())
    }

    fn program(&mut self) -> Parse<Program> {
        let mut program = Program::default();
        self.advance()?;
        loop {
            self.separators()?;
            match &self.token {
                Token::End => break,
                Token::Word(Word::Function) => self.function()?,
                Token::Word(w @ (Word::Begin | Word::End)) => {
                    let when = if *w == Word::Begin { When::Begin } else { When::End };
                    self.advance()?;
                    if !self.is("{") {
                        return Err("BEGIN and END need an action".into());
                    }
                    let body = self.block()?;
                    program.rules.push((when, Some(body)));
                }
                _ => program.rules.push(self.rule()?),
            }
            if !matches!(self.token, Token::End | Token::Newline) && !self.is(";") && !self.ended_by_brace() {
                return Err(format!("syntax error near {}", self.found()));
            }
        }
        let rules = std::mem::take(&mut program.rules);
        self.names.finish(rules)
    }

    /// An item may follow right behind a `}`; where the last one had none, the loop above has seen to it.
    fn ended_by_brace(&self) -> bool {
        matches!(
            self.token,
            Token::Word(_)
                | Token::Name(_)
                | Token::FuncName(_)
                | Token::Regex(_)
                | Token::Str(_)
                | Token::Num(_)
                | Token::Builtin(_)
                | Token::Sign(_)
        )
    }

    fn rule(&mut self) -> Parse<(When, Option<Vec<Stmt>>)> {
        let when = if self.is("{") {
            When::Each(None)
        } else {
            let first = self.expr()?;
            if self.eat(",")? {
                self.newlines()?;
                When::Range(first, self.expr()?)
            } else {
                When::Each(Some(first))
            }
        };
        let body = if self.is("{") { Some(self.block()?) } else { None };
        Ok((when, body))
    }

    fn function(&mut self) -> Parse<()> {
        self.advance()?;
        let name = match self.advance()? {
            Token::Name(n) | Token::FuncName(n) => n,
            _ => return Err("a function needs a name".into()),
        };
        self.expect("(")?;
        let mut params = Vec::new();
        self.newlines()?;
        while let Token::Name(n) = &self.token {
            params.push(n.clone());
            self.advance()?;
            self.newlines()?;
            if !self.eat(",")? {
                break;
            }
            self.newlines()?;
        }
        self.expect(")")?;
        self.newlines()?;
        let index = self.names.begin_function(name, params)?;
        let body = self.block()?;
        self.names.end_function(index, body);
        Ok(())
    }

    fn block(&mut self) -> Parse<Vec<Stmt>> {
        self.expect("{")?;
        let mut all = Vec::new();
        loop {
            self.separators()?;
            if self.eat("}")? {
                return Ok(all);
            }
            all.push(self.statement()?);
        }
    }

    /// A statement with what ends it.
    fn statement(&mut self) -> Parse<Stmt> {
        self.depth += 1;
        if self.depth > 200 {
            return Err("statements are nested too deep".into());
        }
        let stmt = self.statement_inner();
        self.depth -= 1;
        stmt
    }

    fn statement_inner(&mut self) -> Parse<Stmt> {
        if self.is("{") {
            return self.block().map(Stmt::Block);
        }
        let stmt = match &self.token {
            Token::Word(Word::If) => return self.if_statement(),
            Token::Word(Word::While) => {
                self.advance()?;
                let condition = self.condition()?;
                return Ok(Stmt::While(condition, Box::new(self.body()?)));
            }
            Token::Word(Word::For) => return self.for_statement(),
            Token::Word(Word::Do) => {
                self.advance()?;
                let body = self.body()?;
                self.separators()?;
                if !self.is_word(Word::While) {
                    return Err("do needs a while".into());
                }
                self.advance()?;
                Stmt::Do(Box::new(body), self.condition()?)
            }
            _ if self.is(";") => {
                self.advance()?;
                return Ok(Stmt::Block(Vec::new()));
            }
            _ => self.simple()?,
        };
        self.end_of_statement()?;
        Ok(stmt)
    }

    fn end_of_statement(&mut self) -> Parse<()> {
        match &self.token {
            Token::Newline => self.advance().map(|_| ()),
            Token::Sign(";") => self.advance().map(|_| ()),
            Token::Sign("}") | Token::End => Ok(()),
            _ => Err(format!("syntax error near {}", self.found())),
        }
    }

    fn condition(&mut self) -> Parse<Expr> {
        self.expect("(")?;
        let e = self.expr()?;
        self.expect(")")?;
        Ok(e)
    }

    /// What a loop or an `if` governs; a `;` is nothing.
    fn body(&mut self) -> Parse<Stmt> {
        self.newlines()?;
        if self.eat(";")? {
            return Ok(Stmt::Block(Vec::new()));
        }
        self.statement()
    }

    fn if_statement(&mut self) -> Parse<Stmt> {
        self.advance()?;
        let condition = self.condition()?;
        let then = self.body()?;
        // The else may stand behind separators, which belong to what follows if there is none.
        self.separators()?;
        if !self.is_word(Word::Else) {
            return Ok(Stmt::If(condition, Box::new(then), None));
        }
        self.advance()?;
        let other = self.body()?;
        Ok(Stmt::If(condition, Box::new(then), Some(Box::new(other))))
    }

    fn for_statement(&mut self) -> Parse<Stmt> {
        self.advance()?;
        self.expect("(")?;
        let first = if self.is(";") {
            None
        } else {
            self.no_in = true;
            let first = self.simple();
            self.no_in = false;
            Some(first?)
        };
        if let (true, Some(Stmt::Expr(Expr::Get(place)))) = (self.is_word(Word::In), &first) {
            let place = place.clone();
            self.advance()?;
            let Token::Name(name) = self.advance()? else { return Err("for needs the name of an array".into()) };
            let array = self.names.array(name)?;
            self.expect(")")?;
            return Ok(Stmt::ForIn(place, array, Box::new(self.body()?)));
        }
        self.expect(";")?;
        self.newlines()?;
        let condition = if self.is(";") { None } else { Some(self.expr()?) };
        self.expect(";")?;
        self.newlines()?;
        let step = if self.is(")") { None } else { Some(Box::new(self.simple()?)) };
        self.expect(")")?;
        Ok(Stmt::For(first.map(Box::new), condition, step, Box::new(self.body()?)))
    }

    fn ends(&self) -> bool {
        matches!(self.token, Token::Newline | Token::End) || self.is(";") || self.is("}")
    }

    fn simple(&mut self) -> Parse<Stmt> {
        let Token::Word(word) = self.token else { return self.expr().map(Stmt::Expr) };
        if word == Word::Getline {
            return self.expr().map(Stmt::Expr);
        }
        self.advance()?;
        Ok(match word {
            Word::Print | Word::Printf => return self.print(word == Word::Printf),
            Word::Next => Stmt::Next,
            Word::NextFile => Stmt::NextFile,
            Word::Break => Stmt::Break,
            Word::Continue => Stmt::Continue,
            Word::Exit => Stmt::Exit(if self.ends() { None } else { Some(self.expr()?) }),
            Word::Return => Stmt::Return(if self.ends() { None } else { Some(self.expr()?) }),
            Word::Delete => {
                let Token::Name(name) = self.advance()? else { return Err("delete needs the name of an array".into()) };
                let array = self.names.array(name)?;
                let index = if self.eat("[")? {
                    let index = self.expr_list("]")?;
                    self.expect("]")?;
                    Some(index)
                } else {
                    None
                };
                Stmt::Delete(array, index)
            }
            other => return Err(format!("syntax error near {}", format!("{other:?}").to_lowercase())),
        })
    }

    fn print(&mut self, formatted: bool) -> Parse<Stmt> {
        let outer = std::mem::replace(&mut self.no_greater, true);
        let mut args = Vec::new();
        while !self.ends() && !self.is(">") && !self.is(">>") && !self.is("|") {
            args.push(self.expr()?);
            if !self.eat(",")? {
                break;
            }
            self.newlines()?;
        }
        // `print (a, b)`.
        if let [Expr::Group(list)] = &mut args[..] {
            args = std::mem::take(list);
        }
        let how = [(">", To::File), (">>", To::Append), ("|", To::Pipe)].into_iter().find(|h| self.is(h.0));
        let to = match how {
            None => None,
            Some((_, how)) => {
                self.advance()?;
                Some((how, self.concat_without_input()?))
            }
        };
        self.no_greater = outer;
        if args.iter().any(|a| matches!(a, Expr::Group(_))) {
            return Err("syntax error: a list in parentheses is no value".into());
        }
        if formatted && args.is_empty() {
            return Err("printf needs a format".into());
        }
        Ok(if formatted { Stmt::Printf(args, to) } else { Stmt::Print(args, to) })
    }

    fn regex(&mut self, text: &[u8]) -> Parse<Rc<Regex>> {
        if let Some(r) = self.regexes.get(text) {
            return Ok(r.clone());
        }
        let made = Rc::new(crate::regex::compile(text)?);
        self.regexes.insert(text.to_vec(), made.clone());
        Ok(made)
    }
}
