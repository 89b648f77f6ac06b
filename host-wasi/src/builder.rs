//! What an embedder sees: a [`Host`], the [`Builder`] of a vkernel, and the running [`Vkernel`].
//!
//! A host has the engine, the kernel and the cache of compiled programs; it is made once a process.
//! Any number of vkernels run on it, each as one task of the tokio runtime that it is booted in.
//! They share nothing that a program can change. Dropping a [`Vkernel`] ends it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use abi::trapframe::{FIRST_VMSPACE, irq};
use anyhow::{Context, Result};
use tokio::task::JoinHandle;
use wasmtime::{Engine, ModuleExport};

use crate::bootimage::BootImage;
use crate::cache::{Cache, Precompiled, default_dir};
use crate::clock::monotonic_ns;
use crate::config::{BootOptions, DiskMount, HostDir, Program};
use crate::devices::{Devices, STREAMS, Stdio};
use crate::disk::Disk;
use crate::engine::{KernelImage, Modules, plain};
use crate::external::{Event, External};
use crate::hostfs::{Export, Server};
use crate::hypercalls::linker;
use crate::lwp::{CodeRanges, KernelPre};
use crate::machine::{Ending, Machine, Times};
use crate::mapping::Pool;
use crate::memory::KernelMemory;
use crate::snapshot::{Template, resident};
use crate::ticker::Ticker;
use crate::vkernel::{Interrupts, Task};

/// What all vkernels of a host share.
pub(crate) struct HostShared {
    pub engine: Engine,
    pub modules: Modules,
    pub code: CodeRanges,
    pub kernel: KernelPre,
    pub interrupt_kernel: KernelPre,
    /// The uaccess functions, and where a kernel's table has room for them.
    pub uaccess: Vec<ModuleExport>,
    pub uaccess_slot: u64,
    pub cache: Arc<Cache>,
    pub pool: Arc<Pool>,
    pub ticker: Ticker,
    templates: RwLock<Vec<Arc<Template>>>,
}

/// How to make a [`Host`].
pub struct HostConfig<'a> {
    pub kernel: KernelImage<'a>,
    /// Where compiled programs are kept; `None` keeps them in memory only.
    pub cache_dir: Option<PathBuf>,
}

impl<'a> HostConfig<'a> {
    /// With the cache directory of the user.
    pub fn new(kernel: KernelImage<'a>) -> Self {
        HostConfig { kernel, cache_dir: default_dir() }
    }
}

/// The part of a machine that runs vkernels. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    shared: Arc<HostShared>,
}

impl Host {
    /// # Errors
    /// A kernel that isn't one or is of another version; a machine that can't run it.
    pub fn new(config: HostConfig<'_>) -> Result<Host> {
        let engine = crate::engine::engine()?;
        let modules = Modules::load(&engine, &config.kernel)?;
        let link =
            |sleeps| -> Result<KernelPre> { KernelPre::new(&linker(&engine, sleeps).map_err(plain)?, &modules.kernel) };
        let uaccess = abi::trapframe::UACCESS.iter().filter_map(|name| modules.uaccess.get_export_index(name));
        let shared = HostShared {
            code: CodeRanges::new(&modules),
            kernel: link(true)?,
            interrupt_kernel: link(false)?,
            uaccess: uaccess.collect(),
            uaccess_slot: table_size(&modules)?,
            cache: Arc::new(Cache::new(&engine, &modules.stub, config.cache_dir)),
            pool: Arc::default(),
            ticker: Ticker::start(&engine).context("can't start the clock thread")?,
            templates: RwLock::default(),
            modules,
            engine,
        };
        Ok(Host { shared: Arc::new(shared) })
    }

    /// Adds a program that was compiled by [`precompile_program`] on a machine like this one, by the
    /// BLAKE3 hash of its bytes.
    ///
    /// # Safety
    /// The code is run as it is: it must come from [`precompile_program`].
    pub unsafe fn add_precompiled(&self, hash: [u8; 32], code: Precompiled) {
        self.shared.cache.add_precompiled(hash, code);
    }

    /// Is the program with this BLAKE3 hash compiled already? If not, its first start takes a while.
    pub fn has_compiled(&self, hash: &[u8; 32]) -> bool {
        self.shared.cache.has(*hash)
    }

    /// Boots a kernel with this image once and keeps it, so that later vkernels begin with a copy.
    pub fn prepare(&self, image: &BootImage) -> Result<()> {
        if self.template(image).is_some() {
            return Ok(());
        }
        let memory = KernelMemory::new(self.shared.modules.kernel_bytes)?;
        let devices = Devices::new([const { Stdio::Null }; STREAMS])?;
        let files = Server::new(Vec::new());
        let machine =
            Machine::new(self.shared.clone(), memory, image.clone(), Vec::new(), devices, files, Vec::new(), u64::MAX);
        let mut interrupts = Interrupts::new(&machine).map_err(plain)?;
        boot(&machine, &mut interrupts)?;
        let template = Template::take(&machine.memory, image.clone())?;
        let mut templates = self.shared.templates.write().unwrap_or_else(|p| p.into_inner());
        templates.push(Arc::new(template));
        Ok(())
    }

