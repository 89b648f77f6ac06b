//! What commands write that not every machine has to compare with.

use std::io::Write;
use std::process::{Command, Stdio};

fn text(args: &[&str], input: &[u8]) -> (i32, String) {
    let mut c = Command::new(env!("CARGO_BIN_EXE_text"));
    let mut c = c.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // Who finds its options wrong reads nothing.
    let _ = c.stdin.take().unwrap().write_all(input);
    let out = c.wait_with_output().unwrap();
    (out.status.code().unwrap(), String::from_utf8_lossy(&out.stdout).into_owned())
}

#[test]
fn lines_are_turned_round_by_characters() {
    assert_eq!(text(&["rev"], "abc\nd é漢\n\nlast".as_bytes()), (0, "cba\n漢é d\n\ntsal".into()));
    assert_eq!(text(&["rev", "nosuch"], b"").0, 1);
    // More than a read gives at once, by a pipe.
    let long: String = (0..20_000).map(|n| format!("{n}\n")).collect();
    let back: String = (0..20_000).rev().map(|n| format!("{n}\n")).collect();
    assert_eq!(text(&["tac"], long.as_bytes()), (0, back));
}

#[test]
fn strings_are_found_with_their_places() {
    let bytes = b"ab\0long enough\x01\x02tab\there\n1234";
    assert_eq!(text(&["strings"], bytes), (0, "long enough\ntab\there\n1234\n".into()));
    assert_eq!(text(&["strings", "-2", "-t", "d"], bytes).1.lines().next(), Some("      0 ab"));
    assert_eq!(text(&["strings", "-t", "x", "-n", "5"], bytes).1, "      3 long enough\n     10 tab\there\n");
    assert_eq!(text(&["strings", "-t", "y"], bytes).0, 2);
    assert_eq!(text(&["strings", "nosuch"], b"").0, 1);
}

#[test]
fn dumps_leave_out_what_comes_again() {
    let lines = text(&["hexdump", "-C"], &[b'x'; 50]).1;
    let row = "78 78 78 78 78 78 78 78  78 78 78 78 78 78 78 78  |xxxxxxxxxxxxxxxx|";
    let rest = "78 78                                             |xx|";
    assert_eq!(lines, format!("00000000  {row}\n*\n00000030  {rest}\n00000032\n"));
    assert_eq!(text(&["hexdump", "-C"], b""), (0, String::new()));
    assert_eq!(text(&["hexdump", "-n", "3", "-s", "1"], b"abcdef").1, "0000001 6362 0064\n0000004\n");
    assert_eq!(text(&["hexdump", "-v", "-C"], &[0; 64]).1.lines().count(), 5);
}

#[test]
fn a_year_has_its_months() {
    let year = text(&["cal", "2026"], b"").1;
    assert_eq!(year.lines().nth(1), Some("      January               February               March"));
    assert_eq!(year.lines().count(), 1 + 4 * 8);
    assert_eq!(text(&["cal", "13", "2026"], b"").0, 2);
    assert_eq!(text(&["cal", "9", "1752"], b"").1.lines().nth(2), Some("       1  2 14 15 16"));
}
