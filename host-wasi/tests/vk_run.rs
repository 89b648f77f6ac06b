//! vk with a kernel in it: what a user sees of programs that run, end, fail and are stopped.

mod vk_support;

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};
use vk_support::{Scratch, finish, has_kernel, run, run_in, run_with_input, vk};

const SPIN: &str = "(loop $l (br $l))";

#[test]
fn the_status_is_the_programs() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("status");
    assert_eq!(run(&["run", "true"]).status, 0);
    assert_eq!(run(&["run", "false"]).status, 1);
    for n in [0, 1, 7, 123, 255] {
        let d = run(&["run", &s.program("p.wasm", &format!("(call $exit (i32.const {n}))"))]);
        assert_eq!((d.status, d.out.as_str(), d.err.as_str()), (n, "", ""));
    }
    assert_eq!(run(&["run", &s.program("p.wasm", "(nop)")]).status, 0, "returning is success");
}

#[test]
fn faults_are_signals_and_are_told() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("faults");
    for (code, status, says) in [
        ("unreachable", 132, "Illegal instruction (unreachable instruction executed)"),
        ("(drop (i32.load (i32.const -4)))", 139, "Segmentation fault (memory access out of bounds)"),
        ("(drop (i32.div_u (i32.const 1) (local.get $i)))", 136, "Floating point exception (integer division by zero)"),
        ("(drop (call $deep (i64.const 0)))", 139, "Segmentation fault (stack overflow)"),
    ] {
        let path = s.program("bad.wasm", code);
        let d = run(&["run", &path]);
        assert_eq!(d.status, status, "{code}: {}", d.err);
        assert!(d.err.starts_with("vk: ") && d.err.contains(&format!("bad.wasm: {says}")), "{code}: {}", d.err);
        let d = run(&["run", "--quiet", &path]);
        assert_eq!((d.status, d.err.as_str()), (status, ""), "{code}");
    }
}

#[test]
fn what_cannot_be_run_is_126_and_says_why() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("cannot");
    let whole = vk_support::program("(call $exit (i32.const 0))");
    let strange = wat::parse_str(
        r#"(module (import "env" "strange" (func)) (memory (export "memory") 1) (func (export "_start")))"#,
    );
    for (name, bytes, says) in [
        ("text.wasm", b"hello, world\n".to_vec(), "not a WebAssembly module"),
        ("empty.wasm", Vec::new(), ""),
        ("cut.wasm", whole[..whole.len() - 5].to_vec(), ""),
        ("import.wasm", strange.expect("a module"), "strange"),
    ] {
        let d = run(&["run", &s.write(name, bytes)]);
        assert_eq!(d.status, 126, "{name}: {}", d.err);
        assert!(d.err.starts_with("vk: ") && d.err.contains(name) && d.err.contains(says), "{name}: {}", d.err);
        assert_eq!(d.err.lines().count(), 1, "{}", d.err);
    }
}

#[test]
fn a_program_that_is_not_in_the_image_is_127() {
    if !has_kernel() {
        return;
    }
    let d = run(&["run", "no-such-thing"]);
    assert_eq!(d.status, 127);
    assert!(d.err.starts_with("vk: no-such-thing: no such program in the image (vk run ls /bin"), "{}", d.err);
}

#[test]
fn a_spinning_program_is_ended_when_its_time_is_over() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("timeout");
    let path = s.program("spin.wasm", SPIN);
    let begin = Instant::now();
    let d = run(&["run", "--timeout", "0.3", &path]);
    assert_eq!(d.status, 124, "{}", d.err);
    assert!(d.err.contains("ended after 0.3 s (--timeout)"), "{}", d.err);
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[test]
fn signals_to_vk_reach_the_program_or_end_it() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("signals");
    let spin = s.program("spin.wasm", SPIN);
    for (signal, status) in [(libc::SIGINT, 130), (libc::SIGTERM, 143), (libc::SIGHUP, 129)] {
        for args in [&["run", spin.as_str()][..], &["run", "cat"]] {
            let mut child = vk().args(args).stdin(Stdio::piped()).spawn().expect("vk starts");
            let _input = child.stdin.take();
            std::thread::sleep(Duration::from_millis(500));
            // SAFETY: a process of ours that we have not waited for.
            assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
            assert_eq!(finish(child).status, status, "{args:?}");
        }
    }
}

