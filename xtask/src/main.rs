//! `cargo xtask VERB`: one verb for each thing that is done with this project.
//!
//! Builds on a machine that has rustup: the wasm targets are added when they are missing. What is
//! built lands in `target`; `target/artifacts` holds what the `vk` command carries inside.

mod bench;
mod bench_web;
mod build;
mod check;
mod coverage;
mod golden;
mod image;
mod npm;
mod packages;
mod ports;
mod posix;
mod process;
mod programs;
mod report;
mod sdk;
mod shelltest;
mod sizes;
mod test;
mod wasm;
mod web;
mod webtest;

use process::{Outcome, root};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask VERB

  run [ARG...]      build everything and boot; arguments go to vk
  web [OPTION...]   build the page and serve it on localhost: --port N, --host ADDR, --no-isolation,
                    --packages none|NAME,..., --build-only
  test [--all]      every test; --all: those that take minutes, too
  bench [ARG...]    measure against native Linux and wasmtime; arguments go to vk-bench
  bench --web [--browser chromium|firefox] [--isolated|--plain] [--quick] [--rounds N] [--json FILE] [MEASURE...]
                    measure in browsers
  usertests [NAME]  the tests that run inside of the system
  shtest [WORD...]  the shell's cases, against dash on this machine and in the system; words choose some
  webtest [WORD...] the tests in browsers; words choose some: chromium, firefox, isolated, plain,
                    differential, ui, faults
  posix [WORD...]   the POSIX tests in C, on this machine and in the system; words choose some
  sdk               the C library against its headers
  build             the kernel, the userland, the image and vk
  image             the kernel, the userland and the image: target/artifacts
  packages [NAME...]
                    an image with the optional packages, all or these: target/packages.tar
  ports [--test] [NAME...]
                    an image with the programs of the ports tree, all or these: target/ports.tar; --test: their tests
  sizes             what everything weighs
  check [--bless]   formatting, clippy, the kernel's imports and portability, the tables against
                    their golden files; --bless: write those anew
  fmt               format all of it
";

fn verb(name: &str, args: &[String]) -> Outcome {
    match name {
        "run" => {
            let vk = build::everything()?;
            process::replace(&vk, args)
        }
        "build" => build::everything().map(|vk| println!("built {}", vk.display())),
        "image" => build::artifacts(),
        "test" => test::run(args),
        "usertests" => test::usertests(args),
        "shtest" => shelltest::run(args),
        "posix" => posix::run(&posix::vk()?, args),
        "sdk" => posix::vk().and_then(|vk| sdk::conformance(&vk)),
        "webtest" => webtest::run(args),
        "bench" => bench::run(args),
        "web" => web::run(args),
        "packages" => packages::run(args),
        "ports" => ports::run(args),
        "sizes" => sizes::run(),
        "check" if args == ["--bless"] => golden::bless(),
        "check" => check::run(),
        "fmt" => check::format(false),
        _ => Err(format!("{name}: no such verb\n{USAGE}")),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = args.split_first() else {
        print!("{USAGE}");
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "help" | "-h" | "--help") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if let Err(e) = std::env::set_current_dir(root()) {
        eprintln!("xtask: {}: {e}", root().display());
        return ExitCode::FAILURE;
    }
    match verb(name, rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("xtask: {e}");
            ExitCode::FAILURE
        }
    }
}
