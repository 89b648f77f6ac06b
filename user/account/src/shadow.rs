//! `/etc/shadow`: shadow(5). Who can read it is root, so the hashes are not in `/etc/passwd`, which all read.

use crate::crypt;
use vkernel_sys::{Errno, SysResult, clock, fcntl, flock, fs, io, o, sys};

const FILE: &[u8] = b"/etc/shadow";
const NEW: &[u8] = b"/etc/shadow.new";
const LOCK: &[u8] = b"/etc/.pwd.lock";
/// How long to wait for somebody else's change; lckpwdf(3) has 15 seconds.
const PATIENCE_NS: u64 = 15_000_000_000;
/// After a wrong password, so that guessing takes its time.
const PAUSE_NS: u64 = 1_000_000_000;

/// What an account's second field says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Secret {
    /// Nobody is asked.
    None,
    /// No password is right.
    Locked,
    Hash(String),
}

fn secret(field: &str) -> Secret {
    match field {
        "" => Secret::None,
        f if f.starts_with('$') => Secret::Hash(f.to_string()),
        _ => Secret::Locked,
    }
}

fn field<'t>(text: &'t str, user: &str) -> Option<&'t str> {
    text.lines().find_map(|l| l.strip_prefix(user)?.strip_prefix(':')).map(|rest| rest.split(':').next().unwrap_or(""))
}

/// The text with another second field, on a new line if the user has none.
fn replaced(text: &str, user: &str, new: &str, day: u64) -> String {
    let mut out = String::new();
    let mut found = false;
    for line in text.lines() {
        let mut fields: Vec<&str> = line.split(':').collect();
        let day = day.to_string();
        if !found && fields[0] == user && fields.len() > 1 {
            found = true;
            fields[1] = new;
            if let Some(changed) = fields.get_mut(2) {
                *changed = &day;
            }
        }
        out.push_str(&fields.join(":"));
        out.push('\n');
    }
    if !found {
        out.push_str(&format!("{user}:{new}:{day}:0:99999:7:::\n"));
    }
    out
}

fn text() -> SysResult<String> {
    match io::read_file(FILE) {
        // Who isn't in it is locked.
        Err(Errno::ENOENT) => Ok(String::new()),
        text => String::from_utf8(text?).map_err(|_| Errno::EINVAL),
    }
}

/// The second field of a user's. Who has no line is locked.
pub fn entry(user: &str) -> SysResult<String> {
    Ok(field(&text()?, user).unwrap_or("*").to_string())
}

pub fn of(user: &str) -> SysResult<Secret> {
    entry(user).map(|f| secret(&f))
}

/// Is it this user who asks? One who isn't there, or is locked, is asked as any other.
pub fn proves(user: &str, question: &str) -> bool {
    let secret = of(user).unwrap_or(Secret::Locked);
    if secret == Secret::None {
        return true;
    }
    let Some(password) = crate::prompt::password(question) else { return false };
    let right = match secret {
        Secret::Hash(hash) => crypt::verify(&password, &hash),
        // In the time that it takes for one who is there.
        _ => {
            std::hint::black_box(crypt::verify(&password, "$6$vkernelvkernel00$"));
            false
        }
    };
    if !right {
        // Shorter when a signal comes, which is the asker's loss.
        let _ = sys::clock_nanosleep(clock::MONOTONIC, 0, PAUSE_NS);
    }
    right
}

/// Held while the file is replaced. EAGAIN when somebody else holds it for long.
struct Lock(i32);

impl Lock {
    fn take() -> SysResult<Lock> {
        let lock = Lock(io::open(LOCK, o::WRONLY | o::CREAT | o::CLOEXEC, 0o600)?);
        let now = || sys::clock_gettime(clock::MONOTONIC).unwrap_or(0);
        let end = now() + PATIENCE_NS;
        loop {
            let mut all = vkernel_sys::Flock { kind: flock::WRLCK, ..Default::default() };
            match io::fcntl_lock(lock.0, fcntl::SETLK, &mut all) {
                Err(Errno::EAGAIN | Errno::EACCES) if now() < end => {
                    let _ = sys::clock_nanosleep(clock::MONOTONIC, 0, 100_000_000);
                }
                done => return done.map(|()| lock),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Its end is what unlocks it.
        let _ = io::close(self.0);
    }
}

/// Sets a user's second field to what `change` makes of the one there is. The file is replaced as a whole, or not at all.
pub fn change(user: &str, change: impl FnOnce(&str) -> String) -> SysResult<()> {
    let _lock = Lock::take()?;
    let old = text()?;
    let day = sys::clock_gettime(clock::REALTIME).unwrap_or(0) / 1_000_000_000 / 86_400;
    let new = replaced(&old, user, &change(field(&old, user).unwrap_or("*")), day);
    // What somebody left who was killed; the lock is ours.
    match fs::unlink(NEW) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(e) => return Err(e),
    }
    let done = write(new.as_bytes()).and_then(|()| fs::rename(NEW, FILE, 0));
    if done.is_err() {
        let _ = fs::unlink(NEW);
    }
    done
}

fn write(text: &[u8]) -> SysResult<()> {
    let fd = io::open(NEW, o::WRONLY | o::CREAT | o::EXCL | o::CLOEXEC, 0o600)?;
    let done = io::write_all(fd, text).and_then(|()| io::fsync(fd));
    let closed = io::close(fd);
    done.and(closed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_and_replaced() {
        let text = "root:*:1:0:99999:7:::\nuser::1:0:99999:7:::\nus:$6$a$b:1::::::\n";
        assert_eq!((field(text, "root"), field(text, "user"), field(text, "use")), (Some("*"), Some(""), None));
        assert_eq!(secret("*"), Secret::Locked);
        assert_eq!((secret(""), secret("!$6$a$b")), (Secret::None, Secret::Locked));
        assert_eq!(secret("$6$a$b"), Secret::Hash("$6$a$b".into()));
        let new = replaced(text, "us", "X", 20000);
        assert_eq!(new, text.replace("us:$6$a$b:1:", "us:X:20000:"));
        assert_eq!(replaced("", "a", "X", 3), "a:X:3:0:99999:7:::\n");
    }
}
