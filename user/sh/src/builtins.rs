//! The commands that the shell does itself: the table, and those that change the shell.

use crate::expand::Context;
use crate::lexer::ParseError;
use crate::parser::{Aliases, Parser};
use crate::shell::{OPTIONS, Run, Shell, Unwind, Var, WITHOUT_LETTER};
use crate::text::{from_bytes, is_name, quote, to_bytes};
use vkernel_sys::{Spawn, fs, io};

pub type Builtin = fn(&mut Shell, &[String]) -> Run;

/// POSIX 2.14: a mistake in one ends a script, and assignments before one stay.
const SPECIAL: [&str; 15] = [
    ".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift", "times",
    "trap", "unset",
];

/// Where the standard utilities are (POSIX `command -p`).
pub const DEFAULT_PATH: &str = "/bin:/usr/bin:/sbin";

pub fn is_special(name: &str) -> bool {
    SPECIAL.contains(&name)
}

/// Those that do nothing to the shell but write: their output can be had without a subshell.
pub fn only_writes(name: &str) -> bool {
    matches!(
        name,
        "alias"
            | "echo"
            | "history"
            | "jobs"
            | "times"
            | "ulimit"
            | "umask"
            | "printf"
            | "pwd"
            | "true"
            | "false"
            | ":"
            | "test"
            | "["
            | "type"
    )
}

/// All of them, for completion.
pub const NAMES: [&str; 40] = [
    ".", ":", "[", "alias", "bg", "break", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export",
    "false", "fc", "fg", "getopts", "hash", "history", "jobs", "kill", "local", "printf", "pwd", "read", "readonly",
    "return", "set", "shift", "test", "times", "trap", "true", "type", "ulimit", "umask", "unalias", "unset", "wait",
];

/// Words of the grammar (POSIX 2.4).
pub const RESERVED: [&str; 16] =
    ["if", "then", "elif", "else", "fi", "for", "in", "while", "until", "do", "done", "case", "esac", "{", "}", "!"];

pub fn find(name: &str) -> Option<Builtin> {
    Some(match name {
        ":" | "true" => |_, _| Ok(0),
        "false" => |_, _| Ok(1),
        "." => dot,
        "[" | "test" => crate::test::builtin,
        "alias" => crate::alias::alias,
        "bg" => |sh, argv| crate::jobcmds::job_control(sh, argv, false),
        "break" => |sh, argv| leave_loop(sh, argv, Unwind::Break),
        "cd" => crate::cd::cd,
        "command" => command,
        "continue" => |sh, argv| leave_loop(sh, argv, Unwind::Continue),
        "echo" => crate::output::echo,
        "eval" => |sh, argv| sh.run_text(&argv[1..].join(" ")),
        "exec" => |_, _| Ok(0), // done in `exec.rs`, which has its redirections
        "exit" => |sh, argv| Err(Unwind::Exit(status_argument(sh, argv)?)),
        "export" => |sh, argv| mark(sh, argv, "export"),
        "fc" => crate::fc::fc,
        "fg" => |sh, argv| crate::jobcmds::job_control(sh, argv, true),
        "getopts" => crate::input::getopts,
        "hash" => hash,
        "history" => crate::fc::history,
        "jobs" => crate::jobcmds::jobs,
        "kill" => crate::jobcmds::kill,
        "local" => local,
        "printf" => crate::output::printf,
        "pwd" => crate::cd::pwd,
        "read" => crate::input::read,
        "readonly" => |sh, argv| mark(sh, argv, "readonly"),
        "return" => |sh, argv| Err(Unwind::Return(status_argument(sh, argv)?)),
        "set" => set,
        "shift" => shift,
        "times" => crate::limits::times,
        "trap" => crate::traps::trap,
        "type" => |sh, argv| describe(sh, &argv[1..], true),
        "ulimit" => crate::limits::ulimit,
        "umask" => crate::limits::umask,
        "unset" => unset,
        "unalias" => crate::alias::unalias,
        "wait" => crate::jobcmds::wait_for,
        _ => return None,
    })
}

/// Says what is wrong with a builtin's arguments. A special one's mistakes end a script.
pub fn mistake(sh: &mut Shell, argv: &[String], what: &str) -> Run {
    let text = format!("{}: {what}", argv[0]);
    if is_special(&argv[0]) {
        return Err(sh.fatal(&text));
    }
    sh.complain(&text);
    Ok(2)
}

