//! The state of a shell, and the ways its commands end.

use crate::ast::Command;
use crate::expand::{Context, Expanded};
use crate::history::History;
use crate::keys::Keys;
use crate::parser::Aliases;
use crate::pattern::Directories;
use crate::text::{from_bytes, to_bytes};
use crate::vi::Memory;
use std::collections::BTreeMap;
use std::rc::Rc;
use vkernel_sys::tty::Termios;
use vkernel_sys::{Errno, fs, io, proc};

/// Why the rest of a command is not run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unwind {
    Break(u32),
    Continue(u32),
    Return(i32),
    Exit(i32),
    /// A mistake that ends a script; an interactive shell prompts again (POSIX 2.8.1).
    Error(i32),
}
/// An exit status, or the way out.
pub type Run = Result<i32, Unwind>;

#[derive(Clone, Debug, Default)]
pub struct Var {
    /// None: marked (exported, read-only) but not set.
    pub value: Option<String>,
    pub exported: bool,
    pub readonly: bool,
}

/// `set -o`: the letter, the name.
pub const OPTIONS: [(char, &str); 17] = [
    ('a', "allexport"),
    ('b', "notify"),
    ('h', "hashall"),
    ('m', "monitor"),
    ('E', "emacs"),
    ('I', "ignoreeof"),
    ('L', "nolog"),
    ('V', "vi"),
    ('C', "noclobber"),
    ('e', "errexit"),
    ('f', "noglob"),
    ('i', "interactive"),
    ('n', "noexec"),
    ('u', "nounset"),
    ('v', "verbose"),
    ('x', "xtrace"),
    ('P', "pipefail"),
];

/// Those that have a name only: not in `$-`.
pub const WITHOUT_LETTER: &str = "EILPV";

/// Children that run, or that have ended and were not asked about yet.
#[derive(Debug)]
pub struct Job {
    pub number: usize,
    pub pgid: i32,
    /// With the wait status, once there is one.
    pub pids: Vec<(i32, Option<u32>)>,
    pub stopped: bool,
    /// Its process group is not the shell's.
    pub own_group: bool,
    pub text: String,
}

impl Job {
    /// All of it.
    pub fn ended(&self) -> bool {
        self.pids.iter().all(|p| p.1.is_some())
    }
}

pub struct Shell {
    pub vars: BTreeMap<String, Var>,
    pub functions: BTreeMap<String, Rc<Command>>,
    pub arg0: String,
    pub positional: Vec<String>,
    /// `$?`
    pub status: i32,
    /// `$$`: of the first shell, not of its subshells.
    pub pid: u32,
    pub last_background: Option<i32>,
    /// The letters of the options that are on.
    pub options: String,
    /// The terminal, when this shell controls its jobs.
    pub tty: Option<i32>,
    pub pgid: i32,
    pub jobs: Vec<Job>,
    /// Variables to restore when the function returns.
    pub locals: Vec<Vec<(String, Option<Var>)>>,
    pub exit_trap: Option<String>,
    /// What `trap` said about signals, and those of them that have commands.
    pub traps: BTreeMap<u32, String>,
    pub caught: Vec<u32>,
    pub aliases: Aliases,
    pub history: History,
    pub keys: Keys,
    /// What Ctrl-Y puts back.
    pub killed: String,
    pub vi: Memory,
    /// The terminal as a command found it, and that one may have left it otherwise.
    pub cooked: Option<Termios>,
    pub messy: bool,
    /// The next text is a script of its own: `set -v` shows it.
    pub script: bool,
    /// Above 0 where a failure is looked at: `set -e` does nothing.
    pub tested: usize,
    pub loops: u32,
    pub depth: usize,
    pub line: usize,
    /// Where the output of a builtin goes instead of descriptor 1.
    pub captured: Option<Vec<u8>>,
    /// Of the last command substitution, for `x=$(false)`.
    pub substituted: Option<i32>,
    /// `getopts`: how far into a cluster of letters.
    pub opt_offset: usize,
}

impl Shell {
    /// With the environment's variables.
    pub fn new(arg0: &str) -> Shell {
        let mut sh = Shell {
            vars: BTreeMap::new(),
            functions: BTreeMap::new(),
            arg0: arg0.to_string(),
            positional: Vec::new(),
            status: 0,
            pid: proc::getpid(),
            last_background: None,
            options: String::new(),
            tty: None,
            pgid: 0,
            jobs: Vec::new(),
            locals: Vec::new(),
            exit_trap: None,
            traps: BTreeMap::new(),
            caught: Vec::new(),
            aliases: Aliases::default(),
            history: History::default(),
            keys: Keys::default(),
            killed: String::new(),
            vi: Memory::default(),
            cooked: None,
            messy: false,
            script: false,
            tested: 0,
            loops: 0,
            depth: 0,
            line: 0,
            captured: None,
            substituted: None,
            opt_offset: 0,
        };
        for (name, value) in std::env::vars_os() {
            let name = from_bytes(name.as_encoded_bytes());
            if crate::text::is_name(&name) {
                let value = Some(from_bytes(value.as_encoded_bytes()));
                sh.vars.insert(name, Var { value, exported: true, readonly: false });
            }
        }
        for (name, value) in [("IFS", " \t\n"), ("OPTIND", "1")] {
            sh.vars.insert(name.into(), Var { value: Some(value.into()), ..Var::default() });
        }
        for (name, value) in [("PS2", "> "), ("PS4", "+ ")] {
            sh.vars.entry(name.into()).or_insert_with(|| Var { value: Some(value.into()), ..Var::default() });
        }
        sh.vars.entry("PPID".into()).or_insert(Var { value: Some(proc::getppid().to_string()), ..Var::default() });
        sh.adopt_pwd();
        sh
    }

