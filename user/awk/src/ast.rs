//! A program as a tree, with its names resolved.

use posix_regex::Regex;
use std::rc::Rc;

/// Where a variable is: in the globals, or in the frame of the function that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Global(usize),
    Local(usize),
}

#[derive(Clone, Debug)]
pub enum Place {
    Var(Slot),
    Field(Box<Expr>),
    Element(Slot, Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    Less,
    LessEqual,
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    Atan2,
    Close,
    Cos,
    Exp,
    Fflush,
    Gsub,
    Index,
    Int,
    Length,
    Log,
    Match,
    Rand,
    Sin,
    Split,
    Sprintf,
    Sqrt,
    Srand,
    Sub,
    Substr,
    System,
    Systime,
    Tolower,
    Toupper,
}

/// A pattern that was written between slashes.
#[derive(Clone)]
pub struct Pattern(pub Rc<Regex>);

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("/.../")
    }
}

#[derive(Clone, Debug)]
pub enum Expr {
    Num(f64),
    Str(Rc<[u8]>),
    Regex(Pattern),
    Get(Place),
    Assign(Place, Box<Expr>),
    Change(Op, Place, Box<Expr>),
    /// `++` and `--`: by how much, and whether the value is that before.
    Step(Place, f64, bool),
    Cond(Box<Expr>, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Neg(Box<Expr>),
    Plus(Box<Expr>),
    Math(Op, Box<Expr>, Box<Expr>),
    Compare(Compare, Box<Expr>, Box<Expr>),
    Concat(Box<Expr>, Box<Expr>),
    Match(bool, Box<Expr>, Box<Expr>),
    In(Vec<Expr>, Slot),
    /// `(a, b)`, until it is known whether `in` follows or `print` came before.
    Group(Vec<Expr>),
    Call(usize, Vec<Expr>),
    Builtin(Builtin, Vec<Expr>),
    Getline(From, Option<Box<Place>>),
    /// The name of an array as a function's argument.
    Array(Slot),
}

#[derive(Clone, Debug)]
pub enum From {
    Input,
    File(Box<Expr>),
    Command(Box<Expr>),
}

/// Where `print` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum To {
    File,
    Append,
    Pipe,
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Expr(Expr),
    Print(Vec<Expr>, Option<(To, Expr)>),
    Printf(Vec<Expr>, Option<(To, Expr)>),
    If(Expr, Box<Stmt>, Option<Box<Stmt>>),
    While(Expr, Box<Stmt>),
    Do(Box<Stmt>, Expr),
    For(Option<Box<Stmt>>, Option<Expr>, Option<Box<Stmt>>, Box<Stmt>),
    ForIn(Place, Slot, Box<Stmt>),
    Block(Vec<Stmt>),
    Delete(Slot, Option<Vec<Expr>>),
    Next,
    NextFile,
    Exit(Option<Expr>),
    Return(Option<Expr>),
    Break,
    Continue,
}

#[derive(Debug)]
pub enum When {
    Begin,
    End,
    Each(Option<Expr>),
    Range(Expr, Expr),
}

#[derive(Debug, Default)]
pub struct Function {
    pub name: Vec<u8>,
    /// For each parameter, whether it is an array.
    pub params: Vec<bool>,
    pub body: Vec<Stmt>,
}

#[derive(Debug, Default)]
pub struct Program {
    /// A rule without an action prints.
    pub rules: Vec<(When, Option<Vec<Stmt>>)>,
    pub functions: Vec<Function>,
    /// For each global its name, and whether it is an array.
    pub globals: Vec<(Vec<u8>, bool)>,
}

/// Globals that the interpreter itself looks at; their places are their numbers here.
pub const SPECIAL: [&str; 16] = [
    "NF", "NR", "FNR", "FS", "OFS", "ORS", "RS", "SUBSEP", "CONVFMT", "OFMT", "RSTART", "RLENGTH", "FILENAME",
    "ENVIRON", "ARGC", "ARGV",
];
pub mod special {
    pub const NF: usize = 0;
    pub const NR: usize = 1;
    pub const FNR: usize = 2;
    pub const FS: usize = 3;
    pub const OFS: usize = 4;
    pub const ORS: usize = 5;
    pub const RS: usize = 6;
    pub const SUBSEP: usize = 7;
    pub const CONVFMT: usize = 8;
    pub const OFMT: usize = 9;
    pub const RSTART: usize = 10;
    pub const RLENGTH: usize = 11;
    pub const FILENAME: usize = 12;
    pub const ENVIRON: usize = 13;
    pub const ARGC: usize = 14;
    pub const ARGV: usize = 15;
}
