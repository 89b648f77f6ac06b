//! Children: starting them, waiting for them, and whose the terminal is meanwhile.
//!
//! An interactive shell puts each pipeline into a process group of its own and makes it the
//! foreground one of the terminal, so that the interrupt key ends the pipeline and not the shell.

use crate::ast::*;
use crate::builtins;
use crate::exec::spawn_failure;
use crate::expand;
use crate::redir::{PIPE_SIZE, Redirected, Step, private_pipe};
use crate::shell::{Job, Run, Shell, Unwind};
use crate::text::{from_bytes, to_bytes};
use crate::unparse::Script;
use std::rc::Rc;
use vkernel_sys::proc::Disposition;
use vkernel_sys::{Errno, Spawn, fs, io, mode, o, proc, sig, tty, wait};

/// Children of one command while they are being started.
#[derive(Debug, Default)]
pub struct Starting {
    pgid: i32,
    pids: Vec<i32>,
    /// The status when the last element is no child (it failed to start, or it was done here).
    last: Option<i32>,
    /// The status of one before that was done here and failed, for `pipefail`.
    failed_here: Option<i32>,
    foreground: bool,
    /// That it had before it came to the foreground; 0 for a new one.
    number: usize,
    /// What `jobs` calls it; empty where nobody can stop it.
    text: String,
}

/// What has become of a child.
pub enum Change {
    Ended(u32),
    Stopped,
    Continued,
}

impl Change {
    fn of(word: u32) -> Change {
        match word {
            wait::CONTINUED_STATUS => Change::Continued,
            w if w & 0xff == 0x7f => Change::Stopped,
            w => Change::Ended(w),
        }
    }
}

/// `Running`, `Stopped`, `Done`, ... (POSIX jobs, STDOUT).
pub fn state_text(job: &Job) -> String {
    if !job.ended() {
        return if job.stopped { "Stopped" } else { "Running" }.to_string();
    }
    let word = job.pids.last().and_then(|p| p.1).unwrap_or(0);
    match (wait::term_signal(word), wait::shell_status(word)) {
        (Some(s), _) => format!("{}{}", signal_text(s), dumped(word)),
        (None, 0) => "Done".to_string(),
        (None, status) => format!("Done({status})"),
    }
}

/// The shell's own program, for subshells.
fn own_program() -> Vec<u8> {
    if cfg!(target_family = "wasm") {
        return b"/bin/sh".to_vec();
    }
    std::env::current_exe().map(|p| p.as_os_str().as_encoded_bytes().to_vec()).unwrap_or_default()
}

impl Shell {
    fn new_job(&self, foreground: bool) -> Starting {
        Starting { foreground, ..Starting::default() }
    }

    /// Starts one child in the job's process group.
    fn launch(&mut self, job: &mut Starting, spawn: Spawn) -> Result<(), Errno> {
        let mut spawn = spawn;
        let control = self.tty.is_some() && self.option('m');
        if control {
            // The keys are for whatever comes to the foreground, now or later, but for what `trap ''` says.
            let keys = [sig::INT, sig::QUIT, sig::TSTP, sig::TTIN, sig::TTOU];
            let ignored = |s: &u32| self.traps.get(s).is_some_and(|action| action.is_empty());
            let keys: Vec<u32> = keys.into_iter().filter(|s| !ignored(s)).collect();
            spawn = spawn.pgroup(job.pgid).defaults(&keys);
            if job.foreground {
                spawn = spawn.foreground();
            }
        }
        // POSIX 2.11: without job control the keyboard's signals are not for what runs behind.
        let deaf = !control && !job.foreground;
        if deaf {
            self.ignore_keys(true);
        }
        let result = spawn.spawn();
        if deaf {
            self.ignore_keys(false);
        }
        let pid = result?;
        if job.pgid == 0 {
            job.pgid = pid;
        }
        job.pids.push(pid);
        job.last = None;
        Ok(())
    }

