//! The grammar of the shell (POSIX 2.10): from tokens to commands.
//!
//! A script is read command by command, so that what comes before a mistake has already run. An
//! interactive shell that is told `Incomplete` asks for another line and starts over.

use crate::ast::*;
use crate::lexer::{Parsed, Token};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// `alias`: names and what stands for them. Shared with the shell, which defines while a script is read.
pub type Aliases = Rc<RefCell<BTreeMap<String, String>>>;

/// Quotes in substitutions in compounds: each level costs stack.
const MAX_DEPTH: usize = 100;

/// Words that end a list where a command could stand.
const ENDS: [&str; 8] = ["then", "else", "elif", "fi", "do", "done", "esac", "}"];

/// Reads one script.
pub struct Parser<'a> {
    pub(crate) src: Cow<'a, [char]>,
    pub(crate) pos: usize,
    pub(crate) line: usize,
    pub(crate) token_start: usize,
    pub(crate) peeked: Option<Token>,
    /// Here-documents whose bodies follow the current line, and whether their tabs go.
    pub(crate) pending: Vec<(Rc<HereDoc>, bool)>,
    pub(crate) depth: usize,
    pub(crate) aliases: Option<Aliases>,
    /// Names that are being replaced, with the distance of their text's end from the end of the source.
    replacing: Vec<(String, usize)>,
    /// The same distance for a text that ended in a blank: the word after it is looked up, too.
    blank_end: Option<usize>,
    /// There will be no more input: a here-document may end here.
    pub(crate) last: bool,
    /// Which lines simple commands are on, where the text is not as it was written; 0 for what wasn't. Those in
    /// substitutions are on the line of the command that has them, `written`.
    pub(crate) lines: VecDeque<usize>,
    pub(crate) written: Option<usize>,
}

