//! Steps with names and times, and the line at their end.

use crate::process::Outcome;
use std::io::Write;
use std::time::Instant;

/// What has been done so far.
#[derive(Default)]
pub struct Report {
    passed: usize,
    failed: Vec<String>,
}

impl Report {
    /// Does a step; its failure is shown and counted, and the next one is done all the same.
    pub fn step(&mut self, name: &str, body: impl FnOnce() -> Outcome) {
        print!("{name:<58}");
        let _ = std::io::stdout().flush();
        let start = Instant::now();
        let result = body();
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(()) => {
                println!(" ok   {seconds:7.1} s");
                self.passed += 1;
            }
            Err(e) => {
                println!(" FAIL {seconds:7.1} s");
                println!("{}", indented(&e));
                self.failed.push(name.to_string());
            }
        }
    }

    /// The line at the end. An error when anything has failed.
    pub fn finish(self) -> Outcome {
        println!("\n{} passed, {} failed", self.passed, self.failed.len());
        if self.failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", self.failed.join("; "))) }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|l| format!("    {l}\n")).collect()
}
