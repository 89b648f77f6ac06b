//! Sockets between processes: who comes first of connect and close, accept and a signal, a descriptor
//! that is sent and a close; and what nobody can receive any more.

use alloc::vec;
use alloc::vec::Vec;

use abi::syscalls::UAddr;
use abi::types::{o, poll, sig, sock};
use abi::{Errno, SysResult};

use super::seeds;
use crate::machdep::fake::{Fake, Reg, Sys};

fn pair(sys: &Sys, kind: u32) -> SysResult<(i32, i32)> {
    let at = sys.alloc(8);
    sys.call("socketpair", &[sock::AF_UNIX.reg(), kind.reg(), 0, at.reg()])?;
    Ok((sys.peek32(at) as i32, sys.peek32(at.offset(4)) as i32))
}
fn socket(sys: &Sys, kind: u32) -> SysResult<i32> {
    sys.call("socket", &[sock::AF_UNIX.reg(), kind.reg(), 0]).map(|fd| fd as i32)
}
fn bytes(sys: &Sys, data: &[u8]) -> UAddr {
    let at = sys.alloc(data.len());
    sys.poke(at, data);
    at
}
fn words(sys: &Sys, words: &[u32]) -> UAddr {
    let raw: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    bytes(sys, &raw)
}
/// `bind` or `connect`.
fn named(sys: &Sys, call: &str, fd: i32, path: &str) -> SysResult<()> {
    let mut raw = vec![sock::AF_UNIX as u8, 0];
    raw.extend_from_slice(path.as_bytes());
    let at = bytes(sys, &raw);
    sys.call(call, &[fd.reg(), at.reg(), raw.len().reg()]).map(|_| ())
}
fn listener(sys: &Sys, path: &str, backlog: i32) -> SysResult<i32> {
    let fd = socket(sys, sock::STREAM)?;
    named(sys, "bind", fd, path)?;
    sys.call("listen", &[fd.reg(), backlog.reg()])?;
    Ok(fd)
}
fn accept(sys: &Sys, fd: i32) -> SysResult<i32> {
    sys.call("accept4", &[fd.reg(), 0, 0, 0]).map(|fd| fd as i32)
}
/// A byte with these descriptors.
fn send(sys: &Sys, via: i32, fds: &[i32]) -> SysResult<i64> {
    let iov = [bytes(sys, b"x").0, 1];
    let mut control = vec![12 + 4 * fds.len() as u32, sock::SOL_SOCKET, sock::SCM_RIGHTS];
    control.extend(fds.iter().map(|&fd| fd as u32));
    let (iov, at) = (words(sys, &iov), words(sys, &control));
    let message = words(sys, &[0, 0, iov.0, 1, at.0, 4 * control.len() as u32, 0]);
    sys.call("sendmsg", &[via.reg(), message.reg(), 0])
}
/// A byte and the one descriptor that comes with it.
fn receive(sys: &Sys, via: i32, flags: u32) -> SysResult<Option<i32>> {
    let iov = [sys.alloc(8).0, 8];
    let (iov, at) = (words(sys, &iov), sys.alloc(16));
    let message = words(sys, &[0, 0, iov.0, 1, at.0, 16, 0]);
    sys.call("recvmsg", &[via.reg(), message.reg(), flags.reg()])?;
    Ok((sys.peek32(message.offset(20)) == 16).then(|| sys.peek32(at.offset(12)) as i32))
}

#[test]
fn a_connect_finds_a_listener_or_is_refused() {
    seeds(0..200, |seed| {
        let vk = Fake::seeded(seed).boot();
        let l = vk.init(|sys| listener(sys, "/door", 1)).expect("listen");
        let client = vk.lwp(move |sys| {
            sys.close(l)?;
            let fd = socket(sys, sock::STREAM)?;
            named(sys, "connect", fd, "/door")?;
            sys.read(fd, 1)
        });
        vk.run_points(seed % 40);
        vk.init(move |sys| sys.close(l)).expect("close");
        let got = vk.join(client);
        assert!(matches!(got, Err(Errno::ECONNREFUSED | Errno::ECONNRESET)), "seed {seed}: {got:?}");
        vk.check_idle();
    });
}