/// Writes a builtin's output; a closed descriptor is a failure of its own.
pub fn write(sh: &mut Shell, argv: &[String], text: &str) -> Run {
    match sh.out(text) {
        Ok(()) => Ok(0),
        Err(e) => {
            sh.complain(&format!("{}: write error: {e}", argv[0]));
            Ok(1)
        }
    }
}

fn status_argument(sh: &mut Shell, argv: &[String]) -> Run {
    match argv.get(1) {
        None => Ok(sh.status),
        Some(n) => match n.parse::<i32>() {
            Ok(n) => Ok(n & 0xff),
            Err(_) => mistake(sh, argv, &format!("{n}: not a number")).map(|_| 2),
        },
    }
}

fn leave_loop(sh: &mut Shell, argv: &[String], how: fn(u32) -> Unwind) -> Run {
    let n = match argv.get(1).map(|n| n.parse::<u32>()) {
        None => 1,
        Some(Ok(n)) if n > 0 => n,
        _ => return mistake(sh, argv, "wants a number of loops"),
    };
    // Outside of a loop there is nothing to leave.
    if sh.loops == 0 { Ok(0) } else { Err(how(n.min(sh.loops))) }
}

impl Shell {
    /// Runs text in this shell, command by command.
    pub fn run_text(&mut self, text: &str) -> Run {
        let aliases = self.aliases.clone();
        self.run_with(text, &aliases, Vec::new())
    }

    /// Commands that another shell has read: its aliases are in them already.
    pub fn run_subshell(&mut self, text: &str, lines: Vec<usize>) -> Run {
        self.run_with(text, &Aliases::default(), lines)
    }

    fn run_with(&mut self, text: &str, aliases: &Aliases, lines: Vec<usize>) -> Run {
        let chars: Vec<char> = text.chars().collect();
        let mut parser = Parser::new(&chars).with_aliases(aliases).with_lines(lines).final_input();
        let line = self.line;
        let mut status = 0;
        loop {
            let start = parser.pos;
            let command = parser.complete_command();
            if self.option('v') && self.script {
                let read: String = parser.src[start.min(parser.pos)..parser.pos].iter().collect();
                let _ = io::write_all(2, &to_bytes(&read));
            }
            match command {
                Ok(Some(list)) => {
                    let script = std::mem::replace(&mut self.script, false);
                    let result = self.run_list(&list);
                    self.script = script;
                    status = result?;
                }
                Ok(None) => break,
                Err(e) => return Err(self.syntax_error(e)),
            }
        }
        self.line = line;
        Ok(status)
    }

    /// Ends a script, or the line of an interactive shell.
    pub fn syntax_error(&mut self, e: ParseError) -> Unwind {
        let (ParseError::Incomplete(line, what) | ParseError::Syntax(line, what)) = e;
        self.line = line;
        self.fatal(&format!("syntax error: {what}"))
    }

    /// `exec PROGRAM`; without one only the redirections mattered.
    pub fn become_program(&mut self, argv: &[String], assigns: &[(String, String)]) -> Run {
        let argv = if argv.first().is_some_and(|a| a == "--") { &argv[1..] } else { argv };
        let Some(name) = argv.first() else {
            for (n, v) in assigns {
                self.set(n, v).map_err(|e| self.fatal(&e))?;
            }
            return Ok(0);
        };
        let (status, message) = match self.find_program(name, None) {
            Ok(path) => {
                let args = argv.iter().map(|a| to_bytes(a));
                let e = Spawn::new(&to_bytes(&path)).args(args).envs(self.environment(assigns)).exec();
                crate::exec::spawn_failure(name, e)
            }
            Err(e) => e,
        };
        self.complain(&format!("exec: {message}"));
        if self.interactive() { Ok(status) } else { Err(Unwind::Exit(status)) }
    }
}

fn dot(sh: &mut Shell, argv: &[String]) -> Run {
    let Some(name) = argv.get(1) else { return mistake(sh, argv, "wants a file") };
    let found = if name.contains('/') || fs::stat(&to_bytes(name)).is_ok() && sh.get("PATH").is_none() {
        name.clone()
    } else {
        let path = sh.get("PATH").unwrap_or_default();
        let in_path = path.split(':').map(|d| format!("{d}/{name}")).find(|p| fs::stat(&to_bytes(p)).is_ok());
        in_path.unwrap_or_else(|| name.clone())
    };
    let text = match io::read_file(&to_bytes(&found)) {
        Ok(t) => from_bytes(&t),
        Err(e) => return mistake(sh, argv, &format!("{name}: {e}")),
    };
    match sh.run_text(&text) {
        Err(Unwind::Return(status)) => Ok(status),
        other => other,
    }
}

