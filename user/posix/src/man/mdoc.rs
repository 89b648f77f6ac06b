//! Pages in mdoc(7), the language of our own, as far as they use it.

use super::layout::{Layout, Style, cells};

/// A section's text stands here, its lines with a hanging tag further right.
const INDENT: usize = 5;

struct Page<'a> {
    out: &'a mut Layout,
    /// What `.Nm` stands for.
    name: String,
    section: String,
    lists: Vec<List>,
    literal: bool,
}

#[derive(PartialEq)]
enum Kind {
    Tag,
    Bullet,
    Enum,
    Column,
    Item,
}

struct List {
    kind: Kind,
    /// Where the list itself stands.
    indent: usize,
    width: usize,
    compact: bool,
    items: usize,
}

/// What begins something for the rest of its line.
const ENCLOSURES: [(&str, &str, &str); 8] = [
    ("Op", "[", "]"),
    ("Pq", "(", ")"),
    ("Dq", "\"", "\""),
    ("Qq", "\"", "\""),
    ("Sq", "'", "'"),
    ("Ql", "'", "'"),
    ("Bq", "[", "]"),
    ("Aq", "<", ">"),
];

pub fn render(text: &str, out: &mut Layout) {
    let mut page = Page { out, name: String::new(), section: String::new(), lists: Vec::new(), literal: false };
    let (mut date, mut title, mut nr) = (String::new(), String::new(), String::new());
    for line in text.lines() {
        let words = words(line);
        match words.first().map(String::as_str) {
            Some("Dd") => date = words[1..].join(" ").replace(" ,", ","),
            Some("Dt") => {
                (title, nr) = (word(&words, 1), word(&words, 2));
                let title = format!("{title}({nr})");
                page.out.edges(&title, super::pages::section_title(&nr), &title);
            }
            Some("Os") => {}
            _ => page.line(line, &words),
        }
    }
    page.out.set_indent(0);
    page.out.blank();
    page.out.edges("vkernel", &date, &format!("{title}({nr})"));
}

fn word(words: &[String], n: usize) -> String {
    words.get(n).cloned().unwrap_or_default()
}

