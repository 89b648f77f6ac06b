//! What commands write that not every machine has to compare with; the others are in `tests/sh`.

use std::io::Write;
use std::process::{Command, Stdio};

fn run(args: &[&str], input: &str) -> (i32, String) {
    let mut c = Command::new(env!("CARGO_BIN_EXE_posix"));
    let mut c = c.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // Who finds its options wrong reads nothing.
    let _ = c.stdin.take().unwrap().write_all(input.as_bytes());
    let out = c.wait_with_output().unwrap();
    (out.status.code().unwrap(), String::from_utf8_lossy(&out.stdout).into_owned())
}

#[test]
fn limits_have_names() {
    assert_eq!(run(&["getconf", "PATH"], ""), (0, "/bin:/usr/bin:/sbin\n".into()));
    assert_eq!(run(&["getconf", "NAME_MAX", "/"], ""), (0, "255\n".into()));
    assert_eq!(run(&["getconf", "AIO_MAX"], ""), (0, "undefined\n".into()));
    assert_eq!(run(&["getconf", "-v", "POSIX_V7_ILP32_OFFBIG", "CHAR_BIT"], ""), (0, "8\n".into()));
    assert_eq!(run(&["getconf", "NOSUCH"], "").0, 2);
    assert_eq!(run(&["getconf", "NAME_MAX", "/nosuch"], "").0, 1);
    assert_eq!(run(&["getconf"], "").0, 2);
    assert!(run(&["getconf", "-a"], "").1.lines().count() > 150);
}

#[test]
fn processors_are_counted() {
    let count: usize = run(&["nproc"], "").1.trim().parse().unwrap();
    assert!(count >= 1);
    assert_eq!(run(&["nproc", "--ignore=1000"], ""), (0, "1\n".into()));
    assert_eq!(run(&["nproc", "x"], "").0, 1);
}

/// What would be too deep for the stack, or too long for the memory, is a mistake and no end.
#[test]
fn arithmetic_survives_what_it_is_given() {
    let deep = format!("{}1{}\n2\n", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(run(&["bc"], &deep), (0, "2\n".into()));
    assert_eq!(run(&["bc"], &format!("{}1\n2\n", "-".repeat(100_000))).1, "2\n");
    assert_eq!(run(&["bc"], "9^9^9^9\n2\n"), (0, "2\n".into()));
    assert_eq!(run(&["bc"], "a[10^9] = 1\nscale = 10^9\n\"open").0, 0);
    assert_eq!(run(&["bc"], "define f(x) { return (f(x)) }\nf(1)\n3\n"), (0, "3\n".into()));
    assert_eq!(run(&["bc"], "a = read()\n17\na + 1\n"), (0, "18\n".into()));
}

#[test]
fn an_editor_without_a_file_is_empty() {
    assert_eq!(run(&["ed"], "=\n1p\nh\na\nx\n.\n,n\nQ\n"), (1, "0\n?\nInvalid address\n1\tx\n".into()));
    assert_eq!(run(&["ed", "-p", ":", "-s"], "Q\n").1, ":");
    assert_eq!(run(&["ed", "nosuch"], "q\n").1, "nosuch: No such file or directory\n");
}

#[test]
fn log_levels_have_names() {
    assert_eq!(run(&["logger", "-p", "user.nosuch", "x"], "").0, 1);
    assert_eq!(run(&["logger", "-q"], "").0, 2);
}
