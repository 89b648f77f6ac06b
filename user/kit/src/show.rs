//! Output, and how modes, times, sizes and owners are written.

use std::cell::RefCell;
use std::collections::HashMap;
use vkernel_sys::{io, mode};

thread_local! {
    static OUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static TERMINAL: bool = vkernel_sys::tty::isatty(1);
    static LOST: RefCell<Option<vkernel_sys::Errno>> = const { RefCell::new(None) };
}

/// Adds to standard output, which is written in large pieces, but to a terminal by lines.
pub fn put(bytes: &[u8]) {
    OUT.with_borrow_mut(|out| {
        out.extend_from_slice(bytes);
        if out.len() > 32 << 10 || (bytes.ends_with(b"\n") && TERMINAL.with(|t| *t)) {
            flush(out);
        }
    });
}

fn flush(out: &mut Vec<u8>) {
    if let Err(e) = io::write_all(1, out) {
        LOST.with_borrow_mut(|lost| *lost = Some(e));
    }
    out.clear();
}

/// Writes what is left. The status is a failure when output was lost.
pub fn finish(name: &str, status: i32) -> i32 {
    OUT.with_borrow_mut(flush);
    match LOST.take() {
        Some(e) if status == 0 => {
            eprintln!("{name}: write error: {e}");
            1
        }
        _ => status,
    }
}

/// Everything that was put so far, before something else writes.
pub fn flush_now() {
    OUT.with_borrow_mut(flush);
}

/// `println!` through [`put`].
#[macro_export]
macro_rules! say {
    ($($t:tt)*) => { $crate::show::put(format!("{}\n", format_args!($($t)*)).as_bytes()) };
}

/// A name for a person: control characters would do things to the terminal.
pub fn printable(name: &[u8], terminal: bool) -> Vec<u8> {
    if !terminal {
        return name.to_vec();
    }
    name.iter().map(|&b| if b < b' ' || b == 0x7f { b'?' } else { b }).collect()
}

/// `drwxr-xr-x`.
pub fn permissions(m: u32) -> String {
    let kind = match m & mode::IFMT {
        mode::IFDIR => 'd',
        mode::IFLNK => 'l',
        mode::IFCHR => 'c',
        mode::IFBLK => 'b',
        mode::IFIFO => 'p',
        mode::IFSOCK => 's',
        _ => '-',
    };
    let mut out = String::from(kind);
    for (shift, special, letter) in [(6, mode::ISUID, 's'), (3, mode::ISGID, 's'), (0, mode::ISVTX, 't')] {
        let bits = m >> shift & 7;
        out.push(if bits & 4 != 0 { 'r' } else { '-' });
        out.push(if bits & 2 != 0 { 'w' } else { '-' });
        out.push(match (m & special != 0, bits & 1 != 0) {
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    out
}

/// What a file is, in a word.
pub fn kind(m: u32, size: u64) -> &'static str {
    match m & mode::IFMT {
        mode::IFDIR => "directory",
        mode::IFLNK => "symbolic link",
        mode::IFCHR => "character special file",
        mode::IFBLK => "block special file",
        mode::IFIFO => "fifo",
        mode::IFSOCK => "socket",
        _ if size == 0 => "regular empty file",
        _ => "regular file",
    }
}

/// Year, month, day, hour, minute, second of a time in UTC.
pub fn civil(ns: i64) -> (i64, u32, u32, u32, u32, u32) {
    let secs = ns.div_euclid(1_000_000_000);
    let (days, rest) = (secs.div_euclid(86_400), secs.rem_euclid(86_400) as u32);
    // Days to a date by eras of 400 years that begin in March (H. Hinnant, "chrono-compatible low-level
    // date algorithms").
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = (if mp < 10 { mp + 3 } else { mp - 9 }) as u32;
    (yoe + era * 400 + (month <= 2) as i64, month, day, rest / 3600, rest / 60 % 60, rest % 60)
}

/// `2026-11-22 16:04:05.000000000 +0000`
pub fn full_time(ns: i64) -> String {
    let (y, mo, d, h, mi, s) = civil(ns);
    format!("{y:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02}.{:09} +0000", ns.rem_euclid(1_000_000_000))
}

/// As `ls -l` has it: the time of day, or the year when it is half a year away (POSIX `ls`).
pub fn short_time(ns: i64, now_ns: i64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (y, mo, d, h, mi, _) = civil(ns);
    let month = MONTHS[(mo as usize - 1) % 12];
    let recent = (now_ns - 15_778_476 * 1_000_000_000..=now_ns + 3600 * 1_000_000_000).contains(&ns);
    if recent { format!("{month} {d:2} {h:02}:{mi:02}") } else { format!("{month} {d:2}  {y:4}") }
}

/// `1.5K`, `23M`.
pub fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit < 6 {
        value /= 1024.0;
        unit += 1;
    }
    let letter = b"BKMGTPE"[unit] as char;
    // Rounded up, so that nothing shows smaller than it is.
    if value < 10.0 {
        format!("{:.1}{letter}", (value * 10.0).ceil() / 10.0)
    } else {
        format!("{}{letter}", value.ceil())
    }
}

/// Names of users or groups, from `/etc/passwd` or `/etc/group`.
pub struct Names(HashMap<u32, String>);

impl Names {
    pub fn users() -> Names {
        Names::from(b"/etc/passwd")
    }
    pub fn groups() -> Names {
        Names::from(b"/etc/group")
    }
    /// Without the file there are only numbers.
    fn from(file: &[u8]) -> Names {
        let text = io::read_file(file).unwrap_or_default();
        Names::parse(&String::from_utf8_lossy(&text))
    }
    fn parse(text: &str) -> Names {
        let mut names = HashMap::new();
        for line in text.lines() {
            let mut fields = line.split(':');
            if let (Some(name), _, Some(Ok(id))) = (fields.next(), fields.next(), fields.next().map(str::parse)) {
                names.entry(id).or_insert_with(|| name.to_string());
            }
        }
        Names(names)
    }
    pub fn name(&self, id: u32) -> String {
        self.0.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
    /// The id of a name or of a number.
    pub fn id(&self, name: &str) -> Option<u32> {
        self.0.iter().find(|(_, n)| *n == name).map(|(id, _)| *id).or_else(|| name.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_times_and_sizes_read_as_ever() {
        assert_eq!(permissions(0o100644), "-rw-r--r--");
        assert_eq!(permissions(0o041777), "drwxrwxrwt");
        assert_eq!(permissions(0o104755), "-rwsr-xr-x");
        assert_eq!(permissions(0o102644), "-rw-r-Sr--");
        assert_eq!(full_time(0), "1970-01-01 00:00:00.000000000 +0000");
        assert_eq!(full_time(951_827_696_500_000_000), "2000-02-29 12:34:56.500000000 +0000");
        assert_eq!(full_time(-1_000_000_000), "1969-12-31 23:59:59.000000000 +0000");
        assert_eq!(
            (human(900), human(1024), human(1025), human(10 << 20)),
            ("900".into(), "1.0K".into(), "1.1K".into(), "10M".into())
        );
        let now = 1_795_363_200_000_000_000;
        assert_eq!(short_time(now - 60_000_000_000, now).len(), 12);
        assert!(short_time(0, now).ends_with(" 1970"));
    }

    #[test]
    fn names_are_found_both_ways() {
        let n = Names::parse("root:x:0:0:\nuser:x:1000:1000::\nbroken\n");
        assert_eq!((n.name(1000), n.name(7)), ("user".into(), "7".into()));
        assert_eq!((n.id("root"), n.id("42"), n.id("nobody")), (Some(0), Some(42), None));
    }
}
