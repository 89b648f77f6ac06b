//! `pgrep`, `pkill`, `killall`, `pstree`: processes by what they are, as procps and psmisc have them.

use crate::options::{Failure, Options, number};
use crate::say;
use kit::process::signal;
use kit::procfs::{self, Process};
use posix_regex::{Regex, Syntax};
use std::collections::BTreeMap;
use vkernel_sys::{Errno, accounts, proc, sig};

const COMMON: &str = "[-finovx] [-g GROUP,...] [-P PARENT,...] [-s SESSION,...] [-u USER,...] [-U USER,...] [PATTERN]";

/// pgrep(1)'s own statuses: nobody, a mistake, something worse.
const NOBODY: i32 = 1;
const MISTAKE: i32 = 2;

fn list<T>(o: &Options, letter: u8, read: impl Fn(&str) -> Result<T, Failure>) -> Result<Option<Vec<T>>, Failure> {
    let text = |v: &[u8]| String::from_utf8_lossy(v).into_owned();
    let all: Vec<String> =
        o.values(letter).flat_map(|v| text(v).split(',').map(String::from).collect::<Vec<_>>()).collect();
    if all.is_empty() { Ok(None) } else { all.iter().map(|s| read(s)).collect::<Result<_, _>>().map(Some) }
}

fn user(name: &str) -> Result<u32, Failure> {
    let known = accounts::user_named(name).ok().flatten().map(|u| u.uid);
    let wrong = || Failure { status: MISTAKE, message: format!("invalid user name: {name}") };
    known.or_else(|| name.parse().ok()).ok_or_else(wrong)
}

/// `-TERM` and `-9` are signals, if they are not letters.
fn take_signal(args: &[Vec<u8>]) -> (Option<u32>, Vec<Vec<u8>>) {
    let mut found = None;
    let mut rest = Vec::new();
    for a in args {
        let text = String::from_utf8_lossy(a);
        match text.strip_prefix('-').filter(|n| n.len() > 1 || n.chars().all(|c| c.is_ascii_digit())) {
            Some(name) if found.is_none() && !name.starts_with('-') && signal(name).is_ok() => {
                found = signal(name).ok()
            }
            _ => rest.push(a.clone()),
        }
    }
    (found, rest)
}

/// The processes that all conditions choose, but never we ourselves.
fn chosen(o: &Options) -> Result<Vec<Process>, Failure> {
    let num = |s: &str| number::<i32>(s.as_bytes());
    let (groups, parents, sessions) = (list(o, b'g', num)?, list(o, b'P', num)?, list(o, b's', num)?);
    let (effective, real) = (list(o, b'u', user)?, list(o, b'U', user)?);
    let pattern = match o.operands.as_slice() {
        [] => None,
        [p] => {
            let syntax = Syntax { extended: true, ignore_case: o.has(b'i'), whole: o.has(b'x'), ..Syntax::default() };
            let wrong = |e| Failure { status: MISTAKE, message: format!("{}: {e}", String::from_utf8_lossy(p)) };
            Some(Regex::new(p, syntax).map_err(wrong)?)
        }
        _ => return Err(Failure { status: MISTAKE, message: "only one pattern can be given".into() }),
    };
    let conditions = [groups.is_some(), parents.is_some(), sessions.is_some(), effective.is_some(), real.is_some()];
    if pattern.is_none() && !conditions.contains(&true) {
        return Err(Failure { status: MISTAKE, message: "no matching criteria specified".into() });
    }
    let me = proc::getpid() as i32;
    // 0 is the caller's own.
    let own = |list: &[i32], mine: i32, it: i32| list.iter().any(|&n| if n == 0 { mine == it } else { n == it });
    let (pgid, sid) = (proc::getpgid(0).unwrap_or(0), proc::getsid(0).unwrap_or(0));
    let mut all = procfs::all()?;
    all.retain(|p| {
        let text = if o.has(b'f') { &p.command } else { &p.name };
        let fits = pattern.as_ref().is_none_or(|r| r.is_match(text.as_bytes()))
            && groups.as_ref().is_none_or(|l| own(l, pgid, p.pgid))
            && sessions.as_ref().is_none_or(|l| own(l, sid, p.sid))
            && parents.as_ref().is_none_or(|l| l.contains(&p.ppid))
            && effective.as_ref().is_none_or(|l| l.contains(&p.uid))
            && real.as_ref().is_none_or(|l| l.contains(&p.ruid));
        p.pid != me && fits != o.has(b'v')
    });
    let age = |p: &Process| (p.start, p.pid);
    let one = match o.last_of(b"no") {
        Some(b'n') => all.iter().max_by_key(|p| age(p)).cloned(),
        Some(_) => all.iter().min_by_key(|p| age(p)).cloned(),
        None => return Ok(all),
    };
    Ok(one.into_iter().collect())
}

pub fn pgrep(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let usage = format!("pgrep [-acl] [-d TEXT] {COMMON}");
    let o = Options::parse(args, "acd:fg:ilnoP:s:u:U:vx", &usage, false)?;
    let all = chosen(&o)?;
    let line = |p: &Process| match (o.has(b'a'), o.has(b'l')) {
        (true, _) => format!("{} {}", p.pid, p.command),
        (_, true) => format!("{} {}", p.pid, p.name),
        _ => p.pid.to_string(),
    };
    if o.has(b'c') {
        say!("{}", all.len());
    } else if !all.is_empty() {
        let between = o.value(b'd').map_or("\n".into(), |d| String::from_utf8_lossy(d).into_owned());
        say!("{}", all.iter().map(line).collect::<Vec<_>>().join(&between));
    }
    Ok(if all.is_empty() { NOBODY } else { 0 })
}

