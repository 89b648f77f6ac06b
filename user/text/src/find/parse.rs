//! Arguments as an expression.

use super::expr::{ACCESS, Exec, Expr, Number, Time};
use crate::options::{Failure, number};
use kit::show::Names;
use posix_regex::{Regex, Syntax, glob};
use vkernel_sys::{Stat, fs};

pub struct Parsed {
    pub expr: Expr,
    pub max_depth: usize,
    pub min_depth: usize,
    pub depth_first: bool,
    pub one_device: bool,
    pub follow: bool,
    /// How many `-exec ... +` there are.
    pub collections: usize,
}

struct Parser<'a> {
    args: std::slice::Iter<'a, Vec<u8>>,
    out: Parsed,
    acts: bool,
}

type Parse<T> = Result<T, Failure>;

pub fn parse(args: &[Vec<u8>], follow: bool) -> Parse<Parsed> {
    let out = Parsed {
        expr: Expr::Const(true),
        max_depth: usize::MAX,
        min_depth: 0,
        depth_first: false,
        one_device: false,
        follow,
        collections: 0,
    };
    let mut p = Parser { args: args.iter(), out, acts: false };
    let mut expr = if args.is_empty() { Expr::Const(true) } else { p.list()? };
    if let Some(left) = p.args.as_slice().first() {
        return Err(Failure::new(format!("unexpected argument `{}'", String::from_utf8_lossy(left))));
    }
    if !p.acts {
        expr = Expr::And(Box::new(expr), Box::new(Expr::Print(b'\n')));
    }
    p.out.expr = expr;
    Ok(p.out)
}

