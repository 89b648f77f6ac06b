//! Patterns (POSIX 2.13): `*`, `?`, `[...]`, matched against strings and against directories.
//!
//! A pattern is characters, each with a mark whether it was quoted: a quoted one means itself.

/// One character of a pattern, and whether it is literal.
pub type PChar = (char, bool);

/// True when the word has to be looked up in directories.
pub fn has_magic(p: &[PChar]) -> bool {
    p.iter().any(|&(c, lit)| !lit && (c == '*' || c == '?' || c == '['))
}

/// Matches all of `text`. Linear in practice: a `*` is retried from the last one only.
pub fn matches(p: &[PChar], text: &[char]) -> bool {
    let (mut pi, mut ti) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pi < p.len() && p[pi] == ('*', false) {
            retry = Some((pi + 1, ti));
            pi += 1;
            continue;
        }
        if ti == text.len() && pi == p.len() {
            return true;
        }
        let step = if ti < text.len() && pi < p.len() { match_one(&p[pi..], text[ti]) } else { None };
        if let Some(n) = step {
            pi += n;
            ti += 1;
            continue;
        }
        match retry {
            Some((rp, rt)) if rt < text.len() => {
                retry = Some((rp, rt + 1));
                (pi, ti) = (rp, rt + 1);
            }
            _ => return false,
        }
    }
}

/// Matches one character; answers how much of the pattern it took.
fn match_one(p: &[PChar], c: char) -> Option<usize> {
    match p[0] {
        ('?', false) => Some(1),
        ('[', false) => match bracket(p) {
            Some((len, _)) if !in_bracket(&p[1..len - 1], c) => None,
            Some((len, _)) => Some(len),
            None => (c == '[').then_some(1),
        },
        (x, _) => (x == c).then_some(1),
    }
}

/// The length of a bracket expression with both brackets, if it is one.
fn bracket(p: &[PChar]) -> Option<(usize, bool)> {
    let mut i = 1;
    let negated = matches!(p.get(i), Some(('!' | '^', false)));
    i += negated as usize;
    // A `]` in the first place means itself.
    if matches!(p.get(i), Some((']', _))) {
        i += 1;
    }
    while let Some(&(c, lit)) = p.get(i) {
        if c == '/' {
            return None;
        }
        if c == '[' && !lit && matches!(p.get(i + 1), Some((':', false))) {
            let close = (i + 2..p.len()).find(|&j| p[j].0 == ':' && matches!(p.get(j + 1), Some((']', _))));
            if let Some(j) = close {
                i = j + 2;
                continue;
            }
        }
        if c == ']' && !lit {
            return Some((i + 1, negated));
        }
        i += 1;
    }
    None
}

fn in_bracket(p: &[PChar], c: char) -> bool {
    let negated = matches!(p.first(), Some(('!' | '^', false)));
    let mut i = negated as usize;
    let mut found = false;
    while i < p.len() {
        if p[i] == ('[', false) && matches!(p.get(i + 1), Some((':', false))) {
            let close = (i + 2..p.len()).find(|&j| p[j].0 == ':' && matches!(p.get(j + 1), Some((']', _))));
            if let Some(j) = close {
                let class: String = p[i + 2..j].iter().map(|x| x.0).collect();
                found |= in_class(&class, c);
                i = j + 2;
                continue;
            }
        }
        if matches!(p.get(i + 1), Some(('-', false))) && i + 2 < p.len() {
            found |= p[i].0 <= c && c <= p[i + 2].0;
            i += 3;
        } else {
            found |= p[i].0 == c;
            i += 1;
        }
    }
    found != negated
}

fn in_class(class: &str, c: char) -> bool {
    match class {
        "alpha" => c.is_alphabetic(),
        "digit" => c.is_ascii_digit(),
        "alnum" => c.is_alphanumeric(),
        "upper" => c.is_uppercase(),
        "lower" => c.is_lowercase(),
        "space" => c.is_whitespace(),
        "blank" => c == ' ' || c == '\t',
        "punct" => c.is_ascii_punctuation(),
        "print" => !c.is_control(),
        "graph" => !c.is_control() && !c.is_whitespace(),
        "cntrl" => c.is_control(),
        "xdigit" => c.is_ascii_hexdigit(),
        _ => false,
    }
}

/// What pathname expansion needs to know of the file system.
pub trait Directories {
    /// The names in a directory, without `.` and `..`; none if it can't be read.
    fn names(&self, dir: &str) -> Vec<String>;
    /// There is something under this path, be it a link to nowhere.
    fn exists(&self, path: &str) -> bool;
}