    /// PWD, if it says where we are; else what the kernel says.
    fn adopt_pwd(&mut self) {
        let here = fs::stat(b".").ok();
        if let Some(pwd) = self.get("PWD")
            && pwd.starts_with('/')
            && let (Ok(there), Some(here)) = (fs::stat(&to_bytes(&pwd)), here)
            && (there.dev, there.ino) == (here.dev, here.ino)
        {
            return;
        }
        if let Ok(cwd) = fs::getcwd() {
            self.vars.insert("PWD".into(), Var { value: Some(from_bytes(&cwd)), exported: true, readonly: false });
        }
    }

    pub fn option(&self, letter: char) -> bool {
        self.options.contains(letter)
    }
    pub fn set_option(&mut self, letter: char, on: bool) {
        self.options.retain(|c| c != letter);
        if on {
            // Lines are edited with the keys of one or the other.
            match letter {
                'E' => self.options.retain(|c| c != 'V'),
                'V' => self.options.retain(|c| c != 'E'),
                _ => {}
            }
            self.options.push(letter);
        }
    }
    pub fn interactive(&self) -> bool {
        self.option('i')
    }

    pub fn get(&self, name: &str) -> Option<String> {
        self.vars.get(name).and_then(|v| v.value.clone())
    }
    /// Sets a variable; an error when it is read-only.
    pub fn set(&mut self, name: &str, value: &str) -> Expanded<()> {
        let export = self.option('a');
        let var = self.vars.entry(name.to_string()).or_default();
        if var.readonly {
            return Err(format!("{name}: is read only"));
        }
        var.value = Some(value.to_string());
        var.exported |= export;
        if name == "OPTIND" {
            self.opt_offset = 0;
        }
        Ok(())
    }

    /// `NAME=VALUE` for a child: what is exported, under the assignments of the command.
    pub fn environment(&self, assigns: &[(String, String)]) -> Vec<Vec<u8>> {
        let own = self.vars.iter().filter(|(n, v)| v.exported && !assigns.iter().any(|a| a.0 == **n));
        let own = own.filter_map(|(n, v)| v.value.as_ref().map(|v| (n, v)));
        own.chain(assigns.iter().map(|(n, v)| (n, v))).map(|(n, v)| to_bytes(&format!("{n}={v}"))).collect()
    }

    /// Says what is wrong, on standard error.
    pub fn complain(&self, what: &str) {
        self.complain_to(2, what);
    }

    /// Says it where a command's standard error would have been.
    pub fn complain_to(&self, fd: i32, what: &str) {
        let name = self.arg0.rsplit('/').next().unwrap_or("sh").trim_start_matches('-');
        let message = match (self.interactive(), self.line) {
            (false, n @ 1..) => format!("{name}: {n}: {what}\n"),
            _ => format!("{name}: {what}\n"),
        };
        // There is nowhere left to say that standard error is closed.
        let _ = io::write_all(fd, &to_bytes(&message));
    }

    /// The output of a builtin.
    pub fn out(&mut self, text: &str) -> Result<(), Errno> {
        let bytes = to_bytes(text);
        match &mut self.captured {
            Some(buf) => {
                buf.extend_from_slice(&bytes);
                Ok(())
            }
            None => io::write_all(1, &bytes),
        }
    }

    /// A mistake: ends a script, or the line of an interactive shell.
    pub fn fatal(&mut self, what: &str) -> Unwind {
        self.complain(what);
        self.status = 2;
        Unwind::Error(2)
    }
}

impl Directories for Shell {
    fn names(&self, dir: &str) -> Vec<String> {
        let entries = fs::read_dir(&to_bytes(dir)).unwrap_or_default();
        entries.iter().map(|e| from_bytes(&e.name)).collect()
    }
    fn exists(&self, path: &str) -> bool {
        fs::lstat(&to_bytes(path)).is_ok()
    }
}

impl Context for Shell {
    fn param(&self, name: &str) -> Option<String> {
        let first = name.chars().next()?;
        match first {
            '?' => Some(self.status.to_string()),
            '$' => Some(self.pid.to_string()),
            '!' => self.last_background.map(|p| p.to_string()),
            '#' => Some(self.positional.len().to_string()),
            '-' => Some(self.options.replace(|c| WITHOUT_LETTER.contains(c), "")),
            '0' if name == "0" => Some(self.arg0.clone()),
            '0'..='9' => name.parse::<usize>().ok().and_then(|n| self.positional.get(n.checked_sub(1)?).cloned()),
            _ => match self.get(name) {
                None if name == "LINENO" => Some(self.line.to_string()),
                value => value,
            },
        }
    }
    fn home(&self, user: &str) -> Option<String> {
        let passwd = from_bytes(&io::read_file(b"/etc/passwd").ok()?);
        let fields = passwd.lines().find_map(|l| l.strip_prefix(user)?.strip_prefix(':'))?;
        fields.split(':').nth(4).map(String::from)
    }
    fn positional(&self) -> Vec<String> {
        self.positional.clone()
    }
    fn assign(&mut self, name: &str, value: &str) -> Expanded<()> {
        if !crate::text::is_name(name) {
            return Err(format!("{name}: can't be assigned to"));
        }
        self.set(name, value)
    }
    fn substitute(&mut self, _: &str, list: &Rc<crate::ast::List>) -> Expanded<String> {
        self.command_output(list)
    }
    fn nounset(&self) -> bool {
        self.option('u')
    }
    fn noglob(&self) -> bool {
        self.option('f')
    }
}
