//! Where commands come from: a file, standard input, a person at a terminal.

use crate::edit::{self, Entered};
use crate::expand;
use crate::lexer::ParseError;
use crate::parser::Parser;
use crate::shell::{Run, Shell, Unwind};
use crate::text::{from_bytes, to_bytes};
use vkernel_sys::{Errno, fs, io, proc, sig, tty};

/// A script in a file: read whole, run command by command.
pub fn script(sh: &mut Shell, file: &str) -> Run {
    let found = match fs::stat(&to_bytes(file)) {
        Err(_) if !file.contains('/') => sh.find_program(file, None).unwrap_or_else(|_| file.to_string()),
        _ => file.to_string(),
    };
    match io::read_file(&to_bytes(&found)) {
        Ok(bytes) if bytes.starts_with(b"\0asm") => {
            sh.complain(&format!("{file}: is a program, not a script: run it by its name"));
            Err(Unwind::Exit(126))
        }
        Ok(bytes) => {
            sh.script = true;
            sh.run_text(&from_bytes(&bytes))
        }
        Err(e) => {
            sh.complain(&format!("cannot open {file}: {e}"));
            Err(Unwind::Exit(if e == Errno::ENOENT { 127 } else { 126 }))
        }
    }
}

/// Commands from standard input.
pub fn run(sh: &mut Shell, interactive: bool, login: bool) -> Run {
    let terminal = tty::isatty(0) && tty::isatty(2);
    if interactive || terminal {
        sh.set_option('i', true);
        if terminal {
            take_terminal(sh);
        }
    }
    if sh.interactive() {
        // Before the profile, which may put something before it without having to find out who we are.
        let prompt = if proc::geteuid() == 0 { "# " } else { "$ " };
        sh.vars.entry("PS1".into()).or_insert_with(|| crate::builtins::plain_var(prompt));
    }
    if login {
        source(sh, "/etc/profile")?;
        if let Some(home) = sh.get("HOME") {
            source(sh, &format!("{home}/.profile"))?;
        }
    }
    if sh.interactive()
        && let Some(file) = sh.get("ENV")
    {
        source(sh, &file)?;
    }
    let result = lines(sh);
    if let Some(fd) = sh.tty.take() {
        let _ = io::close(fd);
    }
    result
}

/// Job control: a descriptor of our own for the terminal, our own process group, and no signals
/// from the keyboard.
fn take_terminal(sh: &mut Shell) {
    let Ok(fd) = io::dup_cloexec(0, 10) else { return };
    // Caught, not ignored: a read ends with it, and a loop of builtins must see it. See `Shell::interrupted`.
    // TERM ends nothing at a prompt, and before HUP ends the shell the terminal is put back.
    for s in [sig::INT, sig::TERM, sig::HUP] {
        if proc::sigaction(s, proc::Disposition::Catch).is_ok() {
            sh.caught.push(s);
        }
    }
    for s in [sig::QUIT, sig::TSTP, sig::TTIN, sig::TTOU] {
        // A kernel without one of them cannot send it either.
        let _ = proc::sigaction(s, proc::Disposition::Ignore);
    }
    // A session's leader has its group already.
    let _ = proc::setpgid(0, 0);
    sh.pgid = proc::getpgid(0).unwrap_or(0);
    match tty::tcsetpgrp(fd, sh.pgid) {
        Ok(()) => {
            sh.tty = Some(fd);
            sh.set_option('m', true);
            sh.set_option('E', true);
            sh.cooked = tty::tcgetattr(fd).ok();
        }
        Err(_) => {
            let _ = io::close(fd);
        }
    }
}

/// Runs a file if it is there; only `exit` in it ends the shell.
fn source(sh: &mut Shell, file: &str) -> Result<(), Unwind> {
    if let Ok(bytes) = io::read_file(&to_bytes(file))
        && let Err(Unwind::Exit(s)) = sh.run_text(&from_bytes(&bytes))
    {
        return Err(Unwind::Exit(s));
    }
    Ok(())
}

/// Where lines come from, and what was read beyond one.
struct Lines {
    buffer: Vec<u8>,
    /// A regular file or a terminal: more than a line may be read, and given back.
    block: Block,
}

#[derive(PartialEq)]
enum Block {
    /// A terminal gives a line at a time by itself.
    Terminal,
    /// Reading on is undone by seeking back, so that commands can read what follows their line.
    Seekable,
    /// Byte by byte: what is taken from a pipe is gone (POSIX `sh`, STDIN).
    Bytes,
}

impl Lines {
    fn new() -> Lines {
        let block = if tty::isatty(0) {
            Block::Terminal
        } else if io::lseek(0, 0, 1).is_ok() {
            Block::Seekable
        } else {
            Block::Bytes
        };
        Lines { buffer: Vec::new(), block }
    }

    /// A line with its newline; empty at the end. EINTR when a signal came while there was none.
    fn next(&mut self) -> Result<Vec<u8>, Errno> {
        let mut line = Vec::new();
        loop {
            if let Some(at) = self.buffer.iter().position(|&b| b == b'\n') {
                let rest = self.buffer.split_off(at + 1);
                line.append(&mut self.buffer);
                if self.block == Block::Seekable {
                    io::lseek(0, -(rest.len() as i64), 1)?;
                } else {
                    self.buffer = rest;
                }
                return Ok(line);
            }
            line.append(&mut self.buffer);
            let mut chunk = [0; 1024];
            let room = if self.block == Block::Bytes { 1 } else { chunk.len() };
            match io::read(0, &mut chunk[..room]) {
                Ok(0) => return Ok(line),
                Ok(n) => self.buffer.extend_from_slice(&chunk[..n]),
                Err(e) => {
                    self.buffer = line;
                    return Err(e);
                }
            }
        }
    }
}

