//! Becoming somebody: ids, environment, shell.

use kit::options::Failure;
use kit::process::not_started;
use kit::show::flush_now;
use vkernel_sys::accounts::{User, initgroups};
use vkernel_sys::{Spawn, SysResult, fs, io, proc, sig};

const PATH: &str = "PATH=/bin:/sbin:/usr/bin";

/// All ids of a user's, for good. The groups first: afterwards it may not.
pub fn become_user(user: &User) -> Result<(), Failure> {
    let done = || -> SysResult<()> {
        initgroups(&user.name, user.gid)?;
        proc::setgid(user.gid)?;
        proc::setuid(user.uid)
    };
    done().map_err(|e| Failure::new(format!("cannot become {}: {e}", user.name)))
}

fn own(name: &str) -> Option<Vec<u8>> {
    let value = std::env::var_os(name)?;
    Some([name.as_bytes(), b"=", value.as_encoded_bytes()].concat())
}

/// The environment of a login: of what there was only the kind of terminal stays.
pub fn login_environment(user: &User, shell: &str) -> Vec<Vec<u8>> {
    let mut env: Vec<Vec<u8>> = own("TERM").into_iter().collect();
    let name = &user.name;
    env.push(PATH.into());
    for (variable, value) in [("HOME", &user.home), ("USER", name), ("LOGNAME", name)] {
        env.push(format!("{variable}={value}").into_bytes());
    }
    env.push(format!("SHELL={shell}").into_bytes());
    env
}

/// Puts these in place of those of the same name.
pub fn with(mut env: Vec<Vec<u8>>, new: &[(&str, &str)]) -> Vec<Vec<u8>> {
    for (name, value) in new {
        env.retain(|v| v.strip_prefix(name.as_bytes()).is_none_or(|r| r.first() != Some(&b'=')));
        env.push(format!("{name}={value}").into_bytes());
    }
    env
}

/// The user's directory, or the root directory, which is told.
pub fn go_home(user: &User) {
    if let Err(e) = fs::chdir(user.home.as_bytes()) {
        let _ = io::write_all(2, format!("{}: {e}; the directory is /\n", user.home).as_bytes());
        // It is there, as far as anything is.
        let _ = fs::chdir(b"/");
    }
}

/// Runs a shell in our place. A login's has a dash before its name.
pub fn run(shell: &str, login: bool, args: &[Vec<u8>], env: &[Vec<u8>]) -> Failure {
    flush_now();
    let base = shell.rsplit('/').next().unwrap_or(shell);
    let name = if login { format!("-{base}") } else { base.to_string() };
    // Nothing of ours may be ignored in what comes.
    for signal in [sig::INT, sig::QUIT, sig::TSTP] {
        let _ = proc::sigaction(signal, proc::Disposition::Default);
    }
    let e = Spawn::new(shell.as_bytes()).arg(name.as_bytes()).args(args).envs(env).exec();
    Failure { status: not_started(e), ..Failure::with(shell.as_bytes(), e) }
}
