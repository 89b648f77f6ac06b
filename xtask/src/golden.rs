//! The two tables as text, checked in: so that a change of the ABI is seen in review.
//!
//! `cargo xtask check --bless` writes them anew.

use crate::process::{Outcome, read, root, write_if_changed};
use crate::test::differ;
use abi::hypercall::{HYPERCALLS, Ty};
use abi::syscalls::SYSCALLS;
use std::path::PathBuf;

fn files() -> [(PathBuf, String); 2] {
    let dir = root().join("xtask/golden");
    [(dir.join("syscalls.txt"), syscalls()), (dir.join("hypercalls.txt"), hypercalls())]
}

/// Number, module, name, arguments as a program's import has them.
fn syscalls() -> String {
    let row = |s: &abi::syscalls::Syscall| {
        let args: Vec<String> = s.args.iter().map(|(name, kind)| format!("{name}: {kind:?}")).collect();
        let result = match (s.no_result(), s.long_result()) {
            (true, _) => "()",
            (_, true) => "i64",
            _ => "i32",
        };
        format!("{} {:?} {}({}) -> {result}\n", s.nr, s.module, s.name, args.join(", "))
    };
    SYSCALLS.iter().map(row).collect()
}

fn hypercalls() -> String {
    let show = |t: Ty| if t == Ty::I64 { "i64" } else { "i32" };
    let row = |h: &abi::hypercall::Hypercall| {
        let args: Vec<String> = h.args.iter().map(|(name, t)| format!("{name}: {}", show(*t))).collect();
        let blocks = if h.blocks { "blocks " } else { "" };
        format!("{blocks}{}({}) -> {}\n", h.name, args.join(", "), h.result.map_or("()", show))
    };
    format!("version {}\n", abi::hypercall::VERSION) + &HYPERCALLS.iter().map(row).collect::<String>()
}

pub fn check() -> Outcome {
    for (path, now) in files() {
        let golden = String::from_utf8_lossy(&read(&path)?).into_owned();
        differ(&golden, &now)
            .map_err(|e| format!("{}: {e}\nIf the change is meant: cargo xtask check --bless", path.display()))?;
    }
    Ok(())
}

pub fn bless() -> Outcome {
    for (path, now) in files() {
        if write_if_changed(&path, now.as_bytes())? {
            println!("wrote {}", path.display());
        }
    }
    crate::sdk::bless_readme()
}
