//! `passwd`: a new password. Exit statuses as shadow's passwd(1) has them.

use crate::shadow::{self, Secret};
use crate::{crypt, prompt, su};
use kit::options::{Failure, Options};
use kit::say;
use vkernel_sys::accounts::user_named;
use vkernel_sys::{Errno, proc, sys};

const USAGE: &str = "passwd [-d|-l|-u|-S] [USER]";
const DENIED: i32 = 1;
const UNCHANGED: i32 = 3;
const BUSY: i32 = 5;
const NOT_PROVEN: i32 = 10;

fn failure(status: i32, message: impl Into<String>) -> Failure {
    Failure { status, message: message.into() }
}

pub fn passwd(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let words = [("delete", b'd'), ("lock", b'l'), ("unlock", b'u'), ("status", b'S')];
    let o = Options::parse_long(args, "dluS", &words, USAGE, false)?;
    let root = proc::getuid() == 0;
    let name = match o.operands.as_slice() {
        [] => su::caller()?.name,
        [name] => String::from_utf8_lossy(name).into_owned(),
        _ => return Err(failure(2, format!("usage: {USAGE}"))),
    };
    if user_named(&name).ok().flatten().is_none() {
        return Err(failure(DENIED, format!("user {name} does not exist")));
    }
    let what = o.last_of(b"dluS");
    if !root && (su::caller()?.name != name || what.is_some_and(|w| w != b'S')) {
        return Err(failure(DENIED, "Permission denied"));
    }
    match what {
        Some(b'S') => {
            let letter = match shadow::of(&name).map_err(|e| failure(UNCHANGED, e.to_string()))? {
                Secret::None => "NP",
                Secret::Locked => "L",
                Secret::Hash(_) => "P",
            };
            say!("{name} {letter}");
            return Ok(0);
        }
        Some(b'd') => set(&name, |_| String::new())?,
        Some(b'l') => set(&name, |old| if old.starts_with(['!', '*']) { old.into() } else { format!("!{old}") })?,
        Some(b'u') => {
            // With nothing behind the mark it would have no password at all.
            let old = shadow::entry(&name).unwrap_or_default();
            if !old.strip_prefix('!').unwrap_or(&old).starts_with('$') {
                return Err(failure(
                    UNCHANGED,
                    "there is no password to unlock; `passwd` sets one, `passwd -d` takes it away",
                ));
            }
            set(&name, |old| old.strip_prefix('!').filter(|hash| hash.starts_with('$')).unwrap_or(old).into())?
        }
        _ => {
            let before = shadow::entry(&name).unwrap_or_default();
            if !root && !shadow::proves(&name, "Current password: ") {
                return Err(failure(NOT_PROVEN, "Authentication failure\npasswd: password unchanged"));
            }
            let hash = ask()?;
            // What was proven is about the entry of then: it may have been locked meanwhile.
            let mut other = false;
            set(&name, |old| {
                other = !root && old != before;
                if other { old.into() } else { hash }
            })?;
            if other {
                let why = "somebody else has changed it meanwhile\npasswd: password unchanged";
                return Err(failure(UNCHANGED, why));
            }
        }
    }
    say!("passwd: password updated");
    Ok(0)
}

/// A new password, twice, and its hash.
fn ask() -> Result<String, Failure> {
    let unchanged = |why: &str| failure(NOT_PROVEN, format!("{why}\npasswd: password unchanged"));
    let gone = || unchanged("nobody answers");
    let new = prompt::password("New password: ").ok_or_else(gone)?;
    if new.is_empty() {
        return Err(unchanged("No password was given"));
    }
    if prompt::password("Retype new password: ").ok_or_else(gone)? != new {
        return Err(unchanged("The two are not the same"));
    }
    let mut salt = [0; 16];
    sys::getrandom(&mut salt).map_err(|e| unchanged(&e.to_string()))?;
    crypt::hash(&new, salt).ok_or_else(|| unchanged("it can't be hashed"))
}

fn set(name: &str, change: impl FnOnce(&str) -> String) -> Result<(), Failure> {
    shadow::change(name, change).map_err(|e| match e {
        Errno::EAGAIN | Errno::EACCES => failure(BUSY, "somebody else is changing passwords; try again"),
        e => failure(UNCHANGED, format!("/etc/shadow: {e}; password unchanged")),
    })
}
