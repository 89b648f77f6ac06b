//! Word expansion (POSIX 2.6): tilde, parameters, commands, arithmetic, then field splitting,
//! pathnames and the removal of quotes, in this order.
//!
//! While a word is worked on it is *fields* of marked characters. A mark says that the character
//! was quoted, so that it neither splits nor matches.

use crate::arith::{self, Variables};
use crate::ast::*;
use crate::pattern::{self, Directories, PChar};

/// Why a word cannot be expanded. In a script this ends the shell (POSIX 2.8.1).
pub type Expanded<T> = Result<T, String>;

/// The shell, as far as words look at it.
pub trait Context: Directories {
    /// The value of a variable or of a special parameter other than `@` and `*`.
    fn param(&self, name: &str) -> Option<String>;
    /// The home directory of a user.
    fn home(&self, user: &str) -> Option<String>;
    fn positional(&self) -> Vec<String>;
    fn assign(&mut self, name: &str, value: &str) -> Expanded<()>;
    /// The output of a command, without the newlines at its end.
    fn substitute(&mut self, text: &str, list: &std::rc::Rc<List>) -> Expanded<String>;
    /// `set -u`
    fn nounset(&self) -> bool;
    /// `set -f`
    fn noglob(&self) -> bool;
}

/// Expands the words of a command to its arguments.
pub fn words(words: &[Word], cx: &mut dyn Context) -> Expanded<Vec<String>> {
    let mut out = Vec::with_capacity(words.len());
    for w in words {
        if let [Part::Lit(s)] = w.parts.as_slice()
            && !s.starts_with('~')
            && !s.contains(['*', '?', '['])
        {
            out.push(s.clone());
            continue;
        }
        let mut f = Fields::new(cx, true);
        f.tilde_and_parts(&w.parts, false, cx)?;
        for field in f.finish() {
            if pattern::has_magic(&field) && !cx.noglob() {
                let found = pattern::expand(&field, cx);
                if !found.is_empty() {
                    out.extend(found);
                    continue;
                }
            }
            out.push(plain(&field));
        }
    }
    Ok(out)
}

/// Expands a word that stays one: the value of an assignment, the target of a redirection.
pub fn single(word: &Word, cx: &mut dyn Context) -> Expanded<String> {
    if let [Part::Lit(s)] = word.parts.as_slice()
        && !s.contains('~')
    {
        return Ok(s.clone());
    }
    marked(&word.parts, true, cx).map(|m| plain(&m))
}

/// Expands the arguments of `export`, `readonly` and `local`: an assignment among them is expanded like one
/// (POSIX 2.9.1.1, declaration utilities).
pub fn declarations(all: &[Word], cx: &mut dyn Context) -> Expanded<Vec<String>> {
    let mut out = Vec::with_capacity(all.len());
    for w in all {
        match w.as_assignment() {
            Some((name, value)) => out.push(format!("{name}={}", single(&value, cx)?)),
            None => out.extend(words(std::slice::from_ref(w), cx)?),
        }
    }
    Ok(out)
}

/// Expands a here-document, in which nothing is split and a tilde means nothing.
pub fn document(word: &Word, cx: &mut dyn Context) -> Expanded<String> {
    let mut f = Fields::new(cx, false);
    f.parts(&word.parts, true, cx)?;
    Ok(plain(&f.finish_one()))
}

/// Expands a word that is a pattern.
pub fn as_pattern(word: &Word, cx: &mut dyn Context) -> Expanded<Vec<PChar>> {
    marked(&word.parts, false, cx)
}

fn marked(parts: &[Part], assignment: bool, cx: &mut dyn Context) -> Expanded<Vec<PChar>> {
    let mut f = Fields::new(cx, false);
    f.tilde_and_parts(parts, assignment, cx)?;
    Ok(f.finish_one())
}

fn plain(field: &[PChar]) -> String {
    field.iter().map(|c| c.0).collect()
}

/// Fields in the making.
struct Fields {
    done: Vec<Vec<PChar>>,
    current: Vec<PChar>,
    /// The current field exists even when it is empty: it has quotes.
    exists: bool,
    /// Field splitting is on, by these characters.
    split: bool,
    ifs: String,
}

impl Fields {
    fn new(cx: &dyn Context, split: bool) -> Fields {
        let ifs = cx.param("IFS").unwrap_or_else(|| " \t\n".to_string());
        Fields { done: Vec::new(), current: Vec::new(), exists: false, split, ifs }
    }
    fn end_field(&mut self) {
        if self.exists || !self.current.is_empty() {
            self.done.push(std::mem::take(&mut self.current));
        }
        self.exists = false;
    }
    fn finish(mut self) -> Vec<Vec<PChar>> {
        self.end_field();
        self.done
    }
    fn finish_one(mut self) -> Vec<PChar> {
        self.end_field();
        self.done.join(&(' ', true))
    }
    fn push(&mut self, text: &str, quoted: bool) {
        self.exists |= quoted;
        self.current.extend(text.chars().map(|c| (c, quoted)));
    }

