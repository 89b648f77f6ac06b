//! Programs that mean harm, and a machine that fails: whatever they do ends at their own vkernel.
//!
//! Needs what `cargo xtask build` makes. Without it, or with `VK_TEST_ALL` set as a failure, nothing is
//! tested. `VK_KERNEL=kernel.wasm` and `VK_FUZZ=fuzz.wasm` test others than those in `target`.

#[path = "../vk_support/mod.rs"]
mod vk_support;

mod blast;
mod exhaust;
mod fuzz;
mod hostdir;
mod kills;
mod live;
mod modules;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use host_wasi::bootimage::BootImage;
use host_wasi::config::{BootOptions, Program};
use host_wasi::{Builder, Host, HostConfig, KernelImage, Status, Stdio};
use tokio::sync::RwLock;

/// Held for reading by whoever uses memory that one test counts.
static MEMORY: RwLock<()> = RwLock::const_new(());

fn target() -> PathBuf {
    let vk = Path::new(env!("CARGO_BIN_EXE_vk"));
    vk.ancestors().nth(2).expect("the command is in target/release").to_path_buf()
}

/// A file that the build makes, or another one that the environment names.
fn built(var: &str, path: &str) -> Option<PathBuf> {
    let file = std::env::var_os(var).map_or_else(|| target().join(path), PathBuf::from);
    let there = file.is_file();
    assert!(there || std::env::var_os("VK_TEST_ALL").is_none(), "{} is missing", file.display());
    if !there {
        eprintln!("{} is missing: not tested; run `cargo xtask build`", file.display());
    }
    there.then_some(file)
}

/// The host of all tests, with the kernel that vk carries.
fn host() -> Option<Host> {
    static HOST: OnceLock<Option<Host>> = OnceLock::new();
    let make = || {
        let bytes = std::fs::read(built("VK_KERNEL", "artifacts/kernel.wasm")?).expect("a kernel");
        let config = HostConfig { kernel: KernelImage::Wasm(&bytes), cache_dir: None };
        Some(Host::new(config).expect("a host"))
    };
    HOST.get_or_init(make).clone()
}

/// A vkernel of one program that nobody talks to. Files have `/tmp` to be in.
fn alone(host: &Host, program: Vec<u8>) -> Builder {
    let mut image = skeleton();
    let blob = image.add_blob(program);
    boot_of(host, Program::Blob(blob, b"program".to_vec()), image)
}

fn boot_of(host: &Host, program: Program, image: BootImage) -> Builder {
    let builder = host.vkernel(program.clone()).image(image).options(|o| *o = BootOptions::new(program));
    let builder = builder.stdin(Stdio::Null).stdout(Stdio::Null).stderr(Stdio::Null).console(Stdio::Null);
    builder.total_memory(256 << 20).timeout(Duration::from_secs(60))
}

/// The directories that a system has, and nothing in them.
fn skeleton() -> BootImage {
    static TAR: OnceLock<Vec<u8>> = OnceLock::new();
    let tar = TAR.get_or_init(|| tar_of(&[]));
    BootImage::from_tar_vec(tar.clone()).expect("an image")
}

/// An archive with the usual directories and these programs in `/bin`.
fn tar_of(programs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: String, kind, mode, data: &[u8]| {
        let mut h = tar::Header::new_ustar();
        h.set_entry_type(kind);
        h.set_mode(mode);
        h.set_size(data.len() as u64);
        tar.append_data(&mut h, path, data).expect("an archive");
    };
    for dir in ["bin", "dev", "proc", "tmp"] {
        add(format!("{dir}/"), tar::EntryType::Directory, if dir == "tmp" { 0o1777 } else { 0o755 }, &[]);
    }
    for (name, data) in programs {
        add(format!("bin/{name}"), tar::EntryType::Regular, 0o755, data);
    }
    tar.into_inner().expect("an archive")
}

/// How it ended: an exit code or 128 and the signal, when it was no failure of ours.
async fn status(vkernel: Builder) -> Result<u32, Status> {
    let vkernel = vkernel.boot().await.unwrap_or_else(|e| panic!("it doesn't boot: {e:#}"));
    match vkernel.wait().await.status {
        Status::Exit(s) => Ok(abi::types::wait::shell_status(s)),
        other => Err(other),
    }
}

type Said = Arc<Mutex<Vec<u8>>>;

fn text(said: &Said) -> String {
    String::from_utf8_lossy(&said.lock().expect("whole")).into_owned()
}

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.draw() % n as u64) as usize
    }
}

/// A program in the text format, with calls of ours imported.
fn wasm(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
        (import "vkernel" "exit" (func $exit_ (param i32) (result i32)))
        (import "vkernel" "spawn" (func $spawn (param i32 i32) (result i32)))
        (import "vkernel" "wait4" (func $wait4 (param i32 i32 i32 i32) (result i32)))
        (import "vkernel" "kill" (func $kill (param i32 i32) (result i32)))
        (import "vkernel" "getpid" (func $getpid (result i32)))
        (import "vkernel" "setrlimit" (func $setrlimit (param i32 i32) (result i32)))
        (import "vkernel" "clock_nanosleep" (func $sleep (param i32 i32 i64) (result i32)))
        (import "vkernel" "read" (func $read (param i32 i32 i32) (result i32)))
        (import "vkernel" "write" (func $write (param i32 i32 i32) (result i32)))
        (import "vkernel" "close" (func $close (param i32) (result i32)))
        (import "vkernel" "pipe2" (func $pipe2 (param i32 i32) (result i32)))
        (import "vkernel" "openat" (func $openat (param i32 i32 i32 i32 i32) (result i32)))
        (import "vkernel" "mkdirat" (func $mkdirat (param i32 i32 i32 i32) (result i32)))
        (import "vkernel" "unlinkat" (func $unlinkat (param i32 i32 i32 i32) (result i32)))
        (import "vkernel" "symlinkat" (func $symlinkat (param i32 i32 i32 i32 i32) (result i32)))
        (import "vkernel" "linkat" (func $linkat (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 2)
        (func $exit (param i32) (drop (call $exit_ (local.get 0))) unreachable)
        {body})"#
    );
    wat::parse_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// The same with nothing but a `_start` of this code.
fn main_of(code: &str) -> Vec<u8> {
    wasm(&format!("(func (export \"_start\") (local $i i32) {code})"))
}
