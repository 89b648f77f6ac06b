//! Scripts and what another POSIX shell (dash) writes for them: this shell, built for the machine it is
//! built on, has to write the same. The same scripts run inside of the system in its own tests.

use std::path::Path;
use std::process::{Command, Stdio};

fn check(name: &str) {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let sh = Path::new(env!("CARGO_BIN_EXE_sh"));
    // Scripts that call `sh` mean this one.
    let path = format!("{}:/usr/bin:/bin", sh.parent().unwrap().display());
    let out = Command::new(sh)
        .arg(cases.join(format!("{name}.sh")))
        .env_clear()
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let want = std::fs::read_to_string(cases.join(format!("{name}.out"))).unwrap();
    let have = String::from_utf8_lossy(&out.stdout);
    assert_eq!(have, want, "{name}: standard error: {}", String::from_utf8_lossy(&out.stderr));
}

macro_rules! cases {
    ($($name:ident)*) => { $(#[test] fn $name() { check(stringify!($name)); })* };
}
cases! { arith builtins control errors functions pipes posix2024 redir subst words }