    /// The result of an expansion: split unless it was quoted (POSIX 2.6.5).
    fn push_result(&mut self, text: &str, quoted: bool) {
        if quoted || !self.split {
            return self.push(text, quoted);
        }
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if !self.ifs.contains(c) {
                self.current.push((c, false));
                continue;
            }
            // White space collapses and may surround one other separator.
            let mut hard = !c.is_whitespace();
            while let Some(&n) = chars.peek() {
                if !self.ifs.contains(n) || (hard && !n.is_whitespace()) {
                    break;
                }
                hard |= !n.is_whitespace();
                chars.next();
            }
            // A separator that isn't white space ends a field even if that is empty.
            self.exists |= hard;
            self.end_field();
        }
    }

    fn tilde_and_parts(&mut self, parts: &[Part], assignment: bool, cx: &mut dyn Context) -> Expanded<()> {
        let Some(Part::Lit(first)) = parts.first() else { return self.parts(parts, false, cx) };
        if !first.contains('~') {
            return self.parts(parts, false, cx);
        }
        // POSIX 2.6.1: at the start, and in an assignment after each colon.
        let last = parts.len() == 1;
        let pieces: Vec<&str> = if assignment { first.split(':').collect() } else { vec![first] };
        for (i, piece) in pieces.iter().enumerate() {
            if i > 0 {
                self.push(":", false);
            }
            let complete = last || i + 1 < pieces.len() || piece.contains('/');
            match piece.strip_prefix('~') {
                Some(rest) if complete => match home_of(rest, cx) {
                    Some((home, rest)) => {
                        self.push(&home, true);
                        self.push(rest, false);
                    }
                    None => self.push(piece, false),
                },
                _ => self.push(piece, false),
            }
        }
        self.parts(&parts[1..], false, cx)
    }

    fn parts(&mut self, parts: &[Part], quoted: bool, cx: &mut dyn Context) -> Expanded<()> {
        for p in parts {
            match p {
                Part::Lit(s) => self.push(s, quoted),
                Part::Quoted(s) => self.push(s, true),
                Part::Double(inner) => {
                    // "$@" without parameters is no field at all, so it alone does not make one.
                    let only_at = matches!(inner.as_slice(), [Part::Param(p)] if p.name == "@");
                    self.exists |= !only_at;
                    self.parts(inner, true, cx)?;
                }
                Part::Param(p) => self.param(p, quoted, cx)?,
                Part::Command(text, list) => {
                    let out = cx.substitute(text, list)?;
                    self.push_result(&out, quoted);
                }
                Part::Arith(w) => {
                    let text = document(w, cx)?;
                    let v = arith::evaluate(&text, &mut Vars(cx))?;
                    self.push_result(&v.to_string(), quoted);
                }
            }
        }
        Ok(())
    }

    fn param(&mut self, p: &Param, quoted: bool, cx: &mut dyn Context) -> Expanded<()> {
        let list = p.name == "@" || p.name == "*";
        if list && matches!(p.op, ParamOp::Plain) {
            self.all_positional(p.name == "@", quoted, cx);
            return Ok(());
        }
        let value = if list { join(cx) } else { cx.param(&p.name) };
        let usable = |colon: bool| value.as_deref().is_some_and(|v| !(colon && v.is_empty()));
        match &p.op {
            ParamOp::Plain => {
                let v = or_unset(value, &p.name, cx)?;
                self.push_result(&v, quoted);
            }
            ParamOp::Length => {
                let n = match list {
                    true => cx.positional().len(),
                    false => or_unset(value, &p.name, cx)?.chars().count(),
                };
                self.push_result(&n.to_string(), quoted);
            }
            ParamOp::Default(colon, word) if !usable(*colon) => self.operand(word, quoted, cx)?,
            ParamOp::Assign(colon, word) if !usable(*colon) => {
                let v = single(word, cx)?;
                cx.assign(&p.name, &v)?;
                self.push_result(&v, quoted);
            }
            ParamOp::Error(colon, word) if !usable(*colon) => {
                let text = single(word, cx)?;
                let text = if text.is_empty() { "parameter not set".to_string() } else { text };
                return Err(format!("{}: {text}", p.name));
            }
            ParamOp::Alternative(colon, word) => {
                if usable(*colon) {
                    self.operand(word, quoted, cx)?;
                }
            }
            ParamOp::TrimEnd(longest, word) | ParamOp::TrimStart(longest, word) => {
                let pat = as_pattern(word, cx)?;
                let v = or_unset(value, &p.name, cx)?;
                let at_end = matches!(p.op, ParamOp::TrimEnd(..));
                self.push_result(&trim(&v, &pat, at_end, *longest), quoted);
            }
            _ if list => self.all_positional(p.name == "@", quoted, cx),
            _ => self.push_result(&value.unwrap_or_default(), quoted),
        }
        Ok(())
    }

    /// The word of `${x:-word}`: its own quotes count, the rest is split like a result.
    fn operand(&mut self, word: &Word, quoted: bool, cx: &mut dyn Context) -> Expanded<()> {
        if quoted || !self.split {
            return self.parts(&word.parts, quoted, cx);
        }
        for part in &word.parts {
            match part {
                Part::Lit(s) if s == "~" || s.starts_with("~/") => {
                    self.tilde_and_parts(std::slice::from_ref(part), false, cx)?
                }
                Part::Lit(s) => self.push_result(s, false),
                other => self.parts(std::slice::from_ref(other), false, cx)?,
            }
        }
        Ok(())
    }

    /// `$@` and `$*`, quoted or not (POSIX 2.5.2).
    fn all_positional(&mut self, at: bool, quoted: bool, cx: &dyn Context) {
        let all = cx.positional();
        if quoted && !at {
            let separator = self.ifs.chars().next().map(String::from).unwrap_or_default();
            return self.push(&all.join(&separator), true);
        }
        for (i, v) in all.iter().enumerate() {
            if i > 0 {
                if self.split {
                    self.end_field();
                } else if at {
                    self.push(" ", quoted);
                } else {
                    // POSIX 2.5.2: one field, as inside of quotes.
                    let separator = self.ifs.chars().next().map(String::from).unwrap_or_default();
                    self.push(&separator, quoted);
                }
            }
            if quoted { self.push(v, true) } else { self.push_result(v, false) }
        }
    }
}

