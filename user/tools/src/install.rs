//! `install`: files where they belong, with owners and modes.

use crate::attrs::change;
use crate::list::join;
use crate::options::{Failure, Options};
use crate::show::Names;
use vkernel_sys::{Errno, SysResult, fs, io, mode, o};

const USAGE: &str = "install [-cpv] [-m MODE] [-o OWNER] [-g GROUP] SOURCE... DESTINATION\n       \
                     install [-D] [-m MODE] SOURCE FILE\n       install -d [-v] [-m MODE] DIRECTORY...";

pub fn install(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let words = [("directory", b'd'), ("mode", b'm'), ("owner", b'o'), ("group", b'g'), ("verbose", b'v')];
    let o = Options::parse_long(args, "bcdDpsvTm:o:g:", &words, USAGE, false)?;
    let text = o.value(b'm').map_or("755".into(), String::from_utf8_lossy);
    let perm = change(&text, 0, false, 0).ok_or_else(|| Failure::usage(format!("{text}: not a mode")))?;
    let id = |letter, names: Names| match o.value(letter).map(String::from_utf8_lossy) {
        None => Ok(u32::MAX),
        Some(name) => names.id(&name).ok_or_else(|| Failure::new(format!("{name}: no such name"))),
    };
    let (uid, gid) = (id(b'o', Names::users())?, id(b'g', Names::groups())?);
    let owned = |path: &[u8]| -> Result<(), Failure> {
        if (uid, gid) != (u32::MAX, u32::MAX) {
            fs::chown(path, uid, gid, 0).map_err(|e| Failure::with(path, e))?;
        }
        // After the owner, whose change takes set-user-ID away.
        fs::chmod(path, perm, 0).map_err(|e| Failure::with(path, e))?;
        if o.has(b'v') {
            crate::say!("{}", String::from_utf8_lossy(path));
        }
        Ok(())
    };
    if o.has(b'd') {
        for dir in &o.operands {
            parents(dir, true).map_err(|e| Failure::with(dir, e))?;
            owned(dir)?;
        }
        return Ok(0);
    }
    let Some((target, sources)) = o.operands.split_last().filter(|(_, s)| !s.is_empty()) else {
        return Err(Failure::usage(format!("wants a source and a destination\nusage: {USAGE}")));
    };
    let into = !o.has(b'T') && fs::stat(target).is_ok_and(|s| s.mode & mode::IFMT == mode::IFDIR);
    if sources.len() > 1 && !into {
        return Err(Failure::with(target, Errno::ENOTDIR));
    }
    for source in sources {
        let name = source.rsplit(|&b| b == b'/').next().unwrap_or(source);
        let to = if into { join(target, name) } else { target.clone() };
        if o.has(b'D') {
            parents(&to, false).map_err(|e| Failure::with(&to, e))?;
        }
        copy(source, &to, o.has(b'p'))?;
        owned(&to)?;
    }
    Ok(0)
}

/// Makes the directories above a path, and that itself if asked.
fn parents(path: &[u8], itself: bool) -> SysResult<()> {
    let ends = (1..path.len()).filter(|&i| path[i] == b'/').chain(itself.then_some(path.len()));
    for end in ends {
        match fs::mkdir(&path[..end], 0o755) {
            Err(e) if fs::stat(&path[..end]).is_err() => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// What was there before may be running: it goes, and a new file takes its place.
fn copy(from: &[u8], to: &[u8], times: bool) -> Result<(), Failure> {
    let stat = fs::stat(from).map_err(|e| Failure::with(from, e))?;
    if stat.mode & mode::IFMT == mode::IFDIR {
        return Err(Failure::with(from, Errno::EISDIR));
    }
    if let Ok(there) = fs::stat(to) {
        if (there.dev, there.ino) == (stat.dev, stat.ino) {
            return Err(Failure::new(format!("{}: source and destination are the same", String::from_utf8_lossy(to))));
        }
        fs::unlink(to).map_err(|e| Failure::with(to, e))?;
    }
    let source = io::open(from, o::RDONLY | o::CLOEXEC, 0).map_err(|e| Failure::with(from, e))?;
    let target = io::open(to, o::WRONLY | o::CREAT | o::EXCL | o::CLOEXEC, 0o600);
    let copied = target.and_then(|t| crate::copy::stream(source, t).and(io::close(t)));
    let _ = io::close(source);
    copied.map_err(|e| Failure::with(to, e))?;
    if times {
        fs::utimens(to, stat.atime_ns, stat.mtime_ns, 0).map_err(|e| Failure::with(to, e))?;
    }
    Ok(())
}
