//! Making processes: spawn, exec, what they are given and what they leave. posix_spawn(3), exec(2), exit(2).

use abi::types::{o, wait};
use vkernel_sys::{Errno, Spawn, fs, io, proc};

use crate::harness::{output_of, role, status_of, wait_for, write_file};

crate::tests! { procs:
    exit_codes, arguments, environment, directory, spawn_errors, exec_keeps_the_process, exec_that_fails, many_at_once,
    many_in_a_row, no_children, search_path, scripts,
}
crate::roles! { exit_with, print_args, print_env, print_cwd, wait_for_eof, exec_into, exec_badly }

fn exit_with(args: &[&str]) -> i32 {
    proc::exit(args[0].parse().unwrap())
}
fn print_args(args: &[&str]) -> i32 {
    io::write_all(1, args.join("|").as_bytes()).unwrap();
    0
}
fn print_env(_: &[&str]) -> i32 {
    let all: Vec<String> = std::env::vars().map(|(k, v)| format!("{k}={v}")).collect();
    io::write_all(1, all.join("|").as_bytes()).unwrap();
    0
}
fn print_cwd(_: &[&str]) -> i32 {
    io::write_all(1, &fs::getcwd().unwrap()).unwrap();
    0
}
/// Lives until standard input ends.
pub fn wait_for_eof(_: &[&str]) -> i32 {
    while io::read(0, &mut [0; 16]).is_ok_and(|n| n > 0) {}
    0
}

fn exit_codes() {
    for (code, want) in [(0, 0), (1, 1), (42, 42), (255, 255), (256, 0), (-1, 255)] {
        let status = status_of(&role("exit_with", &[&code.to_string()]));
        assert_eq!(wait::exit_code(status), Some(want), "exit({code})");
    }
}

