//! `sizes`: what everything weighs.

use crate::build;
use crate::process::{Outcome, artifacts, read, target};

pub fn run() -> Outcome {
    build::everything()?;
    let manifest = String::from_utf8_lossy(&read(&artifacts().join("manifest"))?).into_owned();
    let size = |path: &std::path::Path| std::fs::metadata(path).map(|m| m.len()).unwrap_or(0);
    println!("{:<24} {:>12} {:>12}", "", "wasm", "compiled");
    let line = |name: &str, wasm: u64, code: u64| println!("{name:<24} {wasm:>12} {code:>12}");
    line("kernel", size(&artifacts().join("kernel.wasm")), size(&artifacts().join("kernel.cwasm")));
    for (hash, path) in manifest.lines().filter_map(|l| l.split_once(' ')) {
        let name = path.rsplit('/').next().unwrap_or(path);
        let wasm = target().join(build::USER_TARGET).join(format!("wasm/{name}.wasm"));
        line(path, size(&wasm), size(&artifacts().join(format!("aot/{hash}.cwasm"))));
    }
    println!("{:<24} {:>12}", "base.tar", size(&artifacts().join("base.tar")));
    println!("{:<24} {:>12}", "vk", size(&target().join("release/vk")));
    Ok(())
}