#[test]
fn input_and_output_pass_through() {
    if !has_kernel() {
        return;
    }
    let data: Vec<u8> = (0..1_000_000u32).map(|i| b'a' + (i % 26) as u8).collect();
    let d = run_with_input(&data, &["run", "cat"]);
    assert_eq!((d.status, d.out.len()), (0, data.len()));
    assert!(d.out.as_bytes() == data);
    let d = run(&["run", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    assert_eq!((d.status, d.out.as_str(), d.err.as_str()), (3, "out\n", "err\n"));
}

#[test]
fn a_reader_that_goes_away_ends_the_writer() {
    if !has_kernel() {
        return;
    }
    let mut child = vk().args(["run", "sh", "-c", "while true; do echo y; done"]).spawn().expect("vk starts");
    let mut first = [0; 2];
    let mut out = child.stdout.take().expect("a pipe");
    out.read_exact(&mut first).expect("a line");
    drop(out);
    let d = finish(child);
    assert!(d.status == 141 || d.status == 1, "{}: {}", d.status, d.err);
}

#[test]
fn the_environment_and_the_arguments_are_what_was_said() {
    if !has_kernel() {
        return;
    }
    let args = ["run", "--env", "A=b c", "--env", "FROM_US", "sh", "-c", "echo \"$A,$FROM_US,$LEAK,$HOME,$PATH,$PWD\""];
    let child = vk().args(args).env("FROM_US", "yes").env("LEAK", "leaked").spawn().expect("vk starts");
    assert_eq!(finish(child).out, "b c,yes,,/root,/bin:/usr/bin:/sbin,/\n");
    let d = run(&["run", "--argv0", "other", "sh", "-c", "echo $0 \"$@\"", "zero", "-x", "two words"]);
    assert_eq!(d.out, "zero -x two words\n");
}

#[test]
fn shared_directories() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("dirs");
    s.write("work/in.txt", "content\n");
    s.write("secret", "SECRET\n");
    std::os::unix::fs::symlink("../secret", s.0.join("work/up")).expect("a link");
    std::os::unix::fs::symlink(s.0.join("secret"), s.0.join("work/abs")).expect("a link");
    let work = s.0.join("work");
    let d = run_in(&work, &["run", "--dir", ".", "sh", "-c", "cat in.txt; echo new > out.txt; pwd"]);
    assert_eq!((d.status, d.out), (0, format!("content\n{}\n", work.display())), "{}", d.err);
    assert_eq!(std::fs::read(work.join("out.txt")).expect("was written"), b"new\n");
    let d = run_in(&work, &["run", "--dir", ".::/data:ro", "sh", "-c", "cat in.txt; echo x > in.txt"]);
    assert_eq!(d.out, "content\n");
    assert!(d.status != 0, "read-only");
    assert_eq!(std::fs::read(work.join("in.txt")).expect("is there"), b"content\n");
    for link in ["up", "abs"] {
        let d = run_in(&work, &["run", "--dir", ".::/w", "cat", link]);
        assert!(d.status != 0 && !d.out.contains("SECRET"), "{link}: {}", d.out);
    }
    let cat = s.program("p.wasm", "(nop)");
    let d = run_in(&work, &["run", "--dir", ".::/", &cat]);
    assert_eq!(d.status, 0, "a root without anything of ours: {}", d.err);
}

#[test]
fn an_image_of_ones_own() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("image");
    s.write("img/bin/seven", vk_support::program("(call $exit (i32.const 7))"));
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(s.0.join("img/bin/seven"), mode).expect("a mode");
    assert_eq!(run(&["run", "--image", &s.path("img"), "seven"]).status, 7);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all(".", s.0.join("img")).expect("an archive");
    let tar = tar.into_inner().expect("an archive");
    let zst = ruzstd::encoding::compress_to_vec(&tar[..], ruzstd::encoding::CompressionLevel::Fastest);
    assert_eq!(run(&["run", "--image", &s.write("i.tar", &tar), "seven"]).status, 7);
    assert_eq!(run(&["run", "--image", &s.write("i.tar.zst", zst), "seven"]).status, 7);
    assert_eq!(run(&["run", "--image", &s.path("i.tar"), "true"]).status, 127);
}

#[test]
fn limits_hold() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("limits");
    let grow = s.program("grow.wasm", "(call $exit (i32.eq (memory.grow (i32.const 100)) (i32.const -1)))");
    assert_eq!(run(&["run", "--memory", "16m", &grow]).status, 0);
    assert_eq!(run(&["run", "--memory", "1m", &grow]).status, 1, "memory.grow says no");
    assert_eq!(run(&["run", "--total-memory", "1m", &grow]).status, 1);
}

