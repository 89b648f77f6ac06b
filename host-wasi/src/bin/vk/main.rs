//! `vk`: boots a vkernel in this process and runs one program, or an interactive system, in it.
//!
//! The way through: `args` (the command line), `plan` (what is booted; everything that can be wrong
//! with the arguments), `run` (the vkernel, signals, the end); or `cc` and `core`, which boot nothing. The process ends in [`main`] with the
//! status that vk(1) documents.

mod args;
mod artifacts;
mod cc;
mod console;
mod core;
mod ending;
mod plan;
mod run;

use args::Cli;
use clap::Parser;
use clap::error::ErrorKind;
use plan::{Failure, Here, USAGE};

fn main() -> ! {
    let status = match parse() {
        Ok(cli) => work(&cli),
        Err(status) => status,
    };
    host_wasi::terminal::restore();
    // Nothing is left to be tidied up that the end of the process doesn't.
    std::process::exit(status.into());
}

/// The command line, or the status to exit with when there is nothing more to do.
fn parse() -> Result<Cli, u8> {
    Cli::try_parse().map_err(|e| match e.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Whoever closed standard output doesn't want to read it.
            let _ = e.print();
            0
        }
        _ => {
            let text = e.render().to_string();
            console::say(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
            USAGE
        }
    })
}

fn work(cli: &Cli) -> u8 {
    restore_terminal_on_panic();
    let done = match &cli.command {
        Some(args::Command::Cc(cc)) => cc::run(&cc.args),
        Some(args::Command::Core(core)) => core::run(core),
        _ => artifacts_and_plan(cli).and_then(|(artifacts, plan)| run::run(cli.options(), artifacts, plan)),
    };
    done.unwrap_or_else(|Failure { status, message }| {
        console::say(&message);
        status
    })
}

fn artifacts_and_plan(cli: &Cli) -> Result<(&'static artifacts::Artifacts, plan::Plan), Failure> {
    // A mistake in the arguments is told even by a vk without a kernel.
    let plan = plan::plan(cli, &Here::new(), || artifacts::get()?.image())?;
    Ok((artifacts::get()?, plan))
}

/// A bug of ours must not leave the user's terminal in raw mode.
fn restore_terminal_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        host_wasi::terminal::restore();
        report(info);
    }));
}
