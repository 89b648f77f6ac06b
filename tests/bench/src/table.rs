//! The figures as rows: JSON for programs, a table for people.

use crate::measures::{Goal, Host, Measure};
use crate::rounds::Results;
use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// One measure against one goal; a measure with two goals has two rows.
#[derive(Serialize)]
pub struct Row {
    pub name: String,
    pub unit: &'static str,
    pub better: &'static str,
    /// `None` where it could not be measured.
    pub value: Option<f64>,
    pub peers: BTreeMap<&'static str, Option<f64>>,
    pub goal: Option<GoalOut>,
    pub met: Option<bool>,
}

#[derive(Serialize)]
pub struct GoalOut {
    pub peer: &'static str,
    pub ratio: f64,
}

pub fn rows(measures: &[Measure], results: &Results) -> Vec<Row> {
    let mut rows = Vec::new();
    for m in measures {
        let goals: Vec<Option<Goal>> =
            if m.goals.is_empty() { vec![None] } else { m.goals.iter().copied().map(Some).collect() };
        rows.extend(goals.into_iter().map(|goal| row(m, goal, results)));
    }
    rows
}

fn row(m: &Measure, goal: Option<Goal>, results: &Results) -> Row {
    let value = results.median(m.name, Host::Vkernel);
    let figure = |host| results.median(m.name, host);
    let mut peers = BTreeMap::from([Host::Native, Host::WasmtimeWasi].map(|h| (h.name(), figure(h))));
    if m.limit.is_some() {
        peers.insert(Host::Limit.name(), m.limit);
    }
    let met = goal.map(|g| match (value, peers[g.peer.name()]) {
        (Some(v), Some(p)) if m.more_is_better() => v >= p * g.ratio,
        (Some(v), Some(p)) => v <= p * g.ratio,
        _ => false,
    });
    Row {
        name: m.name.into(),
        unit: m.unit,
        better: if m.more_is_better() { "more" } else { "less" },
        value,
        peers,
        goal: goal.map(|g| GoalOut { peer: g.peer.name(), ratio: g.ratio }),
        met,
    }
}

pub fn json(rows: &[Row]) -> Result<String> {
    Ok(serde_json::to_string_pretty(&serde_json::json!({ "rows": rows }))?)
}