/// Sends it to all of them; who has ended meanwhile is not missed. True when one got it.
fn send(all: &[Process], signal: u32) -> bool {
    let mut any = false;
    for p in all {
        match proc::kill(p.pid, signal) {
            Ok(()) => any = true,
            Err(Errno::ESRCH) => {}
            Err(e) => eprintln!("killing pid {} failed: {e}", p.pid),
        }
    }
    any
}

pub fn pkill(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let (given, args) = take_signal(args);
    let usage = format!("pkill [-SIGNAL] [-ce] {COMMON}");
    let o = Options::parse(&args, "cefg:inoP:s:u:U:vx", &usage, false)?;
    let all = chosen(&o)?;
    if o.has(b'e') {
        all.iter().for_each(|p| say!("{} killed (pid {})", p.name, p.pid));
    }
    if o.has(b'c') {
        say!("{}", all.len());
    }
    Ok(if send(&all, given.unwrap_or(sig::TERM)) { 0 } else { NOBODY })
}

pub fn killall(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "killall [-SIGNAL] [-s SIGNAL] [-Iqv] [-u USER] NAME... | killall -l";
    let (mut given, args) = take_signal(args);
    let o = Options::parse(&args, "Ilqs:u:v", USAGE, false)?;
    if o.has(b'l') {
        say!("{}", (1..sig::COUNT).map(sig::name).collect::<Vec<_>>().join(" "));
        return Ok(0);
    }
    if let Some(name) = o.value(b's') {
        given = Some(signal(&String::from_utf8_lossy(name))?);
    }
    let owner = o.value(b'u').map(|u| user(&String::from_utf8_lossy(u))).transpose()?;
    if o.operands.is_empty() && owner.is_none() {
        return Err(Failure { status: 1, message: format!("usage: {USAGE}") });
    }
    let me = proc::getpid() as i32;
    let number = given.unwrap_or(sig::TERM);
    let all = procfs::all()?;
    let mut status = 0;
    let mut kill = |name: Option<&str>| {
        let same = |p: &Process, n: &str| p.name == n || o.has(b'I') && p.name.eq_ignore_ascii_case(n);
        let fits =
            |p: &&Process| p.pid != me && name.is_none_or(|n| same(p, n)) && owner.is_none_or(|uid| p.uid == uid);
        let found: Vec<Process> = all.iter().filter(fits).cloned().collect();
        if !send(&found, number) {
            status = 1;
        }
        if found.is_empty() && !o.has(b'q') {
            eprintln!("{}: no process found", name.unwrap_or("killall"));
        }
        if o.has(b'v') {
            found.iter().for_each(|p| eprintln!("Killed {}({}) with signal {number}", p.name, p.pid));
        }
    };
    if o.operands.is_empty() {
        kill(None);
    }
    o.operands.iter().for_each(|name| kill(Some(&String::from_utf8_lossy(name))));
    Ok(status)
}

/// The lines of a tree: each process under its parent.
fn tree(children: &BTreeMap<i32, Vec<&Process>>, p: &Process, indent: &str, show: &dyn Fn(&Process) -> String) {
    let below = children.get(&p.pid).map_or(&[][..], |c| c);
    for (i, child) in below.iter().enumerate() {
        let last = i + 1 == below.len();
        say!("{indent}{}{}", if last { "`-" } else { "|-" }, show(child));
        tree(children, child, &format!("{indent}{}", if last { "  " } else { "| " }), show);
    }
}

pub fn pstree(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "anp", "pstree [-ap] [PID|USER]", false)?;
    let all = procfs::all()?;
    let mut children: BTreeMap<i32, Vec<&Process>> = BTreeMap::new();
    all.iter().for_each(|p| children.entry(p.ppid).or_default().push(p));
    let show = |p: &Process| {
        let pid = if o.has(b'p') { format!("({})", p.pid) } else { String::new() };
        if o.has(b'a') { format!("{}{pid}", p.command) } else { format!("{}{pid}", p.name) }
    };
    let roots: Vec<&Process> = match o.operands.first() {
        // Whose parent isn't there.
        None => all.iter().filter(|p| !all.iter().any(|q| q.pid == p.ppid)).collect(),
        Some(word) => match number::<i32>(word) {
            Ok(pid) => all.iter().filter(|p| p.pid == pid).collect(),
            Err(_) => {
                let uid = user(&String::from_utf8_lossy(word))?;
                let above = |p: &Process| all.iter().any(|q| q.pid == p.ppid && q.uid == uid);
                all.iter().filter(|p| p.uid == uid && !above(p)).collect()
            }
        },
    };
    for p in &roots {
        say!("{}", show(p));
        tree(&children, p, "  ", &show);
    }
    Ok(roots.is_empty() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_may_stand_among_the_letters() {
        let args = |a: &[&str]| a.iter().map(|s| s.as_bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(take_signal(&args(&["-9", "sh"])), (Some(9), args(&["sh"])));
        assert_eq!(take_signal(&args(&["-f", "-HUP", "-x", "sh"])), (Some(1), args(&["-f", "-x", "sh"])));
        assert_eq!(take_signal(&args(&["-SIGINT", "--help"])), (Some(2), args(&["--help"])));
        assert_eq!(take_signal(&args(&["-fx", "-u", "user"])), (None, args(&["-fx", "-u", "user"])));
    }
}
