//! Other programs: starting them and saying what went wrong.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The error is for a person to read.
pub type Outcome<T = ()> = Result<T, String>;

/// The project's directory: `cargo run` says where it found us, which may not be where we were built.
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = here.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    here.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Everything that is built.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).unwrap_or_else(|| root().join("target"))
}

/// What `vk` is made of.
pub fn artifacts() -> PathBuf {
    std::env::var_os("VK_ARTIFACTS").map(PathBuf::from).unwrap_or_else(|| target().join("artifacts"))
}

/// The cargo that runs this program, in the project's directory.
pub fn cargo(args: &[&str]) -> Command {
    let mut c = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    c.args(args).current_dir(root());
    if std::env::var_os("CARGO_TARGET_DIR").is_some() {
        // The host's build script only knows the usual place.
        c.env("VK_ARTIFACTS", root().join(artifacts()));
    }
    // Flags and directories that cargo set for building this program itself.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        c.env_remove(name);
    }
    c
}

/// A command as it would be typed.
pub fn shown(c: &Command) -> String {
    let words = std::iter::once(c.get_program()).chain(c.get_args());
    words.map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn cannot_start(c: &Command, e: &std::io::Error) -> String {
    let program = c.get_program().to_string_lossy().into_owned();
    match e.kind() {
        std::io::ErrorKind::NotFound => format!("{program}: not found; is it installed and in PATH?"),
        _ => format!("{program}: {e}"),
    }
}

/// Runs it with our own output.
pub fn run(mut c: Command) -> Outcome {
    let status = c.status().map_err(|e| cannot_start(&c, &e))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", shown(&c))) }
}

/// Runs it and answers standard output; both outputs are part of an error.
pub fn capture(mut c: Command) -> Outcome<String> {
    let out = c.stdin(Stdio::null()).output().map_err(|e| cannot_start(&c, &e))?;
    let stdout = String::from_utf8_lossy(&out.stdout).into_owned();
    if out.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&out.stderr);
    Err(format!("{stdout}{stderr}`{}` failed ({})", shown(&c), out.status))
}

/// Becomes the program: signals and the terminal are its own.
#[cfg(unix)]
pub fn replace(program: &Path, args: &[String]) -> Outcome {
    use std::os::unix::process::CommandExt;
    let e = Command::new(program).args(args).exec();
    Err(format!("{}: {e}", program.display()))
}

/// Where no program can be replaced, it is waited for.
#[cfg(not(unix))]
pub fn replace(program: &Path, args: &[String]) -> Outcome {
    let mut c = Command::new(program);
    c.args(args);
    run(c)
}

/// Writes a file if that changes it, so that what depends on it is not built anew.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Outcome<bool> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let put = || -> std::io::Result<()> {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        std::fs::write(path, bytes)
    };
    put().map(|()| true).map_err(|e| format!("{}: {e}", path.display()))
}

/// Reads a file that has to be there.
pub fn read(path: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}
