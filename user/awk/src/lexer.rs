//! A program's text as tokens (POSIX awk, "Lexical Conventions").

use crate::ast::{Builtin, Op};

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    End,
    Newline,
    Num(f64),
    Str(Vec<u8>),
    Regex(Vec<u8>),
    Name(Vec<u8>),
    /// A name with `(` right behind it.
    FuncName(Vec<u8>),
    Builtin(Builtin),
    Word(Word),
    /// `+=` and the like.
    Change(Op),
    /// Everything else that is made of signs.
    Sign(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Begin,
    End,
    Function,
    If,
    Else,
    While,
    For,
    Do,
    Break,
    Continue,
    Next,
    NextFile,
    Exit,
    Return,
    Delete,
    In,
    Getline,
    Print,
    Printf,
}

const WORDS: [(&str, Word); 20] = [
    ("BEGIN", Word::Begin),
    ("END", Word::End),
    ("function", Word::Function),
    ("func", Word::Function),
    ("if", Word::If),
    ("else", Word::Else),
    ("while", Word::While),
    ("for", Word::For),
    ("do", Word::Do),
    ("break", Word::Break),
    ("continue", Word::Continue),
    ("next", Word::Next),
    ("nextfile", Word::NextFile),
    ("exit", Word::Exit),
    ("return", Word::Return),
    ("delete", Word::Delete),
    ("in", Word::In),
    ("getline", Word::Getline),
    ("print", Word::Print),
    ("printf", Word::Printf),
];

const BUILTINS: [(&str, Builtin); 23] = [
    ("atan2", Builtin::Atan2),
    ("close", Builtin::Close),
    ("cos", Builtin::Cos),
    ("exp", Builtin::Exp),
    ("fflush", Builtin::Fflush),
    ("gsub", Builtin::Gsub),
    ("index", Builtin::Index),
    ("int", Builtin::Int),
    ("length", Builtin::Length),
    ("log", Builtin::Log),
    ("match", Builtin::Match),
    ("rand", Builtin::Rand),
    ("sin", Builtin::Sin),
    ("split", Builtin::Split),
    ("sprintf", Builtin::Sprintf),
    ("sqrt", Builtin::Sqrt),
    ("srand", Builtin::Srand),
    ("sub", Builtin::Sub),
    ("substr", Builtin::Substr),
    ("system", Builtin::System),
    ("systime", Builtin::Systime),
    ("tolower", Builtin::Tolower),
    ("toupper", Builtin::Toupper),
];

/// The longer ones first.
const SIGNS: [&str; 32] = [
    "&&", "||", "!~", "==", "<=", ">=", "!=", "++", "--", ">>", "{", "}", "(", ")", "[", "]", ";", ",", "+", "-", "*",
    "/", "%", "^", "!", ">", "<", "|", "?", ":", "~", "$",
];

