//! What `/proc` says about processes (proc_pid_stat(5)).

use crate::options::Failure;
use vkernel_sys::{fs, io};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    pub pid: i32,
    /// Of its program, cut to what the kernel keeps.
    pub name: String,
    pub state: char,
    pub ppid: i32,
    pub pgid: i32,
    pub sid: i32,
    /// Of its terminal, 0 without.
    pub tty: u32,
    /// Used so far, in hundredths of a second.
    pub cpu: u64,
    pub nice: i64,
    /// When it began, in hundredths of a second since the system did.
    pub start: u64,
    pub size: u64,
    /// The real and the effective user.
    pub ruid: u32,
    pub uid: u32,
    /// Its arguments with blanks between; the name in brackets if it has none.
    pub command: String,
}

/// `/proc/PID/stat`; what stands in other files is still to come.
fn parse(text: &str) -> Option<Process> {
    // The name may hold blanks and parentheses; the last one ends it.
    let (pid, rest) = text.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let f: Vec<&str> = rest.split_whitespace().collect();
    let n = |i: usize| f.get(i).and_then(|s| s.parse::<i64>().ok()).unwrap_or(0);
    Some(Process {
        pid: pid.parse().ok()?,
        name: name.to_string(),
        state: f.first()?.chars().next()?,
        ppid: n(1) as i32,
        pgid: n(2) as i32,
        sid: n(3) as i32,
        tty: n(4) as u32,
        cpu: (n(11) + n(12)) as u64,
        nice: n(16),
        start: n(19) as u64,
        size: n(20) as u64,
        ..Process::default()
    })
}

fn text(dir: &str, file: &str) -> Option<String> {
    let bytes = io::read_file(format!("{dir}/{file}").as_bytes()).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// None when it has ended.
pub fn process(pid: i32) -> Option<Process> {
    let dir = format!("/proc/{pid}");
    let mut p = parse(&text(&dir, "stat")?)?;
    p.uid = fs::stat(dir.as_bytes()).ok()?.uid;
    let status = text(&dir, "status").unwrap_or_default();
    let real = status.lines().find_map(|l| l.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok());
    p.ruid = real.unwrap_or(p.uid);
    let line = text(&dir, "cmdline").unwrap_or_default().trim_end_matches('\0').replace('\0', " ");
    p.command = if line.is_empty() { format!("[{}]", p.name) } else { line };
    Some(p)
}

/// All there are, by number.
pub fn all() -> Result<Vec<Process>, Failure> {
    let names = fs::read_dir(b"/proc").map_err(|e| Failure::with(b"/proc", e))?;
    let pids = names.iter().filter_map(|n| std::str::from_utf8(&n.name).ok()?.parse().ok());
    let mut all: Vec<Process> = pids.filter_map(process).collect();
    all.sort_by_key(|p| p.pid);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_have_any_name() {
        let line = "7 (a) b (c) S 1 7 6 34816 7 0 0 0 0 0 250 5 0 0 20 -3 1 0 12 1114112 272 0\n";
        let p = parse(line).unwrap();
        assert_eq!((p.pid, p.name.as_str(), p.state, p.ppid, p.pgid, p.sid), (7, "a) b (c", 'S', 1, 7, 6));
        assert_eq!((p.tty, p.cpu, p.nice, p.start, p.size), (34816, 255, -3, 12, 1_114_112));
        assert_eq!(parse("nonsense"), None);
    }
}
