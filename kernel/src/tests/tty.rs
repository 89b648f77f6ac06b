//! Attached devices: terminals with the kernel's line discipline, and streams.

use alloc::vec;
use alloc::vec::Vec;

use abi::types::termios::*;
use abi::types::{Winsize, attach, devctl, ioctl, o, poll, sig, wait};
use abi::{Errno, SysResult};

use super::seeds;
use crate::machdep::fake::{Fake, Handle, Request, Sys, Vk};

/// The first unit, `/dev/tty1`.
pub const UNIT: u32 = devctl::ATTACHED_FIRST;

pub fn attached(seed: u64) -> Vk {
    let vk = Fake::seeded(seed).boot();
    vk.attach(UNIT, devctl::KIND_SCREEN, b"");
    vk
}

/// A process that leads a session on the terminal.
pub fn leader<T: Send + 'static>(vk: &Vk, f: impl FnOnce(&Sys, i32) -> T + Send + 'static) -> Handle<T> {
    let request = Request::new("/bin/test").flags(abi::types::spawn::SETSID).open(0, "/dev/tty1", o::RDWR, 0);
    vk.lwp_as(request, |sys| f(sys, 0))
}

/// `tcgetattr(3)`: the four words of flags.
pub fn flags(sys: &Sys, fd: i32) -> SysResult<[u32; 4]> {
    let at = sys.alloc(SIZE);
    sys.ioctl(fd, ioctl::TCGETS, at)?;
    Ok(core::array::from_fn(|i| sys.peek32(at.offset(4 * i))))
}

/// Changes the local flags, and VMIN and VTIME.
pub fn set(sys: &Sys, fd: i32, request: u32, change: impl Fn(u32) -> u32, min: u8, time: u8) -> SysResult<()> {
    let at = sys.alloc(SIZE);
    sys.ioctl(fd, ioctl::TCGETS, at)?;
    let lflag = change(sys.peek32(at.offset(12)));
    sys.poke(at.offset(12), &lflag.to_le_bytes());
    if lflag & ICANON == 0 {
        sys.poke(at.offset(17 + VTIME), &[time, min]);
    }
    sys.ioctl(fd, request, at)
}

pub fn raw(sys: &Sys, fd: i32, min: u8, time: u8) -> SysResult<()> {
    set(sys, fd, ioctl::TCSETS, |l| l & !(ICANON | ECHO | ISIG), min, time)
}

#[test]
fn lines_come_edited_and_keys_are_echoed_at_once() {
    seeds(0..100, |seed| {
        let vk = attached(seed);
        let reader = leader(&vk, |sys, fd| {
            sys.write(fd, b"# ")?;
            sys.read(fd, 100)
        });
        if seed % 2 == 0 {
            vk.run_until_asleep(&reader);
        }
        vk.input(UNIT, b"lx\x7fs");
        vk.run_until_quiet();
        // The prompt may come after what was typed ahead.
        let shown = vk.output(UNIT);
        assert!(shown == b"# lx\x08 \x08s" || shown == b"lx\x08 \x08s# ", "seed {seed}: {shown:?}");
        vk.input(UNIT, b"\r");
        assert_eq!(vk.join(reader), Ok(b"ls\n".to_vec()), "seed {seed}");
        assert!(vk.output(UNIT).ends_with(b"\r\n"));
    });
}

#[test]
fn the_interrupt_key_kills_who_never_reads() {
    seeds(0..100, |seed| {
        let vk = attached(seed);
        let spinner = leader(&vk, |sys, _| -> () { sys.spin() });
        vk.run_points(seed);
        vk.input(UNIT, b"typed ahead\x03");
        assert_eq!(vk.end(spinner).1, wait::signaled(sig::INT), "seed {seed}");
    });
}
