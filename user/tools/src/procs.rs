//! `ps`, `kill`, `time`, `timeout`: processes.

use crate::options::{Failure, Options, number};
use crate::say;
use crate::show::{Names, flush_now, human};
use vkernel_sys::{Errno, Spawn, fs, io, proc, sig, sys, wait};

/// Asks on standard error; yes begins with a y.
pub fn confirm(question: &str) -> bool {
    let _ = io::write_all(2, question.as_bytes());
    let mut answer = [0; 256];
    let n = io::read(0, &mut answer).unwrap_or(0);
    matches!(answer[..n].first(), Some(b'y' | b'Y'))
}

/// What `/proc/PID/stat` says (proc_pid_stat(5)).
#[derive(Debug, PartialEq)]
struct Process {
    pid: i32,
    name: String,
    state: char,
    ppid: i32,
    pgid: i32,
    /// In hundredths of a second.
    cpu: u64,
    size: u64,
}

fn parse(text: &str) -> Option<Process> {
    // The name may hold blanks and parentheses; the last one ends it.
    let (pid, rest) = text.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let f: Vec<&str> = rest.split_whitespace().collect();
    let n = |i: usize| f.get(i).and_then(|s| s.parse::<u64>().ok()).unwrap_or(0);
    Some(Process {
        pid: pid.parse().ok()?,
        name: name.to_string(),
        state: f.first()?.chars().next()?,
        ppid: n(1) as i32,
        pgid: n(2) as i32,
        cpu: n(11) + n(12),
        size: n(20),
    })
}

pub fn ps(args: &[Vec<u8>]) -> Result<i32, Failure> {
    // `ps ax` and `ps aux` have no minus.
    let args: Vec<Vec<u8>> = args.iter().filter(|a| !a.iter().all(|b| b"auxwef".contains(b))).cloned().collect();
    Options::parse(&args, "aAefluwxj", "ps [-aAefjluwx]: every process there is", false)?;
    let names = fs::read_dir(b"/proc").map_err(|e| Failure::with(b"/proc", e))?;
    let mut all = Vec::new();
    for n in names {
        let dir = format!("/proc/{}", String::from_utf8_lossy(&n.name));
        if !n.name.iter().all(u8::is_ascii_digit) {
            continue;
        }
        // One that has ended since is not worth a word.
        let Ok(text) = io::read_file(format!("{dir}/stat").as_bytes()) else { continue };
        let Some(p) = parse(&String::from_utf8_lossy(&text)) else { continue };
        let uid = fs::stat(dir.as_bytes()).map(|s| s.uid).unwrap_or(0);
        let line = io::read_file(format!("{dir}/cmdline").as_bytes()).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ");
        let line = if line.is_empty() { format!("[{}]", p.name) } else { line };
        all.push((p, uid, line));
    }
    all.sort_by_key(|p| p.0.pid);
    let users = Names::users();
    say!("{:<8} {:>5} {:>5} {:>5} S {:>6} {:>8} COMMAND", "USER", "PID", "PPID", "PGID", "MEM", "TIME");
    for (p, uid, line) in &all {
        let (seconds, hundredths) = (p.cpu / 100, p.cpu % 100);
        let time = format!("{}:{:02}.{hundredths:02}", seconds / 60, seconds % 60);
        let (user, mem) = (users.name(*uid), human(p.size));
        say!("{user:<8} {:>5} {:>5} {:>5} {} {mem:>6} {time:>8} {line}", p.pid, p.ppid, p.pgid, p.state);
    }
    Ok(0)
}

fn signal(name: &str) -> Result<u32, Failure> {
    let known = name.parse().ok().or_else(|| sig::from_name(&name.to_uppercase()));
    known.filter(|n| *n < sig::COUNT).ok_or_else(|| Failure::usage(format!("{name}: no such signal")))
}

pub fn kill(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "kill [-s SIGNAL|-SIGNAL] PID... | kill -l";
    let args: Vec<String> = args.iter().map(|a| String::from_utf8_lossy(a).into_owned()).collect();
    let args: Vec<&str> = args.iter().map(|s| s.as_str()).collect();
    let (number, pids) = match args.as_slice() {
        ["-l", ..] => {
            let names: Vec<&str> = (1..sig::COUNT).map(sig::name).collect();
            say!("{}", names.join(" "));
            return Ok(0);
        }
        ["-s", name, pids @ ..] => (signal(name)?, pids),
        ["--", pids @ ..] => (sig::TERM, pids),
        [first, pids @ ..] if first.starts_with('-') => (signal(&first[1..])?, pids),
        pids => (sig::TERM, pids),
    };
    let pids = if pids.first() == Some(&"--") { &pids[1..] } else { pids };
    if pids.is_empty() {
        return Err(Failure::usage(format!("wants processes\nusage: {USAGE}")));
    }
    let mut status = 0;
    for p in pids {
        let pid = p.parse::<i32>().map_err(|_| Failure::usage(format!("{p}: not a process\nusage: {USAGE}")))?;
        if let Err(e) = proc::kill(pid, number) {
            eprintln!("kill: {pid}: {e}");
            status = 1;
        }
    }
    Ok(status)
}

