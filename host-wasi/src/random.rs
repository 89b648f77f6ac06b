//! Random bytes: `getrandom(2)`, a page at a time.

use std::cell::RefCell;

/// What the kernel asks for is mostly a few bytes: so many calls are spared.
struct Buffer {
    bytes: [u8; 512],
    left: usize,
}

thread_local! {
    static BUFFER: RefCell<Buffer> = const { RefCell::new(Buffer { bytes: [0; 512], left: 0 }) };
}

/// Fills `out`. Bytes are given out once and not kept.
pub(crate) fn fill(out: &mut [u8]) {
    if out.len() > 64 {
        return from_system(out);
    }
    BUFFER.with_borrow_mut(|b| {
        if b.left < out.len() {
            from_system(&mut b.bytes);
            b.left = b.bytes.len();
        }
        let end = b.left;
        b.left -= out.len();
        out.copy_from_slice(&b.bytes[b.left..end]);
        b.bytes[b.left..end].fill(0);
    });
}

fn from_system(mut out: &mut [u8]) {
    while !out.is_empty() {
        // SAFETY: `out` is valid for the write of its length.
        let n = unsafe { libc::getrandom(out.as_mut_ptr().cast(), out.len().min(1 << 20), 0) };
        // Short when a signal came, and -1 when it came first.
        out = &mut out[usize::try_from(n).unwrap_or(0)..];
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_two_answers_are_alike() {
        let mut seen = std::collections::HashSet::new();
        for len in [8, 16, 64, 65, 1000] {
            for _ in 0..100 {
                let mut out = vec![0; len];
                super::fill(&mut out);
                assert!(seen.insert(out));
            }
        }
    }
}
