//! Every native call of the kernel's table has a page in `doc/man/man2` and a test in `tests/posix`.

use crate::build::collect;
use crate::process::{Outcome, read, root};
use abi::syscalls::{Module, SYSCALLS, Syscall};

/// Calls whose function in C has another name; what a test that makes the call says instead.
const IN_C: [(&str, &str); 9] = [
    ("exit", "_exit("),
    ("spawn", "posix_spawn("),
    ("exec", "execl("),
    ("siginfo", "SA_SIGINFO"),
    ("fork_at", "fork("),
    ("frames", "fork("),
    ("fcntl_lock", "F_SETLK"),
    ("getdents", "readdir("),
    ("unmount", "umount("),
];

/// There is no such function in C, and the end of everything is no test: `init` makes this call.
const UNTESTED: [&str; 1] = ["reboot"];

pub fn check() -> Outcome {
    let (pages, tests) = (texts("doc/man/man2", ".2")?, texts("tests/posix", ".c")?);
    let mut lacking = String::new();
    for call in SYSCALLS.iter().filter(|c| c.module == Module::vkernel) {
        let quoted = format!("\"vkernel {}\"", call.name);
        if !pages.iter().any(|p| p.contains(&quoted)) {
            lacking += &format!("{}: no page in doc/man/man2\n", call.name);
        }
        if !UNTESTED.contains(&call.name) && !tests.iter().any(|t| makes(t, call)) {
            lacking += &format!("{}: no test in tests/posix\n", call.name);
        }
    }
    if lacking.is_empty() { Ok(()) } else { Err(lacking) }
}

/// True when C source makes the call, by its name or by those that the library makes of it.
fn makes(source: &str, call: &Syscall) -> bool {
    if let Some((_, says)) = IN_C.iter().find(|(name, _)| *name == call.name) {
        return source.contains(says);
    }
    let plain = call.name.strip_suffix("at").unwrap_or(call.name);
    [call.name, plain, plain.strip_prefix('f').unwrap_or(plain)].iter().any(|name| is_called(source, name))
}

fn is_called(source: &str, name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    source.match_indices(name).any(|(at, _)| {
        source[at + name.len()..].starts_with('(') && !source[..at].chars().next_back().is_some_and(word)
    })
}

fn texts(dir: &str, ending: &str) -> Outcome<Vec<String>> {
    let mut files = Vec::new();
    collect(&root().join(dir), &mut files)?;
    files.retain(|f| f.to_string_lossy().ends_with(ending));
    files.iter().map(|f| Ok(String::from_utf8_lossy(&read(f)?).into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_a_page_and_a_test() {
        check().unwrap();
    }

    #[test]
    fn a_call_is_a_word_before_a_parenthesis() {
        assert!(is_called("x = read(fd)", "read"));
        assert!(!is_called("pread(fd)", "read"));
        assert!(!is_called("read_all(fd)", "read"));
    }
}
