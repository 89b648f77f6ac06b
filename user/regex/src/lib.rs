//! Regular expressions as POSIX has them (XBD 9): basic and extended ones, and of all matches that begin first
//! the longest. The automata are regex-automata's, made from our own reading of the pattern.
//!
//! Patterns and texts are bytes; where they are UTF-8, a character is what UTF-8 says. Which parts of a match go to
//! which group is decided from the left, each repetition as long as it can be.

mod back;
mod class;
mod glob;
mod parse;

pub use back::Span;
pub use glob::glob;
use parse::{Look, Node};
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::meta;
use regex_automata::nfa::thompson::{self, pikevm::PikeVM};
use regex_automata::util::captures::Captures;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{self, Hir};
use std::cell::RefCell;

/// What language a pattern is in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Syntax {
    /// Extended (XBD 9.4).
    pub extended: bool,
    pub ignore_case: bool,
    /// `^` and `$` match at each line of the text.
    pub lines: bool,
    /// A backslash is special between brackets, and there are no back-references.
    pub awk: bool,
    /// No word character may stand on either side of a match.
    pub word: bool,
    /// The match has to be all of the text.
    pub whole: bool,
}

/// A pattern ready to be looked for.
pub struct Regex {
    groups: usize,
    lines: bool,
    how: How,
}

enum How {
    Automata(Box<Automata>),
    /// With back-references, which only trying can match.
    Tried(Node),
}

struct Automata {
    /// Finds where the first match begins.
    first: meta::Regex,
    /// Finds how long the longest one is there.
    longest: DFA,
    cache: RefCell<Cache>,
    /// Finds its groups.
    nfa: thompson::NFA,
    vm: RefCell<Option<(PikeVM, thompson::pikevm::Cache, Captures)>>,
}

impl Regex {
    /// Reads a pattern; the error is a sentence for a person.
    pub fn new(pattern: &[u8], syntax: Syntax) -> Result<Regex, String> {
        let parsed = parse::parse(pattern, syntax.extended, syntax.ignore_case, syntax.awk)?;
        Regex::from_parsed(parsed, syntax)
    }

    /// Any of several texts, with nothing special in them.
    pub fn fixed(texts: &[&[u8]], syntax: Syntax) -> Result<Regex, String> {
        let mut ways = Vec::new();
        for text in texts {
            let mut quoted = Vec::new();
            for &b in *text {
                if b"\\[].*^$".contains(&b) {
                    quoted.push(b'\\');
                }
                quoted.push(b);
            }
            ways.push(parse::parse(&quoted, false, syntax.ignore_case, false)?.node);
        }
        Regex::from_parsed(parse::Parsed { node: Node::Alt(ways), groups: 0, back: false }, syntax)
    }

    /// Any of several patterns of one syntax. Back-references are each pattern's own.
    pub fn any(patterns: &[&[u8]], syntax: Syntax) -> Result<Vec<Regex>, String> {
        let mut ways = Vec::new();
        let mut tried = Vec::new();
        for p in patterns {
            let parsed = parse::parse(p, syntax.extended, syntax.ignore_case, syntax.awk)?;
            if parsed.back {
                tried.push(Regex::from_parsed(parsed, syntax)?);
            } else {
                ways.push(parsed.node);
            }
        }
        if !ways.is_empty() {
            let node = parse::Parsed { node: strip_groups(Node::Alt(ways)), groups: 0, back: false };
            tried.push(Regex::from_parsed(node, syntax)?);
        }
        Ok(tried)
    }

    fn from_parsed(mut parsed: parse::Parsed, syntax: Syntax) -> Result<Regex, String> {
        let lines = syntax.lines;
        if syntax.word {
            parsed.node = Node::Cat(vec![Node::Look(Look::NoWordBefore), parsed.node, Node::Look(Look::NoWordBehind)]);
        }
        if syntax.whole {
            parsed.node = Node::Cat(vec![Node::Look(Look::TextStart), parsed.node, Node::Look(Look::TextEnd)]);
        }
        let how =
            if parsed.back { How::Tried(parsed.node) } else { How::Automata(Box::new(automata(&parsed, lines)?)) };
        Ok(Regex { groups: parsed.groups, lines, how })
    }

    /// How many groups there are, without the whole.
    pub fn groups(&self) -> usize {
        self.groups
    }

    pub fn is_match(&self, text: &[u8]) -> bool {
        match &self.how {
            How::Automata(a) => a.first.is_match(text),
            How::Tried(_) => self.find_at(text, 0).is_some(),
        }
    }

    /// The first match that begins at `at` or behind it, as long as it can be. Anchors see the whole text.
    pub fn find_at(&self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        match &self.how {
            How::Automata(a) => a.find(text, at),
            How::Tried(_) => self.captures_at(text, at)?[0],
        }
    }

    /// The same with its groups: the whole, then each.
    pub fn captures_at(&self, text: &[u8], at: usize) -> Option<Vec<Span>> {
        match &self.how {
            How::Automata(a) => {
                let (start, end) = a.find(text, at)?;
                if self.groups == 0 {
                    return Some(vec![Some((start, end))]);
                }
                a.groups(text, start, end)
            }
            How::Tried(node) => {
                (at..=text.len()).find_map(|s| Some(back::longest(node, text, s, self.groups, self.lines)?.1))
            }
        }
    }
}

