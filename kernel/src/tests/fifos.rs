//! FIFOs: open(2) against signals, against each other and against a close at once.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};

use abi::Errno;
use abi::types::{at, mode, o, poll, sig};

use super::seeds;
use crate::machdep::fake::{Fake, Reg, Sys, Vk};

const PATH: &str = "/tmp/p";

fn booted(seed: u64) -> Vk {
    let vk = Fake::seeded(seed).boot();
    vk.init(|sys| {
        let path = sys.alloc(PATH.len());
        sys.poke(path, PATH.as_bytes());
        let bits = mode::IFIFO | 0o600;
        sys.call("mknodat", &[at::FDCWD.reg(), path.reg(), PATH.len().reg(), bits.reg(), 0]).expect("mknod");
    });
    vk
}

/// The errno that says how many readers there are: none.
fn nobody_reads(vk: &Vk) -> bool {
    vk.init(|sys| sys.open(PATH, o::WRONLY | o::NONBLOCK, 0)) == Err(Errno::ENXIO)
}

/// A signal meets the open anywhere: it ends with EINTR, or has met the writer; and nobody is counted who
/// isn't there.
#[test]
fn a_signal_ends_an_open_that_waits() {
    seeds(0..300, |seed| {
        let vk = booted(seed);
        let handled = Arc::new(AtomicBool::new(false));
        let told = handled.clone();
        let reader = vk.lwp(move |sys| {
            sys.handle(sig::USR1, 0, 0, move |_, _, _| told.store(true, SeqCst))?;
            sys.open(PATH, o::RDONLY, 0).and_then(|fd| sys.close(fd))
        });
        let pid = reader.pid;
        vk.run_points(seed % 60);
        let other = vk.init(move |sys| {
            sys.handle(sig::PIPE, 0, 0, |_, _, _| ())?;
            let fd = sys.open(PATH, o::RDWR, 0)?;
            if seed % 2 == 0 {
                sys.close(fd)?;
            }
            sys.kill(pid, sig::USR1)?;
            Ok::<_, Errno>(fd)
        });
        assert!(other.is_ok());
        vk.run_until_quiet();
        // One whose handler has run and who waits had not begun to open.
        if handled.load(SeqCst) && !vk.is_over(&reader) {
            vk.init(move |sys| sys.kill(pid, sig::USR1)).expect("kill");
        }
        let (got, _) = vk.end(reader);
        // None: it came before the handler was there.
        assert!(matches!(got, None | Some(Ok(()) | Err(Errno::EINTR))), "seed {seed}: {got:?}");
        if seed % 2 == 1 {
            vk.init(move |sys| sys.close(other.expect("open"))).expect("close");
        }
        assert!(nobody_reads(&vk), "seed {seed}");
    });
}

/// Who waits in open(2) sees that the other side was there, though it has gone again.
#[test]
fn an_open_that_waits_misses_nobody() {
    seeds(0..300, |seed| {
        let vk = booted(seed);
        let open_and_close = |flags| move |sys: &Sys| sys.open(PATH, flags, 0).and_then(|fd| sys.close(fd));
        let reader = vk.lwp(open_and_close(o::RDONLY));
        let writer = vk.lwp(open_and_close(o::WRONLY));
        assert_eq!(vk.join(reader), Ok(()), "seed {seed}");
        assert_eq!(vk.join(writer), Ok(()), "seed {seed}");
        assert!(nobody_reads(&vk), "seed {seed}");
    });
}

/// A poll of the reading side wakes for what is written, and for the end; not for a writer that comes.
#[test]
fn poll_tells_data_and_the_end() {
    seeds(0..150, |seed| {
        let vk = booted(seed);
        let reader = vk.lwp(|sys| {
            let fd = sys.open(PATH, o::RDONLY | o::NONBLOCK, 0)?;
            let mut seen = sys.poll(&[(fd, poll::IN)], -1)?.1[0];
            while !sys.read(fd, 1)?.is_empty() {
                seen |= sys.poll(&[(fd, poll::IN)], -1)?.1[0];
            }
            Ok::<_, Errno>(seen)
        });
        let writer = vk.lwp(|sys| {
            let fd = sys.open(PATH, o::WRONLY, 0)?;
            sys.write(fd, b"abc")?;
            sys.close(fd)
        });
        assert_eq!(vk.join(writer), Ok(()), "seed {seed}");
        assert_eq!(vk.join(reader), Ok(poll::IN | poll::HUP), "seed {seed}");
    });
}