#[test]
fn a_trace_and_statistics() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("trace");
    let path = s.program("p.wasm", "(drop (call $yield)) (call $exit (i32.const 4))");
    let d = run(&["run", "--trace", &path]);
    assert!(d.status == 4 && d.err.contains("sched_yield") && d.err.contains("proc_exit"), "{}", d.err);
    let d = run(&["run", "--trace=sched_yield", &path]);
    assert!(d.err.contains("sched_yield") && !d.err.contains("proc_exit"), "{}", d.err);
    let file = s.path("trace.txt");
    let d = run(&["run", "--trace-file", &file, &path]);
    assert_eq!(d.err, "");
    assert!(std::fs::read_to_string(&file).expect("a trace").contains("sched_yield"));
    let d = run(&["run", "--stats", &path]);
    let stats: serde_json::Value = serde_json::from_str(d.err.trim_end()).expect("one JSON object");
    assert_eq!((&stats["status"], &stats["syscalls"]["sched_yield"]), (&4.into(), &1.into()), "{stats}");
    for key in ["boot_us", "compile_us", "instantiate_us", "run_us", "wall_us", "process_peak_bytes"] {
        assert!(stats[key].is_u64(), "{key}: {stats}");
    }
    let d = run(&["run", "--trace-file", "/nowhere/x", "true"]);
    assert!(d.status == 125 && d.err.starts_with("vk: --trace-file /nowhere/x: "), "{}", d.err);
}

#[test]
fn alone_it_is_a_system_to_work_in() {
    if !has_kernel() {
        return;
    }
    let mut child = vk().stdin(Stdio::piped()).spawn().expect("vk starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"echo from the $((40 + 2))nd shell\nexit\n").expect("is read");
    drop(input);
    let d = finish(child);
    assert!(d.out.contains("from the 42nd shell"), "{}{}", d.out, d.err);
}

/// A file on standard input is one: it has a position, which begins where the shell has left it and is left behind.
#[test]
fn a_file_on_standard_input_can_be_sought_in() {
    use std::io::{Read, Seek, SeekFrom, Write};
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("input");
    let path = s.0.join("file");
    let mut file = std::fs::File::create_new(&path).expect("a file");
    file.write_all(b"0123456789abcdef").expect("write");
    let mut file = std::fs::File::open(&path).expect("the file");
    file.seek(SeekFrom::Start(4)).expect("seek");
    let script = "dd bs=1 count=2 status=none; echo; tail -c 3; echo; test -f /dev/stdin && echo regular";
    let mut c = vk();
    c.args(["run", "sh", "-c", script]).stdin(Stdio::from(file.try_clone().expect("a descriptor")));
    let done = finish(c.spawn().expect("vk starts"));
    assert_eq!((done.status, &*done.out), (0, "45\ndef\nregular\n"), "{}", done.err);
    let mut rest = String::new();
    file.read_to_string(&mut rest).expect("read");
    assert_eq!(rest, "");
}

#[test]
fn the_terminal_is_given_back_as_it_was() {
    if !has_kernel() {
        return;
    }
    let (main, side) = pty();
    let before = mode(&side);
    let mut c = vk();
    let clone = || Stdio::from(side.try_clone().expect("a descriptor"));
    let mut child = c.stdin(clone()).stdout(clone()).stderr(clone()).spawn().expect("vk starts");
    std::thread::sleep(Duration::from_millis(700));
    // SAFETY: a process of ours that we have not waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGTERM) }, 0);
    assert_eq!(child.wait().expect("vk ends").code(), Some(143));
    assert_eq!(mode(&side), before);
    drop(main);
}

/// A terminal: the side of whoever plays its user, and the program's.
fn pty() -> (std::fs::File, std::fs::File) {
    use std::os::fd::FromRawFd;
    let (mut main, mut side) = (0, 0);
    let null = std::ptr::null_mut();
    // SAFETY: two places for descriptors, and nothing said about the rest.
    let done = unsafe { libc::openpty(&mut main, &mut side, null, null.cast(), null.cast()) };
    assert_eq!(done, 0);
    // SAFETY: new descriptors that nobody else has.
    unsafe { (std::fs::File::from_raw_fd(main), std::fs::File::from_raw_fd(side)) }
}

fn mode(side: &std::fs::File) -> Vec<u32> {
    use std::os::fd::AsRawFd;
    let mut t = std::mem::MaybeUninit::<libc::termios>::uninit();
    // SAFETY: room for what is written there, read after success.
    let t = unsafe {
        assert_eq!(libc::tcgetattr(side.as_raw_fd(), t.as_mut_ptr()), 0);
        t.assume_init()
    };
    [t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag].into_iter().chain(t.c_cc.map(u32::from)).collect()
}

#[test]
fn a_file_of_an_image_that_is_too_large_to_be_a_program_is_refused_unread() {
    if !has_kernel() {
        return;
    }
    let s = Scratch::new("large");
    let path = s.write("bin/large", "");
    let file = std::fs::File::options().write(true).open(&path).expect("it opens");
    // All hole.
    file.set_len(1 << 40).expect("a sparse file");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
    let d = run_in(&s.0, &["run", "--image", ".", "large"]);
    assert_eq!((d.status, d.err.as_str()), (126, "vk: large: File too large\n"));
}
