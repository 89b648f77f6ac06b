//! Measures of the machine itself: how fast a vkernel is there, and what it weighs.
//!
//! Each is taken in a process of its own (`vk-bench --part ...`), which prints lines as the benchmark
//! program does, so that one measure's memory is not another's.

use crate::hosts::{self, Line};
use crate::measures::{Host, Measure};
use crate::rounds::{Effort, median};
use crate::tools::Tools;
use anyhow::{Context, Result, bail, ensure};
use host_wasi::bootimage::BootImage;
use host_wasi::config::Program;
use host_wasi::{HostConfig, KernelImage, Status, Stdio, Vkernel};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Part {
    /// A new vkernel, to its program's first instruction, in a process that has booted others.
    Boot,
    /// The same with the vkernel's memory copied from a booted one.
    Image,
    /// Memory of idle vkernels.
    Idle,
    /// The whole command.
    Command,
}

impl Part {
    fn measure(self) -> &'static str {
        match self {
            Part::Boot => "boot.cold",
            Part::Image => "boot.image",
            Part::Idle => "mem.idle_vkernel",
            Part::Command => "boot.vk_run_true",
        }
    }
    fn option(self) -> &'static str {
        match self {
            Part::Boot => "boot",
            Part::Image => "image",
            Part::Idle => "idle",
            Part::Command => "command",
        }
    }
}

/// Those that these measures need.
pub fn parts(measures: &[Measure]) -> impl Iterator<Item = Part> + '_ {
    let all = [Part::Boot, Part::Image, Part::Idle, Part::Command];
    all.into_iter().filter(|p| measures.iter().any(|m| m.name == p.measure()))
}

/// Takes one, from outside.
pub fn measure(tools: &Tools, part: Part, effort: &Effort) -> Vec<(Host, Line)> {
    let lines = match part {
        Part::Command => command(tools, effort),
        _ => apart(tools, part, effort),
    };
    let name = part.measure().to_string();
    lines.unwrap_or_else(|e| vec![(Host::Vkernel, Line { name, figure: Err(format!("{e:#}")) })])
}

fn apart(tools: &Tools, part: Part, effort: &Effort) -> Result<Vec<(Host, Line)>> {
    let mut c = Command::new(std::env::current_exe()?);
    c.args(["--part", part.option()]).args(effort.quick.then_some("--quick"));
    c.arg("--tools").arg(&tools.tools).arg("--artifacts").arg(&tools.artifacts);
    Ok(hosts::run(&mut c)?.into_iter().map(|line| (Host::Vkernel, line)).collect())
}

/// From exec to exit: `vk run true`, and the program that does nothing natively.
fn command(tools: &Tools, effort: &Effort) -> Result<Vec<(Host, Line)>> {
    let (mut vk, mut native) = (Command::new(&tools.vk), Command::new(&tools.native_nop));
    vk.args(["run", "true"]);
    let mut times = [Vec::new(), Vec::new()];
    // The first finds files and caches cold.
    for i in 0..=effort.commands {
        for (command, times) in [&mut vk, &mut native].into_iter().zip(&mut times) {
            let begin = Instant::now();
            let status = command.status()?;
            let ms = begin.elapsed().as_secs_f64() * 1e3;
            ensure!(status.success(), "{command:?}: {status}");
            if i > 0 {
                times.push(ms);
            }
        }
    }
    let line = |times: &Vec<f64>| {
        let figure = median(times).ok_or_else(|| "no runs".to_string());
        Line { name: Part::Command.measure().into(), figure }
    };
    Ok(vec![(Host::Vkernel, line(&times[0])), (Host::Native, line(&times[1]))])
}

/// Takes one, in this process, and prints it.
pub fn run(part: Part, _tools: &Path, artifacts: &Path, effort: &Effort) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let lab = Lab::new(artifacts)?;
        let (figures, unit) = match part {
            Part::Boot => (lab.boots(false, effort.boots).await?, "us"),
            Part::Image => (lab.boots(true, effort.boots).await?, "us"),
            Part::Idle => (vec![lab.idle(effort.alive).await?], "KiB"),
            Part::Command => bail!("the whole command is measured from outside"),
        };
        let (low, high) = figures.iter().fold((f64::MAX, 0f64), |(l, h), &f| (l.min(f), h.max(f)));
        let middle = median(&figures).context("no figures")?;
        println!("{}\t{middle:.2}\t{low:.2}\t{high:.2}\t{unit}", part.measure());
        Ok(())
    })
}

