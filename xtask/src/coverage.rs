//! Every native call of the kernel's table has a page in `doc/man/man2` and a test in `tests/posix`; every command
//! one in `doc/man/man1`.

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

/// Every command of the image has a page in section 1 or 8, or a line in `man1/commands`, and every such line a
/// command.
pub fn commands() -> Outcome {
    let pages: Vec<String> = ["doc/man/man1", "doc/man/man8"]
        .iter()
        .zip([".1", ".8"])
        .map(|(dir, ending)| texts(dir, ending))
        .collect::<Outcome<Vec<_>>>()?
        .concat();
    let named: Vec<&str> = pages.iter().flat_map(|p| names(p)).collect();
    let list = String::from_utf8_lossy(&read(&root().join("doc/man/man1/commands"))?).into_owned();
    let listed: Vec<&str> = list.lines().filter_map(|l| l.split_once('\t')).map(|l| l.0).collect();
    let commands = crate::image::links().iter().flat_map(|m| m.1).copied();
    let commands: Vec<&str> = commands.chain(["[", "awk", "false", "init", "sh", "test", "true"]).collect();
    let mut wrong = String::new();
    for c in commands.iter().filter(|c| !named.contains(c) && !listed.contains(c)) {
        wrong += &format!("{c}: no page in doc/man/man1, and no line in doc/man/man1/commands\n");
    }
    for l in listed.iter().filter(|l| !commands.contains(l) || named.contains(l)) {
        wrong += &format!("{l}: has a line in doc/man/man1/commands and is no command, or has a page\n");
    }
    if !listed.is_sorted() {
        wrong += "doc/man/man1/commands is not sorted\n";
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// What a page's section NAME lists.
fn names(page: &str) -> impl Iterator<Item = &str> {
    let section = page.split_once(".Sh NAME\n").map_or("", |p| p.1).split("\n.Sh ").next().unwrap_or("");
    let lines = section.lines().filter_map(|l| l.strip_prefix(".Nm "));
    lines.flat_map(|l| l.split(' ')).filter(|n| *n != ",").map(|n| n.trim_start_matches("\\&"))
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
    fn every_command_has_a_page() {
        commands().unwrap();
    }

    #[test]
    fn a_call_is_a_word_before_a_parenthesis() {
        assert!(is_called("x = read(fd)", "read"));
        assert!(!is_called("pread(fd)", "read"));
        assert!(!is_called("read_all(fd)", "read"));
    }
}
