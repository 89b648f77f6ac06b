//! Runs the benchmark program on one host and reads what it prints.

use crate::measures::{Host, Source};
use crate::rounds::Effort;
use crate::shell;
use crate::tools::Tools;
use anyhow::{Context, Result, ensure};
use std::process::{Command, Stdio};

/// A line of the benchmark program: a figure, or why there is none.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    pub name: String,
    pub figure: Result2,
}
type Result2 = std::result::Result<f64, String>;

/// Reads `name, median, min, max, unit` or `name, ERR, reason`, with tabs between.
pub fn parse(line: &str) -> Option<Line> {
    let mut fields = line.split('\t');
    let name = fields.next()?.to_string();
    let figure = match fields.next()? {
        "ERR" => Err(fields.next().unwrap_or("unknown").to_string()),
        median => Ok(median.parse().ok()?),
    };
    Some(Line { name, figure })
}

/// Takes these measures, all of one source, on one host. What can't be run is a line for each.
pub fn measure(tools: &Tools, host: Host, source: Source, names: &[&str], effort: &Effort) -> Vec<Line> {
    if source == Source::Shell {
        return shell::measure(tools, host, names, effort);
    }
    let mut command = command(tools, host, source);
    command.args(["-r", &effort.samples.to_string(), "-t", &effort.sample_ms.to_string()]);
    command.args(["-m", &effort.mib.to_string()]).args(names);
    run(&mut command).unwrap_or_else(|e| {
        let failed = |name: &&str| Line { name: name.to_string(), figure: Err(format!("{e:#}")) };
        names.iter().map(failed).collect()
    })
}

fn command(tools: &Tools, host: Host, source: Source) -> Command {
    let shm = tools.shm.display();
    match host {
        Host::Native => {
            let mut c = Command::new(if source == Source::Unix { &tools.native_unix } else { &tools.native });
            c.arg("-d").arg(&tools.shm).arg("-s").arg(&tools.native).arg("-n").arg(&tools.native_nop);
            c
        }
        Host::WasmtimeWasi => {
            let mut c = Command::new(&tools.peer);
            let epochs = source == Source::User;
            c.args(epochs.then_some("--epochs")).arg("--dir").arg(format!("{shm}::/tmp")).args(["--dir", "/dev::/dev"]);
            c.arg(if epochs { &tools.peer_module_epochs } else { &tools.peer_module }).args(["-d", "/tmp"]);
            c
        }
        Host::Vkernel | Host::Limit => {
            let mut c = Command::new(&tools.vk);
            c.args(["run", "--quiet", "--image"]).arg(&tools.image);
            c.arg(match source {
                Source::Posix => "microbench",
                Source::Unix => "microbench-unix",
                _ => "microbench-wasi",
            });
            c.args(["-d", "/tmp", "-s", "/bin/microbench", "-n", "/bin/microbench-nop"]);
            c
        }
    }
}

/// Runs it to its end. Lines that aren't ours are dropped.
pub fn run(command: &mut Command) -> Result<Vec<Line>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("can't run {name}"))?;
    ensure!(output.status.success(), "{name}: {}", output.status);
    let lines: Vec<Line> = String::from_utf8_lossy(&output.stdout).lines().filter_map(parse).collect();
    ensure!(!lines.is_empty(), "{name} printed no figures");
    Ok(lines)
}

/// Compiles the peer's module, once for all rounds.
pub fn compile_for_peer(tools: &Tools) -> Result<()> {
    let wasm = tools.tools.join("microbench-wasi.wasm");
    for (epochs, out) in [(false, &tools.peer_module), (true, &tools.peer_module_epochs)] {
        let mut c = Command::new(&tools.peer);
        c.args(epochs.then_some("--epochs")).arg("--compile").arg(&wasm).arg(out);
        let status = c.status().with_context(|| format!("can't run {}", tools.peer.display()))?;
        ensure!(status.success(), "{}: {status}", tools.peer.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_others_are_not() {
        let ok = parse("fs.stat\t1050.55\t1045.17\t1058.01\tns").unwrap();
        assert_eq!((ok.name.as_str(), ok.figure), ("fs.stat", Ok(1050.55)));
        let err = parse("pipe.self_rt\tERR\tBad file descriptor").unwrap();
        assert_eq!(err.figure, Err("Bad file descriptor".into()));
        assert_eq!(parse("hello"), None);
        assert_eq!(parse("fs.stat\tfast"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_program_that_fails_says_so() {
        assert!(run(&mut Command::new("/nonexistent")).is_err());
        assert!(run(Command::new("sh").args(["-c", "printf 'a\\t1\\n'; exit 3"])).is_err());
        assert!(run(Command::new("sh").args(["-c", "true"])).is_err());
        assert_eq!(run(Command::new("sh").args(["-c", "printf 'a\\t1\\n'"])).unwrap().len(), 1);
    }
}
