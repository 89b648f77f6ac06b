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
    seeds(0..50, |seed| {
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
    seeds(0..50, |seed| {
        let vk = attached(seed);
        let spinner = leader(&vk, |sys, _| -> () { sys.spin() });
        vk.run_points(seed);
        vk.input(UNIT, b"typed ahead\x03");
        assert_eq!(vk.end(spinner).1, wait::signaled(sig::INT), "seed {seed}");
    });
}

#[test]
fn a_line_is_for_one_reader_and_an_end_of_file_is_not_for_ever() {
    seeds(0..30, |seed| {
        let vk = attached(seed);
        let reader = leader(&vk, |sys, fd| {
            let got = [sys.read(fd, 3)?, sys.read(fd, 9)?, sys.read(fd, 9)?, sys.read(fd, 9)?];
            Ok::<_, Errno>(got.map(|g| alloc::string::String::from_utf8_lossy(&g).into_owned()))
        });
        vk.input(UNIT, b"abcd\nef\x04\x04g\n");
        let want = ["abc", "d\n", "ef", ""].map(alloc::string::String::from);
        assert_eq!(vk.join(reader), Ok(want), "seed {seed}");
    });
}

#[test]
fn raw_reads_wait_for_vmin_bytes_or_vtime() {
    const TENTH: u64 = 100_000_000;
    seeds(0..40, |seed| {
        let vk = attached(seed);
        // VMIN bytes, but no more than fit.
        let reader = leader(&vk, |sys, fd| {
            raw(sys, fd, 3, 0)?;
            Ok::<_, Errno>((sys.read(fd, 10)?, sys.read(fd, 2)?))
        });
        vk.run_until_asleep(&reader);
        vk.input(UNIT, b"ab");
        vk.run_until_asleep(&reader);
        vk.input(UNIT, b"\rd");
        vk.run_until_asleep(&reader);
        vk.input(UNIT, b"ef");
        assert_eq!(vk.join(reader), Ok((b"ab\nd".to_vec(), b"ef".to_vec())), "seed {seed}");
        // VTIME alone: from the call on.
        let reader = leader(&vk, |sys, fd| {
            raw(sys, fd, 0, 2)?;
            let before = sys.clock_ns(1)?;
            let none = sys.read(fd, 10)?;
            Ok::<_, Errno>((none, sys.clock_ns(1)? - before))
        });
        assert_eq!(vk.join(reader), Ok((vec![], 2 * TENTH)), "seed {seed}");
        // Both: from one byte to the next, and never before the first.
        let reader = leader(&vk, |sys, fd| {
            raw(sys, fd, 9, 3)?;
            sys.read(fd, 10)
        });
        vk.run_until_asleep(&reader);
        vk.advance(10 * TENTH);
        vk.run_until_asleep(&reader);
        for part in [b"x", b"y"] {
            vk.input(UNIT, part);
            vk.run_until_asleep(&reader);
            vk.advance(2 * TENTH);
            vk.run_until_asleep(&reader);
        }
        vk.advance(2 * TENTH);
        assert_eq!(vk.join(reader), Ok(b"xy".to_vec()), "seed {seed}");
        // Neither: what is there.
        let reader = leader(&vk, |sys, fd| {
            raw(sys, fd, 0, 0)?;
            sys.read(fd, 10)
        });
        assert_eq!(vk.join(reader), Ok(vec![]));
    });
}

#[test]
fn the_settings_change_now_or_when_all_is_shown() {
    seeds(0..30, |seed| {
        let vk = attached(seed);
        vk.set_room(UNIT, 2);
        let h = leader(&vk, |sys, fd| {
            sys.write(fd, b"12345")?;
            set(sys, fd, ioctl::TCSETSF, |l| l & !ECHO, 0, 0)?;
            flags(sys, fd)
        });
        vk.run_until_asleep(&h);
        vk.input(UNIT, b"lost\n");
        vk.run_until_asleep(&h);
        vk.set_room(UNIT, usize::MAX);
        assert_eq!(vk.join(h).map(|f| f[3] & ECHO), Ok(0), "seed {seed}");
        assert_eq!(vk.output(UNIT), b"12345lost\r\n");
        let h = leader(&vk, |sys, fd| {
            sys.fcntl(fd, abi::types::fcntl::SETFL, o::NONBLOCK as i32)?;
            sys.read(fd, 10)
        });
        assert_eq!(vk.join(h), Err(Errno::EAGAIN), "flushed, and no echo: seed {seed}");
    });
}

#[test]
fn what_nobody_reads_stays_with_the_device_until_somebody_does() {
    seeds(0..6, |seed| {
        let vk = attached(seed);
        let text: Vec<u8> = (0..10_000u32).flat_map(|i| [b'a' + (i % 26) as u8, b'\n']).collect();
        vk.input(UNIT, &text);
        vk.run_until_quiet();
        let left = vk.machine.world().unit(UNIT).expect("unit").input.len();
        assert!(left > 15_000, "seed {seed}: {left} left");
        let want = text.len();
        let reader = leader(&vk, move |sys, fd| {
            let mut all = Vec::new();
            while all.len() < want {
                all.extend_from_slice(&sys.read(fd, 5000)?);
            }
            Ok::<_, Errno>(all)
        });
        assert!(vk.join(reader) == Ok(text), "seed {seed}");
    });
}

#[test]
fn the_echo_waits_for_the_device_and_gives_up_at_its_bound() {
    let vk = attached(1);
    vk.set_room(UNIT, 0);
    vk.input(UNIT, b"abc");
    assert_eq!(vk.output(UNIT), b"");
    vk.set_room(UNIT, usize::MAX);
    assert_eq!(vk.output(UNIT), b"abc");
    vk.set_room(UNIT, 0);
    for _ in 0..100 {
        vk.input(UNIT, &[b'x'; 200]);
    }
    vk.set_room(UNIT, usize::MAX);
    let shown = vk.output(UNIT).len();
    assert!((4096..=3 + (8 << 10)).contains(&shown), "{shown}");
}

#[test]
fn programs_write_as_fast_as_the_device_takes_it() {
    seeds(0..8, |seed| {
        let vk = attached(seed);
        vk.set_room(UNIT, 1000);
        let writer = leader(&vk, |sys, fd| sys.write(fd, &b"0123456789abcde\n".repeat(2000)));
        for _ in 0..200 {
            vk.run_until_quiet();
            if vk.is_over(&writer) {
                break;
            }
            vk.set_room(UNIT, 1000);
        }
        assert_eq!(vk.join(writer), Ok(32_000), "seed {seed}");
        vk.set_room(UNIT, usize::MAX);
        assert!(vk.output(UNIT) == b"0123456789abcde\r\n".repeat(2000), "seed {seed}");
    });
}

#[test]
fn the_stop_key_holds_output_and_the_interrupt_key_drops_it() {
    seeds(0..40, |seed| {
        let vk = attached(seed);
        vk.input(UNIT, b"\x13");
        let writer = leader(&vk, |sys, fd| sys.write(fd, &[b'.'; 20_000]));
        vk.run_until_asleep(&writer);
        assert_eq!(vk.output(UNIT), b"");
        vk.input(UNIT, b"\x03");
        assert_eq!(vk.end(writer), (None, wait::signaled(sig::INT)), "seed {seed}");
        assert_eq!(vk.output(UNIT), b"^C", "seed {seed}");
    });
}

#[test]
fn poll_and_fionread_see_lines_and_bytes() {
    seeds(0..30, |seed| {
        let vk = attached(seed);
        let h = leader(&vk, |sys, fd| {
            assert_eq!(sys.poll(&[(fd, poll::IN | poll::OUT)], -1), Ok((1, vec![poll::OUT])));
            sys.poll(&[(fd, poll::IN)], -1)?;
            let n = sys.alloc(4);
            sys.ioctl(fd, ioctl::FIONREAD, n)?;
            Ok::<_, Errno>((sys.peek32(n), sys.read(fd, 99)?))
        });
        vk.input(UNIT, b"ab");
        vk.run_until_asleep(&h);
        vk.input(UNIT, b"c\nd");
        assert_eq!(vk.join(h), Ok((4, b"abc\n".to_vec())), "seed {seed}");
    });
}

#[test]
fn the_window_has_a_size_and_changes_of_it_are_told() {
    let vk = attached(1);
    let size = |sys: &Sys, fd| {
        let at = sys.alloc(Winsize::SIZE);
        sys.ioctl(fd, ioctl::TIOCGWINSZ, at)?;
        Winsize::from_bytes(&sys.peek(at, Winsize::SIZE))
    };
    let h = leader(&vk, move |sys, fd| {
        sys.sigaction(sig::WINCH, crate::machdep::fake::sigdisp::CATCH)?;
        let before = size(sys, fd)?;
        // A read is cut short.
        assert_eq!(sys.read(fd, 9), Err(Errno::EINTR));
        let after = size(sys, fd)?;
        let at = sys.alloc(Winsize::SIZE);
        sys.poke(at, &Winsize { rows: 1, cols: 2 }.to_bytes());
        sys.ioctl(fd, ioctl::TIOCSWINSZ, at)?;
        Ok::<_, Errno>((before, after, size(sys, fd)?))
    });
    vk.run_until_asleep(&h);
    vk.resize(UNIT, 50, 132);
    let s = |rows, cols| Winsize { rows, cols };
    assert_eq!(vk.join(h), Ok((s(25, 80), s(50, 132), s(1, 2))));
}

#[test]
fn putting_keys_into_a_terminal_is_refused() {
    let vk = attached(1);
    let h = leader(&vk, |sys, fd| {
        let at = sys.alloc(4);
        sys.ioctl(fd, ioctl::TIOCSTI, at)
    });
    assert_eq!(vk.join(h), Err(Errno::EPERM));
}

#[test]
fn a_stream_is_bytes_until_the_other_end_goes() {
    seeds(0..50, |seed| {
        let vk = Fake::seeded(seed).boot();
        vk.attach(UNIT + 1, devctl::KIND_PIPE, b"");
        vk.set_room(UNIT + 1, 3);
        let request = Request::new("/bin/test").open(0, "/dev/stream2", o::RDWR, 0);
        let h = vk.lwp_as(request, |sys| {
            let read = sys.read_all(0)?;
            sys.sigaction(sig::PIPE, 1)?;
            assert_eq!(sys.ioctl(0, ioctl::TCGETS, abi::syscalls::UAddr(0)), Err(Errno::ENOTTY));
            let wrote = sys.write(0, b"\x03answer\n");
            Ok::<_, Errno>((read, wrote, sys.write(0, b"x")))
        });
        vk.input(UNIT + 1, b"a\x03\x04");
        vk.run_points(seed);
        vk.input(UNIT + 1, b"\r\n");
        vk.input_ends(UNIT + 1);
        vk.run_until_asleep(&h);
        assert_eq!(vk.output(UNIT + 1), b"\x03an");
        vk.set_room(UNIT + 1, 3);
        vk.run_until_asleep(&h);
        vk.hang_up(UNIT + 1);
        assert_eq!(vk.join(h), Ok((b"a\x03\x04\r\n".to_vec(), Ok(6), Err(Errno::EPIPE))), "seed {seed}");
    });
}

#[test]
fn init_hears_of_what_comes_and_goes_and_the_host_of_how_it_ended() {
    seeds(0..30, |seed| {
        let vk = Fake::seeded(seed).boot();
        // Nobody has asked yet: gone without a word.
        vk.attach(UNIT, devctl::KIND_PIPE, b"nobody");
        vk.hang_up(UNIT);
        assert_eq!(vk.exited(UNIT), Some(wait::signaled(sig::HUP)));
        let server = vk.lwp(|sys| {
            let fd = sys.open("/dev/attach", o::RDWR, 0)?;
            let first = sys.read(fd, 100)?;
            assert_eq!(sys.read(fd, 20), Err(Errno::ERANGE));
            let second = sys.read(fd, 100)?;
            let gone = sys.read(fd, 100)?;
            assert_eq!(sys.write(fd, &[UNIT.to_le_bytes(), 256u32.to_le_bytes()].concat()), Ok(8));
            assert_eq!(sys.write(fd, &[UNIT.to_le_bytes(), 0u32.to_le_bytes()].concat()), Err(Errno::ENXIO));
            assert_eq!(sys.write(fd, b"x"), Err(Errno::EINVAL));
            Ok::<_, Errno>([first, second, gone])
        });
        vk.run_points(seed);
        vk.attach(UNIT, devctl::KIND_SCREEN, b"one");
        vk.run_until_asleep(&server);
        vk.attach(UNIT + 63, devctl::KIND_PIPE, b"the other one");
        vk.run_until_asleep(&server);
        vk.hang_up(UNIT + 63);
        let event = |unit: u32, kind: u32, event: u32, command: &[u8]| {
            [&unit.to_le_bytes()[..], &kind.to_le_bytes(), &event.to_le_bytes(), command].concat()
        };
        let want = [
            event(UNIT, devctl::KIND_SCREEN, attach::CAME, b"one"),
            event(UNIT + 63, devctl::KIND_PIPE, attach::CAME, b"the other one"),
            event(UNIT + 63, devctl::KIND_PIPE, attach::WENT, b""),
        ];
        assert_eq!(vk.join(server), Ok(want), "seed {seed}");
        assert_eq!((vk.exited(UNIT), vk.exited(UNIT + 63)), (Some(256), None));
    });
}

#[test]
fn the_end_is_told_when_all_is_shown() {
    seeds(0..40, |seed| {
        let vk = attached(seed);
        vk.set_room(UNIT, 2);
        let h = leader(&vk, |sys, fd| {
            sys.write(fd, b"last words")?;
            let fd = sys.open("/dev/attach", o::RDWR, 0)?;
            sys.write(fd, &[UNIT.to_le_bytes(), 0u32.to_le_bytes()].concat())
        });
        assert_eq!(vk.join(h), Ok(8));
        assert_eq!(vk.exited(UNIT), None, "seed {seed}");
        if seed % 2 == 0 {
            vk.set_room(UNIT, usize::MAX);
            assert_eq!(vk.output(UNIT), b"last words");
        } else {
            vk.hang_up(UNIT);
        }
        assert_eq!(vk.exited(UNIT), Some(0), "seed {seed}");
    });
}

#[test]
fn process_1_is_woken_by_what_comes_if_it_waits_for_that() {
    let vk = attached(1);
    // It did not hold the signal back, and lives.
    let got = vk.init(|sys| sys.sigprocmask(sig::BLOCK, &[sig::PWR]));
    assert_eq!(got, Ok(0));
    vk.attach(UNIT + 1, devctl::KIND_PIPE, b"");
    let got = vk.init(|sys| sys.sigtimedwait(&[sig::PWR], u64::MAX));
    assert_eq!(got, Ok(sig::PWR));
}

#[test]
fn devices_have_names_while_they_are_there() {
    let vk = Fake::seeded(1).boot();
    vk.attach(UNIT, devctl::KIND_SCREEN, b"");
    vk.attach(UNIT + 9, devctl::KIND_PIPE, b"");
    let names = || {
        vk.init(|sys| {
            let fd = sys.open("/dev", o::RDONLY | o::DIRECTORY, 0)?;
            let names: Vec<Vec<u8>> = sys.getdents(fd, 4096)?.into_iter().map(|e| e.name).collect();
            sys.close(fd)?;
            Ok::<_, Errno>(names)
        })
        .expect("names")
    };
    let there = names();
    assert!(there.contains(&b"tty1".to_vec()) && there.contains(&b"stream10".to_vec()), "{there:?}");
    let stat = vk.init(|sys| sys.stat("/dev/tty1", 0)).expect("stat");
    assert_eq!((stat.rdev, stat.mode), (4 << 8 | 1, abi::types::mode::IFCHR | 0o620));
    let stat = vk.init(|sys| sys.stat("/dev/stream10", 0)).expect("stat");
    assert_eq!(stat.mode, abi::types::mode::IFIFO | 0o620);
    for wrong in ["tty2", "tty10", "stream1", "tty01", "tty0", "ttyx", "stream4294967295"] {
        let path = alloc::format!("/dev/{wrong}");
        assert_eq!(vk.init(move |sys| sys.stat(path, 0)), Err(Errno::ENOENT), "{wrong}");
    }
    vk.hang_up(UNIT);
    assert!(!names().contains(&b"tty1".to_vec()));
}
