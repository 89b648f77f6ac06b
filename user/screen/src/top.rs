//! `top`: what the processes do, again and again.

use crate::term::{Key, Screen};
use kit::options::{Failure, Options, number};
use kit::procfs::{self, Process};
use kit::show::{Names, human, put};
use std::collections::HashMap;
use vkernel_sys::{clock, io, sys};

const USAGE: &str = "top [-b] [-d SECONDS] [-n TIMES] [-p PID]...";

/// On fewer columns (a phone has some 50) what a program is called is worth more than its parent, nice value and time.
const NARROW: usize = 66;

/// A process, and what it used of the time since it was looked at last, in tenths of a percent.
struct Row {
    p: Process,
    share: u64,
}

struct Top {
    users: Names,
    before: HashMap<i32, u64>,
    before_ns: u64,
    only: Vec<i32>,
    by_memory: bool,
}

pub fn top(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "bd:n:p:", USAGE, false)?;
    let delay = o.value(b'd').map_or(Ok(2.0), number::<f64>)?.clamp(0.1, 3600.0);
    let times = o.value(b'n').map(number::<u64>).transpose()?;
    let only = o.values(b'p').map(number).collect::<Result<_, _>>()?;
    let mut top = Top { users: Names::users(), before: HashMap::new(), before_ns: 0, only, by_memory: false };
    let delay_ms = (delay * 1000.0) as i32;
    if o.has(b'b') {
        for n in 0..times.unwrap_or(u64::MAX) {
            if n > 0 {
                put(b"\n");
                kit::show::flush_now();
                let _ = sys::clock_nanosleep(clock::MONOTONIC, 0, delay_ms as u64 * 1_000_000);
            }
            for line in top.lines(false)? {
                put(format!("{}\n", line.trim_end()).as_bytes());
            }
        }
        return Ok(0);
    }
    let mut screen = Screen::take(0)?;
    screen.put(b"\x1b[?25l");
    let mut turns = 0;
    loop {
        for (row, line) in top.lines(screen.columns < NARROW)?.iter().enumerate().take(screen.rows) {
            if line.starts_with("  PID") { screen.bar(row, line) } else { screen.row(row, line) }
        }
        screen.put(b"\x1b[J");
        turns += 1;
        if times.is_some_and(|t| turns >= t) {
            screen.flush();
            break;
        }
        match screen.key(delay_ms) {
            Key::Char('q') | Key::Ctrl(b'C') | Key::Gone => break,
            Key::Char('M') => top.by_memory = true,
            Key::Char('P') => top.by_memory = false,
            Key::Resize => screen.put(b"\x1b[2J\x1b[?25l"),
            _ => {}
        }
    }
    screen.put(b"\x1b[?25h");
    Ok(0)
}

impl Top {
    fn lines(&mut self, narrow: bool) -> Result<Vec<String>, Failure> {
        let mut all = self.processes()?;
        if self.by_memory {
            all.sort_by_key(|r| (std::cmp::Reverse(r.p.size), r.p.pid));
        } else {
            all.sort_by_key(|r| (std::cmp::Reverse((r.share, r.p.cpu)), r.p.pid));
        }
        let running = all.iter().filter(|r| r.p.state == 'R').count();
        let word = |path: &[u8]| String::from_utf8_lossy(&io::read_file(path).unwrap_or_default()).into_owned();
        let up: u64 = word(b"/proc/uptime").split(['.', ' ']).next().and_then(|s| s.parse().ok()).unwrap_or(0);
        let load = word(b"/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ");
        let memory = word(b"/proc/meminfo");
        let kib = |name: &str| {
            let line = memory.lines().find(|l| l.starts_with(name));
            line.and_then(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0)
        };
        let (total, free) = (kib("MemTotal:"), kib("MemFree:"));
        let mut lines = vec![
            format!("up {}:{:02}:{:02}, load {load}", up / 3600, up / 60 % 60, up % 60),
            format!("{} processes, {running} running", all.len()),
            format!("memory: {} of {} used", human((total.saturating_sub(free)) << 10), human(total << 10)),
            String::new(),
            if narrow {
                format!("{:>5} {:<8} S {:>5} {:>6} COMMAND", "PID", "USER", "%CPU", "MEM")
            } else {
                format!(
                    "{:>5} {:>5} {:<8} {:>3} S {:>5} {:>6} {:>8} COMMAND",
                    "PID", "PPID", "USER", "NI", "%CPU", "MEM", "TIME"
                )
            },
        ];
        for Row { p, share } in &all {
            let time = format!("{}:{:02}.{:02}", p.cpu / 6000, p.cpu / 100 % 60, p.cpu % 100);
            let share = format!("{}.{}", share / 10, share % 10);
            let (user, memory) = (self.users.name(p.uid), human(p.size));
            lines.push(if narrow {
                format!("{:>5} {user:<8} {} {share:>5} {memory:>6} {}", p.pid, p.state, p.command)
            } else {
                format!(
                    "{:>5} {:>5} {user:<8} {:>3} {} {share:>5} {memory:>6} {time:>8} {}",
                    p.pid, p.ppid, p.nice, p.state, p.command
                )
            });
        }
        Ok(lines)
    }

    fn processes(&mut self) -> Result<Vec<Row>, Failure> {
        let all = procfs::all()?;
        let now = sys::clock_gettime(clock::MONOTONIC).unwrap_or(0);
        let passed = (now - self.before_ns) / 10_000_000;
        let first = self.before_ns == 0;
        let share = |p: &Process| {
            let old = self.before.get(&p.pid).copied().unwrap_or(0);
            if first || passed == 0 { 0 } else { p.cpu.saturating_sub(old) * 1000 / passed }
        };
        let wanted = |p: &Process| self.only.is_empty() || self.only.contains(&p.pid);
        let rows: Vec<Row> = all.into_iter().filter(wanted).map(|p| Row { share: share(&p), p }).collect();
        self.before = rows.iter().map(|r| (r.p.pid, r.p.cpu)).collect();
        self.before_ns = now;
        Ok(rows)
    }
}
