//! `nproc`: how many processors there are (that of the GNU coreutils).

use kit::options::{Failure, Options, number};
use kit::say;

pub fn nproc(args: &[Vec<u8>]) -> Result<i32, Failure> {
    let usage = "nproc [--all] [--ignore=N]";
    let o = Options::parse_long(args, "ai:", &[("all", b'a'), ("ignore", b'i')], usage, false)?;
    if let Some(extra) = o.operands.first() {
        return Err(Failure::new(format!("{}: extra operand", String::from_utf8_lossy(extra))));
    }
    let ignore: usize = o.value(b'i').map_or(Ok(0), number)?;
    let asked = |name: &str| std::env::var(name).ok().and_then(|n| n.split(',').next()?.trim().parse::<usize>().ok());
    let mut count = online();
    if !o.has(b'a') {
        // OpenMP's, which other systems' nproc goes by as well.
        count = asked("OMP_NUM_THREADS").filter(|n| *n > 0).unwrap_or(count);
        count = count.min(asked("OMP_THREAD_LIMIT").filter(|n| *n > 0).unwrap_or(usize::MAX));
    }
    say!("{}", count.saturating_sub(ignore).max(1));
    Ok(0)
}

/// The processors that run.
pub fn online() -> usize {
    let text = vkernel_sys::io::read_file(b"/proc/cpuinfo").unwrap_or_default();
    let lines = text.split(|b| *b == b'\n');
    lines.filter(|l| l.starts_with(b"processor\t") || l.starts_with(b"processor ")).count().max(1)
}
