//! Sessions: what somebody types at a terminal, and what they see (ports/README.md).

use super::terminal::Terminal;
use crate::process::Outcome;
use std::path::Path;

#[derive(Debug, PartialEq)]
pub enum Step {
    /// Rows and columns; before anything else the first size.
    Size(u16, u16),
    Type(String),
    See(String),
}

/// Plays a session in a shell of the image. It ends the shell itself.
pub fn play(vk: &Path, image: &Path, file: &Path) -> Outcome {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut terminal = None;
    for (line, step) in parse(&text)? {
        let here = |e: String| format!("{}:{line}: {e}", file.display());
        match (&mut terminal, step) {
            (None, Step::Size(rows, columns)) => {
                terminal = Some(Terminal::start(vk, image, rows, columns).map_err(here)?);
            }
            (None, _) => return Err(here("a session begins with a size".into())),
            (Some(t), Step::Size(rows, columns)) => t.resize(rows, columns).map_err(here)?,
            (Some(t), Step::Type(keys)) => t.key(&keys).map_err(here)?,
            (Some(t), Step::See(text)) => t.see(&text).map_err(here)?,
        }
    }
    terminal.map_or(Ok(()), Terminal::end)
}

/// The steps of a session, with the numbers of their lines.
pub fn parse(text: &str) -> Outcome<Vec<(usize, Step)>> {
    let mut steps = Vec::new();
    for (n, line) in text.lines().enumerate().map(|(n, l)| (n + 1, l)) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let step = match word {
            "" | "#" => continue,
            "size" => size(rest),
            "type" => unescaped(rest).map(Step::Type),
            "see" => unescaped(rest).map(Step::See),
            _ => None,
        };
        steps.push((n, step.ok_or_else(|| format!("line {n}: not understood: {line}"))?));
    }
    Ok(steps)
}

fn size(text: &str) -> Option<Step> {
    let (rows, columns) = text.split_once(' ')?;
    Some(Step::Size(rows.parse().ok()?, columns.parse().ok()?))
}

/// `\n`, `\e`, `\xNN` and `\\`.
fn unescaped(text: &str) -> Option<String> {
    let (mut out, mut rest) = (String::new(), text.chars());
    while let Some(c) = rest.next() {
        out.push(match c {
            '\\' => match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                'e' => '\x1b',
                's' => ' ',
                '\\' => '\\',
                'x' => {
                    let digits: String = rest.by_ref().take(2).collect();
                    char::from(u8::from_str_radix(&digits, 16).ok().filter(u8::is_ascii)?)
                }
                _ => return None,
            },
            c => c,
        });
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps() {
        let have = parse("# what it is\nsize 24 80\n\ntype a b\\n\\e\\x03\nsee \\s>\\\\\n").unwrap();
        let want = [(2, Step::Size(24, 80)), (4, Step::Type("a b\n\x1b\x03".into())), (5, Step::See(" >\\".into()))];
        assert_eq!(have, want);
        for wrong in ["size 24", "type", "type \\q", "type \\xff", "sea x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
