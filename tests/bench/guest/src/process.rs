//! What takes a second process, or a call that WASI lacks.

use crate::harness::Bench;
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
        _ => {
            eprintln!("microbench: no such role: {role}");
            ExitCode::from(2)
        }
    }
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
        ("pipe.bw_64k", bandwidth),
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

fn ping_pong(b: &Bench) -> io::Result<()> {
    let there = sys::pipe()?;
    let back = sys::pipe()?;
    let child = sys::spawn(&b.me, &["--echo"], &[(there.0, 0), (back.1, 1)])?;
    os::close(there.0);
    os::close(back.1);
    b.time("pipe.pingpong_proc", |n| round_trips(n, there.1, back.0));
    os::close(there.1);
    os::close(back.0);
    sys::wait(child).map(drop)
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
