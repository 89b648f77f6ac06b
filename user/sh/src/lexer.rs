//! From characters to words and operators (POSIX 2.3), and the parts of a word (POSIX 2.2, 2.6).
//!
//! Command substitutions are read by the grammar itself, so that a `)` inside a `case` or a comment
//! does not end them.

use crate::ast::*;
use crate::parser::Parser;
use crate::text::is_name;
use std::rc::Rc;

/// Why a script cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub enum ParseError {
    /// It ends too early: more input may help. With the line.
    Incomplete(usize, String),
    Syntax(usize, String),
}
pub type Parsed<T> = Result<T, ParseError>;

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Word(Word),
    Op(&'static str),
    /// Digits right before `<` or `>`.
    IoNumber(u32),
    Newline,
    End,
}

/// Longest first.
const OPERATORS: [&str; 19] =
    ["<<-", "&&", "||", ";;", ";&", "<<", ">>", "<&", ">&", "<>", ">|", "&", ";", "|", "<", ">", "(", ")", "\n"];

/// What a word ends at.
#[derive(Clone, Copy, PartialEq)]
enum Until {
    /// A blank or an operator.
    Blank,
    /// `}` of `${...}` outside of double quotes.
    Brace,
    /// `}` of `${...}` inside of them.
    BraceInDouble,
    /// The closing double quote.
    DoubleQuote,
    /// The end of the text: a here-document or an arithmetic expression.
    End,
}