    fn template(&self, image: &BootImage) -> Option<Arc<Template>> {
        let templates = self.shared.templates.read().unwrap_or_else(|p| p.into_inner());
        templates.iter().find(|t| t.is_of(image)).cloned()
    }

    /// Begins to describe a vkernel that runs `program`.
    pub fn vkernel(&self, program: Program) -> Builder {
        Builder {
            host: self.clone(),
            image: BootImage::empty(),
            options: BootOptions::new(program),
            exports: Vec::new(),
            disks: Vec::new(),
            total_memory: u64::MAX,
            timeout: None,
            streams: [Stdio::Inherit, Stdio::Inherit, Stdio::Inherit, Stdio::Inherit, Stdio::Inherit],
        }
    }
}

/// Compiles a program ahead of time, for [`Host::add_precompiled`]. The error says what is wrong
/// with the program.
pub fn precompile_program(wasm: &[u8]) -> Result<Vec<u8>> {
    crate::program::compile(&crate::engine::engine()?, wasm).map_err(anyhow::Error::msg)
}

/// How many elements the kernel's table has at the start.
fn table_size(modules: &Modules) -> Result<u64> {
    match modules.kernel.get_export("__indirect_function_table") {
        Some(wasmtime::ExternType::Table(ty)) => Ok(ty.minimum()),
        _ => anyhow::bail!("kernel: exports no table"),
    }
}

fn boot(machine: &Machine, interrupts: &mut Interrupts) -> Result<()> {
    settled(machine, interrupts.boot())
}

/// What a call on the interrupt instance came to, when it may have ended the vkernel.
fn settled<T>(machine: &Machine, done: wasmtime::Result<T>) -> Result<T> {
    match (machine.ending(), done) {
        (Some(Ending::Panicked(why)), _) => anyhow::bail!("kernel panic: {why}"),
        (Some(_), _) => anyhow::bail!("kernel: it halted while it booted"),
        (None, done) => done.map_err(|e| anyhow::Error::msg(crate::lwp::describe(&e))),
    }
}

/// A vkernel to be.
pub struct Builder {
    host: Host,
    image: BootImage,
    options: BootOptions,
    exports: Vec<Export>,
    disks: Vec<Disk>,
    total_memory: u64,
    timeout: Option<Duration>,
    streams: [Stdio; STREAMS],
}

impl Builder {
    /// The files it starts with.
    pub fn image(mut self, image: BootImage) -> Self {
        self.image = image;
        self
    }

    /// What the kernel is told at boot: arguments, environment, limits, ... Host directories and disks are
    /// added by [`Self::host_dir`] and [`Self::disk`], which keep both lists in step.
    pub fn options(mut self, change: impl FnOnce(&mut BootOptions)) -> Self {
        change(&mut self.options);
        self
    }

    /// Shares a directory of the host at `guest`.
    pub fn host_dir(mut self, dir: cap_std::fs::Dir, guest: impl Into<Vec<u8>>, read_only: bool) -> Self {
        self.options.host_dirs.push(HostDir { guest: guest.into(), read_only });
        self.exports.push(Export { dir, read_only });
        self
    }

    /// Mounts a disk at `guest`. One that was never used begins with what the image has there.
    pub fn disk(mut self, disk: Disk, guest: impl Into<Vec<u8>>, read_only: bool) -> Self {
        self.options.disks.push(DiskMount { guest: guest.into(), read_only });
        self.disks.push(disk);
        self
    }

    /// Memory that all its programs together may have, in bytes.
    pub fn total_memory(mut self, bytes: u64) -> Self {
        self.total_memory = bytes;
        self
    }