/// Starts a command as a shell would.
pub fn start(argv: &[Vec<u8>], env: &[Vec<u8>]) -> Result<i32, Failure> {
    flush_now();
    Spawn::new(&argv[0]).search_path().args(argv).envs(env).spawn().map_err(|e| {
        let status = if e == Errno::ENOENT { 127 } else { 126 };
        Failure { status, ..Failure::with(&argv[0], e) }
    })
}

/// Our own environment, as it was given.
pub fn environment() -> Vec<Vec<u8>> {
    std::env::vars_os().map(|(n, v)| [n.as_encoded_bytes(), v.as_encoded_bytes()].join(&b'=')).collect()
}

pub fn time(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "p", "time [-p] COMMAND [ARGUMENT...]", true)?;
    if o.operands.is_empty() {
        return Err(Failure::usage("wants a command"));
    }
    let now = || sys::clock_gettime(1).unwrap_or(0);
    let before = now();
    let pid = start(&o.operands, &environment())?;
    let word = proc::waitpid(pid, 0).ok().flatten().map_or(wait::exited(127), |w| w.1);
    let real = now() - before;
    let used = proc::getrusage(-1).unwrap_or_default();
    for (name, ns) in [("real", real), ("user", used.utime_ns), ("sys", used.stime_ns)] {
        eprintln!("{name} {}.{:03}", ns / 1_000_000_000, ns / 1_000_000 % 1000);
    }
    Ok(wait::shell_status(word) as i32)
}

pub fn timeout(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "timeout [-s SIGNAL] [-k SECONDS] SECONDS COMMAND [ARGUMENT...]";
    const STEP_NS: u64 = 5_000_000;
    let o = Options::parse(args, "s:k:", USAGE, true)?;
    let [limit, command @ ..] = o.operands.as_slice() else { return Err(Failure::usage(format!("usage: {USAGE}"))) };
    if command.is_empty() {
        return Err(Failure::usage(format!("wants a command\nusage: {USAGE}")));
    }
    let ns = |text: &[u8]| number::<f64>(text.strip_suffix(b"s").unwrap_or(text)).map(|s| (s.max(0.0) * 1e9) as u64);
    let limit = ns(limit)?;
    let kill_after = o.value(b'k').map(ns).transpose()?;
    let number = o.value(b's').map_or(Ok(sig::TERM), |s| signal(&String::from_utf8_lossy(s)))?;
    let start_ns = sys::clock_gettime(1).unwrap_or(0);
    let pid = start(command, &environment())?;
    let mut sent = None;
    loop {
        if let Ok(Some((_, word))) = proc::waitpid(pid, wait::NOHANG) {
            // As GNU has it: who had to be killed tells so.
            let killed = wait::term_signal(word) == Some(sig::KILL);
            return Ok(if sent.is_some() && !killed { 124 } else { wait::shell_status(word) as i32 });
        }
        let now = sys::clock_gettime(1).unwrap_or(0) - start_ns;
        match (sent, kill_after) {
            // The child may be gone before it is told to go.
            (None, _) if limit > 0 && now >= limit => {
                let _ = proc::kill(pid, number);
                sent = Some(now);
            }
            (Some(at), Some(after)) if now >= at + after => {
                let _ = proc::kill(pid, sig::KILL);
            }
            _ => {}
        }
        // There is no wait with a time yet, so it is asked for now and then.
        let _ = sys::clock_nanosleep(1, 0, STEP_NS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_have_any_name() {
        let line = "7 (a) b (c) S 1 7 7 34816 7 0 0 0 0 0 250 5 0 0 20 0 1 0 12 1114112 272 0\n";
        let p = parse(line).unwrap();
        assert_eq!((p.pid, p.name.as_str(), p.state, p.ppid, p.pgid), (7, "a) b (c", 'S', 1, 7));
        assert_eq!((p.cpu, p.size), (255, 1_114_112));
        assert_eq!(parse("nonsense"), None);
    }
}