/// `export` and `readonly`.
fn mark(sh: &mut Shell, argv: &[String], which: &str) -> Run {
    let names: Vec<&String> = argv[1..].iter().filter(|a| !matches!(a.as_str(), "-p" | "--")).collect();
    let export = which == "export";
    if names.is_empty() {
        let marked = sh.vars.iter().filter(|(_, v)| if export { v.exported } else { v.readonly });
        let lines: String = marked
            .map(|(n, v)| match &v.value {
                Some(v) => format!("{which} {n}={}\n", quote(v)),
                None => format!("{which} {n}\n"),
            })
            .collect();
        return write(sh, argv, &lines);
    }
    for arg in names {
        let (name, value) = match arg.split_once('=') {
            Some((n, v)) => (n, Some(v)),
            None => (arg.as_str(), None),
        };
        if !is_name(name) {
            return mistake(sh, argv, &format!("{name}: not a name"));
        }
        if let Some(v) = value
            && let Err(e) = sh.set(name, v)
        {
            return mistake(sh, argv, &e);
        }
        let var = sh.vars.entry(name.to_string()).or_default();
        if export { var.exported = true } else { var.readonly = true }
    }
    Ok(0)
}

fn local(sh: &mut Shell, argv: &[String]) -> Run {
    if sh.locals.is_empty() {
        return mistake(sh, argv, "only in a function");
    }
    for arg in &argv[1..] {
        let (name, value) = match arg.split_once('=') {
            Some((n, v)) => (n, Some(v)),
            None => (arg.as_str(), None),
        };
        if !is_name(name) {
            return mistake(sh, argv, &format!("{name}: not a name"));
        }
        let old = sh.vars.get(name).cloned();
        if let Some(frame) = sh.locals.last_mut()
            && !frame.iter().any(|f| f.0 == name)
        {
            frame.push((name.to_string(), old));
        }
        if let Some(v) = value
            && let Err(e) = sh.set(name, v)
        {
            return mistake(sh, argv, &e);
        }
    }
    Ok(0)
}

fn unset(sh: &mut Shell, argv: &[String]) -> Run {
    let (functions, names) = match argv.get(1).map(|s| s.as_str()) {
        Some("-f") => (true, &argv[2..]),
        Some("-v" | "--") => (false, &argv[2..]),
        Some(a) if a.starts_with('-') => return mistake(sh, argv, &format!("{a}: no such option")),
        _ => (false, &argv[1..]),
    };
    for name in names {
        if functions {
            sh.functions.remove(name);
        } else if sh.vars.get(name).is_some_and(|v| v.readonly) {
            return mistake(sh, argv, &format!("{name}: is read only"));
        } else if sh.vars.remove(name).is_none() {
            sh.functions.remove(name);
        }
    }
    Ok(0)
}

fn set(sh: &mut Shell, argv: &[String]) -> Run {
    if argv.len() == 1 {
        let all: String =
            sh.vars.iter().filter_map(|(n, v)| v.value.as_ref().map(|v| format!("{n}={}\n", quote(v)))).collect();
        return write(sh, argv, &all);
    }
    let mut args = argv[1..].iter();
    while let Some(arg) = args.as_slice().first() {
        if arg == "-" {
            // As ever: no more tracing, and what follows are arguments.
            args.next();
            sh.set_option('x', false);
            sh.set_option('v', false);
            break;
        }
        let (on, letters) = match (arg.strip_prefix('-'), arg.strip_prefix('+')) {
            (Some(l), _) if !l.is_empty() => (true, l),
            (_, Some(l)) if !l.is_empty() => (false, l),
            _ => break,
        };
        args.next();
        if letters == "-" {
            sh.positional = args.as_slice().to_vec();
            return Ok(0);
        }
        for letter in letters.chars() {
            if letter == 'o' {
                let Some(name) = args.next() else { return show_options(sh, argv, on) };
                match OPTIONS.iter().find(|o| o.1 == name) {
                    Some((letter, _)) => sh.set_option(*letter, on),
                    None => return mistake(sh, argv, &format!("-o {name}: no such option")),
                }
            } else if OPTIONS.iter().any(|o| o.0 == letter && letter != 'i' && !WITHOUT_LETTER.contains(letter)) {
                sh.set_option(letter, on);
            } else {
                return mistake(sh, argv, &format!("-{letter}: no such option"));
            }
        }
    }
    if !args.as_slice().is_empty() {
        sh.positional = args.as_slice().to_vec();
    }
    Ok(0)
}

