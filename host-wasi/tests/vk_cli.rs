//! vk's arguments, exit codes and messages, as far as they need no kernel.

mod vk_support;

use vk_support::{Scratch, run, run_in};

#[test]
fn help_and_version_go_to_standard_output() {
    for args in [&["--help"][..], &["-h"], &["run", "--help"]] {
        let d = run(args);
        assert_eq!((d.status, d.err.as_str()), (0, ""), "{args:?}");
        assert!(d.out.contains("Usage: vk") && d.out.contains("Examples:"), "{}", d.out);
    }
    let d = run(&["--version"]);
    assert_eq!((d.status, d.out), (0, format!("vk {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn the_help_tells_every_option_and_every_status() {
    let help = run(&["run", "--help"]).out + &run(&["--help"]).out;
    for word in "--image --dir --env --workdir --memory --total-memory --procs --files --timeout --argv0 --trace \
                 --trace-file --stats --quiet 124 125 126 127 128+N"
        .split_whitespace()
    {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn mistakes_in_arguments_are_125_with_a_message_and_a_usage_line() {
    for args in [
        &["run"][..],
        &["run", "--bogus", "ls"],
        &["rnu", "ls"],
        &["--memory"],
        &["--memory", "12", "run"],
        &["run", "--memory", "lots", "ls"],
        &["run", "--memory", "64", "ls"],
        &["run", "--timeout", "0", "ls"],
        &["run", "--timeout", "soon", "ls"],
        &["run", "--procs", "0", "ls"],
        &["run", "--files", "-3", "ls"],
        &["run", "--files", "2", "ls"],
        &["run", "--workdir", "here", "ls"],
        &["run", "--dir", "", "ls"],
        &["run", "--dir", ".::relative", "ls"],
        &["run", "--env", "=x", "ls"],
        &["run", "--trace=nonsense", "ls"],
    ] {
        let d = run(args);
        assert_eq!((d.status, d.out.as_str()), (125, ""), "{args:?}: {}", d.err);
        assert!(d.err.starts_with("vk: "), "{args:?}: {}", d.err);
        assert!(d.err.contains("--help"), "{args:?} says where to read on: {}", d.err);
    }
}

#[test]
fn a_directory_that_cannot_be_shared_is_125() {
    let s = Scratch::new("cli-dir");
    s.write("file", "");
    let d = run_in(&s.0, &["run", "--dir", "none", "ls"]);
    assert_eq!((d.status, d.err.as_str()), (125, "vk: --dir none: no such directory\n"));
    let d = run_in(&s.0, &["run", "--dir", "file", "ls"]);
    assert_eq!(d.status, 125);
    assert!(d.err.contains("not a directory; share the one it is in"), "{}", d.err);
}

#[test]
fn an_image_that_is_none_is_125_and_says_what_was_expected() {
    let s = Scratch::new("cli-image");
    s.write("junk.tar", [b'x'; 5000]);
    s.write("prog.wasm", b"\0asm\x01\0\0\0");
    s.write("i.tar.gz", b"\x1f\x8b\x08\0\0");
    for (image, says) in [
        ("junk.tar", "not a tar archive; vk boots from a directory, a .tar file or a .tar.zst file"),
        ("prog.wasm", "vk run FILE.wasm"),
        ("i.tar.gz", "gunzip"),
        ("none.tar", "No such file"),
    ] {
        let d = run_in(&s.0, &["run", "--image", image, "ls"]);
        assert_eq!(d.status, 125, "{}", d.err);
        assert!(d.err.starts_with(&format!("vk: --image {image}: ")) && d.err.contains(says), "{}", d.err);
    }
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..13].copy_from_slice(b"../etc/passwd");
    header.set_size(0);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append(&header, &b""[..]).expect("an entry");
    s.write("escape.tar", tar.into_inner().expect("an archive"));
    let d = run_in(&s.0, &["--image", "escape.tar"]);
    assert!(d.status == 125 && d.err.contains("`../etc/passwd`"), "{}", d.err);
}

#[test]
fn a_program_that_is_not_there_is_127_and_one_that_is_no_file_126() {
    let d = run(&["run", "nowhere.wasm"]);
    assert_eq!(d.status, 127);
    assert_eq!(
        d.err,
        "vk: nowhere.wasm: no such file (give a path to a .wasm file, or the name of a program in the image: \
         vk run ls /bin lists them)\n"
    );
    assert_eq!(run(&["run", "./nowhere"]).status, 127);
    let d = run(&["run", "/tmp/"]);
    assert_eq!(d.status, 126);
    assert!(d.err.contains("/tmp/: is a directory"), "{}", d.err);
    let d = run(&["run", "/dev/zero"]);
    assert_eq!(d.status, 126);
    assert!(d.err.contains("/dev/zero: is larger than"), "{}", d.err);
}
