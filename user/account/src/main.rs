//! `su`, `login`, `passwd` and `newgrp`: they begin as root whoever runs them (set-user-ID), so they trust nothing that
//! they are given: not the environment, not the descriptors.

mod crypt;
mod login;
mod newgrp;
mod passwd;
mod prompt;
mod session;
mod shadow;
mod su;

use vkernel_sys::{fs, io, o};

kit::commands! {
    "login" => login::login,
    "newgrp" => newgrp::newgrp,
    "passwd" => passwd::passwd,
    "su" => su::su,
}

/// A file that we open must never be what messages are written to.
fn open_standard_descriptors() {
    while (0..3).any(|fd| fs::fstat(fd).is_err()) {
        if !matches!(io::open(b"/dev/null", o::RDWR, 0), Ok(0..3)) {
            vkernel_sys::proc::exit(1);
        }
    }
}

fn main() {
    open_standard_descriptors();
    kit::main("account", COMMANDS)
}