    /// Ends it after so long.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    pub fn stdin(mut self, stream: Stdio) -> Self {
        self.streams[0] = stream;
        self
    }
    pub fn stdout(mut self, stream: Stdio) -> Self {
        self.streams[1] = stream;
        self
    }
    pub fn stderr(mut self, stream: Stdio) -> Self {
        self.streams[2] = stream;
        self
    }
    /// Where the lines of the system-call trace go; standard error by default.
    pub fn trace_to(mut self, stream: Stdio) -> Self {
        self.streams[3] = stream;
        self
    }
    /// Where the kernel's messages go; standard error by default.
    pub fn console(mut self, stream: Stdio) -> Self {
        self.streams[4] = stream;
        self
    }

    /// Boots it and lets it run, as a task of the current tokio runtime, which must have I/O enabled.
    ///
    /// # Errors
    /// A kernel that doesn't boot. What is wrong with the program is told by the kernel later.
    pub async fn boot(self) -> Result<Vkernel> {
        let begin = monotonic_ns();
        let shared = self.host.shared.clone();
        let template = self.host.template(&self.image);
        let memory = match &template {
            Some(template) => template.memory(),
            None => KernelMemory::new(shared.modules.kernel_bytes),
        };
        let memory = memory.context("no memory for the kernel; run fewer vkernels at a time")?;
        let devices = Devices::new(self.streams).context("can't use a standard stream")?;
        let files = Server::new(self.exports);
        let config = self.options.encode();
        let machine = Machine::new(shared, memory, self.image, config, devices, files, self.disks, self.total_memory);
        let mut interrupts = Interrupts::new(&machine).map_err(plain)?;
        if template.is_none() {
            boot(&machine, &mut interrupts)?;
        }
        let start = interrupts.start();
        // A kernel that has nothing to run halts with a status, which is told like any other.
        if !matches!(machine.ending(), Some(Ending::Halted(_))) {
            let first = settled(&machine, start)?;
            if machine.sched.with(|s| s.find(first).is_none()) {
                machine.count_lwp(FIRST_VMSPACE, 1);
                machine.sched.with(|s| s.create(first, FIRST_VMSPACE));
            }
        }
        Times::add(&machine.times.boot, begin);
        let (external, stats) = (machine.external.clone(), self.options.stats);
        let task = Task::new(machine.clone(), interrupts, self.timeout);
        let task = tokio::spawn(async move {
            let (ending, report) = task.await;
            outcome(&machine, ending, &report, begin, stats)
        });
        Ok(Vkernel { handle: Handle { external }, task })
    }
}

/// How a vkernel ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// By itself, with the wait status of its first process (see `abi::types::wait`).
    Exit(u32),
    /// The kernel or the machine failed. Nothing of it is left.
    Panicked(String),
    /// Its time was over.
    TimedOut,
    /// [`Vkernel::kill`].
    Killed,
}

/// What a vkernel took. Times in microseconds, memory in bytes.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Stats {
    pub wall_us: u64,
    pub boot_us: u64,
    pub compile_us: u64,
    pub instantiate_us: u64,
    /// Time that its lwps ran.
    pub run_us: u64,
    /// Counted only when the option `stats` is set.
    pub kernel_memory_bytes: u64,
    pub process_peak_bytes: u64,
    pub total_peak_bytes: u64,
    /// What the kernel counted, by name; empty unless it was told to.
    pub counters: BTreeMap<String, u64>,
}

#[derive(Clone, Debug)]
pub struct Outcome {
    pub status: Status,
    pub stats: Stats,
}

fn outcome(machine: &Machine, ending: Ending, report: &str, begin: u64, stats: bool) -> Outcome {
    let status = match ending {
        Ending::Halted(status) => Status::Exit(status),
        Ending::Panicked(why) => Status::Panicked(why),
        Ending::TimedOut => Status::TimedOut,
        Ending::Killed => Status::Killed,
    };
    let us = |ns: &std::sync::atomic::AtomicU64| ns.load(Relaxed) / 1000;
    let counters = report.lines().filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_string(), value.parse().ok()?))
    });
    let stats = Stats {
        wall_us: monotonic_ns().saturating_sub(begin) / 1000,
        boot_us: us(&machine.times.boot),
        compile_us: us(&machine.times.compile),
        instantiate_us: us(&machine.times.instantiate),
        run_us: us(&machine.times.run),
        kernel_memory_bytes: if stats { resident(&machine.memory) } else { 0 },
        process_peak_bytes: machine.total.space_peak.load(Relaxed),
        total_peak_bytes: machine.total.peak.load(Relaxed),
        counters: counters.collect(),
    };
    Outcome { status, stats }
}

/// A running vkernel.
pub struct Vkernel {
    handle: Handle,
    task: JoinHandle<Outcome>,
}

impl Vkernel {
    /// Waits for its end.
    pub async fn wait(mut self) -> Outcome {
        let lost = |why: String| Outcome { status: Status::Panicked(why), stats: Stats::default() };
        (&mut self.task).await.unwrap_or_else(|e| lost(format!("the machine crashed: {e}")))
    }

    /// Something that can interrupt it from elsewhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

/// What a handle can do, its owner can.
impl std::ops::Deref for Vkernel {
    type Target = Handle;
    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Vkernel {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reaches a vkernel while somebody else waits for it. Does nothing once it has ended.
#[derive(Clone)]
pub struct Handle {
    external: Arc<External>,
}

impl Handle {
    /// A key of the terminal: SIGINT, SIGQUIT or SIGTSTP to its foreground processes.
    pub fn interrupt(&self, signal: u32) {
        self.external.post(Event::Interrupt(irq::SIGNAL, signal));
    }

    /// The terminal has another size.
    pub fn window_changed(&self) {
        self.external.post(Event::Interrupt(irq::WINCH, 0));
    }

    /// Asks it to end its processes and halt.
    pub fn shutdown(&self) {
        self.external.post(Event::Interrupt(irq::SHUTDOWN, 0));
    }

    /// Ends it at once.
    pub fn kill(&self) {
        self.external.post(Event::Kill);
    }
}
