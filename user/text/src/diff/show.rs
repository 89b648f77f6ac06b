//! The forms of POSIX diff's output.

use super::Lines;
use kit::show::full_time;
use similar::{DiffOp, group_diff_ops};

pub enum Style {
    Normal,
    Unified(usize),
    Context(usize),
    Ed,
}

pub fn show(style: &Style, a: &Lines, b: &Lines, ops: &[DiffOp]) -> Vec<u8> {
    let mut out = Vec::new();
    match style {
        Style::Normal => normal(a, b, ops, &mut out),
        Style::Ed => ed(b, ops, &mut out),
        Style::Unified(n) => {
            heading("---", a, &mut out);
            heading("+++", b, &mut out);
            for group in group_diff_ops(ops.to_vec(), *n) {
                unified(a, b, &group, &mut out);
            }
        }
        Style::Context(n) => {
            heading("***", a, &mut out);
            heading("---", b, &mut out);
            for group in group_diff_ops(ops.to_vec(), *n) {
                context(a, b, &group, &mut out);
            }
        }
    }
    out
}

fn heading(mark: &str, l: &Lines, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{mark} ").as_bytes());
    match &l.label {
        Some(label) => out.extend_from_slice(label),
        None => {
            out.extend_from_slice(&l.name);
            out.extend_from_slice(format!("\t{}", full_time(l.mtime_ns)).as_bytes());
        }
    }
    out.push(b'\n');
}

fn line(mark: &str, text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(mark.as_bytes());
    out.extend_from_slice(text);
    if !text.ends_with(b"\n") {
        out.extend_from_slice(b"\n\\ No newline at end of file\n");
    }
}

/// `3`, or `3,5`: lines counted from 1, of which there is one at least.
fn span(range: std::ops::Range<usize>) -> String {
    if range.len() == 1 { range.end.to_string() } else { format!("{},{}", range.start + 1, range.end) }
}

fn normal(a: &Lines, b: &Lines, ops: &[DiffOp], out: &mut Vec<u8>) {
    for op in ops {
        let (old, new) = (op.old_range(), op.new_range());
        let command = match op {
            DiffOp::Equal { .. } => continue,
            DiffOp::Delete { .. } => format!("{}d{}\n", span(old.clone()), new.start),
            DiffOp::Insert { .. } => format!("{}a{}\n", old.start, span(new.clone())),
            DiffOp::Replace { .. } => format!("{}c{}\n", span(old.clone()), span(new.clone())),
        };
        out.extend_from_slice(command.as_bytes());
        a.all[old].iter().for_each(|l| line("< ", l, out));
        if matches!(op, DiffOp::Replace { .. }) {
            out.extend_from_slice(b"---\n");
        }
        b.all[new].iter().for_each(|l| line("> ", l, out));
    }
}

/// From the end, so that line numbers stay true.
fn ed(b: &Lines, ops: &[DiffOp], out: &mut Vec<u8>) {
    for op in ops.iter().rev() {
        let (old, new) = (op.old_range(), op.new_range());
        let command = match op {
            DiffOp::Equal { .. } => continue,
            DiffOp::Delete { .. } => format!("{}d\n", span(old)),
            DiffOp::Insert { .. } => format!("{}a\n", old.start),
            DiffOp::Replace { .. } => format!("{}c\n", span(old)),
        };
        out.extend_from_slice(command.as_bytes());
        if !matches!(op, DiffOp::Delete { .. }) {
            for l in &b.all[new] {
                out.extend_from_slice(l.strip_suffix(b"\n").unwrap_or(l));
                out.push(b'\n');
            }
            out.extend_from_slice(b".\n");
        }
    }
}

/// The lines of a group in both files.
fn ranges(group: &[DiffOp]) -> [std::ops::Range<usize>; 2] {
    let (first, last) = (&group[0], &group[group.len() - 1]);
    [first.old_range().start..last.old_range().end, first.new_range().start..last.new_range().end]
}

fn unified(a: &Lines, b: &Lines, group: &[DiffOp], out: &mut Vec<u8>) {
    let span = |r: std::ops::Range<usize>| match r.len() {
        0 => format!("{},0", r.start),
        1 => r.end.to_string(),
        n => format!("{},{n}", r.start + 1),
    };
    let [old, new] = ranges(group);
    out.extend_from_slice(format!("@@ -{} +{} @@\n", span(old), span(new)).as_bytes());
    for op in group {
        if let DiffOp::Equal { .. } = op {
            a.all[op.old_range()].iter().for_each(|l| line(" ", l, out));
            continue;
        }
        a.all[op.old_range()].iter().for_each(|l| line("-", l, out));
        b.all[op.new_range()].iter().for_each(|l| line("+", l, out));
    }
}

fn context(a: &Lines, b: &Lines, group: &[DiffOp], out: &mut Vec<u8>) {
    let span = |r: &std::ops::Range<usize>| match r.len() {
        0 => r.start.to_string(),
        1 => r.end.to_string(),
        _ => format!("{},{}", r.start + 1, r.end),
    };
    let [old, new] = ranges(group);
    out.extend_from_slice(format!("***************\n*** {} ****\n", span(&old)).as_bytes());
    let changed = |op: &DiffOp| matches!(op, DiffOp::Replace { .. });
    let mark = |op: &DiffOp, only: &'static str| if changed(op) { "! " } else { only };
    if group.iter().any(|op| matches!(op, DiffOp::Delete { .. } | DiffOp::Replace { .. })) {
        for op in group {
            let mark = if let DiffOp::Equal { .. } = op { "  " } else { mark(op, "- ") };
            a.all[op.old_range()].iter().for_each(|l| line(mark, l, out));
        }
    }
    out.extend_from_slice(format!("--- {} ----\n", span(&new)).as_bytes());
    if group.iter().any(|op| matches!(op, DiffOp::Insert { .. } | DiffOp::Replace { .. })) {
        for op in group {
            let mark = if let DiffOp::Equal { .. } = op { "  " } else { mark(op, "+ ") };
            b.all[op.new_range()].iter().for_each(|l| line(mark, l, out));
        }
    }
}
