//! Patterns for paths: `*` stands for anything but a slash, `**` for anything.

pub fn matches(pattern: &str, path: &str) -> bool {
    match_bytes(pattern.as_bytes(), path.as_bytes())
}

fn match_bytes(pattern: &[u8], path: &[u8]) -> bool {
    if let Some(rest) = pattern.strip_prefix(b"**") {
        return (0..=path.len()).any(|n| match_bytes(rest, &path[n..]));
    }
    match pattern.split_first() {
        None => path.is_empty(),
        Some((b'*', rest)) => {
            let name = path.iter().position(|&b| b == b'/').unwrap_or(path.len());
            (0..=name).any(|n| match_bytes(rest, &path[n..]))
        }
        Some((byte, rest)) => path.first() == Some(byte) && match_bytes(rest, &path[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars() {
        for (pattern, path) in [
            ("a/b", "a/b"),
            ("a/*", "a/b"),
            ("a/**", "a/b/c"),
            ("**/c", "a/b/c"),
            ("a/lib*.a", "a/libc++.a"),
            ("*", ""),
            ("a*b*c", "aXbYc"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in
            [("a/*", "a/b/c"), ("a", "a/b"), ("a/b", "a"), ("*.h", "a/x.h"), ("a/**", "a"), ("", "x")]
        {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }
}