impl Parser<'_> {
    fn peek_char(&self) -> Option<char> {
        self.src.get(self.pos).copied()
    }
    fn char_at(&self, ahead: usize) -> Option<char> {
        self.src.get(self.pos + ahead).copied()
    }
    fn bump(&mut self) -> Option<char> {
        let c = self.peek_char()?;
        self.pos += 1;
        self.line += (c == '\n') as usize;
        Some(c)
    }
    fn slice(&self, from: usize, to: usize) -> String {
        self.src[from..to].iter().collect()
    }
    pub(crate) fn incomplete<T>(&self, what: &str) -> Parsed<T> {
        Err(ParseError::Incomplete(self.line, what.to_string()))
    }
    pub(crate) fn syntax<T>(&self, what: &str) -> Parsed<T> {
        Err(ParseError::Syntax(self.line, what.to_string()))
    }

    /// The next token; here-documents are read when their line ends.
    pub(crate) fn lex(&mut self) -> Parsed<Token> {
        self.skip_blanks();
        self.token_start = self.pos;
        let Some(c) = self.peek_char() else {
            if self.pending.is_empty() {
                return Ok(Token::End);
            }
            self.read_here_docs()?;
            return Ok(Token::End);
        };
        if c == '\n' {
            self.bump();
            self.read_here_docs()?;
            return Ok(Token::Newline);
        }
        if let Some((op, len)) = self.operator() {
            self.line += len.saturating_sub(op.len()) / 2;
            self.pos += len;
            return Ok(Token::Op(op));
        }
        if let Some(n) = self.io_number() {
            return Ok(Token::IoNumber(n));
        }
        let word = self.word(Until::Blank)?;
        Ok(Token::Word(word))
    }

    /// An operator and how many characters it takes: a line may be continued inside of it.
    fn operator(&self) -> Option<(&'static str, usize)> {
        if !matches!(self.peek_char(), Some('<' | '>' | '&' | '|' | ';' | '(' | ')' | '\n')) {
            return None;
        }
        let length = |op: &str| {
            let mut at = 0;
            for c in op.chars() {
                while at > 0 && self.char_at(at) == Some('\\') && self.char_at(at + 1) == Some('\n') {
                    at += 2;
                }
                if self.char_at(at) != Some(c) {
                    return None;
                }
                at += 1;
            }
            Some(at)
        };
        OPERATORS.into_iter().find_map(|op| length(op).map(|n| (op, n)))
    }

    fn io_number(&mut self) -> Option<u32> {
        let digits = (0..).take_while(|&i| self.char_at(i).is_some_and(|c| c.is_ascii_digit())).count();
        if digits == 0 || !matches!(self.char_at(digits), Some('<' | '>')) {
            return None;
        }
        let n = self.slice(self.pos, self.pos + digits).parse().ok()?;
        self.pos += digits;
        Some(n)
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek_char() {
                Some(' ' | '\t' | '\r') => {
                    self.bump();
                }
                Some('\\') if self.char_at(1) == Some('\n') => {
                    self.bump();
                    self.bump();
                }
                Some('#') => {
                    while self.peek_char().is_some_and(|c| c != '\n') {
                        self.bump();
                    }
                }
                _ => return,
            }
        }
    }

    /// All of the text as the body of a here-document: how prompts are expanded.
    pub fn document(&mut self) -> Parsed<Word> {
        self.word(Until::End)
    }

    fn word(&mut self, until: Until) -> Parsed<Word> {
        let start = self.pos;
        let parts = self.parts(until)?;
        Ok(Word { parts, raw: self.slice(start, self.pos) })
    }

    /// Reads parts up to, and not with, what ends them.
    fn parts(&mut self, until: Until) -> Parsed<Vec<Part>> {
        let double = matches!(until, Until::BraceInDouble | Until::DoubleQuote | Until::End);
        let mut parts = Vec::new();
        let mut lit = String::new();
        loop {
            let Some(c) = self.peek_char() else {
                match until {
                    Until::Blank | Until::End => break,
                    Until::DoubleQuote => return self.incomplete("unterminated double quote"),
                    _ => return self.incomplete("unterminated ${"),
                }
            };
            let ends = match until {
                Until::Blank => c == ' ' || c == '\t' || c == '\r' || self.operator().is_some(),
                Until::Brace | Until::BraceInDouble => c == '}',
                Until::DoubleQuote => c == '"',
                Until::End => false,
            };
            if ends {
                break;
            }
            let part = match c {
                '\\' => self.backslash(until)?,
                '\'' if !double => Some(Part::Quoted(self.single_quoted()?)),
                '"' if until != Until::End => Some(self.double_quoted()?),
                '$' if !double && self.char_at(1) == Some('\'') => {
                    self.bump();
                    Some(Part::Quoted(self.dollar_quoted()?))
                }
                '$' => self.dollar(double)?,
                '`' => Some(self.backquoted(double)?),
                _ => None,
            };
            match part {
                Some(Part::Lit(s)) => lit.push_str(&s),
                Some(part) => {
                    if !lit.is_empty() {
                        parts.push(Part::Lit(std::mem::take(&mut lit)));
                    }
                    parts.push(part);
                }
                None => lit.extend(self.bump()),
            }
        }
        if !lit.is_empty() {
            parts.push(Part::Lit(lit));
        }
        Ok(parts)
    }

    /// POSIX 2.2.1; in double quotes only before the characters that mean something there (2.2.3).
    fn backslash(&mut self, until: Until) -> Parsed<Option<Part>> {
        let next = self.char_at(1);
        let special = match until {
            Until::Blank | Until::Brace => true,
            Until::DoubleQuote => matches!(next, Some('$' | '`' | '"' | '\\' | '\n')),
            Until::BraceInDouble => matches!(next, Some('$' | '`' | '"' | '\\' | '\n' | '}')),
            Until::End => matches!(next, Some('$' | '`' | '\\' | '\n')),
        };
        if !special {
            return Ok(None);
        }
        self.bump();
        match self.bump() {
            Some('\n') => Ok(Some(Part::Lit(String::new()))),
            Some(c) => Ok(Some(Part::Quoted(c.to_string()))),
            None => Ok(Some(Part::Lit("\\".to_string()))),
        }
    }

    fn single_quoted(&mut self) -> Parsed<String> {
        self.bump();
        let start = self.pos;
        loop {
            match self.bump() {
                Some('\'') => return Ok(self.slice(start, self.pos - 1)),
                Some(_) => {}
                None => return self.incomplete("unterminated single quote"),
            }
        }
    }

    /// `$'...'` (POSIX 2.2.4).
    fn dollar_quoted(&mut self) -> Parsed<String> {
        self.bump();
        let mut raw = String::new();
        loop {
            match self.bump() {
                Some('\'') => return Ok(crate::output::dollar_quotes(&raw)),
                Some('\\') => {
                    raw.push('\\');
                    raw.extend(self.bump());
                }
                Some(c) => raw.push(c),
                None => return self.incomplete("unterminated $'"),
            }
        }
    }

    fn double_quoted(&mut self) -> Parsed<Part> {
        self.bump();
        self.enter()?;
        let parts = self.parts(Until::DoubleQuote)?;
        self.leave();
        self.bump();
        Ok(Part::Double(parts))
    }

    fn dollar(&mut self, double: bool) -> Parsed<Option<Part>> {
        let simple = |name: String| Some(Part::Param(Box::new(Param { name, op: ParamOp::Plain })));
        match self.char_at(1) {
            Some('(') => {
                self.enter()?;
                let part = self.substitution()?;
                self.leave();
                Ok(Some(part))
            }
            Some('{') => {
                self.pos += 2;
                self.enter()?;
                let part = self.braced_param(double)?;
                self.leave();
                Ok(Some(part))
            }
            Some(c) if c == '_' || c.is_ascii_alphabetic() => {
                self.pos += 1;
                Ok(simple(self.name()))
            }
            Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(c) => {
                self.pos += 2;
                Ok(simple(c.to_string()))
            }
            _ => Ok(None),
        }
    }

    fn name(&mut self) -> String {
        let start = self.pos;
        while self.peek_char().is_some_and(|c| c == '_' || c.is_ascii_alphanumeric()) {
            self.pos += 1;
        }
        self.slice(start, self.pos)
    }

    /// `$((...))`, or `$(...)` if it doesn't close like that (POSIX 2.6.3 on the ambiguity).
    fn substitution(&mut self) -> Parsed<Part> {
        if self.char_at(2) == Some('(') {
            let (pos, line) = (self.pos, self.line);
            if let Some(expr) = self.arithmetic_text()? {
                let line = self.line;
                let chars: Vec<char> = expr.chars().collect();
                let mut inner = self.inner(&chars, line);
                return Ok(Part::Arith(inner.word(Until::End)?));
            }
            (self.pos, self.line) = (pos, line);
        }
        self.pos += 2;
        let start = self.pos;
        // What was read ahead and the documents still to come belong to the outer command.
        let outer = (self.peeked.take(), std::mem::take(&mut self.pending));
        let lines = std::mem::take(&mut self.lines);
        let written = self.written;
        self.written = written.or(lines.front().copied());
        let list = self.compound_list()?;
        match self.next()? {
            Token::Op(")") => {}
            Token::End => return self.incomplete("unterminated $("),
            t => return self.unexpected(&t),
        }
        (self.lines, self.written) = (lines, written);
        (self.peeked, self.pending) = outer;
        let text = self.slice(start, self.pos - 1);
        Ok(Part::Command(text, Rc::new(list)))
    }

    /// The text between `$((` and its `))`, or nothing if it isn't arithmetic.
    fn arithmetic_text(&mut self) -> Parsed<Option<String>> {
        self.pos += 3;
        let start = self.pos;
        let mut depth = 0;
        loop {
            match self.bump() {
                Some('(') => depth += 1,
                Some(')') if depth > 0 => depth -= 1,
                Some(')') if self.peek_char() == Some(')') => {
                    self.bump();
                    return Ok(Some(self.slice(start, self.pos - 2)));
                }
                Some(')') => return Ok(None),
                Some(_) => {}
                None => return self.incomplete("unterminated $(("),
            }
        }
    }

    fn backquoted(&mut self, double: bool) -> Parsed<Part> {
        self.bump();
        let mut text = String::new();
        loop {
            match self.bump() {
                Some('`') => break,
                Some('\\') => match self.bump() {
                    Some(c @ ('$' | '`' | '\\')) => text.push(c),
                    Some('"') if double => text.push('"'),
                    Some(c) => text.extend(['\\', c]),
                    None => return self.incomplete("unterminated backquote"),
                },
                Some(c) => text.push(c),
                None => return self.incomplete("unterminated backquote"),
            }
        }
        let chars: Vec<char> = text.chars().collect();
        self.enter()?;
        let list = self.inner(&chars, self.line).whole().map_err(|e| match e {
            // No further line can end what the backquote has ended.
            ParseError::Incomplete(n, m) | ParseError::Syntax(n, m) => ParseError::Syntax(n, m),
        })?;
        self.leave();
        Ok(Part::Command(text, Rc::new(list)))
    }

    /// After `${`.
    fn braced_param(&mut self, double: bool) -> Parsed<Part> {
        // `${##}` is the length of `$#`, `${##x}` is `$#` without an `x` in front.
        let length = match (self.peek_char(), self.char_at(1)) {
            (Some('#'), Some('#' | '-' | '?')) => self.char_at(2) == Some('}'),
            (Some('#'), next) => !matches!(next, Some('}' | ':' | '%' | '=' | '+')),
            _ => false,
        };
        if length {
            self.bump();
        }
        let name = match self.peek_char() {
            Some(c) if c == '_' || c.is_ascii_alphabetic() => self.name(),
            Some(c) if c.is_ascii_digit() => {
                let start = self.pos;
                while self.peek_char().is_some_and(|c| c.is_ascii_digit()) {
                    self.pos += 1;
                }
                self.slice(start, self.pos)
            }
            Some(c) if "@*#?-$!".contains(c) => {
                self.bump();
                c.to_string()
            }
            None => return self.incomplete("unterminated ${"),
            Some(_) => return self.syntax("bad substitution"),
        };
        let op = if length { ParamOp::Length } else { self.param_op(double)? };
        match self.bump() {
            Some('}') => Ok(Part::Param(Box::new(Param { name, op }))),
            Some(_) => self.syntax("bad substitution"),
            None => self.incomplete("unterminated ${"),
        }
    }

    fn param_op(&mut self, double: bool) -> Parsed<ParamOp> {
        let colon = self.peek_char() == Some(':');
        if colon {
            self.bump();
        }
        let until = if double { Until::BraceInDouble } else { Until::Brace };
        let op = match self.peek_char() {
            Some('}') if !colon => return Ok(ParamOp::Plain),
            Some(c) if "-=?+".contains(c) || (!colon && "%#".contains(c)) => c,
            None => return self.incomplete("unterminated ${"),
            Some(_) => return self.syntax("bad substitution"),
        };
        self.bump();
        let longest = matches!(op, '%' | '#') && self.peek_char() == Some(op);
        if longest {
            self.bump();
        }
        Ok(match op {
            '-' => ParamOp::Default(colon, self.word(until)?),
            '=' => ParamOp::Assign(colon, self.word(until)?),
            '?' => ParamOp::Error(colon, self.word(until)?),
            '+' => ParamOp::Alternative(colon, self.word(until)?),
            // A pattern's quotes count even where the whole stands in double quotes.
            '%' => ParamOp::TrimEnd(longest, self.word(Until::Brace)?),
            _ => ParamOp::TrimStart(longest, self.word(Until::Brace)?),
        })
    }

    /// The bodies that were announced on the line that has just ended (POSIX 2.7.4).
    fn read_here_docs(&mut self) -> Parsed<()> {
        for (doc, strip_tabs) in std::mem::take(&mut self.pending) {
            let mut text = String::new();
            loop {
                if self.pos >= self.src.len() {
                    if self.last {
                        break;
                    }
                    return self.incomplete("here-document without its end");
                }
                let start = self.pos;
                while self.bump().is_some_and(|c| c != '\n') {}
                let line = self.slice(start, self.pos);
                let line = if strip_tabs { line.trim_start_matches('\t') } else { &line };
                if line.strip_suffix('\n').unwrap_or(line) == doc.delimiter {
                    break;
                }
                text.push_str(line);
            }
            let parts = if doc.literal {
                vec![Part::Quoted(text.clone())]
            } else {
                let chars: Vec<char> = text.chars().collect();
                self.inner(&chars, self.line).parts(Until::End)?
            };
            // The cell is new: nobody has set it.
            let _ = doc.body.set(Word { parts, raw: text });
        }
        Ok(())
    }
}