/// A host, and the base image with our two programs beside it.
struct Lab {
    host: host_wasi::Host,
    image: BootImage,
    first: u32,
    idle: u32,
}

type Captured = Arc<Mutex<Vec<u8>>>;

impl Lab {
    fn new(artifacts: &Path) -> Result<Lab> {
        let read = |name: &str| {
            let path = artifacts.join(name);
            std::fs::read(&path).with_context(|| format!("{}: run `cargo xtask build`", path.display()))
        };
        let kernel = read("kernel.cwasm")?;
        let config = HostConfig { kernel: KernelImage::Precompiled(&kernel), cache_dir: None };
        let host = host_wasi::Host::new(config)?;
        let mut image = BootImage::from_tar_vec(read("base.tar")?)?;
        let first = image.add_blob(wat::parse_str(include_str!("first.wat"))?);
        let idle = image.add_blob(wat::parse_str(include_str!("idle.wat"))?);
        Ok(Lab { host, image, first, idle })
    }

    async fn vkernel(&self, blob: u32, out: &Captured) -> Result<Vkernel> {
        let builder = self.host.vkernel(Program::Blob(blob, b"program".to_vec())).image(self.image.clone());
        builder.stdin(Stdio::Null).stdout(Stdio::Capture(out.clone())).stderr(Stdio::Inherit).boot().await
    }

    /// Microseconds from nothing to the program's first instruction.
    async fn boots(&self, from_image: bool, count: u32) -> Result<Vec<f64>> {
        if from_image {
            self.host.prepare(&self.image)?;
        }
        let mut figures = Vec::new();
        // The first ones compile the program and warm the process.
        let warm = count.div_ceil(10);
        for i in 0..count + warm {
            let out = Captured::default();
            let begin = time_of_day()?;
            let outcome = self.vkernel(self.first, &out).await?.wait().await;
            ensure!(outcome.status == Status::Exit(0), "the vkernel ended with {:?}", outcome.status);
            let first = taken(&out);
            let first = u64::from_le_bytes(first[..].try_into().context("the program wrote something else")?);
            let ns = first.checked_sub(begin).context("the program ran before it was started")?;
            ensure!(ns < 10_000_000_000, "the guest's clock is not the host's");
            if i >= warm {
                figures.push(ns as f64 / 1e3);
            }
        }
        Ok(figures)
    }

    /// Resident KiB for each of so many vkernels whose only process sleeps.
    async fn idle(&self, count: u32) -> Result<f64> {
        self.host.prepare(&self.image)?;
        let warm = self.sleepers(1).await?;
        let before = resident_kib()?;
        let alive = self.sleepers(count).await?;
        let after = resident_kib()?;
        drop((warm, alive));
        Ok((after - before) / f64::from(count))
    }

    async fn sleepers(&self, count: u32) -> Result<Vec<(Captured, Vkernel)>> {
        let mut all = Vec::new();
        for _ in 0..count {
            let out = Captured::default();
            let vkernel = self.vkernel(self.idle, &out).await?;
            all.push((out, vkernel));
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        while all.iter().any(|(out, _)| taken(out).is_empty()) {
            ensure!(Instant::now() < deadline, "the programs don't come to their sleep");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // From the byte that each has written to its sleep.
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(all)
    }
}

fn taken(out: &Captured) -> Vec<u8> {
    out.lock().unwrap_or_else(|p| p.into_inner()).clone()
}

fn time_of_day() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64)
}

/// Of this process. See proc_pid_statm(5): the second number, in pages.
fn resident_kib() -> Result<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = statm.split(' ').nth(1).context("no second number in statm")?.parse()?;
    // SAFETY: no pointers.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Ok(pages * page as f64 / 1024.0)
}
