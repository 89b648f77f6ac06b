//! Pipes and poll. POSIX pipe(), write() on pipes, poll().

use std::time::{Duration, Instant};

use abi::types::limits::{PIPE_BUF, PIPE_SIZE};
use abi::types::{o, poll, seek, sig, wait};
use vkernel_sys::io::{self, PollFd};
use vkernel_sys::{Errno, proc};

use crate::harness::{role, status_of, wait_for, write_file};

crate::tests! { pipes:
    end_of_file, nobody_reads, full, small_writes_are_whole, writers_do_not_mix, much_data, cannot_seek, last_writer_exits,
    blocked_writer_is_killed, closed_while_reading, poll_pipe, poll_times, poll_many,
}
crate::roles! { write_once, write_records, write_much, sleep_ms, fill_pipe }

fn pipe() -> (i32, i32) {
    io::pipe2(o::CLOEXEC).expect("pipe2")
}
fn poll_one(fd: i32, events: u16, timeout_ms: i32) -> u16 {
    let mut p = [PollFd { fd, events, revents: 0 }];
    let n = io::poll(&mut p, timeout_ms).expect("poll");
    assert_eq!(n, (p[0].revents != 0) as u32);
    p[0].revents
}

fn end_of_file() {
    let (r, w) = pipe();
    let copy = io::dup(w).unwrap();
    io::write_all(w, b"data").unwrap();
    io::close(w).unwrap();
    let mut buf = [0; 16];
    assert_eq!(io::read(r, &mut buf[..2]), Ok(2));
    assert_eq!(io::read(r, &mut buf), Ok(2));
    io::close(copy).unwrap();
    assert_eq!(io::read(r, &mut buf), Ok(0));
    assert_eq!(io::read(r, &mut buf), Ok(0));
    assert_eq!(io::write(r, b"x"), Err(Errno::EBADF));
}

fn write_once(_: &[&str]) -> i32 {
    match io::write(1, b"x") {
        Ok(_) => 0,
        Err(e) => e as i32,
    }
}

fn nobody_reads() {
    let (r, w) = pipe();
    io::close(r).unwrap();
    assert_eq!(status_of(&role("write_once", &[]).dup2(w, 1)), wait::signaled(sig::PIPE));
    proc::sigaction(sig::PIPE, proc::Disposition::Ignore).unwrap();
    assert_eq!(io::write(w, b"x"), Err(Errno::EPIPE));
    // Ignored signals are inherited. (On a POSIX host our own start has undone that.)
    #[cfg(target_family = "wasm")]
    assert_eq!(status_of(&role("write_once", &[]).dup2(w, 1)), wait::exited(Errno::EPIPE as u32));
}

fn full() {
    let (r, w) = io::pipe2(o::NONBLOCK).unwrap();
    let mut buf = [7; PIPE_BUF];
    assert_eq!(io::read(r, &mut buf), Err(Errno::EAGAIN));
    let mut all = 0;
    let error = loop {
        match io::write(w, &buf) {
            Ok(n) => all += n,
            Err(e) => break e,
        }
    };
    assert_eq!((error, all), (Errno::EAGAIN, PIPE_SIZE));
    assert_eq!(io::write(w, b"x"), Err(Errno::EAGAIN));
    assert_eq!(io::read(r, &mut buf), Ok(PIPE_BUF));
    assert_eq!(io::write(w, &buf), Ok(PIPE_BUF));
    // More than fits is written in part, if it is more than PIPE_BUF.
    assert_eq!(io::read(r, &mut buf), Ok(PIPE_BUF));
    let part = io::write(w, &[1; 3 * PIPE_BUF]);
    assert!(matches!(part, Ok(n) if n > 0 && n <= PIPE_BUF), "{part:?}");
}

