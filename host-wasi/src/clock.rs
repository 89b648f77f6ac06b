//! The host's clocks, cheap enough to be asked on every switch between lwps.
//!
//! CLOCK_MONOTONIC is made from the time-stamp counter where Linux itself trusts it (`clocksource`
//! is `tsc` or a paravirtual clock that rests on it, and the counter is invariant), because the
//! vDSO takes two to three times as long. The counter's rate is not looked up but measured against
//! `clock_gettime(2)` while the process runs: the first 20 ms are served by the vDSO, then every
//! second the line is anchored anew so that it follows the kernel's (NTP-steered) clock. Between
//! anchors it may be off by a few hundred nanoseconds; it never steps back.
//!
//! One per process. Any thread may call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

/// How long to measure before the counter is used, and how often to measure again.
const WARM_UP_NS: u64 = 20_000_000;
const RENEW_NS: u64 = 1_000_000_000;

/// A point where counter and clocks were read together, and the rate from there on.
#[derive(Clone, Copy, Default)]
struct Anchor {
    tsc: u64,
    mono_ns: u64,
    /// Nanoseconds a tick, times 2^32; 0 says that the counter can't be used.
    rate: u64,
    /// The counter's value at which a new anchor is due.
    renew_at: u64,
    /// CLOCK_REALTIME - CLOCK_MONOTONIC.
    real_offset_ns: u64,
}

/// The anchor, published by a sequence lock: odd while it is being written.
struct Clock {
    seq: AtomicU64,
    fields: [AtomicU64; 5],
    /// Held by whoever renews, with what was measured first.
    first: Mutex<(u64, u64)>,
}

fn clock() -> &'static Clock {
    static CLOCK: OnceLock<Clock> = OnceLock::new();
    CLOCK.get_or_init(|| {
        let clock = Clock { seq: AtomicU64::new(0), fields: Default::default(), first: Mutex::new((0, 0)) };
        let (tsc, mono_ns) = together();
        *clock.first.lock().expect("clock") = (tsc, mono_ns);
        clock.publish(Anchor { tsc, mono_ns, rate: 0, renew_at: 0, real_offset_ns: real_offset() });
        clock
    })
}

/// CLOCK_MONOTONIC in nanoseconds.
#[inline]
pub(crate) fn monotonic_ns() -> u64 {
    clock().now().0
}

/// CLOCK_REALTIME in nanoseconds.
#[inline]
pub(crate) fn realtime_ns() -> u64 {
    let (now, offset) = clock().now();
    now.wrapping_add(offset)
}

impl Clock {
    /// The monotonic time and what to add for the real time.
    #[inline]
    fn now(&self) -> (u64, u64) {
        let anchor = self.read();
        // A rate has been measured, so the counter is there.
        if anchor.rate != 0 {
            let tsc = ticks();
            if tsc < anchor.renew_at {
                return (along(&anchor, tsc), anchor.real_offset_ns);
            }
        }
        self.renew()
    }

    #[inline]
    fn read(&self) -> Anchor {
        loop {
            let before = self.seq.load(Ordering::Acquire);
            let [tsc, mono_ns, rate, renew_at, real_offset_ns] =
                std::array::from_fn(|i| self.fields[i].load(Ordering::Relaxed));
            std::sync::atomic::fence(Ordering::Acquire);
            if before & 1 == 0 && self.seq.load(Ordering::Relaxed) == before {
                return Anchor { tsc, mono_ns, rate, renew_at, real_offset_ns };
            }
            std::hint::spin_loop();
        }
    }

    /// Only under `first`, or while nobody else knows the clock.
    fn publish(&self, a: Anchor) {
        let seq = self.seq.load(Ordering::Relaxed);
        self.seq.store(seq + 1, Ordering::Relaxed);
        std::sync::atomic::fence(Ordering::Release);
        for (field, value) in self.fields.iter().zip([a.tsc, a.mono_ns, a.rate, a.renew_at, a.real_offset_ns]) {
            field.store(value, Ordering::Relaxed);
        }
        self.seq.store(seq + 2, Ordering::Release);
    }

