//! `chmod`, `chown`, `chgrp`, `touch`, `mknod`: what a file is besides its contents.

use crate::list::join;
use crate::options::{Failure, Options, number};
use crate::show::{Names, civil};
use vkernel_sys::{Errno, SysResult, fs, io, mode, o, proc, sys};

/// Does something to each file, and below it with `-R`. Answers the status.
fn each(name: &str, paths: &[Vec<u8>], recursive: bool, f: &dyn Fn(&[u8]) -> SysResult<()>) -> i32 {
    let mut status = 0;
    for p in paths {
        if let Err(e) = f(p) {
            eprintln!("{name}: {}: {e}", String::from_utf8_lossy(p));
            status = 1;
            continue;
        }
        if recursive && fs::lstat(p).is_ok_and(|s| s.mode & mode::IFMT == mode::IFDIR) {
            match fs::read_dir(p) {
                Ok(names) => {
                    let below: Vec<_> = names.iter().map(|n| join(p, &n.name)).collect();
                    status |= each(name, &below, true, f);
                }
                Err(e) => {
                    eprintln!("{name}: {}: {e}", String::from_utf8_lossy(p));
                    status = 1;
                }
            }
        }
    }
    status
}

pub fn chmod(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "chmod [-R] MODE FILE...";
    // A mode may begin with a minus: `chmod -x f`.
    let recursive = args.first().is_some_and(|a| a == b"-R");
    let args = if recursive { &args[1..] } else { args };
    let args = if args.first().is_some_and(|a| a == b"--") { &args[1..] } else { args };
    let Some((text, paths)) = args.split_first().filter(|(_, p)| !p.is_empty()) else {
        return Err(Failure::usage(format!("wants a mode and files\nusage: {USAGE}")));
    };
    let text = String::from_utf8_lossy(text).into_owned();
    let umask = proc::umask(0);
    proc::umask(umask);
    if change(&text, 0, false, umask).is_none() {
        return Err(Failure::usage(format!("{text}: not a mode, such as 644 or u+x\nusage: {USAGE}")));
    }
    Ok(each("chmod", paths, recursive, &|p| {
        let old = fs::stat(p)?;
        let dir = old.mode & mode::IFMT == mode::IFDIR;
        fs::chmod(p, change(&text, old.mode & mode::PERM, dir, umask).ok_or(Errno::EINVAL)?, 0)
    }))
}

/// The mode that `text` (octal or symbolic, POSIX `chmod`) makes of another one.
pub fn change(text: &str, old: u32, dir: bool, umask: u32) -> Option<u32> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return u32::from_str_radix(text, 8).ok().filter(|m| *m <= mode::PERM);
    }
    let mut m = old;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, mut actions) = clause.split_at(at);
        let mut mask = 0;
        for c in who.chars() {
            mask |= match c {
                'u' => 0o4700,
                'g' => 0o2070,
                'o' => 0o1007,
                'a' => 0o7777,
                _ => return None,
            };
        }
        // Without a `who` the umask says what is not meant.
        let mask = if who.is_empty() { 0o7777 & !umask } else { mask };
        while let Some(op) = actions.chars().next() {
            let end = actions[1..].find(['+', '-', '=']).map_or(actions.len(), |i| i + 1);
            let mut bits = 0;
            for c in actions[1..end].chars() {
                bits |= match c {
                    'r' => 0o444,
                    'w' => 0o222,
                    'x' => 0o111,
                    'X' if dir || m & 0o111 != 0 => 0o111,
                    'X' => 0,
                    's' => 0o6000,
                    't' => 0o1000,
                    'u' => (m >> 6 & 7) * 0o111,
                    'g' => (m >> 3 & 7) * 0o111,
                    'o' => (m & 7) * 0o111,
                    _ => return None,
                };
            }
            let bits = bits & (mask | if who.is_empty() { 0o1000 } else { 0 });
            m = match op {
                '+' => m | bits,
                '-' => m & !bits,
                _ => m & !(mask & if dir { 0o1777 } else { 0o7777 }) | bits,
            };
            actions = &actions[end..];
        }
    }
    Some(m)
}

pub fn mkdir(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "mkdir [-pv] [-m MODE] DIRECTORY...";
    let o = Options::parse(args, "pvm:", USAGE, false)?;
    if o.operands.is_empty() {
        return Err(Failure::usage(format!("wants directories\nusage: {USAGE}")));
    }
    let umask = proc::umask(0);
    proc::umask(umask);
    let bits = match o.value(b'm').map(|m| String::from_utf8_lossy(m).into_owned()) {
        // A symbolic mode starts from all permissions (POSIX `mkdir`).
        Some(m) => Some(change(&m, 0o777, true, umask).ok_or_else(|| Failure::usage(format!("{m}: not a mode")))?),
        None => None,
    };
    Ok(each("mkdir", &o.operands, false, &|p| {
        if o.has(b'p') {
            parents(p)?;
            if fs::stat(p).is_ok_and(|s| s.mode & mode::IFMT == mode::IFDIR) {
                return Ok(());
            }
        }
        fs::mkdir(p, 0o777)?;
        if let Some(m) = bits {
            fs::chmod(p, m, 0)?;
        }
        if o.has(b'v') {
            crate::say!("created {}", String::from_utf8_lossy(p));
        }
        Ok(())
    }))
}