/// With room for one, two that wait are let in one after the other, or refused when the listener goes.
#[test]
fn those_that_wait_for_room_get_in_or_are_refused() {
    seeds(0..150, |seed| {
        let vk = Fake::seeded(seed).boot();
        let l = vk.init(|sys| listener(sys, "/door", 0)).expect("listen");
        let clients: Vec<_> = (0..3)
            .map(|_| {
                vk.lwp(move |sys| {
                    sys.close(l)?;
                    let fd = socket(sys, sock::STREAM)?;
                    named(sys, "connect", fd, "/door")?;
                    sys.read(fd, 1)
                })
            })
            .collect();
        let accepts = seed % 4;
        vk.init(move |sys| {
            for _ in 0..accepts.min(3) {
                let fd = accept(sys, l).expect("accept");
                sys.write(fd, b"y").expect("write");
                sys.close(fd).expect("close");
            }
            sys.close(l).expect("close");
        });
        let ends: Vec<_> = clients.into_iter().map(|c| vk.join(c)).collect();
        let served = ends.iter().filter(|e| **e == Ok(b"y".to_vec())).count() as u64;
        assert_eq!(served, accepts.min(3), "seed {seed}: {ends:?}");
        assert!(ends.iter().all(|e| matches!(e, Ok(_) | Err(Errno::ECONNREFUSED | Errno::ECONNRESET))), "{ends:?}");
    });
}

#[test]
fn a_signal_ends_an_accept_or_comes_after_it() {
    seeds(0..200, |seed| {
        let vk = Fake::seeded(seed).boot();
        let l = vk.init(|sys| listener(sys, "/door", 1)).expect("listen");
        let server = vk.lwp(move |sys| {
            sys.sigaction(sig::USR1, 2)?;
            accept(sys, l)
        });
        let pid = server.pid;
        if seed % 2 == 0 {
            vk.run_until_asleep(&server);
        }
        let client = vk.lwp(move |sys| {
            sys.close(l)?;
            let fd = socket(sys, sock::STREAM)?;
            named(sys, "connect", fd, "/door")
        });
        // It may not catch it yet, or be over.
        let sent = vk.init(move |sys| sys.kill(pid, sig::USR1));
        let (got, _) = vk.end(server);
        assert!(matches!(got, None | Some(Ok(_) | Err(Errno::EINTR))), "seed {seed}: {sent:?} {got:?}");
        assert_eq!(vk.join(client), Ok(()));
    });
}

#[test]
fn a_sender_to_a_full_socket_is_told_when_the_receiver_goes() {
    seeds(0..150, |seed| {
        let vk = Fake::seeded(seed).boot();
        let kind = if seed % 2 == 0 { sock::STREAM } else { sock::SEQPACKET };
        let (a, b) = vk.init(move |sys| pair(sys, kind)).expect("pair");
        let writer = vk.lwp(move |sys| {
            sys.sigaction(sig::PIPE, 1)?;
            sys.close(a)?;
            loop {
                sys.write(b, &[1; 10_000])?;
            }
        });
        vk.run_points(seed * 2);
        vk.init(move |sys| {
            let _ = sys.read(a, 5000);
            sys.close(b)?;
            sys.close(a)
        })
        .expect("close");
        let got: SysResult<()> = vk.join(writer);
        assert_eq!(got, Err(Errno::EPIPE), "seed {seed}");
    });
}

