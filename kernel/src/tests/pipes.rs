//! Pipes between processes: ends of file, atomic writes, close against read.

use alloc::vec;
use alloc::vec::Vec;

use abi::Errno;
use abi::types::{fcntl, limits, o, sig};

use super::{races, seeds};
use crate::machdep::fake::{Fake, Vk};

fn pipe(vk: &Vk) -> (i32, i32) {
    vk.init(|sys| sys.pipe2(0)).expect("pipe")
}

#[test]
fn a_reader_woken_by_the_last_writer_sees_end_of_file() {
    races(0..300, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (r, w) = pipe(&vk);
        let reader = vk.lwp(move |sys| {
            sys.close(w)?;
            sys.read(r, 1)
        });
        // With odd seeds the close meets the reader anywhere on its way to sleep.
        if seed % 2 == 0 {
            vk.run_until_asleep(&reader);
        }
        vk.init(move |sys| sys.close(w)).expect("close");
        assert_eq!(vk.join(reader), Ok(vec![]), "seed {seed}");
    });
}

#[test]
fn a_writer_to_a_full_pipe_gets_epipe_when_the_last_reader_goes() {
    races(0..300, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (r, w) = pipe(&vk);
        let writer = vk.lwp(move |sys| {
            sys.sigaction(sig::PIPE, 1)?;
            sys.close(r)?;
            let first = sys.write(w, &vec![1; limits::PIPE_SIZE])?;
            assert_eq!(first, limits::PIPE_SIZE);
            sys.write(w, b"more")
        });
        if seed % 2 == 0 {
            vk.run_until_asleep(&writer);
        } else {
            vk.run_points(seed * 3);
        }
        vk.init(move |sys| sys.close(r)).expect("close");
        let got = vk.join(writer);
        assert!(got == Err(Errno::EPIPE), "seed {seed}: {got:?}");
    });
}

/// Three writers, PIPE_BUF bytes at a time: no write is torn.
#[test]
fn writes_of_pipe_buf_are_atomic() {
    const EACH: usize = 6;
    seeds(0..120, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (r, w) = pipe(&vk);
        let writers: Vec<_> = (1u8..=3)
            .map(|id| {
                vk.lwp(move |sys| {
                    for _ in 0..EACH {
                        assert_eq!(sys.write(w, &vec![id; limits::PIPE_BUF]), Ok(limits::PIPE_BUF));
                    }
                })
            })
            .collect();
        vk.init(move |sys| sys.close(w)).expect("close");
        let reader = vk.lwp(move |sys| sys.read_all(r));
        let all = vk.join(reader).expect("read");
        writers.into_iter().for_each(|h| vk.join(h));
        assert_eq!(all.len(), 3 * EACH * limits::PIPE_BUF);
        let pieces: Vec<&[u8]> = all.chunks(limits::PIPE_BUF).collect();
        assert!(pieces.iter().all(|p| p.iter().all(|b| *b == p[0])), "seed {seed}: a write is torn");
        for id in 1u8..=3 {
            assert_eq!(pieces.iter().filter(|p| p[0] == id).count(), EACH);
        }
    });
}

#[test]
fn large_writes_arrive_whole_and_in_order() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (r, w) = pipe(&vk);
        let content: Vec<u8> = (0..200_000u32).map(|i| (i * 7 + i / 251) as u8).collect();
        let sent = content.clone();
        let writer = vk.lwp(move |sys| {
            sys.close(r)?;
            sys.write(w, &sent)
        });
        vk.init(move |sys| sys.close(w)).expect("close");
        let reader = vk.lwp(move |sys| {
            let mut all = Vec::new();
            loop {
                let piece = sys.read(r, 1 + all.len() % 30_000)?;
                if piece.is_empty() {
                    return Ok::<_, Errno>(all);
                }
                all.extend_from_slice(&piece);
            }
        });
        vk.init(move |sys| sys.close(r)).expect("close");
        assert!(vk.join(reader) == Ok(content), "seed {seed}");
        assert_eq!(vk.join(writer), Ok(200_000));
    });
}

