//! Lines for the shell: from the command's start to its end, as its user sees them.

use crate::hosts::Line;
use crate::measures::Host;
use crate::rounds::{Effort, median};
use crate::tools::Tools;
use anyhow::{Result, ensure};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What the peer is: `dash` where there is one, as on Debian, where it is `sh`.
const NATIVE: &str = "sh";

/// Takes these measures on one host. What can't be run is a line for each.
pub fn measure(tools: &Tools, host: Host, names: &[&str], effort: &Effort) -> Vec<Line> {
    let line = |name: &&str| {
        let figure = take(tools, host, name, effort).map_err(|e| format!("{e:#}"));
        Line { name: name.to_string(), figure }
    };
    names.iter().map(line).collect()
}

fn take(tools: &Tools, host: Host, name: &str, effort: &Effort) -> Result<f64> {
    let turns = if effort.quick { 10 } else { 1000 };
    let bytes = if effort.quick { 16 << 20 } else { 1 << 30 };
    match name {
        "sh.thousand_true" => {
            let line = format!("for i in $(seq {turns}); do /bin/true; done");
            Ok(seconds(tools, host, &line, "")? * 1e3)
        }
        _ => {
            let line = format!("yes | head -c {bytes} | wc -c");
            Ok(f64::from(bytes >> 20) / seconds(tools, host, &line, &bytes.to_string())?)
        }
    }
}

/// The median of three, each of which must print this.
fn seconds(tools: &Tools, host: Host, line: &str, prints: &str) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..3 {
        let mut c = match host {
            Host::Native => Command::new(NATIVE),
            _ => {
                let mut c = Command::new(&tools.vk);
                c.args(["run", "--quiet", "sh"]);
                c
            }
        };
        c.args(["-c", line]).stdin(Stdio::null()).stderr(Stdio::inherit());
        let begin = Instant::now();
        let out = c.output()?;
        times.push(begin.elapsed().as_secs_f64());
        let said = String::from_utf8_lossy(&out.stdout);
        ensure!(out.status.success() && said.trim() == prints, "{line}: {}, printed {said:?}", out.status);
    }
    Ok(median(&times).unwrap_or_default())
}