/// All paths that match, in order. None: the word stays as it is.
pub fn expand(p: &[PChar], fs: &dyn Directories) -> Vec<String> {
    let mut found = Vec::new();
    walk("", p, fs, &mut found);
    found.sort();
    found
}

fn walk(base: &str, p: &[PChar], fs: &dyn Directories, found: &mut Vec<String>) {
    // Slashes, then a component, then the rest.
    let slashes = p.iter().take_while(|c| c.0 == '/').count();
    let base = format!("{base}{}", "/".repeat(slashes));
    let p = &p[slashes..];
    if p.is_empty() {
        if fs.exists(&base) {
            found.push(base);
        }
        return;
    }
    let len = p.iter().position(|c| c.0 == '/').unwrap_or(p.len());
    let (component, rest) = p.split_at(len);
    if !has_magic(component) {
        let next: String = base + &component.iter().map(|c| c.0).collect::<String>();
        if rest.is_empty() {
            if fs.exists(&next) {
                found.push(next);
            }
        } else {
            walk(&next, rest, fs, found);
        }
        return;
    }
    for name in fs.names(if base.is_empty() { "." } else { &base }) {
        // POSIX 2.13.3: a leading period is matched only by a period.
        if name.starts_with('.') && component[0].0 != '.' {
            continue;
        }
        let chars: Vec<char> = name.chars().collect();
        if !matches(component, &chars) {
            continue;
        }
        let next = format!("{base}{name}");
        if rest.is_empty() {
            found.push(next);
        } else if fs.exists(&format!("{next}/.")) {
            walk(&next, rest, fs, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pat(s: &str) -> Vec<PChar> {
        let mut out = Vec::new();
        let mut chars = s.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => out.push((chars.next().unwrap(), true)),
                c => out.push((c, false)),
            }
        }
        out
    }
    fn m(p: &str, t: &str) -> bool {
        matches(&pat(p), &t.chars().collect::<Vec<_>>())
    }

    #[test]
    fn stars_questions_and_brackets() {
        for (p, t) in [
            ("*", ""),
            ("a*c", "abbbc"),
            ("a*b*c", "aXbYbZc"),
            ("?", "é"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("[]]", "]"),
            ("[!]]", "a"),
            ("[[:digit:][:upper:]]", "Q"),
            ("\\*", "*"),
            ("[", "["),
            ("a[", "a["),
            ("*[0-9].txt", "x7.txt"),
            ("[a\\-c]", "-"),
        ] {
            assert!(m(p, t), "{p} {t}");
        }
        for (p, t) in
            [("a*c", "abd"), ("?", ""), ("[a-c]", "d"), ("\\*", "x"), ("[!a]", "a"), ("", "x"), ("[a\\-c]", "b")]
        {
            assert!(!m(p, t), "{p} {t}");
        }
    }

    #[test]
    fn many_stars_stay_cheap() {
        assert!(!m(&("a*".repeat(30) + "b"), &"a".repeat(5000)));
    }

    struct Tree(&'static [&'static str]);
    impl Directories for Tree {
        fn names(&self, dir: &str) -> Vec<String> {
            let prefix = if dir == "." { String::new() } else { format!("{}/", dir.trim_end_matches('/')) };
            let mut names: Vec<String> = self
                .0
                .iter()
                .filter_map(|p| p.strip_prefix(&prefix))
                .map(|p| p.split('/').next().unwrap().to_string())
                .filter(|n| !n.is_empty())
                .collect();
            names.dedup();
            names
        }
        fn exists(&self, path: &str) -> bool {
            let path = path.strip_suffix("/.").map(|p| format!("{p}/")).unwrap_or(path.to_string());
            self.0.iter().any(|p| *p == path || p.starts_with(&path))
        }
    }

    #[test]
    fn paths_are_expanded_component_by_component() {
        let fs = Tree(&["/bin/ls", "/bin/cat", "/etc/x", "a.c", "b.c", ".hidden", "d/e.c"]);
        assert_eq!(expand(&pat("*.c"), &fs), ["a.c", "b.c"]);
        assert_eq!(expand(&pat("*/*.c"), &fs), ["d/e.c"]);
        assert_eq!(expand(&pat("/b*/*s"), &fs), ["/bin/ls"]);
        assert_eq!(expand(&pat(".h*"), &fs), [".hidden"]);
        assert_eq!(expand(&pat("*.zz"), &fs), [""; 0]);
        assert_eq!(expand(&pat("/bin/[cl]*"), &fs), ["/bin/cat", "/bin/ls"]);
    }
}
