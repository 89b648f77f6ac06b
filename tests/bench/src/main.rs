//! `vk-bench`: measures the vkernel beside its peers and makes the table. Run by `cargo xtask bench`,
//! which builds what it needs (see [`tools`]).
//!
//! Every figure is a median over rounds; in a round each measure is taken on every host, one after
//! the other, so that what else the machine does touches all of them alike.

mod hosts;
mod machine;
mod measures;
mod rounds;
mod shell;
mod table;
mod tools;

use anyhow::{Result, bail};
use clap::Parser;
use std::path::PathBuf;

/// Measure the vkernel beside native Linux and plain wasmtime.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Args {
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
    /// A smoke run: everything once or twice and briefly; the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// How often everything is measured; the medians are over these
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Directory with the benchmark programs
    #[arg(long, default_value = "target/bench")]
    tools: PathBuf,
    /// Directory with the compiled kernel and the base image
    #[arg(long, default_value = "target/artifacts")]
    artifacts: PathBuf,
    /// Take one measure of the machine in this process and print it (used by this program itself)
    #[arg(long, hide = true)]
    part: Option<machine::Part>,
    /// Measures, or groups of them such as `fs.`; all by default
    names: Vec<String>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let effort = if args.quick { rounds::Effort::quick() } else { rounds::Effort::full(args.rounds) };
    if let Some(part) = args.part {
        return machine::run(part, &args.tools, &args.artifacts, &effort);
    }
    let wanted: Vec<_> = measures::all().into_iter().filter(|m| m.is_wanted(&args.names)).collect();
    if wanted.is_empty() {
        let all: Vec<_> = measures::all().iter().map(|m| m.name).collect();
        bail!("no measure is called {}; there are:\n{}", args.names.join(", "), all.join("\n"));
    }
    let tools = tools::Tools::find(&args.tools, &args.artifacts)?;
    let results = rounds::run(&tools, &wanted, &effort)?;
    let rows = table::rows(&wanted, &results);
    if args.json {
        println!("{}", table::json(&rows)?);
    } else {
        print!("{}", table::text(&rows));
    }
    for failure in results.failures() {
        eprintln!("{failure}");
    }
    Ok(())
}