pub struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    pub line: usize,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a [u8]) -> Lexer<'a> {
        Lexer { text, at: 0, line: 1 }
    }

    /// What comes behind the token that was read last.
    pub fn rest(&self) -> &'a [u8] {
        &self.text[self.at.min(self.text.len())..]
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// The next token. `operand`: one could end here, so that a slash divides.
    pub fn next(&mut self, operand: bool) -> Result<Token, String> {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\\' if self.peek(1) == b'\n' => {
                    self.at += 2;
                    self.line += 1;
                }
                b'\\' if self.peek(1) == b'\r' && self.peek(2) == b'\n' => {
                    self.at += 3;
                    self.line += 1;
                }
                b'#' => {
                    while self.at < self.text.len() && self.peek(0) != b'\n' {
                        self.at += 1;
                    }
                }
                _ => break,
            }
        }
        let Some(&c) = self.text.get(self.at) else { return Ok(Token::End) };
        match c {
            b'\n' => {
                self.at += 1;
                self.line += 1;
                Ok(Token::Newline)
            }
            b'"' => self.string().map(Token::Str),
            b'0'..=b'9' => Ok(self.number()),
            b'.' if self.peek(1).is_ascii_digit() => Ok(self.number()),
            b'/' if !operand => self.regex().map(Token::Regex),
            c if c == b'_' || c.is_ascii_alphabetic() => Ok(self.word()),
            _ => self.sign(),
        }
    }

    fn sign(&mut self) -> Result<Token, String> {
        let rest = &self.text[self.at..];
        let change = [
            ("**=", Op::Pow),
            ("^=", Op::Pow),
            ("+=", Op::Add),
            ("-=", Op::Sub),
            ("*=", Op::Mul),
            ("/=", Op::Div),
            ("%=", Op::Mod),
        ];
        if let Some((text, op)) = change.iter().find(|c| rest.starts_with(c.0.as_bytes())) {
            self.at += text.len();
            return Ok(Token::Change(*op));
        }
        if rest.starts_with(b"**") {
            self.at += 2;
            return Ok(Token::Sign("^"));
        }
        if rest.starts_with(b"=") && !rest.starts_with(b"==") {
            self.at += 1;
            return Ok(Token::Sign("="));
        }
        let sign = SIGNS.iter().find(|s| rest.starts_with(s.as_bytes()));
        let sign = sign.ok_or_else(|| format!("unexpected character '{}'", rest[0] as char))?;
        self.at += sign.len();
        Ok(Token::Sign(sign))
    }

    fn word(&mut self) -> Token {
        let from = self.at;
        while self.peek(0) == b'_' || self.peek(0).is_ascii_alphanumeric() {
            self.at += 1;
        }
        let name = &self.text[from..self.at];
        if let Some((_, word)) = WORDS.iter().find(|w| w.0.as_bytes() == name) {
            return Token::Word(*word);
        }
        if let Some((_, builtin)) = BUILTINS.iter().find(|b| b.0.as_bytes() == name) {
            return Token::Builtin(*builtin);
        }
        if self.peek(0) == b'(' { Token::FuncName(name.to_vec()) } else { Token::Name(name.to_vec()) }
    }

    fn number(&mut self) -> Token {
        let (value, len) = crate::value::number_prefix(&self.text[self.at..]);
        self.at += len.max(1);
        Token::Num(value)
    }

    fn string(&mut self) -> Result<Vec<u8>, String> {
        self.at += 1;
        let from = self.at;
        loop {
            match self.text.get(self.at) {
                None | Some(b'\n') => return Err("unterminated string".into()),
                Some(b'"') => break,
                Some(b'\\') => {
                    self.line += (self.peek(1) == b'\n') as usize;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
            }
        }
        let raw = &self.text[from..self.at];
        self.at += 1;
        Ok(unescape(raw))
    }

    /// Between slashes; one in brackets does not end it.
    fn regex(&mut self) -> Result<Vec<u8>, String> {
        self.at += 1;
        let mut out = Vec::new();
        let mut bracket = None;
        loop {
            let Some(&c) = self.text.get(self.at) else { return Err("unterminated regular expression".into()) };
            self.at += 1;
            match c {
                b'\n' => return Err("unterminated regular expression".into()),
                b'/' if bracket.is_none() => return Ok(out),
                b'\\' => {
                    let next = self.peek(0);
                    self.at += 1;
                    if next != b'/' {
                        out.push(b'\\');
                    }
                    out.push(next);
                    continue;
                }
                b'[' if bracket.is_none() => {
                    out.push(c);
                    if self.peek(0) == b'^' {
                        out.push(b'^');
                        self.at += 1;
                    }
                    bracket = Some(out.len());
                    continue;
                }
                b'[' if self.peek(0) == b':' => {
                    while self.at < self.text.len() && self.peek(0) != b']' {
                        out.push(self.text[self.at - 1]);
                        self.at += 1;
                    }
                    out.push(self.text[self.at - 1]);
                    out.push(b']');
                    self.at += 1;
                    continue;
                }
                b']' if bracket.is_some_and(|b| out.len() > b) => bracket = None,
                _ => {}
            }
            out.push(c);
        }
    }
}

/// What backslashes in a string stand for. Where POSIX leaves it open they stay.
pub fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut i = 0;
    while i < raw.len() {
        let c = raw[i];
        i += 1;
        if c != b'\\' || i >= raw.len() {
            out.push(c);
            continue;
        }
        let e = raw[i];
        i += 1;
        match e {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'\\' => out.push(b'\\'),
            b'"' => out.push(b'"'),
            b'/' => out.push(b'/'),
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'v' => out.push(11),
            b'\n' => {}
            b'0'..=b'7' => {
                let mut n = (e - b'0') as u32;
                for _ in 0..2 {
                    match raw.get(i) {
                        Some(d @ b'0'..=b'7') => n = n * 8 + (d - b'0') as u32,
                        _ => break,
                    }
                    i += 1;
                }
                out.push(n as u8);
            }
            other => out.extend([b'\\', other]),
        }
    }
    out
}
