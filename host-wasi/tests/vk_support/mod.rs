//! What the black-box tests of `vk` share: running it, programs to run, a directory of one's own.
//!
//! `VK=path` tests another vk than the one that cargo built.
#![allow(dead_code)]

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// Nothing here takes so long, even on a busy machine.
const LONGEST: Duration = Duration::from_secs(120);

pub struct Done {
    pub status: i32,
    pub out: String,
    pub err: String,
}

pub fn vk() -> Command {
    let mut c = Command::new(std::env::var_os("VK").unwrap_or_else(|| env!("CARGO_BIN_EXE_vk").into()));
    c.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    c
}

/// Waits for vk's end. One that hangs is killed, and fails its test instead of stopping all.
pub fn finish(child: Child) -> Done {
    let (ended, watch) = std::sync::mpsc::channel::<()>();
    let pid = child.id() as i32;
    let watchdog = std::thread::spawn(move || {
        if watch.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
            // SAFETY: a process of ours; the pid is not used again while this thread, told at once, runs.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    });
    let output = child.wait_with_output().expect("vk ends");
    drop(ended);
    watchdog.join().expect("the watchdog ends");
    let text = |b: Vec<u8>| String::from_utf8_lossy(&b).into_owned();
    let signal = output.status.signal();
    assert_eq!(signal, None, "vk itself died: {}", text(output.stderr));
    Done { status: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs vk with these arguments, without input.
pub fn run(args: &[&str]) -> Done {
    finish(vk().args(args).spawn().expect("vk starts"))
}

pub fn run_in(dir: &Path, args: &[&str]) -> Done {
    finish(vk().current_dir(dir).args(args).spawn().expect("vk starts"))
}

pub fn run_with_input(input: &[u8], args: &[&str]) -> Done {
    let mut child = vk().args(args).stdin(Stdio::piped()).spawn().expect("vk starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // It may end without reading all.
    let writer = std::thread::spawn(move || _ = stdin.write_all(&input));
    let done = finish(child);
    writer.join().expect("the writer ends");
    done
}

/// Does this vk carry a kernel and an image? One that was built without them can't be tested further;
/// with `VK_TEST_ALL` set, that is a failure.
pub fn has_kernel() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let has = !run(&["run", "true"]).err.contains("built without a kernel");
        assert!(has || std::env::var_os("VK_TEST_ALL").is_none(), "vk was built without a kernel");
        if !has {
            eprintln!("vk was built without a kernel: only its arguments are tested");
        }
        has
    })
}

pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let dir = std::env::temp_dir().canonicalize().expect("a temporary directory");
        let dir = dir.join(format!("vk-test-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a directory is made");
        Scratch(dir)
    }
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_string()
    }
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory is made");
        std::fs::write(&path, bytes).expect("a file is written");
        self.path(name)
    }
    /// A program whose `_start` is this code, with `$exit`, `$write`, and a page of memory.
    pub fn program(&self, name: &str, code: &str) -> String {
        self.write(name, program(code))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn program(code: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (memory (export "memory") 1)
            (func $deep (param i64) (result i64)
                (i64.add (call $deep (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))
            (func (export "_start") (local $i i32) {code}))"#
    );
    wat::parse_str(text).expect("a program")
}