    /// What a child ignores is what its parent ignores when it is made.
    fn ignore_keys(&self, ignore: bool) {
        for s in [sig::INT, sig::QUIT] {
            let usual = match self.traps.get(&s) {
                None if self.tty.is_some() && s == sig::INT => Disposition::Catch,
                None if self.tty.is_some() => Disposition::Ignore,
                None => Disposition::Default,
                Some(action) if action.is_empty() => Disposition::Ignore,
                Some(_) => Disposition::Catch,
            };
            let _ = proc::sigaction(s, if ignore { Disposition::Ignore } else { usual });
        }
    }

    fn failed(&mut self, job: &mut Starting, stderr: i32, (status, message): (i32, String)) {
        self.complain_to(stderr, &message);
        job.last = Some(status);
    }

    /// A program as the only command of its pipeline.
    pub fn start_program(
        &mut self,
        argv: &[String],
        assigns: &[(String, String)],
        r: Redirected,
        path: Option<&str>,
    ) -> Starting {
        let mut job = self.new_job(true);
        if self.tty.is_some() {
            job.text = argv.join(" ");
        }
        self.add_program(&mut job, argv, assigns, r, path);
        job
    }

    fn add_program(
        &mut self,
        job: &mut Starting,
        argv: &[String],
        assigns: &[(String, String)],
        r: Redirected,
        path: Option<&str>,
    ) {
        let search = path.or(assigns.iter().find(|a| a.0 == "PATH").map(|a| a.1.as_str()));
        let path = match self.find_program(&argv[0], search) {
            Ok(p) => p,
            Err(e) => return self.failed(job, r.stderr(), e),
        };
        let env = self.environment(assigns);
        let args: Vec<Vec<u8>> = argv.iter().map(|a| to_bytes(a)).collect();
        let spawn = r.add_to(Spawn::new(&to_bytes(&path)).args(&args).envs(&env));
        let mut result = self.launch(job, spawn);
        if result == Err(Errno::ENOEXEC) && is_script(&path) {
            // POSIX 2.9.1.1: a file that is no program is a script for the shell.
            let sh = Spawn::new(&own_program()).arg(b"sh").arg(&to_bytes(&path)).args(&args[1..]).envs(&env);
            result = self.launch(job, r.add_to(sh));
        }
        if let Err(e) = result {
            self.failed(job, r.stderr(), spawn_failure(&argv[0], e));
        }
    }

    /// A subshell that runs a script with this shell's state.
    pub fn start_subshell(&mut self, script: &Script, r: Redirected) -> Starting {
        let mut job = self.new_job(true);
        if self.tty.is_some() {
            job.text = format!("({})", crate::unparse::one_line(&script.text));
        }
        self.add_subshell(&mut job, script, r);
        job
    }

    fn add_subshell(&mut self, job: &mut Starting, script: &Script, r: Redirected) {
        let state = crate::unparse::state(self, &script.lines);
        let strings = ["sh", "--subshell", &state, &script.text, &self.arg0];
        let args = strings.into_iter().chain(self.positional.iter().map(|s| s.as_str())).map(to_bytes);
        let spawn = Spawn::new(&own_program()).args(args).envs(self.environment(&[]));
        if let Err(e) = self.launch(job, r.add_to(spawn)) {
            self.failed(job, 2, (126, format!("cannot start a subshell: {e}")));
        }
    }

    /// Starts the elements of a pipeline; the last one's output goes to `stdout`, if given.
    pub fn start_pipeline(&mut self, commands: &[Command], stdout: Option<i32>, foreground: bool) -> Starting {
        let mut job = self.new_job(foreground);
        if self.tty.is_some() && foreground {
            let texts = commands.iter().map(|c| crate::unparse::one_line(&crate::unparse::command(c).text));
            job.text = texts.collect::<Vec<_>>().join(" | ");
        }
        let mut input: Option<i32> = None;
        for (i, c) in commands.iter().enumerate() {
            let last = i + 1 == commands.len();
            let mut r = Redirected::default();
            if let Some(fd) = input.take() {
                r.steps.push(Step::Dup(fd, 0));
                r.own(fd);
            }
            let mut output = None;
            if !last {
                match private_pipe() {
                    Ok((read, write)) => {
                        r.steps.push(Step::Dup(write, 1));
                        r.own(write);
                        (input, output) = (Some(read), Some(write));
                    }
                    Err(e) => {
                        self.failed(&mut job, 2, (2, format!("cannot make a pipe: {e}")));
                        break;
                    }
                }
            } else if let Some(fd) = stdout {
                r.steps.push(Step::Dup(fd, 1));
            }
            self.add_element(&mut job, c, r, output);
        }
        if let Some(fd) = input {
            let _ = io::close(fd);
        }
        job
    }

