//! Words into lines: filling, indents, and the two ways in which a word stands out.

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Style {
    #[default]
    Plain,
    Bold,
    Underline,
}

type Cell = (char, Style);

/// A page in the making.
pub struct Layout {
    width: usize,
    /// Whether a terminal shows it, which knows of bold and underlined.
    colours: bool,
    /// Where lines begin.
    indent: usize,
    /// Where the next line begins instead, once.
    first: Option<usize>,
    line: Vec<Cell>,
    /// The last word: what is glued to it must not be parted from it.
    word: Vec<Cell>,
    glue: bool,
    /// The line ends where the next word shall begin.
    tabbed: bool,
    out: String,
    /// How much there was behind the last heading: no empty line comes there.
    headed: usize,
}

impl Layout {
    pub fn new(width: usize, colours: bool) -> Layout {
        Layout {
            width: width.max(20),
            colours,
            indent: 0,
            first: None,
            line: Vec::new(),
            word: Vec::new(),
            glue: false,
            tabbed: false,
            out: String::new(),
            headed: 0,
        }
    }

    pub fn indent(&self) -> usize {
        self.indent
    }

    /// For the lines behind the last word.
    pub fn set_indent(&mut self, indent: usize) {
        self.end_word();
        self.indent = indent;
    }

    /// The next word stands right behind the last one.
    pub fn glue(&mut self) {
        self.glue = true;
    }

    /// Adds words, as far apart as blanks say.
    pub fn text(&mut self, cells: &[Cell]) {
        for (n, word) in cells.split(|c| c.0 == ' ').filter(|w| !w.is_empty()).enumerate() {
            if n > 0 || !std::mem::take(&mut self.glue) {
                self.end_word();
            }
            self.word.extend_from_slice(word);
        }
    }

    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let begin = self.first.unwrap_or(self.indent);
        if self.line.is_empty() {
            self.line.resize(begin, (' ', Style::Plain));
        } else if !std::mem::take(&mut self.tabbed) {
            if self.line.len() + 1 + self.word.len() > self.width {
                self.put_line();
                self.line.resize(self.indent, (' ', Style::Plain));
            } else {
                self.line.push((' ', Style::Plain));
            }
        }
        // A blank that must not part words has done its work.
        self.line.extend(self.word.drain(..).map(|c| if c.0 == '\u{a0}' { (' ', c.1) } else { c }));
    }

    fn put_line(&mut self) {
        (self.first, self.tabbed) = (None, false);
        let end = self.line.iter().rposition(|c| c.0 != ' ').map_or(0, |n| n + 1);
        let mut style = Style::Plain;
        for &(c, s) in &self.line[..end] {
            if self.colours && s != style {
                self.out.push_str(match s {
                    Style::Plain => "\x1b[0m",
                    Style::Bold if style == Style::Plain => "\x1b[1m",
                    Style::Bold => "\x1b[0m\x1b[1m",
                    Style::Underline if style == Style::Plain => "\x1b[4m",
                    Style::Underline => "\x1b[0m\x1b[4m",
                });
                style = s;
            }
            self.out.push(c);
        }
        if style != Style::Plain {
            self.out.push_str("\x1b[0m");
        }
        self.out.push('\n');
        self.line.clear();
    }

    /// Ends the line, if one has begun.
    pub fn end_line(&mut self) {
        self.glue = false;
        self.end_word();
        if !self.line.is_empty() {
            self.put_line();
        }
        self.first = None;
    }

    /// An empty line, unless there is one or nothing is above it.
    pub fn blank(&mut self) {
        self.end_line();
        if self.out.len() > self.headed && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A line in bold, with an empty one above it and none below.
    pub fn heading(&mut self, title: &str, indent: usize) {
        self.set_indent(indent);
        self.blank();
        self.text(&cells(title, Style::Bold));
        self.end_line();
        self.headed = self.out.len();
    }

    /// The next line begins here, those that follow at the indent.
    pub fn hang(&mut self, column: usize) {
        self.end_line();
        self.first = Some(column);
    }

    /// Goes on at the indent: in this line if there is room, else in the next.
    pub fn tab(&mut self) {
        self.glue = false;
        self.end_word();
        if self.line.len() < self.indent {
            self.line.resize(self.indent, (' ', Style::Plain));
            self.tabbed = true;
        } else {
            self.end_line();
        }
    }

    /// A line as it is, at the indent.
    pub fn literal(&mut self, cells: &[Cell]) {
        self.end_line();
        self.line.resize(self.indent, (' ', Style::Plain));
        for &(c, s) in cells {
            match c {
                '\t' => {
                    let to = (self.line.len() - self.indent) / 8 * 8 + 8 + self.indent;
                    self.line.resize(to, (' ', s));
                }
                '\u{a0}' => self.line.push((' ', s)),
                c => self.line.push((c, s)),
            }
        }
        self.put_line();
    }

    /// Left, middle, right.
    pub fn edges(&mut self, left: &str, middle: &str, right: &str) {
        self.end_line();
        let len = |s: &str| s.chars().count();
        let gap = |used: usize, to: usize| " ".repeat(to.saturating_sub(used).max(1));
        let before = gap(len(left), self.width.saturating_sub(len(middle)) / 2);
        let so_far = format!("{left}{before}{middle}");
        let line = format!("{so_far}{}{right}", gap(len(&so_far), self.width.saturating_sub(len(right))));
        self.line = line.chars().map(|c| (c, Style::Plain)).collect();
        self.put_line();
    }

    pub fn finish(mut self) -> String {
        self.end_line();
        self.out
    }
}

/// roff's text, its escapes done: characters by name, fonts.
pub fn cells(text: &str, style: Style) -> Vec<Cell> {
    let mut out = Vec::new();
    let (mut now, mut before) = (style, style);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push((c, now));
            continue;
        }
        match rest.next() {
            Some('f') => {
                let font = match rest.next() {
                    Some('B' | '2' | '3') => Style::Bold,
                    Some('I') => Style::Underline,
                    Some('P') => before,
                    Some('(') => {
                        rest.nth(1);
                        Style::Bold
                    }
                    _ => Style::Plain,
                };
                (before, now) = (now, font);
            }
            Some('(') => {
                let name: String = rest.by_ref().take(2).collect();
                out.push((named(&name), now));
            }
            Some('[') => {
                let name: String = rest.by_ref().take_while(|c| *c != ']').collect();
                out.push((named(&name), now));
            }
            Some('e' | '\\') => out.push(('\\', now)),
            Some('"') => break,
            Some('~' | '0' | ' ') => out.push(('\u{a0}', now)),
            Some('s') => {
                if matches!(rest.clone().next(), Some('+' | '-')) {
                    rest.next();
                }
                rest.next();
            }
            Some('&' | '/' | ',' | '|' | '^' | '%' | ':' | 'c') | None => {}
            Some(c) => out.push((c, now)),
        }
    }
    out
}

fn named(name: &str) -> char {
    match name {
        "bu" => '•',
        "em" => '—',
        "en" => '–',
        "aq" => '\'',
        "dq" | "lq" | "rq" => '"',
        "oq" => '‘',
        "cq" => '’',
        "rs" => '\\',
        "ga" => '`',
        "ha" => '^',
        "ti" => '~',
        "ba" => '|',
        "co" => '©',
        "mu" => '×',
        "<=" => '≤',
        ">=" => '≥',
        "->" => '→',
        "mi" | "hy" => '-',
        _ => '?',
    }
}
