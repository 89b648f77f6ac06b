//! Random system calls from several processes at once; and then the system must still work.
//!
//!     fuzz SEED COUNT PROCS [starve]      COUNT calls in all, by PROCS processes at a time
//!
//! As pid 1 of a vkernel of its own, installed as `/bin/fuzz`. What becomes of the processes doesn't
//! matter. `starve` uses the kernel's memory up and leaves them a little, now more, now less. Ends with
//! 0 when the system works afterwards, and says so when not.

#[cfg(target_family = "wasm")]
mod call;
#[cfg(target_family = "wasm")]
mod random;

#[cfg(target_family = "wasm")]
mod run;

#[cfg(target_family = "wasm")]
fn main() {
    let args: Vec<String> = std::env::args().collect();
    std::process::exit(run::main(&args));
}

#[cfg(not(target_family = "wasm"))]
fn main() {
    eprintln!("fuzz: runs under a vkernel only");
    std::process::exit(2);
}
