//! Running commands (POSIX 2.9). What cannot be done in this process is spawned: programs by their
//! path, everything that needs a subshell as a new shell with this one's state.

use crate::ast::*;
use crate::builtins;
use crate::expand;
use crate::pattern;
use crate::redir::Failed;
use crate::shell::{Run, Shell, Unwind, Var};
use crate::text::{quote, to_bytes};
use std::rc::Rc;
use vkernel_sys::{Errno, access, fs, io, mode};

/// Functions in functions: each level costs stack.
const MAX_DEPTH: usize = 120;

impl Shell {
    pub fn run_list(&mut self, list: &List) -> Run {
        for item in &list.0 {
            self.interrupted()?;
            self.status = if item.background { self.background(&item.and_or) } else { self.and_or(&item.and_or)? };
            // What a trap does comes before what follows, be it the end of the shell.
            if !self.caught.is_empty() {
                self.interrupted()?;
            }
        }
        Ok(self.status)
    }

    fn and_or(&mut self, a: &AndOr) -> Run {
        let mut status = self.connected(&a.first, a.rest.is_empty())?;
        for (i, (connector, pipeline)) in a.rest.iter().enumerate() {
            if (*connector == Connector::And) == (status == 0) {
                status = self.connected(pipeline, i + 1 == a.rest.len())?;
            }
        }
        Ok(status)
    }

    /// One pipeline of an and-or list. Only the last one's failure counts for `set -e`.
    fn connected(&mut self, p: &Pipeline, last: bool) -> Run {
        let tested = !last || p.negated;
        self.tested += tested as usize;
        let result = self.pipeline(p);
        self.tested -= tested as usize;
        let status = result?;
        self.status = if p.negated { (status == 0) as i32 } else { status };
        if status != 0 && !tested && self.tested == 0 && self.option('e') {
            return Err(Unwind::Exit(self.status));
        }
        Ok(self.status)
    }

    fn pipeline(&mut self, p: &Pipeline) -> Run {
        match p.commands.as_slice() {
            [one] => self.command(one),
            many => {
                let job = self.start_pipeline(many, None, true);
                self.wait_foreground(job)
            }
        }
    }

    fn command(&mut self, c: &Command) -> Run {
        if self.option('n') {
            return Ok(0);
        }
        match c {
            Command::Simple(s) => self.simple(s),
            Command::Compound(Compound::Subshell(list), redirs) => {
                let script = crate::unparse::list(list);
                match self.redirect(redirs) {
                    Ok(r) => {
                        let job = self.start_subshell(&script, r);
                        self.wait_foreground(job)
                    }
                    Err(e) => self.failed_redirection(e, false),
                }
            }
            Command::Compound(c, redirs) if redirs.is_empty() => self.compound(c),
            Command::Compound(c, redirs) => {
                let applied = self.redirect(redirs).and_then(|r| self.apply(&r));
                match applied {
                    Ok(saved) => {
                        let result = self.compound(c);
                        drop(saved);
                        result
                    }
                    Err(e) => self.failed_redirection(e, false),
                }
            }
            Command::Function(name, body) => {
                self.functions.insert(name.clone(), body.clone());
                Ok(0)
            }
        }
    }

    fn failed_redirection(&mut self, e: Failed, special: bool) -> Run {
        if e.fatal || special && !self.interactive() {
            return Err(self.fatal(&e.what));
        }
        self.complain(&e.what);
        Ok(1)
    }

    fn compound(&mut self, c: &Compound) -> Run {
        match c {
            Compound::Brace(list) | Compound::Subshell(list) => self.run_list(list),
            Compound::If(branches, otherwise) => {
                for (condition, body) in branches {
                    if self.condition(condition)? == 0 {
                        return self.run_list(body);
                    }
                }
                match otherwise {
                    Some(list) => self.run_list(list),
                    None => Ok(0),
                }
            }
            Compound::Loop { until, condition, body } => self.loop_while(*until, condition, body),
            Compound::For { name, words, body } => self.loop_for(name, words.as_deref(), body),
            Compound::Case { word, arms } => self.case(word, arms),
        }
    }

    fn condition(&mut self, list: &List) -> Run {
        self.tested += 1;
        let result = self.run_list(list);
        self.tested -= 1;
        result
    }

    /// What a loop does with the end of its body: whether it goes on.
    fn after_body(result: Run) -> Result<bool, Unwind> {
        match result {
            Ok(_) | Err(Unwind::Continue(1)) => Ok(true),
            Err(Unwind::Break(1)) => Ok(false),
            Err(Unwind::Continue(n)) => Err(Unwind::Continue(n - 1)),
            Err(Unwind::Break(n)) => Err(Unwind::Break(n - 1)),
            Err(e) => Err(e),
        }
    }

