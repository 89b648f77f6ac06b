//! Arithmetic of `$((...))`: signed 64-bit integers and C's operators (POSIX 2.6.4, XCU 1.1.2.1).

/// What an expression may look at and change.
pub trait Variables {
    /// The value of a variable, as text.
    fn get(&mut self, name: &str) -> Result<Option<String>, String>;
    fn set(&mut self, name: &str, value: i64) -> Result<(), String>;
}

/// The value of an expression; an empty one is 0.
pub fn evaluate(text: &str, vars: &mut dyn Variables) -> Result<i64, String> {
    let chars: Vec<char> = text.chars().collect();
    let mut e = Eval { src: &chars, pos: 0, vars, depth: 0, skip: 0 };
    if e.peek().is_none() {
        return Ok(0);
    }
    let v = e.assignment()?;
    match e.peek() {
        None => Ok(v),
        Some(_) => Err(format!("arithmetic: unexpected \"{}\"", chars[e.pos..].iter().collect::<String>())),
    }
}

struct Eval<'a> {
    src: &'a [char],
    pos: usize,
    vars: &'a mut dyn Variables,
    depth: usize,
    /// Above 0 where a value is not needed: nothing is assigned, nothing divided.
    skip: usize,
}

/// Binary operators by rising strength.
const LEVELS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];
const ASSIGNMENTS: [&str; 11] = ["=", "+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "^=", "|="];

impl Eval<'_> {
    fn peek(&mut self) -> Option<char> {
        while self.src.get(self.pos).is_some_and(|c| c.is_whitespace()) {
            self.pos += 1;
        }
        self.src.get(self.pos).copied()
    }
    fn starts(&self, op: &str) -> bool {
        op.chars().enumerate().all(|(i, c)| self.src.get(self.pos + i) == Some(&c))
    }
    /// Takes an operator, unless it is the beginning of a longer one.
    fn eat(&mut self, op: &str) -> bool {
        self.peek();
        if !self.starts(op) {
            return false;
        }
        let next = self.src.get(self.pos + op.len());
        let longer = match op {
            "|" | "&" => next == Some(&op.chars().next().unwrap_or(' ')) || next == Some(&'='),
            "<" | ">" => next == Some(&op.chars().next().unwrap_or(' ')) || next == Some(&'='),
            "+" | "-" | "*" | "/" | "%" | "^" | "<<" | ">>" => next == Some(&'='),
            "=" => next == Some(&'='),
            _ => false,
        };
        if !longer {
            self.pos += op.len();
        }
        !longer
    }

    fn assignment(&mut self) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > 200 {
            return Err("arithmetic: nested too deeply".into());
        }
        let start = self.pos;
        let value = match self.name() {
            Some(name) => match ASSIGNMENTS.into_iter().find(|op| self.eat(op)) {
                Some(op) => {
                    let right = self.assignment()?;
                    let value = match op {
                        "=" => right,
                        _ => {
                            let left = self.variable(&name)?;
                            self.apply(&op[..op.len() - 1], left, right)?
                        }
                    };
                    self.store(&name, value)?;
                    value
                }
                None => {
                    self.pos = start;
                    self.ternary()?
                }
            },
            None => self.ternary()?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn ternary(&mut self) -> Result<i64, String> {
        let condition = self.binary(0)?;
        if !self.eat("?") {
            return Ok(condition);
        }
        self.skip += (condition == 0) as usize;
        let yes = self.assignment()?;
        self.skip -= (condition == 0) as usize;
        if !self.eat(":") {
            return Err("arithmetic: \"?\" without its \":\"".into());
        }
        self.skip += (condition != 0) as usize;
        let no = self.assignment()?;
        self.skip -= (condition != 0) as usize;
        Ok(if condition != 0 { yes } else { no })
    }

    fn binary(&mut self, level: usize) -> Result<i64, String> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some(op) = operators.iter().find(|op| self.eat(op)) {
            let settled = (*op == "||" && left != 0) || (*op == "&&" && left == 0);
            self.skip += settled as usize;
            let right = self.binary(level + 1)?;
            self.skip -= settled as usize;
            left = self.apply(op, left, right)?;
        }
        Ok(left)
    }

    fn apply(&self, op: &str, a: i64, b: i64) -> Result<i64, String> {
        Ok(match op {
            "||" => (a != 0 || b != 0) as i64,
            "&&" => (a != 0 && b != 0) as i64,
            "|" => a | b,
            "^" => a ^ b,
            "&" => a & b,
            "==" => (a == b) as i64,
            "!=" => (a != b) as i64,
            "<=" => (a <= b) as i64,
            ">=" => (a >= b) as i64,
            "<" => (a < b) as i64,
            ">" => (a > b) as i64,
            "<<" => a.wrapping_shl(b as u32),
            ">>" => a.wrapping_shr(b as u32),
            "+" => a.wrapping_add(b),
            "-" => a.wrapping_sub(b),
            "*" => a.wrapping_mul(b),
            _ if b == 0 && self.skip > 0 => 0,
            _ if b == 0 => return Err("arithmetic: division by zero".into()),
            "/" => a.wrapping_div(b),
            _ => a.wrapping_rem(b),
        })
    }

    fn unary(&mut self) -> Result<i64, String> {
        for op in ["++", "--"] {
            self.peek();
            if self.starts(op) {
                let start = self.pos;
                self.pos += 2;
                if let Some(name) = self.name() {
                    let value = self.variable(&name)?.wrapping_add(if op == "++" { 1 } else { -1 });
                    self.store(&name, value)?;
                    return Ok(value);
                }
                // `--1` is two signs.
                self.pos = start;
            }
        }
        let Some(op) = ["-", "+", "!", "~"].into_iter().find(|op| {
            self.peek();
            self.starts(op)
        }) else {
            return self.postfix();
        };
        self.pos += 1;
        self.depth += 1;
        if self.depth > 200 {
            return Err("arithmetic: nested too deeply".into());
        }
        let v = self.unary()?;
        self.depth -= 1;
        Ok(match op {
            "-" => v.wrapping_neg(),
            "!" => (v == 0) as i64,
            "~" => !v,
            _ => v,
        })
    }

    fn postfix(&mut self) -> Result<i64, String> {
        if let Some(name) = self.name() {
            let value = self.variable(&name)?;
            for (op, by) in [("++", 1), ("--", -1)] {
                self.peek();
                if self.starts(op) {
                    self.pos += 2;
                    self.store(&name, value.wrapping_add(by))?;
                }
            }
            return Ok(value);
        }
        match self.peek() {
            Some('(') => {
                self.pos += 1;
                let v = self.assignment()?;
                if !self.eat(")") {
                    return Err("arithmetic: \"(\" without its \")\"".into());
                }
                Ok(v)
            }
            Some(c) if c.is_ascii_digit() => {
                let start = self.pos;
                while self.src.get(self.pos).is_some_and(|c| c.is_ascii_alphanumeric()) {
                    self.pos += 1;
                }
                number(&self.src[start..self.pos].iter().collect::<String>())
            }
            Some(c) => Err(format!("arithmetic: unexpected \"{c}\"")),
            None => Err("arithmetic: a value is missing at the end".into()),
        }
    }

    fn name(&mut self) -> Option<String> {
        let c = self.peek()?;
        if c != '_' && !c.is_ascii_alphabetic() {
            return None;
        }
        let start = self.pos;
        while self.src.get(self.pos).is_some_and(|&c| c == '_' || c.is_ascii_alphanumeric()) {
            self.pos += 1;
        }
        Some(self.src[start..self.pos].iter().collect())
    }

    fn variable(&mut self, name: &str) -> Result<i64, String> {
        match self.vars.get(name)?.as_deref().map(str::trim) {
            None | Some("") => Ok(0),
            Some(text) => number(text).map_err(|_| format!("arithmetic: {name} is \"{text}\", not a number")),
        }
    }

    fn store(&mut self, name: &str, value: i64) -> Result<(), String> {
        if self.skip > 0 { Ok(()) } else { self.vars.set(name, value) }
    }
}

