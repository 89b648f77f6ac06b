//! Rounds over all measures and hosts, and the figures that come of them.

use crate::hosts::{self, Line};
use crate::machine;
use crate::measures::{Host, Measure, Source};
use crate::tools::Tools;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};

/// How much trouble a run takes.
pub struct Effort {
    pub rounds: u32,
    pub samples: u32,
    pub sample_ms: u32,
    /// Size of files and streams.
    pub mib: u32,
    /// Vkernels booted one after another for a figure.
    pub boots: u32,
    /// Vkernels alive at a time.
    pub alive: u32,
    /// Runs of the whole command.
    pub commands: u32,
    pub quick: bool,
}

impl Effort {
    /// Many short samples rather than few long ones: on a busy machine most of them then fit between
    /// two interruptions, and the median is one of those.
    pub fn full(rounds: u32) -> Effort {
        Effort { rounds, samples: 21, sample_ms: 4, mib: 32, boots: 200, alive: 1000, commands: 11, quick: false }
    }
    pub fn quick() -> Effort {
        Effort { rounds: 2, samples: 1, sample_ms: 1, mib: 2, boots: 5, alive: 20, commands: 2, quick: true }
    }
}

/// Every figure of every round, by measure and host.
#[derive(Default)]
pub struct Results {
    figures: BTreeMap<(String, Host), Vec<f64>>,
    failures: BTreeSet<(String, Host, String)>,
}

impl Results {
    pub fn add(&mut self, host: Host, line: Line) {
        match line.figure {
            Ok(figure) => self.figures.entry((line.name, host)).or_default().push(figure),
            Err(why) => _ = self.failures.insert((line.name, host, why)),
        }
    }

    /// The median over the rounds; nothing if one of them failed.
    pub fn median(&self, name: &str, host: Host) -> Option<f64> {
        if self.failures.iter().any(|(n, h, _)| n == name && *h == host) {
            return None;
        }
        self.figures.get(&(name.to_string(), host)).and_then(|all| median(all))
    }

    pub fn failures(&self) -> impl Iterator<Item = String> + '_ {
        self.failures.iter().map(|(name, host, why)| format!("{name} on {}: {why}", host.name()))
    }
}

pub fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// Measures that are taken by one run of a program, together.
struct Batch<'a> {
    source: Source,
    names: Vec<&'a str>,
}

/// By source and group: small enough that a round's three runs of one stand close together.
fn batches(measures: &[Measure]) -> Vec<Batch<'_>> {
    let mut batches: BTreeMap<(usize, &str), Batch> = BTreeMap::new();
    for m in measures.iter().filter(|m| m.source != Source::Machine) {
        let order = [Source::Wasi, Source::Posix, Source::Unix, Source::Shell, Source::User]
            .iter()
            .position(|s| *s == m.source);
        let key = (order.unwrap_or_default(), m.group());
        batches.entry(key).or_insert_with(|| Batch { source: m.source, names: Vec::new() }).names.push(m.name);
    }
    batches.into_values().collect()
}

fn hosts_of(source: Source) -> &'static [Host] {
    match source {
        Source::Wasi | Source::User => &[Host::Native, Host::Vkernel, Host::WasmtimeWasi],
        Source::Posix | Source::Unix | Source::Shell => &[Host::Native, Host::Vkernel],
        Source::Machine => &[],
    }
}

/// All rounds. A measure that fails is in the results as a failure; an error is one of ours.
pub fn run(tools: &Tools, measures: &[Measure], effort: &Effort) -> Result<Results> {
    hosts::compile_for_peer(tools)?;
    let mut results = Results::default();
    let batches = batches(measures);
    for round in 0..effort.rounds as usize {
        eprintln!("round {} of {}", round + 1, effort.rounds);
        for batch in &batches {
            let hosts = hosts_of(batch.source);
            // Each host goes first at some time.
            for i in 0..hosts.len() {
                let host = hosts[(i + round) % hosts.len()];
                for line in hosts::measure(tools, host, batch.source, &batch.names, effort) {
                    results.add(host, line);
                }
            }
        }
        for part in machine::parts(measures) {
            for (host, line) in machine::measure(tools, part, effort) {
                results.add(host, line);
            }
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measures;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_failure_in_one_round_takes_the_figure() {
        let mut r = Results::default();
        let line = |figure| Line { name: "fs.stat".into(), figure };
        r.add(Host::Vkernel, line(Ok(1.0)));
        r.add(Host::Native, line(Ok(5.0)));
        assert_eq!(r.median("fs.stat", Host::Vkernel), Some(1.0));
        r.add(Host::Vkernel, line(Err("gone".into())));
        assert_eq!(r.median("fs.stat", Host::Vkernel), None);
        assert_eq!(r.median("fs.stat", Host::Native), Some(5.0));
        assert_eq!(r.failures().collect::<Vec<_>>(), ["fs.stat on vkernel: gone"]);
    }

    #[test]
    fn every_measure_is_in_one_batch() {
        let all = measures::all();
        let mut names: Vec<_> = batches(&all).into_iter().flat_map(|b| b.names).collect();
        names.sort_unstable();
        let mut want: Vec<_> = all.iter().filter(|m| m.source != Source::Machine).map(|m| m.name).collect();
        want.sort_unstable();
        assert_eq!(names, want);
    }
}
