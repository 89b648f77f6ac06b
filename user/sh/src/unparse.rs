//! From commands back to text, for a subshell to read.
//!
//! There is no fork(2): a subshell is a new shell that is given the state of this one as a script.

use crate::ast::*;
use crate::shell::Shell;
use crate::text::quote;
use std::rc::Rc;

/// Commands as text, and on which lines of the script its simple commands stood, in their order: the text has lines of its own.
#[derive(Default)]
pub struct Script {
    pub text: String,
    pub lines: Vec<usize>,
}

/// Text in the making; bodies of here-documents wait for the end of their line.
#[derive(Default)]
struct Out {
    text: String,
    lines: Vec<usize>,
    documents: Vec<Rc<HereDoc>>,
}

/// The text of some commands.
pub fn list(l: &List) -> Script {
    let mut out = Out::default();
    out.list(l);
    out.done()
}

/// The text of one command.
pub fn command(c: &Command) -> Script {
    let mut out = Out::default();
    out.command(c);
    out.newline();
    out.done()
}

/// The text of and-or lists, without the `&` at its end.
pub fn and_or(a: &AndOr) -> Script {
    let mut out = Out::default();
    out.and_or(a);
    out.newline();
    out.done()
}

/// Such a text for a person to read, as the name of a job.
pub fn one_line(text: &str) -> String {
    const OPENING: [&str; 10] = ["{", "if", "then", "elif", "else", "while", "until", "do", "in", "!"];
    let mut out = String::new();
    let mut before = "(";
    for line in text.lines() {
        let opens = before.ends_with(['&', ';']) || before.rsplit(' ').next().is_some_and(|w| OPENING.contains(&w));
        // A subshell's parenthesis stands alone.
        let pattern = before.len() > 1 && before.starts_with('(') && before.ends_with(')');
        out += match line {
            _ if before.ends_with('(') => "",
            l if l.starts_with(')') => "",
            ";;" | ";&" => " ",
            _ if opens || pattern || before.starts_with("case ") => " ",
            _ => "; ",
        };
        out += line;
        before = line;
    }
    out
}

/// What a subshell has to know before its first command: a line for `main`, then a script. `lines` are of its commands.
///
/// Exported variables come with the environment.
pub fn state(sh: &Shell, lines: &[usize]) -> String {
    // Where a failure is being tested, that holds in the subshell, too: no `set -e` there.
    let drop: &[char] = if sh.tested > 0 { &['i', 'n', 'e'] } else { &['i', 'n'] };
    let options = sh.options.replace(drop, "");
    let last = sh.last_background.unwrap_or(0);
    let in_function = !sh.locals.is_empty() as u8;
    let mut text = String::new();
    let mut own = Vec::new();
    // A simple command that nobody wrote.
    let mut put = |command: String| {
        text += &command;
        own.push(0);
    };
    // A new shell has these by itself.
    for name in ["IFS", "OPTIND", "PS2", "PS4", "PPID"] {
        if !sh.vars.contains_key(name) {
            put(format!("unset {name}\n"));
        }
    }
    for (name, var) in &sh.vars {
        match &var.value {
            Some(v) if !var.exported => put(format!("{name}={}\n", quote(v))),
            None if var.exported => put(format!("export {name}\n")),
            _ => {}
        }
        if var.readonly {
            put(format!("readonly {name}\n"));
        }
    }
    for (signal, _) in sh.traps.iter().filter(|t| t.1.is_empty()) {
        // POSIX 2.15: what is ignored stays so, and `trap` says it.
        put(format!("trap '' {signal}\n"));
    }
    for (name, body) in &sh.functions {
        let body = command(body);
        text += &format!("{name}() {}", body.text);
        own.push(0);
        own.extend(body.lines);
    }
    let written = |lines: &[usize]| lines.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    format!(
        "{} {} {} {} -{} {in_function} {} {}:{}\n{text}",
        sh.pid,
        sh.status,
        last,
        sh.line,
        options,
        sh.opt_offset,
        written(&own),
        written(lines),
    )
}