/// A request and its arguments; nothing for a line of text.
pub fn words(line: &str) -> Vec<String> {
    let Some(rest) = line.strip_prefix(['.', '\'']) else { return Vec::new() };
    let mut out = Vec::new();
    let mut rest = rest.trim_start();
    while !rest.is_empty() && !rest.starts_with("\\\"") {
        let word;
        (word, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        rest = rest.trim_start();
        out.push(word.to_string());
    }
    out
}

impl Page<'_> {
    fn put(&mut self, text: &str, style: Style) {
        self.out.text(&cells(text, style));
    }

    fn line(&mut self, line: &str, words: &[String]) {
        let Some((request, args)) = words.split_first() else { return self.plain(line) };
        match request.as_str() {
            "Sh" => self.section(&args.join(" ")),
            "Ss" => {
                self.out.heading(&args.join(" "), 3);
                self.out.set_indent(INDENT);
            }
            "Pp" | "Lp" => self.out.blank(),
            "br" => self.out.end_line(),
            "Nm" if self.section == "SYNOPSIS" => self.synopsis(args),
            "Nm" => {
                if self.name.is_empty() {
                    self.name = word(args, 0);
                }
                self.inline(words);
            }
            "Fn" if self.section == "SYNOPSIS" => {
                let indent = self.out.indent();
                self.out.set_indent(self.out.indent() + 4);
                self.out.hang(indent);
                self.inline(words);
                self.out.end_line();
                self.out.set_indent(indent);
            }
            "Nd" => {
                self.put("–", Style::Plain);
                self.inline(args);
            }
            "Bl" => self.begin(args),
            "It" => self.item(args),
            "El" => self.end(),
            "Bd" => {
                self.out.blank();
                self.literal = args.iter().any(|a| a == "-literal" || a == "-unfilled");
                self.out.set_indent(self.out.indent() + (if args.iter().any(|a| a == "-offset") { 6 } else { 0 }));
            }
            "Ed" => {
                self.out.end_line();
                self.literal = false;
                self.out.set_indent(self.lists.last().map_or(INDENT, |l| l.indent + l.width));
            }
            "Dl" | "D1" => {
                self.out.end_line();
                self.out.set_indent(self.out.indent() + 6);
                self.inline(args);
                self.out.end_line();
                self.out.set_indent(self.out.indent() - 6);
            }
            _ => self.inline(words),
        }
    }

    fn plain(&mut self, line: &str) {
        if self.literal {
            self.out.literal(&cells(line, Style::Plain));
        } else if line.trim().is_empty() {
            self.out.blank();
        } else if !line.starts_with(".\\\"") {
            self.put(line, Style::Plain);
        }
    }

    fn section(&mut self, title: &str) {
        self.lists.clear();
        self.out.heading(title, 0);
        self.out.set_indent(INDENT);
        self.section = title.to_string();
    }

    /// A form of the command: what doesn't fit stands below what follows its name.
    fn synopsis(&mut self, args: &[String]) {
        let name = if args.is_empty() { self.name.clone() } else { args.join(" ") };
        self.out.end_line();
        self.out.set_indent(INDENT);
        self.out.hang(INDENT);
        self.put(&name, Style::Bold);
        self.out.set_indent(INDENT + name.chars().count() + 1);
    }

    fn begin(&mut self, args: &[String]) {
        let has = |what: &str| args.iter().any(|a| a == what);
        let kind = if has("-bullet") || has("-dash") {
            Kind::Bullet
        } else if has("-enum") {
            Kind::Enum
        } else if has("-column") {
            Kind::Column
        } else if has("-item") {
            Kind::Item
        } else {
            Kind::Tag
        };
        let width = args.iter().position(|a| a == "-width").map(|n| word(args, n + 1));
        let width = match (&kind, width) {
            (Kind::Column | Kind::Item, _) => 0,
            (Kind::Bullet, _) => 2,
            (Kind::Enum, _) => 4,
            (_, Some(w)) if w == "Ds" || w.is_empty() => 6,
            (_, Some(w)) => (cells(&w, Style::Plain).len() + 2).clamp(4, 20),
            (_, None) => 6,
        };
        let indent = self.out.indent();
        self.out.end_line();
        self.lists.push(List { kind, indent, width, compact: has("-compact"), items: 0 });
    }

    fn item(&mut self, args: &[String]) {
        let Some(list) = self.lists.last_mut() else { return self.inline(args) };
        list.items += 1;
        let (indent, width, n) = (list.indent, list.width, list.items);
        self.out.set_indent(indent);
        if list.compact || list.kind == Kind::Column {
            self.out.end_line();
        } else {
            self.out.blank();
        }
        self.out.set_indent(indent + width);
        self.out.hang(indent);
        match self.lists.last().map(|l| &l.kind) {
            Some(Kind::Bullet) => self.put("•", Style::Plain),
            Some(Kind::Enum) => self.put(&format!("{n}."), Style::Plain),
            Some(Kind::Item) => {}
            _ => self.inline(args),
        }
        if !matches!(self.lists.last(), Some(List { kind: Kind::Column | Kind::Item, .. })) {
            self.out.tab();
        }
    }

    fn end(&mut self) {
        self.out.end_line();
        if let Some(list) = self.lists.pop() {
            self.out.set_indent(list.indent);
        }
    }

    /// Macros and their arguments, as words of the text.
    fn inline(&mut self, words: &[String]) {
        let end = words.iter().rposition(|w| !closes(w)).map_or(0, |n| n + 1);
        let mut style = Style::Plain;
        let mut open: Vec<&str> = Vec::new();
        let mut at = 0;
        while at < end {
            let w = &words[at];
            at += 1;
            if let Some(e) = ENCLOSURES.iter().find(|e| e.0 == w) {
                self.put(e.1, Style::Plain);
                self.out.glue();
                open.push(e.2);
                style = Style::Plain;
                continue;
            }
            let following = words[at..end].first().filter(|n| !is_macro(n) && !closes(n));
            match w.as_str() {
                "Fn" => {
                    at = self.function(words, at, end);
                    continue;
                }
                "Xr" => {
                    let section = words[..end].get(at + 1).filter(|s| !is_macro(s));
                    let section = section.map_or(String::new(), |s| format!("({s})"));
                    self.put(&format!("{}{section}", word(words, at)), Style::Plain);
                    at = (at + 2).min(end);
                    continue;
                }
                "Nm" if following.is_none() => self.put(&self.name.clone(), Style::Bold),
                "Ar" if following.is_none() => self.put("file ...", Style::Underline),
                "Fl" if following.is_none() => {
                    self.put("-", Style::Bold);
                    // `Fl \-help` has its word behind it; `Fl Ns` nothing.
                }
                _ => {}
            }
            style = match w.as_str() {
                "Nm" | "Cm" | "Ic" | "Sy" => Style::Bold,
                "Ar" | "Em" | "Pa" | "Va" | "Fa" | "Vt" | "Sx" => Style::Underline,
                "Dv" | "Er" | "Ev" | "Li" | "No" | "Ft" | "Tn" | "An" => Style::Plain,
                "Fl" => {
                    let no_flag = |n: &String| is_macro(n) || closes(n) || n == "|";
                    while let Some(flag) = words[at..end].first().filter(|n| !no_flag(n)) {
                        self.put(&format!("-{flag}"), Style::Bold);
                        at += 1;
                    }
                    Style::Plain
                }
                "St" => {
                    self.put("IEEE Std 1003.1 (POSIX)", Style::Plain);
                    at = (at + 1).min(end);
                    Style::Plain
                }
                "Ns" => {
                    self.out.glue();
                    Style::Plain
                }
                "Ta" => {
                    self.put("\u{a0}", Style::Plain);
                    Style::Plain
                }
                "Oo" => {
                    self.put("[", Style::Plain);
                    self.out.glue();
                    Style::Plain
                }
                "Oc" => {
                    self.out.glue();
                    self.put("]", Style::Plain);
                    Style::Plain
                }
                _ if closes(w) => {
                    self.out.glue();
                    self.put(w, Style::Plain);
                    style
                }
                "(" | "[" => {
                    self.put(w, Style::Plain);
                    self.out.glue();
                    style
                }
                _ => {
                    self.put(w, style);
                    style
                }
            };
        }
        for close in open.into_iter().rev() {
            self.out.glue();
            self.put(close, Style::Plain);
        }
        for w in &words[end..] {
            self.out.glue();
            self.put(w, Style::Plain);
        }
    }

    /// A function and what it takes; answers where the line goes on.
    fn function(&mut self, words: &[String], from: usize, end: usize) -> usize {
        self.put(&word(words, from), Style::Bold);
        self.out.glue();
        self.put("(", Style::Plain);
        self.out.glue();
        let mut at = from + 1;
        while at < end && !is_macro(&words[at]) && !closes(&words[at]) {
            if at > from + 1 {
                self.out.glue();
                self.put(",", Style::Plain);
            }
            self.put(&words[at].replace(' ', "\u{a0}"), Style::Underline);
            at += 1;
        }
        self.out.glue();
        self.put(")", Style::Plain);
        at.min(end)
    }
}

