//! What takes a second process, or a call that WASI lacks.

use crate::harness::{Bench, timed};
use crate::os::{self, Fd};
use crate::sys;
use std::hint::black_box;
use std::io;
use std::process::ExitCode;

const BLOCK: usize = 64 << 10;

/// The other end of a measure: reads from descriptor 0, writes to 1.
pub fn child(role: &str) -> ExitCode {
    match role {
        "echo" => {
            let mut byte = [0];
            while os::read_whole(0, &mut byte).and_then(|()| os::write_whole(1, &byte)).is_ok() {}
            ExitCode::SUCCESS
        }
        "source" => {
            let block = vec![b'x'; BLOCK];
            while os::write_whole(1, &block).is_ok() {}
            ExitCode::SUCCESS
        }
        "sleep" => {
            _ = os::write_whole(1, &[0]).and_then(|()| os::read_whole(0, &mut [0]));
            ExitCode::SUCCESS
        }
        "burn" => {
            println!("burning");
            burn(u64::MAX)
        }
        "work" => burn(WORK),
        _ => {
            eprintln!("microbench: no such role: {role}");
            ExitCode::from(2)
        }
    }
}

/// Turns of [`burn`] that take a few 100 ms.
const WORK: u64 = 200_000_000;

/// Computes, and asks nobody for anything.
fn burn(turns: u64) -> ExitCode {
    let mut x = black_box(1u64);
    for i in 0..turns {
        x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i));
    }
    ExitCode::from((black_box(x) == 0) as u8)
}

pub fn run(b: &Bench) {
    b.time("sys.getppid", |n| {
        for _ in 0..n {
            black_box(sys::getppid());
        }
        Ok(())
    });
    for (name, measure) in [
        ("rw.dup_close", dup_close as fn(&Bench) -> io::Result<()>),
        ("pipe.self_rt", self_round_trip),
        ("pipe.pingpong_proc", ping_pong),
        ("pipe.pingpong_near", |b| ping_pong_where(b, "pipe.pingpong_near", false)),
        ("pipe.pingpong_far", |b| ping_pong_where(b, "pipe.pingpong_far", true)),
        ("pipe.bw_64k", bandwidth),
        ("pty.echo_rt", pty_round_trip),
    ] {
        if b.wants(name)
            && let Err(e) = measure(b)
        {
            println!("{name}\tERR\t{e}");
        }
    }
    b.time("proc.posix_spawn_wait", |n| {
        (0..n).try_for_each(|_| match sys::wait(sys::spawn(&b.nop, &[], &[])?)? {
            0 => Ok(()),
            status => Err(io::Error::other(format!("{} ended with status {status:#x}", b.nop))),
        })
    });
    b.once("proc.hundred", || hundred(b));
    b.once("proc.two_at_once", || two(b, true));
    b.once("proc.two_in_turn", || two(b, false));
}

fn dup_close(b: &Bench) -> io::Result<()> {
    let (r, w) = sys::pipe()?;
    b.time("rw.dup_close", |n| (0..n).try_for_each(|_| sys::dup(r).map(os::close)));
    os::close(r);
    os::close(w);
    Ok(())
}

fn self_round_trip(b: &Bench) -> io::Result<()> {
    let (r, w) = sys::pipe()?;
    b.time("pipe.self_rt", |n| round_trips(n, w, r));
    os::close(r);
    os::close(w);
    Ok(())
}

fn round_trips(n: u64, to: Fd, from: Fd) -> io::Result<()> {
    let mut byte = [1];
    (0..n).try_for_each(|_| os::write_whole(to, &byte).and_then(|()| os::read_whole(from, &mut byte)))
}

/// A child that sends back what it is sent.
struct Echo {
    pid: i32,
    to: Fd,
    from: Fd,
}

impl Echo {
    fn start(b: &Bench) -> io::Result<Echo> {
        let there = sys::pipe()?;
        let back = sys::pipe()?;
        let pid = sys::spawn(&b.me, &["--echo"], &[(there.0, 0), (back.1, 1)])?;
        os::close(there.0);
        os::close(back.1);
        Ok(Echo { pid, to: there.1, from: back.0 })
    }

    fn end(self) -> io::Result<()> {
        os::close(self.to);
        os::close(self.from);
        sys::wait(self.pid).map(drop)
    }

