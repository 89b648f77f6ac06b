//! From words to statements (POSIX `bc`, Grammar), and what GNU's `bc` has besides: `if` with `else`, `print`,
//! `continue`, `halt`, `&&`, `||`, `!`, comparisons anywhere, names of several letters.

use super::lex::Token;
use std::rc::Rc;

/// Expressions and statements may be nested so deep.
const DEPTH_MAX: usize = 200;

#[derive(Debug)]
pub enum Expr {
    Number(String),
    Var(Place),
    Call(String, Vec<Arg>),
    Builtin(Builtin, Box<Expr>),
    Read,
    /// In parentheses: an assignment in them is written.
    Group(Box<Expr>),
    Unary(&'static str, Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// `=` or an operator before it.
    Assign(&'static str, Box<Place>, Box<Expr>),
    /// By how much, and whether the old value counts.
    Step(Box<Place>, i64, bool),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Builtin {
    Length,
    Sqrt,
    Scale,
}

#[derive(Debug)]
pub enum Place {
    Scale,
    Ibase,
    Obase,
    Last,
    Name(String),
    Element(String, Box<Expr>),
}

#[derive(Debug)]
pub enum Arg {
    Value(Expr),
    Array(String),
}

#[derive(Debug)]
pub enum Statement {
    /// Written unless it assigns.
    Expr(Expr),
    String(String),
    Print(Vec<Printed>),
    Block(Vec<Statement>),
    If(Expr, Box<Statement>, Option<Box<Statement>>),
    While(Expr, Box<Statement>),
    For(Option<Expr>, Option<Expr>, Option<Expr>, Box<Statement>),
    Return(Option<Expr>),
    Break,
    Continue,
    Halt,
    Define(Rc<Function>),
}

#[derive(Debug)]
pub enum Printed {
    Text(String),
    Value(Expr),
}

/// A parameter or an automatic variable: whether it is an array, its name.
pub type Local = (bool, String);

#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub parameters: Vec<Local>,
    pub autos: Vec<Local>,
    pub body: Vec<Statement>,
}

#[derive(Debug)]
pub enum ParseError {
    /// More has to come.
    End,
    /// `quit` takes effect when it is read, wherever it stands (POSIX).
    Quit,
    Wrong(String),
}

type Parsed<T> = Result<T, ParseError>;

pub struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    in_function: bool,
}

impl Parser {
    pub fn new(tokens: Vec<Token>) -> Parser {
        Parser { tokens, at: 0, depth: 0, in_function: false }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }
    fn is(&self, op: &str) -> bool {
        matches!(self.peek(), Some(Token::Op(o)) if *o == op)
    }
    fn word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(n)) if n == word)
    }
    fn take(&mut self, op: &str) -> bool {
        let found = self.is(op);
        self.at += found as usize;
        found
    }
    fn take_word(&mut self, word: &str) -> bool {
        let found = self.word(word);
        self.at += found as usize;
        found
    }
    fn want(&mut self, op: &str) -> Parsed<()> {
        if self.take(op) { Ok(()) } else { Err(self.wrong()) }
    }
    fn wrong(&self) -> ParseError {
        match self.peek() {
            None => ParseError::End,
            _ => ParseError::Wrong("syntax error".into()),
        }
    }
    fn newlines(&mut self) {
        while self.peek() == Some(&Token::Newline) {
            self.at += 1;
        }
    }
    fn name(&mut self) -> Parsed<String> {
        match self.peek() {
            Some(Token::Name(n)) => {
                let n = n.clone();
                self.at += 1;
                Ok(n)
            }
            _ => Err(self.wrong()),
        }
    }

    /// The statements up to the end of the line; nothing at the end.
    pub fn item(&mut self) -> Parsed<Option<Vec<Statement>>> {
        self.newlines();
        if self.peek().is_none() {
            return Ok(None);
        }
        let mut all = Vec::new();
        loop {
            match self.peek() {
                None | Some(Token::Newline) => break,
                Some(Token::Op(";")) => self.at += 1,
                _ => {
                    all.push(self.statement()?);
                    if !matches!(self.peek(), None | Some(Token::Newline | Token::Op(";"))) {
                        return Err(self.wrong());
                    }
                }
            }
        }
        Ok(Some(all))
    }

    /// Leaves out the rest of a line that makes no sense.
    pub fn skip_line(&mut self) {
        while !matches!(self.peek(), None | Some(Token::Newline)) {
            self.at += 1;
        }
    }

    fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        match self.depth > DEPTH_MAX {
            true => Err(ParseError::Wrong("too deeply nested".into())),
            false => Ok(()),
        }
    }

    fn statement(&mut self) -> Parsed<Statement> {
        self.deeper()?;
        let statement = self.any_statement();
        self.depth -= 1;
        statement
    }

    fn any_statement(&mut self) -> Parsed<Statement> {
        let keyword = match self.peek() {
            Some(Token::String(s)) => {
                let s = s.clone();
                self.at += 1;
                return Ok(Statement::String(s));
            }
            Some(Token::Op("{")) => return self.block().map(Statement::Block),
            Some(Token::Name(n)) => n.clone(),
            _ => String::new(),
        };
        match keyword.as_str() {
            "if" => self.conditional(),
            "while" => {
                self.at += 1;
                let condition = self.in_parentheses()?;
                self.newlines();
                Ok(Statement::While(condition, Box::new(self.statement()?)))
            }
            "for" => self.counted(),
            "define" => self.define(),
            "print" => {
                self.at += 1;
                let mut all = vec![self.printed()?];
                while self.take(",") {
                    all.push(self.printed()?);
                }
                Ok(Statement::Print(all))
            }
            "return" if self.in_function => {
                self.at += 1;
                match self.peek() {
                    None | Some(Token::Newline | Token::Op(";" | "}")) => Ok(Statement::Return(None)),
                    _ => Ok(Statement::Return(self.value_or_nothing()?)),
                }
            }
            "quit" => Err(ParseError::Quit),
            "break" | "continue" | "halt" => {
                self.at += 1;
                Ok(match keyword.as_str() {
                    "break" => Statement::Break,
                    "continue" => Statement::Continue,
                    _ => Statement::Halt,
                })
            }
            _ => self.expr().map(Statement::Expr),
        }
    }

    /// `return ()` is `return`.
    fn value_or_nothing(&mut self) -> Parsed<Option<Expr>> {
        if self.is("(") && self.tokens.get(self.at + 1) == Some(&Token::Op(")")) {
            self.at += 2;
            return Ok(None);
        }
        self.expr().map(Some)
    }

    fn in_parentheses(&mut self) -> Parsed<Expr> {
        self.want("(")?;
        let e = self.expr()?;
        self.want(")")?;
        Ok(e)
    }

    fn conditional(&mut self) -> Parsed<Statement> {
        self.at += 1;
        let condition = self.in_parentheses()?;
        self.newlines();
        let then = self.statement()?;
        let before = self.at;
        // In a block `else` may stand in the next line.
        if self.depth > 1 {
            while matches!(self.peek(), Some(Token::Newline)) {
                self.at += 1;
            }
        }
        if !self.take_word("else") {
            self.at = before;
            return Ok(Statement::If(condition, Box::new(then), None));
        }
        self.newlines();
        Ok(Statement::If(condition, Box::new(then), Some(Box::new(self.statement()?))))
    }

    fn counted(&mut self) -> Parsed<Statement> {
        self.at += 1;
        self.want("(")?;
        let mut parts = [None, None, None];
        for (part, end) in parts.iter_mut().zip([";", ";", ")"]) {
            if !self.is(end) {
                *part = Some(self.expr()?);
            }
            self.want(end)?;
        }
        self.newlines();
        let [first, condition, step] = parts;
        Ok(Statement::For(first, condition, step, Box::new(self.statement()?)))
    }

    fn block(&mut self) -> Parsed<Vec<Statement>> {
        self.want("{")?;
        let mut all = Vec::new();
        loop {
            match self.peek() {
                Some(Token::Newline | Token::Op(";")) => self.at += 1,
                Some(Token::Op("}")) => {
                    self.at += 1;
                    return Ok(all);
                }
                _ => {
                    all.push(self.statement()?);
                    if !matches!(self.peek(), Some(Token::Newline | Token::Op(";" | "}"))) {
                        return Err(self.wrong());
                    }
                }
            }
        }
    }

    fn printed(&mut self) -> Parsed<Printed> {
        if let Some(Token::String(s)) = self.peek() {
            let s = s.clone();
            self.at += 1;
            return Ok(Printed::Text(s));
        }
        self.expr().map(Printed::Value)
    }

    fn locals(&mut self, end: fn(&Token) -> bool) -> Parsed<Vec<Local>> {
        let mut all = Vec::new();
        while !self.peek().is_some_and(end) {
            let name = self.name()?;
            let array = self.take("[");
            if array {
                self.want("]")?;
            }
            all.push((array, name));
            if !self.take(",") {
                break;
            }
        }
        Ok(all)
    }

    fn define(&mut self) -> Parsed<Statement> {
        self.at += 1;
        self.take_word("void");
        let name = self.name()?;
        self.want("(")?;
        let parameters = self.locals(|t| *t == Token::Op(")"))?;
        self.want(")")?;
        self.newlines();
        self.want("{")?;
        self.newlines();
        let mut autos = Vec::new();
        while self.take_word("auto") {
            autos.extend(self.locals(|t| matches!(t, Token::Newline | Token::Op(";")))?);
            while matches!(self.peek(), Some(Token::Newline | Token::Op(";"))) {
                self.at += 1;
            }
        }
        // The brace again, for the block.
        self.at -= 1;
        self.tokens[self.at] = Token::Op("{");
        let outer = std::mem::replace(&mut self.in_function, true);
        let body = self.block();
        self.in_function = outer;
        Ok(Statement::Define(Rc::new(Function { name, parameters, autos, body: body? })))
    }

    fn expr(&mut self) -> Parsed<Expr> {
        self.deeper()?;
        let e = self.binary(0);
        self.depth -= 1;
        e
    }

    fn binary(&mut self, level: usize) -> Parsed<Expr> {
        // From loose to tight; `!` stands between && and the comparisons, the assignments above them.
        const LEVELS: [&[&str]; 5] =
            [&["||"], &["&&"], &["<", "<=", ">", ">=", "==", "!="], &["+", "-"], &["*", "/", "%"]];
        if level == 2 && self.take("!") {
            self.deeper()?;
            let e = self.binary(2)?;
            self.depth -= 1;
            return Ok(Expr::Unary("!", Box::new(e)));
        }
        let Some(operators) = LEVELS.get(level) else { return self.power() };
        let mut left = self.binary(level + 1)?;
        while let Some(Token::Op(op)) = self.peek()
            && operators.contains(op)
        {
            let op = *op;
            self.at += 1;
            left = Expr::Binary(op, Box::new(left), Box::new(self.binary(level + 1)?));
        }
        Ok(left)
    }

    fn power(&mut self) -> Parsed<Expr> {
        let base = self.unary()?;
        if !self.take("^") {
            return Ok(base);
        }
        self.deeper()?;
        let exponent = self.power()?;
        self.depth -= 1;
        Ok(Expr::Binary("^", Box::new(base), Box::new(exponent)))
    }

    fn unary(&mut self) -> Parsed<Expr> {
        if !self.take("-") {
            return self.postfix();
        }
        self.deeper()?;
        let e = self.unary()?;
        self.depth -= 1;
        Ok(Expr::Unary("-", Box::new(e)))
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        for (op, by) in [("++", 1), ("--", -1)] {
            if self.take(op) {
                let place = self.place()?;
                return Ok(Expr::Step(Box::new(place), by, false));
            }
        }
        let first = self.primary()?;
        let Expr::Var(place) = first else { return Ok(first) };
        if let Some(Token::Op(op)) = self.peek()
            && let Some(op) = ["=", "+=", "-=", "*=", "/=", "%=", "^="].into_iter().find(|o| o == op)
        {
            self.at += 1;
            // An assignment takes all behind it, however it stands in the expression.
            self.deeper()?;
            let value = self.binary(3)?;
            self.depth -= 1;
            return Ok(Expr::Assign(op, Box::new(place), Box::new(value)));
        }
        for (op, by) in [("++", 1), ("--", -1)] {
            if self.take(op) {
                return Ok(Expr::Step(Box::new(place), by, true));
            }
        }
        Ok(Expr::Var(place))
    }

    fn place(&mut self) -> Parsed<Place> {
        match self.primary()? {
            Expr::Var(place) => Ok(place),
            _ => Err(ParseError::Wrong("syntax error".into())),
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        match self.peek().cloned() {
            Some(Token::Number(n)) => {
                self.at += 1;
                Ok(Expr::Number(n))
            }
            Some(Token::Op("(")) => self.in_parentheses().map(|e| Expr::Group(Box::new(e))),
            Some(Token::Name(name)) => {
                self.at += 1;
                self.named(name)
            }
            _ => Err(self.wrong()),
        }
    }

    fn named(&mut self, name: String) -> Parsed<Expr> {
        let builtin = match name.as_str() {
            "length" => Some(Builtin::Length),
            "sqrt" => Some(Builtin::Sqrt),
            "scale" if self.is("(") => Some(Builtin::Scale),
            "if" | "while" | "for" | "define" | "auto" | "return" | "break" | "quit" => {
                return Err(ParseError::Wrong("syntax error".into()));
            }
            _ => None,
        };
        if let Some(builtin) = builtin {
            return self.in_parentheses().map(|e| Expr::Builtin(builtin, Box::new(e)));
        }
        if self.take("(") {
            if name == "read" {
                self.want(")")?;
                return Ok(Expr::Read);
            }
            return self.call(name);
        }
        if self.take("[") {
            let index = self.expr()?;
            self.want("]")?;
            return Ok(Expr::Var(Place::Element(name, Box::new(index))));
        }
        Ok(Expr::Var(match name.as_str() {
            "scale" => Place::Scale,
            "ibase" => Place::Ibase,
            "obase" => Place::Obase,
            "last" => Place::Last,
            _ => Place::Name(name),
        }))
    }

    fn call(&mut self, name: String) -> Parsed<Expr> {
        let mut args = Vec::new();
        while !self.is(")") {
            match (self.peek().cloned(), self.tokens.get(self.at + 1), self.tokens.get(self.at + 2)) {
                (Some(Token::Name(array)), Some(Token::Op("[")), Some(Token::Op("]"))) => {
                    self.at += 3;
                    args.push(Arg::Array(array));
                }
                _ => args.push(Arg::Value(self.expr()?)),
            }
            if !self.take(",") {
                break;
            }
        }
        self.want(")")?;
        Ok(Expr::Call(name, args))
    }
}
