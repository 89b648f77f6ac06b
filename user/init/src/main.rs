//! `init`, process 1: gives the console a shell, reaps orphans, and shuts the system down when the
//! shell ends.
//!
//! The kernel has already mounted `/dev` and `/proc` and opened the console as descriptors 0, 1 and 2.
//! `init [PROGRAM [ARG...]]` runs something else than the login shell. `init --attached` has no console:
//! it serves devices that come and go ([`attached`]), until the system is shut down. `/etc/inittab` may ask for
//! more ([`services`]).

mod attached;
mod services;

use services::Services;
use vkernel_sys::{Errno, Spawn, fs, io, proc, sig, signal, sys, wait};

const SHELL: &[u8] = b"/bin/sh";
const PATH: &str = "PATH=/bin:/sbin:/usr/bin";

fn say(what: &str) {
    // Without a console there is nobody to tell.
    let _ = io::write_all(2, format!("init: {what}\n").as_bytes());
}

/// The environment of a login, under what the host has given.
fn environment() -> Vec<Vec<u8>> {
    let mut env: Vec<Vec<u8>> = std::env::vars_os()
        .map(|(name, value)| [name.into_encoded_bytes(), value.into_encoded_bytes()].join(&b'='))
        .collect();
    for fallback in [PATH, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh", "TERM=xterm-256color"] {
        let name = fallback.split_inclusive('=').next().unwrap_or_default().as_bytes();
        if !env.iter().any(|e| e.starts_with(name)) {
            env.push(fallback.as_bytes().to_vec());
        }
    }
    env
}

/// The child that the system lives for.
fn start() -> Result<i32, (Vec<u8>, Errno)> {
    let mut args: Vec<Vec<u8>> = std::env::args_os().skip(1).map(|a| a.into_encoded_bytes()).collect();
    let path = if args.is_empty() {
        // The dash says that it is a login shell.
        args.push(b"-sh".to_vec());
        SHELL.to_vec()
    } else {
        args[0].clone()
    };
    // Where it is missing the shell starts in the root directory, which is there.
    let _ = fs::chdir(b"/root");
    let spawn = Spawn::new(&path).search_path().args(&args).envs(environment());
    let child = spawn.default_signals().pgroup(0).foreground().spawn();
    let _ = fs::chdir(b"/");
    child.map_err(|e| (path, e))
}

/// Ends the system. Comes back only where that is refused.
fn shut_down(status: i32) -> ! {
    let _ = fs::sync();
    if let Err(e) = sys::reboot(status) {
        say(&format!("cannot shut down: {e}"));
    }
    proc::exit(status)
}

fn main() {
    if std::env::args_os().nth(1).is_some_and(|a| a == "--attached") {
        let e = attached::serve();
        say(&format!("cannot serve attached devices: {e}"));
        shut_down(1);
    }
    // Before the first child, so that the end of none is missed.
    let _ = proc::sigblock(&[sig::CHLD]);
    let mut services = Services::begin();
    let child = match start() {
        Ok(pid) => pid,
        Err((path, e)) => {
            let path = String::from_utf8_lossy(&path).into_owned();
            say(&format!("cannot start {path}: {e}; the image has no shell, or a broken one"));
            shut_down(if e == Errno::ENOENT { 127 } else { 126 })
        }
    };
    let status = live(child, &mut services);
    services.end();
    shut_down(status)
}

/// Until this child ends: its status.
fn live(child: i32, services: &mut Services) -> i32 {
    loop {
        // Without services there is nothing to do but to wait.
        let options = if services.none() { 0 } else { wait::NOHANG };
        match proc::waitpid(-1, options) {
            Ok(Some((pid, word))) if pid == child => return wait::shell_status(word) as i32,
            // An orphan only had to be waited for.
            Ok(Some((pid, _))) => services.ended(pid),
            Err(Errno::EINTR) => {}
            Ok(None) => {
                services.start_due();
                let _ = signal::sigtimedwait(sig::bit(sig::CHLD), services.sleep());
            }
            Err(e) => {
                say(&format!("cannot wait for its children: {e}"));
                return 1;
            }
        }
    }
}