/// A constant: decimal, octal with `0`, hexadecimal with `0x`; a sign may stand before it.
pub fn number(text: &str) -> Result<i64, String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(d) => (true, d),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(hex) => (16, hex),
        None if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        None => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(format!("arithmetic: \"{text}\" is not a number"));
    }
    let wide = i128::from_str_radix(digits, radix).map_err(|_| format!("arithmetic: \"{text}\" is too large"))?;
    i64::try_from(if negative { -wide } else { wide }).map_err(|_| format!("arithmetic: \"{text}\" is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    impl Variables for HashMap<String, String> {
        fn get(&mut self, name: &str) -> Result<Option<String>, String> {
            Ok(HashMap::get(self, name).cloned())
        }
        fn set(&mut self, name: &str, value: i64) -> Result<(), String> {
            self.insert(name.into(), value.to_string());
            Ok(())
        }
    }
    fn eval(text: &str) -> Result<i64, String> {
        evaluate(text, &mut HashMap::from([("a".into(), "7".into()), ("bad".into(), "x".into())]))
    }

    #[test]
    fn precedence_is_cs() {
        for (text, value) in [
            ("", 0),
            ("1+2*3", 7),
            ("(1+2)*3", 9),
            ("2*3%4-1", 1),
            ("1<<3|1", 9),
            ("5&3^1", 0),
            ("-2- -3", 1),
            ("!0 + ~0", 0),
            ("1<2 == 1", 1),
            ("0x1f + 010", 39),
            ("a*2", 14),
            ("nothing", 0),
            ("1 ? 2 : 3 ? 4 : 5", 2),
            ("0 || 0 && 1", 0),
            ("7/2, 1".split(',').next().unwrap(), 3),
            ("-7 / 2", -3),
            ("3 >= 3", 1),
            ("9223372036854775807 + 1", i64::MIN),
        ] {
            assert_eq!(eval(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn assignments_change_variables_and_only_where_they_are_reached() {
        let mut vars = HashMap::new();
        assert_eq!(evaluate("x = y = 4", &mut vars), Ok(4));
        assert_eq!(evaluate("x += 3, 0".split(',').next().unwrap(), &mut vars), Ok(7));
        assert_eq!(evaluate("x++ + ++y", &mut vars), Ok(12));
        assert_eq!(evaluate("x", &mut vars), Ok(8));
        assert_eq!(evaluate("0 && (x = 99)", &mut vars), Ok(0));
        assert_eq!(evaluate("1 || 1/0", &mut vars), Ok(1));
        assert_eq!(evaluate("x", &mut vars), Ok(8));
        assert_eq!(evaluate("x <<= 1", &mut vars), Ok(16));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "1/0",
            "1 +",
            "(1",
            "1 2",
            "09",
            "bad",
            "0x",
            "1 ? 2",
            "@",
            "99999999999999999999",
            &"(".repeat(5000),
            &"-".repeat(5000),
        ] {
            assert!(eval(text).is_err(), "{text}");
        }
    }
}