fn arguments() {
    let long = "x".repeat(100_000);
    let args = ["", "a b", "new\nline", "\u{fc}\u{2603}", "-", &long, ""];
    assert_eq!(output_of(role("print_args", &args)), args.join("|").as_bytes());
    let many: Vec<String> = (0..2000).map(|i| i.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(output_of(role("print_args", &many)), many.join("|").as_bytes());
}

fn environment() {
    let set = role("print_env", &[]).env(b"ONE=1").env(b"EMPTY=").env(b"EQ=a=b");
    let text = String::from_utf8(output_of(set)).unwrap();
    for want in ["ONE=1", "EMPTY=", "EQ=a=b"] {
        assert!(text.split('|').any(|v| v == want), "{want} in {text}");
    }
}

fn directory() {
    fs::mkdir(b"sub", 0o777).unwrap();
    let here = fs::getcwd().unwrap();
    assert_eq!(output_of(role("print_cwd", &[])), here);
    #[cfg(target_family = "wasm")]
    assert_eq!(output_of(role("print_cwd", &[]).chdir(b"sub")), [&here[..], b"/sub"].concat());
    assert_eq!(fs::getcwd().unwrap(), here);
}

fn spawn_errors() {
    fs::mkdir(b"dir", 0o777).unwrap();
    write_file(b"plain", b"\0asm nothing");
    write_file(b"empty", b"");
    fs::chmod(b"empty", 0o755, 0).unwrap();
    let spawn = |p: &[u8]| Spawn::new(p).arg(b"x").spawn();
    assert_eq!(spawn(b"none"), Err(Errno::ENOENT));
    assert_eq!(spawn(b"none/x"), Err(Errno::ENOENT));
    assert_eq!(spawn(b"plain/x"), Err(Errno::ENOTDIR));
    assert_eq!(spawn(b"dir"), Err(Errno::EACCES));
    assert_eq!(spawn(b"plain"), Err(Errno::EACCES), "no permission to execute");
    assert_eq!(spawn(b""), Err(Errno::ENOENT));
    let big = vec![b'x'; 3 << 20];
    let too_big = role("exit_with", &["0"]).arg(&big).spawn();
    assert_eq!(too_big, Err(Errno::E2BIG));
    assert_eq!(proc::waitpid(-1, 0), Err(Errno::ECHILD), "nothing was made");
}

fn exec_into(args: &[&str]) -> i32 {
    println!("{}", proc::getpid());
    panic!("exec: {}", role("print_args", args).exec());
}

fn exec_keeps_the_process() {
    let (r, w) = io::pipe2(o::CLOEXEC).unwrap();
    let pid = role("exec_into", &["as", "told"]).dup2(w, 1).spawn().unwrap();
    io::close(w).unwrap();
    let out = String::from_utf8(io::read_to_end(r).unwrap()).unwrap();
    assert_eq!(out, format!("{pid}\nas|told"));
    assert_eq!(wait_for(pid), wait::exited(0));
}

fn exec_badly(_: &[&str]) -> i32 {
    assert_eq!(Spawn::new(b"none").arg(b"x").exec(), Errno::ENOENT);
    assert_eq!(Spawn::new(b".").arg(b"x").exec(), Errno::EACCES);
    println!("still here");
    7
}

/// The caller goes on as if nothing had happened.
fn exec_that_fails() {
    assert_eq!(status_of(&role("exec_badly", &[])), wait::exited(7));
}

fn many_at_once() {
    const N: usize = 40;
    let (r, w) = io::pipe2(o::CLOEXEC).unwrap();
    let mut pids: Vec<i32> =
        (0..N).map(|i| role("wait_for_eof", &[]).dup2(r, 0).spawn().unwrap_or_else(|e| panic!("{i}: {e}"))).collect();
    assert_eq!(proc::waitpid(-1, wait::NOHANG), Ok(None));
    io::close(w).unwrap();
    for _ in 0..N {
        let (pid, status) = proc::waitpid(-1, 0).unwrap().unwrap();
        assert_eq!(status, wait::exited(0));
        let at = pids.iter().position(|&p| p == pid).expect("a child of ours, once");
        pids.remove(at);
    }
    assert_eq!(proc::waitpid(-1, 0), Err(Errno::ECHILD));
}

fn many_in_a_row() {
    for i in 0..200 {
        let status = status_of(&role("exit_with", &[&(i % 7).to_string()]));
        assert_eq!(status, wait::exited(i % 7));
    }
}

fn no_children() {
    assert_eq!(proc::waitpid(-1, 0), Err(Errno::ECHILD));
    assert_eq!(proc::waitpid(1, wait::NOHANG), Err(Errno::ECHILD));
    assert_eq!(proc::waitpid(0, wait::NOHANG), Err(Errno::ECHILD));
    assert_eq!(proc::waitpid(proc::getpid() as i32, 0), Err(Errno::ECHILD));
}

/// A relative name without a slash is looked for in PATH; one with a slash never is.
fn search_path() {
    if cfg!(not(target_family = "wasm")) {
        return;
    }
    let own = std::env::args().next().unwrap();
    fs::mkdir(b"bin", 0o777).unwrap();
    fs::mkdir(b"other", 0o777).unwrap();
    // Found, but not to be executed: the search goes on.
    write_file(b"other/prog", b"");
    fs::symlink(own.as_bytes(), b"bin/prog").unwrap();
    let here = String::from_utf8(fs::getcwd().unwrap()).unwrap();
    let path = format!("PATH={here}/none:{here}/other:{here}/bin");
    let cmd = |name: &[u8]| {
        Spawn::new(name).search_path().args([&b"p"[..], b"--role", b"exit_with", b"3"]).env(path.as_bytes())
    };
    assert_eq!(status_of(&cmd(b"prog")), wait::exited(3));
    assert_eq!(cmd(b"no-such-program").spawn(), Err(Errno::ENOENT));
    assert_eq!(cmd(b"./prog").spawn(), Err(Errno::ENOENT));
    assert_eq!(status_of(&cmd(b"bin/prog")), wait::exited(3));
}

/// `#!` lines: the interpreter gets its one argument, the script's path and the rest.
fn scripts() {
    let own = std::env::args().next().unwrap();
    let script = |name: &[u8], first: &str| {
        write_file(name, format!("{first}\nwhatever\n").as_bytes());
        fs::chmod(name, 0o755, 0).unwrap();
    };
    script(b"bad", "#!/none/interpreter");
    assert_eq!(Spawn::new(b"./bad").arg(b"bad").spawn(), Err(Errno::ENOENT));
    script(b"self", "#!./self");
    assert!(Spawn::new(b"./self").arg(b"self").spawn().is_err(), "a script that interprets itself");
    script(b"list", &format!("#! {own} -l"));
    let (r, w) = io::pipe2(o::CLOEXEC).unwrap();
    let pid = Spawn::new(b"./list").arg(b"list").dup2(w, 1).spawn().unwrap();
    io::close(w).unwrap();
    let out = String::from_utf8(io::read_to_end(r).unwrap()).unwrap();
    // With the script's name behind it `-l` is no way to call us.
    assert_eq!(out, "");
    assert_eq!(wait_for(pid), wait::exited(2));
}
