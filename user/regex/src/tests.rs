use super::*;

fn re(pattern: &str, extended: bool) -> Regex {
    Regex::new(pattern.as_bytes(), Syntax { extended, ..Syntax::default() })
        .unwrap_or_else(|e| panic!("{pattern}: {e}"))
}

fn spans(pattern: &str, extended: bool, text: &str) -> Option<Vec<Span>> {
    re(pattern, extended).captures_at(text.as_bytes(), 0)
}

#[test]
fn the_longest_of_the_first_is_found() {
    assert_eq!(re("a|ab|abc", true).find_at(b"xabcd", 0), Some((1, 4)));
    assert_eq!(re("a*(ab)*", true).find_at(b"aab", 0), Some((0, 3)));
    assert_eq!(re("x*", true).find_at(b"aaa", 1), Some((1, 1)));
    assert_eq!(spans("(a|ab)(c|bcd)(d*)", true, "abcd").unwrap()[0], Some((0, 4)));
    assert_eq!(spans("\\(a*\\)\\(b\\)", false, "xaab"), Some(vec![Some((1, 4)), Some((1, 3)), Some((3, 4))]));
    assert_eq!(spans("(a)|(b)", true, "b"), Some(vec![Some((0, 1)), None, Some((0, 1))]));
}

#[test]
fn basic_expressions_take_stars_and_anchors_as_posix_says() {
    for (pattern, text, found) in [
        ("*a", "x*a", Some((1, 3))),
        ("^*a", "*a", Some((0, 2))),
        ("\\(*a\\)", "*a", Some((0, 2))),
        ("a^b$c", "a^b$c", Some((0, 5))),
        ("a\\{2,3\\}", "aaaa", Some((0, 3))),
        ("a+?(b)|{2}", "a+?(b)|{2}", Some((0, 10))),
        ("a\\|b", "b", Some((0, 1))),
        ("[]a]*", "]a]", Some((0, 3))),
        ("[^]a]", "]ab", Some((2, 3))),
        ("[a-]", "-", Some((0, 1))),
        ("[\\n]", "\\", Some((0, 1))),
        ("[[:digit:][:upper:]]*", "A1b", Some((0, 2))),
        ("\\<b", "ab b", Some((3, 4))),
        ("\\(a.\\)\\1", "abacac", Some((2, 6))),
        ("^$", "", Some((0, 0))),
    ] {
        assert_eq!(re(pattern, false).find_at(text.as_bytes(), 0), found, "{pattern}");
    }
}

#[test]
fn extended_expressions_too() {
    for (pattern, text, found) in [
        ("a{2}", "aaa", Some((0, 2))),
        ("a{,2}b", "aab", Some((0, 3))),
        ("a{x", "a{x", Some((0, 3))),
        ("(^a|b$)", "xb", Some((1, 2))),
        ("a()b", "ab", Some((0, 2))),
        ("é.", "aéß", Some((1, 5))),
        ("(.)(.)\\2\\1", "xabbay", Some((1, 5))),
        ("a\\.b", "axb a.b", Some((4, 7))),
    ] {
        assert_eq!(re(pattern, true).find_at(text.as_bytes(), 0), found, "{pattern}");
    }
}

#[test]
fn mistakes_are_named() {
    for (pattern, extended) in [
        ("(a", true),
        ("\\(a", false),
        ("[a", true),
        ("a\\", false),
        ("[b-a]", false),
        ("\\1", false),
        ("a{2,1}", true),
        ("a\\)", false),
        ("[[:foo:]]", false),
    ] {
        assert!(Regex::new(pattern.as_bytes(), Syntax { extended, ..Syntax::default() }).is_err(), "{pattern}");
    }
}

#[test]
fn case_lines_and_bytes() {
    let icase = Syntax { ignore_case: true, ..Syntax::default() };
    assert!(Regex::new("straßE".as_bytes(), icase).unwrap().is_match("STRAßE".as_bytes()));
    assert!(Regex::new("[à-ý]x".as_bytes(), icase).unwrap().is_match("Éx".as_bytes()));
    assert!(!Regex::new(b"[^a]", icase).unwrap().is_match(b"A"));
    let lines = Syntax { lines: true, ..Syntax::default() };
    assert_eq!(Regex::new(b"^b$", lines).unwrap().find_at(b"a\nb\nc", 0), Some((2, 3)));
    assert_eq!(Regex::new(b"\xff", Syntax::default()).unwrap().find_at(b"a\xff", 0), Some((1, 2)));
    assert!(Regex::fixed(&[b"a.b", b"$x["], Syntax::default()).unwrap().is_match(b"__$x[_"));
    let word = Syntax { word: true, ..Syntax::default() };
    assert_eq!(Regex::new(b"a*b", word).unwrap().find_at(b"xab aab_ ab", 0), Some((9, 11)));
    assert!(!Regex::fixed(&[b"a.b"], Syntax::default()).unwrap().is_match(b"axb"));
}
