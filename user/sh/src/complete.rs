//! Completion: what the word before the cursor may become. Only the name at its end is replaced: directories, variables
//! and quotes before it stay as they were typed.

use crate::builtins;
use crate::expand::home_of;
use crate::shell::Shell;
use crate::text::{from_bytes, to_bytes};
use vkernel_sys::{access, fs, mode};

/// What can follow.
#[derive(Default)]
pub struct Completion {
    /// Where the word begins, and where its name does: bytes of the line.
    pub word: usize,
    pub start: usize,
    /// Names, without quotes, in order; directories end in `/`.
    pub words: Vec<String>,
    /// As much of one as is there.
    pub typed: String,
    /// A quote that was open where the name begins and is closed in it.
    lead: String,
    style: Style,
}

/// How a name is written.
#[derive(Clone, Copy, Default, PartialEq)]
enum Style {
    #[default]
    Plain,
    /// After this quote.
    Quoted(char),
    /// `$NAME`, with braces or without, in quotes or not.
    Variable { braces: bool, quoted: bool },
}

impl Completion {
    /// What is written for a name, or for what several have in common.
    pub fn text(&self, name: &str, whole: bool) -> String {
        let mut out = self.lead.clone();
        let mut end = " ".to_string();
        match self.style {
            Style::Plain => out += &escaped(name, self.start == self.word),
            Style::Quoted(q) => {
                let escaped = name.chars().map(|c| match c {
                    '\'' if q == '\'' => "'\\''".to_string(),
                    '$' | '`' | '"' | '\\' if q == '"' => format!("\\{c}"),
                    c => c.into(),
                });
                out.extend(escaped);
                end.insert(0, q);
            }
            Style::Variable { braces, quoted } => {
                out += if braces { "${" } else { "$" };
                // A variable whose value is a directory has its `/` behind the brace.
                out += name.trim_end_matches('/');
                let close = if whole && braces { "}" } else { "" };
                out += close;
                out += &name[name.trim_end_matches('/').len()..];
                if quoted {
                    end.clear();
                }
            }
        }
        if whole && !name.ends_with('/') {
            out += &end;
        }
        out
    }
}

/// The text before the cursor, taken apart as far as completion needs it.
#[derive(Default)]
struct Before {
    /// Where the word begins.
    word: usize,
    /// Without its quotes, with the values of its variables.
    text: String,
    /// Behind the last `/`, and behind the last `=` or `:` as well.
    name: Mark,
    part: Option<Mark>,
    /// A command is expected.
    command: bool,
    /// The quote that is open, and where it was opened.
    quote: Option<(char, usize)>,
    /// A tilde without quotes begins the word, or the part.
    tilde: bool,
    /// A variable's name is at the end: where its `$` is.
    variable: Option<(usize, bool)>,
}

/// A place in the word.
#[derive(Clone, Copy, Default)]
struct Mark {
    /// Of the line, and of the word without its quotes.
    raw: usize,
    at: usize,
    /// The quote that was open.
    quote: Option<(char, usize)>,
}

impl Before {
    fn mark(&self, raw: usize) -> Mark {
        Mark { raw, at: self.text.len(), quote: self.quote }
    }

    /// The next word begins.
    fn begin(&mut self, raw: usize) {
        (self.word, self.part, self.tilde) = (raw, None, false);
        self.text.clear();
        self.name = self.mark(raw);
    }

    fn push(&mut self, c: char, next: usize) {
        self.text.push(c);
        match c {
            '/' => self.name = self.mark(next),
            '=' | ':' if self.quote.is_none() => {
                (self.part, self.tilde) = (Some(self.mark(next)), false);
            }
            _ => {}
        }
    }

    /// Between words: an assignment or one of these words may stand before a command.
    fn separated(&mut self, c: char) {
        let again = self.text.contains('=')
            || matches!(self.text.as_str(), "if" | "then" | "else" | "elif" | "while" | "until" | "do" | "!" | "{")
            || matches!(self.text.as_str(), "exec" | "command" | "time" | "nohup" | "sudo");
        let fresh = self.text.is_empty() && self.quote.is_none();
        self.command = ";|&(`\n".contains(c) || (self.command && (fresh || again)) && !"<>".contains(c);
    }
}

