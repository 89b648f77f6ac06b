//! `prepare FILE [OUT]`: prepares a program (wasm or its text) as a browser's host does, for measurements and tests in
//! other engines. `prepare --stub OUT` and `prepare --clock OUT` write those modules.

use std::time::Instant;
use std::{env, fs, process};

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let (bytes, out) = match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--stub", out] => (loader::web_stub_module(), Some(*out)),
        ["--clock", out] => (loader::clock_module(), Some(*out)),
        [file] => (prepare(file), None),
        [file, out] => (prepare(file), Some(*out)),
        _ => fail("usage: prepare FILE [OUT] | prepare --stub OUT | prepare --clock OUT"),
    };
    if let Some(out) = out {
        fs::write(out, bytes).unwrap_or_else(|error| fail(&format!("{out}: {error}")));
    }
}

fn prepare(file: &str) -> Vec<u8> {
    let bytes = fs::read(file).unwrap_or_else(|error| fail(&format!("{file}: {error}")));
    let bytes = wat::parse_bytes(&bytes).unwrap_or_else(|error| fail(&format!("{file}: {error}")));
    let begin = Instant::now();
    let out = loader::prepare(&bytes).unwrap_or_else(|refusal| fail(&format!("{file}: {refusal}")));
    println!("{file}: {} bytes, {} prepared, {:?}", bytes.len(), out.len(), begin.elapsed());
    out
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    process::exit(1)
}
