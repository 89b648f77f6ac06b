//! Who, where and how the system is.

use crate::options::{Failure, Options};
use crate::say;
use crate::show::{Names, flush_now, human, put};
use crate::space::mounts;
use std::collections::HashMap;
use vkernel_sys::tty::{When, tcgetattr, tcsetattr};
use vkernel_sys::{Errno, Spawn, access, accounts, fs, io, mode, proc, sys};

pub fn clear(_: &[Vec<u8>]) -> Result<i32, Failure> {
    put(b"\x1b[H\x1b[2J\x1b[3J");
    Ok(0)
}

/// Out of whatever a program has left the terminal in.
pub fn reset(_: &[Vec<u8>]) -> Result<i32, Failure> {
    if let Ok(mut settings) = tcgetattr(0) {
        crate::stty::sane(&mut settings);
        // A terminal that can't be set may still be cleared.
        let _ = tcsetattr(0, When::Drain, &settings);
    }
    put(b"\x1bc\x1b[?25h\x1b[0m");
    Ok(0)
}

pub fn sync(_: &[Vec<u8>]) -> Result<i32, Failure> {
    fs::sync().map_err(|e| Failure::new(e.to_string()))?;
    Ok(0)
}

pub fn env(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "iu:0", "env [-i0] [-u NAME] [NAME=VALUE...] [COMMAND [ARGUMENT...]]", true)?;
    let mut vars = if o.has(b'i') { Vec::new() } else { crate::procs::environment() };
    let named = |v: &[u8], name: &[u8]| v.strip_prefix(name).is_some_and(|r| r.first() == Some(&b'='));
    if let Some(name) = o.value(b'u') {
        vars.retain(|v| !named(v, name));
    }
    let mut rest = o.operands.as_slice();
    while let [first, more @ ..] = rest {
        let Some(eq) = first.iter().position(|&b| b == b'=') else { break };
        vars.retain(|v| !named(v, &first[..eq]));
        vars.push(first.clone());
        rest = more;
    }
    let [name, ..] = rest else {
        for v in &vars {
            put(v);
            put(if o.has(b'0') { b"\0" } else { b"\n" });
        }
        return Ok(0);
    };
    flush_now();
    let e = Spawn::new(name).search_path().args(rest).envs(&vars).exec();
    Err(kit::process::not_found(name, e))
}

/// Runs a command, or a shell, with another root directory.
pub fn chroot(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "chroot DIRECTORY [COMMAND [ARGUMENT...]]";
    let o = Options::parse(args, "", USAGE, true)?;
    let [dir, command @ ..] = o.operands.as_slice() else {
        return Err(Failure { status: 125, ..Failure::usage(format!("usage: {USAGE}")) });
    };
    let done = fs::chroot(dir).and_then(|()| fs::chdir(b"/"));
    done.map_err(|e| Failure { status: 125, ..Failure::with(dir, e) })?;
    let shell = [b"/bin/sh".to_vec(), b"-i".to_vec()];
    let command = if command.is_empty() { &shell[..] } else { command };
    flush_now();
    let e = Spawn::new(&command[0]).search_path().args(command).envs(crate::procs::environment()).exec();
    Err(kit::process::not_found(&command[0], e))
}