impl<'a> Parser<'a> {
    pub fn new(src: &'a [char]) -> Parser<'a> {
        Parser::nested(src, 1, 0)
    }
    /// A script whose first line has another number.
    pub fn starting_at(src: &'a [char], line: usize) -> Parser<'a> {
        Parser::nested(src, line, 0)
    }
    pub(crate) fn nested(src: &'a [char], line: usize, depth: usize) -> Parser<'a> {
        Parser {
            src: Cow::Borrowed(src),
            pos: 0,
            line,
            token_start: 0,
            peeked: None,
            pending: Vec::new(),
            depth,
            aliases: None,
            replacing: Vec::new(),
            blank_end: None,
            last: false,
            lines: VecDeque::new(),
            written: None,
        }
    }
    /// With the words that stand for others (POSIX 2.3.1).
    pub fn with_aliases(mut self, aliases: &Aliases) -> Parser<'a> {
        self.aliases = Some(aliases.clone());
        self
    }
    /// A text that was made from another one, where its simple commands stood on these lines.
    pub fn with_lines(mut self, lines: Vec<usize>) -> Parser<'a> {
        self.lines = lines.into();
        self
    }
    /// A text of which this is all.
    pub fn final_input(mut self) -> Parser<'a> {
        self.last = true;
        self
    }
    /// Another text inside of this one.
    pub(crate) fn inner<'b>(&self, src: &'b [char], line: usize) -> Parser<'b> {
        let mut inner = Parser::nested(src, line, self.depth);
        inner.aliases = self.aliases.clone();
        inner.last = true;
        inner.written = self.written;
        inner
    }

    pub(crate) fn enter(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { self.syntax("nested too deeply") } else { Ok(()) }
    }
    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }

    fn peek(&mut self) -> Parsed<&Token> {
        let token = match self.peeked.take() {
            Some(t) => t,
            None => self.lex()?,
        };
        Ok(self.peeked.insert(token))
    }
    pub(crate) fn next(&mut self) -> Parsed<Token> {
        match self.peeked.take() {
            Some(t) => Ok(t),
            None => self.lex(),
        }
    }
    pub(crate) fn unexpected<T>(&self, t: &Token) -> Parsed<T> {
        match t {
            Token::End => self.incomplete("unexpected end of input"),
            Token::Newline => self.syntax("unexpected end of line"),
            Token::Word(w) => self.syntax(&format!("unexpected \"{}\"", w.raw)),
            Token::Op(op) => self.syntax(&format!("unexpected \"{op}\"")),
            Token::IoNumber(n) => self.syntax(&format!("unexpected \"{n}\"")),
        }
    }
    fn next_is_unexpected<T>(&mut self) -> Parsed<T> {
        let t = self.next()?;
        self.unexpected(&t)
    }
    fn at_op(&mut self, op: &str) -> Parsed<bool> {
        Ok(matches!(self.peek()?, Token::Op(o) if *o == op))
    }
    fn at_word(&mut self, word: &str) -> Parsed<bool> {
        Ok(matches!(self.peek()?, Token::Word(w) if w.raw == word))
    }
    fn eat_word(&mut self, word: &str) -> Parsed<bool> {
        let there = self.at_word(word)?;
        if there {
            self.next()?;
        }
        Ok(there)
    }
    fn expect_word(&mut self, word: &str) -> Parsed<()> {
        match self.next()? {
            Token::Word(w) if w.raw == word => Ok(()),
            Token::End => self.incomplete(&format!("end of input where \"{word}\" is due")),
            t => self.unexpected(&t),
        }
    }
    /// Puts the text of an alias in the place of the word that is next, as often as there is one.
    ///
    /// A name is not replaced inside of its own text.
    fn replace_alias(&mut self) -> Parsed<()> {
        let Some(aliases) = self.aliases.clone() else { return Ok(()) };
        if aliases.borrow().is_empty() {
            return Ok(());
        }
        loop {
            let name = match self.peek()? {
                Token::Word(Word { parts, .. }) => match parts.as_slice() {
                    [Part::Lit(s)] => s.clone(),
                    _ => return Ok(()),
                },
                _ => return Ok(()),
            };
            let rest = self.src.len() - self.token_start;
            self.replacing.retain(|r| r.1 < rest);
            let text = aliases.borrow().get(&name).cloned();
            let Some(text) = text.filter(|_| !self.replacing.iter().any(|r| r.0 == name)) else { return Ok(()) };
            let end = self.src.len() - self.pos;
            let with: Vec<char> = text.chars().collect();
            self.src.to_mut().splice(self.token_start..self.pos, with);
            self.pos = self.token_start;
            self.peeked = None;
            self.replacing.push((name, end));
            if text.ends_with([' ', '\t']) {
                self.blank_end = Some(end);
            }
        }
    }
    /// The word behind an alias that ends in a blank.
    fn replace_after_blank(&mut self) -> Parsed<()> {
        if let Some(end) = self.blank_end {
            self.peek()?;
            if self.src.len() - self.token_start <= end {
                self.blank_end = None;
                self.replace_alias()?;
            }
        }
        Ok(())
    }
    fn skip_newlines(&mut self) -> Parsed<()> {
        while matches!(self.peek()?, Token::Newline) {
            self.next()?;
        }
        Ok(())
    }

    /// The next line of commands, or nothing at the end.
    pub fn complete_command(&mut self) -> Parsed<Option<List>> {
        self.skip_newlines()?;
        if matches!(self.peek()?, Token::End) {
            return Ok(None);
        }
        let mut items = Vec::new();
        loop {
            let (item, separated) = self.item()?;
            items.push(item);
            match self.peek()? {
                Token::Newline => {
                    self.next()?;
                    break;
                }
                Token::End => break,
                Token::Op(")" | ";;" | ";&" | ";" | "&" | "|" | "&&" | "||") => return self.next_is_unexpected(),
                _ if !separated => return self.next_is_unexpected(),
                _ => {}
            }
        }
        Ok(Some(List(items)))
    }

    /// Everything.
    pub fn whole(&mut self) -> Parsed<List> {
        let mut all = List::default();
        while let Some(list) = self.complete_command()? {
            all.0.extend(list.0);
        }
        Ok(all)
    }

    /// Commands inside of a compound one, up to a word or an operator that no command begins with.
    pub(crate) fn compound_list(&mut self) -> Parsed<List> {
        let mut items = Vec::new();
        let mut separated = true;
        loop {
            separated |= matches!(self.peek()?, Token::Newline);
            self.skip_newlines()?;
            match self.peek()? {
                Token::End | Token::Op(")" | ";;" | ";&") => break,
                Token::Word(w) if ENDS.contains(&w.raw.as_str()) => break,
                _ if !separated => return self.next_is_unexpected(),
                _ => {}
            }
            let item;
            (item, separated) = self.item()?;
            items.push(item);
        }
        Ok(List(items))
    }

    /// A list that has to have something in it.
    fn some_list(&mut self) -> Parsed<List> {
        let list = self.compound_list()?;
        if list.0.is_empty() {
            return self.next_is_unexpected();
        }
        Ok(list)
    }

    /// One command, and whether a separator followed it.
    fn item(&mut self) -> Parsed<(Item, bool)> {
        let and_or = self.and_or()?;
        let background = self.at_op("&")?;
        let separated = background || self.at_op(";")?;
        if separated {
            self.next()?;
        }
        Ok((Item { and_or, background }, separated))
    }

    fn and_or(&mut self) -> Parsed<AndOr> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            let connector = match self.peek()? {
                Token::Op("&&") => Connector::And,
                Token::Op("||") => Connector::Or,
                _ => return Ok(AndOr { first, rest }),
            };
            self.next()?;
            self.skip_newlines()?;
            rest.push((connector, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Parsed<Pipeline> {
        self.replace_alias()?;
        let negated = self.eat_word("!")?;
        let mut commands = vec![self.command()?];
        while self.at_op("|")? {
            self.next()?;
            self.skip_newlines()?;
            commands.push(self.command()?);
        }
        Ok(Pipeline { negated, commands })
    }

    fn command(&mut self) -> Parsed<Command> {
        self.replace_alias()?;
        let word = match self.peek()? {
            Token::Op("(") => "(".to_string(),
            Token::Word(w) => w.raw.clone(),
            Token::IoNumber(_) | Token::Op("<" | ">" | ">>" | "<<" | "<<-" | "<&" | ">&" | "<>" | ">|") => {
                return self.simple();
            }
            _ => return self.next_is_unexpected(),
        };
        if !matches!(word.as_str(), "(" | "{" | "if" | "while" | "until" | "for" | "case") {
            if ENDS.contains(&word.as_str()) {
                return self.next_is_unexpected();
            }
            return self.simple();
        }
        self.enter()?;
        self.next()?;
        let compound = match word.as_str() {
            "(" => {
                let list = self.some_list()?;
                match self.next()? {
                    Token::Op(")") => Compound::Subshell(list),
                    t => return self.unexpected(&t),
                }
            }
            "{" => {
                let list = self.some_list()?;
                self.expect_word("}")?;
                Compound::Brace(list)
            }
            "if" => self.if_clause()?,
            "for" => self.for_clause()?,
            "case" => self.case_clause()?,
            _ => {
                let condition = self.some_list()?;
                Compound::Loop { until: word == "until", condition, body: self.do_group()? }
            }
        };
        self.leave();
        let mut redirs = Vec::new();
        while let Some(r) = self.redirection()? {
            redirs.push(r);
        }
        Ok(Command::Compound(compound, redirs))
    }

    fn do_group(&mut self) -> Parsed<List> {
        self.expect_word("do")?;
        let body = self.some_list()?;
        self.expect_word("done")?;
        Ok(body)
    }

    fn if_clause(&mut self) -> Parsed<Compound> {
        let mut branches = Vec::new();
        loop {
            let condition = self.some_list()?;
            self.expect_word("then")?;
            branches.push((condition, self.some_list()?));
            if !self.eat_word("elif")? {
                break;
            }
        }
        let otherwise = if self.eat_word("else")? { Some(self.some_list()?) } else { None };
        self.expect_word("fi")?;
        Ok(Compound::If(branches, otherwise))
    }

    fn for_clause(&mut self) -> Parsed<Compound> {
        let name = match self.next()? {
            Token::Word(w) if crate::text::is_name(&w.raw) => w.raw,
            t => return self.unexpected(&t),
        };
        self.skip_newlines()?;
        let mut words = None;
        if self.eat_word("in")? {
            let mut list = Vec::new();
            loop {
                match self.next()? {
                    Token::Word(w) => list.push(w),
                    Token::Newline | Token::Op(";") => break,
                    t => return self.unexpected(&t),
                }
            }
            words = Some(list);
        } else if self.at_op(";")? {
            self.next()?;
        }
        self.skip_newlines()?;
        Ok(Compound::For { name, words, body: self.do_group()? })
    }

    fn case_clause(&mut self) -> Parsed<Compound> {
        let word = match self.next()? {
            Token::Word(w) => w,
            t => return self.unexpected(&t),
        };
        self.skip_newlines()?;
        self.expect_word("in")?;
        let mut arms = Vec::new();
        loop {
            self.skip_newlines()?;
            if self.eat_word("esac")? {
                break;
            }
            if self.at_op("(")? {
                self.next()?;
            }
            let patterns = self.case_patterns()?;
            let body = self.compound_list()?;
            let through = self.at_op(";&")?;
            arms.push(Arm { patterns, body, through });
            if through || self.at_op(";;")? {
                self.next()?;
            } else {
                self.skip_newlines()?;
                self.expect_word("esac")?;
                break;
            }
        }
        Ok(Compound::Case { word, arms })
    }

    fn case_patterns(&mut self) -> Parsed<Vec<Word>> {
        let mut patterns = Vec::new();
        loop {
            match self.next()? {
                Token::Word(w) => patterns.push(w),
                t => return self.unexpected(&t),
            }
            match self.next()? {
                Token::Op("|") => {}
                Token::Op(")") => return Ok(patterns),
                t => return self.unexpected(&t),
            }
        }
    }

    fn simple(&mut self) -> Parsed<Command> {
        // The first word may have been read already, and with it what is in that.
        let line = self.lines.pop_front().or(self.written);
        let outer = std::mem::replace(&mut self.written, line);
        let line = line.unwrap_or(self.line);
        let mut cmd = Simple { line, ..Simple::default() };
        loop {
            if let Some(r) = self.redirection()? {
                cmd.redirs.push(r);
                continue;
            }
            if cmd.words.is_empty() {
                self.replace_alias()?;
            } else {
                self.replace_after_blank()?;
            }
            match self.peek()? {
                Token::Word(w) => {
                    let assignment = if cmd.words.is_empty() { w.as_assignment() } else { None };
                    let Token::Word(w) = self.next()? else { break };
                    match assignment {
                        Some(a) => cmd.assigns.push(a),
                        None => cmd.words.push(w),
                    }
                }
                Token::Op("(") if cmd.words.len() == 1 && cmd.assigns.is_empty() && cmd.redirs.is_empty() => {
                    self.next()?;
                    self.written = outer;
                    return self.function(&cmd.words[0].raw);
                }
                _ => break,
            }
        }
        self.written = outer;
        Ok(Command::Simple(cmd))
    }

    /// After `name (`.
    fn function(&mut self, name: &str) -> Parsed<Command> {
        match self.next()? {
            Token::Op(")") if crate::builtins::is_special(name) => {
                return self.syntax(&format!("\"{name}\" is special and can't be the name of a function"));
            }
            Token::Op(")") if crate::text::is_name(name) => {}
            Token::Op(")") => return self.syntax(&format!("\"{name}\" can't be the name of a function")),
            t => return self.unexpected(&t),
        }
        self.skip_newlines()?;
        match self.command()? {
            body @ Command::Compound(..) => Ok(Command::Function(name.to_string(), Rc::new(body))),
            _ => self.syntax("a function's body has to be a compound command, like { ...; }"),
        }
    }

    fn redirection(&mut self) -> Parsed<Option<Redir>> {
        let fd = match self.peek()? {
            Token::IoNumber(n) => Some(*n),
            Token::Op("<" | ">" | ">>" | "<<" | "<<-" | "<&" | ">&" | "<>" | ">|") => None,
            _ => return Ok(None),
        };
        if fd.is_some() {
            self.next()?;
        }
        let op = match self.next()? {
            Token::Op(op) => op,
            t => return self.unexpected(&t),
        };
        let word = match self.next()? {
            Token::Word(w) => w,
            t => return self.unexpected(&t),
        };
        let kind = match op {
            "<" => RedirKind::Read(word),
            ">" => RedirKind::Write(word),
            ">|" => RedirKind::Clobber(word),
            ">>" => RedirKind::Append(word),
            "<>" => RedirKind::ReadWrite(word),
            "<&" => RedirKind::DupIn(word),
            ">&" => RedirKind::DupOut(word),
            _ => {
                let (delimiter, literal) = word.unquoted();
                let doc = Rc::new(HereDoc { delimiter, literal, ..HereDoc::default() });
                self.pending.push((doc.clone(), op == "<<-"));
                RedirKind::Here(doc)
            }
        };
        Ok(Some(Redir { fd, kind }))
    }
}

/// Reads a whole script at once.
#[cfg(test)]
pub fn parse(text: &str) -> Parsed<List> {
    let chars: Vec<char> = text.chars().collect();
    Parser::new(&chars).whole()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::ParseError;

    fn one(text: &str) -> Command {
        let mut list = parse(text).unwrap();
        list.0.remove(0).and_or.first.commands.remove(0)
    }
    fn raws(words: &[Word]) -> Vec<&str> {
        words.iter().map(|w| w.raw.as_str()).collect()
    }
    fn fails(text: &str) -> bool {
        matches!(parse(text), Err(ParseError::Syntax(..)))
    }
    fn wants_more(text: &str) -> bool {
        matches!(parse(text), Err(ParseError::Incomplete(..)))
    }

    #[test]
    fn a_simple_command_has_assignments_words_and_redirections_in_any_order() {
        let Command::Simple(c) = one(">out A=1 B='x y' echo a=b 2>&1 $c") else { panic!() };
        assert_eq!(c.assigns.iter().map(|a| a.0.as_str()).collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(raws(&c.words), ["echo", "a=b", "$c"]);
        assert_eq!(c.redirs.len(), 2);
        assert_eq!(c.redirs[1].fd, Some(2));
    }

    #[test]
    fn reserved_words_are_only_so_where_a_command_begins() {
        let Command::Simple(c) = one("echo if then done } {") else { panic!() };
        assert_eq!(c.words.len(), 6);
        assert!(fails("fi"));
        assert!(fails("then x"));
    }

    #[test]
    fn lists_pipelines_and_connectors_nest_as_they_should() {
        let list = parse("a | b && ! c || d & e; f").unwrap();
        assert_eq!(list.0.len(), 3);
        assert!(list.0[0].background && !list.0[1].background);
        let and_or = &list.0[0].and_or;
        assert_eq!(and_or.first.commands.len(), 2);
        assert_eq!(and_or.rest[0].0, Connector::And);
        assert!(and_or.rest[0].1.negated);
        assert_eq!(and_or.rest[1].0, Connector::Or);
    }

    #[test]
    fn a_closing_parenthesis_in_a_case_does_not_end_a_substitution() {
        let Command::Simple(c) = one("echo $(case x in x) echo y;; esac) z") else { panic!() };
        assert_eq!(c.words.len(), 3);
        assert!(matches!(&c.words[1].parts[0], Part::Command(t, _) if t == "case x in x) echo y;; esac"));
    }

    #[test]
    fn here_documents_are_read_after_their_line() {
        let Command::Simple(c) = one("cat <<A <<-'B' x\none $v\nA\n\ttwo $v\n\tB\necho next") else { panic!() };
        let RedirKind::Here(a) = &c.redirs[0].kind else { panic!() };
        let RedirKind::Here(b) = &c.redirs[1].kind else { panic!() };
        assert_eq!(a.body.get().unwrap().raw, "one $v\n");
        assert_eq!(a.body.get().unwrap().parts.len(), 3);
        assert_eq!(b.body.get().unwrap().parts, [Part::Quoted("two $v\n".into())]);
        assert_eq!(raws(&c.words), ["cat", "x"]);
    }

    #[test]
    fn what_ends_too_early_asks_for_more() {
        for text in [
            "if true",
            "while x; do",
            "echo 'a",
            "echo \"a",
            "echo $(a",
            "a &&",
            "a |",
            "cat <<E\nx\n",
            "f() {",
            "case x in",
        ] {
            assert!(wants_more(text), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for text in [
            "a ;; b",
            ")",
            "a | | b",
            "for 1 in x; do y; done",
            "if then fi",
            "echo ${x!}",
            "a && ; b",
            "( )",
            "a b (c)",
            "(a) b",
            "{ a; } b",
        ] {
            assert!(fails(text), "{text}");
        }
        assert!(fails(&"$(".repeat(3000)));
        assert!(fails(&"{ ".repeat(3000)));
    }

    #[test]
    fn arithmetic_and_nested_substitution_are_told_apart() {
        let Command::Simple(c) = one("echo $((1+(2*3))) $( (a); b )") else { panic!() };
        assert!(matches!(&c.words[1].parts[0], Part::Arith(w) if w.raw == "1+(2*3)"));
        assert!(matches!(&c.words[2].parts[0], Part::Command(..)));
    }

    #[test]
    fn comments_and_continued_lines_vanish() {
        let Command::Simple(c) = one("echo a#b \\\n c # d\n") else { panic!() };
        assert_eq!(raws(&c.words), ["echo", "a#b", "c"]);
    }
}
