//! `login`: asks who is at a terminal, and gives them a shell there. For services of inittab(5).

use crate::{prompt, session, shadow};
use kit::options::{Failure, Options};
use vkernel_sys::accounts::{User, user_named};
use vkernel_sys::{fs, proc, sys, tty};

const USAGE: &str = "login [-fp] [USER]";
const TRIES: usize = 3;
/// The group of terminals, which may write to them.
const TTY_GROUP: u32 = 5;

/// Asks until somebody is who they say, but not for ever.
fn ask(given: Option<String>) -> Result<User, Failure> {
    let host = sys::uname().ok().and_then(|n| n.get(1).cloned()).unwrap_or_default();
    let mut given = given;
    for _ in 0..TRIES {
        let name = match given.take() {
            Some(name) => name,
            None => prompt::name(&format!("{host} login: ")).ok_or_else(|| Failure::new("nobody answers"))?,
        };
        if name.is_empty() {
            continue;
        }
        let user = user_named(&name).map_err(|e| Failure::with(b"/etc/passwd", e))?;
        // Whether there is such a user is not told.
        if shadow::proves(&name, "Password: ")
            && let Some(user) = user
        {
            return Ok(user);
        }
        eprintln!("Login incorrect\n");
    }
    Err(Failure::new("too many tries"))
}

pub fn login(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse(args, "fp", USAGE, false)?;
    if proc::getuid() != 0 {
        return Err(Failure::new("only root may; su(1) is for others"));
    }
    let given = o.operands.first().map(|n| String::from_utf8_lossy(n).into_owned());
    // Whoever had it before must not open it to hear the answers.
    if tty::isatty(0)
        && let Ok(Some(path)) = terminal()
    {
        let _ = fs::chown(&path, 0, TTY_GROUP, 0).and_then(|()| fs::chmod(&path, 0o600, 0));
    }
    let user = match (&given, o.has(b'f')) {
        (Some(name), true) => {
            user_named(name).ok().flatten().ok_or_else(|| Failure::new(format!("{name}: no such user")))?
        }
        (None, true) => return Err(Failure::usage(format!("-f wants a user\nusage: {USAGE}"))),
        _ => ask(given)?,
    };
    if tty::isatty(0)
        && let Ok(Some(path)) = terminal()
    {
        // Its user's from now on; a terminal that can't be given away is usable all the same.
        let _ = fs::chown(&path, user.uid, TTY_GROUP, 0).and_then(|()| fs::chmod(&path, 0o620, 0));
    }
    let mut env = session::login_environment(&user, &user.shell);
    if o.has(b'p') {
        let shell = user.shell.clone();
        let new = [("HOME", &*user.home), ("USER", &*user.name), ("LOGNAME", &*user.name), ("SHELL", &*shell)];
        env = session::with(kit::process::environment(), &new);
    }
    session::become_user(&user)?;
    session::go_home(&user);
    Err(session::run(&user.shell, true, &[], &env))
}

/// The name of the terminal that standard input is.
fn terminal() -> vkernel_sys::SysResult<Option<Vec<u8>>> {
    let rdev = fs::fstat(0)?.rdev;
    Ok(match rdev >> 8 {
        4 => Some(format!("/dev/tty{}", rdev & 0xff).into_bytes()),
        136 => Some(format!("/dev/pts/{}", rdev & 0xff).into_bytes()),
        _ => None,
    })
}