    /// One element of a pipeline. `output`: the pipe it writes to, if another one reads that.
    fn add_element(&mut self, job: &mut Starting, c: &Command, mut r: Redirected, output: Option<i32>) {
        let Command::Simple(s) = c else { return self.add_subshell(job, &crate::unparse::command(c), r) };
        let known = s.words.first().map(|w| w.unquoted().0);
        let expands =
            s.words.first().is_some_and(|w| !w.parts.iter().all(|p| matches!(p, Part::Lit(_) | Part::Quoted(_))));
        let here = match &known {
            // Nothing but assignments or redirections: these are a subshell's own business.
            None => return self.add_subshell(job, &crate::unparse::command(c), r),
            // Not known before it is expanded: a program as a rule, but it may turn out otherwise.
            Some(_) if expands => return self.add_subshell(job, &crate::unparse::command(c), r),
            Some(name) => self.functions.contains_key(name) || builtins::find(name).is_some(),
        };
        if here {
            if let (Some(fd), Some(bytes)) = (output, self.captured_output(s))
                && bytes.len() <= PIPE_SIZE
            {
                // It fits into the new pipe, so nobody has to be there to read it yet.
                let status = if io::write_all(fd, &bytes).is_ok() { self.status } else { 1 };
                job.failed_here = Some(status).filter(|s| *s != 0).or(job.failed_here);
                job.last = Some(status);
                return;
            }
            return self.add_subshell(job, &crate::unparse::command(c), r);
        }
        if s.redirs.iter().any(|r| self.may_wait(r)) {
            return self.add_subshell(job, &crate::unparse::command(c), r);
        }
        self.line = s.line;
        // A mistake here ends this element and not the shell: it is in a subshell of its own.
        let argv = expand::words(&s.words, self);
        let assigns: Result<Vec<_>, _> =
            s.assigns.iter().map(|(n, w)| expand::single(w, self).map(|v| (n.clone(), v))).collect();
        let more = self.redirect(&s.redirs);
        match (argv, assigns, more) {
            (Ok(argv), Ok(assigns), Ok(more)) => {
                r.absorb(more);
                self.add_program(job, &argv, &assigns, r, None);
            }
            (Err(e), ..) | (_, Err(e), _) => self.failed(job, 2, (2, e)),
            (.., Err(e)) => self.failed(job, 2, (if e.fatal { 2 } else { 1 }, e.what)),
        }
    }

    /// Opening a FIFO waits for somebody at its other end, who may be one that this shell has yet to start.
    fn may_wait(&mut self, redir: &Redir) -> bool {
        let Some(word) = redir.kind.file() else { return false };
        if word.parts.iter().any(|p| matches!(p, Part::Command(..))) || has_effects(&word.parts) {
            // To be expanded once, by who opens it.
            return true;
        }
        let name = expand::single(word, self);
        name.is_ok_and(|name| fs::stat(&to_bytes(&name)).is_ok_and(|st| st.mode & mode::IFMT == mode::IFIFO))
    }

    /// The output of a builtin that only writes, without a child for it. Its status is in `$?`.
    fn captured_output(&mut self, s: &Simple) -> Option<Vec<u8>> {
        let name = s.words.first()?.unquoted().0;
        let lists = name == "fc" && s.words.get(1).is_some_and(|w| w.unquoted().0.starts_with("-l"));
        let quiet = s.redirs.is_empty() && s.assigns.is_empty() && (lists || builtins::only_writes(&name));
        if !quiet || self.functions.contains_key(&name) || s.words.iter().any(|w| has_effects(&w.parts)) {
            return None;
        }
        let run = builtins::find(&name)?;
        let argv = expand::words(&s.words, self).ok()?;
        if name == "printf" && argv.get(1).is_some_and(|f| crate::output::has_float(f)) {
            return None;
        }
        let outer = self.captured.replace(Vec::new());
        let result = run(self, &argv);
        let bytes = std::mem::replace(&mut self.captured, outer);
        self.status = result.unwrap_or(1);
        bytes
    }

