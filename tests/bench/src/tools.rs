//! The programs that the benchmarks need, and the place they run in.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where everything is. Built by `cargo xtask bench`:
///
/// | in the tools' directory | package `microbench`, profile `wasm` |
/// | --- | --- |
/// | `microbench`, `microbench-nop`, `microbench-unix` | for this machine, linked statically |
/// | `microbench-wasi.wasm` | for `wasm32-wasip1` |
/// | `microbench.wasm`, `microbench-nop.wasm`, `microbench-unix.wasm` | for `wasm32-wasip1` with feature `vkernel` |
///
/// `vk` and `bench-peer` stand beside this program.
pub struct Tools {
    pub native: PathBuf,
    pub native_nop: PathBuf,
    pub native_unix: PathBuf,
    /// As compiled by the peer, without and with epochs.
    pub peer_module: PathBuf,
    pub peer_module_epochs: PathBuf,
    pub peer: PathBuf,
    pub vk: PathBuf,
    /// What vk boots from: the benchmark programs and nothing else.
    pub image: PathBuf,
    /// A directory in memory that the native runs and the peer's use.
    pub shm: PathBuf,
    pub tools: PathBuf,
    pub artifacts: PathBuf,
}

/// The programs in the image, by their names there and among the tools.
const IMAGE: [(&str, &str); 4] = [
    ("microbench", "microbench.wasm"),
    ("microbench-wasi", "microbench-wasi.wasm"),
    ("microbench-nop", "microbench-nop.wasm"),
    ("microbench-unix", "microbench-unix.wasm"),
];

impl Tools {
    pub fn find(tools: &Path, artifacts: &Path) -> Result<Tools> {
        let here = std::env::current_exe()?.parent().context("this program is in no directory")?.to_path_buf();
        let tools = tools.canonicalize().with_context(|| format!("{}: run `cargo xtask bench`", tools.display()))?;
        // Memory, so that nobody measures a disk.
        let place = Path::new("/dev/shm");
        let place = if place.is_dir() { place.to_path_buf() } else { std::env::temp_dir() };
        let shm = place.join(format!("vk-bench.{}", std::process::id()));
        fs::create_dir(&shm).with_context(|| format!("can't make {}", shm.display()))?;
        let found = Tools {
            native: tools.join("microbench"),
            native_nop: tools.join("microbench-nop"),
            native_unix: tools.join("microbench-unix"),
            peer_module: shm.join("microbench-wasi.cwasm"),
            peer_module_epochs: shm.join("microbench-wasi-epochs.cwasm"),
            peer: here.join("bench-peer"),
            vk: here.join("vk"),
            image: shm.join("image"),
            shm,
            artifacts: artifacts.to_path_buf(),
            tools,
        };
        for program in [&found.native, &found.native_nop, &found.native_unix, &found.peer, &found.vk] {
            ensure!(program.is_file(), "{} is not there: run `cargo xtask bench`", program.display());
        }
        found.prepare()?;
        Ok(found)
    }

    fn prepare(&self) -> Result<()> {
        for dir in ["bin", "dev", "proc", "tmp"] {
            fs::create_dir_all(self.image.join(dir))?;
        }
        for (name, tool) in IMAGE {
            let (from, to) = (self.tools.join(tool), self.image.join("bin").join(name));
            fs::copy(&from, &to).with_context(|| from.display().to_string())?;
            fs::set_permissions(&to, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_dir_all(&self.shm) {
            eprintln!("vk-bench: {} stays behind: {e}", self.shm.display());
        }
    }
}