    fn loop_while(&mut self, until: bool, condition: &List, body: &List) -> Run {
        self.loops += 1;
        let mut status = 0;
        let end = loop {
            let go = match self.condition(condition) {
                Ok(s) => (s == 0) != until,
                Err(e) => match Shell::after_body(Err(e)) {
                    Ok(true) => continue,
                    Ok(false) => break Ok(()),
                    Err(e) => break Err(e),
                },
            };
            if !go {
                break Ok(());
            }
            let result = self.run_list(body);
            status = if result.is_ok() { self.status } else { 0 };
            match Shell::after_body(result) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        self.loops -= 1;
        end.map(|()| status)
    }

    fn loop_for(&mut self, name: &str, words: Option<&[Word]>, body: &List) -> Run {
        let values = match words {
            Some(w) => expand::words(w, self).map_err(|e| self.fatal(&e))?,
            None => self.positional.clone(),
        };
        self.loops += 1;
        let mut status = 0;
        let mut end = Ok(());
        for v in values {
            if let Err(e) = self.set(name, &v) {
                end = Err(self.fatal(&e));
                break;
            }
            let result = self.run_list(body);
            status = if result.is_ok() { self.status } else { 0 };
            match Shell::after_body(result) {
                Ok(true) => {}
                Ok(false) => break,
                Err(e) => {
                    end = Err(e);
                    break;
                }
            }
        }
        self.loops -= 1;
        end.map(|()| status)
    }

    fn case(&mut self, word: &Word, arms: &[Arm]) -> Run {
        let value = expand::single(word, self).map_err(|e| self.fatal(&e))?;
        let value: Vec<char> = value.chars().collect();
        let mut through = false;
        let mut status = 0;
        for arm in arms {
            let mut hit = through;
            for p in &arm.patterns {
                if hit {
                    break;
                }
                let p = expand::as_pattern(p, self).map_err(|e| self.fatal(&e))?;
                hit = pattern::matches(&p, &value);
            }
            if hit {
                status = if arm.body.0.is_empty() { 0 } else { self.run_list(&arm.body)? };
                if !arm.through {
                    return Ok(status);
                }
            }
            through = hit;
        }
        Ok(status)
    }

    fn simple(&mut self, s: &Simple) -> Run {
        self.line = s.line;
        self.substituted = None;
        let argv = match s.words.as_slice() {
            [first, _, ..] if matches!(first.raw.as_str(), "export" | "readonly" | "local") => {
                expand::declarations(&s.words, self)
            }
            words => expand::words(words, self),
        };
        let argv = argv.map_err(|e| self.fatal(&e))?;
        let assigns = self.assignments(&s.assigns, !argv.is_empty())?;
        if self.option('x') {
            self.trace(&assigns, &argv);
        }
        let Some(name) = argv.first() else {
            let status = self.substituted.unwrap_or(0);
            return match self.redirect(&s.redirs).and_then(|r| self.apply(&r)) {
                Ok(_) => Ok(status),
                Err(e) => self.failed_redirection(e, false),
            };
        };
        let special = builtins::is_special(name);
        let function = if special { None } else { self.functions.get(name).cloned() };
        let builtin = if function.is_some() { None } else { builtins::find(name) };
        if function.is_none() && builtin.is_none() {
            return match self.redirect(&s.redirs) {
                Ok(r) => {
                    let job = self.start_program(&argv, &assigns, r, None);
                    self.wait_foreground(job)
                }
                Err(e) => self.failed_redirection(e, false),
            };
        }
        let saved = match self.redirect(&s.redirs).and_then(|r| self.apply(&r)) {
            Ok(saved) => saved,
            Err(e) => return self.failed_redirection(e, special),
        };
        if name == "command" && argv.len() == 2 && argv[1] == "exec" {
            saved.forget();
            return Ok(0);
        }
        if name == "exec" {
            // Even where the program can't be run, a script has changed its descriptors for good.
            saved.forget();
            return self.become_program(&argv[1..], &assigns);
        }
        let shadowed = self.assign_for(&assigns, special)?;
        let result = match (function, builtin) {
            (Some(body), _) => self.call_function(&body, &argv),
            (_, Some(run)) => run(self, &argv),
            _ => Ok(0),
        };
        self.restore(shadowed);
        drop(saved);
        result
    }

    /// Values of the assignments before a command; each is seen by the next. `restore`: there is a command, so
    /// that they are not the shell's.
    fn assignments(&mut self, words: &[(String, Word)], restore: bool) -> Result<Vec<(String, String)>, Unwind> {
        let mut values: Vec<(String, String)> = Vec::with_capacity(words.len());
        let mut before = Vec::new();
        for (i, (name, word)) in words.iter().enumerate() {
            let value = expand::single(word, self).map_err(|e| self.fatal(&e))?;
            if !restore || i + 1 < words.len() {
                before.push((name.clone(), self.vars.get(name).cloned()));
                self.set(name, &value).map_err(|e| self.fatal(&e))?;
            }
            values.push((name.clone(), value));
        }
        if restore {
            self.restore(before);
        }
        Ok(values)
    }

    /// Puts variables back, the last change first.
    fn restore(&mut self, before: Vec<(String, Option<Var>)>) {
        for (name, var) in before.into_iter().rev() {
            match var {
                Some(v) => self.vars.insert(name, v),
                None => self.vars.remove(&name),
            };
        }
    }

    /// Assignments before a builtin or a function: exported while it runs, for good if it is special
    /// (POSIX 2.14). Answers what to restore.
    fn assign_for(
        &mut self,
        assigns: &[(String, String)],
        special: bool,
    ) -> Result<Vec<(String, Option<Var>)>, Unwind> {
        let mut shadowed = Vec::new();
        for (name, value) in assigns {
            if !special {
                shadowed.push((name.clone(), self.vars.get(name).cloned()));
            }
            self.set(name, value).map_err(|e| self.fatal(&e))?;
            if !special && let Some(v) = self.vars.get_mut(name) {
                v.exported = true;
            }
        }
        Ok(shadowed)
    }

    pub fn call_function(&mut self, body: &Rc<Command>, argv: &[String]) -> Run {
        if self.depth >= MAX_DEPTH {
            return Err(self.fatal(&format!("{}: functions nested too deeply", argv[0])));
        }
        self.depth += 1;
        let positional = std::mem::replace(&mut self.positional, argv[1..].to_vec());
        let loops = std::mem::take(&mut self.loops);
        self.locals.push(Vec::new());
        let result = self.command(body);
        let locals = self.locals.pop().unwrap_or_default();
        self.restore(locals);
        self.loops = loops;
        self.positional = positional;
        self.depth -= 1;
        match result {
            Err(Unwind::Return(status)) => Ok(status),
            other => other,
        }
    }

    fn trace(&mut self, assigns: &[(String, String)], argv: &[String]) {
        let mut line = self.prompt_text("PS4");
        let word = |a: &String| if a == "[" || a == "]" { a.clone() } else { quote(a) };
        let assigned = assigns.iter().map(|(n, v)| format!("{n}={}", quote(v)));
        line += &assigned.chain(argv.iter().map(word)).collect::<Vec<_>>().join(" ");
        line.push('\n');
        // Tracing is no reason to fail.
        let _ = io::write_all(2, &to_bytes(&line));
    }

    /// Where a program is. The error is the exit status and what to say.
    pub fn find_program(&self, name: &str, path: Option<&str>) -> Result<String, (i32, String)> {
        if name.contains('/') {
            return Ok(name.to_string());
        }
        let default = || builtins::DEFAULT_PATH.to_string();
        let path = path.map(String::from).or_else(|| self.get("PATH")).unwrap_or_else(default);
        let mut denied = false;
        for dir in path.split(':') {
            let full =
                if dir.is_empty() { format!("./{name}") } else { format!("{}/{name}", dir.trim_end_matches('/')) };
            let bytes = to_bytes(&full);
            if !fs::stat(&bytes).is_ok_and(|s| s.mode & mode::IFMT == mode::IFREG) {
                continue;
            }
            if fs::access(&bytes, access::X_OK).is_ok() {
                return Ok(full);
            }
            denied = true;
        }
        match denied && !name.is_empty() {
            true => Err((126, format!("{name}: {}", Errno::EACCES))),
            false => Err((127, format!("{name}: not found"))),
        }
    }
}

/// What a failed spawn is to a script.
pub fn spawn_failure(name: &str, e: Errno) -> (i32, String) {
    match e {
        Errno::ENOENT | Errno::ENOTDIR => (127, format!("{name}: not found")),
        Errno::ENOEXEC => (126, format!("{name}: not a program that this system can run")),
        e => (126, format!("{name}: {e}")),
    }
}