    /// `$(...)`: what a command writes, without the newlines at its end.
    pub fn command_output(&mut self, list: &Rc<List>) -> Result<String, String> {
        let one = match list.0.as_slice() {
            [] => {
                self.substituted = Some(0);
                return Ok(String::new());
            }
            [item] if !item.background && item.and_or.rest.is_empty() && !item.and_or.first.negated => {
                Some(&item.and_or.first.commands)
            }
            _ => None,
        };
        if let Some([Command::Simple(s)]) = one.map(|c| c.as_slice())
            && let Some(bytes) = self.captured_output(s)
        {
            self.substituted = Some(self.status);
            return Ok(trimmed(&bytes));
        }
        let (read, write) = private_pipe().map_err(|e| format!("cannot make a pipe: {e}"))?;
        let mut job = match one {
            Some(commands) => self.start_pipeline(commands, Some(write), true),
            None => {
                let mut r = Redirected::default();
                r.steps.push(Step::Dup(write, 1));
                self.start_subshell(&crate::unparse::list(list), r)
            }
        };
        let _ = io::close(write);
        let bytes = io::read_to_end(read);
        let _ = io::close(read);
        job.foreground = true;
        let status = self.wait_foreground(job).unwrap_or(130);
        self.status = status;
        self.substituted = Some(status);
        bytes.map(|b| trimmed(&b)).map_err(|e| format!("cannot read a command's output: {e}"))
    }

    /// `command &`: answers at once.
    pub fn background(&mut self, a: &AndOr) -> i32 {
        let script = crate::unparse::and_or(a);
        let job = match (a.rest.is_empty() && !a.first.negated).then_some(&a.first.commands) {
            Some(commands) if self.interactive() || commands.len() > 1 => self.start_pipeline(commands, None, false),
            _ => {
                let mut job = self.new_job(false);
                let mut r = Redirected::default();
                // POSIX 2.9.3.1: without job control it may not read what the script reads.
                if !self.interactive()
                    && let Ok(fd) =
                        io::open(b"/dev/null", o::RDONLY | o::CLOEXEC, 0).and_then(crate::redir::make_private)
                {
                    r.steps.push(Step::Dup(fd, 0));
                    r.own(fd);
                }
                match a.first.commands.as_slice() {
                    [c] if a.rest.is_empty() && !a.first.negated => self.add_element(&mut job, c, r, None),
                    _ => self.add_subshell(&mut job, &script, r),
                }
                job
            }
        };
        self.last_background = job.pids.last().copied().or(self.last_background);
        if job.pids.is_empty() {
            return job.last.unwrap_or(0);
        }
        let text = crate::unparse::one_line(&script.text);
        let pids = job.pids.iter().map(|p| (*p, None)).collect();
        let number = self.add_job(Job { number: 0, pgid: job.pgid, pids, stopped: false, own_group: false, text });
        if self.interactive() {
            let line = format!("[{number}] {}\n", job.pids[job.pids.len() - 1]);
            let _ = io::write_all(2, line.as_bytes());
        }
        0
    }

    /// Remembers a job under a new number.
    fn add_job(&mut self, mut job: Job) -> usize {
        if self.jobs.len() >= 64 {
            // A script that never waits leaves no dead children behind.
            self.poll_jobs();
        }
        if job.number == 0 {
            job.number = self.jobs.iter().map(|j| j.number).max().unwrap_or(0) + 1;
        }
        job.own_group = self.tty.is_some() && self.option('m');
        self.jobs.push(job);
        self.jobs[self.jobs.len() - 1].number
    }

    /// The interrupt key may have been pressed after we looked and before the job had the terminal. It was meant for
    /// the job; we would hear of it when that has ended.
    fn pass_interrupt_on(&self, job: &Starting) {
        let control = self.tty.is_some() && self.option('m') && !job.pids.is_empty();
        if control && !self.traps.contains_key(&sig::INT) && proc::sigtake(&[sig::INT]).is_some() {
            // It may have ended already.
            let _ = proc::kill(-job.pgid, sig::INT);
        }
    }

