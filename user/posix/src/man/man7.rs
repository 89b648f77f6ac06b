//! Pages in man(7), the older language, which those of other people's programs are in.

use super::layout::{Layout, Style, cells};
use super::mdoc::words;

const INDENT: usize = 7;

struct Page<'a> {
    out: &'a mut Layout,
    /// The indent of paragraphs, and those around it.
    indent: usize,
    outer: Vec<usize>,
    literal: bool,
    /// The next line of text is a tag, the indent behind it this.
    tag: Option<usize>,
    /// The next line of text is in this.
    next: Style,
}

pub fn render(text: &str, out: &mut Layout) {
    let mut p = Page { out, indent: INDENT, outer: Vec::new(), literal: false, tag: None, next: Style::Plain };
    let mut footer = Vec::new();
    // Between `.de` and `..` stand macros, between `.ig` and `..` nothing.
    let mut skip = false;
    for line in text.lines() {
        let words = words(line);
        match words.first().map(String::as_str) {
            Some(".") => skip = false,
            _ if skip => {}
            Some("de" | "de1" | "ig") => skip = true,
            Some("TH") => {
                let title = format!("{}({})", words.get(1).map_or("", |w| w), words.get(2).map_or("", |w| w));
                p.out.edges(&title, words.get(5).map_or("", |w| w), &title);
                footer =
                    vec![words.get(4).cloned().unwrap_or_default(), words.get(3).cloned().unwrap_or_default(), title];
            }
            _ => p.line(line, &words),
        }
    }
    p.out.set_indent(0);
    p.out.blank();
    if let [source, date, title] = &footer[..] {
        p.out.edges(source, date, title);
    }
}

impl Page<'_> {
    fn line(&mut self, line: &str, words: &[String]) {
        let Some((request, args)) = words.split_first() else {
            if line.trim().is_empty() {
                self.out.blank();
            } else if !line.starts_with(['.', '\'']) {
                self.text(&cells(line, self.next));
            }
            return;
        };
        match request.as_str() {
            "SH" => self.heading(args, 0),
            "SS" => self.heading(args, 3),
            "P" | "PP" | "LP" | "HP" | "sp" => {
                self.out.blank();
                self.out.set_indent(self.indent);
                self.tag = None;
            }
            "br" => self.out.end_line(),
            "TP" | "TQ" => {
                if request == "TP" {
                    self.out.blank();
                } else {
                    self.out.end_line();
                }
                self.tag = Some(width(args.first()));
            }
            "IP" => {
                self.out.blank();
                self.out.set_indent(self.indent + width(args.get(1)));
                if let Some(tag) = args.first() {
                    self.out.hang(self.indent);
                    self.out.text(&cells(tag, Style::Plain));
                    self.out.tab();
                }
            }
            "RS" => {
                self.out.end_line();
                self.outer.push(self.indent);
                self.indent += args.first().map_or(INDENT, |_| width(args.first()));
                self.out.set_indent(self.indent);
            }
            "RE" => {
                self.out.end_line();
                self.indent = self.outer.pop().unwrap_or(INDENT);
                self.out.set_indent(self.indent);
            }
            "nf" | "EX" => {
                self.out.end_line();
                self.literal = true;
            }
            "fi" | "EE" => self.literal = false,
            "B" | "SB" => self.one(args, Style::Bold),
            "I" => self.one(args, Style::Underline),
            "R" | "SM" => self.one(args, Style::Plain),
            "BR" | "RB" | "BI" | "IB" | "IR" | "RI" => {
                let style = |c: u8| match c {
                    b'B' => Style::Bold,
                    b'I' => Style::Underline,
                    _ => Style::Plain,
                };
                let fonts = request.as_bytes();
                let all: Vec<_> = args.iter().enumerate().flat_map(|(n, a)| cells(a, style(fonts[n % 2]))).collect();
                self.text(&all);
            }
            _ => {} // what is about paper: .ad, .hy, .ne, .nh, ...
        }
    }

    fn one(&mut self, args: &[String], style: Style) {
        match args {
            [] => self.next = style,
            args => self.text(&cells(&args.join(" "), style)),
        }
    }

    fn text(&mut self, text: &[(char, Style)]) {
        self.next = Style::Plain;
        if let Some(width) = self.tag.take() {
            self.out.set_indent(self.indent + width);
            self.out.hang(self.indent);
            self.out.text(text);
            self.out.tab();
        } else if self.literal {
            self.out.literal(text);
        } else {
            self.out.text(text);
        }
    }

    fn heading(&mut self, args: &[String], at: usize) {
        (self.indent, self.literal, self.tag) = (INDENT, false, None);
        self.outer.clear();
        self.out.heading(&args.join(" "), at);
        self.out.set_indent(INDENT);
    }
}

/// An indent in ens, the usual one where none is given.
fn width(arg: Option<&String>) -> usize {
    arg.and_then(|a| a.trim_end_matches(|c: char| c.is_alphabetic()).parse().ok()).unwrap_or(INDENT).min(40)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_page_is_read_too() {
        let text = r#".TH TRY 1 2026 "try 1.0"
.SH NAME
try \- do it
.SH OPTIONS
.TP
.BR \-a ", " \-\-all
everything, of
.I course
.nf
a  b
.fi
"#;
        let mut out = Layout::new(40, false);
        render(text, &mut out);
        let want = "\
TRY(1)                            TRY(1)

NAME
       try - do it

OPTIONS
       -a, --all
              everything, of course
              a  b

try 1.0           2026            TRY(1)
";
        assert_eq!(out.finish(), want);
    }
}
