//! `jobs`, `fg`, `bg`, `kill` and `wait`: what a person or a script says about children.

use crate::builtins::{mistake, write};
use crate::jobs::{Change, state_text};
use crate::shell::{Job, Run, Shell, Unwind};
use crate::traps::signal_number;
use vkernel_sys::{Errno, proc, sig, wait};

impl Shell {
    /// The current job and the one before (`%+`, `%-`): stopped ones first, then the latest.
    fn current_jobs(&self) -> [Option<usize>; 2] {
        let rank = |&i: &usize| (self.jobs[i].stopped, i);
        let first = (0..self.jobs.len()).max_by_key(rank);
        [first, (0..self.jobs.len()).filter(|i| Some(*i) != first).max_by_key(rank)]
    }

    fn mark_of(&self, i: usize) -> char {
        match self.current_jobs() {
            [Some(c), _] if c == i => '+',
            [_, Some(c)] if c == i => '-',
            _ => ' ',
        }
    }

    /// A line as `jobs` and notices show it (POSIX jobs, STDOUT).
    pub fn job_line(&self, i: usize, long: bool) -> String {
        let (j, mark) = (&self.jobs[i], self.mark_of(i));
        let pid = if long { format!("{} ", j.pids.first().map_or(0, |p| p.0)) } else { String::new() };
        format!("[{}] {mark} {pid}{:<10} {}\n", j.number, state_text(j), j.text)
    }

    /// The job that `%n`, `%%`, `%-`, `%name` or `%?part` means (POSIX 3.182, job ID).
    fn find_job(&self, name: &str) -> Result<usize, &'static str> {
        let id = name.strip_prefix('%').ok_or("not a job")?;
        let found = |i: Option<usize>| i.ok_or("no such job");
        if id.chars().all(|c| c.is_ascii_digit()) && !id.is_empty() {
            return found(self.jobs.iter().position(|j| Some(j.number) == id.parse().ok()));
        }
        match id {
            "" | "%" | "+" => found(self.current_jobs()[0]),
            "-" => found(self.current_jobs()[1].or(self.current_jobs()[0])),
            id => {
                let fits = |j: &&Job| match id.strip_prefix('?') {
                    Some(part) => j.text.contains(part),
                    None => j.text.starts_with(id),
                };
                match self.jobs.iter().filter(fits).count() {
                    0 => Err("no such job"),
                    1 => found(self.jobs.iter().position(|j| fits(&j))),
                    _ => Err("ambiguous job"),
                }
            }
        }
    }
}

/// `jobs [-lp] [JOB...]`
pub fn jobs(sh: &mut Shell, argv: &[String]) -> Run {
    let (mut long, mut pids, mut args) = (false, false, &argv[1..]);
    while let Some(letters) = args.first().and_then(|a| a.strip_prefix('-')) {
        for c in letters.chars() {
            match c {
                'l' => long = true,
                'p' => pids = true,
                '-' => {}
                c => return mistake(sh, argv, &format!("-{c}: no such option")),
            }
        }
        args = &args[1..];
    }
    sh.poll_jobs();
    let mut wanted: Vec<usize> = (0..sh.jobs.len()).collect();
    if !args.is_empty() {
        wanted.clear();
        for a in args {
            match sh.find_job(a) {
                Ok(i) => wanted.push(i),
                Err(e) => return mistake(sh, argv, &format!("{a}: {e}")),
            }
        }
    }
    // By number; there are few.
    for i in 1..wanted.len() {
        for k in (1..=i).rev() {
            if sh.jobs[wanted[k]].number < sh.jobs[wanted[k - 1]].number {
                wanted.swap(k, k - 1);
            }
        }
    }
    let line = |&i: &usize| match pids {
        true => sh.jobs[i].pids.first().map(|p| format!("{}\n", p.0)).unwrap_or_default(),
        false => sh.job_line(i, long),
    };
    let lines: String = wanted.iter().map(line).collect();
    if !pids {
        // Said once. A script may still wait for them and is told their status then.
        let interactive = sh.interactive();
        sh.jobs.retain(|j| !(interactive && j.ended()));
    }
    write(sh, argv, &lines)
}

/// `fg` and `bg`.
pub fn job_control(sh: &mut Shell, argv: &[String], foreground: bool) -> Run {
    if sh.tty.is_none() || !sh.option('m') {
        return mistake(sh, argv, "no job control: this shell is not interactive");
    }
    let names: Vec<String> = if argv.len() > 1 { argv[1..].to_vec() } else { vec!["%+".into()] };
    let mut status = 0;
    for name in names {
        let name = if name.starts_with('%') { name } else { format!("%{name}") };
        match sh.find_job(&name) {
            Ok(i) => {
                let j = &sh.jobs[i];
                let line = if foreground { format!("{}\n", j.text) } else { format!("[{}] {}\n", j.number, j.text) };
                write(sh, argv, &line)?;
                status = sh.resume(i, foreground)?;
            }
            Err(e) => return mistake(sh, argv, &format!("{name}: {e}")),
        }
    }
    Ok(status)
}

