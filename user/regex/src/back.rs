//! Patterns with back-references: no automaton can match those, so all ways are tried, and the longest is taken.

use crate::parse::{Look, Node, first_char};

pub type Span = Option<(usize, usize)>;

/// Steps before a pattern is given up as one that would take for ever.
const STEPS: usize = 20_000_000;

struct Tries<'a> {
    text: &'a [u8],
    caps: Vec<Span>,
    best: Option<(usize, Vec<Span>)>,
    steps: usize,
    lines: bool,
}

/// What has to match behind what is being matched.
type Then<'a, 'b> = &'b mut dyn FnMut(&mut Tries<'a>, usize);

/// The longest match that begins at `start`, and its groups.
pub fn longest(node: &Node, text: &[u8], start: usize, groups: usize, lines: bool) -> Option<(usize, Vec<Span>)> {
    let mut t = Tries { text, caps: vec![None; groups + 1], best: None, steps: 0, lines };
    walk(node, &mut t, start, &mut |t, end| {
        if t.best.as_ref().is_none_or(|b| end > b.0) {
            t.best = Some((end, t.caps.clone()));
        }
    });
    let (end, mut caps) = t.best?;
    caps[0] = Some((start, end));
    Some((end, caps))
}

fn walk<'a>(node: &Node, t: &mut Tries<'a>, at: usize, then: Then<'a, '_>) {
    t.steps += 1;
    // Nothing is longer than to the end.
    if t.steps > STEPS || t.best.as_ref().is_some_and(|b| b.0 == t.text.len()) {
        return;
    }
    let rest = &t.text[at..];
    match node {
        Node::Empty => then(t, at),
        Node::Byte(b) if rest.first() == Some(b) => then(t, at + 1),
        Node::Char(c) if rest.starts_with(c.encode_utf8(&mut [0; 4]).as_bytes()) => then(t, at + c.len_utf8()),
        Node::Set(set) => {
            if let Some(c) = first_char(rest).filter(|c| set.has(*c as u32)) {
                then(t, at + c.len_utf8());
            }
        }
        Node::Look(look) if looks(*look, t.text, at, t.lines) => then(t, at),
        Node::Cat(parts) => sequence(parts, t, at, then),
        Node::Alt(ways) => ways.iter().for_each(|w| walk(w, t, at, then)),
        Node::Repeat(inner, min, max) => repeat(inner, *min, *max, t, at, then),
        Node::Group(inner, n) => {
            let before = t.caps[*n];
            walk(inner, t, at, &mut |t, end| {
                let inside = t.caps[*n].replace((at, end));
                then(t, end);
                t.caps[*n] = inside;
            });
            t.caps[*n] = before;
        }
        Node::Back(n) => {
            if let Some((from, to)) = t.caps[*n]
                && rest.starts_with(&t.text[from..to])
            {
                then(t, at + to - from);
            }
        }
        _ => {}
    }
}

fn sequence<'a>(parts: &[Node], t: &mut Tries<'a>, at: usize, then: Then<'a, '_>) {
    match parts {
        [] => then(t, at),
        [first, rest @ ..] => walk(first, t, at, &mut |t, end| sequence(rest, t, end, then)),
    }
}

fn repeat<'a>(inner: &Node, min: u32, max: Option<u32>, t: &mut Tries<'a>, at: usize, then: Then<'a, '_>) {
    if max != Some(0) {
        walk(inner, t, at, &mut |t, end| {
            // A turn that takes nothing would be taken for ever.
            if end > at || min > 0 {
                repeat(inner, min.saturating_sub(1), max.map(|m| m - 1), t, end, then);
            }
        });
    }
    if min == 0 {
        then(t, at);
    }
}

fn looks(look: Look, text: &[u8], at: usize, lines: bool) -> bool {
    let word = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let before = word(at.checked_sub(1).and_then(|i| text.get(i)));
    let behind = word(text.get(at));
    match look {
        Look::Start => at == 0 || (lines && text[at - 1] == b'\n'),
        Look::End => at == text.len() || (lines && text[at] == b'\n'),
        Look::TextStart => at == 0,
        Look::TextEnd => at == text.len(),
        Look::Word => before != behind,
        Look::NotWord => before == behind,
        Look::WordStart => !before && behind,
        Look::WordEnd => before && !behind,
        Look::NoWordBefore => !before,
        Look::NoWordBehind => !behind,
    }
}
