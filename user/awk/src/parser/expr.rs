//! Expressions, from the weakest operator to the strongest (POSIX awk, table "Expressions in Decreasing Precedence").

use super::{Expr, From, Parse, Parser, Place, Slot};
use crate::ast::{Builtin, Compare, Op, Pattern};
use crate::lexer::{Token, Word};

impl Parser<'_> {
    pub fn expr(&mut self) -> Parse<Expr> {
        self.depth += 1;
        if self.depth > 200 {
            return Err("an expression is nested too deep".into());
        }
        let e = self.ternary();
        self.depth -= 1;
        e
    }

    pub fn expr_list(&mut self, end: &str) -> Parse<Vec<Expr>> {
        let mut all = Vec::new();
        let outer = (std::mem::take(&mut self.no_greater), std::mem::take(&mut self.no_in));
        self.newlines()?;
        while !self.is(end) {
            all.push(self.expr()?);
            self.newlines()?;
            if !self.eat(",")? {
                break;
            }
            self.newlines()?;
        }
        (self.no_greater, self.no_in) = outer;
        Ok(all)
    }

    fn ternary(&mut self) -> Parse<Expr> {
        let condition = self.or()?;
        if !self.eat("?")? {
            return Ok(condition);
        }
        self.newlines()?;
        let yes = self.expr()?;
        self.newlines()?;
        self.expect(":")?;
        self.newlines()?;
        let no = self.expr()?;
        Ok(Expr::Cond(Box::new(condition), Box::new(yes), Box::new(no)))
    }

    fn or(&mut self) -> Parse<Expr> {
        let mut left = self.and()?;
        while self.eat("||")? {
            self.newlines()?;
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parse<Expr> {
        let mut left = self.membership()?;
        while self.eat("&&")? {
            self.newlines()?;
            left = Expr::And(Box::new(left), Box::new(self.membership()?));
        }
        Ok(left)
    }

    fn membership(&mut self) -> Parse<Expr> {
        let mut left = self.matching()?;
        while self.is_word(Word::In) && !self.no_in {
            self.advance()?;
            let Token::Name(name) = self.advance()? else { return Err("in needs the name of an array".into()) };
            let array = self.names.array(name)?;
            let index = if let Expr::Group(list) = left { list } else { vec![left] };
            left = Expr::In(index, array);
        }
        Ok(left)
    }

    fn matching(&mut self) -> Parse<Expr> {
        let mut left = self.comparison()?;
        while self.is("~") || self.is("!~") {
            let positive = self.is("~");
            self.advance()?;
            left = Expr::Match(positive, Box::new(left), Box::new(self.comparison()?));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Parse<Expr> {
        let left = self.piped()?;
        let op = match &self.token {
            Token::Sign("<") => Compare::Less,
            Token::Sign("<=") => Compare::LessEqual,
            Token::Sign("==") => Compare::Equal,
            Token::Sign("!=") => Compare::NotEqual,
            Token::Sign(">") if !self.no_greater => Compare::Greater,
            Token::Sign(">=") => Compare::GreaterEqual,
            _ => return Ok(left),
        };
        self.advance()?;
        Ok(Expr::Compare(op, Box::new(left), Box::new(self.piped()?)))
    }

    /// `COMMAND | getline`.
    fn piped(&mut self) -> Parse<Expr> {
        let mut left = self.concat()?;
        while self.is("|") {
            if self.no_greater && !self.getline_behind_bar() {
                return Ok(left);
            }
            self.advance()?;
            if !self.is_word(Word::Getline) {
                return Err("syntax error near |".into());
            }
            self.advance()?;
            let place = self.optional_place()?;
            left = Expr::Getline(From::Command(Box::new(left)), place);
        }
        Ok(left)
    }

    /// Whether the `|` at hand is one of `getline`'s and not of `print`'s.
    fn getline_behind_bar(&self) -> bool {
        let rest = self.lexer.rest();
        let blanks = rest.iter().take_while(|b| b" \t".contains(b)).count();
        rest[blanks..].starts_with(b"getline")
            && !rest.get(blanks + 7).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
    }

    /// Where `print` writes: a `|` behind it is not looked for.
    pub fn concat_without_input(&mut self) -> Parse<Expr> {
        self.concat()
    }

    fn concat(&mut self) -> Parse<Expr> {
        let mut left = self.sum()?;
        while self.operand_ahead() {
            left = Expr::Concat(Box::new(left), Box::new(self.sum()?));
        }
        Ok(left)
    }

    fn operand_ahead(&self) -> bool {
        match &self.token {
            Token::Num(_) | Token::Str(_) | Token::Name(_) | Token::FuncName(_) | Token::Builtin(_) => true,
            Token::Sign(s) => matches!(*s, "$" | "(" | "++" | "--"),
            _ => false,
        }
    }

    fn sum(&mut self) -> Parse<Expr> {
        let mut left = self.product()?;
        loop {
            let op = match &self.token {
                Token::Sign("+") => Op::Add,
                Token::Sign("-") => Op::Sub,
                _ => return Ok(left),
            };
            self.advance()?;
            left = Expr::Math(op, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Parse<Expr> {
        let mut left = self.unary()?;
        loop {
            let op = match &self.token {
                Token::Sign("*") => Op::Mul,
                Token::Sign("/") => Op::Div,
                Token::Sign("%") => Op::Mod,
                _ => return Ok(left),
            };
            self.advance()?;
            left = Expr::Math(op, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Parse<Expr> {
        self.depth += 1;
        if self.depth > 200 {
            return Err("an expression is nested too deep".into());
        }
        let e = if self.eat("!")? {
            Expr::Not(Box::new(self.unary()?))
        } else if self.eat("-")? {
            Expr::Neg(Box::new(self.unary()?))
        } else if self.eat("+")? {
            Expr::Plus(Box::new(self.unary()?))
        } else {
            self.power()?
        };
        self.depth -= 1;
        Ok(e)
    }

    fn power(&mut self) -> Parse<Expr> {
        let base = self.postfix()?;
        if !self.eat("^")? {
            return Ok(base);
        }
        // From the right; the exponent may have a sign.
        let exponent = if self.eat("-")? {
            Expr::Neg(Box::new(self.power()?))
        } else if self.eat("+")? {
            self.power()?
        } else if self.eat("!")? {
            Expr::Not(Box::new(self.power()?))
        } else {
            self.power()?
        };
        Ok(Expr::Math(Op::Pow, Box::new(base), Box::new(exponent)))
    }

    fn postfix(&mut self) -> Parse<Expr> {
        let e = self.primary()?;
        let Expr::Get(place) = e else { return Ok(e) };
        if self.eat("++")? {
            return Ok(Expr::Step(place, 1.0, true));
        }
        if self.eat("--")? {
            return Ok(Expr::Step(place, -1.0, true));
        }
        // An assignment is where its left side is, whatever stands before: `a && b = c`.
        if let Token::Change(op) = self.token {
            self.advance()?;
            self.newlines()?;
            return Ok(Expr::Change(op, place, Box::new(self.expr()?)));
        }
        if self.eat("=")? {
            self.newlines()?;
            return Ok(Expr::Assign(place, Box::new(self.expr()?)));
        }
        Ok(Expr::Get(place))
    }

    fn optional_place(&mut self) -> Parse<Option<Box<Place>>> {
        if !matches!(self.token, Token::Name(_)) && !self.is("$") {
            return Ok(None);
        }
        match self.primary()? {
            Expr::Get(place) => Ok(Some(Box::new(place))),
            _ => Err("getline needs a variable".into()),
        }
    }

    fn primary(&mut self) -> Parse<Expr> {
        let token = self.advance()?;
        Ok(match token {
            Token::Num(n) => Expr::Num(n),
            Token::Str(s) => Expr::Str(s.into()),
            Token::Regex(text) => Expr::Regex(Pattern(self.regex(&text)?)),
            Token::Sign("$") => {
                // `$i++` is `($i)++`, `$++i` and `$-1` take what follows.
                let which = if self.is("++") || self.is("--") {
                    self.primary()?
                } else if self.eat("-")? {
                    Expr::Neg(Box::new(self.primary()?))
                } else {
                    self.primary()?
                };
                Expr::Get(Place::Field(Box::new(which)))
            }
            Token::Sign(s @ ("++" | "--")) => match self.primary()? {
                Expr::Get(place) => Expr::Step(place, if s == "++" { 1.0 } else { -1.0 }, false),
                _ => return Err(format!("{s} needs a variable")),
            },
            Token::Sign("(") => {
                let mut list = self.expr_list(")")?;
                self.expect(")")?;
                match list.len() {
                    0 => return Err("syntax error near )".into()),
                    1 => list.remove(0),
                    _ => Expr::Group(list),
                }
            }
            Token::Sign("-") => Expr::Neg(Box::new(self.unary()?)),
            Token::Sign("+") => Expr::Plus(Box::new(self.unary()?)),
            Token::Sign("!") => Expr::Not(Box::new(self.unary()?)),
            Token::Name(name) => {
                if self.eat("[")? {
                    let index = self.expr_list("]")?;
                    self.expect("]")?;
                    return Ok(Expr::Get(Place::Element(self.names.array(name)?, index)));
                }
                Expr::Get(Place::Var(self.names.variable(name)))
            }
            Token::FuncName(name) => {
                self.expect("(")?;
                let args = self.expr_list(")")?;
                self.expect(")")?;
                self.names.call(name, args)
            }
            Token::Builtin(b) => self.builtin(b)?,
            Token::Word(Word::Getline) => {
                let place = self.optional_place()?;
                if !self.eat("<")? {
                    return Ok(Expr::Getline(From::Input, place));
                }
                let file = self.primary()?;
                Expr::Getline(From::File(Box::new(file)), place)
            }
            _ => {
                self.token = token;
                return Err(format!("syntax error near {}", self.found()));
            }
        })
    }

    fn builtin(&mut self, b: Builtin) -> Parse<Expr> {
        if !self.is("(") {
            if b == Builtin::Length {
                return Ok(Expr::Builtin(b, Vec::new()));
            }
            return Err(format!("{} needs its arguments in parentheses", format!("{b:?}").to_lowercase()));
        }
        self.advance()?;
        let mut args = self.expr_list(")")?;
        self.expect(")")?;
        let (least, most) = match b {
            Builtin::Rand | Builtin::Systime => (0, 0),
            Builtin::Srand | Builtin::Length | Builtin::Fflush => (0, 1),
            Builtin::Atan2 | Builtin::Index | Builtin::Match => (2, 2),
            Builtin::Gsub | Builtin::Sub | Builtin::Split | Builtin::Substr => (2, 3),
            Builtin::Sprintf => (1, usize::MAX),
            _ => (1, 1),
        };
        if args.len() < least || args.len() > most {
            return Err(format!("{} has a wrong number of arguments", format!("{b:?}").to_lowercase()));
        }
        match (b, args.len()) {
            (Builtin::Split, _) => {
                let Expr::Get(Place::Var(slot)) = args[1] else {
                    return Err("split needs the name of an array".into());
                };
                args[1] = Expr::Array(self.names.used_as_array(slot)?);
            }
            (Builtin::Sub | Builtin::Gsub, 2) => args.push(Expr::Get(Place::Field(Box::new(Expr::Num(0.0))))),
            (Builtin::Length, 1) => {
                if let Expr::Get(Place::Var(slot)) = args[0] {
                    args[0] = self.names.maybe_array(slot);
                }
            }
            _ => {}
        }
        Ok(Expr::Builtin(b, args))
    }
}

/// Whether an argument could be the name of an array.
pub fn bare(e: &Expr) -> Option<Slot> {
    match e {
        Expr::Get(Place::Var(slot)) => Some(*slot),
        _ => None,
    }
}
