//! The engine: how wasmtime is set up, and the modules that every vkernel uses.
//!
//! One [`Engine`] per [`crate::Host`]. Whatever is compiled ahead of time (`precompile_*`, the disk
//! cache) is for this set-up and this wasmtime on this kind of processor; wasmtime checks that when
//! it is loaded.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use wasmtime::{Config, Engine, ExternType, Module, WasmBacktraceDetails};

use crate::kernelmod::own_memory;
use crate::mapping::{GUARD, RESERVATION, Stacks};
use crate::memory::Creator;
use crate::stubmod::reserve_stack;

/// Stack for wasm code of one lwp, the kernel's part included: interpreters recurse deeply.
/// Untouched stack costs nothing but addresses.
const WASM_STACK: usize = 8 << 20;
/// What host functions may use on top of that.
const HOST_STACK: usize = 512 << 10;
/// Addresses that a heap for exceptions may take. Distinct from `RESERVATION`.
const GC_RESERVATION: u64 = 1 << 30;
/// Frames kept of a trap: the innermost decides whose fault it is, the others are for core dumps and
/// a panic's message.
const BACKTRACE_FRAMES: usize = 48;

/// The engine of a host. What is not said here is wasmtime's default.
pub(crate) fn engine() -> Result<Engine> {
    let mut c = Config::new();
    c.epoch_interruption(true);
    // Memories and stacks are ours: see `memory.rs` and `mapping.rs`.
    c.with_host_memory(Arc::new(Creator));
    c.with_host_stack(Arc::new(Stacks::default()));
    c.memory_reservation(RESERVATION as u64).memory_guard_size(GUARD as u64).memory_may_move(false);
    // A creator of memories and copy-on-write images exclude each other.
    c.memory_init_cow(false);
    c.gc_heap_reservation(GC_RESERVATION).gc_heap_guard_size(GUARD as u64).gc_heap_may_move(false);
    c.max_wasm_stack(WASM_STACK).async_stack_size(WASM_STACK + HOST_STACK);
    // What programs may use is what the loader lets through; this is the second line. Exceptions
    // are in, wasm shared memory stays out: it is not for hostile programs yet.
    c.wasm_memory64(false).wasm_exceptions(true);
    // Nobody reads these, and they double the size of compiled code.
    c.generate_address_map(false).native_unwind_info(false).debug_symbols(false);
    c.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    c.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(BACKTRACE_FRAMES));
    c.concurrency_support(false);
    Engine::new(&c).map_err(plain).context("this machine can't run the WebAssembly engine")
}

/// A kernel, as `kernel.wasm` or as made from it by [`precompile_kernel`].
pub enum KernelImage<'a> {
    Wasm(&'a [u8]),
    Precompiled(&'a [u8]),
}

/// The modules of the machine.
pub(crate) struct Modules {
    pub kernel: Module,
    pub stub: Module,
    pub uaccess: Module,
    /// Size of the kernel's memory in bytes.
    pub kernel_bytes: usize,
}

const MAGIC: &[u8; 8] = b"VKKERN01";

/// Compiles a kernel ahead of time, with the modules around it, for [`KernelImage::Precompiled`].
pub fn precompile_kernel(wasm: &[u8]) -> Result<Vec<u8>> {
    let engine = engine()?;
    let mut out = MAGIC.to_vec();
    for module in sources(wasm)? {
        let code = engine.precompile_module(&module).map_err(plain)?;
        out.extend_from_slice(&(code.len() as u64).to_le_bytes());
        out.extend_from_slice(&code);
    }
    Ok(out)
}

/// Kernel, stub and uaccess as they are compiled.
fn sources(wasm: &[u8]) -> Result<[Vec<u8>; 3]> {
    loader::check_kernel(wasm).map_err(anyhow::Error::msg)?;
    let kernel = loader::uniprocessor(wasm).and_then(|k| own_memory(&k)).map_err(anyhow::Error::msg)?;
    let stub = reserve_stack(&loader::stub_module()).map_err(anyhow::Error::msg)?;
    Ok([kernel, stub, loader::uaccess_module(None)])
}

impl Modules {
    pub fn load(engine: &Engine, image: &KernelImage<'_>) -> Result<Modules> {
        match image {
            KernelImage::Wasm(wasm) => {
                let [kernel, stub, uaccess] = sources(wasm)?;
                let compile = |wasm: &[u8]| Module::from_binary(engine, wasm).map_err(plain);
                Modules::new(compile(&kernel)?, compile(&stub)?, compile(&uaccess)?)
            }
            KernelImage::Precompiled(bytes) => {
                let [kernel, stub, uaccess] = parts(bytes)?;
                // SAFETY: whoever gives us a `KernelImage::Precompiled` vouches for it, as its
                // documentation says; it comes out of `precompile_kernel` at build time.
                let load = |code: &[u8]| unsafe { Module::deserialize(engine, code) }.map_err(plain);
                let load = |code| load(code).context("the precompiled kernel was made by another build; make it again");
                Modules::new(load(kernel)?, load(stub)?, load(uaccess)?)
            }
        }
    }

    fn new(kernel: Module, stub: Module, uaccess: Module) -> Result<Modules> {
        let Some(ExternType::Memory(ty)) = kernel.get_export("memory") else { bail!("kernel: exports no memory") };
        Ok(Modules { kernel, stub, uaccess, kernel_bytes: (ty.minimum() << 16) as usize })
    }
}

/// wasmtime's errors are none of std's.
pub(crate) fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

fn parts(mut bytes: &[u8]) -> Result<[&[u8]; 3]> {
    let mut out = [&bytes[..0]; 3];
    let damaged = "the precompiled kernel is damaged; make it again";
    bytes = bytes.strip_prefix(MAGIC).context(damaged)?;
    for part in &mut out {
        let (len, rest) = bytes.split_first_chunk::<8>().context(damaged)?;
        let len = usize::try_from(u64::from_le_bytes(*len))?;
        *part = rest.get(..len).context(damaged)?;
        bytes = &rest[len..];
    }
    Ok(out)
}
