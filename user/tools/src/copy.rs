//! `cp`: with modes, which WASI's own calls don't tell.

use crate::list::join;
use crate::options::{Failure, Options};
use vkernel_sys::{Errno, Stat, SysResult, fs, io, mode, o, proc};

const USAGE: &str = "cp [-adfiLnPprRTv] SOURCE... DESTINATION";

struct How {
    recursive: bool,
    force: bool,
    ask: bool,
    keep: bool,
    follow: bool,
    no_clobber: bool,
    verbose: bool,
}

pub fn cp(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "adfiLnPprRTv", USAGE, false)?;
    let archive = o.has(b'a');
    let recursive = archive || o.has(b'r') || o.has(b'R');
    let how = How {
        recursive,
        force: o.has(b'f'),
        ask: o.has(b'i'),
        keep: archive || o.has(b'p'),
        follow: match o.last_of(b"LPd") {
            Some(b'L') => true,
            Some(_) => false,
            None => !recursive,
        },
        no_clobber: o.has(b'n'),
        verbose: o.has(b'v'),
    };
    let Some((target, sources)) = o.operands.split_last().filter(|(_, s)| !s.is_empty()) else {
        return Err(Failure::usage(format!("wants a source and a destination\nusage: {USAGE}")));
    };
    let into = !o.has(b'T') && fs::stat(target).is_ok_and(|s| s.mode & mode::IFMT == mode::IFDIR);
    if sources.len() > 1 && !into {
        return Err(Failure::with(target, Errno::ENOTDIR));
    }
    let mut status = 0;
    for source in sources {
        let name = source.strip_suffix(b"/").unwrap_or(source).rsplit(|&b| b == b'/').next().unwrap_or(source);
        let to = if into { join(target, name) } else { target.clone() };
        if !copy(&how, source, &to, &mut Vec::new()) {
            status = 1;
        }
    }
    Ok(status)
}

fn complain(path: &[u8], what: impl std::fmt::Display) -> bool {
    eprintln!("cp: {}: {what}", String::from_utf8_lossy(path));
    false
}

/// Copies whatever it is. `above`: the directories it is in, so that one is not copied into itself.
fn copy(how: &How, from: &[u8], to: &[u8], above: &mut Vec<(u64, u64)>) -> bool {
    let stat = match if how.follow { fs::stat(from) } else { fs::lstat(from) } {
        Ok(s) => s,
        Err(e) => return complain(from, e),
    };
    let there = fs::stat(to).ok();
    if there.is_some_and(|t| (t.dev, t.ino) == (stat.dev, stat.ino)) {
        return complain(from, "source and destination are the same file");
    }
    let dir = stat.mode & mode::IFMT == mode::IFDIR;
    if !dir && fs::lstat(to).is_ok() {
        if how.no_clobber {
            return true;
        }
        if how.ask && !crate::procs::confirm(&format!("cp: overwrite {}? ", String::from_utf8_lossy(to))) {
            return true;
        }
    }
    let done = match stat.mode & mode::IFMT {
        mode::IFDIR if !how.recursive => return complain(from, "is a directory; -r copies those"),
        mode::IFDIR => return directory(how, from, to, &stat, above),
        mode::IFLNK => fs::readlink(from).and_then(|l| {
            if fs::lstat(to).is_ok() {
                fs::unlink(to)?;
            }
            fs::symlink(&l, to)
        }),
        mode::IFREG => file(how, from, to, &stat),
        // A device is copied as one only as part of a tree; else what it gives is.
        _ if how.recursive => fs::mknod(to, stat.mode, stat.rdev),
        _ => file(how, from, to, &stat),
    };
    match done {
        Ok(()) => {
            if how.verbose {
                crate::say!("{} -> {}", String::from_utf8_lossy(from), String::from_utf8_lossy(to));
            }
            how.keep.then(|| keep(to, &stat));
            true
        }
        Err(e) => complain(to, e),
    }
}

fn directory(how: &How, from: &[u8], to: &[u8], stat: &Stat, above: &mut Vec<(u64, u64)>) -> bool {
    if above.contains(&(stat.dev, stat.ino)) {
        return complain(from, "can't be copied into itself");
    }
    // Already as it will be, for a file system that has modes but won't change them.
    let made = match fs::mkdir(to, stat.mode & 0o777 | 0o700) {
        Ok(()) => true,
        Err(Errno::EEXIST) if fs::stat(to).is_ok_and(|s| s.mode & mode::IFMT == mode::IFDIR) => false,
        Err(e) => return complain(to, e),
    };
    let names = match fs::read_dir(from) {
        Ok(n) => n,
        Err(e) => return complain(from, e),
    };
    // What was made for the copy itself may turn up below its source.
    if let Ok(s) = fs::stat(to) {
        above.push((s.dev, s.ino));
    }
    above.push((stat.dev, stat.ino));
    let mut good = true;
    for n in names {
        good &= copy(how, &join(from, &n.name), &join(to, &n.name), above);
    }
    above.truncate(above.len().saturating_sub(2));
    if made {
        let old = proc::umask(0);
        proc::umask(old);
        let mask = if how.keep { 0 } else { old };
        let wanted = stat.mode & mode::PERM & !mask;
        let has = fs::stat(to).is_ok_and(|now| now.mode & mode::PERM == wanted);
        good &= has || fs::chmod(to, wanted, 0).map_or_else(|e| complain(to, e), |()| true);
    }
    how.keep.then(|| keep(to, stat));
    good
}

fn file(how: &How, from: &[u8], to: &[u8], stat: &Stat) -> SysResult<()> {
    let source = io::open(from, o::RDONLY | o::CLOEXEC, 0)?;
    let flags = o::WRONLY | o::CREAT | o::TRUNC | o::CLOEXEC;
    let mut target = io::open(to, flags, stat.mode & 0o777);
    if target.is_err() && how.force {
        fs::unlink(to)?;
        target = io::open(to, flags, stat.mode & 0o777);
    }
    let result = target.and_then(|t| {
        let copied = stream(source, t);
        // The last error of a file that was written may come here.
        copied.and(io::close(t))
    });
    let _ = io::close(source);
    result
}

pub fn stream(from: i32, to: i32) -> SysResult<()> {
    let mut buf = vec![0; 64 << 10];
    loop {
        match io::read(from, &mut buf)? {
            0 => return Ok(()),
            n => io::write_all(to, &buf[..n])?,
        }
    }
}

/// Owner, mode and times. Whoever isn't root can't give files away, and needs no word about it.
fn keep(to: &[u8], stat: &Stat) {
    let link = stat.mode & mode::IFMT == mode::IFLNK;
    let flags = if link { vkernel_sys::at::SYMLINK_NOFOLLOW } else { 0 };
    let _ = fs::chown(to, stat.uid, stat.gid, flags);
    if !link {
        let _ = fs::chmod(to, stat.mode & mode::PERM, 0);
    }
    let _ = fs::utimens(to, stat.atime_ns, stat.mtime_ns, flags);
}
