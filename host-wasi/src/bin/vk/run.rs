//! Runs a plan: the host is made, the vkernel booted, signals are passed on until it ends.

use crate::args::Options;
use crate::artifacts::Artifacts;
use crate::console::{self, Console};
use crate::ending;
use crate::plan::{CANNOT_RUN, Failure, Plan, USAGE, plain};
use abi::types::sig;
use host_wasi::{Builder, Host, HostConfig, KernelImage, Outcome, Precompiled, Stdio, Vkernel};
use std::fs::File;
use std::io::{self, IsTerminal};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A program this big takes long enough to compile that one wonders.
const WORTH_A_WORD: usize = 512 << 10;

/// How long processes have to end when vk itself is told to.
const GRACE: Duration = Duration::from_secs(2);

/// Runs it to the end and answers vk's exit status.
pub fn run(options: &Options, artifacts: &'static Artifacts, plan: Plan) -> Result<u8, Failure> {
    if !plan.shares.is_empty() {
        raise_descriptor_limit();
    }
    let trace = options.trace_file.as_ref().map(|path| {
        File::create(path).map_err(|e| Failure::new(USAGE, format!("--trace-file {}: {}", path.display(), plain(&e))))
    });
    let trace = trace.transpose()?;
    let host = host(artifacts)?;
    // A vkernel that computes polls for a whole slice: tokio's 61 of them between two looks at signals and
    // streams would be half a second.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().event_interval(1).build();
    let runtime = runtime.map_err(|e| broken(&e))?;
    let name = plan.name.clone();
    let quiet = options.quiet;
    let done = runtime.block_on(async {
        announce(&host, &plan, quiet);
        let interactive = plan.boot.init;
        let (console, stream) = Console::new(&plan).map_err(|e| broken(&e))?;
        let mut builder = builder(&host, options, plan).console(stream);
        if let Some(file) = trace {
            builder = builder.trace_to(file.into());
        }
        // Before the boot, so that none is missed.
        let mut signals = Signals::new(interactive).map_err(|e| broken(&e))?;
        let vkernel = builder.boot().await.map_err(|e| Failure::new(CANNOT_RUN, format!("can't boot: {e:#}")))?;
        Ok(console.while_waiting(wait(vkernel, &mut signals)).await)
    });
    // A compilation that nobody waits for any more must not keep us.
    runtime.shutdown_background();
    let (end, by_signal) = done?;
    host_wasi::terminal::restore();
    let status = by_signal.map_or_else(|| ending::status(&end.status), |signal| (128 + signal) as u8);
    if by_signal.is_none()
        && let Some(text) = ending::message(&name, &end, quiet, options.timeout)
    {
        console::say(&text);
    }
    if options.stats {
        console::print(&ending::stats(&end, status).to_string());
    }
    Ok(status)
}

fn broken(e: &io::Error) -> Failure {
    Failure::new(CANNOT_RUN, format!("can't boot: {}", plain(e)))
}

fn host(artifacts: &'static Artifacts) -> Result<Host, Failure> {
    let config = HostConfig::new(KernelImage::Precompiled(artifacts.kernel));
    let host = Host::new(config).map_err(|e| Failure::new(CANNOT_RUN, format!("can't boot: {e:#}")))?;
    for (hash, code) in artifacts.programs {
        // SAFETY: the artifacts come out of `precompile_program` at build time.
        unsafe { host.add_precompiled(*hash, Precompiled::Bytes(code)) };
    }
    Ok(host)
}

fn builder(host: &Host, options: &Options, plan: Plan) -> Builder {
    let Plan { image, boot, shares, disks, .. } = plan;
    let mut builder = host.vkernel(boot.program.clone()).image(image).options(|o| *o = boot);
    for share in shares {
        builder = builder.host_dir(share.dir, share.guest, share.read_only);
    }
    for disk in disks {
        builder = builder.disk(disk.disk, disk.guest, disk.read_only);
    }
    if let Some(bytes) = options.total_memory {
        builder = builder.total_memory(bytes);
    }
    if let Some(limit) = options.timeout {
        builder = builder.timeout(limit);
    }
    builder.trace_to(Stdio::Inherit)
}

/// Says that a big program is being compiled, to somebody who is there to read it.
fn announce(host: &Host, plan: &Plan, quiet: bool) {
    let Some((blob, size)) = plan.host_program.filter(|(_, size)| *size >= WORTH_A_WORD) else { return };
    if quiet || !io::stderr().is_terminal() {
        return;
    }
    if plan.image.hash(blob).is_ok_and(|hash| !host.has_compiled(&hash)) {
        console::say(&format!("compiling {}, {} ... (kept for the next time)", plan.name, console::megabytes(size)));
    }
}

/// The signals that vk passes on or ends by.
struct Signals {
    interrupt: Signal,
    quit: Signal,
    /// Ctrl-Z, where somebody inside can bring a stopped program back: under init's shell. Else it
    /// stops vk itself, as any program.
    stop: Option<Signal>,
    winch: Signal,
    terminate: Signal,
    hangup: Signal,
}

enum Told {
    /// For the vkernel's foreground processes.
    Pass(u32),
    Winch,
    /// vk is to end.
    End(u32),
}

impl Signals {
    fn new(interactive: bool) -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            stop: interactive.then(|| signal(SignalKind::from_raw(libc::SIGTSTP))).transpose()?,
            winch: signal(SignalKind::window_change())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Pass(sig::INT),
            _ = self.quit.recv() => Told::Pass(sig::QUIT),
            Some(_) = async { self.stop.as_mut()?.recv().await } => Told::Pass(sig::TSTP),
            _ = self.winch.recv() => Told::Winch,
            _ = self.terminate.recv() => Told::End(sig::TERM),
            _ = self.hangup.recv() => Told::End(sig::HUP),
        }
    }
}

/// Waits for the end; with the signal that vk itself was ended by, if it was.
async fn wait(vkernel: Vkernel, signals: &mut Signals) -> (Outcome, Option<u32>) {
    let handle = vkernel.handle();
    let end = vkernel.wait();
    tokio::pin!(end);
    loop {
        let told = tokio::select! {
            outcome = &mut end => return (outcome, None),
            told = signals.next() => told,
        };
        match told {
            Told::Pass(signal) => handle.interrupt(signal),
            Told::Winch => handle.window_changed(),
            Told::End(signal) => {
                handle.shutdown();
                let outcome = match tokio::time::timeout(GRACE, &mut end).await {
                    Ok(outcome) => outcome,
                    Err(_) => {
                        handle.kill();
                        end.await
                    }
                };
                return (outcome, Some(signal));
            }
        }
    }
}

/// Files that a guest has open in shared directories are open here too.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
