//! The two grammars of POSIX XBD 9.3 and 9.4, with what GNU adds to them.

use crate::class::{Set, other_cases};

/// What a pattern says.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Empty,
    /// A byte that is no part of a character.
    Byte(u8),
    Char(char),
    Set(Set),
    Look(Look),
    Cat(Vec<Node>),
    Alt(Vec<Node>),
    Repeat(Box<Node>, u32, Option<u32>),
    Group(Box<Node>, usize),
    /// `\1`: what a group has matched.
    Back(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// `^`, `$`: of the text, or of each line in it.
    Start,
    End,
    TextStart,
    TextEnd,
    Word,
    NotWord,
    WordStart,
    WordEnd,
    NoWordBefore,
    NoWordBehind,
}

/// POSIX's RE_DUP_MAX is 255; GNU's is this.
const DUP_MAX: u32 = 32767;

pub struct Parsed {
    pub node: Node,
    pub groups: usize,
    pub back: bool,
}

pub struct Parser<'a> {
    p: &'a [u8],
    at: usize,
    ere: bool,
    icase: bool,
    awk: bool,
    groups: usize,
    /// Groups that are complete: only those may be referred to.
    closed: Vec<usize>,
    depth: usize,
    back: bool,
}

type Parse<T> = Result<T, &'static str>;

