//! Completion: what the word before the cursor may become.

use crate::builtins;
use crate::shell::Shell;
use crate::text::{from_bytes, to_bytes};
use vkernel_sys::{access, fs, mode};

/// What can follow.
pub struct Completion {
    /// Where the word begins, a byte of the line.
    pub start: usize,
    /// Whole words, without quotes, in order; directories end in `/`.
    pub words: Vec<String>,
    /// How each is shown: without the directory that was typed.
    pub shown: Vec<String>,
}

/// The text before the cursor, taken apart as far as completion needs it.
struct Before {
    start: usize,
    /// Without its quotes.
    word: String,
    /// A command is expected.
    command: bool,
}

fn before(text: &str) -> Before {
    let mut b = Before { start: 0, word: String::new(), command: true };
    let (mut quote, mut in_word) = (None, false);
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        let ends = quote.is_none() && (c.is_whitespace() || ";|&()<>`".contains(c));
        if ends {
            // An assignment or one of these words may stand before a command.
            let again = b.word.contains('=')
                || matches!(b.word.as_str(), "if" | "then" | "else" | "elif" | "while" | "until" | "do" | "!" | "{")
                || matches!(b.word.as_str(), "exec" | "command" | "time" | "nohup" | "sudo");
            b.command = ";|&(`\n".contains(c) || (b.command && (!in_word || again));
            if "<>".contains(c) {
                b.command = false;
            }
            (b.start, in_word) = (i + c.len_utf8(), false);
            b.word.clear();
            continue;
        }
        in_word = true;
        match (c, quote) {
            ('\\', None | Some('"')) => b.word.extend(chars.next().map(|n| n.1)),
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(q)) if c == q => quote = None,
            (c, _) => b.word.push(c),
        }
    }
    b
}

pub fn complete(sh: &Shell, text: &str) -> Completion {
    let b = before(text);
    if let Some(at) = b.word.rfind('$').filter(|&at| b.word[at + 1..].chars().all(|c| c == '_' || c.is_alphanumeric()))
    {
        let names = sh.vars.keys().filter(|n| n.starts_with(&b.word[at + 1..]));
        let words: Vec<String> = names.map(|n| format!("{}${n}", &b.word[..at])).collect();
        return Completion { start: b.start, shown: words.clone(), words };
    }
    let mut words =
        if b.command && !b.word.contains('/') { commands(sh, &b.word) } else { files(sh, &b.word, b.command) };
    words.sort_unstable();
    words.dedup();
    let shown =
        words.iter().map(|w| w[w.trim_end_matches('/').rfind('/').map_or(0, |p| p + 1)..].to_string()).collect();
    Completion { start: b.start, words, shown }
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

fn files(sh: &Shell, prefix: &str, programs: bool) -> Vec<String> {
    let (dir, name) = prefix.rsplit_once('/').map_or(("", prefix), |(d, n)| (&prefix[..d.len() + 1], n));
    let real = match (dir.strip_prefix("~/"), sh.get("HOME")) {
        (Some(rest), Some(home)) => format!("{home}/{rest}"),
        _ => dir.to_string(),
    };
    let mut found = Vec::new();
    for e in fs::read_dir(&to_bytes(if real.is_empty() { "." } else { &real })).unwrap_or_default() {
        let entry = from_bytes(&e.name);
        if !entry.starts_with(name) || entry.starts_with('.') && !name.starts_with('.') {
            continue;
        }
        let path = to_bytes(&format!("{real}{entry}"));
        let is_dir = fs::stat(&path).is_ok_and(|s| s.mode & mode::IFMT == mode::IFDIR);
        if is_dir || !programs || fs::access(&path, access::X_OK).is_ok() {
            found.push(format!("{dir}{entry}{}", if is_dir { "/" } else { "" }));
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
pub fn escaped(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for (i, c) in word.char_indices() {
        if " \t\n\\\"'`$&|;<>()*?[]#!{}".contains(c) && !(c == '$' && i == 0) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_the_cursor_is_found() {
        let b = |t: &str| {
            let b = before(t);
            (b.start, b.word, b.command)
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
    }

    #[test]
    fn what_is_common_is_found_and_escaped() {
        assert_eq!(common(&["foo1".into(), "foo2".into()]), "foo");
        assert_eq!(common(&["é1".into(), "è".into()]), "");
        assert_eq!(escaped("a b$c"), "a\\ b\\$c");
    }
}