/// Punctuation that stands right behind what is before it.
fn closes(word: &str) -> bool {
    matches!(word, "." | "," | ":" | ";" | ")" | "]" | "?" | "!")
}

fn is_macro(word: &str) -> bool {
    const OTHERS: [&str; 28] = [
        "Ar", "Cm", "Dv", "Em", "Er", "Ev", "Fa", "Fl", "Fn", "Ft", "Ic", "Li", "Nm", "No", "Ns", "Oc", "Oo", "Pa",
        "St", "Sx", "Sy", "Ta", "Tn", "Va", "Vt", "Xr", "An", "Ap",
    ];
    OTHERS.contains(&word) || ENCLOSURES.iter().any(|e| e.0 == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str, colours: bool) -> String {
        let mut out = Layout::new(40, colours);
        render(text, &mut out);
        out.finish()
    }

    const PAGE: &str = r#".Dd November 23, 2026
.Dt TRY 1
.Os
.Sh NAME
.Nm try ,
.Nm retry
.Nd do it
.Sh SYNOPSIS
.Nm
.Op Fl ab Ns Op , Ns Ar x
.Op Ar file ...
.Sh DESCRIPTION
Words that are filled into lines
.Pq see Xr other 2 :
as far as they go.
.Bl -tag -width Ds
.It Fl a
All.
.It Fl \-long Ns = Ns Ar thing
Much.
.El
.Dl try -a"#;

    #[test]
    fn flags_to_choose_from_have_a_line_between() {
        let shown = page(".Dt T 1\n.Sh NAME\n.Nm t\n.Sh SYNOPSIS\n.Nm\n.Op Fl H | Fl L | P\n", false);
        assert!(shown.contains("t [-H | -L | P]"), "{shown}");
    }

    #[test]
    fn a_page_is_filled_and_its_marks_are_set() {
        let want = "\
TRY(1)  General Commands Manual   TRY(1)

NAME
     try, retry – do it

SYNOPSIS
     try [-ab[,x]] [file ...]

DESCRIPTION
     Words that are filled into lines
     (see other(2)): as far as they go.

     -a    All.

     --long=thing
           Much.
           try -a

vkernel    November 23, 2026      TRY(1)
";
        let text = page(PAGE, false);
        assert_eq!(text, want);
    }

    #[test]
    fn a_terminal_sees_bold_and_underlined() {
        let text = page(PAGE, true);
        assert!(text.contains("\x1b[1mNAME\x1b[0m"), "{text:?}");
        assert!(text.contains("[\x1b[4mfile\x1b[0m \x1b[4m...\x1b[0m]"), "{text:?}");
    }

    #[test]
    fn functions_have_their_arguments() {
        let text = page(".Sh SYNOPSIS\n.Fn \"vkernel read\" \"fd: fd\" \"buf: ptr\"\n.Fn \"vkernel sync\"", false);
        assert!(text.contains("\n     vkernel read(fd: fd, buf: ptr)\n     vkernel sync()\n"), "{text}");
    }
}
