//! The epitaph of a dead kernel.

use core::fmt::Write;
use core::panic::PanicInfo;

use crate::host;

/// A line of fixed size: the allocator may be what is broken.
struct Line {
    buf: [u8; 512],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let n = s.len().min(self.buf.len() - self.len);
        self.buf[self.len..self.len + n].copy_from_slice(&s.as_bytes()[..n]);
        self.len += n;
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut line = Line { buf: [0; 512], len: 0 };
    // Writing to a Line cannot fail; what doesn't fit is cut.
    let _ = write!(line, "kernel panic: {info}");
    host::panic(line.buf.as_ptr() as u32, line.len as u32);
    core::arch::wasm32::unreachable()
}
