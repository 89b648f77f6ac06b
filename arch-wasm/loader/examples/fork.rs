//! `fork FILE [OUT]`: makes a program (wasm or its text) able to fork as hosts do, for measurements and tests in
//! other engines. Several pairs may be given at once.

use std::time::Instant;
use std::{env, fs, process};

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    match &args[..] {
        [] => fail("usage: fork FILE [OUT] [FILE OUT ...]"),
        [file] => _ = fork(file),
        _ => {
            for pair in args.chunks(2) {
                let [file, out] = pair else { fail("usage: fork FILE [OUT] [FILE OUT ...]") };
                fs::write(out, fork(file)).unwrap_or_else(|error| fail(&format!("{out}: {error}")));
            }
        }
    }
}

fn fork(file: &str) -> Vec<u8> {
    let bytes = fs::read(file).unwrap_or_else(|error| fail(&format!("{file}: {error}")));
    let bytes = wat::parse_bytes(&bytes).unwrap_or_else(|error| fail(&format!("{file}: {error}")));
    let begin = Instant::now();
    let out = loader::fork(&bytes).unwrap_or_else(|refusal| fail(&format!("{file}: {refusal}")));
    let out = out.unwrap_or_else(|| fail(&format!("{file}: does not import vkernel.fork")));
    println!("{file}: {} bytes, {} able to fork, {:?}", bytes.len(), out.len(), begin.elapsed());
    out
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    process::exit(1)
}
