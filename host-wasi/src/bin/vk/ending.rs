//! The end of a run: the exit status, and the line that says why.

use abi::trapframe::Reason;
use abi::types::{sig, wait};
use host_wasi::{Outcome, Status};
use serde_json::{Value, json};
use std::time::Duration;

/// The time of `--timeout` was over.
const TIMED_OUT: u8 = 124;

/// vk's exit status for an outcome.
pub fn status(end: &Status) -> u8 {
    match end {
        Status::Exit(status) => wait::shell_status(*status) as u8,
        Status::TimedOut => TIMED_OUT,
        // As of a process that aborted: nothing of the program's can be told.
        Status::Panicked(_) => (128 + sig::ABRT) as u8,
        Status::Killed => (128 + sig::KILL) as u8,
    }
}

/// What is told to the user, if anything.
pub fn message(program: &str, end: &Outcome, quiet: bool, timeout: Option<Duration>) -> Option<String> {
    match &end.status {
        Status::Panicked(why) => Some(format!("kernel panic: {why}")),
        _ if quiet => None,
        Status::TimedOut => {
            Some(format!("{program}: ended after {} s (--timeout)", timeout.unwrap_or_default().as_secs_f64()))
        }
        Status::Exit(status) => {
            let death = death(wait::term_signal(*status)?)?;
            // What the kernel knows of a fault beyond its signal.
            let reason = end.stats.counters.get("init.fault").and_then(|&nr| u32::try_from(nr).ok());
            let reason = reason.map(|nr| format!(" ({})", Reason::from_raw(nr).text()));
            let dumped = if status & wait::CORE != 0 { " (core dumped)" } else { "" };
            Some(format!("{program}: {death}{}{dumped}", reason.unwrap_or_default()))
        }
        Status::Killed => None,
    }
}

/// What a shell says of a process that a signal ended; nothing of those that are everyday.
fn death(signal: u32) -> Option<String> {
    Some(match signal {
        sig::INT | sig::PIPE => return None,
        sig::HUP => "Hangup".into(),
        sig::QUIT => "Quit".into(),
        sig::ILL => "Illegal instruction".into(),
        sig::TRAP => "Trace/breakpoint trap".into(),
        sig::ABRT => "Aborted".into(),
        sig::BUS => "Bus error".into(),
        sig::FPE => "Floating point exception".into(),
        sig::KILL => "Killed".into(),
        sig::SEGV => "Segmentation fault".into(),
        sig::ALRM => "Alarm clock".into(),
        sig::TERM => "Terminated".into(),
        sig::XCPU => "CPU time limit exceeded".into(),
        sig::XFSZ => "File size limit exceeded".into(),
        sig::SYS => "Bad system call".into(),
        other => format!("ended by SIG{}", sig::name(other)),
    })
}

/// `--stats`: one JSON object. The kernel's counters of system calls stand in `syscalls`, its
/// others beside the host's figures.
pub fn stats(end: &Outcome, status: u8) -> Value {
    let s = &end.stats;
    let (mut calls, mut others) = (serde_json::Map::new(), serde_json::Map::new());
    for (name, value) in &s.counters {
        match name.strip_prefix("syscall.") {
            Some(call) => calls.insert(call.into(), json!(value)),
            None => others.insert(name.strip_prefix("kernel.").unwrap_or(name).into(), json!(value)),
        };
    }
    json!({
        "status": status,
        "wall_us": s.wall_us,
        "boot_us": s.boot_us,
        "compile_us": s.compile_us,
        "instantiate_us": s.instantiate_us,
        "run_us": s.run_us,
        "kernel_memory_bytes": s.kernel_memory_bytes,
        "process_peak_bytes": s.process_peak_bytes,
        "total_peak_bytes": s.total_peak_bytes,
        "syscalls": calls,
        "kernel": others,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_wasi::Stats;

    fn outcome(status: Status) -> Outcome {
        Outcome { status, stats: Stats::default() }
    }

    #[test]
    fn statuses_are_a_shells() {
        assert_eq!(status(&Status::Exit(wait::exited(7))), 7);
        assert_eq!(status(&Status::Exit(wait::signaled(sig::SEGV))), 139);
        assert_eq!(status(&Status::TimedOut), 124);
        assert_eq!(status(&Status::Panicked(String::new())), 134);
    }

    #[test]
    fn a_death_is_told_unless_it_is_everyday_or_quiet() {
        let says = |status, quiet| message("x.wasm", &outcome(status), quiet, Some(Duration::from_millis(500)));
        let segv = || Status::Exit(wait::signaled(sig::SEGV));
        assert_eq!(says(segv(), false).as_deref(), Some("x.wasm: Segmentation fault"));
        let mut fault = outcome(segv());
        fault.stats.counters = [("init.fault".to_string(), Reason::MemoryBounds as u64)].into();
        let text = message("x.wasm", &fault, false, None);
        assert_eq!(text.as_deref(), Some("x.wasm: Segmentation fault (memory access out of bounds)"));
        assert_eq!(says(segv(), true), None);
        assert_eq!(says(Status::Exit(wait::signaled(sig::PIPE)), false), None);
        assert_eq!(says(Status::Exit(wait::exited(3)), false), None);
        assert_eq!(says(Status::TimedOut, false).as_deref(), Some("x.wasm: ended after 0.5 s (--timeout)"));
        assert!(says(Status::Panicked("no".into()), true).is_some(), "a panic is always told");
    }

    #[test]
    fn stats_are_one_object_with_calls_apart() {
        let mut end = outcome(Status::Exit(0));
        end.stats.counters = [("syscall.fd_read".to_string(), 3), ("procs".to_string(), 1)].into();
        let v = stats(&end, 0);
        assert_eq!((&v["syscalls"]["fd_read"], &v["kernel"]["procs"], &v["status"]), (&json!(3), &json!(1), &json!(0)));
    }
}
