//! Words of the language, and whether a text is whole.

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Number(String),
    String(String),
    Name(String),
    /// An operator or a mark.
    Op(&'static str),
    Newline,
}

const OPERATORS: [&str; 37] = [
    "&&", "||", "==", "<=", ">=", "!=", "+=", "-=", "*=", "/=", "%=", "^=", "++", "--", "+", "-", "*", "/", "%", "^",
    "=", "<", ">", "!", "(", ")", "[", "]", "{", "}", ",", ";", "&", "|", "?", ":", "$",
];

pub fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("\\\n") {
            rest = after;
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |p| p.1);
        } else if c == '#' {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if c == '\n' {
            out.push(Token::Newline);
            rest = &rest[1..];
        } else if c.is_whitespace() {
            rest = &rest[c.len_utf8()..];
        } else if c == '"' {
            let end = rest[1..].find('"').ok_or("a string without an end")?;
            out.push(Token::String(rest[1..1 + end].into()));
            rest = &rest[end + 2..];
        } else if c.is_ascii_digit() || c.is_ascii_uppercase() || (c == '.' && begins_number(&rest[1..])) {
            let (number, after) = number(rest);
            out.push(Token::Number(number));
            rest = after;
        } else if c == '.' {
            out.push(Token::Name("last".into()));
            rest = &rest[1..];
        } else if c.is_ascii_lowercase() {
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '_');
            let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
            out.push(Token::Name(name.into()));
            rest = after;
        } else if let Some(op) = OPERATORS.iter().find(|o| rest.starts_with(**o)) {
            out.push(Token::Op(op));
            rest = &rest[op.len()..];
        } else {
            return Err(format!("illegal character: {c}"));
        }
    }
    Ok(out)
}

fn begins_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || ('A'..='F').contains(&c))
}

/// Digits with at most one point; a backslash and a line end may stand in it.
fn number(text: &str) -> (String, &str) {
    let (mut out, mut rest, mut point) = (String::new(), text, false);
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("\\\n") {
            rest = after;
            continue;
        }
        match c {
            '.' if !point => point = true,
            '0'..='9' | 'A'..='Z' => {}
            _ => break,
        }
        out.push(c);
        rest = &rest[1..];
    }
    (out, rest)
}

/// What is open at the end of a text that comes line by line.
#[derive(Default)]
pub struct Open {
    depth: i64,
    string: bool,
    comment: bool,
    continued: bool,
}

impl Open {
    /// Reads on; answers whether all that was begun has an end.
    pub fn line(&mut self, line: &str) -> bool {
        let b = line.as_bytes();
        let mut at = 0;
        self.continued = false;
        while at < b.len() {
            let two = b.get(at..at + 2).unwrap_or_default();
            at += 1;
            match b[at - 1] {
                _ if self.comment => {
                    self.comment = two != b"*/";
                    at += !self.comment as usize;
                }
                b'"' => self.string = !self.string,
                _ if self.string => {}
                b'/' if two == b"/*" => {
                    self.comment = true;
                    at += 1;
                }
                b'#' => at = b.len(),
                b'{' | b'(' => self.depth += 1,
                b'}' | b')' => self.depth -= 1,
                b'\\' if two == b"\\\n" => self.continued = true,
                _ => {}
            }
        }
        self.depth <= 0 && !self.string && !self.comment && !self.continued
    }
}