fn before(sh: &Shell, text: &str) -> Before {
    let mut b = Before { command: true, ..Before::default() };
    let mut chars = text.char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        let next = i + c.len_utf8();
        let quote = b.quote.map(|q| q.0);
        match (c, quote) {
            ('\\', None | Some('"')) => {
                if let Some((i, c)) = chars.next() {
                    // Not a part's end, nor a directory's but for the `/` itself.
                    let opened = b.quote.replace(('\\', i));
                    b.text.push(c);
                    b.quote = opened;
                    if c == '/' {
                        b.name = b.mark(i + 1);
                    }
                }
            }
            ('\'' | '"', None) => b.quote = Some((c, i)),
            (c, Some(q)) if c == q => b.quote = None,
            ('$', None | Some('"')) if text[next..].starts_with('(') => {
                (b.quote, b.command) = (None, true);
                chars.next();
                b.begin(next + 1);
            }
            ('$', None | Some('"')) => {
                let braces = text[next..].starts_with('{');
                let rest = &text[next + braces as usize..];
                let name = &rest[..rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len())];
                if name.len() == rest.len() {
                    b.variable = Some((i, braces));
                    b.text = name.to_string();
                    return b;
                }
                let end =
                    i + 1 + braces as usize + name.len() + (braces && rest[name.len()..].starts_with('}')) as usize;
                match sh.get(name).filter(|_| !name.is_empty()) {
                    Some(value) => b.text += &value,
                    None => b.text += &text[i..end],
                }
                while chars.next_if(|c| c.0 < end).is_some() {}
            }
            (c, None) if c.is_whitespace() || ";|&()<>`".contains(c) => {
                b.separated(c);
                b.begin(next);
            }
            (c, None) => {
                b.tilde |= c == '~' && (i == b.word || b.part.is_some_and(|p| p.raw == i));
                b.push(c, next);
            }
            (c, _) => b.push(c, next),
        }
    }
    b
}

pub fn complete(sh: &Shell, line: &str) -> Completion {
    let b = before(sh, line);
    if let Some((start, braces)) = b.variable {
        let names = sh.vars.iter().filter(|(n, v)| n.starts_with(&b.text) && v.value.is_some());
        let is_dir = |v: &str| v.starts_with('/') && is_directory(v);
        let words = names.map(|(n, v)| n.clone() + if v.value.as_deref().is_some_and(is_dir) { "/" } else { "" });
        let style = Style::Variable { braces, quoted: b.quote.is_some() };
        return Completion {
            word: b.word,
            start,
            words: words.collect(),
            typed: b.text,
            style,
            ..Completion::default()
        };
    }
    let mut from = 0;
    let mut words = Vec::new();
    let mut name = b.name;
    if b.command && !b.text.contains('/') {
        words = commands(sh, &b.text);
    } else {
        let whole = if b.part.is_none() { b.tilde } else { false };
        words.extend(files(sh, &b.text[..name.at], &b.text[name.at..], whole, b.command));
    }
    if let Some(part) = b.part.filter(|_| words.is_empty()) {
        from = part.at;
        if part.at > name.at {
            name = part;
        }
        words = files(sh, &b.text[from..name.at], &b.text[name.at..], b.tilde, false);
    }
    words.sort_unstable();
    words.dedup();
    let word = if from > 0 { b.part.map_or(b.word, |p| p.raw) } else { b.word };
    let mut c = Completion { word, start: name.raw, words, typed: b.text[name.at..].into(), ..Completion::default() };
    match (b.quote, name.quote) {
        // All of the name is in quotes.
        (Some((q, at)), _) if at <= name.raw => {
            (c.start, c.style) = (name.raw.max(at + 1), Style::Quoted(q));
        }
        (now, Some((q, _))) if now != name.quote => c.lead = q.into(),
        _ => {}
    }
    c
}

fn is_directory(path: &str) -> bool {
    fs::stat(&to_bytes(path)).is_ok_and(|s| s.mode & mode::IFMT == mode::IFDIR)
}