    /// Asks the kernel, and sets a new anchor if enough time has passed to know the rate.
    #[cold]
    fn renew(&self) -> (u64, u64) {
        let Ok(first) = self.first.try_lock() else {
            return (kernel_ns(libc::CLOCK_MONOTONIC), self.read().real_offset_ns);
        };
        let old = self.read();
        let soon = kernel_ns(libc::CLOCK_MONOTONIC);
        if first.0 == 0 || soon < first.1 + WARM_UP_NS {
            return (soon, old.real_offset_ns);
        }
        let (tsc, mono_ns) = together();
        if tsc <= old.tsc {
            return (mono_ns, old.real_offset_ns);
        }
        // The rate is that since the last anchor (or the start), so that it follows the steering.
        let (from_tsc, from_ns) = if old.rate == 0 { *first } else { (old.tsc, old.mono_ns) };
        let rate = (u128::from(mono_ns - from_ns) << 32) / u128::from(tsc - from_tsc);
        let rate = rate as u64;
        // Never behind what was already told.
        let mono_ns = if old.rate == 0 { mono_ns } else { mono_ns.max(along(&old, tsc)) };
        let ticks = (u128::from(RENEW_NS) << 32) / u128::from(rate.max(1));
        let anchor =
            Anchor { tsc, mono_ns, rate, renew_at: tsc.saturating_add(ticks as u64), real_offset_ns: real_offset() };
        self.publish(anchor);
        (mono_ns, anchor.real_offset_ns)
    }
}

#[inline]
fn along(a: &Anchor, tsc: u64) -> u64 {
    // Another core's counter may be some ticks behind the anchor.
    a.mono_ns + ((u128::from(tsc.saturating_sub(a.tsc)) * u128::from(a.rate)) >> 32) as u64
}

/// Counter and CLOCK_MONOTONIC read as close together as the scheduler lets us.
fn together() -> (u64, u64) {
    let mut best = (0, 0, u64::MAX);
    for _ in 0..4 {
        let before = counter();
        let ns = kernel_ns(libc::CLOCK_MONOTONIC);
        let after = counter();
        if after - before < best.2 {
            best = (before + (after - before) / 2, ns, after - before);
        }
    }
    (best.0, best.1)
}

fn real_offset() -> u64 {
    let before = kernel_ns(libc::CLOCK_MONOTONIC);
    let real = kernel_ns(libc::CLOCK_REALTIME);
    let after = kernel_ns(libc::CLOCK_MONOTONIC);
    real.wrapping_sub(before + (after - before) / 2)
}

fn kernel_ns(id: libc::clockid_t) -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is valid for the write; the two clocks always exist.
    unsafe { libc::clock_gettime(id, &mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

/// The time-stamp counter, or 0 where it can't be trusted.
#[cfg(target_arch = "x86_64")]
#[inline]
fn counter() -> u64 {
    static TRUSTED: OnceLock<bool> = OnceLock::new();
    if !*TRUSTED.get_or_init(invariant) {
        return 0;
    }
    ticks()
}

/// The time-stamp counter, whatever it is worth.
#[cfg(target_arch = "x86_64")]
#[inline]
fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and Linux does not forbid it (PR_SET_TSC)
    // unless asked by the process itself.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(target_arch = "x86_64")]
fn invariant() -> bool {
    let source = std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let linux_uses_it =
        matches!(source.as_deref().map(str::trim), Ok("tsc" | "kvm-clock" | "hyperv_clocksource_tsc_page"));
    let leaf = core::arch::x86_64::__cpuid(0x8000_0000).eax;
    linux_uses_it && leaf >= 0x8000_0007 && core::arch::x86_64::__cpuid(0x8000_0007).edx & (1 << 8) != 0
}

#[cfg(not(target_arch = "x86_64"))]
fn counter() -> u64 {
    0
}
#[cfg(not(target_arch = "x86_64"))]
fn ticks() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn it_goes_along_with_the_kernels_clock_and_never_back() {
        let begin = Instant::now();
        let (mut last, mut worst) = (0, 0);
        while begin.elapsed() < Duration::from_millis(150) {
            let now = monotonic_ns();
            assert!(now >= last, "{now} after {last}");
            last = now;
            worst = worst.max(kernel_ns(libc::CLOCK_MONOTONIC).abs_diff(now));
        }
        // A preempted test thread reads the two far apart, so this is only a bound on nonsense.
        assert!(worst < 100_000_000, "off by {worst} ns");
        let real = kernel_ns(libc::CLOCK_REALTIME);
        assert!(realtime_ns().abs_diff(real) < 100_000_000);
    }

    #[test]
    fn an_anchor_is_a_line() {
        let a = Anchor { tsc: 1000, mono_ns: 5, rate: 1 << 31, renew_at: u64::MAX, real_offset_ns: 0 };
        assert_eq!(along(&a, 1000), 5);
        assert_eq!(along(&a, 1010), 10);
        assert_eq!(along(&a, 900), 5);
    }
}