impl Word {
    /// `NAME=...` at the start of a command: the name and the value.
    pub fn as_assignment(&self) -> Option<(String, Word)> {
        let (name, _) = self.raw.split_once('=')?;
        let Some(Part::Lit(first)) = self.parts.first() else { return None };
        let (head, value) = first.split_once('=')?;
        if head != name || !is_name(name) {
            return None;
        }
        let mut parts = self.parts.clone();
        parts[0] = Part::Lit(value.to_string());
        if value.is_empty() {
            parts.remove(0);
        }
        Some((name.to_string(), Word { parts, raw: self.raw[name.len() + 1..].to_string() }))
    }

    /// The text of a word without its quotes, for here-document delimiters; and whether it had any.
    pub fn unquoted(&self) -> (String, bool) {
        fn walk(parts: &[Part], out: &mut String, quoted: &mut bool) {
            for p in parts {
                match p {
                    Part::Lit(s) => out.push_str(s),
                    Part::Quoted(s) => {
                        *quoted = true;
                        out.push_str(s);
                    }
                    Part::Double(inner) => {
                        *quoted = true;
                        walk(inner, out, quoted);
                    }
                    // Not expanded in a delimiter; this is as near as it gets.
                    Part::Param(p) => out.push_str(&format!("${}", p.name)),
                    Part::Command(text, _) => out.push_str(&format!("$({text})")),
                    Part::Arith(w) => out.push_str(&format!("$(({}))", w.raw)),
                }
            }
        }
        let (mut out, mut quoted) = (String::new(), false);
        walk(&self.parts, &mut out, &mut quoted);
        (out, quoted)
    }
}