/// The directory that `~` or `~user` means, and what follows it.
pub fn home_of<'a>(rest: &'a str, cx: &dyn Context) -> Option<(String, &'a str)> {
    let (user, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let home = if user.is_empty() { cx.param("HOME") } else { cx.home(user) }?;
    // `~/x` with a home of `/` is `/x`, not `//x`.
    let doubled = rest.starts_with('/') && home.ends_with('/');
    Some((home, if doubled { &rest[1..] } else { rest }))
}

fn join(cx: &dyn Context) -> Option<String> {
    let all = cx.positional();
    if all.is_empty() { None } else { Some(all.join(" ")) }
}

fn or_unset(value: Option<String>, name: &str, cx: &dyn Context) -> Expanded<String> {
    match value {
        Some(v) => Ok(v),
        None if cx.nounset() && name != "!" => Err(format!("{name}: parameter not set")),
        None => Ok(String::new()),
    }
}

fn trim(value: &str, pat: &[PChar], at_end: bool, longest: bool) -> String {
    let chars: Vec<char> = value.chars().collect();
    let n = chars.len();
    let hit = |len: &usize| {
        let piece = if at_end { &chars[n - len..] } else { &chars[..*len] };
        pattern::matches(pat, piece)
    };
    let len = if longest { (0..=n).rev().find(hit) } else { (0..=n).find(hit) }.unwrap_or(0);
    let rest = if at_end { &chars[..n - len] } else { &chars[len..] };
    rest.iter().collect()
}

/// Arithmetic's view of the shell.
struct Vars<'a>(&'a mut dyn Context);
impl Variables for Vars<'_> {
    fn get(&mut self, name: &str) -> Result<Option<String>, String> {
        let value = self.0.param(name);
        if value.is_none() && self.0.nounset() {
            return Err(format!("{name}: parameter not set"));
        }
        Ok(value)
    }
    fn set(&mut self, name: &str, value: i64) -> Result<(), String> {
        self.0.assign(name, &value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser;
    use std::collections::BTreeMap;

    #[derive(Default)]
    struct Fake {
        vars: BTreeMap<String, String>,
        positional: Vec<String>,
        files: Vec<&'static str>,
        strict: bool,
    }
    impl Directories for Fake {
        fn names(&self, _: &str) -> Vec<String> {
            self.files.iter().map(|s| s.to_string()).collect()
        }
        fn exists(&self, path: &str) -> bool {
            self.files.contains(&path)
        }
    }
    impl Context for Fake {
        fn param(&self, name: &str) -> Option<String> {
            match name.parse::<usize>() {
                Ok(n) => self.positional.get(n - 1).cloned(),
                Err(_) if name == "#" => Some(self.positional.len().to_string()),
                Err(_) => self.vars.get(name).cloned(),
            }
        }
        fn home(&self, _: &str) -> Option<String> {
            None
        }
        fn positional(&self) -> Vec<String> {
            self.positional.clone()
        }
        fn assign(&mut self, name: &str, value: &str) -> Expanded<()> {
            self.vars.insert(name.into(), value.into());
            Ok(())
        }
        fn substitute(&mut self, text: &str, _: &std::rc::Rc<List>) -> Expanded<String> {
            Ok(format!("<{text}>"))
        }
        fn nounset(&self) -> bool {
            self.strict
        }
        fn noglob(&self) -> bool {
            false
        }
    }
    fn fake() -> Fake {
        let vars = [("x", "a b"), ("e", ""), ("p", "/usr/lib/x.tar.gz"), ("n", "6"), ("HOME", "/root"), ("star", "*")];
        Fake {
            vars: vars.map(|(k, v)| (k.into(), v.into())).into(),
            positional: ["one", "two words", ""].map(String::from).into(),
            files: vec!["f1", "f2"],
            strict: false,
        }
    }
    fn expand_with(text: &str, cx: &mut Fake) -> Expanded<Vec<String>> {
        let mut list = parser::parse(&format!("c {text}")).unwrap();
        let Command::Simple(c) = list.0.remove(0).and_or.first.commands.remove(0) else { panic!() };
        words(&c.words[1..], cx)
    }
    fn ex(text: &str) -> Vec<String> {
        expand_with(text, &mut fake()).unwrap()
    }

    #[test]
    fn quotes_keep_words_together_and_vanish() {
        assert_eq!(ex(r#"$x "$x" '$x' a\ b"#), ["a", "b", "a b", "$x", "a b"]);
        assert_eq!(ex(r#""" '' $e "$e""#), ["", "", ""]);
        assert_eq!(ex(r#"pre"$x"post pre${x}post"#), ["prea bpost", "prea", "bpost"]);
    }

    #[test]
    fn parameters_have_defaults_lengths_and_trims() {
        assert_eq!(ex("${u-d} ${u:-d} ${e-d} ${e:-d} ${x:+alt} ${u:+alt}"), ["d", "d", "d", "alt"]);
        assert_eq!(
            ex("${#p} ${p##*/} ${p%.*} ${p%%.*} ${p#*/}"),
            ["17", "x.tar.gz", "/usr/lib/x.tar", "/usr/lib/x", "usr/lib/x.tar.gz"]
        );
        assert_eq!(ex(r#""${u:-"q r"}" ${u:-a 'b c'}"#), ["q r", "a", "b c"]);
        assert_eq!(ex("${new:=v} $new"), ["v", "v"]);
        assert_eq!(expand_with("${u:?is missing}", &mut fake()), Err("u: is missing".into()));
        assert_eq!(ex("${#} ${#@}"), ["3", "3"]);
    }

    #[test]
    fn at_and_star_differ_in_quotes() {
        assert_eq!(ex(r#""$@""#), ["one", "two words", ""]);
        assert_eq!(ex(r#""$*""#), ["one two words "]);
        assert_eq!(ex("$@"), ["one", "two", "words"]);
        assert_eq!(ex(r#"a"$@"b"#), ["aone", "two words", "b"]);
        let mut none = Fake::default();
        assert_eq!(expand_with(r#""$@""#, &mut none).unwrap(), [""; 0]);
        assert_eq!(expand_with(r#""$*" x"$@""#, &mut none).unwrap(), ["", "x"]);
    }

    #[test]
    fn other_separators_make_empty_fields() {
        let mut cx = fake();
        cx.vars.insert("IFS".into(), ":".into());
        cx.vars.insert("path".into(), "/a::b c:".into());
        assert_eq!(expand_with("$path", &mut cx).unwrap(), ["/a", "", "b c"]);
    }

    #[test]
    fn files_match_only_unquoted() {
        assert_eq!(ex(r#"f* "f*" $star '*' none* \*"#), ["f1", "f2", "f*", "f1", "f2", "*", "none*", "*"]);
    }

    #[test]
    fn arithmetic_and_commands_stand_in_words() {
        assert_eq!(ex("$((n*7)) a$((1+1))b $(cmd x) `y`"), ["42", "a2b", "<cmd", "x>", "<y>"]);
        assert_eq!(ex(r#""$(cmd x)""#), ["<cmd x>"]);
        assert_eq!(ex("$((${n}+1)) $((z=5)) $z"), ["7", "5", "5"]);
    }

    #[test]
    fn a_tilde_is_home_where_it_stands_first() {
        assert_eq!(ex("~ ~/d '~' a~ ~other"), ["/root", "/root/d", "~", "a~", "~other"]);
    }

    #[test]
    fn unset_parameters_are_errors_when_asked_for() {
        let mut cx = fake();
        cx.strict = true;
        assert!(expand_with("$unset", &mut cx).is_err());
        assert_eq!(expand_with("${unset-} ${unset:-x}", &mut cx).unwrap(), ["x"]);
    }
}