    /// Waits for a job that has the terminal, and takes that back.
    pub fn wait_foreground(&mut self, job: Starting) -> Run {
        let options = if self.tty.is_some() { wait::UNTRACED } else { 0 };
        let mut words = Vec::with_capacity(job.pids.len());
        let mut stopped = false;
        self.pass_interrupt_on(&job);
        for &pid in &job.pids {
            let word = wait_one(pid, options);
            stopped |= word.is_some_and(|w| w & 0xff == 0x7f);
            words.push((pid, word));
        }
        if let (Some(fd), false) = (self.tty, job.pids.is_empty()) {
            // The terminal may be gone; then there is nobody to take it from.
            let _ = tty::tcsetpgrp(fd, self.pgid);
        }
        self.messy |= stopped || words.iter().any(|w| w.1.and_then(wait::term_signal).is_some());
        if stopped {
            return Ok(self.keep_stopped(job, words));
        }
        self.report(words, job.last, job.failed_here)
    }

    fn keep_stopped(&mut self, job: Starting, words: Vec<(i32, Option<u32>)>) -> i32 {
        let signal = words.iter().find_map(|w| w.1.filter(|w| w & 0xff == 0x7f)).map_or(sig::TSTP, |w| w >> 8 & 0xff);
        let pids = words.into_iter().map(|(p, w)| (p, w.filter(|w| w & 0xff != 0x7f))).collect();
        self.add_job(Job { number: job.number, pgid: job.pgid, pids, stopped: true, own_group: true, text: job.text });
        let line = self.job_line(self.jobs.len() - 1, false);
        let _ = io::write_all(2, &to_bytes(&format!("\n{line}")));
        128 + signal as i32
    }

    /// The status of a finished pipeline, with a word about how it died.
    fn report(&mut self, words: Vec<(i32, Option<u32>)>, last: Option<i32>, failed_here: Option<i32>) -> Run {
        let statuses: Vec<i32> = words.iter().map(|w| w.1.map_or(127, |w| wait::shell_status(w) as i32)).collect();
        let word = words.last().and_then(|w| w.1).unwrap_or(0);
        if let Some(s) = wait::term_signal(word) {
            match s {
                sig::INT if self.interactive() => {
                    let _ = io::write_all(2, b"\n");
                    self.status = 130;
                    // The line or the loop that it stood in is over, too.
                    return Err(Unwind::Error(130));
                }
                sig::INT | sig::PIPE => {}
                s => self.complain(&format!("{}{}", signal_text(s), dumped(word))),
            }
        }
        let status = last.or(statuses.last().copied()).unwrap_or(0);
        let failed = statuses.iter().rev().find(|s| **s != 0).copied().or(failed_here);
        Ok(if self.option('P') && status == 0 { failed.unwrap_or(0) } else { status })
    }

    /// Asks what has become of the children in the background.
    pub fn poll_jobs(&mut self) {
        let options = wait::NOHANG | if self.tty.is_some() { wait::UNTRACED | wait::CONTINUED } else { 0 };
        let pids: Vec<i32> = self.jobs.iter().flat_map(|j| &j.pids).filter(|p| p.1.is_none()).map(|p| p.0).collect();
        for pid in pids {
            match proc::waitpid(pid, options) {
                Ok(Some((_, word))) => self.child_changed(pid, Change::of(word)),
                // Somebody else has waited for it.
                Err(Errno::ECHILD) => self.child_changed(pid, Change::Ended(0)),
                _ => {}
            }
        }
    }

    pub fn child_changed(&mut self, pid: i32, change: Change) {
        for j in self.jobs.iter_mut().filter(|j| j.pids.iter().any(|p| p.0 == pid)) {
            match change {
                Change::Ended(word) => j.pids.iter_mut().filter(|p| p.0 == pid).for_each(|p| p.1 = Some(word)),
                Change::Stopped => j.stopped = true,
                Change::Continued => j.stopped = false,
            }
        }
    }

