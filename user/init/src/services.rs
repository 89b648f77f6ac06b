//! What `/etc/inittab` asks for: programs that run beside the sessions, and are started again when they end.
//!
//! A service is `off` the list, or it runs (`pid`), or it waits for its time (`due`). The main loop tells when a
//! child has ended and asks how long it may sleep.

use crate::say;
use vkernel_sys::{Errno, Spawn, clock, fs, io, mode, o, proc, sig, signal, sys, wait};

pub const TABLE: &[u8] = b"/etc/inittab";
/// One that ended sooner than this after its start waits until then.
const PACE_NS: u64 = 1_000_000_000;
/// How long services have to end when the system does.
const LAST_NS: u64 = 1_000_000_000;

/// When an entry's command runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum When {
    /// Before all others, which wait for its end.
    SysInit,
    /// Before the sessions, which wait for its end.
    Wait,
    Once,
    /// Again and again.
    Respawn,
    /// As the system ends, which waits for it.
    Shutdown,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Entry {
    id: String,
    when: When,
    command: String,
}

#[derive(Debug)]
struct Service {
    entry: Entry,
    pid: Option<i32>,
    started: u64,
    due: Option<u64>,
}

#[derive(Default)]
pub struct Services {
    all: Vec<Service>,
    last: Vec<Entry>,
}

/// The entries, and what is wrong with lines that are none.
fn parse(text: &str) -> (Vec<Entry>, Vec<String>) {
    let (mut entries, mut wrong) = (Vec::new(), Vec::new());
    for (nr, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match entry(line) {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => {}
            Err(why) => wrong.push(format!("/etc/inittab:{nr}: {why}")),
        }
    }
    (entries, wrong)
}

/// `id:runlevels:action:command`, as in inittab(5). There are no run levels here.
fn entry(line: &str) -> Result<Option<Entry>, String> {
    let mut fields = line.splitn(4, ':');
    let mut field = || fields.next().map(str::trim).ok_or("four fields are wanted: id:runlevels:action:command");
    let (id, _, action, command) = (field()?, field()?, field()?, field()?);
    let when = match action {
        "sysinit" => When::SysInit,
        "wait" | "boot" | "bootwait" => When::Wait,
        "once" => When::Once,
        "respawn" => When::Respawn,
        "shutdown" => When::Shutdown,
        "off" => return Ok(None),
        _ => return Err(format!("{action}: no such action; there are sysinit, wait, once, respawn, shutdown and off")),
    };
    if command.is_empty() {
        return Err("there is no command".into());
    }
    Ok(Some(Entry { id: id.into(), when, command: command.into() }))
}

fn now() -> u64 {
    sys::clock_gettime(clock::MONOTONIC).unwrap_or(0)
}

/// The terminal that an entry's name is, if it is there.
fn terminal(id: &str) -> Option<Vec<u8>> {
    let path = format!("/dev/{id}").into_bytes();
    let device = |p: &Vec<u8>| fs::stat(p).is_ok_and(|s| s.mode & mode::IFMT == mode::IFCHR);
    Some(path).filter(|p| id.starts_with("tty") && id != "tty" && device(p))
}

/// Runs it in a session of its own, which the console does not control; on a terminal of its own if it has one.
fn start(entry: &Entry) -> Option<i32> {
    // The shell is gone with `exec`, so that signals reach the program.
    let line =
        if entry.command.starts_with('@') { entry.command[1..].into() } else { format!("exec {}", entry.command) };
    let spawn = Spawn::new(crate::SHELL).default_signals().setsid();
    let spawn = match terminal(&entry.id) {
        Some(path) => spawn.open(0, &path, o::RDWR, 0).dup2(0, 1).dup2(0, 2),
        None => spawn.open(0, b"/dev/null", o::RDWR, 0),
    };
    match spawn.args(["sh", "-c", &line]).envs(crate::environment()).spawn() {
        Ok(pid) => Some(pid),
        Err(e) => {
            say(&format!("{}: cannot start: {e}", entry.id));
            None
        }
    }
}

/// Runs it to its end.
fn run(entry: &Entry) {
    let Some(pid) = start(entry) else { return };
    loop {
        match proc::waitpid(pid, 0) {
            Err(Errno::EINTR) => {}
            Ok(Some((_, status))) if status != 0 => {
                return say(&format!("{}: ended with status {}", entry.id, wait::shell_status(status)));
            }
            _ => return,
        }
    }
}