/// Markdown that reads well as it is.
pub fn text(rows: &[Row]) -> String {
    let head = ["measure", "unit", "vkernel", "native", "wasmtime-wasi", "ratio", "goal", ""].map(String::from);
    let mut lines = vec![head];
    lines.extend(rows.iter().map(cells));
    let width = |column: usize| lines.iter().map(|l| l[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(width).collect();
    let mut out = String::new();
    for (i, line) in lines.iter().enumerate() {
        for (column, cell) in line.iter().enumerate() {
            let (w, left) = (widths[column], !(2..=5).contains(&column));
            _ = if left { write!(out, "| {cell:<w$} ") } else { write!(out, "| {cell:>w$} ") };
        }
        out.push_str("|\n");
        if i == 0 {
            let rule = |(column, w): (usize, &usize)| match column {
                2..=5 => format!("| {}: ", "-".repeat(w.saturating_sub(1))),
                _ => format!("| {} ", "-".repeat(*w)),
            };
            _ = writeln!(out, "{}|", widths.iter().enumerate().map(rule).collect::<String>());
        }
    }
    let with_goal = rows.iter().filter(|r| r.met.is_some()).count();
    let met = rows.iter().filter(|r| r.met == Some(true)).count();
    _ = writeln!(out, "\n{met} of {with_goal} goals met.");
    out
}

fn cells(row: &Row) -> [String; 8] {
    let peer = |host: Host| row.peers.get(host.name()).copied().flatten();
    let (mut ratio, mut goal, mut verdict) = (String::new(), String::new(), String::new());
    if let Some(g) = &row.goal {
        let of = row.peers.get(g.peer).copied().flatten();
        let at = if row.better == "more" { ">=" } else { "<=" };
        goal = match of {
            Some(limit) if g.peer == Host::Limit.name() => format!("{at} {} {}", figure(Some(limit)), row.unit),
            _ => format!("{at} {:.2} {}", g.ratio, g.peer),
        };
        verdict = match (row.value, of) {
            (Some(v), Some(p)) => {
                ratio = format!("{:.2}", v / p);
                said(row.met == Some(true), v / (p * g.ratio), row.better == "more")
            }
            (None, _) => "FAILED".into(),
            (_, None) => "no peer".into(),
        };
    }
    let (native, wasi) = (figure(peer(Host::Native)), figure(peer(Host::WasmtimeWasi)));
    [row.name.clone(), row.unit.into(), figure(row.value), native, wasi, ratio, goal, verdict]
}

/// How far it is from the goal; `share` is the figure as a part of what was asked.
fn said(met: bool, share: f64, more: bool) -> String {
    match (met, more) {
        (true, _) => "met".into(),
        (false, false) => format!("MISSED, {:.0} % over", (share - 1.0) * 100.0),
        (false, true) => format!("MISSED, {:.0} % short", (1.0 - share) * 100.0),
    }
}

/// Three digits that count.
fn figure(v: Option<f64>) -> String {
    match v {
        None => "-".into(),
        Some(v) if v.abs() >= 100.0 => format!("{v:.0}"),
        Some(v) if v.abs() >= 10.0 => format!("{v:.1}"),
        Some(v) => format!("{v:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::Line;
    use crate::measures;

    fn results(figures: &[(&str, Host, f64)]) -> Results {
        let mut r = Results::default();
        for (name, host, v) in figures {
            r.add(*host, Line { name: name.to_string(), figure: Ok(*v) });
        }
        r
    }

    fn table(names: &[&str], figures: &[(&str, Host, f64)]) -> Vec<Row> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let wanted: Vec<_> = measures::all().into_iter().filter(|m| m.is_wanted(&names)).collect();
        rows(&wanted, &results(figures))
    }

    #[test]
    fn a_measure_with_two_goals_has_two_rows() {
        use Host::{Native, Vkernel, WasmtimeWasi};
        let figures = [("rw.lseek", Vkernel, 30.0), ("rw.lseek", Native, 100.0), ("rw.lseek", WasmtimeWasi, 290.0)];
        let rows = table(&["rw.lseek"], &figures);
        assert_eq!(rows.iter().map(|r| r.met).collect::<Vec<_>>(), [Some(true), Some(false)]);
        let text = text(&rows);
        assert!(text.contains("MISSED, 3 % over") && text.contains("1 of 2 goals met"), "{text}");
    }

    #[test]
    fn throughput_is_better_when_more() {
        use Host::{Native, Vkernel};
        let at = |v| table(&["pipe.bw_64k"], &[("pipe.bw_64k", Vkernel, v), ("pipe.bw_64k", Native, 1000.0)]);
        assert_eq!((at(1001.0)[0].met, at(900.0)[0].met), (Some(true), Some(false)));
        assert!(text(&at(900.0)).contains("MISSED, 10 % short"));
    }

    #[test]
    fn a_limit_is_a_peer_of_its_own() {
        let rows = table(&["boot.cold"], &[("boot.cold", Host::Vkernel, 400.0)]);
        assert_eq!(rows[0].met, Some(true));
        assert!(text(&rows).contains("<= 1000 us"));
    }

    #[test]
    fn json_has_the_agreed_form() {
        use Host::{Native, Vkernel};
        let rows = table(&["fs.stat"], &[("fs.stat", Vkernel, 2.0), ("fs.stat", Native, 8.0)]);
        let have: serde_json::Value = serde_json::from_str(&json(&rows).unwrap()).unwrap();
        let want = serde_json::json!({ "rows": [{
            "name": "fs.stat", "unit": "ns", "better": "less", "value": 2.0,
            "peers": { "native": 8.0, "wasmtime-wasi": null },
            "goal": { "peer": "native", "ratio": 0.4 }, "met": true,
        }] });
        assert_eq!(have, want);
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let rows = table(&["fs.stat", "fs.fstat"], &[]);
        assert_eq!((rows[0].met, rows[1].met), (Some(false), None));
        assert!(text(&rows).contains("FAILED"));
    }
}