/// Up to PIPE_BUF bytes are written all or not at all.
fn small_writes_are_whole() {
    let (r, w) = io::pipe2(o::NONBLOCK).unwrap();
    io::write_all(w, &vec![0; PIPE_SIZE - PIPE_BUF]).unwrap();
    io::write_all(w, &[0; PIPE_BUF - 10]).unwrap();
    assert_eq!(io::write(w, &[1; 11]), Err(Errno::EAGAIN));
    let mut buf = vec![0; PIPE_SIZE];
    let mut got = 0;
    while let Ok(n) = io::read(r, &mut buf) {
        assert!(buf[..n].iter().all(|&b| b == 0), "part of a write that failed");
        got += n;
    }
    assert_eq!(got, PIPE_SIZE - 10);
}

const RECORDS: usize = 200;

/// Records of many lengths, each a letter repeated, the length in front.
fn write_records(args: &[&str]) -> i32 {
    let letter = args[0].as_bytes()[0];
    for i in 0..RECORDS {
        let len = 3 + (i * 1237 + letter as usize * 331) % (PIPE_BUF - 2);
        let mut rec = vec![letter; len];
        rec[..2].copy_from_slice(&(len as u16).to_le_bytes());
        assert_eq!(io::write(1, &rec), Ok(len));
    }
    0
}

fn writers_do_not_mix() {
    let (r, w) = pipe();
    let pids: Vec<i32> =
        ["a", "b", "c", "d"].iter().map(|l| role("write_records", &[l]).dup2(w, 1).spawn().expect("spawn")).collect();
    io::close(w).unwrap();
    let all = io::read_to_end(r).unwrap();
    let (mut at, mut records) = (0, 0);
    while at < all.len() {
        let len = u16::from_le_bytes([all[at], all[at + 1]]) as usize;
        let rec = &all[at + 2..at + len];
        assert!(rec.iter().all(|&b| b == rec[0]), "record {records} is mixed");
        at += len;
        records += 1;
    }
    assert_eq!(records, 4 * RECORDS);
    pids.into_iter().for_each(|p| assert_eq!(wait_for(p), wait::exited(0)));
}

const MUCH: usize = 4 << 20;

fn pattern(i: usize) -> u8 {
    (i.wrapping_mul(2_654_435_761) >> 11) as u8
}

fn write_much(_: &[&str]) -> i32 {
    let all: Vec<u8> = (0..MUCH).map(pattern).collect();
    io::write_all(1, &all).unwrap();
    0
}

fn much_data() {
    let (r, w) = pipe();
    let pid = role("write_much", &[]).dup2(w, 1).spawn().unwrap();
    io::close(w).unwrap();
    let (mut at, mut buf) = (0, vec![0; 100_000]);
    loop {
        let room = 1 + at * 31 % buf.len();
        let n = io::read(r, &mut buf[..room]).unwrap();
        if n == 0 {
            break;
        }
        for (i, b) in buf[..n].iter().enumerate() {
            assert_eq!(*b, pattern(at + i), "at {}", at + i);
        }
        at += n;
    }
    assert_eq!(at, MUCH);
    assert_eq!(wait_for(pid), wait::exited(0));
}

fn cannot_seek() {
    let (r, w) = pipe();
    assert_eq!(io::lseek(r, 0, seek::CUR), Err(Errno::ESPIPE));
    assert_eq!(io::pread(r, &mut [0; 1], 0), Err(Errno::ESPIPE));
    assert_eq!(io::pwrite(w, b"x", 0), Err(Errno::ESPIPE));
    assert_eq!(io::ftruncate(w, 0), Err(Errno::EINVAL));
}

fn sleep_ms(args: &[&str]) -> i32 {
    std::thread::sleep(Duration::from_millis(args[0].parse().unwrap()));
    0
}

/// A reader that sleeps sees the end of the file when the process with the last writing end exits,
/// and when it is killed.
fn last_writer_exits() {
    for kill in [false, true] {
        let (r, w) = pipe();
        let pid = role("sleep_ms", &[if kill { "100000" } else { "50" }]).dup2(w, 1).spawn().unwrap();
        io::close(w).unwrap();
        if kill {
            std::thread::sleep(Duration::from_millis(20));
            proc::kill(pid, sig::KILL).unwrap();
        }
        assert_eq!(io::read(r, &mut [0; 1]), Ok(0));
        wait_for(pid);
    }
}