impl Out {
    fn done(self) -> Script {
        Script { text: self.text, lines: self.lines }
    }
    fn put(&mut self, s: &str) {
        self.text.push_str(s);
    }
    fn newline(&mut self) {
        self.put("\n");
        for doc in std::mem::take(&mut self.documents) {
            let body = doc.body.get().map(|w| w.raw.as_str()).unwrap_or_default();
            self.put(body);
            if !body.is_empty() && !body.ends_with('\n') {
                self.put("\n");
            }
            self.put(&doc.delimiter);
            self.put("\n");
        }
    }
    fn list(&mut self, l: &List) {
        for item in &l.0 {
            self.and_or(&item.and_or);
            if item.background {
                self.put(" &");
            }
            self.newline();
        }
    }
    fn and_or(&mut self, a: &AndOr) {
        self.pipeline(&a.first);
        for (connector, p) in &a.rest {
            self.put(if *connector == Connector::And { " && " } else { " || " });
            self.pipeline(p);
        }
    }
    fn pipeline(&mut self, p: &Pipeline) {
        if p.negated {
            self.put("! ");
        }
        for (i, c) in p.commands.iter().enumerate() {
            if i > 0 {
                self.put(" | ");
            }
            self.command(c);
        }
    }
    fn command(&mut self, c: &Command) {
        match c {
            Command::Simple(s) => {
                self.lines.push(s.line);
                let mut first = true;
                let mut space = |out: &mut Out| {
                    if !std::mem::take(&mut first) {
                        out.put(" ");
                    }
                };
                for (name, value) in &s.assigns {
                    space(self);
                    self.put(&format!("{name}={}", value.raw));
                }
                for w in &s.words {
                    space(self);
                    self.put(&w.raw);
                }
                for r in &s.redirs {
                    space(self);
                    self.redir(r);
                }
            }
            Command::Compound(c, redirs) => {
                self.compound(c);
                for r in redirs {
                    self.put(" ");
                    self.redir(r);
                }
            }
            Command::Function(name, body) => {
                // What a definition begins with is read as a simple command.
                self.lines.push(0);
                self.put(&format!("{name}() "));
                self.command(body);
            }
        }
    }
    fn block(&mut self, open: &str, l: &List, close: &str) {
        self.put(open);
        self.newline();
        self.list(l);
        self.put(close);
    }
    fn compound(&mut self, c: &Compound) {
        match c {
            Compound::Brace(l) => self.block("{", l, "}"),
            Compound::Subshell(l) => self.block("(", l, ")"),
            Compound::If(branches, otherwise) => {
                for (i, (condition, body)) in branches.iter().enumerate() {
                    self.block(if i == 0 { "if" } else { "elif" }, condition, "then");
                    self.newline();
                    self.list(body);
                }
                if let Some(l) = otherwise {
                    self.block("else", l, "");
                }
                self.put("fi");
            }
            Compound::Loop { until, condition, body } => {
                self.block(if *until { "until" } else { "while" }, condition, "do");
                self.newline();
                self.list(body);
                self.put("done");
            }
            Compound::For { name, words, body } => {
                self.put(&format!("for {name}"));
                if let Some(words) = words {
                    self.put(" in");
                    words.iter().for_each(|w| self.put(&format!(" {}", w.raw)));
                }
                self.newline();
                self.block("do", body, "done");
            }
            Compound::Case { word, arms } => {
                self.put(&format!("case {} in", word.raw));
                self.newline();
                for Arm { patterns, body, through } in arms {
                    let patterns: Vec<&str> = patterns.iter().map(|w| w.raw.as_str()).collect();
                    self.block(&format!("({})", patterns.join("|")), body, if *through { ";&" } else { ";;" });
                    self.newline();
                }
                self.put("esac");
            }
        }
    }
    fn redir(&mut self, r: &Redir) {
        if let Some(fd) = r.fd {
            self.put(&fd.to_string());
        }
        let (op, word) = match &r.kind {
            RedirKind::Read(w) => ("<", w),
            RedirKind::Write(w) => (">", w),
            RedirKind::Clobber(w) => (">|", w),
            RedirKind::Append(w) => (">>", w),
            RedirKind::ReadWrite(w) => ("<>", w),
            RedirKind::DupIn(w) => ("<&", w),
            RedirKind::DupOut(w) => (">&", w),
            RedirKind::Here(doc) => {
                let delimiter = if doc.literal { format!("'{}'", doc.delimiter) } else { doc.delimiter.clone() };
                self.put(&format!("<<{delimiter}"));
                return self.documents.push(doc.clone());
            }
        };
        self.put(&format!("{op}{}", word.raw));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::{Parser, parse};

    #[test]
    fn a_person_reads_one_line() {
        for text in [
            "(sleep 1; echo done)",
            "(a) >f",
            "if a; then b; elif c; then d; else e; fi",
            "while read x; do { a; b; }; done",
            "for i in 1 2; do (a & b); done",
            "case $x in (a|b) c; d ;; (*) e ;; esac",
            "f() { a; b; }",
            "! a && b || c",
        ] {
            assert_eq!(one_line(&list(&parse(text).unwrap()).text), text);
        }
    }

    #[test]
    fn text_reads_back_as_the_same_commands() {
        for text in [
            "a b 'c d' \"$e\" >f 2>&1 <<X | g && ! h || i &\nbody $x\nX\n",
            "if a; then b; elif c; then d; else e; fi >out",
            "while read x; do echo $x; done <in; until a; do b; done",
            "for i in 1 \"2 3\" $x; do echo $i; done; for j do :; done; for k in; do :; done",
            "case $x in a|b) c;; (d) ;; *) e & f; esac",
            "f() { local x=1; (cd /; pwd) | cat; }; A=1 B=$(c d) f",
            "{ a <<'E'; b <<E; }\n$x\nE\n$y\nE\n",
            "! (a)",
            "(\na\n\nb $(c\nd\n)\n) | {\ne\n}\n",
        ] {
            let once = parse(text).unwrap();
            let script = list(&once);
            let chars: Vec<char> = script.text.chars().collect();
            let again = Parser::new(&chars).with_lines(script.lines.clone()).final_input().whole();
            let again = list(&again.unwrap_or_else(|e| panic!("{text}: {e:?}\n{}", script.text)));
            assert_eq!((&script.text, &script.lines), (&again.text, &again.lines), "{text}");
        }
    }
}