#[test]
fn a_pipe_that_does_not_block() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        let (r, w) = sys.pipe2(o::NONBLOCK).expect("pipe");
        assert_eq!(sys.fcntl(r, fcntl::GETFL, 0).map(|f| f as u32 & o::NONBLOCK), Ok(o::NONBLOCK));
        assert_eq!(sys.read(r, 1), Err(Errno::EAGAIN));
        assert_eq!(sys.write(w, &vec![0; limits::PIPE_SIZE + 10]), Ok(limits::PIPE_SIZE));
        assert_eq!(sys.write(w, b"x"), Err(Errno::EAGAIN));
        // Room for less than an atomic write asks for.
        assert_eq!(sys.read(r, 100).map(|b| b.len()), Ok(100));
        assert_eq!(sys.write(w, &vec![0; limits::PIPE_BUF]), Err(Errno::EAGAIN));
        assert_eq!(sys.write(w, &[1; 50]), Ok(50));
        sys.close(w).expect("close");
        assert_eq!(sys.read_all(r).map(|b| b.len()), Ok(limits::PIPE_SIZE - 50));
    });
    vk.join(h);
}

#[test]
fn the_ends_of_a_pipe_are_one_way_and_have_no_position() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        let (r, w) = sys.pipe2(0).expect("pipe");
        assert_eq!(sys.write(r, b"x"), Err(Errno::EBADF));
        assert_eq!(sys.read(w, 1), Err(Errno::EBADF));
        assert_eq!(sys.lseek(r, 0, 0), Err(Errno::ESPIPE));
        assert_eq!(sys.pread(r, 1, 0), Err(Errno::ESPIPE));
        assert_eq!(sys.pwrite(w, b"x", 0), Err(Errno::ESPIPE));
        assert_eq!(sys.pipe2(o::APPEND), Err(Errno::EINVAL));
        assert_eq!(sys.read(r, 0), Ok(vec![]));
        let bad = sys.wild();
        use crate::machdep::fake::Reg;
        assert_eq!(sys.call("pipe2", &[bad.reg(), 0]), Err(Errno::EFAULT));
        sys.write(w, b"abc").expect("write");
        assert_eq!(sys.call("read", &[r.reg(), bad.reg(), 3]), Err(Errno::EFAULT));
        assert_eq!(sys.call("write", &[w.reg(), bad.reg(), 3]), Err(Errno::EFAULT));
    });
    vk.join(h);
}

/// POSIX says nothing of it, but a read in progress must not be left on a pipe that is gone.
#[test]
fn closing_the_descriptor_does_not_disturb_a_read_by_another_process() {
    seeds(0..100, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (r, w) = pipe(&vk);
        let reader = vk.lwp(move |sys| sys.read(r, 5));
        vk.run_points(seed);
        vk.init(move |sys| sys.close(r)).expect("close");
        vk.init(move |sys| sys.write(w, b"still")).expect("write");
        assert_eq!(vk.join(reader), Ok(b"still".to_vec()), "seed {seed}");
    });
}

#[test]
fn a_chain_of_processes_passes_all_on() {
    seeds(0..60, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (a, b, c) = (pipe(&vk), pipe(&vk), pipe(&vk));
        let all = [a.0, a.1, b.0, b.1, c.0, c.1];
        let stage = move |from: i32, to: i32| {
            move |sys: &crate::machdep::fake::Sys| -> Result<(), Errno> {
                for fd in all {
                    if fd != from && fd != to {
                        sys.close(fd)?;
                    }
                }
                loop {
                    let piece = sys.read(from, 37)?;
                    if piece.is_empty() {
                        return Ok(());
                    }
                    sys.write(to, &piece)?;
                }
            }
        };
        let stages = [vk.lwp(stage(a.0, b.1)), vk.lwp(stage(b.0, c.1))];
        let h = vk.lwp(move |sys| {
            [a.0, b.0, b.1, c.1].iter().for_each(|fd| sys.close(*fd).expect("close"));
            for i in 0..20u8 {
                sys.write(a.1, &[i; 10]).expect("write");
            }
            sys.close(a.1).expect("close");
            sys.read_all(c.0)
        });
        vk.init(move |sys| all.map(|fd| sys.close(fd).expect("close")));
        let got = vk.join(h).expect("read");
        let want: Vec<u8> = (0..20u8).flat_map(|i| [i; 10]).collect();
        assert_eq!(got, want, "seed {seed}");
        stages.into_iter().for_each(|s| assert_eq!(vk.join(s), Ok(())));
    });
}