fn lines(sh: &mut Shell) -> Run {
    let mut input = Lines::new();
    let mut text = String::new();
    let mut start = 1;
    loop {
        if text.is_empty() {
            sh.reap();
        }
        let line = match prompted(sh, &mut input, if text.is_empty() { "PS1" } else { "PS2" }) {
            Ok(Some(l)) => l,
            Err(Ended::By(unwind)) => return Err(unwind),
            // Interrupted: what was typed is gone, here and in the terminal.
            Ok(None) => {
                start += text.matches('\n').count();
                text.clear();
                continue;
            }
            Err(Ended::With(e)) => return Err(sh.fatal(&format!("cannot read standard input: {e}"))),
        };
        // Pressed while the line was typed: the terminal has thrown that away.
        if sh.tty.is_some() && !sh.edits() {
            proc::sigtake(&[sig::INT]);
        }
        let end = line.is_empty();
        if sh.option('v') {
            let _ = io::write_all(2, &line);
        }
        text += &from_bytes(&line);
        if end && text.is_empty() {
            if sh.interactive() {
                let _ = io::write_all(2, b"\n");
            }
            return Ok(sh.status);
        }
        let result = execute(sh, &text, end, start);
        match result {
            Some(Ok(_)) => {}
            Some(Err(Unwind::Exit(s))) => return Err(Unwind::Exit(s)),
            Some(Err(Unwind::Error(s))) if sh.interactive() => {
                sh.status = s;
                (sh.loops, sh.depth, sh.tested) = (0, 0, 0);
                sh.locals.clear();
            }
            Some(Err(Unwind::Break(_) | Unwind::Continue(_) | Unwind::Return(_))) => {}
            Some(Err(e)) => return Err(e),
            // More lines belong to it.
            None => continue,
        }
        start += text.matches('\n').count();
        text.clear();
    }
}

/// Why there are no more lines.
enum Ended {
    With(Errno),
    By(Unwind),
}

/// A line, or nothing when the interrupt key was pressed instead.
fn prompted(sh: &mut Shell, input: &mut Lines, which: &str) -> Result<Option<Vec<u8>>, Ended> {
    if let (true, Some(fd), Some(cooked)) = (std::mem::take(&mut sh.messy), sh.tty, &sh.cooked) {
        // A program that was killed or stopped may have left it raw.
        let _ = tty::tcsetattr(fd, tty::When::Now, cooked);
    }
    loop {
        let edited = match sh.edits() && input.buffer.is_empty() {
            true => {
                let text = sh.prompt_text(which);
                edit::read_line(sh, &text)
            }
            false => None,
        };
        let line = match edited {
            Some(Ok(Entered::Line(l))) => Ok(to_bytes(&l)),
            Some(Ok(Entered::End)) => Ok(Vec::new()),
            Some(Ok(Entered::Nothing)) => {
                sh.status = 130;
                return Ok(None);
            }
            Some(Err(e)) => Err(e),
            None => {
                prompt(sh, which);
                input.next()
            }
        };
        match line {
            Err(Errno::EINTR) => {}
            other => return other.map(Some).map_err(Ended::With),
        }
        match sh.interrupted() {
            Ok(()) if sh.edits() => {
                let _ = io::write_all(2, b"\n");
            }
            Ok(()) => {}
            Err(Unwind::Exit(s)) => return Err(Ended::By(Unwind::Exit(s))),
            Err(_) => {
                input.buffer.clear();
                return Ok(None);
            }
        }
    }
}

/// Runs the commands of a text, or answers nothing if it is not complete.
fn execute(sh: &mut Shell, text: &str, end: bool, start: usize) -> Option<Run> {
    let chars: Vec<char> = text.chars().collect();
    let mut parser = Parser::starting_at(&chars, start).with_aliases(&sh.aliases);
    parser.last = end;
    let list = match parser.whole() {
        Ok(l) => l,
        Err(ParseError::Incomplete(..)) if !end => return None,
        Err(e) => {
            sh.remember(text);
            return Some(Err(sh.syntax_error(e)));
        }
    };
    sh.remember(text);
    Some(sh.run_list(&list))
}

fn prompt(sh: &mut Shell, which: &str) {
    if sh.interactive() {
        let text = sh.prompt_text(which);
        let _ = io::write_all(2, &to_bytes(&text));
    }
}

impl Shell {
    fn remember(&mut self, text: &str) {
        if self.edits() {
            self.history.add(text);
        }
    }

    /// PS1, PS2 or PS4, expanded (POSIX 2.5.3).
    pub fn prompt_text(&mut self, which: &str) -> String {
        let raw = self.get(which).unwrap_or_default();
        if !raw.contains(['$', '`', '\\']) {
            return raw;
        }
        let chars: Vec<char> = raw.chars().collect();
        let (status, trace) = (self.status, self.option('x'));
        self.set_option('x', false);
        let text = match Parser::new(&chars).document() {
            Ok(word) => expand::document(&word, self).unwrap_or(raw),
            Err(_) => raw,
        };
        self.set_option('x', trace);
        self.status = status;
        text
    }
}