/// Somebody's ids and groups: the caller's, or those that a user would have.
struct Ids {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

impl Ids {
    fn own(real: bool) -> Ids {
        let (uid, gid) = if real { (proc::getuid(), proc::getgid()) } else { (proc::geteuid(), proc::getegid()) };
        Ids { uid, gid, groups: with_first(gid, proc::getgroups().unwrap_or_default()) }
    }
    fn of(name: &[u8]) -> Result<Ids, Failure> {
        let name = String::from_utf8_lossy(name);
        let wrong = |e| Failure::with(b"/etc/passwd", e);
        let mut user = accounts::user_named(&name).map_err(wrong)?;
        if let (None, Ok(uid)) = (&user, name.parse()) {
            user = accounts::user_with(uid).map_err(wrong)?;
        }
        let user = user.ok_or_else(|| Failure::new(format!("{name}: no such user")))?;
        let groups = accounts::groups_of(&user.name, user.gid).map_err(|e| Failure::with(b"/etc/group", e))?;
        Ok(Ids { uid: user.uid, gid: user.gid, groups })
    }
}

/// The effective group before the others, which may have it once more.
fn with_first(gid: u32, groups: Vec<u32>) -> Vec<u32> {
    let mut all = vec![gid];
    all.extend(groups.into_iter().filter(|g| *g != gid));
    all
}

pub fn id(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "id [-u|-g|-G [-nr]] [USER]...";
    let words = [("user", b'u'), ("group", b'g'), ("groups", b'G'), ("name", b'n'), ("real", b'r')];
    let o = Options::parse_long(args, "ugGnra", &words, USAGE, false)?;
    let one = b"ugG".iter().filter(|f| o.has(**f)).count();
    if one > 1 || one == 0 && (o.has(b'n') || o.has(b'r')) {
        return Err(Failure::new(format!("-n and -r go with one of -u, -g and -G\nusage: {USAGE}")));
    }
    let (users, names) = (Names::users(), Names::groups());
    let show = |id: u32, from: &Names| if o.has(b'n') { from.name(id) } else { id.to_string() };
    let mut status = 0;
    let print = |ids: &Ids| match (o.has(b'u'), o.has(b'g'), o.has(b'G')) {
        (true, ..) => say!("{}", show(ids.uid, &users)),
        (_, true, _) => say!("{}", show(ids.gid, &names)),
        (.., true) => say!("{}", ids.groups.iter().map(|g| show(*g, &names)).collect::<Vec<_>>().join(" ")),
        _ => {
            let list: Vec<String> = ids.groups.iter().map(|g| format!("{g}({})", names.name(*g))).collect();
            let (uid, gid) = (ids.uid, ids.gid);
            say!("uid={uid}({}) gid={gid}({}) groups={}", users.name(uid), names.name(gid), list.join(","));
        }
    };
    if o.operands.is_empty() {
        print(&Ids::own(o.has(b'r')));
    }
    for name in &o.operands {
        match Ids::of(name) {
            Ok(ids) => print(&ids),
            Err(e) => {
                flush_now();
                eprintln!("id: {}", e.message);
                status = 1;
            }
        }
    }
    Ok(status)
}

pub fn groups(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "", "groups [USER]...", false)?;
    let names = Names::groups();
    let list = |ids: &Ids| ids.groups.iter().map(|g| names.name(*g)).collect::<Vec<_>>().join(" ");
    if o.operands.is_empty() {
        say!("{}", list(&Ids::own(false)));
    }
    let mut status = 0;
    for name in &o.operands {
        match Ids::of(name) {
            Ok(ids) => say!("{} : {}", String::from_utf8_lossy(name), list(&ids)),
            Err(e) => {
                flush_now();
                eprintln!("groups: {}", e.message);
                status = 1;
            }
        }
    }
    Ok(status)
}

pub fn whoami(args: &[Vec<u8>]) -> Result<i32, Failure> {
    Options::parse(args, "", "whoami", false)?;
    say!("{}", Names::users().name(proc::geteuid()));
    Ok(0)
}

/// The name of who logged in, whoever that is by now.
pub fn logname(args: &[Vec<u8>]) -> Result<i32, Failure> {
    Options::parse(args, "", "logname", false)?;
    let name = std::env::var("LOGNAME").unwrap_or_else(|_| Names::users().name(proc::getuid()));
    say!("{name}");
    Ok(0)
}

pub fn hostname(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "s", "hostname", false)?;
    if !o.operands.is_empty() {
        return Err(Failure::new("the name is given when the system boots and can't be changed"));
    }
    let names = sys::uname().map_err(|e| Failure::new(e.to_string()))?;
    say!("{}", names.get(1).map_or("", |s| s.as_str()));
    Ok(0)
}

pub fn uname(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "asnrvmo", "uname [-asnrvmo]", false)?;
    let names = sys::uname().map_err(|e| Failure::new(e.to_string()))?;
    let all = o.has(b'a');
    let any = "asnrvmo".bytes().any(|f| o.has(f));
    let fields = [(b's', 0), (b'n', 1), (b'r', 2), (b'v', 3), (b'm', 4)];
    let asked = |f: u8| all || o.has(f) || (f == b's' && !any);
    let mut shown: Vec<&str> =
        fields.iter().filter(|f| asked(f.0)).filter_map(|f| names.get(f.1)).map(|s| s.as_str()).collect();
    if o.has(b'o') {
        shown.push("vkernel");
    }
    say!("{}", shown.join(" "));
    Ok(0)
}

