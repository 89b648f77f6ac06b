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
