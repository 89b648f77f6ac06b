//! `man` on a manual of our own.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory with pages, of the test's own.
fn manual(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    let page = |file: &str, text: &str| {
        let path = dir.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    page("man1/try.1", ".Dd D\n.Dt TRY 1\n.Os\n.Sh NAME\n.Nm try\n.Nd do something\n.Sh SYNOPSIS\n.Nm\n.Op Fl a\n");
    page("man2/try.2", ".Dd D\n.Dt TRY 2\n.Os\n.Sh NAME\n.Nm try ,\n.Nm ftry\n.Nd the call for it\n");
    page("man5/old.5", ".TH OLD 5\n.SH NAME\nold \\- how it was\n");
    dir
}

fn run(dir: &Path, args: &[&str]) -> (i32, String) {
    let mut c = Command::new(env!("CARGO_BIN_EXE_posix"));
    let out = c.args(args).env("MANPATH", dir).env_remove("MANWIDTH").output().unwrap();
    (out.status.code().unwrap(), String::from_utf8_lossy(&out.stdout).into_owned())
}

#[test]
fn a_page_is_found_by_its_section_and_by_its_names() {
    let dir = manual("found");
    let first = |args: &[&str]| {
        let (status, text) = run(&dir, args);
        (status, text.split(' ').next().unwrap_or_default().to_string())
    };
    assert_eq!(first(&["man", "try"]), (0, "TRY(1)".into()));
    assert_eq!(first(&["man", "2", "try"]), (0, "TRY(2)".into()));
    assert_eq!(first(&["man", "-s", "2", "try"]), (0, "TRY(2)".into()));
    assert_eq!(first(&["man", "ftry"]), (0, "TRY(2)".into()));
    assert_eq!(first(&["man", "old"]), (0, "OLD(5)".into()));
    assert_eq!(first(&["man", "3", "try"]), (16, "".into()));
    assert_eq!(first(&["man", "nosuch"]), (16, "".into()));
    assert_eq!(first(&["man", "nosuch", "try"]), (16, "TRY(1)".into()));
    assert_eq!(first(&["man"]), (2, "".into()));
    let both = run(&dir, &["man", "-a", "try"]).1;
    assert!(both.contains("try – do something") && both.contains("try, ftry – the call for it"), "{both}");
    let page = dir.join("man5/old.5");
    assert_eq!(first(&["man", page.to_str().unwrap()]), (0, "OLD(5)".into()));
}

#[test]
fn words_are_looked_for_in_names_and_descriptions() {
    let dir = manual("words");
    let call = "try, ftry (2)        - the call for it\n";
    assert_eq!(run(&dir, &["man", "-k", "CALL"]), (0, call.into()));
    assert_eq!(run(&dir, &["apropos", "ftr"]), (0, call.into()));
    assert_eq!(run(&dir, &["whatis", "ftr"]).0, 16);
    assert_eq!(run(&dir, &["man", "-f", "old"]), (0, "old (5)              - how it was\n".into()));
    assert_eq!(run(&dir, &["man", "-k", "nosuch"]), (16, "".into()));
}

/// The archive of the image, as tar makes it; lines for commands without pages.
#[test]
fn an_archive_holds_pages_and_lines() {
    let dir = manual("archive");
    std::fs::write(dir.join("man1/commands"), "seq\tcount\n").unwrap();
    let mut tar = Command::new("tar");
    let tar =
        tar.args(["--format=ustar", "-cf", "pages.tar", "man1/commands", "man2/try.2"]).current_dir(&dir).status();

    assert!(tar.unwrap().success());
    std::fs::remove_dir_all(dir.join("man2")).unwrap();
    assert!(run(&dir, &["man", "2", "try"]).1.starts_with("TRY(2)"));
    assert_eq!(run(&dir, &["man", "-k", "count"]), (0, "seq (1)              - count\n".into()));
    let (status, page) = run(&dir, &["man", "seq"]);
    assert!(status == 0 && page.starts_with("SEQ(1)") && page.contains("This is what"), "{page}");
}
