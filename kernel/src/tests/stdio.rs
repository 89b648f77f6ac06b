//! The host's standard streams as descriptors 0, 1 and 2, and interrupts.

use alloc::vec;

use abi::Errno;
use abi::types::{devctl, fcntl, o, poll, sig, wait};

use super::seeds;
use crate::machdep::fake::Fake;

#[test]
fn input_wakes_a_reader_whenever_it_comes() {
    seeds(0..200, |seed| {
        let vk = Fake::seeded(seed).boot();
        let reader = vk.lwp(|sys| sys.read(0, 100));
        if seed % 2 == 0 {
            vk.run_until_asleep(&reader);
        } else {
            vk.run_points(seed);
        }
        vk.input(0, b"typed");
        assert_eq!(vk.join(reader), Ok(b"typed".to_vec()), "seed {seed}");
    });
}

#[test]
fn the_end_of_input_is_the_end_of_the_file_for_all() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed).boot();
        let readers = [vk.lwp(|sys| sys.read_all(0)), vk.lwp(|sys| sys.read_all(0))];
        vk.input(0, b"abc");
        vk.run_until_quiet();
        vk.input_ends(0);
        let mut all = readers.map(|r| vk.join(r).expect("read")).concat();
        all.sort();
        assert_eq!(all, b"abc", "seed {seed}");
    });
}

#[test]
fn output_that_the_host_does_not_take_waits_until_it_does() {
    seeds(0..100, |seed| {
        let vk = Fake::seeded(seed).boot();
        vk.set_room(1, 4);
        let writer = vk.lwp(|sys| {
            assert_eq!(sys.write(2, b"errors"), Ok(6));
            sys.write(1, b"0123456789")
        });
        vk.run_until_asleep(&writer);
        assert_eq!(vk.output(1), b"0123");
        vk.set_room(1, 3);
        vk.run_until_asleep(&writer);
        vk.set_room(1, usize::MAX);
        assert_eq!(vk.join(writer), Ok(10), "seed {seed}");
        assert_eq!((vk.output(1), vk.output(2)), (b"0123456789".to_vec(), b"errors".to_vec()));
    });
}

#[test]
fn polling_and_not_blocking_on_the_streams() {
    seeds(0..100, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(|sys| {
            let (_, got) = sys.poll(&[(0, poll::IN), (1, poll::OUT)], -1)?;
            assert_eq!((got[0] & !poll::IN, got[1]), (0, poll::OUT));
            sys.poll(&[(0, poll::IN)], -1)
        });
        if seed % 2 == 0 {
            vk.run_until_asleep(&h);
        }
        vk.input(0, b"x");
        assert_eq!(vk.join(h), Ok((1, vec![poll::IN])), "seed {seed}");
        let h = vk.lwp(|sys| {
            assert_eq!(sys.read(0, 9), Ok(b"x".to_vec()));
            let old = sys.fcntl(0, fcntl::GETFL, 0)?;
            sys.fcntl(0, fcntl::SETFL, old | o::NONBLOCK as i32)?;
            let got = sys.read(0, 9);
            sys.fcntl(0, fcntl::SETFL, old)?;
            got
        });
        assert_eq!(vk.join(h), Err(Errno::EAGAIN));
    });
}

#[test]
fn a_reader_of_the_terminal_can_be_killed() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed).unit(0, devctl::KIND_TTY).boot();
        let reader = vk.lwp(|sys| sys.read(0, 100));
        vk.run_until_asleep(&reader);
        let pid = reader.pid;
        vk.init(move |sys| sys.kill(pid, sig::INT)).expect("kill");
        assert_eq!(vk.end(reader), (None, wait::signaled(sig::INT)), "seed {seed}");
        // What comes then is for the next.
        vk.input(0, b"line\n");
        let next = vk.lwp(|sys| sys.read(0, 100));
        assert_eq!(vk.join(next), Ok(b"line\n".to_vec()));
    });
}

#[test]
fn a_return_that_the_host_passes_on_is_what_the_settings_say() {
    let vk = Fake::seeded(1).unit(0, devctl::KIND_TTY).boot();
    vk.input(0, b"a\rb\x03");
    let got = vk.init(|sys| {
        super::tty::raw(sys, 0, 1, 0)?;
        sys.read(0, 9)
    });
    assert_eq!(got, Ok(b"a\nb\x03".to_vec()));
    // Typed ahead in raw mode, and read as a line.
    vk.input(0, b"ls\r");
    let cooked = |l| l | abi::types::termios::ICANON;
    let got = vk.init(move |sys| {
        super::tty::set(sys, 0, abi::types::ioctl::TCSETS, cooked, 0, 0)?;
        sys.read(0, 9)
    });
    assert_eq!(got, Ok(b"ls\n".to_vec()));
}
