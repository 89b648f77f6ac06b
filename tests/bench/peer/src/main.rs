//! A WASI program under wasmtime and wasmtime-wasi as the `wasmtime` command sets them up: what the
//! vkernel is compared with.
//!
//! `bench-peer [--epochs] [--dir HOST::GUEST]... PROGRAM.wasm [ARGS...]`
//! `bench-peer [--epochs] --compile PROGRAM.wasm OUT.cwasm`
//!
//! A program may be given compiled (`.cwasm`), so that a run measures running. With `--epochs` it can
//! be interrupted, as any host that serves more than one program needs it; without, the compiler's
//! code has no checks in it.

use std::process::ExitCode;
use std::time::Duration;
use wasmtime::{Config, Engine, Linker, Module, Result, Store, UpdateDeadline, bail};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder, p1};

/// As often as the vkernel's host looks.
const TICK: Duration = Duration::from_millis(10);

#[derive(Default)]
struct Options {
    epochs: bool,
    dirs: Vec<(String, String)>,
    /// The program, then its arguments.
    program: Vec<String>,
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options> {
    let mut o = Options::default();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--epochs" => o.epochs = true,
            "--dir" => match args.next().as_deref().and_then(|d| d.split_once("::")) {
                Some((host, guest)) => o.dirs.push((host.into(), guest.into())),
                None => bail!("--dir needs HOST::GUEST"),
            },
            _ => {
                o.program.push(arg);
                o.program.extend(args);
                break;
            }
        }
    }
    if o.program.is_empty() {
        bail!("which program?");
    }
    Ok(o)
}

fn main() -> Result<ExitCode> {
    let o = options(std::env::args().skip(1))?;
    let mut config = Config::new();
    config.epoch_interruption(o.epochs);
    let engine = Engine::new(&config)?;
    if let [verb, program, out] = &o.program[..]
        && verb == "--compile"
    {
        std::fs::write(out, engine.precompile_module(&std::fs::read(program)?)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let path = &o.program[0];
    let module = if path.ends_with(".cwasm") {
        // SAFETY: whoever runs the benchmarks made it, with `--compile`.
        unsafe { Module::deserialize_file(&engine, path)? }
    } else {
        Module::from_file(&engine, path)?
    };
    run(&engine, &module, &o)
}

fn run(engine: &Engine, module: &Module, o: &Options) -> Result<ExitCode> {
    let mut wasi = WasiCtxBuilder::new();
    // The `wasmtime` command does this too: WASI's calls are faster for it, ours to be compared with.
    wasi.inherit_stdio().args(&o.program).allow_blocking_current_thread(true);
    for (host, guest) in &o.dirs {
        wasi.preopened_dir(host, guest, FsPerms::ReadWrite)?;
    }
    let mut store = Store::new(engine, wasi.build_p1());
    if o.epochs {
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(1)));
        let engine = engine.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(TICK);
                engine.increment_epoch();
            }
        });
    }
    let mut linker = Linker::new(engine);
    p1::add_to_linker_sync(&mut linker, |ctx| ctx)?;
    let start = linker.instantiate(&mut store, module)?.get_typed_func::<(), ()>(&mut store, "_start")?;
    match start.call(&mut store, ()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(e) => match e.downcast_ref::<I32Exit>() {
            Some(exit) => Ok(ExitCode::from(exit.0 as u8)),
            None => Err(e),
        },
    }
}