fn fill_pipe(_: &[&str]) -> i32 {
    while io::write(1, &[0; PIPE_BUF]).is_ok() {}
    0
}

fn blocked_writer_is_killed() {
    let (r, w) = pipe();
    let pid = role("fill_pipe", &[]).dup2(w, 1).spawn().unwrap();
    while poll_one(w, poll::OUT, 0) != 0 {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(proc::waitpid(pid, wait::NOHANG), Ok(None));
    proc::kill(pid, sig::TERM).unwrap();
    assert_eq!(wait_for(pid), wait::signaled(sig::TERM));
    // And one whose reader goes away is told.
    let pid = role("fill_pipe", &[]).dup2(w, 1).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(20));
    io::close(r).unwrap();
    assert_eq!(wait_for(pid), wait::signaled(sig::PIPE));
}

/// What was read stays what it was when the other end goes.
fn closed_while_reading() {
    let (r, w) = pipe();
    io::write_all(w, &[9; 100]).unwrap();
    io::close(w).unwrap();
    assert_eq!(poll_one(r, poll::IN, 0) & poll::IN, poll::IN);
    assert_eq!(io::read_to_end(r).unwrap(), vec![9; 100]);
}

fn poll_pipe() {
    let (r, w) = pipe();
    assert_eq!(poll_one(r, poll::IN, 0), 0);
    assert_eq!(poll_one(w, poll::OUT, 0), poll::OUT);
    io::write_all(w, b"x").unwrap();
    assert_eq!(poll_one(r, poll::IN, -1), poll::IN);
    io::read(r, &mut [0; 1]).unwrap();
    let (r2, w2) = pipe();
    io::close(w2).unwrap();
    assert_eq!(poll_one(r2, poll::IN, -1) & poll::HUP, poll::HUP);
    io::close(r).unwrap();
    assert_eq!(poll_one(w, poll::OUT, -1) & poll::ERR, poll::ERR);
    let f = {
        write_file(b"f", b"");
        io::open(b"f", o::RDWR, 0).unwrap()
    };
    assert_eq!(poll_one(f, poll::IN | poll::OUT, -1), poll::IN | poll::OUT);
    assert_eq!(poll_one(4321, poll::IN, -1), poll::NVAL);
}

fn poll_times() {
    let (r, _w) = pipe();
    for ms in [1, 30] {
        let start = Instant::now();
        assert_eq!(poll_one(r, poll::IN, ms), 0);
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(ms as u64), "woke after {took:?} of {ms} ms");
    }
    let start = Instant::now();
    assert_eq!(io::poll(&mut [], 20), Ok(0));
    assert!(start.elapsed() >= Duration::from_millis(20));
    let mut ignored = [PollFd { fd: -1, events: poll::IN, revents: 99 }];
    assert_eq!((io::poll(&mut ignored, 0), ignored[0].revents), (Ok(0), 0));
}

/// Many at once, and one of them wakes the sleeper.
fn poll_many() {
    let pipes: Vec<(i32, i32)> = (0..40).map(|_| pipe()).collect();
    let mut set: Vec<PollFd> = pipes.iter().map(|p| PollFd { fd: p.0, events: poll::IN, revents: 0 }).collect();
    assert_eq!(io::poll(&mut set, 0), Ok(0));
    let pid = role("sleep_ms", &["30"]).dup2(pipes[33].1, 1).spawn().unwrap();
    io::close(pipes[33].1).unwrap();
    assert_eq!(io::poll(&mut set, -1), Ok(1));
    assert_eq!(set.iter().position(|p| p.revents != 0), Some(33));
    assert_eq!(set[33].revents & poll::HUP, poll::HUP);
    wait_for(pid);
}