    /// Whether it answers while this process computes: it has a CPU of its own. Not for so long that it may
    /// get this one.
    fn is_far(&self) -> io::Result<bool> {
        const ENOUGH_NS: u64 = 200_000;
        let mut far = 0;
        for _ in 0..15 {
            os::write_whole(self.to, &[1])?;
            let begin = os::now_ns();
            while os::now_ns() - begin < ENOUGH_NS {}
            far += os::readable(self.from)? as u32;
            os::read_whole(self.from, &mut [0])?;
        }
        Ok(far >= 8)
    }
}

fn ping_pong(b: &Bench) -> io::Result<()> {
    let echo = Echo::start(b)?;
    b.time("pipe.pingpong_proc", |n| round_trips(n, echo.to, echo.from));
    echo.end()
}

/// A key, and what a program on the terminal makes of it: one byte to a pty's master until it is back.
fn pty_round_trip(b: &Bench) -> io::Result<()> {
    let (master, slave) = sys::pty()?;
    let pid = sys::spawn(&b.me, &["--echo"], &[(slave, 0), (slave, 1)])?;
    os::close(slave);
    b.time("pty.echo_rt", |n| round_trips(n, master, master));
    // The child is hung up.
    os::close(master);
    sys::wait(pid).map(drop)
}

/// With a child that is on this process's CPU, or is not. Which one a child gets is the system's affair: a few are tried.
fn ping_pong_where(b: &Bench, name: &str, far: bool) -> io::Result<()> {
    const TRIES: usize = 6;
    let mut echoes = Vec::new();
    for _ in 0..TRIES {
        let echo = Echo::start(b)?;
        let found = echo.is_far()? == far;
        echoes.push(echo);
        if found {
            break;
        }
    }
    if let Some(echo) = echoes.last()
        && echo.is_far()? == far
    {
        b.time(name, |n| round_trips(n, echo.to, echo.from));
    } else {
        println!("{name}\tERR\tno child was {}", if far { "on another CPU" } else { "on this CPU" });
    }
    echoes.into_iter().try_for_each(Echo::end)
}

/// As many processes at the same time as there may be, up to a hundred, for a hundred: from the first spawn until all of
/// them have run. Some were there before.
fn hundred(b: &Bench) -> io::Result<f64> {
    const MOST: usize = 100;
    const LEAST: usize = 90;
    let (r, w) = sys::pipe()?;
    let said = sys::pipe()?;
    let mut children = Vec::new();
    let mut refused = None;
    let ns = timed(|| {
        while children.len() < MOST && refused.is_none() {
            match sys::spawn(&b.me, &["--sleep"], &[(r, 0), (said.1, 1)]) {
                Ok(pid) => children.push(pid),
                Err(e) => refused = Some(e),
            }
        }
        children.iter().try_for_each(|_| os::read_whole(said.0, &mut [0]))
    })?;
    os::close(said.0);
    os::close(said.1);
    os::close(r);
    // They read the end of it, and end.
    os::close(w);
    let made = children.len();
    children.into_iter().try_for_each(|pid| sys::wait(pid).map(drop))?;
    match refused {
        Some(e) if made < LEAST => Err(io::Error::other(format!("{made} processes, and then: {e}"))),
        _ => Ok(ns / made as f64 * MOST as f64),
    }
}

/// Two that compute: both at once, or the second after the first.
fn two(b: &Bench, at_once: bool) -> io::Result<f64> {
    let start = || sys::spawn(&b.me, &["--work"], &[]);
    timed(|| {
        let first = start()?;
        if !at_once {
            sys::wait(first)?;
        }
        let second = start()?;
        if at_once {
            sys::wait(first)?;
        }
        sys::wait(second).map(drop)
    })
}

fn bandwidth(b: &Bench) -> io::Result<()> {
    let (r, w) = sys::pipe()?;
    let child = sys::spawn(&b.me, &["--source"], &[(w, 1)])?;
    os::close(w);
    let total = b.mib << 20;
    let mut buf = vec![0; BLOCK];
    b.throughput("pipe.bw_64k", total, || {
        let mut left = total;
        while left > 0 {
            let want = left.min(BLOCK);
            match os::read(r, &mut buf[..want])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => left -= n,
            }
        }
        Ok(())
    });
    // The child's next write fails, or ends it.
    os::close(r);
    sys::wait(child).map(drop)
}