pub fn mkfifo(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "mkfifo [-m MODE] NAME...";
    let o = Options::parse(args, "m:", USAGE, false)?;
    if o.operands.is_empty() {
        return Err(Failure::usage(format!("wants names\nusage: {USAGE}")));
    }
    let umask = proc::umask(0);
    proc::umask(umask);
    let bits = match o.value(b'm').map(|m| String::from_utf8_lossy(m).into_owned()) {
        // A symbolic mode starts from what one without -m gets (POSIX `mkfifo`).
        Some(m) => Some(change(&m, 0o666, false, umask).ok_or_else(|| Failure::usage(format!("{m}: not a mode")))?),
        None => None,
    };
    Ok(each("mkfifo", &o.operands, false, &|p| {
        fs::mknod(p, mode::IFIFO | 0o666, 0)?;
        bits.map_or(Ok(()), |m| fs::chmod(p, m, 0))
    }))
}

/// What stands above a directory that is to be made.
fn parents(path: &[u8]) -> SysResult<()> {
    for (i, _) in path.iter().enumerate().filter(|(i, b)| **b == b'/' && *i > 0) {
        match fs::mkdir(&path[..i], 0o777) {
            Ok(()) | Err(Errno::EEXIST) => {}
            // The file system may not let us write where the directory is already.
            Err(e) if fs::stat(&path[..i]).is_err() => return Err(e),
            Err(_) => {}
        }
    }
    Ok(())
}

pub fn chown(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "Rh", "chown [-Rh] [OWNER][:GROUP] FILE...", false)?;
    let Some((text, paths)) = o.operands.split_first().filter(|(_, p)| !p.is_empty()) else {
        return Err(Failure::usage("wants an owner and files"));
    };
    let text = String::from_utf8_lossy(text).into_owned();
    let (user, group) = text.split_once(':').unwrap_or((&text, ""));
    let id = |name: &str, names: Names| match name {
        "" => Ok(u32::MAX),
        n => names.id(n).ok_or_else(|| Failure::new(format!("{n}: no such user or group"))),
    };
    let (uid, gid) = (id(user, Names::users())?, id(group, Names::groups())?);
    Ok(give("chown", paths, &o, uid, gid))
}

pub fn chgrp(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "Rh", "chgrp [-Rh] GROUP FILE...", false)?;
    let Some((text, paths)) = o.operands.split_first().filter(|(_, p)| !p.is_empty()) else {
        return Err(Failure::usage("wants a group and files"));
    };
    let name = String::from_utf8_lossy(text).into_owned();
    let gid = Names::groups().id(&name).ok_or_else(|| Failure::new(format!("{name}: no such group")))?;
    Ok(give("chgrp", paths, &o, u32::MAX, gid))
}

fn give(name: &str, paths: &[Vec<u8>], o: &Options, uid: u32, gid: u32) -> i32 {
    // With -R links are changed themselves: following them would leave the tree.
    let flags = if o.has(b'h') || o.has(b'R') { vkernel_sys::at::SYMLINK_NOFOLLOW } else { 0 };
    each(name, paths, o.has(b'R'), &|p| fs::chown(p, uid, gid, flags))
}

pub fn touch(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "touch [-acm] [-d YYYY-MM-DD[THH:MM[:SS]]] [-r FILE] [-t [[CC]YY]MMDDhhmm[.SS]] FILE...";
    let o = Options::parse(args, "acmd:r:t:", USAGE, false)?;
    if o.operands.is_empty() {
        return Err(Failure::usage(format!("wants files\nusage: {USAGE}")));
    }
    let now = sys::clock_gettime(0).unwrap_or(0) as i64;
    // Whoever may write a file may set it to now, and to nothing else.
    let (mut atime, mut mtime) = (fs::UTIME_NOW, fs::UTIME_NOW);
    if let Some(file) = o.value(b'r') {
        let s = fs::stat(file).map_err(|e| Failure::with(file, e))?;
        (atime, mtime) = (s.atime_ns, s.mtime_ns);
    }
    for (value, stamp) in [(o.value(b'd'), false), (o.value(b't'), true)] {
        let Some(text) = value.map(|v| String::from_utf8_lossy(v).into_owned()) else { continue };
        let parsed = if stamp { parse_stamp(&text, now) } else { parse_date(&text) };
        let ns = parsed.ok_or_else(|| Failure::usage(format!("{text}: not a time\nusage: {USAGE}")))?;
        (atime, mtime) = (ns, ns);
    }
    let (only_a, only_m) = (o.has(b'a') && !o.has(b'm'), o.has(b'm') && !o.has(b'a'));
    Ok(each("touch", &o.operands, false, &|p| {
        if let Err(Errno::ENOENT) = fs::stat(p) {
            if o.has(b'c') {
                return Ok(());
            }
            io::close(io::open(p, o::WRONLY | o::CREAT | o::CLOEXEC, 0o666)?)?;
        }
        let (a, m) = (if only_m { fs::UTIME_OMIT } else { atime }, if only_a { fs::UTIME_OMIT } else { mtime });
        fs::utimens(p, a, m, 0)
    }))
}