#[test]
fn a_descriptor_that_is_sent_arrives_or_is_closed() {
    seeds(0..200, |seed| {
        let vk = Fake::seeded(seed).boot();
        let ((a, b), (r, w)) = vk.init(|sys| (pair(sys, sock::STREAM).expect("pair"), sys.pipe2(0).expect("pipe")));
        let sender = vk.lwp(move |sys| {
            sys.sigaction(sig::PIPE, 1)?;
            sys.close(a)?;
            let sent = send(sys, b, &[w]);
            sys.close(w)?;
            sent
        });
        let receiver = vk.lwp(move |sys| {
            sys.close(b)?;
            sys.close(w)?;
            if seed % 3 == 0 {
                // It is gone before, or after.
                return sys.close(a).map(|()| None);
            }
            let got = receive(sys, a, 0)?;
            got.map_or(Ok(0), |fd| sys.write(fd, b"z"))?;
            Ok(got)
        });
        vk.init(move |sys| [a, b, w].map(|fd| sys.close(fd).expect("close")));
        let all = vk.init(move |sys| sys.read_all(r)).expect("the last writer goes in the end");
        let (sent, got) = (vk.join(sender), vk.join(receiver).expect("receive"));
        assert_eq!(got.is_some(), !all.is_empty(), "seed {seed}: {sent:?}");
        assert!(seed % 3 == 0 || sent == Ok(1), "seed {seed}: {sent:?}");
        assert_eq!(vk.kernel.sockets.flight.counts(), (0, 0));
    });
}

/// Two sockets that are each in the other's queue, and a pipe that tells of their end.
#[test]
fn rings_of_sockets_are_found() {
    seeds(0..100, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (r, w) = vk.init(|sys| sys.pipe2(0)).expect("pipe");
        let knot = vk.lwp(move |sys| {
            let ((a, b), (c, d)) = (pair(sys, sock::STREAM)?, pair(sys, sock::DGRAM)?);
            send(sys, a, &[d])?;
            send(sys, c, &[b])?;
            send(sys, a, &[w, b])?;
            if seed % 2 == 0 {
                // One that is live holds them: its own is not taken away.
                assert!(receive(sys, b, 0)?.is_some());
            }
            Ok::<_, Errno>(())
        });
        vk.init(move |sys| sys.close(w)).expect("close");
        assert_eq!(vk.init(move |sys| sys.read(r, 1)), Ok(vec![]), "seed {seed}");
        assert_eq!(vk.join(knot), Ok(()));
        assert_eq!(vk.kernel.sockets.flight.counts(), (0, 0), "seed {seed}");
    });
}

#[test]
fn a_ring_is_not_taken_from_one_who_receives_it() {
    seeds(0..150, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (a, b) = vk.init(|sys| pair(sys, sock::STREAM)).expect("pair");
        let receiver = vk.lwp(move |sys| {
            send(sys, a, &[b])?;
            sys.close(a)?;
            let again = receive(sys, b, 0)?.ok_or(Errno::EIO)?;
            sys.close(b)?;
            sys.fstat(again).map(|_| ())
        });
        // Each close looks for rings.
        let closer = vk.lwp(|sys| {
            for _ in 0..5 {
                let (c, d) = pair(sys, sock::STREAM)?;
                sys.close(c)?;
                sys.close(d)?;
            }
            Ok::<_, Errno>(())
        });
        vk.init(move |sys| [a, b].map(|fd| sys.close(fd).expect("close")));
        assert_eq!(vk.join(receiver), Ok(()), "seed {seed}");
        assert_eq!(vk.join(closer), Ok(()));
    });
}

/// Each is in the queue of the next: closing the last closes all, one after the other.
#[test]
fn a_long_chain_is_closed_in_little_stack() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        let (mut a, mut b) = pair(sys, sock::STREAM)?;
        for _ in 0..200 {
            let (c, d) = pair(sys, sock::STREAM)?;
            send(sys, c, &[a, b])?;
            sys.close(a)?;
            sys.close(b)?;
            (a, b) = (c, d);
        }
        // 256 sockets at most are under way.
        Ok::<_, Errno>((a, b))
    });
    assert_eq!(vk.join(h), Err(Errno::ENOBUFS));
    assert_eq!(vk.kernel.sockets.flight.counts(), (0, 0));
    vk.check_idle();
}

