//! Sockets between processes, as the kernel's own numbers have them. unix(7); tests/posix has more.

use abi::types::{o, sig, sock};
use vkernel_sys::{Errno, fs, io, mode, net, proc};

use crate::harness::{role, wait_for};

crate::tests! { sockets: both_ways, messages, a_name, closed_ends, an_echo, refused }
crate::roles! { echo }

fn both_ways() {
    let (a, b) = net::pair(sock::STREAM | sock::CLOEXEC).unwrap();
    assert_eq!(fs::fstat(a).unwrap().mode & mode::IFMT, mode::IFSOCK);
    assert_eq!((io::write(a, b"there"), net::send(b, b"back", 0)), (Ok(5), Ok(4)));
    let mut buf = [0; 8];
    assert_eq!(net::recv(b, &mut buf, sock::MSG_PEEK), Ok(5));
    assert_eq!((io::read(b, &mut buf), &buf[..5]), (Ok(5), b"there".as_slice()));
    assert_eq!((io::read(a, &mut buf), &buf[..4]), (Ok(4), b"back".as_slice()));
    assert_eq!(net::recv(a, &mut buf, sock::MSG_DONTWAIT), Err(Errno::EAGAIN));
    assert_eq!(net::shutdown(a, sock::SHUT_WR), Ok(()));
    assert_eq!(io::read(b, &mut buf), Ok(0));
}

fn messages() {
    for kind in [sock::DGRAM, sock::SEQPACKET] {
        let (a, b) = net::pair(kind | sock::NONBLOCK).unwrap();
        let mut buf = [0; 8];
        assert_eq!((io::write(a, b"one"), io::write(a, b"")), (Ok(3), Ok(0)));
        assert_eq!((io::read(b, &mut buf), io::read(b, &mut buf)), (Ok(3), Ok(0)));
        assert_eq!(io::read(b, &mut buf), Err(Errno::EAGAIN));
        assert_eq!(net::send(a, &vec![0; 100_000], 0), Err(Errno::EMSGSIZE));
    }
}

fn a_name() {
    let (l, c) = (net::socket(sock::STREAM).unwrap(), net::socket(sock::STREAM).unwrap());
    net::bind(l, b"door").unwrap();
    assert_eq!(net::connect(c, b"door"), Err(Errno::ECONNREFUSED));
    net::listen(l, 1).unwrap();
    net::connect(c, b"door").unwrap();
    let a = net::accept(l, sock::CLOEXEC).unwrap();
    assert_eq!(io::write(c, b"x"), Ok(1));
    assert_eq!(io::read(a, &mut [0; 2]), Ok(1));
    assert_eq!(net::bind(c, b"door"), Err(Errno::EADDRINUSE));
    assert_eq!(io::open(b"door", o::RDWR, 0), Err(Errno::ENXIO));
    fs::unlink(b"door").unwrap();
}

fn closed_ends() {
    proc::sigaction(sig::PIPE, proc::Disposition::Ignore).unwrap();
    let (a, b) = net::pair(sock::STREAM).unwrap();
    io::write(a, b"lost").unwrap();
    io::close(b).unwrap();
    assert_eq!(io::read(a, &mut [0; 1]), Err(Errno::ECONNRESET));
    assert_eq!(io::read(a, &mut [0; 1]), Ok(0));
    assert_eq!(io::write(a, b"x"), Err(Errno::EPIPE));
}

/// Writes what it reads, to the end.
fn echo(_: &[&str]) -> i32 {
    let mut buf = [0; 512];
    loop {
        match io::read(0, &mut buf) {
            Ok(0) => return 0,
            Ok(n) => io::write_all(0, &buf[..n]).expect("write"),
            Err(_) => return 1,
        }
    }
}

fn an_echo() {
    let (a, b) = net::pair(sock::STREAM | sock::CLOEXEC).unwrap();
    let pid = role("echo", &[]).dup2(b, 0).spawn().unwrap();
    io::close(b).unwrap();
    let mut buf = [0; 512];
    for i in 0..500u32 {
        let sent = [i as u8; 300];
        io::write_all(a, &sent).unwrap();
        let n = net::recv(a, &mut buf[..300], sock::MSG_WAITALL).unwrap();
        assert_eq!(buf[..n], sent);
    }
    io::close(a).unwrap();
    assert_eq!(wait_for(pid), 0);
}

fn refused() {
    let null = io::open(b"/dev/null", o::RDWR, 0).unwrap();
    assert_eq!(net::send(null, b"x", 0), Err(Errno::ENOTSOCK));
    assert_eq!(net::accept(null, 0), Err(Errno::ENOTSOCK));
    assert_eq!(net::socket(99), Err(Errno::EPROTONOSUPPORT));
    let s = net::socket(sock::STREAM).unwrap();
    assert_eq!(net::send(s, b"x", 0), Err(Errno::ENOTCONN));
    assert_eq!(net::listen(s, 1), Err(Errno::EINVAL));
    assert_eq!(net::accept(s, 0), Err(Errno::EINVAL));
    assert_eq!(net::connect(s, b"missing"), Err(Errno::ENOENT));
}
