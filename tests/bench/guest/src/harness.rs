//! Calibration, sampling and output.

use crate::os;
use std::io;

/// The settings of a run.
pub struct Bench {
    pub dir: String,
    /// Path of this program, for those that run it a second time.
    #[cfg_attr(all(target_family = "wasm", not(feature = "vkernel")), allow(dead_code))]
    pub me: String,
    /// Path of the program that does nothing.
    #[cfg_attr(all(target_family = "wasm", not(feature = "vkernel")), allow(dead_code))]
    pub nop: String,
    /// Size of the files and streams that are moved.
    pub mib: usize,
    samples: usize,
    sample_ns: f64,
    names: Vec<String>,
}

impl Bench {
    pub fn from_args(args: &[String]) -> Result<Bench, String> {
        let me = args.first().cloned().unwrap_or_default();
        let nop = format!("{me}-nop");
        let mut b = Bench { dir: ".".into(), me, nop, mib: 32, samples: 7, sample_ns: 60e6, names: Vec::new() };
        let mut rest = args.iter().skip(1);
        while let Some(arg) = rest.next() {
            if !arg.starts_with('-') {
                b.names.push(arg.clone());
                continue;
            }
            let value = rest.next().ok_or_else(|| format!("{arg} needs a value"))?;
            let number = || value.parse::<usize>().map_err(|_| format!("{arg}: not a number: {value}"));
            match arg.as_str() {
                "-d" => b.dir = value.clone(),
                "-s" => b.me = value.clone(),
                "-n" => b.nop = value.clone(),
                "-r" => b.samples = number()?.clamp(1, 1000),
                "-t" => b.sample_ns = number()?.max(1) as f64 * 1e6,
                "-m" => b.mib = number()?.max(1),
                _ => return Err(format!("no such option: {arg}")),
            }
        }
        Ok(b)
    }

    /// Whether this measure was asked for: by name, or by its group with the dot.
    pub fn wants(&self, name: &str) -> bool {
        let asked = |n: &String| n == name || (n.ends_with('.') && name.starts_with(n.as_str()));
        self.names.is_empty() || self.names.iter().any(asked)
    }

    /// Whether any measure of a group was asked for.
    pub fn wants_any(&self, group: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|n| n.starts_with(group))
    }

    /// Nanoseconds for an operation; `f` does as many as it is told.
    pub fn time(&self, name: &str, mut f: impl FnMut(u64) -> io::Result<()>) {
        if self.wants(name) {
            let samples = self.calibrate(&mut f).and_then(|n| {
                let sample = |_| timed(|| f(n)).map(|ns| ns / n as f64);
                (0..self.samples).map(sample).collect()
            });
            report(name, "ns", samples);
        }
    }

    /// Throughput; `f` moves `bytes` once.
    pub fn throughput(&self, name: &str, bytes: usize, mut f: impl FnMut() -> io::Result<()>) {
        if self.wants(name) {
            let mib = bytes as f64 / f64::from(1 << 20);
            let samples = f().and_then(|()| {
                (0..self.samples).map(|_| timed(&mut f).map(|ns| mib / (ns / 1e9))).collect::<io::Result<Vec<_>>>()
            });
            report(name, "MiB/s", samples);
        }
    }

    /// Microseconds that `f` takes, once a sample.
    #[cfg_attr(all(target_family = "wasm", not(feature = "vkernel")), allow(dead_code))]
    pub fn once(&self, name: &str, mut f: impl FnMut() -> io::Result<f64>) {
        if self.wants(name) {
            report(name, "us", (0..self.samples).map(|_| f().map(|ns| ns / 1e3)).collect());
        }
    }

    /// How many operations take a sample's time.
    fn calibrate(&self, f: &mut impl FnMut(u64) -> io::Result<()>) -> io::Result<u64> {
        let mut n = 1;
        loop {
            // The better of two: one that the machine was busy with something else in says nothing.
            let ns = timed(|| f(n))?.min(timed(|| f(n))?);
            if ns >= self.sample_ns / 4.0 || n > 1 << 29 {
                return Ok(((n as f64 * self.sample_ns / ns.max(1.0)) as u64).max(1));
            }
            n *= if ns < self.sample_ns / 100.0 { 8 } else { 2 };
        }
    }
}

pub fn timed(f: impl FnOnce() -> io::Result<()>) -> io::Result<f64> {
    let begin = os::now_ns();
    f()?;
    Ok((os::now_ns() - begin) as f64)
}

fn report(name: &str, unit: &str, samples: io::Result<Vec<f64>>) {
    match samples {
        Ok(mut v) => {
            v.sort_by(f64::total_cmp);
            println!("{name}\t{:.2}\t{:.2}\t{:.2}\t{unit}", v[v.len() / 2], v[0], v[v.len() - 1]);
        }
        Err(e) => println!("{name}\tERR\t{e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Bench, String> {
        Bench::from_args(&line.split(' ').map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn names_are_whole_and_groups_end_in_a_dot() {
        let b = parse("/bin/mb -d /tmp -r 3 fs.stat rw.").unwrap();
        assert!(b.wants("fs.stat") && b.wants("rw.lseek"));
        assert!(!b.wants("fs.stat_enoent") && !b.wants("pipe.self_rt"));
        assert!(b.wants_any("fs.") && !b.wants_any("pipe."));
        assert_eq!((b.dir.as_str(), b.samples, b.nop.as_str()), ("/tmp", 3, "/bin/mb-nop"));
        assert!(parse("mb").unwrap().wants("anything"));
    }

    #[test]
    fn bad_arguments_are_refused() {
        assert!(parse("mb -r").is_err());
        assert!(parse("mb -r many").is_err());
        assert!(parse("mb -x 1").is_err());
    }
}