#[test]
fn poll_sees_what_comes_and_the_end() {
    seeds(0..100, |seed| {
        let vk = Fake::seeded(seed).boot();
        let (a, b) = vk.init(|sys| pair(sys, sock::STREAM)).expect("pair");
        let watcher = vk.lwp(move |sys| {
            sys.close(b)?;
            let mut seen = Vec::new();
            loop {
                let (_, got) = sys.poll(&[(a, poll::IN)], -1)?;
                if got[0] & poll::HUP != 0 && sys.read(a, 10)?.is_empty() {
                    return Ok::<_, Errno>(seen);
                }
                if got[0] & poll::HUP == 0 {
                    seen.extend(sys.read(a, 10)?);
                }
            }
        });
        let h = vk.lwp(move |sys| {
            sys.close(a)?;
            sys.write(b, b"one")?;
            sys.sched_yield()?;
            sys.close(b)
        });
        vk.init(move |sys| [a, b].map(|fd| sys.close(fd).expect("close")));
        assert_eq!(vk.join(h), Ok(()));
        let seen = vk.join(watcher).expect("poll");
        assert!(seen.is_empty() || seen == b"one", "seed {seed}: {seen:?}");
    });
}

#[test]
fn sockets_of_wasi() {
    let vk = Fake::seeded(1).boot();
    let h = vk.lwp(|sys| {
        let l = listener(sys, "/wasi", 3).expect("listen");
        let c = socket(sys, sock::STREAM).expect("socket");
        named(sys, "connect", c, "/wasi").expect("connect");
        let out = sys.alloc(16);
        sys.wasi("sock_accept", &[l.reg(), 4, out.reg()]).expect("accept");
        let a = sys.peek32(out) as i32;
        assert_eq!(sys.read(a, 1), Err(Errno::EAGAIN));
        let text = bytes(sys, b"hello");
        let iov = words(sys, &[text.0, 5]);
        sys.wasi("sock_send", &[c.reg(), iov.reg(), 1, 0, out.reg()]).expect("send");
        assert_eq!(sys.peek32(out), 5);
        // RECV_PEEK, then all of it.
        for flags in [1u32, 2] {
            sys.wasi("sock_recv", &[a.reg(), iov.reg(), 1, flags.reg(), out.reg(), out.offset(8).reg()]).expect("recv");
            assert_eq!(sys.peek32(out), 5);
        }
        sys.wasi("sock_shutdown", &[c.reg(), 2]).expect("shutdown");
        assert_eq!(sys.read(a, 1), Ok(vec![]));
        let plain = sys.open("/plain", o::CREAT | o::RDWR, 0o600).expect("open");
        assert_eq!(sys.wasi("sock_shutdown", &[plain.reg(), 2]), Err(Errno::ENOTSOCK));
        assert_eq!(sys.wasi("sock_accept", &[c.reg(), 0, out.reg()]), Err(Errno::EINVAL));
    });
    vk.join(h);
}

/// A child ends while its parent waits for it, looks first, or takes it at once.
#[test]
fn a_wait_that_leaves_the_child_and_one_that_takes_it() {
    use abi::types::wait;
    seeds(0..150, |seed| {
        let vk = Fake::seeded(seed).boot();
        let h = vk.lwp(move |sys| {
            let pid = sys.fork(|sys| sys.exit(7)).expect("fork");
            let info = sys.alloc(32);
            let waitid = |options: u32| sys.call("waitid", &[wait::P_ALL.reg(), 0, info.reg(), options.reg(), 0]);
            waitid(wait::EXITED | wait::NOWAIT)?;
            assert_eq!((sys.peek32(info.offset(8)) as i32, sys.peek32(info.offset(16))), (pid, 7));
            assert_eq!(waitid(wait::STOPPED | wait::NOHANG), Err(Errno::ECHILD));
            waitid(wait::EXITED)?;
            waitid(wait::EXITED)
        });
        assert_eq!(vk.join(h), Err(Errno::ECHILD), "seed {seed}");
    });
}
