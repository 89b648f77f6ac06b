//! What is measured, and what is asked of it.

/// Where a measure comes from, which decides who can take it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// The benchmark program, built for WASI: the same bytes here and under wasmtime-wasi.
    Wasi,
    /// The same, with calls that WASI lacks: no peer but the native one.
    Posix,
    /// The program that forks and sends signals.
    Unix,
    /// A line for the shell, as its user would see it: `vk run sh -c LINE`, and the native shell.
    Shell,
    /// The same, computing only; the peer has epochs on, as we do.
    User,
    /// Of the machine, through its library or command.
    Machine,
}

/// The hosts that a measure is taken on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Host {
    Vkernel,
    Native,
    WasmtimeWasi,
    /// No host: a figure to be met.
    Limit,
}

impl Host {
    pub fn name(self) -> &'static str {
        match self {
            Host::Vkernel => "vkernel",
            Host::Native => "native",
            Host::WasmtimeWasi => "wasmtime-wasi",
            Host::Limit => "limit",
        }
    }
}

/// At most (or, for throughput, at least) so many times the peer's figure.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Goal {
    pub peer: Host,
    pub ratio: f64,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Measure {
    pub name: &'static str,
    pub unit: &'static str,
    pub source: Source,
    pub goals: Vec<Goal>,
    /// A figure to be met, for a goal that is no ratio.
    pub limit: Option<f64>,
}

impl Measure {
    /// Throughput is better when more, everything else when less.
    pub fn more_is_better(&self) -> bool {
        self.unit == "MiB/s"
    }

    /// Asked for by name, or by its group with the dot; nothing asks for all.
    pub fn is_wanted(&self, names: &[String]) -> bool {
        let asked = |n: &String| n == self.name || (n.ends_with('.') && self.name.starts_with(n.as_str()));
        names.is_empty() || names.iter().any(asked)
    }

    /// The group's name without the dot.
    pub fn group(&self) -> &'static str {
        self.name.split('.').next().unwrap_or(self.name)
    }
}

/// All of them, in the order of the table.
pub fn all() -> Vec<Measure> {
    use Source::{Machine, Posix, Shell, Unix, User, Wasi};
    let native = |ratio| Goal { peer: Host::Native, ratio };
    let wasi = |ratio| Goal { peer: Host::WasmtimeWasi, ratio };
    let m = |name, unit, source, goals: &[Goal]| Measure { name, unit, source, goals: goals.to_vec(), limit: None };
    let limited = |name, unit, limit| Measure {
        limit: Some(limit),
        ..m(name, unit, Machine, &[Goal { peer: Host::Limit, ratio: 1.0 }])
    };
    let call = [native(0.35), wasi(0.10)];
    vec![
        m("sys.getppid", "ns", Posix, &[native(0.20)]),
        m("sys.clock_gettime", "ns", Wasi, &[native(1.0)]),
        m("rw.read1_devzero", "ns", Wasi, &[]),
        m("rw.write1_devnull", "ns", Wasi, &call),
        m("rw.pread1_file", "ns", Wasi, &call),
        m("rw.pwrite1_file", "ns", Wasi, &[]),
        m("rw.pread4k_file", "ns", Wasi, &[native(0.50)]),
        m("rw.lseek", "ns", Wasi, &call),
        m("rw.dup_close", "ns", Posix, &[]),
        m("rw.poll10", "ns", Wasi, &[]),
        m("fs.open_close", "ns", Wasi, &[native(0.40)]),
        m("fs.stat", "ns", Wasi, &[native(0.40)]),
        m("fs.fstat", "ns", Wasi, &[]),
        m("fs.stat_enoent", "ns", Wasi, &[]),
        m("fs.create_unlink", "ns", Wasi, &[native(0.40)]),
        m("fs.create_write1k_unlink", "ns", Wasi, &[]),
        m("fs.mkdir_rmdir", "ns", Wasi, &[native(0.40)]),
        m("fs.rename_x2", "ns", Wasi, &[native(0.40)]),
        m("fs.readdir100", "ns", Wasi, &[native(0.40)]),
        m("file.write_new_4k", "MiB/s", Wasi, &[]),
        m("file.rewrite_4k", "MiB/s", Wasi, &[]),
        m("file.read_4k", "MiB/s", Wasi, &[]),
        m("file.write_new_64k", "MiB/s", Wasi, &[]),
        m("file.rewrite_64k", "MiB/s", Wasi, &[]),
        m("file.read_64k", "MiB/s", Wasi, &[]),
        m("file.write_new_1m", "MiB/s", Wasi, &[native(1.0)]),
        m("file.rewrite_1m", "MiB/s", Wasi, &[native(1.5)]),
        m("file.read_1m", "MiB/s", Wasi, &[native(1.5)]),
        m("pipe.self_rt", "ns", Posix, &[native(0.40)]),
        m("pipe.pingpong_proc", "ns", Posix, &[native(0.50)]),
        m("pty.echo_rt", "ns", Posix, &[native(1.0)]),
        m("pipe.bw_64k", "MiB/s", Posix, &[native(1.0)]),
        m("proc.posix_spawn_wait", "ns", Posix, &[native(0.50)]),
        m("fork.exit_wait", "ns", Unix, &[native(1.0)]),
        m("fork.exec_wait", "ns", Unix, &[native(1.0)]),
        m("sig.self", "ns", Unix, &[native(0.15)]),
        m("sig.round_trip", "ns", Unix, &[native(1.0)]),
        m("sh.thousand_true", "ms", Shell, &[native(1.0)]),
        m("sh.yes_head_wc", "MiB/s", Shell, &[native(0.5)]),
        m("user.sha256", "ns", User, &[wasi(1.03)]),
        m("user.deflate", "ns", User, &[wasi(1.03)]),
        m("user.sort", "ns", User, &[wasi(1.03)]),
        m("user.coremark", "ns", User, &[wasi(1.03)]),
        limited("boot.cold", "us", 1000.0),
        limited("boot.image", "us", 100.0),
        limited("boot.vk_run_true", "ms", 25.0),
        limited("mem.idle_vkernel", "KiB", 256.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_goals_name_a_peer_that_measures() {
        let all = all();
        let mut names: Vec<_> = all.iter().map(|m| m.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        for m in &all {
            for goal in &m.goals {
                let can = match goal.peer {
                    Host::Vkernel => false,
                    Host::Native => m.source != Source::Machine,
                    Host::WasmtimeWasi => matches!(m.source, Source::Wasi | Source::User),
                    Host::Limit => m.limit.is_some(),
                };
                assert!(can, "{}: {:?}", m.name, goal);
            }
        }
    }

    #[test]
    fn measures_are_asked_for_by_name_or_group() {
        let wanted = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            all().iter().filter(|m| m.is_wanted(&names)).count()
        };
        assert_eq!(wanted(&[]), all().len());
        assert_eq!(wanted(&["fs.stat"]), 1);
        assert_eq!(wanted(&["pipe."]), 3);
        assert_eq!(wanted(&["pipe"]), 0);
    }
}