impl Services {
    /// Reads the table, does what comes before the sessions, and starts the others. Without a table there are none.
    pub fn begin() -> Services {
        let mut services = Services::default();
        let Ok(text) = io::read_file(TABLE) else { return services };
        let (entries, wrong) = parse(&String::from_utf8_lossy(&text));
        wrong.iter().for_each(|w| say(w));
        for early in [When::SysInit, When::Wait] {
            entries.iter().filter(|e| e.when == early).for_each(run);
        }
        for entry in entries {
            match entry.when {
                When::Once | When::Respawn => {
                    services.all.push(Service { entry, pid: None, started: 0, due: Some(0) });
                }
                When::Shutdown => services.last.push(entry),
                _ => {}
            }
        }
        services.start_due();
        services
    }

    /// Nothing to look after.
    pub fn none(&self) -> bool {
        self.all.is_empty() && self.last.is_empty()
    }

    /// Starts those whose time has come.
    pub fn start_due(&mut self) {
        let now = now();
        for s in self.all.iter_mut().filter(|s| s.due.is_some_and(|due| due <= now)) {
            (s.pid, s.started, s.due) = (start(&s.entry), now, None);
            if s.pid.is_none() && s.entry.when == When::Respawn {
                s.due = Some(now + PACE_NS);
            }
        }
    }

    /// How long to sleep until one is due, in nanoseconds; for ever without.
    pub fn sleep(&self) -> u64 {
        let now = now();
        self.all.iter().filter_map(|s| s.due).map(|due| due.saturating_sub(now)).min().unwrap_or(u64::MAX)
    }

    /// A child has ended.
    pub fn ended(&mut self, pid: i32) {
        if let Some(s) = self.all.iter_mut().find(|s| s.pid == Some(pid)) {
            s.pid = None;
            s.due = (s.entry.when == When::Respawn).then(|| now().max(s.started.saturating_add(PACE_NS)));
        }
    }

    /// Ends them, as the system is about to.
    pub fn end(&mut self) {
        self.last.iter().for_each(run);
        let tell = |signal, all: &[Service]| {
            for s in all {
                // It leads its group. It may have ended by itself.
                let _ = s.pid.map(|pid| proc::kill(-pid, signal));
            }
        };
        tell(sig::TERM, &self.all);
        let end = now() + LAST_NS;
        while self.all.iter().any(|s| s.pid.is_some()) {
            while let Ok(Some((pid, _))) = proc::waitpid(-1, wait::NOHANG) {
                self.ended(pid);
            }
            let left = end.saturating_sub(now());
            if left == 0 {
                return tell(sig::KILL, &self.all);
            }
            if self.all.iter().any(|s| s.pid.is_some()) {
                let _ = signal::sigtimedwait(sig::bit(sig::CHLD), left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_entries_or_comments_or_mistakes() {
        let (entries, wrong) = parse(
            "# services\n\n ::sysinit:mkdir -p /run\nlog:2345:respawn:tail -f /a:b\nx::off:y\nno\nz::often:y\nz::once:\n",
        );
        let entry = |id: &str, when, command: &str| Entry { id: id.into(), when, command: command.into() };
        assert_eq!(entries, [entry("", When::SysInit, "mkdir -p /run"), entry("log", When::Respawn, "tail -f /a:b")]);
        assert_eq!(wrong.len(), 3);
        assert!(wrong[0].starts_with("/etc/inittab:6: four fields") && wrong[1].contains("often: no such action"));
    }

    #[test]
    fn what_ends_at_once_waits_for_its_time() {
        let entry = |when| Entry { id: String::new(), when, command: "x".into() };
        let service = |when, pid| Service { entry: entry(when), pid: Some(pid), started: now(), due: None };
        let mut s = Services { all: vec![service(When::Respawn, 7), service(When::Once, 8)], last: Vec::new() };
        assert_eq!(s.sleep(), u64::MAX);
        s.ended(8);
        assert_eq!(s.sleep(), u64::MAX);
        s.ended(7);
        assert!((PACE_NS / 2..=PACE_NS).contains(&s.sleep()), "{}", s.sleep());
        s.all[0].started = 0;
        s.all[0].pid = Some(7);
        s.ended(7);
        assert_eq!(s.sleep(), 0);
    }
}