    /// Collects what has ended in the background; says so at a prompt.
    pub fn reap(&mut self) {
        if self.jobs.is_empty() {
            return;
        }
        let stopped: Vec<usize> = self.jobs.iter().filter(|j| j.stopped).map(|j| j.number).collect();
        self.poll_jobs();
        if !self.interactive() {
            return;
        }
        for i in 0..self.jobs.len() {
            let j = &self.jobs[i];
            if j.ended() || j.stopped && !stopped.contains(&j.number) {
                let _ = io::write_all(2, &to_bytes(&self.job_line(i, false)));
            }
        }
        self.jobs.retain(|j| !j.ended());
    }

    /// Brings a job back, as `fg` does, or lets it go on behind.
    pub fn resume(&mut self, index: usize, foreground: bool) -> Run {
        let mut job = self.jobs.remove(index);
        if let (Some(fd), true) = (self.tty, foreground) {
            let _ = tty::tcsetpgrp(fd, job.pgid);
        }
        // It may have ended meanwhile: then waiting says so.
        let _ = proc::kill(-job.pgid, sig::CONT);
        job.stopped = false;
        if !foreground {
            self.jobs.push(job);
            return Ok(0);
        }
        let pids = job.pids.iter().filter(|p| p.1.is_none()).map(|p| p.0).collect();
        let (pgid, number, text) = (job.pgid, job.number, job.text);
        self.wait_foreground(Starting { pgid, pids, foreground: true, number, text, ..Starting::default() })
    }
}

impl Redirected {
    /// More steps after these.
    fn absorb(&mut self, mut other: Redirected) {
        self.steps.append(&mut other.steps);
        other.give_to(self);
    }
}

/// Waits until a child has ended (or stopped): its status word.
pub fn wait_one(pid: i32, options: u32) -> Option<u32> {
    loop {
        match proc::waitpid(pid, options) {
            Ok(Some((_, word))) => return Some(word),
            Ok(None) | Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}

/// True when expanding the word may change a variable.
fn has_effects(parts: &[Part]) -> bool {
    parts.iter().any(|p| match p {
        Part::Lit(_) | Part::Quoted(_) | Part::Command(..) => false,
        Part::Double(inner) => has_effects(inner),
        Part::Arith(w) => w.raw.contains(['=', '+', '-', '$', '`']),
        Part::Param(p) => match &p.op {
            ParamOp::Plain | ParamOp::Length => false,
            ParamOp::Assign(..) | ParamOp::Error(..) => true,
            ParamOp::Default(_, w) | ParamOp::Alternative(_, w) | ParamOp::TrimEnd(_, w) | ParamOp::TrimStart(_, w) => {
                has_effects(&w.parts)
            }
        },
    })
}

fn trimmed(bytes: &[u8]) -> String {
    // A variable cannot hold a NUL.
    let bytes: Vec<u8> = bytes.iter().copied().filter(|&b| b != 0).collect();
    from_bytes(&bytes).trim_end_matches('\n').to_string()
}

/// A text file, as far as its first bytes tell.
fn is_script(path: &str) -> bool {
    let Ok(fd) = io::open(&to_bytes(path), o::RDONLY | o::CLOEXEC, 0) else { return false };
    let mut head = [0; 64];
    let n = io::read(fd, &mut head);
    let _ = io::close(fd);
    n.is_ok_and(|n| !head[..n].contains(&0))
}

/// What is said besides of who left a core dump.
fn dumped(word: u32) -> &'static str {
    if word & wait::CORE != 0 { " (core dumped)" } else { "" }
}

/// `strsignal(3)`.
pub fn signal_text(s: u32) -> &'static str {
    match s {
        sig::HUP => "Hangup",
        sig::INT => "Interrupt",
        sig::QUIT => "Quit",
        sig::ILL => "Illegal instruction",
        sig::TRAP => "Trace trap",
        sig::ABRT => "Aborted",
        sig::BUS => "Bus error",
        sig::FPE => "Arithmetic exception",
        sig::KILL => "Killed",
        sig::SEGV => "Segmentation fault",
        sig::PIPE => "Broken pipe",
        sig::ALRM => "Alarm clock",
        sig::TERM => "Terminated",
        sig::XCPU => "CPU time limit exceeded",
        sig::XFSZ => "File size limit exceeded",
        s => sig::name(s),
    }
}
