//! What a script is once it has been read.

use std::cell::OnceCell;
use std::rc::Rc;

/// Commands one after the other.
#[derive(Debug, Default, PartialEq)]
pub struct List(pub Vec<Item>);

/// One of them, and whether it is left to run in the background.
#[derive(Debug, PartialEq)]
pub struct Item {
    pub and_or: AndOr,
    pub background: bool,
}

/// `first && second || third`.
#[derive(Debug, PartialEq)]
pub struct AndOr {
    pub first: Pipeline,
    pub rest: Vec<(Connector, Pipeline)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connector {
    And,
    Or,
}

/// `! a | b | c`.
#[derive(Debug, PartialEq)]
pub struct Pipeline {
    pub negated: bool,
    pub commands: Vec<Command>,
}

#[derive(Debug, PartialEq)]
pub enum Command {
    Simple(Simple),
    Compound(Compound, Vec<Redir>),
    Function(String, Rc<Command>),
}

#[derive(Debug, Default, PartialEq)]
pub struct Simple {
    pub assigns: Vec<(String, Word)>,
    pub words: Vec<Word>,
    pub redirs: Vec<Redir>,
    pub line: usize,
}

#[derive(Debug, PartialEq)]
pub enum Compound {
    Brace(List),
    Subshell(List),
    /// Conditions with their branches, then the branch of `else`.
    If(Vec<(List, List)>, Option<List>),
    Loop {
        until: bool,
        condition: List,
        body: List,
    },
    /// Without words: the positional parameters.
    For {
        name: String,
        words: Option<Vec<Word>>,
        body: List,
    },
    Case {
        word: Word,
        arms: Vec<Arm>,
    },
}

/// One branch of `case`.
#[derive(Debug, PartialEq)]
pub struct Arm {
    pub patterns: Vec<Word>,
    pub body: List,
    /// `;&`: the next one's commands follow.
    pub through: bool,
}

/// A redirection of descriptor `fd`.
#[derive(Debug, PartialEq)]
pub struct Redir {
    pub fd: Option<u32>,
    pub kind: RedirKind,
}

#[derive(Debug, PartialEq)]
pub enum RedirKind {
    /// `<`
    Read(Word),
    /// `>`
    Write(Word),
    /// `>|`
    Clobber(Word),
    /// `>>`
    Append(Word),
    /// `<>`
    ReadWrite(Word),
    /// `<&`
    DupIn(Word),
    /// `>&`
    DupOut(Word),
    Here(Rc<HereDoc>),
}

impl RedirKind {
    /// The name of the file that it opens.
    pub fn file(&self) -> Option<&Word> {
        match self {
            RedirKind::Read(w)
            | RedirKind::Write(w)
            | RedirKind::Clobber(w)
            | RedirKind::Append(w)
            | RedirKind::ReadWrite(w) => Some(w),
            RedirKind::DupIn(_) | RedirKind::DupOut(_) | RedirKind::Here(_) => None,
        }
    }
}

/// A here-document. Its body is read after the line that names it.
#[derive(Debug, Default, PartialEq)]
pub struct HereDoc {
    pub delimiter: String,
    /// The delimiter was quoted: nothing in the body is expanded.
    pub literal: bool,
    /// The text as it stands, and its parts.
    pub body: OnceCell<Word>,
}

/// One word of a command before its expansion.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Word {
    pub parts: Vec<Part>,
    /// As it stands in the script.
    pub raw: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Without quotes.
    Lit(String),
    /// In single quotes or behind a backslash.
    Quoted(String),
    /// In double quotes.
    Double(Vec<Part>),
    Param(Box<Param>),
    /// `$(...)` or backquotes: the text between them and what it says.
    Command(String, Rc<List>),
    /// `$((...))`
    Arith(Word),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    pub name: String,
    pub op: ParamOp,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ParamOp {
    Plain,
    Length,
    /// `-`: a word instead. `colon`: also instead of an empty value.
    Default(bool, Word),
    /// `=`
    Assign(bool, Word),
    /// `?`
    Error(bool, Word),
    /// `+`
    Alternative(bool, Word),
    /// `%`, `%%`
    TrimEnd(bool, Word),
    /// `#`, `##`
    TrimStart(bool, Word),
}
