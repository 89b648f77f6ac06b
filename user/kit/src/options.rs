//! Command lines: clusters of letters, operands, and mistakes (POSIX XBD 12.2).

use vkernel_sys::Errno;

/// Ends a command with a message.
#[derive(Debug)]
pub struct Failure {
    pub status: i32,
    pub message: String,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Failure {
        Failure { status: 1, message: message.into() }
    }
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { status: 2, message: message.into() }
    }
    /// What went wrong with a file.
    pub fn with(path: &[u8], e: Errno) -> Failure {
        Failure::new(format!("{}: {e}", String::from_utf8_lossy(path)))
    }
}

/// A command line taken apart.
#[derive(Debug, Default)]
pub struct Options {
    flags: Vec<u8>,
    values: Vec<(u8, Vec<u8>)>,
    pub operands: Vec<Vec<u8>>,
}

impl Options {
    /// `spec`: the letters, with a `:` behind those that take a value. `usage` is shown for `--help`
    /// and with mistakes. Options may stand after operands unless `strict`.
    pub fn parse(args: &[Vec<u8>], spec: &str, usage: &str, strict: bool) -> Result<Options, Failure> {
        Options::parse_long(args, spec, &[], usage, strict)
    }

    /// The same with words for letters. Behind a letter a `?` says that a value may come, after a `=`. Words that
    /// have no letter have a control character for it.
    pub fn parse_long(
        args: &[Vec<u8>],
        spec: &str,
        words: &[(&str, u8)],
        usage: &str,
        strict: bool,
    ) -> Result<Options, Failure> {
        let mut o = Options::default();
        let spec = spec.as_bytes();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_slice() {
                b"--" => {
                    o.operands.extend(args.by_ref().cloned());
                }
                b"--help" => return Err(Failure { status: 0, message: format!("usage: {usage}") }),
                [b'-', b'-', word @ ..] => {
                    let shown = String::from_utf8_lossy(arg);
                    let wrong = |what: &str| Failure::usage(format!("{shown}: {what}\nusage: {usage}"));
                    let (name, value) = match word.iter().position(|&b| b == b'=') {
                        Some(i) => (&word[..i], Some(word[i + 1..].to_vec())),
                        None => (word, None),
                    };
                    let letter = long(words, name).ok_or_else(|| wrong("no such option"))?;
                    let at = spec.iter().position(|&s| s == letter).unwrap_or(spec.len());
                    match (spec.get(at + 1), value) {
                        (Some(b':'), None) => {
                            let value = args.next().cloned().ok_or_else(|| wrong("wants a value"))?;
                            o.values.push((letter, value));
                        }
                        (Some(b':' | b'?'), Some(value)) => o.values.push((letter, value)),
                        (_, None) => o.flags.push(letter),
                        (_, Some(_)) => return Err(wrong("takes no value")),
                    }
                }
                [b'-', letters @ ..] if !letters.is_empty() => {
                    for (i, &c) in letters.iter().enumerate() {
                        let at = spec.iter().position(|&s| s == c && !b":?".contains(&c));
                        let Some(at) = at else {
                            return Err(Failure::usage(format!("-{}: no such option\nusage: {usage}", c as char)));
                        };
                        if spec.get(at + 1) != Some(&b':') {
                            o.flags.push(c);
                            continue;
                        }
                        let value = match &letters[i + 1..] {
                            [] => args.next().cloned(),
                            rest => Some(rest.to_vec()),
                        };
                        let missing = || Failure::usage(format!("-{} wants a value\nusage: {usage}", c as char));
                        o.values.push((c, value.ok_or_else(missing)?));
                        break;
                    }
                }
                _ => {
                    o.operands.push(arg.clone());
                    if strict {
                        o.operands.extend(args.by_ref().cloned());
                    }
                }
            }
        }
        Ok(o)
    }

    /// All values of a letter, in their order.
    pub fn values(&self, letter: u8) -> impl Iterator<Item = &[u8]> {
        self.values.iter().filter(move |v| v.0 == letter).map(|v| v.1.as_slice())
    }
    /// Each letter that takes a value, with it, in their order.
    pub fn all_values(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.values.iter().map(|v| (v.0, v.1.as_slice()))
    }
    pub fn has(&self, letter: u8) -> bool {
        self.flags.contains(&letter)
    }
    /// Which of some letters was given last.
    pub fn last_of(&self, letters: &[u8]) -> Option<u8> {
        self.flags.iter().rev().copied().find(|f| letters.contains(f))
    }
    pub fn value(&self, letter: u8) -> Option<&[u8]> {
        self.values.iter().rev().find(|v| v.0 == letter).map(|v| v.1.as_slice())
    }
}

/// The letter of a word, or of the only word that begins so.
fn long(words: &[(&str, u8)], name: &[u8]) -> Option<u8> {
    let mut like = words.iter().filter(|w| w.0.as_bytes().starts_with(name));
    let first = like.clone().find(|w| w.0.as_bytes() == name).or_else(|| like.next())?;
    let one = first.0.as_bytes() == name || like.all(|w| w.1 == first.1);
    one.then_some(first.1)
}

/// A decimal number, or a usage error that names it.
pub fn number<T: std::str::FromStr>(text: &[u8]) -> Result<T, Failure> {
    let shown = String::from_utf8_lossy(text);
    shown.parse().map_err(|_| Failure::usage(format!("{shown}: not a number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(a: &[&str]) -> Vec<Vec<u8>> {
        a.iter().map(|s| s.as_bytes().to_vec()).collect()
    }

    #[test]
    fn letters_cluster_and_values_stand_behind_theirs() {
        let o = Options::parse(&args(&["-lan5", "x", "-n", "6", "--", "-y"]), "lan:", "", false).unwrap();
        assert!(o.has(b'l') && o.has(b'a') && !o.has(b'n'));
        assert_eq!(o.value(b'n'), Some(b"6".as_slice()));
        assert_eq!(o.operands, args(&["x", "-y"]));
        assert!(Options::parse(&args(&["-q"]), "l", "", false).is_err());
        assert!(Options::parse(&args(&["-n"]), "n:", "", false).is_err());
        let words = [("long", b'l'), ("lines", b'n'), ("color", 1)];
        let o = Options::parse_long(
            &args(&["--lo", "--lines=3", "--color", "--lines", "4"]),
            "ln:\x01?",
            &words,
            "",
            false,
        );
        let o = o.unwrap();
        assert!(o.has(b'l') && o.has(1) && o.values(b'n').eq([b"3", b"4"]));
        assert!(Options::parse_long(&args(&["--l"]), "ln:", &words, "", false).is_err());
        let o = Options::parse(&args(&["-l", "x", "-a"]), "la", "", true).unwrap();
        assert_eq!(o.operands, args(&["x", "-a"]));
    }
}