impl Parser<'_> {
    fn peek(&self) -> &[u8] {
        self.args.as_slice().first().map_or(b"", |a| a.as_slice())
    }
    fn eat(&mut self, words: &[&[u8]]) -> bool {
        let there = !self.args.as_slice().is_empty() && words.contains(&self.peek());
        if there {
            self.args.next();
        }
        there
    }

    fn list(&mut self) -> Parse<Expr> {
        let mut left = self.or()?;
        while self.eat(&[b","]) {
            left = Expr::Both(Box::new(left), Box::new(self.or()?));
        }
        Ok(left)
    }

    fn or(&mut self) -> Parse<Expr> {
        let mut left = self.and()?;
        while self.eat(&[b"-o", b"-or"]) {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parse<Expr> {
        let mut left = self.not()?;
        loop {
            let more = self.eat(&[b"-a", b"-and"]);
            let end = [&b")"[..], b"-o", b"-or", b","].contains(&self.peek()) || self.args.as_slice().is_empty();
            if end && !more {
                return Ok(left);
            }
            left = Expr::And(Box::new(left), Box::new(self.not()?));
        }
    }

    fn not(&mut self) -> Parse<Expr> {
        if self.eat(&[b"!", b"-not"]) {
            return Ok(Expr::Not(Box::new(self.not()?)));
        }
        if self.eat(&[b"("]) {
            let inner = self.list()?;
            if !self.eat(&[b")"]) {
                return Err(Failure::new("expected a `)'"));
            }
            return Ok(inner);
        }
        self.primary()
    }

    fn primary(&mut self) -> Parse<Expr> {
        let word = self.args.next().ok_or_else(|| Failure::new("expected an expression"))?.as_slice();
        let shown = String::from_utf8_lossy(word).into_owned();
        if let Some(expr) = self.without_argument(word) {
            return Ok(expr);
        }
        if matches!(word, b"-exec" | b"-execdir" | b"-ok" | b"-okdir") {
            return self.exec(word);
        }
        let known: &[&[u8]] = &[
            b"-name",
            b"-iname",
            b"-path",
            b"-ipath",
            b"-wholename",
            b"-regex",
            b"-iregex",
            b"-lname",
            b"-type",
            b"-size",
            b"-perm",
            b"-user",
            b"-group",
            b"-uid",
            b"-gid",
            b"-links",
            b"-inum",
            b"-newer",
            b"-anewer",
            b"-cnewer",
            b"-atime",
            b"-ctime",
            b"-mtime",
            b"-amin",
            b"-cmin",
            b"-mmin",
            b"-samefile",
            b"-printf",
            b"-maxdepth",
            b"-mindepth",
            b"-regextype",
        ];
        if !known.contains(&word) {
            return Err(Failure::new(format!("unknown predicate `{shown}'")));
        }
        let arg = self.args.next().ok_or_else(|| Failure::new(format!("missing argument to `{shown}'")))?.as_slice();
        let bad = |e: String| Failure::new(format!("{shown}: {e}"));
        let invalid = || Failure::new(format!("invalid argument `{}' to `{shown}'", String::from_utf8_lossy(arg)));
        let signed = || signed(arg).ok_or_else(invalid);
        const DAY: i64 = 86_400_000_000_000;
        const MINUTE: i64 = 60_000_000_000;
        Ok(match word {
            b"-name" => Expr::Name(glob(arg, false).map_err(bad)?),
            b"-iname" => Expr::Name(glob(arg, true).map_err(bad)?),
            b"-path" | b"-wholename" => Expr::Path(glob(arg, false).map_err(bad)?),
            b"-ipath" => Expr::Path(glob(arg, true).map_err(bad)?),
            b"-lname" => Expr::LinkName(glob(arg, false).map_err(bad)?),
            b"-regex" | b"-iregex" => {
                let syntax = Syntax { ignore_case: word == b"-iregex", whole: true, ..Syntax::default() };
                Expr::Path(Regex::new(&emacs(arg), syntax).map_err(bad)?)
            }
            b"-type" => {
                let letters: Vec<u8> = arg.iter().copied().filter(|b| *b != b',').collect();
                if letters.is_empty() || letters.iter().any(|l| !b"bcdflps".contains(l)) {
                    return Err(invalid());
                }
                Expr::Type(letters)
            }
            b"-size" => {
                let units = [(b'c', 1), (b'w', 2), (b'b', 512), (b'k', 1 << 10), (b'M', 1 << 20), (b'G', 1 << 30)];
                let unit = units.iter().find(|u| arg.last() == Some(&u.0));
                let digits = if unit.is_some() { &arg[..arg.len() - 1] } else { arg };
                Expr::Size(self::signed(digits).ok_or_else(invalid)?, unit.map_or(512, |u| u.1))
            }
            b"-perm" => perm(arg).ok_or_else(invalid)?,
            b"-uid" => Expr::Uid(signed()?),
            b"-gid" => Expr::Gid(signed()?),
            b"-user" | b"-group" => {
                let names = if word == b"-user" { Names::users() } else { Names::groups() };
                let who = String::from_utf8_lossy(arg);
                let id = names
                    .id(&who)
                    .ok_or_else(|| Failure::new(format!("`{who}' is not the name of a known {}", &shown[1..])))?;
                let n = Number::Is(id as i64);
                if word == b"-user" { Expr::Uid(n) } else { Expr::Gid(n) }
            }
            b"-links" => Expr::Links(signed()?),
            b"-inum" => Expr::Inode(signed()?),
            b"-newer" => Expr::Newer(Time::Modify, status(arg)?.mtime_ns),
            b"-anewer" => Expr::Newer(Time::Access, status(arg)?.mtime_ns),
            b"-cnewer" => Expr::Newer(Time::Change, status(arg)?.mtime_ns),
            b"-atime" => Expr::Age(Time::Access, signed()?, DAY),
            b"-ctime" => Expr::Age(Time::Change, signed()?, DAY),
            b"-mtime" => Expr::Age(Time::Modify, signed()?, DAY),
            b"-amin" => Expr::Age(Time::Access, signed()?, MINUTE),
            b"-cmin" => Expr::Age(Time::Change, signed()?, MINUTE),
            b"-mmin" => Expr::Age(Time::Modify, signed()?, MINUTE),
            b"-samefile" => status(arg).map(|s| Expr::Same(s.dev, s.ino))?,
            b"-printf" => {
                self.acts = true;
                Expr::Printf(arg.to_vec())
            }
            b"-maxdepth" => {
                self.out.max_depth = number(arg)?;
                Expr::Const(true)
            }
            b"-mindepth" => {
                self.out.min_depth = number(arg)?;
                Expr::Const(true)
            }
            // Another syntax than the usual one can't be had, and is as good as it.
            _ => Expr::Const(true),
        })
    }

    fn without_argument(&mut self, word: &[u8]) -> Option<Expr> {
        let acts = matches!(word, b"-print" | b"-print0" | b"-ls" | b"-delete");
        self.acts |= acts;
        Some(match word {
            b"-print" => Expr::Print(b'\n'),
            b"-print0" => Expr::Print(0),
            b"-ls" => Expr::List,
            b"-delete" => {
                self.out.depth_first = true;
                Expr::Delete
            }
            b"-prune" => Expr::Prune,
            b"-quit" => Expr::Quit,
            b"-true" => Expr::Const(true),
            b"-false" => Expr::Const(false),
            b"-empty" => Expr::Empty,
            b"-nouser" => Expr::NoUser,
            b"-nogroup" => Expr::NoGroup,
            b"-depth" | b"-d" => {
                self.out.depth_first = true;
                Expr::Const(true)
            }
            b"-xdev" | b"-mount" => {
                self.out.one_device = true;
                Expr::Const(true)
            }
            b"-follow" => {
                self.out.follow = true;
                Expr::Const(true)
            }
            b"-noleaf" | b"-daystart" => Expr::Const(true),
            _ => Expr::Access(ACCESS.iter().find(|a| a.0 == word)?.1),
        })
    }

    fn exec(&mut self, word: &[u8]) -> Parse<Expr> {
        self.acts = true;
        let ask = word.starts_with(b"-ok");
        let mut argv: Vec<Vec<u8>> = Vec::new();
        let many = loop {
            let arg = self
                .args
                .next()
                .ok_or_else(|| Failure::new(format!("missing argument to `{}'", String::from_utf8_lossy(word))))?;
            match arg.as_slice() {
                b";" => break None,
                b"+" if !ask && argv.last().is_some_and(|a| a == b"{}") => {
                    argv.pop();
                    self.out.collections += 1;
                    break Some(self.out.collections - 1);
                }
                _ => argv.push(arg.clone()),
            }
        };
        if argv.is_empty() {
            return Err(Failure::new(format!("missing argument to `{}'", String::from_utf8_lossy(word))));
        }
        let in_dir = word.ends_with(b"dir");
        if in_dir && many.is_some() {
            argv.push(b"{}".to_vec());
        }
        Ok(Expr::Exec(Exec { argv, many, in_dir, ask }))
    }
}

fn status(path: &[u8]) -> Parse<Stat> {
    fs::stat(path).map_err(|e| Failure::with(path, e))
}

fn signed(arg: &[u8]) -> Option<Number> {
    let (make, digits): (fn(i64) -> Number, &[u8]) = match arg {
        [b'+', rest @ ..] => (Number::More, rest),
        [b'-', rest @ ..] => (Number::Less, rest),
        rest => (Number::Is, rest),
    };
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|n| *n >= 0).map(make)
}

