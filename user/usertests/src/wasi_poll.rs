//! `poll_oneoff`: clocks, descriptors, errors, and nothing written that shouldn't be.

use std::time::{Duration, Instant};

use abi::Errno;
use abi::types::{o, seek};
use vkernel_sys::io;

use crate::harness::write_file;
use crate::wasi::{OUT, get, u32_at, u64_at};

crate::tests! { wasi_poll: clocks, descriptors, errors, nothing_left_over }

/// A subscription of preview 1.
fn clock(userdata: u64, id: u32, timeout_ns: u64, absolute: bool) -> [u8; 48] {
    let mut s = [0; 48];
    s[..8].copy_from_slice(&userdata.to_le_bytes());
    s[16..20].copy_from_slice(&id.to_le_bytes());
    s[24..32].copy_from_slice(&timeout_ns.to_le_bytes());
    s[40] = absolute as u8;
    s
}
fn ready(userdata: u64, write: bool, fd: i32) -> [u8; 48] {
    let mut s = [0; 48];
    s[..8].copy_from_slice(&userdata.to_le_bytes());
    s[8] = 1 + write as u8;
    s[16..20].copy_from_slice(&fd.to_le_bytes());
    s
}

/// An event: userdata, errno, type, bytes, flags.
type Event = (u64, u16, u8, u64, u16);

fn poll(subs: &[[u8; 48]]) -> Result<Vec<Event>, Errno> {
    let subs = subs.concat();
    let n = subs.len() / 48;
    let mut events = vec![0xeeu8; n * 32];
    let count = get::<4>("poll_oneoff", &[subs.as_ptr() as u64, events.as_mut_ptr() as u64, n as u64, OUT])?;
    let count = u32_at(&count, 0) as usize;
    assert!(events[count * 32..].iter().all(|&b| b == 0xee), "written past the events");
    let event = |e: &[u8]| {
        assert_eq!((&e[11..16], &e[26..32]), (&[0; 5][..], &[0; 6][..]), "padding");
        let u16_at = |at: usize| u16::from_le_bytes([e[at], e[at + 1]]);
        (u64_at(e, 0), u16_at(8), e[10], u64_at(e, 16), u16_at(24))
    };
    Ok(events[..count * 32].chunks(32).map(event).collect())
}

fn clocks() {
    const MS: u64 = 1_000_000;
    let start = Instant::now();
    assert_eq!(poll(&[clock(7, 1, 20 * MS, false)]), Ok(vec![(7, 0, 0, 0, 0)]));
    assert!(start.elapsed() >= Duration::from_millis(20));
    // The first of several.
    let start = Instant::now();
    let got = poll(&[clock(1, 0, 60_000 * MS, false), clock(2, 1, 10 * MS, false), clock(3, 0, 60_000 * MS, false)]);
    assert_eq!(got, Ok(vec![(2, 0, 0, 0, 0)]));
    assert!(start.elapsed() >= Duration::from_millis(10) && start.elapsed() < Duration::from_secs(30));
    // Absolute times, one of them past.
    let now = vkernel_sys::sys::clock_gettime(0).unwrap();
    let start = Instant::now();
    assert_eq!(poll(&[clock(4, 0, now + 20 * MS, true)]), Ok(vec![(4, 0, 0, 0, 0)]));
    assert!(start.elapsed() >= Duration::from_millis(18));
    assert_eq!(poll(&[clock(5, 0, 1, true), clock(6, 1, 0, false)]).map(|e| e.len()), Ok(2));
    assert_eq!(poll(&[clock(8, 2, MS, false)]), Ok(vec![(8, Errno::ENOTSUP as u16, 0, 0, 0)]));
    assert_eq!(poll(&[clock(9, 77, MS, false)]), Ok(vec![(9, Errno::EINVAL as u16, 0, 0, 0)]));
}

fn descriptors() {
    write_file(b"f", b"0123456789");
    let f = io::open(b"f", o::RDWR, 0).unwrap();
    io::lseek(f, 4, seek::SET).unwrap();
    assert_eq!(poll(&[ready(1, false, f)]), Ok(vec![(1, 0, 1, 6, 0)]));
    let (r, w) = io::pipe2(0).unwrap();
    let hour = clock(9, 1, 3_600_000_000_000, false);
    assert_eq!(poll(&[ready(1, false, r), ready(2, true, w), hour]).map(|e| (e[0].0, e.len())), Ok((2, 1)));
    // Nothing to read until the time is over.
    assert_eq!(poll(&[ready(1, false, r), clock(3, 1, 5_000_000, false)]), Ok(vec![(3, 0, 0, 0, 0)]));
    io::write_all(w, b"x").unwrap();
    assert_eq!(poll(&[ready(1, false, r), hour]).map(|e| (e[0].0, e[0].2, e.len())), Ok((1, 1, 1)));
    io::close(w).unwrap();
    io::read(r, &mut [0; 1]).unwrap();
    assert_eq!(poll(&[ready(1, false, r), hour]), Ok(vec![(1, 0, 1, 0, 1)]), "the hang-up");
    // Two who wait for the same.
    assert_eq!(poll(&[ready(1, false, f), ready(2, false, f), ready(3, true, f)]).map(|e| e.len()), Ok(3));
}

fn errors() {
    assert_eq!(poll(&[]), Err(Errno::EINVAL));
    let mut unknown = clock(1, 0, 0, false);
    unknown[8] = 3;
    assert_eq!(poll(&[unknown]), Err(Errno::EINVAL));
    let hour = clock(9, 1, 3_600_000_000_000, false);
    let bad = Errno::EBADF as u16;
    // Nobody sleeps over an error.
    assert_eq!(poll(&[hour, ready(5, false, 999), ready(6, true, -1)]), Ok(vec![(5, bad, 1, 0, 0), (6, bad, 2, 0, 0)]));
    let too_many = vec![ready(1, true, 1); 70_000];
    assert_eq!(poll(&too_many).map(|e| e.len()), Err(Errno::EINVAL));
}

/// More than fit on the kernel's stack, at the same address in and out.
fn nothing_left_over() {
    let null = io::open(b"/dev/null", o::RDWR, 0).unwrap();
    let subs: Vec<[u8; 48]> = (0..100).map(|i| ready(i, i % 2 == 0, null)).collect();
    let events = poll(&subs).unwrap();
    assert_eq!(events.len(), 100);
    assert!(events.iter().enumerate().all(|(i, e)| e.0 == i as u64 && e.1 == 0));
    let mut both = subs.concat();
    let at = both.as_mut_ptr() as u64;
    assert_eq!(get::<4>("poll_oneoff", &[at, at, 100, OUT]).map(|n| u32_at(&n, 0)), Ok(100));
    assert_eq!(u64_at(std::hint::black_box(&both), 99 * 32), 99);
}