pub fn parse(p: &[u8], ere: bool, icase: bool, awk: bool) -> Parse<Parsed> {
    let mut parser = Parser { p, at: 0, ere, icase, awk, groups: 0, closed: Vec::new(), depth: 0, back: false };
    let node = parser.alternatives()?;
    if parser.at < p.len() {
        return Err("Unmatched ) or \\)");
    }
    Ok(Parsed { node, groups: parser.groups, back: parser.back })
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.p.get(self.at).copied()
    }
    fn looking_at(&self, text: &[u8]) -> bool {
        self.p[self.at..].starts_with(text)
    }
    fn eat(&mut self, text: &[u8]) -> bool {
        let there = self.looking_at(text);
        if there {
            self.at += text.len();
        }
        there
    }
    fn at_bar(&self) -> bool {
        if self.ere { self.looking_at(b"|") } else { self.looking_at(b"\\|") }
    }
    fn at_close(&self) -> bool {
        if self.ere { self.depth > 0 && self.looking_at(b")") } else { self.looking_at(b"\\)") }
    }

    fn alternatives(&mut self) -> Parse<Node> {
        let mut all = vec![self.branch()?];
        while self.at_bar() {
            self.at += if self.ere { 1 } else { 2 };
            all.push(self.branch()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Node::Alt(all) })
    }

    fn branch(&mut self) -> Parse<Node> {
        let mut parts = Vec::new();
        let start = self.at;
        while self.at < self.p.len() && !self.at_bar() && !self.at_close() {
            let first = self.at == start || (!self.ere && parts == [Node::Look(Look::Start)]);
            let atom = self.atom(first, self.at == start)?;
            parts.push(self.repeats(atom)?);
        }
        Ok(match parts.len() {
            0 => Node::Empty,
            1 => parts.remove(0),
            _ => Node::Cat(parts),
        })
    }

    /// `first`: nothing stands before that could be repeated; `start`: nothing at all does.
    fn atom(&mut self, first: bool, start: bool) -> Parse<Node> {
        let c = self.p[self.at];
        self.at += 1;
        match c {
            b'\\' => return self.escape(),
            b'[' => return self.bracket(),
            b'.' => return Ok(Node::Set(Set(vec![(0, 0x10_ffff)]))),
            b'^' if self.ere || start => return Ok(Node::Look(Look::Start)),
            b'$' if self.ere || self.at == self.p.len() || self.at_close() || self.at_bar() => {
                return Ok(Node::Look(Look::End));
            }
            b'(' if self.ere => return self.group(),
            b'*' if first && !self.ere => {}
            // Of no meaning to POSIX at a start; GNU's takes the star as itself, and the others as nothing.
            b'*' | b'+' | b'?' if self.ere && first => {
                return if c == b'*' { Ok(self.literal('*')) } else { Ok(Node::Empty) };
            }
            b'{' if self.ere && first && self.interval_ahead() => return Err("Invalid preceding regular expression"),
            _ => {}
        }
        self.at -= 1;
        Ok(self.plain())
    }

    /// The character here, as itself.
    fn plain(&mut self) -> Node {
        let rest = &self.p[self.at..];
        match first_char(rest) {
            Some(c) => {
                self.at += c.len_utf8();
                self.literal(c)
            }
            None => {
                self.at += 1;
                Node::Byte(rest[0])
            }
        }
    }

    fn literal(&self, c: char) -> Node {
        let mut set = Set::default();
        if self.icase {
            other_cases(c as u32, |o| set.add(o, o));
        }
        if set.0.is_empty() {
            return Node::Char(c);
        }
        set.add(c as u32, c as u32);
        Node::Set(set.normal())
    }

    fn group(&mut self) -> Parse<Node> {
        self.groups += 1;
        let number = self.groups;
        self.depth += 1;
        if self.depth > 200 {
            return Err("Regular expression too big");
        }
        let inner = self.alternatives()?;
        if !self.at_close() {
            return Err("Unmatched ( or \\(");
        }
        self.at += if self.ere { 1 } else { 2 };
        self.depth -= 1;
        self.closed.push(number);
        Ok(Node::Group(Box::new(inner), number))
    }

    fn escape(&mut self) -> Parse<Node> {
        let Some(c) = self.peek() else { return Err("Trailing backslash") };
        self.at += 1;
        let node = match c {
            b'(' if !self.ere => return self.group(),
            b'{' if !self.ere => return Err("Invalid preceding regular expression"),
            b'1'..=b'9' if !self.awk => {
                let n = (c - b'0') as usize;
                if !self.closed.contains(&n) {
                    return Err("Invalid back reference");
                }
                self.back = true;
                Node::Back(n)
            }
            b'w' => Node::Set(Set::word()),
            b'W' => Node::Set(Set::word().inverse()),
            b's' => Node::Set(Set::named(b"space").unwrap_or_default()),
            b'S' => Node::Set(Set::named(b"space").unwrap_or_default().inverse()),
            b'b' if !self.awk => Node::Look(Look::Word),
            b'B' => Node::Look(Look::NotWord),
            b'y' if self.awk => Node::Look(Look::Word),
            b'<' => Node::Look(Look::WordStart),
            b'>' => Node::Look(Look::WordEnd),
            b'`' => Node::Look(Look::TextStart),
            b'\'' => Node::Look(Look::TextEnd),
            _ => {
                self.at -= 1;
                return Ok(self.plain());
            }
        };
        Ok(node)
    }

    /// Whether `{` (behind us) begins what an interval may look like.
    fn interval_ahead(&self) -> bool {
        let rest = &self.p[self.at..];
        let end = rest.iter().position(|b| *b == b'}');
        end.is_some_and(|e| {
            e > 0
                && rest[..e].iter().all(|b| b.is_ascii_digit() || *b == b',')
                && rest[..e].iter().filter(|b| **b == b',').count() <= 1
        })
    }

    fn repeats(&mut self, mut node: Node) -> Parse<Node> {
        loop {
            let (min, max) = match self.peek() {
                Some(b'*') => (0, None),
                Some(b'+') if self.ere => (1, None),
                Some(b'?') if self.ere => (0, Some(1)),
                Some(b'\\') if !self.ere => match self.p.get(self.at + 1) {
                    Some(b'+') => (1, None),
                    Some(b'?') => (0, Some(1)),
                    Some(b'{') => {
                        self.at += 2;
                        let bounds = self.interval(b"\\}")?;
                        node = repeat(node, bounds);
                        continue;
                    }
                    _ => return Ok(node),
                },
                Some(b'{') if self.ere => {
                    self.at += 1;
                    if !self.interval_ahead() {
                        self.at -= 1;
                        return Ok(node);
                    }
                    let bounds = self.interval(b"}")?;
                    node = repeat(node, bounds);
                    continue;
                }
                _ => return Ok(node),
            };
            if matches!(node, Node::Look(Look::Start)) && !self.ere {
                // `^*`: the star is itself, and the next atom will see it.
                return Ok(node);
            }
            self.at += if self.peek() == Some(b'\\') { 2 } else { 1 };
            node = repeat(node, (min, max));
        }
    }

    fn interval(&mut self, end: &[u8]) -> Parse<(u32, Option<u32>)> {
        const BAD: &str = "Invalid content of \\{\\}";
        let min = self.number()?;
        let bounds = if self.eat(b",") {
            (min.unwrap_or(0), self.number()?)
        } else {
            let n = min.ok_or(BAD)?;
            (n, Some(n))
        };
        if !self.eat(end) {
            return Err(if self.at == self.p.len() { "Unmatched { or \\{" } else { BAD });
        }
        if bounds.1.is_some_and(|max| max < bounds.0) {
            return Err(BAD);
        }
        Ok(bounds)
    }

    fn number(&mut self) -> Parse<Option<u32>> {
        let mut n = None;
        while let Some(d @ b'0'..=b'9') = self.peek() {
            let next = n.unwrap_or(0) * 10 + (d - b'0') as u32;
            if next > DUP_MAX {
                return Err("Regular expression too big");
            }
            n = Some(next);
            self.at += 1;
        }
        Ok(n)
    }

    /// A bracket expression, behind its `[` (XBD 9.3.5).
    fn bracket(&mut self) -> Parse<Node> {
        const OPEN: &str = "Unmatched [, [^, [:, [., or [=";
        let negative = self.eat(b"^");
        let mut set = Set::default();
        let first = self.at;
        loop {
            let Some(c) = self.peek() else { return Err(OPEN) };
            if c == b']' && self.at > first {
                self.at += 1;
                break;
            }
            if self.eat(b"[:") {
                let name = self.until(b":]").ok_or(OPEN)?;
                let same = self.icase && (name == b"upper" || name == b"lower");
                let class = Set::named(if same { b"alpha" } else { name }).ok_or("Invalid character class name")?;
                set.0.extend(class.0);
                continue;
            }
            let from = self.element()?;
            let range = self.peek() == Some(b'-') && self.p.get(self.at + 1).is_some_and(|c| *c != b']');
            let to = if range {
                self.at += 1;
                self.element()?
            } else {
                from
            };
            if from > to {
                return Err("Invalid range end");
            }
            set.add(from, to);
        }
        let mut set = set.normal();
        if self.icase {
            set = set.fold();
        }
        Ok(Node::Set(if negative { set.inverse() } else { set }))
    }

    /// One end of a range: a character, `[.c.]` or `[=c=]`.
    fn element(&mut self) -> Parse<u32> {
        const OPEN: &str = "Unmatched [, [^, [:, [., or [=";
        for (open, close) in [(b"[.", b".]"), (b"[=", b"=]")] {
            if self.eat(open) {
                let name = self.until(close).ok_or(OPEN)?;
                let c = first_char(name).filter(|c| c.len_utf8() == name.len());
                return c.map(|c| c as u32).ok_or("Invalid collation character");
            }
        }
        if self.awk && self.peek() == Some(b'\\') && self.at + 1 < self.p.len() {
            self.at += 1;
        }
        let Some(rest) = self.p.get(self.at..).filter(|r| !r.is_empty()) else { return Err(OPEN) };
        let c = first_char(rest);
        self.at += c.map_or(1, char::len_utf8);
        Ok(c.map_or(rest[0] as u32, |c| c as u32))
    }

    fn until(&mut self, end: &[u8]) -> Option<&'a [u8]> {
        let rest: &'a [u8] = &self.p[self.at..];
        let n = rest.windows(end.len()).position(|w| w == end)?;
        self.at += n + end.len();
        Some(&rest[..n])
    }
}

fn repeat(node: Node, (min, max): (u32, Option<u32>)) -> Node {
    Node::Repeat(Box::new(node), min, max)
}

/// The character that bytes begin with.
pub fn first_char(bytes: &[u8]) -> Option<char> {
    let head = &bytes[..bytes.len().min(4)];
    let chunk = head.utf8_chunks().next()?;
    chunk.valid().chars().next()
}
