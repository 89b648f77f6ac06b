//! Small benchmarks of an operating system, after the usual microbench in C: one source for native
//! POSIX systems, for WASI, and (feature `vkernel`) for WASI with the vkernel's own calls besides.
//!
//! `microbench [-d DIR] [-r SAMPLES] [-t MS] [-m MIB] [-s SELF] [-n NOP] [NAME|GROUP....]`
//!
//! Each measure calibrates itself to at least MS milliseconds a sample, takes SAMPLES samples and
//! prints one line: name, median, min, max, unit, with tabs between. `ns` is better when less,
//! `MiB/s` when more. What fails prints its name, `ERR` and the reason.

mod calls;
mod cpu;
mod file;
mod fs;
mod harness;
mod kernels;
mod os;
#[cfg(any(not(target_family = "wasm"), feature = "vkernel"))]
mod process;
#[cfg(any(not(target_family = "wasm"), feature = "vkernel"))]
mod sys;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    #[cfg(any(not(target_family = "wasm"), feature = "vkernel"))]
    if let Some(role) = args.get(1).and_then(|a| a.strip_prefix("--")) {
        return process::child(role);
    }
    let bench = match harness::Bench::from_args(&args) {
        Ok(bench) => bench,
        Err(why) => {
            eprintln!("microbench: {why}");
            return ExitCode::from(2);
        }
    };
    cpu::run(&bench);
    kernels::run(&bench);
    match calls::Files::create(&bench.dir) {
        Ok(files) => {
            calls::run(&bench, &files);
            fs::run(&bench, &files);
            file::run(&bench);
        }
        Err(e) => println!("files\tERR\t{}: {e}", bench.dir),
    }
    #[cfg(any(not(target_family = "wasm"), feature = "vkernel"))]
    process::run(&bench);
    ExitCode::SUCCESS
}
