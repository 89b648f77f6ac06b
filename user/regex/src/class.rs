//! Sets of characters.

/// Ranges, sorted and apart from each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Set(pub Vec<(u32, u32)>);

const LAST: u32 = 0x10_ffff;

impl Set {
    pub fn add(&mut self, from: u32, to: u32) {
        self.0.push((from, to));
    }

    /// Puts ranges in order and joins those that touch.
    pub fn normal(mut self) -> Set {
        self.0.sort_unstable();
        let mut out: Vec<(u32, u32)> = Vec::with_capacity(self.0.len());
        for (from, to) in self.0 {
            match out.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => out.push((from, to)),
            }
        }
        Set(out)
    }

    /// All others.
    pub fn inverse(self) -> Set {
        let mut next = 0;
        let mut out = Vec::new();
        for (from, to) in self.normal().0 {
            if from > next {
                out.push((next, from - 1));
            }
            next = to + 1;
        }
        if next <= LAST {
            out.push((next, LAST));
        }
        Set(out)
    }

    pub fn has(&self, c: u32) -> bool {
        self.0
            .binary_search_by(|r| {
                if r.1 < c {
                    std::cmp::Ordering::Less
                } else if r.0 > c {
                    std::cmp::Ordering::Greater
                } else {
                    std::cmp::Ordering::Equal
                }
            })
            .is_ok()
    }

    /// With the other case of each letter.
    pub fn fold(mut self) -> Set {
        let mut more = Vec::new();
        for &(from, to) in &self.0 {
            // A set with nearly everything in it has both cases already; what is above has one case.
            for n in from..=to.min(0x1_ffff) {
                other_cases(n, |c| more.push((c, c)));
            }
        }
        self.0.extend(more);
        self.normal()
    }

    /// The class of a name between `[:` and `:]`, or nothing.
    pub fn named(name: &[u8]) -> Option<Set> {
        let test: fn(char) -> bool = match name {
            b"alpha" => char::is_alphabetic,
            b"upper" => char::is_uppercase,
            b"lower" => char::is_lowercase,
            b"alnum" => |c| c.is_alphabetic() || c.is_ascii_digit(),
            b"punct" => |c| {
                c.is_ascii_punctuation()
                    || (c > '\x7f' && !c.is_alphanumeric() && !c.is_whitespace() && !c.is_control())
            },
            b"space" => |c| c.is_whitespace() && !matches!(c, '\u{85}' | '\u{a0}' | '\u{2007}' | '\u{202f}'),
            b"digit" => return Some(Set(vec![(48, 57)])),
            b"xdigit" => return Some(Set(vec![(48, 57), (65, 70), (97, 102)])),
            b"blank" => return Some(Set(vec![(9, 9), (32, 32)])),
            b"cntrl" => return Some(Set(vec![(0, 31), (127, 159)])),
            b"print" => return Some(Set(vec![(32, 126), (160, LAST)])),
            b"graph" => return Some(Set(vec![(33, 126), (161, LAST)])),
            _ => return None,
        };
        Some(Set::of(test))
    }

    /// `\w`.
    pub fn word() -> Set {
        Set::of(|c| c == '_' || c.is_alphabetic() || c.is_ascii_digit())
    }

    fn of(test: fn(char) -> bool) -> Set {
        let mut set = Set::default();
        let mut open = None;
        // No letters are above the third plane but ideographs, which end with it.
        for n in 0..0x3_2000u32 {
            match (char::from_u32(n).is_some_and(test), open) {
                (true, None) => open = Some(n),
                (false, Some(from)) => {
                    set.add(from, n - 1);
                    open = None;
                }
                _ => {}
            }
        }
        set
    }
}

/// The upper- and lower-case forms that are one character.
pub fn other_cases(n: u32, mut put: impl FnMut(u32)) {
    let Some(c) = char::from_u32(n) else { return };
    for mut forms in [c.to_lowercase().collect::<Vec<_>>(), c.to_uppercase().collect()] {
        if let (Some(form), true) = (forms.pop(), forms.is_empty())
            && form != c
        {
            put(form as u32);
        }
    }
}
