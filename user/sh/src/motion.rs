//! Motions of vi's command mode (POSIX sh, "Command Line Editing (vi-mode)"): where they lead in a line.
//!
//! Places are bytes, each the first of a character, or the line's length.

/// What `f`, `F`, `t` and `T` were told last, for `;` and `,`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Find {
    pub command: char,
    pub wanted: char,
}

impl Find {
    /// In the other direction.
    pub fn reversed(self) -> Find {
        let c = self.command;
        let command = if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        Find { command, ..self }
    }

    /// The place of the character's nth occurrence, or the one before it. `again`: where it stands beside one already,
    /// `t` goes to the next.
    pub fn place(self, line: &str, at: usize, count: usize, again: bool) -> Option<usize> {
        let hit = |&(_, c): &(usize, char)| c == self.wanted;
        let here = line[at..].chars().next().map_or(0, char::len_utf8);
        let skip = |step: usize| again as usize * step;
        match self.command {
            'f' => line[at + here..].char_indices().filter(hit).nth(count - 1).map(|h| at + here + h.0),
            'F' => line[..at].char_indices().rev().filter(hit).nth(count - 1).map(|h| h.0),
            't' => {
                let beside = line[at + here..].starts_with(self.wanted) && count == 1;
                let found = Find { command: 'f', ..self }.place(line, at, count + skip(beside as usize), false)?;
                line[..found].char_indices().next_back().map(|h| h.0)
            }
            'T' => {
                let beside = line[..at].ends_with(self.wanted) && count == 1;
                let found = Find { command: 'F', ..self }.place(line, at, count + skip(beside as usize), false)?;
                Some(found + self.wanted.len_utf8())
            }
            _ => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Blank,
    Word,
    Other,
}

/// A bigword knows only blanks.
fn class(c: char, big: bool) -> Class {
    match c {
        c if c.is_whitespace() => Class::Blank,
        c if big || c == '_' || c.is_alphanumeric() => Class::Word,
        _ => Class::Other,
    }
}

/// `w`, `W`: the beginning of the next word, or the end.
pub fn next_word(line: &str, mut at: usize, big: bool) -> usize {
    let first = line[at..].chars().next().map_or(Class::Blank, |c| class(c, big));
    let skip = |at: usize, f: &dyn Fn(char) -> bool| line[at..].find(|c| !f(c)).map_or(line.len(), |n| at + n);
    if first != Class::Blank {
        at = skip(at, &|c| class(c, big) == first);
    }
    skip(at, &char::is_whitespace)
}

/// `e`, `E`: the last character of the word, or of the next one.
pub fn word_end(line: &str, at: usize, big: bool) -> usize {
    let mut rest = line[at..].char_indices().skip(1).skip_while(|(_, c)| c.is_whitespace());
    let Some((mut last, c)) = rest.next() else { return at };
    for (i, next) in rest {
        if class(next, big) != class(c, big) {
            break;
        }
        last = i;
    }
    at + last
}

/// `b`, `B`: the first character of the word, or of the one before.
pub fn word_before(line: &str, at: usize, big: bool) -> usize {
    let text = line[..at].trim_end();
    let Some(last) = text.chars().next_back() else { return 0 };
    text.trim_end_matches(|c| class(c, big) == class(last, big)).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_begin_and_end_where_vi_has_them() {
        let line = "echo foo-bar  é_1";
        let all = |f: fn(&str, usize, bool) -> usize, mut at: usize, big: bool| {
            let mut seen = Vec::new();
            while seen.last() != Some(&at) {
                seen.push(at);
                at = f(line, at, big);
            }
            seen
        };
        assert_eq!(all(next_word, 0, false), [0, 5, 8, 9, 14, 18]);
        assert_eq!(all(next_word, 0, true), [0, 5, 14, 18]);
        assert_eq!(all(word_end, 0, false), [0, 3, 7, 8, 11, 17]);
        assert_eq!(all(word_end, 0, true), [0, 3, 11, 17]);
        assert_eq!(all(word_before, 17, false), [17, 14, 9, 8, 5, 0]);
        assert_eq!(all(word_before, 17, true), [17, 14, 5, 0]);
    }

    #[test]
    fn characters_are_found_on_both_sides() {
        let find = |command, at, count| Find { command, wanted: 'o' }.place("echo foo boo", at, count, false);
        assert_eq!((find('f', 0, 1), find('f', 3, 1), find('f', 0, 6)), (Some(3), Some(6), None));
        assert_eq!((find('t', 0, 1), find('t', 0, 2)), (Some(2), Some(5)));
        assert_eq!((find('F', 11, 1), find('F', 11, 2), find('F', 3, 1)), (Some(10), Some(7), None));
        assert_eq!(find('T', 5, 1), Some(4));
        let again = Find { command: 't', wanted: 'o' };
        assert_eq!(again.place("echo foo", 2, 1, true), Some(5));
        assert_eq!(again.reversed().place("echo foo", 7, 1, true), Some(4));
    }
}
