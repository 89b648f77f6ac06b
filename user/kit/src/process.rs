//! Other commands, run as a shell would.

use crate::options::Failure;
use vkernel_sys::{Errno, Spawn, SysResult, proc, sig, wait};

/// Our own environment, as it was given.
pub fn environment() -> Vec<Vec<u8>> {
    std::env::vars_os().map(|(n, v)| [n.as_encoded_bytes(), v.as_encoded_bytes()].join(&b'=')).collect()
}

/// A command that is found by PATH, with our environment.
pub fn command(argv: &[Vec<u8>]) -> Spawn {
    Spawn::new(argv.first().map_or(b"", |a| a.as_slice())).search_path().args(argv).envs(environment())
}

/// A signal by its name or number.
pub fn signal(name: &str) -> Result<u32, Failure> {
    let known = name.parse().ok().or_else(|| sig::from_name(&name.to_uppercase()));
    known.filter(|n| *n < sig::COUNT).ok_or_else(|| Failure::usage(format!("{name}: no such signal")))
}

/// The status of a command that could not be started (POSIX 2.8.2).
pub fn not_started(e: Errno) -> i32 {
    if e == Errno::ENOENT { 127 } else { 126 }
}

/// Why a command could not be started, in the words of the shell.
pub fn not_found(name: &[u8], e: Errno) -> Failure {
    let status = not_started(e);
    if status == 127 {
        return Failure { status, message: format!("{}: not found", String::from_utf8_lossy(name)) };
    }
    Failure { status, ..Failure::with(name, e) }
}

/// Waits for a child; answers its status as a shell has it.
pub fn wait_for(pid: i32) -> SysResult<i32> {
    loop {
        match proc::waitpid(pid, 0) {
            Ok(Some((_, word))) => return Ok(wait::shell_status(word) as i32),
            Ok(None) | Err(Errno::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
}

/// What runs a text with `sh -c`.
pub fn shell(text: &[u8]) -> Spawn {
    command(&[b"sh".to_vec(), b"-c".to_vec(), text.to_vec()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_told_as_the_shell_does() {
        let told = |e| (not_found(b"cc", e).status, not_found(b"cc", e).message);
        assert_eq!(told(Errno::ENOENT), (127, "cc: not found".into()));
        assert_eq!(told(Errno::EACCES), (126, format!("cc: {}", Errno::EACCES)));
    }
}
