//! `su`: a shell, or a command, as somebody else.

use crate::{session, shadow};
use kit::options::{Failure, Options};
use vkernel_sys::accounts::{user_named, user_with};
use vkernel_sys::{io, proc};

const USAGE: &str = "su [-lmp] [-c COMMAND] [-s SHELL] [-] [USER [ARGUMENT...]]";
const WORDS: &[(&str, u8)] = &[("login", b'l'), ("command", b'c'), ("shell", b's'), ("preserve-environment", b'p')];

/// Shells that accounts of people have: shells(5).
fn is_common(shell: &str) -> bool {
    match io::read_file(b"/etc/shells") {
        Ok(text) => String::from_utf8_lossy(&text).lines().any(|l| l.trim() == shell),
        Err(_) => shell == "/bin/sh",
    }
}

pub fn su(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let o = Options::parse_long(args, "lmpc:s:", WORDS, USAGE, false)
        .map_err(|f| Failure { status: f.status.min(1), ..f })?;
    let mut operands = o.operands.as_slice();
    let mut login = o.has(b'l');
    if let [dash, rest @ ..] = operands
        && dash == b"-"
    {
        (login, operands) = (true, rest);
    }
    let (name, args) = match operands {
        [name, args @ ..] => (String::from_utf8_lossy(name).into_owned(), args),
        [] => ("root".into(), &[][..]),
    };
    let wrong = |e: vkernel_sys::Errno| Failure::with(b"/etc/passwd", e);
    let user = user_named(&name).map_err(wrong)?;
    let user = user.ok_or_else(|| Failure::new(format!("user {name} does not exist")))?;
    let root = proc::getuid() == 0;
    if !root && !shadow::proves(&name, "Password: ") {
        return Err(Failure::new("Authentication failure"));
    }
    let keep = (o.has(b'p') || o.has(b'm')) && !login;
    // Who asks for another shell must not come round one that lets nobody in.
    let may_choose = root || is_common(&user.shell);
    let own = || String::from_utf8_lossy(std::env::var_os("SHELL").unwrap_or_default().as_encoded_bytes()).into_owned();
    let chosen = o.value(b's').map(|s| String::from_utf8_lossy(s).into_owned()).or_else(|| keep.then(own));
    let shell = chosen.filter(|s| may_choose && !s.is_empty()).unwrap_or_else(|| user.shell.clone());
    let env = kit::process::environment();
    let env = match (login, keep) {
        (true, _) => session::login_environment(&user, &shell),
        (_, true) => env,
        _ => {
            let env = session::with(env, &[("HOME", &user.home), ("SHELL", &shell)]);
            // As others: who becomes root for a while is still known by its name.
            if user.uid == 0 { env } else { session::with(env, &[("USER", &name), ("LOGNAME", &name)]) }
        }
    };
    session::become_user(&user)?;
    if login {
        session::go_home(&user);
    }
    let mut words = Vec::new();
    if let Some(command) = o.value(b'c') {
        words.extend([b"-c".to_vec(), command.to_vec()]);
    }
    words.extend_from_slice(args);
    Err(session::run(&shell, login, &words, &env))
}

/// The name of whoever has started us.
pub fn caller() -> Result<vkernel_sys::accounts::User, Failure> {
    let uid = proc::getuid();
    let user = user_with(uid).map_err(|e| Failure::with(b"/etc/passwd", e))?;
    user.ok_or_else(|| Failure::new(format!("user {uid} has no name")))
}
