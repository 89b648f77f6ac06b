//! The system-call fuzzer: `user/fuzz` as pid 1, under many seeds. A trap in the kernel is a panic.

use super::{boot_of, built, host, tar_of};
use host_wasi::bootimage::BootImage;
use host_wasi::config::Program;
use host_wasi::{Builder, Stdio};
use std::sync::{Arc, Mutex};

/// Calls of each run.
const CALLS: &str = "20000";

fn fuzzer(seed: u64, procs: u32, starve: bool) -> Option<Builder> {
    let program = std::fs::read(built("VK_FUZZ", "wasm32-wasip1/wasm/fuzz.wasm")?).expect("the fuzzer");
    let image = BootImage::from_tar_vec(tar_of(&[("fuzz", &program)])).expect("an image");
    let builder = boot_of(&host()?, Program::Path(b"/bin/fuzz".to_vec()), image);
    let (seed, procs) = (seed.to_string(), procs.to_string());
    let words = ["fuzz", &seed, CALLS, &procs, if starve { "starve" } else { "" }];
    Some(builder.options(|o| {
        o.args = words.iter().map(|w| w.as_bytes().to_vec()).collect();
        o.max_procs = Some(40);
        o.kernel_memory = starve.then_some(12 << 20);
    }))
}

/// `FUZZ_SEEDS=n` runs so many, `FUZZ_SEED=n` that one.
async fn run(default: u64, starve: bool) {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let seeds = match number("FUZZ_SEED") {
        Some(one) => one..one + 1,
        None => 0..number("FUZZ_SEEDS").unwrap_or(default),
    };
    for seed in seeds {
        let said = Arc::new(Mutex::new(Vec::new()));
        let Some(builder) = fuzzer(seed, 2 + seed as u32 % 5, starve) else { return };
        // What it says last; before that stands what wild writes brought.
        let words = Arc::new(Mutex::new(Vec::new()));
        let builder = builder.console(Stdio::Capture(said.clone())).stderr(Stdio::Capture(words.clone()));
        let status = super::status(builder).await;
        let last = super::text(&words).rsplit("fuzz: ").next().map(str::to_string);
        assert_eq!(status, Ok(0), "FUZZ_SEED={seed}: {last:?}; the console says: {}", super::text(&said));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_calls_do_not_harm_the_kernel() {
    let _memory = super::MEMORY.read().await;
    run(8, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_calls_without_memory_do_not_harm_the_kernel() {
    let _memory = super::MEMORY.read().await;
    run(8, true).await;
}