/// In the syntax that GNU's takes by default `+` and `?` repeat; `\|` is the same.
fn emacs(pattern: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = pattern;
    while let [b, more @ ..] = rest {
        rest = more;
        match b {
            b'\\' => {
                out.push(b'\\');
                if let [next, more @ ..] = rest {
                    out.push(*next);
                    rest = more;
                }
            }
            b'+' | b'?' => out.extend([b'\\', *b]),
            b'[' => {
                out.push(b'[');
                let first = rest.starts_with(b"^") as usize + 1;
                let end = rest.iter().skip(first).position(|b| *b == b']').map_or(rest.len(), |n| n + first + 1);
                out.extend_from_slice(&rest[..end]);
                rest = &rest[end..];
            }
            b => out.push(*b),
        }
    }
    out
}

fn perm(arg: &[u8]) -> Option<Expr> {
    let (how, text) = match arg {
        [c @ (b'-' | b'/'), rest @ ..] => (*c, rest),
        rest => (b'=', rest),
    };
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(bits) = u32::from_str_radix(text, 8) {
        return (bits <= 0o7777).then_some(Expr::Perm(how, bits));
    }
    let mut bits = 0u32;
    for clause in text.split(',') {
        let at = clause.find(['=', '+', '-'])?;
        let (who, what) = (&clause[..at], &clause[at + 1..]);
        let mask = who.chars().try_fold(0, |m, c| {
            Some(
                m | match c {
                    'u' => 0o4700,
                    'g' => 0o2070,
                    'o' => 0o1007,
                    'a' => 0o7777,
                    _ => return None,
                },
            )
        })?;
        let mask = if who.is_empty() { 0o7777 } else { mask };
        let set = what.chars().try_fold(0, |m, c| {
            Some(
                m | match c {
                    'r' => 0o444,
                    'w' => 0o222,
                    'x' => 0o111,
                    's' => 0o6000,
                    't' => 0o1000,
                    _ => return None,
                },
            )
        })? & mask;
        bits = match clause.as_bytes()[at] {
            b'+' => bits | set,
            b'-' => bits & !set,
            _ => (bits & !mask) | set,
        };
    }
    Some(Expr::Perm(how, bits))
}
