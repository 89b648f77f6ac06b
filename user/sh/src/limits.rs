//! `ulimit`, `umask` and `times`: what the kernel keeps for a process.

use crate::builtins::{mistake, write};
use crate::shell::{Run, Shell};
use vkernel_sys::{proc, rlimit};

/// Letter, resource, unit in bytes (or seconds, or things), what it is.
const LIMITS: [(char, u32, u64, &str); 8] = [
    ('c', rlimit::CORE, 512, "core file size (blocks)"),
    ('d', rlimit::DATA, 1024, "data (KiB)"),
    ('f', rlimit::FSIZE, 512, "file size (blocks)"),
    ('i', rlimit::SIGPENDING, 1, "timers"),
    ('n', rlimit::NOFILE, 1, "open files"),
    ('t', rlimit::CPU, 1, "CPU time (seconds)"),
    ('u', rlimit::NPROC, 1, "processes"),
    ('v', rlimit::AS, 1024, "memory (KiB)"),
];

fn show(value: u64, unit: u64) -> String {
    if value == rlimit::INFINITY { "unlimited".into() } else { (value / unit).to_string() }
}

pub fn ulimit(sh: &mut Shell, argv: &[String]) -> Run {
    let (mut hard, mut soft, mut all, mut letter, mut value) = (false, false, false, 'f', None);
    for a in &argv[1..] {
        match a.strip_prefix('-') {
            Some(letters) => {
                for c in letters.chars() {
                    match c {
                        'H' => hard = true,
                        'S' => soft = true,
                        'a' => all = true,
                        c if LIMITS.iter().any(|l| l.0 == c) => letter = c,
                        c => return mistake(sh, argv, &format!("-{c}: no such limit")),
                    }
                }
            }
            None => value = Some(a.as_str()),
        }
    }
    if all {
        let lines: String = LIMITS
            .iter()
            .filter_map(|l| proc::getrlimit(l.1).ok().map(|v| (l, if hard { v.1 } else { v.0 })))
            .map(|(l, v)| format!("-{} {:<26}{}\n", l.0, l.3, show(v, l.2)))
            .collect();
        return write(sh, argv, &lines);
    }
    let Some(&(_, resource, unit, _)) = LIMITS.iter().find(|l| l.0 == letter) else { return Ok(2) };
    let (old_soft, old_hard) = match proc::getrlimit(resource) {
        Ok(v) => v,
        Err(e) => return mistake(sh, argv, &e.to_string()),
    };
    let new = match value {
        None => return write(sh, argv, &(show(if hard { old_hard } else { old_soft }, unit) + "\n")),
        Some("unlimited") => rlimit::INFINITY,
        Some(v) => match v.parse::<u64>().ok().and_then(|v| v.checked_mul(unit)) {
            Some(v) => v,
            None => return mistake(sh, argv, &format!("{v}: not a number")),
        },
    };
    let both = hard == soft;
    let (s, h) = (if both || soft { new } else { old_soft }, if both || hard { new } else { old_hard });
    match proc::setrlimit(resource, s, h) {
        Ok(()) => Ok(0),
        Err(e) => mistake(sh, argv, &e.to_string()),
    }
}

pub fn umask(sh: &mut Shell, argv: &[String]) -> Run {
    let old = proc::umask(0o22);
    proc::umask(old);
    match argv.get(1).map(|s| s.as_str()) {
        None => write(sh, argv, &format!("{old:04o}\n")),
        Some("-S") => {
            let class = |shift: u32| {
                let m = !old >> shift & 7;
                [(4, 'r'), (2, 'w'), (1, 'x')].iter().filter(|b| m & b.0 != 0).map(|b| b.1).collect::<String>()
            };
            write(sh, argv, &format!("u={},g={},o={}\n", class(6), class(3), class(0)))
        }
        Some(m) => match u32::from_str_radix(m, 8).ok().or_else(|| symbolic(m, old)) {
            Some(m) if m <= 0o777 => {
                proc::umask(m);
                Ok(0)
            }
            _ => mistake(sh, argv, &format!("{m}: not a mode")),
        },
    }
}

/// `u=rwx,g+w,o-x` as a mask (POSIX chmod, EXTENDED DESCRIPTION: what a mask lets through).
fn symbolic(text: &str, mask: u32) -> Option<u32> {
    let mut allowed = !mask & 0o777;
    for clause in text.split(',') {
        let ops = clause.find(['+', '-', '='])?;
        let (who, mut rest) = clause.split_at(ops);
        let mut classes = 0;
        for c in who.chars() {
            classes |= match c {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        let classes = if who.is_empty() { 0o777 } else { classes };
        while let Some(op) = rest.chars().next() {
            let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |e| e + 1);
            let mut bits = 0;
            for c in rest[1..end].chars() {
                bits |= match c {
                    'r' => 0o444,
                    'w' => 0o222,
                    'x' | 'X' => 0o111,
                    's' | 't' => 0,
                    'u' => (allowed >> 6 & 7) * 0o111,
                    'g' => (allowed >> 3 & 7) * 0o111,
                    'o' => (allowed & 7) * 0o111,
                    _ => return None,
                };
            }
            allowed = match op {
                '+' => allowed | bits & classes,
                '-' => allowed & !(bits & classes),
                _ => allowed & !classes | bits & classes,
            };
            rest = &rest[end..];
        }
    }
    Some(!allowed & 0o777)
}

pub fn times(sh: &mut Shell, argv: &[String]) -> Run {
    let mut lines = String::new();
    for who in [0, -1] {
        let u = proc::getrusage(who).unwrap_or_default();
        let show =
            |ns: u64| format!("{}m{}.{:06}s", ns / 60_000_000_000, ns / 1_000_000_000 % 60, ns / 1000 % 1_000_000);
        lines += &format!("{} {}\n", show(u.utime_ns), show(u.stime_ns));
    }
    write(sh, argv, &lines)
}