impl Automata {
    fn find(&self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        let start = self.first.find(Input::new(text).span(at..text.len()))?.range();
        let input = Input::new(text).span(start.start..text.len()).anchored(Anchored::Yes);
        match self.longest.try_search_fwd(&mut self.cache.borrow_mut(), &input) {
            Ok(Some(end)) => Some((start.start, end.offset())),
            // It gave up, as it may; the other machine never does.
            _ => self.groups(text, start.start, text.len()).and_then(|c| c[0]).or(Some((start.start, start.end))),
        }
    }

    fn groups(&self, text: &[u8], start: usize, _end: usize) -> Option<Vec<Span>> {
        let mut vm = self.vm.borrow_mut();
        if vm.is_none() {
            let made = PikeVM::builder()
                .configure(PikeVM::config().match_kind(MatchKind::All))
                .build_from_nfa(self.nfa.clone())
                .ok()?;
            let (cache, captures) = (made.create_cache(), made.create_captures());
            *vm = Some((made, cache, captures));
        }
        let (vm, cache, captures) = vm.as_mut()?;
        // The end is left open: what stands behind it matters to `$` and the like.
        let input = Input::new(text).span(start..text.len()).anchored(Anchored::Yes);
        vm.captures(cache, input, captures);
        let spans = (0..captures.group_len()).map(|i| captures.get_group(i).map(|s| (s.start, s.end)));
        captures.is_match().then(|| spans.collect())
    }
}

fn automata(parsed: &parse::Parsed, lines: bool) -> Result<Automata, String> {
    const BIG: &str = "Regular expression too big";
    let hir = Hir::capture(hir::Capture { index: 0, name: None, sub: Box::new(to_hir(&parsed.node, lines)) });
    // The whole is group 0 to the compiler, not to the tree.
    let hir::HirKind::Capture(whole) = hir.into_kind() else { return Err(BIG.into()) };
    let hir = *whole.sub;
    let first = meta::Regex::builder()
        .configure(meta::Config::new().utf8_empty(false).nfa_size_limit(Some(64 << 20)))
        .build_from_hir(&hir)
        .map_err(|_| BIG)?;
    let nfa = thompson::Compiler::new()
        .configure(thompson::Config::new().utf8(false).nfa_size_limit(Some(64 << 20)))
        .build_from_hir(&hir)
        .map_err(|_| BIG)?;
    let longest = DFA::builder()
        .configure(DFA::config().match_kind(MatchKind::All).skip_cache_capacity_check(true))
        .build_from_nfa(nfa.clone())
        .map_err(|_| BIG)?;
    let cache = RefCell::new(longest.create_cache());
    Ok(Automata { first, longest, cache, nfa, vm: RefCell::new(None) })
}

/// Groups of many patterns would have the same numbers.
fn strip_groups(node: Node) -> Node {
    let all = |nodes: Vec<Node>| nodes.into_iter().map(strip_groups).collect();
    match node {
        Node::Group(inner, _) => strip_groups(*inner),
        Node::Cat(parts) => Node::Cat(all(parts)),
        Node::Alt(parts) => Node::Alt(all(parts)),
        Node::Repeat(inner, min, max) => Node::Repeat(Box::new(strip_groups(*inner)), min, max),
        other => other,
    }
}

fn to_hir(node: &Node, lines: bool) -> Hir {
    let all = |nodes: &[Node]| nodes.iter().map(|n| to_hir(n, lines)).collect();
    match node {
        // A back-reference is never here.
        Node::Empty | Node::Back(_) => Hir::empty(),
        Node::Byte(b) => Hir::literal([*b]),
        Node::Char(c) => Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes().to_vec()),
        Node::Set(set) => {
            let ranges = set.0.iter().filter_map(|&(from, to)| {
                // Surrogates are no characters; a range may begin or end among them.
                let from = if (0xd800..0xe000).contains(&from) { 0xe000 } else { from };
                let to = if (0xd800..0xe000).contains(&to) { 0xd7ff } else { to };
                let range = (char::from_u32(from)?, char::from_u32(to)?);
                (from <= to).then(|| hir::ClassUnicodeRange::new(range.0, range.1))
            });
            Hir::class(hir::Class::Unicode(hir::ClassUnicode::new(ranges)))
        }
        Node::Look(look) => Hir::look(match look {
            Look::Start if lines => hir::Look::StartLF,
            Look::End if lines => hir::Look::EndLF,
            Look::Start | Look::TextStart => hir::Look::Start,
            Look::End | Look::TextEnd => hir::Look::End,
            Look::Word => hir::Look::WordAscii,
            Look::NotWord => hir::Look::WordAsciiNegate,
            Look::WordStart => hir::Look::WordStartAscii,
            Look::WordEnd => hir::Look::WordEndAscii,
            Look::NoWordBefore => hir::Look::WordStartHalfAscii,
            Look::NoWordBehind => hir::Look::WordEndHalfAscii,
        }),
        Node::Cat(parts) => Hir::concat(all(parts)),
        Node::Alt(parts) => Hir::alternation(all(parts)),
        Node::Repeat(inner, min, max) => {
            let sub = Box::new(to_hir(inner, lines));
            Hir::repetition(hir::Repetition { min: *min, max: *max, greedy: true, sub })
        }
        Node::Group(inner, n) => {
            Hir::capture(hir::Capture { index: *n as u32, name: None, sub: Box::new(to_hir(inner, lines)) })
        }
    }
}

#[cfg(test)]
mod tests;