fn show_options(sh: &mut Shell, argv: &[String], plain: bool) -> Run {
    let lines: String = OPTIONS
        .iter()
        .map(|(letter, name)| match (plain, sh.option(*letter)) {
            (true, on) => format!("{name:<12} {}\n", if on { "on" } else { "off" }),
            (false, on) => format!("set {}o {name}\n", if on { '-' } else { '+' }),
        })
        .collect();
    write(sh, argv, &lines)
}

fn shift(sh: &mut Shell, argv: &[String]) -> Run {
    match argv.get(1).map(|n| n.parse::<usize>()).unwrap_or(Ok(1)) {
        Ok(n) if n <= sh.positional.len() => {
            sh.positional.drain(..n);
            Ok(0)
        }
        _ => mistake(sh, argv, "can't shift that many"),
    }
}

/// `command NAME...`, `command -v NAME`.
fn command(sh: &mut Shell, argv: &[String]) -> Run {
    match argv.get(1).map(|s| s.as_str()) {
        None => Ok(0),
        Some("-v") => describe(sh, &argv[2..], false),
        Some("-V") => describe(sh, &argv[2..], true),
        Some(first) => {
            let path = (first == "-p").then_some(DEFAULT_PATH);
            let skip = 1 + argv[1..].iter().take_while(|a| matches!(a.as_str(), "-p" | "--")).count();
            let argv = &argv[skip..];
            let Some(name) = argv.first() else { return Ok(0) };
            if let ("-v" | "-V", names) = (name.as_str(), &argv[1..]) {
                return describe(sh, names, name == "-V");
            }
            match find(name) {
                // What makes a builtin special does not hold behind `command`.
                Some(run) => match if name == "exec" { sh.become_program(&argv[1..], &[]) } else { run(sh, argv) } {
                    Err(Unwind::Error(s)) => Ok(s),
                    other => other,
                },
                None => {
                    let job = sh.start_program(argv, &[], Default::default(), path);
                    sh.wait_foreground(job)
                }
            }
        }
    }
}

/// Nothing is remembered, so there is nothing to forget; but what isn't there is an error.
fn hash(sh: &mut Shell, argv: &[String]) -> Run {
    let mut status = 0;
    for name in argv[1..].iter().filter(|a| !a.starts_with('-')) {
        let known = find(name).is_some() || sh.functions.contains_key(name);
        if !known && let Err((_, message)) = sh.find_program(name, None) {
            sh.complain(&format!("hash: {message}"));
            status = 1;
        }
    }
    Ok(status)
}

fn describe(sh: &mut Shell, names: &[String], wordy: bool) -> Run {
    let mut status = 0;
    for name in names {
        let (what, short) = if RESERVED.contains(&name.as_str()) {
            (format!("{name} is a shell keyword"), name.clone())
        } else if let Some(text) = sh.aliases.borrow().get(name) {
            (format!("{name} is an alias for {text}"), format!("alias {}", crate::alias::shown(name, text)))
        } else if sh.functions.contains_key(name) {
            (format!("{name} is a function"), name.clone())
        } else if is_special(name) {
            (format!("{name} is a special shell builtin"), name.clone())
        } else if find(name).is_some() {
            (format!("{name} is a shell builtin"), name.clone())
        } else {
            match sh.find_program(name, None).ok().filter(|p| fs::stat(&to_bytes(p)).is_ok()) {
                Some(path) => (format!("{name} is {path}"), path),
                None => {
                    status = 127;
                    if wordy {
                        sh.complain(&format!("{name}: not found"));
                    }
                    continue;
                }
            }
        };
        let line = format!("{}\n", if wordy { what } else { short });
        write(sh, &["command".to_string()], &line)?;
    }
    Ok(status)
}

/// The value of a variable that a builtin sets; its error is the builtin's.
pub fn store(sh: &mut Shell, argv: &[String], name: &str, value: &str) -> Run {
    match sh.assign(name, value) {
        Ok(()) => Ok(0),
        Err(e) => mistake(sh, argv, &e),
    }
}

/// A variable that is only in this shell.
pub fn plain_var(value: &str) -> Var {
    Var { value: Some(value.to_string()), ..Var::default() }
}