fn proc_text(path: &str) -> Result<String, Failure> {
    let bytes = io::read_file(path.as_bytes()).map_err(|e| Failure::with(path.as_bytes(), e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub fn uptime(args: &[Vec<u8>]) -> Result<i32, Failure> {
    Options::parse(args, "", "uptime", false)?;
    let text = proc_text("/proc/uptime")?;
    let up = text.split(['.', ' ']).next().and_then(|s| s.parse::<u64>().ok()).unwrap_or(0);
    let (days, h, m, s) = (up / 86_400, up / 3600 % 24, up / 60 % 60, up % 60);
    let days = match days {
        0 => String::new(),
        1 => "1 day, ".into(),
        n => format!("{n} days, "),
    };
    say!("up {days}{h}:{m:02}:{s:02}");
    Ok(0)
}

pub fn free(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "bhkm", "free [-bhkm]", false)?;
    let text = proc_text("/proc/meminfo")?;
    let mut values = HashMap::new();
    for line in text.lines() {
        let mut f = line.split_whitespace();
        if let (Some(name), Some(Ok(kib))) = (f.next(), f.next().map(|n| n.parse::<u64>())) {
            values.insert(name.trim_end_matches(':').to_string(), kib * 1024);
        }
    }
    let get = |name: &str| values.get(name).copied().unwrap_or(0);
    let show = |n: u64| match o.last_of(b"bhkm") {
        Some(b'b') => n.to_string(),
        Some(b'h') => human(n),
        Some(b'm') => (n >> 20).to_string(),
        _ => (n >> 10).to_string(),
    };
    let (total, free) = (get("MemTotal"), get("MemFree"));
    say!("{:<6}{:>12}{:>12}{:>12}", "", "total", "used", "free");
    say!("{:<6}{:>12}{:>12}{:>12}", "Mem:", show(total), show(total.saturating_sub(free)), show(free));
    Ok(0)
}

pub fn which(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "a", "which [-a] COMMAND...", false)?;
    let path = std::env::var_os("PATH").map(|p| p.as_encoded_bytes().to_vec()).unwrap_or_default();
    let mut status = if o.operands.is_empty() { 2 } else { 0 };
    for name in &o.operands {
        let mut found = false;
        for dir in path.split(|&b| b == b':') {
            let full = crate::list::join(if dir.is_empty() { b"." } else { dir }, name);
            let full = if name.contains(&b'/') { name.clone() } else { full };
            let program = fs::stat(&full).is_ok_and(|s| s.mode & mode::IFMT == mode::IFREG);
            if program && fs::access(&full, access::X_OK).is_ok() {
                put(&full);
                put(b"\n");
                found = true;
                if !o.has(b'a') || name.contains(&b'/') {
                    break;
                }
            }
        }
        status = status.max(!found as i32);
    }
    Ok(status)
}

pub fn tty(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "s", "tty [-s]", false)?;
    let there = vkernel_sys::tty::isatty(0);
    if !o.has(b's') {
        // Terminals that are attached have a name of their own, the console's other face has not.
        match fs::fstat(0) {
            Ok(s) if there && s.rdev >> 8 == 4 => say!("/dev/tty{}", s.rdev & 0xff),
            Ok(s) if there && s.rdev >> 8 == 136 => say!("/dev/pts/{}", s.rdev & 0xff),
            _ => say!("{}", if there { "/dev/tty" } else { "not a tty" }),
        }
    }
    Ok(!there as i32)
}

pub fn mount(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "mount [-r] -t tmpfs|devfs|procfs DIRECTORY | mount";
    let o = Options::parse(args, "rt:o:", USAGE, false)?;
    let Some(kind) = o.value(b't') else {
        if !o.operands.is_empty() {
            return Err(Failure::usage(format!("-t has to say what to mount\nusage: {USAGE}")));
        }
        for m in mounts()? {
            say!("{} on {} ({})", m.kind, m.place, m.options);
        }
        return Ok(0);
    };
    let mut flags = if o.has(b'r') { 1 } else { 0 };
    for option in o.value(b'o').unwrap_or_default().split(|&b| b == b',') {
        flags |= match option {
            b"ro" => 1,
            b"nosuid" => 2,
            b"noexec" => 8,
            b"" | b"rw" => 0,
            other => return Err(Failure::usage(format!("{}: no such option", String::from_utf8_lossy(other)))),
        };
    }
    // A device may stand before the directory, as in other systems; there is none to name here.
    let Some(place) = o.operands.last() else { return Err(Failure::usage(format!("usage: {USAGE}"))) };
    match fs::mount(kind, place, flags) {
        Ok(()) => Ok(0),
        Err(Errno::ENODEV) => Err(Failure::with(kind, Errno::ENODEV)),
        Err(e) => Err(Failure::with(place, e)),
    }
}

pub fn umount(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "", "umount DIRECTORY...", false)?;
    if o.operands.is_empty() {
        return Err(Failure::usage("wants a directory"));
    }
    for place in &o.operands {
        fs::unmount(place, 0).map_err(|e| Failure::with(place, e))?;
    }
    Ok(0)
}