/// Nanoseconds of a date in UTC.
fn moment(y: i64, mo: i64, d: i64, h: i64, mi: i64, s: i64) -> Option<i64> {
    if !(1..=12).contains(&mo) || !(1..=31).contains(&d) || h > 23 || mi > 59 || s > 60 || !(1..=9999).contains(&y) {
        return None;
    }
    // The other way round of `civil`.
    let (yy, mm) = if mo <= 2 { (y - 1, mo + 9) } else { (y, mo - 3) };
    let era = yy.div_euclid(400);
    let yoe = yy.rem_euclid(400);
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + (153 * mm + 2) / 5 + d - 1;
    let days = era * 146_097 + doe - 719_468;
    (days * 86_400 + h * 3600 + mi * 60 + s).checked_mul(1_000_000_000)
}

fn parse_date(text: &str) -> Option<i64> {
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000);
    }
    let numbers: Option<Vec<i64>> =
        text.trim_end_matches('Z').split(['-', 'T', ' ', ':']).map(|n| n.parse().ok()).collect();
    match numbers?.as_slice() {
        [y, m, d] => moment(*y, *m, *d, 0, 0, 0),
        [y, m, d, h, mi] => moment(*y, *m, *d, *h, *mi, 0),
        [y, m, d, h, mi, s] => moment(*y, *m, *d, *h, *mi, *s),
        _ => None,
    }
}

fn parse_stamp(text: &str, now: i64) -> Option<i64> {
    let (digits, seconds) = text.split_once('.').unwrap_or((text, "0"));
    if !digits.bytes().all(|b| b.is_ascii_digit()) || !matches!(digits.len(), 8 | 10 | 12) {
        return None;
    }
    let (year, rest) = digits.split_at(digits.len() - 8);
    let year = match year.len() {
        0 => civil(now).0,
        2 => year.parse::<i64>().ok().map(|y| if y < 69 { 2000 + y } else { 1900 + y })?,
        _ => year.parse().ok()?,
    };
    let two = |i: usize| rest[i..i + 2].parse::<i64>().ok();
    moment(year, two(0)?, two(2)?, two(4)?, two(6)?, seconds.parse().ok()?)
}

pub fn mknod(args: &[Vec<u8>]) -> Result<i32, Failure> {
    const USAGE: &str = "mknod FILE p | mknod FILE b|c MAJOR MINOR";
    let o = Options::parse(args, "", USAGE, false)?;
    let (path, kind, dev) = match o.operands.as_slice() {
        [path, kind] if kind == b"p" => (path, mode::IFIFO, 0),
        [path, kind, major, minor] if kind == b"c" || kind == b"b" => {
            let (major, minor): (u64, u64) = (number(major)?, number(minor)?);
            (path, if kind == b"c" { mode::IFCHR } else { mode::IFBLK }, major << 8 | minor)
        }
        _ => return Err(Failure::usage(format!("usage: {USAGE}"))),
    };
    fs::mknod(path, kind | 0o666, dev).map_err(|e| Failure::with(path, e))?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbolic_modes_change_what_they_name() {
        let c = |t: &str, old: u32| change(t, old, false, 0o022);
        assert_eq!(c("755", 0), Some(0o755));
        assert_eq!(c("+x", 0o644), Some(0o755));
        assert_eq!(c("u+x,go-r", 0o644), Some(0o700));
        assert_eq!(c("a=r", 0o777), Some(0o444));
        assert_eq!(c("u=rwx,g=u,o=", 0), Some(0o770));
        assert_eq!(c("+w", 0o444), Some(0o644));
        assert_eq!(c("u+s,+t", 0o755), Some(0o5755));
        assert_eq!(c("o+X", 0o644), Some(0o644));
        assert_eq!(change("o+X", 0o640, true, 0), Some(0o641));
        assert_eq!((c("9", 0), c("u", 0), c("z+x", 0), c("u+q", 0)), (None, None, None, None));
    }

    #[test]
    fn dates_become_moments() {
        assert_eq!(parse_date("2000-02-29T12:34:56"), Some(951_827_696_000_000_000));
        assert_eq!(parse_date("1970-01-01"), Some(0));
        assert_eq!(parse_date("@5"), Some(5_000_000_000));
        assert_eq!(parse_stamp("200002291234.56", 0), Some(951_827_696_000_000_000));
        assert_eq!(parse_stamp("0002291234.56", 0), Some(951_827_696_000_000_000));
        assert_eq!((parse_date("2000-13-01"), parse_date("x"), parse_stamp("12", 0)), (None, None, None));
    }
}
