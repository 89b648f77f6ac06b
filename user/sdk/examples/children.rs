//! A program that forks, pipes, catches a signal and asks the terminal.
//!
//!     cargo build --release --target wasm32-wasip1 -p vkernel-sys --example children
//!     vk run target/wasm32-wasip1/release/examples/children.wasm

use std::sync::atomic::{AtomicU32, Ordering};

use vkernel_sys::proc::{self, Forked};
use vkernel_sys::signal::{self, Action};
use vkernel_sys::{SysResult, io, sig, tty, wait};

// Exports what the kernel calls to run a handler.
vkernel_sys::signal_handlers!();

static ENDED: AtomicU32 = AtomicU32::new(0);

extern "C" fn child_has_ended(_signal: i32) {
    ENDED.fetch_add(1, Ordering::Relaxed);
}

fn main() -> SysResult<()> {
    signal::sigaction(sig::CHLD, Action::Handler(child_has_ended), 0, 0)?;
    let (read, write) = io::pipe2(0)?;
    let pid = match proc::fork()? {
        Forked::Child => {
            io::close(read)?;
            io::write_all(write, format!("I am {}, my parent is {}\n", proc::getpid(), proc::getppid()).as_bytes())?;
            proc::exit(3)
        }
        Forked::Parent(pid) => pid,
    };
    io::close(write)?;
    let mut text = [0; 100];
    let len = io::read(read, &mut text)?;
    print!("the child says: {}", String::from_utf8_lossy(&text[..len]));
    let Some((_, status)) = proc::waitpid(pid, 0)? else { return Ok(()) };
    println!(
        "it ended with status {}; SIGCHLD came {} time(s)",
        wait::shell_status(status),
        ENDED.load(Ordering::Relaxed)
    );
    if let Ok(size) = tty::winsize(1) {
        println!("the terminal has {} columns", size.cols);
    }
    Ok(())
}
