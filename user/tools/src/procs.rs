//! `ps`, `kill`, `time`, `timeout`: processes.

use crate::options::{Failure, Options, number};
use crate::say;
use crate::show::{Names, flush_now, human};
use kit::process::{not_found, signal};
use kit::procfs;
use vkernel_sys::{Spawn, io, proc, sig, sys, wait};

/// Asks on standard error; yes begins with a y.
pub fn confirm(question: &str) -> bool {
    let _ = io::write_all(2, question.as_bytes());
    let mut answer = [0; 256];
    let n = io::read(0, &mut answer).unwrap_or(0);
    matches!(answer[..n].first(), Some(b'y' | b'Y'))
}

pub fn ps(args: &[Vec<u8>]) -> Result<i32, Failure> {
    // `ps ax` and `ps aux` have no minus.
    let args: Vec<Vec<u8>> = args.iter().filter(|a| !a.iter().all(|b| b"auxwef".contains(b))).cloned().collect();
    Options::parse(&args, "aAefluwxj", "ps [-aAefjluwx]: every process there is", false)?;
    let all = procfs::all()?;
    let users = Names::users();
    say!("{:<8} {:>5} {:>5} {:>5} S {:>6} {:>8} COMMAND", "USER", "PID", "PPID", "PGID", "MEM", "TIME");
    for p in &all {
        let (seconds, hundredths) = (p.cpu / 100, p.cpu % 100);
        let time = format!("{}:{:02}.{hundredths:02}", seconds / 60, seconds % 60);
        let (user, mem) = (users.name(p.uid), human(p.size));
        say!("{user:<8} {:>5} {:>5} {:>5} {} {mem:>6} {time:>8} {}", p.pid, p.ppid, p.pgid, p.state, p.command);
    }
    Ok(0)
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
    Spawn::new(&argv[0]).search_path().args(argv).envs(env).spawn().map_err(|e| not_found(&argv[0], e))
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
