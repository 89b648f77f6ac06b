//! usertests: the system calls from inside, a process for each test.
//!
//!     usertests [-l] [NAME...]      all tests, or those whose names begin with one of the names
//!
//! Writes TAP lines and `N passed, N failed`; ends with 1 if a test failed or something leaked. The
//! same program runs on a POSIX host, where all tests but those of modules marked so must pass too:
//! what they say is POSIX, not us.

mod fds;
mod files;
mod forks;
mod harness;
mod leaks;
mod locks;
mod names;
mod pipes;
mod procs;
mod readdir;
mod rights;
mod waits;

#[cfg(target_family = "wasm")]
mod accounts;
#[cfg(target_family = "wasm")]
mod badptr;
#[cfg(target_family = "wasm")]
mod dead;
#[cfg(target_family = "wasm")]
mod fork;
#[cfg(target_family = "wasm")]
mod fuzz;
#[cfg(target_family = "wasm")]
mod limits;
#[cfg(target_family = "wasm")]
mod module;
#[cfg(target_family = "wasm")]
mod programs;
#[cfg(target_family = "wasm")]
mod ptys;
#[cfg(target_family = "wasm")]
mod rawcall;
#[cfg(target_family = "wasm")]
mod signals;
#[cfg(target_family = "wasm")]
mod sockets;
#[cfg(target_family = "wasm")]
mod wasi;
#[cfg(target_family = "wasm")]
mod wasi_paths;
#[cfg(target_family = "wasm")]
mod wasi_poll;

use harness::Test;

vkernel_sys::signal_handlers!();

/// All tests, in the order they run.
fn tables() -> Vec<&'static [Test]> {
    vec![
        names::TESTS,
        files::TESTS,
        readdir::TESTS,
        rights::TESTS,
        fds::TESTS,
        locks::TESTS,
        pipes::TESTS,
        procs::TESTS,
        waits::TESTS,
        forks::TESTS,
        #[cfg(target_family = "wasm")]
        signals::TESTS,
        #[cfg(target_family = "wasm")]
        ptys::TESTS,
        #[cfg(target_family = "wasm")]
        accounts::TESTS,
        #[cfg(target_family = "wasm")]
        sockets::TESTS,
        #[cfg(target_family = "wasm")]
        programs::TESTS,
        #[cfg(target_family = "wasm")]
        dead::TESTS,
        #[cfg(target_family = "wasm")]
        fork::TESTS,
        #[cfg(target_family = "wasm")]
        wasi::TESTS,
        #[cfg(target_family = "wasm")]
        wasi_paths::TESTS,
        #[cfg(target_family = "wasm")]
        wasi_poll::TESTS,
        #[cfg(target_family = "wasm")]
        badptr::TESTS,
        #[cfg(target_family = "wasm")]
        limits::TESTS,
        #[cfg(target_family = "wasm")]
        fuzz::TESTS,
    ]
}

/// What the program does as a helper of a test: by name.
fn roles() -> Vec<&'static [harness::Role]> {
    vec![
        fds::ROLES,
        locks::ROLES,
        pipes::ROLES,
        procs::ROLES,
        rights::ROLES,
        waits::ROLES,
        #[cfg(target_family = "wasm")]
        signals::ROLES,
        #[cfg(target_family = "wasm")]
        sockets::ROLES,
        #[cfg(target_family = "wasm")]
        dead::ROLES,
        #[cfg(target_family = "wasm")]
        limits::ROLES,
        #[cfg(target_family = "wasm")]
        fuzz::ROLES,
    ]
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    let tests: Vec<Test> = tables().concat();
    match words.as_slice() {
        [harness::RUN, name, dir] => harness::run_here(&tests, name, dir),
        [harness::ROLE, name, rest @ ..] => harness::play(&roles().concat(), name, rest),
        ["-l"] => tests.iter().for_each(|t| println!("{}", t.name)),
        [flag, ..] if flag.starts_with('-') => {
            eprintln!("usage: usertests [-l] [NAME...]");
            std::process::exit(2);
        }
        names => std::process::exit(harness::run_all(&tests, names)),
    }
}
