//! What the kernel has in use, by its own account: the same before all tests and after.

use std::time::Duration;

use vkernel_sys::io;

/// Lines of `/proc/kernel`. Nothing is known on another system.
pub struct Counts(Vec<(String, u64)>);

/// Kept after use, for the next: not lost. The heap's is what its arenas and the caches may keep.
const SLACK: [(&str, u64); 2] = [("heap_bytes", 256 << 10), ("vnodes", 64)];

impl Counts {
    pub fn read() -> Counts {
        let text = io::read_file(b"/proc/kernel").unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = |l: &str| {
            let mut words = l.split_whitespace();
            Some((words.next()?.trim_end_matches(':').to_string(), words.next()?.parse().ok()?))
        };
        Counts(text.lines().filter_map(line).collect())
    }

    /// Compares with now, giving what is being taken down a moment to go.
    pub fn compare(&self) -> Result<(), String> {
        let mut last = Ok(());
        for _ in 0..250 {
            last = self.compare_with(&Counts::read());
            if last.is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(40));
        }
        last
    }

    fn compare_with(&self, now: &Counts) -> Result<(), String> {
        let mut more = String::new();
        for name in ["procs", "lwps", "vnodes", "descriptors", "heap_bytes"] {
            let value = |c: &Counts| c.0.iter().find(|(n, _)| n == name).map(|&(_, v)| v);
            let (Some(was), Some(is)) = (value(self), value(now)) else { continue };
            let slack = SLACK.iter().find(|s| s.0 == name).map_or(0, |s| s.1);
            if is > was + slack {
                more += &format!("{name}: {was} before, {is} after\n");
            }
        }
        if more.is_empty() { Ok(()) } else { Err(more) }
    }
}