fn commands(sh: &Shell, prefix: &str) -> Vec<String> {
    let own = builtins::NAMES.iter().chain(&builtins::RESERVED).map(|n| n.to_string());
    let aliases = sh.aliases.borrow();
    let all = own.chain(sh.functions.keys().cloned()).chain(aliases.keys().cloned());
    let mut found: Vec<String> = all.filter(|n| n.starts_with(prefix)).collect();
    for dir in sh.get("PATH").unwrap_or_default().split(':') {
        for e in fs::read_dir(&to_bytes(if dir.is_empty() { "." } else { dir })).unwrap_or_default() {
            let name = from_bytes(&e.name);
            if name.starts_with(prefix) && fs::access(&to_bytes(&format!("{dir}/{name}")), access::X_OK).is_ok() {
                found.push(name);
            }
        }
    }
    found
}

/// The files in a directory whose names begin like this.
fn files(sh: &Shell, dir: &str, name: &str, tilde: bool, programs: bool) -> Vec<String> {
    let home = dir.strip_prefix('~').filter(|_| tilde).and_then(|rest| home_of(rest, sh));
    let real = home.map_or(dir.to_string(), |(home, rest)| home + rest);
    let mut found = Vec::new();
    for e in fs::read_dir(&to_bytes(if real.is_empty() { "." } else { &real })).unwrap_or_default() {
        let entry = from_bytes(&e.name);
        if !entry.starts_with(name) || entry.starts_with('.') && !name.starts_with('.') {
            continue;
        }
        let path = format!("{real}{entry}");
        let is_dir = is_directory(&path);
        if is_dir || !programs || fs::access(&to_bytes(&path), access::X_OK).is_ok() {
            found.push(entry + if is_dir { "/" } else { "" });
        }
    }
    found
}

/// What all of them begin with.
pub fn common(words: &[String]) -> String {
    let Some((first, rest)) = words.split_first() else { return String::new() };
    let mut end = first.len();
    for w in rest {
        let same = first.char_indices().zip(w.chars()).take_while(|((_, a), b)| a == b);
        end = end.min(same.last().map_or(0, |((i, c), _)| i + c.len_utf8()));
    }
    first[..end].to_string()
}

/// With backslashes where the shell would take a character for something else.
fn escaped(name: &str, first: bool) -> String {
    let mut out = String::with_capacity(name.len());
    for (i, c) in name.char_indices() {
        if c == '\n' {
            // A backslash would take the line's end away.
            out += "'\n'";
            continue;
        }
        if " \t\\\"'`$&|;<>()*?[]#!{}".contains(c) || (c == '~' && i == 0 && first) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell() -> Shell {
        let mut sh = Shell::new("sh");
        sh.set("HERE", "/a b").unwrap();
        sh
    }

    #[test]
    fn the_word_before_the_cursor_is_found() {
        let b = |t: &str| {
            let b = before(&shell(), t);
            (b.word, b.text, b.command)
        };
        assert_eq!(b("ec"), (0, "ec".into(), true));
        assert_eq!(b("echo a"), (5, "a".into(), false));
        assert_eq!(b("a | b"), (4, "b".into(), true));
        assert_eq!(b("X=1 c"), (4, "c".into(), true));
        assert_eq!(b("cat a\\ b"), (4, "a b".into(), false));
        assert_eq!(b("cat 'a b"), (4, "a b".into(), false));
        assert_eq!(b("if tr"), (3, "tr".into(), true));
        assert_eq!(b("x >fi"), (3, "fi".into(), false));
        assert_eq!(b("ls "), (3, "".into(), false));
        assert_eq!(b("cat $HERE/c"), (4, "/a b/c".into(), false));
        assert_eq!(b("cat \"${HERE}/c"), (4, "/a b/c".into(), false));
        assert_eq!(b("cat '$HERE/c"), (4, "$HERE/c".into(), false));
        assert_eq!(b("cat \\$HERE/c"), (4, "$HERE/c".into(), false));
        assert_eq!(b("x \"$(ca"), (5, "ca".into(), true));
    }

    #[test]
    fn what_is_common_is_found_and_escaped() {
        assert_eq!(common(&["foo1".into(), "foo2".into()]), "foo");
        assert_eq!(common(&["é1".into(), "è".into()]), "");
        assert_eq!(escaped("a b$c", true), "a\\ b\\$c");
        assert_eq!(escaped("~a\n~", true), "\\~a'\n'~");
        assert_eq!(escaped("~a", false), "~a");
    }
}