/// `kill -l [STATUS...]`
fn list_signals(sh: &mut Shell, argv: &[String], of: &[String]) -> Run {
    if of.is_empty() {
        let names: Vec<&str> = (1..sig::COUNT).map(sig::name).collect();
        return write(sh, argv, &(names.join(" ") + "\n"));
    }
    for s in of {
        let line = match (s.parse::<u32>(), signal_number(s)) {
            (Ok(n), _) if (1..sig::COUNT).contains(&(n & 0x7f)) => sig::name(n & 0x7f).to_string(),
            (Err(_), Some(n)) => n.to_string(),
            _ => return mistake(sh, argv, &format!("{s}: no such signal")),
        };
        write(sh, argv, &(line + "\n"))?;
    }
    Ok(0)
}

/// `kill [-SIGNAL | -s SIGNAL] PID|JOB...`
pub fn kill(sh: &mut Shell, argv: &[String]) -> Run {
    let mut signal = sig::TERM;
    let mut targets = &argv[1..];
    if let Some(first) = targets.first().and_then(|a| a.strip_prefix('-'))
        && first != "-"
    {
        if first == "l" {
            return list_signals(sh, argv, &targets[1..]);
        }
        let (name, used) = match first {
            "s" | "n" => (targets.get(1).map(|s| s.as_str()).unwrap_or(""), 2),
            name => (name, 1),
        };
        match signal_number(name) {
            Some(n) => signal = n,
            None => return mistake(sh, argv, &format!("{name}: no such signal")),
        }
        targets = &targets[used.min(targets.len())..];
    }
    if targets.first().is_some_and(|a| a == "--") {
        targets = &targets[1..];
    }
    if targets.is_empty() {
        return mistake(sh, argv, "wants a process: kill [-SIGNAL] PID|%JOB...");
    }
    let mut status = 0;
    for t in targets {
        let pids: Vec<i32> = match sh.find_job(t) {
            Ok(i) if sh.jobs[i].own_group => vec![-sh.jobs[i].pgid],
            Ok(i) => sh.jobs[i].pids.iter().map(|p| p.0).collect(),
            Err(_) => t.parse().into_iter().collect(),
        };
        if pids.is_empty() {
            sh.complain(&format!("kill: {t}: no such process or job"));
            status = 1;
        }
        for pid in pids {
            let mut done = proc::kill(pid, signal);
            // A stopped job would not notice before it goes on.
            if done.is_ok() && pid < 0 && matches!(signal, sig::TERM | sig::HUP) {
                done = proc::kill(pid, sig::CONT);
            }
            if let Err(e) = done {
                sh.complain(&format!("kill: {t}: {e}"));
                status = 1;
            }
        }
    }
    Ok(status)
}

/// `wait [PID|JOB...]`
pub fn wait_for(sh: &mut Shell, argv: &[String]) -> Run {
    let args = if argv.get(1).is_some_and(|a| a == "--") { &argv[2..] } else { &argv[1..] };
    if args.is_empty() {
        let unfinished = |j: &&Job| !j.stopped;
        let pids: Vec<i32> =
            sh.jobs.iter().filter(unfinished).flat_map(|j| &j.pids).filter(|p| p.1.is_none()).map(|p| p.0).collect();
        for pid in pids {
            match wait_child(sh, pid)? {
                Waited::Ended(word) => note(sh, pid, word),
                Waited::Signal(s) => return Ok(128 + s as i32),
            }
        }
        sh.jobs.retain(|j| !j.ended());
        return Ok(0);
    }
    let mut status = 0;
    for name in args {
        let pid = match sh.find_job(name) {
            Ok(i) => sh.jobs[i].pids.last().map(|p| p.0),
            Err(_) if name.starts_with('%') => {
                status = 127;
                continue;
            }
            Err(_) => name.parse().ok(),
        };
        let Some(pid) = pid else { return mistake(sh, argv, &format!("{name}: not a process")) };
        let known = sh.jobs.iter().flat_map(|j| &j.pids).find(|p| p.0 == pid).and_then(|p| p.1);
        let word = match known {
            Some(word) => Some(word),
            None => match wait_child(sh, pid)? {
                Waited::Ended(word) => word,
                Waited::Signal(s) => return Ok(128 + s as i32),
            },
        };
        status = word.map_or(127, |w| wait::shell_status(w) as i32);
        note(sh, pid, word);
        sh.jobs.retain(|j| !j.ended());
    }
    Ok(status)
}

enum Waited {
    Ended(Option<u32>),
    /// A signal with a `trap` came first.
    Signal(u32),
}

/// Waits for a child; the interrupt key and signals with a trap end that (POSIX 2.12).
fn wait_child(sh: &mut Shell, pid: i32) -> Result<Waited, Unwind> {
    loop {
        match proc::waitpid(pid, 0) {
            Ok(Some((_, word))) => return Ok(Waited::Ended(Some(word))),
            Ok(None) | Err(Errno::EINTR) => {
                if let Some(s) = sh.signal_taken()? {
                    return Ok(Waited::Signal(s));
                }
            }
            Err(_) => return Ok(Waited::Ended(None)),
        }
    }
}

/// A job's process has ended; nobody knows how when its word is missing.
fn note(sh: &mut Shell, pid: i32, word: Option<u32>) {
    sh.child_changed(pid, Change::Ended(word.unwrap_or(0)));
}
